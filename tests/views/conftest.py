"""One Chromium for all tests of a worker, what is asked of every page in it, and a host of MCP Apps around it."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import async_playwright

from conftest import needs

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
HOST, SANDBOX = "http://127.0.0.1:1/", "http://localhost:1/"
"""Where the host's page and its sandbox seem to be: nothing listens there, the browser is given both."""


@pytest.fixture(scope="session")
def anyio_backend():
    return "asyncio"


@pytest.fixture(scope="session")
async def browser():
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=needs("chromium"), args=FLAGS)
        yield launched
        await launched.close()


@asynccontextmanager
async def tab(browser, theme="light", width=1280, may_ask=(), **more):
    """A page of its own; a message on its console, an error and a request to anywhere else fail the test."""
    context = await browser.new_context(viewport={"width": width, "height": 900}, color_scheme=theme, **more)
    context.set_default_timeout(10_000)
    page, problems = await context.new_page(), []
    page.on("console", lambda said: problems.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda sent: problems.append(sent.url) if sent.url[:5] != "data:" and sent.url not in may_ask else None)
    try:
        yield page
    finally:
        await context.close()
        assert problems == []


async def accessible(page):
    """No violation of WCAG 2.2 A or AA on the page as it stands, nor of axe's best practices."""
    found = await Axe().run(page, options={"runOnly": {"type": "tag", "values": WCAG}})
    assert found.violations_count == 0, found.generate_report()


async def overflow(page):
    return await page.evaluate("document.documentElement.scrollWidth - innerWidth")


@pytest.fixture(scope="session")
def host_script(tmp_path_factory) -> str:
    """The host of `host.mjs` with what it imports from npm in one script; CI installs that beside esbuild."""
    esbuild = Path(needs("esbuild"))
    packages = esbuild.parent.parent
    if not (packages / "@modelcontextprotocol" / "ext-apps").is_dir():
        pytest.skip("@modelcontextprotocol/ext-apps is not installed beside esbuild")
    made = tmp_path_factory.mktemp("host") / "host.js"
    command = [esbuild, Path(__file__).with_name("host.mjs"), "--bundle", "--format=esm", "--target=es2022", f"--outfile={made}"]
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "NODE_PATH": str(packages)}, timeout=60)
    return made.read_text()


@asynccontextmanager
async def hosted(browser, agent, script, tool, arguments, *, theme="light", abilities=("serverTools", "openLinks"), width=800):
    """The view of a tool's answer in a host; what the host was asked to call, in order."""
    listed = {each.name: each for each in (await agent.list_tools()).tools}
    address = listed[tool].meta["ui"]["resourceUri"]
    shown = (await agent.read_resource(address)).contents[0]
    calls = []

    async def call(name, given):
        calls.append((name, given))
        return (await agent.call_tool(name, given)).model_dump(mode="json", by_alias=True, exclude_none=True)

    async with tab(browser, "light", width, {HOST, f"{HOST}host.js", SANDBOX}) as page:
        await page.route(HOST, lambda route: route.fulfill(content_type="text/html", body='<!doctype html><title>Host</title><body><script type="module" src="/host.js"></script>'))
        await page.route(f"{HOST}host.js", lambda route: route.fulfill(content_type="text/javascript", body=script))
        await page.route(SANDBOX, lambda route: route.fulfill(content_type="text/html", path=Path(__file__).with_name("sandbox.html")))
        await page.expose_function("callTool", call)
        await page.goto(HOST)
        answer = (await agent.call_tool(tool, arguments)).model_dump(mode="json", by_alias=True, exclude_none=True)
        given = {"html": shown.text, "csp": shown.meta["ui"]["csp"], "arguments": arguments, "result": answer, "theme": theme, "abilities": abilities, "sandbox": SANDBOX}
        await page.evaluate("given => globalThis.show(given)", given)
        inner = next(frame for frame in page.frames if frame.parent_frame and frame.parent_frame.parent_frame)
        await inner.wait_for_selector("main:not([aria-busy])")
        yield page, inner, calls

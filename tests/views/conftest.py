"""One Chromium for all tests of a worker, what is asked of every page in it, and a host of MCP Apps around it."""

from __future__ import annotations

import os
import subprocess
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from axe_playwright_python.async_playwright import Axe
from mcp import Client
from playwright.async_api import Frame, Page, async_playwright

from conftest import needs

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
HOST, SANDBOX = "http://127.0.0.1:1/", "http://localhost:1/"
"""Where the host's page and its sandbox seem to be: nothing listens there, the browser is given both."""
PAGE = '<!doctype html><title>Host</title><body><script type="module" src="/host.js"></script>'


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
async def tab(browser, theme="light", width=1280, may_ask=(), stopped=None):
    """A page of its own; an error, on its console too, and a request to anywhere else fail the test.

    Args:
        stopped: gets them instead, where they are what is tested.
    """
    context = await browser.new_context(viewport={"width": width, "height": 900}, color_scheme=theme)
    context.set_default_timeout(10_000)
    page, problems = await context.new_page(), [] if stopped is None else stopped
    page.on("console", lambda said: problems.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on(
        "request",
        lambda sent: problems.append(sent.url) if sent.url[:5] != "data:" and sent.url not in may_ask else None,
    )
    try:
        yield page
    finally:
        await context.close()
        assert stopped is not None or problems == []


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
    command = [
        esbuild,
        Path(__file__).with_name("host.mjs"),
        "--bundle",
        "--format=esm",
        "--target=es2022",
        f"--outfile={made}",
    ]
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "NODE_PATH": str(packages)}, timeout=60)
    return made.read_text()


@dataclass
class Shown:
    """A view in its host: the host's page, the frame of the view, what the host was asked to call, and the answer."""

    page: Page
    view: Frame
    calls: list[tuple[str, dict]]
    answer: dict


@pytest.fixture
async def agent(world):
    async with Client(world.server, read_timeout_seconds=30) as connected:
        yield connected


@pytest.fixture
def shown(browser, agent, host_script):
    """Shows the view of a tool's answer in a host."""
    return partial(_shown, browser, agent, host_script)


@asynccontextmanager
async def _shown(browser, agent, script, tool, arguments, *, by=None, drops=(), stopped=None, **host):
    agent = by or agent
    listed = {each.name: each for each in (await agent.list_tools()).tools}
    document = (await agent.read_resource(listed[tool].meta["ui"]["resourceUri"])).contents[0]
    calls = []

    async def call(name, given):
        calls.append((name, given))
        return as_json(await agent.call_tool(name, given))

    served = {HOST: PAGE, f"{HOST}host.js": script, SANDBOX: Path(__file__).with_name("sandbox.html").read_text()}
    async with tab(browser, width=800, may_ask=served, stopped=stopped) as page:
        for address, text in served.items():
            kind = "text/javascript" if address.endswith(".js") else "text/html"
            await page.route(address, partial(_fulfill, content_type=kind, body=text))
        await page.expose_function("callTool", call)
        await page.goto(HOST)
        answer = as_json(await agent.call_tool(tool, arguments))
        handed = {name: each for name, each in answer.items() if name not in drops}
        given = {"html": document.text, "csp": document.meta["ui"]["csp"], "arguments": arguments, "result": handed}
        offered = {"theme": "light", "abilities": ["serverTools", "openLinks"], "sandbox": SANDBOX, **host}
        await page.evaluate("given => globalThis.show(given)", given | offered)
        view = next(frame for frame in page.frames if frame.parent_frame and frame.parent_frame.parent_frame)
        await view.wait_for_selector("main:not([aria-busy])")
        yield Shown(page, view, calls, answer)


def as_json(result):
    return result.model_dump(mode="json", by_alias=True, exclude_none=True)


async def _fulfill(route, **answer):
    await route.fulfill(**answer)

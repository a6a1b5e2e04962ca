"""A view in a host that others wrote: the Inspector's web client, on our server over HTTP."""

import base64
import json
import re
import secrets
import subprocess
from contextlib import asynccontextmanager
from urllib.parse import urlencode, urlsplit

import anyio
import httpx
import pytest
from mcp import Client

from conftest import make_world, needs
from processes import free_port, http_server, settings_for
from signing import served
from viewed import seeded

PATIENCE = 60_000
"""Milliseconds: the Inspector builds what it serves while it serves it, on a machine that does more than this."""


@asynccontextmanager
async def inspector(folder):
    """The Inspector's web client until the block ends: its address, that of its sandbox, and the word that it wants."""
    port, sandbox, token = free_port(), free_port(), secrets.token_hex(16)
    served = {"HOST": "127.0.0.1", "CLIENT_PORT": str(port), "MCP_SANDBOX_PORT": str(sandbox)}
    told = {"MCP_AUTO_OPEN_ENABLED": "false", "MCP_INSPECTOR_API_TOKEN": token, "HOME": str(folder)}
    process = await anyio.open_process(
        [needs("mcp-inspector"), "--web"],
        env=settings_for(folder, **served, **told),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with anyio.fail_after(PATIENCE / 1000):
            while process.returncode is None:
                try:
                    httpx.get(f"http://127.0.0.1:{port}/", trust_env=False)
                    break
                except httpx.TransportError:
                    await anyio.sleep(0.05)
        yield f"127.0.0.1:{port}", f"127.0.0.1:{sandbox}", token
    finally:
        process.terminate()
        await process.wait()


@pytest.fixture
async def workspace(tmp_path):
    """The folder of a workspace with people in every state, and its interview."""
    world = make_world(f"sqlite:///{tmp_path / 'workspace.db'}")
    async with Client(world.server) as agent:
        interview, _ = await seeded(world, agent, 3)
    world.store.close()
    return tmp_path, interview


async def test_the_inspector_draws_who_is_through_and_asks_nobody_else(browser, workspace, tmp_path_factory):
    folder, interview = workspace
    async with (
        inspector(tmp_path_factory.mktemp("inspector")) as (host, sandbox, token),
        http_server(folder, "--local") as url,
    ):
        asked = base64.urlsafe_b64encode(json.dumps({"interviewId": interview}).encode()).decode().rstrip("=")
        opened = {"serverUrl": url, "transport": "http", "autoConnect": token}
        context = await browser.new_context(viewport={"width": 1280, "height": 900})
        context.set_default_timeout(PATIENCE)
        page, reached = await context.new_page(), set()
        await page.route(re.compile(r"^https?://(?!127\.0\.0\.1)"), lambda route: route.abort())  # its own fonts
        page.on("request", lambda sent: reached.add(urlsplit(sent.url).netloc) if sent.frame.parent_frame else None)
        await page.goto(f"http://{host}/?{urlencode({**opened, 'openApp': 'wait_for_sessions', 'appArgs': asked})}")
        await page.locator('[data-testid="connection-status"][data-status="connected"]').wait_for()
        await page.get_by_test_id("open-app").click()
        view = page.frame_locator("iframe").frame_locator("iframe")
        await view.locator("main:not([aria-busy]) h1").wait_for()
        words = await view.locator("main").inner_text()
        await context.close()
    for name in ("Amara Okafor", "Jonas Weber", "Priya Nair", "Robin Vega", "Yuki Tanaka", "Sofia Rossi"):
        assert name in words
    assert reached == {sandbox}


async def test_the_inspector_signs_somebody_in(browser, tmp_path, tmp_path_factory):
    async with (
        inspector(tmp_path_factory.mktemp("inspector")) as (host, _, token),
        served(tmp_path) as (url, key),
    ):
        context = await browser.new_context(viewport={"width": 1280, "height": 900})
        context.set_default_timeout(PATIENCE)
        page = await context.new_page()
        await page.route(re.compile(r"^https?://(?!127\.0\.0\.1)"), lambda route: route.abort())
        await page.goto(f"http://{host}/?{urlencode({'serverUrl': url, 'transport': 'http', 'autoConnect': token})}")
        await page.get_by_label("Your Aural API key").fill(key)
        await page.get_by_role("button", name="Let it in").click()
        await page.locator('[data-testid="connection-status"][data-status="connected"]').wait_for()
        assert urlsplit(page.url).netloc == host
        await context.close()

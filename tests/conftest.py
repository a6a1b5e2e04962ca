"""What the tests stand on: the real embedded backend, in memory where that serves."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp import Client
from starlette.applications import Starlette

from aural_mcp.backend.app import LocalKey, create_app
from aural_mcp.backend.store import Store, owner
from aural_mcp.client import AuralClient
from aural_mcp.server import AuralServer, OneClient

ORIGIN = "https://interviews.example"
KEY = "dlv_test_in_process"
MODES = ("auto", "legacy")
CI = os.environ.get("CI") == "true"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """On CI a skipped test is a failed one: everything that a test needs is installed there."""
    outcome = yield
    report = outcome.get_result()
    if CI and report.skipped:
        report.outcome, report.longrepr = "failed", f"skipped on CI: {report.longrepr}"


@dataclass
class World:
    """One embedded workspace, a client of it, and a server in front of it."""

    store: Store
    app: Starlette
    client: AuralClient
    server: AuralServer

    def browser(self) -> httpx.AsyncClient:
        """A candidate's browser: keeps cookies, follows redirects."""
        return httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url=ORIGIN, follow_redirects=True)


def make_world(folder: Path) -> World:
    store = Store(f"sqlite:///{folder / 'workspace.db'}")
    app = create_app(store, origin=lambda: ORIGIN, local_key=LocalKey(KEY, owner(store).user_id))
    client = AuralClient(KEY, f"{ORIGIN}/api/v1", requests_per_minute=0, transport=httpx.ASGITransport(app))
    return World(store, app, client, AuralServer(OneClient(client), backend="A test workspace."))


@pytest.fixture
def world(tmp_path):
    made = make_world(tmp_path)
    yield made
    made.store.close()


@pytest.fixture(params=MODES)
async def agent(request, world):
    """An MCP client of the in-memory server, in each protocol generation."""
    async with Client(world.server, mode=request.param, read_timeout_seconds=30) as connected:
        yield connected


@pytest.fixture
def chromium() -> str:
    """The system's Chromium; tests that need it are skipped by name where it is missing."""
    return needs("chromium")


def needs(program: str) -> str:
    path = shutil.which(program)
    if path is None:
        pytest.skip(f"{program} is not installed")
    return path


def text_of(result) -> str:
    return "\n".join(block.text for block in result.content)


async def ok(agent: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """Call a tool that must succeed; the answer is its structured content."""
    result = await agent.call_tool(tool, arguments)
    assert not result.is_error, text_of(result)
    return result.structured_content


async def refused(agent: Client, tool: str, arguments: dict[str, Any]) -> str:
    """Call a tool that must refuse; the answer is what the model reads."""
    result = await agent.call_tool(tool, arguments)
    assert result.is_error, text_of(result)
    return text_of(result)


async def published(agent: Client, questions: list[dict[str, Any]], **interview: Any) -> dict[str, Any]:
    """An interview with these questions, open to everyone: its id, slug and url."""
    made = await ok(agent, "create_interview", **{"title": "Backend engineer", **interview})
    await ok(agent, "create_questions", interviewId=made["id"], questions=questions)
    return await ok(agent, "publish_interview", interviewId=made["id"])


async def begin(browser: httpx.AsyncClient, url: str, name: str = "Robin Vega") -> httpx.Response:
    """Agree and start the interview at a link."""
    return await browser.post(f"{url}/start", data={"name": name, "consent": "yes"})


async def answer(browser: httpx.AsyncClient, page: httpx.Response, *answers: str, **fields: str) -> httpx.Response:
    """Send the form of a page, as a browser without JavaScript would."""
    turn = re.search(r'name="turn" value="([^"]+)"', page.text)
    assert turn, page.text
    return await browser.post(f"{page.url}/answer", data={"turn": turn[1], "answer": list(answers), **fields})

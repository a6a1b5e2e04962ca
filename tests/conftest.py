"""What the tests stand on: the real embedded backend, in memory where that serves."""

from __future__ import annotations

import importlib.util
import inspect
import logging
import os
import re
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import httpx
import pytest
import sniffio
from mcp import Client
from starlette.applications import Starlette

from aural_mcp.backend.rest.app import LocalKey, create_app
from aural_mcp.backend.storage.store import Store, owner
from aural_mcp.client.client import AuralClient
from aural_mcp.log import Redacting
from aural_mcp.server.principal import OneClient
from aural_mcp.server.server import AuralServer
from engines import InADatabase, InAFile

ORIGIN = "https://interviews.example"
KEY = "dlv_test_in_process"
MODES = ("auto", "legacy")
CI = os.environ.get("CI") == "true"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def _loop_of_others(request):
    """A test that does not await may begin an event loop of its own, though that of a session's browser stands by."""
    if inspect.iscoroutinefunction(request.function):
        yield
        return
    token = sniffio.current_async_library_cvar.set(None)
    yield
    sniffio.current_async_library_cvar.reset(token)


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

    async def fetched(self, path: str) -> httpx.Response:
        """What is at an address that needs no key."""
        async with self.browser() as http:
            response = await http.get(path)
        assert response.status_code == 200
        return response


DATABASES = pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)
"""Marks a module whose tests must hold on both databases."""


@pytest.fixture
def database(request, tmp_path) -> str:
    """The URL of an empty database: SQLite, and PostgreSQL where a module asks for it.

    Where the test has a world, it is the copy of one in which a workspace was begun: that takes longer than many tests.
    """
    begun = "world" in request.fixturenames
    if getattr(request, "param", "sqlite") == "sqlite":
        if begun:
            shutil.copy(request.getfixturevalue("begun"), tmp_path / "workspace.db")
        return f"sqlite:///{tmp_path / 'workspace.db'}"
    server = request.getfixturevalue("postgresql")
    return server.database(server.begun if begun else "template1")


@pytest.fixture(scope="session")
def begun(tmp_path_factory) -> Path:
    """A database of SQLite in which a workspace was begun."""
    path = tmp_path_factory.mktemp("begun") / "workspace.db"
    make_world(f"sqlite:///{path}").store.close()
    return path


class PostgreSQL:
    """A server of our own on a socket in a folder of its own, run by an ordinary user."""

    def __init__(self, binaries: Path, folder: Path, fsync: str = "off") -> None:
        self.binaries, self.folder, self.fsync, self._made = binaries, folder, fsync, 0

    def run(self, program: str, *arguments: str) -> None:
        as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        connection = [] if program in ("initdb", "pg_ctl") else ["-h", str(self.folder), "-U", "postgres"]
        command = [*as_user, str(self.binaries / program), *connection, *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/", timeout=120)

    def database(self, template: str = "template1") -> str:
        """The URL of a new database."""
        self._made += 1
        name = f"t{self._made}"
        self.run("createdb", "-T", template, name)
        return f"postgresql+psycopg://postgres@/{name}?host={self.folder}"

    def start(self) -> None:
        """Start it, again where it was stopped."""
        options = f"-c listen_addresses='' -c unix_socket_directories={self.folder} -c fsync={self.fsync}"
        log = f"{self.folder}/log"
        self.run("pg_ctl", "-D", f"{self.folder}/data", "-w", "-l", log, "-o", options, "start")

    def stop(self) -> None:
        """Stop it as a power failure does; what it has stored stays."""
        self.run("pg_ctl", "-D", f"{self.folder}/data", "-m", "immediate", "stop")

    @cached_property
    def begun(self) -> str:
        """The name of a database in which a workspace was begun."""
        make_world(self.database()).store.close()
        return f"t{self._made}"


@pytest.fixture(scope="session")
def postgresql():
    with postgresql_server() as server:
        yield server


@contextmanager
def postgresql_server(fsync="off"):
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    binary = shutil.which("initdb") or (str(found[-1]) if found else None)
    if binary is None or importlib.util.find_spec("psycopg") is None:
        pytest.skip("PostgreSQL's server or psycopg is not installed")
    with tempfile.TemporaryDirectory(prefix="aural-pg-") as folder:
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres")
        server = PostgreSQL(Path(binary).resolve().parent, Path(folder), fsync)
        data = f"{folder}/data"
        server.run("initdb", "-D", data, "-U", "postgres", "--auth=trust", "--no-sync")
        server.start()
        yield server
        server.stop()


async def all_at_once(*calls):
    """Run them side by side; the answers in order."""
    answers = [None] * len(calls)

    async def one(number, call):
        answers[number] = await call()

    async with anyio.create_task_group() as tasks:
        for number, call in enumerate(calls):
            tasks.start_soon(one, number, call)
    return answers


def make_world(database: str, generation: int = 3) -> World:
    store = Store(database)
    key = LocalKey(KEY, owner(store).user_id)
    app = create_app(store, origin=lambda: ORIGIN, local_key=key, generation=generation)
    client = AuralClient(KEY, f"{ORIGIN}/api/v1", requests_per_minute=0, transport=httpx.ASGITransport(app))
    return World(store, app, client, AuralServer(OneClient(client), backend="A test workspace.", confirm="never"))


@pytest.fixture
def world(database):
    made = make_world(database)
    yield made
    made.store.close()


@pytest.fixture
async def engine(request, tmp_path):
    """The shared state in a file, and in a database where a module asks for it."""
    if getattr(request, "param", "file") == "file":
        made = InAFile(tmp_path)
    else:
        made = await anyio.to_thread.run_sync(InADatabase, request.getfixturevalue("postgresql").database())
    yield made
    await made.aclose()


@pytest.fixture(params=MODES)
async def agent(request, world):
    """An MCP client of the in-memory server, in each protocol generation."""
    async with Client(world.server, mode=request.param, read_timeout_seconds=30) as connected:
        yield connected


@pytest.fixture
async def place(world, tmp_path):
    """A server at which people sign in."""
    from signing import Place, living

    async with living(Place(world, tmp_path)) as made:
        yield made


@pytest.fixture
async def http(place):
    """Somebody who talks HTTP to it."""
    async with place.http() as made:
        yield made


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
    """Agree to what the first page says, and start the interview at a link."""
    told = re.search(r'name="notice" value="(\w+)"', (await browser.get(url)).text)
    form = {"name": name, "consent": "yes", **({"notice": told[1]} if told else {})}
    return await browser.post(f"{url}/start", data=form)


async def answer(browser: httpx.AsyncClient, page: httpx.Response, *answers: str, **fields: str) -> httpx.Response:
    """Send the form of a page, as a browser without JavaScript would."""
    turn = re.search(r'name="turn" value="([^"]+)"', page.text)
    assert turn, page.text
    return await browser.post(f"{page.url}/answer", data={"turn": turn[1], "answer": list(answers), **fields})


@pytest.fixture
def everything_logged():
    """All that is logged at DEBUG by everybody, as the handler of the command writes it."""
    lines: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record):
            lines.append(self.format(record))

    handler, root = Handler(), logging.getLogger()
    handler.setFormatter(Redacting("%(levelname)s %(name)s %(message)s"))
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield lines
    root.setLevel(level)
    root.removeHandler(handler)

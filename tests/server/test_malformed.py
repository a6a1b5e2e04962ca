"""Whatever a backend answers, a file holds or a name is made of: what cannot be used is refused in words of ours."""

import os
import sqlite3
import stat
from contextlib import closing, suppress

import anyio
import httpx
import pytest
from mcp import Client

from aural_mcp.client import bodies, ledger, retry
from aural_mcp.client import client as client_module
from aural_mcp.client.client import AuralClient
from aural_mcp.server.principal import OneClient
from aural_mcp.server.server import AuralServer
from conftest import KEY, ok, refused, text_of
from malformed import DEEP, WHOLE, cut_short, everything, mutated, no_package, said, whole
from processes import aural_mcp, on_stdio

OURS = "failed inside aural-mcp"


@pytest.fixture(autouse=True)
def hurry(monkeypatch):
    monkeypatch.setattr(retry, "pause", lambda _: 0)
    monkeypatch.setattr(ledger, "LOOK_AGAIN", 0)


@pytest.fixture
async def agent(world):
    async with Client(world.server, read_timeout_seconds=30) as connected:
        yield connected


@pytest.mark.parametrize("name", ["a list", "deep", "half a character"])
async def test_every_tool_resource_and_prompt_refuses_an_answer_of_another_shape(world, agent, name):
    for call in await everything(agent, world):
        text, _ = await said(world, call, whole(WHOLE[name]))
        assert OURS not in text, call
        assert "Traceback" not in text, call
        assert "[[[[" not in text, call


@pytest.mark.parametrize("name", [name for name in WHOLE if name != "half a character"])
async def test_a_create_whose_answer_cannot_be_read_may_have_been_done(world, agent, name):
    for status in (200, 502):
        title = f"{name} {status}"
        text, _ = await said(world, ("tool", "create_interview", {"title": title}), whole(WHOLE[name], status), 0)
        assert OURS not in text
        found = await ok(agent, "list_interviews", title=title)
        assert "found by looking" in text or "may have been done" in text, text
        assert len(found["data"]) == 1


async def test_a_create_that_nobody_can_look_for_may_have_been_done(world):
    for body in (DEEP, "[]", "<html>"):
        text, _ = await said(world, ("tool", "create_interview", {"title": "T"}), whole(body))
        assert text.startswith("error")
        assert "may have been done" in text


@pytest.mark.parametrize("spoil", [cut_short, no_package])
async def test_a_package_that_cannot_be_opened_is_no_answer(world, agent, spoil):
    await ok(agent, "create_interview", title="T")
    text, _ = await said(world, ("tool", "list_interviews", {}), spoil)
    assert OURS not in text
    assert "backend" in text or "connection broke" in text


async def test_one_value_of_another_kind_is_refused_or_read_around(world, agent):
    for call in await everything(agent, world):
        for seed in range(4):
            text, _ = await said(world, call, mutated(f"{call[1]} {seed}"), 0)
            assert OURS not in text, (call, seed)


class Raw:
    """Answers as bytes on a socket, which then stays open."""

    def __init__(self, answer):
        self.answer = answer

    async def __call__(self, stream):
        async with stream:
            with suppress(anyio.EndOfStream, anyio.BrokenResourceError):
                await stream.receive()
                await stream.send(self.answer)
                await stream.receive()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 3221225472\r\n\r\n{", "larger than 64 MB"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999999\r\n\r\n{", ""),
        (b'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{"da', "before an answer came"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n", "before an answer came"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: -5\r\n\r\n{}", ""),
        (b"HTTP/1.1 2000 OK\r\n\r\n", ""),
        (b"SSH-2.0-OpenSSH_9.2\r\n", ""),
        (
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json; charset=\xff\xfe\r\ncontent-length: 2\r\n\r\n[]",
            "cannot be read",
        ),
        (
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json; charset=rot13\r\ncontent-length: 2\r\n\r\n[]",
            "cannot be read",
        ),
        (b"HTTP/1.1 429 Slow\r\nretry-after: \xff\r\ncontent-length: 2\r\n\r\n[]", "rate_limited"),
        (b"HTTP/1.1 200 OK\r\nx: " + b"y" * 200_000 + b"\r\n\r\n{}", ""),
    ],
)
async def test_what_is_not_http_or_never_ends_is_no_answer(monkeypatch, answer, words):
    monkeypatch.setattr(client_module, "DEADLINE", 8)
    monkeypatch.setattr(client_module, "TIMEOUT", httpx.Timeout(0.5))
    monkeypatch.setattr(retry, "ATTEMPTS", 1)
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, Raw(answer))
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
        client = AuralClient(KEY, f"http://127.0.0.1:{port}/api/v1", requests_per_minute=0)
        async with client, Client(AuralServer(OneClient(client), backend="T."), read_timeout_seconds=60) as agent:
            text = await refused(agent, "list_interviews", {})
        tasks.cancel_scope.cancel()
    assert OURS not in text
    assert words in text


async def test_an_answer_without_an_end_is_not_read_into_memory(monkeypatch):
    monkeypatch.setattr(bodies, "LARGEST", 1_000_000)
    read = []

    class Endless(httpx.AsyncByteStream):
        async def __aiter__(self):
            while True:
                read.append(1)
                yield b"[" * 100_000

    transport = httpx.MockTransport(lambda _: httpx.Response(200, stream=Endless()))
    client = AuralClient(KEY, "https://a.example/api/v1", requests_per_minute=0, transport=transport)
    async with Client(AuralServer(OneClient(client), backend="T.")) as agent:
        assert "larger than" in await refused(agent, "list_interviews", {})
    assert len(read) == 11


# ── Names of files ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "name", ["a\0b.csv", "\0", "loop", "x" * 300, "file/in.csv", ".", "pipe", "a\nb", "~root/x", "C:\\x"]
)
async def test_a_name_that_no_file_can_have_is_refused(world, agent, tmp_path, name):
    made = await ok(agent, "create_interview", title="T")
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "loop").symlink_to("loop")
    (folder / "file").touch()
    os.mkfifo(folder / "pipe")
    given = {"interviewId": made["id"]}
    async with Client(AuralServer(OneClient(world.client), backend="T.", files=folder, confirm="never")) as other:
        for result in (
            await other.call_tool("import_candidates", {**given, "file": name}),
            await other.call_tool("export_results", {**given, "saveAs": name}),
        ):
            assert OURS not in text_of(result)
    assert {each.name for each in tmp_path.iterdir()} >= {"files"}


# ── Databases ───────────────────────────────────────────────────────────────────────────────────


def spoiled_databases(tmp_path):
    """Files that are no workspace, by what is wrong with them."""
    torn = tmp_path / "torn.db"
    with closing(sqlite3.connect(torn)) as db:
        db.executescript("create table t (x); insert into t values (zeroblob(100000));")
    header = torn.read_bytes()[:100]
    torn.unlink()
    return {
        "garbage": b"this is no database, and never was one. " * 100,
        "a header without its pages": header + b"\xff" * 8000,
        "a page": b"<!doctype html>" + b" " * 4096,
        "random": bytes(range(256)) * 64,
    }


@pytest.mark.parametrize("what", ["garbage", "a header without its pages", "a page", "random"])
async def test_a_workspace_that_is_none_is_named_kept_and_not_touched(tmp_path, what):
    folder = tmp_path / "data"
    folder.mkdir()
    file = folder / "workspace.db"
    content = spoiled_databases(tmp_path)[what]
    file.write_bytes(content)
    async with on_stdio(folder, "auto") as agent:
        for tool, given in (("list_interviews", {}), ("create_interview", {"title": "T"})):
            text = await refused(agent, tool, given)
            assert OURS not in text
            assert "workspace.db is damaged or is no database" in text
            assert "move it away" in text
    assert file.read_bytes() == (folder / "workspace.db.damaged").read_bytes() == content
    assert stat.S_IMODE((folder / "workspace.db.damaged").stat().st_mode) == 0o600


@pytest.mark.parametrize("command", [("backend", "keys", "list"), ("watch", "status"), ("apply", "-"), ("backend",)])
@pytest.mark.parametrize("what", ["garbage", "a folder", "a foreign version", "no version"])
def test_no_command_shows_a_traceback_of_a_database_that_is_none(tmp_path, command, what):
    folder = tmp_path / "data"
    folder.mkdir()
    for name in ("workspace.db", "events.db", "state.db"):
        if what == "garbage":
            (folder / name).write_bytes(b"garbage " * 1000)
        elif what == "a folder":
            (folder / name).mkdir()
        else:
            with closing(sqlite3.connect(folder / name)) as db, db:
                db.execute("create table aural_mcp_settings (name primary key, value)")
                if what == "a foreign version":
                    db.execute("insert into aural_mcp_settings values ('schema_version', '\"two\"')")
    code, out, err = aural_mcp(folder, *command)
    assert code in ((0, 1, 2) if command[0] == "watch" else (1, 2)), (out, err)
    assert "Traceback" not in out + err


@pytest.mark.parametrize("what", ["garbage", "a folder", "other tables"])
async def test_a_state_file_that_is_none_stops_nothing(tmp_path, what):
    folder = tmp_path / "data"
    folder.mkdir()
    if what == "garbage":
        (folder / "state.db").write_bytes(b"garbage " * 1000)
    elif what == "a folder":
        (folder / "state.db").mkdir()
    else:
        with closing(sqlite3.connect(folder / "state.db")) as db, db:
            db.execute("create table creates (x)")
            db.execute("create table journal (x)")
    async with on_stdio(folder, "auto") as agent:
        result = await agent.call_tool("create_interview", {"title": "T"})
        assert OURS not in text_of(result)
        assert OURS not in text_of(await agent.call_tool("list_interviews", {}))

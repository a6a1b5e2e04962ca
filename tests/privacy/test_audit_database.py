"""The decision log of all replicas: rows that each writes by itself, and what was done to them shows."""

import json
import os
import signal
import subprocess
import sys
import uuid
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import psycopg
import pytest
from mcp import Client

from aural_mcp.api.errors import LogUnwritable
from aural_mcp.client.state import State
from aural_mcp.privacy import audit_database
from aural_mcp.privacy.audit import AuditLog
from aural_mcp.privacy.audit_database import DatabaseLog
from aural_mcp.privacy.audit_lines import hash_of, line_of
from aural_mcp.privacy.audit_rows import latest, raw_lines, verify
from aural_mcp.privacy.who import Who
from aural_mcp.server.principal import OneClient
from aural_mcp.server.server import AuralServer
from conftest import answer, begin, ok, postgresql_server, published, refused

TENANT = "0123456789ab" + "c" * 52
SESSION = "ff72b3ba-b0db-46a5-8386-41b0fc7ea881"


@pytest.fixture
def url(postgresql):
    return postgresql.database()


@pytest.fixture
async def state(url):
    made = State(url=url)
    yield made
    await made.aclose()


@asynccontextmanager
async def writing(url, folder, names=None):
    """A process that writes, as far as the log can tell; it ends without a checkpoint unless it is closed."""
    state = State(url=url)
    try:
        yield AuditLog(lambda: None, names, DatabaseLog(state, lambda: folder))
    finally:
        await state.aclose()


async def write(log, count=1, tool="publish_interview", **more):
    for _ in range(count):
        await log.record(tool, "done", tenant=TENANT, ids={"sessionId": str(uuid.uuid4())}, **more)


@pytest.fixture
def unnamed(monkeypatch):
    """No checkpoint by itself: tests make them where they want them."""
    monkeypatch.setattr(audit_database, "EVERY_LINES", 10**9)
    monkeypatch.setattr(audit_database, "EVERY_SECONDS", float("inf"))


def sql(url, statement, *values):
    """What somebody does who has the database's password."""
    with psycopg.connect(url.replace("+psycopg", ""), options="-c search_path=aural_mcp_state") as db:
        done = db.execute(statement, values)
        return done.fetchall() if done.description else done.rowcount


async def in_order(state):
    return [line_of(raw) async for raw in raw_lines(state)]


# ── How it is written ───────────────────────────────────────────────────────────────────────────


async def test_each_process_has_a_chain_of_its_own_and_all_are_read_in_order_of_time(url, state, tmp_path):
    async with writing(url, tmp_path) as one, writing(url, tmp_path) as other:
        for tool in ("publish_interview", "archive_interview", "get_session"):
            await write(one, tool=tool)
            await write(other, tool=tool)
    lines = [line for line in await in_order(state) if line.said["tool"] != "checkpoint"]
    times = [line.said["at"] for line in lines]
    assert times == sorted(times)
    writers = {line.said["writer"] for line in lines}
    assert len(writers) == 2
    for writer in writers:
        said = [line.said["tool"] for line in lines if line.said["writer"] == writer]
        assert said == ["publish_interview", "archive_interview", "get_session"]
    verdict = await verify(state)
    assert verdict.problems == []
    assert verdict.lines == len(await in_order(state))


async def test_lines_of_calls_at_the_same_time_are_one_chain_and_share_trips(url, state, tmp_path, monkeypatch):
    trips, really = [], State.change

    async def counted(state, query, values=()):
        trips.extend([query] if "insert into decision_log" in query else [])
        return await really(state, query, values)

    monkeypatch.setattr(State, "change", counted)
    async with writing(url, tmp_path) as log:
        async with anyio.create_task_group() as calls:
            for _ in range(300):
                calls.start_soon(write, log)
        assert len(trips) < 30
        await write(log, 5)
        assert len(trips) < 40
    verdict = await verify(state)
    assert verdict.problems == []
    tools = [line.said["tool"] for line in await in_order(state)]
    assert tools.count("publish_interview") == 305


async def test_a_call_that_is_cancelled_is_written_down_all_the_same(url, state, tmp_path):
    async with writing(url, tmp_path) as log:
        with anyio.CancelScope() as scope:
            scope.cancel()
            await write(log)
        await write(log)
    assert [line.said["tool"] for line in await in_order(state)].count("publish_interview") == 2


KILLED = """
import asyncio, os, pathlib, signal, sys
from aural_mcp.client.state import State
from aural_mcp.privacy.audit import AuditLog
from aural_mcp.privacy.audit_database import DatabaseLog

async def main():
    log = AuditLog(lambda: None, None, DatabaseLog(State(url=sys.argv[1]), lambda: pathlib.Path(sys.argv[2])))
    for number in range(10_000):
        await log.record("publish_interview", "done", tenant="a" * 64, ids={})
        print(number, flush=True)

asyncio.run(main())
"""


async def test_a_process_that_is_killed_leaves_a_whole_chain_of_all_that_it_told_of(url, state, tmp_path):
    process = subprocess.Popen([sys.executable, "-c", KILLED, url, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    told = [process.stdout.readline() for _ in range(150)]
    os.kill(process.pid, signal.SIGKILL)
    told += process.stdout.read().splitlines()
    process.wait()
    lines = [line for line in await in_order(state) if line.said["tool"] != "checkpoint"]
    assert len(told) <= len(lines) <= len(told) + 1
    async with writing(url, tmp_path) as log:
        await write(log)
    assert (await verify(state)).problems == []


async def test_names_are_hashed_where_that_is_wanted(url, state, tmp_path):
    async def key():
        return b"k" * 32

    async with writing(url, tmp_path, key) as log:
        await write(log, by=Who("Zoë Müller", "00u1zoe"))
    raw = (await latest(state, 5))[0]
    assert b"M\\u00fc" not in raw
    assert b"00u1zoe" not in raw
    assert line_of(raw).by["name"].startswith("#")


# ── What was done to it ─────────────────────────────────────────────────────────────────────────


@pytest.fixture
async def log(url, tmp_path, unnamed):
    """Two chains of five lines, A and B, each named by a checkpoint of the other; their writers in order of name."""
    async with writing(url, tmp_path) as one, writing(url, tmp_path) as other:
        first, second = sorted((one, other), key=lambda each: each.rows.writer)
        await write(first, 5)
        await write(second, 5)
        await second.rows.checkpoint()
        await first.rows.checkpoint()
        yield first.rows.writer, second.rows.writer


def rehashed(raw, old, new):
    """A line as somebody writes it anew who knows how the log is made."""
    said = raw[: raw.rindex(',"hash"')].replace(old, new)
    return f'{said},"hash":"{hash_of(said.encode())}"}}'


def damage(url, name, a, b):
    def line(writer, seq):
        return sql(url, "select line from decision_log where writer = %s and seq = %s", writer, seq)[0][0]

    def put(writer, seq, text):
        sql(url, "update decision_log set line = %s where writer = %s and seq = %s", text, writer, seq)

    match name:
        case "changed":
            put(a, 3, line(a, 3).replace("publish", "archive"))
        case "changed, with a new hash":
            put(a, 3, rehashed(line(a, 3), "publish", "archive"))
        case "the last one changed, with a new hash":
            sql(url, "delete from decision_log where writer = %s and seq = 6", b)
            put(b, 5, rehashed(line(b, 5), "publish", "archive"))
        case "overwritten":
            put(a, 3, "x" * 300)
        case "one removed":
            sql(url, "delete from decision_log where writer = %s and seq = 3", a)
        case "the first two removed":
            sql(url, "delete from decision_log where writer = %s and seq < 3", a)
        case "swapped":
            third, fourth = line(a, 3), line(a, 4)
            put(a, 3, fourth)
            put(a, 4, third)
        case "another's":
            put(a, 3, line(b, 3))
        case "put in at the end":
            sql(url, "insert into decision_log select writer, 7, at, tenant, line, put from decision_log where seq = 5")
        case "a later time beside it":
            sql(url, "update decision_log set at = at + 86400 where writer = %s and seq = 3", a)
        case "another key beside it":
            sql(url, "update decision_log set tenant = 'ffffffffffff' where writer = %s and seq = 3", a)
        case "the end of a chain cut off":
            sql(url, "delete from decision_log where writer = %s and seq > 3", b)
        case "a whole chain removed":
            sql(url, "delete from decision_log where writer = %s", b)


@pytest.mark.parametrize(
    ("name", "problems"),
    [
        ("untouched", []),
        ("changed", ["Line 3 of writer A was changed: its hash does not fit what it says."]),
        (
            "changed, with a new hash",
            ["Line 4 of writer A does not follow line 3: one of the two was changed or put in."],
        ),
        (
            "the last one changed, with a new hash",
            ["Lines 6 to 6 of writer B are missing: line 6 of writer A names line 6."],
        ),
        ("overwritten", ["Line 3 of writer A cannot be read: it was overwritten."]),
        ("one removed", ["Line 4 of writer A comes after lines that were removed, numbers 3 to 3."]),
        ("the first two removed", ["Line 3 of writer A comes after lines that were removed, numbers 1 to 2."]),
        (
            "swapped",
            [
                "Line 3 of writer A does not fit its row: one of the two was changed, or it was moved.",
                "Line 4 of writer A does not fit its row: one of the two was changed, or it was moved.",
                "Line 5 of writer A does not follow line 4: one of the two was changed or put in.",
            ],
        ),
        (
            "another's",
            [
                "Line 3 of writer A does not fit its row: one of the two was changed, or it was moved.",
                "Line 4 of writer A does not follow line 3: one of the two was changed or put in.",
            ],
        ),
        (
            "put in at the end",
            [
                "Line 7 of writer A does not fit its row: one of the two was changed, or it was moved.",
                "Line 7 of writer B does not fit its row: one of the two was changed, or it was moved.",
            ],
        ),
        (
            "a later time beside it",
            ["Line 3 of writer A does not fit its row: one of the two was changed, or it was moved."],
        ),
        (
            "another key beside it",
            ["Line 3 of writer A does not fit its row: one of the two was changed, or it was moved."],
        ),
        (
            "the end of a chain cut off",
            ["Lines 4 to 6 of writer B are missing: line 6 of writer A names line 6."],
        ),
        ("a whole chain removed", ["Lines 1 to 6 of writer B are missing: line 6 of writer A names line 6."]),
    ],
)
async def test_what_was_done_to_it_is_found_and_named_by_writer_and_line(url, state, log, name, problems):
    damage(url, name, *log)
    a, b = log
    named = [each.replace("writer A", f"writer {a}").replace("writer B", f"writer {b}") for each in problems]
    assert (await verify(state)).problems == named


async def test_a_chain_that_was_written_anew_shows_in_the_checkpoint_of_another(url, state, log, tmp_path):
    a, b = log
    sql(url, "delete from decision_log where writer = %s", b)
    async with writing(url, tmp_path) as forger:
        forger.rows.writer = b
        await write(forger, 6)
    [said] = (await verify(state)).problems
    assert said == f"Line 6 of writer {b} was written anew: line 6 of writer {a} names another."


async def test_what_was_cut_off_with_the_checkpoint_that_named_it_shows_only_with_a_head_that_was_noted(
    url, state, log
):
    a, b = log
    noted = (await verify(state)).head
    assert (await verify(state, noted[:12])).problems == []
    sql(url, "delete from decision_log where writer = %s and seq = 6 or writer = %s and seq > 3", a, b)
    assert (await verify(state)).problems == []
    assert noted in (await verify(state, noted)).problems[0]


async def test_whoever_writes_names_those_who_wrote_before_and_a_server_does_at_its_end(url, state, tmp_path):
    async with writing(url, tmp_path) as one:
        await write(one, 3)
    async with writing(url, tmp_path) as other:
        await write(other)
    heads = [line.said["heads"] for line in await in_order(state) if line.said["tool"] == "checkpoint"]
    assert list(heads[-1]) == [one.rows.writer]
    async with writing(url, tmp_path) as third:
        await write(third)
        await third.aclose()
    last = (await in_order(state))[-1]
    assert last.said["tool"] == "checkpoint"


async def test_a_forged_checkpoint_that_names_nonsense_breaks_no_check(url, state, log):
    a, _ = log
    heads = '"heads":{"x":7,"y":["a","b"],"z":[1,2],"w":null,"v":[1]}'
    raw = sql(url, "select line from decision_log where writer = %s and seq = 6", a)[0][0]
    start = raw.index('"heads"')
    forged = rehashed(raw, raw[start : raw.index(',"prev"')], heads)
    sql(url, "update decision_log set line = %s where writer = %s and seq = 6", forged, a)
    problems = (await verify(state)).problems
    assert problems == []


# ── A lost database ─────────────────────────────────────────────────────────────────────────────


class Stoppable:
    """A PostgreSQL server that can be stopped and started again."""

    def __init__(self, server):
        self._server, self.url, self._runs = server, server.database(), True

    def stop(self):
        self._runs = False
        self._server.run("pg_ctl", "-D", f"{self._server.folder}/data", "-m", "fast", "-w", "stop")

    def start(self):
        if self._runs:
            return
        self._runs, folder = True, self._server.folder
        options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
        self._server.run("pg_ctl", "-D", f"{folder}/data", "-w", "-l", f"{folder}/log", "-o", options, "start")


@pytest.fixture(scope="module")
def server():
    with postgresql_server() as made:
        yield Stoppable(made)


@pytest.fixture
def lost(server, unnamed):
    """A database that is there; stopped and started by the test, and emptied after it."""
    yield server
    server.start()
    sql(server.url, "truncate decision_log")


async def back(log):
    """Until the database takes lines again."""
    with anyio.fail_after(30):
        while True:
            try:
                await log.rows.reach()
                return
            except Exception:
                await anyio.sleep(0.1)


def spools(folder):
    return sorted(folder.glob("audit-spool-*.jsonl"))


async def test_lines_wait_in_a_private_file_until_the_database_is_back_and_are_then_there_once(lost, tmp_path):
    async with writing(lost.url, tmp_path) as log:
        await write(log, 2)
        lost.stop()
        for _ in range(3):
            await write(log, tool="get_session", waits=False)
        await log.check()
        [spool] = spools(tmp_path)
        assert len(spool.read_bytes().splitlines()) == 3
        assert spool.stat().st_mode & 0o777 == 0o600
        assert not log.waits
        lost.start()
        await back(log)
        await write(log)
        assert spools(tmp_path) == []
        state = log.rows.state
        tools = [line.said["tool"] for line in await in_order(state) if line.said["tool"] != "checkpoint"]
        assert tools == ["publish_interview"] * 2 + ["get_session"] * 3 + ["publish_interview"]
        assert (await verify(state)).problems == []


async def test_what_a_process_left_that_was_killed_is_stored_by_whoever_finds_it(lost, tmp_path):
    async with writing(lost.url, tmp_path) as log:
        await write(log)
        lost.stop()
        await write(log, 2, tool="get_session", waits=False)
        killed, log.rows.state.database._pool = log.rows.state.database._pool, None  # as if it had been
        await killed.close()
        log.rows._spool.close()
    [spool] = spools(tmp_path)
    kept = spool.read_bytes()
    lost.start()
    for _ in range(2):
        async with writing(lost.url, tmp_path) as other:
            await back(other)
            await write(other)
            assert spools(tmp_path) == []
            spool.write_bytes(kept + b'{"seq":4,"writer":"')  # stored, but the file was not yet gone; and a torn line
    async with writing(lost.url, tmp_path) as other:
        await write(other)
        assert (await verify(other.rows.state)).problems == []
        lines = await in_order(other.rows.state)
    assert [line.said["tool"] for line in lines].count("get_session") == 2


async def test_a_file_that_a_living_process_holds_is_left_to_it(lost, tmp_path):
    async with writing(lost.url, tmp_path) as log, writing(lost.url, tmp_path) as other:
        await write(log)
        lost.stop()
        await write(log, tool="get_session", waits=False)
        lost.start()
        await back(other)
        await write(other)
        assert len(spools(tmp_path)) == 1
        await back(log)
        await write(log)
        assert spools(tmp_path) == []
        assert (await verify(other.rows.state)).problems == []


async def test_a_file_that_somebody_deletes_meanwhile_is_written_again(lost, tmp_path):
    async with writing(lost.url, tmp_path) as log:
        await write(log)
        lost.stop()
        await write(log, tool="get_session", waits=False)
        spools(tmp_path)[0].unlink()
        await write(log, tool="get_session", waits=False)
        assert len(spools(tmp_path)[0].read_bytes().splitlines()) == 2
        lost.start()
        await back(log)
        await write(log)
        assert (await verify(log.rows.state))[::2] == (4, [])


async def test_where_neither_takes_a_line_nothing_is_shown_and_what_was_done_waits(lost, tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    async with writing(lost.url, folder) as log:
        await write(log)
        lost.stop()
        folder.rmdir()
        folder.write_text("a file in its place")
        log.rows._took_at = 0
        with pytest.raises(LogUnwritable, match=r"its database is lost, and the data folder takes nothing \(Not a dir"):
            await log.check()
        with pytest.raises(LogUnwritable):
            await write(log, tool="get_session", waits=False)
        await write(log, tool="archive_interview")
        assert log.waits
        lost.start()
        await back(log)
        await write(log)
        assert not log.waits
        lines = [line for line in await in_order(log.rows.state) if line.said["tool"] != "checkpoint"]
        assert [line.said["tool"] for line in lines] == ["publish_interview", "archive_interview", "publish_interview"]
        assert len({line.said["writer"] for line in lines}) == 2, "what may have been stored has no second end"
        assert (await verify(log.rows.state)).problems == []


async def test_a_full_disk_takes_whole_lines_or_none(lost, tmp_path, monkeypatch):
    async with writing(lost.url, tmp_path) as log:
        await write(log)
        lost.stop()
        await write(log, tool="get_session", waits=False)
        [spool] = spools(tmp_path)
        before, really = spool.read_bytes(), os.write
        monkeypatch.setattr(os, "write", lambda file, text: really(file, text[:20]))
        with pytest.raises(LogUnwritable, match="No space left"):
            await write(log, tool="get_session", waits=False)
        monkeypatch.undo()
        assert spool.read_bytes() == before
        lost.start()
        await back(log)
        await write(log)
        tools = [line.said["tool"] for line in await in_order(log.rows.state)]
        assert tools.count("get_session") == 1
        assert (await verify(log.rows.state)).problems == []
        assert json.loads(before)["tool"] == "get_session"
        assert Path(spool).exists() is False


async def test_what_candidates_said_is_shown_while_its_line_can_wait_and_else_not(world, agent, lost, tmp_path):
    made = await published(agent, [{"text": "Why queues?", "type": "OPEN_ENDED"}])
    async with world.browser() as browser:
        await answer(browser, await begin(browser, made["url"]), "They hold back what would drown us.")
    [row] = (await ok(agent, "list_sessions", interviewId=made["id"]))["data"]
    folder = tmp_path / "data"
    folder.mkdir()
    async with writing(lost.url, folder) as log:
        server = AuralServer(OneClient(world.client), backend="T.", confirm="never", audit=log)
        async with Client(server, read_timeout_seconds=30) as other:
            await ok(other, "get_session", sessionId=row["id"])
            lost.stop()
            await ok(other, "get_session", sessionId=row["id"])
            assert len(spools(folder)) == 1
            spools(folder)[0].unlink()
            folder.rmdir()
            said = await refused(other, "get_session", {"sessionId": row["id"]})
    assert "shows nothing. The decision log cannot be written: its database is lost" in said
    assert "bring the database of AURAL_STATE_URL back" in said
    assert "drown" not in said

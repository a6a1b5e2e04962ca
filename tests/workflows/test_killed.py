"""A process that is killed while it imports: the next one registers everybody once, and says what it does not know."""

import json
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing, suppress

import pytest

from conftest import ok
from processes import on_stdio, settings_for

PEOPLE = 1200
DATA = "\n".join(["name,email", *(f"Person {number},p{number}@x.org" for number in range(PEOPLE))])


def seen(folder):
    """How many are registered, claimed and noted as done, as another process sees it."""
    counts = []
    for file, query in (
        ("workspace.db", "select count(*) from candidates"),
        ("state.db", "select count(*) from journal where task like 'import %' and done like '%chunk%'"),
        ("state.db", "select count(*) from journal where task like 'import %' and done like '%\"done\"%'"),
    ):
        with closing(sqlite3.connect(f"file:{folder / file}?mode=ro", uri=True, timeout=5)) as db:
            counts.append(db.execute(query).fetchone()[0])
    return counts


POINTS = {
    "the first group is claimed": lambda rows, claimed, done: claimed >= 500,
    "the first group is there": lambda rows, claimed, done: rows >= 500,
    "the first group is noted": lambda rows, claimed, done: done >= 500,
    "the second group is claimed": lambda rows, claimed, done: claimed + done >= 1000,
    "the second group is there": lambda rows, claimed, done: rows >= 1000,
    "the last group is claimed": lambda rows, claimed, done: claimed + done >= PEOPLE,
    "everybody is there": lambda rows, claimed, done: rows >= PEOPLE,
}


def import_until(folder, interview, point):
    """Start a server, have it import, and kill it at the point."""
    command = [sys.executable, "-m", "aural_mcp"]
    process = subprocess.Popen(
        command, env=settings_for(folder), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    call = {"name": "import_candidates", "arguments": {"interviewId": interview, "data": DATA, "dryRun": False}}
    for message in (
        {"id": 1, "method": "initialize", "params": hello},
        {"method": "notifications/initialized"},
        {"id": 2, "method": "tools/call", "params": call},
    ):
        process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
    process.stdin.flush()
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with suppress(sqlite3.OperationalError):  # a file that is not there yet
            if point(*seen(folder)):
                break
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=30)
    process.stdin.close()
    return seen(folder)


def registered(folder):
    with closing(sqlite3.connect(folder / "workspace.db")) as db:
        return Counter(db.execute("select email from candidates").fetchall())


@pytest.mark.parametrize("name", POINTS)
async def test_everybody_is_registered_once_by_the_next_process_at_once(tmp_path, name):
    async with on_stdio(tmp_path, "auto") as agent:
        interview = (await ok(agent, "create_interview", title="Clerk"))["id"]
    rows, _, _ = import_until(tmp_path, interview, POINTS[name])
    async with on_stdio(tmp_path, "auto") as agent:
        result = await ok(agent, "import_candidates", interviewId=interview, data=DATA, dryRun=False)
        assert (result["registered"], result["alreadyRegistered"]) == (PEOPLE - rows, rows)
        assert (result.get("remaining", 0), result.get("uncertain", 0)) == (0, 0)
        again = await ok(agent, "import_candidates", interviewId=interview, data=DATA, dryRun=False)
        assert (again["registered"], again["alreadyRegistered"]) == (0, PEOPLE)
    everybody = registered(tmp_path)
    assert (len(everybody), set(everybody.values())) == (PEOPLE, {1})


async def test_killed_again_and_again_it_gets_there(tmp_path):
    async with on_stdio(tmp_path, "auto") as agent:
        interview = (await ok(agent, "create_interview", title="Clerk"))["id"]
    for name in ("the first group is claimed", "the second group is claimed", "the last group is claimed"):
        import_until(tmp_path, interview, POINTS[name])
    async with on_stdio(tmp_path, "auto") as agent:
        await ok(agent, "import_candidates", interviewId=interview, data=DATA, dryRun=False)
    everybody = registered(tmp_path)
    assert (len(everybody), set(everybody.values())) == (PEOPLE, {1})


async def test_a_live_process_that_is_at_it_is_waited_for(tmp_path):
    """What somebody else claimed a moment ago, and is not there, may be on its way: nobody sends it too."""
    async with on_stdio(tmp_path, "auto") as agent, on_stdio(tmp_path, "auto") as other:
        interview = (await ok(agent, "create_interview", title="Clerk"))["id"]
        await ok(other, "list_interviews")
        import_until(tmp_path, interview, POINTS["the first group is claimed"])
        rows = seen(tmp_path)[0]
        with closing(sqlite3.connect(tmp_path / "state.db")) as db, db:
            claims = db.execute("select item, done from journal where done like '%chunk%'").fetchall()
            living = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
            for item, done in claims:
                entry = {**json.loads(done), "pid": living.pid}
                db.execute("update journal set done = ? where item = ?", (json.dumps(entry), item))
        result = await ok(other, "import_candidates", interviewId=interview, data=DATA, dryRun=False)
        assert result["registered"] + result["alreadyRegistered"] + result.get("remaining", 0) == PEOPLE
        assert result.get("remaining", 0) == (500 if rows == 0 else 0)
        living.communicate(b"\n")
        result = await ok(agent, "import_candidates", interviewId=interview, data=DATA, dryRun=False)
        assert result.get("remaining", 0) == 0
    everybody = registered(tmp_path)
    assert (len(everybody), set(everybody.values())) == (PEOPLE, {1})

"""Several `aural-mcp watch` on one database share interviews, deliveries and budget; one that is killed is replaced."""

import json
import random
import re
import signal
import sys
import time
from collections import Counter
from contextlib import asynccontextmanager

import anyio
import httpx
import pytest
from sqlalchemy import delete, insert, select, update

from aural_mcp.api.operations import CreateInterview
from aural_mcp.backend.storage import tables
from aural_mcp.backend.storage.store import new_id, now
from aural_mcp.client.client import AuralClient
from aural_mcp.events import outbox, pacing, portions, sharing, watching
from aural_mcp.events.run import open_outbox
from aural_mcp.events.sharing import Lease
from aural_mcp.events.watching import Watcher
from conftest import DATABASES, KEY, ORIGIN
from processes import aural_mcp, settings_for
from receiver import SECRET, Receiver
from rows import add_session
from wires import listening

pytestmark = DATABASES
QUICK = """
from aural_mcp.events import pacing, sharing
sharing.LEASE, sharing.RENEW, pacing.EVERY = 3.0, 0.3, 0.5
sharing._is_gone = lambda place: False  # as if each were on a computer of its own
from aural_mcp.cli.main import main
main()
"""
"""`aural-mcp` in a hurry."""


@pytest.fixture
def out_url(request, database, tmp_path):
    """Where an outbox is kept, beside the backend's database."""
    if database.startswith("sqlite"):
        return f"sqlite:///{tmp_path / 'events.db'}"
    return request.getfixturevalue("postgresql").database()


@pytest.fixture
def out(out_url):
    made = open_outbox(out_url, to_watch=True)
    with made.writing() as db:
        outbox.add_endpoint(db, "ep", "https://hooks.example/", secret=None, allow=(), now=0)
    yield made
    made.close()


async def interviews(world, count):
    """The ids of so many interviews, in the order of their list; all were changed at another time."""
    await world.client.call(CreateInterview(title="T"))
    with world.store.writing() as db:
        one = dict(db.execute(select(tables.interviews)).mappings().one())
        rows = [
            {
                **one,
                "id": new_id(),
                "publicSlug": new_id(),
                "updatedAt": f"2026-01-01T00:{n // 60:02}:{n % 60:02}+00:00",
            }
            for n in range(count)
        ]
        db.execute(delete(tables.interviews))
        db.execute(insert(tables.interviews), rows)
    return [row["id"] for row in reversed(rows)]


def finish(world, session):
    with world.store.writing() as db:
        mine = tables.sessions.c.id == session
        db.execute(update(tables.sessions).where(mine).values(status="COMPLETED", updatedAt=now()))


def told(out):
    """Type and session of every event."""
    with out.reading() as db:
        found = [json.loads(each) for each in db.execute(select(outbox.events.c.payload)).scalars()]
    return sorted((each["type"], each["data"]["sessionId"]) for each in found)


def held_by(out):
    """How many interviews each process holds."""
    with out.reading() as db:
        found = db.execute(select(outbox.watched.c.id, outbox.watched.c.holder)).all()
    return sorted(Counter(row.holder for row in found if row.holder and row.id != portions.LIST).values())


async def until(is_so):
    with anyio.fail_after(90):
        while not is_so():
            await anyio.sleep(0.05)


# ── As processes ────────────────────────────────────────────────────────────────────────────────


@asynccontextmanager
async def serving(world):
    """The backend on a port of this computer."""
    async with listening(world.app) as port:
        yield f"http://127.0.0.1:{port}/api/v1"


@asynccontextmanager
async def team(folder, base_url, url, receiver):
    """Begins a process that watches, each time it is called; all end with the block."""
    (folder / "secret").write_text(SECRET)
    to = ["--webhook", receiver.url, "--secret-file", folder / "secret", "--allow", "127.0.0.0/8", "--database", url]
    begun = []

    async def begin():
        home = folder / f"home {len(begun)}"
        home.mkdir()
        more = {"AURAL_API_KEY": KEY, "AURAL_BASE_URL": base_url, "AURAL_REQUESTS_PER_MINUTE": "0"}
        command = [sys.executable, "-c", QUICK, "watch", *to]
        begun.append(await anyio.open_process(command, env=settings_for(home, **more), stderr=None))
        return begun[-1]

    try:
        yield begin
    finally:
        for each in begun:
            if each.returncode is None:
                each.kill()
            await each.wait()


async def test_processes_share_the_interviews_and_those_of_one_that_is_killed_go_to_the_others(
    world, out, out_url, tmp_path
):
    made, draw = await interviews(world, 12), random.Random(7)
    sessions = [add_session(world, each, status="IN_PROGRESS") for each in made for _ in range(2)]
    async with (
        serving(world) as base_url,
        Receiver(SECRET).listening() as receiver,
        team(tmp_path, base_url, out_url, receiver) as begin,
    ):
        alive = [await begin(), await begin()]
        await until(lambda: are_shared(out) and have_been_looked_at(out))
        said = aural_mcp(tmp_path, "watch", "status", "--database", out_url)[1]
        draw.shuffle(sessions)
        for some in (sessions[:8], sessions[8:16], sessions[16:]):
            for session in some:
                finish(world, session)
                await anyio.sleep(draw.uniform(0, 0.2))
            alive.pop(draw.randrange(2)).send_signal(signal.SIGKILL)
            alive.append(await begin())
        await until(lambda: len(told(out)) == len(sessions) == len(receiver.accepted))
        await until(lambda: are_shared(out))
        for each in alive:
            each.send_signal(signal.SIGTERM)
        assert [await each.wait() for each in alive] == [0, 0]
    assert told(out) == sorted(("session.completed", each) for each in sessions)
    assert sorted(each["data"]["sessionId"] for each in receiver.payloads) == sorted(sessions)
    assert (receiver.unsigned, receiver.changed, held_by(out)) == (0, 0, [])
    assert re.search(
        r"2 processes at work: \w{6} follows [567], \w{6} follows [567]\.\n12 interviews, 1\d of them", said
    )


def are_shared(out):
    """Whether two hold twelve interviews between them, about as many each, as one reads their list, too."""
    held = held_by(out)
    return len(held) == 2 and sum(held) == 12 and min(held) >= 5


def have_been_looked_at(out):
    """Whether nothing of what is there is from before the first look any more."""
    with out.reading() as db:
        found = db.execute(select(outbox.seen.c.looks).where(outbox.seen.c.kind == "interview")).scalars().all()
    return len(found) == 12 and all(each["sessions"] is True for each in found)


# ── Written once ────────────────────────────────────────────────────────────────────────────────


class Wire(httpx.ASGITransport):
    """A wire that notes what was asked and when, and lets something happen before the answer of a kind comes back."""

    def __init__(self, app):
        super().__init__(app)
        self.asked, self.at, self.before, self.strips = [], [], None, b""

    async def handle_async_request(self, request):
        self.asked.append(request.url.path.removeprefix("/api/v1/interviews"))
        self.at.append(time.monotonic())
        response = await super().handle_async_request(request)
        if self.strips:
            response = httpx.Response(200, content=(await response.aread()).replace(self.strips, b'"_other":'))
        if self.before and request.url.path.endswith("/sessions"):
            before, self.before = self.before, None
            await before()
        return response


def on(world, out, limit=0, **more):
    """A watcher with a lease of its own, and its wire."""
    wire = Wire(world.app)
    client = AuralClient(KEY, f"{ORIGIN}/api/v1", requests_per_minute=0, transport=wire)
    return Watcher(client, out, Lease(out, "watch"), ["ep"], requests_per_minute=limit, **more), wire


async def test_a_look_that_another_process_overtook_is_not_written_down(world, out):
    (one,) = await interviews(world, 1)
    session = add_session(world, one, status="IN_PROGRESS")
    (slow, wire), (quick, _) = on(world, out), on(world, out)
    await slow.round()

    async def overtaken():
        """The first is taken for dead in the middle of its look, at what had not happened yet."""
        with out.writing() as db:
            db.execute(delete(outbox.processes))
        finish(world, session)
        await quick.round()

    wire.before = overtaken
    await slow.round()
    assert told(out) == [("session.completed", session)]
    with out.reading() as db:
        looks = db.execute(select(outbox.seen.c.looks).where(outbox.seen.c.id == session)).scalar()
    assert looks["status"] == "COMPLETED"
    await quick.round()
    assert told(out) == [("session.completed", session)]


async def test_who_begins_in_the_middle_of_a_look_keeps_the_interview_active(world, out):
    (one,) = await interviews(world, 1)
    add_session(world, one, status="COMPLETED", insights=[1])
    looks, wire = on(world, out)
    await looks.round()

    async def begins():
        """And another process reads the list, which says so."""
        add_session(world, one, status="IN_PROGRESS")
        with out.writing() as db:
            portions.recount(db, {one: 2})

    wire.before = begins
    await looks.round()
    with out.reading() as db:
        assert portions.load(db, looks._lease.name, 1.0).active == 1


async def test_who_was_suspended_takes_part_again(world, out, monkeypatch):
    monkeypatch.setattr(sharing, "RENEW", 0.0)
    monkeypatch.setattr(watching, "RENEW", 0.0)
    await interviews(world, 4)
    (one, _), (other, _) = on(world, out), on(world, out)
    await one.round()
    with out.writing() as db:
        db.execute(delete(outbox.processes))
    await other.round()
    assert held_by(out) == [4]
    for _ in range(2):
        await one.round()
        await other.round()
    assert held_by(out) == [2, 2]


# ── What it costs ───────────────────────────────────────────────────────────────────────────────


async def test_two_processes_together_use_half_of_the_minute(world, out, monkeypatch):
    for module in (pacing, watching):
        monkeypatch.setattr(module, "MINUTE", 3.0)
        monkeypatch.setattr(module, "EVERY", 0.5)
    monkeypatch.setattr(sharing, "RENEW", 0.1)
    monkeypatch.setattr(watching, "RENEW", 0.1)
    await interviews(world, 30)
    pairs = [on(world, out, 60) for _ in range(2)]
    for each, _ in pairs:
        await each.keep()

    async def look(each):
        while True:
            await each.round()

    async with anyio.create_task_group() as tasks:
        for each, _ in pairs:
            tasks.start_soon(look, each)
        await until(lambda: all(len(wire.at) > 20 for _, wire in pairs))
        tasks.cancel_scope.cancel()
    at = sorted(moment for _, wire in pairs for moment in wire.at)
    assert max(sum(first <= each < first + 3 for each in at) for first in at) <= 31


async def test_only_one_process_reads_the_list_and_only_its_beginning_and_a_page(world, out, monkeypatch):
    for module in (pacing, watching):
        monkeypatch.setattr(module, "EVERY", 0.2)
    monkeypatch.setattr(watching, "RENEW", 1_000.0)
    made = await interviews(world, 210)
    (one, wire), (other, beside) = on(world, out), on(world, out)
    await one.begin()
    assert wire.asked == ["", "", ""]
    await other.round()
    assert "" not in beside.asked
    session = add_session(world, made[-1], status="IN_PROGRESS")
    with world.store.writing() as db:
        db.execute(delete(tables.interviews).where(tables.interviews.c.id == made[120]))
    for _ in range(3):
        before = wire.asked.count("")
        await one.round()
        assert wire.asked.count("") - before == 2
        await other.round()
    with out.reading() as db:
        there = portions.known(db).keys() - {portions.LIST}
    assert there == set(made) - {made[120]}
    assert told(out) == [("session.started", session)]


async def test_an_interview_that_moves_while_the_list_is_read_in_parts_takes_no_other_with_it(world, out, monkeypatch):
    for module in (pacing, watching):
        monkeypatch.setattr(module, "EVERY", 0.2)
    made = await interviews(world, 210)
    looks, _ = on(world, out)
    await looks.begin()
    await looks.round()
    with world.store.writing() as db:  # from the row on which the list is gone on with
        mine = tables.interviews.c.id == looks._walk.cursor
        db.execute(update(tables.interviews).where(mine).values(updatedAt=now()))
    for _ in range(4):
        await looks.round()
        with out.reading() as db:
            assert portions.known(db).keys() == {portions.LIST, *made}


async def test_a_backend_that_does_not_count_sessions_is_looked_at_all_the_same(world, out):
    (one,) = await interviews(world, 1)
    looks, wire = on(world, out)
    wire.strips = b'"_count":'
    await looks.round()
    session = add_session(world, one, status="IN_PROGRESS")
    await looks.round()
    assert told(out) == [("session.started", session)]


async def test_an_interview_without_sessions_is_not_asked_for_any(world, out):
    (one,) = await interviews(world, 1)
    looks, wire = on(world, out)
    await looks.round()
    assert set(wire.asked) == {"", f"/{one}/candidates"}
    add_session(world, one, status="COMPLETED", insights=[1])
    for _ in range(2):
        await looks.round()
    assert wire.asked.count(f"/{one}/sessions") == 2

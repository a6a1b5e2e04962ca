"""Watching a backend that does not say: each thing is told once, also across kills, and within the budget."""

import json
import time
from datetime import UTC, datetime
from email.utils import formatdate

import httpx
import pytest
from sqlalchemy import delete, insert, select, update

from aural_mcp.api.errors import NotFound
from aural_mcp.backend.interview.sessions import complete
from aural_mcp.backend.storage import tables
from aural_mcp.backend.storage.store import new_id, now
from aural_mcp.client.client import AuralClient
from aural_mcp.events import outbox, run
from aural_mcp.events.outbox import seen
from aural_mcp.events.run import open_outbox
from aural_mcp.events.sharing import Lease
from aural_mcp.events.watching import Watcher
from conftest import DATABASES, KEY, ORIGIN, ok
from rows import add_session

pytestmark = DATABASES


@pytest.fixture
def out(request, database, tmp_path):
    """An outbox beside the backend's database, with one endpoint."""
    if database.startswith("sqlite"):
        url = f"sqlite:///{tmp_path / 'events.db'}"
    else:
        url = request.getfixturevalue("postgresql").database()
    made = open_outbox(url, to_watch=True)
    with made.writing() as db:
        outbox.add_endpoint(db, "ep", "https://hooks.example/", secret=None, allow=(), now=0)
    yield made
    made.close()


@pytest.fixture
async def interview(agent):
    return (await ok(agent, "create_interview", title="T"))["id"]


def told(out):
    """What was noted: type and the session's or candidate's id; each id of an event is there once by its key."""
    with out.reading() as db:
        found = [json.loads(each) for each in db.execute(select(outbox.events.c.payload)).scalars()]
    return sorted((each["type"], each["data"].get("sessionId") or each["data"]["candidateId"]) for each in found)


def change(world, session, **changes):
    with world.store.writing() as db:
        db.execute(update(tables.sessions).where(tables.sessions.c.id == session).values(**changes, updatedAt=now()))


def watcher(world, out, **more):
    """One that goes on when those before it were killed."""
    with out.writing() as db:
        db.execute(delete(outbox.processes))
    return beside(world.client, out, **more)


def beside(client, out, **more):
    """One that works beside those that there are."""
    return Watcher(client, out, Lease(out, "watch"), ["ep"], **{"requests_per_minute": 0, **more})


async def test_what_was_there_before_is_not_told_and_everything_after_is_told_once(agent, world, out, interview):
    old = add_session(world, interview, status="IN_PROGRESS")
    add_session(world, interview, status="COMPLETED")
    looks = watcher(world, out)
    await looks.round()
    assert told(out) == []
    change(world, old, status="COMPLETED")
    new = add_session(world, interview, status="IN_PROGRESS")
    people = [{"name": "Ann"}]
    ann = (await ok(agent, "create_candidates", interviewId=interview, candidates=people))["data"][0]["id"]
    for _ in range(3):
        await looks.round()
    expected = [("session.completed", old), ("session.started", new), ("candidate.registered", ann)]
    assert told(out) == sorted(expected)
    change(world, new, status="ABANDONED")
    change(world, old, insights={"keyInsights": []})
    await watcher(world, out).round()  # another process goes on where that one stopped
    change(world, new, status="IN_PROGRESS")
    await watcher(world, out).round()
    change(world, new, status="ABANDONED")
    await watcher(world, out).round()
    expected += [("session.scored", old), ("session.abandoned", new), ("session.abandoned", new)]
    assert told(out) == sorted(expected)


async def test_the_payload_is_that_of_the_embedded_backend(agent, world, out, interview):
    await watcher(world, out).round()
    people = [{"name": "Ann"}]
    ann = (await ok(agent, "create_candidates", interviewId=interview, candidates=people))["data"][0]["id"]
    session = add_session(world, interview, status="IN_PROGRESS", participantName="Ann")
    with world.store.writing() as db:
        mine = tables.candidates.c.id == ann
        db.execute(update(tables.candidates).where(mine).values(sessionId=session))
    await watcher(world, out).round()
    with world.store.writing() as db:
        row = db.execute(select(tables.sessions).where(tables.sessions.c.id == session)).mappings().one()
        done = complete(db, dict(row))
    await watcher(world, out).round()
    with out.reading() as db:
        payload = db.execute(select(outbox.events.c.payload).where(outbox.events.c.type == outbox.COMPLETED)).scalar()
    data = {"interviewId": interview, "sessionId": session, "candidateId": ann, "status": "COMPLETED"}
    at = done["completedAt"]
    assert json.loads(payload) == {"type": "session.completed", "timestamp": at, "data": data | {"at": at}}


async def test_since_beginning_tells_what_was_there_before(agent, world, out, interview):
    session = add_session(world, interview, status="COMPLETED", insights=[{"name": "x"}])
    for _ in range(2):
        await watcher(world, out, since_beginning=True).round()
    assert told(out) == [(f"session.{what}", session) for what in ("completed", "scored", "started")]


async def test_an_interview_that_is_made_later_has_no_past(agent, world, out, interview):
    looks = watcher(world, out)
    await looks.round()
    later = (await ok(agent, "create_interview", title="Later"))["id"]
    one = add_session(world, later, status="COMPLETED")
    await looks.round()
    while_nobody_looked = (await ok(agent, "create_interview", title="Between"))["id"]
    two = add_session(world, while_nobody_looked, status="IN_PROGRESS")
    await watcher(world, out).round()
    expected = [("session.completed", one), ("session.started", one), ("session.started", two)]
    assert told(out) == sorted(expected)


async def test_only_the_interviews_that_are_named_are_watched(agent, world, out, interview):
    other = (await ok(agent, "create_interview", title="Other"))["id"]
    looks = watcher(world, out, only=[interview])
    await looks.round()
    add_session(world, other, status="IN_PROGRESS")
    mine = add_session(world, interview, status="IN_PROGRESS")
    await looks.round()
    assert told(out) == [("session.started", mine)]
    with pytest.raises(NotFound):
        await watcher(world, out, only=["5d3c7b7e-0000-4000-8000-000000000000"]).begin()


async def test_an_open_session_far_down_the_list_is_still_heard_of_and_one_that_is_deleted_is_let_go(
    world, out, interview
):
    moment = "2026-01-01T00:00:00+00:00"
    first, gone = (add_session(world, interview, status="IN_PROGRESS") for _ in range(2))
    for each in (first, gone):
        change(world, each, createdAt=moment)
    for _ in range(120):
        add_session(world, interview, status="COMPLETED", insights=[1])
    looks = watcher(world, out)
    await looks.round()
    change(world, first, status="COMPLETED")
    await looks.round()
    assert told(out) == [("session.completed", first)]
    with world.store.writing() as db:
        db.execute(delete(tables.sessions).where(tables.sessions.c.id == gone))
    await looks.round()
    with out.reading() as db:
        assert db.execute(select(seen.c.looks).where(seen.c.id == gone)).scalar()["status"] == "GONE"


async def test_a_crash_before_it_is_written_down_loses_and_doubles_nothing(world, out, interview, monkeypatch):
    await watcher(world, out).round()
    session = add_session(world, interview, status="COMPLETED")
    with monkeypatch.context() as patched:
        patched.setattr(outbox, "note", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            await watcher(world, out).round()
    assert told(out) == []
    await watcher(world, out).round()
    assert told(out) == [("session.completed", session), ("session.started", session)]


async def test_an_interview_that_cannot_be_read_does_not_hold_up_the_others(agent, world, out, interview, caplog):
    gone = (await ok(agent, "create_interview", title="Gone"))["id"]
    session = add_session(world, interview, status="IN_PROGRESS")
    looks = watcher(world, out, only=[gone, interview])
    await looks.round()
    with world.store.writing() as db:
        db.execute(delete(tables.interviews).where(tables.interviews.c.id == gone))
    change(world, session, status="COMPLETED")
    for _ in range(3):
        await looks.round()
    assert ("session.completed", session) in told(out)
    assert caplog.text.count("cannot be read") == 1


async def test_a_backend_that_is_down_is_asked_less_often_and_what_happened_meanwhile_is_told(world, out, interview):
    await watcher(world, out).round()

    class Down(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request):
            raise httpx.ConnectError("down")

    client = AuralClient(KEY, f"{ORIGIN}/api/v1", requests_per_minute=0, transport=Down())
    looks = watcher(world, out)
    await looks.begin()
    working, looks._client = looks._client, client
    pauses = [await looks.round() for _ in range(3)]
    assert 10 < pauses[0] < pauses[1] < pauses[2]
    session = add_session(world, interview, status="IN_PROGRESS")
    looks._client = working
    await looks.round()
    assert told(out) == [("session.started", session)]


def test_a_backends_own_database_is_refused(world, database):
    with pytest.raises(run.CannotOpen, match="backend webhooks add"):
        open_outbox(database, to_watch=True)
    assert open_outbox(database)


# ── What happens while it starts ────────────────────────────────────────────────────────────────


async def test_what_began_after_it_started_is_told_though_its_interview_is_looked_at_later(agent, world, out):
    made = [(await ok(agent, "create_interview", title=f"T {number}"))["id"] for number in range(64)]
    old = [add_session(world, each, status="IN_PROGRESS") for each in made]
    done = add_session(world, made[5], status="COMPLETED", insights=[1])
    await ok(agent, "create_candidates", interviewId=made[7], candidates=[{"name": "Before"}])
    looks = watcher(world, out)
    await looks.begin()
    new = [add_session(world, each, status="IN_PROGRESS") for each in made[::9]]
    over = add_session(world, made[1], status="COMPLETED", insights={"questionEvaluations": []})
    people = [{"name": "Ann"}, {"name": "Bo"}]
    invited = (await ok(agent, "create_candidates", interviewId=made[7], candidates=people))["data"]
    change(world, old[2], status="COMPLETED", totalDurationSeconds=0)
    change(world, old[3], status="COMPLETED", totalDurationSeconds=1800, insights=[1])
    change(world, done, insights=[2])
    await looks.round()
    expected = [("session.started", each) for each in [*new, over]]
    expected += [(f"session.{what}", over) for what in ("completed", "scored")]
    expected += [
        ("session.completed", old[2]),
        ("session.completed", old[3]),
        ("session.scored", old[3]),
        ("session.scored", done),
    ]
    expected += [("candidate.registered", each["id"]) for each in invited]
    assert told(out) == sorted(expected)


async def test_a_second_start_goes_on_where_the_first_stopped_before_its_first_look(agent, world, out, interview):
    before = add_session(world, interview, status="IN_PROGRESS")
    await watcher(world, out).begin()  # and no more: the power was cut
    between = add_session(world, interview, status="IN_PROGRESS")
    people = [{"name": "Ann"}]
    ann = (await ok(agent, "create_candidates", interviewId=interview, candidates=people))["data"][0]["id"]
    again = watcher(world, out)
    await again.begin()
    after = add_session(world, interview, status="IN_PROGRESS")
    await again.round()
    await watcher(world, out).round()
    expected = [("session.started", between), ("session.started", after), ("candidate.registered", ann)]
    assert told(out) == sorted(expected)
    assert before not in str(told(out))


@pytest.mark.parametrize("ahead", [-7_200, -90, -3, 3, 90, 7_200])
async def test_after_is_meant_by_the_clock_of_the_backend(agent, world, out, interview, ahead):
    class Ahead(httpx.ASGITransport):
        async def handle_async_request(self, request):
            response = await super().handle_async_request(request)
            response.headers["date"] = formatdate(time.time() + ahead, usegmt=True)
            return response

    def stamp(seconds):
        return datetime.fromtimestamp(time.time() + ahead + seconds, UTC).isoformat()

    old = add_session(world, interview, status="IN_PROGRESS", createdAt=stamp(-5), updatedAt=stamp(-5))
    client = AuralClient(KEY, f"{ORIGIN}/api/v1", requests_per_minute=0, transport=Ahead(world.app))
    looks = beside(client, out)
    await looks.begin()
    new = add_session(world, interview, status="IN_PROGRESS", createdAt=stamp(0.5), updatedAt=stamp(0.5))
    await looks.round()
    assert told(out) == [("session.started", new)]
    assert old not in str(told(out))


async def test_a_named_interview_and_one_made_meanwhile_are_no_exception(agent, world, out, interview):
    other = (await ok(agent, "create_interview", title="Other"))["id"]
    add_session(world, other, status="IN_PROGRESS")
    named = watcher(world, out, only=[interview])
    await named.begin()
    mine = add_session(world, interview, status="IN_PROGRESS")
    await named.round()
    rest = watcher(world, out)
    await rest.begin()
    later = add_session(world, other, status="IN_PROGRESS")
    made = (await ok(agent, "create_interview", title="Made meanwhile"))["id"]
    newest = add_session(world, made, status="IN_PROGRESS")
    for _ in range(2):
        await rest.round()
    assert told(out) == sorted(("session.started", each) for each in (mine, later, newest))


async def test_what_cannot_be_read_as_a_time_or_was_noted_by_an_earlier_version_has_no_past(world, out, interview):
    looks = watcher(world, out)
    await looks.begin()
    add_session(world, interview, status="IN_PROGRESS", createdAt="2026-01-01T00:00:00+00:00", updatedAt=now())
    with out.writing() as db:
        mine = seen.c.kind == "interview"
        db.execute(update(seen).where(mine).values(looks={"sessions": False, "candidates": False}))
    add_session(world, interview, status="COMPLETED")
    await looks.round()
    assert told(out) == []


async def test_a_thousand_candidates_are_said_once_to_be_perhaps_more(agent, world, out, interview, caplog):
    row = {"interviewId": interview, "name": "P", "createdAt": now(), "updatedAt": now()}
    with world.store.writing() as db:
        many = [{**row, "id": new_id(), "inviteToken": new_id()} for _ in range(1_000)]
        db.execute(insert(tables.candidates), many)
    looks = watcher(world, out)
    for _ in range(3):
        await looks.round()
    assert caplog.text.count("Aural shows only the newest 1,000") == 1

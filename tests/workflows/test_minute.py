"""One minute of one key: what the workflows cost, when they go on, and what is asked for only once."""

import itertools
import re
import time
from collections import Counter

import anyio
import httpx
import pytest
from mcp import Client
from sqlalchemy import delete, insert, update

from aural_mcp.api.models import Counts, Message, Session, SessionSummary
from aural_mcp.backend.rest.app import create_app
from aural_mcp.backend.storage import tables
from aural_mcp.backend.storage.store import create_key, new_id, now, owner, revoke_key
from aural_mcp.client import transcripts
from aural_mcp.client.client import AuralClient, Spent
from aural_mcp.client.state import State
from aural_mcp.client.transcripts import Transcripts
from aural_mcp.privacy.exposure import Exposure, Guarded, Memory
from aural_mcp.server.principal import OneClient
from aural_mcp.server.server import AuralServer
from aural_mcp.workflows.searching import SearchTranscripts, search_transcripts
from conftest import KEY, ORIGIN, ok, refused, text_of
from rows import add_session
from scored import QUESTIONS, even, interview_with, sit
from wires import counting

QUESTION = [{"text": "What did you build last, and how did you measure it?"}]
WHEN = r"call again in (\d+) s"


@pytest.fixture
async def reader(world):
    async with Client(world.server) as connected:
        yield connected


class Counting(httpx.ASGITransport):
    """Counts what came back; `refuse` answers in the backend's place."""

    def __init__(self, app, refuse=lambda path: None):
        super().__init__(app)
        self.statuses, self.paths, self._refuse = Counter(), [], refuse

    async def handle_async_request(self, request):
        response = self._refuse(request.url.path) or await super().handle_async_request(request)
        self.statuses[response.status_code] += 1
        self.paths.append(request.url.path)
        return response


class Minute:
    """A client of a workspace with a budget, whose past requests can be made to lie further back."""

    def __init__(self, world, per_minute=60, **more):
        self.wire, self.state, self._numbers = Counting(world.app, **more), State(), itertools.count(1)
        self.client = AuralClient(
            KEY, f"{ORIGIN}/api/v1", requests_per_minute=per_minute, transport=self.wire, state=self.state
        )
        self.server = AuralServer(OneClient(self.client), backend="T.", confirm="never")

    async def pass_by(self, seconds):
        await self.state.change("update grants set at = at - ?", (seconds,))
        await self.state.change("update pauses set until = until - ?", (seconds,))

    async def use_up(self, number, seconds_ago=0.0):
        """So many requests were sent by somebody else with this key."""
        rows = [(self.client.tenant, next(self._numbers), time.time() - seconds_ago) for _ in range(number)]
        async with self.state.changing() as db:
            await db.many("insert into grants (tenant, id, at, ended) values (?, ?, ?, 1)", rows)


async def scored(agent, world, number):
    interview = await interview_with(agent)
    rows = [{"question": text, "score": 7, "evidence": [2 * at + 2]} for at, text in enumerate(QUESTIONS)]
    evidence = {**even(7), "questionEvaluations": rows}
    return interview, [sit(world, interview, f"Person {each}", evidence) for each in range(number)]


# ── What it costs ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("exposure", "most"), [(Exposure(), 31), (Exposure(blind=True), 32)])
async def test_comparing_searching_exporting_25_and_searching_again_fits_into_one_minute(reader, world, exposure, most):
    interview, _ = await scored(reader, world, 25)
    key = create_key(world.store, owner(world.store).user_id, "K")
    wire = Counting(create_app(world.store, origin=lambda: ORIGIN, requests_per_minute=60))
    client = AuralClient(key, f"{ORIGIN}/api/v1", requests_per_minute=60, transport=wire)
    async with Client(AuralServer(OneClient(client), backend="T.", exposure=exposure)) as agent:
        given, said = {"interviewId": interview}, []
        said.append(await ok(agent, "compare_candidates", **given, quotes=True))
        said.append(await ok(agent, "search_transcripts", **given, query='"build last"', speaker="anyone"))
        said.append(await ok(agent, "export_results", **given))
        said.append(await ok(agent, "search_transcripts", **given, query="trade-off", speaker="anyone"))
    assert (wire.statuses.keys(), wire.statuses.total() <= most) == ({200}, True)
    assert len(said[0]["candidates"]) == 25
    assert all(each["quotes"] for each in said[0]["candidates"])
    assert (said[1]["sessionsRead"], said[3]["sessionsRead"]) == (25, 25)
    assert (said[2]["sessions"], said[2].get("notRead", [])) == (25, [])
    assert "remain" not in str([each.get("remarks") for each in said])


@pytest.mark.parametrize(
    ("again", "costs"),
    [
        (("search_transcripts", {"query": "disk"}), 1),
        (("search_transcripts", {"query": '"the queue"', "speaker": "anyone"}), 1),
        (("compare_candidates", {"quotes": True}), 2),
        (("export_results", {"format": "json"}), 2),
        (("export_results", {"format": "csv"}), 2),
    ],
)
async def test_what_was_read_once_costs_a_list_from_then_on(reader, world, again, costs):
    interview, _ = await scored(reader, world, 5)
    seen = []
    async with Client(AuralServer(OneClient(counting(world, seen)), backend="T.")) as agent:
        await ok(agent, "search_transcripts", interviewId=interview, query="queue")
        assert len(seen) == 6
        seen.clear()
        await ok(agent, again[0], interviewId=interview, **again[1])
    assert len(seen) == costs


async def reads_of(agent, seen, interview, query="queue"):
    """Which sessions a search asks for, and in how many it finds the words."""
    seen.clear()
    found = await ok(agent, "search_transcripts", interviewId=interview, query=query)
    return [each.rpartition("/")[2] for each in seen[1:]], len(found["data"])


async def test_only_what_cannot_change_any_more_is_kept(reader, world):
    interview = (await ok(reader, "create_interview", title="T"))["id"]
    turns = ["Q", "A queue"]
    states = ("COMPLETED", "IN_PROGRESS", "ABANDONED")
    done, going_on, gave_up = (add_session(world, interview, turns, status=each) for each in states)
    seen = []
    async with Client(AuralServer(OneClient(counting(world, seen)), backend="T.")) as agent:
        assert (await reads_of(agent, seen, interview))[1] == 3
        assert (await reads_of(agent, seen, interview))[0] == [gave_up, going_on]
        change(world, gave_up, status="IN_PROGRESS")  # opened again
        say(world, gave_up, "Another queue")
        assert await reads_of(agent, seen, interview) == ([gave_up, going_on], 4)
        change(world, gave_up, status="COMPLETED")
        assert (await reads_of(agent, seen, interview))[0] == [gave_up, going_on]
        assert (await reads_of(agent, seen, interview))[0] == [going_on]
        change(world, done, summary="Corrected.")
        assert (await reads_of(agent, seen, interview))[0] == [going_on, done]
        say(world, done, "A queue that was stored late")
        assert (await reads_of(agent, seen, interview)) == ([going_on, done], 5)
        with world.store.writing() as db:
            db.execute(delete(tables.messages).where(tables.messages.c.sessionId == done))
            db.execute(delete(tables.sessions).where(tables.sessions.c.id == done))
        assert (await reads_of(agent, seen, interview)) == ([going_on], 3)


def change(world, session, **fields):
    with world.store.writing() as db:
        row = tables.sessions.c.id == session
        db.execute(update(tables.sessions).where(row).values(updatedAt=now(), **fields))


def say(world, session, text):
    with world.store.writing() as db:
        said = {"id": new_id(), "sessionId": session, "role": "USER", "content": text, "timestamp": now()}
        db.execute(insert(tables.messages).values(said))


async def test_an_analysis_that_came_later_is_the_one_that_counts_whether_the_time_moved_or_not(reader, world):
    interview = await interview_with(reader)
    late, later = (sit(world, interview, name, None) for name in ("Ann", "Bo"))
    seen = []
    async with Client(AuralServer(OneClient(counting(world, seen)), backend="T.")) as agent:
        before = await ok(agent, "compare_candidates", interviewId=interview, quotes=True)
        assert {each.get("mean") for each in before["candidates"]} == {None}
        change(world, late, insights=even(8))
        with world.store.writing() as db:
            row = tables.sessions.c.id == later
            db.execute(update(tables.sessions).where(row).values(insights=even(6)))
        seen.clear()
        after = await ok(agent, "compare_candidates", interviewId=interview, quotes=True)
    assert {each["name"]: each["mean"] for each in after["candidates"]} == {"Ann": 8, "Bo": 6}
    assert seen[2:] == [f"GET /api/v1/sessions/{late}"]


# ── Whose it is ─────────────────────────────────────────────────────────────────────────────────


async def test_a_key_that_no_longer_works_is_shown_nothing_that_was_kept(reader, world):
    interview, _ = await scored(reader, world, 3)
    key = create_key(world.store, owner(world.store).user_id, "K")
    client = AuralClient(key, f"{ORIGIN}/api/v1", requests_per_minute=0, transport=httpx.ASGITransport(world.app))
    async with Client(AuralServer(OneClient(client), backend="T.")) as agent:
        given = {"interviewId": interview, "query": "queue"}
        assert (await ok(agent, "search_transcripts", **given))["sessionsRead"] == 3
        with world.store.reading() as db:
            row = db.execute(tables.api_keys.select().where(tables.api_keys.c.name == "K")).one()
        assert revoke_key(world.store, row.id)
        for tool, more in (("search_transcripts", given), ("export_results", {"interviewId": interview})):
            said = await refused(agent, tool, more)
            assert "revoked" in said
            assert "queue" not in said


async def test_each_key_reads_for_itself_and_no_mode_sees_the_text_of_another(reader, world):
    interview, (session,) = await scored(reader, world, 1)
    turns = tables.messages.c.sessionId == session, tables.messages.c.role == "USER"
    with world.store.writing() as db:
        db.execute(update(tables.messages).where(*turns).values(content="I am Person 0 and I built a queue."))
    memory, seen = Memory(), []
    one = counting(world, seen)
    other = one.with_key(create_key(world.store, owner(world.store).user_id, "Other"))

    async def excerpts(client, **exposure):
        guarded = Guarded(client, Exposure(**exposure), memory, b"s" * 32)
        given = SearchTranscripts(interview_id=interview, query="queue")
        found = await search_transcripts(guarded, given, Spent())
        return {each.excerpt for each in found.data}

    named = await excerpts(one)
    blind = await excerpts(one, blind=True)
    assert ("Person 0" in str(named), "Person 0" in str(blind), "queue" in str(blind)) == (True, False, True)
    assert await excerpts(one) == named
    assert await excerpts(one, blind=True) == blind
    asked = f"GET /api/v1/sessions/{session}"
    assert seen.count(asked) == 1
    assert await excerpts(other) == named
    assert seen.count(asked) == 2


def finished(number, size):
    """A row and its session, with so many bytes of words."""
    name = f"s{number}"
    said = Message(id="m", role="USER", content="x" * size)
    row = SessionSummary(id=name, status="COMPLETED", updated_at="2026-01-01T00:00:00+00:00", counts=Counts(messages=1))
    return row, Session(id=name, status="COMPLETED", messages=[said])


@pytest.mark.parametrize(
    ("number", "size", "kept"), [(1_500, 100, 1_000), (130, 1_000_000, 63), (3, 70_000_000, 0), (70, 64_000, 70)]
)
def test_what_is_kept_is_bounded_in_number_and_in_bytes_and_the_oldest_goes_first(number, size, kept):
    store, rows = Transcripts(), []
    for each in range(number):
        row, session = finished(each, size)
        rows.append(row)
        store.keep(f"key {each % 2}", row, session)
        if kept:
            assert store.get("key 0", rows[0]) is not None, "what is used stays"
    there = [each for each, row in enumerate(rows) if store.get(f"key {each % 2}", row)]
    assert len(there) == kept
    assert there[1:] == list(range(number))[-kept + 1 :] if kept else not there
    assert sum(len(text) for _, text in store._kept.values()) <= transcripts.MOST_BYTES


# ── When it goes on ─────────────────────────────────────────────────────────────────────────────


MANY = [{"name": f"Person {number}"} for number in range(600)]
WORKFLOWS = {
    "compare_candidates": ({"quotes": True}, 6, r"\d of 8 remain; "),
    "compare_answers": ({"question": 1}, 6, r"\d of 8 remain; "),
    "search_transcripts": ({"query": "queue"}, 6, r"\d of 8 remain; "),
    "export_results": ({"format": "json"}, 6, r"\d of 8 remain; "),
    "launch_interviews": (
        {"interviews": [{"title": f"R{n}", "questions": QUESTION} for n in range(4)]},
        5,
        "2 of 4 remain; ",
    ),
    "import_candidates": ({"candidates": MANY, "dryRun": False}, 2, "100 of 600 remain; "),
    "wait_for_sessions": ({}, 0, ""),
}


@pytest.mark.parametrize("tool", WORKFLOWS)
async def test_each_workflow_says_in_how_many_seconds_it_goes_on_and_does_then(reader, world, tool):
    arguments, budget, remains = WORKFLOWS[tool]
    interview, _ = await scored(reader, world, 8)
    add_session(world, interview, status="IN_PROGRESS")
    given = arguments if tool == "launch_interviews" else {"interviewId": interview, **arguments}
    given = given | (
        {"sessionIds": await completed(reader, interview)} if "remain" in remains and "8" in remains else {}
    )
    minute = Minute(world)
    await minute.use_up(58 - budget, seconds_ago=10)
    async with Client(minute.server) as agent:
        begun = time.monotonic()
        said = text_of(await agent.call_tool(tool, given))
        took = time.monotonic() - begun
        assert took < 40
        seconds = int(re.search(f"{remains}{WHEN}", said, re.IGNORECASE)[1])
        assert 49 - took <= seconds <= 51
        await minute.pass_by(seconds)
        result = await agent.call_tool(tool, given)
    assert not result.is_error, text_of(result)
    assert not re.search(r"remain;|in \d+ s", text_of(result))


async def completed(agent, interview):
    rows = (await ok(agent, "list_sessions", interviewId=interview, status="COMPLETED"))["data"]
    return [each["id"] for each in rows]


async def test_a_workflow_waits_for_the_budget_where_its_40_seconds_allow_it(reader, world):
    interview, _ = await scored(reader, world, 8)
    minute = Minute(world)
    await minute.use_up(55, seconds_ago=60.6)
    async with Client(minute.server) as agent:
        found = await ok(agent, "search_transcripts", interviewId=interview, query="queue")
    assert (found["sessionsRead"], found["sessionsLeft"]) == (8, 0)


@pytest.mark.parametrize("per_minute", [0, 60])
async def test_the_seconds_of_a_refusal_by_aural_are_those_that_are_said(reader, world, per_minute):
    interview, _ = await scored(reader, world, 3)
    error = {"error": {"code": "RATE_LIMITED", "message": "Too many requests.", "retry_after": 52}}

    def refuse(path):
        return httpx.Response(429, json=error, headers={"retry-after": "52"}) if "/sessions/" in path else None

    minute = Minute(world, per_minute, refuse=refuse)
    async with Client(minute.server) as agent:
        found = await ok(agent, "search_transcripts", interviewId=interview, query="queue")
    assert "3 of 3 remain; call again in 52 s with the same arguments:" in found["remarks"][0]
    assert minute.wire.statuses[429] == 1


@pytest.mark.parametrize("tool", ["compare_candidates", "search_transcripts", "export_results", "wait_for_sessions"])
async def test_without_any_budget_a_call_says_at_once_when_and_names_no_cursor(reader, world, tool):
    interview, _ = await scored(reader, world, 1)
    minute = Minute(world)
    await minute.use_up(58, seconds_ago=4)
    given = {"interviewId": interview} | ({"query": "queue"} if tool == "search_transcripts" else {})
    async with Client(minute.server) as agent:
        with anyio.fail_after(60):
            result = await agent.call_tool(tool, given)
    said = text_of(result)
    assert re.search(r"all again in 5[67] s", said)
    assert "cursor" not in said.replace("cursor is good for a week", "")
    assert minute.wire.statuses == {}


# ── Waiting ─────────────────────────────────────────────────────────────────────────────────────


async def test_a_wait_whose_budget_ends_says_what_it_saw_and_when_to_come_back(reader, world):
    interview = (await ok(reader, "create_interview", title="T"))["id"]
    session = add_session(world, interview, status="IN_PROGRESS", participantName="Ann")
    minute = Minute(world)
    async with Client(minute.server) as agent:
        first = await ok(agent, "wait_for_sessions", interviewId=interview)
        change(world, session, status="COMPLETED")
        add_session(world, interview, status="IN_PROGRESS", participantName="Bo")
        await minute.use_up(55)
        with anyio.fail_after(60):
            second = await ok(agent, "wait_for_sessions", interviewId=interview, cursor=first["cursor"])
        assert sorted(each["name"] for each in second["changes"]) == ["Ann", "Bo"]
        assert re.fullmatch(r"Call again in (59|6\d) s with cursor\.", second["remarks"][-1]) is not None
        said = await refused(agent, "wait_for_sessions", {"interviewId": interview, "cursor": second["cursor"]})
        assert re.search(r"Call again in (59|6\d) s with the same arguments\.", said)
        await minute.pass_by(61)
        change(world, session, insights=even(7))
        await minute.use_up(57)
        third = await ok(agent, "wait_for_sessions", interviewId=interview, cursor=second["cursor"])
    assert [each["name"] for each in third["changes"]] == ["Ann"]


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_it_is_not_said_to_be_over_where_nobody_could_look_who_has_not_begun(reader, world, status):
    interview, _ = await scored(reader, world, 1)
    await ok(reader, "create_candidates", interviewId=interview, candidates=[{"name": "Not begun"}])
    error = {"error": {"code": "RATE_LIMITED", "message": "M", "retry_after": 50}}

    def refuse(path):
        return httpx.Response(status, json=error) if path.endswith("/candidates") else None

    minute = Minute(world, refuse=refuse)
    async with Client(minute.server) as agent:
        said = await ok(agent, "wait_for_sessions", interviewId=interview)
    assert (said["isOver"], said["standing"].get("notStarted")) == (False, None)
    assert said["cursor"]
    assert "Who has not begun could not be looked up just now." in said["remarks"]


@pytest.mark.parametrize("tool", ["search_transcripts", "compare_candidates"])
async def test_where_not_everybody_was_listed_nobody_is_said_not_to_exist(reader, world, tool):
    interview = await interview_with(reader)
    oldest = sit(world, interview, "Oldest", even(7))
    for number in range(100):
        add_session(world, interview, status="COMPLETED", participantName=f"Person {number}")
    minute = Minute(world)
    await minute.use_up(57 if tool == "search_transcripts" else 56)
    more = {
        "search_transcripts": {"query": "queue", "cursor": oldest},
        "compare_candidates": {"cursor": oldest},
    }
    async with Client(minute.server) as agent:
        said = await refused(agent, tool, {"interviewId": interview, **more[tool]})
    assert "before all sessions were listed" in said
    assert re.search(r"Call again in \d+ s with the same arguments", said)

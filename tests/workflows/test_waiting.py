"""Waiting for candidates: what changed is told once, by a cursor that another process goes on with."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from mcp import Client
from sqlalchemy import update

from aural_mcp.backend.storage import store, tables
from aural_mcp.client.state import State
from aural_mcp.workflows import base, waiting
from conftest import ok, refused, text_of
from consenting import server_on
from rows import add_session

SCORES = {"insights": {"questionEvaluations": [{"question": "Q", "score": 7}]}}


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    """One look a call, and a second where a test wants to wait."""
    monkeypatch.setattr(waiting, "EVERY", 0.02)
    monkeypatch.setattr(base, "LEAST", 0.0)
    monkeypatch.setattr(base, "ENDS_WITHIN", 1.02)


async def interview_with(agent, world, *statuses):
    """An interview with a session of each status: its id, and theirs."""
    made = (await ok(agent, "create_interview", title="Backend engineer"))["id"]
    return made, [
        add_session(world, made, status=status, participantName=f"Person {number}")
        for number, status in enumerate(statuses)
    ]


def change(world, session, **fields):
    with world.store.writing() as db:
        row = {"updatedAt": store.now(), **fields}
        db.execute(update(tables.sessions).where(tables.sessions.c.id == session).values(**row))


async def test_the_first_call_says_where_everybody_stands_and_gives_a_cursor(agent, world):
    made, _ = await interview_with(agent, world, "IN_PROGRESS", "COMPLETED", "ABANDONED")
    result = await agent.call_tool("wait_for_sessions", {"interviewId": made})
    said = result.structured_content
    assert said["standing"] == {"scored": 0, "notScored": 1, "inProgress": 1, "gaveUp": 1, "notStarted": 0}
    assert (said["isOver"], said.get("changes", [])) == (False, [])
    assert said["cursor"] in text_of(result)
    assert [each["name"] for each in said["attention"]["gaveUp"]] == ["Person 2"]


async def test_each_change_is_told_once_whoever_goes_on_with_the_cursor(world, tmp_path):
    cursor, draw = {}, random.Random(5)
    async with Client(world.server) as agent:
        made, sessions = await interview_with(agent, world, *["IN_PROGRESS"] * 60)
    told, waiting_for = [], draw.sample(sessions, 60)
    for _ in range(12):
        state = State(lambda: tmp_path / "state.db")  # another process each time
        async with Client(server_on(world, state=state)) as agent:
            said = await ok(agent, "wait_for_sessions", interviewId=made, **cursor)
        await state.aclose()
        told += [(each["sessionId"], each["now"]) for each in said.get("changes", [])]
        cursor = {"cursor": said["cursor"]} if said.get("cursor") else {}
        for session in [waiting_for.pop() for _ in range(6) if waiting_for]:
            change(world, session, status="COMPLETED")
    assert said["isOver"] is True
    assert sorted(told) == sorted((session, "complete, not scored") for session in sessions)


async def test_it_is_over_when_nobody_is_in_the_middle_and_nobody_has_yet_to_begin(agent, world):
    made, (session,) = await interview_with(agent, world, "IN_PROGRESS")
    await ok(agent, "create_candidates", interviewId=made, candidates=[{"name": "Robin Vega"}])
    first = await ok(agent, "wait_for_sessions", interviewId=made)
    assert [each["name"] for each in first["attention"]["notStarted"]] == ["Robin Vega"]
    change(world, session, status="COMPLETED", **SCORES)
    second = await ok(agent, "wait_for_sessions", interviewId=made, cursor=first["cursor"])
    assert (second["isOver"], second["changes"][0]["overallScore"]) == (False, 7)
    assert "attention" not in second  # who was named is not named again
    with world.store.writing() as db:
        db.execute(update(tables.candidates).values(sessionId=session))
    last = await ok(agent, "wait_for_sessions", interviewId=made, cursor=second["cursor"])
    assert (last["isOver"], last["standing"]["notStarted"], last.get("cursor")) == (True, 0, None)


async def test_the_first_answer_has_the_scores_and_later_ones_only_what_is_new(agent, world):
    made, (done, running) = await interview_with(agent, world, "COMPLETED", "IN_PROGRESS")
    change(world, done, status="COMPLETED", **SCORES)
    first = await ok(agent, "wait_for_sessions", interviewId=made)
    assert first["scored"] == [{"name": "Person 0", "sessionId": done, "overallScore": 7}]
    change(world, running, status="ABANDONED")
    second = await ok(agent, "wait_for_sessions", interviewId=made, cursor=first["cursor"])
    assert "scored" not in second
    assert [each["sessionId"] for each in second["attention"]["gaveUp"]] == [running]


async def test_so_many_more_counts_from_the_first_call_on(agent, world):
    made, sessions = await interview_with(agent, world, "COMPLETED", *["IN_PROGRESS"] * 4)
    said = await ok(agent, "wait_for_sessions", interviewId=made, more=2)
    for session, over in zip(sessions[1:3], (False, True), strict=True):
        change(world, session, status="COMPLETED")
        said = await ok(agent, "wait_for_sessions", interviewId=made, cursor=said["cursor"])
        assert said["isOver"] is over


async def test_it_waits_for_a_change_within_one_call(world, monkeypatch):
    monkeypatch.setattr(base, "ENDS_WITHIN", 30.0)
    looks = []

    async def tell(done, total, said):
        looks.append(said)
        if len(looks) == 4:
            change(world, sessions[0], status="COMPLETED")

    async with Client(world.server) as agent:
        made, sessions = await interview_with(agent, world, "IN_PROGRESS")
        first = await agent.call_tool("wait_for_sessions", {"interviewId": made}, progress_callback=tell)
        going_on = {"interviewId": made, "cursor": first.structured_content["cursor"]}
        result = await agent.call_tool("wait_for_sessions", going_on, progress_callback=tell)
    assert result.structured_content["isOver"] is True
    assert [each["now"] for each in result.structured_content["changes"]] == ["complete, not scored"]
    assert looks[2] == "0 of 1 sessions are over."


async def test_who_is_silent_in_the_middle_is_stuck(agent, world):
    made, sessions = await interview_with(agent, world, "IN_PROGRESS", "IN_PROGRESS")
    change(world, sessions[0], updatedAt=(datetime.now(UTC) - timedelta(minutes=31)).isoformat())
    said = await ok(agent, "wait_for_sessions", interviewId=made)
    assert [each["sessionId"] for each in said["attention"]["stuck"]] == [sessions[0]]


async def test_only_given_sessions_are_followed(agent, world):
    made, sessions = await interview_with(agent, world, "IN_PROGRESS", "COMPLETED")
    said = await ok(agent, "wait_for_sessions", interviewId=made, sessionIds=[sessions[1]])
    assert (said["isOver"], said["standing"]["inProgress"]) == (True, 0)
    wrong = {"interviewId": made, "sessionIds": ["not-one-of-them"]}
    assert "list_sessions" in await refused(agent, "wait_for_sessions", wrong)


async def test_a_cursor_that_is_not_known_says_how_to_begin_anew(agent, world):
    made, _ = await interview_with(agent, world, "IN_PROGRESS")
    assert "Leave cursor out" in await refused(agent, "wait_for_sessions", {"interviewId": made, "cursor": "abc"})


async def test_blind_names_nobody(world):
    from aural_mcp.privacy.exposure import Exposure

    async with Client(server_on(world, exposure=Exposure(blind=True))) as agent:
        made, _ = await interview_with(agent, world, "ABANDONED")
        await ok(agent, "create_candidates", interviewId=made, candidates=[{"name": "Robin Vega"}])
        result = await agent.call_tool("wait_for_sessions", {"interviewId": made})
    assert "Candidate " in text_of(result)
    assert "Robin" not in text_of(result) + str(result.structured_content)
    assert "Person 0" not in text_of(result)

"""No create twice, whatever becomes of the answer: on the real backend, behind a wire that loses answers."""

import json
import time

import anyio
import httpx
import pytest
from mcp import Client

from aural_mcp.api.operations import CreateInterview
from aural_mcp.client import ledger, retry
from aural_mcp.client.client import AuralClient, Spent
from aural_mcp.client.state import State
from aural_mcp.server.principal import OneClient
from aural_mcp.server.server import AuralServer
from conftest import KEY, ORIGIN, ok, refused
from examples import TITLE
from rows import add_session
from wires import Wire


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(retry, "FIRST", 0.0)
    monkeypatch.setattr(ledger, "LOOK_AGAIN", 0.0)


@pytest.fixture
def wire(world):
    return Wire(world.app)


def server_on(wire, state=None, key=KEY):
    client = AuralClient(key, f"{ORIGIN}/api/v1", requests_per_minute=0, transport=wire, state=state)
    return AuralServer(OneClient(client), backend="T.", confirm="never")


@pytest.fixture
async def lossy(wire):
    async with Client(server_on(wire), read_timeout_seconds=30) as agent:
        yield agent


async def titles(agent):
    return [row["title"] for row in (await ok(agent, "list_interviews"))["data"]]


@pytest.mark.parametrize("fault", ["dropped", "cut"])
async def test_a_create_whose_answer_is_lost_is_found_and_not_repeated(lossy, wire, fault):
    wire.faults.append(fault)
    made = await ok(lossy, "create_interview", **TITLE)
    assert "it was done" in made["remarks"][0]
    again = await ok(lossy, "create_interview", **TITLE)
    assert again["id"] == made["id"]
    assert "nothing was done a second time" in again["remarks"][0]
    assert wire.arrived.count("POST interviews") == 1
    assert await titles(lossy) == ["Backend engineer"]


async def test_people_and_questions_whose_answer_is_lost_are_found_with_links_and_ids(lossy, wire):
    made = (await ok(lossy, "create_interview", **TITLE))["id"]
    people = [{"name": "Ann", "email": "Ann@X.test"}, {"name": " Bo "}]
    asked = [{"text": " Why? "}, {"text": "Which?", "type": "SINGLE_CHOICE", "options": ["a", "b"]}]
    wire.faults += ["dropped"]
    invited = await ok(lossy, "create_candidates", interviewId=made, candidates=people)
    wire.faults += ["dropped"]
    added = await ok(lossy, "create_questions", interviewId=made, questions=asked)
    assert [row["name"] for row in invited["data"]] == ["Ann", "Bo"]
    listed = (await ok(lossy, "list_candidates", interviewId=made, include=["inviteUrl"]))["data"]
    assert {row["inviteUrl"] for row in listed} == {row["inviteUrl"] for row in invited["data"]}
    assert [row["text"] for row in added["data"]] == ["Why?", "Which?"]
    assert len((await ok(lossy, "list_questions", interviewId=made))["data"]) == 2


@pytest.mark.parametrize("fault", ["reset", "502"])
async def test_a_create_that_did_not_arrive_is_said_to_be_not_done_and_can_be_made(lossy, wire, fault):
    wire.faults.append(fault)
    assert "not done. Call again" in await refused(lossy, "create_interview", TITLE)
    assert await titles(lossy) == []
    assert "remarks" not in await ok(lossy, "create_interview", **TITLE)
    assert await titles(lossy) == ["Backend engineer"]


@pytest.mark.parametrize("fault", ["refused", "429"])
async def test_what_provably_did_not_run_is_simply_sent_again(lossy, wire, fault):
    wire.faults.append(fault)
    assert "remarks" not in await ok(lossy, "create_interview", **TITLE)
    assert wire.arrived == ["POST interviews"]


async def test_what_may_still_be_under_way_is_not_sent_again_and_is_found_when_it_arrives(lossy, wire):
    wire.faults.append("late")
    said = await refused(lossy, "create_interview", TITLE)
    assert "may have been done: look with list_interviews" in said
    assert "does nothing twice" in said
    assert "still be at it" in await refused(lossy, "create_interview", TITLE)
    await wire.arrive()
    assert "it was done" in (await ok(lossy, "create_interview", **TITLE))["remarks"][0]
    assert await titles(lossy) == ["Backend engineer"]


async def test_what_never_arrived_is_made_when_enough_time_has_passed(lossy, wire, monkeypatch):
    wire.faults.append("silent")
    await refused(lossy, "create_interview", TITLE)
    monkeypatch.setattr(ledger, "SETTLED", 0.0)
    await ok(lossy, "create_interview", **TITLE)
    assert await titles(lossy) == ["Backend engineer"]


async def test_when_looking_fails_too_nobody_claims_to_know(lossy, wire):
    wire.faults += ["dropped", *["502"] * 3]
    said = await refused(lossy, "create_interview", TITLE)
    assert "Looking did not tell: The backend failed" in said
    assert "it was done" in (await ok(lossy, "create_interview", **TITLE))["remarks"][0]
    assert await titles(lossy) == ["Backend engineer"]


async def test_the_same_again_on_purpose_is_made_and_each_is_told_from_the_other(lossy, wire):
    first = await ok(lossy, "create_interview", **TITLE)
    wire.faults.append("dropped")
    second = await ok(lossy, "create_interview", **TITLE, allowDuplicate=True)
    assert "it was done" in second["remarks"][0]
    assert first["id"] != second["id"]
    assert await titles(lossy) == ["Backend engineer"] * 2


async def test_what_differs_is_not_the_same(lossy):
    await ok(lossy, "create_interview", **TITLE)
    await ok(lossy, "create_interview", **TITLE, objective="Another")
    assert len(await titles(lossy)) == 2


async def test_a_refusal_is_not_remembered(lossy, world):
    person = {"interviewId": "00000000-0000-4000-8000-000000000000", "candidates": [{"name": "Ann"}]}
    assert "NOT_FOUND" in await refused(lossy, "create_candidates", person)
    assert "NOT_FOUND" in await refused(lossy, "create_candidates", person)


async def test_the_same_create_many_times_at_once_from_two_processes_is_made_once(wire, tmp_path):
    servers = [server_on(wire, State(lambda: tmp_path / "state.db")) for _ in range(2)]
    ids = set()
    async with Client(servers[0]) as one, Client(servers[1]) as other:

        async def create(agent):
            ids.add((await ok(agent, "create_interview", **TITLE))["id"])

        wire.faults += ["slow"]
        async with anyio.create_task_group() as tasks:
            for agent in (one, other) * 4:
                tasks.start_soon(create, agent)
        assert len(ids) == 1
        assert await titles(one) == ["Backend engineer"]


async def test_one_keys_creates_are_never_anothers(world, wire, tmp_path):
    from aural_mcp.backend.storage import store

    other_key = store.create_key(world.store, store.owner(world.store).user_id, "second")
    state = State(lambda: tmp_path / "state.db")
    async with Client(server_on(wire, state)) as one, Client(server_on(wire, state, other_key)) as other:
        first, second = [(await ok(agent, "create_interview", **TITLE))["id"] for agent in (one, other)]
    assert first != second


async def test_a_write_that_has_left_is_finished_though_the_caller_gives_up(lossy, wire):
    wire.faults.append("slow")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lossy.call_tool, "create_interview", TITLE)
        await wire.left.wait()
        tasks.cancel_scope.cancel()
    again = await ok(lossy, "create_interview", **TITLE)
    assert "nothing was done a second time" in again["remarks"][0]
    assert wire.arrived.count("POST interviews") == 1


async def test_a_create_of_a_process_that_died_is_looked_for_before_it_is_made_again(wire, tmp_path):
    state = State(lambda: tmp_path / "state.db")
    async with Client(server_on(wire, state)) as agent:
        made = await ok(agent, "create_interview", **TITLE)
        await state.change("update creates set state = 'started', result = null, begun_at = begun_at - 120")
        found = await ok(agent, "create_interview", **TITLE)
    assert found["id"] == made["id"]
    assert "it was done" in found["remarks"][0]


async def test_after_ten_minutes_the_same_create_is_a_new_one_and_nothing_of_the_old_is_kept(wire, tmp_path):
    state = State(lambda: tmp_path / "state.db")
    async with Client(server_on(wire, state)) as agent:
        first = await ok(agent, "create_interview", **TITLE)
        await state.change("update creates set begun_at = ?", (time.time() - ledger.REMEMBERED - 1,))
        second = await ok(agent, "create_interview", **TITLE)
        assert first["id"] != second["id"]
        async with state.reading() as db:
            kept = [json.loads(text)["id"] for (text,) in await db.all("select result from creates")]
    assert kept == [second["id"]]


async def test_a_state_file_that_cannot_be_written_stops_a_create_before_it_is_sent(wire, tmp_path):
    state = State(lambda: tmp_path / "state.db")
    async with Client(server_on(wire, state)) as agent:
        await ok(agent, "get_usage")
        await state.change("drop table creates")
        said = await refused(agent, "create_interview", TITLE)
    assert "state file" in said
    assert "AURAL_DATA_DIR" in said
    assert "POST interviews" not in wire.arrived


@pytest.mark.parametrize(
    ("tool", "more", "faults"),
    [
        ("get_interview", {}, ["502", "dropped"]),
        ("update_interview", {"title": "New"}, ["dropped", "502"]),
        ("publish_interview", {}, ["dropped", "reset"]),
        ("archive_interview", {}, ["cut", "refused"]),
    ],
)
async def test_reads_and_writes_that_can_be_repeated_are_repeated(lossy, wire, tool, more, faults):
    made = (await ok(lossy, "create_interview", **TITLE))["id"]
    await ok(lossy, "create_questions", interviewId=made, questions=[{"text": "Q"}])
    wire.faults += faults
    await ok(lossy, tool, interviewId=made, **more)


async def test_a_row_that_is_gone_after_a_lost_delete_was_deleted(lossy, wire):
    made = (await ok(lossy, "create_interview", **TITLE))["id"]
    added = await ok(lossy, "create_questions", interviewId=made, questions=[{"text": "Q"}])
    question = added["data"][0]["id"]
    wire.faults.append("dropped")
    assert (await ok(lossy, "delete_question", questionId=question))["deleted"] is True
    assert "NOT_FOUND" in await refused(lossy, "delete_question", {"questionId": question})


async def test_repetitions_end_after_three_attempts_and_when_their_budget_is_spent(lossy, wire):
    wire.faults += ["502"] * 100
    for _ in range(12):
        await refused(lossy, "list_interviews", {})
    assert 100 - len(wire.faults) == 12 + 10


async def test_a_create_that_a_dying_process_had_sent_is_not_forgotten(wire, tmp_path):
    state = State(lambda: tmp_path / "state.db")
    client = AuralClient(KEY, f"{ORIGIN}/api/v1", requests_per_minute=0, transport=wire, state=state)
    operation = CreateInterview(**TITLE)

    async def die(*_, **__):
        headers = {"authorization": f"Bearer {KEY}"}
        url = f"{ORIGIN}/api/v1/interviews"
        await wire.handle_async_request(httpx.Request("POST", url, json=operation.payload(), headers=headers))
        raise KeyboardInterrupt

    client._attempt = die
    with pytest.raises(KeyboardInterrupt):
        await ledger.Ledger(client).once(operation, Spent())
    async with Client(server_on(wire, state)) as agent:
        found = await ok(agent, "create_interview", **TITLE)
        assert "it was done" in found["remarks"][0]
        assert await titles(agent) == ["Backend engineer"]


async def test_ending_again_after_a_lost_answer_says_that_what_is_skipped_may_just_have_been_ended(lossy, wire, world):
    interview = (await ok(lossy, "create_interview", **TITLE))["id"]
    session = add_session(world, interview, ["Q"], status="IN_PROGRESS")
    wire.faults.append("dropped")
    done = await ok(lossy, "end_interview_sessions", interviewId=interview, ids=[session], dryRun=False)
    assert done["results"][0]["status"] == "skipped"
    assert "may just have been ended by this call" in done["remarks"][-1]
    again = await ok(lossy, "end_interview_sessions", interviewId=interview, ids=[session], dryRun=False)
    assert "may just have been ended" not in str(again)

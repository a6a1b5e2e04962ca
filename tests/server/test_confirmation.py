"""Consequences are confirmed: by the person where the host can ask, by a code where it cannot."""

import base64
import random
import time

import anyio
import httpx
import pytest
from mcp import Client
from mcp.types import ElicitResult

from aural_mcp.api.operations import ArchiveInterview, DeleteQuestion
from aural_mcp.backend.storage import store
from aural_mcp.client.client import AuralClient
from aural_mcp.client.state import State
from aural_mcp.server import confirmation
from aural_mcp.server.confirmation import Codes
from aural_mcp.server.server import AuralServer, OneClient
from conftest import KEY, MODES, ORIGIN, begin, ok, refused, text_of

PEOPLE = [{"name": f"Person {number}"} for number in range(21)]
TOOLS = ("publish_interview", "archive_interview", "delete_question", "end_interview_sessions", "create_candidates")


def server_on(world, state=None, key=KEY, transport=None, client=None, **more):
    wire = transport or httpx.ASGITransport(world.app)
    client = client or AuralClient(key, f"{ORIGIN}/api/v1", requests_per_minute=0, transport=wire, state=state)
    return AuralServer(OneClient(client), backend="T.", **more)


async def scene(world):
    """An interview with a question and a running session: arguments for each tool that asks."""
    async with Client(world.server) as agent, world.browser() as browser:
        made = (await ok(agent, "create_interview", title="Backend engineer"))["id"]
        added = await ok(agent, "create_questions", interviewId=made, questions=[{"text": "Q"}, {"text": "R"}])
        link = (await ok(agent, "publish_interview", interviewId=made))["url"]
        await begin(browser, link)
        session = (await ok(agent, "list_sessions", interviewId=made))["data"][0]["id"]
        draft = (await ok(agent, "create_interview", title="Draft"))["id"]
    return {
        "publish_interview": {"interviewId": draft},
        "archive_interview": {"interviewId": made},
        "delete_question": {"questionId": added["data"][0]["id"]},
        "end_interview_sessions": {"interviewId": made, "ids": [session], "dryRun": False},
        "create_candidates": {"interviewId": made, "candidates": PEOPLE},
    }


def person(answers, asked):
    """A host that can ask: its user answers in turn, and what was asked is noted."""

    async def answer(context, params):
        asked.append(params.message)
        return answers.pop(0)

    return answer


YES, NO = ElicitResult(action="accept", content={"agreed": True}), ElicitResult(action="decline")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("tool", TOOLS)
async def test_the_person_is_asked_where_the_host_can_ask_and_only_a_yes_does_it(world, mode, tool):
    arguments, asked = (await scene(world))[tool], []
    unsure = ElicitResult(action="accept", content={"agreed": False})
    answers = [NO, ElicitResult(action="cancel"), unsure, YES]
    host = Client(server_on(world), mode=mode, elicitation_callback=person(answers, asked), read_timeout_seconds=30)
    async with host as agent:
        for _ in range(3):
            assert "the user did not agree" in await refused(agent, tool, arguments)
            assert await unchanged(agent, tool, arguments)
        done = await ok(agent, tool, **arguments)
        assert "confirmation" not in done
        assert not await unchanged(agent, tool, arguments)
    assert len(set(asked)) == 1
    assert asked[0].endswith((".", "?"))


async def unchanged(agent, tool, arguments):
    """Whether the world is as `scene` left it."""
    interview = arguments.get("interviewId")
    match tool:
        case "archive_interview":
            return (await ok(agent, "get_interview", interviewId=interview))["state"] == "public"
        case "create_candidates":
            return (await ok(agent, "list_candidates", interviewId=interview))["total"] == 0
        case "end_interview_sessions":
            rows = (await ok(agent, "list_sessions", interviewId=interview))["data"]
            return rows[0]["status"] == "IN_PROGRESS"
        case "delete_question":
            (row,) = (await ok(agent, "list_interviews", title="Backend"))["data"]
            return row["questions"] == 2
        case "publish_interview":
            return (await ok(agent, "get_interview", interviewId=interview))["state"] == "by invitation"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("tool", TOOLS)
async def test_where_the_host_cannot_ask_the_first_call_changes_nothing_and_the_code_does_it_once(world, mode, tool):
    arguments = (await scene(world))[tool]
    async with Client(server_on(world), mode=mode, read_timeout_seconds=30) as agent:
        preview = await agent.call_tool(tool, arguments)
        assert not preview.is_error
        code = preview.structured_content["confirmation"]
        assert code in text_of(preview)
        assert "Ask the user" in preview.structured_content["remarks"][0]
        assert await unchanged(agent, tool, arguments)
        assert "confirmation" not in await ok(agent, tool, **arguments, confirmation=code)
        if tool == "create_candidates":
            again = await ok(agent, tool, **arguments, confirmation=code)
            assert "nothing was done a second time" in again["remarks"][0]
        else:
            assert "Nothing was done" in await refused_or_gone(agent, tool, {**arguments, "confirmation": code})


async def refused_or_gone(agent, tool, arguments):
    result = await agent.call_tool(tool, arguments)
    assert result.is_error
    return text_of(result)


@pytest.mark.parametrize("mode", MODES)
async def test_a_model_cannot_confirm_for_its_user_where_the_host_can_ask(world, mode):
    arguments, asked = (await scene(world))["archive_interview"], []
    async with Client(server_on(world)) as agent:
        code = (await ok(agent, "archive_interview", **arguments))["confirmation"]
    host = Client(server_on(world), mode=mode, elicitation_callback=person([NO], asked), read_timeout_seconds=30)
    async with host as agent:
        assert "did not agree" in await refused(agent, "archive_interview", {**arguments, "confirmation": code})
    assert len(asked) == 1


async def test_what_needs_no_question_is_done_at_once(world):
    arguments = await scene(world)
    async with Client(server_on(world)) as agent:
        dry = {**arguments["end_interview_sessions"], "dryRun": True}
        assert (await ok(agent, "end_interview_sessions", **dry))["results"][0]["status"] == "eligible"
        few = {**arguments["create_candidates"], "candidates": PEOPLE[:20]}
        assert len((await ok(agent, "create_candidates", **few))["data"]) == 20


async def test_preview_never_asks_the_host_and_never_asks_nobody(world):
    arguments, asked = (await scene(world))["archive_interview"], []
    for confirm in ("preview", "never"):
        host = Client(server_on(world, confirm=confirm), elicitation_callback=person([], asked))
        async with host as agent:
            result = await ok(agent, "archive_interview", **arguments)
        assert ("confirmation" in result) == (confirm == "preview")
    assert asked == []


async def test_a_code_is_good_on_another_replica_and_after_a_restart(world, tmp_path):
    arguments = await scene(world)

    def started(folder, **more):
        folder.mkdir(exist_ok=True)
        return server_on(world, State(lambda: folder / "state.db"), **more)

    shared = {"state_keys": (b"k" * 32, b"old" * 12)}
    for tool, first, second in (
        ("archive_interview", started(tmp_path / "a"), started(tmp_path / "a")),
        ("delete_question", started(tmp_path / "b", **shared), started(tmp_path / "c", **shared)),
    ):
        async with Client(first) as agent:
            code = (await ok(agent, tool, **arguments[tool]))["confirmation"]
        async with Client(second) as agent:
            assert "confirmation" not in await ok(agent, tool, **arguments[tool], confirmation=code)


async def test_a_code_is_not_good_for_another_call_key_or_state_of_the_target(world, tmp_path):
    arguments = await scene(world)
    state = State(lambda: tmp_path / "state.db")
    other_key = store.create_key(world.store, store.owner(world.store).user_id, "second")
    other = arguments["archive_interview"]
    async with Client(server_on(world, state)) as agent, Client(server_on(world, state, other_key)) as stranger:
        code = (await ok(agent, "archive_interview", **other))["confirmation"]
        assert "not made for this very call" in await refused(
            agent, "publish_interview", {**other, "confirmation": code}
        )
        assert "Nothing was done" in await refused(stranger, "archive_interview", {**other, "confirmation": code})
        await ok(agent, "update_interview", **other, title="Changed")
        assert "something changed" in await refused(agent, "archive_interview", {**other, "confirmation": code})
        people = {**arguments["create_candidates"]}
        code = (await ok(agent, "create_candidates", **people))["confirmation"]
        more = {**people, "candidates": [*PEOPLE, {"name": "Somebody else"}], "confirmation": code}
        assert "Nothing was done" in await refused(agent, "create_candidates", more)


async def test_what_somebody_else_changed_while_the_person_thought_is_not_done(world):
    arguments = (await scene(world))["archive_interview"]

    async def slow(context, params):
        async with Client(world.server) as other:
            await ok(other, "update_interview", **arguments, title="Changed meanwhile")
        return YES

    async with Client(server_on(world), elicitation_callback=slow, read_timeout_seconds=30) as agent:
        assert "changed by somebody else" in await refused(agent, "archive_interview", arguments)
        assert (await ok(agent, "get_interview", **arguments))["state"] == "public"


async def test_a_question_that_nobody_answers_is_a_no(world, monkeypatch):
    monkeypatch.setattr(confirmation, "VALID", 0.05)
    arguments = (await scene(world))["archive_interview"]

    async def away(context, params):
        await anyio.sleep(1)
        return YES

    host = Client(server_on(world), mode="legacy", elicitation_callback=away, read_timeout_seconds=30)
    async with host as agent:
        assert "did not agree" in await refused(agent, "archive_interview", arguments)


# ── Codes by themselves ─────────────────────────────────────────────────────────────────────────

CALL = ArchiveInterview(interview_id="i")


def test_ten_thousand_forged_altered_replayed_and_expired_codes_are_refused_and_honest_ones_honoured(monkeypatch):
    dice, state = random.Random(5), State()
    codes, replica = Codes(state, [b"a" * 32]), Codes(State(), [b"b" * 32, b"a" * 32])
    refused_codes = 0
    for number in range(1250):
        code = codes.mint("t", CALL, "seen")
        raw = bytearray(base64.urlsafe_b64decode(code))
        raw[dice.randrange(len(raw))] ^= 1 << dice.randrange(8)
        altered = base64.urlsafe_b64encode(bytes(raw)).decode()
        forged = base64.urlsafe_b64encode(dice.randbytes(len(raw))).decode()
        attempts = [
            codes.accept(altered, "t", CALL, "seen"),
            codes.accept(forged, "t", CALL, "seen"),
            codes.accept(code[:-1], "t", CALL, "seen"),
            codes.accept(code, "other", CALL, "seen"),
            codes.accept(code, "t", DeleteQuestion(question_id="i"), "seen"),
            codes.accept(code, "t", ArchiveInterview(interview_id=f"i{number}"), "seen"),
            codes.accept(code, "t", CALL, "changed"),
        ]
        assert not any(attempts)
        assert (replica if number % 2 else codes).accept(code, "t", CALL, "seen")
        assert not (replica if number % 2 else codes).accept(code, "t", CALL, "seen")
        refused_codes += len(attempts) + 1
    late = codes.mint("t", CALL, "seen")
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + confirmation.VALID + 1)
    assert not codes.accept(late, "t", CALL, "seen")
    assert refused_codes == 10_000


@pytest.mark.parametrize("code", ["", "x", "é" * 40, "A" * 38, "\x00" * 38, "=" * 38, "A" * 10_000])
def test_rubbish_is_no_code(code):
    assert not Codes(State()).accept(code, "t", CALL, "seen")

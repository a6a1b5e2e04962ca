"""record_decision: what a person decided, always asked first, by whom and after what, and in no words that name."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from mcp import Client
from sqlalchemy import select, update

from aural_mcp.backend.storage import store, tables
from aural_mcp.client.state import State
from aural_mcp.config import Narrowing
from aural_mcp.privacy.audit import AuditLog, read, verify
from aural_mcp.privacy.exposure import Exposure
from aural_mcp.server.access import access
from aural_mcp.server.principal import Role
from aural_mcp.workflows.decisions import kept
from conftest import MODES, make_world, ok, refused, text_of
from consenting import NO, YES, person, server_on
from scored import even, interview_with, sit
from signed_in import house
from signed_in import person as somebody
from viewed import APPS

WHY = "Explains trade-offs well, has run this at our size."
SAID = {"decision": "advance", "reason": WHY}


@pytest.fixture
async def agent(world):
    async with Client(world.server, read_timeout_seconds=30) as connected:
        yield connected


async def taken(agent, world, name="Robin Vega", **fields):
    """The id of a finished and scored session, and of its interview."""
    interview = await interview_with(agent)
    return sit(world, interview, name, even(7), **fields), interview


async def registered(agent, world, interview, session, **who):
    """The person of a session, registered with these facts."""
    (row,) = (await ok(agent, "create_candidates", interviewId=interview, candidates=[who]))["data"]
    with world.store.writing() as db:
        here = tables.candidates.c.id == row["id"]
        db.execute(update(tables.candidates).where(here).values(sessionId=session))
    return row["id"]


def wishes(world, session, at="2026-11-28T09:00:00.000000+00:00"):
    """Somebody who would rather speak with a person, or no longer does."""
    with world.store.writing() as db:
        here = tables.sessions.c.id == session
        db.execute(update(tables.sessions).where(here).values({tables.ASKS: at}))


def stored(world):
    with world.store.reading() as db:
        return [dict(row) for row in db.execute(select(tables.decisions)).mappings()]


async def decided(agent, session, **given):
    """Record a decision by a code, as a host without questions does."""
    given = {**SAID, "sessionId": session, **given}
    code = (await ok(agent, "record_decision", **given))["confirmation"]
    return await ok(agent, "record_decision", **given, confirmation=code)


# ── Asked first ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("confirm", ["ask", "never"])
@pytest.mark.parametrize("mode", MODES)
async def test_a_host_that_can_ask_is_asked_whatever_the_operator_set(agent, world, mode, confirm):
    session, _ = await taken(agent, world)
    asked = []
    server = server_on(world, confirm=confirm)
    async with Client(server, mode=mode, elicitation_callback=person([NO, YES], asked)) as host:
        assert "the user did not agree" in await refused(host, "record_decision", {"sessionId": session, **SAID})
        assert stored(world) == []
        made = await ok(host, "record_decision", sessionId=session, **SAID)
    assert asked[0] == asked[1]
    assert "Record this decision on “Robin Vega” of “Backend engineer”: advance?" in asked[0]
    assert f"“{WHY}”" in asked[0]
    assert (made["decision"], made["by"]) == ("advance", "not verified")
    (row,) = stored(world)
    assert (row["decision"], row["reason"], row["by"], row["verified"]) == ("advance", WHY, "", False)


@pytest.mark.parametrize("confirm", ["ask", "preview", "never"])
async def test_a_host_that_cannot_ask_gets_a_code_for_this_very_decision(agent, world, confirm):
    session, _ = await taken(agent, world)
    given = {"sessionId": session, **SAID}
    async with Client(server_on(world, confirm=confirm)) as host:
        code = (await ok(host, "record_decision", **given))["confirmation"]
        for other in ({"decision": "reject"}, {"reason": "Another."}):
            said = await refused(host, "record_decision", {**given, **other, "confirmation": code})
            assert "not made for this very call" in said
        assert stored(world) == []
        assert (await ok(host, "record_decision", **given, confirmation=code))["decision"] == "advance"
    assert len(stored(world)) == 1


async def test_a_host_that_draws_views_is_asked_there_and_its_model_gets_no_code(agent, world):
    session, _ = await taken(agent, world)
    given = {"sessionId": session, **SAID}
    async with Client(server_on(world, confirm="never"), extensions=APPS) as host:
        number = (await ok(host, "record_decision", **given))["approval"]["number"]
        call = {"tool": "record_decision", "arguments": given, "confirmation": number}
        seen = (await host.call_tool("approval", call)).structured_content
        assert f"“{WHY}”" in " ".join(seen["question"])
        yes = {**call, "confirmation": seen["confirmation"], "answer": "yes"}
        done = (await host.call_tool("approval", yes)).structured_content
    assert done["state"] == "done"
    assert len(stored(world)) == 1


async def test_what_changed_meanwhile_is_asked_about_again(agent, world):
    session, _ = await taken(agent, world)
    given = {"sessionId": session, **SAID}
    code = (await ok(agent, "record_decision", **given))["confirmation"]
    wishes(world, session)
    again = await agent.call_tool("record_decision", {**given, "confirmation": code})
    assert "the wish to speak with a person was changed since" in text_of(again)
    assert "Since 2026-11-28 they would rather speak with a person, and nobody closed that." in text_of(again)
    assert stored(world) == []


# ── One after the other ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)
async def test_a_later_decision_holds_and_the_earlier_one_stays_written_down(agent, world):
    session, interview = await taken(agent, world)
    await decided(agent, session, decision="hold", reason="Waits for the second round.")
    given = {"sessionId": session, "decision": "reject", "reason": "No answer on how it failed."}
    asked = await ok(agent, "record_decision", **given)
    assert "Before, it was hold, " in asked["remarks"][0]
    assert "“Waits for the second round.”" in asked["remarks"][0]
    made = await ok(agent, "record_decision", **given, confirmation=asked["confirmation"])
    assert made["earlier"].startswith("hold, ")
    due = (datetime.now(UTC) + timedelta(days=30)).date().isoformat()
    assert f"The candidate's explanation is due by {due}" in " ".join(made["remarks"])
    assert [row["decision"] for row in stored(world)] == ["hold", "reject"]
    (row,) = (await ok(agent, "list_sessions", interviewId=interview))["data"]
    assert row["decision"] == f"reject, {made['at'][:10]}, not verified"


async def test_the_same_again_within_minutes_is_told_as_such_and_not_asked(agent, world):
    session, _ = await taken(agent, world)
    first = await decided(agent, session)
    again = await ok(agent, "record_decision", sessionId=session, **SAID)
    assert again["at"] == first["at"]
    assert "nothing new was stored" in again["remarks"][0]
    assert len(stored(world)) == 1
    with world.store.writing() as db:
        db.execute(update(tables.decisions).values(at="2026-01-01T00:00:00.000000+00:00"))
    assert "confirmation" in await ok(agent, "record_decision", sessionId=session, **SAID)


# ── Whoever waits for a person is not turned down ───────────────────────────────────────────────


async def test_nobody_is_turned_down_while_they_wait_for_a_person(agent, world):
    session, _ = await taken(agent, world)
    wishes(world, session)
    given = {"sessionId": session, "decision": "reject", "reason": "Too little depth."}
    said = await refused(agent, "record_decision", given)
    assert "would rather speak with a person" in said
    assert "aural-mcp requests close" in said
    for decision in ("hold", "advance", "withdrawn", "hired"):
        await decided(agent, session, decision=decision)
    wishes(world, session, None)
    await decided(agent, session, decision="reject")
    assert [row["decision"] for row in stored(world)][-1] == "reject"


async def test_who_closed_nothing_between_question_and_yes_turns_nobody_down(agent, world):
    session, _ = await taken(agent, world)
    given = {"sessionId": session, "decision": "reject", "reason": "Too little depth."}
    code = (await ok(agent, "record_decision", **given))["confirmation"]
    wishes(world, session)
    assert "would rather" in await refused(agent, "record_decision", {**given, "confirmation": code})
    assert stored(world) == []


# ── Why, not whom ───────────────────────────────────────────────────────────────────────────────

TELLING = [
    "Robin is too junior.",
    "vega lacks depth",
    "R\u00f3bin answers late",
    "Wrote from robin@x.test twice.",
    "Asked to be called on +49 30 1234567.",
    "Rings from 030 1234567",
    "Weaker than Kim Quillfeather on scale.",
    "See kim@quill.test for who is better.",
]


@pytest.mark.parametrize("reason", TELLING)
async def test_a_reason_that_names_somebody_is_refused_and_nowhere_written(agent, world, tmp_path, reason):
    session, interview = await taken(agent, world, participantEmail="robin@x.test")
    await registered(agent, world, interview, session, name="Robin Vega", email="robin@x.test", phone="+49 30 1234567")
    await ok(agent, "create_candidates", interviewId=interview, candidates=[{"name": "Kim Quillfeather"}])
    path = tmp_path / "audit.jsonl"
    async with Client(server_on(world, audit=AuditLog(lambda: path))) as host:
        said = await refused(host, "record_decision", {"sessionId": session, "decision": "hold", "reason": reason})
    assert "Say why, not whom" in said
    assert reason not in path.read_text("utf-8")
    assert json.dumps(reason)[1:-1] not in path.read_text("utf-8")
    assert stored(world) == []


SPELLINGS = [
    ("Robin Vega", "See https://x.test/robin for more."),
    ("Robin Vega", "linkedin.com/in/rvega/vega"),
    ("김민준", "민준은 부족합니다"),
    ("田中 太郎", "太郎さんは経験が少ない"),
    ("田中 太郎", "田中さんは経験が少ない"),
    ("Łukasz Żółć", "Lukasz lacks depth"),
    ("Søren Ærø", "Soren lacks depth"),
    ("İsmail Işık", "Isik lacks depth"),
]


@pytest.mark.parametrize(("name", "reason"), SPELLINGS)
async def test_a_name_is_found_in_links_and_as_others_write_it(agent, world, name, reason):
    session, _ = await taken(agent, world, name)
    said = await refused(agent, "record_decision", {"sessionId": session, "decision": "hold", "reason": reason})
    assert "Say why, not whom" in said


@pytest.mark.parametrize("reason", ["Weaker than Quillfeather, Jürgen.", "Weaker than Juergen Quillfeather."])
async def test_the_whole_name_of_another_is_found_in_either_order_and_without_umlauts(agent, world, reason):
    session, interview = await taken(agent, world)
    await ok(agent, "create_candidates", interviewId=interview, candidates=[{"name": "Jürgen Quillfeather"}])
    said = await refused(agent, "record_decision", {"sessionId": session, "decision": "hold", "reason": reason})
    assert "Say why, not whom" in said


FINE = [
    "Young team, and a strong one.",
    "Kim asked better of both.",
    "8 of 10 on 2026-11-30.",
    "Robinson’s method.",
    "好",
]


@pytest.mark.parametrize("reason", FINE)
async def test_a_reason_that_names_nobody_is_taken_as_it_is(agent, world, reason):
    session, interview = await taken(agent, world)
    await ok(agent, "create_candidates", interviewId=interview, candidates=[{"name": "Kim Quillfeather"}])
    await decided(agent, session, reason=reason)
    assert stored(world)[0]["reason"] == reason


@pytest.mark.parametrize("reason", ["", "  ", "null", "\u200b", None, "x" * 201])
async def test_a_decision_needs_a_reason_of_its_own(agent, world, reason):
    session, _ = await taken(agent, world)
    said = await refused(agent, "record_decision", {"sessionId": session, "decision": "hold", "reason": reason})
    assert "reason" in said
    assert "call record_decision again" in said


async def test_where_every_reason_is_required_it_is_this_one(world):
    async with Client(server_on(world, require_reason=True)) as host:
        (tool,) = [each for each in (await host.list_tools()).tools if each.name == "record_decision"]
    assert tool.input_schema["required"] == ["sessionId", "decision", "reason"]


# ── By whom, and after what ─────────────────────────────────────────────────────────────────────


async def test_who_signed_in_decided_and_what_they_looked_at_is_kept(agent, world, tmp_path):
    session, interview = await taken(agent, world)
    path = tmp_path / "audit.jsonl"
    async with house(world, audit=AuditLog(lambda: path)) as there:
        async with there.agent(somebody(Role("all"), subject="ada")) as ada:
            await ok(ada, "compare_candidates", interviewId=interview)
            await ok(ada, "get_session", sessionId=session)
            await ok(ada, "get_session", sessionId=session)
        async with there.agent(somebody(Role("all"), subject="bo")) as bo:
            await ok(bo, "get_session_report", sessionId=session)
            made = await decided(bo, session)
        async with there.agent(somebody(Role("all"), subject="ada")) as ada:
            later = await decided(ada, session, decision="hold")
    assert (made["by"], [each.split()[0] for each in made["lookedAt"]]) == ("bo", ["get_session_report"])
    assert "remarks" not in made
    assert [each.split()[0] for each in later["lookedAt"]] == ["compare_candidates", "get_session"]
    assert [(row["by"], row["verified"], len(row["lookedAt"])) for row in stored(world)] == [
        ("bo", True, 1),
        ("ada", True, 2),
    ]
    lines = [each for each in read(path) if each and each.said["tool"] == "record_decision"]
    assert [(each.said["outcome"], each.said["confirmed"]) for each in lines] == [
        ("preview", None),
        ("done", "code"),
    ] * 2
    assert all(each.said["reason"] == WHY and each.ids["sessionId"] == session for each in lines)
    assert [each.said["verdict"] for each in lines] == ["advance", "advance", "hold", "hold"]
    assert "verdict hold" in str(lines[-1])
    assert verify(path).problems == []


async def test_a_log_that_is_long_is_read_from_its_end(agent, world, tmp_path):
    session, interview = await taken(agent, world)
    path = tmp_path / "audit.jsonl"
    async with Client(server_on(world, audit=AuditLog(lambda: path))) as host:
        await ok(host, "get_session", sessionId=session)
        one = path.read_bytes()
        await ok(host, "compare_candidates", interviewId=interview)
        made = await decided(host, session)
        assert [each.split()[0] for each in made["lookedAt"]] == ["get_session", "compare_candidates"]
        path.write_bytes(one + b"x" * 4_200_000 + b"\n" + path.read_bytes()[len(one) :])
        made = await decided(host, session, decision="hold")
    assert [each.split()[0] for each in made["lookedAt"]] == ["compare_candidates"]


async def test_a_role_that_only_reads_has_no_such_tool_and_one_of_other_interviews_finds_nobody(agent, world):
    session, _ = await taken(agent, world)
    async with Client(server_on(world, access=access(Narrowing(read_only=True)))) as reader:
        assert "record_decision" not in {each.name for each in (await reader.list_tools()).tools}
    async with house(world) as there:
        given = {"sessionId": session, **SAID}
        async with there.agent(somebody(Role("all"), writes=False)) as bo:
            assert "may only read" in await refused(bo, "record_decision", given)
        async with there.agent(somebody(Role("some", Narrowing(), frozenset([store.new_id()])))) as cy:
            assert "There is no session with this id" in await refused(cy, "record_decision", given)
    assert stored(world) == []


# ── Where nobody is named ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("mode", ["blind", "lockdown"])
async def test_where_nobody_is_named_a_decision_is_recorded_all_the_same(agent, world, mode):
    session, interview = await taken(agent, world)
    await decided(agent, session, decision="hold", reason="She waits for the panel.")
    asked = []
    server = server_on(world, exposure=Exposure(**{mode: True}))
    async with Client(server, elicitation_callback=person([YES], asked)) as host:
        said = await refused(host, "record_decision", {"sessionId": session, **SAID, "reason": "Robin shines."})
        made = await ok(host, "record_decision", sessionId=session, **SAID)
        (row,) = (await ok(host, "list_sessions", interviewId=interview))["data"]
        alone = await ok(host, "get_session", sessionId=session)
        report = await ok(host, "get_session_report", sessionId=session)
    told = json.dumps([asked, said.replace("Robin", ""), made, row, alone, report], ensure_ascii=False)
    assert "Robin" not in told
    assert "Vega" not in told
    assert "She waits" not in told
    assert "Candidate " in asked[0]
    assert row["decision"].startswith("advance, ")
    assert alone["decision"] == report["decision"] == row["decision"]
    assert (alone.get("decisionReason", ""), report.get("decisionReason", "")) == (
        (WHY, WHY) if mode == "blind" else ("", "")
    )


# ── A backend that stores none ──────────────────────────────────────────────────────────────────


@pytest.fixture
def cloud(database):
    """A workspace that answers as Aural does."""
    made = make_world(database, generation=2)
    yield made
    made.store.close()


async def test_where_the_backend_stores_none_this_computer_keeps_the_latest(cloud, tmp_path):
    path = tmp_path / "audit.jsonl"
    server = server_on(cloud, state=State(lambda: tmp_path / "state.db"), audit=AuditLog(lambda: path))
    async with Client(server, read_timeout_seconds=30) as host:
        session, interview = await taken(host, cloud)
        other = sit(cloud, interview, "Kim", even(3))
        await decided(host, session, decision="hold")
        made = await decided(host, session, decision="reject", reason="Too little depth [now](https://x.test).")
        assert "kept here beside it" in " ".join(made["remarks"])
        assert made["earlier"].startswith("hold, ")
        rows = {row["id"]: row for row in (await ok(host, "list_sessions", interviewId=interview))["data"]}
        assert (rows[session]["decision"], rows[other].get("decision")) == (
            f"reject, {made['at'][:10]}, not verified",
            None,
        )
        alone = await ok(host, "get_session", sessionId=session)
        assert "https://x.test" not in json.dumps(alone)
        assert alone["decisionReason"].startswith("Too little depth")
        waited = await ok(host, "wait_for_sessions", interviewId=interview)
        assert [each["sessionId"] for each in waited["attention"]["explanationsDue"]] == [session]
        nobody = await refused(host, "record_decision", {"sessionId": store.new_id(), **SAID})
        assert "list_sessions" in nobody
    assert stored(cloud) == []
    assert list(await kept(server.clients.client_for(None)).all()) == [session]
    verdicts = [each.said.get("verdict") for each in read(path) if each and each.said["tool"] == "record_decision"]
    assert verdicts[:4] == ["hold", "hold", "reject", "reject"]


async def test_where_nothing_can_be_kept_nothing_is_said_to_be(cloud, agent_of_the_cloud, tmp_path):
    (tmp_path / "state").mkdir()
    server = server_on(cloud, state=State(lambda: tmp_path / "state"))
    session = agent_of_the_cloud
    async with Client(server) as host:
        code = (await ok(host, "record_decision", sessionId=session, **SAID)).get("confirmation")
        said = await refused(host, "record_decision", {"sessionId": session, **SAID, "confirmation": code})
    assert "would be forgotten" in said or "AURAL_DATA_DIR" in said


@pytest.fixture
async def agent_of_the_cloud(cloud):
    async with Client(cloud.server) as host:
        return (await taken(host, cloud))[0]

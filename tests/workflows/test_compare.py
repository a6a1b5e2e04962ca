"""Candidates side by side: what is computed is right, what is missing is said, and nobody is ranked on less."""

import json
import random
import statistics

import anyio
import httpx
import pytest
from mcp import Client

from aural_mcp.client.client import AuralClient
from aural_mcp.privacy.exposure import Exposure
from aural_mcp.server.principal import OneClient
from aural_mcp.server.server import AuralServer
from conftest import KEY, ORIGIN, ok, refused, text_of
from rows import add_session, interview_of, soon, tokens
from scored import CRITERIA, QUESTIONS, SAID, analysis, even, interview_with, scored_by_chance, sit
from wires import counting


def row_of(compared, name):
    return next(row for row in compared["candidates"] if row["name"] == name)


@pytest.fixture
async def reader(world):
    """One agent: what a tool answers does not depend on the protocol."""
    async with Client(world.server) as connected:
        yield connected


async def test_60_means_and_ranks_are_those_of_the_statistics_module_in_4_requests_and_6000_tokens(agent, world):
    interview = await interview_with(agent)
    scores, seen = scored_by_chance(world, interview, 60), []
    async with Client(AuralServer(OneClient(counting(world, seen)), backend="T.")) as counted:
        result = await counted.call_tool("compare_candidates", {"interviewId": interview})
    compared = result.structured_content
    means = {session: statistics.mean(given.values()) for session, given in scores.items()}
    assert {row["sessionId"] for row in compared["candidates"]} == means.keys()
    for row in compared["candidates"]:
        mean = means[row["sessionId"]]
        assert abs(row["mean"] - mean) <= 1e-12
        assert row["rank"] == 1 + sum(other > mean + 1e-9 for other in means.values())
        assert [row[f"Q{number}"] for number in range(1, 6)] == list(scores[row["sessionId"]].values())
    assert compared["ranked"] is True
    assert [row["rank"] for row in compared["candidates"]] == sorted(row["rank"] for row in compared["candidates"])
    assert len(seen) <= 4
    assert tokens(text_of(result)) <= 6_000
    assert tokens(compared) <= 6_000


async def test_blind_60_cost_4_requests_too_and_nobody_is_named(reader, world):
    interview = await interview_with(reader)
    scored_by_chance(world, interview, 60)
    seen = []
    clients = OneClient(counting(world, seen))
    async with Client(AuralServer(clients, backend="T.", exposure=Exposure(blind=True))) as blind:
        result = await blind.call_tool("compare_candidates", {"interviewId": interview})
    assert len(seen) <= 4
    assert "Person" not in text_of(result) + json.dumps(result.structured_content)
    assert all(row["name"].startswith("Candidate ") for row in result.structured_content["candidates"])
    assert result.structured_content["ranked"] is True


async def test_with_one_who_is_not_scored_it_says_so_and_ranks_nobody(agent, world):
    interview = await interview_with(agent)
    sit(world, interview, "Ann Lee", even(8))
    sit(world, interview, "Bo Ek", None)
    result = await agent.call_tool("compare_candidates", {"interviewId": interview})
    compared = result.structured_content
    assert compared["ranked"] is False
    assert all("rank" not in row for row in compared["candidates"])
    assert compared["unsound"] == [
        "Without any score: “Bo Ek”. That is no low score: have them scored, or leave them out with sessionIds."
    ]
    assert (row_of(compared, "Bo Ek")["mean"], row_of(compared, "Bo Ek")["Q1"]) == (None, None)
    assert row_of(compared, "Bo Ek")["notScored"] == "C1, C2, C3, C4, Q1, Q2, Q3, Q4, Q5"
    assert "Remark: Nobody is ranked" in text_of(result)
    assert "C1, C2, C3, C4, Q1, Q2, Q3, Q4, Q5; no score" in text_of(result)


async def test_without_them_the_others_are_ranked(reader, world):
    interview = await interview_with(reader)
    ann, cy = sit(world, interview, "Ann Lee", even(8)), sit(world, interview, "Cy Fox", even(9))
    sit(world, interview, "Bo Ek", None)
    compared = await ok(reader, "compare_candidates", interviewId=interview, sessionIds=[ann, cy])
    assert [(row["name"], row["rank"]) for row in compared["candidates"]] == [("Cy Fox", 1), ("Ann Lee", 2)]


async def test_equal_means_share_a_rank_however_they_come_about(reader, world):
    interview = await interview_with(reader)
    one = dict(zip(QUESTIONS, (7.1, 7.2, 7.3, 7.4, 7.5), strict=True))
    other = dict(zip(QUESTIONS, (7.5, 7.1, 7.4, 7.2, 7.3), strict=True))
    for name, given in (("Ann", one), ("Bo", dict.fromkeys(QUESTIONS, 9)), ("Cy", other)):
        sit(world, interview, name, analysis(given, dict.fromkeys(CRITERIA, 5)))
    sit(world, interview, "Di", even(3))
    compared = await ok(reader, "compare_candidates", interviewId=interview)
    ranks = [(row["name"], row["rank"]) for row in compared["candidates"]]
    assert ranks == [("Bo", 1), ("Ann", 2), ("Cy", 2), ("Di", 4)]
    assert any("less than half a point" in remark for remark in compared["remarks"])


async def test_a_score_of_null_is_not_scored_and_0_is_a_score(agent, world):
    interview = await interview_with(agent)
    sit(
        world, interview, "Zero", analysis({**dict.fromkeys(QUESTIONS, 8), QUESTIONS[1]: 0}, dict.fromkeys(CRITERIA, 8))
    )
    sit(
        world,
        interview,
        "Null",
        analysis({**dict.fromkeys(QUESTIONS, 8), QUESTIONS[1]: None}, dict.fromkeys(CRITERIA, 8)),
    )
    result = await agent.call_tool("compare_candidates", {"interviewId": interview})
    zero, null = (row_of(result.structured_content, name) for name in ("Zero", "Null"))
    assert (zero["Q2"], zero["mean"], zero["coverage"], zero.get("notScored")) == (0, 6.4, "5 of 5", None)
    assert (null["Q2"], null["mean"], null["coverage"], null["notScored"]) == (None, 8, "4 of 5", "Q2")
    head, zeros, nulls = text_of(result).partition("candidates [")[2].splitlines()[:3]
    assert zeros.split("; ")[head.split("; ").index("Q2")] == "0"
    assert "Q2" in nulls.split("; ")
    assert result.structured_content["ranked"] is False


@pytest.mark.parametrize("score", [True, "9", float("nan"), [9]])
async def test_what_is_no_number_is_no_score(reader, world, score):
    interview = await interview_with(reader)
    sit(world, interview, "Ann", even(score))
    compared = await ok(reader, "compare_candidates", interviewId=interview)
    assert compared["candidates"][0]["mean"] is None


async def test_another_rubric_is_named_and_nobody_is_ranked(reader, world):
    interview = await interview_with(reader)
    sit(world, interview, "Ann", even(8))
    old = analysis({**dict.fromkeys(QUESTIONS[1:], 9), "Why us?": 9}, dict.fromkeys((*CRITERIA[1:], "Charm"), 9))
    sit(world, interview, "Bo", old)
    compared = await ok(reader, "compare_candidates", interviewId=interview)
    assert compared["ranked"] is False
    assert row_of(compared, "Bo")["unsound"] == "missing scores, other rubric"
    assert row_of(compared, "Bo")["notScored"] == "C1, Q1"
    assert "unsound" not in row_of(compared, "Ann")


async def test_a_changed_rubric_has_another_version(reader, world):
    interview = await interview_with(reader)
    before = (await ok(reader, "compare_candidates", interviewId=interview))["rubricVersion"]
    assert (await ok(reader, "compare_candidates", interviewId=interview))["rubricVersion"] == before
    question = (await ok(reader, "list_questions", interviewId=interview))["data"][0]["id"]
    await ok(reader, "update_question", questionId=question, text="What did you build first?")
    assert (await ok(reader, "compare_candidates", interviewId=interview))["rubricVersion"] != before


async def test_a_question_is_known_by_its_words_whoever_wrote_them_down(reader, world):
    questions = ("What did you do? See https://wiki.test/x", "What would he do next?", "Why?", "Why?")
    interview = await interview_with(reader, questions, ())
    written = (questions[0], "2. what would HE do next", "Why?", "Why?")
    scores = zip(written, (5, 6, 7, 8), strict=True)
    rows = [{"question": text, "score": score, "evaluation": "E"} for text, score in scores]
    sit(world, interview, "Ann", {"questionEvaluations": rows})
    for seen in (Exposure(), Exposure(lockdown=True), Exposure(blind=True)):
        async with Client(AuralServer(OneClient(world.client), backend="T.", exposure=seen)) as agent:
            row = (await ok(agent, "compare_candidates", interviewId=interview))["candidates"][0]
        known = (5, None, 7, 8) if seen.lockdown else (5, 6, 7, 8)
        assert tuple(row[f"Q{number}"] for number in range(1, 5)) == known, seen


async def test_criteria_that_nobody_scored_keep_nobody_from_being_ranked(reader, world):
    interview = await interview_with(reader)
    for name, score in (("Ann", 7), ("Bo", 6)):
        sit(world, interview, name, analysis(dict.fromkeys(QUESTIONS, score)))
    compared = await ok(reader, "compare_candidates", interviewId=interview)
    assert [row["rank"] for row in compared["candidates"]] == [1, 2]
    assert compared["candidates"][0]["notScored"] == "C1, C2, C3, C4"


async def test_who_is_not_finished_is_left_out_and_said_or_unsound_when_asked_for(reader, world):
    interview = await interview_with(reader)
    ann = sit(world, interview, "Ann", even(8))
    bo = sit(world, interview, "Bo", None, status="IN_PROGRESS")
    compared = await ok(reader, "compare_candidates", interviewId=interview)
    assert [row["name"] for row in compared["candidates"]] == ["Ann"]
    assert "Not compared, as they are not finished: 1 IN_PROGRESS." in compared["remarks"]
    asked = await ok(reader, "compare_candidates", interviewId=interview, sessionIds=[ann, bo])
    assert (asked["ranked"], row_of(asked, "Bo")["unsound"]) == (False, "not finished")


async def test_short_and_garbled_transcripts_are_unsound(reader, world):
    interview = await interview_with(reader)
    sit(world, interview, "Short", even(8), turns=["Q", "A"])
    sit(world, interview, "Few", even(8), turns=[turn for text in QUESTIONS for turn in (text, "Yes.")])
    sit(world, interview, "Loop", even(8), turns=[turn for text in QUESTIONS for turn in (text, "thank you " * 20)])
    sit(
        world,
        interview,
        "Lost",
        even(8),
        turns=[turn for text in QUESTIONS for turn in (text, f"{SAID} � � [inaudible]")],
    )
    sit(
        world,
        interview,
        "语",
        even(8),
        turns=[turn for text in QUESTIONS for turn in (text, "我写了一个队列，后来磁盘坏了。")],
    )
    listed = await ok(reader, "compare_candidates", interviewId=interview)
    assert {row["name"]: row["unsound"] for row in listed["candidates"] if "unsound" in row} == {"Short": "very short"}
    read = await ok(reader, "compare_candidates", interviewId=interview, quotes=True)
    assert {row["name"]: row["unsound"] for row in read["candidates"] if "unsound" in row} == {
        "Short": "very short",
        "Few": "very short",
        "Loop": "garbled",
        "Lost": "garbled",
    }
    assert read["ranked"] is False


async def test_different_scorers_are_named(reader, world):
    interview = await interview_with(reader)
    sit(world, interview, "Ann", even(8))
    sit(world, interview, "Bo", even(7, scoredBy={"kind": "agent", "name": "Claude", "at": "2026-01-01"}))
    compared = await ok(reader, "compare_candidates", interviewId=interview)
    assert compared["scorers"] == ["Aural: 1", "Claude: 1"]
    assert row_of(compared, "Bo")["scoredBy"] == "Claude"
    assert (compared["ranked"], any("scales may differ" in each for each in compared["remarks"])) == (True, True)


# ── Quotes ──────────────────────────────────────────────────────────────────────────────────────


async def test_a_quote_is_the_candidates_own_turn_that_the_evidence_or_a_highlight_names_and_never_made_up(
    reader, world
):
    interview = await interview_with(reader, QUESTIONS[:3], CRITERIA[:1])
    rows = [
        {"question": QUESTIONS[0], "score": 7, "evidence": [1, 4, 2]},
        {"question": QUESTIONS[1], "score": 7, "highlights": ["Replaced the disk!"]},
        {"question": QUESTIONS[2], "score": 7, "highlights": ["Was warm and kind"], "evidence": [99, 0, None]},
    ]
    turns = [QUESTIONS[0], SAID, QUESTIONS[1], "Then I replaced every disk, and the alarm too.", QUESTIONS[2], SAID * 5]
    rated = [{"name": CRITERIA[0], "score": 6, "reasoning": "R", "evidence": [6]}]
    sit(world, interview, "Ann", {"questionEvaluations": rows, "criteriaEvaluations": rated}, turns)
    quotes = (await ok(reader, "compare_candidates", interviewId=interview, quotes=True))["candidates"][0]["quotes"]
    named = [(each["columns"], each["turn"], each.get("byRule")) for each in quotes]
    assert named == [("C1, Q3", 6, "Q3"), ("Q1, Q2", 4, None)]
    assert quotes[1]["said"] == turns[3]
    assert quotes[0]["said"].startswith("I built the queue")
    assert quotes[0]["said"].endswith("…")
    assert all(len(each["said"]) <= 120 for each in quotes)


async def test_quotes_of_many_come_in_pages_and_each_candidate_once(reader, world):
    interview = await interview_with(reader)
    chance = random.Random(3)
    names = [f"Person {number}" for number in range(40)]
    for name in names:
        turns = [turn for text in QUESTIONS for turn in (text, f"{name} {chance.random()}: {SAID}")]
        rows = [{"question": text, "score": 7, "evidence": [2 * at + 2]} for at, text in enumerate(QUESTIONS)]
        sit(world, interview, name, {"questionEvaluations": rows}, turns)
    seen, cursor, pages = [], {}, 0
    while True:
        result = await reader.call_tool("compare_candidates", {"interviewId": interview, "quotes": True, **cursor})
        page = result.structured_content
        assert tokens(text_of(result)) <= 9_000
        assert page["ranked"] is False
        assert all("rank" not in row for row in page["candidates"])
        assert any("transcripts were read in this call" in each for each in page["unsound"])
        seen += [row["name"] for row in page["candidates"]]
        pages += 1
        if not page.get("cursor"):
            break
        assert f"{40 - len(seen)} of 40 remain; call again with the same arguments and cursor" in text_of(result)
        cursor = {"cursor": page["cursor"]}
    assert (seen, pages > 1) == (names, True)


async def test_when_the_budget_ends_it_ranks_nobody_and_goes_on_exactly_there(reader, world):
    interview = await interview_with(reader)
    for number in range(9):
        sit(world, interview, f"Person {number}", even(7))
    seen, cursor = [], {}
    for _ in range(4):
        transport = httpx.ASGITransport(world.app)
        poor = AuralClient(KEY, f"{ORIGIN}/api/v1", requests_per_minute=7, transport=transport)
        async with Client(AuralServer(OneClient(poor), backend="T.")) as agent:
            page = await ok(agent, "compare_candidates", interviewId=interview, quotes=True, **cursor)
        seen += [row["name"] for row in page["candidates"]]
        assert page["ranked"] is False
        if not page.get("cursor"):
            break
        assert any(f"{9 - len(seen)} of 9 remain; call again in N s" in soon(each) for each in page["remarks"])
        cursor = {"cursor": page["cursor"]}
    assert seen == [f"Person {number}" for number in range(9)]


async def test_when_the_budget_ends_before_the_list_does_it_says_that_who_is_missing_is_not_known(reader, world):
    interview = await interview_with(reader)
    for number in range(101):
        sit(world, interview, f"Person {number}", even(7), turns=["Q", "A", "R", "B", "S"])
    transport = httpx.ASGITransport(world.app)
    poor = AuralClient(KEY, f"{ORIGIN}/api/v1", requests_per_minute=2, transport=transport)
    async with Client(AuralServer(OneClient(poor), backend="T.")) as agent:
        compared = await ok(agent, "compare_candidates", interviewId=interview)
    assert compared["ranked"] is False
    assert compared["unsound"] == ["Time or budget ended before all sessions were listed: who is missing is not known."]
    assert "Not everybody could be listed: call again in N s with the same arguments." in soon(compared["remarks"])


async def test_in_lockdown_there_are_scores_and_no_words(reader, world):
    interview = await interview_with(reader)
    rows = [{"question": text, "score": 7, "evidence": [2]} for text in QUESTIONS]
    sit(world, interview, "Ann Lee", {"questionEvaluations": rows})
    async with Client(AuralServer(OneClient(world.client), backend="T.", exposure=Exposure(lockdown=True))) as agent:
        result = await agent.call_tool("compare_candidates", {"interviewId": interview, "quotes": True})
    assert "4,000" not in text_of(result)
    assert "In lockdown nobody's words are shown" in text_of(result)
    assert result.structured_content["candidates"][0]["Q1"] == 7


async def test_an_id_that_is_not_of_the_interview_and_a_strange_cursor_are_refused(reader, world):
    interview, other = await interview_with(reader), "3f0c3f0e-0000-4000-8000-000000000000"
    sit(world, interview, "Ann", even(8))
    said = await refused(reader, "compare_candidates", {"interviewId": interview, "sessionIds": [other]})
    assert f"This interview has no session “{other}”. Take ids from list_sessions" in said
    assert "Omit it" in await refused(reader, "compare_candidates", {"interviewId": interview, "cursor": other})


async def test_nobody_to_compare_is_said(reader, world):
    compared = await ok(reader, "compare_candidates", interviewId=await interview_with(reader))
    assert (compared["ranked"], compared["candidates"]) == (False, [])
    assert "There is nobody to compare: no session is finished." in compared["remarks"]


async def test_the_host_is_told_how_far_the_reading_is(reader, world):
    interview = await interview_with(reader)
    for number in range(3):
        sit(world, interview, f"Person {number}", even(7))
    told = []

    async def progress(done, total, said):
        told.append((done, total, said))

    given = {"interviewId": interview, "quotes": True}
    await reader.call_tool("compare_candidates", given, progress_callback=progress)
    await anyio.wait_all_tasks_blocked()
    assert told[-1] == (3, 3, "3 of 3 candidates")


async def test_two_of_one_name_are_told_apart_by_addresses_that_cannot_fire(agent, world):
    interview = await interview_of(agent)
    for number in (1, 2):
        who = {"participantName": "Ana Silva", "participantEmail": f"ana{number}@mail.test"}
        add_session(world, interview, ["Q", "A"], status="COMPLETED", **who)
    rows = (await ok(agent, "compare_candidates", interviewId=interview))["candidates"]
    assert [row["name"] for row in rows] == ["Ana Silva (ana1@mail[.]test)", "Ana Silva (ana2@mail[.]test)"]

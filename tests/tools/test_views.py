"""Lists as tables, transcripts in pages: small enough to read, whole when walked."""

import json
import re

import httpx
import pytest
from mcp import Client

from aural_mcp.api.operations import GetPracticeReport, GetUsage, ListPracticeSessions
from aural_mcp.backend.storage import tables
from aural_mcp.client.client import AuralClient
from aural_mcp.server import results, tools
from aural_mcp.server.principal import OneClient
from aural_mcp.server.results import NOTICE
from aural_mcp.server.server import AuralServer
from aural_mcp.tools.sessions import overall_score
from conftest import KEY, ORIGIN, ok, refused, text_of
from rows import add_session, interview_of, tokens

TOKENS = 4
"""Bytes; as design and bench count."""


async def walked(agent, session, **arguments):
    """Every page of a transcript, by following nextTurn."""
    pages, start = [], 1
    while start:
        result = await agent.call_tool("get_session", {"sessionId": session, "fromTurn": start, **arguments})
        assert not result.is_error, text_of(result)
        pages.append(result)
        start = result.structured_content.get("nextTurn")
    return pages


async def test_a_page_of_a_long_transcript_costs_at_most_8000_tokens_and_walking_gives_every_turn_once(agent, world):
    words = [f"{number}: " + "I designed the consumer side and ran it for two years. " * 5 for number in range(400)]
    session = add_session(world, await interview_of(agent), words, summary="A summary. " * 40)
    pages = await walked(agent, session)
    for page in pages:
        assert tokens(text_of(page)) <= 8000
        assert tokens(page.structured_content) <= 8000
    turns = [turn for page in pages for turn in page.structured_content["messages"]]
    assert [turn["turn"] for turn in turns] == list(range(1, 401))
    assert [turn["content"] for turn in turns] == words
    assert len(pages) <= 8
    first = pages[0].structured_content["messages"]
    assert f"Transcript, turns 1 to {len(first)} of 400. For the rest call again with fromTurn" in text_of(pages[0])
    assert f"**{len(first) + 1}. " in text_of(pages[1])


async def test_pages_can_be_made_smaller_and_begin_anywhere(agent, world):
    session = add_session(world, await interview_of(agent), [str(number) for number in range(10)])
    pages = await walked(agent, session, maxTurns=4)
    assert [[turn["turn"] for turn in page.structured_content["messages"]] for page in pages] == [
        [1, 2, 3, 4],
        [5, 6, 7, 8],
        [9, 10],
    ]
    beyond = await ok(agent, "get_session", sessionId=session, fromTurn=11)
    assert (beyond["messages"], beyond["turns"], beyond.get("nextTurn")) == ([], 10, None)
    assert "fromTurn must be greater than" in await refused(agent, "get_session", {"sessionId": session, "fromTurn": 0})


@pytest.mark.parametrize("text", ["x" * 200_000, "\n" * 100_000, '"' * 100_000, "語" * 60_000])
async def test_a_turn_that_is_too_long_by_itself_is_cut_and_says_where_the_whole_is(agent, world, text):
    session = add_session(world, await interview_of(agent), ["Q", text, "R"])
    pages = await walked(agent, session)
    assert all(max(tokens(text_of(page)), tokens(page.structured_content)) <= 8000 for page in pages)
    turns = [turn for page in pages for turn in page.structured_content["messages"]]
    assert [turn["turn"] for turn in turns] == [1, 2, 3]
    assert f"the whole turn stands in aural://sessions/{session}/transcript" in turns[1]["content"]
    whole = (await agent.read_resource(f"aural://sessions/{session}/transcript")).contents[0].text
    assert whole.count(text[0]) >= len(text)


async def test_sessions_are_a_table_with_score_and_mood(agent, world):
    interview = await interview_of(agent)
    scored = {"questionEvaluations": [{"question": "Q", "score": 8}, {"question": "R", "score": 7.5}]}
    fields = {"status": "COMPLETED", "participantName": "Ann", "participantEmail": "ann@x.test"}
    add_session(world, interview, ["Q", "A"], insights=scored, sentiment={"overall": "positive"}, **fields)
    result = await agent.call_tool("list_sessions", {"interviewId": interview})
    row = result.structured_content["data"][0]
    assert (row["turns"], row["overallScore"], row["sentiment"]) == (2, 7.75, "positive")
    assert "participantName: Ann" in text_of(result)
    assert "overallScore: 7.75" in text_of(result)
    assert "insights" not in row
    full = (await ok(agent, "list_sessions", interviewId=interview, detail="full"))["data"][0]
    assert full["insights"] == scored


async def test_500_sessions_can_be_searched_and_a_page_of_20_is_small(agent, world):
    interview = await interview_of(agent)
    for number in range(250):
        status = "COMPLETED" if number % 50 == 0 else "ABANDONED"
        add_session(world, interview, status=status, participantName=f"Person {number}", summary="Long. " * 200)
    result = await agent.call_tool("list_sessions", {"interviewId": interview, "limit": 20})
    assert tokens(text_of(result)) <= 1500
    assert tokens(result.structured_content) <= 2000
    found = await ok(agent, "list_sessions", interviewId=interview, status="COMPLETED")
    assert [row["participantName"] for row in found["data"]] == [f"Person {n}" for n in (200, 150, 100, 50, 0)]
    assert (found["lookedAt"], found.get("cursor")) == (250, None)
    assert found["counted"] == {"ABANDONED": 245, "COMPLETED": 5}
    assert "remarks" not in found
    one = await agent.call_tool("list_sessions", {"interviewId": interview, "name": "person 77"})
    assert [row["participantName"] for row in one.structured_content["data"]] == ["Person 77"]
    assert "1 row, found among 250 looked at: 245 ABANDONED, 5 COMPLETED." in text_of(one)
    assert "20 rows: 20 ABANDONED. More follow" in text_of(result)


async def test_a_filtered_list_goes_on_where_it_stopped(agent, world):
    interview = await interview_of(agent)
    for number in range(9):
        add_session(world, interview, status="COMPLETED" if number % 2 else "ABANDONED", participantName=str(number))
    seen, cursor = [], {}
    while True:
        page = await ok(agent, "list_sessions", interviewId=interview, status="ABANDONED", limit=2, **cursor)
        seen += [row["participantName"] for row in page["data"]]
        if page.get("cursor") is None:
            break
        cursor = {"cursor": page["cursor"]}
    assert seen == ["8", "6", "4", "2", "0"]


async def test_candidates_are_shown_without_what_invites_bias_and_never_with_their_token(agent, world):
    interview = await interview_of(agent)
    person = {"name": "Ann", "email": "ann@x.test", "gender": "female", "birthday": "1990-01-01", "notes": "Referred"}
    made = await agent.call_tool("create_candidates", {"interviewId": interview, "candidates": [person]})
    link = made.structured_content["data"][0]["inviteUrl"]
    result = await agent.call_tool("list_candidates", {"interviewId": interview})
    row = result.structured_content["data"][0]
    assert (row["name"], row["email"]) == ("Ann", "ann@x.test")
    assert (row["status"], row["hasInviteLink"]) == ("NOT_BEGUN", True)
    for kept in ("female", "1990-01", "Referred", link.rsplit("/", 1)[1]):
        assert kept not in text_of(result) + json.dumps(result.structured_content)
    asked = {"interviewId": interview, "include": ["inviteUrl", "gender"]}
    more = (await ok(agent, "list_candidates", **asked))["data"][0]
    assert (more["inviteUrl"], more["gender"]) == (link, "female")
    assert "birthday" not in more
    for shown in (made, await agent.call_tool("list_candidates", asked)):
        assert "inviteToken" not in text_of(shown) + json.dumps(shown.structured_content)


async def test_publishing_says_what_is_missing_and_nothing_when_nothing_is(agent):
    empty = await interview_of(agent)
    said = (await ok(agent, "publish_interview", interviewId=empty))["remarks"]
    assert "no questions yet" in said[0]
    assert "no assessmentCriteria" in said[1]
    criteria = [{"name": "n", "description": "d"}]
    whole = (await ok(agent, "create_interview", title="T", assessmentCriteria=criteria))["id"]
    await ok(agent, "create_questions", interviewId=whole, questions=[{"text": "Q"}])
    untold, said = (await ok(agent, "publish_interview", interviewId=whole))["remarks"]
    assert untold == (
        "Candidates are not told whom they can ask (AURAL_CONTACT) or who invites them (AURAL_ORGANIZATION)."
    )
    assert said == (
        "Candidates first see: 1 question, in writing, no time limit, in “en”; "
        "that an AI asks, that answers are recorded."
    )


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("de-AT", None),
        ("ar", None),
        ("it", "page is not in “it”: around your own words it speaks English. It has en, zh, de, fr, es, pt, ja, ar."),
        ("zh-Hant", "page is in simplified Chinese only"),
    ],
)
async def test_publishing_says_what_candidates_see_and_what_a_local_page_does_not_do(world, language, said):
    local = AuralClient(KEY, f"{ORIGIN}/api/v1", transport=httpx.ASGITransport(world.app), tenant="this process")
    settings = {"language": language, "voiceEnabled": True, "timeLimitMinutes": 1, "antiCheatingEnabled": True}
    rubric = [{"name": "n", "description": "d"}]
    async with Client(AuralServer(OneClient(local), backend="T.", confirm="never")) as agent:
        made = await ok(agent, "create_interview", title="T", assessmentCriteria=rubric, **settings)
        await ok(agent, "create_questions", interviewId=made["id"], questions=[{"text": "Was?"}])
        _, first, *more = (await ok(agent, "publish_interview", interviewId=made["id"]))["remarks"]
    assert f"1 question, in writing, at most 1 minute, in “{language}”" in first
    assert "that follow-ups are prepared (or that an AI asks, where AURAL_LLM_MODEL is set)" in first
    assert "leaving the page and pasting are logged" in first
    assert "in writing only: voice" in more.pop()
    assert [said in each for each in more] == ([True] if said else [])


async def test_usage_says_that_there_is_no_limit(agent):
    assert "templates:\n  used: 0\n  limit: none" in text_of(await agent.call_tool("get_usage", {}))


async def test_the_state_of_an_interview_is_a_word(agent, world):
    invited, public, archived = [await interview_of(agent, title) for title in "abc"]
    await ok(agent, "publish_interview", interviewId=public)
    await ok(agent, "archive_interview", interviewId=archived)
    states = {row["id"]: row["state"] for row in (await ok(agent, "list_interviews"))["data"]}
    assert states == {invited: "by invitation", public: "public", archived: "archived"}


@pytest.mark.parametrize(
    ("insights", "score"),
    [
        (None, None),
        ([], None),
        ({"questionEvaluations": []}, None),
        ({"questionEvaluations": [{"score": None}], "criteriaEvaluations": [{"score": 6}, {"score": 7}]}, 6.5),
        ({"questionEvaluations": [{"score": 9}, {"score": None}], "criteriaEvaluations": [{"score": 1}]}, 9),
        ({"questionEvaluations": ["odd", {"score": True}, {"score": "8"}]}, None),
        ({"questionEvaluations": {"score": 8}}, None),
    ],
)
def test_the_overall_score_is_the_mean_of_what_was_scored_and_never_zero_for_nothing(insights, score):
    assert overall_score(insights) == score


async def test_interviews_are_found_by_title_and_by_what_is_missing(agent, world):
    full, empty, archived = [await interview_of(agent, title) for title in ("Backend engineer", "Sales", "Back office")]
    await ok(agent, "create_questions", interviewId=full, questions=[{"text": "Q"}])
    add_session(world, full)
    await ok(agent, "archive_interview", interviewId=archived)

    async def found(**given):
        table = await ok(agent, "list_interviews", **given)
        assert table["lookedAt"] == 3
        return {row["id"] for row in table["data"]}

    assert await found(title="back") == {full, archived}
    assert await found(only="archived") == {archived}
    assert await found(only="byInvitation") == {full, empty}
    assert await found(only="noQuestions") == {empty, archived}
    assert await found(only=["archived", "noQuestions"]) == {empty, archived}
    assert await found(only="noSessions", title="sales") == {empty}


async def test_archiving_says_what_becomes_of_the_links(agent):
    done = await ok(agent, "archive_interview", interviewId=await interview_of(agent))
    assert "Its links, public and private, take nobody from now on" in done["remarks"][0]


async def test_walking_a_list_gives_every_interview_once(agent):
    made = {await interview_of(agent, f"T{number}") for number in range(7)}
    seen, cursor = [], {}
    while True:
        page = await ok(agent, "list_interviews", limit=3, **cursor)
        seen += [row["id"] for row in page["data"]]
        if page["cursor"] is None:
            break
        cursor = {"cursor": page["cursor"]}
    assert sorted(seen) == sorted(made)


async def test_an_interview_is_shown_as_the_tools_that_change_it_name_it(agent):
    made = (await ok(agent, "create_interview", title="T", timeLimitMinutes=30))["id"]
    question = {"text": "Which?", "type": "SINGLE_CHOICE", "options": ["a", "b"], "required": False}
    await ok(agent, "create_questions", interviewId=made, questions=[question, {"text": "Why?"}])
    shown = await ok(agent, "get_interview", interviewId=made)
    assert (shown["state"], shown["timeLimitMinutes"], shown.get("url")) == ("by invitation", 30, None)
    first, second = shown["questions"]
    assert {name: first[name] for name in question} == question
    assert set(second) == {"id", "order", "type", "text", "required"}
    link = (await ok(agent, "publish_interview", interviewId=made))["url"]
    assert (await ok(agent, "get_interview", interviewId=made))["url"] == link
    full = await ok(agent, "get_interview", interviewId=made, detail="full")
    assert full["questions"][1]["probeOnShort"] is True


async def test_what_was_cleared_is_shown_as_null(agent):
    made = (await ok(agent, "create_interview", title="T"))["id"]
    question = {"text": "Q", "description": "Small print"}
    added = (await ok(agent, "create_questions", interviewId=made, questions=[question]))["data"][0]
    changed = await ok(agent, "update_question", questionId=added["id"], clear=["description"], followUpEnabled=True)
    assert (changed["description"], changed["followUpEnabled"]) == (None, True)


async def test_code_tone_and_integrity_are_in_the_report_and_tone_nowhere_else(agent, world):
    insights = {"keyInsights": ["Solid"], "toneAnalysis": {"overall": "calm"}}
    session = add_session(world, await interview_of(agent), ["Write it.", "snippet-1", "Thanks."], insights=insights)
    change = {"contentType": "CODE", "whiteboardData": {"code": "print(1)", "language": "python"}}
    with world.store.writing() as db:
        db.execute(tables.messages.update().where(tables.messages.c.content == "snippet-1").values(**change))
    report = await agent.call_tool("get_session_report", {"sessionId": session})
    assert report.structured_content["messages"][1]["code"]["code"] == "print(1)"
    assert "> code: print(1)" in text_of(report)
    assert report.structured_content["insights"]["toneAnalysis"]
    plain = await ok(agent, "get_session", sessionId=session)
    assert plain["insights"] == {"keyInsights": ["Solid"]}
    assert "remarks" not in plain


async def test_a_scored_question_is_named_by_the_turn_that_asks_it_where_that_is_shown(agent, world):
    scored = [{"question": "What broke?", "score": 7}, {"question": "Asked in other words", "score": 4}]
    insights = {"questionEvaluations": scored}
    said = ["What broke?", "A queue.", "And then?", "A lock."]
    session = add_session(world, await interview_of(agent), said, insights=insights)
    whole = await agent.call_tool("get_session", {"sessionId": session})
    assert whole.structured_content["insights"] == insights
    assert "  - turn 1; 7\n" in text_of(whole)
    assert "  - Asked in other words; 4\n" in text_of(whole)
    later = await agent.call_tool("get_session_report", {"sessionId": session})
    assert "turn 1; 7" in text_of(later)
    await ok(agent, "get_session", sessionId=session, fromTurn=3)


async def test_a_finished_session_that_nobody_scored_says_so(agent, world):
    session = add_session(world, await interview_of(agent), ["Q", "A"], status="COMPLETED")
    assert "Nobody has analysed" in (await ok(agent, "get_session", sessionId=session))["remarks"][0]


async def test_a_transcript_can_be_read_by_question(agent, world):
    interview = await interview_of(agent)
    asked = [{"text": text} for text in ("Q1", "Q2")]
    ids = [row["id"] for row in (await ok(agent, "create_questions", interviewId=interview, questions=asked))["data"]]
    session = add_session(world, interview, ["Q1", "A1", "More?", "A1b", "Q2", "A2", "Bye."])
    with world.store.writing() as db:
        for question, answers in zip(ids, (("A1", "A1b"), ("A2",)), strict=True):
            rows = tables.messages.c.content.in_(answers)
            db.execute(tables.messages.update().where(rows).values(questionId=question))
    for question, turns in zip(ids, ([1, 2, 3, 4], [5, 6]), strict=True):
        page = await ok(agent, "get_session", sessionId=session, questionId=question)
        assert [turn["turn"] for turn in page["messages"]] == turns
        assert page["nextTurn"] is None


async def test_what_a_call_cost_is_said_when_less_than_half_of_the_minute_is_left(world):
    client = AuralClient(KEY, f"{ORIGIN}/api/v1", transport=httpx.ASGITransport(world.app))
    async with Client(AuralServer(OneClient(client), backend="T.")) as agent:
        interview = await interview_of(agent)
        for _ in range(2):
            waited = await agent.call_tool("compare_candidates", {"interviewId": interview})
            assert "This call cost" not in text_of(waited)
        for _ in range(24):
            await ok(agent, "get_usage")
        waited = await agent.call_tool("compare_candidates", {"interviewId": interview})
        assert "Remark: This call cost 2 of the key's 60 requests a minute." in text_of(waited)
        usage = await agent.call_tool("get_usage", {})
    assert "This key can send 26 more requests right now." in text_of(usage)


async def test_only_the_first_page_repeats_the_analysis(agent, world):
    session = add_session(world, await interview_of(agent), [f"T{n}" for n in range(6)], summary="S", insights={"k": 1})
    first, second = await walked(agent, session, maxTurns=3)
    assert first.structured_content["summary"] == "S"
    assert "summary" not in second.structured_content
    assert [turn["turn"] for turn in second.structured_content["messages"]] == [4, 5, 6]


async def test_a_dry_run_of_ending_says_who_and_what_duration_would_be_written(agent, world):
    interview = await interview_of(agent)
    old = "2026-01-01T00:00:00+00:00"
    session = add_session(world, interview, ["Q"], status="IN_PROGRESS", participantName="Ann", createdAt=old)
    result = await agent.call_tool("end_interview_sessions", {"interviewId": interview, "ids": [session, "x"]})
    first, second = result.structured_content["results"]
    assert (first["status"], first["participantName"], first["turns"]) == ("eligible", "Ann", 1)
    assert first["createdAt"].startswith("2026-01-01")
    assert second["status"] in ("skipped", "failed")
    assert re.search(r"idle time too: \d+ d \d+ h", result.structured_content["remarks"][0])
    assert "Dry run, nothing changed" in text_of(result)
    done = await agent.call_tool(
        "end_interview_sessions", {"interviewId": interview, "ids": [session], "dryRun": False}
    )
    assert done.structured_content["results"] == [{"id": session, "status": "succeeded"}]
    assert text_of(done).startswith("Done.")


async def test_candidates_are_found_by_name_and_status_and_shown_in_parts(agent, world):
    interview = await interview_of(agent)
    people = [{"name": f"Person {number}", "email": f"p{number}@x.test"} for number in range(30)]
    made = (await ok(agent, "create_candidates", interviewId=interview, candidates=people))["data"]
    session = add_session(world, interview, status="COMPLETED")
    with world.store.writing() as db:
        row = tables.candidates.c.id == made[7]["id"]
        db.execute(tables.candidates.update().where(row).values(sessionId=session))
    done = await ok(agent, "list_candidates", interviewId=interview, status="COMPLETED")
    assert [(row["name"], row["sessionId"]) for row in done["data"]] == [("Person 7", session)]
    assert [
        row["name"] for row in (await ok(agent, "list_candidates", interviewId=interview, name="P11@"))["data"]
    ] == ["Person 11"]
    seen, start = [], 1
    while start:
        page = await ok(agent, "list_candidates", interviewId=interview, status="NOT_BEGUN", limit=8, fromRow=start)
        assert page["total"] == 29
        seen += [row["id"] for row in page["data"]]
        start = page["nextRow"]
    assert sorted(seen) == sorted(row["id"] for row in made if row["name"] != "Person 7")


async def test_registering_and_changing_people_repeats_only_what_is_needed(agent):
    interview = await interview_of(agent)
    person = {"name": "Ann", "gender": "female", "birthday": "1990-01-01", "notes": "Referred"}
    made = (await ok(agent, "create_candidates", interviewId=interview, candidates=[person]))["data"][0]
    assert set(made) == {"id", "name", "email", "inviteUrl"}
    ids = {"interviewId": interview, "candidateId": made["id"]}
    changed = await ok(agent, "update_candidate", **ids, notes="Met at a fair")
    row = {"id": made["id"], "name": "Ann", "email": None, "sessionId": None, "notes": "Met at a fair"}
    assert changed == row | {"notice": NOTICE}


async def test_what_a_call_sent_is_not_said_back_but_for_what_tells_rows_apart(agent):
    interview = await interview_of(agent)
    questions = [{"text": "Why us?"}, {"text": "Why now?", "timeLimitSeconds": 90}]
    made = await agent.call_tool("create_questions", {"interviewId": interview, "questions": questions})
    assert [row["text"] for row in made.structured_content["data"]] == ["Why us?", "Why now?"]
    assert "Why" not in text_of(made)
    assert all(row["id"] in text_of(made) for row in made.structured_content["data"])
    people = [{"name": "Ana", "email": "ana@x.org"}, {"name": "Ana", "email": "ana@y.org"}]
    text = text_of(await agent.call_tool("create_candidates", {"interviewId": interview, "candidates": people}))
    assert text.index("ana@x.org") < text.index("ana@y.org")  # two of one name are not told apart by order alone
    mixed = [{"text": "Read https://a.example/1: why?"}, {"text": "Which trade-off?"}]
    made = await agent.call_tool("create_questions", {"interviewId": interview, "questions": mixed})
    assert "Which trade-off?" in text_of(made)  # one came back otherwise: a blank beside it would read as nothing
    shown = await agent.call_tool("get_interview", {"interviewId": interview})
    assert shown.structured_content["id"] == interview
    assert interview not in text_of(shown)
    assert text_of(await agent.call_tool("archive_interview", {"interviewId": interview})).startswith("Done.")


async def test_rows_of_another_number_or_order_than_was_sent_are_told_in_full():
    made = {"data": [{"id": "1", "text": "A"}, {"id": "2", "text": "B"}]}
    assert results._unsaid(made, {"questions": [{"text": "B"}, {"text": "A"}]}) == made
    assert results._unsaid(made, {"questions": [{"text": "A"}]}) == made
    assert results._unsaid({"data": []}, {"questions": []}) == {"data": []}


async def test_what_is_the_same_in_all_rows_stands_once_and_a_moment_in_a_row_is_a_minute(agent, world):
    role = {
        "objective": "Find out",
        "questions": [{"text": "What did you build last, and what was the hardest part of it?"}],
    }
    role |= {"assessmentCriteria": [{"name": "Depth", "description": "Says what was theirs."}]}
    roles = [{**role, "title": title} for title in ("One", "Two", "Three")]
    made = await agent.call_tool("launch_interviews", {"interviews": roles})
    weak = made.structured_content["data"][0]["warnings"]
    assert [row["warnings"] for row in made.structured_content["data"]] == [weak] * 3
    text = text_of(made)
    assert all(text.count(each) == 1 for each in weak)
    assert text.index("3. Three") < text.index("\nin all:\n  warnings:\n    - ")
    for day in (1, 2):
        add_session(world, made.structured_content["data"][0]["id"], createdAt=f"2026-11-0{day}T10:20:30.123456+00:00")
    listed = await agent.call_tool("list_sessions", {"interviewId": made.structured_content["data"][0]["id"]})
    assert "2026-11-02T10:20Z" in text_of(listed)
    assert listed.structured_content["data"][0]["createdAt"] == "2026-11-02T10:20:30.123456+00:00"


async def test_no_answer_is_longer_than_25000_tokens(agent, world):
    interview = await interview_of(agent)
    people = [{"name": f"Person number {number}", "email": f"person{number}@example.test"} for number in range(500)]
    made = await agent.call_tool("create_candidates", {"interviewId": interview, "candidates": people})
    assert len(made.structured_content["data"]) == 500
    for _ in range(100):
        add_session(world, interview, summary="Long. " * 500, insights={"keyInsights": ["Longer. " * 100]})
    questions = [{"text": f"{number}: {'why ' * 1000}?"} for number in range(40)]
    added = await agent.call_tool("create_questions", {"interviewId": interview, "questions": questions})
    answers = [made, added]
    for tool, arguments in (
        ("list_candidates", {"limit": 500, "include": ["inviteUrl", "notes", "phone"]}),
        ("list_sessions", {"limit": 100, "detail": "full"}),
        ("list_questions", {}),
        ("get_interview", {}),
    ):
        answers.append(await agent.call_tool(tool, {"interviewId": interview, **arguments}))
    for result in answers:
        assert not result.is_error
        assert tokens(text_of(result)) <= 25_000
        assert tokens(result.structured_content) <= 25_000
    assert answers[3].structured_content["cursor"] is not None
    whole = (await agent.read_resource(f"aural://interviews/{interview}")).contents[0].text
    for result in (added, *answers[4:]):
        assert f"19 more questions are left out for length; aural://interviews/{interview}" in text_of(result)
    assert "39: why" in whole


PRACTICE = {
    "session": {"id": "p", "status": "COMPLETED", "mode": "TEXT", "timed": False},
    "interview": {"id": "i", "title": "T"},
    "questions": [{"id": "q1", "text": "Why?"}, {"id": "q2", "text": "How?"}],
    "attempts": [
        {"id": "a", "questionId": "q1", "answerText": "So.", "score": 8},
        {"id": "b", "questionId": "q1", "answerText": "Well.", "score": None},
    ],
}


async def answered(operation, body, **arguments):
    """A tool's result on a backend that answers with this body."""
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json=body))
    client = AuralClient("dlv_test_1", "https://a.test/api/v1", transport=transport)
    return await tools.run(client, operation, arguments)


async def test_practice_has_both_averages_and_says_whose_it_is():
    result = await answered(GetPracticeReport, {"data": PRACTICE}, practiceId="p")
    report = result.structured_content
    assert (report["averageScore"], report["averageOfScored"], report["scoredAttempts"]) == (4, 8, 1)
    assert [each["question"] for each in report["attempts"]] == ["Why?", "Why?"]
    assert report["questionsWithoutAnswer"] == ["How?"]
    listed = await answered(ListPracticeSessions, {"data": [{"id": "p", "averageScore": 4}]}, interviewId="i")
    assert "without a score as 0" in listed.structured_content["remarks"][1]


async def test_usage_without_counts_says_what_the_zeros_mean():
    zero = {"used": 0, "limit": None}
    usage = {"plan": "self-hosted", "templates": zero, "session_hours": zero, "ai_tokens": zero}
    result = await answered(GetUsage, {"data": usage})
    assert "does not count them on a self-hosted" in text_of(result)
    usage["ai_tokens"] = {"used": 5, "limit": 10}
    assert "self-hosted deployment" not in text_of(await answered(GetUsage, {"data": usage}))

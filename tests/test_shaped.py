"""Lists as tables, transcripts in pages: small enough to read, whole when walked."""

import json

import pytest
from sqlalchemy import insert

from aural_mcp.backend import store, tables
from aural_mcp.shaped.sessions import overall_score
from conftest import ok, refused, text_of

TOKENS = 4
"""Bytes; as design and bench count."""


def tokens(value):
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return len(text.encode()) / TOKENS


async def interview_of(agent, title="T"):
    return (await ok(agent, "create_interview", title=title))["id"]


def add_session(world, interview, turns=(), **fields):
    """A session with these turns, as Aural would have stored it; its id."""
    moment, session = store.now(), store.new_id()
    with world.store.writing() as db:
        row = {"id": session, "interviewId": interview, "createdAt": moment, "updatedAt": moment, **fields}
        db.execute(insert(tables.sessions).values(row))
        for number, text in enumerate(turns):
            role = ("ASSISTANT", "USER")[number % 2]
            said = {"id": store.new_id(), "sessionId": session, "role": role, "content": text}
            db.execute(insert(tables.messages).values(**said, timestamp=store.stamp_after(moment, least=number)))
    return session


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
    assert "3 of the key's 60 requests" in found["remarks"][0]
    one = await agent.call_tool("list_sessions", {"interviewId": interview, "name": "person 77"})
    assert [row["participantName"] for row in one.structured_content["data"]] == ["Person 77"]
    assert "found among 250 looked at" in text_of(one)


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
    for kept in ("female", "1990", "Referred", link.rsplit("/", 1)[1]):
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
    assert "remarks" not in await ok(agent, "publish_interview", interviewId=whole)


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

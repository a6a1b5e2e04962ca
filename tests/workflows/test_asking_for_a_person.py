"""Whoever would rather speak with a person is in no ranking, no message and no refusal, wherever they asked."""

import pytest
from mcp import Client
from sqlalchemy import update

from aural_mcp.backend.storage import tables
from aural_mcp.privacy.exposure import Exposure
from conftest import answer as answers
from conftest import begin, ok, published, text_of
from consenting import server_on
from scored import CRITERIA, QUESTIONS, analysis, sit
from smtp import mail_on, smtp_server

LONG = "I built the queue and measured 4,000 messages a second before the disk gave up in the third week."
RANKS = {"rank", "place", "position", "order", "ranked", "score_order"}
"""Fields in which somebody could be ranked."""


async def with_a_link(agent, interview, name):
    person = {"name": name, "email": f"{name.split()[0].lower()}@acme.test"}
    (made,) = (await ok(agent, "create_candidates", interviewId=interview, candidates=[person]))["data"]
    return made


async def asks(browser, url, name):
    page = await browser.post(f"{url}/person", data={"name": name, "email": f"{name.split()[0].lower()}@acme.test"})
    assert page.status_code == 200, page.text


def even(score):
    return analysis(dict.fromkeys(QUESTIONS[:2], score), dict.fromkeys(CRITERIA, score))


def scores(world, session, score):
    with world.store.writing() as db:
        here = tables.sessions.c.id == session
        db.execute(update(tables.sessions).where(here).values(insights=even(score)))


async def office(world, agent):
    """A workspace in which somebody asked at every point, beside others who did not: the interview, both by name."""
    questions = [{"text": each} for each in QUESTIONS[:2]]
    criteria = [{"name": each, "description": "D"} for each in CRITERIA]
    made = await published(agent, questions, assessmentCriteria=criteria)
    for name in ("Before Public", "Middle Public", "After Public"):
        async with world.browser() as browser:
            await _asks_at(browser, made["url"], name)
    people = {
        name: await with_a_link(agent, made["id"], name)
        for name in ("Before Private", "Middle Private", "After Private")
    }
    for name, row in people.items():
        async with world.browser() as browser:
            await _asks_at(browser, row["inviteUrl"], name)
    for name, score in (("Ann Done", 9), ("Bea Done", 4)):
        sit(world, made["id"], name, even(score), participantEmail=f"{name[:3].lower()}@acme.test")
    await with_a_link(agent, made["id"], "Cem Waiting")
    others = await with_a_link(agent, made["id"], "Dee Finished")
    async with world.browser() as browser:
        page = await begin(browser, others["inviteUrl"], "Dee Finished")
        for _ in questions:
            page = await answers(browser, page, LONG)
    rows = (await ok(agent, "list_sessions", interviewId=made["id"], limit=100))["data"]
    for row in rows:
        if row["status"] == "COMPLETED" and row.get("overallScore") is None:
            scores(world, row["id"], 8)
    asking = {row["participantName"]: row["id"] for row in rows if row.get("asksForPerson")}
    assert len(asking) == 6
    return made["id"], asking


async def _asks_at(browser, url, name):
    when = name.split()[0]
    if when == "Before":
        await asks(browser, url, name)
        return
    page = await begin(browser, url, name)
    page = await answers(browser, page, LONG)
    if when == "After":
        await answers(browser, page, LONG)
    await asks(browser, url, name)


def ranked(value):
    """Every object that says of somebody where they stand."""
    if isinstance(value, dict):
        here = [value] if any(name in RANKS and isinstance(each, int) for name, each in value.items()) else []
        return here + [one for each in value.values() for one in ranked(each)]
    return [one for each in value for one in ranked(each)] if isinstance(value, list) else []


def calls(interview, asking, candidates):
    """Every tool with arguments that could rank, remind or refuse; none is left out."""
    ids, sessions = {"interviewId": interview}, [*asking.values()]
    return {
        "compare_candidates": [
            {**ids},
            {**ids, "quotes": True},
            {**ids, "sessionIds": sessions},
            {**ids, "integrity": True},
        ],
        "compare_answers": [{**ids, "question": number} for number in (1, 2)],
        "search_transcripts": [{**ids, "query": "queue"}],
        "find_person": [{"who": "public"}],
        "list_sessions": [{**ids, "limit": 100}, {**ids, "detail": "full", "limit": 100}],
        "list_candidates": [{**ids}],
        "wait_for_sessions": [{**ids}],
        "export_results": [{**ids, "format": each} for each in ("markdown", "csv", "json", "html")],
        "send_messages": [
            *({**ids, "kind": kind} for kind in ("invitation", "reminder", "thanks")),
            *(
                {**ids, "kind": kind, "candidateIds": candidates}
                for kind in ("invitation", "reminder", "thanks", "rejection")
            ),
            *({**ids, "kind": kind, "candidateIds": candidates, "again": True} for kind in ("reminder", "rejection")),
        ],
        "record_decision": [
            {"sessionId": each, "decision": "reject", "reason": "Too little depth."} for each in sessions
        ],
        "get_session": [{"sessionId": each} for each in sessions],
        "get_session_report": [{"sessionId": each} for each in sessions],
        "get_interview": [ids],
        "list_interviews": [{}],
        "list_questions": [ids],
        "list_practice_sessions": [ids],
        "impact_report": [{**ids, "gender": True}],
        "get_usage": [{}],
        "import_candidates": [{**ids, "data": "name,email\nMiddle Private,middle@acme.test\n", "dryRun": True}],
    }


APART = {
    *("create_interview", "update_interview", "archive_interview", "publish_interview", "launch_interviews"),
    *("create_questions", "update_question", "delete_question", "create_candidates", "update_candidate"),
    *("reveal_candidate", "end_interview_sessions", "get_practice_report", "save_session_analysis"),
}
"""Tools that rank, remind and refuse nobody, whatever they are given; a new one has to be put here or above."""


@pytest.fixture
def post(tmp_path, monkeypatch):
    folder = tmp_path / "post"
    folder.mkdir()
    with smtp_server(folder) as server:
        monkeypatch.setenv("SSL_CERT_FILE", str(server.pem))
        yield server


@pytest.mark.parametrize("blind", [False, True])
async def test_whoever_asked_for_a_person_is_in_no_rank_no_message_and_no_refusal(world, post, blind):
    async with Client(world.server, read_timeout_seconds=60) as agent:
        interview, asking = await office(world, agent)
        people = (await ok(agent, "list_candidates", interviewId=interview))["data"]
    theirs = {each["id"] for each in people if each["name"].endswith("Private")}
    everybody = [each["id"] for each in people]
    server = server_on(world, confirm="never", mail=mail_on(post), exposure=Exposure(blind=blind))
    made = calls(interview, asking, everybody)
    async with Client(server, read_timeout_seconds=60) as agent:
        there = {each.name for each in (await agent.list_tools()).tools}
        assert there | {"reveal_candidate"} <= made.keys() | APART
        for tool, given in made.items():
            for each in given:
                await _look(agent, tool, each, asking, theirs)
    named = {f"{name.split()[0].lower()}@acme.test" for name in asking}
    assert {to for envelope, _ in post.envelopes for to in envelope}.isdisjoint(named)
    assert bool(post.envelopes) != blind, "the others do get theirs"
    with world.store.reading() as db:
        assert db.execute(tables.decisions.select()).all() == []


async def _look(agent, tool, given, asking, theirs):
    result = await agent.call_tool(tool, given)
    structured = result.structured_content or {}
    if "confirmation" in structured:
        said = structured["remarks"][0]
        before, _, letters = said.partition("Left out")
        assert not any(f"To {name} <" in letters + before for name in asking), said
        result = await agent.call_tool(tool, {**given, "confirmation": structured["confirmation"]})
        structured = result.structured_content or {}
    if tool == "record_decision":
        assert result.is_error
        assert "would rather speak with a person" in text_of(result)
        return
    for row in ranked(structured):
        known = {row.get("sessionId"), row.get("id")}
        assert known.isdisjoint(asking.values()), (tool, given, row)
    if tool == "send_messages" and not result.is_error:
        assert {each["id"] for each in structured.get("data", [])}.isdisjoint(theirs), (given, structured)
        if structured["kind"] == "rejection":
            left = " ".join(structured["leftOut"])
            assert "would rather speak with a person" in left
            assert all(name in left for name in asking if name.endswith("Private"))
            assert structured["data"], "the others are drafted"
    if tool == "compare_candidates" and "sessionIds" not in given:
        assert structured["ranked"], structured["unsound"]
        mine = [row for row in structured["candidates"] if row["sessionId"] in asking.values()]
        assert len(mine) == 2
        assert all("asks for a person" in row["unsound"] and row["asksForPerson"] for row in mine)
        assert [row["rank"] for row in structured["candidates"] if "rank" in row] == [1, 2, 3]
        assert any("not ranked until the team closed that" in each for each in structured["remarks"])
    if tool == "wait_for_sessions":
        assert {each["sessionId"] for each in structured["attention"]["asksForPerson"]} == set(asking.values())
        others = [each for kind, rows in structured["attention"].items() if kind != "asksForPerson" for each in rows]
        assert not [each for each in others if each.get("sessionId") in asking.values()]
        assert not [each for each in structured["scored"] if each["sessionId"] in asking.values()]

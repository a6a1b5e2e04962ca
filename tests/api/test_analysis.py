"""A session is scored by the agent at the other end: strictly, with evidence, and marked with who scored."""

import copy
import re

import anyio
import pytest
from mcp import Client, MCPError

from aural_mcp.backend.interview.interviewer import RuleInterviewer
from aural_mcp.server.principal import OneClient
from aural_mcp.server.server import AuralServer
from conftest import MODES, answer, begin, ok, published, refused
from examples import ANALYSIS

LONG = "I designed the consumer side and ran it for two years, with four thousand events a second, on call."
QUESTIONS = [{"text": "What did you build?"}, {"text": "Why?", "required": False}]
CRITERIA = [{"name": "Ownership", "description": "Says what they did."}, {"name": "Depth", "description": "Knows why."}]


@pytest.fixture(params=MODES)
async def local(request, world):
    """An agent of a local workspace, which has the tool that stores an analysis."""
    server = AuralServer(OneClient(world.client), backend="T.", local=True, confirm="never")
    async with Client(server, mode=request.param, read_timeout_seconds=30) as connected:
        yield connected


@pytest.fixture
async def session(local, world):
    """A finished session: its id."""
    made = await published(local, QUESTIONS, assessmentCriteria=CRITERIA)
    async with world.browser() as browser:
        page = await answer(browser, await begin(browser, made["url"]), LONG)
        await answer(browser, page, "", skip="yes")
    return (await ok(local, "list_sessions", interviewId=made["id"]))["data"][0]["id"]


async def test_without_a_model_a_finished_session_is_open_until_somebody_scores_it(local, session):
    found = await ok(local, "get_session", sessionId=session)
    assert (found["status"], found["insights"], found["summary"], found["sentiment"]) == ("COMPLETED", None, None, None)


async def test_an_agent_reads_the_material_scores_and_everyone_sees_who_scored(local, session):
    prompt = await local.get_prompt("score_session", {"sessionId": session})
    text, *attached = [each.content for each in prompt.messages]
    material = "\n".join([text.text, *[each.resource.text for each in attached]])
    for needed in ("; What did you build?", "Ownership; Says what they did.", f"> {LONG}"):
        assert needed in material
    assert re.search(r"\*\*3\. Candidate\*\*", material)
    saved = await ok(local, "save_session_analysis", sessionId=session, **ANALYSIS)
    assert (saved["overallScore"], saved["summary"]) == (8, ANALYSIS["summary"])
    found = await ok(local, "get_session", sessionId=session)
    insights = found["insights"]
    assert found["summary"] == ANALYSIS["summary"]
    assert (found["themes"], found["sentiment"]) == (ANALYSIS["themes"], ANALYSIS["sentiment"])
    assert insights["keyInsights"] == ["Has been on call"]
    assert [each["score"] for each in insights["questionEvaluations"]] == [8, None]
    assert [each["evidence"] for each in insights["criteriaEvaluations"]] == [[3], []]
    assert (insights["scoredBy"]["kind"], insights["scoredBy"]["name"]) == ("agent", "Claude, for Ada")
    assert insights["scoredBy"]["at"].startswith("20")


def changed(change):
    analysis = copy.deepcopy(ANALYSIS)
    change(analysis)
    return analysis


def question(analysis):
    return analysis["questionEvaluations"][0]


@pytest.mark.parametrize(
    ("analysis", "says"),
    [
        (changed(lambda a: a["questionEvaluations"].pop()), "questionEvaluations lacks ‘Why?’"),
        (changed(lambda a: a["criteriaEvaluations"].pop(0)), "criteriaEvaluations lacks ‘Ownership’"),
        (changed(lambda a: a["criteriaEvaluations"][0].update(name="Charm")), "has ‘Charm’, which is not in the"),
        (changed(lambda a: a["questionEvaluations"].append(question(a))), "has ‘What did you build?’ twice"),
        (changed(lambda a: question(a).update(evidence=[99])), "names turn 99, but the transcript has"),
        (changed(lambda a: question(a).update(evidence=[])), "is scored without evidence"),
        (changed(lambda a: question(a).update(score=11)), "questionEvaluations[0].score must be less than"),
        (changed(lambda a: question(a).update(score=0)), "questionEvaluations[0].score must be greater"),
        (changed(lambda a: question(a).pop("score")), "questionEvaluations[0].score is required"),
        (changed(lambda a: a.pop("scoredBy")), "scoredBy is required"),
        (changed(lambda a: a.update(overall=9)), "“overall” is not an argument"),
    ],
)
async def test_an_analysis_that_is_not_whole_or_not_backed_is_refused(local, session, analysis, says):
    assert says in await refused(local, "save_session_analysis", {"sessionId": session, **analysis})
    assert (await ok(local, "get_session", sessionId=session))["insights"] is None


async def test_a_session_in_progress_is_not_scored(local, world):
    made = await published(local, QUESTIONS, assessmentCriteria=CRITERIA)
    async with world.browser() as browser:
        await begin(browser, made["url"])
    session = (await ok(local, "list_sessions", interviewId=made["id"]))["data"][0]["id"]
    said = await refused(local, "save_session_analysis", {"sessionId": session, **ANALYSIS})
    assert "still in progress" in said


async def test_the_tool_is_there_only_where_the_backend_offers_it(agent):
    assert "save_session_analysis" not in {tool.name for tool in (await agent.list_tools()).tools}
    assert "There is no tool" in await refused(agent, "save_session_analysis", {})


async def test_the_scoring_prompt_of_no_session_says_where_to_find_one(local):
    with pytest.raises(MCPError, match="Call list_sessions"):
        await local.get_prompt("score_session", {"sessionId": "3f0c3f0e-0000-4000-8000-000000000000"})


async def test_a_model_that_fails_leaves_the_session_open_and_the_transcript_says_so(world, local):
    from aural_mcp.backend.interview.analyst import AnalysisFailed
    from aural_mcp.backend.interview.conduct import Conduct

    class Failing:
        name = "m"

        def analyse(self, interview, questions, turns):
            raise AnalysisFailed("the model did not answer (timeout).")

    made = await published(local, QUESTIONS)
    async with world.browser() as browser:
        page = await answer(browser, await begin(browser, made["url"]), LONG)
        await answer(browser, page, "", skip="yes")
    session = (await ok(local, "list_sessions", interviewId=made["id"]))["data"][0]["id"]
    for _ in range(2):
        Conduct(world.store, RuleInterviewer(), Failing(), anyio.CapacityLimiter(1)).analyse(session)
    found = await ok(local, "get_session", sessionId=session)
    assert found["insights"] is None
    notes = [turn["content"] for turn in found["messages"] if turn["role"] == "SYSTEM"]
    assert notes == ["Not analysed: the model did not answer (timeout)."]

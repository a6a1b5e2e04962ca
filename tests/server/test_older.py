"""Every tool against a deployment of the first generation: what it drops is said, what it lacks is not advised."""

import json

import httpx
import pytest
from mcp import Client, MCPError

from aural_mcp.api.operations import NEWER_FIELDS, OPERATIONS
from aural_mcp.backend.rest import app as rest
from aural_mcp.client.client import AuralClient
from aural_mcp.privacy.exposure import Exposure
from aural_mcp.server import access, prompts
from aural_mcp.server.principal import OneClient
from aural_mcp.server.server import AuralServer
from conftest import KEY, make_world, ok, refused, text_of
from rows import add_session

NEWER = [each.tool_name() for each in OPERATIONS if each.since > 1]
PLAIN = {"text": "Tell me about a cache that you built."}
CODING = {
    "text": "Reverse a list.",
    "type": "CODING",
    "starterCode": {"python": "def reverse(items): ..."},
    "timeLimitSeconds": 600,
    "description": "Any language.",
    "followUpPrompts": ["Why so?"],
    "probeThreshold": 12,
    "allowFileUpload": True,
    "allowedFileTypes": ["text/plain"],
    "validationRules": {"minWords": 3},
}
ANA = {"name": "Ana Silva", "email": "Ana@Example.org", "phone": "+351 21 000 00 00", "notes": "By referral."}
PROFILE = {"gender": "female", "school": "IST", "graduationYear": 2019, "birthday": "1996-05-01"}


@pytest.fixture
async def older(database):
    world = make_world(database, generation=1)
    yield world
    world.store.close()


@pytest.fixture
async def agent(older):
    async with Client(older.server, read_timeout_seconds=30) as connected:
        yield connected


@pytest.fixture
async def interview(agent):
    return (await ok(agent, "create_interview", title="Backend engineer"))["id"]


def lost(answer):
    """The sentence on what was not kept."""
    said = [each for each in answer.get("remarks", []) if each.startswith("This deployment did not keep")]
    assert len(said) <= 1
    return said[0] if said else ""


def structured(given):
    """What a tool takes for starter code: pairs of language and code."""
    code = [{"language": name, "code": text} for name, text in given["starterCode"].items()]
    return {**given, "starterCode": code}


async def test_a_lost_field_is_named_with_its_question(agent, interview):
    made = await ok(agent, "create_questions", interviewId=interview, questions=[PLAIN, structured(CODING)])
    fields = [name for name in CODING if name in NEWER_FIELDS["questions"]]
    said = lost(made)
    assert said.startswith("This deployment did not keep: ")
    assert said.endswith(" (question 2).")
    assert sorted(
        said.removeprefix("This deployment did not keep: ").removesuffix(" (question 2).").split(", ")
    ) == sorted(fields)


async def test_what_is_sent_and_kept_is_not_named(agent, interview):
    choice = {"text": " Which? ", "type": "SINGLE_CHOICE", "options": ["a", "b"], "required": False, "order": 7}
    questions = [PLAIN, {**choice, "followUpEnabled": False}]
    assert lost(await ok(agent, "create_questions", interviewId=interview, questions=questions)) == ""
    assert lost(await ok(agent, "create_candidates", interviewId=interview, candidates=[ANA])) == ""
    rubric = [{"name": "Depth", "description": "Details."}]
    assert lost(await ok(agent, "update_interview", interviewId=interview, assessmentCriteria=rubric)) == ""


async def test_people_are_counted_and_not_named(agent, interview):
    people = [{**ANA, "name": f"Ana {number}", **PROFILE} for number in range(7)]
    made = await ok(agent, "create_candidates", interviewId=interview, candidates=[*people, {"name": "Bo"}])
    said = "This deployment did not keep: gender, birthday, school, graduationYear (7 of 8 candidates)."
    assert lost(made) == said


async def test_an_import_says_it_once_for_all_groups(agent, interview):
    rows = "\n".join(f"Person {number},p{number}@x.org,IST" for number in range(520))
    asked = {"interviewId": interview, "data": f"name,email,school\n{rows}", "dryRun": False}
    assert lost(await ok(agent, "import_candidates", **asked)) == (
        "This deployment did not keep: school (520 candidates)."
    )


async def test_a_launch_says_it_for_all_interviews(agent):
    wanted = [{"title": title, "questions": [PLAIN, structured(CODING)]} for title in ("One", "Two")]
    made = await ok(agent, "launch_interviews", interviews=wanted)
    assert [row["state"] for row in made["data"]] == ["made", "made"]
    assert "starterCode" in lost(made)
    assert lost(made).endswith("(2 questions).")


async def test_the_same_create_again_says_it_again(agent, interview):
    asked = {"interviewId": interview, "questions": [structured(CODING)]}
    first, again = [await ok(agent, "create_questions", **asked) for _ in range(2)]
    assert lost(first) == lost(again) != ""


async def test_a_change_of_one_kept_and_one_lost_field_names_the_lost_one(agent, interview):
    made = await ok(agent, "create_questions", interviewId=interview, questions=[PLAIN])
    question = made["data"][0]["id"]
    changed = await ok(agent, "update_question", questionId=question, text="Which cache?", timeLimitSeconds=90)
    assert lost(changed) == "This deployment did not keep: timeLimitSeconds."
    said = await refused(agent, "update_question", {"questionId": question, "timeLimitSeconds": 90})
    assert "does not know timeLimitSeconds" in said


@pytest.mark.parametrize("exposure", [Exposure(blind=True), Exposure(lockdown=True)])
async def test_it_is_said_where_nobody_may_be_named_too(older, exposure):
    server = AuralServer(OneClient(older.client), backend="T.", confirm="never", exposure=exposure)
    async with Client(server) as agent:
        made = await ok(agent, "create_interview", title="Backend engineer")
        added = await ok(agent, "create_candidates", interviewId=made["id"], candidates=[{**ANA, **PROFILE}])
    assert lost(added) == "This deployment did not keep: gender, birthday, school, graduationYear."


def test_the_newest_generation_drops_nothing(world):
    assert {each.since for each in OPERATIONS} == {1, 2}
    assert rest.create_app.__kwdefaults__["generation"] == 3


async def test_on_the_newest_generation_nothing_is_named(world):
    async with Client(world.server) as agent:
        made = await ok(agent, "create_interview", title="Backend engineer", timeLimitMinutes=30)
        questions = [PLAIN, structured(CODING)]
        assert lost(await ok(agent, "create_questions", interviewId=made["id"], questions=questions)) == ""
        people = [{**ANA, **PROFILE}, {"name": "Bo"}]
        added = await ok(agent, "create_candidates", interviewId=made["id"], candidates=people)
        assert lost(added) == ""
        ids = {"interviewId": made["id"], "candidateId": added["data"][0]["id"]}
        assert lost(await ok(agent, "update_candidate", **ids, school=" ETH ", clear=["phone"])) == ""


# ── What is lacking ─────────────────────────────────────────────────────────────────────────────


async def everything(world, agent):
    """Each tool once, all arguments ours; what each said."""
    made = await ok(agent, "create_interview", title="Backend engineer")
    ids = {"interviewId": made["id"]}
    asked = await ok(agent, "create_questions", **ids, questions=[PLAIN, structured(CODING)])
    person = (await ok(agent, "create_candidates", **ids, candidates=[{**ANA, **PROFILE}]))["data"][0]["id"]
    session = add_session(world, made["id"], ["A cache with a clock.", "It was fast."], status="COMPLETED")
    calls = {
        "update_candidate": {**ids, "candidateId": person, "name": "Ana S."},
        "get_session_report": {"sessionId": session},
        "end_interview_sessions": {**ids, "ids": [session]},
        "list_practice_sessions": ids,
        "get_practice_report": {"practiceId": session},
        "launch_interviews": {"interviews": [{"title": "Two", "questions": [structured(CODING)]}]},
        "list_interviews": {},
        "get_interview": ids,
        "update_interview": {**ids, "title": "Backend"},
        "publish_interview": ids,
        "list_questions": ids,
        "create_interview": {"title": "Third"},
        "create_questions": {**ids, "questions": [structured(CODING)], "allowDuplicate": True},
        "update_question": {"questionId": asked["data"][0]["id"], "text": "Which?", "showIf": {"questionId": "x"}},
        "delete_question": {"questionId": asked["data"][1]["id"]},
        "list_candidates": {**ids, "include": ["inviteUrl", "school"]},
        "create_candidates": {**ids, "candidates": [{"name": "Bo", "major": "Maths"}]},
        "import_candidates": {
            **ids,
            "candidates": [{"name": "Cy", "email": "c@x.org", "school": "X"}],
            "dryRun": False,
        },
        "reveal_candidate": {**ids, "candidate": "Candidate AAAAAA"},
        "list_sessions": ids,
        "get_session": {"sessionId": session},
        "save_session_analysis": {"sessionId": session},
        "get_usage": {},
        "wait_for_sessions": ids,
        "compare_candidates": ids,
        "compare_answers": {**ids, "question": 1},
        "search_transcripts": {**ids, "query": "cache"},
        "find_person": {"who": "a"},
        "impact_report": {**ids, "gender": True},
        "send_messages": {**ids, "kind": "invitation"},
        "record_decision": {"sessionId": session, "decision": "hold", "reason": "Waits for the panel."},
        "export_results": {**ids, "kind": "packet", "candidateId": person},
        "archive_interview": ids,
    }
    assert calls.keys() == access.BY_NAME.keys()
    return {name: await agent.call_tool(name, arguments) for name, arguments in calls.items()}, ids, session


DROPPING = {"launch_interviews", "create_questions", "update_question", "create_candidates", "import_candidates"}


async def test_every_tool_says_what_was_dropped_and_advises_none_that_is_lacking(older, agent):
    answers, ids, session = await everything(older, agent)
    for name in NEWER:
        assert "older and does not offer this" in text_of(answers[name]), name
    for name, answer in answers.items():
        assert not [tool for tool in NEWER if tool in text_of(answer)], name
        assert not [tool for tool in NEWER if tool in json.dumps(answer.structured_content)], name
        assert bool(lost(answer.structured_content or {})) == (name in DROPPING), (name, text_of(answer))
    for prompt in prompts.PROMPTS:
        filled = {"interviewId": ids["interviewId"], "sessionId": session}
        arguments = {each.name: filled.get(each.name, "x") for each in prompt.arguments}
        try:
            said = str((await agent.get_prompt(prompt.name, arguments)).messages[0].content.text)
        except MCPError as error:
            said = str(error)
        assert len(said) > 200, (prompt.name, said)
        assert not [tool for tool in NEWER if tool in said], prompt.name
    assert not [tool for tool in NEWER if tool in await refused(agent, "hire_everybody", {})]


async def test_before_anything_is_known_the_advice_is_whole(world):
    async with Client(world.server) as agent:
        made = await ok(agent, "create_interview", title="Backend engineer")
        session = add_session(world, made["id"], ["A cache."], status="COMPLETED")
        said = (await agent.get_prompt("review_session", {"sessionId": session})).messages[0].content.text
        assert "get_session_report" in said
        assert "end_interview_sessions" in await refused(agent, "hire_everybody", {})


@pytest.mark.parametrize(
    ("answer", "lacking"),
    [
        (httpx.Response(404, html="<html>404</html>"), True),
        (httpx.Response(405), True),
        (httpx.Response(404, json={"error": {"code": "NOT_FOUND", "message": "Session not found."}}), False),
        (httpx.Response(403, json={"error": {"code": "FORBIDDEN", "message": "No."}}), False),
        (httpx.Response(502, html="<html>Bad gateway</html>"), False),
    ],
)
async def test_only_a_page_where_an_answer_belongs_tells_that_a_tool_is_lacking(monkeypatch, answer, lacking):
    monkeypatch.setattr("aural_mcp.client.retry.FIRST", 0.0)
    client = AuralClient(KEY, "https://a.test/api/v1", transport=httpx.MockTransport(lambda _: answer))
    async with Client(AuralServer(OneClient(client), backend="T.", confirm="never")) as agent:
        await refused(agent, "get_session_report", {"sessionId": "3f0c3f0e-0000-4000-8000-000000000000"})
        said = await refused(agent, "hire_everybody", {})
    assert ("update_candidate" in said) == (not lacking)


async def test_a_deployment_that_was_renewed_meanwhile_is_advised_whole_again():
    renewed = []

    def answer(request):
        found = {"data": {"id": "c", "name": "Ana S."}} if renewed else None
        return httpx.Response(200, json=found) if found else httpx.Response(404, html="<html>404</html>")

    client = AuralClient(KEY, "https://a.test/api/v1", transport=httpx.MockTransport(answer))
    async with Client(AuralServer(OneClient(client), backend="T.", confirm="never")) as agent:
        asked = {"interviewId": "i", "candidateId": "c", "name": "Ana S."}
        await refused(agent, "update_candidate", asked)
        assert "end_interview_sessions" not in await refused(agent, "hire_everybody", {})
        renewed.append(True)
        await ok(agent, "update_candidate", **asked)
        assert "end_interview_sessions" in await refused(agent, "hire_everybody", {})

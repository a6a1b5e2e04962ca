"""What a person can start from: the skill's workflows as prompts, with what they speak of attached."""

import re
from base64 import b64decode

import pytest
import yaml
from mcp import MCPError
from mcp.types import PromptReference

from aural_mcp.api.analysis import LOCAL_OPERATIONS
from aural_mcp.api.operations import OPERATIONS
from aural_mcp.documents.render import front_matter, skill_files
from aural_mcp.server import prompts
from aural_mcp.workflows import WORKFLOWS
from conftest import ok
from rows import add_session

TOOLS = {operation.tool_name() for operation in (*OPERATIONS, *LOCAL_OPERATIONS, *WORKFLOWS)}


async def get(agent, name, **arguments):
    return (await agent.get_prompt(name, arguments)).messages


async def session_of(agent, world):
    criteria = [{"name": "Design", "description": "Names trade-offs."}]
    interview = (await ok(agent, "create_interview", title="T", assessmentCriteria=criteria))["id"]
    await ok(agent, "create_questions", interviewId=interview, questions=[{"text": "What broke?"}])
    return interview, add_session(world, interview, ["What broke?", "The queue."], status="COMPLETED")


async def test_a_prompt_routes_the_users_words_by_the_skill(agent):
    first = (await agent.list_prompts()).prompts[0]
    assert (first.name, [argument.name for argument in first.arguments]) == ("route", ["request"])
    text = (await get(agent, "route", request="screen Go engineers"))[0].content.text
    assert "screen Go engineers" in text
    assert "## Choose the workflow" in text
    assert "## Screen candidates" in text
    assert "curl" not in text


async def test_every_prompt_has_what_hosts_show_and_an_own_workflow(agent):
    listed = (await agent.list_prompts()).prompts
    assert [each.name for each in listed] == [
        "route",
        "design_interview",
        "screen_candidates",
        "invite_candidates",
        "check_progress",
        "review_session",
        "shortlist_candidates",
        "score_session",
        "explain_decision",
        "check_impact",
        "research_interview",
        "troubleshoot",
    ]
    for each in listed:
        assert all((each.title, each.description))
        assert all(argument.title and argument.description for argument in each.arguments)


async def test_the_mark_stands_beside_the_server_and_its_prompts_and_on_no_tool_that_a_model_reads(agent):
    (mark,) = agent.server_info.icons
    assert [each.icons for each in (await agent.list_prompts()).prompts] == [[mark]] * len(prompts.PROMPTS)
    assert not any(each.icons for each in (await agent.list_tools()).tools)
    assert b64decode(mark.src.removeprefix("data:image/svg+xml;base64,")).startswith(b"<svg xmlns=")
    assert len(mark.model_dump_json()) < 400  # each result of a newer host repeats it


@pytest.mark.parametrize("name", [each.name for each in prompts.PROMPTS])
async def test_a_prompt_attaches_what_it_speaks_of_and_names_the_tool_that_shows_the_same(agent, world, name):
    interview, session = await session_of(agent, world)
    prompt = prompts.BY_NAME[name]
    ids = {"interviewId": interview, "sessionId": session}
    text, *attached = await get(agent, name, **{each.name: ids.get(each.name, "words") for each in prompt.arguments})
    assert [each.content.type for each in attached] == ["resource"] * len(prompt.attached)
    for each, (_, tool) in zip(attached, prompt.attached, strict=True):
        read = (await agent.read_resource(each.content.resource.uri)).contents[0]
        assert without_expiry(each.content.resource.text) == without_expiry(read.text)
        assert f"call {tool}" in text.content.text or f"and {tool}" in text.content.text


def without_expiry(text):
    """Without what differs from answer to answer: the end of links, and the mark of the fence."""
    return re.sub(r"linksExpireAt: \S+|\b[0-9a-f]{6}\b", "", text)


async def test_scoring_gets_the_rubric_the_questions_and_the_numbered_turns(agent, world):
    _, session = await session_of(agent, world)
    text, interview, transcript = [each.content for each in await get(agent, "score_session", sessionId=session)]
    assert "save_session_analysis" in text.text
    assert "null" in text.text
    assert "name: Design; description: Names trade-offs." in interview.resource.text
    assert "What broke?" in interview.resource.text
    assert "**2. Candidate**" in transcript.resource.text


async def test_an_optional_id_that_is_left_out_attaches_nothing(agent):
    messages = await get(agent, "research_interview", question="Why do people leave?", interviewId="  ")
    assert len(messages) == 1
    assert "attachment" not in messages[0].content.text


@pytest.mark.parametrize(
    ("name", "arguments", "says"),
    [
        ("rout", {}, "The prompts are: route"),
        ("route", {}, "needs: request"),
        ("route", {"request": " "}, "needs: request"),
        ("design_interview", {"role": "x", "rank": "y"}, "takes role, level, mustHaves, minutes, not “rank”"),
        ("review_session", {"sessionId": "nope"}, "sessionId “nope”.*Call list_sessions"),
        ("check_progress", {"interviewId": ".."}, "interviewId “..”"),
    ],
)
async def test_a_wrong_prompt_is_an_invalid_request_that_says_what_exists(agent, name, arguments, says):
    with pytest.raises(MCPError, match=says) as caught:
        await agent.get_prompt(name, arguments)
    assert caught.value.code == -32602


async def test_arguments_with_usual_answers_offer_them(agent):
    reference = PromptReference(type="ref/prompt", name="design_interview")
    completed = await agent.complete(reference, {"name": "level", "value": "S"})
    assert completed.completion.values == ["senior", "staff"]
    assert (await agent.complete(reference, {"name": "role", "value": "S"})).completion.values == []


# ── The skill behind them ───────────────────────────────────────────────────────────────────────


def test_the_skill_names_only_tools_arguments_and_files_that_exist():
    arguments = {field.alias for each in (*OPERATIONS, *LOCAL_OPERATIONS) for field in each.model_fields.values()}
    names = {file.name for file in skill_files()}
    for file in skill_files():
        for word in re.findall(r"`([a-z]+(?:_[a-z]+)+)`", file.text):
            assert word in {*TOOLS, "reveal_candidate", "retry_after"}, (file.path, word)
        for link in re.findall(r"\]\((references/[^)]+)\)", file.text):
            assert link in names, (file.path, link)
        for link in re.findall(r"\(see ([a-z]+\.md)\)", file.text):
            assert f"references/{link}" in names, (file.path, link)
    assert {"dryRun", "assessmentCriteria", "timeLimitMinutes"} <= arguments


def test_the_front_matter_is_read_as_yaml_reads_it():
    text = skill_files()[0].text
    assert front_matter(text) == yaml.safe_load(text.split("---\n")[1])


def test_every_workflow_of_the_table_has_its_steps():
    table = re.findall(r"^\| [^|]+ \| ([A-Z][^|]+?) \| ", skill_files()[0].text, re.MULTILINE)
    steps = next(file.text for file in skill_files() if file.name.endswith("workflows.md"))
    assert len(table) == 22
    assert [each for each in table[1:] if f"\n## {each}\n" not in steps] == []

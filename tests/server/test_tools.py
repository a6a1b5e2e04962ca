"""How tools take their arguments and say what is wrong with them; what hosts see of each is a snapshot."""

import json

import pytest
from syrupy.extensions.json import JSONSnapshotExtension

from aural_mcp.api.analysis import LOCAL_OPERATIONS
from aural_mcp.api.operations import OPERATIONS
from aural_mcp.server.tools import tool_for
from aural_mcp.workflows import WORKFLOWS
from conftest import ok, refused, text_of

ALL = [*OPERATIONS, *LOCAL_OPERATIONS, *WORKFLOWS]


@pytest.mark.parametrize("operation", ALL, ids=lambda operation: operation.tool_name())
def test_a_change_of_what_hosts_see_is_a_reviewed_diff(operation, snapshot):
    tool = tool_for(operation).model_dump(mode="json", by_alias=True, exclude_none=True)
    # run: pytest --snapshot-update tests/server/test_tools.py, and read the diff as a model would
    assert tool == snapshot.use_extension(JSONSnapshotExtension)


def test_the_list_stays_small():
    tools = [tool_for(each, saves=True).model_dump(mode="json", by_alias=True, exclude_none=True) for each in ALL]
    outputs = [tool.pop("outputSchema") for tool in tools]
    assert compact(tools) <= 1000 * len(tools)
    assert compact(outputs) <= 750 * len(tools)


def compact(listed):
    return sum(len(json.dumps(each, separators=(",", ":"), ensure_ascii=False).encode()) for each in listed)


async def test_snake_case_names_are_taken_too(agent):
    made = await ok(agent, "create_interview", title="T", time_limit_minutes=30, ai_tone="FORMAL")
    assert (made["timeLimitMinutes"], made["aiTone"]) == (30, "FORMAL")


async def test_json_text_is_read_where_an_array_or_object_is_wanted(agent):
    criteria = '[{"name": "Design", "description": "Names trade-offs."}]'
    made = await ok(agent, "create_interview", title="[1]", assessmentCriteria=criteria)
    assert made["assessmentCriteria"] == [{"name": "Design", "description": "Names trade-offs."}]
    assert made["title"] == "[1]"
    questions = '[{"text": "Q", "type": "SINGLE_CHOICE", "options": "[\\"a\\", \\"b\\"]"}]'
    added = await ok(agent, "create_questions", interviewId=made["id"], questions=questions)
    assert added["data"][0]["options"] == ["a", "b"]


async def test_the_text_null_clears_nothing(agent):
    made = await ok(agent, "create_interview", title="T", description="D")
    changed = await ok(agent, "update_interview", interviewId=made["id"], description="null")
    assert changed["description"] == "null"
    said = await refused(agent, "update_interview", {"interviewId": made["id"], "assessmentCriteria": "null"})
    assert "assessmentCriteria must be a valid list" in said


async def test_clear_empties_and_left_out_keeps(agent):
    made = await ok(agent, "create_interview", title="T", description="D", objective="O", timeLimitMinutes=5)
    changed = await ok(agent, "update_interview", interviewId=made["id"], clear=["objective", "timeLimitMinutes"])
    assert (changed["objective"], changed["timeLimitMinutes"]) == (None, None)
    now = await ok(agent, "get_interview", interviewId=made["id"])
    assert (now["title"], now["description"], now.get("objective")) == ("T", "D", None)


async def test_an_unknown_argument_is_refused_with_the_nearest_known_one(agent):
    said = await refused(agent, "create_interview", {"title": "T", "assesmentCriteria": []})
    assert said == (
        "Create interview was not called, nothing changed. “assesmentCriteria” is not an argument: did you mean "
        "assessmentCriteria? Correct this and call create_interview again."
    )
    assert (await ok(agent, "list_interviews"))["data"] == []


async def test_unknown_keys_inside_questions_are_refused_and_criteria_keep_theirs(agent):
    criteria = [{"name": "n", "description": "d", "weight": 3}]
    made = await ok(agent, "create_interview", title="T", assessmentCriteria=criteria)
    assert made["assessmentCriteria"] == criteria
    changes = {"interviewId": made["id"], "assessmentCriteria": '[{"name": "n"}]'}
    assert "assessmentCriteria[0].description is required." in await refused(agent, "update_interview", changes)
    said = await refused(agent, "create_questions", {"interviewId": made["id"], "questions": [{"txt": "Q"}]})
    assert "questions[0].text is required." in said
    assert "“txt” is not an argument of questions[0]: did you mean text?" in said


@pytest.mark.parametrize(
    ("tool", "arguments", "says"),
    [
        ("create_interview", {}, "title is required."),
        ("create_interview", {"title": "  "}, "title must not be blank."),
        ("create_interview", {"title": "T", "timeLimitMinutes": True}, "timeLimitMinutes must be a whole number"),
        ("create_interview", {"title": "T", "aiTone": "RUDE"}, "aiTone must be 'CASUAL', 'PROFESSIONAL'"),
        ("get_interview", {"interviewId": ".."}, "interviewId is not an id"),
        ("get_interview", {"interviewId": "a\x00b"}, "interviewId is not an id"),
        ("list_interviews", {"limit": 0}, "limit must be greater than or equal to 1"),
        ("update_interview", {"interviewId": "x"}, "Nothing to change was given"),
        ("get_usage", {"period": "month"}, "“period” is not an argument: it takes none."),
        ("create_interview", {"title": "T", "chatEnabled": 1}, "chatEnabled must be a valid boolean"),
        ("create_interview", {"title": "T\ud800"}, "An argument holds half a character"),
        ("list_sessions", {"interviewId": "a", "cursor": "x" * 70_000}, "cursor is not an id"),
        ("delete_question", {"questionId": "a", "confirmation": ["x"]}, "confirmation must be text"),
        ("delete_question", {"questionId": "a", "confirmation": 0}, "confirmation must be text"),
        ("create_candidates", {"interviewId": "x", "candidates": []}, "candidates must have at least 1 item"),
        (
            "create_questions",
            {"interviewId": "x", "questions": [{"text": "Q", "type": "SINGLE_CHOICE", "options": ["one"]}]},
            "questions[0]: a SINGLE_CHOICE question needs `options` with at least two choices.",
        ),
    ],
)
async def test_bad_input_is_named_and_nothing_is_sent(agent, tool, arguments, says):
    said = await refused(agent, tool, arguments)
    assert says in said
    assert "nothing changed" in said
    assert f"call {tool} again" in said


async def test_an_unknown_tool_is_answered_with_the_nearest_one(agent):
    assert "Did you mean list_interviews?" in await refused(agent, "list_interview", {})


async def test_a_missing_row_is_answered_with_the_tool_that_lists_ids(agent):
    said = await refused(agent, "get_session", {"sessionId": "3f0c3f0e-0000-4000-8000-000000000000"})
    assert "“Session not found”" in said
    assert "Call list_sessions" in said


async def test_text_and_structured_content_say_the_same(agent):
    made = await ok(agent, "create_interview", title="Night shift nurse", objective="O")
    result = await agent.call_tool("list_interviews", {})
    assert result.structured_content["data"] == [
        {
            "id": made["id"],
            "title": "Night shift nurse",
            "state": "by invitation",
            "questions": 0,
            "sessions": 0,
            "updatedAt": made["updatedAt"],
        }
    ]
    assert f"1. id: {made['id']}; title: Night shift nurse; state: by invitation; questions: 0" in text_of(result)
    full = (await ok(agent, "list_interviews", detail="full"))["data"][0]
    assert (full["objective"], full["aiName"]) == ("O", "Aural")


async def test_arguments_that_are_wrong_in_many_ways_are_answered_in_few_words(agent):
    many = {"title": "T", "assessmentCriteria": [1] * 400}
    said = await refused(agent, "create_interview", many)
    assert "390 more are wrong." in said
    assert len(said) < 3_000
    assert len(await refused(agent, "create_interview", {"title": "T", "x" * 100_000: 1})) < 3_000
    assert len(await refused(agent, "x" * 100_000, {})) < 3_000

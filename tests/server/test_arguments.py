"""Arguments as hosts and frameworks send them: what was not given, numbers as text, names of the host's own."""

import json
import re

import pytest
from sqlalchemy import select

from aural_mcp.backend.storage import tables
from aural_mcp.server.access import BY_NAME, arguments_of
from aural_mcp.server.arguments import BadArguments, read
from aural_mcp.server.tools import tool_for
from aural_mcp.tools.schemas import input_schema
from conftest import ok, refused, text_of
from examples import ID, least

PERSON = {
    "name": "Ana Silva",
    "email": "ana@example.org",
    "phone": "+351 912 345 678",
    "notes": "Met at the fair",
    "gender": "f",
    "birthday": "1990-04-02",
    "education": "MSc",
    "school": "Porto",
    "major": "CS",
    "graduationYear": 2014,
    "workExperience": "Seven years",
}
CLEARABLE = [name for name in PERSON if name != "name"]
every_tool = pytest.mark.parametrize("name", BY_NAME)


def optional(name):
    given = least(name)
    schema = input_schema(arguments_of(BY_NAME[name]))
    return [each for each in schema["properties"] if each not in given and each not in schema.get("required", ())]


def dumped(name, sent):
    return read(BY_NAME[name], sent).arguments.model_dump(mode="json", by_alias=True)


@every_tool
@pytest.mark.parametrize("empty", [None, "", {}], ids=["null", "empty text", "empty object"])
def test_what_a_host_fills_in_for_every_optional_argument_counts_as_left_out(name, empty):
    assert dumped(name, least(name) | dict.fromkeys(optional(name), empty)) == dumped(name, least(name))


@every_tool
def test_an_empty_list_counts_as_left_out_but_for_ids_which_never_come_to_mean_everybody(name):
    lists = [each for each in optional(name) if each.lower().endswith("ids")]
    others = [each for each in optional(name) if each not in lists]
    assert dumped(name, least(name) | {each: [] for each in others}) == dumped(name, least(name))
    for each in lists:
        with pytest.raises(BadArguments, match=each):
            read(BY_NAME[name], least(name) | {each: []})


def test_null_is_left_out_inside_lists_of_objects_too():
    bare = [{"title": "T", "questions": [{"text": "Q?"}]}]
    question = input_schema(BY_NAME["launch_interviews"])["properties"]["interviews"]["items"]["properties"]
    nested = question["questions"]["items"]["properties"]
    filled = [
        {
            **dict.fromkeys(question),
            "title": "T",
            "questions": [{**dict.fromkeys(nested), "text": "Q?"}],
        }
    ]
    assert dumped("launch_interviews", {"interviews": filled}) == dumped("launch_interviews", {"interviews": bare})


def test_null_keeps_its_meaning_where_it_has_one():
    scores = dumped("save_session_analysis", least("save_session_analysis"))["questionEvaluations"]
    assert scores[0]["score"] is None


@every_tool
def test_null_for_what_must_be_given_is_an_error_that_names_it(name):
    for each in input_schema(arguments_of(BY_NAME[name])).get("required", ()):
        with pytest.raises(BadArguments, match=each):
            read(BY_NAME[name], least(name) | {each: None})


IID = "the id of an interview"
CSV = "name,email\nAna,ana@example.com"


@pytest.mark.parametrize(
    ("tool", "sent"),
    [
        ("get_usage", {"tool": "get_usage", "toolCallId": "call_0BCI"}),
        ("list_interviews", {"limit": 5.0}),
        ("list_interviews", {"limit": "5"}),
        ("list_interviews", {"limit": None, "cursor": None, "title": None, "only": None, "detail": None}),
        ("get_interview", {"interviewId": IID, "detail": None}),
        ("list_sessions", {"interviewId": IID, "status": "", "name": ""}),
        ("list_sessions", {"interviewId": IID, "limit": None}),
        ("search_transcripts", {"interviewId": IID, "query": "q", "sessionIds": None, "speaker": None, "cursor": None}),
        ("create_candidates", {"interviewId": IID, "candidates": [{"name": "Bo", "email": "", "graduationYear": ""}]}),
        ("import_candidates", {"interviewId": IID, "data": CSV, "candidates": [], "file": ""}),
        ("import_candidates", {"interviewId": IID, "data": CSV, "dryRun": "true"}),
        (
            "import_candidates",
            {"interviewId": IID, "candidates": [{"name": "A", "email": "a@example.com", "graduationYear": "2019"}]},
        ),
        (
            "create_interview",
            {
                "title": "N",
                "objective": "o",
                "description": None,
                "assessmentCriteria": None,
                "language": None,
                "timeLimitMinutes": None,
            },
        ),
        (
            "launch_interviews",
            {
                "interviews": [
                    {
                        "title": "N1",
                        "objective": None,
                        "language": None,
                        "timeLimitMinutes": None,
                        "questions": [{"text": "Q?", "type": "OPEN_ENDED", "options": None}],
                    }
                ]
            },
        ),
    ],
)
async def test_what_hosts_sent_in_public_reports_is_taken(agent, tool, sent):
    made = (await ok(agent, "create_interview", title="T"))["id"]
    answered = await agent.call_tool(tool, sent | ({"interviewId": made} if "interviewId" in sent else {}))
    assert not answered.is_error, text_of(answered)


@pytest.fixture
async def ana(agent):
    interview = (await ok(agent, "create_interview", title="T"))["id"]
    made = (await ok(agent, "create_candidates", interviewId=interview, candidates=[PERSON]))["data"][0]
    return {"interviewId": interview, "candidateId": made["id"]}


def stored(world, candidate):
    with world.store.reading() as db:
        row = db.execute(select(tables.candidates).where(tables.candidates.c.id == candidate["candidateId"])).one()
    return {name: row._mapping[name] for name in PERSON}


@pytest.mark.parametrize("empty", [None, ""], ids=["null", "empty text"])
async def test_a_change_erases_nothing_that_a_framework_sent_along(agent, world, ana, empty):
    before = stored(world, ana)
    said = await ok(agent, "update_candidate", **ana, **(dict.fromkeys(PERSON, empty) | {"name": "Ana Sousa"}))
    assert stored(world, ana) == before | {"name": "Ana Sousa"}
    assert ("remarks" in said) == (empty == "")


@pytest.mark.parametrize("field", CLEARABLE)
async def test_a_field_is_emptied_by_name_and_the_result_says_so(agent, world, ana, field):
    before = stored(world, ana)
    said = await ok(agent, "update_candidate", **ana, clear=[field])
    assert stored(world, ana) == before | {field: None}
    assert said["remarks"] == [f"Cleared: {field}."]


async def test_a_field_cannot_be_given_and_emptied_at_once(agent, world, ana):
    before = stored(world, ana)
    said = await refused(agent, "update_candidate", {**ana, "email": "a@b.org", "clear": ["email"]})
    assert "Clear names email, which is given a value too" in said
    assert stored(world, ana) == before


async def test_a_change_of_nothing_says_how_to_name_something(agent, ana):
    said = await refused(agent, "update_candidate", {**ana, "email": None, "phone": ""})
    assert "Nothing to change was given: name at least one field" in said


async def test_questions_and_interviews_are_emptied_by_name_too(agent):
    made = await ok(
        agent, "create_interview", title="T", objective="O", assessmentCriteria=[{"name": "A", "description": "B"}]
    )
    kept = await ok(agent, "update_interview", interviewId=made["id"], title="U", assessmentCriteria=[], objective=None)
    now = await ok(agent, "get_interview", interviewId=made["id"])
    assert (now["objective"], len(now["assessmentCriteria"])) == ("O", 1)
    assert kept["remarks"] == ["Sent empty, so left as it was: assessmentCriteria. To empty a field, name it in clear."]
    emptied = await ok(agent, "update_interview", interviewId=made["id"], clear=["assessmentCriteria"])
    assert emptied["assessmentCriteria"] is None
    asked = [{"text": "Q?", "timeLimitSeconds": 60, "allowedFileTypes": ["image/png"], "allowFileUpload": True}]
    question = (await ok(agent, "create_questions", interviewId=made["id"], questions=asked))["data"][0]["id"]
    changed = await ok(agent, "update_question", questionId=question, clear=["timeLimitSeconds", "allowedFileTypes"])
    assert (changed["timeLimitSeconds"], changed["allowedFileTypes"]) == (None, [])


@every_tool
def test_what_clear_names_is_what_the_api_takes_null_for(name):
    clear = input_schema(arguments_of(BY_NAME[name]))["properties"].get("clear")
    if BY_NAME[name].effect == "update" and getattr(BY_NAME[name], "method", "") == "PATCH":
        fields = input_schema(BY_NAME[name])["properties"]
        nullable = {each for each, field in fields.items() if {"type": "null"} in field.get("anyOf", ())}
        assert set(clear["items"]["enum"]) - {"allowedFileTypes"} == nullable
    else:
        assert clear is None


# ── Scalars ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "argument", "sent", "meant"),
    [
        ("list_interviews", "limit", "5", 5),
        ("list_interviews", "limit", 5.0, 5),
        ("list_interviews", "limit", " 5 ", 5),
        ("list_interviews", "limit", "5.0", 5),
        ("end_interview_sessions", "dryRun", "true", True),
        ("end_interview_sessions", "dryRun", "False", False),
        ("import_candidates", "dryRun", "TRUE", True),
        ("update_candidate", "graduationYear", "2019", 2019),
        ("update_candidate", "graduationYear", 2019.0, 2019),
        ("update_interview", "timeLimitMinutes", "30", 30),
        ("create_interview", "voiceEnabled", "true", True),
        ("get_session", "fromTurn", "12", 12),
    ],
)
def test_a_number_or_a_truth_written_as_text_is_read(name, argument, sent, meant):
    assert dumped(name, least(name) | {argument: sent})[argument] == meant


def test_scalars_are_read_at_any_depth():
    people = [{"name": "N", "graduationYear": "2019"}]
    assert (
        dumped("create_candidates", {"interviewId": ID, "candidates": people})["candidates"][0]["graduationYear"]
        == 2019
    )
    asked = json.dumps([{"text": "Q?", "required": "false", "timeLimitSeconds": 90.0, "probeThreshold": "20"}])
    (question,) = dumped("create_questions", {"interviewId": ID, "questions": asked})["questions"]
    assert (question["required"], question["timeLimitSeconds"], question["probeThreshold"]) == (False, 90, 20)
    scored = least("save_session_analysis") | {
        "questionEvaluations": [{"question": "Q?", "score": "7.5", "evaluation": "E", "evidence": ["3", 4.0]}]
    }
    (row,) = dumped("save_session_analysis", scored)["questionEvaluations"]
    assert (row["score"], row["evidence"]) == (7.5, [3, 4])


@pytest.mark.parametrize(
    ("name", "argument", "sent"),
    [
        ("end_interview_sessions", "dryRun", 1),
        ("end_interview_sessions", "dryRun", "1"),
        ("end_interview_sessions", "dryRun", "no"),
        ("list_interviews", "limit", True),
        ("list_interviews", "limit", "5.5"),
        ("list_interviews", "limit", 5.5),
        ("list_interviews", "limit", "five"),
        ("list_interviews", "limit", "9" * 400),
        ("list_interviews", "limit", "0x10"),
        ("update_candidate", "graduationYear", "19"),
    ],
)
def test_what_cannot_be_read_names_the_argument(name, argument, sent):
    with pytest.raises(BadArguments, match=argument):
        read(BY_NAME[name], least(name) | {argument: sent})


def test_a_text_that_looks_like_a_number_stays_a_text_where_a_text_is_wanted():
    people = [{"name": "N", "phone": "0447911123456", "notes": "true", "education": "5"}]
    (row,) = dumped("create_candidates", {"interviewId": ID, "candidates": people})["candidates"]
    assert (row["phone"], row["notes"], row["education"]) == ("0447911123456", "true", "5")


# ── Names ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("added", "ignored"),
    [
        ({"toolCallId": "call_1"}, "toolCallId"),
        ({"toolCallId": "c", "tool": "list", "sessionId": "s", "action": "sendMessage", "chatInput": "Hi"}, None),
        ({"random_string": "x"}, "random_string"),
        ({"_meta": {"progressToken": 1}}, "_meta"),
        ({"wait_for_previous": True}, "wait_for_previous"),
        ({"waitForPreviousTools": True, "toolAction": "Listing", "toolSummary": "List"}, None),
        ({"task_progress": "- [x] done"}, "task_progress"),
    ],
)
async def test_names_that_a_host_adds_by_itself_are_ignored_and_said(agent, added, ignored):
    said = await agent.call_tool("list_interviews", added)
    assert not said.is_error, text_of(said)
    assert said.structured_content["remarks"] == [
        f"Ignored, as the host adds it by itself: {ignored or ', '.join(added)}."
    ]


async def test_a_name_that_the_tool_has_is_the_tools(agent, world):
    said = await refused(agent, "get_session", {"sessionId": ID, "toolCallId": "c"})
    assert "not found" in said.lower()


@pytest.mark.parametrize("alone", ["tool", "sessionId", "action", "intervewId", "toolCallID"])
async def test_a_misspelt_name_is_refused_in_the_words_that_were_sent(agent, alone):
    said = await refused(agent, "list_interviews", {alone: "x"})
    assert f"“{alone}” is not an argument" in said


@pytest.mark.parametrize("envelope", ["arguments", "args", "kwargs", "params", "input"])
async def test_arguments_in_an_envelope_are_taken_out_of_it(agent, envelope):
    assert (await ok(agent, "create_interview", **{envelope: {"title": "T"}}))["title"] == "T"
    assert (await ok(agent, "create_interview", **{envelope: '{"title": "U"}'}))["title"] == "U"
    assert f"“{envelope}” is not an argument" in await refused(agent, "create_interview", {envelope: "T", "title": "T"})


CALL = {"title": "T", "objective": "O"}


@pytest.mark.parametrize(
    "sent",
    [
        {"name": "create_interview", "arguments": CALL},  # the call once more, as a model writes it
        {"name": "aural__create_interview", "parameters": CALL},  # Llama, with a host's prefix
        {"type": "function", "function": "create_interview", "arguments": json.dumps(CALL)},  # OpenAI's call
        {"type": "tool_use", "id": "toolu_1", "name": "create_interview", "input": CALL},  # Anthropic's
        {"action": "create_interview", "action_input": CALL},  # LangChain's agents
        {"tool": "create_interview", "tool_input": CALL},
        {"type": "object", "properties": CALL},  # the schema filled in
        {"request": CALL},  # a server whose tools take one model
        {"arguments": {"arguments": CALL}},
        {"kwargs": json.dumps({"input": CALL})},
        {"args": json.dumps(json.dumps(CALL))},
        {"tool": "create_interview", "toolCallId": "call_1", "arguments": CALL},  # n8n
    ],
    ids=lambda sent: " ".join(sent),
)
async def test_a_call_in_a_call_is_the_call(agent, sent):
    answered = await agent.call_tool("create_interview", sent)
    assert not answered.is_error, text_of(answered)
    made = answered.structured_content
    assert (made["title"], made["objective"]) == ("T", "O")
    ignored = "Ignored, as the host adds it by itself: toolCallId."
    assert (ignored in made.get("remarks", [])) == ("toolCallId" in sent)


@pytest.mark.parametrize("nothing", ["", None, {}, "{}"])
@pytest.mark.parametrize("envelope", ["input", "kwargs", "arguments", "tool_input"])
async def test_an_empty_envelope_is_no_arguments(agent, envelope, nothing):
    assert "plan" in await ok(agent, "get_usage", **{envelope: nothing})


@pytest.mark.parametrize(
    ("sent", "refused_names"),
    [
        ({"name": "delete_question", "arguments": CALL}, ["name", "arguments"]),
        ({"arguments": CALL, "titel": "U"}, ["arguments", "titel"]),
        ({"arguments": CALL, "title": "object"}, ["arguments"]),
        ({"arguments": CALL, "id": ID}, ["arguments", "id"]),
        ({"arguments": CALL, "input": CALL}, ["arguments", "input"]),
        ({"argument": CALL}, ["argument"]),
        ({"arguments": {"titel": "T"}}, ["titel"]),
        ({"arguments": [CALL]}, ["arguments"]),
    ],
    ids=lambda value: " ".join(value),
)
async def test_what_is_no_envelope_is_refused_in_the_words_that_were_sent(agent, sent, refused_names):
    said = await refused(agent, "create_interview", sent)
    assert all(f"“{name}” is not an argument" in said for name in refused_names)
    assert (await ok(agent, "list_interviews"))["data"] == []


# ── Lists ───────────────────────────────────────────────────────────────────────────────────────

TWO = [{"name": "Ana"}, {"name": "Bo"}]


@pytest.mark.parametrize(
    ("sent", "names"),
    [
        ({"0": TWO[0], "1": TWO[1]}, ["Ana", "Bo"]),  # counted fields, as PHP and forms write lists
        ({"1": TWO[1], "0": TWO[0]}, ["Ana", "Bo"]),
        ({"item": TWO}, ["Ana", "Bo"]),  # an XML element
        ({"items": TWO}, ["Ana", "Bo"]),
        ([{"item": TWO[0]}, {"item": TWO[1]}], ["Ana", "Bo"]),
        ({"item": TWO[0]}, ["Ana"]),
        (TWO[0], ["Ana"]),  # a list of one without its brackets
        (json.dumps(TWO[0]), ["Ana"]),
        ([json.dumps(each) for each in TWO], ["Ana", "Bo"]),
        (json.dumps(json.dumps(TWO)), ["Ana", "Bo"]),
        (json.dumps({"0": TWO[0], "1": TWO[1]}), ["Ana", "Bo"]),
    ],
    ids=lambda value: json.dumps(value)[:40],
)
async def test_a_list_of_people_in_another_shape_is_that_list(agent, sent, names):
    interview = (await ok(agent, "create_interview", title="T"))["id"]
    made = await ok(agent, "create_candidates", interviewId=interview, candidates=sent)
    assert [each["name"] for each in made["data"]] == names


@pytest.mark.parametrize(
    "sent",
    [
        {"0": TWO[0], "2": TWO[1]},
        {"1": TWO[0]},
        {"Ana": TWO[0]},
        {"people": TWO},
        "Ana, Bo",
        [["Ana"]],
        2,
        {"titel": "T"},
    ],
    ids=json.dumps,
)
async def test_what_is_no_list_of_people_is_refused_and_nobody_is_registered(agent, sent):
    interview = (await ok(agent, "create_interview", title="T"))["id"]
    assert "candidates" in await refused(agent, "create_candidates", {"interviewId": interview, "candidates": sent})
    assert (await ok(agent, "list_candidates", interviewId=interview))["data"] == []


@pytest.mark.parametrize("heading", ["Items", "item", "0", "Name"])
def test_columns_by_heading_stay_columns_whatever_they_are_called(heading):
    sent = least("import_candidates") | {"columns": {heading: "name"}}
    assert dumped("import_candidates", sent)["columns"] == [{"heading": heading, "field": "name"}]


@pytest.mark.parametrize(
    ("name", "argument", "sent", "meant"),
    [
        ("compare_candidates", "sessionIds", ID, [ID]),
        ("compare_candidates", "sessionIds", f"{ID}, {ID[:-1]}2", [ID, f"{ID[:-1]}2"]),
        ("compare_candidates", "sessionIds", {"0": ID}, [ID]),
        ("search_transcripts", "sessionIds", [{"item": ID}], [ID]),
        ("end_interview_sessions", "ids", json.dumps([ID]), [ID]),
        ("list_candidates", "include", "phone", ["phone"]),
        ("list_candidates", "include", "phone, notes", ["phone", "notes"]),
        ("update_candidate", "clear", {"item": "email"}, ["email"]),
        ("update_question", "options", {"0": "Yes, often", "1": "No"}, ["Yes, often", "No"]),
        ("update_question", "allowedFileTypes", "image/png", ["image/png"]),
    ],
)
def test_a_list_of_texts_in_another_shape_is_that_list(name, argument, sent, meant):
    assert dumped(name, least(name) | {argument: sent})[argument] == meant


def test_a_text_that_may_be_several_is_not_taken_for_one():
    for sent in ("Yes, often; no", "Yes\nNo"):
        with pytest.raises(BadArguments, match="options must be a valid list"):
            read(BY_NAME["update_question"], {"questionId": ID, "options": sent})


@pytest.mark.parametrize(
    "nobody", [[], "[]", " ", ",", [""], [None], "null", ["null"], {"item": []}, {"0": ""}, "[[]]"]
)
@pytest.mark.parametrize(
    "tool",
    [
        "compare_candidates",
        "compare_answers",
        "search_transcripts",
        "export_results",
        "wait_for_sessions",
        "end_interview_sessions",
    ],
)
async def test_a_list_that_comes_to_no_id_never_means_everybody(agent, tool, nobody):
    made = (await ok(agent, "create_interview", title="T"))["id"]
    argument = "ids" if tool == "end_interview_sessions" else "sessionIds"
    said = await refused(agent, tool, least(tool) | {"interviewId": made, argument: nobody})
    assert re.search(rf"{argument}(\[0\])? must", said)


@pytest.mark.parametrize(
    ("sent", "remark"),
    [
        ({"assessmentCriteria": "[]", "objective": "  "}, True),
        ({"assessmentCriteria": ["null"], "timeLimitMinutes": "null", "aiTone": "None"}, False),
        ({"timeLimitMinutes": "undefined", "chatEnabled": "null", "followUpDepth": "undefined"}, False),
        ({"assessmentCriteria": {"item": []}, "timeLimitMinutes": " "}, True),
    ],
    ids=json.dumps,
)
async def test_nothing_in_any_spelling_erases_nothing(agent, sent, remark):
    criteria = [{"name": "Design", "description": "Names trade-offs."}]
    settings = {"objective": "O", "timeLimitMinutes": 30, "aiTone": "FORMAL", "assessmentCriteria": criteria}
    made = await ok(agent, "create_interview", title="T", **settings)
    said = await ok(agent, "update_interview", interviewId=made["id"], title="U", **sent)
    now = await ok(agent, "get_interview", interviewId=made["id"])
    assert {name: now[name] for name in settings} == settings
    assert (now["title"], "remarks" in said) == ("U", remark)


@pytest.mark.parametrize(("sent", "kept"), [(2026, "2026"), (-7, "-7"), ("007", "007")])
async def test_a_number_where_a_text_is_wanted_is_its_digits(agent, sent, kept):
    assert (await ok(agent, "create_interview", title=sent))["title"] == kept


@pytest.mark.parametrize("sent", [True, 20.5, 10**15, [2026], {"value": "T"}])
async def test_what_is_no_text_is_refused(agent, sent):
    assert "title must be a valid string" in await refused(agent, "create_interview", {"title": sent})


# ── Schemas ─────────────────────────────────────────────────────────────────────────────────────


def nodes(schema, path=""):
    yield path, schema
    for name, each in schema.get("properties", {}).items():
        yield from nodes(each, f"{path}.{name}")
    if "items" in schema:
        yield from nodes(schema["items"], f"{path}[]")
    for each in schema.get("anyOf", ()):
        yield from nodes(each, path)


@every_tool
def test_hosts_are_shown_no_schema_that_a_converter_refuses(name):
    shown = tool_for(BY_NAME[name])
    for path, node in nodes(shown.input_schema):
        assert "additionalProperties" not in node, path
        assert node.get("type") != "object" or node["properties"] or not path, path
        assert node.keys() & {"type", "anyOf", "enum"}, path
    for path, node in nodes(shown.output_schema):
        assert node.keys() & {"type", "anyOf", "enum", "const"}, path


async def test_code_by_language_is_taken_as_pairs_and_as_an_object(agent):
    interview = (await ok(agent, "create_interview", title="T"))["id"]
    pairs = [{"language": "python", "code": "pass"}, {"language": "go", "code": "func f() {}"}]
    for sent in (pairs, {"python": "pass", "go": "func f() {}"}, json.dumps(pairs), {"0": pairs[0], "1": pairs[1]}):
        asked = [{"text": "Reverse it.", "type": "CODING", "starterCode": sent}]
        made = await ok(agent, "create_questions", interviewId=interview, questions=asked, allowDuplicate=True)
        assert made["data"][0]["starterCode"] == {"python": "pass", "go": "func f() {}"}


async def test_one_pair_of_language_and_code_without_its_list_is_that_pair(agent):
    interview = (await ok(agent, "create_interview", title="T"))["id"]
    asked = [{"text": "Reverse it.", "type": "CODING", "starterCode": {"language": "python", "code": "pass"}}]
    made = await ok(agent, "create_questions", interviewId=interview, questions=asked)
    assert made["data"][0]["starterCode"] == {"python": "pass"}


async def test_no_prompt_tool_or_resource_shares_a_name(agent):
    tools = [each.name for each in (await agent.list_tools()).tools]
    prompts = [each.name for each in (await agent.list_prompts()).prompts]
    resources = [each.name for each in (await agent.list_resources()).resources]
    templates = [each.name for each in (await agent.list_resource_templates()).resource_templates]
    names = [*tools, *prompts, *resources, *templates]
    assert len(names) == len(set(names))


async def test_an_empty_confirmation_is_no_code(agent):
    made = await ok(agent, "create_interview", title="T")
    for empty in (None, ""):
        answered = await agent.call_tool("publish_interview", {"interviewId": made["id"], "confirmation": empty})
        assert not answered.is_error, text_of(answered)

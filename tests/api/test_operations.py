"""Every operation is fit for a model: named, described, annotated, handled, and no larger than it must be."""

import json
import re
from itertools import groupby
from pathlib import Path
from typing import get_args

import pytest

from aural_mcp.api.analysis import LOCAL_OPERATIONS
from aural_mcp.api.operations import FINDERS, OPERATIONS, PATH_VARIABLE, Operation, Toolset
from aural_mcp.backend.rest.extensions import UNLISTED
from aural_mcp.backend.rest.handlers import HANDLERS
from aural_mcp.documents.examples import EXAMPLES
from aural_mcp.server.access import BY_NAME, arguments_of
from aural_mcp.server.tools import tool_for
from aural_mcp.tools.schemas import input_schema

ALL = (*OPERATIONS, *LOCAL_OPERATIONS)
every = pytest.mark.parametrize("operation", ALL, ids=lambda operation: operation.tool_name())
CLEAR_BY_NAME = frozenset(
    "interviewId questionId sessionId candidateId practiceId cursor status only limit name text equals minWords "
    "timeLimitSeconds validationRules allowFileUpload candidates phone school major graduationYear workExperience "
    "keyInsights themes sentiment toneAnalysis highlights improvements reasoning question tone notes details".split()
)
"""Names that say all that there is to say."""

TESTS = Path(__file__).parent.parent
IN_TESTS = "\n".join(path.read_text(encoding="utf-8") for path in TESTS.rglob("test_*.py"))


def properties(schema):
    """Every property of a schema, at any depth, with its path."""
    for name, child in schema.get("properties", {}).items():
        yield name, child
        yield from ((f"{name}.{deeper}", found) for deeper, found in properties(child))
    if "items" in schema:
        yield from ((f"[].{name}", found) for name, found in properties(schema["items"]))


def test_no_operation_is_left_out():
    with_a_path = {kind for kind in all_subclasses(Operation) if "path" in vars(kind)}
    forgotten = [kind.__name__ for kind in with_a_path - {*ALL, *UNLISTED}]
    assert not forgotten, f"src/aural_mcp/api/operations.py: {forgotten} name no toolset"
    assert len({(operation.method, operation.path) for operation in OPERATIONS}) == len(OPERATIONS)


def test_the_operations_stand_in_workflow_order():
    toolsets = [each for each, _ in groupby(OPERATIONS, lambda operation: operation.toolset)]
    said = "src/aural_mcp/api/operations.py: a class stands in another part of the file than its toolset"
    assert toolsets == list(get_args(Toolset))[:-1], said


@every
def test_somebody_tries_what_it_does(operation):
    name = operation.tool_name()
    tried = f'"{name}"' in IN_TESTS
    assert tried, f'no test calls it: add one to tests/tools/test_views.py, with ok(agent, "{name}")'


def all_subclasses(kind):
    return {kind} | {found for child in kind.__subclasses__() for found in all_subclasses(child)}


@every
def test_the_embedded_backend_handles_it(operation):
    said = "src/aural_mcp/backend/rest/handlers.py: it has no handler, a function under"
    assert operation in HANDLERS, f"{said} @handles(ops.{operation.__name__})"


@every
def test_an_example_shows_it(operation):
    said = "src/aural_mcp/documents/examples.py: it has no example in EXAMPLES, where its request comes in the journey"
    assert operation in EXAMPLES, f"{said}: ops.{operation.__name__}: Example(arguments, data)"


@every
def test_its_documentation_is_short_and_opens_with_one_sentence(operation):
    first_line = operation.__doc__.strip().splitlines()[0]
    assert len(first_line) <= 110
    assert first_line[0].isupper()
    assert len(operation.documentation()) < 1024


@every
def test_its_hint_names_only_tools_that_exist(operation):
    words = set(re.findall(r"\b[a-z]+(?:_[a-z]+)+\b", operation.documentation()))
    assert words <= set(BY_NAME)


@every
def test_every_field_whose_name_does_not_say_it_is_described_at_any_depth(operation):
    fields = properties(input_schema(arguments_of(operation)))
    assert {path.split(".")[-1] for path, field in fields if not field.get("description")} <= CLEAR_BY_NAME


@every
def test_its_input_schema_suits_strict_hosts(operation):
    schema = input_schema(arguments_of(operation))
    assert schema["type"] == "object"
    assert "properties" in schema
    assert not {"anyOf", "oneOf", "allOf", "$ref", "$defs", "title"} & schema.keys()
    assert "$ref" not in json.dumps(schema)
    assert schema["additionalProperties"] is False


@every
def test_its_path_variables_are_required_fields_and_a_tool_lists_their_ids(operation):
    variables = PATH_VARIABLE.findall(operation.path)
    assert set(variables) <= set(input_schema(arguments_of(operation)).get("required", []))
    assert all(FINDERS[variable] in BY_NAME for variable in variables)


@every
def test_reading_is_a_get_and_nothing_else_is(operation):
    assert (operation.method == "GET") == (operation.effect == "read")


@every
def test_a_field_that_a_patch_may_leave_out_has_no_default(operation):
    if operation.method == "PATCH":
        assert all("default" not in field for _, field in properties(input_schema(arguments_of(operation))))


@pytest.mark.parametrize(
    ("effect", "read_only", "destructive", "idempotent"),
    [
        ("read", True, False, None),
        ("create", False, False, None),
        ("update", False, True, True),
        ("delete", False, True, True),
    ],
)
def test_annotations_follow_the_effect(effect, read_only, destructive, idempotent):
    tools = [tool_for(operation) for operation in OPERATIONS if operation.effect == effect]
    assert tools
    for tool in tools:
        hints = tool.annotations
        assert (hints.read_only_hint, hints.destructive_hint, hints.idempotent_hint, hints.open_world_hint) == (
            read_only,
            destructive,
            idempotent,
            True,
        )


def test_five_tools_may_answer_with_a_confirmation_in_place_of_their_result():
    confirmed = {operation.tool_name() for operation in OPERATIONS if operation.confirmed}
    assert confirmed == {
        "publish_interview",
        "archive_interview",
        "delete_question",
        "end_interview_sessions",
        "create_candidates",
    }
    for operation in OPERATIONS:
        schema = tool_for(operation).output_schema
        assert ("confirmation" in schema["properties"]) == operation.confirmed
        assert not (operation.confirmed and schema.get("required"))


@every
def test_what_we_add_to_a_result_is_not_a_field_of_the_api(operation):
    fields = {field.alias for field in operation.result_type().model_fields.values()}
    assert not fields & {"remarks", "confirmation"}

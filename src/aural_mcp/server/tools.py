"""How an operation becomes a tool: its schemas, its arguments, its errors."""

from __future__ import annotations

import difflib
import json
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any, cast

from mcp.types import CallToolResult, InputRequiredResult, Tool, ToolAnnotations
from pydantic import ValidationError
from pydantic.alias_generators import to_camel

from aural_mcp.api.errors import AuralError
from aural_mcp.api.operations import AnyOperation, Effect, GetUsage, Operation
from aural_mcp.client.caller import Caller
from aural_mcp.client.client import Spent
from aural_mcp.safety import quoted
from aural_mcp.server import results
from aural_mcp.tools import SHAPES as SHAPED
from aural_mcp.tools.schemas import CODE, Schema, input_schema, main_branch, output_schema
from aural_mcp.tools.shape import Shape
from aural_mcp.workflows import WORKFLOWS

SHAPES: dict[AnyOperation, Shape[Any]] = {**SHAPED, **WORKFLOWS}
ANNOTATIONS: dict[Effect, dict[str, bool]] = {
    "read": {"read_only_hint": True, "destructive_hint": False, "idempotent_hint": True},
    "create": {"read_only_hint": False, "destructive_hint": False, "idempotent_hint": False},
    "update": {"read_only_hint": False, "destructive_hint": True, "idempotent_hint": True},
    "delete": {"read_only_hint": False, "destructive_hint": True, "idempotent_hint": True},
}
MOST_PROBLEMS, LONGEST_NAME = 10, 100
"""What is said of arguments that are wrong in many ways, and looked at of a name that is none."""
SLOW = 1.0
"""Seconds of waiting for the rate limit from which a result says so."""


class BadArguments(Exception):
    """Arguments that were not sent anywhere; the message names each and says what it takes."""


def tool_for(operation: AnyOperation) -> Tool:
    """The tool as hosts list it: flat typed arguments, an output schema, a title and all four annotations."""
    shape = SHAPES.get(operation)
    result = shape.result if shape else operation.result_type()
    return Tool(
        name=operation.tool_name(),
        title=operation.tool_title(),
        description=operation.documentation(),
        input_schema=_with_code(operation, input_schema(arguments_of(operation))),
        output_schema=output_schema(result, confirmed=operation.confirmed),
        annotations=ToolAnnotations(title=None, open_world_hint=True, **ANNOTATIONS[operation.effect]),
    )


Answer = CallToolResult | InputRequiredResult
Agree = Callable[[Operation[Any], str, Spent], Awaitable[Answer | None]]
"""Given the arguments, a confirmation code and the cost: None to go on, else what to answer instead."""


async def run(
    client: Caller,
    operation: AnyOperation,
    given: dict[str, Any],
    agree: Agree | None = None,
    tell: Callable[[float, float, str], Awaitable[None]] | None = None,
) -> Answer:
    """Call the tool. Every expected failure is a result that says what went wrong and what to do next."""
    spent = Spent(tell=tell)
    try:
        code = _code(operation, given)
        plain = {name: value for name, value in given.items() if name != "confirmation" or not operation.confirmed}
        arguments, shape = parse(operation, plain), SHAPES.get(operation)
        if agree and operation.confirmed and (instead := await agree(arguments, code, spent)):
            return instead
        if shape:
            result = await shape.run(client, arguments, spent)
        else:
            result = await client.call(arguments, spent=spent)
    except BadArguments as refused:
        return results.failure(str(refused))
    except AuralError as error:
        return results.failure(f"{operation.tool_title()} failed. {error}")
    return results.answer(operation, result, remarks=_remarks(operation, client, spent))


def _code(operation: AnyOperation, given: dict[str, Any]) -> str:
    code = given.get("confirmation", "") if operation.confirmed else ""
    if not isinstance(code, str):
        said = f"confirmation must be text. Correct this and call {operation.tool_name()} again."
        raise BadArguments(f"{operation.tool_title()} was not called, nothing changed. {said}")
    return code


def arguments_of(operation: AnyOperation) -> AnyOperation:
    """What the tool takes: the operation's own arguments, or those of its shape."""
    shape = SHAPES.get(operation)
    return shape.arguments if shape else operation


def parse(operation: AnyOperation, given: dict[str, Any]) -> Operation[Any]:
    """The arguments as an operation. Snake_case names and JSON text for arrays and objects are taken too.

    Raises:
        BadArguments: naming every argument that is wrong; nothing is ignored.
    """
    model = arguments_of(operation)
    schema = input_schema(model)
    known = schema["properties"]
    if not _is_text(given):
        raise BadArguments(
            f"{operation.tool_title()} was not called, nothing changed. An argument holds half a character (a lone "
            f"surrogate), which is no text. Write it as UTF-8 and call {operation.tool_name()} again."
        )
    spelled = {_camel(name, known): value for name, value in given.items()}
    arguments = {name: _from_json_text(value, known.get(name, {})) for name, value in spelled.items()}
    try:
        return model.model_validate(arguments)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        problems = [_problem(schema, each["loc"], each["type"], each["msg"]) for each in found[:MOST_PROBLEMS]]
        problems += [f"{len(found) - MOST_PROBLEMS} more are wrong."] if len(found) > MOST_PROBLEMS else []
        listed = " ".join(dict.fromkeys(problems))
        raise BadArguments(
            f"{operation.tool_title()} was not called, nothing changed. {listed} Correct this and call "
            f"{operation.tool_name()} again."
        ) from error


def _with_code(operation: AnyOperation, schema: Schema) -> Schema:
    """The schema with `confirmation` where the tool may ask for one."""
    if not operation.confirmed:
        return schema
    return {**schema, "properties": {**schema["properties"], "confirmation": CODE}}


def unknown_tool(name: str, known: Sequence[str]) -> str:
    """What to say about a tool that does not exist."""
    near = difflib.get_close_matches(name[:LONGEST_NAME], known, 1, 0.5)
    hint = f"Did you mean {near[0]}?" if near else f"The tools are: {', '.join(known)}."
    return f"There is no tool {quoted(name)}. {hint}"


def _remarks(operation: AnyOperation, client: Caller, spent: Spent) -> list[str]:
    remarks: list[str] = []
    if spent.requests > 1 and operation.effect == "read":
        remarks.append(f"This call cost {spent.requests} of the key's 60 requests a minute.")
    if spent.waited >= SLOW:
        remarks.append(f"This call waited {spent.waited:.0f} s for the rate limit of the key.")
    if operation is GetUsage and client.remaining is not None:
        remarks.append(f"This key can send {client.remaining} more requests right now.")
    return remarks


def _problem(schema: Schema, loc: Sequence[int | str], kind: str, message: str) -> str:
    """One validation error as a sentence that starts with the argument's name."""
    where, names = _locate(schema, loc)
    if kind == "extra_forbidden":
        wrong = str(loc[-1])[:LONGEST_NAME]
        near = difflib.get_close_matches(wrong, names, 1, 0.5) or difflib.get_close_matches(to_camel(wrong), names, 1)
        hint = f"did you mean {near[0]}?" if near else f"it takes {', '.join(names) or 'none'}."
        return f"{quoted(wrong)} is not an argument{f' of {where}' if where else ''}: {hint}"
    said = message
    for theirs, ours in WORDS.items():
        said = said.replace(theirs, ours)
    if not where:
        return f"{said[:1].upper()}{said[1:]}."
    return f"{where} {said}." if said.startswith(("is ", "must ")) else f"{where}: {said}."


WORDS = {
    "Value error, ": "",
    "Field required": "is required",
    "Input should be a valid integer": "must be a whole number",
    "Input should": "must",
    "List should": "must",
    " after validation": "",
}
"""What pydantic says, and how it reads after an argument's name."""


def _locate(schema: Schema, loc: Sequence[int | str]) -> tuple[str, list[str]]:
    """The path of an error as the caller wrote it, and the names known at its end."""
    path, here = "", schema
    for part in loc:
        here = main_branch(here)
        properties = here.get("properties", {})
        if isinstance(part, int):
            path, here = f"{path}[{part}]", here.get("items", {})
        elif part in properties:
            path, here = f"{path}.{part}" if path else part, properties[part]
    return path, list(main_branch(here).get("properties", {}))


def _is_text(given: dict[str, Any]) -> bool:
    """Whether the arguments can be written as UTF-8: JSON can spell half a character."""
    try:
        json.dumps(given, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _camel(name: str, known: Collection[str]) -> str:
    """The name as the schema spells it; pydantic's `to_camel` takes long over long ones."""
    return name if name in known or len(name) > LONGEST_NAME else to_camel(name)


def _from_json_text(value: Any, schema: Schema) -> Any:
    """Some hosts send arrays and objects as JSON text: read it where no string is wanted, at any depth."""
    read = _read_json(value) if isinstance(value, str) and _wants_json(schema) else value
    schema = main_branch(schema)
    if isinstance(read, list) and "items" in schema:
        return [_from_json_text(item, schema["items"]) for item in cast("list[Any]", read)]
    if isinstance(read, dict) and "properties" in schema:
        fields, known = cast("dict[str, Any]", read), schema["properties"]
        return {name: _from_json_text(item, known.get(_camel(name, known), {})) for name, item in fields.items()}
    return cast("Any", read)


def _wants_json(schema: Schema) -> bool:
    wanted = {branch.get("type") for branch in [schema, *schema.get("anyOf", [])]}
    return bool(wanted & {"array", "object"}) and "string" not in wanted


def _read_json(text: str) -> Any:
    """The array or object in a text; any other text stays as it is, also `null`."""
    try:
        read = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return cast("Any", read) if isinstance(read, list | dict) else text

"""How an operation becomes a tool: its schemas, its arguments, its errors."""

from __future__ import annotations

import difflib
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from mcp.types import CallToolResult, InputRequiredResult, Tool, ToolAnnotations

from aural_mcp.api.errors import AuralError
from aural_mcp.api.operations import AnyOperation, Effect, GetUsage
from aural_mcp.bounds import aside, is_large
from aural_mcp.client.caller import Caller
from aural_mcp.client.client import Spent
from aural_mcp.client.deployment import sentence
from aural_mcp.safety import quoted
from aural_mcp.server import apps, beside, results
from aural_mcp.server.access import SHAPES
from aural_mcp.server.arguments import BadArguments, Given, read
from aural_mcp.tools.schemas import REASON, Schema, listed, schemas_of

ANNOTATIONS: dict[Effect, dict[str, bool]] = {
    "read": {"read_only_hint": True, "destructive_hint": False},
    "create": {"read_only_hint": False, "destructive_hint": False},
    "update": {"read_only_hint": False, "destructive_hint": True, "idempotent_hint": True},
    "delete": {"read_only_hint": False, "destructive_hint": True, "idempotent_hint": True},
}
LONGEST_NAME = 100
"""Letters that are looked at of a name that is no tool's."""
HALF = 30
"""Requests of the minute below which a result says what it cost."""
AWAY = (
    "The database that the replicas of this server share cannot be reached just now: reads go on slowly, changes are "
    "refused, and decisions and ended sessions that only it knows are not shown."
)
SLOW = 1.0
"""Seconds of waiting for the rate limit from which a result says so."""


def tool_for(
    operation: AnyOperation, *, writes: bool = True, saves: bool = False, asks: bool = False, reasons: bool = False
) -> Tool:
    """The tool as hosts list it: flat typed arguments, an output schema, a title, annotations.

    `idempotentHint` stands where it says something: of what only reads, and false, it says nothing.

    Args:
        writes: whether it may have an argument that writes a file.
        saves: whether that argument would be of use, so that the tool does not only read.
        asks: whether its question may be put to the user in a view.
        reasons: whether a confirmed tool requires one; else it takes one unlisted, which spares those bytes.
    """
    effect = "create" if saves and operation.saves_as else operation.effect
    schemas = listed().get(operation.tool_name()) or schemas_of(operation, SHAPES.get(operation))
    given = schemas["input"] if writes else _without(schemas["input"], operation.saves_as)
    return Tool(
        name=operation.tool_name(),
        title=operation.tool_title(),
        description=operation.about(),
        input_schema=_with_reason(given) if reasons and operation.confirmed else given,
        output_schema=schemas["output"],
        annotations=ToolAnnotations(title=None, open_world_hint=True, **ANNOTATIONS[effect]),
        _meta=apps.meta(operation.tool_name(), asks=asks),
    )


Answer = CallToolResult | InputRequiredResult
Agree = Callable[[Given, Spent], Awaitable[Answer | None]]
"""Given what the call asks for and the cost: None to go on, else what to answer instead."""


async def run(
    client: Caller,
    operation: AnyOperation,
    given: dict[str, Any],
    agree: Agree | None = None,
    tell: Callable[[float, float, str], Awaitable[None]] | None = None,
    *,
    writes: bool = True,
    reasons: bool = False,
    host: beside.Wanted = beside.NOTHING,
) -> Answer:
    """Call the tool. Every expected failure is a result that says what went wrong and what to do next."""
    spent = Spent(tell=tell, whole=host.whole)
    try:
        reading = partial(read, operation, given, writes=writes, reasons=reasons)
        asked = await aside(reading) if is_large(given) else reading()
        client.raw.reach(asked.arguments)
        shape = SHAPES.get(operation)
        if agree and operation.confirmed and (instead := await agree(asked, spent)):
            return instead
        if shape:
            result = await shape.run(client, asked.arguments, spent)
        else:
            result = await client.call(asked.arguments, spent=spent)
    except BadArguments as refused:
        return results.failure(str(refused), refused)
    except AuralError as error:
        said = [f"{operation.tool_title()} failed. {error}", *_lost(spent)]
        return results.failure(results.advice(" ".join(said), client.lacking), error)
    more = await beside.of(result, host)
    remarks = [*asked.remarks, *more.remarks, *_lost(spent), *await _remarks(operation, client, spent)]
    return await results.answer(operation, result, remarks=remarks, client=client, asked=asked.arguments, more=more)


def _without(schema: Schema, argument: str) -> Schema:
    return {**schema, "properties": {name: each for name, each in schema["properties"].items() if name != argument}}


def _with_reason(schema: Schema) -> Schema:
    if "reason" in schema["properties"]:
        return schema
    properties, required = {**schema["properties"], "reason": REASON}, [*schema.get("required", []), "reason"]
    return {**schema, "properties": properties, "required": required}


def unknown_tool(name: str, known: Sequence[str]) -> str:
    """What to say about a tool that does not exist."""
    near = difflib.get_close_matches(name[:LONGEST_NAME], known, 1, 0.5)
    hint = f"Did you mean {near[0]}?" if near else f"The tools are: {', '.join(known)}."
    return f"There is no tool {quoted(name)}. {hint}"


def _lost(spent: Spent) -> list[str]:
    """What the deployment did not keep of the call's writes."""
    return [sentence(spent.losses)] if spent.losses else []


async def _remarks(operation: AnyOperation, client: Caller, spent: Spent) -> list[str]:
    remarks = [AWAY] if spent.alone or client.state.is_away else []
    left = await client.remaining() if spent.requests > 1 and operation.effect == "read" else None
    if left is not None and left < HALF:
        remarks.append(f"This call cost {spent.requests} of the key's 60 requests a minute.")
    if spent.waited >= SLOW:
        remarks.append(f"This call waited {spent.waited:.0f} s for the rate limit of the key.")
    if operation is GetUsage and (can := await client.remaining()) is not None:
        remarks.append(f"This key can send {can} more requests right now.")
        if (share := await client.raw.share()).people:
            who = "1 other person" if share.people == 1 else f"{share.people} other people"
            remarks.append(f"Of the last minute's requests {share.own} were yours, {share.others} those of {who}.")
    return remarks

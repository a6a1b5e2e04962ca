"""What the TypeScript package takes from here: the OpenAPI document, with `--operations` a table of the operations."""

from __future__ import annotations

import json
import sys
from typing import Any

from aural_mcp.api.analysis import LOCAL_OPERATIONS
from aural_mcp.api.models import Rows
from aural_mcp.api.operations import FINDERS, NEWER_FIELDS, OPERATIONS, AnyOperation
from aural_mcp.documents.openapi import openapi

HEAD = """/** Made by `npm run generate`: how each operation travels. */

import type { Operation } from "./request.js";
"""


def described(operation: AnyOperation) -> dict[str, Any]:
    """One line of the table."""
    fields = {field.alias or name: field for name, field in operation.model_fields.items()}
    row: dict[str, Any] = {"method": operation.method, "path": operation.path, "effect": operation.effect}
    row["fields"] = list(fields)
    if operation.body:
        item = fields[operation.body].annotation.__args__[0]
        least = item.model_construct().model_dump(mode="json", by_alias=True)
        row |= {"body": operation.body, "defaults": least}
    result = operation.result_type()
    row |= {"rows": True} if issubclass(result, Rows) else {"row": True} if "id" in result.model_fields else {}
    row |= {"large": True} if operation.large else {}
    row |= {"newer": True} if operation.since > 1 else {}
    if operation.method == "PATCH" and operation.toolset in NEWER_FIELDS:
        row["newerFields"] = NEWER_FIELDS[operation.toolset]
    return row


def table() -> str:
    """The operations as a module of TypeScript."""
    rows = [
        f"  {operation.tool_name()}: {json.dumps(described(operation))},\n"
        for operation in (*OPERATIONS, *LOCAL_OPERATIONS)
    ]
    finders = json.dumps(FINDERS)
    return (
        f"{HEAD}\nexport const OPERATIONS = {{\n{''.join(rows)}}} as const satisfies Record<string, Operation>;\n\n"
        f"/** Which operation lists the ids that a path takes. */\n"
        f"export const FINDERS: Readonly<Record<string, string>> = {finders};\n"
    )


def unillustrated(value: Any) -> Any:
    """The document without its examples: in types they are more than half of the words."""
    if isinstance(value, list):
        return [unillustrated(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {name: unillustrated(each) for name, each in value.items() if name != "example"}


if __name__ == "__main__":
    sys.stdout.write(table() if "--operations" in sys.argv else json.dumps(unillustrated(openapi())))

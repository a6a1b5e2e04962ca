"""The API as its first generation answers, with 15 operations: what tests run the tools against."""

from __future__ import annotations

import json
from typing import Any, cast

from aural_mcp.api.operations import NEWER_FIELDS, AnyOperation
from aural_mcp.backend.storage.store import Row


def body(operation: AnyOperation, raw: bytes) -> bytes:
    """A request body without the fields that are dropped; what is no JSON stays as it is."""
    try:
        given: Any = json.loads(raw)
    except ValueError:
        return raw
    return json.dumps(_without(operation, given)).encode()


def answer(operation: AnyOperation, found: Any) -> Any:
    """An answer as it came: questions have the columns, at their defaults; candidates do not."""
    return _without(operation, found) if operation.toolset == "candidates" else found


def _without(operation: AnyOperation, value: Any) -> Any:
    if isinstance(value, list):
        return [_without(operation, each) for each in cast("list[Any]", value)]
    dropped = NEWER_FIELDS.get(operation.toolset, ())
    return (
        {name: item for name, item in cast("Row", value).items() if name not in dropped}
        if isinstance(value, dict)
        else value
    )

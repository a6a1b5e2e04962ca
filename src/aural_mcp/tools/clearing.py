"""Fields that a change empties: said by name, because many hosts send null for what was not given."""

from __future__ import annotations

from typing import Any, TypeVar, cast

from pydantic import MISSING

from aural_mcp.api.operations import Operation
from aural_mcp.tools.shape import plain

Change = TypeVar("Change", bound=Operation[Any])
CLEAR = "Fields to empty: a null changes nothing."


def cleared(kind: type[Change], given: Operation[Any]) -> tuple[Change, list[str]]:
    """The change as the API takes it, null where a field is emptied; and what to say of that."""
    names = names_of(given)
    homes = {field.alias: name for name, field in kind.model_fields.items()}
    empty: dict[str, Any] = {homes[name]: [] if name == "allowedFileTypes" else None for name in names}
    return plain(kind, given).model_copy(update=empty), [f"Cleared: {', '.join(names)}."] if names else []


def names_of(given: Operation[Any]) -> list[str]:
    """The fields that are emptied."""
    names = getattr(given, "clear", MISSING)
    return [] if names is MISSING else list(dict.fromkeys(cast("list[str]", names)))


def check_clear(given: Change) -> Change:
    """Refuse a field that is emptied and given a value in one call."""
    both = [name for name in names_of(given) if name in given.model_dump(mode="json", by_alias=True)]
    if both:
        raise ValueError(f"clear names {both[0]}, which is given a value too: do one of the two")
    return given

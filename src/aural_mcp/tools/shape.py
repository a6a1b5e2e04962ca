"""What the shapes share: how a tool differs from its operation, and how lists are searched and kept small."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, Literal, Protocol, TypeVar, cast

from pydantic import MISSING, Field

from aural_mcp.api.models import Record, Rows, Wire
from aural_mcp.api.operations import Operation
from aural_mcp.client.caller import Caller
from aural_mcp.client.client import Spent
from aural_mcp.safety import inert, outside

PAGE_BYTES = 30_000
"""What a page of a transcript may take, in text and as JSON each: a little under 8,000 tokens of 4 bytes."""
MOST_BYTES = 90_000
"""What the rows of any list may take: a result stays under 25,000 tokens."""
MOST_PAGES = 10
"""Requests that a filtered list may cost."""

O = TypeVar("O", bound=Operation[Any])  # noqa: E741  an operation
P = TypeVar("P", bound=Operation[Any])
T = TypeVar("T")
Detail = Annotated[Literal["summary", "full"], Field(description="`full`: every field; much longer.")]


AllowDuplicate = Annotated[bool, Field(description="Do the same again within 10 minutes.")]


@dataclass(frozen=True)
class Shape(Generic[O]):
    """How a tool differs: its arguments, its result, and how it gets one from the other."""

    arguments: type[O]
    result: type[Wire]
    run: Callable[[Caller, O, Spent], Awaitable[Record | Wire]]


class Identified(Protocol):
    """A row with an id."""

    @property
    def id(self) -> str: ...


Row = TypeVar("Row", bound=Identified)


@dataclass
class Found(Generic[Row]):
    """The rows of a search, how many it looked at (None without a filter), and where it goes on."""

    rows: list[Row]
    looked_at: int | None
    cursor: str | None


def plain(operation: type[P], given: Operation[Any]) -> P:
    """The operation with only its own arguments."""
    return operation.model_construct(**{name: getattr(given, name) for name in operation.model_fields})


async def search(
    client: Caller,
    operation: Operation[Rows[Row]],
    spent: Spent,
    matches: Callable[[Row], bool] | None = None,
) -> Found[Row]:
    """The rows of a paged list that match, as many as `limit` says: the API has no filters.

    Without a filter this is one page. Aural repeats a row at the seams of its interview list: each is
    given once, and a page that brings nothing new ends the search.
    """
    limit, cursor = getattr(operation, "limit", MISSING), getattr(operation, "cursor", MISSING)
    wanted = 20 if limit is MISSING else cast("int", limit)
    size = 100 if matches else min(100, wanted + (cursor is not MISSING))
    seen, found, looked_at = {cursor}, cast("list[Row]", []), 0
    for _ in range(MOST_PAGES if matches else 1):
        page = await client.call(operation.model_copy(update={"limit": size, "cursor": cursor}), spent=spent)
        fresh = [row for row in page.data if row.id not in seen]
        for row in fresh:
            seen.add(row.id)
            looked_at += 1
            found += [row] if matches is None or matches(row) else []
            if len(found) == wanted:
                more = row.id if row is not page.data[-1] else page.cursor
                return Found(found, looked_at if matches else None, more)
        if page.cursor is None or not fresh:
            return Found(found, looked_at if matches else None, None)
        cursor = page.cursor
    return Found(found, looked_at if matches else None, cast("str", cursor))


def fitting(rows: Sequence[Row], cursor: str | None = None) -> tuple[list[Row], str | None]:
    """The first rows that fit into one result, and where the list goes on: after the last of them."""
    room = MOST_BYTES
    for number, row in enumerate(rows):
        room -= size_of(cast("Record", row).model_dump(mode="json", exclude_unset=True)) + 2
        if room < 0 and number:
            return list(rows[:number]), rows[number - 1].id
    return list(rows), cursor


def contains(text: str, *values: str | None) -> bool:
    """Whether one of the values contains the text, as it is or as it is shown, upper and lower case being the same."""
    wanted = {clean(text).strip().casefold() for clean in (outside, inert)}
    return any(each in (value or "").casefold() for value in values for each in wanted)


def brief(row: Mapping[str, Any], usual: Mapping[str, Any]) -> dict[str, Any]:
    """The named fields of a row without what is null, empty or as usual."""
    return {
        name: row[name]
        for name, standard in usual.items()
        if name in row and row[name] not in (None, [], {}, "") and (standard is None or row[name] != standard)
    }


def said(remarks: Sequence[str]) -> dict[str, Any]:
    """Remarks as a field of a result, where there are any."""
    return {"remarks": list(remarks)} if remarks else {}


def size_of(value: Any) -> int:
    """Bytes that a value takes as JSON."""
    return len(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))

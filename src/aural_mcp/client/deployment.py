"""What a deployment lacks, as its answers tell: operations that it does not offer, fields that it did not keep.

One of the first generation takes every field, says success and stores fewer. So each write is compared with the
rows that came back; what was trimmed, lowered or written as another type of the same value was kept.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from aural_mcp.api.errors import AuralError, NotOffered, RateLimited, ServerError
from aural_mcp.api.models import Record, Rows

if TYPE_CHECKING:  # a program that has imported the client has not built every operation yet
    from aural_mcp.api.operations import AnyOperation, Operation

HOMES = {"required": "isRequired", "followUpEnabled": "probeOnShort"}
"""Fields that the API's row has under another name."""
NUMBERED = 5
"""Rows that are named one by one; more are counted."""
EMPTY: tuple[Any, ...] = (None, "", [], {})
TRUTHS = {"true": "1", "false": "0"}
DAY = re.compile(r"\d{4}-\d\d-\d\d")


@dataclass
class Offers:
    """Which of the newer operations there are, as far as answers told."""

    _told: dict[AnyOperation, bool] = field(default_factory=dict["AnyOperation", bool])

    def note(self, operation: Operation[Any], refused: AuralError | None = None) -> None:
        """Remember what an answer tells of an operation; a failure of the backend tells nothing."""
        if operation.since > 1 and not isinstance(refused, ServerError | RateLimited):
            self._told[type(operation)] = not isinstance(refused, NotOffered)

    @property
    def lacking(self) -> frozenset[str]:
        """The tools that are not there: those that were refused, and unheard-of ones of the same generation."""
        missing = [each.since for each, offered in self._told.items() if not offered]
        if not missing:
            return frozenset()
        from aural_mcp.api.operations import OPERATIONS

        there = [each for each in OPERATIONS if self._told.get(each, each.since < min(missing))]
        return frozenset(each.tool_name() for each in OPERATIONS if each not in there)


# ── Writes ──────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Loss:
    """What one write lost: the fields, as tools call them, and in which of how many rows each, counted from 1."""

    noun: str
    fields: Mapping[str, Sequence[int]]
    rows: int


def losses(operation: Operation[Any], result: object) -> list[Loss]:
    """What was sent and is not in the rows that came back; nothing where an operation sends no row."""
    if operation.method not in ("POST", "PATCH") or operation.effect not in ("create", "update"):
        return []
    payload = operation.payload()
    sent = cast("list[dict[str, Any]]", payload if isinstance(payload, list) else [payload] if payload else [])
    found = cast("Sequence[Record]", cast("Rows[Record]", result).data if isinstance(result, Rows) else [result])
    lost: dict[str, list[int]] = {}
    for number, (each, row) in enumerate(zip(sent, _beside(sent, found), strict=True), 1):
        has = row.model_dump(mode="json", by_alias=True, exclude_unset=operation.effect != "create") if row else {}
        for name, value in each.items():
            if not _is_kept(name, value, has, created=operation.effect == "create"):
                lost.setdefault(name, []).append(number)
    noun = operation.tool_name().split("_", 1)[1].removesuffix("s")
    return [Loss(noun, lost, len(sent))] if lost else []


def sentence(lost: Sequence[Loss]) -> str:
    """What to tell of it, e.g. `This deployment did not keep: starterCode, timeLimitSeconds (question 2).`"""
    places: dict[str, list[str]] = {}
    for noun in dict.fromkeys(each.noun for each in lost):
        alike = [each for each in lost if each.noun == noun]
        for name in dict.fromkeys(name for each in alike for name in each.fields):
            named = [each.fields[name] for each in alike if name in each.fields]
            where = _place(noun, named[0], alike[0].rows) if len(lost) == 1 else _count(noun, sum(map(len, named)))
            places.setdefault(where, []).append(name)
    parts = [f"{', '.join(names)}{f' ({where})' if where else ''}" for where, names in places.items()]
    return f"This deployment did not keep: {'; '.join(parts)}."


def _place(noun: str, numbers: Sequence[int], rows: int) -> str:
    if rows == 1:
        return ""
    if len(numbers) > NUMBERED:
        return f"{len(numbers)} of {rows} {noun}s"
    return f"{noun}{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"


def _count(noun: str, number: int) -> str:
    return f"{number} {noun}{'s' if number > 1 else ''}"


def _beside(sent: Sequence[Mapping[str, Any]], rows: Sequence[Record]) -> list[Record | None]:
    """The row of each that was sent: the one at its place, unless another bears its text or name."""
    if len(sent) == 1 == len(rows):
        return list(rows)
    left: dict[str, list[Record]] = {}
    for row in rows:
        left.setdefault(_called(row.model_dump(mode="json", by_alias=True)), []).append(row)
    alike = [left.get(_called(each), []) for each in sent]
    found: list[Record | None] = [each.pop(0) if each else None for each in alike]
    if len(rows) == len(sent):  # renamed on the way
        unnamed = [row for rest in left.values() for row in rest]
        found = [row or unnamed.pop(0) for row in found]
    return found


def _called(fields: Mapping[str, Any]) -> str:
    return _plain(fields.get("text", fields.get("name", "")))


def _is_kept(name: str, value: Any, row: Mapping[str, Any], *, created: bool) -> bool:
    """Whether a row has what was sent. What a create sends empty is as good as left out."""
    return (created and value in EMPTY) or _same(value, row.get(HOMES.get(name, name)))


def _same(sent: Any, got: Any) -> bool:
    if sent in EMPTY:
        return got in EMPTY
    if isinstance(sent, dict | list) and isinstance(got, str):
        try:
            got = json.loads(got)
        except ValueError:
            return False
    if isinstance(sent, dict):
        has = cast("dict[str, Any]", got) if isinstance(got, dict) else {}
        return all(_same(value, has.get(name)) for name, value in cast("dict[str, Any]", sent).items())
    if isinstance(sent, list):
        wanted, has = cast("list[Any]", sent), cast("list[Any]", got if isinstance(got, list) else [])
        return len(wanted) == len(has) and all(map(_same, wanted, has))
    return got is not None and _alike(_plain(sent), _plain(got))


def _alike(sent: str, got: str) -> bool:
    """The same text or number, equal but for punctuation (a telephone number), or a day that came back with a time."""
    if sent == got or (DAY.fullmatch(sent) and got.startswith(sent)):
        return True
    try:
        return float(sent) == float(got)
    except ValueError:
        letters = ["".join(filter(str.isalnum, text)) for text in (sent, got)]
        return letters[0] == letters[1] != ""


def _plain(value: Any) -> str:
    """A value as text without what is normalised on the way: case, white space, how a truth is written."""
    text = "".join(unicodedata.normalize("NFKC", str(value)).casefold().split())
    return TRUTHS.get(text, text)

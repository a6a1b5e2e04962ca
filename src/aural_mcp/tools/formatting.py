"""How values and transcripts read as text: an outline for any JSON value, numbered turns in Markdown.

What others wrote stays within its field: quoted line by line, in quotation marks where it could be read as more.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from aural_mcp.safety import code_block, is_code, literal, quote

EMPTY: tuple[Any, ...] = (None, "", [], {})
UNLIMITED = "none"
"""How a `limit` of null reads: elsewhere null says nothing and is left out."""
MICROSECONDS = re.compile(r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(?:\+00:00|Z)$")
MINUTE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d")
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)$")
ADDRESS = re.compile(r"https?://[^\s;\"\\]+")
DAY = len("2026-11-29T")
SPEAKERS = {"USER": "Candidate", "ASSISTANT": "Interviewer", "SYSTEM": "System"}


def transcript(messages: list[dict[str, Any]]) -> str:
    """Numbered turns in Markdown, every line of what was said quoted."""
    turns, day = list[str](), ""
    for number, turn in enumerate(messages, 1):
        at = str(turn.get("timestamp", ""))
        turns.append(_turn(turn.get("turn", number), turn, _at(at, day)))
        day = at[:DAY]
    return "\n\n".join(turns) or "Nothing has been said yet."


def _turn(number: int, turn: dict[str, Any], at: str) -> str:
    speaker, said = SPEAKERS.get(str(turn.get("role")), "Unknown"), str(turn.get("content", ""))
    kind, code = turn.get("contentType"), turn.get("code")
    words = code_block(said) if kind == "CODE" or is_code(said) else said
    words += f"\n{code_block(outline(code, ''))}" if code else ""
    more = (", follow-up" if turn.get("isFollowUp") else "") + (f", {kind.lower()}" if kind else "")
    return f"**{number}. {speaker}** ({at}{more})\n{quote(words)}"


def _at(text: str, day: str) -> str:
    """When a turn was; the date only where that of the turn before was another."""
    is_same = text[:DAY] == day
    if found := MICROSECONDS.match(text):
        return f"{found[1][DAY:] if is_same else found[1]}Z"
    return text[DAY:] if is_same and MOMENT.match(text) else text


@dataclass(frozen=True)
class Columns:
    """What most of several rows have: named once above them, and what is the same in all of them said there too.

    What takes lines of its own and is the same in all of them stands `below` them, once.
    """

    names: tuple[str, ...]
    same: Mapping[str, Any]
    below: Mapping[str, Any]

    @property
    def head(self) -> str:
        """E.g. `[id; text; in all: type: OPEN_ENDED]`."""
        names = "; ".join(map(_named, self.names))
        same = "; ".join(_field(name, _in_row(name, each), "") for name, each in self.same.items())
        return f"[{names}; in all: {same}]" if same else f"[{names}]"


def columns_of(rows: Sequence[Any]) -> Columns | None:
    """The columns of rows; None where naming them once is no gain."""
    fields = [cast("dict[str, Any]", row) for row in rows if isinstance(row, dict)]
    if len(rows) < 2 or len(fields) < len(rows):
        return None
    there = Counter(name for row in fields for name, each in row.items() if each not in EMPTY)
    deep = {name for row in fields for name, each in row.items() if _is_deep(each)}
    names = [name for name, count in there.items() if name not in deep and 2 * count >= len(rows)]
    alike = [name for name in there if len({repr(row.get(name)) for row in fields}) == 1]
    same = {name: fields[0][name] for name in alike if name in names[1:]}
    below = {name: fields[0][name] for name in alike if name in deep}
    return Columns(tuple(name for name in names if name not in same), same, below) if names else None


def table(rows: Sequence[Any]) -> str:
    """Rows, numbered, under their columns."""
    columns = columns_of(rows)
    listed = [f"{number}. {_item(row, '   ', columns)}" for number, row in enumerate(rows, 1)]
    return "\n".join([columns.head, *listed, *_below(columns, "")] if columns else listed)


def _items(listed: Sequence[Any], indent: str, columns: Columns | None) -> str:
    items = [f"{indent}- " + _item(item, indent + "  ", columns) for item in listed]
    return "\n".join([*items, *_below(columns, indent)] if columns else items)


def _below(columns: Columns, indent: str) -> list[str]:
    return [f"{indent}in all:\n{outline(columns.below, indent + '  ')}"] if columns.below else []


def _item(item: Any, indent: str, columns: Columns | None) -> str:
    """An item of a list: plain values on one line, without names where there are columns; others below it."""
    fields = cast("dict[str, Any]", item) if isinstance(item, dict) else {}
    fields = {name: each for name, each in fields.items() if each not in EMPTY}
    if columns is None and (not fields or any(map(_is_deep, fields.values()))):
        return outline(item, indent).lstrip()
    names = columns.names if columns else ()
    cells = [outline(_in_row(name, fields.pop(name, None))) for name in names]
    while cells and not cells[-1]:
        cells.pop()
    said = {*columns.same, *columns.below} if columns else ()
    more = {name: each for name, each in fields.items() if name not in said}
    plain = [_field(name, _in_row(name, each), "") for name, each in more.items() if not _is_deep(each)]
    below = outline({name: each for name, each in more.items() if _is_deep(each)}, indent)
    return "\n".join(["; ".join([*cells, *plain]), *([below] if below else [])])


def _is_deep(value: Any) -> bool:
    """Whether a value takes lines of its own."""
    return isinstance(value, dict) or _is_listed(value) or (isinstance(value, str) and "\n" in value)


def _is_listed(value: Any) -> bool:
    """Whether a value is a list, whole numbers apart: these stand on one line."""
    return isinstance(value, list) and not all(type(each) is int for each in cast("list[Any]", value))


def outline(value: Any, indent: str = "") -> str:
    """A JSON value as indented lines; what is null or empty is left out."""
    if value is None:
        return ""
    if isinstance(value, dict):
        items = {
            name: UNLIMITED if name == "limit" and item is None else item
            for name, item in cast("dict[str, Any]", value).items()
        }
        return "\n".join(_field(name, item, indent) for name, item in items.items() if item not in EMPTY)
    if _is_listed(value):
        listed = cast("list[Any]", value)
        columns = columns_of(listed)
        return (f"{indent}{columns.head}\n" if columns else "") + _items(listed, indent, columns)
    if isinstance(value, list):
        return indent + str(cast("list[int]", value))
    text = str(value).lower() if isinstance(value, bool) else moment(str(value))
    return indent + (quote(text).replace("\n", f"\n{indent}") if "\n" in text else _single(text))


def _single(text: str) -> str:
    return text if MOMENT.match(text) or ADDRESS.fullmatch(text) else literal(text)


def _in_row(name: str, value: Any) -> Any:
    """A value among others; of a moment the minute."""
    found = MINUTE.match(value) if name.endswith(("At", "since")) and isinstance(value, str) else None
    return f"{found[0]}Z" if found and MICROSECONDS.match(value) else _rounded(value)


def _rounded(value: Any) -> Any:
    """A number as it reads; structured content has all of it."""
    return str(round(value, 2)).removesuffix(".0") if isinstance(value, float) else value


def _named(name: str) -> str:
    is_plain = " ".join(name.split()) == name and name.replace(" ", "").isidentifier()
    return name if is_plain else json.dumps(name, ensure_ascii=False)


def _field(name: str, value: Any, indent: str) -> str:
    if _is_deep(value):
        listed = cast("list[Any]", value) if isinstance(value, list) else []
        columns, deeper = columns_of(listed), indent + "  "
        head = f"{indent}{_named(name)}{f' {columns.head}' if columns else ''}:\n"
        return head + (_items(listed, deeper, columns) if listed else outline(value, deeper))
    return f"{indent}{_named(name)}: " + outline(_rounded(value), "")


def moment(text: str) -> str:
    """A time without its microseconds; any other text as it is."""
    found = MICROSECONDS.match(text)
    return f"{found[1]}Z" if found else text

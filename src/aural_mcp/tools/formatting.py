"""How values and transcripts read as text: an outline for any JSON value, numbered turns in Markdown.

What others wrote stays within its field: quoted line by line, in quotation marks where it could be read as more.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, cast

from aural_mcp.safety import code_block, is_code, literal, quote

MEAN = "mean"
"""A number that reads rounded to hundredths; structured content has all of it."""
UNLIMITED = "none"
"""How a `limit` of null reads: elsewhere null says nothing and is left out."""
MICROSECONDS = re.compile(r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(?:\+00:00|Z)$")
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)$")
ADDRESS = re.compile(r"https?://[^\s;\"\\]+")
SPEAKERS = {"USER": "Candidate", "ASSISTANT": "Interviewer", "SYSTEM": "System"}


def transcript(messages: list[dict[str, Any]]) -> str:
    """Numbered turns in Markdown, every line of what was said quoted."""
    turns = [_turn(turn.get("turn", number), turn) for number, turn in enumerate(messages, 1)]
    return "\n\n".join(turns) or "Nothing has been said yet."


def _turn(number: int, turn: dict[str, Any]) -> str:
    speaker = SPEAKERS.get(str(turn.get("role")), "Unknown")
    said = str(turn.get("content", ""))
    parts = [code_block(said) if turn.get("contentType") == "CODE" or is_code(said) else said]
    parts += [code_block(outline(turn["code"], ""))] if turn.get("code") else []
    words = quote("\n".join(parts))
    marks = [name for name, there in (("follow-up", turn.get("isFollowUp")), (turn.get("contentType"), True)) if there]
    more = "".join(f", {mark.lower()}" for mark in marks if mark)
    return f"**{number}. {speaker}** ({moment(str(turn.get('timestamp', '')))}{more})\n{words}"


def table(rows: Sequence[Any]) -> str:
    """Rows, numbered: plain values on one line, others as an outline."""
    return "\n".join(f"{number}. {_item(row, '   ')}" for number, row in enumerate(rows, 1))


def _item(item: Any, indent: str) -> str:
    """An item of a list: plain values on one line, any other as an outline."""
    fields = cast("dict[str, Any]", item) if isinstance(item, dict) else {}
    if not fields or any(isinstance(each, dict | list) or "\n" in str(each) for each in fields.values()):
        return outline(item, indent).lstrip()
    return "; ".join(_field(name, each, "") for name, each in fields.items() if each not in (None, ""))


def outline(value: Any, indent: str = "") -> str:
    """A JSON value as indented lines; what is null or empty is left out."""
    if value is None:
        return ""
    if isinstance(value, dict):
        items = {
            name: UNLIMITED if name == "limit" and item is None else item
            for name, item in cast("dict[str, Any]", value).items()
        }
        return "\n".join(_field(name, item, indent) for name, item in items.items() if item not in (None, "", [], {}))
    if isinstance(value, list):
        return "\n".join(f"{indent}- " + _item(item, indent + "  ") for item in cast("list[Any]", value))
    text = str(value).lower() if isinstance(value, bool) else moment(str(value))
    return indent + (quote(text).replace("\n", f"\n{indent}") if "\n" in text else _single(text))


def _single(text: str) -> str:
    return text if MOMENT.match(text) or ADDRESS.fullmatch(text) else literal(text)


def _field(name: str, value: Any, indent: str) -> str:
    value = round(value, 2) if name == MEAN and isinstance(value, float) else value
    name = name if name.replace(" ", "").isidentifier() else json.dumps(name, ensure_ascii=False)
    if isinstance(value, dict | list) or (isinstance(value, str) and "\n" in value):
        return f"{indent}{name}:\n" + outline(value, indent + "  ")
    return f"{indent}{name}: " + outline(value, "")


def moment(text: str) -> str:
    """A time without its microseconds; any other text as it is."""
    return MICROSECONDS.sub(r"\1Z", text)

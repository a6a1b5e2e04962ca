"""Values as JavaScript sees them: Aural's handlers coerce and name types as their language does."""

from __future__ import annotations

import math
import re
from typing import Any, cast

ABSENT: Any = object()
"""A field that was not sent, where that differs from null."""


def leading_integer(text: str | None, *, default: int, most: int) -> int:
    """A page size as `parseInt` reads it: `5abc` is 5; missing, unreadable or below 1 is the default."""
    found = re.match(r"\s*[+-]?\d+", text or "")
    number = int(found[0][:12]) if found else 0
    return default if number < 1 else min(number, most)


def as_text(value: Any) -> str:
    """`String(value)`, with null as nothing."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "[object Object]"
    if isinstance(value, list):
        return ",".join(as_text(item) for item in cast("list[Any]", value))
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def as_number(value: Any) -> float:
    """`Number(value)`; NaN for what is none."""
    if isinstance(value, int | float):
        return value
    text = as_text(value).strip()
    if text == "":
        return 0
    plain = re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", text)
    return float(text) if plain else float(int(text, 16)) if re.fullmatch(r"0[xX][0-9a-fA-F]+", text) else math.nan


def truth(value: Any) -> bool:
    """JavaScript's truth, null counting as true: only false, 0 and "" are false."""
    return value is None or isinstance(value, dict | list) or bool(value)


def kind_of(value: Any) -> str:
    """JavaScript's name for the type of a value."""
    if value is ABSENT:
        return "undefined"
    if value is None:
        return "null"
    names = {bool: "boolean", int: "number", float: "number", str: "string", list: "array"}
    return next((name for kind, name in names.items() if isinstance(value, kind)), "object")


def is_number(value: Any) -> bool:
    """Whether it is a finite number, true and false not counting."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def is_positive(value: Any) -> bool:
    """Whether it is a whole number above 0, however it is spelled."""
    return is_number(value) and value == int(value) and value > 0

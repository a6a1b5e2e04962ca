"""Text written by others: every string that came from outside leaves this server through here."""

from __future__ import annotations

import re
import unicodedata
from typing import TypeVar, cast

Value = TypeVar("Value")

HIDDEN = re.compile(
    "["
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # controls, but for newline and tab
    "\u00ad\u061c\u180e\u200b\u2060-\u206f\ufeff\ufff9-\ufffb"  # invisible, and the isolates
    "\u202a-\u202e"  # bidi embeddings and overrides
    "\ufdd0-\ufdef\ufffe\uffff"  # noncharacters
    "\ud800-\udfff"  # lone surrogates
    "\U000e0000-\U000e0fff"  # tags and other default-ignorables
    "]"
)


def outside(text: str) -> str:
    """The text without characters that a person cannot see, in NFC. Running it twice changes nothing more."""
    return unicodedata.normalize("NFC", HIDDEN.sub("", text.replace("\r\n", "\n")))


def outside_all(value: Value) -> Value:
    """The same JSON value with every string in it, keys too, passed through `outside`."""
    if isinstance(value, str):
        return cast(Value, outside(value))
    if isinstance(value, dict):
        items = cast("dict[str, object]", value).items()
        return cast(Value, {outside(key): outside_all(item) for key, item in items})
    if isinstance(value, list):
        return cast(Value, [outside_all(item) for item in cast("list[object]", value)])
    return value


def quoted(text: object, limit: int = 80) -> str:
    """Somebody else's words inside a sentence of ours: cleaned, on one line, shortened, in quotes."""
    words = " ".join(outside(str(text)).split())
    return f"“{words if len(words) <= limit else words[: limit - 1] + '…'}”"

"""A line of the decision log: JSON that ends in its SHA-256 and carries that of the line before."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple, cast

from aural_mcp.safety import outside

LINE = re.compile(rb'(\{"seq":(\d{1,15}),.*"prev":"([0-9a-f]{64})"),"hash":"([0-9a-f]{64})"\}')
START = "0" * 64
"""What the first line is chained to."""


class Line(NamedTuple):
    """A line that can be read."""

    seq: int
    prev: str
    hash: str
    intact: bool
    said: dict[str, Any]

    @property
    def by(self) -> dict[str, Any]:
        """Who was behind it, where somebody signed in."""
        return fields(self.said.get("by"))

    @property
    def ids(self) -> dict[str, Any]:
        """What it was done to, by name."""
        return fields(self.said.get("ids"))

    @property
    def at(self) -> float | None:
        """When it was written, in seconds since 1970; None where it does not say."""
        return moment_of(self.said)

    def is_about(self, wanted: str) -> bool:
        """Whether it has this in the name of its tool, its outcome, what was decided, or an id."""
        ids = [each for some in self.ids.values() for each in listed(some)]
        about = [*map(self.said.get, ("tool", "outcome", "verdict")), *ids]
        return any(wanted.casefold() in each.casefold() for each in about if isinstance(each, str))

    def is_since(self, moment: datetime) -> bool:
        """Whether it was written then or later; one that does not say when may have been."""
        return self.at is None or self.at >= moment.timestamp()

    def __str__(self) -> str:
        """For a person; neither a name nor a forged line can steer the terminal."""
        told = {**self.said, "by": None, "ids": None, "reason": None, **self.ids}
        words = {name: json.dumps(value) for name, value in told.items() if value and name not in ("prev", "hash")}
        first = [words.pop(name, "?").strip('"') for name in ("seq", "at", "tool", "outcome")]
        people = [f"{_shown(name)} {_shown(text)}" for name, text in self.by.items()]
        reason = [f"reason {_shown(self.said['reason'])}"] if self.said.get("reason") else []
        rest = [f"{json.dumps(name)} {word}".replace('"', "") for name, word in words.items()]
        return "  ".join([*first, *people, *reason, *rest, *([] if self.intact else ["(changed)"])])


class Verdict(NamedTuple):
    """How many lines there are, the hash to note elsewhere, and what is wrong, by line."""

    lines: int
    head: str
    problems: list[str]


def line_of(raw: bytes) -> Line | None:
    """A line as it stands in the log; None where it cannot be read."""
    if (found := LINE.fullmatch(raw)) is None:
        return None
    try:
        said = cast("dict[str, Any]", json.loads(raw))
    except (ValueError, RecursionError):
        return None
    own = found[4].decode()
    return Line(int(found[2]), found[3].decode(), own, own == hash_of(found[1]), said)


def sealed(seq: int, entry: Mapping[str, Any], prev: str) -> tuple[bytes, str]:
    """A line with its number, chained to the one before, and its hash."""
    said = json.dumps({"seq": seq, **entry, "prev": prev}, separators=(",", ":")).encode()[:-1]
    own = hash_of(said)
    return said + f',"hash":"{own}"}}'.encode(), own


def hash_of(said: bytes) -> str:
    """Of the line as it stands (JSON without spaces, in ASCII), less its own hash."""
    return hashlib.sha256(said + b"}").hexdigest()


def stamp(moment: float) -> str:
    """A moment, in seconds since 1970, as lines say it."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment_of(said: Mapping[str, Any]) -> float | None:
    """When something was written, in seconds since 1970; None where it does not say."""
    try:
        return datetime.fromisoformat(said["at"]).timestamp()
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def fields(value: object) -> dict[str, Any]:
    """An object of a line; an empty one where something else stands."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def listed(value: Any) -> list[Any]:
    """One or several as a list."""
    return cast("list[Any]", value) if isinstance(value, list) else [value]


def _shown(value: object) -> str:
    """A text from outside for a terminal: letters as they are, and whatever could steer it as its number."""
    text = outside(value) if isinstance(value, str) else json.dumps(value)
    return "".join(each if each.isprintable() else f"\\u{ord(each):04x}" for each in text)

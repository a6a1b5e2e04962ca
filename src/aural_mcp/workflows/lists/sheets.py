"""What was read of a list: its rows by field, lines that cannot be read, and what each column was taken for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from aural_mcp.api.errors import BadRequest

Record = tuple[int, Sequence[str]]
"""The cells of a line, and its number, as an editor counts."""
LINES, COLUMNS, LONGEST_LINE, CHARACTERS = 20_000, 200, 50_000, 10_000_000
"""How much a list may be: more takes longer than a call may."""


@dataclass(frozen=True)
class Row:
    """What stands in a row, by field."""

    line: int
    values: dict[str, str]


@dataclass
class Sheet:
    """The rows of a list; what could not be read, and why; which column was taken for what; what to say of it."""

    rows: list[Row] = field(default_factory=list[Row])
    unreadable: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])
    columns: dict[str, str] = field(default_factory=dict[str, str])
    left_out: list[str] = field(default_factory=list[str])
    remarks: list[str] = field(default_factory=list[str])
    day_order: str = ""
    japanese: bool = False
    """Whether ideographs are Japanese, so that a space stands between the parts of a name."""
    as_given: bool = False
    """Whether these are people given one by one, whose names are taken as they are."""


def unusable(message: str, step: str) -> BadRequest:
    """What is said of data of which nothing can be used."""
    return BadRequest(f"{message}.", f"{step}; nothing was done.", status=400, code="DATA")

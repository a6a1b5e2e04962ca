"""Tables for a terminal: columns that stand under each other in every script, and in narrow windows too."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Any

GAP = "  "
NARROWEST = 40
"""Columns that are written to, however few the terminal says it has."""
SHORTEST = 12
"""Columns that the first cell of a row keeps, where a table must be narrower than it is."""
JOINER, PICTURE, RIGHT_TO_LEFT = "\u200d", "\ufe0f", re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
LEFT_TO_RIGHT = "\u200e"
"""Ends a run from right to left: the numbers behind a name stay in their columns."""


def width(text: str) -> int:
    """The columns that a text takes: two for an ideograph or a picture, none for an accent."""
    taken, joined = 0, False
    for character in text:
        if character == PICTURE:
            taken += taken == 1
        elif not joined and unicodedata.category(character) not in ("Mn", "Me", "Cf"):
            taken += 2 if unicodedata.east_asian_width(character) in "WF" else 1
        joined = character == JOINER
    return taken


def line(value: Any) -> str:
    """A value on one line, without what a terminal would obey."""
    text = " ".join(str(value).split())
    return "".join(each for each in text if unicodedata.category(each) not in ("Cc", "Cs"))


def cut(text: str, columns: int) -> str:
    """The text, its end left out where it takes more columns."""
    if width(text) <= columns:
        return text
    while text and width(text) >= columns:
        text = text[:-1]
    return text.rstrip() + "…"


def padded(text: str, columns: int, *, right: bool = False) -> str:
    """The text, filled up with spaces to a number of columns."""
    space = " " * (columns - width(text))
    ended = f"{text}{LEFT_TO_RIGHT}" if RIGHT_TO_LEFT.search(text) else text
    return space + ended if right else ended + space


def table(head: Sequence[str], rows: Sequence[Sequence[Any]], columns: int) -> list[str]:
    """The lines of a table; numbers stand to the right.

    What is too wide for the terminal goes on below, with the first two cells of each row again.
    """
    cells = [[_cell(each) for each in row] for row in rows]
    numbers = [any(row[n] for row in cells) and all(_is_number(row[n]) for row in cells) for n in range(len(head))]
    widths = [max(map(width, each)) for each in zip(head, *cells, strict=True)]
    most = max(columns, NARROWEST)
    if sum(widths) + len(GAP) * (len(widths) - 1) > most:
        widths[0] = min(widths[0], max(SHORTEST, most // 3))
    widths = [widths[0], *(min(each, most - widths[0] - len(GAP)) for each in widths[1:])]
    first = min(2, len(head))
    lines: list[str] = []
    for shown in _blocks(widths, first, most):
        lines += [""] if lines else []
        for row in (head, *cells):
            made = [padded(cut(row[n], widths[n]), widths[n], right=numbers[n]) for n in shown]
            lines.append(GAP.join(made).rstrip())
    return lines


def _blocks(widths: Sequence[int], first: int, most: int) -> list[list[int]]:
    """Which columns stand beside each other."""
    blocks: list[list[int]] = [list(range(first))]
    for number in range(first, len(widths)):
        if sum(widths[n] + len(GAP) for n in blocks[-1]) + widths[number] > most and len(blocks[-1]) > first:
            blocks.append(list(range(first)))
        blocks[-1].append(number)
    return blocks


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{round(value, 2):g}" if isinstance(value, float) else line(value)


def _is_number(text: str) -> bool:
    return text in ("", "-") or text.replace(".", "", 1).isdigit()

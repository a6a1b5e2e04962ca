"""Text to lines of cells: bounds first, then what parts the cells, then the cells."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from itertools import islice

from aural_mcp.workflows.lists.headings import meant
from aural_mcp.workflows.lists.sheets import CHARACTERS, COLUMNS, LINES, LONGEST_LINE, Record, Sheet, unusable

DELIMITERS = ("\t", ";", ",", "|", "；", "，", "^", "~", "¦")
LOOKED_AT = 20_000
"""Characters by which the delimiter is found."""
FIRST = 30
"""Lines among which the headings are."""
EMAIL = re.compile(r"[^\s@<>,;\"'()\[\]|`*]{1,64}@[^\s@<>,;\"'()\[\]|`*?]{1,255}")
OPEN = "A quotation mark that opens here does not close: nothing from here on can be read."
AS_ROWS = "Give them as candidates rows"
FORMS = {
    r"\s*BEGIN:V(?:CARD|CALENDAR)": "a vCard",
    r"\s*(?:<!DOCTYPE|<\?xml|<(?:html|head|body|table|tbody|thead|tr|div|ul|ol|p|span|meta|style)\b)": "HTML or XML",
    r"\s*\{\\rtf": "a document",
    r"\s*dn: ": "LDIF",
}


def check_size(text: str, instead: str = AS_ROWS) -> None:
    """Hold a text to the bounds before anything is done with it.

    Args:
        instead: what to do where it is no list.

    Raises:
        BadRequest: it is larger, or no list.
    """
    if len(text) > CHARACTERS:
        raise unusable(f"There are more than {CHARACTERS:,} characters", "Split the list")
    for form, name in FORMS.items():
        if re.match(form, text[:2_000], re.IGNORECASE):
            raise unusable(f"This is {name}", instead)
    if max(text.count("\n"), text.count("\r")) > LINES + 1_000:
        raise unusable(f"There are more than {LINES:,} rows", "Split the list")
    for number, line in enumerate(io.StringIO(text), 1):
        if len(line) > LONGEST_LINE:
            said = f"Line {number} has more than {LONGEST_LINE:,} characters"
            raise unusable(said, "A list has a person a line")


def records(text: str, read: Sheet) -> list[Record]:
    """The lines that are not blank; what cannot be read is noted.

    Raises:
        BadRequest: there are too many lines or columns.
    """
    found = _bounded(text, read)
    if len(found) > 1 and all(len(cells) == 1 for _, cells in found) and text.count('"') >= 2 * len(found):
        within = {line: " ".join(cells[0].split()) for line, cells in found}
        found = _bounded("\n".join(within.get(line, "") for line in range(1, found[-1][0] + 1)), read)
    widths = [len(cells) for _, cells in found]
    width = max(set(widths), key=widths.count, default=1)
    return [
        (line, _parted_otherwise(cells[0], width) or cells if len(cells) == 1 < width else cells)
        for line, cells in found
    ]


def _bounded(text: str, read: Sheet) -> list[Record]:
    delimiter, skipped = _delimiter(text)
    if not delimiter:
        text, delimiter = re.sub(r"[ \u3000]{2,}", "\t", text), "\t"
    found = [each for each in islice(_records(text, delimiter, read), LINES + FIRST + 1) if each[0] > skipped]
    if len(found) > LINES + FIRST:
        raise unusable(f"There are more than {LINES:,} rows", "Split the list")
    if any(len(cells) > COLUMNS and 2 * sum("@" in each for each in cells) < len(cells) for _, cells in found):
        raise unusable(f"There are more than {COLUMNS} columns", "Leave out what is not about the people")
    return found


def _parted_otherwise(cell: str, width: int) -> list[str]:
    """The cells of a line that has another delimiter than the rest."""
    for delimiter in DELIMITERS:
        if cell.count(delimiter) >= width - 1:
            parts = next(csv.reader([cell], delimiter=delimiter, skipinitialspace=True))
            if len(parts) == width:
                return [each.strip() for each in parts]
    return []


def _delimiter(text: str) -> tuple[str, int]:
    """What parts the cells (nothing: two spaces), and how many lines at the top only say so (`sep=;`, as Excel)."""
    if said := re.match(r'"?sep=(.)"?\r?\n', text, re.IGNORECASE):
        return said[1], 1
    scores: dict[str, tuple[int, int, int]] = {}
    for delimiter in DELIMITERS:
        rows = [cells for _, cells in _records(text[:LOOKED_AT], delimiter, Sheet())]
        known = max((sum(meant(cell).sure for cell in cells[:COLUMNS]) for cells in rows[:FIRST]), default=0)
        parted = sum(len(cells) > 1 and any(EMAIL.fullmatch(each) for each in cells) for cells in rows)
        scores[delimiter] = (known if known > 1 else 0, parted, sum(len(cells) > 1 for cells in rows))
    best = max(scores, key=lambda each: scores[each])
    lines = [line for line in text[:LOOKED_AT].splitlines() if line.strip()]
    gaps = sum("  " in line.strip() for line in lines)
    if 2 * gaps > len(lines) and scores[best][0] < 2 and not (scores[best][1] and best != ","):
        return "", 0
    return best, 0


def _records(text: str, delimiter: str, read: Sheet) -> Iterator[Record]:
    lines = sum(1 for _ in io.StringIO(text, newline=""))
    reader, line = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True), 1
    try:
        for cells in reader:
            if line < reader.line_num == lines and _is_open(text, line, delimiter):
                break
            cells = [each.strip() for each in cells]
            if any(map(_says_something, cells)):
                yield line, tuple(cells)  # the garbage collector passes over tuples of texts
            line = reader.line_num + 1
        else:
            return
    except csv.Error:
        pass
    read.unreadable.append((line, OPEN))


def _says_something(cell: str) -> bool:
    return bool(cell) and (cell.isalnum() or re.search(r"\w", cell) is not None)


def _is_open(text: str, line: int, delimiter: str) -> bool:
    """Whether a quotation mark in the last record, which begins on this line, never closes."""
    tail = islice(io.StringIO(text, newline=""), line - 1, None)
    try:
        next(csv.reader(tail, delimiter=delimiter, skipinitialspace=True, strict=True))
    except csv.Error as error:
        return "unexpected end" in str(error)
    return False

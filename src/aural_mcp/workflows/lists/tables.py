"""Text to lines of cells: bounds first, then what parts the cells, then the cells."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from itertools import islice, zip_longest

from aural_mcp.workflows.lists.cells import is_certain_phone, is_name
from aural_mcp.workflows.lists.headings import meant
from aural_mcp.workflows.lists.sheets import CHARACTERS, COLUMNS, LINES, LONGEST_LINE, Record, Sheet, unusable

DELIMITERS = ("\t", ";", ",", "|", "；", "，", "^", "~", "¦")
LOOKED_AT = 20_000
"""Characters by which the delimiter is found."""
FIRST = 30
"""Lines among which the headings are."""
EMAIL = re.compile(r"[^\s@<>,;\"'()\[\]|`*]{1,64}@[^\s@<>,;\"'()\[\]|`*?]{1,255}")
LABEL = re.compile(r"[\s\-*•>]*([^\s:：,;|<>@][^:：,;|<>@]{0,39}?)[\s*]*[:：][\s*]*(.*?)\s*")
"""A field with its name."""
SAMPLED = 200
LOOSE = "It stands before the first field: nothing was read from it."
OPEN = "A quotation mark that opens here does not close: nothing from here on can be read."
AS_ROWS = "Give them as candidates rows"
FORMS = {
    r"\s*BEGIN:V(?:CARD|CALENDAR)": "a vCard",
    r"\s*(?:<!DOCTYPE|<\?xml|<(?:html|head|body|table|tbody|thead|tr|div|ul|ol|p|span|meta|style)\b)": "HTML or XML",
    r"\s*\{\\rtf": "a document",
    r"\s*dn: ": "LDIF",
}


def check_size(text: str) -> None:
    """Hold a text to the bounds before anything is done with it.

    Raises:
        BadRequest: it is larger, or no list.
    """
    if len(text) > CHARACTERS:
        raise unusable(f"There are more than {CHARACTERS:,} characters", "Split the list")
    for form, name in FORMS.items():
        if re.match(form, text[:2_000], re.IGNORECASE):
            raise unusable(f"This is {name}", AS_ROWS)
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
    if people := _labelled(text, read) or _stacked(text):
        return people
    found = _bounded(text, read)
    if len(found) > 1 and all(len(cells) == 1 for _, cells in found) and text.count('"') >= 2 * len(found):
        within = {line: " ".join(cells[0].split()) for line, cells in found}
        found = _bounded("\n".join(within.get(line, "") for line in range(1, found[-1][0] + 1)), read)
    widths = [len(cells) for _, cells in found]
    width = max(set(widths), key=widths.count, default=1)
    found = [
        (line, _parted_otherwise(cells[0], width) or cells if len(cells) == 1 < width else cells)
        for line, cells in found
    ]
    return _upright(found, read)


def _bounded(text: str, read: Sheet) -> list[Record]:
    delimiter, skipped = _delimiter(text)
    if not delimiter:
        text, delimiter = re.sub(r"[ \u3000]{2,}", "\t", text), "\t"
    found = [each for each in islice(_records(text, delimiter, read), LINES + FIRST + 1) if each[0] > skipped]
    if len(found) > LINES + FIRST:
        raise unusable(f"There are more than {LINES:,} rows", "Split the list")
    if found and max(len(cells) for _, cells in found) > COLUMNS:
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


def _labelled(text: str, read: Sheet) -> list[Record]:
    """A record a person, where each field has a line of its own with its name: `Email: ana@example.com`."""
    lines = [
        (number, part) for number, line in enumerate(text.splitlines(), 1) for part in _fields(line) if part.strip()
    ]
    pairs = [LABEL.fullmatch(line[:LOOKED_AT]) for _, line in lines[:SAMPLED]]
    known = [meant(each[1]).field for each in pairs if each and meant(each[1]).sure]
    if 2 * len(known) <= len(pairs) or not {"name", "first", "last"} & {*known} or not {"email", "phone"} & {*known}:
        return []
    people: list[tuple[int, dict[str, str]]] = []
    headings, label = dict[str, None](), ""
    for number, line in lines:
        found = LABEL.fullmatch(line)
        if found and (meant(found[1]).sure or found[1] in headings or not people):
            label = found[1]
            if not people or label in people[-1][1]:
                people.append((number, {}))
            headings[label] = None
            people[-1][1][label] = found[2].strip()
        elif people and label:
            people[-1][1][label] += f"\n{line.strip()}"
        else:
            read.unreadable.append((number, LOOSE))
    return [(0, [*headings]), *((number, [each.get(name, "") for name in headings]) for number, each in people)]


def _fields(line: str) -> list[str]:
    """The parts of a line in which each field stands with its name."""
    parts = re.split(r"[,;|\t](?=[^,;|\t:]{1,40}:)", line) if line.count(":") > 1 and len(line) < LOOKED_AT else [line]
    return parts if all(LABEL.fullmatch(each) for each in parts) else [line]


def _stacked(text: str) -> list[Record]:
    """A record a person, where each has a few lines of their own: the name, then the address and what else there is."""
    if "@" not in text[:LOOKED_AT] or not re.search(r"\n[ \t\r]*\n", text[:LOOKED_AT]):
        return []
    blocks: list[list[tuple[int, str]]] = [[]]
    for number, line in enumerate(text.splitlines(), 1):
        blocks[-1] += [(number, line.strip())] if line.strip() else []
        if not line.strip() and blocks[-1]:
            blocks.append([])
    people = [_of_block(each) for each in blocks if each]
    if not all(people):
        return []
    return [(0, ["Name", "Email", "Phone", "Notes"]), *filter(None, people)]


def _of_block(lines: Sequence[tuple[int, str]]) -> Record | None:
    values = [re.sub(r"^(?:[a-zA-Zé-]{1,10}\s?[:.]|[<(]|mailto:)\s*", "", line) for _, line in lines]
    mails = [each for each in values if EMAIL.fullmatch(each.strip("<>()"))]
    if not 2 <= len(lines) <= 8 or len(mails) != 1 or not is_name(lines[0][1]) or meant(lines[0][1]).sure:
        return None
    phones = [each for each in values[1:] if is_certain_phone(each)]
    rest = [each for each in values[1:] if each not in (*mails, *phones[:1])]
    return lines[0][0], [lines[0][1], mails[0].strip("<>()"), *(phones[:1] or [""]), "\n".join(rest)]


def _upright(found: list[Record], read: Sheet) -> list[Record]:
    """The table turned where its headings stand in the first column; a line is a column of it then."""
    if len(found) > FIRST or any(len(cells) < 2 or sum(meant(each).sure for each in cells) > 1 for _, cells in found):
        return found
    side = [meant(cells[0]) for _, cells in found]
    known = {each.field for each in side if each.sure}
    if len(known) < 2 or not known & {"name", "first", "last"} or not all(each.sure or each.other for each in side):
        return found
    read.remarks.append("The table lies on its side: what is called a line here is a column of it.")
    return [
        (place, list(cells)) for place, cells in enumerate(zip_longest(*(cells for _, cells in found), fillvalue=""), 1)
    ]


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
                yield line, cells
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

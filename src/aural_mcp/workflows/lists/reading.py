"""Lists of people as they come: a text to rows, by columns or line by line.

Nothing here asks a backend. Every cell ends in a field, in the notes, in a column that is left out by name, or in a
problem with its line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from aural_mcp.safety import quoted
from aural_mcp.workflows.lists.blocks import labelled, stacked, upright
from aural_mcp.workflows.lists.cells import is_date, is_number, is_phone, order_of
from aural_mcp.workflows.lists.columns import (
    NAMES,
    SAMPLED,
    Column,
    columns_of,
    could_be_name,
    is_heading_again,
    place_of_headings,
)
from aural_mcp.workflows.lists.encodings import decoded, said_of
from aural_mcp.workflows.lists.fields import is_doubtful, mapped
from aural_mcp.workflows.lists.headings import is_candidate, is_end, meant
from aural_mcp.workflows.lists.lines import EDGES, by_lines
from aural_mcp.workflows.lists.sheets import LINES, Record, Row, Sheet, unusable
from aural_mcp.workflows.lists.tables import EMAIL, check_size, records

FILE = re.compile(r"\S[^\n]{0,250}\.(?:csv|tsv|txt|xlsx?|ods)", re.IGNORECASE)
MORE = "The row has more cells than there are columns: is there a comma or semicolon that needs quotation marks?"
AGAIN = "The headings once more: nobody was registered for it."
END = "A total, or a line about the list: nobody was registered for it."
BARE = (
    "Only a name, where nearly all others have an address or a number: a heading or total looks so, and nobody was "
    "registered for it. If it is a person, give them as candidates rows."
)
SUFFIXES = re.compile(r"(?:jr|sr|phd|md|mba|ii|iii|iv|esq|dds|cpa|msc|bsc|ma|ba)\.?", re.IGNORECASE)
KANA = re.compile(r"[\u3041-\u30fa]")
Given = Mapping[str, str]


def file_sheet(raw: bytes, given: Given, encoding: str = "", *, blind: bool = False) -> Sheet:
    """The rows of a file; see `sheet`."""
    text = decoded(raw, encoding)
    read = sheet(text.text, given, blind=blind)
    names = [value for row in read.rows for name, value in row.values.items() if name in NAMES]
    read.remarks += [said] if (said := said_of(text, names, blind=blind)) else []
    return read


def pasted(text: str, given: Given, *, blind: bool = False) -> Sheet:
    """The rows of a text given in a call; see `sheet`.

    Raises:
        BadRequest: as `sheet`, or it is the name of a file, or JSON.
    """
    if len(text) < 300 and FILE.fullmatch(text.strip()) and "@" not in text:
        raise unusable("This is the name of a file", "Give it as `file`, or what stands in it as `data`")
    if re.match(r"\s{0,99}(?:\[\s{0,99})?\{", text):
        raise unusable("This is JSON", "Give an array of people as `candidates`")
    return sheet(text, given, blind=blind)


def sheet(text: str, given: Given, *, blind: bool = False) -> Sheet:
    """The rows of a text: CSV with any usual delimiter, a table, or a person a line.

    Args:
        given: headings, and the field that each is; an empty one leaves the column out.
        blind: whether errors may not quote what stands in it.

    Raises:
        BadRequest: nothing is in it, it is too large, or what its columns hold must be asked.
    """
    text = text.removeprefix("\ufeff").replace("\0", "")
    check_size(text)
    read = Sheet()
    found = labelled(text, read) or stacked(text) or upright(records(text, read), read)
    if not found and not read.unreadable:
        raise unusable("There is nobody in it", "Give a person a line, or CSV with the columns name and email")
    place = place_of_headings(found)
    if place is not None and (len(found) > place + 1 or len(found[place][1]) > 1):
        _above(read, found[:place], blind=blind)
        _by_columns(read, found[place][1], found[place + 1 :], given, blind=blind)
    elif given or _is_table(found):
        _by_columns(read, [], found, given, blind=blind)
    else:
        by_lines(read, text if not read.unreadable else _until(text, read.unreadable[0][0]))
    if len(read.rows) > LINES:
        raise unusable(f"There are more than {LINES:,} rows", "Split the list")
    _turn(read)
    return read


def _until(text: str, line: int) -> str:
    return "\n".join(text.splitlines()[: line - 1])


def _above(read: Sheet, above: Sequence[Record], *, blind: bool) -> None:
    if above:
        shown = "" if blind else ": " + ", ".join(quoted(" ".join(filter(None, cells)), 60) for _, cells in above[:5])
        more = f" and {len(above) - 5} more" if len(above) > 5 else ""
        read.remarks.append(f"Not read, as it stands above the headings{shown}{more}.")


def _is_table(found: Sequence[Record]) -> bool:
    """Whether lines without headings have the same columns, more than a name and an address."""
    widths = [len(cells) for _, cells in found]
    width = max(set(widths), key=widths.count) if widths else 0
    even = [cells for _, cells in found if len(cells) == width]
    if width < 3 or len(even) < 2 or len(even) < 0.8 * len(found):
        return False
    addressed = [[place for place, cell in enumerate(cells) if "@" in cell] for cells in even]
    usual = max(addressed, key=addressed.count)
    same = [each for each in addressed if len(each) == 1 and each == usual]
    clean = not any("<" in cell for cells in even[:50] for cell in cells)
    return clean and len(same) >= 0.8 * len(even) and len(_texts(even, usual[0])) > 1


def _texts(rows: Sequence[Sequence[str]], address: int) -> list[int]:
    """The columns of words."""
    return [
        place
        for place in range(len(rows[0]))
        if place != address and any(any(map(str.isalpha, cells[place])) for cells in rows)
    ]


# ── By columns ──────────────────────────────────────────────────────────────────────────────────


def _by_columns(read: Sheet, headings: Sequence[str], found: Sequence[Record], given: Given, *, blind: bool) -> None:
    rows = _people_of(read, headings, found)
    headings, rows = _apart(headings, rows)
    columns = columns_of(headings, [each for each in rows if not headings or len(each[1]) <= len(headings)] or rows)
    mapped(columns, given, blind=blind)
    _tell(read, columns, blind=blind)
    read.day_order = order_of([cell for each in columns if each.field == "birthday" for cell in each.cells])
    names = [cell for each in columns if each.field in (*NAMES, "notes") for cell in each.cells]
    read.japanese = any(map(KANA.search, [*headings, *names]))
    taken = sorted((each for each in columns if each.field and each.field != "repeated"), key=_first)
    for line, cells in rows:
        if headings and any(cells[len(headings) :]):
            read.unreadable.append((line, MORE))
        elif any(cells):
            read.rows.append(Row(line, _values(taken, cells)))


def _apart(headings: Sequence[str], rows: Sequence[Record]) -> tuple[Sequence[str], Sequence[Record]]:
    """Names and addresses that share a column, as `Ana Silva <ana@example.com>`, each in one of their own."""
    if any(
        meant(each).sure and meant(each).field in NAMES
        for each in headings
        if not _is_shared(headings.index(each), rows)
    ):
        return headings, rows
    place = next((each for each in range(len(headings)) if _is_shared(each, rows)), None)
    if place is None:
        return headings, rows
    more = len(headings) - 1
    parted = [
        (
            line,
            [
                *(_address(cell) if at == place else cell for at, cell in enumerate(cells)),
                *[""] * (more + 1 - len(cells)),
                _name(cells, place),
            ],
        )
        for line, cells in rows
    ]
    return [*headings, f"{headings[place]} (name)"], parted


def _is_shared(place: int, rows: Sequence[Record]) -> bool:
    """Whether a column holds names with addresses."""
    cells = [cells[place] for _, cells in rows[:SAMPLED] if place < len(cells) and cells[place]]
    return 2 * sum(_address(each) != each and could_be_name(_name([each], 0)) for each in cells) > len(cells)


def _address(cell: str) -> str:
    found = EMAIL.findall(cell)
    return found[0] if len(found) == 1 else cell


def _name(cells: Sequence[str], place: int) -> str:
    """What stands beside the address of a cell."""
    cell = cells[place] if place < len(cells) else ""
    return re.sub(r"mailto:", "", cell.replace(_address(cell), " ")).strip(EDGES) if "@" in cell else ""


def _first(column: Column) -> tuple[bool, int]:
    """The address that is called the primary one goes before the others."""
    main = re.search(r"primary|preferred|main|haupt|principal", column.heading, re.IGNORECASE)
    return column.field == "email" and main is None and not is_candidate(column.heading), column.place


def _people_of(read: Sheet, headings: Sequence[str], found: Sequence[Record]) -> list[Record]:
    """The lines that are people, as far as their shape tells; the others are noted."""
    rich = sum(_has_contact(cells) for _, cells in found)
    rows: list[Record] = []
    for line, cells in found:
        filled = [each for each in cells if each]
        contact = _has_contact(cells)
        if headings and not contact and is_heading_again(cells, headings):
            read.unreadable.append((line, AGAIN))
        elif filled and not contact and is_end(filled[0]):
            read.unreadable.append((line, END))
        elif len(filled) == 1 and len(cells) > 0 and not contact and len(found) > 1 and rich >= 0.8 * (len(found) - 1):
            read.unreadable.append((line, BARE))
        else:
            rows.append((line, cells))
    return rows


def _has_contact(cells: Iterable[str]) -> bool:
    if any("@" in each for each in cells):
        return True
    return any(sum(map(str.isdecimal, each)) > 2 and is_phone(each) and not is_date(each) for each in cells)


def _values(columns: Sequence[Column], cells: Sequence[str]) -> dict[str, str]:
    """The cells of a row by field; what a field has no place for goes into the notes."""
    values, more = dict[str, str](), list[str]()
    for column in columns:
        cell = cells[column.place] if column.place < len(cells) else ""
        if not cell:
            continue
        name = column.field
        if name not in values:
            values[name] = cell if name != "notes" or not _needs_name(columns) else f"{column.heading}: {cell}"
        elif name in ("first", "middle", "last"):
            values[name] += f" {cell}"
        elif values[name] != cell:
            more.append(f"{column.heading or column.key}: {cell}")
    if more:
        values["more"] = "\n".join(more)
    return values


def _needs_name(columns: Sequence[Column]) -> bool:
    """Whether notes come from several columns, so that each says from which."""
    return sum(each.field == "notes" for each in columns) > 1


def _tell(read: Sheet, columns: Sequence[Column], *, blind: bool) -> None:
    """Say what each column was taken for, and what is left out."""
    for each in columns:
        if each.field:
            name = "name" if each.field == "repeated" else each.field
            told = f"{each.key} (by what is in it)" if each.looked else each.key
            read.columns[name] = f"{read.columns[name]}, {told}" if name in read.columns else told
        elif each.cells:
            read.left_out.append(each.told(blind=blind))
    first = [each.told(blind=blind) for each in columns if is_doubtful(each, columns)]
    if first:
        read.remarks.insert(0, f"Left out, and perhaps wanted: {'; '.join(first)}.")


def _turn(read: Sheet) -> None:
    """`Silva, Ana` the right way round, where all names are written so."""
    names = [row.values["name"] for row in read.rows if row.values.get("name")]
    parts = [each.split(",") for each in names]
    if not names or not all(len(each) == 2 and all(map(str.strip, each)) for each in parts):
        return
    if any(SUFFIXES.fullmatch(each[1].strip()) or EMAIL.search(each[1]) or is_number(each[1]) for each in parts):
        return
    for row in read.rows:
        if row.values.get("name"):
            last, first = (each.strip(" \"'") for each in row.values["name"].split(","))
            row.values["name"] = f"{first} {last}"
    read.remarks.append("Names were written last name first, and are turned.")

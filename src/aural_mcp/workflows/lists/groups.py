"""In which groups people are, by a file that the employer supplies or by what is stored; never by a guess."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from aural_mcp.safety import inert, quoted
from aural_mcp.workflows.base import refused
from aural_mcp.workflows.lists.cells import addresses, is_certain_phone, is_nothing, tidy
from aural_mcp.workflows.lists.columns import place_of_headings
from aural_mcp.workflows.lists.encodings import decoded
from aural_mcp.workflows.lists.headings import meant
from aural_mcp.workflows.lists.sheets import Record, Sheet
from aural_mcp.workflows.lists.tables import check_size, records

MOST, VALUES, LONGEST, LISTED = 2, 20, 60, 30
"""Columns of groups in one report, values of a column, letters of a value; columns that a refusal lists."""
USUAL = re.compile(r"\brac(?:e|ial)|ethni|hispanic|latin[oax]|\bsex\b|gender", re.IGNORECASE)
"""Headings of columns that are meant where others are there too."""
ID = re.compile(r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}")
AROUND = " '\"={}"
"""What spreadsheets and people put around an id, so that it stays one."""
ANSWERS = frozenset(
    (
        *("undisclosed", "not disclosed", "declined", "decline to state", "decline to answer", "not specified"),
        *("not stated", "prefer not to say", "prefer not to answer", "i prefer not to say"),
    )
)
"""What stands for unknown, beside what stands for nothing in any list."""
NOT_UTF8 = "The file is not UTF-8 and was read as {encoding}: if groups are spelled wrongly, save it as CSV UTF-8."
STRANGERS = "Rows of the file that are of nobody in this interview: {number}."


@dataclass(frozen=True)
class Grouping:
    """What groups go by, and the group of each person; of those who are not in it nobody knows."""

    heading: str
    of: Mapping[str, str]


@dataclass(frozen=True)
class Known:
    """The people of an interview: who is meant by an id or address, in small letters, and what they are called."""

    people: Mapping[str, str]
    names: Collection[str]

    def person(self, cell: str) -> str | None:
        """Who is meant by a cell."""
        found = addresses(cell)
        return self.people.get((found[0] if found else inert(cell)).strip(AROUND).casefold())

    def is_of_somebody(self, cell: str) -> bool:
        """Whether a cell is an id, an address or a name, and no heading."""
        return "@" in cell or ID.fullmatch(cell.strip()) is not None or cell.strip().casefold() in self.names


def grouping(heading: str, values: Mapping[str, str], known: Known) -> Grouping:
    """The groups in a column, by person; the same but for capitals and blanks is the same group.

    Raises:
        BadRequest: what stands in it are no groups.
    """
    spelled, found = dict[str, str](), dict[str, str]()
    for person, value in values.items():
        label = " ".join(inert(tidy(value)).split())
        if not is_nothing(label) and label.casefold() not in ANSWERS:
            found[person] = spelled.setdefault(label.casefold(), label)
    if fault := _fault(found, spelled, known):
        step = "Give a column that sorts people into few groups; who is in none has an empty cell"
        raise refused(f"{quoted(heading)} holds no groups: {fault}", step)
    return Grouping(heading, found)


def _fault(found: Mapping[str, str], spelled: Mapping[str, str], known: Known) -> str:
    """Why values are no groups; nothing where they are."""
    if any(len(label) > LONGEST for label in spelled.values()):
        return f"a value has more than {LONGEST} letters"
    if any("@" in label or is_certain_phone(label) for label in spelled.values()):
        return "there are addresses or telephone numbers in it"
    if spelled.keys() & known.names or spelled.keys() & known.people.keys():
        return "there are names or ids of candidates in it"
    if len(spelled) > VALUES:
        return f"it has {len(spelled)} different values, and {VALUES} are the most; that looks like names or ids"
    if len(spelled) == len(found) > 2:
        return "every value in it is another one; that looks like names or ids"
    return ""


# ── The file ────────────────────────────────────────────────────────────────────────────────────


def groupings_in(
    raw: bytes, wanted: Sequence[str], known: Known, *, most: int = MOST, blind: bool
) -> tuple[list[Grouping], list[str]]:
    """The groups by the columns of a file, and what is to be said of it.

    Args:
        wanted: the headings of the columns of groups; those that look so where there are none.
        most: how many columns may be taken.
        blind: whether nothing that stands in the file may be quoted.

    Raises:
        BadRequest: nobody of the interview is in it, somebody is in two groups, or what is a group must be asked.
    """
    text = decoded(raw)
    check_size(text.text, "Save it as CSV (UTF-8)")
    read = Sheet()
    found = records(text.text.removeprefix("\ufeff").replace("\0", ""), read)
    if read.unreadable:
        line, said = read.unreadable[0]
        raise refused(
            f"Line {line}: {said.rstrip('.')}", "Correct the file, as figures without the rest would be wrong"
        )
    place = place_of_headings(found) or 0
    above = found[place][1] if found else ()
    headings = [" ".join(inert(each)[:LONGEST].split()) or f"column {at}" for at, each in enumerate(above, 1)]
    headings = [each if each not in headings[:at] else f"{each} (column {at + 1})" for at, each in enumerate(headings)]
    if len(headings) < 2 or any(map(known.is_of_somebody, above)):
        raise refused(
            "The file has no row of headings above at least two columns",
            "Give one, such as sessionId,sex,ethnicity",
        )
    rows = found[place + 1 :]
    if longer := next((line for line, cells in rows if any(cells[len(headings) :])), 0):
        raise refused(
            f"Line {longer} has more cells than there are headings", "Put a value with a comma in quotation marks"
        )
    own = _who(rows, len(headings), known)
    columns = _wanted(headings, wanted, own) if wanted else _guessed(headings, rows, own, blind=blind)
    if len(columns) > most:
        there = [f"column {each + 1}" if blind else quoted(headings[each], 40) for each in columns[:LISTED]]
        said = f"{', '.join(there)} may each be groups, and a report goes by {MOST} at most (gender is one)"
        raise refused(said, f"Name {'one' if most == 1 else 'one or two'} in columns")
    people = [(line, known.person(cells[own]) if own < len(cells) else None, cells) for line, cells in rows]
    strangers = sum(person is None for _, person, _ in people)
    said = [NOT_UTF8.format(encoding=text.encoding)] if text.encoding else []
    said += [STRANGERS.format(number=strangers)] if strangers else []
    return [grouping(headings[each], _column(people, each, headings[each]), known) for each in columns], said


def _column(people: Sequence[tuple[int, str | None, Sequence[str]]], place: int, heading: str) -> dict[str, str]:
    """What stands in a column, by person.

    Raises:
        BadRequest: somebody is there twice, in another group each time.
    """
    found, lines = dict[str, str](), dict[str, int]()
    for line, person, cells in people:
        value = cells[place].strip() if place < len(cells) else ""
        if person is None or (not value and person in found):
            continue
        if found.get(person) and found[person].casefold() != value.casefold():
            said = f"Lines {lines[person]} and {line} are of the same person, and differ in {quoted(heading)}"
            raise refused(said, "Correct the file")
        found[person], lines[person] = value, line
    return found


def _who(rows: Sequence[Record], width: int, known: Known) -> int:
    """The column by which people are known."""
    hits = [
        sum(place < len(cells) and known.person(cells[place]) is not None for _, cells in rows)
        for place in range(width)
    ]
    if not any(hits):
        raise refused(
            "No row of the file is of anybody in this interview",
            "Give a column of the sessionId, the candidateId or the e-mail address of each, as list_sessions and "
            "list_candidates have them",
        )
    return hits.index(max(hits))


def _wanted(headings: Sequence[str], wanted: Sequence[str], own: int) -> list[int]:
    """The columns that are named, by heading or by place."""
    keys = {_key(heading): place for place, heading in reversed([*enumerate(headings)])}
    keys |= {f"column {place + 1}": place for place in range(len(headings)) if f"column {place + 1}" not in keys}
    found = [keys.get(_key(each)) for each in wanted]
    for name, place in zip(wanted, found, strict=True):
        if place is None:
            raise refused(f"columns names {quoted(name)}, which is no heading of the file", "Correct it")
        if place == own:
            raise refused(f"columns names {quoted(name)}, by which people are known", "Name the columns of groups only")
    return list(dict.fromkeys(each for each in found if each is not None))


def _key(heading: str) -> str:
    return " ".join(inert(heading).casefold().split())


def _guessed(headings: Sequence[str], rows: Sequence[Record], own: int, *, blind: bool) -> list[int]:
    """The columns that look like groups: those whose heading says so, else those with few values that repeat."""
    free = [place for place, heading in enumerate(headings) if place != own and _may_be(heading)]
    usual = [place for place in free if USUAL.search(headings[place]) or meant(headings[place]).field == "gender"]
    if usual:
        return usual
    few = [place for place in free if 1 < len(set(_values(rows, place))) <= min(VALUES, len(rows) // 2)]
    if not few:
        there = "" if blind else ": there are " + ", ".join(quoted(each, 40) for each in headings[:LISTED])
        raise refused(f"No column of the file looks like groups{there}", "Name those of groups in columns")
    return few


def _may_be(heading: str) -> bool:
    return meant(heading).field in ("", "gender")


def _values(rows: Sequence[Record], place: int) -> Iterator[str]:
    return (cells[place].casefold() for _, cells in rows if place < len(cells) and cells[place])

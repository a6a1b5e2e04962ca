"""People whose fields stand below one another: in blocks of lines, named or not, and in tables on their side."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import chain, islice, zip_longest

from aural_mcp.workflows.lists.cells import is_certain_phone, is_name
from aural_mcp.workflows.lists.headings import meant
from aural_mcp.workflows.lists.sheets import Record, Sheet
from aural_mcp.workflows.lists.tables import EMAIL, FIRST, LOOKED_AT

LABEL = re.compile(r"[\s\-*•>]*([^\s:：,;|<>@][^:：,;|<>@]{0,39}?)[\s*]*[:：](.*)")
"""A field with its name."""
SAMPLED = 200
"""Lines by which it is judged how people are written."""
LONGEST = 8
"""Lines of a block that is one person's."""
NAMED, REACHED = frozenset({"name", "first", "last"}), frozenset({"email", "phone"})
LOOSE = "It stands before the first field: nothing was read from it."
SIDEWAYS = "The table lies on its side: what is called a line here is a column of it."


def labelled(text: str, read: Sheet) -> list[Record]:
    """A record a person, where each field has its name before it: `Email: ana@example.com`; else nothing."""
    lines = (
        (number, part) for number, line in enumerate(text.splitlines(), 1) for part in _fields(line) if part.strip()
    )
    first = list(islice(lines, SAMPLED))
    pairs = [LABEL.fullmatch(line[:LOOKED_AT]) for _, line in first]
    known = [meant(each[1]).field for each in pairs if each and meant(each[1]).sure]
    if 2 * len(known) <= len(pairs) or not NAMED & {*known} or not REACHED & {*known}:
        return []
    people: list[tuple[int, dict[str, list[str]]]] = []
    headings, label = dict[str, None](), ""
    for number, line in chain(first, lines):
        found = LABEL.fullmatch(line)
        if found and (meant(found[1]).sure or found[1] in headings or not people):
            label = found[1]
            if not people or label in people[-1][1]:
                people.append((number, {}))
            headings[label] = None
            people[-1][1][label] = [found[2].strip(" \t*")]
        elif people:
            people[-1][1][label].append(line.strip())
        else:
            read.unreadable.append((number, LOOSE))
    rows = [(number, ["\n".join(each.get(name, ())) for name in headings]) for number, each in people]
    return [(0, [*headings]), *rows]


def _fields(line: str) -> list[str]:
    """The parts of a line in which each field stands with its name."""
    if line.count(":") < 2 or len(line) > LOOKED_AT:
        return [line]
    parts = re.split(r"[,;|\t](?=[^,;|\t:]{1,40}:)", line)
    return parts if all(map(LABEL.fullmatch, parts)) else [line]


def stacked(text: str) -> list[Record]:
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
    if not 2 <= len(lines) <= LONGEST or len(mails) != 1 or not is_name(lines[0][1]) or meant(lines[0][1]).sure:
        return None
    phones = [each for each in values[1:] if is_certain_phone(each)]
    rest = [each for each in values[1:] if each not in (*mails, *phones[:1])]
    return lines[0][0], [lines[0][1], mails[0].strip("<>()"), *(phones[:1] or [""]), "\n".join(rest)]


def upright(found: list[Record], read: Sheet) -> list[Record]:
    """The table turned where its headings stand in the first column; a line is a column of it then."""
    if len(found) > FIRST or any(len(cells) < 2 or sum(meant(each).sure for each in cells) > 1 for _, cells in found):
        return found
    side = [meant(cells[0]) for _, cells in found]
    known = {each.field for each in side if each.sure}
    if len(known) < 2 or not known & NAMED or not all(each.sure or each.other for each in side):
        return found
    read.remarks.append(SIDEWAYS)
    return [
        (place, list(cells)) for place, cells in enumerate(zip_longest(*(cells for _, cells in found), fillvalue=""), 1)
    ]

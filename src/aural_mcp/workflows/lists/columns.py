"""Columns: the row of headings, what stands in each column, and which field that is, or the question which it is."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from aural_mcp.safety import inert, quoted
from aural_mcp.workflows.lists.cells import (
    SHAPES,
    addresses,
    bare,
    is_date,
    is_name,
    is_nothing,
    is_number,
    is_phone,
    tidy,
)
from aural_mcp.workflows.lists.headings import LONGEST, meant, words_of
from aural_mcp.workflows.lists.sheets import COLUMNS, Record
from aural_mcp.workflows.lists.tables import EMAIL, FIRST

SAMPLED = 200
"""Rows by which it is judged what a column is full of."""
NAMES = ("name", "first", "middle", "last")
MOST, FULL = 0.5, 0.8
CHOICES = {
    "name": "name",
    "firstname": "first",
    "middlename": "middle",
    "lastname": "last",
    "email": "email",
    "phone": "phone",
    "phoneprefix": "prefix",
    "areacode": "area",
    "notes": "notes",
    "school": "school",
    "education": "education",
    "major": "major",
    "workexperience": "work_experience",
    "graduationyear": "graduation_year",
    "gender": "gender",
    "birthday": "birthday",
}
"""What `columns` may name, bare, and the field that it is."""
SPELLED = {
    **{name: name for name in CHOICES.values()},
    "first": "firstName",
    "middle": "middleName",
    "last": "lastName",
    "prefix": "phonePrefix",
    "area": "areaCode",
    "work_experience": "workExperience",
    "graduation_year": "graduationYear",
}
NUMBERED = ("#", "№")


@dataclass
class Column:
    """A column: its heading and what stands in it."""

    place: int
    heading: str
    cells: list[str]
    beside: list[str]
    """What stands in it in the first rows, also nothing."""
    field: str = ""
    given: bool = False
    looked: bool = False
    shapes: Counter[str] = dataclasses.field(default_factory=Counter[str])
    like: float = 0.0
    """Share of cells of which a part is in the address of the same row."""

    @property
    def key(self) -> str:
        """By what `columns` names it."""
        return " ".join(inert(self.heading)[:LONGEST].split()) or f"column {self.place + 1}"

    def share(self, shape: str) -> float:
        """How much of the column looks so."""
        return self.shapes[shape] / len(self.cells) if self.cells else 0.0

    @property
    def distinct(self) -> float:
        """Share of cells that are not repeated."""
        return len(set(self.cells)) / len(self.cells) if self.cells else 0.0

    @property
    def single(self) -> bool:
        """Whether it holds one word a cell, as first and last names do."""
        return sum(" " not in each for each in self.cells) > FULL * len(self.cells)

    def full_of(self) -> str:
        """What the column looks full of, if anything."""
        return next((shape for shape in SHAPES if self.share(shape) >= (MOST if "mail" in shape else FULL)), "")

    def told(self, *, blind: bool) -> str:
        """The column in a sentence: its name, a sample, and what it is full of."""
        shape = self.full_of()
        looks = f"{self.shapes[shape]} of {len(self.cells)} look like {shape}" if shape else ""
        sample = "" if blind or not self.cells else quoted(self.cells[0], 40)
        about = ", ".join(filter(None, (sample, looks)))
        return f"{f'column {self.place + 1}' if blind else self.key}{f' ({about})' if about else ''}"


# ── Headings ────────────────────────────────────────────────────────────────────────────────────


def place_of_headings(records: Sequence[Record]) -> int | None:
    """Which record is the row of headings: by what is known, else by its shape above lines of another."""
    top = records[:FIRST]
    places = [place for place, (_, cells) in enumerate(top) if _can_be_headings(cells)]
    first = next((place for place in places if _known(top[place][1]) > 1), 0)
    titles = first if all(len(cells) == 1 for _, cells in top[:first]) else 0  # such may say whom to ask
    people = (
        place
        for place, (_, cells) in enumerate(top)
        if place >= titles and place not in places and any(map(addresses, cells))
    )
    first_person = next(people, len(top))
    places = [place for place in places if place < first_person]
    known = {place: _known(top[place][1]) for place in places}
    best = max(places, key=lambda place: (known[place], -place), default=None)
    if best is not None and known[best] > (1 if len(records[best][1]) > 2 and best > 2 else 0):
        return best
    shaped = [place for place in places if _stands_above(top[place][1], records[place + 1 : place + 1 + SAMPLED])]
    return max(shaped, key=lambda place: (len(list(filter(None, top[place][1]))), -place), default=None)


def _known(cells: Sequence[str]) -> int:
    return len({meant(each).field for each in cells if meant(each).sure})


def _can_be_headings(cells: Sequence[str]) -> bool:
    """Whether a row may be one of headings; beside two that are known, another may be a whole form's question."""
    filled, known = [each for each in cells if each], _known(cells) > 1
    addressed = EMAIL.fullmatch if known else EMAIL.search
    return (
        len(cells) <= COLUMNS
        and (known or (len(set(filled)) == len(filled) and all(len(each) <= 150 for each in filled)))
        and all(each in NUMBERED or any(map(str.isalpha, each)) for each in filled)
        and not any(addressed(each) or is_number(each) or is_date(each) for each in filled)
    )


def _stands_above(cells: Sequence[str], below: Sequence[Record]) -> bool:
    """Whether a row has words where the lines below have addresses or numbers."""
    if len(cells) < 2 or 2 * sum(map(bool, cells)) < len(cells):
        return False
    for place, heading in enumerate(cells):
        under = [row[place] for _, row in below if place < len(row) and row[place]]
        other = sum(bool(addresses(each)) or is_phone(each) or is_number(each) or is_date(each) for each in under)
        if heading and not addresses(heading) and other > MOST * len(under):
            return True
    return False


# ── What each column is ─────────────────────────────────────────────────────────────────────────


def columns_of(headings: Sequence[str], rows: Sequence[Record]) -> list[Column]:
    """The columns and what they are full of."""
    width = max([len(headings), *(len(cells) for _, cells in rows[:SAMPLED])])
    made: list[Column] = []
    for place in range(width):
        cells = _cells(place, rows)
        heading = headings[place] if place < len(headings) else ""
        made.append(Column(place, heading, list(filter(None, cells)), cells[:SAMPLED]))
    for each in made:
        sampled = each.cells[:SAMPLED]
        for cell in sampled:
            each.shapes.update(shape for shape in SHAPES if _looks(shape, cell))
        addressed = sum("@" in cell and bool(addresses(cell)) for cell in each.cells[SAMPLED:])
        if len(each.cells) > SAMPLED:
            each.shapes = Counter(
                {name: count * len(each.cells) // len(sampled) for name, count in each.shapes.items()}
            )
            each.shapes["e-mail addresses"] = min(
                len(each.cells), addressed + sum(bool(addresses(cell)) for cell in sampled)
            )
    _compare(made)
    return made


def _looks(shape: str, cell: str) -> bool:
    return SHAPES[shape](cell)


def _cells(place: int, rows: Sequence[Record]) -> list[str]:
    """What stands in a column; cleaned as far as it is looked at."""
    cells = [cells[place][:500] if place < len(cells) else "" for _, cells in rows]
    sample = [tidy(each) if each else "" for each in cells[:SAMPLED]]
    return [*("" if each and is_nothing(each) else each for each in sample), *cells[SAMPLED:]]


def _compare(columns: Sequence[Column]) -> None:
    """Note which columns of words stand in the addresses beside them."""
    mail = max(columns, key=lambda each: each.share("e-mail addresses"), default=None)
    if mail is None or mail.share("e-mail addresses") < MOST:
        return
    for each in columns:
        found = [pair for pair in pairs(each, mail) if "@" in pair[1]] if each is not mail else []
        alike = sum(_is_in(name, address.partition("@")[0]) for name, address in found)
        each.like = alike / len(found) if found else 0.0


def pairs(one: Column, other: Column) -> list[tuple[str, str]]:
    """The cells of two columns, row by row, where both have one."""
    return [pair for pair in zip(one.beside, other.beside, strict=True) if all(pair)]


def _is_in(name: str, local: str) -> bool:
    local = "".join(words_of(local))
    return any(len(word) > 2 and word in local for word in latin(name))


def latin(text: str) -> Sequence[str]:
    """The words of a name as addresses spell them."""
    plain = bare(text[:100])
    for letter, written in {
        "ä": "ae",
        "ö": "oe",
        "ü": "ue",
        "ß": "ss",
        "ø": "o",
        "æ": "ae",
        "å": "a",
        "đ": "d",
    }.items():
        plain = plain.replace(letter, written)
    return re.findall(r"[^\W\d_]+", plain)


def share_inside(part: Column, whole: Column) -> float:
    """In how many rows a cell of one column is a part of the other's."""
    found = pairs(part, whole)
    return sum(one in other and one != other for one, other in found) / len(found) if found else 0.0


def fields() -> str:
    """What a column may be."""
    return ", ".join(dict.fromkeys(SPELLED[each] for each in CHOICES.values()))


def is_heading_again(cells: Sequence[str], headings: Sequence[str]) -> bool:
    """Whether a line says the headings once more, as printed pages do."""
    filled = [each for each in cells if each]
    known = sum(meant(each).sure for each in filled)
    return bool(filled) and (list(cells) == list(headings) or (len(filled) > 1 and known == len(filled)))


def could_be_name(text: str) -> bool:
    """Whether a text by itself can be a person."""
    return is_name(text) and len(text.split()) <= 5 and not text.endswith((":", "."))

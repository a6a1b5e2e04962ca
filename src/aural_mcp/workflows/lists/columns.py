"""Columns: the row of headings, what stands in each column, and which field that is, or the question which it is."""

from __future__ import annotations

import dataclasses
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
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
from aural_mcp.workflows.lists.headings import LONGEST, is_candidate, meant, words_of
from aural_mcp.workflows.lists.sheets import Record, unusable
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
NAMELESS = "Every person needs a name: add a column of them, or give them as candidates rows"
NUMBERED = ("#", "№")
PREFIX = re.compile(r"\(?(?:\+|00)?\d{1,5}\)?")
ASK = "Give `columns`, this or corrected: {proposal}. A column is {fields}, or null to leave it out"


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
    first_person = next((place for place, (_, cells) in enumerate(top) if any(map(addresses, cells))), len(top))
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
    filled = [each for each in cells if each]
    return (
        (len(set(filled)) == len(filled) or _known(cells) > 1)
        and all(len(each) <= 150 and (each in NUMBERED or any(map(str.isalpha, each))) for each in filled)
        and not any(EMAIL.search(each) or is_number(each) or is_date(each) for each in filled)
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
    made = [
        Column(
            place,
            headings[place] if place < len(headings) else "",
            list(filter(None, _cells(place, rows))),
            _cells(place, rows[:SAMPLED]),
        )
        for place in range(width)
    ]
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
    cells = (tidy(cells[place][:500]) if place < len(cells) and cells[place] else "" for _, cells in rows)
    return ["" if each and is_nothing(each) else each for each in cells]


def _compare(columns: Sequence[Column]) -> None:
    """Note which columns of words stand in the addresses beside them."""
    mail = max(columns, key=lambda each: each.share("e-mail addresses"), default=None)
    if mail is None or mail.share("e-mail addresses") < MOST:
        return
    for each in columns:
        pairs = [pair for pair in _pairs(each, mail) if "@" in pair[1]] if each is not mail else []
        alike = sum(_is_in(name, address.partition("@")[0]) for name, address in pairs)
        each.like = alike / len(pairs) if pairs else 0.0


def _pairs(one: Column, other: Column) -> list[tuple[str, str]]:
    return [pair for pair in zip(one.beside, other.beside, strict=True) if all(pair)]


def _is_in(name: str, local: str) -> bool:
    local = "".join(words_of(local))
    return any(len(word) > 2 and word in local for word in _latin(name))


def _latin(text: str) -> Sequence[str]:
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


def mapped(columns: Sequence[Column], given: Mapping[str, str], *, blind: bool) -> None:
    """Settle which field each column is.

    Raises:
        BadRequest: that cannot be settled; the text proposes it.
    """
    _by_given(columns, given, blind=blind)
    _by_headings(columns)
    _by_looks(columns)
    _reconcile(columns)
    named = any(each.field in NAMES for each in columns)
    whole = [each for each in columns if each.field == "name"]
    several = [
        each
        for each in whole
        if not each.given and not _is_repeated(each, [other for other in whole if other is not each])
    ]
    if len(several) > 1 and not given:
        raise _question(columns, several, named=True, blind=blind)
    doubtful = [each for each in columns if not each.given and is_doubtful(each, columns)]
    if not named or (doubtful and not given):
        raise _question(columns, doubtful, named=named, blind=blind)


def _by_given(columns: Sequence[Column], given: Mapping[str, str], *, blind: bool) -> None:
    wanted, used = {_key(heading): heading for heading in given}, set[str]()
    for each in columns:
        names = [_key(each.key), _key(each.heading), _key(f"column {each.place + 1}")]
        if found := next((name for name in names if name in wanted), None):
            used.add(found)
            choice = given[wanted[found]]
            if choice and "".join(words_of(choice)) not in CHOICES:
                raise unusable(f"columns: {quoted(choice)} is no field", f"A column is {_fields()}, or null")
            each.field, each.given = CHOICES.get("".join(words_of(choice)), ""), True
    if unknown := [heading for key, heading in wanted.items() if key not in used]:
        there = "" if blind else f". There are {', '.join(quoted(each.key, 40) for each in columns[:30])}"
        raise unusable(f"columns names {quoted(unknown[0])}, which is no heading{there}", "Name these")


def _key(heading: str) -> str:
    return " ".join(heading[:LONGEST].casefold().split()).rstrip(" :*")


def _fields() -> str:
    return ", ".join(dict.fromkeys(SPELLED[each] for each in CHOICES.values()))


def _by_headings(columns: Sequence[Column]) -> None:
    for each in columns:
        said = meant(each.heading)
        addressed = each.share("e-mail addresses") >= MOST
        if each.given or not said.field or said.somebody_else:
            continue
        if said.sure or (said.field == "email" and addressed) or (said.field == "phone" and _is_phones(each)):
            each.field = said.field
        if addressed and each.field in (*NAMES, "phone"):
            each.field = ""
    addressed = any(each.field == "email" and each.share("e-mail addresses") for each in columns)
    most = max((each.distinct for each in columns if each.share("e-mail addresses") >= MOST), default=0.0)
    for each in columns:
        if each.field == "email" and not each.given and not meant(each.heading).sure and each.distinct < most:
            each.field = ""
        if (
            each.field in ("prefix", "area")
            and not each.given
            and not all(PREFIX.fullmatch(cell) for cell in each.cells)
        ):
            each.field = ""
        if each.field == "email" and each.cells and not each.share("e-mail addresses") and addressed and not each.given:
            each.field = ""


def _is_phones(each: Column) -> bool:
    return bool(each.cells) and sum(map(is_phone, each.cells[:SAMPLED])) >= MOST * len(each.cells[:SAMPLED])


def _by_looks(columns: Sequence[Column]) -> None:
    """Take a column for what it is full of, where there is but one and no heading says otherwise."""
    fields = {each.field for each in columns}
    free = [each for each in columns if each.cells and not each.field and not each.given]
    free = [each for each in free if not meant(each.heading).other and not meant(each.heading).somebody_else]
    for name, shape, least in (("email", "e-mail addresses", FULL), ("phone", "phone numbers", 0.9)):
        found = [each for each in free if each.share(shape) >= least]
        if len(found) == 1 and name not in fields:
            found[0].field, found[0].looked = name, True
    free = [each for each in free if not each.field]
    if not {"name", "first", "last"} & fields:
        likely = [each for each in free if each.share("names") >= FULL and each.like >= 0.3]
        words = [each for each in free if each.share("names") >= FULL]
        alone = likely if likely else words if len(words) == 1 and words[0].distinct >= 0.7 else []
        if len(alone) == 1 and not alone[0].single:
            alone[0].field, alone[0].looked = "name", True


def _reconcile(columns: Sequence[Column]) -> None:
    """`Nom` beside `Prénom` is the last name, `Nombre` beside `Apellidos` the first; unless it holds both."""
    by_field = {name: [each for each in columns if each.field == name] for name in NAMES}
    firsts, lasts = by_field["first"], by_field["last"]
    if len(firsts) == len(lasts) > 1:
        for each in (*firsts[1:], *lasts[1:]):
            each.field = each.field if each.given else "notes"
    for whole in by_field["name"]:
        parts = [*by_field["first"], *by_field["last"]]
        if not parts or whole.given:
            continue
        inside = sum(_share_inside(part, whole) for part in parts) / len(parts)
        if inside >= MOST:
            for part in [*parts, *by_field["middle"]]:
                part.field, part.looked = "repeated", False
        elif not by_field["first"] or not by_field["last"]:
            whole.field = "last" if by_field["first"] else "first"
        else:
            whole.field = ""


def _share_inside(part: Column, whole: Column) -> float:
    pairs = _pairs(part, whole)
    return sum(one in other and one != other for one, other in pairs) / len(pairs) if pairs else 0.0


def is_doubtful(each: Column, columns: Sequence[Column]) -> bool:
    """Whether something of the people themselves may stand in a column that is left out."""
    if each.field or not each.cells or _is_repeated(each, columns):
        return False
    if each.share("e-mail addresses") >= MOST or each.share("phone numbers") >= FULL:
        return True
    if each.share("names") < FULL or meant(each.heading).other or meant(each.heading).somebody_else:
        return False
    named = [other for other in columns if other.field in NAMES]
    short = all(other.single for other in named) and len({other.field for other in named}) < 2
    return each.like >= 0.3 or (short and each.distinct >= 0.7)


def _is_repeated(each: Column, columns: Sequence[Column]) -> bool:
    """Whether the addresses or names in a column are those that are taken, row by row."""
    addressed = each.share("e-mail addresses") >= MOST
    taken = [other.beside for other in columns if other.field in (("email",) if addressed else NAMES)]
    rows = [(cell, set(_parts(" ".join(others)))) for cell, *others in zip(each.beside, *taken, strict=True) if cell]
    return all(
        {*_parts(cell), *addresses(cell)} & there and (addressed or there >= {*_parts(cell)}) for cell, there in rows
    )


def _parts(text: str) -> list[str]:
    return re.findall(r"[^\s<>()\[\],;]+", text.casefold())


# ── The question ────────────────────────────────────────────────────────────────────────────────


def _question(columns: Sequence[Column], doubtful: Sequence[Column], *, named: bool, blind: bool) -> Exception:
    proposal = _proposal(columns)
    if not {"name", "firstName", "lastName"} & {*proposal.values()}:
        listed = ", ".join(each.told(blind=blind) for each in columns[:40] if each.cells)
        return unusable(f"No column holds names: {listed}", NAMELESS)
    keys = [each.key for each in columns]
    shown = {
        f"column {each.place + 1}" if blind or keys.count(each.key) > 1 else each.key: proposal[each.place]
        for each in columns
        if each.cells
    }
    listed = ", ".join(each.told(blind=blind) for each in columns[:40] if each.cells)
    what = (
        ("hold several people's names" if doubtful[:1] and doubtful[0].field else "would be left out")
        if named
        else "No column is known to hold names"
    )
    said = f"{', '.join(each.told(blind=blind) for each in doubtful[:10])} {what}" if named else f"{what}: {listed}"
    text = json.dumps(shown, ensure_ascii=False)
    more = f". All columns: {listed}" if named else ""
    return unusable(f"{said}{more}", ASK.format(proposal=text, fields=_fields()))


def _proposal(columns: Sequence[Column]) -> dict[int, str | None]:
    """The likeliest field of each column."""
    chosen: dict[int, str] = {each.place: each.field for each in columns if each.field and each.field != "repeated"}
    _one_person(columns, chosen)
    free = [each for each in columns if not each.field and not each.given and each.cells]
    ours = [each for each in free if not meant(each.heading).somebody_else]
    for name, shape in (("email", "e-mail addresses"), ("phone", "phone numbers")):
        found = [each for each in ours if each.share(shape) >= (MOST if name == "email" else FULL)]
        found.sort(key=lambda each: (-each.distinct, bool(meant(each.heading).other), each.place))
        for number, each in enumerate(found):
            chosen[each.place] = name if not number and name not in chosen.values() else "notes"
    free = [each for each in ours if each.place not in chosen and each.share("names") >= MOST]
    _name_columns(columns, free, chosen)
    return {each.place: SPELLED[chosen[each.place]] if each.place in chosen else None for each in columns}


def _one_person(columns: Sequence[Column], chosen: dict[int, str]) -> None:
    """Leave one column of whole names, the one that says it is the candidate's, or the two parts of one."""
    whole = [each for each in columns if chosen.get(each.place) == "name"]
    if len(whole) == 2 and all(each.single for each in whole):
        chosen.update({whole[0].place: "first", whole[1].place: "last"})
    elif len(whole) > 1:
        ours = [each for each in whole if is_candidate(each.heading)]
        chosen.update({each.place: "notes" for each in whole[1:]})
        for name in ("name", "email", "phone") if ours else ():
            said = [each for each in columns if meant(each.heading).field == name]
            theirs = [each for each in said if not is_candidate(each.heading)] if len(said) > 1 else []
            chosen.update({each.place: name for each in said})
            for each in theirs:
                del chosen[each.place]


def _name_columns(columns: Sequence[Column], free: Sequence[Column], chosen: dict[int, str]) -> None:
    """Add the columns of names, whole or in parts, to what is chosen."""
    varied = [each for each in free if each.distinct >= 0.4 and not meant(each.heading).other]
    likely = [each for each in free if each.like >= 0.3] or varied or list(free)
    there = [each for each in columns if chosen.get(each.place) in NAMES]
    if not there:
        _whole_or_parts(
            columns, sorted([*likely, *_partner(likely, varied)], key=lambda each: each.place), varied, chosen
        )
    elif len(there) == 1 and likely and likely[0] in [*varied, *(each for each in free if each.like >= 0.3)]:
        one = chosen[there[0].place]
        if one == "name" and there[0].single:
            one = chosen[there[0].place] = "first"
        chosen[likely[0].place] = {"first": "last", "last": "first"}.get(one, "notes")


def _partner(likely: Sequence[Column], varied: Sequence[Column]) -> list[Column]:
    """The column beside a single one of one word each: the other part of the name."""
    if len(likely) != 1 or not likely[0].single:
        return []
    return [
        each for each in varied if each is not likely[0] and abs(each.place - likely[0].place) == 1 and each.single
    ][:1]


def _whole_or_parts(
    columns: Sequence[Column], found: Sequence[Column], free: Sequence[Column], chosen: dict[int, str]
) -> None:
    whole = [each for each in found if not each.single]
    if len(found) == 1 or not found:
        chosen.update({each.place: "name" for each in found})
    elif (
        whole
        and (len(found) > 2 or any(_share_inside(each, whole[0]) >= MOST for each in found if each is not whole[0]))
    ) or (whole and max(each.like for each in found) < 0.3):
        chosen[whole[0].place] = "name"
    else:
        one, other = found[:2]
        between = [each for each in free if one.place < each.place < other.place and each.single]
        turned = _comes_later(one, columns) > _comes_later(other, columns)
        chosen[one.place], chosen[other.place] = ("last", "first") if turned else ("first", "last")
        chosen.update({each.place: "middle" for each in between})


def _comes_later(each: Column, columns: Sequence[Column]) -> float:
    """Where the cells of a column stand in the addresses, on average."""
    mail = max(columns, key=lambda other: other.share("e-mail addresses"))
    pairs = _pairs(each, mail)
    found = [
        "".join(words_of(local.partition("@")[0])).find(word)
        for cell, local in pairs
        for word in _latin(cell)[:1]
        if len(word) > 2
    ]
    places = [place for place in found if place >= 0]
    return sum(places) / len(places) if places else 0.0


def is_heading_again(cells: Sequence[str], headings: Sequence[str]) -> bool:
    """Whether a line says the headings once more, as printed pages do."""
    filled = [each for each in cells if each]
    known = sum(meant(each).sure for each in filled)
    return bool(filled) and (list(cells) == list(headings) or (len(filled) > 1 and known == len(filled)))


def could_be_name(text: str) -> bool:
    """Whether a text by itself can be a person."""
    return is_name(text) and len(text.split()) <= 5 and not text.endswith((":", "."))

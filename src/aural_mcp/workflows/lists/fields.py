"""Which field each column is: as given, by its heading, by what is in it; or the question which it is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from aural_mcp.safety import quoted
from aural_mcp.workflows.lists.cells import addresses, is_phone
from aural_mcp.workflows.lists.columns import CHOICES, FULL, MOST, NAMES, SAMPLED, Column, fields, share_inside
from aural_mcp.workflows.lists.headings import LONGEST, meant, words_of
from aural_mcp.workflows.lists.proposals import question
from aural_mcp.workflows.lists.sheets import unusable

PREFIX = re.compile(r"\(?(?:\+|00)?\d{1,5}\)?")
"""What a code of a country or an area looks like."""


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
        raise question(columns, several, named=True, blind=blind)
    doubtful = [each for each in columns if not each.given and is_doubtful(each, columns)]
    if not named or (doubtful and not given):
        raise question(columns, doubtful, named=named, blind=blind)


def _by_given(columns: Sequence[Column], given: Mapping[str, str], *, blind: bool) -> None:
    wanted, used = {_key(heading): heading for heading in given}, set[str]()
    for each in columns:
        names = [_key(each.key), _key(each.heading), _key(f"column {each.place + 1}")]
        if found := next((name for name in names if name in wanted), None):
            used.add(found)
            choice = given[wanted[found]]
            if choice and "".join(words_of(choice)) not in CHOICES:
                raise unusable(f"columns: {quoted(choice)} is no field", f"A column is {fields()}, or null")
            each.field, each.given = CHOICES.get("".join(words_of(choice)), ""), True
    if unknown := [heading for key, heading in wanted.items() if key not in used]:
        there = "" if blind else f". There are {', '.join(quoted(each.key, 40) for each in columns[:30])}"
        raise unusable(f"columns names {quoted(unknown[0])}, which is no heading{there}", "Name these")


def _key(heading: str) -> str:
    return " ".join(heading[:LONGEST].casefold().split()).rstrip(" :*")


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
        inside = sum(share_inside(part, whole) for part in parts) / len(parts)
        if inside >= MOST:
            for part in [*parts, *by_field["middle"]]:
                part.field, part.looked = "repeated", False
        elif not by_field["first"] or not by_field["last"]:
            whole.field = "last" if by_field["first"] else "first"
        else:
            whole.field = ""


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

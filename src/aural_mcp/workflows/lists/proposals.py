"""What is asked where it cannot be settled which field a column is, with the likeliest answer to correct."""

from __future__ import annotations

import json
from collections.abc import Sequence

from aural_mcp.workflows.lists.columns import (
    FULL,
    MOST,
    NAMES,
    SAMPLED,
    SPELLED,
    Column,
    fields,
    latin,
    pairs,
    share_inside,
)
from aural_mcp.workflows.lists.headings import is_candidate, meant, words_of
from aural_mcp.workflows.lists.sheets import unusable

NAMELESS = "Every person needs a name: add a column of them, or give them as candidates rows"
ASK = "Give `columns`, this or corrected: {proposal}. A column is {fields}, or null to leave it out"


def question(columns: Sequence[Column], doubtful: Sequence[Column], *, named: bool, blind: bool) -> Exception:
    """What to raise: the columns that are in doubt, all others, and `columns` as they are most likely."""
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
    several = any(each.field for each in doubtful)
    what = "hold several people's names" if several else "would be left out"
    told = ", ".join(each.told(blind=blind) for each in doubtful[:10])
    said = f"{told} {what}" if named else f"No column is known to hold names: {listed}"
    text = json.dumps(shown, ensure_ascii=False)
    more = f". All columns: {listed}" if named else ""
    return unusable(f"{said}{more}", ASK.format(proposal=text, fields=fields()))


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
    varied = [
        each for each in free if (each.distinct >= 0.4 or len(set(each.cells)) > 7) and not meant(each.heading).other
    ]
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
        and (len(found) > 2 or any(share_inside(each, whole[0]) >= MOST for each in found if each is not whole[0]))
    ) or (whole and max(each.like for each in found) < 0.3):
        chosen[whole[0].place] = "name"
    else:
        one, other = found[:2]
        between = [each for each in free if one.place < each.place < other.place and each.single]
        turned = _comes_later(one, columns) > _comes_later(other, columns) or _are_surnames(one, other)
        chosen[one.place], chosen[other.place] = ("last", "first") if turned else ("first", "last")
        chosen.update({each.place: "middle" for each in between})


def _are_surnames(one: Column, other: Column) -> bool:
    """Whether a column of Chinese or Korean names is the one of one letter."""
    short, long = (sum(map(len, each.cells)) / max(1, len(each.cells)) for each in (one, other))
    return short < 1.3 < long and all("\u3400" <= each <= "\ud7a3" for each in "".join(one.cells[:SAMPLED]))


def _comes_later(each: Column, columns: Sequence[Column]) -> float:
    """Where the cells of a column stand in the addresses, on average."""
    mail = max(columns, key=lambda other: other.share("e-mail addresses"))
    rows = pairs(each, mail)
    found = [
        "".join(words_of(local.partition("@")[0])).find(word)
        for cell, local in rows
        for word in latin(cell)[:1]
        if len(word) > 2
    ]
    places = [place for place in found if place >= 0]
    return sum(places) / len(places) if places else 0.0

"""Who is meant by a row: its values made fit to register, what is wrong with them, and who is the same person."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from aural_mcp.api.operations import CandidateInput
from aural_mcp.safety import quoted
from aural_mcp.tools.people import is_address
from aural_mcp.workflows.base import digest
from aural_mcp.workflows.lists.cells import LONGEST, MANY_LINES, SPLIT, addresses, day, fit, is_nothing, is_phone, tidy
from aural_mcp.workflows.lists.sheets import Row, Sheet

WORDS = {"work_experience": "workExperience", "graduation_year": "graduationYear"}


@dataclass(frozen=True)
class Person:
    """Somebody who can be registered: `key` is the same for the same person, and tells nothing."""

    line: int
    given: CandidateInput
    key: str


@dataclass(frozen=True)
class Problem:
    """Why a row is left out; `value` is what stood there."""

    line: int
    field: str
    said: str
    value: str = ""

    def sentence(self, *, blind: bool) -> str:
        """What to tell, with what stood there unless nobody may be named."""
        return self.said if blind or not self.value else f"{quoted(self.value, 60)}: {self.said}"


@dataclass
class Roster:
    """The people in a list, each once, and the rows that are left out."""

    people: list[Person] = field(default_factory=list[Person])
    problems: list[Problem] = field(default_factory=list[Problem])
    invalid: int = 0
    duplicates: int = 0


def roster(read: Sheet) -> Roster:
    """The people of a sheet; of one person's rows the first that is valid counts."""
    found = Roster(problems=[Problem(line, "", said) for line, said in read.unreadable], invalid=len(read.unreadable))
    seen: dict[str, int] = {}
    for row in read.rows:
        values, problems = _checked(row, read)
        if problems:
            found.invalid += 1
            found.problems += problems
            continue
        key = key_of(values["name"], values.get("email"), values.get("phone"))
        again = seen.get(key) or (0 if values.get("email") else seen.get(_called(values)))
        if again:
            found.duplicates += 1
            found.problems.append(Problem(row.line, "", f"The same person as on line {again}, which counts."))
            continue
        seen[key] = row.line
        if values.get("email") and values.get("phone"):
            seen.setdefault(_called(values), row.line)
        found.people.append(Person(row.line, CandidateInput.model_validate(values), key))
    found.problems.sort(key=lambda each: each.line)
    return found


def _called(values: dict[str, Any]) -> str:
    """Who it is without the address."""
    return key_of(values["name"], None, values.get("phone"))


def given_rows(people: Iterable[CandidateInput]) -> Sheet:
    """People given one by one, as rows; the line is the place in the list."""
    rows = [
        {name: str(value) for name, value in each.model_dump(exclude_unset=True, by_alias=False).items() if value}
        for each in people
    ]
    return Sheet(as_given=True, rows=[Row(number, values) for number, values in enumerate(rows, 1)])


def key_of(name: str, email: str | None, phone: str | None) -> str:
    """What is the same for the same person: the address where there is one, else the name and the number."""
    if email:
        return digest("email", email.strip().casefold())
    plain = " ".join(unicodedata.normalize("NFC", name.casefold()).split())
    return digest("name", plain, "".join(re.findall(r"\d", phone or "")))


# ── Values ──────────────────────────────────────────────────────────────────────────────────────


def _checked(row: Row, read: Sheet) -> tuple[dict[str, Any], list[Problem]]:
    """The values of a row as they would be registered, and what is wrong with them."""
    values: dict[str, Any] = {name: _cleaned(name, value) for name, value in row.values.items()}
    parts = [values.pop(name, "") for name in ("first", "middle", "last")]
    values["name"] = values.get("name") or _joined(*parts, japanese=read.japanese)
    more = [values.pop("more", ""), *_prefixed(values), *_one_each(values), *_behind_name(values)]
    if any(more):
        values["notes"] = "\n".join(filter(None, (values.get("notes", ""), *more)))
    kept = {name: value for name, value in values.items() if value and name in CandidateInput.model_fields}
    found = [] if "name" in kept else [_nameless(row, values)]
    for name, value in kept.items():
        try:
            kept[name] = day(value, read.day_order) if name == "birthday" else fit(name, value, as_given=read.as_given)
            if name == "email" and not is_address(value):
                raise ValueError("not an e-mail address.")
        except ValueError as wrong:
            found.append(Problem(row.line, WORDS.get(name, name), str(wrong), value))
    return kept, found


def _prefixed(values: dict[str, Any]) -> list[str]:
    """Put the codes of country and area before the number; what would make it another one is to be noted."""
    country, area = (values.pop(name, "").strip("()") for name in ("prefix", "area"))
    number = values.get("phone", "")
    if not number or number.startswith(("+", "00")):
        return []
    number = f"{area} {number}" if area and not number.startswith(area) else number
    values["phone"] = number
    if not country or number.startswith(country):
        return []
    code = country if country.startswith(("+", "00")) else f"+{country}"
    if number.startswith("0") and code != "+39":
        return [f"Country code: {code}"]
    values["phone"] = f"{code} {number}"
    return []


def _behind_name(values: dict[str, Any]) -> list[str]:
    """What stands in brackets behind a name and is none of it, such as an id, `she/her` or an address; to be noted."""
    found = len(values["name"]) <= LONGEST["name"] and re.fullmatch(
        r"([^()\[\]]+?)\s*[(\[]([^()\[\]]*[\d/@][^()\[\]]*)[)\]]", values["name"]
    )
    if not found:
        return []
    values["name"] = found[1]
    return [] if found[2] == values.get("email") else [found[2]]


def _nameless(row: Row, values: dict[str, Any]) -> Problem:
    return Problem(row.line, "name", "There is no name.", str(values.get("email") or values.get("phone") or ""))


def _one_each(values: dict[str, Any]) -> list[str]:
    """Leave one address and one number; the others, to be noted."""
    more: list[str] = []
    if found := addresses(values.get("email", "")):
        values["email"] = found[0]
        more += [
            f"Other address: {each}" for each in dict.fromkeys(found[1:]) if each.casefold() != found[0].casefold()
        ]
    numbers = [each.strip() for each in SPLIT.split(values.get("phone", "")) if each.strip()]
    if len(numbers) > 1 and all(map(is_phone, numbers)):
        values["phone"] = numbers[0]
        more += [f"Other number: {each}" for each in numbers[1:]]
    return more


def _cleaned(name: str, value: str) -> str:
    text = tidy(value, lines=name in (*MANY_LINES, "more"))
    return "" if is_nothing(text, field=name) else text


def _joined(first: str, middle: str, last: str, *, japanese: bool) -> str:
    """A name of its parts, in the order and spacing of its script."""
    if re.fullmatch(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+", first + last):
        return f"{last} {first}".strip() if japanese else last + first
    return " ".join(filter(None, (first, middle, last)))

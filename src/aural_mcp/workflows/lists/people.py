"""Who is meant by a row: its values made fit to register, what is wrong with them, and who is the same person."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from aural_mcp.api.operations import CandidateInput
from aural_mcp.safety import outside, quoted
from aural_mcp.workflows.base import digest
from aural_mcp.workflows.lists.reading import Row, Sheet

ADDRESS = re.compile(
    r"(?=.{1,64}@)[\w!#$%&'*+/=?^`{|}~-]+(?:\.[\w!#$%&'*+/=?^`{|}~-]+)*"
    r"@(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.)+[^\W\d_][\w-]{0,61}[^\W_]"
)
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
NOTHING = frozenset(("-", "--", "—", "/", "n/a", "null", "none", "无", "nan"))
"""What people write into a cell that holds nothing."""
LONGEST = {"name": 200, "email": 254, "phone": 50, "notes": 10_000, "work_experience": 10_000}
LONG = 500
"""Characters of every other field."""
MANY_LINES = ("notes", "work_experience")
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
        values, problems = _checked(row)
        if problems:
            found.invalid += 1
            found.problems += problems
            continue
        key = key_of(values["name"], values.get("email"), values.get("phone"))
        if key in seen:
            found.duplicates += 1
            found.problems.append(Problem(row.line, "", f"The same person as on line {seen[key]}, which counts."))
            continue
        seen[key] = row.line
        found.people.append(Person(row.line, CandidateInput.model_validate(values), key))
    found.problems.sort(key=lambda each: each.line)
    return found


def given_rows(people: Iterable[CandidateInput]) -> Sheet:
    """People given one by one, as rows; the line is the place in the list."""
    rows = [
        {name: str(value) for name, value in each.model_dump(exclude_unset=True, by_alias=False).items() if value}
        for each in people
    ]
    return Sheet(rows=[Row(number, values) for number, values in enumerate(rows, 1)])


def key_of(name: str, email: str | None, phone: str | None) -> str:
    """What is the same for the same person: the address where there is one, else the name and the number."""
    if email:
        return digest("email", email.strip().casefold())
    plain = " ".join(unicodedata.normalize("NFC", name.casefold()).split())
    return digest("name", plain, "".join(re.findall(r"\d", phone or "")))


# ── Values ──────────────────────────────────────────────────────────────────────────────────────


def _checked(row: Row) -> tuple[dict[str, Any], list[Problem]]:
    """The values of a row as they would be registered, and what is wrong with them."""
    values: dict[str, Any] = {name: _cleaned(name, value) for name, value in row.values.items()}
    values["name"] = values.get("name") or _joined(values.pop("first", ""), values.pop("last", ""))
    kept = {name: value for name, value in values.items() if value and name in CandidateInput.model_fields}
    found = [] if "name" in kept else [Problem(row.line, "name", "There is no name.")]
    for name, value in kept.items():
        try:
            kept[name] = _fit(name, value)
        except ValueError as wrong:
            found.append(Problem(row.line, WORDS.get(name, name), str(wrong), value))
    return kept, found


def _cleaned(name: str, value: str) -> str:
    text = outside(value).strip()
    text = text if name in MANY_LINES else " ".join(text.split())
    return "" if name != "name" and text.casefold() in NOTHING else text


def _joined(first: str, last: str) -> str:
    """A name of its parts, in the order and spacing of its script."""
    chinese = re.fullmatch(r"[\u3400-\u9fff]+", first + last)
    return last + first if chinese else f"{first} {last}".strip()


def _fit(name: str, value: str) -> str | int:
    """The value as it is registered.

    Raises:
        ValueError: it cannot be; the text says why.
    """
    if "\ufffd" in value:
        raise ValueError("characters in it cannot be read. Save the file as UTF-8.")
    if len(value) > LONGEST.get(name, LONG):
        raise ValueError(f"longer than {LONGEST.get(name, LONG):,} characters.")
    match name:
        case "email":
            return _email(value)
        case "birthday":
            return _day(value)
        case "graduation_year":
            return _year(value)
        case "phone" if re.fullmatch(r"\d+(?:[.,]\d+)?E\+?\d+", value, re.IGNORECASE):
            raise ValueError("a spreadsheet has shortened this number. Format the column as text.")
        case _:
            return value.lstrip("'") if name == "phone" else value


def _email(value: str) -> str:
    address = unicodedata.normalize("NFKC", value)
    address = re.sub(r"^(?:mailto:|.*<)|>$", "", address, flags=re.IGNORECASE).strip()
    if not ADDRESS.fullmatch(address):
        raise ValueError("not an e-mail address.")
    return address


def _year(value: str) -> int:
    found = re.fullmatch(r"((?:19|20)\d\d)(?:\.0|年|届|[-/.年]\d{1,2}(?:[-/.月]\d{0,2})?[日号]?)?", value)
    if found is None:
        raise ValueError("not a year of four digits.")
    return int(found[1])


def _day(value: str) -> str:
    """A day as YYYY-MM-DD."""
    text = re.sub(r"[T ]\d\d:\d\d(?::[\d.]+)?Z?$", "", unicodedata.normalize("NFKC", value)).casefold()
    for year, month, day in _readings(text):
        try:
            born = date(year, month, day)
        except ValueError:
            break
        if not date(1900, 1, 1) <= born <= date.today():
            raise ValueError("not a day on which a candidate can be born.")
        return born.isoformat()
    raise ValueError("not a date. Write it as YYYY-MM-DD.")


def _readings(text: str) -> Sequence[tuple[int, int, int]]:
    """Year, month and day that a text means.

    Raises:
        ValueError: it can mean two days.
    """
    if found := re.fullmatch(
        r"(\d{4})\s?[-/.年]\s?(\d{1,2})\s?[-/.月]\s?(\d{1,2})\s?[日号]?|(\d{4})(\d\d)(\d\d)", text
    ):
        year, month, day = (int(each) for each in found.groups() if each)
        return [(year, month, day)]
    if found := re.fullmatch(r"(\d{1,2})[-/. ](\d{1,2})[-/. ](\d{4})", text):
        one, other, year = (int(each) for each in found.groups())
        if one <= 12 and other <= 12 and one != other:
            raise ValueError("can be read as two days. Write it as YYYY-MM-DD.")
        return [(year, other, one) if one > 12 else (year, one, other)]
    words = re.findall(r"[^\W\d_]+|\d+", text)
    named = [MONTHS.index(each[:3]) + 1 for each in words if each[:3] in MONTHS]
    numbers = [int(each) for each in words if each.isdecimal()]
    if len(named) == 1 and len(numbers) == 2 and len(words) <= 4:
        day, year = (numbers[0], numbers[1]) if numbers[1] > 31 else (numbers[1], numbers[0])
        return [(year, named[0], day)]
    return []

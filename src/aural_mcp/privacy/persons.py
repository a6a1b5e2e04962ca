"""Who is one person among everybody whom a workspace holds, and where else a text names them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

LEAST_LETTERS, LEAST_DIGITS, COMPARED = 4, 7, 9
"""Letters of a name and digits of a number that are looked for in texts, and digits by which numbers are the same."""
NUMBER = re.compile(r"\d[\d\s()./-]{5,30}\d")
UNSPACED = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\u1100-\u11ff\uac00-\ud7af]")
"""Signs of scripts that put no spaces between words; decomposed ones too."""
ESCAPED = re.compile(r"(?:\\u[0-9a-fA-F]{4})+")


@dataclass(frozen=True)
class Entry:
    """What one interview holds of somebody: a registered candidate, or a session.

    Args:
        session: of a candidate who has begun.
        state: what a person is shown of it.
    """

    kind: Literal["candidate", "session"]
    id: str
    interview: str
    name: str = ""
    email: str = ""
    phone: str = ""
    session: str | None = None
    state: str = ""


@dataclass(frozen=True)
class Person:
    """Everything that is of one person."""

    entries: tuple[Entry, ...]

    @cached_property
    def ids(self) -> frozenset[str]:
        """The ids of the entries."""
        return frozenset(each.id for each in self.entries)

    @cached_property
    def names(self) -> list[str]:
        """The names, each once."""
        return _each_once(self.entries, lambda each: each.name)

    @cached_property
    def addresses(self) -> list[str]:
        """The e-mail addresses, each once."""
        return _each_once(self.entries, lambda each: each.email)

    @cached_property
    def phones(self) -> list[str]:
        """The telephone numbers, each once."""
        return _each_once(self.entries, lambda each: each.phone)

    def of(self, kind: Literal["candidate", "session"]) -> list[str]:
        """The ids of one kind."""
        return [each.id for each in self.entries if each.kind == kind]


def _each_once(entries: Iterable[Entry], part: Callable[[Entry], str]) -> list[str]:
    return list({plain(text): text for each in entries if (text := part(each).strip())}.values())


def plain(text: str) -> str:
    """What is the same for the same name or address, however it is spaced, composed and in whichever case."""
    return " ".join(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()).split())


def digits(phone: str) -> str:
    """What is the same for the same number, whatever is dialled before it; empty where it is none."""
    found = "".join(str(int(each)) for each in phone if each.isdecimal())
    return found[-COMPARED:] if len(found) >= LEAST_DIGITS else ""


# ── One person ──────────────────────────────────────────────────────────────────────────────────


def people_of(entries: Sequence[Entry]) -> list[Person]:
    """Everybody: entries with the same address, or a candidate and the session they began, are one person.

    Where there is no address, name and number together are, unless people of several addresses have both.
    """
    groups = _Groups()
    addresses: dict[tuple[str, str], set[str]] = {}
    for each in entries:
        if (called := _called(each)) and each.email.strip():
            addresses.setdefault(called, set()).add(plain(each.email))
    for each in entries:
        groups.join(each.id, each.id)
        if each.session:
            groups.join(each.id, each.session)
        if each.email.strip():
            groups.join(each.id, ("address", plain(each.email)))
        if (called := _called(each)) and len(addresses.get(called, ())) < 2:
            groups.join(each.id, ("called", called))
    found: dict[object, list[Entry]] = {}
    for each in entries:
        found.setdefault(groups.first(each.id), []).append(each)
    return [Person(tuple(each)) for each in found.values()]


def _called(each: Entry) -> tuple[str, str] | None:
    name, number = plain(each.name), digits(each.phone)
    return (name, number) if name and number else None


class _Groups:
    """What belongs together."""

    def __init__(self) -> None:
        self._above: dict[object, object] = {}

    def first(self, one: object) -> object:
        """What stands for all that belong together with this."""
        while (above := self._above.setdefault(one, one)) != one:
            self._above[one] = one = self._above[above]
        return one

    def join(self, one: object, other: object) -> None:
        """Put two together."""
        self._above[self.first(one)] = self.first(other)


def meant(people: Sequence[Person], wanted: str) -> list[Person]:
    """Who is meant by an id, an e-mail address, or a whole name, which several may have."""
    text = plain(wanted)
    tests: tuple[Callable[[Person], bool], ...] = (
        lambda each: wanted.strip() in each.ids,
        lambda each: any(plain(address) == text for address in each.addresses),
        lambda each: any(plain(name) == text for name in each.names),
    )
    for test in tests if text else ():
        if found := [each for each in people if test(each)]:
            return found
    return []


def perhaps(people: Sequence[Person], one: Person) -> list[Person]:
    """Who may be the same person too: of the same number, or of the same name where one side has no address."""
    names, numbers = set(map(plain, one.names)), {each for each in map(digits, one.phones) if each}
    return [
        each
        for each in people
        if each.ids.isdisjoint(one.ids)
        and (
            numbers & set(map(digits, each.phones))
            or (names & set(map(plain, each.names)) and not (one.addresses and each.addresses))
        )
    ]


# ── In texts ────────────────────────────────────────────────────────────────────────────────────


class Mentions:
    """Finds somebody's names, addresses and numbers in texts, however they are written.

    Accents and case do not matter. A name of one short word is not looked for: it would be found everywhere.
    """

    def __init__(self, person: Person) -> None:
        names = [each for each in map(_folded, person.names) if _can_be_found(each)]
        self.unsought = [each for each in person.names if not _can_be_found(_folded(each))]
        """The names that are too short to be looked for."""
        words = [*names, *map(_folded, person.addresses), *map(str.lower, person.ids)]
        self._words = re.compile("|".join(map(_pattern, words))) if words else None
        self._numbers = {each for each in map(digits, person.phones) if each}

    def are_in(self, text: str) -> bool:
        """Whether a text has one of them, also as JSON writes it."""
        if "\\u" in text:
            text = ESCAPED.sub(_unescaped, text)
        if self._words and self._words.search(_folded(text)):
            return True
        return bool(self._numbers) and any(digits(each) in self._numbers for each in NUMBER.findall(text))

    def are_in_bytes(self, content: bytes) -> bool:
        """Whether a file of text has one of them, in whichever encoding it is."""
        if b"\0" in content[:1000]:
            return any(self.are_in(content.decode(each, "ignore")) for each in ("utf-16-le", "utf-16-be", "utf-8"))
        try:
            return self.are_in(content.decode())
        except UnicodeDecodeError:
            return any(self.are_in(content.decode(each, "ignore")) for each in ("utf-8", "cp1252"))


def _can_be_found(name: str) -> bool:
    """Whether a name is not too short to be looked for; in a script without spaces two signs are enough."""
    return len(name) >= (2 if UNSPACED.search(name) else LEAST_LETTERS) or " " in name


def _pattern(text: str) -> str:
    """What finds a text as whole words, where its script has words."""
    return re.escape(text) if UNSPACED.search(text) else rf"(?<!\w){re.escape(text)}(?!\w)"


def _unescaped(found: re.Match[str]) -> str:
    units = bytes.fromhex(found[0].replace("\\u", ""))
    return units.decode("utf-16-be", "replace")


def _folded(text: str) -> str:
    from aural_mcp.privacy.blind import folded  # its patterns take a while

    return plain(folded(text)[0])

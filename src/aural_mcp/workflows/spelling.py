"""Whether a name, an address or a telephone number is the one that is looked for, however either was written.

Names are compared without case, accents and order. German umlauts are found written out, and Cyrillic and Greek
names as passports spell them; for Chinese, Arabic and other scripts there is no such rule here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from aural_mcp.safety import inert, outside

PHONE = re.compile(r"[\d\s()+./-]+")
LEAST_DIGITS, LEAST_LETTERS = 5, 3
"""Digits that make a telephone number; letters from which a word is also found within another."""
SPACED = re.compile(r"[a-z]+")
CYRILLIC = dict(
    zip(
        "абвгдежзиклмнопрстуфхцчшщъыьэюяєіґ",
        "a b v g d e zh z i k l m n o p r s t u f h ts ch sh shch - i - e iu ia e i g".split(),
        strict=True,
    )
)
GREEK = dict(zip("αβγδεζηθικλμνξοπρστυφχψω", "a v g d e z i th i k l m n ks o p r s t i f h ps o".split(), strict=True))
LATIN = {"ø": "o", "ł": "l", "đ": "d", "æ": "a", "œ": "o", "ı": "i", "þ": "th", "ð": "d", "x": "ks", "y": "i", "j": "i"}
LETTERS = str.maketrans({letter: "" if plain == "-" else plain for letter, plain in (CYRILLIC | GREEK | LATIN).items()})
ALIKE = (("ου", "ou"), ("ae", "a"), ("oe", "o"), ("ue", "u"), ("kh", "h"), ("ii", "i"))
"""What is spelled in two ways; the first before letters are changed."""


@dataclass(frozen=True)
class Wanted:
    """Who is looked for: by an address or a part of it, by the digits of a telephone number, else by words."""

    address: str = ""
    digits: str = ""
    words: Sequence[str] = ()
    whole: bool = False
    """Whether the address is all of it, a plus included."""

    def finds(self, names: Sequence[str], addresses: Sequence[str], phone: str) -> bool:
        """Whether somebody of these names, addresses and number is meant."""
        if self.whole:
            return any(fold(each).strip() == self.address for each in addresses)
        if self.address:
            return any(_is_address(self.address, fold(each)) for each in addresses)
        if self.digits:
            return _is_number(self.digits, re.sub(r"\D", "", phone)) or self._is_in(addresses)
        return any(map(self._is_name, names)) or self._is_in(addresses)

    def _is_in(self, addresses: Sequence[str]) -> bool:
        wanted = [self.digits] if self.digits else self.words
        return all(len(each) >= LEAST_LETTERS for each in wanted) and any(
            all(each in fold(address) for each in wanted) for address in addresses
        )

    def _is_name(self, name: str) -> bool:
        plain = fold(name)
        if all(_is_word(each, _words(plain)) for each in self.words):
            return True
        letters = _words(loose(plain))
        return all(_is_word(loose(each), letters) for each in self.words)


def wanted_by(who: str) -> Wanted | None:
    """What was typed; None where no letter or figure is in it."""
    text = fold(outside(who)).strip()
    digits = re.sub(r"\D", "", text)
    if PHONE.fullmatch(text) and len(digits) >= LEAST_DIGITS:
        return Wanted(digits=digits)
    if "@" in text and re.search(r"\w", text):
        return Wanted(address=text.strip("<>(),; "))
    words = _words(text)
    return Wanted(words=words) if words else None


@lru_cache(10_000)
def fold(text: str) -> str:
    """A text without case and accents."""
    from aural_mcp.privacy.blind import folded  # its patterns take a while, and a start does without

    return folded(text)[0]


def loose(text: str) -> str:
    """Folded text in Latin letters, without what is spelled in several ways."""
    first, *others = ALIKE
    plain = text.replace(*first).translate(LETTERS)
    for one, other in others:
        plain = plain.replace(one, other)
    return re.sub(r"\bie", "e", plain)


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text)


def _is_word(wanted: str, words: Sequence[str]) -> bool:
    """Whether a word begins so, alone or with those behind it; longer ones, and signs, are found within one too."""
    within = len(wanted) >= LEAST_LETTERS or not SPACED.fullmatch(wanted)
    return any("".join(words[at:]).startswith(wanted) or (within and wanted in word) for at, word in enumerate(words))


def _is_address(wanted: str, address: str) -> bool:
    """Whether an address has this, or is this one but for what stands behind a plus."""
    shown = {wanted, inert(wanted)}
    return any(each in address for each in shown) or (bool(address) and _plain(wanted) == _plain(address))


def _plain(address: str) -> str:
    local, at, domain = address.rpartition("@")
    return f"{local.partition('+')[0]}{at}{domain}"


def _is_number(wanted: str, number: str) -> bool:
    """Whether a number has these digits, whatever is dialled before it."""
    one, other = wanted.lstrip("0"), number.lstrip("0")
    fewer, more = sorted((one, other), key=len)
    return bool(one) and (one in other or (len(fewer) >= 7 and more.endswith(fewer)))

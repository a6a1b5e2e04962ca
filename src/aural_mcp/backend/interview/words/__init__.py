"""Every word that a candidate reads and that no recruiter wrote: a file for each language, all of them complete."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import cast

from aural_mcp.api.languages import page_language

Words = Mapping[str, str]


def words_for(language: str | None) -> Words:
    """The words for an interview's language code, e.g. `zh-CN`; English where there are none."""
    return catalogue(page_language(language) or "en")


@cache
def catalogue(code: str) -> Words:
    """The words of one of the languages of the pages."""
    text = (Path(__file__).parent / f"{code}.toml").read_text(encoding="utf-8")
    return cast("Words", tomllib.loads(text))


def counted(words: Words, unit: str, count: int) -> str:
    """A number of something, e.g. `1 minute`, in the form that the language has for it."""
    form = PLURALS.get(words["lang"], _one_or_more)(count)
    return words[f"{unit}.{form}"].format(count=count)


def lasting(words: Words, seconds: int) -> str:
    """A length of time: minutes where it is whole ones, seconds below two, else both."""
    minutes, rest = divmod(seconds, 60)
    if rest and minutes < 2:
        return counted(words, "second", seconds)
    whole = counted(words, "minute", minutes)
    return words["minute.second"].format(minutes=whole, seconds=counted(words, "second", rest)) if rest else whole


def _one_or_more(count: int) -> str:
    return "one" if count == 1 else "other"


def _up_to_one(count: int) -> str:
    return "one" if count in (0, 1) else "other"


def _always(_: int) -> str:
    return "other"


def _arabic(count: int) -> str:
    if count in (1, 2):
        return ("one", "two")[count - 1]
    last = count % 100
    return "few" if 3 <= last <= 10 else "many" if last > 10 else "other"


PLURALS: Mapping[str, Callable[[int], str]] = {
    "fr": _up_to_one,
    "pt-BR": _up_to_one,
    "zh-Hans": _always,
    "ja": _always,
    "ar": _arabic,
}
"""Which form a number takes, by language; elsewhere it is one or more."""

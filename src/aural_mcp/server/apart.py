"""Which parts of a result others wrote: all but numbers, our own words, and what the caller itself just sent."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, cast

LINKS = ("url", "inviteUrl")
CANDIDATE_LINK = re.compile(r"https?://[^\s?#]+/i/(invite/)?[\w-]+")
OUR_ADDRESS = re.compile(r"aural://[\w./?=&,-]+")
MARKS = frozenset(
    "id cursor status type mode role speaker form format names plan aiTone followUpDepth language rubricVersion at "
    "since timestamp counted_at savedAs address invites publicSlug startedAt completedAt lastActivityAt createdAt "
    "updatedAt linksExpireAt".split()
)
"""Fields in which Aural or this server writes a mark or a moment, and those that end in `Id` or `Ids`."""
MARK = re.compile(r"[\w:.+-]{1,64}")
OURS = frozenset("state was now coverage notScored flaggedTurns reason".split())
"""Fields in which only this server writes: four words at most, such as `complete, not scored`."""
WORDS = re.compile(r"[\w.-]{1,40}(?:,? [\w-]{1,20}){0,3}")
SENTENCES = frozenset(["warnings"])
"""Sentences of ours, in which somebody else's words stand in quotation marks."""
THEIRS = frozenset("messages integrityLog integrityCounts insights sentiment themes code requests decision".split())
"""What a browser, an analyst, a candidate or whoever decided wrote, its names too."""
NAME = re.compile(r"[A-Za-z]\w{0,40}")


def split(value: Mapping[str, Any], sent: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
    """The fields of a result that are ours, and those in which others wrote something.

    Args:
        sent: what the caller sent with a change; it knows its own words.
    """
    known = frozenset(_strings(sent))
    mine = {name: item for name, item in value.items() if _is_ours(name, item, known)}
    return mine, {name: item for name, item in value.items() if name not in mine}


def _is_ours(name: str, value: Any, known: Collection[str]) -> bool:
    if isinstance(value, str):
        return not value or value in known or name in SENTENCES or _is_our_word(name, value)
    if isinstance(value, list):
        return name not in THEIRS and all(_is_ours(name, each, known) for each in cast("list[Any]", value))
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value).items()
        return name not in THEIRS and all(NAME.fullmatch(key) and _is_ours(key, each, known) for key, each in fields)
    return NAME.fullmatch(name) is not None


def _is_our_word(name: str, text: str) -> bool:
    if name in LINKS:
        return CANDIDATE_LINK.fullmatch(text) is not None
    if name in OURS:
        return WORDS.fullmatch(text) is not None
    made = name in MARKS or name.endswith(("Id", "Ids"))
    return made and (MARK.fullmatch(text) or OUR_ADDRESS.fullmatch(text)) is not None


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        inner = cast("dict[str, Any]", value).values() if isinstance(value, dict) else cast("list[Any]", value)
        for each in inner:
            yield from _strings(each)

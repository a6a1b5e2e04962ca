"""Which parts of a result others wrote: all but numbers, our own words, and what the caller itself just sent."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, cast

LINKS = ("url", "inviteUrl")
CANDIDATE_LINK = re.compile(r"https?://[^\s?#]+/i/(invite/)?[\w-]+")
OUR_ADDRESS = re.compile(r"aural://[\w./?=&,-]+")
OURS = frozenset(
    "id cursor status state was now type mode role speaker form format names plan aiTone followUpDepth language "
    "rubricVersion coverage notScored flaggedTurns reason at since timestamp counted_at savedAs address invites "
    "publicSlug startedAt completedAt lastActivityAt createdAt updatedAt linksExpireAt".split()
)
"""Fields whose values Aural or this server makes, and those that end in `Id` or `Ids`; a longer text is none."""
WORDS = re.compile(r"[\w:.+-]{1,64}|[\w-]{1,20}(?:,? [\w-]{1,20}){1,3}")
"""A mark, a moment, or four words at most: `complete, not scored`."""
SENTENCES = frozenset(["warnings"])
"""Sentences of ours, in which somebody else's words stand in quotation marks."""
THEIRS = frozenset("messages integrityLog integrityCounts insights sentiment themes code".split())
"""What a browser or an analyst wrote, its names too."""
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
    made = name in OURS or name.endswith(("Id", "Ids"))
    return made and (WORDS.fullmatch(text) or OUR_ADDRESS.fullmatch(text)) is not None


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        inner = cast("dict[str, Any]", value).values() if isinstance(value, dict) else cast("list[Any]", value)
        for each in inner:
            yield from _strings(each)

"""What a heading says its column holds, by the parts of it."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache, lru_cache

from aural_mcp.workflows.lists.cells import bare
from aural_mcp.workflows.lists.words import ALONE, BESIDE, CANDIDATE, ENDS, FIELDS, OTHERS, SOMEBODY_ELSE

LONGEST = 60
"""Characters of a heading that are looked at and shown."""
IDEOGRAPHS = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


@dataclass(frozen=True)
class Heading:
    """What a heading says: the field, or that it is none of a person's; `sure` where every part of it is known."""

    field: str = ""
    sure: bool = False
    other: bool = False
    somebody_else: bool = False


@lru_cache(4_096)
def meant(text: str) -> Heading:
    """What a heading says."""
    words = () if "@" in text else words_of(text)
    if not words:
        return Heading()
    for name, listed in ALONE.items():
        if any(len(each) == len(words) and _begins(each, words) for each in _near(listed, words)):
            return Heading(name, sure=True)
    field, rest = _field_in(words)
    strangers = [each for each in rest if not _has(BESIDES, each)]
    if field and not strangers:
        return Heading(field, sure=True)
    others = any(_phrase_in(each, rest) for each in _near(OTHERS, rest))
    somebody_else = any(_has(ELSE, each) for each in words)
    hinted = field if field in ("email", "phone") and not others and not somebody_else else ""
    return Heading(hinted, other=others, somebody_else=somebody_else)


def words_of(text: str) -> tuple[str, ...]:
    """The words of a heading, bare; `FirstName` and `first_name` are two."""
    text = unicodedata.normalize("NFKC", text[:LONGEST])
    text = re.sub(r"(?<=[a-zß-ÿ])(?=[A-Z])", " ", text) if not text.isupper() else text
    joined = " ".join(re.findall(r"[^\W\d_]+|\d+", bare(text)))
    return tuple(re.sub(r"\be (mail|post)", r"e\1", joined).split())


def is_candidate(text: str) -> bool:
    """Whether a heading says that its column is about the candidate."""
    return any(_has(CANDIDATE, each) for each in words_of(text))


def is_end(text: str) -> bool:
    """Whether a line begins as those do that end a list or say where it is from."""
    words = words_of(text)
    return any(_begins(each, words) for each in _near(ENDS, words))


# ── Parts ───────────────────────────────────────────────────────────────────────────────────────

Phrase = tuple[str, ...]


@cache
def _phrases(listed: str) -> tuple[Phrase, ...]:
    """The phrases of a table, longest first; each word may end in `*`."""
    found = {
        tuple(f"{word}*" if star else word for word, star in _starred(each))
        for each in re.split(r"[,\n]", listed)
        if each.strip()
    }
    return tuple(sorted(found, key=lambda each: (-len(each), -len("".join(each)), each)))


@cache
def _index(listed: str) -> dict[str, list[Phrase]]:
    """The phrases by how their first word begins."""
    found: dict[str, list[Phrase]] = {}
    for phrase in _phrases(listed):
        found.setdefault(phrase[0].rstrip("*")[:2], []).append(phrase)
    return found


def _near(listed: str, words: Phrase) -> list[Phrase]:
    """The phrases that can be in these words, without looking at all of them."""
    index, near = _index(listed), dict[Phrase, None]()
    for word in words:
        starts = range(len(word)) if IDEOGRAPHS.match(word) else (0,)
        for key in (word[start : start + size] for start in starts for size in (1, 2)):
            near.update(dict.fromkeys(index.get(key, ())))
    return list(near)


def _starred(phrase: str) -> list[tuple[str, bool]]:
    return [(word, part.endswith("*")) for part in phrase.split() for word in words_of(part)]


BESIDES, ELSE = BESIDE, SOMEBODY_ELSE


def _field_in(words: Phrase) -> tuple[str, Phrase]:
    """The field with the longest phrase in these words, and the words around it."""
    best: tuple[int, int, str, Phrase] = (0, 0, "name", words)
    for name, listed in FIELDS.items():
        for phrase in _near(listed, words):
            if found := _phrase_in(phrase, words):
                length = sum(map(len, words)) - sum(map(len, found[0]))
                best = max(
                    best, (len(phrase), length, name, found[0]), key=lambda each: (each[0], each[2] != "name", each[1])
                )
    return (best[2], best[3]) if best[0] else ("", words)


def _phrase_in(phrase: Phrase, words: Phrase) -> tuple[Phrase] | None:
    """The words left of a heading when a phrase is taken out; None where it is not in it."""
    for start in range(len(words) - len(phrase) + 1):
        if all(_is_word(*pair) for pair in zip(phrase, words[start : start + len(phrase)], strict=True)):
            return ((*words[:start], *words[start + len(phrase) :]),)
    if len(phrase) == 1 and IDEOGRAPHS.match(phrase[0]):
        part = phrase[0].rstrip("*")
        for place, word in enumerate(words):
            if len(part) > 1 and part in word:
                return ((*words[:place], *filter(None, word.split(part)), *words[place + 1 :]),)
    return None


def _begins(phrase: Phrase, words: Phrase) -> bool:
    return len(words) >= len(phrase) and all(map(_is_word, phrase, words))


def _has(listed: str, word: str) -> bool:
    return (
        word in _words(listed)
        or any(word.startswith(each) for each in _stems(listed))
        or (bool(IDEOGRAPHS.match(word)) and _is_made_of(word, listed))
    )


def _is_made_of(word: str, listed: str) -> bool:
    """Whether a word of ideographs is one of the words, written several together."""
    while word:
        part = next((word[:size] for size in range(len(word), 0, -1) if word[:size] in _words(listed)), "")
        if not part:
            return False
        word = word[len(part) :]
    return True


@cache
def _words(listed: str) -> frozenset[str]:
    return frozenset(word.rstrip("*") for phrase in _phrases(listed) for word in phrase)


@cache
def _stems(listed: str) -> tuple[str, ...]:
    return tuple(phrase[0][:-1] for phrase in _phrases(listed) if len(phrase) == 1 and phrase[0].endswith("*"))


def _is_word(part: str, word: str) -> bool:
    return word.startswith(part[:-1]) if part.endswith("*") else word == part

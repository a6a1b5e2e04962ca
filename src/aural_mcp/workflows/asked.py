"""Which turns of a transcript are on which question: from the turn in which the interviewer asks it to the next one.

A session does not mark its turns; the interviewer's words tell. Where they are those of the question, whatever stands
around them, that is where it is asked. Where nobody asks it in its own words, the turn that has most of them is.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from aural_mcp.api.models import Message
from aural_mcp.workflows.scores import words_of

SHORT, AROUND = 4, 3
"""Words below which a question must be a sentence of its own, and how many may then stand before it."""
NEAR, FEWEST = 0.6, 3
"""Share of a question's words that a turn needs to ask it in other words, those of many questions counting less; and
how many these must be at least."""
STEM = 4
"""Letters by which words of other forms are the same: build, built."""
SENTENCE = re.compile(r"[.?!:;\n。？！：；]+")


@dataclass(frozen=True)
class Said:
    """What a candidate said in a turn, and the words that it answers, where these are not the question's own."""

    turn: int
    words: str
    asked: str = ""


@dataclass
class Answered:
    """A session on one question."""

    asked: bool = False
    said: list[Said] = field(default_factory=list[Said])
    spoken: list[str] = field(default_factory=list[str])
    """The interviewer's words on it."""


class Script:
    """The questions of an interview, to be found in transcripts."""

    def __init__(self, questions: Sequence[str]) -> None:
        self._words = [tuple(tokens(each)) for each in questions]
        self._stems = [_stems(each) for each in self._words]
        self._among = Counter(stem for stems in self._stems for stem in stems)

    def answered(self, messages: Sequence[Message], number: int) -> Answered:
        """What a transcript has on a question: its turns, follow-ups and a second time included."""
        begun = self._begun(messages)
        found, on, lead = Answered(), False, ""
        for turn, each in enumerate(messages, 1):
            if each.role == "ASSISTANT":
                on = number in begun[turn] if turn in begun else on
                lead = "" if self._is_in(number, each.content) else each.content
                found.asked |= on
                found.spoken += [each.content] if on else []
            elif each.role == "USER" and on and each.content.strip():
                found.said.append(Said(turn, each.content, lead))
        return found

    def _begun(self, messages: Sequence[Message]) -> dict[int, set[int]]:
        """The questions that each turn of the interviewer asks; a turn that asks none is not there."""
        spoken = {turn: each.content for turn, each in enumerate(messages, 1) if each.role == "ASSISTANT"}
        found: dict[int, set[int]] = {}
        times: Counter[tuple[str, ...]] = Counter()
        for turn, text in spoken.items():
            for words in self._asked_in(text):
                same = [number for number, each in enumerate(self._words) if each == words]
                found.setdefault(turn, set()).add(same[min(times[words], len(same) - 1)])
                times[words] += 1
        left = set(range(len(self._words))) - {number for each in found.values() for number in each}
        free = {turn: _stems(tokens(text)) for turn, text in spoken.items() if turn not in found}
        for number in left:
            near = {turn: self._share(number, stems) for turn, stems in free.items()}
            best = max(near, key=lambda turn: near[turn], default=None)
            if best is not None and near[best] >= NEAR:
                found.setdefault(best, set()).add(number)
        return found

    def _asked_in(self, text: str) -> list[tuple[str, ...]]:
        """The questions in a text word for word; one that is part of another only where it stands by itself."""
        found: list[tuple[str, ...]] = []
        rest = f" {' '.join(tokens(text))} "
        for words in sorted({each for each in self._words if each}, key=len, reverse=True):
            own = f" {' '.join(words)} "
            if own in rest and (len(words) >= SHORT or _is_sentence(words, text)):
                found.append(words)
                rest = rest.replace(own, " | ")
        return found

    def _is_in(self, number: int, text: str) -> bool:
        return self._words[number] in self._asked_in(text)

    def _share(self, number: int, stems: set[str]) -> float:
        """How much of a question a turn has, in its words."""
        wanted = self._stems[number]
        there = wanted & stems
        if len(there) < FEWEST:
            return 0.0
        return sum(1 / self._among[each] for each in there) / sum(1 / self._among[each] for each in wanted)


def tokens(text: str) -> list[str]:
    """The words of a text without case and accents; of scripts without spaces, the characters."""
    from aural_mcp.privacy.blind import folded  # its patterns take a while, and a start does without

    return words_of(folded(text)[0])


def _is_sentence(words: Sequence[str], text: str) -> bool:
    """Whether these are a sentence of a text, with little before them."""
    sentences = map(tokens, SENTENCE.split(text))
    return any(tuple(each[-len(words) :]) == words and len(each) <= len(words) + AROUND for each in sentences)


def _stems(words: Sequence[str]) -> set[str]:
    """What makes words the same in other forms; of scripts without spaces, each two characters."""
    pairs = {one + other for one, other in itertools.pairwise(words) if _is_ideograph(one)}
    plain = [each for each in words if not _is_ideograph(each)]
    return pairs | {each[:STEM] if len(each) > STEM else each for each in plain}


def _is_ideograph(word: str) -> bool:
    """Whether a word is of a script without spaces, in which each character counts as one."""
    return "\u3040" <= word[0] <= "\u30ff" or "\u3400" <= word[0] <= "\u9fff"

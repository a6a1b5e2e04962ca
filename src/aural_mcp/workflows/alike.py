"""Answers of different people in nearly the same words.

Compared are runs of five words: of the shorter answer, how many the other has too. Honest answers to one question
share stock phrases, and stay below an eighth in our tests; a copy in which every tenth word was changed keeps half.
Nothing is proved by it: both may have read the same page.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from aural_mcp.workflows.asked import tokens

RUN = 5
"""Words that must follow each other."""
NEAR, NEAR_IN_CODE = 0.4, 0.8
"""Share from which answers are nearly the same; honest code is alike by its task."""
LEAST, LEAST_IN_CODE = 12, 40
"""Runs below which an answer says too little of its own to be compared."""

Runs = frozenset[tuple[str, ...]]


def runs(text: str) -> Runs:
    """Each run of words in a text."""
    words = tokens(text)
    return frozenset(tuple(words[at : at + RUN]) for at in range(len(words) - RUN + 1))


def given_by(texts: Iterable[str]) -> Runs:
    """The runs that the question, its choices or its starter code have: no words of a candidate's own."""
    return frozenset(run for text in texts for run in runs(text))


def share(one: Runs, other: Runs, *, code: bool = False) -> float:
    """How much of the shorter answer the other has too, where that is near enough to be named; else 0."""
    fewer = min(len(one), len(other))
    if fewer < (LEAST_IN_CODE if code else LEAST):
        return 0.0
    found = len(one & other) / fewer
    return found if found >= (NEAR_IN_CODE if code else NEAR) else 0.0


class Pool:
    """The turns of several sessions; which of one's are nearly those of somebody else, whatever was asked."""

    def __init__(self) -> None:
        self._turns: dict[str, list[tuple[Runs, bool]]] = {}
        self._people: dict[str, str] = {}
        self._holding: defaultdict[tuple[str, ...], list[tuple[str, int]]] = defaultdict(list)

    def add(self, session_id: str, person: str, turns: Iterable[tuple[str, bool]], given: Runs) -> None:
        """Take in what somebody said, each turn with whether it is code; two sessions of a person are not compared."""
        self._people[session_id] = person
        self._turns[session_id] = [(runs(text) - given, code) for text, code in turns]
        for number, (own, _) in enumerate(self._turns[session_id]):
            for run in own:
                self._holding[run].append((session_id, number))

    def equal(self, session_id: str) -> int:
        """How many turns of a session somebody else has too."""
        return sum(self._has_another(session_id, own, code) for own, code in self._turns.get(session_id, []))

    def _has_another(self, session_id: str, own: Runs, code: bool) -> bool:
        met = Counter(place for run in own for place in self._holding[run])
        return any(
            share(own, self._turns[other][number][0], code=code)
            for (other, number), found in met.items()
            if found >= NEAR * LEAST and self._people[other] != self._people[session_id]
        )

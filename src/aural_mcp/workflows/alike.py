"""Answers of different people in nearly the same words.

Compared are runs of five words: of the shorter answer, how many the other has too. Honest answers to one question
share stock phrases, and stay below an eighth in our tests; a copy in which every tenth word was changed keeps half.
Nothing is proved by it: both may have read the same page.
"""

from __future__ import annotations

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

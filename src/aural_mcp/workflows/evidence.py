"""A candidate's own words for a score whose scorer named none: found by a plain rule, and marked as that.

For a question, the answer that follows it. For a criterion, the answer that shares most distinct words with its name
and description: two at least, of four letters at least, the earliest of equals. A flagged turn is never chosen, nor an
answer that is a question or starter code.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from functools import cached_property, lru_cache
from typing import Any, cast

from aural_mcp.api.models import Message, Session
from aural_mcp.safety import is_code
from aural_mcp.workflows.scores import Card, Column, Rubric, evidence_for, excerpt, word, words_of

MOST_WORDS, MOST_CHARACTERS = 40, 320
LEAST_SHARED, SHORTEST = 2, 4
"""Words that an answer shares with a criterion, and their letters."""
FEW = 3
"""Words below which a question must be all that a turn ends with."""
SENTENCE = re.compile(r"[.!?](?=\s|$)|[。！？]")


def by_rule(column: Column, rubric: Rubric, session: Session, most: int = MOST_CHARACTERS) -> tuple[int, str] | None:
    """A turn of the candidate's for a column, and some of its words; None where the rule finds none."""
    return Rule(rubric, session).find(column, most)


def evaluated(column: Column, card: Card, messages: Sequence[Message], rule: Rule | None) -> dict[str, Any]:
    """What a column was scored, why, and the candidate's words for it: those that the scorer named, else the rule's."""
    evaluation, score = card.evaluations.get(column.id, {}), card.score(column.id)
    evidence = evidence_for(evaluation, messages) if evaluation else []
    if not evidence and score is not None and rule:
        evidence = rule.evidence(column)
    return {
        "column": column.id,
        "score": score,
        "why": evaluation.get("evaluation") or evaluation.get("reasoning"),
        "highlights": evaluation.get("highlights") or [],
        "improvements": evaluation.get("improvements") or [],
        "evidence": evidence,
    }


class Rule:
    """The rule for one session: what all columns need of it is worked out once."""

    def __init__(self, rubric: Rubric, session: Session) -> None:
        self._rubric, self._session = rubric, session

    def find(self, column: Column, most: int = MOST_CHARACTERS) -> tuple[int, str] | None:
        """A turn of the candidate's for a column, and some of its words; None where the rule finds none."""
        if column.id.startswith("Q"):
            turn = self._after(column)
            return (turn, _words(self._answers[turn], 0, most)) if turn else None
        wanted = {word for word in words_of(f"{column.name} {column.description or ''}") if _counts(word)}
        shared = {turn: len(wanted & words) for turn, words in self._vocabulary.items()}
        turn = max(shared, key=lambda each: (shared[each], -each), default=0)
        if not turn or shared[turn] < LEAST_SHARED:
            return None
        return turn, _words(self._answers[turn], _densest(self._answers[turn], wanted), most)

    def evidence(self, column: Column) -> list[dict[str, Any]]:
        """What the rule finds, as evidence has it."""
        found = self.find(column)
        return [{"turn": found[0], "said": found[1], "chosenBy": "rule"}] if found else []

    @cached_property
    def _answers(self) -> dict[int, str]:
        """What the candidate said of their own, by turn."""
        flagged = {each["turn"] for each in cast("list[Any]", (self._session.model_extra or {}).get("flags", []))}
        said = {turn: each.content for turn, each in enumerate(self._session.messages, 1) if each.role == "USER"}
        own = {turn: (text, _key(text)) for turn, text in said.items() if turn not in flagged}
        given = {_key(text) for text in self._rubric.given}
        return {turn: _line(text) for turn, (text, key) in own.items() if key and key not in given}

    @cached_property
    def _vocabulary(self) -> dict[int, set[str]]:
        return {turn: set(words_of(said)) for turn, said in self._answers.items()}

    @cached_property
    def _asked(self) -> list[tuple[Column, str, list[int]]]:
        """Each question, its key, and the turns in which it is asked."""
        turns = [(turn, _key(each.content)) for turn, each in enumerate(self._session.messages, 1) if _is_ours(each)]
        asked = [(each, _asks(each)) for each in self._rubric.columns if each.id.startswith("Q")]
        return [(each, key, [turn for turn, said in turns if key and is_in(said, key)]) for each, (key, is_in) in asked]

    def _after(self, column: Column) -> int | None:
        """The first answer after a question's turn and before that of another question."""
        key, own = next((key, turns) for each, key, turns in self._asked if each == column)
        same = [each for each, other, _ in self._asked if other == key].index(column)
        if len(own) <= same:
            return None
        others = [turn for each, _, turns in self._asked if each != column for turn in turns if turn > own[same]]
        end = min(others, default=None)
        return next((turn for turn in sorted(self._answers) if own[same] < turn < (end or turn + 1)), None)


def _is_ours(message: Message) -> bool:
    return message.role == "ASSISTANT"


@lru_cache(1_000)
def _asks(question: Column) -> tuple[str, Callable[[str, str], bool]]:
    """The key of a question, and how it stands in that of a turn in which it is asked."""
    return _key(question.name), str.__contains__ if len(words_of(question.name)) > FEW else str.endswith


def _key(text: str) -> str:
    """Letters and digits only: however a text was escaped, spaced or fenced."""
    code = text.partition("\n")[2] if is_code(text) else text
    return "".join(re.findall(r"[^\W_]+", code.casefold()))


def _line(text: str) -> str:
    return " ".join((text.partition("\n")[2].rstrip("` \n") if is_code(text) else text).split())


def _counts(word: str) -> bool:
    return len(word) >= SHORTEST or not word.isascii()


def _densest(text: str, wanted: Collection[str]) -> int:
    """Where the sentence begins that has most of these words."""
    starts = [0, *(found.end() for found in SENTENCE.finditer(text) if found.end() < len(text))]
    ends = [*starts[1:], len(text)]
    counts = [len({*wanted} & set(words_of(text[start:end]))) for start, end in zip(starts, ends, strict=True)]
    return starts[counts.index(max(counts))]


def _words(text: str, start: int, most: int) -> str:
    """Whole sentences from a place on, as many as fit; of one that is longer, its beginning."""
    part, more = text[start:].strip(), ""
    if len(found := list(word().finditer(part))) > MOST_WORDS:
        part = part[: found[MOST_WORDS - 1].end()]
        ends = [each.end() for each in SENTENCE.finditer(part)]
        part, more = (part[: ends[-1]], "") if ends else (part, "…")
    return f"{'…' if start else ''}{excerpt(part, most=most - 2)}{more}"

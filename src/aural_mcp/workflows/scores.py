"""The scores of a session against the rubric that its interview has now, and a candidate's own words for each.

Whoever scored names criteria and questions in words of their own, so they are compared without case, punctuation
and numbering, and a question that was cut short counts as itself. What is not scored is None, never 0.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, lru_cache
from typing import Any, cast

from aural_mcp.api.errors import AuralError, BudgetExhausted
from aural_mcp.api.models import InterviewDetail, Message, Session, SessionSummary
from aural_mcp.api.operations import GetSession
from aural_mcp.client.caller import Caller
from aural_mcp.client.client import Spent
from aural_mcp.privacy.exposure import Guarded
from aural_mcp.safety import inert
from aural_mcp.tools.sessions import evaluations_in, mean_score, score_of
from aural_mcp.workflows.base import OUT_OF_BUDGET, digest, is_over
from aural_mcp.workflows.weighing import Weights, weights_of

CRITERIA, QUESTIONS = ("criteriaEvaluations", "name", "C"), ("questionEvaluations", "question", "Q")
"""Where evaluations stand, what in them names the criterion or question, and how its column begins."""
AURAL, NOT_SHOWN = "Aural", "not shown in lockdown"
LONGEST_QUOTE, MOST_EVIDENCE = 160, 10
"""Characters of a quote, and turns that are named for one score."""
LEAST_PREFIX = 20
"""Characters from which the beginning of a question counts as that question."""


@dataclass(frozen=True)
class Column:
    """A criterion (C1, C2, ...) or a question (Q1, Q2, ...) of an interview."""

    id: str
    name: str
    description: str | None = None


@dataclass(frozen=True)
class Rubric:
    """What is scored in an interview now; the version changes with any of it."""

    columns: Sequence[Column]
    version: str
    weights: Weights
    given: Sequence[str] = ()
    """Texts that candidates are given, questions and starter code: no answer of theirs."""

    @property
    def asked(self) -> int:
        """How many questions there are."""
        return sum(column.id.startswith("Q") for column in self.columns)


@dataclass(frozen=True)
class Card:
    """What one session scored."""

    mean: float | None
    evaluations: dict[str, dict[str, Any]]
    """By column; what nobody evaluated is not there."""
    strange: list[str]
    """What was scored that the interview does not have now."""
    scorer: str
    weighted: Fraction | None = None
    """The mean of the criteria by their weights; None where there are no weights or no scores."""

    @property
    def scored(self) -> list[str]:
        """The columns with a score."""
        return [column for column in self.evaluations if self.score(column) is not None]

    def score(self, column: str) -> float | None:
        """The score in a column; None is not scored."""
        return score_of(self.evaluations.get(column))


def rubric_of(interview: InterviewDetail) -> Rubric:
    """The columns of an interview: its criteria, then its questions."""
    criteria = interview.assessment_criteria or []
    columns = [Column(f"C{number}", each.name, each.description) for number, each in enumerate(criteria, 1)]
    columns += [Column(f"Q{number}", each.text, each.description) for number, each in enumerate(interview.questions, 1)]
    asked = [[each.text, each.type, each.options, each.description] for each in interview.questions]
    weights = weights_of({f"C{number}": each.weight for number, each in enumerate(criteria, 1)})
    given = [text for each in interview.questions for text in (each.text, *(each.starter_code or {}).values())]
    return Rubric(columns, digest(*criteria, *asked)[:12], weights, given)


def card_of(insights: Any, rubric: Rubric, *, lockdown: bool = False) -> Card:
    """The scores in an analysis, by the columns of a rubric."""
    found: dict[str, dict[str, Any]] = {}
    strange: list[str] = []
    for field, naming, kind in (CRITERIA, QUESTIONS):
        free = [column for column in rubric.columns if column.id.startswith(kind)]
        for row in evaluations_in(insights, field):
            column = next((each for each in free if _is_same(each.name, str(row.get(naming) or ""))), None)
            if column is None:
                strange.append(str(row.get(naming) or "something unnamed"))
            else:
                free.remove(column)
                found[column.id] = row
    weighted = rubric.weights.mean(lambda column: score_of(found.get(column)))
    return Card(mean_score(insights), found, strange, NOT_SHOWN if lockdown else _scorer(insights), weighted)


def as_number(mean: Fraction | None) -> float | None:
    """A mean as JSON has it."""
    return None if mean is None else float(mean)


def _is_same(name: str, given: str) -> bool:
    one, other = _key(name), _key(given)
    return one == other or (len(other) >= LEAST_PREFIX and one.startswith(other))


@lru_cache(1024)
def _key(name: str) -> str:
    from aural_mcp.privacy.blind import genderless  # its patterns take a while, and a start does without

    words = re.sub(r"\W+", " ", genderless(inert(name)).casefold()).strip()
    return re.sub(r"^(?:q|question )?\d+ ", "", words) or name


def _scorer(insights: Any) -> str:
    by = cast("dict[str, Any]", insights).get("scoredBy") if isinstance(insights, dict) else None
    name = cast("dict[str, Any]", by).get("name") if isinstance(by, dict) else by
    return str(name) if name else AURAL


def is_locked(client: Caller) -> bool:
    """Whether words of candidates are left out."""
    return isinstance(client, Guarded) and client.exposure.lockdown


async def read_session(client: Caller, row: SessionSummary, spent: Spent) -> Session | None:
    """The session of a row that was listed just now, with its transcript; None when it cannot be read.

    Raises:
        BudgetExhausted, RateLimited: there is no time or no budget for another one.
    """
    if is_over(spent):
        raise BudgetExhausted("The time of this call is over.", "", 0)
    try:
        if isinstance(client, Guarded):
            return await client.session(row, spent)
        return await client.call(GetSession(session_id=row.id), spent=spent)
    except OUT_OF_BUDGET:
        raise
    except AuralError:
        return None


# ── Words ───────────────────────────────────────────────────────────────────────────────────────


def quote_for(
    evaluation: dict[str, Any], messages: Sequence[Message], most: int = LONGEST_QUOTE
) -> tuple[int, str] | None:
    """A turn of the candidate's that supports an evaluation, and a short part of it; None where none does."""
    evidence, highlights = _turns(evaluation), _listed(evaluation.get("highlights"))
    if not evidence and not highlights:
        return None
    answers = {turn: each.content for turn, each in enumerate(messages, 1) if each.role == "USER"}
    for turn in evidence:
        if answers.get(turn):
            return turn, excerpt(answers[turn], most=most)
    for highlight in highlights:
        wanted = set(words_of(str(highlight)))
        for turn, said in answers.items():
            if len(wanted) > 1 and wanted <= set(words_of(said)):
                return turn, excerpt(said, most=most)
    return None


def evidence_for(evaluation: dict[str, Any], messages: Sequence[Message]) -> list[dict[str, Any]]:
    """The turns that an evaluation names, with the candidate's words where the transcript was read."""
    named = _turns(evaluation)[:MOST_EVIDENCE]
    if not named:
        found = quote_for(evaluation, messages)
        return [{"turn": found[0], "said": found[1]}] if found else []
    answers = {turn: each.content for turn, each in enumerate(messages, 1) if each.role == "USER"}
    return [{"turn": turn, **({"said": excerpt(answers[turn])} if answers.get(turn) else {})} for turn in named]


def excerpt(text: str, at: int = 0, most: int = LONGEST_QUOTE) -> str:
    """A part of a text around a place, on one line, with … where something is left out; code in it is no code here."""
    start = max(0, min(at - most // 4, len(text) - most))
    part = inert(" ".join(text[start : start + most].split()))[: most - 2]
    whole = start + most >= len(text) and len(part) < most - 2
    part = re.sub(r"^\S{1,20}\s", "", part) if start else part
    part = part if whole else re.sub(r"\s\S{1,20}$", "", part)
    return f"{'…' if start else ''}{part}{'' if whole else '…'}"


def _turns(evaluation: Mapping[str, Any]) -> list[int]:
    """The turns that an evaluation names, each once."""
    numbers = [each for each in _listed(evaluation.get("evidence")) if isinstance(each, int | float)]
    return list(dict.fromkeys(int(each) for each in numbers if not isinstance(each, bool) and each == each // 1))


def _listed(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []


def words_of(text: str) -> list[str]:
    """The words of a text; of scripts without spaces, the characters."""
    return word().findall(text.casefold())


@cache
def word() -> re.Pattern[str]:
    """A word; of scripts without spaces, a character. Compiled when first needed."""
    return re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff]+")

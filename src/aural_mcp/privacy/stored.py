"""Texts that come back as they were shown: a change keeps what is stored where it says what stands for it.

What a model reads is inert, so a link that somebody wrote comes back as `(link to a[.]test)`. A change that says so
means the link that is stored; one that cannot be told from another, or is stored nowhere, is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

from pydantic import BaseModel
from pydantic.alias_generators import to_camel

from aural_mcp.api.errors import BadRequest, NotFound
from aural_mcp.api.models import InterviewDetail, Question, Record, Rows
from aural_mcp.api.operations import (
    CreateQuestions,
    GetInterview,
    ListCandidates,
    ListInterviews,
    ListQuestions,
    Operation,
    UpdateCandidate,
    UpdateInterview,
    UpdateQuestion,
)
from aural_mcp.client.client import AuralClient, Spent
from aural_mcp.safety import inert, quoted

Asked = TypeVar("Asked", bound=Operation[Any])
SHOWN = re.compile(r"\[\.\]|\(link left out\)|dlv_…|\] [(\[:]|< \S|& (?:#|\w+;)|\b(?:tel|sms): \S")
"""What `inert` leaves in a text; a text without it says itself."""
STANDS_FOR = re.compile(r"\(link (?:to [^\s()]+|left out)\)")
MOST_KNOWN = 5_000
AROUND = ".,;:!?()[]{}\"'*_"
"""What may stand around a link in a sentence."""
MOST_REQUESTS, SPARE = 20, 10
"""Interviews that are looked through for a question, and requests of the minute that stay for the call itself."""


class Homes:
    """Which interview a question belongs to, for each key, as far as that was seen: the API does not say."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], str] = {}

    def of(self, tenant: str, question_id: str) -> str | None:
        """The interview of a question."""
        return self._known.get((tenant, question_id))

    def note(self, tenant: str, interview_id: str, questions: Sequence[Question]) -> None:
        """Remember whose these are; the oldest go where there are too many."""
        self._known |= {(tenant, each.id): interview_id for each in questions}
        while len(self._known) > MOST_KNOWN:
            self._known.pop(next(iter(self._known)))

    def see(self, tenant: str, asked: Operation[Any], result: object) -> None:
        """Remember whose the questions of an answer are."""
        if isinstance(result, InterviewDetail):
            self.note(tenant, result.id, result.questions)
        elif isinstance(asked, ListQuestions | CreateQuestions):
            self.note(tenant, asked.interview_id, cast("Rows[Question]", result).data)


async def as_stored(raw: AuralClient, asked: Asked, homes: Homes, spent: Spent) -> Asked:
    """A change with what is stored in place of what was shown of it.

    Raises:
        BadRequest: it says what stands for a link, and nobody can tell for which.
    """
    if not isinstance(asked, UpdateInterview | UpdateQuestion | UpdateCandidate):
        return asked
    given = {name: getattr(asked, name) for name in asked.model_fields_set - asked.path_fields()}
    shown = {name: value for name, value in given.items() if any(map(SHOWN.search, _texts(value)))}
    if not shown:
        return asked
    row = await _row(raw, asked, homes, spent)
    others, meant = _texts(row), dict[str, Any]()
    for name, value in shown.items():
        texts = iter(_meant(name, _texts(value), _texts(getattr(row, name, None)), others))
        meant[name] = _with(value, lambda _, texts=texts: next(texts))
    return asked.model_copy(update=meant)


async def _row(raw: AuralClient, asked: Operation[Any], homes: Homes, spent: Spent) -> Record | None:
    """The row that would change; None where it is not found."""
    if isinstance(asked, UpdateInterview):
        return await raw.call(GetInterview(interview_id=asked.interview_id), spent=spent)
    if isinstance(asked, UpdateCandidate):
        listed = (await raw.call(ListCandidates(interview_id=asked.interview_id), spent=spent)).data
        return next((each for each in listed if each.id == asked.candidate_id), None)
    question = str(getattr(asked, "question_id", ""))
    found, _ = await home_of(raw, question, homes, spent)
    return next((each for each in found.questions if each.id == question), None) if found else None


async def home_of(raw: AuralClient, question_id: str, homes: Homes, spent: Spent) -> tuple[InterviewDetail | None, int]:
    """The interview that has the question, else how many were looked through."""
    known = homes.of(raw.tenant, question_id)
    if known and (found := await _having(raw, known, question_id, homes, spent)):
        return found, 1
    listed = (await raw.call(ListInterviews(limit=100), spent=spent)).data
    for looked_at, row in enumerate(listed):
        left = await raw.remaining()
        if looked_at == MOST_REQUESTS or (left is not None and left < SPARE):
            return None, looked_at
        if (found := await _having(raw, row.id, question_id, homes, spent)) is not None:
            return found, looked_at
    return None, len(listed)


async def _having(
    raw: AuralClient, interview_id: str, question_id: str, homes: Homes, spent: Spent
) -> InterviewDetail | None:
    """The interview, if it has this question; whose all its questions are is remembered."""
    try:
        found = await raw.call(GetInterview(interview_id=interview_id), spent=spent)
    except NotFound:
        return None
    homes.note(raw.tenant, interview_id, found.questions)
    return found if any(each.id == question_id for each in found.questions) else None


# ── Texts ───────────────────────────────────────────────────────────────────────────────────────


def _meant(field: str, texts: Sequence[str], own: Sequence[str], others: Sequence[str]) -> list[str]:
    """What the texts of a field mean: those that come back whole, and the links in those that were rewritten.

    Args:
        own: the stored texts of the field.
        others: those of the whole row.
    """
    left, found = list(own), list[str | None]()
    for text in texts:
        alike = [each for each in left if inert(each) == text]
        _check_one(field, text, [each for each in own if inert(each) == text], texts.count(text))
        found.append(alike[0] if alike else None)
        if alike:
            left.remove(alike[0])
    rest = [text for text, whole in zip(texts, found, strict=True) if whole is None]
    for shown, originals in sorted({**_pieces(others), **_pieces(left)}.items(), key=lambda each: -len(each[0])):
        times = sum(text.count(shown) for text in rest)
        _check_one(field, shown, originals, times)
        meant = iter(originals if times == len(originals) else originals[:1] * times)
        rest = [re.sub(re.escape(shown), lambda _, meant=meant: next(meant), text) for text in rest]
    rewritten = iter(rest)
    result = [next(rewritten) if whole is None else whole for whole in found]
    strange = [each for text in result for each in STANDS_FOR.findall(text) if each not in "\n".join(others)]
    if strange:
        raise _unclear(field, f"{quoted(strange[0])}, which only stands for a link as it is shown")
    return result


def _check_one(field: str, shown: str, originals: Sequence[str], times: int) -> None:
    """Refuse what may stand for several links, unless all of them are there."""
    if times and len(set(originals)) > 1 and times != len(originals):
        raise _unclear(field, f"{quoted(shown)}, which stands for {len(originals)} links here")


def _unclear(field: str, why: str) -> BadRequest:
    return BadRequest(
        f"{to_camel(field)} says {why}.",
        "Write the address itself, or leave the field out: then it stays as it is.",
        status=400,
        code="BAD_REQUEST",
    )


def _pieces(texts: Sequence[str]) -> dict[str, list[str]]:
    """The words of texts that are shown differently, as they are shown, each with what it was."""
    found: dict[str, list[str]] = {}
    for word in (word.strip(AROUND) for text in texts for word in text.split()):
        if (shown := inert(word)) != word:
            found.setdefault(shown, []).append(word)
    return found


def _texts(value: Any) -> list[str]:
    """Every text in a value, in order."""
    found: list[str] = []
    _with(value, lambda text: found.append(text) or text)
    return found


def _with(value: Any, change: Callable[[str], str]) -> Any:
    """The value with every text in it changed, in order."""
    if isinstance(value, BaseModel):
        names = [name for name in type(value).model_fields if name in value.model_fields_set]
        return value.model_copy(update={name: _with(getattr(value, name), change) for name in names})
    if isinstance(value, list):
        return [_with(each, change) for each in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {change(name): _with(each, change) for name, each in cast("dict[str, Any]", value).items()}
    return change(value) if isinstance(value, str) else value

"""Practice with both averages, and usage in words: what the API's bare numbers leave open."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import MISSING, Field

from aural_mcp.api.models import Number, PracticeAttempt, Record, Usage
from aural_mcp.api.operations import GetPracticeReport, GetUsage, ListPracticeSessions, Whole
from aural_mcp.client.caller import Caller
from aural_mcp.client.client import Spent
from aural_mcp.tools.shape import brief, fitting, plain

OWN_ONLY = "Only practice of the key's owner is visible."
AVERAGE = "averageScore counts attempts without a score as 0; get_practice_report has the mean of the scored."
ZEROS = (
    "session_hours and ai_tokens are 0: Aural does not count them on a self-hosted deployment, and a local "
    "workspace counts only what happened in it."
)
OLD = (
    "These numbers can be old: Aural may go on answering what it counted first, to a revoked key too. Whether a key "
    "works, any other tool shows."
)
AverageScore = Annotated[Number | None, Field(description="0 to 10; attempts without a score count as 0.")]


class PracticeRow(Record):
    """A practice run as a table shows it."""

    id: str
    status: str = ""
    mode: str = ""
    started_at: str | None = None
    completed_at: str | None = None
    total_duration_seconds: int | None = None
    attempt_count: int = 0
    question_count: int = 0
    average_score: AverageScore = None
    best_score: Number | None = None


class PracticeTable(Record):
    """Practice runs, newest first."""

    data: list[PracticeRow]


class ListPracticeSessionsArguments(ListPracticeSessions):
    """The tool's arguments."""

    limit: Annotated[Annotated[int, Field(ge=1, le=200), Whole] | MISSING, Field(description="100 when omitted.")] = (
        MISSING
    )


async def list_practice_sessions(client: Caller, given: ListPracticeSessionsArguments, spent: Spent) -> PracticeTable:
    """Rows for a table; the mean of what was really scored needs the report of a run."""
    found = await client.call(plain(ListPracticeSessions, given), spent=spent)
    names = dict.fromkeys(PracticeRow.model_fields[name].alias or name for name in PracticeRow.model_fields)
    rows = [
        PracticeRow.model_validate(brief(each.model_dump(mode="json", by_alias=True), names)) for each in found.data
    ]
    remarks = [OWN_ONLY, *([AVERAGE] if any(row.average_score is not None for row in rows) else [])]
    return PracticeTable.model_validate({"data": [row.model_dump() for row in rows], "remarks": remarks})


class AttemptView(Record):
    """One answer with the question it belongs to."""

    id: str
    question: str | None = None
    answer_text: str | None = None
    score: Number | None = Field(default=None, description="0 to 10; null is not scored.")
    feedback: Any = None
    follow_up: Any = None
    audio_url: str | None = Field(default=None, description="Works for 24 hours.")


class PracticeView(Record):
    """A practice run with both averages."""

    id: str = ""
    interview_title: str = ""
    status: str = ""
    mode: str = ""
    timed: bool = False
    started_at: str | None = None
    completed_at: str | None = None
    total_duration_seconds: int | None = None
    average_score: AverageScore = None
    average_of_scored: Number | None = Field(default=None, description="The mean of the attempts that have a score.")
    scored_attempts: int = 0
    attempts: list[AttemptView] = []
    attempts_left_out: int | None = None
    questions_without_answer: list[str] = []


async def get_practice_report(client: Caller, given: GetPracticeReport, spent: Spent) -> PracticeView:
    """Answers beside their questions, and the mean with and without the attempts that nobody scored."""
    report = await client.call(given, spent=spent)
    texts = {each.id: each.text for each in report.questions}
    shown, _ = fitting([_attempt(each, texts) for each in report.attempts])
    answered = {each.question_id for each in report.attempts}
    left_out = len(report.attempts) - len(shown)
    view = {
        "id": given.practice_id,
        "interviewTitle": str(report.interview.get("title") or ""),
        **brief(report.session, dict.fromkeys(("status", "mode", "timed", "startedAt", "completedAt"))),
        **brief(report.session, {"totalDurationSeconds": None}),
        **_averages(report.attempts),
        "attempts": [each.model_dump(exclude_unset=True) for each in shown],
        **({"attemptsLeftOut": left_out} if left_out else {}),
        "questionsWithoutAnswer": [text for known, text in texts.items() if known not in answered],
    }
    return PracticeView.model_validate(view)


def _attempt(each: PracticeAttempt, texts: dict[str, str]) -> AttemptView:
    row = each.model_dump(mode="json", by_alias=True)
    fields = brief(row, dict.fromkeys(("id", "answerText", "score", "feedback", "followUp", "audioUrl")))
    return AttemptView.model_validate({**fields, "question": texts.get(each.question_id or "")})


def _averages(attempts: Sequence[PracticeAttempt]) -> dict[str, Any]:
    scores = [each.score for each in attempts if each.score is not None]
    return {
        "averageScore": round(sum(scores) / len(attempts), 2) if attempts else None,
        "averageOfScored": round(sum(scores) / len(scores), 2) if scores else None,
        "scoredAttempts": len(scores),
    }


async def get_usage(client: Caller, given: GetUsage, spent: Spent) -> Usage:
    """The counts as they come, what a zero means, and that they can be old where it is not said when they were made."""
    usage = await client.call(given, spent=spent)
    counted = [quota.used for quota in (usage.session_hours, usage.ai_tokens) if quota is not None]
    remarks = [*([ZEROS] if counted and not any(counted) else []), *([] if usage.counted_at else [OLD])]
    return Usage.model_validate({**usage.model_dump(exclude_unset=True), **({"remarks": remarks} if remarks else {})})

"""The tools that differ from their operation, and why: a list is a table, a transcript comes in pages.

Each may add arguments of its own, answer with a smaller model than the API, or add remarks to the answer;
the operation itself stays as it is.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, Literal, TypeVar, cast

from pydantic import MISSING, Field

from aural_mcp.client import AuralClient, Spent
from aural_mcp.errors import AuralError
from aural_mcp.models import (
    Candidate,
    Interview,
    Message,
    Published,
    Record,
    Session,
    SessionSummary,
    Wire,
)
from aural_mcp.operations import (
    AnyOperation,
    GetInterview,
    GetSession,
    ListCandidates,
    ListInterviews,
    ListSessions,
    Operation,
    PublishInterview,
    Text,
    Whole,
)
from aural_mcp.safety import outside

PAGE_BYTES = 30_000
"""What a page of a transcript may take, in text and as JSON each: a little under 8,000 tokens of 4 bytes."""
LEAST_TURNS_BYTES = 8_000
MOST_PAGES = 10
"""Requests that a filtered list may cost."""

O = TypeVar("O", bound=Operation[Any])  # noqa: E741  an operation
Detail = Annotated[Literal["summary", "full"], Field(description="`full` gives every field of each row; much longer.")]


@dataclass(frozen=True)
class Shape(Generic[O]):
    """How a tool differs: its arguments, its result, and how it gets one from the other."""

    arguments: type[O]
    result: type[Wire]
    run: Callable[[AuralClient, O, Spent], Awaitable[Record]]


# ── Lists ───────────────────────────────────────────────────────────────────────────────────────


class InterviewRow(Record):
    """An interview as a table shows it."""

    id: str
    title: str = ""
    state: str = Field(default="", description="public (by link), by invitation, or archived (takes nobody).")
    questions: int | None = None
    sessions: int | None = None
    updated_at: str = ""


class InterviewTable(Record):
    """Interviews, most recently changed first."""

    data: list[InterviewRow | Interview]
    cursor: str | None = Field(default=None, description="Continues the list; null at its end.")


class ListInterviewsArguments(ListInterviews):
    """The tool's arguments."""

    detail: Detail = "summary"


async def list_interviews(client: AuralClient, given: ListInterviewsArguments, spent: Spent) -> InterviewTable:
    """Rows that a person would put into a table: the API's have 34 fields, most of them settings."""
    page = await client.call(_plain(ListInterviews, given), spent=spent)
    rows = page.data if given.detail == "full" else [_interview_row(each) for each in page.data]
    return InterviewTable(data=list(rows), cursor=page.cursor)


def _interview_row(each: Interview) -> InterviewRow:
    state = "archived" if not each.is_active else "by invitation" if each.require_invite else "public"
    counts = {"questions": each.counts.questions, "sessions": each.counts.sessions} if each.counts else {}
    return InterviewRow(id=each.id, title=each.title, state=state, updated_at=each.updated_at, **counts)


class SessionRow(Record):
    """A session as a table shows it."""

    id: str
    status: str = ""
    participant_name: str | None = None
    participant_email: str | None = None
    turns: int | None = None
    overall_score: float | None = Field(default=None, description="Mean score, 1 to 10; null is not scored, never 0.")
    sentiment: str | None = None
    total_duration_seconds: int | None = None
    created_at: str = ""


class SessionTable(Record):
    """Sessions, newest first."""

    data: list[SessionRow | SessionSummary]
    cursor: str | None = Field(default=None, description="Continues the list; null at its end.")
    looked_at: int | None = Field(default=None, description="With status or name: how many sessions were looked at.")


class ListSessionsArguments(ListSessions):
    """The tool's arguments."""

    status: Annotated[Literal["IN_PROGRESS", "COMPLETED", "ABANDONED"] | MISSING, Field(description="Only these.")] = (
        MISSING
    )
    name: Annotated[Text | MISSING, Field(description="Only whose name or e-mail contains this.")] = MISSING
    detail: Detail = "summary"


async def list_sessions(client: AuralClient, given: ListSessionsArguments, spent: Spent) -> SessionTable:
    """Rows for a table, filtered here: the API has neither filter, search nor overall score."""
    if given.status is MISSING and given.name is MISSING:
        page = await client.call(_plain(ListSessions, given), spent=spent)
        return SessionTable(data=_session_rows(page.data, given.detail), cursor=page.cursor)
    wanted = 20 if given.limit is MISSING else given.limit
    found, looked_at, cursor = cast("list[SessionSummary]", []), 0, given.cursor
    for _ in range(MOST_PAGES):
        asked = _plain(ListSessions, given).model_copy(update={"limit": 100, "cursor": cursor})
        page = await client.call(asked, spent=spent)
        for row in page.data:
            looked_at += 1
            found += [row] if _matches(row, given) else []
            if len(found) == wanted:
                more = row.id if row is not page.data[-1] else page.cursor
                return SessionTable(data=_session_rows(found, given.detail), cursor=more, looked_at=looked_at)
        if page.cursor is None:
            return SessionTable(data=_session_rows(found, given.detail), looked_at=looked_at)
        cursor = page.cursor
    last = None if cursor is MISSING else cursor
    return SessionTable(data=_session_rows(found, given.detail), cursor=last, looked_at=looked_at)


def _matches(row: SessionSummary, given: ListSessionsArguments) -> bool:
    if given.status is not MISSING and row.status != given.status:
        return False
    people = f"{row.participant_name or ''}\n{row.participant_email or ''}".casefold()
    return given.name is MISSING or outside(given.name).strip().casefold() in people


def _session_rows(rows: Sequence[SessionSummary], detail: str) -> list[SessionRow | SessionSummary]:
    return list(rows) if detail == "full" else [_session_row(each) for each in rows]


def _session_row(each: SessionSummary) -> SessionRow:
    mood = each.sentiment.get("overall") if isinstance(each.sentiment, dict) else each.sentiment
    return SessionRow(
        id=each.id,
        status=each.status,
        participant_name=each.participant_name,
        participant_email=each.participant_email,
        turns=each.counts.messages if each.counts else None,
        overall_score=overall_score(each.insights),
        sentiment=mood if isinstance(mood, str) else None,
        total_duration_seconds=each.total_duration_seconds,
        created_at=each.created_at,
    )


def overall_score(insights: Any) -> float | None:
    """The mean of the question scores, else of the criteria scores, as Aural's dashboard shows it; None without any."""
    if not isinstance(insights, dict):
        return None
    for field in ("questionEvaluations", "criteriaEvaluations"):
        listed = cast("dict[str, Any]", insights).get(field)
        rows = cast("list[Any]", listed) if isinstance(listed, list) else []
        scores = [cast("dict[str, Any]", row).get("score") for row in rows if isinstance(row, dict)]
        known = [score for score in scores if isinstance(score, int | float) and not isinstance(score, bool)]
        if known:
            return round(sum(known) / len(known), 2)
    return None


class CandidateRow(Record):
    """A candidate as a table shows it, and what was asked for besides."""

    id: str
    name: str = ""
    email: str | None = None
    state: str = Field(default="", description="not begun, or begun: then sessionId is set.")
    session_id: str | None = None
    created_at: str = ""


class CandidateTable(Record):
    """Candidates, newest first."""

    data: list[CandidateRow]


class ListCandidatesArguments(ListCandidates):
    """The tool's arguments."""

    include: Annotated[
        list[
            Literal[
                "inviteUrl",
                "phone",
                "notes",
                "education",
                "school",
                "major",
                "workExperience",
                "gender",
                "birthday",
                "graduationYear",
            ]
        ],
        Field(description="More fields, only if the user asks for them; gender, birthday and year invite bias."),
    ] = []


async def list_candidates(client: AuralClient, given: ListCandidatesArguments, spent: Spent) -> CandidateTable:
    """Who is registered and has begun; what invites bias, and the links, only when asked for by name."""
    found = await client.call(_plain(ListCandidates, given), spent=spent)
    return CandidateTable(data=[_candidate_row(each, given.include, client.link_origin) for each in found.data])


def _candidate_row(each: Candidate, include: Sequence[str], origin: str) -> CandidateRow:
    fields = each.model_dump(by_alias=True)
    link = {"inviteUrl": f"{origin}/i/invite/{each.invite_token}"} if each.invite_token else {}
    more = {name: value for name, value in {**fields, **link}.items() if name in include}
    row = {name: fields[name] for name in ("id", "name", "email", "sessionId", "createdAt")}
    return CandidateRow.model_validate({**row, "state": "begun" if each.session_id else "not begun", **more})


# ── One session ─────────────────────────────────────────────────────────────────────────────────


class Turn(Message):
    """One turn with the number by which evidence names it."""

    turn: int


class SessionPage(Session):
    """A session with one page of its transcript."""

    messages: list[Turn] = []  # pyright: ignore[reportIncompatibleVariableOverride]  read only
    turns: int = Field(default=0, description="How many turns the whole transcript has.")
    next_turn: int | None = Field(default=None, description="Call again with fromTurn set to this; null at the end.")
    overall_score: float | None = Field(default=None, description="Mean score, 1 to 10; null is not scored, never 0.")


class GetSessionArguments(GetSession):
    """The tool's arguments."""

    from_turn: Annotated[int, Field(ge=1, le=2147483647), Whole, Field(description="First turn to read.")] = 1
    max_turns: Annotated[
        Annotated[int, Field(ge=1, le=1000), Whole] | MISSING, Field(description="At most; what fits when omitted.")
    ] = MISSING


async def get_session(client: AuralClient, given: GetSessionArguments, spent: Spent) -> SessionPage:
    """The transcript in pages: whole, an hour's interview is 30,000 tokens that nobody asked for at once."""
    session = await client.call(_plain(GetSession, given), spent=spent)
    turns = [Turn.model_validate({**each.model_dump(), "turn": n}) for n, each in enumerate(session.messages, 1)]
    head = {name: value for name, value in session.model_dump(exclude_unset=True).items() if name != "messages"}
    room = max(LEAST_TURNS_BYTES, PAGE_BYTES - _size(head))
    wanted = turns[given.from_turn - 1 :]
    page = _fitting(wanted if given.max_turns is MISSING else wanted[: given.max_turns], room, session.id)
    after = page[-1].turn + 1 if page else len(turns) + 1
    return SessionPage.model_validate(
        {
            **head,
            "messages": [each.model_dump() for each in page],
            "turns": len(turns),
            "nextTurn": after if after <= len(turns) else None,
            "overallScore": overall_score(session.insights),
        }
    )


def _fitting(turns: Sequence[Turn], room: int, session_id: str) -> list[Turn]:
    """As many turns as fit; one that is too long by itself is cut, and says where to read the whole."""
    page: list[Turn] = []
    for turn in turns:
        size = _turn_size(turn)
        if size > room and not page:
            rest = f" … (cut; the whole turn stands in aural://sessions/{session_id}/transcript)"
            return [turn.model_copy(update={"content": _cut(turn.content, room - 400) + rest})]
        room -= size
        if room < 0:
            break
        page.append(turn)
    return page


def _turn_size(turn: Turn) -> int:
    """The larger of what a turn takes as JSON and as quoted text."""
    quoted = len(turn.content.encode()) + 2 * turn.content.count("\n") + 80
    return max(_size(turn.model_dump()) + 2, quoted)


def _size(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))


def _cut(text: str, most: int) -> str:
    """The beginning of a text that takes at most so many bytes as JSON or as quoted text."""
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        part = text[:middle]
        fits = max(_size(part), len(part.encode("utf-8", "replace")) + 2 * part.count("\n")) <= most
        low, high = (middle, high) if fits else (low, middle - 1)
    return text[:low]


# ── Publishing ──────────────────────────────────────────────────────────────────────────────────

NO_QUESTIONS = "It has no questions yet: whoever opens the link is told to come back later. Add some: create_questions."
NO_CRITERIA = "It has no assessmentCriteria to score against. Add some: update_interview."


async def publish_interview(client: AuralClient, given: PublishInterview, spent: Spent) -> Published:
    """Publishes as asked, then says what is missing: the API publishes an empty interview without a word."""
    published = await client.call(given, spent=spent)
    try:
        interview = await client.call(GetInterview(interview_id=given.interview_id), spent=spent)
    except AuralError:
        return published
    missing = [] if interview.questions else [NO_QUESTIONS]
    missing += [] if interview.assessment_criteria else [NO_CRITERIA]
    return Published.model_validate({**published.model_dump(exclude_unset=True), "remarks": missing})


SHAPES: dict[AnyOperation, Shape[Any]] = {
    PublishInterview: Shape(PublishInterview, Published, publish_interview),
    ListInterviews: Shape(ListInterviewsArguments, InterviewTable, list_interviews),
    ListSessions: Shape(ListSessionsArguments, SessionTable, list_sessions),
    ListCandidates: Shape(ListCandidatesArguments, CandidateTable, list_candidates),
    GetSession: Shape(GetSessionArguments, SessionPage, get_session),
}


P = TypeVar("P", bound=Operation[Any])


def _plain(operation: type[P], given: Operation[Any]) -> P:
    """The operation with only its own arguments."""
    return operation.model_construct(**{name: getattr(given, name) for name in operation.model_fields})

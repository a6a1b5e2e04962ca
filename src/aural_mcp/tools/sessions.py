"""Sessions as a table with an overall score, and the end of sessions with a word on what will be written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from math import fsum, isfinite
from typing import Annotated, Any, Literal, cast, get_args

from pydantic import MISSING, Field

from aural_mcp.api.errors import AuralError
from aural_mcp.api.models import Decision, EndedSession, EndedSessions, Record, SessionSummary
from aural_mcp.api.operations import EndInterviewSessions, ListSessions, Text
from aural_mcp.client.caller import Caller
from aural_mcp.client.client import Spent
from aural_mcp.client.journal import Journal
from aural_mcp.tools.shape import Detail, contains, fitting, plain, said, search
from aural_mcp.tools.standing import OpenRequest, beside, decisions_of, person_since, requests_of

Status = Literal["IN_PROGRESS", "COMPLETED", "ABANDONED"]
STATUSES = get_args(Status)
EndedByTeam = Annotated[bool | None, Field(description="Ended by the team from here, not by the candidate.")]
AsksForPerson = Annotated[str, Field(description="Would rather speak with a person, since then.")]
PEOPLE_ASK = "{count} would rather speak with a person (asksForPerson): tell the user first."
REQUESTED = "{count} ask for their data, a correction or to be deleted (requests): tell the user."
ENDED_KEPT = 365 * 86_400.0
"""Seconds for which it is remembered that the team ended a session."""
OverallScore = Annotated[float | None, Field(description="Mean score, 1 to 10; null is not scored, never 0.")]


class SessionRow(Record):
    """A session as a table shows it."""

    id: str
    status: str = ""
    participant_name: str | None = None
    participant_email: str | None = None
    turns: int | None = None
    overall_score: OverallScore = None
    sentiment: str | None = None
    total_duration_seconds: int | None = None
    created_at: str = ""
    ended_by_team: EndedByTeam = None
    asks_for_person: AsksForPerson = ""
    requests: list[OpenRequest] = []
    decision: str = Field(default="", description="What a person decided, when, by whom.")


class SessionTable(Record):
    """Sessions: who asks for a person, then newest first."""

    data: list[SessionRow | SessionSummary]
    counted: dict[str, int] = Field(default={}, description="Of those looked at: how many of each status.")
    cursor: str | None = Field(default=None, description="Continues the list; null at its end.")
    looked_at: int = Field(default=0, description="With status or name: how many sessions were looked at.")


class ListSessionsArguments(ListSessions):
    """The tool's arguments."""

    status: Status | MISSING = MISSING
    name: Annotated[Text | MISSING, Field(description="A part of name or e-mail.")] = MISSING
    detail: Detail = "summary"


async def list_sessions(client: Caller, given: ListSessionsArguments, spent: Spent) -> SessionTable:
    """Rows for a table, filtered here: the API has neither filter, search nor overall score."""
    filtered = given.status is not MISSING or given.name is not MISSING
    asked = plain(ListSessions, given)
    counted: Counter[str] = Counter()

    def matches(row: SessionSummary) -> bool:
        counted[_status(row)] += 1
        return _matches(row, given)

    found = await search(client, asked, spent, matches if filtered else None)
    counted.update(() if filtered else map(_status, found.rows))
    rows, cursor = fitting(found.rows, found.cursor)
    asking = who_asks([*rows, *(await _asking_beyond(client, given, rows, spent) if found.cursor else ())])
    rows = asking + [row for row in rows if not person_since(row)]
    ended, decided = await ended_by_team(client, rows), await decisions_of(client, rows)
    shown = rows if given.detail == "full" else [_row(each, ended, decided.get(each.id)) for each in rows]
    looked_at = {"looked_at": found.looked_at} if filtered else {}
    more: dict[str, Any] = {**looked_at, **({"counted": dict(counted.most_common())} if counted else {})}
    wanting = sum(bool(requests_of(row)) for row in rows)
    told = [*([PEOPLE_ASK.format(count=len(asking))] if asking else [])]
    told += [REQUESTED.format(count=wanting)] if wanting else []
    more |= said(told)
    return SessionTable(data=list(shown), cursor=cursor, **more)


async def _asking_beyond(
    client: Caller, given: ListSessionsArguments, rows: Sequence[SessionSummary], spent: Spent
) -> list[SessionSummary]:
    """Who asks for a person and stands on a later page; looked for where that costs no budget."""
    if not client.raw.local or given.cursor is not MISSING or given.status is not MISSING or given.name is not MISSING:
        return []
    every, known = ListSessions(interview_id=given.interview_id, limit=100), {row.id for row in rows}
    found = await search(client, every, spent, lambda row: bool(person_since(row)))
    return [row for row in found.rows if row.id not in known]


def who_asks(rows: Sequence[SessionSummary]) -> list[SessionSummary]:
    """Those who would rather speak with a person, who asked first first."""
    return sorted(filter(person_since, rows), key=person_since)


def _status(row: SessionSummary) -> str:
    return row.status if row.status in STATUSES else "OTHER"


def _matches(row: SessionSummary, given: ListSessionsArguments) -> bool:
    if given.status is not MISSING and row.status != given.status:
        return False
    return given.name is MISSING or contains(given.name, row.participant_name, row.participant_email)


def _row(each: SessionSummary, ended: Collection[str], decision: Decision | None) -> SessionRow:
    mood = each.sentiment.get("overall") if isinstance(each.sentiment, dict) else each.sentiment
    marks: dict[str, Any] = {"ended_by_team": True} if each.id in ended else {}
    marks |= beside(each, decision)
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
        **marks,
    )


def overall_score(insights: Any) -> float | None:
    """The mean score as it is shown: rounded to hundredths; None without any."""
    mean = mean_score(insights)
    return None if mean is None else round(mean, 2)


def mean_score(insights: Any) -> float | None:
    """The mean of the question scores, else of the criteria scores, as Aural's dashboard has it; None without any."""
    for field in ("questionEvaluations", "criteriaEvaluations"):
        scores = [score for row in evaluations_in(insights, field) if (score := score_of(row)) is not None]
        if scores:
            return fsum(scores) / len(scores)
    return None


def evaluations_in(insights: Any, field: str) -> list[dict[str, Any]]:
    """The evaluations in an analysis; none where the deployment has it in another shape."""
    listed = cast("dict[str, Any]", insights).get(field) if isinstance(insights, dict) else None
    rows = cast("list[Any]", listed) if isinstance(listed, list) else []
    return [cast("dict[str, Any]", row) for row in rows if isinstance(row, dict)]


def score_of(evaluation: Mapping[str, Any] | None) -> float | None:
    """The score in an evaluation; None is not scored."""
    score = (evaluation or {}).get("score")
    known = isinstance(score, int | float) and not isinstance(score, bool) and isfinite(score)
    return score if known else None


# ── Ending sessions ─────────────────────────────────────────────────────────────────────────────


class EndedRow(EndedSession):
    """What became, or would become, of one session."""

    participant_name: str | None = None
    created_at: str | None = None
    turns: int | None = None


class EndedTable(EndedSessions):
    """The outcome, in the order asked for."""

    results: list[EndedRow] = []  # pyright: ignore[reportIncompatibleVariableOverride]  read only


async def end_interview_sessions(client: Caller, given: EndInterviewSessions, spent: Spent) -> EndedTable:
    """Ends them as asked; a dry run says who they are and what duration would be written."""
    outcome = await client.call(given, spent=spent)
    await _ended_here(client).note({each.id: True for each in outcome.results if each.status == "succeeded"})
    eligible = {each.id for each in outcome.results if each.status == "eligible"}
    known = await _known(client, given.interview_id, eligible, spent) if given.dry_run and eligible else {}
    rows = [_ended(each, known.get(each.id)) for each in outcome.results]
    longest = max((seconds_since(row.created_at) for row in rows), default=0)
    remarks = [DURATION.format(longest=duration(longest))] if longest else []
    if spent.lost and not given.dry_run and any(row.status == "skipped" for row in rows):
        remarks.append(ENDED_UNHEARD)
    return EndedTable.model_validate(
        {"dryRun": outcome.dry_run, "results": [row.model_dump(exclude_unset=True) for row in rows], "remarks": remarks}
    )


async def ended_by_team(client: Caller, rows: Sequence[SessionSummary]) -> Collection[str]:
    """Those of the sessions that were ended from here: Aural shows them as COMPLETED, as all others."""
    return await _ended_here(client).shown([row.id for row in rows if row.status == "COMPLETED"])


def _ended_here(client: Caller) -> Journal:
    return Journal(client, "ended", ENDED_KEPT)


ENDED_UNHEARD = (
    "The first answer of Aural was lost and the call was made again: what is skipped here because it is not in "
    "progress may just have been ended by this call."
)
DURATION = (
    "Aural counts as duration the time from the first turn until the session is ended, idle time too: {longest} for "
    "the longest of these; a local workspace counts to the last turn."
)


async def _known(client: Caller, interview_id: str, wanted: set[str], spent: Spent) -> dict[str, SessionSummary]:
    """The list's rows of these sessions, as far as they are found."""
    operation = ListSessions(interview_id=interview_id, limit=min(100, len(wanted)))
    try:
        found = await search(client, operation, spent, lambda row: row.id in wanted)
    except AuralError:
        return {}
    return {row.id: row for row in found.rows}


def _ended(each: EndedSession, row: SessionSummary | None) -> EndedRow:
    fields = each.model_dump(mode="json", by_alias=True, exclude_unset=True)
    if row is not None:
        fields |= {"participantName": row.participant_name, "createdAt": row.created_at}
        fields |= {"turns": row.counts.messages} if row.counts else {}
    return EndedRow.model_validate(fields)


def seconds_since(moment: str | None) -> int:
    """Whole seconds since a moment: what Aural records as duration when a session is ended; 0 where nobody can tell."""
    try:
        return max(0, int((datetime.now(UTC) - datetime.fromisoformat(moment or "")).total_seconds()))
    except (ValueError, TypeError):
        return 0


def duration(seconds: int) -> str:
    """Seconds in the two units that matter, e.g. `61 d 3 h`."""
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if days:
        return f"{days} d {hours % 24} h"
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes} min"

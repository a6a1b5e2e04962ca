"""What sessions and candidates looked like when they were last seen, and what follows from how they look now."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from sqlalchemy import Connection, insert, select, update

from aural_mcp.api.models import Candidate, SessionSummary
from aural_mcp.events.outbox import ABANDONED, COMPLETED, REGISTERED, SCORED, STARTED, Happened, seen

WATCH, INTERVIEW, SESSION, CANDIDATE = "watch", "interview", "session", "candidate"
GONE = "GONE"
SCORING = 3_600.0
"""Seconds after its end for which a session is likely to be scored."""
ENDS = {"COMPLETED": COMPLETED, "ABANDONED": ABANDONED}

Looks = dict[str, Any]


def begin(db: Connection, scope: str, interviews: Sequence[str], *, since: float) -> None:
    """Note which interviews are watched; of those that are there at the first look only what came later is told.

    Args:
        scope: whose first look it is; interviews that are named have one each.
        since: when watching began, by the backend's clock: each interview is looked at some time after that.
    """
    known = _looks(db, INTERVIEW)
    is_first = scope.endswith(" only") or not _looks(db, WATCH, scope)
    state = {"sessions": since, "candidates": since} if is_first and since > -math.inf else {}
    for each in interviews:
        if each not in known:
            _save(db, INTERVIEW, each, each, state, is_new=True)
    if scope not in _looks(db, WATCH, scope):
        _save(db, WATCH, scope, "", {}, is_new=True)


def has_begun(db: Connection, scope: str) -> bool:
    """Whether somebody has looked which interviews there are."""
    return scope in _looks(db, WATCH, scope)


@dataclass(frozen=True)
class Known:
    """The sessions of an interview as they were last seen."""

    sessions: Mapping[str, Looks]
    never_looked: bool

    def is_enough(self, rows: Sequence[SessionSummary]) -> bool:
        """Whether these, the newest, are all that is likely to have changed."""
        there = {row.id for row in rows}
        still_open = {name for name, looks in self.sessions.items() if looks["status"] == "IN_PROGRESS"}
        return rows[-1].id in self.sessions and still_open <= there


def of_sessions(db: Connection, interview: str) -> Known:
    """The sessions of an interview as they were last seen."""
    found = select(seen.c.id, seen.c.looks).where(seen.c.kind == SESSION, seen.c.interview == interview)
    sessions = {row.id: row.looks for row in db.execute(found)}
    return Known(sessions, never_looked=not sessions)


def is_hot(row: SessionSummary, before: Looks | None, now: float) -> bool:
    """Whether a session is likely to change soon: it is going on, or has just ended and is not scored."""
    if row.status == "IN_PROGRESS":
        return True
    ended = before["at"] if before and before["status"] == row.status else now
    return row.status == "COMPLETED" and _score(row) is None and now - ended < SCORING


def sessions(
    db: Connection, interview: str, rows: Sequence[SessionSummary], *, whole: bool, now: float
) -> list[Happened]:
    """Write down how sessions look now; the answer is what happened to them. `whole`: there are no others."""
    known, since = of_sessions(db, interview).sessions, _told_from(db, interview, "sessions")
    linked = select(seen.c.session, seen.c.id).where(seen.c.kind == CANDIDATE, seen.c.interview == interview)
    people = {row.session: row.id for row in db.execute(linked) if row.session}
    happened: list[Happened] = []
    for row in rows:
        before = known.get(row.id)
        was_told = before or _at(row, since)
        happened += _happened(interview, row, was_told, people.get(row.id), now)
        status = row.status if row.status in (*ENDS, "IN_PROGRESS") else was_told["status"]
        score = _score(row) or was_told["score"]
        if before is None or (before["status"], before["score"]) != (status, score):
            at = before["at"] if before and before["status"] == status else now
            _save(db, SESSION, row.id, interview, {"status": status, "score": score, "at": at}, is_new=before is None)
    there = {row.id for row in rows}
    for name, looks in known.items() if whole else ():
        if name not in there and looks["status"] == "IN_PROGRESS":
            _save(db, SESSION, name, interview, {**looks, "status": GONE}, is_new=False)
    return happened


def candidates(db: Connection, interview: str, rows: Sequence[Candidate], *, now: float) -> list[Happened]:
    """Write down who is registered now; the answer is who is new."""
    listed = select(seen.c.id, seen.c.session).where(seen.c.kind == CANDIDATE, seen.c.interview == interview)
    known = {row.id: row.session for row in db.execute(listed)}
    since = _told_from(db, interview, "candidates")
    for row in rows:
        if row.id not in known or known[row.id] != row.session_id:
            _save(db, CANDIDATE, row.id, interview, {}, session=row.session_id, is_new=row.id not in known)
    new = [row for row in rows if row.id not in known and _is_later(row.created_at, since)]
    return [
        Happened(REGISTERED, interview, _time(row.created_at, now), "REGISTERED", row.session_id, row.id) for row in new
    ]


def _happened(interview: str, row: SessionSummary, before: Looks, candidate: str | None, now: float) -> list[Happened]:
    def one(kind: str, at: str, status: str = row.status) -> Happened:
        return Happened(kind, interview, _time(at, now), status, row.id, candidate)

    found = [one(STARTED, row.created_at, "IN_PROGRESS")] if before["status"] is None else []
    if row.status in ENDS and row.status != before["status"]:
        found.append(one(ENDS[row.status], row.updated_at))
    if (score := _score(row)) and score != before["score"]:
        found.append(one(SCORED, row.updated_at))
    return found


def _score(row: SessionSummary) -> str | None:
    """What tells one analysis of a session from another; None without one."""
    if not row.insights:
        return None
    scored_by: Any = row.insights.get("scoredBy") if isinstance(row.insights, dict) else None
    return str(cast("Looks", scored_by).get("at", "scored")) if isinstance(scored_by, dict) else "scored"


def _told_from(db: Connection, interview: str, what: str) -> float:
    """From what time on what was not seen before is told; from now on, whatever its time."""
    state = _looks(db, INTERVIEW, interview).get(interview, {})
    since = state.get(what, True)
    if since is True:
        return -math.inf
    _save(db, INTERVIEW, interview, interview, {**state, what: True}, is_new=False)
    return since or math.inf  # false, where an earlier version did not write the time down


def _at(row: SessionSummary, since: float) -> Looks:
    """How a session looked at a time before it was first seen, as far as its times tell."""
    if _is_later(row.created_at, since):
        return {"status": None, "score": None}
    if not _is_later(row.updated_at, since):
        return {"status": row.status, "score": _score(row)}
    is_scored, took = _score(row) is not None, row.total_duration_seconds or 0
    ended = row.status == "COMPLETED" and (not is_scored or _is_later(row.created_at, since - took))
    return {"status": "IN_PROGRESS" if ended else row.status, "score": None}


def _is_later(text: str, since: float) -> bool:
    """Whether a time of the backend is later; one that cannot be read is where nothing is left out."""
    try:
        return since == -math.inf or datetime.fromisoformat(text).timestamp() > since
    except ValueError:
        return False


def _looks(db: Connection, kind: str, identifier: str | None = None) -> dict[str, Looks]:
    found = select(seen.c.id, seen.c.looks).where(seen.c.kind == kind)
    if identifier is not None:
        found = found.where(seen.c.id == identifier)
    return {row.id: row.looks for row in db.execute(found)}


def _save(
    db: Connection,
    kind: str,
    identifier: str,
    interview: str,
    looks: Looks,
    *,
    is_new: bool,
    session: str | None = None,
) -> None:
    if is_new:
        row = {"kind": kind, "id": identifier, "interview": interview, "looks": looks, "session": session}
        db.execute(insert(seen).values(row))
    else:
        this = seen.c.kind == kind, seen.c.id == identifier
        db.execute(update(seen).where(*this).values(looks=looks, session=session))


def _time(text: str, now: float) -> str:
    """The backend's time, or this moment where it cannot be read."""
    try:
        if datetime.fromisoformat(text).tzinfo is not None:
            return text
    except ValueError:
        pass
    return datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds")

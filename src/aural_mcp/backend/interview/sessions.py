"""The life of a session: in progress, abandoned, completed; how long it took, and what time it has left."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from sqlalchemy import Connection, select, update

from aural_mcp.backend.storage.store import PERSON, Row, Store, now, rows, seconds_between, turns_of
from aural_mcp.backend.storage.tables import conducted, requests, sessions, stamp_of, stamp_text
from aural_mcp.backend.webhooks import note_session
from aural_mcp.events.outbox import ABANDONED, COMPLETED

IDLE = timedelta(minutes=60)
"""Without a word for so long a session counts as abandoned, and such a pause does not count as time taken."""
AT_ONCE = 200
"""Sessions that are marked in one transaction."""
NO_GRACE = timedelta(0)
GRACE = timedelta(seconds=20)
"""How long after its time an answer is still taken: it was on its way."""


def complete(db: Connection, session: Row) -> Row:
    """End a session: it began with its first turn and took as long as its turns did, long pauses left out."""
    turns = turns_of(db, session["id"], "timestamp")
    started = turns[0]["timestamp"] if turns else session["startedAt"]
    moment = now()
    changes = {
        "status": "COMPLETED",
        "completedAt": moment,
        "startedAt": started,
        "totalDurationSeconds": active_seconds([turn["timestamp"] for turn in turns]),
    }
    db.execute(update(sessions).where(sessions.c.id == session["id"]).values(**changes, updatedAt=moment))
    note_session(db, COMPLETED, session | changes, at=moment)
    return session | changes


def active_seconds(times: Sequence[str]) -> int:
    """Whole seconds from the first time to the last, pauses longer than `IDLE` left out."""
    gaps = [seconds_between(earlier, later) for earlier, later in pairwise(times)]
    if all(gap <= IDLE.total_seconds() for gap in gaps):
        return seconds_between(times[0], times[-1]) if times else 0
    return sum(gap for gap in gaps if gap <= IDLE.total_seconds())


def idle_sessions(db: Connection, among: Sequence[str] | None = None) -> list[Row]:
    """The sessions conducted here in which nobody has said anything for `IDLE`; imported ones are left as they are.

    Who waits for a person they asked for is not idle.
    """
    before = stamp_text(stamp_of(datetime.now(UTC) - IDLE))
    wish = requests.c.sessionId == sessions.c.id, requests.c.kind == PERSON, requests.c.closedAt.is_(None)
    waits = select(requests.c.id).where(*wish).exists()
    quiet = sessions.c.status == "IN_PROGRESS", sessions.c.lastActivityAt < before, ~waits
    found = select(sessions.c.id, sessions.c.interviewId).join(conducted).where(*quiet)
    return rows(db, found if among is None else found.where(sessions.c.id.in_(among)))


def sweep(store: Store) -> None:
    """Mark the sessions as abandoned in which nothing has happened for long; opening their link revives them.

    One in which something happens just now is left for the next time, also what another process marks.
    """
    with store.reading() as db:
        idle = [(row["interviewId"], row["id"]) for row in idle_sessions(db)]
    for first in range(0, len(idle), AT_ONCE):
        with store.writing_free(idle[first : first + AT_ONCE]) as (db, free):
            _abandon(db, idle_sessions(db, [session for _, session in free]))


def _abandon(db: Connection, idle: Sequence[Row]) -> None:
    changes = {"status": "ABANDONED", "updatedAt": now()}
    db.execute(update(sessions).where(sessions.c.id.in_([row["id"] for row in idle])).values(changes))
    for row in idle:
        note_session(db, ABANDONED, row | changes, at=changes["updatedAt"])


def revive(db: Connection, session: Row) -> Row:
    """Take an abandoned session up again."""
    moment = now()
    changes = {"status": "IN_PROGRESS", "lastActivityAt": moment, "updatedAt": moment}
    db.execute(update(sessions).where(sessions.c.id == session["id"]).values(changes))
    return session | changes


def session_ends(interview: Row, session: Row, asked: Sequence[Row] = ()) -> datetime | None:
    """When the interview's time is over for this candidate; None without a limit.

    Args:
        asked: their requests: while somebody waits for a person, no clock runs.
    """
    minutes = interview["timeLimitMinutes"]
    return _ends(session["startedAt"], timedelta(minutes=minutes), asked) if minutes else None


def question_ends(question: Row | None, turns: Sequence[Row], asked: Sequence[Row] = ()) -> datetime | None:
    """When the time for the open question is over, its follow-ups included; None without a limit."""
    if question is None or not question["timeLimitSeconds"]:
        return None
    said = [turn["timestamp"] for turn in turns if turn["questionId"] == question["id"]]
    return _ends(said[0], timedelta(seconds=question["timeLimitSeconds"]), asked) if said else None


def waited(asked: Sequence[Row]) -> list[tuple[str, str | None]]:
    """From when until when somebody waited for a person, and to be back on the page; None for who still waits."""
    return [(each["at"], each["resumedAt"]) for each in asked if each["kind"] == PERSON]


def _ends(begun: str, limit: timedelta, asked: Sequence[Row]) -> datetime:
    """So long after the beginning, and as much later as no clock ran since."""
    start, moment = datetime.fromisoformat(begun), datetime.now(UTC)
    stood = timedelta(0)
    for since, until in waited(asked):
        end = datetime.fromisoformat(until) if until else moment
        stood += max(timedelta(0), end - max(start, datetime.fromisoformat(since)))
    return start + limit + stood


def is_over(end: datetime | None, *, grace: timedelta = GRACE) -> bool:
    """Whether a time has passed, and the grace after it."""
    return end is not None and datetime.now(UTC) > end + grace


def seconds_left(end: datetime) -> int:
    """Whole seconds until then, rounded up; 0 when it has passed."""
    return max(0, math.ceil((end - datetime.now(UTC)).total_seconds()))

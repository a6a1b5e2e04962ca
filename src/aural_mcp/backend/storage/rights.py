"""What stands beside a session that Aural knows nothing of: what the candidate was told and asks, what was decided."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Select, Table, func, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as insert_new  # SQLite's is written alike

from aural_mcp.api.decisions import ADVERSE
from aural_mcp.backend.storage.store import PERSON, Row, new_id, now, one, rows
from aural_mcp.backend.storage.tables import (
    ASKS,
    agreements,
    candidates,
    decisions,
    interviews,
    notices,
    requests,
    sessions,
)

DATA, CORRECT, DELETE = "data", "correct", "delete"
"""What a candidate can ask of the team besides a person."""


def beside_sessions(db: Connection, found: Sequence[Row]) -> dict[str, Row]:
    """By the id of each of these sessions: open requests and the latest decision, each only where there is one."""
    ids = [row["id"] for row in found]
    told = {row["id"]: {"asksForPerson": row[ASKS]} if row[ASKS] else Row() for row in found}
    begun = {row["id"]: row["sessionId"] for row in _invited(db, ids)}
    asked = [*_of(db, requests, "sessionId", ids), *_of(db, requests, "candidateId", [*begun])]
    for request in sorted(asked, key=lambda row: row["at"]):
        if request["closedAt"] is None:
            whose = request["sessionId"] or begun[request["candidateId"]]
            told[whose].setdefault("requests", []).append(_request(request))
    for decision in _of(db, decisions, "sessionId", ids):
        told[decision["sessionId"]]["decision"] = shown_decision(decision)
    return told


def _invited(db: Connection, ids: Sequence[str]) -> list[Row]:
    """The registered people of these sessions, who may have asked for something before they began."""
    mine = select(candidates.c.id, candidates.c.sessionId).where(candidates.c.sessionId.in_(ids))
    return rows(db, mine) if ids else []


def beside_candidates(db: Connection, found: Sequence[Row]) -> dict[str, Row]:
    """The open requests of these candidates, who had no session when they asked."""
    ids = [row["id"] for row in found]
    told: dict[str, Row] = {each: {} for each in ids}
    for request in _of(db, requests, "candidateId", ids):
        if request["closedAt"] is None:
            told[request["candidateId"]].setdefault("requests", []).append(_request(request))
    return told


def notice_of(db: Connection, session_id: str) -> Row | None:
    """What the candidate of a session was told, word for word, and agreed to."""
    joined = select(notices.c.version, notices.c.language, agreements.c.at, notices.c.text, agreements.c.agreed)
    mine = joined.join(agreements, agreements.c.notice == notices.c.digest)
    return one(db, mine.where(agreements.c.sessionId == session_id))


def keep_notice(db: Connection, session_id: str, notice: Row, agreed: str) -> None:
    """Store what the candidate of a session was told and agreed to; a text that many were told is there once."""
    db.execute(insert_new(notices).values(notice).on_conflict_do_nothing())
    told = {"sessionId": session_id, "notice": notice["digest"], "agreed": agreed, "at": now()}
    db.execute(insert(agreements).values(told))


def keep_decision(db: Connection, session_id: str, made: Row) -> Row:
    """Store a decision beside the earlier ones; as it is shown."""
    row = {"id": new_id(), "sessionId": session_id, **made, "at": now(), "explainedAt": None}
    db.execute(insert(decisions).values(row))
    return shown_decision(row)


def shown_decision(row: Row) -> Row:
    """A decision as the API gives it."""
    return {name: value for name, value in row.items() if name != "sessionId" and value is not None}


# ── What candidates ask of the team ─────────────────────────────────────────────────────────────


def requests_of(db: Connection, session: Row | None, candidate: Row | None) -> list[Row]:
    """Everything that somebody asked of the team, closed or not, earliest first."""
    whose = (("sessionId", session), ("candidateId", candidate))
    mine = [requests.c[column] == row["id"] for column, row in whose if row]
    return rows(db, select(requests).where(or_(*mine)).order_by(requests.c["at"], requests.c.id)) if mine else []


def waits_for_person(db: Connection, session_id: str) -> Row | None:
    """The open request of the candidate of a session to speak with a person."""
    mine = requests.c.sessionId == session_id, requests.c.kind == PERSON, requests.c.closedAt.is_(None)
    return one(db, select(requests).where(*mine))


def every_open_request(db: Connection) -> list[Row]:
    """What is asked and nobody has closed, earliest first, each with who asks (`name`, `email`) and the `title`."""
    asked = requests.outerjoin(sessions, sessions.c.id == requests.c.sessionId)
    asked = asked.outerjoin(candidates, candidates.c.id == requests.c.candidateId)
    asked = asked.join(interviews, interviews.c.id == requests.c.interviewId)
    who = (
        func.coalesce(sessions.c.participantName, candidates.c.name, "").label("name"),
        func.coalesce(sessions.c.participantEmail, candidates.c.email, "").label("email"),
        interviews.c.title,
    )
    found = select(requests, *who).select_from(asked).where(requests.c.closedAt.is_(None))
    return rows(db, found.order_by(requests.c["at"], requests.c.id))


def owed_explanations(db: Connection, days: int) -> list[Row]:
    """The decisions that hold, are against somebody and were not explained yet, with `due`, who and the `title`."""
    joined = decisions.join(sessions, sessions.c.id == decisions.c.sessionId)
    joined = joined.join(interviews, interviews.c.id == sessions.c.interviewId)
    who = sessions.c.participantName.label("name"), sessions.c.participantEmail.label("email"), interviews.c.title
    latest = latest_of(db, select(decisions, *who).select_from(joined))
    owed = [row for row in latest.values() if is_owed(row)]
    return [row | {"due": _later(row["at"], days)} for row in sorted(owed, key=lambda row: row["at"])]


def latest_of(db: Connection, query: Select[Any] = select(decisions)) -> dict[str, Row]:  # noqa: B008  a constant
    """The decision that holds, by session, of those that a query gives."""
    found = rows(db, query.order_by(decisions.c["at"], decisions.c.id))
    return {row["sessionId"]: row for row in found}


def is_owed(decision: Row) -> bool:
    """Whether a decision that holds is against somebody and was not explained yet."""
    return decision["decision"] in ADVERSE and decision["explainedAt"] is None


def waiting_in(db: Connection, ids: Sequence[str]) -> Counter[str]:
    """How many wait for the team, by interview: for a person, for an answer to a request, for an explanation."""
    wished, asked = sessions.c.interviewId, requests.c.interviewId
    latest = select(wished, decisions).join(decisions, decisions.c.sessionId == sessions.c.id).where(wished.in_(ids))
    owed = [row["interviewId"] for row in latest_of(db, latest).values() if is_owed(row)]
    others = select(asked).where(asked.in_(ids), requests.c.closedAt.is_(None), requests.c.kind != PERSON)
    persons = select(wished).where(wished.in_(ids), sessions.c[ASKS].is_not(None))
    return Counter([*owed, *db.execute(others).scalars(), *db.execute(persons).scalars()])


def closed_request(db: Connection, beginning: str) -> Row | None:
    """The closed request whose id begins so."""
    return one(
        db,
        select(requests).where(requests.c.id.startswith(beginning, autoescape=True), requests.c.closedAt.is_not(None)),
    )


def close_request(db: Connection, request: Row, by: str) -> bool:
    """Note who closed a request and when; who waited for a person may go on. False: it was closed meanwhile."""
    moment = now()
    still = requests.c.id == request["id"], requests.c.closedAt.is_(None)
    if not db.execute(update(requests).where(*still).values(closedAt=moment, closedBy=by)).rowcount:
        return False
    if request["kind"] == PERSON:
        mine = sessions.c.id == request["sessionId"]
        db.execute(update(sessions).where(mine).values({ASKS: None, "updatedAt": moment}))
        running = mine, sessions.c.status == "IN_PROGRESS"
        db.execute(update(sessions).where(*running).values(lastActivityAt=moment))
    return True


def note_explained(db: Connection, decision_id: str) -> bool:
    """Note that somebody was told why; False: that was noted meanwhile."""
    still = decisions.c.id == decision_id, decisions.c.explainedAt.is_(None)
    return db.execute(update(decisions).where(*still).values(explainedAt=now())).rowcount > 0


def _later(at: str, days: int) -> str:
    return (datetime.fromisoformat(at) + timedelta(days=days)).isoformat()


def _request(row: Row) -> Row:
    return {name: row[name] for name in ("id", "kind", "text", "at")}


def _of(db: Connection, table: Table, column: str, ids: Sequence[Any]) -> list[Row]:
    """The rows of these parents, earliest first."""
    mine = select(table).where(table.c[column].in_(ids)).order_by(table.c["at"], table.c["id"])
    return rows(db, mine) if ids else []

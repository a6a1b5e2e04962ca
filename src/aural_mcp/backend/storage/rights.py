"""What stands beside a session that Aural knows nothing of: what the candidate was told and asks, what was decided."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Table, insert, select

from aural_mcp.backend.storage.store import Row, new_id, now, one, rows
from aural_mcp.backend.storage.tables import ASKS, agreements, decisions, notices, requests

PERSON = "person"
KINDS = (PERSON, "data", "correct", "delete")
"""What a candidate can ask of the team."""


def beside_sessions(db: Connection, found: Sequence[Row]) -> dict[str, Row]:
    """By the id of each of these sessions: open requests and the latest decision, each only where there is one."""
    ids = [row["id"] for row in found]
    told = {row["id"]: {"asksForPerson": row[ASKS]} if row[ASKS] else Row() for row in found}
    for request in _of(db, requests, "sessionId", ids):
        if request["closedAt"] is None:
            told[request["sessionId"]].setdefault("requests", []).append(_request(request))
    for decision in _of(db, decisions, "sessionId", ids):
        told[decision["sessionId"]]["decision"] = shown_decision(decision)
    return told


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


def keep_decision(db: Connection, session_id: str, made: Row) -> Row:
    """Store a decision beside the earlier ones; as it is shown."""
    row = {"id": new_id(), "sessionId": session_id, **made, "at": now(), "explainedAt": None}
    db.execute(insert(decisions).values(row))
    return shown_decision(row)


def shown_decision(row: Row) -> Row:
    """A decision as the API gives it."""
    return {name: value for name, value in row.items() if name != "sessionId" and value is not None}


def _request(row: Row) -> Row:
    return {name: row[name] for name in ("id", "kind", "text", "at")}


def _of(db: Connection, table: Table, column: str, ids: Sequence[Any]) -> list[Row]:
    """The rows of these parents, earliest first."""
    mine = select(table).where(table.c[column].in_(ids)).order_by(table.c["at"], table.c["id"])
    return rows(db, mine) if ids else []

"""The outbox: what happened, written in the transaction in which it was done or seen, and what became of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Connection,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    delete,
    func,
    insert,
    select,
    update,
)

STARTED, COMPLETED, ABANDONED = "session.started", "session.completed", "session.abandoned"
SCORED, REGISTERED = "session.scored", "candidate.registered"
REQUESTED = {
    "person": "session.person_requested",
    "data": "session.data_requested",
    "correct": "session.correction_requested",
    "delete": "session.deletion_requested",
}
"""What it is called when somebody asks something of the team, by the kind of the request."""
TYPES = (STARTED, COMPLETED, ABANDONED, SCORED, REGISTERED, *REQUESTED.values())
PENDING, DELIVERED, PARKED = "pending", "delivered", "parked"

metadata = MetaData()
seen = Table(  # what each interview, session and candidate looked like when it was last polled
    "aural_mcp_seen",
    metadata,
    Column("kind", String, primary_key=True),
    Column("id", String, primary_key=True),
    Column("interview", String, nullable=False, index=True),
    Column("session", String, index=True),
    Column("looks", JSON, nullable=False),
)
events = Table(
    "aural_mcp_events",
    metadata,
    Column("id", String, primary_key=True),
    Column("type", String, nullable=False),
    Column("payload", Text, nullable=False),
)
endpoints = Table(  # the secret is null where a file of the operator's holds it
    "aural_mcp_endpoints",
    metadata,
    Column("id", String, primary_key=True),
    Column("url", Text, nullable=False),
    Column("secret", String),
    Column("allow", JSON, nullable=False),
    Column("made", Double, nullable=False),
)
deliveries = Table(
    "aural_mcp_deliveries",
    metadata,
    Column("event", String, ForeignKey("aural_mcp_events.id", ondelete="CASCADE"), primary_key=True),
    Column("endpoint", String, ForeignKey("aural_mcp_endpoints.id", ondelete="CASCADE"), primary_key=True),
    Column("state", String, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_at", Double, nullable=False),
    Column("last_error", String),
    Index("aural_mcp_deliveries_due", "endpoint", "state", "next_at"),
)
leases = Table(  # by which a process of an earlier version keeps all work for itself
    "aural_mcp_leases",
    metadata,
    Column("name", String, primary_key=True),
    Column("holder", String, nullable=False),
    Column("until", Double, nullable=False),
)
processes = Table(  # that share the work of a kind; what one held is free when its row goes
    "aural_mcp_processes",
    metadata,
    Column("name", String, primary_key=True),
    Column("kind", String, nullable=False),
    Column("plan", String, nullable=False),
    Column("requests", Integer, nullable=False),
    Column("place", String, nullable=False),
    Column("until", Double, nullable=False),
)
claims = Table(  # which delivery is on its way, and by whom
    "aural_mcp_claims",
    metadata,
    Column("event", String, primary_key=True),
    Column("endpoint", String, primary_key=True),
    Column("holder", String, ForeignKey("aural_mcp_processes.name", ondelete="CASCADE"), nullable=False, index=True),
    ForeignKeyConstraint(
        ["event", "endpoint"], ["aural_mcp_deliveries.event", "aural_mcp_deliveries.endpoint"], ondelete="CASCADE"
    ),
)
watched = Table(  # interviews, and as "" the list of them: who looks at each, in which turn, and when that was
    "aural_mcp_watched",
    metadata,
    Column("id", String, primary_key=True),
    Column("holder", String, ForeignKey("aural_mcp_processes.name", ondelete="SET NULL"), index=True),
    Column("turn", Integer, nullable=False),
    Column("sessions", Integer),
    Column("is_active", Boolean, nullable=False),
    Column("sessions_at", Double, nullable=False),
    Column("candidates_at", Double, nullable=False),
    Column("full_at", Double, nullable=False),
)


def make_tables(db: Connection) -> None:
    """Make the tables that are not there."""
    metadata.create_all(db)


@dataclass(frozen=True)
class Happened:
    """Something that happened to a session or a candidate; `at` is when, as the backend says it."""

    type: str
    interview: str
    at: str
    status: str
    session: str | None = None
    candidate: str | None = None

    @property
    def payload(self) -> str:
        """The body as it is sent: ids, status and times, nothing that anybody said or is called."""
        ids = {"interviewId": self.interview, "sessionId": self.session, "candidateId": self.candidate}
        data = {name: value for name, value in ids.items() if value} | {"status": self.status, "at": self.at}
        return json.dumps({"type": self.type, "timestamp": self.at, "data": data}, separators=(",", ":"))


@dataclass(frozen=True)
class Delivery:
    """One event on its way to one endpoint, and how often that was tried."""

    event: str
    type: str
    payload: str
    attempts: int


def is_listened_to(db: Connection) -> bool:
    """Whether there is an endpoint."""
    return db.execute(select(endpoints.c.id).limit(1)).first() is not None


def note(db: Connection, happened: Sequence[Happened], *, now: float, to: Sequence[str] | None = None) -> int:
    """Write down what happened, for these endpoints or all there are; the answer is how many of them were new.

    Without an endpoint nothing is kept.
    """
    if not happened:
        return 0
    listening, new = db.execute(select(endpoints.c.id)).scalars().all() if to is None else to, 0
    for each in happened if listening else ():
        if (identifier := _free_id(db, each)) is None:
            continue
        new += 1
        db.execute(insert(events).values(id=identifier, type=each.type, payload=each.payload))
        first = {"event": identifier, "state": PENDING, "attempts": 0, "next_at": now}
        db.execute(insert(deliveries), [{**first, "endpoint": endpoint} for endpoint in listening])
    return new


def _free_id(db: Connection, happened: Happened) -> str | None:
    """The id that follows from what happened; from when, too, where it happened to the same one before."""
    what = f"{happened.type} {happened.session or happened.candidate}"
    for text in (what, f"{what} {happened.at}"):
        identifier = "msg_" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        found = db.execute(select(events.c.payload).where(events.c.id == identifier)).scalar()
        if found is None:
            return identifier
        if json.loads(found)["timestamp"] == happened.at:
            return None
    return None


# ── Delivery ────────────────────────────────────────────────────────────────────────────────────


def due(db: Connection, endpoint: str, now: float, most: int) -> list[Delivery]:
    """What an endpoint should be sent now, longest due first."""
    column = deliveries.c
    wanted = select(column.event, events.c.type, events.c.payload, column.attempts).join(events)
    mine = column.endpoint == endpoint, column.state == PENDING, column.next_at <= now
    found = db.execute(wanted.where(*mine).order_by(column.next_at, column.event).limit(most))
    return [Delivery(*row) for row in found]


def claim(db: Connection, endpoint: str, holder: str, now: float, most: int) -> list[Delivery]:
    """What this process is to send an endpoint now: of all processes together, so many are on their way at most."""
    if not db.execute(select(processes.c.name).where(processes.c.name == holder)).first():
        return []  # it was taken for dead
    db.execute(select(endpoints.c.id).where(endpoints.c.id == endpoint).with_for_update())
    taken = set(db.execute(select(claims.c.event).where(claims.c.endpoint == endpoint)).scalars())
    found = [each for each in due(db, endpoint, now, most) if each.event not in taken][: max(0, most - len(taken))]
    if found:
        mine = {"endpoint": endpoint, "holder": holder}
        db.execute(insert(claims), [{"event": each.event, **mine} for each in found])
    return found


def unclaim(db: Connection, holder: str, but: Collection[tuple[str, str]]) -> None:
    """Let go of what a process claimed and did not write down what came of it."""
    mine = db.execute(select(claims.c.event, claims.c.endpoint).where(claims.c.holder == holder)).all()
    for event, endpoint in mine:
        if (event, endpoint) not in but:
            _let_go(db, event, endpoint, holder)


def _let_go(db: Connection, event: str, endpoint: str, holder: str) -> bool:
    this = claims.c.event == event, claims.c.endpoint == endpoint, claims.c.holder == holder
    return db.execute(delete(claims).where(*this)).rowcount > 0


def settle(
    db: Connection,
    delivery: Delivery,
    endpoint: str,
    *,
    state: str,
    error: str | None = None,
    next_at: float = 0.0,
    holder: str | None = None,
) -> None:
    """Write down what came of an attempt; not where another process has taken it from this holder meanwhile."""
    if holder is not None and not _let_go(db, delivery.event, endpoint, holder):
        return
    this = deliveries.c.event == delivery.event, deliveries.c.endpoint == endpoint
    changes = {"state": state, "last_error": error, "next_at": next_at}
    db.execute(update(deliveries).where(*this).values(**changes, attempts=delivery.attempts + 1))


def revive(db: Connection, ids: Collection[str], *, now: float) -> int:
    """Begin anew with parked deliveries, of these events or all; how many there were."""
    parked = update(deliveries).where(deliveries.c.state == PARKED)
    wanted = parked.where(deliveries.c.event.in_(ids)) if ids else parked
    return db.execute(wanted.values(state=PENDING, attempts=0, next_at=now)).rowcount


def forget(db: Connection, *, before: float) -> None:
    """Delete what arrived before a moment; what is on its way or parked stays."""
    column = deliveries.c
    db.execute(delete(deliveries).where(column.state == DELIVERED, column.next_at < before))
    db.execute(delete(events).where(events.c.id.not_in(select(column.event))))


# ── Endpoints ───────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Address:
    """An endpoint as it is stored; what is shown of it leaves the secret out, and the URL's query."""

    id: str
    url: str
    secret: str | None
    allow: tuple[str, ...]


def add_endpoint(
    db: Connection, identifier: str, url: str, *, secret: str | None, allow: Sequence[str], now: float
) -> None:
    """Store an endpoint; one that is there already stays, with what is on its way to it."""
    if not db.execute(select(endpoints.c.id).where(endpoints.c.id == identifier)).first():
        row = {"id": identifier, "url": url, "secret": secret, "allow": list(allow), "made": now}
        db.execute(insert(endpoints).values(row))


def list_endpoints(db: Connection) -> list[Address]:
    """Every endpoint, oldest first."""
    column = endpoints.c
    found = db.execute(select(column.id, column.url, column.secret, column.allow).order_by(column.made, column.id))
    return [Address(row.id, row.url, row.secret, tuple(row.allow)) for row in found]


def remove_endpoint(db: Connection, identifier: str) -> bool:
    """Remove an endpoint and what is on its way to it; False when there is none of this id."""
    db.execute(delete(deliveries).where(deliveries.c.endpoint == identifier))
    return db.execute(delete(endpoints).where(endpoints.c.id == identifier)).rowcount > 0


# ── Status ──────────────────────────────────────────────────────────────────────────────────────


def counts(db: Connection) -> dict[str, dict[str, int]]:
    """How many deliveries of each endpoint are in which state."""
    column = deliveries.c
    counted: dict[str, dict[str, int]] = {each.id: {} for each in list_endpoints(db)}
    grouped = select(column.endpoint, column.state, func.count()).group_by(column.endpoint, column.state)
    for endpoint, state, number in db.execute(grouped):
        counted[endpoint][state] = number
    return counted


@dataclass(frozen=True)
class Unsettled:
    """A delivery that failed at least once and has not arrived."""

    event: str
    type: str
    endpoint: str
    state: str
    attempts: int
    next_at: float
    last_error: str


def unsettled(db: Connection, most: int) -> list[Unsettled]:
    """What failed and has not arrived: parked ones first, then by when it is tried again."""
    column = deliveries.c
    wanted = select(
        column.event, events.c.type, column.endpoint, column.state, column.attempts, column.next_at, column.last_error
    ).join(events)
    failed = column.state != DELIVERED, column.last_error.is_not(None)
    in_order = wanted.where(*failed).order_by(column.state, column.next_at, column.event)
    return [Unsettled(*row) for row in db.execute(in_order.limit(most))]

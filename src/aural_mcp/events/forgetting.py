"""What an outbox and what was seen of a backend hold of people, and its erasing."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from typing import Any

from sqlalchemy import Connection, delete, or_, select

from aural_mcp.events.outbox import deliveries, events, seen

AT_ONCE = 500
"""Ids in one statement."""


def forget_about(db: Connection, ids: Collection[str]) -> int:
    """Delete events of these sessions and candidates, on their way or arrived, and how they looked; how many."""
    gone = [
        row.id for row in db.execute(select(events.c.id, events.c.payload)) if not ids_in(row.payload).isdisjoint(ids)
    ]
    for some in in_parts(gone):
        db.execute(delete(deliveries).where(deliveries.c.event.in_(some)))
        db.execute(delete(events).where(events.c.id.in_(some)))
    number = len(gone)
    for some in in_parts(ids):
        number += db.execute(delete(seen).where(or_(seen.c.id.in_(some), seen.c.session.in_(some)))).rowcount
    return number


def ids_in(payload: str) -> set[str]:
    """Whom a message is about."""
    data: dict[str, Any] = json.loads(payload).get("data", {})
    return {each for name in ("sessionId", "candidateId") if isinstance(each := data.get(name), str)}


def in_parts(ids: Collection[str]) -> Iterator[list[str]]:
    """So many of them that one statement takes them."""
    every = sorted(ids)
    return (every[start : start + AT_ONCE] for start in range(0, len(every), AT_ONCE))

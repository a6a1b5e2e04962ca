"""How several processes on one database share its work: each says that it lives; what a dead one held is free."""

from __future__ import annotations

import math
import os
import secrets
import socket
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

import anyio.to_thread
from sqlalchemy import Connection, delete, extract, func, insert, select, update

from aural_mcp.database import Database
from aural_mcp.events.outbox import leases, processes

T = TypeVar("T")
LEASE, RENEW = 30.0, 5.0
"""Seconds for which a process that may have died keeps others from its work, and after which it says that it lives."""


async def in_turn(database: Database, change: Callable[[Connection], T], *place: str) -> T:
    """Carry out a change of this place, whole or not at all, in a thread; it is not given up once begun."""

    def carry_out() -> T:
        with database.writing(*place) as db:
            return change(db)

    return await anyio.to_thread.run_sync(carry_out)


def moment(db: Connection) -> float:
    """Seconds since 1970, by the database's clock where processes of several computers may be at it."""
    if db.dialect.name == "sqlite":
        return time.time()
    return float(db.execute(select(extract("epoch", func.clock_timestamp()))).scalar_one())


class Lease:
    """The part of one process in the work on a database.

    Those of one kind and plan share the work; one with another plan stands by until they have gone. Whoever is killed
    is known to be gone after `LEASE` seconds, and at once by processes of the same computer.

    Args:
        kind: of work.
        plan: what tells this work from other work of its kind.
        requests: what the key may send in a minute, as it is shown; 0 is no limit.
        clock: in place of the database's.
    """

    def __init__(
        self,
        database: Database,
        kind: str,
        plan: str = "",
        *,
        requests: int = 0,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._database, self._kind, self._clock = database, kind, clock
        self._row = {"kind": kind, "plan": plan, "requests": requests, "place": _place()}
        self.name, self._turn = secrets.token_hex(3), f"processes {kind}"
        self.processes = 1
        """How many share the work, this one included."""
        self._until = self._renewed = -math.inf

    async def hold(self) -> bool:
        """Whether this process may work now; now and then it says by this that it lives."""
        now = self._local()
        if not self._renewed <= now < self._renewed + RENEW:
            may_work = await in_turn(self._database, self._renew, self._turn)
            self._renewed, self._until = now, now + LEASE if may_work else -math.inf
        return self._local() < self._until

    async def release(self) -> None:
        """Leave, so that others go on at once with what this process held."""
        await in_turn(self._database, partial(_leave, name=self.name), self._turn)
        self._until = self._renewed = -math.inf

    def _local(self) -> float:
        return self._clock() if self._clock else time.time()

    def _renew(self, db: Connection) -> bool:
        now = self._clock() if self._clock else moment(db)
        others = [each for each in living(db, self._kind, now) if each.name != self.name]
        kept = [self.name, *(each.name for each in others)]
        db.execute(delete(processes).where(processes.c.kind == self._kind, processes.c.name.not_in(kept)))
        if any(each.plan != self._row["plan"] for each in others) or _is_kept(db, self._kind, now):
            _leave(db, self.name)
            return False
        mine = update(processes).where(processes.c.name == self.name)
        if not db.execute(mine.values(until=now + LEASE)).rowcount:
            db.execute(insert(processes).values(name=self.name, until=now + LEASE, **self._row))
        self.processes = len(others) + 1
        return True


class Process(NamedTuple):
    """One that lives; `requests` are what its key may send in a minute."""

    name: str
    plan: str
    requests: int


def living(db: Connection, kind: str, now: float) -> list[Process]:
    """The processes of a kind that live, by name."""
    column = processes.c
    found = db.execute(select(processes).where(column.kind == kind).order_by(column.name)).all()
    return [
        Process(row.name, row.plan, row.requests)
        for row in found
        if _is_ahead(row.until, now) and not _is_gone(row.place)
    ]


def _leave(db: Connection, name: str) -> None:
    """Delete a process; what it held is free by that."""
    db.execute(delete(processes).where(processes.c.name == name))


def _is_kept(db: Connection, kind: str, now: float) -> bool:
    """Whether a process of an earlier version is at work, which shares with nobody."""
    until = db.execute(select(leases.c.until).where(leases.c.name == kind)).scalar()
    return until is not None and _is_ahead(until, now)


def _is_ahead(until: float, now: float) -> bool:
    """Whether a lease holds; one that ends far ahead is from a clock that was set back."""
    return now < until <= now + 2 * LEASE


def _place() -> str:
    """Where this process is: the computer, its space of process ids where it has several, and its id."""
    space = Path("/proc/self/ns/pid")
    inode = space.stat().st_ino if space.exists() else 0
    return f"{socket.gethostname()} {inode} {os.getpid()}"


def _is_gone(place: str) -> bool:
    """Whether a process was one of this computer and has ended."""
    where, process = place.rsplit(" ", 1)
    if where != _place().rsplit(" ", 1)[0] or sys.platform == "win32":
        return False
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False

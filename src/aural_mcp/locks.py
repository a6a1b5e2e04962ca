"""Who may change what of a database on PostgreSQL at the same time: one lock for each place, not one for all.

A place is a path from the large to the small, such as an interview's id and a session's. Who changes it has the lock at
its end alone, and those above it, up to that of the whole database, together with others: two sessions of an interview
are changed at once, and while the interview is, none of them. Locks are taken from the large to the small and each
change has one place, so that nobody waits in a circle. They are advisory, as some places are not there yet: what must
not be made twice has no row that could be locked.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from weakref import WeakValueDictionary

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import TimeoutError as Waited

Place = Sequence[str]
Find = Callable[[Connection], Place]

WHOLE = 4_184_700
"""The lock of the whole database."""
PATIENCE, FROZEN = 10, 60
"""Seconds for which a lock is waited for, and after which the server ends who holds one and does nothing."""


class Locks:
    """The locks of a database, as one process takes them.

    Args:
        waiting: how many connections may wait for a lock at once, so that others are left to work with. Whoever waits
            for a place for which another of this process waits already has none.
    """

    def __init__(self, engine: Engine, waiting: int) -> None:
        self._engine, self._waiting = engine, threading.BoundedSemaphore(waiting)
        self._turns, self._guard = WeakValueDictionary[str, threading.Lock](), threading.Lock()

    @contextmanager
    def held(self, find: Find) -> Generator[Connection]:
        """A transaction in which nobody else changes the place; it is not committed here."""
        with ExitStack() as stack:
            while True:
                db = stack.enter_context(self._engine.connect())
                place = find(db)
                if not _take(db, place):
                    stack.close()
                    db = self._waited_for(stack, place)
                if not place or find(db) == place:
                    break
                stack.close()
            yield db

    def free(self, db: Connection, places: Sequence[Place]) -> list[Place]:
        """Which of these places nobody changes now; they are locked from here on, as `for update skip locked` does."""
        if not places:
            return []
        asked = ", ".join(f"({_locking(place, wait=False)})" for place in places)
        got = db.exec_driver_sql(f"SELECT {asked}").one()
        return [place for place, free in zip(places, got, strict=True) if free]

    def _waited_for(self, stack: ExitStack, place: Place) -> Connection:
        with self._guard:
            turn = self._turns.setdefault(place[0], threading.Lock())
        with _acquired(turn), _acquired(self._waiting):
            db = stack.enter_context(self._engine.connect())
            _take(db, place, wait=True)
            return db


@contextmanager
def _acquired(lock: threading.Lock | threading.BoundedSemaphore) -> Generator[None]:
    if not lock.acquire(timeout=PATIENCE):
        raise Waited(f"Another change of the same took longer than {PATIENCE} s.")
    try:
        yield
    finally:
        lock.release()


def _take(db: Connection, place: Place, *, wait: bool = False) -> bool:
    """Take the locks of a place; False where one is taken and is not waited for. The whole always is."""
    if not place:
        db.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WHOLE})")
        return True
    limits = f"set_config('idle_in_transaction_session_timeout', '{FROZEN}s', true)"
    if wait:
        limits += f", set_config('lock_timeout', '{PATIENCE}s', true)"
        db.exec_driver_sql(f"SELECT {limits}, {_locking(place, wait=True)}")
        return True
    return bool(db.exec_driver_sql(f"SELECT {limits}, {_locking(place, wait=False)}").one()[1])


def _locking(place: Place, *, wait: bool) -> str:
    """What takes the locks of a place in SQL, from the whole to its end."""
    keys = [WHOLE, *(_key(depth, name) for depth, name in enumerate(place))]
    prefix = "pg_advisory_xact_lock" if wait else "pg_try_advisory_xact_lock"
    calls = [f"{prefix}_shared({key})" for key in keys[:-1]] + [f"{prefix}({keys[-1]})"]
    return (", " if wait else " AND ").join(calls)


def _key(depth: int, name: str) -> int:
    text = f"{depth} {name}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big", signed=True)

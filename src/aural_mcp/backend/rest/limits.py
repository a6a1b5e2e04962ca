"""Aural's rate limit: a fixed window of 60 s from a key's first request, 60 requests, then refusal."""

from __future__ import annotations

import math
import threading
import time
from typing import Protocol

from sqlalchemy import case, func
from sqlalchemy.dialects.postgresql import insert

from aural_mcp.backend.storage.store import Store
from aural_mcp.backend.storage.tables import rate_windows

WINDOW = 60.0
"""Seconds."""


class RateLimited(Exception):
    """One request too many; `retry_after` is whole seconds, `reset` the window's end in seconds since 1970."""

    def __init__(self, limit: int, opened: float, moment: float) -> None:
        super().__init__()
        self.limit = limit
        self.retry_after = min(60, max(1, math.ceil(opened + WINDOW - moment)))
        self.reset = math.ceil(opened + WINDOW)


class RateLimit(Protocol):
    """Counts the requests of each key."""

    def count(self, key: str) -> None:
        """Count one request. Raises `RateLimited` when it is one too many."""
        ...


def rate_limit_of(store: Store, requests_per_minute: int) -> RateLimit:
    """The limit that suits the database; 0 is none."""
    if not requests_per_minute:
        return NoRateLimit()
    return SharedRateLimit(store, requests_per_minute) if store.shared else ProcessRateLimit(requests_per_minute)


class NoRateLimit:
    """Refuses nothing."""

    def count(self, key: str) -> None:
        pass


class ProcessRateLimit:
    """Windows in this process's memory: SQLite is served by one process, and a restart clears them, as at Aural."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._windows: dict[str, tuple[float, int]] = {}
        self._lock = threading.Lock()

    def count(self, key: str) -> None:
        moment = time.time()
        with self._lock:
            opened, used = self._windows.get(key, (moment, 0))
            if moment - opened >= WINDOW:
                opened, used = moment, 0
            self._windows[key] = (opened, used + 1)
        if used >= self._limit:
            raise RateLimited(self._limit, opened, moment)


class SharedRateLimit:
    """Windows in the database: several processes on one PostgreSQL count as one, by its clock."""

    def __init__(self, store: Store, limit: int) -> None:
        self._store, self._limit = store, limit

    def count(self, key: str) -> None:
        table = rate_windows.c
        moment = func.extract("epoch", func.clock_timestamp())
        fresh = insert(rate_windows).values(hash=key, opened=moment, used=1)
        over = table.opened <= moment - WINDOW
        counted = fresh.on_conflict_do_update(
            index_elements=[table.hash],
            set_={"opened": case((over, moment), else_=table.opened), "used": case((over, 1), else_=table.used + 1)},
        ).returning(table.opened, table.used, moment)
        with self._store.engine.begin() as db:
            opened, used, asked = db.execute(counted).one()
        if used > self._limit:
            raise RateLimited(self._limit, float(opened), float(asked))

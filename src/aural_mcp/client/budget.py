"""Requests per minute: one exact sliding log per key, so that Aural never has to refuse us."""

from __future__ import annotations

import math
import sqlite3
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio

from aural_mcp.api.errors import BudgetExhausted
from aural_mcp.client.state import State

WINDOW = 61.0
"""Seconds; one more than Aural's minute, for clocks and the network."""
MOST_WAITING = 32
LONGEST = 60.0
"""Seconds after which a request that did not end must be of a process that died."""
NO_ID = 2**62
FAR = 3_600.0
"""Seconds ahead from which a grant must come from a clock that was set back."""


class Budget:
    """Grants requests first come first served: of 60 a minute, 58 in any 61 seconds.

    The log of one key is shared by every process that has the same state open. A grant is reserved the
    moment it is asked for, so whoever would wait too long is told at once. Times are seconds of `clock`,
    which all of them must share. `requests_per_minute` 0 means no limit.
    """

    def __init__(
        self,
        requests_per_minute: int = 60,
        *,
        state: State | None = None,
        tenant: str = "",
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self.limit = max(1, requests_per_minute * 58 // 60) if requests_per_minute else 0
        self._state, self._tenant = state or State(), tenant
        self._clock = clock
        self._sleep = sleep

    @property
    def remaining(self) -> int | None:
        """How many requests could leave now; None without a limit."""
        if not self.limit:
            return None
        now = self._clock()
        with self._state.changing() as db:
            return 0 if now < self._paused_until(db) else self.limit - len(self._grants(db, now))

    @property
    def free_in(self) -> float:
        """Seconds until one more request could leave, 0 being now; without a limit only a `Retry-After` counts."""
        now = self._clock()
        with self._state.changing() as db:
            return max(0.0, self._next(db, now, self._grants(db, now) if self.limit else []) - now)

    def pause(self, seconds: float) -> None:
        """Hold every request of this key, waiting ones too, for so long: a `Retry-After`; without a limit none is."""
        now = self._clock()
        with self._state.changing() as db:
            until = max(self._paused_until(db), now + seconds)
            db.execute("insert or replace into pauses values (?, ?)", (self._tenant, until))
            if not self.limit:
                return
            waiting = [at for at in self._grants(db, now) if at > now]
            later = max(0.0, until - waiting[0]) if waiting else 0.0
            change = "update grants set at = at + ? where tenant = ? and at > ?"
            db.execute(change, (later, self._tenant, now))

    async def acquire(self, within: float = math.inf) -> float:
        """Wait for a request that leaves and arrives at once; the answer is how many seconds that took.

        Raises:
            BudgetExhausted: the wait would be longer than `within`, or too many wait already.
        """
        async with self.granted(within) as waited:
            return waited

    @asynccontextmanager
    async def granted(self, within: float = math.inf) -> AsyncGenerator[float]:
        """Wait for a request to be granted; it is on its way while the block runs. Gives the seconds waited.

        When it arrives over there nobody here knows: it counts from its end, which is surely not before.

        Raises:
            BudgetExhausted: the wait would be longer than `within`, or too many wait already.
        """
        if not self.limit:
            yield 0.0
            return
        begun = self._clock()
        grant = self._reserve(begun, within)
        try:
            while (now := self._clock()) < (at := self._when(grant, now)):
                if at - begun > within:
                    raise self._exhausted(at - now)
                await self._sleep(at - now)
        except BaseException:
            with self._state.changing() as db:
                db.execute("delete from grants where id = ?", (grant,))
            raise
        try:
            yield now - begun
        finally:
            with self._state.changing() as db:
                db.execute("update grants set at = ?, ended = 1 where id = ?", (self._clock(), grant))

    def _reserve(self, now: float, within: float) -> int:
        """The number of a grant."""
        with self._state.changing() as db:
            grants = self._grants(db, now)
            at = self._next(db, now, grants)
            waiting = sum(each > now for each in grants)
            if at - now > within or (at > now and waiting >= MOST_WAITING):
                raise self._exhausted(at - now)
            row = (self._tenant, at)
            return db.execute("insert into grants (tenant, at, ended) values (?, ?, 0)", row).lastrowid or 0

    def _next(self, db: sqlite3.Connection, now: float, grants: list[float]) -> float:
        """When a request that is asked for now may leave: after everyone before it, and when the window has room."""
        room = grants[-self.limit] + WINDOW if self.limit and len(grants) >= self.limit else now
        return max(now, self._paused_until(db), grants[-1] if grants else now, room)

    def _when(self, grant: int, now: float) -> float:
        """When it may leave: as reserved, or later, because those before it ended later than was thought."""
        with self._state.changing() as db:
            found = db.execute("select at from grants where id = ?", (grant,)).fetchone()
            before = self._grants(db, now, before=grant)
            room = before[-self.limit] + WINDOW if len(before) >= self.limit else -math.inf
            at = max(found[0] if found else -math.inf, room)
            db.execute("update grants set at = ? where id = ?", (at, grant))
            return at

    def _grants(self, db: sqlite3.Connection, now: float, before: int | None = None) -> list[float]:
        """The times of the window, in order; one that is on its way counts as now. What is over is forgotten."""
        forget = "delete from grants where at <= ? - case ended when 1 then 0 else ? end or at > ?"
        db.execute(forget, (now - WINDOW, LONGEST, now + FAR))
        query = "select case ended when 1 then at else max(at, ?) end from grants where tenant = ? and id < ?"
        found = db.execute(query, (now, self._tenant, before or NO_ID))
        return sorted(at for (at,) in found)

    def _paused_until(self, db: sqlite3.Connection) -> float:
        found = db.execute("select until from pauses where tenant = ?", (self._tenant,)).fetchone()
        return found[0] if found else -math.inf

    def _exhausted(self, wait: float) -> BudgetExhausted:
        seconds = max(1, math.ceil(wait))
        return BudgetExhausted(
            f"rate_limited: the {self.limit} requests that this key may send in {WINDOW:.0f} s are used up.",
            f"Nothing was sent. Call again in {seconds} s.",
            retry_after=seconds,
        )

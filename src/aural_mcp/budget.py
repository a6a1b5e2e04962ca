"""Requests per minute: one exact sliding log per key, so that Aural never has to refuse us."""

from __future__ import annotations

import math
import sqlite3
import time
from collections.abc import Awaitable, Callable

import anyio

from aural_mcp.errors import BudgetExhausted
from aural_mcp.state import State

WINDOW = 61.0
"""Seconds; one more than Aural's minute, for clocks and the network."""
MOST_WAITING = 32
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
    def idle(self) -> bool:
        """Whether forgetting this budget would change nothing."""
        if not self.limit:
            return True
        now = self._clock()
        with self._state.changing() as db:
            return now > self._paused_until(db) and not self._grants(db, now)

    def pause(self, seconds: float) -> None:
        """Hold every request of this key, waiting ones too, for so long: a `Retry-After`."""
        if not self.limit:
            return
        now = self._clock()
        with self._state.changing() as db:
            until = max(self._paused_until(db), now + seconds)
            db.execute("insert or replace into pauses values (?, ?)", (self._tenant, until))
            waiting = [at for at in self._grants(db, now) if at > now]
            later = max(0.0, until - waiting[0]) if waiting else 0.0
            change = "update grants set at = at + ? where tenant = ? and at > ?"
            db.execute(change, (later, self._tenant, now))

    async def acquire(self, within: float = math.inf) -> float:
        """Wait for a request to be granted; the answer is how many seconds that took.

        Raises:
            BudgetExhausted: the wait would be longer than `within`, or too many wait already.
        """
        if not self.limit:
            return 0.0
        begun = self._clock()
        grant = self._reserve(begun, within)
        try:
            while (now := self._clock()) < (at := self._when(grant)):
                if at - begun > within:
                    raise self._exhausted(at - now)
                await self._sleep(at - now)
        except BaseException:
            with self._state.changing() as db:
                db.execute("delete from grants where id = ?", (grant,))
            raise
        return now - begun

    def _reserve(self, now: float, within: float) -> int:
        """The number of a grant: after everyone before it, and when the window has room."""
        with self._state.changing() as db:
            grants = self._grants(db, now)
            room = grants[-self.limit] + WINDOW if len(grants) >= self.limit else now
            at = max(now, self._paused_until(db), grants[-1] if grants else now, room)
            waiting = sum(each > now for each in grants)
            if at - now > within or (at > now and waiting >= MOST_WAITING):
                raise self._exhausted(at - now)
            return db.execute("insert into grants (tenant, at) values (?, ?)", (self._tenant, at)).lastrowid or 0

    def _when(self, grant: int) -> float:
        with self._state.changing() as db:
            found = db.execute("select at from grants where id = ?", (grant,)).fetchone()
            return found[0] if found else -math.inf

    def _grants(self, db: sqlite3.Connection, now: float) -> list[float]:
        """The times of the window, in order; those that are over are forgotten."""
        db.execute("delete from grants where at <= ? or at > ?", (now - WINDOW, now + FAR))
        found = db.execute("select at from grants where tenant = ? order by at, id", (self._tenant,))
        return [at for (at,) in found]

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

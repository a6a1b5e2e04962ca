"""Requests per minute: one exact sliding log per key, so that Aural never has to refuse us."""

from __future__ import annotations

import math
import sqlite3
import time
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple

import anyio

from aural_mcp.api.errors import BudgetExhausted
from aural_mcp.client.state import State

WINDOW = 61.0
"""Seconds; one more than Aural's minute, for clocks and the network."""
MOST_WAITING = 32
"""Requests of one person that wait."""
LONGEST = 60.0
"""Seconds after which a request that did not end must be of a process that died."""
NAP, GONE = 2.0, 10.0
"""Seconds after which one that waits looks again, as its turn may have come earlier, and from which one that did not
look must be of a process that died."""
FAR = 3_600.0
"""Seconds ahead from which a grant must come from a clock that was set back."""
ON_ITS_WAY, ENDED, WAITS = 0, 1, 2
NEW = 2**62
"""The number of one that only thinks of asking."""


class Share(NamedTuple):
    """Who sent how many requests of the last minute: the person who asks, the others, and how many these are."""

    own: int
    others: int
    people: int


class Budget:
    """Grants requests: of 60 a minute, 58 in any 61 seconds.

    Those that wait are let go in turn between people, and first come first served of each. The log of one key is shared
    by every process that has the same state open. When one would be granted is known the moment it is asked for, so
    whoever would wait too long is told at once; or as soon as others came in between. Times are seconds of `clock`,
    which all of them must share. `requests_per_minute` 0 means no limit.
    """

    def __init__(
        self,
        requests_per_minute: int = 60,
        *,
        state: State | None = None,
        tenant: str = "",
        person: str = "",
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self.limit = max(1, requests_per_minute * 58 // 60) if requests_per_minute else 0
        self._state, self._tenant, self._person = state or State(), tenant, person
        self._clock = clock
        self._sleep = sleep

    @property
    def remaining(self) -> int | None:
        """How many requests could leave now; None without a limit."""
        if not self.limit:
            return None
        now = self._clock()
        with self._state.changing() as db:
            held = len(self._gone(db, now)) + len(self._waiting(db))
            return 0 if now < self._paused_until(db) else max(0, self.limit - held)

    @property
    def free_in(self) -> float:
        """Seconds until one more request could leave, 0 being now; without a limit only a `Retry-After` counts."""
        now = self._clock()
        with self._state.changing() as db:
            at = self._when(db, now, NEW) if self.limit else self._paused_until(db)
            return max(0.0, at - now)

    @property
    def share(self) -> Share:
        """Who sent the requests of the last minute."""
        query = "select person, count(*) from grants where tenant = ? and at > ? and ended != ? group by person"
        with self._state.changing() as db:
            sent = dict(db.execute(query, (self._tenant, self._clock() - WINDOW, WAITS)).fetchall())
        own = sent.pop(self._person, 0)
        return Share(own, sum(sent.values()), len(sent))

    def pause(self, seconds: float) -> None:
        """Hold every request of this key, waiting ones too, for so long: a `Retry-After`; without a limit none is."""
        with self._state.changing() as db:
            until = max(self._paused_until(db), self._clock() + seconds)
            db.execute("insert or replace into pauses values (?, ?)", (self._tenant, until))

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
        begun = now = self._clock()
        number, at = self._reserve(begun, within)
        try:
            while at > now:
                if at - begun > within:
                    raise self._exhausted(at - now)
                await self._sleep(min(at - now, NAP))
                now = self._clock()
                number, at = self._look(number, now)
        except BaseException:
            with self._state.changing() as db:
                db.execute("delete from grants where id = ?", (number,))
            raise
        try:
            yield now - begun
        finally:
            with self._state.changing() as db:
                db.execute("update grants set at = ?, ended = ? where id = ?", (self._clock(), ENDED, number))

    def _reserve(self, now: float, within: float) -> tuple[int, float]:
        """The number of a grant, and when it may leave: now it is on its way, later it waits."""
        with self._state.changing() as db:
            at = self._when(db, now, NEW)
            waiting = sum(person == self._person for _, person in self._waiting(db))
            if at - now > within or (at > now and waiting >= MOST_WAITING):
                raise self._exhausted(at - now)
            number = self._enter(db, now)
            if at <= now:
                self._leave(db, now, number)
            return number, at

    def _look(self, number: int, now: float) -> tuple[int, float]:
        """Where one stands that waits: its number, and when it may leave; now it is on its way."""
        with self._state.changing() as db:
            seen = db.execute("update grants set at = ? where id = ?", (now, number))
            if not seen.rowcount:  # it was taken for dead, as on a computer that slept: it is last again
                number = self._enter(db, now)
            at = self._when(db, now, number)
            if at <= now:
                self._leave(db, now, number)
            return number, at

    def _enter(self, db: sqlite3.Connection, now: float) -> int:
        """Wait behind the others of the same person, under a number that nobody had before."""
        (last,) = db.execute("select max(id) from grants").fetchone()
        number = max((last or 0) + 1, int(now * 1_000_000))
        whose = self._tenant, self._person
        query = "select max(turn) from grants where tenant = ? and person = ?"
        (turn,) = db.execute(query, whose).fetchone()
        row = number, *whose, now, WAITS, turn or 0
        db.execute("insert into grants (id, tenant, person, at, ended, turn) values (?, ?, ?, ?, ?, ?)", row)
        return number

    def _leave(self, db: sqlite3.Connection, now: float, number: int) -> None:
        """Go; of all persons this one was let go last, which each of its rows remembers."""
        (last,) = db.execute("select max(turn) from grants where tenant = ?", (self._tenant,)).fetchone()
        db.execute("update grants set at = ?, ended = ? where id = ?", (now, ON_ITS_WAY, number))
        turn = (last or 0) + 1, self._tenant, self._person
        db.execute("update grants set turn = ? where tenant = ? and person = ?", turn)

    def _when(self, db: sqlite3.Connection, now: float, number: int) -> float:
        """When the one of this number may leave: after everyone before it, and when the window has room."""
        times, paused = self._gone(db, now), self._paused_until(db)
        for each in self._queue(db, joining=number == NEW):
            room = times[-self.limit] + WINDOW if len(times) >= self.limit else now
            times.append(max(now, paused, room, *times[-1:]))
            if each == number:
                break
        return times[-1]

    def _queue(self, db: sqlite3.Connection, *, joining: bool) -> list[int]:
        """Who waits, in the order in which they go: each person's first, then each one's second.

        First among those goes whose person was let go longest ago.
        """
        query = "select person, max(turn) from grants where tenant = ? group by person"
        turns: dict[str, int] = dict(db.execute(query, (self._tenant,)).fetchall())
        before, places = Counter[str](), list[tuple[int, int, int]]()
        for number, person in [*self._waiting(db), *([(NEW, self._person)] if joining else [])]:
            places.append((before[person], turns.get(person, 0), number))
            before[person] += 1
        return [number for _, _, number in sorted(places)]

    def _waiting(self, db: sqlite3.Connection) -> list[tuple[int, str]]:
        """Numbers and persons of those that wait, in the order in which they came."""
        query = "select id, person from grants where tenant = ? and ended = ? order by id"
        return db.execute(query, (self._tenant, WAITS)).fetchall()

    def _gone(self, db: sqlite3.Connection, now: float) -> list[float]:
        """The times of the window, in order; one that is on its way counts as now. What is over is forgotten."""
        forget = "delete from grants where at <= ? - case ended when ? then ? when ? then ? else ? end or at > ?"
        db.execute(forget, (now, ENDED, WINDOW, WAITS, GONE, WINDOW + LONGEST, now + FAR))
        query = "select case ended when ? then at else max(at, ?) end from grants where tenant = ? and ended != ?"
        return sorted(at for (at,) in db.execute(query, (ENDED, now, self._tenant, WAITS)))

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

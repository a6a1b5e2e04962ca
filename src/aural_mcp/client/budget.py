"""Requests per minute: one exact sliding log per key, so that Aural never has to refuse us."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import anyio

from aural_mcp.api.errors import BudgetExhausted, StateUnwritable
from aural_mcp.client.state import State, Transaction

if TYPE_CHECKING:
    from aural_mcp.client.state_database import StateDatabase

WINDOW = 61.0
"""Seconds; one more than Aural's minute, for clocks and the network."""
MOST_WAITING = 32
"""Requests of one person that wait."""
LONGEST = 60.0
"""Seconds after which a request that did not end must be of a process that died."""
NAP, GONE = 2.0, 10.0
"""Seconds after which one that waits looks again, as its turn may have come earlier, and from which one that did not
look must be of a process that died."""
AGAIN, ONE_TRY = 1.0, 8.0
"""Seconds until a lost database is asked again, and that asking one that says nothing may take."""
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


class Row(NamedTuple):
    """A request of the log: when it left, ended or last looked whether it may leave, and whose it is."""

    number: int
    person: str
    at: float
    ended: int
    turn: int


class Log(NamedTuple):
    """The log of one key at one moment."""

    now: float
    rows: Sequence[Row]
    paused: float
    limit: int

    @property
    def gone(self) -> list[float]:
        """The times of the window, in order; one that is on its way counts as now."""
        return sorted(
            row.at if row.ended == ENDED else max(row.at, self.now) for row in self.rows if row.ended != WAITS
        )

    @property
    def waiting(self) -> list[Row]:
        """Those that wait, in the order in which they came."""
        return [row for row in self.rows if row.ended == WAITS]

    def when(self, number: int = NEW, person: str = "") -> float:
        """When the one of this number may leave: after everyone before it, and when the window has room."""
        times = self.gone
        for each in self._queue(person if number == NEW else None):
            room = times[-self.limit] + WINDOW if len(times) >= self.limit else self.now
            times.append(max(self.now, self.paused, room, *times[-1:]))
            if each == number:
                break
        return times[-1]

    def _queue(self, joining: str | None) -> list[int]:
        """Who waits, in the order in which they go: each person's first, then each one's second.

        First among those goes whose person was let go longest ago.
        """
        before, places, turns = Counter[str](), list[tuple[int, int, int]](), Counter[str]()
        for row in self.rows:
            turns[row.person] = max(turns[row.person], row.turn)
        waiting = [(row.number, row.person) for row in self.waiting]
        for number, person in [*waiting, *([] if joining is None else [(NEW, joining)])]:
            places.append((before[person], turns[person], number))
            before[person] += 1
        return [number for _, _, number in sorted(places)]


class Budget:
    """Grants requests: of 60 a minute, 58 in any 61 seconds.

    Those that wait are let go in turn between people, and first come first served of each. The log of one key is shared
    by every process that has the same state open, and its clock is the state's. When one would be granted is known the
    moment it is asked for, so whoever would wait too long is told at once; or as soon as others came in between.
    `requests_per_minute` 0 means no limit.
    """

    def __init__(
        self,
        requests_per_minute: int = 60,
        *,
        state: State | None = None,
        tenant: str = "",
        person: str = "",
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self.limit = max(1, requests_per_minute * 58 // 60) if requests_per_minute else 0
        self._state, self._tenant, self._person = state or State(), tenant, person
        self._sleep = sleep
        self._free_at = -math.inf
        self.alone = False
        """Whether a request left without being in the log, as the database was lost."""

    async def remaining(self) -> int | None:
        """How many requests could leave now; None without a limit."""
        if not self.limit:
            return None
        query = """select count(*), (select until from pauses where tenant = ?) from grants
            where tenant = ? and at <= ? and at > case ended when 1 then ? when 2 then ? else ? end"""
        async with self._state.reading() as db:
            now, whose = db.now, (self._tenant, self._tenant)
            since = now - WINDOW, now - GONE, now - WINDOW - LONGEST
            [(held, paused)] = await db.all(query, (*whose, now + FAR, *since))
        return 0 if now < (paused or now) else max(0, self.limit - held)

    @property
    def free_in(self) -> float:
        """Seconds until one more request could leave, 0 being now, as far as this budget was told when it asked last.

        Without a limit only a `Retry-After` counts.
        """
        return max(0.0, self._free_at - self._state.now())

    async def share(self) -> Share:
        """Who sent the requests of the last minute."""
        query = "select person, count(*) from grants where tenant = ? and at > ? and ended != ? group by person"
        async with self._state.reading() as db:
            sent = dict(await db.all(query, (self._tenant, db.now - WINDOW, WAITS)))
        own = sent.pop(self._person, 0)
        return Share(own, sum(sent.values()), len(sent))

    async def pause(self, seconds: float) -> None:
        """Hold every request of this key, waiting ones too, for so long: a `Retry-After`; without a limit none is."""
        change = (
            "insert into pauses values (?, ?) on conflict (tenant) do update set until = "
            "case when excluded.until > pauses.until then excluded.until else pauses.until end"
        )
        async with self._state.changing(self._tenant) as db:
            await db.change(change, (self._tenant, db.now + seconds))
            self._free_at = max(self._free_at, db.now + seconds)

    async def acquire(self, within: float = math.inf) -> float:
        """Wait for a request that leaves and arrives at once; the answer is how many seconds that took.

        Raises:
            BudgetExhausted: the wait would be longer than `within`, or too many wait already.
        """
        async with self.granted(within) as waited:
            return waited

    @asynccontextmanager
    async def granted(self, within: float = math.inf, *, reads: bool = False) -> AsyncGenerator[float]:
        """Wait for a request to be granted; it is on its way while the block runs. Gives the seconds waited.

        When it arrives over there nobody here knows: it counts from its end, which is surely not before.

        Args:
            within: seconds that it may wait.
            reads: it changes nothing, so that it may go on slowly where the shared database is lost.

        Raises:
            BudgetExhausted: the wait would be longer than `within`, or too many wait already.
            StateUnwritable: the log cannot be written.
        """
        if not self.limit:
            yield 0.0
            return
        until = time.monotonic() + within
        try:
            number, waited = await self._wait(within)
        except StateUnwritable:
            if not reads or self._state.database is None:
                raise
            number, waited = await self._alone(self._state.database, until)
        try:
            yield waited
        finally:
            with anyio.CancelScope(shield=True):
                await self._ended(number)

    async def _alone(self, database: StateDatabase, until: float) -> tuple[int | None, float]:
        """What `_wait` gives, for a read while the database is lost: as soon as it is back, or without a number."""
        while not database.spare(self._tenant, WINDOW):
            await self._sleep(AGAIN)
            try:
                return await self._wait(until - time.monotonic())
            except StateUnwritable:
                if time.monotonic() > until - ONE_TRY:
                    raise
        self.alone = True
        return None, 0.0

    async def _wait(self, within: float) -> tuple[int, float]:
        """The number of a request that is on its way, and how many seconds it waited."""
        number, begun, at = await self._reserve(within)
        now = begun
        try:
            while at > now:
                if at - begun > within:
                    raise self._exhausted(at - now)
                await self._sleep(min(at - now, NAP))
                number, now, at = await self._look(number)
        except BaseException:
            with anyio.CancelScope(shield=True):
                gone = "delete from grants where tenant = ? and id = ?"
                await self._state.later(partial(self._state.change, gone, (self._tenant, number)))
            raise
        return number, now - begun

    async def _reserve(self, within: float) -> tuple[int, float, float]:
        """The number of a request, what time it is, and when it may leave: now it is on its way, later it waits."""
        if self._state.database is not None:
            taken = await self._state.database.take(self._tenant, self._person, self.limit, WINDOW, LONGEST)
            if taken.number is not None:
                self._free_at = taken.room
                return taken.number, taken.now, taken.now
        async with self._state.changing(self._tenant) as db:
            log = await self._read(db)
            at = self._free_at = log.when(person=self._person)
            waiting = sum(row.person == self._person for row in log.waiting)
            if at - log.now > within or (at > log.now and waiting >= MOST_WAITING):
                raise self._exhausted(at - log.now)
            number = await self._enter(db, log)
            if at <= log.now:
                await self._leave(db, log, number)
            return number, log.now, at

    async def _look(self, number: int) -> tuple[int, float, float]:
        """Where one stands that waits: its number, what time it is, and when it may leave; now it is on its way."""
        async with self._state.changing(self._tenant) as db:
            seen = "update grants set at = ? where tenant = ? and id = ?"
            if not await db.change(seen, (db.now, self._tenant, number)):
                # it was taken for dead, as on a computer that slept: it is last again
                number = await self._enter(db, await self._read(db))
            log = await self._read(db)
            at = log.when(number)
            if at <= log.now:
                await self._leave(db, log, number)
            return number, log.now, at

    async def _enter(self, db: Transaction, log: Log) -> int:
        """Wait behind the others of the same person, under a number that nobody had before."""
        number = max([*(row.number + 1 for row in log.rows), int(log.now * 1_000_000)])
        turn = max((row.turn for row in log.rows if row.person == self._person), default=0)
        row = self._tenant, number, log.now, WAITS, self._person, turn
        await db.change("insert into grants (tenant, id, at, ended, person, turn) values (?, ?, ?, ?, ?, ?)", row)
        return number

    async def _leave(self, db: Transaction, log: Log, number: int) -> None:
        """Go; of all persons this one was let go last, which each of its rows remembers."""
        turn = max((row.turn for row in log.rows), default=0) + 1
        gone = "update grants set at = ?, ended = ? where tenant = ? and id = ?"
        await db.change(gone, (log.now, ON_ITS_WAY, self._tenant, number))
        of_person = "update grants set turn = ? where tenant = ? and person = ?"
        await db.change(of_person, (turn, self._tenant, self._person))
        mine = Row(number, self._person, log.now, ON_ITS_WAY, turn)
        others = [row for row in log.rows if row.number != number]
        self._free_at = log._replace(rows=[*others, mine]).when(person=self._person)

    async def _ended(self, number: int | None) -> None:
        """Set down that a request is over; nobody waits for that where it is a trip."""
        if number is None and self._state.database is not None:
            self._state.database.spared(self._tenant)
        else:
            ended = "update grants set at = moment(), ended = ? where tenant = ? and id = ?"
            await self._state.later(partial(self._state.change, ended, (ENDED, self._tenant, number)))

    async def _read(self, db: Transaction) -> Log:
        """The log as it is now; what is over is forgotten."""
        over = """delete from grants where tenant = ?
            and (at > ? or at <= case ended when 1 then ? when 2 then ? else ? end)"""
        now = db.now
        await db.change(over, (self._tenant, now + FAR, now - WINDOW, now - GONE, now - WINDOW - LONGEST))
        query = "select id, person, at, ended, turn from grants where tenant = ? order by id"
        rows = [Row(*row) for row in await db.all(query, (self._tenant,))]
        paused = await db.one("select until from pauses where tenant = ?", (self._tenant,))
        return Log(now, rows, paused[0] if paused else -math.inf, self.limit)

    def _exhausted(self, wait: float) -> BudgetExhausted:
        seconds = max(1, math.ceil(wait))
        return BudgetExhausted(
            f"rate_limited: the {self.limit} requests that this key may send in {WINDOW:.0f} s are used up.",
            f"Nothing was sent. Call again in {seconds} s.",
            retry_after=seconds,
        )

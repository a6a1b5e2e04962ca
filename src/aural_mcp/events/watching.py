"""Finds out what happened at a backend that does not say: its lists are polled, within a share of the key's budget.

What was seen, and what follows from it, is written down in one transaction: after a crash it goes on exactly there.
Several processes share the interviews: each looks at those that it holds, at a pace that is one for all.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import partial
from operator import attrgetter
from typing import Literal, NamedTuple, Protocol, TypeVar

import anyio
import anyio.to_thread
from sqlalchemy import Connection

from aural_mcp.api.errors import AuralError, Forbidden, NotFound
from aural_mcp.api.models import Interview, Rows
from aural_mcp.api.operations import LISTED, ListCandidates, ListInterviews, ListSessions, Operation
from aural_mcp.client.client import AuralClient, Spent
from aural_mcp.database import Database
from aural_mcp.events import outbox, portions
from aural_mcp.events import snapshots as looks
from aural_mcp.events.pacing import EVERY, MINUTE, PAGE, Pace, pace, share
from aural_mcp.events.portions import LIST, Held, Taken
from aural_mcp.events.sharing import RENEW, Lease, in_turn, moment

FEW = 10
"""Requests of the minute below which others need them more: looks come half as often."""
FULL = 900.0
"""Seconds after which every session of an interview is looked at again, not only the newest and the open ones."""
LONGEST_PAUSE = 60.0

What = Literal["list", "sessions", "candidates"]


class _Identified(Protocol):
    @property
    def id(self) -> str: ...


T = TypeVar("T")
R = TypeVar("R", bound=_Identified)
log = logging.getLogger(__name__)


class Look(NamedTuple):
    """What is to be looked at, and when it was before."""

    one: Held
    what: What
    at: float


@dataclass
class Walk:
    """How far the list of interviews was read in this turn, and which were in it up to there."""

    turn: int = 0
    cursor: str | None = None
    seen: set[str] = field(default_factory=set[str])


class Watcher:
    """Looks, in rounds, and writes down what happened since the last look.

    Args:
        lease: of this process; without it nothing is asked.
        to: ids of the endpoints that are to hear of it.
        only: ids of interviews; all that the key can see when empty.
        requests_per_minute: the key's limit, of which all processes together use a share; 0 is none.
        since_beginning: tell also what was there before the first look.
    """

    def __init__(
        self,
        client: AuralClient,
        database: Database,
        lease: Lease,
        to: Sequence[str],
        *,
        only: Sequence[str] = (),
        requests_per_minute: int = 60,
        since_beginning: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client, self._database, self._lease, self._to = client.raw, database, lease, to
        self._only, self._limit = only, requests_per_minute
        self._since_beginning, self._clock = since_beginning, clock
        self._shared = self._next = -math.inf
        self._walk = Walk()
        self._unreadable, self._cut = set[str](), set[str]()
        self._begun, self._failures, self._said = False, 0, ""
        self._since: float | None = None
        """When watching began, by our clock."""

    async def keep(self) -> bool:
        """Say that this process lives, and take its part of the interviews; False while it has to stand by."""
        if not await self._lease.hold():
            return False
        if time.monotonic() >= self._shared + RENEW:
            await in_turn(self._database, self._share_out)
            self._shared = time.monotonic()
        return True

    async def begin(self) -> None:
        """Take the first look at which interviews there are, where no other process has done so.

        Raises:
            AuralError: they cannot be read, or one that is named is not there.
        """
        self._since = self._since or self._clock()
        if await self.keep():
            await (self._begin_named() if self._only else self._begin_list())
            self._begun = True

    async def round(self) -> float:
        """Look at what is due, for `EVERY` seconds at most; the answer is the seconds until the next round."""
        begun = time.monotonic()
        try:
            if not self._begun:
                await self.begin()
            if self._begun and await self.keep():
                await self._look_until(begun + EVERY)
        except AuralError as error:
            self._complain(error.message)
            self._failures += 1
        else:
            self._said, self._failures = "", 0
        return max(0.5, min(LONGEST_PAUSE, EVERY * 2**self._failures) - (time.monotonic() - begun))

    @property
    def _scope(self) -> str:
        """What the first look is remembered for."""
        return f"{self._client.tenant} {'only' if self._only else 'all'}"

    def _complain(self, said: str) -> None:
        if said != self._said:
            log.warning("%s", said)
        self._said = said

    def _share_out(self, db: Connection) -> None:
        portions.share_out(db, self._lease.name)

    # ── Which interviews there are ──────────────────────────────────────────────────────────────

    async def _begin_named(self) -> None:
        with_others = self._lease.processes > 1
        known = await self._read(portions.known) if with_others else {}
        for each in self._only:
            if each not in known:
                await self._ask(ListSessions(interview_id=each, limit=1))

        def begin(db: Connection) -> None:
            known = portions.known(db)
            self._begin_with(db, self._only)
            portions.keep_only(db, self._only)
            portions.add(db, {each: None for each in self._only if each not in known})
            self._share_out(db)

        await in_turn(self._database, begin)

    async def _begin_list(self) -> None:
        def begin(db: Connection) -> list[Held]:
            if LIST not in portions.known(db):
                portions.add(db, {LIST: None}, active=[LIST])
            self._share_out(db)
            return portions.held(db, self._lease.name)

        for each in await in_turn(self._database, begin):
            if each.id == LIST:
                await self._look_at(Look(each, "list", 0.0))

    async def _list(self, one: Held) -> None:
        """Read the beginning of the list, where new and changed interviews stand, and a page of the rest in turn.

        At the very first look all of it is read: what is found later is told from its beginning.
        """
        is_first = not await self._read(partial(looks.has_begun, scope=self._scope))
        if is_first or one.turn != self._walk.turn:
            self._walk = Walk(one.turn)
        walk = self._walk
        page = await self._ask(ListInterviews(limit=PAGE))
        found, cursor, is_all = list(page.data), walk.cursor or page.cursor, True
        while cursor:
            walk.seen |= {row.id for row in found}
            page = await self._ask(ListInterviews(limit=PAGE, cursor=cursor))
            fresh = [row for row in page.data if row.id not in walk.seen]
            is_all = bool(fresh) or not page.cursor  # else the row that it goes on from was changed, and moved
            found, cursor = [*found, *fresh], page.cursor if fresh else None
            if not is_first:
                break
        there = walk.seen | {row.id for row in found}
        listed = partial(self._listed, one=one, found=found, is_first=is_first)
        await in_turn(self._database, partial(listed, there=there if is_all and not cursor else None))
        self._walk = Walk(one.turn, cursor, there) if cursor else Walk(one.turn)

    def _listed(
        self, db: Connection, *, one: Held, found: Sequence[Interview], is_first: bool, there: Collection[str] | None
    ) -> None:
        """Write down what the list says, and, where all of it was read, which interviews are gone.

        Where one is new, or has more or fewer sessions, more is likely to come.
        """
        portions.check(db, one)
        known, counts = portions.known(db), {row.id: row.counts.sessions if row.counts else None for row in found}
        new = {each: sessions for each, sessions in counts.items() if each not in known}
        if new or is_first:
            self._begin_with(db, list(new) if not is_first else list(counts))
        portions.add(db, new, active=[] if is_first else [each for each, sessions in new.items() if sessions])
        portions.recount(db, {each: n for each, n in counts.items() if each in known and known[each] != n})
        if there is not None:
            portions.keep_only(db, {LIST, *there})
        portions.note(db, one, sessions_at=moment(db))
        if new:
            self._share_out(db)

    def _begin_with(self, db: Connection, interviews: Sequence[str]) -> None:
        since = -math.inf if self._since_beginning else (self._since or self._clock()) + self._client.skew
        looks.begin(db, self._scope, interviews, since=since)

    # ── Looks ───────────────────────────────────────────────────────────────────────────────────

    async def _look_until(self, until: float) -> None:
        looks = await self._read(self._due)
        if looks and looks[0].what == "list":
            await self._look_at(looks[0])
            looks = [each for each in await self._read(self._due) if each.what != "list"]
        for each in looks:
            await self._look_at(each)
            if time.monotonic() >= until:
                break

    def _due(self, db: Connection) -> list[Look]:
        me = self._lease.name
        return due(portions.held(db, me), pace(portions.load(db, me, self._share())), moment(db))

    def _share(self) -> float:
        """Requests in a minute that this process may send."""
        return share(self._limit, self._lease.processes)

    async def _look_at(self, look: Look) -> None:
        """Look; what is another process's now is let go."""
        try:
            await self._look_or_skip(look)
        except Taken:
            log.info("Another process took over an interview in the middle of a look")

    async def _look_or_skip(self, look: Look) -> None:
        """Look; an interview that cannot be read waits for its next turn, but not the list."""
        one, what = look.one, look.what
        try:
            await {"list": self._list, "sessions": self._sessions, "candidates": self._candidates}[what](one)
            self._unreadable.discard(one.id)
        except (NotFound, Forbidden) as error:
            if what == "list":
                raise
            if one.id not in self._unreadable:
                log.warning("Interview %s cannot be read. %s", one.id, error.message)
            self._unreadable.add(one.id)
            await self._note(one, lambda *_, **__: [], f"{what}_at", is_active=False)

    async def _candidates(self, one: Held) -> None:
        people = (await self._ask(ListCandidates(interview_id=one.id))).data
        if len(people) >= LISTED and one.id not in self._cut:
            log.warning("Interview %s has 1,000 candidates or more; Aural shows only the newest 1,000.", one.id)
            self._cut.add(one.id)
        await self._note(one, partial(looks.candidates, interview=one.id, rows=people), "candidates_at")

    async def _sessions(self, one: Held) -> None:
        known, begun = await self._read(lambda db: (looks.of_sessions(db, one.id), moment(db)))
        is_full = not one.full_at <= begun < one.full_at + FULL or known.never_looked
        asked: ListSessions = ListSessions(interview_id=one.id, limit=100)
        rows, whole = await self._rows(asked, None if is_full else known.is_enough)
        now = self._clock()
        is_active = any(looks.is_hot(row, known.sessions.get(row.id), now) for row in rows)
        seen = partial(looks.sessions, interview=one.id, rows=rows, whole=whole)
        full = {"full_at": begun} if is_full else {}
        await self._note(one, seen, "sessions_at", is_active=is_active, **full)

    async def _note(self, one: Held, change: Callable[..., list[outbox.Happened]], at: str, **more: float) -> None:
        """Write down what was seen and, in the same transaction, what happened.

        Where the list has said meanwhile that there are more sessions, the interview stays active.

        Raises:
            Taken: another process holds the interview now.
        """
        now = self._clock()

        def both(db: Connection) -> None:
            if not portions.check(db, one):
                more.pop("is_active", None)
            outbox.note(db, change(db, now=now), now=now, to=self._to)
            portions.note(db, one, **{at: moment(db)}, **more)

        await in_turn(self._database, both)

    async def _rows(
        self, operation: Operation[Rows[R]], is_enough: Callable[[Sequence[R]], bool] | None = None
    ) -> tuple[list[R], bool]:
        """The rows of a paged list, each once, and whether these are all: it may be that fewer are enough."""
        found: dict[str, R] = {}
        while True:
            page = await self._ask(operation)
            fresh = [row for row in page.data if row.id not in found]
            found |= {row.id: row for row in fresh}
            rows = list(found.values())
            if not fresh or page.cursor is None:
                return rows, True
            if is_enough and is_enough(rows):
                return rows, False
            operation = operation.model_copy(update={"cursor": page.cursor})

    async def _ask(self, operation: Operation[Rows[R]]) -> Rows[R]:
        """One request, as long after the one before as this process's part of the budget asks for."""
        await anyio.sleep(max(0.0, self._next - time.monotonic()))
        await self._lease.hold()  # which many pages may take longer than
        begun, spent = time.monotonic(), Spent()
        try:
            return await self._client.call(operation, spent=spent)
        finally:
            self._next = begun + spent.requests * await self._apart()

    async def _apart(self) -> float:
        """Seconds between two requests: longer where others need the budget."""
        left = await self._client.remaining()
        slower = 2 if left is not None and left < FEW else 1
        return slower * MINUTE / self._share()

    async def _read(self, look: Callable[[Connection], T]) -> T:
        def read() -> T:
            with self._database.reading() as db:
                return look(db)

        return await anyio.to_thread.run_sync(read)


def due(mine: Collection[Held], often: Pace, now: float) -> list[Look]:
    """What is to be looked at now, the most urgent first: the list, what is active, and what was not for longest."""

    def is_due(at: float, every: float) -> bool:
        return every <= EVERY or not now - every < at <= now

    active = [
        Look(each, "sessions", each.sessions_at) if each.id != LIST else Look(each, "list", -math.inf)
        for each in mine
        if each.is_active and is_due(each.sessions_at, often.active)
    ]
    others = [Look(each, "sessions", each.sessions_at) for each in mine if not each.is_active and each.sessions != 0]
    others += [Look(each, "candidates", each.candidates_at) for each in mine if each.id != LIST]
    quiet = [look for look in others if is_due(look.at, often.quiet)]
    return [*sorted(active, key=attrgetter("at")), *sorted(quiet, key=attrgetter("at"))]

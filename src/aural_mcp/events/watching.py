"""Finds out what happened at a backend that does not say: its lists are polled, within a share of the key's budget.

What was seen, and what follows from it, is written down in one transaction: after a crash it goes on exactly there.
"""

from __future__ import annotations

import logging
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, Protocol, TypeVar

import anyio
from sqlalchemy import Connection

from aural_mcp.api.errors import AuralError, Forbidden, NotFound
from aural_mcp.api.models import Rows
from aural_mcp.api.operations import LISTED, ListCandidates, ListInterviews, ListSessions, Operation
from aural_mcp.client.client import AuralClient, Spent
from aural_mcp.database import Database
from aural_mcp.events import outbox
from aural_mcp.events import snapshots as looks
from aural_mcp.events.delivering import in_turn

EVERY = 10.0
"""Seconds between two rounds of looks, where the share of the budget allows it."""
SHARE = 0.5
"""Of the requests that the key may send in a minute."""
MINUTE = 60.0
FEW = 10
"""Requests of the minute below which others need them more: looks come half as often."""
FULL = 900.0
"""Seconds after which every session of an interview is looked at again, not only the newest and the open ones."""
LONGEST_PAUSE = 60.0

What = Literal["sessions", "candidates"]


class _Identified(Protocol):
    @property
    def id(self) -> str: ...


R = TypeVar("R", bound=_Identified)
log = logging.getLogger(__name__)


@dataclass
class Interview:
    """What is known of an interview by this process; times are on the monotonic clock."""

    sessions: int | None = None
    """How many there were when the list of interviews was last read."""
    looked: dict[What, float] = field(default_factory=dict[What, float])
    full: float = -math.inf
    is_hot: bool = True
    """Whether something is likely to change: somebody is in the middle, or was a moment ago."""


class Watcher:
    """Looks, in rounds, and writes down what happened since the last look.

    Args:
        to: ids of the endpoints that are to hear of it.
        only: ids of interviews; all that the key can see when empty.
        requests_per_minute: the key's limit, of which a share is used; 0 is none.
        since_beginning: tell also what was there before the first look.
    """

    def __init__(
        self,
        client: AuralClient,
        database: Database,
        to: Sequence[str],
        *,
        only: Sequence[str] = (),
        requests_per_minute: int = 60,
        since_beginning: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client, self._database, self._to, self._only = client.raw, database, to, only
        self._share = requests_per_minute * SHARE or math.inf
        self._since_beginning, self._clock = since_beginning, clock
        self._interviews: dict[str, Interview] = {}
        self._asked: deque[float] = deque()
        self._unreadable, self._cut = set[str](), set[str]()
        self._begun, self._requests, self._failures, self._said = False, 0, 0, ""
        self._since: float | None = None
        """When watching began, by our clock."""

    async def begin(self) -> None:
        """Take the first look at which interviews there are.

        Raises:
            AuralError: they cannot be read, or one that is named is not there.
        """
        self._since = self._since or self._clock()
        for each in self._only:
            await self._ask(ListSessions(interview_id=each, limit=1))
        await self._list()
        self._begun = True

    async def round(self) -> float:
        """Look once at what is likeliest to have changed; the answer is the seconds until the next round."""
        begun = time.monotonic()
        try:
            if not self._begun:
                await self.begin()
            elif not self._only:
                await self._list()
            await self._look_at_likeliest()
        except AuralError as error:
            self._complain(error.message)
            self._failures += 1
        else:
            self._said, self._failures = "", 0
        return max(0.5, await self._pause() - (time.monotonic() - begun))

    @property
    def _scope(self) -> str:
        """What the first look is remembered for."""
        return f"{self._client.tenant} {'only' if self._only else 'all'}"

    async def _pause(self) -> float:
        """Seconds from one round to the next: longer where others need the budget, or it failed."""
        left = await self._client.remaining()
        slower = 2 if left is not None and left < FEW else 1
        return min(LONGEST_PAUSE, EVERY * slower * 2**self._failures)

    def _complain(self, said: str) -> None:
        if said != self._said:
            log.warning("%s", said)
        self._said = said

    async def _list(self) -> None:
        """Which interviews there are; one whose number of sessions changed is likely to change more."""
        if self._only:
            found: dict[str, int | None] = dict.fromkeys(self._only)
        else:
            rows, _ = await self._rows(ListInterviews(limit=100))
            found = {row.id: row.counts.sessions if row.counts else None for row in rows}
        new = [name for name in found if name not in self._interviews]
        for name, sessions in found.items():
            interview = self._interviews.setdefault(name, Interview())
            interview.is_hot |= sessions != interview.sessions
            interview.sessions = sessions
        since = -math.inf if self._since_beginning else (self._since or self._clock()) + self._client.skew
        known = partial(looks.begin, scope=self._scope, interviews=new, since=since)
        if new or not self._begun:
            await in_turn(self._database, known)
        self._interviews = {name: self._interviews[name] for name in found}

    async def _look_at_likeliest(self) -> None:
        """Every interview in which something is going on, and of the others what was not looked at for longest."""
        all_of_them = self._interviews.items()
        hot: list[tuple[str, What]] = [(name, "sessions") for name, each in all_of_them if each.is_hot]
        cold: list[tuple[str, What]] = [(name, "sessions") for name, each in all_of_them if not each.is_hot]
        others: list[tuple[str, What]] = [*((name, "candidates") for name in self._interviews), *cold]
        others.sort(key=lambda each: self._interviews[each[0]].looked.get(each[1], -math.inf))
        until = self._requests + self._share * EVERY / MINUTE
        for number, (name, what) in enumerate([*hot, *others]):
            if number > len(hot) and self._requests >= until:
                break
            try:
                await self._look_at(name, what)
                self._unreadable.discard(name)
            except (NotFound, Forbidden) as error:
                if name not in self._unreadable:
                    log.warning("Interview %s cannot be read. %s", name, error.message)
                self._unreadable.add(name)
            self._interviews[name].looked[what] = time.monotonic()

    async def _look_at(self, name: str, what: What) -> None:
        if what == "candidates":
            people = (await self._ask(ListCandidates(interview_id=name))).data
            if len(people) >= LISTED and name not in self._cut:
                log.warning("Interview %s has 1,000 candidates or more; Aural shows only the newest 1,000.", name)
                self._cut.add(name)
            await self._note(partial(looks.candidates, interview=name, rows=people))
            return
        interview, begun = self._interviews[name], time.monotonic()
        known = await in_turn(self._database, partial(looks.of_sessions, interview=name))
        is_full = begun >= interview.full + FULL or known.never_looked
        asked: ListSessions = ListSessions(interview_id=name, limit=100)
        rows, whole = await self._rows(asked, None if is_full else known.is_enough)
        await self._note(partial(looks.sessions, interview=name, rows=rows, whole=whole))
        interview.full = begun if is_full else interview.full
        now = self._clock()
        interview.is_hot = any(looks.is_hot(row, known.sessions.get(row.id), now) for row in rows)

    async def _note(self, change: Callable[..., list[outbox.Happened]]) -> None:
        """Write down what was seen and, in the same transaction, what happened."""
        now = self._clock()

        def both(db: Connection) -> None:
            outbox.note(db, change(db, now=now), now=now, to=self._to)

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
        """One request, as soon as the share of the minute allows it."""
        while self._is_spent():
            await anyio.sleep(max(0.0, self._asked[0] + MINUTE - time.monotonic()))
        spent = Spent()
        try:
            return await self._client.call(operation, spent=spent)
        finally:
            self._requests += spent.requests
            self._asked.extend([time.monotonic()] * spent.requests)

    def _is_spent(self) -> bool:
        while self._asked and self._asked[0] + MINUTE <= time.monotonic():
            self._asked.popleft()
        return len(self._asked) >= self._share

"""Delivers what is in an outbox, each endpoint at its own pace, until it has arrived or is parked."""

from __future__ import annotations

import logging
import math
import os
import secrets
import socket
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup
from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from aural_mcp.database import Database
from aural_mcp.events import outbox
from aural_mcp.events.outbox import Delivery, leases
from aural_mcp.events.sending import Endpoint, Outcome, verdict

T = TypeVar("T")
EVERY = 1.0
"""Seconds between two looks into the outbox."""
LEASE, RENEW = 30.0, 5.0
"""Seconds for which a process that may have died keeps others from its work, and after which it says that it lives."""
GRACE = 10.0
"""Seconds that attempts on their way get to end, when this is to stop."""
UNWRITABLE = 10.0
"""Seconds until the same is sent again where what came of it cannot be written down."""

log = logging.getLogger(__name__)


async def in_turn(database: Database, change: Callable[[Connection], T], *place: str) -> T:
    """Carry out a change of this place, whole or not at all, in a thread; it is not given up once begun."""

    def carry_out() -> T:
        with database.writing(*place) as db:
            return change(db)

    return await anyio.to_thread.run_sync(carry_out)


class Lease:
    """Of several processes on one database, the one that works; the others stand by.

    A process on this computer that is gone is followed at once, one elsewhere after `LEASE` seconds.
    """

    def __init__(self, database: Database, name: str, clock: Callable[[], float] = time.time) -> None:
        self._database, self._name, self._clock = database, name, clock
        self._me = f"{socket.gethostname()} {os.getpid()} {secrets.token_hex(4)}"
        self._until = self._renewed = 0.0

    async def hold(self) -> bool:
        """Whether this process may work now."""
        now = self._clock()
        if not self._renewed <= now < self._renewed + RENEW:
            self._until = await in_turn(self._database, partial(self._take, now=now), f"lease {self._name}")
            self._renewed = now
        return now < self._until

    async def release(self) -> None:
        """Let another process go on at once."""
        mine = leases.c.name == self._name, leases.c.holder == self._me
        await in_turn(self._database, lambda db: db.execute(delete(leases).where(*mine)), f"lease {self._name}")
        self._until = 0.0

    def _take(self, db: Connection, *, now: float) -> float:
        held = db.execute(select(leases.c.holder, leases.c.until).where(leases.c.name == self._name)).first()
        until = now + LEASE
        values = {"holder": self._me, "until": until}
        if held is None:
            db.execute(insert(leases).values(name=self._name, **values))
        elif held.holder == self._me or held.until <= now or held.until > now + 2 * LEASE or _is_gone(held.holder):
            db.execute(update(leases).where(leases.c.name == self._name).values(values))
        else:
            return 0.0
        return until


def _is_gone(holder: str) -> bool:
    """Whether the holder was a process of this computer that has ended, or this very one before it was restarted."""
    host, process, _ = holder.rsplit(" ", 2)
    if host != socket.gethostname() or sys.platform == "win32":
        return False
    if int(process) == os.getpid():
        return True
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


KEPT, HOUR = 30 * 86_400.0, 3_600.0
"""Seconds for which it is kept that something arrived."""


class Deliverer:
    """Sends what is due. Attempts to one endpoint never wait for those to another.

    Args:
        endpoints: gives where to, asked anew at each look.
        lease: of the process that delivers; without it nothing is sent.
    """

    def __init__(
        self,
        database: Database,
        endpoints: Callable[[Connection], Sequence[Endpoint]],
        lease: Lease,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database, self._endpoints, self._lease, self._clock = database, endpoints, lease, clock
        self._on_the_way: set[tuple[str, str]] = set()
        self._look, self._forgot = anyio.Event(), -math.inf

    async def run(self, stopping: anyio.Event) -> None:
        """Deliver until this is to stop; then attempts on their way get `GRACE` seconds to end."""
        async with anyio.create_task_group() as attempts:
            attempts.start_soon(self._look_when, stopping)
            while not stopping.is_set():
                self._look = anyio.Event()
                try:
                    if await self._has_work() and await self._lease.hold():
                        await self._begin(attempts)
                        await self._forget_old()
                except Exception:  # whoever serves beside must not end with it
                    log.exception("The outbox cannot be read; it is tried again")
                with anyio.move_on_after(EVERY):
                    await self._look.wait()
            attempts.cancel_scope.deadline = anyio.current_time() + GRACE

    async def deliver_due(self) -> None:
        """Make an attempt of everything that is due now, and wait for what comes of it."""
        while True:
            async with anyio.create_task_group() as attempts:
                if not await self._begin(attempts):
                    return

    async def _look_when(self, stopping: anyio.Event) -> None:
        await stopping.wait()
        self._look.set()

    async def _forget_old(self) -> None:
        """What arrived long ago goes, looked for once an hour while there is work."""
        now = self._clock()
        if not self._forgot <= now < self._forgot + HOUR:
            await in_turn(self._database, partial(outbox.forget, before=now - KEPT), "outbox")
            self._forgot = now

    async def _has_work(self) -> bool:
        """Whether there is anything to hold the lease for; what is idle writes nothing."""
        due = await anyio.to_thread.run_sync(self._due)
        return bool(self._on_the_way) or any(found for _, found in due)

    async def _begin(self, attempts: TaskGroup) -> int:
        """Begin with what is due, as far as endpoints take more beside what is on the way; how much that was."""
        begun = 0
        for endpoint, found in await anyio.to_thread.run_sync(self._due):
            for delivery in found:
                self._on_the_way.add((delivery.event, endpoint.id))
                attempts.start_soon(self._attempt, endpoint, delivery)
            begun += len(found)
        return begun

    def _due(self) -> list[tuple[Endpoint, list[Delivery]]]:
        with self._database.reading() as db:
            return [(endpoint, self._due_of(db, endpoint)) for endpoint in self._endpoints(db)]

    def _due_of(self, db: Connection, endpoint: Endpoint) -> list[Delivery]:
        busy = {event for event, other in self._on_the_way if other == endpoint.id}
        free = endpoint.at_once - len(busy)
        found = outbox.due(db, endpoint.id, self._clock(), endpoint.at_once) if free else []
        return [each for each in found if each.event not in busy][:free]

    async def _attempt(self, endpoint: Endpoint, delivery: Delivery) -> None:
        """One attempt, written down; what is on its way is not begun again."""
        try:
            outcome = await _sent(endpoint, delivery)
            state, next_at = verdict(outcome, delivery.attempts + 1, self._clock())
            settled = partial(outbox.settle, delivery=delivery, endpoint=endpoint.id)
            with anyio.CancelScope(shield=True):
                came = partial(settled, state=state, error=outcome.error, next_at=next_at)
                await in_turn(self._database, came, "outbox", endpoint.id, delivery.event)
            _say(delivery, endpoint, state, outcome.error)
        except SQLAlchemyError:
            log.exception("What came of an attempt cannot be written down; it will be made again")
            await anyio.sleep(UNWRITABLE)
        finally:
            self._on_the_way.discard((delivery.event, endpoint.id))
            self._look.set()


async def _sent(endpoint: Endpoint, delivery: Delivery) -> Outcome:
    try:
        return await endpoint.send(delivery)
    except Exception:  # one attempt must not end the others
        log.exception("An attempt failed in a way that nobody thought of")
        return Outcome("failed, and our log says why")


def _say(delivery: Delivery, endpoint: Endpoint, state: str, error: str | None) -> None:
    if state == outbox.PARKED:
        log.warning(
            "%s (%s) is parked after %d attempts: %s", delivery.event, endpoint.id, delivery.attempts + 1, error
        )
    elif error:
        log.info("%s (%s): %s", delivery.event, endpoint.id, error)

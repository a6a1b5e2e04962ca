"""Delivers what is in an outbox, each endpoint at its own pace, until it has arrived or is parked."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Sequence
from functools import partial

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from aural_mcp.database import Database
from aural_mcp.events import outbox
from aural_mcp.events.outbox import Delivery
from aural_mcp.events.sending import Endpoint, Outcome, verdict
from aural_mcp.events.sharing import Lease, in_turn

EVERY = 1.0
"""Seconds between two looks into the outbox."""
GRACE = 10.0
"""Seconds that attempts on their way get to end, when this is to stop."""
UNWRITABLE = 10.0
"""Seconds until the same is sent again where what came of it cannot be written down."""

log = logging.getLogger(__name__)


KEPT, HOUR = 30 * 86_400.0, 3_600.0
"""Seconds for which it is kept that something arrived."""


class Deliverer:
    """Sends what is due. Attempts to one endpoint never wait for those to another.

    Several processes do it together: each delivery is claimed by one of them, and `at_once` holds for all.

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
        while await self._lease.hold():
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
        return bool(self._on_the_way) or await anyio.to_thread.run_sync(self._is_due)

    async def _begin(self, attempts: TaskGroup) -> int:
        """Begin with what is due, as far as endpoints take more beside what is on the way; how much that was."""
        if not await anyio.to_thread.run_sync(self._is_due):
            return 0
        begun = await in_turn(self._database, self._claim, "outbox")
        for endpoint, delivery in begun:
            self._on_the_way.add((delivery.event, endpoint.id))
            attempts.start_soon(self._attempt, endpoint, delivery)
        return len(begun)

    def _is_due(self) -> bool:
        """Whether there is more to send than what this process is sending."""
        with self._database.reading() as db:
            return any(
                (delivery.event, endpoint.id) not in self._on_the_way
                for endpoint in self._endpoints(db)
                for delivery in outbox.due(db, endpoint.id, self._clock(), endpoint.at_once)
            )

    def _claim(self, db: Connection) -> list[tuple[Endpoint, Delivery]]:
        me = self._lease.name
        outbox.unclaim(db, me, but=self._on_the_way)
        return [
            (endpoint, delivery)
            for endpoint in self._endpoints(db)
            for delivery in outbox.claim(db, endpoint.id, me, self._clock(), endpoint.at_once)
        ]

    async def _attempt(self, endpoint: Endpoint, delivery: Delivery) -> None:
        """One attempt, written down; what is on its way is not begun again."""
        try:
            outcome = await _sent(endpoint, delivery)
            state, next_at = verdict(outcome, delivery.attempts + 1, self._clock())
            settled = partial(outbox.settle, delivery=delivery, endpoint=endpoint.id, holder=self._lease.name)
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

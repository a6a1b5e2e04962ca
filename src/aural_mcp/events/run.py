"""`aural-mcp watch`: finds out what happens and delivers it, until a signal says stop."""

from __future__ import annotations

import hashlib
import logging
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import anyio
from anyio.abc import TaskStatus
from sqlalchemy import Connection, inspect
from sqlalchemy.exc import SQLAlchemyError

from aural_mcp.api import errors
from aural_mcp.client.client import AuralClient
from aural_mcp.database import CannotOpen, Database
from aural_mcp.events import outbox, portions
from aural_mcp.events.delivering import Deliverer
from aural_mcp.events.sending import Endpoint
from aural_mcp.events.sharing import RENEW, Lease, in_turn
from aural_mcp.events.watching import Watcher

STANDING_BY = 2.0
"""Seconds between two looks whether the process that works has gone."""
PASSING = (
    errors.Unreachable,
    errors.Unanswered,
    errors.ServerError,
    errors.RateLimited,
    errors.BudgetExhausted,
    errors.StateUnwritable,
)
"""What may be over in a while; anything else at the first look is a mistake of somebody's."""

STANDS_BY = (
    "Another `aural-mcp watch` is at work on this database, with another key, interviews or endpoints, or of an "
    "earlier version; this one goes on when that has gone."
)

log = logging.getLogger(__name__)


def open_outbox(url: str, *, to_watch: bool = False) -> Database:
    """The database of an outbox, with its tables made.

    Raises:
        CannotOpen: it is out of reach, or a backend's, which needs no watching.
    """

    def prepare(db: Connection) -> None:
        if to_watch and inspect(db).has_table("aural_mcp_settings"):
            raise CannotOpen("That is a backend's own database: `aural-mcp backend webhooks add` needs no watching.")
        outbox.make_tables(db)

    return Database(url, prepare)


@dataclass(frozen=True)
class Plan:
    """What to watch, where to write it down, and whom to tell; `shown` are the endpoints as status prints them."""

    database: Database
    endpoints: Sequence[Endpoint]
    shown: Sequence[str]
    interviews: Sequence[str] = ()
    requests_per_minute: int = 60
    since_beginning: bool = False

    def lease(self, client: AuralClient) -> Lease:
        """The part of a process in this plan: the same key, interviews and endpoints are shared, others not."""
        what = [client.raw.tenant, *sorted(self.interviews), *sorted(each.id for each in self.endpoints)]
        plan = hashlib.sha256("\n".join(what).encode()).hexdigest()
        return Lease(self.database, portions.KIND, plan, requests=self.requests_per_minute)


async def run(client: AuralClient, plan: Plan, say: Callable[[str], None], hello: str = "") -> None:
    """Watch and deliver until SIGTERM or SIGINT; attempts on their way get a few seconds, unless there is a second one.

    Raises:
        AuralError: the first look shows that the key or an interview's id is wrong.
    """
    await in_turn(plan.database, lambda db: _add(db, plan))
    lease = plan.lease(client)
    watcher = Watcher(
        client,
        plan.database,
        lease,
        [each.id for each in plan.endpoints],
        only=plan.interviews,
        requests_per_minute=plan.requests_per_minute,
        since_beginning=plan.since_beginning,
    )
    stopping, watching = anyio.Event(), anyio.CancelScope()
    try:
        await _first_look(watcher)
        async with anyio.create_task_group() as tasks:
            await tasks.start(_stop_on_signal, stopping, watching, tasks.cancel_scope)
            say(hello)
            tasks.start_soon(_watch, watcher, say, watching)
            tasks.start_soon(_keep, watcher)
            await Deliverer(plan.database, lambda _: plan.endpoints, lease).run(stopping)
            tasks.cancel_scope.cancel()
    finally:
        await _close(plan, lease)


async def _close(plan: Plan, lease: Lease) -> None:
    with anyio.CancelScope(shield=True), suppress(SQLAlchemyError):
        for each in plan.endpoints:
            await each.aclose()
        await lease.release()


def _add(db: Connection, plan: Plan) -> None:
    for endpoint, shown in zip(plan.endpoints, plan.shown, strict=True):
        outbox.add_endpoint(db, endpoint.id, shown, secret=None, allow=(), now=time.time())


def counted(plan: Plan) -> dict[str, int] | None:
    """How much is in which state for the endpoints of a plan; None where the database cannot be read now."""
    try:
        with plan.database.reading() as db:
            found = outbox.counts(db)
    except SQLAlchemyError:
        return None
    return dict(sum((Counter(found.get(each.id, {})) for each in plan.endpoints), Counter[str]()))


async def _first_look(watcher: Watcher) -> None:
    """Let a person know at once what will never work; what may pass is tried again."""
    try:
        await watcher.begin()
    except PASSING:
        return


async def _watch(watcher: Watcher, say: Callable[[str], None], scope: anyio.CancelScope) -> None:
    """Round after round, as long as this process is one of those that work."""
    stands_by = False
    with scope:
        while True:
            pause = STANDING_BY
            try:
                if works := await watcher.keep():
                    pause = await watcher.round()
                elif not stands_by:
                    say(STANDS_BY)
                stands_by = not works
            except SQLAlchemyError:
                log.exception("What was seen cannot be written down; it is looked again")
            await anyio.sleep(pause)


async def _keep(watcher: Watcher) -> None:
    """Say that this process lives also in the middle of a long look."""
    while True:
        await anyio.sleep(RENEW)
        with suppress(SQLAlchemyError):  # the round says it
            await watcher.keep()


async def _stop_on_signal(
    stopping: anyio.Event,
    watching: anyio.CancelScope,
    everything: anyio.CancelScope,
    *,
    task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED,
) -> None:
    if sys.platform == "win32":  # a Ctrl-C ends the process there; nothing is lost by it
        task_status.started()
        return
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        task_status.started()
        async for _ in signals:
            if stopping.is_set():
                everything.cancel()
            stopping.set()
            watching.cancel()

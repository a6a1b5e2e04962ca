"""The embedded backend's webhooks: what happens is noted with the change itself, and delivered beside the serving."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
from sqlalchemy import Connection, select
from sqlalchemy.exc import SQLAlchemyError

from aural_mcp.backend.storage.store import Row, Store, new_token, now
from aural_mcp.backend.storage.tables import candidates
from aural_mcp.events import outbox
from aural_mcp.events.outbox import Happened

if TYPE_CHECKING:
    from aural_mcp.events.sending import Outcome, Webhook

TEST = "webhook.test"
SWEEP = 60.0
"""Seconds between two looks for sessions in which nothing has happened for long."""
LEASE = "backend"

log = logging.getLogger(__name__)


def note_session(db: Connection, kind: str, session: Row, *, at: str) -> None:
    """Note what happened to a session, in the transaction in which it does."""
    if outbox.is_listened_to(db):
        invited = select(candidates.c.id).where(candidates.c.sessionId == session["id"]).limit(1)
        candidate = db.execute(invited).scalar()
        happened = Happened(kind, session["interviewId"], at, session["status"], session["id"], candidate)
        outbox.note(db, [happened], now=time.time())


def note_request(
    db: Connection, kind: str, interview: str, session: Row | None, candidate: str | None, *, at: str
) -> None:
    """Note that somebody asked something of the team, in the transaction in which they do."""
    if session:
        note_session(db, outbox.REQUESTED[kind], session, at=at)
    else:
        happened = Happened(outbox.REQUESTED[kind], interview, at, "REGISTERED", None, candidate)
        outbox.note(db, [happened], now=time.time())


def note_candidates(db: Connection, made: Sequence[Row]) -> None:
    """Note that people were registered."""
    happened = [
        Happened(outbox.REGISTERED, row["interviewId"], row["createdAt"], "REGISTERED", None, row["id"]) for row in made
    ]
    outbox.note(db, happened, now=time.time())


def add(store: Store, url: str, allow: Sequence[str]) -> tuple[str, str]:
    """A new endpoint: its id, and its secret, which is shown only here.

    Raises:
        BadAddress: the URL cannot be posted to, or is an address that is not public and not allowed.
    """
    from aural_mcp.events.addresses import networks, read_url, refuse_if_known
    from aural_mcp.events.sending import new_secret

    refuse_if_known(read_url(url), networks(allow))
    identifier, secret = f"ep_{new_token(12)}", new_secret()
    with store.writing() as db:
        outbox.add_endpoint(db, identifier, url, secret=secret, allow=allow, now=time.time())
    return identifier, secret


class Endpoints:
    """The endpoints of the table, each opened once and closed when it was removed."""

    def __init__(self) -> None:
        self._open: dict[str, Webhook] = {}
        self._broken: set[str] = set()

    def __call__(self, db: Connection) -> Sequence[Webhook]:
        """Those that there are now."""
        there = {each.id: each for each in outbox.list_endpoints(db)}
        self._open = {name: webhook for name, webhook in self._open.items() if name in there}
        for name in there.keys() - self._open.keys() - self._broken:
            try:
                self._open[name] = webhook_of(there[name])
            except ValueError as error:
                log.warning("%s gets nothing: %s", name, error)
                self._broken.add(name)
        return list(self._open.values())

    async def aclose(self) -> None:
        """Close the connections."""
        for each in self._open.values():
            await each.aclose()


def webhook_of(address: outbox.Address) -> Webhook:
    """What posts to an endpoint of the table."""
    from aural_mcp.events.addresses import networks, read_url
    from aural_mcp.events.sending import Webhook, read_secrets

    return Webhook(address.id, read_url(address.url), read_secrets(address.secret or ""), networks(address.allow))


async def try_out(address: outbox.Address) -> Outcome:
    """What comes of a signed message that says nothing, sent now and once."""
    webhook, moment = webhook_of(address), now()
    body = json.dumps({"type": TEST, "timestamp": moment, "data": {}}, separators=(",", ":"))
    try:
        return await webhook.send(outbox.Delivery(f"msg_test_{new_token(16)}", TEST, body, 0))
    finally:
        await webhook.aclose()


@asynccontextmanager
async def delivering(store: Store, sweep: Callable[[Store], None]) -> AsyncGenerator[None]:
    """Deliver while the block runs; attempts on their way get a few seconds to end.

    `sweep` marks sessions as abandoned in which nothing has happened for long: when nobody looks, too, so that it is
    told.
    """
    from aural_mcp.events.delivering import Deliverer
    from aural_mcp.events.sharing import Lease

    stopping, endpoints, lease = anyio.Event(), Endpoints(), Lease(store, LEASE)
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(Deliverer(store, endpoints, lease).run, stopping)
            tasks.start_soon(_sweeping, store, sweep, stopping)
            yield
            stopping.set()
    finally:
        with anyio.CancelScope(shield=True), suppress(SQLAlchemyError):
            await endpoints.aclose()
            await lease.release()


async def _sweeping(store: Store, sweep: Callable[[Store], None], stopping: anyio.Event) -> None:
    while not stopping.is_set():
        with anyio.move_on_after(SWEEP):
            await stopping.wait()
            return
        try:
            await anyio.to_thread.run_sync(sweep, store)
        except SQLAlchemyError:
            log.exception("Sessions without a word for long cannot be marked as abandoned now")

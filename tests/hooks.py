"""Webhooks under failures and kills, and sessions that finish at random: what the bench measures and tests repeat.

    python tests/hooks.py DATABASE PORT TOTAL [control]

is one process that writes events and delivers them, until all are settled or somebody kills it.
"""

from __future__ import annotations

import json
import logging
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import anyio
import httpx
from sqlalchemy import func, select, update

from aural_mcp.backend.storage import tables
from aural_mcp.backend.storage.store import now
from aural_mcp.client.client import AuralClient
from aural_mcp.client.state import State
from aural_mcp.database import Database
from aural_mcp.events import delivering, outbox, sending
from aural_mcp.events.addresses import networks, read_url
from aural_mcp.events.delivering import Deliverer
from aural_mcp.events.outbox import Happened
from aural_mcp.events.run import Plan, open_outbox, run
from aural_mcp.events.sending import Outcome, Webhook, read_secrets
from aural_mcp.events.sharing import Lease
from receiver import WAYS, Receiver

AT = "2026-01-01T00:00:00+00:00"


# ── Failures and kills ──────────────────────────────────────────────────────────────────────────


def quicker() -> None:
    """The schedule and the limits of time at a thousandth or so."""
    sending.DELAYS = (0.05, 0.1, 0.1, 0.2, 0.2, 0.3, 0.3, 0.4, 0.5)
    sending.TIME, sending.LONGEST_HOLD, delivering.EVERY = 0.4, 0.3, 0.1


async def child(database: str, port: int, total: int, control: bool) -> None:
    """Write events, a few in each transaction, and deliver them beside."""
    quicker()
    logging.disable(logging.WARNING)  # what is parked is counted
    out, stopping = open_outbox(database), anyio.Event()
    target = read_url(f"http://127.0.0.1:{port}/hook")
    webhook = Webhook("ep", target, read_secrets(SECRET), networks(["127.0.0.0/8"]))
    if control:
        await _post_once(out, webhook, total)
        return
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_write, out, total)
        tasks.start_soon(Deliverer(out, lambda _: [webhook], Lease(out, "t")).run, stopping)
        while not _is_settled(out, total):
            await anyio.sleep(0.1)
        stopping.set()


async def _write(out: Database, total: int) -> None:
    while (number := _count(out)) < total:
        _note(out, number, min(total, number + random.randint(1, 20)))
        await anyio.sleep(0.005)


def _note(out: Database, first: int, until: int) -> None:
    happened = [Happened(outbox.COMPLETED, "i", AT, "COMPLETED", f"s{n}") for n in range(first, until)]
    with out.writing() as db:
        outbox.note(db, happened, now=time.time())


async def _post_once(out: Database, webhook: Webhook, total: int) -> None:
    """The control: what happens is stored, then posted, once; that it was not is remembered by nobody."""
    while (number := _count(out)) < total:
        _note(out, number, min(total, number + 8))
        with out.reading() as db:
            found = outbox.due(db, "ep", time.time(), total)
        new = [each for each in found if int(json.loads(each.payload)["data"]["sessionId"][1:]) >= number]
        async with anyio.create_task_group() as tasks:
            for each in new:
                tasks.start_soon(webhook.send, each)


def _count(out: Database) -> int:
    with out.reading() as db:
        return db.execute(select(func.count()).select_from(outbox.events)).scalar_one()


def _is_settled(out: Database, total: int) -> bool:
    with out.reading() as db:
        states = outbox.counts(db)["ep"]
    return sum(states.values()) == total and not states.get("pending")


@dataclass
class Result:
    """What became of the events; `lost` counts those that are neither accepted nor parked with a reason."""

    total: int
    delivered: int
    parked: int
    lost: int
    twice: int
    kills: int
    unsigned: int
    changed: int
    seconds: float

    @property
    def holds(self) -> bool:
        settled = self.delivered + self.parked == self.total
        return settled and not (self.lost or self.unsigned or self.changed)


def failing(share: float, seed: int):
    """Fails in every way, for this share of the attempts."""
    draw, accepted = random.Random(seed), Counter()

    def behave(identifier: str, _times: int) -> str:
        way = draw.choice(WAYS) if draw.random() < share else "ok"
        accepted[identifier] += way == "ok"
        return way

    behave.accepted = accepted
    return behave


async def through_kills(database: str, total: int, kills: int, *, seed: int = 1, control: bool = False) -> Result:
    """Have a process deliver so many events to a receiver that fails 30% of the time, and kill it so often."""
    begun, draw, behave = time.monotonic(), random.Random(seed), failing(0.3, seed)
    out = open_outbox(database)
    with out.writing() as db:
        outbox.add_endpoint(db, "ep", "http://127.0.0.1/hook", secret=None, allow=(), now=0)
    async with Receiver(SECRET, behave).listening() as receiver:
        command = [
            sys.executable,
            __file__,
            database,
            str(receiver.port),
            str(total),
            *(["control"] if control else []),
        ]
        killed = 0
        for number in range(kills + 1):
            process = await anyio.open_process(command, stdout=None, stderr=None)
            goal = (number + 1) * total // (kills + 1) * draw.uniform(0.6, 1.0)
            while number < kills and process.returncode is None and len(receiver.came) < goal:
                await anyio.sleep(0.01)
            if number < kills and process.returncode is None:
                process.send_signal(signal.SIGKILL)
                killed += 1
            await process.wait()
    return _result(out, receiver, behave.accepted, total, killed, time.monotonic() - begun)


def _result(out, receiver: Receiver, accepted: Counter[str], total: int, kills: int, seconds: float) -> Result:
    column = outbox.deliveries.c
    with out.reading() as db:
        rows = db.execute(select(column.event, column.state, column.attempts, column.last_error)).all()
        ids = {row.event: row.state for row in rows}
    parked = {row.event for row in rows if row.state == "parked" and ("410" in row.last_error or row.attempts == 10)}
    lost = len([name for name in ids if name not in receiver.accepted and name not in parked]) + total - len(ids)
    delivered = sum(state == "delivered" for state in ids.values())
    foreign = len(receiver.came.keys() - ids.keys())
    out.close()
    twice = sum(number > 1 for number in accepted.values())
    changed = receiver.changed + foreign
    return Result(total, delivered, len(parked), lost, twice, kills, receiver.unsigned, changed, seconds)


# ── Sessions that finish at random ──────────────────────────────────────────────────────────────


class Counted(httpx.ASGITransport):
    """A wire that notes when each request left."""

    def __init__(self, app) -> None:
        super().__init__(app)
        self.at: list[float] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.at.append(time.monotonic())
        return await super().handle_async_request(request)

    @property
    def busiest(self) -> int:
        """The most requests in any minute."""
        return max(sum(start <= at < start + 60 for at in self.at) for start in self.at)


class Noting:
    """An endpoint that notes when each event came to it."""

    id, at_once = "ep", 8

    def __init__(self) -> None:
        self.at: dict[str, float] = {}

    async def send(self, delivery) -> Outcome:
        self.at.setdefault(delivery.event, time.monotonic())
        return Outcome()

    async def aclose(self) -> None:
        pass


@dataclass
class Watched:
    """Of so many sessions that finished: how long until each was delivered, and what else was told."""

    lags: list[float]
    others: int
    requests: int
    busiest: int


async def finishing(world, interview: str, sessions: list[str], seconds: float, key: str, base_url: str) -> Watched:
    """`aural-mcp watch` while these sessions finish at random times; it is stopped when all were told, or too late."""
    draw, ended = random.Random(11), {}
    wire, endpoint = Counted(world.app), Noting()
    with tempfile.TemporaryDirectory() as folder:
        out = open_outbox(f"sqlite:///{folder}/events.db", to_watch=True)
        client = AuralClient(key, base_url, transport=wire, state=State(lambda: Path(folder) / "state.db"))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run, client, Plan(out, [endpoint], ["bench"], [interview]), print)
            while not _looked(out):
                await anyio.sleep(0.05)
            begun = time.monotonic()
            for at, session in sorted((draw.uniform(0, seconds), each) for each in sessions):
                await anyio.sleep(max(0, begun + at - time.monotonic()))
                with world.store.writing() as db:
                    row = tables.sessions.c.id == session
                    db.execute(update(tables.sessions).where(row).values(status="COMPLETED", updatedAt=now()))
                ended[session] = time.monotonic()
            with anyio.move_on_after(60):
                while len(endpoint.at) < len(sessions):
                    await anyio.sleep(0.2)
            tasks.cancel_scope.cancel()
        with out.reading() as db:
            found = db.execute(select(outbox.events.c.id, outbox.events.c.type, outbox.events.c.payload)).all()
        out.close()
    mine = {each.id: s for each in found for s in sessions if s in each.payload and each.type == outbox.COMPLETED}
    lags = [endpoint.at[event] - ended[session] for event, session in mine.items() if event in endpoint.at]
    return Watched(lags, len(found) - len(mine), len(wire.at), wire.busiest)


def _looked(out) -> bool:
    with out.reading() as db:
        return db.execute(select(func.count()).select_from(outbox.seen)).scalar_one() > 2


SECRET = "whsec_" + "c" * 32

if __name__ == "__main__":
    anyio.run(child, sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:] == ["control"])

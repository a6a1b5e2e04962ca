"""The decision log as rows of the database that processes share.

Each process is a writer with a random id, and its lines are a chain. It alone knows the chain's end, so that a line
takes one trip and no lock. Now and then a writer names the ends of all chains in a line of its own, a checkpoint:
lines cut off at the end of a chain that was named, and a chain that was removed or written anew, show in another one.
While the database is lost, lines wait in a file of the data folder.
"""

from __future__ import annotations

import logging
import math
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import anyio

from aural_mcp.api.errors import LogUnwritable, StateUnwritable
from aural_mcp.client.state import State
from aural_mcp.privacy.audit_lines import START, line_of, moment_of, sealed, stamp
from aural_mcp.privacy.audit_spool import Spool

CHECKPOINT = "checkpoint"
EVERY_LINES, EVERY_SECONDS = 100, 300.0
"""Of its own lines, and of time in which it writes, between two checkpoints of a writer; the first is made at once."""
FRESH = 5.0
"""Seconds for which a database that took lines is not asked whether it does; what it then does not take is spooled."""
ROOM = 8192
"""Bytes that the spool is seen to have where the database is lost."""
LAST = 3.0
"""Seconds that the end of a process waits for its last checkpoint."""
AT_ONCE = 500
"""Lines that are stored in one trip."""
MARGIN = 60.0
"""Seconds before a checkpoint of which lines are named again: by then all that was on its way has come."""
ROW = "(?, ?, ?, ?, ?, moment())"
INSERT = "insert into decision_log (writer, seq, at, tenant, line, put) values {rows} on conflict do nothing"
NOTHING = "insert into decision_log select '', 0, 0, '', '', 0 where false"
"""Fails where a line could not be inserted."""
HEADS = """
select recent.writer, head.line from (
    select distinct writer from decision_log where put > ? + coalesce((
        select max(put) from decision_log where line like '%"tool":"checkpoint"%'), 0)
) recent cross join lateral (
    select line from decision_log where writer = recent.writer order by seq desc limit 1
) head where recent.writer <> ? order by recent.writer
"""
NEXT = "Tell the user: bring the database of AURAL_STATE_URL back, or make the data folder writable, and call again."
log = logging.getLogger(__name__)


class Row(NamedTuple):
    """A line, and what it is found by; seconds since 1970."""

    writer: str
    seq: int
    at: float
    tenant: str
    line: str


def row_of(seq: int, said: Mapping[str, Any], raw: bytes) -> Row:
    """The row in which a line belongs."""
    writer, tenant = (each if isinstance(each := said.get(name), str) else "" for name in ("writer", "tenant"))
    return Row(writer, seq, moment_of(said) or 0.0, tenant, raw.decode())


@dataclass(eq=False)
class Batch:
    """The lines of a call, which are written with those of others."""

    entries: Sequence[Mapping[str, Any]]
    over: bool = False
    error: Exception | None = None


class DatabaseLog:
    """Appends rows, as one writer.

    Args:
        state: whose database it is.
        folder: gives the data folder, where lines wait for a database that is lost.
    """

    def __init__(self, state: State, folder: Callable[[], Path]) -> None:
        self.state, self._spool = state, Spool(folder)
        self._queue, self._turn = list[Batch](), anyio.Lock()
        self._took_at, self._looked = -math.inf, False
        self._unnamed, self._named_at = 0, -math.inf
        self._begin()

    def now(self) -> float:
        """Seconds since 1970, by the database's clock as far as it is known."""
        return self.state.now()

    async def reach(self) -> None:
        """See that the database takes lines.

        Raises:
            StateUnwritable: it does not.
        """
        await self.state.change(NOTHING)
        self._took_at = time.monotonic()

    async def check(self) -> None:
        """See that a line can be written: that the database took one lately, or does now, or that the spool would.

        Raises:
            LogUnwritable: neither does.
        """
        if time.monotonic() < self._took_at + FRESH:
            return
        try:
            await self.reach()
        except StateUnwritable:
            async with self._turn:
                self._keep([], ROOM)

    async def append(self, entries: Sequence[Mapping[str, Any]]) -> None:
        """Write lines, in one trip with those of calls that came meanwhile; also of a call that was cancelled.

        Raises:
            LogUnwritable: neither the database nor the spool takes them.
        """
        batch = Batch(entries)
        self._queue.append(batch)
        with anyio.CancelScope(shield=True):
            async with self._turn:
                if not batch.over:
                    queue, self._queue = self._queue, []
                    await self._write(queue)
        if batch.error is not None:
            raise batch.error

    async def checkpoint(self) -> None:
        """Write a line that names the last line of every other writer that wrote since the checkpoint before.

        Raises:
            StateUnwritable: the database does not say which these are.
            LogUnwritable: as `append`.
        """
        async with self.state.reading() as db:
            found = await db.all(HEADS, (-MARGIN, self.writer))
        heads = {writer: [line.seq, line.hash] for writer, raw in found if (line := line_of(raw.encode()))}
        said = {"at": stamp(self.now()), "tool": CHECKPOINT, "outcome": "done", "heads": heads}
        await self.append([said])
        self._unnamed = 0

    async def aclose(self) -> None:
        """Make a checkpoint, if there is anything that none names yet; what is in the spool stays there."""
        if self._unnamed:
            with suppress(StateUnwritable, LogUnwritable), anyio.move_on_after(LAST, shield=True):
                await self.checkpoint()
        self._spool.close()

    async def _write(self, queue: Sequence[Batch]) -> None:
        """Write all of it, or nothing; each batch is told."""
        rows = self._sealed([entry for batch in queue for entry in batch.entries])
        error: Exception | None = None
        try:
            await self._store(rows)
        except StateUnwritable:
            try:
                self._keep(rows)
            except LogUnwritable as neither:
                error = neither
        except Exception as unforeseen:
            error = unforeseen
        if error is not None:  # the database may have them all the same: nothing else may get their numbers
            self._begin()
        for batch in queue:
            batch.over, batch.error = True, error
        await self._name(0 if error else len(rows))

    async def _name(self, lines: int) -> None:
        """Have a checkpoint made where one is due."""
        self._unnamed += lines
        if self._unnamed >= EVERY_LINES or (self._unnamed and time.monotonic() > self._named_at + EVERY_SECONDS):
            self._unnamed, self._named_at, self._looked = 0, time.monotonic(), False
            await self.state.later(self._checkpoint_or_say)

    async def _checkpoint_or_say(self) -> None:
        try:
            await self.checkpoint()
        except LogUnwritable as error:
            log.warning("No checkpoint was made. %s", error.message)

    async def _store(self, rows: Sequence[Row]) -> None:
        """Insert rows, after what waits in files."""
        if self._spool.is_open or not self._looked:
            await self._move()
        await self._insert(rows)
        self._took_at = time.monotonic()

    async def _move(self) -> None:
        try:
            for raw_lines in self._spool.files():
                found = [(raw, line_of(raw)) for raw in raw_lines]
                await self._insert([row_of(line.seq, line.said, raw) for raw, line in found if line])
                if torn := sum(line is None for _, line in found):
                    log.warning("%d lines of a spool of the decision log could not be read: they are lost", torn)
        except (OSError, ValueError) as error:
            log.warning("The spool of the decision log cannot be looked into (%s)", error)
        self._looked = True

    async def _insert(self, rows: Sequence[Row]) -> None:
        for start in range(0, len(rows), AT_ONCE):
            some = rows[start : start + AT_ONCE]
            values = [value for row in some for value in row]
            await self.state.change(INSERT.format(rows=", ".join([ROW] * len(some))), values)

    def _keep(self, rows: Sequence[Row], room: int = 0) -> None:
        try:
            lines = [row.line.encode() for row in rows]
            self._spool.keep(self.writer, rows[0].seq if rows else self._seq + 1, lines, room)
        except (OSError, ValueError) as error:
            why = (error.strerror if isinstance(error, OSError) else None) or str(error)
            said = (
                f"The decision log cannot be written: its database is lost, and the data folder takes nothing ({why})."
            )
            raise LogUnwritable(said, NEXT) from error

    def _sealed(self, entries: Sequence[Mapping[str, Any]]) -> list[Row]:
        """The next rows of the chain."""
        rows = list[Row]()
        for entry in entries:
            said = {"writer": self.writer, **entry}
            self._seq += 1
            raw, self._prev = sealed(self._seq, said, self._prev)
            rows.append(row_of(self._seq, said, raw))
        return rows

    def _begin(self) -> None:
        """Become another writer, with a chain of its own."""
        self.writer, self._seq, self._prev = secrets.token_hex(6), 0, START

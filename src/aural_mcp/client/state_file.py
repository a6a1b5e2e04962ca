"""The shared state as one SQLite file, or in memory.

Statements take a twentieth of a millisecond, so they are not sent to a thread; only for another process that writes is
waited, and then nothing here stands still.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio

from aural_mcp.api.errors import StateUnwritable
from aural_mcp.client.schema import OVER, TABLES
from aural_mcp.config import keep_private

BUSY, AGAIN = 5.0, 0.005
"""Seconds to wait for another process that is writing, and until the next try."""
TIDIED_EVERY = 60.0
log = logging.getLogger(__name__)


class FileTransaction:
    """A transaction of SQLite; nothing in it waits, so it is over before anything else of this process happens."""

    def __init__(self, db: sqlite3.Connection, now: float) -> None:
        self._db, self.now = db, now

    async def all(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self._db.execute(query, values).fetchall()

    async def one(self, query: str, values: Sequence[Any] = ()) -> tuple[Any, ...] | None:
        return self._db.execute(query, values).fetchone()

    async def change(self, query: str, values: Sequence[Any] = ()) -> int:
        return self._db.execute(query, values).rowcount

    async def many(self, query: str, rows: Sequence[Sequence[Any]]) -> int:
        return max(0, self._db.executemany(query, rows).rowcount)


class StateFile:
    """One file, or memory: one that cannot be opened is said in the log, and memory serves this process."""

    def __init__(self, path: Callable[[], Path] | None, clock: Callable[[], float]) -> None:
        self._path, self._clock = path, clock
        self._db: sqlite3.Connection | None = None
        self._tidied = 0.0
        self.is_lost = False

    def now(self) -> float:
        return self._clock()

    @asynccontextmanager
    async def changing(self, key: str = "") -> AsyncGenerator[FileTransaction]:
        """One transaction that no other process writes beside, whatever the key."""
        db = await self._begun()
        try:
            if self._clock() > self._tidied + TIDIED_EVERY:
                self._tidy(db)
            yield FileTransaction(db, self._clock())
            db.execute("commit")
        except BaseException as error:
            if db.in_transaction:
                db.execute("rollback")
            if isinstance(error, sqlite3.Error):
                raise _unwritable(error) from error
            raise

    def reading(self) -> Any:
        return self.changing()

    async def change(self, query: str, values: Sequence[Any] = ()) -> int:
        async with self.changing() as db:
            return await db.change(query, values)

    async def later(self, change: Callable[[], Awaitable[object]]) -> None:
        await change()

    async def compact(self) -> bool:
        """Rewrite the file without what was deleted; False where another process is at it."""
        from aural_mcp.database import compact

        async with self.changing():
            pass
        return self._db is not None and compact(self._db)

    async def aclose(self) -> None:
        """Close the file; the next use opens it again."""
        if self._db is not None:
            self._db.close()
            self._db = None

    def _tidy(self, db: sqlite3.Connection) -> None:
        self._tidied = self._clock()
        for query, seconds in OVER:
            db.execute(query, (self._tidied - seconds,))

    async def _begun(self) -> sqlite3.Connection:
        """The connection in a transaction that is ours, when nobody else writes; meanwhile other things happen."""
        try:
            until = time.monotonic() + BUSY
            while True:
                try:
                    db = self._db = self._db or self._open()
                    if not db.in_transaction:
                        db.execute("begin immediate")
                        return db
                except sqlite3.OperationalError as error:
                    if not _is_busy(error):
                        raise
                if time.monotonic() > until:
                    raise sqlite3.OperationalError("database is locked")
                await anyio.sleep(AGAIN)
        except sqlite3.Error as error:
            raise _unwritable(error) from error

    def _open(self) -> sqlite3.Connection:
        if self._path is None:
            return _connected(":memory:", self._clock)
        try:
            path = self._path()
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            keep_private(path)
            return _connected(str(path), self._clock)
        except (OSError, ValueError, sqlite3.Error) as error:
            if isinstance(error, sqlite3.Error) and _is_busy(error):
                raise
            self.is_lost = True
            log.warning("state.db cannot be opened (%s): budget and ledger are this process's own", error)
            return _connected(":memory:", self._clock)


def _is_busy(error: sqlite3.Error) -> bool:
    """Whether another process writes, and nothing else is wrong."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY


def _unwritable(error: sqlite3.Error) -> StateUnwritable:
    return StateUnwritable(
        f"The state file in the data folder cannot be written ({error}).",
        "Free some space, or name another folder as AURAL_DATA_DIR and restart; then call again.",
    )


def _connected(place: str, clock: Callable[[], float]) -> sqlite3.Connection:
    with ExitStack() as failing:
        db = sqlite3.connect(place, timeout=0, isolation_level=None, check_same_thread=False)
        failing.callback(db.close)
        db.execute("pragma journal_mode = wal")
        db.execute("pragma synchronous = normal")
        db.execute("pragma secure_delete = on")
        db.executescript(TABLES)
        _add_columns(db)
        db.create_function("moment", 0, clock)
        failing.pop_all()
    return db


def _add_columns(db: sqlite3.Connection) -> None:
    """What a file of an earlier version lacks."""
    db.execute("begin immediate")
    there = {name for (name,) in db.execute("select name from pragma_table_info('grants')")}
    for name, kind in (("person", "text not null default ''"), ("turn", "bigint not null default 0")):
        if name not in there:
            db.execute(f"alter table grants add column {name} {kind}")
    db.execute("commit")

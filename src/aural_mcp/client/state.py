"""What processes share: requests sent lately, creates made lately, codes used, who is signed in.

One SQLite file in the data folder, which is this computer's; a PostgreSQL database, which is everybody's who has its
address; or memory alone. Keys stand in it as their SHA-256. Rows leave when they are too old to matter.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from aural_mcp.client.state_file import StateFile

if TYPE_CHECKING:
    from aural_mcp.client.state_database import StateDatabase


class Transaction(Protocol):
    """Statements that hold together, in SQL that both engines take; `?` stands for a value."""

    @property
    def now(self) -> float:
        """Seconds since 1970 when it began, by the clock that all share."""
        ...

    async def all(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Every row."""
        ...

    async def one(self, query: str, values: Sequence[Any] = ()) -> tuple[Any, ...] | None:
        """The first row."""
        ...

    async def change(self, query: str, values: Sequence[Any] = ()) -> int:
        """How many rows a statement changed."""
        ...

    async def many(self, query: str, rows: Sequence[Sequence[Any]]) -> int:
        """How many rows a statement changed that is carried out with each of these."""
        ...


class State:
    """A small database that several processes have open; opened at the first use.

    Args:
        path: gives the file at the first use; None keeps everything in memory.
        url: of a PostgreSQL database, in place of a file: `postgresql+psycopg://user@host/name`.
        clock: seconds since 1970, for a file; a database has its own.
    """

    def __init__(
        self, path: Callable[[], Path] | None = None, *, url: str = "", clock: Callable[[], float] = time.time
    ) -> None:
        self.database: StateDatabase | None = _database(url) if url else None
        """The database, where that is what is shared."""
        self._engine = self.database or StateFile(path, clock)

    @property
    def is_lost(self) -> bool:
        """Whether there is a file that could not be opened, so that what is written down ends with this process."""
        return self._engine.is_lost

    @property
    def is_away(self) -> bool:
        """Whether the database could not be reached when it was asked last."""
        return self.database is not None and self.database.is_away

    def now(self) -> float:
        """Seconds since 1970 by the clock that all share, as far as it is known."""
        return self._engine.now()

    def changing(self, key: str = "") -> AbstractAsyncContextManager[Transaction]:
        """One transaction, stored when the block ends and not at all when it raises.

        Args:
            key: nobody else with the same one is in such a block; in a file nobody else is in any.

        Raises:
            StateUnwritable: the disk is full, another process holds the file for too long, or the database is lost.
        """
        return self._engine.changing(key)

    def reading(self) -> AbstractAsyncContextManager[Transaction]:
        """Statements that need not hold together, which costs least; the time in them is as far as it is known.

        Raises:
            StateUnwritable: as `changing`.
        """
        return self._engine.reading()

    async def change(self, query: str, values: Sequence[Any] = ()) -> int:
        """How many rows one statement changed, which stands for itself; in it `moment()` is the time.

        Raises:
            StateUnwritable: as `changing`.
        """
        return await self._engine.change(query, values)

    async def later(self, change: Callable[[], Awaitable[object]]) -> None:
        """Make a change that nobody waits for, where it takes a trip; it is tried again while the database is lost."""
        await self._engine.later(change)

    async def opens(self) -> bool:
        """Whether what is written down stays: the file can be opened, or there is to be none."""
        async with self.changing():
            return not self.is_lost

    async def secret(self) -> bytes:
        """32 random bytes that stay the same for everybody who shares this state."""
        made = "insert into secrets values ('confirmation', ?) on conflict do nothing"
        async with self.changing() as db:
            await db.change(made, (secrets.token_bytes(32),))
            (found,) = await db.all("select value from secrets where name = 'confirmation'")
        return found[0]

    async def compact(self) -> bool:
        """Rewrite a file without what was deleted; False where another process is at it."""
        return await self._engine.compact()

    async def aclose(self) -> None:
        """Close it; the next use opens it again."""
        await self._engine.aclose()


def _database(url: str) -> StateDatabase:
    from aural_mcp.client.state_database import StateDatabase

    return StateDatabase(url)

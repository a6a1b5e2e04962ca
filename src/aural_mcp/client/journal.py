"""What was done for a key, written down so that it is not done again and not forgotten when the process ends."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from aural_mcp.api.errors import StateUnwritable
from aural_mcp.client.caller import Caller
from aural_mcp.client.state import Transaction

MOST_AT_ONCE = 500
"""Items that one statement asks for."""


class Journal:
    """What a task has done for a key, each item once; it outlives the process, and is everybody's who shares the state.

    Args:
        task: what the items belong to.
        keep: seconds for which an item is remembered.
        own: it is the caller's alone, where several people use the key.
    """

    def __init__(self, client: Caller, task: str, keep: float, *, own: bool = False) -> None:
        tenant = client.tenant if own else client.raw.tenant
        self._state, self._place, self._keep = client.state, (tenant, task), keep

    async def done(self, items: Sequence[str]) -> dict[str, Any]:
        """What is written down of these items and not too old."""
        if not items:
            return {}
        async with self._state.reading() as db:
            return await self._read(db, items)

    async def shown(self, items: Sequence[str]) -> dict[str, Any]:
        """As `done`, for what is only shown: nothing while the database is away, which a remark on the call says."""
        try:
            return await self.done(items)
        except StateUnwritable:
            if self._state.database is None:
                raise
            return {}

    async def all(self) -> dict[str, Any]:
        """Everything that is written down and not too old."""
        query = "select item, done from journal where tenant = ? and task = ? and at >= ? order by at"
        async with self._state.reading() as db:
            found = await db.all(query, (*self._place, db.now - self._keep))
        return {item: json.loads(done) for item, done in found}

    async def note(self, items: Mapping[str, Any]) -> None:
        """Write items down, all or none."""
        async with self._state.changing() as db:
            await self._write(db, items)
        await self._state.later(self._expire)

    async def claim(self, items: Mapping[str, Any], known: Mapping[str, Any]) -> bool:
        """Write items down if nobody else wrote of them since `known` was read; whether that is so."""
        async with self._state.changing(" ".join(self._place)) as db:
            free = await self._read(db, list(items)) == {item: known[item] for item in items if item in known}
            if free:
                await self._write(db, items)
        if free:
            await self._state.later(self._expire)
        return free

    async def strike(self, items: Iterable[str]) -> None:
        """Forget items."""
        async with self._state.changing() as db:
            change = "delete from journal where tenant = ? and task = ? and item = ?"
            await db.many(change, [(*self._place, item) for item in sorted(items)])

    async def _expire(self) -> None:
        """Delete what is too old, also of other tasks of this kind: `links a`, `links b`."""
        tenant, task = self._place
        kind = task.split(" ")[0]
        change = "delete from journal where tenant = ? and at < ? and (task = ? or task like ?)"
        await self._state.change(change, (tenant, self._state.now() - self._keep, kind, f"{kind} %"))

    async def _read(self, db: Transaction, items: Sequence[str]) -> dict[str, Any]:
        found: list[tuple[str, str]] = []
        for begin in range(0, len(items), MOST_AT_ONCE):
            part = items[begin : begin + MOST_AT_ONCE]
            query = "select item, done from journal where tenant = ? and task = ? and at >= ? and item in "
            query += f"({', '.join('?' * len(part))})"
            found += await db.all(query, (*self._place, db.now - self._keep, *part))
        return {item: json.loads(done) for item, done in found}

    async def _write(self, db: Transaction, items: Mapping[str, Any]) -> None:
        """Each a microsecond after the one before, so that they keep their order.

        They are written sorted, so that no two writers wait for each other.
        """
        rows = [
            (*self._place, item, json.dumps(done), db.now + number / 1_000_000)
            for number, (item, done) in enumerate(items.items())
        ]
        change = """insert into journal values (?, ?, ?, ?, ?)
            on conflict (tenant, task, item) do update set done = excluded.done, at = excluded.at"""
        await db.many(change, sorted(rows))

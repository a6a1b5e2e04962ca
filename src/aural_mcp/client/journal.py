"""What was done for a key, written down so that it is not done again and not forgotten when the process ends."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from aural_mcp.client.caller import Caller


class Journal:
    """What a task has done for a key, each item once; it outlives the process, and is this computer's.

    Args:
        task: what the items belong to.
        keep: seconds for which an item is remembered.
        own: it is the caller's alone, where several people use the key.
    """

    def __init__(self, client: Caller, task: str, keep: float, *, own: bool = False) -> None:
        tenant = client.tenant if own else client.raw.tenant
        self._state, self._place, self._keep = client.state, (tenant, task), keep

    def done(self, items: Sequence[str]) -> dict[str, Any]:
        """What is written down of these items."""
        if not items:
            return {}
        with self._state.changing() as db:
            self._expire(db)
            return self._read(db, items)

    def all(self) -> dict[str, Any]:
        """Everything that is written down and not too old."""
        with self._state.changing() as db:
            self._expire(db)
            query = "select item, done from journal where tenant = ? and task = ? order by at, rowid"
            found = db.execute(query, self._place).fetchall()
        return {item: json.loads(done) for item, done in found}

    def note(self, items: Mapping[str, Any]) -> None:
        """Write items down, all or none."""
        with self._state.changing() as db:
            self._write(db, items)

    def forget(self) -> None:
        """Forget the whole task."""
        with self._state.changing() as db:
            db.execute("delete from journal where tenant = ? and task = ?", self._place)

    def claim(self, items: Mapping[str, Any], known: Mapping[str, Any]) -> bool:
        """Write items down if nobody else wrote of them since `known` was read; whether that is so."""
        with self._state.changing() as db:
            free = self._read(db, items) == {item: known[item] for item in items if item in known}
            if free:
                self._write(db, items)
        return free

    def strike(self, items: Iterable[str]) -> None:
        """Forget items."""
        with self._state.changing() as db:
            change = "delete from journal where tenant = ? and task = ? and item = ?"
            db.executemany(change, [(*self._place, item) for item in items])

    def _expire(self, db: sqlite3.Connection) -> None:
        """Delete what is too old, also of other tasks of this kind: `links a`, `links b`."""
        tenant, task = self._place
        kind, since = task.split(" ")[0], time.time() - self._keep
        change = "delete from journal where tenant = ? and at < ? and (task = ? or task like ?)"
        db.execute(change, (tenant, since, kind, f"{kind} %"))

    def _read(self, db: sqlite3.Connection, items: Iterable[str]) -> dict[str, Any]:
        query = """select item, done from journal where tenant = ? and task = ?
            and item in (select value from json_each(?))"""
        found = db.execute(query, (*self._place, json.dumps(list(items)))).fetchall()
        return {item: json.loads(done) for item, done in found}

    def _write(self, db: sqlite3.Connection, items: Mapping[str, Any]) -> None:
        rows = [(*self._place, item, json.dumps(done), time.time()) for item, done in items.items()]
        db.executemany("insert or replace into journal values (?, ?, ?, ?, ?)", rows)

"""What processes on one computer share: requests sent lately, creates made lately, codes used, who is signed in.

One SQLite file in the data folder, or memory alone: a file that cannot be opened is said in the log and memory
serves this process. Keys stand in it as their SHA-256. Rows leave when they are too old to matter.
"""

from __future__ import annotations

import logging
import os
import secrets
import sqlite3
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from aural_mcp.api.errors import StateUnwritable
from aural_mcp.config import keep_private

BUSY = 5.0
"""Seconds to wait for another process that is writing."""
REMEMBERED = 600.0
"""Seconds for which the same create gets the first one's result; what came of it holds names, and goes then."""
LINKS_KEPT = 86_400.0
"""Seconds for which links are kept that Aural no longer lists; names and addresses with them."""
TABLES = """
create table if not exists grants (
    id integer primary key, tenant text not null, at real not null, ended integer not null,
    person text not null default '', turn integer not null default 0
);
create index if not exists grants_by_time on grants (tenant, at);
create table if not exists pauses (tenant text primary key, until real not null);
create table if not exists creates (
    tenant text not null, digest text not null, tool text not null, state text not null,
    begun_at real not null, result text, primary key (tenant, digest)
);
create table if not exists secrets (name text primary key, value blob not null);
create table if not exists journal (
    tenant text not null, task text not null, item text not null, done text not null, at real not null,
    primary key (tenant, task, item)
);
create table if not exists origins (
    tenant text not null, base_url text not null, origin text not null, at real not null, primary key (tenant, base_url)
);
create table if not exists codes (code text primary key, expires_at real not null);
create table if not exists asked (code text primary key, parts text not null, expires_at real not null);
create table if not exists drawn (
    tenant text not null, host text not null, at real not null, primary key (tenant, host)
);
create table if not exists sign_ins (
    id text primary key, client text not null, application text not null, issuer text not null, subject text not null,
    name text not null, role text not null, scopes text not null, resource text not null, made real not null,
    used real not null, until real not null, ended real, why text not null
);
create table if not exists tokens (
    digest text primary key, kind text not null, sign_in text not null, until real not null, used real,
    details text not null, sealed blob
);
create index if not exists tokens_of_a_sign_in on tokens (sign_in);
create table if not exists applications (
    id text primary key, made real not null, used real not null, details text not null
);
"""
log = logging.getLogger(__name__)


class State:
    """A small database that several processes may have open; opened at the first use.

    Args:
        path: gives the file at the first use; None keeps everything in memory.
    """

    def __init__(self, path: Callable[[], Path] | None = None) -> None:
        self._path, self._db = path, cast("sqlite3.Connection | None", None)
        self.is_lost = False
        """Whether there is a file that could not be opened, so that what is written down ends with this process."""

    @contextmanager
    def changing(self) -> Generator[sqlite3.Connection]:
        """One transaction that no other process writes beside.

        Raises:
            StateUnwritable: the disk is full, or another process holds the file for too long.
        """
        if self._db is None:
            self._db = self._open()
        try:
            self._db.execute("begin immediate")
            yield self._db
            self._db.execute("commit")
        except BaseException as error:
            if self._db.in_transaction:
                self._db.execute("rollback")
            if isinstance(error, sqlite3.Error):
                raise StateUnwritable(
                    f"The state file in the data folder cannot be written ({error}).",
                    "Free some space, or name another folder as AURAL_DATA_DIR and restart; then call again.",
                ) from error
            raise

    def opens(self) -> bool:
        """Whether what is written down stays: the file can be opened, or there is to be none."""
        with self.changing():
            return not self.is_lost

    def secret(self) -> bytes:
        """32 random bytes that stay the same for everybody who has this file open."""
        with self.changing() as db:
            db.execute("insert or ignore into secrets values ('confirmation', ?)", (secrets.token_bytes(32),))
            return db.execute("select value from secrets where name = 'confirmation'").fetchone()[0]

    def compact(self) -> bool:
        """Rewrite the file without what was deleted; False where another process is at it."""
        from aural_mcp.database import compact

        with self.changing() as db:
            pass
        return compact(db)

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        if self._db is not None:
            self._db.close()
            self._db = None

    def _open(self) -> sqlite3.Connection:
        if self._path is None:
            return _connected(":memory:")
        try:
            path = self._path()
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            keep_private(path)
            return _connected(str(path))
        except (OSError, ValueError, sqlite3.Error) as error:
            self.is_lost = True
            log.warning("state.db cannot be opened (%s): budget and ledger are this process's own", error)
            return _connected(":memory:")


def _connected(place: str) -> sqlite3.Connection:
    db = sqlite3.connect(place, timeout=BUSY, isolation_level=None, check_same_thread=False)
    db.execute("pragma journal_mode = wal")
    db.execute("pragma synchronous = normal")
    db.executescript(TABLES)
    _add_columns(db)
    db.execute("delete from creates where state = 'done' and begun_at < ?", (time.time() - REMEMBERED,))
    db.execute("delete from asked where expires_at < ?", (time.time(),))
    db.execute("delete from journal where task like 'links %' and at < ?", (time.time() - LINKS_KEPT,))
    return db


def _add_columns(db: sqlite3.Connection) -> None:
    """What a file of an earlier version lacks."""
    db.execute("begin immediate")
    there = {name for (name,) in db.execute("select name from pragma_table_info('grants')")}
    for name, kind in (("person", "text not null default ''"), ("turn", "integer not null default 0")):
        if name not in there:
            db.execute(f"alter table grants add column {name} {kind}")
    db.execute("commit")

"""A database, SQLite or PostgreSQL: how it is opened, and the two doors that lead to it."""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import ArgumentError, DatabaseError, NoSuchModuleError

from aural_mcp.config import BadSetting, keep_private

WRITE_LOCK = 4_184_700
"""The advisory lock by which writers on PostgreSQL take turns, as SQLite's do by themselves."""


DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class CannotOpen(BadSetting):
    """A database that this version must not use; the message says why and what to do."""


class Database:
    """`reading` and `writing` are its only doors; each is one transaction.

    Args:
        url: SQLAlchemy's, e.g. `sqlite:////folder/workspace.db` or `postgresql+psycopg://user@host/name`.
        prepare: makes the tables, or brings them up to date, in a transaction of its own.

    Raises:
        CannotOpen: the database is out of reach, its driver is not installed, or `prepare` refuses it.
    """

    def __init__(self, url: str, prepare: Callable[[Connection], None]) -> None:
        self.engine = _engine(url)
        self._turn = threading.Lock()
        try:
            with self.writing() as db:
                prepare(db)
        except (DatabaseError, sqlite3.Error) as error:
            cause = error.orig if isinstance(error, DatabaseError) else error
            if getattr(cause, "sqlite_errorcode", 0) in DAMAGED:
                raise CannotOpen(_damaged(Path(str(self.engine.url.database)))) from error
            raise CannotOpen(f"The database {self.engine.url!r} cannot be opened: {failure(error)}.") from error

    @property
    def shared(self) -> bool:
        """Whether several processes may serve this database at once."""
        return self.engine.dialect.name != "sqlite"

    @contextmanager
    def reading(self) -> Generator[Connection]:
        """One consistent view of the database."""
        with self.engine.connect() as db, db.begin():
            yield db

    @contextmanager
    def writing(self) -> Generator[Connection]:
        """One change, stored for good when the block ends and not at all when it raises. Writers take turns.

        Within this process they queue for a lock: SQLite's own waiting sleeps, and forgets who came first.
        """
        with self._turn, self.engine.connect().execution_options(aural_write=True) as db, db.begin():
            if self.shared:
                db.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITE_LOCK})")
            yield db

    def compact(self) -> bool:
        """Rewrite a file of SQLite without what was deleted; False where others are at it, or there is no file."""
        if self.shared:
            return False
        with self._turn, closing(self.engine.raw_connection()) as connection:
            return compact(cast("sqlite3.Connection", connection.driver_connection))

    def close(self) -> None:
        """Close the connections."""
        self.engine.dispose()


def compact(db: sqlite3.Connection) -> bool:
    """Rewrite a file without what was deleted, and empty the log beside it; False where that was not possible now."""
    try:
        db.execute("VACUUM")
        return db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
    except sqlite3.OperationalError:
        return False


def failure(error: Exception) -> str:
    """Why a database did not do what it was told, in its own words; nothing where it was not that."""
    if not isinstance(error, DatabaseError | sqlite3.Error):
        return ""
    cause = error.orig if isinstance(error, DatabaseError) else error
    return str(cause).partition("\n")[0].removesuffix(".")


def _engine(url: str) -> Engine:
    try:
        engine = create_engine(url, pool_pre_ping=not url.startswith("sqlite"))
    except (ArgumentError, NoSuchModuleError) as error:
        raise CannotOpen("--database must be an SQLAlchemy URL, e.g. postgresql+psycopg://user@host/name.") from error
    except ModuleNotFoundError as error:
        if url.startswith("postgresql"):
            raise CannotOpen(f"{error.name} is not installed: pip install 'aural-mcp[postgres]'.") from error
        raise CannotOpen(f"{url.partition(':')[0]} is not supported: use SQLite or PostgreSQL.") from error
    if engine.dialect.name not in ("sqlite", "postgresql"):
        raise CannotOpen(f"{engine.dialect.name} is not supported: use SQLite or PostgreSQL.")
    if engine.dialect.name == "sqlite":
        if file := engine.url.database:
            _keep_private(file)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _damaged(file: Path) -> str:
    """What to say of a file that is no database, of which a copy is kept; it stays as it is."""
    kept = Path(f"{file}.damaged")
    if not kept.exists():
        with suppress(OSError):
            kept.touch(mode=0o600)
            shutil.copyfile(file, kept)
    copy = f"a copy is kept as {kept}" if kept.exists() else "copy it first"
    return (
        f"{file} is damaged or is no database. Nothing was changed; {copy}. Stop every aural-mcp, then put a backup in "
        f"its place, or try `sqlite3 {file} .recover`, or move it away to begin anew."
    )


def _keep_private(file: str) -> None:
    """Make the file of a database, or take it from others; SQLite makes those beside it alike."""
    if file != ":memory:" and not file.startswith("file:"):
        with suppress(OSError):  # SQLite says better why it cannot be opened
            os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
        for suffix in ("", "-wal", "-shm", "-journal"):
            keep_private(Path(file + suffix))


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "busy_timeout = 10000"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(db: Connection) -> None:
    options = cast("dict[str, Any]", db.get_execution_options())
    db.exec_driver_sql("BEGIN IMMEDIATE" if options.get("aural_write") else "BEGIN")

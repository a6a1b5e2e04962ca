"""A database, SQLite or PostgreSQL: how it is opened, and the doors that lead to it."""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from pathlib import Path
from typing import Any, cast

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from aural_mcp.config import BadSetting, keep_private
from aural_mcp.locks import Find, Locks, Place

DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
CONNECTIONS = 6
"""To PostgreSQL, of one process at most; at half of them somebody may wait for another's change."""
WAITING = 32
"""Threads of one use that may work with PostgreSQL; most of them only wait, for a connection or somebody's change."""
LOST = {"connect_timeout": 10, "keepalives_idle": 10, "tcp_user_timeout": 20_000}
"""Seconds, and milliseconds, after which a server of PostgreSQL that says nothing counts as gone."""


class CannotOpen(BadSetting):
    """A database that this version must not use; the message says why and what to do."""


class MayBeStored(SQLAlchemyError):
    """The connection was lost while a change was stored: it may be there, or not."""


class Database:
    """`reading` and `writing` are its doors (and `writing_free`, for sweeps); each is one transaction.

    Args:
        url: SQLAlchemy's, e.g. `sqlite:////folder/workspace.db` or `postgresql+psycopg://user@host/name`.
        prepare: makes the tables, or brings them up to date, in a transaction of its own, alone.
        ready: whether there is nothing to prepare, so that who opens it waits for nobody.

    Raises:
        CannotOpen: the database is out of reach, its driver is not installed, or `prepare` refuses it.
    """

    def __init__(
        self,
        url: str,
        prepare: Callable[[Connection], None],
        ready: Callable[[Connection], bool] = lambda db: False,
    ) -> None:
        self.engine = _engine(url)
        self._turn, self._locks = threading.Lock(), Locks(self.engine, CONNECTIONS // 2)
        try:
            if self.shared:
                with self.reading() as db:
                    if ready(db):
                        return
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

    @property
    def at_once(self) -> int:
        """How many threads may work with it at once: on SQLite more only wait for each other's writing."""
        return WAITING if self.shared else 4

    @contextmanager
    def reading(self) -> Generator[Connection]:
        """One consistent view of the database."""
        db = self.engine.connect()
        if self.shared:
            db = db.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        with db, db.begin():
            yield db

    @contextmanager
    def writing(self, *place: str, find: Find | None = None) -> Generator[Connection]:
        """One change, stored for good when the block ends and not at all when it raises.

        On PostgreSQL changes of different places are made at the same time, and nobody else changes anything at or
        below this one; without a place, nobody changes anything. On SQLite writers take turns: within this process
        they queue for a lock, as SQLite's own waiting sleeps and forgets who came first.

        Args:
            place: what is changed, from the large to the small, such as an interview's id and a session's.
            find: reads the place first where it is not known yet; who moves meanwhile is followed.

        Raises:
            SQLAlchemyError: it was not stored; somebody else changed the place for too long, or the database is gone.
            MayBeStored: the connection was lost just when it was stored.
        """
        with self._alone(find or (lambda _: place)) as db:
            yield db
            _commit(db)

    @contextmanager
    def writing_free(self, places: Sequence[Place]) -> Generator[tuple[Connection, list[Place]]]:
        """One change of those of these places that nobody changes now; none is waited for."""
        if not self.shared:
            with self.writing() as db:
                yield db, list(places)
            return
        with self.engine.connect() as db:
            yield db, self._locks.free(db, places)
            _commit(db)

    def _alone(self, find: Find) -> AbstractContextManager[Connection]:
        return self._locks.held(find) if self.shared else self._in_turn()

    @contextmanager
    def _in_turn(self) -> Generator[Connection]:
        with self._turn, self.engine.connect().execution_options(aural_write=True) as db:
            db.begin()
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


def _commit(db: Connection) -> None:
    try:
        db.commit()
    except DBAPIError as error:
        if error.connection_invalidated:
            raise MayBeStored("The connection was lost at the commit.") from error
        raise


def failure(error: Exception) -> str:
    """Why a database did not do what it was told, in its own words; nothing where it was not that."""
    if not isinstance(error, DatabaseError | sqlite3.Error):
        return ""
    cause = error.orig if isinstance(error, DatabaseError) else error
    return str(cause).partition("\n")[0].removesuffix(".")


def _engine(url: str) -> Engine:
    try:
        known = make_url(url)
        engine = create_engine(known, **({} if known.get_backend_name() == "sqlite" else _served(known)))
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


def _served(url: URL) -> dict[str, Any]:
    """How the pool is kept to a server; what the URL says of its connections comes first."""
    ours = LOST if url.get_driver_name().startswith("psycopg") else {}
    return {
        "pool_size": CONNECTIONS,
        "max_overflow": 0,
        "pool_timeout": 20,
        "pool_pre_ping": True,
        "isolation_level": "READ COMMITTED",  # what is read once a lock is held must be what stands there now
        "connect_args": {name: value for name, value in ours.items() if name not in url.query},
    }


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

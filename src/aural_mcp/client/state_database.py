"""The shared state in PostgreSQL: what replicas on several machines share.

Its clock is everybody's, since theirs differ. Whoever counts and then writes holds a lock of the key meanwhile, so
keys never wait for each other.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import math
import re
import secrets
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from functools import lru_cache
from typing import Any, LiteralString, NamedTuple, cast
from weakref import WeakValueDictionary

import anyio

from aural_mcp.api.errors import StateUnwritable
from aural_mcp.client.schema import LOG, OVER, TABLES, VERSION
from aural_mcp.config import BadSetting

try:
    import psycopg
    from psycopg.conninfo import conninfo_to_dict
    from psycopg_pool import AsyncConnectionPool, PoolTimeout
except ModuleNotFoundError as error:
    raise BadSetting(f"{error.name} is not installed: pip install 'aural-mcp[postgres]'.") from error

Connection = psycopg.AsyncConnection[tuple[Any, ...]]
MOST, WAIT, AT_ONCE = 8, 3.0, 500
"""Connections of a process, seconds to wait for one, and rows that are written at once."""
SILENT, LOST = 6.0, 1.0
"""Seconds until a server that does not even say that it took too long is lost, and until one that is is asked again."""
SEEN_EVERY, GONE = 5.0, 600.0
"""Seconds between two signs of life of a process, and without one until it is taken for gone."""
PATIENCE = 120.0
"""Seconds for which a change that nobody waits for is tried."""
SCHEMA = "aural_mcp_state"
LIMITS = "-c statement_timeout=5000 -c lock_timeout=4000 -c idle_in_transaction_session_timeout=10000"
REPLICAS = "create table if not exists replicas (id text primary key, seen double precision not null)"
MIGRATING = 4_184_701
"""The lock of the process that makes the tables."""
NO_RIGHT = (
    "The database of AURAL_STATE_URL does not let the role {user} make its tables. Let who owns the database say: "
    f"create schema {SCHEMA} authorization {{user}}"
)
OPENING = "begin; select pg_advisory_xact_lock({number}); select moment()"
FUNCTIONS = """
create or replace function moment() returns double precision language sql volatile as
    'select extract(epoch from clock_timestamp())::double precision';
create or replace function take(
    whose text, who text, most bigint, number bigint, span double precision, longest double precision,
    out taken bigint, out at_now double precision, out room double precision
) language plpgsql as $$
declare held bigint; oldest double precision; waits bigint; paused double precision;
begin
    perform pg_advisory_xact_lock(number);
    at_now := moment();
    delete from grants where tenant = whose and ended < 2 and at <= at_now - span - longest * (1 - ended);
    select count(*) filter (where ended < 2), count(*) filter (where ended = 2),
        min(at) filter (where ended = 1) into held, waits, oldest from grants where tenant = whose;
    select until into paused from pauses where tenant = whose;
    if waits > 0 or held >= most or coalesce(paused, 0) > at_now then
        return;
    end if;
    select greatest(coalesce(max(id), 0) + 1, (at_now * 1000000)::bigint) into taken from grants where tenant = whose;
    insert into grants (tenant, id, at, ended, person, turn)
        select whose, taken, at_now, 0, who, coalesce(max(turn), 0) + 1 from grants where tenant = whose;
    room := case when held + 1 < most then at_now else coalesce(oldest, at_now) + span end;
end $$;
"""
log = logging.getLogger(__name__)


class Silent(psycopg.OperationalError):
    """The server says nothing."""


class Taken(NamedTuple):
    """A request that may leave at once, and when another one may; no number where it is not that simple."""

    number: int | None
    now: float
    room: float


class Answer(NamedTuple):
    """What a statement gave, and how many rows it gave or changed."""

    rows: list[tuple[Any, ...]]
    number: int


class DatabaseTransaction:
    """Statements on one connection."""

    def __init__(self, db: Connection, now: float) -> None:
        self._db, self.now = db, now

    async def all(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return (await _executed(self._db, query, values)).rows

    async def one(self, query: str, values: Sequence[Any] = ()) -> tuple[Any, ...] | None:
        return next(iter(await self.all(query, values)), None)

    async def change(self, query: str, values: Sequence[Any] = ()) -> int:
        return (await _executed(self._db, query, values)).number

    async def many(self, query: str, rows: Sequence[Sequence[Any]]) -> int:
        number, cursor = 0, self._db.cursor()
        for start in range(0, len(rows), AT_ONCE):
            async with _answered(self._db):
                await cursor.executemany(_said(query), [tuple(row) for row in rows[start : start + AT_ONCE]])
            number += max(0, cursor.rowcount)
        return number


class Statements:
    """Statements that do not hold together, each one trip; the time is as it is known here."""

    def __init__(self, database: StateDatabase) -> None:
        self._database, self.now = database, database.now()

    async def all(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return await self._database.rows(query, values)

    async def one(self, query: str, values: Sequence[Any] = ()) -> tuple[Any, ...] | None:
        return next(iter(await self._database.rows(query, values)), None)

    async def change(self, query: str, values: Sequence[Any] = ()) -> int:
        return await self._database.change(query, values)

    async def many(self, query: str, rows: Sequence[Sequence[Any]]) -> int:
        return sum([await self._database.change(query, row) for row in rows])


class StateDatabase:
    """A pool of connections, opened at the first use by the event loop that uses it.

    Args:
        url: SQLAlchemy's, e.g. `postgresql+psycopg://user@host/name`.

    Raises:
        BadSetting: it is not the address of a PostgreSQL database, or its driver is not installed.
    """

    is_lost = False

    def __init__(self, url: str) -> None:
        self._given, self.id = _read_url(url), secrets.token_hex(4)
        self._pool: AsyncConnectionPool[Connection] | None = None
        self._ready, self._opening, self._closing = False, anyio.Lock(), anyio.Event()
        self._lost_until, self._ahead = 0.0, 0.0
        self._behind = set[asyncio.Task[None]]()
        self._began, self._heard = math.inf, -math.inf
        self._spared = dict[str, float]()
        self._turns = WeakValueDictionary[str, anyio.Lock]()
        self.replicas: tuple[str, ...] = (self.id,)
        """The processes that share it, as far as was heard."""

    @property
    def is_away(self) -> bool:
        return self._lost_until > 0

    def now(self) -> float:
        return time.monotonic() + self._ahead if self._ahead else time.time()

    @asynccontextmanager
    async def changing(self, key: str = "") -> AsyncGenerator[DatabaseTransaction]:
        opening = OPENING.format(number=number_of(key)) if key else "begin; select moment()"
        async with self._turn(key):
            db, answer = await self._first(opening, None)
            try:
                yield DatabaseTransaction(db, answer.rows[0][0])
                await _executed(db, "commit")
            except psycopg.Error as error:
                await _undo(db)
                raise self._lost(error) from error
            except BaseException:
                await _undo(db)
                raise
            finally:
                await self._give_back(db)

    @asynccontextmanager
    async def reading(self) -> AsyncGenerator[Statements]:
        await self._opened()
        yield Statements(self)

    async def rows(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows that a statement by itself gives, in one trip."""
        db, answer = await self._first(query, values)
        await self._give_back(db)
        return answer.rows

    async def take(self, tenant: str, person: str, most: int, span: float, longest: float) -> Taken:
        """Take a request of a key's budget if nobody waits and the window has room, in one trip.

        Raises:
            StateUnwritable: the database is lost.
        """
        given = tenant, person, most, number_of(tenant), span, longest
        async with self._turn(tenant):
            [(number, now, room)] = await self.rows("select taken, at_now, room from take(?, ?, ?, ?, ?, ?)", given)
        return Taken(number, now, room)

    async def change(self, query: str, values: Sequence[Any] = ()) -> int:
        db, answer = await self._first(query, values)
        await self._give_back(db)
        return answer.number

    def spare(self, tenant: str, span: float) -> bool:
        """Whether a key may send one request now although nobody can be asked, until `spared` says that it ended.

        A key may send 60 requests a minute, and the log grants 58: of the two that are left each goes to one of the
        processes that were heard of, the same two for as long as one that says nothing is taken to be there.
        """
        now = time.monotonic()
        knows = self._heard - self._began > 2 * SEEN_EVERY and now < self._heard + GONE - 2 * SEEN_EVERY
        order = sorted(self.replicas, key=lambda each: number_of(f"{tenant} {each}"))
        may = knows and self.id in order[:2] and now - self._spared.get(tenant, -math.inf) > span
        if may:
            self._spared[tenant] = math.inf
        return may

    def spared(self, tenant: str) -> None:
        """The request that a key could spare is over, and counts from now."""
        self._spared[tenant] = time.monotonic()

    async def later(self, change: Callable[[], Awaitable[object]]) -> None:
        self._start(self._patiently(change))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._behind.add(task)
        task.add_done_callback(self._behind.discard)

    async def compact(self) -> bool:
        return True

    async def aclose(self) -> None:
        """Finish what nobody waits for, say goodbye, and close the connections."""
        if self._pool is None:
            return
        self._closing.set()
        with anyio.move_on_after(WAIT, shield=True):
            while self._behind:
                await asyncio.wait(self._behind)
        with suppress(StateUnwritable), anyio.move_on_after(WAIT * self._ready, shield=True):
            await self.change("delete from replicas where id = ?", (self.id,))
        pool, self._pool = self._pool, None
        await pool.close()
        self._ready, self._opening, self._closing = False, anyio.Lock(), anyio.Event()

    def _turn(self, key: str) -> AbstractAsyncContextManager[None]:
        """A key's callers take turns here, so that one that is held up takes one connection, not all."""
        return self._turns.setdefault(key, anyio.Lock()) if key else nullcontext()

    async def _first(self, query: str, values: Sequence[Any] | None = ()) -> tuple[Connection, Answer]:
        """A connection and what its first statement answers; one that broke while it was idle is replaced."""
        pool = await self._opened()
        with anyio.CancelScope(shield=True):  # else nobody would have the connection
            for _ in range(MOST + 1):
                db = await self._connection(pool)
                try:
                    return db, await _executed(db, query, values)
                except psycopg.Error as error:
                    await self._give_back(db)
                    if not db.closed or isinstance(error, Silent):
                        raise self._lost(error) from error
        raise self._lost(None)

    async def _connection(self, pool: AsyncConnectionPool[Connection]) -> Connection:
        if time.monotonic() < self._lost_until:
            raise self._lost(None)
        try:
            db = await pool.getconn()
        except (PoolTimeout, psycopg.Error) as error:
            raise self._lost(error) from error
        self._lost_until = 0.0
        return db

    async def _give_back(self, db: Connection) -> None:
        with anyio.CancelScope(shield=True):
            if self._pool is None:
                await db.close()
            else:
                await self._pool.putconn(db)

    def _lost(self, error: Exception | None) -> StateUnwritable:
        if isinstance(error, PoolTimeout | Silent):
            self._lost_until = time.monotonic() + LOST
        if error is not None:
            log.warning("The shared state cannot be used: %s", str(error).partition("\n")[0])
        return StateUnwritable(
            "The database that holds the shared state cannot be reached, so nothing more was sent.",
            "Call again in a few seconds: nothing is done twice. If it lasts, tell whoever runs this server.",
        )

    async def _patiently(self, change: Callable[[], Awaitable[object]]) -> None:
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            try:
                await change()
                return
            except StateUnwritable:
                if self._closing.is_set():
                    return
                await anyio.sleep(LOST)

    # ── Opening ─────────────────────────────────────────────────────────────────────────────────

    async def _opened(self) -> AsyncConnectionPool[Connection]:
        if self._pool is None or not self._ready:
            async with self._opening:
                if self._pool is None:
                    self._pool = await self._open_pool()
                if not self._ready:
                    await self._prepare(self._pool)
        return self._pool

    async def _open_pool(self) -> AsyncConnectionPool[Connection]:
        given = {"connect_timeout": 3, "application_name": "aural-mcp", "tcp_user_timeout": 5000, **self._given}
        options = f"{LIMITS} {self._given.get('options', '')}"
        pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            kwargs={**given, "autocommit": True, "options": options},
            min_size=1,
            max_size=MOST,
            timeout=WAIT,
            reconnect_timeout=LOST,
            configure=_configure,
            open=False,
        )
        await pool.open()
        return pool

    async def _prepare(self, pool: AsyncConnectionPool[Connection]) -> None:
        """Make the tables, or see that they are ours; one process does, and the others wait for it."""
        db = await self._connection(pool)
        try:
            async with _answered(db), db.transaction():
                await _migrate(db)
            [(now,)] = (await _executed(db, "select moment()")).rows
            self._ahead = now - time.monotonic()
        except psycopg.errors.InsufficientPrivilege as error:
            raise BadSetting(NO_RIGHT.format(user=db.info.user)) from error
        except psycopg.Error as error:
            raise self._lost(error) from error
        finally:
            await self._give_back(db)
        self._ready = True
        self._start(self._live())

    async def _live(self) -> None:
        """Give signs of life, hear who else does, and delete what is over."""
        seen = "insert into replicas values (?, ?) on conflict (id) do update set seen = excluded.seen"
        while not self._closing.is_set():
            with suppress(StateUnwritable):
                async with self.changing() as db:
                    self._heard = time.monotonic()
                    self._ahead = db.now - self._heard
                    self._began = min(self._began, self._heard)
                    await db.change(seen, (self.id, db.now))
                    await db.change("delete from replicas where seen < ?", (db.now - GONE,))
                    self.replicas = tuple(each for (each,) in await db.all("select id from replicas order by id"))
                    for query, seconds in OVER if self.replicas[0] == self.id else ():
                        await db.change(query, (db.now - seconds,))
            with anyio.move_on_after(SEEN_EVERY):
                await self._closing.wait()


def _read_url(url: str) -> dict[str, Any]:
    """What an address says, by libpq's names; a message about it would show a part of the password."""
    scheme, _, rest = url.partition("://")
    if scheme not in ("postgresql", "postgresql+psycopg", "postgres") or not rest:
        raise BadSetting("AURAL_STATE_URL must be of PostgreSQL: postgresql+psycopg://user@host/name.")
    with suppress(psycopg.ProgrammingError):
        read = conninfo_to_dict(f"postgresql://{rest}")
        if "@" not in str(read.get("host", "")) and re.fullmatch(r"[\d,]*", str(read.get("port", ""))):
            return read
    raise BadSetting(
        "AURAL_STATE_URL cannot be read: postgresql+psycopg://user:password@host:5432/name is its form. In a password "
        "@ is written %40, / %2F and % %25."
    )


async def _configure(db: Connection) -> None:
    await db.execute(f"set search_path = {SCHEMA}")


async def _migrate(db: Connection) -> None:
    await db.execute("select pg_advisory_xact_lock(%s)", (MIGRATING,))
    exists = await db.execute("select to_regclass('schema_version') is not null, current_schema() is not null")
    made, has_schema = (await exists.fetchone()) or (False, False)
    if not has_schema:
        await db.execute(f"create schema {SCHEMA}")
    if not made:
        await db.execute("create table schema_version (version integer not null)")
    found = await (await db.execute("select version from schema_version")).fetchone()
    if found is not None and found[0] > VERSION:
        raise BadSetting(
            f"The database of AURAL_STATE_URL was made by a newer aural-mcp (schema {found[0]}; this one knows "
            f"{VERSION}). Upgrade aural-mcp. Nothing was changed."
        )
    if found is None:
        for statements in (TABLES, LOG, REPLICAS, FUNCTIONS):
            await db.execute(cast(LiteralString, statements))
        await db.execute("insert into schema_version values (%s)", (VERSION,))


async def _executed(db: Connection, query: str, values: Sequence[Any] | None = ()) -> Answer:
    """What the last statement answers; who is cancelled meanwhile is so afterwards, and the connection stays good."""
    cursor = db.cursor()
    async with _answered(db):
        await cursor.execute(_said(query), None if values is None else tuple(values))
        while cursor.nextset():
            pass
    return Answer(await cursor.fetchall() if cursor.description else [], cursor.rowcount)


@asynccontextmanager
async def _answered(db: Connection) -> AsyncGenerator[None]:
    """Hear the server's answer, also for somebody who was cancelled; a connection on which none comes is given up."""
    with anyio.move_on_after(SILENT, shield=True) as waiting:
        yield
    if waiting.cancelled_caught:
        db.pgconn.finish()
        raise Silent("the server does not answer")


async def _undo(db: Connection) -> None:
    with suppress(psycopg.Error):
        await _executed(db, "rollback")


def number_of(key: str) -> int:
    """The number of the lock that stands for a key."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], signed=True)


@lru_cache(maxsize=256)
def _said(query: str) -> LiteralString:
    """A statement as psycopg takes it, with values or without."""
    return cast(LiteralString, query.replace("%", "%%").replace("?", "%s"))

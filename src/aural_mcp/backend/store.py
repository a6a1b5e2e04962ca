"""The database that holds a workspace: its transactions, its owner, its keys."""

from __future__ import annotations

import hashlib
import secrets
import uuid
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from sqlalchemy import Connection, Engine, Select, create_engine, event, insert, select, update

from aural_mcp.backend.tables import (
    api_keys,
    messages,
    metadata,
    organization_members,
    organizations,
    profiles,
    projects,
    questions,
    settings,
    stamp_of,
    stamp_text,
)

SCHEMA_VERSION = 1
BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
SLUG_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"

Row = dict[str, Any]


def now() -> str:
    """This moment as Aural writes it."""
    return stamp_text(stamp_of(datetime.now(UTC)))


def stamp_after(earlier: str, *, least: int = 1) -> str:
    """This moment, but at least so many microseconds after the given one: turns keep their order."""
    return stamp_text(max(stamp_of(datetime.now(UTC)), stamp_of(datetime.fromisoformat(earlier)) + least))


def seconds_between(earlier: str, later: str) -> int:
    """Whole seconds from one time to another."""
    return max(0, int((datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()))


@dataclass(frozen=True)
class Owner:
    """Who owns a workspace that this computer made: one user, one organization, one project."""

    user_id: str


class Store:
    """A database with the tables made. `reading` and `writing` are its only doors; each is one transaction."""

    def __init__(self, url: str) -> None:
        self.engine = _engine(url)
        with self.writing() as db:
            metadata.create_all(db)
            if setting(db, "schema_version") is None:
                save_setting(db, "schema_version", SCHEMA_VERSION)

    @contextmanager
    def reading(self) -> Generator[Connection]:
        """One consistent view of the database."""
        with self.engine.connect() as db, db.begin():
            yield db

    @contextmanager
    def writing(self) -> Generator[Connection]:
        """One change, stored for good when the block ends and not at all when it raises."""
        with self.engine.connect().execution_options(aural_write=True) as db, db.begin():
            yield db

    def close(self) -> None:
        self.engine.dispose()


def owner(store: Store) -> Owner:
    """The local user, made on first use together with an organization and a project."""
    with store.writing() as db:
        if user_id := setting(db, "owner"):
            return Owner(user_id)
        moment = now()
        stamps = {"createdAt": moment, "updatedAt": moment}
        user, organization, project = new_id(), new_id(), new_id()
        member = {"userId": user, "role": "OWNER"}
        for table, row in (
            (profiles, {"id": user, "name": "Local user", "email": "local@localhost", "role": "USER", **stamps}),
            (
                organizations,
                {"id": organization, "name": "Local workspace", "slug": "local", "ownerId": user, **stamps},
            ),
            (organization_members, {"id": new_id(), "workspaceId": organization, "joinedAt": moment, **member}),
            (projects, {"id": project, "organizationId": organization, "name": "Default", "createdBy": user, **stamps}),
        ):
            db.execute(insert(table).values(row))
        save_setting(db, "owner", user)
        save_setting(db, "workspace", new_id())
        return Owner(user)


def create_key(store: Store, user_id: str, name: str) -> str:
    """A new API key for the user; the secret is returned here and stored only as its SHA-256."""
    body = "".join(secrets.choice(BASE62) for _ in range(30))
    secret = f"dlv_{body}{checksum(body)}"
    with store.writing() as db:
        row = {"id": new_id(), "userId": user_id, "name": name, "hash": digest(secret), "createdAt": now()}
        db.execute(insert(api_keys).values(row))
    return secret


def has_keys(store: Store) -> bool:
    """Whether anybody could already use this workspace over HTTP."""
    with store.reading() as db:
        return db.execute(select(api_keys.c.id).where(api_keys.c.isActive).limit(1)).first() is not None


def checksum(body: str) -> str:
    """Six base62 characters over a key's body, so that a mistyped key can be told from an unknown one."""
    number, text = zlib.crc32(body.encode()), ""
    for _ in range(6):
        number, digit = divmod(number, 62)
        text = BASE62[digit] + text
    return text


def digest(secret: str) -> str:
    """What is stored in place of a secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def new_id() -> str:
    """A random UUID, lower case."""
    return str(uuid.uuid4())


def new_token(length: int) -> str:
    """Random lower-case letters and digits; 20 of them carry 103 bits."""
    return "".join(secrets.choice(SLUG_ALPHABET) for _ in range(length))


def rows(db: Connection, query: Select[Any]) -> list[Row]:
    """Every row of a query as a dict of Aural's names."""
    return [dict(row) for row in db.execute(query).mappings()]


def one(db: Connection, query: Select[Any]) -> Row | None:
    """The first row of a query, or None."""
    found = db.execute(query).mappings().first()
    return dict(found) if found else None


def questions_of(db: Connection, interview_id: str) -> list[Row]:
    """The questions of an interview in the order in which they are asked."""
    column = questions.c
    mine = select(questions).where(column.interviewId == interview_id)
    return rows(db, mine.order_by(column.order, column.createdAt, column.id))


def turns_of(db: Connection, session_id: str) -> list[Row]:
    """The messages of a session, oldest first."""
    column = messages.c
    return rows(db, select(messages).where(column.sessionId == session_id).order_by(column.timestamp, column.id))


def setting(db: Connection, name: str) -> Any:
    """A value that belongs to the workspace itself, or None."""
    return db.execute(select(settings.c.value).where(settings.c.name == name)).scalar()


def save_setting(db: Connection, name: str, value: Any) -> None:
    """Store a value that belongs to the workspace itself."""
    if not db.execute(update(settings).where(settings.c.name == name).values(value=value)).rowcount:
        db.execute(insert(settings).values(name=name, value=value))


def _engine(url: str) -> Engine:
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "busy_timeout = 10000"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(db: Connection) -> None:
    options = cast("dict[str, Any]", db.get_execution_options())
    db.exec_driver_sql("BEGIN IMMEDIATE" if options.get("aural_write") else "BEGIN")

"""The database that holds a workspace: its transactions, its owner, its keys."""

from __future__ import annotations

import hashlib
import re
import secrets
import sqlite3
import uuid
import zlib
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import DDL, Connection, Select, insert, inspect, select, update

from aural_mcp.backend.storage.tables import (
    ASKS,
    LATER,
    api_keys,
    messages,
    metadata,
    organization_members,
    organizations,
    profiles,
    projects,
    questions,
    requests,
    sessions,
    settings,
    stamp_of,
    stamp_text,
)
from aural_mcp.database import CannotOpen as CannotOpen
from aural_mcp.database import Database
from aural_mcp.events import outbox

SCHEMA_VERSION = 2
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
"""What no database takes as text."""
PERSON = "person"
"""The kind of request by which somebody would rather speak with a person."""
BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
UNNAMED = "Local workspace"
"""What an organization is called that nobody has named."""
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


class Store(Database):
    """A database with the workspace's tables made.

    Args:
        url: SQLAlchemy's, e.g. `sqlite:////folder/workspace.db` or `postgresql+psycopg://user@host/name`.

    Raises:
        CannotOpen: the database is out of reach, its driver is not installed, or a newer version made it.
    """

    def __init__(self, url: str) -> None:
        super().__init__(url, _bring_up_to_date, _is_up_to_date)


def _is_up_to_date(db: Connection) -> bool:
    """Whether the tables are all there, as this version makes them."""
    there, names = inspect(db), {table.name for table in (settings, *LATER, *outbox.metadata.tables.values())}
    if not names <= {*there.get_table_names()} or setting(db, "schema_version") != SCHEMA_VERSION:
        return False
    return ASKS in {column["name"] for column in there.get_columns(sessions.name)} and not _wishes(db)


def _bring_up_to_date(db: Connection) -> None:
    """Make the tables of a new database; migrate an older one, keeping a copy; refuse a newer one."""
    if not inspect(db).has_table(settings.name):
        metadata.create_all(db)
        outbox.make_tables(db)
        save_setting(db, "schema_version", SCHEMA_VERSION)
        return
    version = setting(db, "schema_version")
    if not isinstance(version, int):
        raise CannotOpen("This database has the tables of a workspace, but not which version made them. Use another.")
    if version > SCHEMA_VERSION:
        raise CannotOpen(
            f"This workspace was made by a newer aural-mcp (schema {version}; this one knows {SCHEMA_VERSION}). "
            "Upgrade aural-mcp, or choose another AURAL_DATA_DIR or --database. Nothing was changed."
        )
    if version < SCHEMA_VERSION:
        _keep_a_copy(db, version)
        for step in range(version, SCHEMA_VERSION):
            MIGRATIONS[step](db)
        save_setting(db, "schema_version", SCHEMA_VERSION)
    for table in LATER:
        table.create(db, checkfirst=True)
    outbox.make_tables(db)
    if ASKS not in {column["name"] for column in inspect(db).get_columns(sessions.name)}:
        db.execute(DDL(f'ALTER TABLE {sessions.name} ADD COLUMN "{ASKS}" BIGINT'))
    take_up_wishes(db)


def take_up_wishes(db: Connection) -> None:
    """Make a request of each wish for a person that an earlier version stored, so that somebody can close it."""
    for wish in _wishes(db):
        db.execute(insert(requests).values(id=new_id(), kind=PERSON, **wish))


def _wishes(db: Connection) -> list[Row]:
    open_ones = select(requests.c.sessionId).where(requests.c.kind == PERSON, requests.c.closedAt.is_(None))
    column = sessions.c
    known = open_ones.where(requests.c.sessionId == column.id).exists()
    wishes = select(column.id.label("sessionId"), column.interviewId, column[ASKS].label("at"))
    return rows(db, wishes.where(column[ASKS].is_not(None), ~known))


MIGRATIONS: dict[int, Callable[[Connection], None]] = {1: outbox.make_tables}
"""What leads from a schema version to the next one."""


def _keep_a_copy(db: Connection, version: int) -> None:
    """Copy an SQLite workspace beside itself before it is migrated; it is read as it was before this transaction."""
    file = db.engine.url.database
    if db.engine.dialect.name == "sqlite" and file:
        kept = Path(f"{file}.v{version}")
        kept.touch(mode=0o600)
        with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(kept)) as copy:
            source.backup(copy)


def owner(store: Store) -> Owner:
    """The local user, made on first use together with an organization and a project.

    In an imported workspace it is the owner of its first organization, and nothing is made.
    """
    with store.reading() as db:
        if user_id := setting(db, "owner"):
            return Owner(user_id)
    with store.writing() as db:
        if user_id := setting(db, "owner"):
            return Owner(user_id)
        first = select(organizations.c.ownerId).order_by(organizations.c.createdAt, organizations.c.id).limit(1)
        user_id = db.execute(first).scalar() or _make_workspace(db)
        save_setting(db, "owner", user_id)
        save_setting(db, "workspace", new_id())
        return Owner(user_id)


def _make_workspace(db: Connection) -> str:
    moment = now()
    stamps = {"createdAt": moment, "updatedAt": moment}
    user, organization, project = new_id(), new_id(), new_id()
    member = {"userId": user, "role": "OWNER"}
    for table, row in (
        (profiles, {"id": user, "name": "Local user", "email": "local@localhost", "role": "USER", **stamps}),
        (organizations, {"id": organization, "name": UNNAMED, "slug": "local", "ownerId": user, **stamps}),
        (organization_members, {"id": new_id(), "workspaceId": organization, "joinedAt": moment, **member}),
        (projects, {"id": project, "organizationId": organization, "name": "Default", "createdBy": user, **stamps}),
    ):
        db.execute(insert(table).values(row))
    return user


def create_key(store: Store, user_id: str, name: str, expires_at: str | None = None) -> str:
    """A new API key for the user; the secret is returned here and stored only as its SHA-256."""
    with store.writing() as db:
        return _new_key(db, user_id, name, expires_at)


def create_first_key(store: Store, user_id: str) -> str | None:
    """A key for the user of a workspace that has none; of several processes that start at once, one makes it."""
    with store.reading() as db:
        if _has_keys(db):
            return None
    with store.writing() as db:
        return None if _has_keys(db) else _new_key(db, user_id, "first")


def _has_keys(db: Connection) -> bool:
    """Whether anybody could already use this workspace over HTTP."""
    return db.execute(select(api_keys.c.id).where(api_keys.c.isActive).limit(1)).first() is not None


def _new_key(db: Connection, user_id: str, name: str, expires_at: str | None = None) -> str:
    body = "".join(secrets.choice(BASE62) for _ in range(30))
    secret = f"dlv_{body}{checksum(body)}"
    row = {"id": new_id(), "userId": user_id, "name": name, "hash": digest(secret), "createdAt": now()}
    db.execute(insert(api_keys).values(**row, expiresAt=expires_at))
    return secret


def list_keys(store: Store) -> list[Row]:
    """Every key, oldest first, without its secret or hash."""
    column = api_keys.c
    shown = select(column.id, column.name, column.createdAt, column.expiresAt, column.isActive, profiles.c.email)
    with store.reading() as db:
        return rows(db, shown.join(profiles, profiles.c.id == column.userId).order_by(column.createdAt, column.id))


def revoke_key(store: Store, key_id: str) -> bool:
    """Refuse a key from now on; False when there is no such key."""
    with store.writing() as db:
        return db.execute(update(api_keys).where(api_keys.c.id == key_id).values(isActive=False)).rowcount > 0


def user_of(store: Store, email: str) -> str | None:
    """The id of the user with this address."""
    with store.reading() as db:
        return db.execute(select(profiles.c.id).where(profiles.c.email == email)).scalar()


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


def rows(db: Connection, query: Select[*tuple[Any, ...]]) -> list[Row]:
    """Every row of a query as a dict of Aural's names."""
    return [dict(row) for row in db.execute(query).mappings()]


def one(db: Connection, query: Select[*tuple[Any, ...]]) -> Row | None:
    """The first row of a query, or None."""
    found = db.execute(query).mappings().first()
    return dict(found) if found else None


def questions_of(db: Connection, interview_id: str) -> list[Row]:
    """The questions of an interview in the order in which they are asked."""
    column = questions.c
    mine = select(questions).where(column.interviewId == interview_id)
    return rows(db, mine.order_by(column.order, column.createdAt, column.id))


def turns_of(db: Connection, session_id: str, *fields: str) -> list[Row]:
    """The messages of a session, oldest first, with these fields or all."""
    column = messages.c
    wanted = select(*(column[name] for name in fields)) if fields else select(messages)
    return rows(db, wanted.where(column.sessionId == session_id).order_by(column.timestamp, column.id))


def setting(db: Connection, name: str) -> Any:
    """A value that belongs to the workspace itself, or None."""
    return db.execute(select(settings.c.value).where(settings.c.name == name)).scalar()


def save_setting(db: Connection, name: str, value: Any) -> None:
    """Store a value that belongs to the workspace itself."""
    if not db.execute(update(settings).where(settings.c.name == name).values(value=value)).rowcount:
        db.execute(insert(settings).values(name=name, value=value))

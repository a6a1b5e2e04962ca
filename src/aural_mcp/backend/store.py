"""The workspace's tables (Aural's names) and the database that holds them."""

from __future__ import annotations

import hashlib
import secrets
import uuid
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Connection,
    Dialect,
    Engine,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Select,
    String,
    Table,
    Text,
    create_engine,
    event,
    insert,
    select,
    update,
)
from sqlalchemy.types import TypeDecorator

SCHEMA_VERSION = 1
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
SLUG_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"

Row = dict[str, Any]


def now() -> str:
    """This moment as Aural writes it: RFC 3339, microseconds without trailing zeros, +00:00."""
    return stamp_text(_microseconds(datetime.now(UTC)))


def stamp_text(microseconds: int) -> str:
    """Microseconds since 1970 as Aural writes a time."""
    text = (EPOCH + timedelta(microseconds=microseconds)).isoformat()
    return text.replace("+00:00", "").rstrip("0") + "+00:00" if "." in text else text


def stamp_after(earlier: str, *, least: int = 1) -> str:
    """This moment, but at least so many microseconds after the given one: turns keep their order."""
    return stamp_text(max(_microseconds(datetime.now(UTC)), _microseconds(datetime.fromisoformat(earlier)) + least))


def seconds_between(earlier: str, later: str) -> int:
    """Whole seconds from one time to another."""
    return max(0, int((datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()))


def _microseconds(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


class Stamp(TypeDecorator[str]):
    """A time: text as Aural writes it here, whole microseconds in the database, so that order is exact."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> int | None:
        return None if value is None else _microseconds(datetime.fromisoformat(value))

    def process_result_value(self, value: int | None, dialect: Dialect) -> str | None:
        return None if value is None else stamp_text(value)


metadata = MetaData()
_JSON = JSON(none_as_null=True)


def _id(*, parent: str | None = None, optional: bool = False, name: str = "id") -> Column[str]:
    if parent is None:
        return Column(name, String, primary_key=True)
    return Column(name, String, ForeignKey(f"{parent}.id", ondelete="CASCADE"), nullable=optional, index=True)


settings = Table("aural_mcp_settings", metadata, Column("name", String, primary_key=True), Column("value", _JSON))
session_tokens = Table(
    "aural_mcp_session_tokens",
    metadata,
    Column("hash", String, primary_key=True),
    _id(parent="sessions", name="sessionId"),
)
profiles = Table(
    "profiles",
    metadata,
    _id(),
    Column("email", String),
    Column("name", String),
    Column("avatar", String),
    Column("organization", String),
    Column("role", String),
    Column("createdAt", Stamp),
    Column("updatedAt", Stamp),
)
organizations = Table(
    "organizations",
    metadata,
    _id(),
    Column("name", String),
    Column("slug", String),
    _id(parent="profiles", name="ownerId", optional=True),
    Column("createdAt", Stamp),
    Column("updatedAt", Stamp),
)
organization_members = Table(
    "organization_members",
    metadata,
    _id(),
    _id(parent="organizations", name="workspaceId"),
    _id(parent="profiles", name="userId"),
    Column("role", String, nullable=False),
    Column("joinedAt", Stamp),
)
projects = Table(
    "projects",
    metadata,
    _id(),
    _id(parent="organizations", name="organizationId"),
    Column("name", String),
    Column("description", Text),
    Column("createdBy", String),
    Column("createdAt", Stamp),
    Column("updatedAt", Stamp),
)
project_members = Table(
    "project_members",
    metadata,
    _id(),
    _id(parent="projects", name="projectId"),
    _id(parent="profiles", name="userId"),
    Column("role", String, nullable=False),
    Column("assignedAt", Stamp),
)
interviews = Table(
    "interviews",
    metadata,
    _id(),
    Column("title", Text, nullable=False),
    Column("description", Text),
    Column("objective", Text),
    Column("assessmentCriteria", _JSON),
    Column("mode", String, nullable=False, default="CHAT"),
    Column("allowModeSwitch", Boolean, nullable=False, default=True),
    Column("userId", String, nullable=False),
    _id(parent="projects", name="projectId", optional=True),
    Column("aiPersona", _JSON),
    Column("aiName", Text, nullable=False, default="Aural"),
    Column("aiTone", String, nullable=False, default="PROFESSIONAL"),
    Column("followUpDepth", String, nullable=False, default="MODERATE"),
    Column("language", String, nullable=False, default="en"),
    Column("llmProvider", String),
    Column("llmModel", String),
    Column("isActive", Boolean, nullable=False, default=True),
    Column("timeLimitMinutes", Integer),
    Column("customBranding", _JSON),
    Column("publicSlug", String, unique=True),
    Column("requireInvite", Boolean, nullable=False, default=True),
    Column("invitedEmails", _JSON, nullable=False, default=list),
    Column("videoMode", Boolean, nullable=False, default=False),
    Column("chatEnabled", Boolean, nullable=False, default=True),
    Column("voiceEnabled", Boolean, nullable=False, default=False),
    Column("videoEnabled", Boolean, nullable=False, default=False),
    Column("antiCheatingEnabled", Boolean, nullable=False, default=False),
    Column("createdAt", Stamp, nullable=False),
    Column("updatedAt", Stamp, nullable=False),
    Column("jobDescription", Text),
    Column("resumeText", Text),
    Column("parsedResume", _JSON),
    Column("companyName", Text),
    Column("roleTitle", Text),
    Index("interviews_recent", "projectId", "updatedAt", "id"),
)
questions = Table(
    "questions",
    metadata,
    _id(),
    _id(parent="interviews", name="interviewId"),
    Column("order", Integer, nullable=False),
    Column("text", Text, nullable=False),
    Column("description", Text),
    Column("type", String, nullable=False, default="OPEN_ENDED"),
    Column("options", _JSON),
    Column("starterCode", _JSON),
    Column("validationRules", _JSON),
    Column("followUpPrompts", _JSON),
    Column("probeOnShort", Boolean, nullable=False, default=True),
    Column("probeThreshold", Integer),
    Column("showIf", _JSON),
    Column("skipIf", _JSON),
    Column("timeLimitSeconds", Integer),
    Column("isRequired", Boolean, nullable=False, default=True),
    Column("allowFileUpload", Boolean, nullable=False, default=False),
    Column("allowedFileTypes", _JSON, nullable=False, default=list),
    Column("createdAt", Stamp, nullable=False),
    Column("updatedAt", Stamp, nullable=False),
)
sessions = Table(
    "sessions",
    metadata,
    _id(),
    _id(parent="interviews", name="interviewId"),
    Column("participantEmail", Text),
    Column("participantName", Text),
    Column("participantPhone", Text),
    Column("participantMetadata", _JSON),
    Column("status", String, nullable=False, default="IN_PROGRESS"),
    Column("currentQuestionId", String),
    Column("modeUsed", String, nullable=False, default="CHAT"),
    Column("modeSwitches", Integer, nullable=False, default=0),
    Column("summary", Text),
    Column("insights", _JSON),
    Column("themes", _JSON, nullable=False, default=list),
    Column("sentiment", _JSON),
    Column("startedAt", Stamp),
    Column("completedAt", Stamp),
    Column("lastActivityAt", Stamp),
    Column("totalDurationSeconds", Integer),
    Column("audioRecordingUrl", Text),
    Column("screenshots", _JSON),
    Column("audioDuration", Float),
    Column("antiCheatingLog", _JSON, nullable=False, default=list),
    Column("createdAt", Stamp, nullable=False),
    Column("updatedAt", Stamp, nullable=False),
    Column("activitySegments", _JSON, nullable=False, default=list),
    Column("audioRecordings", _JSON, nullable=False, default=list),
    Index("sessions_recent", "interviewId", "createdAt", "id"),
)
messages = Table(
    "messages",
    metadata,
    _id(),
    Column("sessionId", String, ForeignKey("sessions.id", ondelete="CASCADE"), nullable=False),
    Column("role", String, nullable=False),
    Column("content", Text, nullable=False),
    Column("contentType", String, nullable=False, default="TEXT"),
    Column("audioUrl", Text),
    Column("audioDurationSeconds", Float),
    Column("transcription", Text),
    Column("whiteboardData", _JSON),
    Column("whiteboardImageUrl", Text),
    Column("whiteboardPages", Integer, default=1),
    Column("questionId", String),
    Column("isFollowUp", Boolean, nullable=False, default=False),
    Column("parentMessageId", String),
    Column("sentiment", _JSON),
    Column("wordCount", Integer),
    Column("readingTimeSeconds", Float),
    Column("timestamp", Stamp, nullable=False),
    Index("messages_in_order", "sessionId", "timestamp", "id"),
)
candidates = Table(
    "candidates",
    metadata,
    _id(),
    _id(parent="interviews", name="interviewId"),
    Column("name", Text, nullable=False, default=""),
    Column("email", Text),
    Column("phone", Text),
    Column("notes", Text),
    Column("gender", Text),
    Column("birthday", String),
    Column("education", Text),
    Column("school", Text),
    Column("major", Text),
    Column("graduationYear", Integer),
    Column("workExperience", Text),
    Column("inviteToken", String, unique=True, nullable=False),
    Column("sessionId", String),
    Column("createdAt", Stamp, nullable=False),
    Column("updatedAt", Stamp, nullable=False),
)
api_keys = Table(
    "api_keys",
    metadata,
    _id(),
    _id(parent="profiles", name="userId"),
    Column("name", String, nullable=False),
    Column("hash", String, nullable=False, unique=True),
    Column("lastUsedAt", Stamp),
    Column("expiresAt", Stamp),
    Column("isActive", Boolean, nullable=False, default=True),
    Column("createdAt", Stamp, nullable=False),
)
prep_sessions = Table(
    "prep_sessions",
    metadata,
    _id(),
    _id(parent="interviews", name="interviewId"),
    Column("userId", String, nullable=False),
    Column("organizationId", String),
    Column("mode", String),
    Column("status", String),
    Column("timed", Boolean),
    Column("durationLimitMinutes", Integer),
    Column("startedAt", Stamp),
    Column("lastActivityAt", Stamp),
    Column("completedAt", Stamp),
    Column("totalDurationSeconds", Integer),
    Column("createdAt", Stamp, nullable=False),
    Column("updatedAt", Stamp),
)
prep_attempts = Table(
    "prep_attempts",
    metadata,
    _id(),
    _id(parent="prep_sessions", name="sessionId"),
    Column("interviewId", String),
    Column("questionId", String),
    Column("userId", String),
    Column("answerText", Text),
    Column("inputMode", String),
    Column("durationSeconds", Integer),
    Column("feedback", _JSON),
    Column("followUp", _JSON),
    Column("score", Float),
    Column("attemptNumber", Integer),
    Column("audioUrl", Text),
    Column("audioDurationSeconds", Float),
    Column("createdAt", Stamp, nullable=False),
)


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

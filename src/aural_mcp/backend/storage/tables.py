"""The workspace's tables, under Aural's names; what only this backend needs is prefixed `aural_mcp_`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Double,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)
from sqlalchemy.types import TypeDecorator

ASKS = "aural_mcp_asksForPerson"
"""When somebody said that they would rather speak with a person; null for who has not."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def stamp_text(microseconds: int) -> str:
    """Microseconds since 1970 as Aural writes a time: RFC 3339, trailing zeros trimmed, +00:00."""
    text = (EPOCH + timedelta(microseconds=microseconds)).isoformat()
    return text.replace("+00:00", "").rstrip("0") + "+00:00" if "." in text else text


def stamp_of(moment: datetime) -> int:
    """Whole microseconds since 1970."""
    return (moment - EPOCH) // timedelta(microseconds=1)


class Stamp(TypeDecorator[str]):
    """A time: text as Aural writes it here, whole microseconds in the database, so that order is exact."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> int | None:
        return None if value is None else stamp_of(datetime.fromisoformat(value))

    def process_result_value(self, value: int | None, dialect: Dialect) -> str | None:
        return None if value is None else stamp_text(value)


metadata = MetaData()
_JSON = JSON(none_as_null=True)


def _id(*, parent: str | None = None, optional: bool = False, name: str = "id") -> Column[str]:
    if parent is None:
        return Column(name, String, primary_key=True)
    return Column(name, String, ForeignKey(f"{parent}.id", ondelete="CASCADE"), nullable=optional, index=True)


def _moments() -> tuple[Column[Any], ...]:
    """When a row was made and changed."""
    return Column("createdAt", Stamp), Column("updatedAt", Stamp)


settings = Table("aural_mcp_settings", metadata, Column("name", String, primary_key=True), Column("value", _JSON))
conducted = Table(  # the sessions that candidates took here, each with the hash of its cookie
    "aural_mcp_conducted",
    metadata,
    Column("sessionId", String, ForeignKey("sessions.id", ondelete="CASCADE"), primary_key=True),
    Column("cookie", String, unique=True),
)
starts = Table(  # which of them were begun from where; only digests that differ for each interview
    "aural_mcp_starts",
    metadata,
    Column("sessionId", String, ForeignKey("sessions.id", ondelete="CASCADE"), primary_key=True),
    Column("interviewId", String, nullable=False),
    Column("address", String, nullable=False),
    Column("device", String, nullable=False),
    Column("at", Double, nullable=False),
    Index("starts_lately", "interviewId", "address", "at"),
)
rate_windows = Table(
    "aural_mcp_rate_windows",
    metadata,
    Column("hash", String, primary_key=True),
    Column("opened", Double, nullable=False),
    Column("used", Integer, nullable=False),
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
    *_moments(),
)
organizations = Table(
    "organizations",
    metadata,
    _id(),
    Column("name", String),
    Column("slug", String),
    _id(parent="profiles", name="ownerId", optional=True),
    *_moments(),
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
    *_moments(),
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
    Column(ASKS, Stamp),
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
notices = Table(  # what candidates were told, each text once
    "aural_mcp_notices",
    metadata,
    Column("digest", String, primary_key=True),
    Column("version", String, nullable=False),
    Column("language", String, nullable=False),
    Column("text", Text, nullable=False),
)
agreements = Table(  # who was told which of them, and what they agreed to
    "aural_mcp_agreements",
    metadata,
    Column("sessionId", String, ForeignKey("sessions.id", ondelete="CASCADE"), primary_key=True),
    Column("notice", String, ForeignKey("aural_mcp_notices.digest"), nullable=False),
    Column("agreed", Text, nullable=False),
    Column("at", Stamp, nullable=False),
)
requests = Table(  # what candidates ask of the team; by their session, or by their record before they have one
    "aural_mcp_requests",
    metadata,
    _id(),
    _id(parent="interviews", name="interviewId"),
    _id(parent="sessions", name="sessionId", optional=True),
    _id(parent="candidates", name="candidateId", optional=True),
    Column("kind", String, nullable=False),
    Column("text", Text, nullable=False, default=""),
    Column("at", Stamp, nullable=False),
    Column("closedAt", Stamp),
    Column("closedBy", Text),
    Column("resumedAt", Stamp),  # when who asked for a person was back on the page after that: until then no clock runs
)
decisions = Table(
    "aural_mcp_decisions",
    metadata,
    _id(),
    _id(parent="sessions", name="sessionId"),
    Column("decision", String, nullable=False),
    Column("reason", Text, nullable=False),
    Column("by", Text, nullable=False, default=""),
    Column("verified", Boolean, nullable=False, default=False),
    Column("lookedAt", _JSON, nullable=False, default=list),
    Column("at", Stamp, nullable=False),
    Column("explainedAt", Stamp),
)
erased = Table(  # who was erased, as keyed hashes of address and name, so that nobody brings them back unasked
    "aural_mcp_erased",
    metadata,
    Column("hash", String, primary_key=True),
    Column("at", Stamp, nullable=False),
)
LATER = (starts, notices, agreements, requests, decisions, erased)
"""Tables that earlier versions of the same schema lack, and are not hindered by."""
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

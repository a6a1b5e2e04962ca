"""Who asks, and what of the workspace they may see: Aural's rules of organizations, projects and roles."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NoReturn

from sqlalchemy import Connection, Table, select

from aural_mcp.backend.rest.checks import Refused, parse
from aural_mcp.backend.storage.store import UNSTORABLE, Row, one
from aural_mcp.backend.storage.tables import (
    interviews,
    organization_members,
    project_members,
    projects,
    questions,
    sessions,
)
from aural_mcp.config import Employer

ROLES = ("VIEWER", "MEMBER", "ADMIN", "OWNER")
NEW = "new"
"""The place of what is not there yet."""
NO_INTERVIEW_ACCESS = "You do not have access to this interview"


@dataclass(frozen=True)
class Scope:
    """What a key may touch: the projects of one organization, each with the owner's effective role."""

    user_id: str
    organization_id: str
    roles: Mapping[str, str]

    def role_in(self, project_id: str | None) -> str | None:
        """The role in a project; None when it is out of scope."""
        return self.roles.get(project_id or "")


@dataclass(frozen=True)
class Call:
    """One request being answered: who asks, what for, and the open transaction.

    `employer` is what candidates are told of who invites them; None where nothing is said of that.
    """

    db: Connection
    scope: Scope
    ids: Mapping[str, str]
    query: Mapping[str, str]
    raw: bytes
    origin: str
    employer: Employer | None = None

    def body(self, refusal: str) -> Any:
        """The JSON body; read only when the route gets to it, since checks before it answer first."""
        return parse(self.raw, refusal)

    @cached_property
    def projects(self) -> Sequence[str]:
        """The ids of the projects in scope."""
        return list(self.scope.roles)


def scope_of(db: Connection, user_id: str) -> Scope | None:
    """The user's organization with the lowest id, and its projects less those whose members leave the user out."""
    member = organization_members.c
    found = db.execute(
        select(member.workspaceId, member.role).where(member.userId == user_id).order_by(member.workspaceId).limit(1)
    ).first()
    if found is None:
        return None
    organization, organization_role = found
    in_organization = select(projects.c.id).where(projects.c.organizationId == organization)
    own = db.execute(in_organization.order_by(projects.c.createdAt, projects.c.id)).scalars().all()
    listed = select(project_members).where(project_members.c.projectId.in_(own))
    named: dict[str, dict[str, str]] = {}
    for row in db.execute(listed):
        named.setdefault(row.projectId, {})[row.userId] = row.role
    roles = {
        project: max(organization_role, named.get(project, {}).get(user_id, "VIEWER"), key=rank)
        for project in own
        if user_id in named.get(project, {user_id: ""})
    }
    return Scope(user_id, organization, roles)


def place_of(db: Connection, ids: Mapping[str, str]) -> tuple[str, ...]:
    """What a request for these ids changes: an interview, or a session in it; else nothing that is there."""
    if interview := ids.get("interviewId"):
        return (_known(interview),)
    if session := row_of(db, sessions, ids.get("sessionId")):
        return session["interviewId"], session["id"]
    question = row_of(db, questions, ids.get("questionId"))
    return (question["interviewId"] if question else NEW,)


def own_interview(call: Call) -> Row:
    """The interview in the path; absent and out of scope are the same 404, as Aural answers here."""
    row = row_of(call.db, interviews, call.ids["interviewId"])
    if row is None or call.scope.role_in(row["projectId"]) is None:
        missing("Interview not found.")
    return row


def interview_of(call: Call, refusal: str) -> Row:
    """The interview of a sub-resource: absent is 404, out of scope is 403, as Aural answers here."""
    row = row_of(call.db, interviews, call.ids["interviewId"])
    if row is None:
        missing("Interview not found")
    if call.scope.role_in(row["projectId"]) is None:
        raise Refused(403, refusal)
    return row


def own_question(call: Call) -> Row:
    """The question in the path, when its interview is in scope."""
    row = row_of(call.db, questions, call.ids["questionId"])
    if row is None:
        missing("Question not found")
    interview = row_of(call.db, interviews, row["interviewId"])
    if interview is None or call.scope.role_in(interview["projectId"]) is None:
        raise Refused(403, "No access to this question")
    return row


def own_session(call: Call, absent: str, refusal: str) -> tuple[Row, Row]:
    """The session in the path and its interview; the two routes refuse in different words."""
    row = row_of(call.db, sessions, call.ids["sessionId"])
    if row is None:
        missing(absent)
    interview = row_of(call.db, interviews, row["interviewId"])
    if interview is None or call.scope.role_in(interview["projectId"]) is None:
        raise Refused(403, refusal)
    return row, interview


def row_of(db: Connection, table: Table, identifier: str | None) -> Row | None:
    """The row with this id; ids of any case are Aural's, and anything else is simply not there."""
    if not identifier or UNSTORABLE.search(identifier):
        return None
    return one(db, select(table).where(table.c.id == _known(identifier)))


def _known(identifier: str) -> str:
    return identifier.lower() if is_uuid(identifier) else identifier


def missing(message: str) -> NoReturn:
    """Refuse the request as 404."""
    raise Refused(404, message)


def rank(role: str | None) -> int:
    """How much a role may do; -1 for none."""
    return ROLES.index(role) if role in ROLES else -1


def is_uuid(text: str) -> bool:
    """Whether this is a UUID as Aural writes them, in any case."""
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False

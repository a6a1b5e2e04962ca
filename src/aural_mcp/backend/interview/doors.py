"""Who stands at a candidate's link: the interview, the person, the session; and who is on the other side of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection, select

from aural_mcp.backend.interview.words import words_for
from aural_mcp.backend.storage.store import UNNAMED, Row, digest, one, questions_of, turns_of
from aural_mcp.backend.storage.tables import ASKS, candidates, conducted, interviews, organizations, projects, sessions

TURN = "id role content contentType whiteboardData questionId isFollowUp wordCount timestamp".split()
"""What the conduct needs of a turn."""


class Closed(Exception):
    """A door that does not open; `words` and `key` name the kind page that says why."""

    def __init__(self, status: int, key: str, words: Mapping[str, str] = words_for(None)) -> None:
        super().__init__(key)
        self.status, self.key, self.words = status, key, words


@dataclass(frozen=True)
class Link:
    """How a candidate comes: by a private link (`token`), or by the public one (`slug`) and perhaps a cookie.

    A browser that keeps no cookie comes by an address of its own, which holds what the cookie would: no `slug` then.
    And from where: `address` and `agent`, what the browser says of itself.
    """

    path: str
    slug: str | None = None
    token: str | None = None
    cookie: str | None = None
    address: str = ""
    agent: str = ""


@dataclass(frozen=True)
class Host:
    """The other side: what conducts the interview, who invites to it, and where to ask."""

    by_ai: bool = False
    organization: str = ""
    contact: str = ""


@dataclass(frozen=True)
class Door:
    """Where a candidate stands: the interview, the invited person if any, and the session once there is one."""

    path: str
    interview: Row
    candidate: Row | None
    session: Row | None
    script: Sequence[Row]
    turns: Sequence[Row] = ()
    host: Host = Host()
    own_address: bool = False
    """Whether this address is all that leads back."""

    @property
    def begun(self) -> bool:
        """Whether the interview was begun: who only asked for a person has a session too."""
        return self.session is not None and not (self.session["startedAt"] is None and self.session[ASKS])

    @property
    def asks(self) -> bool:
        """Whether this person would rather speak with a person."""
        return self.session is not None and self.session[ASKS] is not None

    @property
    def reach(self) -> str:
        """Where the team can reach this person, as far as it was told here."""
        known = self.session or {}
        return known.get("participantEmail") or known.get("participantPhone") or ""

    @property
    def words(self) -> Mapping[str, str]:
        """The words in the interview's language."""
        return words_for(self.interview["language"])

    @property
    def running(self) -> bool:
        """Whether the candidate is in the middle of the interview."""
        return self.session is not None and self.session["status"] == "IN_PROGRESS"

    @property
    def last(self) -> str | None:
        """The id of the last turn: as long as it is the same, nothing has happened."""
        return self.turns[-1]["id"] if self.turns else None

    @property
    def waiting(self) -> Row | None:
        """The turn that waits for an answer."""
        last = self.turns[-1] if self.turns else None
        return last if self.running and last and last["role"] == "ASSISTANT" and last["questionId"] else None

    @property
    def question(self) -> Row | None:
        """The question that is open; None also when it was deleted meanwhile."""
        wanted = self.waiting["questionId"] if self.waiting else None
        return next((row for row in self.script if row["id"] == wanted), None)


def find_door(db: Connection, link: Link, host: Host = Host()) -> Door:
    """Who holds the private link is the invited person; the public link knows people by their cookie.

    Args:
        host: what is set for every interview here; the interview's own company comes first.

    Raises:
        Closed: the link leads nowhere, or not for this person, or no longer.
    """
    candidate = one(db, select(candidates).where(candidates.c.inviteToken == link.token)) if link.token else None
    own = None if link.token or link.slug else _session(db, link)
    if link.slug:
        wanted = interviews.c.publicSlug == link.slug
    else:
        wanted = interviews.c.id == (candidate or own or {}).get("interviewId")
    interview = one(db, select(interviews).where(wanted))
    if interview is None:
        raise Closed(404, "no_link")
    session = own or (_of_candidate(db, candidate) if candidate else _session(db, link, interview))
    words = words_for(interview["language"])
    if interview["requireInvite"] and not candidate and session is None:
        raise Closed(403, "by_invitation", words)
    if not interview["isActive"] and (session is None or session["status"] != "COMPLETED"):
        raise Closed(410, "closed", words)
    script = questions_of(db, interview["id"])
    if session is None and not script:
        raise Closed(404, "empty", words)
    turns = turns_of(db, session["id"], *TURN) if session else []
    organization = interview["companyName"] or host.organization or _organization(db, interview)
    host = replace(host, organization=organization)
    return Door(link.path, interview, candidate, session, script, turns, host, own is not None)


def _of_candidate(db: Connection, candidate: Row) -> Row | None:
    return one(db, select(sessions).where(sessions.c.id == candidate["sessionId"]))


def _session(db: Connection, link: Link, interview: Row | None = None) -> Row | None:
    """The session that a cookie, or an address in its place, leads back to."""
    if not link.cookie:
        return None
    mine = select(sessions).join(conducted, conducted.c.sessionId == sessions.c.id)
    mine = mine.where(conducted.c.cookie == digest(link.cookie))
    return one(db, mine.where(sessions.c.interviewId == interview["id"]) if interview else mine)


def _organization(db: Connection, interview: Row) -> str:
    """The name of the organization that the interview belongs to; empty where nobody has named it."""
    mine = select(organizations.c.name).join(projects, projects.c.organizationId == organizations.c.id)
    name = db.execute(mine.where(projects.c.id == interview["projectId"])).scalar() or ""
    return "" if name == UNNAMED else name

"""Who stands at a candidate's link: the interview, the person, the session; and who is on the other side of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection, select

from aural_mcp.backend.interview.sessions import question_ends, session_ends
from aural_mcp.backend.interview.words import words_for
from aural_mcp.backend.storage.rights import requests_of
from aural_mcp.backend.storage.store import PERSON, UNNAMED, Row, digest, one, questions_of, turns_of
from aural_mcp.backend.storage.tables import candidates, conducted, interviews, organizations, projects, sessions
from aural_mcp.config import Employer

TURN = "id role content contentType whiteboardData questionId isFollowUp wordCount timestamp".split()
"""What the conduct needs of a turn."""


class Closed(Exception):
    """A door that does not open; `words` and `key` name the kind page that says why.

    `door` is that of somebody who is known there: what they ask of the team is taken all the same.
    """

    def __init__(
        self, status: int, key: str, words: Mapping[str, str] = words_for(None), door: Door | None = None
    ) -> None:
        super().__init__(key)
        self.status, self.key, self.words, self.door = status, key, words, door


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
    """The other side: what conducts the interview, who invites to it, where to ask, how long what is said is kept."""

    by_ai: bool = False
    organization: str = ""
    contact: str = ""
    retention_days: int | None = None


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
    asked: Sequence[Row] = ()
    """What this person asked of the team, closed or not, earliest first."""

    @property
    def begun(self) -> bool:
        """Whether the interview was begun: who only asked for a person has a session too."""
        return self.session is not None and (self.session["startedAt"] is not None or self.wish is None)

    @property
    def wish(self) -> Row | None:
        """The latest request to speak with a person."""
        return next((each for each in reversed(self.asked) if each["kind"] == PERSON), None)

    @property
    def asks(self) -> bool:
        """Whether this person waits for a person they asked for."""
        return self.wish is not None and self.wish["closedAt"] is None

    @property
    def returns(self) -> bool:
        """Whether this person is here for the first time since the wish was closed: the clocks run from now on."""
        return self.wish is not None and self.wish["closedAt"] is not None and self.wish["resumedAt"] is None

    @property
    def ends(self) -> datetime | None:
        """When the interview's time is over; None without a limit."""
        return session_ends(self.interview, self.session, self.asked) if self.session else None

    def question_ends(self, question: Row | None) -> datetime | None:
        """When the time for a question is over; None without a limit."""
        return question_ends(question, self.turns, self.asked)

    @property
    def reach(self) -> str:
        """Where the team can reach this person, as far as it was told here."""
        known = self.session or {}
        email = known.get("participantEmail") or ""
        return email if "@" in email else known.get("participantPhone") or ""

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
    script = questions_of(db, interview["id"])
    turns = turns_of(db, session["id"], *TURN) if session else []
    host = replace(host, organization=_inviting(db, interview, host.organization))
    asked = requests_of(db, session, candidate)
    door = Door(link.path, interview, candidate, session, script, turns, host, own is not None, asked)
    known = door if candidate or session else None
    if not interview["isActive"] and (session is None or session["status"] != "COMPLETED"):
        raise Closed(410, "closed", words, known)
    if session is None and not script:
        raise Closed(404, "empty", words, known)
    return door


def place_of(db: Connection, link: Link) -> tuple[str, ...]:
    """What is changed by somebody at this link: the interview, and their session in it where they have one.

    Raises:
        Closed: the link leads nowhere.
    """
    own = select(sessions.c.interviewId, sessions.c.id).join(conducted, conducted.c.sessionId == sessions.c.id)
    known = own.where(conducted.c.cookie == digest(link.cookie or ""))
    if link.token:
        known = select(candidates.c.interviewId, candidates.c.sessionId).where(candidates.c.inviteToken == link.token)
    elif link.slug:
        mine = known.subquery()
        there = interviews.outerjoin(mine, mine.c.interviewId == interviews.c.id)
        known = select(interviews.c.id, mine.c.id).select_from(there).where(interviews.c.publicSlug == link.slug)
    found = db.execute(known).first()
    if found is None:
        raise Closed(404, "no_link")
    return tuple(filter(None, found))


def not_told(db: Connection, interview: Row, employer: Employer) -> list[str]:
    """What of who invites the page of an interview cannot say, as nobody has set it."""
    said = {"contact": employer.contact, "organization": _inviting(db, interview, employer.organization)}
    return [name for name, text in said.items() if not text]


def _inviting(db: Connection, interview: Row, organization: str) -> str:
    """Who invites to an interview: its own company comes first."""
    return interview["companyName"] or organization or _organization(db, interview)


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

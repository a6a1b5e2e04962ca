"""What of candidates leaves this server: cleaned always, without who they are, or without a word of theirs.

`Guarded` is the client that every tool, resource and prompt is given. Its rows come out as a mode allows, so that
what filters, counts, quotes or completes can only use what may be seen.
"""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, TypeVar, cast

import httpx
from pydantic import Field

from aural_mcp.api import models
from aural_mcp.api.errors import NotFound, NotOffered
from aural_mcp.api.models import InterviewDetail, Record, Session, SessionSummary
from aural_mcp.api.operations import (
    GetInterview,
    GetSession,
    GetSessionReport,
    InterviewId,
    ListCandidates,
    ListSessions,
    Operation,
    Text,
)
from aural_mcp.bounds import aside
from aural_mcp.client import bodies
from aural_mcp.client.client import AuralClient, Spent
from aural_mcp.client.links import Source
from aural_mcp.client.state import State
from aural_mcp.client.transcripts import Transcripts
from aural_mcp.privacy.acting import NOBODY, Acting
from aural_mcp.privacy.stored import Homes, as_stored
from aural_mcp.privacy.views import Exposure, People, View, about_candidates

R = TypeVar("R", bound=Record | models.Wire)
ANALYSIS = ("summary", "insights", "themes", "sentiment")
MANY = 200
"""Rows that take longer to clean than others should wait."""
FRESH = 60.0
"""Seconds for which the people of an interview are known."""
MOST_INTERVIEWS, MOST_SESSIONS = 200, 2_000
MOST_SHOWN = 4_000_000
"""Bytes of the transcripts that are kept as they may be seen, while somebody turns their pages."""


@dataclass
class Memory:
    """What guarded clients of one server remember, for each tenant: a key, or somebody who signed in, with their role.

    Only where a question belongs is known by key: it says nothing that a caller is shown.
    """

    people: dict[tuple[str, str], People] = field(default_factory=dict[tuple[str, str], People])
    interviews: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    details: dict[str, tuple[float, InterviewDetail]] = field(default_factory=dict[str, tuple[float, InterviewDetail]])
    """The interview that each tenant looked at last, and when: its words are needed for what comes next."""
    transcripts: Transcripts = field(default_factory=Transcripts)
    homes: Homes = field(default_factory=Homes)
    shown: dict[tuple[str, Exposure, str], Shown] = field(default_factory=dict[tuple[str, Exposure, str], "Shown"])

    def note(self, tenant: str, session_id: str, interview_id: str) -> None:
        """Remember which interview a session belongs to: its report does not say."""
        self.interviews[tenant, session_id] = interview_id
        while len(self.interviews) > MOST_SESSIONS:
            self.interviews.pop(next(iter(self.interviews)))


@dataclass(frozen=True)
class Shown:
    """A session as it came, and what may be seen of it where these people are known."""

    body: bytes
    people: People | None
    session: Session


class Revealed(Record):
    """Who stands behind a pseudonym."""

    candidate: str
    name: str = ""
    email: str | None = None
    candidate_id: str | None = None
    session_id: str | None = None


class RevealCandidate(Operation[Revealed]):
    """Say who one pseudonym stands for, when a decision is made and the user asks. It is noted in the decision log."""

    effect, toolset = "read", "candidates"
    confirmed = True
    interview_id: InterviewId
    candidate: Annotated[Text, Field(description="E.g. `Candidate K7MQ2X`.")]


class Guarded:
    """A client whose rows hold only what may be seen.

    Args:
        raw: the client that asks; its key and connections are used.
        secret: makes pseudonyms; the same one gives the same.
        files: the folder in which files may be read and written; None where there is none.
        mail: the operator's mail server, as the workflow that sends knows it; None where there is none.
        tenant: whose answers these are, where several people use the key.
        acting: who acts and for whom, for what is recorded.
    """

    def __init__(
        self,
        raw: AuralClient,
        exposure: Exposure,
        memory: Memory,
        secret: bytes | Callable[[], Awaitable[bytes]],
        files: Path | None = None,
        mail: object = None,
        tenant: str | None = None,
        acting: Acting = NOBODY,
    ) -> None:
        self.raw, self.exposure, self._memory, self._secret, self.files = raw, exposure, memory, secret, files
        self.mail, self.tenant, self.acting = mail, tenant or raw.tenant, acting

    def blinded(self) -> Guarded:
        """The same client, for a call in which nobody is named; what it did not show before it does not show now."""
        exposure = replace(self.exposure, blind=True)
        raw, memory, tenant, acting = self.raw, self._memory, self.tenant, self.acting
        return Guarded(raw, exposure, memory, self._secret, self.files, tenant=tenant, acting=acting)

    @property
    def base_url(self) -> str:
        """See `AuralClient`, as for all that is not about rows."""
        return self.raw.base_url

    async def link_origin(self) -> str:
        return await self.raw.link_origin()

    async def links_from(self) -> tuple[str, Source]:
        return await self.raw.links_from()

    @property
    def lacking(self) -> frozenset[str]:
        return self.raw.lacking

    @property
    def refused(self) -> bool:
        return self.raw.refused

    async def remaining(self) -> int | None:
        return await self.raw.remaining()

    @property
    def state(self) -> State:
        return self.raw.state

    @property
    def skew(self) -> float:
        return self.raw.skew

    async def call(self, operation: Operation[R], *, spent: Spent | None = None) -> R:
        """Carry out one operation; see `AuralClient.call`."""
        spent = spent or Spent()
        asked = await as_stored(self.raw, operation, self._memory.homes, spent)
        if isinstance(asked, GetSession):
            return cast("R", await self._page_of(asked, spent))
        return await self.seen(asked, await self.raw.call(asked, spent=spent), spent)

    async def session(self, row: SessionSummary, spent: Spent) -> Session:
        """The session of a row that `call` gave just now; a finished one is asked for once, whatever the mode."""
        asked = GetSession(session_id=row.id)
        session = self._memory.transcripts.get(self.tenant, row)
        if session is None:
            session = await self.raw.call(asked, spent=spent)
            self._memory.transcripts.keep(self.tenant, row, session)
        seen = await self.seen(asked, session, spent)
        return seen.model_copy(update={name: getattr(row, name) for name in ANALYSIS})

    def keeps(self, row: SessionSummary) -> bool:
        """Whether `session` gives this one without asking for it."""
        return self._memory.transcripts.has(self.tenant, row)

    async def _page_of(self, asked: GetSession, spent: Spent) -> Session:
        """A session, asked for anew; where the same came for the page before, it is not gone through once more."""
        place = (self.tenant, self.exposure, asked.session_id)
        last, body = self._memory.shown.pop(place, None), b""

        def read(model: type[Session], response: httpx.Response) -> Session:
            nonlocal body
            body = response.content
            return last.session if last and last.body == body else bodies.read(model, response)

        session = await self.raw.ask(asked, spent, read)
        people = await self._people_of(asked, session, spent)
        if last and session is last.session:
            if people is last.people:
                self._memory.shown[place] = last
                return session
            session = bodies.read(Session, httpx.Response(200, content=body))
        session = await self.seen(asked, session, spent)
        self._memory.shown[place] = Shown(body, people, session)
        while sum(len(each.body) for each in self._memory.shown.values()) > MOST_SHOWN:
            self._memory.shown.pop(next(iter(self._memory.shown)))
        return session

    async def seen(self, operation: Operation[Any], result: R, spent: Spent) -> R:
        """The result, changed into what may be seen of it."""
        await self.raw.seen(operation, result, spent)
        self._memory.homes.see(self.raw.tenant, operation, result)
        if isinstance(result, InterviewDetail):
            self._memory.details[self.tenant] = (time.monotonic(), result.model_copy(deep=True))
        view = View(self.exposure, await self.pseudonyms() if self.exposure.anonymous else str)
        view.people = await self._people_of(operation, result, spent)
        about = getattr(operation, "session_id", None)
        if len(getattr(result, "data", ())) > MANY:
            await aside(view.apply, result, about)
        else:
            view.apply(result, about)
        return result

    async def pseudonyms(self) -> Callable[[str], str]:
        """What gives a person's pseudonym by their id: a candidate's, or a session's of somebody unregistered."""
        from aural_mcp.privacy.blind import pseudonym  # its patterns take a while, and a start does without

        secret = self._secret if isinstance(self._secret, bytes) else await self._secret()
        return partial(pseudonym, secret, self.raw.tenant)

    async def _people_of(self, operation: Operation[Any], result: Record | models.Wire, spent: Spent) -> People | None:
        """The people of the interview that a result is about; None where it is about nobody, or all are named."""
        if not self.exposure.anonymous or not about_candidates(type(result)):
            return None
        interview = getattr(operation, "interview_id", None)
        if isinstance(result, Session):
            interview = result.interview.id if result.interview else None
            if isinstance(operation, GetSession):
                self._memory.note(self.tenant, operation.session_id, interview or "")
        elif isinstance(operation, GetSessionReport):
            interview = await self._interview_of(operation.session_id, spent)
        elif not isinstance(operation, ListSessions):
            return None
        return await self._known(str(interview), spent) if interview else None

    async def _interview_of(self, session_id: str, spent: Spent) -> str | None:
        known = self._memory.interviews.get((self.tenant, session_id))
        if known is None:
            session = await self.raw.call(GetSession(session_id=session_id), spent=spent)
            known = session.interview.id if session.interview else ""
            self._memory.note(self.tenant, session_id, known)
        return known or None

    async def _known(self, interview_id: str, spent: Spent) -> People:
        place = (self.tenant, interview_id)
        people = self._memory.people.pop(place, None)
        if people is None or time.monotonic() - people.read_at > FRESH:
            people = await self._asked(interview_id, spent)
        self._memory.people[place] = people
        while len(self._memory.people) > MOST_INTERVIEWS:
            self._memory.people.pop(next(iter(self._memory.people)))
        return people

    async def _asked(self, interview_id: str, spent: Spent) -> People:
        try:
            candidates = (await self.raw.call(ListCandidates(interview_id=interview_id), spent=spent)).data
        except NotOffered:
            candidates = []
        try:
            interview = await self._interview(interview_id, spent)
        except NotFound:
            return People(candidates, frozenset(), frozenset(), time.monotonic())
        criteria = [each.name for each in interview.assessment_criteria or []]
        texts = [interview.title, *criteria, *(each.text for each in interview.questions)]
        words = " ".join([*texts, interview.objective or "", interview.job_description or ""]).lower()
        return People(candidates, frozenset(re.findall(r"\w+", words)), frozenset(texts), time.monotonic())

    async def _interview(self, interview_id: str, spent: Spent) -> InterviewDetail:
        read_at, last = self._memory.details.get(self.tenant, (0.0, None))
        if last is not None and last.id == interview_id and time.monotonic() - read_at <= FRESH:
            return last
        return await self.raw.call(GetInterview(interview_id=interview_id), spent=spent)

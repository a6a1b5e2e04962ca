"""What of candidates leaves this server: cleaned always, without who they are, or without a word of theirs.

`Guarded` is the client that every tool, resource and prompt is given. Its rows come out as a mode allows, so that
what filters, counts, quotes or completes can only use what may be seen. `FIELDS` says what of a row tells of a
candidate; everything else is the team's or Aural's. Whoever wrote it, no text fires: a link is only what stands in a
field for one (`LINKS`, recordings). In lockdown and blind a field that Aural has added since is left out.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, cast, get_args

from pydantic import BaseModel, Field

from aural_mcp.api import models
from aural_mcp.api.errors import NotFound, NotOffered
from aural_mcp.api.models import Candidate, InterviewDetail, Record, Session, SessionReport, SessionSummary
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
from aural_mcp.client.client import AuralClient, Spent
from aural_mcp.client.links import Source
from aural_mcp.client.state import State
from aural_mcp.client.transcripts import Transcripts
from aural_mcp.config import asks_for
from aural_mcp.privacy.stored import Homes, as_stored
from aural_mcp.safety import hidden, inert, inert_all, is_code, mapped, typed

if TYPE_CHECKING:
    from aural_mcp.privacy.blind import Redactor

R = TypeVar("R", bound=Record | models.Wire)
NAME, CONTACT, PERSONAL = "name", "contact", "personal"
WORDS, ABOUT, CODE = "words", "about", "code"
TONE, MEDIA = "tone", "media"
TEAMS, LINK = "teams", "link"
FIELDS: dict[type[Record], dict[str, str]] = {
    Candidate: {
        "name": NAME,
        **dict.fromkeys(("email", "phone"), CONTACT),
        **dict.fromkeys(("gender", "birthday", "education", "school", "major", "graduation_year"), PERSONAL),
        "work_experience": PERSONAL,
        "notes": WORDS,
    },
    SessionSummary: {
        "participant_name": NAME,
        "participant_email": CONTACT,
        **dict.fromkeys(("summary", "insights", "themes"), ABOUT),
        "sentiment": TONE,
    },
    models.Message: {"content": WORDS},
    models.ReportMessage: {
        "content": WORDS,
        "transcription": WORDS,
        **dict.fromkeys(("whiteboard_data", "whiteboard_pages"), CODE),
        **dict.fromkeys(("audio_url", "audio_duration_seconds", "whiteboard_image_url"), MEDIA),
        "sentiment": TONE,
    },
    models.IntegrityEvent: {"type": ABOUT, "detail": WORDS},
    models.PracticeAttempt: {
        "answer_text": WORDS,
        **dict.fromkeys(("feedback", "follow_up"), ABOUT),
        **dict.fromkeys(("audio_url", "audio_duration_seconds"), MEDIA),
    },
    models.Interview: {"resume_text": PERSONAL, "parsed_resume": PERSONAL, "invited_emails": CONTACT},
}
FIELDS[Session] = FIELDS[SessionSummary]
FIELDS[SessionReport] = FIELDS[SessionSummary] | dict.fromkeys(
    ("audio_recording_url", "audio_recordings", "audio_duration", "screenshots"), MEDIA
)
LINKS: dict[type[Record], tuple[str, ...]] = {
    models.Published: ("url",),
    models.InvitedCandidate: ("invite_url",),
    models.AudioRecording: ("url",),
    models.Screenshot: ("url",),
}
"""Fields that hold an address which Aural made; those of recordings are in `FIELDS`."""
CODE_ANSWER = "CODE"
ANALYSIS = ("summary", "insights", "themes", "sentiment")
FRESH = 60.0
"""Seconds for which the people of an interview are known."""
MOST_INTERVIEWS, MOST_SESSIONS = 200, 2_000
LEFT_OUT = "({} words left out: lockdown)"


@dataclass(frozen=True)
class Exposure:
    """What the operator allows to be seen of candidates; a request can only tighten it."""

    blind: bool = False
    lockdown: bool = False

    def narrowed(self, headers: Mapping[str, str] | None) -> Exposure:
        """What a request leaves of it, by `X-Aural-Blind` and `X-Aural-Lockdown`."""
        sent = headers or {}
        return replace(self, **{name: True for name in ("blind", "lockdown") if asks_for(f"x-aural-{name}", sent)})

    @property
    def anonymous(self) -> bool:
        """Whether nobody is named."""
        return self.blind or self.lockdown


@dataclass
class People:
    """Who is registered for an interview, and the words that its texts use of everybody."""

    candidates: Sequence[Candidate]
    usual: frozenset[str]
    texts: frozenset[str]
    read_at: float = 0.0

    def person(self, session_id: str) -> Candidate | None:
        """Whose session it is, where that person is registered."""
        return next((each for each in self.candidates if each.session_id == session_id), None)


@dataclass
class Memory:
    """What guarded clients of one server remember, for each key."""

    people: dict[tuple[str, str], People] = field(default_factory=dict[tuple[str, str], People])
    interviews: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    details: dict[str, tuple[float, InterviewDetail]] = field(default_factory=dict[str, tuple[float, InterviewDetail]])
    """The interview that each key looked at last, and when: its words are needed for what comes next."""
    transcripts: Transcripts = field(default_factory=Transcripts)
    homes: Homes = field(default_factory=Homes)

    def note(self, tenant: str, session_id: str, interview_id: str) -> None:
        """Remember which interview a session belongs to: its report does not say."""
        self.interviews[tenant, session_id] = interview_id
        while len(self.interviews) > MOST_SESSIONS:
            self.interviews.pop(next(iter(self.interviews)))


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
    """

    def __init__(
        self,
        raw: AuralClient,
        exposure: Exposure,
        memory: Memory,
        secret: Callable[[], bytes],
        files: Path | None = None,
    ) -> None:
        self.raw, self.exposure, self._memory, self._secret, self.files = raw, exposure, memory, secret, files

    @property
    def base_url(self) -> str:
        """See `AuralClient`, as for all that is not about rows."""
        return self.raw.base_url

    @property
    def link_origin(self) -> str:
        return self.raw.link_origin

    @property
    def links_from(self) -> tuple[str, Source]:
        return self.raw.links_from

    @property
    def lacking(self) -> frozenset[str]:
        return self.raw.lacking

    @property
    def refused(self) -> bool:
        return self.raw.refused

    @property
    def remaining(self) -> int | None:
        return self.raw.remaining

    @property
    def state(self) -> State:
        return self.raw.state

    @property
    def skew(self) -> float:
        return self.raw.skew

    @property
    def tenant(self) -> str:
        return self.raw.tenant

    async def call(self, operation: Operation[R], *, spent: Spent | None = None) -> R:
        """Carry out one operation; see `AuralClient.call`."""
        spent = spent or Spent()
        asked = await as_stored(self.raw, operation, self._memory.homes, spent)
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

    async def seen(self, operation: Operation[Any], result: R, spent: Spent) -> R:
        """The result, changed into what may be seen of it."""
        await self.raw.seen(operation, result, spent)
        self._memory.homes.see(self.tenant, operation, result)
        if isinstance(result, InterviewDetail):
            self._memory.details[self.tenant] = (time.monotonic(), result.model_copy(deep=True))
        view = View(self.exposure, self)
        if self.exposure.anonymous and _about_candidates(type(result)):
            view.people = await self._people(operation, result, spent)
        view.apply(result, getattr(operation, "session_id", None))
        return result

    def pseudonym(self, person: str) -> str:
        """What somebody is called whose id this is: a candidate's, or a session's of somebody unregistered."""
        from aural_mcp.privacy.blind import pseudonym  # its patterns take a while, and a start does without

        return pseudonym(self._secret(), self.tenant, person)

    async def _people(self, operation: Operation[Any], result: object, spent: Spent) -> People | None:
        """The people of the interview that a result is about; None where it is about nobody."""
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


class View:
    """Turns rows into what may be seen of them."""

    def __init__(self, exposure: Exposure, client: Guarded) -> None:
        self._exposure, self._client = exposure, client
        self.people: People | None = None
        self._redactor: Redactor | None = None

    def apply(self, row: BaseModel, session_id: str | None = None) -> None:
        """Change a row, and those in it, into what may be seen of them."""
        kinds, inner = _plan(type(row))
        if self._exposure.anonymous:
            self._redactor = self._redactor_for(row, session_id) or self._redactor
        noted = _noted(row) if isinstance(row, Session | SessionReport) else {}
        fields = cast("dict[str, Any]", row.__dict__)
        for name, kind in kinds.items():
            if (value := fields[name]) is not None:
                fields[name] = self._field(row, name, kind, value, session_id)
        for name in inner:
            value = fields[name]
            for each in cast("list[Any]", value) if isinstance(value, list) else [value]:
                if isinstance(each, BaseModel):
                    self.apply(each, session_id)
        if row.model_extra:
            added = {} if self._exposure.anonymous and _kinds(type(row)) else inert_all(row.model_extra)
            row.model_extra.clear()
            row.model_extra.update(added)
        if noted and row.model_extra is not None:
            row.model_extra.update(noted)
            row.model_fields_set.update(noted)

    def _field(self, row: BaseModel, name: str, kind: str, value: Any, session_id: str | None) -> Any:
        if kind == TEAMS:
            return inert_all(value)
        if kind == LINK:
            return typed(value)
        if not self._exposure.anonymous:
            if kind in (CONTACT, MEDIA):
                return mapped(value, typed)
            coded = name == "content" and (row.__dict__.get("content_type") == CODE_ANSWER or is_code(value))
            return value if coded or kind == CODE else inert_all(value)
        if kind == NAME:
            return self._client.pseudonym(self._person(row, session_id))
        if kind in (CONTACT, PERSONAL, TONE, MEDIA):
            return type(row).model_fields[name].get_default(call_default_factory=True)
        if self._exposure.lockdown:
            locked = self._locked(value, kind)
            return type(row).model_fields[name].get_default(call_default_factory=True) if locked is None else locked
        words = self._redacted(value, gendered=kind != ABOUT)
        if name == "insights" and isinstance(words, dict):
            insights = cast("dict[str, Any]", words)
            return {each: item for each, item in insights.items() if each != "toneAnalysis"}
        return words

    def _person(self, row: BaseModel, session_id: str | None) -> str:
        """The id that a row's pseudonym is made of: the candidate's, else the session's."""
        if isinstance(row, Candidate):
            return row.id
        session = str(getattr(row, "id", session_id))
        known = self.people.person(session) if self.people else None
        return known.id if known else session

    def _redactor_for(self, row: BaseModel, session_id: str | None) -> Redactor | None:
        from aural_mcp.privacy.blind import Facts, Redactor

        if isinstance(row, Candidate):
            person, names = row, {row.name}
        elif isinstance(row, Session | SessionSummary | SessionReport):
            known = self.people.person(str(getattr(row, "id", session_id))) if self.people else None
            person = known or Candidate(id="", email=row.participant_email)
            names = {row.participant_name or "", person.name}
        else:
            return None
        facts = Facts(
            names=frozenset(names),
            email=person.email or "",
            phone=person.phone or "",
            birthday=person.birthday or "",
            schools=" / ".join(each for each in (person.school, person.education) if each),
            employers=person.work_experience or "",
        )
        return Redactor(facts, self.people.usual if self.people else ())

    def _redacted(self, value: Any, *, gendered: bool) -> Any:
        from aural_mcp.privacy.blind import Facts, Redactor, genderless

        redactor = self._redactor or Redactor(Facts())
        if gendered:
            return mapped(value, redactor)
        own = self.people.texts if self.people else frozenset[str]()
        return mapped(value, lambda text: inert(text) if text in own else genderless(redactor(text)))

    def _locked(self, value: Any, kind: str) -> Any:
        """Numbers, counts, and texts of the interview's own; nothing that a candidate could have written."""
        if kind == WORDS:
            return LEFT_OUT.format(len(str(value).split())) if value else value
        if isinstance(value, dict):
            items = {name: self._locked(item, kind) for name, item in cast("dict[str, Any]", value).items()}
            return {name: item for name, item in items.items() if item not in (None, [], {}) and name.isidentifier()}
        if isinstance(value, list):
            kept = [self._locked(each, kind) for each in cast("list[Any]", value)]
            return [each for each in kept if each not in (None, [], {})]
        known = self.people.texts if self.people else frozenset[str]()
        return value if isinstance(value, int | float) else inert(value) if value in known else None


@cache
def _plan(model: type[BaseModel]) -> tuple[dict[str, str], list[str]]:
    """What the fields of a row are, and those in which there are rows."""
    inner = [name for name, field in model.model_fields.items() if any(_models_in(field.annotation))]
    links = LINKS.get(cast("type[Record]", model), ())
    teams = dict.fromkeys(name for name in model.model_fields if name not in inner)
    return {**dict.fromkeys(teams, TEAMS), **dict.fromkeys(links, LINK), **_kinds(model)}, inner


@cache
def _about_candidates(model: type[BaseModel]) -> bool:
    """Whether a row, or one in it, has a field that says something of a candidate."""
    inner = [each for field in model.model_fields.values() for each in _models_in(field.annotation)]
    return bool(_kinds(model)) or any(_about_candidates(each) for each in inner if each is not model)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)


def _kinds(model: type[BaseModel]) -> dict[str, str]:
    """What the fields of a model are; those of its base classes too."""
    return next((FIELDS[base] for base in model.__mro__ if base in FIELDS), dict[str, str]())


def _noted(session: Any) -> dict[str, Any]:
    """What a person should know of a session as it came: flagged turns, and how much in it could not be seen."""
    from aural_mcp.privacy.flags import flags

    found = [{"turn": each.turn, "reasons": list(each.reasons)} for each in flags(session.messages)]
    said = [session.participant_name or "", *(each.content for each in session.messages)]
    return {"flags": found, "hiddenCharactersRemoved": hidden("\n".join(said))}

"""What of a row may be seen: cleaned always, without who somebody is, or without a word of theirs.

`FIELDS` says what of a row tells of a candidate; everything else is the team's or Aural's. Whoever wrote it, no text
fires: a link is only what stands in a field for one (`LINKS`, recordings). In lockdown and blind a field that Aural has
added since is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import TYPE_CHECKING, Any, cast, get_args, overload

from pydantic import BaseModel

from aural_mcp.api import models
from aural_mcp.api.models import Candidate, Message, Record, Session, SessionReport, SessionSummary
from aural_mcp.config import Narrowing, asks_for
from aural_mcp.safety import hidden, inert, inert_all, is_code, is_inert, mail, mapped, typed

if TYPE_CHECKING:
    from aural_mcp.privacy.blind import Redactor

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
    models.DataRequest: {"text": WORDS},
    models.Decision: {"reason": ABOUT},
    models.Notice: {},
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
DRAWN = ("<svg", "<?xml", "<!DOCTYPE svg", "data:image/")
"""How a drawing begins that is a text."""
LEFT_OUT = "({} words left out: lockdown)"


@dataclass(frozen=True)
class Exposure:
    """What the operator allows to be seen of candidates; a request can only tighten it."""

    blind: bool = False
    lockdown: bool = False

    def within(self, narrowing: Narrowing) -> Exposure:
        """What a role leaves of it."""
        return Exposure(self.blind or narrowing.blind, self.lockdown or narrowing.lockdown)

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


class Turns(Sequence[Message]):
    """The turns of a session; each becomes what may be seen of it when it is looked at, as few are.

    Args:
        turns: as they came; nobody else has them.
        apply: changes some into what may be seen of them.
    """

    AT_ONCE = 16

    def __init__(self, turns: Sequence[Message], apply: Callable[[Sequence[Message]], None]) -> None:
        self._turns, self._apply = turns, apply
        self._done: set[int] = set()

    def __len__(self) -> int:
        return len(self._turns)

    def __iter__(self) -> Iterator[Message]:
        for start in range(0, len(self), self.AT_ONCE):
            _ = self[start]
            yield from self._turns[start : start + self.AT_ONCE]

    @overload
    def __getitem__(self, at: int) -> Message: ...
    @overload
    def __getitem__(self, at: slice) -> list[Message]: ...
    def __getitem__(self, at: int | slice) -> Message | list[Message]:
        if isinstance(at, slice):
            return [self[each] for each in range(*at.indices(len(self)))]
        portion = (at if at >= 0 else at + len(self)) // self.AT_ONCE
        if portion not in self._done:
            self._apply(self._turns[portion * self.AT_ONCE : (portion + 1) * self.AT_ONCE])
            self._done.add(portion)
        return self._turns[at]


class View:
    """Turns rows into what may be seen of them.

    Args:
        pseudonym: what somebody is called whose id this is, where nobody is named.
    """

    def __init__(self, exposure: Exposure, pseudonym: Callable[[str], str]) -> None:
        self._exposure, self._pseudonym = exposure, pseudonym
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
            value = fields[name]
            if kind == TEAMS and isinstance(value, str):
                fields[name] = inert(value)
            elif value is not None:
                fields[name] = self._field(row, name, kind, value, session_id)
        for name in inner:
            value = fields[name]
            if name == "messages":
                fields[name] = Turns(cast("list[Message]", value), partial(self._apply_to_turns, session_id))
                continue
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

    def _apply_to_turns(self, session_id: str | None, turns: Sequence[Message]) -> None:
        """Change turns; where one look at all of their words finds nothing to do, none is looked at by itself."""
        if all(type(each) is Message and not each.model_extra for each in turns):
            marks = " ".join(f"{each.id} {each.role} {each.timestamp}" for each in turns)
            if is_inert(marks) and self._is_shown("\n".join(each.content for each in turns)):
                return
        for each in turns:
            self.apply(each, session_id)

    def _is_shown(self, words: str) -> bool:
        """Whether all of these words may be seen as they are, and so each part of them."""
        if self._exposure.lockdown or not is_inert(words):
            return False
        return not self._exposure.blind or self._redacted(words, gendered=True) == words

    def _field(self, row: BaseModel, name: str, kind: str, value: Any, session_id: str | None) -> Any:
        if kind == TEAMS:
            return inert_all(value)
        if kind == LINK:
            return typed(value)
        if not self._exposure.anonymous:
            if kind in (CONTACT, MEDIA):
                return mapped(value, mail if kind == CONTACT else typed)
            coded = name == "content" and (row.__dict__.get("content_type") == CODE_ANSWER or is_code(value))
            return value if coded or kind == CODE else inert_all(value)
        if kind == NAME:
            return self._pseudonym(self._person(row, session_id))
        if kind in (CONTACT, PERSONAL, TONE, MEDIA):
            return type(row).model_fields[name].get_default(call_default_factory=True)
        if kind == CODE:
            value = _undrawn(value)
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


def _undrawn(value: Any) -> Any:
    """The same without its lines, in which a name can stand: an SVG, a picture, lists and points of numbers."""
    if isinstance(value, dict):
        return {name: _undrawn(item) for name, item in cast("dict[str, Any]", value).items() if not _is_drawn(item)}
    if isinstance(value, list):
        return [_undrawn(each) for each in cast("list[Any]", value) if not _is_drawn(each)]
    return None if _is_drawn(value) else value


def _is_drawn(value: Any) -> bool:
    if isinstance(value, str):
        return value.lstrip().startswith(DRAWN)
    parts = cast("dict[str, Any]", value).values() if isinstance(value, dict) else value
    if not isinstance(value, dict | list) or not value:
        return False
    return all(isinstance(each, int | float) or (not isinstance(each, str) and _is_drawn(each)) for each in parts)


@cache
def _plan(model: type[BaseModel]) -> tuple[dict[str, str], list[str]]:
    """What the fields of a row are, and those in which there are rows."""
    inner = [name for name, field in model.model_fields.items() if any(_models_in(field.annotation))]
    links = LINKS.get(cast("type[Record]", model), ())
    teams = dict.fromkeys(name for name in model.model_fields if name not in inner)
    return {**dict.fromkeys(teams, TEAMS), **dict.fromkeys(links, LINK), **_kinds(model)}, inner


@cache
def about_candidates(model: type[BaseModel]) -> bool:
    """Whether a row, or one in it, has a field that says something of a candidate."""
    inner = [each for field in model.model_fields.values() for each in _models_in(field.annotation)]
    return bool(_kinds(model)) or any(about_candidates(each) for each in inner if each is not model)


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

"""What candidates do: arrive at a link, begin, answer; each step is stored before anything else happens."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

import anyio
import anyio.to_thread
from sqlalchemy import Connection, insert, select, update
from starlette.datastructures import FormData

from aural_mcp.api.analysis import columns
from aural_mcp.backend.interview.analyst import AnalysisFailed, Analyst, NoAnalyst
from aural_mcp.backend.interview.answers import Answer, Unclear, answer_of, typed_texts
from aural_mcp.backend.interview.interviewer import Interviewer, RuleInterviewer, Utterance, closing, opening
from aural_mcp.backend.interview.sessions import NO_GRACE, complete, is_over, question_ends, revive, session_ends
from aural_mcp.backend.interview.starting import Place, begun_before, note_start, refusal
from aural_mcp.backend.interview.words import words_for
from aural_mcp.backend.storage.store import (
    UNSTORABLE,
    Row,
    Store,
    digest,
    new_id,
    new_token,
    now,
    one,
    questions_of,
    stamp_after,
    turns_of,
)
from aural_mcp.backend.storage.tables import candidates, conducted, interviews, messages, sessions
from aural_mcp.backend.webhooks import note_session
from aural_mcp.config import STARTS, Model, Starts
from aural_mcp.events.outbox import SCORED, STARTED

WORKERS, THINKERS = 4, 40
"""Candidates served at once: more threads only wait for each other, unless they wait for a model."""
EVENTS = ("tab_switch", "paste")
MOST_EVENTS = 1000
TURN = "id role content contentType whiteboardData questionId isFollowUp wordCount timestamp".split()
"""What the conduct needs of a turn."""

Result = TypeVar("Result")


class Closed(Exception):
    """A door that does not open; `words` and `key` name the kind page that says why."""

    def __init__(self, status: int, key: str, words: Mapping[str, str] = words_for(None)) -> None:
        super().__init__(key)
        self.status, self.key, self.words = status, key, words


@dataclass(frozen=True)
class Link:
    """How a candidate comes: by a private link (`token`), or by the public one (`slug`) and perhaps a cookie.

    And from where: `address` and `agent`, what the browser says of itself.
    """

    path: str
    slug: str | None = None
    token: str | None = None
    cookie: str | None = None
    address: str = ""
    agent: str = ""


@dataclass(frozen=True)
class Door:
    """Where a candidate stands: the interview, the invited person if any, and the session once begun."""

    path: str
    interview: Row
    candidate: Row | None
    session: Row | None
    script: Sequence[Row]
    turns: Sequence[Row] = ()

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


@dataclass(frozen=True)
class Conduct:
    """Carries out what candidates do. Its methods block: `work` runs them in threads."""

    store: Store
    interviewer: Interviewer
    analyst: Analyst
    workers: anyio.CapacityLimiter
    starts: Starts = STARTS

    async def work(self, call: Callable[..., Result], *given: Any) -> Result:
        """Run one of its methods in a worker thread."""
        return await anyio.to_thread.run_sync(partial(call, *given), limiter=self.workers)

    def arrive(self, link: Link) -> Door:
        """Where the candidate stands now, once what their time demands was done."""
        with self.store.reading() as db:
            door = find_door(db, link)
        if not _is_due(door):
            return door
        with self.store.writing() as db:
            door = self._go_on(db, self._keep_time(db, find_door(db, link)))
        return self._think(link, door)

    def begin(self, link: Link, form: FormData) -> str | None:
        """Start the session of somebody who gave a name and agreed; the answer is a cookie's value, if one is due."""
        with self.store.writing() as db:
            door = find_door(db, link)
            if door.session is not None:
                return None
            name = _field(form, "name", 200) or (door.candidate or {}).get("name", "")
            if not name:
                raise Unclear(door.words["need.name"])
            if not form.get("consent"):
                raise Unclear(door.words["need.consent"])
            place, email = Place.of(door.interview["id"], link.address, link.agent), _field(form, "email", 320)
            doubles = begun_before(db, place, name, (door.candidate or {}).get("email") or email)
            if link.slug and (closed := refusal(db, place, doubles, self.starts)):
                raise Closed(*closed, door.words)
            door, cookie = _open_session(db, door, name, email)
            note_start(db, (door.session or {})["id"], place, doubles, _milliseconds())
            door = self._go_on(db, door)
        self._think(replace(link, cookie=cookie or link.cookie), door)
        return cookie

    def answer(self, link: Link, form: FormData) -> None:
        """Store an answer, then say what comes next. A form sent twice is taken once."""
        with self.store.writing() as db:
            door = find_door(db, link)
            if _is_due(door):
                door = self._go_on(db, self._keep_time(db, door))
            current = door.waiting is not None and door.waiting["id"] == form.get("turn")
            if current and door.waiting:
                given = _given(form, door, door.waiting)
                door = self._go_on(db, _say(db, door, "USER", given, question_id=door.waiting["questionId"]))
        self._think(link, door)
        if not current:
            _refuse_if_other(form, door)

    def notice(self, link: Link, form: FormData) -> None:
        """Log what the browser noticed, where the hiring team asked for it and the candidate was told."""
        with self.store.writing() as db:
            door = find_door(db, link)
            kind, session = form.get("type"), door.session
            if not (door.running and session and door.interview["antiCheatingEnabled"] and kind in EVENTS):
                return
            known: list[Row] = session["antiCheatingLog"]
            event = {"type": kind, "timestamp": _milliseconds(), "detail": _field(form, "detail", 200)}
            if len(known) < MOST_EVENTS:
                _update(db, session, antiCheatingLog=[*known, event])

    def analyse(self, session_id: str) -> None:
        """Have a finished session analysed, once; what cannot be scored stays open, and the transcript says why."""
        with self.store.reading() as db:
            session = one(db, select(sessions).where(sessions.c.id == session_id))
            if session is None or session["status"] != "COMPLETED" or session["insights"] is not None:
                return
            turns = turns_of(db, session_id)
            if not turns or turns[-1]["role"] == "SYSTEM":  # it was tried, and the transcript says why it failed
                return
            interview = one(db, select(interviews).where(interviews.c.id == session["interviewId"])) or {}
            door = Door("", interview, None, session, questions_of(db, interview["id"]), turns)
        try:
            made = self.analyst.analyse(interview, door.script, door.turns)
        except AnalysisFailed as failure:
            with self.store.writing() as db:
                _say(db, door, "SYSTEM", Answer(f"Not analysed: {failure}"))
            return
        if made is not None:
            found = columns(made, scored_by=self.analyst.name, kind="model", at=now())
            still_open = sessions.c.id == session_id, sessions.c.insights.is_(None)
            with self.store.writing() as db:
                moment = now()
                if db.execute(update(sessions).where(*still_open).values(**found, updatedAt=moment)).rowcount:
                    note_session(db, SCORED, session, at=moment)

    def _keep_time(self, db: Connection, door: Door) -> Door:
        """Revive an abandoned session, or end what has run out of time: the question, or the whole interview."""
        session = door.session
        if session is None or session["status"] == "COMPLETED":
            return door
        if is_over(session_ends(door.interview, session)):
            return _close(db, door, time_up=True) if door.running else door
        if not door.running:
            door = replace(door, session=revive(db, session))
        if door.waiting and is_over(question_ends(door.question, door.turns)):
            late = Answer(door.words["too_late"])
            door = _say(db, door, "USER", late, question_id=door.waiting["questionId"])
        return door

    def _go_on(self, db: Connection, door: Door) -> Door:
        """Say the next thing in the same transaction, where it is the interviewer's turn and it needs no time."""
        if not self.interviewer.instant or not door.running or door.waiting:
            return door
        return _speak_or_close(db, door, self._next(door))

    def _think(self, link: Link, door: Door) -> Door:
        """Say the next thing of an interviewer who needs time; no transaction is open while it thinks."""
        if not door.running or door.waiting:
            return door
        coming = self._next(door)
        with self.store.writing() as db:
            again = find_door(db, link)
            if again.running and again.last == door.last:
                return _speak_or_close(db, again, coming)
            return again

    def _next(self, door: Door) -> Utterance | None:
        """What comes next: nothing when the time is over, and no probe of a question whose time is over."""
        if _out_of_time(door):
            return None
        last = door.turns[-1] if door.turns else {"questionId": None}
        asked = next((row for row in door.script if row["id"] == last["questionId"]), None)
        spent = is_over(question_ends(asked, door.turns), grace=NO_GRACE)
        turns = [*door.turns[:-1], last | {"wordCount": 0}] if spent else door.turns
        return self.interviewer.next(door.interview, door.script, [turn for turn in turns if turn["role"] != "SYSTEM"])


def conduct_of(store: Store, model: Model | None, starts: Starts = STARTS) -> Conduct:
    """The conduct with a model that interviews and scores, or with rules and nobody who scores."""
    if model is None:
        return Conduct(store, RuleInterviewer(), NoAnalyst(), anyio.CapacityLimiter(WORKERS), starts)
    from aural_mcp.backend.interview.model import ModelAnalyst, ModelInterviewer

    return Conduct(store, ModelInterviewer(model), ModelAnalyst(model), anyio.CapacityLimiter(THINKERS), starts)


def find_door(db: Connection, link: Link) -> Door:
    """Who holds the private link is the invited person; the public link knows people by their cookie.

    Raises:
        Closed: the link leads nowhere, or not for this person, or no longer.
    """
    candidate = one(db, select(candidates).where(candidates.c.inviteToken == link.token)) if link.token else None
    if link.token:
        wanted = interviews.c.id == (candidate or {}).get("interviewId")
    else:
        wanted = interviews.c.publicSlug == link.slug
    interview = one(db, select(interviews).where(wanted))
    if interview is None:
        raise Closed(404, "no_link")
    session = _session(db, link, interview, candidate)
    words = words_for(interview["language"])
    if interview["requireInvite"] and not candidate and session is None:
        raise Closed(403, "by_invitation", words)
    if not interview["isActive"] and (session is None or session["status"] != "COMPLETED"):
        raise Closed(410, "closed", words)
    script = questions_of(db, interview["id"])
    if session is None and not script:
        raise Closed(404, "empty", words)
    turns = turns_of(db, session["id"], *TURN) if session else []
    return Door(link.path, interview, candidate, session, script, turns)


def _session(db: Connection, link: Link, interview: Row, candidate: Row | None) -> Row | None:
    if candidate:
        return one(db, select(sessions).where(sessions.c.id == candidate["sessionId"]))
    if not link.cookie:
        return None
    mine = select(sessions).join(conducted, conducted.c.sessionId == sessions.c.id)
    return one(db, mine.where(conducted.c.cookie == digest(link.cookie), sessions.c.interviewId == interview["id"]))


def _is_due(door: Door) -> bool:
    """Whether something must happen before the candidate does: an abandoned session, a time that is over."""
    session = door.session
    if session is None or session["status"] == "COMPLETED":
        return False
    late = is_over(session_ends(door.interview, session)) or is_over(question_ends(door.question, door.turns))
    return late or not door.waiting


def _out_of_time(door: Door) -> bool:
    return door.session is not None and is_over(session_ends(door.interview, door.session), grace=NO_GRACE)


def _given(form: FormData, door: Door, waiting: Row) -> Answer:
    """The answer in the form; an empty one that the clock sent says that there was none in time."""
    try:
        return answer_of(form, door.question, follow_up=waiting["isFollowUp"], words=door.words)
    except Unclear:
        if _out_of_time(door) or is_over(question_ends(door.question, door.turns), grace=NO_GRACE):
            return Answer(door.words["too_late"])
        raise


def _open_session(db: Connection, door: Door, name: str, email: str) -> tuple[Door, str | None]:
    """Store a new session and its greeting; a public link's candidate gets a cookie to come back with."""
    moment, known = now(), door.candidate or {}
    session = {
        "id": new_id(),
        "interviewId": door.interview["id"],
        "participantName": name,
        "participantEmail": known.get("email") or email or None,
        "participantPhone": known.get("phone"),
        "status": "IN_PROGRESS",
        "startedAt": moment,
        "lastActivityAt": moment,
        "createdAt": moment,
        "updatedAt": moment,
    }
    cookie = None if door.candidate else new_token(24)
    db.execute(insert(sessions).values(session))
    db.execute(insert(conducted).values(sessionId=session["id"], cookie=digest(cookie) if cookie else None))
    if door.candidate:
        mine = candidates.c.id == door.candidate["id"]
        db.execute(update(candidates).where(mine).values(sessionId=session["id"], updatedAt=moment))
    note_session(db, STARTED, session, at=moment)
    return _speak(db, replace(door, session=session), opening(door.interview, name)), cookie


def _refuse_if_other(form: FormData, door: Door) -> None:
    """A form for a turn that is over: the same words again are fine, other words are not lost silently."""
    typed = "\n".join(typed_texts(form)).replace("\r\n", "\n").strip()
    said = [turn["content"] for turn in door.turns if turn["role"] == "USER"]
    if typed and not any(typed in content for content in said):
        raise Unclear(door.words["stale"])


def _speak_or_close(db: Connection, door: Door, coming: Utterance | None) -> Door:
    return _speak(db, door, coming) if coming is not None else _close(db, door, time_up=_out_of_time(door))


def _close(db: Connection, door: Door, *, time_up: bool) -> Door:
    """Say goodbye and complete the session."""
    session = door.session or {}
    door = _speak(db, door, closing(door.interview, session["participantName"], time_up=time_up))
    return replace(door, session=complete(db, session))


def _speak(db: Connection, door: Door, said: Utterance) -> Door:
    """Store what the interviewer says, after the note to the hiring team if there is one."""
    if said.note:
        door = _say(db, door, "SYSTEM", Answer(said.note))
    return _say(db, door, "ASSISTANT", Answer(said.text), question_id=said.question_id, is_follow_up=said.is_follow_up)


def _say(
    db: Connection, door: Door, role: str, said: Answer, *, question_id: str | None = None, is_follow_up: bool = False
) -> Door:
    """Store one turn, a moment after the one before, and that something happened in the session."""
    session = door.session or {}
    moment = stamp_after(door.turns[-1]["timestamp"] if door.turns else session["startedAt"])
    row: dict[str, Any] = {
        "id": new_id(),
        "sessionId": session["id"],
        "role": role,
        "content": said.text,
        "contentType": said.kind,
        "whiteboardData": said.drawing,
        "questionId": question_id,
        "isFollowUp": is_follow_up,
        "wordCount": said.words,
        "timestamp": moment,
    }
    db.execute(insert(messages).values(row))
    spoken = {"currentQuestionId": question_id} if role == "ASSISTANT" else {}
    _update(db, session, lastActivityAt=moment, **spoken)
    return replace(door, turns=[*door.turns, row])


def _update(db: Connection, session: Row, **changes: Any) -> None:
    db.execute(update(sessions).where(sessions.c.id == session["id"]).values(**changes, updatedAt=now()))


def _field(form: FormData, name: str, most: int) -> str:
    text = form.get(name)
    return UNSTORABLE.sub("", text).strip()[:most] if isinstance(text, str) else ""


def _milliseconds() -> int:
    return int(datetime.now(UTC).timestamp() * 1000)

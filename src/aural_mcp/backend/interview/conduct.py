"""What candidates do: arrive at a link, begin, answer, ask for a person; each step is stored before anything else."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
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
from aural_mcp.backend.interview.asking import ask, ask_as_written, field, resume
from aural_mcp.backend.interview.doors import Closed, Door, Host, Link, find_door, place_of
from aural_mcp.backend.interview.interviewer import Interviewer, RuleInterviewer, Utterance, closing, opening
from aural_mcp.backend.interview.notice import keep, notice_for
from aural_mcp.backend.interview.sessions import NO_GRACE, complete, is_over, revive
from aural_mcp.backend.interview.starting import Place, begun_before, note_start, refusal
from aural_mcp.backend.storage.rights import waits_for_person
from aural_mcp.backend.storage.store import (
    PERSON,
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
from aural_mcp.config import EMPLOYER, STARTS, Employer, Model, Starts
from aural_mcp.events.outbox import ABANDONED, SCORED, STARTED

THINKERS = 40
"""Candidates served at once where threads wait for a model."""
EVENTS = ("tab_switch", "paste")
MOST_EVENTS = 1000
OWN = re.compile("[0-9a-z]{24}")
"""What a page gives a browser to begin with; where that keeps no cookie, it is the address to come back by."""

Result = TypeVar("Result")


@dataclass(frozen=True)
class Conduct:
    """Carries out what candidates do. Its methods block: `work` runs them in threads."""

    store: Store
    interviewer: Interviewer
    analyst: Analyst
    workers: anyio.CapacityLimiter
    starts: Starts = STARTS
    employer: Employer = EMPLOYER

    async def work(self, call: Callable[..., Result], *given: Any) -> Result:
        """Run one of its methods in a worker thread."""
        return await anyio.to_thread.run_sync(partial(call, *given), limiter=self.workers)

    @property
    def host(self) -> Host:
        """What is said of this side at every door."""
        by = self.employer
        return Host(self.interviewer.by_ai, by.organization, by.contact, by.retention_days)

    def arrive(self, link: Link) -> Door:
        """Where the candidate stands now, once what their time demands was done."""
        with self.store.reading() as db:
            door = self._door(db, link)
        if not _is_due(door):
            return door
        with self._in_session(link) as db:
            door = self._go_on(db, self._keep_time(db, self._door(db, link)))
        return self._think(link, door)

    def begin(self, link: Link, form: FormData) -> str | None:
        """Start the session of somebody who gave a name and agreed; the answer is a cookie's value, if one is due."""
        with self._alone(link) as db:
            door, cookie = self._arriving(db, link, form)
            if door.begun:
                return cookie
            name = _name(form, door)
            told, shown = notice_for(door), form.get("notice")
            if shown and shown != told.digest:
                raise Unclear(door.words["need.reading"])
            if not form.get("consent"):
                raise Unclear(door.words["need.consent"])
            door = self._enter(db, link, door, form, cookie, name, self.starts)
            if shown:  # a page of an earlier version told something else
                keep(db, door, told)
            door = self._go_on(db, _greet(db, door, name))
        self._think(replace(link, cookie=cookie or link.cookie), door)
        return cookie

    def ask_for_person(self, link: Link, form: FormData) -> str | None:
        """Store that somebody would rather speak with a person, once and with its time; the answer as of `begin`."""
        with self._alone(link) as db:
            door, cookie = self._arriving(db, link, form)
            name, email = _name(form, door), field(form, "email", 320)
            if not (door.candidate or door.reach or "@" in email):
                raise Unclear(door.words["need.contact"])
            if door.session is None:
                door = self._enter(db, link, door, form, cookie, name, replace(self.starts, once=False), wish=True)
            ask(db, resume(db, door), PERSON, "", email)
            return cookie

    def ask_for_data(self, link: Link, form: FormData) -> None:
        """Store that somebody asks for their data, a correction or deletion; also where the interview takes nobody."""
        with self._alone(link) as db:
            try:
                door = self._door(db, link)
            except Closed as closed:
                if closed.door is None:
                    raise
                door = closed.door
            if not (door.session or door.candidate):
                raise Closed(403, "foreign", door.words)
            ask_as_written(db, door, form)

    def answer(self, link: Link, form: FormData) -> None:
        """Store an answer, then say what comes next. A form sent twice is taken once."""
        with self._in_session(link) as db:
            door = self._door(db, link)
            if _is_due(door):
                door = self._go_on(db, self._keep_time(db, door))
            current = door.waiting is not None and door.waiting["id"] == form.get("turn")
            if current and door.waiting:
                if form.get("clock") and not (_out_of_time(door) or _question_is_over(door)):
                    raise Unclear("")  # another tab knows that no clock runs: this one shows it too
                given = _given(form, door, door.waiting)
                door = self._go_on(db, _say(db, door, "USER", given, question_id=door.waiting["questionId"]))
        self._think(link, door)
        if not current:
            _refuse_if_other(form, door)

    def notice(self, link: Link, form: FormData) -> None:
        """Log what the browser noticed, where the hiring team asked for it and the candidate was told."""
        with self._in_session(link) as db:
            door = self._door(db, link)
            kind, session = form.get("type"), door.session
            if not (door.running and session and door.interview["antiCheatingEnabled"] and kind in EVENTS):
                return
            known: list[Row] = session["antiCheatingLog"]
            event = {"type": kind, "timestamp": _milliseconds(), "detail": field(form, "detail", 200)}
            if len(known) < MOST_EVENTS:
                _update(db, session, antiCheatingLog=[*known, event])

    def analyse(self, session_id: str) -> None:
        """Have a finished session analysed, once; what cannot be scored stays open, and the transcript says why.

        Nobody who waits for a person is scored.
        """
        with self.store.reading() as db:
            session = one(db, select(sessions).where(sessions.c.id == session_id))
            if session is None or session["status"] != "COMPLETED" or session["insights"] is not None:
                return
            turns = turns_of(db, session_id)
            if waits_for_person(db, session_id):
                return
            if not turns or turns[-1]["role"] == "SYSTEM":  # it was tried, and the transcript says why it failed
                return
            interview = one(db, select(interviews).where(interviews.c.id == session["interviewId"])) or {}
            door = Door("", interview, None, session, questions_of(db, interview["id"]), turns)
        try:
            made = self.analyst.analyse(interview, door.script, door.turns)
        except AnalysisFailed as failure:
            with self.store.writing(interview["id"], session_id) as db:
                _say(db, door, "SYSTEM", Answer(f"Not analysed: {failure}"))
            return
        if made is not None:
            found = columns(made, scored_by=self.analyst.name, kind="model", at=now())
            still_open = sessions.c.id == session_id, sessions.c.insights.is_(None)
            with self.store.writing(interview["id"], session_id) as db:
                moment = now()
                if waits_for_person(db, session_id):
                    return
                if db.execute(update(sessions).where(*still_open).values(**found, updatedAt=moment)).rowcount:
                    note_session(db, SCORED, session, at=moment)

    def _in_session(self, link: Link) -> AbstractContextManager[Connection]:
        """A change of the session that this link leads to, of the whole interview where there is none yet."""
        return self.store.writing(find=lambda db: place_of(db, link))

    def _alone(self, link: Link) -> AbstractContextManager[Connection]:
        """A change of the interview that this link leads to: who begins is counted, and looked for among the others."""
        return self.store.writing(find=lambda db: place_of(db, link)[:1])

    def _door(self, db: Connection, link: Link) -> Door:
        return find_door(db, link, self.host)

    def _arriving(self, db: Connection, link: Link, form: FormData) -> tuple[Door, str | None]:
        """Where somebody stands who sends a page's first form, and what leads their browser back.

        A form that is sent twice finds the session that it opened, though the browser has kept nothing of it.
        """
        door = self._door(db, link)
        if door.session is not None or not link.slug:
            return door, None
        own = field(form, "own", 24)
        cookie = own if OWN.fullmatch(own) else new_token(24)
        door = self._door(db, replace(link, cookie=cookie))
        taken = select(conducted.c.sessionId).where(conducted.c.cookie == digest(cookie))
        return door, new_token(24) if door.session is None and db.execute(taken).first() else cookie

    def _enter(
        self,
        db: Connection,
        link: Link,
        door: Door,
        form: FormData,
        cookie: str | None,
        name: str,
        allowed: Starts,
        *,
        wish: bool = False,
    ) -> Door:
        """Give somebody a session, or begin the one that they have; `wish` is for one that is not begun."""
        place, email = Place.of(door.interview["id"], link.address, link.agent), field(form, "email", 320)
        mine = (door.session or {}).get("id")
        doubles = begun_before(db, place, name, (door.candidate or {}).get("email") or email, but=mine)
        public = link.slug or door.own_address
        if public and (closed := refusal(db, place, doubles, replace(allowed, per_hour=0) if mine else allowed)):
            raise Closed(*closed, door.words)
        if mine:
            return _begin_session(db, door, name, email)
        door = _open_session(db, door, name, email, cookie, begun=not wish)
        note_start(db, (door.session or {})["id"], place, doubles, _milliseconds())
        return door

    def _keep_time(self, db: Connection, door: Door) -> Door:
        """Revive an abandoned session, or end what has run out of time: the question, or the whole interview."""
        door = resume(db, door)
        session = door.session
        if session is None or not door.begun or session["status"] == "COMPLETED":
            return door
        if is_over(door.ends):
            return _close(db, door, time_up=True) if door.running else door
        if not door.running:
            door = replace(door, session=revive(db, session))
        if door.waiting and is_over(door.question_ends(door.question)):
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
        with self._in_session(link) as db:
            again = self._door(db, link)
            if again.running and again.last == door.last:
                return _speak_or_close(db, again, coming)
            return again

    def _next(self, door: Door) -> Utterance | None:
        """What comes next: nothing when the time is over, and no probe of a question whose time is over."""
        if _out_of_time(door):
            return None
        last = door.turns[-1] if door.turns else {"questionId": None}
        asked = next((row for row in door.script if row["id"] == last["questionId"]), None)
        spent = is_over(door.question_ends(asked), grace=NO_GRACE)
        turns = [*door.turns[:-1], last | {"wordCount": 0}] if spent else door.turns
        return self.interviewer.next(door.interview, door.script, [turn for turn in turns if turn["role"] != "SYSTEM"])


def conduct_of(store: Store, model: Model | None, starts: Starts = STARTS, employer: Employer = EMPLOYER) -> Conduct:
    """The conduct with a model that interviews and scores, or with rules and nobody who scores."""
    if model is None:
        workers = anyio.CapacityLimiter(store.at_once)
        return Conduct(store, RuleInterviewer(), NoAnalyst(), workers, starts, employer)
    from aural_mcp.backend.interview.model import ModelAnalyst, ModelInterviewer

    workers = anyio.CapacityLimiter(THINKERS)
    return Conduct(store, ModelInterviewer(model), ModelAnalyst(model), workers, starts, employer)


def _is_due(door: Door) -> bool:
    """Whether something must happen before the candidate does: an abandoned session, a time that is over."""
    session = door.session
    if door.returns:
        return True
    if session is None or not door.begun or session["status"] == "COMPLETED":
        return False
    late = is_over(door.ends) or is_over(door.question_ends(door.question))
    return late or not door.waiting


def _out_of_time(door: Door) -> bool:
    return is_over(door.ends, grace=NO_GRACE)


def _question_is_over(door: Door) -> bool:
    return is_over(door.question_ends(door.question), grace=NO_GRACE)


def _given(form: FormData, door: Door, waiting: Row) -> Answer:
    """The answer in the form; an empty one that the clock sent says that there was none in time."""
    try:
        return answer_of(form, door.question, follow_up=waiting["isFollowUp"], words=door.words)
    except Unclear:
        if _out_of_time(door) or _question_is_over(door):
            return Answer(door.words["too_late"])
        raise


def _name(form: FormData, door: Door) -> str:
    """Who somebody says they are, else who is known here."""
    known = (door.session or {}).get("participantName") or (door.candidate or {}).get("name", "")
    name = field(form, "name", 200) or known
    if not name:
        raise Unclear(door.words["need.name"])
    return name


def _open_session(db: Connection, door: Door, name: str, email: str, cookie: str | None, *, begun: bool) -> Door:
    """Store a new session; one that is not begun counts as over, so that nobody waits for it."""
    moment, known = now(), door.candidate or {}
    session = {
        "id": new_id(),
        "interviewId": door.interview["id"],
        "participantName": name,
        "participantEmail": known.get("email") or email or None,
        "participantPhone": known.get("phone"),
        "status": "IN_PROGRESS" if begun else "ABANDONED",
        "startedAt": moment if begun else None,
        "lastActivityAt": moment,
        "createdAt": moment,
        "updatedAt": moment,
    }
    db.execute(insert(sessions).values(session))
    db.execute(insert(conducted).values(sessionId=session["id"], cookie=digest(cookie) if cookie else None))
    if door.candidate:
        mine = candidates.c.id == door.candidate["id"]
        db.execute(update(candidates).where(mine).values(sessionId=session["id"], updatedAt=moment))
    note_session(db, STARTED if begun else ABANDONED, session, at=moment)
    return replace(door, session=session)


def _begin_session(db: Connection, door: Door, name: str, email: str) -> Door:
    """Begin a session that somebody has who asked for a person first."""
    moment, session = now(), door.session or {}
    changes = {
        "participantName": name,
        "participantEmail": session["participantEmail"] or email or None,
        "status": "IN_PROGRESS",
        "startedAt": moment,
        "lastActivityAt": moment,
    }
    _update(db, session, **changes)
    note_session(db, STARTED, session | changes, at=moment)
    return replace(door, session=session | changes)


def _greet(db: Connection, door: Door, name: str) -> Door:
    return _speak(db, door, opening(door.interview, name, door.script, by_ai=door.host.by_ai))


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


def _milliseconds() -> int:
    return int(datetime.now(UTC).timestamp() * 1000)

"""The candidate's side: the pages under `/i/`, and the answers that come from them.

A candidate comes by the public link (`/i/{slug}`; a cookie leads back to the session) or by a private
one (`/i/invite/{token}`; the link itself leads back, on any device). Everything works as plain forms.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import anyio.to_thread
from sqlalchemy import Connection, insert, select, update
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from aural_mcp.backend.handlers import complete
from aural_mcp.backend.intake import UNSTORABLE
from aural_mcp.backend.interviewer import CHOICES, Interviewer, RuleInterviewer, Utterance
from aural_mcp.backend.pages import Page, message_page, question_page, welcome_page
from aural_mcp.backend.store import (
    Row,
    Store,
    digest,
    new_id,
    new_token,
    now,
    one,
    questions_of,
    setting,
    stamp_after,
    turns_of,
)
from aural_mcp.backend.tables import candidates, interviews, messages, session_tokens, sessions

COOKIE = "aural_session"
COOKIE_AGE = 30 * 24 * 3600
LONGEST_ANSWER = 50_000
HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    ),
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
SKIPPED = "(skipped)"
WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff]+")
"""A word, or one character of the scripts that are written without spaces."""


class Closed(Exception):
    """A door that does not open, with the kind page that says why."""

    def __init__(self, status: int, heading: str, text: str) -> None:
        super().__init__(heading)
        self.status, self.heading, self.text = status, heading, text


class Unclear(Exception):
    """A form that cannot be taken as it is; the page is shown again with this sentence and what was typed."""


@dataclass(frozen=True)
class Door:
    """Where a candidate stands: the interview, the invited person if any, and the session once begun."""

    path: str
    interview: Row
    candidate: Row | None
    session: Row | None


@dataclass(frozen=True)
class Desk:
    """Carries out what candidates do; every method is one transaction and runs in a worker thread."""

    store: Store
    interviewer: Interviewer

    def show(self, request: Request, *, error: str = "", typed: FormData | None = None) -> Page:
        """The page for where the candidate stands now."""
        with self.store.reading() as db:
            door = _door(db, request)
            script = questions_of(db, door.interview["id"])
            if door.session is None:
                return welcome_page(door.path, door.interview, door.candidate, len(script), error=error, typed=typed)
            turns = turns_of(db, door.session["id"])
            return question_page(door.path, door.interview, door.session, script, turns, error=error, typed=typed)

    def begin(self, request: Request, form: FormData) -> str | None:
        """Start the session of somebody who gave a name and agreed; the answer is a cookie's value, if one is due."""
        with self.store.writing() as db:
            door = _door(db, request)
            if door.session is not None:
                return None
            name = _field(form, "name", 200) or (door.candidate["name"] if door.candidate else "")
            if not name:
                raise Unclear("Please enter your name.")
            if not form.get("consent"):
                raise Unclear("Please tick the box to agree before you begin.")
            session = self._open(db, door, name, _field(form, "email", 320))
            if door.candidate is not None:
                _link(db, door.candidate, session)
                return None
            token = new_token(24)
            db.execute(insert(session_tokens).values(hash=digest(token), sessionId=session["id"]))
            return token

    def answer(self, request: Request, form: FormData) -> None:
        """Store an answer and say what comes next. A form sent twice is taken once."""
        with self.store.writing() as db:
            door = _door(db, request)
            session = door.session
            if session is None or session["status"] != "IN_PROGRESS":
                return
            script, turns = questions_of(db, door.interview["id"]), turns_of(db, session["id"])
            waiting = turns[-1]
            if waiting["id"] != form.get("turn"):
                _refuse_if_other(form, turns)
                return
            question = next((row for row in script if row["id"] == waiting["questionId"]), None)
            text, kind = _answer_text(form, question, follow_up=waiting["isFollowUp"])
            said = _say(db, session, turns, "USER", text, question_id=waiting["questionId"], kind=kind)
            self._go_on(db, door.interview, session, script, [*turns, said])

    def _open(self, db: Connection, door: Door, name: str, email: str) -> Row:
        moment = now()
        known = door.candidate or {}
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
        db.execute(insert(sessions).values(session))
        script = questions_of(db, door.interview["id"])
        hello = _speak(db, session, [], self.interviewer.opening(door.interview, name))
        self._go_on(db, door.interview, session, script, [hello])
        return session

    def _go_on(self, db: Connection, interview: Row, session: Row, script: Sequence[Row], turns: list[Row]) -> None:
        """Say the next thing; when there is none, thank the candidate and complete the session."""
        coming = self.interviewer.next(interview, script, turns)
        if coming is not None:
            _speak(db, session, turns, coming)
            return
        _speak(db, session, turns, self.interviewer.closing(interview, session["participantName"]))
        complete(db, session)


def candidate_routes(store: Store) -> list[BaseRoute]:
    """The pages, their assets, and a sign by which another process knows whose pages these are."""
    desk = Desk(store, RuleInterviewer())

    async def look(request: Request) -> Response:
        return await _guarded(desk, request, None)

    async def start(request: Request) -> Response:
        return await _guarded(desk, request, desk.begin)

    async def answer(request: Request) -> Response:
        return await _guarded(desk, request, desk.answer)

    async def workspace(request: Request) -> Response:
        return Response(await anyio.to_thread.run_sync(_workspace, store), media_type="text/plain")

    doors: list[BaseRoute] = []
    for path in ("/i/invite/{token}", "/i/{slug}"):
        doors += [
            Route(path, look),
            Route(path + "/start", start, methods=["POST"]),
            Route(path + "/answer", answer, methods=["POST"]),
        ]
    assets = StaticFiles(directory=Path(__file__).parent / "pages" / "assets")
    return [Route("/workspace", workspace), Mount("/assets", assets), *doors]


async def _guarded(desk: Desk, request: Request, act: Callable[[Request, FormData], str | None] | None) -> Response:
    """Answer a page request: act on the form if there is one, then lead back to the page."""
    if request.headers.get("sec-fetch-site") == "cross-site" and act is not None:
        return _page(message_page("Not from here", "Please send your answer from the interview's own page."), 403)
    sent = parse_qsl((await request.body()).decode("utf-8", "replace"), keep_blank_values=True)
    form = FormData([*sent])
    try:
        if act is None:
            return _page(await anyio.to_thread.run_sync(desk.show, request))
        token = await anyio.to_thread.run_sync(act, request, form)
        return _back(request, token)
    except Unclear as unclear:
        again = partial(desk.show, request, error=str(unclear), typed=form)
        return _page(await anyio.to_thread.run_sync(again), 422)
    except Closed as closed:
        return _page(message_page(closed.heading, closed.text), closed.status)


def _back(request: Request, token: str | None) -> Response:
    path = request.url.path.rsplit("/", 1)[0]
    response = RedirectResponse(path, 303, HEADERS)
    if token:
        secure = request.headers.get("x-forwarded-proto", request.url.scheme) == "https"
        response.set_cookie(COOKIE, token, max_age=COOKIE_AGE, path=path, httponly=True, samesite="lax", secure=secure)
    return response


def _page(page: Page, status: int = 200) -> Response:
    return Response(page, status, HEADERS, media_type="text/html")


def _workspace(store: Store) -> str:
    with store.reading() as db:
        return setting(db, "workspace") or ""


def _door(db: Connection, request: Request) -> Door:
    """Whoever holds the private link is the invited person; the public link knows people by their cookie."""
    params = request.path_params
    if token := params.get("token"):
        candidate = one(db, select(candidates).where(candidates.c.inviteToken == token))
        found = candidate and one(db, select(interviews).where(interviews.c.id == candidate["interviewId"]))
        if not candidate or not found:
            raise Closed(404, "Link not found", "This invitation does not exist. Please check the link you were sent.")
        session = one(db, select(sessions).where(sessions.c.id == candidate["sessionId"]))
        return _open_door(db, Door(f"/i/invite/{token}", found, candidate, session))
    found = one(db, select(interviews).where(interviews.c.publicSlug == params["slug"]))
    if not found:
        raise Closed(404, "Link not found", "There is no interview at this address. Please check the link.")
    door = Door(f"/i/{params['slug']}", found, None, _session_of_cookie(db, request, found))
    if found["requireInvite"] and door.session is None:
        text = "This interview is by invitation. Please use the personal link you were sent."
        raise Closed(403, "By invitation", text)
    return _open_door(db, door)


def _open_door(db: Connection, door: Door) -> Door:
    """Archived interviews are closed to newcomers and to those in the middle; who has finished may look back."""
    if not door.interview["isActive"] and (door.session is None or door.session["status"] == "IN_PROGRESS"):
        raise Closed(410, "Interview closed", "This interview no longer takes answers. Thank you for your interest.")
    if door.session is None and not questions_of(db, door.interview["id"]):
        raise Closed(404, "Not ready yet", "This interview has no questions yet. Please come back later.")
    return door


def _session_of_cookie(db: Connection, request: Request, interview: Row) -> Row | None:
    token = request.cookies.get(COOKIE)
    if not token:
        return None
    mine = select(sessions).join(session_tokens, session_tokens.c.sessionId == sessions.c.id)
    return one(db, mine.where(session_tokens.c.hash == digest(token), sessions.c.interviewId == interview["id"]))


def _answer_text(form: FormData, question: Row | None, *, follow_up: bool) -> tuple[str, str]:
    """What the candidate answered, and the kind of content it is."""
    kind = question["type"] if question and not follow_up else "OPEN_ENDED"
    required = question is None or question["isRequired"]
    if "skip" in form and not required:
        return SKIPPED, "TEXT"
    given = [text for text in form.getlist("answer") if isinstance(text, str) and text.strip()]
    if not given:
        raise Unclear("Please choose an answer." if kind in CHOICES else "Please write an answer before you send it.")
    if kind in CHOICES and question:
        if not set(given) <= set(question["options"] or []) or (kind == "SINGLE_CHOICE" and len(given) > 1):
            raise Unclear("Please choose from the options shown.")
        return "\n".join(given), "TEXT"
    text = UNSTORABLE.sub("", given[0].replace("\r\n", "\n"))
    if len(text) > LONGEST_ANSWER:
        raise Unclear(f"This answer is longer than {LONGEST_ANSWER:,} characters. Please shorten it.")
    return (text, "CODE") if kind == "CODING" else (text.strip(), "TEXT")


def _refuse_if_other(form: FormData, turns: Sequence[Row]) -> None:
    """A form for a question already answered: the same words again are fine, other words are not lost silently."""
    typed = "\n".join(text for text in form.getlist("answer") if isinstance(text, str)).replace("\r\n", "\n").strip()
    if typed and all(turn["content"].strip() != typed for turn in turns if turn["role"] == "USER"):
        raise Unclear("That question was already answered in another window. Your text is below; it was not sent.")


def _speak(db: Connection, session: Row, turns: Sequence[Row], said: Utterance) -> Row:
    """Store what the interviewer says, and remember which question is open."""
    row = _say(db, session, turns, "ASSISTANT", said.text, question_id=said.question_id, is_follow_up=said.is_follow_up)
    moment = {"lastActivityAt": row["timestamp"], "updatedAt": row["timestamp"]}
    db.execute(
        update(sessions).where(sessions.c.id == session["id"]).values(currentQuestionId=said.question_id, **moment)
    )
    return row


def _say(
    db: Connection,
    session: Row,
    turns: Sequence[Row],
    role: str,
    text: str,
    *,
    question_id: str | None,
    is_follow_up: bool = False,
    kind: str = "TEXT",
) -> Row:
    last = turns[-1]["timestamp"] if turns else session["startedAt"]
    row: dict[str, Any] = {
        "id": new_id(),
        "sessionId": session["id"],
        "role": role,
        "content": text,
        "contentType": kind,
        "questionId": question_id,
        "isFollowUp": is_follow_up,
        "wordCount": 0 if text == SKIPPED else len(WORD.findall(text)),
        "timestamp": stamp_after(last),
    }
    db.execute(insert(messages).values(row))
    return row


def _link(db: Connection, candidate: Row, session: Row) -> None:
    db.execute(
        update(candidates)
        .where(candidates.c.id == candidate["id"])
        .values(sessionId=session["id"], updatedAt=session["createdAt"])
    )


def _field(form: FormData, name: str, most: int) -> str:
    text = form.get(name)
    return UNSTORABLE.sub("", text).strip()[:most] if isinstance(text, str) else ""

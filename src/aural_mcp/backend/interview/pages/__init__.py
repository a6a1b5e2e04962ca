"""The candidate's pages: HTML templates filled with escaped values. No script is needed to use them."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from starlette.datastructures import FormData

from aural_mcp.backend.interview.answers import BOARD, fenced_code, languages_of, typed_texts
from aural_mcp.backend.interview.interviewer import CHOICES, may_come
from aural_mcp.backend.interview.notice import notice_for
from aural_mcp.backend.interview.pages.asking import ALONE, alone, contact, noted, person, rights
from aural_mcp.backend.interview.pages.filling import NOTHING, Html, Page, fill, paragraphs
from aural_mcp.backend.interview.sessions import seconds_left
from aural_mcp.backend.interview.words import Words, counted, lasting, words_for
from aural_mcp.backend.storage.store import Row, new_token

if TYPE_CHECKING:
    from aural_mcp.backend.interview.doors import Closed, Door

NEEDED = {"name": "need.name", "email": "need.contact", "consent": "need.consent"}
"""Which field of the first page a refusal is about."""


def message_page(heading: str, text: str, words: Words = words_for(None), **more: Html) -> Page:  # noqa: B008  a constant
    """A page that only says something, with what may be done there all the same."""
    asking = dict.fromkeys(("contact", "error", "noted", "rights"), NOTHING) | more
    return _page(heading, fill("message", heading=heading, text=text, **asking), words, words["footer"])


def closed_page(closed: Closed, *, error: str = "", typed: FormData | None = None) -> Page:
    """The page that says why a door does not open; who is known there may ask the team something all the same."""
    words, door = closed.words, closed.door
    asking: dict[str, Html] = {}
    if door:
        form = Html(alone(door) + rights(door, error, typed))
        asking = {"contact": contact(door), "error": _error(error), "noted": noted(door, closed=True), "rights": form}
    return message_page(words[closed.key], words[f"{closed.key}.text"], words, **asking)


def page_of(door: Door, *, error: str = "", typed: FormData | None = None) -> Page:
    """The page for where a candidate stands; `typed` is what a refused form held, so that nothing is lost."""
    body = _interview(door, error, typed) if door.begun else _welcome(door, error, typed or FormData())
    words, by = door.words, door.host.organization
    footer = words["footer.by"].format(organization=by) if by else words["footer"]
    return _page(door.interview["title"], body, words, footer, contact(door) if door.begun else NOTHING)


def _error(text: str) -> Html:
    return fill("error", text=text) if text else NOTHING


# ── Before ──────────────────────────────────────────────────────────────────────────────────────


def _welcome(door: Door, error: str, typed: FormData) -> Html:
    """What a candidate sees first: what this is, who conducts it, what is noted, and the consent to give."""
    words, interview, notice = door.words, door.interview, notice_for(door)
    known = door.session or door.candidate or {}
    at = next((name for name, key in NEEDED.items() if error == words[key]), "")
    marks = {f"{name}_at": Html(' aria-invalid="true" aria-describedby="error" autofocus') for name in NEEDED}
    return fill(
        "welcome",
        path=door.path,
        invited=notice.invited,
        title=interview["title"],
        description=paragraphs(interview["description"] or ""),
        facts=" · ".join(_facts(door)),
        contact=contact(door),
        how=notice.heading,
        points=Html("".join(f"<li>{escape(point)}</li>" for point in notice.points)),
        notice=notice.digest,
        noted=noted(door),
        error=_error(error),
        own=new_token(24),
        name_label=words["name"],
        name=str(typed.get("name") or known.get("participantName") or known.get("name") or ""),
        email=NOTHING
        if door.candidate
        else _email(words, typed, known, marks["email_at"] if at == "email" else NOTHING),
        consent=notice.agreed,
        checked=Html(" checked" if typed.get("consent") else ""),
        name_at=marks["name_at"] if at == "name" else NOTHING,
        consent_at=marks["consent_at"] if at == "consent" else NOTHING,
        begin=words["begin"],
        next_timed=_next_timed(door),
        offline=words["offline"],
        person=person(door, error, typed, form="begin-form"),
        rights=rights(door, error, typed, form="begin-form"),
    )


def _facts(door: Door) -> list[str]:
    words, minutes = door.words, door.interview["timeLimitMinutes"]
    facts = [counted(words, "question", len(door.script)), words["in_writing"]]
    return [*facts, words["at_most"].format(time=lasting(words, 60 * minutes))] if minutes else facts


def _email(words: Words, typed: FormData, known: Row, at: Html) -> Html:
    email = str(typed.get("email") or known.get("participantEmail") or "")
    return fill(
        "email", id="email", form="begin-form", label=words["email"], why=words["email.why"], email=email, at=at
    )


# ── The interview ───────────────────────────────────────────────────────────────────────────────


def _interview(door: Door, error: str, typed: FormData | None) -> Html:
    """The conversation so far, and the open question's form; after the last one, the end."""
    words, waiting, ai = door.words, door.waiting, door.interview["aiName"]
    shown = [turn for turn in door.turns if turn["role"] != "SYSTEM" and turn is not waiting]
    done = waiting is None
    number, total, value = _progress(door)
    return fill(
        "interview",
        title=door.interview["title"],
        ai=words["with.ai"].format(ai=ai) if door.host.by_ai else words["with.rules"],
        progress=words["finished"] if done else words["progress"].format(number=number, total=total),
        follow=words["follow_up"] if waiting and waiting["isFollowUp"] else "",
        value=f"{total if done else value:.3g}",
        total=str(total),
        conversation=words["conversation"],
        turns=Html("".join(_turn(turn, door) for turn in shown)),
        clocks=NOTHING if done else _clocks(door),
        own=fill("own", text=words["own.address"]) if door.own_address and not done else NOTHING,
        noted=noted(door),
        error=_error(error),
        form=_finished(door, typed, error) if waiting is None else _form(door, waiting, typed, error),
    )


def _progress(door: Door) -> tuple[int, int, float]:
    """The number of the open question, of how many that may come, and how far it is: each answer moves it."""
    asked = list(dict.fromkeys(turn["questionId"] for turn in door.turns if turn["questionId"]))
    coming = [row["id"] for row in door.script if row["id"] not in asked and may_come(row, door.turns)]
    given = sum(turn["role"] == "USER" and turn["questionId"] == asked[-1] for turn in door.turns) if asked else 0
    return len(asked), len(asked) + len(coming), max(0, len(asked) - 1) + given / (given + 1)


def _next_timed(door: Door) -> str:
    """That a question with a time limit comes next, before its clock runs."""
    asked = {turn["questionId"] for turn in door.turns}
    coming = next((row for row in door.script if row["id"] not in asked and may_come(row, door.turns)), None)
    seconds = coming["timeLimitSeconds"] if coming else None
    return door.words["next_timed"].format(time=lasting(door.words, seconds)) if seconds else ""


def _finished(door: Door, typed: FormData | None, error: str) -> Html:
    """The end, and what may be asked after it; words that came too late are shown, so that they can be copied."""
    words, late = door.words, "\n".join(typed_texts(typed)) if typed else ""
    name = (door.session or {}).get("participantName") or ""
    text = words["done.text" if not door.session or door.session["status"] == "COMPLETED" else "time_up"]
    shown = fill("late", text=late, label=words["your_answer"]) if late else NOTHING
    return fill(
        "finished",
        heading=words["done"],
        text=text.format(name=name),
        late=shown,
        alone=alone(door),
        person=person(door, error, typed, form=ALONE),
        rights=rights(door, error, typed),
    )


def _clocks(door: Door) -> Html:
    """What time is left, for the interview and for the question; it stands still for who waits for a person."""
    ends = {"time_left": door.ends, "time_left.question": door.question_ends(door.question)}
    stands = {"seconds": "", "stands": door.words["time_stands"]} if door.asks else {"stands": ""}
    clocks = [
        fill(
            "clock",
            **{"label": door.words[key], "seconds": str(left), "time": f"{left // 60}:{left % 60:02}"} | stands,
        )
        for key, end in ends.items()
        if end and (left := seconds_left(end)) >= 0
    ]
    return Html("".join(clocks))


def _form(door: Door, waiting: Row, typed: FormData | None, error: str) -> Html:
    words, question = door.words, door.question
    new = question if question and not waiting["isFollowUp"] else None
    event = f"{door.path}/event" if door.interview["antiCheatingEnabled"] else ""
    return fill(
        "form",
        path=door.path,
        event=event,
        turn=waiting["id"],
        follow=words["follow_up"] if waiting["isFollowUp"] else "",
        question=paragraphs(waiting["content"]),
        read_aloud=words["read_aloud"],
        description=paragraphs((new or {}).get("description") or ""),
        field=_field(new, waiting["id"], typed, words),
        send=words["send"],
        skip=fill("skip", text=words["skip"]) if question and not question["isRequired"] else NOTHING,
        draft=words["draft"],
        offline=words["offline"],
        next_timed=_next_timed(door),
        person=person(door, error, typed, form="answer-form"),
        rights=rights(door, error, typed, form="answer-form"),
    )


def _field(question: Row | None, turn: str, typed: FormData | None, words: Words) -> Html:
    given = typed_texts(typed) if typed else []
    kind = question["type"] if question else "OPEN_ENDED"
    text = given[0] if given else ""
    if kind in CHOICES and question:
        return _choices(question, given)
    if kind == "CODING" and question:
        return _editor(question, turn, text, typed, words)
    if kind == "WHITEBOARD":
        return _board(turn, text, typed, words)
    return fill("text", text=text, turn=turn, label=words["your_answer"])


def _choices(question: Row, given: Sequence[str]) -> Html:
    kind = "radio" if question["type"] == "SINGLE_CHOICE" else "checkbox"
    options: list[str] = question["options"] or []
    return Html(
        "".join(
            fill("choice", kind=kind, text=option, checked=Html(" checked" if option in given else ""))
            for option in options
        )
    )


def _editor(question: Row, turn: str, text: str, typed: FormData | None, words: Words) -> Html:
    starters: dict[str, str] = question["starterCode"] or {}
    languages = languages_of(question)
    chosen = str((typed and typed.get("language")) or languages[0])
    options = [
        f'<option value="{escape(name)}"{" selected" if name == chosen else ""}>{escape(name)}</option>'
        for name in languages
    ]
    return fill(
        "editor",
        language=words["language"],
        options=Html("".join(options)),
        starters=json.dumps(starters, ensure_ascii=False),
        label=words["editor.label"],
        help=words["editor.help"],
        text=text or starters.get(chosen, ""),
        turn=turn,
    )


def _board(turn: str, text: str, typed: FormData | None, words: Words) -> Html:
    return fill(
        "board",
        label=words["board.label"],
        help=words["board.help"],
        undo=words["board.undo"],
        clear=words["board.clear"],
        count=words["board.count"],
        drawing=str((typed and typed.get("drawing")) or ""),
        words=words["board.words"],
        width=str(BOARD[0]),
        height=str(BOARD[1]),
        text=text,
        turn=turn,
    )


def _turn(turn: Row, door: Door) -> str:
    mine = turn["role"] == "USER"
    speaker = door.words["you"] if mine else door.interview["aiName"]
    follow = door.words["follow_up"] if turn["isFollowUp"] and not mine else ""
    return fill("turn", side="you" if mine else "ai", speaker=speaker, follow=follow, words=_said(turn, door.words))


def _said(turn: Row, words: Words) -> Html:
    """What a turn says: words, code, or a drawing with its words."""
    if turn["contentType"] == "CODE":
        language, code = fenced_code(turn["content"])
        return fill("code", language=language, code=code)
    if turn["contentType"] == "WHITEBOARD" and turn["whiteboardData"]:
        svg = base64.b64encode(turn["whiteboardData"]["svg"].encode()).decode()
        return Html(fill("drawing", svg=svg, label=words["board.label"]) + paragraphs(turn["content"]))
    return paragraphs(turn["content"])


def _page(title: str, body: Html, words: Words, footer: str, contact: Html = NOTHING) -> Page:
    lang, way = words["lang"], words["dir"]
    return Page(fill("layout", title=title, body=body, lang=lang, dir=way, footer=footer, contact=contact))

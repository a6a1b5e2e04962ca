"""The candidate's pages: HTML templates filled with escaped values. No script is needed to use them."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Sequence
from functools import cache
from html import escape
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, NewType

from starlette.datastructures import FormData

from aural_mcp.backend.interview.answers import BOARD, fenced_code, languages_of, typed_texts
from aural_mcp.backend.interview.interviewer import CHOICES, may_come
from aural_mcp.backend.interview.sessions import question_ends, seconds_left, session_ends
from aural_mcp.backend.interview.words import Words, counted, lasting, words_for
from aural_mcp.backend.storage.store import Row, new_token

if TYPE_CHECKING:
    from aural_mcp.backend.interview.doors import Door

Page = NewType("Page", str)
Html = NewType("Html", str)
NOTHING = Html("")
MAIL, LINK = re.compile(r"[^\s@:/?&]+@[^\s@:/?&]+"), re.compile(r"https?://\S+")
NEEDED = {"name": "need.name", "email": "need.contact", "consent": "need.consent"}
"""Which field of the first page a refusal is about."""


def message_page(heading: str, text: str, words: Words = words_for(None)) -> Page:  # noqa: B008  a constant
    """A page that only says something."""
    return _page(heading, _fill("message", heading=heading, text=text), words, words["footer"])


def page_of(door: Door, *, error: str = "", typed: FormData | None = None) -> Page:
    """The page for where a candidate stands; `typed` is what a refused form held, so that nothing is lost."""
    body = _interview(door, error, typed) if door.begun else _welcome(door, error, typed or FormData())
    words, by = door.words, door.host.organization
    footer = words["footer.by"].format(organization=by) if by else words["footer"]
    return _page(door.interview["title"], body, words, footer, _contact(door) if door.begun else NOTHING)


def _error(text: str) -> Html:
    return _fill("error", text=text) if text else NOTHING


# ── Before ──────────────────────────────────────────────────────────────────────────────────────


def _welcome(door: Door, error: str, typed: FormData) -> Html:
    """What a candidate sees first: what this is, who conducts it, what is noted, and the consent to give."""
    words, interview, by = door.words, door.interview, door.host.organization
    known, kind = door.session or door.candidate or {}, "ai" if door.host.by_ai else "rules"
    at = next((name for name, key in NEEDED.items() if error == words[key]), "")
    marks = {f"{name}_at": Html(' aria-invalid="true" aria-describedby="error" autofocus') for name in NEEDED}
    return _fill(
        "welcome",
        path=door.path,
        invited=words["invited.by"].format(organization=by) if by else words["invited"],
        title=interview["title"],
        description=_paragraphs(interview["description"] or ""),
        facts=" · ".join(_facts(door)),
        contact=_contact(door),
        how=words["how"],
        points=Html("".join(f"<li>{escape(point)}</li>" for point in _points(door))),
        noted=_noted(door),
        error=_error(error),
        own=new_token(24),
        name_label=words["name"],
        name=str(typed.get("name") or known.get("participantName") or known.get("name") or ""),
        email=NOTHING
        if door.candidate
        else _email(words, typed, known, marks["email_at"] if at == "email" else NOTHING),
        consent=words[f"consent.{kind}"],
        checked=Html(" checked" if typed.get("consent") else ""),
        name_at=marks["name_at"] if at == "name" else NOTHING,
        consent_at=marks["consent_at"] if at == "consent" else NOTHING,
        begin=words["begin"],
        next_timed=_next_timed(door),
        offline=words["offline"],
        person=_person(door, NOTHING if door.candidate else _hint(words["need.contact"]), form="begin-form"),
    )


def _facts(door: Door) -> list[str]:
    words, minutes = door.words, door.interview["timeLimitMinutes"]
    facts = [counted(words, "question", len(door.script)), words["in_writing"]]
    return [*facts, words["at_most"].format(time=lasting(words, 60 * minutes))] if minutes else facts


def _points(door: Door) -> list[str]:
    words, interview = door.words, door.interview
    points = [words["how.ai" if door.host.by_ai else "how.rules"].format(ai=interview["aiName"])]
    if interview["voiceEnabled"] or interview["videoEnabled"]:
        points.append(words["how.writing"])
    points.append(words["how.saved.anywhere" if door.candidate else "how.saved.here"])
    if minutes := interview["timeLimitMinutes"]:
        points.append(words["how.time"].format(time=lasting(words, 60 * minutes)))
    if limits := sorted({each["timeLimitSeconds"] for each in door.script if each["timeLimitSeconds"]}):
        times = " · ".join(lasting(words, seconds) for seconds in limits)
        points.append(words["how.time.questions"].format(times=times))
    if interview["antiCheatingEnabled"]:
        points.append(words["how.integrity"])
    return [*points, words["how.reads"], words["how.scored"]]


def _email(words: Words, typed: FormData, known: Row, at: Html) -> Html:
    email = str(typed.get("email") or known.get("participantEmail") or "")
    return _fill("email", label=words["email"], why=words["email.why"], email=email, at=at)


def _contact(door: Door) -> Html:
    """Where a candidate may ask, as a link if it is one."""
    given = door.host.contact
    if not given:
        return NOTHING
    address = f"mailto:{given}" if MAIL.fullmatch(given) else given if LINK.fullmatch(given) else ""
    shown = _fill("link", address=address, text=given) if address else Html(escape(given))
    return _fill("contact", label=door.words["contact"], contact=shown)


# ── A person instead ────────────────────────────────────────────────────────────────────────────


def _person(door: Door, email: Html, *, form: str, opened: bool = False) -> Html:
    """The wish for a person: a button that says what follows, and one that is it."""
    words = door.words
    if door.asks:
        return NOTHING
    timed = door.begun and (door.interview["timeLimitMinutes"] or (door.question or {}).get("timeLimitSeconds"))
    return _fill(
        "person",
        path=door.path,
        form=form,
        opened=Html(" open" if opened else ""),
        person=words["person"],
        explain=words["person.explain"],
        clock=words["person.clock"] if timed else "",
        email=email,
        confirm=words["person.confirm"],
    )


def _hint(text: str) -> Html:
    return Html(f"<p>{escape(text)}</p>")


def _noted(door: Door) -> Html:
    """That a person was asked for, and what happens next."""
    if not door.asks:
        return NOTHING
    words = door.words
    reach = words["person.reach"].format(address=door.reach) if door.reach else ""
    over = (door.session or {}).get("status") == "COMPLETED"
    return _fill("noted", noted=words["person.noted"], next="" if over else words["person.next"], reach=reach)


# ── The interview ───────────────────────────────────────────────────────────────────────────────


def _interview(door: Door, error: str, typed: FormData | None) -> Html:
    """The conversation so far, and the open question's form; after the last one, the end."""
    words, waiting, ai = door.words, door.waiting, door.interview["aiName"]
    shown = [turn for turn in door.turns if turn["role"] != "SYSTEM" and turn is not waiting]
    done = waiting is None
    number, total, value = _progress(door)
    return _fill(
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
        own=_fill("own", text=words["own.address"]) if door.own_address and not done else NOTHING,
        noted=_noted(door),
        error=_error(error),
        form=_finished(door, typed) if waiting is None else _form(door, waiting, typed, error),
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


def _finished(door: Door, typed: FormData | None) -> Html:
    """The end; words that came too late are shown, so that they can be copied."""
    words, late = door.words, "\n".join(typed_texts(typed)) if typed else ""
    name = (door.session or {}).get("participantName") or ""
    text = words["done.text" if not door.session or door.session["status"] == "COMPLETED" else "time_up"]
    shown = _fill("late", text=late, label=words["your_answer"]) if late else NOTHING
    return _fill("finished", heading=words["done"], text=text.format(name=name), late=shown)


def _clocks(door: Door) -> Html:
    """What time is left, for the interview and for the question."""
    ends = {
        "time_left": session_ends(door.interview, door.session or {}),
        "time_left.question": question_ends(door.question, door.turns),
    }
    clocks = [
        _fill("clock", label=door.words[key], seconds=str(left), time=f"{left // 60}:{left % 60:02}")
        for key, end in ends.items()
        if end and (left := seconds_left(end)) >= 0
    ]
    return Html("".join(clocks))


def _form(door: Door, waiting: Row, typed: FormData | None, error: str) -> Html:
    words, question = door.words, door.question
    unknown = not (door.candidate or door.reach)
    email = str((typed and typed.get("email")) or "")
    field = {"label": words["email"], "why": words["email.person"], "email": email, "at": NOTHING}
    reach = _fill("email", **field) if unknown else NOTHING
    new = question if question and not waiting["isFollowUp"] else None
    event = f"{door.path}/event" if door.interview["antiCheatingEnabled"] else ""
    return _fill(
        "form",
        path=door.path,
        event=event,
        turn=waiting["id"],
        follow=words["follow_up"] if waiting["isFollowUp"] else "",
        question=_paragraphs(waiting["content"]),
        read_aloud=words["read_aloud"],
        description=_paragraphs((new or {}).get("description") or ""),
        field=_field(new, waiting["id"], typed, words),
        send=words["send"],
        skip=_fill("skip", text=words["skip"]) if question and not question["isRequired"] else NOTHING,
        draft=words["draft"],
        offline=words["offline"],
        next_timed=_next_timed(door),
        person=_person(door, reach, form="answer-form", opened=error == words["need.contact"]),
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
    return _fill("text", text=text, turn=turn, label=words["your_answer"])


def _choices(question: Row, given: Sequence[str]) -> Html:
    kind = "radio" if question["type"] == "SINGLE_CHOICE" else "checkbox"
    options: list[str] = question["options"] or []
    return Html(
        "".join(
            _fill("choice", kind=kind, text=option, checked=Html(" checked" if option in given else ""))
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
    return _fill(
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
    return _fill(
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
    return _fill("turn", side="you" if mine else "ai", speaker=speaker, follow=follow, words=_said(turn, door.words))


def _said(turn: Row, words: Words) -> Html:
    """What a turn says: words, code, or a drawing with its words."""
    if turn["contentType"] == "CODE":
        language, code = fenced_code(turn["content"])
        return _fill("code", language=language, code=code)
    if turn["contentType"] == "WHITEBOARD" and turn["whiteboardData"]:
        svg = base64.b64encode(turn["whiteboardData"]["svg"].encode()).decode()
        return Html(_fill("drawing", svg=svg, label=words["board.label"]) + _paragraphs(turn["content"]))
    return _paragraphs(turn["content"])


# ── Templates ───────────────────────────────────────────────────────────────────────────────────


def _paragraphs(text: str) -> Html:
    """Plain text as paragraphs, line breaks kept."""
    blocks = [escape(block).replace("\n", "<br>") for block in text.strip().split("\n\n") if block.strip()]
    return Html("".join(f'<p dir="auto">{block}</p>' for block in blocks))


def _page(title: str, body: Html, words: Words, footer: str, contact: Html = NOTHING) -> Page:
    lang, way = words["lang"], words["dir"]
    return Page(_fill("layout", title=title, body=body, lang=lang, dir=way, footer=footer, contact=contact))


def _fill(template: str, **values: str | Html) -> Html:
    """A template with its `$names` replaced. Every value is escaped, unless it is Html that these functions made."""
    safe = HTML_FIELDS.get(template, ())
    return Html(_template(template).substitute({k: v if k in safe else escape(str(v)) for k, v in values.items()}))


HTML_FIELDS: dict[str, tuple[str, ...]] = {
    "layout": ("body", "contact"),
    "welcome": (
        *("description", "contact", "points", "noted", "error", "email", "checked", "person"),
        *("name_at", "consent_at"),
    ),
    "email": ("at",),
    "contact": ("contact",),
    "person": ("opened", "email"),
    "interview": ("turns", "clocks", "own", "noted", "error", "form"),
    "finished": ("late",),
    "form": ("question", "description", "field", "skip", "person"),
    "choice": ("checked",),
    "editor": ("options",),
    "turn": ("words",),
}
"""Which names of a template take HTML; all others are text and are escaped."""


@cache
def _template(name: str) -> Template:
    return Template((Path(__file__).parent / f"{name}.html").read_text(encoding="utf-8"))

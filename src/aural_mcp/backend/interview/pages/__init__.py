"""The candidate's pages: HTML templates filled with escaped values. No script is needed to use them."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from functools import cache
from html import escape
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, NewType

from starlette.datastructures import FormData

from aural_mcp.backend.interview.answers import BOARD, fenced_code, languages_of, typed_texts
from aural_mcp.backend.interview.interviewer import CHOICES
from aural_mcp.backend.interview.sessions import question_ends, seconds_left, session_ends
from aural_mcp.backend.interview.words import words_for
from aural_mcp.backend.storage.store import Row

if TYPE_CHECKING:
    from aural_mcp.backend.interview.conduct import Door

Page = NewType("Page", str)
Html = NewType("Html", str)
Words = Mapping[str, str]
NOTHING = Html("")


def message_page(heading: str, text: str, words: Words = words_for(None)) -> Page:  # noqa: B008  a constant
    """A page that only says something."""
    return _page(heading, _fill("message", heading=heading, text=text), words)


def page_of(door: Door, *, error: str = "", typed: FormData | None = None) -> Page:
    """The page for where a candidate stands; `typed` is what a refused form held, so that nothing is lost."""
    said = _fill("error", text=error) if error else NOTHING
    body = _welcome(door, said, typed or FormData()) if door.session is None else _interview(door, said, typed)
    return _page(door.interview["title"], body, door.words)


# ── Before ──────────────────────────────────────────────────────────────────────────────────────


def _welcome(door: Door, error: Html, typed: FormData) -> Html:
    """What a candidate sees first: what this is, who conducts it, what is noted, and the consent to give."""
    words, interview, candidate = door.words, door.interview, door.candidate
    return _fill(
        "welcome",
        path=door.path,
        invited=words["invited"],
        title=interview["title"],
        description=_paragraphs(interview["description"] or ""),
        facts=" · ".join(_facts(door)),
        how=words["how"],
        points=Html("".join(f"<li>{escape(point)}</li>" for point in _points(door))),
        error=error,
        name_label=words["name"],
        name=str(typed.get("name") or (candidate or {}).get("name") or ""),
        contact=NOTHING if candidate else _contact(words, typed),
        consent=words["consent"],
        checked=Html(" checked" if typed.get("consent") else ""),
        begin=words["begin"],
    )


def _facts(door: Door) -> list[str]:
    words, count, minutes = door.words, len(door.script), door.interview["timeLimitMinutes"]
    facts = [words["question"] if count == 1 else words["questions"].format(count=count), words["in_writing"]]
    return [*facts, words["minutes"].format(minutes=minutes)] if minutes else facts


def _points(door: Door) -> list[str]:
    words, interview = door.words, door.interview
    points = [words["how.ai"].format(ai=interview["aiName"])]
    if interview["voiceEnabled"] or interview["videoEnabled"]:
        points.append(words["how.writing"])
    points.append(words["how.saved.anywhere" if door.candidate else "how.saved.here"])
    if interview["timeLimitMinutes"]:
        points.append(words["how.time"].format(minutes=interview["timeLimitMinutes"]))
    if interview["antiCheatingEnabled"]:
        points.append(words["how.integrity"])
    return [*points, words["how.reads"]]


def _contact(words: Words, typed: FormData) -> Html:
    return _fill("contact", label=words["email"], why=words["email.why"], email=str(typed.get("email") or ""))


# ── The interview ───────────────────────────────────────────────────────────────────────────────


def _interview(door: Door, error: Html, typed: FormData | None) -> Html:
    """The conversation so far, and the open question's form; after the last one, the end."""
    words, waiting = door.words, door.waiting
    shown = [turn for turn in door.turns if turn["role"] != "SYSTEM" and turn is not waiting]
    asked = list(dict.fromkeys(turn["questionId"] for turn in door.turns if turn["questionId"]))
    total = len({row["id"] for row in door.script} | set(asked))
    done = waiting is None
    progress = words["progress"].format(number=len(asked), total=total)
    return _fill(
        "interview",
        title=door.interview["title"],
        ai=words["with"].format(ai=door.interview["aiName"]),
        progress=words["finished"] if done else progress,
        value=str(total if done else max(0, len(asked) - 1)),
        total=str(total),
        conversation=words["conversation"],
        turns=Html("".join(_turn(turn, door) for turn in shown)),
        clocks=NOTHING if done else _clocks(door),
        error=error,
        form=_finished(door, typed) if waiting is None else _form(door, waiting, typed),
    )


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


def _form(door: Door, waiting: Row, typed: FormData | None) -> Html:
    words, question = door.words, door.question
    new = question if question and not waiting["isFollowUp"] else None
    event = f"{door.path}/event" if door.interview["antiCheatingEnabled"] else ""
    return _fill(
        "form",
        path=door.path,
        event=event,
        turn=waiting["id"],
        question=_paragraphs(waiting["content"]),
        read_aloud=words["read_aloud"],
        description=_paragraphs((new or {}).get("description") or ""),
        field=_field(new, waiting["id"], typed, words),
        send=words["send"],
        skip=_fill("skip", text=words["skip"]) if question and not question["isRequired"] else NOTHING,
        draft=words["draft"],
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
    return _fill("turn", side="you" if mine else "ai", speaker=speaker, words=_said(turn, door.words))


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


def _page(title: str, body: Html, words: Words) -> Page:
    return Page(_fill("layout", title=title, body=body, lang=words["lang"], footer=words["footer"]))


def _fill(template: str, **values: str | Html) -> Html:
    """A template with its `$names` replaced. Every value is escaped, unless it is Html that these functions made."""
    safe = HTML_FIELDS.get(template, ())
    return Html(_template(template).substitute({k: v if k in safe else escape(str(v)) for k, v in values.items()}))


HTML_FIELDS: dict[str, tuple[str, ...]] = {
    "layout": ("body",),
    "welcome": ("description", "points", "error", "contact", "checked"),
    "interview": ("turns", "clocks", "error", "form"),
    "finished": ("late",),
    "form": ("question", "description", "field", "skip"),
    "choice": ("checked",),
    "editor": ("options",),
    "turn": ("words",),
}
"""Which names of a template take HTML; all others are text and are escaped."""


@cache
def _template(name: str) -> Template:
    return Template((Path(__file__).parent / f"{name}.html").read_text(encoding="utf-8"))

"""The candidate's pages: HTML templates filled with escaped values. No script is needed to use them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from html import escape
from pathlib import Path
from string import Template
from typing import NewType

from starlette.datastructures import FormData

from aural_mcp.backend.store import Row

Page = NewType("Page", str)
Html = NewType("Html", str)
NOTHING = Html("")


def message_page(heading: str, text: str) -> Page:
    """A page that only says something."""
    return _page(heading, _fill("message", heading=heading, text=text))


def welcome_page(
    path: str, interview: Row, candidate: Row | None, questions: int, *, error: str = "", typed: FormData | None = None
) -> Page:
    """What a candidate sees first: what this is, who conducts it, and the consent to give."""
    typed = typed or FormData()
    minutes = interview["timeLimitMinutes"]
    facts = [f"{questions} question{'s' if questions > 1 else ''}", "in writing"]
    facts += [f"about {minutes} minutes"] if minutes else []
    name = str(typed.get("name") or (candidate["name"] if candidate else ""))
    body = _fill(
        "welcome",
        path=path,
        title=interview["title"],
        ai_name=interview["aiName"],
        description=_paragraphs(interview["description"] or ""),
        facts=" · ".join(facts),
        error=_error(error),
        name=name,
        contact=NOTHING if candidate else _fill("contact", email=str(typed.get("email") or "")),
        device="" if candidate else " on this device",
        checked=Html(" checked" if typed.get("consent") else ""),
    )
    return _page(interview["title"], body)


def question_page(
    path: str,
    interview: Row,
    session: Row,
    questions: Sequence[Row],
    turns: Sequence[Row],
    *,
    error: str = "",
    typed: FormData | None = None,
) -> Page:
    """The conversation so far, and the open question's form; after the last one, the end."""
    done = session["status"] != "IN_PROGRESS"
    waiting = turns[-1]
    question = next((row for row in questions if row["id"] == waiting["questionId"]), None)
    shown = turns if done else turns[:-1]
    asked = list(dict.fromkeys(turn["questionId"] for turn in turns if turn["questionId"]))
    total = len({row["id"] for row in questions} | set(asked))
    form = _fill("finished", name=session["participantName"] or "") if done else _form(path, waiting, question, typed)
    body = _fill(
        "interview",
        title=interview["title"],
        ai_name=interview["aiName"],
        progress="Finished" if done else f"Question {len(asked)} of {total}",
        value=str(total if done else max(0, len(asked) - 1)),
        total=str(total),
        turns=Html("".join(_turn(turn, interview["aiName"]) for turn in shown)),
        error=_error(error),
        form=form,
    )
    return _page(interview["title"], body)


def _form(path: str, waiting: Row, question: Row | None, typed: FormData | None) -> Html:
    kind = question["type"] if question and not waiting["isFollowUp"] else "OPEN_ENDED"
    given = [text for text in (typed.getlist("answer") if typed else []) if isinstance(text, str)]
    if kind in ("SINGLE_CHOICE", "MULTIPLE_CHOICE") and question:
        field = _choices(question, given)
    else:
        field = _text_field(kind, question, given[0] if given else "", waiting["id"])
    optional = question is not None and not question["isRequired"]
    return _fill(
        "form",
        path=path,
        turn=waiting["id"],
        question=_paragraphs(waiting["content"]),
        description=_paragraphs((question or {}).get("description") or "" if not waiting["isFollowUp"] else ""),
        field=field,
        skip=_fill("skip") if optional else NOTHING,
    )


def _choices(question: Row, given: Sequence[str]) -> Html:
    kind = "radio" if question["type"] == "SINGLE_CHOICE" else "checkbox"
    options: list[str] = question["options"] or []
    return Html(
        "".join(
            _fill("choice", kind=kind, text=option, checked=Html(" checked" if option in given else ""))
            for option in options
        )
    )


def _text_field(kind: str, question: Row | None, typed: str, turn: str) -> Html:
    starter = (question or {}).get("starterCode") if kind == "CODING" else None
    text = typed or (next(iter(starter.values()), "") if starter else "")
    css = Html(' class="code" spellcheck="false"' if kind == "CODING" else "")
    return _fill("text", text=text, css=css, turn=turn)


def _turn(turn: Row, ai_name: str) -> str:
    mine = turn["role"] == "USER"
    code = turn["contentType"] == "CODE"
    words = Html(f"<pre>{escape(turn['content'])}</pre>") if code else _paragraphs(turn["content"])
    return _fill("turn", side="you" if mine else "ai", speaker="You" if mine else ai_name, words=words)


def _error(text: str) -> Html:
    return _fill("error", text=text) if text else NOTHING


def _paragraphs(text: str) -> Html:
    """Plain text as paragraphs, line breaks kept."""
    blocks = [escape(block).replace("\n", "<br>") for block in text.strip().split("\n\n") if block.strip()]
    return Html("".join(f"<p>{block}</p>" for block in blocks))


def _page(title: str, body: Html) -> Page:
    return Page(_fill("layout", title=title, body=body))


def _fill(template: str, **values: str | Html) -> Html:
    """A template with its `$names` replaced. Every value is escaped, unless it is Html that these functions made."""
    safe = HTML_FIELDS.get(template, ())
    return Html(_template(template).substitute({k: v if k in safe else escape(str(v)) for k, v in values.items()}))


HTML_FIELDS: dict[str, tuple[str, ...]] = {
    "layout": ("body",),
    "welcome": ("description", "error", "contact", "checked"),
    "interview": ("turns", "error", "form"),
    "form": ("question", "description", "field", "skip"),
    "choice": ("checked",),
    "text": ("css",),
    "turn": ("words",),
}
"""Which names of a template take HTML; all others are text and are escaped."""


@cache
def _template(name: str) -> Template:
    return Template((Path(__file__).parent / f"{name}.html").read_text(encoding="utf-8"))

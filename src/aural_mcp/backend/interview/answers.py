"""What a candidate's form says, by type of question: words, choices, code, a drawing."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from starlette.datastructures import FormData

from aural_mcp.backend.interview.interviewer import CHOICES
from aural_mcp.backend.storage.store import UNSTORABLE, Row
from aural_mcp.bounds import weigh
from aural_mcp.drawings import svg_of

LONGEST_ANSWER = 50_000
"""Characters."""
BOARD = (900, 560)
"""Width and height of the drawing area, in its own units."""
MOST_POINTS = 60_000
LANGUAGES = ("python", "javascript", "typescript", "java", "go", "c", "cpp", "csharp", "ruby", "php", "sql", "other")
WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff]+")
"""A word, or one character of the scripts that are written without spaces."""

Stroke = list[tuple[int, int]]


class Unclear(Exception):
    """A form that cannot be taken as it is; the page is shown again with this sentence and what was typed."""


@dataclass(frozen=True)
class Answer:
    """One answer as it is stored: `words` is how many words it has, 0 for one that says nothing."""

    text: str
    kind: str = "TEXT"
    words: int = 0
    drawing: Row | None = None


def answer_of(form: FormData, question: Row | None, *, follow_up: bool, words: Mapping[str, str]) -> Answer:
    """The answer in a form.

    Raises:
        Unclear: nothing was answered, or not in a way that the question takes.
    """
    kind = question["type"] if question and not follow_up else "OPEN_ENDED"
    if "skip" in form and question and not question["isRequired"]:
        return Answer(words["skipped"])
    if kind in CHOICES and question:
        return _choice(form, question, words)
    text = _text(form, words)
    if kind == "WHITEBOARD":
        return _drawing(form, text.strip(), words)
    if not text.strip():
        raise Unclear(words["need.answer"])
    if kind == "CODING":
        return _code(form, text, question)
    return Answer(text.strip(), words=count_words(text))


def count_words(text: str) -> int:
    """How many words a text has; a Chinese or Japanese character counts as one."""
    return len(WORD.findall(text))


def languages_of(question: Row) -> Sequence[str]:
    """The languages that a coding question offers: those of its starter code, else the usual ones."""
    return list(question["starterCode"] or LANGUAGES)


def fenced_code(text: str) -> tuple[str, str]:
    """The language and the code of a stored coding answer."""
    found = re.fullmatch(r"```([^\n]*)\n(.*)\n```", text, re.DOTALL)
    return (found[1], found[2]) if found else ("", text)


def typed_texts(form: FormData) -> list[str]:
    """Everything that stands in the answer fields of a form."""
    return [text for text in form.getlist("answer") if isinstance(text, str)]


def _text(form: FormData, words: Mapping[str, str]) -> str:
    text = UNSTORABLE.sub("", "".join(typed_texts(form)[:1]).replace("\r\n", "\n"))
    if len(text) > LONGEST_ANSWER:
        raise Unclear(words["too_long"].format(limit=f"{LONGEST_ANSWER:,}"))
    return text


def _choice(form: FormData, question: Row, words: Mapping[str, str]) -> Answer:
    given = [text for text in typed_texts(form) if text]
    if not given:
        raise Unclear(words["need.choice"])
    if not set(given) <= set(question["options"] or []) or (question["type"] == "SINGLE_CHOICE" and len(given) > 1):
        raise Unclear(words["bad.choice"])
    text = "\n".join(given)
    return Answer(text, words=count_words(text))


def _code(form: FormData, text: str, question: Row | None) -> Answer:
    given = form.get("language")
    language = given if question and given in languages_of(question) else ""
    return Answer(f"```{language}\n{text}\n```", kind="CODE", words=count_words(text))


def _drawing(form: FormData, text: str, words: Mapping[str, str]) -> Answer:
    strokes = _strokes(form.get("drawing"), words)
    if not strokes and not text:
        raise Unclear(words["need.drawing"])
    if not strokes:
        return Answer(text, words=count_words(text))
    drawing = {"svg": svg_of(strokes, BOARD), "strokes": len(strokes), "width": BOARD[0], "height": BOARD[1]}
    return Answer(f"{words['drawing']}\n{text}".strip(), kind="WHITEBOARD", words=count_words(text), drawing=drawing)


def _strokes(given: Any, words: Mapping[str, str]) -> list[Stroke]:
    """The strokes that a browser drew, `[[x, y], ...]` each, cut to the board."""
    if not isinstance(given, str) or not given:
        return []
    try:
        weigh(given, 4 * MOST_POINTS)
        strokes = [[_point(point) for point in stroke] for stroke in cast("list[list[Any]]", json.loads(given))]
    except (ValueError, TypeError, RecursionError, OverflowError):
        raise Unclear(words["bad.drawing"]) from None
    if sum(map(len, strokes)) > MOST_POINTS:
        raise Unclear(words["bad.drawing"])
    return [stroke for stroke in strokes if stroke]


def _point(given: Any) -> tuple[int, int]:
    x, y = given
    return min(max(int(x), 0), BOARD[0]), min(max(int(y), 0), BOARD[1])

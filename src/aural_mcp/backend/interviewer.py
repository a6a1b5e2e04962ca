"""What the interviewer says next: by rule, from the questions, the settings and what was said so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

from aural_mcp.backend.store import Row

FOLLOW_UPS = {"LIGHT": 0, "MODERATE": 2, "DEEP": 5}
RESEARCH_FOLLOW_UPS = {"LIGHT": 2, "MODERATE": 4, "DEEP": 8}
SHORT_ANSWER = 15
"""Words below which an answer is short, where the question sets no `probeThreshold`."""
PROBES = (
    "Could you tell me a little more about that? A concrete example would help.",
    "What was your own part in it, and how did it turn out?",
    "What made it difficult, and what would you do differently today?",
)
CHOICES = ("SINGLE_CHOICE", "MULTIPLE_CHOICE")
PROBES_BY_TYPE: dict[str, Sequence[str]] = {
    **dict.fromkeys(CHOICES, ("What makes you choose that?",)),
    **dict.fromkeys(("CODING", "WHITEBOARD"), ()),  # how long they are says nothing
}


@dataclass(frozen=True)
class Utterance:
    """One thing the interviewer says; `question_id` is None for words that ask nothing."""

    text: str
    question_id: str | None = None
    is_follow_up: bool = False


class Interviewer(Protocol):
    """Decides what is said next."""

    def opening(self, interview: Row, name: str) -> Utterance: ...

    def next(self, interview: Row, questions: Sequence[Row], turns: Sequence[Row]) -> Utterance | None:
        """The next question or follow-up; None when the interview is over."""
        ...

    def closing(self, interview: Row, name: str) -> Utterance: ...


class RuleInterviewer:
    """Asks the questions in order and probes short answers; it needs no model and says so nowhere it need not."""

    def opening(self, interview: Row, name: str) -> Utterance:
        return Utterance(
            f"Hello {name}, I am {interview['aiName']}, an AI interviewer. Thank you for your time. "
            "I will ask one question at a time; take the time you need."
        )

    def next(self, interview: Row, questions: Sequence[Row], turns: Sequence[Row]) -> Utterance | None:
        asked = [turn["questionId"] for turn in turns if turn["role"] == "ASSISTANT" and turn["questionId"]]
        current = next((question for question in questions if asked and question["id"] == asked[-1]), None)
        if current and (probe := self._probe(interview, current, turns)):
            return Utterance(probe, current["id"], is_follow_up=True)
        coming = next((each for each in questions if each["id"] not in asked and _applies(each, turns)), None)
        return Utterance(coming["text"], coming["id"]) if coming else None

    def closing(self, interview: Row, name: str) -> Utterance:
        return Utterance(f"Thank you, {name}. That was my last question, and your answers are saved.")

    def _probe(self, interview: Row, question: Row, turns: Sequence[Row]) -> str | None:
        """A follow-up when the last answer is short and the depth allows another, never the same words twice."""
        answer = turns[-1] if turns and turns[-1]["role"] == "USER" else None
        if answer is None or not question["probeOnShort"] or answer["wordCount"] == 0:
            return None
        said = {turn["content"] for turn in turns if turn["isFollowUp"] and turn["questionId"] == question["id"]}
        table = RESEARCH_FOLLOW_UPS if question["type"] == "RESEARCH" else FOLLOW_UPS
        threshold = question["probeThreshold"] or SHORT_ANSWER
        if len(said) >= table.get(interview["followUpDepth"], 2) or answer["wordCount"] >= threshold:
            return None
        return next((probe for probe in _probes(question) if probe not in said), None)


def _applies(question: Row, turns: Sequence[Row]) -> bool:
    """Whether `showIf` and `skipIf` let the question be asked, given the answers so far."""
    shown, skipped = _holds(question["showIf"], turns), _holds(question["skipIf"], turns)
    return shown is not False and skipped is not True


def _holds(condition: Any, turns: Sequence[Row]) -> bool | None:
    """Whether `{"questionId": ..., "equals": ...}` is so; None for no condition, or one of another shape."""
    if not isinstance(condition, dict) or not {"questionId", "equals"} <= condition.keys():
        return None
    wanted = cast("Row", condition)
    answers = [turn for turn in turns if turn["role"] == "USER" and turn["questionId"] == wanted["questionId"]]
    return any(str(wanted["equals"]) in turn["content"].split("\n") for turn in answers)


def _probes(question: Row) -> Sequence[str]:
    own: Any = question["followUpPrompts"]
    written = [text for text in cast("list[Any]", own) if isinstance(text, str)] if isinstance(own, list) else []
    return [*written, *PROBES_BY_TYPE.get(question["type"], PROBES)]

"""What the interviewer says next: from the questions, the settings and what was said so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

from aural_mcp.backend.interview.words import lasting, words_for
from aural_mcp.backend.storage.store import Row

FOLLOW_UPS = {"LIGHT": 0, "MODERATE": 2, "DEEP": 5}
RESEARCH_FOLLOW_UPS = {"LIGHT": 2, "MODERATE": 4, "DEEP": 8}
"""At most so many follow-ups a question, by `followUpDepth`."""
SHORT_ANSWER = 15
"""Words below which an answer is short, where the question sets no `probeThreshold`."""
PROBES = ("probe.1", "probe.2", "probe.3")
CHOICES = ("SINGLE_CHOICE", "MULTIPLE_CHOICE")
PROBES_BY_TYPE: dict[str, Sequence[str]] = {
    **dict.fromkeys(CHOICES, ("probe.choice",)),
    **dict.fromkeys(("CODING", "WHITEBOARD"), ()),  # how long they are says nothing
    "RESEARCH": ("probe.research.1", "probe.research.2", "probe.research.3", "probe.research.4", *PROBES),
}


@dataclass(frozen=True)
class Utterance:
    """One thing the interviewer says; `question_id` is None for words that ask nothing.

    `note` is for the hiring team: it lands in the transcript as a SYSTEM turn that candidates do not see.
    """

    text: str
    question_id: str | None = None
    is_follow_up: bool = False
    note: str = ""


class Interviewer(Protocol):
    """Decides what is said next. One that is `instant` is asked within a transaction, any other outside of one.

    `by_ai` is what candidates are told of it.
    """

    instant: bool
    by_ai: bool

    def next(self, interview: Row, questions: Sequence[Row], turns: Sequence[Row]) -> Utterance | None:
        """The next question or follow-up; None when the interview is over."""
        ...


class RuleInterviewer:
    """Asks the questions in order and probes short answers; it needs no model."""

    instant = True
    by_ai = False

    def next(self, interview: Row, questions: Sequence[Row], turns: Sequence[Row]) -> Utterance | None:
        asked = [turn["questionId"] for turn in turns if turn["role"] == "ASSISTANT" and turn["questionId"]]
        current = next((question for question in questions if asked and question["id"] == asked[-1]), None)
        if current and (probe := self.follow_up(interview, current, turns)):
            return probe
        coming = next((each for each in questions if each["id"] not in asked and _applies(each, turns)), None)
        return Utterance(coming["text"], coming["id"]) if coming else None

    def follow_up(self, interview: Row, question: Row, turns: Sequence[Row]) -> Utterance | None:
        """A follow-up when the last answer is short and the depth allows another, never the same words twice."""
        answer = turns[-1]
        if not follow_ups_left(interview, question, turns) or answer["wordCount"] == 0:
            return None
        if answer["wordCount"] >= (question["probeThreshold"] or SHORT_ANSWER):
            return None
        said = {turn["content"] for turn in turns if turn["isFollowUp"] and turn["questionId"] == question["id"]}
        probe = next((probe for probe in _probes(interview, question) if probe not in said), None)
        return Utterance(probe, question["id"], is_follow_up=True) if probe else None


def follow_ups_left(interview: Row, question: Row, turns: Sequence[Row]) -> int:
    """How many more follow-ups the settings allow on the question that was answered last."""
    if not question["probeOnShort"] or not turns or turns[-1]["role"] != "USER":
        return 0
    asked = sum(bool(turn["isFollowUp"]) and turn["questionId"] == question["id"] for turn in turns)
    table = RESEARCH_FOLLOW_UPS if question["type"] == "RESEARCH" else FOLLOW_UPS
    return max(0, table.get(interview["followUpDepth"], 2) - asked)


def opening(interview: Row, name: str, script: Sequence[Row] = (), *, by_ai: bool = False) -> Utterance:
    """The greeting, in the interview's language and tone: what asks here, and what time there is."""
    words, minutes = words_for(interview["language"]), interview["timeLimitMinutes"]
    timed = any(question["timeLimitSeconds"] for question in script)
    pace = {(False, False): "free", (True, False): "limited", (False, True): "questions", (True, True): "both"}
    said = [
        _by_tone(interview, "opening").format(name=name),
        words["self.ai" if by_ai else "self.rules"].format(ai=interview["aiName"]),
        words[f"pace.{pace[bool(minutes), timed]}"].format(time=lasting(words, 60 * (minutes or 0))),
    ]
    return Utterance(words["between"].join(said))


def closing(interview: Row, name: str, *, time_up: bool = False) -> Utterance:
    """The last words, in the interview's language and tone."""
    text = words_for(interview["language"])["time_up"] if time_up else _by_tone(interview, "closing")
    return Utterance(text.format(name=name))


def _by_tone(interview: Row, key: str) -> str:
    words = words_for(interview["language"])
    return words.get(f"{key}.{interview['aiTone']}", words[f"{key}.PROFESSIONAL"])


def may_come(question: Row, turns: Sequence[Row]) -> bool:
    """Whether a question that was not asked yet still can be: what its conditions ask for may not be answered yet."""
    answered = {turn["questionId"] for turn in turns if turn["role"] == "USER"}
    conditions = [cast("Row", each) for each in (question["showIf"], question["skipIf"]) if isinstance(each, dict)]
    known = all(each.get("questionId") in answered for each in conditions)
    return _applies(question, turns) if known else True


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


def _probes(interview: Row, question: Row) -> Sequence[str]:
    own: Any = question["followUpPrompts"]
    written = [text for text in cast("list[Any]", own) if isinstance(text, str)] if isinstance(own, list) else []
    words = words_for(interview["language"])
    return [*written, *(words[key] for key in PROBES_BY_TYPE.get(question["type"], PROBES))]

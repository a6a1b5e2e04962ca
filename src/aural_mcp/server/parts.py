"""What somebody agrees to, in parts that have names: so that what changed since can be told.

Only digests are kept of what a part holds. Counts that move by themselves (who has begun) are no part.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic.alias_generators import to_camel

from aural_mcp.api.models import Interview, InterviewDetail, Question
from aural_mcp.safety import quoted

SHORT = 12
"""Bytes of a part's digest."""
MOST_QUESTIONS, MOST_NAMED, LONGEST = 100, 5, 60
"""Questions that are parts of their own, changes that are named, and letters of a text that are shown."""
NAMES = {
    "title": "the title",
    "description": "the description",
    "objective": "the objective",
    "assessment_criteria": "the rubric",
    "public_slug": "the link",
}
NO_PART = {
    "id",
    "user_id",
    "interview_id",
    "created_at",
    "updated_at",
    "counts",
    "is_active",
    "require_invite",
    "order",
}
UPDATED, ORDER = "something of it", "the order of the questions"
VAGUE = (UPDATED, ORDER)
"""Parts that change along with others, and are named only where no other is."""


@dataclass(frozen=True)
class Part:
    """A part by the name that a person knows it by; `now` quotes what it holds, and is not kept."""

    name: str
    digest: str
    now: str = ""


Parts = Mapping[str, Part]


def part(name: str, value: Any, now: str = "") -> Part:
    """A part that holds this."""
    whole = hashlib.sha256(json.dumps(value, sort_keys=True).encode()).digest()[:SHORT]
    return Part(name, base64.urlsafe_b64encode(whole).decode(), f" (now {quoted(now, LONGEST)})" if now else "")


def parts(**values: Any) -> dict[str, Part]:
    """Parts that hold these, each called as `NAMES` or its own name says."""
    return {name: part(NAMES.get(name, name.replace("_", " ")), value) for name, value in values.items()}


def key(identifier: str) -> str:
    """What a row's part is kept under."""
    return hashlib.sha256(identifier.encode()).hexdigest()[:12]


def interview_parts(row: InterviewDetail) -> dict[str, Part]:
    """An interview: its settings by name, who can take it, each question, their order."""
    held = row.model_dump(mode="json", by_alias=False, include=set(Interview.model_fields) - NO_PART)
    found = {name: part(NAMES.get(name, f"the setting {to_camel(name)}"), value) for name, value in held.items()}
    found["state"] = part("who can take it", [row.is_active, row.require_invite])
    for number, each in enumerate(row.questions[:MOST_QUESTIONS], 1):
        found[key(each.id)] = question_part(each, number)
    if more := row.questions[MOST_QUESTIONS:]:
        held_by_more = [question_part(each, 0).digest for each in more]
        found["more"] = part(f"a question after the {MOST_QUESTIONS}th", held_by_more)
    found[ORDER] = part(ORDER, [each.id for each in row.questions])
    return found | {UPDATED: part(UPDATED, row.updated_at)}


def question_part(row: Question, number: int) -> Part:
    """A question with all that is set for it."""
    held = row.model_dump(mode="json", by_alias=False, include={*Question.model_fields} - NO_PART)
    return part(f"question {number}", [row.id, held, row.order, row.updated_at], row.text)


def digest_of(agreed: Parts) -> str:
    """What stands for all parts at once."""
    return hashlib.sha256(
        json.dumps({name: each.digest for name, each in agreed.items()}, sort_keys=True).encode()
    ).hexdigest()


def dumped(agreed: Parts) -> str:
    """The parts as text, to be kept until the answer comes."""
    return json.dumps({name: [each.name, each.digest] for name, each in agreed.items()}, separators=(",", ":"))


def loaded(text: str) -> dict[str, Part]:
    """The parts that were kept."""
    return {name: Part(*each) for name, each in json.loads(text).items()}


def changes(before: Parts, now: Parts) -> str:
    """What changed, as one sentence without its end: `question 2 was changed since; the title was changed since`."""
    said = {name: f"{each.name} was added since" for name, each in now.items() if name not in before}
    said |= {name: f"{each.name} was removed since" for name, each in before.items() if name not in now}
    said |= {
        name: f"{each.name} was changed since{each.now}"
        for name, each in now.items()
        if name in before and each.digest != before[name].digest
    }
    named = [each for name, each in said.items() if name not in VAGUE] or list(said.values())[:1]
    more = [f"{len(named) - MOST_NAMED} more things changed since"] if len(named) > MOST_NAMED else []
    return "; ".join([*named[:MOST_NAMED], *more]) or "something was changed since"

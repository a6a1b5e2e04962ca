"""An interview made from another one: what is not given comes along, and conditions lead to the new questions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, cast

from pydantic import MISSING, Field, model_validator
from pydantic.alias_generators import to_camel

from aural_mcp.api.models import InterviewDetail, Question
from aural_mcp.api.operations import (
    CreateInterview,
    GetInterview,
    InterviewId,
    ListQuestions,
    Positive,
    QuestionInput,
    Text,
    UpdateQuestion,
)
from aural_mcp.client.caller import Caller
from aural_mcp.client.client import Spent
from aural_mcp.safety import quoted
from aural_mcp.workflows.base import OUT_OF_BUDGET, not_now, refused

CONDITIONS = ("show_if", "skip_if")
CHOICES = ("SINGLE_CHOICE", "MULTIPLE_CHOICE")
NAMED_ELSE = {"required": "is_required", "follow_up_enabled": "probe_on_short"}
"""Fields that a question is sent with under another name than it is read with."""
LEFT_BEHIND = (
    *("job_description", "company_name", "role_title", "ai_persona", "custom_branding"),
    *("llm_provider", "llm_model", "invited_emails"),
)
"""Settings that cannot be set when an interview is made."""
NOT_SET = "Not copied, as this cannot be set here: {names}."
KEPT_WORDS = "The language is {new}, but {which} kept in the words of {old}: translate, or give them anew."
LOST = "Question {place} has a condition that names no question of the interview: it was not copied."
GONE = "Keep that question before it, or give this one anew, without keep"


class LaunchedQuestion(QuestionInput):
    """A question to add; with `keep`, one of the interview that this one is made from."""

    text: Annotated[Text | MISSING, Field(description="Needed without keep.")] = MISSING  # pyright: ignore[reportIncompatibleVariableOverride]
    keep: Annotated[Positive | MISSING, Field(description="With from: its question of this number.")] = MISSING

    @model_validator(mode="after")
    def _says_something(self) -> LaunchedQuestion:
        if self.text is MISSING and self.keep is MISSING:
            raise ValueError("a question needs `text`, or `keep` where the interview is made `from` another")
        return self


class InterviewInput(CreateInterview):
    """An interview with its questions, and whether it is opened to everyone who has the link."""

    from_: Annotated[InterviewId | MISSING, Field(alias="from")] = MISSING
    questions: Annotated[list[LaunchedQuestion], Field(description="In order.")] = []
    publish: Annotated[bool, Field(description="Open it to everyone with its link, for good.")] = False

    @model_validator(mode="after")
    def _keeps_from_something(self) -> InterviewInput:
        if self.from_ is MISSING and any(each.keep is not MISSING for each in self.questions):
            raise ValueError("`keep` needs `from`: the interview whose question that is")
        return self


Conditions = dict[int, dict[str, tuple[int, Any]]]
"""For the place of a question: for `show_if` or `skip_if`, the place of another, and its answer."""


@dataclass(frozen=True)
class Resolved:
    """An interview as it is to be made; the conditions are set when its questions are there."""

    interview: InterviewInput
    questions: list[QuestionInput]
    conditions: Conditions = field(default_factory=Conditions)
    source: InterviewDetail | None = None
    warnings: Sequence[str] = ()


async def resolved(client: Caller, given: Sequence[InterviewInput], spent: Spent) -> list[Resolved]:
    """Each interview with what comes along from the one that it is made from, which is read once.

    Raises:
        AuralError: one of those cannot be read, or what is kept does not fit together; nothing was made.
    """
    sources: dict[str, InterviewDetail] = {}
    found: list[Resolved] = []
    for each in given:
        if each.from_ is MISSING:
            found.append(Resolved(each, [_new(question) for question in each.questions]))
            continue
        if each.from_ not in sources:
            try:
                sources[each.from_] = await client.raw.call(GetInterview(interview_id=each.from_), spent=spent)
            except OUT_OF_BUDGET as error:
                raise not_now("the interviews were read that these are made from", spent) from error
        found.append(_from(sources[each.from_], each))
    return found


def _from(source: InterviewDetail, given: InterviewInput) -> Resolved:
    row = {name: getattr(source, name) for name in CreateInterview.model_fields}
    settings = {name: value for name, value in row.items() if value not in (None, "", [])}
    own = {name: getattr(given, name) for name in given.model_fields_set}
    whole = [LaunchedQuestion.model_construct(keep=number) for number in range(1, len(source.questions) + 1)]
    asked = given.questions if "questions" in given.model_fields_set else whole
    questions = [_question(source, each, given.title) for each in asked]
    interview = InterviewInput.model_construct(None, **{**settings, **own, "questions": []})
    left = [name for name in LEFT_BEHIND if getattr(source, name) not in (None, "", [], {})]
    warnings = [NOT_SET.format(names=", ".join(map(to_camel, left)))] if left else []
    old, new = source.language, interview.language if interview.language is not MISSING else "en"
    kept = [number for number, each in enumerate(asked, 1) if "text" not in each.model_fields_set]
    if old.split("-")[0].lower() != new.split("-")[0].lower() and kept:
        which = f"question {kept[0]} is" if len(kept) == 1 else f"questions {', '.join(map(str, kept))} are"
        warnings.append(KEPT_WORDS.format(new=quoted(new), old=quoted(old), which=which))
    conditions, lost = _conditions(source, asked, questions)
    warnings += [LOST.format(place=place + 1) for place in lost]
    return Resolved(interview, questions, conditions, source, warnings)


def _question(source: InterviewDetail, given: LaunchedQuestion, title: str) -> QuestionInput:
    """A question as it is to be made, without its conditions on questions that are not there yet."""
    if given.keep is MISSING:
        return _new(given)
    own = {name: getattr(given, name) for name in given.model_fields_set - {"keep", *CONDITIONS}}
    if given.keep > len(source.questions):
        said = f"{quoted(title)} keeps question {given.keep}, and {quoted(source.title)} has {len(source.questions)}"
        raise refused(said, "Take the numbers from get_interview, the first is 1")
    row = source.questions[given.keep - 1]
    kept = {name: getattr(row, NAMED_ELSE.get(name, name)) for name in QuestionInput.model_fields if name != "order"}
    fields = {name: value for name, value in kept.items() if value is not None and name not in CONDITIONS}
    if given.options is not MISSING and row.options and len(given.options or ()) != len(row.options):
        depends = any(_asked(getattr(each, name)) == row.id for each in source.questions for name in CONDITIONS)
        if depends:
            said = f"Question {given.keep} has {len(row.options)} options, on which others depend"
            raise refused(said, f"Give it {len(row.options)} options in the same order")
    return QuestionInput.model_construct(**{**fields, **own})


def _new(given: LaunchedQuestion) -> QuestionInput:
    return QuestionInput.model_construct(**{name: getattr(given, name) for name in given.model_fields_set - {"keep"}})


def _asked(condition: Any) -> str:
    """The question on whose answer a condition depends."""
    return str(cast("Mapping[str, Any]", condition).get("questionId", "")) if isinstance(condition, dict) else ""


def _conditions(
    source: InterviewDetail, asked: Sequence[LaunchedQuestion], questions: Sequence[QuestionInput]
) -> tuple[Conditions, list[int]]:
    """The conditions of the kept questions, by place: the same answer, also where its words are another language's.

    And the places of those whose condition names no question that there is.
    """
    kept = [(each.keep, place) for place, each in enumerate(asked) if each.keep is not MISSING]
    places = {source.questions[number - 1].id: place for number, place in reversed(kept)}
    there, lost, found = {each.id for each in source.questions}, list[int](), Conditions()
    for place, each in enumerate(asked):
        row = source.questions[each.keep - 1] if each.keep is not MISSING else None
        for name in CONDITIONS:
            own = name in each.model_fields_set
            condition = getattr(each, name) if own else getattr(row, name, None)
            if not condition or condition is MISSING:
                continue
            if _asked(condition) not in there:
                lost.append(place)
                continue
            before = places.get(_asked(condition))
            if before is None or before >= place:
                raise refused(f"Question {place + 1} depends on an answer to one that does not stand before it", GONE)
            answer = cast("Mapping[str, Any]", condition).get("equals")
            olds = _row_of(source, _asked(condition)).options or []
            new = questions[before].options
            if answer in olds and new is not MISSING and new:
                answer = new[olds.index(answer)] if answer not in new else answer
            found.setdefault(place, {})[name] = (before, {**cast("dict[str, Any]", condition), "equals": answer})
    return found, lost


def _row_of(source: InterviewDetail, question_id: str) -> Question:
    return next(each for each in source.questions if each.id == question_id)


async def connect(client: Caller, interview_id: str, conditions: Conditions, spent: Spent) -> None:
    """Set the conditions of questions that have just been made; once more is no harm."""
    rows = (await client.raw.call(ListQuestions(interview_id=interview_id), spent=spent)).data
    for place, given in conditions.items():
        new = {name: {**condition, "questionId": rows[before].id} for name, (before, condition) in given.items()}
        if any(getattr(rows[place], name) != condition for name, condition in new.items()):
            changed = UpdateQuestion.model_validate({"question_id": rows[place].id, **new})
            await client.raw.call(changed, spent=spent)

"""Interviews and questions as a person would note them down: the API's rows have 34 and 20 fields."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import MISSING, Field, model_validator

from aural_mcp.api.errors import AuralError
from aural_mcp.api.models import (
    Archived,
    Interview,
    InterviewDetail,
    Number,
    Published,
    Question,
    Record,
    StoredCriterion,
)
from aural_mcp.api.operations import (
    ArchiveInterview,
    CreateInterview,
    CreateQuestions,
    GetInterview,
    ListInterviews,
    ListQuestions,
    Operation,
    PublishInterview,
    Text,
    UpdateInterview,
    UpdateQuestion,
)
from aural_mcp.client.caller import Caller
from aural_mcp.client.client import Spent
from aural_mcp.client.ledger import Ledger
from aural_mcp.tools.clearing import CLEAR, check_clear, cleared
from aural_mcp.tools.first_screen import first_screen, not_told
from aural_mcp.tools.shape import AllowDuplicate, Detail, brief, contains, fitting, plain, said, search

State = Annotated[str, Field(description="public (by link), by invitation, or archived (its links take nobody).")]
NO_QUESTIONS = "It has no questions yet: whoever opens the link is told to come back later. Add some: create_questions."
NO_CRITERIA = "It has no assessmentCriteria to score against. Add some: update_interview."


class InterviewRow(Record):
    """An interview as a table shows it."""

    id: str
    title: str = ""
    state: State = ""
    questions: int | None = None
    sessions: int | None = None
    waiting: int = Field(default=0, description="Ask for something, or are owed an explanation.")
    updated_at: str = ""


class InterviewTable(Record):
    """Interviews, most recently changed first."""

    data: list[InterviewRow | Interview]
    cursor: str | None = Field(default=None, description="Continues the list; null at its end.")
    looked_at: int = Field(default=0, description="With title or only: how many interviews were looked at.")


class ListInterviewsArguments(ListInterviews):
    """The tool's arguments."""

    title: Annotated[Text | MISSING, Field(description="A part of it.")] = MISSING
    only: Annotated[
        list[Literal["public", "byInvitation", "archived", "noQuestions", "noSessions"]] | MISSING, Field(min_length=1)
    ] = MISSING
    detail: Detail = "summary"


async def list_interviews(client: Caller, given: ListInterviewsArguments, spent: Spent) -> InterviewTable:
    """Rows for a table, filtered here: the API has no search."""
    filtered = given.title is not MISSING or given.only is not MISSING
    asked = plain(ListInterviews, given)
    found = await search(client, asked, spent, (lambda row: _matches(row, given)) if filtered else None)
    rows, cursor = fitting(found.rows, found.cursor)
    shown = rows if given.detail == "full" else [_row(each) for each in rows]
    looked_at = {} if found.looked_at is None else {"looked_at": found.looked_at}
    return InterviewTable(data=list(shown), cursor=cursor, **looked_at)


def _matches(row: Interview, given: ListInterviewsArguments) -> bool:
    if given.title is not MISSING and not contains(given.title, row.title):
        return False
    return given.only is MISSING or not _kinds(row).isdisjoint(given.only)


def _kinds(row: Interview) -> set[str]:
    """What `only` may call it."""
    empty = {"noQuestions": row.counts.questions, "noSessions": row.counts.sessions} if row.counts else {}
    none = {name for name, count in empty.items() if count == 0}
    return none | {_state(row).replace("by invitation", "byInvitation")}


def _row(each: Interview) -> InterviewRow:
    counts = {"questions": each.counts.questions, "sessions": each.counts.sessions} if each.counts else {}
    more = {"waiting": waiting} if (waiting := _waiting(each)) else {}
    return InterviewRow(id=each.id, title=each.title, state=_state(each), updated_at=each.updated_at, **counts, **more)


def _waiting(each: Interview) -> int:
    """How many wait for the team, as the embedded backend counts them."""
    number = (each.counts.model_extra or {}).get("waiting") if each.counts else None
    return number if isinstance(number, int) else 0


def _state(each: Interview) -> str:
    return "archived" if not each.is_active else "by invitation" if each.require_invite else "public"


# ── One interview ───────────────────────────────────────────────────────────────────────────────


class QuestionView(Record):
    """A question, its fields named as update_question takes them; what is left out is as usual."""

    id: str
    order: int = 0
    type: str = ""
    text: str = ""
    required: bool = True
    description: str | None = None
    options: list[str] | None = None
    follow_up_enabled: bool = Field(default=True, description="True when left out.")
    probe_threshold: Number | None = None
    follow_up_prompts: Any = None
    starter_code: dict[str, str] | None = None
    time_limit_seconds: int | None = None
    validation_rules: Any = None
    show_if: Any = None
    skip_if: Any = None
    allow_file_upload: bool = False
    allowed_file_types: list[str] = []


class InterviewView(Record):
    """An interview's settings; what is left out is not set or off, an interviewer's name is Aural."""

    id: str
    title: str = ""
    state: State = ""
    url: str | None = Field(default=None, description="The public link, when it is public.")
    description: str | None = None
    objective: str | None = None
    assessment_criteria: list[StoredCriterion] | None = None
    language: str = ""
    ai_name: str = ""
    ai_tone: str = ""
    follow_up_depth: str = ""
    time_limit_minutes: int | None = None
    chat_enabled: bool = True
    voice_enabled: bool = False
    video_enabled: bool = False
    anti_cheating_enabled: bool = False
    created_at: str = ""
    updated_at: str = ""


class InterviewWhole(InterviewView):
    """An interview with its questions, in order."""

    sessions: int | None = None
    questions: list[QuestionView] = []


class QuestionTable(Record):
    """Questions, in the order in which they are asked."""

    data: list[QuestionView]


class GetInterviewArguments(GetInterview):
    """The tool's arguments."""

    detail: Detail = "summary"


async def get_interview(client: Caller, given: GetInterviewArguments, spent: Spent) -> InterviewWhole | InterviewDetail:
    """Settings, rubric and questions, named as the tools that change them name them."""
    interview = await client.call(plain(GetInterview, given), spent=spent)
    if given.detail == "full":
        return interview
    shown, left_out = _questions(interview.questions)
    counts = {"sessions": interview.counts.sessions} if interview.counts else {}
    view = {**_view(interview, await client.link_origin()), **counts, "questions": shown}
    return InterviewWhole.model_validate({**view, **_left_out(left_out, given)})


class CreateInterviewArguments(CreateInterview):
    """The tool's arguments."""

    allow_duplicate: AllowDuplicate = False


async def create_interview(client: Caller, given: CreateInterviewArguments, spent: Spent) -> InterviewView:
    """Made once, and shown in the words in which it was asked for."""
    asked = plain(CreateInterview, given)
    made = await Ledger(client).once(asked, spent, allow_duplicate=given.allow_duplicate)
    return InterviewView.model_validate({**_view(made.result, await client.link_origin()), "remarks": made.remarks})


class UpdateInterviewArguments(UpdateInterview):
    """The tool's arguments."""

    clear: Annotated[
        list[Literal["description", "objective", "assessmentCriteria", "timeLimitMinutes"]] | MISSING,
        Field(description=CLEAR),
    ] = MISSING
    _consistent = model_validator(mode="after")(check_clear)


async def update_interview(client: Caller, given: UpdateInterviewArguments, spent: Spent) -> InterviewView:
    """Which it is, and what was changed, even where it was cleared."""
    asked, remarks = cleared(UpdateInterview, given)
    interview = await client.call(asked, spent=spent)
    row = interview.model_dump(mode="json", by_alias=True)
    changed = {name: row[name] for name in asked.payload() if name in row}
    which = {"id": interview.id, "state": _state(interview)}
    return InterviewView.model_validate({**which, **changed, **said(remarks)})


async def list_questions(client: Caller, given: ListQuestions, spent: Spent) -> QuestionTable:
    """The questions without their twelve fields that are nearly always as usual."""
    return _question_table((await client.call(given, spent=spent)).data, given, [])


class CreateQuestionsArguments(CreateQuestions):
    """The tool's arguments."""

    allow_duplicate: AllowDuplicate = False


async def create_questions(client: Caller, given: CreateQuestionsArguments, spent: Spent) -> QuestionTable:
    """Added once, and shown with their ids."""
    asked = plain(CreateQuestions, given)
    made = await Ledger(client).once(asked, spent, allow_duplicate=given.allow_duplicate)
    return _question_table(made.result.data, asked, made.remarks)


class UpdateQuestionArguments(UpdateQuestion):
    """The tool's arguments."""

    clear: Annotated[
        list[
            Literal[
                "options",
                "description",
                "probeThreshold",
                "followUpPrompts",
                "starterCode",
                "timeLimitSeconds",
                "validationRules",
                "showIf",
                "skipIf",
                "allowedFileTypes",
            ]
        ]
        | MISSING,
        Field(description=CLEAR),
    ] = MISSING
    _consistent = model_validator(mode="after")(check_clear)


UNKNOWN_BEGUN = "Whether somebody has answered this question before could not be looked up just now."
OLD_ANSWERS = (
    "{people} begun this interview: whoever answered this question answered it as it was, and scores before and after "
    "do not compare."
)


async def update_question(client: Caller, given: UpdateQuestionArguments, spent: Spent) -> QuestionView:
    """The question as it is now; what was changed is shown even where it was cleared."""
    asked, remarks = cleared(UpdateQuestion, given)
    question = await client.call(asked, spent=spent)
    row = question.model_dump(mode="json", by_alias=True) | {"followUpEnabled": question.probe_on_short}
    changed = {name: row[name] for name in asked.payload() if name in row}
    view = question_view(question).model_dump(by_alias=True, exclude_unset=True)
    remarks = [*remarks, *await _begun(client, question.interview_id, spent)]
    return QuestionView.model_validate({**view, **changed, **said(remarks)})


async def _begun(client: Caller, interview_id: str, spent: Spent) -> list[str]:
    """What a changed question means to those who may have answered it."""
    try:
        interview = await client.call(GetInterview(interview_id=interview_id), spent=spent)
    except (AuralError, ValueError):  # also where the answer has no id
        return [UNKNOWN_BEGUN]
    number = (interview.counts.sessions if interview.counts else None) or 0
    people = "1 person has" if number == 1 else f"{number:,} people have"
    return [OLD_ANSWERS.format(people=people)] if number else []


CLOSED = (
    "Its links, public and private, take nobody from now on; what was said in it stays readable. Only "
    "publish_interview opens it again, for everyone."
)


async def archive_interview(client: Caller, given: ArchiveInterview, spent: Spent) -> Archived:
    """Archives as asked, and says what that means: the API only says that it did."""
    archived = await client.call(given, spent=spent)
    return Archived.model_validate({**archived.model_dump(exclude_unset=True), "remarks": [CLOSED]})


async def publish_interview(client: Caller, given: PublishInterview, spent: Spent) -> Published:
    """Publishes as asked, then says what candidates see and what is missing: the API says neither."""
    published = await client.call(given, spent=spent)
    try:
        interview = await client.call(GetInterview(interview_id=given.interview_id), spent=spent)
    except AuralError:
        return published
    missing = [] if interview.questions else [NO_QUESTIONS]
    missing += [] if interview.assessment_criteria else [NO_CRITERIA]
    remarks = [*missing, *not_told(interview), *first_screen(client, interview, len(interview.questions))]
    return Published.model_validate({**published.model_dump(exclude_unset=True), "remarks": remarks})


AS_USUAL = {"aiName": "Aural", "voiceEnabled": False, "videoEnabled": False, "antiCheatingEnabled": False}
"""Settings that are shown only when they differ from this."""


def _view(interview: Interview, origin: str) -> dict[str, Any]:
    row = interview.model_dump(mode="json", by_alias=True)
    names = [InterviewView.model_fields[name].alias or name for name in InterviewView.model_fields]
    url = f"{origin}/i/{interview.public_slug}" if _state(interview) == "public" and interview.public_slug else None
    return brief({**row, "state": _state(interview), "url": url}, dict.fromkeys(names) | AS_USUAL)


def _question_table(questions: Sequence[Question], asked: Operation[Any], remarks: list[str]) -> QuestionTable:
    shown, left_out = _questions(questions)
    remarks = [*remarks, *_left_out(left_out, asked).get("remarks", [])]
    return QuestionTable.model_validate(
        {"data": [each.model_dump(exclude_unset=True) for each in shown], "remarks": remarks}
    )


def _left_out(number: int, operation: Operation[Any]) -> dict[str, Any]:
    """What to say of questions that did not fit."""
    address = f"aural://interviews/{operation.model_dump().get('interviewId')}/questions"
    return (
        {"remarks": [f"{number} more questions are left out for length; {address} has all of them."]} if number else {}
    )


def _questions(questions: Sequence[Question]) -> tuple[list[QuestionView], int]:
    shown, _ = fitting([question_view(each) for each in questions])
    return shown, len(questions) - len(shown)


USUAL = {
    "description": None,
    "options": None,
    "followUpEnabled": True,
    "probeThreshold": None,
    "followUpPrompts": None,
    "starterCode": None,
    "timeLimitSeconds": None,
    "validationRules": None,
    "showIf": None,
    "skipIf": None,
    "allowFileUpload": False,
    "allowedFileTypes": None,
}
"""Fields of a question that are shown only when they differ from this."""


def question_view(each: Question) -> QuestionView:
    """A question without what is as usual."""
    row = each.model_dump(mode="json", by_alias=True)
    core = {name: row[name] for name in ("id", "order", "type", "text")}
    more = brief({**row, "followUpEnabled": each.probe_on_short}, USUAL)
    return QuestionView.model_validate({**core, "required": each.is_required, **more})

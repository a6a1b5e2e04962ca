"""What the Aural API returns: one class per row, camelCase on the wire, unknown fields kept.

Times are RFC 3339 text with microseconds and offset `+00:00`, as Aural sends them; durations are seconds. Every field
but the id has a default, so that what an older deployment leaves out can be read; `model_fields_set` tells what came.
Source of every field: Aural Developer API v1.
"""
# No annotations as text: pydantic would compile every one of them at each start.

from collections.abc import Sequence
from typing import Annotated, Any, Generic, TypeVar

from pydantic import (
    MISSING,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    StrictFloat,
    StrictInt,
    WithJsonSchema,
    WrapSerializer,
)
from pydantic.alias_generators import to_camel

T = TypeVar("T")
Json = dict[str, Any] | list[Any]
AS_NUMBER = WithJsonSchema({"type": "number"})
Number = Annotated[int | float, AS_NUMBER]
"""A number that stays whole when it came whole."""


class Wire(BaseModel):
    """Base of everything that crosses the wire: snake_case here, camelCase there, both accepted."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        defer_build=True,
    )


class Record(Wire):
    """Base of everything the API returns; fields we do not know yet are kept."""

    model_config = ConfigDict(extra="allow")


class Rows(Record, Generic[T]):
    """Rows in the API's order; `cursor` continues a paged list and is null at its end."""

    data: list[T]
    cursor: str | None = None


class AssessmentCriterion(Wire):
    """One line of the rubric."""

    model_config = ConfigDict(extra="allow")

    name: str
    description: str = Field(description="What a strong answer shows.")
    weight: Annotated[
        Annotated[StrictInt | StrictFloat, Field(gt=0, allow_inf_nan=False), AS_NUMBER] | MISSING,
        Field(description="1 when omitted."),
    ] = MISSING


class StoredCriterion(AssessmentCriterion):
    """A line of a rubric as it is read: its weight is whatever somebody wrote."""

    weight: Any = MISSING


class Counts(Record):
    """How many rows hang on this one."""

    questions: int | None = None
    sessions: int | None = None
    messages: int | None = None


class Question(Record):
    """A question of an interview; `order` is ascending and may have gaps."""

    id: str
    interview_id: str = ""
    order: int = 0
    text: str = ""
    description: str | None = None
    type: str = "OPEN_ENDED"
    options: list[str] | None = None
    starter_code: dict[str, str] | None = None
    validation_rules: Any = None
    follow_up_prompts: Any = None
    probe_on_short: bool = True
    probe_threshold: Number | None = None
    show_if: Any = None
    skip_if: Any = None
    time_limit_seconds: int | None = None
    is_required: bool = True
    allow_file_upload: bool = False
    allowed_file_types: list[str] = []
    created_at: str = ""
    updated_at: str = ""


class Interview(Record):
    """An interview template. `is_active` false means archived; `require_invite` true means private links only."""

    id: str
    title: str = ""
    description: str | None = None
    objective: str | None = None
    assessment_criteria: list[StoredCriterion] | None = None
    mode: str = "CHAT"
    allow_mode_switch: bool = True
    user_id: str = ""
    project_id: str | None = None
    ai_persona: Any = None
    ai_name: str = "Aural"
    ai_tone: str = "PROFESSIONAL"
    follow_up_depth: str = "MODERATE"
    language: str = "en"
    llm_provider: str | None = None
    llm_model: str | None = None
    is_active: bool = True
    time_limit_minutes: int | None = None
    custom_branding: Any = None
    public_slug: str | None = None
    require_invite: bool = True
    invited_emails: list[str] = []
    video_mode: bool = False
    chat_enabled: bool = True
    voice_enabled: bool = False
    video_enabled: bool = False
    anti_cheating_enabled: bool = False
    created_at: str = ""
    updated_at: str = ""
    job_description: str | None = None
    resume_text: str | None = None
    parsed_resume: Any = None
    company_name: str | None = None
    role_title: str | None = None
    counts: Counts | None = Field(default=None, alias="_count")


class InterviewDetail(Interview):
    """An interview with its questions, ordered."""

    questions: list[Question] = []


class Published(Record):
    """The public link of an interview; everybody who has `url` can take it."""

    id: str
    public_slug: str = ""
    url: str = ""


class Archived(Record):
    """An interview that takes no more candidates."""

    id: str
    archived: bool = True


class Deleted(Record):
    """A row that is gone."""

    id: str
    deleted: bool = True


class Decision(Record):
    """What a person decided on somebody; `verified` is whether who decided signed in, `explained_at` when told why."""

    id: str = ""
    decision: str = ""
    reason: str = ""
    by: str = ""
    verified: bool = False
    at: str = ""
    looked_at: list[str] = []
    explained_at: str | None = None


class DataRequest(Record):
    """What a candidate asks of the team and nobody has closed yet: `kind` is person, data, correct or delete."""

    id: str
    kind: str = ""
    text: str = ""
    at: str = ""


class Notice(Record):
    """What a candidate was told before they began, word for word, and agreed to."""

    version: str = ""
    language: str = ""
    at: str = ""
    text: str = ""
    agreed: str = ""


class Candidate(Record):
    """A person registered for an interview; `session_id` is set once they have begun."""

    id: str
    name: str = ""
    email: str | None = None
    phone: str | None = None
    notes: str | None = None
    gender: str | None = None
    birthday: str | None = None
    education: str | None = None
    school: str | None = None
    major: str | None = None
    graduation_year: int | None = None
    work_experience: str | None = None
    invite_token: str = ""
    session_id: str | None = None
    created_at: str = ""
    requests: list[DataRequest] = []


class InvitedCandidate(Candidate):
    """A candidate just registered, with the private link to send; it is shown only here."""

    invite_url: str = ""
    updated_at: str = ""


class UpdatedCandidate(Candidate):
    """A candidate after a change."""

    interview_id: str = ""
    updated_at: str = ""


class SessionBase(Record):
    """What a session's row and the whole session have in common."""

    id: str
    status: str = ""
    participant_name: str | None = None
    participant_email: str | None = None
    summary: str | None = None
    insights: Json | None = None
    themes: list[Any] = []
    sentiment: Json | str | None = None
    total_duration_seconds: int | None = None
    created_at: str = ""
    asks_for_person: str | None = None
    requests: list[DataRequest] = []
    decision: Decision | None = None


class SessionSummary(SessionBase):
    """One candidate's interview in a list. `status` is IN_PROGRESS, COMPLETED or ABANDONED.

    `insights` and `sentiment` are null until analysed, an object or an array afterwards, depending on the deployment.
    """

    updated_at: str = ""
    counts: Counts | None = Field(default=None, alias="_count")


class Message(Record):
    """One turn. `role` is USER (the candidate), ASSISTANT (the interviewer) or SYSTEM."""

    id: str
    role: str = ""
    content: str = ""
    timestamp: str = ""


class InterviewHead(Record):
    """The interview that a session belongs to."""

    id: str
    title: str = ""
    objective: str | None = None


def _one_by_one(turns: Sequence[Any], write: SerializerFunctionWrapHandler) -> Any:
    return write([*turns])


ONE_BY_ONE = WrapSerializer(_one_by_one)
"""Writes down whatever a sequence gives: turns can become what may be seen of them when they are looked at."""


class Session(SessionBase):
    """One candidate's interview with its whole transcript, oldest turn first."""

    messages: Annotated[list[Message], ONE_BY_ONE] = []
    interview: InterviewHead | None = None


class ReportMessage(Message):
    """A turn with everything stored about it; `content_type` is TEXT, AUDIO, FILE, IMAGE, WHITEBOARD or CODE."""

    session_id: str = ""
    content_type: str = "TEXT"
    audio_url: str | None = None
    audio_duration_seconds: Number | None = None
    transcription: str | None = None
    whiteboard_data: Any = None
    whiteboard_image_url: str | None = None
    whiteboard_pages: Any = None
    question_id: str | None = None
    is_follow_up: bool = False
    parent_message_id: str | None = None
    sentiment: Any = None
    word_count: int | None = None
    reading_time_seconds: Number | None = None


class AudioRecording(Record):
    """A recording; `url` is signed and works for 24 hours."""

    url: str = ""
    duration: Number | None = None
    segment_index: int | None = None
    timestamp: str | None = None


class Screenshot(Record):
    """A camera or screen picture; `url` is signed and works for 24 hours."""

    url: str = ""
    path: str | None = None
    timestamp: str | None = None
    type: str | None = None


class IntegrityEvent(Record):
    """Something the candidate's browser noticed, e.g. `tab_switch`; `timestamp` is milliseconds since 1970."""

    type: str = ""
    timestamp: Number | None = None
    detail: str | None = None


class SessionReport(Record):
    """A session with analysis, media links and the integrity log; it carries no ids of its own."""

    interview_title: str = ""
    interview_objective: str | None = None
    participant_name: str | None = None
    participant_email: str | None = None
    status: str = ""
    created_at: str = ""
    summary: str | None = None
    insights: Json | None = None
    themes: list[Any] = []
    sentiment: Json | str | None = None
    messages: Annotated[list[ReportMessage], ONE_BY_ONE] = []
    total_duration_seconds: int | None = None
    asks_for_person: str | None = None
    requests: list[DataRequest] = []
    decision: Decision | None = None
    notice: Notice | None = None
    audio_recording_url: str | None = None
    audio_recordings: list[AudioRecording] = []
    audio_duration: Number | None = None
    screenshots: list[Screenshot] | None = None
    anti_cheating_log: list[IntegrityEvent] = []


class EndedSession(Record):
    """What became of one id: eligible (dry run), succeeded, skipped or failed, with the reason."""

    id: str
    status: str = ""
    reason: str | None = None


class EndedSessions(Record):
    """The outcome of ending sessions, in the order asked for; `dry_run` true means nothing changed."""

    dry_run: bool = True
    results: list[EndedSession] = []


class PracticeSummary(Record):
    """One practice run of the key's owner. `average_score` counts attempts without a score as 0."""

    id: str
    interview_id: str = ""
    interview_title: str = ""
    mode: str = ""
    status: str = ""
    timed: bool = False
    duration_limit_minutes: int | None = None
    started_at: str | None = None
    last_activity_at: str | None = None
    completed_at: str | None = None
    total_duration_seconds: int | None = None
    created_at: str = ""
    attempt_count: int = 0
    average_score: Number | None = None
    best_score: Number | None = None
    question_count: int = 0


class PracticeAttempt(Record):
    """One answer in a practice run; `score` is 0 to 10, null when not scored."""

    id: str
    question_id: str | None = None
    answer_text: str | None = None
    score: Number | None = None
    feedback: Any = None
    follow_up: Any = None
    audio_url: str | None = None
    audio_duration_seconds: Number | None = None


class PracticeReport(Record):
    """A practice run with its interview, questions and attempts."""

    session: dict[str, Any] = {}
    interview: dict[str, Any] = {}
    questions: list[Question] = []
    attempts: list[PracticeAttempt] = []


class Quota(Record):
    """How much is used, and the plan's limit; null means unlimited."""

    used: Number = 0
    limit: Number | None = None


class Usage(Wire):
    """What the workspace has used. The counts of Aural may be old; this route does not prove that a key works."""

    model_config = ConfigDict(extra="allow", alias_generator=None)

    plan: str = ""
    templates: Quota | None = None
    session_hours: Quota | None = None
    ai_tokens: Quota | None = None
    seats: Quota | None = None
    counted_at: str | None = Field(default=None, description="When, where the backend says; Aural does not.")

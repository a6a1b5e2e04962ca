"""What an agent can read by address: lists, interviews, transcripts, reports, usage, documents and the skill.

A resource is whole where a tool's answer comes in pages; both show the same rows in the same words.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError
from mcp.shared.uri_template import UriTemplate
from mcp.types import Annotations, Resource, ResourceTemplate
from pydantic import ValidationError

from aural_mcp import errors, operations, render
from aural_mcp.client import AuralClient, Spent
from aural_mcp.models import Record, SessionReport, SessionSummary, Wire
from aural_mcp.outlines import moment, outline, table, transcript
from aural_mcp.results import without_secrets
from aural_mcp.safety import fenced, literal, outside, outside_all, quote, quoted
from aural_mcp.shaped import SHAPES
from aural_mcp.shaped.base import MOST_PAGES
from aural_mcp.shaped.interviews import question_view
from aural_mcp.shaped.sessions import overall_score
from aural_mcp.shaped.transcripts import all_of, integrity_of, media_of
from aural_mcp.tools import BY_NAME
from aural_mcp.workflows.exporting import ExportResults, collected, written
from aural_mcp.workflows.invites import csv_of, invites

Ids = Mapping[str, str]
MARKDOWN, TEXT, JSON, CSV = "text/markdown", "text/plain", "application/json", "text/csv"


@dataclass(frozen=True)
class Address:
    """A resource or a template: where it is, what it holds, how it is read, and the tool that shows the same."""

    uri: str
    name: str
    title: str
    description: str
    read: Callable[[AuralClient, Ids], Awaitable[str]]
    tool: str
    mime_type: str = MARKDOWN
    priority: float = 0.5


@dataclass(frozen=True)
class Document:
    """A resource that needs no key: its text is in this package."""

    uri: str
    name: str
    title: str
    description: str
    text: Callable[[], str]
    mime_type: str = MARKDOWN
    priority: float = 0.2


# ── Lists ───────────────────────────────────────────────────────────────────────────────────────


async def _interviews(client: AuralClient, ids: Ids) -> str:
    rows, more = await _rows(client, operations.ListInterviews, limit=100)
    return f"# Interviews\n\n{table(rows)}{more}\n"


async def _sessions(client: AuralClient, ids: Ids) -> str:
    rows, more = await _rows(client, operations.ListSessions, **ids, limit=100)
    return f"# Sessions\n\n{table(rows)}{more}\n"


async def _candidates(client: AuralClient, ids: Ids) -> str:
    rows, more = await _rows(client, operations.ListCandidates, **ids, limit=500)
    return f"# Candidates\n\n{table(rows)}{more}\n"


async def _invites(client: AuralClient, ids: Ids) -> str:
    return csv_of(outside_all(await invites(client, operations.ListCandidates.model_validate(ids).interview_id)))


async def _rows(client: AuralClient, operation: operations.AnyOperation, **given: Any) -> tuple[list[Any], str]:
    """Every row of a list, as its tool shows it, and a word where there are too many."""
    shape, found, goes_on = SHAPES[operation], cast("list[Any]", []), cast("dict[str, Any]", {})
    for _ in range(MOST_PAGES):
        page = _clean(await shape.run(client, shape.arguments.model_validate({**given, **goes_on}), Spent()))
        found += page["data"]
        if page.get("cursor") is not None:
            goes_on = {"cursor": page["cursor"]}
        elif page.get("nextRow") is not None:
            goes_on = {"fromRow": page["nextRow"]}
        else:
            return found, ""
    return found, f"\n\nThere are more; {operation.tool_name()} goes on from there."


# ── Interviews ──────────────────────────────────────────────────────────────────────────────────


async def _interview(client: AuralClient, ids: Ids) -> str:
    shape = SHAPES[operations.GetInterview]
    interview = _clean(await shape.run(client, shape.arguments.model_validate(ids), Spent()))
    questions = interview.pop("questions", [])
    if interview.pop("remarks", []):
        questions = await _all_questions(client, ids)
    return f"# {_line(interview.pop('title', ''))}\n\n{outline(interview)}\n\n## Questions\n\n{table(questions)}\n"


async def _questions(client: AuralClient, ids: Ids) -> str:
    return f"# Questions\n\n{table(await _all_questions(client, ids))}\n"


async def _all_questions(client: AuralClient, ids: Ids) -> list[Any]:
    found = await client.call(operations.ListQuestions.model_validate(ids))
    return [_clean(question_view(each)) for each in found.data]


# ── Sessions ────────────────────────────────────────────────────────────────────────────────────


async def _transcript(client: AuralClient, ids: Ids) -> str:
    session = await client.call(operations.GetSession.model_validate(ids))
    return transcript_page(outside_all(session.model_dump(mode="json")))


def transcript_page(session: dict[str, Any]) -> str:
    """A session's transcript as a Markdown document."""
    interview: dict[str, Any] = session.get("interview") or {}
    head = _head(session, interview.get("title"), interview.get("objective"))
    flagged = f"## {FLAGS}\n\n{outline(session['flags'])}\n\n" if session.get("flags") else ""
    return f"{head}\n\n{flagged}## Transcript\n\n{transcript(session['messages'])}\n"


FLAGS = "Flags, for a person to look at"


def _head(session: dict[str, Any], title: Any, objective: Any) -> str:
    facts: dict[str, Any] = {
        "Candidate": session.get("participantName"),
        "Status": session.get("status"),
        "Begun": moment(str(session.get("createdAt") or "")),
        "Duration": f"{session['totalDurationSeconds']} s" if session.get("totalDurationSeconds") is not None else None,
        "Objective": objective,
    }
    lines = [f"- {name}: {literal(_line(value))}" for name, value in facts.items() if value]
    return f"# {_line(title or 'Interview')}\n\n" + "\n".join(lines)


async def _report(client: AuralClient, ids: Ids) -> str:
    asked = operations.GetSessionReport.model_validate(ids)
    try:
        return report_page(await client.call(asked), asked.session_id)
    except errors.NotOffered:
        session = await client.call(operations.GetSession(session_id=asked.session_id))
        interview = session.interview
        about = {"interviewTitle": interview.title, "interviewObjective": interview.objective} if interview else {}
        report = SessionReport.model_validate({**session.model_dump(by_alias=True, exclude_unset=True), **about})
        return f"{OLDER}\n\n{report_page(report, asked.session_id)}"


OLDER = "This deployment of Aural is older and gives no recordings, integrity log, code or drawings."


def report_page(report: SessionReport, session_id: str) -> str:
    """Everything about a session as a Markdown document: analysis, tone, integrity, media, transcript."""
    session = _clean(report)
    found = session.get("insights")
    insights = cast("dict[str, Any]", found) if isinstance(found, dict) else {}
    turns = [{"turn": number, **outside_all(all_of(each))} for number, each in enumerate(report.messages, 1)]
    everything = len(report.anti_cheating_log) + len(report.audio_recordings) + len(report.screenshots or [])
    integrity, media = integrity_of(report, everything, session_id)[0], media_of(report, everything, session_id)[0]
    score = overall_score(report.insights)
    sections = {
        FLAGS: outline(session.get("flags")),
        "Summary": quote(session.get("summary") or ("There is none." if insights else "Not analysed yet.")),
        "Overall score": f"{score} (mean, 1 to 10)" if score is not None else "Not scored. That is not a low score.",
        "Criteria": outline(insights.get("criteriaEvaluations")),
        "Questions": outline(insights.get("questionEvaluations")),
        "Insights": outline(insights.get("keyInsights")),
        "Themes": outline(session.get("themes")),
        "Findings": outline(insights.get("researchFindings")),
        "Scored by": outline(insights.get("scoredBy")),
        "Tone, no ground for a decision": outline(insights.get("toneAnalysis")),
        "Sentiment, no ground for a decision": outline(session.get("sentiment")),
        "Integrity log, which proves nothing by itself": outline(outside_all(integrity)),
        "Media": outline(outside_all(media)),
        "Transcript": transcript(turns),
    }
    parts = [f"## {title}\n\n{text}" for title, text in sections.items() if text]
    head = _head(session, session.get("interviewTitle"), session.get("interviewObjective"))
    return "\n\n".join([head, *parts]) + "\n"


async def _session_json(client: AuralClient, ids: Ids) -> str:
    session = await client.call(operations.GetSession.model_validate(ids))
    return json.dumps(_clean(session), ensure_ascii=False, indent=1)


async def _usage(client: AuralClient, ids: Ids) -> str:
    usage = _clean(await SHAPES[operations.GetUsage].run(client, operations.GetUsage(), Spent()))
    remarks = "".join(f"\n\n{remark}" for remark in usage.pop("remarks", []))
    return f"# Usage\n\n{outline(usage)}{remarks}\n"


def _exported(form: str, format: str) -> Callable[[AuralClient, Ids], Awaitable[str]]:
    """Reads an export, which is made anew each time."""

    async def read(client: AuralClient, ids: Ids) -> str:
        given: dict[str, Any] = {name: value for name, value in ids.items() if name != "sessions"}
        given |= {"sessionIds": ids["sessions"].split(",")} if ids.get("sessions") else {}
        asked = ExportResults.model_validate({**given, "form": form, "format": format})
        return written(await collected(client, asked, Spent()), asked)

    return read


def _clean(result: Record | Wire) -> dict[str, Any]:
    return without_secrets(outside_all(result.model_dump(mode="json", exclude_unset=True)))


def _line(value: Any) -> str:
    return " ".join(str(value).split())


# ── All of them ─────────────────────────────────────────────────────────────────────────────────

INTERVIEW, SESSION = "aural://interviews/{interviewId}", "aural://sessions/{sessionId}"
TRANSCRIPT, REPORT, SESSIONS = f"{SESSION}/transcript", f"{SESSION}/report", f"{INTERVIEW}/sessions"
PACKET = f"{INTERVIEW}/candidates/{{candidateId}}/packet"

ADDRESSES = (
    Address(
        "aural://interviews",
        "interviews",
        "Interviews",
        "Every interview with its state and how many questions and sessions it has.",
        _interviews,
        "list_interviews",
        priority=0.6,
    ),
    Address(
        "aural://usage", "usage", "Usage", "The plan and how much of it is used.", _usage, "get_usage", priority=0.2
    ),
    Address(
        INTERVIEW, "interview", "Interview", "One interview: settings, rubric, questions.", _interview, "get_interview"
    ),
    Address(
        f"{INTERVIEW}/questions",
        "interview_questions",
        "Questions",
        "Its questions, in order.",
        _questions,
        "list_questions",
    ),
    Address(
        SESSIONS,
        "interview_sessions",
        "Sessions",
        "Who took it: status and overall score. Can be followed.",
        _sessions,
        "list_sessions",
    ),
    Address(
        f"{INTERVIEW}/candidates",
        "interview_candidates",
        "Candidates",
        "Who is registered, and how far.",
        _candidates,
        "list_candidates",
    ),
    Address(
        f"{INTERVIEW}/invites.csv",
        "interview_invites",
        "Invite links",
        "Everybody registered, with e-mail, private link and state, as CSV for a mail merge.",
        _invites,
        "list_candidates",
        CSV,
    ),
    Address(
        TRANSCRIPT,
        "session_transcript",
        "Session transcript",
        "One candidate's whole interview: numbered turns, who spoke, when. Can be followed.",
        _transcript,
        "get_session",
        priority=0.8,
    ),
    Address(
        REPORT,
        "session_report",
        "Session report",
        "Analysis, scores, tone, integrity log, media links and the whole transcript. Can be followed.",
        _report,
        "get_session_report",
        priority=0.8,
    ),
    Address(
        f"{SESSION}.json",
        "session_json",
        "Session as JSON",
        "One session as the API returns it. Can be followed.",
        _session_json,
        "get_session",
        JSON,
        priority=0.3,
    ),
    Address(
        f"{INTERVIEW}/results.md{{?sessions}}",
        "results_markdown",
        "Results",
        "Scores, evidence and rubric version of everybody, or of these sessions (ids with commas), for a panel.",
        _exported("results", "markdown"),
        "export_results",
    ),
    Address(
        f"{INTERVIEW}/results.csv{{?sessions}}",
        "results_csv",
        "Results as CSV",
        "One row a candidate, one column a criterion or question; an empty cell is not scored.",
        _exported("results", "csv"),
        "export_results",
        CSV,
        priority=0.3,
    ),
    Address(
        f"{INTERVIEW}/results.json{{?sessions}}",
        "results_json",
        "Results as JSON",
        "The same with all evidence.",
        _exported("results", "json"),
        "export_results",
        JSON,
        priority=0.3,
    ),
    Address(
        f"{PACKET}.md",
        "packet_markdown",
        "Data-subject packet",
        "All that is held on one person, and where it can be erased. Not in blind mode.",
        _exported("packet", "markdown"),
        "export_results",
        priority=0.3,
    ),
    Address(
        f"{PACKET}.json",
        "packet_json",
        "Data-subject packet as JSON",
        "The same for machines.",
        _exported("packet", "json"),
        "export_results",
        JSON,
        priority=0.2,
    ),
)

DOCUMENTS = (
    Document(
        "aural://docs/llms.txt", "llms.txt", "Aural API in one page", "The REST API in one prompt.", render.llms_txt
    ),
    Document(
        "aural://docs/llms-full.txt",
        "llms-full.txt",
        "Aural API, complete",
        "Every endpoint, parameter and response field.",
        render.llms_full_txt,
    ),
    Document(
        "aural://docs/openapi.json",
        "openapi.json",
        "Aural API as OpenAPI",
        "OpenAPI 3.1.",
        lambda: json.dumps(render.openapi(), ensure_ascii=False, indent=1),
        JSON,
        priority=0.1,
    ),
)


@cache
def documents() -> dict[str, tuple[Document, str]]:
    """The documents and the files of the skill by their address, each with its text."""
    skill = [
        Document(
            f"skill://{file.path}",
            file.name,
            file.title,
            file.description,
            (lambda text=file.text: text),
            priority=0.7 if file.name == file.skill else 0.3,
        )
        for file in render.skill_files()
    ]
    return {each.uri: (each, each.text()) for each in (*DOCUMENTS, *skill)}


Has = Callable[[str], bool]
"""Whether a tool of this name exists: where it is off, what it shows is off too."""


def templates(has: Has) -> list[ResourceTemplate]:
    """The templates as hosts list them."""
    return [
        ResourceTemplate(
            uri_template=each.uri,
            name=each.name,
            title=each.title,
            description=each.description,
            mime_type=each.mime_type,
            annotations=_annotations(each.priority),
        )
        for each in ADDRESSES
        if "{" in each.uri and has(each.tool)
    ]


def static(has: Has) -> list[Resource]:
    """The resources that are always there, sizes in bytes where they are known."""
    fixed = [_resource(each) for each in ADDRESSES if "{" not in each.uri and has(each.tool)]
    return fixed + [_resource(each, len(text.encode())) for each, text in documents().values()]


def session_resource(session: SessionSummary, interview_title: str) -> Resource:
    """A session's transcript as a row of the list."""
    who = outside(session.participant_name or "").strip() or "Unnamed candidate"
    return Resource(
        uri=UriTemplate.parse(TRANSCRIPT).expand({"sessionId": session.id}),
        name=f"transcript-{session.id}",
        title=_line(f"{who}: {outside(interview_title)}"),
        description=f"Transcript of a session, {session.status}.",
        mime_type=MARKDOWN,
        annotations=_annotations(0.8, session.updated_at or None),
    )


def match(uri: str) -> tuple[Address, dict[str, str]] | None:
    """The address that a URI belongs to and the ids in it."""
    for address in ADDRESSES:
        found = UriTemplate.parse(address.uri).match(uri)
        if found is not None:
            return address, {name: str(value) for name, value in found.items()}
    return None


async def read(uri: str, client: Callable[[], AuralClient], has: Has) -> tuple[str, str]:
    """The text at an address and its MIME type; the client is asked for only where a key is needed.

    Raises:
        ResourceNotFoundError: there is no such address, or no such row.
        ResourceError: any other failure, with its next step.
    """
    if known := documents().get(uri):
        return known[1], known[0].mime_type
    matched = match(uri)
    if matched is None or not has(matched[0].tool):
        listed = ", ".join(each.uri for each in ADDRESSES if has(each.tool))
        raise ResourceNotFoundError(f"There is no resource {quoted(uri)}. There are: {listed}.")
    address, ids = matched
    try:
        text = await address.read(client(), ids)
        by_others = BY_NAME[address.tool].by_others and address.mime_type == MARKDOWN
        return fenced(text) if by_others else text, address.mime_type
    except ValidationError as error:
        raise ResourceNotFoundError(f"{quoted(uri)} has no usable id in it. {_finder(ids)}") from error
    except errors.NotFound as error:
        raise ResourceNotFoundError(str(error)) from error
    except errors.AuralError as error:
        raise ResourceError(str(error)) from error


def _finder(ids: Ids) -> str:
    finders = [operations.FINDERS[name] for name in ids if name in operations.FINDERS]
    return f"Call {finders[0]} for ids that exist." if finders else ""


def _resource(each: Address | Document, size: int | None = None) -> Resource:
    return Resource(
        uri=each.uri,
        name=each.name,
        title=each.title,
        description=each.description,
        mime_type=each.mime_type,
        size=size,
        annotations=_annotations(each.priority),
    )


def _annotations(priority: float, last_modified: str | None = None) -> Annotations:
    return Annotations(audience=["user", "assistant"], priority=priority, last_modified=last_modified)

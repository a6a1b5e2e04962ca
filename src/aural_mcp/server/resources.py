"""What an agent can read by address: lists, interviews, transcripts, reports, usage, documents and the skill.

A resource is whole where a tool's answer comes in pages; both show the same rows in the same words.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache

from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError
from mcp.shared.uri_template import UriTemplate
from mcp.types import Annotations, Resource, ResourceTemplate
from pydantic import ValidationError

from aural_mcp.api import errors, operations
from aural_mcp.api.models import SessionSummary
from aural_mcp.client.caller import Caller
from aural_mcp.documents import render
from aural_mcp.documents.openapi import openapi
from aural_mcp.safety import fenced, outside, quoted
from aural_mcp.server import resource_texts as texts
from aural_mcp.server.access import BY_NAME
from aural_mcp.server.resource_texts import Ids, line

MARKDOWN, TEXT, JSON, CSV = "text/markdown", "text/plain", "application/json", "text/csv"
HTML = "text/html"


@dataclass(frozen=True)
class Address:
    """A resource or a template: where it is, what it holds, how it is read, and the tool that shows the same."""

    uri: str
    name: str
    title: str
    description: str
    read: Callable[[Caller, Ids], Awaitable[str]]
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


INTERVIEW, SESSION = "aural://interviews/{interviewId}", "aural://sessions/{sessionId}"
TRANSCRIPT, REPORT, SESSIONS = f"{SESSION}/transcript", f"{SESSION}/report", f"{INTERVIEW}/sessions"
PACKET = f"{INTERVIEW}/candidates/{{candidateId}}/packet"

ADDRESSES = (
    Address(
        "aural://interviews",
        "interviews",
        "Interviews",
        "Every interview with its state and how many questions and sessions it has.",
        texts.interviews_text,
        "list_interviews",
        priority=0.6,
    ),
    Address(
        "aural://usage",
        "usage",
        "Usage",
        "The plan and how much of it is used.",
        texts.usage_text,
        "get_usage",
        priority=0.2,
    ),
    Address(
        INTERVIEW,
        "interview",
        "Interview",
        "One interview: settings, rubric, questions.",
        texts.interview_text,
        "get_interview",
    ),
    Address(
        f"{INTERVIEW}/questions",
        "interview_questions",
        "Questions",
        "Its questions, in order.",
        texts.questions_text,
        "list_questions",
    ),
    Address(
        SESSIONS,
        "interview_sessions",
        "Sessions",
        "Who took it: status and overall score. Can be followed.",
        texts.sessions_text,
        "list_sessions",
    ),
    Address(
        f"{INTERVIEW}/candidates",
        "interview_candidates",
        "Candidates",
        "Who is registered, and how far.",
        texts.candidates_text,
        "list_candidates",
    ),
    Address(
        f"{INTERVIEW}/invites.csv",
        "interview_invites",
        "Invite links",
        "Who is registered (the newest 1,000), with e-mail, private link and state, as CSV with a byte order mark.",
        texts.invites_text,
        "list_candidates",
        CSV,
    ),
    Address(
        TRANSCRIPT,
        "session_transcript",
        "Session transcript",
        "One candidate's whole interview: numbered turns, who spoke, when. Can be followed.",
        texts.transcript_text,
        "get_session",
        priority=0.8,
    ),
    Address(
        REPORT,
        "session_report",
        "Session report",
        "Analysis, scores, tone, integrity log, media links and the whole transcript. Can be followed.",
        texts.report_text,
        "get_session_report",
        priority=0.8,
    ),
    Address(
        f"{SESSION}.json",
        "session_json",
        "Session as JSON",
        "One session as the API returns it. Can be followed.",
        texts.session_json,
        "get_session",
        JSON,
        priority=0.3,
    ),
    Address(
        f"{INTERVIEW}/results.md{{?sessions}}",
        "results_markdown",
        "Results",
        "Scores, evidence and rubric version of everybody, or of these sessions (ids with commas), for a panel.",
        texts.exported("results", "markdown"),
        "export_results",
    ),
    Address(
        f"{INTERVIEW}/results.csv{{?sessions}}",
        "results_csv",
        "Results as CSV",
        "One row a candidate, one column a criterion or question; an empty cell is not scored. With a byte order mark.",
        texts.exported("results", "csv"),
        "export_results",
        CSV,
        priority=0.3,
    ),
    Address(
        f"{INTERVIEW}/results.json{{?sessions}}",
        "results_json",
        "Results as JSON",
        "The same with all evidence.",
        texts.exported("results", "json"),
        "export_results",
        JSON,
        priority=0.3,
    ),
    Address(
        f"{INTERVIEW}/results.html{{?sessions}}",
        "results_html",
        "Results as a page",
        "The same as one file to print for a panel.",
        texts.exported("results", "html"),
        "export_results",
        HTML,
        priority=0.3,
    ),
    Address(
        f"{PACKET}.md",
        "packet_markdown",
        "Data-subject packet",
        "All that is held on one person, and where it can be erased. Not in blind mode.",
        texts.exported("packet", "markdown"),
        "export_results",
        priority=0.3,
    ),
    Address(
        f"{PACKET}.json",
        "packet_json",
        "Data-subject packet as JSON",
        "The same for machines.",
        texts.exported("packet", "json"),
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
        lambda: json.dumps(openapi(), ensure_ascii=False, separators=(",", ":")),
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
        title=line(f"{who}: {outside(interview_title)}"),
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


async def read(uri: str, client: Callable[[], Caller], has: Has) -> tuple[str, str]:
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

"""What each resource says, whole: the text behind an address."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

from aural_mcp.api import errors, operations
from aural_mcp.api.models import SessionReport
from aural_mcp.client.caller import Caller
from aural_mcp.client.client import Spent
from aural_mcp.safety import literal, outside_all, quote
from aural_mcp.server.results import clean
from aural_mcp.tools import SHAPES
from aural_mcp.tools.formatting import moment, outline, table, transcript
from aural_mcp.tools.interviews import question_view
from aural_mcp.tools.sessions import overall_score
from aural_mcp.tools.shape import MOST_PAGES
from aural_mcp.tools.transcripts import all_of, integrity_of, media_of, said_of
from aural_mcp.workflows.exporting import ExportResults, collected, marked, written
from aural_mcp.workflows.invites import csv_of, invites

Ids = Mapping[str, str]


# ── Lists ───────────────────────────────────────────────────────────────────────────────────────


async def interviews_text(client: Caller, ids: Ids) -> str:
    rows, more = await _rows(client, operations.ListInterviews, limit=100)
    return f"# Interviews\n\n{table(rows)}{more}\n"


async def sessions_text(client: Caller, ids: Ids) -> str:
    rows, more = await _rows(client, operations.ListSessions, **ids, limit=100)
    return f"# Sessions\n\n{table(rows)}{more}\n"


async def candidates_text(client: Caller, ids: Ids) -> str:
    rows, more = await _rows(client, operations.ListCandidates, **ids, limit=500)
    return f"# Candidates\n\n{table(rows)}{more}\n"


async def invites_text(client: Caller, ids: Ids) -> str:
    return csv_of(outside_all(await invites(client, operations.ListCandidates.model_validate(ids).interview_id)))


async def _rows(client: Caller, operation: operations.AnyOperation, **given: Any) -> tuple[list[Any], str]:
    """Every row of a list, as its tool shows it, and a word where there are too many."""
    shape, found, goes_on = SHAPES[operation], cast("list[Any]", []), cast("dict[str, Any]", {})
    said: dict[str, None] = {}
    for _ in range(MOST_PAGES):
        page = clean(await shape.run(client, shape.arguments.model_validate({**given, **goes_on}), Spent()))
        found += page["data"]
        said |= dict.fromkeys(page.get("remarks", []))
        if page.get("cursor") is not None:
            goes_on = {"cursor": page["cursor"]}
        elif page.get("nextRow") is not None:
            goes_on = {"fromRow": page["nextRow"]}
        else:
            return found, "".join(f"\n\n{each}" for each in said)
    return found, f"\n\nThere are more; {operation.tool_name()} goes on from there."


# ── Interviews ──────────────────────────────────────────────────────────────────────────────────


async def interview_text(client: Caller, ids: Ids) -> str:
    shape = SHAPES[operations.GetInterview]
    interview = clean(await shape.run(client, shape.arguments.model_validate(ids), Spent()))
    questions = interview.pop("questions", [])
    if interview.pop("remarks", []):
        questions = await _all_questions(client, ids)
    return f"# {line(interview.pop('title', ''))}\n\n{outline(interview)}\n\n## Questions\n\n{table(questions)}\n"


async def questions_text(client: Caller, ids: Ids) -> str:
    return f"# Questions\n\n{table(await _all_questions(client, ids))}\n"


async def _all_questions(client: Caller, ids: Ids) -> list[Any]:
    found = await client.call(operations.ListQuestions.model_validate(ids))
    return [clean(question_view(each)) for each in found.data]


# ── Sessions ────────────────────────────────────────────────────────────────────────────────────


async def transcript_text(client: Caller, ids: Ids) -> str:
    session = await client.call(operations.GetSession.model_validate(ids))
    return transcript_page(outside_all(session.model_dump(mode="json")))


def transcript_page(session: dict[str, Any]) -> str:
    """A session's transcript as a Markdown document."""
    interview: dict[str, Any] = session.get("interview") or {}
    head = _head(session, interview.get("title"), interview.get("objective"))
    said = _flagged(session)
    flagged = f"## {FLAGS}\n\n{said}\n\n" if said else ""
    return f"{head}\n\n{flagged}## Transcript\n\n{transcript(session['messages'])}\n"


FLAGS = "Flags, for a person to look at"


def _flagged(session: Mapping[str, Any]) -> str:
    """What is flagged, in our words."""
    return " ".join(said_of(session.get("flags", []), scored=overall_score(session.get("insights")) is not None))


def _head(session: dict[str, Any], title: Any, objective: Any) -> str:
    facts: dict[str, Any] = {
        "Candidate": session.get("participantName"),
        "Status": session.get("status"),
        "Begun": moment(str(session.get("createdAt") or "")),
        "Duration": f"{session['totalDurationSeconds']} s" if session.get("totalDurationSeconds") is not None else None,
        "Objective": objective,
    }
    lines = [f"- {name}: {literal(line(value))}" for name, value in facts.items() if value]
    return f"# {line(title or 'Interview')}\n\n" + "\n".join(lines)


async def report_text(client: Caller, ids: Ids) -> str:
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
    session = clean(report)
    found = session.get("insights")
    insights = cast("dict[str, Any]", found) if isinstance(found, dict) else {}
    turns = [outside_all(all_of(number, each)) for number, each in enumerate(report.messages, 1)]
    everything = len(report.anti_cheating_log) + len(report.audio_recordings) + len(report.screenshots or [])
    integrity, media = integrity_of(report, everything, session_id)[0], media_of(report, everything, session_id)[0]
    score = overall_score(report.insights)
    sections = {
        FLAGS: _flagged(session),
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


async def session_json(client: Caller, ids: Ids) -> str:
    session = await client.call(operations.GetSession.model_validate(ids))
    return json.dumps(clean(session), ensure_ascii=False, indent=1)


async def usage_text(client: Caller, ids: Ids) -> str:
    usage = clean(await SHAPES[operations.GetUsage].run(client, operations.GetUsage(), Spent()))
    remarks = "".join(f"\n\n{remark}" for remark in usage.pop("remarks", []))
    return f"# Usage\n\n{outline(usage)}{remarks}\n"


def exported(form: str, format: str) -> Callable[[Caller, Ids], Awaitable[str]]:
    """Reads an export, which is made anew each time."""

    async def read(client: Caller, ids: Ids) -> str:
        given: dict[str, Any] = {name: value for name, value in ids.items() if name != "sessions"}
        given |= {"sessionIds": ids["sessions"].split(",")} if ids.get("sessions") else {}
        asked = ExportResults.model_validate({**given, "form": form, "format": format})
        return marked(written(await collected(client, asked, Spent()), asked), asked)

    return read


def line(value: Any) -> str:
    """A value on one line."""
    return " ".join(str(value).split())

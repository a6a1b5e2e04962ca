"""Results to hand on, and all that is held on one person: as a resource, in the answer, or in the operator's folder.

An export is made anew each time it is read; nothing is kept. It says what it could not read.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlsplit

from pydantic import MISSING, Field

from aural_mcp._version import __version__
from aural_mcp.api.errors import AuralError, NotOffered
from aural_mcp.api.models import Decision, Record, SessionSummary
from aural_mcp.api.operations import (
    GetInterview,
    GetSessionReport,
    Id,
    InterviewId,
    ListCandidates,
    Operation,
    Text,
)
from aural_mcp.client.caller import Caller
from aural_mcp.client.client import Spent
from aural_mcp.privacy.exposure import Guarded
from aural_mcp.safety import outside_all, quoted
from aural_mcp.tools.candidates import cut
from aural_mcp.workflows import formats as sheets
from aural_mcp.workflows import packets
from aural_mcp.workflows.base import OUT_OF_BUDGET, again, all_sessions, begin, not_now, refused, remain
from aural_mcp.workflows.comparing import chosen
from aural_mcp.workflows.decisions import decisions_of
from aural_mcp.workflows.evidence import Rule, evaluated
from aural_mcp.workflows.explained import explained_html, explained_markdown
from aural_mcp.workflows.explaining import explanation
from aural_mcp.workflows.ranking import LIST_ENDED, Candidate, look_at_rows, look_at_transcript, sentences
from aural_mcp.workflows.report import as_html
from aural_mcp.workflows.saving import new_file, save
from aural_mcp.workflows.scores import (
    Column,
    Rubric,
    as_number,
    card_of,
    is_locked,
    read_session,
    rubric_of,
)

Format = Literal["markdown", "csv", "json", "html"]
EXTENSIONS: dict[Format, str] = {"markdown": "md", "csv": "csv", "json": "json", "html": "html"}
MOST_INLINE = 60_000
"""Bytes of an export that an answer still holds."""
TOO_LARGE = "It is {size} KB, too much for an answer: {read}say {less}fewer sessionIds, or csv."
TOO_LONG = "It is {size} KB, too much for an answer: {step}."
BLIND = (
    "Blind: names are pseudonyms, and no key to them is in the export. Left out: addresses, personal fields, tone, "
    "recordings, session ids, and in texts whatever the record names. A story can still tell who somebody is."
)
NOT_READ = (
    "{number} of {total} transcripts were not read, as time or budget ended: quotes and flags of these are missing."
)
NO_NOTICE = "What this person was told before they began, and asks of the team, could not be read just now."
READ_IS_KEPT = ": finished sessions that were read need no request then"


class Exported(Record):
    """What an export holds, where it is, and itself where it is short."""

    form: str
    format: str
    address: str = Field(default="", description="The resource; reading it makes the export anew.")
    saved_as: str | None = Field(default=None, description="The file in the operator's folder.")
    bytes: int
    sessions: int = 0
    not_read: list[str] = Field(default=[], description="Sessions whose transcripts are missing in it.")
    rubric_version: str | None = None
    names: str = Field(default="", description="named, blind or lockdown.")
    columns: list[str] = Field(default=[], description="Of the CSV, in order.")
    session_ids: list[str] = []
    content: str | None = Field(default=None, description="The export, unless it was saved or is too long.")


class ExportResults(Operation[Exported]):
    """Export results of one interview as Markdown, CSV, JSON or HTML: scores, evidence, rubric version.

    Of everybody, a shortlist or one candidate; nobody is ranked. form packet: all that is held on one person.
    explanation: why a decision turned one down, and a draft letter.
    """

    effect, toolset = "read", "workflows"
    saves_as = "saveAs"
    hint = "Give the user the content, file or address unchanged."
    interview_id: InterviewId
    session_ids: Annotated[list[Id] | MISSING, Field(min_length=1, max_length=500)] = MISSING
    candidate_id: Annotated[
        Id | MISSING,
        Field(description="From list_candidates, or the sessionId of somebody not registered."),
    ] = MISSING
    form: Annotated[
        Literal["results", "packet", "explanation"], Field(description="packet, explanation: need candidateId.")
    ] = "results"
    format: Annotated[Format, Field(description="csv: a row each, scores only. html: to print.")] = "markdown"
    blind: Annotated[bool, Field(description="Pseudonyms in this export.")] = False
    save_as: Annotated[Text | MISSING, Field(max_length=200, description="A new file in the folder of --files.")] = (
        MISSING
    )


def marked(content: str, given: ExportResults) -> str:
    """An export as a file that a person opens: a CSV table says that it is UTF-8."""
    return f"{sheets.MARK}{content}" if given.format == "csv" else content


async def export_results(client: Caller, given: ExportResults, spent: Spent) -> Exported:
    """Made, saved where asked, and shown where it is short enough."""
    path = None if given.save_as is MISSING else new_file(client, given.save_as, EXTENSIONS[given.format])
    whole = await collected(client, given, spent)
    content = written(whole, given)
    if path is not None:
        content = marked(content, given)
        save(path, content)
    size = len(content.encode())
    shown = path is None and size <= MOST_INLINE
    found: dict[str, Any] = {
        "form": given.form,
        "format": given.format,
        **({} if given.blind or given.form == "explanation" else {"address": _address(given, whole)}),
        "bytes": size,
        **whole.about,
        "sessionIds": whole.session_ids,
        **({"savedAs": path.name} if path is not None else {}),
        **({"content": content} if shown else {}),
        **({"columns": sheets.header(whole.value)} if given.format == "csv" and not shown else {}),
        "remarks": [
            *(each for each in whole.remarks if not (shown and each.startswith(packets.LOOKED))),  # the packet says it
            *([] if shown or path else [_too_large(client, given, size)]),
        ],
    }
    return Exported.model_validate(found)


def _too_large(client: Caller, given: ExportResults, size: int) -> str:
    saves = isinstance(client, Guarded) and client.files is not None
    if given.form == "explanation":
        return TOO_LONG.format(size=size // 1000, step="say saveAs" if saves else "start the server with --files DIR")
    read = "" if given.blind else "read the resource, which asks for all of it again, or "
    return TOO_LARGE.format(size=size // 1000, read=read, less="saveAs, " if saves else "")


async def collected(client: Caller, given: ExportResults, spent: Spent) -> packets.Collected:
    """What is exported, cleaned.

    Raises:
        BadRequest: there is no such person or session, or a packet of somebody who must not be named.
    """
    begin(spent)
    if given.blind:
        if not isinstance(client, Guarded):
            raise refused("This client shows everything as it is", "Leave blind out")
        client = client.blinded()
    seen = client.exposure if isinstance(client, Guarded) else None
    names = "lockdown" if seen and seen.lockdown else "blind" if seen and seen.blind else "named"
    if given.form == "packet":
        whole = await packets.packet(client, given.interview_id, _who(given, names), spent)
    elif given.form == "explanation":
        whole = await explanation(client, given.interview_id, _who(given, names), spent)
    else:
        whole = await _results(client, given, spent)
    export = {
        "at": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "software": f"aural-mcp {__version__}",
        "backend": urlsplit(client.base_url).netloc,
        "names": names,
    }
    whole.value = outside_all({"export": {**export, **whole.value.pop("export", {})}, **whole.value})
    whole.about |= {"names": names}
    whole.remarks += [BLIND] if given.blind else []
    return whole


def written(whole: packets.Collected, given: ExportResults) -> str:
    """The export as text in a format."""
    if given.format == "json":
        return sheets.as_json(whole.value)
    if given.format == "csv":
        return sheets.as_csv(whole.value)
    if given.form == "explanation":
        return explained_html(whole.value) if given.format == "html" else explained_markdown(whole.value)
    if given.format == "html":
        return as_html(whole.value)
    return packets.as_markdown(whole.value) if given.form == "packet" else sheets.as_markdown(whole.value)


def _who(given: ExportResults, names: str) -> str:
    """Whose packet or explanation may be made."""
    what = f"{'An' if given.form == 'explanation' else 'A'} {given.form}"
    if names != "named":
        if given.blind:
            raise refused(f"{what} names a person, and blind names nobody", "Leave blind out, or use form results")
        step = "Ask whoever runs the server for one without --blind and --lockdown"
        raise refused(f"{what} names a person, and here nobody is named ({names})", step)
    if given.candidate_id is MISSING:
        raise refused(f"{what} is of one person", "Give candidateId, from list_candidates")
    if given.form == "packet" and given.format in ("csv", "html"):
        raise refused(f"{what} is no table and no page", "Use format markdown or json")
    if given.format == "csv":
        raise refused(f"{what} is no table", "Use format markdown, html or json")
    return given.candidate_id


# ── Results ─────────────────────────────────────────────────────────────────────────────────────


async def _results(client: Caller, given: ExportResults, spent: Spent) -> packets.Collected:
    interview = await client.call(GetInterview(interview_id=given.interview_id), spent=spent)
    rubric = rubric_of(interview)
    listed, complete = await all_sessions(client, given.interview_id, spent)
    wanted = await _wanted(client, given, listed, spent, complete=complete)
    rows = chosen(listed, wanted, complete=complete)
    people = [Candidate(row, card_of(row.insights, rubric, lockdown=is_locked(client))) for row in rows]
    look_at_rows(people, rubric)
    unread = await _read(client, people, rubric, spent) if given.format != "csv" else []
    missing = [NOT_READ.format(number=len(unread), total=len(people))] if unread else []
    missing += [] if complete else [LIST_ENDED]
    decisions, one = await decisions_of(client, rows), len(rows) == 1 and given.format != "csv"
    rights = await _rights(client, rows[0], spent) if one else {}
    missing += [NO_NOTICE] if one and not rights else []
    how = "" if given.save_as is MISSING else ", and another saveAs"
    then = [remain(len(unread), len(people), spent, then=how + READ_IS_KEPT)] if unread else []
    then += [] if complete or unread else [f"{again(spent).capitalize()} with the same arguments{how}."]
    unused = {"weightsNotUsed": list(rubric.weights.notes)} if rubric.weights.notes else {}
    value = {
        "export": {"rubricVersion": rubric.version, "notRead": unread, "missing": missing, **unused},
        "interview": {"id": interview.id, "title": interview.title, "objective": interview.objective},
        "rubric": [_column(each, rubric) for each in rubric.columns],
        "unsound": sentences(people),
        "candidates": [
            _person(each, rubric, read=each.row.id not in unread, words=not is_locked(client))
            | {"decision": _decision(decisions.get(each.row.id), whole=one), **rights}
            for each in people
        ],
    }
    if given.blind:
        _without_ids(value)
    about = {"sessions": len(people), "notRead": unread, "rubricVersion": rubric.version}
    return packets.Collected(value, about, [each.row.id for each in people], [*missing, *rubric.weights.notes, *then])


async def _wanted(
    client: Caller, given: ExportResults, listed: Sequence[SessionSummary], spent: Spent, *, complete: bool
) -> Any:
    """The ids that are asked for: the sessions named, the one of the candidate, else all."""
    if given.candidate_id is MISSING:
        return [row.id for row in listed] if given.session_ids is MISSING else given.session_ids
    if given.session_ids is not MISSING:
        raise refused("candidateId and sessionIds were both given", "Give one of them")
    if any(row.id == given.candidate_id for row in listed):
        return [given.candidate_id]
    people = (await client.call(ListCandidates(interview_id=given.interview_id), spent=spent)).data
    person = next((each for each in people if each.id == given.candidate_id), None)
    if person is None:
        among = " among those whom Aural shows" if cut(people) else ""
        nobody = f"This interview has no candidate {quoted(given.candidate_id)}{among}"
        if not complete:
            raise not_now("all sessions were listed", spent)
        raise refused(nobody, " ".join([*cut(people), "Take ids from list_candidates or list_sessions"]))
    if person.session_id is None:
        raise refused("This candidate has not begun, so there are no results", "Look at list_candidates")
    return [person.session_id]


async def _read(client: Caller, people: Sequence[Candidate], rubric: Rubric, spent: Spent) -> list[str]:
    """Read the transcripts for quotes and flags; the ids of those that time or budget did not allow."""
    for number, each in enumerate(people):
        try:
            each.session = await read_session(client, each.row, spent)
        except OUT_OF_BUDGET:
            return [late.row.id for late in people[number:]]
        look_at_transcript(each, rubric)
        await spent.report(number + 1, len(people), f"{number + 1} of {len(people)} sessions read")
    return []


async def _rights(client: Caller, row: SessionSummary, spent: Spent) -> dict[str, Any]:
    """What one person was told and asks of the team; nothing where that could not be read."""
    try:
        found = packets.told(await client.call(GetSessionReport(session_id=row.id), spent=spent))
    except NotOffered:
        return {"notice": None, "requests": []}
    except AuralError:
        return {}
    if found["notice"] and isinstance(client, Guarded) and client.exposure.anonymous:
        found["notice"] |= {"text": "", "agreed": ""}
    return found


def _decision(decision: Decision | None, *, whole: bool) -> dict[str, Any] | None:
    """What was decided, when and by whom; with the reason where the export is of one person."""
    row = packets.decided(decision) if decision else {}
    return {name: each for name, each in row.items() if whole or name in ("decision", "at", "by", "verified")} or None


def _without_ids(value: dict[str, Any]) -> None:
    """Take out the ids of sessions, which lead whoever has the workspace to a name."""
    names = {each["sessionId"]: each["name"] for each in value["candidates"]}
    value["export"]["notRead"] = [names[each] for each in value["export"]["notRead"]]
    for each in value["candidates"]:
        each["sessionId"] = ""


def _column(column: Column, rubric: Rubric) -> dict[str, Any]:
    weight = as_number(rubric.weights.counts.get(column.id))
    row = {"column": column.id, "name": column.name, "description": column.description}
    return {**row, **({} if weight is None else {"weight": weight})}


def _person(each: Candidate, rubric: Rubric, *, read: bool, words: bool) -> dict[str, Any]:
    rule = Rule(rubric, each.session) if each.session and words else None
    messages = each.session.messages if each.session else []
    scores = [evaluated(column, each.card, messages, rule) for column in rubric.columns]
    asked = [row for row in scores if row["column"].startswith("Q")]
    more = (each.session.model_extra if each.session else None) or {}
    return {
        "sessionId": each.row.id,
        "name": each.row.participant_name or "",
        "status": each.row.status,
        "begunAt": each.row.created_at,
        "mean": each.card.mean,
        **({"weightedMean": as_number(each.card.weighted)} if rubric.weights.counts else {}),
        "scored": f"{sum(row['score'] is not None for row in asked)} of {len(asked)} questions" if asked else None,
        "scoredBy": each.card.scorer if each.card.mean is not None else None,
        "transcriptRead": read and each.session is not None,
        "unsound": each.reasons,
        "flags": more.get("flags", []),
        "summary": each.row.summary,
        "scores": scores,
    }


def _address(given: ExportResults, whole: packets.Collected) -> str:
    """The resource that gives the same."""
    interview, extension = f"aural://interviews/{quote(given.interview_id, safe='')}", EXTENSIONS[given.format]
    if given.form == "packet":
        return f"{interview}/candidates/{quote(str(given.candidate_id), safe='')}/packet.{extension}"
    everybody = given.session_ids is MISSING and given.candidate_id is MISSING
    only = "" if everybody else f"?sessions={quote(','.join(whole.session_ids), safe='')}"
    return f"{interview}/results.{extension}{only}"

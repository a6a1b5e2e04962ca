"""All that is held on one person, for that person: what the API gives, and what it cannot erase and where to do it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from aural_mcp.api.errors import AuralError, NotFound, NotOffered
from aural_mcp.api.models import Candidate, Decision, ReportMessage, SessionReport, SessionSummary
from aural_mcp.api.operations import GetInterview, GetSession, GetSessionReport, ListCandidates
from aural_mcp.client.caller import Caller
from aural_mcp.client.client import Spent
from aural_mcp.privacy.within import Within
from aural_mcp.safety import code_block, inert_all, quoted
from aural_mcp.tools.candidates import NEWEST, cut
from aural_mcp.tools.formatting import outline, transcript
from aural_mcp.tools.transcripts import all_of
from aural_mcp.workflows.base import all_sessions, not_now
from aural_mcp.workflows.decisions import decisions_of
from aural_mcp.workflows.finding import with_address
from aural_mcp.workflows.formats import bullets, listed
from aural_mcp.workflows.scores import rubric_of

ERASE = (
    "The API erases nothing: no candidate, no session, no transcript, no recording.",
    "In a local workspace: the command aural-mcp erase, with the candidate's id, erases all of this person there. It "
    "is run by a person on the computer that has the workspace; --dry-run only shows what it would erase.",
    "At Aural: erase the candidate and the session in the Aural dashboard, or ask Aural to; links to recordings and "
    "pictures end after 24 hours, the files do not. aural-mcp erase names what to erase there, and erases what this "
    "program keeps of the person by itself.",
    "What the API can do: update_candidate with null clears the fields of the candidate record; name, address and "
    "words in the session stay.",
    "Copies: files that were exported, and conversations of the host that read them. The decision log has ids only.",
)
LOOKED = "Looked for this e-mail address in"
ELSEWHERE = (
    LOOKED + " {done} of {total} other interviews: {found} records there. Another address of this person is not found "
    "so: find_person with the name."
)
NOT_ALL = "Not all other interviews could be looked through in time: find_person with the address goes on by cursor."
ONLY_SOME = (
    "Whoever exported this sees some interviews only. Before the person gets it as all that is held, somebody who sees "
    "every interview looks in the others."
)
NO_ADDRESS = "No e-mail address joins this person with other interviews: look with find_person and the name."
NOT_READ = "Not in it, as time or budget ended: the sessions {ids}. get_session_report has each."
SAME = "Sessions of this interview with the same e-mail address, which may be the same person's: {ids}."
UNREGISTERED = "There is none: this person was not registered."
UNSHOWN = f"{NEWEST} Whether this person is among the others is not known."
INCOMPLETE = "Not all sessions of the interview could be listed: others with the same e-mail address are not known."


@dataclass
class Collected:
    """What is exported; what an answer says about it; whose sessions are in it; what is missing."""

    value: dict[str, Any]
    about: dict[str, Any]
    session_ids: list[str]
    remarks: list[str]


async def packet(client: Caller, interview_id: str, candidate_id: str, spent: Spent) -> Collected:
    """Somebody registered, or who came by the public link; whole or not at all.

    Raises:
        NotFound: nobody has this id.
    """
    interview = await client.call(GetInterview(interview_id=interview_id), spent=spent)
    people = await people_of(client, interview_id, spent)
    person = next((each for each in people if candidate_id in (each.id, each.session_id)), None)
    rows, complete = await all_sessions(client, interview_id, spent)
    own = person.session_id if person else candidate_id
    if person is None and own not in {row.id for row in rows}:
        raise nobody(candidate_id, people) if complete else not_now("all sessions were listed", spent)
    session = await _session(client, own, spent) if own else None
    address = (person.email if person else None) or (session or {}).get("participantEmail")
    others, told = await _others(client, interview_id, address, spent)
    told = [*([ONLY_SOME] if isinstance(client.raw, Within) else []), *told]
    notes = [*told, *([] if complete else [INCOMPLETE]), *_same(rows, address, own)]
    value = {
        "interview": {"id": interview.id, "title": interview.title, "rubricVersion": rubric_of(interview).version},
        "candidate": _record(person),
        **({} if person else {"noRecord": UNSHOWN if cut(people) else UNREGISTERED}),
        "session": session,
        **({"others": others} if others else {}),
        "erase": [each for each in ERASE if not any(tool in each for tool in client.lacking)],
        "elsewhere": notes,
    }
    ids = [*([own] if own else []), *(each["session"]["id"] for each in others if each["session"])]
    return Collected(value, {"sessions": len(ids), "rubricVersion": rubric_of(interview).version}, ids, notes)


async def _others(
    client: Caller, interview_id: str, address: Any, spent: Spent
) -> tuple[list[dict[str, Any]], list[str]]:
    """The same person's records and sessions in other interviews, by the address; and how far that is."""
    if not str(address or "").strip():
        return [], [NO_ADDRESS]
    found, done, total, remarks = await with_address(client, str(address), spent, besides=interview_id)
    others: list[dict[str, Any]] = []
    unread: list[str] = []
    for each in found:
        own = (each.candidate.session_id if each.candidate else None) or (each.session.id if each.session else None)
        session = None
        try:
            session = await _session(client, own, spent) if own else None
        except AuralError:
            unread.append(str(own))
        interview = {"id": each.interview.id, "title": each.interview.title}
        others.append({"interview": interview, "candidate": _record(each.candidate), "session": session})
    notes = [ELSEWHERE.format(done=done, total=total, found=len(found)), *([NOT_ALL] if done < total else []), *remarks]
    return others, [*notes, *([NOT_READ.format(ids=", ".join(unread))] if unread else [])]


def nobody(identifier: str, people: Sequence[Candidate]) -> AuralError:
    """The refusal where an id is nobody's."""
    said = " ".join([f"Nobody here has the id {quoted(identifier)}.", *cut(people)])
    step = "Take the id from list_candidates, or from list_sessions for who is not in that list."
    return NotFound(said, step, status=404, code="NOT_FOUND")


async def people_of(client: Caller, interview_id: str, spent: Spent) -> list[Candidate]:
    """Who is registered for an interview, as far as the deployment tells."""
    try:
        return (await client.call(ListCandidates(interview_id=interview_id), spent=spent)).data
    except NotOffered:
        return []


async def report_of(client: Caller, session_id: str, spent: Spent) -> SessionReport:
    """The report, with all that Aural has; on an older deployment the session."""
    try:
        return await client.call(GetSessionReport(session_id=session_id), spent=spent)
    except NotOffered:
        session = await client.call(GetSession(session_id=session_id), spent=spent)
        return SessionReport.model_validate(session.model_dump(by_alias=True, exclude_unset=True))


async def _session(client: Caller, session_id: str, spent: Spent) -> dict[str, Any]:
    """The report, and the decision where only this computer has it."""
    report = await report_of(client, session_id, spent)
    decision = report.decision or (await decisions_of(client, [SessionSummary(id=session_id)])).get(session_id)
    row = report.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return {"id": session_id, **row, **({"decision": decided(decision)} if decision else {})}


def decided(decision: Decision) -> dict[str, Any]:
    """A decision as an export has it."""
    row = inert_all(decision.model_dump(mode="json", by_alias=True, exclude={"id", "explained_at"}))
    return row | ({"explainedAt": decision.explained_at} if decision.explained_at else {})


def told(report: SessionReport) -> dict[str, Any]:
    """What the person was told before they began and agreed to, and what they ask of the team."""
    notice, asked = report.notice, [each.model_dump(by_alias=True, exclude={"id"}) for each in report.requests]
    return {"notice": notice.model_dump(by_alias=True) if notice else None, "requests": asked}


def _record(person: Candidate | None) -> dict[str, Any] | None:
    """The record without the token, which would open the link to whoever reads this."""
    return person.model_dump(mode="json", by_alias=True, exclude={"invite_token"}) if person else None


def _same(rows: list[SessionSummary], address: Any, own: str | None) -> list[str]:
    wanted = str(address or "").strip().casefold()
    ids = [row.id for row in rows if wanted and (row.participant_email or "").strip().casefold() == wanted]
    others = [each for each in ids if each != own]
    return [SAME.format(ids=", ".join(others))] if others else []


def as_markdown(whole: dict[str, Any]) -> str:
    """The record, the session with everything in it, and where it can be erased."""
    export, session = whole["export"], cast("dict[str, Any]", whole["session"] or {})
    said = [ReportMessage.model_validate(each) for each in session.get("messages", [])]
    turns = [all_of(number, each) for number, each in enumerate(said, 1)]
    facts = {
        "Interview": whole["interview"]["title"],
        "Exported": f"{export['at']}, {export['software']}, from {export['backend']}",
    }
    sections = {
        "Candidate record": _lines(whole["candidate"]) or whole["noRecord"],
        "Session": _lines({name: value for name, value in session.items() if name != "messages"})
        or "There is none: this person has not begun.",
        "Transcript": transcript(turns) if session else "",
        "In other interviews": _lines(whole.get("others")),
        "Where it can be erased": bullets(whole["erase"]),
        "Where else to look": bullets(whole["elsewhere"]),
    }
    parts = [f"## {title}\n\n{text}" for title, text in sections.items() if text]
    return "\n\n".join(["# All that is held on one person", listed(facts), *parts]) + "\n"


def _lines(value: Any) -> str:
    """A record whose lines stay lines in Markdown."""
    return code_block(outline(value)) if value else ""

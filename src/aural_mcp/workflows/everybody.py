"""Everybody whom a key's interviews hold, as far as Aural lists them: for what is decided about a person as a whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from aural_mcp.api.decisions import ADVERSE
from aural_mcp.api.models import Interview, SessionSummary
from aural_mcp.api.operations import LISTED, ListCandidates, ListInterviews, ListSessions
from aural_mcp.client.client import AuralClient
from aural_mcp.privacy.persons import Entry
from aural_mcp.workflows.decisions import decisions_of


@dataclass
class Everybody:
    """People with the title of each interview, when something of theirs happened last, and why somebody stays."""

    entries: list[Entry] = field(default_factory=list[Entry])
    titles: dict[str, str] = field(default_factory=dict[str, str])
    last: dict[str, str] = field(default_factory=dict[str, str])
    decided: dict[str, str] = field(default_factory=dict[str, str])
    owed: set[str] = field(default_factory=set[str])
    cut: list[str] = field(default_factory=list[str])
    """The interviews of which Aural lists only the newest candidates."""


async def everybody(client: AuralClient, tell: Callable[[float, float, str], None]) -> Everybody:
    """Look through all interviews, at the pace that the key's budget allows.

    Raises:
        AuralError: something cannot be listed.
    """
    found = Everybody()
    interviews = [each async for each in client.each(ListInterviews())]
    for number, each in enumerate(interviews, 1):
        found.titles[each.id] = each.title
        await _look_into(client, each, found)
        tell(number, len(interviews), f"{number} of {len(interviews)} interviews")
    return found


async def _look_into(client: AuralClient, interview: Interview, found: Everybody) -> None:
    rows = [each async for each in client.each(ListSessions(interview_id=interview.id))]
    for row in rows:
        name, address = row.participant_name or "", row.participant_email or ""
        found.entries.append(Entry("session", row.id, interview.id, name, address, state=row.status))
        found.last[row.id] = _last(row)
    for session, decision in (await decisions_of(client, rows)).items():
        found.decided[session] = decision.decision
        found.owed |= {session} if decision.decision in ADVERSE and not decision.explained_at else set[str]()
    begun = {row.id for row in rows}
    listed = (await client.call(ListCandidates(interview_id=interview.id))).data
    found.cut += [interview.id] if len(listed) >= LISTED else []
    for each in listed:
        session = each.session_id if each.session_id in begun else None
        own = each.name, each.email or "", each.phone or ""
        found.entries.append(Entry("candidate", each.id, interview.id, *own, session=session))
        found.last[each.id] = found.last[session] if session else each.created_at


def _last(row: SessionSummary) -> str:
    return row.updated_at or row.created_at

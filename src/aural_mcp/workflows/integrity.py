"""What a session's integrity log and transcript hold, counted: for a person to look at, and no ground for a score.

Only counts and turn numbers leave, so they are the same in blind and in lockdown.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from aural_mcp.api.errors import AuralError, BudgetExhausted, NotOffered
from aural_mcp.api.models import IntegrityEvent, Session, SessionReport, SessionSummary
from aural_mcp.api.operations import GetSession, GetSessionReport
from aural_mcp.client.caller import Caller
from aural_mcp.client.client import Spent
from aural_mcp.safety import hidden
from aural_mcp.workflows.alike import Pool, given_by
from aural_mcp.workflows.base import OUT_OF_BUDGET, is_over

PASTE, LEFT, OTHER = "pastes", "leftPage", "otherEvents"
LEAVING = re.compile("(?:tab|page|visibility|document)_?hidden|tab_?switch|blur|focus_?(?:lost|out)|left|leave|exit")
NO_LOG, UNREAD = "no log", "could not be read"


async def integrity_of(
    client: Caller, row: SessionSummary, spent: Spent, pool: Pool, *, logged: bool
) -> dict[str, Any]:
    """Counts of one session, as fields of its row.

    Args:
        pool: takes in what was said, to be compared with what others said.
        logged: whether the interview logs such events: if not, no event is not nothing.

    Raises:
        BudgetExhausted, RateLimited: there is no time or no budget for another one.
    """
    from aural_mcp.privacy.flags import AT_ONCE, flags  # its patterns take a while, and a start does without

    if is_over(spent):
        raise BudgetExhausted("The time of this call is over.", "", 0)
    try:
        found = await _read(client, row.id, spent)
    except OUT_OF_BUDGET:
        raise
    except AuralError:
        return {"integrityLog": UNREAD}
    events = found.anti_cheating_log if isinstance(found, SessionReport) else []
    counts = Counter(map(_kind, events))
    known = isinstance(found, SessionReport) and (logged or counts[PASTE] + counts[LEFT] > 0)
    seen = {PASTE: counts[PASTE], LEFT: counts[LEFT]} if known else {PASTE: None, LEFT: None, "integrityLog": NO_LOG}
    marked = [(each.turn, {reason.startswith(AT_ONCE) for reason in each.reasons}) for each in flags(found.messages)]
    theirs = [each for each in found.messages if each.role == "USER"]
    said = "\n".join(each.content for each in theirs)
    turns = [(each.content, getattr(each, "content_type", "") == "CODE") for each in theirs]
    person = (row.participant_email or row.id).strip().casefold()
    pool.add(row.id, person, turns, given_by(each.content for each in found.messages if each.role != "USER"))
    return {
        **seen,
        **({OTHER: counts[OTHER]} if counts[OTHER] else {}),
        "hiddenCharacters": hidden(said),
        "flagged_turns": ", ".join(str(turn) for turn, fast in marked if False in fast),
        "fasterThanTyping": sum(True in fast for _, fast in marked),
    }


async def _read(client: Caller, session_id: str, spent: Spent) -> SessionReport | Session:
    """The report as it came, since it is only counted; on an older deployment the session, which has no log."""
    try:
        report = await client.raw.call(GetSessionReport(session_id=session_id), spent=spent)
    except NotOffered:
        return await client.raw.call(GetSession(session_id=session_id), spent=spent)
    if "anti_cheating_log" in report.model_fields_set:
        return report
    return Session(id=session_id, messages=[*report.messages])


def _kind(event: IntegrityEvent) -> str:
    name = re.sub(r"\W+", "_", event.type.casefold())
    return PASTE if "paste" in name else LEFT if LEAVING.search(name) else OTHER

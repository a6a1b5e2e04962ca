"""What stands beside somebody's interview: what they ask of the team, and what was decided on them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from pydantic import Field

from aural_mcp.api.decisions import ADVERSE
from aural_mcp.api.models import Candidate, Decision, Record, SessionBase, SessionReport
from aural_mcp.client.caller import Caller
from aural_mcp.client.journal import Journal
from aural_mcp.privacy.exposure import Guarded
from aural_mcp.safety import inert, inert_all

PERSON = "person"
ASKED_FOR = {"data": "their data", "correct": "a correction", "delete": "to be deleted"}
"""What the kinds of requests ask for, as a sentence has it."""
KEPT = 10 * 366 * 86_400.0
"""Seconds for which a decision is kept here; erasing somebody erases it before."""
NOT_VERIFIED = "not verified"


class OpenRequest(Record):
    """What a candidate asks of the team and nobody has closed: data, correct or delete."""

    kind: str = ""
    since: str = ""
    text: str = Field(default="", description="The candidate's own words.")


def person_since(row: SessionBase | SessionReport | Candidate) -> str:
    """Since when somebody would rather speak with a person; nothing where they do not, or the team closed it."""
    wishes = [each.at for each in row.requests if each.kind == PERSON]
    wishes += [row.asks_for_person or ""] if not isinstance(row, Candidate) else []
    return min(filter(None, wishes), default="")


def requests_of(row: SessionBase | SessionReport | Candidate, *, words: bool = False) -> list[OpenRequest]:
    """What else somebody asks of the team, who asked first first; with their words where one person is shown."""
    return [
        OpenRequest(kind=each.kind, since=each.at, **({"text": each.text} if words and each.text else {}))
        for each in row.requests
        if each.kind != PERSON
    ]


def asked_for(requests: Sequence[OpenRequest]) -> str:
    """E.g. `their data (since 2026-11-30), a correction (since 2026-12-01)`."""
    return ", ".join(f"{ASKED_FOR.get(each.kind, each.kind)} (since {each.since[:10]})" for each in requests)


# ── Decisions ───────────────────────────────────────────────────────────────────────────────────


def kept(client: Caller) -> Journal:
    """The decisions on sessions of a backend that cannot store them: by session, each the latest."""
    return Journal(client, "decided", KEPT)


async def decisions_of(client: Caller, rows: Sequence[SessionBase]) -> dict[str, Decision]:
    """The latest decision on each of these sessions on which there is one; of a blind client without its reason.

    What the backend stores came with the row, as it may be seen.
    """
    found = {row.id: row.decision for row in rows if row.decision}
    return found | await kept_here(client, [row.id for row in rows if row.id not in found])


async def kept_here(client: Caller, session_ids: Sequence[str]) -> dict[str, Decision]:
    """What this computer keeps of decisions on these, as it may be seen."""
    hidden = {"reason"} if isinstance(client, Guarded) and client.exposure.anonymous else set[str]()
    return {
        session_id: Decision.model_validate(
            inert_all({name: each for name, each in said.items() if name not in hidden})
        )
        for session_id, said in (await kept(client).shown(session_ids)).items()
    }


def told(decision: Decision) -> str:
    """A decision in a few words: `reject, 2026-11-30, Ann Lee`."""
    return ", ".join([decision.decision, decision.at[:10], by(decision)])


def by(decision: Decision) -> str:
    """Who decided; `not verified` where nobody had signed in."""
    return inert(decision.by) if decision.verified and decision.by else NOT_VERIFIED


def due(decision: Decision, days: int) -> datetime | None:
    """When the candidate is owed an explanation at the latest; None where none is owed, or it was given."""
    if decision.decision not in ADVERSE or decision.explained_at:
        return None
    try:
        return datetime.fromisoformat(decision.at) + timedelta(days=days)
    except (ValueError, OverflowError):  # another backend's, and no time
        return None


def beside(row: SessionBase | SessionReport, decision: Decision | None, *, alone: bool = False) -> dict[str, Any]:
    """The fields for all of this, each only where there is something.

    Args:
        alone: one person is shown, so with the candidate's words and the reason.
    """
    found = {
        "asks_for_person": person_since(row),
        "requests": requests_of(row, words=alone),
        "decision": told(decision) if decision else "",
        "decision_reason": decision.reason if decision and alone else "",
    }
    return {name: value for name, value in found.items() if value}

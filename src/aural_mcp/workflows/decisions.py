"""What people decided on candidates: stored by the backend where it can, else in this computer's state."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from aural_mcp.api.decisions import ADVERSE
from aural_mcp.api.models import Decision, SessionSummary
from aural_mcp.client.caller import Caller
from aural_mcp.client.journal import Journal
from aural_mcp.privacy.exposure import Guarded

KEPT = 10 * 366 * 86_400.0
"""Seconds for which a decision is kept here; erasing somebody erases it before."""


def kept(client: Caller) -> Journal:
    """The decisions on sessions of a backend that cannot store them: by session, each the latest."""
    return Journal(client, "decided", KEPT)


def decisions_of(client: Caller, rows: Sequence[SessionSummary]) -> dict[str, Decision]:
    """The latest decision on each of these sessions on which there is one; of a blind client without its reason.

    What the backend stores came with the row, as it may be seen.
    """
    found = {row.id: row.decision for row in rows if row.decision}
    others = [row.id for row in rows if row.id not in found]
    hidden = {"reason"} if isinstance(client, Guarded) and client.exposure.anonymous else set[str]()
    for session_id, said in kept(client).done(others).items():
        found[session_id] = Decision.model_validate({name: each for name, each in said.items() if name not in hidden})
    return found


def due(decision: Decision, days: int) -> datetime | None:
    """When the candidate is owed an explanation at the latest; None where none is owed, or it was given."""
    if decision.decision not in ADVERSE or decision.explained_at:
        return None
    return datetime.fromisoformat(decision.at) + timedelta(days=days)

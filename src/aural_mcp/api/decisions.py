"""What a person decided on a candidate, and the call by which the embedded backend stores it; Aural has none."""

from typing import Annotated, Literal, get_args

from pydantic import Field

from aural_mcp.api.models import Decision
from aural_mcp.api.operations import Operation, SessionId, Text

Verdict = Literal["advance", "hold", "reject", "hired", "withdrawn"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
ADVERSE: tuple[Verdict, ...] = ("reject",)
"""After which somebody is owed an explanation."""
SELECTED: tuple[Verdict, ...] = ("advance", "hired")


class SaveDecision(Operation[Decision]):
    """Store what a person decided on the candidate of a session; earlier decisions stay, the latest one holds."""

    method, path, effect, toolset = "PUT", "/sessions/{sessionId}/decision", "update", "sessions"
    since = 3
    session_id: SessionId
    decision: Verdict
    reason: Text
    by: Annotated[str, Field(description="Who decided; empty where nobody knows.")] = ""
    verified: bool = False
    looked_at: list[str] = []

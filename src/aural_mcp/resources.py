"""What an agent can read by address: `aural://sessions/{sessionId}/transcript`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError
from mcp.types import Annotations
from pydantic import ValidationError

from aural_mcp import errors
from aural_mcp.client import AuralClient
from aural_mcp.operations import GetSession
from aural_mcp.results import transcript
from aural_mcp.safety import outside_all

TRANSCRIPT = "aural://sessions/{sessionId}/transcript"


def add_resources(server: MCPServer[Any], client_for: Callable[[Context[Any, Any]], AuralClient]) -> None:
    """Register the resource templates; each read is made with the key of whoever reads."""

    @server.resource(
        TRANSCRIPT,
        name="session_transcript",
        title="Session transcript",
        description="One candidate's interview as Markdown: numbered turns, who spoke, when. Ids: list_sessions.",
        mime_type="text/markdown",
        annotations=Annotations(audience=["user", "assistant"], priority=0.8),
    )
    async def session_transcript(sessionId: str, context: Context[Any, Any]) -> str:  # noqa: N803  the URI's own name
        try:
            session = await client_for(context).call(GetSession(session_id=sessionId))
        except (errors.NotFound, ValidationError) as error:
            raise ResourceNotFoundError("There is no such session. Call list_sessions for ids that exist.") from error
        except errors.AuralError as error:
            raise ResourceError(str(error)) from error
        return transcript_page(outside_all(session.model_dump(mode="json")))


def transcript_page(session: dict[str, Any]) -> str:
    """A session's transcript as a Markdown document."""
    interview: dict[str, Any] = session.get("interview") or {}
    facts: dict[str, Any] = {
        "Candidate": session.get("participantName"),
        "Status": session.get("status"),
        "Begun": session.get("createdAt"),
        "Duration": f"{session['totalDurationSeconds']} s" if session.get("totalDurationSeconds") is not None else None,
        "Objective": interview.get("objective"),
    }
    lines = [f"- {name}: {' '.join(str(value).split())}" for name, value in facts.items() if value]
    title = " ".join(str(interview.get("title") or "Interview").split())
    return f"# {title}\n\n" + "\n".join(lines) + f"\n\n## Transcript\n\n{transcript(session['messages'])}\n"

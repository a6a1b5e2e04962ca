"""What a person can start from: the skill's routing as an MCP prompt."""

from __future__ import annotations

from typing import Annotated, Any

from mcp.server.mcpserver import MCPServer
from pydantic import Field

from aural_mcp.render import skill_text
from aural_mcp.safety import outside


def add_prompts(server: MCPServer[Any]) -> None:
    """Register the prompts."""

    @server.prompt(
        name="route",
        title="Hire with Aural",
        description="Any hiring request in your own words: which workflow fits, which tools, what to ask first.",
    )
    def route(
        request: Annotated[str, Field(description="What you want to get done, e.g. `screen Go engineers`.")],
    ) -> str:
        return (
            f"{skill_text()}\n\n---\n\nThe user's request:\n\n{outside(request).strip()}\n\n"
            "Choose the workflow above that fits, ask only for what is missing, then do it with the tools. "
            "Confirm with the user before anything is published, archived, deleted, ended or sent to people."
        )

"""MCP Apps: which tools have a view, and the pages that a host renders beside their results.

The results are complete without a view, so only approval depends on what the host says it can do. The pages hold no
data: the host hands them what the tool answered. They are read by the address on the tool, and stand in no list, where
people would take them for documents.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mcp.server.apps import APP_MIME_TYPE
from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.types import Tool, ToolAnnotations

from aural_mcp import views
from aural_mcp.server.access import BY_NAME

SCHEME = "ui://aural/"
VIEW_OF = {
    "wait_for_sessions": "progress",
    "compare_candidates": "comparison",
    "get_session": "session",
    "get_session_report": "session",
    "get_interview": "interview",
}
"""The view that draws what a tool answers."""
ASKS = "approval"
"""The view in which a user agrees to what a confirmed tool would do, where the host cannot ask by itself."""
APPROVAL = Tool(
    name=ASKS,
    title="Approval",
    description="For the page at ui://aural/approval alone: what waits for the user's yes, and their answer.",
    input_schema={
        "type": "object",
        "properties": {
            "tool": {"type": "string"},
            "arguments": {"type": "object"},
            "confirmation": {"type": "string"},
            "answer": {"type": "string", "enum": ["", "yes", "no"]},
        },
        "required": ["tool", "arguments"],
        "additionalProperties": False,
    },
    annotations=ToolAnnotations(title=None, read_only_hint=False, destructive_hint=True, open_world_hint=True),
    _meta={"ui": {"visibility": ["app"]}},
)
"""What that view calls. It is no operation, and stands only where the host keeps it from its model."""
NO_REPLY = "Nothing was done: this is called by the page for approval, with a tool, its arguments and an answer."
NO_DOMAIN: dict[str, list[str]] = {
    "connectDomains": [],
    "resourceDomains": [],
    "frameDomains": [],
    "baseUriDomains": [],
}
"""A view loads nothing, sends nothing and frames nothing."""


def meta(tool: str, *, asks: bool = False) -> dict[str, Any] | None:
    """What a host reads on a tool that has a view, or whose question may be put in one."""
    view = VIEW_OF.get(tool) or (ASKS if asks else None)
    return {"ui": {"resourceUri": SCHEME + view}} if view else None


def read(uri: str, has: Callable[[str], bool]) -> ReadResourceContents | None:
    """The page at an address; None where it is no view's, or no tool of this request has that view."""
    name = uri.removeprefix(SCHEME)
    drawn = [tool for tool, view in VIEW_OF.items() if view == name]
    drawn += [tool for tool, operation in BY_NAME.items() if operation.confirmed and name == ASKS]
    if not uri.startswith(SCHEME) or not any(map(has, drawn)):
        return None
    about = {"ui": {"csp": NO_DOMAIN, "prefersBorder": False}}
    return ReadResourceContents(content=views.page(name), mime_type=APP_MIME_TYPE, meta=about)

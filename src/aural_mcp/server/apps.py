"""MCP Apps: which tools have a view, and the pages that a host renders beside their results.

The results are complete without a view, so nothing here depends on what the host says it can do. The pages hold no
data: the host hands them what the tool answered. They are read by the address on the tool, and stand in no list, where
people would take them for documents.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mcp.server.apps import APP_MIME_TYPE
from mcp.server.lowlevel.helper_types import ReadResourceContents

from aural_mcp import views

SCHEME = "ui://aural/"
VIEW_OF = {
    "wait_for_sessions": "progress",
    "compare_candidates": "comparison",
    "get_session": "session",
    "get_session_report": "session",
    "get_interview": "interview",
}
"""The view that draws what a tool answers."""
NO_DOMAIN: dict[str, list[str]] = {
    "connectDomains": [],
    "resourceDomains": [],
    "frameDomains": [],
    "baseUriDomains": [],
}
"""A view loads nothing, sends nothing and frames nothing."""


def meta(tool: str) -> dict[str, Any] | None:
    """What a host reads on a tool that has a view."""
    return {"ui": {"resourceUri": SCHEME + VIEW_OF[tool]}} if tool in VIEW_OF else None


def read(uri: str, has: Callable[[str], bool]) -> ReadResourceContents | None:
    """The page at an address; None where it is no view's, or no tool of this request has that view."""
    name = uri.removeprefix(SCHEME)
    if not uri.startswith(SCHEME) or not any(has(tool) for tool, view in VIEW_OF.items() if view == name):
        return None
    about = {"ui": {"csp": NO_DOMAIN, "prefersBorder": False}}
    return ReadResourceContents(content=views.page(name), mime_type=APP_MIME_TYPE, meta=about)

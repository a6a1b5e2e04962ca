"""Aural for AI agents: an MCP server, a typed Python client, and a backend that runs on this computer.

from aural_mcp import AuralClient
from aural_mcp.operations import CreateInterview
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from aural_mcp._version import __version__

if TYPE_CHECKING:
    from aural_mcp.client import AuralClient
    from aural_mcp.errors import AuralError
    from aural_mcp.operations import OPERATIONS, Operation
    from aural_mcp.sync import SyncAuralClient

__all__ = ["OPERATIONS", "AuralClient", "AuralError", "Operation", "SyncAuralClient", "__version__"]

_HOMES = {
    "AuralClient": "client",
    "AuralError": "errors",
    "OPERATIONS": "operations",
    "Operation": "operations",
    "SyncAuralClient": "sync",
}


def __getattr__(name: str) -> Any:
    """Load on demand: printing a version needs neither httpx nor pydantic."""
    if name in _HOMES:
        return getattr(import_module(f"aural_mcp.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'aural_mcp' has no attribute {name!r}")

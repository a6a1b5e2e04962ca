"""Aural for AI agents: an MCP server, a typed Python client, and a backend that runs on this computer.

Public is what this package itself hands out: what stands in `__all__`, every operation, every row that operations take
and return, and every error; nothing below it is.

from aural_mcp import AuralClient, CreateInterview, NotFound
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from aural_mcp._version import __version__ as __version__

if TYPE_CHECKING:
    from aural_mcp.api import errors as errors
    from aural_mcp.api.errors import *  # noqa: F403
    from aural_mcp.api.errors import AuralError as AuralError
    from aural_mcp.api.models import *  # noqa: F403
    from aural_mcp.api.operations import *  # noqa: F403
    from aural_mcp.api.operations import OPERATIONS as OPERATIONS
    from aural_mcp.api.operations import Operation as Operation
    from aural_mcp.client.client import AuralClient as AuralClient
    from aural_mcp.client.sync import SyncAuralClient as SyncAuralClient

__all__ = ["OPERATIONS", "AuralClient", "AuralError", "Operation", "SyncAuralClient", "__version__", "errors"]
_HOMES = {"AuralClient": "client.client", "SyncAuralClient": "client.sync", "OPERATIONS": "api.operations"}
_WHOLE = ("api.errors", "api.operations", "api.models")
"""Modules of which every class is public."""


def __getattr__(name: str) -> Any:
    """Load on demand: printing a version needs neither httpx nor pydantic."""
    if name == "errors":
        return import_module("aural_mcp.api.errors")
    for home in [_HOMES[name]] if name in _HOMES else _WHOLE if name[:1].isupper() else ():
        module = import_module(f"aural_mcp.{home}")
        value = vars(module).get(name)
        if name in _HOMES or getattr(value, "__module__", None) == module.__name__:
            return value
    raise AttributeError(f"module 'aural_mcp' has no attribute {name!r}")

"""Logging on stderr, from which keys are struck out before anything is written."""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime

from aural_mcp.config import KEY, KEY_LEFT_OUT

METHOD, TOOL = re.compile(r"[A-Za-z_/]{1,64}"), re.compile(r"[A-Za-z0-9_.\-]{1,64}")
LONGEST_PATH = 256

access = logging.getLogger("aural_mcp.server.access")
_secrets: list[str] = []


def strike_out(*secrets: str) -> None:
    """Have these struck out of the log as keys are, the longest first."""
    _secrets[:] = sorted({*_secrets, *(each for each in secrets if each)}, key=len, reverse=True)


class Redacting(logging.Formatter):
    """Formats as usual, tracebacks included, then strikes out whatever looks like a key."""

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        for each in _secrets:
            text = text.replace(each, "…")
        return KEY.sub(KEY_LEFT_OUT, text)


def set_up_logging(level: int = logging.WARNING, *, access_log: bool = False) -> None:
    """Send warnings and errors to stderr, and one line per HTTP request if asked; stdout belongs to the protocol."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Redacting("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    if access_log:
        lines = logging.StreamHandler(sys.stderr)
        lines.setFormatter(Redacting("%(message)s"))
        access.handlers, access.propagate = [lines], False
        access.setLevel(logging.INFO)


def log_request(
    method: str | None, path: str | None, status: int | None, begun: float, headers: Mapping[str, str] | None = None
) -> None:
    """Write one line of the access log, if it is on: never a query, a body, an argument, or what is read.

    Args:
        status: None when the client went before it was answered.
        begun: `time.perf_counter()` when the request arrived.
        headers: in which clients since protocol 2026-07-28 name the MCP method and the tool.
    """
    if not access.isEnabledFor(logging.INFO):
        return
    mcp_method, tool = (headers or {}).get("mcp-method", ""), (headers or {}).get("mcp-name", "")
    line = {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "method": method,
        "path": path[:LONGEST_PATH] if path else None,
        "status": status,
        "ms": round((time.perf_counter() - begun) * 1000, 1),
        "mcpMethod": mcp_method if METHOD.fullmatch(mcp_method) else None,
        "tool": tool if mcp_method == "tools/call" and TOOL.fullmatch(tool) else None,
    }
    access.info("%s", json.dumps(line))

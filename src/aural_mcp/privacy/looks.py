"""What the decision log says was shown of a session: read from its end, and no further back than need be."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from aural_mcp.bounds import aside
from aural_mcp.privacy.audit import ID, AuditLog
from aural_mcp.privacy.audit_lines import line_of

MOST_BACK, BLOCK = 4_000_000, 65_536
"""Bytes of a log that are looked at, and at once."""
SHOW = (
    *("get_session", "get_session_report", "compare_candidates", "compare_answers"),
    *("search_transcripts", "export_results"),
)
"""Tools that show what a candidate said or scored."""
SAME = ("subject", "issuer")
"""What two lines of one person have in common."""


async def looked_at(log: AuditLog, session_id: str, tenant: str, by: Mapping[str, str]) -> list[str]:
    """The tools that showed something of a session, each with when it last did, the latest last.

    Args:
        by: who looked, as a line says it; nothing where nobody signs in.

    Raises:
        OSError: the log cannot be read.
        StateUnwritable: its database is lost.
    """
    if not ID.fullmatch(session_id):
        return []
    if log.rows is not None:
        from aural_mcp.privacy.audit_rows import of_session

        return _shown(await of_session(log.rows.state, tenant[:12], session_id), session_id, tenant, by)
    path = log.path
    return await aside(lambda: _shown(_backwards(path), session_id, tenant, by)) if path else []


def _shown(lines: Iterable[bytes], session_id: str, tenant: str, by: Mapping[str, str]) -> list[str]:
    """What lines say that was shown, where the last line is the first."""
    last: dict[str, str] = {}
    for raw in lines:
        line = line_of(raw) if session_id.encode() in raw else None
        if line is None or not line.intact or line.said.get("outcome") != "done":
            continue
        if line.said.get("tenant") != tenant[:12] or any(line.by.get(name) != by.get(name) for name in SAME):
            continue
        if (tool := line.said.get("tool")) in SHOW:
            last.setdefault(tool, f"{tool} {str(line.said.get('at'))[:19]}Z")
        if len(last) == len(SHOW):
            break
    return list(reversed(last.values()))


def _backwards(path: Path) -> Iterator[bytes]:
    """The lines of a file, the last first."""
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        least, rest = max(0, end - MOST_BACK), b""
        while end > least:
            begin = max(least, end - BLOCK)
            file.seek(begin)
            rest, *lines = (file.read(end - begin) + rest).split(b"\n")
            yield from reversed(lines)
            end = begin
        if not least:
            yield rest

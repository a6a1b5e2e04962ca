"""The decision log: what was done, by whom, with which key, to what, and how it was agreed to. One line of JSON each.

Of candidates only ids, pseudonyms and what was decided: no name, answer or score. Of whoever did it, where people sign
in, name and subject at their provider, or keyed hashes of both; and the reason that a call gave, in its own words.
Never a key.

The lines are those of a file (`audit_file.py`), or rows of the database that processes share (`audit_database.py`).
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from aural_mcp.api.decisions import VERDICTS
from aural_mcp.api.errors import LogUnwritable, StateUnwritable
from aural_mcp.config import open_to_others
from aural_mcp.privacy.audit_file import append, read, verify
from aural_mcp.privacy.audit_lines import listed, stamp
from aural_mcp.privacy.who import Who, one_line
from aural_mcp.safety import quoted

if TYPE_CHECKING:
    from aural_mcp.privacy.audit_database import DatabaseLog

__all__ = ["ID", "AuditLog", "ids_of", "logged", "read", "verify"]

Outcome = Literal["done", "failed", "refused", "preview"]
"""`failed`: nobody heard that it was done; where the answer was lost it may have been."""
Confirmed = Literal["asked", "code", "view", "operator"]
READS = (
    *("reveal_candidate", "get_session", "get_session_report", "list_candidates"),
    *("compare_candidates", "compare_answers", "search_transcripts", "find_person", "export_results", "impact_report"),
)
"""Tools that change nothing and show what a candidate gave."""
MESSAGES = ("invitation", "reminder", "thanks")
NOUNS = ("interview", "question", "candidate", "session")
ID = re.compile(r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}")
"""Aural's ids. Where an id is asked for anything may be written, so nothing else is kept."""
PSEUDONYM = re.compile("Candidate [B-DF-HJKMNP-TV-XZ2-9]{6}")
UNWRITABLE = (
    "Tell the user: make it writable and call again, or name another file, or off, as AURAL_AUDIT_LOG and restart."
)
MOST_WAITING = 1000
LONGEST_REASON = 200
"""Letters."""
ROOM = 8192
"""Bytes that a line is seen to have, before what it tells of is done."""
log = logging.getLogger(__name__)


def logged(tool: str, effect: str) -> bool:
    """Whether calls of this tool are written down: those that change something or show candidates' material."""
    return effect != "read" or tool in READS


def ids_of(tool: str, *values: Mapping[str, Any]) -> dict[str, list[Any]]:
    """What may be ids in a call's arguments and structured result; a plain `id` goes by the tool's noun."""
    own = next((noun for word in reversed(tool.split("_")) for noun in NOUNS if word.startswith(noun)), "")
    rows = [
        *values,
        *(row for value in values for name in ("data", "results", "candidates") for row in listed(value.get(name))),
    ]
    found: dict[str, list[Any]] = {}
    for name, item in (
        pair for row in rows if isinstance(row, Mapping) for pair in cast("dict[str, Any]", row).items()
    ):
        noun = name.replace("_", "").lower().removesuffix("s").removesuffix("id") or own
        named = "pseudonym" if isinstance(item, str) and PSEUDONYM.fullmatch(item) else f"{noun}Id"
        found.setdefault(named, []).extend(listed(item))
    return found


class AuditLog:
    """Appends lines to a file, which several processes may, or to the database that processes share.

    Args:
        path: gives the file at each use; None keeps no log.
        secret: makes hashes of people's names; None writes the names.
        rows: of the database, in place of a file.
    """

    def __init__(
        self,
        path: Callable[[], Path | None],
        secret: Callable[[], Awaitable[bytes]] | None = None,
        rows: DatabaseLog | None = None,
    ) -> None:
        self._path, self._known, self.rows = path, cast("Path | None", None), rows
        self._waiting: list[Mapping[str, Any]] = []
        self._secret, self._key = secret, cast("bytes | None", None)

    async def check(self) -> None:
        """See that a line can be written now; lines that wait are.

        Raises:
            LogUnwritable: it cannot.
        """
        await self._hashes()
        await self._put([], ROOM)

    async def record(
        self,
        tool: str,
        outcome: Outcome,
        *,
        tenant: str,
        ids: Mapping[str, Any],
        confirmed: Confirmed | None = None,
        blind: bool = False,
        revealed: str | None = None,
        kind: str | None = None,
        verdict: str | None = None,
        by: Who | None = None,
        reason: str = "",
        waits: bool = True,
    ) -> None:
        """Write a line. What cannot be written waits for the next line, while the process lives.

        Args:
            tenant: the SHA-256 of the key, of which 12 digits are kept.
            ids: by name; what does not have the form of an id is left out.
            kind: of a message that was sent.
            verdict: what somebody decided on a candidate.
            by: who signed in; None where nobody does.
            waits: False for what is not going to happen if it cannot be written.

        Raises:
            LogUnwritable: it could not be written, and does not wait.
        """
        entry = {
            "at": stamp(self.rows.now() if self.rows else time.time()),
            "tool": tool,
            "ids": _only_ids(ids),
            "outcome": outcome,
            "confirmed": confirmed,
            "blind": blind,
            "revealed": revealed if PSEUDONYM.fullmatch(revealed or "") else None,
            **({"kind": kind} if kind in MESSAGES else {}),
            **({"verdict": verdict} if verdict in VERDICTS else {}),
            **({"by": await self.said_of(by)} if by else {}),
            **({"reason": said} if (said := one_line(reason, LONGEST_REASON)) else {}),
            "tenant": tenant[:12] if re.fullmatch("[0-9a-f]{12,64}", tenant) else None,
        }
        try:
            await self._put([entry])
        except LogUnwritable as error:
            if not waits:
                raise
            if not self._waiting:
                log.warning("%s Lines wait in memory until it can", error.message)
            self._waiting = [*self._waiting, entry][-MOST_WAITING:]

    @property
    def path(self) -> Path | None:
        """The file; None where no log is kept, or in a database."""
        return self._path()

    async def said_of(self, who: Who | None) -> dict[str, str]:
        """Who was behind an act, as a line says it."""
        return who.said(await self._hashes()) if who else {}

    @property
    def waits(self) -> bool:
        """Whether there are lines that could not be written yet."""
        return bool(self._waiting)

    async def _hashes(self) -> bytes | None:
        """What hashes names, kept once it is known: what was checked can be written.

        Raises:
            LogUnwritable: nobody knows it, and no name is written instead.
        """
        if self._secret is not None and self._key is None:
            try:
                self._key = await self._secret()
            except StateUnwritable as error:
                raise LogUnwritable(f"The decision log cannot hash names. {error.message}", error.next_step) from error
        return self._key

    async def aclose(self) -> None:
        """Have the lines of this process named by a checkpoint, where the log is a database's."""
        if self.rows is not None:
            await self.rows.aclose()

    async def _put(self, entries: Sequence[Mapping[str, Any]], room: int = 0) -> None:
        """Write lines after those that wait, which go on waiting where that fails."""
        waiting, self._waiting = self._waiting, []
        try:
            if self.rows is None:
                self._write([*waiting, *entries], room)
            elif waiting or entries:
                await self.rows.append([*waiting, *entries])
            else:
                await self.rows.check()
        except LogUnwritable:
            self._waiting = [*waiting, *self._waiting]
            raise

    def _write(self, lines: Sequence[Mapping[str, Any]], room: int) -> None:
        try:
            if self._known is None or not self._known.parent.is_dir() or open_to_others(self._known.parent):
                self._known = self._path()  # which makes its folder, and leaves it to its owner
            if (path := self._known) is not None:
                append(path, lines, room)
        except (OSError, ValueError) as error:
            why = (error.strerror if isinstance(error, OSError) else None) or str(error)
            named = f" {quoted(self._known.name)}" if self._known else ""
            raise LogUnwritable(f"The decision log{named} cannot be written ({why}).", UNWRITABLE) from error


def _only_ids(given: Mapping[str, Any]) -> dict[str, Any]:
    """Ids under the names that ids have: one as it is, several as a list, each once."""
    kept: dict[str, Any] = {}
    for name, form in {**{f"{noun}Id": ID for noun in NOUNS}, "pseudonym": PSEUDONYM}.items():
        found = [each for each in listed(given.get(name)) if isinstance(each, str) and form.fullmatch(each)]
        if found:
            kept[name] = found[0] if len(set(found)) == 1 else list(dict.fromkeys(found))
    return kept

"""What workflows share: their time, what they have done already, the folder for files."""

from __future__ import annotations

import hashlib
import json
import math
import time
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from aural_mcp.api import errors
from aural_mcp.api.models import Rows, SessionSummary
from aural_mcp.api.operations import ListSessions, Operation
from aural_mcp.client.caller import Caller
from aural_mcp.client.client import Spent
from aural_mcp.client.journal import Journal
from aural_mcp.privacy.exposure import Guarded
from aural_mcp.safety import quoted
from aural_mcp.tools.shape import Row

ENDS_WITHIN = 40.0
"""Seconds that a workflow takes at most: hosts give a call up after 60."""
LEAST = 3.0
"""Seconds that must be left for another request to be begun."""
OUT_OF_BUDGET = (errors.BudgetExhausted, errors.RateLimited)
"""What ends a workflow early without having gone wrong."""
LARGEST = 10_000_000
"""Bytes of a file that is read."""


def begin(spent: Spent) -> None:
    """Start the clock of a workflow."""
    spent.until = time.monotonic() + ENDS_WITHIN


def is_over(spent: Spent) -> bool:
    """Whether there is no time for another request."""
    return spent.left < LEAST


# ── When it goes on ─────────────────────────────────────────────────────────────────────────────


def free_in(spent: Spent) -> int:
    """Whole seconds until the budget allows another request; 0 is now."""
    return math.ceil(spent.budget.free_in) if spent.budget else 0


def again(spent: Spent) -> str:
    """When to call again, as the end of a sentence or its beginning in small letters."""
    seconds = free_in(spent)
    return f"call again in {seconds} s" if seconds else "call again"


def remain(left: int, total: int, spent: Spent, *, cursor: str | None = None, then: str = "") -> str:
    """How much is left, and when and how the same call goes on there."""
    where = f" and cursor {cursor}" if cursor else ""
    return f"{left:,} of {total:,} remain; {again(spent)} with the same arguments{where}{then}."


def not_now(what: str, spent: Spent) -> errors.BudgetExhausted:
    """A call of which nothing could be done, as time or budget ended."""
    step = f"{again(spent).capitalize()} with the same arguments."
    return errors.BudgetExhausted(f"Time or budget ended before {what}.", step, free_in(spent))


async def all_sessions(client: Caller, interview_id: str, spent: Spent) -> tuple[list[SessionSummary], bool]:
    """The sessions of an interview, newest first, and whether these are all: time or budget may have ended."""
    return await all_rows(client, ListSessions(interview_id=interview_id, limit=100), spent)


async def all_rows(client: Caller, asked: Operation[Rows[Row]], spent: Spent) -> tuple[list[Row], bool]:
    """The rows of a paged list, each once, and whether these are all."""
    rows: dict[str, Row] = {}
    while not is_over(spent):
        try:
            page = await client.call(asked, spent=spent)
        except OUT_OF_BUDGET:
            break
        known = len(rows)
        rows |= {row.id: row for row in page.data}
        if page.cursor is None or len(rows) == known:
            return list(rows.values()), True
        asked = asked.model_copy(update={"cursor": page.cursor})
    return list(rows.values()), False


# ── What was done ───────────────────────────────────────────────────────────────────────────────


def digest(*values: Any) -> str:
    """What makes two things the same, however they were written."""
    plain = [each.model_dump(mode="json", by_alias=True) if isinstance(each, BaseModel) else each for each in values]
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


AGREEMENT = 3_600.0
"""Seconds for which a yes to a call holds for the same call, made again to go on."""


def agreements(client: Caller) -> Journal:
    """The calls that the caller agreed to and that may be made again to go on."""
    return Journal(client, "agreed", AGREEMENT, own=True)


# ── Files ───────────────────────────────────────────────────────────────────────────────────────


def file_in(client: Caller, name: str) -> Path:
    """The path of a file in the folder that the operator allows.

    Raises:
        BadRequest: no folder is allowed, or the name leads out of it.
    """
    folder = client.files if isinstance(client, Guarded) else None
    if folder is None:
        raise refused("No folder for files is allowed here", "Start the server with --files DIR, or give data instead")
    try:
        path = (folder / name).resolve()
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links, a character that no name has
        raise refused(f"{quoted(name)} is no name of a file", "Give a name in the folder for files") from error
    if not name or not path.is_relative_to(folder.resolve()) or path == folder.resolve():
        raise refused(f"{quoted(name)} leads out of the folder for files", "Give a name in that folder")
    return path


def read_file(client: Caller, name: str) -> bytes:
    """What is in a file of that folder.

    Raises:
        BadRequest: it is not there, not a file, or too large; the text names what is there.
    """
    path = file_in(client, name)
    try:
        if path.is_file() and path.stat().st_size <= LARGEST:
            return path.read_bytes()
        if path.is_file():
            raise refused(f"{quoted(name)} is larger than {LARGEST // 1_000_000} MB", "Split it")
        there = sorted(each.name for each in path.parent.iterdir() if each.is_file())[:20]
    except OSError as error:
        raise refused(f"{quoted(name)} cannot be read ({error.strerror})", "Check its permissions") from error
    shown = ", ".join(quoted(each) for each in there) or "no file"
    raise refused(f"There is no {quoted(name)} in the folder for files", f"There is: {shown}")


def refused(message: str, step: str) -> errors.BadRequest:
    """A refusal of ours, before or instead of asking Aural."""
    return errors.BadRequest(f"{message}.", f"{step}.", status=400, code="REFUSED")

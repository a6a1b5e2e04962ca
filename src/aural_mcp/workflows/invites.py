"""The private links of an interview's candidates as a CSV table, also of those whom Aural no longer lists."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from aural_mcp.api.models import Candidate
from aural_mcp.client.caller import Caller
from aural_mcp.client.client import Spent
from aural_mcp.client.journal import Journal
from aural_mcp.client.schema import LINKS_KEPT
from aural_mcp.privacy.exposure import Guarded
from aural_mcp.tools.candidates import invited
from aural_mcp.workflows.formats import MARK, cell

COLUMNS = ("name", "email", "inviteUrl", "status")


def address_of(interview_id: str) -> str:
    """Where the table can be read."""
    return f"aural://interviews/{quote(interview_id, safe='')}/invites.csv"


async def keep_links(client: Caller, interview_id: str, rows: Sequence[Candidate]) -> None:
    """Remember the links of people whom the list will not show when more have been registered."""
    kept = {row.id: {"name": row.name, "email": row.email, "inviteToken": row.invite_token} for row in rows}
    await _kept(client, interview_id).note(kept)


async def invites(client: Caller, interview_id: str) -> list[dict[str, Any]]:
    """Everybody's name, address, link and state, newest first; where nobody may be named, pseudonym and state."""
    kept = await _kept(client, interview_id).all()
    more = [Candidate.model_validate({"id": identifier, **row}) for identifier, row in kept.items()]
    rows = await invited(client, interview_id, more, Spent())
    named = not (isinstance(client, Guarded) and client.exposure.anonymous)
    shown = COLUMNS if named else ("name", "status")
    return [{name: row.model_dump(mode="json").get(name) if name in shown else "" for name in COLUMNS} for row in rows]


def csv_of(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows as CSV that a spreadsheet shows, in UTF-8 by its mark, and does not carry out."""
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    table.writerows([cell(" ".join(str(row[name] or "").split())) for name in COLUMNS] for row in rows)
    return MARK + text.getvalue()


def _kept(client: Caller, interview_id: str) -> Journal:
    return Journal(client, f"links {interview_id}", LINKS_KEPT)

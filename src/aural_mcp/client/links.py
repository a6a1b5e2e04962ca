"""Where candidate links lead: as the operator says, else as Aural's own answers show, else by the base URL.

A deployment may be called by an inner address and still hand out links that candidates can open. Publishing and
registering answer with such links; their origin is kept for the key, and is used for every link that is built here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal, cast

from aural_mcp.api.errors import StateUnwritable
from aural_mcp.api.models import InvitedCandidate, Published, Rows
from aural_mcp.config import CLOUD

if TYPE_CHECKING:
    from aural_mcp.client.state import State

Source = Literal["set", "answers", "guessed"]
ORIGIN = re.compile(r"(https?://[^\s/?#@]{1,255}(?:/[\w.~-]{1,80}){0,4}?)/i/(?:invite/)?[\w-]{1,200}")
"""A candidate link: its origin, with the path below which a proxy serves it."""


async def note(state: State, tenant: str, base_url: str, result: Any) -> None:
    """Keep the origin of a link that Aural itself gave; the newest counts."""
    change = """insert into origins values (?, ?, ?, moment()) on conflict (tenant, base_url)
        do update set origin = excluded.origin, at = excluded.at"""
    origin = next(_origins(result), None)
    if origin is not None and origin != await known(state, tenant, base_url):
        with suppress(StateUnwritable):
            await state.change(change, (tenant, base_url, origin))


async def known(state: State, tenant: str, base_url: str) -> str | None:
    """The origin that this key's answers showed last, by any process that shares the state."""
    query = "select origin from origins where tenant = ? and base_url = ?"
    with suppress(StateUnwritable):
        async with state.reading() as db:
            found = await db.one(query, (tenant, base_url))
            return found[0] if found else None
    return None


async def source(given: Callable[[], str] | None, state: State, tenant: str, base_url: str) -> tuple[str, Source]:
    """The origin of candidate links, and how it is known; `given` is the operator's word."""
    if given is not None:
        return given(), "set"
    if found := await known(state, tenant, base_url):
        return found, "answers"
    return base_url.removesuffix("/api/v1"), "set" if base_url == CLOUD else "guessed"


def _origins(result: Any) -> Iterator[str]:
    rows = cast("Rows[Any]", result).data if isinstance(result, Rows) else [result]
    for row in rows:
        link = row.url if isinstance(row, Published) else row.invite_url if isinstance(row, InvitedCandidate) else None
        if link and (found := ORIGIN.fullmatch(link)):
            yield found[1]


def invite_link(origin: str, token: str) -> str:
    """The private link of the person who has this token."""
    return f"{origin}/i/invite/{token}"

"""Subscriptions: what a host follows is polled within the key's budget, and each change announced once.

A session and the list of an interview's sessions can be followed. Aural has no events, so the list of
sessions is read every 20 seconds; one request covers every followed session of an interview.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any

import anyio

from aural_mcp.api.errors import AuralError, Forbidden, NotFound
from aural_mcp.api.models import SessionSummary
from aural_mcp.api.operations import GetSession, ListSessions
from aural_mcp.client.caller import Caller
from aural_mcp.privacy.stored import SPARE
from aural_mcp.server import resources

EVERY = 20.0
"""Seconds between two looks."""
SHARE = 20
"""Requests a minute that all subscriptions of a key may cost together."""
MOST = 50
"""Addresses that one subscription can name."""
GONE = "gone"
FOLLOWED = (resources.SESSIONS, resources.TRANSCRIPT, resources.REPORT, f"{resources.SESSION}.json")


@dataclass
class Followed:
    """One followed address, the interview whose list tells of it, and what it looked like."""

    uri: str
    interview_id: str
    session_id: str | None
    looks: Any = None


def can_be_followed(uri: str) -> bool:
    """Whether the address is a session or a list of sessions."""
    matched = resources.match(uri)
    return matched is not None and matched[0].uri in FOLLOWED


class Following:
    """Looks after the addresses of one subscription.

    Args:
        has: whether there is a tool of this name: what none shows is not followed.
        polling: how many subscriptions poll with each key: they share its budget.
    """

    def __init__(self, client: Caller, has: resources.Has, polling: Counter[str]) -> None:
        self._client, self._has, self._polling = client.raw, has, polling
        self._followed: list[Followed] = []

    @property
    def uris(self) -> list[str]:
        """What is really followed."""
        return [each.uri for each in self._followed]

    async def begin(self, uris: Iterable[str]) -> None:
        """Take the first look: what is not there, or cannot be followed, is left out.

        Raises:
            AuralError: the backend cannot be asked at all.
        """
        for uri in list(dict.fromkeys(uris))[:MOST]:
            if followed := await self._found(uri):
                self._followed.append(followed)
        await self._look()
        self._followed = [each for each in self._followed if each.looks != GONE]

    async def run(self, announce: Callable[[str], Awaitable[None]]) -> None:
        """Look again and again, and announce each address that changed, once; until cancelled."""
        key = self._client.tenant
        self._polling[key] += 1
        try:
            while self._followed:
                await anyio.sleep(await self._pause())
                for uri in await self._look_again():
                    await announce(uri)
        finally:
            self._polling -= Counter({key: 1})  # forgets a key at 0

    async def _found(self, uri: str) -> Followed | None:
        matched = resources.match(uri)
        if matched is None or matched[0].uri not in FOLLOWED or not self._has(matched[0].tool):
            return None
        ids = matched[1]
        if "interviewId" in ids:
            return Followed(uri, ids["interviewId"], None)
        try:
            session = await self._client.call(GetSession.model_validate(ids))
        except (NotFound, Forbidden, ValueError):
            return None
        return Followed(uri, session.interview.id if session.interview else "", ids["sessionId"])

    async def _pause(self) -> float:
        """Seconds until the next look: longer for many interviews, many subscriptions, and a short budget."""
        requests = len({each.interview_id for each in self._followed}) * self._polling[self._client.tenant]
        left = await self._client.remaining()
        slower = 2 if left is not None and left < SPARE else 1
        return max(EVERY, EVERY * 3 * requests / SHARE) * slower

    async def _look_again(self) -> list[str]:
        try:
            return await self._look()
        except AuralError:
            return []

    async def _look(self) -> list[str]:
        """The addresses that look different from last time."""
        changed: list[str] = []
        for interview in dict.fromkeys(each.interview_id for each in self._followed):
            here = [each for each in self._followed if each.interview_id == interview]
            rows = await self._rows(interview, {each.session_id for each in here if each.session_id})
            for each in here:
                looks = GONE if rows is None else [_looks(row) for row in rows if each.session_id in (None, row.id)]
                if each.looks is not None and looks != each.looks:
                    changed.append(each.uri)
                each.looks = looks
        return changed

    async def _rows(self, interview_id: str, wanted: Collection[str]) -> list[SessionSummary] | None:
        """The newest hundred sessions, and further ones as long as a followed one is missing; None: no interview."""
        try:
            operation: ListSessions = ListSessions(interview_id=interview_id, limit=100)
            page = await self._client.call(operation)
        except (NotFound, Forbidden, ValueError):
            return None
        rows = list(page.data)
        while page.cursor is not None and not set(wanted) <= {row.id for row in rows}:
            page = await self._client.call(operation.model_copy(update={"cursor": page.cursor}))
            rows += page.data
        return rows


def _looks(row: SessionSummary) -> tuple[Any, ...]:
    return (row.id, row.status, row.updated_at, row.counts.messages if row.counts else None, row.insights is not None)

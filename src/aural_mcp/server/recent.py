"""What one key has seen lately: ids with their names, so that completion and the list of resources cost little.

Tools note what they showed. Beyond that it asks for itself, at most once a minute, with two
requests: the interviews, and the sessions of the one that changed last.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Any, cast

import anyio

from aural_mcp.api.errors import AuralError
from aural_mcp.api.models import Interview, SessionSummary
from aural_mcp.api.operations import ListInterviews, ListSessions
from aural_mcp.client.caller import Caller
from aural_mcp.safety import inert

FRESH = 60.0
"""Seconds for which a listing is used again."""
SPARE = 10
"""Requests that stay free for tools: below that nothing is asked for."""
MOST_NAMES = 500
LABELS = {
    "list_interviews": ("interviewId", "title"),
    "create_interview": ("interviewId", "title"),
    "get_interview": ("interviewId", "title"),
    "list_sessions": ("sessionId", "participantName"),
    "get_session": ("sessionId", "participantName"),
}
"""Which tools show ids that a prompt or a template can take, and the name beside each."""


class Recent:
    """The names of one key, newest last."""

    def __init__(self, client: Caller, clock: Callable[[], float] = time.monotonic) -> None:
        self._client, self._clock = client, clock
        self._names: dict[str, dict[str, str]] = {"interviewId": {}, "sessionId": {}}
        self._asked_at = -math.inf
        self._asking = anyio.Lock()
        self.interview: Interview | None = None
        self.sessions: list[SessionSummary] = []
        self.following = 0
        """How many subscriptions poll with this key: they share its budget."""

    def note(self, tool: str, result: dict[str, Any]) -> None:
        """Remember the ids and names in a tool's structured result."""
        if tool in LABELS:
            kind, label = LABELS[tool]
            rows = cast("list[dict[str, Any]]", result.get("data", [result]))
            for row in reversed(rows):
                self._remember(kind, str(row.get("id", "")), str(row.get(label) or ""))

    async def refresh(self) -> None:
        """Ask for interviews and newest sessions, unless that was just done or the budget is short; never fails."""
        async with self._asking:
            left = self._client.remaining
            if self._clock() - self._asked_at < FRESH or (left is not None and left < SPARE):
                return
            self._asked_at = self._clock()
            try:
                await self._ask()
            except AuralError:
                return

    async def _ask(self) -> None:
        interviews = (await self._client.call(ListInterviews(limit=100))).data
        for row in reversed(interviews):
            self._remember("interviewId", row.id, row.title)
        self.interview, self.sessions = (interviews[0] if interviews else None), []
        if self.interview is not None:
            self.sessions = (await self._client.call(ListSessions(interview_id=self.interview.id))).data
        for row in reversed(self.sessions):
            self._remember("sessionId", row.id, row.participant_name or "")

    def _remember(self, kind: str, known: str, label: str) -> None:
        keep(self._names[kind], {known: label})

    def matching(self, kind: str, typed: str) -> list[str]:
        """The ids whose beginning or whose name has what was typed, newest first."""
        wanted = inert(typed).strip().casefold()
        names = reversed(self._names.get(kind, {}).items())
        return [known for known, label in names if known.startswith(wanted) or wanted in label.casefold()]


def keep(names: dict[str, str], more: Mapping[str, str]) -> None:
    """Put these at the end, and let the oldest go where there are too many."""
    for known, label in more.items():
        names.pop(known, None)
        names[known] = label
    while len(names) > MOST_NAMES:
        names.pop(next(iter(names)))

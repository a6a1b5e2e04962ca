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

from aural_mcp.api.errors import AuralError, Forbidden, Unauthorized
from aural_mcp.api.models import Interview, SessionSummary
from aural_mcp.api.operations import ListInterviews, ListSessions
from aural_mcp.client.caller import Caller
from aural_mcp.safety import outside

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
QUESTIONS = {"get_interview": "questions", "list_questions": "data", "create_questions": "data"}
"""Which tools show the ids of an interview's questions, and where."""


class Recent:
    """The names of one key, newest last."""

    def __init__(self, client: Caller, clock: Callable[[], float] = time.monotonic) -> None:
        self._client, self._clock = client, clock
        self._names: dict[str, dict[str, str]] = {"interviewId": {}, "sessionId": {}}
        self._asked_at = -math.inf
        self._asking = anyio.Lock()
        self.interview: Interview | None = None
        self.sessions: list[SessionSummary] = []
        self.homes: dict[str, str] = {}
        """Which interview a question belongs to: the API does not say."""
        self.following = 0
        """How many subscriptions poll with this key: they share its budget."""

    def note(self, tool: str, result: dict[str, Any], given: Mapping[str, Any] | None = None) -> None:
        """Remember the ids and names in a tool's structured result, and whose questions it shows."""
        interview = (given or {}).get("interviewId") or (given or {}).get("interview_id")
        if tool in QUESTIONS and isinstance(interview, str):
            shown = cast("list[dict[str, Any]]", result.get(QUESTIONS[tool]) or [])
            keep(self.homes, {str(row.get("id", "")): interview for row in shown})
        if tool in LABELS:
            kind, label = LABELS[tool]
            rows = cast("list[dict[str, Any]]", result.get("data", [result]))
            for row in reversed(rows):
                self._remember(kind, str(row.get("id", "")), str(row.get(label) or ""))

    async def refresh(self) -> None:
        """Ask for interviews and newest sessions, unless that was just done or the budget is short; never fails.

        What was seen with a key that is not accepted any more is forgotten.
        """
        async with self._asking:
            if self._client.refused:
                self._forget()
            left = self._client.remaining
            if self._clock() - self._asked_at < FRESH or (left is not None and left < SPARE):
                return
            self._asked_at = self._clock()
            try:
                await self._ask()
            except (Unauthorized, Forbidden):
                self._forget()
            except AuralError:
                return

    async def _ask(self) -> None:
        interviews = (await self._client.call(ListInterviews(limit=100))).data
        for row in reversed(interviews):
            self._remember("interviewId", row.id, outside(row.title))
        self.interview, self.sessions = (interviews[0] if interviews else None), []
        if self.interview is not None:
            self.sessions = (await self._client.call(ListSessions(interview_id=self.interview.id))).data
        for row in reversed(self.sessions):
            self._remember("sessionId", row.id, outside(row.participant_name or ""))

    def _forget(self) -> None:
        for names in (*self._names.values(), self.homes):
            names.clear()
        self.interview, self.sessions = None, []
        self._asked_at = -math.inf

    def _remember(self, kind: str, known: str, label: str) -> None:
        keep(self._names[kind], {known: label})

    def matching(self, kind: str, typed: str) -> list[str]:
        """The ids whose beginning or whose name has what was typed, newest first."""
        wanted = outside(typed).strip().casefold()
        names = reversed(self._names.get(kind, {}).items())
        return [known for known, label in names if known.startswith(wanted) or wanted in label.casefold()]


def keep(names: dict[str, str], more: Mapping[str, str]) -> None:
    """Put these at the end, and let the oldest go where there are too many."""
    for known, label in more.items():
        names.pop(known, None)
        names[known] = label
    while len(names) > MOST_NAMES:
        names.pop(next(iter(names)))

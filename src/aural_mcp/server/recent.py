"""What somebody has seen lately: ids with their names, so that completion and the list of resources cost little.

Tools note what they showed. Beyond that it asks for itself, each list at most once a minute: the interviews and the
sessions of the one that changed last; for a name that is in neither, the sessions of the others.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from itertools import product
from typing import Any, cast

import anyio

from aural_mcp.api.errors import AuralError, Forbidden, Unauthorized
from aural_mcp.api.models import Interview, SessionSummary
from aural_mcp.api.operations import ListCandidates, ListInterviews, ListSessions
from aural_mcp.client.caller import Caller
from aural_mcp.privacy.stored import SPARE
from aural_mcp.safety import inert

FRESH = 60.0
"""Seconds for which a listing is used again."""
MOST_NAMES = 500
MOST_LOOKS = 5
"""Interviews whose sessions are listed for one name."""
INTERVIEWS, SESSIONS = ("interviewId", "id", "title"), ("sessionId", "id", "participantName")
PEOPLE, THEIRS = ("candidateId", "id", "name"), ("sessionId", "sessionId", "name")
REGISTERED, INTERVIEWED = ("candidateId", "candidateId", "name"), ("interviewId", "interviewId", "interview")
LABELS = {
    "list_interviews": ("data", [INTERVIEWS]),
    "create_interview": ("", [INTERVIEWS]),
    "get_interview": ("", [INTERVIEWS]),
    "list_candidates": ("data", [PEOPLE, THEIRS]),
    "create_candidates": ("data", [PEOPLE]),
    "update_candidate": ("", [PEOPLE, THEIRS]),
    "list_sessions": ("data", [SESSIONS]),
    "get_session": ("", [SESSIONS]),
    "wait_for_sessions": ("changes", [THEIRS]),
    "compare_candidates": ("candidates", [THEIRS]),
    "compare_answers": ("candidates", [THEIRS]),
    "search_transcripts": ("data", [THEIRS]),
    "find_person": ("data", [THEIRS, REGISTERED, INTERVIEWED]),
}
"""Which tools show ids that a prompt or a template can take: where the rows are, and in each row id and name."""


class Recent:
    """The names that one tenant has seen, newest last."""

    def __init__(self, client: Caller, clock: Callable[[], float] = time.monotonic) -> None:
        self._client, self._clock = client, clock
        self._names: dict[str, dict[str, str]] = {"interviewId": {}, "sessionId": {}, "candidateId": {}}
        self._asked_at = -math.inf
        self._listed: dict[str, float] = {}
        """When the sessions or the candidates of an interview were listed."""
        self._people: dict[str, list[str]] = {}
        """The candidates of an interview."""
        self._interviews: list[Interview] = []
        self._asking = anyio.Lock()
        self.interview: Interview | None = None
        self.sessions: list[SessionSummary] = []

    def note(self, tool: str, result: dict[str, Any]) -> None:
        """Remember the ids and names in a tool's structured result."""
        if tool in LABELS:
            place, columns = LABELS[tool]
            rows = cast("list[dict[str, Any]]", result.get(place) or [] if place else [result])
            for row, (kind, known, label) in product(reversed(rows), columns):
                if row.get(known):
                    self._remember(kind, str(row[known]), str(row.get(label) or ""))

    async def refresh(self) -> None:
        """Ask for interviews and newest sessions, unless that was just done or the budget is short; never fails.

        What was seen with a key that is not accepted any more is forgotten.
        """
        async with self._asking:
            if self._client.refused:
                self._forget()
            left = await self._client.remaining()
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
        self._interviews = (await self._client.call(ListInterviews(limit=100))).data
        for row in reversed(self._interviews):
            self._remember("interviewId", row.id, row.title)
        self.interview = self._interviews[0] if self._interviews else None
        self.sessions = await self._sessions_of(self.interview.id) if self.interview is not None else []

    async def _sessions_of(self, interview_id: str) -> list[SessionSummary]:
        self._listed[f"sessions {interview_id}"] = self._clock()
        asked: ListSessions = ListSessions(interview_id=interview_id, limit=100)
        rows = (await self._client.call(asked)).data
        for row in reversed(rows):
            self._remember("sessionId", row.id, row.participant_name or "")
        return rows

    async def _people_of(self, interview_id: str) -> None:
        self._listed[f"candidates {interview_id}"] = self._clock()
        rows = (await self._client.call(ListCandidates(interview_id=interview_id))).data
        self._people[interview_id] = [row.id for row in rows[:MOST_NAMES]]
        for row in reversed(rows[:MOST_NAMES]):
            self._remember("candidateId", row.id, row.name)

    async def _may_list(self, what: str, interview_id: str) -> bool:
        """Whether it was not done just now, and the budget leaves enough to the tools."""
        since = self._clock() - self._listed.get(f"{what} {interview_id}", -math.inf)
        left = await self._client.remaining()
        return since > FRESH and (left is None or left >= SPARE)

    async def completing(self, kind: str, typed: str, interview_id: str = "") -> list[str]:
        """The ids that may be meant, newest first; of candidates, those of the interview where one is given."""
        await self.refresh()
        async with self._asking:
            try:
                await self._look_for(kind, typed, interview_id)
            except (Unauthorized, Forbidden):
                self._forget()
            except AuralError:
                pass
        found = self.matching(kind, typed)
        own = self._people.get(interview_id)
        return found if kind != "candidateId" or own is None else [each for each in found if each in own]

    async def _look_for(self, kind: str, typed: str, interview_id: str) -> None:
        """List what has not been listed, as far as the name is not known yet."""
        if kind == "candidateId" and interview_id and await self._may_list("candidates", interview_id):
            await self._people_of(interview_id)
        looks = 0
        for each in self._interviews if kind == "sessionId" and typed.strip() else []:
            if self.matching(kind, typed) or looks == MOST_LOOKS:
                return
            if (each.counts and each.counts.sessions == 0) or not await self._may_list("sessions", each.id):
                continue
            looks += 1
            await self._sessions_of(each.id)

    def _forget(self) -> None:
        for names in (*self._names.values(), self._people, self._listed, self._interviews):
            names.clear()
        self.interview, self.sessions = None, []
        self._asked_at = -math.inf

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

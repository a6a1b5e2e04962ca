"""Only some interviews exist: for whoever has such a role, all others answer as what was never there.

`Within` is the client that asks for them, below everything that shows, counts, completes or compares. What acts on a
session or a question has its home looked up first. What is not there and what is elsewhere take the same way: the same
words, and the same number of requests.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any, cast

from pydantic import MISSING

from aural_mcp.api.errors import Forbidden, NotFound
from aural_mcp.api.models import Interview, PracticeReport, Rows, Session, SessionSummary
from aural_mcp.api.operations import (
    FINDERS,
    GetPracticeReport,
    GetSession,
    ListInterviews,
    ListSessions,
    Operation,
)
from aural_mcp.client import bodies
from aural_mcp.client.client import AuralClient, R, Reader, Spent
from aural_mcp.privacy.exposure import Memory
from aural_mcp.privacy.stored import Homes, home_of

PAGE = 20
"""Interviews of a page, where nothing else was asked for."""


class Within(AuralClient):
    """A client for which only these interviews exist.

    Args:
        client: whose key and connections are used.
        tenant: whose answers these are, in the memory.
    """

    def __init__(self, client: AuralClient, interviews: Iterable[str], memory: Memory, tenant: str) -> None:
        vars(self).update(vars(client))
        self._interviews = frozenset(map(_plain, interviews))
        self._memory, self._whose = memory, tenant

    def reach(self, operation: Operation[Any]) -> None:
        """See `AuralClient.reach`."""
        interview = getattr(operation, "interview_id", None)
        if interview is not None and not self._has(interview):
            raise _nothing("interview")

    async def ask(self, operation: Operation[R], spent: Spent, read: Reader[R]) -> R:
        """See `AuralClient.ask`.

        Raises:
            NotFound: what it is about is in none of these interviews.
            Forbidden: it is about the whole workspace.
        """
        self.reach(operation)
        if isinstance(operation, ListInterviews):
            return cast("R", await self._listed(operation, spent))
        await self._find(operation, spent)
        try:
            result = await super().ask(operation, spent, read)
        except (NotFound, Forbidden):
            self._check(operation, None)
            raise
        self._check(operation, result)
        return result

    def _has(self, interview_id: object) -> bool:
        return isinstance(interview_id, str) and _plain(interview_id) in self._interviews

    async def _find(self, operation: Operation[Any], spent: Spent) -> None:
        """Look up the home of what is about to be asked for, where the answer would not tell it."""
        session, question = getattr(operation, "session_id", None), getattr(operation, "question_id", None)
        if isinstance(operation, GetSession | GetPracticeReport):
            return
        if session is not None:
            await self._find_session(session, spent)
        elif question is not None:
            await self._find_question(question, spent)
        elif getattr(operation, "interview_id", None) is None:
            said = "This role is for some interviews only."
            raise Forbidden(said, "Ask the operator for another.", status=403, code="FORBIDDEN")

    def _check(self, operation: Operation[Any], result: object) -> None:
        """Refuse an answer that says it is from elsewhere, in the words for what is nowhere."""
        if isinstance(operation, GetSession):
            home = result.interview.id if isinstance(result, Session) and result.interview else None
            if not self._has(home):
                raise _nothing("session")
            self._memory.note(self._whose, operation.session_id, str(home))
        elif isinstance(operation, GetPracticeReport):
            home = result.interview.get("id") if isinstance(result, PracticeReport) else None
            if not self._has(home):
                raise _nothing("practice")
        elif isinstance(operation, ListSessions) and result is not None:
            for row in cast("Rows[SessionSummary]", result).data:
                self._memory.note(self._whose, row.id, operation.interview_id)

    async def _find_session(self, session_id: str, spent: Spent) -> None:
        """Only what is here is remembered: what is elsewhere is asked for each time, as what is nowhere."""
        if not self._has(self._memory.interviews.get((self._whose, session_id))):
            await self.call(GetSession(session_id=session_id), spent=spent)

    async def _find_question(self, question_id: str, spent: Spent) -> None:
        if self._has(self._memory.homes.of(self.tenant, question_id)):
            return
        found, _ = await home_of(self, question_id, Homes(), spent)
        if found is None:
            raise _nothing("question")
        self._memory.homes.note(self.tenant, found.id, found.questions)

    async def _listed(self, asked: ListInterviews, spent: Spent) -> Rows[Interview]:
        """A page of these alone, with a cursor of ours: Aural's counts rows that are not there."""
        rows = await self._rows(spent)
        ids = [each.id for each in rows]
        start = 1 + next((at for at, each in enumerate(ids) if each == asked.cursor), -1)
        end = start + (PAGE if asked.limit is MISSING else asked.limit)
        return ListInterviews.result_type()(data=rows[start:end], cursor=ids[end - 1] if end < len(ids) else None)

    async def _rows(self, spent: Spent) -> list[Interview]:
        """All of them, in Aural's order. It counts as one request: how many it took would tell of the others."""
        rows, seen = dict[str, Interview](), set[str]()
        asked, own = ListInterviews(limit=100), Spent(until=spent.until)
        while len(rows) < len(self._interviews):
            page = await super().ask(asked, own, bodies.read)
            fresh = {each.id: each for each in page.data if each.id not in seen}
            seen |= fresh.keys()
            rows |= {name: each for name, each in fresh.items() if self._has(name)}
            if page.cursor is None or not fresh:
                break
            asked = ListInterviews(limit=100, cursor=page.cursor)
        spent.requests, spent.waited, spent.budget = spent.requests + 1, spent.waited + own.waited, own.budget
        return list(rows.values())


def _plain(identifier: str) -> str:
    """An id as Aural writes it: a UUID may be written in large letters."""
    try:
        plain = str(uuid.UUID(identifier))
    except ValueError:
        return identifier
    return plain if plain == identifier.lower() else identifier


def _nothing(kind: str) -> NotFound:
    step = f"Call {FINDERS[f'{kind}Id']} for ids that exist."
    return NotFound(f"There is no {kind} with this id.", step, status=404, code="NOT_FOUND")

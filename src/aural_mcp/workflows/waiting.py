"""Waiting until candidates are through: within the budget, each change told once, gone on with by a cursor."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from secrets import token_hex
from typing import Annotated, Any

import anyio
from pydantic import MISSING, Field

from aural_mcp.api.errors import AuralError, BadRequest, Forbidden, NotFound, NotOffered
from aural_mcp.api.models import Candidate, Record, SessionSummary
from aural_mcp.api.operations import Id, InterviewId, ListCandidates, Operation, Positive, Text
from aural_mcp.client.caller import Caller
from aural_mcp.client.client import Spent
from aural_mcp.client.journal import Journal
from aural_mcp.tools.candidates import cut
from aural_mcp.tools.sessions import EndedByTeam, ended_by_team, overall_score, who_asks
from aural_mcp.tools.standing import decisions_of, due, person_since, requests_of
from aural_mcp.workflows.base import again, all_sessions, begin, free_in, not_now
from aural_mcp.workflows.decisions import acting

EVERY = 8.0
"""Seconds between two looks; twice that when the budget is short."""
SHORT = 15
"""Requests of the minute below which it is."""
STUCK = timedelta(minutes=30)
"""Without a new turn for so long, somebody in the middle is stuck."""
KEPT = 7 * 86_400.0
"""Seconds for which a cursor is good."""
MOST_NAMED = 20
IN_PROGRESS, GAVE_UP, NOT_SCORED, SCORED = "in progress", "gave up", "complete, not scored", "complete, scored"
UNSURE = "Who has not begun could not be looked up just now."
BEGIN_ANEW = "Leave cursor out to begin anew: then you hear where everybody stands, and what changes from then on."


class Change(Record):
    """A session that is not as it was; `was` is null for one that is new."""

    session_id: str
    name: str = ""
    was: str | None = None
    now: str = ""
    overall_score: float | None = None


class Scored(Record):
    """Whose session has a score."""

    name: str = ""
    session_id: str
    overall_score: float


class Someone(Record):
    """A person to look after; `sessionId` is null before they begin."""

    name: str = ""
    session_id: str | None = None
    candidate_id: str | None = None
    since: str = Field(default="", description="Registered, silent, or over since then; RFC 3339.")
    ended_by_team: EndedByTeam = None
    kind: str = Field(default="", description="Of requests: data, correct or delete.")
    due: str = Field(default="", description="Of explanations: the last day.")


class Attention(Record):
    """Who may need a word from the user, at most 20 each, and each once; the counts stand in `standing`."""

    asks_for_person: list[Someone] = Field(default=[], description="Would rather speak with a person: first of all.")
    requests: list[Someone] = Field(default=[], description="Ask for data, a correction, to be deleted.")
    explanations_due: list[Someone] = Field(default=[], description="Were turned down, and not told why yet.")
    not_started: list[Someone] = []
    stuck: list[Someone] = Field(default=[], description="In the middle, and silent for 30 minutes.")
    gave_up: list[Someone] = []
    not_scored: list[Someone] = []


class Standing(Record):
    """How many stand where."""

    scored: int = 0
    not_scored: int = 0
    in_progress: int = 0
    gave_up: int = 0
    not_started: int | None = Field(default=None, description="Registered, not begun; null where nobody can tell.")


class Waited(Record):
    """What changed, where everybody stands, and how to go on."""

    is_over: bool = Field(description="Whether what was waited for has happened.")
    changes: list[Change] = []
    standing: Standing
    attention: Attention = Attention()
    scored: list[Scored] = Field(default=[], description="The newest 20, in the first answer; later ones are changes.")
    cursor: str | None = Field(default=None, description="Call again with it to go on; each change is told once.")


class WaitForSessions(Operation[Waited]):
    """Follow an interview until all, or so many more, are complete; says who has not started, is stuck or gave up.

    The first call says at once where everybody stands. With its cursor, good for a week, the next waits up to 40 s
    for changes.
    """

    effect, toolset = "read", "workflows"
    hint = "Next: call again with cursor while isOver is false; then compare_candidates, or get_session for one."
    interview_id: InterviewId
    session_ids: Annotated[list[Id] | MISSING, Field(min_length=1, max_length=100)] = MISSING
    more: Annotated[Positive | MISSING, Field(description="Until so many more; all when omitted.")] = MISSING
    cursor: Text | MISSING = MISSING

    @classmethod
    def next_step(cls, result: Mapping[str, Any]) -> str:
        if not result.get("isOver"):
            return "Next: call again with cursor."
        begun = any(result["standing"].get(name) for name in ("scored", "notScored"))
        return "Next: compare_candidates, or get_session for one." if begun else ""


async def wait_for_sessions(client: Caller, given: WaitForSessions, spent: Spent) -> Waited:
    """Looks, and looks again until it is over or the time is, or the budget allows no further look within it."""
    begin(spent)
    waiting = _Waiting(client, given, spent)
    seen = await waiting.resumed()
    rows: list[SessionSummary] | None = None
    while True:
        looked = await waiting.look()
        rows = rows if looked is None else looked
        if rows is None:
            raise not_now("the sessions could be looked at", spent)
        seen = seen or waiting.first(rows)
        over = looked is not None and await waiting.is_over(rows, seen)
        pause = max(await waiting.pause(), free_in(spent))
        if over or looked is None or given.cursor is MISSING or spent.left < pause + 1:
            return await waiting.answer(rows, seen, over=over)
        await anyio.sleep(pause)


class _Waiting:
    """One call: how it looks, when it is over, and what it says."""

    def __init__(self, client: Caller, given: WaitForSessions, spent: Spent) -> None:
        self._client, self._given, self._spent = client, given, spent
        self._journal = Journal(client, f"wait {given.interview_id}", KEPT, own=True)
        self._people: list[Candidate] | None = None
        self._unsure = False

    async def pause(self) -> float:
        """Seconds until the next look."""
        left = await self._client.remaining()
        return EVERY * (2 if left is not None and left < SHORT else 1)

    async def resumed(self) -> dict[str, Any] | None:
        """What the cursor stands for: how each session stood, and how many are to be complete."""
        if self._given.cursor is MISSING:
            return None
        known = (await self._journal.done([self._given.cursor])).get(self._given.cursor)
        if known is None:
            said = "cursor is not known here: it is older than a week, of another interview, or mistyped."
            raise BadRequest(said, BEGIN_ANEW, status=400, code="CURSOR")
        return known

    def first(self, rows: Sequence[SessionSummary]) -> dict[str, Any]:
        """What a first call starts from: everything as it stands now."""
        complete = sum(_state(row) in (SCORED, NOT_SCORED) for row in rows)
        wanted = None if self._given.more is MISSING else complete + self._given.more
        return {"states": {row.id: _state(row) for row in rows}, "wanted": wanted}

    async def look(self) -> list[SessionSummary] | None:
        """The sessions as they are now; None where not all of them could be seen."""
        rows, all_of_them = await all_sessions(self._client, self._given.interview_id, self._spent)
        if not all_of_them:
            return None
        if self._given.session_ids is not MISSING:
            rows = [row for row in rows if row.id in self._given.session_ids]
            if missing := set(self._given.session_ids) - {row.id for row in rows}:
                said = (
                    f"{len(missing)} of sessionIds are no sessions of this interview: {', '.join(sorted(missing)[:5])}."
                )
                raise NotFound(said, "Call list_sessions for ids that exist.", status=404, code="NOT_FOUND")
        through = sum(_state(row) != IN_PROGRESS for row in rows)
        await self._spent.report(through, len(rows), f"{through} of {len(rows)} sessions are over.")
        return rows

    async def is_over(self, rows: Sequence[SessionSummary], seen: dict[str, Any]) -> bool:
        """Whether so many are complete, or nobody is in the middle and nobody has yet to begin."""
        states = [_state(row) for row in rows]
        if seen["wanted"] is not None:
            return sum(state in (SCORED, NOT_SCORED) for state in states) >= seen["wanted"]
        return IN_PROGRESS not in states and not (await self._not_started() or self._unsure)

    async def answer(self, rows: Sequence[SessionSummary], seen: dict[str, Any], *, over: bool) -> Waited:
        """What changed since the cursor, and a new cursor that knows it."""
        states, before = {row.id: _state(row) for row in rows}, seen["states"]
        changes = [_change(row, before.get(row.id)) for row in rows if states[row.id] != before.get(row.id)]
        not_started = await self._not_started()
        there = await self._attention(rows, not_started or [])
        people = {
            kind: fresh
            for kind, named in there.items()
            if (fresh := [each for each in named if _key(kind, each) not in seen.get("named", ())])
        }
        cursor = token_hex(6)
        named = [_key(kind, each) for kind, named in there.items() for each in named]
        if not self._spent.whole:  # a page of ours begins anew each time
            await self._journal.note({cursor: {**seen, "states": states, "named": named}})
        waits = {row.id for row in rows if person_since(row)}  # who waits for a person did not give up
        stand = [state for known, state in states.items() if state != GAVE_UP or known not in waits]
        counts = {name: stand.count(state) for name, state in COUNTED.items()}
        return Waited(
            is_over=over,
            changes=changes,
            standing=Standing(**counts, not_started=None if not_started is None else len(not_started)),
            **({"attention": Attention(**people)} if people else {}),
            **({"scored": scored} if (scored := self._scored([row for row in rows if not person_since(row)])) else {}),
            **self._remarks(over),
            cursor=None if self._spent.whole or (over and seen["wanted"] is None) else cursor,
        )

    def _scored(self, rows: Sequence[SessionSummary]) -> list[Scored]:
        """Who has a score when following begins."""
        if self._given.cursor is not MISSING:
            return []
        found = ((row, overall_score(row.insights)) for row in rows if _state(row) == SCORED)
        scored = [
            Scored(name=row.participant_name or "", session_id=row.id, overall_score=score)
            for row, score in found
            if score is not None
        ]
        return scored[:MOST_NAMED]

    def _remarks(self, over: bool) -> dict[str, Any]:
        """What the counts do not say: whom nobody can see, and when it can go on."""
        unsure = [UNSURE] if self._unsure else []
        held = [f"{again(self._spent).capitalize()} with cursor."] if not over and free_in(self._spent) else []
        said = [*unsure, *cut(self._people or []), *held]
        return {"remarks": said} if said else {}

    async def _not_started(self) -> list[Candidate] | None:
        """Who is registered and has not begun; None where that is not asked, or cannot be told."""
        if self._given.session_ids is not MISSING:
            return None
        if self._people is None:
            try:
                asked = ListCandidates(interview_id=self._given.interview_id)
                self._people = (await self._client.call(asked, spent=self._spent)).data
            except (NotOffered, Forbidden):
                return None
            except AuralError:
                self._unsure = True
                return None
            self._unsure = False
        return [each for each in self._people if not each.session_id]

    async def _attention(
        self, rows: Sequence[SessionSummary], not_started: Sequence[Candidate]
    ) -> dict[str, list[Someone]]:
        """Who may need a word; a field for each kind of which there is somebody."""
        ended = await ended_by_team(self._client, rows)
        asking = who_asks(rows)
        others = [row for row in rows if not person_since(row)]
        waiting = [each for each in not_started if not each.requests]

        def sessions(state: str, *, silent: bool = False) -> list[Someone]:
            found = [row for row in others if _state(row) == state and (not silent or _is_silent(row))]
            return [_someone(row, ended) for row in found[:MOST_NAMED]]

        found = {
            "asks_for_person": sorted(
                [
                    *(Someone(**_who(row), since=person_since(row)) for row in asking),
                    *(Someone(**_who(each), since=since) for each in not_started if (since := person_since(each))),
                ],
                key=lambda each: each.since,
            )[:MOST_NAMED],
            "requests": sorted(
                (
                    Someone(**_who(each), since=one.since, kind=one.kind)
                    for each in (*rows, *not_started)
                    for one in requests_of(each)
                ),
                key=lambda each: each.since,
            )[:MOST_NAMED],
            "explanations_due": (await self._due(rows))[:MOST_NAMED],
            "not_started": [Someone(**_who(each), since=each.created_at) for each in waiting[:MOST_NAMED]],
            "stuck": sessions(IN_PROGRESS, silent=True),
            "gave_up": sessions(GAVE_UP),
            "not_scored": sessions(NOT_SCORED),
        }
        return {name: people for name, people in found.items() if people}

    async def _due(self, rows: Sequence[SessionSummary]) -> list[Someone]:
        """Who is owed an explanation, the first due first."""
        days = acting(self._client).employer.explanation_days
        named, found = {row.id: row for row in rows}, list[Someone]()
        for known, decision in (await decisions_of(self._client, rows)).items():
            if day := due(decision, days):
                found.append(Someone(**_who(named[known]), since=decision.at, due=day.date().isoformat()))
        return sorted(found, key=lambda each: each.due)


COUNTED = {"scored": SCORED, "not_scored": NOT_SCORED, "in_progress": IN_PROGRESS, "gave_up": GAVE_UP}


def _state(row: SessionSummary) -> str:
    if row.status == "IN_PROGRESS":
        return IN_PROGRESS
    if row.status == "ABANDONED":
        return GAVE_UP
    return NOT_SCORED if overall_score(row.insights) is None else SCORED


def _change(row: SessionSummary, was: str | None) -> Change:
    score = overall_score(row.insights)
    scored = {} if score is None else {"overall_score": score}
    return Change(session_id=row.id, name=row.participant_name or "", was=was, now=_state(row), **scored)


def _someone(row: SessionSummary, ended: Collection[str]) -> Someone:
    marked: dict[str, Any] = {"ended_by_team": True} if row.id in ended else {}
    return Someone(name=row.participant_name or "", session_id=row.id, since=row.updated_at or row.created_at, **marked)


def _who(each: SessionSummary | Candidate) -> dict[str, Any]:
    """Who somebody is, by their session, else as they were registered."""
    if isinstance(each, Candidate):
        return {"name": each.name, "candidate_id": each.id}
    return {"name": each.participant_name or "", "session_id": each.id}


def _key(kind: str, each: Someone) -> str:
    """What is told once: of requests and decisions each by itself."""
    return " ".join(
        [kind, each.session_id or each.candidate_id or "", *([each.since] if each.kind or each.due else [])]
    )


def _is_silent(row: SessionSummary) -> bool:
    try:
        return datetime.now(UTC) - datetime.fromisoformat(row.updated_at or row.created_at) > STUCK
    except (ValueError, TypeError):
        return False

"""A person across all interviews of a key: registered, with a session, or both."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import MISSING, Field

from aural_mcp.api.errors import AuralError, NotOffered
from aural_mcp.api.models import Candidate, Interview, Record, SessionSummary
from aural_mcp.api.operations import Cursor, ListCandidates, ListInterviews, Operation, Text
from aural_mcp.bounds import aside
from aural_mcp.client.caller import Caller
from aural_mcp.client.client import Spent
from aural_mcp.client.links import invite_link
from aural_mcp.privacy.exposure import Guarded
from aural_mcp.safety import quoted
from aural_mcp.tools.candidates import BEGUN, NOT_BEGUN, cut
from aural_mcp.tools.people import told_apart
from aural_mcp.tools.shape import size_of
from aural_mcp.workflows.base import (
    OUT_OF_BUDGET,
    again,
    all_rows,
    all_sessions,
    begin,
    is_over,
    not_now,
    refused,
    remain,
)
from aural_mcp.workflows.spelling import Wanted, fold, loose, wanted_by

MOST_ROWS, MOST_BYTES = 50, 20_000
MANY_SESSIONS = 3_000
"""Sessions of one interview after which it is gone on with the next, though not all were listed."""
MOST_NEAREST, MOST_NAMES = 3, 20_000
LOOKED = "Looked through {done} of {total} interviews: {people} people."
NEAREST = "Nearest names: {names}."
NOBODY = "That nobody is found among these says nothing of names spelled in another script: try the address."
BLIND = "Nobody is named here, so only pseudonyms are found; who has several interviews has another one in each."
SAME_NAME = "{name} is the name of several: told apart by address. Ask the user who is meant."
NAMELESS = "{name} stands in several records without an address: one person or several, nobody can tell."
NOT_READ = "Could not be read just now: {titles}. Call again."
IN_PART = "Of {title} only the newest {number:,} sessions were looked at."
CUT = "{number} more match in {title}: list_candidates and list_sessions with name show them."
NEWEST_IN = "{title}: {said}"
UNLISTED = "Not all interviews could be listed: {again} with the same arguments."


class FoundRow(Record):
    """A person in one interview."""

    name: str = Field(default="", description="With the address where others have the name.")
    email: str | None = None
    interview_id: str
    interview: str = ""
    candidate_id: str | None = Field(default=None, description="Missing where not registered.")
    session_id: str | None = None
    status: str = Field(default="", description="NOT_BEGUN, or how the session stands.")
    invite_url: str | None = Field(default=None, description="Until completed.")
    created_at: str = ""


class FoundPeople(Record):
    """Where a person is, newest interview first."""

    data: list[FoundRow]
    interviews_left: int = Field(default=0, description="Who is in these is not known.")
    cursor: str | None = Field(default=None, description="Goes on with the interviews left; null at the end.")


class FindPerson(Operation[FoundPeople]):
    """Find a person in all interviews, by name, e-mail or phone or a part: interviews, sessions, status, link.

    Names in any order, without accents; namesakes are told apart by address.
    """

    effect, toolset = "read", "workflows"
    hint = "Next: get_session for a session, or export_results with form packet for all that is held on one person."
    who: Annotated[Text, Field(max_length=200, description="E.g. `Silva Ana`, `ana@`, `0171 123`.")]
    cursor: Cursor = MISSING

    @classmethod
    def next_step(cls, result: Mapping[str, Any]) -> str:
        return cls.hint if result["data"] else ""


async def find_person(client: Caller, given: FindPerson, spent: Spent) -> FoundPeople:
    """Interview by interview, newest first: those for which time or budget is short are left for the next call."""
    wanted = wanted_by(given.who)
    if wanted is None:
        raise refused("who has no letter or figure in it", "Give a name, an address or a part of one")
    begin(spent)
    interviews, complete = await _interviews(client, spent)
    start = _after(interviews, given, None if complete else not_now("all interviews were listed", spent))
    if not interviews and not complete:
        raise not_now("an interview was looked at", spent)
    work = _Finding(client, spent, wanted, await client.link_origin())
    done = start
    for interview in interviews[start:]:
        if not await work.look_into(interview):
            break
        done += 1
        await spent.report(done, len(interviews), f"{done} of {len(interviews)} interviews")
    left = len(interviews) - done
    before = None if given.cursor is MISSING else given.cursor
    cursor = (interviews[done - 1].id if done > start else before) if left else None
    looked = LOOKED.format(done=done, total=len(interviews), people=f"{work.people:,} in this call")
    found = {
        "data": work.rows(),
        "interviews_left": left,
        **({"cursor": cursor} if cursor or not left else {}),
        "remarks": [
            *work.about_names(),
            *([looked] if start or left else [looked.replace(" in this call", "")]),
            *([remain(left, len(interviews), spent, cursor=cursor)] if left else []),
            *([] if complete else [UNLISTED.format(again=again(spent))]),
            *work.remarks,
            *([] if work.found else await aside(work.instead, given.who)),
        ],
    }
    return FoundPeople.model_validate(found)


@dataclass
class Found:
    """Somebody in an interview."""

    interview: Interview
    candidate: Candidate | None
    session: SessionSummary | None
    name: str
    address: str

    @property
    def key(self) -> str:
        """What makes two of these one person: an address; nothing else does."""
        own = self.candidate or self.session
        return self.address.strip().casefold() or (own.id if own else "")


async def with_address(
    client: Caller, address: str, spent: Spent, *, besides: str
) -> tuple[list[Found], int, int, list[str]]:
    """Who has this very address in all interviews but one: how many were looked through, of how many, and remarks."""
    interviews, complete = await _interviews(client, spent)
    others = [each for each in interviews if each.id != besides]
    wanted, done = Wanted(address=fold(address).strip(), whole=True), 0
    work = _Finding(client, spent, wanted, await client.link_origin())
    while done < len(others) and await work.look_into(others[done]):
        done += 1
    return work.found, done, len(others), [*work.remarks, *([] if complete else [UNLISTED.format(again=again(spent))])]


@dataclass
class _Finding:
    """The interviews that were looked into, and who was found."""

    client: Caller
    spent: Spent
    wanted: Wanted
    origin: str
    """What candidate links begin with."""
    found: list[Found] = field(default_factory=list[Found])
    remarks: list[str] = field(default_factory=list[str])
    people: int = 0
    _names: dict[str, None] = field(default_factory=dict[str, None])
    _room: int = MOST_BYTES

    async def look_into(self, interview: Interview) -> bool:
        """Look for the person in an interview; False where there is no time, budget or room for it."""
        if is_over(self.spent):
            return False
        try:
            candidates = await self._candidates(interview)
            sessions = await self._sessions(interview)
        except OUT_OF_BUDGET:
            return False
        except AuralError:
            self.remarks.append(NOT_READ.format(titles=quoted(interview.title, 60)))
            return True
        there = list(_people(interview, candidates, sessions))
        found = [each for each in there if self._is_meant(each)]
        fit = self._fitting(found)
        if fit < len(found) and self.found:
            return False
        self.found += found[:fit]
        self.people += len(there)
        if len(self._names) < MOST_NAMES:
            self._names |= dict.fromkeys(each.name for each in there if each.name)
        title = quoted(interview.title, 60)
        self.remarks += [CUT.format(number=len(found) - fit, title=title)] if fit < len(found) else []
        self.remarks += [NEWEST_IN.format(title=title, said=said) for said in cut(candidates)]
        return True

    async def _candidates(self, interview: Interview) -> list[Candidate]:
        try:
            return (await self.client.call(ListCandidates(interview_id=interview.id), spent=self.spent)).data
        except NotOffered:
            return []

    async def _sessions(self, interview: Interview) -> list[SessionSummary]:
        if interview.counts and interview.counts.sessions == 0:
            return []
        rows, complete = await all_sessions(self.client, interview.id, self.spent)
        if not complete and (self.people or len(rows) < MANY_SESSIONS):
            raise not_now("all sessions were listed", self.spent)
        if not complete:
            self.remarks.append(IN_PART.format(title=quoted(interview.title, 60), number=len(rows)))
        return rows

    def _is_meant(self, each: Found) -> bool:
        names = [each.candidate.name if each.candidate else "", (each.session and each.session.participant_name) or ""]
        addresses = [
            (each.candidate and each.candidate.email) or "",
            (each.session and each.session.participant_email) or "",
        ]
        return self.wanted.finds(names, addresses, (each.candidate and each.candidate.phone) or "")

    def _fitting(self, found: Sequence[Found]) -> int:
        """How many of these fit behind those that are there."""
        room, free = self._room, MOST_ROWS - len(self.found)
        for number, each in enumerate(found):
            room -= size_of(self._row(each, each.name)) + len(each.address)
            if room < 0 or number == free:
                return number
        self._room = room
        return len(found)

    # ── What is shown ───────────────────────────────────────────────────────────────────────────

    def rows(self) -> list[dict[str, Any]]:
        """Who was found, namesakes told apart."""
        people = {_label(each): (_label(each), each.name, each.address) for each in self.found}
        names = told_apart([*people.values()])
        return [self._row(each, names[_label(each)]) for each in self.found]

    def _row(self, each: Found, name: str) -> dict[str, Any]:
        session, candidate = each.session, each.candidate
        begun = session.id if session else candidate.session_id if candidate else None
        status = session.status if session else BEGUN if begun else NOT_BEGUN
        token = candidate.invite_token if candidate and status != "COMPLETED" else ""
        own = candidate or session
        return {
            "name": name,
            **({"email": each.address} if each.address else {}),
            "interview_id": each.interview.id,
            "interview": each.interview.title,
            **({"candidate_id": candidate.id} if candidate else {}),
            **({"session_id": begun} if begun else {}),
            "status": status,
            **({"invite_url": invite_link(self.origin, token)} if token else {}),
            "created_at": own.created_at if own else "",
        }

    def about_names(self) -> list[str]:
        """Who shares a name, and whether anything tells them apart."""
        if self._anonymous:
            return [BLIND]
        people = {each.key: each for each in self.found}
        often = Counter(fold(each.name) for each in people.values())
        said: dict[str, str] = {}
        for each in people.values():
            if often[fold(each.name)] > 1:
                same = [other for other in people.values() if fold(other.name) == fold(each.name)]
                text = SAME_NAME if all(other.address for other in same) else NAMELESS
                said.setdefault(fold(each.name), text.format(name=quoted(each.name, 60)))
        return [*said.values()]

    def instead(self, who: str) -> list[str]:
        """The nearest names that there are."""
        if self._anonymous:
            return []
        spelled = {loose(fold(each)): each for each in self._names}
        nearest = difflib.get_close_matches(loose(fold(who)), list(spelled)[:5_000], MOST_NEAREST, 0.7)
        names = ", ".join(quoted(spelled[each], 60) for each in nearest)
        return [NEAREST.format(names=names)] if names else [NOBODY]

    @property
    def _anonymous(self) -> bool:
        return isinstance(self.client, Guarded) and self.client.exposure.anonymous


def _label(each: Found) -> str:
    return f"{each.key}\n{each.name}"


async def _interviews(client: Caller, spent: Spent) -> tuple[list[Interview], bool]:
    """All interviews, those made last first, which stays their order; and whether these are all."""
    rows, complete = await all_rows(client, ListInterviews(limit=100), spent)
    return sorted(rows, key=lambda row: (row.created_at, row.id), reverse=True), complete


def _after(interviews: Sequence[Interview], given: FindPerson, not_all: Exception | None) -> int:
    """The place behind the cursor."""
    places: dict[Any, int] = {row.id: number for number, row in enumerate(interviews, 1)}
    if given.cursor is not MISSING and given.cursor not in places:
        raise not_all or refused("This cursor is not of these interviews", "Omit it")
    return 0 if given.cursor is MISSING else places[given.cursor]


def _people(
    interview: Interview, candidates: Sequence[Candidate], sessions: Sequence[SessionSummary]
) -> Iterator[Found]:
    """Everybody in an interview: who is registered, with their session, then who came by the public link."""
    own = {row.id: row for row in sessions}
    for each in candidates:
        session = own.pop(each.session_id, None) if each.session_id else None
        address = each.email or (session.participant_email if session else None) or ""
        yield Found(interview, each, session, each.name, address)
    for row in own.values():
        yield Found(interview, None, row, row.participant_name or "", row.participant_email or "")

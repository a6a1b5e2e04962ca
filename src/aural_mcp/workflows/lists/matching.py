"""Who of a list is registered already, by the list of candidates and by what was imported.

A group of people is claimed in the journal before it is sent, each by the digest of who it is, and noted as done
afterwards. What became of a group that was claimed and not noted is looked up in the list of candidates:

- A group is all or none and shares one moment of creation. So it was registered if nearly all of it is there, made at
  one moment (a few may have been changed since), or if the list, which is the newest 1,000, ends within it.
- If it is not there and the list goes back to before it was sent, it was not registered: after `UNSETTLED` seconds,
  in which a backend may still be at it, it is sent again.
- If the list does not go back that far nobody can know: those people are left out and said to be uncertain. It goes
  back that far if it holds anybody who was seen in it before.

A local workspace lists everybody, and does nothing any more for a process that has ended. That is known of processes
of this computer, not of replicas that share a database: on two computers, names and ids may be equal.

Whoever of the data is seen in the list is noted too: it may not show the next time.
"""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from secrets import token_hex
from socket import gethostname
from typing import Any, Literal

import anyio.lowlevel
from pydantic import MISSING

from aural_mcp.api.erasing import ERASED_BEFORE, FindErased
from aural_mcp.api.models import Candidate
from aural_mcp.api.operations import LISTED, CandidateInput, ListCandidates
from aural_mcp.bounds import aside
from aural_mcp.client.caller import Caller
from aural_mcp.client.client import DEADLINE, Spent
from aural_mcp.client.journal import Journal
from aural_mcp.client.ledger import SKEW, time_of
from aural_mcp.workflows.lists.people import Person, Roster, key_of

AT_ONCE = 500
"""Entries of the journal that are read in one go."""
KEPT = 400 * 86_400.0
"""Seconds for which somebody imported is known."""
UNSETTLED = DEADLINE + SKEW
"""Seconds after which a group that was sent and is not there was not registered."""


UNSENT = {name: MISSING for name in CandidateInput.model_fields if name not in ("name", "email", "phone")}
"""What does not tell who somebody is."""


@dataclass
class Plan:
    """What a list comes to: who is new, who is registered, and of whom that cannot be said yet, or ever."""

    roster: Roster
    listed: Sequence[Candidate]
    noted: Mapping[str, Any]
    """What the journal says of the people in the data and of those listed."""
    new: list[Person] = field(default_factory=list[Person])
    registered: list[Person] = field(default_factory=list[Person])
    under_way: list[Person] = field(default_factory=list[Person])
    uncertain: list[Person] = field(default_factory=list[Person])
    doubtful: list[Person] = field(default_factory=list[Person])
    """Who is called like somebody registered of whom the address is not known."""
    found: list[str] = field(default_factory=list[str])
    """Who was claimed and is registered, but is not noted yet."""
    erased: list[tuple[Person, str]] = field(default_factory=list[tuple[Person, str]])
    """Who was erased, and when."""
    gone: int = 0
    """How many were imported here and are not listed, though the list is whole."""
    wait: float = 0.0
    """Seconds until it can be said what became of those under way."""
    local: bool = False
    ours: bool = False
    """Whether whoever claims something is a process of this computer."""

    @property
    def whole(self) -> bool:
        """Whether the list shows everybody who is registered."""
        return self.local or len(self.listed) < LISTED


class ListEverybody(ListCandidates):
    """The candidates of a local workspace, however many: no tool, and nothing that Aural knows."""

    everybody: Literal[True] = True


RUN = {"host": gethostname(), "pid": os.getpid(), "run": token_hex(8)}
"""What a claim says of the process that made it."""


def journal(client: Caller, interview_id: str) -> Journal:
    """Who was imported for an interview."""
    return Journal(client, f"import {interview_id}", KEPT)


async def matched(client: Caller, interview_id: str, people: Roster, spent: Spent) -> Plan:
    """Compare; nothing is changed.

    Raises:
        AuralError: the candidates cannot be listed.
    """
    local = client.raw.local
    asked = ListEverybody if local else ListCandidates
    found = await client.raw.call(asked(interview_id=interview_id), spent=spent)
    listed, is_told = found.data, (found.model_extra or {}).get(ERASED_BEFORE)
    many = len(people.people) + len(listed) > AT_ONCE
    keys = await aside(_keys, people, listed) if many else _keys(people, listed)
    noted = await _noted(journal(client, interview_id), keys.wanted)
    plan = Plan(people, listed, noted, local=local, ours=local and client.state.database is None)
    now = client.state.now()
    given = plan, keys, now, client.raw.skew - (now - time.time())
    settled = await aside(_settled, *given) if many else _settled(*given)
    if is_told:
        await _without_erased(client, interview_id, settled, keys, spent)
    return settled


async def _without_erased(client: Caller, interview_id: str, plan: Plan, keys: _Keys, spent: Spent) -> None:
    """Take those out who were erased, of all who are not listed."""
    asked = [each for each in (*plan.new, *plan.registered) if each.key not in keys.there]
    if not asked:
        return
    given = [each.given.model_copy(update=UNSENT) for each in asked]
    found = await client.raw.call(FindErased(interview_id=interview_id, candidates=given), spent=spent)
    plan.erased = [(asked[row.position - 1], row.at) for row in found.data if 0 < row.position <= len(asked)]
    gone = {each.key for each, _ in plan.erased}
    plan.gone -= sum(each.key in gone for each in plan.registered) if plan.whole else 0
    plan.new = [each for each in plan.new if each.key not in gone]
    plan.registered = [each for each in plan.registered if each.key not in gone]


@dataclass(frozen=True)
class _Keys:
    """By what people are compared; thousands of them take a while."""

    there: Mapping[str, Candidate]
    alike: Mapping[str, Sequence[str]]
    namesakes: frozenset[str]

    @property
    def wanted(self) -> list[str]:
        return list(dict.fromkeys([*self.there, *self.alike, *(key for keys in self.alike.values() for key in keys)]))


def _keys(people: Roster, listed: Sequence[Candidate]) -> _Keys:
    there = {key_of(row.name, row.email, row.phone): row for row in reversed(listed)}
    alike = {each.key: _alike(each) for each in people.people}
    return _Keys(there, alike, frozenset(key for row in listed for key in _namesake(row)))


def _settled(plan: Plan, keys: _Keys, now: float, skew: float) -> Plan:
    """The plan with everybody of the list in it; `skew` is how far the backend's clock is ahead of the one of `now`."""
    fates = _fates(plan, keys.there, now, skew)
    groups = {"done": plan.registered, "new": plan.new, "under way": plan.under_way, "uncertain": plan.uncertain}
    for person in plan.roster.people:
        entry = plan.noted.get(person.key, {})
        known = person.key in keys.there or "done" in entry
        fate = "done" if known else fates.get(entry.get("chunk"), "new")
        if fate == "new" and any(
            key in keys.namesakes or "done" in plan.noted.get(key, {}) for key in keys.alike[person.key]
        ):
            plan.doubtful.append(person)
            continue
        groups[fate].append(person)
        plan.gone += plan.whole and "done" in entry and person.key not in keys.there
    plan.found = [key for key, entry in plan.noted.items() if fates.get(entry.get("chunk")) == "done"]
    return plan


def _alike(person: Person) -> list[str]:
    """By what somebody could have been registered without the address, or, without one, with it."""
    given = person.given
    email, phone = given.email, given.phone if isinstance(given.phone, str) else None
    keys = [key_of(given.name, None, phone), key_of(given.name, None, None)]
    return list(dict.fromkeys(keys)) if isinstance(email, str) and email else [_with_address(each) for each in keys]


def _with_address(key: str) -> str:
    return f"{key} has an address"


def _namesake(row: Candidate) -> list[str]:
    """By what somebody registered is the same as a person of whom one side lacks the address."""
    keys = [key_of(row.name, None, row.phone), key_of(row.name, None, None)]
    return [_with_address(each) for each in keys] if row.email else keys[:1]


async def _noted(kept: Journal, keys: Sequence[str]) -> dict[str, Any]:
    """What the journal says, in parts: others wait no longer than for one."""
    found: dict[str, Any] = {}
    for start in range(0, len(keys), AT_ONCE):
        found |= await kept.done(keys[start : start + AT_ONCE])
        await anyio.lowlevel.checkpoint()
    return found


def _fates(plan: Plan, there: Mapping[str, Candidate], now: float, skew: float) -> dict[str, str]:
    """What became of each group that was claimed and not noted: done, new, under way or uncertain."""
    claims: dict[str, dict[str, Any]] = {}
    found: dict[str, list[Candidate]] = {}
    for key, entry in plan.noted.items():
        if "chunk" in entry:
            claims[entry["chunk"]] = entry
            rows = found.setdefault(entry["chunk"], [])
            rows += [there[key]] if key in there and time_of(there[key].created_at) >= _since(entry, skew) else []
    fates: dict[str, str] = {}
    for chunk, entry in claims.items():
        fates[chunk] = _fate(plan, entry, found[chunk], now, skew)
        if fates[chunk] == "under way":
            plan.wait = max(plan.wait, entry["at"] + UNSETTLED - now)
    return fates


def _fate(plan: Plan, entry: Mapping[str, Any], found: Sequence[Candidate], now: float, skew: float) -> str:
    oldest = "" if plan.whole else plan.listed[-1].created_at
    moments = Counter(row.created_at for row in found)
    if max(moments.values(), default=0) >= 0.9 * entry["of"] or oldest in moments:
        return "done"
    if plan.ours and _has_ended(entry):
        return "new"
    goes_back = any(row.id == entry.get("after") for row in plan.listed)
    if oldest and not goes_back and time_of(oldest) >= _since(entry, skew):
        return "uncertain"
    return "under way" if now < entry["at"] + UNSETTLED else "new"


def _has_ended(entry: Mapping[str, Any]) -> bool:
    """Whether the process that made a claim on this computer is known to have ended."""
    if entry.get("run") == RUN["run"] or entry.get("host") != RUN["host"] or sys.platform == "win32":
        return False
    try:
        os.kill(entry["pid"], 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return entry["pid"] == RUN["pid"]


def _since(entry: Mapping[str, Any], skew: float) -> float:
    """When a group can have been created at the earliest, by the backend's clock."""
    return entry["at"] + skew - SKEW

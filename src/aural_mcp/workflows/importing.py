"""Many people registered for an interview from a list as it comes, nobody twice, though calls break off.

What makes that exact is the journal: a group of people is claimed in it before it is sent, each by the digest of who
it is, and noted as done afterwards. Whoever was claimed and not noted is looked for in the list of candidates:

- A group is all or none and shares one moment of creation, so if most of it is there, or if the list ends within it,
  all of it was registered, whether or not all still show (Aural shows the newest 1,000).
- If it is not there and the list goes back to before it was sent, it was not registered: after `UNSETTLED` seconds,
  in which no backend is still at it, it is sent again.
- If the list does not go back that far nobody can know: those people are left out and said to be uncertain.

A claim fails when another process claimed one of the same people meanwhile. The ledger looks for an answer that is
lost while the call lasts; the journal holds after the ledger's ten minutes, and when the list was changed in between.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import MISSING, Field, model_validator

from aural_mcp.client import DEADLINE, AuralClient, Spent
from aural_mcp.errors import AuralError, Unanswered
from aural_mcp.exposure import Guarded
from aural_mcp.ledger import SKEW, Ledger, time_of
from aural_mcp.models import Candidate, Record
from aural_mcp.operations import CandidateInput, CreateCandidates, InterviewId, ListCandidates, Operation, Text
from aural_mcp.workflows.base import OUT_OF_BUDGET, Journal, agreements, begin, digest, is_over, read_file
from aural_mcp.workflows.invites import LISTED, address_of, keep_links
from aural_mcp.workflows.people import Person, Roster, given_rows, key_of, roster
from aural_mcp.workflows.roster import Sheet, decoded, sheet

KEPT = 400 * 86_400.0
"""Seconds for which somebody imported is known."""
AT_ONCE = 500
"""People that Aural takes in one request."""
UNSETTLED = DEADLINE + SKEW
"""Seconds after which a group that was sent and is not there was not registered."""
SHOWN, FIRST = 50, 10
"""Problems, and people, that an answer shows."""
DONE = {"done": True}
GO_ON = "{number} remain: call again with the same arguments, it goes on there and registers nobody twice."
UNSEEN = (
    "Compared with the list of candidates ({listed} people) and with what was imported on this computer. What another "
    "computer registers meanwhile cannot be seen, and nobody can be taken off again."
)
CUT = "Aural lists only the newest 1,000: whom others registered before those is not recognised."
GONE = "{number} were imported on this computer before but are not listed: changed or removed since, so left out."
UNDER_WAY = "{number} were sent a moment ago and do not show yet: call again in {seconds:.0f} s, it looks first."
UNCERTAIN = (
    "{number} were sent before without an answer, and the list no longer goes back that far: they may be registered, "
    "so they are left out. Tell the user to look for them in Aural; create_candidates registers them if they are not."
)
TAKEN = "Another call is registering some of the same people: call again when it has ended."
PUSHED_OUT = (
    "Aural lists only the newest 1,000 people. The CSV has the links of the others too, but on this computer only and "
    "for a day: have the user save it today."
)


class ProblemRow(Record):
    """A row that is left out."""

    line: int
    field: str | None = None
    said: str


class FirstRow(Record):
    """A person as registered."""

    name: str
    email: str | None = None


class Imported(Record):
    """What became, or would become, of a list."""

    new: int = Field(description="People who are not registered yet, each once.")
    already_registered: int
    duplicates: int = Field(description="Rows that repeat an earlier one; the first counts.")
    invalid: int = Field(description="Rows that are wrong.")
    registered: int = Field(default=0, description="By this call.")
    remaining: int = Field(default=0, description="The same call again goes on there.")
    uncertain: int = Field(default=0, description="Sent before; nobody can tell whether they are registered.")
    dry_run: bool | None = None
    invites: str | None = Field(default=None, description="The resource with everybody's link, as CSV.")
    columns: dict[str, str] = Field(default={}, description="What each field was read from.")
    left_out: list[str] = Field(default=[], description="Columns that are not known.")
    first: list[FirstRow] = Field(default=[], description="The first 10 of the new ones.")
    problems: list[ProblemRow] = Field(default=[], description="Rows left out, the first 50.")
    more_problems: int = 0


class ImportCandidates(Operation[Imported]):
    """Register people for an interview from a list: CSV, a table, pasted lines or rows; each once, with a private link.

    Columns are known by name, in English or Chinese. Rows that are invalid, repeated or registered already are left
    out and named with their line. A dry run (the default) shows what would happen. What does not fit into 40 s or
    the minute's budget remains: the same call again goes on there, and repeating it registers nobody twice.
    """

    effect = "create"
    confirmed = True
    by_others = True
    hint = (
        "Next: after a dry run show the user the counts and problems, then dryRun false; then the links at `invites`."
    )
    interview_id: InterviewId
    data: Annotated[
        Text | MISSING,
        Field(description="CSV, TSV or a table with column names, or lines such as `Ana Silva <ana@x.org>`; verbatim."),
    ] = MISSING
    candidates: Annotated[list[CandidateInput] | MISSING, Field(min_length=1, description="In place of data.")] = (
        MISSING
    )
    file: Annotated[
        Text | MISSING, Field(description="In place of data: a name in the folder that the operator allows (--files).")
    ] = MISSING
    dry_run: Annotated[bool, Field(description="Only look; false registers.")] = True

    @model_validator(mode="after")
    def _one_source(self) -> ImportCandidates:
        given = [name for name in ("data", "candidates", "file") if getattr(self, name) is not MISSING]
        if len(given) != 1:
            said = f"{' and '.join(given)} were given" if given else "none was given"
            raise ValueError(f"Give the people in one of data, candidates and file: {said}")
        return self


# ── Looking ─────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Plan:
    """What a list comes to: who is new, who is registered, and of whom that cannot be said yet, or ever."""

    sheet: Sheet
    roster: Roster
    listed: Sequence[Candidate]
    noted: Mapping[str, Any]
    new: list[Person] = field(default_factory=list[Person])
    registered: list[Person] = field(default_factory=list[Person])
    under_way: list[Person] = field(default_factory=list[Person])
    uncertain: list[Person] = field(default_factory=list[Person])
    found: list[str] = field(default_factory=list[str])
    """Who was claimed, is there, and is not noted."""
    gone: int = 0
    wait: float = 0.0


async def planned(client: AuralClient, given: ImportCandidates, spent: Spent) -> Plan:
    """Read the list and compare it; nothing is changed.

    Raises:
        BadRequest: nothing of the data or the file can be used.
        AuralError: the candidates cannot be listed.
    """
    read = _sheet(client, given)
    people = roster(read)
    listed = (await client.raw.call(ListCandidates(interview_id=given.interview_id), spent=spent)).data
    there = {key_of(row.name, row.email, row.phone): row for row in listed}
    noted = _journal(client, given).done([*there, *(each.key for each in people.people)])
    plan = Plan(read, people, listed, noted)
    fates = _fates(plan, there, client.skew)
    groups = {"done": plan.registered, "new": plan.new, "under way": plan.under_way, "uncertain": plan.uncertain}
    for person in people.people:
        entry = noted.get(person.key, {})
        known = "done" if person.key in there or entry.get("done") else fates.get(entry.get("chunk"), "new")
        groups[known].append(person)
        plan.gone += bool(entry.get("done")) and person.key not in there and len(listed) < LISTED
    plan.found = [key for key, entry in noted.items() if fates.get(entry.get("chunk")) == "done"]
    return plan


def _sheet(client: AuralClient, given: ImportCandidates) -> Sheet:
    if given.candidates is not MISSING:
        return given_rows(given.candidates)
    if given.file is not MISSING:
        return sheet(decoded(read_file(client, given.file)))
    return sheet("" if given.data is MISSING else given.data)


def _journal(client: AuralClient, given: ImportCandidates) -> Journal:
    return Journal(client, f"import {given.interview_id}", KEPT)


def _fates(plan: Plan, there: Mapping[str, Candidate], skew: float) -> dict[str, str]:
    """What became of each group that was claimed and not noted: done, new, under way or uncertain."""
    groups: dict[str, tuple[dict[str, Any], list[Candidate]]] = {}
    for key, entry in plan.noted.items():
        if "chunk" in entry:
            found = groups.setdefault(entry["chunk"], (entry, []))[1]
            if key in there and time_of(there[key].created_at) >= entry["at"] + skew - SKEW:
                found.append(there[key])
    oldest = plan.listed[-1].created_at if len(plan.listed) >= LISTED else None
    fates: dict[str, str] = {}
    for chunk, (entry, found) in groups.items():
        left = UNSETTLED - (time.time() - entry["at"])
        if 2 * len(found) > entry["of"] or oldest in {row.created_at for row in found}:
            fates[chunk] = "done"
        elif oldest is not None and time_of(oldest) >= entry["at"] + skew - SKEW:
            fates[chunk] = "uncertain"
        else:
            fates[chunk] = "under way" if left > 0 else "new"
            plan.wait = max(plan.wait, left)
    return fates


def agreement(client: AuralClient, given: ImportCandidates) -> str:
    """What a yes to this call holds for: these arguments, and what stands in the file now."""
    return digest(given, "" if given.file is MISSING else decoded(read_file(client, given.file)))


# ── Registering ─────────────────────────────────────────────────────────────────────────────────


async def import_candidates(client: AuralClient, given: ImportCandidates, spent: Spent) -> Imported:
    """Look; then, unless this is a dry run, register who is new in groups, each claimed, sent and noted."""
    begin(spent)
    plan = await planned(client, given, spent)
    if given.dry_run:
        return _answer(client, given, plan, 0, _remarks(plan))
    agreements(client).note({agreement(client, given): True})
    work = _Import(client, given, plan, spent)
    await work.all()
    return _answer(client, given, plan, work.registered, [*work.remarks, *_remarks(plan, work.registered)])


class _Import:
    """The groups of one call; nothing more is begun once time or budget have ended, or something went wrong."""

    def __init__(self, client: AuralClient, given: ImportCandidates, plan: Plan, spent: Spent) -> None:
        self._client, self._given, self._plan, self._spent = client.raw, given, plan, spent
        self._ledger, self._journal = Ledger(client.raw), _journal(client, given)
        self._keeps = len(plan.listed) + len(plan.new) > LISTED
        self.registered, self.remarks = 0, list[str]()

    async def all(self) -> None:
        """Register everybody who is new.

        Raises:
            AuralError: the first group was refused, or nothing can be sent.
        """
        new = self._plan.new
        self._journal.note(dict.fromkeys([*self._plan.found, *(each.key for each in self._plan.registered)], DONE))
        if self._keeps:
            keep_links(self._client, self._given.interview_id, self._plan.listed)
        for start in range(0, len(new), AT_ONCE):
            if is_over(self._spent):
                return
            try:
                if not await self._group(new[start : start + AT_ONCE]):
                    return
            except (*OUT_OF_BUDGET, Unanswered) as stopped:
                self.remarks.append(str(stopped))
                return
            except AuralError as error:
                if not self.registered:
                    raise
                self.remarks.append(str(error))
                return
            await self._spent.report(self.registered, len(new), f"{self.registered:,} of {len(new):,} registered")

    async def _group(self, people: Sequence[Person]) -> bool:
        """Register these; False where another process is at it."""
        keys = [each.key for each in people]
        asked = CreateCandidates(interview_id=self._given.interview_id, candidates=[each.given for each in people])
        claim = {"chunk": digest(keys, time.time_ns()), "of": len(keys), "at": time.time()}
        if not self._journal.claim(dict.fromkeys(keys, claim), self._plan.noted):
            self.remarks.append(TAKEN)
            return False
        try:
            made = await self._ledger.once(asked, self._spent)
        except BaseException:
            if not self._ledger.knows(asked):
                self._journal.forget(keys)
            raise
        self._journal.note(dict.fromkeys(keys, DONE))
        self.registered += len(people)
        if self._keeps:
            keep_links(self._client, self._given.interview_id, made.result.data)
        return True


# ── Answering ───────────────────────────────────────────────────────────────────────────────────


def _remarks(plan: Plan, registered: int | None = None) -> list[str]:
    """What to tell besides the counts; `registered` is None in a dry run."""
    full, total = len(plan.listed) >= LISTED, len(plan.listed) + (registered or 0)
    number = len(plan.new) - (registered or 0)
    listed = "1,000 and perhaps more" if full else f"{len(plan.listed):,}"
    said = {
        UNDER_WAY.format(number=len(plan.under_way), seconds=max(1, plan.wait)): plan.under_way,
        GO_ON.format(number=number): registered is not None and number,
        UNCERTAIN.format(number=len(plan.uncertain)): plan.uncertain,
        GONE.format(number=plan.gone): plan.gone,
        PUSHED_OUT: registered is not None and total > LISTED,
        UNSEEN.format(listed=listed): registered is None,
        CUT: full,
    }
    return [text for text, holds in said.items() if holds]


def _answer(
    client: AuralClient, given: ImportCandidates, plan: Plan, registered: int, remarks: Sequence[str]
) -> Imported:
    blind = isinstance(client, Guarded) and client.exposure.anonymous
    problems = [
        {"line": each.line, **({"field": each.field} if each.field else {}), "said": each.sentence(blind=blind)}
        for each in plan.roster.problems
    ]
    counts = {
        "new": len(plan.new),
        "alreadyRegistered": len(plan.registered),
        "duplicates": plan.roster.duplicates,
        "invalid": plan.roster.invalid,
        "registered": registered,
        "remaining": 0 if given.dry_run else len(plan.new) - registered + len(plan.under_way),
        "uncertain": len(plan.uncertain),
    }
    more = {
        "dryRun": True if given.dry_run else None,
        "invites": None if given.dry_run else address_of(given.interview_id),
        "columns": plan.sheet.columns,
        "leftOut": plan.sheet.left_out,
        "first": [] if blind else [_first(each) for each in plan.new[:FIRST]],
        "problems": problems[:SHOWN],
        "moreProblems": max(0, len(problems) - SHOWN),
        "remarks": list(remarks),
    }
    needed = ("new", "alreadyRegistered", "duplicates", "invalid", "registered")
    return Imported.model_validate({name: item for name, item in (counts | more).items() if item or name in needed})


def _first(person: Person) -> dict[str, Any]:
    return person.given.model_dump(include={"name", "email"}, exclude_unset=True)

"""Many people registered for an interview from a list as it comes, nobody twice, though calls break off.

Groups of people are claimed in a journal, sent, and noted as done; `matching` says why that is exact. A claim fails
when another process claimed one of the same people meanwhile. The ledger looks for an answer that is lost while the
call lasts; the journal holds after the ledger's ten minutes, and when the list was changed in between.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Annotated, Any, cast

import anyio.to_thread
from pydantic import MISSING, BeforeValidator, Field, model_validator

from aural_mcp.api.errors import AuralError, Unanswered
from aural_mcp.api.models import InterviewDetail, Record
from aural_mcp.api.operations import (
    LISTED,
    Arguments,
    CandidateInput,
    CreateCandidates,
    GetInterview,
    InterviewId,
    Operation,
    Text,
)
from aural_mcp.bounds import LARGE, aside
from aural_mcp.client.caller import Caller
from aural_mcp.client.client import Spent
from aural_mcp.client.ledger import Ledger
from aural_mcp.privacy.exposure import Guarded
from aural_mcp.safety import inert, mail
from aural_mcp.workflows.base import OUT_OF_BUDGET, agreements, begin, digest, is_over, read_file, remain
from aural_mcp.workflows.invites import address_of, keep_links

if TYPE_CHECKING:  # their patterns take a while, and a start does without
    from aural_mcp.workflows.lists.matching import Plan
    from aural_mcp.workflows.lists.people import Person, Problem, Roster
    from aural_mcp.workflows.lists.sheets import Sheet

AT_ONCE = 500
"""People that Aural takes in one request."""
SHOWN, FIRST, LONGEST_SHOWN = 50, 10, 200
"""Problems, people, and characters of a value that an answer shows."""
DOUBTFUL = (
    "is registered, but one of the two has no address, so they may be the same. If so, update_candidate adds it; if "
    "not, create_candidates registers this one."
)
ERASED = (
    "was erased on {day}, so left out. Only if the user says that they applied anew: create_candidates with "
    "allowDuplicate."
)
BIASING = ("gender", "birthday")
DONE = {"done": True}
NOT_TWICE = ": it goes on there and registers nobody twice"
UNSEEN = (
    "Compared with the list of candidates ({listed}) and with what was imported here. What is registered elsewhere "
    "meanwhile cannot be seen, and nobody can be taken off again."
)
CUT = "Aural lists only the newest 1,000: whoever was registered earlier elsewhere is taken for new."
GONE = "{number} were imported here before but are not listed: changed or removed since, so left out."
BIAS = "{fields} would be registered too. That invites bias: leave it out unless the user needs it."
UNDER_WAY = "{number} were sent a moment ago and do not show yet: call again in {seconds:.0f} s, it looks first."
UNCERTAIN = (
    "{number} were sent before without an answer, and the list no longer goes back that far: they may be registered, "
    "so they are left out. Tell the user to look for them in Aural; create_candidates registers them if they are not."
)
TAKEN = "Another call is registering some of the same people: call again when it has ended."
NO_QUESTIONS = "The interview has no questions yet: whoever opens a link is told to come back later."
ARCHIVED = "The interview is archived: its links take nobody."
PUSHED_OUT = (
    "Aural lists only the newest 1,000 people. The CSV has the links of the others too, but here only and for a "
    "day: have the user save it today."
)


SHOW = "Next: show the user the counts and what is left out, then call again with dryRun false."
SEND = (
    "Next: the user sends the links: they are in the resource at `invites`, and in list_candidates with include "
    "inviteUrl."
)


class ProblemRow(Record):
    """A row that is left out."""

    line: int = Field(description="Where the row begins in data or file; or the place in candidates.")
    field: str | None = None
    said: str


class Imported(Record):
    """What became, or would become, of a list."""

    new: int = Field(description="People who are not registered yet, each once.")
    already_registered: int
    duplicates: int = Field(description="Rows that repeat an earlier one; the first counts.")
    invalid: int = Field(description="Rows that are wrong.")
    registered: int = Field(default=0, description="By this call.")
    remaining: int = Field(default=0, description="The same call again goes on there, the uncertain ones aside.")
    uncertain: int = Field(default=0, description="Sent before; nobody can tell whether they are registered.")
    dry_run: bool = False
    invites: str | None = Field(default=None, description="The resource with everybody's link, as CSV.")
    columns: dict[str, str] = Field(default={}, description="What each field was read from.")
    left_out: list[str] = Field(default=[], description="Columns that nothing is read from, and what is in them.")
    first: list[dict[str, Any]] = Field(default=[], description="The first 10 of the new ones, all that is stored.")
    problems: list[ProblemRow] = Field(default=[], description="Rows left out, the first 50.")
    more_problems: int = 0


class ColumnInput(Arguments):
    """A column."""

    heading: Text
    field: Annotated[str, Field(description="name, firstName, lastName, email, notes, ...; empty leaves it out.")] = ""


def _pairs(given: Any) -> Any:
    """Columns as an object of headings and fields, as a list of both."""
    if not isinstance(given, dict):
        return given
    items = cast("dict[Any, Any]", given).items()
    return [{"heading": heading, **({} if name is None else {"field": name})} for heading, name in items]


class ImportCandidates(Operation[Imported]):
    """Register people for an interview from a list (CSV, table, pasted lines, rows), each once, with a private link.

    Give data, candidates (as in create_candidates) or file. What is unclear is refused with `columns` to correct;
    invalid, repeated and registered ones are left out and named. A dry run (the default) shows what would happen. Where
    time or budget ends, the same call again goes on.
    """

    effect, toolset = "create", "workflows"
    confirmed = True
    as_in = (CreateCandidates,)
    unshown = ("gender", "birthday", "education", "school", "major", "graduationYear", "workExperience")
    hint = "Next: show the user the dry run, then call again with dryRun false; the user sends the links."
    interview_id: InterviewId
    data: Annotated[
        Text | MISSING,
        Field(
            max_length=10_000_000,
            description="Verbatim: CSV, a table, or lines such as `Ana Silva <ana@x.org>`.",
        ),
    ] = MISSING
    candidates: Annotated[
        list[CandidateInput] | MISSING, Field(min_length=1, max_length=20_000, description="In place of data.")
    ] = MISSING
    file: Annotated[Text | MISSING, Field(description="In the folder of --files.")] = MISSING
    columns: Annotated[
        Annotated[list[ColumnInput], Field(max_length=200)] | MISSING,
        BeforeValidator(_pairs),
        Field(description="What a refusal proposes, corrected."),
    ] = MISSING
    encoding: Annotated[Text | MISSING, Field(description="Of file, if read wrongly: cp1250.")] = MISSING
    dry_run: Annotated[bool, Field(description="False registers.")] = True

    @classmethod
    def next_step(cls, result: Mapping[str, Any]) -> str:
        if not result.get("dryRun"):
            return SEND
        return SHOW if result["new"] else "Next: nobody is new, so there is nothing to register."

    @model_validator(mode="after")
    def _one_source(self) -> ImportCandidates:
        given = [name for name in ("data", "candidates", "file") if getattr(self, name) is not MISSING]
        if len(given) != 1:
            said = f"{' and '.join(given)} were given" if given else "none was given"
            raise ValueError(f"Give the people in one of data, candidates and file: {said}")
        if self.encoding is not MISSING and self.file is MISSING:
            raise ValueError("encoding is of a file: data is text already")
        if self.columns is not MISSING and self.candidates is not MISSING:
            raise ValueError("columns are of data or a file: candidates have their fields")
        return self


# ── Looking ─────────────────────────────────────────────────────────────────────────────────────


async def planned(client: Caller, given: ImportCandidates, spent: Spent) -> tuple[Sheet, Plan]:
    """Read the list and compare it; nothing is changed.

    Raises:
        BadRequest: nothing of the data or the file can be used.
        AuralError: the candidates cannot be listed.
    """
    from aural_mcp.workflows.lists.matching import matched

    elsewhere = anyio.to_thread.run_sync if _is_short(given) else aside
    read, people = await elsewhere(_read, client, given)
    return read, await matched(client, given.interview_id, people, spent)


def _is_short(given: ImportCandidates) -> bool:
    """Whether a list is read in no time, so that it need not wait until a long one is."""
    people = 0 if given.candidates is MISSING else len(given.candidates)
    return given.file is MISSING and people < AT_ONCE and (given.data is MISSING or len(given.data) < LARGE)


def agreement(client: Caller, given: ImportCandidates) -> str:
    """What a yes to this call holds for: these arguments, and what stands in the file now."""
    return digest(given, "" if given.file is MISSING else sha256(read_file(client, given.file)).hexdigest())


def _read(client: Caller, given: ImportCandidates) -> tuple[Sheet, Roster]:
    """The list and its people; in a thread of its own, as it may be long."""
    from aural_mcp.workflows.lists.people import roster

    read = _sheet(client, given)
    return read, roster(read)


def _sheet(client: Caller, given: ImportCandidates) -> Sheet:
    from aural_mcp.workflows.lists.people import given_rows
    from aural_mcp.workflows.lists.reading import file_sheet, pasted

    if given.candidates is not MISSING:
        return given_rows(given.candidates)
    columns = {} if given.columns is MISSING else {each.heading: each.field for each in given.columns}
    if given.file is not MISSING:
        encoding = "" if given.encoding is MISSING else given.encoding
        return file_sheet(read_file(client, given.file), columns, encoding, blind=_is_blind(client))
    return pasted("" if given.data is MISSING else given.data, columns, blind=_is_blind(client))


def _is_blind(client: Caller) -> bool:
    return isinstance(client, Guarded) and client.exposure.anonymous


# ── Registering ─────────────────────────────────────────────────────────────────────────────────


async def import_candidates(client: Caller, given: ImportCandidates, spent: Spent) -> Imported:
    """Look; then, unless this is a dry run, register who is new in groups."""
    begin(spent)
    read, plan = await planned(client, given, spent)
    if given.dry_run:
        interview = await client.raw.call(GetInterview(interview_id=given.interview_id), spent=spent)
        return _answer(plan, _looked(client, read, plan), [*read.remarks, *unready(interview), *_remarks(plan)])
    await agreements(client).note({agreement(client, given): True})
    work = _Import(client, given, plan, spent)
    await work.all()
    done = {
        "registered": work.registered,
        "remaining": len(plan.new) - work.registered + len(plan.under_way) + len(plan.uncertain),
        "invites": address_of(given.interview_id),
        **_columns(client, read),
        **_problems(client, plan),
    }
    left = len(plan.new) - work.registered
    go_on = [remain(left, len(plan.new), spent, then=NOT_TWICE)] if left else []
    return _answer(plan, done, [*read.remarks, *work.remarks, *go_on, *_remarks(plan, work.registered)])


class _Import:
    """The groups of one call; nothing more is begun once time or budget have ended, or something went wrong."""

    def __init__(self, client: Caller, given: ImportCandidates, plan: Plan, spent: Spent) -> None:
        self._client, self._interview, self._plan, self._spent = client.raw, given.interview_id, plan, spent
        from aural_mcp.workflows.lists.matching import RUN, journal

        self._newest = plan.listed[0].id if plan.listed else None
        self._run = RUN
        self._ledger, self._journal = Ledger(client.raw), journal(client, given.interview_id)
        self._keeps = len(plan.listed) + len(plan.new) > LISTED
        self.registered, self.remarks = 0, list[str]()

    async def all(self) -> None:
        """Register everybody who is new.

        Raises:
            AuralError: the first group was refused, or nothing can be sent.
        """
        plan, new = self._plan, self._plan.new
        await self._journal.note(dict.fromkeys([*plan.found, *(each.key for each in plan.registered)], DONE))
        if self._keeps:
            await keep_links(self._client, self._interview, plan.listed)
        for start in range(0, len(new), AT_ONCE):
            if is_over(self._spent):
                return
            try:
                if not await self._group(new[start : start + AT_ONCE]):
                    return
            except AuralError as stopped:
                if not self.registered and not isinstance(stopped, (*OUT_OF_BUDGET, Unanswered)):
                    raise
                self.remarks += [] if isinstance(stopped, OUT_OF_BUDGET) else [str(stopped)]
                return
            await self._spent.report(self.registered, len(new), f"{self.registered:,} of {len(new):,} registered")

    async def _group(self, people: Sequence[Person]) -> bool:
        """Register these; False where another process is at it."""
        keys = [each.key for each in people]
        asked = CreateCandidates(interview_id=self._interview, candidates=[each.given for each in people])
        chunk = digest(keys, time.time_ns())
        claim = {"chunk": chunk, "of": len(keys), "at": self._client.state.now(), "after": self._newest, **self._run}
        again = self._client.local and any("chunk" in self._plan.noted.get(key, {}) for key in keys)
        mark = chunk if again else ""  # else the ledger waits for one that nobody sends any more
        if not await self._journal.claim(dict.fromkeys(keys, claim), self._plan.noted):
            self.remarks.append(TAKEN)
            return False
        try:
            made = await self._ledger.once(asked, self._spent, mark=mark)
        except BaseException:
            if not await self._ledger.knows(asked, mark):
                await self._journal.strike(keys)
            raise
        self.registered += len(people)
        self._newest = made.result.data[0].id if made.result.data else self._newest
        await self._journal.note(dict.fromkeys(keys, DONE))
        if self._keeps:
            await keep_links(self._client, self._interview, made.result.data)
        return True


# ── Answering ───────────────────────────────────────────────────────────────────────────────────


def unready(interview: InterviewDetail) -> list[str]:
    """What keeps those who are registered from being interviewed."""
    return [*([] if interview.questions else [NO_QUESTIONS]), *([] if interview.is_active else [ARCHIVED])]


def _remarks(plan: Plan, registered: int | None = None) -> list[str]:
    """What to tell besides the counts; `registered` is None in a dry run."""
    listed = f"{len(plan.listed):,} people" if plan.whole else "its newest 1,000"
    private = [name for name in BIASING if any(name in each.given.model_fields_set for each in plan.new)]
    said = {
        UNDER_WAY.format(number=len(plan.under_way), seconds=max(1, plan.wait)): plan.under_way,
        UNCERTAIN.format(number=len(plan.uncertain)): plan.uncertain,
        GONE.format(number=plan.gone): plan.gone,
        PUSHED_OUT: registered and len(plan.listed) + registered > LISTED,
        UNSEEN.format(listed=listed): registered is None,
        BIAS.format(fields=" and ".join(private).capitalize()): registered is None and private,
        CUT: not plan.whole,
    }
    return [text for text, holds in said.items() if holds]


def _looked(client: Caller, read: Sheet, plan: Plan) -> dict[str, Any]:
    """What a dry run shows: the columns, the first people, and what is wrong; where nobody may be named, no words."""
    if _is_blind(client):
        return {"dryRun": True, **_problems(client, plan)}
    people = [each.given.model_dump(exclude_unset=True, by_alias=True) for each in plan.new[:FIRST]]
    shown = [{name: _shown(name, value) for name, value in each.items()} for each in people]
    return {"dryRun": True, **_columns(client, read), "first": shown, **_problems(client, plan)}


def _shown(name: str, value: Any) -> Any:
    """A value as it is shown; only in the field for one is an address left as it is."""
    if not isinstance(value, str):
        return value
    text = mail(value) if name == "email" else inert(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"


def _columns(client: Caller, read: Sheet) -> dict[str, Any]:
    """What each field was read from, and what is left out, unless nobody may be named."""
    from aural_mcp.workflows.lists.columns import SPELLED

    if _is_blind(client):
        return {}
    columns = {SPELLED.get(name, name): inert(heading)[:LONGEST_SHOWN] for name, heading in read.columns.items()}
    return {"columns": columns, "leftOut": [inert(each)[:LONGEST_SHOWN] for each in read.left_out]}


def _problems(client: Caller, plan: Plan) -> dict[str, Any]:
    blind, problems = _is_blind(client), _all_problems(plan)
    rows = [
        {"line": each.line, **({"field": each.field} if each.field else {}), "said": each.sentence(blind=blind)}
        for each in problems[:SHOWN]
    ]
    return {"problems": rows, "moreProblems": max(0, len(problems) - SHOWN)}


def _all_problems(plan: Plan) -> list[Problem]:
    from aural_mcp.workflows.lists.people import Problem

    doubtful = [Problem(each.line, "", DOUBTFUL, each.given.name) for each in plan.doubtful]
    erased = [Problem(each.line, "", ERASED.format(day=at[:10]), each.given.name) for each, at in plan.erased]
    return sorted([*plan.roster.problems, *doubtful, *erased], key=lambda each: each.line)


def _answer(plan: Plan, more: Mapping[str, Any], remarks: Sequence[str]) -> Imported:
    counts = {
        "new": len(plan.new),
        "alreadyRegistered": len(plan.registered),
        "duplicates": plan.roster.duplicates,
        "invalid": plan.roster.invalid + len(plan.doubtful) + len(plan.erased),
    }
    told = {"uncertain": len(plan.uncertain), **more, "remarks": list(remarks)}
    return Imported.model_validate(
        counts | {name: item for name, item in told.items() if item or name in ("registered", "remaining")}
    )

"""One to fifty interviews from nothing to a link: looked over, made once each, and gone on with when called again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from secrets import token_hex
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from aural_mcp.api.errors import AuralError, BadRequest, NotFound, ServerError, Unanswered
from aural_mcp.api.models import Record
from aural_mcp.api.operations import CreateInterview, CreateQuestions, Operation, PublishInterview
from aural_mcp.bounds import aside
from aural_mcp.client.caller import Caller
from aural_mcp.client.client import Spent
from aural_mcp.client.journal import Journal
from aural_mcp.client.ledger import Ledger
from aural_mcp.safety import inert, quoted
from aural_mcp.tools.first_screen import first_screen, not_told
from aural_mcp.tools.shape import plain
from aural_mcp.workflows.base import OUT_OF_BUDGET, agreements, begin, digest, is_over, remain
from aural_mcp.workflows.cloning import InterviewInput, Resolved, connect, resolved

KEPT = 86_400.0
"""Seconds for which the same interview is not made again."""
RUN = "run"
"""Where it is written down which of several equal calls with allowDuplicate is under way."""
MOST_QUESTIONS, SCREENS = 2_000, 4
BEFORE = "What was made before by the same call is not made twice; allowDuplicate true makes another."
HALF_MADE = " The interview itself is there ({id}): go on with create_questions and publish_interview."
NOT_TWICE = ": it goes on there and makes none twice"


class LaunchedRow(Record):
    """What became, or would become, of one of them."""

    title: str = ""
    state: Literal["made", "made before", "failed", "remains", "would be made"]
    id: str | None = None
    questions: int = 0
    url: str | None = Field(default=None, description="The public link, when published.")
    error: str | None = None
    warnings: list[str] = Field(default=[], description="What is weak about it; nothing is refused for it.")


class Launched(Record):
    """All of them, in the order given."""

    data: list[LaunchedRow]
    remaining: int = Field(default=0, description="How many are not complete; the same call again goes on there.")
    dry_run: bool = False


class LaunchInterviews(Operation[Launched]):
    """Create 1 to 50 interviews in one call, each with settings, rubric, questions and, if you say so, a public link.

    Fields, shown here or not, are those of create_interview and create_questions. `from` makes one like another but
    for what you give. Weak questions and rubrics are named as warnings. Where time or budget ends, the same call again
    goes on.
    """

    effect, toolset = "create", "workflows"
    confirmed = True
    as_in = (CreateInterview, CreateQuestions)
    unshown = (
        *("order", "showIf", "skipIf", "validationRules", "probeThreshold"),
        *("starterCode", "allowFileUpload", "allowedFileTypes"),
    )
    hint = "Next: give the user each url; without publish, create_candidates or import_candidates for private links."
    interviews: Annotated[list[InterviewInput], Field(min_length=1, max_length=50)]
    dry_run: Annotated[bool, Field(description="Only look at what is weak.")] = False
    allow_duplicate: Annotated[bool, Field(description="Make again what was made within a day.")] = False

    @model_validator(mode="after")
    def _not_too_many(self) -> LaunchInterviews:
        number = sum(len(each.questions) for each in self.interviews)
        if number > MOST_QUESTIONS:
            raise ValueError(f"interviews have {number:,} questions together and take {MOST_QUESTIONS:,} at most")
        return self

    @classmethod
    def next_step(cls, result: Mapping[str, Any]) -> str:
        if result.get("dryRun"):
            return "Next: show the user what is weak; the same call without dryRun makes them."
        made = [row for row in result["data"] if row["state"] in ("made", "made before")]
        opened = ["give the user each url"] if any(row.get("url") for row in made) else []
        closed = [f"{'for the others ' * bool(opened)}create_candidates or import_candidates for private links"]
        steps = opened + (closed if any(not row.get("url") for row in made) else [])
        return f"Next: {'; '.join(steps)}." if steps else ""


async def launch_interviews(client: Caller, given: LaunchInterviews, spent: Spent) -> Launched:
    """Each in turn: interview, questions, link; every step is written down before the next."""
    begin(spent)
    whole = await resolved(client, given.interviews, spent)
    rows = await aside(lambda: [_row(each) for each in whole])
    if given.dry_run:
        said = _first_screens(client, whole)
        return Launched.model_validate({"data": rows, "dry_run": True, "remarks": said})
    await agreements(client).note({digest(given): True})
    work = _Launch(client, spent, given)
    await work.begin()
    for number, (row, each) in enumerate(zip(rows, whole, strict=True)):
        await work.launch(row, each, work.items[number])
        await spent.report(number + 1, len(rows), f"{row.title}: {row.state}")
    failed = [row for row in rows if row.state == "failed"]
    if len(failed) == len(rows):
        raise BadRequest(_why(failed), "", status=400, code="REFUSED")
    remaining = sum(row.state == "remains" for row in rows)
    remarks = [remain(remaining, len(rows), spent, then=NOT_TWICE)] if remaining else []
    remarks += [f"{len(failed)} of {len(rows)} failed: {_why(failed)}"] if failed else []
    remarks += work.not_told
    remarks += _first_screens(client, [each for row, each in zip(rows, whole, strict=True) if row.url])
    remarks += [BEFORE] if any(row.state == "made before" for row in rows) and not remaining else []
    if given.allow_duplicate and not remaining:
        await work.end()
        await agreements(client).strike([digest(given)])
    return Launched.model_validate(
        {
            "data": [row.model_dump(exclude_defaults=True) for row in rows],
            "remaining": remaining,
            "remarks": remarks,
        }
    )


def _first_screens(client: Caller, opened: Sequence[Resolved]) -> list[str]:
    """What candidates see before they begin, each once; where it differs, it says whose page that is."""
    said: dict[str, str] = {}
    for each in opened:
        for line in first_screen(client, each.interview, len(each.questions)):
            said.setdefault(line, "" if len(opened) == 1 else f"{quoted(each.interview.title, 40)}: ")
    alike = len(said) == 1
    return [line if alike else whose + line for line, whose in [*said.items()][:SCREENS]]


def _why(failed: Sequence[LaunchedRow]) -> str:
    """Why these could not be made; where there are several, each says whose it is."""
    return " ".join(f"{quoted(row.title, 40)}: {row.error}" if len(failed) > 1 else row.error or "" for row in failed)


def looked_over(interviews: Sequence[Resolved]) -> list[str]:
    """What is weak about each; where there are several, each warning says whose it is."""
    whose = [f"{quoted(each.interview.title, 40)}: " if len(interviews) > 1 else "" for each in interviews]
    return [f"{title}{said}" for title, each in zip(whose, interviews, strict=True) for said in _row(each).warnings]


def _row(each: Resolved) -> LaunchedRow:
    from aural_mcp.workflows.lint import warnings_for  # its patterns take a while, and a start does without

    return LaunchedRow(
        title=inert(each.interview.title),
        state="would be made",
        questions=len(each.questions),
        warnings=[*each.warnings, *warnings_for(each.interview, each.questions)],
    )


def _items(given: LaunchInterviews) -> list[str]:
    """What is written down of each: its content, and the how-manieth it is of equal ones."""
    seen: Counter[str] = Counter()
    items: list[str] = []
    for each in given.interviews:
        content = digest(each)
        seen[content] += 1
        items.append(f"{content}-{seen[content]}")
    return items


class _Launch:
    """The steps of one call; nothing more is begun once time or budget have ended."""

    def __init__(self, client: Caller, spent: Spent, given: LaunchInterviews) -> None:
        self._client, self._spent, self._given = client, spent, given
        self._ledger, self._ended = Ledger(client), False
        self.items = _items(given)
        self.not_told: list[str] = []
        self.journal = Journal(client, f"launch {digest(given)}" if given.allow_duplicate else "launch", KEPT)

    async def begin(self) -> None:
        """Join the same call where one is under way; one with allowDuplicate that has ended is not gone on with."""
        if self._given.allow_duplicate:
            while not (run := (await self.journal.done([RUN])).get(RUN)):
                await self.journal.claim({RUN: token_hex(8)}, {})
            self.items = [f"{run} {item}" for item in self.items]

    async def end(self) -> None:
        """Let the next same call begin anew; whoever is at this one still goes on with what is written down of it."""
        await self.journal.strike([RUN])

    async def launch(self, row: LaunchedRow, each: Resolved, item: str) -> None:
        """Carry out what is missing of an interview, and say in the row how far it is."""
        done: dict[str, Any] = (await self.journal.done([item])).get(item, {})
        row.id, row.url = done.get("id"), done.get("url")
        if done.get("complete"):
            row.state, row.warnings = "made before", []
            return
        row.state = "remains"
        if self._ended:
            return
        try:
            await self._steps(row, each, item, done)
            row.state = "made"
        except OUT_OF_BUDGET:
            self._ended = True
        except (BadRequest, NotFound) as refused:
            row.state, row.error = "failed", str(refused) + (HALF_MADE.format(id=row.id) if row.id else "")
        except (Unanswered, ServerError) as lost:
            row.error = str(lost)
        except AuralError as error:
            if item == self.items[0] and "id" not in done:
                raise
            row.error, self._ended = str(error), True

    async def _steps(self, row: LaunchedRow, whole: Resolved, item: str, done: dict[str, Any]) -> None:
        each = whole.interview
        if "mark" not in done:
            alike = self._given.allow_duplicate or not item.endswith("-1")
            await self._mark(item, done, token_hex(8) if alike else "")
        if "id" not in done:
            self._check_time()
            made = await self._ledger.once(plain(CreateInterview, each), self._spent, mark=done["mark"])
            await self._note(item, done, id=made.result.id)
        row.id = done["id"]
        if whole.questions and "questions" not in done:
            self._check_time()
            asked = CreateQuestions.model_construct(interview_id=done["id"], questions=whole.questions)
            await self._ledger.once(asked, self._spent)
            await self._note(item, done, questions=len(whole.questions))
        if whole.conditions and "connected" not in done:
            self._check_time()
            await connect(self._client, done["id"], whole.conditions, self._spent)
            await self._note(item, done, connected=True)
        if each.publish:
            self._check_time()
            opened = await self._client.call(PublishInterview(interview_id=done["id"]), spent=self._spent)
            row.url, self.not_told = opened.url, list(dict.fromkeys([*self.not_told, *not_told(opened)]))
        await self._note(item, done, complete=True, url=row.url)

    def _check_time(self) -> None:
        if is_over(self._spent):
            raise OUT_OF_BUDGET[0]("The time of this call is over.", "", 0)

    async def _mark(self, item: str, done: dict[str, Any], mark: str) -> None:
        """Give an interview what tells it from others, or take what the same call gave it elsewhere."""
        if await self.journal.claim({item: {**done, "mark": mark}}, {item: done} if done else {}):
            done["mark"] = mark
        else:
            done |= (await self.journal.done([item]))[item]

    async def _note(self, item: str, done: dict[str, Any], **more: Any) -> None:
        """Write down a step; what the same call has written elsewhere meanwhile stays."""
        known = {item: {**done}}
        done |= more
        while not await self.journal.claim({item: done}, known):
            known = await self.journal.done([item])
            done |= known.get(item, {}) | more

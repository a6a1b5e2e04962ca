"""What a person is asked before something is done: in words that they know, short, and all that matters to it.

Titles, questions and names were written by others: they stand in quotes, cleaned and shortened. Who a candidate is
stays unsaid where it must.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from secrets import token_hex
from typing import Any

from aural_mcp.api.models import InterviewDetail
from aural_mcp.api.operations import (
    LISTED,
    ArchiveInterview,
    CreateCandidates,
    DeleteQuestion,
    EndInterviewSessions,
    GetInterview,
    ListCandidates,
    Operation,
    PublishInterview,
)
from aural_mcp.bounds import aside
from aural_mcp.client.caller import Caller
from aural_mcp.client.client import Spent
from aural_mcp.privacy.audit import LONGEST_REASON
from aural_mcp.privacy.exposure import Guarded, RevealCandidate
from aural_mcp.privacy.stored import Homes, home_of
from aural_mcp.safety import quoted
from aural_mcp.server.parts import Part, Parts, changes, digest_of, interview_parts, key, part, parts, question_part
from aural_mcp.tools.first_screen import not_told
from aural_mcp.tools.people import told_apart
from aural_mcp.tools.sessions import EndedRow, duration, end_interview_sessions, seconds_since
from aural_mcp.tools.standing import told
from aural_mcp.workflows.cloning import resolved
from aural_mcp.workflows.decisions import RecordDecision, acting, considered
from aural_mcp.workflows.launch import LaunchInterviews, looked_over
from aural_mcp.workflows.lists.importing import NO_QUESTIONS, ImportCandidates, agreement, planned, unready
from aural_mcp.workflows.lists.lately import Lately
from aural_mcp.workflows.mail.messages import SendMessages, shown

MANY = 20
"""People who may be registered within ten minutes without a question."""
TITLE, TEXT, WARNING = 80, 160, 160
"""Letters of a title, of a question's text and of a warning that are shown."""
MOST_NAMES, MOST_WARNINGS = 5, 4
MESSAGES = "messages"
"""The part that says which messages would leave."""


@dataclass(frozen=True)
class Question:
    """What is asked before something is done, and the parts of what a yes holds for."""

    operation: Operation[Any]
    said: Sequence[str]
    parts: Parts
    changed: str = ""

    @property
    def text(self) -> str:
        """Its sentences, as one text."""
        return " ".join([self.changed, *self.said] if self.changed else self.said)

    @property
    def target(self) -> str:
        """What stands for all parts at once."""
        return digest_of(self.parts)

    def since(self, before: Parts) -> Question:
        """The same question to somebody who agreed to what it was before: it says what changed."""
        return replace(self, changed=f"Nothing was done: {changes(before, self.parts)}.")


@dataclass(frozen=True)
class Looking:
    """What is needed to look at what would change.

    Args:
        homes: which interview a question belongs to, as far as that is known.
        call: tells this call from others.
    """

    client: Caller
    spent: Spent
    homes: Homes = field(default_factory=Homes)
    call: str = field(default_factory=lambda: token_hex(8))

    async def interview(self, interview_id: str) -> InterviewDetail:
        """An interview as it is now."""
        return await self.client.raw.call(GetInterview(interview_id=interview_id), spent=self.spent)

    async def may_register(self, interview_id: str, people: int) -> bool:
        """Whether so many more may be registered without a question; if so, they are counted."""
        return await Lately(self.client, interview_id).count(self.call, people, MANY)

    @property
    def names_people(self) -> bool:
        """Whether people may be named here."""
        return not (isinstance(self.client, Guarded) and self.client.exposure.anonymous)


async def question(looking: Looking, operation: Operation[Any]) -> Question | None:
    """What to ask before this is carried out; None when nothing needs to be asked.

    Raises:
        AuralError: what would change cannot be looked at.
    """
    asking = next((asks for kind, asks in ASKED.items() if isinstance(operation, kind)), None)
    seen = await asking(looking, operation) if asking else None
    return None if seen is None else Question(operation, [each for each in seen[0] if each], seen[1])


Seen = tuple[Sequence[str], Parts]
"""The sentences of a question, empty ones among them, and the parts."""


# ── Interviews and questions ────────────────────────────────────────────────────────────────────


async def _publish(looking: Looking, operation: PublishInterview) -> Seen:
    found = await looking.interview(operation.interview_id)
    said = [f"Open {_title(found)} to everyone who has its link?", _holds(found), _begun(found)]
    said += ["It is archived: that takes candidates again."] if not found.is_active else []
    said += not_told(found)
    return [*said, "Aural cannot make it invite-only again."], interview_parts(found)


async def _archive(looking: Looking, operation: ArchiveInterview) -> Seen:
    found = await looking.interview(operation.interview_id)
    closed = "Its links take nobody from then on; only publishing opens it again, for everyone."
    return [f"Archive {_title(found)}?", _begun(found), closed], interview_parts(found)


async def _delete(looking: Looking, operation: DeleteQuestion) -> Seen:
    found, looked_at = await home_of(looking.client.raw, operation.question_id, looking.homes, looking.spent)
    for_good = "That cannot be undone; given answers stay in transcripts."
    if found is None:
        those = "interview" if looked_at == 1 else f"{looked_at} interviews"
        where = f"It was not found in the {those} changed last, so nobody can say what it asks."
        return [f"Delete the question with the id {quoted(operation.question_id)}?", where, for_good], {}
    number, row = next(
        (number, each) for number, each in enumerate(found.questions, 1) if each.id == operation.question_id
    )
    said = f"Delete question {number} of {len(found.questions)} of {_title(found)}, {quoted(row.text, TEXT)}?"
    held = parts(title=found.title, its_place=number) | {key(row.id): question_part(row, number)}
    return [said, _begun(found), for_good], held


async def _launch(looking: Looking, operation: LaunchInterviews) -> Seen | None:
    """What is weak stands in the question: of those that are opened first."""
    opened = [each for each in operation.interviews if each.publish]
    if operation.dry_run or not opened:
        return None
    titles = _few([quoted(each.title, TITLE) for each in opened])
    if len(operation.interviews) == 1:
        said = f"Make the interview {titles} and open it to everyone who has its link?"
    else:
        number = len(operation.interviews)
        said = f"Make {number} interviews and open {len(opened)} of them to everyone who has the link ({titles})?"
    whole = await resolved(looking.client, operation.interviews, looking.spent)
    weak = await aside(looked_over, sorted(whole, key=lambda each: not each.interview.publish))
    named = [each if len(each) <= WARNING else f"{each[: WARNING - 1]}…" for each in weak[:MOST_WARNINGS]]
    more = [f"{len(weak) - MOST_WARNINGS} more warnings come with dryRun true."] if len(weak) > MOST_WARNINGS else []
    warned = [f"What is weak: {' '.join([*named, *more])}"] if weak else []
    sources = {each.source.id: each.source for each in whole if each.source}
    made_from = [f"It is made from {_few([_title(each) for each in sources.values()])}."] if sources else []
    held = {f"{number} {name}": each for number, row in sources.items() for name, each in interview_parts(row).items()}
    return [said, *made_from, "Aural cannot make one invite-only again.", *warned], held


# ── People ──────────────────────────────────────────────────────────────────────────────────────


async def _end(looking: Looking, operation: EndInterviewSessions) -> Seen | None:
    if operation.dry_run:
        return None
    dry = operation.model_copy(update={"dry_run": True})
    rows = (await end_interview_sessions(looking.client, dry, looking.spent)).results
    found = await looking.interview(operation.interview_id)
    running, names = [each for each in rows if each.status == "eligible"], _names(rows)
    held = parts(title=found.title) | {
        f"session {each.id}": part(f"the session of {names[each.id]}", [each.status, each.reason, each.turns])
        for each in rows
    }
    if not running:
        return [f"None of {len(rows)} sessions of {_title(found)} can be ended now. Try all the same?"], held
    people = _few([f"{names[each.id]} ({duration(seconds_since(each.created_at))})" for each in running])
    ends = f"End {len(running)} of {len(rows)} sessions" if len(running) < len(rows) else f"End {_number(running)}"
    written = "They cannot go on. The time in brackets, pauses too, is written down as duration at most."
    return [f"{ends} of {_title(found)} for good: {people}?", written], held


def _number(rows: Sequence[EndedRow]) -> str:
    return "the session" if len(rows) == 1 else f"{len(rows)} sessions"


def _names(rows: Sequence[EndedRow]) -> dict[str, str]:
    """Whose session each is."""
    called = told_apart([(row.id, row.participant_name, None) for row in rows])
    return {known: quoted(name, 60) for known, name in called.items()}


async def _register(looking: Looking, operation: CreateCandidates) -> Seen | None:
    from aural_mcp.workflows.lists.people import key_of  # its patterns take a while, and a start does without

    number = len(operation.candidates)
    if await looking.may_register(operation.interview_id, number):
        return None
    found = await looking.interview(operation.interview_id)
    asked = ListCandidates(interview_id=operation.interview_id)
    listed = (await looking.client.raw.call(asked, spent=looking.spent)).data
    there = {key_of(row.name, row.email, row.phone) for row in listed}
    wanted = [each.model_dump(exclude_unset=True, by_alias=False) for each in operation.candidates]
    twice = [key for each in wanted if (key := key_of(each["name"], each.get("email"), each.get("phone"))) in there]
    names = [each.name for each in operation.candidates]
    said = await _registering(looking, found, number, names, len(listed))
    said += [f"{len(twice)} of them are registered already and get a second link."] if twice else []
    held = interview_parts(found) | parts(who_is_registered_already=sorted(twice))
    return [*said, "Nobody can be taken off again."], held


async def _import(looking: Looking, operation: ImportCandidates) -> Seen | None:
    """Nothing is asked for a few: as with create_candidates."""
    if operation.dry_run:
        return None
    _, plan = await planned(looking.client, operation, looking.spent)
    if await looking.may_register(operation.interview_id, len(plan.new)):
        return None
    found = await looking.interview(operation.interview_id)
    names = [each.given.name for each in plan.new]
    said = await _registering(looking, found, len(names), names, len(plan.listed))
    rows = plan.roster.invalid + plan.roster.duplicates + len(plan.registered)
    said += [f"{rows:,} rows of the list are left out."] if rows else []
    held = interview_parts(found) | {
        "list": part("the list or file", agreement(looking.client, operation)),
        "new": part("who of the list is new", [each.key for each in plan.new]),
    }
    unseen = "Nobody can be taken off again. What is imported elsewhere meanwhile cannot be seen."
    return [*said, unseen], held


async def _registering(
    looking: Looking, found: InterviewDetail, number: int, names: Sequence[str], there: int
) -> list[str]:
    """Who would get a link for what."""
    before = await Lately(looking.client, found.id).number()
    after = f", after {before} in the last ten minutes without a question" if before else ""
    people = "1 person" if number == 1 else f"{number:,} people"
    listed = f"which has {there:,}" if there < LISTED else "which has 1,000 or more"
    who = f" ({_few([quoted(each, 40) for each in names], 3)})" if looking.names_people else ""
    said = f"Register {people}{who} for {_title(found)}, {listed}{after}? Each gets a private link."
    return [said, *unready(found)]


async def _reveal(looking: Looking, operation: RevealCandidate) -> Seen:
    found = await looking.interview(operation.interview_id)
    said = f"Show who {quoted(operation.candidate)} of {_title(found)} is?"
    return [said, "The decision log will say that it was shown."], parts(title=found.title)


async def _decide(looking: Looking, operation: RecordDecision) -> Seen | None:
    """Nothing is asked where the same was recorded a moment ago: it is not recorded twice."""
    found = await considered(looking.client, operation, looking.spent)
    if found.twice:
        return None
    who = quoted(found.session.participant_name or "somebody unnamed", 60)
    head = found.session.interview
    title = quoted(head.title, TITLE) if head and head.title else "an interview without a title"
    before = f" ({quoted(found.earlier.reason, LONGEST_REASON)})" if found.earlier and looking.names_people else ""
    said = [
        f"Record this decision on {who} of {title}: {operation.decision}?",
        f"The reason: {quoted(operation.reason, LONGEST_REASON)}.",
        f"Before, it was {told(found.earlier)}{before}: that stays written down, this one holds."
        if found.earlier
        else "",
        f"Since {found.asks[:10]} they would rather speak with a person, and nobody closed that." if found.asks else "",
        "" if acting(looking.client).person else "Nobody signed in here: that it was you will not be verified.",
    ]
    earlier = found.earlier.model_dump(mode="json") if found.earlier else None
    return said, parts(the_earlier_decision=earlier, the_wish_to_speak_with_a_person=found.asks)


async def _send(looking: Looking, operation: SendMessages) -> Seen | None:
    """Nothing is asked where nothing is sent: a draft, or no mail server."""
    seen = await shown(looking.client, operation, looking.spent)
    if seen is None:
        return None
    said, held = seen
    return said, {MESSAGES: Part("who gets a message, or what it says", held)}


# ── Words ───────────────────────────────────────────────────────────────────────────────────────


def _title(found: InterviewDetail) -> str:
    return quoted(found.title, TITLE) if found.title else f"the interview without a title ({quoted(found.id)})"


def _holds(found: InterviewDetail) -> str:
    number = len(found.questions)
    return NO_QUESTIONS if not number else "It asks 1 question." if number == 1 else f"It asks {number} questions."


def _begun(found: InterviewDetail) -> str:
    """How many have begun, where that is known and anybody has."""
    number = (found.counts.sessions if found.counts else None) or 0
    if not number:
        return ""
    return "1 person has begun this interview." if number == 1 else f"{number:,} people have begun this interview."


def _few(each: Sequence[str], most: int = MOST_NAMES) -> str:
    """The first of them, and how many more there are."""
    shown, more = list(each[:most]), len(each) - most
    return ", ".join(shown) + (f" and {more:,} more" if more > 0 else "")


Asking = Callable[[Looking, Any], Awaitable[Seen | None]]
ASKED: dict[type[Operation[Any]], Asking] = {
    PublishInterview: _publish,
    ArchiveInterview: _archive,
    DeleteQuestion: _delete,
    EndInterviewSessions: _end,
    CreateCandidates: _register,
    RevealCandidate: _reveal,
    LaunchInterviews: _launch,
    ImportCandidates: _import,
    SendMessages: _send,
    RecordDecision: _decide,
}

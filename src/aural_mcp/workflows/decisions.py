"""What people decided on candidates, in their words: kept by the backend where it can, else on this computer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import Field

from aural_mcp.api.decisions import ADVERSE, SaveDecision, Verdict
from aural_mcp.api.errors import Forbidden, NotFound, NotOffered
from aural_mcp.api.models import Candidate, Decision, Record, Session
from aural_mcp.api.operations import GetSession, ListCandidates, Operation, SessionId, Text
from aural_mcp.client.caller import Caller
from aural_mcp.client.client import Spent
from aural_mcp.privacy.acting import NOBODY, Acting
from aural_mcp.privacy.audit import LONGEST_REASON
from aural_mcp.privacy.exposure import Guarded
from aural_mcp.privacy.who import one_line
from aural_mcp.safety import inert
from aural_mcp.tools.standing import NOT_VERIFIED as NOT_VERIFIED
from aural_mcp.tools.standing import by, person_since, told
from aural_mcp.tools.standing import decisions_of as decisions_of
from aural_mcp.tools.standing import due as due
from aural_mcp.tools.standing import kept as kept
from aural_mcp.workflows.asked import tokens
from aural_mcp.workflows.base import refused

AGAIN = timedelta(minutes=10)
"""Within which the same decision is the same one, said twice."""
NAMES = "reason names somebody, or holds an address or a number to call; the decision log keeps it for good"
NOT_WHOM = "Say why, not whom, and call record_decision again"
OPEN = "reject was not recorded: since {since} this candidate would rather speak with a person, and nobody closed that"
CLOSE = (
    "Somebody speaks with them first, then the operator runs `aural-mcp requests close`. The other decisions can be "
    "recorded now"
)
TWICE = "The same was recorded at {at} UTC: nothing new was stored."
HERE = "This backend stores no decisions: it is kept here beside it, and in the decision log."
LOST = "The state of this computer cannot be kept, and this backend stores no decisions: it would be forgotten"
LOOK = "See that the data folder (AURAL_DATA_DIR) can be written, and restart"
UNVERIFIED = "Nobody signed in, so who decided is not verified."
DUE = "The candidate's explanation is due by {day} (AURAL_EXPLANATION_DAYS); wait_for_sessions says so until then."


class Recorded(Record):
    """What was written down."""

    decision: str = ""
    at: str = ""
    by: str = ""
    earlier: str = ""
    looked_at: list[str] = []


class RecordDecision(Operation[Recorded]):
    """Write down what the user decided on one candidate, and why.

    The decision is theirs: propose none, least of all by score. They are always asked first.
    """

    effect, toolset = "create", "workflows"
    confirmed = True
    session_id: SessionId
    decision: Verdict
    reason: Annotated[Text, Field(max_length=LONGEST_REASON, description="Why, not whom, in the user's words.")]


@dataclass(frozen=True)
class Considered:
    """Whom a decision is about, as they may be seen, and what there is to know before it is written down.

    Args:
        asks: since when they would rather speak with a person, where nobody closed that.
        earlier: the decision that holds so far, with its reason.
        twice: whether it is the same, by the same person, said again within minutes.
    """

    session: Session
    asks: str
    earlier: Decision | None
    twice: bool


async def considered(client: Caller, given: RecordDecision, spent: Spent) -> Considered:
    """Look at what a decision is about.

    Raises:
        BadRequest: the reason names somebody, or it turns down somebody who waits for a person.
    """
    asked = GetSession(session_id=given.session_id)
    session = await client.raw.call(asked, spent=spent)
    if _names_somebody(given.reason, session, await _registered(client, session, spent)):
        raise refused(NAMES, NOT_WHOM)
    asks = person_since(session)
    if asks and given.decision in ADVERSE:
        raise refused(OPEN.format(since=asks[:10]), CLOSE)
    said = (await kept(client).done([given.session_id])).get(given.session_id)
    earlier = session.decision or (Decision.model_validate(said) if said else None)
    earlier = earlier.model_copy() if earlier else None
    return Considered(await client.seen(asked, session, spent), asks, earlier, _is_same(earlier, given, acting(client)))


async def record_decision(client: Caller, given: RecordDecision, spent: Spent) -> Recorded:
    """Stored where the backend can, else kept here; what held before is named."""
    found, who = await considered(client, given, spent), acting(client)
    if found.twice and found.earlier:
        return _recorded(found.earlier, None, [TWICE.format(at=found.earlier.at[11:16])])
    asked = SaveDecision(
        session_id=given.session_id,
        decision=given.decision,
        reason=_reason(given),
        by=one_line(who.person),
        verified=bool(who.person),
        looked_at=list(await who.looked_at(given.session_id)),
    )
    remarks = [] if asked.verified else [UNVERIFIED]
    try:
        made = await client.call(asked, spent=spent)
    except (NotOffered, NotFound):  # the session was there a moment ago
        made = await _keep(client, asked)
        remarks.append(HERE)
    by_then = due(made, who.employer.explanation_days)
    remarks += [DUE.format(day=by_then.date().isoformat())] if by_then else []
    return _recorded(made, found.earlier, remarks)


def acting(client: Caller) -> Acting:
    """Who acts, and for whom."""
    return client.acting if isinstance(client, Guarded) else NOBODY


def _recorded(made: Decision, earlier: Decision | None, remarks: Sequence[str]) -> Recorded:
    row = {"decision": made.decision, "at": made.at, "by": by(made)}
    more = {"earlier": told(earlier)} if earlier else {}
    return Recorded.model_validate({**row, **more, "looked_at": made.looked_at, "remarks": list(remarks)})


async def _keep(client: Caller, asked: SaveDecision) -> Decision:
    """Keep a decision on this computer.

    Raises:
        BadRequest: nothing can be kept here.
    """
    if client.state.is_lost:
        raise refused(LOST, LOOK)
    made = {**asked.payload(), "at": datetime.now(UTC).isoformat(timespec="microseconds")}
    await kept(client).note({asked.session_id: made})
    return Decision.model_validate(made)


def _reason(given: RecordDecision) -> str:
    return one_line(given.reason, LONGEST_REASON)


def _is_same(earlier: Decision | None, given: RecordDecision, who: Acting) -> bool:
    if earlier is None or datetime.now(UTC) - datetime.fromisoformat(earlier.at) > AGAIN:
        return False
    known = (earlier.decision, earlier.reason, earlier.by)
    return known == (given.decision, _reason(given), one_line(who.person))


async def _registered(client: Caller, session: Session, spent: Spent) -> Sequence[Candidate]:
    """Who is registered for the interview of a session; nobody where the backend does not say."""
    if session.interview is None:
        return []
    try:
        asked = ListCandidates(interview_id=session.interview.id)
        return (await client.raw.call(asked, spent=spent)).data
    except (NotOffered, Forbidden):
        return []


def _names_somebody(reason: str, session: Session, people: Sequence[Candidate]) -> bool:
    """Whether a text has a part of this candidate's name, the whole name of another, an address or a number to call."""
    from aural_mcp.privacy.blind import UMLAUTS  # its patterns take a while, and a start does without

    person = next((each for each in people if each.session_id == session.id), None)
    names = {session.participant_name or "", person.name if person else ""}
    if names_one(reason, names, (person.phone if person else None) or ""):
        return True
    others = [tokens(spelled) for each in people for spelled in (each.name, each.name.translate(UMLAUTS))]
    orders = [way for each in others if len(each) > 1 for way in (each, [each[-1], *each[:-1]])]
    return any(f" {' '.join(each)} " in f" {_words(reason)} " for each in orders)


def names_one(text: str, names: Iterable[str], phone: str = "") -> bool:
    """Whether a text has a part of the name of somebody who is called so, an address or a number to call."""
    from aural_mcp.privacy.blind import Facts, Redactor  # its patterns take a while, and a start does without

    facts, words = Facts(names=frozenset(names), phone=phone), _words(text)
    if Redactor(facts)(text) != inert(text, "(link)"):
        return True
    return Redactor(Facts(names=facts.names))(words) != words  # also in a link


def _words(text: str) -> str:
    return " ".join(each for each in tokens(text) if each.isalpha())

"""Candidates: who has a link, who has begun, how far they are; what invites bias only when asked for by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import MISSING, Field, model_validator

from aural_mcp.api.erasing import ReturnCandidates
from aural_mcp.api.errors import AuralError, Conflict, NotFound
from aural_mcp.api.models import Candidate, Record, Rows, SessionSummary
from aural_mcp.api.operations import (
    LISTED,
    CreateCandidates,
    ListCandidates,
    ListSessions,
    Positive,
    Text,
    UpdateCandidate,
    Whole,
)
from aural_mcp.client.caller import Caller
from aural_mcp.client.client import Spent
from aural_mcp.client.ledger import Ledger
from aural_mcp.client.links import invite_link
from aural_mcp.config import CLOUD
from aural_mcp.privacy.exposure import Guarded, RevealCandidate, Revealed
from aural_mcp.safety import inert, mail, quoted
from aural_mcp.tools.clearing import CLEAR, check_clear, cleared
from aural_mcp.tools.people import check_people
from aural_mcp.tools.sessions import REQUESTED, AsksForPerson
from aural_mcp.tools.shape import AllowDuplicate, contains, fitting, plain, said, search
from aural_mcp.tools.standing import OpenRequest, person_since, requests_of

NOT_BEGUN, BEGUN = "NOT_BEGUN", "BEGUN"
NEWEST = "1,000 or more are registered; Aural shows only the newest 1,000."


def cut(listed: Sequence[object]) -> list[str]:
    """What to say of everything that stands on a list of candidates which may not be whole."""
    return [NEWEST] if len(listed) >= LISTED else []


class CandidateRow(Record):
    """A candidate as a table shows it, and what was asked for besides."""

    id: str
    name: str = ""
    email: str | None = None
    has_invite_link: bool | None = None
    status: str = Field(default="", description="NOT_BEGUN, or how the session stands (BEGUN where that is unknown).")
    session_id: str | None = None
    created_at: str = ""
    asks_for_person: AsksForPerson = ""
    requests: list[OpenRequest] = []


class CandidateTable(Record):
    """Candidates, newest first."""

    data: list[CandidateRow]
    total: int = Field(default=0, description="How many match in all.")
    next_row: int | None = Field(default=None, description="Call again with fromRow set to this; null at the end.")


class ListCandidatesArguments(ListCandidates):
    """The tool's arguments."""

    status: Literal["NOT_BEGUN", "IN_PROGRESS", "COMPLETED", "ABANDONED"] | MISSING = MISSING
    name: Annotated[Text | MISSING, Field(description="A part of name or e-mail.")] = MISSING
    include: Annotated[
        list[
            Literal[
                "inviteUrl",
                "phone",
                "notes",
                "education",
                "school",
                "major",
                "workExperience",
                "gender",
                "birthday",
                "graduationYear",
            ]
        ],
        Field(description="Only what the user asks for; gender, birthday and year invite bias."),
    ] = []
    from_row: Annotated[Positive, Field(description="First to show.")] = 1
    limit: Annotated[int, Field(ge=1, le=500), Whole] = 100


async def list_candidates(client: Caller, given: ListCandidatesArguments, spent: Spent) -> CandidateTable:
    """Who is registered, whether they have a link and how far they are: that stands in the list of sessions."""
    listed = found = (await client.call(plain(ListCandidates, given), spent=spent)).data
    if given.name is not MISSING:
        found = [row for row in found if contains(given.name, row.name, row.email)]
    sessions = await _sessions(client, given.interview_id, found, spent)
    origin = await client.link_origin()
    rows = [_row(each, sessions, given.include, origin) for each in found]
    rows = rows if given.status is MISSING else [row for row in rows if row.status == given.status]
    start = given.from_row - 1
    shown, _ = fitting(rows[start : start + given.limit])
    after = start + len(shown)
    next_row = after + 1 if shown and after < len(rows) else None
    wanting = sum(bool(row.requests) for row in rows)
    told = [*cut(listed), *([REQUESTED.format(count=wanting)] if wanting else [])]
    return CandidateTable(data=shown, total=len(rows), next_row=next_row, **said(told))


async def _sessions(
    client: Caller, interview_id: str, candidates: Sequence[Candidate], spent: Spent
) -> dict[str, SessionSummary]:
    """The sessions of these candidates, as far as the list of sessions has them."""
    begun = {row.session_id for row in candidates if row.session_id}
    if not begun:
        return {}
    operation: ListSessions = ListSessions(interview_id=interview_id, limit=100)
    known: dict[str, SessionSummary] = {}

    def wanted(row: SessionSummary) -> bool:
        known[row.id] = row
        return False

    try:
        await search(client, operation, spent, wanted)
    except AuralError:
        return {}
    return {row.id: row for row in known.values() if row.id in begun}


def _row(each: Candidate, sessions: dict[str, SessionSummary], include: Sequence[str], origin: str) -> CandidateRow:
    fields = each.model_dump(by_alias=True)
    session = sessions.get(each.session_id or "")
    link = {"inviteUrl": invite_link(origin, each.invite_token)} if each.invite_token else {}
    status = (session.status if session else BEGUN) if each.session_id else NOT_BEGUN
    since = min(filter(None, [person_since(each), person_since(session) if session else ""]), default="")
    asked = requests_of(each)
    asked += [one for one in (requests_of(session) if session else ()) if one not in asked]
    wanted = sorted(asked, key=lambda one: one.since)
    ours: dict[str, Any] = {"asksForPerson": since, "requests": wanted}
    more = {name: value for name, value in {**fields, **link}.items() if name in include}
    row = {name: fields[name] for name in ("id", "name", "email", "sessionId", "createdAt")}
    there = {} if "inviteUrl" in more else {"hasInviteLink": bool(link)}
    ours = {name: value for name, value in ours.items() if value}
    return CandidateRow.model_validate({**row, **there, "status": status, **more, **ours})


async def invited(client: Caller, interview_id: str, more: Sequence[Candidate], spent: Spent) -> list[CandidateRow]:
    """Everybody whom the list shows, with links, and `more` whom it does not show, whose state nobody knows."""
    asked = ListCandidates(interview_id=interview_id)
    listed = (await client.raw.call(asked, spent=spent)).data
    known = {row.id for row in listed}
    everybody = Rows[Candidate](data=[*listed, *(row for row in more if row.id not in known)])
    found = (await client.seen(asked, everybody, spent)).data
    sessions = await _sessions(client, interview_id, found, spent)
    origin = await client.link_origin()
    rows = [_row(each, sessions, ["inviteUrl"], origin) for each in found]
    return [row if row.id in known else row.model_copy(update={"status": ""}) for row in rows]


# ── Registering and changing ────────────────────────────────────────────────────────────────────


class Invitation(Record):
    """A person just registered and the private link to send."""

    id: str
    name: str = ""
    email: str | None = None
    invite_url: str = ""


class Invitations(Record):
    """The people just registered, in the order given."""

    data: list[Invitation]


AGAIN = "Leave them out. Only if the user says that they applied anew: call again with allowDuplicate true."


class CreateCandidatesArguments(CreateCandidates):
    """The tool's arguments."""

    allow_duplicate: AllowDuplicate = False


async def create_candidates(client: Caller, given: CreateCandidatesArguments, spent: Spent) -> Invitations:
    """Registered once: each name with its link; the rest of what was sent is not repeated."""
    check_people(given.candidates)
    ours = client.base_url != CLOUD
    asked = plain(ReturnCandidates if given.allow_duplicate and ours else CreateCandidates, given)
    try:
        made = await Ledger(client).once(asked, spent, allow_duplicate=given.allow_duplicate)
    except Conflict as erased:
        raise Conflict(erased.message, AGAIN, status=erased.status, code=erased.code) from erased
    rows = [
        {"id": row.id, "name": row.name, "email": row.email, "inviteUrl": row.invite_url} for row in made.result.data
    ]
    return Invitations.model_validate({"data": rows, "remarks": made.remarks})


async def reveal_candidate(client: Caller, given: RevealCandidate, spent: Spent) -> Revealed:
    """Looks through the people and the sessions of the interview for the one that is called so."""
    wanted = given.candidate.strip().upper().removeprefix("CANDIDATE").strip()

    name_of = await client.pseudonyms() if isinstance(client, Guarded) else str

    def is_it(identifier: str) -> bool:
        return name_of(identifier).endswith(f" {wanted}")

    people = (await client.raw.call(ListCandidates(interview_id=given.interview_id), spent=spent)).data
    called = f"Candidate {wanted}"
    for row in people:
        if is_it(row.id):
            return Revealed(
                candidate=called,
                name=inert(row.name),
                email=mail(row.email or "") or None,
                candidate_id=row.id,
                session_id=row.session_id,
            )
    sessions: ListSessions = ListSessions(interview_id=given.interview_id, limit=1)
    found = await search(client.raw, sessions, spent, lambda row: is_it(row.id))
    for row in found.rows:
        return Revealed(
            candidate=called,
            name=inert(row.participant_name or ""),
            email=mail(row.participant_email or "") or None,
            session_id=row.id,
        )
    raise NotFound(
        f"Nobody in this interview is called {quoted(called)}. {' '.join(cut(people))}".strip(),
        "Names of candidates come from list_sessions and list_candidates; check the interviewId too.",
        status=404,
        code="NOT_FOUND",
    )


class CandidateView(Record):
    """A candidate after a change: who it is, and the fields that were given."""

    id: str
    name: str = ""
    email: str | None = None
    session_id: str | None = None


class UpdateCandidateArguments(UpdateCandidate):
    """The tool's arguments."""

    clear: Annotated[
        list[
            Literal[
                "email",
                "phone",
                "notes",
                "gender",
                "birthday",
                "education",
                "school",
                "major",
                "graduationYear",
                "workExperience",
            ]
        ]
        | MISSING,
        Field(description=CLEAR),
    ] = MISSING
    _consistent = model_validator(mode="after")(check_clear)


IN_SESSION = "The session that this person has begun keeps the name and address that it began with."


async def update_candidate(client: Caller, given: UpdateCandidateArguments, spent: Spent) -> CandidateView:
    """Who it is and what was changed, nothing else."""
    asked, remarks = cleared(UpdateCandidate, given)
    row: dict[str, Any] = (await client.call(asked, spent=spent)).model_dump(mode="json", by_alias=True)
    names = ("id", "name", "email", "sessionId", *asked.payload())
    remarks += [IN_SESSION] if row["sessionId"] and {"name", "email"} & asked.payload().keys() else []
    return CandidateView.model_validate({**{name: row[name] for name in names}, **said(remarks)})

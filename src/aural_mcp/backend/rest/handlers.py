"""What each operation does in the embedded backend: one function per operation, one transaction each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection, Select, Table, and_, delete, func, insert, or_, select, update

from aural_mcp.api import operations as ops
from aural_mcp.backend.interview.doors import not_told
from aural_mcp.backend.interview.sessions import complete
from aural_mcp.backend.rest import intake
from aural_mcp.backend.rest.checks import INT4, Refused, bad
from aural_mcp.backend.rest.javascript import leading_integer
from aural_mcp.backend.rest.scope import (
    NO_INTERVIEW_ACCESS,
    Call,
    interview_of,
    is_uuid,
    missing,
    own_interview,
    own_question,
    own_session,
    rank,
    row_of,
)
from aural_mcp.backend.storage.erasing import buried, erased_before, has_erased
from aural_mcp.backend.storage.rights import beside_candidates, beside_sessions, notice_of, waiting_in
from aural_mcp.backend.storage.store import Row, new_id, new_token, now, questions_of, rows, turns_of
from aural_mcp.backend.storage.tables import (
    candidates,
    interviews,
    messages,
    organization_members,
    prep_attempts,
    prep_sessions,
    questions,
    sessions,
    settings,
)
from aural_mcp.backend.webhooks import note_candidates

Handler = Callable[[Call], Any]
HANDLERS: dict[ops.AnyOperation, Handler] = {}


class Paged(list[Row]):
    """Rows of a cursor list; `cursor` stands beside them in the answer."""

    cursor: str | None = None


class Told(list[Row]):
    """Rows of a workspace from which somebody was erased, which the answer says beside them."""


def handles(operation: ops.AnyOperation) -> Callable[[Handler], Handler]:
    """Register the function as the operation's handler."""

    def register(handler: Handler) -> Handler:
        HANDLERS[operation] = handler
        return handler

    return register


# ── Interviews ──────────────────────────────────────────────────────────────────────────────────


@handles(ops.ListInterviews)
def list_interviews(call: Call) -> Paged:
    mine = select(interviews).where(interviews.c.projectId.in_(call.projects))
    after = row_of(call.db, interviews, call.query.get("cursor"))
    page = _page(call, mine, interviews, "updatedAt", after, ties_ascend=True)
    ids = [row["id"] for row in page]
    asked, taken = _counts(call.db, questions, ids), _counts(call.db, sessions, ids)
    waiting = waiting_in(call.db, ids)
    for row in page:
        row["_count"] = {"questions": asked.get(row["id"], 0), "sessions": taken.get(row["id"], 0)}
        row["_count"] |= {"waiting": waiting[row["id"]]} if waiting[row["id"]] else {}
    return page


@handles(ops.CreateInterview)
def create_interview(call: Call) -> Row:
    if not call.projects:
        bad("No accessible project found for this API key.")
    row = intake.new_interview(call.body("Invalid JSON body."))
    row |= {"projectId": call.projects[0], "userId": call.scope.user_id, "publicSlug": new_token(10)}
    return _insert(call.db, interviews, [row])[0]


@handles(ops.GetInterview)
def get_interview(call: Call) -> Row:
    row = own_interview(call)
    row["questions"] = questions_of(call.db, row["id"])
    row["_count"] = {"sessions": _counts(call.db, sessions, [row["id"]]).get(row["id"], 0)}
    return row | _not_told(call, row)


@handles(ops.UpdateInterview)
def update_interview(call: Call) -> Row:
    if not call.projects:
        missing("Interview not found.")
    changes = intake.interview_changes(call.body("Invalid JSON body."))
    row = own_interview(call)
    return _change(call.db, interviews, row, changes)


@handles(ops.ArchiveInterview)
def archive_interview(call: Call) -> Row:
    row = own_interview(call)
    _change(call.db, interviews, row, {"isActive": False})
    return {"id": row["id"], "archived": True}


@handles(ops.PublishInterview)
def publish_interview(call: Call) -> Row:
    row = own_interview(call)
    slug = row["publicSlug"] or new_token(10)
    _change(call.db, interviews, row, {"isActive": True, "requireInvite": False, "publicSlug": slug})
    return {"id": row["id"], "publicSlug": slug, "url": f"{call.origin}/i/{slug}"} | _not_told(call, row)


def _not_told(call: Call, interview: Row) -> Row:
    """What candidates are not told, as nobody has set it, only where there is any."""
    lacks = not_told(call.db, interview, call.employer) if call.employer else []
    return {"notTold": lacks} if lacks else {}


# ── Questions ───────────────────────────────────────────────────────────────────────────────────


@handles(ops.ListQuestions)
def list_questions(call: Call) -> list[Row]:
    return questions_of(call.db, interview_of(call, "No access to this interview")["id"])


@handles(ops.CreateQuestions)
def create_questions(call: Call) -> list[Row]:
    interview = interview_of(call, "No access to this interview")["id"]
    new = intake.new_questions(call.body("Invalid JSON body"))
    highest = call.db.execute(
        select(func.max(questions.c.order)).where(questions.c.interviewId == interview)
    ).scalar_one_or_none()
    last = -1 if highest is None else highest
    for row in new:
        last = max(last, row.setdefault("order", last + 1))
        row["interviewId"] = interview
    if last > INT4:
        bad(f"order must be at most {INT4}.")
    return _insert(call.db, questions, new)


@handles(ops.UpdateQuestion)
def update_question(call: Call) -> Row:
    changes = intake.question_changes(call.body("Invalid JSON body"))
    return _change(call.db, questions, own_question(call), changes)


@handles(ops.DeleteQuestion)
def delete_question(call: Call) -> Row:
    row = own_question(call)
    call.db.execute(delete(questions).where(questions.c.id == row["id"]))
    return {"id": row["id"], "deleted": True}


# ── Candidates ──────────────────────────────────────────────────────────────────────────────────

CANDIDATE_FIELDS = """
id name email phone notes gender birthday education school major graduationYear workExperience
inviteToken sessionId createdAt
""".split()


@handles(ops.ListCandidates)
def list_candidates(call: Call) -> list[Row]:
    interview = interview_of(call, NO_INTERVIEW_ACCESS)["id"]
    found = select(candidates).where(candidates.c.interviewId == interview).order_by(candidates.c.createdAt.desc())
    shown = found if call.query.get("everybody") == "True" else found.limit(1000)
    listed = rows(call.db, shown)
    ours = beside_candidates(call.db, listed)
    found = [_only(row, CANDIDATE_FIELDS) | ours[row["id"]] for row in listed]
    return Told(found) if has_erased(call.db) else found


@handles(ops.CreateCandidates)
def create_candidates(call: Call) -> list[Row]:
    interview = interview_of(call, NO_INTERVIEW_ACCESS)["id"]
    new = intake.new_candidates(call.body("Invalid JSON body"))
    if call.query.get("erased") != "return" and (gone := buried(call.db, interview, new)):
        raise Refused(409, erased_before(gone))
    for row in new:
        row |= {"interviewId": interview, "inviteToken": new_token(20)}
    made = _insert(call.db, candidates, new)
    note_candidates(call.db, made)
    return [
        _only(row, [*CANDIDATE_FIELDS, "updatedAt"]) | {"inviteUrl": f"{call.origin}/i/invite/{row['inviteToken']}"}
        for row in made
    ]


@handles(ops.UpdateCandidate)
def update_candidate(call: Call) -> Row:
    interview = interview_of(call, NO_INTERVIEW_ACCESS)
    if rank(call.scope.role_in(interview["projectId"])) < rank("MEMBER"):
        raise Refused(403, "MEMBER role or higher required.")
    changes = intake.candidate_changes(call.body("Invalid JSON body."))
    row = row_of(call.db, candidates, call.ids["candidateId"])
    if row is None or row["interviewId"] != interview["id"]:
        missing("Candidate not found.")
    call.db.execute(update(candidates).where(candidates.c.id == row["id"]).values(**changes))
    return _only(row | changes, [*CANDIDATE_FIELDS, "interviewId", "updatedAt"])


# ── Sessions ────────────────────────────────────────────────────────────────────────────────────

SUMMARY_FIELDS = """
id status participantName participantEmail summary insights themes sentiment totalDurationSeconds
createdAt updatedAt
""".split()
REPORT_FIELDS = """
participantName participantEmail status createdAt summary insights themes sentiment
totalDurationSeconds audioRecordingUrl audioRecordings audioDuration screenshots antiCheatingLog
""".split()


@handles(ops.ListSessions)
def list_sessions(call: Call) -> Paged:
    interview = interview_of(call, NO_INTERVIEW_ACCESS)["id"]
    cursor = call.query.get("cursor")
    after = row_of(call.db, sessions, cursor)
    if cursor and (after is None or after["interviewId"] != interview):
        bad("Invalid cursor")
    page = _page(call, select(sessions).where(sessions.c.interviewId == interview), sessions, "createdAt", after)
    said = _counts(call.db, messages, [row["id"] for row in page], "sessionId")
    ours = beside_sessions(call.db, page)
    for index, row in enumerate(page):
        counts = {"_count": {"messages": said.get(row["id"], 0)}}
        page[index] = _only(row, SUMMARY_FIELDS) | ours[row["id"]] | counts
    return page


@handles(ops.GetSession)
def get_session(call: Call) -> Row:
    row, interview = own_session(call, "Session not found", "You do not have access to this session")
    turns = turns_of(call.db, row["id"], "id", "role", "content", "timestamp")
    fields = [name for name in SUMMARY_FIELDS if name != "updatedAt"]
    return (
        _only(row, fields)
        | beside_sessions(call.db, [row])[row["id"]]
        | {"messages": turns, "interview": _only(interview, ["id", "title", "objective"])}
    )


@handles(ops.GetSessionReport)
def get_session_report(call: Call) -> Row:
    row, interview = own_session(call, "Session not found.", NO_INTERVIEW_ACCESS)
    head = {"interviewTitle": interview["title"], "interviewObjective": interview["objective"]}
    ours, notice = beside_sessions(call.db, [row])[row["id"]], notice_of(call.db, row["id"])
    ours |= {"notice": notice} if notice else {}
    return head | _only(row, REPORT_FIELDS) | ours | {"messages": turns_of(call.db, row["id"])}


@handles(ops.EndInterviewSessions)
def end_interview_sessions(call: Call) -> Row:
    interview = interview_of(call, NO_INTERVIEW_ACCESS)
    ids, dry_run = intake.sessions_to_end(call.body("Invalid JSON body."))
    role = call.scope.role_in(interview["projectId"])
    if rank(role) < rank("MEMBER"):
        message = "You need at least MEMBER permission to perform this action. Your current role is"
        raise Refused(403, f"{message} {role}.")
    return {"dryRun": dry_run, "results": [_end(call, interview["id"], given, dry_run) for given in ids]}


def _end(call: Call, interview_id: str, given: str, dry_run: bool) -> Row:
    if not is_uuid(given):
        return {"id": given, "status": "failed", "reason": "Operation failed."}
    row = row_of(call.db, sessions, given)
    if row is None or row["interviewId"] != interview_id or row["status"] != "IN_PROGRESS":
        reason = "Session not found in interview or not in progress."
        return {"id": given, "status": "skipped", "reason": reason}
    if dry_run:
        return {"id": given, "status": "eligible"}
    complete(call.db, row)
    return {"id": given, "status": "succeeded"}


# ── Practice ────────────────────────────────────────────────────────────────────────────────────


PRACTICE_FIELDS = """
mode status timed durationLimitMinutes startedAt lastActivityAt completedAt totalDurationSeconds
createdAt
""".split()


@handles(ops.ListPracticeSessions)
def list_practice_sessions(call: Call) -> list[Row]:
    interview = interview_of(call, NO_INTERVIEW_ACCESS)
    limit = intake.practice_limit(call.query.get("limit"))
    runs = prep_sessions.c
    mine = select(prep_sessions).where(runs.interviewId == interview["id"], runs.userId == call.scope.user_id)
    mine_in_order = rows(call.db, mine.order_by(runs.createdAt.desc(), runs.id.desc()).limit(limit))
    asked = _counts(call.db, questions, [interview["id"]]).get(interview["id"], 0)
    return [
        {"id": row["id"], "interviewId": interview["id"], "interviewTitle": interview["title"]}
        | _only(row, PRACTICE_FIELDS)
        | _scores(call.db, row["id"])
        | {"questionCount": asked}
        for row in mine_in_order
    ]


def _scores(db: Connection, run_id: str) -> Row:
    """Aural's numbers: an attempt without a score counts as 0."""
    scores = db.execute(select(prep_attempts.c.score).where(prep_attempts.c.sessionId == run_id)).scalars().all()
    known = [score or 0 for score in scores]
    return {
        "attemptCount": len(known),
        "averageScore": sum(known) / len(known) if known else None,
        "bestScore": max(known) if known else None,
    }


@handles(ops.GetPracticeReport)
def get_practice_report(call: Call) -> Row:
    run = row_of(call.db, prep_sessions, call.ids["practiceId"])
    if run is None or run["userId"] != call.scope.user_id:
        missing("Practice not found.")
    interview = row_of(call.db, interviews, run["interviewId"])
    if interview is None or call.scope.role_in(interview["projectId"]) is None:
        missing("Practice not found.")
    attempts = select(prep_attempts).where(prep_attempts.c.sessionId == run["id"]).order_by(prep_attempts.c.createdAt)
    return {
        "session": run,
        "interview": interview,
        "questions": questions_of(call.db, run["interviewId"]),
        "attempts": [row | {"audioUrl": None} for row in rows(call.db, attempts)],
    }


# ── Usage ───────────────────────────────────────────────────────────────────────────────────────


@handles(ops.GetUsage)
def get_usage(call: Call) -> Row:
    mine = interviews.c.projectId.in_(call.projects)
    templates = call.db.execute(select(func.count()).select_from(interviews).where(mine)).scalar_one()
    seconds = call.db.execute(
        select(func.coalesce(func.sum(sessions.c.totalDurationSeconds), 0)).join(interviews).where(mine)
    ).scalar_one()
    member = organization_members.c
    seats = call.db.execute(
        select(func.count()).select_from(organization_members).where(member.workspaceId == call.scope.organization_id)
    ).scalar_one()
    tokens = call.db.execute(select(settings.c.value).where(settings.c.name == "ai_tokens")).scalar() or 0
    used = {"templates": templates, "session_hours": round(seconds / 3600, 2), "ai_tokens": tokens, "seats": seats}
    counted = {name: {"used": number, "limit": None} for name, number in used.items()}
    return {"plan": "self-hosted", **counted, "counted_at": now()}


# ── Looking things up ───────────────────────────────────────────────────────────────────────────


def _page(
    call: Call, mine: Select[Any], table: Table, newest: str, after: Row | None, *, ties_ascend: bool = False
) -> Paged:
    """One page by a strict keyset on (time, id), newest first; `after` is the last row of the page before."""
    limit = leading_integer(call.query.get("limit"), default=20, most=100)
    time, key = table.c[newest], table.c.id
    if after is not None:
        tie = key > after["id"] if ties_ascend else key < after["id"]
        mine = mine.where(or_(time < after[newest], and_(time == after[newest], tie)))
    in_order = mine.order_by(time.desc(), key.asc() if ties_ascend else key.desc())
    found = rows(call.db, in_order.limit(limit + 1))
    page = Paged(found[:limit])
    page.cursor = page[-1]["id"] if len(found) > limit else None
    return page


def _counts(db: Connection, table: Table, parents: Sequence[str], column: str = "interviewId") -> dict[str, int]:
    parent = table.c[column]
    counted = select(parent, func.count()).where(parent.in_(parents)).group_by(parent)
    return {row[0]: row[1] for row in db.execute(counted)}


def _insert(db: Connection, table: Table, new: list[Row]) -> list[Row]:
    """Store new rows, all with one creation time, and read them back in the order given."""
    moment = now()
    ids = [new_id() for _ in new]
    for row, identifier in zip(new, ids, strict=True):
        db.execute(insert(table).values(**row, id=identifier, createdAt=moment, updatedAt=moment))
    stored = {row["id"]: row for row in rows(db, select(table).where(table.c.id.in_(ids)))}
    return [stored[identifier] for identifier in ids]


def _change(db: Connection, table: Table, row: Row, changes: Row) -> Row:
    changed = row | changes | {"updatedAt": now()}
    db.execute(update(table).where(table.c.id == row["id"]).values(**changes, updatedAt=changed["updatedAt"]))
    return changed


def _only(row: Row, fields: Sequence[str]) -> Row:
    return {name: row[name] for name in fields}

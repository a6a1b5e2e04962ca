"""What each operation does that the embedded backend offers beyond Aural's."""

from __future__ import annotations

from sqlalchemy import update

from aural_mcp.api.analysis import SaveSessionAnalysis, columns, problems
from aural_mcp.api.decisions import ADVERSE, SaveDecision
from aural_mcp.api.erasing import FindErased
from aural_mcp.api.operations import AnyOperation
from aural_mcp.backend.rest import intake
from aural_mcp.backend.rest.checks import Refused, bad
from aural_mcp.backend.rest.handlers import get_session, handles
from aural_mcp.backend.rest.scope import NO_INTERVIEW_ACCESS, Call, interview_of, own_session, rank
from aural_mcp.backend.storage.erasing import buried
from aural_mcp.backend.storage.rights import keep_decision, waits_for_person
from aural_mcp.backend.storage.store import Row, now, questions_of, turns_of
from aural_mcp.backend.storage.tables import sessions
from aural_mcp.backend.webhooks import note_session
from aural_mcp.events.outbox import SCORED

UNLISTED: tuple[AnyOperation, ...] = (SaveDecision, FindErased)
"""What is offered to workflows, and no tool is."""


@handles(FindErased)
def find_erased(call: Call) -> list[Row]:
    interview = interview_of(call, NO_INTERVIEW_ACCESS)["id"]
    found = buried(call.db, interview, intake.new_candidates(call.body("Invalid JSON body"), most=20_000))
    return [{"id": str(number), "position": number, "at": at} for number, at in found.items()]


@handles(SaveDecision)
def save_decision(call: Call) -> Row:
    row, _ = _members_session(call)
    given = intake.extension(SaveDecision, call.body("Invalid JSON body."), row["id"])
    if given.decision in ADVERSE:
        _refuse_while_waiting(call, row, "turn them down")
    return keep_decision(call.db, row["id"], given.payload())


@handles(SaveSessionAnalysis)
def save_session_analysis(call: Call) -> Row:
    row, interview = _members_session(call)
    given = intake.extension(SaveSessionAnalysis, call.body("Invalid JSON body."), row["id"])
    _refuse_while_waiting(call, row, "score them")
    turns = turns_of(call.db, row["id"], "id")
    asked = [question["text"] for question in questions_of(call.db, interview["id"])]
    rubric: list[Row] = interview["assessmentCriteria"] or []
    if row["status"] == "IN_PROGRESS":
        bad("This session is still in progress: score it when it is finished.")
    if wrong := problems(given, asked, [each["name"] for each in rubric], len(turns)):
        bad(" ".join(wrong))
    moment = now()
    made = columns(given, scored_by=given.scored_by, kind="agent", at=moment)
    call.db.execute(update(sessions).where(sessions.c.id == row["id"]).values(**made, updatedAt=moment))
    note_session(call.db, SCORED, row, at=moment)
    return get_session(call)


def _members_session(call: Call) -> tuple[Row, Row]:
    """The session and its interview, for who may change something there."""
    row, interview = own_session(call, "Session not found.", NO_INTERVIEW_ACCESS)
    if rank(call.scope.role_in(interview["projectId"])) < rank("MEMBER"):
        raise Refused(403, "MEMBER role or higher required.")
    return row, interview


def _refuse_while_waiting(call: Call, row: Row, act: str) -> None:
    """Refuse what is not done to somebody who waits for a person."""
    if wish := waits_for_person(call.db, row["id"]):
        said = f"This candidate would rather speak with a person: close that before you {act}"
        raise Refused(409, f"{said}, with aural-mcp requests close {wish['id']}")

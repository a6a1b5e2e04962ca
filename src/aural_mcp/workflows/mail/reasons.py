"""Why somebody may be refused: the lowest scores with what they rest on, for a person to check."""

from __future__ import annotations

from collections.abc import Sequence

from aural_mcp.api.models import InterviewDetail, Session
from aural_mcp.api.operations import ListCandidates
from aural_mcp.client.caller import Caller
from aural_mcp.client.client import Spent
from aural_mcp.safety import inert, quoted
from aural_mcp.workflows.base import OUT_OF_BUDGET, all_sessions
from aural_mcp.workflows.evidence import by_rule
from aural_mcp.workflows.scores import Card, Rubric, card_of, evidence_for, read_session, rubric_of

MOST_REASONS, LONGEST = 3, 300
NONE = "no evidence given"


async def reasons_for(
    client: Caller, interview: InterviewDetail, candidate_ids: Sequence[str], spent: Spent
) -> dict[str, list[str]]:
    """By candidate, the lowest scores first, each with its evidence."""
    rubric = rubric_of(interview)
    people = (await client.call(ListCandidates(interview_id=interview.id), spent=spent)).data
    sessions = {row.id: row for row in (await all_sessions(client, interview.id, spent))[0]}
    found: dict[str, list[str]] = {}
    for person in people:
        row = sessions.get(person.session_id or "") if person.id in candidate_ids else None
        if row is None:
            continue
        try:
            session = await read_session(client, row, spent)
        except OUT_OF_BUDGET:
            session = None
        found[person.id] = _of(card_of(row.insights, rubric), rubric, session)
    return found


def _of(card: Card, rubric: Rubric, session: Session | None) -> list[str]:
    scored = [(score, each) for each in rubric.columns if (score := card.score(each.id)) is not None]
    lines: list[str] = []
    for score, column in sorted(scored, key=lambda pair: pair[0])[:MOST_REASONS]:
        evaluation = card.evaluations[column.id]
        why = inert(str(evaluation.get("evaluation") or evaluation.get("reasoning") or ""))[:LONGEST]
        said = [
            f"turn {each['turn']}: {quoted(each['said'], LONGEST)}" if each.get("said") else f"turn {each['turn']}"
            for each in evidence_for(evaluation, session.messages if session else [])
        ]
        if not said and session and (found := by_rule(column, rubric, session, LONGEST)):
            said = [f"turn {found[0]}, chosen by rule: {quoted(found[1], LONGEST)}"]
        lines.append(f"{quoted(column.name, 60)} {score:g}: {why} ({'; '.join(said) or NONE})")
    return lines or ["Not scored: " + NONE]

"""Why one person was turned down: what was held, scored and decided, each traced to the record, and a draft letter.

Where evidence is missing nothing is drafted: the refusal names all that is missing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any, cast

from aural_mcp.api.decisions import ADVERSE
from aural_mcp.api.errors import AuralError
from aural_mcp.api.models import Candidate, Decision, InterviewDetail, Session, SessionReport, SessionSummary
from aural_mcp.api.operations import GetInterview
from aural_mcp.client.caller import Caller
from aural_mcp.client.client import Spent
from aural_mcp.config import Employer
from aural_mcp.privacy.acting import NOBODY
from aural_mcp.privacy.exposure import Guarded
from aural_mcp.safety import quoted
from aural_mcp.workflows import ranking
from aural_mcp.workflows.base import OUT_OF_BUDGET, all_sessions, not_now, refused
from aural_mcp.workflows.decisions import decisions_of, due
from aural_mcp.workflows.evidence import Rule, evaluated
from aural_mcp.workflows.letters import letter_of
from aural_mcp.workflows.packets import Collected, decided, nobody, people_of, report_of, told
from aural_mcp.workflows.scores import Card, Column, Rubric, as_number, card_of, rubric_of

MISSING = "No explanation was drafted, as evidence is missing. {these}"
SETTLE = "Settle each of these with the user, then call again"
UNDECIDED = "No decision is recorded for this person: record_decision records one that a person made."
NOT_ADVERSE = (
    "The latest decision on this person is {decision}: an explanation is owed to somebody who was turned down."
)
NO_REASON = "The decision has no reason: have it recorded again, with the reason."
ASKS = "This person asks to speak with a person, since {since}: the team closes that first, with aural-mcp requests."
NO_RUBRIC = "The interview has neither questions nor criteria, so there is no rubric to explain a score by."
STRANGE = "{name} was scored and is not in the interview any more: put it back, or have the session scored anew."
NO_WORDS = "{column} {name} has the score {score}, and no words of this person are named or found for it."
UNREAD = "The transcript could not be read just now."
NO_ANSWER = "The transcript has no words of this person."
LATER = (
    "The scores are of {scored}, after the decision of {decided}: which ones there were before is not known. Have the "
    "decision looked at again and recorded anew."
)
NO_CONTACT = "Nobody is named whom this person can ask: set AURAL_CONTACT where this server runs."
UNBEGUN = "This candidate has not begun, so there is no interview to explain a decision by"
DRAFTED = "The letter is a draft. Nobody was written to: a person reads it, corrects it and sends it."
DUE = "Due by {date}, {days} days after the decision (AURAL_EXPLANATION_DAYS)."
EXPLAINED = "It was explained on {date}."
TRACED, UNTRACED, UNSCORED = (
    "counted: every score below is traced to these words",
    "no score below is traced to it",
    "there are no scores",
)
DOUBTS = ("not finished", "very short", "garbled")
"""Of what `ranking` notes, what makes the scores of one person doubtful."""
SCORERS = {"model": "model", "agent": "agent", "person": "human"}


@dataclass
class _Case:
    """All that one explanation is made of."""

    interview: InterviewDetail
    rubric: Rubric
    person: Candidate | None
    row: SessionSummary
    report: SessionReport | None
    session: Session | None
    card: Card
    decision: Decision | None
    employer: Employer

    @property
    def name(self) -> str:
        """What the letter calls the person."""
        return (self.person.name if self.person else "") or self.row.participant_name or ""


async def explanation(client: Caller, interview_id: str, candidate_id: str, spent: Spent) -> Collected:
    """The explanation and the letter; whole or not at all.

    Raises:
        BadRequest: evidence is missing; the text names each piece.
        NotFound: nobody has this id.
    """
    case = await _read(client, interview_id, candidate_id, spent)
    factors = [_factor(column, case) for column in case.rubric.columns if case.card.score(column.id) is not None]
    missing = _missing(case, factors)
    if missing or not (case.decision and case.report):
        raise refused(MISSING.format(these=" ".join(missing)).rstrip("."), SETTLE)
    decision, days = case.decision, case.employer.explanation_days
    owed = due(decision, days)
    value = {
        "export": {"rubricVersion": case.rubric.version},
        "interview": {"id": case.interview.id, "title": case.interview.title},
        "person": {
            "name": case.name,
            "candidateId": case.person.id if case.person else None,
            "sessionId": case.row.id,
            "begunAt": case.row.created_at,
        },
        "decision": {
            **decided(decision),
            "explanationDue": owed.date().isoformat() if owed else None,
            "explainedAt": decision.explained_at,
        },
        "data": _data(case, case.report, scored=bool(factors)),
        "scoring": _scoring(case),
        "factors": factors,
        **told(case.report),
        "ask": {"organization": case.interview.company_name or case.employer.organization}
        | {"contact": case.employer.contact},
    }
    value["letter"] = letter_of(value, case.interview.language)
    said = DUE.format(date=owed.date(), days=days) if owed else EXPLAINED.format(date=decision.explained_at)
    about = {"sessions": 1, "rubricVersion": case.rubric.version}
    return Collected(value, about, [case.row.id], [said, DRAFTED, *value["letter"]["notes"]])


async def _read(client: Caller, interview_id: str, candidate_id: str, spent: Spent) -> _Case:
    interview = await client.call(GetInterview(interview_id=interview_id), spent=spent)
    people = await people_of(client, interview_id, spent)
    person = next((each for each in people if candidate_id in (each.id, each.session_id)), None)
    if person and not person.session_id:
        raise refused(UNBEGUN, "Look at list_candidates")
    rows, complete = await all_sessions(client, interview_id, spent)
    own = person.session_id if person else candidate_id
    row = next((each for each in rows if each.id == own), None)
    if row is None:
        raise nobody(candidate_id, people) if complete else not_now("all sessions were listed", spent)
    try:
        report = await report_of(client, row.id, spent)
    except OUT_OF_BUDGET:
        raise
    except AuralError:
        report = None
    rubric = rubric_of(interview)
    employer = (client.acting if isinstance(client, Guarded) else NOBODY).employer
    decision = (await decisions_of(client, [row])).get(row.id)
    card = card_of(row.insights, rubric)
    return _Case(interview, rubric, person, row, report, _session(row, report), card, decision, employer)


def _session(row: SessionSummary, report: SessionReport | None) -> Session | None:
    """The turns of a report as those are given who look for words."""
    if report is None:
        return None
    session = Session.model_validate({"id": row.id, "flags": (report.model_extra or {}).get("flags", [])})
    session.messages = [*report.messages]
    return session


# ── What is missing ─────────────────────────────────────────────────────────────────────────────


def _missing(case: _Case, factors: Sequence[dict[str, Any]]) -> list[str]:
    """Sentences on what keeps an explanation from being drafted."""
    since = case.row.asks_for_person or next((each.at for each in case.row.requests if each.kind == "person"), "")
    answers = (
        [each for each in case.report.messages if each.role == "USER" and each.content.strip()] if case.report else []
    )
    unproven = [each for each in factors if not each["evidence"]] if answers else []
    return [
        *_undecided(case),
        *([ASKS.format(since=since)] if since else []),
        *([] if case.rubric.columns else [NO_RUBRIC]),
        *(STRANGE.format(name=quoted(each, 80)) for each in case.card.strange),
        *([UNREAD] if case.report is None else [] if answers else [NO_ANSWER]),
        *(
            NO_WORDS.format(column=each["column"], name=quoted(each["name"], 80), score=f"{each['score']:g}")
            for each in unproven
        ),
        *([] if case.employer.contact else [NO_CONTACT]),
    ]


def _undecided(case: _Case) -> list[str]:
    decision, scored = case.decision, _scored_at(case.row)
    if decision is None:
        return [UNDECIDED]
    if decision.decision not in ADVERSE:
        return [NOT_ADVERSE.format(decision=quoted(decision.decision, 20))]
    late = scored is not None and scored > datetime.fromisoformat(decision.at)
    return [
        *([] if decision.reason.strip() else [NO_REASON]),
        *([LATER.format(scored=cast("datetime", scored).date(), decided=decision.at[:10])] if late else []),
    ]


def _scored_by(row: SessionSummary) -> dict[str, Any]:
    """Who scored, as the analysis says it; nothing where Aural did."""
    by = row.insights.get("scoredBy") if isinstance(row.insights, dict) else None
    return cast("dict[str, Any]", by) if isinstance(by, dict) else {"name": by} if by else {}


def _scored_at(row: SessionSummary) -> datetime | None:
    try:
        at = datetime.fromisoformat(str(_scored_by(row).get("at")))
    except ValueError:
        return None
    return at if at.tzinfo else None


# ── What there is ───────────────────────────────────────────────────────────────────────────────


def _factor(column: Column, case: _Case) -> dict[str, Any]:
    """A score, what it counts, and words that are in the transcript: the scorer's choice, else the rule's."""
    rule = Rule(case.rubric, case.session) if case.session else None
    row = evaluated(column, case.card, case.session.messages if case.session else [], rule)
    row["evidence"] = [each for each in row["evidence"] if each.get("said")] or (rule.evidence(column) if rule else [])
    weight = as_number(case.rubric.weights.counts.get(column.id))
    share = as_number(_shares(case.card, case.rubric).get(column.id))
    return {
        **row,
        "name": column.name,
        "description": column.description,
        **({} if weight is None else {"weight": weight}),
        "share": share,
    }


def _shares(card: Card, rubric: Rubric) -> dict[str, Fraction]:
    """What part of the overall score each column is: of the weighted mean where there is one, else of the mean."""
    if card.weighted is not None:
        counts = {column: weight for column, weight in rubric.weights.counts.items() if column in card.scored}
    else:
        counts = {column: Fraction(1) for column in card.scored if column[0] == max(each[0] for each in card.scored)}
    total = sum(counts.values(), Fraction())
    return {column: weight / total for column, weight in counts.items()}


def _scoring(case: _Case) -> dict[str, Any]:
    """Who scored, what comes of the scores and how, and what is not scored."""
    card, by = case.card, _scored_by(case.row)
    each = ranking.Candidate(case.row, card, session=case.session)
    ranking.look_at_rows([each], case.rubric)
    ranking.look_at_transcript(each, case.rubric)
    kind = SCORERS.get(str(by.get("kind")), "unknown") if by else "aural"
    weighted = as_number(card.weighted)
    return {
        "scoredBy": {"kind": kind, "name": by.get("name", "–") if by else card.scorer, "at": by.get("at")}
        if card.scored
        else None,
        "mean": card.mean,
        **({"weightedMean": weighted} if weighted is not None else {}),
        "overall": card.mean if weighted is None else weighted,
        "doubts": [reason for reason in each.reasons if reason in DOUBTS],
        "notScored": [
            {"column": column.id, "name": column.name}
            for column in case.rubric.columns
            if card.score(column.id) is None
        ],
    }


def _data(case: _Case, report: SessionReport, *, scored: bool) -> list[dict[str, Any]]:
    """What is held of the person, where it is from, and whether a score is traced to it."""
    events = Counter(each.type for each in report.anti_cheating_log)
    flagged = [str(each["turn"]) for each in cast("list[Any]", (report.model_extra or {}).get("flags", []))]
    media = {
        "audio recordings": len(report.audio_recordings) or int(bool(report.audio_recording_url)),
        "spoken answers": sum(bool(each.audio_url) for each in report.messages),
        "pictures": len(report.screenshots or []),
    }
    more = {"summary": report.summary, "themes": report.themes, "mood": report.sentiment}
    insights = report.insights if isinstance(report.insights, dict) else {}
    more |= {"tone": insights.get("toneAnalysis"), "key insights": insights.get("keyInsights")}
    answers = sum(each.role == "USER" for each in report.messages)
    drawings = sum(bool(each.whiteboard_data or each.whiteboard_image_url) for each in report.messages)
    drawn = f", {drawings} with a drawing" if drawings else ""
    found = [
        ("answers", "the interview", f"{answers} turns of {len(report.messages)}{drawn}"),
        ("record", "the person, or the team that registered them", ", ".join(_held(case))),
        ("recordings", "the interview", _counted(media)),
        ("log", "the candidate's browser", _counted(events)),
        ("flags", "this program, for a person to look at", f"turns {', '.join(flagged)}" if flagged else ""),
        ("analysis", "whoever scored", ", ".join(name for name, each in more.items() if each)),
    ]
    use = {"answers": TRACED if scored else UNSCORED}
    other = UNTRACED if scored else UNSCORED
    return [
        {"kind": kind, "from": source, "held": held, "use": use.get(kind, other)}
        for kind, source, held in found
        if held
    ]


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count)


def _held(case: _Case) -> list[str]:
    """The fields of the record that are filled, by name; who came by the public link has a name and an address."""
    if case.person is None:
        given = {"name": case.row.participant_name, "email": case.row.participant_email}
        return [name for name, each in given.items() if each]
    row = case.person.model_dump(by_alias=True, include={*RECORD})
    return [name for name, each in row.items() if each not in (None, "")]


RECORD = (
    *("name", "email", "phone", "notes", "gender", "birthday", "education", "school", "major", "graduation_year"),
    "work_experience",
)

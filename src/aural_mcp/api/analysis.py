"""A scored analysis of a session in Aural's shapes, and the local operation that stores one.

Aural analyses sessions by itself; the embedded backend has a model only when it is given one, so here the
agent at the other end can be the analyst. Whoever scores, the same rules hold: every question and criterion
is scored or said not to be, and evidence names turns that exist.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import Field

from aural_mcp.api.models import Session
from aural_mcp.api.operations import Arguments, Operation, SessionId, Text
from aural_mcp.safety import inert

Score = Annotated[
    Annotated[float, Field(ge=1, le=10)] | None, Field(description="10 is outstanding; null for not scored.")
]
Evidence = Annotated[list[Annotated[int, Field(ge=1)]], Field(description="Turn numbers.")]


class QuestionEvaluation(Arguments):
    """How one question was answered."""

    question: Annotated[Text, Field(description="Its text, exactly.")]
    score: Score
    evaluation: Annotated[Text, Field(description="Why, in a sentence or two.")]
    highlights: list[str] = []
    improvements: list[str] = []
    evidence: Evidence = []


class CriterionEvaluation(Arguments):
    """How the whole session meets one line of the rubric."""

    name: Annotated[Text, Field(description="The criterion's, exactly.")]
    score: Score
    reasoning: Text
    evidence: Evidence = []


class ToneSegment(Arguments):
    """The tone of one answer."""

    question: str
    tone: str
    confidence: Annotated[str, Field(description="low, medium or high.")]
    notes: str = ""


class ToneAnalysis(Arguments):
    """The tone of the session; it is no ground for a score."""

    overall: Annotated[str, Field(description="E.g. confident.")]
    details: str = ""
    segments: Annotated[list[ToneSegment], Field(description="By answer.")] = []


class Sentiment(Arguments):
    """The mood of the session."""

    overall: Annotated[Text, Field(description="positive, neutral, negative or mixed.")]
    details: str = ""


class Analysis(Arguments):
    """What an analyst says of a session."""

    summary: Annotated[Text, Field(description="A few sentences.")]
    key_insights: list[str] = []
    question_evaluations: Annotated[list[QuestionEvaluation], Field(description="One for each question.")]
    criteria_evaluations: Annotated[list[CriterionEvaluation], Field(description="One for each criterion.")] = []
    themes: list[str] = []
    sentiment: Sentiment | None = None
    tone_analysis: ToneAnalysis | None = None
    research_findings: Annotated[list[str] | None, Field(description="For RESEARCH questions.")] = None


class SaveSessionAnalysis(Operation[Session], Analysis):
    """Store your own scored analysis of a finished session, so that get_session shows it.

    Read get_session and get_interview first. Score from what the candidate said and nothing else, name the turns that
    show it, and give null where nothing was said. It replaces an earlier one.
    """

    method, path, effect, toolset = "PUT", "/sessions/{sessionId}/analysis", "update", "sessions"
    hint = "Before: get_session for the numbered turns, get_interview for the questions and criteria."
    unshown = ("segments",)
    session_id: SessionId
    scored_by: Annotated[Text, Field(description="Your name and model.")]


LOCAL_OPERATIONS = (SaveSessionAnalysis,)
"""What the embedded backend offers beyond Aural's operations."""


def problems(analysis: Analysis, questions: Sequence[str], criteria: Sequence[str], turns: int) -> list[str]:
    """What keeps an analysis from being stored, each as a sentence that names the field; empty when nothing does."""
    found = _differences("questionEvaluations", [each.question for each in analysis.question_evaluations], questions)
    found += _differences("criteriaEvaluations", [each.name for each in analysis.criteria_evaluations], criteria)
    evaluations = [*analysis.question_evaluations, *analysis.criteria_evaluations]
    for each in evaluations:
        label = each.question if isinstance(each, QuestionEvaluation) else each.name
        found += [
            f"evidence of “{label}” names turn {turn}, but the transcript has {turns} turns."
            for turn in each.evidence
            if turn > turns
        ]
        if each.score is not None and not each.evidence:
            found.append(f"“{label}” is scored without evidence: name the turns, or give null.")
    return found


def columns(analysis: Analysis, *, scored_by: str, kind: str, at: str) -> dict[str, Any]:
    """The analysis as Aural stores it, marked with who scored (`agent` or `model`), and when."""
    given = analysis.model_dump(mode="json")
    insights = {
        "keyInsights": given["keyInsights"],
        "questionEvaluations": given["questionEvaluations"],
        **({"criteriaEvaluations": given["criteriaEvaluations"]} if given["criteriaEvaluations"] else {}),
        **{name: given[name] for name in ("toneAnalysis", "researchFindings") if given[name] is not None},
        "scoredBy": {"kind": kind, "name": scored_by, "at": at},
    }
    return {
        "summary": given["summary"],
        "insights": insights,
        "themes": given["themes"],
        "sentiment": given["sentiment"],
    }


def _differences(field: str, given: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """What is missing, unknown or there twice; compared as agents see the texts."""
    given, wanted = [inert(each) for each in given], [inert(each) for each in wanted]
    missing = [f"{field} lacks “{each}”." for each in wanted if each not in given]
    unknown = [f"{field} has “{each}”, which is not in the interview." for each in given if each not in wanted]
    twice = [f"{field} has “{each}” twice." for each in dict.fromkeys(given) if given.count(each) > 1]
    return [*missing, *unknown, *twice]

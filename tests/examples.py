"""What several tests begin with: interviews, an analysis, least calls, the workspace of Aural's recorded answers."""

import json
from pathlib import Path

from aural_mcp.server.access import BY_NAME, arguments_of
from aural_mcp.tools.schemas import input_schema

TITLE = {"title": "Backend engineer", "assessmentCriteria": [{"name": "n", "description": "d"}]}
QUESTIONS = [{"text": f"Tell me about the hardest thing of year {number}."} for number in range(6)]
RUBRIC = [{"name": "Debugging", "description": "Names the cause of the hardest fault, and how it was found."}]
GOOD = {
    "title": "Backend engineer",
    "objective": "How they debug",
    "assessmentCriteria": RUBRIC,
    "questions": QUESTIONS,
}
ANALYSIS = {
    "scoredBy": "Claude, for Ada",
    "summary": "Ran a pipeline for two years.",
    "keyInsights": ["Has been on call"],
    "questionEvaluations": [
        {
            "question": "What did you build?",
            "score": 8,
            "evaluation": "Concrete.",
            "evidence": [3],
            "highlights": ["4k/s"],
        },
        {"question": "Why?", "score": None, "evaluation": "Skipped."},
    ],
    "criteriaEvaluations": [
        {"name": "Ownership", "score": 7.5, "reasoning": "Says what was theirs.", "evidence": [3]},
        {"name": "Depth", "score": None, "reasoning": "No evidence."},
    ],
    "themes": ["streaming"],
    "sentiment": {"overall": "positive", "details": "Engaged."},
}
SEED_FILE = Path(__file__).parent / "contract" / "seed.json"
SEED = json.loads(SEED_FILE.read_text(encoding="utf-8"))
ID = "00000000-0000-4000-8000-000000000001"
_LEAST = {
    "interviewId": ID,
    "questionId": ID,
    "sessionId": ID,
    "candidateId": ID,
    "practiceId": ID,
    "title": "T",
    "text": "Q?",
    "name": "N",
    "questions": [{"text": "Q?"}],
    "candidates": [{"name": "N"}],
    "interviews": [{"title": "T"}],
    "ids": [ID],
    "query": "q",
    "question": "1",
    "who": "Ana",
    "gender": True,
    "candidate": "Candidate K7MQ2X",
    "summary": "S",
    "scoredBy": "A",
    "questionEvaluations": [{"question": "Q?", "score": None, "evaluation": "E"}],
    "data": "Ana, ana@example.org",
    "kind": "invitation",
    "decision": "hold",
    "reason": "R",
}


def least(name):
    """The fewest arguments with which a tool can be called."""
    schema = input_schema(arguments_of(BY_NAME[name]))
    wanted = list(schema.get("required", ()))
    more = {"update_interview": ["title"], "update_question": ["text"], "update_candidate": ["name"]}
    more |= {
        "import_candidates": ["data"],
        "impact_report": ["gender"],
        "launch_interviews": ["interviews"],
        "save_session_analysis": [],
    }
    return {each: _LEAST[each] for each in [*wanted, *more.get(name, [])]}

"""What several tests begin with: interviews, an analysis, and the workspace that Aural's answers were recorded on."""

import json
from pathlib import Path

TITLE = {"title": "Backend engineer", "assessmentCriteria": [{"name": "n", "description": "d"}]}
QUESTIONS = [{"text": f"Tell me about the hardest thing of year {number}."} for number in range(6)]
RUBRIC = [{"name": "Debugging", "description": "Names the cause that was found, and how."}]
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

"""An interview whose finished sessions are scored as Aural scores them."""

import random

from conftest import ok
from rows import add_session

CRITERIA = ("Depth", "Design", "Ownership", "Clarity")
QUESTIONS = (
    "What did you build last?",
    "What broke, and what did you do about it?",
    "Which trade-off do you regret?",
    "How do you review code?",
    "What would you measure first?",
)
SAID = "I built the queue and measured 4,000 messages a second before the disk gave up in the third week."


async def interview_with(agent, questions=QUESTIONS, criteria=CRITERIA):
    """An interview with these questions and criteria; its id."""
    rubric = [{"name": name, "description": "A strong answer shows numbers."} for name in criteria]
    made = await ok(agent, "create_interview", title="Backend engineer", assessmentCriteria=rubric)
    await ok(agent, "create_questions", interviewId=made["id"], questions=[{"text": each} for each in questions])
    return made["id"]


def analysis(questions, criteria=None, **more):
    """An analysis as Aural writes it, from scores by question and by criterion."""
    asked = [
        {"question": text, "score": score, "evaluation": "E", "highlights": [], "improvements": []}
        for text, score in questions.items()
    ]
    rated = [{"name": name, "score": score, "reasoning": "R"} for name, score in (criteria or {}).items()]
    return {"questionEvaluations": asked, **({"criteriaEvaluations": rated} if rated else {}), **more}


def even(score, **more):
    """An analysis in which everything has this score."""
    return analysis(dict.fromkeys(QUESTIONS, score), dict.fromkeys(CRITERIA, score), **more)


def sit(world, interview, name, insights, turns=None, **fields):
    """Somebody's finished session; its id."""
    said = [turn for text in QUESTIONS for turn in (text, SAID)] if turns is None else turns
    given = {"status": "COMPLETED", "participantName": name, "insights": insights, **fields}
    return add_session(world, interview, said, **given)


def scored_by_chance(world, interview, count, seed=7):
    """So many people with scores by chance, whole and halves; the scores by session."""
    chance, scores = random.Random(seed), {}
    for number in range(count):
        given = {text: chance.randrange(2, 21) / 2 for text in QUESTIONS}
        rated = {name: chance.randrange(1, 11) for name in CRITERIA}
        scores[sit(world, interview, f"Person {number}", analysis(given, rated))] = given
    return scores

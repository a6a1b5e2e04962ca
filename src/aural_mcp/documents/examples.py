"""An example of each operation: one hire, from the interview that a team writes to what it reads of Ana Sousa.

They stand in the order in which a team makes them, and a test makes them so: `tests/documents/test_examples.py`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from aural_mcp.api import operations as ops
from aural_mcp.api.analysis import SaveSessionAnalysis
from aural_mcp.documents.manifests import SITE

Json = dict[str, Any]


class Example(NamedTuple):
    """`arguments` are path, query and body in one object, as the tools take them; `data` is what answers them."""

    arguments: Json
    data: Json | list[Json]


def _at(minute: int) -> str:
    return f"2026-03-02T{9 + minute // 60:02}:{minute % 60:02}:00.123456+00:00"


# ── The interview and its questions ─────────────────────────────────────────────────────────────

INTERVIEW = "5227a612-4e03-4ba9-8af2-0656a9bfc2d4"
USER = "fbfa6a83-8a51-437d-b86a-ca5e6c0c1ed3"
TITLE = "Senior backend engineer, payments"
OBJECTIVE = "Find out how they look for faults, and what they own in systems that move money."
SLUG = "9tm986bnbf"
WRITTEN: Json = {
    "title": TITLE,
    "description": "Three questions, half an hour at most, in writing.",
    "objective": OBJECTIVE,
    "assessmentCriteria": [
        {
            "name": "Debugging",
            "description": "Names the cause of a hard fault and says how it was found.",
            "weight": 2,
        },
        {"name": "Ownership", "description": "Says what was theirs to decide, and what came of it."},
    ],
    "aiTone": "FRIENDLY",
}
CREATED: Json = {
    "id": INTERVIEW,
    **WRITTEN,
    "mode": "CHAT",
    "allowModeSwitch": True,
    "userId": USER,
    "projectId": "f1dee48b-6353-42aa-bb3b-3cdcdad96ee5",
    "aiPersona": None,
    "aiName": "Aural",
    "followUpDepth": "MODERATE",
    "language": "en",
    "llmProvider": None,
    "llmModel": None,
    "isActive": True,
    "timeLimitMinutes": None,
    "customBranding": None,
    "publicSlug": SLUG,
    "requireInvite": True,
    "invitedEmails": [],
    "videoMode": False,
    "chatEnabled": True,
    "voiceEnabled": False,
    "videoEnabled": False,
    "antiCheatingEnabled": False,
    "createdAt": _at(0),
    "updatedAt": _at(0),
    "jobDescription": None,
    "resumeText": None,
    "parsedResume": None,
    "companyName": None,
    "roleTitle": None,
}
UPDATED: Json = {**CREATED, "timeLimitMinutes": 30, "updatedAt": _at(4)}
ASKED: list[Json] = [
    {
        "text": "Tell me about an outage that you helped to end. What was the cause, and how did you find it?",
        "probeThreshold": 25,
    },
    {
        "text": "How often were you on call in the last year?",
        "type": "SINGLE_CHOICE",
        "options": ["Never", "Now and then", "Every month or more"],
        "followUpEnabled": False,
    },
    {"text": "Which change to a system that moves money are you proud of, and what would you do differently today?"},
]
IDS = [
    "78a6868e-3fac-4b39-a63f-eff0e0fa1eb4",
    "1e19ff70-7fa1-4017-89f9-c029759b6e04",
    "580e4653-320b-477e-91ec-d38fab0dc87f",
]


def _question(order: int) -> Json:
    asked = ASKED[order]
    return {
        "id": IDS[order],
        "interviewId": INTERVIEW,
        "order": order,
        "text": asked["text"],
        "description": None,
        "type": asked.get("type", "OPEN_ENDED"),
        "options": asked.get("options"),
        "starterCode": None,
        "validationRules": None,
        "followUpPrompts": None,
        "probeOnShort": asked.get("followUpEnabled", True),
        "probeThreshold": asked.get("probeThreshold"),
        "showIf": None,
        "skipIf": None,
        "timeLimitSeconds": None,
        "isRequired": True,
        "allowFileUpload": False,
        "allowedFileTypes": [],
        "createdAt": _at(6),
        "updatedAt": _at(6),
    }


ADDED = [_question(order) for order in range(3)]
TIMED: Json = {**ADDED[2], "timeLimitSeconds": 600, "updatedAt": _at(8)}
QUESTIONS = [*ADDED[:2], TIMED]

# ── Candidates ──────────────────────────────────────────────────────────────────────────────────

ANAS_SESSION, BENS_SESSION = "c8a76652-4bf0-4c56-961f-fcf138696510", "fdf53bba-03c5-4ca8-bdbd-8b025a579e31"
PEOPLE: list[Json] = [
    {"name": "Ana Sousa", "email": "ana.sousa@example.org", "notes": "Referred by the platform team."},
    {
        "name": "Ben Okafor",
        "email": "ben.okafor@example.org",
        "workExperience": "Six years, two of them on payments.",
    },
]


def _candidate(identifier: str, given: Json, token: str) -> Json:
    nothing = dict.fromkeys(
        "phone notes gender birthday education school major graduationYear workExperience sessionId".split()
    )
    return {"id": identifier, **nothing, **given, "inviteToken": token, "createdAt": _at(12)}


ANA = _candidate("3a046703-412a-4a3b-830a-651492425e44", PEOPLE[0], "vmynb24dwd9fm7mv13m5")
BEN = _candidate("d996f7c4-72b9-4a93-9e09-c71284bf3e16", PEOPLE[1], "49r5i3fwl9ldwmbji127")
REACHED: Json = {**BEN, "phone": "+351 912 345 678"}

# ── Sessions ────────────────────────────────────────────────────────────────────────────────────

ANSWERS = (
    "In March our checkout charged about 200 people twice. I compared the ledger with the provider's log and saw that "
    "a retry after a timeout got a new idempotency key each time. I made the key part of the order, and we paid "
    "everybody back the same day.",
    "Every month or more",
    "I moved refunds from a nightly script to a queue with one worker for each merchant, so that none is paid twice "
    "and a stuck one is seen within a minute. Today I would write the reconciliation report first: we needed it three "
    "times on the way.",
)
"""What Ana Sousa answers; Ben Okafor has only begun."""
TURNS = [
    "Hello Ana Sousa, it's nice to meet you! “Aural” is neither a person nor an AI: this is a written interview with "
    "prepared follow-ups. Questions come one at a time. The time limit for all of them is 30 minutes; some have one of "
    "their own, which is shown.",
    *[words for asked, said in zip(ASKED, ANSWERS, strict=True) for words in (asked["text"], said)],
    "Thank you, Ana Sousa, that was the last question. It was a pleasure, and your answers are saved.",
]


def _message(number: int) -> Json:
    return {
        "id": f"0b57e0d1-7c1b-4d0e-9a55-6f2f3f1e4a{number:02}",
        "role": "USER" if number in (2, 4, 6) else "ASSISTANT",
        "content": TURNS[number],
        "timestamp": _at(31 + 3 * number),
    }


def _reported(number: int) -> Json:
    nothing = dict.fromkeys(
        "audioUrl audioDurationSeconds transcription whiteboardData whiteboardImageUrl parentMessageId sentiment "
        "readingTimeSeconds".split()
    )
    return {
        **_message(number),
        **nothing,
        "sessionId": ANAS_SESSION,
        "contentType": "TEXT",
        "whiteboardPages": 1,
        "questionId": IDS[(number - 1) // 2] if 0 < number < 7 else None,
        "isFollowUp": False,
        "wordCount": {2: 49, 4: 4, 6: 47}.get(number, 0),
    }


ANALYSIS: Json = {
    "summary": "Found a double charge by comparing two logs, and made refunds safe to repeat.",
    "keyInsights": ["Looks for evidence before changing anything."],
    "questionEvaluations": [
        {
            "question": ASKED[0]["text"],
            "score": 9,
            "evaluation": "Names the cause and how the two logs showed it.",
            "highlights": ["Paid everybody back the same day."],
            "improvements": [],
            "evidence": [3],
        },
        {
            "question": ASKED[1]["text"],
            "score": None,
            "evaluation": "A fact, not a skill.",
            "highlights": [],
            "improvements": [],
            "evidence": [],
        },
        {
            "question": ASKED[2]["text"],
            "score": 8,
            "evaluation": "A clear design, and an honest second thought.",
            "highlights": ["One worker for each merchant."],
            "improvements": ["Say how it was measured."],
            "evidence": [7],
        },
    ],
    "criteriaEvaluations": [
        {"name": "Debugging", "score": 9, "reasoning": "The cause is named and shown.", "evidence": [3]},
        {"name": "Ownership", "score": 8, "reasoning": "Says what they decided and what came of it.", "evidence": [7]},
    ],
    "themes": ["idempotency", "refunds"],
    "sentiment": {"overall": "positive", "details": "Calm and exact."},
}
SCORER = "Claude, for Ada Byron"
ANALYSED: Json = {
    "summary": ANALYSIS["summary"],
    "insights": {
        **{name: ANALYSIS[name] for name in ("keyInsights", "questionEvaluations", "criteriaEvaluations")},
        "scoredBy": {"kind": "agent", "name": SCORER, "at": _at(90)},
    },
    "themes": ANALYSIS["themes"],
    "sentiment": ANALYSIS["sentiment"],
    "totalDurationSeconds": 1260,
}
SESSION: Json = {
    "status": "COMPLETED",
    "participantName": "Ana Sousa",
    "participantEmail": "ana.sousa@example.org",
    **ANALYSED,
    "createdAt": _at(30),
}
WHOLE: Json = {
    "id": ANAS_SESSION,
    **SESSION,
    "messages": [_message(number) for number in range(len(TURNS))],
    "interview": {"id": INTERVIEW, "title": TITLE, "objective": OBJECTIVE},
}
BEGUN: Json = {
    "id": BENS_SESSION,
    "status": "IN_PROGRESS",
    "participantName": "Ben Okafor",
    "participantEmail": "ben.okafor@example.org",
    "summary": None,
    "insights": None,
    "themes": [],
    "sentiment": None,
    "totalDurationSeconds": None,
    "createdAt": _at(80),
    "updatedAt": _at(81),
    "_count": {"messages": 2},
}
REPORT: Json = {
    "interviewTitle": TITLE,
    "interviewObjective": OBJECTIVE,
    **SESSION,
    "audioRecordingUrl": None,
    "audioRecordings": [],
    "audioDuration": None,
    "screenshots": None,
    "antiCheatingLog": [],
    "messages": [_reported(number) for number in range(len(TURNS))],
}

# ── Practice ────────────────────────────────────────────────────────────────────────────────────

RUN_ID = "66c0b1de-5a0f-4c55-8c0e-0f6b7a1f2d33"
RUN: Json = {
    "mode": "TEXT",
    "status": "COMPLETED",
    "timed": True,
    "durationLimitMinutes": 30,
    "startedAt": _at(14),
    "lastActivityAt": _at(18),
    "completedAt": _at(19),
    "totalDurationSeconds": 300,
    "createdAt": _at(14),
}
PRACTICE: Json = {
    "id": RUN_ID,
    "interviewId": INTERVIEW,
    "interviewTitle": TITLE,
    **RUN,
    "attemptCount": 1,
    "averageScore": 7.5,
    "bestScore": 7.5,
    "questionCount": 3,
}
PRACTISED: Json = {
    "session": {
        "id": RUN_ID,
        "interviewId": INTERVIEW,
        "userId": USER,
        "organizationId": "b1c7a7d2-6a55-4f0e-9d44-3c2f8e1a7b90",
        **RUN,
        "updatedAt": _at(19),
    },
    "interview": UPDATED,
    "questions": QUESTIONS,
    "attempts": [
        {
            "id": "77d5f0aa-1c58-4a7e-8d5b-9a4f3c2b1e66",
            "sessionId": RUN_ID,
            "interviewId": INTERVIEW,
            "questionId": IDS[0],
            "userId": USER,
            "answerText": "A deploy filled the disk of our queue; I found it by its log, which had stopped.",
            "inputMode": "TEXT",
            "durationSeconds": 120,
            "feedback": {"summary": "Concrete.", "improvements": ["Say how long it took."]},
            "followUp": None,
            "score": 7.5,
            "attemptNumber": 1,
            "audioUrl": None,
            "audioDurationSeconds": None,
            "createdAt": _at(16),
        }
    ],
}
"""The key owner's own run, and what they said to the first question."""

# ── All of them ─────────────────────────────────────────────────────────────────────────────────

HERE = {"interviewId": INTERVIEW}

EXAMPLES: dict[ops.AnyOperation, Example] = {
    ops.CreateInterview: Example(WRITTEN, CREATED),
    ops.UpdateInterview: Example({**HERE, "timeLimitMinutes": 30}, UPDATED),
    ops.CreateQuestions: Example({**HERE, "questions": ASKED}, ADDED),
    ops.UpdateQuestion: Example({"questionId": IDS[2], "timeLimitSeconds": 600}, TIMED),
    ops.ListQuestions: Example(HERE, QUESTIONS),
    ops.CreateCandidates: Example(
        {**HERE, "candidates": PEOPLE},
        [{**each, "inviteUrl": f"{SITE}/i/invite/{each['inviteToken']}", "updatedAt": _at(12)} for each in (ANA, BEN)],
    ),
    ops.UpdateCandidate: Example(
        {**HERE, "candidateId": BEN["id"], "phone": REACHED["phone"]},
        {**REACHED, **HERE, "updatedAt": _at(13)},
    ),
    ops.ListCandidates: Example(
        HERE,
        [{**ANA, "sessionId": ANAS_SESSION}, {**REACHED, "sessionId": BENS_SESSION}],
    ),
    ops.GetInterview: Example(HERE, {**UPDATED, "_count": {"sessions": 2}, "questions": QUESTIONS}),
    ops.ListInterviews: Example({"limit": 20}, [{**UPDATED, "_count": {"questions": 3, "sessions": 2}}]),
    SaveSessionAnalysis: Example({"sessionId": ANAS_SESSION, "scoredBy": SCORER, **ANALYSIS}, WHOLE),
    ops.ListSessions: Example(
        {**HERE, "limit": 20},
        [BEGUN, {"id": ANAS_SESSION, **SESSION, "updatedAt": _at(90), "_count": {"messages": len(TURNS)}}],
    ),
    ops.GetSession: Example({"sessionId": ANAS_SESSION}, WHOLE),
    ops.GetSessionReport: Example({"sessionId": ANAS_SESSION}, REPORT),
    ops.EndInterviewSessions: Example(
        {**HERE, "ids": [BENS_SESSION], "dryRun": True},
        {"dryRun": True, "results": [{"id": BENS_SESSION, "status": "eligible"}]},
    ),
    ops.ListPracticeSessions: Example({**HERE, "limit": 100}, [PRACTICE]),
    ops.GetPracticeReport: Example({"practiceId": RUN_ID}, PRACTISED),
    ops.GetUsage: Example(
        {},
        {
            "plan": "self-hosted",
            "templates": {"used": 1, "limit": None},
            "session_hours": {"used": 0.35, "limit": None},
            "ai_tokens": {"used": 0, "limit": None},
            "seats": {"used": 1, "limit": None},
            "counted_at": _at(95),
        },
    ),
    ops.DeleteQuestion: Example({"questionId": IDS[1]}, {"id": IDS[1], "deleted": True}),
    ops.PublishInterview: Example(HERE, {"id": INTERVIEW, "publicSlug": SLUG, "url": f"{SITE}/i/{SLUG}"}),
    ops.ArchiveInterview: Example(HERE, {"id": INTERVIEW, "archived": True}),
}


def example_of(operation: ops.AnyOperation) -> Example:
    """Its example; an empty one until one is written, which a test asks for."""
    return EXAMPLES.get(operation, Example({}, {}))


REFUSALS: dict[int, Json] = {
    400: {"code": "BAD_REQUEST", "message": "title is required."},
    401: {"code": "UNAUTHORIZED", "message": "Invalid or revoked API key."},
    403: {"code": "FORBIDDEN", "message": "MEMBER role or higher required."},
    404: {"code": "NOT_FOUND", "message": "Interview not found."},
    409: {
        "code": "CONFLICT",
        "message": "Nobody was registered: of the list, number 2 (2026-02-11) was erased here before, on the day in "
        "brackets.",
    },
    413: {"code": "BAD_REQUEST", "message": "The request body is larger than 4 MiB."},
    429: {"code": "RATE_LIMITED", "message": "Too many requests. Retry after 12s.", "retry_after": 12},
    503: {
        "code": "INTERNAL_ERROR",
        "message": "The database is busy or cannot be written. Nothing was changed; try again.",
    },
}
"""The error object of a refusal, by status."""

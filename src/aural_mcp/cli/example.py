"""A workspace to look at: one interview that 24 people took, made through the tools and the candidates' own pages."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from html import unescape
from typing import TYPE_CHECKING, Any, cast

import anyio
import httpx

if TYPE_CHECKING:
    from aural_mcp.server.server import AuralServer

CRITERIA = (
    ("System design", "Names the trade-offs and why they were made.", 3),
    ("Ownership", "Says what they did themselves, and what came of it.", 2),
    ("Running it", "Has been on call for what they built, and learnt from it.", 2),
    ("Explaining", "Is understood by people who do not write code.", 1),
)
QUESTIONS = (
    "Tell me about a service you built that other people depend on.",
    "What broke in production, and what did you do about it?",
    "Which decision would you take differently today?",
    "How did you explain a hard technical choice to people outside of the team?",
)
RESTS_ON = {"System design": (0, 2), "Ownership": (0, 1), "Running it": (1,), "Explaining": (3,)}
"""Of which questions each criterion is a judgement."""
ANSWERS = (
    (
        "I was on a team that had the {thing}. There were several of us, and I took tickets from the board as they came. It worked most of the time and people seemed content with it.",
        "I built the {thing} with one colleague. About {number} requests a minute went through it. I wrote the storage side and the alerts, and we chose a queue since the partner could not keep up.",
        "I designed the {thing} and ran it for {years} years: {number} requests a minute, each written once by an idempotency key. I chose a queue over direct calls, so that a slow partner costs minutes and no order.",
    ),
    (
        "There was an outage once. Somebody restarted it, and then it was fine again. I do not remember what the reason was, but it has not come back since then as far as I know.",
        "The {thing} ran out of connections on a Monday. I found it in the graphs, raised the limit, and added an alert. Later we learnt that one client never closed theirs, and I fixed that too.",
        "A retry storm took the {thing} down for {minutes} minutes. I was on call, shed load at the edge, wrote the review, and put a budget on retries. Such incidents went from weekly to one in a quarter.",
    ),
    (
        "I would not change much, I think. The tools were given by the company, and they were good enough for what we had to do there in the time that we had.",
        "I would agree on the event format first. We changed it by hand for a year, and two consumers broke that nobody had on a list. A registry would have cost us a week.",
        "I split the {thing} too early: two teams, one transaction. I would keep one database until the load asks for more. I moved it back in {weeks} weeks, and the deadlocks were gone with the second writer.",
    ),
    (
        "I showed them the diagram of the architecture. They had no questions, so I suppose that it was clear. After that we went on as planned with what we had decided before.",
        "Finance wanted to know why the {thing} cost more. I compared it with a second checkout in a shop: it stands idle until the queue is long. They agreed, and asked for the figure each month.",
        "I told sales what a lost order costs and what {weeks} weeks of work cost, on one page without a diagram. They chose the slower date themselves, and told two customers so before I had to.",
    ),
)
"""To each question a thin, a fair and a strong answer."""
WHY = (
    "Stays general: no part of their own, no figure, no outcome.",
    "Says what they did and why; the outcome is named, not measured.",
    "Names the trade-off, their own part and the measured outcome.",
)
THINGS = "invoice service,event pipeline,search index,booking API,ledger,pricing service,mail queue,stock feed".split(
    ","
)
PEOPLE = (
    "Amara Okafor,Jonas Lindqvist,Mei-Ling Chow,Rafael Moreira,Priya Raman,Tomasz Zieliński,Noor El-Amin,Hannah Weiss,"
    "Kenji Morita,Lucía Ferrer,Oluwaseun Bello,Freya Halvorsen,Mateo Quiroga,Aisha Rahman,Dmitri Volkov,Chloé Marchand,"
    "Samir Haddad,Ingrid Solberg,Wei Zhang,Elif Demir,Patrick O'Shea,Nadia Kowalczyk,Thabo Nkosi,Leila Farahani"
).split(",")
WAITING = ("Gustav Ekholm", "Yara Benali", "Marcus Feld")
"""Who was invited and has not begun."""
TITLE, SCORER = "Senior backend engineer", "An example, made up by aural-mcp"
AT_ONCE = 6
SEED = 11


async def fill(server: AuralServer, tell: Callable[[float, float, str], None] = lambda done, total, said: None) -> str:
    """Make the interview and everybody who took it; its id.

    Args:
        tell: is told how many are through, of how many, and what they did last.
    """
    made = await _call(server, "create_interview", **_interview())
    questions = [{"text": text, "probeThreshold": 5} for text in QUESTIONS]
    await _call(server, "create_questions", interviewId=made["id"], questions=questions)
    people = [{"name": name} for name in (*PEOPLE, *WAITING)]
    rows = (await _call(server, "create_candidates", interviewId=made["id"], candidates=people))["data"]
    links = {row["name"]: row["inviteUrl"] for row in rows}
    chance = random.Random(SEED)
    scores = {name: _scores(chance) for name in PEOPLE}
    answers = {name: _answers(scores[name], chance) for name in PEOPLE}
    async with httpx.AsyncClient(follow_redirects=True, timeout=30, trust_env=False) as browser:
        pages = {name: await _begin(browser, links[name], name) for name in PEOPLE}  # in this order, at every run
        limit = anyio.CapacityLimiter(AT_ONCE)

        taken: list[str] = []

        async def take(name: str) -> None:
            async with limit:
                await _take(browser, links[name], pages[name], answers[name])
            taken.append(name)
            tell(len(taken), 2 * len(PEOPLE), f"{name} answered")

        async with anyio.create_task_group() as tasks:
            for name in PEOPLE:
                tasks.start_soon(take, name)
    sessions = (await _call(server, "list_sessions", interviewId=made["id"], limit=100))["data"]
    for number, row in enumerate(sessions, len(PEOPLE) + 1):
        tell(number, 2 * len(PEOPLE), f"{row['participantName']} is scored")
        await _score(server, row["id"], scores[row["participantName"]])
    return made["id"]


def _interview() -> dict[str, Any]:
    criteria = [{"name": name, "description": about, "weight": weight} for name, about, weight in CRITERIA]
    return {
        "title": TITLE,
        "objective": "Find out who has built and run services that others depend on, and can explain them.",
        "assessmentCriteria": criteria,
    }


def _scores(chance: random.Random) -> list[int]:
    """What somebody's answers are worth, from 2 to 10."""
    able = chance.triangular(3, 9.5, 7)
    return [min(10, max(2, round(chance.gauss(able, 1.6)))) for _ in QUESTIONS]


def _level(score: int) -> int:
    return 0 if score < 5 else 1 if score < 8 else 2


def _answers(scores: Sequence[int], chance: random.Random) -> list[str]:
    facts = {
        "thing": chance.choice(THINGS),
        "number": f"{chance.randrange(4, 90) * 100:,}",
        "years": chance.choice(("two", "three", "four")),
        "minutes": chance.randrange(12, 58),
        "weeks": chance.choice(("three", "four", "six")),
    }
    return [ANSWERS[number][_level(score)].format(**facts) for number, score in enumerate(scores)]


async def _begin(browser: httpx.AsyncClient, link: str, name: str) -> str:
    device = {"user-agent": name.encode().hex()}  # each has their own: nobody began twice
    page = await browser.post(f"{link}/start", data={"name": name, "consent": "yes"}, headers=device)
    return page.raise_for_status().text


async def _take(browser: httpx.AsyncClient, link: str, page: str, answers: Sequence[str]) -> None:
    """Send each form as a browser does."""
    for answer in answers:
        turn = re.search(r'name="turn" value="([^"]+)"', page)
        if turn is None:
            return
        sent = await browser.post(f"{link}/answer", data={"turn": unescape(turn[1]), "answer": answer})
        page = sent.raise_for_status().text


async def _score(server: AuralServer, session_id: str, scores: Sequence[int]) -> None:
    session = await _call(server, "get_session", sessionId=session_id)
    turns = [each["turn"] for each in session["messages"] if each["role"] == "USER"]
    asked = [
        {"question": text, "score": score, "evaluation": WHY[_level(score)], "evidence": [turn]}
        for text, score, turn in zip(QUESTIONS, scores, turns, strict=True)
    ]
    rated = [_rated(name, [scores[each] for each in on], [turns[each] for each in on]) for name, on in RESTS_ON.items()]
    best = QUESTIONS[max(range(len(scores)), key=lambda each: scores[each])].rstrip("?.").lower()
    await _call(
        server,
        "save_session_analysis",
        sessionId=session_id,
        scoredBy=SCORER,
        summary=f"{WHY[_level(round(sum(scores) / len(scores)))]} Strongest on “{best}”.",
        questionEvaluations=asked,
        criteriaEvaluations=rated,
    )


def _rated(name: str, scores: Sequence[int], turns: Sequence[int]) -> dict[str, Any]:
    score = round(sum(scores) / len(scores))
    return {"name": name, "score": score, "reasoning": WHY[_level(score)], "evidence": [*turns]}


async def _call(server: AuralServer, tool: str, **arguments: Any) -> dict[str, Any]:
    result = cast("Any", await server.call_tool(tool, arguments))
    if result.is_error:
        raise RuntimeError(" ".join(each.text for each in result.content))
    return result.structured_content

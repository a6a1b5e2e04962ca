"""Somebody who was turned down: scored, decided on, told and asking, as pages and backends would have stored it."""

from contextlib import asynccontextmanager

from mcp import Client
from sqlalchemy import insert, update

from aural_mcp.api.decisions import SaveDecision
from aural_mcp.backend.storage import store, tables
from aural_mcp.config import Employer
from aural_mcp.server.principal import OneClient
from aural_mcp.server.server import AuralServer
from conftest import ok
from scored import CRITERIA, QUESTIONS, analysis, sit

EMPLOYER = Employer("Acme GmbH", "people@acme.test")
ANSWERS = (
    "I built the payments queue with two colleagues, and it ran for a year.",
    "The disk filled up at night. I moved the log away and wrote an alarm.",
    "I regret the second database, as nobody could keep both in step.",
    "I read a change twice: once for what it does, once for its tests.",
    "I would measure how long somebody waits for the first answer.",
)
TURNS = [turn for pair in zip(QUESTIONS, ANSWERS, strict=True) for turn in pair]
MEANING = "Built a queue, filled a disk, wrote an alarm and measured how long somebody waits."
SCORED_AT = "2026-11-20T10:00:00+00:00"
REASON = "Others had run queues for longer."
WEIGHTS = (3, 2, 2, 1)
SCORES = (3, 4.5, 5, 2)
AGENT = {"kind": "agent", "name": "Claude", "at": SCORED_AT}


@asynccontextmanager
async def team(world, employer=EMPLOYER, **more):
    """An agent of a team that says who it is and where to ask."""
    server = AuralServer(OneClient(world.client), backend="T.", confirm="never", employer=employer, **more)
    async with Client(server) as agent:
        yield agent


def evaluated(scored_by=AGENT):
    """An analysis whose questions name turns, and whose criteria do not."""
    whole = analysis(dict.fromkeys(QUESTIONS, 4), dict(zip(CRITERIA, SCORES, strict=True)))
    for number, row in enumerate(whole["questionEvaluations"]):
        row |= {"evidence": [2 * number + 2], "evaluation": "Says what broke, and not why."}
    return whole | ({"scoredBy": scored_by} if scored_by else {})


async def interview(agent, weights=WEIGHTS, **more):
    rubric = [{"name": name, "description": MEANING} for name in CRITERIA]
    rubric = [
        row | ({"weight": weight} if weights else {}) for row, weight in zip(rubric, weights or CRITERIA, strict=True)
    ]
    made = await ok(agent, "create_interview", title="Backend engineer", assessmentCriteria=rubric, **more)
    await ok(agent, "create_questions", interviewId=made["id"], questions=[{"text": each} for each in QUESTIONS])
    return made["id"]


async def turned_down(agent, world, insights=None, turns=TURNS, **more):
    """Somebody registered who was rejected; what asks for the explanation, and their session."""
    made = await interview(agent, **more)
    people = [{"name": "Ann Lee", "email": "ann@x.test", "notes": "Referred"}]
    person = (await ok(agent, "create_candidates", interviewId=made, candidates=people))["data"][0]
    log = [{"type": "paste", "timestamp": 1767225600000}]
    scored = evaluated() if insights is None else insights
    session = sit(world, made, "Ann Lee", scored, turns, summary="Knows queues.", antiCheatingLog=log)
    change(world, tables.candidates, person["id"], sessionId=session)
    await decide(world, session)
    return {"interviewId": made, "candidateId": person["id"], "form": "explanation"}, session


async def decide(world, session, decision="reject", reason=REASON, **more):
    await world.client.call(SaveDecision(session_id=session, decision=decision, reason=reason, **more))


def change(world, table, row, **values):
    with world.store.writing() as db:
        db.execute(update(table).where(table.c.id == row).values(values))


def ask(world, given, session, kind, text=""):
    """A request that the candidate made on their page."""
    row = {"id": store.new_id(), "interviewId": given["interviewId"], "sessionId": session, "kind": kind, "text": text}
    with world.store.writing() as db:
        db.execute(insert(tables.requests).values(**row, at=store.now()))


def agree(world, session, text="An AI scores your answers.\nA person decides."):
    """What the page keeps when somebody begins."""
    with world.store.writing() as db:
        db.execute(insert(tables.notices).values(digest="d", version="2026-12", language="en", text=text))
        agreed = {"sessionId": session, "notice": "d", "agreed": "I understand and agree.", "at": store.now()}
        db.execute(insert(tables.agreements).values(agreed))

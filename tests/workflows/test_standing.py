"""What candidates ask of the team and what was decided on them stand beside their scores, wherever these are shown."""

import json

import httpx
import pytest
from mcp import Client
from playwright.async_api import async_playwright
from sqlalchemy import insert, update

from aural_mcp import views
from aural_mcp.backend.storage import store, tables
from aural_mcp.client.client import AuralClient
from aural_mcp.config import Employer
from aural_mcp.privacy.exposure import Exposure
from aural_mcp.server.desk.app import Desk
from aural_mcp.server.principal import OneClient
from aural_mcp.server.server import AuralServer
from aural_mcp.workflows import base, waiting
from conftest import KEY, ORIGIN, make_world, ok, text_of
from consenting import server_on
from processes import aural_mcp
from scored import even, interview_with, sit

HERE = "http://127.0.0.1:8555"
TEXT = "My last employer was Acme, not Ignore-previous. [See](https://evil.test/x)"


@pytest.fixture
async def agent(world):
    async with Client(world.server, read_timeout_seconds=30) as connected:
        yield connected


def wants(world, interview, kind, text="", at="2026-11-20T09:00:00.000000+00:00", closed=None, **whose):
    """A request of somebody, by their session or as they are registered; its id."""
    made = store.new_id()
    row = {"id": made, "interviewId": interview, "kind": kind, "text": text, "at": at, "closedAt": closed, **whose}
    with world.store.writing() as db:
        db.execute(insert(tables.requests).values(row))
    return made


def decision(world, session, verdict, at="2026-11-20T09:00:00.000000+00:00", **more):
    """What somebody decided, as it is stored."""
    row = {"id": store.new_id(), "sessionId": session, "decision": verdict, "reason": "Depth.", "at": at, **more}
    with world.store.writing() as db:
        db.execute(insert(tables.decisions).values(row))


def explained(world):
    with world.store.writing() as db:
        db.execute(update(tables.decisions).values(explainedAt=store.now()))


# ── Requests ────────────────────────────────────────────────────────────────────────────────────


async def test_what_somebody_asks_for_stands_in_the_lists_and_their_words_only_with_them(agent, world):
    interview = await interview_with(agent)
    session = sit(world, interview, "Robin Vega", even(7))
    wants(world, interview, "correct", TEXT, sessionId=session)
    wants(world, interview, "data", at="2026-11-22T09:00:00.000000+00:00", sessionId=session)
    wants(world, interview, "delete", closed="2026-11-23T09:00:00.000000+00:00", sessionId=session)
    listed = await agent.call_tool("list_sessions", {"interviewId": interview})
    (row,) = listed.structured_content["data"]
    assert [(each["kind"], each["since"][:10]) for each in row["requests"]] == [
        ("correct", "2026-11-20"),
        ("data", "2026-11-22"),
    ]
    assert "1 ask for their data, a correction or to be deleted" in text_of(listed)
    assert "Acme" not in text_of(listed)
    for tool in ("get_session", "get_session_report"):
        result = await agent.call_tool(tool, {"sessionId": session})
        told = result.structured_content
        assert [each["kind"] for each in told["requests"]] == ["correct", "data"]
        assert "My last employer was Acme" in told["requests"][0]["text"]
        assert "https://evil.test" not in json.dumps(told) + text_of(result)
        ours, _, theirs = text_of(result).partition("others' words")
        assert "Acme" not in ours
        assert "Acme" in theirs
        assert "This candidate asks for a correction (since 2026-11-20), their data (since 2026-11-22)" in text_of(
            result
        )


@pytest.mark.parametrize(("mode", "shown"), [("blind", "not Ignore"), ("lockdown", "words left out: lockdown")])
async def test_where_nobody_is_named_a_correction_names_nobody(agent, world, mode, shown):
    interview = await interview_with(agent)
    session = sit(world, interview, "Robin Vega", even(7))
    wants(world, interview, "correct", "I am Robin Vega, robin@x.test, not Ignore-previous.", sessionId=session)
    async with Client(server_on(world, exposure=Exposure(**{mode: True}))) as reader:
        told = await ok(reader, "get_session", sessionId=session)
        report = await ok(reader, "get_session_report", sessionId=session)
    for each in (told, report):
        assert shown in each["requests"][0]["text"]
        assert not any(word in json.dumps(each) for word in ("Robin", "Vega", "robin@"))


async def test_who_has_not_begun_can_ask_too_and_is_not_among_those_to_remind(agent, world):
    interview = await interview_with(agent)
    people = [{"name": "Ana", "email": "ana@acme.test"}, {"name": "Ben", "email": "ben@acme.test"}]
    rows = (await ok(agent, "create_candidates", interviewId=interview, candidates=people))["data"]
    wants(world, interview, "delete", candidateId=rows[0]["id"])
    table = (await ok(agent, "list_candidates", interviewId=interview))["data"]
    assert {row["name"]: [each["kind"] for each in row.get("requests", [])] for row in table} == {
        "Ana": ["delete"],
        "Ben": [],
    }
    first = await ok(agent, "wait_for_sessions", interviewId=interview)
    (asked,) = first["attention"]["requests"]
    assert (asked["name"], asked["candidateId"], asked["kind"], asked["since"][:10]) == (
        "Ana",
        rows[0]["id"],
        "delete",
        "2026-11-20",
    )
    assert [each["name"] for each in first["attention"]["notStarted"]] == ["Ben"]
    assert next(iter(first["attention"])) == "requests"


async def test_each_request_and_explanation_is_told_once_and_what_is_due_first_stands_first(agent, world, monkeypatch):
    for room, name in ((waiting, "EVERY"), (base, "LEAST")):
        monkeypatch.setattr(room, name, 0.02)
    monkeypatch.setattr(base, "ENDS_WITHIN", 1.0)
    interview = await interview_with(agent)
    late, soon, gone = (sit(world, interview, name, even(5)) for name in ("Late", "Soon", "Told"))
    decision(world, soon, "reject", at=store.now())
    decision(world, late, "reject", at="2026-01-02T09:00:00.000000+00:00")
    decision(world, gone, "reject", explainedAt=store.now())
    wants(world, interview, "data", sessionId=soon)
    first = await ok(agent, "wait_for_sessions", interviewId=interview, more=1)
    due = first["attention"]["explanationsDue"]
    assert [(each["name"], each["sessionId"]) for each in due] == [("Late", late), ("Soon", soon)]
    assert due[0]["due"] == "2026-02-01"
    wants(world, interview, "correct", "C", at=store.now(), sessionId=soon)
    decision(world, soon, "hold", at=store.now())
    decision(world, gone, "reject", at=store.now())
    later = await ok(agent, "wait_for_sessions", interviewId=interview, cursor=first["cursor"])
    assert [each["kind"] for each in later["attention"]["requests"]] == ["correct"]
    assert [each["name"] for each in later["attention"]["explanationsDue"]] == ["Told"]


async def test_the_days_until_an_explanation_are_the_employers(agent, world):
    interview = await interview_with(agent)
    decision(world, sit(world, interview, "Late", even(5)), "reject", at="2026-01-02T09:00:00.000000+00:00")
    async with Client(server_on(world, employer=Employer(explanation_days=10))) as other:
        (each,) = (await ok(other, "wait_for_sessions", interviewId=interview))["attention"]["explanationsDue"]
    assert each["due"] == "2026-01-12"


# ── Decisions ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)
async def test_a_decision_stands_beside_the_scores_with_who_and_when_and_the_reason_only_alone(agent, world):
    interview = await interview_with(agent)
    session = sit(world, interview, "Robin Vega", even(7))
    decision(world, session, "hold", by="Kim", verified=True)
    short = "hold, 2026-11-20, Kim"
    rows = [
        (await ok(agent, "list_sessions", interviewId=interview))["data"][0],
        (await ok(agent, "compare_candidates", interviewId=interview))["candidates"][0],
    ]
    assert [row["decision"] for row in rows] == [short] * 2
    assert "Depth." not in json.dumps(rows[0])
    for tool in ("get_session", "get_session_report"):
        told = await ok(agent, tool, sessionId=session)
        assert (told["decision"], told["decisionReason"]) == (short, "Depth.")


@pytest.mark.parametrize(
    ("verdicts", "said"),
    [
        ({}, None),
        ({"a": "reject", "c": "advance"}, "2 of those who have a mean. 2 of these"),
        ({"a": "advance", "c": "reject"}, "2 of those who have a mean. 0 of these"),
        ({"a": "hired", "b": "advance", "c": "reject", "d": "hold"}, "4 of those who have a mean. 0 of these"),
        ({"a": "advance", "b": "reject", "c": "hired", "d": "withdrawn"}, "4 of those who have a mean. 2 of these"),
        ({"a": "reject", "b": "reject", "c": "advance", "d": "hired"}, "4 of those who have a mean. 4 of these"),
        ({"b": "reject", "e": "advance"}, "2 of those who have a mean. 0 of these"),
    ],
)
async def test_it_is_counted_how_often_people_decided_against_the_order_of_the_means(agent, world, verdicts, said):
    interview = await interview_with(agent)
    means = dict(zip("abcde", (9, 7, 5, 4, 7), strict=True))
    sat = {name: sit(world, interview, name.upper(), even(mean)) for name, mean in means.items()}
    for name, verdict in verdicts.items():
        decision(world, sat[name], verdict)
    compared = await ok(agent, "compare_candidates", interviewId=interview)
    told = [each for each in compared["remarks"] if each.startswith("People decided")]
    assert [said in each for each in told] == ([True] if said else [])
    assert all("a figure and no fault: people decide" in each for each in told)


# ── For people ──────────────────────────────────────────────────────────────────────────────────


async def asked_everywhere(world, agent):
    """Who asks for a person, who for a correction, who is owed an explanation: the interview, and their sessions."""
    interview = await interview_with(agent)
    ana, ben, cem = (sit(world, interview, name, even(score)) for name, score in (("Ana", 9), ("Ben", 7), ("Cem", 5)))
    with world.store.writing() as db:
        here = tables.sessions.c.id == ana
        db.execute(update(tables.sessions).where(here).values({tables.ASKS: "2026-11-19T09:00:00.000000+00:00"}))
    wants(world, interview, "correct", "I studied at ETH.", sessionId=ben)
    decision(world, cem, "reject", at="2026-01-02T09:00:00.000000+00:00")
    return interview, ana, ben, cem


async def test_the_list_of_interviews_says_where_somebody_waits_until_nobody_does(agent, world):
    interview, *_ = await asked_everywhere(world, agent)
    await interview_with(agent)
    result = await agent.call_tool("list_interviews", {})
    assert {row["id"]: row.get("waiting") for row in result.structured_content["data"]}[interview] == 3
    assert sum("waiting" in row for row in result.structured_content["data"]) == 1
    assert text_of(result).endswith("Next: wait_for_sessions, where people are waiting for the team.")
    explained(world)
    with world.store.writing() as db:
        db.execute(update(tables.requests).values(closedAt=store.now()))
        db.execute(update(tables.sessions).values({tables.ASKS: None}))
    assert "waiting" not in text_of(await agent.call_tool("list_interviews", {}))


async def test_on_the_desk_they_stand_first_with_dates(agent, world):
    interview, ana, ben, _ = await asked_everywhere(world, agent)
    wire = httpx.ASGITransport(world.app)
    client = AuralClient(KEY, f"{ORIGIN}/api/v1", requests_per_minute=0, transport=wire, tenant="this process")
    desk = Desk(AuralServer(OneClient(client), backend="T."), HERE)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(desk), base_url=HERE, follow_redirects=True) as browser:
        token = desk.entry.link("/").partition("token=")[2]
        start = (await browser.post("/enter", data={"token": token}, headers={"origin": HERE})).text
        sessions = (await browser.get(f"/interviews/{interview}/sessions")).text
        alone = (await browser.get(f"/sessions/{ben}")).text
    assert start.index("First of all") < start.index("<table")
    for words in (
        f'href="/sessions/{ana}"',
        "would rather speak with a person, since 2026-11-19",
        "asks for a correction, since 2026-11-20",
        "is owed an explanation, overdue since 2026-02-01",
        f'href="/interviews/{interview}"',
    ):
        assert words in start
    assert "I studied at ETH" not in start + sessions
    assert "asks for a person since 2026-11-19" in sessions
    assert "asks for a correction since 2026-11-20" in sessions
    assert "reject, 2026-01-02, not verified" in sessions
    assert "I studied at ETH." in alone


async def test_the_views_draw_them(agent, world, chromium):
    interview, _, ben, _ = await asked_everywhere(world, agent)
    drawn = {
        "progress": await ok(agent, "wait_for_sessions", interviewId=interview),
        "comparison": await ok(agent, "compare_candidates", interviewId=interview),
        "session": await ok(agent, "get_session", sessionId=ben),
    }
    said = {}
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for name, result in drawn.items():
            page = await browser.new_page()
            await page.set_content(views.page(name, result))
            await page.wait_for_selector("main:not([aria-busy])")
            said[name] = await page.locator("main").inner_text()
        await browser.close()
    first, then, last = (
        said["progress"].index(each) for each in ("Would rather speak", "Asked for", "Explanations due")
    )
    assert first < then < last < said["progress"].index("From registered to scored")
    assert "a correction, 2026-11-20" in said["progress"]
    assert "overdue since 2026-02-01" in said["progress"]
    assert "reject, 2026-01-02, not verified" in said["comparison"]
    assert "asks for a person" in said["comparison"]
    assert "A correction, since 2026-11-20" in said["session"]
    assert "I studied at ETH." in said["session"]


async def test_the_terminal_shows_them(tmp_path):
    world = make_world(f"sqlite:///{tmp_path / 'workspace.db'}")
    async with Client(world.server) as agent:
        await asked_everywhere(world, agent)
    world.store.close()
    code, out, err = aural_mcp(tmp_path, "status", "engineer")
    assert (code, err) == (0, "")
    told = ("Would rather speak with a person", "Asks for a correction", "Is owed")
    lines = [line for line in out.splitlines() if any(words in line for words in told)]
    assert [line.split()[0] for line in lines[:3]] == ["Ana", "Ben", "Cem"]
    assert "Is owed an explanation by 2026-02-01" in lines[2]
    assert "reject, 2026-01-02, not verified" in out


async def test_who_asks_for_deletion_gets_no_message(agent, world):
    interview = await interview_with(agent)
    people = [{"name": name, "email": f"{name.lower()}@people.acme.io"} for name in ("Ana", "Ida")]
    ana, _ = (await ok(agent, "create_candidates", interviewId=interview, candidates=people))["data"]
    wants(world, interview, "delete", candidateId=ana["id"])
    drafted = await ok(agent, "send_messages", interviewId=interview, kind="reminder")
    assert [each["name"] for each in drafted["data"]] == ["Ida"]
    assert drafted["leftOut"] == ["1, asks for deletion: Ana"]

"""Candidates ask the team for a person, their data, a correction or deletion; the team sees it and closes it."""

import json
import re

import pytest
from mcp import Client
from sqlalchemy import select, update

from aural_mcp.backend import webhooks
from aural_mcp.backend.interview.sessions import sweep
from aural_mcp.backend.storage import exchange, rights, tables
from aural_mcp.backend.storage.store import Store
from aural_mcp.events import outbox
from conftest import DATABASES, KEY, answer, begin, ok, published
from examples import ANALYSIS
from rows import earlier, let_time_pass

pytestmark = DATABASES
LONG = "I designed the consumer side and ran it for two years, with four thousand events a second, on call."
HEADERS = {"authorization": f"Bearer {KEY}"}
DELETE, DATA = {"kind": "delete"}, {"kind": "data"}
NOTED = "Deletion of my data: asked for on"


@pytest.fixture
async def agent(world):
    async with Client(world.server, read_timeout_seconds=30) as connected:
        yield connected


async def invited_to(agent, *questions, name="Ann Lee", **settings):
    """An interview by invitation: its id, and the registered person."""
    made = await ok(agent, "create_interview", title="T", **settings)
    if questions:
        await ok(agent, "create_questions", interviewId=made["id"], questions=[{"text": each} for each in questions])
    people = [{"name": name, "email": "ann@x.test"}]
    return made["id"], (await ok(agent, "create_candidates", interviewId=made["id"], candidates=people))["data"][0]


async def rest(world, path):
    async with world.browser() as http:
        return (await http.get(f"/api/v1{path}", headers=HEADERS)).json()["data"]


async def row_of(world, interview):
    (row,) = await rest(world, f"/interviews/{interview}/sessions")
    return row


def close(world, by="dana"):
    """Close everything that is open, as the command does."""
    with world.store.writing() as db:
        for each in rights.every_open_request(db):
            assert rights.close_request(db, each, by)


def events(world):
    with world.store.reading() as db:
        found = [json.loads(each) for each in db.execute(select(outbox.events.c.payload)).scalars()]
    return {each["type"]: each["data"] for each in found}


def wait(world, **time):
    """As time passes, for what was asked too."""
    let_time_pass(world, **time)
    by = int(sum({"minutes": 60, "hours": 3600}[unit] * number for unit, number in time.items()) * 1_000_000)
    with world.store.writing() as db:
        for row in db.execute(select(tables.requests)).mappings().all():
            moved = {name: row[name] and earlier(row[name], by) for name in ("at", "closedAt", "resumedAt")}
            db.execute(update(tables.requests).where(tables.requests.c.id == row["id"]).values(moved))


# ── A person instead: no clock runs ──


async def test_no_clock_runs_while_somebody_waits_for_a_person_and_the_time_is_given_back(agent, world):
    questions = [{"text": "Q1"}, {"text": "Q2", "timeLimitSeconds": 60}, {"text": "Q3"}]
    made = await published(agent, questions, timeLimitMinutes=10)
    async with world.browser() as browser:
        page = await answer(browser, await begin(browser, made["url"]), LONG)
        assert "Q2" in page.text
        wish = {"email": "ana@x.test"}
        await browser.post(f"{made['url']}/person", data=wish)
        wait(world, hours=5)
        sweep(world.store)
        assert (await row_of(world, made["id"]))["status"] == "IN_PROGRESS"
        page = await browser.get(made["url"])
        assert page.text.count("(stands still)") == 2
        assert re.search(r'data-seconds=""><span>Time left</span> <span class="time">(10:00|9:5\d)<', page.text)
        assert "You can write here meanwhile" in page.text
        close(world)
        wait(world, hours=3)
        sweep(world.store)  # it does count as abandoned, three hours after the team was done
        page = await browser.get(made["url"])
        assert "(stands still)" not in page.text
        assert "The hiring team closed that wish on" in page.text
        assert "You can go on here. No clock ran meanwhile." in page.text
        assert re.search(r'data-seconds="(600|5\d\d)"><span>Time left', page.text)
        assert re.search(r'data-seconds="(60|5\d)"><span>Time for this question', page.text)
        page = await answer(browser, page, LONG)
        assert "Q3" in page.text
        wait(world, minutes=11)
        assert "Our time is up" in (await browser.get(made["url"])).text
    row = await row_of(world, made["id"])
    assert (row["status"], row.get("asksForPerson"), row.get("requests")) == ("COMPLETED", None, None)


async def test_pressed_again_changes_nothing_and_asked_again_after_it_was_closed_is_a_new_wish(agent, world):
    interview, ann = await invited_to(agent, "Q")
    webhooks.add(world.store, "https://hooks.example/x", [])
    async with world.browser() as browser:
        for _ in range(3):
            await browser.post(f"{ann['inviteUrl']}/person", data={})
        first = await row_of(world, interview)
        assert first["requests"] == [
            {"id": first["requests"][0]["id"], "kind": "person", "text": "", "at": first["asksForPerson"]}
        ]
        assert events(world)["session.person_requested"] == {
            "interviewId": interview,
            "sessionId": first["id"],
            "candidateId": ann["id"],
            "status": "ABANDONED",
            "at": first["asksForPerson"],
        }
        close(world)
        page = await browser.get(ann["inviteUrl"])
        assert "Begin the interview" in page.text
        assert "I would rather speak with a person" in page.text
        await browser.post(f"{ann['inviteUrl']}/person", data={})
    again = await row_of(world, interview)
    assert again["id"] == first["id"]
    assert again["asksForPerson"] > first["asksForPerson"]


async def test_who_asks_for_a_person_before_they_begin_did_not_give_up(agent, world):
    interview, ann = await invited_to(agent, "Q")
    async with world.browser() as browser:
        await browser.post(f"{ann['inviteUrl']}/person", data={})
    said = await ok(agent, "wait_for_sessions", interviewId=interview)
    assert (said["standing"]["gaveUp"], [*said["attention"]]) == (0, ["asksForPerson"])


async def test_nobody_who_waits_for_a_person_is_scored(agent, world):
    made = await published(agent, [{"text": "What did you build?"}, {"text": "Why?"}])
    async with world.browser() as browser:
        page = await begin(browser, made["url"])
        await answer(browser, await answer(browser, page, LONG), LONG)
        page = await browser.post(f"{made['url']}/person", data={"email": "ana@x.test"})
        assert "Your wish to speak with a person is stored." in page.text
        assert "You can write here" not in page.text
    row = await row_of(world, made["id"])
    analysis = {**ANALYSIS, "criteriaEvaluations": []}
    async with world.browser() as http:
        put = await http.put(f"/api/v1/sessions/{row['id']}/analysis", json=analysis, headers=HEADERS)
        assert put.status_code == 409
        assert put.json()["error"]["code"] == "CONFLICT"
        assert f"aural-mcp requests close {row['requests'][0]['id']}" in put.json()["error"]["message"]
        close(world)
        put = await http.put(f"/api/v1/sessions/{row['id']}/analysis", json=analysis, headers=HEADERS)
        assert put.status_code == 200


# ── Their data ──


async def test_by_the_private_link_data_are_asked_for_before_anything_is_begun(agent, world):
    interview, ann = await invited_to(agent, "Q")
    webhooks.add(world.store, "https://hooks.example/x", [])
    async with world.browser() as browser:
        page = await browser.post(f"{ann['inviteUrl']}/request", data=DELETE)
        assert NOTED in page.text
        again = await browser.post(f"{ann['inviteUrl']}/request", data=DELETE)
        assert again.text.count(NOTED) == 1
        assert await rest(world, f"/interviews/{interview}/sessions") == []
        (row,) = await rest(world, f"/interviews/{interview}/candidates")
        assert [each["kind"] for each in row["requests"]] == ["delete"]
        assert events(world) == {
            "session.deletion_requested": {
                "interviewId": interview,
                "candidateId": ann["id"],
                "status": "REGISTERED",
                "at": row["requests"][0]["at"],
            }
        }
        close(world)
        assert "The hiring team closed this request on" in (await browser.get(ann["inviteUrl"])).text
    (row,) = await rest(world, f"/interviews/{interview}/candidates")
    assert not row.get("requests")


async def test_what_was_asked_for_before_anything_was_begun_stays_first_when_the_interview_goes_on(agent, world):
    interview, ann = await invited_to(agent, "Q")
    async with world.browser() as browser:
        await browser.post(f"{ann['inviteUrl']}/request", data={"kind": "correct", "text": "My name is Ann Lee."})
        page = await begin(browser, ann["inviteUrl"])
        await browser.post(f"{ann['inviteUrl']}/request", data=DATA)
        await answer(browser, page, LONG)
    (row,) = (await ok(agent, "list_sessions", interviewId=interview))["data"]
    assert [each["kind"] for each in row["requests"]] == ["correct", "data"]
    (person,) = (await ok(agent, "list_candidates", interviewId=interview))["data"]
    assert [each["kind"] for each in person["requests"]] == ["correct", "data"]
    first = (await ok(agent, "wait_for_sessions", interviewId=interview))["attention"]["requests"]
    assert [(each["kind"], each["sessionId"]) for each in first] == [("correct", row["id"]), ("data", row["id"])]
    shown = await ok(agent, "get_session", sessionId=row["id"])
    assert shown["requests"][0]["text"] == "My name is Ann Lee."


async def test_nobody_is_told_to_go_on_where_the_interview_was_closed_meanwhile(agent, world):
    interview, ann = await invited_to(agent, "Q", timeLimitMinutes=10)
    async with world.browser() as browser:
        await begin(browser, ann["inviteUrl"])
        await browser.post(f"{ann['inviteUrl']}/person", data={})
        await ok(agent, "archive_interview", interviewId=interview)
        page = await browser.get(ann["inviteUrl"])
        assert "Your wish to speak with a person is stored." in page.text
        assert "You can write here" not in page.text
        close(world)
        page = await browser.get(ann["inviteUrl"])
        assert "The hiring team closed that wish on" in page.text
        assert "You can go on here" not in page.text


async def test_a_correction_needs_words_and_more_of_them_are_added_and_none_lost(agent, world):
    interview, ann = await invited_to(agent, "Q")
    at = f"{ann['inviteUrl']}/request"
    async with world.browser() as browser:
        page = await browser.post(at, data={"kind": "correct", "text": " "})
        assert (page.status_code, "Please write what is wrong" in page.text) == (422, True)
        page = await browser.post(at, data={"kind": "correct", "text": "\u200b\u2800"})
        assert (page.status_code, "Please write what is wrong" in page.text) == (422, True), "nobody could read it"
        page = await browser.post(at, data={"text": "My name is Ann Lee-Park"})
        assert (page.status_code, "Please choose what you ask for." in page.text) == (422, True)
        assert "My name is Ann Lee-Park</textarea>" in page.text
        page = await browser.post(at, data={"kind": "correct", "text": "x" * 2001})
        assert (page.status_code, "longer than 2,000 characters" in page.text) == (422, True)
        assert "x" * 2001 in page.text
        for text in ("My name is\r\nAnn", "My name is\r\nAnn", "And \x00my phone is 1"):
            assert (await browser.post(at, data={"kind": "correct", "text": text})).status_code == 200
    (row,) = await rest(world, f"/interviews/{interview}/candidates")
    assert [each["text"] for each in row["requests"]] == ["My name is\nAnn\n\nAnd my phone is 1"]


@pytest.mark.parametrize("state", ["archived", "empty", "complete", "archived when complete"])
async def test_the_private_link_takes_requests_whatever_became_of_the_interview(agent, world, state):
    interview, ann = await invited_to(agent, *([] if state == "empty" else ["Q"]))
    async with world.browser() as browser:
        if "complete" in state:
            assert "You are done" in (await answer(browser, await begin(browser, ann["inviteUrl"]), LONG)).text
        if "archived" in state:
            await ok(agent, "archive_interview", interviewId=interview)
        page = await browser.get(ann["inviteUrl"])
        assert "Your data: a copy, a correction, deletion" in page.text
        bad = await browser.post(f"{ann['inviteUrl']}/request", data={"kind": "nonsense"})
        assert (bad.status_code, "Please choose what you ask for." in bad.text) == (422, True)
        page = await browser.post(f"{ann['inviteUrl']}/request", data=DELETE)
        assert NOTED in page.text
    path = "sessions" if "complete" in state else "candidates"
    (row,) = await rest(world, f"/interviews/{interview}/{path}")
    assert [each["kind"] for each in row["requests"]] == ["delete"]


async def test_by_the_public_link_only_who_is_known_asks_and_what_was_typed_for_an_answer_stays(agent, world):
    made = await published(agent, [{"text": "Q1"}, {"text": "Q2"}])
    async with world.browser() as stranger, world.browser() as browser:
        assert "Your data: a copy" not in (await stranger.get(made["url"])).text
        refused_ = await stranger.post(f"{made['url']}/request", data=DELETE)
        assert refused_.status_code == 403
        page = await begin(browser, made["url"])
        turn = re.search(r'name="turn" value="([^"]+)"', page.text)[1]
        form = {"turn": turn, "answer": "Half an answ"}
        page = await browser.post(f"{made['url']}/request", data=form | DATA)
        assert (page.status_code, "so that a person can reach you" in page.text) == (422, True)
        page = await browser.post(f"{made['url']}/request", data=form | DATA | {"reach": "robin@x.test"})
        assert (page.status_code, "Half an answ" in page.text) == (200, True)
        assert "A copy of my data: asked for on" in page.text
        foreign = await browser.post(f"{made['url']}/request", data=DELETE, headers={"origin": "https://evil.test"})
        assert foreign.status_code == 403
        await ok(agent, "archive_interview", interviewId=made["id"])
        assert NOTED in (await browser.post(f"{made['url']}/request", data=DELETE)).text
        assert (await stranger.get(made["url"])).text.count("Your data: a copy") == 0
    row = await row_of(world, made["id"])
    assert row["participantEmail"] == "robin@x.test"
    assert [each["kind"] for each in row["requests"]] == ["data", "delete"]


async def test_what_is_no_address_is_not_taken_for_one_to_which_a_person_can_write(agent, world):
    made = await published(agent, [{"text": "Q"}])
    async with world.browser() as browser:
        await browser.post(f"{made['url']}/start", data={"name": "Robin", "email": "later", "consent": "yes"})
        await browser.post(f"{made['url']}/request", data=DELETE | {"reach": "by phone"})
        page = await browser.post(f"{made['url']}/person", data={})
        assert (page.status_code, "Please enter your e-mail address" in page.text) == (422, True)
        page = await browser.post(f"{made['url']}/person", data={"email": "robin@x.test"})
        assert "You can be reached at: robin@x.test" in page.text


@pytest.mark.parametrize("act", ["start", "answer", "person", "request"])
async def test_a_tab_that_is_opened_again_after_a_form_shows_the_page(agent, world, act):
    _, person = await invited_to(agent, "Q")
    async with world.browser() as browser:
        page = await browser.get(f"{person['inviteUrl']}/{act}")
        assert (page.status_code, str(page.url)) == (200, person["inviteUrl"])
        assert (await browser.get(f"{person['inviteUrl']}/other")).status_code == 404


async def test_without_cookies_the_address_of_its_own_takes_requests(agent, world):
    made = await published(agent, [{"text": "Q"}])
    async with world.browser() as browser:
        browser.cookies.jar.set_policy(type(browser.cookies.jar._policy)(allowed_domains=[]))
        own = re.search(r'name="own" value="(\w+)"', (await browser.get(made["url"])).text)[1]
        await browser.post(f"{made['url']}/start", data={"own": own, "name": "Ana", "consent": "yes"})
        assert NOTED in (await browser.post(f"/i/own/{own}/request", data=DELETE)).text


# ── Keeping it ──


async def test_notices_requests_and_decisions_move_with_a_workspace_and_wishes_of_before_become_requests(
    agent, world, tmp_path
):
    made = await published(agent, [{"text": "Q"}])
    async with world.browser() as browser:
        await begin(browser, made["url"])
        await browser.post(f"{made['url']}/person", data={"email": "ana@x.test"})
    row = await row_of(world, made["id"])
    decision = {"decision": "hold", "reason": "R"}
    async with world.browser() as http:
        put = await http.put(f"/api/v1/sessions/{row['id']}/decision", json=decision, headers=HEADERS)
        assert put.status_code == 200, put.text
    exported = exchange.export_workspace(world.store)
    assert {"aural_mcp_notices", "aural_mcp_agreements", "aural_mcp_requests", "aural_mcp_decisions"} <= exported.keys()
    elsewhere = Store(f"sqlite:///{tmp_path / 'elsewhere.db'}")
    exchange.import_workspace(elsewhere, exported)
    assert exchange.export_workspace(elsewhere) == exported
    elsewhere.close()
    older = {name: rows for name, rows in exported.items() if not name.startswith("aural_mcp_")}
    before = Store(f"sqlite:///{tmp_path / 'before.db'}")
    exchange.import_workspace(before, older)
    with before.reading() as db:
        (wish,) = rights.every_open_request(db)
    assert (wish["kind"], wish["at"], wish["sessionId"]) == ("person", row["asksForPerson"], row["id"])
    before.close()

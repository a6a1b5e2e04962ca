"""Who would rather speak with a person says so on the first page or at any question, and the team sees it first."""

import re
import sqlite3

import httpx
import pytest
from mcp import Client
from sqlalchemy import select, update

from aural_mcp.backend.rest.app import LocalKey, create_app
from aural_mcp.backend.storage import exchange, tables
from aural_mcp.backend.storage.store import Store, owner
from aural_mcp.client.client import AuralClient
from aural_mcp.config import EMPLOYER, Employer, Starts, read_settings
from aural_mcp.privacy.views import Exposure
from aural_mcp.server.principal import OneClient
from aural_mcp.server.server import AuralServer
from conftest import DATABASES, KEY, ORIGIN, World, answer, begin, ok, published, text_of
from rows import let_time_pass

pytestmark = DATABASES
LONG = "I designed the consumer side and ran it for two years, with four thousand events a second, on call."
ASKED = "Your wish to speak with a person is stored."
STANDS = "No clock runs until the team has closed your wish and you are back on this page."
WISH = "I would rather speak with a person"
TIME = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d")


def world_of(world, employer=EMPLOYER, **starts):
    """The same workspace, with what its operator has set."""
    key = LocalKey(KEY, owner(world.store).user_id)
    app = create_app(world.store, origin=lambda: ORIGIN, local_key=key, starts=Starts(**starts), employer=employer)
    return World(world.store, app, world.client, world.server)


async def rows_of(agent, interview, **given):
    return (await ok(agent, "list_sessions", interviewId=interview, **given))["data"]


@pytest.fixture
async def agent(world):
    async with Client(world.server, read_timeout_seconds=30) as connected:
        yield connected


# ── Saying so ──


async def test_before_it_begins_a_wish_needs_a_name_and_an_address_and_no_consent(agent, world):
    made = await published(agent, [{"text": "Q"}], timeLimitMinutes=10)
    async with world.browser() as browser:
        assert WISH in (await browser.get(made["url"])).text
        for form, missing in (({}, "enter your name"), ({"name": "Ana"}, "so that a person can reach you")):
            page = await browser.post(f"{made['url']}/person", data={"name": "", "email": "", **form})
            assert (page.status_code, missing in page.text) == (422, True)
        assert await rows_of(agent, made["id"]) == []
        page = await browser.post(f"{made['url']}/person", data={"name": "Ana", "email": "ana@x.test"})
        assert ASKED in page.text
        assert "You can be reached at: ana@x.test" in page.text
        assert "Begin the interview" in page.text
        assert WISH not in page.text
        await browser.post(f"{made['url']}/person", data={"name": "Ana", "email": "ana@x.test"})
    (row,) = await rows_of(agent, made["id"])
    assert (row["participantName"], row["participantEmail"], row["turns"]) == ("Ana", "ana@x.test", 0)
    assert TIME.match(row["asksForPerson"])


async def test_who_asked_first_can_still_begin_in_the_same_session(agent, world):
    made = await published(agent, [{"text": "Q"}], timeLimitMinutes=10)
    async with world.browser() as browser:
        await browser.post(f"{made['url']}/person", data={"name": "Ana", "email": "ana@x.test"})
        let_begun_pass(world, minutes=30)
        page = await begin(browser, made["url"], "Ana")
        assert ASKED in page.text
        assert "You are done" in (await answer(browser, page, LONG)).text
    (row,) = await rows_of(agent, made["id"])
    assert (row["status"], row["participantEmail"]) == ("COMPLETED", "ana@x.test")
    assert row["asksForPerson"]
    report = await ok(agent, "get_session_report", sessionId=row["id"])
    assert not report.get("integrityLog")


def let_begun_pass(world, **time):
    """As time passes for a session that was not begun."""
    with world.store.writing() as db:
        db.execute(update(tables.sessions).values(startedAt="2026-01-01T00:00:00+00:00"))
    let_time_pass(world, **time)
    with world.store.writing() as db:
        db.execute(update(tables.sessions).values(startedAt=None))


async def test_at_a_question_the_wish_is_stored_and_what_was_typed_stays_unsent(agent, world):
    made = await published(agent, [{"text": "Q1"}, {"text": "Q2"}], timeLimitMinutes=10)
    async with world.browser() as browser:
        page = await begin(browser, made["url"])
        assert WISH in page.text
        assert STANDS in page.text
        turn = re.search(r'name="turn" value="([^"]+)"', page.text)[1]
        form = {"turn": turn, "answer": "Half an answ"}
        page = await browser.post(f"{made['url']}/person", data=form)
        assert (page.status_code, "Half an answ" in page.text) == (422, True)
        assert '<details class="person" open>' in page.text
        page = await browser.post(f"{made['url']}/person", data={**form, "email": "robin@x.test"})
        assert (page.status_code, ASKED in page.text, "Half an answ" in page.text) == (200, True, True)
        first = (await rows_of(agent, made["id"]))[0]["asksForPerson"]
        await browser.post(f"{made['url']}/person", data=form)
        page = await answer(browser, await browser.get(made["url"]), LONG)
        assert "Q2" in page.text
        assert "You are done" in (await answer(browser, page, LONG)).text
    (row,) = await rows_of(agent, made["id"])
    assert (row["asksForPerson"], row["participantEmail"], row["status"]) == (first, "robin@x.test", "COMPLETED")
    assert (await ok(agent, "get_session", sessionId=row["id"]))["messages"][2]["content"] == LONG


async def test_who_was_invited_is_known_and_asks_with_one_press_on_any_device(agent, world):
    made = await ok(agent, "create_interview", title="T")
    await ok(agent, "create_questions", interviewId=made["id"], questions=[{"text": "Q"}])
    invited = (await ok(agent, "create_candidates", interviewId=made["id"], candidates=[{"name": "Ann"}]))["data"][0]
    async with world.browser() as phone, world.browser() as laptop:
        page = await phone.post(f"{invited['inviteUrl']}/person", data={"name": ""})
        assert ASKED in page.text
        assert ASKED in (await laptop.get(invited["inviteUrl"])).text
        page = await laptop.post(f"{invited['inviteUrl']}/start", data={"consent": "yes"})
        assert "You are done" in (await answer(laptop, page, LONG)).text
    (row,) = await rows_of(agent, made["id"])
    assert (row["participantName"], bool(row["asksForPerson"])) == ("Ann", True)


async def test_a_wish_from_another_site_is_refused_and_wishes_count_against_the_limit_of_starts(agent, world):
    made = await published(agent, [{"text": "Q"}])
    limited = world_of(world, per_hour=2)
    statuses = []
    async with limited.browser() as browser:
        foreign = {"origin": "https://evil.test"}
        wish = {"name": "Ana", "email": "ana@x.test"}
        assert (await browser.post(f"{made['url']}/person", data=wish, headers=foreign)).status_code == 403
    for number in range(3):
        async with limited.browser() as browser:
            page = await browser.post(f"{made['url']}/person", data={"name": f"A{number}", "email": f"{number}@x.test"})
            statuses.append(page.status_code)
    assert statuses == [200, 200, 429]


async def test_without_cookies_a_wish_has_an_address_of_its_own(agent, world):
    made = await published(agent, [{"text": "Q"}])
    async with world.browser() as browser:
        browser.cookies.jar.set_policy(type(browser.cookies.jar._policy)(allowed_domains=[]))
        own = re.search(r'name="own" value="(\w+)"', (await browser.get(made["url"])).text)[1]
        form = {"own": own, "name": "Ana", "email": "ana@x.test"}
        pages = [await browser.post(f"{made['url']}/person", data=form) for _ in range(2)]
        assert {page.url.path for page in pages} == {f"/i/own/{own}"}
        page = await browser.post(f"/i/own/{own}/start", data={"name": "Ana", "consent": "yes"})
        assert "You are done" in (await answer(browser, page, LONG)).text
    assert len(await rows_of(agent, made["id"])) == 1


async def test_where_each_begins_once_a_wish_is_taken_and_a_second_start_is_not(agent, world):
    made = await published(agent, [{"text": "Q"}])
    once = world_of(world, once=True)
    async with once.browser() as first, once.browser() as second:
        form = {"name": "Ana", "email": "ana@x.test", "consent": "yes"}
        await first.post(f"{made['url']}/start", data=form)
        assert ASKED in (await second.post(f"{made['url']}/person", data=form)).text
        assert (await second.post(f"{made['url']}/start", data=form)).status_code == 409


# ── Hearing of it ──


def anonymous(world, exposure):
    return AuralServer(OneClient(world.client), backend="T.", confirm="never", exposure=exposure)


@pytest.mark.parametrize("mode", ["named", "blind", "lockdown"])
async def test_who_asks_stands_first_wherever_sessions_are_listed(agent, world, mode):
    exposure = Exposure(**({} if mode == "named" else {mode: True}))
    made = await published(agent, [{"text": "Q"}])
    async with world.browser() as asking:
        await asking.post(f"{made['url']}/person", data={"name": "Ana Souza", "email": "ana@x.test"})
    for name in ("Ben", "Cem"):
        async with world.browser() as browser:
            await begin(browser, made["url"], name)
    async with Client(anonymous(world, exposure)) as reader:
        result = await reader.call_tool("list_sessions", {"interviewId": made["id"]})
        rows = result.structured_content["data"]
        assert [bool(row.get("asksForPerson")) for row in rows] == [True, False, False]
        assert "1 would rather speak with a person (asksForPerson): tell the user first." in text_of(result)
        waited = await ok(reader, "wait_for_sessions", interviewId=made["id"])
        (someone,) = waited["attention"]["asksForPerson"]
        assert next(iter(waited["attention"])) == "asksForPerson"
        assert (someone["sessionId"], someone["since"]) == (rows[0]["id"], rows[0]["asksForPerson"])
        assert "gaveUp" not in waited["attention"]
        session = await ok(reader, "get_session", sessionId=rows[0]["id"])
        assert session["remarks"][0].endswith("this candidate would rather speak with a person.")
        reported = await reader.call_tool("get_session_report", {"sessionId": rows[0]["id"]})
        report = reported.structured_content
        assert report["remarks"] == session["remarks"]
        assert report["asksForPerson"] == session["asksForPerson"] == rows[0]["asksForPerson"]
        assert session["remarks"][0] in text_of(reported)
        named = f"{rows}{waited}{session}{report}"
        assert ("Ana Souza" in named) == (not exposure.anonymous)
        again = await ok(reader, "wait_for_sessions", interviewId=made["id"])
    assert again["attention"]["asksForPerson"] == [someone]


async def test_in_a_local_workspace_who_asks_stands_first_from_every_page(agent, world):
    made = await published(agent, [{"text": "Q"}])
    async with world.browser() as asking:
        await asking.post(f"{made['url']}/person", data={"name": "Ana Souza", "email": "ana@x.test"})
    for name in ("Ben", "Cem", "Dee"):
        async with world.browser() as browser:
            await begin(browser, made["url"], name)
    local = AuralClient(
        KEY, f"{ORIGIN}/api/v1", transport=httpx.ASGITransport(world.app), tenant="this process", requests_per_minute=0
    )
    async with Client(AuralServer(OneClient(local), backend="T.", confirm="never")) as reader:
        page = await ok(reader, "list_sessions", interviewId=made["id"], limit=2)
        assert [row["participantName"] for row in page["data"]] == ["Ana Souza", "Dee", "Cem"]
        page = await ok(reader, "list_sessions", interviewId=made["id"], limit=2, cursor=page["cursor"])
        assert [row["participantName"] for row in page["data"]] == ["Ana Souza", "Ben"]


# ── Keeping it ──


async def test_a_workspace_of_before_opens_with_what_it_holds_and_an_older_version_still_opens_this_one(
    agent, world, tmp_path
):
    url = world.store.engine.url
    if not url.drivername.startswith("sqlite"):
        with world.store.writing() as db:
            db.exec_driver_sql(f'ALTER TABLE sessions DROP COLUMN "{tables.ASKS}"')
        reopened = Store(url.render_as_string(hide_password=False))
    else:
        world.store.close()
        with sqlite3.connect(url.database) as db:
            db.execute(f'ALTER TABLE sessions DROP COLUMN "{tables.ASKS}"')
        reopened = Store(f"sqlite:///{url.database}")
    with reopened.reading() as db:
        assert db.execute(select(tables.sessions.c[tables.ASKS])).all() == []
    reopened.close()


async def test_an_export_carries_the_wish_and_nothing_of_it_where_there_is_none(agent, world, tmp_path):
    made = await published(agent, [{"text": "Q"}])
    async with world.browser() as asking, world.browser() as other:
        await asking.post(f"{made['url']}/person", data={"name": "Ana", "email": "ana@x.test"})
        await begin(other, made["url"])
    exported = exchange.export_workspace(world.store)
    assert sorted(tables.ASKS in row for row in exported["sessions"]) == [False, True]
    elsewhere = Store(f"sqlite:///{tmp_path / 'elsewhere.db'}")
    exchange.import_workspace(elsewhere, exported)
    assert exchange.export_workspace(elsewhere) == exported
    elsewhere.close()


# ── Who invites, and what asks ──


async def test_the_page_names_who_invites_and_where_to_ask(agent, world):
    made = await published(agent, [{"text": "Q"}])
    contacts = {
        "people@acme.test": '<a href="mailto:people@acme.test" rel',
        "https://acme.test/jobs": '<a href="https://acme.test/jobs" rel',
        "+49 30 1234": "<bdi>+49 30 1234</bdi>",
        "javascript:alert(1)": "<bdi>javascript:alert(1)</bdi>",
        "a@b.test?bcc=c@d.test": "<bdi>a@b.test?bcc=c@d.test</bdi>",
    }
    for contact, shown in contacts.items():
        host = world_of(world, Employer("Acme <GmbH>", contact))
        async with host.browser() as browser:
            page = await browser.get(made["url"])
            assert "Acme &lt;GmbH&gt; invites you to an interview" in page.text
            assert shown in page.text
            assert "Your answers go to Acme &lt;GmbH&gt;." in page.text
    with world.store.writing() as db:
        db.execute(update(tables.interviews).values(companyName="Initech"))
    async with world_of(world, Employer("Acme")).browser() as browser:
        assert "Initech invites you to an interview" in (await browser.get(made["url"])).text
    with world.store.writing() as db:
        db.execute(update(tables.interviews).values(companyName=None))
    async with world.browser() as browser:
        assert "You are invited to an interview" in (await browser.get(made["url"])).text
        with world.store.writing() as db:
            db.execute(update(tables.organizations).values(name="Globex"))
        assert "Globex invites you to an interview" in (await browser.get(made["url"])).text


def test_who_invites_is_set_as_one_line(world):
    given = {"AURAL_ORGANIZATION": " Acme\n GmbH ", "AURAL_CONTACT": "people@acme.test"}
    assert read_settings(given).employer == Employer(organization="Acme GmbH", contact="people@acme.test")

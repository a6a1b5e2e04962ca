"""What a candidate is told before they begin is one text with a version, and is kept word for word."""

import html
import re

import pytest
from mcp import Client
from sqlalchemy import func, select, update

from aural_mcp.api.languages import PAGES
from aural_mcp.backend.interview.notice import VERSION
from aural_mcp.backend.interview.words import catalogue
from aural_mcp.backend.rest.app import LocalKey, create_app
from aural_mcp.backend.storage import tables
from aural_mcp.backend.storage.store import owner
from aural_mcp.config import EMPLOYER, Employer
from conftest import DATABASES, KEY, ORIGIN, World, begin, ok, published

pytestmark = DATABASES


def told_by(world, employer=EMPLOYER):
    key = LocalKey(KEY, owner(world.store).user_id)
    return World(
        world.store,
        create_app(world.store, origin=lambda: ORIGIN, local_key=key, employer=employer),
        world.client,
        world.server,
    )


@pytest.fixture
async def agent(world):
    async with Client(world.server, read_timeout_seconds=30) as connected:
        yield connected


async def report(world, session):
    async with world.browser() as http:
        answered = await http.get(f"/api/v1/sessions/{session}/report", headers={"authorization": f"Bearer {KEY}"})
    return answered.json()["data"]


async def session_of(agent, made):
    return (await ok(agent, "list_sessions", interviewId=made["id"]))["data"][0]["id"]


def on_page(page):
    """The lines of the notice as they stand on a page."""
    invited = re.search(r'<p class="eyebrow"[^>]*>(.*?)</p>', page)[1]
    section = re.search(r'<section class="notice"[^>]*>(.*?)</section>', page, re.DOTALL)[1]
    lines = re.sub(r"</(h2|li|p)>", "\n", section).splitlines()
    said = [html.unescape(re.sub("<[^>]+>", "", each)).strip() for each in [invited, *lines]]
    return "\n".join(each for each in said if each)


@pytest.mark.parametrize("language", [*PAGES, "it"])
async def test_what_stood_on_the_page_is_kept_with_version_language_time_and_agreement(agent, world, language):
    made = await published(agent, [{"text": "Q"}], language=language, timeLimitMinutes=5, antiCheatingEnabled=True)
    host = told_by(world, Employer("Acme <GmbH>", "people@acme.test", 180))
    async with host.browser() as browser:
        shown = (await browser.get(made["url"])).text
        await begin(browser, made["url"])
    found = await report(world, await session_of(agent, made))
    words = catalogue(language if language in PAGES else "en")
    notice = found["notice"]
    assert notice["text"] == on_page(shown)
    assert (notice["version"], notice["language"]) == (VERSION, words["lang"])
    assert notice["agreed"] == words["consent.rules"]
    assert notice["at"] >= found["createdAt"]
    assert "180" in notice["text"]
    assert notice["text"].endswith(f"{words['contact']} people@acme.test")
    told = await ok(agent, "get_session_report", sessionId=await session_of(agent, made))
    assert told["told"] == f"{VERSION}, {words['lang']}, {notice['at']}"


async def test_what_is_not_set_is_not_said_and_equal_texts_are_kept_once(agent, world):
    made = await published(agent, [{"text": "Q"}])
    for name in ("Ana", "Ben"):
        async with world.browser() as browser:
            await begin(browser, made["url"], name)
    text = (await report(world, await session_of(agent, made)))["notice"]["text"]
    assert "Write to" not in text
    assert "deletes" not in text
    assert text.startswith("You are invited to an interview\n")
    with world.store.reading() as db:
        assert db.execute(select(func.count()).select_from(tables.notices)).scalar() == 1
        assert db.execute(select(func.count()).select_from(tables.agreements)).scalar() == 2


async def test_who_read_another_text_reads_the_new_one_before_they_begin(agent, world):
    made = await published(agent, [{"text": "Q"}])
    async with world.browser() as browser:
        old = re.search(r'name="notice" value="(\w+)"', (await browser.get(made["url"])).text)[1]
        with world.store.writing() as db:
            db.execute(update(tables.interviews).values(timeLimitMinutes=5))
        form = {"name": "Ana", "consent": "yes", "notice": old}
        page = await browser.post(f"{made['url']}/start", data=form)
        assert page.status_code == 422
        assert "What this page says has changed since you opened it." in page.text
        assert "5 minutes from the moment you begin" in page.text
        assert 'value="Ana"' in page.text
        assert (await ok(agent, "list_sessions", interviewId=made["id"]))["data"] == []
        new = re.search(r'name="notice" value="(\w+)"', page.text)[1]
        await browser.post(f"{made['url']}/start", data=form | {"notice": new})
    assert "5 minutes" in (await report(world, await session_of(agent, made)))["notice"]["text"]


async def test_of_a_page_of_before_nothing_is_proven_and_nothing_invented(agent, world):
    made = await published(agent, [{"text": "Q"}])
    async with world.browser() as browser:
        await browser.post(f"{made['url']}/start", data={"name": "Ana", "consent": "yes"})
    session = await session_of(agent, made)
    assert "notice" not in await report(world, session)
    assert not (await ok(agent, "get_session_report", sessionId=session)).get("told")

"""Candidates' rights in a browser: what they are told, a person on question 2, their data by the private link."""

import re

import anyio
import pytest
from playwright.async_api import expect
from sqlalchemy import select

from aural_mcp.api.languages import PAGES
from aural_mcp.backend.interview.words import catalogue
from aural_mcp.backend.storage import tables
from aural_mcp.backend.storage.store import Store
from conftest import ok, published
from processes import aural_mcp, on_stdio
from receiver import SECRET, Receiver

from .conftest import accessible

HOST = {"AURAL_ORGANIZATION": "Acme GmbH", "AURAL_CONTACT": "people@acme.example", "AURAL_RETENTION": "180d"}
LONG = "It was one long enough to bring no follow-up at all, as it has more than fifteen words in it."
SIZES = {"narrow": (320, 640), "wide": (1280, 800)}


def kept(folder):
    store = Store(f"sqlite:///{folder / 'workspace.db'}")
    try:
        with store.reading() as db:
            return db.execute(select(tables.notices.c.text)).scalars().all()
    finally:
        store.close()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("language", PAGES)
async def test_the_text_that_is_kept_is_the_one_on_the_page_and_data_are_asked_for_at_the_end(
    tmp_path, browser, language, size
):
    words = catalogue(language)
    width, height = SIZES[size]
    async with on_stdio(tmp_path, "auto", **HOST) as agent:
        made = await published(agent, [{"text": "Q1"}], title="T", language=language)
        context = await browser.new_context(viewport={"width": width, "height": height})
        page = await context.new_page()
        await page.goto(made["url"])
        await accessible(page)
        await page.screenshot(path=tmp_path / "1-notice.png", full_page=True)
        invited = await page.locator(".eyebrow").inner_text()
        section = (await page.locator(".notice").inner_text()).splitlines()
        shown = "\n".join(each.strip() for each in [invited, *section] if each.strip())
        await page.get_by_label(words["name"]).fill("Robin")
        await page.get_by_label(words["consent.rules"]).check()
        await page.get_by_role("button", name=words["begin"]).click()
        await page.get_by_label(words["your_answer"]).fill(LONG)
        await page.get_by_role("button", name=words["send"], exact=True).click()
        await expect(page.get_by_role("heading", name=words["done"])).to_be_visible()
        await page.get_by_text(words["rights"]).click()
        await page.get_by_label(words["request.correct"]).check()
        await page.get_by_label(words["request.text"]).fill(words["rights.explain"])
        await accessible(page)
        await page.screenshot(path=tmp_path / "2-rights.png", full_page=True)
        await page.get_by_role("button", name=words["request.send"]).click()
        await expect(page.locator("#noted")).to_contain_text(words["request.correct"])
        await accessible(page)
        await page.screenshot(path=tmp_path / "3-noted.png", full_page=True)
        await context.close()
    assert kept(tmp_path) == [shown]


async def test_on_question_2_a_person_is_asked_for_and_agent_and_webhook_hear_of_it(tmp_path, browser):
    async with Receiver(SECRET).listening() as receiver:
        code, printed, err = aural_mcp(tmp_path, "backend", "webhooks", "add", receiver.url, "--allow", "127.0.0.0/8")
        assert code == 0, err
        receiver.trust(re.search(r"whsec_\S+", printed)[0])
        async with on_stdio(tmp_path, "auto", **HOST) as agent:
            questions = [{"text": "Q1"}, {"text": "Q2", "timeLimitSeconds": 90}]
            made = await published(agent, questions, timeLimitMinutes=20)
            context = await browser.new_context(viewport={"width": 320, "height": 700})
            page = await context.new_page()
            await page.goto(made["url"])
            await page.get_by_label("Your name").fill("Robin")
            await page.get_by_label("I understand").check()
            await page.get_by_role("button", name="Begin").click()
            await page.get_by_label("Your answer").fill(LONG)
            await page.get_by_role("button", name="Send answer").click()
            await expect(page.get_by_text("Q2")).to_be_visible()
            await page.get_by_text("I would rather speak with a person").click()
            await page.get_by_label("E-mail").first.fill("robin@x.example")
            await accessible(page)
            await page.screenshot(path=tmp_path / "1-person.png", full_page=True)
            await page.keyboard.press("Enter")
            await expect(page.get_by_text("Your wish to speak with a person is stored.")).to_be_in_viewport()
            await expect(page.get_by_text("(stands still)")).to_have_count(2)
            await accessible(page)
            await page.screenshot(path=tmp_path / "2-waits.png", full_page=True)
            (row,) = (await ok(agent, "list_sessions", interviewId=made["id"]))["data"]
            assert row["asksForPerson"]
            code, out, err = aural_mcp(tmp_path, "requests", "list", COLUMNS="200")
            assert (code, "a person" in out) == (0, True), err
            assert aural_mcp(tmp_path, "requests", "close", out.splitlines()[1].split()[0])[0] == 0
            await page.reload()
            await expect(page.get_by_text("You can go on here. No clock ran meanwhile.")).to_be_visible()
            await expect(page.get_by_text("(stands still)")).to_have_count(0)
            await accessible(page)
            await page.screenshot(path=tmp_path / "3-goes-on.png", full_page=True)
            await page.get_by_label("Your answer").fill(LONG)
            await page.get_by_role("button", name="Send answer").click()
            await expect(page.get_by_role("heading", name="You are done")).to_be_visible()
            with anyio.fail_after(20):
                while "session.person_requested" not in {each["type"] for each in receiver.payloads}:
                    receiver.heard.clear()
                    await receiver.heard.wait()
            assert receiver.unsigned == 0
            await context.close()


@pytest.mark.parametrize("scripts", [True, False])
async def test_by_the_private_link_data_are_asked_for_and_corrected_also_when_the_interview_is_archived(
    tmp_path, browser, scripts
):
    async with on_stdio(tmp_path, "auto", **HOST) as agent:
        made = await ok(agent, "create_interview", title="T")
        await ok(agent, "create_questions", interviewId=made["id"], questions=[{"text": "Q"}])
        people = [{"name": "Ann", "email": "ann@x.example"}]
        ann = (await ok(agent, "create_candidates", interviewId=made["id"], candidates=people))["data"][0]
        context = await browser.new_context(viewport={"width": 320, "height": 700}, java_script_enabled=scripts)
        page = await context.new_page()
        await page.goto(ann["inviteUrl"])
        await page.get_by_text("Your data: a copy").click()
        await page.get_by_label("A copy of my data").check()
        await page.screenshot(path=tmp_path / "1-welcome.png", full_page=True)
        await page.get_by_role("button", name="Send this request").click()
        await expect(page.get_by_text("A copy of my data: asked for on")).to_be_visible()
        await ok(agent, "archive_interview", interviewId=made["id"])
        await page.goto(ann["inviteUrl"])
        await expect(page.get_by_role("heading", name="Interview closed")).to_be_visible()
        await page.get_by_text("Your data: a copy, a correction").click()
        await page.get_by_label("A correction of my data").check()
        await page.get_by_role("button", name="Send this request").click()
        await expect(page.get_by_role("alert").first).to_have_text("Please write what is wrong, and how it is right.")
        await page.get_by_label("What is wrong").fill("My name is Ann Lee.")
        if scripts:
            await accessible(page)
        await page.screenshot(path=tmp_path / "2-closed.png", full_page=True)
        await page.get_by_role("button", name="Send this request").click()
        await expect(page.get_by_text("A correction of my data: asked for on")).to_be_visible()
        await page.screenshot(path=tmp_path / "3-noted.png", full_page=True)
        await context.close()
    code, out, _ = aural_mcp(tmp_path, "requests", "list", COLUMNS="200")
    assert (code, "writes: My name is Ann Lee." in out) == (0, True)


async def test_no_clock_of_another_tab_sends_what_is_half_written_while_somebody_waits_for_a_person(tmp_path, browser):
    async with on_stdio(tmp_path, "auto", **HOST) as agent:
        made = await published(agent, [{"text": "Q1", "timeLimitSeconds": 60}], title="T")
        people = [{"name": "Robin", "email": "robin@x.example"}]
        invited = (await ok(agent, "create_candidates", interviewId=made["id"], candidates=people))["data"][0]
        context = await browser.new_context()
        page, other = await context.new_page(), await context.new_page()
        await page.clock.install()
        await page.goto(invited["inviteUrl"])
        await page.get_by_label("I understand").check()
        await page.get_by_role("button", name="Begin").click()
        await page.get_by_label("Your answer").fill("Half of a sen")
        await other.goto(invited["inviteUrl"])
        await other.get_by_text("I would rather speak with a person").click()
        await other.get_by_role("button", name="Yes, tell the team").click()
        await expect(other.get_by_text("(stands still)")).to_be_visible()
        await page.clock.fast_forward(61_000)
        await expect(page.get_by_text("(stands still)")).to_be_visible()
        await expect(page.get_by_label("Your answer")).to_have_value("Half of a sen")
        (row,) = (await ok(agent, "list_sessions", interviewId=made["id"]))["data"]
        assert (row["status"], row["turns"]) == ("IN_PROGRESS", 2)
        await context.close()

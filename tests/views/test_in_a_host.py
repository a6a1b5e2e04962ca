"""A view in a host of MCP Apps: drawn from the tool's own answer, in the host's theme, and it asks the host alone."""

import re

import pytest
from mcp import Client
from playwright.async_api import expect

from aural_mcp.server.apps import VIEW_OF
from scored import even, interview_with, sit
from viewed import PEOPLE, called, seeded

from .conftest import accessible, hosted


@pytest.fixture
async def agent(world):
    async with Client(world.server, read_timeout_seconds=30) as connected:
        yield connected


def asked(tool, interview, session):
    return {"sessionId": session} if "session" in tool and tool != "wait_for_sessions" else {"interviewId": interview}


async def test_each_tool_with_a_view_is_drawn_in_the_hosts_theme(browser, host_script, world, agent):
    interview, session = await seeded(world, agent, 6)
    for tool, theme in zip(VIEW_OF, ("dark", "light", "dark", "light", "dark"), strict=True):
        async with hosted(browser, agent, host_script, tool, asked(tool, interview, session), theme=theme) as (page, view, calls):
            assert await view.locator("h1").count() == 1
            assert await view.evaluate("document.documentElement.style.colorScheme") == theme
            await accessible(view)
            await page.evaluate("bridge.setHostContext({theme: 'light'})")
            await expect(view.locator("html")).to_have_attribute("style", "color-scheme: light;")
            assert (await page.evaluate("sizes"))[-1] > 200
            assert calls == []


async def test_a_view_can_reach_nobody_but_its_host(browser, host_script, world, agent):
    interview, _ = await seeded(world, agent, 1)
    tried = "() => fetch('http://127.0.0.1:1/').then(() => 'sent', (error) => error.name)"
    with pytest.raises(AssertionError, match="Content Security Policy"):
        async with hosted(browser, agent, host_script, "get_interview", {"interviewId": interview}) as (_, view, _):
            assert await view.evaluate(tried) == "TypeError"
            assert await view.evaluate("origin") == "null"


async def test_quotes_are_read_when_somebody_wants_them(browser, host_script, world, agent):
    interview, _ = await seeded(world, agent, 3)
    given = {"interviewId": interview}
    async with hosted(browser, agent, host_script, "compare_candidates", given) as (page, view, calls):
        await view.get_by_role("button", name="Priya Nair").click()
        await view.get_by_role("button", name="Read the quotes").click()
        await view.wait_for_selector("td.quoted")
        assert calls == [("compare_candidates", {**given, "quotes": True})]


async def test_three_hundred_come_page_by_page(browser, host_script, world, agent):
    interview = await interview_with(agent)
    for number in range(300):
        sit(world, interview, called(number), even(number % 10 + 1))
    given = {"interviewId": interview}
    async with hosted(browser, agent, host_script, "compare_candidates", given) as (page, view, calls):
        assert " so far" in await view.locator("header").inner_text()
        await view.get_by_role("button", name="Hide names").click()
        while not calls or (await view.get_by_role("button", name="Load more candidates").count()):
            before = len(calls)
            await view.get_by_role("button", name="Load more candidates").click()
            await expect(view.get_by_text("One moment…")).to_have_count(0)
            assert len(calls) == before + 1
        assert "300 candidates ·" in await view.locator("header").inner_text()
        assert len({given["cursor"] for _, given in calls}) == len(calls)
        await view.get_by_role("button", name="Show the other 250").click()
        assert "Candidate 300" in (words := await view.locator("main").inner_text())
        assert not re.search("|".join(PEOPLE), words)


async def test_a_link_is_asked_for_and_copied(browser, host_script, world, agent):
    interview, _ = await seeded(world, agent, 1)
    async with hosted(browser, agent, host_script, "wait_for_sessions", {"interviewId": interview}) as (page, view, calls):
        await view.get_by_role("button", name="Copy link of Sofia Rossi").click()
        await view.wait_for_selector("output:not(:empty)")
        assert calls == [("list_candidates", {"interviewId": interview, "name": "Sofia Rossi", "include": ["inviteUrl"]})]
        assert await view.locator("output:not(:empty)").inner_text() in ("Copied", "Selected: copy it")


async def test_drawings_and_the_log_are_in_the_report(browser, host_script, world, agent):
    _, session = await seeded(world, agent, 1)
    async with hosted(browser, agent, host_script, "get_session", {"sessionId": session}) as (page, view, calls):
        assert await view.locator("img.board").count() == 0
        await view.get_by_role("button", name="Show drawings").click()
        await view.wait_for_selector("img.board")
        assert "142 characters" in await view.get_by_role("region", name="What to look at").inner_text()
        assert calls == [("get_session_report", {"sessionId": session})]


async def test_a_long_transcript_is_read_on(browser, host_script, world, agent):
    interview = await interview_with(agent)
    session = sit(world, interview, "Robin Vega", even(7), ["Go on?", "word " * 400] * 40)
    async with hosted(browser, agent, host_script, "get_session", {"sessionId": session}) as (page, view, calls):
        turns = view.locator(".transcript > li")
        before = await turns.count()
        await view.get_by_role("button", name="Read on").click()
        await expect(turns).not_to_have_count(before)
        assert calls == [("get_session", {"sessionId": session, "fromTurn": before + 1})]


async def test_a_host_that_calls_no_tools_gets_no_button_for_it(browser, host_script, world, agent):
    interview, session = await seeded(world, agent, 1)
    for tool in VIEW_OF:
        async with hosted(browser, agent, host_script, tool, asked(tool, interview, session), abilities=()) as (page, view, _):
            assert not {"Look again", "Read on", "Copy link of Sofia Rossi"} & set(await view.get_by_role("button").all_inner_texts())


async def test_a_refusal_is_said(browser, host_script, world, agent):
    nobody = {"sessionId": "3f0c3f0e-0000-4000-8000-000000000000"}
    async with hosted(browser, agent, host_script, "get_session", nobody) as (_, view, _):
        assert "Session not found" in await view.get_by_role("status").inner_text()

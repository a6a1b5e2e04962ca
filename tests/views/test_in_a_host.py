"""A view in a host of MCP Apps: drawn from the tool's own answer, in the host's theme, and it asks the host alone."""

import re

from playwright.async_api import expect

from aural_mcp.server.apps import VIEW_OF
from scored import even, interview_with, sit
from viewed import PEOPLE, called, seeded

from .conftest import accessible


def asked(tool, interview, session):
    return {"sessionId": session} if tool.startswith("get_session") else {"interviewId": interview}


async def test_each_tool_with_a_view_is_drawn_in_the_hosts_theme(shown, world, agent):
    interview, session = await seeded(world, agent, 6)
    for tool, theme in zip(VIEW_OF, ("dark", "light", "dark", "light", "dark"), strict=True):
        async with shown(tool, asked(tool, interview, session), theme=theme) as host:
            assert await host.view.locator("h1").count() == 1
            assert await host.view.evaluate("document.documentElement.style.colorScheme") == theme
            await accessible(host.view)
            await host.page.evaluate("bridge.setHostContext({theme: 'light'})")
            await expect(host.view.locator("html")).to_have_attribute("style", "color-scheme: light;")
            assert (await host.page.evaluate("sizes"))[-1] > 200
            assert host.calls == []


async def test_a_view_can_reach_nobody_but_its_host(shown, world, agent):
    interview, _ = await seeded(world, agent, 1)
    stopped = []
    async with shown("get_interview", {"interviewId": interview}, stopped=stopped) as host:
        tried = "() => fetch('http://127.0.0.1:1/').then(() => 'sent', (error) => error.name)"
        assert await host.view.evaluate(tried) == "TypeError"
        assert await host.view.evaluate("origin") == "null"
    assert stopped
    assert all("Content Security Policy" in each for each in stopped)


async def test_quotes_are_read_when_somebody_wants_them(shown, world, agent):
    interview, _ = await seeded(world, agent, 3)
    given = {"interviewId": interview}
    async with shown("compare_candidates", given) as host:
        await host.view.get_by_role("button", name="Priya Nair").click()
        await host.view.get_by_role("button", name="Read the quotes").click()
        await host.view.wait_for_selector("td.quoted")
        assert host.calls == [("compare_candidates", {**given, "quotes": True})]


async def test_three_hundred_come_page_by_page_and_stay_without_names(shown, world, agent):
    interview = await interview_with(agent)
    for number in range(300):
        sit(world, interview, called(number), even(number % 10 + 1))
    async with shown("compare_candidates", {"interviewId": interview}) as host:
        assert " so far" in await host.view.locator("header").inner_text()
        await host.view.get_by_role("button", name="Hide names").click()
        more = host.view.get_by_role("button", name="Load more candidates")
        while await more.count():
            await more.click()
            await expect(host.view.get_by_text("One moment…")).to_have_count(0)
        assert "300 candidates ·" in await host.view.locator("header").inner_text()
        assert len({given["cursor"] for _, given in host.calls}) == len(host.calls)
        await host.view.get_by_role("button", name="Show the other 250").click()
        assert "Candidate 300" in (words := await host.view.locator("main").inner_text())
        assert not re.search("|".join(PEOPLE), words)


async def test_a_link_is_asked_for_and_copied(shown, world, agent):
    interview, _ = await seeded(world, agent, 1)
    async with shown("wait_for_sessions", {"interviewId": interview}) as host:
        await host.view.get_by_role("button", name="Copy link of Sofia Rossi").click()
        said = host.view.locator("output:not(:empty)")
        assert await said.inner_text() in ("Copied", "Selected: copy it")
        given = {"interviewId": interview, "name": "Sofia Rossi", "include": ["inviteUrl"]}
        assert host.calls == [("list_candidates", given)]


async def test_drawings_and_the_log_are_in_the_report(shown, world, agent):
    _, session = await seeded(world, agent, 1)
    async with shown("get_session", {"sessionId": session}) as host:
        assert await host.view.locator("img.board").count() == 0
        await host.view.get_by_role("button", name="Show drawings").click()
        await host.view.wait_for_selector("img.board")
        assert "142 characters" in await host.view.get_by_role("region", name="What to look at").inner_text()
        assert host.calls == [("get_session_report", {"sessionId": session})]


async def test_a_long_transcript_is_read_on(shown, world, agent):
    interview = await interview_with(agent)
    session = sit(world, interview, "Robin Vega", even(7), ["Go on?", "word " * 400] * 40)
    async with shown("get_session", {"sessionId": session}) as host:
        turns = host.view.locator(".transcript > li")
        before = await turns.count()
        await host.view.get_by_role("button", name="Read on").click()
        await expect(turns).not_to_have_count(before)
        assert host.calls == [("get_session", {"sessionId": session, "fromTurn": before + 1})]


async def test_a_host_that_calls_no_tools_gets_no_button_for_it(shown, world, agent):
    interview, session = await seeded(world, agent, 1)
    for tool in ("wait_for_sessions", "get_session"):
        async with shown(tool, asked(tool, interview, session), abilities=()) as host:
            words = " ".join(await host.view.get_by_role("button").all_inner_texts())
            assert not re.search("Look again|Read on|Show drawings|Copy link", words)


async def test_a_refusal_is_said(shown):
    async with shown("get_session", {"sessionId": "3f0c3f0e-0000-4000-8000-000000000000"}) as host:
        assert "Session not found" in await host.view.get_by_role("status").inner_text()

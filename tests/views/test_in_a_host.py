"""A view in a host of MCP Apps: drawn from the tool's own answer, in the host's theme, and it asks the host alone."""

import json
import re
from contextlib import asynccontextmanager

import pytest
from mcp import Client
from playwright.async_api import expect

from aural_mcp.server.apps import VIEW_OF
from conftest import ok
from consenting import server_on
from scored import even, interview_with, sit
from viewed import APPS, HOSTILE, PEOPLE, called, seeded

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


# ── Approval ────────────────────────────────────────────────────────────────────────────────────

SEND = ["serverTools", "updateModelContext"]
CODE = "aural-ai.com/confirmation"


@pytest.fixture
async def chat(world):
    """A host that draws views and cannot ask its user."""
    async with Client(server_on(world), extensions=APPS, read_timeout_seconds=30) as connected:
        yield connected


@asynccontextmanager
async def asking(shown, chat, tool, given, **more):
    """The view of a question whose code the model does not see: one was shown before."""
    async with shown(tool, given, by=chat, abilities=SEND) as first:
        await first.view.get_by_role("button", name="Yes, do it").wait_for()
    async with shown(tool, given, by=chat, **{"abilities": SEND, **more}) as host:
        await host.view.get_by_role("button", name="Yes, do it").wait_for()
        code = host.answer["_meta"][CODE]
        assert code not in json.dumps(host.answer["content"]) + json.dumps(host.answer["structuredContent"])
        yield host


async def press(host, words):
    await host.view.get_by_role("button", name=words).click()
    await expect(host.view.get_by_text("One moment…")).to_have_count(0)
    return await host.view.locator("main").inner_text()


async def drafted(agent, **more):
    made = await ok(agent, "create_interview", **{"title": "Backend engineer", **more})
    return {"interviewId": made["id"]}


@pytest.mark.parametrize("drops", [(), ("_meta",)], ids=["all is handed over", "a host drops _meta"])
async def test_a_yes_in_the_view_does_it_and_tells_the_model_in_our_words(shown, agent, chat, drops):
    given = await drafted(agent)
    async with asking(shown, chat, "publish_interview", given, drops=drops) as host:
        words = await host.view.locator("main").inner_text()
        assert "Open “Backend engineer” to everyone who has its link?" in words
        assert (await ok(agent, "get_interview", **given))["state"] == "by invitation"
        assert "Publish interview: done." in await press(host, "Yes, do it")
        assert (await ok(agent, "get_interview", **given))["state"] == "public"
        ((kind, told),) = await host.page.evaluate("told")
        assert kind == "context"
        assert "The user agreed in the view." in told
        assert "Backend engineer" not in told
        sent = [each["confirmation"] for _, each in host.calls]
        assert sent[0] == (host.answer["_meta"][CODE][:12] if drops else host.answer["_meta"][CODE])
        assert {name for name, _ in host.calls} == {"approval"}
        await accessible(host.view)
        assert await host.view.evaluate("document.activeElement.tagName") == "H1"


async def test_a_no_does_nothing_and_who_changes_their_mind_is_asked_anew(shown, agent, chat):
    given = await drafted(agent)
    async with asking(shown, chat, "archive_interview", given, abilities=["serverTools", "message"]) as host:
        assert "Nothing was done: you said no." in await press(host, "No, do nothing")
        ((kind, told),) = await host.page.evaluate("told")
        assert (kind, "the user said no" in told) == ("message", True)
        await accessible(host.view)
        assert "Archive “Backend engineer”?" in await press(host, "Ask me again")
        assert "Archive interview: done." in await press(host, "Yes, do it")
        assert (await ok(agent, "get_interview", **given))["state"] == "archived"


async def test_what_changed_is_said_and_the_second_click_of_two_answers_nothing(shown, agent, chat):
    given = await drafted(agent)
    async with asking(shown, chat, "publish_interview", given) as host:
        await ok(agent, "update_interview", **given, title="Baker")
        await host.view.get_by_role("button", name="Yes, do it").dblclick()
        await host.view.get_by_text("the title was changed since").wait_for()
        assert await host.view.get_by_role("button", name="Yes, do it").is_disabled()
        assert len([each for _, each in host.calls if each.get("answer")]) == 1
        assert (await ok(agent, "get_interview", **given))["state"] == "by invitation"
        assert "done" in await press(host, "Yes, do it")


async def test_two_tabs_with_one_question_do_it_once(shown, agent, chat):
    given = {**await drafted(agent), "candidates": [{"name": called(each)} for each in range(21)]}
    async with asking(shown, chat, "create_candidates", given) as one:
        again = {"tool": "create_candidates", "arguments": given, "confirmation": one.answer["_meta"][CODE]}
        assert (await chat.call_tool("approval", again)).structured_content["state"] == "waiting"
        assert "done" in await press(one, "Yes, do it")
        late = await chat.call_tool("approval", {**again, "answer": "yes"})
        assert late.structured_content["state"] == "over"
    assert (await ok(agent, "list_candidates", interviewId=given["interviewId"]))["total"] == 21


async def test_keys_reach_no_before_yes_and_nothing_is_pressed_by_itself(shown, agent, chat):
    given = await drafted(agent)
    async with asking(shown, chat, "publish_interview", given) as host:
        assert await host.view.evaluate("document.activeElement.tagName") == "BODY"
        await expect(host.view.get_by_role("button", name="Yes, do it")).to_be_enabled()
        for words in ("No, do nothing", "Yes, do it"):
            await host.page.keyboard.press("Tab")
            assert await host.view.evaluate("document.activeElement?.textContent") == words
        await host.page.keyboard.press("Enter")
        await host.view.get_by_role("heading", name="Publish interview: done.").wait_for()


@pytest.mark.parametrize("people", [1, 20, 300])
@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_an_import_of_any_size_is_asked_about_from_a_phone_to_a_wide_screen(shown, agent, chat, people, theme):
    given = await drafted(agent)
    lately = [{"name": f"Before {each}"} for each in range(20)]
    await ok(chat, "create_candidates", **given, candidates=lately)
    rows = "\n".join(f"{called(each)},p{each}@x.org" for each in range(people))
    listed = {**given, "data": f"name,email\n{rows}", "dryRun": False}
    async with asking(shown, chat, "import_candidates", listed, theme=theme) as host:
        assert f"Register {people} pe" in await host.view.locator("h1").inner_text()
        for width in (320, 1600):
            await host.page.set_viewport_size({"width": width, "height": 900})
            await accessible(host.view)
            assert await host.view.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        assert f"{people} {'person' if people == 1 else 'people'} registered." in await press(host, "Yes, do it")


async def test_hostile_names_and_titles_are_words_in_a_question_and_press_nothing(shown, agent, chat):
    given = await drafted(agent, title=HOSTILE[0])
    people = {**given, "candidates": [{"name": HOSTILE[at % len(HOSTILE)][:200]} for at in range(21)]}
    async with asking(shown, chat, "create_candidates", people) as host:
        await host.page.set_viewport_size({"width": 320, "height": 900})
        for _ in range(2):
            assert await host.view.evaluate("window.owned") is None
            assert await host.view.locator("main img, main script, main b, main style").count() == 0
            assert await host.view.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
            await accessible(host.view)
            if await host.view.get_by_role("button", name="Yes, do it").count():
                await press(host, "Yes, do it")
        assert "onerror" not in str(await host.page.evaluate("told"))


async def test_a_call_that_asked_nothing_is_a_line(shown, agent, chat):
    given = {**await drafted(agent), "candidates": [{"name": "Ana"}]}
    async with shown("create_candidates", given, by=chat, abilities=SEND) as host:
        assert (await host.view.locator("h1").inner_text()) == "Done."
        await host.view.get_by_role("button", name="Copy link of Ana").wait_for()
        assert host.calls == []
        assert (await host.page.evaluate("sizes"))[-1] < 160


async def test_a_question_that_was_answered_is_not_put_again_by_a_conversation_that_is_opened_later(shown, agent, chat):
    given = await drafted(agent)
    async with asking(shown, chat, "publish_interview", given) as host:
        await press(host, "Yes, do it")
        used = host.calls[-1][1]["confirmation"]
    heard = await chat.call_tool("approval", {"tool": "publish_interview", "arguments": given, "confirmation": used})
    assert heard.structured_content["state"] == "over"


async def test_a_page_that_may_call_nothing_says_so_and_proves_nothing(shown, agent, chat):
    given = await drafted(agent)
    for _ in range(2):
        async with shown("publish_interview", given, by=chat, abilities=()) as host:
            words = await host.view.locator("main").inner_text()
            assert "Open “Backend engineer”" in words
            assert "answer in the conversation" in words
            assert await host.view.get_by_role("button").count() == 0
            assert host.answer["structuredContent"]["confirmation"]
            await accessible(host.view)

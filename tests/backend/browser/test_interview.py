"""A candidate takes the interview in Chromium, at a link that an agent published over stdio."""

import re

import pytest
from playwright.async_api import expect

from conftest import ok, published
from processes import on_stdio

QUESTIONS = [
    {"text": "Tell me about a service that you built.", "description": "A few sentences are enough."},
    {"text": "Which do you prefer?", "type": "SINGLE_CHOICE", "options": ["Designing", "Building", "Running it"]},
    {"text": "Which of these have you run?", "type": "MULTIPLE_CHOICE", "options": ["Kafka", "Redis", "PostgreSQL"]},
]
STORY = (
    "I designed the consumer side of an event pipeline and ran it for two years, with four thousand events a second."
)
WHY = (
    "Because that is where you learn whether a design was right, and the people on call tell you before any graph does."
)


@pytest.mark.parametrize("viewport", [(390, 844), (1280, 800)], ids=["phone", "desktop"])
@pytest.mark.parametrize("javascript", [True, False], ids=["script", "no-script"])
async def test_a_candidate_takes_the_interview_and_the_agent_reads_it(tmp_path, browser, viewport, javascript):
    async with on_stdio(tmp_path / "workspace", "auto") as agent:
        made = await published(agent, QUESTIONS, title="Backend engineer", aiName="Maya", timeLimitMinutes=30)
        size = {"width": viewport[0], "height": viewport[1]}
        context = await browser.new_context(viewport=size, java_script_enabled=javascript)
        page, problems = await context.new_page(), []
        page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        page.on(
            "request", lambda sent: problems.append(sent.url) if not sent.url.startswith(made["url"][:17]) else None
        )

        await page.goto(made["url"])
        await page.screenshot(path=tmp_path / "1-welcome.png", full_page=True)
        await page.get_by_label("Your name").fill("Robin Vega")
        await page.get_by_label("I understand how").check()
        await page.get_by_role("button", name="Begin the interview").click()
        await expect(page.get_by_text("Question 1 of 3")).to_be_visible()

        field = page.get_by_role("textbox", name="Your answer")
        await field.fill("I built one")
        if javascript:
            await page.reload()
            await expect(field).to_have_value("I built one")
        await page.get_by_role("button", name="Send answer").click()
        await expect(page.get_by_text("Could you tell me a little more")).to_be_visible()
        await field.fill(STORY)
        await page.screenshot(path=tmp_path / "2-question.png", full_page=True)
        await page.get_by_role("button", name="Send answer").click()

        await page.get_by_role("radio", name="Running it").check()
        await page.screenshot(path=tmp_path / "3-choice.png", full_page=True)
        await page.get_by_role("button", name="Send answer").click()
        await field.fill(WHY)
        await page.get_by_role("button", name="Send answer").click()
        await page.get_by_role("checkbox", name="Kafka").check()
        await page.get_by_role("checkbox", name="PostgreSQL").check()
        await page.get_by_role("button", name="Send answer").click()
        await field.fill(WHY)
        await page.get_by_role("button", name="Send answer").click()
        await expect(page.get_by_role("heading", name="You are done")).to_be_visible()
        await page.screenshot(path=tmp_path / "4-done.png", full_page=True)
        await page.reload()
        await expect(page.get_by_role("heading", name="You are done")).to_be_visible()
        overflow = await page.evaluate("document.documentElement.scrollWidth - innerWidth") if javascript else 0
        await context.close()

        assert problems == []
        assert overflow <= 0
        row = (await ok(agent, "list_sessions", interviewId=made["id"]))["data"][0]
        session = await ok(agent, "get_session", sessionId=row["id"])
    said = [turn["content"] for turn in session["messages"] if turn["role"] == "USER"]
    assert said == ["I built one", STORY, "Running it", WHY, "Kafka\nPostgreSQL", WHY]
    assert session["status"] == "COMPLETED"
    assert re.match("Hello Robin Vega, thank you", session["messages"][0]["content"])

"""What goes wrong on a candidate's page and is mended there: a refusal, a connection, a button out of sight."""

from playwright.async_api import expect

from conftest import ok, published
from processes import on_stdio

from .conftest import accessible, device

LONG = "A description of the work that goes on for several paragraphs.\n\n" * 20


async def test_a_refusal_goes_away_when_it_is_mended_and_not_before(tmp_path, browser):
    async with on_stdio(tmp_path, "auto") as agent:
        made = await published(agent, [{"text": "Q1"}])
        async with device(browser, "phone", color_scheme="dark") as page:
            error = page.get_by_role("alert").filter(has_text="Please")
            await page.goto(made["url"])
            name, consent = page.get_by_label("Your name"), page.get_by_label("I understand")
            await name.fill(" ")
            await consent.check()
            await page.get_by_role("button", name="Begin").click()
            await expect(error).to_have_text("Please enter your name.")
            await expect(name).to_be_focused()
            await accessible(page)
            await page.screenshot(path=tmp_path / "refused.png")
            await consent.uncheck()
            await expect(error).to_be_visible()
            await name.fill("Robin")
            await expect(error).to_have_count(0)
            await consent.check()
            await page.get_by_role("button", name="Begin").click()

            await page.get_by_role("button", name="Send answer").click()
            await expect(error).to_have_text("Please write an answer before you send it.")
            await page.get_by_label("Your answer").fill("Words")
            await expect(error).to_have_count(0)

            await page.get_by_text("I would rather speak with a person").click()
            await page.get_by_role("button", name="Yes, tell the team").click()
            await expect(error).to_have_text("Please enter your e-mail address, so that a person can reach you.")
            await expect(page.get_by_label("Your answer")).to_have_value("Words")
            await page.get_by_label("E-mail").fill("robin@x.test")
            await expect(error).to_have_count(0)
            await page.get_by_label("E-mail").press("Enter")
            await expect(page.get_by_text("Your wish to speak with a person is stored.")).to_be_in_viewport()
            await accessible(page)
            await page.screenshot(path=tmp_path / "noted.png", full_page=True)
        (row,) = (await ok(agent, "list_sessions", interviewId=made["id"]))["data"]
        session = await ok(agent, "get_session", sessionId=row["id"])
    assert (row["participantEmail"], bool(row["asksForPerson"])) == ("robin@x.test", True)
    assert [turn for turn in session["messages"] if turn["role"] == "USER"] == []


async def test_beginning_is_in_sight_and_waits_for_a_connection_and_a_gateway_that_is_down_loses_nothing(
    tmp_path, browser
):
    async with on_stdio(tmp_path, "auto") as agent:
        made = await published(agent, [{"text": "Q1"}], description=LONG)
        context = await browser.new_context(viewport={"width": 390, "height": 600})
        page = await context.new_page()
        await page.goto(made["url"])
        begin = page.get_by_role("button", name="Begin")
        await expect(begin).to_be_in_viewport()
        await begin.click()
        await expect(page.get_by_label("Your name")).to_be_focused()
        await page.keyboard.type("Robin")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Space")
        await page.keyboard.press("Tab")
        await expect(begin).to_be_focused()
        await context.set_offline(True)
        await page.keyboard.press("Enter")
        await expect(page.get_by_text("No connection.")).to_be_visible()
        await expect(page.get_by_label("Your name")).to_have_value("Robin")
        await context.set_offline(False)
        answer = page.get_by_label("Your answer")
        await answer.fill(
            "It was one long enough to bring no follow-up at all, as it has more than fifteen words in it."
        )
        await page.route("**/answer", lambda route: route.fulfill(status=502, body="Bad gateway"), times=1)
        await page.get_by_role("button", name="Send answer").click()
        await expect(page.get_by_text("No connection.")).to_be_visible()
        await expect(page.get_by_role("heading", name="You are done")).to_be_visible(timeout=15_000)
        await context.close()
        (row,) = (await ok(agent, "list_sessions", interviewId=made["id"]))["data"]
    assert (row["status"], row["turns"]) == ("COMPLETED", 4)

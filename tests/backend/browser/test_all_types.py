"""Every type of question, on a phone and on a desktop, with a keyboard alone, in Chinese, and with a clock."""

import pytest
from playwright.async_api import expect

from conftest import ok, published
from processes import on_stdio

from .conftest import accessible, device

STARTER = {"python": "def reverse(xs):\n    ...", "javascript": "const reverse = (xs) => {};"}
QUESTIONS = [
    {
        "text": "Tell me about a service that you built.",
        "description": "A few sentences are enough.",
        "probeThreshold": 3,
    },
    {"text": "Which do you prefer?", "type": "SINGLE_CHOICE", "options": ["Designing", "Building"]},
    {"text": "Which have you run?", "type": "MULTIPLE_CHOICE", "options": ["Kafka", "Redis"], "followUpEnabled": False},
    {"text": "Reverse a list.", "type": "CODING", "starterCode": STARTER, "timeLimitSeconds": 900},
    {"text": "Draw how a request travels.", "type": "WHITEBOARD"},
    {"text": "How do you find out what users need?", "type": "RESEARCH", "required": False},
]
STORY = "I designed the consumer side of an event pipeline and ran it for two years, on call every third week."
WHY = "Because that is where you learn whether a design was right, and people tell you before any graph does."


async def invited(agent, **interview):
    """An interview of all types with one private link: its id and the link."""
    made = await ok(agent, "create_interview", title="Backend engineer", **interview)
    await ok(agent, "create_questions", interviewId=made["id"], questions=QUESTIONS)
    people = await ok(agent, "create_candidates", interviewId=made["id"], candidates=[{"name": "Robin Vega"}])
    return made["id"], people["data"][0]["inviteUrl"]


async def draw(page):
    """Two strokes with the pointer."""
    canvas = page.locator("#canvas")
    await canvas.scroll_into_view_if_needed()
    area = await canvas.bounding_box()
    for start, end in (((0.2, 0.3), (0.8, 0.3)), ((0.5, 0.2), (0.5, 0.8))):
        await page.mouse.move(area["x"] + area["width"] * start[0], area["y"] + area["height"] * start[1])
        await page.mouse.down()
        await page.mouse.move(area["x"] + area["width"] * end[0], area["y"] + area["height"] * end[1], steps=8)
        await page.mouse.up()


@pytest.mark.parametrize("viewport", ["phone", "desktop"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_all_six_types_with_a_reload_and_another_device_in_the_middle(tmp_path, browser, viewport, scheme):
    async with on_stdio(tmp_path / "workspace", "auto") as agent:
        interview, link = await invited(
            agent, aiName="Maya", timeLimitMinutes=45, antiCheatingEnabled=True, voiceEnabled=True
        )

        async def looked_at(page, name):
            await accessible(page)
            await page.screenshot(path=tmp_path / f"{name}.png", full_page=True)

        async with device(browser, viewport, color_scheme=scheme) as page:
            send = page.get_by_role("button", name="Send answer")
            await page.goto(link)
            await looked_at(page, "1-welcome")
            await page.get_by_label("I understand").check()
            await page.get_by_role("button", name="Begin").click()
            field = page.get_by_label("Your answer")
            await field.fill(STORY)
            await page.reload()
            await expect(field).to_have_value(STORY)
            await expect(page.get_by_role("timer")).to_contain_text("Time left")
            await looked_at(page, "2-open")
            await send.click()
            await send.click()
            await expect(page.get_by_role("alert")).to_have_text("Please choose an answer.")
            await looked_at(page, "3-single")
            await page.get_by_label("Designing").check()
            await send.click()
            await expect(page.get_by_text("What makes you choose that?")).to_be_visible()
            await field.fill(WHY)
            await send.click()
            await page.get_by_label("Kafka").check()
            await page.get_by_label("Redis").check()
            await looked_at(page, "4-multiple")
            await send.click()
            await expect(page.get_by_label("Your code")).to_be_visible()

        async with device(browser, viewport, color_scheme=scheme) as page:
            send = page.get_by_role("button", name="Send answer")
            await page.goto(link)
            code = page.get_by_label("Your code")
            await page.get_by_label("Language").select_option("javascript")
            await expect(code).to_have_value(STARTER["javascript"])
            await page.get_by_label("Language").select_option("python")
            await code.press("Control+End")
            await code.press("Control+Shift+ArrowLeft")
            await code.press("Delete")
            await page.keyboard.type("return xs[::-1]")
            await expect(page.locator(".gutter")).to_have_text("1\n2")
            await expect(page.get_by_role("timer").nth(1)).to_contain_text("Time for this question")
            await looked_at(page, "5-coding")
            await send.click()
            await draw(page)
            await expect(page.get_by_text("Strokes: 2")).to_be_visible()
            await page.get_by_role("button", name="Undo").click()
            await expect(page.get_by_text("Strokes: 1")).to_be_visible()
            await page.reload()
            await expect(page.get_by_text("Strokes: 1")).to_be_visible()
            await page.get_by_label("Explain your drawing").fill("From the edge to the queue.")
            await looked_at(page, "6-whiteboard")
            await send.click()
            await expect(page.get_by_text("How do you find out")).to_be_visible()
            await expect(page.get_by_role("img", name="Drawing area")).to_be_visible()
            await looked_at(page, "7-research")
            await page.get_by_role("button", name="Skip this question").click()
            await expect(page.get_by_role("heading", name="You are done")).to_be_visible()
            await looked_at(page, "8-done")

        row = (await ok(agent, "list_sessions", interviewId=interview))["data"][0]
        report = await ok(agent, "get_session_report", sessionId=row["id"])
    said = [(turn.get("contentType", "TEXT"), turn["content"]) for turn in report["messages"] if turn["role"] == "USER"]
    assert said == [
        ("TEXT", STORY),
        ("TEXT", "Designing"),
        ("TEXT", WHY),
        ("TEXT", "Kafka\nRedis"),
        ("CODE", "```python\ndef reverse(xs):\n    return xs[::-1]\n```"),
        ("WHITEBOARD", "[Drawing]\nFrom the edge to the queue."),
        ("TEXT", "(skipped)"),
    ]
    assert report["status"] == "COMPLETED"


async def test_a_keyboard_alone_is_enough_and_the_editor_is_no_trap(tmp_path, browser):
    async with on_stdio(tmp_path, "auto") as agent:
        interview, link = await invited(agent)
        async with device(browser) as page:
            focused = page.locator(":focus")

            async def tab_to(name):
                for _ in range(20):
                    await page.keyboard.press("Tab")
                    label = await focused.evaluate("e => (e.labels?.[0]?.textContent ?? e.textContent).trim()")
                    if name in label:
                        return
                raise AssertionError(f"{name} cannot be reached")

            await page.goto(link)
            await tab_to("I understand")
            await page.keyboard.press("Space")
            await tab_to("Begin")
            await page.keyboard.press("Enter")
            await expect(page.get_by_label("Your answer")).to_be_focused()
            await page.keyboard.type(STORY)
            await page.keyboard.press("Control+Enter")
            await expect(page.get_by_text("Which do you prefer?")).to_be_visible()
            await expect(page.get_by_label("Designing")).to_be_focused()
            await page.keyboard.press("ArrowDown")
            await tab_to("Send answer")
            await page.keyboard.press("Enter")
            await expect(page.get_by_label("Your answer")).to_be_focused()
            await page.keyboard.type(WHY)
            await tab_to("Send answer")
            await page.keyboard.press("Enter")
            await expect(page.get_by_label("Kafka")).to_be_focused()
            await page.keyboard.press("Space")
            await tab_to("Send answer")
            await page.keyboard.press("Enter")
            await expect(page.get_by_label("Your code")).to_be_visible()
            await tab_to("Your code")
            await page.keyboard.press("Control+End")
            await page.keyboard.press("Enter")
            await page.keyboard.press("Tab")
            await page.keyboard.type("pass")
            await expect(page.get_by_label("Your code")).to_have_value(STARTER["python"] + "\n        pass")
            await page.keyboard.press("Escape")
            await tab_to("Send answer")
            await page.keyboard.press("Enter")
            await expect(page.get_by_text("Draw how")).to_be_visible()
            await tab_to("Explain your drawing")
            await page.keyboard.type("From the edge to the queue.")
            await tab_to("Send answer")
            await page.keyboard.press("Enter")
            await expect(page.get_by_text("How do you find out")).to_be_visible()
            await tab_to("Skip this question")
            await page.keyboard.press("Enter")
            await expect(page.get_by_role("heading", name="You are done")).to_be_visible()
        row = (await ok(agent, "list_sessions", interviewId=interview))["data"][0]
        assert row["status"] == "COMPLETED"


async def test_a_chinese_interview_on_a_phone(tmp_path, browser):
    questions = [{"text": "请介绍一个您做过的系统。"}, {"text": "反转列表", "type": "CODING", "required": False}]
    async with on_stdio(tmp_path / "workspace", "auto") as agent:
        made = await published(
            agent, questions, title="后端工程师", language="zh-CN", aiName="小雅", timeLimitMinutes=20
        )
        async with device(browser, "phone") as page:
            await page.goto(made["url"])
            await accessible(page)
            await page.screenshot(path=tmp_path / "1-welcome.png", full_page=True)
            await page.get_by_label("您的姓名").fill("李明")
            await page.get_by_label("我了解本次面试").check()
            await page.get_by_role("button", name="开始面试").click()
            await page.get_by_label("您的回答").fill("我负责支付系统消费端的设计与运维，每秒四千个事件。")
            await accessible(page)
            await page.screenshot(path=tmp_path / "2-open.png", full_page=True)
            await page.get_by_role("button", name="发送回答").click()
            await expect(page.get_by_label("您的代码")).to_be_visible()
            await page.get_by_role("button", name="跳过此题").click()
            await expect(page.get_by_role("heading", name="面试完成")).to_be_visible()
            await accessible(page)


async def test_when_the_clock_runs_out_what_was_typed_is_sent(tmp_path, browser):
    questions = [{"text": "Quick", "timeLimitSeconds": 6}, {"text": "Slow"}]
    async with on_stdio(tmp_path, "auto") as agent:
        made = await published(agent, questions)
        async with device(browser) as page:
            await page.goto(made["url"])
            await page.get_by_label("Your name").fill("Robin")
            await page.get_by_label("I understand").check()
            await page.get_by_role("button", name="Begin").click()
            await page.get_by_label("Your answer").fill("As far as I")
            await expect(page.get_by_text("Slow")).to_be_visible(timeout=15_000)
        row = (await ok(agent, "list_sessions", interviewId=made["id"]))["data"][0]
        session = await ok(agent, "get_session", sessionId=row["id"])
    assert [turn["content"] for turn in session["messages"] if turn["role"] == "USER"] == ["As far as I"]


async def test_leaving_the_page_and_pasting_from_elsewhere_are_noted(tmp_path, browser):
    async with on_stdio(tmp_path, "auto") as agent:
        made = await published(agent, [{"text": "Q"}], antiCheatingEnabled=True)
        async with device(browser) as page:
            await page.goto(made["url"])
            await expect(page.get_by_text("integrity log")).to_be_visible()
            await page.get_by_label("Your name").fill("Robin")
            await page.get_by_label("I understand").check()
            await page.get_by_role("button", name="Begin").click()
            paste = (
                "text => { const data = new DataTransfer(); data.setData('text', text);"
                " document.getElementById('answer').dispatchEvent("
                "new ClipboardEvent('paste', {clipboardData: data, bubbles: true})) }"
            )
            hide = (
                "hidden => { Object.defineProperty(document, 'hidden', {value: hidden, configurable: true});"
                " document.dispatchEvent(new Event('visibilitychange')) }"
            )
            await expect(page.get_by_label("Your answer")).to_be_focused()
            async with page.expect_response("**/event"):
                await page.evaluate(paste, "from somewhere else")
            await page.evaluate(hide, True)
            async with page.expect_response("**/event"):
                await page.evaluate(hide, False)
        row = (await ok(agent, "list_sessions", interviewId=made["id"]))["data"][0]
        report = await ok(agent, "get_session_report", sessionId=row["id"])
    pasted, left = report["integrityLog"]
    assert (pasted["type"], pasted["detail"]) == ("paste", "Pasted 19 characters")
    assert left["type"] == "tab_switch"
    assert left["detail"].startswith("Left the page for ")

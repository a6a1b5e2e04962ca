"""What a candidate meets at a link, without JavaScript: every page, every form, every closed door."""

import re

import pytest

from conftest import DATABASES, answer, begin, ok, published, text_of

pytestmark = DATABASES
LONG = "I designed the consumer side and ran it for two years, with four thousand events a second, on call."


async def transcript(agent, interview):
    session = (await ok(agent, "list_sessions", interviewId=interview))["data"][0]["id"]
    return await ok(agent, "get_session", sessionId=session)


def said(session, role="USER"):
    return [turn["content"] for turn in session["messages"] if turn["role"] == role]


async def test_nobody_begins_without_a_name_and_consent(agent, world):
    link = (await published(agent, [{"text": "Q"}]))["url"]
    async with world.browser() as browser:
        page = await browser.get(link)
        assert "a written interview with prepared follow-ups" in page.text
        assert "An AI interviewer" not in page.text
        page = await browser.post(f"{link}/start", data={"name": "Robin", "email": "r@x.test"})
        assert (page.status_code, "Please tick the box" in page.text) == (422, True)
        assert 'value="Robin"' in page.text
        assert 'value="r@x.test"' in page.text
        page = await browser.post(f"{link}/start", data={"name": " ", "consent": "yes"})
        assert (page.status_code, "Please enter your name" in page.text) == (422, True)


async def test_a_short_answer_is_probed_within_the_depth_and_never_with_the_same_words(agent, world):
    for depth, probes in (("LIGHT", 0), ("MODERATE", 2), ("DEEP", 3)):
        made = await published(agent, [{"text": "Q"}], followUpDepth=depth)
        async with world.browser() as browser:
            page = await begin(browser, made["url"])
            asked = 0
            while "You are done" not in page.text:
                page = await answer(browser, page, f"Short {asked}")
                asked += 1
        assert asked == 1 + probes
        questions = said(await transcript(agent, made["id"]), "ASSISTANT")
        assert len(set(questions)) == len(questions)


async def test_a_long_answer_is_not_probed_and_the_questions_own_follow_ups_come_first(agent, world):
    questions = [
        {"text": "Q1", "followUpPrompts": ["What failed?"]},
        {"text": "Q2", "probeThreshold": 3},
        {"text": "Q3", "followUpEnabled": False},
    ]
    made = await published(agent, questions)
    async with world.browser() as browser:
        page = await answer(browser, await begin(browser, made["url"]), "Short")
        assert "What failed?" in page.text
        page = await answer(browser, page, LONG)
        page = await answer(browser, page, "three words suffice")
        page = await answer(browser, page, "No")
        assert "You are done" in page.text


async def test_each_answer_is_in_the_transcript_the_moment_it_is_sent(agent, world):
    made = await published(agent, [{"text": "Q1"}, {"text": "Q2"}])
    async with world.browser() as browser:
        page = await answer(browser, await begin(browser, made["url"]), LONG)
        session = await transcript(agent, made["id"])
        assert (session["status"], said(session)) == ("IN_PROGRESS", [LONG])
        again = await browser.get(made["url"])
        assert LONG in again.text
        assert "Q2" in again.text
        page = await answer(browser, page, LONG)
    session = await transcript(agent, made["id"])
    assert (session["status"], len(said(session))) == ("COMPLETED", 2)
    assert session["totalDurationSeconds"] is not None


async def test_a_form_sent_twice_is_taken_once_and_a_stale_one_is_not_lost_silently(agent, world):
    made = await published(agent, [{"text": "Q1"}, {"text": "Q2"}])
    async with world.browser() as browser:
        first = await begin(browser, made["url"])
        await answer(browser, first, LONG)
        assert "Q2" in (await answer(browser, first, LONG)).text
        stale = await answer(browser, first, "Other words <i>typed</i> in another window")
        assert stale.status_code == 422
        assert "Other words &lt;i&gt;typed&lt;/i&gt; in another window" in stale.text
    assert said(await transcript(agent, made["id"])) == [LONG]


async def test_choices_are_taken_from_the_options_only(agent, world):
    questions = [
        {"text": "One", "type": "SINGLE_CHOICE", "options": ["A", "B & C"], "followUpEnabled": False},
        {"text": "Many", "type": "MULTIPLE_CHOICE", "options": ["X", "Y", "Z"], "followUpEnabled": False},
    ]
    made = await published(agent, questions)
    async with world.browser() as browser:
        page = await begin(browser, made["url"])
        assert page.text.count('type="radio" name="answer"') == 2
        for wrong in (["nothing of these"], ["A", "B & C"], []):
            page = await answer(browser, page, *wrong)
            assert page.status_code == 422
            page = await browser.get(made["url"])
        page = await answer(browser, page, "B & C")
        assert page.text.count('type="checkbox"') == 3
        page = await answer(browser, page, "X", "Z")
    assert said(await transcript(agent, made["id"])) == ["B & C", "X\nZ"]


async def test_a_condition_on_an_earlier_choice_decides_what_is_asked(agent, world):
    made = await ok(agent, "create_interview", title="T", followUpDepth="LIGHT")
    choice = {"text": "Database?", "type": "SINGLE_CHOICE", "options": ["PostgreSQL", "None"]}
    first = (await ok(agent, "create_questions", interviewId=made["id"], questions=[choice]))["data"][0]["id"]
    conditional = [
        {"text": "Which version?", "showIf": {"questionId": first, "equals": "PostgreSQL"}},
        {"text": "Why none?", "skipIf": {"questionId": first, "equals": "PostgreSQL"}},
    ]
    await ok(agent, "create_questions", interviewId=made["id"], questions=conditional)
    link = (await ok(agent, "publish_interview", interviewId=made["id"]))["url"]
    async with world.browser() as browser:
        page = await answer(browser, await begin(browser, link), "PostgreSQL")
        assert "Which version?" in page.text
        assert "You are done" in (await answer(browser, page, "15")).text


async def test_only_optional_questions_can_be_skipped(agent, world):
    made = await published(agent, [{"text": "Q1"}, {"text": "Q2", "required": False}])
    async with world.browser() as browser:
        page = await begin(browser, made["url"])
        assert "Skip this question" not in page.text
        assert (await answer(browser, page, "", skip="yes")).status_code == 422
        page = await answer(browser, page, LONG)
        assert "Skip this question" in page.text
        assert "You are done" in (await answer(browser, page, "", skip="yes")).text


async def test_code_keeps_its_indentation_and_starts_from_the_starter_code(agent, world):
    code = "def reverse(xs):\n\treturn xs[::-1]  # <b>"
    question = {"text": "Reverse", "type": "CODING", "starterCode": {"python": "def reverse(xs):\n    ..."}}
    made = await published(agent, [question])
    async with world.browser() as browser:
        page = await begin(browser, made["url"])
        assert "def reverse(xs):\n    ..." in page.text
        assert '<option value="python" selected>' in page.text
        page = await answer(browser, page, code.replace("\n", "\r\n"), language="python")
        assert "return xs[::-1]  # &lt;b&gt;" in page.text
    session = (await ok(agent, "list_sessions", interviewId=made["id"]))["data"][0]["id"]
    report = await ok(agent, "get_session_report", sessionId=session)
    turn = next(turn for turn in report["messages"] if turn["role"] == "USER")
    assert (turn["content"], turn["contentType"]) == (f"```python\n{code}\n```", "CODE")


async def test_two_people_on_one_public_link_have_two_sessions(agent, world):
    made = await published(agent, [{"text": "Q"}])
    async with world.browser() as one, world.browser() as other:
        await answer(one, await begin(one, made["url"], "One"), LONG)
        assert "Begin the interview" in (await other.get(made["url"])).text
        await begin(other, made["url"], "Other")
    names = {row["participantName"] for row in (await ok(agent, "list_sessions", interviewId=made["id"]))["data"]}
    assert names == {"One", "Other"}


async def test_a_private_link_opens_one_session_on_any_device(agent, world):
    made = await ok(agent, "create_interview", title="T")
    await ok(agent, "create_questions", interviewId=made["id"], questions=[{"text": "Q1"}, {"text": "Q2"}])
    person = {"name": "Ann Lee", "email": "ann@x.test"}
    invited = (await ok(agent, "create_candidates", interviewId=made["id"], candidates=[person]))["data"][0]
    async with world.browser() as laptop, world.browser() as phone:
        page = await laptop.get(invited["inviteUrl"])
        assert 'value="Ann Lee"' in page.text
        page = await laptop.post(f"{invited['inviteUrl']}/start", data={"consent": "yes"})
        await answer(laptop, page, LONG)
        page = await phone.get(invited["inviteUrl"])
        assert LONG in page.text
        assert "You are done" in (await answer(phone, page, LONG)).text
        assert "You are done" in (await laptop.get(invited["inviteUrl"])).text
    sessions = (await ok(agent, "list_sessions", interviewId=made["id"]))["data"]
    assert [(row["participantName"], row["participantEmail"]) for row in sessions] == [("Ann Lee", "ann@x.test")]
    listed = (await ok(agent, "list_candidates", interviewId=made["id"]))["data"]
    assert listed[0]["sessionId"] == sessions[0]["id"]


@pytest.mark.parametrize("path", ["/i/nowhere", "/i/invite/nowhere", "/i/a/b/c"])
async def test_a_wrong_link_says_so_kindly(world, path):
    async with world.browser() as browser:
        page = await browser.get(path)
    assert page.status_code == 404
    assert "check the link" in page.text


async def test_an_interview_by_invitation_does_not_open_by_its_public_address(agent, world):
    made = await ok(agent, "create_interview", title="T")
    await ok(agent, "create_questions", interviewId=made["id"], questions=[{"text": "Q"}])
    slug = (await ok(agent, "get_interview", interviewId=made["id"], detail="full"))["publicSlug"]
    async with world.browser() as browser:
        page = await browser.get(f"/i/{slug}")
        assert (page.status_code, "by invitation" in page.text) == (403, True)
        assert "by invitation" in (await begin(browser, f"/i/{slug}")).text


async def test_an_archived_interview_is_closed_to_all_who_have_not_finished(agent, world):
    made = await published(agent, [{"text": "Q"}])
    async with world.browser() as finished, world.browser() as midway, world.browser() as newcomer:
        await answer(finished, await begin(finished, made["url"]), LONG)
        page = await begin(midway, made["url"])
        await ok(agent, "archive_interview", interviewId=made["id"])
        assert (await newcomer.get(made["url"])).status_code == 410
        assert "no longer takes answers" in (await answer(midway, page, LONG)).text
        assert "You are done" in (await finished.get(made["url"])).text


async def test_an_interview_without_questions_is_not_begun(agent, world):
    made = await ok(agent, "create_interview", title="T")
    link = (await ok(agent, "publish_interview", interviewId=made["id"]))["url"]
    async with world.browser() as browser:
        assert "no questions yet" in (await browser.get(link)).text
        assert "no questions yet" in (await begin(browser, link)).text
    assert (await ok(agent, "list_sessions", interviewId=made["id"]))["data"] == []


async def test_what_others_wrote_is_text_on_the_page_and_never_markup(agent, world):
    nasty = '<script>alert(1)</script>"onload="x'
    question = {"text": nasty, "description": nasty, "type": "SINGLE_CHOICE", "options": [nasty, "b"]}
    made = await published(agent, [question], description=nasty, aiName=nasty)
    async with world.browser() as browser:
        pages = [await browser.get(made["url"]), await begin(browser, made["url"], nasty)]
    for page in pages:
        assert "<script>alert" not in page.text
        assert '"onload="' not in page.text
        assert "default-src 'none'" in page.headers["content-security-policy"]


async def test_an_address_of_the_web_typed_for_an_email_is_no_link(agent, world):
    made = await published(agent, [{"text": "Q"}])
    async with world.browser() as browser:
        await browser.get(made["url"])
        form = {"name": "Robin", "email": "https://evil.test/x", "consent": "yes"}
        await browser.post(f"{made['url']}/start", data=form)
    listed = text_of(await agent.call_tool("list_sessions", {"interviewId": made["id"]}))
    assert "Robin" in listed
    assert "evil.test" not in listed


async def test_a_form_from_another_site_is_refused(agent, world):
    made = await published(agent, [{"text": "Q"}])
    async with world.browser() as browser:
        foreign = {"sec-fetch-site": "cross-site"}
        page = await browser.post(f"{made['url']}/start", data={"name": "x", "consent": "yes"}, headers=foreign)
    assert page.status_code == 403


async def test_an_answer_that_is_too_long_is_kept_on_the_page(agent, world):
    made = await published(agent, [{"text": "Q"}])
    async with world.browser() as browser:
        page = await answer(browser, await begin(browser, made["url"]), "x" * 50_001)
    assert page.status_code == 422
    assert "shorten it" in page.text
    assert "x" * 50_001 in page.text


async def test_a_form_of_more_than_a_page_has_is_refused_in_words_and_the_next_answer_is_taken(agent, world):
    made = await published(agent, [{"text": "Q"}])
    async with world.browser() as browser:
        page = await begin(browser, made["url"])
        for status, sent in ((400, "a=&" * 500_000), (413, "text=" + "漢" * 2_000_000)):
            form = {"content-type": "application/x-www-form-urlencoded"}
            refused = await browser.post(f"{made['url']}/answer", content=sent, headers=form)
            assert (refused.status_code, "Go back, make it shorter" in refused.text) == (status, True)
        await answer(browser, page, LONG)
    assert said(await transcript(agent, made["id"])) == [LONG]


async def test_a_form_or_a_name_of_another_page_is_refused_and_a_404_has_the_same_headers(agent, world):
    made = await published(agent, [{"text": "Q"}])
    async with world.browser() as browser:
        form = {"name": "x", "consent": "yes"}
        for origin in ("null", "https://evil.test", f"{browser.base_url}".rstrip("/") + ".evil.test"):
            assert (
                await browser.post(f"{made['url']}/start", data=form, headers={"origin": origin})
            ).status_code == 403
        for path in (made["url"], "/workspace"):
            assert (await browser.get(path, headers={"host": "evil.test"})).status_code == 421
        missing = await browser.get("/nothing-here")
        assert (missing.status_code, missing.headers["x-content-type-options"]) == (404, "nosniff")
    assert (await ok(agent, "list_sessions", interviewId=made["id"]))["data"] == []


def without_cookies(browser):
    """The browser, told to keep no cookie."""
    browser.cookies.jar.set_policy(type(browser.cookies.jar._policy)(allowed_domains=[]))
    return browser


async def test_a_browser_without_cookies_goes_on_at_an_address_of_its_own_and_leaves_no_orphans(agent, world):
    made = await published(agent, [{"text": "Q1"}, {"text": "Q2"}])
    async with world.browser() as browser, world.browser() as elsewhere:
        welcome = await without_cookies(browser).get(made["url"])
        form = {"own": re.search(r'name="own" value="(\w+)"', welcome.text)[1], "name": "Robin", "consent": "yes"}
        pages = [await browser.post(f"{made['url']}/start", data=form) for _ in range(3)]
        own = {str(page.url) for page in pages}
        assert len(own) == 1
        assert "/i/own/" in own.pop()
        assert "keeps no cookies" in pages[0].text
        page = await answer(browser, pages[0], LONG)
        assert "/i/own/" in str(page.url)
        assert "You are done" in (await answer(elsewhere, await elsewhere.get(str(page.url)), LONG)).text
        assert (await browser.get("/i/own/nobodys")).status_code == 404
    (row,) = (await ok(agent, "list_sessions", interviewId=made["id"]))["data"]
    assert (row["participantName"], row["status"]) == ("Robin", "COMPLETED")


async def test_what_a_page_gave_to_begin_with_begins_no_session_of_another_interview(agent, world):
    first, second = [await published(agent, [{"text": "Q"}], title=title) for title in ("One", "Two")]
    form = {"own": "a" * 24, "name": "Robin", "consent": "yes"}
    for made in (first, second):
        async with world.browser() as browser:
            page = await browser.post(f"{made['url']}/start", data=form)
            assert (page.status_code, str(page.url)) == (200, made["url"])
    assert len((await ok(agent, "list_sessions", interviewId=second["id"]))["data"]) == 1


async def test_what_is_written_from_right_to_left_is_shown_so(agent, world):
    made = await published(agent, [{"text": "ما هي خبرتك؟"}])
    async with world.browser() as browser:
        page = await begin(browser, made["url"])
        assert '<textarea id="answer" dir="auto"' in page.text
        assert '<html lang="en" dir="ltr">' in page.text
        assert '<p dir="auto">ما هي خبرتك؟</p>' in page.text

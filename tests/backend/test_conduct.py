"""How an interview is conducted: its clock, its tone and language, its drawings, what is noted, and who goes away."""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from aural_mcp.backend.interview.answers import BOARD
from aural_mcp.backend.interview.words import words_for
from aural_mcp.backend.storage import tables
from aural_mcp.drawings import svg_of
from conftest import DATABASES, answer, begin, ok, published
from rows import let_time_pass

pytestmark = DATABASES
LONG = "I designed the consumer side and ran it for two years, with four thousand events a second, on call."


def ago(**time):
    return (datetime.now(UTC) - timedelta(**time)).isoformat()


async def session_of(agent, interview):
    row = (await ok(agent, "list_sessions", interviewId=interview))["data"][0]
    return await ok(agent, "get_session", sessionId=row["id"])


async def report_of(agent, interview):
    row = (await ok(agent, "list_sessions", interviewId=interview))["data"][0]
    return await ok(agent, "get_session_report", sessionId=row["id"])


def said(session, role="USER"):
    return [turn["content"] for turn in session["messages"] if turn["role"] == role]


# ── Time ──


async def test_the_clock_is_shown_and_told_beforehand(agent, world):
    made = await published(agent, [{"text": "Q", "timeLimitSeconds": 90}], timeLimitMinutes=30)
    async with world.browser() as browser:
        assert (
            "Time limit for the whole interview: 30 minutes from the moment you begin"
            in (await browser.get(made["url"])).text
        )
        page = await begin(browser, made["url"])
    seconds = [int(found) for found in re.findall(r'data-seconds="(\d+)"', page.text)]
    assert 1700 <= seconds[0] <= 1800
    assert 30 <= seconds[1] <= 90


async def test_when_the_time_is_over_the_interview_ends_and_late_words_are_shown_not_stored(agent, world):
    made = await published(agent, [{"text": "Q1"}, {"text": "Q2"}], timeLimitMinutes=10)
    async with world.browser() as browser:
        page = await answer(browser, await begin(browser, made["url"]), LONG)
        let_time_pass(world, minutes=11)
        late = await answer(browser, page, "These words came too late")
        assert late.status_code == 422
        assert "These words came too late" in late.text
        assert "You are done" in (await browser.get(made["url"])).text
    session = await session_of(agent, made["id"])
    assert (session["status"], said(session)) == ("COMPLETED", [LONG])
    assert said(session, "ASSISTANT")[-1].startswith("Our time is up")


async def test_an_answer_that_was_on_its_way_when_the_time_ended_is_taken(agent, world):
    made = await published(agent, [{"text": "Q1"}], timeLimitMinutes=10)
    async with world.browser() as browser:
        page = await begin(browser, made["url"])
        let_time_pass(world, minutes=10, seconds=5)
        await answer(browser, page, LONG)
    assert said(await session_of(agent, made["id"])) == [LONG]


async def test_a_question_whose_time_is_over_is_left_behind_and_not_probed(agent, world):
    made = await published(agent, [{"text": "Q1", "timeLimitSeconds": 60}, {"text": "Q2"}])
    async with world.browser() as browser:
        await begin(browser, made["url"])
        let_time_pass(world, seconds=90)
        page = await browser.get(made["url"])
        assert "Q2" in page.text
    assert said(await session_of(agent, made["id"])) == ["(no answer in time)"]


async def test_a_short_answer_just_in_time_brings_no_follow_up(agent, world):
    made = await published(agent, [{"text": "Q1", "timeLimitSeconds": 60}, {"text": "Q2"}])
    async with world.browser() as browser:
        page = await begin(browser, made["url"])
        let_time_pass(world, seconds=65)
        page = await answer(browser, page, "Short")
    assert said(await session_of(agent, made["id"]), "ASSISTANT")[-1] == "Q2"


async def test_what_time_there_is_is_said_before_it_runs_and_by_the_greeting(agent, world):
    questions = [{"text": "Q1"}, {"text": "Q2", "timeLimitSeconds": 60}, {"text": "Q3", "timeLimitSeconds": 90}]
    hurry, free, soon = "is 1 minute; some have one", "take the time you need", "comes next: 1 minute"
    for limit, told in ({"timeLimitMinutes": 1}, hurry), ({}, "Some have a time limit of their own"):
        made = await published(agent, questions, **limit)
        async with world.browser() as browser:
            welcome = (await browser.get(made["url"])).text
            assert "time limit of their own (1 minute · 90 seconds)" in welcome
            assert soon not in welcome
            page = await begin(browser, made["url"])
            assert told in page.text
            assert free not in page.text
            assert soon in page.text
            page = await answer(browser, page, LONG)
            assert "comes next: 90 seconds" in page.text
    made = await published(agent, questions[1:], title="At once")
    async with world.browser() as browser:
        assert soon in (await browser.get(made["url"])).text


async def test_follow_ups_are_marked_and_every_answer_moves_the_progress(agent, world):
    choice = {"text": "Q1", "type": "SINGLE_CHOICE", "options": ["A", "B"], "followUpEnabled": False}
    made = await ok(agent, "create_interview", title="T")
    first = (await ok(agent, "create_questions", interviewId=made["id"], questions=[choice]))["data"][0]["id"]
    more = [{"text": "Q2", "showIf": {"questionId": first, "equals": "A"}}, {"text": "Q3"}]
    await ok(agent, "create_questions", interviewId=made["id"], questions=more)
    link = (await ok(agent, "publish_interview", interviewId=made["id"]))["url"]
    seen = []
    async with world.browser() as browser:
        page = await begin(browser, link)
        for given in ("B", "Short", "Shorter", LONG):
            marked = page.text.count(">Follow-up</span>")
            seen.append((re.search(r"Question \d of \d", page.text)[0], marked, float(value_of(page))))
            page = await answer(browser, page, given)
        assert "You are done" in page.text
    assert [(said, marks) for said, marks, _ in seen] == [
        ("Question 1 of 3", 0),
        ("Question 2 of 2", 0),
        ("Question 2 of 2", 2),
        ("Question 2 of 2", 3),
    ]
    values = [value for *_, value in seen]
    assert values == sorted({*values})


def value_of(page):
    return re.search(r'<progress value="([\d.]+)"', page.text)[1]


# ── Going away and coming back ──


async def test_after_an_hour_of_silence_a_session_is_abandoned_and_the_link_revives_it(agent, world):
    made = await published(agent, [{"text": "Q1"}, {"text": "Q2"}])
    async with world.browser() as browser:
        page = await answer(browser, await begin(browser, made["url"]), LONG)
        let_time_pass(world, minutes=59)
        assert (await session_of(agent, made["id"]))["status"] == "IN_PROGRESS"
        let_time_pass(world, minutes=2)
        assert (await session_of(agent, made["id"]))["status"] == "ABANDONED"
        page = await browser.get(made["url"])
        assert "Q2" in page.text
        assert (await session_of(agent, made["id"]))["status"] == "IN_PROGRESS"
        await answer(browser, page, LONG)
    session = await session_of(agent, made["id"])
    assert session["status"] == "COMPLETED"
    assert session["totalDurationSeconds"] < 60


async def test_an_abandoned_session_whose_time_is_spent_stays_so(agent, world):
    made = await published(agent, [{"text": "Q1"}], timeLimitMinutes=30)
    async with world.browser() as browser:
        await begin(browser, made["url"])
        let_time_pass(world, hours=3)
        assert (await session_of(agent, made["id"]))["status"] == "ABANDONED"
        assert "Our time is up" in (await browser.get(made["url"])).text
    assert (await session_of(agent, made["id"]))["status"] == "ABANDONED"


async def test_a_session_that_came_from_elsewhere_without_a_word_is_taken_up_by_its_link(agent, world):
    made = (await ok(agent, "create_interview", title="T"))["id"]
    await ok(agent, "create_questions", interviewId=made, questions=[{"text": "First question"}])
    invited = (await ok(agent, "create_candidates", interviewId=made, candidates=[{"name": "Ann"}]))["data"][0]
    for session, status in (("s1", "IN_PROGRESS"), ("s2", "COMPLETED")):
        with world.store.writing() as db:
            row = {"id": session, "interviewId": made, "status": status, "participantName": "Ann"}
            moment = ago(minutes=1)
            stamps = dict.fromkeys(("startedAt", "lastActivityAt", "createdAt", "updatedAt"), moment)
            db.execute(tables.sessions.insert().values(**row, **stamps))
            mine = tables.candidates.c.id == invited["id"]
            db.execute(update(tables.candidates).where(mine).values(sessionId=session))
        async with world.browser() as browser:
            page = await browser.get(invited["inviteUrl"])
        assert ("First question" if status == "IN_PROGRESS" else "You are done") in page.text


async def test_sessions_that_were_not_conducted_here_keep_their_status(agent, world):
    made = (await ok(agent, "create_interview", title="T"))["id"]
    long_ago = ago(days=90)
    with world.store.writing() as db:
        row = {"id": "s", "interviewId": made, "startedAt": long_ago, "lastActivityAt": long_ago}
        db.execute(tables.sessions.insert().values(**row, createdAt=long_ago, updatedAt=long_ago))
    assert (await ok(agent, "list_sessions", interviewId=made))["data"][0]["status"] == "IN_PROGRESS"


# ── Words ──


@pytest.mark.parametrize("tone", ["CASUAL", "FRIENDLY", "PROFESSIONAL", "FORMAL"])
async def test_the_interviewer_speaks_in_its_own_name_and_tone(agent, world, tone):
    made = await published(agent, [{"text": "Q"}], aiName="Maya {x}", aiTone=tone)
    async with world.browser() as browser:
        await answer(browser, await begin(browser, made["url"], "Robin {y}"), LONG)
    spoken = said(await session_of(agent, made["id"]), "ASSISTANT")
    words = words_for("en")
    said_first = [words[f"opening.{tone}"], words["self.rules"], words["pace.free"]]
    assert spoken[0] == " ".join(said_first).format(name="Robin {y}", ai="Maya {x}")
    assert spoken[-1] == words[f"closing.{tone}"].format(name="Robin {y}")


async def test_a_chinese_interview_is_chinese_to_its_end(agent, world):
    made = await published(agent, [{"text": "请介绍一下您做过的系统。"}], language="zh", timeLimitMinutes=20)
    async with world.browser() as browser:
        page = await browser.get(made["url"])
        assert '<html lang="zh-Hans" dir="ltr">' in page.text
        page = await answer(browser, await begin(browser, made["url"], "李明"), "我做过支付系统。")
        assert "举一个具体的例子" in page.text
        page = await answer(browser, page, "我负责消费端的设计与运维，每秒处理四千个事件，轮值两年。")
        english = set(re.findall(r">[^<]*[A-Za-z]{4,}[^<]*<", page.text)) - {">Backend engineer · Aural<"}
        assert {text for text in english if "Backend engineer" not in text and "Aural" not in text} == set()
    assert (await session_of(agent, made["id"]))["status"] == "COMPLETED"


# ── Drawings, research, integrity ──


async def test_a_drawing_lands_as_an_svg_of_our_own_with_the_words_beside_it(agent, world):
    made = await published(agent, [{"text": "Draw it", "type": "WHITEBOARD"}])
    strokes = [[[1, 2], [3.7, 4], [99999, -5]], [[10, 10]]]
    async with world.browser() as browser:
        page = await begin(browser, made["url"])
        page = await answer(browser, page, "A queue <b>between</b>", drawing=json.dumps(strokes))
        assert 'src="data:image/svg+xml;base64,' in page.text
    turn = next(turn for turn in (await report_of(agent, made["id"]))["messages"] if turn["role"] == "USER")
    assert (turn["contentType"], turn["content"]) == ("WHITEBOARD", "[Drawing]\nA queue < b>between< /b>")
    assert turn["code"]["svg"] == svg_of([[(1, 2), (3, 4), (BOARD[0], 0)], [(10, 10)]], BOARD)


@pytest.mark.parametrize("drawing", ["<svg onload=x>", "[1]", '[["a"]]', "[[[1]]]", "[[[1, 1e999]]]", "{}", "[" * 5000])
async def test_a_drawing_that_is_none_is_refused_and_the_words_are_kept(agent, world, drawing):
    made = await published(agent, [{"text": "Draw it", "type": "WHITEBOARD"}])
    async with world.browser() as browser:
        page = await answer(browser, await begin(browser, made["url"]), "My words", drawing=drawing)
    if drawing != "{}":
        assert page.status_code == 422
        assert "My words" in page.text


async def test_a_drawing_can_be_described_in_words_instead_but_not_left_out(agent, world):
    made = await published(agent, [{"text": "Draw it", "type": "WHITEBOARD"}])
    async with world.browser() as browser:
        page = await begin(browser, made["url"])
        assert (await answer(browser, page, "", drawing="")).status_code == 422
        assert "You are done" in (await answer(browser, page, "A queue between two services")).text


async def test_research_questions_go_deeper(agent, world):
    for depth, most in (("LIGHT", 2), ("MODERATE", 4), ("DEEP", 7)):
        made = await published(agent, [{"text": "How do you test?", "type": "RESEARCH"}], followUpDepth=depth)
        async with world.browser() as browser:
            page, asked = await begin(browser, made["url"]), 0
            while "You are done" not in page.text:
                page, asked = await answer(browser, page, f"Hardly {asked}"), asked + 1
        assert asked == 1 + most


async def test_what_the_browser_notices_is_logged_only_where_the_candidate_was_told(agent, world):
    for told in (True, False):
        made = await published(agent, [{"text": "Q"}], antiCheatingEnabled=told)
        async with world.browser() as browser:
            assert ("integrity log" in (await browser.get(made["url"])).text) == told
            page = await begin(browser, made["url"])
            assert ('data-event="/i/' in page.text) == told
            for kind in ("tab_switch", "paste", "keystroke"):
                await browser.post(f"{made['url']}/event", data={"type": kind, "detail": "Left for 4 s"})
        logged = (await report_of(agent, made["id"])).get("integrityLog", [])
        assert [event["type"] for event in logged] == (["tab_switch", "paste"] if told else [])
        assert all(event["detail"] == "Left for 4 s" and event["at"].startswith("20") for event in logged)


async def test_voice_and_video_are_stored_and_the_page_says_that_it_is_held_in_writing(agent, world):
    made = await published(agent, [{"text": "Q"}], voiceEnabled=True, videoEnabled=True)
    async with world.browser() as browser:
        assert "No microphone or camera is used" in (await browser.get(made["url"])).text
    detail = await ok(agent, "get_interview", interviewId=made["id"])
    assert (detail["voiceEnabled"], detail["videoEnabled"]) == (True, True)

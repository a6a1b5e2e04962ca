"""An interview made from another: what changes is given, all else comes along, and conditions lead to the new ones."""

import pytest
from mcp import Client

from conftest import ok, refused, text_of
from consenting import server_on

SOURCE = {
    "title": "Backend engineer",
    "objective": "How they debug outages",
    "description": "Half an hour.",
    "assessmentCriteria": [{"name": "Debugging", "description": "Names the cause of an outage and how it was found."}],
    "language": "en",
    "timeLimitMinutes": 45,
    "followUpDepth": "DEEP",
    "antiCheatingEnabled": True,
}
QUESTIONS = [
    {"text": "Which outage did you solve?", "validationRules": {"minWords": 40}, "followUpPrompts": ["And then?"]},
    {"text": "Do you work on call?", "type": "SINGLE_CHOICE", "options": ["Yes", "No"], "required": False},
    {"text": "How often?", "followUpEnabled": False, "timeLimitSeconds": 90},
    {"text": "Fix it", "type": "CODING", "starterCode": {"python": "def f(): ..."}},
]


@pytest.fixture
async def source(agent):
    """The interview that others are made from; its third question is asked only after a yes to the second."""
    made = (await ok(agent, "create_interview", **SOURCE))["id"]
    rows = (await ok(agent, "create_questions", interviewId=made, questions=QUESTIONS))["data"]
    await ok(agent, "update_question", questionId=rows[2]["id"], showIf={"questionId": rows[1]["id"], "equals": "Yes"})
    return made


async def whole(agent, interview):
    """All that Aural holds of an interview, and its questions without what each has for itself."""
    found = await ok(agent, "get_interview", interviewId=interview, detail="full")
    own = ("id", "interviewId", "order", "createdAt", "updatedAt")
    rows = [{name: value for name, value in row.items() if name not in own} for row in found["questions"]]
    return found, [row["id"] for row in found["questions"]], rows


async def made_from(agent, source, **changes):
    (row,) = (await ok(agent, "launch_interviews", interviews=[{"from": source, **changes}]))["data"]
    return row


async def test_a_clone_in_german_with_twenty_minutes_keeps_rules_conditions_and_order(agent, source):
    german = [
        {"keep": 1, "text": "Welchen Ausfall haben Sie behoben?"},
        {"keep": 2, "text": "Arbeiten Sie in Bereitschaft?", "options": ["Ja", "Nein"]},
        {"keep": 3, "text": "Wie oft?"},
        {"keep": 4, "text": "Beheben Sie das"},
    ]
    row = await made_from(agent, source, title="Backend (DE)", language="de", timeLimitMinutes=20, questions=german)
    assert (row["state"], row["questions"]) == ("made", 4)
    old, _, old_rows = await whole(agent, source)
    new, ids, rows = await whole(agent, row["id"])
    for name in ("objective", "description", "assessmentCriteria", "followUpDepth", "antiCheatingEnabled"):
        assert new[name] == old[name]
    assert (new["title"], new["language"], new["timeLimitMinutes"]) == ("Backend (DE)", "de", 20)
    assert rows[2]["showIf"] == {"questionId": ids[1], "equals": "Ja"}
    assert [each["text"] for each in rows] == [each["text"] for each in german]
    changed = ("text", "options", "showIf")
    assert [{n: v for n, v in each.items() if n not in changed} for each in rows] == [
        {n: v for n, v in each.items() if n not in changed} for each in old_rows
    ]


async def test_with_a_title_alone_everything_comes_along_and_only_by_invitation(agent, source):
    await ok(agent, "publish_interview", interviewId=source)
    row = await made_from(agent, source, title="Again")
    new, ids, rows = await whole(agent, row["id"])
    assert "url" not in row
    assert new["requireInvite"] is True
    assert [each["text"] for each in rows] == [each["text"] for each in QUESTIONS]
    assert rows[2]["showIf"] == {"questionId": ids[1], "equals": "Yes"}
    again = await made_from(agent, source, title="Again")
    assert (again["state"], again["id"]) == ("made before", row["id"])


async def test_questions_may_be_left_out_moved_and_put_between(agent, source):
    asked = [{"keep": 4}, {"keep": 2}, {"text": "Why?"}, {"keep": 3}, {"text": "Where?"}]
    row = await made_from(agent, source, title="Mixed", questions=asked)
    _, ids, rows = await whole(agent, row["id"])
    assert [each["text"] for each in rows] == ["Fix it", "Do you work on call?", "Why?", "How often?", "Where?"]
    assert rows[3]["showIf"] == {"questionId": ids[1], "equals": "Yes"}
    assert rows[0]["starterCode"] == {"python": "def f(): ..."}


async def test_choices_in_another_order_keep_their_meaning(agent, source):
    asked = [{"keep": 2, "options": ["No", "Sometimes", "Yes"]}, {"keep": 3}]
    said = await refused(
        agent, "launch_interviews", {"interviews": [{"from": source, "title": "T", "questions": asked}]}
    )
    assert "2 options" in said
    asked[0]["options"] = ["No", "Yes"]
    _, ids, rows = await whole(agent, (await made_from(agent, source, title="T", questions=asked))["id"])
    assert rows[1]["showIf"] == {"questionId": ids[0], "equals": "Yes"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"questions": [{"keep": 3}]}, "does not stand before it"),
        ({"questions": [{"keep": 3}, {"keep": 2}]}, "does not stand before it"),
        ({"questions": [{"keep": 5}]}, "has 4"),
        ({"questions": [{"keep": 0}]}, "keep"),
        ({"questions": [{"type": "CODING"}]}, "`text`"),
        ({"from": "00000000-0000-4000-8000-00000000dead"}, "found"),
    ],
)
async def test_what_does_not_fit_is_refused_before_anything_is_made(agent, source, changes, said):
    given = {"from": source, "title": "T", **changes}
    assert said in await refused(agent, "launch_interviews", {"interviews": [given]})
    assert len((await ok(agent, "list_interviews"))["data"]) == 1


async def test_keep_without_from_says_what_is_missing(agent):
    given = {"title": "T", "questions": [{"keep": 1}]}
    assert "`from`" in await refused(agent, "launch_interviews", {"interviews": [given]})


async def test_what_stays_in_the_old_language_is_named(agent, source):
    given = {"from": source, "title": "DE", "language": "de", "questions": [{"keep": 1, "text": "Was?"}, {"keep": 4}]}
    (row,) = (await ok(agent, "launch_interviews", interviews=[given], dryRun=True))["data"]
    assert "question 2 is kept in the words of “en”" in " ".join(row["warnings"])


async def test_a_condition_that_leads_nowhere_is_left_out_and_said(agent, source):
    kept = (await ok(agent, "list_questions", interviewId=source))["data"]
    await ok(agent, "update_question", questionId=kept[0]["id"], showIf={"questionId": "gone", "equals": "x"})
    await ok(agent, "update_question", questionId=kept[3]["id"], skipIf={"anyOf": [1, 2]})
    row = await made_from(agent, source, title="T", questions=[{"keep": number} for number in (1, 2, 3, 4, 2)])
    said = " ".join(row["warnings"])
    assert "Question 1 has a condition" in said
    assert "Question 4 has a condition" in said
    _, ids, rows = await whole(agent, row["id"])
    assert [bool(each.get("showIf") or each.get("skipIf")) for each in rows] == [False, False, True, False, False]
    assert rows[2]["showIf"]["questionId"] == ids[1]


async def test_a_yes_to_a_clone_does_not_hold_when_its_source_was_changed(world, agent, source):
    given = {"interviews": [{"from": source, "title": "Open", "publish": True}]}
    async with Client(server_on(world)) as asking:
        first = await asking.call_tool("launch_interviews", given)
        assert "made from" in text_of(first)
        code = first.structured_content["confirmation"]
        await ok(agent, "update_interview", interviewId=source, title="Another")
        second = await asking.call_tool("launch_interviews", {**given, "confirmation": code})
        assert "confirmation" in second.structured_content
        assert len((await ok(agent, "list_interviews"))["data"]) == 1
        again = {**given, "confirmation": second.structured_content["confirmation"]}
        (row,) = (await ok(asking, "launch_interviews", **again))["data"]
    assert row["url"]

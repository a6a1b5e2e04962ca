"""No create twice, whatever becomes of the answer: what the ledgers of both clients promise, on the real backend."""

import asyncio
from datetime import UTC, datetime

import pytest

from both import (  # noqa: F401
    CREATE,
    LOST,
    TITLE,
    UNKNOWN,
    a_client_of,
    a_way,
    an_aural,
    answer,
    failed,
    ids,
    interview_of,
    sent,
    titles,
)
from conftest import ORIGIN
from typescript import built  # noqa: F401


@pytest.mark.parametrize("fault", LOST)
async def test_what_was_made_though_its_answer_was_lost_is_found(aural, way, fault):
    way.next_faults += [fault]
    made, remarks = await aural.once("create_interview", **TITLE)
    assert "it was done" in remarks[0]
    its = {"interviewId": made["id"]}
    await aural.call("publish_interview", **its)
    people = [{"name": "Ann", "email": "Ann@X.test"}, {"name": " Bo "}, {"name": "李雷", "phone": "+1 2"}]
    asked = [{"text": " Why? "}, {"text": "Which?", "type": "SINGLE_CHOICE", "options": ["a", "b"]}]
    way.next_faults += [fault]
    invited, remarks = await aural.once("create_candidates", **its, candidates=people)
    assert "it was done" in remarks[0]
    way.next_faults += [fault]
    added, remarks = await aural.once("create_questions", **its, questions=asked)
    assert "it was done" in remarks[0]
    assert [row["name"] for row in invited["data"]] == ["Ann", "Bo", "李雷"]
    listed = (await aural.call("list_candidates", **its))["data"]
    links = {row["id"]: f"{ORIGIN}/i/invite/{row['inviteToken']}" for row in listed}
    assert {row["id"]: row["inviteUrl"] for row in invited["data"]} == links
    assert [row["text"] for row in added["data"]] == ["Why?", "Which?"]
    assert (await aural.call("list_questions", **its))["data"] == added["data"]
    for operation, given, result in (
        ("create_interview", TITLE, made),
        ("create_candidates", its | {"candidates": people}, invited),
        ("create_questions", its | {"questions": asked}, added),
    ):
        again, remarks = await aural.once(operation, **given)
        assert ids(again) == ids(result)
        assert "nothing was done a second time" in remarks[0]
    creates = [CREATE, f"{CREATE}/{{id}}/candidates", f"{CREATE}/{{id}}/questions"]
    assert [way.forwarded[each] for each in creates] == [1, 1, 1]


@pytest.mark.parametrize("fault", ["refuse", "reset", "server_error"])
async def test_what_was_not_made_is_said_to_be_not_done_and_made_when_asked_again(aural, way, fault):
    way.next_faults += [fault]
    error = await failed(aural.once("create_interview", **TITLE))
    assert (error.kind, error.next_step) == ("Unanswered", "Call again.")
    assert "looking shows that it was not done" in error.message
    assert await titles(aural) == []
    _, remarks = await aural.once("create_interview", **TITLE)
    assert (remarks, await titles(aural)) == ([], [TITLE["title"]])


async def test_when_looking_fails_nobody_claims_to_know_and_the_next_call_looks_first(aural, way):
    way.next_faults += ["done_then_drop", *["server_error"] * 3]
    error = await failed(aural.once("create_interview", **TITLE))
    assert error.kind == "Unanswered"
    assert "Looking did not tell: The backend failed" in error.message
    assert "look with list_interviews. The same call again looks first and does nothing twice" in error.next_step
    _, remarks = await aural.once("create_interview", **TITLE)
    assert "it was done" in remarks[0]
    assert way.forwarded[CREATE] == 1


GAVE_UP = [answer(504, "<html>Gateway time-out", kind="text/html"), answer(524, "", kind="text/html")]


@pytest.mark.parametrize("fault", ["hang", *GAVE_UP], ids=["it", "a gateway", "a network of proxies"])
async def test_what_timed_out_may_still_be_done_so_it_is_looked_for_and_not_sent_again(way, client_of, fault):
    aural = await client_of(way.url, patience=1)
    way.next_faults += [fault]
    for _ in range(2):
        error = await failed(aural.once("create_interview", **TITLE))
        assert error.kind == "Unanswered"
        assert "It does not show up yet, but the backend may still be at it." in error.message
        assert "The same call again looks first and does nothing twice." in error.next_step
    assert sent(way).count(CREATE) == 1
    late = await aural.call("create_interview", **TITLE)
    made, remarks = await aural.once("create_interview", **TITLE)
    assert "it was done" in remarks[0]
    assert made["id"] == late["id"]


async def test_a_part_of_a_batch_that_is_there_is_not_taken_for_all_of_it(aural, way):
    its = await interview_of(aural)
    there = {"data": [{"id": "a", "name": "Ann", "createdAt": datetime.now(UTC).isoformat()}]}
    way.next_faults += ["reset", answer(200, there)]
    error = await failed(aural.once("create_candidates", **its, candidates=[{"name": "Ann"}, {"name": "Bo"}]))
    assert error.kind == "Unanswered"
    assert "Looking did not tell: 1 of 2 are there." in error.message


async def test_the_same_create_many_times_at_once_is_made_once(aural, way):
    way.next_faults += ["delay"]
    made = await asyncio.gather(*[aural.once("create_interview", **TITLE) for _ in range(6)])
    assert len({result["id"] for result, _ in made}) == 1
    assert sorted(len(remarks) for _, remarks in made) == [0, 1, 1, 1, 1, 1]
    assert way.forwarded == {CREATE: 1}


async def test_the_same_on_purpose_is_made_and_told_from_the_other(aural, way):
    first, _ = await aural.once("create_interview", **TITLE)
    way.next_faults += ["done_then_drop"]
    second, remarks = await aural.once("create_interview", **TITLE, allow_duplicate=True)
    assert "it was done" in remarks[0]
    way.next_faults += ["reset"]
    error = await failed(aural.once("create_interview", **TITLE, allow_duplicate=True))
    assert "looking shows that it was not done" in error.message
    third, remarks = await aural.once("create_interview", **TITLE, allow_duplicate=True)
    assert remarks == []
    assert len({first["id"], second["id"], third["id"]}) == 3
    assert way.forwarded[CREATE] == 3


async def test_two_that_are_alike_and_both_lost_are_each_told_what_is_theirs(aural, way):
    way.next_faults += ["done_then_drop"] * 2
    twice = [aural.once("create_interview", **TITLE, allow_duplicate=True) for _ in range(2)]
    assert len({made["id"] for made, _ in await asyncio.gather(*twice)}) == 2
    assert way.forwarded[CREATE] == 2


async def test_what_differs_is_made_and_the_order_of_names_is_no_difference(aural, way):
    one, _ = await aural.once("create_interview", title="T", objective="O")
    same, _ = await aural.once("create_interview", objective="O", title="T")
    other, _ = await aural.once("create_interview", title="T")
    assert one["id"] == same["id"] != other["id"]
    assert way.forwarded == {CREATE: 2}


async def test_a_refusal_is_not_remembered(aural, way):
    for _ in range(2):
        error = await failed(aural.once("create_questions", interviewId=UNKNOWN, questions=[{"text": "Q"}]))
        assert error.kind == "NotFound"
    assert len(way.log) == 2

"""What a deployment did not keep of a write: the answers are fabricated, as deployments of many makes send them."""

import httpx
import pytest

from aural_mcp.api.operations import (
    CreateCandidates,
    CreateInterview,
    CreateQuestions,
    UpdateCandidate,
    UpdateInterview,
)
from aural_mcp.client.client import AuralClient, Spent
from aural_mcp.client.deployment import sentence
from aural_mcp.client.ledger import Ledger
from conftest import KEY

BASE = "https://aural.test/api/v1"


async def said_of(operation, *, answer):
    """What is said of a write whose answer has this as its data."""
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json={"data": answer}))
    client, spent = AuralClient(KEY, BASE, transport=transport), Spent()
    if operation.effect == "create":
        await Ledger(client).once(operation, spent)
    else:
        await client.seen(operation, await client.call(operation, spent=spent), spent)
    return sentence(spent.losses) if spent.losses else ""


def candidates(*people):
    return CreateCandidates.model_validate({"interviewId": "i", "candidates": list(people)})


def questions(*asked):
    return CreateQuestions.model_validate({"interviewId": "i", "questions": list(asked)})


@pytest.mark.parametrize(
    ("sent", "came"),
    [
        ({"name": "  Ana Silva "}, {"name": "Ana Silva"}),
        ({"name": "Ana", "email": "Ana@Example.ORG "}, {"email": "ana@example.org"}),
        ({"name": "Ana", "phone": "+351 21 000-00-00"}, {"phone": "+351210000000"}),
        ({"name": "Ana", "graduationYear": 2019}, {"graduationYear": "2019"}),
        ({"name": "Ana", "graduationYear": 2019}, {"graduationYear": 2019.0}),
        ({"name": "Ana", "birthday": "1996-05-01"}, {"birthday": "1996-05-01T00:00:00+00:00"}),
        ({"name": "Ana", "notes": ""}, {"notes": None}),
        ({"name": "Ana", "school": None}, {}),
        ({"name": "Zoe\u0308"}, {"name": "Zoë"}),
        ({"name": "Ana", "notes": "two\r\nlines"}, {"notes": "two\nlines"}),
    ],
)
async def test_what_is_only_written_another_way_was_kept(sent, came):
    assert await said_of(candidates(sent), answer=[{"id": "c", "name": sent["name"], **came}]) == ""


@pytest.mark.parametrize(
    ("sent", "came", "lost"),
    [
        ({"name": "Ana", "school": "IST"}, {}, "school"),
        ({"name": "Ana", "school": "IST"}, {"school": None}, "school"),
        ({"name": "Ana", "school": "IST"}, {"school": ""}, "school"),
        ({"name": "Ana", "graduationYear": 2019}, {"graduationYear": 0}, "graduationYear"),
        ({"name": "Ana", "notes": "A long story."}, {"notes": "A long"}, "notes"),
        ({"name": "Ana", "email": "ana@x.org", "major": "Maths"}, {"email": None}, "email, major"),
    ],
)
async def test_what_is_missing_empty_or_cut_was_not(sent, came, lost):
    said = await said_of(candidates(sent), answer=[{"id": "c", "name": "Ana", **came}])
    assert said == f"This deployment did not keep: {lost}."


async def test_rows_are_known_by_their_text_whatever_their_order():
    rows = [{"id": "2", "text": "Two?"}, {"id": "1", "text": "One?", "timeLimitSeconds": 60}]
    sent = [{"text": "One?", "timeLimitSeconds": 60}, {"text": "Two?", "timeLimitSeconds": 90}]
    said = await said_of(questions(*sent), answer=rows)
    assert said == "This deployment did not keep: timeLimitSeconds (question 2)."


async def test_fields_of_different_questions_stand_apart():
    rows = [{"id": str(number), "text": f"{number}?", "order": number} for number in range(3)]
    sent = [
        {"text": "0?", "description": "a"},
        {"text": "1?", "timeLimitSeconds": 60, "description": "b"},
        {"text": "2?", "timeLimitSeconds": 60},
    ]
    assert await said_of(questions(*sent), answer=rows) == (
        "This deployment did not keep: description (questions 1, 2); timeLimitSeconds (questions 2, 3)."
    )


async def test_names_are_those_of_the_tools():
    sent = {"text": "One?", "required": False, "followUpEnabled": False}
    row = {"id": "1", "text": "One?", "isRequired": True}
    assert await said_of(questions(sent), answer=[row]) == "This deployment did not keep: required, followUpEnabled."
    assert await said_of(questions(sent), answer=[{**row, "isRequired": 0, "probeOnShort": False}]) == ""


async def test_values_with_parts_are_compared_part_by_part():
    code = {"python": "pass", "go": "package main"}
    sent = {"text": "Write.", "type": "CODING", "starterCode": code, "options": ["a", "b"]}
    row = {"id": "1", "text": "Write.", "type": "CODING", "starterCode": {"python": "pass"}, "options": ["a"]}
    assert await said_of(questions(sent), answer=[row]) == "This deployment did not keep: options, starterCode."
    whole = {**row, "starterCode": {**code, "rust": ""}, "options": ["a", "b"]}
    assert await said_of(questions(sent), answer=[whole]) == ""


async def test_a_rubric_that_the_deployment_adds_to_was_kept_and_one_without_descriptions_was_not():
    rubric = [{"name": "Depth", "description": "Details."}]
    sent = CreateInterview.model_validate({"title": "T", "assessmentCriteria": rubric})
    added = [{**rubric[0], "id": "k", "weight": 1}]
    assert await said_of(sent, answer={"id": "i", "title": "T", "assessmentCriteria": added}) == ""
    bare = {"id": "j", "title": "T", "assessmentCriteria": [{"name": "Depth", "description": ""}]}
    assert await said_of(sent, answer=bare) == "This deployment did not keep: assessmentCriteria."


async def test_a_change_that_cannot_be_seen_in_the_answer_is_said():
    sent = UpdateInterview.model_validate({"interviewId": "i", "title": "T", "videoEnabled": False})
    assert await said_of(sent, answer={"id": "i", "title": "T"}) == "This deployment did not keep: videoEnabled."


async def test_a_field_that_should_be_empty_and_is_not_is_said():
    ids = {"interviewId": "i", "candidateId": "c"}
    sent = UpdateCandidate.model_validate({**ids, "phone": None, "school": None})
    assert await said_of(sent, answer={"id": "c", "name": "Ana", "phone": "1"}) == (
        "This deployment did not keep: phone."
    )

"""The API describes itself to programs, truly: by OpenAPI."""

import json
import re

import httpx
import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from aural_mcp.api.analysis import LOCAL_OPERATIONS
from aural_mcp.api.decisions import SaveDecision
from aural_mcp.api.operations import OPERATIONS
from aural_mcp.documents.openapi import PREFIX, openapi
from conftest import KEY, begin, published
from examples import SEED_FILE
from fuzzing import fuzzed
from processes import backend, free_port


async def test_the_openapi_document_is_valid_and_needs_no_key(world):
    response = await world.fetched("/api/v1/openapi.json")
    document = response.json()
    validate(document)
    assert response.headers["cache-control"] == "public, max-age=3600"
    described = [operation for path in document["paths"].values() for operation in path.values()]
    assert all(each["x-llm-description"] for each in described)
    hints = {each["operationId"]: each.get("x-llm-hint", "") for each in described}
    assert hints == {each.tool_name(): each.hint for each in (*OPERATIONS, *LOCAL_OPERATIONS)}
    local = {each["operationId"] for each in described if each.get("x-local-extension")}
    assert local == {each.tool_name() for each in LOCAL_OPERATIONS}


async def test_no_request_that_the_document_allows_fails_the_server_or_breaks_its_word(tmp_path):
    """A short share of what tests/bench/openapi.py makes up."""
    wrong, generated, passed = await fuzzed(tmp_path, 40)
    assert wrong == ""
    assert generated == passed >= 1000


@pytest.mark.parametrize("path", ["/api/v1/openapi.json", "/api/v1/postman.json", "/llms-full.txt", "/SKILL.md"])
async def test_a_document_names_the_public_address_and_is_sent_once_to_who_keeps_it(tmp_path, path):
    port, public = free_port(), "https://hire.example"
    async with backend(tmp_path, port, "--no-desk", AURAL_PUBLIC_URL=public):
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http:
            found = http.get(path, headers={"host": "other.example", "x-forwarded-host": "another.example"})
            assert f"{public}/api/v1" in found.text
            assert not any(f"{each}/api" in found.text for each in ("127.0.0.1", "other.example", "another.example"))
            head, tag = http.head(path), found.headers["etag"]
            assert (head.status_code, head.headers["etag"], head.content) == (200, tag, b"")
            for kept in (tag, f"W/{tag}", f'"0", {tag}'):
                again = http.get(path, headers={"if-none-match": kept})
                assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
            assert http.get(path, headers={"if-none-match": '"0"'}).text == found.text


def test_the_document_fits_what_chatgpt_takes_for_actions():
    """Its limits as OpenAI's documentation has them: characters, operations, names, one server over https."""
    document = openapi()
    described = [operation for path in document["paths"].values() for operation in path.values()]
    assert len(described) <= 30
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,64}", each["operationId"]) for each in described)
    assert max(len(each["description"]) for each in described) <= 300
    assert max(len(each["description"]) for every in described for each in every["parameters"]) <= 700
    (server,) = document["servers"]
    assert server["url"].startswith("https://")


def test_what_aural_was_recorded_to_answer_is_what_the_document_says():
    document = openapi()
    recorded = [
        json.loads(line) for line in SEED_FILE.with_name("cases.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    exact = [each for each in recorded if each.get("expect", {}).get("kind") == "exact"]
    wrong = [f"{each['name']}: {said}" for each in exact for said in differs(document, each)]
    assert wrong == []
    assert {each["expect"]["status"] for each in exact} == {200, 400, 401, 403, 404}


def differs(document, case):
    """What in a recorded answer is not as the document has it for the operation."""
    path, status = case["path"].removeprefix(PREFIX), str(case["expect"]["status"])
    (found,) = [each for template, each in document["paths"].items() if matches(template, path)]
    response = found[case["method"].lower()]["responses"].get(status)
    if response is None:
        return [f"{status} is not said"]
    return invalid(document, response, case["expect"]["body"])


def matches(template, path):
    return re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path.split("?")[0])


def invalid(document, response, body):
    if reference := response.get("$ref"):
        response = document["components"]["responses"][reference.rsplit("/", 1)[1]]
    schema = response["content"]["application/json"]["schema"] | {"components": document["components"]}
    return [each.message for each in Draft202012Validator(schema).iter_errors(body)]


async def test_what_only_the_embedded_backend_says_of_somebody_is_in_the_document(world, agent):
    made = await published(agent, [{"text": "Why?"}])
    async with world.browser() as one, world.browser() as other:
        await begin(one, made["url"])
        await other.post(f"{made['url']}/person", data={"name": "Ana", "email": "ana@x.test"})
    listed, document = f"/interviews/{made['id']}/sessions", openapi()
    async with world.browser() as http:
        http.headers["authorization"] = f"Bearer {KEY}"

        async def said(path):
            answered = (await http.get(PREFIX + path)).json()
            case = {"name": path, "path": path, "method": "GET", "expect": {"status": 200, "body": answered}}
            assert differs(document, case) == []
            return answered["data"]

        waits, begun = sorted(await said(listed), key=lambda row: "asksForPerson" not in row)
        assert waits["requests"]
        for found in (await said(f"/sessions/{waits['id']}"), await said(f"/sessions/{waits['id']}/report")):
            assert found["asksForPerson"]
        await world.client.call(SaveDecision(session_id=begun["id"], decision="reject", reason="Others knew more."))
        assert "explainedAt" not in (await said(f"/sessions/{begun['id']}"))["decision"]
        report = await said(f"/sessions/{begun['id']}/report")
        assert (report["decision"]["decision"], bool(report["notice"]["text"])) == ("reject", True)
        scoring = {"scoredBy": "A", "summary": "S", "questionEvaluations": []}
        answered = await http.put(f"{PREFIX}/sessions/{waits['id']}/analysis", json=scoring)
        expect = {"status": answered.status_code, "body": answered.json()}
        case = {"path": f"/sessions/{waits['id']}/analysis", "method": "PUT", "expect": expect}
        assert (expect["status"], differs(document, case)) == (409, [])
    quota = {"used": 1, "limit": 9}
    usage = {"plan": "PRO", "templates": quota, "session_hours": quota, "ai_tokens": quota, "seats": quota}
    assert invalid(document, document["paths"]["/usage"]["get"]["responses"]["200"], {"data": usage}) == []


REFUSALS = {
    "of the plan": {"code": "PLAN_LIMIT_EXCEEDED", "message": "Limit reached.", "used": 3, "limit": 3},
    "with details": {"code": "BAD_REQUEST", "message": "Invalid.", "details": [{"path": ["title"]}]},
    "of a code that nobody knows": {"code": "ACCOUNT_ON_HOLD", "message": "Ask billing."},
    "that says when": {"code": "RATE_LIMITED", "message": "Wait.", "retry_after": 7},
    "with an id for support": {"code": "INTERNAL_ERROR", "message": "Sorry.", "requestId": "r-1", "status": 503},
    "in another language": {"code": "FORBIDDEN", "message": "Kein Zugriff."},
}


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_refusal_may_say_more_than_the_document_does(refusal):
    document = openapi()
    assert [invalid(document, each, {"error": REFUSALS[refusal]}) for each in refusals(document)] == [[]] * 8


@pytest.mark.parametrize("body", [{}, {"error": "no"}, {"error": {"code": "X"}}, {"message": "m"}, [], None])
def test_what_has_no_code_and_message_is_no_refusal_of_the_document(body):
    document = openapi()
    assert all(invalid(document, each, body) for each in refusals(document))


def refusals(document):
    return document["components"]["responses"].values()

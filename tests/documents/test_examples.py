"""The examples in the OpenAPI document are what the backend answers to them, one hire from the first to the last."""

import re

import pytest
from jsonschema import Draft202012Validator
from sqlalchemy import insert

from aural_mcp.api import operations as ops
from aural_mcp.api.analysis import LOCAL_OPERATIONS
from aural_mcp.backend.rest.app import BODY_LIMIT, LocalKey, create_app
from aural_mcp.backend.storage import store, tables
from aural_mcp.config import Employer
from aural_mcp.documents.examples import ANSWERS, EXAMPLES, REFUSALS
from aural_mcp.documents.openapi import openapi
from conftest import KEY, ORIGIN, World, answer, begin

ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?\+00:00")
TOKENS, DURATIONS = ("inviteToken", "publicSlug"), ("totalDurationSeconds", "session_hours")


@pytest.fixture
def told(world):
    """A workspace that says who hires, so that nothing is lacking in an answer."""
    key = LocalKey(KEY, store.owner(world.store).user_id)
    employer = Employer(organization="Acme", contact="people@acme.test")
    app = create_app(world.store, origin=lambda: ORIGIN, local_key=key, employer=employer)
    return World(world.store, app, world.client, world.server)


async def test_every_example_is_answered_as_the_document_says(told):
    document, known = openapi(ORIGIN), {}
    described = {each["operationId"]: each for path in document["paths"].values() for each in path.values()}
    assert EXAMPLES.keys() == {*ops.OPERATIONS, *LOCAL_OPERATIONS}
    async with told.browser() as http:
        http.headers["authorization"] = f"Bearer {KEY}"
        for operation in EXAMPLES:
            response = await sent(http, operation, described[operation.tool_name()], known)
            assert response.status_code == 200, (operation, response.text)
            shown = content(described[operation.tool_name()]["responses"]["200"])["example"]
            answered = response.json()
            if operation is ops.GetSessionReport:
                assert answered["data"].pop("notice")["text"]  # which is of the embedded backend only
            same(shown, answered, known)
            if operation is ops.CreateCandidates:
                links = [each["inviteUrl"] for each in answered["data"]]
            if operation is ops.UpdateCandidate:
                await interviewed(told, links)
                practised(told, known)


async def sent(http, operation, described, known):
    """The request that the document shows, with the ids of this run."""
    path = operation.path
    query = {}
    for each in described["parameters"]:
        if each["in"] == "path":
            path = path.replace(f"{{{each['name']}}}", known.get(each["example"], each["example"]))
        elif "example" in each:
            query[each["name"]] = each["example"]
    body = content(described["requestBody"])["example"] if "requestBody" in described else None
    return await http.request(operation.method, f"/api/v1{path}", params=query, json=mine(body, known))


def content(described):
    return described["content"]["application/json"]


def mine(value, known):
    if isinstance(value, dict):
        return {name: mine(each, known) for name, each in value.items()}
    if isinstance(value, list):
        return [mine(each, known) for each in value]
    return known.get(value, value) if isinstance(value, str) else value


def same(shown, answered, known, name=""):
    """Equal but for ids and tokens, which stand for one another throughout, times and what is counted of time."""
    if isinstance(shown, dict):
        assert shown.keys() == answered.keys(), name
        for key in sorted(shown, key=lambda key: key not in TOKENS):
            if key not in DURATIONS:
                same(shown[key], answered[key], known, key)
    elif isinstance(shown, list):
        assert len(shown) == len(answered), name
        for one, other in zip(shown, answered, strict=True):
            same(one, other, known, name)
    elif isinstance(shown, str) and TIME.fullmatch(shown):
        assert TIME.fullmatch(answered), name
    elif isinstance(shown, str) and (ID.fullmatch(shown) or name in TOKENS):
        assert known.setdefault(shown, answered) == answered, name
    elif isinstance(shown, str) and shown.startswith(ORIGIN):
        front, _, token = shown.rpartition("/")
        assert f"{front}/{known[token]}" == answered
    else:
        assert shown == answered, name


async def interviewed(world, links):
    """Ana answers everything, Ben begins."""
    async with world.browser() as browser:
        page = await begin(browser, links[0], "Ana Sousa")
        for each in ANSWERS:
            page = await answer(browser, page, each)
    async with world.browser() as browser:
        await begin(browser, links[1], "Ben Okafor")


def practised(world, known):
    """The practice run of the example, as Aural would have stored it: nothing here makes one."""
    run = mine(EXAMPLES[ops.GetPracticeReport].data, known)
    with world.store.writing() as db:
        db.execute(insert(tables.prep_sessions).values(run["session"]))
        db.execute(insert(tables.prep_attempts).values(run["attempts"]))


async def test_every_example_is_what_its_schema_allows_and_no_link_in_it_leads_elsewhere():
    document = openapi(ORIGIN)
    whole = {"components": document["components"]}
    shown = [*document["components"]["responses"].values()]
    for described in [each for path in document["paths"].values() for each in path.values()]:
        for each in described["parameters"]:
            if "example" in each:
                Draft202012Validator(each["schema"]).validate(each["example"])
        shown += [described["requestBody"]] if "requestBody" in described else []
        shown.append(described["responses"]["200"])
    for each in shown:
        Draft202012Validator(content(each)["schema"] | whole).validate(content(each)["example"])
    assert "https://aural-ai.com/i" not in str(document)


REFUSED = {
    400: ("POST", "/interviews", {"json": {}}),
    401: ("GET", "/usage", {"headers": {"authorization": "Bearer dlv_test_unknown"}}),
    404: ("GET", "/interviews/00000000-0000-4000-8000-000000000001", {}),
    413: ("POST", "/interviews", {"content": b" " * (BODY_LIMIT + 1)}),
}


@pytest.mark.parametrize("status", REFUSED)
async def test_a_refusal_is_worded_as_the_document_shows_it(world, status):
    method, path, more = REFUSED[status]
    async with world.browser() as http:
        http.headers["authorization"] = f"Bearer {KEY}"
        response = await http.request(method, f"/api/v1{path}", **more)
    assert (response.status_code, response.json()) == (status, {"error": REFUSALS[status]})

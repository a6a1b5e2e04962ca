"""Every error that Aural was recorded to give, met through a tool: a next step, and none of the backend's insides."""

import json
import re
from pathlib import Path

import httpx
import pytest

from aural_mcp.api.operations import OPERATIONS
from aural_mcp.client.client import AuralClient
from aural_mcp.server import tools
from conftest import text_of
from examples import least

CASES = [
    json.loads(line) for line in (Path(__file__).parent.parent / "contract" / "cases.jsonl").read_text().splitlines()
]
ID = "11111111-0000-4000-8000-000000000001"
TOOLS = {operation.tool_name() for operation in OPERATIONS}
SECRETS = re.compile(
    r"<html|Traceback|relation \"|syntax for type|violates|uuid:|\{\"error\"|constraint", re.IGNORECASE
)
STEPS = (
    "Correct the value",
    "Settings → API Keys",
    "Call again",
    "call again",
    "Tell the user",
    "tell the user",
    "Ask the",
)

DATABASE_TEXTS = [
    'invalid input syntax for type uuid: "abc"',
    "unsupported Unicode escape sequence",
    'value "2147483648" is out of range for type integer',
    'null value in column "aiName" of relation "interviews" violates not-null constraint',
]
"""What Aural passes on of its database, by the contract."""
OTHERS = [
    (500, {"error": {"code": "INTERNAL_ERROR", "message": text}}, "GET", f"/api/v1/interviews/{ID}")
    for text in DATABASE_TEXTS
] + [
    (500, "", "POST", "/api/v1/interviews"),
    (502, "<html><body>Bad gateway</body></html>", "GET", "/api/v1/usage"),
    (404, "<html>This page could not be found</html>", "GET", f"/api/v1/sessions/{ID}/report"),
    (404, "<html>This page could not be found</html>", "GET", "/api/v1/interviews"),
    (308, "", "GET", "/api/v1/interviews"),
    (
        403,
        {"error": {"code": "PLAN_LIMIT_EXCEEDED", "message": "Limit", "used": 3, "limit": 3}},
        "POST",
        "/api/v1/interviews",
    ),
    (409, {"error": {"code": "CONFLICT", "message": "Changed"}}, "PATCH", f"/api/v1/interviews/{ID}"),
    (429, {"error": {"code": "RATE_LIMITED", "message": "Too many", "retry_after": 59}}, "GET", "/api/v1/usage"),
    (200, "<html>", "GET", "/api/v1/usage"),
]


def operation_for(method, path):
    for operation in OPERATIONS:
        pattern = re.sub(r"\{\w+\}", "[^/]+", operation.path)
        if operation.method == method and re.fullmatch(pattern, path.removeprefix("/api/v1")):
            return operation
    return None


def recorded():
    """Each recorded refusal once for each operation: (status, body, operation)."""
    found = {}
    for case in CASES:
        expect = case.get("expect") or {}
        operation = operation_for(case["method"], case["path"])
        if operation and expect.get("status", 200) >= 400:
            body = expect.get("body") or {"error": {"code": "ANY", "message": "Refused."}}
            found[operation.tool_name(), expect["status"], json.dumps(body)] = (expect["status"], body, operation)
    return list(found.values())


async def said_by(operation, status, body, monkeypatch):
    monkeypatch.setattr("aural_mcp.client.retry.FIRST", 0.0)
    monkeypatch.setattr("aural_mcp.client.ledger.LOOK_AGAIN", 0.0)
    content = {"json": body} if isinstance(body, dict) else {"text": body}
    transport = httpx.MockTransport(lambda request: httpx.Response(status, **content))
    client = AuralClient("dlv_test_1", "https://a.test/api/v1", requests_per_minute=0, transport=transport)
    result = await tools.run(client, operation, least(operation.tool_name()))
    assert result.is_error
    return text_of(result)


def check(said):
    assert any(step in said for step in STEPS) or any(f"{tool}" in said for tool in TOOLS), said
    assert not SECRETS.search(said), said
    assert len(said) < 700


async def test_every_recorded_refusal_comes_with_a_next_step_and_nothing_of_the_backends_insides(monkeypatch):
    refusals = recorded()
    assert len(refusals) > 60
    for status, body, operation in refusals:
        said = await said_by(operation, status, body, monkeypatch)
        check(said)
        if status < 500 and "ANY" not in json.dumps(body):
            assert body["error"]["code"] in said


@pytest.mark.parametrize(("status", "body", "method", "path"), OTHERS)
async def test_other_failures_too(monkeypatch, status, body, method, path):
    said = await said_by(operation_for(method, path), status, body, monkeypatch)
    check(said)
    if "PLAN_LIMIT_EXCEEDED" in json.dumps(body):
        assert "used: 3. limit: 3." in said
    if path.endswith("/report"):
        assert "older and does not offer this operation" in said

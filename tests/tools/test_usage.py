"""Usage: whose numbers are of this moment, and whose may be old."""

import json

import httpx
import pytest
from mcp import Client

from aural_mcp.client.client import AuralClient
from aural_mcp.server.principal import OneClient
from aural_mcp.server.server import AuralServer
from conftest import KEY, ok, text_of

QUOTA = {"used": 3, "limit": None}
AURAL = {"plan": "self-hosted", "templates": QUOTA, "session_hours": QUOTA, "ai_tokens": QUOTA, "seats": QUOTA}
OLD = "These numbers can be old"


def aural(usage, base="https://aural-ai.com/api/v1"):
    """A server in front of something that answers like Aural, but for what embedded backends add."""
    wire = httpx.MockTransport(lambda _: httpx.Response(200, json={"data": usage}))
    return AuralServer(OneClient(AuralClient(KEY, base, requests_per_minute=0, transport=wire)), backend="T.")


@pytest.mark.parametrize(
    "usage",
    [
        AURAL,
        {**AURAL, "session_hours": {"used": 0, "limit": None}, "ai_tokens": {"used": 0, "limit": None}},
        {"plan": "pro", "templates": {"used": 10, "limit": 10}},
        {"plan": "free"},
        {**AURAL, "counted_at": None},
        {**AURAL, "period": "2026-09"},
    ],
)
async def test_numbers_without_a_time_are_said_to_be_able_to_be_old(usage):
    async with Client(aural(usage)) as agent:
        result = await agent.call_tool("get_usage", {})
        page = (await agent.read_resource("aural://usage")).contents[0].text
    for said in (text_of(result), json.dumps(result.structured_content), page):
        assert OLD in said
        assert "to a revoked key too" in said


async def test_the_embedded_backend_counts_when_it_is_asked_and_says_when(agent):
    first = await ok(agent, "get_usage")
    await ok(agent, "create_interview", title="T")
    second = await ok(agent, "get_usage")
    assert second["templates"]["used"] == first["templates"]["used"] + 1
    assert second["counted_at"] > first["counted_at"]
    assert OLD not in str(second)

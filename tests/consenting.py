"""A server that may ask first, and a host whose user answers."""

import httpx
from mcp.types import ElicitResult

from aural_mcp.client.client import AuralClient
from aural_mcp.server.principal import OneClient
from aural_mcp.server.server import AuralServer
from conftest import KEY, ORIGIN

YES, NO = ElicitResult(action="accept", content={"agreed": True}), ElicitResult(action="decline")


def server_on(world, state=None, key=KEY, transport=None, client=None, **more):
    wire = transport or httpx.ASGITransport(world.app)
    client = client or AuralClient(key, f"{ORIGIN}/api/v1", requests_per_minute=0, transport=wire, state=state)
    return AuralServer(OneClient(client), backend="T.", **more)


def person(answers, asked):
    """A host that can ask: its user answers in turn, and what was asked is noted."""

    async def answer(context, params):
        asked.append(params.message)
        return answers.pop(0)

    return answer

"""Registering people: a server on a wire, an interview for them, and who is in the database then."""

from collections import Counter

import pytest
from mcp import Client
from sqlalchemy import select

from aural_mcp.backend.storage import tables
from aural_mcp.client import ledger, retry
from aural_mcp.client.client import AuralClient
from aural_mcp.server.principal import OneClient
from aural_mcp.server.server import AuralServer
from conftest import KEY, ORIGIN, ok
from wires import Wire


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(retry, "FIRST", 0.0)
    monkeypatch.setattr(ledger, "LOOK_AGAIN", 0.0)


@pytest.fixture(name="wire")
def a_wire(world):
    return Wire(world.app)


@pytest.fixture(name="interview")
async def an_interview(world):
    async with Client(world.server) as connected:
        made = (await ok(connected, "create_interview", title="T"))["id"]
        await ok(connected, "create_questions", interviewId=made, questions=[{"text": "Q"}])
        return made


def server_on(wire, state=None, key=KEY, per_minute=0, **more):
    client = AuralClient(key, f"{ORIGIN}/api/v1", requests_per_minute=per_minute, transport=wire, state=state)
    return AuralServer(OneClient(client), backend="T.", **{"confirm": "never", **more})


def registered(world, interview):
    """Everybody in the database, beyond what the API lists."""
    columns = tables.candidates.c
    with world.store.reading() as db:
        rows = db.execute(select(columns.name, columns.email).where(columns.interviewId == interview)).all()
    return Counter((row.name, row.email) for row in rows)


async def imported(agent, interview, data, **more):
    return await ok(agent, "import_candidates", interviewId=interview, data=data, **{"dryRun": False, **more})


async def looked(agent, interview, data):
    return await ok(agent, "import_candidates", interviewId=interview, data=data)

"""Who was claimed by a process of this computer that has ended is sent again at once, and by one elsewhere is not."""

import httpx
import pytest
from mcp import Client

from aural_mcp.api.operations import CreateInterview
from aural_mcp.backend.local import BASE_URL
from aural_mcp.client.client import AuralClient
from aural_mcp.client.state import State
from aural_mcp.server.principal import OneClient
from aural_mcp.server.server import AuralServer
from aural_mcp.workflows.lists.matching import RUN, journal
from aural_mcp.workflows.lists.people import key_of
from conftest import KEY, ORIGIN, ok

DATA = "name,email\nKim,kim@x.org"


@pytest.mark.parametrize("shares", [False, True])
async def test_another_computer_may_have_the_same_name_and_a_process_of_the_same_id(world, postgresql, shares):
    """As containers have, in each of which the server is process 1."""
    state = State(url=postgresql.database()) if shares else State()
    wire = httpx.ASGITransport(world.app)
    client = AuralClient(KEY, f"{ORIGIN}/api/v1", transport=wire, state=state, tenant=BASE_URL)
    made = (await client.call(CreateInterview(title="Clerk"))).id
    await state.opens()
    claim = {**RUN, "run": "another", "chunk": "a group", "of": 1, "at": state.now(), "after": None}
    await journal(client, made).claim({key_of("Kim", "kim@x.org", None): claim}, {})
    async with Client(AuralServer(OneClient(client), backend="T.", confirm="never"), read_timeout_seconds=60) as agent:
        done = await ok(agent, "import_candidates", interviewId=made, data=DATA, dryRun=False)
    assert (done["registered"], done["remaining"]) == ((0, 1) if shares else (1, 0))
    await state.aclose()

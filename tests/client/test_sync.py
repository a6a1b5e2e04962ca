"""The client as an SDK: blocking too, light to import, and usable without MCP."""

import subprocess
import sys
import threading

import httpx
import pytest

from aural_mcp import SyncAuralClient
from aural_mcp.api import errors
from aural_mcp.api.operations import CreateInterview, GetInterview, ListInterviews
from conftest import KEY, ORIGIN


@pytest.fixture
def aural(world):
    transport = httpx.ASGITransport(world.app)
    with SyncAuralClient(KEY, f"{ORIGIN}/api/v1", requests_per_minute=0, transport=transport) as client:
        yield client


def test_calls_block_and_return_what_the_awaited_ones_do(aural):
    made = aural.call(CreateInterview(title="Backend engineer"))
    assert aural.call(GetInterview(interview_id=made.id)).title == "Backend engineer"


def test_every_row_of_a_list_comes_once(aural):
    titles = {aural.call(CreateInterview(title=f"T{number}")).title for number in range(7)}
    assert {row.title for row in aural.each(ListInterviews(limit=2))} == titles


def test_a_refusal_is_the_same_typed_error_with_its_next_step(aural):
    with pytest.raises(errors.NotFound) as refused:
        aural.call(GetInterview(interview_id="00000000-0000-4000-8000-000000000000"))
    assert refused.value.next_step


def test_threads_may_share_one(aural):
    threads = [threading.Thread(target=aural.call, args=(CreateInterview(title=f"{n}"),)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(list(aural.each(ListInterviews()))) == 8


def test_a_key_is_in_no_repr():
    with SyncAuralClient("dlv_test_canary-9") as client:
        assert repr(client) == "SyncAuralClient('https://aural-ai.com/api/v1')"


def test_neither_client_loads_mcp_or_a_backend():
    code = "import sys; from aural_mcp import AuralClient, SyncAuralClient; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert not {"mcp", "starlette", "sqlalchemy", "httpcore2"} & set(loaded.stdout.split())

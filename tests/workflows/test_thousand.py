"""Aural lists a thousand candidates and no more: what stands on that list says so, everywhere."""

import pytest
from mcp import Client
from sqlalchemy import insert

from aural_mcp.backend.storage import tables
from aural_mcp.backend.storage.store import new_id, now
from aural_mcp.privacy.exposure import Exposure
from conftest import ok, refused, text_of
from consenting import server_on
from rows import add_session

SAID = "1,000 or more are registered; Aural shows only the newest 1,000."
PEOPLE = [{"name": f"New {number}"} for number in range(21)]


@pytest.fixture
async def crowd(world, request):
    """An interview for which so many are registered, all of whom have begun, and one who came by the public link."""
    async with Client(world.server) as agent:
        made = (await ok(agent, "create_interview", title="T"))["id"]
    session = add_session(world, made, ["Q", "A"], status="COMPLETED", participantName="Robin Vega")
    rows = [
        {"id": new_id(), "interviewId": made, "name": f"P {number}", "inviteToken": new_id(), "sessionId": new_id()}
        for number in range(request.param)
    ]
    with world.store.writing() as db:
        db.execute(insert(tables.candidates), [{**row, "createdAt": now(), "updatedAt": now()} for row in rows])
    return made, session


def whole(result):
    return text_of(result) + str(result.structured_content)


HOW = {
    "list_candidates": {},
    "list_candidates by name": {"name": "nobody is called so"},
    "list_candidates by status": {"status": "NOT_BEGUN"},
    "list_candidates from row": {"fromRow": 900, "limit": 5},
    "wait_for_sessions": {},
}


@pytest.mark.parametrize("crowd", [1_000, 1_200, 999], indirect=True)
async def test_every_list_count_and_wait_says_that_there_may_be_more(world, crowd, request):
    interview, session = crowd
    is_cut = request.node.callspec.params["crowd"] >= 1_000
    async with Client(server_on(world)) as agent:
        for how, more in HOW.items():
            result = await agent.call_tool(how.split()[0], {"interviewId": interview, **more})
            assert not result.is_error, text_of(result)
            assert (SAID in text_of(result), SAID in str(result.structured_content)) == (is_cut, is_cut), how
        page = (await agent.read_resource(f"aural://interviews/{interview}/candidates")).contents[0].text
        assert (SAID in page) == is_cut
        for prompt in ("check_progress", "invite_candidates"):
            filled = await agent.get_prompt(prompt, {"interviewId": interview})
            assert (SAID in str(filled)) == is_cut, prompt
        lost = await refused(agent, "export_results", {"interviewId": interview, "candidateId": "nobody"})
        assert (SAID in lost, "no candidate “nobody” among those whom Aural shows" in lost) == (is_cut, is_cut)
        asked = {"interviewId": interview, "form": "packet"}
        assert (SAID in await refused(agent, "export_results", {**asked, "candidateId": "nobody"})) == is_cut
        packet = (await ok(agent, "export_results", **asked, candidateId=session))["content"]
        assert ("this person was not registered" in packet, SAID in packet) == (not is_cut, is_cut)
        preview = whole(await agent.call_tool("create_candidates", {"interviewId": interview, "candidates": PEOPLE}))
        assert ("1,000 or more" in preview) == is_cut


@pytest.mark.parametrize("crowd", [1_000], indirect=True)
async def test_a_pseudonym_that_is_not_found_may_be_of_somebody_whom_aural_does_not_show(world, crowd):
    async with Client(server_on(world, exposure=Exposure(blind=True), confirm="never")) as agent:
        said = await refused(agent, "reveal_candidate", {"interviewId": crowd[0], "candidate": "Candidate QQQQQQ"})
    assert SAID in said

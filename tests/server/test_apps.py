"""Views at ui:// addresses: on the tools, read by their address alone, wherever their tool exists."""

import pytest
from mcp import Client

from aural_mcp.config import Narrowing
from aural_mcp.privacy.exposure import Exposure
from aural_mcp.server.access import access
from aural_mcp.server.apps import VIEW_OF
from aural_mcp.server.principal import OneClient
from aural_mcp.server.server import AuralServer
from conftest import ok, text_of

EVERY = {f"ui://aural/{name}" for name in VIEW_OF.values()}
"""Those that are on tools whatever the host can do; where one for approval is, `test_approval.py` says."""


async def addresses(agent):
    """The views that hosts find on the tools."""
    listed = (await agent.list_tools()).tools
    return {each.name: each.meta["ui"]["resourceUri"] for each in listed if each.meta}


async def test_tools_name_their_view_and_it_is_a_page_that_may_load_nothing(agent):
    found = await addresses(agent)
    assert found == {tool: f"ui://aural/{view}" for tool, view in VIEW_OF.items()}
    for address in EVERY:
        shown = (await agent.read_resource(address)).contents[0]
        assert shown.mime_type == "text/html;profile=mcp-app"
        assert shown.text.startswith("<!doctype html>")
        assert not any(shown.meta["ui"]["csp"].values())


@pytest.mark.parametrize(
    ("exposure", "narrowing"),
    [
        (Exposure(blind=True), Narrowing()),
        (Exposure(lockdown=True), Narrowing()),
        (Exposure(), Narrowing(read_only=True)),
    ],
    ids=["blind", "lockdown", "read only"],
)
async def test_views_are_there_in_every_mode_that_keeps_their_tool(world, exposure, narrowing):
    server = AuralServer(OneClient(world.client), backend="T.", exposure=exposure, access=access(narrowing))
    async with Client(server, read_timeout_seconds=30) as agent:
        assert set((await addresses(agent)).values()) == EVERY
        for address in EVERY:
            assert (await agent.read_resource(address)).contents[0].text


async def test_a_view_is_gone_with_the_last_tool_that_has_it(world):
    server = AuralServer(OneClient(world.client), backend="T.", access=access(Narrowing(tools=("get_session",))))
    async with Client(server, read_timeout_seconds=30) as agent:
        assert (await agent.read_resource("ui://aural/session")).contents
        for address in ("ui://aural/comparison", "ui://aural/nothing", "ui://aural/"):
            with pytest.raises(Exception, match="There is no resource"):
                await agent.read_resource(address)


async def test_people_who_look_through_resources_are_not_shown_empty_pages(agent):
    listed = [each.uri for each in (await agent.list_resources()).resources]
    listed += [each.uri_template for each in (await agent.list_resource_templates()).resource_templates]
    assert not [each for each in listed if str(each).startswith("ui:")]


async def test_a_result_is_complete_without_its_view(agent):
    made = await ok(agent, "create_interview", title="Night shift nurse", objective="O")
    shown = await agent.call_tool("get_interview", {"interviewId": made["id"]})
    assert "Night shift nurse" in text_of(shown)
    assert "ui" not in (shown.meta or {})

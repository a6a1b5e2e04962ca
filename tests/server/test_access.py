"""Tools that are off do not exist, by whatever name they are called, and nothing that they show does."""

import json
import subprocess
import sys

import httpx
import pytest
from mcp import Client, MCPError
from mcp.types import INVALID_PARAMS

from aural_mcp.api.analysis import LOCAL_OPERATIONS
from aural_mcp.api.operations import OPERATIONS
from aural_mcp.config import BadSetting, Narrowing
from aural_mcp.privacy.exposure import RevealCandidate
from aural_mcp.server import prompts, resources
from aural_mcp.server.access import BY_NAME, TOOLSETS, Access, access
from aural_mcp.server.principal import OneClient
from aural_mcp.server.server import AuralServer
from aural_mcp.workflows import WORKFLOWS
from conftest import MODES, ok, refused
from processes import http_server, on_stdio, settings_for

READING = {each.tool_name() for each in (*OPERATIONS, *WORKFLOWS) if each.effect == "read"}


def test_every_operation_is_in_one_toolset():
    listed = [operation for group in TOOLSETS.values() for operation in group]
    assert len(listed) == len(set(listed))
    assert set(listed) == {*OPERATIONS, RevealCandidate, *LOCAL_OPERATIONS, *WORKFLOWS}


@pytest.mark.parametrize(
    ("narrowing", "left"),
    [
        (Narrowing(), set(BY_NAME)),
        (Narrowing(read_only=True), READING),
        (Narrowing(toolsets=("usage", "practice")), {"get_usage", "list_practice_sessions", "get_practice_report"}),
        (Narrowing(tools=("get_usage", "create_interview")), {"get_usage", "create_interview"}),
        (Narrowing(tools=("get_usage", "create_interview"), read_only=True), {"get_usage"}),
        (Narrowing(toolsets=("questions",), tools=("get_usage", "list_questions")), {"list_questions"}),
        (Narrowing(toolsets=("usage",), exclude_tools=("get_usage",)), set()),
    ],
)
def test_settings_leave_what_they_say(narrowing, left):
    assert {name for name in BY_NAME if access(narrowing).has(name)} == left


@pytest.mark.parametrize(
    "narrowing", [Narrowing(toolsets=("all",)), Narrowing(tools=("get",)), Narrowing(exclude_tools=("x",))]
)
def test_a_name_that_does_not_exist_stops_the_start_and_says_which_do(narrowing):
    with pytest.raises(BadSetting, match=r"there is no '.*There are: "):
        access(narrowing)


@pytest.mark.parametrize("mode", MODES)
async def test_what_is_off_is_not_listed_called_read_or_started(world, mode):
    server = AuralServer(OneClient(world.client), backend="T.", access=access(Narrowing(toolsets=("interviews",))))
    async with Client(server, mode=mode, read_timeout_seconds=30) as agent:
        assert {tool.name for tool in (await agent.list_tools()).tools} == {
            operation.tool_name() for operation in TOOLSETS["interviews"]
        }
        made = (await ok(agent, "create_interview", title="T"))["id"]
        for name in ("get_usage", "get_session", "save_session_analysis", "Get_Usage", "get-usage", "aural:get_usage"):
            said = await refused(agent, name, {"sessionId": "x"})
            assert said.startswith("There is no tool")
            assert "did you mean get_usage" not in said.lower()
        uris = {each.uri for each in (await agent.list_resources()).resources}
        assert "aural://usage" not in uris
        templates = (await agent.list_resource_templates()).resource_templates
        assert [each.uri_template for each in templates] == [resources.INTERVIEW]
        for uri in ("aural://usage", f"aural://interviews/{made}/candidates", "aural://sessions/x/transcript"):
            with pytest.raises(MCPError, match="There is no resource"):
                await agent.read_resource(uri)
        assert {each.name for each in (await agent.list_prompts()).prompts} == {"route", "troubleshoot"}
        with pytest.raises(MCPError, match="There is no prompt") as gone:
            await agent.get_prompt("review_session", {"sessionId": "x"})
        assert gone.value.error.code == INVALID_PARAMS


async def test_read_only_changes_nothing_by_any_tool(world):
    server = AuralServer(OneClient(world.client), backend="T.", access=access(Narrowing(read_only=True)))
    async with Client(server) as agent:
        listed = (await agent.list_tools()).tools
        assert {tool.name for tool in listed} == READING
        assert all(tool.annotations.read_only_hint for tool in listed)
        for operation in OPERATIONS:
            if operation.effect != "read":
                assert "There is no tool" in await refused(agent, operation.tool_name(), {"title": "T"})
        assert {each.name for each in (await agent.list_prompts()).prompts} == {
            each.name for each in prompts.PROMPTS
        } - {"design_interview", "screen_candidates", "invite_candidates"}


@pytest.mark.parametrize(
    ("headers", "left"),
    [
        ({}, set(BY_NAME)),
        ({"x-aural-readonly": "true"}, READING),
        ({"x-aural-readonly": "false"}, set(BY_NAME)),
        ({"x-aural-readonly": ""}, set(BY_NAME)),
        ({"x-aural-readonly": "${READ_ONLY}"}, READING),
        ({"x-aural-toolsets": "usage, Practice"}, {"get_usage", "list_practice_sessions", "get_practice_report"}),
        ({"x-aural-toolsets": ""}, set()),
        ({"x-aural-toolsets": "everything"}, set()),
    ],
)
def test_a_request_narrows_and_never_widens(headers, left):
    assert {name for name in BY_NAME if Access().narrowed(headers).has(name)} == left
    reading = access(Narrowing(read_only=True))
    assert {name for name in BY_NAME if reading.narrowed(headers).has(name)} == left & READING


@pytest.mark.parametrize("mode", MODES)
async def test_flags_and_headers_narrow_real_servers(tmp_path, mode):
    async with on_stdio(tmp_path / "stdio", mode, AURAL_TOOLSETS="usage", AURAL_READ_ONLY="1") as agent:
        assert [tool.name for tool in (await agent.list_tools()).tools] == ["get_usage"]
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    headers = {"accept": "application/json, text/event-stream", "mcp-protocol-version": "2025-11-25"}
    async with (
        http_server(tmp_path / "http", "--local", "--exclude-tools", "get_usage") as url,
        httpx.AsyncClient(trust_env=False, headers=headers) as http,
    ):
        whole = await http.post(url, json=body)
        narrow = await http.post(url, json=body, headers={"X-Aural-Toolsets": "usage,practice"})
    assert (
        len(whole.json()["result"]["tools"]) == len(BY_NAME) - 3
    )  # nobody is revealed without a blind mode, and no mail is sent over HTTP
    names = [tool["name"] for tool in narrow.json()["result"]["tools"]]
    assert names == ["list_practice_sessions", "get_practice_report"]


def test_a_wrong_setting_stops_the_start_in_one_line(tmp_path):
    command = [sys.executable, "-m", "aural_mcp", "serve", "--toolsets", "everything"]
    done = subprocess.run(command, env=settings_for(tmp_path), capture_output=True, text=True, timeout=60, input="")
    assert done.returncode == 1
    assert "there is no 'everything'. There are: interviews, questions" in done.stderr
    assert json.dumps(done.stdout) == '""'


async def test_a_header_that_protects_and_cannot_be_read_is_refused(tmp_path):
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    accept = {"accept": "application/json, text/event-stream"}
    async with http_server(tmp_path, "--local") as url, httpx.AsyncClient(trust_env=False, timeout=60) as http:
        for name in ("X-Aural-Readonly", "X-Aural-Blind", "X-Aural-Lockdown"):
            for value in ("${READ_ONLY}", "ture", "2", "true, false", "$X", "{{ro}}"):
                answer = await http.post(url, json=call, headers={**accept, name: value})
                assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_switch")
                assert name in answer.json()["error"]["message"]
            for value in ("true", "FALSE", "", "on"):
                assert (await http.post(url, json=call, headers={**accept, name: value})).status_code != 400

"""The whole workflow through the public door: in memory, on stdio, over HTTP, in both protocol generations."""

import json
import re
import subprocess
import sys

import anyio
import httpx
import pytest
from anyio.streams.buffered import BufferedByteReceiveStream
from mcp import Client

from aural_mcp import OPERATIONS
from aural_mcp.api.analysis import LOCAL_OPERATIONS
from aural_mcp.client.client import AuralClient
from aural_mcp.server.access import BY_NAME
from aural_mcp.server.principal import KeyPerRequest
from aural_mcp.server.server import INSTRUCTIONS, AuralServer
from aural_mcp.tools.schemas import listed
from aural_mcp.workflows import WORKFLOWS
from conftest import MODES, answer, begin, needs, ok, published, refused
from processes import http_server, on_stdio, over_http, settings_for

ANSWER = "I ran it for two years: four thousand events a second, exactly once, on call every third week."
QUESTIONS = [{"text": "Tell me about a service you built."}, {"text": "Why?", "required": False}]


def test_a_start_makes_no_schema():
    assert list(listed()) == list(BY_NAME)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("transport", [on_stdio, over_http], ids=["stdio", "http"])
async def test_an_agent_runs_an_interview_and_reads_what_the_candidate_said(tmp_path, transport, mode):
    async with transport(tmp_path, mode) as agent:
        there = len(OPERATIONS) + len(LOCAL_OPERATIONS) + len(WORKFLOWS)
        not_over_http = 1 if transport is over_http else 0  # send_messages
        assert len((await agent.list_tools()).tools) == there - not_over_http
        result = await published(agent, QUESTIONS)
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/i/[a-z0-9]{10}", result["url"])
        assert "this computer only" in result["remarks"][-1]
        async with httpx.AsyncClient(follow_redirects=True, trust_env=False, timeout=60) as browser:
            page = await answer(browser, await begin(browser, result["url"]), ANSWER)
            running = (await ok(agent, "list_sessions", interviewId=result["id"]))["data"][0]
            assert (running["status"], running["turns"]) == ("IN_PROGRESS", 4)
            page = await answer(browser, page, "", skip="yes")
        assert "You are done" in page.text
        session = await ok(agent, "get_session", sessionId=running["id"])
        assert (session["status"], session["participantName"]) == ("COMPLETED", "Robin Vega")
        assert [turn["content"] for turn in session["messages"] if turn["role"] == "USER"] == [ANSWER, "(skipped)"]
        resource = await agent.read_resource(f"aural://sessions/{running['id']}/transcript")
        assert f"> {ANSWER}" in resource.contents[0].text
        assert resource.contents[0].mime_type == "text/markdown"


async def test_a_bare_json_rpc_conversation_on_stdio_works_and_stdout_carries_protocol_only(tmp_path):
    host = {"name": "t", "version": "1"}
    calls = [
        ("initialize", {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": host}),
        ("tools/list", {}),
        ("tools/call", {"name": "create_interview", "arguments": {"title": "T"}}),
        ("tools/call", {"name": "create_interview", "arguments": {"tittle": "T"}}),
    ]
    process = await anyio.open_process([sys.executable, "-m", "aural_mcp"], env=settings_for(tmp_path))
    answers, received = [], BufferedByteReceiveStream(process.stdout)
    with anyio.fail_after(60):
        for number, (method, params) in enumerate(calls, 1):
            message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
            await process.stdin.send(json.dumps(message).encode() + b"\n")
            answers.append(json.loads(await received.receive_until(b"\n", 10_000_000)))
            if method == "initialize":
                await process.stdin.send(b'{"jsonrpc":"2.0","method":"notifications/initialized"}\n')
        await process.stdin.aclose()
        assert await process.wait() == 0
    assert [each["id"] for each in answers] == [1, 2, 3, 4]
    assert answers[0]["result"]["protocolVersion"] == "2025-06-18"
    assert answers[2]["result"]["structuredContent"]["title"] == "T"
    assert answers[3]["result"]["isError"] is True


@pytest.mark.parametrize("mode", MODES)
async def test_start_and_lists_need_no_key_and_a_call_says_what_to_do(tmp_path, mode):
    async with on_stdio(tmp_path, mode, AURAL_BASE_URL="https://127.0.0.1:9/api/v1") as agent:
        assert "No backend is usable yet" in agent.instructions
        tools = (await agent.list_tools()).tools
        assert all("properties" in tool.input_schema for tool in tools)
        assert "set it as AURAL_API_KEY" in await refused(agent, "get_usage", {})


async def test_the_instructions_name_the_backend_in_use_and_are_short(tmp_path):
    async with on_stdio(tmp_path, "auto") as agent:
        assert "local workspace on this computer" in agent.instructions
        assert len(agent.instructions) <= 1500
    async with on_stdio(tmp_path, "auto", AURAL_API_KEY="dlv_test_1") as agent:
        assert "The backend is Aural at aural-ai.com" in agent.instructions
    assert len(INSTRUCTIONS) < 1300


async def test_a_public_url_makes_the_links_public(tmp_path):
    async with on_stdio(tmp_path, "auto", AURAL_PUBLIC_URL="https://jobs.example/") as agent:
        result = await published(agent, QUESTIONS)
    assert result["url"].startswith("https://jobs.example/i/")
    assert not [remark for remark in result["remarks"] if "this computer" in remark]


@pytest.mark.parametrize("mode", MODES)
async def test_over_http_each_request_brings_its_own_key_and_no_other_stands_in(world, mode):
    server = AuralServer(KeyPerRequest(AuralClient("dlv_test_operator", "https://a.test/api/v1")), backend="T.")
    async with Client(server, mode=mode) as agent:
        assert len((await agent.list_tools()).tools) == len(OPERATIONS) + len(WORKFLOWS)
        said = await refused(agent, "get_usage", {})
    assert "carries no Aural API key" in said
    assert "Authorization: Bearer dlv_..." in said


@pytest.mark.parametrize(
    ("headers", "key"),
    [
        ({"authorization": "Bearer dlv_test_1"}, "dlv_test_1"),
        ({"x-api-key": "dlv_test_2"}, "dlv_test_2"),
        ({"authorization": "Basic eA==", "x-api-key": "dlv_test_2"}, "dlv_test_2"),
    ],
)
async def test_the_key_comes_from_one_of_two_headers(headers, key):
    seen = []

    def backend(request):
        seen.append(request.headers["authorization"])
        return httpx.Response(200, json={"data": {"plan": "free"}})

    client = AuralClient(None, "https://a.test/api/v1", transport=httpx.MockTransport(backend))
    await KeyPerRequest(client).client_for(httpx.Headers(headers)).call(OPERATIONS[-1]())
    assert seen == [f"Bearer {key}"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["serve", "--http", "--host", "0.0.0.0"], "needs --allowed-host"),
        (["serve", "--http", "--local", "--host", "0.0.0.0"], "this computer only"),
        (["serve", "--local"], "with --http"),
        (["backend", "--host", "0.0.0.0"], "needs AURAL_PUBLIC_URL"),
    ],
)
def test_serving_more_than_was_meant_is_refused(tmp_path, arguments, says):
    command = [sys.executable, "-m", "aural_mcp", *arguments]
    done = subprocess.run(command, env=settings_for(tmp_path), capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert says in done.stderr


async def test_a_foreign_host_or_origin_is_refused(tmp_path):
    message = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    accept = {"accept": "application/json, text/event-stream"}
    async with http_server(tmp_path, "--local") as url, httpx.AsyncClient(trust_env=False, timeout=60) as http:
        assert (await http.post(url, json=message, headers={**accept, "host": "evil.test"})).status_code == 421
        assert (await http.post(url, json=message, headers={**accept, "origin": "http://evil.test"})).status_code == 403


async def test_a_crash_tells_the_model_nothing_but_that_it_happened(agent, world, monkeypatch):
    def boom(request):
        raise RuntimeError("secret dlv_test_1")

    monkeypatch.setattr(world.client._connections, "send", boom)
    said = await refused(agent, "get_usage", {})
    assert said == "Get usage failed inside aural-mcp; its log on stderr says why."


INSPECTOR_CALLS = {
    "tools/list": ["--strict"],
    "resources/list": [],
    "resources/templates/list": [],
    "resources/read": ["--uri", "aural://interviews"],
    "prompts/list": [],
    "prompts/get": ["--prompt-name", "route", "--prompt-args", "request=hire"],
    "tools/call": ["--tool-name", "create_interview", "--tool-args-json", '{"title":"From the Inspector"}'],
}


MODERN_CALLS = {"skills/list": ["--verify"], "resources/directory/read": ["--uri", "skill://aural-hiring"]}


@pytest.mark.parametrize("era", ["legacy", "modern"])
@pytest.mark.parametrize("transport", ["stdio", "http"])
async def test_the_inspector_finds_nothing_to_complain_about(tmp_path, transport, era):
    inspector = needs("mcp-inspector")
    async with http_server(tmp_path / "http", "--local") as url:
        target = [url] if transport == "http" else ["--", sys.executable, "-m", "aural_mcp"]
        calls = INSPECTOR_CALLS | (MODERN_CALLS if era == "modern" else {})
        for method, arguments in calls.items():
            options = ["--cli", "--protocol-era", era, "--method", method, *arguments, "--format", "json"]
            command = [inspector, *(options + target if transport == "stdio" else [options[0], *target, *options[1:]])]
            environment = settings_for(tmp_path / "stdio", HOME=str(tmp_path))
            done = await anyio.run_process(command, env=environment, check=False)
            assert done.returncode == 0, (method, done.stdout[-2000:], done.stderr[-2000:])
            assert json.loads(done.stdout).keys().isdisjoint({"schemaFindings"}), done.stderr[-2000:]


async def test_a_failed_call_is_an_error_for_the_inspector_too(tmp_path):
    inspector = needs("mcp-inspector")
    options = ["--cli", "--method", "tools/call", "--tool-name", "get_interview", "--tool-arg", "interviewId=x"]
    environment = settings_for(tmp_path, HOME=str(tmp_path))
    command = [inspector, *options, "--format", "json", "--", sys.executable, "-m", "aural_mcp"]
    done = await anyio.run_process(command, env=environment, check=False)
    assert done.returncode == 5
    assert b"Call list_interviews" in done.stdout

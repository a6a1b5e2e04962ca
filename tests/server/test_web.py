"""MCP over HTTP as an exposed server: limits, probes, a stop that loses no call, the access log, tracing."""

import asyncio
import json
import re
import signal
import subprocess
import sys
from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import anyio
import httpx
import pytest
from mcp import Client

from aural_mcp.server.web import set_up_tracing
from aural_mcp.server.web.refusals import CALLS, STREAMS
from conftest import MODES
from processes import on_stdio, settings_for

KEY, OTHER = {"authorization": "Bearer dlv_test_canary-1"}, {"x-api-key": "dlv_test_canary-2"}
VERSION = "2026-07-28"
INTERVIEW = {"id": "6f0c1b8e-0000-4000-8000-000000000001", "title": "Slow"}


class Served:
    """A running `aural-mcp serve --http`."""

    def __init__(self, process, log, origin):
        self.process, self.log, self.origin, self.url = process, log, origin, f"{origin}/mcp"

    def http(self, **headers):
        return httpx.AsyncClient(base_url=self.origin, trust_env=False, timeout=30, headers=headers)

    def lines(self):
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]


@asynccontextmanager
async def served(folder, *arguments, patch="", **settings):
    """The real command on a free port; `patch` is Python that shortens its patience first."""
    log = folder / "stderr"
    start = f"from aural_mcp.server.web import app, flights, server; {patch}"
    code = f"{start}\nfrom aural_mcp.cli.main import main; main()"
    command = [sys.executable, "-c", code] if patch else [sys.executable, "-m", "aural_mcp"]
    with log.open("w") as stderr:
        process = await anyio.open_process(
            [*command, "serve", "--http", "--port", "0", *arguments],
            env=settings_for(folder, **settings),
            stderr=stderr,
        )
    try:
        with anyio.fail_after(60):
            while not (found := re.search(r"MCP at (http://127\.0\.0\.1:\d+)/mcp", log.read_text())):
                await anyio.sleep(0.05)
        yield Served(process, log, found[1])
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


class Backend:
    """A REST backend that notes what it is asked, and answers when it is allowed to."""

    def __init__(self):
        self.seen, self.arrived, self.may_answer = [], asyncio.Event(), asyncio.Event()

    async def handle(self, reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        if length := re.search(r"content-length: (\d+)", head, re.I):
            await reader.readexactly(int(length[1]))
        self.seen.append(head.partition(" HTTP")[0])
        self.arrived.set()
        await self.may_answer.wait()
        body = json.dumps({"data": INTERVIEW}).encode()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n")
        writer.write(b"content-length: %d\r\n\r\n%s" % (len(body), body))
        with suppress(ConnectionError):  # who asked may have been ended meanwhile
            await writer.drain()
        writer.close()


@pytest.fixture
async def backend():
    made = Backend()
    server = await asyncio.start_server(made.handle, "127.0.0.1", 0)
    made.settings = {
        "AURAL_BASE_URL": f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/api/v1",
        "AURAL_REQUESTS_PER_MINUTE": "0",
    }
    yield made
    made.may_answer.set()
    server.close()


def message(method, name="", **params):
    """A request of protocol 2026-07-28: its headers and its body."""
    meta = {"protocolVersion": VERSION, "clientInfo": {"name": "t", "version": "1"}, "clientCapabilities": {}}
    params["_meta"] = {f"io.modelcontextprotocol/{field}": value for field, value in meta.items()}
    accept = "application/json, text/event-stream"
    headers = {"accept": accept, "mcp-protocol-version": VERSION, "mcp-method": method}
    headers |= {"mcp-name": name} if name else {}
    body = {"jsonrpc": "2.0", "id": 7, "method": method, "params": params | ({"name": name} if name else {})}
    return {"headers": headers, "json": body}


def call(name, **arguments):
    return message("tools/call", name, arguments=arguments)


CREATE = call("create_interview", title="Slow")
LEGACY_CREATE = {
    "headers": {"accept": "application/json", "mcp-protocol-version": "2025-06-18"},
    "json": CREATE["json"] | {"params": {"name": "create_interview", "arguments": {"title": "Slow"}}},
}
LIST = message("tools/list")
LISTEN = message("subscriptions/listen", notifications={"toolsListChanged": True})


def said(answer, status, code):
    """The words of a refusal, which is JSON and nothing else."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    error = answer.json()["error"]
    assert error["code"] == code
    assert answer.json() == {"error": {"code": code, "message": error["message"]}}
    return error["message"]


async def raw(origin, *parts):
    """What comes back for bytes as they are."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(origin.rpartition(":")[2]))
    for part in parts:
        writer.write(part)
    with anyio.fail_after(20):
        answer = await reader.read()
    writer.close()
    return answer


async def stopping(http):
    """Wait until the server says that it stops, on a connection that is not the caller's."""
    with anyio.fail_after(20):
        while (await http.get("/readyz")).status_code != 503:
            await anyio.sleep(0.02)


# ── Probes and addresses ────────────────────────────────────────────────────────────────────────────


async def test_probes_need_no_key_and_no_backend(tmp_path):
    async with served(tmp_path, AURAL_BASE_URL="http://127.0.0.1:9/api/v1") as server, server.http() as http:
        assert (await http.get("/healthz")).json() == {"status": "ok"}
        ready = await http.get("/readyz", headers={"host": "probe.test"})
        assert (ready.status_code, ready.json()) == (200, {"status": "ready"})
        assert (await http.head("/healthz")).status_code == 200
        assert said(await http.post("/healthz"), 405, "method_not_allowed") == "This address takes GET and HEAD only."


async def test_every_other_address_is_a_404_that_names_mcp(tmp_path):
    async with served(tmp_path, "--local") as server, server.http() as http:
        for path in ("/", "/mcp//", "/MCP", "/mcp/x", "/.well-known/oauth-protected-resource", "//mcp"):
            assert "MCP is at /mcp" in said(await http.get(path), 404, "not_found")
        for path in ("/mcp", "/mcp/"):
            get = await http.get(path, headers={"accept": "text/event-stream"})
            assert said(get, 405, "method_not_allowed")
            assert get.headers["allow"] == "POST"


async def test_refusals_of_the_sdk_say_which_field_and_what_to_do(tmp_path):
    async with served(tmp_path, "--local") as server, server.http() as http:

        async def refusal(status, code, **headers):
            return said(await http.post("/mcp", headers=LIST["headers"] | headers, json=LIST["json"]), status, code)

        assert "--allowed-host" in await refusal(421, "host_not_allowed", host="evil.test")
        assert "`Origin`" in await refusal(403, "origin_not_allowed", origin="http://evil.test")
        assert "Accept: application/json" in await refusal(406, "not_acceptable", accept="text/html")
        plain = await http.post("/mcp", headers=LIST["headers"] | {"content-type": "text/plain"}, content=b"{}")
        assert "Content-Type" in said(plain, 400, "bad_content_type")


def test_an_address_that_is_taken_is_one_sentence(tmp_path):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "aural_mcp", "serve", "--http", "--port", port]
        done = subprocess.run(command, env=settings_for(tmp_path), capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.startswith(f"aural-mcp: Nothing can listen on 127.0.0.1, port {port}: ")
    assert "--port" in done.stderr
    assert "Traceback" not in done.stderr


# ── Limits ──────────────────────────────────────────────────────────────────────────────────────────


async def test_what_is_too_large_is_refused_with_the_limit(tmp_path):
    async with served(tmp_path, "--local") as server, server.http() as http:

        async def post(address="/mcp", content=None, **headers):
            return await http.post(address, headers=LIST["headers"] | headers, content=content or b"{}")

        large = b" " * (4 * 1024 * 1024 + 1)
        assert "4 MiB" in said(await post(content=large), 413, "body_too_large")
        assert "4 MiB" in said(await post(content=chunks(large)), 413, "body_too_large")
        assert "16 KiB" in said(await post(x="y" * 16_384), 431, "headers_too_large")
        many = {f"x-{number}": "" for number in range(100)}
        assert "100 header fields" in said(await post(**many), 431, "headers_too_large")
        assert "8 KiB" in said(await post("/mcp?" + "q" * 8_192), 414, "address_too_long")
        assert "8 KiB" in said(await post("/" + "p" * 8_192), 414, "address_too_long")
        assert (await post("/mcp?" + "q" * 8_000, x="y" * 15_000)).status_code == 400  # read, and found no message
        fits = dict(LIST, json=LIST["json"] | {"padding": "x" * 4_000_000})
        assert "tools" in (await http.post("/mcp", **fits)).json()["result"]


async def chunks(body):
    for start in range(0, len(body), 65_536):
        yield body[start : start + 65_536]


async def test_a_head_that_never_ends_is_refused_before_it_is_a_request(tmp_path):
    async with served(tmp_path, "--local") as server, server.http() as http:
        for head in (b"GET / HTTP/1.1\r\nx: " + b"y" * 300_000, b"GET /" + b"p" * 40_000):
            answer = await raw(server.origin, head)
            status, _, body = answer.partition(b"\r\n\r\n")
            assert status.startswith(b"HTTP/1.1 431 ")
            assert json.loads(body)["error"]["code"] == "headers_too_large"
        answer = await raw(server.origin, b"\x16\x03\x01 this is TLS\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["code"] == "bad_request"
        chunked = b"POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\ntransfer-encoding: chunked\r\n\r\n"
        assert (await raw(server.origin, chunked, b"no chunk\r\n")).startswith(b"HTTP/1.1 400 ")
        assert "Traceback" not in server.log.read_text()
        assert (await http.get("/readyz")).status_code == 200


async def test_heads_and_bodies_that_dribble_are_given_up(tmp_path):
    post = b"POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: 9\r\n"
    patch = "server.HEAD_WITHIN = app.BODY_WITHIN = 0.5"
    async with served(tmp_path, "--local", patch=patch) as server:
        assert await raw(server.origin, post) == b""
        assert await raw(server.origin) == b""
        answer = await raw(server.origin, post + b"\r\n{")
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"nothing was done" in answer


async def test_a_key_has_32_calls_in_flight_and_another_key_is_not_held_by_it(tmp_path, backend):
    async with served(tmp_path, **backend.settings) as server, AsyncExitStack() as stack:
        http = await stack.enter_async_context(server.http())
        creates = [with_key(call("create_interview", title=f"Slow {number}"), KEY) for number in range(CALLS)]
        waiting = [asyncio.create_task(http.post("/mcp", **create)) for create in creates]
        with anyio.fail_after(30):
            while len(backend.seen) < CALLS:
                await anyio.sleep(0.02)
        refused = await http.post("/mcp", **with_key(CREATE, KEY))
        assert f"{CALLS} calls of this key" in said(refused, 429, "too_many_in_flight")
        assert refused.headers["retry-after"] == "1"
        assert (await http.get("/healthz")).status_code == 200
        assert "tools" in (await http.post("/mcp", **LIST)).json()["result"]
        other = asyncio.create_task(http.post("/mcp", **with_key(CREATE, OTHER)))
        backend.may_answer.set()
        answers = [await each for each in [*waiting, other]]
        assert Counter(answer.json()["result"]["isError"] for answer in answers) == {False: CALLS + 1}
        assert len(backend.seen) == CALLS + 1
        assert (await http.post("/mcp", **with_key(CREATE, KEY))).json()["result"]["isError"] is False


async def test_without_a_key_the_address_has_32_calls_in_flight(tmp_path, backend):
    """A body that has not come yet counts; what cannot be a key is none."""
    head = b"POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\nx-api-key: junk-%d\r\ncontent-length: 9\r\n\r\n"
    async with served(tmp_path, **backend.settings) as server, server.http() as http:
        port = int(server.origin.rpartition(":")[2])
        open_ = [await asyncio.open_connection("127.0.0.1", port) for _ in range(CALLS)]
        for number, (_, writer) in enumerate(open_):
            writer.write(head % number)
        with anyio.fail_after(20):
            while (refused := await http.post("/mcp", **LIST)).status_code == 200:
                await anyio.sleep(0.02)
        assert f"{CALLS} calls of this address" in said(refused, 429, "too_many_in_flight")
        assert "tools" in (await http.post("/mcp", **with_key(LIST, KEY))).json()["result"]
        for _, writer in open_:
            writer.close()
        with anyio.fail_after(20):
            while (await http.post("/mcp", **LIST)).status_code == 429:
                await anyio.sleep(0.02)


async def test_a_key_has_16_subscriptions_and_they_are_no_calls(tmp_path):
    async with served(tmp_path) as server, AsyncExitStack() as stack:
        http = await stack.enter_async_context(server.http())
        streams = []
        for _ in range(STREAMS):
            stream = await stack.enter_async_context(http.stream("POST", "/mcp", **with_key(LISTEN, KEY)))
            streams.append(stream.aiter_text())  # one that is not kept closes its connection
            assert "acknowledged" in await anext(streams[-1])
        refused = await http.post("/mcp", **with_key(LISTEN, KEY))
        assert f"{STREAMS} subscriptions of this key" in said(refused, 429, "too_many_in_flight")
        assert "tools" in (await http.post("/mcp", **with_key(LIST, KEY))).json()["result"]
        async with http.stream("POST", "/mcp", **with_key(LISTEN, OTHER)) as stream:
            assert stream.status_code == 200


def with_key(request, key):
    return dict(request, headers=request["headers"] | key)


# ── Stopping ────────────────────────────────────────────────────────────────────────────────────────

PATIENT = "flights.CALLS_END = 600.0"
"""What waits for calls does not end before a test gives up."""
PATIENTLY = {"OTEL_EXPORTER_OTLP_TIMEOUT": "600"}


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT])
async def test_a_write_is_done_once_and_answered_although_the_server_is_told_to_stop(tmp_path, backend, by):
    async with served(tmp_path, **backend.settings) as server, server.http() as http:
        writing = asyncio.create_task(http.post("/mcp", **with_key(CREATE, KEY)))
        await asyncio.wait_for(backend.arrived.wait(), 30)
        server.process.send_signal(by)
        await stopping(http)
        assert (await http.get("/healthz")).status_code == 200
        refused = await http.post("/mcp", **with_key(CREATE, OTHER))
        assert "nothing was done" in said(refused, 503, "stopping")
        assert not writing.done()
        backend.may_answer.set()
        result = (await writing).json()["result"]
        assert result["structuredContent"]["id"] == INTERVIEW["id"]
        with anyio.fail_after(60):
            assert await server.process.wait() == 0
    assert [each for each in backend.seen if each.startswith("POST")] == ["POST /api/v1/interviews"]
    assert "Traceback" not in server.log.read_text()


async def test_a_call_of_an_earlier_protocol_is_answered_too(tmp_path, backend):
    async with served(tmp_path, **backend.settings) as server, server.http() as http:
        writing = asyncio.create_task(http.post("/mcp", **with_key(LEGACY_CREATE, KEY)))
        await asyncio.wait_for(backend.arrived.wait(), 30)
        server.process.terminate()
        await stopping(http)
        backend.may_answer.set()
        assert (await writing).json()["result"]["structuredContent"]["id"] == INTERVIEW["id"]
        assert await server.process.wait() == 0


async def test_a_server_that_drains_takes_calls_and_tells_a_balancer_to_look_elsewhere(tmp_path):
    async with served(tmp_path, "--local", "--drain", "300") as server, server.http() as http:
        server.process.terminate()
        await stopping(http)
        assert (await http.get("/healthz")).status_code == 200
        assert (await http.post("/mcp", **call("list_interviews"))).json()["result"]["isError"] is False
        server.process.send_signal(signal.SIGINT)
        with anyio.fail_after(60):
            assert await server.process.wait() == 0


async def test_a_subscription_is_told_that_it_ends_and_does_not_hold_the_stop(tmp_path):
    stream = ("POST", "/mcp")
    async with served(tmp_path, patch=PATIENT) as server, server.http() as http, http.stream(*stream, **LISTEN) as it:
        received = it.aiter_text()
        assert "acknowledged" in await anext(received)
        server.process.terminate()
        with anyio.fail_after(60):
            rest = "".join([each async for each in received])
            assert await server.process.wait() == 0
    assert json.loads(rest.partition("data: ")[2])["result"]["_meta"]["io.modelcontextprotocol/subscriptionId"] == 7
    assert "Traceback" not in server.log.read_text()


async def test_an_agent_that_follows_hears_the_end_as_an_end(tmp_path):
    async with (
        served(tmp_path, "--local") as server,
        Client(server.url, read_timeout_seconds=30) as agent,
        agent.listen(tools_list_changed=True) as events,
    ):
        server.process.terminate()
        with anyio.fail_after(60):
            assert [each async for each in events] == []


async def test_an_idle_server_stops_at_once_and_a_body_on_its_way_is_not_waited_for(tmp_path):
    head = b"POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 9\r\n\r\n{"
    async with served(tmp_path, "--local", patch=PATIENT) as server, server.http() as http:
        assert (await http.get("/readyz")).status_code == 200
        half = asyncio.create_task(raw(server.origin, head))
        await http.get("/readyz")
        server.process.terminate()
        with anyio.fail_after(60):
            assert await server.process.wait() == 0
        assert b"nothing was done" in await half or await half == b""


@pytest.mark.parametrize("create", [CREATE, LEGACY_CREATE], ids=MODES)
async def test_a_call_that_takes_too_long_is_told_that_it_may_have_been_done(tmp_path, backend, create):
    async with served(tmp_path, patch="flights.CALLS_END = 1.0", **backend.settings) as server, server.http() as http:
        writing = asyncio.create_task(http.post("/mcp", **with_key(create, KEY)))
        await asyncio.wait_for(backend.arrived.wait(), 30)
        server.process.terminate()
        assert "may have been done" in said(await writing, 503, "stopped")
        with anyio.fail_after(60):
            assert await server.process.wait() == 0
    assert "Traceback" not in server.log.read_text()


async def test_a_second_ctrl_c_waits_for_nothing(tmp_path, backend):
    async with served(tmp_path, **backend.settings) as server, server.http() as http:
        writing = asyncio.create_task(http.post("/mcp", **with_key(CREATE, KEY)))
        await asyncio.wait_for(backend.arrived.wait(), 30)
        server.process.send_signal(signal.SIGINT)
        await stopping(http)
        server.process.send_signal(signal.SIGINT)
        assert "may have been done" in said(await writing, 503, "stopped")
        with anyio.fail_after(60):
            assert await server.process.wait() == 0
    assert "Traceback" not in server.log.read_text()


# ── The access log ──────────────────────────────────────────────────────────────────────────────────


async def test_the_access_log_is_one_line_of_json_per_request_without_keys_or_arguments(tmp_path, backend):
    backend.may_answer.set()
    async with served(tmp_path, "--access-log", **backend.settings) as server, server.http() as http:
        await http.post("/mcp?token=hidden", **with_key(call("create_interview", title="Unspoken title"), KEY))
        await http.post("/mcp", **message("resources/read", uri="aural://sessions/secret-id/transcript"))
        await http.get("/dlv_test_in-the-path%0A%7Bx%7D")
        await raw(server.origin, b"nonsense\r\n\r\n")
        lines, written = server.lines(), server.log.read_text()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", lines[-1]["time"])
    assert all(0 <= line.pop("ms") < 60_000 and line.pop("time") for line in lines)
    seen = [tuple(line.values()) for line in lines if line["path"] != "/healthz"]
    assert list(lines[0]) == ["method", "path", "status", "mcpMethod", "tool"]
    assert seen == [
        ("POST", "/mcp", 200, "tools/call", "create_interview"),
        ("POST", "/mcp", 400, "resources/read", None),
        ("GET", "/dlv_…\n{x}", 404, None, None),
        (None, None, 400, None, None),
    ]
    assert not [each for each in ("canary", "hidden", "Unspoken", "secret-id", "in-the-path") if each in written]


async def test_without_the_option_nothing_is_logged(tmp_path):
    async with served(tmp_path, "--local") as server, server.http() as http:
        await http.post("/mcp", **LIST)
        assert server.lines() == []
    command = [sys.executable, "-m", "aural_mcp", "serve", "--access-log"]
    done = subprocess.run(command, env=settings_for(tmp_path), capture_output=True, text=True, timeout=60)
    assert (done.returncode, "with --http" in done.stderr) == (2, True)


# ── Tracing ─────────────────────────────────────────────────────────────────────────────────────────


class Collector:
    """An OTLP/HTTP collector: keeps what it is sent."""

    def __init__(self):
        self.bodies = []

    async def handle(self, reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        self.bodies.append(await reader.readexactly(int(re.search(rb"content-length: (\d+)", head, re.I)[1])))
        writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    def spans(self):
        """The names of the services, and of each span what it says."""
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

        sent = [each for body in self.bodies for each in ExportTraceServiceRequest.FromString(body).resource_spans]
        services = {a.value.string_value for each in sent for a in each.resource.attributes if a.key == "service.name"}
        return services, [span for each in sent for scope in each.scope_spans for span in scope.spans]


@pytest.fixture
async def collector():
    made = Collector()
    server = await asyncio.start_server(made.handle, "127.0.0.1", 0)
    made.endpoint = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield made
    server.close()


async def test_spans_reach_the_collector_without_arguments_results_errors_or_keys(tmp_path, backend, collector):
    backend.may_answer.set()
    requests = [
        call("create_interview", title="Unspoken title"),
        call("create_interview", title=["Unspoken title"]),
        call("dlv_test_canary-in-a-name" + "x" * 200),
        message("resources/read", uri="aural://sessions/secret-id/nothing"),
        message("prompts/get", "screen", arguments={"interviewId": "secret-id"}),
    ]
    async with served(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=collector.endpoint, **backend.settings) as server:
        async with server.http() as http:
            for request in requests:
                await http.post("/mcp", **with_key(request, KEY))
        server.process.terminate()
        assert await server.process.wait() == 0
    services, spans = collector.spans()
    assert services == {"aural-mcp"}
    names = Counter(span.name for span in spans)
    assert names["tools/call create_interview"] == 2
    assert all(len(name) <= 100 for name in names)
    assert not [span for span in spans if span.events or span.links or span.status.message]
    sent = b"".join(collector.bodies)
    hidden = (b"canary", b"Unspoken", b"secret-id", INTERVIEW["id"].encode(), INTERVIEW["title"].encode())
    assert not [each for each in hidden if each in sent]


async def test_spans_leave_on_stdio_too(tmp_path, collector):
    settings = {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{collector.endpoint}/v1/traces", "OTEL_SERVICE_NAME": "hiring"}
    async with on_stdio(tmp_path, "auto", **settings) as agent:
        await agent.list_tools()
    with anyio.fail_after(10):
        while not collector.bodies:
            await anyio.sleep(0.05)
    services, spans = collector.spans()
    assert services == {"hiring"}
    assert "tools/list" in {span.name for span in spans}


async def test_a_collector_that_is_down_does_not_hold_the_stop(tmp_path):
    async with served(tmp_path, "--local", OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9", **PATIENTLY) as server:
        async with server.http() as http:
            await http.post("/mcp", **LIST)
        server.process.terminate()
        with anyio.fail_after(60):
            assert await server.process.wait() == 0


def test_without_the_packages_one_warning_names_them(monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    monkeypatch.delitem(sys.modules, "aural_mcp.server.web.spans", raising=False)
    set_up_tracing({})
    assert caplog.messages == []
    set_up_tracing({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"})
    assert len(caplog.messages) == 1
    assert "pip install 'aural-mcp[otel]'" in caplog.messages[0]


def test_a_setting_that_tracing_cannot_use_is_one_warning(monkeypatch, caplog):
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "-1")
    set_up_tracing({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"})
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith("Tracing is off: ")
    assert "Correct the OTEL_* settings" in caplog.messages[0]


def test_an_error_that_a_span_recorded_does_not_leave():
    """What the SDK records of a crash: its text and its traceback."""
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    from aural_mcp.server.web.spans import Discreet

    memory, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(Discreet(memory)))
    with pytest.raises(RuntimeError), provider.get_tracer("t").start_as_current_span("tools/call x"):
        raise RuntimeError("secret dlv_test_1")
    (span,) = memory.get_finished_spans()
    assert (span.name, span.status.is_ok, span.events) == ("tools/call x", False, ())
    assert "secret" not in span.to_json()


async def test_an_answer_streams_only_where_progress_is_asked_for_and_can_be_read(tmp_path):
    async def kind(http, accept, **params):
        params = {"name": "get_usage", "arguments": {}} | params
        body = {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params}
        headers = {"accept": accept, "mcp-protocol-version": "2025-06-18"}
        answer = await http.post("/mcp", json=body, headers=headers)
        assert '"isError":false' in answer.text
        return answer.headers["content-type"].partition(";")[0]

    async with served(tmp_path, "--local") as server, server.http() as http:
        json_only, both = "application/json", "application/json, text/event-stream"
        token = {"_meta": {"progressToken": 1}}
        assert await kind(http, both) == "application/json"
        assert await kind(http, json_only, **token) == "application/json"
        assert await kind(http, both, **token) == "text/event-stream"

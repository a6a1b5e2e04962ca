"""What operators measure: calls, requests, budget, creates and webhooks of real commands, and nothing of anybody."""

import re
import socket
import sqlite3
import subprocess
import sys
from contextlib import asynccontextmanager

import anyio
import httpx
import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text, update

from aural_mcp.events import outbox
from aural_mcp.events.run import open_outbox
from conftest import ok, text_of
from processes import aural_mcp, backend, free_port, http_server, settings_for

NOBODY = "00000000-0000-4000-8000-000000000000"


class Metrics:
    """What stands at an address; a sample is found by its name and labels."""

    def __init__(self, port):
        self.url = f"http://127.0.0.1:{port}/metrics"

    def text(self):
        return httpx.get(self.url, trust_env=False).raise_for_status().text

    def all(self):
        samples = [each for family in text_string_to_metric_families(self.text()) for each in family.samples]
        return {(each.name, *sorted(each.labels.values())): each.value for each in samples}

    def __call__(self, name, *labels):
        return self.all().get((f"aural_mcp_{name}", *sorted(labels)))


@asynccontextmanager
async def measured(folder, url="http://127.0.0.1:9/api/v1", key="dlv_test_1", **settings):
    """A server that counts, and an agent of it."""
    port = free_port()
    settings = {"AURAL_BASE_URL": url, **settings}
    async with (
        http_server(folder, "--metrics-port", str(port), **settings) as address,
        httpx2.AsyncClient(headers={"Authorization": f"Bearer {key}"}, timeout=60) as http,
        Client(streamable_http_client(address, http_client=http)) as agent,
    ):
        yield agent, Metrics(port)


@asynccontextmanager
async def team(folder, *arguments):
    """A team's backend: its API, and a key of it."""
    port = free_port()
    async with backend(folder / "team", port, "--no-desk", *arguments) as said:
        yield f"http://127.0.0.1:{port}/api/v1", re.search(r"dlv_\S+", said)[0]


# ── What is counted ─────────────────────────────────────────────────────────────────────────────


async def test_calls_requests_budget_and_creates_are_counted_and_nobody_is_named(tmp_path):
    async with (
        team(tmp_path) as (url, key),
        measured(tmp_path, url, key, AURAL_CONFIRM="ask") as (agent, metrics),
    ):
        made = await ok(agent, "create_interview", title="Canary of a title")
        await ok(agent, "create_interview", title="Canary of a title")
        await ok(agent, "create_candidates", interviewId=made["id"], candidates=[{"name": "Canary Person"}])
        assert (await agent.call_tool("get_interview", {"interviewId": NOBODY})).is_error
        assert (await agent.call_tool("canary_tool_of_a_caller", {"canary": "canary"})).is_error
        await agent.call_tool("archive_interview", {"interviewId": made["id"]})
        assert metrics("calls_total", "create_interview", "done") == 2
        assert metrics("calls_total", "get_interview", "failed") == 1
        assert metrics("calls_total", "other", "failed") == 1
        assert metrics("calls_total", "archive_interview", "asked") == 1
        assert metrics("call_seconds_count", "create_interview") == 2
        assert metrics("calls_in_flight") == 0
        assert metrics("creates_total", "repeated") == 1
        assert metrics("creates_total", "done") == 2
        assert metrics("requests_total", "4xx") == 1
        answered = metrics("requests_total", "2xx") + 1
        assert answered == metrics("budget_granted_total") == metrics("request_seconds_count") >= 4
        assert metrics("budget_refused_total", "limit") == 0
        said = metrics.text().lower()
        assert "canary" not in said
        assert "dlv_" not in said
        assert made["id"] not in said


async def test_a_request_that_is_not_sent_and_one_that_reaches_nobody_are_counted_apart(tmp_path):
    async with measured(tmp_path, AURAL_REQUESTS_PER_MINUTE="1") as (agent, metrics):
        assert "Nothing was sent" in text_of(await agent.call_tool("get_interview", {"interviewId": NOBODY}))
        assert metrics("budget_granted_total") == 1
        assert metrics("budget_refused_total", "limit") == 1, "its second attempt"
        assert metrics("requests_total", "unreachable") == 1
        assert metrics("calls_total", "get_interview", "failed") == 1


async def test_a_create_whose_end_nobody_knows_is_counted_as_that(tmp_path):
    """A backend that takes every request and answers none: an error for all."""

    async def silent(stream):
        async with stream:
            await stream.receive()

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(anyio.abc.SocketAttribute.local_port)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, silent)
        async with measured(tmp_path, f"http://127.0.0.1:{port}/api/v1") as (agent, metrics):
            assert (await agent.call_tool("create_interview", {"title": "Backend engineer"})).is_error
            assert metrics("creates_total", "unknown") == 1
            assert metrics("requests_total", "unanswered") == metrics("budget_granted_total") > 1
        tasks.cancel_scope.cancel()


async def test_what_cannot_be_written_down_is_counted_as_not_sent(tmp_path):
    async with measured(tmp_path) as (agent, metrics):
        first = await agent.call_tool("get_interview", {"interviewId": NOBODY})
        assert first.is_error
        with sqlite3.connect(tmp_path / "state.db") as state:
            state.execute("drop table grants")
        state.close()
        assert (await agent.call_tool("get_interview", {"interviewId": NOBODY})).is_error
        assert metrics("budget_refused_total", "state") >= 1


async def test_a_backend_says_how_many_webhooks_wait_and_what_else_there_is_while_it_cannot_be_read(
    tmp_path, postgresql
):
    database, port = postgresql.database(), free_port()
    closed, metrics = free_port(), Metrics(port)
    hook = [f"http://127.0.0.1:{closed}/hook", "--allow", "127.0.0.0/8", "--database", database]
    async with team(tmp_path, "--database", database, "--metrics-port", str(port)) as (url, key):
        assert metrics("webhooks", "pending") == 0
        assert aural_mcp(tmp_path, "backend", "webhooks", "add", *hook)[0] == 0
        async with httpx.AsyncClient(headers={"Authorization": f"Bearer {key}"}, trust_env=False) as http:
            made = (await http.post(f"{url}/interviews", json={"title": "Backend engineer"})).json()["data"]
            people = [{"name": f"Person {number}"} for number in range(3)]
            (await http.post(f"{url}/interviews/{made['id']}/candidates", json=people)).raise_for_status()
        assert (metrics("webhooks", "pending"), metrics("webhooks", "parked")) == (3, 0)
        out = open_outbox(database)
        with out.writing() as db:
            db.execute(update(outbox.deliveries).values(state=outbox.PARKED))
        assert (metrics("webhooks", "pending"), metrics("webhooks", "parked")) == (0, 3)
        with out.writing() as db:
            # One lock, as who delivers takes several, too.
            db.execute(text(f"alter table {outbox.deliveries.name} rename to gone"))
        assert metrics("webhooks", "parked") is None
        assert metrics("info", "0.1.0") == 1
        out.close()


async def test_a_watch_counts_what_it_asks_and_what_waits(tmp_path):
    port, metrics = free_port(), None
    async with team(tmp_path) as (url, key):
        command = [sys.executable, "-m", "aural_mcp", "watch", "--exec", "cat", "--metrics-port", str(port)]
        settings = settings_for(tmp_path / "watch", AURAL_BASE_URL=url, AURAL_API_KEY=key)
        process = await anyio.open_process(command, env=settings, stderr=subprocess.PIPE)
        try:
            said = b""
            with anyio.fail_after(60):
                while b"watching all interviews" not in said:
                    said += await process.stderr.receive()
            metrics = Metrics(port)
            assert metrics("webhooks", "pending") == 0
            assert metrics("requests_total", "2xx") >= 1
        finally:
            process.terminate()
            await process.wait()


# ── How it is switched on ───────────────────────────────────────────────────────────────────────


def test_nothing_is_loaded_and_nothing_listens_without_a_port():
    code = "import sys; from aural_mcp.cli import backend, serve, watch; print('prometheus_client' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_it_listens_on_this_computer_only_and_goes_with_http(tmp_path):
    status, _, said = aural_mcp(tmp_path, "serve", "--metrics-port", "9400")
    assert (status, "--metrics-port goes with --http" in said) == (2, True)
    assert "On this address; 127.0.0.1 when left out" in re.sub(r"\s+", " ", aural_mcp(tmp_path, "serve", "--help")[1])


@pytest.mark.parametrize("command", [("serve", "--http", "--port", "0"), ("backend", "--no-desk", "--port", "0")])
def test_a_port_that_is_taken_and_a_package_that_is_missing_are_one_sentence(tmp_path, command):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        status, _, said = aural_mcp(tmp_path, *command, "--metrics-port", port)
    assert status == 1
    assert said.startswith(f"aural-mcp: Metrics: nothing can listen on 127.0.0.1, port {port}: ")
    code = "import sys; sys.modules['prometheus_client'] = None; from aural_mcp.cli.main import main; main()"
    arguments = [sys.executable, "-c", code, *command, "--metrics-port", "0"]
    done = subprocess.run(arguments, env=settings_for(tmp_path), capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "pip install 'aural-mcp[metrics]'" in done.stderr
    assert "Traceback" not in said + done.stderr

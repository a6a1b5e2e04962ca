"""What stands in compose.yaml and deploy/ is run: a proxy, two replicas and a backend on PostgreSQL, as processes."""

import json
import re
import subprocess
import sys
import time
from collections import Counter
from contextlib import ExitStack, asynccontextmanager

import anyio
import httpx
import pytest
import yaml

from aural_mcp.backend.storage.store import Store, create_key, list_keys, owner
from aural_mcp.client.state_database import SCHEMA, StateDatabase
from composed import ROOT, SECRET, Composed
from conftest import needs
from processes import free_port, settings_for

RUNBOOK = (ROOT / "docs" / "http.md").read_text(encoding="utf-8")
CADDYFILE = ROOT / "deploy" / "Caddyfile"
VERSION = "2026-07-28"
PUBLIC = {"AURAL_MCP_HOST": "mcp.example.com", "AURAL_PAGES_HOST": "interviews.example.com"}


@pytest.fixture(scope="module")
def caddy():
    return needs("caddy")


class Team:
    """All of it, running."""

    def __init__(self, composed, folder, stack, caddy):
        self.composed, self._folder, self._stack = composed, folder, stack
        self._stack.enter_context(composed.proxy(folder, caddy))
        self.backend = self.start("backend")
        self.key = next(found[0] for line in self.backend.stdout if (found := re.search(r"dlv_\S+", line)))
        self.replicas = {}
        self.again("mcp-1", "mcp-2")

    def again(self, *names):
        """Start replicas: each is there when the proxy, which looks once a second, gives it calls."""
        for name in names:
            if name in self.replicas:
                self.replicas[name].wait()
            self.replicas[name] = self.start(name)
        for name in names:
            counts, end = self.composed.url(name.replace("mcp-", "940"), "/metrics"), time.monotonic() + 60
            while "aural_mcp_calls_total{" not in httpx.get(counts, trust_env=False, timeout=60).text:
                assert time.monotonic() < end, f"the proxy gives {name} no calls"
                with httpx.Client(headers=self.headers, trust_env=False, timeout=60) as http:
                    http.post(self.composed.url("8400", "/mcp"), **CALL)

    def start(self, name):
        return self._stack.enter_context(self.composed.running(name, self._folder, AURAL_REQUESTS_PER_MINUTE="0"))

    @property
    def headers(self):
        return {"authorization": f"Bearer {self.key}", "host": f"localhost:{self.composed.ports['8400']}"}

    def http(self):
        url = self.composed.url("8400")
        return httpx.AsyncClient(base_url=url, headers=self.headers, trust_env=False, timeout=60)


@pytest.fixture(scope="module")
def team(caddy, postgresql, tmp_path_factory):
    """One for all of these tests: each starts again what it ended."""
    with ExitStack() as stack:
        yield Team(Composed(postgresql.database()), tmp_path_factory.mktemp("team"), stack, caddy)


def request(method, **params):
    """A request of the present protocol."""
    meta = {"protocolVersion": VERSION, "clientInfo": {"name": "t", "version": "1"}, "clientCapabilities": {}}
    params["_meta"] = {f"io.modelcontextprotocol/{field}": value for field, value in meta.items()}
    headers = {"accept": "application/json, text/event-stream", "mcp-protocol-version": VERSION, "mcp-method": method}
    headers |= {"mcp-name": params["name"]} if "name" in params else {}
    return {"headers": headers, "json": {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}}


AT_ONCE = 2
"""Calls that somebody has in flight who calls without a pause."""
CALL = request("tools/call", name="list_interviews", arguments={"limit": 1})


class Calling:
    """Somebody who calls without a pause, and notes what came of each call."""

    def __init__(self, http):
        self._http, self.ended, self.failed, self._goes = http, 0, [], True

    async def run(self):
        while self._goes:
            try:
                answer = await self._http.post("/mcp", **CALL)
            except httpx.RemoteProtocolError:  # it broke off in the middle
                answer = httpx.Response(502, text="no_answer")
            self.ended += 1
            if answer.status_code != 200 or answer.json()["result"].get("isError"):
                self.failed.append((answer.status_code, answer.text))

    async def more(self, number=20):
        """Until so many more have ended."""
        wanted = self.ended + number
        with anyio.fail_after(60):
            while self.ended < wanted:
                await anyio.sleep(0.01)

    def stop(self):
        self._goes = False


@asynccontextmanager
async def calls(team):
    async with team.http() as http, anyio.create_task_group() as tasks:
        calling = Calling(http)
        for _ in range(AT_ONCE):
            tasks.start_soon(calling.run)
        yield calling
        calling.stop()


# ── The proxy ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("given", [{}, PUBLIC], ids=["for this computer", "for everybody"])
def test_caddy_takes_the_configuration(caddy, given, tmp_path):
    sites = Composed("", **given).service("proxy").environment
    home = {"XDG_DATA_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    for command in (["validate", "--adapter", "caddyfile", "--config"], ["fmt"]):
        environment = settings_for(tmp_path, **sites, **home)
        done = subprocess.run([caddy, *command, CADDYFILE], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    assert done.stdout == CADDYFILE.read_text(encoding="utf-8")


async def test_a_replica_that_is_killed_costs_what_it_had_in_flight_and_no_call_after(team):
    inspector = [needs("mcp-inspector"), "--cli", f"http://localhost:{team.composed.ports['8400']}/mcp"]
    options = ["--method", "tools/call", "--tool-name", "create_interview", "--tool-arg", "title=By a foreign client"]
    foreign = [*inspector, *options, "--header", f"Authorization: Bearer {team.key}", "--format", "json"]
    async with calls(team) as calling:
        await calling.more()
        team.replicas["mcp-1"].kill()
        await anyio.to_thread.run_sync(team.replicas["mcp-1"].wait)
        await calling.more(50)
        done = await anyio.run_process(foreign, check=False)
        await anyio.to_thread.run_sync(team.again, "mcp-1")
    assert done.returncode == 0, (done.stdout, done.stderr)
    assert b"By a foreign client" in done.stdout
    assert len(calling.failed) <= AT_ONCE + 1, "those in flight, and one by a connection whose end was not yet seen"
    assert all(status == 502 and "no_answer" in text for status, text in calling.failed)


async def test_replicas_are_replaced_one_by_one_and_no_call_is_refused(team):
    async with calls(team) as calling:
        for name in team.replicas:
            await calling.more()
            team.replicas[name].terminate()
            assert await anyio.to_thread.run_sync(team.replicas[name].wait) == 0
            await anyio.to_thread.run_sync(team.again, name)
        await calling.more()
    assert calling.failed == []


async def first_of(http, **sent):
    """What a stream begins with.

    Caddy 2.6 ends one in a hundred at once on a busy machine (straight from a replica none of 900 did), and a host
    opens it again.
    """
    for _ in range(5):
        async with http.stream("POST", "/mcp", **sent) as stream:
            assert stream.status_code == 200, await stream.aread()
            async for text in stream.aiter_text():
                return text
    return "nothing, five times"


async def test_streams_arrive_as_they_are_written_and_pages_wait_for_a_backend_that_is_replaced(team):
    listen = request("subscriptions/listen", notifications={"toolsListChanged": True})
    async with team.http() as http:
        with anyio.fail_after(20):
            assert "acknowledged" in await first_of(http, **listen)
    statuses, pages = Counter(), team.composed.url("8410", "/llms.txt")

    async def look(http):
        while True:
            statuses[(await http.get(pages, headers={"host": "localhost"})).status_code] += 1

    async with httpx.AsyncClient(trust_env=False, timeout=60) as http, anyio.create_task_group() as tasks:
        tasks.start_soon(look, http)
        team.backend.terminate()
        await anyio.to_thread.run_sync(team.backend.wait)
        before = statuses[200]
        await anyio.to_thread.run_sync(team.start, "backend")
        with anyio.fail_after(60):
            while statuses[200] < before + 20:
                await anyio.sleep(0.01)
        tasks.cancel_scope.cancel()
    assert set(statuses) == {200}


async def test_without_a_replica_it_says_that_nothing_was_done(team):
    async with team.http() as http:
        assert (await http.post("/mcp", **CALL)).status_code == 200
        for each in team.replicas.values():
            each.kill()
            each.wait()
        answer = await http.post("/mcp", **CALL)
        with anyio.fail_after(60):
            while answer.status_code == 502:  # it left by a connection whose end the proxy had not yet seen
                assert answer.json()["error"]["code"] == "no_answer"
                answer = await http.post("/mcp", **CALL)
        team.again(*team.replicas)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "no_replica")


# ── Kubernetes ──────────────────────────────────────────────────────────────────────────────────


def test_the_container_of_the_manifest_answers_its_probes_and_stops_in_the_time_that_it_is_given(tmp_path, postgresql):
    deployment, service, _ = yaml.safe_load_all((ROOT / "deploy" / "kubernetes.yaml").read_text(encoding="utf-8"))
    pod = deployment["spec"]["template"]["spec"]
    [container] = pod["containers"]
    settings = {each["name"]: each.get("value") for each in container["env"]}
    settings |= {"AURAL_STATE_URL": postgresql.database(), "AURAL_STATE_KEYS": SECRET["AURAL_STATE_KEYS"]}
    ports = {str(each["containerPort"]): str(free_port()) for each in container["ports"]}
    arguments = [
        re.sub(r"\$\((\w+)\)", lambda found: settings[found[1]], each).replace("0.0.0.0", "127.0.0.1")
        for each in container["args"]
    ]
    arguments = [f"--metrics-port={ports['9400']}" if "metrics-port" in each else each for each in arguments]
    command = [sys.executable, "-m", "aural_mcp", *arguments, "--port", ports["8400"]]
    with subprocess.Popen(command, env=settings_for(tmp_path, **settings)) as process:
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            url = f"http://127.0.0.1:{ports['8400']}{container[probe]['httpGet']['path']}"
            end = time.monotonic() + 60
            while not answers(url):
                assert time.monotonic() < end, probe
        assert answers(f"http://127.0.0.1:{ports['9400']}/metrics")
        process.terminate()
        assert process.wait(timeout=pod["terminationGracePeriodSeconds"]) == 0
    assert service["spec"]["selector"].items() <= deployment["spec"]["template"]["metadata"]["labels"].items()


def answers(url):
    try:
        return httpx.get(url, trust_env=False, timeout=1).status_code == 200
    except httpx.HTTPError:
        return False


# ── Back up and restore ─────────────────────────────────────────────────────────────────────────


def test_what_is_restored_from_the_backup_is_what_was_there(postgresql, tmp_path):
    """The runbook's own lines, on a database of ours."""
    url = postgresql.database()
    name = re.search(r"/(t\d+)\?", url)[1]
    lines = re.findall(r"exec -T db (pg_\w+) -U aural (.*) [<>] aural\.dump$", RUNBOOK, re.M)
    backup, restore = [
        [
            postgresql.binaries / program,
            "-h",
            postgresql.folder,
            "-U",
            "postgres",
            *rest.replace(" aural", f" {name}").split(),
        ]
        for program, rest in lines
    ]

    async def remember(*more):
        state = StateDatabase(url)
        async with state.changing() as db:
            for code in more:
                await db.change("insert into codes values (?, ?)", (code, 4e9))
            found = await db.all("select code from codes")
        await state.aclose()
        return {code for (code,) in found}

    store = Store(url)
    key = create_key(store, owner(store).user_id, "first")
    anyio.run(remember, "before")
    dump = subprocess.run(backup, check=True, capture_output=True).stdout
    create_key(store, owner(store).user_id, "second")
    store.close()
    anyio.run(remember, "after")
    subprocess.run(restore, input=dump, check=True)
    assert anyio.run(remember) == {"before"}
    store = Store(url)
    assert [each["name"] for each in list_keys(store)] == ["first"]
    assert key
    store.close()


# ── What is measured ────────────────────────────────────────────────────────────────────────────

NAME = re.compile(r"\b(?:aural_mcp|process|caddy)_\w+")


async def test_dashboard_and_runbook_ask_for_numbers_that_are_there(team):
    async with team.http() as http:
        (await http.post(team.composed.url("8401", "/mcp"), **CALL)).raise_for_status()
    printed = "".join(
        httpx.get(team.composed.url(port, "/metrics"), trust_env=False).text for port in ("9401", "9411", "8409")
    )
    board = json.loads((ROOT / "deploy" / "dashboard.json").read_text(encoding="utf-8"))
    asked = {
        name for panel in board["panels"] for each in panel.get("targets", []) for name in NAME.findall(each["expr"])
    }
    named = set(NAME.findall(RUNBOOK)) - {SCHEMA}
    assert len(asked) > 8
    assert len(named) > 8
    assert {name for name in asked | named if not re.search(rf"^{name}(_count)?[{{ ]", printed, re.M)} == set()


def test_the_panels_of_the_dashboard_stand_apart():
    panels = json.loads((ROOT / "deploy" / "dashboard.json").read_text(encoding="utf-8"))["panels"]
    places = Counter(
        (x, y)
        for each in panels
        for x in range(each["gridPos"]["x"], each["gridPos"]["x"] + each["gridPos"]["w"])
        for y in range(each["gridPos"]["y"], each["gridPos"]["y"] + each["gridPos"]["h"])
    )
    assert set(places.values()) == {1}
    assert max(x for x, _ in places) < 24
    assert len({each["id"] for each in panels}) == len(panels)

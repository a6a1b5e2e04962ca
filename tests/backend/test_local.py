"""The workspace on this computer: one port for several processes, and nothing lost when one goes."""

import socket
from contextlib import ExitStack, asynccontextmanager

import anyio
import anyio.to_thread
import httpx
import pytest
from mcp import Client

from aural_mcp.backend import local, webhooks
from aural_mcp.backend.interview import sessions
from aural_mcp.backend.local import BASE_URL, LocalWorkspace
from aural_mcp.client.client import AuralClient
from aural_mcp.server.principal import OneClient
from aural_mcp.server.server import AuralServer
from conftest import begin, published, refused


@asynccontextmanager
async def process(folder, **more):
    """What one host process runs: a workspace with its pages, and an agent in front of it."""
    workspace = LocalWorkspace(folder, **more)
    client = AuralClient(workspace.secret, BASE_URL, requests_per_minute=0, transport=workspace)
    async with client, anyio.create_task_group() as tasks:
        tasks.start_soon(workspace.serve_pages)
        server = AuralServer(OneClient(client), backend="T.", confirm="never")
        async with Client(server, read_timeout_seconds=30) as agent:
            yield agent
        tasks.cancel_scope.cancel()


@pytest.fixture
def port(tmp_path):
    """A free port, remembered by the workspace as it would remember 8410."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


async def opens(url):
    async with httpx.AsyncClient(trust_env=False, timeout=60) as browser:  # the first page of a process loads its code
        try:
            return "Your name" in (await browser.get(url)).text
        except httpx.ConnectError:
            return False


async def test_the_page_port_is_remembered_so_that_old_links_still_open(tmp_path, port):
    async with process(tmp_path, page_port=port) as agent:
        link = (await published(agent, [{"text": "Q"}]))["url"]
        assert link.startswith(f"http://127.0.0.1:{port}/i/")
        assert await opens(link)
    assert not await opens(link)
    async with process(tmp_path) as agent:
        assert (await agent.call_tool("get_usage", {})).is_error is False
        assert await opens(link)


async def test_two_processes_share_a_workspace_and_one_takes_over_from_the_other(tmp_path, port, monkeypatch):
    monkeypatch.setattr(local, "TAKE_OVER_EVERY", 0.05)
    async with anyio.create_task_group() as tasks:
        first_is_up, first_may_go, first_is_gone = anyio.Event(), anyio.Event(), anyio.Event()

        async def first():
            async with process(tmp_path, page_port=port) as agent:
                await agent.call_tool("get_usage", {})
                first_is_up.set()
                await first_may_go.wait()
            first_is_gone.set()

        tasks.start_soon(first)
        await first_is_up.wait()
        async with process(tmp_path) as agent:
            link = (await published(agent, [{"text": "Q"}]))["url"]
            assert link.startswith(f"http://127.0.0.1:{port}/i/")
            assert await opens(link)
            first_may_go.set()
            await first_is_gone.wait()
            with anyio.fail_after(20):
                while not await opens(link):
                    await anyio.sleep(0.05)
            async with httpx.AsyncClient(follow_redirects=True, trust_env=False, timeout=60) as browser:
                assert "Send answer" in (await begin(browser, link)).text


async def test_pages_that_went_down_are_served_again(tmp_path, port, monkeypatch, caplog):
    faults = []

    def sweep(_):
        if faults:
            raise faults.pop()

    monkeypatch.setattr(sessions, "sweep", sweep)
    monkeypatch.setattr(webhooks, "SWEEP", 0.05)
    monkeypatch.setattr(local, "TAKE_OVER_EVERY", 0.05)
    async with process(tmp_path, page_port=port) as agent:
        link = (await published(agent, [{"text": "Q"}]))["url"]
        assert await opens(link)
        with anyio.fail_after(30):
            for times in range(1, 4):
                faults.append(OSError(f"fault {times}"))
                while caplog.text.count("The candidate pages are down") < times or not await opens(link):
                    await anyio.sleep(0.01)


@pytest.mark.parametrize("ticks", [*range(12), 100])
async def test_whenever_pages_end_they_leave_nothing_in_the_loop_that_deafens_the_next(ticks):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(local._serve, None, listener)
            for _ in range(ticks):
                await anyio.sleep(0)
            tasks.cancel_scope.cancel()
    with ExitStack() as stack, anyio.fail_after(30):
        for _ in range(100):  # one of them gets the number of the listening socket
            pair = [stack.enter_context(each) for each in socket.socketpair()]
            for one, other in (pair, pair[::-1]):
                one.send(b"x")
                await anyio.wait_readable(other)


async def test_a_port_held_by_another_program_is_left_to_it_and_said(tmp_path, port, caplog):
    with socket.create_server(("127.0.0.1", port)):
        async with process(tmp_path, page_port=port) as agent:
            link = (await published(agent, [{"text": "Q"}]))["url"]
            assert f":{port}/" not in link
            assert await opens(link)
    assert f"Port {port} is taken by another program" in caplog.text


async def test_a_process_that_is_about_to_go_is_waited_for(tmp_path, port):
    """Its port is held and does not answer: old links must not move for that."""
    going = socket.create_server(("127.0.0.1", port))
    async with anyio.create_task_group() as tasks:

        async def go():
            connection = await anyio.to_thread.run_sync(going.accept)
            going.close()
            connection[0].close()

        tasks.start_soon(go)
        async with process(tmp_path, page_port=port) as agent:
            link = (await published(agent, [{"text": "Q"}]))["url"]
            assert link.startswith(f"http://127.0.0.1:{port}/i/")
            assert await opens(link)


async def test_nobody_but_its_owner_can_read_the_workspace(tmp_path):
    from aural_mcp.config import Settings, data_folder

    folder = data_folder(Settings(data_dir=tmp_path / "deep" / "workspace"))
    assert folder.stat().st_mode & 0o077 == 0


async def test_a_workspace_that_cannot_be_opened_leaves_the_server_up_and_every_call_says_why(tmp_path, monkeypatch):
    from aural_mcp.backend.storage import store

    with monkeypatch.context() as patched:
        patched.setattr(store, "SCHEMA_VERSION", 9)
        store.Store(local.database_url(tmp_path)).close()
    async with process(tmp_path) as agent:
        assert (await agent.list_tools()).tools
        said = await refused(agent, "get_usage", {})
    assert "made by a newer aural-mcp" in said

"""How long a host that follows a session waits to hear that it is finished, on every transport that can follow.

    python tests/bench/following.py

Real processes, real pages: a candidate answers the last question, and the time until the host's notification is
taken (at most 25 s are wanted). The control beside each is a tool call on the same connection. All transports
run at once; it takes about half a minute.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import httpx
from mcp import Client, MCPDeprecationWarning
from mcp.client.stdio import StdioServerParameters
from mcp.types import ResourceUpdatedNotification

WANTED = 25.0
COMMAND = [sys.executable, "-m", "aural_mcp", "serve"]


def settings(folder: str) -> dict[str, str]:
    """A workspace of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AURAL_")}
    return {**kept, "AURAL_DATA_DIR": folder, "AURAL_PAGE_PORT": "0", "AURAL_CONFIRM": "never"}


async def begun(agent: Client, browser: httpx.AsyncClient) -> tuple[str, str, str]:
    """An interview of one question that somebody has begun: its session, link, and the turn to answer."""
    made = (await agent.call_tool("create_interview", {"title": "Bench"})).structured_content
    questions = [{"text": "Why?", "followUpEnabled": False}]
    await agent.call_tool("create_questions", {"interviewId": made["id"], "questions": questions})
    link = (await agent.call_tool("publish_interview", {"interviewId": made["id"]})).structured_content["url"]
    page = await browser.post(f"{link}/start", data={"name": "Robin", "consent": "yes"})
    listed = (await agent.call_tool("list_sessions", {"interviewId": made["id"]})).structured_content
    return listed["data"][0]["id"], link, re.search(r'name="turn" value="([^"]+)"', page.text)[1]


async def measured(name: str, agent: Client, heard: anyio.Event, *, modern: bool) -> bool:
    """One line: the seconds until the notification, and whether they are few enough."""
    async with httpx.AsyncClient(follow_redirects=True, trust_env=False) as browser:
        session, link, turn = await begun(agent, browser)
        uri = f"aural://sessions/{session}/transcript"
        async with anyio.create_task_group() as tasks:
            if modern:
                ready = anyio.Event()
                tasks.start_soon(listened, agent, uri, ready, heard)
                await ready.wait()
            else:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", MCPDeprecationWarning)
                    await agent.subscribe_resource(uri)
            await browser.post(f"{link}/answer", data={"turn": turn, "answer": "Because it has to be answered."})
            clock = time.perf_counter()
            with anyio.move_on_after(60):
                await heard.wait()
            seconds = time.perf_counter() - clock
            tasks.cancel_scope.cancel()
        clock = time.perf_counter()
        status = (await agent.call_tool("get_session", {"sessionId": session})).structured_content["status"]
        control = time.perf_counter() - clock
    good = heard.is_set() and seconds <= WANTED and status == "COMPLETED"
    print(f"{name:16} heard after {seconds:5.1f} s; a tool call takes {control:.3f} s; {'ok' if good else 'TOO LATE'}")
    return good


async def listened(agent: Client, uri: str, ready: anyio.Event, heard: anyio.Event) -> None:
    async with agent.listen(resource_subscriptions=[uri]) as events:
        ready.set()
        async for _ in events:
            heard.set()


async def on_stdio(mode: str, good: list[bool]) -> None:
    heard = anyio.Event()

    async def note(message: object) -> None:
        if isinstance(message, ResourceUpdatedNotification):
            heard.set()

    with tempfile.TemporaryDirectory() as folder:
        server = StdioServerParameters(command=COMMAND[0], args=COMMAND[1:], env=settings(folder))
        async with Client(server, mode=mode, message_handler=note, read_timeout_seconds=90) as agent:
            good.append(await measured(f"stdio, {mode}", agent, heard, modern=mode == "auto"))


async def over_http(good: list[bool]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with served(folder) as url, Client(url, read_timeout_seconds=90) as agent:
            good.append(await measured("http, auto", agent, anyio.Event(), modern=True))


@asynccontextmanager
async def served(folder: str) -> AsyncIterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    command = [*COMMAND, "--http", "--local", "--port", str(port)]
    process = await anyio.open_process(command, env=settings(folder), stderr=subprocess.DEVNULL)
    try:
        with anyio.fail_after(60):
            while True:
                try:
                    httpx.get(f"http://127.0.0.1:{port}/", trust_env=False)
                    break
                except httpx.ConnectError:
                    await anyio.sleep(0.05)
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.terminate()
        await process.wait()


async def main() -> int:
    good: list[bool] = []
    async with anyio.create_task_group() as tasks:
        for mode in ("auto", "legacy"):
            tasks.start_soon(on_stdio, mode, good)
        tasks.start_soon(over_http, good)
    return 0 if good == [True] * 3 else 1


if __name__ == "__main__":
    sys.exit(anyio.run(main))

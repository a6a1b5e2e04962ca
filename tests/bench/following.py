"""How long a host that follows a session waits to hear that it is finished, on every transport that can follow.

    python tests/bench/following.py

Real processes, real pages: a candidate answers the last question, and the time until the host's notification is
taken (at most 25 s are wanted). The control beside each is a tool call on the same connection. All transports
run at once; it takes about half a minute.
"""

from __future__ import annotations

import re
import sys
import tempfile
import time
import warnings
from pathlib import Path

import anyio
import httpx
from mcp import Client, MCPDeprecationWarning
from mcp.types import ResourceUpdatedNotification

sys.path.insert(0, str(Path(__file__).parent.parent))
from processes import on_stdio, over_http

WANTED = 25.0


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
    async with httpx.AsyncClient(follow_redirects=True, trust_env=False, timeout=60) as browser:
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


async def over_stdio(mode: str, good: list[bool]) -> None:
    heard = anyio.Event()

    async def note(message: object) -> None:
        if isinstance(message, ResourceUpdatedNotification):
            heard.set()

    with tempfile.TemporaryDirectory() as folder:
        async with on_stdio(folder, mode, note) as agent:
            good.append(await measured(f"stdio, {mode}", agent, heard, modern=mode == "auto"))


async def on_http(good: list[bool]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with over_http(folder, "auto") as agent:
            good.append(await measured("http, auto", agent, anyio.Event(), modern=True))


async def main() -> int:
    good: list[bool] = []
    async with anyio.create_task_group() as tasks:
        for mode in ("auto", "legacy"):
            tasks.start_soon(over_stdio, mode, good)
        tasks.start_soon(on_http, good)
    return 0 if good == [True] * 3 else 1


if __name__ == "__main__":
    sys.exit(anyio.run(main))

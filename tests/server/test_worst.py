"""One caller's worst input, as large as a body may be, keeps nobody else waiting, whatever tool it is for."""

import asyncio
import itertools
import json
import threading
import time

import anyio
import httpx
import pytest

from aural_mcp.server.web.refusals import BODY
from processes import aural_mcp, backend, free_port, http_server
from worst import shapes

LONGEST = 0.25
"""Seconds that a ping may take beyond the longest of a quiet second."""
HEADERS = {"accept": "application/json, text/event-stream", "mcp-protocol-version": "2025-06-18"}


class Pings(threading.Thread):
    """Asks for /healthz again and again; notes the longest wait."""

    def __init__(self, url):
        super().__init__(daemon=True)
        self.url, self.longest, self.going = url.replace("/mcp", "/healthz"), 0.0, True

    def run(self):
        with httpx.Client(trust_env=False, timeout=120) as client:
            while self.going:
                begun = time.perf_counter()
                client.get(self.url)
                self.longest = max(self.longest, time.perf_counter() - begun)
                time.sleep(0.002)

    async def during(self, call):
        """The longest wait while this goes on."""
        await anyio.sleep(0.02)  # what waited for something before is over
        self.longest = 0.0
        answer = await call()
        await anyio.sleep(0.02)
        return self.longest, answer


def bodies(tools, size):
    """(tool, what, body): each kind of input for many tools, not each for all: that are thousands."""
    turn = itertools.count()
    for tool in tools:
        for what, arguments in shapes(tool["inputSchema"], size):
            if next(turn) % 23 == 0 or what.startswith(("many", "a long")):
                yield tool["name"], what, message("tools/call", {"name": tool["name"], "arguments": arguments})


def message(method, params=None):
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params or {}}).encode()


async def test_the_worst_input_of_each_tool_keeps_nobody_waiting(tmp_path):
    port = free_port()
    key = aural_mcp(tmp_path / "backend", "backend", "keys", "create", "Load")[1].split()[-1]
    settings = {"AURAL_BASE_URL": f"http://127.0.0.1:{port}/api/v1", "AURAL_REQUESTS_PER_MINUTE": "0"}
    async with (
        backend(tmp_path / "backend", port, AURAL_REQUESTS_PER_MINUTE="0"),
        http_server(tmp_path / "server", **settings) as url,
        httpx.AsyncClient(
            trust_env=False, timeout=120, headers={**HEADERS, "authorization": f"Bearer {key}"}
        ) as client,
    ):

        async def send(body):
            return await client.post(url, content=body, headers={"content-type": "application/json"})

        tools = (await send(message("tools/list"))).json()["result"]["tools"]
        pings = Pings(url)
        pings.start()
        quiet, _ = await pings.during(lambda: anyio.sleep(1))
        slow, statuses = {}, set()
        for name, what, body in bodies(tools, BODY - 2_000):
            for _ in range(3):  # a machine that is busy with something else is so once
                waited, answer = await pings.during(lambda body=body: send(body))
                statuses.add(answer.status_code)
                if waited <= quiet + LONGEST:
                    break
            else:
                slow[name, what] = waited
        pings.going = False
    assert not slow
    assert statuses <= {200, 400, 413}


@pytest.mark.parametrize("key", ["dlv_test_made_up_1", "no key at all"])
async def test_a_large_body_is_taken_from_a_key_that_works_only_and_asks_once(tmp_path, key):
    asked = []

    async def refuse(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        asked.append(head.split()[1].decode())
        body = json.dumps({"error": {"code": "UNAUTHORIZED", "message": "Invalid API key."}})
        kind = "content-type: application/json"
        writer.write(f"HTTP/1.1 401 No\r\n{kind}\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode())
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with (
        http_server(tmp_path, AURAL_BASE_URL=f"http://127.0.0.1:{port}/api/v1") as url,
        httpx.AsyncClient(trust_env=False, timeout=30, headers={**HEADERS, "authorization": f"Bearer {key}"}) as client,
    ):
        given = {"name": "create_interview", "arguments": {"title": "a" * 70_000}}
        answer = await client.post(
            url, content=message("tools/call", given), headers={"content-type": "application/json"}
        )
    server.close()
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "key_not_seen_to_work")
    assert len(asked) == (key.startswith("dlv_"))
    assert not any("usage" in each for each in asked)

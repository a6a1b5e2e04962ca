"""Many keys that ask for the same ids at once, over HTTP, and whether each gets its own answers."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import anyio
import httpx

from processes import http_server

ID = "11111111-0000-4000-8000-000000000001"


def owner_of(key: str) -> str:
    """What the backend answers to this key."""
    return hashlib.sha256(key.encode()).hexdigest()


@asynccontextmanager
async def backend() -> AsyncIterator[int]:
    """A backend whose every interview is titled by the key that asks, after a moment."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                key = head.decode().split("uthorization: Bearer ")[1].split("\r\n")[0]
                await asyncio.sleep(int(owner_of(key + head.decode())[:2], 16) / 25_000)
                row = {"id": ID, "title": owner_of(key), "questions": []}
                body = json.dumps({"data": row}).encode()
                start = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
                writer.write(start.encode() + body)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def tenants(keys: int, calls: int, folder: Path, replicas: int = 1, **settings: str) -> tuple[list[str], int]:
    """So many keys make so many calls each, 64 at any time: the wrong answers, and how many came in all."""
    wrong, answered = list[str](), 0
    async with AsyncExitStack() as stack:
        given = relaying_to(await stack.enter_async_context(backend())) | settings
        places = [folder / f"replica {each}" for each in range(replicas)]
        urls = [await stack.enter_async_context(http_server(each, **given)) for each in places]
        # Thousands that wait inside httpx's pool would keep it busy with nothing else.
        in_flight = anyio.CapacityLimiter(64)
        async with httpx.AsyncClient(trust_env=False, timeout=60) as http:

            async def one(key: str, number: int) -> None:
                nonlocal answered
                params = {"name": "get_interview", "arguments": {"interviewId": ID}}
                body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
                async with in_flight:
                    url = urls[number // 2 % replicas]
                    answer = await http.post(url, json=body, headers=headers(key, number))
                answered += 1
                title = answer.json().get("result", {}).get("structuredContent", {}).get("title")
                if title != owner_of(key):
                    wrong.append(answer.text[:200])

            async with anyio.create_task_group() as tasks:
                for number in range(calls):
                    for key in range(keys):
                        tasks.start_soon(one, f"dlv_test_tenant_{key}", number)
    return wrong, answered


def headers(key: str, number: int) -> dict[str, str]:
    """The key in either header, in turn."""
    common = {"accept": "application/json, text/event-stream", "mcp-protocol-version": "2025-11-25"}
    return common | ({"x-api-key": key} if number % 2 else {"authorization": f"Bearer {key}"})


def relaying_to(port: int) -> dict[str, str]:
    """The settings of a server in front of the backend, without a limit."""
    return {"AURAL_BASE_URL": f"http://127.0.0.1:{port}/api/v1", "AURAL_REQUESTS_PER_MINUTE": "0"}

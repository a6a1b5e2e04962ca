"""Somebody lets an application in, in a real browser: by keyboard, on a narrow screen, and back at the application."""

import asyncio
import re

import anyio
import httpx
import pytest
from playwright.async_api import expect

from processes import backend, free_port, settings_for
from signing import asking, register

from .conftest import accessible

HOSTILE = '<img src=x onerror="alert(1)">' + "w" * 200
STATE_KEYS = {"AURAL_STATE_KEYS": "a-key-of-the-operator-that-seals-1"}


@pytest.fixture
async def place(tmp_path):
    """Where `aural-mcp serve --http --sign-in key` is, in front of `aural-mcp backend`, and a key of that."""
    port, there = free_port(), free_port()
    with anyio.fail_after(120):
        async with backend(tmp_path, there) as printed:
            key = re.search(r"this once: (\S+)", printed)[1]
            base = {"AURAL_BASE_URL": f"http://127.0.0.1:{there}/api/v1", **STATE_KEYS}
            serve = backend(tmp_path / "served", port, **base)
            serve.command[4:] = ["serve", "--http", "--port", str(port), "--sign-in", "key"]
            serve.url = f"http://127.0.0.1:{port}/healthz"
            yield serve, f"http://127.0.0.1:{port}", key


@pytest.fixture
async def application():
    """A program that listens for its answer, which then leads on to its own page elsewhere."""
    came = asyncio.Queue()

    async def serve(reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        came.put_nowait(head.split(" ")[1])
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 8\r\n\r\nSigned i")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/callback", came

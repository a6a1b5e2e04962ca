"""aural-mcp as a host or a person starts it: a process of its own, with a workspace of its own."""

import os
import random
import socket
import subprocess
import sys
from contextlib import asynccontextmanager, suppress

import anyio
import httpx
from mcp import Client
from mcp.client.stdio import StdioServerParameters


def settings_for(folder, **more):
    """The environment of a child process: a workspace of its own, and no setting of ours."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AURAL_")}
    return {**kept, "AURAL_DATA_DIR": str(folder), "AURAL_PAGE_PORT": "0", "AURAL_CONFIRM": "never", **more}


@asynccontextmanager
async def on_stdio(folder, mode, heard=None, **more):
    server = StdioServerParameters(command=sys.executable, args=["-m", "aural_mcp"], env=settings_for(folder, **more))
    async with Client(server, mode=mode, message_handler=heard, read_timeout_seconds=90) as agent:
        yield agent


@asynccontextmanager
async def http_server(folder, *arguments, **more):
    """`aural-mcp serve --http` on a free port, until the block ends."""
    port = free_port()
    command = [sys.executable, "-m", "aural_mcp", "serve", "--http", "--port", str(port), *arguments]
    process = await anyio.open_process(command, env=settings_for(folder, **more), stderr=subprocess.DEVNULL)
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


def free_port():
    """A port that nobody has, below those that the system gives away: what runs beside us gets none of them."""
    while True:
        port = random.SystemRandom().randrange(10_000, 32_000)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


@asynccontextmanager
async def over_http(folder, mode):
    async with http_server(folder, "--local") as url, Client(url, mode=mode, read_timeout_seconds=90) as agent:
        yield agent


def aural_mcp(folder, *arguments, **more):
    command = [sys.executable, "-m", "aural_mcp", *arguments]
    done = subprocess.run(command, env=settings_for(folder, **more), capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout, done.stderr


class backend:  # noqa: N801  read as a function
    """`aural-mcp backend` until the block ends; gives what it printed."""

    def __init__(self, folder, port, *arguments, **settings):
        self.command = [sys.executable, "-u", "-m", "aural_mcp", "backend", "--port", str(port), *arguments]
        self.url, self.environment = f"http://127.0.0.1:{port}/workspace", settings_for(folder, **settings)

    async def __aenter__(self):
        self.process = await anyio.open_process(self.command, env=self.environment)
        with anyio.fail_after(60):
            while True:
                try:
                    httpx.get(self.url, trust_env=False)
                    break
                except httpx.ConnectError:
                    await anyio.sleep(0.05)
        return (await self.process.stdout.receive()).decode()

    async def __aexit__(self, *_):
        with suppress(ProcessLookupError):  # the test killed it
            self.process.terminate()
        await self.process.wait()


def type_at(terminal, prompt, line):
    """What stood on the terminal up to the prompt, which is then answered."""
    seen = b""
    while prompt is None or not seen.endswith(prompt):
        try:
            seen += os.read(terminal, 1)
        except OSError:  # it is through
            assert prompt is None
            return seen
    os.write(terminal, line.encode() + b"\n")
    return seen

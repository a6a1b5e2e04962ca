"""Wires to the real backend: one that notes each request, one that loses answers, and a port."""

from collections import deque
from contextlib import asynccontextmanager

import anyio
import httpx
import uvicorn

from aural_mcp.client.client import AuralClient
from conftest import KEY, ORIGIN


def counting(world, seen):
    """A client of the workspace that notes each request."""

    class Counting(httpx.ASGITransport):
        async def handle_async_request(self, request):
            seen.append(f"{request.method} {request.url.path}")
            return await super().handle_async_request(request)

    transport = Counting(world.app)
    return AuralClient(KEY, f"{ORIGIN}/api/v1", requests_per_minute=0, transport=transport)


class Wire(httpx.ASGITransport):
    """A wire to the real backend that does to the next requests what `faults` says, and notes all that arrived."""

    def __init__(self, app):
        super().__init__(app)
        self.faults, self.arrived, self.hold = deque(), [], None
        self.left = anyio.Event()

    async def handle_async_request(self, request):
        fault = self.faults.popleft() if self.faults else None
        if fault == "refused":
            raise httpx.ConnectError("refused")
        if fault in ("reset", "silent"):
            raise httpx.ReadError("reset") if fault == "reset" else httpx.ReadTimeout("silent")
        if fault in ("429", "502"):
            return httpx.Response(int(fault), headers={"retry-after": "1"}, html="<html>")
        self.arrived.append(f"{request.method} {request.url.path.rsplit('/', 1)[1]}")
        if fault == "late":
            self.hold = request
            raise httpx.ReadTimeout("late")
        response = await super().handle_async_request(request)
        if fault == "dropped":
            raise httpx.ReadError("dropped")
        if fault == "slow":
            self.left.set()
            await anyio.sleep(0.2)
        if fault == "cut":
            return httpx.Response(200, text="{")
        return response

    async def arrive(self):
        """What came late arrives after all."""
        await super().handle_async_request(self.hold)


@asynccontextmanager
async def listening(app):
    """A backend on a free port of this computer."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, access_log=False))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(server.serve)
        with anyio.fail_after(60):
            while not server.started:
                await anyio.sleep(0.01)
        yield server.servers[0].sockets[0].getsockname()[1]
        server.should_exit = True

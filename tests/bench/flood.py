"""Twenty tasks that flood one key for three minutes: the budget is kept, used, and another key's own.

    python tests/bench/flood.py [SECONDS]

Against three kinds of limit of 60 a minute (fixed window, sliding log, token bucket), from one process, from four
that share a state file, and from four computers that share a PostgreSQL database and whose clocks differ by up to
7 s (libfaketime), all at the same time. Printed for each: the most requests in any 60 s (at most 60), refusals (0),
how much of 58 per 61 s was used (at least 95%), and the longest wait of another key (the control).
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import deque
from pathlib import Path

import anyio

from aural_mcp.api.errors import AuralError
from aural_mcp.api.operations import GetUsage
from aural_mcp.client.client import AuralClient
from aural_mcp.client.state import State

sys.path.insert(0, str(Path(__file__).parents[1]))
from conftest import postgresql_server

LIMIT, MINUTE = 60, 60.0
TASKS = 20
AHEAD = (-2, 0, 2, 5)
"""Seconds by which the clocks of four computers differ from ours."""


class Backend:
    """A backend that answers `/usage`, within one kind of limit for each key."""

    answer = b'{"data": {"plan": "bench"}}'

    def __init__(self, kind: str) -> None:
        self.kind, self.arrived, self.refused = kind, dict[str, list[float]](), 0
        self._kept: dict[str, deque[float]] = {}
        self._bucket: dict[str, tuple[float, float]] = {}

    def allows(self, key: str, now: float) -> bool:
        self.arrived.setdefault(key, []).append(now)
        kept = self._kept.setdefault(key, deque())
        if self.kind == "bucket":
            tokens, at = self._bucket.get(key, (float(LIMIT), now))
            tokens = min(LIMIT, tokens + (now - at) * LIMIT / MINUTE)
            self._bucket[key] = (tokens - (tokens >= 1), now)
            return tokens >= 1
        if self.kind == "fixed" and kept and now - kept[0] >= MINUTE:
            kept.clear()
        while self.kind == "sliding" and kept and now - kept[0] >= MINUTE:
            kept.popleft()
        kept.append(now)
        return len(kept) <= LIMIT

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                key = head.decode().lower().split("authorization: bearer ")[1].split("\r\n")[0]
                good = self.allows(key, time.monotonic())
                self.refused += not good
                body = self.answer if good else b'{"error": {"code": "RATE_LIMITED"}}'
                status = "200 OK" if good else "429 Too Many Requests\r\nRetry-After: 1"
                answer = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
                writer.write(answer.encode() + body)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


async def worker(port: int, state: str, seconds: float, key: str, tasks: int, pause: float) -> None:
    """Flood until the time is over; prints the longest wait."""
    shared = State(url=state) if "://" in state else State(lambda: Path(state))
    client = AuralClient(key, f"http://127.0.0.1:{port}/api/v1", state=shared)
    end, longest = time.monotonic() + seconds, 0.0
    await client.call(GetUsage())  # the first opens connections and files

    async def flood() -> None:
        nonlocal longest
        while (now := time.monotonic()) < end:
            with anyio.move_on_after(end - now):
                try:
                    await client.call(GetUsage())
                    longest = max(longest, time.monotonic() - now)
                    await anyio.sleep(pause)
                except AuralError:
                    await anyio.sleep(0.5)

    async with client, anyio.create_task_group() as group:
        for _ in range(tasks):
            group.start_soon(flood)
    print(json.dumps({"longest": longest}))


def clock_of(ahead: int) -> dict[str, str]:
    """The environment of a process on a computer whose clock is so many seconds ahead."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if not found:
        raise SystemExit("libfaketime is not installed: apt-get install libfaketime")
    return {"LD_PRELOAD": str(found[0]), "FAKETIME": f"{ahead:+}s", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


async def measured(kind: str, processes: int, seconds: float, state: str, good: list[bool]) -> None:
    backend = Backend(kind)
    server = await asyncio.start_server(backend.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    clocks = [clock_of(ahead) for ahead in AHEAD] if "://" in state else [dict[str, str]()] * processes
    flooders = [("dlv_test_flood", TASKS // processes, 0.0)] * processes
    async with server:
        children = [
            await anyio.open_process(
                [sys.executable, __file__, "--worker", str(port), state, str(seconds), *map(str, each)],
                stdout=subprocess.PIPE,
                stderr=None,
                env={**os.environ, **clock},
            )
            for each, clock in zip([*flooders, ("dlv_test_other", 1, 5.0)], [*clocks, {}], strict=True)
        ]
        said = [json.loads((await child.stdout.receive()).decode()) for child in children]
        for child in children:
            await child.wait()
    times = backend.arrived["dlv_test_flood"]
    most = max(sum(start <= at < start + MINUTE for at in times) for start in times)
    possible = 58 * (seconds // 61) + min(58, 58 * (seconds % 61 > 0))
    used, other = len(times) / possible, said[-1]["longest"]
    fine = most <= LIMIT and backend.refused == 0 and used >= 0.95 and other < 2
    good.append(fine)
    what = "computer" if "://" in state else "process"
    print(
        f"{kind:8} {processes} {what}(s): at most {most} in 60 s, {backend.refused} x 429, {used:.0%} of the budget "
        f"used, another key waited {other:.2f} s; {'ok' if fine else 'NOT KEPT'}"
    )


async def main() -> int:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 180.0
    good: list[bool] = []
    with tempfile.TemporaryDirectory() as folder, postgresql_server() as server:
        async with anyio.create_task_group() as tasks:
            for kind in ("fixed", "sliding", "bucket"):
                for processes in (1, 4):
                    tasks.start_soon(measured, kind, processes, seconds, f"{folder}/{kind}-{processes}.db", good)
                tasks.start_soon(measured, kind, len(AHEAD), seconds, server.database(), good)
    return 0 if good == [True] * 9 else 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        port, state, seconds, key, tasks, pause = sys.argv[2:]
        anyio.run(worker, int(port), state, float(seconds), key, int(tasks), float(pause))
    else:
        sys.exit(anyio.run(main))

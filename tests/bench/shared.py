"""What a small call over HTTP costs with the state in PostgreSQL, beside a file: at most 1.3 times, in one run.

    python tests/bench/shared.py [CALLS]

Both are `aural-mcp serve --http` in front of the same backend; each block of calls is of another key. Blocks
of calls alternate between the two, so that a busy machine is busy for both.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path

import anyio
import httpx

sys.path.insert(0, str(Path(__file__).parents[1]))
from conftest import KEY, postgresql_server
from flood import Backend
from processes import http_server

MOST, BLOCK = 1.3, 20
CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "list_interviews", "arguments": {}}}


class Willing(Backend):
    """A backend that has a short answer for everybody."""

    answer = b'{"data": [], "pagination": {"cursor": null}}'

    def allows(self, key: str, now: float) -> bool:
        return True


async def timed(client: httpx.AsyncClient, url: str, key: str) -> list[float]:
    """Milliseconds of each call of a block, with a key whose minute has room for it."""
    took = list[float]()
    for _ in range(BLOCK):
        begun = time.perf_counter()
        answer = await client.post(url, json=CALL, headers={"authorization": f"Bearer {key}"})
        took.append((time.perf_counter() - begun) * 1000)
        if answer.status_code != 200 or answer.json()["result"].get("isError"):
            raise SystemExit(answer.text)
    return took


async def main() -> int:
    calls = int(sys.argv[1]) if len(sys.argv) > 1 else 600
    took: dict[str, list[float]] = {"file": [], "postgresql": []}
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        server = stack.enter_context(postgresql_server())
        backend = await asyncio.start_server(Willing("none").serve, "127.0.0.1", 0)
        stack.callback(backend.close)
        address = f"http://127.0.0.1:{backend.sockets[0].getsockname()[1]}/api/v1"
        common = {"AURAL_BASE_URL": address}
        places = {"file": {}, "postgresql": {"AURAL_STATE_URL": server.database()}}
        urls = {
            name: await stack.enter_async_context(http_server(Path(folder) / name, **common, **more))
            for name, more in places.items()
        }
        headers = {"accept": "application/json, text/event-stream"}
        client = await stack.enter_async_context(httpx.AsyncClient(headers=headers, trust_env=False, timeout=30))
        for url in urls.values():
            await timed(client, url, KEY)
        for block in range(calls // BLOCK):
            for name, url in urls.items():
                took[name] += await timed(client, url, f"{KEY}_{block}")
    medians = {name: statistics.median(each) for name, each in took.items()}
    ratio = medians["postgresql"] / medians["file"]
    for name, each in took.items():
        print(f"{name:10} median {medians[name]:.2f} ms, p95 {statistics.quantiles(each, n=20)[-1]:.2f} ms")
    print(f"ratio {ratio:.2f}; {'ok' if ratio <= MOST else 'TOO MUCH'} (at most {MOST})")
    return 0 if ratio <= MOST else 1


if __name__ == "__main__":
    sys.exit(anyio.run(main))

"""What a first page of a session costs as the session grows, in process: CPU of a whole call, and what it is made of.

    python tests/bench/pages.py

Each call is for a session that was not asked for before, so that nothing is remembered. The second column of times is
what the backend's answer alone costs to read as JSON. Exit code 1 where time grows faster than the response's bytes.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from typing import Any

import anyio
import httpx
from mcp import Client

from aural_mcp.client.client import AuralClient
from aural_mcp.server.principal import OneClient
from aural_mcp.server.server import AuralServer

TURNS, TIMES = (100, 400, 1_600, 6_400), 25
LINE = "{:>8}{:>12}{:>14}{:>12}{:>22}"
NOW = "2026-11-01T09:00:00.000Z"
WORDS = "I designed the consumer side of the order pipeline and ran it for two years; it held, and I know why. " * 3


def answer(turns: int, number: int) -> bytes:
    """A session as Aural gives it."""
    messages = [
        {"id": f"m{turn}", "role": ("assistant", "user")[turn % 2], "content": f"{turn} {WORDS}", "timestamp": NOW}
        for turn in range(turns)
    ]
    row = {
        "id": f"session-{turns}-{number}",
        "status": "COMPLETED",
        "participantName": "Robin Vega",
        "createdAt": NOW,
        "updatedAt": NOW,
        "messages": messages,
        "interview": {"id": "interview-1", "title": "Backend engineer", "objective": None},
    }
    return json.dumps({"data": row}).encode()


async def measured() -> list[tuple[int, float, float]]:
    """Bytes of the response, milliseconds of a call and of reading its JSON, for each length."""
    found: list[tuple[int, float, float]] = []
    bodies: dict[str, bytes] = {}

    def answers(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=bodies[request.url.path.rpartition("/")[2]])

    transport = httpx.MockTransport(answers)
    client = AuralClient("dlv_test_pages", transport=transport, requests_per_minute=0)
    async with Client(AuralServer(OneClient(client), backend="cloud")) as agent:
        for turns in TURNS:
            bodies.update({f"session-{turns}-{number}": answer(turns, number) for number in range(TIMES)})
            body = answer(turns, 0)
            spent = [await cpu_of(agent, each) for each in [*bodies][-TIMES:]]
            read = [cpu(lambda body=body: json.loads(body)) for _ in range(TIMES)]
            found.append((len(body), statistics.median(spent[3:]), statistics.median(read)))
    return found


async def cpu_of(agent: Client, identifier: str) -> float:
    begun = time.process_time()
    said = await agent.call_tool("get_session", {"sessionId": identifier})
    assert not said.is_error, said.content
    return (time.process_time() - begun) * 1000


def cpu(work: Any) -> float:
    begun = time.process_time()
    work()
    return (time.process_time() - begun) * 1000


def main() -> int:
    found = anyio.run(measured)
    print(LINE.format("turns", "KB", "a call, ms", "JSON, ms", "ms per KB, to first"))
    size, first, _ = found[0]
    rates = [spent / bytes_ / (first / size) for bytes_, spent, _ in found]
    for turns, (bytes_, spent, read), rate in zip(TURNS, found, rates, strict=True):
        print(LINE.format(turns, bytes_ // 1000, f"{spent:.2f}", f"{read:.2f}", f"{rate:.2f}"))
    return 0 if max(rates) <= 1.05 else 1


if __name__ == "__main__":
    sys.exit(main())

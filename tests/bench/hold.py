"""Worst inputs of all tools and pages at once, for a minute, and what eight callers of another organization notice.

    python tests/bench/hold.py [SECONDS]

`serve --http` relays to `backend`, each a process of its own; the worst inputs come from two more. Printed for a quiet
run (the control) and for one under load: calls, the longest wait and the 99th percentile of the eight, answers of 5xx,
and the most memory that backend and server had resident in each half of it. Exit status 1 when a caller waits over
250 ms longer than in the quiet run, anything is answered with 5xx, or memory still grows in the second half.
It takes more than two cores for itself: on a busy machine the callers wait for the processor.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import anyio
import httpx
from sqlalchemy import insert

sys.path.insert(0, str(Path(__file__).parents[1]))

from aural_mcp.backend.storage import tables
from aural_mcp.backend.storage.store import Store, create_key, now
from processes import aural_mcp, backend, free_port, http_server
from worst import TEXTS, shapes

CALLERS, ALLOWED, FLAT = 8, 0.25, 1.25
SIZES = [2**each for each in range(16, 23)]
JSON = {"content-type": "application/json", "accept": "application/json, text/event-stream"}


def foreign_key(home: Path) -> str:
    """A key of another organization: what it makes is in nobody else's lists."""
    there, moment = Store(f"sqlite:///{home / 'workspace.db'}"), now()
    stamps = {"createdAt": moment, "updatedAt": moment}
    with there.writing() as db:
        db.execute(insert(tables.profiles).values(id="u2", **stamps))
        db.execute(insert(tables.organizations).values(id="o2", ownerId="u2", **stamps))
        db.execute(insert(tables.organization_members).values(id="m2", workspaceId="o2", userId="u2", role="OWNER"))
        db.execute(insert(tables.projects).values(id="p2", organizationId="o2", **stamps))
    key = create_key(there, "u2", "Hostile")
    there.close()
    return key


def message(method: str, **params: object) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()


def wire(url: str, key: str) -> httpx.AsyncClient:
    headers = {**JSON, "authorization": f"Bearer {key}", "mcp-protocol-version": "2025-06-18"}
    return httpx.AsyncClient(base_url=url, headers=headers, trust_env=False, timeout=120)


async def calling(url: str, key: str, interview: str, until: float, waits: list[float], statuses: Counter[int]) -> None:
    """One who works with the server as an agent does."""
    calls = [("list_interviews", {}), ("get_interview", {"interviewId": interview}), ("get_usage", {})]
    async with wire(url, key) as client:
        for name, arguments in itertools.cycle(calls):
            if (begun := time.perf_counter()) > until:
                return
            answer = await client.post("", content=message("tools/call", name=name, arguments=arguments))
            waits.append(time.perf_counter() - begun)
            statuses[answer.status_code] += 1
            await asyncio.sleep(0.05)


async def attack(url: str, api: str, slug: str, key: str, seed: int, seconds: float) -> None:
    """Worst inputs in turn, to tools, to the API and to a candidate's page; prints the statuses."""
    chance, end, statuses = random.Random(seed), time.monotonic() + seconds, Counter[int]()
    async with wire(url, key) as client:
        listed = await client.post("", content=message("tools/list"))
        tools = listed.json()["result"]["tools"]
        while time.monotonic() < end:
            tool, size = chance.choice(tools), chance.choice(SIZES)
            _, arguments = chance.choice(list(shapes(tool["inputSchema"], min(size, 500_000))))
            text = chance.choice(list(TEXTS.values()))
            for answer in (
                await client.post("", content=message("tools/call", name=tool["name"], arguments=arguments)),
                await client.post(f"{api}/api/v1/interviews", json=arguments),
                await client.post(f"{api}/i/{slug}/start", data={"name": text * (size // 8), "consent": "yes"}),
            ):
                statuses[answer.status_code] += 1
    print(json.dumps(statuses))


@dataclass
class Run:
    """What the eight noticed, and what the servers held each second: megabytes of each."""

    waits: list[float]
    statuses: Counter[int]
    memory: list[list[int]]

    @property
    def longest(self) -> float:
        return max(self.waits)

    def halves(self) -> list[tuple[int, int]]:
        """The most of each server in the first half and in the second."""
        middle = len(self.memory) // 2
        return [(max(each[:middle]), max(each[middle:])) for each in zip(*self.memory, strict=True)]

    def told(self, what: str) -> None:
        waits = sorted(self.waits)
        print(
            f"{what}: {len(waits)} calls, longest {waits[-1] * 1e3:.0f} ms,",
            f"p99 {waits[len(waits) * 99 // 100] * 1e3:.0f} ms, {dict(self.statuses)}",
        )
        print(f"{what}: resident {', '.join(f'{first} then {then} MB' for first, then in self.halves())}")


async def run(url: str, key: str, interview: str, seconds: float, memory: Callable[[], list[int]]) -> Run:
    found, until = Run([], Counter(), []), time.perf_counter() + seconds
    async with anyio.create_task_group() as tasks:
        for _ in range(CALLERS):
            tasks.start_soon(calling, url, key, interview, until, found.waits, found.statuses)
        while time.perf_counter() < until:
            found.memory.append(memory())
            await asyncio.sleep(1)
    return found


async def main(seconds: float) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        port, home = free_port(), Path(folder) / "backend"
        key = aural_mcp(home, "backend", "keys", "create", "Load")[1].split()[-1]
        settings = {"AURAL_REQUESTS_PER_MINUTE": "0", "AURAL_STARTS_PER_HOUR": "0"}
        api = f"http://127.0.0.1:{port}"
        served = backend(home, port, **settings)
        async with (
            served,
            http_server(Path(folder) / "server", AURAL_BASE_URL=f"{api}/api/v1", **settings) as url,
            wire(f"{api}/api/v1/", key) as client,
        ):
            interview = (await client.post("interviews", json={"title": "Backend engineer"})).json()["data"]["id"]
            await client.post(f"interviews/{interview}/questions", json=[{"text": "Why?"}])
            slug = (await client.post(f"interviews/{interview}/publish")).json()["data"]["publicSlug"]
            ours = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()

            def memory() -> list[int]:
                said = [Path(f"/proc/{each}/status").read_text() for each in ours]
                return [int(re.search(r"VmRSS:\s+(\d+)", each)[1]) // 1024 for each in said]

            quiet = await run(url, key, interview, seconds / 3, memory)
            quiet.told("quiet")
            command = [sys.executable, __file__, "attack", url, api, slug, foreign_key(home)]
            attackers = [
                subprocess.Popen([*command, str(seed), str(seconds)], stdout=subprocess.PIPE, text=True)
                for seed in (1, 2)
            ]
            loaded = await run(url, key, interview, seconds, memory)
            answers = Counter[str]()
            for each in attackers:
                answers.update(json.loads((await anyio.to_thread.run_sync(each.communicate))[0]))
            loaded.told("loaded")
            print(f"worst inputs: {sum(answers.values())}, {dict(answers)}")
    failed = [each for each in (*map(str, loaded.statuses), *answers) if each.startswith("5")]
    beyond, grows = loaded.longest - quiet.longest, max(then / first for first, then in loaded.halves())
    print(f"beyond the quiet run: {beyond * 1e3:.0f} ms (at most {ALLOWED * 1e3:.0f}); 5xx: {failed or 0};")
    print(f"memory of the second half: {grows:.2f} of the first (at most {FLAT})")
    return beyond <= ALLOWED and not failed and grows <= FLAT


if __name__ == "__main__":
    if sys.argv[1:2] == ["attack"]:
        asyncio.run(attack(*sys.argv[2:6], int(sys.argv[6]), float(sys.argv[7])))
    else:
        sys.exit(not asyncio.run(main(float(sys.argv[1]) if sys.argv[1:] else 60.0)))

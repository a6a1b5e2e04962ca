"""Answers per second of 1, 2 and 4 backends on one PostgreSQL, beside a single lock for all writers, in one run.

    python tests/bench/replicas.py

50 candidates in 50 interviews answer at once, without thinking, each at one of the processes. Then somebody changes
interview A for a second, ten candidates of A answer meanwhile, and so does one of B: how much longer that takes.
PostgreSQL syncs to disk, as one that is used does. It is asked once on this computer, where a trip to it costs nothing
and all of this shares the processors, and once as one a network away: 1 ms longer for each statement.
"""

from __future__ import annotations

import asyncio
import os
import re
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack, contextmanager
from itertools import product
from pathlib import Path
from urllib.parse import urlencode

import httpx

sys.path.insert(0, str(Path(__file__).parent.parent))
from conftest import postgresql_server
from processes import free_port

PEOPLE, QUESTIONS, TURNS_OF_A = 50, 16, 10
KEY = "dlv_test_bench"
SERVER = """
import sys, time, uvicorn
from sqlalchemy import Engine, event
from contextlib import contextmanager
from aural_mcp.backend.rest.app import LocalKey, create_app
from aural_mcp.backend.storage.store import Store, owner
from aural_mcp.database import Database

@contextmanager
def single(self, find):
    with self._turn, self.engine.connect() as db:
        db.exec_driver_sql("SELECT pg_advisory_xact_lock(4184700)")
        yield db

if away := float(sys.argv[4]):
    event.listen(Engine, "before_cursor_execute", lambda *_: time.sleep(away))
if sys.argv[3] == "single":
    Database._alone, Database.at_once = single, 4
store = Store(sys.argv[1])
port = int(sys.argv[2])
key = LocalKey("dlv_test_bench", owner(store).user_id)
app = create_app(store, origin=lambda: f"http://127.0.0.1:{port}", local_key=key)
uvicorn.run(app, port=port, log_level="error", access_log=False, lifespan="off")
"""


@contextmanager
def backends(url: str, number: int, locks: str, away: float = 0.0):
    """The ports of so many processes."""
    ports = [free_port() for _ in range(number)]
    with ExitStack() as stack:
        for port in ports:
            command = [sys.executable, "-c", SERVER, url, str(port), locks, str(away)]
            process = stack.enter_context(subprocess.Popen(command))
            stack.callback(process.terminate)
        for port in ports:
            until = time.monotonic() + 60
            while time.monotonic() < until:
                try:
                    httpx.get(f"http://127.0.0.1:{port}/workspace", trust_env=False)
                    break
                except httpx.TransportError:
                    time.sleep(0.05)
        yield ports


def invited(port: int, people: Sequence[int]) -> list[tuple[str, list[str]]]:
    """Interviews with so many people each: their ids and private links."""
    made: list[tuple[str, list[str]]] = []
    head = {"authorization": f"Bearer {KEY}"}
    with httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1", headers=head, trust_env=False, timeout=60) as http:
        for number in people:
            new = http.post("/interviews", json={"title": "Bench", "followUpDepth": "LIGHT"}).json()["data"]["id"]
            asked = [{"text": f"Question {each}: {'why ' * 20}"} for each in range(QUESTIONS)]
            http.post(f"/interviews/{new}/questions", json=asked).raise_for_status()
            listed = [{"name": f"C{each}"} for each in range(number)]
            there = http.post(f"/interviews/{new}/candidates", json=listed).json()["data"]
            made.append((new, ["/i/invite/" + each["inviteToken"] for each in there]))
    return made


class Candidate:
    """Somebody at a private link, on a connection that is kept: plain enough not to be what is measured."""

    def __init__(self, port: int, link: str) -> None:
        self.port, self.link, self.took = port, link, list[float]()

    async def begin(self) -> None:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 20)
        await self.ask("POST", "/start", {"name": "Robin", "consent": "yes"})
        await self.look()

    async def look(self) -> None:
        page = await self.ask("GET", "")
        found = re.search(rb'name="turn" value="([^"]+)"', page)
        self.turn = found[1].decode() if found else ""

    async def answer(self) -> float:
        begun = time.perf_counter()
        words = "I designed the consumer side and ran it for two years, with four thousand events a second."
        await self.ask("POST", "/answer", {"turn": self.turn, "answer": words})
        self.took.append(time.perf_counter() - begun)
        return self.took[-1]

    async def take(self, answers: int) -> None:
        for _ in range(answers):
            await self.answer()
            await self.look()
        self.writer.close()

    async def ask(self, method: str, path: str, form: dict[str, str] | None = None) -> bytes:
        body = urlencode(form).encode() if form else b""
        kind = "content-type: application/x-www-form-urlencoded\r\n" if form else ""
        head = f"{method} {self.link}{path} HTTP/1.1\r\nhost: 127.0.0.1:{self.port}\r\n{kind}"
        self.writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
        answered = await self.reader.readuntil(b"\r\n\r\n")
        assert answered.startswith((b"HTTP/1.1 200", b"HTTP/1.1 303")), answered
        size = re.search(rb"content-length: (\d+)", answered)
        return await self.reader.readexactly(int(size[1]) if size else 0)


async def at_once(ports: Sequence[int], links: Sequence[str]) -> tuple[float, float, float]:
    """Answers per second, and what one took: median and 99th percentile in milliseconds."""
    there = [Candidate(ports[number % len(ports)], link) for number, link in enumerate(links)]
    await asyncio.gather(*(each.begin() for each in there))
    begun = time.perf_counter()
    await asyncio.gather(*(each.take(QUESTIONS - 1) for each in there))
    rate = len(there) * (QUESTIONS - 1) / (time.perf_counter() - begun)
    took = [one * 1000 for each in there for one in each.took]
    return rate, statistics.median(took), statistics.quantiles(took, n=100)[98]


async def held(url: str, port: int) -> tuple[float, float]:
    """What an answer in interview B takes, in milliseconds: the median alone, and the slowest while A is held."""
    from aural_mcp.backend.storage.store import Store

    store, holds, free = Store(url), threading.Event(), threading.Event()
    (a, of_a), (_, (b,)) = invited(port, [TURNS_OF_A, 1])
    there, other = [Candidate(port, link) for link in of_a], Candidate(port, b)
    await asyncio.gather(*(each.begin() for each in [*there, other]))
    alone: list[float] = []
    for _ in range(QUESTIONS // 2):
        alone.append(await other.answer())
        await other.look()

    def hold() -> None:
        with store.writing(a):
            holds.set()
            free.wait(1.0)

    holding = asyncio.get_running_loop().run_in_executor(None, hold)
    await asyncio.to_thread(holds.wait)
    waiting = [asyncio.create_task(each.answer()) for each in there]
    await asyncio.sleep(0.1)
    beside: list[float] = []
    while not holding.done() and len(beside) < QUESTIONS // 2 - 1:
        beside.append(await other.answer())
        if not holding.done():
            await other.look()
    await asyncio.gather(holding, *waiting)
    store.close()
    return statistics.median(alone) * 1000, max(beside) * 1000


def main() -> None:
    with postgresql_server(fsync="on") as server:
        print(f"{PEOPLE} candidates in {PEOPLE} interviews, each answering {QUESTIONS - 1} times")
        heads = ("a trip", "processes", "locks", "answers/s", "median ms", "p99 ms", "of single")
        print("".join(f"{head:>11}" for head in heads))
        for away, number in product((0.0, 0.001), (1, 2, 4)):
            floor = 0.0
            for locks in ("single", "own"):
                url = server.database()
                with backends(url, number, locks, away) as ports:
                    links = [each for _, links in invited(ports[0], [1] * PEOPLE) for each in links]
                    rate, usual, worst = asyncio.run(at_once(ports, links))
                floor = floor or rate
                figures = f"{rate:11.1f}{usual:11.1f}{worst:11.1f}{rate / floor:11.2f}"
                print(f"{'+1 ms' if away else 'local':>11}{number:11}{locks:>11}{figures}")
        print("\nA held for a second: an answer in B, alone and (the slowest) meanwhile, ms")
        for locks in ("single", "own"):
            url = server.database()
            with backends(url, 1, locks) as (port,):
                alone, beside = asyncio.run(held(url, port))
            print(f"{locks:>10}{alone:12.1f}{beside:12.1f}   later by {beside - alone:.1f}")


if __name__ == "__main__":
    os.environ["no_proxy"] = "127.0.0.1"
    main()

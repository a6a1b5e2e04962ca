"""`aural-mcp serve --http` as replicas: one state in PostgreSQL, one backend, and any of them may be killed."""

from __future__ import annotations

import random
import re
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import cycle
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import httpx
import httpx2
import psycopg
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from sqlalchemy import select

from aural_mcp.backend.storage import tables
from aural_mcp.backend.storage.store import Store
from aural_mcp.workflows.lists.matching import UNSETTLED
from chaos import Chaos, Rates
from conftest import PostgreSQL
from processes import backend, free_port, settings_for
from signing import STATE_KEY, calling

LOST = Rates(done_then_drop=0.4, done_then_reset=0.3, truncate=0.3)
"""A way on which every answer is lost."""
AWAY = 0.01
"""Seconds to the backend."""
AT_ONCE = 8
"""Creates that are under way at any time."""
QUESTIONS = 3
ROLES = [
    {"title": f"Role {each}", "questions": [{"text": f"Q{n}"} for n in range(QUESTIONS)], "publish": True}
    for each in range(30)
]
PEOPLE = 1200
LIST = "\n".join(["name,email", *(f"Person {each},p{each}@x.org" for each in range(PEOPLE))])
SHIFTED = """
create or replace function aural_mcp_state.moment() returns double precision language sql volatile as
    'select extract(epoch from clock_timestamp())::double precision + {seconds}'
"""


class Fleet:
    """The replicas, by number.

    Args:
        begins: a statement of Python with which each begins.
        settings: of each; the backend has none of them.
    """

    def __init__(self, folder: Path, begins: str, arguments: tuple[str, ...], settings: dict[str, str]) -> None:
        self._folder, self._begins, self._arguments, self.settings = folder, begins, arguments, settings
        self._processes = dict[int, Any]()
        self._ahead = 0.0
        self.ports = list[int]()
        self.key = ""
        self.store: Store
        self.wire: Chaos
        self.cut = self._asking = 0
        """Calls that ended with their replica, and those that are under way."""

    def url(self, replica: int) -> str:
        return f"http://127.0.0.1:{self.ports[replica]}/mcp"

    async def start(self, *replicas: int) -> None:
        """Start these, and wait until they answer."""
        run = f"{self._begins}\nimport runpy; runpy.run_module('aural_mcp', run_name='__main__')"
        for each in replicas:
            command = [sys.executable, "-c", run, "serve", "--http", "--port", str(self.ports[each]), *self._arguments]
            shell = settings_for(self._folder / f"replica {each}", **self.settings)
            with (self._folder / f"replica {each}.log").open("ab") as log:
                self._processes[each] = await anyio.open_process(command, env=shell, stderr=log, stdout=log)
        for each in replicas:
            with anyio.fail_after(60):
                while not await _answers(self.ports[each]):
                    await anyio.sleep(0.05)

    async def kill(self, replica: int) -> None:
        """End one as a power failure does."""
        self._processes[replica].kill()
        await self._processes[replica].wait()

    async def stop(self) -> None:
        for each in self._processes.values():
            if each.returncode is None:
                each.terminate()
        for each in self._processes.values():
            await each.wait()

    async def call(self, replica: int, tool: str, *, key: str = "", **arguments: Any) -> dict[str, Any]:
        """What a tool answers to somebody who keeps no connection; raises when no answer comes."""
        return await self._sent(self.url(replica), tool, key, arguments)

    async def _sent(self, url: str, tool: str, key: str, arguments: dict[str, Any]) -> dict[str, Any]:
        sent = calling(tool, **arguments)
        headers = sent["headers"] | {"authorization": f"Bearer {key or self.key}"}
        async with httpx.AsyncClient(trust_env=False, timeout=90) as http:
            answer = await http.post(url, json=sent["json"], headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json()["result"]

    async def ok(self, replica: int, tool: str, **arguments: Any) -> dict[str, Any]:
        """The same for a call that must succeed: its structured content."""
        answer = await self.call(replica, tool, **arguments)
        assert not answer.get("isError"), answer
        return answer["structuredContent"]

    @asynccontextmanager
    async def agent(self, replica: int, mode: str = "auto", **more: Any) -> AsyncIterator[Client]:
        """A host that is connected to one."""
        headers = {"authorization": f"Bearer {self.key}"}
        async with httpx2.AsyncClient(headers=headers, trust_env=False, timeout=90) as http:
            way = streamable_http_client(self.url(replica), http_client=http)
            async with Client(way, mode=mode, read_timeout_seconds=90, **more) as agent:
                yield agent

    def proxied(self) -> httpx.AsyncClient:
        """Somebody whose requests go to one replica after the other."""
        origin = self.url(0).removesuffix("/mcp")
        return httpx.AsyncClient(transport=NextOne(self.ports), base_url=origin, timeout=90)

    def let_pass(self, seconds: float) -> None:
        """Set the clock that all share ahead."""
        self._ahead += seconds
        with psycopg.connect(self.settings["AURAL_STATE_URL"].replace("+psycopg", ""), autocommit=True) as db:
            db.execute(SHIFTED.format(seconds=self._ahead))

    # ── What is in the backend ──────────────────────────────────────────────────────────────────

    def titles(self) -> Counter[str]:
        with self.store.reading() as db:
            return Counter(db.execute(select(tables.interviews.c.title)).scalars())

    def half_made(self) -> list[str]:
        """The interviews that have not just their questions, or no link."""
        with self.store.reading() as db:
            asked = Counter(db.execute(select(tables.questions.c.interviewId)).scalars())
            rows = db.execute(select(tables.interviews)).mappings().all()
        return [row["title"] for row in rows if asked[row["id"]] != QUESTIONS or row["requireInvite"]]

    def registered(self, interview: str) -> Counter[str]:
        found = select(tables.candidates.c.email).where(tables.candidates.c.interviewId == interview)
        with self.store.reading() as db:
            return Counter(db.execute(found).scalars())

    # ── Drills ──────────────────────────────────────────────────────────────────────────────────

    async def sent_twice(self, creates: int, seed: int) -> list[str]:
        """Each to two replicas at once, or to another when its answer was lost or not waited for: what went wrong."""
        draw, wrong, turns = random.Random(seed), list[str](), anyio.CapacityLimiter(AT_ONCE)
        async with AsyncExitStack() as stack, anyio.create_task_group() as tasks:
            lossy = [await stack.enter_async_context(Chaos(port, LOST, seed=seed)) for port in self.ports]

            async def one(title: str, how: int, first: int, other: int, leaves: float) -> None:
                given = {"title": title}
                async with turns:
                    if how == 0:
                        ids = set(await _gathered(*(self._answered(each, given) for each in (first, other))))
                        wrong.extend([f"{title}: two answers {ids}"] if len(ids) > 1 else [])
                        return
                    way = self.url(first) if how == 1 else f"{lossy[first].url}/mcp"
                    with anyio.move_on_after(leaves if how == 1 else 90):
                        try:
                            await self._sent(way, "create_interview", "", given)
                            wrong.extend([f"{title}: its answer was not lost"] if how == 2 else [])
                        except (httpx.TransportError, ValueError):
                            pass
                    await self._answered(other, given)

            for number in range(creates):
                pair = draw.sample(range(len(self.ports)), 2)
                tasks.start_soon(one, f"Post {number}", number % 3, *pair, draw.uniform(0, 0.06))
        there = self.titles()
        wrong += [f"{title}: {times} times" for title, times in there.items() if times > 1]
        return wrong + [f"Post {each} is missing" for each in range(creates) if f"Post {each}" not in there]

    async def _answered(self, replica: int, given: dict[str, Any]) -> str:
        """The id of what was made; called again where it is said that nobody can tell yet."""
        with anyio.fail_after(90):
            while (answer := await self.call(replica, "create_interview", **given)).get("isError"):
                assert "may have been done" in answer["content"][0]["text"], answer
                await anyio.sleep(0.5)
        return answer["structuredContent"]["id"]

    async def killed(self, kills: int, seed: int, most: int, tool: str, **arguments: Any) -> list[dict[str, Any]]:
        """A call that goes on at any replica while one after the other is killed in it: what it answered, in order.

        A replica dies when the backend got 1 to `most` POSTs more, done or not. Every second time another one is at
        the same call, and dies too. Their leases are over each time: the clock that all share is set ahead.
        """
        draw, answers = random.Random(seed), list[dict[str, Any]]()
        for number in range(kills):
            dying = draw.sample(range(len(self.ports)), 1 + number % 2)
            async with anyio.create_task_group() as tasks:
                for each in dying:
                    tasks.start_soon(self._asked, each, tool, arguments, answers)
                await self._posted(draw.randint(1, most))
                for each in dying:
                    await anyio.sleep(draw.uniform(0, 2 * AWAY))
                    await self.kill(each)
            await self.start(*dying)
            self.let_pass(UNSETTLED + 1)
        answers.append({})
        with anyio.fail_after(300):
            while answers[-1].get("structuredContent", {"remaining": 1}).get("remaining"):
                await self._asked(draw.randrange(len(self.ports)), tool, arguments, answers)
                self.let_pass(UNSETTLED + 1)
        return [each for each in answers if each]

    async def _asked(self, replica: int, tool: str, arguments: dict[str, Any], answers: list[dict[str, Any]]) -> None:
        self._asking += 1
        try:
            answers.append(await self.call(replica, tool, **arguments))
        except httpx.TransportError:
            self.cut += 1
        finally:
            self._asking -= 1

    async def _posted(self, number: int) -> None:
        """Until the backend got so many POSTs more, or nobody is at a call any more."""
        before = self._posts()
        await anyio.sleep(AWAY)
        while self._asking and self._posts() < before + number:
            await anyio.sleep(0.002)

    def _posts(self) -> int:
        return sum(each.method == "POST" for each in self.wire.log)


class Outage:
    """Reads and creates at every replica, while PostgreSQL is stopped and started again.

    A create that is refused is made again at the next replica, until it is done or the outage is over for a while.
    """

    def __init__(self, fleet: Fleet) -> None:
        self.fleet, self.wrong, self.heard = fleet, list[str](), set[str]()
        self._over, self._done = anyio.Event(), Counter[str]()
        self.longest = 0.0

    async def ask(self, replica: int, tool: str, **arguments: Any) -> bool:
        """Whether a call succeeded; what it said is noted, and how long it took."""
        begun = time.monotonic()
        try:
            answer = await self.fleet.call(replica, tool, **arguments)
        except (httpx.HTTPError, AssertionError) as error:
            self.wrong.append(f"{tool}: {error!r}")
            return False
        self.longest = max(self.longest, time.monotonic() - begun)
        failed = bool(answer.get("isError"))
        said = [answer["content"][0]["text"]] if failed else answer["structuredContent"].get("remarks", [])
        self.heard |= set(said)
        self._done[f"{tool} {replica} {'refused' if failed else 'done'}"] += 1
        return not failed

    async def read(self, replica: int) -> None:
        while not self._over.is_set():
            await self.ask(replica, "list_interviews", limit=1)
            await anyio.sleep(0.05)

    async def write(self, replica: int) -> None:
        number, turn = 0, replica
        while not self._over.is_set():
            if await self.ask(turn, "create_interview", title=f"By {replica}, {number}"):
                number += 1
            turn = (turn + 1) % len(self.fleet.ports)
            await anyio.sleep(0.05)

    async def seen(self, *ends: str, times: int = 1) -> None:
        """Until every replica has given so many answers more that end so."""
        before = self._done.copy()
        wanted = [f"{end[0]} {each} {end[1]}" for end in map(str.split, ends) for each in range(len(self.fleet.ports))]
        with anyio.fail_after(90):
            while any(self._done[each] < before[each] + times for each in wanted):
                await anyio.sleep(0.05)

    async def run(self, server: PostgreSQL, seconds: float) -> None:
        """Traffic, the outage of at least so many seconds, and traffic again."""
        both = "list_interviews done", "create_interview done"
        async with anyio.create_task_group() as tasks:
            for each in range(len(self.fleet.ports)):
                tasks.start_soon(self.read, each)
                tasks.start_soon(self.write, each)
            await self.seen(*both, times=5)
            await anyio.to_thread.run_sync(server.stop)
            async with anyio.create_task_group() as meanwhile:
                meanwhile.start_soon(anyio.sleep, seconds)
                await self.seen("create_interview refused")
            await anyio.to_thread.run_sync(server.start)
            await self.seen(*both, times=5)
            self._over.set()
        there = self.fleet.titles()
        self.wrong += [f"{title}: {times} times" for title, times in there.items() if times > 1]


@asynccontextmanager
async def fleet(
    folder: Path,
    server: PostgreSQL,
    number: int = 2,
    *arguments: str,
    begins: str = "",
    shares_database: bool = False,
    **settings: str,
) -> AsyncIterator[Fleet]:
    """So many replicas in front of a backend of their own, until the block ends.

    Args:
        shares_database: the backend is on the same server of PostgreSQL, not on SQLite.
    """
    port, database = free_port(), server.database() if shares_database else f"sqlite:///{folder}/backend/workspace.db"
    given = {"AURAL_STATE_URL": server.database(), "AURAL_STATE_KEYS": STATE_KEY.decode()}
    made = Fleet(folder, begins, arguments, {**given, "AURAL_REQUESTS_PER_MINUTE": "60000", **settings})
    own = {"AURAL_REQUESTS_PER_MINUTE": "0", **({"AURAL_DATABASE_URL": database} if shares_database else {})}
    async with (
        backend(folder / "backend", port, "--no-desk", **own) as printed,
        Chaos(port, Rates(delay=1.0), delay_seconds=AWAY) as made.wire,
    ):
        made.settings["AURAL_BASE_URL"] = f"{made.wire.url}/api/v1"
        made.key, made.store = re.search(r"dlv_\S+", printed)[0], Store(database)
        made.ports = [free_port() for _ in range(number)]
        try:
            await made.start(*range(number))
            yield made
        finally:
            await made.stop()
            made.store.close()


async def _answers(port: int) -> bool:
    async with httpx.AsyncClient(trust_env=False) as http:
        try:
            await http.get(f"http://127.0.0.1:{port}/")
        except httpx.TransportError:
            return False
    return True


async def _gathered(*calls: Any) -> list[Any]:
    """What these answer, made at once."""
    results = list[Any]()

    async def one(call: Any) -> None:
        results.append(await call)

    async with anyio.create_task_group() as tasks:
        for call in calls:
            tasks.start_soon(one, call)
    return results


class NextOne(httpx.AsyncBaseTransport):
    """Each request goes to the next replica, as by a proxy; its host stays that of the address."""

    def __init__(self, ports: Sequence[int]) -> None:
        self._ports, self._wire = cycle(ports), httpx.AsyncHTTPTransport(trust_env=False)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        request.url = request.url.copy_with(port=next(self._ports))
        return await self._wire.handle_async_request(request)

    async def aclose(self) -> None:
        await self._wire.aclose()

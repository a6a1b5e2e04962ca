"""Many calls over a wire that loses things, and whether everything they did is what they said.

A real backend on a port, the chaos proxy before it, and the tools of a real server before that. What each call
answered is held against the rows of the backend at the end.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio

from aural_mcp.api.errors import AuralError
from aural_mcp.api.operations import CreateInterview, ListInterviews
from aural_mcp.backend.rest.app import LocalKey, create_app
from aural_mcp.backend.storage.store import Store, owner
from aural_mcp.client.client import AuralClient
from aural_mcp.server import tools
from aural_mcp.server.access import BY_NAME
from chaos import Chaos, Rates
from wires import listening

KEY = "dlv_test_soak"
TRUST = Rates(reset=0.01, truncate=0.01, done_then_drop=0.01, hang=0.0, server_error=0.02, too_many=0.02)
"""What trust.md asks for: 5% in all of resets, timeouts, truncated bodies and 5xx, and 2% refused with 429."""
STUCK = 60.0
"""Seconds after which a call counts as stuck; its own deadline is 45."""


@dataclass
class Tally:
    """What came of a soak."""

    calls: int = 0
    requests: int = 0
    lost: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    stuck: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    created: dict[str, str] = field(default_factory=dict)
    """What each create said of itself, by its title."""
    seconds: float = 0.0


@asynccontextmanager
async def backend() -> AsyncIterator[int]:
    """The real backend on a free port of this computer, with a key that has no limit."""
    with tempfile.TemporaryDirectory(prefix="aural-soak-") as folder:
        store = Store(f"sqlite:///{folder}/workspace.db")
        local = LocalKey(KEY, owner(store).user_id)
        app = create_app(store, origin=lambda: "https://interviews.example", local_key=local)
        async with listening(app) as port:
            yield port
        store.close()


async def soak(calls: int, rates: Rates, *, seed: int, at_once: int = 8) -> Tally:
    """So many mixed calls through the proxy."""
    tally = Tally()
    async with backend() as port, Chaos(port, rates, seed=seed) as proxy:
        client = AuralClient(KEY, f"{proxy.url}/api/v1", requests_per_minute=0)
        direct = AuralClient(KEY, f"http://127.0.0.1:{port}/api/v1", requests_per_minute=0)
        async with client, direct:
            interview = (await direct.call(CreateInterview(title="The one that is read"))).id
            todo = iter(range(calls))
            begun = time.perf_counter()
            async with anyio.create_task_group() as tasks:
                for worker in range(at_once):
                    tasks.start_soon(_work, client, todo, random.Random(seed * 1000 + worker), interview, tally)
            tally.seconds = time.perf_counter() - begun
            tally.requests = len(proxy.log)
            await _check(direct, tally)
    return tally


async def _work(client: AuralClient, todo: Any, dice: random.Random, interview: str, tally: Tally) -> None:
    for number in todo:
        name, arguments, expected = _call(number, dice, interview)
        tally.calls += 1
        with anyio.move_on_after(STUCK) as scope:
            result = await tools.run(client, BY_NAME[name], arguments)
            text = result.content[0].text
            outcome = "done" if not result.is_error else "unknown" if "may have been done" in text else "failed"
            tally.outcomes[outcome] += 1
            if name == "create_interview":
                tally.created[expected] = outcome
            elif outcome == "done" and expected not in str(result.structured_content):
                tally.wrong.append(f"{name}: {result.structured_content}")
        tally.stuck += scope.cancelled_caught


def _call(number: int, dice: random.Random, interview: str) -> tuple[str, dict[str, Any], str]:
    """A call, its arguments, and what a right answer has in it."""
    kind = dice.random()
    if kind < 0.35:
        return "get_interview", {"interviewId": interview}, interview
    if kind < 0.5:
        return "list_questions", {"interviewId": interview}, "data"
    if kind < 0.6:
        return "get_usage", {}, "self-hosted"
    if kind < 0.75:
        return "update_interview", {"interviewId": interview, "objective": f"O{number}"}, f"O{number}"
    return "create_interview", {"title": f"T{number}"}, f"T{number}"


async def _check(direct: AuralClient, tally: Tally) -> None:
    """Each create that was done is there once, each that failed is not there, and the others at most once."""
    titles = Counter([row.title async for row in direct.each(ListInterviews(limit=100))])
    for title, outcome in tally.created.items():
        there = titles[title]
        if outcome == "done" and there == 0:
            tally.lost.append(title)
        if there > 1 or (outcome == "failed" and there):
            tally.wrong.append(f"{title} said {outcome} and is there {there} times")


async def reissued(creates: int, rates: Rates, *, seed: int, ledger: bool) -> int:
    """Creates that a host makes again, because it lost the answer or had none; how many are there too often."""
    async with backend() as port, Chaos(port, rates, seed=seed) as proxy:
        client = AuralClient(KEY, f"{proxy.url}/api/v1", requests_per_minute=0)
        direct = AuralClient(KEY, f"http://127.0.0.1:{port}/api/v1", requests_per_minute=0)
        async with client, direct:
            todo = iter(range(creates))
            async with anyio.create_task_group() as tasks:
                for _ in range(8):
                    tasks.start_soon(_create_twice, client, todo, ledger)
            titles = Counter([row.title async for row in direct.each(ListInterviews(limit=100))])
    assert len(titles) == creates
    return sum(titles.values()) - len(titles)


async def _create_twice(client: AuralClient, todo: Any, ledger: bool) -> None:
    """As a host that repeats what it got no answer to: with the ledger it repeats everything."""
    for number in todo:
        if ledger:
            for _ in range(2):
                await tools.run(client, CreateInterview, {"title": f"T{number}"})
            continue
        for _ in range(3):
            try:
                await client.call(CreateInterview(title=f"T{number}"))
                break
            except AuralError:
                continue

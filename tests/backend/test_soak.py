"""Small runs of the benches: nothing lost, nothing wrong, nothing twice over a wire that loses things."""

import pytest
from mcp import Client

from aural_mcp.client import retry
from aural_mcp.events import watching
from chaos import Rates
from conftest import DATABASES, KEY, ORIGIN, ok
from hooks import finishing, through_kills
from rows import add_session
from soak import TRUST, reissued, soak


@pytest.mark.parametrize("seed", [1, 2])
async def test_over_a_faulty_wire_everything_is_done_failed_or_found_out_as_it_says(seed):
    tally = await soak(400, TRUST, seed=seed)
    assert (tally.calls, tally.lost, tally.wrong, tally.stuck) == (400, [], [], 0)
    assert tally.outcomes["done"] > 350
    assert tally.requests < 400 * 1.25


async def test_over_a_terrible_wire_too(monkeypatch):
    monkeypatch.setattr(retry, "FIRST", 0.0)
    rates = Rates(reset=0.05, done_then_reset=0.05, truncate=0.05, broken_json=0.05, refuse=0.05, dribble=0.1)
    tally = await soak(200, rates, seed=3)
    assert (tally.lost, tally.wrong, tally.stuck) == ([], [], 0)


async def test_what_a_host_creates_again_is_there_once_and_without_the_ledger_it_is_not():
    rates = Rates(done_then_drop=0.1)
    assert await reissued(150, rates, seed=4, ledger=True) == 0
    assert await reissued(150, rates, seed=4, ledger=False) > 0


@DATABASES
async def test_webhooks_through_failures_and_kills_are_all_delivered_or_parked(database):
    result = await through_kills(database, 120, 3, seed=5)
    assert result.holds, result
    assert result.kills == 3


async def test_without_an_outbox_they_are_not(database):
    assert (await through_kills(database, 120, 1, seed=5, control=True)).lost > 10


async def test_sessions_that_finish_at_random_are_each_told_once(world, monkeypatch):
    monkeypatch.setattr(watching, "EVERY", 0.2)
    async with Client(world.server) as agent:
        made = (await ok(agent, "create_interview", title="T"))["id"]
    sessions = [add_session(world, made, status="IN_PROGRESS") for _ in range(20)]
    watched = await finishing(world, made, sessions, 2.0, KEY, f"{ORIGIN}/api/v1")
    assert (len(watched.lags), watched.others) == (20, 0)
    assert watched.busiest <= 30

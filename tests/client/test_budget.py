"""The budget of a key, on both engines and a clock that the tests move."""

import anyio
import pytest

from aural_mcp.api.errors import BudgetExhausted
from aural_mcp.client.budget import MOST_WAITING, WINDOW, Budget
from engines import ENGINES

pytestmark = ENGINES


@pytest.fixture
def clock(engine):
    return engine.clock


def budget_on(engine, per_minute=60, tenant="t"):
    return Budget(per_minute, state=engine.state(), tenant=tenant, sleep=engine.clock.sleep)


async def test_58_leave_at_once_and_the_59th_when_the_window_has_room(engine, clock):
    budget = budget_on(engine)
    for _ in range(58):
        assert await budget.acquire(0) == 0
    assert await budget.remaining() == 0
    async with anyio.create_task_group() as tasks:
        sent = []

        async def one():
            await budget.acquire()
            sent.append(clock.now)

        tasks.start_soon(one)
        await clock.settled()
        await clock.advance(WINDOW - 0.001)
        assert sent == []
        await clock.advance(0.001)
    assert sent == [1000 + WINDOW]


async def test_no_61_seconds_ever_hold_more_than_58_and_the_order_is_kept(engine, clock):
    budget, sent = budget_on(engine), []

    async def one(number):
        await budget.acquire()
        sent.append((clock.now, number))

    async with anyio.create_task_group() as tasks:
        for number in range(3 * 29):
            tasks.start_soon(one, number)
            await clock.settled()
            await clock.advance(0.5)
        await clock.advance(5 * WINDOW)
    times = [at for at, _ in sent]
    assert [number for _, number in sent] == list(range(87))
    assert all(sum(start <= at < start + WINDOW for at in times) <= 58 for start in times)


async def test_a_wait_past_the_deadline_is_refused_at_once_with_its_length(engine, clock):
    budget = budget_on(engine)
    for _ in range(58):
        await budget.acquire(0)
    await clock.advance(10)
    with pytest.raises(BudgetExhausted, match="Call again in 51 s") as refused:
        await budget.acquire(45)
    assert refused.value.retry_after == 51
    assert clock.now == 1010


async def test_a_pause_holds_everybody_waiting_in_order(engine, clock):
    budget, sent = budget_on(engine, per_minute=2), []

    async def one(number):
        await budget.acquire()
        sent.append((clock.now, number))

    async with anyio.create_task_group() as tasks:
        for number in range(3):
            tasks.start_soon(one, number)
            await clock.settled()
        await budget.pause(100)
        tasks.start_soon(one, 3)
        await clock.settled()
        await clock.advance(500)
    assert [number for _, number in sent] == [0, 1, 2, 3]
    assert sent[1][0] == 1100
    assert sent[2][0] >= 1100 + WINDOW


async def test_the_33rd_to_wait_is_refused(engine, clock):
    budget = budget_on(engine, per_minute=2)
    await budget.acquire(0)
    async with anyio.create_task_group() as tasks:
        for _ in range(MOST_WAITING):
            tasks.start_soon(budget.acquire)
        await clock.settled()
        with pytest.raises(BudgetExhausted):
            await budget.acquire()
        tasks.cancel_scope.cancel()


async def test_whoever_gives_up_waiting_gives_the_place_back(engine, clock):
    budget = budget_on(engine, per_minute=2)
    await budget.acquire(0)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(budget.acquire)
        await clock.settled()
        tasks.cancel_scope.cancel()
    await clock.advance(WINDOW)
    assert await budget.remaining() == 1


async def test_a_request_that_is_long_on_its_way_counts_from_its_end(engine, clock):
    budget, sent = budget_on(engine, per_minute=2), []
    async with budget.granted(0):
        await clock.advance(30)
        assert await budget.remaining() == 0

    async def one():
        await budget.acquire()
        sent.append(clock.now)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(one)
        await clock.settled()
        await clock.advance(WINDOW - 1)
        assert sent == []
        await clock.advance(1)
    assert sent == [1030 + WINDOW]


async def test_whoever_waits_behind_one_that_ends_late_waits_longer(engine, clock):
    budget, sent = budget_on(engine, per_minute=2), []

    async def slow():
        async with budget.granted():
            await clock.sleep(20)

    async def one():
        await budget.acquire()
        sent.append(clock.now)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(slow)
        await clock.settled()
        tasks.start_soon(one)
        await clock.settled()
        await clock.advance(200)
    assert sent == [1020 + WINDOW]


async def test_processes_that_share_a_state_share_the_budget(engine, clock):
    budgets = [budget_on(engine) for _ in range(4)]
    for number in range(58):
        assert await budgets[number % 4].acquire(0) == 0
    for budget in budgets:
        assert await budget.remaining() == 0
        with pytest.raises(BudgetExhausted):
            await budget.acquire(45)
    assert await budget_on(engine, tenant="u").remaining() == 58


async def test_a_request_of_a_process_that_died_does_not_hold_its_place_for_ever(engine, clock):
    budget = budget_on(engine, 2)
    await budget.acquire(0)
    await clock.settled()
    await engine.state().change("update grants set ended = 0")
    await clock.advance(WINDOW + 1)
    assert await budget.remaining() == 0
    await clock.advance(60)
    assert await budget.remaining() == 1


async def test_zero_is_off(engine, clock):
    budget = budget_on(engine, per_minute=0)
    assert [await budget.acquire(0) for _ in range(1000)] == [0] * 1000
    assert await budget.remaining() is None


async def test_it_knows_when_the_next_request_is_free(engine, clock):
    budget = budget_on(engine)
    assert budget.free_in == 0
    for number in range(58):
        assert budget.free_in == 0, number
        await budget.acquire(0)
        await clock.settled()
        await clock.advance(0.5)
    assert budget.free_in == WINDOW - 29
    await clock.advance(WINDOW - 29 + 0.001)
    assert budget.free_in == 0
    await budget.acquire(0)
    assert 0 < budget.free_in < 0.5
    await budget.pause(40)
    assert budget.free_in == 40


async def test_those_who_wait_already_come_first(engine, clock):
    budget = budget_on(engine)
    for _ in range(58):
        await budget.acquire(0)
    await clock.advance(2)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(budget.acquire)
        await clock.settled()
        assert budget.free_in == WINDOW - 2
        tasks.cancel_scope.cancel()


async def test_without_a_limit_only_a_refusal_counts_and_holds_nobody(engine, clock):
    budget = budget_on(engine, 0)
    await budget.acquire(0)
    assert budget.free_in == 0
    await budget.pause(59)
    assert (budget.free_in, await budget.acquire(0), await budget.remaining()) == (59, 0, None)
    await clock.advance(60)
    assert budget.free_in == 0

"""The budget of a key, on a clock that the tests move."""

import anyio
import pytest

from aural_mcp.api.errors import BudgetExhausted
from aural_mcp.client.budget import MOST_WAITING, WINDOW, Budget
from aural_mcp.client.state import State
from clock import Clock


@pytest.fixture
def clock():
    return Clock()


def budget_on(clock, per_minute=60):
    return Budget(per_minute, state=State(clock=clock), sleep=clock.sleep)


async def test_58_leave_at_once_and_the_59th_when_the_window_has_room(clock):
    budget = budget_on(clock)
    for _ in range(58):
        assert await budget.acquire(0) == 0
    assert await budget.remaining() == 0
    async with anyio.create_task_group() as tasks:
        sent = []

        async def one():
            await budget.acquire()
            sent.append(clock.now)

        tasks.start_soon(one)
        await anyio.wait_all_tasks_blocked()
        await clock.advance(WINDOW - 0.001)
        assert sent == []
        await clock.advance(0.001)
    assert sent == [1000 + WINDOW]


async def test_no_61_seconds_ever_hold_more_than_58_and_the_order_is_kept(clock):
    budget, sent = budget_on(clock), []

    async def one(number):
        await budget.acquire()
        sent.append((clock.now, number))

    async with anyio.create_task_group() as tasks:
        for number in range(3 * 29):
            tasks.start_soon(one, number)
            await anyio.wait_all_tasks_blocked()
            await clock.advance(0.5)
        await clock.advance(5 * WINDOW)
    times = [at for at, _ in sent]
    assert [number for _, number in sent] == list(range(87))
    assert all(sum(start <= at < start + WINDOW for at in times) <= 58 for start in times)


async def test_a_wait_past_the_deadline_is_refused_at_once_with_its_length(clock):
    budget = budget_on(clock)
    for _ in range(58):
        await budget.acquire(0)
    await clock.advance(10)
    with pytest.raises(BudgetExhausted, match="Call again in 51 s") as refused:
        await budget.acquire(45)
    assert refused.value.retry_after == 51
    assert clock.now == 1010


async def test_a_pause_holds_everybody_waiting_in_order(clock):
    budget, sent = budget_on(clock, per_minute=2), []

    async def one(number):
        await budget.acquire()
        sent.append((clock.now, number))

    async with anyio.create_task_group() as tasks:
        for number in range(3):
            tasks.start_soon(one, number)
            await anyio.wait_all_tasks_blocked()
        await budget.pause(100)
        tasks.start_soon(one, 3)
        await anyio.wait_all_tasks_blocked()
        await clock.advance(500)
    assert [number for _, number in sent] == [0, 1, 2, 3]
    assert sent[1][0] == 1100
    assert sent[2][0] >= 1100 + WINDOW


async def test_the_33rd_to_wait_is_refused(clock):
    budget = budget_on(clock, per_minute=2)
    await budget.acquire(0)
    async with anyio.create_task_group() as tasks:
        for _ in range(MOST_WAITING):
            tasks.start_soon(budget.acquire)
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(BudgetExhausted):
            await budget.acquire()
        tasks.cancel_scope.cancel()


async def test_whoever_gives_up_waiting_gives_the_place_back(clock):
    budget = budget_on(clock, per_minute=2)
    await budget.acquire(0)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(budget.acquire)
        await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()
    await clock.advance(WINDOW)
    assert await budget.remaining() == 1


async def test_a_request_that_is_long_on_its_way_counts_from_its_end(clock):
    budget, sent = budget_on(clock, per_minute=2), []
    async with budget.granted(0):
        await clock.advance(30)
        assert await budget.remaining() == 0

    async def one():
        await budget.acquire()
        sent.append(clock.now)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(one)
        await anyio.wait_all_tasks_blocked()
        await clock.advance(WINDOW - 1)
        assert sent == []
        await clock.advance(1)
    assert sent == [1030 + WINDOW]


async def test_whoever_waits_behind_one_that_ends_late_waits_longer(clock):
    budget, sent = budget_on(clock, per_minute=2), []

    async def slow():
        async with budget.granted():
            await clock.sleep(20)

    async def one():
        await budget.acquire()
        sent.append(clock.now)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(slow)
        await anyio.wait_all_tasks_blocked()
        tasks.start_soon(one)
        await anyio.wait_all_tasks_blocked()
        await clock.advance(200)
    assert sent == [1020 + WINDOW]


async def test_processes_that_share_a_state_share_the_budget(clock, tmp_path):
    budgets = [
        Budget(60, state=State(lambda: tmp_path / "state.db", clock=clock), tenant="t", sleep=clock.sleep)
        for _ in range(4)
    ]
    for number in range(58):
        assert await budgets[number % 4].acquire(0) == 0
    for budget in budgets:
        assert await budget.remaining() == 0
        with pytest.raises(BudgetExhausted):
            await budget.acquire(45)
    other = Budget(60, state=State(lambda: tmp_path / "state.db", clock=clock), tenant="u", sleep=clock.sleep)
    assert await other.remaining() == 58


async def test_a_request_of_a_process_that_died_does_not_hold_its_place_for_ever(clock):
    state = State(clock=clock)
    budget = Budget(2, state=state, tenant="t", sleep=clock.sleep)
    await budget.acquire(0)
    await state.change("update grants set ended = 0")
    await clock.advance(WINDOW + 1)
    assert await budget.remaining() == 0
    await clock.advance(60)
    assert await budget.remaining() == 1


async def test_zero_is_off(clock):
    budget = budget_on(clock, per_minute=0)
    assert [await budget.acquire(0) for _ in range(1000)] == [0] * 1000
    assert await budget.remaining() is None


async def test_it_knows_when_the_next_request_is_free(clock):
    budget = budget_on(clock)
    assert budget.free_in == 0
    for number in range(58):
        assert budget.free_in == 0, number
        await budget.acquire(0)
        await clock.advance(0.5)
    assert budget.free_in == WINDOW - 29
    await clock.advance(WINDOW - 29 + 0.001)
    assert budget.free_in == 0
    await budget.acquire(0)
    assert 0 < budget.free_in < 0.5
    await budget.pause(40)
    assert budget.free_in == 40


async def test_those_who_wait_already_come_first(clock):
    budget = budget_on(clock)
    for _ in range(58):
        await budget.acquire(0)
    await clock.advance(2)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(budget.acquire)
        await anyio.wait_all_tasks_blocked()
        assert budget.free_in == WINDOW - 2
        tasks.cancel_scope.cancel()


async def test_without_a_limit_only_a_refusal_counts_and_holds_nobody(clock):
    budget = budget_on(clock, 0)
    await budget.acquire(0)
    assert budget.free_in == 0
    await budget.pause(59)
    assert (budget.free_in, await budget.acquire(0), await budget.remaining()) == (59, 0, None)
    await clock.advance(60)
    assert budget.free_in == 0

"""Several people behind one key: each gets a fair share of its budget, and nobody more than there is."""

import random

import anyio
import pytest

from aural_mcp.api.errors import BudgetExhausted
from aural_mcp.client.budget import GONE, MOST_WAITING, NAP, WINDOW, Budget, Share


class Office:
    """People who send with one key, each from a process of their own; `sent` has who sent what, and when."""

    def __init__(self, engine, per_minute):
        self.engine, self.clock, self.sent, self.told = engine, engine.clock, [], []
        self._per_minute, self._of = per_minute, {}

    def budget(self, person):
        if person not in self._of:
            given = {"state": self.engine.state(), "tenant": "t", "sleep": self.clock.sleep}
            self._of[person] = Budget(self._per_minute, person=person, **given)
        return self._of[person]

    async def send(self, person, number=0, within=float("inf"), takes=0.0):
        begun = self.clock.now
        try:
            async with self.budget(person).granted(within):
                self.sent.append((self.clock.now, person, number))
                if takes:
                    await self.clock.sleep(takes)
        except BudgetExhausted:
            self.told.append((person, number, self.clock.now - begun))

    async def queue(self, tasks, person, count, **more):
        for number in range(count):
            tasks.start_soon(lambda number=number: self.send(person, number, **more))
            await self.clock.settled()

    def order(self, after=0.0):
        return "".join(person for at, person, _ in self.sent if at > after)


@pytest.fixture
def office(engine):
    return lambda per_minute=60: Office(engine, per_minute)


async def test_who_comes_to_a_long_queue_waits_for_no_more_than_one_other(office):
    there = office()
    async with anyio.create_task_group() as tasks:
        for _ in range(58):
            await there.send("a")
            await there.clock.advance(0.5)
        await there.queue(tasks, "a", 42)
        assert (there.order(), len(there.told)) == ("a" * 58, 42 - MOST_WAITING)
        await there.clock.advance(WINDOW - 29 + 2)
        await there.queue(tasks, "b", 4)
        came = there.clock.now
        await there.clock.advance(3 * WINDOW)
    assert there.order(after=came) == "babababa" + "a" * (MOST_WAITING - 5 - 4)


async def test_three_people_who_never_stop_get_a_third_each(office):
    there = office(per_minute=6)

    async def busy(person):
        while there.clock.now < 1000 + 8 * WINDOW:
            await there.send(person)
            await there.clock.sleep(0.5)

    async with anyio.create_task_group() as tasks:
        for person in "aaaaaaaabbbcccc":
            tasks.start_soon(busy, person)
        await there.clock.settled()
        await there.clock.advance(12 * WINDOW)
    while_all_did = [person for at, person, _ in there.sent if 1000 < at < 1000 + 8 * WINDOW]
    counts = [while_all_did.count(person) for person in "abc"]
    assert max(counts) - min(counts) <= 1, counts
    assert sum(counts) == 5 * 7


@pytest.mark.parametrize("seed", range(6))
async def test_whatever_comes_in_which_order_the_limit_holds_and_nobody_is_passed_twice(office, seed):
    there, chance, asked = office(per_minute=6), random.Random(seed), {}
    async with anyio.create_task_group() as tasks:
        for number in range(40):
            person = chance.choice("aaab" if number < 20 else "abc")
            asked[number] = there.clock.now
            takes = chance.choice([0, 0.5, 8])
            tasks.start_soon(lambda *given, takes=takes: there.send(*given, takes=takes), person, number)
            await there.clock.settled()
            await there.clock.advance(chance.choice([0, 0.2, 3, 20]))
        await there.clock.advance(20 * WINDOW)
    assert len(there.sent) == 40
    for went, person, number in there.sent:
        assert sum(went <= at < went + WINDOW for at, _, _ in there.sent) <= 5
        own = [at for at, each, other in there.sent if each == person and other < number]
        assert own == sorted(own), "first come, first served"
        assert all(at <= went for at in own), "first come, first served"
        waited_since = max([asked[number], *own])
        passed = [each for at, each, _ in there.sent if each != person and waited_since < at < went]
        assert all(passed.count(each) <= 1 for each in "abc"), (person, number, passed)


async def test_one_person_cannot_fill_the_queue(office):
    there = office(per_minute=60)
    async with anyio.create_task_group() as tasks:
        await there.queue(tasks, "a", 58 + MOST_WAITING + 1)
        await there.queue(tasks, "b", MOST_WAITING + 1)
        assert [person for person, _, _ in there.told] == ["a", "b"]
        tasks.cancel_scope.cancel()


async def test_who_would_wait_too_long_because_others_came_is_told_before_that(office):
    there = office(per_minute=2)
    await there.send("a")
    async with anyio.create_task_group() as tasks:
        await there.queue(tasks, "a", 2, within=2 * WINDOW)
        await there.clock.advance(5)
        await there.queue(tasks, "b", 3)
        await there.clock.advance(6 * WINDOW)
    assert [(person, number) for person, number, _ in there.told] == [("a", 1)]
    assert there.told[0][2] <= 5 + NAP


async def test_who_is_next_goes_on_when_the_one_before_gives_up(office):
    there = office(per_minute=2)
    await there.send("a")
    async with anyio.create_task_group() as tasks:
        async with anyio.create_task_group() as impatient:
            await there.queue(impatient, "a", 3)
            await there.queue(tasks, "b", 2)
            await there.clock.advance(10)
            impatient.cancel_scope.cancel()
        await there.clock.advance(2 * WINDOW)
    assert there.order() == "abb"
    assert [at for at, _, _ in there.sent[1:]] == [1000 + WINDOW, 1000 + 2 * WINDOW]


async def test_a_process_that_died_waiting_holds_nobody_up(office):
    there = office(per_minute=2)
    await there.send("a")
    async with anyio.create_task_group() as tasks:
        await there.queue(tasks, "dead", 20)
        there.clock.sleepers.clear()  # never wakes again
        await there.queue(tasks, "b", 1)
        await there.clock.advance(WINDOW + GONE)
        assert there.order() == "ab"
        assert there.sent[1][0] == 1000 + WINDOW
        tasks.cancel_scope.cancel()


async def test_who_slept_too_long_to_be_counted_waits_anew_and_nobody_elses_place_is_taken(office):
    there = office(per_minute=2)
    await there.send("a")
    async with anyio.create_task_group() as tasks:
        await there.queue(tasks, "slow", 1)
        (asleep,) = there.clock.sleepers
        there.clock.sleepers.clear()
        await there.clock.advance(GONE + 1)
        await there.queue(tasks, "b", 2)
        await there.clock.advance(5)
        there.clock.sleepers.append(asleep)
        await there.clock.advance(4 * WINDOW)
    assert sorted(person for _, person, _ in there.sent) == ["a", "b", "b", "slow"]
    assert [at for at, _, _ in there.sent] == [1000 + number * WINDOW for number in range(4)]


async def test_a_pause_holds_everybody_and_the_turns_stay(office):
    there = office(per_minute=2)
    await there.send("a")
    async with anyio.create_task_group() as tasks:
        await there.queue(tasks, "a", 2)
        await there.queue(tasks, "b", 2)
        await there.budget("c").pause(100)
        await there.clock.advance(6 * WINDOW)
    assert [(at, person) for at, person, _ in there.sent[1:3]] == [(1100, "b"), (1100 + WINDOW, "a")]


async def test_it_knows_whose_the_requests_of_the_last_minute_were(office):
    there = office()
    for person in "aaabbc":
        await there.send(person)
    assert await there.budget("a").share() == Share(own=3, others=3, people=2)
    assert await there.budget("d").share() == Share(own=0, others=6, people=3)
    await there.clock.advance(WINDOW)
    assert await there.budget("a").share() == Share(0, 0, 0)

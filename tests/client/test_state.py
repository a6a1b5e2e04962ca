"""What processes share, on both engines: nothing twice, nothing lost, and a database that goes away and comes back."""

import anyio
import pytest

from aural_mcp.client.journal import Journal
from conftest import all_at_once
from engines import ENGINES

pytestmark = ENGINES
INSERT = "insert into codes values (?, ?) on conflict do nothing"


class Client:
    """As much of a client as a journal needs."""

    def __init__(self, state, tenant="t"):
        self.state, self.tenant, self.raw = state, tenant, self


async def test_what_many_claim_at_once_one_gets(engine):
    states = [engine.state() for _ in range(4)]
    claimed = await all_at_once(*[lambda each=each: each.change(INSERT, ("code", 1e12)) for each in states * 5])
    assert sorted(claimed) == [0] * 19 + [1]


async def test_of_those_who_count_and_then_write_none_overlooks_another(engine):
    states = [engine.state() for _ in range(4)]

    async def add(state):
        async with state.changing("counter") as db:
            [(count,)] = await db.all("select count(*) from codes")
            await db.change(INSERT, (f"{count}", 1e12))

    await all_at_once(*[lambda each=each: add(each) for each in states * 10])
    async with states[0].reading() as db:
        assert await db.one("select count(*) from codes") == (40,)


async def test_what_raises_is_not_kept_and_what_ends_is(engine):
    state = engine.state()

    async def fails():
        async with state.changing("a") as db:
            await db.change(INSERT, ("gone", 1e12))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fails()
    async with state.changing("a") as db:
        await db.many(INSERT, [("one", 1e12), ("two", 1e12)])
    async with engine.state().reading() as db:
        assert await db.all("select code from codes order by code") == [("one",), ("two",)]


async def test_whoever_is_cancelled_leaves_nothing_half_done_and_nobody_waiting(engine):
    state = engine.state()

    async def slowly():
        async with state.changing("a") as db:
            await db.change(INSERT, ("half", 1e12))
            await anyio.sleep_forever()

    for _ in range(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(slowly)
            await anyio.sleep(0.005)
            tasks.cancel_scope.cancel()
    async with state.changing("a") as db:
        assert await db.one("select 1 from codes") is None


async def test_everybody_has_the_same_secret(engine):
    secrets = await all_at_once(*[engine.state().secret for _ in range(4)])
    assert len(set(secrets)) == 1
    assert len(secrets[0]) == 32


async def test_a_journal_says_the_same_to_all_who_share_it_and_keeps_the_order(engine):
    journal, other = (Journal(Client(engine.state()), "task", 100) for _ in range(2))
    await journal.note({f"{number:02}": number for number in reversed(range(20))})
    assert list((await other.all()).values()) == list(reversed(range(20)))
    assert await other.done(["03", "99"]) == {"03": 3}
    await engine.clock.advance(1)
    await other.note({"03": "again"})
    assert list(await journal.all())[-1] == "03"
    assert await Journal(Client(engine.state(), "another"), "task", 100).all() == {}


async def test_of_those_who_claim_the_same_item_of_a_journal_one_gets_it(engine):
    journals = [Journal(Client(engine.state()), "task", 100) for _ in range(4)]
    claims = [lambda number=number, each=each: each.claim({"item": number}, {}) for number, each in enumerate(journals)]
    claimed = await all_at_once(*claims)
    assert sorted(claimed) == [False, False, False, True]
    assert await journals[0].all() == {"item": claimed.index(True)}


async def test_what_is_too_old_is_not_told_any_more(engine):
    journal = Journal(Client(engine.state()), "task", 100)
    await journal.note({"old": 1})
    await engine.clock.advance(60)
    await journal.note({"new": 1})
    await engine.clock.advance(60)
    assert list(await journal.all()) == ["new"]
    assert await journal.done(["old"]) == {}
    assert await journal.claim({"old": 2}, {})


async def test_hundreds_of_items_are_written_and_read_in_one_go(engine):
    journal = Journal(Client(engine.state()), "task", 100)
    items = {f"who {number}? 100% 'sure'": {"n": number} for number in range(1_200)}
    await journal.note(items)
    assert await journal.done(list(items)) == items

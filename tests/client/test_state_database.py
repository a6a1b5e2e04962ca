"""The shared state in PostgreSQL: what replicas see of it when it is held up, goes away, comes back, or is newer."""

import os
import random
import signal
import time

import anyio
import anyio.to_thread
import httpx
import psycopg
import pytest
from mcp import Client

from aural_mcp.api.errors import BudgetExhausted, StateUnwritable
from aural_mcp.api.operations import CreateInterview, ListInterviews
from aural_mcp.client import state_database
from aural_mcp.client.budget import WINDOW, Budget
from aural_mcp.client.client import AuralClient
from aural_mcp.client.state import State
from aural_mcp.config import BadSetting
from aural_mcp.server.principal import OneClient
from aural_mcp.server.server import AuralServer
from aural_mcp.server.tools import AWAY
from conftest import KEY, ORIGIN, postgresql_server, text_of
from engines import InADatabase, InAFile
from processes import aural_mcp

INSERT = "insert into codes values (?, 1e12) on conflict do nothing"


@pytest.fixture
async def url(postgresql):
    return postgresql.database()


@pytest.fixture
async def states(url):
    made = [State(url=url) for _ in range(4)]
    yield made
    for each in made:
        await each.aclose()


async def test_a_key_that_is_held_up_holds_up_no_other(states):
    async with states[0].changing("a"), anyio.create_task_group() as tasks:

        async def wait():
            with pytest.raises(StateUnwritable):
                async with states[1].changing("a"):
                    pass

        for _ in range(20):
            tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        with anyio.fail_after(3.5):  # who waits for the other gives up after 4
            async with states[1].changing("b") as db:
                await db.change(INSERT, ("b",))
        tasks.cancel_scope.cancel()


async def test_processes_that_begin_at_once_on_an_empty_database_make_its_tables_once(states):
    async with anyio.create_task_group() as tasks:
        for each in states:
            tasks.start_soon(each.opens)
    assert all([await each.change(INSERT, (f"{number}",)) for number, each in enumerate(states)])


async def test_a_database_of_a_newer_version_is_refused_and_left_alone(states, url):
    await states[0].opens()
    with psycopg.connect(url.replace("+psycopg", "")) as db:
        db.execute("update aural_mcp_state.schema_version set version = 99")
    with pytest.raises(BadSetting, match="newer aural-mcp"):
        await states[1].opens()


async def test_connections_that_the_server_has_closed_are_replaced_without_a_word(states, url):
    await states[0].change(INSERT, ("before",))
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as db:
        db.execute("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'aural-mcp'")
    assert await states[0].change(INSERT, ("after",)) == 1
    async with states[0].changing("key") as db:
        assert await db.one("select count(*) from codes") == (2,)


async def test_a_server_that_says_nothing_is_given_up_and_the_connection_with_it(states, url, monkeypatch):
    monkeypatch.setattr(state_database, "SILENT", 0.3)
    await states[0].change(INSERT, ("before",))
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as db:
        mine = "select pid from pg_stat_activity where application_name = 'aural-mcp' and datname = current_database()"
        frozen = [pid for (pid,) in db.execute(mine)]
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    try:
        with anyio.fail_after(20), pytest.raises(StateUnwritable):
            await _asked_again(states[0])
        with anyio.fail_after(20):
            while not await _codes(states[0]):
                await anyio.sleep(0.05)
    finally:
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)


async def granted(state, clock, seed):
    """What a budget says to a hundred chance requests of three persons, while earlier ones end and time goes by."""
    chance, said, open_ones = random.Random(seed), [], []
    limit, people = chance.choice([1, 2, 5, 9]), ["", "ana", "bo"]
    budgets = {each: Budget(limit, state=state, tenant=f"t{seed}", person=each, sleep=clock.sleep) for each in people}
    for _ in range(100):
        budget = budgets[chance.choice(people)]
        match chance.choice(["ask"] * 6 + ["end", "end", "wait", "pause"]):
            case "ask":
                grant = budget.granted(0)
                try:
                    said.append(await grant.__aenter__())
                    open_ones.append(grant)
                except BudgetExhausted as refused:
                    said.append(refused.message + refused.next_step)
                said.append(round(budget.free_in, 3))
            case "end" if open_ones:
                await open_ones.pop(chance.randrange(len(open_ones))).__aexit__(None, None, None)
                await clock.settled()
            case "wait":
                clock.now += chance.choice([0.001, 1, 5, 20, WINDOW - 0.001, WINDOW, 2 * WINDOW])
            case "pause":
                await budget.pause(chance.choice([0.5, 3, 90]))
    for each in open_ones:
        await each.__aexit__(None, None, None)
    return said


@pytest.mark.parametrize("seed", range(12))
async def test_what_the_database_grants_in_one_trip_is_what_a_file_grants(seed, tmp_path, url):
    file, database = InAFile(tmp_path), await anyio.to_thread.run_sync(InADatabase, url)
    try:
        wanted = await granted(file.state(), file.clock, seed)
        assert await granted(database.state(), database.clock, seed) == wanted
    finally:
        await file.aclose()
        await database.aclose()
    assert {0.0} < {each for each in wanted if isinstance(each, float)}


async def test_its_clock_is_everybodys(states):
    async with states[0].changing() as db:
        assert abs(db.now - time.time()) < 5
    assert abs(states[0].now() - db.now) < 0.5


@pytest.mark.parametrize(
    "url", ["mysql://user@host/name", "postgresql", "sqlite:///state.db", "postgresql+asyncpg://h/n"]
)
def test_what_is_no_address_of_postgresql_is_refused_by_name(url):
    with pytest.raises(BadSetting, match="AURAL_STATE_URL must be of PostgreSQL"):
        State(url=url)


@pytest.mark.parametrize(
    "rest",
    ["u:se@cret@h/n", "u:se/cret@h/n", "u:se%zzcret@h/n", "u:secret@h:none/n", "u:secret@h/n?secret=1"],
)
def test_an_address_that_cannot_be_read_is_refused_and_shows_no_part_of_the_password(rest):
    with pytest.raises(BadSetting, match="AURAL_STATE_URL cannot be read") as refused:
        State(url=f"postgresql+psycopg://{rest}")
    assert "cret" not in str(refused.value)
    assert refused.value.__context__ is None


async def test_what_an_address_says_of_connections_holds_beside_what_we_say(url):
    state = State(url=f"{url}&options=-c%20work_mem%3D1234kB&application_name=ours")
    async with state.changing() as db:
        found = (
            "select current_setting('work_mem'), current_setting('application_name'), current_setting('lock_timeout')"
        )
        assert await db.one(found) == ("1234kB", "ours", "4s")
    await state.aclose()


async def test_a_role_that_may_not_make_the_tables_is_told_what_to_grant_and_needs_no_more(postgresql, url):
    name = url.split("/")[3].partition("?")[0]
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as owner:
        owner.execute(f"create role may_{name} login")
        state = State(url=url.replace("postgres@", f"may_{name}@"))
        with pytest.raises(BadSetting, match="create schema aural_mcp_state authorization") as refused:
            await state.opens()
        owner.execute(str(refused.value).rpartition(": ")[2])
        assert await state.opens()
        await state.aclose()
        assert await state.opens()
        await state.aclose()


async def test_a_server_does_not_begin_on_a_database_of_a_newer_version_and_says_why(states, url, tmp_path):
    await states[0].opens()
    with psycopg.connect(url.replace("+psycopg", "")) as db:
        db.execute("update aural_mcp_state.schema_version set version = 99")
    code, _, err = await anyio.to_thread.run_sync(
        lambda: aural_mcp(tmp_path, "serve", "--http", "--port", "0", AURAL_STATE_URL=url)
    )
    assert code
    assert err == (
        "aural-mcp: The database of AURAL_STATE_URL was made by a newer aural-mcp (schema 99; this one knows 1). "
        "Upgrade aural-mcp. Nothing was changed.\n"
    )


@pytest.fixture
def server():
    """A PostgreSQL of its own, which a test stops."""
    with postgresql_server() as made:
        yield made


@pytest.fixture
async def stopped(server, monkeypatch):
    """A budget on a database that has been lost, whose process had known it for a while."""
    monkeypatch.setattr(state_database, "SEEN_EVERY", 0.02)
    state = State(url=server.database())
    while state.database._heard - state.database._began <= 2 * state_database.SEEN_EVERY:
        await state.change("update pauses set until = 0")
        await anyio.sleep(0.01)
    await anyio.to_thread.run_sync(server.stop)
    yield Budget(60, state=state, tenant="t")
    await state.aclose()
    await anyio.to_thread.run_sync(server.start)


async def test_without_its_database_a_write_is_refused_at_once_and_says_so(stopped):
    with anyio.fail_after(10), pytest.raises(StateUnwritable, match="cannot be reached, so nothing more was sent"):
        await stopped.acquire(40)


async def test_without_its_database_a_read_goes_on_slowly_and_never_past_what_the_log_leaves(stopped):
    for _ in range(2):
        with anyio.fail_after(10):
            async with stopped.granted(40, reads=True) as waited:
                assert (waited, stopped.alone) == (0, True)
        with pytest.raises(StateUnwritable):
            async with stopped.granted(1, reads=True):
                pass
        stopped._state.database._spared["t"] -= WINDOW


async def test_a_read_that_waits_goes_on_by_itself_when_the_database_is_back(stopped, server):
    async with stopped.granted(40, reads=True):
        pass
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(anyio.to_thread.run_sync, server.start)
        stopped.alone = False
        with anyio.fail_after(20):
            async with stopped.granted(20, reads=True):
                assert not stopped.alone
    await anyio.to_thread.run_sync(server.stop)


async def test_of_three_processes_two_have_a_request_to_spare_and_always_the_same(stopped):
    database = stopped._state.database
    names = [database.id, "one", "two"]
    database.replicas = tuple(names)
    may = []
    for tenant in (f"key {number}" for number in range(60)):
        chosen = []
        for database.id in names:
            database._spared.clear()
            chosen.append(database.spare(tenant, WINDOW))
        may.append(tuple(chosen))
    assert all(sum(each) == 2 for each in may)
    assert len(set(may)) == 3


async def test_a_change_that_nobody_waits_for_is_made_when_the_database_is_back(stopped, server):
    state = stopped._state
    await state.later(lambda: state.change(INSERT, ("late",)))
    await anyio.to_thread.run_sync(server.start)
    with anyio.fail_after(20):
        while not (found := await _codes(state)):
            await anyio.sleep(0.05)
    assert found == [("late",)]
    await anyio.to_thread.run_sync(server.stop)


async def test_what_is_read_without_the_database_says_so_and_what_changes_something_is_refused(stopped, world):
    transport = httpx.ASGITransport(world.app)
    client = AuralClient(KEY, f"{ORIGIN}/api/v1", transport=transport, state=stopped._state)
    server = AuralServer(OneClient(client), backend="A test workspace.", confirm="never")
    made = await world.client.call(CreateInterview(title="Welder"))
    async with Client(server) as agent:
        read = await agent.call_tool("list_sessions", {"interviewId": made.id})
        assert not read.is_error
        assert read.structured_content["remarks"] == [AWAY]
        with anyio.fail_after(20):
            changed = await agent.call_tool("create_interview", {"title": "Baker"})
        assert changed.is_error
        assert "cannot be reached, so nothing more was sent" in text_of(changed)
    assert [each.title for each in (await world.client.call(ListInterviews())).data] == ["Welder"]


async def _codes(state):
    try:
        async with state.reading() as db:
            return await db.all("select code from codes")
    except StateUnwritable:
        return []


async def _asked_again(state):
    while True:
        await state.change(INSERT, ("before",))

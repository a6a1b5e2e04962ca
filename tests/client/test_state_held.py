"""The shared state in a file: beside processes that hold it, and beside one of the release before."""

import sqlite3
from contextlib import closing

import anyio
import pytest

from aural_mcp.api.errors import StateUnwritable
from aural_mcp.client import state_file
from aural_mcp.client.state import State

CODE = "insert into codes values (?, 1e12)"
OF_THE_RELEASE_BEFORE = (
    "insert or ignore into asked values ('code', 'parts', 1e12)",
    "insert or ignore into codes values ('code', 1e12)",
    "insert or replace into drawn values ('t', 'host', 1)",
    "insert into sign_ins values ('id', '', '', '', '', '', '', '', '', 1, 1, 1, null, '')",
    "insert into applications values ('id', 1, 1, '{}')",
    "insert into tokens values ('digest', 'code', 'id', 1, null, '{}', null)",
    "insert or replace into journal values ('t', 'task', 'item', '1', 1)",
    "insert into creates values ('t', 'digest', 'tool', 'started', 1, null)",
    "insert or ignore into secrets values ('confirmation', x'00')",
    "insert or replace into origins values ('t', 'base', 'origin', 1)",
    "insert or replace into pauses values ('t', 1)",
    "insert into grants (id, tenant, person, at, ended, turn) values (1, 't', '', 1, 1, 1)",
)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "state.db"


@pytest.fixture
async def state(file):
    made = State(lambda: file)
    yield made
    await made.aclose()


@pytest.fixture
async def held(file):
    """The file, made before and written by another process now."""
    before = State(lambda: file)
    await before.change(CODE, ("before",))
    await before.aclose()
    with closing(sqlite3.connect(file, isolation_level=None)) as db:
        db.execute("begin immediate")
        yield db


async def test_who_opens_a_file_that_another_process_holds_waits_and_holds_up_nobody_else(state, held):
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(state.change, CODE, ("during",))
        with anyio.fail_after(4):  # who waits for the other gives up after 5
            await anyio.lowlevel.checkpoint()
            await State().change(CODE, ("elsewhere",))
        held.execute("commit")
    async with state.reading() as db:
        assert await db.all("select code from codes order by code") == [("before",), ("during",)]


async def test_a_file_that_is_held_for_too_long_is_said_and_not_given_up(state, held, monkeypatch):
    monkeypatch.setattr(state_file, "BUSY", 0.05)
    with pytest.raises(StateUnwritable, match="database is locked"):
        await state.opens()
    held.execute("commit")
    assert await state.opens()
    async with state.reading() as db:
        assert await db.one("select code from codes") == ("before",)


async def test_who_is_cancelled_while_another_is_at_it_undoes_nothing_of_the_other(state):
    async with state.changing() as db:
        await db.change(CODE, ("kept",))
        with anyio.move_on_after(0.02):
            await state.change(CODE, ("cancelled",))
    async with state.reading() as db:
        assert await db.all("select code from codes") == [("kept",)]


async def test_a_process_of_the_release_before_goes_on_beside_us(state, file):
    assert await state.opens()
    with closing(sqlite3.connect(file)) as db:
        for each in OF_THE_RELEASE_BEFORE:
            assert db.execute(each).rowcount == 1
        assert len(db.execute("select * from tokens").fetchone()) == 7
        assert len(db.execute("select * from sign_ins").fetchone()) == 14

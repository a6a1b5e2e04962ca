"""The shared state as a file: one that an earlier version made, and may still have open."""

import sqlite3

import pytest

from aural_mcp.api.errors import BudgetExhausted
from aural_mcp.client.budget import Budget, Share
from aural_mcp.client.state import State
from clock import Clock

EARLIER = """
create table grants (id integer primary key, tenant text not null, at real not null, ended integer not null)
"""


async def test_a_file_of_an_earlier_version_is_gone_on_with(tmp_path):
    """What an earlier version sent counts, also while it goes on writing beside this one."""
    clock, path = Clock(), tmp_path / "state.db"
    with sqlite3.connect(path) as old:
        old.execute(EARLIER)
        sent = [(990 + number / 10,) for number in range(57)]
        old.executemany("insert into grants (tenant, at, ended) values ('t', ?, 1)", sent)
    states = [State(lambda: path, clock=clock) for _ in "ab"]
    a, b = (
        Budget(60, state=state, tenant="t", person=person, sleep=clock.sleep)
        for state, person in zip(states, "ab", strict=True)
    )
    assert (await a.remaining(), await b.remaining()) == (1, 1)
    with old:
        old.execute("insert into grants (tenant, at, ended) values ('t', 1000, 0)")
    old.close()
    assert await a.remaining() == 0
    with pytest.raises(BudgetExhausted, match="Call again in 51 s"):
        await b.acquire(45)
    assert await b.share() == Share(0, 58, 1)

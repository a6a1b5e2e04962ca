"""The shared state on both of its engines, on a clock that the tests move."""

import anyio
import psycopg
import pytest

from aural_mcp.client.state import State
from clock import Clock

ENGINES = pytest.mark.parametrize("engine", ["file", "postgresql"], indirect=True)
"""Marks a module whose tests must hold on both engines."""
MOVED = """
create table clock (now double precision not null);
insert into clock values (1000);
create or replace function moment() returns double precision language sql volatile as 'select now from clock';
"""


class InAFile:
    """States of processes of one computer."""

    def __init__(self, folder):
        self.clock, self._folder, self._made = Clock(), folder, []

    def state(self):
        """As another process has it."""
        self._made.append(State(lambda: self._folder / "state.db", clock=self.clock))
        return self._made[-1]

    async def aclose(self):
        for each in self._made:
            await each.aclose()


class DatabaseClock(Clock):
    """A clock that a database reads too."""

    def __init__(self, url):
        self._db = psycopg.connect(url.replace("+psycopg", ""), autocommit=True)
        self._db.execute("set search_path = aural_mcp_state")
        self._db.execute(MOVED)
        self.states = []
        super().__init__()

    @property
    def now(self):
        return self._now

    @now.setter
    def now(self, moment):
        self._now = moment
        self._db.execute("update clock set now = %s", (moment,))

    async def settled(self):
        """Until nobody asks the database any more."""
        while True:
            await super().settled()
            if not any(map(_is_busy, self.states)):
                return
            await anyio.sleep(0.002)

    def close(self):
        self._db.close()


class InADatabase(InAFile):
    """States of processes of several computers."""

    def __init__(self, url):
        self._url, self._made = url, []
        anyio.run(_opened, url)
        self.clock = DatabaseClock(url)
        self.clock.states = self._made

    def state(self):
        self._made.append(State(url=self._url))
        self._made[-1].database.now = lambda: self.clock.now
        return self._made[-1]

    async def aclose(self):
        await super().aclose()
        self.clock.close()


def _is_busy(state):
    database = state.database
    stats = database._pool.get_stats() if database._pool else {}
    asked = stats.get("pool_size", 0) > stats.get("pool_available", 0) or stats.get("requests_waiting", 0)
    return asked or database._opening.statistics().locked or len(database._behind) > int(database._ready)


async def _opened(url):
    state = State(url=url)
    await state.opens()
    await state.aclose()

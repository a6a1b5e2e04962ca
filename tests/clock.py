"""Clocks that the tests move."""

import time

import anyio


def wall():
    """The computer's clock, also where a test has put another in its place."""
    return time.time()


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self):
        self.now = 1000.0
        self.sleepers = []

    def __call__(self):
        return self.now

    async def sleep(self, seconds):
        wake, event = self.now + seconds, anyio.Event()
        self.sleepers.append((wake, event))
        await event.wait()

    async def advance(self, seconds):
        end = self.now + seconds
        while due := [sleeper for sleeper in self.sleepers if sleeper[0] <= end]:
            wake, event = min(due, key=lambda sleeper: sleeper[0])
            self.sleepers.remove((wake, event))
            self.now = max(self.now, wake)
            event.set()
            await self.settled()
        self.now = end

    async def settled(self):
        """Until everybody waits for the clock."""
        await anyio.wait_all_tasks_blocked()

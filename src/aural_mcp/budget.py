"""Requests per minute: one exact sliding log per key, so that Aural never has to refuse us."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import anyio

from aural_mcp.errors import BudgetExhausted

WINDOW = 61.0
"""Seconds; one more than Aural's minute, for clocks and the network."""
MOST_WAITING = 32


@dataclass(eq=False)
class _Grant:
    at: float


class Budget:
    """Grants requests first come first served: of 60 a minute, 58 in any 61 seconds.

    A grant is reserved the moment it is asked for, so whoever would wait too long is told at
    once. Times are seconds of `clock`. `requests_per_minute` 0 means no limit.
    """

    def __init__(
        self,
        requests_per_minute: int = 60,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self.limit = max(1, requests_per_minute * 58 // 60) if requests_per_minute else 0
        self._clock = clock
        self._sleep = sleep
        self._grants: deque[_Grant] = deque()
        self._paused_until = -math.inf

    @property
    def remaining(self) -> int | None:
        """How many requests could leave now; None without a limit."""
        if not self.limit:
            return None
        now = self._forget()
        return 0 if now < self._paused_until else self.limit - len(self._grants)

    @property
    def idle(self) -> bool:
        """Whether forgetting this budget would change nothing."""
        return self._forget() > self._paused_until and not self._grants

    def pause(self, seconds: float) -> None:
        """Hold every request of this key, waiting ones too, for so long: a `Retry-After`."""
        now = self._clock()
        self._paused_until = max(self._paused_until, now + seconds)
        waiting = [grant for grant in self._grants if grant.at > now]
        later = max(0.0, self._paused_until - waiting[0].at) if waiting else 0.0
        for grant in waiting:
            grant.at += later

    async def acquire(self, within: float = math.inf) -> float:
        """Wait for a request to be granted; the answer is how many seconds that took.

        Raises:
            BudgetExhausted: the wait would be longer than `within`, or too many wait already.
        """
        if not self.limit:
            return 0.0
        begun = self._forget()
        waiting = sum(grant.at > begun for grant in self._grants)
        grant = _Grant(self._next(begun))
        if grant.at > begun and waiting >= MOST_WAITING:
            raise self._exhausted(grant.at - begun)
        self._grants.append(grant)
        try:
            while (now := self._clock()) < grant.at:
                if grant.at - begun > within:
                    raise self._exhausted(grant.at - now)
                await self._sleep(grant.at - now)
        except BaseException:
            self._grants.remove(grant)
            raise
        return now - begun

    def _next(self, now: float) -> float:
        """When the next request may leave: after everyone before it, and when the window has room."""
        last = self._grants[-1].at if self._grants else now
        room = self._grants[-self.limit].at + WINDOW if len(self._grants) >= self.limit else now
        return max(now, self._paused_until, last, room)

    def _forget(self) -> float:
        now = self._clock()
        while self._grants and self._grants[0].at <= now - WINDOW:
            self._grants.popleft()
        return now

    def _exhausted(self, wait: float) -> BudgetExhausted:
        seconds = max(1, math.ceil(wait))
        return BudgetExhausted(
            f"rate_limited: the {self.limit} requests that this key may send in {WINDOW:.0f} s are used up.",
            f"Nothing was sent. Call again in {seconds} s.",
            retry_after=seconds,
        )

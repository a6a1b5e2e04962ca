"""How often something may be tried: by one address, and by everybody together."""

from __future__ import annotations

import time
from collections import deque

WINDOW = 60.0
"""Seconds in which tries are counted."""
MOST_KNOWN = 1_000
"""Addresses whose tries are known."""
EVERYBODY = ""


class Pace:
    """Counts tries of the last minute, in this process.

    Args:
        each: how many one address has.
        together: how many all have.
    """

    def __init__(self, each: int, together: int) -> None:
        self._each, self._together = each, together
        self._tries: dict[str, deque[float]] = {}

    def wait(self, who: str) -> float:
        """Seconds until the next try, 0 for now; that is then counted."""
        now = time.monotonic()
        counted = [(self._recent(EVERYBODY, now), self._together), (self._recent(who, now), self._each)]
        waits = [tries[0] + WINDOW - now for tries, most in counted if len(tries) >= most]
        if not waits:
            for tries, _ in counted:
                tries.append(now)
        return max(waits, default=0.0)

    def give_back(self, who: str) -> None:
        """Take one try out of the count."""
        for each in (EVERYBODY, who):
            if self._tries.get(each):
                self._tries[each].pop()

    def _recent(self, who: str, now: float) -> deque[float]:
        tries = self._tries.pop(who, None) or deque()
        while tries and now - tries[0] >= WINDOW:
            tries.popleft()
        self._tries[who] = tries
        while len(self._tries) > MOST_KNOWN:
            self._tries.pop(next(iter(self._tries)))
        return tries

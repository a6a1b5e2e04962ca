"""When a request is sent again, and after how long, and what of time the headers of an answer tell.

Reads, and writes that come to the same state when repeated, are sent up to three times; a create only where
the first provably did not run. A budget keeps a failing backend from being asked three times as often.
"""

from __future__ import annotations

import random
import time
from email.utils import parsedate_to_datetime
from functools import lru_cache

from aural_mcp.api import errors

ATTEMPTS = 3
FIRST, MOST = 0.25, 4.0
"""Seconds: the longest first pause, doubling up to the longest of all; each is drawn between 0 and that."""
PASSING = (500, 502, 503, 504)
SHORTEST_HOLD, LONGEST_HOLD, USUAL_HOLD = 1.0, 600.0, 60.0
"""Seconds that a 429 can hold a key, and those for one that does not say."""


class RetryBudget:
    """Twenty tokens: a repetition costs two, a success gives a fifth back."""

    def __init__(self) -> None:
        self._tokens = 20.0

    def spend(self) -> bool:
        """Whether another repetition may be made."""
        if self._tokens < 2:
            return False
        self._tokens -= 2
        return True

    def earn(self) -> None:
        self._tokens = min(20.0, self._tokens + 0.2)


def pause(attempt: int) -> float:
    """Seconds to wait after the attempt of this number: full jitter, so that many do not come back together."""
    return random.uniform(0, min(MOST, FIRST * 2 ** (attempt - 1)))  # noqa: S311  no secret


def may_help(error: errors.AuralError, *, repeatable: bool) -> bool:
    """Whether the same request may succeed now, and can do no harm."""
    if isinstance(error, errors.Unreachable):
        return True
    if not repeatable:
        return False
    unreadable = isinstance(error, errors.ServerError) and error.code == "UNREADABLE"
    passing = isinstance(error, errors.ApiError) and error.status in PASSING
    return isinstance(error, errors.Unanswered) or unreadable or passing


def hold(given: object) -> float:
    """Seconds that a `Retry-After` asks for: a number, or an HTTP date; anything else counts as a minute."""
    try:
        seconds = float(str(given))
    except ValueError:
        seconds = _until(str(given))
    if seconds != seconds:  # not a number
        seconds = USUAL_HOLD
    return min(max(seconds, SHORTEST_HOLD), LONGEST_HOLD)


def _until(date: str) -> float:
    try:
        return _moment(date) - time.time()
    except (ValueError, TypeError, OverflowError):
        return USUAL_HOLD


@lru_cache(maxsize=8)
def _moment(date: str) -> float:
    """Seconds since 1970 of an HTTP date; the answers of one second have the same.

    Raises:
        ValueError, TypeError, OverflowError: it is none.
    """
    return parsedate_to_datetime(date).timestamp()


def skew(date: str, sent: float, known: float) -> float:
    """How many seconds the backend's clock is ahead: what is known of it, unless the date of an answer contradicts.

    That date was noted between the request and now, in whole seconds, by servers that renew it once a second. Of what
    is possible the least is taken: who asks what came after a moment then hears of too much, and of nothing too late.
    """
    try:
        noted = _moment(date)
    except (ValueError, TypeError, OverflowError):
        return known
    least, most = noted - time.time(), noted + 2 - sent
    return known if least <= known <= most else least

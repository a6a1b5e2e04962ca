"""What a client does, told to whoever counts it: in a process that serves metrics somebody does, else nobody."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

from aural_mcp.api.errors import ApiError, BudgetExhausted, StateUnwritable, Unanswered, Unreachable

STATUSES = ("2xx", "3xx", "4xx", "429", "5xx", "unanswered", "unreachable", "cancelled")
REASONS = ("limit", "state")
OUTCOMES = ("done", "repeated", "found", "unknown")


class Counts(Protocol):
    """Hears how many, how long and what came of it; never whose it was."""

    def granted(self, waited: float) -> None:
        """The budget let a request go, after so many seconds."""

    def refused(self, reason: str) -> None:
        """The budget let none go, for one of `REASONS`: the wait would be too long, or it could not be written down."""

    def answered(self, status: str, seconds: float) -> None:
        """What came of a request: `2xx` to `5xx`, `429`, or one of the other `STATUSES`."""

    def created(self, outcome: str) -> None:
        """What came of a create: one of `OUTCOMES`."""


_heard_by: Counts | None = None


def hear(counts: Counts | None) -> None:
    """Have everything told to this one, for as long as the process lives; None: to nobody."""
    global _heard_by
    _heard_by = counts


def created(outcome: str) -> None:
    """Tell what came of a create."""
    if _heard_by is not None:
        _heard_by.created(outcome)


def counted(grant: AbstractAsyncContextManager[float]) -> AbstractAsyncContextManager[float]:
    """The grant of a request, with what came of both told; the request is made while it is held."""
    return grant if _heard_by is None else _counted(grant, _heard_by)


@asynccontextmanager
async def _counted(grant: AbstractAsyncContextManager[float], counts: Counts) -> AsyncGenerator[float]:
    begun, status = 0.0, ""
    try:
        async with grant as waited:
            counts.granted(waited)
            begun, status = time.perf_counter(), "2xx"
            yield waited
    except BaseException as error:
        if begun:
            status = _status(error)
        elif isinstance(error, BudgetExhausted | StateUnwritable):
            counts.refused("limit" if isinstance(error, BudgetExhausted) else "state")
        raise
    finally:
        if begun:
            counts.answered(status, time.perf_counter() - begun)


def _status(error: BaseException) -> str:
    if isinstance(error, ApiError):
        return "429" if error.status == 429 else f"{error.status // 100}xx"
    if isinstance(error, Unreachable):
        return "unreachable"
    return "unanswered" if isinstance(error, Unanswered) else "cancelled"

"""What is in flight: how much of whom, and how it ends when the server stops."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
from mcp.server import ServerRequestContext
from mcp.server.context import CallNext, HandlerResult
from mcp.server.subscriptions import SUBSCRIPTION_ID_META_KEY
from mcp.types import SubscriptionsListenResult

from aural_mcp.server.web import refusals
from aural_mcp.server.web.refusals import Refused

LISTEN = "subscriptions/listen"
BY_ADDRESS, BY_SIGN_IN = "from ", "sign-in "
"""How a caller without a key begins; a key is a hexadecimal digest."""
CALLS_END, STREAMS_END = 8.0, 1.0
"""Seconds that a stop waits for them: with closing connections and sending spans it is over within 10."""
TOLD_WITHIN = 0.5
"""Seconds in which those that are cut off can be told, some of whom may not be reading."""

Refuse = Callable[[Refused], Coroutine[Any, Any, None]]


@dataclass(eq=False)
class Flight:
    """One request, and how many seconds a stop waits for it: none before its body is here."""

    caller: str
    stream: bool
    refuse: Refuse
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    patience: float = 0.0

    def begin(self) -> None:
        """From here on it is being carried out."""
        self.patience = STREAMS_END if self.stream else CALLS_END

    def cut_off(self) -> Refused:
        """What a stop says that does not wait any longer."""
        return refusals.cut_off() if self.patience else refusals.stopping()


class Flights:
    """Counts requests by caller and by kind, and ends them when the server stops."""

    def __init__(self) -> None:
        self.stopping = self.left_behind = False
        self._since = 0.0
        self._drained = math.inf
        self._open: set[Flight] = set()
        self._counts: Counter[tuple[str, bool]] = Counter()
        self._subscriptions: set[anyio.CancelScope] = set()

    @contextmanager
    def admit(self, caller: str, stream: bool, refuse: Refuse) -> Generator[Flight]:
        """Count a request while the block runs; `refuse` answers it meanwhile, if it has not been answered.

        Raises:
            Refused: too much is in flight already, the server is stopping, or its stop cut the request off.
        """
        self._refuse_excess(caller, stream)
        flight = Flight(caller, stream, refuse)
        self._open.add(flight)
        self._counts[caller, stream] += 1
        try:
            with flight.scope:
                yield flight
        finally:
            self._open.remove(flight)
            self._counts[caller, stream] -= 1
            if not self._counts[caller, stream]:
                del self._counts[caller, stream]
        if flight.scope.cancelled_caught:
            raise flight.cut_off()

    @property
    def is_ready(self) -> bool:
        """Whether more should be sent here."""
        return self._drained == math.inf and not self.stopping

    def drains(self, seconds: float) -> bool:
        """Whether calls are still taken although this one stops: for so long from the first time that it is asked."""
        now = time.monotonic()
        self._drained = min(self._drained, now + seconds)
        return now < self._drained

    async def stop(self, *, at_once: bool = False) -> bool:
        """Begin to stop, or go on: subscriptions end, what takes too long is cut off.

        Args:
            at_once: everything takes too long.

        Returns:
            Whether there is nothing left to wait for. A write that hangs on the backend's answer does not let itself
            be ended: its caller has been answered, and `left_behind` is set.
        """
        if not self.stopping:
            self.stopping, self._since = True, time.monotonic()
            for scope in self._subscriptions:
                scope.cancel()
        waited = time.monotonic() - self._since
        late = [flight for flight in self._open if at_once or waited >= flight.patience]
        if late:
            self.left_behind |= any(flight.patience == CALLS_END for flight in late)
            await self._cut_off(late)
        return self._open <= set(late)

    async def _cut_off(self, late: Sequence[Flight]) -> None:
        with anyio.move_on_after(TOLD_WITHIN):
            async with anyio.create_task_group() as tasks:
                for flight in late:
                    flight.scope.cancel()
                    tasks.start_soon(flight.refuse, flight.cut_off())

    async def end_with_us(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """MCP middleware: a stop ends a subscription with its result, which tells the client that it was meant."""
        if ctx.method != LISTEN:
            return await call_next(ctx)
        with anyio.CancelScope() as scope:
            self._subscriptions.add(scope)
            try:
                return await call_next(ctx)
            finally:
                self._subscriptions.remove(scope)
        return SubscriptionsListenResult.model_validate({"_meta": {SUBSCRIPTION_ID_META_KEY: ctx.request_id}})

    def _refuse_excess(self, caller: str, stream: bool) -> None:
        if self.stopping:
            raise refusals.stopping()
        if self._counts[caller, stream] >= (refusals.STREAMS if stream else refusals.CALLS):
            whose = {BY_ADDRESS: "address", BY_SIGN_IN: "sign-in"}.get(caller.partition(" ")[0] + " ", "key")
            raise refusals.too_many(stream, whose)
        in_all = sum(flight.stream == stream for flight in self._open)
        if in_all >= (refusals.STREAMS_IN_ALL if stream else refusals.CALLS_IN_ALL):
            raise refusals.busy()

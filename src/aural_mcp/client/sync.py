"""The client for code that does not await: the same calls, errors and budget, on an event loop of its own thread."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from anyio.from_thread import start_blocking_portal

from aural_mcp.api.models import Rows
from aural_mcp.client.client import AuralClient, R, Row
from aural_mcp.config import CLOUD

if TYPE_CHECKING:
    import httpx
    from anyio.from_thread import BlockingPortal

    from aural_mcp.api.operations import Operation

END: Any = object()


class SyncAuralClient:
    """A typed client of the Aural Developer API that blocks; threads may share one.

    Args:
        api_key: `dlv_...`; without one every call raises `NoUsableKey`.
        base_url: of the deployment, up to and including `/api/v1`.
        requests_per_minute: Aural's limit per key (60), kept by waiting; 0 is off.
        transport: an asynchronous httpx transport, e.g. for tests.
    """

    def __init__(
        self,
        api_key: str | None,
        base_url: str = CLOUD,
        *,
        requests_per_minute: int = 60,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._client = AuralClient(api_key, base_url, requests_per_minute=requests_per_minute, transport=transport)
        self._running = ExitStack()
        self._portal: BlockingPortal = self._running.enter_context(start_blocking_portal())

    def call(self, operation: Operation[R]) -> R:
        """Carry out one operation and return its result; see `AuralClient.call`."""
        return self._portal.call(self._client.call, operation)

    def each(self, operation: Operation[Rows[Row]]) -> Iterator[Row]:
        """Every row of a paged list, each once; see `AuralClient.each`."""
        rows = self._client.each(operation)
        while (row := self._portal.call(_next, rows)) is not END:
            yield row

    def close(self) -> None:
        """Close the connections and end the thread."""
        with self._running:
            self._portal.call(self._client.aclose)

    def __enter__(self) -> SyncAuralClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Sync{self._client!r}"


async def _next(rows: AsyncIterator[Row]) -> Row:
    return await anext(rows, END)

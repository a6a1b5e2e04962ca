"""Whoever carries out operations: the client itself, or one that shows less of what comes back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from aural_mcp.client.client import AuralClient, R, Spent

if TYPE_CHECKING:
    from aural_mcp.api.operations import Operation
    from aural_mcp.client.links import Source
    from aural_mcp.client.state import State


class Caller(Protocol):
    """What tools, workflows and resources are given to ask with."""

    async def call(self, operation: Operation[R], *, spent: Spent | None = None) -> R:
        """Carry out one operation; see `AuralClient.call`."""
        ...

    async def seen(self, operation: Operation[Any], result: R, spent: Spent) -> R:
        """What may be seen of a result that `raw` gave."""
        ...

    @property
    def raw(self) -> AuralClient:
        """The client that asks, for what compares and does not show."""
        ...

    @property
    def base_url(self) -> str: ...

    async def link_origin(self) -> str: ...

    async def links_from(self) -> tuple[str, Source]: ...

    @property
    def lacking(self) -> frozenset[str]: ...

    async def remaining(self) -> int | None: ...

    @property
    def state(self) -> State: ...

    @property
    def skew(self) -> float: ...

    @property
    def refused(self) -> bool: ...

    @property
    def tenant(self) -> str: ...

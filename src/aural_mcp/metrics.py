"""What operators measure, as Prometheus reads it: counted in this process, served on a port of its own.

No label says whose anything was: no key, person, interview, session or candidate.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Container, Iterable, Mapping
from typing import Any, cast

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    start_http_server,
)
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from aural_mcp._version import __version__
from aural_mcp.config import BadSetting

SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 45.0)
"""Where histograms divide; a call may take 45 s."""
CALL = "tools/call"
OTHER = "other"
"""Stands for the name of a tool that there is not: callers may send anything."""
QUEUED = ("pending", "parked")

log = logging.getLogger(__name__)


def serve(host: str, port: int) -> tuple[CollectorRegistry, str]:
    """Serve what is registered, in a thread that ends with the process.

    Returns:
        The registry, which says by itself what runs here and what it takes of the computer; and the address.

    Raises:
        BadSetting: the address cannot be listened on.
    """
    disable_created_metrics()
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    Gauge("aural_mcp_info", "The version that runs.", ["version"], registry=registry).labels(__version__).set(1)
    try:
        server, _ = start_http_server(port, host, registry)
    except OSError as error:
        reason = error.strerror or error
        said = (
            f"Metrics: nothing can listen on {host}, port {port}: {reason}. Choose --metrics-host and --metrics-port."
        )
        raise BadSetting(said) from error
    name = f"[{host}]" if ":" in host else host
    return registry, f"http://{name}:{server.server_port}/metrics"


class Requests:
    """What is asked of the backend and what it costs, as `aural_mcp.client.counting.Counts`."""

    def __init__(
        self, registry: CollectorRegistry, statuses: Iterable[str], reasons: Iterable[str], outcomes: Iterable[str]
    ) -> None:
        def counter(name: str, said: str, labels: Iterable[str] = ()) -> Counter:
            return Counter(f"aural_mcp_{name}", said, labels, registry=registry)

        self._answered = counter("requests", "Requests to the backend, by the class of its status.", ["status"])
        said = "Seconds until the backend's whole answer was here, without waiting for the budget."
        self._seconds = Histogram("aural_mcp_request_seconds", said, buckets=SECONDS, registry=registry)
        self._granted = counter("budget_granted", "Requests that the budgets of the keys let go.")
        self._waited = counter("budget_waited_seconds", "Seconds that those waited for it.")
        self._refused = counter("budget_refused", "Requests that were not sent, by reason.", ["reason"])
        self._created = counter("creates", "Creates, by what the ledger knows of them.", ["outcome"])
        for family, values in ((self._answered, statuses), (self._refused, reasons), (self._created, outcomes)):
            for value in values:
                family.labels(value)  # there from the start: what rises from nothing is no increase

    def granted(self, waited: float) -> None:
        """Count a request that leaves."""
        self._granted.inc()
        self._waited.inc(max(0.0, waited))

    def refused(self, reason: str) -> None:
        """Count one that does not."""
        self._refused.labels(reason).inc()

    def answered(self, status: str, seconds: float) -> None:
        """Count what came of one."""
        self._answered.labels(status).inc()
        self._seconds.observe(seconds)

    def created(self, outcome: str) -> None:
        """Count what came of a create."""
        self._created.labels(outcome).inc()


class Calls:
    """MCP middleware: calls of tools by what came of them, and how long they took.

    `done`; `asked` where a person is asked first; `failed` where the result says so; `error` where there was none.

    Args:
        tools: the names that there are.
    """

    def __init__(self, registry: CollectorRegistry, tools: Container[str]) -> None:
        self._tools = tools
        self._ended = Counter("aural_mcp_calls", "Calls of tools, by outcome.", ["tool", "outcome"], registry=registry)
        said = "Seconds that calls of tools took, waiting for the budget included."
        self._seconds = Histogram("aural_mcp_call_seconds", said, ["tool"], buckets=SECONDS, registry=registry)
        self._open = Gauge("aural_mcp_calls_in_flight", "Calls of tools that are being carried out.", registry=registry)

    async def __call__(self, ctx: Any, call_next: Callable[[Any], Awaitable[Any]]) -> Any:
        if ctx.method != CALL:
            return await call_next(ctx)
        name: object = cast("Mapping[str, Any]", ctx.params or {}).get("name")
        tool = name if isinstance(name, str) and name in self._tools else OTHER
        begun, outcome = time.perf_counter(), "error"
        self._open.inc()
        try:
            result = await call_next(ctx)
            outcome = _outcome(result)
            return result
        finally:
            self._open.dec()
            self._ended.labels(tool, outcome).inc()
            self._seconds.labels(tool).observe(time.perf_counter() - begun)


def _outcome(result: Mapping[str, Any]) -> str:
    if result.get("isError"):
        return "failed"
    structured = cast("Mapping[str, Any]", result.get("structuredContent") or {})
    return "asked" if "inputRequests" in result or {"confirmation", "approval"} & structured.keys() else "done"


class Queue(Collector):
    """Webhooks that have not arrived, read from the outbox when somebody looks; nothing while it cannot be read.

    Args:
        counts: gives how many there are by state.
    """

    def __init__(self, registry: CollectorRegistry, counts: Callable[[], Mapping[str, int]]) -> None:
        self._counts = counts
        registry.register(self)

    def collect(self) -> Iterable[Metric]:
        """The numbers of now."""
        try:
            counts = self._counts()
        except Exception as error:  # the other numbers are as good as before
            log.warning("The queue of webhooks cannot be read now: %s", type(error).__name__)
            return
        said = "Webhooks that have not arrived: on their way, or parked after the last attempt."
        family = GaugeMetricFamily("aural_mcp_webhooks", said, labels=["state"])
        for state in QUEUED:
            family.add_metric([state], counts.get(state, 0))
        yield family

"""`--metrics-port`: what is counted beside a command that serves, for Prometheus to read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from aural_mcp.database import Database
    from aural_mcp.server.server import AuralServer

OPTIONS = (
    click.option("--metrics-port", metavar="N", type=click.IntRange(0, 65535), help="Serve Prometheus' /metrics here."),
    click.option("--metrics-host", metavar="A", default="127.0.0.1", help="On this address; 127.0.0.1 when left out."),
)


def metrics_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that switch metrics on."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def serve_metrics(host: str, port: int | None) -> CollectorRegistry | None:
    """Begin to serve what will be registered; None where no port is named, and then nothing is loaded.

    Raises:
        click.ClickException: the package is missing.
        BadSetting: the address cannot be listened on.
    """
    if port is None:
        return None
    try:
        from aural_mcp import metrics
    except ModuleNotFoundError as error:
        said = f"--metrics-port needs {error.name}, which is not installed: pip install 'aural-mcp[metrics]'."
        raise click.ClickException(said) from error
    registry, address = metrics.serve(host, port)
    click.echo(f"aural-mcp: metrics at {address}.", err=True)
    return registry


def count_requests(registry: CollectorRegistry | None) -> None:
    """Count what this process asks of a backend."""
    if registry is not None:
        from aural_mcp.client import counting
        from aural_mcp.metrics import Requests

        counting.hear(Requests(registry, counting.STATUSES, counting.REASONS, counting.OUTCOMES))


def count_calls(registry: CollectorRegistry | None, server: AuralServer) -> None:
    """Count the calls of a server's tools, and what they ask of the backend."""
    if registry is not None:
        from aural_mcp.metrics import Calls
        from aural_mcp.server.access import BY_NAME

        server.middleware.insert(0, Calls(registry, BY_NAME))  # around all others
        count_requests(registry)


def count_webhooks(registry: CollectorRegistry | None, database: Database) -> None:
    """Count what waits in the outbox of a database."""
    if registry is not None:
        from aural_mcp.events import outbox
        from aural_mcp.metrics import Queue

        def counts() -> Mapping[str, int]:
            with database.reading() as db:
                found = outbox.counts(db)
            return sum((Counter(each) for each in found.values()), Counter[str]())

        Queue(registry, counts)

"""Where `aural-mcp audit export` sends lines: to stdout, to syslog, or to an OpenTelemetry collector."""

from __future__ import annotations

import logging
import re
import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager
from logging.handlers import SysLogHandler
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import click

if TYPE_CHECKING:
    from opentelemetry.sdk._logs import ReadableLogRecord

    from aural_mcp.privacy.audit_lines import Line

Send = Callable[[bytes, "Line"], object]
AT_ONCE = 500
"""Lines of one request to a collector."""
UNSENT = (
    "Not all was sent ({why}). Nothing remembers what was: export again, --since when you know the last to be there."
)


def to_stdout(raw: bytes, line: Line) -> None:
    """Print a line as it stands."""
    click.echo(raw)


@contextmanager
def to_syslog(address: str, facility: str) -> Generator[Send]:
    """Send each line as a message of RFC 5424: by UDP, by TCP with a line feed after each, or to a socket here.

    Args:
        address: `udp://host:514`, `tcp://host:514`, or the path of a socket.

    Raises:
        ClickException: it is none, or a message cannot be sent. By UDP nobody says that one arrived.
    """
    with _sending(OSError):
        handler = _Syslog(facility, **_place(address))
        host = socket.gethostname()
        try:
            yield lambda raw, line: handler.handle(_record(_message(raw, line, host)))
        finally:
            handler.close()


class _Syslog(SysLogHandler):
    """The standard library's, but what cannot be sent is raised."""

    append_nul = False

    def __init__(self, facility: str, **place: Any) -> None:
        super().__init__(facility=self.facility_names[facility], **place)
        self.setFormatter(logging.Formatter("%(message)s\n" if place["socktype"] == socket.SOCK_STREAM else None))

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  the name is logging's
        raise


def _place(address: str) -> dict[str, Any]:
    parts = urlsplit(address)
    if parts.scheme in ("udp", "tcp") and parts.hostname:
        kind = socket.SOCK_STREAM if parts.scheme == "tcp" else socket.SOCK_DGRAM
        return {"address": (parts.hostname, parts.port or 514), "socktype": kind}
    if address.startswith("/"):
        return {"address": address, "socktype": None}
    raise click.BadParameter("write udp://host:514, tcp://host:514, or the path of a socket", param_hint="--address")


def _message(raw: bytes, line: Line, host: str) -> str:
    """What follows the priority: version, time, host, program, writer, tool, no structured data, and the line."""
    names = [_name(line.said.get(each)) for each in ("at", "writer", "tool")]
    return f"1 {names[0]} {_name(host)} aural-mcp {names[1]} {names[2]} - {raw.decode()}"


def _name(value: object) -> str:
    return value if isinstance(value, str) and re.fullmatch(r"[\w.:+-]{1,32}", value, re.ASCII) else "-"


def _record(message: str) -> logging.LogRecord:
    return logging.LogRecord("aural_mcp.audit", logging.INFO, "", 0, message, None, None)


@contextmanager
def to_collector() -> Generator[Send]:
    """Send lines by OTLP over HTTP, 500 at once, as the `OTEL_*` variables say.

    Raises:
        ClickException: the packages are missing, or the collector does not take them.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
        from opentelemetry.sdk._logs.export import LogRecordExportResult
    except ImportError as error:
        raise click.ClickException("A package is missing: pip install 'aural-mcp[otel]'.") from error

    with _sending(ValueError):
        exporter, waiting = OTLPLogExporter(), list["ReadableLogRecord"]()

        def send() -> None:
            if waiting and exporter.export(waiting) is not LogRecordExportResult.SUCCESS:
                raise click.ClickException(UNSENT.format(why="the collector did not take it"))
            waiting.clear()

        def take(raw: bytes, line: Line) -> None:
            waiting.append(_telemetry(raw, line))
            if len(waiting) == AT_ONCE:
                send()

        try:
            yield take
            send()
        finally:
            exporter.shutdown()


def _telemetry(raw: bytes, line: Line) -> ReadableLogRecord:
    """A line as a log record: its body is the line as it stands, so that its hash can be checked."""
    from opentelemetry._logs import LogRecord, SeverityNumber
    from opentelemetry.sdk._logs import ReadableLogRecord
    from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource

    from aural_mcp._version import __version__

    said = {name: line.said.get(name) for name in ("writer", "seq", "tool", "outcome")}
    record = LogRecord(
        timestamp=round((line.at or 0) * 1e9),
        severity_number=SeverityNumber.INFO,
        severity_text="INFO",
        body=raw.decode(),
        attributes={f"aural.{name}": cast("str | int", value) for name, value in said.items() if value is not None},
        event_name="aural.decision",
    )
    return ReadableLogRecord(record, Resource.create({SERVICE_NAME: "aural-mcp", SERVICE_VERSION: __version__}))


@contextmanager
def _sending(*errors: type[Exception]) -> Generator[None]:
    try:
        yield
    except errors as error:
        raise click.ClickException(UNSENT.format(why=getattr(error, "strerror", None) or error)) from error

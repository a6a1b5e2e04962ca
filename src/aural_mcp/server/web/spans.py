"""Spans on their way out: sent in batches, without what a caller or an error wrote into them."""

from __future__ import annotations

from collections.abc import Sequence

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Status, set_tracer_provider

from aural_mcp._version import __version__
from aural_mcp.config import KEY, KEY_LEFT_OUT

LONGEST = 100
"""Characters of a name or value: tool names, methods and ids are shorter, but a caller may send anything."""
LAST_SPANS_WITHIN = 1_000
"""Milliseconds that the end of the process waits for a collector."""


def send_spans() -> None:
    """Make every span of this process leave by OTLP/HTTP, as the `OTEL_*` variables say.

    Raises:
        ValueError: one of them cannot be used.
    """
    ours = Resource.create({SERVICE_NAME: "aural-mcp", SERVICE_VERSION: __version__})
    provider = TracerProvider(resource=ours.merge(OTELResourceDetector().detect()))
    provider.add_span_processor(Batches(Discreet(OTLPSpanExporter())))
    set_tracer_provider(provider)


class Batches(BatchSpanProcessor):
    """The SDK's, but a collector that does not answer holds the end of the process for a second, not thirty."""

    def shutdown(self) -> None:
        self._batch_processor.shutdown(timeout_millis=LAST_SPANS_WITHIN)


class Discreet(SpanExporter):
    """Exports spans without events, messages and links' words, and with what callers may choose cut short.

    The SDK keeps arguments and results out of its spans, but it records error messages and stack traces.
    """

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return self._exporter.export([_discreet(span) for span in spans])

    def shutdown(self) -> None:
        self._exporter.shutdown()


def _discreet(span: ReadableSpan) -> ReadableSpan:
    values = (span.attributes or {}).items()
    return ReadableSpan(
        name=_short(span.name),
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes={name: _short(value) if isinstance(value, str) else value for name, value in values},
        kind=span.kind,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _short(text: str) -> str:
    return KEY.sub(KEY_LEFT_OUT, text)[:LONGEST]

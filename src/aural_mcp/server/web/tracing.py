"""OpenTelemetry, when the environment asks for it. The SDK makes the spans; here is where they go."""

from __future__ import annotations

import logging
from collections.abc import Mapping

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")

log = logging.getLogger(__name__)


def set_up_tracing(environment: Mapping[str, str]) -> None:
    """Send spans to the OTLP/HTTP endpoint that the environment names; without one, nothing is loaded.

    Tracing never keeps the server from starting: what is missing or wrong is one warning.
    """
    if not any(environment.get(name) for name in ENDPOINTS):
        return
    try:
        from aural_mcp.server.web.spans import send_spans

        send_spans()
    except ImportError:
        log.warning("Tracing is off: its packages are missing. Install them with: pip install 'aural-mcp[otel]'")
    except ValueError as error:
        log.warning("Tracing is off: %s. Correct the OTEL_* settings and restart.", error)

"""Logging on stderr, from which keys are struck out before anything is written."""

from __future__ import annotations

import logging
import re
import sys

KEY = re.compile(r"dlv_[A-Za-z0-9_\-]+")


class Redacting(logging.Formatter):
    """Formats as usual, tracebacks included, then strikes out whatever looks like a key."""

    def format(self, record: logging.LogRecord) -> str:
        return KEY.sub("dlv_…", super().format(record))


def set_up_logging(level: int = logging.WARNING) -> None:
    """Send warnings and errors to stderr; stdout belongs to the protocol."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Redacting("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level, handlers=[handler], force=True)

"""Who scores a finished session: nobody by itself, until the backend is given a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from aural_mcp.api.analysis import Analysis
from aural_mcp.backend.storage.store import Row


class AnalysisFailed(Exception):
    """No analysis could be made; the message is for the hiring team. The session stays open, nothing is invented."""


class Analyst(Protocol):
    """Makes an analysis of a finished session. It may take its time: no transaction is open while it thinks."""

    name: str

    def analyse(self, interview: Row, questions: Sequence[Row], turns: Sequence[Row]) -> Analysis | None:
        """The analysis, or None to leave it to people and their agents.

        Raises:
            AnalysisFailed: it was tried and could not be made.
        """
        ...


class NoAnalyst:
    """Leaves every session open: without a model, the agent at the other end of MCP can score it."""

    name = ""

    def analyse(self, interview: Row, questions: Sequence[Row], turns: Sequence[Row]) -> Analysis | None:
        return None

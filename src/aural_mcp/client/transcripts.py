"""Transcripts of finished sessions, asked for once and kept in memory as they came, for each key by itself.

What is kept is what cannot change any more: who it was and what was said. A row of a list that was read just now
tells whether it is still that: its state, the time of its last change, and how many turns it has.
"""

from __future__ import annotations

from aural_mcp.api.models import Session, SessionSummary

MOST_SESSIONS, MOST_BYTES = 1_000, 64_000_000
"""What a process keeps; what was used longest ago goes first."""
CHANGES = {"summary": True, "insights": True, "themes": True, "sentiment": True, "interview": {"title", "objective"}}
"""What of a finished session can still change."""


class Transcripts:
    """What one process keeps, as the JSON that it came as; whoever is given it may change it."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], tuple[object, bytes]] = {}
        self._bytes = 0

    def get(self, tenant: str, row: SessionSummary) -> Session | None:
        """The session of a row, without an analysis; None where it has to be asked for."""
        place, state = (tenant, row.id), _state(row)
        if state is None or self._kept.get(place, (None, b""))[0] != state:
            return None
        self._kept[place] = self._kept.pop(place)
        return Session.model_validate_json(self._kept[place][1])

    def has(self, tenant: str, row: SessionSummary) -> bool:
        """Whether `get` would give the session of a row."""
        state = _state(row)
        return state is not None and self._kept.get((tenant, row.id), (None, b""))[0] == state

    def keep(self, tenant: str, row: SessionSummary, session: Session) -> None:
        """Keep a session that was asked for because of a row, if it is finished."""
        place, state = (tenant, row.id), _state(row)
        self._drop(place)
        if state is None or session.status != row.status:
            return
        text = session.model_dump_json(by_alias=True, exclude_unset=True, exclude=CHANGES).encode()
        self._kept[place] = state, text
        self._bytes += len(text)
        while len(self._kept) > MOST_SESSIONS or self._bytes > MOST_BYTES:
            self._drop(next(iter(self._kept)))

    def _drop(self, place: tuple[str, str]) -> None:
        self._bytes -= len(self._kept.pop(place, (None, b""))[1])


def _state(row: SessionSummary) -> object:
    """What a kept session is compared by; None while it may go on: who gave up can come back."""
    if row.status != "COMPLETED" or not row.updated_at:
        return None
    return row.updated_at, row.counts.messages if row.counts else None

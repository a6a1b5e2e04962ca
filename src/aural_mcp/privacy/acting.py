"""For whom and by whom a call is made, as far as a record of it must say so."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from aural_mcp.config import EMPLOYER, Employer


async def _nothing(session_id: str) -> Sequence[str]:
    return ()


@dataclass(frozen=True)
class Acting:
    """Who acts, for whom, and what they looked at before.

    Args:
        person: who signed in; empty where nobody does, so that nobody can vouch for a name.
        looked_at: what the decision log says was shown of a session: tools and times, the latest last.
    """

    person: str = ""
    employer: Employer = EMPLOYER
    looked_at: Callable[[str], Awaitable[Sequence[str]]] = _nothing


NOBODY = Acting()

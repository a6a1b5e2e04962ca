"""How many people a key registered for an interview lately without anybody being asked, by whatever call."""

from __future__ import annotations

from aural_mcp.client.caller import Caller
from aural_mcp.client.journal import Journal
from aural_mcp.client.schema import REMEMBERED

CALLS = "calls"


class Lately:
    """The registrations of the last ten minutes that no person agreed to, in all processes that share the state."""

    def __init__(self, client: Caller, interview_id: str) -> None:
        self._journal, self._now = Journal(client, f"registered {interview_id}", REMEMBERED), client.state.now

    async def number(self) -> int:
        """How many people that are."""
        return sum(people for people, _ in self._recent(await self._journal.done([CALLS])).values())

    async def count(self, call: str, people: int, most: int | None = None) -> bool:
        """Set down how many people a call registers, if no more than `most` come of it; whether that is so."""
        while True:
            known = await self._journal.done([CALLS])
            others = {name: each for name, each in self._recent(known).items() if name != call}
            if most is not None and sum(each for each, _ in others.values()) + people > most:
                return False
            now = others | ({call: (people, self._now())} if people else {})
            if await self._journal.claim({CALLS: now}, known):
                return True

    def _recent(self, known: dict[str, dict[str, tuple[int, float]]]) -> dict[str, tuple[int, float]]:
        since = self._now() - REMEMBERED
        return {name: each for name, each in known.get(CALLS, {}).items() if each[1] > since}

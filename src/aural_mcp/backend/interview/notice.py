"""What candidates are told before they begin: one text with a version, shown on the first page and kept word for word.

Who interviews, what is recorded, who sees it, how it is scored, for how long it is kept, what may be asked, and whom.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from aural_mcp.backend.interview.words import counted, lasting
from aural_mcp.backend.storage.rights import keep_notice
from aural_mcp.backend.storage.store import digest

if TYPE_CHECKING:
    from aural_mcp.backend.interview.doors import Door

VERSION = "2026-12"
"""Another one whenever the words of a notice change, in any language."""
SAID = ("invited", "how", "consent", "contact", "day")
"""What the names of these words begin with."""


@dataclass(frozen=True)
class Notice:
    """What this candidate is told, in the order of the page, and the sentence that they agree to."""

    language: str
    invited: str
    heading: str
    points: Sequence[str]
    contact: str
    agreed: str

    @property
    def text(self) -> str:
        """All of it, a line each."""
        return "\n".join(filter(None, [self.invited, self.heading, *self.points, self.contact]))

    @property
    def digest(self) -> str:
        """What tells it from others."""
        return digest("\n".join([VERSION, self.language, self.text, self.agreed]))


def notice_for(door: Door) -> Notice:
    """What whoever stands at this door is told; what is not set is not said."""
    words, by = door.words, _line(door.host.organization)
    return Notice(
        words["lang"],
        words["invited.by"].format(organization=by) if by else words["invited"],
        words["how"],
        [_line(point) for point in _points(door)],
        f"{words['contact']} {_line(door.host.contact)}" if door.host.contact else "",
        words["consent.ai" if door.host.by_ai else "consent.rules"],
    )


def keep(db: Connection, door: Door, notice: Notice) -> None:
    """Store that the candidate of a session was told this and agreed."""
    row = {"digest": notice.digest, "version": VERSION, "language": notice.language, "text": notice.text}
    keep_notice(db, (door.session or {})["id"], row, notice.agreed)


def _points(door: Door) -> list[str]:
    words, interview, days = door.words, door.interview, door.host.retention_days
    points = [words["how.ai" if door.host.by_ai else "how.rules"].format(ai=interview["aiName"])]
    if interview["voiceEnabled"] or interview["videoEnabled"]:
        points.append(words["how.writing"])
    points.append(words["how.saved.anywhere" if door.candidate else "how.saved.here"])
    if minutes := interview["timeLimitMinutes"]:
        points.append(words["how.time"].format(time=lasting(words, 60 * minutes)))
    if limits := sorted({each["timeLimitSeconds"] for each in door.script if each["timeLimitSeconds"]}):
        times = " · ".join(lasting(words, seconds) for seconds in limits)
        points.append(words["how.time.questions"].format(times=times))
    points.append(words["how.recorded"])
    if interview["antiCheatingEnabled"]:
        points.append(words["how.integrity"])
    points += [words["how.reads"], words["how.scored"]]
    if days:
        points.append(words["how.kept"].format(time=counted(words, "day", days)))
    return [*points, words["how.rights"]]


def _line(text: str) -> str:
    return " ".join(text.split())

"""How fast one key can follow its interviews: what paces the looks of `aural-mcp watch`, and what its status says."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

EVERY, MINUTE = 10.0, 60.0
"""Seconds between two looks at the same, where the share of the budget allows it; and seconds of the key's minute."""
SHARE = 0.5
"""Of the requests that the key may send in a minute."""
QUIET = 0.2
"""Of that share: kept for interviews in which nothing seems to happen, however many others there are."""
PAGE = 100
"""Interviews that one request lists."""


@dataclass(frozen=True)
class Load:
    """What is to be followed with one key.

    Args:
        requests_per_minute: the key's limit; 0 is none.
        active: of the interviews, those whose sessions are likely to change.
        quiet: requests that one look at everything else costs.
        listed: whether the list of interviews is read.
    """

    requests_per_minute: int
    interviews: int
    active: int
    quiet: int
    listed: bool = True

    @property
    def share(self) -> float:
        """Requests in a minute that all processes together may send."""
        return self.requests_per_minute * SHARE or math.inf

    def times(self, factor: int) -> Load:
        """So many times as many interviews."""
        more = self.interviews * factor, self.active * factor, self.quiet * factor
        return replace(self, interviews=more[0], active=more[1], quiet=more[2])


@dataclass(frozen=True)
class Pace:
    """Seconds from one look to the next: at the list and at an active interview, and at a quiet one."""

    active: float
    quiet: float


def pace(load: Load) -> Pace:
    """How often everything is looked at. A long list costs two requests: its beginning, and a page in turn."""
    often = load.active + (0 if not load.listed else 1 if load.interviews <= PAGE else 2)
    active = max(EVERY, often * MINUTE / (load.share * (1 - QUIET)))
    left = load.share - often * MINUTE / active
    return Pace(active, max(EVERY, load.quiet * MINUTE / left))


def said(load: Load) -> str:
    """One key's pace in a sentence, and that of ten times as many interviews in another."""
    there = f"{number(load.interviews, 'interview', 'interviews')}, {load.active:,} of them active"
    if not load.requests_per_minute:
        return f"{there}: without a limit of requests each is looked at every {EVERY:.0f} s at best."
    now, more = pace(load), pace(load.times(10))
    return (
        f"{there}: with {load.share:.0f} requests a minute an active one is looked at every {_time(now.active)}, "
        f"a quiet one every {_time(now.quiet)}.\n"
        f"Ten times as many would be looked at every {_time(more.active)} and every {_time(more.quiet)}."
    )


def number(count: int, one: str, many: str) -> str:
    """So many of something."""
    return f"{count:,} {one if count == 1 else many}"


def _time(seconds: float) -> str:
    """Roughly, in the unit that is read best."""
    for size, unit in ((3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"

"""How fast one key can follow its interviews: what paces the looks of `aural-mcp watch`, and what its status says."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

EVERY, MINUTE = 10.0, 60.0
"""Seconds between two looks at the same, where the share of the budget allows it; and seconds of the key's minute."""
SHARE = 0.5
"""Of the requests that the key may send in a minute."""
QUIET = 0.2
"""Of a process's requests: kept for interviews in which nothing seems to happen, however many others there are."""
PAGE = 100
"""Interviews that one request lists."""


@dataclass(frozen=True)
class Load:
    """What one process has to follow.

    Args:
        share: requests that it may send in a minute.
        active: of the interviews, those whose sessions are likely to change.
        quiet: requests that one look at everything else costs.
        listing: requests that one look at the list of interviews costs.
    """

    share: float
    interviews: int
    active: int
    quiet: int
    listing: int


@dataclass(frozen=True)
class Pace:
    """Seconds from one look to the next: at the list and at an active interview, and at a quiet one."""

    active: float
    quiet: float


def share(requests_per_minute: int, processes: int) -> float:
    """Requests in a minute for each of so many processes; without a limit of the key (0) there is none."""
    return requests_per_minute * SHARE / processes or math.inf


def listing(interviews: int) -> int:
    """Requests for a look at a list of so many: its beginning, and of a long one a page of the rest in turn."""
    return 1 if interviews <= PAGE else 2


def pace(load: Load) -> Pace:
    """How often everything is looked at."""
    often = load.active + load.listing
    active = max(EVERY, often * MINUTE / (load.share * (1 - QUIET)))
    left = load.share - often * MINUTE / active
    return Pace(active, max(EVERY, load.quiet * MINUTE / left))


def said(loads: Sequence[Load]) -> str:
    """How fast these processes follow their interviews together, and ten times as many."""
    there, active = (sum(getattr(each, name) for each in loads) for name in ("interviews", "active"))
    all_of_them = f"{number(there, 'interview', 'interviews')}, {active:,} of them active"
    requests = sum(each.share for each in loads)
    if requests == math.inf:
        return f"{all_of_them}: without a limit of requests each is looked at every {EVERY:.0f} s at best."
    now, more = _slowest(loads), _slowest([_ten_times(each) for each in loads])
    return (
        f"{all_of_them}: with {requests:.0f} requests a minute an active one is looked at every {_time(now.active)}, "
        f"a quiet one every {_time(now.quiet)}.\n"
        f"Ten times as many would be looked at every {_time(more.active)} and every {_time(more.quiet)}."
    )


def _slowest(loads: Sequence[Load]) -> Pace:
    paces = [pace(each) for each in loads]
    return Pace(max(each.active for each in paces), max(each.quiet for each in paces))


def _ten_times(load: Load) -> Load:
    pages = listing(10 * load.interviews) if load.listing else 0
    return Load(load.share, 10 * load.interviews, 10 * load.active, 10 * load.quiet, pages)


def number(count: int, one: str, many: str) -> str:
    """So many of something."""
    return f"{count:,} {one if count == 1 else many}"


def _time(seconds: float) -> str:
    """Roughly, in the unit that is read best."""
    for size, unit in ((3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"

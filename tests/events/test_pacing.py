"""How fast a key follows its interviews: never beyond its share, and nothing is forgotten over what is urgent."""

import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from aural_mcp.events import pacing
from aural_mcp.events.pacing import EVERY, Load, pace
from aural_mcp.events.portions import LIST, Held
from aural_mcp.events.watching import due

COUNTS = some.integers(0, 10_000)
LOADS = some.builds(Load, some.floats(0.5, 500), COUNTS, COUNTS, COUNTS, some.integers(0, 2))


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no fault
@given(LOADS)
def test_all_looks_together_stay_within_the_share(load):
    found = pace(load)
    used = (load.active + load.listing) * 60 / found.active + load.quiet * 60 / found.quiet
    assert used <= load.share * 1.000001
    assert min(found.active, found.quiet) >= EVERY
    assert found.quiet <= max(EVERY, load.quiet * 60 / (load.share * pacing.QUIET) * 1.000001)


@pytest.mark.parametrize(
    ("interviews", "active", "seconds"),
    [(10, 2, (10, 90)), (100, 10, (27.5, 1_900)), (1_000, 20, (55, 19_800))],
)
def test_the_paces_in_the_documents_are_those_of_the_looks(interviews, active, seconds):
    quiet = 2 * interviews - active
    found = pace(Load(pacing.share(60, 1), interviews, active, quiet, pacing.listing(interviews)))
    assert (found.active, found.quiet) == pytest.approx(seconds)


def test_the_slowest_of_several_processes_is_said_and_ten_times_as_many():
    part = pacing.share(60, 2)
    loads = [Load(part, 101, 7, 190, 2), Load(part, 99, 5, 190, 0)]
    assert pacing.said(loads) == (
        "200 interviews, 12 of them active: with 30 requests a minute an active one is looked at every 45 s, "
        "a quiet one every 63 min.\nTen times as many would be looked at every 6 min and every 11 h."
    )
    assert pacing.said([Load(math.inf, 1, 0, 2, 1)]).endswith(
        "without a limit of requests each is looked at every 10 s at best."
    )


def held(identifier, *, active, sessions=1, at=0.0):
    return Held(identifier, 1, sessions, active, at, at, at)


def test_the_list_comes_first_then_what_is_active_and_then_what_was_not_looked_at_for_longest():
    mine = [
        held("quiet", active=False, at=90.0),
        held("longer", active=False, at=50.0),
        held("just now", active=False, at=99.0),
        held("empty", active=False, sessions=0, at=40.0),
        held("at work", active=True, at=70.0),
        held("looked at", active=True, at=95.0),
        held(LIST, active=True, at=85.0),
    ]
    found = [(look.one.id, look.what) for look in due(mine, pacing.Pace(12.0, 30.0), 120.0)]
    assert found == [
        (LIST, "list"),
        ("at work", "sessions"),
        ("looked at", "sessions"),
        ("empty", "candidates"),
        ("longer", "sessions"),
        ("longer", "candidates"),
        ("at work", "candidates"),
        ("quiet", "sessions"),
        ("quiet", "candidates"),
    ]


def test_what_was_looked_at_by_a_clock_that_was_set_back_is_looked_at_again():
    assert [look.what for look in due([held("a", active=True, at=500.0)], pacing.Pace(20.0, 30.0), 100.0)] == [
        "sessions",
        "candidates",
    ]

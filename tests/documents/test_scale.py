"""The arithmetic of docs/scale.md, computed again from what it says was measured."""

import math
import re
from pathlib import Path

import pytest

from aural_mcp.client import budget, state_database
from aural_mcp.server.web import refusals

PAGE = (Path(__file__).parent.parent.parent / "docs" / "scale.md").read_text(encoding="utf-8")
MEASURED = {name: float(value) for name, value in re.findall(r"^\| `(\w+)` \| ([\d.]+) \|", PAGE, re.M)}
ROWS = [re.findall(r"[\d,.]+", line) for line in re.findall(r"^\| [\d,]+ \|.*$", PAGE, re.M)]


def number(text):
    return float(text.replace(",", ""))


def rate(keys, part=1.0):
    return keys * part * MEASURED["limit"] / MEASURED["window"]


def cores(requests, milliseconds):
    return requests * MEASURED[milliseconds] / 1000 / MEASURED["busy"]


def test_what_the_code_says_is_what_the_page_says():
    assert MEASURED["limit"] == budget.Budget(60).limit
    assert MEASURED["window"] == budget.WINDOW
    assert MEASURED["connections"] == state_database.MOST
    assert (MEASURED["of_a_key"], MEASURED["in_flight"]) == (refusals.CALLS, refusals.CALLS_IN_ALL)


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_every_number_of_the_table_follows_from_what_was_measured(row):
    keys, *said = map(number, row)
    computed = []
    for part in (1.0, MEASURED["usual"]):
        requests = rate(keys, part)
        of_log = requests * MEASURED["wal_bytes"] / 1e6
        computed.append([requests, cores(requests, "replica_ms"), cores(requests, "database_ms"), of_log])
    expected = [value for pair in zip(*computed, strict=True) for value in pair]
    places = [1 if keys < 100 else 0] * 2 + [1] * 6
    assert said == [round(value, digits) for value, digits in zip(expected, places, strict=True)]


def test_every_number_of_the_text_follows_too():
    most, usual = rate(100_000), rate(100_000, MEASURED["usual"])
    replicas = math.ceil(cores(usual, "replica_ms"))
    carried = 8 * MEASURED["busy"] * 1000 / MEASURED["database_ms"]
    per_key = rate(1)
    for said in (
        f"= {per_key:.2f} a second",
        f"at most, {math.ceil(cores(rate(1000), 'replica_ms'))} replicas; usually, 1",
        f"{math.ceil(cores(rate(1000), 'replica_ms'))} replicas take 72 of the 100",
        f"Usually, {replicas} replicas",
        f"{replicas} x `connections` = {replicas * MEASURED['connections']:.0f}",
        f"at {cores(usual, 'database_ms'):.1f} cores",
        f"commits: {usual * MEASURED['trips']:,.0f} a second",
        f"{cores(most, 'database_ms'):.1f} cores and {math.ceil(cores(most, 'replica_ms'))} replicas",
        f"= {MEASURED['in_flight'] / MEASURED['of_a_key']:.0f} keys that flood",
        f"at {carried:,.0f} requests a second: {carried / per_key:,.0f} keys",
        f"or {carried / per_key / MEASURED['usual']:,.0f} in usual use",
    ):
        assert said in PAGE, said

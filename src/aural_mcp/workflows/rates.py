"""Rates of groups, how they compare, and whether chance explains it: exact until the last division."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import comb
from statistics import median

FOUR_FIFTHS = Fraction(4, 5)


def above_median(scores: Sequence[Fraction]) -> list[bool]:
    """Which of all scores are above their median."""
    middle = median(scores) if scores else Fraction()
    return [score > middle for score in scores]


def fisher(passed: int, number: int, others_passed: int, others: int) -> float:
    """Fisher's exact test, two-sided: how likely a table is that is no likelier than this one, by chance alone."""
    chosen = passed + others_passed
    lowest, highest = max(0, chosen - others), min(chosen, number)
    ways = [comb(number, lowest) * comb(others, chosen - lowest)]
    for count in range(lowest, highest):
        ways.append(ways[-1] * (number - count) * (chosen - count) // ((count + 1) * (others - chosen + count + 1)))
    own = ways[passed - lowest]
    return sum(each for each in ways if each <= own) / comb(number + others, chosen)

"""What the criteria of a rubric weigh, as people write it down, and the mean that comes of it."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, NamedTuple

from pydantic import MISSING

from aural_mcp.safety import quoted

NUMBER = re.compile(r"\+?(\d{1,9}(?:\.\d{1,9}|,\d{1,2})?)\s?(%?)")
"""A weight in text: a comma before three digits may be one of thousands, and is not read."""
NOT_USED = "Weight {weight} of {column} was not used, as it {why}: {column} counts 1."
GAPS = "The weights are not used: beside percentages nobody can tell what {columns} counts."
MIXED, NO_NUMBER = "is a percentage beside plain numbers", "is no number above 0"


@dataclass(frozen=True)
class Weights:
    """What each criterion counts; nothing where a rubric has no weights."""

    counts: Mapping[str, Fraction] = field(default_factory=dict[str, Fraction])
    notes: Sequence[str] = ()
    """Sentences on weights that were not used."""

    def mean(self, score: Callable[[str], float | None]) -> Fraction | None:
        """Sum of weight x score by sum of the weights, over the criteria that have a score; exact."""
        scored = {column: known for column in self.counts if (known := score(column)) is not None}
        total = sum((self.counts[column] for column in scored), Fraction())
        found = sum((self.counts[column] * Fraction(str(known)) for column, known in scored.items()), Fraction())
        return found / total if total else None

    @property
    def said(self) -> str:
        """E.g. `C1 3, C2 2, C3 1`."""
        return ", ".join(f"{column} {float(weight):g}" for column, weight in self.counts.items())


def weights_of(given: Mapping[str, Any]) -> Weights:
    """What the criteria count, from what stands beside each; one that has nothing counts 1."""
    written = {column: weight for column, weight in given.items() if weight not in (None, MISSING, "")}
    read = {column: _read(weight) for column, weight in written.items()}
    percents = all(each.percent for each in read.values() if each)
    used: dict[str, Fraction] = {}
    notes: list[str] = []
    for column, each in read.items():
        if each and (percents or not each.percent):
            used[column] = each.value
        else:
            weight, why = quoted(str(written[column]), 40), MIXED if each else NO_NUMBER
            notes.append(NOT_USED.format(weight=weight, column=column, why=why))
    if not any(used.values()):
        return Weights()
    if percents and any(each and each.percent for each in read.values()) and len(used) < len(given):
        return Weights(notes=[GAPS.format(columns=", ".join(column for column in given if column not in used))])
    return Weights({column: used.get(column, Fraction(1)) for column in given}, notes)


class _Read(NamedTuple):
    value: Fraction
    percent: bool = False


def _read(weight: Any) -> _Read | None:
    """A weight as somebody wrote it; None where it is none."""
    if isinstance(weight, int | float) and not isinstance(weight, bool):
        return _Read(Fraction(str(weight))) if math.isfinite(weight) and weight >= 0 else None
    found = NUMBER.fullmatch(unicodedata.normalize("NFKC", weight).strip()) if isinstance(weight, str) else None
    return _Read(Fraction(found[1].replace(",", ".")), bool(found[2])) if found else None

"""Tables of people in which nobody can be found: groups too small to be shown, and cells that would tell of them.

Every set of people whose figures can be told from a table, by sums and differences with the tables of its margins, has
`LEAST` people or nobody. Of one column that is so as small groups go into a row with others. Of two columns the cells
that are not shown are the edges of a graph between rows and columns whose sums are known: what can be told of these
edges are the cuts that all of them cross from rows to columns, so more cells are hidden until each is large enough.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

LEAST = 5
"""People below which a group is not shown."""
UNKNOWN = ""
"""The group of those of whom no group is known."""
Cell = tuple[int, int]
Corner = tuple[bool, int]
"""A row (true) or a column, by its place."""


@dataclass(frozen=True)
class Block:
    """A row of a table: the group that it is called by, if any, and all groups that are in it."""

    label: str
    groups: frozenset[str]
    compared: bool = False
    """Whether it is a group that others are compared with, and not one of whom nothing is known."""


def blocks(counts: Mapping[str, int], names: Mapping[str, str]) -> list[Block]:
    """The groups of a column as rows of which each has enough people; none where all together are too few.

    Args:
        names: what rows are called by that are no group: unknown, others (`of others`), few (`{group}` and others).
    """
    there = {group: count for group, count in counts.items() if count}
    own = sorted(group for group, count in there.items() if group != UNKNOWN and count >= LEAST)
    small = {group for group, count in there.items() if count < LEAST}
    if small and sum(there[group] for group in small) < LEAST and there.get(UNKNOWN, 0) >= LEAST:
        small.add(UNKNOWN)
    found = [Block(group, frozenset([group]), compared=True) for group in own]
    if small and sum(there[group] for group in small) < LEAST:
        if not own:
            return []
        largest = max(own, key=lambda group: there[group])
        mixed = Block(names["few"].format(group=largest), frozenset([largest, *small]), compared=True)
        found = [mixed if each.label == largest else each for each in found]
    elif small:
        found.append(Block(names["unknown" if small == {UNKNOWN} else "others"], frozenset(small)))
    if UNKNOWN in there and UNKNOWN not in small:
        found.append(Block(names["unknown"], frozenset([UNKNOWN])))
    return found


def hidden(cells: Mapping[Cell, int]) -> set[Cell] | None:
    """Which cells of a table are not shown, if the sums of its rows and columns are; None: no cell can be."""
    there = {cell: count for cell, count in cells.items() if count}
    found = {cell for cell, count in there.items() if count < LEAST}
    todo = sorted(found)
    while todo:
        side = _side(there, found, todo[-1])
        if side is None:
            todo.pop()
            continue
        crossing = [cell for cell in there.keys() - found if ((True, cell[0]) in side) != ((False, cell[1]) in side)]
        if not crossing:
            return None
        more = min(crossing, key=lambda cell: (there[cell], cell))
        found.add(more)
        todo.append(more)
    return found


def _side(counts: Mapping[Cell, int], among: Iterable[Cell], cell: Cell) -> set[Corner] | None:
    """One side of a cut that this cell crosses and that tells of too few people; None where there is none.

    As much as the cells allow flows from its row to its column, and any amount from columns to rows.
    """
    flow = dict.fromkeys(among, 0)
    start, end, carried = (True, cell[0]), (False, cell[1]), 0
    while carried < LEAST:
        came = _reached(counts, flow, start)
        if end not in came:
            return set(came)
        steps, corner = list[tuple[Cell, int]](), end
        while corner != start:
            before = came[corner]
            step = (before[1], corner[1]) if before[0] else (corner[1], before[1])
            steps.append((step, 1 if before[0] else -1))
            corner = before
        amount = min(counts[step] - flow[step] for step, way in steps if way > 0)
        for step, way in steps:
            flow[step] += way * amount
        carried += amount
    return None


def _reached(counts: Mapping[Cell, int], flow: Mapping[Cell, int], start: Corner) -> dict[Corner, Corner]:
    """The corners that more can flow to, each with the one before it."""
    came, todo = {start: start}, [start]
    while todo:
        corner = todo.pop(0)
        for row, column in flow:
            if corner == (True, row) and flow[row, column] < counts[row, column]:
                there = (False, column)
            elif corner == (False, column):
                there = (True, row)
            else:
                continue
            if there not in came:
                came[there] = corner
                todo.append(there)
    return came

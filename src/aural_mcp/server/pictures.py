"""What candidates drew, as pictures beside the words of a result; a host shows them to a person or to its model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aural_mcp.bounds import aside
from aural_mcp.drawings import can_draw, ours, pngs
from aural_mcp.tools.transcripts import ReportPage

MOST, MOST_BYTES = 4, 75_000
"""Pictures of one answer, and bytes of all: as text they stay below the least of what hosts take, 25,000 tokens."""
REST = "What was drawn in turn {turn} and later has no picture here: call get_session_report with fromTurn {turn}."


async def pictures_of(result: object) -> tuple[dict[int, bytes], list[str]]:
    """Pictures of what was drawn in a result, PNG by turn, and where the rest is.

    There are none where nobody is named, of what this project did not write, and without the extra `images`: the words
    say what there is in each case.
    """
    drawn = result.drawn if isinstance(result, ReportPage) else dict[int, Any]()
    if not drawn or not can_draw():
        return {}, []
    svgs = await aside(_ours, drawn)
    wanted, room, shown = list(svgs)[:MOST], MOST_BYTES, dict[int, bytes]()
    made = await pngs([svgs[turn] for turn in wanted]) if wanted else []
    for turn, png in zip(wanted, made, strict=False):
        if len(png) <= room:
            shown[turn] = png
            room -= len(png)
    later = [turn for turn in svgs if shown and turn > max(shown)]
    return shown, [REST.format(turn=later[0])] if later else []


def _ours(drawn: Mapping[int, Any]) -> dict[int, str]:
    return {turn: svg for turn, each in drawn.items() if (svg := ours(each))}

"""A candidate's drawing: as an SVG of our own making, and that SVG as a picture.

What draws it is handed nothing but what we write of numbers. An SVG that is not, to the letter, what we would write of
the numbers in it has come from elsewhere, and gets no picture.
"""

from __future__ import annotations

import base64
import json
import re
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from subprocess import DEVNULL, CalledProcessError
from typing import Any, cast

import anyio
from anyio.lowlevel import RunVar

Stroke = Sequence[tuple[int, int]]
LARGEST = 1_568
"""Pixels: hosts and models make a picture that is longer smaller themselves."""
LONGEST = 600_000
"""Characters of an SVG of which a picture is made."""
PATIENCE = 3.0
"""Seconds that all pictures of one answer may take."""
SIZE = re.compile(r'<svg xmlns="http://www\.w3\.org/2000/svg" viewBox="0 0 ([0-9]{1,4}) ([0-9]{1,4})">')
LINE = re.compile(r'<polyline points="([0-9, ]+)"/>')
POINT = re.compile(r"([0-9]{1,4}),([0-9]{1,4})")
RENDER = """
import base64, json, sys, resvg_py
draw = lambda svg: base64.b64encode(resvg_py.svg_to_bytes(svg_string=svg, skip_system_fonts=True)).decode()
json.dump([draw(svg) for svg in json.load(sys.stdin)], sys.stdout)
"""
"""Run as a program: resvg lets nothing else of a process run while it draws, and a stroke over itself takes long."""
_lane: RunVar[anyio.CapacityLimiter] = RunVar("drawing")


def svg_of(strokes: Sequence[Stroke], size: tuple[int, int]) -> str:
    """The drawing as an SVG of our own making: nothing of what a browser sent but numbers is in it."""
    return _written([[*each, *each] if len(each) == 1 else each for each in strokes], size)  # a dot is a line to itself


def _written(strokes: Sequence[Stroke], size: tuple[int, int]) -> str:
    paths = "".join(f'<polyline points="{" ".join(f"{x},{y}" for x, y in stroke)}"/>' for stroke in strokes)
    style = 'fill="none" stroke="#17181f" stroke-width="3" stroke-linecap="round" stroke-linejoin="round"'
    width, height = size
    ground = f'<rect width="{width}" height="{height}" fill="#ffffff"/>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">{ground}<g {style}>{paths}</g></svg>'
    )


def ours(drawn: Any) -> str | None:
    """The SVG of a stored drawing, written anew from its numbers; None where it is not one of ours."""
    svg: Any = cast("dict[str, Any]", drawn).get("svg") if isinstance(drawn, dict) else None
    if not isinstance(svg, str) or len(svg) > LONGEST or not (found := SIZE.match(svg)):
        return None
    size = int(found[1]), int(found[2])
    strokes = [[(int(x), int(y)) for x, y in POINT.findall(line)] for line in LINE.findall(svg)]
    is_ours = _written(strokes, size) == svg and strokes and all(0 < each <= LARGEST for each in size)
    return svg_of(strokes, size) if is_ours else None


def can_draw() -> bool:
    """Whether pictures can be made here: the extra `images` is installed."""
    return bool(sys.executable) and find_spec("resvg_py") is not None


async def pngs(svgs: Sequence[str]) -> list[bytes]:
    """Pictures of SVGs that `ours` gave, in a process of their own; none where that fails or takes too long."""
    try:
        lane = _lane.get()
    except LookupError:
        lane = anyio.CapacityLimiter(1)
        _lane.set(lane)
    command = [sys.executable, "-P", "-c", RENDER]
    with anyio.move_on_after(PATIENCE):
        async with lane:
            try:
                done = await anyio.run_process(command, input=json.dumps(svgs).encode(), stderr=DEVNULL)
                return [base64.b64decode(each) for each in json.loads(done.stdout)]
            except (OSError, CalledProcessError, ValueError):
                return []
    return []

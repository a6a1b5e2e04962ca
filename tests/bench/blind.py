"""What tells who somebody is, and can be read in blind mode: 0 wanted, of 1,000 made-up people.

    python tests/bench/blind.py [PEOPLE]

Everything that tools, resources and prompts say of them is searched for their names, addresses, numbers, schools,
employers, birthdays and gender, as they were written; the control is the same without blind mode, of 50 of them.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from pathlib import Path

import anyio

sys.path.insert(0, str(Path(__file__).parent.parent))
from aural_mcp.privacy.exposure import Exposure
from conftest import make_world
from people import leaks, people

GROUP = 100


async def main() -> int:
    count = int([*sys.argv[1:], "1000"][0])
    everybody, found, read = people(count, seed=7), Counter[tuple[str, str]](), 0
    with tempfile.TemporaryDirectory() as folder:
        for number, start in enumerate(range(0, count, GROUP)):
            world = make_world(f"sqlite:///{folder}/{number}.db")
            more, characters = await leaks(world, everybody[start : start + GROUP], Exposure(blind=True))
            found.update(more)
            read += characters
        control, _ = await leaks(make_world(f"sqlite:///{folder}/control.db"), everybody[:50], Exposure())
    print(f"{count} people, {read:,} characters read: {found.total()} leaks; without blind, of 50: {len(control)}")
    print(*found.most_common(10), sep="\n")
    return 0 if not found and control else 1


if __name__ == "__main__":
    sys.exit(anyio.run(main))

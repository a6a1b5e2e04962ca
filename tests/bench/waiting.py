"""200 sessions that finish at random over three minutes, followed by wait_for_sessions with its cursor.

    python tests/bench/waiting.py [SESSIONS] [SECONDS]

Each change must be told exactly once and the key's minute never exceeded; the control looks every two seconds
without a budget and without a cursor. Exit code 1 where it does not hold.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import anyio
from mcp import Client
from sqlalchemy import update

sys.path.insert(0, str(Path(__file__).parent.parent))
from aural_mcp.backend.storage import tables
from aural_mcp.client.client import AuralClient
from aural_mcp.client.state import State
from aural_mcp.server.principal import OneClient
from aural_mcp.server.server import AuralServer
from conftest import KEY, ORIGIN, make_world, ok
from hooks import Counted
from rows import add_session

LIMIT, SEED = 60, 11


async def main(sessions: int, seconds: float) -> int:
    draw = random.Random(SEED)
    with tempfile.TemporaryDirectory() as folder:
        world = make_world(f"sqlite:///{folder}/workspace.db")
        async with Client(world.server) as agent:
            made = (await ok(agent, "create_interview", title="Backend engineer"))["id"]
        ids = [add_session(world, made, status="IN_PROGRESS", participantName=f"P {n}") for n in range(sessions)]
        ends = sorted((draw.uniform(0, seconds), each) for each in ids)
        told: Counter[tuple[str, str]] = Counter()
        wire = Counted(world.app)
        begun = time.monotonic()

        async def finish() -> None:
            for at, session in ends:
                await anyio.sleep(max(0.0, begun + at - time.monotonic()))
                with world.store.writing() as db:
                    row = tables.sessions.c.id == session
                    db.execute(update(tables.sessions).where(row).values(status="COMPLETED"))

        cursor: dict[str, str] = {}
        calls, over = 0, False
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(finish)
            while not over:  # another process each time: only the state file is shared
                state = State(lambda: Path(folder) / "state.db")
                client = AuralClient(KEY, f"{ORIGIN}/api/v1", requests_per_minute=LIMIT, transport=wire, state=state)
                async with Client(AuralServer(OneClient(client), backend="T.")) as agent:
                    said = await ok(agent, "wait_for_sessions", interviewId=made, **cursor)
                await state.aclose()
                calls += 1
                told.update((each["sessionId"], each["now"]) for each in said.get("changes", []))
                cursor, over = {"cursor": said.get("cursor", "")}, said["isOver"]
        once = sum(told[each, "complete, not scored"] == 1 for each in ids)
        wrong = sum(told.values()) - once
        print(
            f"{sessions} sessions over {seconds:.0f} s: {once} changes told once, {wrong} otherwise, in {calls} calls"
        )
        print(f"{len(wire.at)} requests, {wire.busiest} in the busiest minute (at most {LIMIT})")
        control = LIMIT // 2 * -(-sessions // 100)
        print(f"control, a look every 2 s: {control} requests a minute, and every call tells all of them again")
        world.store.close()
    return 0 if once == sessions and not wrong and wire.busiest <= LIMIT else 1


if __name__ == "__main__":
    given = sys.argv[1:]
    sys.exit(anyio.run(main, int(given[0]) if given else 200, float(given[1]) if given[1:] else 180.0))

"""The recruiter's desk on 100 interviews with 500 sessions: how long each page takes in process, at the median.

    python tests/bench/desk.py

One interview has 104 sessions, the others 4 each, all scored, of ten turns. Each page is asked for 9 times.
"""

from __future__ import annotations

import asyncio
import re
import statistics
import sys
import tempfile
import time
from pathlib import Path

import httpx
from mcp import Client

sys.path.insert(0, str(Path(__file__).parent.parent))

from aural_mcp.server.desk import Desk
from conftest import make_world, ok
from scored import CRITERIA, QUESTIONS, SAID, even, interview_with, sit

HERE, TIMES, MOST = "http://127.0.0.1:8555", 9, 200


async def seeded(world) -> tuple[str, str, str]:
    """The large interview, a small one, and a session of it."""
    async with Client(world.server) as agent:
        ids = [await interview_with(agent)]
        rubric = [{"name": name, "description": "A strong answer shows numbers."} for name in CRITERIA]
        asked = [{"text": text} for text in QUESTIONS]
        for number in range(1, 100):
            given = {"title": f"Backend engineer {number}", "assessmentCriteria": rubric}
            ids.append((await ok(agent, "create_interview", **given))["id"])
            await ok(agent, "create_questions", interviewId=ids[-1], questions=asked)
        people = [{"name": f"Waits {number}"} for number in range(20)]
        await ok(agent, "create_candidates", interviewId=ids[0], candidates=people)
    turns = [turn for text in QUESTIONS for turn in (text, SAID)]
    for number, interview in enumerate(ids):
        for person in range(4 if number else 104):
            session = sit(world, interview, f"Person {person}", even(1 + (person + number) % 10), turns)
    return ids[0], ids[1], session


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        world = make_world(f"sqlite:///{folder}/workspace.db")
        large, small, session = await seeded(world)
        desk = Desk(world.server, HERE)
        pages = {
            "interviews": "/",
            "interviews, found by title": "/?title=engineer",
            "session": f"/sessions/{session}",
        }
        for name, interview in (("of 104", large), ("of 4", small)):
            pages |= {
                f"progress {name}": f"/interviews/{interview}",
                f"comparison {name}": f"/interviews/{interview}/comparison",
                f"comparison {name}, quotes": f"/interviews/{interview}/comparison?quotes=1",
                f"sessions {name}": f"/interviews/{interview}/sessions",
                f"interview {name}": f"/interviews/{interview}/questions",
                f"exports {name}": f"/interviews/{interview}/exports",
                f"report {name}": f"/interviews/{interview}/results.html?open=1",
                f"table {name}": f"/interviews/{interview}/results.csv",
            }
        slow = []
        async with httpx.AsyncClient(transport=httpx.ASGITransport(desk), base_url=HERE) as browser:
            token = desk.entry.link("/").partition("token=")[2]
            await browser.post("/enter", data={"token": token}, headers={"origin": HERE})
            print(f"{'':30}{'median ms':>10}{'first ms':>10}{'KB':>8}")
            for name, path in pages.items():
                times = []
                for _ in range(TIMES):
                    begun = time.perf_counter()
                    page = await browser.get(path)
                    times.append(1000 * (time.perf_counter() - begun))
                    assert page.status_code == 200, (path, re.sub("<[^>]+>", " ", page.text)[-400:])
                median = statistics.median(times)
                slow += [name] if median > MOST else []
                print(f"{name:30}{median:10.1f}{times[0]:10.1f}{len(page.content) / 1000:8.0f}")
        print(f"over {MOST} ms: {', '.join(slow) or 'none'}")
        world.store.close()


if __name__ == "__main__":
    asyncio.run(main())

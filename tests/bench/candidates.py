"""Candidates at once: how fast a page answers and an answer is stored, and that none is lost when the power goes.

    python tests/bench/candidates.py                   50 candidates, beside a page that does nothing
    python tests/bench/candidates.py kill [ROUNDS]     20 candidates answering, kill -9 at random moments, 200 times

Candidates think for about a second between answers. Times are of plain HTTP on SQLite with full sync.
"""

from __future__ import annotations

import asyncio
import random
import re
import signal
import socket
import sqlite3
import statistics
import sys
import tempfile
import time
from html import unescape
from pathlib import Path

import httpx

from kill import start, stop

QUESTIONS = 12
STORY = "I designed the consumer side and ran it for two years, with four thousand events a second, number {number}."


def interview(origin: str, key: str) -> str:
    """A published interview of long questions; its link."""
    with httpx.Client(base_url=f"{origin}/api/v1", headers={"authorization": f"Bearer {key}"}, trust_env=False) as http:
        made = http.post("/interviews", json={"title": "Bench", "followUpDepth": "LIGHT"}).json()["data"]["id"]
        questions = [{"text": f"Question {number}: {'why ' * 20}"} for number in range(QUESTIONS)]
        http.post(f"/interviews/{made}/questions", json=questions)
        return http.post(f"/interviews/{made}/publish").json()["data"]["url"]


class Candidate:
    """One person with a browser; notes what each step took, and which answers were acknowledged."""

    def __init__(self, link: str, number: int, think: float) -> None:
        self.link, self.number, self.think = link, number, think
        self.shown: list[float] = []
        self.stored: list[float] = []
        self.acknowledged: list[str] = []

    async def take(self) -> None:
        async with httpx.AsyncClient(trust_env=False, timeout=30, verify=False) as browser:
            await asyncio.sleep(random.uniform(0, self.think))
            await browser.post(f"{self.link}/start", data={"name": f"C{self.number}", "consent": "yes"})
            for step in range(QUESTIONS):
                begun = time.perf_counter()
                page = await browser.get(self.link)
                self.shown.append(time.perf_counter() - begun)
                await asyncio.sleep(random.uniform(0.5, 1.5) * self.think)
                turn = re.search(r'name="turn" value="([^"]+)"', page.text)
                text = STORY.format(number=f"{self.number}-{step}")
                begun = time.perf_counter()
                answer = await browser.post(f"{self.link}/answer", data={"turn": unescape(turn[1]), "answer": text})
                self.stored.append(time.perf_counter() - begun)
                if answer.status_code == 303:
                    self.acknowledged.append(text)


async def nothing(origin: str, times: list[float]) -> None:
    """A page that does nothing, asked for all the while."""
    async with httpx.AsyncClient(trust_env=False, verify=False) as browser:
        while True:
            begun = time.perf_counter()
            await browser.get(f"{origin}/assets/aural.svg")
            times.append(time.perf_counter() - begun)
            await asyncio.sleep(0.1)


async def at_once(origin: str, link: str, people: int) -> None:
    idle: list[float] = []
    beside = asyncio.create_task(nothing(origin, idle))
    candidates = [Candidate(link, number, think=1.0) for number in range(people)]
    await asyncio.gather(*(candidate.take() for candidate in candidates))
    beside.cancel()
    shown = [took for candidate in candidates for took in candidate.shown]
    stored = [took for candidate in candidates for took in candidate.stored]
    print(f"{people} candidates, {len(stored)} answers{'median ms':>20}{'p99 ms':>10}")
    for name, times in (
        ("a page that does nothing", idle),
        ("the candidate's page", shown),
        ("an answer stored", stored),
    ):
        print(f"{name:30}{statistics.median(times) * 1000:17.1f}{statistics.quantiles(times, n=100)[98] * 1000:10.1f}")


async def until_killed(link: str, people: int, kill_after: float, kill: object) -> list[str]:
    """The answers that were acknowledged before the server was killed."""
    candidates = [Candidate(link, number, think=0.02) for number in range(people)]
    running = [asyncio.create_task(candidate.take()) for candidate in candidates]
    await asyncio.sleep(kill_after)
    kill()
    await asyncio.gather(*running, return_exceptions=True)
    return [text for candidate in candidates for text in candidate.acknowledged]


def main(rounds: int) -> None:
    random.seed(1)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with tempfile.TemporaryDirectory() as name:
        folder, origin = Path(name), f"http://127.0.0.1:{port}"
        process, _ = start(folder, port)
        key = re.search(r"dlv_\w+", process.stdout.readline() + process.stdout.readline())[0]
        link = interview(origin, key)
        if not rounds:
            asyncio.run(at_once(origin, link, 50))
            stop(process)
            return
        stop(process)
        lost, answers, broken = 0, 0, set()
        for _ in range(rounds):
            process, _ = start(folder, port)
            after = random.uniform(0.3, 1.5)
            acknowledged = asyncio.run(until_killed(link, 20, after, lambda: process.send_signal(signal.SIGKILL)))  # noqa: B023
            process.wait()
            process.stdout.close()
            with sqlite3.connect(folder / "workspace.db") as db:
                stored = [row[0] for row in db.execute("SELECT content FROM messages WHERE role = 'USER'")]
                broken |= {db.execute("PRAGMA integrity_check").fetchone()[0]} - {"ok"}
            lost += sum(text not in stored for text in acknowledged)
            answers += len(acknowledged)
            with sqlite3.connect(folder / "workspace.db") as db:
                db.execute("DELETE FROM messages")
        print(f"{rounds} kills with 20 candidates, {answers:,} acknowledged answers: {lost} lost, {broken or 'ok'}")


if __name__ == "__main__":
    main(int(sys.argv[2]) if len(sys.argv) > 2 else 200 if "kill" in sys.argv else 0)

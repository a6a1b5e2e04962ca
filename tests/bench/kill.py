"""Kill -9 under load: is every acknowledged write there, is the database whole, how long does the next start take?

    python tests/bench/kill.py [ROUNDS] [SEED]        200 rounds by default, about ten minutes

Each round starts `aural-mcp backend` on the same SQLite workspace, four clients create interviews with questions,
and the process is killed at a random moment. Then the workspace is opened and compared with what was acknowledged.
"""

from __future__ import annotations

import concurrent.futures
import os
import random
import re
import signal
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import httpx

CLIENTS = 4


def start(folder: Path, port: int) -> tuple[subprocess.Popen[str], float]:
    """The backend, and the seconds until it answers."""
    environment = {**os.environ, "AURAL_DATA_DIR": str(folder), "AURAL_REQUESTS_PER_MINUTE": "0"}
    begun = time.perf_counter()
    command = [sys.executable, "-u", "-m", "aural_mcp", "backend", "--port", str(port)]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    while True:
        try:
            httpx.get(f"http://127.0.0.1:{port}/workspace", trust_env=False)
            return process, time.perf_counter() - begun
        except httpx.TransportError:
            time.sleep(0.005)


def write_until_killed(url: str, key: str, number: int, acknowledged: list[tuple[str, list[str]]]) -> None:
    """Create interviews and their questions, noting each only once its answer is in."""
    with httpx.Client(base_url=url, headers={"authorization": f"Bearer {key}"}, trust_env=False) as http:
        try:
            for count in range(100_000):
                made = http.post("/interviews", json={"title": f"{number}-{count}"}).json()["data"]["id"]
                acknowledged.append((made, []))
                body = [{"text": "Q1"}, {"text": "Q2"}]
                added = http.post(f"/interviews/{made}/questions", json=body).json()["data"]
                acknowledged[-1] = (made, [row["id"] for row in added])
        except (httpx.TransportError, ValueError):
            return


def lost(folder: Path, acknowledged: list[tuple[str, list[str]]]) -> tuple[int, str]:
    """How many acknowledged rows are missing, and what the database says of itself."""
    with sqlite3.connect(folder / "workspace.db") as db:
        interviews = {row[0] for row in db.execute("SELECT id FROM interviews")}
        questions = {row[0] for row in db.execute("SELECT id FROM questions")}
        pairs = {row[0] for row in db.execute('SELECT count(*) FROM questions GROUP BY "interviewId"')}
        whole = db.execute("PRAGMA integrity_check").fetchone()[0]
    missing = sum(made not in interviews for made, _ in acknowledged)
    missing += sum(question not in questions for _, added in acknowledged for question in added)
    return missing, whole if pairs <= {2} else f"half a batch: {pairs}"


def main(rounds: int, seed: int) -> None:
    chance = random.Random(seed)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        process, _ = start(folder, port)
        key = re.search(r"dlv_\w+", process.stdout.readline() + process.stdout.readline())[0]
        stop(process)
        clean, after_kill, missing, broken, written = [], [], 0, set(), 0
        for _ in range(rounds):
            process, _ = start(folder, port)
            acknowledged = [[] for _ in range(CLIENTS)]
            with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
                for number, mine in enumerate(acknowledged):
                    pool.submit(write_until_killed, f"http://127.0.0.1:{port}/api/v1", key, number, mine)
                threading.Event().wait(chance.uniform(0.05, 0.6))
                process.send_signal(signal.SIGKILL)
                process.wait()
            process, seconds = start(folder, port)
            after_kill.append(seconds)
            stop(process)
            process, seconds = start(folder, port)
            clean.append(seconds)
            stop(process)
            rows = [row for mine in acknowledged for row in mine]
            absent, whole = lost(folder, rows)
            missing, written = missing + absent, written + sum(1 + len(added) for _, added in rows)
            broken |= {whole} - {"ok"}
        killed, calm = statistics.median(after_kill), statistics.median(clean)
        print(f"{rounds} kills under load, {written:,} acknowledged rows: {missing} lost, integrity {broken or 'ok'}")
        print(f"start after a kill {killed:.2f} s, clean {calm:.2f} s: {killed / calm:.2f}")


def stop(process: subprocess.Popen[str]) -> None:
    process.terminate()
    process.wait()
    process.stdout.close()


if __name__ == "__main__":
    given = dict(enumerate(map(int, sys.argv[1:])))
    main(given.get(0, 200), given.get(1, 1))

"""30 interviews of 6 questions by `aural-mcp apply`, killed in the middle, against a real backend of 60 a minute.

    python tests/bench/launch.py [INTERVIEWS]

Real processes and SIGKILL. Each interview must be there once, complete, and no request refused. About six minutes:
what a killed process was about, another one takes up after 105 s. Exit code 1 where it does not hold.
"""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import httpx

sys.path.insert(0, str(Path(__file__).parent.parent))
from processes import free_port

SEED, KILLS = 3, 3


def main(number: int) -> int:
    draw = random.Random(SEED)
    wanted = [
        {"title": f"Role {each}", "objective": "O", "questions": [{"text": f"Q{n}"} for n in range(6)], "publish": True}
        for each in range(number)
    ]
    with tempfile.TemporaryDirectory() as folder:
        file, port = Path(folder) / "roles.json", free_port()
        file.write_text(json.dumps(wanted))
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AURAL_")}
        shell = {**kept, "AURAL_DATA_DIR": f"{folder}/backend"}
        command = [sys.executable, "-m", "aural_mcp", "backend", "--port", str(port)]
        with subprocess.Popen(command, env=shell, stdout=subprocess.PIPE, text=True) as backend:
            try:
                key = next(found[0] for line in backend.stdout if (found := re.search(r"dlv_\S+", line)))
                api = f"http://127.0.0.1:{port}/api/v1"
                theirs = {**kept, "AURAL_DATA_DIR": f"{folder}/mine", "AURAL_BASE_URL": api, "AURAL_API_KEY": key}
                begun, code, rounds = time.monotonic(), 1, 0
                while code:
                    rounds += 1
                    code = applied(file, theirs, draw.uniform(1.0, 4.0) if rounds <= KILLS else None)
                took = time.monotonic() - begun
                time.sleep(61)  # the listing below has a budget too
                faults = looked_over(api, key, number)
            finally:
                backend.terminate()
    print(
        f"{number} interviews, killed {KILLS} times, {rounds} rounds, {took:.0f} s: {faults or 'each once, complete'}"
    )
    return 1 if faults else 0


def applied(file: Path, shell: dict[str, str], dies_after: float | None) -> int:
    """One round; the status, -9 where it was killed."""
    command = [sys.executable, "-m", "aural_mcp", "apply", str(file), "--yes"]
    child = subprocess.Popen(command, env=shell, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        return child.wait(timeout=dies_after)
    except subprocess.TimeoutExpired:
        child.kill()
        return child.wait()


def looked_over(api: str, key: str, number: int) -> str:
    """What is wrong with what is there; empty when nothing is."""
    asked = {"params": {"limit": 100}, "headers": {"authorization": f"Bearer {key}"}, "trust_env": False}
    rows = httpx.get(f"{api}/interviews", **asked).json()["data"]
    titles = Counter(row["title"] for row in rows)
    faults = [f"{title} {times} times" for title, times in titles.items() if times > 1]
    faults += [f"{number - len(titles)} missing"] if len(titles) != number else []
    half = [row["title"] for row in rows if row["_count"]["questions"] != 6 or row["requireInvite"]]
    return ", ".join([*faults, *(f"{title} is half made" for title in half)])


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if sys.argv[1:] else 30))

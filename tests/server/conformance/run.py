"""The official conformance suite against the real server, in both protocol generations.

    python tests/server/conformance/run.py

Twice: the plain `aural-mcp serve --http --local`, where expected.yml says what needs a fixture of the suite's own, and
the same server with those fixtures laid over it (overlay.py), where expected-overlay.yml says what is left. Exit
status 0 only if everything is as these two files say. Half a minute.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

VERSION = "0.2.0-alpha.12"
HERE = Path(__file__).parent
GENERATIONS = ("2025-11-25", "2026-07-28")
SKILLS = ("sep-2640-skills-directory", "sep-2640-skills-enumeration", "sep-2640-skills-manifest")
PLAIN = ["-m", "aural_mcp", "serve", "--http", "--local", "--port"]
OVERLAY = [str(HERE / "overlay.py")]


def conformance() -> str:
    """The suite's command, in the version that the expectations were written for."""
    command = shutil.which("conformance")
    found = subprocess.run([command, "--version"], capture_output=True, text=True).stdout.strip() if command else "none"
    if found != VERSION:
        package = f"@modelcontextprotocol/conformance@{VERSION}"
        sys.exit(f"Needs `conformance` {VERSION} on PATH (found: {found}). With Node 22: npm install -g {package}")
    return command


@contextmanager
def served(arguments: list[str], folder: Path) -> Iterator[str]:
    """A server on a free port, with a workspace of its own."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AURAL_")}
    environment = {**kept, "AURAL_DATA_DIR": str(folder / "data"), "AURAL_PAGE_PORT": "0"}
    log = folder / "log"
    with log.open("wb") as stderr:
        process = subprocess.Popen([sys.executable, *arguments, str(port)], env=environment, stderr=stderr)
    try:
        until = time.monotonic() + 60
        while not answers(f"http://127.0.0.1:{port}/"):
            if process.poll() is not None or time.monotonic() > until:
                sys.exit(f"The server did not start:\n{log.read_text()}")
            time.sleep(0.05)
        yield f"http://localhost:{port}/mcp"
    finally:
        process.terminate()
        process.wait()


def answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=5)
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def row(name: str, commands: list[list[str]], folder: Path, expected: Path | None) -> bool:
    """Run the suite and print what it found as one line; what is not as expected follows it."""
    results = folder / "results"
    results.mkdir()
    known = re.findall(r"^ +- (\S+)", expected.read_text(), re.MULTILINE) if expected else []
    baseline = ["--expected-failures", str(expected)] if expected else []
    runs = [
        subprocess.run([*command, *baseline, "-o", str(results)], capture_output=True, text=True, timeout=300)
        for command in commands
    ]
    files = list(results.glob("*/checks.json"))
    counts: Counter[str] = Counter()
    for file in files:
        scenario = re.sub(r"^server-|-\d{4}-\d\d-\d\dT.*$", "", file.parent.name)
        for check in json.loads(file.read_text()):
            status, label = check["status"], f"{scenario}:{check['id']}"
            counts[status] += 1
            if status in ("FAILURE", "WARNING"):
                excused = scenario in known or label in known
                counts["expected"] += excused
                if not excused:
                    print(f"  not expected: {label}: {check.get('errorMessage') or check['description']}")
    good = bool(files) and all(run.returncode == 0 for run in runs)
    failed, warned = counts["FAILURE"], counts["WARNING"]
    columns = f"{len(files):9} {counts['SUCCESS']:7} {failed:7} {warned:7} {counts['expected']:9}"
    print(f"{name:28} {columns}  {'ok' if good else 'NOT AS EXPECTED'}", flush=True)
    for run in runs:
        if run.returncode and (said := re.search(r"(Stale|Unexpected)[\s\S]*", run.stdout + run.stderr)):
            print(re.sub(r"\x1b\[\d+m", "", said[0]).rstrip())
    return good


def main() -> int:
    command = conformance()
    print(f"{'':28} scenarios  passed  failed  warned  expected")
    good = True
    for name, arguments, file in (("plain", PLAIN, "expected.yml"), ("overlay", OVERLAY, "expected-overlay.yml")):
        with tempfile.TemporaryDirectory() as folder, served(arguments, Path(folder)) as url:
            suite = [command, "server", "--url", url]
            rows = {version: [[*suite, "--suite", "all", "--spec-version", version]] for version in GENERATIONS}
            if name == "plain":
                rows["skills (SEP-2640)"] = [[*suite, "--scenario", scenario] for scenario in SKILLS]
            for title, commands in rows.items():
                with tempfile.TemporaryDirectory() as results:
                    expected = HERE / file if title in GENERATIONS else None
                    good &= row(f"{name}, {title}", commands, Path(results), expected)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

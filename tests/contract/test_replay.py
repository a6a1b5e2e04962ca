"""Aural's recorded answers, replayed against a served backend that holds the rows they were recorded on.

`cases.jsonl`, `seed.json` and `replay.py` are the recordings and their player as they came, but for two
expectations: a batch of questions in which only some set `allowFileUpload` or `allowedFileTypes` fails at
Aural and succeeds here (a deviation listed in `backend/app.py`), so the four questions that it adds stand
before those of "mixed nullable detail in a batch is fine" and in "after creates".
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import DATABASES
from processes import aural_mcp, backend, free_port

HERE = Path(__file__).parent
ALTERNATELY = """
import http.client, itertools, runpy, sys
class Connection:
    def __init__(self, host, port, timeout):
        self._there = itertools.cycle([one(host, each, timeout=timeout) for each in (port, other)])
    def request(self, *given, **named):
        self._now = next(self._there)
        self._now.request(*given, **named)
    def getresponse(self):
        return self._now.getresponse()
one, http.client.HTTPConnection = http.client.HTTPConnection, Connection
other, _ = int(sys.argv.pop()), sys.argv.pop(0)
runpy.run_path(sys.argv[0], run_name="__main__")
"""
"""Runs the player with each request at the other one of two ports."""
TOLD = {"AURAL_CONTACT": "people@acme.test", "AURAL_ORGANIZATION": "Acme"}
"""Else it says what is lacking."""


@DATABASES
async def test_the_backend_answers_as_aural_did(tmp_path, database):
    fill(tmp_path, database)
    port = free_port()
    async with backend(tmp_path, port, "--database", database, **TOLD) as printed:
        assert "dlv_" not in printed
        replays(str(HERE / "replay.py"), f"http://127.0.0.1:{port}")


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
async def test_two_backends_that_are_asked_in_turn_answer_as_one(tmp_path, database):
    fill(tmp_path, database)
    one, other = free_port(), free_port()
    async with (
        backend(tmp_path, one, "--no-desk", "--database", database, **TOLD),
        backend(tmp_path, other, "--no-desk", "--database", database, **TOLD),
    ):
        replays("-c", ALTERNATELY, str(HERE / "replay.py"), f"http://127.0.0.1:{one}", str(other))


def fill(folder, database):
    code, out, err = aural_mcp(folder, "backend", "import", str(HERE / "seed.json"), "--database", database)
    assert (code, err) == (0, "")
    assert "13 interviews" in out


def replays(*command):
    replayed = subprocess.run([sys.executable, *command], capture_output=True, text=True, timeout=300)
    recorded = [json.loads(line) for line in (HERE / "cases.jsonl").read_text(encoding="utf-8").splitlines()]
    compared = sum(case.get("expect") is not None for case in recorded)
    assert replayed.stdout == f"{compared} passed, 0 failed\n"

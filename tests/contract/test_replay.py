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

from conftest import DATABASES
from processes import aural_mcp, backend, free_port

pytestmark = DATABASES
HERE = Path(__file__).parent


async def test_the_backend_answers_as_aural_did(tmp_path, database):
    code, out, err = aural_mcp(tmp_path, "backend", "import", str(HERE / "seed.json"), "--database", database)
    assert (code, err) == (0, "")
    assert "13 interviews" in out
    port = free_port()
    told = {"AURAL_CONTACT": "people@acme.test", "AURAL_ORGANIZATION": "Acme"}  # else it says what is lacking
    async with backend(tmp_path, port, "--database", database, **told) as printed:
        assert "dlv_" not in printed
        command = [sys.executable, str(HERE / "replay.py"), f"http://127.0.0.1:{port}"]
        replayed = subprocess.run(command, capture_output=True, text=True, timeout=300)
    recorded = [json.loads(line) for line in (HERE / "cases.jsonl").read_text(encoding="utf-8").splitlines()]
    compared = sum(case.get("expect") is not None for case in recorded)
    assert replayed.stdout == f"{compared} passed, 0 failed\n"

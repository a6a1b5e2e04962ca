"""Requests that the OpenAPI document allows, made up by schemathesis and sent to a served backend."""

import re
import sys

import anyio

from examples import SEED_FILE
from processes import aural_mcp, backend, free_port

ROWS = {
    "interviewId": "11111111-0000-4000-8000-000000000001",
    "questionId": "22222222-0000-4000-8000-000000000001",
    "sessionId": "33333333-0000-4000-8000-000000000001",
    "candidateId": "55555555-0000-4000-8000-000000000001",
    "practiceId": "66666666-0000-4000-8000-000000000001",
}
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
"""Not the negative-data ones: Aural accepts wrong types on purpose."""


async def fuzzed(folder, examples, seed=1):
    """So many examples of each operation: what was found wrong, how many requests were made, and how many passed."""
    assert aural_mcp(folder, "backend", "import", str(SEED_FILE))[0] == 0
    settings = folder / "schemathesis.toml"
    settings.write_text("[parameters]\n" + "".join(f'"path.{name}" = "{row}"\n' for name, row in ROWS.items()))
    port = free_port()
    async with backend(folder, port, AURAL_REQUESTS_PER_MINUTE="0"):
        url = f"http://127.0.0.1:{port}/api/v1/openapi.json"
        options = ["--header", "Authorization: Bearer dlv_test_key_primary", "--checks", CHECKS, "--mode", "positive"]
        options += ["--max-examples", str(examples), "--seed", str(seed), "--continue-on-failure", "--warnings", "off"]
        command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(settings), "run", url, *options]
        done = await anyio.run_process(command, cwd=folder, check=False)
    said = done.stdout.decode()
    generated, passed = map(int, re.search(r"(\d+) generated, (\d+) passed", said).groups())
    return said[-5000:] if done.returncode else "", generated, passed

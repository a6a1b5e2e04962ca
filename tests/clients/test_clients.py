"""Clients that others wrote, each in an environment of its own: what they send is taken, and they take what we list."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from uv import find_uv_bin

from aural_mcp.server.access import BY_NAME
from aural_mcp.server.arguments import read
from aural_mcp.server.tools import tool_for
from conftest import needs
from examples import least
from processes import settings_for

HERE = Path(__file__).parent
TYPESCRIPT = "@modelcontextprotocol/sdk@1.32.2"
"""It brings ajv."""
PERSON = {"email": "ana@example.org", "phone": "+351 912 345 678", "graduationYear": 2014}


def scripts(pattern):
    found = sorted(HERE.glob(pattern))
    return pytest.mark.parametrize("script", found, ids=[each.stem.split("_", 1)[1] for each in found])


@pytest.fixture
def run(script, tmp_path):
    """Runs a script in an environment of its own, with what it needs; gives what it printed."""
    program, environment = _installed(script, tmp_path / "installed")

    def printed(*arguments, **more):
        settings = settings_for(tmp_path, AURAL_CONFIRM="ask", **environment)
        done = subprocess.run(
            [program, script, *arguments], capture_output=True, text=True, timeout=120, env=settings, **more
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout)

    return printed


def _installed(script, folder):
    """The program that runs a script, and where what it needs was put: uv reads that at its top, npm is told."""
    if script.suffix == ".mjs":
        program = needs("node")
        _install(script, needs("npm"), "install", "--prefer-offline", "--prefix", folder, TYPESCRIPT)
        return program, {"CLIENTS": str(folder)}
    _install(script, find_uv_bin(), "sync", "--python", sys.executable, "--script", script)
    command = [find_uv_bin(), "python", "find", "--script", script]
    found = subprocess.run(command, check=True, capture_output=True, text=True)
    return found.stdout.strip(), {}


def _install(script, *command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    if done.returncode:
        pytest.skip(f"what {script.name} needs could not be installed: {done.stderr.strip()[-300:]}")


def may_be_called(schemas):
    """Every tool is there and takes the least call of its converted schema, null where only that asks for more."""
    assert schemas.keys() == BY_NAME.keys() - {"reveal_candidate"}
    for name, schema in schemas.items():
        assert least(name).keys() <= schema["properties"].keys()
        read(BY_NAME[name], dict.fromkeys(schema.get("required") or ()) | least(name))


@scripts("with_*")
def test_a_foreign_client_runs_an_interview_and_erases_nothing(run):
    said = run(sys.executable, "-m", "aural_mcp")
    may_be_called(said["schemas"])
    interview, people = said["interview"], said["candidates"]["data"]
    assert (interview["title"], interview["state"]) == ("Senior backend engineer", "public")
    assert (interview["objective"], interview["timeLimitMinutes"]) == ("Find who has run queues.", 30)
    assert [each["text"] for each in interview["questions"]] == ["Tell me about a queue that you ran."]
    assert [each["name"] for each in people] == ["Ana Sousa"]
    assert {name: people[0][name] for name in PERSON} == PERSON
    assert "Nothing was done yet" in said["asked"]["remarks"][0]
    assert said["published"]["url"] == interview["url"]
    assert "name: Ana Sousa" in said["resource"]
    assert said["sessions"]["data"] == []


@scripts("into_*")
def test_every_tool_fits_what_hands_it_to_a_model(run):
    listed = [tool_for(operation) for name, operation in BY_NAME.items() if name != "reveal_candidate"]
    sent = [
        tool.model_dump(mode="json", by_alias=True, exclude_none=True) | {"least": least(tool.name)} for tool in listed
    ]
    converted = run(input=json.dumps(sent))
    may_be_called(converted)
    assert converted == {each["name"]: each["inputSchema"] for each in sent}

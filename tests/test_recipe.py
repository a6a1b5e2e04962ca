"""One operation, one place: the recipe of AGENTS.md, followed with a made-up operation in a copy of the tree."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CLASS = '''class GetInterviewStatistics(Operation[InterviewStatistics]):
    """Count the sessions of an interview."""

    method, path, effect, toolset = "GET", "/interviews/{interviewId}/statistics", "read", "interviews"
    interview_id: InterviewId


'''
MODEL = '''

class InterviewStatistics(Record):
    """How many sessions an interview has."""

    title: str = ""
    sessions: int = 0
'''
HANDLER = """@handles(ops.GetInterviewStatistics)
def get_interview_statistics(call: Call) -> Row:
    row = own_interview(call)
    return {"title": row["title"], "sessions": _counts(call.db, sessions, [row["id"]]).get(row["id"], 0)}


"""
TEST = """

async def test_statistics_count_sessions(agent, world):
    interview = await interview_of(agent)
    add_session(world, interview)
    found = await ok(agent, "get_interview_statistics", interviewId=interview)
    assert (found["title"], found["sessions"]) == ("T", 1)
"""
EXAMPLE = '    ops.GetInterviewStatistics: Example(HERE, {"title": TITLE, "sessions": 2}),\n'
OPERATIONS, MODELS = "src/aural_mcp/api/operations.py", "src/aural_mcp/api/models.py"
HANDLERS, VIEWS = "src/aural_mcp/backend/rest/handlers.py", "tests/tools/test_views.py"
INVARIANTS = ["tests/api/test_operations.py", "tests/server/test_tools.py", "tests/documents/test_documents.py"]
EXAMPLES = "src/aural_mcp/documents/examples.py"
QUESTIONS = "# ── Questions ─"


@pytest.fixture
def copy(tmp_path):
    """What git keeps of the tree, and the house's own checks run in it."""
    kept = ("src", "tests", "docs", "skill", "sdk", ".claude-plugin")
    junk = shutil.ignore_patterns("__pycache__", "*.egg-info", "node_modules", Path(__file__).name)
    for name in kept:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=junk)
    for path in ROOT.iterdir():
        if path.is_file():
            shutil.copy(path, tmp_path)
    return tmp_path


def python(copy, *arguments):
    environment = {**os.environ, "PYTHONPATH": str(copy / "src")}
    command = [sys.executable, "-m", *arguments]
    return subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, timeout=300)


def check(copy, *arguments):
    return python(copy, "pytest", "-p", "no:cacheprovider", "-p", "no:xdist", "-o", "addopts=-q", *arguments)


def put(path, text, before=""):
    old = path.read_text(encoding="utf-8")
    path.write_text(old.replace(before, text + before, 1) if before else old + text, encoding="utf-8")


def recipe():
    return (ROOT / "AGENTS.md").read_text(encoding="utf-8").split("## Add an operation")[1].split("\n## ")[0]


def test_a_21st_operation_takes_five_files_by_hand_and_each_failure_names_the_next(copy):
    put(copy / OPERATIONS, "    InterviewStatistics,\n", "    InvitedCandidate,\n")
    put(copy / OPERATIONS, CLASS, QUESTIONS)
    put(copy / MODELS, MODEL)

    failed = check(copy, *INVARIANTS).stdout
    assert f"{HANDLERS}: it has no handler, a function under @handles(ops.GetInterviewStatistics)" in failed
    assert f'add one to {VIEWS}, with ok(agent, "get_interview_statistics")' in failed
    assert f"{EXAMPLES}: it has no example in EXAMPLES" in failed
    assert "run: python -m aural_mcp.documents.render" in failed
    assert "run: pytest --snapshot-update tests/server/test_tools.py" in failed
    assert len(re.findall(r"^FAILED", failed, re.MULTILINE)) == 5, failed

    put(copy / HANDLERS, HANDLER, QUESTIONS)
    put(copy / EXAMPLES, EXAMPLE, "    ops.ListInterviews: Example(")
    put(copy / VIEWS, TEST)
    assert python(copy, "aural_mcp.documents.render").returncode == 0
    check(copy, "--snapshot-update", "tests/server/test_tools.py")
    tried = f"{VIEWS}::test_statistics_count_sessions"
    cleaned = "tests/test_safety.py::test_no_tool_resource_prompt_or_error_lets_hidden_text_through"
    passed = check(copy, *INVARIANTS, "tests/documents/test_examples.py", cleaned, tried)
    assert passed.returncode == 0, passed.stdout
    assert set(re.findall(r"`((?:src|tests)/[\w/]+\.py)`", recipe())) == {OPERATIONS, MODELS, EXAMPLES, HANDLERS, VIEWS}
    assert "get_interview_statistics" in (copy / "README.md").read_text(encoding="utf-8")

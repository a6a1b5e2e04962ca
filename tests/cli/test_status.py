"""`aural-mcp status`: what a person at a terminal sees of interviews and candidates."""

import json
import os
import pty
import re
import subprocess
import sys

import pytest
from mcp import Client

from aural_mcp.cli.tables import cut, table, width
from conftest import make_world, ok
from processes import aural_mcp, settings_for
from scored import even, interview_with, sit

ROWS = [("Ann Lee", 7.25, 10), ("渡辺美咲", 6.0, None), ("é" * 3, None, 8)]


@pytest.fixture
async def office(tmp_path):
    """A workspace with two who are scored, one who is not, one in the middle and one who has not begun."""
    world = make_world(f"sqlite:///{tmp_path / 'workspace.db'}")
    async with Client(world.server) as agent:
        interview = await interview_with(agent)
        await ok(agent, "create_interview", title="Backend nurse")
        await ok(agent, "create_candidates", interviewId=interview, candidates=[{"name": "Dee Not-Begun"}])
    sit(world, interview, "Ann Lee", even(8))
    sit(world, interview, "渡辺美咲", even(6))
    sit(world, interview, "Ev\x1b[2Jil\u202e <b>x</b>", None)
    sit(world, interview, "Half Way", None, status="IN_PROGRESS")
    world.store.close()
    return tmp_path, interview


def status(folder, *arguments, **settings):
    return aural_mcp(folder, "status", *arguments, **settings)


async def test_without_a_name_it_lists_the_interviews(office):
    folder, interview = office
    code, out, _ = status(folder)
    assert code == 0
    assert re.search(rf"Backend engineer +4 +by invitation +\d{{4}}-\d\d-\d\d +{interview}", out)


async def test_of_one_it_prints_where_everybody_stands_and_the_scores_side_by_side(office):
    folder, interview = office
    for named in ("engineer", "BACKEND ENGINEER", interview):
        code, out, err = status(folder, named)
        assert (code, err) == (0, "")
        assert re.search(r"not begun +1\n +in the middle +1\n +gave up +0\n", out)
        assert re.search(r"complete, not scored +1\n +complete, scored +2\n", out)
        assert re.search(r"Dee Not-Begun +Has not begun +(just now|\d+ minutes?)", out)
        assert re.search(r"Ann Lee +8( +8){9}\n", out)
        assert re.search(r"渡辺美咲 +6( +6){9}\n", out)
        assert "Without any score" in out


async def test_nothing_that_somebody_wrote_steers_the_terminal(office):
    out = status(office[0], "engineer")[1]
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u202e]", out)
    assert "< b>x" in out


async def test_it_shows_what_the_server_would_and_writes_it_down(office):
    folder, _ = office
    code, out, _ = status(folder, "engineer", AURAL_BLIND="1")
    assert code == 0
    assert "Ann" not in out
    assert re.search(r"Candidate \w{6} +8", out)
    lines = [json.loads(each) for each in (folder / "audit.jsonl").read_text().splitlines()]
    assert [(each["tool"], each["blind"]) for each in lines] == [("compare_candidates", True)]
    code, _, err = status(folder, "engineer", AURAL_EXCLUDE_TOOLS="compare_candidates")
    assert code == 1
    assert "There is no tool “compare_candidates”" in err


@pytest.mark.parametrize(
    ("named", "says"),
    [
        ("backend", "2 interviews have “backend” in their title: name one by its id, or say more of it."),
        ("plumber", "No interview has “plumber” in its title."),
        ("", "Name an interview by its id"),
        ("5d3c7b7e-0000-4000-8000-000000000000", "There is no such interview"),
    ],
)
async def test_what_is_no_single_interview_is_one_line(office, named, says):
    code, out, err = status(office[0], named)
    assert code == 1
    assert err.strip().splitlines()[-1].startswith("Error: ")
    assert says in err or "not found" in err
    assert ("Backend nurse" in out) == (named == "backend")


def test_an_empty_workspace_says_what_makes_an_interview(tmp_path):
    code, out, _ = status(tmp_path)
    assert code == 0
    assert "There is no interview yet" in out


@pytest.mark.parametrize("more", [{}, {"NO_COLOR": "1"}], ids=["a terminal", "NO_COLOR"])
async def test_a_terminal_has_bars_and_bold_words_unless_no_color_is_set(office, more):
    ours, theirs = pty.openpty()
    settings = settings_for(office[0], COLUMNS="60", PYTHONUTF8="1", TERM="xterm", **more)
    command = [sys.executable, "-m", "aural_mcp", "status", "engineer"]
    done = subprocess.Popen(command, stdin=theirs, stdout=theirs, env=settings)
    os.close(theirs)
    seen = b""
    while True:
        try:
            seen += os.read(ours, 65_536)
        except OSError:
            break
    assert done.wait() == 0
    os.close(ours)
    text = seen.decode()
    assert "█" in text
    assert ("\x1b[1m" in text) == (not more)
    plain = re.sub(r"\x1b\[\d+m", "", text)
    assert max(width(line) for line in plain.splitlines()) <= 60


def test_columns_stand_under_each_other_in_every_script():
    lines = table(("Name", "Mean", "Q1"), ROWS, 80)
    assert {width(line) for line in lines} == {18}
    assert lines[2].endswith("   6   -")


def test_what_is_too_wide_goes_on_below_with_the_names_again():
    head = ("Name", "Mean", *(f"C{number}" for number in range(30)))
    lines = table(head, [("Someone with a long name", 5.5, *range(30))], 40)
    assert max(map(width, lines)) <= 40
    assert sum("Someone" in line for line in lines) > 1
    assert set(range(30)) <= {int(each) for line in lines for each in re.findall(r"\b\d+\b(?!\.)", line)}


@pytest.mark.parametrize(
    ("text", "columns"),
    [("abc", 3), ("e\u0301", 1), ("王小明", 6), ("👩\u200d💻", 2), ("❤\ufe0f", 2), ("ﷺ", 1), ("प्र", 2)],
)
def test_a_text_is_as_wide_as_a_terminal_shows_it(text, columns):
    assert width(text) == columns
    assert width(cut(text * 9, 5)) <= 5

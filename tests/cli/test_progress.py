"""Progress of long commands: a line on a terminal that is gone in the end, and nothing where nobody looks."""

import json
import os
import pty
import re
import signal
import subprocess
import sys

import pytest

from processes import aural_mcp, settings_for

ROLE = {"title": "Backend engineer", "questions": [{"text": "What did you build?"}]}


def on_terminal(folder, *arguments, until=(), **settings):
    """What a command leaves on standard output, and all that it wrote on the terminal that is its stderr.

    Once all of `until` has been seen, it is stopped.
    """
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "aural_mcp", *arguments]
    environment = settings_for(folder, **{"TERM": "xterm", "CI": "", **settings})
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=theirs)
    os.close(theirs)
    seen = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:  # it is through
            break
        seen += part
        if until and all(each in seen for each in until):
            process.send_signal(signal.SIGINT)
            until = ()
    os.close(ours)
    out = process.stdout.read().decode()
    return process.wait(timeout=30), out, seen.decode()


def left(seen):
    """What is to be seen on a terminal in the end."""
    lines = []
    for line in seen.replace("\r\n", "\n").split("\n"):
        shown = ""
        for part in line.split("\r"):
            shown = part + shown[len(part) :]
        lines.append(shown.rstrip())
    return "\n".join(lines).strip()


@pytest.fixture
def roles(tmp_path):
    file = tmp_path / "roles.json"
    file.write_text(json.dumps([ROLE | {"title": f"Role {number}"} for number in range(3)]))
    return str(file)


def test_apply_draws_a_bar_on_the_terminal_and_wipes_it_away(tmp_path, roles):
    code, out, seen = on_terminal(tmp_path, "apply", roles)
    assert code == 0
    assert re.findall("^made  Role 2", out, re.M)
    assert re.search(r"█+░* \d of 3 Role", seen)
    assert left(seen) == ""
    assert "\x1b" not in seen
    assert "█" not in out


@pytest.mark.parametrize("settings", [{"TERM": "dumb"}, {"CI": "true"}], ids=str)
def test_a_terminal_that_cannot_go_back_and_a_machines_run_get_no_bar(tmp_path, roles, settings):
    code, _, seen = on_terminal(tmp_path, "apply", roles, **settings)
    assert code == 0
    assert "\r" not in seen.replace("\r\n", "\n")
    assert "█" not in seen


def test_a_pipe_gets_no_bar(tmp_path, roles):
    code, out, err = aural_mcp(tmp_path, "apply", roles)
    assert code == 0
    assert not re.search("[\r█#]", out + err)


def test_an_import_counts_rows_on_the_terminal(tmp_path, roles):
    assert aural_mcp(tmp_path, "apply", roles)[0] == 0
    _, document, _ = aural_mcp(tmp_path, "backend", "export")
    file = tmp_path / "all.json"
    file.write_text(document)
    code, out, seen = on_terminal(tmp_path, "backend", "import", str(file), "--database", f"sqlite:///{tmp_path}/n.db")
    assert (code, out[:9]) == (0, "Imported ")
    total = sum(map(len, json.loads(document).values()))
    assert f"{total} of {total}" in seen
    assert left(seen) == ""


def test_watch_shows_what_has_arrived_until_it_is_stopped(tmp_path):
    code, out, seen = on_terminal(tmp_path, "watch", "--exec", "cat", until=[b"0 parked", b"watching all"])
    assert (code, out) == (0, "")
    assert "watching: 0 delivered, 0 pending, 0 parked" in seen
    assert left(seen).splitlines()[0].startswith("aural-mcp: watching all interviews")
    assert "parked" not in left(seen)


def test_the_demo_shows_who_answers(tmp_path):
    _, out, seen = on_terminal(tmp_path, "demo", "--look", "--no-browser", until=[b"48 of 48"])
    assert "24 made-up people" in out
    assert "Samir Haddad answered" in seen or " of 48 " in seen

"""What a person gets wrong who types a command, and what their computer does: one line, a status, no traceback."""

import json
import os
import pty
import signal
import subprocess
import sys

import pytest
from click.testing import CliRunner

from aural_mcp.cli.main import commands
from processes import settings_for

GOOD = {
    "title": "Zoë → Backend",
    "objective": "O",
    "questions": [{"text": "Tell me about a service."}],
    "publish": True,
}


def shell(folder, line, **more):
    """Run a line of bash, in which $A is aural-mcp, in a folder of its own."""
    settings = {**settings_for(folder / "data", **more), "A": f"{sys.executable} -m aural_mcp"}
    line = f"set -o pipefail; {line}"
    done = subprocess.run(["bash", "-c", line], cwd=folder, env=settings, capture_output=True, timeout=120)
    return done.returncode, done.stdout, done.stderr.decode(errors="replace")


def roles(folder, **more):
    (folder / "roles.json").write_text(json.dumps([{**GOOD, **more}]))


@pytest.mark.parametrize(
    "command",
    [
        "--help",
        "--version",
        "doctor --offline",
        "backend export",
        "apply roles.json --dry-run",
        "backend keys create x",
    ],
)
def test_a_full_disk_is_one_line(tmp_path, command):
    roles(tmp_path)
    assert shell(tmp_path, f"$A {command} > /dev/full") == (1, b"", "aural-mcp: No space left on device.\n")


@pytest.mark.parametrize("command", ["doctor --offline", "backend export", "apply roles.json --dry-run", "demo"])
def test_a_reader_that_goes_away_is_no_error_to_read(tmp_path, command):
    roles(tmp_path)
    code, _, err = shell(tmp_path, f"$A {command} | true")
    assert (code in (0, 1), err) == (True, "")


@pytest.mark.parametrize(
    ("command", "code", "says"),
    [
        ("serve <&-", 0, ""),
        ("<&-", 0, ""),
        ("serve <&- >&-", 0, ""),
        ("apply - <&-", 1, "Error: The file is not JSON: it is empty."),
        ("backend keys list >&-", 0, ""),
    ],
)
def test_a_closed_stream_is_an_empty_one(tmp_path, command, code, says):
    assert shell(tmp_path, f"$A {command}") == (code, b"", f"{says}\n" if says else "")


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "cp437"])
def test_a_terminal_that_lacks_letters_gets_the_others(tmp_path, encoding):
    roles(tmp_path)
    code, out, err = shell(tmp_path, "$A apply roles.json --yes", PYTHONIOENCODING=encoding)
    assert (code, b"Backend" in out, "Traceback" in err) == (0, True, False)
    code, out, _ = shell(tmp_path, "$A backend export", PYTHONIOENCODING=encoding)
    assert (code, json.loads(out.decode())["interviews"][0]["title"]) == (0, GOOD["title"])


@pytest.mark.parametrize(
    "command",
    [
        "backend keys create $'caf\\xe9'",
        "backend keys revoke $'\\xff'",
        "backend webhooks remove $'ep_\\xe9'",
        "backend webhooks retry $'msg_\\xe9'",
    ],
)
def test_what_is_no_text_is_refused(tmp_path, command):
    code, out, err = shell(tmp_path, f"$A {command}")
    assert (code, out) == (2, b"")
    assert err.splitlines()[-1].startswith("Error: What was typed, or is set, is not text in this terminal's encoding.")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "it is empty."),
        (b"  \n", "it is empty."),
        (b"\x80\x81", "it is not Unicode text. Save it as UTF-8."),
        (b"[" * 100_000, "it is nested too deeply."),
        (b'{"a": 1,}', "Expecting property name"),
    ],
)
@pytest.mark.parametrize("command", ["apply", "backend import"])
def test_a_file_that_is_not_json_is_one_line(tmp_path, command, content, says):
    (tmp_path / "file.json").write_bytes(content)
    done = CliRunner().invoke(commands(), [*command.split(), str(tmp_path / "file.json")])
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith(f"Error: The file is not JSON: {says}")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_json_is_read_as_editors_and_shells_save_it(tmp_path, encoding):
    (tmp_path / "roles.json").write_text(json.dumps([GOOD], ensure_ascii=False), encoding=encoding)
    code, out, _ = shell(tmp_path, "$A apply roles.json --dry-run")
    assert (code, out.decode().splitlines()[0]) == (0, "would be made  Zoë → Backend")


def test_a_document_that_says_dry_run_is_only_looked_at(tmp_path):
    (tmp_path / "roles.json").write_text(json.dumps({"interviews": [GOOD], "dryRun": True}))
    code, out, _ = shell(tmp_path, "$A apply roles.json")
    assert (code, "would be made" in out.decode(), "Would be opened to everyone" in out.decode()) == (0, True, True)


def test_what_a_title_hides_is_not_sent_to_the_terminal(tmp_path):
    roles(tmp_path, title="A\x1b[2Jdmin")
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "aural_mcp", "apply", str(tmp_path / "roles.json"), "--dry-run"]
    subprocess.run(command, stdout=theirs, env=settings_for(tmp_path / "data"), timeout=60, check=True)
    said = os.read(ours, 10_000)
    os.close(ours)
    os.close(theirs)
    assert b"would be made" in said
    assert b"\x1b" not in said


@pytest.mark.parametrize(
    ("command", "code", "says"),
    [
        ("backend export nowhere/all.json", 1, "nowhere/all.json cannot be written (No such file or directory)"),
        ("backend export data.txt/all.json", 1, "cannot be written (Not a directory)"),
        ("backend export .", 2, ". is there already: name a new file."),
        ("backend keys create ''", 2, "say what it is for"),
        ("backend keys create '  '", 2, "say what it is for"),
        ("backend keys list --database sqlite:///data.txt", 1, "data.txt is damaged or is no database."),
        ("watch status --database sqlite:///data.txt", 1, "data.txt is damaged or is no database."),
        ("backend webhooks retry msg_x", 1, "None of these is parked: `list` shows what is"),
        ("watch retry msg_x", 1, "None of these is parked: `watch status` shows what is"),
        ("backend --port 0 --host ''", 2, "Listening on 0.0.0.0 needs AURAL_PUBLIC_URL"),
        ("backend --port 0 --host 0", 2, "Listening on 0.0.0.0 needs AURAL_PUBLIC_URL"),
        ("backend --host no.invalid", 1, "Name or service not known. Choose --host and --port."),
        ("serve --http --allowed-host ''", 2, "--allowed-host is empty"),
        ("serve --http --host 0.0.0.0 --allowed-host ''", 2, "--allowed-host is empty"),
        ("watch --exec '  '", 2, "Say where events go"),
        ("watch --exec true --allow 10.0.0.0/8", 2, "--allow is for a webhook"),
        ("completion tcsh", 2, "'SHELL': 'tcsh' is not one of"),
        ("install cursor --yes --key-file data.txt", 2, "--key-file does not hold an Aural key"),
        ("install cursor --yes --key-file key --base-url http://far.test", 2, "--base-url must be https"),
        ("apply objects.json", 1, "Nothing was made. interviews[0] must be an object"),
    ],
)
def test_a_mistake_is_one_line_that_says_what_to_do(tmp_path, command, code, says):
    (tmp_path / "data.txt").write_text("Not what it should be, but long enough to be something." * 20)
    (tmp_path / "key").write_text("dlv_test_1")
    (tmp_path / "objects.json").write_text("[1]")
    ended, out, err = shell(tmp_path, f"$A {command}", HOME=str(tmp_path))
    assert (ended, out, "Traceback" in err) == (code, b"", False)
    assert says in err.splitlines()[-1]


@pytest.mark.parametrize("name", ["AURAL_DATA_DIR", "AURAL_AUDIT_LOG", "AURAL_FILES"])
def test_a_home_that_nobody_has_is_said(tmp_path, name):
    code, out, err = shell(tmp_path, "$A serve", **{name: "~nobody-here/aural"})
    assert (code, out) == (1, b"")
    assert err == f"aural-mcp: {name} names ~nobody-here/aural, whose folder nobody knows. Write it in full.\n"


def test_install_writes_no_entry_that_cannot_start(tmp_path):
    (tmp_path / "file").write_text("")
    where = {"HOME": str(tmp_path), "AURAL_DATA_DIR": str(tmp_path / "file")}
    code, _, err = shell(tmp_path, "$A install cursor --local --yes", **where)
    assert (code, "cannot be made (File exists). Name a folder you own." in err) == (2, True)
    assert not (tmp_path / ".cursor").exists()


def test_ctrl_c_ends_serve_at_a_terminal(tmp_path):
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "aural_mcp", "serve"]
    process = subprocess.Popen(command, stdin=theirs, env=settings_for(tmp_path), stderr=subprocess.PIPE)
    assert b"serving MCP" in process.stderr.readline()
    process.stderr.readline()
    process.send_signal(signal.SIGINT)
    assert process.wait(20) != 0
    assert process.stderr.read() == b""
    for each in (ours, theirs):
        os.close(each)
    process.stderr.close()

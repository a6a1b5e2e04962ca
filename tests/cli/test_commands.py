"""What a person meets who types a command: help on one screen, and one line where something is wrong."""

import json
import os
import pty
import re
import subprocess
import sys
from contextlib import suppress

import anyio
import httpx
import pytest
from click.testing import CliRunner

from aural_mcp.cli.main import commands
from processes import aural_mcp, backend, free_port, settings_for


def every_command(command, path=()):
    yield path, command
    for name in getattr(command, "commands", {}):
        yield from every_command(command.commands[name], (*path, name))


EVERY = [path for path, _ in every_command(commands())]


@pytest.mark.parametrize("path", EVERY, ids=" ".join)
def test_help_is_one_screen_of_whole_lines(path):
    said = CliRunner().invoke(commands(), [*path, "--help"], prog_name="aural-mcp", terminal_width=80).output
    assert len(said.splitlines()) <= (36 if path in ((), ("serve",), ("backend",), ("watch",)) else 24)
    assert "..." not in re.sub(r"\[\w+\]\.\.\.|whsec_\.\.\.|msg_\.\.\.", "", said)


def test_serve_at_a_terminal_says_what_it_waits_for(tmp_path):
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "aural_mcp", "serve"]
    os.write(ours, b"\x04")
    done = subprocess.run(command, stdin=theirs, env=settings_for(tmp_path), capture_output=True, text=True, timeout=60)
    os.close(ours)
    os.close(theirs)
    assert (done.returncode, done.stdout) == (0, "")
    assert "An agent host starts this" in done.stderr
    assert "Ctrl-D ends it" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--port", "8400"], "--port goes with --http: add --http, or leave that out."),
        (["--host", "127.0.0.1"], "--host goes with --http"),
        (["--host", "127.0.0.1", "--port", "1"], "--host and --port go with --http"),
        (["--local"], "--local goes with --http"),
    ],
)
def test_an_option_of_http_is_refused_without_it(tmp_path, arguments, says):
    code, out, err = aural_mcp(tmp_path, "serve", *arguments)
    assert (code, out) == (2, "")
    assert says in err


# ── apply ───────────────────────────────────────────────────────────────────────────────────────


GOOD = {"title": "Backend engineer", "objective": "O", "questions": [{"text": "Tell me about a service you built."}]}


def document(folder, **more):
    file = folder / "roles.json"
    file.write_text(json.dumps([{**GOOD, **more}]))
    return str(file)


def one_line(err):
    assert "Traceback" not in err
    return err.strip().splitlines()[-1]


@pytest.mark.parametrize("dry", [(), ("--dry-run",)], ids=["really", "dry run"])
def test_apply_without_a_network_is_one_line(tmp_path, dry):
    settings = {"AURAL_API_KEY": "dlv_test_1", "AURAL_BASE_URL": f"http://127.0.0.1:{free_port()}/api/v1"}
    code, _, err = aural_mcp(tmp_path, "apply", document(tmp_path), *dry, **settings)
    assert code == 1
    assert one_line(err).startswith("Error: The backend at http://127.0.0.1:")


@pytest.mark.parametrize("dry", [(), ("--dry-run",)], ids=["really", "dry run"])
async def test_apply_with_a_wrong_key_is_one_line(tmp_path, dry):
    port = free_port()
    async with backend(tmp_path / "backend", port):
        settings = {"AURAL_API_KEY": "dlv_test_wrong", "AURAL_BASE_URL": f"http://127.0.0.1:{port}/api/v1"}
        code, out, err = await anyio.to_thread.run_sync(
            lambda: aural_mcp(tmp_path, "apply", document(tmp_path), *dry, **settings)
        )
    assert (code, out) == (1, "")
    assert "key" in one_line(err)


def test_apply_says_what_it_opens_where_and_how_long_and_notes_it(tmp_path):
    file = document(tmp_path, publish=True)
    code, out, _ = aural_mcp(tmp_path, "apply", file, "--dry-run")
    assert code == 0
    assert "Would be opened to everyone who has the link: Backend engineer." in out
    assert not (tmp_path / "audit.jsonl").exists()
    code, out, err = aural_mcp(tmp_path, "apply", file)
    assert code == 2
    assert "There is no terminal to ask on: say --yes." in err
    code, out, _ = aural_mcp(tmp_path, "apply", file, "--yes")
    assert code == 0
    assert "open on this computer only, while an aural-mcp runs here, until the interview is archived" in out
    (line,) = map(json.loads, (tmp_path / "audit.jsonl").read_text().splitlines())
    assert (line["tool"], line["outcome"], line["confirmed"]) == ("launch_interviews", "done", "operator")
    assert [line["ids"]["interviewId"]] == re.findall(r"made  Backend engineer  (\S+)", out)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "The file is not JSON"),
        (b"{" * 100_000, "The file is not JSON"),
        (b'"interviews"', "The file must hold"),
        (b"\xff\xfe\x00", "The file is not JSON"),
        (b'[{"titel": "T"}]', "did you mean title"),
    ],
)
def test_apply_of_what_is_no_document_is_one_line(tmp_path, content, says):
    file = tmp_path / "roles.json"
    file.write_bytes(content)
    code, out, err = aural_mcp(tmp_path, "apply", str(file))
    assert (code, out) == (1, "")
    assert says in one_line(err)


def test_apply_takes_a_file_as_an_editor_on_windows_saves_it(tmp_path):
    file = tmp_path / "roles.json"
    file.write_bytes(b"\xef\xbb\xbf" + json.dumps({"interviews": [GOOD]}).encode())
    code, out, _ = aural_mcp(tmp_path, "apply", str(file), "--dry-run")
    assert code == 0
    assert "would be made  Backend engineer" in out


def test_apply_takes_out_a_character_that_nothing_can_store_and_says_so(tmp_path):
    file = tmp_path / "roles.json"
    file.write_text(json.dumps([GOOD | {"title": "Back\0end engineer"}]))
    code, out, err = aural_mcp(tmp_path, "apply", str(file))
    assert code == 0
    assert "made  Backend engineer" in out
    assert "Taken out, as it cannot be stored: the character U+0000, in interviews[0].title." in err


# ── backend, install ────────────────────────────────────────────────────────────────────────────


def test_a_key_cannot_end_before_it_begins(tmp_path):
    code, out, err = aural_mcp(tmp_path, "backend", "keys", "create", "team", "--expires", "2020-01-31")
    assert (code, out) == (2, "")
    assert "2020-01-31 is over: name a day to come" in err
    assert aural_mcp(tmp_path, "backend", "keys", "list")[1] == ""


def test_an_export_is_never_written_over_a_file(tmp_path):
    file = tmp_path / "all.json"
    assert aural_mcp(tmp_path, "backend", "export", str(file))[0] == 0
    before = file.read_bytes()
    code, _, err = aural_mcp(tmp_path, "backend", "export", str(file))
    assert code == 2
    assert "is there already: name a new file." in err
    assert file.read_bytes() == before
    assert json.loads(aural_mcp(tmp_path, "backend", "export")[1]) == json.loads(before)


async def test_install_tries_the_key_once_and_writes_nothing_with_a_wrong_one(tmp_path):
    port, key = free_port(), tmp_path / "key"
    url = f"http://127.0.0.1:{port}/api/v1"
    where = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "config")}

    def install():
        return aural_mcp(tmp_path, "install", "cursor", "--yes", "--key-file", str(key), "--base-url", url, **where)

    async with backend(tmp_path / "backend", port) as printed:
        key.write_text("dlv_test_wrong")
        code, _, err = await anyio.to_thread.run_sync(install)
        assert code == 1
        assert "does not take this key" in one_line(err)
        assert not (tmp_path / ".cursor" / "mcp.json").exists()
        key.write_text(re.search(r"dlv_\S+", printed)[0])
        assert (await anyio.to_thread.run_sync(install))[0] == 0
    code, _, err = await anyio.to_thread.run_sync(install)
    assert (code, "Whether the key works is not known" in err) == (0, True)


NOTING = """
import asyncio, sys
later = asyncio.BaseEventLoop.call_later
def noting(loop, delay, callback, *more, **context):
    if callback.__name__ == "timeout_keep_alive_handler":
        print("closed when idle for", delay, file=sys.stderr, flush=True)
    return later(loop, delay, callback, *more, **context)
asyncio.BaseEventLoop.call_later = noting
from aural_mcp.cli.main import main
main()
"""
"""The commands, telling what uvicorn sets its clock to once a request is answered."""


@pytest.mark.parametrize(
    ("command", "address"),
    [
        ("backend --port {port}", ":{port}/workspace"),
        ("serve --http --local --port {port}", ":{port}/healthz"),
        ("serve --http --local --port 0", ":{pages}/workspace"),
    ],
    ids=["backend", "MCP over HTTP", "candidate pages"],
)
async def test_an_idle_connection_stays_open_longer_than_clients_and_proxies_keep_theirs(tmp_path, command, address):
    ports = {"port": free_port(), "pages": free_port()}
    settings = settings_for(tmp_path, AURAL_PAGE_PORT=str(ports["pages"]))
    started = [sys.executable, "-c", NOTING, *command.format(**ports).split()]
    url = f"http://127.0.0.1{address.format(**ports)}"
    process = await anyio.open_process(started, env=settings)
    try:
        with anyio.fail_after(60):
            async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
                while not (answer := await answered(http, url)):
                    await anyio.sleep(0.05)
                said = b""
                while not (told := re.search(rb"closed when idle for (\d+)\n", said)):
                    said += await process.stderr.receive()
        assert (answer.status_code, told[1]) == (200, b"75")
    finally:
        process.kill()
        await process.wait()


async def answered(http, url):
    """What an address answers; None while nobody listens there."""
    with suppress(httpx.ConnectError):
        return await http.get(url)

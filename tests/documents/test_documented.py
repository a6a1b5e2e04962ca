"""What README.md and docs/ show is run: every command, every flag that is named, every Python example, every link."""

import ast
import inspect
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

import anyio
import click
import httpx
import pytest

from aural_mcp.cli.main import commands
from aural_mcp.client import pool
from aural_mcp.events.addresses import networks, read_url
from aural_mcp.events.outbox import Delivery
from aural_mcp.events.sending import Outcome, Webhook, new_secret, read_secrets
from aural_mcp.privacy.audit import AuditLog
from conftest import KEY, ORIGIN, make_world, needs
from processes import free_port, settings_for, type_at

ROOT = Path(__file__).parent.parent.parent
PAGES = [ROOT / "README.md", ROOT / "AGENTS.md", *sorted((ROOT / "docs").glob("*.md"))]
BIN = Path(sys.executable).parent
ELSEWHERE = {
    "pip install": "takes the network: `.ci/run` runs the README's two, and [dev] has all extras",
    "sdk/typescript": "takes the network: tests/client/test_typescript.py runs them",
    "uv pip compile": "is run by tests/documents/test_packaging.py",
    "docker compose": "needs a Docker daemon; tests/documents/test_compose.py runs what it starts, and the backup",
    ".venv/bin/pytest": "would run these tests within themselves",
    ".venv/bin/ruff": "would write into the checkout; `.ci/run` checks the same",
    ".venv/bin/python -m aural_mcp.documents.render": "is checked by tests/documents/test_documents.py",
    "SCOPE": "is for a name on npm that is ours; test_publishing.py uploads to an index on this computer",
    "mcp-publisher ": "signs in to the MCP registry, or changes what is there",
}
"""Parts of lines that are not run here, and why."""
WATCH = re.compile(r"aural-mcp watch --")
SERVER = re.compile(r"aural-mcp (serve --http|backend(?= --|$))")
HEALTH = {"serve --http": "/healthz", "backend": "/workspace"}
POSTGRESQL = re.compile(r"postgresql\+psycopg://\S+")


def blocks(language):
    """Every code block of a language: its page, and its text."""
    found = [(page, re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.M | re.S)) for page in PAGES]
    return [pytest.param(text, id=f"{page.stem}-{n}") for page, texts in found for n, text in enumerate(texts, 1)]


def words_in_code():
    """What stands in backticks, outside of blocks, with its page; of the skill too."""
    for page in [*PAGES, *sorted((ROOT / "skill").rglob("*.md"))]:
        for code in re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S)):
            yield page.name, code


# ── Commands ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("block", blocks("sh"))
def test_every_line_of_a_shell_block_works(block, tmp_path, request):
    shell = prepared(tmp_path)
    for line in [line for line in block.splitlines() if not any(part in line for part in ELSEWHERE)]:
        line = line.replace(".venv/bin/", "")
        line = POSTGRESQL.sub(lambda _: request.getfixturevalue("postgresql").database(), line)
        if found := SERVER.search(line):
            serves(line, HEALTH[found[1]], tmp_path, shell)
        elif WATCH.search(line):
            watches(line, tmp_path, shell)
        elif "install" in line and not re.search("--(yes|print|dry-run)", line):
            assert at_a_terminal(line, tmp_path, shell) == 0, line
        else:
            done = subprocess.run(["bash", "-c", line], cwd=tmp_path, env=shell, stdin=subprocess.DEVNULL, timeout=120)
            assert done.returncode == 0, line


def prepared(home):
    """A home of its own with a host in it, and a workspace in which something was done; the environment for it."""
    (home / ".cursor").mkdir()
    data = home / "data"
    data.mkdir()
    log = AuditLog(lambda: data / "audit.jsonl")
    anyio.run(partial(log.record, "publish_interview", "done", tenant="0" * 64, ids={}))
    given = {"HOME": str(home), "XDG_DATA_HOME": str(home / "share"), "XDG_CONFIG_HOME": str(home / ".config")}
    path = f"{BIN}:{os.environ['PATH']}"
    return {**settings_for(data), **given, "PATH": path, "PYTHONPATH": str(ROOT / "src"), "no_proxy": "127.0.0.1"}


def serves(line, health, folder, shell):
    """The server that a line starts, on a free port: it must answer, and end well when it is told to stop."""
    port, until = free_port(), time.monotonic() + 60
    command = ["bash", "-c", f"{line} --port {port}"]
    child = subprocess.Popen(command, cwd=folder, env=shell, start_new_session=True)
    try:
        while not answers(f"http://127.0.0.1:{port}{health}"):
            assert time.monotonic() < until, line
            with suppress(subprocess.TimeoutExpired):
                pytest.fail(f"{line}: ended with {child.wait(timeout=0.05)}")
    finally:
        os.killpg(child.pid, signal.SIGINT)
        assert child.wait(timeout=30) == 0, line


def watches(line, folder, shell):
    """What a line starts, until it has looked for the first time: it must end well when it is told to stop."""
    child = subprocess.Popen(["bash", "-c", f"exec {line}"], cwd=folder, env=shell, stderr=subprocess.PIPE, text=True)
    said = ""
    while "watching all interviews" not in said:
        said = child.stderr.readline()
        assert said, line
    child.send_signal(signal.SIGTERM)
    assert (child.wait(timeout=30), child.stderr.read()) == (0, ""), line
    child.stderr.close()


def answers(url):
    try:
        return httpx.get(url, trust_env=False, timeout=1).status_code == 200
    except httpx.HTTPError:
        return False


def at_a_terminal(line, folder, shell):
    """The exit status for somebody who gives no key and says yes."""
    terminal, theirs = pty.openpty()
    streams = dict.fromkeys(("stdin", "stdout", "stderr"), theirs)
    child = subprocess.Popen(["bash", "-c", line], cwd=folder, env=shell, start_new_session=True, **streams)
    os.close(theirs)
    type_at(terminal, b"workspace on this computer): ", "")
    type_at(terminal, b"[y/N]: ", "y")
    type_at(terminal, None, "")
    os.close(terminal)
    return child.wait(timeout=60)


def test_every_command_that_is_named_exists_and_has_the_flags_that_are_named():
    named = [(page, code.split()[1:]) for page, code in words_in_code() if re.match(r"(\S*/)?aural-mcp ", code)]
    assert len(named) > 40
    for page, words in named:
        command = commands()
        for word in words:
            known = getattr(command, "commands", {})
            assert word in known or not known or not re.fullmatch("[a-z-]+", word) or word[0] == "-", (page, words)
            command = known.get(word, command)
        assert not {word for word in words if word.startswith("--")} - flags_of(command), (page, words)


def test_every_flag_that_is_named_alone_is_one_of_ours():
    ours = set().union(*map(flags_of, every(commands())))
    assert not {(page, code) for page, code in words_in_code() if code.startswith("--") and code.split()[0] not in ours}


def flags_of(command):
    """The flags in what `--help` prints."""
    return set(re.findall(r"--[a-z][a-z-]*", command.get_help(click.Context(command))))


def every(command):
    return [command, *(each for child in getattr(command, "commands", {}).values() for each in every(child))]


# ── Examples ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "page", [page for page in PAGES if "```python" in page.read_text()], ids=lambda page: page.stem
)
def test_python_examples_run_in_turn_against_a_real_backend(page, database, tmp_path, monkeypatch, capsys):
    world, names = make_world(database), {"__name__": "__main__"}
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "tests" / "contract" / "seed.json", "all.json")
    for way in ("Pool", "Proxied"):  # what leads to Aural leads to the embedded backend
        monkeypatch.setattr(pool, way, lambda: httpx.ASGITransport(world.app))
    for block in re.findall(r"^```python\n(.*?)^```", page.read_text(), re.M | re.S):
        code = block.replace('"dlv_..."', repr(KEY))
        made = eval(compile(code, page.name, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), names)
        if inspect.iscoroutine(made):
            anyio.run(lambda made=made: made)
    assert page.stem != "python" or f"{ORIGIN}/i/" in capsys.readouterr().out
    world.store.close()


@pytest.mark.parametrize("block", blocks("json"))
def test_every_json_example_is_json(block):
    json.loads(block)


@pytest.mark.parametrize("language", ["py", "js"])
async def test_the_receivers_of_webhooks_take_what_is_signed_and_nothing_else(language, tmp_path):
    code = re.findall(rf"^```{language}\n(.*?)^```", (ROOT / "docs" / "webhooks.md").read_text(), re.M | re.S)
    file = tmp_path / {"py": "receiver.py", "js": "receiver.mjs"}[language]
    file.write_text("\n".join(code))
    program = sys.executable if language == "py" else needs("node")
    secret, port = new_secret(), free_port()
    child = await anyio.open_process([program, file], env={**os.environ, "WEBHOOK_SECRET": secret, "PORT": str(port)})
    delivery = Delivery("msg_1", "session.completed", '{"type":"session.completed","data":{"sessionId":"s1"}}', 0)
    target, allowed = read_url(f"http://127.0.0.1:{port}/"), networks(["127.0.0.1"])
    try:
        ours = Webhook("ep", target, read_secrets(secret), allowed)
        with anyio.fail_after(30):
            while (outcome := await ours.send(delivery)).error == "no connection":
                await anyio.sleep(0.05)
        assert [outcome, await ours.send(delivery)] == [Outcome(), Outcome()]
        for wrong in (
            Webhook("ep", target, read_secrets(new_secret()), allowed),
            Webhook("ep", target, read_secrets(secret), allowed, clock=lambda: time.time() - 600),
        ):
            assert (await wrong.send(delivery)).error == "answered 400"
            await wrong.aclose()
        await ours.aclose()
    finally:
        child.terminate()
    printed = (await child.stdout.receive()).decode()
    await child.wait()
    assert printed.count("session.completed") == 1
    assert "s1" in printed


# ── Links ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_relative_link_leads_to_a_file_and_a_heading(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if not link.startswith(("https://", "mailto:")):
            path, _, anchor = link.partition("#")
            target = page.parent / path if path else page
            assert target.exists(), link
            assert not anchor or anchor in anchors(target), link


def anchors(page):
    """The headings of a page, as GitHub makes addresses of them."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}

"""The command line as a person meets it."""

import os
import pty
import re
import subprocess
import sys

import httpx
import pytest

from aural_mcp import __version__
from processes import aural_mcp, backend, free_port, settings_for


def test_help_and_version(tmp_path):
    assert aural_mcp(tmp_path, "--version") == (0, f"aural-mcp, version {__version__}\n", "")
    code, out, _ = aural_mcp(tmp_path, "--help")
    assert code == 0
    assert all(command in out for command in ("serve", "backend", "demo"))


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_can_complete(tmp_path, shell):
    code, out, err = aural_mcp(tmp_path, "completion", shell)
    assert (code, err) == (0, "")
    assert f"_AURAL_MCP_COMPLETE={shell}_complete" in out


def test_what_is_typed_is_completed_and_nothing_is_served(tmp_path):
    typed = {"_AURAL_MCP_COMPLETE": "bash_complete", "COMP_WORDS": "aural-mcp serve --read", "COMP_CWORD": "2"}
    assert aural_mcp(tmp_path, **typed) == (0, "plain,--read-only\n", "")


def test_on_a_terminal_it_explains_itself(tmp_path):
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "aural_mcp"]
    done = subprocess.run(command, stdin=theirs, env=settings_for(tmp_path), capture_output=True, text=True, timeout=60)
    os.close(ours)
    os.close(theirs)
    assert done.returncode == 0
    assert "mcpServers" in done.stdout
    assert "local workspace on this computer" in done.stdout


def test_a_bad_setting_is_one_sentence_and_no_traceback(tmp_path):
    code, out, err = aural_mcp(tmp_path, "serve", AURAL_PAGE_PORT="many")
    assert (code, out) == (1, "")
    assert err.strip() == "aural-mcp: AURAL_PAGE_PORT must be a whole number from 0 to 65535, not 'many'."


@pytest.mark.parametrize(
    ("arguments", "settings", "says"),
    [
        (["backend", "--database", "nonsense"], {}, "--database must be an SQLAlchemy URL"),
        (["backend", "keys", "list", "--database", "sqlite:////nowhere/w.db"], {}, "cannot be opened"),
        (["backend"], {"AURAL_LLM_MODEL": "m"}, "AURAL_LLM_BASE_URL and AURAL_LLM_MODEL go together"),
        (
            ["backend"],
            {"AURAL_LLM_MODEL": "m", "AURAL_LLM_BASE_URL": "http://far.test"},
            "AURAL_LLM_BASE_URL must be https",
        ),
    ],
)
def test_a_backend_that_cannot_start_says_why_in_one_sentence(tmp_path, arguments, settings, says):
    code, _, err = aural_mcp(tmp_path, *arguments, **settings)
    assert code == 1
    assert says in err
    assert "Traceback" not in err


def test_the_demo_ends_with_a_transcript(tmp_path):
    code, out, err = aural_mcp(tmp_path, "demo")
    assert (code, err) == (0, "")
    assert "Running it in production" in out
    assert "Thank you, Robin Vega" in out
    assert list(tmp_path.iterdir()) == []


async def test_the_backend_prints_a_key_once_and_serves_links_that_open(tmp_path):
    port = free_port()
    for start in range(2):
        async with backend(tmp_path, port) as printed:
            key = re.search(r"dlv_\w{36}", printed)
            assert (key is not None) == (start == 0)
            if key:
                async with httpx.AsyncClient(trust_env=False, headers={"authorization": f"Bearer {key[0]}"}) as http:
                    await use(http, f"http://127.0.0.1:{port}")


async def use(http, origin):
    made = (await http.post(f"{origin}/api/v1/interviews", json={"title": "T"})).json()["data"]["id"]
    await http.post(f"{origin}/api/v1/interviews/{made}/questions", json={"text": "Q"})
    link = (await http.post(f"{origin}/api/v1/interviews/{made}/publish")).json()["data"]["url"]
    assert link.startswith(f"{origin}/i/")
    assert "Begin the interview" in (await http.get(link)).text


def test_logs_never_hold_a_key():
    import logging

    from aural_mcp.log import Redacting

    record = logging.LogRecord("x", logging.ERROR, "x", 1, "sent %s", ("Bearer dlv_test_secret-1",), None)
    assert Redacting().format(record) == "sent Bearer dlv_…"


@pytest.mark.parametrize("name", ["AuralClient", "AuralError", "OPERATIONS", "Operation"])
def test_the_package_gives_what_it_promises(name):
    import aural_mcp

    assert name in aural_mcp.__all__
    assert getattr(aural_mcp, name)

"""`aural-mcp open` and `aural-mcp demo --look`: a link that lets a browser in, and a workspace worth looking at."""

import json
import re
import signal
import socket
import subprocess
import sys
from contextlib import asynccontextmanager

import anyio
import httpx
import pytest

from processes import aural_mcp, backend, free_port, settings_for

LINK = re.compile(r"The desk: ((http://127\.0\.0\.1:\d+)/enter\?token=([\w-]{43}))\n")


@asynccontextmanager
async def desk(folder, *arguments, **settings):
    """A browser that is let in by what the command prints, and the page that it is led to; Ctrl-C must end it."""
    command = [sys.executable, "-u", "-m", "aural_mcp", *arguments, "--no-browser"]
    process = await anyio.open_process(command, env=settings_for(folder, **settings), stderr=subprocess.PIPE)
    said = ""
    with anyio.fail_after(90):
        while not (found := LINK.search(said)):
            said += (await process.stdout.receive()).decode()
    async with httpx.AsyncClient(base_url=found[2], follow_redirects=True, trust_env=False, timeout=60) as browser:
        page = await browser.post("/enter", data={"token": found[3]}, headers={"origin": found[2]})
        yield browser, page
    process.send_signal(signal.SIGINT)
    with anyio.fail_after(30):
        assert await process.wait() == 0
    await process.aclose()


async def test_demo_look_ends_at_the_comparison_of_24_people_who_took_the_interview(tmp_path):
    async with desk(tmp_path, "demo", "--look") as (browser, page):
        assert str(page.url).endswith("/comparison")
        compared = json.loads(re.search(r'id="result">(.*?)</script>', page.text)[1])
        rows = compared["candidates"]
        assert (len(rows), compared["ranked"]) == (24, True)
        assert not any(row.get("unsound") or row.get("flaggedTurns") for row in rows)
        assert all(len(row["quotes"]) == 4 for row in rows)
        assert (rows[0]["name"], rows[0]["weightedMean"]) == ("Samir Haddad", 8.75)  # the same at every run
        progress = (await browser.get(str(page.url).removesuffix("/comparison"))).text
        assert '"notStarted":3' in progress
        (session,) = re.findall(rf"/sessions/{rows[0]['sessionId']}", f"/sessions/{rows[0]['sessionId']}")
        assert '"integrityLog":[]' in (await browser.get(session)).text
    assert not (tmp_path / "workspace.db").exists()


async def test_open_shows_the_workspace_of_this_computer_and_writes_down_what(tmp_path):
    port = free_port()
    async with desk(tmp_path, "open", "--port", str(port)) as (browser, page):
        assert str(page.url) == f"http://127.0.0.1:{port}/"
        assert "There is no interview yet" in page.text
        assert (await browser.get("/", headers={"host": f"localhost:{port}"})).status_code == 421
    assert (tmp_path / "workspace.db").exists()


async def test_open_on_a_port_that_is_taken_is_one_line(tmp_path):
    port = free_port()
    async with desk(tmp_path, "open", "--port", str(port)):
        code, out, err = await anyio.to_thread.run_sync(
            lambda: aural_mcp(tmp_path, "open", "--port", str(port), "--no-browser")
        )
    assert (code, out) == (1, "")
    assert err.startswith(f"Error: Nothing can listen on port {port}: ")


@pytest.mark.parametrize("arguments", [("--look", "--interactive"), ("--no-browser",)])
def test_what_does_not_go_together_is_refused(tmp_path, arguments):
    code, out, err = aural_mcp(tmp_path, "demo", *arguments)
    assert (code, out) == (2, "")
    assert "--look goes without --interactive" in err


# ── With a key ──────────────────────────────────────────────────────────────────────────────────


@asynccontextmanager
async def with_key(folder, port, *arguments):
    """`aural-mcp backend` with its desk, a browser that is not signed in there, and a key."""
    async with backend(folder, port, *arguments) as printed:
        key = re.search(r"shown this once: (dlv_\w+)", printed)[1]
        place = re.search(r"The desk, on this computer only, with a key: (http://127\.0\.0\.1:\d+)/\n", printed)[1]
        async with httpx.AsyncClient(base_url=place, follow_redirects=True, trust_env=False, timeout=60) as browser:
            yield browser, place, key


async def sign_in(browser, place, key):
    return await browser.post("/enter", data={"key": key}, headers={"origin": place})


async def test_a_backend_has_a_desk_beside_it_that_asks_for_a_key(tmp_path):
    port, desk_port = free_port(), free_port()
    async with with_key(tmp_path, port, "--desk-port", str(desk_port)) as (browser, place, key):
        assert place == f"http://127.0.0.1:{desk_port}"
        assert (await browser.get("/")).status_code == 401
        assert (await sign_in(browser, place, "dlv_test_wrong")).status_code == 401
        page = await sign_in(browser, place, f" {key}\n")
        assert page.status_code == 200
        assert "There is no interview yet" in page.text
        assert (await browser.get(f"http://127.0.0.1:{port}/enter")).status_code == 404  # not where candidates are
        code, _, _ = await anyio.to_thread.run_sync(
            lambda: aural_mcp(tmp_path, "backend", "keys", "revoke", key_id(tmp_path))
        )
        assert code == 0
        page = await browser.get("/")
        assert (page.status_code, "withdrawn" in page.text) == (401, True)


def key_id(folder):
    return aural_mcp(folder, "backend", "keys", "list")[1].split()[0]


async def test_a_backend_takes_another_port_for_the_desk_unless_it_is_told_one(tmp_path):
    port = free_port()
    with socket.create_server(("127.0.0.1", port + 1)):
        async with with_key(tmp_path, port) as (browser, place, _):
            assert place != f"http://127.0.0.1:{port + 1}"
            assert (await browser.get("/")).status_code == 401
        code, out, err = await anyio.to_thread.run_sync(
            lambda: aural_mcp(tmp_path, "backend", "--port", str(port), "--desk-port", str(port + 1))
        )
    assert (code, out) == (1, "")
    assert err == f"Error: Nothing can listen on port {port + 1} for the desk. Choose --desk-port, or --no-desk.\n"


async def test_a_tool_that_is_misspelled_is_said_before_a_backend_with_a_desk_starts(tmp_path):
    port, wrong = str(free_port()), {"AURAL_TOOLSETS": "interview"}
    code, out, err = await anyio.to_thread.run_sync(lambda: aural_mcp(tmp_path, "backend", "--port", port, **wrong))
    assert (code, out) == (1, "")
    assert "there is no 'interview'. There are: interviews," in err
    assert len(err.splitlines()) == 1


async def test_a_desk_that_cannot_be_served_refuses_browsers_and_harms_no_candidate(tmp_path):
    port = free_port()
    async with backend(tmp_path, port, SSL_CERT_FILE="/nothing/here") as printed:
        place = re.search(r"with a key: (http://127\.0\.0\.1:\d+)/\n", printed)[1]
        async with httpx.AsyncClient(trust_env=False, timeout=30) as browser:
            for _ in range(2):
                with pytest.raises(httpx.NetworkError):  # and not one that waits for an answer
                    await browser.get(place)
            assert (await browser.get(f"http://127.0.0.1:{port}/i/nobody")).status_code == 404


async def test_a_backend_without_a_desk_says_nothing_of_one(tmp_path):
    async with backend(tmp_path, free_port(), "--no-desk") as printed:
        assert "desk" not in printed


async def test_open_asks_for_the_key_of_a_backend_elsewhere_and_says_when_that_is_gone(tmp_path):
    port = free_port()
    settings = {"AURAL_BASE_URL": f"http://127.0.0.1:{port}/api/v1"}
    code, out, err = await anyio.to_thread.run_sync(lambda: aural_mcp(tmp_path, "open", "--no-browser", **settings))
    assert (code, out) == (1, "")
    assert "Or say --ask-key, and type it in the browser." in err
    command = [sys.executable, "-u", "-m", "aural_mcp", "open", "--ask-key", "--no-browser"]
    process = await anyio.open_process(command, env=settings_for(tmp_path / "mine", **settings))
    said = b""
    while b"Ctrl-C" not in said:
        said += await process.stdout.receive()
    place = re.search(r"The desk: (http://127\.0\.0\.1:\d+)/\n", said.decode())[1]
    async with httpx.AsyncClient(base_url=place, follow_redirects=True, trust_env=False, timeout=60) as browser:
        async with backend(tmp_path / "theirs", port, "--no-desk") as printed:
            key = re.search(r"shown this once: (dlv_\w+)", printed)[1]
            assert f"127.0.0.1:{port} and nowhere else" in (await browser.get("/")).text
            assert (await sign_in(browser, place, key)).status_code == 200
        page = await browser.get("/")
        assert page.status_code == 503
        assert "cannot be reached" in page.text
    process.send_signal(signal.SIGINT)
    with anyio.fail_after(30):
        assert await process.wait() == 0
    await process.aclose()

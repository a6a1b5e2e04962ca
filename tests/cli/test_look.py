"""`aural-mcp open` and `aural-mcp demo --look`: a link that lets a browser in, and a workspace worth looking at."""

import json
import re
import signal
import subprocess
import sys
from contextlib import asynccontextmanager

import anyio
import httpx
import pytest

from processes import aural_mcp, free_port, settings_for

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

"""The recruiter's desk in a real browser: the command's own link, every page, by keyboard reachable and readable."""

import re
import signal
import subprocess
import sys

import anyio
import pytest
from mcp import Client
from playwright.async_api import expect

from conftest import make_world, ok
from processes import settings_for
from scored import even, interview_with, sit

from .conftest import accessible, device

HOSTILE = '<img src="http://evil.test/x" onerror="alert(1)">'


@pytest.fixture
async def desk(tmp_path):
    """`aural-mcp open --no-browser` on a workspace with four people; the link that it prints."""
    world = make_world(f"sqlite:///{tmp_path / 'workspace.db'}")
    async with Client(world.server) as agent:
        interview = await interview_with(agent)
        await ok(agent, "create_candidates", interviewId=interview, candidates=[{"name": "Dee Waits"}])
    for name, score in (("Ann Lee", 8), ("محمد عبدالله", 6), (HOSTILE, 4)):
        sit(world, interview, name, even(score))
    world.store.close()
    command = [sys.executable, "-u", "-m", "aural_mcp", "open", "--no-browser"]
    process = await anyio.open_process(command, env=settings_for(tmp_path), stderr=subprocess.PIPE)
    said = b""
    while b"Ctrl-C" not in said:
        said += await process.stdout.receive()
    yield re.search(r"http://127\.0\.0\.1:\d+/enter\?token=[\w-]+", said.decode())[0]
    process.send_signal(signal.SIGINT)
    with anyio.fail_after(20):
        assert await process.wait() == 0
    await process.aclose()


async def checked(page, where):
    try:
        await accessible(page)
    except AssertionError as error:
        raise AssertionError(f"{where}: {error}") from None


@pytest.mark.parametrize("viewport", ["phone", "desktop"])
async def test_a_recruiter_looks_at_everything_and_hides_names(browser, desk, viewport):
    scheme = "dark" if viewport == "phone" else "light"
    options = {"color_scheme": scheme, "permissions": ["clipboard-read", "clipboard-write"]}
    async with device(browser, viewport, **options) as page:
        await page.goto(desk)
        await expect(page.get_by_role("heading", name="Interviews")).to_be_visible()
        await checked(page, "Interviews")
        await page.get_by_role("link", name="Backend engineer").click()
        await expect(page.get_by_text("Dee Waits", exact=True)).to_be_visible()
        await checked(page, "Progress")
        await page.get_by_role("button", name="Copy link").click()
        assert "/i/invite/" in await page.evaluate("navigator.clipboard.readText()")
        tabs = page.get_by_role("navigation", name="Desk")
        for name in ("Comparison", "Sessions", "Interview", "Exports"):
            await tabs.get_by_role("link", name=name, exact=True).click()
            await expect(tabs.get_by_role("link", name=name, exact=True)).to_have_attribute("aria-current", "page")
            await checked(page, name)
        await tabs.get_by_role("link", name="Sessions").click()
        await page.get_by_role("link", name="Ann Lee").click()
        await expect(page.get_by_role("heading", name="Ann Lee")).to_be_visible()
        await checked(page, "Session")
        await page.get_by_role("button", name="Hide names").click()
        await expect(page.get_by_role("heading", name=re.compile("Candidate "))).to_be_visible()
        await tabs.get_by_role("link", name="Exports").click()
        async with page.expect_popup() as opened:
            await page.get_by_role("link", name="Open to print").click()
        report = await opened.value
        await expect(report.get_by_role("heading", name="Backend engineer")).to_be_visible()
        assert "Ann" not in await report.content()
        assert (await report.pdf()).startswith(b"%PDF")


async def test_the_report_is_readable_for_everybody(browser, desk):
    async with device(browser, "phone") as page:
        await page.goto(desk)
        await page.get_by_role("link", name="Backend engineer").click()
        await page.get_by_role("link", name="Exports").click()
        report = await page.context.request.get(f"{page.url.removesuffix('exports')}results.html?open=1")
        text = (await report.body()).decode()
        await page.goto("about:blank")
        await page.set_content(re.sub(r"<meta http-equiv[^>]+>", "", text))
        await accessible(page)

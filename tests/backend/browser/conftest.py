"""A Chromium of the system's, and what the tests in it share."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import async_playwright

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
VIEWPORTS = {"phone": (390, 844), "desktop": (1280, 800)}


@pytest.fixture
async def browser(chromium):
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield launched
        await launched.close()


@pytest.fixture
async def without_cookies(chromium, tmp_path):
    """Makes a browser that was told to keep nothing: neither cookies nor storage."""
    async with async_playwright() as playwright:

        @asynccontextmanager
        async def made(**options):
            profile = tmp_path / "profile"
            (profile / "Default").mkdir(parents=True)
            blocked = {"profile": {"default_content_setting_values": {"cookies": 2}}}
            (profile / "Default" / "Preferences").write_text(json.dumps(blocked))
            context = await playwright.chromium.launch_persistent_context(
                profile, executable_path=chromium, args=FLAGS, **options
            )
            yield context
            await context.close()

        yield made


@asynccontextmanager
async def device(browser, viewport="desktop", **options):
    """A page on a device of its own; anything that goes wrong in it fails the test."""
    width, height = VIEWPORTS[viewport]
    context = await browser.new_context(viewport={"width": width, "height": height}, **options)
    page, problems = await context.new_page(), []
    page.on(
        "console", lambda said: problems.append(said.text) if said.type == "error" and "422" not in said.text else None
    )
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on(
        "request",
        lambda sent: problems.append(sent.url) if "127.0.0.1" not in sent.url and sent.url[:5] != "data:" else None,
    )
    yield page
    await context.close()
    assert problems == []


async def accessible(page):
    """No violation of WCAG 2.2 A or AA on the page as it stands, and nothing that overflows it."""
    found = await Axe().run(page, options={"runOnly": {"type": "tag", "values": WCAG}})
    assert found.violations_count == 0, found.generate_report()
    assert await page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0

"""The desk of a backend in a real browser: the key is typed once, and leaves with the person."""

import re

import anyio
import pytest
from playwright.async_api import expect

from processes import backend, free_port

from .conftest import VIEWPORTS, accessible


@pytest.fixture
async def desk(tmp_path):
    """Where the desk of `aural-mcp backend` is, and a key."""
    with anyio.fail_after(90):
        async with backend(tmp_path, free_port()) as printed:
            yield re.search(r"with a key: (\S+)/\n", printed)[1], re.search(r"this once: (\S+)", printed)[1]


@pytest.mark.parametrize("viewport", ["phone", "desktop"])
async def test_a_recruiter_signs_in_with_a_key_and_out_of_every_tab(browser, desk, viewport):
    place, key = desk
    width, height = VIEWPORTS[viewport]
    scheme = "dark" if viewport == "phone" else "light"
    context = await browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    page, asked = await context.new_page(), []
    page.on("request", lambda sent: asked.append(sent.url))
    await page.goto(f"{place}/?title=engineer")
    await accessible(page)
    field = page.get_by_label("API key")
    await expect(field).to_be_focused()
    await field.fill("dlv_test_wrong")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_contain_text("not accepted")
    await accessible(page)
    assert await field.input_value() == ""
    await field.fill(f" {key} ")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("heading", name="Interviews")).to_be_visible()
    await accessible(page)
    assert key not in await page.content()
    assert all(each.startswith(place) and key not in each for each in asked)
    assert await page.evaluate("document.cookie") == ""
    assert await page.evaluate("localStorage.length + sessionStorage.length") == 0
    other = await context.new_page()
    await other.goto(f"{place}/")
    await other.get_by_role("button", name="Sign out").click()
    await expect(other.get_by_label("API key")).to_be_visible()
    await page.reload()
    await expect(page.get_by_label("API key")).to_be_visible()
    await context.close()

"""An explanation as a page: it is drawn, reads from the right where its letter does, and is accessible to everybody."""

import pytest

from aural_mcp.workflows.letters import catalogue
from conftest import ok
from turned_down import agree, ask, team, turned_down

from .conftest import VIEWPORTS, accessible, device


@pytest.mark.parametrize("viewport", VIEWPORTS)
@pytest.mark.parametrize("language", ["en", "ar"])
async def test_the_page_of_an_explanation_is_drawn_and_accessible(world, browser, language, viewport):
    async with team(world) as agent:
        given, session = await turned_down(agent, world, language=language)
        agree(world, session)
        ask(world, given, session, "correct", "I am Anne.")
        made = (await ok(agent, "export_results", **given, format="html"))["content"]
        panel = (await ok(agent, "export_results", **given | {"form": "results"}, format="html"))["content"]
    words = catalogue()[language]
    async with device(browser, viewport) as page:
        await page.set_content(made)
        letter = page.locator(".letter")
        assert await letter.get_attribute("dir") == words["direction"]
        assert await letter.get_attribute("lang") == language
        assert await letter.evaluate("each => getComputedStyle(each).direction") == words["direction"]
        assert words["draft"] in await letter.inner_text()
        assert await page.locator(".row").count() == 9
        await accessible(page)
        await page.set_content(panel)
        assert "I understand and agree." in await page.locator("article").inner_text()
        await accessible(page)

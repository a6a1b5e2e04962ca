"""A view with its result in it, as the desk and a report show it: accessible, quiet, and never fooled by words."""

import copy
import re

import pytest
from mcp import Client

from aural_mcp import views
from conftest import make_world
from viewed import HOSTILE, hostile, many, results_of, wild

from .conftest import accessible, overflow, tab

NAMES = pytest.mark.parametrize("name", views.NAMES)
THEMES = pytest.mark.parametrize("theme", ["light", "dark"])


@pytest.fixture(scope="session")
async def answers(tmp_path_factory):
    """What the tools answered once, for all tests."""
    world = make_world(f"sqlite:///{tmp_path_factory.mktemp('views') / 'workspace.db'}")
    async with Client(world.server, read_timeout_seconds=30) as agent:
        return await results_of(world, agent)


@pytest.fixture
def results(answers):
    return copy.deepcopy(answers)


async def drawn(page, name, result):
    await page.goto("about:blank")
    await page.set_content(views.page(name, result))
    await page.wait_for_selector("main:not([aria-busy])")


@NAMES
@THEMES
async def test_a_view_is_accessible_from_a_phone_to_a_wide_screen(browser, results, name, theme):
    async with tab(browser, theme) as page:
        await drawn(page, name, results[name])
        for width in (320, 1280):
            await page.set_viewport_size({"width": width, "height": 900})
            await accessible(page)
            assert await overflow(page) <= 0
        await page.set_viewport_size({"width": 1600, "height": 900})
        assert await overflow(page) <= 0


@NAMES
async def test_hostile_words_are_shown_as_words(browser, results, name):
    async with tab(browser, width=320) as page:
        await drawn(page, name, hostile(results[name]))
        assert await page.evaluate("window.owned") is None
        assert await page.locator("main script, main b, main style, main [onclick], main [onerror]").count() == 0
        assert HOSTILE[0] in await page.locator("main").inner_text()
        assert await overflow(page) <= 0
        await accessible(page)


@NAMES
async def test_values_of_another_kind_break_nothing(browser, results, name):
    async with tab(browser) as page:
        await drawn(page, name, wild(results[name]))
        await drawn(page, name, dict.fromkeys(results[name]))
        assert await page.locator("h1").count() == 1


@pytest.mark.parametrize("people", [1, 20, 300])
async def test_a_comparison_of_any_size_is_a_table_that_keys_sort(browser, results, people):
    result = many(results["comparison"], people)
    async with tab(browser) as page:
        await drawn(page, "comparison", result)
        body = page.locator(".scores tbody tr")
        assert await body.count() == min(people, 50)
        await page.get_by_role("button", name="Q1").focus()
        await page.keyboard.press("Enter")
        assert await page.locator("th[aria-sort]").get_attribute("aria-sort") == "descending"
        column = page.locator(".scores tbody tr td.score:nth-last-child(5)")
        there = [each for each in await column.all_inner_texts() if each[0] != "–"]
        assert [float(each) for each in there] == sorted((float(each) for each in there), reverse=True)
        await page.keyboard.press("Enter")
        assert await page.locator("th[aria-sort]").get_attribute("aria-sort") == "ascending"
        assert await page.evaluate("document.activeElement.textContent") == "Q1"
        if people > 50:
            await page.get_by_role("button", name="Show the other 250").click()
            assert await body.count() == people


async def test_what_is_not_scored_is_told_from_what_is_low_and_stands_last(browser, results):
    async with tab(browser) as page:
        await drawn(page, "comparison", results["comparison"])
        for _ in range(2):
            await page.get_by_role("button", name="C1").click()
            last = page.locator(".scores tbody tr").last
            assert "Robin Vega" in await last.inner_text()
            assert "not scored" in await last.locator("td.score").first.inner_text()
            assert await last.locator("td.score.none").count() == 8


async def test_a_name_opens_the_words_behind_its_scores(browser, results):
    async with tab(browser) as page:
        await drawn(page, "comparison", results["comparison"])
        name = page.get_by_role("button", name="Priya Nair")
        await name.focus()
        await page.keyboard.press("Enter")
        assert await name.get_attribute("aria-expanded") == "true"
        assert "I built the queue" in await page.locator("tr.about").inner_text()
        assert "chosen by rule" in await page.locator("tr.about").inner_text()
        await accessible(page)


async def test_hidden_names_are_gone_from_the_page_and_do_not_come_back(browser, results):
    result = many(results["comparison"], 8)
    result["unsound"] = ["Very short transcript: “Wei Zhang”. Read it."]
    result["candidates"][0]["quotes"] = [{"columns": "Q1", "turn": 2, "said": "I am Amara, and okafor builds queues."}]
    async with tab(browser) as page:
        await drawn(page, "comparison", result)
        await page.get_by_role("button", name="Hide names").click()
        await page.get_by_role("button", name="Candidate 1", exact=True).click()
        whole = await page.content()
        assert "Candidate 8" in whole
        assert "[name] builds queues" in whole
        script = whole.index("<script")
        for name in [part for each in result["candidates"] for part in each["name"].split()]:
            assert not re.search(rf"\b{name}\b", whole[:script], re.IGNORECASE)
        assert await page.get_by_role("button", name="names").count() == 0


async def test_a_session_shows_evidence_flags_code_and_a_drawing(browser, results):
    async with tab(browser) as page:
        await drawn(page, "session", results["session"])
        await page.get_by_role("button", name="turn 2").first.click()
        assert await page.evaluate("document.activeElement.id") == "turn-2"
        assert await page.locator("pre .keyword").all_inner_texts() == ["def", "return", "for", "in"]
        assert (await page.get_by_role("img", name="What Robin Vega drew").get_attribute("src"))[
            :18
        ] == "data:image/svg+xml"
        assert await page.locator("svg.timeline").get_attribute("role") == "img"
        listed = await page.get_by_role("region", name="What to look at").inner_text()
        assert "paste: 142 characters" in listed
        assert "Turn 6" in listed


async def test_a_report_prints_everybody_and_their_words(browser, results):
    async with tab(browser, "dark") as page:
        await drawn(page, "comparison", many(results["comparison"], 60))
        await page.get_by_role("button", name="Show every quote").click()
        assert (await page.pdf())[:4] == b"%PDF"
        assert await page.locator(".scores tbody tr").count() == 120
        await page.emulate_media(media="print")
        assert not await page.get_by_role("button", name="Hide names").is_visible()
        assert await page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


async def test_remarks_to_an_agent_are_told_to_a_person(browser, results):
    async with tab(browser) as page:
        for name, result in results.items():
            await drawn(page, name, result)
            assert not re.search(
                r"the user|do not obey|cursor|byRule|get_session", await page.locator("main").inner_text()
            )


def test_a_result_cannot_end_the_script_that_holds_it():
    made = views.page("session", {"summary": "</script><!--<script>&\u2028"})
    assert made.count("</script>") == 2
    assert "\\u003c/script\\u003e\\u003c!--\\u003cscript\\u003e\\u0026\\u2028" in made
    assert "default-src 'none'" in made


def test_a_nonce_stands_on_what_runs_and_a_page_without_data_is_made_once():
    made = views.page("progress", {}, nonce="n0nce", links={"session": "/s/{id}"}, top="<nav></nav>\n")
    assert made.count(' nonce="n0nce"') == 2
    assert "<nav></nav>\n<main" in made
    assert views.page("progress") is views.page("progress")
    for name in views.NAMES:
        assert not re.search(
            r"""innerHTML|insertAdjacent|document\.write|eval\(|https?://(?!www\.w3\.org/2000/svg)""", views.page(name)
        )
    with pytest.raises(KeyError):
        views.page("nothing")

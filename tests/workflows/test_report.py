"""The page for a panel: one file, whole, that asks nothing of anybody, with others' words as text only."""

import re
from html.parser import HTMLParser

import pytest
from mcp import Client

from conftest import ok, refused
from scored import CRITERIA, QUESTIONS, SAID, analysis, even, interview_with, sit

HOSTILE = '</style><script>alert(1)</script><img src="http://evil.test/x" onerror="alert(2)">'


class Page(HTMLParser):
    """The elements of a page, what they load, and the text between them."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.loads, self.words, self.handlers = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.loads += [value for name, value in attributes if name in ("src", "href", "action", "srcset", "data")]
        self.handlers += [name for name, _ in attributes if name.startswith("on")]

    def handle_data(self, data):
        self.words.append(data)


@pytest.fixture
async def reader(world):
    async with Client(world.server) as connected:
        yield connected


async def panel(agent, world):
    """An interview with one who is scored with evidence, one with gaps, one without a score, and one who is hostile."""
    interview = await interview_with(agent)
    whole = even(8)
    for number, row in enumerate(whole["questionEvaluations"]):
        row |= {"evidence": [2 * number + 2], "evaluation": "Says what broke.", "improvements": ["Numbers"]}
    sit(world, interview, "Ann Lee", whole, summary="Knows queues.")
    sit(world, interview, "Bo Ek", analysis({QUESTIONS[0]: 3.5}, {CRITERIA[0]: 0}, scoredBy={"name": "Claude"}))
    sit(world, interview, "Cy Fox", None)
    sit(world, interview, HOSTILE, even(6), [part for text in QUESTIONS for part in (text, HOSTILE)], summary=HOSTILE)
    return interview


async def report(agent, interview, **more):
    return (await ok(agent, "export_results", interviewId=interview, format="html", **more))["content"]


async def test_a_panel_reads_scores_reasons_quotes_and_what_is_missing(reader, world):
    text = " ".join(" ".join(Page(await report(reader, await panel(reader, world))).words).split())
    for words in (
        "Interview results Backend engineer",
        "4, of whom 3 scored",
        "Nobody is ranked; a person decides",
        "Without any score: “Cy Fox”.",
        "Ann Lee 8 8 8 8 8 8 8 8 8 8",
        "Bo Ek 3.5 0 – – – 3.5 – – – –",
        "Says what broke.",
        f"{SAID} Turn 4",
        "Knows queues.",
        "chosen by rule, not by the scorer",
        "Claude",
        "Not scored: C1, C2, C3, C4, Q1, Q2, Q3, Q4, Q5.",
    ):
        assert words in text, words


async def test_it_loads_nothing_runs_nothing_and_others_words_are_text(reader, world):
    text = await report(reader, await panel(reader, world))
    page = Page(text)
    assert (page.loads, page.handlers) == ([], [])
    assert not {"script", "img", "link", "iframe", "form"} & set(page.tags)
    assert page.tags.count("style") == 1
    assert re.search(r"default-src &#x27;none&#x27;|default-src 'none'", text)
    assert "url(" not in text
    assert "alert(1)" in " ".join(page.words)


async def test_blind_it_has_neither_names_nor_session_ids(reader, world):
    interview = await panel(reader, world)
    text = await report(reader, interview, blind=True)
    assert "Ann" not in text
    assert re.search(r"Candidate \w{6}", text)
    assert "Blind: names are pseudonyms." in text
    assert not re.search(r"[0-9a-f]{8}-[0-9a-f]{4}-", text)


async def test_a_packet_is_no_page(reader, world):
    interview = await interview_with(reader)
    session = sit(world, interview, "Ann Lee", even(8))
    given = {"interviewId": interview, "form": "packet", "candidateId": session, "format": "html"}
    assert "A packet is no table and no page." in await refused(reader, "export_results", given)

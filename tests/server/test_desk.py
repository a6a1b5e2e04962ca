"""The recruiter's desk: who is let in, what each page shows, and that it shows nothing that the tools would not."""

import json
import re
import time

import httpx
import pytest
from mcp import Client

from aural_mcp.client.client import AuralClient
from aural_mcp.client.state import State
from aural_mcp.config import Narrowing
from aural_mcp.privacy.audit import AuditLog
from aural_mcp.privacy.exposure import Exposure
from aural_mcp.server.access import access
from aural_mcp.server.desk import Desk, entry
from aural_mcp.server.principal import OneClient
from aural_mcp.server.server import AuralServer
from conftest import KEY, ORIGIN, ok
from rows import add_session
from scored import QUESTIONS, SAID, even, interview_with, sit
from wires import counting

HERE = "http://127.0.0.1:8555"
HOSTILE = "</script><script>alert(1)</script><b>Eve</b>"


def desk_of(world, asks=None, **settings):
    return Desk(AuralServer(OneClient(asks or world.client), backend="T.", **settings), HERE)


def browser_of(desk, **headers):
    transport = httpx.ASGITransport(desk)
    return httpx.AsyncClient(transport=transport, base_url=HERE, follow_redirects=True, headers=headers)


async def come_in(browser, link):
    """Open a link and send its form, as the page does by itself."""
    page = await browser.get(link)
    token = re.search(r'name="token" value="([^"]+)"', page.text)
    assert token, page.text
    return await browser.post("/enter", data={"token": token[1]}, headers={"origin": HERE})


@pytest.fixture
async def interview(world):
    """An interview with two who are scored, one who is hostile, one in the middle and one who has not begun."""
    async with Client(world.server) as agent:
        made = await interview_with(agent)
        await ok(agent, "create_candidates", interviewId=made, candidates=[{"name": "Dee Waits"}])
    sit(world, made, "Ann Lee", even(8), summary="Ann Lee knows queues.")
    sit(world, made, "Bo Ek", even(6))
    sit(world, made, HOSTILE, even(4), [part for text in QUESTIONS for part in (text, HOSTILE)])
    add_session(world, made, ["Q"], participantName="Half Way")
    return made


@pytest.fixture
async def signed_in(world, interview):
    desk = desk_of(world)
    async with browser_of(desk) as browser:
        await come_in(browser, desk.entry.link("/"))
        yield browser


def drawn(page):
    """The result that a page draws."""
    found = re.search(r'<script type="application/json" id="result">(.*?)</script>', page.text, re.S)
    assert found, page.text
    return json.loads(found[1])


PAGES = ("", "/comparison", "/sessions", "/questions", "/exports", "/results.html", "/results.csv", "/results.json")


# ── Who is let in ───────────────────────────────────────────────────────────────────────────────


async def test_a_link_lets_one_browser_in_once_and_leads_where_it_was_made_for(world, interview):
    desk = desk_of(world)
    link = desk.entry.link(f"/interviews/{interview}/comparison")
    async with browser_of(desk) as mine, browser_of(desk) as other:
        for _ in range(3):  # what only looks at a link uses nothing up
            assert (await mine.get(link)).status_code == 200
        page = await come_in(mine, link)
        assert str(page.url) == f"{HERE}/interviews/{interview}/comparison"
        assert "token" not in str(page.url)
        (cookie,) = page.history[0].headers.get_list("set-cookie")
        assert re.fullmatch(r"aural_desk_8555=[\w-]{43}; HttpOnly; Path=/; SameSite=strict", cookie)
        again = await other.get(link)
        assert again.status_code == 401
        assert "opened before, or is too old" in again.text
        token = link.partition("token=")[2]
        sent = await other.post("/enter", data={"token": token}, headers={"origin": HERE})
        assert (sent.status_code, "set-cookie" in sent.headers) == (401, False)


async def test_a_link_is_good_for_five_minutes(world, monkeypatch):
    desk = desk_of(world)
    link, then = desk.entry.link("/"), entry.time.monotonic()
    monkeypatch.setattr(entry.time, "monotonic", lambda: then + 301)
    async with browser_of(desk) as browser:
        assert (await browser.get(link)).status_code == 401


async def test_without_a_cookie_nothing_is_shown_and_it_says_what_to_do(world, interview):
    async with browser_of(desk_of(world)) as browser:
        for path in ("/", *(f"/interviews/{interview}{each}" for each in PAGES), "/nowhere"):
            page = await browser.get(path)
            assert page.status_code == 401
            assert "aural-mcp open" in page.text
            assert "Backend engineer" not in page.text


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "desk.test:8555"}, 421),
        ({"host": "localhost:8555"}, 421),
        ({"host": "127.0.0.1:8410"}, 421),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"origin": "http://127.0.0.1:8410"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "same-origin", "origin": HERE}, 200),
        ({"sec-fetch-site": "none"}, 200),
    ],
)
async def test_another_name_or_another_page_gets_nothing_though_the_cookie_came_along(signed_in, headers, status):
    page = await signed_in.get("/", headers=headers)
    assert page.status_code == status
    assert ("Backend engineer" in page.text) == (status == 200)


async def test_a_form_must_come_from_the_desk_itself(signed_in):
    for headers in ({}, {"sec-fetch-site": "none"}, {"origin": "http://127.0.0.1:8410"}):
        assert (await signed_in.post("/blind", headers=headers)).status_code == 403
    for method in ("PUT", "DELETE", "POST"):
        page = await signed_in.request(method, "/", headers={"origin": HERE})
        assert page.status_code == 405


async def test_every_page_may_load_only_itself_is_kept_nowhere_and_framed_nowhere(signed_in, interview):
    for path in ("/", "/nowhere", *(f"/interviews/{interview}{each}" for each in PAGES)):
        page = await signed_in.get(path)
        policy = page.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'")
        assert "frame-ancestors 'none'" in policy
        assert page.headers["cache-control"] == "no-store"
        nonces = set(re.findall(r'nonce="([^"]+)"', page.text))
        assert all(f"'nonce-{each}'" in policy for each in nonces)
        assert page.headers["x-content-type-options"] == "nosniff"


def test_over_https_the_cookie_is_the_hosts_own(world):
    desk = Desk(world.server, "https://desk.example")
    assert desk.entry.cookie == "__Host-aural_desk"
    assert desk.entry.secure


# ── What is shown ───────────────────────────────────────────────────────────────────────────────


async def test_the_pages_show_what_the_tools_answer(signed_in, interview):
    listed = await signed_in.get("/")
    assert f'href="/interviews/{interview}"' in listed.text
    assert "Backend engineer" not in (await signed_in.get("/", params={"title": "plumber"})).text
    progress = drawn(await signed_in.get(f"/interviews/{interview}"))
    assert progress["standing"] == {"scored": 3, "notScored": 0, "inProgress": 1, "gaveUp": 0, "notStarted": 1}
    assert progress["interview"] == "Backend engineer"
    (waits,) = progress["attention"]["notStarted"]
    assert waits["inviteUrl"].startswith("https://interviews.example/i/invite/")
    compared = drawn(await signed_in.get(f"/interviews/{interview}/comparison"))
    assert [(row["name"], row["C1"]) for row in compared["candidates"]][:2] == [("Ann Lee", 8), ("Bo Ek", 6)]
    assert compared["candidates"][0]["quotes"][0]["said"].startswith(SAID[:40])
    sessions = await signed_in.get(f"/interviews/{interview}/sessions")
    (ann,) = re.findall(r'href="(/sessions/[^"]+)"><bdi>Ann Lee<', sessions.text)
    session = drawn(await signed_in.get(ann))
    assert (len(session["messages"]), session["overallScore"]) == (10, 8)
    assert session["integrityLog"] == []
    assert drawn(await signed_in.get(f"/interviews/{interview}/questions"))["questions"][0]["text"] == QUESTIONS[0]


async def test_exports_are_downloads_and_the_report_opens_without_a_script(signed_in, interview):
    table = await signed_in.get(f"/interviews/{interview}/results.csv")
    assert table.headers["content-disposition"] == 'attachment; filename="results.csv"'
    assert "Ann Lee" in table.text
    report = await signed_in.get(f"/interviews/{interview}/results.html?open=1")
    assert "content-disposition" not in report.headers
    assert "sandbox" in report.headers["content-security-policy"]
    assert "<h1" in report.text
    assert (await signed_in.get(f"/interviews/{interview}/results.exe")).status_code == 404


async def test_a_long_transcript_and_a_large_comparison_are_whole(world, signed_in, interview):
    said = [f"{'Why? ' * 400}{number}" for number in range(40)]
    session = add_session(world, interview, said, status="COMPLETED", participantName="Zed")
    shown = drawn(await signed_in.get(f"/sessions/{session}"))
    assert [each["turn"] for each in shown["messages"]] == list(range(1, 41))
    for number in range(120):
        sit(world, interview, f"Person {number} {'x' * 200}", even(5), ())
    page = await signed_in.get(f"/interviews/{interview}/comparison")
    assert len(drawn(page)["candidates"]) == 124
    assert 'href="?quotes=1"' in page.text
    assert not any(row.get("quotes") for row in drawn(page)["candidates"])
    page = await signed_in.get(f"/interviews/{interview}/comparison?quotes=1")
    assert len(drawn(page)["candidates"]) == 124
    assert drawn(page)["candidates"][0]["quotes"]


async def test_what_others_wrote_is_never_markup(signed_in, interview):
    for path in ("/", *(f"/interviews/{interview}{each}" for each in PAGES)):
        page = await signed_in.get(path)
        if "html" in page.headers["content-type"]:
            assert "<b>Eve" not in page.text
            assert "<script>alert" not in page.text


async def test_what_is_not_there_is_a_page_that_says_so(signed_in):
    page = await signed_in.get("/sessions/5d3c7b7e-0000-4000-8000-000000000000")
    assert page.status_code == 404
    assert "no such interview or session" in page.text
    assert "list_sessions" not in page.text
    assert (await signed_in.get("/nowhere")).status_code == 404


# ── What is hidden ──────────────────────────────────────────────────────────────────────────────


async def test_names_hidden_once_are_hidden_on_every_page_and_in_every_export(signed_in, interview):
    page = await signed_in.post("/blind", headers={"origin": HERE, "referer": f"{HERE}/interviews/{interview}/exports"})
    assert str(page.url) == f"{HERE}/interviews/{interview}/exports"
    assert "Names are hidden" in page.text
    for each in PAGES:
        shown = await signed_in.get(f"/interviews/{interview}{each}")
        assert shown.status_code == 200
        assert not re.search("Ann|Lee|Bo Ek|Dee|Half Way", shown.text)
    assert "Candidate " in (await signed_in.get(f"/interviews/{interview}/sessions")).text


async def test_hiding_names_leads_nowhere_else(signed_in):
    for elsewhere in ("http://evil.test/", f"{HERE}//evil.test/", f"{HERE}.evil.test/"):
        page = await signed_in.post("/blind", headers={"origin": HERE, "referer": elsewhere})
        assert str(page.url) == f"{HERE}/"


@pytest.mark.parametrize("seen", [Exposure(blind=True), Exposure(lockdown=True)], ids=["blind", "lockdown"])
async def test_it_shows_no_more_than_the_server(world, interview, seen):
    desk = desk_of(world, exposure=seen)
    async with browser_of(desk) as browser:
        await come_in(browser, desk.entry.link("/"))
        for each in PAGES:
            page = await browser.get(f"/interviews/{interview}{each}")
            assert page.status_code == 200
            assert not re.search("Ann|Lee|Bo Ek|Dee", page.text)
            assert (SAID[:30] in page.text) <= (not seen.lockdown)
        assert "Names are hidden" in (await browser.get("/")).text


async def test_what_the_operator_took_away_is_no_page_and_no_link(world, interview):
    narrowing = Narrowing(read_only=True, exclude_tools=("compare_candidates", "export_results", "get_session"))
    desk = desk_of(world, access=access(narrowing))
    async with browser_of(desk) as browser:
        await come_in(browser, desk.entry.link("/"))
        page = await browser.get(f"/interviews/{interview}/sessions")
        assert "Ann Lee" in page.text
        assert "/sessions/" not in page.text.replace(f"/interviews/{interview}/sessions", "")
        assert "Comparison" not in page.text
        for each in ("comparison", "exports", "results.csv"):
            gone = await browser.get(f"/interviews/{interview}/{each}")
            assert gone.status_code == 404
            assert "took" in gone.text


async def test_what_it_shows_of_candidates_is_in_the_decision_log(world, interview, tmp_path):
    path = tmp_path / "audit.jsonl"
    desk = desk_of(world, audit=AuditLog(lambda: path))
    async with browser_of(desk) as browser:
        await come_in(browser, desk.entry.link("/"))
        for each in PAGES:
            await browser.get(f"/interviews/{interview}{each}")
    lines = [json.loads(each) for each in path.read_text().splitlines()]
    assert {each["tool"] for each in lines} == {"list_candidates", "compare_candidates", "export_results"}
    assert sum(each["tool"] == "export_results" for each in lines) == 3
    path.unlink()
    path.mkdir()
    async with browser_of(desk) as browser:
        await come_in(browser, desk.entry.link("/"))
        page = await browser.get(f"/interviews/{interview}/comparison")
        assert page.status_code == 500
        assert "Ann" not in page.text
        assert "decision log" in page.text


CEILINGS = {
    "/": 1,
    "/?title=engineer": 1,
    "": 5,
    "/comparison": 3,
    "/sessions": 1,
    "/questions": 1,
    "/exports": 1,
    "/results.csv": 3,
}
"""The most requests that a page costs, however many candidates there are; 60 may be sent in a minute."""


@pytest.mark.parametrize("blind", [False, True], ids=["named", "blind"])
async def test_against_a_remote_aural_no_page_costs_more_requests_with_more_candidates(world, interview, blind):
    async with Client(world.server) as agent:
        waiting = [{"name": f"Waits {number}"} for number in range(20)]
        await ok(agent, "create_candidates", interviewId=interview, candidates=waiting)
        for number in range(60):
            await ok(agent, "create_interview", title=f"Engineer {number}")
    sessions = [
        sit(world, interview, f"Person {number}", even(5), ("Why?", "So. " * 9_000) * 3) for number in range(97)
    ]
    seen = []
    desk = desk_of(world, counting(world, seen), exposure=Exposure(blind=blind))
    names = 3 if blind else 0  # who the names are that are hidden is asked once in a while
    async with browser_of(desk) as browser:
        await come_in(browser, desk.entry.link("/"))
        for path, most in CEILINGS.items():
            seen.clear()
            assert (
                await browser.get(path if path[:2] in ("/", "/?") else f"/interviews/{interview}{path}")
            ).status_code == 200
            assert len(seen) <= most + names, (path, seen)
        seen.clear()
        assert (await browser.get(f"/sessions/{sessions[0]}")).status_code == 200
        assert len(seen) <= 2 + names
        for path in ("/comparison?quotes=1", "/results.html"):
            seen.clear()
            assert (await browser.get(f"/interviews/{interview}{path}")).status_code == 200
            read = [each for each in seen if "/sessions/" in each]
            assert len(seen) - len(read) <= 3 + names
            assert len(read) == len(set(read))
        assert len(read) == 1  # of who is in the middle: what the comparison read is kept for the report


async def test_more_transcripts_than_the_minute_allows_is_a_page_that_says_when_and_goes_on_there(world, interview):
    passed = []
    for number in range(60):
        sit(world, interview, f"Person {number}", even(5), ("Why?", "So."))
    transport = httpx.ASGITransport(world.app)
    state = State(clock=lambda: time.time() + sum(passed))
    limited = AuralClient(KEY, f"{ORIGIN}/api/v1", requests_per_minute=60, transport=transport, state=state)
    desk, path = desk_of(world, limited), f"/interviews/{interview}/comparison?quotes=1"
    async with browser_of(desk) as browser:
        await come_in(browser, desk.entry.link("/"))
        page = await browser.get(path)
        assert page.status_code == 429
        assert 0 < int(page.headers["retry-after"]) <= 61
        assert f'href="{path}"' in page.text
        passed.append(61)
        page = await browser.get(path)
        assert (page.status_code, len(drawn(page)["candidates"])) == (200, 63)
        assert "transcripts were read in this call" not in page.text


async def test_against_a_remote_aural_it_asks_as_the_tools_do_and_keeps_transcripts(world, interview):
    seen = []
    desk = desk_of(world, counting(world, seen))
    async with browser_of(desk) as browser:
        await come_in(browser, desk.entry.link("/"))
        for requests in (7, 4):
            seen.clear()
            assert (await browser.get(f"/interviews/{interview}/comparison")).status_code == 200
            assert len(seen) == requests

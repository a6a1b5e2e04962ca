"""The desk that asks for a key: who is let in, whose workspace is shown, and what is said when something is wrong."""

import json
import logging
import pickle
import re

import httpx
import pytest

from aural_mcp.client.client import AuralClient
from aural_mcp.server.desk import Desk, Door, entry
from aural_mcp.server.principal import KeyPerRequest, OneClient
from aural_mcp.server.server import AuralServer

HERE = "http://127.0.0.1:8411"
GOOD, OTHER = "dlv_test_good", "dlv_test_other"
ID = "11111111-0000-4000-8000-000000000001"
DOOR = Door("aural.test", "Ask your admin for one.")


def interview(title):
    moment = "2026-01-01T00:00:00.000Z"
    return {"id": ID, "title": title, "mode": "CHAT", "createdAt": moment, "updatedAt": moment}


class Backend:
    """Answers each key with an interview that carries its name, and notes the keys; `answer` stands for it."""

    def __init__(self):
        self.keys, self.answer = [], None

    async def __call__(self, request):
        key = request.headers["authorization"].removeprefix("Bearer ")
        self.keys.append(key)
        if isinstance(self.answer, Exception):
            raise self.answer
        if self.answer is not None:
            return self.answer
        if key not in (GOOD, OTHER):
            return httpx.Response(401, json={"error": {"code": "UNAUTHORIZED", "message": "Invalid API key."}})
        return httpx.Response(200, json={"data": [interview(f"Of {key[9:]}")], "cursor": None})


@pytest.fixture
def backend():
    return Backend()


@pytest.fixture
def desk(backend):
    transport = httpx.MockTransport(backend)
    client = AuralClient(None, "https://aural.test/api/v1", requests_per_minute=0, transport=transport)
    return Desk(AuralServer(KeyPerRequest(client), backend="T."), HERE, DOOR)


def browser_of(desk):
    transport = httpx.ASGITransport(desk, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url=HERE, follow_redirects=True)


async def sign_in(browser, key=GOOD, **more):
    headers = more.pop("headers", {"origin": HERE})
    return await browser.post("/enter", data={"key": key, **more}, headers=headers)


@pytest.fixture
async def browser(desk):
    async with browser_of(desk) as made:
        yield made


def keeps(desk, key):
    """Whether what the desk knows of browsers has the key in it."""
    return key.encode() in pickle.dumps(desk.entry)


def words(page):
    return " ".join(re.sub("<[^>]+>", " ", page.text).split())


# ── Coming in ───────────────────────────────────────────────────────────────────────────────────


async def test_every_page_asks_for_the_key_and_leads_back_to_itself(browser, backend):
    page = await browser.get(f"/interviews/{ID}/sessions")
    assert page.status_code == 401
    assert f'name="to" value="/interviews/{ID}/sessions"' in page.text
    assert "sent to aural.test and nowhere else" in words(page)
    assert "<script" not in page.text
    assert (await browser.get("/enter")).status_code == 200
    assert backend.keys == []
    page = await sign_in(browser, to="/?title=Of")
    assert (page.status_code, str(page.url)) == (200, f"{HERE}/?title=Of")
    assert "Of good" in page.text
    (cookie,) = page.history[0].headers.get_list("set-cookie")
    assert re.fullmatch(r"aural_desk_8411=[\w-]{43}; HttpOnly; Path=/; SameSite=strict", cookie)


@pytest.mark.parametrize(
    "typed", [f"  {GOOD} ", f"{GOOD}\r\n", f"\ufeff{GOOD}\u200b", f"“{GOOD}”", f"'{GOOD}'", f"\u00a0{GOOD}\u3000"]
)
async def test_what_comes_along_around_a_key_is_taken_off(browser, backend, typed):
    assert (await sign_in(browser, typed)).status_code == 200
    assert set(backend.keys) == {GOOD}


@pytest.mark.parametrize("typed", ["", "hunter2", "dlv_", "dlv_a b", "dlv_a\nx: y", "dlv_ключ", "Bearer dlv_x", "\x00"])
async def test_what_is_no_key_is_sent_to_nobody(browser, backend, typed):
    page = await sign_in(browser, typed)
    assert page.status_code == 422
    assert "keys begin with dlv_" in words(page)
    assert backend.keys == []


async def test_a_wrong_key_is_told_so_with_the_next_step_and_is_not_repeated(browser, backend):
    page = await sign_in(browser, "dlv_test_wrong", to="/interviews/x")
    assert page.status_code == 401
    assert "not accepted" in words(page)
    assert "ask for a new one" in words(page)
    assert "dlv_test_wrong" not in page.text
    assert 'name="to" value="/interviews/x"' in page.text
    assert "set-cookie" not in page.headers
    assert (await browser.get("/")).status_code == 401


async def test_a_thousand_wrong_keys_are_ten_questions_and_a_minute_later_the_right_one_is_taken(
    browser, backend, monkeypatch
):
    pages = [await sign_in(browser, f"dlv_test_{number}") for number in range(1_000)]
    assert [page.status_code for page in pages] == [401] * 10 + [429] * 990
    assert len(backend.keys) == 10
    page = await sign_in(browser)
    assert page.status_code == 429
    assert 0 < int(page.headers["retry-after"]) <= 60
    assert f"Try again in {page.headers['retry-after']} s" in words(page)
    then = entry.time.monotonic()
    monkeypatch.setattr(entry.time, "monotonic", lambda: then + 61)
    assert (await sign_in(browser)).status_code == 200
    for _ in range(15):  # right ones are not counted
        assert (await sign_in(browser)).status_code == 200


async def test_a_key_of_a_megabyte_is_not_read(browser, backend):
    page = await sign_in(browser, "dlv_" + "x" * 1_000_000)
    assert page.status_code == 413
    assert backend.keys == []


@pytest.mark.parametrize("to", ["//evil.test", "/\\evil.test", "https://evil.test", "/a\nb", "javascript:x", "", "/é"])
async def test_signing_in_leads_to_a_page_of_the_desk_only(browser, to):
    page = await sign_in(browser, to=to)
    assert str(page.url) == f"{HERE}/"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:8410"},
        {"origin": "https://evil.test", "sec-fetch-site": "cross-site"},
        {"origin": HERE, "sec-fetch-site": "same-site"},
        {"origin": HERE, "host": "evil.test:8411"},
    ],
)
async def test_another_pages_form_signs_nobody_in_or_out(browser, backend, headers):
    page = await sign_in(browser, headers=headers)
    assert page.status_code in (403, 421)
    assert backend.keys == []
    await sign_in(browser)
    assert (await browser.post("/leave", headers=headers)).status_code in (403, 421)
    assert (await browser.get("/")).status_code == 200


async def test_a_key_in_an_address_is_taken_from_nowhere(browser, backend):
    for path in (f"/enter?key={GOOD}", f"/?key={GOOD}"):
        page = await browser.get(path)
        assert GOOD not in page.text
        assert "set-cookie" not in page.headers
    assert backend.keys == []


# ── Being in ────────────────────────────────────────────────────────────────────────────────────


async def test_each_browser_sees_the_workspace_of_its_own_key(desk, backend):
    async with browser_of(desk) as one, browser_of(desk) as two:
        await sign_in(one)
        await sign_in(two, OTHER)
        for browser, mine, theirs in ((one, "Of good", "Of other"), (two, "Of other", "Of good")) * 2:
            page = await browser.get("/")
            assert mine in page.text
            assert theirs not in page.text
            assert "dlv_test" not in page.text


async def test_a_cookie_that_was_planted_is_not_the_one_that_is_let_in(desk):
    planted = "x" * 43
    async with browser_of(desk) as browser, browser_of(desk) as attacker:
        browser.cookies.set(desk.entry.cookie, planted, domain="127.0.0.1")
        page = await sign_in(browser)
        assert planted not in page.history[0].headers["set-cookie"]
        assert (await attacker.get("/", headers={"cookie": f"{desk.entry.cookie}={planted}"})).status_code == 401


async def test_signing_in_again_ends_what_the_browser_was_before(desk):
    async with browser_of(desk) as browser, browser_of(desk) as thief:
        await sign_in(browser)
        before = browser.cookies[desk.entry.cookie]
        await sign_in(browser, OTHER)
        assert "Of other" in (await browser.get("/")).text
        assert (await thief.get("/", headers={"cookie": f"{desk.entry.cookie}={before}"})).status_code == 401


async def test_signing_out_in_one_tab_signs_out_all_and_forgets_the_key(desk, browser, backend):
    await sign_in(browser)
    cookie = browser.cookies[desk.entry.cookie]
    assert "Sign out" in (await browser.get("/")).text
    page = await browser.post("/leave", headers={"origin": HERE})
    assert (page.status_code, str(page.url)) == (200, f"{HERE}/enter")
    assert desk.entry.cookie not in browser.cookies
    asked = len(backend.keys)
    other_tab = await browser.get("/", headers={"cookie": f"{desk.entry.cookie}={cookie}"})
    assert other_tab.status_code == 401
    for path in ("/leave", "/blind"):
        assert (await browser.post(path, headers={"origin": HERE})).status_code == 401
    assert len(backend.keys) == asked
    assert not keeps(desk, GOOD)


async def test_a_browser_that_does_nothing_for_twelve_hours_is_signed_out(browser, monkeypatch):
    await sign_in(browser)
    then = entry.time.monotonic()
    monkeypatch.setattr(entry.time, "monotonic", lambda: then + entry.STAYS_FOR - 1)
    assert (await browser.get("/")).status_code == 200
    monkeypatch.setattr(entry.time, "monotonic", lambda: then + 2 * entry.STAYS_FOR)
    assert (await browser.get("/")).status_code == 401


async def test_the_key_of_a_browser_that_never_comes_again_is_kept_no_longer(desk, browser, monkeypatch):
    await sign_in(browser)
    assert keeps(desk, GOOD)
    then = entry.time.monotonic()
    monkeypatch.setattr(entry.time, "monotonic", lambda: then + entry.STAYS_FOR + 1)
    async with browser_of(desk) as another:
        await another.get("/")
    assert not keeps(desk, GOOD)


async def test_a_browser_that_goes_while_it_sends_its_key_is_no_failure(desk, caplog):
    async def gone():
        return {"type": "http.disconnect"}

    async def send(message):
        assert message.get("status", 400) == 400

    headers = [(b"host", b"127.0.0.1:8411"), (b"origin", HERE.encode())]
    scope = {"type": "http", "method": "POST", "path": "/enter", "query_string": b"", "headers": headers}
    await desk(scope, gone, send)
    assert caplog.text == ""


async def test_hidden_names_stay_hidden_and_only_until_the_next_sign_in(desk, browser):
    await sign_in(browser)
    assert "Names are hidden" in (await browser.post("/blind", headers={"origin": HERE})).text
    assert "Names are hidden" not in (await sign_in(browser)).text


async def test_the_key_is_in_no_log(browser, backend, caplog):
    caplog.set_level(logging.DEBUG)
    await sign_in(browser)
    backend.answer = RuntimeError("unforeseen")
    for page in (await sign_in(browser), await browser.get("/")):
        assert page.status_code == 500
        assert "RuntimeError" not in page.text
    assert GOOD not in caplog.text


def test_a_browser_is_printed_without_its_key(desk):
    visitor = desk.entry.visitor(desk.entry.welcome(GOOD))
    assert GOOD not in repr(visitor)
    assert visitor.key == GOOD


# ── When something is wrong ─────────────────────────────────────────────────────────────────────


def refusal(status, code="X", message="No <b>reason</b>.", **more):
    return httpx.Response(status, json={"error": {"code": code, "message": message, **more}})


WRONG = {
    "withdrawn": (refusal(401, "UNAUTHORIZED"), 401, "The key is not accepted"),
    "forbidden": (refusal(403, "FORBIDDEN"), 403, "may not see this"),
    "plan": (refusal(403, "PLAN_LIMIT_EXCEEDED"), 403, "reached its limit"),
    "gone": (refusal(404, "NOT_FOUND"), 404, "no such interview or session"),
    "older": (httpx.Response(404, html="<html>"), 501, "is older"),
    "conflict": (refusal(409, "CONFLICT"), 409, "changed in the meantime"),
    "too many": (refusal(429, "RATE_LIMITED", retry_after=59), 429, "load the page again in 59 s"),
    "failing": (refusal(500, message="SELECT secret"), 502, "backend failed"),
    "a proxy's": (httpx.Response(503, html="<html>SELECT secret"), 502, "backend failed"),
    "elsewhere": (httpx.Response(302, headers={"location": "https://evil.test"}), 502, "backend failed"),
    "not JSON": (httpx.Response(200, html="SELECT secret"), 502, "backend failed"),
    "down": (httpx.ConnectError("SELECT secret"), 503, "cannot be reached"),
    "silent": (httpx.ReadTimeout("SELECT secret"), 504, "No answer came"),
    "broken off": (httpx.ReadError("SELECT secret"), 504, "No answer came"),
}
ASKING = ("/", f"/interviews/{ID}", f"/interviews/{ID}/comparison", f"/interviews/{ID}/sessions")
PLACES = (*ASKING, f"/interviews/{ID}/questions", f"/interviews/{ID}/exports", f"/sessions/{ID}")
READ = (f"/interviews/{ID}/results.csv", f"/interviews/{ID}/results.html", f"/interviews/{ID}/results.json")


@pytest.mark.parametrize("wrong", WRONG)
async def test_whatever_is_wrong_with_the_backend_is_a_page_with_its_status_that_says_so(desk, backend, wrong):
    answer, status, says = WRONG[wrong]
    async with browser_of(desk) as browser:
        for path in (*PLACES, *READ):
            backend.answer = None
            await sign_in(browser)
            backend.answer = answer
            page = await browser.get(path)
            assert (path, page.status_code) == (path, status)
            assert says in words(page)
            assert "<b>reason" not in page.text
            assert "SELECT" not in page.text
            assert not re.search(r"list_\w+|get_\w+|[Cc]all again|AURAL_", words(page)), words(page)
            assert ('href="/"' in page.text) == (status != 401)
            assert ("Load it again" in page.text) == (status in (429, 502, 503, 504))
            assert page.headers.get("retry-after") == ("59" if status == 429 else None)
            assert ('name="key"' in page.text) == (status == 401)
        backend.answer = None
        await sign_in(browser)
        assert (await browser.get("/")).status_code == 200


@pytest.mark.parametrize("wrong", [name for name, (_, status, _) in WRONG.items() if status != 401])
async def test_a_key_that_nobody_could_look_at_is_not_called_wrong(desk, backend, wrong):
    backend.answer, status, says = WRONG[wrong]
    async with browser_of(desk) as browser:
        page = await sign_in(browser)
        assert page.status_code == status
        assert says in words(page)
        assert 'name="key"' in page.text
        backend.answer = None
        assert (await sign_in(browser)).status_code == 200


async def test_a_withdrawn_key_is_forgotten_at_once(desk, browser, backend):
    await sign_in(browser)
    backend.answer = WRONG["withdrawn"][0]
    assert (await browser.get("/")).status_code == 401
    backend.answer, asked = None, len(backend.keys)
    assert (await browser.get("/")).status_code == 401
    assert len(backend.keys) == asked


async def test_what_is_not_there_is_a_page_that_says_so_and_leads_back(world):
    desk = Desk(AuralServer(OneClient(world.client), backend="T."), HERE)
    async with browser_of(desk) as browser:
        token = desk.entry.link("/").partition("token=")[2]
        await browser.post("/enter", data={"token": token}, headers={"origin": HERE})
        for each in (ID, "abc", "%00", "a" * 3_000, "%E2%80%AE"):
            for path in (*PLACES[1:], *READ):
                page = await browser.get(path.replace(ID, each))
                assert (path, page.status_code) == (path, 404)
                assert "no such interview or session" in words(page)
                assert 'href="/"' in page.text
                assert "Comparison" not in page.text


async def test_a_title_cannot_break_out_of_a_page(browser, backend):
    title = "<img src=x onerror=alert(1)>\u202eevil\u2066</bdi></table>"
    data = {"data": [interview(title)], "cursor": None}
    backend.answer = httpx.Response(200, json=json.loads(json.dumps(data)))
    page = await sign_in(browser)
    assert page.status_code == 200
    assert "<img" not in page.text
    assert not re.search("[\u202e\u2066]", page.text)

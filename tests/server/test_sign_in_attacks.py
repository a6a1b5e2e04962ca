"""What RFC 9700 and MCP's page on security warn of, tried on the sign-in: none of it succeeds."""

import json
import re
import time

import pytest

from aural_mcp.server.sign_in import store, tokens
from conftest import KEY
from signing import (
    BACK,
    HERE,
    VERIFIER,
    asking,
    call,
    code_for,
    consent,
    form_of,
    redeem,
    refreshed,
    register,
    result_of,
    said,
    signed_in,
    turned_back,
)

LIST = "list_interviews"


async def is_taken(place, http, token):
    place.forget()
    return (await call(http, token, LIST)).status_code == 200


# ── Codes ───────────────────────────────────────────────────────────────────────────────────────


async def test_a_code_is_good_once_and_a_second_use_ends_what_came_of_the_first(place, http):
    client = await register(http)
    code = await code_for(http, client)
    first = (await redeem(http, client, code)).json()
    again = await redeem(http, client, code)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert not await is_taken(place, http, first["access_token"])
    assert (await refreshed(http, client, first["refresh_token"])).status_code == 400


@pytest.mark.parametrize(
    "changed",
    [
        {"code_verifier": "w" * 43},
        {"redirect_uri": f"{BACK}/"},
        {"redirect_uri": None},
        {"code_verifier": None},
        {"code_verifier": ""},
        {"resource": "https://elsewhere.example/mcp"},
        {"client_id": "app_unknown"},
        {"client_id": "https://attacker.example/app.json"},
        {"grant_type": "client_credentials"},
    ],
)
async def test_a_code_that_somebody_else_has_gives_nothing(http, changed):
    client = await register(http)
    answer = await redeem(http, client, await code_for(http, client), **changed)
    assert answer.status_code in (400, 401)
    assert "access_token" not in answer.text


async def test_another_application_cannot_use_a_code_or_a_refresh_token(http):
    client, other = await register(http), await register(http)
    code = await code_for(http, client)
    assert (await redeem(http, other, code)).json()["error"] == "invalid_grant"
    got = (await redeem(http, client, code)).json()
    assert (await refreshed(http, other, got["refresh_token"])).json()["error"] == "invalid_grant"
    assert (await refreshed(http, client, got["refresh_token"])).status_code == 200


async def test_a_code_is_too_old_after_a_minute(http, monkeypatch):
    client = await register(http)
    code, now = await code_for(http, client), time.time()
    monkeypatch.setattr(time, "time", lambda: now + 61)
    assert (await redeem(http, client, code)).json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    "changed",
    [
        {"code_challenge": None, "code_challenge_method": None},
        {"code_challenge_method": "plain", "code_challenge": VERIFIER},
        {"code_challenge_method": None},
        {"code_challenge": "short"},
    ],
)
async def test_no_code_is_given_without_pkce_or_with_a_weaker_one(http, changed):
    answer = await http.get(asking(await register(http), **changed))
    assert turned_back(answer)["error"] == "invalid_request"


async def test_a_link_to_this_server_leads_nowhere_else_by_itself(http):
    client, here = await register(http, "https://attacker.example/", "http://127.0.0.1/"), "http://127.0.0.1:8080/"
    page = await http.get(asking(client, redirect_uri="https://attacker.example/", response_type="token"))
    assert turned_back(page)["error"] == "unsupported_response_type"
    assert "Go back to <bdi>attacker.example</bdi>" in page.text
    answer = await http.get(asking(client, redirect_uri=here, response_type="token"))
    assert answer.headers["location"].startswith(here)


# ── Where a browser goes ────────────────────────────────────────────────────────────────────────

ELSEWHERE = [
    "https://attacker.example/callback",
    "https://host.example.attacker.example/callback",
    "https://host.example@attacker.example/callback",
    "https://host.example:443/callback",
    "https://host.example:8443/callback",
    "https://HOST.example/callback",
    "https://host.example./callback",
    "https://host.example/callback/",
    "https://host.example/callback/../callback",
    "https://host.example/a/../callback",
    "https://host.example/%63allback",
    "https://host.example/callback?next=https://attacker.example",
    "https://host.example/callback#fragment",
    "https://host.example\\@attacker.example/callback",
    "https://host.example%2eattacker.example/callback",
    "http://host.example/callback",
    "//host.example/callback",
    " https://host.example/callback",
    "https://host.example/callback\t",
    "javascript:alert(1)",
    "",
]


@pytest.mark.parametrize("redirect", ELSEWHERE)
async def test_a_browser_is_sent_to_no_address_that_only_looks_like_a_registered_one(http, redirect):
    answer = await http.get(asking(await register(http), redirect_uri=redirect))
    assert answer.status_code == 400
    assert "location" not in answer.headers
    assert "attacker" not in answer.text


async def test_a_program_on_this_computer_may_listen_on_another_port_and_at_no_other_place(http):
    client = await register(http, "http://127.0.0.1/callback", "http://localhost:3000/callback", "http://[::1]:1/cb")
    for good in ("http://127.0.0.1:51004/callback", "http://localhost:6274/callback", "http://[::1]:65535/cb"):
        page = await http.get(asking(client, redirect_uri=good))
        assert page.status_code == 200
        assert said(await consent(http, page))["code"]
    for bad in (
        "http://127.0.0.1:51004/other",
        "http://127.0.0.2:51004/callback",
        "http://localhost.attacker.example:3000/callback",
        "https://127.0.0.1/callback",
        "http://localhost:99999999/callback",
        "http://127.0.0.1:51004@attacker.example/callback",
    ):
        assert (await http.get(asking(client, redirect_uri=bad))).status_code == 400


@pytest.mark.parametrize(
    "redirect",
    [
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        "data:text/html,x",
        "vbscript:x",
        "file:///etc/passwd",
        "blob:https://host.example/1",
        "ms-msdt:/id",
        "intent://x#Intent;end",
        "mailto:a@host.example",
        "wss://host.example/",
        "http://host.example/callback",
        "http://192.168.0.1/callback",
        "https://user:password@host.example/",
        "https://host.example/#fragment",
        "https://host.example/\\evil",
        "https:///callback",
        "/callback",
        "cursor:",
        "cursor://somebody@elsewhere/callback",
        "",
        None,
        7,
    ],
)
async def test_no_application_registers_an_address_that_runs_something_or_is_another_s(http, redirect):
    answer = await http.post("/register", json={"redirect_uris": [BACK, redirect]})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_redirect_uri")


@pytest.mark.parametrize("redirect", ["cursor://anysphere.cursor-mcp/oauth/callback", "com.example.app:/oauth"])
async def test_an_application_of_this_computer_is_answered_by_its_scheme_and_a_warning_says_so(http, redirect):
    page = await http.get(asking(await register(http, redirect), redirect_uri=redirect))
    assert f"opens {redirect.partition(':')[0]}: addresses" in page.text
    assert (await consent(http, page)).headers["location"].startswith(f"{redirect}?code=")


async def test_every_way_back_says_who_answers_and_gives_back_the_state(http):
    client, state = await register(http), "a b&c=d%é"
    wrong = turned_back(await http.get(asking(client, response_type="token", state=state)))
    page = await http.get(asking(client, state=state))
    cancelled = said(await consent(http, page, answer="no", key=""))
    good = said(await consent(http, page))
    assert [each.get("error") for each in (wrong, cancelled, good)] == [
        "unsupported_response_type",
        "access_denied",
        None,
    ]
    assert {(each["iss"], each["state"]) for each in (wrong, cancelled, good)} == {(HERE, state)}


@pytest.mark.parametrize("query", ["", "?client_id=%ff", "?client_id=%00", "?client_id=app_x&x=%F0%9F%98%80", "?&&=&"])
async def test_what_no_application_asked_is_a_page_in_words(http, query):
    page = await http.get(f"/authorize{query}")
    assert (page.status_code, "begin again there" in page.text) == (400, True)
    assert (await http.get(f"/sign-in/callback{query}")).status_code == 404
    answer = await http.post("/token", content=query[1:], headers={"content-type": "application/x-www-form-urlencoded"})
    assert answer.json()["error"] in ("invalid_client", "invalid_request")


async def test_what_is_sent_twice_is_not_chosen_from(http):
    client = await register(http)
    answer = await http.get(f"{asking(client)}&redirect_uri=https://attacker.example/")
    assert (answer.status_code, "location" in answer.headers) == (400, False)


# ── Tokens ──────────────────────────────────────────────────────────────────────────────────────


async def test_a_token_is_good_only_where_it_was_given(place, http):
    _, got = await signed_in(http)
    async with place.http("https://other.example") as elsewhere:
        answer = await call(elsewhere, got["access_token"], LIST)
        assert answer.status_code == 401
        assert "https://other.example/.well-known" in answer.headers["www-authenticate"]
    assert await is_taken(place, http, got["access_token"])


async def test_no_token_is_asked_for_another_server(http):
    client = await register(http)
    answer = await http.get(asking(client, resource="https://attacker.example/mcp"))
    assert turned_back(answer)["error"] == "invalid_target"
    assert (await http.get(asking(client, resource=f"{HERE}/mcp"))).status_code == 200


async def test_a_refresh_token_that_was_replaced_ends_the_sign_in_when_it_comes_again(place, http):
    client, first = await signed_in(http)
    second = (await refreshed(http, client, first["refresh_token"])).json()
    third = (await refreshed(http, client, second["refresh_token"])).json()
    assert (await refreshed(http, client, first["refresh_token"])).json()["error"] == "invalid_grant"
    assert not await is_taken(place, http, third["access_token"])
    assert (await refreshed(http, client, third["refresh_token"])).status_code == 400


async def test_a_host_whose_answer_was_lost_repeats_and_the_lost_tokens_are_void(place, http):
    client, first = await signed_in(http)
    lost = (await refreshed(http, client, first["refresh_token"])).json()
    also_lost = (await refreshed(http, client, first["refresh_token"])).json()
    got = (await refreshed(http, client, first["refresh_token"])).json()
    for each in (lost, also_lost):
        assert not await is_taken(place, http, each["access_token"])
    assert await is_taken(place, http, got["access_token"])
    assert (await refreshed(http, client, lost["refresh_token"])).status_code == 400
    assert not await is_taken(place, http, got["access_token"])


async def test_a_late_repetition_is_no_lost_answer(http, monkeypatch):
    client, first = await signed_in(http)
    second, now = (await refreshed(http, client, first["refresh_token"])).json(), time.time()
    monkeypatch.setattr(time, "time", lambda: now + store.REPEATED_WITHIN + 1)
    assert (await refreshed(http, client, first["refresh_token"])).status_code == 400
    assert (await refreshed(http, client, second["refresh_token"])).status_code == 400


async def test_tokens_end_after_their_time(place, http, monkeypatch):
    client, got = await signed_in(http)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 3_601)
    assert not await is_taken(place, http, got["access_token"])
    got = (await refreshed(http, client, got["refresh_token"])).json()
    monkeypatch.setattr(time, "time", lambda: now + 3_601 + 31 * store.DAY)
    assert (await refreshed(http, client, got["refresh_token"])).status_code == 400


async def test_an_application_signs_somebody_out_and_no_other_does(place, http):
    client, got = await signed_in(http)
    await http.post("/revoke", data={"client_id": await register(http), "token": got["refresh_token"]})
    assert await is_taken(place, http, got["access_token"])
    assert (await http.post("/revoke", data={"client_id": client, "token": got["refresh_token"]})).status_code == 200
    assert not await is_taken(place, http, got["access_token"])
    assert (await http.post("/revoke", data={"client_id": client, "token": "unknown"})).status_code == 200


@pytest.mark.parametrize("method", ["client_secret_post", "client_secret_basic"])
async def test_an_application_with_a_secret_must_show_it(http, method):
    said_of_it = {"redirect_uris": [BACK], "token_endpoint_auth_method": method}
    known = (await http.post("/register", json=said_of_it)).json()
    client, secret = known["client_id"], known["client_secret"]
    for wrong in ({}, {"client_secret": "another"}):
        answer = await redeem(http, client, await code_for(http, client), **wrong)
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    code = await code_for(http, client)
    if method == "client_secret_basic":
        http.auth = (client, secret)
        answer = await redeem(http, None, code)
    else:
        answer = await redeem(http, client, code, client_secret=secret)
    assert answer.status_code == 200


async def test_a_token_that_may_only_read_changes_nothing_in_any_protocol_or_spelling(http, world):
    _, got = await signed_in(http)
    for version in ("2025-11-25", "2026-07-28"):
        answer = await call(http, got["access_token"], "create_interview", version, title="New")
        assert answer.status_code == 403
    sent = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}
    sent["params"] = {"name": "create_interview", "arguments": {"title": "New"}}
    escaped = json.dumps(sent).replace("tools/call", "tools\\/call")  # as PHP writes it
    headers = {"authorization": f"Bearer {got['access_token']}", "content-type": "application/json"}
    headers |= {"accept": "application/json, text/event-stream", "mcp-protocol-version": "2025-11-25"}
    assert (await http.post("/mcp", content=escaped, headers=headers)).status_code == 403
    answer = await http.post("/mcp", content=escaped.replace("call", "c\\u0061ll"), headers=headers)
    assert "may only read" in result_of(answer)["content"][0]["text"]
    assert result_of(await call(http, got["access_token"], LIST))["structuredContent"]["data"] == []


# ── The page ────────────────────────────────────────────────────────────────────────────────────


async def test_only_our_page_in_the_browser_that_opened_it_answers(place, http):
    client = await register(http)
    page = await http.get(asking(client))
    for headers in (
        {"origin": "https://attacker.example"},
        {"origin": "null"},
        {"origin": HERE, "sec-fetch-site": "cross-site"},
        {"origin": HERE, "sec-fetch-site": "same-site"},
    ):
        form = {**form_of(page), "key": KEY, "answer": "yes"}
        assert (await http.post("/sign-in", data=form, headers=headers)).status_code == 403
    assert (await http.post("/sign-in", data=form)).status_code == 403
    async with place.http() as another:
        assert (await consent(another, page)).status_code == 400
        await another.get(asking(client))
        assert (await consent(another, page)).status_code == 400
    assert said(await consent(http, page))["code"]


async def test_the_cookie_is_bound_to_this_name_and_read_by_no_script(http):
    page = await http.get(asking(await register(http)))
    cookie = page.headers["set-cookie"]
    assert re.fullmatch(r"__Host-aural_sign_in=[\w-]{43}; HttpOnly; Max-Age=3600; Path=/; SameSite=lax; Secure", cookie)


async def test_the_page_is_framed_by_nobody_kept_nowhere_and_runs_nothing(http):
    page = await http.get(asking(await register(http)))
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "script-src" not in policy
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["x-frame-options"] == "DENY"
    assert "access-control-allow-origin" not in page.headers
    assert "cross-origin-opener-policy" not in page.headers  # else the host's window is not found again
    assert "<script" not in page.text


async def test_each_application_is_asked_about_each_time(http):
    client = await register(http)
    await code_for(http, client)
    page = await http.get(asking(client))
    assert (page.status_code, "Let it in" in page.text) == (200, True)


async def test_a_name_that_pretends_stays_a_name(http):
    name = '<b>Claude</b>\u202e"><script>x</script>' + "w" * 300
    client = await register(http, client_name=name)
    page = await http.get(asking(client))
    assert "<script" not in page.text
    assert "\u202e" not in page.text
    assert "w" * 60 not in page.text
    assert "The application chose its name itself" in page.text


async def test_what_was_sealed_for_one_request_is_good_for_no_other_and_for_ten_minutes(http, monkeypatch):
    page, now = await http.get(asking(await register(http))), time.time()
    sealed = form_of(page)["request"]
    form = {"key": KEY, "answer": "yes", "request": sealed[:-2] + ("00" if sealed[-2:] != "00" else "11")}
    assert (await http.post("/sign-in", data=form, headers={"origin": HERE})).status_code == 400
    monkeypatch.setattr(time, "time", lambda: now + 601)
    assert (await consent(http, page)).status_code == 400


# ── Too much ────────────────────────────────────────────────────────────────────────────────────


async def test_keys_are_not_guessed_at_the_page(http):
    page = await http.get(asking(await register(http)))
    wrong = [(await consent(http, page, key=f"dlv_wrong_{n}")).status_code for n in range(12)]
    assert wrong == [422] * 10 + [429] * 2
    late = await consent(http, page)
    assert late.status_code == 429
    assert 0 < int(late.headers["retry-after"]) <= 60


async def test_a_flood_of_registrations_puts_out_no_application_that_somebody_is_signed_in_with(http, monkeypatch):
    monkeypatch.setattr(store, "MOST_APPLICATIONS", 3)
    client, got = await signed_in(http)
    flood = [await register(http) for _ in range(8)]
    assert (await refreshed(http, client, got["refresh_token"])).status_code == 200
    assert (await http.get(asking(flood[0]))).status_code == 400
    assert (await http.get(asking(flood[-1]))).status_code == 200


async def test_registrations_are_slowed_down(http):
    answers = [
        (await http.post("/register", json={"redirect_uris": [BACK]})).status_code
        for _ in range(tokens.REGISTRATIONS_EACH + 2)
    ]
    assert answers == [201] * tokens.REGISTRATIONS_EACH + [429] * 2


@pytest.mark.parametrize("body", ["[]", "nonsense", "[" * 50_000, '{"redirect_uris": {}}', "{}", "1e999", "\ud800"])
async def test_what_is_no_description_is_refused_in_words(http, body):
    answer = await http.post("/register", content=body.encode("utf-8", "surrogatepass"))
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("invalid_")

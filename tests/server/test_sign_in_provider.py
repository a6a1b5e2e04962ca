"""Where the company's provider says who somebody is: how a browser goes there and back, and what comes of it."""

import time
from urllib.parse import parse_qs, urlsplit

import pytest

from aural_mcp.config import Narrowing
from aural_mcp.server.principal import PRINCIPAL, Role
from aural_mcp.server.sign_in import store
from aural_mcp.server.sign_in.identity import Identity, NotIdentified
from conftest import KEY
from signing import HERE, Place, asking, call, code_for, consent, form_of, living, redeem, register, result_of, said

LIST, ISSUER = "list_interviews", "https://login.company.example"


class Provider:
    """A provider at which everybody is Dana, until something else is said."""

    name, issuer = "login.company.example", ISSUER

    def __init__(self):
        self.roles = {"lead": Role("lead"), "panel": Role("panel", Narrowing(read_only=True))}
        self.is_lead, self.refuses, self.came = True, "", []

    async def address(self, back, state, nonce, verifier):
        self.sent = {"back": back, "nonce": nonce, "verifier": verifier}
        return f"{ISSUER}/authorize?state={state}&nonce={nonce}"

    async def identity(self, back, code, nonce, verifier):
        if self.refuses:
            raise NotIdentified(self.refuses)
        assert (code, {"back": back, "nonce": nonce, "verifier": verifier}) == ("code-of-dana", self.sent)
        return Identity(ISSUER, "dana-1", "dana@company.example", self.roles["lead" if self.is_lead else "panel"])

    async def bearer(self, token, resource):
        if token == "its-own-token" and resource == f"{HERE}/mcp":
            return Identity(ISSUER, "dana-1", "dana@company.example", self.roles["panel"]), frozenset({"aural:read"})
        return None

    def role(self, name):
        return self.roles.get(name)


@pytest.fixture
def provider():
    return Provider()


@pytest.fixture
async def place(world, tmp_path, provider):
    async with living(Place(world, tmp_path, provider=provider, key=KEY)) as made:
        yield made


async def sent_there(http, client):
    """The state with which a browser goes to the provider."""
    answer = await http.get(asking(client))
    assert answer.headers["location"].startswith(ISSUER)
    return parse_qs(urlsplit(answer.headers["location"]).query)["state"][0]


async def back(http, state, **more):
    return await http.get("/sign-in/callback", params={"state": state, "code": "code-of-dana", **more})


async def token_of(http, access="write"):
    client = await register(http)
    page = await back(http, await sent_there(http, client))
    answer = await redeem(http, client, said(await consent(http, page, key="", access=access))["code"])
    return answer.json()["access_token"]


async def test_somebody_comes_back_sees_who_they_are_and_gives_no_key(http, provider):
    client = await register(http)
    page = await back(http, await sent_there(http, client), iss=ISSUER)
    assert "dana@company.example" in page.text
    assert 'name="key"' not in page.text
    assert provider.sent["verifier"] not in page.text
    code = said(await consent(http, page, key="", access="write"))["code"]
    got = (await redeem(http, client, code)).json()
    assert got["scope"] == "aural:read aural:write"
    assert not result_of(await call(http, got["access_token"], "create_interview", title="New")).get("isError")


async def test_a_role_that_only_reads_offers_and_gives_nothing_more(http, provider):
    provider.is_lead = False
    client = await register(http)
    page = await back(http, await sent_there(http, client))
    assert "Read and change" not in page.text
    code = said(await consent(http, page, key="", access="write"))["code"]
    got = (await redeem(http, client, code)).json()
    assert got["scope"] == "aural:read"
    refused = result_of(await call(http, got["access_token"], "create_interview", title="New"))
    assert "no tool" in refused["content"][0]["text"]


async def test_only_the_browser_that_was_sent_comes_back_and_once(place, http):
    client = await register(http)
    state = await sent_there(http, client)
    async with place.http() as another:
        await sent_there(another, client)
        assert (await back(another, state)).status_code == 400
    state = await sent_there(http, client)
    assert (await back(http, "made-up")).status_code == 400
    assert (await back(http, state)).status_code == 200
    assert (await back(http, state)).status_code == 400


async def test_an_answer_of_another_provider_is_not_believed(http):
    page = await back(http, await sent_there(http, await register(http)), iss="https://attacker.example")
    assert (page.status_code, form_of(page)) == (403, {})


async def test_who_is_not_recognized_reads_why_and_who_gives_up_goes_back_to_the_application(http, provider):
    client = await register(http)
    provider.refuses = "No role is yours. Ask whoever runs this."
    page = await back(http, await sent_there(http, client))
    assert (page.status_code, provider.refuses in page.text) == (403, True)
    state = await sent_there(http, client)
    answer = await http.get("/sign-in/callback", params={"state": state, "error": "access_denied"})
    assert said(answer) == {
        "error": "access_denied",
        "error_description": "login.company.example did not sign the user in.",
        "state": "state-of-the-host",
        "iss": HERE,
    }


async def test_a_role_that_is_gone_ends_the_sign_in(place, http, provider):
    token = await token_of(http)
    assert (await call(http, token, LIST)).status_code == 200
    del provider.roles["lead"]
    place.forget()
    assert (await call(http, token, LIST)).status_code == 401


async def test_a_refusal_of_the_key_that_is_over_locks_nobody_out_who_signs_in_again(place, http):
    token = await token_of(http)
    place.backend.withdrawn = True
    await call(http, token, LIST)
    assert (await call(http, token, LIST)).status_code == 401
    place.backend.withdrawn = False
    token = await token_of(http)
    ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    headers = {"authorization": f"Bearer {token}", "accept": "application/json, text/event-stream"}
    assert (await http.post("/mcp", json=ping, headers=headers)).status_code == 200
    assert not result_of(await call(http, token, LIST)).get("isError")


async def test_who_signed_in_another_way_than_there_is_now_signs_in_again(world, tmp_path, provider):
    async with living(Place(world, tmp_path)) as place, place.http() as http:
        client = await register(http)
        by_key = (await redeem(http, client, await code_for(http, client))).json()["access_token"]
        assert (await call(http, by_key, LIST)).status_code == 200
    async with living(Place(world, tmp_path, provider=provider, key=KEY)) as place, place.http() as http:
        assert (await call(http, by_key, LIST)).status_code == 401
        by_provider = await token_of(http)
        provider.issuer = "https://login.other.example"
        place.forget()
        assert (await call(http, by_provider, LIST)).status_code == 401


async def test_who_signs_in_again_and_again_puts_out_only_themselves(place, http, monkeypatch):
    monkeypatch.setattr(store, "MOST_OF_ONE", 2)
    first, second, third = [await token_of(http) for _ in range(3)]
    assert [(await call(http, each, LIST)).status_code for each in (first, second, third)] == [401, 200, 200]


async def test_a_flood_keeps_nobody_from_coming_back(place, http, monkeypatch):
    monkeypatch.setattr(store, "MOST_PENDING", 1)
    client = await register(http)
    async with place.http() as before:
        state = await sent_there(before, client)
        async with place.http() as others:
            await sent_there(others, client)
        later = await sent_there(http, client)
        assert (await back(before, later)).status_code == 400
        page = await back(http, later)
        assert said(await consent(http, page, key=""))["code"]
        gave_up = await before.get("/sign-in/callback", params={"state": state, "error": "access_denied"})
        assert said(gave_up)["error"] == "access_denied"


async def test_a_token_of_the_provider_is_taken_where_it_is_for_this_server(place, http):
    assert not result_of(await call(http, "its-own-token", LIST)).get("isError")
    async with place.http("https://other.example") as elsewhere:
        assert (await call(elsewhere, "its-own-token", LIST)).status_code == 401


async def test_people_of_a_provider_sign_in_again_after_half_a_day_without_use(http, monkeypatch):
    client = await register(http)
    page = await back(http, await sent_there(http, client))
    got = (await redeem(http, client, said(await consent(http, page, key=""))["code"])).json()
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + store.DAY / 2 + 1)
    form = {"grant_type": "refresh_token", "client_id": client, "refresh_token": got["refresh_token"]}
    assert (await http.post("/token", data=form)).status_code == 400


async def test_nobody_says_who_they_are_by_a_header(http):
    sent = {"aural.principal": "lead", PRINCIPAL: "lead", "x-aural-principal": "lead"}
    assert (await http.post("/mcp", headers=sent, json={})).status_code == 401

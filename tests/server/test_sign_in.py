"""People sign in with their Aural key, from an application that is not ours."""

import httpx2
import pytest
from mcp import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientMetadata

from conftest import KEY, MODES
from signing import BACK, HERE, Place, call, consent, living, refreshed, result_of, said, signed_in

LIST = "list_interviews"


@pytest.fixture
async def place(world, tmp_path):
    async with living(Place(world, tmp_path)) as made:
        yield made


@pytest.fixture
async def http(place):
    async with place.http() as made:
        yield made


class Storage:
    """Where the SDK's client keeps what it got."""

    def __init__(self):
        self.tokens = self.info = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.info

    async def set_client_info(self, info):
        self.info = info


def sdk_client(place, browser, storage, access="read"):
    """The Python SDK's OAuth client, with somebody in front of a browser."""
    answers = []

    async def open_browser(address):
        assert address.startswith(HERE)
        page = await browser.get(address.removeprefix(HERE))
        answers.append(said(await consent(browser, page, access=access)))

    async def answered():
        came = answers.pop()
        return AuthorizationCodeResult(code=came["code"], state=came["state"], iss=came["iss"])

    described = OAuthClientMetadata(redirect_uris=[BACK], client_name="SDK", token_endpoint_auth_method="none")
    auth = OAuthClientProvider(f"{HERE}/mcp", described, storage, open_browser, answered)
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(place.web), auth=auth, timeout=30)


@pytest.mark.parametrize("mode", MODES)
async def test_the_official_client_finds_the_sign_in_goes_through_it_and_calls_tools(place, mode):
    storage = Storage()
    async with (
        place.http() as browser,
        sdk_client(place, browser, storage) as transport,
        Client(streamable_http_client(f"{HERE}/mcp", http_client=transport), mode=mode) as agent,
    ):
        assert not (await agent.call_tool(LIST, {})).is_error
    assert storage.tokens.scope == "aural:read"
    assert storage.tokens.refresh_token


async def test_a_request_without_a_token_is_told_where_to_sign_in(http):
    answer = await call(http, "", LIST)
    where = f'resource_metadata="{HERE}/.well-known/oauth-protected-resource/mcp"'
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == f'Bearer scope="aural:read", {where}'
    resource = (await http.get("/.well-known/oauth-protected-resource/mcp")).json()
    assert resource["resource"] == f"{HERE}/mcp"
    (issuer,) = resource["authorization_servers"]
    server = (await http.get("/.well-known/oauth-authorization-server")).json()
    assert server["issuer"] == issuer == HERE
    assert server["client_id_metadata_document_supported"]
    assert server["code_challenge_methods_supported"] == ["S256"]


@pytest.mark.parametrize("sent", ["made-up", KEY])
async def test_a_token_that_is_none_and_a_key_are_not_taken(http, sent):
    answer = await call(http, sent, LIST)
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


async def test_what_was_chosen_decides_and_not_what_the_application_asked_for(http):
    _, read = await signed_in(http)
    _, write = await signed_in(http, access="write")
    assert (read["scope"], write["scope"]) == ("aural:read", "aural:read aural:write")
    refused = await call(http, read["access_token"], "create_interview", title="New")
    assert refused.status_code == 403
    assert 'error="insufficient_scope"' in refused.headers["www-authenticate"]
    assert 'scope="aural:read aural:write"' in refused.headers["www-authenticate"]
    assert not result_of(await call(http, write["access_token"], "create_interview", title="New")).get("isError")
    listed = result_of(await call(http, read["access_token"], LIST))
    assert [each["title"] for each in listed["structuredContent"]["data"]] == ["New"]


async def test_a_refresh_token_gives_new_tokens_and_is_used_up(http):
    client, first = await signed_in(http)
    second = (await refreshed(http, client, first["refresh_token"])).json()
    third = (await refreshed(http, client, second["refresh_token"])).json()
    assert len({each["refresh_token"] for each in (first, second, third)}) == 3
    assert not result_of(await call(http, third["access_token"], LIST)).get("isError")

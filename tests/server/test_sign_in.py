"""People sign in with their Aural key, from an application that is not ours."""

import httpx2
import pytest
from mcp import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientMetadata

from conftest import KEY, MODES
from signing import (
    BACK,
    HERE,
    Place,
    Storage,
    asking,
    call,
    code_for,
    consent,
    living,
    redeem,
    refreshed,
    register,
    result_of,
    said,
    signed_in,
)

LIST = "list_interviews"


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


async def test_a_host_that_only_looks_is_told_too(http):
    looked = await http.get("/mcp")
    assert (looked.status_code, "resource_metadata=" in looked.headers["www-authenticate"]) == (401, True)
    _, got = await signed_in(http)
    assert (await http.get("/mcp", headers={"authorization": f"Bearer {got['access_token']}"})).status_code == 405


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


async def test_where_the_operator_lets_nobody_change_anything_nobody_is_offered_it(world, tmp_path):
    async with living(Place(world, tmp_path, writes=False)) as place, place.http() as http:
        client = await register(http)
        page = await http.get(asking(client))
        assert ("Read only" in page.text, "Read and change" in page.text) == (True, False)
        code = said(await consent(http, page, access="write"))["code"]
        assert (await redeem(http, client, code)).json()["scope"] == "aural:read"


@pytest.mark.parametrize(
    ("described", "redirect"),
    [
        (
            {
                "client_name": "Visual Studio Code",
                "redirect_uris": ["http://127.0.0.1:33418", "http://127.0.0.1/", "https://vscode.dev/redirect"],
                "grant_types": ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"],
                "token_endpoint_auth_method": "none",
                "application_type": "native",
            },
            "http://127.0.0.1:50812/",
        ),
        (
            {"redirect_uris": ["https://chatgpt.com/connector_platform_oauth_redirect"], "scope": None, "logo_uri": ""},
            "https://chatgpt.com/connector_platform_oauth_redirect",
        ),
        (
            {"redirect_uris": ["cursor://anysphere.cursor-mcp/oauth/callback"], "client_name": None},
            "cursor://anysphere.cursor-mcp/oauth/callback",
        ),
        (
            {
                "redirect_uris": ["https://global.consent.azure-apim.net/redirect/aural-5f"],
                "token_endpoint_auth_method": "private_key_jwt",
                "jwks": {"keys": []},
            },
            "https://global.consent.azure-apim.net/redirect/aural-5f",
        ),
    ],
)
async def test_hosts_as_they_are_register_and_get_tokens(http, described, redirect):
    known = (await http.post("/register", json=described)).json()
    assert known["redirect_uris"] == described["redirect_uris"]
    assert known["token_endpoint_auth_method"] == "none"
    asked = {"scope": "openid offline_access aural:read", "resource": f"{HERE}/mcp/", "prompt": "consent"}
    code = await code_for(http, known["client_id"], redirect_uri=redirect, **asked)
    got = (await redeem(http, known["client_id"], code, redirect_uri=redirect, resource=f"{HERE}/mcp/")).json()
    again = await refreshed(http, known["client_id"], got["refresh_token"], scope="offline_access aural:read")
    assert (again.status_code, again.json()["scope"]) == (200, "aural:read")


@pytest.mark.parametrize("path", ["/token", "/register", "/revoke", "/.well-known/oauth-protected-resource/mcp"])
async def test_pages_of_every_origin_may_read_what_is_nobody_s_and_never_the_page_for_people(http, path):
    page = {"origin": "https://inspector.example", "access-control-request-method": "POST"}
    assert (await http.options(path, headers=page)).headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-origin" not in (await http.options("/authorize", headers=page)).headers
    assert (await http.post(path, headers=page)).headers["access-control-allow-origin"] == "*"


async def test_metadata_can_be_looked_for_without_being_read(http):
    for path in ("/.well-known/oauth-protected-resource/mcp", "/.well-known/oauth-authorization-server"):
        assert (await http.head(path)).status_code == 200


async def test_a_refresh_token_gives_new_tokens_and_is_used_up(http):
    client, first = await signed_in(http)
    second = (await refreshed(http, client, first["refresh_token"])).json()
    third = (await refreshed(http, client, second["refresh_token"])).json()
    assert len({each["refresh_token"] for each in (first, second, third)}) == 3
    assert not result_of(await call(http, third["access_token"], LIST)).get("isError")

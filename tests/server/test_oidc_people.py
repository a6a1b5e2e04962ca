"""People of a company sign in at its own provider, from a host that is not ours, and may do what their role says."""

import re
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import httpx
import httpx2
import pytest
from mcp import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientMetadata

from companies import MAPPING, SECRET, Provider, Workplace, as_a_host, at_a_company, way_back
from conftest import KEY, ok, refused
from processes import aural_mcp
from signing import BACK, Place, Storage, asking, call, consent, living, redeem, register, result_of, said

READS, CHANGES = "list_interviews", "create_interview"


@pytest.fixture(scope="module")
def anyio_backend():
    return "asyncio"


@pytest.fixture(scope="module")
async def company(anyio_backend, tmp_path_factory):
    async with at_a_company(tmp_path_factory.mktemp("company")) as made:
        yield made


class Host:
    """The Python SDK's OAuth client, with somebody in front of a browser."""

    def __init__(self, url, login, *access):
        self.url, self.here, self.login, self.access = url, url.removesuffix("/mcp"), login, list(access)
        self.storage, self.pages, self._came = Storage(), [], []

    async def _opened(self, address):
        async with httpx.AsyncClient(trust_env=False, base_url=self.here) as browser:
            page = await browser.get(await way_back(browser, address, self.login, f"{self.here}/sign-in/callback"))
            assert page.status_code == 200, page.text
            self.pages.append(page.text)
            answer = await consent(browser, page, key="", access=self.access.pop(0), origin=self.here)
            self._came.append(said(answer))

    async def _answered(self):
        came = self._came.pop()
        return AuthorizationCodeResult(code=came["code"], state=came["state"], iss=came["iss"])

    @asynccontextmanager
    async def agent(self):
        described = OAuthClientMetadata(redirect_uris=[BACK], client_name="SDK", token_endpoint_auth_method="none")
        auth = OAuthClientProvider(self.url, described, self.storage, self._opened, self._answered)
        async with (
            httpx2.AsyncClient(auth=auth, timeout=60, trust_env=False) as http,
            Client(streamable_http_client(self.url, http_client=http), read_timeout_seconds=60) as agent,
        ):
            yield agent


async def tools_of(agent):
    return {each.name for each in (await agent.list_tools()).tools}


async def test_two_people_do_what_their_roles_say_with_a_key_that_neither_sees(company):
    dana, sam = Host(company.url, "dana", "write"), Host(company.url, "sam", "read")
    async with dana.agent() as writing, sam.agent() as reading:
        assert (CHANGES in await tools_of(writing), CHANGES in await tools_of(reading)) == (True, False)
        made = await ok(writing, CHANGES, title="Backend engineer")
        assert "There is no tool" in await refused(reading, CHANGES, {"title": "Another"})
        assert made["id"] in [each["id"] for each in (await ok(reading, READS))["data"]]
    for host, role in ((dana, "recruiter"), (sam, "reader")):
        assert f"{host.login}@acme.example" in host.pages[0]
        assert role in host.pages[0]
    assert ("Read and change" in dana.pages[0], "Read and change" in sam.pages[0]) == (True, False)
    written = b"".join(file.read_bytes() for file in Path(company.folder).glob("*") if file.is_file())
    for secret in (company.key, SECRET):
        assert secret.encode() not in written
        assert secret not in "".join(dana.pages + sam.pages)


async def test_who_chose_to_read_only_is_asked_again_by_their_host_when_they_want_to_change_something(company):
    host = Host(company.url, "dana", "read", "write")
    async with host.agent() as agent:
        await ok(agent, READS)
        assert len(host.pages) == 1
        await ok(agent, CHANGES, title="Another")
        assert len(host.pages) == 2


async def test_somebody_without_a_role_sees_a_page_that_says_whom_to_ask(company):
    async with httpx.AsyncClient(trust_env=False) as browser:
        here = company.url.removesuffix("/mcp")
        back = await way_back(browser, await asked_at(here), "kit", f"{here}/sign-in/callback")
        page = await browser.get(back)
        assert page.status_code == 403
        assert "Ask it@acme.example for one" in page.text
        assert not {"recruiter", "reader"} & set(re.findall(r"\w+", page.text))
        assert (await browser.get(back)).status_code in (400, 403)


async def test_a_role_that_has_gone_ends_the_access_of_its_people_and_one_that_changed_counts_at_once(world, tmp_path):
    provider = Provider()
    renamed = MAPPING.replace("recruiter", "somebody else")
    narrowed = MAPPING.replace("read_only = false", 'toolsets = ["usage"]')
    async with living(place_with(world, tmp_path, provider, MAPPING)) as place:
        token = await token_by(place, provider)
        assert await may(place, token) == (200, True)
    for mapping, expected in ((narrowed, (200, False)), (MAPPING, (200, True)), (renamed, (401, False))):
        async with living(place_with(world, tmp_path, provider, mapping)) as place:
            assert await may(place, token) == expected
    async with living(place_with(world, tmp_path, provider, MAPPING)) as place:
        assert await may(place, token) == (401, False)


async def test_a_host_may_bring_an_access_token_of_the_provider_and_no_id_token(company):
    answer = await as_a_host(company.issuer, resource=company.url, scope="openid aural:read")
    assert await status_with(company.url, answer["access_token"]) == 200
    assert await status_with(company.url, answer["id_token"]) == 401
    elsewhere = await as_a_host(company.issuer, resource="https://another.example/mcp", scope="openid aural:read")
    assert await status_with(company.url, elsewhere["access_token"]) == 401


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"AURAL_API_KEY": ""}, "--sign-in oidc needs AURAL_API_KEY"),
        ({"AURAL_OIDC_CLIENT_ID": ""}, "--sign-in oidc needs AURAL_OIDC_CLIENT_ID"),
        ({"AURAL_OIDC_CLIENT_SECRET": "short"}, "AURAL_OIDC_CLIENT_SECRET has fewer than 8 characters"),
        ({"AURAL_ROLES": "/nowhere"}, "AURAL_ROLES names /nowhere, which cannot be read"),
    ],
)
def test_a_server_that_nobody_could_sign_in_to_does_not_start(tmp_path, changed, said):
    settings = Workplace(tmp_path, "https://login.acme.example", 1, "dlv_test_x").settings
    status, _, told = aural_mcp(tmp_path, "serve", "--http", "--sign-in", "oidc", **{**settings, **changed})
    assert status != 0
    assert said in told
    assert SECRET not in told


def place_with(world, folder, provider, mapping):
    return Place(world, folder, provider=provider.known(mapping), key=KEY)


async def token_by(place, provider):
    """A token for whom the provider in memory says it is, who chose to read and change."""
    async with place.http() as browser:
        client = await register(browser)
        sent = dict(parse_qsl(urlsplit((await browser.get(asking(client))).headers["location"]).query))
        provider.id_token = provider.signed(nonce=sent["nonce"])
        page = await browser.get("/sign-in/callback", params={"code": "c", "state": sent["state"]})
        code = said(await consent(browser, page, key="", access="write"))["code"]
        return (await redeem(browser, client, code)).json()["access_token"]


async def may(place, token):
    """The status of a call with a token, and whether the tool was there."""
    async with place.http() as host:
        answer = await call(host, token, READS)
        return answer.status_code, answer.status_code == 200 and not result_of(answer).get("isError", False)


async def asked_at(here):
    """What an application asks the browser to open."""
    async with httpx.AsyncClient(trust_env=False, base_url=here) as host:
        return here + asking(await register(host))


async def status_with(url, token):
    """What a call with a token is answered with."""
    async with httpx.AsyncClient(trust_env=False, base_url=url.removesuffix("/mcp")) as host:
        return (await call(host, token, READS)).status_code

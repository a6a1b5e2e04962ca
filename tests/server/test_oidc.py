"""Signing in with a company's identity provider: a certified one that is not ours, and what can be wrong with one."""

from urllib.parse import quote_plus, urlsplit

import pytest

from aural_mcp.server.principal import READ, WRITE
from aural_mcp.server.sign_in.identity import NotIdentified
from aural_mcp.server.sign_in.oidc import Oidc
from aural_mcp.server.sign_in.settings import Company
from companies import (
    BACK,
    CLIENT,
    MAPPING,
    NONCE,
    RESOURCE,
    SECRET,
    VERIFIER,
    as_a_host,
    oidc_provider,
    roles_of,
    signed_in,
)


@pytest.fixture(scope="module")
def anyio_backend():
    return "asyncio"


@pytest.fixture(scope="module")
async def issuer(anyio_backend):
    async with oidc_provider() as address:
        yield address


def company(issuer, mapping=MAPPING, secret=SECRET):
    return Oidc(Company(issuer, CLIENT, secret, roles_of(mapping)))


async def identity(oidc, login, nonce=NONCE, verifier=VERIFIER):
    came = await signed_in(await oidc.address(BACK, "st", NONCE, VERIFIER), login)
    return await oidc.identity(BACK, came["code"], nonce, verifier)


# ── A provider that is not ours ─────────────────────────────────────────────────────────────────


async def test_somebody_signs_in_and_has_the_role_of_their_group(issuer):
    dana = await identity(company(issuer), "dana")
    assert (dana.issuer, dana.subject, dana.name) == (issuer, "dana", "dana@acme.example")
    assert (dana.role.name, dana.role.narrowing.read_only) == ("recruiter", False)
    sam = await identity(company(issuer), "sam")
    assert (sam.role.name, sam.role.narrowing.read_only) == ("reader", True)


async def test_somebody_without_a_role_is_told_whom_to_ask_and_nothing_of_others(issuer):
    with pytest.raises(NotIdentified) as told:
        await identity(company(issuer), "kit")
    host = urlsplit(issuer).netloc
    assert str(told.value) == f"You are Kit Elm at {host}, and have no role here. Ask it@acme.example for one."


async def test_a_role_by_email_wants_one_that_the_provider_vouches_for(issuer):
    by_email = (
        '[[roles]]\nname = "a"\nemails = ["DANA@acme.example"]\n[[roles]]\nname = "b"\ndomains = ["acme.example"]'
    )
    assert (await identity(company(issuer, by_email), "dana")).role.name == "a"
    assert (await identity(company(issuer, by_email), "sam")).role.name == "b"
    with pytest.raises(NotIdentified):
        await identity(company(issuer, by_email), "kit")


async def test_the_state_comes_back_and_the_provider_says_who_it_is(issuer):
    came = await signed_in(await company(issuer).address(BACK, "a state / of ours", NONCE, VERIFIER), "dana")
    assert (came["state"], came["iss"]) == ("a state / of ours", issuer)


async def test_another_nonce_or_verifier_and_a_code_that_was_used_sign_nobody_in(issuer):
    oidc = company(issuer)
    with pytest.raises(NotIdentified, match="id_token is not good"):
        await identity(oidc, "dana", nonce="n-another")
    with pytest.raises(NotIdentified, match="used before, or took too long"):
        await identity(oidc, "dana", verifier="w" * 43)
    came = await signed_in(await oidc.address(BACK, "st", NONCE, VERIFIER), "dana")
    await oidc.identity(BACK, came["code"], NONCE, VERIFIER)
    with pytest.raises(NotIdentified, match="used before, or took too long"):
        await oidc.identity(BACK, came["code"], NONCE, VERIFIER)


async def test_a_wrong_client_secret_is_the_operators_to_correct(issuer, caplog):
    with pytest.raises(NotIdentified, match="token endpoint refuses this server"):
        await identity(company(issuer, secret="another"), "dana")
    assert "invalid_client, status 401. AURAL_OIDC_CLIENT_SECRET is wrong, or no longer good." in caplog.text


async def test_nothing_secret_of_a_sign_in_is_logged(issuer, everything_logged):
    oidc = company(issuer)
    came = await signed_in(await oidc.address(BACK, "st", NONCE, VERIFIER), "dana")
    everything_logged.clear()  # what the person's browser did
    await oidc.identity(BACK, came["code"], NONCE, VERIFIER)
    logged = "\n".join(everything_logged)
    assert f"{issuer}/token" in logged
    for secret in (SECRET, quote_plus(SECRET), came["code"], VERIFIER, NONCE, "Bearer ", "Basic ", "eyJ"):
        assert secret not in logged


async def test_a_provider_that_writes_everything_into_the_id_token_needs_no_second_question():
    async with oidc_provider(inIdToken=True) as issuer:
        oidc = company(issuer)
        assert (await identity(oidc, "dana")).role.name == "recruiter"
        assert (await identity(oidc, "sam")).role.name == "reader"


async def test_a_token_of_the_provider_is_taken_where_it_was_made_for_this_server(issuer):
    oidc = company(issuer)
    for scope, granted in (("aural:read", {READ}), ("aural:read aural:write", {READ, WRITE})):
        answer = await as_a_host(issuer, resource=RESOURCE, scope=f"openid {scope}")
        who, scopes = await oidc.bearer(answer["access_token"], RESOURCE)
        assert (who.subject, who.role.name, scopes) == ("dana", "recruiter", granted)
        assert await oidc.bearer(answer["access_token"], f"{RESOURCE}/") is None
        assert await oidc.bearer(answer["id_token"], RESOURCE) is None
    opaque = await as_a_host(issuer, scope="openid")
    assert await oidc.bearer(opaque["access_token"], RESOURCE) is None

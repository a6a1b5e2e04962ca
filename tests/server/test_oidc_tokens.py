"""Tokens that nobody should be signed in by, keys that change, and providers that misbehave: nobody gets in by any."""

import hashlib
import hmac
import json
from urllib.parse import parse_qsl

import anyio
import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from aural_mcp.server.principal import READ, WRITE
from aural_mcp.server.sign_in import fetching
from aural_mcp.server.sign_in.identity import NotIdentified
from companies import BACK, CLIENT, ISSUER, NONCE, RESOURCE, SECRET, VERIFIER, In, Provider, packed, private_key, public


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


async def who(provider, oidc=None):
    return await (oidc or provider.known()).identity(BACK, "code", NONCE, VERIFIER)


async def refusal(provider, oidc=None):
    """The sentence that somebody reads who does not get in."""
    with pytest.raises(NotIdentified) as told:
        await who(provider, oidc)
    assert provider.id_token not in str(told.value)
    assert SECRET not in str(told.value)
    return str(told.value)


# ── id_tokens ───────────────────────────────────────────────────────────────────────────────────

GOOD = [
    {},
    {"aud": [CLIENT]},
    {"aud": [CLIENT, "another"], "azp": CLIENT},
    {"azp": CLIENT},
    {"exp": In(-30)},
    {"iat": In(30), "nbf": In(30)},
    {"head": {"typ": "JWT", "x5t": "abc"}},
    {"head": {"kid": None}},
]
BAD = {
    "another issuer": {"iss": "https://login.evil.example"},
    "the issuer with a slash": {"iss": f"{ISSUER}/"},
    "issuers in a list": {"iss": [ISSUER]},
    "no issuer": {"iss": None},
    "another audience": {"aud": "another"},
    "no audience": {"aud": None},
    "an empty audience": {"aud": []},
    "part of an audience": {"aud": CLIENT[:-1]},
    "several audiences and none whom it was made for": {"aud": [CLIENT, "another"]},
    "made for another application": {"aud": [CLIENT, "another"], "azp": "another"},
    "made for another application alone": {"azp": "another"},
    "over": {"exp": In(-120)},
    "no end": {"exp": None},
    "an end in words": {"exp": "tomorrow"},
    "an end in a text": {"exp": "4102444800"},
    "an end that is true": {"exp": True},
    "made in an hour": {"iat": In(3600)},
    "never made": {"iat": None},
    "good from tomorrow on": {"nbf": In(86400)},
    "another nonce": {"nonce": "n-another"},
    "a nonce in a list": {"nonce": [NONCE]},
    "no nonce": {"nonce": None},
    "nobody": {"sub": None},
    "an empty subject": {"sub": ""},
    "a subject that is a number": {"sub": 7},
    "a subject without an end": {"sub": "s" * 300},
    "a subject of two lines": {"sub": "dana\nadmin"},
    "another kind of key": {"kind": "ES256"},
    "an algorithm that the provider does not offer": {"kind": "PS256"},
    "a critical head that nobody knows": {"head": {"crit": ["b64x"], "b64x": True}},
    "a key id that is none": {"head": {"kid": "../../etc/passwd"}},
}


@pytest.mark.parametrize("changed", GOOD, ids=str)
async def test_a_token_is_good_within_a_minute_of_its_times(changed):
    provider = Provider()
    provider.id_token = provider.signed(**changed)
    assert (await who(provider)).subject == "00u1dana"


@pytest.mark.parametrize("changed", BAD.values(), ids=BAD)
async def test_a_signed_token_signs_nobody_in_that_has(changed):
    provider = Provider()
    provider.id_token = provider.signed(**changed)
    assert "You cannot be signed in just now" in await refusal(provider)


def by_hand(provider, head, signature=b""):
    """A token of a head that no library would write."""
    signed = f"{packed(head)}.{packed(provider.claims())}"
    made = signature(signed.encode()) if callable(signature) else signature
    return f"{signed}.{packed(made)}"


def with_public_key(form):
    """A signature with the public key as a shared secret."""
    key = private_key().public_key()
    secret = (
        json.dumps(public()).encode() if form == "jwk" else key.public_bytes(form, PublicFormat.SubjectPublicKeyInfo)
    )
    return lambda signed: hmac.digest(secret, signed, "sha256")


MINE = rsa.generate_private_key(65537, 2048)


def by_me(signed):
    return jwt.get_algorithm_by_name("RS256").sign(signed, MINE)


MY_KEY = {**jwt.algorithms.RSAAlgorithm.to_jwk(MINE.public_key(), as_dict=True), "kid": "mine"}
FORGED = {
    "none": ({"alg": "none", "kid": "one"}, b""),
    "None with letters": ({"alg": "nOnE"}, b""),
    "no algorithm": ({"kid": "one"}, b""),
    "algorithms in a list": ({"alg": ["none"]}, b""),
    "HS256 with the key in PEM": ({"alg": "HS256", "kid": "one"}, with_public_key(Encoding.PEM)),
    "HS256 with the key in DER": ({"alg": "HS256", "kid": "one"}, with_public_key(Encoding.DER)),
    "HS256 with the key as JWK": ({"alg": "HS256", "kid": "one"}, with_public_key("jwk")),
    "HS256 with the client secret": (
        {"alg": "HS256"},
        lambda signed: hmac.new(SECRET.encode(), signed, hashlib.sha256).digest(),
    ),
    "another's signature": ({"alg": "RS256", "kid": "one"}, by_me),
    "no signature": ({"alg": "RS256", "kid": "one"}, b""),
    "a key in the head": ({"alg": "RS256", "kid": "mine", "jwk": MY_KEY}, by_me),
    "an address of keys in the head": ({"alg": "RS256", "kid": "mine", "jku": "https://evil.example/keys"}, by_me),
    "an address of a certificate": ({"alg": "RS256", "kid": "one", "x5u": "https://evil.example/x"}, by_me),
    "a certificate": ({"alg": "RS256", "kid": "one", "x5c": ["MIIB"]}, by_me),
    "a body beside it": ({"alg": "RS256", "kid": "one", "b64": False, "crit": ["b64"]}, by_me),
}


@pytest.mark.parametrize(("head", "signature"), FORGED.values(), ids=FORGED)
async def test_a_forged_token_signs_nobody_in_and_sends_us_nowhere(head, signature):
    provider = Provider(id_token_signing_alg_values_supported=["RS256", "HS256", "none"])
    provider.id_token = by_hand(provider, head, signature)
    await refusal(provider)
    assert all(str(sent.url).startswith(ISSUER) for sent in provider.sent)


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "a.b.c.d.e", "ey.." * 9, "é.é.é", "." * 140_000, 7, None, ["x"]])
async def test_what_is_no_token_signs_nobody_in(token):
    provider = Provider()
    provider.instead["/token"] = answering({"id_token": token})
    with pytest.raises(NotIdentified, match="id_token is not good"):
        await who(provider)


@pytest.mark.parametrize("kind", ["PS256", "ES256", "ES384", "EdDSA"])
async def test_every_algorithm_with_two_keys_that_the_provider_offers_is_taken(kind):
    provider = Provider(id_token_signing_alg_values_supported=[kind])
    provider.keys, provider.id_token = [public(kind=kind)], provider.signed(kind=kind)
    assert (await who(provider)).subject == "00u1dana"


UNFIT = {
    "for encryption": {"use": "enc"},
    "for another algorithm": {"alg": "RS512"},
    "that may not verify": {"key_ops": ["encrypt"]},
    "whose private half is public": jwt.algorithms.RSAAlgorithm.to_jwk(private_key(), as_dict=True)
    | {"key_ops": ["verify"]},
    "of another kind": {"kty": "EC"},
    "without numbers": {"n": 7},
}


@pytest.mark.parametrize("changed", UNFIT.values(), ids=UNFIT)
async def test_a_key_verifies_nothing(changed):
    provider = Provider()
    provider.keys = [public(**changed), "none", 7]
    assert "id_token is not good" in await refusal(provider)


async def test_a_key_that_is_too_short_verifies_nothing(caplog):
    short = rsa.generate_private_key(65537, 1024)
    provider = Provider()
    jwk = jwt.algorithms.RSAAlgorithm.to_jwk(short.public_key(), as_dict=True)
    provider.keys = [{**jwk, "kid": "one", "key_ops": ["verify"]}]
    with pytest.warns(jwt.warnings.InsecureKeyLengthWarning):
        provider.id_token = jwt.encode(provider.claims(), short, "RS256", {"kid": "one"})
    await refusal(provider)
    assert "id_token is not good: InvalidKeyError" in caplog.text


async def test_a_token_without_a_key_id_is_nobodys_where_several_keys_could_be_its():
    provider = Provider()
    provider.keys.append(public("two"))
    provider.id_token = provider.signed(head={"kid": None})
    await refusal(provider)


# ── Keys that change ────────────────────────────────────────────────────────────────────────────


async def test_a_new_key_is_fetched_when_a_token_names_it_and_the_old_one_signs_no_more():
    provider, clock = Provider(), Clock()
    oidc = provider.known(clock=clock)
    await who(provider, oidc)
    provider.keys, old = [public("two")], provider.id_token
    provider.id_token = provider.signed("two")
    assert (await who(provider, oidc)).subject == "00u1dana"
    provider.id_token = old
    await refusal(provider, oidc)
    assert provider.asked["/keys"] == 2


async def test_a_key_that_takes_anothers_name_is_fetched_too():
    provider, clock = Provider(), Clock()
    oidc = provider.known(clock=clock)
    await who(provider, oidc)
    provider.keys = [public("two", kid="one")]
    provider.id_token = provider.signed("two", head={"kid": "one"})
    assert (await who(provider, oidc)).subject == "00u1dana"


async def test_keys_are_kept_for_ten_minutes_and_no_longer():
    provider, clock = Provider(), Clock()
    oidc = provider.known(clock=clock)
    await who(provider, oidc)
    clock.now += 599
    await who(provider, oidc)
    assert provider.asked["/keys"] == 1
    clock.now += 2
    provider.keys = [public("two")]
    await refusal(provider, oidc)


async def test_a_storm_of_unknown_keys_fetches_once_in_half_a_minute_and_hides_no_new_key_for_longer():
    provider, clock = Provider(), Clock()
    oidc = provider.known(clock=clock)
    for number in range(200):
        provider.id_token = provider.signed(head={"kid": f"unknown-{number}"})
        await refusal(provider, oidc)
    assert provider.asked["/keys"] == 2
    provider.keys, provider.id_token = [public("two")], provider.signed("two")
    await refusal(provider, oidc)
    clock.now += 30
    assert (await who(provider, oidc)).subject == "00u1dana"
    assert provider.asked["/keys"] == 3


async def test_a_token_that_would_not_be_good_anyhow_fetches_no_keys():
    provider = Provider()
    oidc = provider.known()
    for changed in ({"aud": "another"}, {"exp": In(-120)}, {"iss": "https://login.evil.example"}):
        assert await oidc.bearer(provider.signed(**{"aud": RESOURCE, "nonce": None, **changed}), RESOURCE) is None
    assert not provider.asked


async def test_a_hundred_who_come_at_once_make_one_fetch():
    provider = Provider()
    oidc = provider.known()
    async with anyio.create_task_group() as tasks:
        for _ in range(100):
            tasks.start_soon(who, provider, oidc)
    assert (provider.asked["/.well-known/openid-configuration"], provider.asked["/keys"]) == (1, 1)


# ── Tokens of the provider that hosts bring themselves ──────────────────────────────────────────


def access_token(provider, head=None, **changed):
    return provider.signed(head=head, **{"aud": RESOURCE, "nonce": None, "scope": "aural:read", **changed})


@pytest.mark.parametrize(
    ("changed", "scopes"),
    [
        ({}, {READ}),
        ({"scope": None}, {READ}),
        ({"scope": "aural:write"}, {READ, WRITE}),
        ({"scope": "aural:write:all aural:writer"}, {READ}),
        ({"scope": None, "scp": ["openid", "aural:write"]}, {READ, WRITE}),
        ({"scope": None, "scp": "openid aural:write"}, {READ, WRITE}),
        ({"aud": ["another", RESOURCE], "head": {"typ": "at+jwt"}}, {READ}),
        ({"head": {"typ": "application/at+JWT"}, "typ": "Bearer"}, {READ}),
    ],
    ids=lambda each: str(sorted(each) if isinstance(each, set) else each),  # the same in every process
)
async def test_an_access_token_for_us_may_read_and_changes_where_it_says_so(changed, scopes):
    provider = Provider()
    found = await provider.known().bearer(access_token(provider, **changed), RESOURCE)
    assert found is not None
    assert (found[0].role.name, found[1]) == ("recruiter", scopes)


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": CLIENT},
        {"aud": [CLIENT, RESOURCE]},
        {"aud": RESOURCE.upper()},
        {"aud": None},
        {"nonce": NONCE},
        {"at_hash": "x"},
        {"events": {"http://schemas.openid.net/event/backchannel-logout": {}}},
        {"cnf": {"jkt": "x"}},
        {"typ": "ID"},
        {"typ": "Refresh"},
        {"token_use": "id"},
        {"head": {"typ": "logout+jwt"}},
        {"head": {"typ": "dpop+jwt"}},
        {"exp": In(-120)},
        {"iss": "https://login.evil.example"},
        {"sub": None},
        {"sub": "0oahost", "cid": "0oahost"},
        {"sub": "host", "client_id": "host"},
        {"idtyp": "app"},
        {"sub": "host@clients", "gty": "client-credentials"},
        {"groups": ["bees"]},
        {"groups": None, "_claim_names": {"groups": "src1"}},
    ],
    ids=str,
)
async def test_a_token_that_is_not_a_persons_for_access_to_us_is_not_taken(changed):
    provider = Provider()
    assert await provider.known().bearer(access_token(provider, **changed), RESOURCE) is None


@pytest.mark.parametrize("token", ["", "dlv_test_x", "a.b.c", "x" * 150_000, "é.é.é", f"{packed([])}.{packed([])}.x"])
async def test_what_is_no_token_of_the_provider_is_not_asked_about(token):
    provider = Provider()
    assert await provider.known().bearer(token, RESOURCE) is None
    assert not provider.asked


# ── Providers that misbehave ────────────────────────────────────────────────────────────────────


def answering(document=None, status=200, **more):
    async def answer():
        return httpx.Response(status, json=document, **more) if document is not None else httpx.Response(status, **more)

    return answer


async def hang():
    await anyio.sleep_forever()


async def break_off():
    raise httpx.ReadError("broken")


class Endless(httpx.AsyncByteStream):
    sent = 0

    async def __aiter__(self):
        while self.sent < 10_000_000:
            self.sent += 65536
            yield b" " * 65536


PAGES = {
    "a page": answering(content=b"<!doctype html><title>Sign in</title>", headers={"content-type": "text/html"}),
    "nothing": answering(content=b""),
    "a list": answering([]),
    "a depth without end": answering(content=b"[" * 200_000),
    "an error": answering({"error": "server_error"}, 500),
    "no access": answering({"error": "no"}, 403),
    "elsewhere": answering(status=302, headers={"location": "https://evil.example/"}),
    "what is packed": answering(content=b"\x1f\x8b", headers={"content-encoding": "gzip"}),
    "no end": hang,
    "a broken line": break_off,
}
PLACES = ("/.well-known/openid-configuration", "/keys", "/token", "/userinfo")


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("answer", PAGES.values(), ids=PAGES)
async def test_a_provider_that_answers_otherwise_is_named_and_signs_nobody_in(answer, place, monkeypatch):
    monkeypatch.setattr(fetching, "WITHIN", 0.05)
    provider = Provider()
    provider.id_token = provider.signed(groups=None)  # so that userinfo is asked
    provider.instead[place] = answer
    said = await refusal(provider)
    assert said.startswith("You cannot be signed in just now: the identity provider's ")
    assert said.endswith("Try again in a minute; if it stays so, whoever runs this server finds it in the log.")
    assert "evil" not in "".join(str(sent.url) for sent in provider.sent)


@pytest.mark.parametrize("place", PLACES)
async def test_ten_megabytes_are_not_read(place, caplog):
    provider, endless = Provider(), Endless()
    provider.id_token = provider.signed(groups=None)

    async def answer():
        return httpx.Response(200, stream=endless)

    provider.instead[place] = answer
    await refusal(provider)
    assert "more than 256 KB" in caplog.text
    assert endless.sent < 600_000


async def test_a_provider_that_is_down_is_not_asked_by_everybody_and_is_asked_again_in_a_moment():
    provider, clock = Provider(), Clock()
    provider.instead["/keys"] = break_off
    oidc = provider.known(clock=clock)
    first = await refusal(provider, oidc)
    assert [await refusal(provider, oidc) for _ in range(20)] == [first] * 20
    assert provider.asked["/keys"] == 1
    del provider.instead["/keys"]
    clock.now += 5
    assert (await who(provider, oidc)).subject == "00u1dana"


METADATA = {
    "another issuer": {"issuer": "https://login.evil.example"},
    "the issuer with a slash": {"issuer": f"{ISSUER}/"},
    "no keys": {"jwks_uri": None},
    "keys in clear": {"jwks_uri": "http://login.acme.example/keys"},
    "keys behind a name": {"jwks_uri": "https://login@evil.example/keys"},
    "keys on this computer": {"jwks_uri": "http://127.0.0.1/keys"},
    "a token endpoint that is a file": {"token_endpoint": "file:///etc/passwd"},
    "an endpoint that is a script": {"authorization_endpoint": "javascript:alert(1)"},
    "userinfo in clear": {"userinfo_endpoint": "http://login.acme.example/me"},
    "shared secrets alone": {"id_token_signing_alg_values_supported": ["HS256", "none"]},
}


@pytest.mark.parametrize("changed", METADATA.values(), ids=METADATA)
async def test_metadata_is_not_believed_that_has(changed):
    provider = Provider()
    provider.metadata |= changed
    with pytest.raises(NotIdentified, match="the identity provider's metadata"):
        await provider.known().address(BACK, "state", NONCE, VERIFIER)
    assert set(provider.asked) == {"/.well-known/openid-configuration"}


async def test_an_issuer_that_differs_is_told_to_the_operator_letter_by_letter(caplog):
    provider = Provider()
    provider.metadata["issuer"] = f"{ISSUER}/"
    await provider.known().look()
    assert f"it calls itself '{ISSUER}/', and AURAL_OIDC_ISSUER is {ISSUER}. Set it letter by letter" in caplog.text


async def test_a_provider_that_wants_the_secret_in_the_form_gets_it_there_and_from_then_on_at_once():
    provider = Provider(token_endpoint_auth_methods_supported=["client_secret_basic", "client_secret_post"])

    async def in_the_form():
        sent = provider.sent[-1]
        if "authorization" in sent.headers or dict(parse_qsl(sent.content.decode()))["client_secret"] != SECRET:
            return httpx.Response(401, json={"error": "invalid_client"})
        return httpx.Response(200, json={"id_token": provider.id_token})

    provider.instead["/token"], oidc = in_the_form, provider.known()
    assert (await who(provider, oidc)).subject == (await who(provider, oidc)).subject == "00u1dana"
    assert provider.asked["/token"] == 3


@pytest.mark.parametrize("offered", [[], ["private_key_jwt"], ["none"], "client_secret_basic"])
async def test_a_provider_that_takes_no_secret_is_not_sent_one(offered):
    provider = Provider(token_endpoint_auth_methods_supported=offered)
    assert "token endpoint takes no client secret" in await refusal(provider)
    assert not provider.asked["/token"]


async def test_userinfo_about_somebody_else_signs_nobody_in():
    provider = Provider()
    provider.id_token, provider.userinfo = provider.signed(groups=None), {"sub": "00u2sam", "groups": ["hiring"]}
    assert "userinfo is about somebody else" in await refusal(provider)


async def test_userinfo_adds_what_is_missing_and_changes_nothing():
    provider = Provider()
    provider.id_token = provider.signed(groups=None, email="dana@acme.example", email_verified=None)
    provider.userinfo = {"sub": "00u1dana", "groups": ["staff"], "name": "Sam", "iss": "x", "email_verified": True}
    found = await who(provider)
    assert (found.issuer, found.name, found.role.name) == (ISSUER, "Dana Fox", "reader")


async def test_nothing_secret_is_logged(everything_logged):
    provider = Provider()
    await who(provider)
    provider.id_token = provider.signed(nonce="n-another")
    await refusal(provider)
    logged = "\n".join(everything_logged)
    assert "belongs to another sign-in" in logged
    for secret in (provider.id_token, SECRET, VERIFIER, NONCE, "opaque"):
        assert secret not in logged

"""Identity providers of companies: one in memory that signs whatever a test says, and one that is not ours."""

import base64
import hashlib
import json
import re
import subprocess
import tempfile
import time
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from html import unescape
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

import anyio
import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt import api_jws as jws
from jwt.algorithms import get_default_algorithms

from aural_mcp.server.sign_in.oidc import Oidc
from aural_mcp.server.sign_in.roles import read_roles
from aural_mcp.server.sign_in.settings import Company
from conftest import needs
from processes import backend, free_port, http_server
from signing import STATE_KEY

ISSUER, CLIENT, SECRET = "https://login.acme.example", "aural-at-acme", "dlv_test_not_a_key+/=:%"
BACK, NONCE, VERIFIER = "https://mcp.acme.example/sign-in/callback", "n-0123456789", "v" * 43
RESOURCE = "https://mcp.acme.example/mcp"
MAPPING = """
claim = "groups"
contact = "it@acme.example"

[[roles]]
name = "recruiter"
values = ["hiring", "8d1e5c1a-0000-4000-8000-c0ffee000001", "/hiring"]
read_only = false

[[roles]]
name = "reader"
values = ["staff"]
"""


def private_key(kind="RS256", name="one"):
    """A private key, made once for each kind and name."""
    return _made(kind.replace("PS", "RS"), name)


@cache
def _made(kind, name):
    if kind.startswith("ES"):
        return ec.generate_private_key({"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1()}[kind])
    return ed25519.Ed25519PrivateKey.generate() if kind == "EdDSA" else rsa.generate_private_key(65537, 2048)


def public(name="one", kind="RS256", **more):
    """The public key as it stands in a key set."""
    jwk = get_default_algorithms()[kind].to_jwk(private_key(kind, name).public_key(), as_dict=True)
    jwk.pop("key_ops", None)
    return {**jwk, "kid": name, "use": "sig", **more}


def packed(data):
    return (
        base64.urlsafe_b64encode(data if isinstance(data, bytes) else json.dumps(data).encode()).rstrip(b"=").decode()
    )


@dataclass(frozen=True)
class In:
    """A time, when a token is made with it."""

    seconds: int


class Provider:
    """A provider in memory. A test changes what it says of itself, which keys it has, and what it claims of a person.

    `instead` holds what is answered at a path in place of what belongs there.
    """

    def __init__(self, issuer=ISSUER, **metadata):
        self.issuer, self.base = issuer, issuer.rstrip("/")
        self.metadata = {
            "issuer": issuer,
            "authorization_endpoint": f"{self.base}/authorize",
            "token_endpoint": f"{self.base}/token",
            "userinfo_endpoint": f"{self.base}/userinfo",
            "jwks_uri": f"{self.base}/keys",
            "id_token_signing_alg_values_supported": ["RS256"],
            **metadata,
        }
        self.keys, self.instead, self.asked, self.sent = [public()], {}, Counter(), []
        self.id_token, self.userinfo = self.signed(), {}

    def claims(self, **changed):
        """Claims of an id_token that is good; None takes one out, and `In` is seconds from now on."""
        now = int(time.time())
        good = {
            "iss": self.issuer,
            "sub": "00u1dana",
            "aud": CLIENT,
            "exp": now + 300,
            "iat": now,
            "nonce": NONCE,
            "name": "Dana Fox",
            "groups": ["hiring"],
        }
        given = {**good, **changed}
        given |= {name: now + value.seconds for name, value in given.items() if isinstance(value, In)}
        return {name: value for name, value in given.items() if value is not None}

    def signed(self, key="one", kind="RS256", head=None, **changed):
        head = {"kid": key, **(head or {})}
        head = {name: value for name, value in head.items() if value is not None}
        return jws.encode(json.dumps(self.claims(**changed)).encode(), private_key(kind, key), kind, head)

    @property
    def transport(self):
        return httpx.MockTransport(self._answer)

    def known(self, mapping=MAPPING, **more):
        """The provider as our server knows it, with a mapping."""
        return Oidc(Company(self.issuer, CLIENT, SECRET, roles_of(mapping)), self.transport, **more)

    async def _answer(self, request):
        path = str(request.url).removeprefix(self.base).partition("?")[0]
        self.asked[path] += 1
        self.sent.append(request)
        await anyio.lowlevel.checkpoint()
        if path in self.instead:
            return _unread(await self.instead[path]())
        document = {
            "/.well-known/openid-configuration": self.metadata,
            "/keys": {"keys": self.keys},
            "/token": {"id_token": self.id_token, "access_token": "opaque", "token_type": "Bearer"},
            "/userinfo": self.userinfo,
        }.get(path)
        return _unread(httpx.Response(404) if document is None else httpx.Response(200, json=document))


def _unread(answer):
    """An answer as it comes over a network: `httpx` counts the body of one made here as read."""
    if not answer.is_stream_consumed:
        return answer
    return httpx.Response(answer.status_code, headers=answer.headers, stream=Body(answer.content))


class Body(httpx.AsyncByteStream):
    def __init__(self, content):
        self._content = content

    async def __aiter__(self):
        yield self._content


def roles_of(text):
    """The mapping that a file of this text says."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "roles.toml"
        path.write_text(text, encoding="utf-8")
        return read_roles(str(path))


# ── One that is not ours ────────────────────────────────────────────────────────────────────────


PEOPLE = {
    "dana": {"groups": ["hiring"], "name": "Dana Fox", "email": "Dana@acme.example", "email_verified": True},
    "sam": {"groups": ["staff", "bees"], "name": "Sam Oak", "email": "sam@acme.example", "email_verified": True},
    "kit": {"groups": ["bees"], "name": "Kit Elm", "email": "kit@acme.example", "email_verified": False},
}


@asynccontextmanager
async def oidc_provider(**told):
    """`oidc-provider` of npm on a free port, a certified provider: its issuer."""
    folder = Path(needs("esbuild")).parent.parent / "oidc-provider"
    if not folder.is_dir():
        pytest.skip("oidc-provider is not installed beside esbuild")
    port = free_port()
    client = {"client_id": CLIENT, "client_secret": SECRET, "redirect_uris": [BACK]}
    host = {"client_id": "host", "token_endpoint_auth_method": "none", "redirect_uris": [BACK]}
    told = {"clients": [client, host], "people": PEOPLE, "inIdToken": False, **told}
    script = Path(__file__).parent / "identity_provider.mjs"
    command = [needs("node"), str(script), str(folder), str(port), json.dumps(told)]
    process = await anyio.open_process(command, stderr=subprocess.DEVNULL)
    try:
        with anyio.fail_after(60):
            assert b"ready" in await process.stdout.receive()
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()


async def signed_in(address, login, back=BACK):
    """What somebody's browser brings back from the provider: the query of the way back."""
    async with httpx.AsyncClient(trust_env=False) as person:
        return dict(parse_qsl(urlsplit(await way_back(person, address, login, back)).query))


async def way_back(person, address, login, back):
    """Where somebody's browser is sent after the forms of the provider."""
    page = await person.get(address)
    for _ in range(12):
        if page.is_redirect:
            address = urljoin(str(page.url), page.headers["location"])
            if address.startswith(back):
                return address
            page = await person.get(address)
            continue
        form = re.search(r'action="([^"]+)".*?name="prompt" value="(\w+)"', page.text, re.DOTALL)
        assert form, page.text
        typed = {"login": login, "password": "x"} if form[2] == "login" else {}
        page = await person.post(urljoin(str(page.url), unescape(form[1])), data={"prompt": form[2], **typed})
    raise AssertionError(f"the provider does not come to an end at {page.url}")


async def as_a_host(issuer, **asked):
    """What a host gets that signs somebody in at the provider itself."""
    challenge = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
    query = {"client_id": "host", "redirect_uri": BACK, "response_type": "code", "nonce": "n", **asked}
    query |= {"code_challenge": challenge, "code_challenge_method": "S256"}
    came = await signed_in(f"{issuer}/auth?{urlencode(query)}", "dana")
    form = {"client_id": "host", "redirect_uri": BACK, "grant_type": "authorization_code", "code_verifier": VERIFIER}
    resource = {"resource": asked["resource"]} if "resource" in asked else {}
    async with httpx.AsyncClient(trust_env=False) as host:
        return (await host.post(f"{issuer}/token", data={**form, **resource, "code": came["code"]})).json()


class Workplace:
    """A provider, a backend, and our server in front of it where the provider's people sign in."""

    def __init__(self, folder, issuer, port, key):
        self.folder, self.issuer, self.key = folder, issuer, key
        self.roles = folder / "roles.toml"
        self.roles.write_text(MAPPING)
        self.settings = {
            "AURAL_API_KEY": key,
            "AURAL_BASE_URL": f"http://127.0.0.1:{port}/api/v1",
            "AURAL_STATE_KEYS": STATE_KEY.decode(),
            "AURAL_OIDC_ISSUER": issuer,
            "AURAL_OIDC_CLIENT_ID": CLIENT,
            "AURAL_OIDC_CLIENT_SECRET": SECRET,
            "AURAL_ROLES": str(self.roles),
        }


@asynccontextmanager
async def at_a_company(folder):
    """Such a workplace, until the block ends; `url` is where hosts reach our server."""
    port = free_port()
    async with oidc_provider() as issuer, backend(folder / "backend", port) as printed:
        made = Workplace(folder, issuer, port, re.search(r"dlv_\S+", printed)[0])
        async with http_server(folder, "--sign-in", "oidc", **made.settings) as made.url:
            yield made

"""People who sign in: a server where they do, in front of the embedded backend, and what host and browser do."""

import base64
import hashlib
import json
import re
import secrets
from contextlib import asynccontextmanager
from html import unescape
from urllib.parse import parse_qs, urlencode, urlsplit

import anyio
import httpx

from aural_mcp.client.client import AuralClient
from aural_mcp.client.state import State
from aural_mcp.server.principal import KeyPerRequest
from aural_mcp.server.server import AuralServer
from aural_mcp.server.sign_in.app import SignInServer
from aural_mcp.server.web import application
from clock import wall
from conftest import KEY, ORIGIN
from processes import backend, free_port, http_server

HERE = "https://mcp.example"
BACK = "https://host.example/callback"
STATE_KEY = b"a-key-of-the-operator-that-seals-1"
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")


class Backend(httpx.AsyncBaseTransport):
    """The embedded backend, which takes no key any more once it is told so."""

    def __init__(self, app):
        self._app, self.withdrawn = httpx.ASGITransport(app), False

    async def handle_async_request(self, request):
        if self.withdrawn:
            error = {"code": "UNAUTHORIZED", "message": "Invalid API key."}
            return httpx.Response(401, json={"error": error}, request=request)
        return await self._app.handle_async_request(request)


class Place:
    """A server at which people sign in, with its state in a file."""

    def __init__(self, world, folder, *, keys=(STATE_KEY,), confirm="never", **given):
        self.file = folder / "state.db"
        self.backend = Backend(world.app)
        self.state = State(lambda: self.file, clock=wall)
        client = AuralClient(None, f"{ORIGIN}/api/v1", requests_per_minute=0, transport=self.backend, state=self.state)
        self.server = AuralServer(KeyPerRequest(client), backend="T.", confirm=confirm, state_keys=keys)
        self.sign_in = SignInServer(self.server.clients, client, keys, **given)
        self.web = application(self.server, "127.0.0.1", ["mcp.example", "other.example"], self.sign_in)

    def http(self, origin=HERE, **more):
        """Somebody who talks HTTP to it, and keeps cookies as a browser does."""
        return httpx.AsyncClient(transport=httpx.ASGITransport(self.web), base_url=origin, **more)

    def forget(self):
        """Go on without what is remembered for a few seconds."""
        self.sign_in._known.clear()


@asynccontextmanager
async def living(place):
    """The place between its start and its end."""
    stop, started, ended = anyio.Event(), anyio.Event(), anyio.Event()
    begun = False

    async def receive():
        nonlocal begun
        if not begun:
            begun = True
            return {"type": "lifespan.startup"}
        await stop.wait()
        return {"type": "lifespan.shutdown"}

    async def send(message):
        (started if message["type"] == "lifespan.startup.complete" else ended).set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(place.web, {"type": "lifespan", "app": None}, receive, send)
        await started.wait()
        try:
            yield place
        finally:
            stop.set()


async def register(http, *redirects, **said):
    """The id of an application that registered."""
    answer = await http.post("/register", json={"redirect_uris": redirects or (BACK,), "client_name": "Host", **said})
    assert answer.status_code == 201, answer.text
    return answer.json()["client_id"]


def asking(client, **more):
    """What an application asks the browser to open."""
    given = {
        "response_type": "code",
        "client_id": client,
        "redirect_uri": BACK,
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        "state": "state-of-the-host",
        **more,
    }
    return "/authorize?" + urlencode({name: value for name, value in given.items() if value is not None})


def form_of(page):
    """The fields that a page sends along unseen."""
    return {
        name: unescape(value) for name, value in re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page.text)
    }


async def consent(browser, page, *, key=KEY, access="read", answer="yes", origin=HERE, **headers):
    """Fill in the page, and press a button."""
    form = {**form_of(page), "access": access, "answer": answer, **({"key": key} if key else {})}
    return await browser.post("/sign-in", data=form, headers={"origin": origin, **headers})


def said(answer):
    """What a browser brings back to the application."""
    assert answer.status_code == 303, answer.text
    return in_query(answer.headers["location"])


def turned_back(answer):
    """What the application gets where somebody follows the link of a page that says what was wrong."""
    assert (answer.status_code, "location" in answer.headers) == (400, False)
    return in_query(unescape(re.search(r'<a href="([^"]*)"', answer.text)[1]))


def in_query(address):
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}


async def code_for(browser, client, *, access="read", **more):
    """The code that comes of a sign-in."""
    page = await browser.get(asking(client, **more))
    assert page.status_code == 200, page.text
    return said(await consent(browser, page, access=access))["code"]


async def redeem(http, client, code, **more):
    given = {
        "grant_type": "authorization_code",
        "client_id": client,
        "code": code,
        "redirect_uri": BACK,
        "code_verifier": VERIFIER,
        **more,
    }
    return await http.post("/token", data={name: value for name, value in given.items() if value is not None})


async def refreshed(http, client, token, **more):
    return await http.post(
        "/token", data={"grant_type": "refresh_token", "client_id": client, "refresh_token": token, **more}
    )


async def signed_in(http, *, access="read"):
    """An application's id, and its tokens for somebody."""
    client = await register(http)
    answer = await redeem(http, client, await code_for(http, client, access=access))
    assert answer.status_code == 200, answer.text
    return client, answer.json()


def calling(name, version="2025-11-25", **arguments):
    """The body and the headers of a call."""
    headers = {"accept": "application/json, text/event-stream", "mcp-protocol-version": version}
    params = {"name": name, "arguments": arguments}
    if version == "2026-07-28":
        headers |= {"mcp-method": "tools/call", "mcp-name": name}
        meta = {"protocolVersion": version, "clientInfo": {"name": "t", "version": "1"}, "clientCapabilities": {}}
        params["_meta"] = {f"io.modelcontextprotocol/{field}": value for field, value in meta.items()}
    return {"headers": headers, "json": {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}}


async def call(http, token, name, version="2025-11-25", **arguments):
    """A call with a token, as it is answered."""
    sent = calling(name, version, **arguments)
    if token:
        sent["headers"]["authorization"] = f"Bearer {token}"
    return await http.post("/mcp", **sent)


def result_of(answer):
    """What a tool answered."""
    assert answer.status_code == 200, answer.text
    return json.loads(answer.text)["result"]


def random_token():
    return secrets.token_urlsafe(32)


# ── As a host and a browser of others meet it ───────────────────────────────────────────────────


@asynccontextmanager
async def served(folder, *arguments, **settings):
    """A server that people sign in to, in front of a backend of its own: its address, and a key of that backend."""
    port = free_port()
    upstream = {"AURAL_BASE_URL": f"http://127.0.0.1:{port}/api/v1", "AURAL_STATE_KEYS": STATE_KEY.decode()}
    async with (
        backend(folder / "backend", port, "--no-desk", **settings) as printed,
        http_server(folder / "served", "--sign-in", "key", *arguments, **upstream, **settings) as url,
    ):
        yield url, re.search(r"dlv_\S+", printed)[0]


async def lets_in(address, key, access="read"):
    """Where somebody's browser is led who opens an address of ours, gives a key, and lets the application in."""
    origin = "{0.scheme}://{0.netloc}".format(urlsplit(address))
    async with httpx.AsyncClient(base_url=origin, trust_env=False, timeout=60) as browser:
        answer = await consent(browser, await browser.get(address), key=key, access=access, origin=origin)
        assert answer.is_redirect, answer.text
        return answer.headers["location"]


async def lets_in_and_goes_back(address, key, access="read"):
    """The same, and the application gets its answer."""
    async with httpx.AsyncClient(trust_env=False, timeout=60) as browser:
        await browser.get(await lets_in(address, key, access))


class Storage:
    """Where the SDK's client keeps what it got."""

    tokens = info = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.info

    async def set_client_info(self, info):
        self.info = info

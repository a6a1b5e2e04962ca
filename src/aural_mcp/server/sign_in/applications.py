"""The applications that ask for people: who they say they are, and the documents that they publish about themselves."""

from __future__ import annotations

import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import anyio
import httpcore2
import httpx
from pydantic_core import from_json

from aural_mcp._version import __version__
from aural_mcp.events.addresses import BadAddress, Guarded, Lookup, Network, look_up, read_url, refuse_if_known
from aural_mcp.safety import outside
from aural_mcp.server.sign_in.pace import Pace
from aural_mcp.server.sign_in.redirects import BadRedirect, read_all

LONGEST_NAME = 60
NO_NAME = "An application without a name"
WITHIN, MOST_READ = 5.0, 64 * 1024
"""Seconds and bytes that a document may take."""
KEPT, FAILURE_KEPT, MOST_KEPT = 3_600.0, 60.0, 500
"""Seconds that a document, and that there was none, is remembered, and how many are."""
PER_MINUTE, AT_ONCE = 120, 32
"""Documents that are fetched."""
POST, BASIC, NONE = "client_secret_post", "client_secret_basic", "none"


class UnknownApplication(Exception):
    """Nobody knows who asks: a sentence for the person in front of the page."""


@dataclass(frozen=True)
class Application:
    """An MCP host, as it describes itself.

    Args:
        redirects: where it may be answered, as the strings that it gave.
        method: how it shows at the token endpoint that it is itself; `none` leaves it to PKCE.
        secret: the SHA-256 of its secret, if it has one.
        host: where its description is published, which nobody else can do; empty for what it only says of itself.
    """

    id: str
    name: str
    redirects: tuple[str, ...]
    method: str = NONE
    secret: str = ""
    host: str = ""


def described(id_: str, said: Mapping[str, Any]) -> Application:
    """An application by its own description, of RFC 7591's fields.

    Raises:
        BadRedirect: where it wants to be answered is not good.
        ValueError: it wants another flow than ours.
    """
    for field, needed in (("grant_types", "authorization_code"), ("response_types", "code")):
        given = said.get(field)
        if isinstance(given, list) and given and needed not in given:
            raise ValueError(f"{field} must have {needed}, or be left out.")
    method = said.get("token_endpoint_auth_method")
    name = said.get("client_name")
    return Application(
        id_,
        shown(name) if isinstance(name, str) else NO_NAME,
        read_all(said.get("redirect_uris")),
        method if method in (POST, BASIC) else NONE,
    )


def shown(name: str) -> str:
    """What an application calls itself, on one line, short, and without signs that mislead."""
    text = " ".join(outside(name).split())
    return (text if len(text) <= LONGEST_NAME else f"{text[: LONGEST_NAME - 1]}…") or NO_NAME


def publishes(client_id: str) -> bool:
    """Whether an application's id is the address of its document."""
    return client_id.startswith("https://")


class Documents:
    """Reads what applications publish about themselves, at public addresses only.

    Args:
        allowed: networks that are allowed although they are not public.
        lookup: gives the addresses of a host.
        trusted: whose certificates are believed.
    """

    def __init__(
        self, allowed: tuple[Network, ...] = (), lookup: Lookup = look_up, trusted: ssl.SSLContext | None = None
    ) -> None:
        self._backend, self._allowed, self._trusted = Guarded(allowed, lookup), allowed, trusted
        self._known: dict[str, tuple[Application | str, float]] = {}
        self._pace, self._turns = Pace(PER_MINUTE, PER_MINUTE), anyio.Semaphore(AT_ONCE)
        self._asked: dict[str, anyio.Lock] = {}

    async def read(self, client_id: str) -> Application:
        """The application whose id this address is.

        Raises:
            UnknownApplication: there is no good document.
        """
        turn = self._asked.setdefault(client_id, anyio.Lock())  # many may ask for one at once
        try:
            async with turn:
                found, until = self._known.pop(client_id, ("", 0.0))
                if time.monotonic() >= until and self._pace.wait("documents"):
                    raise UnknownApplication("Many applications asked just now. Try again in a minute.")
                if time.monotonic() >= until:
                    async with self._turns:
                        found = await self._fetched(client_id)
                    until = time.monotonic() + (FAILURE_KEPT if isinstance(found, str) else KEPT)
                self._known[client_id] = found, until
                while len(self._known) > MOST_KEPT:  # what is none goes first: anybody may ask for any
                    none = (name for name, (each, _) in self._known.items() if isinstance(each, str))
                    self._known.pop(next(none, next(iter(self._known))))
        finally:
            if not turn.locked() and not turn.statistics().tasks_waiting:
                self._asked.pop(client_id, None)
        if isinstance(found, str):
            raise UnknownApplication(found)
        return found

    async def _fetched(self, client_id: str) -> Application | str:
        """The application, or why there is none."""
        try:
            target = read_url(client_id)
            if target.url.target == b"/" or "/." in target.shown or target.url.scheme != b"https":
                raise BadAddress
            refuse_if_known(target, self._allowed)
            with anyio.fail_after(WITHIN):
                body = await self._get(target.url)
            said = from_json(body)
            if not isinstance(said, dict) or cast("dict[str, Any]", said).get("client_id") != client_id:
                return "What the application publishes about itself does not name itself. Tell whoever makes it."
            read = described(client_id, cast("dict[str, Any]", said))
            return Application(client_id, read.name, read.redirects, host=target.host)
        except BadRedirect as error:
            return f"What the application publishes about itself cannot be used. {error}"
        except (BadAddress, ValueError, OSError, TimeoutError, httpcore2.NetworkError, httpcore2.ProtocolError):
            return "What the application publishes about itself cannot be read. Try again, or tell whoever makes it."
        except httpcore2.TimeoutException:
            return "What the application publishes about itself did not come in time. Try again."

    async def _get(self, url: httpcore2.URL) -> bytes:
        trusted = self._trusted or httpx.create_ssl_context()
        headers = [
            (b"host", url.host if url.port in (None, 443) else url.host + b":%d" % url.port),
            (b"accept", b"application/json"),
            (b"accept-encoding", b"identity"),
            (b"user-agent", f"aural-mcp/{__version__}".encode()),
        ]
        async with (
            httpcore2.AsyncConnectionPool(ssl_context=trusted, network_backend=self._backend) as pool,
            pool.stream("GET", url, headers=headers) as response,
        ):
            if response.status != 200:
                raise ValueError(response.status)
            body = b""
            async for part in response.aiter_stream():
                body += part
                if len(body) > MOST_READ:
                    raise ValueError("too long")
            return body

"""Who may call: the names that a request comes to, the pages that may send one, and what a browser is told of that."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from starlette.datastructures import Headers

from aural_mcp.config import is_loopback
from aural_mcp.server.web.refusals import SAID_BETTER, Refused

PORT = re.compile(r":\d{1,5}$", re.ASCII)
ONCE = (b"host", b"origin", b"authorization", b"x-api-key")
"""Fields of which a second one would leave open which of them is believed."""
CORS = {
    "access-control-allow-methods": "GET, POST, DELETE",  # so that a page can read why two of them are refused
    "access-control-allow-headers": (
        "accept, authorization, content-type, last-event-id, mcp-method, mcp-name, mcp-protocol-version, "
        "mcp-session-id, traceparent, x-api-key, x-aural-blind, x-aural-lockdown, x-aural-readonly, x-aural-toolsets"
    ),
    "access-control-max-age": "7200",
}
OPEN_TO_ALL = {
    "access-control-allow-origin": "*",
    "access-control-allow-methods": "GET, POST",
    "access-control-allow-headers": "accept, authorization, content-type, mcp-protocol-version",
    "access-control-expose-headers": "retry-after, www-authenticate",
    "access-control-max-age": "7200",
}
"""For what holds nothing of a browser's: metadata, and what an application calls with what it knows itself."""
EXPOSED = "mcp-session-id, retry-after, www-authenticate"


class Origins:
    """The names this server is called by, with any port, or with the one that is given with the name."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = {name.lower() for name in names}

    def check(self, headers: Headers) -> None:
        """Refuse what comes to another name, or from a page of another."""
        self.check_host(headers)
        if headers.get("origin") and not self.allow(headers):
            raise Refused(403, *SAID_BETTER[403])

    def check_host(self, headers: Headers) -> None:
        """Refuse what comes to another name."""
        if not self._is_ours(headers.get("host", "")):
            raise Refused(421, *SAID_BETTER[421])

    def origin(self, headers: Headers) -> str:
        """`scheme://host[:port]` by which a request reaches us, whose name was checked: TLS ends in front of us."""
        host = headers["host"].lower()
        name, _, port = host.rpartition(":") if PORT.search(host) else (host, "", "")
        if is_loopback(name.strip("[]")):
            return f"http://{host}"
        return f"https://{name if port == '443' else host}"

    def allow(self, headers: Headers) -> bool:
        """Whether a page of one of our names asks."""
        scheme, _, name = headers.get("origin", "").partition("://")
        return scheme in ("http", "https") and self._is_ours(name)

    def cors(self, headers: Headers) -> list[tuple[bytes, bytes]]:
        """What lets the page that asks read the answer; nothing for any other."""
        told = {"vary": "Origin"}
        if self.allow(headers):
            told |= {"access-control-allow-origin": headers["origin"], "access-control-expose-headers": EXPOSED}
        return [(name.encode(), value.encode()) for name, value in told.items()]

    def _is_ours(self, name: str) -> bool:
        name = name.lower()
        bare, _, port = name.rpartition(":")
        return name in self._names or (bare in self._names and bool(PORT.fullmatch(f":{port}")))


def check_once(fields: Sequence[tuple[bytes, bytes]]) -> None:
    """Refuse a request that says twice who it is."""
    twice = [name.decode() for name, count in Counter(name for name, _ in fields).items() if count > 1 and name in ONCE]
    if twice:
        raise Refused(400, "header_twice", f"`{twice[0]}` is there twice. Send it once.")

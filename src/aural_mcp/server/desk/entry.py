"""Who may look at the desk: whoever opens the link that was printed, once, or has a key; then a browser's cookie."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import urlsplit

from starlette.datastructures import Headers

T = TypeVar("T")
GOOD_FOR, STAYS_FOR = 300.0, 12 * 3600.0
"""Seconds in which a link must be opened, and for which a browser that does nothing stays signed in."""
MOST = 100
"""Links that were not opened, and browsers, that are remembered."""
TRIES, WINDOW = 10, 60.0
"""Keys that may be tried in so many seconds, by everybody together."""


@dataclass
class Visitor:
    """A browser that came by a link or with a key."""

    seen_at: float
    key: str = field(default="", repr=False)
    blind: bool = False
    """Whether it asked for no names; it cannot take that back."""


@dataclass(frozen=True)
class Ticket:
    """A link that was not opened yet, and where it leads."""

    made_at: float
    path: str


class Entry:
    """Makes links and knows browsers; of either only the SHA-256 is kept.

    Args:
        origin: `scheme://host:port` of the desk, exactly.
    """

    def __init__(self, origin: str) -> None:
        self.origin = origin
        parts = urlsplit(origin)
        self._host = parts.netloc
        self.secure = parts.scheme == "https"
        self.cookie = "__Host-aural_desk" if self.secure else f"aural_desk_{parts.port}"
        """Browsers send a cookie to every port of a host, and not all keep `__Host-` ones of plain HTTP."""
        self._tickets: dict[str, Ticket] = {}
        self._visitors: dict[str, Visitor] = {}
        self._tries: deque[float] = deque()

    def link(self, path: str) -> str:
        """An address that lets one browser in, once, within five minutes."""
        token = secrets.token_urlsafe(32)
        _keep(self._tickets, _digest(token), Ticket(time.monotonic(), path))
        return f"{self.origin}/enter?token={token}"

    def knows(self, token: str) -> bool:
        """Whether a link can still be opened."""
        ticket = self._tickets.get(_digest(token))
        return ticket is not None and time.monotonic() - ticket.made_at <= GOOD_FOR

    def redeem(self, token: str) -> tuple[str, str] | None:
        """The value of a new browser's cookie and where the link leads; None where the link is not good any more."""
        known, ticket = self.knows(token), self._tickets.pop(_digest(token), None)
        if not known or ticket is None:
            return None
        return self.welcome(), ticket.path

    def welcome(self, key: str = "") -> str:
        """The value of a new browser's cookie."""
        value = secrets.token_urlsafe(32)
        _keep(self._visitors, _digest(value), Visitor(time.monotonic(), key))
        return value

    def leave(self, value: str) -> None:
        """Forget a browser, and its key with it."""
        self._visitors.pop(_digest(value), None)

    def wait(self) -> float:
        """Seconds until another key may be tried, 0 for now; that is then counted, before anybody is asked."""
        now = time.monotonic()
        while self._tries and now - self._tries[0] >= WINDOW:
            self._tries.popleft()
        if len(self._tries) >= TRIES:
            return self._tries[0] + WINDOW - now
        self._tries.append(now)
        return 0.0

    def was_right(self) -> None:
        """Take one try out of the count."""
        self._tries.pop()

    def visitor(self, value: str) -> Visitor | None:
        """The browser that has this cookie."""
        self.forget()
        found = self._visitors.get(_digest(value))
        if found is not None:
            found.seen_at = time.monotonic()
        return found

    def forget(self) -> None:
        """Forget every browser that did nothing for too long, and its key with it."""
        now = time.monotonic()
        self._visitors = {place: each for place, each in self._visitors.items() if now - each.seen_at <= STAYS_FOR}

    def is_named(self, headers: Headers) -> bool:
        """Whether a request comes to exactly this host and port: no other name can be pointed here."""
        return headers.getlist("host") == [self._host]

    def is_foreign(self, headers: Headers, *, writes: bool) -> bool:
        """Whether another page had the request sent; what changes something must say that none had."""
        sites, origins = headers.getlist("sec-fetch-site"), headers.getlist("origin")
        if any(each not in ("same-origin", "none") for each in sites) or any(each != self.origin for each in origins):
            return True
        return writes and not origins and sites != ["same-origin"]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _keep(known: dict[str, T], place: str, value: T) -> None:
    known[place] = value
    while len(known) > MOST:
        known.pop(next(iter(known)))

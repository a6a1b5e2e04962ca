"""What the identity provider is asked over the network: bounded in time and size, and kept for a while."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Awaitable, Callable
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, cast

import anyio
import httpx

from aural_mcp.server.sign_in.identity import NotIdentified

WITHIN = 10.0
"""Seconds for an answer, all of it."""
LARGEST = 256 * 1024
"""Bytes of an answer."""
AGAIN = 30.0
"""Seconds after which what is kept may be asked for before its time once more, whatever somebody sends."""
FAILED = 5.0
"""Seconds for which a failure is repeated without asking."""
LATER = "Try again in a minute; if it stays so, whoever runs this server finds it in the log."

Document = dict[str, Any]
log = logging.getLogger(__name__)


def trouble(said: str, why: str = "") -> NotIdentified:
    """What the operator has to look into: a sentence for the person, and what else is known for the log."""
    log.warning("The identity provider's %s%s.", said, f": {why}" if why else "")
    return NotIdentified(f"You cannot be signed in just now: the identity provider's {said}. {LATER}")


class Browser:
    """Asks the provider for documents of JSON.

    Args:
        transport: how it is reached, where not as the environment says.
    """

    def __init__(self, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._transport = transport
        self._client: httpx.AsyncClient | None = None

    async def get(self, url: str, what: str, authorization: str = "") -> Document:
        """What stands at an address.

        Args:
            what: what that is, for people.

        Raises:
            NotIdentified: nothing that can be used.
        """
        status, document = await self._ask("GET", url, what, authorization)
        if status != 200:
            raise trouble(f"{what} is refused", f"status {status}")
        return document

    async def post(self, url: str, what: str, form: dict[str, str], authorization: str = "") -> tuple[int, Document]:
        """The status and the answer to a form.

        Raises:
            NotIdentified: nothing that can be used.
        """
        return await self._ask("POST", url, what, authorization, form)

    async def _ask(
        self, method: str, url: str, what: str, authorization: str, form: dict[str, str] | None = None
    ) -> tuple[int, Document]:
        if self._client is None:  # without cookies: what one person gets is not sent for the next
            jar = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
            self._client = httpx.AsyncClient(transport=self._transport, cookies=jar, follow_redirects=False)
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        headers |= {"Authorization": authorization} if authorization else {}
        try:
            with anyio.fail_after(WITHIN):
                async with self._client.stream(method, url, headers=headers, data=form, timeout=WITHIN) as answer:
                    return answer.status_code, _read(await _whole(answer, what), what, answer.status_code)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, TimeoutError) as error:
            raise trouble(f"{what} does not answer", type(error).__name__) from None


async def _whole(answer: httpx.Response, what: str) -> bytes:
    if answer.headers.get("content-encoding", "identity") != "identity":
        raise trouble(f"{what} is not what it should be", "it is packed, and that was not asked for")
    read = bytearray()
    async for chunk in answer.aiter_raw():
        read += chunk
        if len(read) > LARGEST:
            raise trouble(f"{what} is not what it should be", f"more than {LARGEST // 1024} KB")
    return bytes(read)


def _read(body: bytes, what: str, status: int) -> Document:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise trouble(f"{what} is not what it should be", f"no object of JSON, status {status}")
    return cast("Document", document)


class Kept:
    """A document that is fetched when it is needed, and kept; a failure is kept for a moment, too.

    Args:
        fetch: gets it.
        seconds: how long it is good.
        clock: seconds that only grow.
    """

    def __init__(
        self, fetch: Callable[[], Awaitable[Document]], seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._fetch, self._seconds, self._clock = fetch, seconds, clock
        self._lock = anyio.Lock()
        self._document: Document | None = None
        self._until = self._asked_for_newer = self._failed = float("-inf")
        self._failure = ""

    async def get(self) -> Document:
        """The document, not older than its time.

        Raises:
            NotIdentified: it cannot be had.
        """
        async with self._lock:
            if self._document is None or self._clock() >= self._until:
                self._document = None
                await self._renew()
            return cast("Document", self._document)

    async def newer(self, than: Document) -> Document:
        """A newer one; the same where it was asked for a moment ago."""
        async with self._lock:
            if self._document is than and self._clock() >= self._asked_for_newer + AGAIN:
                self._asked_for_newer = self._clock()
                await self._renew()
            return self._document or than

    async def _renew(self) -> None:
        if self._clock() < self._failed + FAILED:
            raise NotIdentified(self._failure)
        try:
            self._document = await self._fetch()
        except NotIdentified as error:
            self._failed, self._failure = self._clock(), str(error)
            raise
        self._until = self._clock() + self._seconds

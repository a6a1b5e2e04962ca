"""An httpx transport over httpcore2's connection pool.

The pool below httpx 0.28 looks at every connection for every request, about a millisecond of CPU from 16 in
flight on. httpcore2, which comes with the MCP SDK, does too, so there are several small pools of it: a request
goes to the one with the least in flight. What callers see is httpx, its requests, responses and errors.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable, Generator
from contextlib import contextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, cast

import httpcore2
import httpx

POOLS, CONNECTIONS, IDLE = 16, 8, 8
"""How many pools, and how many connections of each, in use and idle."""


class Pool(httpx.AsyncBaseTransport):
    """Connections to whatever is asked for, kept open between requests: 128 at most, for five seconds also idle."""

    def __init__(self) -> None:
        context = httpx.create_ssl_context()
        self._pools = [
            httpcore2.AsyncConnectionPool(
                ssl_context=context, max_connections=CONNECTIONS, max_keepalive_connections=IDLE, keepalive_expiry=5.0
            )
            for _ in range(POOLS)
        ]
        self._in_flight = [0] * POOLS

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and give its response as soon as the head is there."""
        to = request.url
        url = httpcore2.URL(scheme=to.raw_scheme, host=to.raw_host, port=to.port, target=to.raw_path)
        sent = httpcore2.Request(
            request.method,
            url,
            headers=request.headers.raw,
            content=request.stream,
            extensions=dict(request.extensions),
        )
        chosen = self._in_flight.index(min(self._in_flight))
        self._in_flight[chosen] += 1
        try:
            with _httpx_errors():
                answer = await self._pools[chosen].handle_async_request(sent)
        except BaseException:
            self._in_flight[chosen] -= 1
            raise
        return httpx.Response(
            answer.status,
            headers=answer.headers,
            stream=Body(answer, lambda: self._ended(chosen)),
            extensions=cast("dict[str, Any]", answer.extensions),  # pyright: ignore[reportUnknownMemberType]
        )

    async def aclose(self) -> None:
        """Close every connection."""
        for pool in self._pools:
            await pool.aclose()

    def _ended(self, pool: int) -> None:
        self._in_flight[pool] -= 1


class Body(httpx.AsyncByteStream):
    """The bytes of a response; closing it gives the connection back, if nothing came that belongs to no request."""

    def __init__(self, answer: httpcore2.Response, ended: Callable[[], None]) -> None:
        self._answer, self._ended = answer, ended

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _httpx_errors():
            async for part in cast("AsyncIterable[bytes]", self._answer.stream):
                yield part

    async def aclose(self) -> None:
        ended, self._ended = self._ended, _nothing
        ended()
        _condemn_if_more_came(self._answer)
        await self._answer.aclose()


def _condemn_if_more_came(answer: httpcore2.Response) -> None:
    """Have a connection closed on which more than one answer came: the next request would get what is left over.

    That next request may be another key's. httpcore2 looks for it on the socket only, not at what it has read already.
    """
    stream = getattr(answer.stream, "_stream", None)
    state = getattr(getattr(stream, "_connection", None), "_h11_state", None)
    if state is not None and state.trailing_data[0]:
        state.send_failed()


class Proxied(httpx.AsyncBaseTransport):
    """Through the proxies that the environment names, which httpx's own client knows how to choose."""

    def __init__(self) -> None:
        self._client = httpx.AsyncClient(cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and give its response as soon as the head is there."""
        return await self._client.send(request, stream=True)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._client.aclose()


def _nothing() -> None:
    """What ends a second time."""


@contextmanager
def _httpx_errors() -> Generator[None]:
    """Errors of httpcore2 as httpx's of the same name."""
    try:
        yield
    except (httpcore2.NetworkError, httpcore2.TimeoutException, httpcore2.ProtocolError, httpcore2.ProxyError) as error:
        raise getattr(httpx, type(error).__name__)(str(error)) from error
    except httpcore2.UnsupportedProtocol as error:
        raise httpx.UnsupportedProtocol(str(error)) from error

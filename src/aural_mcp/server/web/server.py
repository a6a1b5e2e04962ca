"""uvicorn as we need it: heads that are bounded before they are requests, and a stop that loses no call."""

from __future__ import annotations

import json
import socket
import sys
import time
from asyncio import TimerHandle, Transport
from collections.abc import Generator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from signal import SIGINT, SIGTERM, signal

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from aural_mcp.config import KEPT_OPEN, BadSetting
from aural_mcp.log import log_request
from aural_mcp.server.web.app import Web
from aural_mcp.server.web.flights import Flights
from aural_mcp.server.web.refusals import HEAD_WITHIN, HEADERS, MCP, TARGET, Refused, head_too_large

LINGER = 1.0
"""Seconds in which a refused sender may read why, before its connection is closed."""


def listen(host: str, port: int) -> tuple[socket.socket, str]:
    """A listening socket, and its address for people: `http://HOST:PORT/mcp`. Port 0 is any free one.

    Raises:
        BadSetting: the address cannot be listened on.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, OverflowError) as error:
        reason = str(getattr(error, "strerror", None) or error).partition(" (while")[0]
        raise BadSetting(f"Nothing can listen on {host}, port {port}: {reason}. Choose --host and --port.") from error
    listener.setblocking(False)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else head and body wait for each other
    name = f"[{host}]" if ":" in host else host
    return listener, f"http://{name}:{listener.getsockname()[1]}{MCP}"


async def serve(web: Web, listener: socket.socket, drain: float = 0.0) -> None:
    """Serve until SIGTERM or SIGINT, and then until the calls in flight are answered, 10 s at most.

    Args:
        drain: seconds before that in which calls are still taken, while what balances them is told to look elsewhere.
    """
    config = uvicorn.Config(
        web,
        http=Protocol,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEPT_OPEN,
        timeout_graceful_shutdown=1,
        h11_max_incomplete_event_size=HEADERS + TARGET + 1024,
    )
    await Server(config, web.flights, drain).serve(sockets=[listener])


class Server(uvicorn.Server):
    """uvicorn's, but a stop lets the calls in flight finish first, and the process ends with status 0."""

    def __init__(self, config: uvicorn.Config, flights: Flights, drain: float = 0.0) -> None:
        super().__init__(config)
        self._flights, self._drain = flights, drain

    async def on_tick(self, counter: int) -> bool:
        """Whether to close, asked ten times a second; until nothing is in flight, probes are still answered.

        A second SIGINT sets `force_exit`.
        """
        if not await super().on_tick(counter) or (self._flights.drains(self._drain) and not self.force_exit):
            return False
        over = await self._flights.stop(at_once=self.force_exit)
        self.force_exit |= self._flights.left_behind
        return over

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """uvicorn's own raises the signal again in the end, and the process would die of it."""
        before = {each: signal(each, self.handle_exit) for each in (SIGINT, SIGTERM)}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal(each, handler)


class Protocol(H11Protocol):
    """uvicorn's, but a head must arrive in time, and what never becomes a request is refused in our words."""

    _timer: TimerHandle | None = None
    _refused = False

    def connection_made(self, transport: Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        super().connection_made(transport)
        self._expect_head(HEAD_WITHIN)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._timer is not None:
            self._timer.cancel()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._expect_head(KEPT_OPEN + HEAD_WITHIN)

    def data_received(self, data: bytes) -> None:
        if not self._refused:
            super().data_received(data)

    def shutdown(self) -> None:
        if self._refused:
            self.transport.close()
        else:
            super().shutdown()

    def send_400_response(self, msg: str) -> None:
        """Called while h11's error is handled, which hints at 431 where a head is too long."""
        long = getattr(sys.exception(), "error_status_hint", 400) == 431
        refused = head_too_large() if long else Refused(400, "bad_request", "This is not a request in HTTP/1.1.")
        self._refused = True
        begun = self._leave_request()
        if begun is None:
            log_request(None, None, refused.status, time.perf_counter())
        if not begun:
            self.transport.write(_response(refused))
        # Closed at once, with bytes unread, the connection would be reset and the answer lost.
        with suppress(OSError, NotImplementedError):
            self.transport.write_eof()
        self.loop.call_later(LINGER, self.transport.close)

    def _leave_request(self) -> bool | None:
        """Let go of a request whose body broke off: whether its answer has begun; None without such a request."""
        if not self.cycle or self.cycle.response_complete:
            return None
        self.cycle.disconnected = True
        self.cycle.message_event.set()
        return self.cycle.response_started

    def _expect_head(self, within: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self.transport.is_closing():
            return
        self._timer = self.loop.call_later(within, self._give_up, self.cycle)

    def _give_up(self, last: RequestResponseCycle | None) -> None:
        if self.cycle is last and (last is None or last.response_complete):
            self.transport.close()


def _response(refused: Refused) -> bytes:
    body = json.dumps(refused.body()).encode()
    status = HTTPStatus(refused.status)
    fields = f"content-type: application/json\r\ncontent-length: {len(body)}\r\nconnection: close"
    return f"HTTP/1.1 {status} {status.phrase}\r\n{fields}\r\n\r\n".encode() + body

"""A fault-injecting HTTP proxy for tests: what networks and gateways do to requests, from one seed.

It holds every message whole and passes it on with a Content-Length; upstream gets one connection per request.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import socket
import struct
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import astuple, dataclass, fields
from email.utils import formatdate
from http import HTTPStatus

LEAK = "relation interviews at db-7.internal does not exist"
"""Stands in every body of a server_error, for tests that it goes no further."""
RATE_LIMITED = {"code": "RATE_LIMITED", "message": "Too many requests. Retry after 1s.", "retry_after": 1}
NOT_DONE = {"refuse", "reset", "hang", "server_error", "too_many"}
IDS = re.compile(r"/([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d+)(?=/|$)")
# An answer has to stay plain JSON for broken_json to cut, so upstream is not offered gzip.
NOT_PASSED_ON = {"connection", "keep-alive", "content-length", "transfer-encoding", "accept-encoding"}

Headers = list[tuple[str, str]]
Own = bytes | Callable[["Message"], bytes]
"""An answer of a test's own: bytes where upstream is not asked, or what becomes of upstream's. The connection stays
open, unless it says `connection: close`."""


@dataclass(frozen=True)
class Rates:
    """The probability, per request, of each fault; together at most 1. "Done" is what upstream did."""

    refuse: float = 0.0
    """The connection is closed once the request's head is read; not done."""
    reset: float = 0.0
    """The request is read, then the connection reset; not done."""
    done_then_drop: float = 0.0
    """Done, then the connection is closed without an answer."""
    done_then_reset: float = 0.0
    """Done, then the connection is reset without an answer."""
    truncate: float = 0.0
    """Done; the connection is closed in the middle of the answer's body."""
    broken_json: float = 0.0
    """Done; a complete HTTP answer whose body is the first half of the real one."""
    dribble: float = 0.0
    """Done; the answer comes in small pieces."""
    delay: float = 0.0
    """Done, `delay_seconds` later."""
    hang: float = 0.0
    """The request is read and never answered; not done."""
    server_error: float = 0.0
    """500, 502, 503 or 504, with an HTML or a JSON body; not done."""
    too_many: float = 0.0
    """429 with any spelling of Retry-After, with Aural's body or none; not done."""
    duplicate: float = 0.0
    """Done; the answer is sent twice and the connection stays open."""

    def __post_init__(self) -> None:
        if min(astuple(self)) < 0 or sum(astuple(self)) > 1 + 1e-9:
            raise ValueError("rates are probabilities, together at most 1")


FAULTS = tuple(field.name for field in fields(Rates))


@dataclass
class Exchange:
    """A request as it arrived, without its query; `done` once upstream has answered it."""

    method: str
    path: str
    fault: str
    done: bool = False


@dataclass(frozen=True)
class Message:
    """A whole HTTP request or answer."""

    start: str
    headers: Headers
    body: bytes

    def head(self, length: int) -> bytes:
        lines = [self.start, *(f"{name}: {value}" for name, value in self.headers), f"content-length: {length}"]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    def whole(self) -> bytes:
        return self.head(len(self.body)) + self.body


class Chaos:
    """The proxy, for `async with`: listens on a port of 127.0.0.1 and forwards to another.

    `log` has every request in order of arrival, `forwarded` counts "METHOD path" with `{id}` for ids.
    `next_faults` are the faults of the coming requests, "" being none, or answers of a test's own; once it is empty the
    dice decide.
    `only` chooses, by method and path, the requests that faults can meet; the others take no turn.
    """

    def __init__(
        self,
        upstream_port: int,
        rates: Rates,
        *,
        seed: int = 0,
        delay_seconds: float = 0.02,
        only: Callable[[str, str], bool] | None = None,
    ) -> None:
        self.port = 0
        self.log: list[Exchange] = []
        self.forwarded: Counter[str] = Counter()
        self.next_faults: deque[str | Own] = deque()
        self._upstream_port = upstream_port
        self._weights = [*astuple(rates), max(0.0, 1 - sum(astuple(rates)))]
        self._seeds = random.Random(seed)
        self._delay_seconds = delay_seconds
        self._only = only
        self._connections: list[tuple[asyncio.Task[None], asyncio.StreamWriter]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Chaos:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task, writer in self._connections:
            task.cancel()
            writer.transport.abort()
        endings = await asyncio.gather(*(task for task, _ in self._connections), return_exceptions=True)
        await self._server.wait_closed()
        # An error of the proxy's own must not pass for a fault it injected.
        for ending in endings:
            if isinstance(ending, Exception):
                raise ending

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._server.is_serving():
            self._connections.append((asyncio.create_task(self._serve(reader, writer)), writer))
        else:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._exchange(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client or upstream has hung up
        finally:
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Meet one request; whether the connection can take another."""
        start, headers = await _read_head(reader)
        method, target, _ = start.split(" ")
        path = target.partition("?")[0]
        fault, dice = self._choose(method, path)
        exchange = Exchange(method, path, fault if isinstance(fault, str) else "own")
        self.log.append(exchange)
        if fault == "refuse":
            return False
        body = await _read_body(reader, headers)
        if isinstance(fault, bytes):
            stays = await _hand_over(fault, writer)
        elif fault in NOT_DONE:
            stays = await _withhold(fault, dice, reader, writer)
        else:
            await asyncio.sleep(self._delay_seconds if fault == "delay" else 0)
            self.forwarded[f"{method} {IDS.sub('/{id}', path)}"] += 1
            answer = await self._forward(start, headers, body)
            exchange.done = True
            stays = await (_hand_over(fault(answer), writer) if callable(fault) else _hand_back(fault, answer, writer))
        return stays and ("connection", "close") not in headers

    def _choose(self, method: str, path: str) -> tuple[str | Own, random.Random]:
        """The fault of a request, and dice of its own, so that requests side by side do not share throws."""
        if self._only and not self._only(method, path):
            return "", random.Random(0)
        dice = random.Random(self._seeds.getrandbits(64))
        if not self.next_faults:
            return dice.choices([*FAULTS, ""], self._weights)[0], dice
        fault = self.next_faults.popleft()
        if isinstance(fault, str) and fault and fault not in FAULTS:
            raise ValueError(f"there is no fault {fault!r}")
        return fault, dice

    async def _forward(self, start: str, headers: Headers, body: bytes) -> Message:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._upstream_port)
        try:
            writer.write(Message(start, [*_passed_on(headers), ("connection", "close")], body).whole())
            start, headers = await _read_head(reader)
            return Message(start, _passed_on(headers), await _read_body(reader, headers, until_closed=True))
        finally:
            writer.transport.abort()


async def _withhold(
    fault: str, dice: random.Random, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> bool:
    """Meet a request that upstream never sees; whether the connection stays of use."""
    if fault == "reset":
        _reset(writer)
    elif fault == "hang":
        while await reader.read(65536):
            pass
    else:
        writer.write((_server_error(dice) if fault == "server_error" else _too_many(dice)).whole())
        await writer.drain()
    return fault in ("server_error", "too_many")


async def _hand_over(answer: bytes, writer: asyncio.StreamWriter) -> bool:
    """Give the client an answer of a test's own; whether the connection stays of use."""
    writer.write(answer)
    await writer.drain()
    return b"connection: close" not in answer


async def _hand_back(fault: str, answer: Message, writer: asyncio.StreamWriter) -> bool:
    """Give upstream's answer to the client, as far as the fault lets it; whether the connection stays of use."""
    half = answer.body[: len(answer.body) // 2]
    if fault == "done_then_reset":
        _reset(writer)
    elif fault == "truncate":
        writer.write(answer.head(max(1, len(answer.body))) + half)
    elif fault == "broken_json":
        writer.write(answer.head(len(half)) + half)
    elif fault == "duplicate":
        writer.write(answer.whole() * 2)
    elif fault == "dribble":
        await _dribble(answer.whole(), writer)
    elif fault != "done_then_drop":
        writer.write(answer.whole())
    await writer.drain()
    return fault not in ("done_then_drop", "done_then_reset", "truncate")


async def _dribble(data: bytes, writer: asyncio.StreamWriter) -> None:
    step = max(3, len(data) // 40)  # bounds the time that a large answer takes
    for begin in range(0, len(data), step):
        writer.write(data[begin : begin + step])
        await writer.drain()
        await asyncio.sleep(0.0005)


def _reset(writer: asyncio.StreamWriter) -> None:
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def _server_error(dice: random.Random) -> Message:
    html = ("text/html", f"<html><h1>Bad gateway</h1>{LEAK}</html>")
    aural = ("application/json", json.dumps({"error": {"code": "INTERNAL_ERROR", "message": LEAK}}))
    status = dice.choice([500, 502, 503, 504])
    kind, body = dice.choice([html, aural])
    return _answer(status, [("content-type", kind)], body)


def _too_many(dice: random.Random) -> Message:
    ahead, past = (formatdate(round(time.time()) + seconds, usegmt=True) for seconds in (1, -60))
    retry_after = dice.choice(["1", "0.5", ahead, past, "86400", "soon", None])
    headers = [("content-type", "application/json")]
    if retry_after is not None:
        headers.append(("retry-after", retry_after))
    return _answer(429, headers, dice.choice([json.dumps({"error": RATE_LIMITED}), ""]))


def _answer(status: int, headers: Headers, body: str) -> Message:
    return Message(f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", headers, body.encode())


def _passed_on(headers: Headers) -> Headers:
    return [(name, value) for name, value in headers if name not in NOT_PASSED_ON]


async def _read_head(reader: asyncio.StreamReader) -> tuple[str, Headers]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    start, *lines = head.removesuffix("\r\n\r\n").split("\r\n")
    pairs = [line.partition(":") for line in lines]
    return start, [(name.lower(), value.strip()) for name, _, value in pairs]


async def _read_body(reader: asyncio.StreamReader, headers: Headers, *, until_closed: bool = False) -> bytes:
    """The body as its headers frame it; without framing a request has none, and an answer ends with the connection."""
    framing = dict(headers)
    if framing.get("transfer-encoding") == "chunked":
        return await _read_chunks(reader)
    if "content-length" in framing:
        return await reader.readexactly(int(framing["content-length"]))
    return await reader.read() if until_closed else b""


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    while await reader.readuntil(b"\r\n") != b"\r\n":
        pass  # trailers
    return body

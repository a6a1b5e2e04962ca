"""Malformed input from a seed, the hosts that send it, and what they notice of the server.

Most of it is a valid message with one part of it, or one name in it, given way to a value that does not belong there.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import socket
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any

import h11
from mcp.types import JSONRPCRequest, jsonrpc_message_adapter
from pydantic import ValidationError

LEGACY, MODERN = "2025-11-25", "2026-07-28"
OURS = ["-m", "aural_mcp"]
OURS_HTTP = [*OURS, "serve", "--http", "--local", "--port", "0"]
PATIENCE = 30.0
"""Seconds after which a server that does not answer hangs."""

# ── Messages ────────────────────────────────────────────────────────────────────────────────────

HERE, FRESH = "@here@", "@fresh@"
"""In a message: what is replaced by a value, and by an id that no other message has."""
META = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientInfo": {"name": "frames", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}


def call(method: str, *, modern: bool = False, **params: Any) -> dict[str, Any]:
    """A valid request; since 2026-07-28 each says by itself what `initialize` said before."""
    meta = {"_meta": META} if modern else {}
    return {"jsonrpc": "2.0", "id": FRESH, "method": method, "params": params | meta}


def tool(name: str, *, modern: bool = False, **arguments: Any) -> dict[str, Any]:
    return call("tools/call", modern=modern, name=name, arguments=arguments)


def told(method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": f"notifications/{method}", "params": params}


PROBE = {modern: tool("get_usage", modern=modern) for modern in (False, True)}
"""A valid call for each generation of the protocol."""
HELLO = call("initialize", protocolVersion=LEGACY, capabilities={}, clientInfo={"name": "frames", "version": "1"})
TYPED = {"name": "sessionId", "value": "a"}
MESSAGES = {
    modern: [
        PROBE[modern],
        tool("get_interview", modern=modern, interviewId="a"),
        tool("list_sessions", modern=modern, interviewId="a", status="COMPLETED", limit=5, cursor="c"),
        tool("create_interview", modern=modern, title="T", assessmentCriteria=[{"name": "a", "description": "b"}]),
        tool("create_questions", modern=modern, interviewId="a", questions=[{"text": "Why?", "type": "OPEN_ENDED"}]),
        tool("update_interview", modern=modern, interviewId="a", title="T", confirmation="c"),
        call("tools/call", modern=modern, name="get_usage", inputResponses={"a": {}}, requestState="s"),
        call("tools/call", name="get_usage", arguments={}, _meta={"progressToken": 1}),
        call("tools/list", modern=modern, cursor="c"),
        call("resources/list", modern=modern, cursor="c"),
        call("resources/read", modern=modern, uri="aural://interviews/a"),
        call("resources/subscribe", modern=modern, uri="aural://sessions/a"),
        call("resources/unsubscribe", modern=modern, uri="aural://sessions/a"),
        call("resources/directory/read", modern=modern, uri="skill://aural-hiring"),
        call("skills/get", modern=modern, uri="skill://aural-hiring"),
        call("prompts/get", modern=modern, name="design_interview", arguments={"role": "r"}),
        call("completion/complete", modern=modern, ref={"type": "ref/prompt", "name": "review_session"}, argument=TYPED),
        call("logging/setLevel", modern=modern, level="info"),
        call("server/discover", modern=modern),
        call("subscriptions/listen", modern=modern, notifications={"resourceSubscriptions": ["aural://sessions/a"]}),
        HELLO,
        told("initialized"),
        told("cancelled", requestId=1, reason="r"),
        told("progress", progressToken=1, progress=1, total=2, message="m"),
        told("roots/list_changed", _meta={}),
        {"jsonrpc": "2.0", "id": 1, "result": {}},
        {"jsonrpc": "2.0", "id": 1, "error": {"code": 1, "message": "m", "data": None}},
    ]
    for modern in (False, True)
}


def places(value: Any) -> Iterator[Any]:
    """The value many times over, each time with another part of it, or name in it, given way to HERE."""
    yield HERE
    if isinstance(value, dict):
        for name, part in value.items():
            yield {HERE if each == name else each: value[each] for each in value}
            yield from (value | {name: place} for place in places(part))
    elif isinstance(value, list):
        for at, part in enumerate(value):
            yield from ([*value[:at], place, *value[at + 1 :]] for place in places(part))


def encoded(message: Any, number: int | str) -> bytes:
    """The message as it is sent, under this id."""
    return json.dumps(message).replace(f'"{FRESH}"', json.dumps(number)).encode()


# ── What does not belong there ──────────────────────────────────────────────────────────────────

Chance = random.Random
SIZES = (70_000, 70_000, 300_000, 2_000_000)
DEEP = 10_000
VALUES: dict[str, list[bytes]] = {
    "a wrong type": b'null true 0 -1 1.5 "" "x" "a/b" [] [[]] {} {"a":1} ["a",{}]'.split(),
    "a huge number": [b"9" * 19, b"9" * 400, b"-" + b"9" * 400, b"9" * 5000, *b"1e999 -1e999 1e-999 -0".split()],
    "not a number": b"NaN Infinity -Infinity - 0x10 01 .5 +1 1_0".split(),
    "bad UTF-8": rb'"\xff\xfe" "\xc3(" "\xed\xa0\x80" "\xf5\x80\x80\x80" "a\x80" "\xc0\xaf" "\xe2\x82'.decode(
        "unicode_escape"
    )
    .encode("latin-1")
    .split(),
    "a lone surrogate": rb'"\ud800" "a\udfffb" "\udc00\ud800" "aural://interviews/\udfff" "\uD8"'.split(),
    "a control character": [rb'"\u0000"', rb'"aural://interviews/\u0000"', b'"\0"', b"\0", b'"\x1b[2J"', b'"\x7f"'],
    "deep nesting": [
        b"[" * DEEP + b"]" * DEEP,
        b'{"a":' * DEEP + b"1" + b"}" * DEEP,
        b"[" * DEEP,
        b"[" * 99 + b"]" * 99,
    ],
    "a very long value": [
        value
        for size in SIZES
        for value in (
            b'"' + b"x" * size + b'"',
            b'"' + b"a" * size + b'!"',  # nearly a name: what takes a pattern longest that goes back to try again
            b"[" + b"1," * (size // 2) + b"1]",
            b"{" + b",".join(b'"%d":1' % number for number in range(size // 10)) + b"}",
        )
    ],
}
"""What is put in place of a part of a message."""
LINES: dict[str, list[bytes]] = {
    "no JSON": [b"GET / HTTP/1.1", b"Content-Length: 100", b"<xml/>", b"\x80\x02", bytes(range(11, 256))],
    "a blank line": [b"", b" ", b"\t", b"\r", b"\x0c", b"\0", b"\xef\xbb\xbf"],
    "a very long line": [each * size for each in (b"x", b" ", b"[", b"{", b'{"a":', b"\xff") for size in SIZES],
}
"""What is put in place of a whole message."""
SPOILED: dict[str, Callable[[Chance, bytes], list[bytes]]] = {
    "truncated JSON": lambda chance, line: [line[: chance.randrange(1, len(line))], line[chance.randrange(1, 20) :]],
    "broken JSON": lambda chance, line: [
        line.replace(chance.choice([b'"', b",", b":", b"}"]), chance.choice([b"", b"'", b",,", b"\\"])),
        *(line + b"}", line + line, b"\xef\xbb\xbf" + line, line + b" " * chance.choice(SIZES)),
    ],
    "duplicate keys": lambda chance, line: [
        b'{"id":[],"method":"no/thing","params":7,' + line[1:],
        *(line[:-1] + more for more in (b',"id":null}', b',"method":1}', b',"params":[]}', b',"jsonrpc":"1.0"}')),
        *(line[:-1] + more for more in (b',"result":{}}', b',"error":{"code":1,"message":"m"},"result":{}}')),
    ],
    "a batch": lambda chance, line: [
        *(b"[]", b"[" + line + b"]", b"[[" + line + b"]]", b"[1," + line + b"]"),
        b"[" + b",".join([line] * 50) + b"]",
    ],
    "an unknown method": lambda chance, line: [
        re.sub(rb'"method": "[^"]*"', b'"method": "%s"' % method, line)
        for method in (b"", b" ", b"tools", b"tools/call ", b"TOOLS/CALL", b"tasks/list", b"__init__", b"a" * 5000)
    ],
    "a notification with an id, or a request without": lambda chance, line: [
        *(re.sub(rb'"id": \d+', b'"id": %s' % other, line) for other in (b"null", b"1.5", b"[]", b"{}")),
        re.sub(rb'"id": \d+,', b"", line),
        re.sub(rb'"method": "', b'"method": "notifications/', line),
    ],
}
"""What a whole message is turned into."""
KINDS = [*VALUES, *LINES, *SPOILED]


def lines(seed: int, count: int, *, modern: bool = False) -> Iterator[tuple[str, bytes]]:
    """That many malformed lines, every kind in turn, each without its line feed."""
    chance = random.Random(seed)
    for number in range(count):
        kind = KINDS[number % len(KINDS)]
        yield kind, malformed(chance, kind, modern)


def malformed(chance: Chance, kind: str, modern: bool) -> bytes:
    message, number = chance.choice(MESSAGES[modern]), chance.randrange(10, 10**9)
    if kind in VALUES:
        place = encoded(chance.choice(list(places(message))), number)
        line = place.replace(f'"{HERE}"'.encode(), chance.choice(VALUES[kind]))
    elif kind in LINES:
        line = chance.choice(LINES[kind])
    else:
        line = chance.choice(SPOILED[kind](chance, encoded(message, number)))
    return line.replace(b"\n", b" ")


# ── HTTP ────────────────────────────────────────────────────────────────────────────────────────

TOO_LONG, TOO_MUCH = "a" * 70_000, b"[" * 5_000_000
PLAIN = {
    "Host": "127.0.0.1:1",
    "Connection": "close",
    "Content-Type": "application/json",
    "Accept": "application/json, text/event-stream",
}
HEADERS = {
    False: PLAIN | {"MCP-Protocol-Version": LEGACY},
    True: PLAIN | {"MCP-Protocol-Version": MODERN, "Mcp-Method": "tools/call", "Mcp-Name": "get_usage"},
}
"""What the probe is sent with, in each generation."""
FIELDS: dict[str, list[str]] = {
    "Host": ["evil.example", "", "127.0.0.1.evil.example", "127.0.0.1:99999", "[::1", "\xff", TOO_LONG],
    "Origin": ["http://evil.example", "null", "\xff", "http://127.0.0.1.evil", TOO_LONG],
    "Content-Type": [
        "text/plain",
        "",
        "application/jsonx",
        "application/json;",
        "multipart/form-data; boundary=x",
        "\xff",
    ],
    "Accept": ["", "text/html", "*", "application/*;q=0", "\xe9", ",,,", ";" * 999],
    "Content-Length": ["-1", "NaN", "1e3", "0x10", "", "9" * 400, "+5", "5, 5", "0", "1", "5000", "5000000"],
    "Transfer-Encoding": ["chunked", "gzip, chunked", "identity", "chunked, chunked", "xchunked", ""],
    "Content-Encoding": ["gzip", "br", "\xff"],
    "MCP-Protocol-Version": [
        "",
        "x",
        "1900-01-01",
        "2025-06-18",
        LEGACY,
        MODERN,
        f"{MODERN}, {LEGACY}",
        "\xff",
        TOO_LONG,
    ],
    "Mcp-Method": ["", "tools/list", "initialize", "subscriptions/listen", "=?base64?!!?=", "\xff", "a" * 5000],
    "Mcp-Name": ["", "get_interview", "=?base64?/w==?=", "=?base64?!!?=", "\xff", "a" * 5000],
    "Mcp-Session-Id": ["nobody", "", "\xff", "a" * 5000],
    "Last-Event-ID": ["1", "\xff"],
    "Authorization": ["Bearer", "Bearer \xff", "Basic eDp5", "Bearer dlv_test_nobody", TOO_LONG],
    "Expect": ["100-continue", "200-ok"],
    "Upgrade": ["websocket", "h2c"],
    "traceparent": ["00-zz-\xff-01", "00-" + "0" * 32 + "-" + "0" * 16 + "-01"],
    "": ["no name", ""],
    "A B": ["a space in the name"],
    " folded": ["yes"],
    "X": ["a\0b", "a\1b", "\xe9" * 300, TOO_LONG, "1\r\nX: 1" * 300, "a line without a colon\r\nBroken"],
}
"""Header fields, and what is wrong there. Some is only wrong beside the body, or beside the other fields."""
STARTS: dict[str, list[str]] = {
    "a wrong method": [f"{method} /mcp HTTP/1.1" for method in "GET PUT DELETE HEAD OPTIONS CONNECT FROB post".split()],
    "a wrong address": [
        f"POST {path} HTTP/1.1"
        for path in ["/", "/mcp/", "/MCP", "//mcp", "/mcp%00", "/../mcp", "/%ff", "*", "/i/%00", "/" + TOO_LONG]
    ],
    "no HTTP": [
        "POST /mcp",
        "POST /mcp HTTP/9.9",
        "POST  /mcp HTTP/1.1",
        "POST /mcp HTTP/1.1 x",
        "PRI * HTTP/2.0",
        "\x16\3",
    ],
}


def request(body: bytes, headers: list[tuple[str, str]], start: str = "POST /mcp HTTP/1.1") -> bytes:
    """A request, byte by byte; its length is added where no field speaks of one."""
    if not {name for name, _ in headers} & {"Content-Length", "Transfer-Encoding"}:
        headers = [*headers, ("Content-Length", str(len(body)))]
    rows = [start, *(f"{name}: {value}" for name, value in headers)]
    return "\r\n".join([*rows, "", ""]).encode("latin-1") + body


def valid(modern: bool) -> bytes:
    return request(encoded(PROBE[modern], 1), list(HEADERS[modern].items()))


def requests(seed: int, count: int) -> Iterator[tuple[str, bytes]]:
    """That many malformed requests; every other one has a malformed body, and otherwise every kind comes in turn."""
    chance = random.Random(seed)
    for number in range(count):
        kind = REQUEST_KINDS[number // 2 % len(REQUEST_KINDS)] if number % 2 else "a malformed body"
        yield kind, malformed_request(chance, kind, modern=chance.random() < 0.5)


def malformed_request(chance: Chance, kind: str, modern: bool) -> bytes:
    body, headers = encoded(PROBE[modern], 1), list(HEADERS[modern].items())
    if kind in FIELDS:
        wrong, others = (kind, chance.choice(FIELDS[kind])), [row for row in headers if row[0] != kind]
        chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        framed = chance.choice([body, chunks]) if kind == "Transfer-Encoding" else body
        return request(framed, chance.choice([[*others, wrong], [*others, wrong], [*headers, wrong], others]))
    if kind in STARTS:
        return request(chance.choice([b"", body]), headers, chance.choice(STARTS[kind]))
    if kind == "a malformed body":
        body = malformed(chance, chance.choice(KINDS), modern)
        return request(body, list((HEADERS[modern] | (_routes(body) if modern else {})).items()))
    return chance.choice(OTHER_REQUESTS[kind](chance, body, headers))


def _routes(body: bytes) -> dict[str, str]:
    """The header fields that agree with a body, so that it is looked at, and not only they."""
    method, name = re.search(rb'"method": "([!-~]{1,99})"', body), re.search(rb'"(?:name|uri)": "([!-~]{1,99})"', body)
    return {field: found[1].decode() for field, found in (("Mcp-Method", method), ("Mcp-Name", name)) if found}


def _chunked(_: Chance, body: bytes, headers: list[tuple[str, str]]) -> list[bytes]:
    size, end = b"%x" % len(body), b"\r\n0\r\n\r\n"
    garbage = [b"zz\r\n" + body, b"-1\r\n" + body, b"f" * 18 + b"\r\n" + body, size + b"\n" + body + end]
    odd = [size + b";" + b"e" * 3000 + b"\r\n" + body + end, size + b"\r\n" + body, b"5\r\nabc" + end, end[2:]]
    singles = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + end[2:]
    much = b"%x\r\n%s" % (len(TOO_MUCH), TOO_MUCH) + end
    return [request(each, [*headers, ("Transfer-Encoding", "chunked")]) for each in (*garbage, *odd, singles, much)]


OTHER_REQUESTS: dict[str, Callable[[Chance, bytes, list[tuple[str, str]]], list[bytes]]] = {
    "wrong chunks": _chunked,
    "a truncated request": lambda chance, body, headers: [
        (whole := request(body, headers))[: chance.randrange(1, len(whole))]
    ],
    "an oversized body": lambda chance, body, headers: [
        request(TOO_MUCH, headers),
        request(body + b" " * 5_000_000, headers),
    ],
    "garbage": lambda chance, body, headers: [chance.randbytes(300), b"\r\n\r\n", b"\0" * 100, body],
}
REQUEST_KINDS = [*FIELDS, *STARTS, *OTHER_REQUESTS]

# ── Those who send it ───────────────────────────────────────────────────────────────────────────


@dataclass
class Report:
    """What became of the server and of its answers."""

    sent: int = 0
    probes: int = 0
    crashes: list[str] = field(default_factory=list)
    """Ended, or does not answer or read any more: the first is the last, for nothing more is sent."""
    wrong: list[str] = field(default_factory=list)
    """Answers to valid calls that are not what they should be."""
    internal: list[str] = field(default_factory=list)
    """Answers, or statuses from 500, that speak of something that the server did not foresee."""
    statuses: Counter[int | None] = field(default_factory=Counter)
    """Over HTTP; None is a connection that was closed without a word."""
    memory: list[int] = field(default_factory=list)
    """KiB in use at the start, after a fifth, and at the end, as Linux counts."""

    @property
    def troubles(self) -> list[str]:
        """Everything that must not be."""
        return [*self.crashes, *self.wrong, *self.internal]


class Host:
    """A host on the stdin and stdout of a process: `async with Host(command, modern=...) as host`."""

    def __init__(self, command: list[str], *, modern: bool) -> None:
        self._command, self._modern, self._asked = command, modern, 0
        self._folder = tempfile.TemporaryDirectory()
        self.answers: dict[str, dict[str, Any]] = {}

    async def __aenter__(self) -> Host:
        pipe, nothing = subprocess.PIPE, subprocess.DEVNULL
        self.process = await asyncio.create_subprocess_exec(
            *(sys.executable, *self._command),
            **{"stdin": pipe, "stdout": pipe, "stderr": nothing, "limit": 2**28},
            env=_environment(self._folder.name),
        )
        if not self._modern:
            await self.ask(HELLO)
            await self.send(encoded(told("initialized"), 0))
        return self

    async def __aexit__(self, *_: object) -> None:
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()
        self._folder.cleanup()

    async def send(self, line: bytes) -> None:
        self.process.stdin.write(line + b"\n")
        await self.process.stdin.drain()

    async def ask(self, message: dict[str, Any]) -> dict[str, Any]:
        """Send a valid request; its answer."""
        self._asked += 1
        async with asyncio.timeout(PATIENCE):
            await self.send(encoded(message, f"ask-{self._asked}"))
            return await self.answer(f"ask-{self._asked}")

    async def answer(self, number: str) -> dict[str, Any]:
        """Read on until the answer under this id is there."""
        while number not in self.answers:
            line = await self.process.stdout.readline()
            if not line:
                raise ConnectionError("the process has ended")
            said = json.loads(line, parse_int=str)  # an id may have more digits than Python reads
            if "method" not in said:
                self.answers.setdefault(str(said.get("id")), said)
        return self.answers[number]

    async def close(self) -> int:
        """Close stdin; the exit status."""
        self.process.stdin.close()
        return await self.process.wait()


async def on_stdio(command: list[str], seed: int, count: int, *, modern: bool, every: int = 100) -> Report:
    """Send malformed lines to a process, and a valid call after each `every` of them."""
    report, owed = Report(), dict[str, str]()
    async with Host(command, modern=modern) as host:
        try:
            report.wrong += _wrong(await host.ask(PROBE[modern]), "the start")
            report.memory.append(resident(host.process.pid))
            for kind, line in lines(seed, count, modern=modern):
                if number := owed_under(line):
                    owed[number] = f"{kind}: {excerpt(line)}"
                async with asyncio.timeout(PATIENCE):
                    await host.send(line)
                report.sent += 1
                if report.sent % every == 0:
                    report.probes += 1
                    report.wrong += _wrong(await host.ask(PROBE[modern]), kind)
                if report.sent in (count // 5, count):
                    report.memory.append(resident(host.process.pid))
            async with asyncio.timeout(PATIENCE):
                for number, what in owed.items():
                    report.internal += _internal(await host.answer(number), what)
                if status := await host.close():
                    report.crashes.append(f"exit status {status} when stdin was closed")
        except (OSError, ValueError) as error:
            suspect = next((what for number, what in owed.items() if number not in host.answers), "")
            report.crashes.append(f"{error!r} after {report.sent} lines; not answered: {suspect}")
    return report


def over_http(command: list[str], seed: int, count: int, *, every: int = 100) -> Report:
    """Send malformed requests to a server, and a valid one of each generation after each `every` of them."""
    report = Report()
    with listening(command) as (port, pid):
        report.memory.append(resident(pid))
        for kind, data in requests(seed, count):
            what = f"{kind}: {excerpt(data)}"
            try:
                status, body = exchange(port, data)
                if status and status >= 500:
                    report.internal.append(f"{status} {excerpt(body)} to {what}")
                report.internal += _internal(_json(body), what)
                report.statuses[status] += 1
                report.sent += 1
                for modern in (False, True) if report.sent % every == 0 else ():
                    report.probes += 1
                    report.wrong += _wrong(_json(exchange(port, valid(modern))[1]), what)
            except OSError as error:
                report.crashes.append(f"{error!r} after {report.sent} requests, at or before {what}")
                break
            if report.sent in (count // 5, count):
                report.memory.append(resident(pid))
    return report


def exchange(port: int, data: bytes) -> tuple[int | None, bytes]:
    """Send bytes; the status and body that come back. A stream has no body here, for it may never end.

    Raises:
        OSError: nobody listens, or the connection is neither answered nor closed.
    """
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        with suppress(ConnectionError):  # refused before all of it was read
            connection.sendall(data)
            if _asks_for_more(data):
                connection.shutdown(socket.SHUT_WR)
        response = HTTPResponse(connection, method="HEAD" if data.startswith(b"HEAD ") else None)
        try:
            response.begin()
            return response.status, response.read() if response.length is not None else b""
        except (ConnectionError, HTTPException):
            return None, b""


def _asks_for_more(data: bytes) -> bool:
    """Whether a server rightly waits for the rest of it, and is told that no more comes."""
    reader = h11.Connection(h11.SERVER)
    reader.receive_data(data)
    event: object = None
    with suppress(h11.RemoteProtocolError):
        while event not in (h11.NEED_DATA, h11.PAUSED) and not isinstance(event, h11.EndOfMessage):
            event = reader.next_event()
    return event is h11.NEED_DATA


@contextmanager
def listening(command: list[str]) -> Iterator[tuple[int, int]]:
    """A server that says its address on stderr: its port and process id."""
    with tempfile.TemporaryDirectory() as folder:
        quiet, settings = subprocess.DEVNULL, _environment(folder)
        process = subprocess.Popen([sys.executable, *command], env=settings, stdout=quiet, stderr=subprocess.PIPE)
        try:
            port = next(int(found[1]) for said in process.stderr if (found := re.search(rb"://127.0.0.1:(\d+)", said)))
            threading.Thread(target=process.stderr.read, daemon=True).start()
            yield port, process.pid
        finally:
            process.terminate()
            process.wait(PATIENCE)


# ── What they notice ────────────────────────────────────────────────────────────────────────────


def owed_under(line: bytes) -> str | None:
    """The id under which the line is owed an answer: a request, as the SDK reads it. A subscription never ends."""
    try:
        message = jsonrpc_message_adapter.validate_json(line.decode(errors="replace"), by_name=False)
    except ValidationError:
        return None
    owed = isinstance(message, JSONRPCRequest) and message.method != "subscriptions/listen"
    return str(message.id) if owed else None


def excerpt(data: bytes) -> str:
    return ascii(data[:160].decode("latin-1")) + (f"… ({len(data):,} bytes)" if len(data) > 160 else "")


def resident(pid: int) -> int:
    status = Path(f"/proc/{pid}/status")
    return int(re.search(r"VmRSS:\s+(\d+)", status.read_text())[1]) if status.exists() else 0


def _environment(folder: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AURAL_")}
    return {**kept, "AURAL_DATA_DIR": folder, "AURAL_PAGE_PORT": "0"}


def _json(body: bytes) -> dict[str, Any]:
    try:
        said = json.loads(body, parse_int=str)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _wrong(answer: dict[str, Any], after: str) -> list[str]:
    result = answer.get("result", {})
    good = result.get("content") and not result.get("isError")
    return [] if good else [f"answered {json.dumps(answer)[:300]} after {after}"]


UNFORESEEN = re.compile("inside aural-mcp|Error executing tool|Internal server error|returned an invalid result")


def _internal(answer: dict[str, Any], to: str) -> list[str]:
    said = json.dumps(answer.get("error") or answer.get("result") or "")
    failed = str((answer.get("error") or {}).get("code")) in ("0", "-32603")
    failed |= bool((answer.get("result") or {}).get("isError")) and UNFORESEEN.search(said[:2000]) is not None
    return [f"{said[:300]} to {to}"] if failed else []

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
from collections.abc import Iterable, Iterator
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
"""In a message: what a value is put in place of, and an id that no other message has."""
META = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientInfo": {"name": "frames", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}
"""What every request says since 2026-07-28, and `initialize` said before."""


def call(method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": FRESH, "method": method, "params": params}


def tool(name: str, **arguments: Any) -> dict[str, Any]:
    return call("tools/call", name=name, arguments=arguments)


def encoded(message: Any, number: int | str, modern: bool) -> bytes:
    """The message as it is sent: under this id, and with what the generation wants to hear."""
    if modern and "id" in message and "_meta" not in message.get("params", ()):
        message = message | {"params": message.get("params", {}) | {"_meta": META}}
    return json.dumps(message).replace(f'"{FRESH}"', json.dumps(number)).encode()


def cancelled(number: int | str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": number, "reason": "r"}}


PROBE = tool("get_usage")
HELLO = call("initialize", protocolVersion=LEGACY, capabilities={}, clientInfo={"name": "frames", "version": "1"})
TOLD = {"jsonrpc": "2.0", "method": "notifications/initialized", "params": {}}
MESSAGES = [
    PROBE,
    HELLO,
    tool("list_sessions", interviewId="a", status="COMPLETED", limit=5, cursor="c"),
    tool("create_interview", title="T", chatEnabled=True, assessmentCriteria=[{"name": "a", "description": "b"}]),
    tool("create_questions", interviewId="a", questions=[{"text": "Why?", "type": "OPEN_ENDED"}]),
    tool("update_interview", interviewId="a", title="T", confirmation="c"),
    call("tools/call", name="get_usage", arguments={}, requestState="s", _meta=META | {"progressToken": 1}),
    call("tools/list", cursor="c"),
    call("resources/read", uri="aural://interviews/a"),
    call("resources/subscribe", uri="aural://sessions/a"),
    call("resources/directory/read", uri="skill://aural-hiring"),
    call("skills/get", uri="skill://aural-hiring"),
    call("prompts/get", name="design_interview", arguments={"role": "r"}),
    call("completion/complete", ref={"type": "ref/prompt", "name": "p"}, argument={"name": "sessionId", "value": "a"}),
    call("logging/setLevel", level="info"),
    call("server/discover"),
    call("subscriptions/listen", notifications={"resourceSubscriptions": ["aural://sessions/a"]}),
    TOLD,
    cancelled(1),
    TOLD | {"method": "notifications/progress", "params": {"progressToken": 1, "progress": 1, "message": "m"}},
    {"jsonrpc": "2.0", "id": 1, "result": {}},
    {"jsonrpc": "2.0", "id": 1, "error": {"code": 1, "message": "m", "data": None}},
]


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


# ── What does not belong there ──────────────────────────────────────────────────────────────────

SIZES, DEPTH, MANY = (70_000, 300_000, 2_000_000), 10_000, 5_000
VALUES: dict[str, list[bytes]] = {
    "a wrong type": b'null true 0 -1 1.5 "" "x" "a/b" [] [[]] {} {"a":1} ["a",{}]'.split(),
    "a huge number": [b"9" * 19, b"9" * 400, b"-" + b"9" * 400, b"9" * 5000, *b"1e999 -1e999 1e-999 -0".split()],
    "not a number": b"NaN Infinity -Infinity - 0x10 01 .5 +1 1_0".split(),
    "bad UTF-8": [b'"\xff\xfe"', b'"\xc3("', b'"\xed\xa0\x80"', b'"\xf5\x80\x80\x80"', b'"a\x80"', b'"\xe2\x82'],
    "a lone surrogate": rb'"\ud800" "a\udfffb" "\udc00\ud800" "aural://interviews/\udfff" "\uD8"'.split(),
    "a control character": [rb'"\u0000"', rb'"aural://interviews/\u0000"', b'"\0"', b"\0", b'"\x1b[2J"', b'"\x7f"'],
    "deep nesting": [b"[" * DEPTH + b"]" * DEPTH, b'{"a":' * DEPTH + b"1" + b"}" * DEPTH, b"[" * 99 + b"]" * 99],
    "a very long text": [b'"' + b"x" * size + b'"' for size in SIZES],
    "nearly a very long name": [b'"' + b"a" * size + b'!"' for size in SIZES],
    "a very long list": [b"[1" + b",1" * MANY + b"]"],
    "very many names": [b"{%s}" % b",".join(b'"%d":1' % number for number in range(MANY))],
}
"""What is put in place of a part of a message."""
LINES: dict[str, list[bytes]] = {
    "no JSON": [b"GET / HTTP/1.1", b"Content-Length: 100", b"<xml/>", b"\x80\x02", bytes(range(11, 256))],
    "a blank line": [b"", b" ", b"\t", b"\r", b"\x0c", b"\0", b"\xef\xbb\xbf"],
    "a very long line": [each * size for each in (b"x", b" ", b"[", b"{", b'{"a":', b"\xff") for size in SIZES],
}
"""What is put in place of a whole message."""
DOUBLE = b'"id":[]|"id":1|"method":1|"params":[]|"jsonrpc":"1.0"|"result":{}|"error":{}'.split(b"|")
METHODS = b" |tools|tools/call |TOOLS/CALL|tasks/list|notifications/cancelled|__init__|".split(b"|")
IDS = [b'"id": %s,' % each for each in b'null 1.5 [] {} true "" -1 1e99'.split()] + [b""]


def turned(line: bytes, at: int) -> dict[str, list[bytes]]:
    """What a whole valid message is turned into; `at` is somewhere in it."""
    head, tail = line[:at], line[at:]
    return {
        "truncated JSON": [head, head, head, tail],
        "broken JSON": [head + each + tail for each in b'" { } [ ] , : \\ 0'.split()] + [head + tail[1:]],
        "JSON and more": [line + b"}", line + line, line + b",", b"\xef\xbb\xbf" + line, line + b" " * SIZES[0]],
        "duplicate keys": [line[:-1] + b",%s}" % each for each in DOUBLE]
        + [b"{%s," % each + line[1:] for each in DOUBLE],
        "a batch": [b"[]", b"[%s]" % line, b"[[%s]]" % line, b"[1,%s]" % line, b"[%s]" % b",".join([line] * 50)],
        "an unknown method": [re.sub(rb'"method": "[^"]*', b'"method": "' + each, line) for each in METHODS],
        "an id that is none": [re.sub(rb'"id": \d+,', each, line) for each in IDS],
    }


KINDS = [*VALUES, *LINES, *turned(b"", 0)]
HEAVY = [kind for kind in KINDS if "very" in kind or "deep" in kind]


def in_turn(kinds: list[str], count: int) -> Iterator[str]:
    """Every kind in turn; in the first fifth only heavy ones, so that memory that grows later is not a peak."""
    for number in range(count):
        some = HEAVY if number < count // 5 else kinds
        yield some[number % len(some)]


def lines(seed: int, count: int, *, modern: bool = False) -> Iterator[tuple[str, bytes]]:
    """That many malformed lines with their kinds, each without its line feed."""
    chance = random.Random(seed)
    for kind in in_turn(KINDS, count):
        yield kind, malformed(chance, kind, modern)


def malformed(chance: random.Random, kind: str, modern: bool) -> bytes:
    line = encoded(chance.choice(MESSAGES), chance.randrange(10, 10**9), modern)
    if kind in VALUES:
        place = json.dumps(chance.choice(list(places(json.loads(line))))).encode()
        return place.replace(b'"%s"' % HERE.encode(), chance.choice(VALUES[kind]))
    choices = LINES[kind] if kind in LINES else turned(line, chance.randrange(1, len(line)))[kind]
    return chance.choice(choices).replace(b"\n", b" ")


# ── HTTP ────────────────────────────────────────────────────────────────────────────────────────

TOO_LONG, TOO_MUCH = "a" * 70_000, b"[" * 5_000_000
JSON = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
PLAIN = {"Host": "127.0.0.1:1", "Connection": "close", **JSON}
HEADERS = {
    False: PLAIN | {"MCP-Protocol-Version": LEGACY},
    True: PLAIN | {"MCP-Protocol-Version": MODERN, "Mcp-Method": "tools/call", "Mcp-Name": "get_usage"},
}
"""What the probe is sent with, in each generation."""
FIELDS: dict[str, list[str]] = {
    "Host": ["evil.example", "", "127.0.0.1.evil.example", "127.0.0.1:99999", "[::1", "\xff", TOO_LONG],
    "Origin": ["http://evil.example", "null", "\xff", "http://127.0.0.1.evil", TOO_LONG],
    "Content-Type": ["text/plain", "", "application/jsonx", "application/json;", "multipart/form-data", "\xff"],
    "Accept": ["", "text/html", "*", "application/*;q=0", "\xe9", ",,,", ";" * 999],
    "Content-Length": ["-1", "NaN", "1e3", "0x10", "", "9" * 400, "+5", "5, 5", "0", "1", "5000", "5000000"],
    "Transfer-Encoding": ["chunked", "gzip, chunked", "identity", "chunked, chunked", "xchunked", ""],
    "MCP-Protocol-Version": ["", "x", "1900-01-01", LEGACY, MODERN, f"{MODERN}, {LEGACY}", "\xff", TOO_LONG],
    "Mcp-Method": ["", "tools/list", "initialize", "subscriptions/listen", "=?base64?!!?=", "\xff", "a" * 5000],
    "Mcp-Name": ["", "get_interview", "=?base64?/w==?=", "=?base64?!!?=", "\xff", "a" * 5000],
    "Mcp-Session-Id": ["nobody", "", "\xff", "a" * 5000],
    "Authorization": ["Bearer", "Bearer \xff", "Basic eDp5", "Bearer dlv_test_nobody", TOO_LONG],
    "Expect": ["100-continue", "200-ok"],
    "Upgrade": ["websocket", "h2c"],
    "traceparent": ["00-zz-\xff-01", "00-" + "0" * 32 + "-" + "0" * 16 + "-01"],
    "X": ["a\0b", "a\1b", "\xe9" * 300, TOO_LONG, "1" + "\r\nX: 1" * 300],
    "X-Next-Line": ["\r\nBroken", "\r\n: no name", "\r\nA B: c", "\r\n folded", "\rX: a", "\nX: a"],
}
"""Header fields, and what is wrong there; some of it only beside the body, or beside the other fields."""
STARTS: dict[str, list[str]] = {
    "a wrong method": [f"{each} /mcp HTTP/1.1" for each in "GET PUT DELETE HEAD OPTIONS CONNECT FROB post".split()],
    "a wrong path": [f"POST {each} HTTP/1.1" for each in "/ /mcp/ /MCP //mcp /mcp%00 /../mcp /%ff * /i/%00".split()],
    "a wrong query": [f"POST /mcp?{each} HTTP/1.1" for each in ("%", "\xff", "a" * 9000, TOO_LONG)],
    "no HTTP": ["POST /mcp", "POST /mcp HTTP/9.9", "POST  /mcp HTTP/1.1", "POST /mcp HTTP/1.1 x", "PRI * HTTP/2.0", ""],
}
"""What stands in the first line instead."""


def framed(body: bytes, size: int, headers: dict[str, str]) -> dict[str, list[bytes]]:
    """Requests whose bytes are wrong; `size` is less than that of a whole one."""
    length, end, more = b"%x" % len(body), b"\r\n0\r\n\r\n", headers | {"Transfer-Encoding": "chunked"}
    garbage = [b"zz\r\n" + body, b"-1\r\n" + body, b"f" * 18 + b"\r\n" + body, length + b"\n" + body + end, end[2:]]
    odd = [length + b";" + b"e" * 3000 + b"\r\n" + body + end, length + b"\r\n" + body, b"5\r\nabc" + end]
    singles = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + end[2:]
    much = b"%x\r\n%s" % (len(TOO_MUCH), TOO_MUCH) + end
    return {
        "wrong chunks": [request(each, more.items()) for each in (*garbage, *odd, singles, much)],
        "an oversized body": [request(each, headers.items()) for each in (TOO_MUCH, body + b" " * len(TOO_MUCH))],
        "a truncated request": [request(body, headers.items())[:size]],
        "garbage": [bytes(range(size % 256)), b"\r\n\r\n", b"\0" * 100, body, b"\x16\x03\x01\x02"],
    }


def request(body: bytes, headers: Iterable[tuple[str, str]], start: str = "POST /mcp HTTP/1.1") -> bytes:
    """A request, byte by byte; its length is added where no field speaks of one."""
    rows = [start, *(f"{name}: {value}" for name, value in headers)]
    if not any(row.startswith(("Content-Length", "Transfer-Encoding")) for row in rows):
        rows.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*rows, "", ""]).encode("latin-1") + body


REQUEST_KINDS = [*KINDS, *FIELDS, *STARTS, *framed(b"", 0, {})]


def requests(seed: int, count: int) -> Iterator[tuple[str, bytes]]:
    """That many malformed requests with their kinds; malformed lines as bodies are among them."""
    chance = random.Random(seed)
    for kind in in_turn(REQUEST_KINDS, count):
        yield kind, malformed_request(chance, kind, modern=chance.random() < 0.5)


def malformed_request(chance: random.Random, kind: str, modern: bool) -> bytes:
    body, headers = encoded(PROBE, 1, modern), HEADERS[modern]
    if kind in KINDS:
        body = malformed(chance, kind, modern)
        return request(body, {**headers, **(_routes(body) if modern else {})}.items())
    if kind in FIELDS:
        wrong, others = (kind, chance.choice(FIELDS[kind])), [row for row in headers.items() if row[0] != kind]
        return request(body, chance.choice([[*others, wrong], [*others, wrong], [*headers.items(), wrong], others]))
    if kind in STARTS:
        return request(chance.choice([b"", body]), headers.items(), chance.choice(STARTS[kind]))
    return chance.choice(framed(body, chance.randrange(1, 400), headers)[kind])


def _routes(body: bytes) -> dict[str, str]:
    """The header fields that agree with a body, so that it is looked at, and not only they."""
    patterns = {"Mcp-Method": rb'"method": "([!-~]{1,99})"', "Mcp-Name": rb'"(?:name|uri)": "([!-~]{1,99})"'}
    return {name: found[1].decode() for name, pattern in patterns.items() if (found := re.search(pattern, body))}


# ── Those who send it ───────────────────────────────────────────────────────────────────────────

UNFORESEEN = re.compile("inside aural-mcp|Error executing tool|Internal server error|returned an invalid result")


@dataclass
class Report:
    """What became of the server and of its answers; the first crash is the last, for nothing more is sent."""

    sent: int = 0
    probes: int = 0
    crashes: list[str] = field(default_factory=list)
    """Ended, or does not read or answer any more."""
    wrong: list[str] = field(default_factory=list)
    """Answers to a valid call that are none."""
    internal: list[str] = field(default_factory=list)
    """Answers that speak of something that the server did not foresee, a status from 500 included."""
    statuses: Counter[int | None] = field(default_factory=Counter)
    """Over HTTP; None is a connection that was closed without a word."""
    memory: list[int] = field(default_factory=list)
    """KiB in use at the start and after each probe, where the system tells."""

    @property
    def troubles(self) -> list[str]:
        """Everything that must not be."""
        return [*self.crashes, *self.wrong, *self.internal]

    def look(self, pid: int) -> None:
        """Note how much memory a process uses."""
        status = Path(f"/proc/{pid}/status")
        self.memory += map(int, re.findall(r"VmRSS:\s+(\d+)", status.read_text()) if status.exists() else [])

    def note(self, answer: dict[str, Any], after: str) -> None:
        """Note the answer to a valid call."""
        self.probes += 1
        result = answer.get("result", {})
        if not result.get("content") or result.get("isError"):
            self.wrong.append(f"answered {json.dumps(answer)[:300]} after {after}")

    def note_refusal(self, answer: dict[str, Any], to: str, status: int = 0) -> None:
        """Note the answer to a malformed message."""
        error, said = answer.get("error", {}), json.dumps(answer)[:2000]
        coded = isinstance(error, dict) and error.get("code") in ("0", "-32603")
        if status >= 500 or coded or ('"isError": true' in said and UNFORESEEN.search(said)):
            self.internal.append(f"{status or ''} {said[:300]} to {to}".strip())


class Host:
    """A host on the stdin and stdout of a process: `async with Host(command, modern=...) as host`."""

    def __init__(self, command: list[str], *, modern: bool) -> None:
        self._command, self._modern, self._asked = command, modern, 0
        self._folder = tempfile.TemporaryDirectory()
        self.answers: dict[str, dict[str, Any]] = {}

    async def __aenter__(self) -> Host:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "limit": 2**28}
        settings = _environment(self._folder.name)
        self.process = await asyncio.create_subprocess_exec(sys.executable, *self._command, **pipes, env=settings)
        if not self._modern:
            await self.ask(HELLO)
            await self.send(encoded(TOLD, 0, modern=False))
        return self

    async def __aexit__(self, *_: object) -> None:
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()
        self._folder.cleanup()

    async def send(self, line: bytes) -> None:
        async with asyncio.timeout(PATIENCE):
            self.process.stdin.write(line + b"\n")
            await self.process.stdin.drain()

    async def ask(self, message: dict[str, Any]) -> dict[str, Any]:
        """Send a valid request; its answer."""
        self._asked += 1
        await self.send(encoded(message, f"ask-{self._asked}", self._modern))
        return await self.answer(f"ask-{self._asked}")

    async def answer(self, number: str) -> dict[str, Any]:
        """Read on until the answer under this id is there."""
        async with asyncio.timeout(PATIENCE):
            while number not in self.answers:
                line = await self.process.stdout.readline()
                if not line:
                    raise ConnectionError("the process has ended")
                said = json.loads(line, parse_int=str)  # an id may have more digits than Python reads
                if "method" not in said:
                    self.answers.setdefault(str(said.get("id")), said)
            return self.answers[number]


async def on_stdio(command: list[str], seed: int, count: int, *, modern: bool, every: int = 100) -> Report:
    """Send malformed lines to a process, and a valid call after each `every` of them."""
    report, owed = Report(), dict[str, str]()
    async with Host(command, modern=modern) as host:
        try:
            await host.ask(PROBE)
            report.look(host.process.pid)
            for kind, line in lines(seed, count, modern=modern):
                await host.send(line)
                asked = as_request(line)
                if asked and asked.method == "subscriptions/listen":  # answered when it ends
                    await host.send(encoded(cancelled(asked.id), 0, modern))
                elif asked:
                    owed[str(asked.id)] = f"{kind}: {excerpt(line)}"
                report.sent += 1
                if report.sent % every == 0:
                    report.note(await host.ask(PROBE), kind)
                    report.look(host.process.pid)
            for number, what in owed.items():
                report.note_refusal(await host.answer(number), what)
            host.process.stdin.close()
            if status := await asyncio.wait_for(host.process.wait(), PATIENCE):
                report.crashes.append(f"exit status {status} when stdin was closed")
        except (OSError, ValueError) as error:
            suspect = next((what for number, what in owed.items() if number not in host.answers), "nothing")
            report.crashes.append(f"{error!r} after {report.sent} lines; not answered: {suspect}")
    return report


def over_http(command: list[str], seed: int, count: int, *, every: int = 100) -> Report:
    """Send malformed requests to a server, and a valid one of each generation after each `every` of them."""
    report = Report()
    with listening(command) as (port, pid):
        report.look(pid)
        for kind, data in requests(seed, count):
            what = f"{kind}: {excerpt(data)}"
            try:
                status, answer = exchange(port, data)
                report.statuses[status] += 1
                report.note_refusal(answer, what, status or 0)
                report.sent += 1
                if report.sent % every == 0:
                    for modern in (False, True):
                        probe = request(encoded(PROBE, 1, modern), HEADERS[modern].items())
                        report.note(exchange(port, probe)[1], what)
                    report.look(pid)
            except OSError as error:
                report.crashes.append(f"{error!r} after {report.sent} requests, at or before {what}")
                break
    return report


def exchange(port: int, data: bytes) -> tuple[int | None, dict[str, Any]]:
    """Send bytes; the status and the JSON object that come back. A stream is not read, for it may never end.

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
            said = json.loads(response.read(), parse_int=str) if response.length else {}
        except (ConnectionError, HTTPException):
            return None, {}
        except ValueError:
            return response.status, {}
    return response.status, said if isinstance(said, dict) else {}


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
            process.kill()
            process.wait()


def as_request(line: bytes) -> JSONRPCRequest | None:
    """The line as the SDK reads it, if it is a request: that is owed an answer."""
    try:
        message = jsonrpc_message_adapter.validate_json(line.decode(errors="replace"), by_name=False)
    except ValidationError:
        return None
    return message if isinstance(message, JSONRPCRequest) else None


def excerpt(data: bytes) -> str:
    return ascii(data[:160].decode("latin-1")) + (f"… ({len(data):,} bytes)" if len(data) > 160 else "")


def _environment(folder: str) -> dict[str, str]:
    """Large blocks go back to the system at once: memory is what is in use, not what once was."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AURAL_")}
    return {**kept, "AURAL_DATA_DIR": folder, "AURAL_PAGE_PORT": "0", "MALLOC_MMAP_THRESHOLD_": "65536"}

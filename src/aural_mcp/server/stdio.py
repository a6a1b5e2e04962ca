"""MCP on stdin and stdout: the SDK's transport, and before it an answer to every line that is no message.

Where the host's ends are pipes or sockets, as hosts make them, no thread stands between: two for each message cost a
small call a tenth of its time.
"""

from __future__ import annotations

import os
import stat
import sys
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import anyio
from mcp.server.stdio import stdio_server
from mcp.shared.message import SessionMessage
from mcp.types import INVALID_REQUEST, JSONRPCNotification

from aural_mcp.server.messages import NO_MESSAGE, Reply, refusal, replies

if TYPE_CHECKING:
    from mcp.shared._stream_protocols import ReadStream, WriteStream

    from aural_mcp.server.server import AuralServer

BOM = "\ufeff"
PIECE = 65_536
"""Bytes that are read at once at most."""


async def serve_stdio(server: AuralServer) -> None:
    """Serve one host until it closes stdin."""
    lines, out = Lines(_wire()), Out(_apart())
    low = server._lowlevel_server  # pyright: ignore[reportPrivateUsage]
    sides = cast("anyio.AsyncFile[str]", lines), cast("anyio.AsyncFile[str]", out)
    async with stdio_server(*sides) as (read, write):
        messages = cast("ReadStream[SessionMessage | Exception]", Messages(read, write, lines))
        await low.run(messages, write, low.create_initialization_options())


def _wire() -> BinaryIO:
    """The host's end of stdin, moved off descriptor 0: whatever else reads stdin, here or in a child, reads nothing."""
    try:
        wire = os.dup(sys.stdin.fileno())
        with open(os.devnull, "rb") as nothing:
            os.dup2(nothing.fileno(), sys.stdin.fileno())
    except (OSError, ValueError):
        return sys.stdin.buffer
    return os.fdopen(wire, "rb", closefd=False)  # at the end a thread may still wait on it


def _apart() -> BinaryIO:
    """The host's end of stdout, moved off descriptor 1: whatever else is printed, here or in a child, is on stderr."""
    try:
        wire = os.dup(sys.stdout.fileno())
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    except (OSError, ValueError):
        return sys.stdout.buffer
    return os.fdopen(wire, "wb", closefd=False)


class Out:
    """What the host is sent. A thread waits with what the host has no room for; nothing else does."""

    def __init__(self, wire: BinaryIO) -> None:
        self._wire, self._message = wire, ""

    async def write(self, message: str) -> None:
        self._message += message

    async def flush(self) -> None:
        message, self._message = self._message.encode(), ""
        if rest := message[self._at_once(message) :]:
            await anyio.to_thread.run_sync(self._put, rest)

    def _at_once(self, message: bytes) -> int:
        """Write as many bytes as there is room for; none where a kernel cannot do so without waiting."""
        try:
            return os.pwritev(self._wire.fileno(), [message], -1, os.RWF_NOWAIT)
        except (AttributeError, OSError, ValueError):  # what is wrong with the wire, writing to it says
            return 0

    def _put(self, message: bytes) -> None:
        self._wire.write(message)
        self._wire.flush()


class Lines:
    """The lines that a host sends, for the SDK to parse; each is kept until it is known what became of it."""

    def __init__(self, wire: BinaryIO) -> None:
        self._wire, self._came, self._tells = wire, bytearray(), _tells(wire)
        self.taken: deque[str] = deque()

    def __aiter__(self) -> Lines:
        return self

    async def __anext__(self) -> str:
        if not (line := await self._line()):
            raise StopAsyncIteration
        self.taken.append(line.decode("utf-8", "surrogateescape").removeprefix(BOM))
        return self.taken[-1]

    async def _line(self) -> bytes:
        """The next line with its end; the last may have none."""
        looked, end = 0, 0
        while not (end := self._came.find(b"\n", looked) + 1):
            looked = len(self._came)
            if not (more := await self._more()):
                end = looked
                break
            self._came += more
        line = bytes(self._came[:end])
        del self._came[:end]
        return line

    async def _more(self) -> bytes:
        """What came next; nothing when the host has closed its end."""
        if not self._tells:
            return await anyio.to_thread.run_sync(self._wire.read1, PIECE)  # pyright: ignore
        await anyio.wait_readable(self._wire)
        return os.read(self._wire.fileno(), PIECE)


def _tells(wire: BinaryIO) -> bool:
    """Whether a loop can wait until there is something to read: a file is at its end unnoticed, Windows has no such."""
    try:
        mode = os.fstat(wire.fileno()).st_mode
    except (OSError, ValueError):
        return False
    return sys.platform != "win32" and (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode))


class Messages:
    """The SDK's stream of what it read, one item a line, without those that are no messages: they are answered here."""

    def __init__(
        self, read: ReadStream[SessionMessage | Exception], write: WriteStream[SessionMessage], lines: Lines
    ) -> None:
        self._read, self._write, self._lines = read, write, lines

    def __aiter__(self) -> Messages:
        return self

    async def __anext__(self) -> SessionMessage | Exception:
        while True:
            item = await anext(self._read)
            line = self._lines.taken.popleft()
            answers = _answers(item, line)
            if isinstance(item, SessionMessage) and not answers:
                return item
            for answer in answers:
                await self._write.send(SessionMessage(answer))

    async def aclose(self) -> None:
        await self._read.aclose()

    async def __aenter__(self) -> Messages:
        return self

    async def __aexit__(self, *_: Any) -> None:
        await self.aclose()


def _answers(item: SessionMessage | Exception, line: str) -> Sequence[Reply]:
    """What to answer to a line; nothing where the SDK took it rightly, or nothing is in it."""
    taken = isinstance(item, SessionMessage)
    if not line.strip() or (taken and not isinstance(item.message, JSONRPCNotification)):
        return ()
    return replies(line) or (() if taken else (refusal(None, INVALID_REQUEST, NO_MESSAGE),))

"""A receiver of webhooks that verifies every signature with the `standardwebhooks` package, and fails in every way."""

from __future__ import annotations

import asyncio
import base64
import json
from collections import Counter
from collections.abc import Callable
from contextlib import asynccontextmanager

import standardwebhooks

from aural_mcp.events.addresses import networks, read_url
from aural_mcp.events.sending import Webhook, read_secrets

SECRET = "whsec_" + base64.b64encode(b"a secret of the tests, 32 bytes.").decode()
HERE = networks(["127.0.0.0/8"])
WAYS = ("timeout", "500", "429", "410", "slow", "cut", "garbage")
ANSWERS = {
    "ok": b"HTTP/1.1 204 No Content\r\n\r\n",
    "500": b"HTTP/1.1 500 Oops\r\ncontent-length: 4\r\n\r\noops",
    "429": b"HTTP/1.1 429 Slow Down\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n",
    "410": b"HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n",
    "302": b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.2:1/\r\ncontent-length: 0\r\n\r\n",
    "cut": b"HTTP/1.1 20",
    "garbage": b"\x16\x03\x01 hello\r\n\r\n",
    "huge": b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n" + b"x" * 100_000,
}


class Receiver:
    """What came, and how it is answered: `behave` is given the message's id and how often it came before."""

    def __init__(self, secret: str, behave: Callable[[str, int], str] = lambda _id, _times: "ok") -> None:
        self._webhook, self.behave = standardwebhooks.Webhook(secret), behave
        self.came: Counter[str] = Counter()
        self.accepted: dict[str, str] = {}
        self.headers: list[dict[str, str]] = []
        self.unsigned = self.changed = 0
        self.port, self.heard = 0, asyncio.Event()

    def trust(self, secret: str) -> None:
        """Verify with this secret from now on."""
        self._webhook = standardwebhooks.Webhook(secret)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def payloads(self) -> list[dict]:
        return [json.loads(body) for body in self.accepted.values()]

    @asynccontextmanager
    async def listening(self):
        server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield self
            server.close()

    async def _serve(self, reader, writer) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode().split("\r\n")[1:-2]
                headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
                body = (await reader.readexactly(int(headers["content-length"]))).decode()
                if not await self._answer(headers, body, writer):
                    return
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _answer(self, headers, body, writer) -> bool:
        try:
            self._webhook.verify(body, headers)
        except Exception:
            self.unsigned += 1
        identifier = headers["webhook-id"]
        way = self.behave(identifier, self.came[identifier])
        self.came[identifier] += 1
        self.headers.append(headers)
        if way == "timeout":
            await asyncio.sleep(3600)
        if way == "slow":  # a head that trickles and never ends
            for byte in b"HTTP/1.1 200 OK\r\nx: " + b"y" * 10_000:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(0.02)
        if way in ("ok", "huge"):
            self.changed += self.accepted.get(identifier, body) != body
            self.accepted[identifier] = body
        self.heard.set()
        writer.write(ANSWERS[way])
        await writer.drain()
        return way == "ok"


@asynccontextmanager
async def hooked(behave=lambda _id, _times: "ok"):
    """A receiver that behaves so, and a webhook that leads to it."""
    async with Receiver(SECRET, behave).listening() as receiver:
        webhook = Webhook("ep", read_url(receiver.url), read_secrets(SECRET), HERE)
        yield receiver, webhook
        await webhook.aclose()

"""The ASGI application: probes, limits, words and the access log around the SDK's app at `/mcp`."""

from __future__ import annotations

import hashlib
import logging
import time
from codecs import BOM_UTF8
from collections.abc import Mapping, Sequence
from contextlib import suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import anyio
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from mcp.types import INVALID_REQUEST, JSONRPCRequest
from pydantic_core import from_json
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Message, Receive, Scope, Send

from aural_mcp.api.errors import AuralError, StateUnwritable
from aural_mcp.bounds import LARGE, TooMuch, aside, weigh
from aural_mcp.config import NO, YES, is_loopback, sent_key, usable_key
from aural_mcp.log import log_request
from aural_mcp.server.messages import BATCH, Refusal, Reply, refusal, replies
from aural_mcp.server.principal import PRINCIPAL, Principal
from aural_mcp.server.sign_in.app import OPEN, NotSignedIn, SignInServer, needs_write
from aural_mcp.server.web import exchange, refusals
from aural_mcp.server.web.flights import BY_ADDRESS, BY_SIGN_IN, LISTEN, Flight, Flights
from aural_mcp.server.web.origins import CORS, OPEN_TO_ALL, Origins, check_once
from aural_mcp.server.web.refusals import (
    BODY,
    BODY_WITHIN,
    FIELDS,
    FORM,
    HEADERS,
    HEALTH,
    MCP,
    READY,
    SAID_BETTER,
    TARGET,
    Refused,
)

if TYPE_CHECKING:
    from aural_mcp.server.server import AuralServer

SUBSCRIPTIONS_SINCE = "2026-07-28"
JSON = "application/json"
CALL = "tools/call"
WATCHED = 15.0
"""Seconds between two looks whether a subscription's sign-in is still good."""
LOOKED_AT = (202, 400)
"""Statuses of the SDK for what it could not read, or took for a notification: the body may be no message."""

log = logging.getLogger(__name__)


def application(
    server: AuralServer, host: str, allowed_hosts: Sequence[str], sign_in: SignInServer | None = None
) -> Web:
    """The ASGI application of an MCP server: stateless, answering in JSON; in a stream where progress is asked for.

    Args:
        host: what is listened on; a loopback address allows the names of this computer.
        allowed_hosts: the names that clients use, in `Host` and in `Origin`.
        sign_in: who says whose a request is, where people sign in.
    """
    names = [*allowed_hosts, *(["127.0.0.1", "localhost", "[::1]"] if is_loopback(host) else [])]
    sessions = Sessions(
        app=server._lowlevel_server,  # pyright: ignore[reportPrivateUsage]
        stateless=True,
        max_request_body_size=BODY,
        security_settings=TransportSecuritySettings(enable_dns_rebinding_protection=False),  # `Origins` does it
    )
    web = Web(server, sessions, Origins(names), sign_in)
    server.middleware.append(web.flights.end_with_us)
    return web


class Sessions(StreamableHTTPSessionManager):
    """The SDK's, but whether it answers with one JSON document is said by each request."""

    streams = ContextVar("streams", default=False)

    @property
    def json_response(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        return not self.streams.get()

    async def answered(self, request: Request, message: JSONRPCRequest) -> Response:
        """What the server answers to a request that needs no session."""
        return await exchange.answered(self.app, self._lifespan_state, request, message)

    @json_response.setter
    def json_response(self, value: bool) -> None:
        """Set by the SDK, for all requests: nothing to keep."""


class Web:
    """Everything that is served over HTTP, as one ASGI application."""

    def __init__(
        self, server: AuralServer, sessions: Sessions, origins: Origins, sign_in: SignInServer | None = None
    ) -> None:
        self.flights, self._server, self._sign_in = Flights(), server, sign_in
        self._origins = origins
        self._sessions = sessions
        self._life = Starlette(lifespan=lambda _: sessions.run())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._live(scope, receive, send)
            return
        begun, answer = time.perf_counter(), Answer(scope, receive, send, self._origins)
        try:
            await self._serve(scope, receive, answer)
        except Refused as refused:
            await answer.refuse(refused)
        except StateUnwritable as error:
            await answer.refuse(Refused(503, "state_unwritable", str(error)))
        except Exception:
            log.exception("A request failed")
            await answer.refuse(Refused(500, *SAID_BETTER[500]))
        except anyio.get_cancelled_exc_class():
            if not answer.complete:  # else a stop has answered for it, and this is its end
                raise
        finally:
            log_request(scope["method"], scope["path"], answer.status, begun, Headers(scope=scope))

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The SDK's start and end; after a stop that had to leave calls behind, how they break off is no news."""

        async def report(message: Message) -> None:
            await send({"type": message["type"]} if self.flights.left_behind else message)

        await self._life(scope, receive, report)

    async def _serve(self, scope: Scope, receive: Receive, send: Answer) -> None:
        _check_head(scope)
        path, method, headers = scope["path"].removesuffix("/"), scope["method"], Headers(scope=scope)
        if path in (HEALTH, READY):
            _check_method(method, "GET", "HEAD")
            if path == READY and not self.flights.is_ready:
                raise refusals.stopping()
            said = {"status": "ok" if path == HEALTH else "ready"}
            await JSONResponse(said, headers={"cache-control": "no-store"})(scope, receive, send)
        elif path == MCP and method == "OPTIONS" and headers.get("origin"):
            self._origins.check(headers)
            await Response(status_code=204, headers=CORS)(scope, receive, send)
        elif path == MCP:
            if self._sign_in and method != "POST":  # some hosts look with a GET whether to sign in
                self._origins.check(headers)
                await self._admitted(self._sign_in, headers)
            # Without sessions a GET stream could carry nothing, and there is nothing to DELETE: they would only cost.
            _check_method(method, "POST")
            self._origins.check(headers)
            await self._relay(scope, receive, send)
        elif self._sign_in and (methods := self._sign_in.methods(path)):
            await self._signing_in(self._sign_in, methods, scope, receive, send)
        else:
            raise Refused(404, "not_found", f"There is nothing at this address. MCP is at {MCP}.")

    async def _signing_in(
        self, sign_in: SignInServer, methods: Sequence[str], scope: Scope, receive: Receive, send: Answer
    ) -> None:
        """What a browser or an application does to sign somebody in."""
        headers = Headers(scope=scope)
        self._origins.check_host(headers)
        if scope["path"].removesuffix("/") in OPEN:
            send.open_to_all()
            if scope["method"] == "OPTIONS":
                await Response(status_code=204)(scope, receive, send)
                return
        _check_method(scope["method"], *methods)
        with self.flights.admit(address_of(scope.get("client")), False, send.refuse) as flight:
            body = await _whole_body(headers, receive, FORM)
            flight.begin()
            send.is_ours = True
            await (await sign_in(Request(scope), body, self._origins.origin(headers)))(scope, receive, send)

    async def _relay(self, scope: Scope, receive: Receive, send: Answer) -> None:
        headers, principal = Headers(scope=scope), None
        if self._sign_in:
            principal = await self._admitted(self._sign_in, headers)
            scope[PRINCIPAL] = principal
        caller = f"{BY_SIGN_IN}{principal.sign_in}" if principal else caller_of(headers, scope.get("client"))
        with self.flights.admit(caller, _is_stream(headers), send.refuse) as flight:
            send.asked = await _whole_body(headers, receive)
            _check_json(headers)
            _check_switches(headers)
            if is_large := len(send.asked) > LARGE:
                await self._check_large(headers, principal, send.asked)
            if principal and self._exceeds(principal, send.asked):
                raise _challenged(needs_write(self._origins.origin(headers)))
            flight.begin()
            begun = time.monotonic()  # who asks Aural for nothing ends nothing, though the key was refused before
            if principal and self._sign_in and flight.stream:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(self._watch, flight, self._sign_in, principal, headers)
                    await self._carry_out(scope, receive, send, is_large=is_large)
                    tasks.cancel_scope.cancel()
            else:
                await self._carry_out(scope, receive, send, is_large=is_large)
            if principal and self._sign_in:
                await self._end_if_refused(self._sign_in, principal, headers, begun)

    async def _watch(self, flight: Flight, sign_in: SignInServer, principal: Principal, headers: Headers) -> None:
        """End a subscription when its sign-in has ended."""
        begun, lasts = time.monotonic(), True
        while lasts:
            await anyio.sleep(WATCHED)
            with suppress(StateUnwritable):
                await self._end_if_refused(sign_in, principal, headers, begun)
                lasts = await sign_in.lasts(principal, headers, self._origins.origin(headers))
        flight.scope.cancel()

    async def _end_if_refused(
        self, sign_in: SignInServer, principal: Principal, headers: Headers, begun: float
    ) -> None:
        """End a sign-in whose key the backend has refused since then."""
        if self._server.clients.client_for(headers, principal).refused_since(begun):
            await sign_in.end(principal)

    async def _admitted(self, sign_in: SignInServer, headers: Headers) -> Principal | None:
        try:
            return await sign_in.admit(headers, self._origins.origin(headers))
        except NotSignedIn as error:
            raise _challenged(error) from None

    def _exceeds(self, principal: Principal, body: bytes) -> bool:
        """Whether a call changes something that its sign-in may only read; what is no call is for others to refuse."""
        if principal.writes or b"call" not in body:
            return False
        try:
            asked = from_json(body)
            name, arguments = asked["params"]["name"], asked["params"].get("arguments")
        except (ValueError, LookupError, TypeError, AttributeError):
            return False
        return asked.get("method") == CALL and self._server.exceeds(principal, name, arguments)

    async def _carry_out(self, scope: Scope, receive: Receive, send: Answer, *, is_large: bool) -> None:
        messages: list[Message] = [{"type": "http.request", "body": send.asked, "more_body": False}]
        streams = asks_for_stream(Headers(scope=scope), send.asked)
        if not streams and not is_large and (asked := exchange.readable(scope, send.asked)):
            await (await self._sessions.answered(*asked))(scope, receive, send)
            return
        self._sessions.streams.set(streams)

        async def received() -> Message:
            return messages.pop() if messages else await receive()

        await self._sessions.asgi_app({**scope, "headers": _as_json(scope)}, received, send)

    async def _check_large(self, headers: Headers, principal: Principal | None, body: bytes) -> None:
        """Weigh a large body, for a key that works only: it is refused before anything grows with it."""
        try:
            await self._server.clients.client_for(headers, principal).vouch()
            await aside(weigh, body)
        except TooMuch:
            raise refusals.too_many_values() from None
        except AuralError as error:
            raise refusals.not_vouched(str(error)) from None


class Answer:
    """Sends a response on, notes its status, and puts the SDK's refusals into our words."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, origins: Origins) -> None:
        self.status: int | None = None
        self._scope, self._receive, self._to = scope, receive, send
        self._cors = origins.cors(Headers(scope=scope))
        self.complete, self.asked, self.is_ours = False, b"", False

    def open_to_all(self) -> None:
        """Let pages of every origin read the answer."""
        self._cors = [(name.encode(), value.encode()) for name, value in OPEN_TO_ALL.items()]

    async def __call__(self, message: Message) -> None:
        if self.complete:
            return
        if message["type"] == "http.response.start" and not self.is_ours:
            words = SAID_BETTER.get(message["status"])
            if words and b"json" not in dict(message.get("headers", ())).get(b"content-type", b""):
                await self.refuse(Refused(message["status"], *words))
                return
            if message["status"] in LOOKED_AT and (instead := replies(self.asked)):
                await self._answer(_reply(instead))
                return
        if message["type"] == "http.response.start":
            self.status = message["status"]
        self.complete = message["type"] == "http.response.body" and not message.get("more_body", False)
        await self._send(message)

    async def refuse(self, refused: Refused) -> None:
        """Answer with a refusal; a response that has begun can only be ended."""
        if self.complete:
            return
        self.complete = True
        if self.status is not None:
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        await self._answer(JSONResponse(refused.body(), refused.status, headers=refused.headers))

    async def _answer(self, response: Response) -> None:
        self.complete, self.status = True, response.status_code
        await response(self._scope, self._receive, self._send)

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), *self._cors]}
        await self._to(message)


def _reply(answers: Sequence[Reply]) -> Response:
    """What is answered to a body that is no message; a batch gets one answer, for there is one body to wait for."""
    answer = answers[0] if len(answers) == 1 else refusal(None, INVALID_REQUEST, BATCH)
    text = answer.model_dump_json(by_alias=True, exclude_unset=True)
    return Response(text, 400 if isinstance(answer, Refusal) else 200, media_type=JSON)


def caller_of(headers: Mapping[str, str], peer: Sequence[Any] | None) -> str:
    """Whose request it is: the SHA-256 of a key, if it could be one, else the address it came from."""
    key = sent_key(headers)
    return hashlib.sha256(key.encode()).hexdigest() if usable_key(key) else address_of(peer)


def address_of(peer: Sequence[Any] | None) -> str:
    """A caller who is known by their address only."""
    return f"{BY_ADDRESS}{peer[0] if peer else ''}"


def _challenged(error: NotSignedIn) -> Refused:
    code = "unauthorized" if error.status == 401 else "insufficient_scope"
    return Refused(error.status, code, str(error), www_authenticate=error.challenge)


def asks_for_stream(headers: Mapping[str, str], body: bytes) -> bool:
    """Whether it wants progress, and can read it: only an answer that is a stream has room for more than the result."""
    return b'"progressToken"' in body and "text/event-stream" in headers.get("accept", "")


def _is_stream(headers: Mapping[str, str]) -> bool:
    """Whether it opens a subscription: since that protocol, the SDK holds this header against the body."""
    version = headers.get("mcp-protocol-version", "")
    return headers.get("mcp-method") == LISTEN and version >= SUBSCRIPTIONS_SINCE


def _check_head(scope: Scope) -> None:
    if len(scope["raw_path"]) + len(scope["query_string"]) > TARGET:
        raise refusals.target_too_long()
    fields: list[tuple[bytes, bytes]] = scope["headers"]
    if len(fields) > FIELDS or sum(len(name) + len(value) + 4 for name, value in fields) > HEADERS:
        raise refusals.head_too_large()
    check_once(fields)


def _check_json(headers: Headers) -> None:
    """Refuse a body that does not call itself JSON."""
    kinds = headers.get("content-type", "").partition(";")[0].lower().split(",")
    if JSON not in map(str.strip, kinds):
        raise Refused(400, *SAID_BETTER[400])


def _check_switches(headers: Headers) -> None:
    """Refuse a header that shall protect and that nobody can read: it must not count as left out."""
    for name in ("X-Aural-Readonly", "X-Aural-Blind", "X-Aural-Lockdown"):
        if headers.get(name, "").strip().lower() not in ("", *YES, *NO):
            words = f"{name} must be true or false; nothing was done. Send it so, or leave it out."
            raise Refused(400, "bad_switch", words)


def _as_json(scope: Scope) -> list[tuple[bytes, bytes]]:
    """The header fields with the type of the body as the SDK spells it."""
    return [(name, JSON.encode() if name == b"content-type" else value) for name, value in scope["headers"]]


def _check_method(method: str, *allowed: str) -> None:
    if method not in allowed:
        words = f"This address takes {' and '.join(allowed)} only."
        raise Refused(405, "method_not_allowed", words, allow=", ".join(allowed))


async def _whole_body(headers: Mapping[str, str], receive: Receive, most: int = BODY) -> bytes:
    """The body without a byte order mark, read before anything is done.

    Raises:
        Refused: it is larger than `most`, slower than `BODY_WITHIN`, or incomplete.
    """
    if int(headers.get("content-length", "0")) > most:
        raise refusals.body_too_large(most)
    body, more = bytearray(), True
    with anyio.move_on_after(BODY_WITHIN):
        while more:
            message = await receive()
            if message["type"] != "http.request":
                raise Refused(400, "incomplete_body", "The connection was closed before the whole body was here.")
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > most:
                raise refusals.body_too_large(most)
    if more:
        words = f"The body was not here within {BODY_WITHIN:.0f} s; nothing was done. Send it in one go."
        raise Refused(408, "body_too_slow", words, connection="close")
    return bytes(body.removeprefix(BOM_UTF8))

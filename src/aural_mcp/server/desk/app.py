"""The desk as an ASGI application: who is let in, which tool each page shows, and what a browser may do with it."""

from __future__ import annotations

import logging
import math
import re
import secrets
import socket
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote

import anyio
import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from aural_mcp import views
from aural_mcp.api.errors import AuralError
from aural_mcp.api.operations import ListInterviews
from aural_mcp.config import KEPT_OPEN, usable_key
from aural_mcp.server.desk import pages
from aural_mcp.server.desk.entry import Entry, Visitor
from aural_mcp.server.desk.pages import Door
from aural_mcp.server.desk.troubles import trouble
from aural_mcp.server.inside import FEW, Asking, NotShown

if TYPE_CHECKING:
    from aural_mcp.server.server import AuralServer

HEADERS = {
    "cache-control": "no-store",
    "referrer-policy": "same-origin",  # with "no-referrer" our own forms would say `Origin: null`, as foreign ones can
    "x-content-type-options": "nosniff",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
POLICY = (
    "default-src 'none'; style-src 'self' 'nonce-{nonce}'; script-src 'nonce-{nonce}'; img-src data:; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
REPORT = "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'; base-uri 'none'"
"""For a report, which names its style itself."""
OPEN = ("/enter", "/base.css", "/desk.css")
"""What needs no cookie."""
LINKS = {"session": "/sessions/{id}"}
KINDS = {"csv": "text/csv", "html": "text/html", "json": "application/json"}
LONGEST_FORM = 4_096
EVERY = 300.0
"""Seconds after which it is looked who may be forgotten."""
PASSING = (429, 500, 502, 503, 504)
"""What may be over when the page is loaded again."""
SIGN_IN = (
    "Run “aural-mcp open” on this computer and open the link that it prints. A link is good once, for five minutes."
)
USED = f"This link was opened before, or is too old. {SIGN_IN}"
AROUND = re.compile(r"^[\s\"'“”‘’`\u200b-\u200f\u2060\ufeff]+|[\s\"'“”‘’`\u200b-\u200f\u2060\ufeff]+$")
"""What comes along around a key that was copied."""
NO_KEY = "That is no key: keys begin with dlv_. Copy the whole of it and nothing else, and try again."
WRONG_KEY = (
    "This key is not accepted. It is mistyped, was withdrawn, has expired, or is of another backend. Copy it again, or "
    "ask for a new one."
)
TRIES = "Many keys were tried just now. Try again in {wait} s."

log = logging.getLogger(__name__)
Show = Callable[[Request, Asking], Awaitable[Response]]


class Desk:
    """Everything that the desk serves, as one ASGI application.

    Args:
        server: whose tools the pages show.
        origin: `scheme://host:port` at which a browser reaches it, exactly.
        door: asks each browser for a key, with which everything is asked then; without it a link lets in.
    """

    def __init__(self, server: AuralServer, origin: str, door: Door | None = None) -> None:
        self.entry = Entry(origin)
        self._server, self._door = server, door
        interview = "/interviews/{interview_id}"
        routes = [
            Route("/", self._page(_interviews)),
            Route("/enter", self._enter, methods=["GET", "POST"]),
            Route("/leave", self._leave, methods=["POST"]),
            Route("/blind", self._blind, methods=["POST"]),
            Route("/{name}.css", _style),
            Route(interview, self._page(_progress)),
            Route(f"{interview}/comparison", self._page(_comparison)),
            Route(f"{interview}/sessions", self._page(_sessions)),
            Route(f"{interview}/questions", self._page(_interview)),
            Route(f"{interview}/exports", self._page(_exports)),
            Route(f"{interview}/results.{{kind}}", self._page(_results)),
            Route("/sessions/{session_id}", self._page(_session)),
        ]
        handlers = {HTTPException: _http_error, ClientDisconnect: _gone, Exception: _crash}
        self._app = Starlette(routes=routes, exception_handlers=handlers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            refused = self._refusal(scope)
            await (refused or self._app)(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        """What is answered instead where a request is not a signed-in browser's own."""
        headers, path, writes = Headers(scope=scope), scope["path"], scope["method"] not in ("GET", "HEAD")
        if not self.entry.is_named(headers):
            return Response(f"The desk is at {self.entry.origin} only.", 421, HEADERS, media_type="text/plain")
        looks_in = path == "/enter" and not writes  # a terminal in a browser may have the link
        if not looks_in and self.entry.is_foreign(headers, writes=writes):
            return _page(pages.message("Not from here", "Another page sent this. Type the desk's address."), 403)
        if path not in OPEN and self._visitor(Request(scope)) is None:
            return self._outside(path if scope["method"] == "GET" else "/")
        return None

    def _outside(self, to: str = "/", problem: str = "", status: int = 401, wait: int | None = None) -> Response:
        """What a browser is shown that was not let in."""
        if self._door is None:
            return _page(pages.message("Sign in", problem or SIGN_IN), status)
        return _page(pages.sign_in(self._door, to, problem), status, wait=wait)

    def _visitor(self, request: Request) -> Visitor | None:
        return self.entry.visitor(request.cookies.get(self.entry.cookie, ""))

    def _page(self, show: Show) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            visitor = self._visitor(request)
            if visitor is None:  # it left while this was on its way
                return self._outside()
            asking = Asking(self._server, blind=visitor.blind, key=visitor.key)
            request.state.blind = visitor.blind or self._server.names_nobody
            request.state.leaves = self._door is not None
            try:
                return await show(request, asking)
            except NotShown as error:
                found = trouble(error)
                if found.status == 401 and self._door:
                    self.entry.leave(request.cookies.get(self.entry.cookie, ""))
                    return self._outside(request.url.path, f"{found.title}. {found.text}")
                top = await _frame(request, asking, tabs=found.status != 404)
                again = str(request.url.replace(scheme="", netloc="")) if found.status in PASSING else ""
                return _page(pages.message(found.title, found.text, top, again), found.status, wait=found.wait)

        return endpoint

    async def _enter(self, request: Request) -> Response:
        """Look at a link, and let the browser in that sends its form; or ask for a key."""
        if self._door:
            return await self._take_key(request) if request.method == "POST" else self._outside(status=200)
        if request.method != "POST":
            token, nonce = request.query_params.get("token", ""), secrets.token_urlsafe(16)
            if not self.entry.knows(token):
                return self._outside(problem=USED if token else SIGN_IN)
            return _page(pages.enter(token, nonce), nonce=nonce)
        redeemed = self.entry.redeem((await _form(request)).get("token", ""))
        return self._let_in(*redeemed) if redeemed else self._outside(problem=USED)

    def _let_in(self, value: str, to: str) -> Response:
        response = RedirectResponse(to, 303, HEADERS)
        given = {"httponly": True, "samesite": "strict", "secure": self.entry.secure, "path": "/"}
        response.set_cookie(self.entry.cookie, value, **given)  # pyright: ignore[reportArgumentType]
        return response

    async def _take_key(self, request: Request) -> Response:
        """Let a browser in whose key the backend takes; the browser it was before is forgotten."""
        form = await _form(request)
        key, to = AROUND.sub("", form.get("key", "")), _path(form.get("to", ""))
        if not usable_key(key):
            return self._outside(to, NO_KEY, 422)
        if wait := math.ceil(self.entry.wait()):
            return self._outside(to, TRIES.format(wait=wait), 429, wait)
        try:
            await self._server.clients.client_for({"authorization": f"Bearer {key}"}).call(ListInterviews(limit=1))
        except AuralError as error:
            found = trouble(NotShown("", error))
            said = WRONG_KEY if found.status == 401 else f"{found.title}. {found.text}"
            return self._outside(to, said, found.status, found.wait)
        self.entry.was_right()
        self.entry.leave(request.cookies.get(self.entry.cookie, ""))
        return self._let_in(self.entry.welcome(key), to)

    async def _leave(self, request: Request) -> Response:
        """Forget this browser and its key."""
        self.entry.leave(request.cookies.get(self.entry.cookie, ""))
        response = RedirectResponse("/enter", 303, HEADERS)
        response.delete_cookie(self.entry.cookie, secure=self.entry.secure, httponly=True, samesite="strict")
        return response

    async def _blind(self, request: Request) -> Response:
        """Hide names in this browser from now on."""
        if visitor := self._visitor(request):
            visitor.blind = True
        back = request.headers.get("referer", "").removeprefix(self.entry.origin)
        return RedirectResponse(_path(back), 303, HEADERS)


# ── Pages ───────────────────────────────────────────────────────────────────────────────────────


async def _interviews(request: Request, asking: Asking) -> Response:
    title = request.query_params.get("title", "").strip()[:200]
    cursor = request.query_params.get("cursor")
    given = {**({"title": title} if title else {}), **({"cursor": cursor} if cursor else {})}
    found = await asking("list_interviews", limit=50, **given)
    waiting = await asking.waiting(found["data"])
    links = "get_session" in await asking.tools()
    return _page(pages.interviews(found, await _frame(request, asking), title, waiting, links))


async def _progress(request: Request, asking: Asking) -> Response:
    found = await asking.progress(request.path_params["interview_id"])
    return await _view("progress", found, request, asking, tab="")


async def _comparison(request: Request, asking: Asking) -> Response:
    quotes = "quotes" in request.query_params
    found = await asking.comparison(request.path_params["interview_id"], quotes=quotes)
    many = len(found["candidates"]) > FEW and not quotes
    return await _view("comparison", found, request, asking, tab="comparison", also=pages.QUOTES if many else None)


async def _interview(request: Request, asking: Asking) -> Response:
    found = await asking("get_interview", interviewId=request.path_params["interview_id"])
    return await _view("interview", found, request, asking, tab="questions")


async def _session(request: Request, asking: Asking) -> Response:
    found = await asking.session(request.path_params["session_id"])
    interview: dict[str, Any] = found.get("interview") or {}
    return await _view("session", found, request, asking, tab="sessions", interview_id=interview.get("id", ""))


async def _sessions(request: Request, asking: Asking) -> Response:
    interview, cursor = request.path_params["interview_id"], request.query_params.get("cursor")
    given = {"cursor": cursor} if cursor else {}
    found = await asking("list_sessions", interviewId=interview, limit=100, **given)
    links = "get_session" in await asking.tools()
    return _page(pages.sessions(found, await _frame(request, asking, tab="sessions"), interview, links))


async def _exports(request: Request, asking: Asking) -> Response:
    await asking.need("export_results")
    if "get_interview" in await asking.tools():
        await asking("get_interview", interviewId=request.path_params["interview_id"])  # else it is not there
    top = await _frame(request, asking, tab="exports")
    return _page(pages.exports(top, request.path_params["interview_id"], request.state.blind))


async def _results(request: Request, asking: Asking) -> Response:
    kind, interview = request.path_params["kind"], request.path_params["interview_id"]
    if kind not in KINDS:
        raise HTTPException(404)
    await asking.need("export_results")
    content = await asking.read(f"aural://interviews/{quote(interview, safe='')}/results.{kind}")
    shown = kind == "html" and "open" in request.query_params
    named = {} if shown else {"content-disposition": f'attachment; filename="results.{kind}"'}
    return Response(content, 200, {**HEADERS, "content-security-policy": REPORT, **named}, media_type=KINDS[kind])


async def _view(
    name: str,
    result: dict[str, Any],
    request: Request,
    asking: Asking,
    *,
    tab: str,
    interview_id: str = "",
    also: pages.Html | None = None,
) -> Response:
    nonce = secrets.token_urlsafe(16)
    links = LINKS if "get_session" in await asking.tools() else None
    top = await _frame(request, asking, tab=tab, interview_id=interview_id, also=also)
    return _page(views.page(name, result, nonce, links=links, top=top), nonce=nonce)


async def _frame(
    request: Request,
    asking: Asking,
    *,
    tab: str | None = None,
    interview_id: str = "",
    also: pages.Html | None = None,
    tabs: bool = True,
) -> pages.Html:
    there, blind = await asking.tools(), request.state.blind
    interview_id = interview_id or (tabs and request.path_params.get("interview_id", "")) or ""
    leaves = request.state.leaves
    return pages.frame(there, interview_id=interview_id, tab=tab, blind=blind, leaves=leaves, also=also)


# ── Answers ─────────────────────────────────────────────────────────────────────────────────────


def _page(text: str, status: int = 200, *, nonce: str | None = None, wait: int | None = None) -> Response:
    policy = POLICY.format(nonce=nonce or secrets.token_urlsafe(16))
    later = {"retry-after": str(wait)} if wait else {}
    return Response(text, status, {**HEADERS, **later, "content-security-policy": policy}, media_type="text/html")


def _path(given: str) -> str:
    """A page of the desk's to go on with, and nothing that leads elsewhere."""
    return given if re.fullmatch(r"/(?![/\\])[!-~]*", given) else "/"


async def _style(request: Request) -> Response:
    name = f"{request.path_params['name']}.css"
    if f"/{name}" not in OPEN:
        raise HTTPException(404)
    return Response(pages.style(name), headers=HEADERS, media_type="text/css")


async def _form(request: Request) -> dict[str, str]:
    """The fields of a small form."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LONGEST_FORM:
            raise HTTPException(413)
    return {name: values[0] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}


async def _http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status == 413:
        return _page(pages.message("Not taken", "That was far more than a key. Go back and send only the key."), status)
    return _page(pages.message("Nothing here", "There is no such page.", pages.NOWHERE), status)


async def _gone(request: Request, error: Exception) -> Response:
    return Response(status_code=400)  # nobody reads it


async def _crash(request: Request, error: Exception) -> Response:
    log.error("A page of the desk failed", exc_info=error)
    return _page(pages.message("That went wrong", "The desk failed. Its terminal says why."), 500)


async def serve(desk: Desk, listener: socket.socket) -> None:
    """Serve until a signal stops it."""
    config = uvicorn.Config(
        desk,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        lifespan="off",
        timeout_keep_alive=KEPT_OPEN,
        timeout_graceful_shutdown=1,
    )
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_forgetting, desk.entry)
        await uvicorn.Server(config).serve(sockets=[listener])
        tasks.cancel_scope.cancel()


async def _forgetting(entry: Entry) -> None:
    """See that nobody's key is kept longer than the page says, also where nobody opens a page any more."""
    while True:
        await anyio.sleep(EVERY)
        entry.forget()

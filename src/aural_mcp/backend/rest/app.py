"""The embedded backend as an ASGI app: Aural's REST routes, and the candidate's pages beside them.

It answers as Aural does, except where Aural's answer is plainly a defect. Those deviations, all of them:

- an id that is not a UUID is 404 with the route's own message, never 500; integers beyond int4, NUL
  characters, lone surrogates, a fractional `probeThreshold`, `aiName`/`language` null and a JSON null or
  string body are 400 naming the field; no answer is empty or carries database text;
- interview paging is a strict keyset on (updatedAt, id): no repeats, no gaps, no loops; a malformed or
  unknown interview cursor is ignored, as Aural does;
- a batch of questions in which only some set `allowFileUpload` or `allowedFileTypes` succeeds;
- `/usage` counts truthfully and says when (`counted_at`), and a revoked key is refused there at once;
- ending sessions counts their duration to the last message, not to now;
- invite tokens have 20 characters (Aural: 12), and keys issued here carry a checksum;
- 405 carries `Allow` and an error object, and unknown paths under `/api/v1` are JSON 404.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, cast

import anyio
import anyio.to_thread
from sqlalchemy import Connection, select
from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aural_mcp.api.analysis import LOCAL_OPERATIONS
from aural_mcp.api.erasing import ERASED_BEFORE
from aural_mcp.api.operations import (
    OPERATIONS,
    AnyOperation,
    EndInterviewSessions,
    GetSession,
    GetSessionReport,
    ListSessions,
)
from aural_mcp.backend.interview.candidate import HEADERS as PAGE_HEADERS
from aural_mcp.backend.interview.candidate import candidate_routes
from aural_mcp.backend.interview.conduct import conduct_of
from aural_mcp.backend.interview.pages import message_page
from aural_mcp.backend.interview.sessions import sweep
from aural_mcp.backend.rest import older
from aural_mcp.backend.rest.checks import Refused
from aural_mcp.backend.rest.extensions import UNLISTED
from aural_mcp.backend.rest.handlers import HANDLERS, Paged, Told
from aural_mcp.backend.rest.limits import RateLimit, RateLimited, rate_limit_of
from aural_mcp.backend.rest.scope import Call, place_of, scope_of
from aural_mcp.backend.storage.store import Store, digest, now
from aural_mcp.backend.storage.tables import api_keys
from aural_mcp.backend.webhooks import delivering
from aural_mcp.config import EMPLOYER, STARTS, Employer, Model, Starts
from aural_mcp.database import MayBeStored
from aural_mcp.documents import render
from aural_mcp.documents.openapi import PREFIX, openapi
from aural_mcp.documents.postman import postman

SWEPT = (ListSessions, GetSession, GetSessionReport, EndInterviewSessions)
BODY_LIMIT = 4 * 1024 * 1024
HEADERS = {"vary": "RSC, Next-Router-State-Tree, Next-Router-Prefetch"}
ROOT = (
    "Interviews with Aural",
    "Candidates take their interviews here: if you were invited, open the link that you were sent. If you hire, run "
    "“aural-mcp open” on the computer where you use aural-mcp: it shows interviews, progress and results. Nothing of "
    "them can be seen from this page.",
)
"""What a browser is told that opens the root."""
LED_ON = "There is nothing at this address. /SKILL.md says how to hire with Aural, /llms.txt what its API has.\n"
"""What an agent is told that guessed an address."""
REFUSED = "The database is busy or cannot be written. Nothing was changed; try again."
LOST = "The database was lost while this was stored: it may have been done. Look whether it was before you try again."
UNSEEN = "This page cannot be shown just now. What you have sent is kept. Please load it again in a minute."
UNSENT = (
    "What you have just sent may not be stored; everything before it is. Please go back in a minute and send it again. "
    "Nothing is stored twice."
)
CODES = {
    400: "BAD_REQUEST",
    401: "UNAUTHORIZED",
    403: "FORBIDDEN",
    404: "NOT_FOUND",
    409: "CONFLICT",
    413: "BAD_REQUEST",
}

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LocalKey:
    """The key of this very process: it lives in memory only, and no rate limit applies to it."""

    secret: str
    user_id: str


@dataclass
class Backend:
    """What the routes need: the store, the origin that links carry, and the limits."""

    store: Store
    origin: Callable[[], str]
    local_key: LocalKey | None
    rate_limit: RateLimit
    workers: anyio.CapacityLimiter
    generation: int
    employer: Employer

    def answer(self, operation: AnyOperation, request: Request, raw: bytes) -> Response:
        """Authenticate, count, carry out, write down. Runs in a worker thread, as one transaction."""
        if operation in SWEPT:
            sweep(self.store)
        header = request.headers.get("authorization", "")
        user_id = self._user(header)
        with self._door(operation, request.path_params) as db:
            scope = scope_of(db, user_id)
            if scope is None:
                raise Refused(403, "No organization found for this API key user.")
            raw = raw if self.generation > 1 else older.body(operation, raw)
            told = self.employer if self.generation > 2 else None
            call = Call(db, scope, request.path_params, request.query_params, raw, self.origin(), told)
            found = HANDLERS[operation](call)
        found = found if self.generation > 1 else older.answer(operation, found)
        beside = (
            {"cursor": found.cursor}
            if isinstance(found, Paged)
            else {ERASED_BEFORE: True}
            if isinstance(found, Told)
            else {}
        )
        return _json({"data": found, **beside})

    def _door(self, operation: AnyOperation, ids: Mapping[str, str]) -> AbstractContextManager[Connection]:
        if operation.effect == "read":
            return self.store.reading()
        return self.store.writing(find=lambda db: place_of(db, ids))

    def _user(self, header: str) -> str:
        """The user of the key in the header, counted against its rate limit, in Aural's order of checks."""
        if not header.startswith("Bearer dlv_"):
            raise Refused(401, "Missing or invalid API key. Use: Authorization: Bearer dlv_xxx")
        secret = header.removeprefix("Bearer ")
        if self.local_key and hmac.compare_digest(secret.encode(), self.local_key.secret.encode()):
            return self.local_key.user_id
        with self.store.reading() as db:
            key = db.execute(select(api_keys).where(api_keys.c.hash == digest(secret))).first()
        if key is None or not key.isActive:
            raise Refused(401, "Invalid or revoked API key.")
        if key.expiresAt and key.expiresAt < now():
            raise Refused(401, "API key has expired.")
        self.rate_limit.count(key.hash)
        return key.userId


def create_app(
    store: Store,
    *,
    origin: Callable[[], str],
    local_key: LocalKey | None = None,
    requests_per_minute: int = 60,
    model: Model | None = None,
    starts: Starts = STARTS,
    employer: Employer = EMPLOYER,
    generation: int = 3,
) -> Starlette:
    """The whole backend: REST under `/api/v1`, and the candidate's pages; where it is served, webhooks beside them.

    Args:
        origin: gives `scheme://host[:port]` for links, asked anew for each answer.
        local_key: the in-process key of a local workspace.
        requests_per_minute: per key, as Aural's 60; 0 is off.
        model: what interviews and scores; without one, rules interview and nobody scores.
        starts: what may be begun by a public link.
        employer: what candidates are told of who invites them.
        generation: 1 answers as deployments with 15 operations do, 2 as Aural does, for tests; 3 is all of this one.
    """
    limit = rate_limit_of(store, requests_per_minute)
    backend = Backend(store, origin, local_key, limit, anyio.CapacityLimiter(store.at_once), generation, employer)
    paths: dict[str, dict[str, AnyOperation]] = {}
    for operation in (each for each in (*OPERATIONS, *LOCAL_OPERATIONS, *UNLISTED) if each.since <= generation):
        paths.setdefault(operation.path, {})[operation.method] = operation
    routes: list[BaseRoute] = [_route(backend, path, methods) for path, methods in paths.items()]
    routes += [*_documents(origin), *candidate_routes(conduct_of(store, model, starts, employer), origin)]
    return _app(routes, lambda _: delivering(store, sweep), _led_on if generation > 2 else _older_error)


def create_pages(
    store: Store,
    model: Model | None = None,
    origin: Callable[[], str] = str,
    starts: Starts = STARTS,
    employer: Employer = EMPLOYER,
) -> Starlette:
    """The candidate's pages alone, for the port of a local workspace: no REST is reachable there."""
    return _app(candidate_routes(conduct_of(store, model, starts, employer), origin))


def _documents(origin: Callable[[], str]) -> list[BaseRoute]:
    """The API's own description, in the forms that programs and agents read; it needs no key."""

    def document(path: str, made: Callable[[str], str | dict[str, Any]], kind: str) -> Route:
        @cache  # an OpenAPI document takes 60 ms
        def body(origin: str) -> bytes:
            found = made(origin)
            return (found if isinstance(found, str) else _text(found)).encode()

        async def answer(request: Request) -> Response:
            current = body(origin())
            tag = f'"{hashlib.sha256(current).hexdigest()}"'
            headers = {"cache-control": "public, max-age=3600", "etag": tag}
            if tag in request.headers.get("if-none-match", ""):
                return Response(status_code=304, headers=headers)
            return Response(current, headers=headers, media_type=kind)

        return Route(path, answer)

    return [
        document(PREFIX + "/openapi.json", openapi, "application/json"),
        document(PREFIX + "/postman.json", postman, "application/json"),
        document("/llms.txt", render.llms_txt, "text/plain"),
        document("/llms-full.txt", render.llms_full_txt, "text/plain"),
        document("/SKILL.md", render.skill_md, "text/markdown"),
        Route("/skill.md", RedirectResponse("/SKILL.md")),
        *[
            document(f"/{file.name}", partial(render.skill_reference, file), "text/markdown")
            for file in render.skill_files()
            if file.name != file.skill
        ],
    ]


def _app(
    routes: list[BaseRoute],
    lifespan: Callable[[Starlette], AbstractAsyncContextManager[None]] | None = None,
    http_error: Callable[[Request, Exception], Awaitable[Response]] | None = None,
) -> Starlette:
    app = Starlette(
        routes=routes,
        lifespan=lifespan,
        middleware=[Middleware(BodyLimit)],
        exception_handlers={
            HTTPException: http_error or _http_error,
            SQLAlchemyError: _no_database,
            Exception: _crash,
        },
    )
    app.router.redirect_slashes = False  # it leads to what Host says, and from https to http behind a proxy
    return app


class BodyLimit:
    """Refuses request bodies over `BODY_LIMIT` before anything reads them whole."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        size = 0

        async def limited() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > BODY_LIMIT:
                raise HTTPException(413, f"The request body is larger than {BODY_LIMIT // 1024 // 1024} MiB.")
            return message

        await self.app(scope, limited if scope["type"] == "http" else receive, send)


def _route(backend: Backend, path: str, methods: dict[str, AnyOperation]) -> Route:
    allowed: list[str] = sorted([*methods, "OPTIONS", *(["HEAD"] if "GET" in methods else [])])

    async def endpoint(request: Request) -> Response:
        if request.method == "OPTIONS":
            return Response(status_code=204, headers={"allow": ", ".join(allowed), **HEADERS})
        operation = methods["GET" if request.method == "HEAD" else request.method]
        try:
            raw = await request.body()
            return await anyio.to_thread.run_sync(backend.answer, operation, request, raw, limiter=backend.workers)
        except Refused as refused:
            return _error(refused.status, refused.message)
        except RecursionError:
            return _error(400, "The request body is nested too deeply.")
        except RateLimited as limited:
            return _too_many(limited)

    return Route(PREFIX + path, endpoint, methods=allowed)


def _text(body: Any) -> str:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


def _json(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(_text(body).encode(), status, {**HEADERS, **(headers or {})}, media_type="application/json")


def _error(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    error = {"code": CODES.get(status, "INTERNAL_ERROR"), "message": message}
    return _json({"error": error}, status, headers)


def _too_many(limited: RateLimited) -> Response:
    seconds = limited.retry_after
    error = {
        "code": "RATE_LIMITED",
        "message": f"Too many requests. Retry after {seconds}s.",
        "retry_after": seconds,
    }
    headers = {
        "retry-after": str(seconds),
        "x-ratelimit-limit": str(limited.limit),
        "x-ratelimit-remaining": "0",
        "x-ratelimit-reset": str(limited.reset),
    }
    return _json({"error": error}, 429, headers)


async def _http_error(request: Request, error: Exception) -> Response:
    """Unknown paths, wrong methods and bodies too large; a trailing slash is redirected, as Aural does."""
    refused = cast("HTTPException", error)
    path, status, query = request.url.path, refused.status_code, request.url.query
    if status == 404 and path.startswith((PREFIX + "/", "/i/")) and path.endswith("/"):
        return RedirectResponse(path.rstrip("/") + (f"?{query}" if query else ""), 308)
    if path == "/" and status == 404 and "text/html" in request.headers.get("accept", ""):
        return Response(message_page(*ROOT), headers=PAGE_HEADERS, media_type="text/html")
    if not path.startswith("/api/"):
        return _page(refused)
    if status == 405:
        message = f"{request.method} is not offered here."
        return _json({"error": {"code": "METHOD_NOT_ALLOWED", "message": message}}, 405, dict(refused.headers or {}))
    nothing = "There is nothing at this address; /llms.txt lists what there is."
    return _error(status, refused.detail if status == 413 else nothing)


async def _led_on(request: Request, error: Exception) -> Response:
    """An agent that guessed an address hears where to read; a browser, and whoever has a wrong link, gets a page."""
    accepted, status = request.headers.get("accept", ""), cast("HTTPException", error).status_code
    reads = "text/html" not in accepted or "text/markdown" in accepted
    if status == 404 and reads and not request.url.path.startswith(("/api/", "/i/")):
        return Response(LED_ON, 404, {**PAGE_HEADERS, "vary": "Accept"}, media_type="text/plain")
    return await _http_error(request, error)


async def _older_error(request: Request, error: Exception) -> Response:
    """What a deployment of Aural does not have is a page, also below `/api/v1`."""
    refused = cast("HTTPException", error)
    return _page(refused) if refused.status_code == 404 else await _http_error(request, error)


def _page(refused: HTTPException) -> Response:
    words = "Nothing here", "There is no page at this address. Please check the link you were sent."
    if refused.status_code in (400, 413):
        words = "Not taken", "That was more than can be taken at once. Go back, make it shorter, and send it again."
    page = message_page(*words)
    return Response(page, refused.status_code, {**PAGE_HEADERS, **(refused.headers or {})}, media_type="text/html")


async def _no_database(request: Request, error: Exception) -> Response:
    """The database is out of reach, or somebody changes the same for long."""
    log.error("the database refused", exc_info=error)
    if request.url.path.startswith("/api/"):
        return _error(503, LOST if isinstance(error, MayBeStored) else REFUSED)
    page = message_page("Not available now", UNSEEN if request.method == "GET" else UNSENT)
    return Response(page, 503, PAGE_HEADERS, media_type="text/html")


async def _crash(request: Request, error: Exception) -> Response:
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return _error(500, "The backend failed. Its log says why.")

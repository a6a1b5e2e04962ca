"""The candidate's pages under `/i/`, as HTTP: plain forms that work without JavaScript.

A candidate comes by the public link (`/i/{slug}`; a cookie leads back to the session) or by a private
one (`/i/invite/{token}`; the link itself leads back, on any device).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from starlette.background import BackgroundTask
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from aural_mcp.backend.interview.answers import Unclear
from aural_mcp.backend.interview.conduct import Closed, Conduct, Link
from aural_mcp.backend.interview.pages import Page, message_page, page_of
from aural_mcp.backend.storage.store import Store, setting

COOKIE = "aural_session"
COOKIE_AGE = 30 * 24 * 3600
HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}

Act = Callable[[Link, FormData], Any]


def candidate_routes(conduct: Conduct) -> list[BaseRoute]:
    """The pages, their assets, and a sign by which another process knows whose pages these are."""

    async def look(request: Request) -> Response:
        return await _guarded(conduct, request, None)

    async def start(request: Request) -> Response:
        return await _guarded(conduct, request, conduct.begin)

    async def answer(request: Request) -> Response:
        return await _guarded(conduct, request, conduct.answer)

    async def event(request: Request) -> Response:
        response = await _guarded(conduct, request, conduct.notice)
        return response if response.status_code >= 400 else Response(status_code=204)

    async def workspace(request: Request) -> Response:
        return Response(await conduct.work(_workspace, conduct.store), media_type="text/plain")

    doors: list[BaseRoute] = []
    for path in ("/i/invite/{token}", "/i/{slug}"):
        doors += [
            Route(path, look),
            Route(path + "/start", start, methods=["POST"]),
            Route(path + "/answer", answer, methods=["POST"]),
            Route(path + "/event", event, methods=["POST"]),
        ]
    assets = StaticFiles(directory=Path(__file__).parent / "pages" / "assets")
    return [Route("/workspace", workspace), Mount("/assets", assets), *doors]


async def _guarded(conduct: Conduct, request: Request, act: Act | None) -> Response:
    """Answer a page request: act on the form if there is one, then lead back to the page."""
    link = _link(request)
    try:
        if act is None:
            return await _shown(conduct, link)
        if request.headers.get("sec-fetch-site") == "cross-site":
            raise Closed(403, "foreign")
        form = await _form(request)
        try:
            return _back(request, link, await conduct.work(act, link, form))
        except Unclear as unclear:
            return await _shown(conduct, link, error=str(unclear), typed=form)
    except Closed as closed:
        words = closed.words
        return _page(message_page(words[closed.key], words[f"{closed.key}.text"], words), closed.status)


async def _shown(conduct: Conduct, link: Link, *, error: str = "", typed: FormData | None = None) -> Response:
    """The page for where the candidate stands; a session that has just finished is analysed behind it."""
    door = await conduct.work(conduct.arrive, link)
    response = _page(page_of(door, error=error, typed=typed), 422 if error else 200)
    if door.session is not None and door.session["status"] == "COMPLETED" and door.session["insights"] is None:
        response.background = BackgroundTask(conduct.analyse, door.session["id"])
    return response


async def _form(request: Request) -> FormData:
    sent = parse_qsl((await request.body()).decode("utf-8", "replace"), keep_blank_values=True)
    return FormData([*sent])


def _link(request: Request) -> Link:
    params = request.path_params
    if token := params.get("token"):
        return Link(f"/i/invite/{token}", token=token)
    return Link(f"/i/{params['slug']}", slug=params["slug"], cookie=request.cookies.get(COOKIE))


def _back(request: Request, link: Link, cookie: Any) -> Response:
    response = RedirectResponse(link.path, 303, HEADERS)
    if isinstance(cookie, str):
        secure = request.headers.get("x-forwarded-proto", request.url.scheme) == "https"
        response.set_cookie(
            COOKIE, cookie, max_age=COOKIE_AGE, path=link.path, httponly=True, samesite="lax", secure=secure
        )
    return response


def _page(page: Page, status: int = 200) -> Response:
    return Response(page, status, HEADERS, media_type="text/html")


def _workspace(store: Store) -> str:
    with store.reading() as db:
        return setting(db, "workspace") or ""

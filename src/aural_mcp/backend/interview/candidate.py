"""The candidate's pages under `/i/`, as HTTP: plain forms that work without JavaScript.

A candidate comes by the public link (`/i/{slug}`; a cookie leads back to the session) or by a private
one (`/i/invite/{token}`; the link itself leads back, on any device). A browser that keeps no cookie goes on
at an address of its own (`/i/own/{cookie}`), which is as private as an invitation.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from starlette.background import BackgroundTask
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from aural_mcp.backend.interview.answers import Unclear, typed_texts
from aural_mcp.backend.interview.conduct import Conduct
from aural_mcp.backend.interview.doors import Closed, Link
from aural_mcp.backend.interview.pages import Page, closed_page, page_of
from aural_mcp.backend.storage.store import Store, setting
from aural_mcp.bounds import LARGE, aside

COOKIE, TRIED = "aural_session", "aural_cookies"
"""What leads back to a session, and what shows before one is begun that this browser keeps cookies."""
AGAIN = "again"
HOST = re.compile(r"[\w.-]+(:\d{1,5})?|\[[\da-f:.]+\](:\d{1,5})?", re.ASCII | re.IGNORECASE)
ADDRESS = re.compile(r"\d{1,3}(\.\d{1,3}){3}|[\da-f:.]*:[\da-f:.]*", re.ASCII | re.IGNORECASE)
COOKIE_AGE = 30 * 24 * 3600
LONGEST_FORM = 3 << 19
"""Bytes: the largest drawing, or over 150,000 characters of any script; reading it takes a quarter of a second."""
MOST_FIELDS = 1000
HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "referrer-policy": "same-origin",  # with "no-referrer" our own forms would say `Origin: null`, as foreign ones can
    "x-content-type-options": "nosniff",
}

Act = Callable[[Link, FormData], Any]


def candidate_routes(conduct: Conduct, origin: Callable[[], str]) -> list[BaseRoute]:
    """The pages, their assets, and a sign by which another process knows whose pages these are.

    Args:
        origin: `scheme://host:port` of the links that candidates are given.
    """

    async def look(request: Request) -> Response:
        return await _guarded(conduct, request, origin(), None)

    async def home(request: Request) -> Response:
        return RedirectResponse(_link(request).path, 303, HEADERS)  # a tab that is opened again after a form

    async def start(request: Request) -> Response:
        return _try_cookies(request) or await _guarded(conduct, request, origin(), conduct.begin)

    async def person(request: Request) -> Response:
        return _try_cookies(request) or await _guarded(conduct, request, origin(), conduct.ask_for_person, keep=True)

    async def ask(request: Request) -> Response:
        return await _guarded(conduct, request, origin(), conduct.ask_for_data, keep=True)

    async def answer(request: Request) -> Response:
        return await _guarded(conduct, request, origin(), conduct.answer)

    async def event(request: Request) -> Response:
        response = await _guarded(conduct, request, origin(), conduct.notice)
        return response if response.status_code >= 400 else Response(status_code=204)

    async def workspace(request: Request) -> Response:
        if not _is_ours(request, origin()):
            return _elsewhere()
        return Response(await conduct.work(_workspace, conduct.store), headers=HEADERS, media_type="text/plain")

    doors: list[BaseRoute] = []
    for path in ("/i/invite/{token}", "/i/own/{cookie}", "/i/{slug}"):
        doors += [
            Route(path, look),
            Route(path + "/start", start, methods=["POST"]),
            Route(path + "/answer", answer, methods=["POST"]),
            Route(path + "/person", person, methods=["POST"]),
            Route(path + "/request", ask, methods=["POST"]),
            Route(path + "/event", event, methods=["POST"]),
            *(Route(f"{path}/{act}", home) for act in ("start", "answer", "person", "request")),
        ]
    assets = StaticFiles(directory=Path(__file__).parent / "pages" / "assets")
    return [Route("/workspace", workspace), Mount("/assets", assets), *doors]


async def _guarded(conduct: Conduct, request: Request, origin: str, act: Act | None, *, keep: bool = False) -> Response:
    """Answer a page request: act on the form if there is one, then lead back to the page.

    Args:
        keep: what was typed for an answer stands on the page again, and is not sent by this.
    """
    link = replace(
        _link(request),
        address=address_of(request, conduct.starts.address_header),
        agent=f"{request.headers.get('user-agent')} {request.headers.get('accept-language')}",
    )
    if not _is_ours(request, origin):
        return _elsewhere()
    error, form = "", None
    try:
        if act is None:
            return await _shown(conduct, link)
        if _is_foreign(request, origin):
            raise Closed(403, "foreign")
        form = await _form(request)
        try:
            cookie = await conduct.work(act, link, form)
            if keep and any(map(str.strip, [*typed_texts(form), str(form.get("drawing") or "")])):
                return await _shown(conduct, link, typed=form)
            return _back(request, link, cookie, "#noted" if keep else "")
        except Unclear as unclear:
            error = str(unclear)
            return await _shown(conduct, link, error=error, typed=form)
    except Closed as closed:
        return _page(closed_page(closed, error=error, typed=form), 422 if error else closed.status)


def _try_cookies(request: Request) -> Response | None:
    """Has the first form of a public link sent once more with a cookie, to see whether the browser keeps it."""
    if "slug" not in request.path_params or _keeps_cookies(request) or AGAIN in request.query_params:
        return None
    response = RedirectResponse(f"{request.url.path}?{AGAIN}=1", 307, HEADERS)
    _keep(response, request, TRIED, "1")
    return response


def _keeps_cookies(request: Request) -> bool:
    return COOKIE in request.cookies or TRIED in request.cookies


def _is_ours(request: Request, origin: str) -> bool:
    """Whether the name in `Host` is the links' own, or one that nobody else's name server can point here."""
    named = request.headers.get("host", "")
    name = (urlsplit(f"//{named}").hostname or "") if HOST.fullmatch(named) else ""
    return bool(name) and (name == urlsplit(origin).hostname or "." not in name or bool(ADDRESS.fullmatch(name)))


def _is_foreign(request: Request, origin: str) -> bool:
    """Whether a form was sent from a page that is not one of these."""
    sent = request.headers.getlist("origin")
    ours = origin.lower(), *(f"{scheme}://{request.headers.get('host', '').lower()}" for scheme in ("http", "https"))
    return request.headers.get("sec-fetch-site") == "cross-site" or any(each.lower() not in ours for each in sent)


def _elsewhere() -> Response:
    words = "The name in Host is not served here. Whoever runs this can set AURAL_PUBLIC_URL to it."
    return Response(words, 421, HEADERS, media_type="text/plain")


async def _shown(conduct: Conduct, link: Link, *, error: str = "", typed: FormData | None = None) -> Response:
    """The page for where the candidate stands; a session that has just finished is analysed behind it."""
    door = await conduct.work(conduct.arrive, link)
    response = _page(page_of(door, error=error, typed=typed), 422 if error else 200)
    if door.session is not None and door.session["status"] == "COMPLETED" and door.session["insights"] is None:
        response.background = BackgroundTask(conduct.analyse, door.session["id"])
    return response


def address_of(request: Request, header: str) -> str:
    """Where a request comes from: what the proxy's header says last, where one is trusted, else the connection."""
    said = request.headers.getlist(header)[-1].rpartition(",")[2].strip() if header in request.headers else ""
    address = said or (request.client.host if request.client else "")
    try:
        known = ip_address(address.strip("[]").partition("%")[0])
    except ValueError:
        return address
    if known.version == 6 and known.ipv4_mapped:
        return str(known.ipv4_mapped)
    return str(ip_network(f"{known}/64", strict=False)) if known.version == 6 else str(known)


async def _form(request: Request) -> FormData:
    raw = await request.body()
    if len(raw) > LONGEST_FORM:
        raise HTTPException(413)
    try:
        return await aside(_read, raw) if len(raw) > LARGE else _read(raw)
    except ValueError:
        raise HTTPException(400) from None


def _read(raw: bytes) -> FormData:
    """The fields of a form; ValueError when there are more than a page has."""
    sent = parse_qsl(raw.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=MOST_FIELDS)
    return FormData([*sent])


def _link(request: Request) -> Link:
    params = request.path_params
    if cookie := params.get("cookie"):
        return Link(f"/i/own/{cookie}", cookie=cookie)
    if token := params.get("token"):
        return Link(f"/i/invite/{token}", token=token)
    return Link(f"/i/{params['slug']}", slug=params["slug"], cookie=request.cookies.get(COOKIE))


def _back(request: Request, link: Link, cookie: Any, place: str = "") -> Response:
    """To the page: by the link and a cookie, else by an address that holds what the cookie would."""
    if isinstance(cookie, str) and not _keeps_cookies(request):
        return RedirectResponse(f"/i/own/{cookie}{place}", 303, HEADERS)
    response = RedirectResponse(link.path + place, 303, HEADERS)
    if isinstance(cookie, str):
        _keep(response, request, COOKIE, cookie, COOKIE_AGE)
    return response


def _keep(response: Response, request: Request, name: str, value: str, age: int | None = None) -> None:
    """Give the browser a cookie for the pages of this link."""
    secure = request.headers.get("x-forwarded-proto", request.url.scheme) == "https"
    path = _link(request).path
    response.set_cookie(name, value, max_age=age, path=path, httponly=True, samesite="lax", secure=secure)


def _page(page: Page, status: int = 200) -> Response:
    return Response(page, status, HEADERS, media_type="text/html")


def _workspace(store: Store) -> str:
    with store.reading() as db:
        return setting(db, "workspace") or ""

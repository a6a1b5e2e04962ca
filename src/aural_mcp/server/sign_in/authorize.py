"""The front of the flow: an application asks, a person answers, a browser goes back with a code."""

from __future__ import annotations

import json
import math
import re
import secrets
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import Response

from aural_mcp.api.errors import AuralError
from aural_mcp.api.operations import ListInterviews
from aural_mcp.config import GET_A_KEY, usable_key
from aural_mcp.server.desk import app as desk
from aural_mcp.server.desk.app import AROUND, NO_KEY, TRIES, WRONG_KEY
from aural_mcp.server.desk.troubles import trouble
from aural_mcp.server.inside import NotShown
from aural_mcp.server.principal import READ, WRITE, Clients
from aural_mcp.server.sign_in import pages
from aural_mcp.server.sign_in.applications import Application, Documents, UnknownApplication, publishes, shown
from aural_mcp.server.sign_in.identity import Identity, IdentityProvider, NotIdentified
from aural_mcp.server.sign_in.pace import Pace
from aural_mcp.server.sign_in.redirects import matches, read
from aural_mcp.server.sign_in.sealing import Seal, digest
from aural_mcp.server.sign_in.store import SignIns

if TYPE_CHECKING:
    from aural_mcp.client.client import AuralClient

HEADERS = {
    **{name: value for name, value in desk.HEADERS.items() if name != "cross-origin-opener-policy"},
    "x-frame-options": "DENY",
}
"""The desk's without its opener policy: hosts open a window, and the page it comes back to must find its opener."""
POLICY = (
    "default-src 'none'; style-src 'nonce-{nonce}'; form-action 'self' {targets}; frame-ancestors 'none'; "
    "base-uri 'none'"
)
ANSWERED_WITHIN, BROWSER_KNOWN = 600, 3_600
"""Seconds that somebody has to answer, and for which their browser is known."""
CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
COOKIE = re.compile(r"[A-Za-z0-9_-]{43}")
LONGEST_STATE = 2_048
TRIES_EACH, TRIES_TOGETHER = 10, 100
"""Keys that one address, and that all, may try in a minute."""
CALLBACK = "/sign-in/callback"
AGAIN = "Go back to the application and begin again there."
TOO_LATE = f"This page was open for too long, or is another browser's. {AGAIN}"


@dataclass(frozen=True)
class Asking:
    """What an application asks for, as it is kept while somebody decides; sealed, for one browser.

    Args:
        origin: ours, as the browser reaches it.
        wants: whether it asks for the right to change something.
        given: whether the application named the redirect, which it must then name again.
    """

    client: str
    application: str
    host: str
    redirect: str
    given: bool
    state: str | None
    challenge: str
    wants: bool
    origin: str


class NotAsked(Exception):
    """What came is no request that is answered to the application: a person is told, on a page."""


class Refusal(Exception):
    """A request that is answered with an error, at an address that is the application's own."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error = error


class Authorization:
    """`/authorize`, and what follows of it in the same browser.

    Args:
        provider: says who somebody is; without one a key is asked for.
        writes: whether the right to change things can be given.
    """

    def __init__(
        self,
        sign_ins: SignIns,
        seal: Seal,
        clients: Clients,
        client: AuralClient,
        documents: Documents,
        provider: IdentityProvider | None = None,
        *,
        writes: bool = True,
    ) -> None:
        self._sign_ins, self._seal, self._clients, self._provider = sign_ins, seal, clients, provider
        self._writes = writes
        self._documents, self._tries = documents, Pace(TRIES_EACH, TRIES_TOGETHER)
        self._backend = urlsplit(client.base_url).netloc

    async def ask(self, request: Request, origin: str) -> Response:
        """An application sends somebody: ask them, or have their provider say first who they are."""
        try:
            given = _fields(request.scope["query_string"].decode("latin-1"))
            application = await self._application(given.get("client_id", ""))
            redirect = _redirect(application, given.get("redirect_uri"))
        except (NotAsked, UnknownApplication) as error:
            return page(pages.message, "This cannot be answered", f"{error} {AGAIN}", status=400)
        state = given.get("state")
        try:
            _check(given, origin)
        except Refusal as error:
            return _turned_back(redirect, state, origin, error)
        asking = Asking(
            application.id,
            application.name,
            application.host,
            redirect,
            "redirect_uri" in given,
            state,
            given["code_challenge"],
            WRITE in given.get("scope", "").split(),
            origin,
        )
        browser = _browser(request, origin)
        if self._provider is None:
            answer = self._asked(asking, browser, None)
        else:
            answer = await self._to_provider(self._provider, asking, browser)
        _keep_browser(answer, browser, origin)
        return answer

    async def answer(self, request: Request, body: bytes, origin: str) -> Response:
        """Somebody answers the page; a browser says that the form was ours."""
        if _is_foreign(request, origin):
            return page(pages.message, "Not from here", f"Another page sent this. {AGAIN}", status=403)
        form = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
        opened = self._unsealed(form.get("request", ""), request.cookies.get(_cookie(origin), ""))
        if opened is None or opened[0].origin != origin:
            return page(pages.message, "Too late", TOO_LATE, status=400)
        asking, who = opened
        if form.get("answer") != "yes":
            words = "The user did not let the application in."
            return _back(asking.redirect, asking.state, origin, error="access_denied", error_description=words)
        chosen = "write" if form.get("access") == "write" and self._may_write(who) else "read"
        person: Identity | str
        if who is not None:
            person = who
        else:
            person = AROUND.sub("", form.get("key", ""))
            if refused := await self._refused(person, request, asking, chosen):
                return refused
        return await self._let_in(asking, person, chosen)

    async def come_back(self, request: Request, origin: str) -> Response:
        """A browser comes from the provider: ask what the application may do, and show who was recognized."""
        if self._provider is None:
            return page(pages.message, "Nothing here", "Nobody signs in here by a provider.", status=404)
        try:
            given = _fields(request.scope["query_string"].decode("latin-1"))
        except NotAsked as error:
            return page(pages.message, "This cannot be answered", f"{error} {AGAIN}", status=400)
        browser = request.cookies.get(_cookie(origin), "")
        kept = await self._sign_ins.back(given.get("state", "")) or self._travelled(given.get("state", ""), browser)
        waiting: dict[str, Any] = json.loads(kept) if kept else {"until": 0}
        late = waiting["until"] < time.time()
        if late or waiting["browser"] != digest(browser) or waiting["asking"]["origin"] != origin:
            return page(pages.message, "Too late", TOO_LATE, status=400)
        asking = Asking(**waiting["asking"])
        if "code" not in given:
            words = f"{self._provider.name} did not sign the user in."
            return _back(asking.redirect, asking.state, origin, error="access_denied", error_description=words)
        try:
            back = f"{origin}{CALLBACK}"
            who = await self._provider.identity(back, given["code"], waiting["nonce"], waiting["verifier"])
            if given.get("iss", who.issuer) != who.issuer:
                raise NotIdentified(f"Another provider than {self._provider.name} answered. {AGAIN}")
        except NotIdentified as error:
            return page(pages.message, "You are not signed in", str(error), status=403)
        answer = self._asked(asking, browser, who)
        _keep_browser(answer, browser, origin)
        return answer

    # ── Steps ───────────────────────────────────────────────────────────────────────────────────

    async def _application(self, client_id: str) -> Application:
        """Who asks.

        Raises:
            UnknownApplication: nobody knows, or its document cannot be read.
        """
        if publishes(client_id):
            return await self._documents.read(client_id)
        found = await self._sign_ins.application(client_id)
        if found is None:
            raise UnknownApplication("The application is not known here, or was forgotten because nobody used it.")
        return found

    async def _to_provider(self, provider: IdentityProvider, asking: Asking, browser: str) -> Response:
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        until = math.ceil(time.time() + ANSWERED_WITHIN)
        waiting = {"asking": asdict(asking), "browser": digest(browser), "nonce": nonce, "verifier": verifier}
        kept = json.dumps({**waiting, "until": until})
        if not await self._sign_ins.wait_for(state, kept):  # a flood: what is not kept travels, if that is long
            state = urlsafe_b64encode(self._seal.close(kept, browser, "pending")).decode()
        try:
            address = await provider.address(f"{asking.origin}{CALLBACK}", state, nonce, verifier)
        except NotIdentified as error:
            return page(pages.message, "Nobody can sign in now", str(error), status=503)
        return _redirected(address)

    def _travelled(self, state: str, browser: str) -> str | None:
        """What was sealed into a state for this browser."""
        try:
            return self._seal.open(urlsafe_b64decode(state), browser, "pending") if COOKIE.fullmatch(browser) else None
        except ValueError:
            return None

    def _asked(
        self,
        asking: Asking,
        browser: str,
        who: Identity | None,
        problem: str = "",
        chosen: str = "read",
        status: int = 200,
        wait: int | None = None,
    ) -> Response:
        redirect = read(asking.redirect)
        asked = pages.Asked(
            self._sealed(asking, browser, who),
            asking.application,
            redirect,
            asking.host,
            shown(who.name or who.subject) if who else "",
            who.role.name if who else "",
            self._may_write(who),
            asking.wants,
            self._backend,
            f"{GET_A_KEY}.",
        )
        return page(
            pages.consent,
            asked,
            problem=problem,
            chosen=chosen,
            status=status,
            targets=redirect.form_targets,
            wait=wait,
        )

    async def _refused(self, key: str, request: Request, asking: Asking, chosen: str) -> Response | None:
        """The page again where a key does not work, which is tried with one read."""
        browser = request.cookies[_cookie(asking.origin)]

        def again(problem: str, status: int, wait: int | None = None) -> Response:
            return self._asked(asking, browser, None, problem, chosen, status, wait)

        if not usable_key(key):
            return again(NO_KEY, 422)
        who = request.client.host if request.client else ""
        if wait := math.ceil(self._tries.wait(who)):
            return again(TRIES.format(wait=wait), 429, wait)
        try:
            await self._clients.client_for({"authorization": f"Bearer {key}"}).call(ListInterviews(limit=1))
        except AuralError as error:
            found = trouble(NotShown("", error))
            said = WRONG_KEY if found.status == 401 else f"{found.title}. {found.text}"
            return again(said, 422 if found.status == 401 else found.status, found.wait)
        self._tries.give_back(who)
        return None

    async def _let_in(self, asking: Asking, who: Identity | str, chosen: str) -> Response:
        scopes = f"{READ} {WRITE}" if chosen == "write" else READ
        kept = {"redirect_uri": asking.redirect if asking.given else None, "code_verifier": asking.challenge}
        application = Application(asking.client, asking.application, ())
        code = await self._sign_ins.begin(application, scopes, f"{asking.origin}/mcp", who, kept)
        return _back(asking.redirect, asking.state, asking.origin, code=code)

    def _may_write(self, who: Identity | None) -> bool:
        return self._writes and (who is None or not who.role.narrowing.read_only)

    # ── What is kept in the form ────────────────────────────────────────────────────────────────

    def _sealed(self, asking: Asking, browser: str, who: Identity | None) -> str:
        person = (
            {"issuer": who.issuer, "subject": who.subject, "name": who.name, "role": who.role.name} if who else None
        )
        kept = {"asking": asdict(asking), "who": person, "until": math.ceil(time.time() + ANSWERED_WITHIN)}
        return self._seal.close(json.dumps(kept), browser, "request").hex()

    def _unsealed(self, sealed: str, browser: str) -> tuple[Asking, Identity | None] | None:
        try:
            opened = self._seal.open(bytes.fromhex(sealed), browser, "request") if COOKIE.fullmatch(browser) else None
        except ValueError:
            return None
        kept: dict[str, Any] = json.loads(opened) if opened else {"until": 0}
        if kept["until"] < time.time():
            return None
        who: dict[str, Any] | None = kept["who"]
        if who is None:
            return (Asking(**kept["asking"]), None) if self._provider is None else None
        role = self._provider.role(who["role"]) if self._provider else None
        who["role"] = role
        return (Asking(**kept["asking"]), Identity(**who)) if role else None


# ── What came ───────────────────────────────────────────────────────────────────────────────────


def _fields(query: str) -> dict[str, str]:
    """The parameters of a request, each of which is there once.

    Raises:
        NotAsked: one is there twice, so nobody can tell which counts.
    """
    pairs = parse_qsl(query, keep_blank_values=True)
    given = dict(pairs)
    if len(given) != len(pairs):
        raise NotAsked("The application sent something twice.")
    return given


def _redirect(application: Application, asked: str | None) -> str:
    """Where the application is answered.

    Raises:
        NotAsked: that is not an address of its own.
    """
    if asked is None and len(application.redirects) == 1:
        return application.redirects[0]
    if asked is None or not matches(application.redirects, asked):
        raise NotAsked("The application wants to be answered at an address that is not one of its own.")
    return asked


def _check(given: Mapping[str, str], origin: str) -> None:
    """See that the flow is the one there is, with PKCE, for this server.

    Raises:
        Refusal: it is not.
    """
    if given.get("response_type") != "code":
        raise Refusal("unsupported_response_type", "response_type must be code.")
    if given.get("response_mode", "query") != "query":
        raise Refusal("invalid_request", "response_mode must be query, or be left out.")
    if given.get("code_challenge_method") != "S256" or not CHALLENGE.fullmatch(given.get("code_challenge", "")):
        raise Refusal("invalid_request", "PKCE is needed: code_challenge, with code_challenge_method=S256.")
    if len(given.get("state", "")) > LONGEST_STATE:
        raise Refusal("invalid_request", f"state may have {LONGEST_STATE} characters.")
    check_resource(given.get("resource"), origin)


def check_resource(resource: str | None, origin: str) -> None:
    """See that tokens are asked for this server, and for no other.

    Raises:
        Refusal: they are for another.
    """
    if resource is not None and resource.removesuffix("/") not in (origin, f"{origin}/mcp"):
        raise Refusal("invalid_target", f"resource must be {origin}/mcp, or be left out.")


def _is_foreign(request: Request, origin: str) -> bool:
    """Whether another page had a form sent, or none that says so."""
    sites, origins = request.headers.getlist("sec-fetch-site"), request.headers.getlist("origin")
    if any(each != "same-origin" for each in sites) or any(each != origin for each in origins):
        return True
    return not origins and not sites


# ── The browser ─────────────────────────────────────────────────────────────────────────────────


def _cookie(origin: str) -> str:
    """Browsers keep `__Host-` cookies of HTTPS only, and send a cookie to every port of a host."""
    return "__Host-aural_sign_in" if origin.startswith("https:") else f"aural_sign_in_{urlsplit(origin).port}"


def _browser(request: Request, origin: str) -> str:
    """What this browser is known by; where it asks twice, both pages are good."""
    known = request.cookies.get(_cookie(origin), "")
    return known if COOKIE.fullmatch(known) else secrets.token_urlsafe(32)


def _keep_browser(response: Response, value: str, origin: str) -> None:
    given = {"httponly": True, "samesite": "lax", "secure": origin.startswith("https:"), "path": "/"}
    response.set_cookie(_cookie(origin), value, max_age=BROWSER_KNOWN, **given)  # pyright: ignore[reportArgumentType]


# ── Answers ─────────────────────────────────────────────────────────────────────────────────────


def page(show: Any, *given: Any, status: int, targets: str = "", wait: int | None = None, **more: Any) -> Response:
    """A page as an answer; it runs nothing, is framed by nobody and kept nowhere."""
    nonce = secrets.token_urlsafe(16)
    policy = POLICY.format(nonce=nonce, targets=targets).replace("  ", " ").replace(" ;", ";")
    later = {"retry-after": str(wait)} if wait else {}
    headers = {**HEADERS, **later, "content-security-policy": policy}
    return Response(show(*given, nonce=nonce, **more), status, headers, media_type="text/html")


def _back(redirect: str, state: str | None, origin: str, **said: str) -> Response:
    """Back to the application, with who says so."""
    told = {**said, **({} if state is None else {"state": state}), "iss": origin}
    sent = urlencode(told, quote_via=quote, safe="")
    return _redirected(f"{redirect}{'&' if '?' in redirect else '?'}{sent}")


def _turned_back(redirect: str, state: str | None, origin: str, why: Refusal) -> Response:
    """Back to the application with an error, at once to a program on this computer only.

    Anybody may register an address on the web: if this led there by itself, a link to us could lead anywhere.
    """
    back, to = _back(redirect, state, origin, error=why.error, error_description=str(why)), read(redirect)
    if to.loopback:
        return back
    words = f"The application asked in a way that is not answered here. {why}"
    return page(pages.message, "This cannot be answered", words, status=400, link=(back.headers["location"], to.shown))


def _redirected(address: str) -> Response:
    # not starlette's, which writes an address anew
    return Response(status_code=303, headers={**HEADERS, "location": address})

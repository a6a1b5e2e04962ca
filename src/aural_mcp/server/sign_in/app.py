"""People sign in: what is served for it besides `/mcp`, and whose request one is that brings a token."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from aural_mcp.config import sent_key, usable_key
from aural_mcp.server.principal import EVERYTHING, READ, WRITE, Clients, Principal, Role
from aural_mcp.server.sign_in.applications import BASIC, NONE, POST, Documents
from aural_mcp.server.sign_in.authorize import CALLBACK, Authorization
from aural_mcp.server.sign_in.identity import IdentityProvider
from aural_mcp.server.sign_in.sealing import Seal, digest
from aural_mcp.server.sign_in.store import SignIn, SignIns
from aural_mcp.server.sign_in.tokens import Tokens

if TYPE_CHECKING:
    from aural_mcp.client.client import AuralClient

RESOURCE, SERVER = "/.well-known/oauth-protected-resource", "/.well-known/oauth-authorization-server"
OPEN = (RESOURCE, f"{RESOURCE}/mcp", SERVER, f"{SERVER}/mcp", "/token", "/register", "/revoke")
"""What pages of any origin may read: nothing there is the browser's own."""
REMEMBERED, MOST_REMEMBERED = 5.0, 1_000
"""Seconds for which a token that was good is taken to be good, and tokens of which that is remembered."""
LOOKS = ("GET", "HEAD")
METADATA_KEPT = {"cache-control": "max-age=300"}
REFUSED = "the backend does not take its key any more"
Endpoint = Callable[[Request, bytes, str], Awaitable[Response]]


class NotSignedIn(Exception):
    """A request without a token that is good; with what a host needs to get one."""

    def __init__(self, challenge: str, message: str, status: int = 401) -> None:
        super().__init__(message)
        self.challenge, self.status = challenge, status


class SignInServer:
    """The authorization server of hosts, and the one who knows what its tokens mean.

    Args:
        client: of the backend; whose state is shared.
        keys: the operator's secrets, under which keys are sealed.
        provider: says who somebody is; without one a person gives an Aural key.
        key: the operator's, with which requests of the provider's people are relayed.
        header_keys: whether a request may bring an Aural key instead.
        writes: whether anybody may be given the right to change things.
    """

    def __init__(
        self,
        clients: Clients,
        client: AuralClient,
        keys: Sequence[bytes],
        *,
        provider: IdentityProvider | None = None,
        key: str = "",
        header_keys: bool = False,
        writes: bool = True,
        documents: Documents | None = None,
    ) -> None:
        seal = Seal(keys)
        self._sign_ins = SignIns(client.state, seal)
        self._provider, self._key, self._header_keys = provider, key, header_keys
        self._known: dict[str, tuple[Principal, str, float]] = {}
        front = Authorization(self._sign_ins, seal, clients, client, documents or Documents(), provider, writes=writes)
        back = Tokens(self._sign_ins)
        self._routes: dict[tuple[str, str], Endpoint] = {
            ("GET", "/authorize"): lambda request, body, origin: front.ask(request, origin),
            ("POST", "/sign-in"): front.answer,
            ("GET", CALLBACK): lambda request, body, origin: front.come_back(request, origin),
            ("POST", "/token"): self._afresh(back.token),
            ("POST", "/register"): back.register,
            ("POST", "/revoke"): self._afresh(back.revoke),
            **{(read, path): _resource for read in LOOKS for path in OPEN if path.startswith(RESOURCE)},
            **{(read, path): _server for read in LOOKS for path in OPEN if path.startswith(SERVER)},
        }

    def methods(self, path: str) -> list[str]:
        """What may be done at an address; nothing where it is not of the sign-in."""
        return [method for method, known in self._routes if known == path]

    async def __call__(self, request: Request, body: bytes, origin: str) -> Response:
        """Answer a request to one of these addresses.

        Args:
            origin: `scheme://host[:port]` by which we are reached.
        """
        return await self._routes[request.method, request.url.path.removesuffix("/")](request, body, origin)

    async def admit(self, headers: Mapping[str, str], origin: str) -> Principal | None:
        """Who a request is of; None where it brings an Aural key, and may.

        Raises:
            NotSignedIn: it brings no token, or one that is not good.
        """
        sent = sent_key(headers)
        if self._header_keys and usable_key(sent):
            return None
        scheme, _, rest = headers.get("authorization", "").partition(" ")
        token = rest.strip() if scheme.lower() == "bearer" else ""
        if not token:
            raise NotSignedIn(challenge(origin), "Sign in first: this server takes tokens of its own sign-in.")
        found = await self._principal(token, f"{origin}/mcp")
        if found is None:
            words = "The token is not good any more, or is of another server. Sign in again."
            raise NotSignedIn(challenge(origin, error="invalid_token", error_description=words), words)
        return found

    async def lasts(self, principal: Principal, headers: Mapping[str, str], origin: str) -> bool:
        """Whether who was admitted still would be; a token of ours may have been renewed meanwhile."""
        lives = await self._sign_ins.lives(principal.sign_in)
        return await self._principal(sent_key(headers), f"{origin}/mcp") is not None if lives is None else lives

    async def end(self, principal: Principal) -> None:
        """End a sign-in whose key the backend refused."""
        self._known.clear()
        await self._sign_ins.end(principal.sign_in, REFUSED)

    async def _principal(self, token: str, resource: str) -> Principal | None:
        place = digest(token)
        known, bound, until = self._known.get(place, (None, "", 0.0))
        if known is None or time.monotonic() >= until or bound != resource:
            known = await self._looked_up(token, resource)
            self._known.pop(place, None)
            if known is not None:
                self._known[place] = known, resource, time.monotonic() + REMEMBERED
            while len(self._known) > MOST_REMEMBERED:
                self._known.pop(next(iter(self._known)))
        return known

    async def _looked_up(self, token: str, resource: str) -> Principal | None:
        found = await self._sign_ins.find(token)
        if found is not None:
            sign_in, key = found
            return await self._of(sign_in, key) if sign_in.resource == resource else None
        said = await self._provider.bearer(token, resource) if self._provider else None
        if said is None:
            return None
        who, scopes = said
        id_ = digest(f"{who.issuer} {who.subject}")[:16]
        return Principal(self._key, id_, "", scopes, who.issuer, who.subject, who.name, who.role)

    async def _of(self, sign_in: SignIn, key: str | None) -> Principal | None:
        role: Role | None = Role("", EVERYTHING)
        if sign_in.issuer != (self._provider.issuer if self._provider else ""):
            await self._sign_ins.end(sign_in.id, "people sign in another way now")
            return None
        if self._provider:
            role = self._provider.role(sign_in.role)
            if role is None:
                await self._sign_ins.end(sign_in.id, f"there is no role {sign_in.role} any more")
                return None
        scopes = frozenset(sign_in.scopes.split())
        person = sign_in.issuer, sign_in.subject, sign_in.name, role
        return Principal(key or self._key, sign_in.id, sign_in.application, scopes, *person)

    def _afresh(self, endpoint: Endpoint) -> Endpoint:
        """An endpoint after which nothing is taken to be good that was looked up before."""

        async def answered(request: Request, body: bytes, origin: str) -> Response:
            answer = await endpoint(request, body, origin)
            self._known.clear()
            return answer

        return answered


def challenge(origin: str, *, scope: str = READ, **said: str) -> str:
    """What a host reads of a refusal, in `WWW-Authenticate`: where to sign in, and what to ask for."""
    told = {**said, "scope": scope, "resource_metadata": f"{origin}{RESOURCE}/mcp"}
    return "Bearer " + ", ".join(f'{name}="{value}"' for name, value in told.items())


def needs_write(origin: str) -> NotSignedIn:
    """A call that changes something, with a token that may only read."""
    words = "This sign-in may only read. Sign in again and choose “Read and change”; nothing was done."
    told = challenge(
        origin, scope=f"{READ} {WRITE}", error="insufficient_scope", error_description="This tool needs aural:write"
    )
    return NotSignedIn(told, words, 403)


async def _resource(request: Request, body: bytes, origin: str) -> Response:
    """What a host learns first: who gives tokens for `/mcp`. It begins with the right to read."""
    said = {
        "resource": f"{origin}/mcp",
        "authorization_servers": [origin],
        "scopes_supported": [READ],
        "bearer_methods_supported": ["header"],
        "resource_name": "Aural interviews",
    }
    return JSONResponse(said, headers=METADATA_KEPT)


async def _server(request: Request, body: bytes, origin: str) -> Response:
    """How it gets them."""
    methods = [NONE, POST, BASIC]
    said = {
        "issuer": origin,
        "authorization_endpoint": f"{origin}/authorize",
        "token_endpoint": f"{origin}/token",
        "registration_endpoint": f"{origin}/register",
        "revocation_endpoint": f"{origin}/revoke",
        "scopes_supported": [READ, WRITE],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_methods_supported": methods,
        "code_challenge_methods_supported": ["S256"],
        "client_id_metadata_document_supported": True,
        "authorization_response_iss_parameter_supported": True,
    }
    return JSONResponse(said, headers=METADATA_KEPT)

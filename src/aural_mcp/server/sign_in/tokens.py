"""The back of the flow, between an application and us: registration, tokens, and the end of a sign-in."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import math
import re
import secrets
import time
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import parse_qsl, unquote_plus

from pydantic_core import from_json
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from aural_mcp.server.principal import READ, WRITE
from aural_mcp.server.sign_in.applications import NONE, Application, described, publishes
from aural_mcp.server.sign_in.authorize import Refusal, check_resource
from aural_mcp.server.sign_in.pace import Pace
from aural_mcp.server.sign_in.redirects import BadRedirect
from aural_mcp.server.sign_in.sealing import digest
from aural_mcp.server.sign_in.store import ACCESS_LASTS, Denied, Issued, SignIns

NO_STORE = {"cache-control": "no-store", "pragma": "no-cache"}
VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")
REGISTRATIONS_EACH, REGISTRATIONS_TOGETHER = 30, 120
"""Applications that may register in a minute from one address, and from all."""


class Tokens:
    """`/register`, `/token` and `/revoke`."""

    def __init__(self, sign_ins: SignIns) -> None:
        self._sign_ins, self._pace = sign_ins, Pace(REGISTRATIONS_EACH, REGISTRATIONS_TOGETHER)

    async def register(self, request: Request, body: bytes, origin: str) -> Response:
        """Dynamic registration, of RFC 7591."""
        if wait := math.ceil(self._pace.wait(request.client.host if request.client else "")):
            return _error("temporarily_unavailable", "Many applications registered just now.", 429, str(wait))
        try:
            said = from_json(body)
        except ValueError:
            return _error("invalid_client_metadata", "The description is not JSON, or is nested too deeply.")
        try:
            if not isinstance(said, dict):
                raise ValueError("The description is a JSON object, as RFC 7591 says.")
            made = described(f"app_{secrets.token_urlsafe(16)}", cast("dict[str, Any]", said))
        except BadRedirect as error:
            return _error("invalid_redirect_uri", str(error))
        except ValueError as error:
            return _error("invalid_client_metadata", str(error))
        secret = "" if made.method == NONE else secrets.token_urlsafe(32)
        kept = Application(made.id, made.name, made.redirects, made.method, digest(secret) if secret else "")
        if not await self._sign_ins.register(kept):
            words = "No more applications can register here. Publish a document about yours, and use its address."
            return _error("temporarily_unavailable", words, 503, "3600")
        answer: dict[str, Any] = {
            "client_id": made.id,
            "client_id_issued_at": int(time.time()),
            "client_name": made.name,
            "redirect_uris": list(made.redirects),
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": made.method,
            "scope": f"{READ} {WRITE}",
        }
        if secret:
            answer |= {"client_secret": secret, "client_secret_expires_at": 0}
        return JSONResponse(answer, 201, NO_STORE)

    async def token(self, request: Request, body: bytes, origin: str) -> Response:
        """Tokens for a code, or for a refresh token."""
        try:
            form = _form(request, body)
            client = await self._client(request, form)
            check_resource(form.get("resource"), origin)
            match form.get("grant_type"):
                case "authorization_code":
                    issued = await self._redeemed(form, client)
                case "refresh_token":
                    issued = await self._sign_ins.refresh(form.get("refresh_token", ""), client)
                case _:
                    words = "grant_type must be authorization_code or refresh_token."
                    raise Denied("unsupported_grant_type", words)
        except Refusal as refused:
            return _error(refused.error, str(refused))
        except Denied as denied:
            return _error(denied.error, denied.description, 401 if denied.error == "invalid_client" else 400)
        return JSONResponse(_told(issued), headers=NO_STORE)

    async def revoke(self, request: Request, body: bytes, origin: str) -> Response:
        """The application signs somebody out; a token that is not good needs no more."""
        try:
            form = _form(request, body)
            client = await self._client(request, form)
            await self._sign_ins.revoke(form.get("token", ""), client)
        except Denied as denied:
            return _error(denied.error, denied.description, 401 if denied.error == "invalid_client" else 400)
        return Response(status_code=200, headers=NO_STORE)

    async def _redeemed(self, form: Mapping[str, str], client: str) -> Issued:
        verifier = form.get("code_verifier", "")
        if not VERIFIER.fullmatch(verifier):
            raise Denied("invalid_request", "code_verifier is missing, or is none: it has 43 to 128 characters.")
        hashed = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        shown = {"redirect_uri": form.get("redirect_uri"), "code_verifier": hashed}
        return await self._sign_ins.redeem(form.get("code", ""), client, shown)

    async def _client(self, request: Request, form: Mapping[str, str]) -> str:
        """Which application this is, and that it is itself where it has a secret.

        Raises:
            Denied: it is not known, or shows another secret.
        """
        id_, secret = form.get("client_id", ""), form.get("client_secret", "")
        scheme, _, rest = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic":
            try:
                name, _, sent = base64.b64decode(rest.strip(), validate=True).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError):
                raise Denied("invalid_client", "Authorization: Basic has the id and the secret in base64.") from None
            name, sent = unquote_plus(name), unquote_plus(sent)
            if id_ not in ("", name):
                raise Denied("invalid_client", "client_id is another than in Authorization.")
            id_, secret = name, sent
        if publishes(id_):
            return id_
        known = await self._sign_ins.application(id_) if id_ else None
        if known is None:
            raise Denied("invalid_client", "The application is not known here. Register it again.")
        if known.secret and not hmac.compare_digest(known.secret, digest(secret)):
            raise Denied("invalid_client", "The application's secret is missing, or is another.")
        return id_


def _form(request: Request, body: bytes) -> dict[str, str]:
    """The fields of a request, each of which is there once.

    Raises:
        Denied: it is no form, or says something twice.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    pairs = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)
    if kind != "application/x-www-form-urlencoded" or len(dict(pairs)) != len(pairs):
        raise Denied("invalid_request", "Send each field once, as application/x-www-form-urlencoded.")
    return dict(pairs)


def _told(issued: Issued) -> dict[str, Any]:
    return {
        "access_token": issued.access,
        "token_type": "Bearer",
        "expires_in": int(ACCESS_LASTS),
        "refresh_token": issued.refresh,
        "scope": issued.scopes,
    }


def _error(error: str, description: str, status: int = 400, retry_after: str = "") -> Response:
    headers = {**NO_STORE, **({"retry-after": retry_after} if retry_after else {})}
    if error == "invalid_client":
        headers["www-authenticate"] = "Basic"
    return JSONResponse({"error": error, "error_description": description}, status, headers)

"""Signing in with the company's identity provider, by OpenID Connect: Entra ID, Okta, Google, Keycloak and others."""

from __future__ import annotations

import base64
import hashlib
import logging
import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import quote_plus, urlencode, urlsplit

import httpx

from aural_mcp.safety import outside
from aural_mcp.server.principal import READ, WRITE, Role
from aural_mcp.server.sign_in.fetching import Browser, Document, Kept, trouble
from aural_mcp.server.sign_in.identity import Identity, NotIdentified
from aural_mcp.server.sign_in.roles import (
    GOOGLE,
    Roles,
    TooMany,
    claim_at,
    left_out,
    members,
    values_of,
    verified_email,
)
from aural_mcp.server.sign_in.settings import CLIENT_SECRET, ISSUER, Company, is_safe
from aural_mcp.server.sign_in.signatures import FITTING, BadToken, Signatures

METADATA_KEPT, KEYS_KEPT = 3600.0, 600.0
"""Seconds."""
BASIC, POST = "client_secret_basic", "client_secret_post"
NAMES = ("preferred_username", "upn", "name")
"""What a person is called by where the provider vouches for no e-mail address of theirs, in this order."""
LONGEST_NAME = 100
SUBJECTS = {
    "login.microsoftonline.com": "oid",
    "login.microsoftonline.us": "oid",
    "login.partner.microsoftonline.cn": "oid",
    "okta.com": "uid",
}
"""Where `sub` differs from one application or kind of token to another, and what stays the same for a person."""
NOT_FOR_US = ("nonce", "at_hash", "c_hash", "events", "cnf")
"""What an id_token, a logout token and a token that is bound to somebody else's key have, and a bearer's has not."""
log = logging.getLogger(__name__)


class Oidc:
    """A company's identity provider. It is asked for nothing before somebody needs it.

    Args:
        transport: how it is reached, where not as the environment says.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        company: Company,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._company, self._browser = company, Browser(transport)
        self.name, self.issuer = urlsplit(company.issuer).netloc, company.issuer
        self._metadata = Kept(self._discovered, METADATA_KEPT, clock)
        issuers = [company.issuer, *(["accounts.google.com"] if company.issuer == GOOGLE else [])]
        self._signatures = Signatures(Kept(self._keys, KEYS_KEPT, clock), issuers)
        self._authenticated_by = ""

    async def look(self) -> None:
        """Ask the provider what it is, so that a mistake in the settings is in the log before anybody signs in."""
        with suppress(NotIdentified):
            await self._metadata.get()

    async def address(self, back: str, state: str, nonce: str, verifier: str) -> str:
        """Where a browser goes to sign in; see `IdentityProvider`."""
        metadata = await self._metadata.get()
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {
            "response_type": "code",
            "client_id": self._company.client_id,
            "redirect_uri": back,
            "scope": " ".join(self._scopes(metadata)),
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        endpoint = metadata["authorization_endpoint"]
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(asked)}"

    async def identity(self, back: str, code: str, nonce: str, verifier: str) -> Identity:
        """Who came back with this code; see `IdentityProvider`."""
        metadata = await self._metadata.get()
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": back, "code_verifier": verifier}
        answer = await self._exchanged(metadata, form)
        token = answer.get("id_token")
        try:
            if not isinstance(token, str):
                raise BadToken("there is none")
            claims = await self._signatures.claims(token, self._company.client_id, _algorithms(metadata))
            if claims.get("nonce") != nonce:
                raise BadToken("it belongs to another sign-in")
            made_for = self._company.client_id if len(_audiences(claims)) == 1 else None
            if claims.get("azp", made_for) != self._company.client_id:
                raise BadToken("it was made for another application")
        except BadToken as bad:
            raise trouble("id_token is not good", str(bad)) from None
        return self._identified(await self._completed(claims, metadata, answer.get("access_token")))

    async def bearer(self, token: str, resource: str) -> tuple[Identity, frozenset[str]] | None:
        """Who a token of the provider itself is of; see `IdentityProvider`."""
        try:
            head, claims = self._signatures.unsigned(token, resource)
            if not _is_access(head, claims) or self._company.client_id in _audiences(claims):
                return None
            algorithms = _algorithms(await self._metadata.get())
            claims = await self._signatures.claims(token, resource, algorithms)
            scopes = values_of(claims, "scope") | values_of(claims, "scp")
            return self._identified(claims), frozenset({READ, WRITE} & {READ, *scopes})
        except (BadToken, NotIdentified):
            return None

    def role(self, name: str) -> Role | None:
        """The role of this name; None where it has gone."""
        return self._company.roles.named(name)

    # ── What the provider is ────────────────────────────────────────────────────────────────────

    async def _discovered(self) -> Document:
        issuer = self._company.issuer
        found = await self._browser.get(f"{issuer.rstrip('/')}/.well-known/openid-configuration", "metadata")
        if found.get("issuer") != issuer:
            other = f"it calls itself {str(found.get('issuer'))[:200]!r}, and {ISSUER} is {issuer}"
            raise trouble(
                "metadata is another's", f"{other}. Set it letter by letter, at Entra ID with your tenant's id"
            )
        needed = [found.get(f"{each}_endpoint") for each in ("authorization", "token")] + [found.get("jwks_uri")]
        if "userinfo_endpoint" in found:
            needed.append(found["userinfo_endpoint"])
        if not all(is_safe(each) and str(each).startswith(issuer.partition("/")[0]) for each in needed):
            raise trouble("metadata is not what it should be", "an address is missing, or not https")
        if not _algorithms(found):
            raise trouble(
                "metadata is not what it should be", f"its id_token is signed by none of {', '.join(FITTING)}"
            )
        return found

    async def _keys(self) -> Document:
        metadata = await self._metadata.get()
        keys = await self._browser.get(metadata["jwks_uri"], "key set")
        if not members(keys.get("keys")):
            raise trouble("key set is not what it should be", "it is empty")
        return keys

    def _scopes(self, metadata: Document) -> list[str]:
        """What is asked for: who somebody is, and a scope of the claim's name where there is one, as at Okta."""
        offered = members(metadata.get("scopes_supported", ["profile", "email"]))
        root = self._company.roles.claim.partition(".")[0]
        return ["openid", *(each for each in dict.fromkeys(("profile", "email", root)) if each in offered)]

    async def _exchanged(self, metadata: Document, form: dict[str, str]) -> Document:
        """What the provider gives for a code."""
        offered = members(metadata.get("token_endpoint_auth_methods_supported", [BASIC]))
        # the way that it took last time comes first
        ways = sorted((each for each in (BASIC, POST) if each in offered), key=self._authenticated_by.__ne__)
        if not ways:
            raise trouble("token endpoint takes no client secret", f"neither {BASIC} nor {POST}")
        client, secret = self._company.client_id, self._company.client_secret
        status, answer = 0, {}
        for way in ways:
            pair = f"{quote_plus(client)}:{quote_plus(secret)}"
            basic = f"Basic {base64.b64encode(pair.encode()).decode()}" if way == BASIC else ""
            more = {} if basic else {"client_id": client, "client_secret": secret}
            status, answer = await self._browser.post(
                metadata["token_endpoint"], "token endpoint", {**form, **more}, basic
            )
            if answer.get("error") != "invalid_client":
                self._authenticated_by = way
                break
        if status == 200:
            return answer
        error = str(answer.get("error"))
        if error == "invalid_grant":
            raise NotIdentified("This sign-in was used before, or took too long. Begin again in your application.")
        why = f"{error if re.fullmatch('[a-z_]{1,40}', error) else 'no word of why'}, status {status}"
        wrong = f". {CLIENT_SECRET} is wrong, or no longer good" if error == "invalid_client" else ""
        raise trouble("token endpoint refuses this server", why + wrong)

    # ── Who somebody is ─────────────────────────────────────────────────────────────────────────

    async def _completed(self, claims: Document, metadata: Document, access_token: object) -> Document:
        """The claims of the id_token, and beside them what only userinfo says."""
        roles, endpoint = self._company.roles, metadata.get("userinfo_endpoint")
        unknown = roles.claim and claim_at(claims, roles.claim) is None and not left_out(claims, roles.claim)
        unnamed = not any(each in claims for each in ("email", *NAMES))
        lacks = unknown or unnamed or (roles.by_email and "email" not in claims)
        if not lacks or endpoint is None or not isinstance(access_token, str):
            return claims
        more = await self._browser.get(endpoint, "userinfo", f"Bearer {access_token}")
        if more.get("sub") != claims["sub"]:
            raise trouble("userinfo is about somebody else")
        email = more if "email" not in claims else claims  # whether it is verified is said beside it
        return {**more, **claims, "email": email.get("email"), "email_verified": email.get("email_verified")}

    def _identified(self, claims: Document) -> Identity:
        """The person, and the role that is theirs."""
        issuer, roles = self._company.issuer, self._company.roles
        claims = {**claims, "iss": issuer}
        subject = claims.get(_subject_at(urlsplit(issuer).hostname or ""))
        subject = subject if isinstance(subject, str) and subject else claims["sub"]
        if len(subject) > 255 or not subject.isprintable():
            raise trouble("id_token is not good", "its subject is too long, or not printable")
        name = _name(claims)
        try:
            role = roles.role(claims)
        except TooMany:
            raise NotIdentified(
                f"You are in more groups than {self.name} lists, so your role is not known. Ask {roles.contact}: the "
                "token must carry roles of the application, or only the groups that are assigned to it."
            ) from None
        if role is None:
            log.warning("Somebody signed in for whom there is no role: %s.", _why_none(roles, claims))
            raise NotIdentified(f"You are {name} at {self.name}, and have no role here. Ask {roles.contact} for one.")
        return Identity(issuer, subject, name, role)


def _algorithms(metadata: Document) -> list[str]:
    offered = members(metadata.get("id_token_signing_alg_values_supported", ["RS256"]))
    return [each for each in FITTING if each in offered]


def _audiences(claims: Mapping[str, Any]) -> list[Any]:
    return members(claims["aud"]) or [claims["aud"]]


def _why_none(roles: Roles, claims: Document) -> str:
    """Why no role fits, for the operator: mostly the provider does not say yet what the mapping asks for."""
    why: list[str] = []
    if roles.claim:
        found = "holds none of the mapping's values" if values_of(claims, roles.claim) else "holds no text"
        missing = claim_at(claims, roles.claim) is None
        why.append(f"the claim {roles.claim!r} {'is missing' if missing else found}")
    if roles.by_email:
        why.append("no address or domain fits" if verified_email(claims) else "no e-mail address is vouched for")
    return ", and ".join(why)


def _is_access(head: Mapping[str, Any], claims: Mapping[str, Any]) -> bool:
    """Whether a token may be an access token of a person, which anybody can bear."""
    return (
        str(head.get("typ", "JWT")).lower().removeprefix("application/") in ("jwt", "at+jwt")
        and claims.get("typ", "Bearer") == "Bearer"  # as Keycloak says
        and claims.get("token_use", "access") == "access"  # as Cognito says
        and not any(each in claims for each in NOT_FOR_US)
        and claims["sub"] not in [claims.get(each) for each in ("client_id", "cid", "azp")]
        and claims.get("idtyp", "user") == "user"  # as Entra ID says
        and claims.get("gty") != "client-credentials"  # as Auth0 says
    )


def _subject_at(host: str) -> str:
    return next((name for domain, name in SUBJECTS.items() if f".{host}".endswith(f".{domain}")), "sub")


def _name(claims: Mapping[str, Any]) -> str:
    """What the decision log calls somebody: an address that the provider vouches for, or what it calls them."""
    called = [verified_email(claims), *(claims.get(each) for each in NAMES), claims["sub"]]
    cleaned = (" ".join(outside(each).split())[:LONGEST_NAME] for each in called if isinstance(each, str))
    return next((each for each in cleaned if each), "somebody")

"""Whose request it is: the client with the caller's key, and who signed in where people do."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import astuple, dataclass, field
from typing import Any, NamedTuple, Protocol

from mcp.server.mcpserver import Context

from aural_mcp.api.errors import NoUsableKey
from aural_mcp.client.client import AuralClient
from aural_mcp.config import GET_A_KEY, Narrowing, sent_key
from aural_mcp.privacy.exposure import Exposure
from aural_mcp.server.access import Access

READ, WRITE = "aural:read", "aural:write"
"""Scopes of a sign-in; who may write may read."""
PRINCIPAL = "aural.principal"
"""Where a request over HTTP carries who signed in, in its ASGI scope: nothing that a client sends gets there."""

EVERYTHING = Narrowing()


@dataclass(frozen=True)
class Role:
    """What somebody may do. It narrows what the operator allows, and never widens it.

    Args:
        interviews: the ids of the only interviews that exist for it; None is all.
    """

    name: str = ""
    narrowing: Narrowing = EVERYTHING
    interviews: frozenset[str] | None = None


@dataclass(frozen=True)
class Principal:
    """Somebody who signed in, and the application that asks for them.

    Args:
        key: the Aural key that their requests are relayed with.
        sign_in: the id of their sign-in, as `aural-mcp sign-ins list` shows it.
        application: what the host calls itself.
        issuer: the identity provider; empty where a key was given instead.
        subject: who they are at that provider.
        name: name or e-mail address there.
    """

    key: str = field(repr=False)
    sign_in: str
    application: str = ""
    scopes: frozenset[str] = frozenset({READ})
    issuer: str = ""
    subject: str = ""
    name: str = ""
    role: Role = Role()

    @property
    def writes(self) -> bool:
        """Whether this sign-in may change anything."""
        return WRITE in self.scopes

    @property
    def person(self) -> str:
        """Who shares a key's requests with others as one, whatever asks for them."""
        named = [self.issuer, self.subject or self.sign_in]
        return hashlib.sha256(json.dumps(named).encode()).hexdigest()

    @property
    def tenant(self) -> str:
        """Whose answers these are, for what is remembered, signed and confirmed: key, issuer, subject and role.

        A role that was changed is another one, though its name is the same.
        """
        interviews = None if self.role.interviews is None else sorted(self.role.interviews)
        role = [self.role.name, astuple(self.role.narrowing), interviews]
        named = [self.key, self.issuer, self.subject or self.sign_in, role]
        return hashlib.sha256(json.dumps(named).encode()).hexdigest()


def principal_of(context: Context[Any, Any] | None) -> Principal | None:
    """Who signed in; None on stdio, in a local workspace, and where a key came in a header."""
    try:
        request = context.request_context.request if context else None
    except ValueError:  # no host made this call: a terminal did, or a page of the desk
        return None
    found = getattr(request, "scope", {}).get(PRINCIPAL)
    return found if isinstance(found, Principal) else None


class Asking(NamedTuple):
    """Who asks, and what they may do and see."""

    headers: Mapping[str, str] | None
    principal: Principal | None
    access: Access
    exposure: Exposure


class Clients(Protocol):
    """Gives the client that carries the caller's own key."""

    def client_for(self, headers: Mapping[str, str] | None, principal: Principal | None = None) -> AuralClient: ...


class OneClient:
    """Everybody who can talk to this process uses one key: stdio, or a local workspace.

    Args:
        problem: a sentence that every call answers with, when the settings leave no usable key.
    """

    def __init__(self, client: AuralClient, problem: str = "") -> None:
        self._client, self._problem = client, problem

    def client_for(self, headers: Mapping[str, str] | None, principal: Principal | None = None) -> AuralClient:
        if self._problem:
            raise NoUsableKey(self._problem)
        return self._client


class KeyPerRequest:
    """Over HTTP each request brings its key, or was signed in for; else it is refused, and no other key stands in."""

    def __init__(self, client: AuralClient) -> None:
        self._client = client

    def client_for(self, headers: Mapping[str, str] | None, principal: Principal | None = None) -> AuralClient:
        key = principal.key if principal else sent_key(headers or {})
        if not key:
            raise NoUsableKey(
                "This request carries no Aural API key.",
                f"Send it with every request, as `Authorization: Bearer dlv_...` or `x-api-key: dlv_...`. {GET_A_KEY}.",
            )
        return self._client.with_key(key, person=principal.person if principal else "")

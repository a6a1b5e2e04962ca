"""Who somebody is, as the company's identity provider says, and what a provider has to be able to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from aural_mcp.server.principal import Role


class NotIdentified(Exception):
    """Nobody is signed in: a sentence for the person in front of the page, with the next step."""


@dataclass(frozen=True)
class Identity:
    """A person at their provider, and the role that its claims give them.

    Args:
        name: their name or e-mail address, as the decision log shows it.
    """

    issuer: str
    subject: str
    name: str
    role: Role


class IdentityProvider(Protocol):
    """The company's provider, which says who somebody is; our server is its confidential client."""

    name: str
    """What people know it by, e.g. its host."""
    issuer: str
    """What it calls itself."""

    async def address(self, back: str, state: str, nonce: str, verifier: str) -> str:
        """Where a browser goes to sign in.

        Args:
            back: our address that it comes back to.
            state: comes back as it is.
            verifier: of PKCE; only its challenge is sent.

        Raises:
            NotIdentified: the provider does not say where.
        """
        ...

    async def identity(self, back: str, code: str, nonce: str, verifier: str) -> Identity:
        """Who came back with this code.

        Raises:
            NotIdentified: the code, the token or its claims are not good, or no role fits: then there is no access.
        """
        ...

    async def bearer(self, token: str, resource: str) -> tuple[Identity, frozenset[str]] | None:
        """Who a token of the provider itself is of, and its scopes; None unless its audience is this resource."""
        ...

    def role(self, name: str) -> Role | None:
        """The role of this name as the mapping is now; None where it has gone."""
        ...

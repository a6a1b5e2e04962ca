"""The company's identity provider, as the environment names it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from aural_mcp.config import BadSetting, is_loopback, value, value_or_file
from aural_mcp.log import strike_out
from aural_mcp.server.sign_in.roles import SETTING, Roles, read_roles

ISSUER, CLIENT_ID, CLIENT_SECRET = "AURAL_OIDC_ISSUER", "AURAL_OIDC_CLIENT_ID", "AURAL_OIDC_CLIENT_SECRET"
SHORTEST = 8
"""Characters of a client secret: a shorter one is a part of one, and would be struck out of every line of the log."""
MEANT = {
    ISSUER: "the address that the provider calls itself, such as https://login.example.org",
    CLIENT_ID: "the client id that the provider gave this server",
    CLIENT_SECRET: "the client secret that goes with it",
    SETTING: "the file that says who may do what",
}


@dataclass(frozen=True)
class Company:
    """The identity provider of a company, what our server is to it, and who may do what."""

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    roles: Roles = field(repr=False)


def read_company(environment: Mapping[str, str]) -> Company:
    """The identity provider that people sign in with.

    Raises:
        BadSetting: one of the settings is missing, or cannot be used.
    """
    secret = value_or_file(environment, CLIENT_SECRET)
    given = {name: value(environment, name) for name in (ISSUER, CLIENT_ID, SETTING)} | {CLIENT_SECRET: secret}
    for name, meaning in MEANT.items():
        if not given[name]:
            raise BadSetting(f"--sign-in oidc needs {name}: {meaning}.")
    if len(secret) < SHORTEST:
        raise BadSetting(f"{CLIENT_SECRET} has fewer than {SHORTEST} characters: copy the whole of it.")
    strike_out(secret)
    return Company(_issuer(given[ISSUER]), given[CLIENT_ID], secret, read_roles(given[SETTING]))


def is_safe(url: object) -> bool:
    """Whether a secret may go to this address: https, or http on this computer."""
    try:
        parts = urlsplit(url if isinstance(url, str) else "")
        parts.port  # noqa: B018  reading it checks it
    except ValueError:
        return False
    known = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname))
    return known and bool(parts.hostname) and not parts.username and not parts.fragment


def _issuer(text: str) -> str:
    """The issuer as it is written: the provider must call itself just so."""
    if not is_safe(text) or "?" in text:
        raise BadSetting(f"{ISSUER} must look like https://login.example.org, without a query or a user name.")
    if text.endswith("/.well-known/openid-configuration"):
        raise BadSetting(f"{ISSUER} is the address without /.well-known/openid-configuration.")
    return text

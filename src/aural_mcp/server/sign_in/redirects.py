"""Where a browser may be sent back to. Addresses are compared as the strings they are: nothing is made the same."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

LONGEST, MOST = 2_048, 20
"""Characters of an address, and addresses of one application."""
PLAIN = re.compile(r"[!-~]+")
AMBIGUOUS = re.compile(r'[\\"<>^`{|}#]')
SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(.*)")
AUTHORITY = re.compile(r"//(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*)(:[0-9]{1,5})?((?:[/?].*)?)")
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
NEVER = re.compile(
    "javascript|vbscript|data|blob|file|filesystem|about|view-source|jar|resource|chrome.*|edge|moz-extension|"
    "wss?|ftps?|sftp|ssh|telnet|ldaps?|smb|nfs|mailto|tel|sms|callto|facetime.*|intent|android-app|content|itms.*|"
    "ms-.*|search|search-ms|shell|res|mhtml|mk|help|urn|cid|mid"
)
"""Schemes that run something, read something, or go somewhere else than to an application that asked for itself."""


class BadRedirect(ValueError):
    """An address that nobody is sent back to; the message is one sentence with a hint."""


@dataclass(frozen=True)
class Redirect:
    """An address to go back to. `host` is empty where an application of this computer opens it by its scheme."""

    scheme: str
    host: str
    port: str
    rest: str

    @property
    def loopback(self) -> bool:
        """Whether a program of the user's own computer listens there."""
        return self.scheme == "http"

    @property
    def shown(self) -> str:
        """Whom it leads to, for the person who decides."""
        return f"{self.host}{self.port}" if self.host else f"{self.scheme}:"

    @property
    def form_targets(self) -> str:
        """What a form's policy must allow: browsers apply it to the redirect and to those that come of it."""
        if not self.host:
            return f"https: {self.scheme}:"
        if not self.loopback:
            return "https:"
        return "https: http:" if "[" in self.host else f"https: http://{self.host}{self.port}"  # policies know no IPv6


def read(text: object) -> Redirect:
    """Read an address that an application gives for itself.

    Raises:
        BadRedirect: it could be read in two ways, or leads where nobody is sent.
    """
    if not isinstance(text, str) or len(text) > LONGEST or not PLAIN.fullmatch(text) or AMBIGUOUS.search(text):
        raise BadRedirect("A redirect URI is plain ASCII without spaces, backslashes or a fragment.")
    matched = SCHEME.fullmatch(text)
    if matched is None:
        raise BadRedirect("A redirect URI is a whole address, such as https://host/callback.")
    scheme, rest = matched[1].lower(), matched[2]
    if scheme not in ("https", "http"):
        if NEVER.fullmatch(scheme):
            raise BadRedirect(f"Nobody is sent to {scheme}: addresses; use https://, or http:// on loopback.")
        if "@" in rest.partition("?")[0] or not rest:
            raise BadRedirect("A redirect URI has no user name, and says more than its scheme.")
        return Redirect(scheme, "", "", rest)
    authority = AUTHORITY.fullmatch(rest)
    if authority is None:
        raise BadRedirect("A redirect URI has a host and no user name, such as https://host/callback.")
    found = Redirect(scheme, authority[1], authority[2] or "", authority[3])
    if scheme == "http" and found.host not in LOOPBACK:
        raise BadRedirect("A redirect URI is https://, or http:// to localhost, 127.0.0.1 or [::1].")
    return found


def read_all(given: object) -> tuple[str, ...]:
    """Check every address of an application; they stay the strings that they are.

    Raises:
        BadRedirect: there is none, or there are too many, or one is not good.
    """
    if not isinstance(given, list) or not 0 < len(cast("list[object]", given)) <= MOST:
        raise BadRedirect(f"redirect_uris is a list of 1 to {MOST} addresses.")
    for each in cast("list[object]", given):
        read(each)
    return tuple(cast("list[str]", given))


def matches(registered: Sequence[str], given: str) -> bool:
    """Whether an address is one of these, to the letter; a program's own on loopback may have another port."""
    if given in registered:
        return True
    try:
        asked = read(given)
        return asked.loopback and any(
            (each.scheme, each.host, each.rest) == (asked.scheme, asked.host, asked.rest)
            for each in map(read, registered)
        )
    except BadRedirect:
        return False

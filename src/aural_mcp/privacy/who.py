"""Who is behind an act, as the decision log says it: somebody who signed in, and the application that asks."""

from __future__ import annotations

import getpass
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from aural_mcp.safety import outside

LONGEST, LONGEST_SUBJECT = 100, 255
"""Letters that are kept of a name; of a subject as many as OpenID Connect allows, so that no two look like one."""
PERSONAL = ("name", "subject")
"""What says who somebody is, and is hashed where the operator wants that."""
FOUND_BY = (*PERSONAL, "signIn")


@dataclass(frozen=True)
class Who:
    """Somebody who signed in. All of it comes from outside, and any of it may be empty."""

    name: str = ""
    subject: str = ""
    issuer: str = ""
    role: str = ""
    application: str = ""
    sign_in: str = ""

    def said(self, key: bytes | None) -> dict[str, str]:
        """What of it stands in a line.

        Args:
            key: makes hashes of what says who somebody is; None leaves it as it is.
        """
        fields = {
            "name": one_line(self.name) if key is None else hashed(key, "name", self.name),
            "subject": one_line(self.subject, LONGEST_SUBJECT) if key is None else hashed(key, "subject", self.subject),
            "issuer": one_line(_host(self.issuer)),
            "role": one_line(self.role),
            "application": one_line(self.application),
            "signIn": one_line(self.sign_in),
        }
        return {name: text for name, text in fields.items() if text}


def at_this_computer(application: str = "") -> Who:
    """Whoever types a command here, as the operating system calls them."""
    try:
        return Who(name=getpass.getuser(), application=application)
    except (OSError, KeyError, ImportError):
        return Who(application=application)


def one_line(text: str, most: int = LONGEST) -> str:
    """A text from outside as one line of so many letters at most, without what nobody sees and without keys."""
    return outside(" ".join(outside(text[: 10 * most]).split())[:most]).strip()


def hashed(key: bytes, field: str, text: str) -> str:
    """What stands for a text: the same for the same one, however it is spaced and in whichever case."""
    text = " ".join(text.split()).casefold()
    message = f"aural-mcp decision log\0{field}\0{text}".encode("utf-8", "surrogatepass")
    return f"#{hmac.new(key, message, hashlib.sha256).hexdigest()[:20]}" if text else ""


def is_of(by: Mapping[str, Any], wanted: str, keys: Sequence[bytes]) -> bool:
    """Whether a line's person is meant: by a part of name, subject or sign-in, or by all of what a hash was made of."""
    said = [text for name in FOUND_BY if isinstance(text := by.get(name), str)]
    if any(wanted.casefold() in text.casefold() for text in said):
        return True
    return any(by.get(field) == hashed(key, field, wanted) for field in PERSONAL for key in keys if wanted.strip())


def _host(issuer: str) -> str:
    try:
        return urlsplit(issuer).hostname or issuer
    except ValueError:
        return issuer

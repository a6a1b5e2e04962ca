"""The operator's mail server, as the environment names it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from aural_mcp.config import BadSetting, is_loopback, value, value_or_file
from aural_mcp.log import strike_out

ADDRESS = re.compile(r"(?!.*=\?)(?!.{255})[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
"""An address that every server takes: nothing in it ends a line or is decoded, and nobody else's stands beside it."""
PER_HOUR, MOST_PER_HOUR = 200, 100_000
PORTS = {"smtp": 587, "smtps": 465}


async def _silent(candidate_id: str, kind: str, done: bool) -> None:
    """Where there is no decision log."""


@dataclass(frozen=True)
class Mail:
    """Where messages are handed over, from whom they are, and how many.

    `note` is told the candidate's id, the kind of message, and whether the server took it.
    """

    host: str
    port: int
    tls: bool
    sender: str
    user: str = ""
    password: str = ""
    reply_to: str = ""
    link_hosts: tuple[str, ...] = ()
    per_hour: int = PER_HOUR
    timeout: float = 10.0
    note: Callable[[str, str, bool], Awaitable[None]] = _silent

    def __repr__(self) -> str:
        return f"Mail({self.host!r}, {self.port}, sender={self.sender!r})"

    @property
    def is_here(self) -> bool:
        """Whether the server is on this computer, so that nothing leaves it at once."""
        return is_loopback(self.host)


def read_mail(environment: Mapping[str, str]) -> Mail | None:
    """The mail server; None where none is named.

    Raises:
        BadSetting: what is named cannot be used. It never shows the address, which holds a password.
    """
    text = value_or_file(environment, "AURAL_SMTP_URL")
    sender, reply_to = _address(environment, "AURAL_MAIL_FROM"), _address(environment, "AURAL_MAIL_REPLY_TO")
    hosts = value(environment, "AURAL_MAIL_LINK_HOSTS").lower().split(",")
    per_hour = value(environment, "AURAL_MAIL_PER_HOUR") or str(PER_HOUR)
    if not text:
        return None
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
    except ValueError:
        host, port, parts, user, password = None, None, urlsplit(""), "", ""
    strike_out(text, password)
    bare = parts.path in ("", "/") and not parts.query and not parts.fragment
    if parts.scheme not in PORTS or not host or not bare or bool(user) != bool(password):
        raise BadSetting("AURAL_SMTP_URL must look like smtp://user:password@host:587 (STARTTLS) or smtps://...:465.")
    if not sender:
        raise BadSetting("AURAL_SMTP_URL needs AURAL_MAIL_FROM: the address that messages are from.")
    if not re.fullmatch(r"\d{1,6}", per_hour) or not 1 <= int(per_hour) <= MOST_PER_HOUR:
        raise BadSetting(f"AURAL_MAIL_PER_HOUR must be a whole number from 1 to {MOST_PER_HOUR}.")
    return Mail(
        host=host,
        port=port or PORTS[parts.scheme],
        tls=parts.scheme == "smtps",
        sender=sender,
        user=user,
        password=password,
        reply_to=reply_to,
        link_hosts=tuple(each.strip() for each in hosts if each.strip()),
        per_hour=int(per_hour),
    )


def _address(environment: Mapping[str, str], name: str) -> str:
    text = value(environment, name)
    if text and not ADDRESS.fullmatch(text):
        raise BadSetting(f"{name} must be one plain e-mail address, such as jobs@example.org.")
    return text

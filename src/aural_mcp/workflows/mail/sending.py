"""Handing messages over to the operator's SMTP server, one at a time, and what its answers mean."""

from __future__ import annotations

import ssl
from email.message import EmailMessage
from types import TracebackType
from typing import Literal

import anyio

from aural_mcp.workflows.base import refused
from aural_mcp.workflows.mail.settings import Mail

Answer = Literal["sent", "refused", "deferred", "lost", "maybe"]
"""`lost`: the connection ended before the text of the message was begun, or with a number the server refused the
sender; `maybe`: after that."""
GOODBYE = 1.0
"""Seconds for what need not be waited for."""


class Post:
    """A connection to the mail server, encrypted before anybody signs in.

    Args:
        seconds: how long a connection, and then each message, may take.
    """

    def __init__(self, mail: Mail, seconds: float) -> None:
        import aiosmtplib  # asked for by nobody who sends no mail

        self._errors, self._mail, self._seconds = aiosmtplib, mail, seconds
        self._smtp = aiosmtplib.SMTP(
            hostname=mail.host,
            port=mail.port,
            username=mail.user or None,
            password=mail.password or None,
            use_tls=mail.tls,
            start_tls=not mail.tls,
            timeout=seconds,
            tls_context=ssl.create_default_context(),
        )

    async def __aenter__(self) -> Post:
        try:
            with anyio.fail_after(self._seconds):
                await self._smtp.connect()
        except self._errors.SMTPAuthenticationError:
            raise refused("The mail server does not take this user and password", "Correct AURAL_SMTP_URL") from None
        except (self._errors.SMTPException, OSError, ValueError) as error:
            self._smtp.close()
            why = type(error).__name__
            step = (
                "See that AURAL_SMTP_URL names a server that is up, offers STARTTLS or TLS, and has a good certificate"
            )
            raise refused(f"No encrypted connection to the mail server could be made ({why})", step) from None
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._smtp.is_connected and kind is None:
            try:
                with anyio.move_on_after(GOODBYE):
                    await self._smtp.quit()
            except (self._errors.SMTPException, OSError):
                pass
        self._smtp.close()

    async def send(self, message: EmailMessage, address: str) -> tuple[Answer, int]:
        """Hand one over to one person; the answer, and the server's number for it (0 is none)."""
        content, asked, begun = message.as_bytes(), False, False
        try:
            with anyio.fail_after(self._seconds):
                await self._smtp.mail(self._mail.sender)
                asked = True
                await self._smtp.rcpt(address)
                begun = True
                await self._smtp.data(content)
        except self._errors.SMTPResponseException as error:
            if asked and 400 <= error.code < 600:
                return await self._not_taken(error.code)
            self._smtp.close()
            return ("maybe" if begun else "lost"), error.code
        except (self._errors.SMTPException, OSError):
            self._smtp.close()
            return ("maybe" if begun else "lost"), 0
        return "sent", 250

    async def _not_taken(self, code: int) -> tuple[Answer, int]:
        """What a no means: later for 4xx, never for 5xx; the next one begins anew."""
        try:
            if code == 421:
                self._smtp.close()
            else:
                with anyio.fail_after(GOODBYE):
                    await self._smtp.rset()
        except (self._errors.SMTPException, OSError):
            self._smtp.close()
        return ("refused" if code >= 500 else "deferred"), code

    @property
    def is_open(self) -> bool:
        """Whether another message can be handed over."""
        return self._smtp.is_connected

"""A real mail server for tests: STARTTLS, a user and a password, and answers that can be made to differ."""

import re
import ssl
import subprocess
import threading
from contextlib import contextmanager
from email import message_from_bytes
from email.policy import default

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from aural_mcp.workflows.mail.settings import read_mail
from processes import free_port

LINK = re.compile(r'https?://[^\s"<>]+/i/invite/[\w.~-]+')
USER, PASSWORD = "recruiter", "s3cret-of-the-operator"


def certificate(folder):
    """A certificate for 127.0.0.1 that nobody knows, and its key."""
    key, made = folder / "smtp.key", folder / "smtp.pem"
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", key, "-out", made]
    subprocess.run([*command, *subject], check=True, capture_output=True, timeout=60)
    return made, key


class Server:
    """What has arrived, and what is answered.

    `sender`, `rcpt` and `after_data` say what is answered to who sends and to an address, where that is not yes; who
    is in `hangs` is never answered after DATA, nor is anybody from the `tell_at`th message on, when `told` is set.
    """

    def __init__(self, folder, *, tls):
        self.pem, self.key = certificate(folder)
        self.envelopes, self.rcpt, self.after_data, self.sender = [], {}, {}, "250 OK"
        self.hangs, self.told, self.tell_at = set(), threading.Event(), 0
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.pem, self.key)
        how = {"tls_context": context, "require_starttls": True}
        if tls:
            how = {"ssl_context": context, "auth_require_tls": False}
        self.scheme = "smtps" if tls else "smtp"
        self.controller = Controller(
            self, hostname="127.0.0.1", port=free_port(), auth_required=True, authenticator=self._sign_in, **how
        )

    def _sign_in(self, server, session, envelope, mechanism, data):
        return AuthResult(success=(data.login, data.password) == (USER.encode(), PASSWORD.encode()))

    async def handle_MAIL(self, server, session, envelope, address, options):  # noqa: N802
        if self.sender.startswith("2"):
            envelope.mail_from = address
        return self.sender

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802  as aiosmtpd calls it
        if answer := self.rcpt.get(address):
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        self.envelopes.append((list(envelope.rcpt_tos), envelope.content))
        if len(self.envelopes) == self.tell_at:
            self.told.set()
        if envelope.rcpt_tos[0] in self.hangs or (self.tell_at and len(self.envelopes) >= self.tell_at):
            import asyncio

            await asyncio.get_running_loop().create_future()  # for ever
        return self.after_data.get(envelope.rcpt_tos[0], "250 OK")

    @property
    def port(self):
        return self.controller.port

    @property
    def url(self):
        return f"{self.scheme}://{USER}:{PASSWORD}@127.0.0.1:{self.port}"

    @property
    def messages(self):
        """The messages, by the address that each went to."""
        return [(to, message_from_bytes(content, policy=default)) for to, content in self.envelopes]


def mail_on(post, **more):
    """The settings of a server of ours that sends by this one."""
    return read_mail({"AURAL_SMTP_URL": post.url, "AURAL_MAIL_FROM": "jobs@acme.org", **more})


def own_links(message):
    """The private links in all parts of a message."""
    return {link for part in message.walk() if not part.is_multipart() for link in LINK.findall(part.get_content())}


@contextmanager
def smtp_server(folder, *, tls=False):
    """Until the block ends; encrypted from the first byte with `tls`, else after STARTTLS."""
    server = Server(folder, tls=tls)
    server.controller.start()
    try:
        yield server
    finally:
        server.controller.stop(no_assert=True)

"""One attempt to deliver: signed as Standard Webhooks says, bounded in size and time, and what came of it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import random
import re
import secrets
import signal
import ssl
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Protocol

import anyio
import httpcore2
import httpx

from aural_mcp._version import __version__
from aural_mcp.config import BadSetting
from aural_mcp.events.addresses import Guarded, Lookup, Network, NotAllowed, Target, look_up
from aural_mcp.events.outbox import DELIVERED, PARKED, PENDING, Delivery

DELAYS = (5.0, 300.0, 1800.0, 7200.0, 18_000.0, 36_000.0, 50_400.0, 72_000.0, 86_400.0)
"""Seconds from a failed attempt to the next one: ten attempts in three days, then it is parked."""
JITTER = 0.1
LONGEST_HOLD = 86_400.0
"""Seconds at most that a `Retry-After` is believed."""
TIME, EXEC_TIME = 15.0, 60.0
"""Seconds that a receiver has to answer, and a command to end."""
MOST_READ = 16 * 1024
"""Bytes of an answer's body that are read, so that its connection can be used again; nobody looks at them."""
AT_ONCE = 8
PREFIX = "whsec_"
SECRET_SIZES = range(24, 65)
"""Bytes, as Standard Webhooks has them."""
GONE = 410
NEEDED = re.compile(
    "PATH|HOME|USER|LOGNAME|SHELL|TERM|LANG|LANGUAGE|LC_[A-Z]+|TZ|TMPDIR|TEMP|TMP|XDG_[A-Z_]+|SSL_CERT_(FILE|DIR)|"
    "SYSTEMROOT|SYSTEMDRIVE|WINDIR|COMSPEC|PATHEXT|USERNAME|USERPROFILE|APPDATA|LOCALAPPDATA|PROGRAMDATA"
)
"""Variables that a command needs to run at all; no other is given to it, as keys are kept there."""


@dataclass(frozen=True)
class Outcome:
    """What came of an attempt: an error in our words, or none; `parks` when trying again is pointless."""

    error: str | None = None
    parks: bool = False
    hold: float = 0.0


class Endpoint(Protocol):
    """Where events are delivered to; `at_once` is how many attempts may run beside each other."""

    id: str
    at_once: int

    async def send(self, delivery: Delivery) -> Outcome:
        """Make one attempt, within a bounded time."""
        ...

    async def aclose(self) -> None:
        """Close what was opened."""
        ...


def verdict(
    outcome: Outcome, attempts: int, now: float, draw: Callable[[], float] = random.random
) -> tuple[str, float]:
    """What becomes of a delivery after its so manieth attempt: its state, and when it is tried next."""
    if outcome.error is None:
        return DELIVERED, now
    if outcome.parks or attempts > len(DELAYS):
        return PARKED, now
    delay = DELAYS[attempts - 1] * (1 + JITTER * draw())
    return PENDING, now + max(delay, min(outcome.hold, LONGEST_HOLD))


# ── Signing ─────────────────────────────────────────────────────────────────────────────────────


def new_secret() -> str:
    """A random secret as Standard Webhooks writes it."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def read_secrets(text: str) -> list[bytes]:
    """The secrets in a file, one a line, the newest first: all sign, so that receivers can change over.

    Raises:
        BadSetting: there is none, or one is not of the shape.
    """
    try:
        read = [base64.b64decode(line.strip().removeprefix(PREFIX), validate=True) for line in text.split()]
    except (binascii.Error, ValueError):
        read = []
    if not read or not all(len(each) in SECRET_SIZES for each in read) or text.split()[0][:6] != PREFIX:
        raise BadSetting(
            "A webhook's secret is `whsec_` and 24 to 64 bytes in base64. Name no file yet to get one made."
        )
    return read


def secret_file(path: Path) -> tuple[list[bytes], bool]:
    """The secrets in a file, which is made, for its owner only, when it is not there; and whether it was.

    Raises:
        BadSetting: it cannot be read or made, or holds something else.
    """
    try:
        if path.exists():
            return read_secrets(path.read_text(encoding="utf-8")), False
        secret = new_secret()
        with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
            file.write(secret + "\n")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise BadSetting(f"--secret-file: {path} cannot be read or made ({why}).") from error
    return read_secrets(secret), True


def signed(delivery: Delivery, keys: Sequence[bytes], now: float) -> list[tuple[bytes, bytes]]:
    """The headers by which a receiver knows whose message this is, which one, and from when."""
    stamp = str(int(now))
    content = f"{delivery.event}.{stamp}.{delivery.payload}".encode()
    marks = [base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode() for key in keys]
    return [
        (b"webhook-id", delivery.event.encode()),
        (b"webhook-timestamp", stamp.encode()),
        (b"webhook-signature", " ".join(f"v1,{mark}" for mark in marks).encode()),
    ]


# ── Over HTTP ───────────────────────────────────────────────────────────────────────────────────


class Webhook:
    """A URL that is posted to. Its connections are its own: what one endpoint may reach, no other uses.

    Args:
        keys: what signs.
        allowed: networks that it may be in although they are not public.
    """

    at_once = AT_ONCE

    def __init__(
        self,
        identifier: str,
        target: Target,
        keys: Sequence[bytes],
        allowed: Sequence[Network] = (),
        *,
        lookup: Lookup = look_up,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.id, self._target, self._keys, self._clock = identifier, target, keys, clock
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=httpx.create_ssl_context(),
            max_connections=AT_ONCE,
            keepalive_expiry=5.0,
            network_backend=Guarded(allowed, lookup),
        )

    async def send(self, delivery: Delivery) -> Outcome:
        """Post it once; no redirect is followed, and no answer believed but its status and `Retry-After`."""
        try:
            with anyio.fail_after(TIME):
                return await self._post(delivery)
        except (TimeoutError, httpcore2.TimeoutException):
            return Outcome(f"no answer within {TIME:.0f} s")
        except NotAllowed:
            return Outcome("the host leads to an address that is not public; --allow would allow it")
        except httpcore2.ConnectError as error:
            return Outcome("its certificate is not accepted" if _is_about_tls(error) else "no connection")
        except (httpcore2.NetworkError, httpcore2.ProtocolError, OSError):
            return Outcome("the connection broke, or what came is not HTTP")

    async def _post(self, delivery: Delivery) -> Outcome:
        body = delivery.payload.encode()
        headers = [
            (b"host", self._target.host.encode()),
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"user-agent", f"aural-mcp/{__version__}".encode()),
            *signed(delivery, self._keys, self._clock()),
        ]
        async with self._pool.stream("POST", self._target.url, headers=headers, content=body) as answer:
            outcome = judged(answer.status, answer.headers, self._clock())
            with anyio.move_on_after(1):
                await _drain(answer)
            return outcome

    async def aclose(self) -> None:
        await self._pool.aclose()


def judged(status: int, headers: Sequence[tuple[bytes, bytes]], now: float) -> Outcome:
    """What a status means: 2xx has it, 410 wants no more, everything else is tried again."""
    if 200 <= status < 300:
        return Outcome()
    if status == GONE:
        return Outcome("answered 410, wants no more", parks=True)
    given = next((value for name, value in headers if name.lower() == b"retry-after"), b"")
    return Outcome(f"answered {status}", hold=_hold(given.decode("latin-1"), now))


def _hold(given: str, now: float) -> float:
    """Seconds that a `Retry-After` asks for: a number, or a date; 0 for anything else."""
    if given.isascii() and given.isdigit():
        return min(float(given[:9]), LONGEST_HOLD)
    try:
        return max(0.0, parsedate_to_datetime(given).timestamp() - now)
    except (ValueError, TypeError, OverflowError):
        return 0.0


async def _drain(answer: httpcore2.Response) -> None:
    """Read a short body, so that the connection can be kept; what is wrong with it changes nothing any more."""
    read = 0
    try:
        async for part in answer.aiter_stream():
            read += len(part)
            if read > MOST_READ:
                return
    except (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.TimeoutException):
        return


def _is_about_tls(error: BaseException) -> bool:
    causes = [error, error.__cause__, error.__context__]
    return any(isinstance(each, ssl.SSLError) for each in causes)


# ── To a command ────────────────────────────────────────────────────────────────────────────────


class Command:
    """A command that gets the event on its standard input, one at a time; its output goes where ours goes.

    Args:
        environment: ours, of which the command is given what any command needs, and `AURAL_EVENT_ID`.
    """

    at_once = 1

    def __init__(self, identifier: str, line: str, environment: Mapping[str, str]) -> None:
        self.id, self._line = identifier, line
        self._environment = {name: value for name, value in environment.items() if NEEDED.fullmatch(name.upper())}

    async def send(self, delivery: Delivery) -> Outcome:
        """Run it once. Exit status 0 has it, everything else is tried again."""
        try:
            with anyio.fail_after(EXEC_TIME):
                status = await self._run(delivery)
        except TimeoutError:
            return Outcome(f"the command did not end within {EXEC_TIME:.0f} s")
        except OSError:
            return Outcome("the command cannot be run")
        return Outcome(None if status == 0 else f"the command ended with {status}")

    async def _run(self, delivery: Delivery) -> int:
        """The exit status; what it started ends with it when it is given up. A Ctrl-C for us is not one for it."""
        process = await anyio.open_process(
            self._line,
            stdout=None,
            stderr=None,
            env={**self._environment, "AURAL_EVENT_ID": delivery.event},
            start_new_session=sys.platform != "win32",
        )
        try:
            with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):  # it need not read
                if process.stdin:
                    await process.stdin.send(delivery.payload.encode() + b"\n")
                    await process.stdin.aclose()
            return await process.wait()
        except BaseException:
            _end(process.pid)
            raise

    async def aclose(self) -> None:
        """Nothing is open between two events."""


def _end(process: int) -> None:
    """End a process and what it started."""
    with suppress(OSError):
        if sys.platform == "win32":
            os.kill(process, signal.SIGTERM)
        else:
            os.killpg(process, signal.SIGKILL)

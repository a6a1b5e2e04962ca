"""Codes: what shows that a question was put, for this very call, and about the present state of what would change.

A code is good once, for ten minutes, for this key, tool, arguments and state. A host that cannot ask gets one for its
model to bring back; in protocol 2026-07-28 it travels with the question. The parts that were agreed to are kept beside
it, so that a code which is refused for a change says which. Where a view of ours asks, the code is made for the view:
the model is not shown it, and could do nothing with it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import struct
from collections.abc import Sequence
from typing import Any

from aural_mcp.api.operations import Operation
from aural_mcp.client.state import State
from aural_mcp.server.parts import Parts, digest_of, dumped, loaded

VALID = 600
"""Seconds for which a question stands."""
KEPT_LONGER = 60.0
"""Seconds for which a code that is over is still known to be used: the clocks of replicas differ."""
NONCE, MAC = 9, 15
ASKED, UNANSWERED, IN_VIEW = "", "unanswered", "view"
"""Why a code was made: in the ordinary way, because a host that says it can ask gave no usable answer, for a view."""
EVERY = (ASKED, UNANSWERED)
"""Those that a model may bring back."""
NUMBER = 12
"""Letters at the beginning of a code that tell it from others, and are no secret: they are random, and no seal."""
DRAWS, MOST_HOSTS = 7 * 86_400, 20
"""Seconds for which a host is held to draw views after one was heard of, and how many of a key are remembered.

Shorter, and a model would see a code after each weekend; longer, and somebody whose host stopped drawing views could
agree to nothing for as long.
"""


class Codes:
    """Makes and honours codes.

    Args:
        state: remembers which codes were used, and the key when none is given.
        keys: shared by replicas; the first seals, all are honoured.
    """

    def __init__(self, state: State, keys: Sequence[bytes] = ()) -> None:
        self._state, self._keys = state, tuple(keys)

    async def mint(self, tenant: str, operation: Operation[Any], target: str, why: str = ASKED) -> str:
        """A code for this call."""
        head = secrets.token_bytes(NONCE) + struct.pack(">I", int(self._state.now() + VALID))
        seal = _seal((await self._ring())[0], head, why, tenant, operation, target)
        return base64.urlsafe_b64encode(head + seal).decode()

    async def keep(self, code: str, agreed: Parts) -> None:
        """Remember what a code is for, to say what changed when it is refused."""
        kept = "insert into asked values (?, ?, moment() + ?) on conflict do nothing"
        await self._state.change(kept, (code, dumped(agreed), VALID))

    async def kept(self, code: str) -> str:
        """What was kept for a code; nothing where it was made elsewhere."""
        async with self._state.reading() as db:
            found = await db.one("select parts from asked where code = ?", (code,))
        return found[0] if found else ""

    async def numbered(self, number: str) -> str:
        """The code that begins so, where it was made here; nothing where there is none."""
        async with self._state.reading() as db:
            found = await db.one("select code from asked where substr(code, 1, ?) = ?", (NUMBER, number))
        return found[0] if found else ""

    async def agreed(
        self, code: str, tenant: str, operation: Operation[Any], kept: str, made: Sequence[str] = EVERY
    ) -> Parts | None:
        """The parts that a code which can still be used was made for; None unless they are proven by it."""
        if (raw := _raw(code)) is None or not kept:
            return None
        parts = loaded(kept)
        if not self._is_sealed(await self._ring(), raw, tenant, operation, digest_of(parts), made):
            return None
        async with self._state.reading() as db:
            return None if await db.one("select 1 from codes where code = ?", (_head(raw).hex(),)) else parts

    async def accept(
        self,
        code: str,
        tenant: str,
        operation: Operation[Any],
        target: str,
        made: Sequence[str] = EVERY,
    ) -> bool:
        """Whether the code was made for this very call, is not too old, and was not used before."""
        raw = _raw(code)
        return (
            raw is not None
            and self._is_sealed(await self._ring(), raw, tenant, operation, target, made)
            and await self._use(_head(raw), _expires(raw))
        )

    def _is_sealed(
        self,
        ring: Sequence[bytes],
        raw: bytes,
        tenant: str,
        operation: Operation[Any],
        target: str,
        made: Sequence[str],
    ) -> bool:
        seals = [_seal(key, _head(raw), why, tenant, operation, target) for key in ring for why in made]
        good = [hmac.compare_digest(raw[NONCE + 4 :], each) for each in seals]
        return any(good) and self._state.now() <= _expires(raw) <= self._state.now() + VALID + 60

    async def _use(self, head: bytes, expires: float) -> bool:
        """Spend a code; False when it was spent before."""
        spend = "insert into codes values (?, ?) on conflict do nothing"
        return await self._state.change(spend, (head.hex(), expires + KEPT_LONGER)) == 1

    async def _ring(self) -> tuple[bytes, ...]:
        if not self._keys:
            self._keys = (await self._state.secret(),)
        return self._keys


async def drew(state: State, tenant: str, host: str) -> None:
    """Remember that a view was heard of in this host: it draws them."""
    async with state.changing(f"drawn {tenant}") as db:
        heard = "insert into drawn values (?, ?, ?) on conflict (tenant, host) do update set at = excluded.at"
        await db.change(heard, (tenant, host, db.now))
        await db.change(
            "delete from drawn where tenant = ? and host not in "
            "(select host from drawn where tenant = ? order by at desc limit ?)",
            (tenant, tenant, MOST_HOSTS),
        )
        await db.change("delete from drawn where tenant = ? and at < ?", (tenant, db.now - DRAWS))


async def draws(state: State, tenant: str, host: str) -> bool:
    """Whether this host draws views for this key, as far as one was heard of lately."""
    async with state.reading() as db:
        at = await db.one("select at from drawn where tenant = ? and host = ?", (tenant, host))
        return at is not None and db.now - DRAWS < at[0] <= db.now + 60


def _raw(code: str) -> bytes | None:
    """The bytes of what is spelled as a code is."""
    try:
        raw = base64.b64decode(code.encode("ascii"), altchars=b"-_", validate=True)
    except (ValueError, UnicodeError):
        return None
    return raw if len(raw) == NONCE + 4 + MAC and base64.urlsafe_b64encode(raw).decode() == code else None


def _head(raw: bytes) -> bytes:
    return raw[: NONCE + 4]


def _expires(raw: bytes) -> int:
    return struct.unpack(">I", raw[NONCE : NONCE + 4])[0]


def _seal(key: bytes, head: bytes, why: str, tenant: str, operation: Operation[Any], target: str) -> bytes:
    """What ties a code to key, tool, arguments and state."""
    given = [why, tenant, operation.tool_name(), operation.model_dump(mode="json", by_alias=True), target]
    message = head + json.dumps(given, sort_keys=True).encode()
    return hmac.new(key, b"aural-mcp confirmation 2" + message, hashlib.sha256).digest()[:MAC]

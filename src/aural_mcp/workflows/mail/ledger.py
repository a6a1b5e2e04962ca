"""Nobody gets the same message twice: each is written down before it leaves, as one that may have been sent.

Rows hold keyed hashes of interview, kind and address, never an address. All processes that share the state share them,
and all keys: whoever was written to with an old key is not written to again with a new one.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from functools import partial
from typing import Literal

from aural_mcp.client.caller import Caller
from aural_mcp.client.state import State, Transaction
from aural_mcp.workflows.base import refused

Sending = Literal["maybe", "sent", "refused", "deferred"]
"""`maybe`: it was being sent, and nobody heard how that ended. `deferred`: the server said later."""
Claim = Literal["free", "held", "full"]
PLACE, HOUR, AGAIN_AFTER = ("", "mail"), 3_600.0, 48 * 3_600.0
"""Where the rows stand in the journal: they are no key's, and never expire."""


class MailLedger:
    """The messages of one kind to the people of one interview; see `mail_ledger`."""

    def __init__(self, state: State, secret: bytes, interview_id: str, kind: str, per_hour: int) -> None:
        self._state, self._secret, self._about, self._per_hour = state, secret, (interview_id, kind), per_hour

    def item(self, address: str) -> str:
        """What a message is known by."""
        return item(self._secret, *self._about, address)

    async def look(self, address: str) -> tuple[Sending, float] | None:
        """How the message to this address stands, and for how many seconds."""
        async with self._state.reading() as db:
            return await _read(db, self.item(address))

    async def claim(self, address: str, *, again: bool) -> Claim:
        """Write a message down before it is sent; `held` where it was, `full` where the hour has had enough."""
        item = self.item(address)
        async with self._state.changing("mail") as db:
            found = await _read(db, item)
            if found and not may_be_sent(*found, again=again):
                return "held"
            lately = "select count(*) from journal where tenant = ? and task = ? and at > ? and item != ?"
            [(count,)] = await db.all(lately, (*PLACE, db.now - HOUR, item))
            if count >= self._per_hour:
                return "full"
            change = """insert into journal values (?, ?, ?, ?, ?)
                on conflict (tenant, task, item) do update set done = excluded.done, at = excluded.at"""
            await db.change(change, (*PLACE, item, json.dumps("maybe"), db.now))
        return "free"

    async def end(self, address: str, how: Sending) -> None:
        """How it ended; later, where the database is lost."""
        change = "update journal set done = ? where tenant = ? and task = ? and item = ?"
        values = json.dumps(how), *PLACE, self.item(address)
        await self._state.later(partial(self._state.change, change, values))


async def mail_ledger(client: Caller, interview_id: str, kind: str, per_hour: int) -> MailLedger:
    """The messages of one kind to the people of one interview.

    Raises:
        AuralError: nobody would know what was sent.
    """
    secret = await client.state.secret()
    if client.state.is_lost:
        step = "See that the data folder (AURAL_DATA_DIR) can be written, and restart"
        raise refused("state.db cannot be opened, so nobody would know who got a message already", step)
    return MailLedger(client.state, secret, interview_id, kind, per_hour)


def item(secret: bytes, interview_id: str, kind: str, address: str) -> str:
    """What a message of this kind to somebody of an interview is known by."""
    said = json.dumps([interview_id, kind, address.strip().casefold()]).encode()
    return hmac.new(secret, b"aural-mcp mail 1" + said, hashlib.sha256).hexdigest()


async def _read(db: Transaction, item: str) -> tuple[Sending, float] | None:
    query = "select done, at from journal where tenant = ? and task = ? and item = ?"
    found = await db.one(query, (*PLACE, item))
    return (json.loads(found[0]), db.now - found[1]) if found else None


def may_be_sent(how: Sending, age: float, *, again: bool) -> bool:
    """Whether a message that has stood so for so many seconds may be sent now."""
    return how == "deferred" or (again and age >= AGAIN_AFTER)

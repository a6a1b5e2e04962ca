"""Nobody gets the same message twice: each is written down before it leaves, as one that may have been sent.

Rows hold keyed hashes of interview, kind and address, never an address. All processes on this computer share them,
and all keys: whoever was written to with an old key is not written to again with a new one.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import sqlite3
import time
from typing import Literal

from aural_mcp.client.caller import Caller
from aural_mcp.workflows.base import refused

State = Literal["maybe", "sent", "refused", "deferred"]
"""`maybe`: it was being sent, and nobody heard how that ended. `deferred`: the server said later."""
Claim = Literal["free", "held", "full"]
PLACE, HOUR, AGAIN_AFTER = ("", "mail"), 3_600.0, 48 * 3_600.0
"""Where the rows stand in the journal: they are no key's, and never expire."""


class MailLedger:
    """The messages of one kind to the people of one interview."""

    def __init__(self, client: Caller, interview_id: str, kind: str, per_hour: int) -> None:
        self._state, self._per_hour = client.state, per_hour
        self._about, self._secret = (interview_id, kind), client.state.secret()
        if client.state.is_lost:
            step = "See that the data folder (AURAL_DATA_DIR) can be written, and restart"
            raise refused("state.db cannot be opened, so nobody would know who got a message already", step)

    def item(self, address: str) -> str:
        """What a message is known by."""
        return item(self._secret, *self._about, address)

    def look(self, address: str) -> tuple[State, float] | None:
        """How the message to this address stands, and since when."""
        with self._state.changing() as db:
            return _read(db, self.item(address))

    def claim(self, address: str, *, again: bool) -> Claim:
        """Write a message down before it is sent; `held` where it was, `full` where the hour has had enough."""
        now, item = time.time(), self.item(address)
        with self._state.changing() as db:
            found = _read(db, item)
            if found and not may_be_sent(*found, again=again):
                return "held"
            lately = "select count(*) from journal where tenant = ? and task = ? and at > ? and item != ?"
            if db.execute(lately, (*PLACE, now - HOUR, item)).fetchone()[0] >= self._per_hour:
                return "full"
            row = (*PLACE, item, json.dumps("maybe"), now)
            db.execute("insert or replace into journal values (?, ?, ?, ?, ?)", row)
        return "free"

    def end(self, address: str, state: State) -> None:
        """How it ended."""
        change = "update journal set done = ? where tenant = ? and task = ? and item = ?"
        with self._state.changing() as db:
            db.execute(change, (json.dumps(state), *PLACE, self.item(address)))


def item(secret: bytes, interview_id: str, kind: str, address: str) -> str:
    """What a message of this kind to somebody of an interview is known by."""
    said = json.dumps([interview_id, kind, address.strip().casefold()]).encode()
    return hmac.new(secret, b"aural-mcp mail 1" + said, hashlib.sha256).hexdigest()


def _read(db: sqlite3.Connection, item: str) -> tuple[State, float] | None:
    query = "select done, at from journal where tenant = ? and task = ? and item = ?"
    found = db.execute(query, (*PLACE, item)).fetchone()
    return (json.loads(found[0]), found[1]) if found else None


def may_be_sent(state: State, at: float, *, again: bool) -> bool:
    """Whether a message that stands so may be sent now."""
    return state == "deferred" or (again and time.time() - at >= AGAIN_AFTER)

"""Nobody gets the same message twice: each is written down before it leaves, as one that may have been sent.

Rows hold keyed hashes of interview, kind and address, never an address; all processes on this computer share them.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from typing import Literal

from aural_mcp.client.caller import Caller

State = Literal["maybe", "sent", "refused", "deferred"]
"""`maybe`: it was being sent, and nobody heard how that ended. `deferred`: the server said later."""
Claim = Literal["free", "held", "full"]
TASK, HOUR, AGAIN_AFTER = "mail", 3_600.0, 48 * 3_600.0


class MailLedger:
    """The messages of one kind to the people of one interview."""

    def __init__(self, client: Caller, interview_id: str, kind: str, per_hour: int) -> None:
        self._state, self._tenant, self._per_hour = client.state, client.tenant, per_hour
        self._about = [interview_id, kind]
        self._secret = client.state.secret()

    def item(self, address: str) -> str:
        """What a message is known by."""
        said = json.dumps([*self._about, address.strip().casefold()]).encode()
        return hmac.new(self._secret, b"aural-mcp mail 1" + said, hashlib.sha256).hexdigest()

    def look(self, address: str) -> tuple[State, float] | None:
        """How the message to this address stands, and since when."""
        query = "select done, at from journal where tenant = ? and task = ? and item = ?"
        with self._state.changing() as db:
            found = db.execute(query, (self._tenant, TASK, self.item(address))).fetchone()
        return (json.loads(found[0]), found[1]) if found else None

    def claim(self, address: str, *, again: bool) -> Claim:
        """Write a message down before it is sent; `held` where it was, `full` where the hour has had enough."""
        now, item = time.time(), self.item(address)
        with self._state.changing() as db:
            row = (self._tenant, TASK, item)
            found = db.execute(
                "select done, at from journal where tenant = ? and task = ? and item = ?", row
            ).fetchone()
            if found and not may_be_sent(json.loads(found[0]), found[1], again=again):
                return "held"
            lately = "select count(*) from journal where task = ? and at > ? and item != ?"
            if db.execute(lately, (TASK, now - HOUR, item)).fetchone()[0] >= self._per_hour:
                return "full"
            db.execute("insert or replace into journal values (?, ?, ?, ?, ?)", (*row, json.dumps("maybe"), now))
        return "free"

    def end(self, address: str, state: State) -> None:
        """How it ended."""
        change = "update journal set done = ? where tenant = ? and task = ? and item = ?"
        with self._state.changing() as db:
            db.execute(change, (json.dumps(state), self._tenant, TASK, self.item(address)))


def may_be_sent(state: State, at: float, *, again: bool) -> bool:
    """Whether a message that stands so may be sent now."""
    return state == "deferred" or (again and time.time() - at >= AGAIN_AFTER)

"""Consequences are confirmed: what cannot be undone is asked first, in words made of ids and arguments.

Where the host can ask, the person is asked. Where it cannot, the first call changes nothing and gives a code;
the second repeats the same arguments with the code. A code is good once, for ten minutes, for this key, tool,
arguments and the present state of what would change; it is honoured only where the host cannot ask, so that a
model cannot confirm for its user.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import struct
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from aural_mcp.api.operations import (
    ArchiveInterview,
    CreateCandidates,
    DeleteQuestion,
    EndInterviewSessions,
    GetInterview,
    ListCandidates,
    Operation,
    PublishInterview,
)
from aural_mcp.client.caller import Caller
from aural_mcp.client.client import Spent
from aural_mcp.client.state import State
from aural_mcp.privacy.exposure import RevealCandidate
from aural_mcp.safety import quoted
from aural_mcp.tools.candidates import cut
from aural_mcp.workflows.launch import LaunchInterviews
from aural_mcp.workflows.lists.importing import ImportCandidates, planned

VALID = 600
"""Seconds for which a question stands."""
MANY = 20
"""People who may be registered in one call without a question."""
NONCE, MAC = 9, 15


@dataclass(frozen=True)
class Question:
    """What is asked before something is done, and what the target looked like then."""

    text: str
    target: str


async def question(client: Caller, operation: Operation[Any], spent: Spent) -> Question | None:
    """What to ask before this is carried out; None when nothing needs to be asked.

    Raises:
        AuralError: what would change cannot be looked at.
    """
    asking = next((asks for kind, asks in ASKED.items() if isinstance(operation, kind)), None)
    if asking is None or not _has_consequence(operation):
        return None
    seen = await asking(client, operation, spent)
    if seen is None:
        return None
    text, target = seen
    return Question(text, hashlib.sha256(json.dumps(target, sort_keys=True).encode()).hexdigest())


def _has_consequence(operation: Operation[Any]) -> bool:
    if isinstance(operation, EndInterviewSessions | ImportCandidates):
        return not operation.dry_run
    if isinstance(operation, CreateCandidates):
        return len(operation.candidates) > MANY
    if isinstance(operation, LaunchInterviews):
        return not operation.dry_run and any(each.publish for each in operation.interviews)
    return True


Seen = tuple[str, Any]


async def _publish(client: Caller, operation: PublishInterview, spent: Spent) -> Seen:
    name, seen = await _interview(client, operation.interview_id, spent)
    return f"Open {name} to everyone who has its link? Aural cannot make it invite-only again.", seen


async def _archive(client: Caller, operation: ArchiveInterview, spent: Spent) -> Seen:
    name, seen = await _interview(client, operation.interview_id, spent)
    return f"Archive {name}? Its links take nobody from then on; only publishing opens it again, for everyone.", seen


async def _delete(client: Caller, operation: DeleteQuestion, spent: Spent) -> Seen:
    said = f"Delete question {quoted(operation.question_id)}? That cannot be undone; given answers stay in transcripts."
    return said, None


async def _end(client: Caller, operation: EndInterviewSessions, spent: Spent) -> Seen:
    outcome = await client.raw.call(operation.model_copy(update={"dry_run": True}), spent=spent)
    rows = [(each.id, each.status) for each in outcome.results]
    eligible = [identifier for identifier, status in rows if status == "eligible"]
    shown = ", ".join(quoted(each) for each in eligible[:10]) + (" and others" if len(eligible) > 10 else "")
    what = f"{len(eligible)} of {len(rows)} sessions ({shown})" if eligible else f"none of {len(rows)} sessions"
    said = f"End {what} of interview {quoted(operation.interview_id)} for good? Those candidates cannot go on."
    return said, rows


async def _register(client: Caller, operation: CreateCandidates, spent: Spent) -> Seen:
    listed = (await client.raw.call(ListCandidates(interview_id=operation.interview_id), spent=spent)).data
    number, there = len(operation.candidates), "1,000 or more" if cut(listed) else len(listed)
    said = f"Register {number} people for interview {quoted(operation.interview_id)}, which has {there}?"
    return f"{said} Each gets a private link, and nobody can be taken off again.", [row.id for row in listed]


async def _import(client: Caller, operation: ImportCandidates, spent: Spent) -> Seen | None:
    """Nothing is asked for a few: as with create_candidates."""
    _, plan = await planned(client, operation, spent)
    if len(plan.new) <= MANY:
        return None
    rows = plan.roster.invalid + plan.roster.duplicates + len(plan.registered)
    listed = f"which has {len(plan.listed):,}" if plan.whole else "which has 1,000 or more"
    left_out = f" {rows:,} rows of the list are left out." if rows else ""
    said = (
        f"Register {len(plan.new):,} people for interview {quoted(operation.interview_id)}, {listed}?{left_out} Each "
        "gets a private link, and nobody can be taken off again. What is imported on other computers meanwhile cannot "
        "be seen."
    )
    return said, [each.key for each in plan.new]


async def _reveal(client: Caller, operation: RevealCandidate, spent: Spent) -> Seen:
    of = f"interview {quoted(operation.interview_id)}"
    return f"Show who {quoted(operation.candidate)} of {of} is? The decision log will say that it was shown.", None


async def _launch(client: Caller, operation: LaunchInterviews, spent: Spent) -> Seen:
    number, opened = len(operation.interviews), [each.title for each in operation.interviews if each.publish]
    titles = ", ".join(quoted(each) for each in opened[:10]) + (" and others" if len(opened) > 10 else "")
    if number == 1:
        said = f"Make the interview {titles} and open it to everyone who has its link?"
    else:
        said = f"Make {number} interviews and open {len(opened)} of them to everyone who has the link ({titles})?"
    return f"{said} Aural cannot make one invite-only again.", None


async def _interview(client: Caller, interview_id: str, spent: Spent) -> Seen:
    found = await client.raw.call(GetInterview(interview_id=interview_id), spent=spent)
    seen = [found.updated_at, found.is_active, found.require_invite, len(found.questions)]
    return f"interview {quoted(found.title)} ({quoted(interview_id)})", seen


Asking = Callable[[Caller, Any, Spent], Awaitable[Seen | None]]
ASKED: dict[type[Operation[Any]], Asking] = {
    PublishInterview: _publish,
    ArchiveInterview: _archive,
    DeleteQuestion: _delete,
    EndInterviewSessions: _end,
    CreateCandidates: _register,
    RevealCandidate: _reveal,
    LaunchInterviews: _launch,
    ImportCandidates: _import,
}


# ── Codes ───────────────────────────────────────────────────────────────────────────────────────


class Codes:
    """Makes and honours codes.

    Args:
        state: remembers which codes were used, and the key when none is given.
        keys: shared by replicas; the first seals, all are honoured.
    """

    def __init__(self, state: State, keys: Sequence[bytes] = ()) -> None:
        self._state, self._keys = state, tuple(keys)

    def mint(self, tenant: str, operation: Operation[Any], target: str) -> str:
        """A code for this call."""
        head = secrets.token_bytes(NONCE) + struct.pack(">I", int(time.time()) + VALID)
        seal = _seal(self._ring()[0], head, tenant, operation, target)
        return base64.urlsafe_b64encode(head + seal).decode()

    def accept(self, code: str, tenant: str, operation: Operation[Any], target: str) -> bool:
        """Whether the code was made for this very call, is not too old, and was not used before."""
        try:
            raw = base64.b64decode(code.encode("ascii"), altchars=b"-_", validate=True)
        except (ValueError, UnicodeError):
            return False
        head, seal = raw[: NONCE + 4], raw[NONCE + 4 :]
        if len(raw) != NONCE + 4 + MAC or base64.urlsafe_b64encode(raw).decode() != code:
            return False
        seals = [_seal(key, head, tenant, operation, target) for key in self._ring()]
        expires = struct.unpack(">I", head[NONCE:])[0]
        good = [hmac.compare_digest(seal, each) for each in seals]
        return any(good) and time.time() <= expires <= time.time() + VALID + 60 and self._use(head, expires)

    def _use(self, head: bytes, expires: float) -> bool:
        """Spend a code; False when it was spent before."""
        with self._state.changing() as db:
            db.execute("delete from codes where expires_at < ?", (time.time(),))
            spent = db.execute("insert or ignore into codes values (?, ?)", (head.hex(), expires))
            return spent.rowcount == 1

    def _ring(self) -> tuple[bytes, ...]:
        if not self._keys:
            self._keys = (self._state.secret(),)
        return self._keys


def _seal(key: bytes, head: bytes, tenant: str, operation: Operation[Any], target: str) -> bytes:
    """What ties a code to key, tool, arguments and state."""
    given = [tenant, operation.tool_name(), operation.model_dump(mode="json", by_alias=True), target]
    message = head + json.dumps(given, sort_keys=True).encode()
    return hmac.new(key, b"aural-mcp confirmation 1" + message, hashlib.sha256).digest()[:MAC]

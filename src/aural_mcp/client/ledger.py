"""No create twice: what was asked for lately, what came of it, and looking where no answer came.

Aural's POSTs have no idempotency key. A create is written down before it is sent; the same create within ten
minutes gets the first one's result. When an answer is lost, the lists say whether it was done: rows that
match what was sent, made since it was sent.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Generic, TypeVar, cast

import anyio

from aural_mcp.api import errors
from aural_mcp.api.erasing import ReturnCandidates
from aural_mcp.api.models import Candidate, Interview, InvitedCandidate, Question, Record, Rows, Wire
from aural_mcp.api.operations import (
    CreateCandidates,
    CreateInterview,
    CreateQuestions,
    ListCandidates,
    ListInterviews,
    ListQuestions,
    Operation,
)
from aural_mcp.client import counting
from aural_mcp.client.caller import Caller
from aural_mcp.client.client import DEADLINE, Spent
from aural_mcp.client.links import invite_link
from aural_mcp.client.schema import IN_DOUBT, REMEMBERED
from aural_mcp.client.state import Transaction

R = TypeVar("R", bound=Record | Wire)
SETTLED = DEADLINE + 30.0
"""Seconds after which a create that timed out and cannot be found was not done: half a minute from its end or more."""
GAVE_UP = (504, 524)
"""Statuses of those between us who waited no longer: Aural may still be at it."""
SKEW = 60.0
"""Seconds by which the backend's clock may differ beyond what its answers tell."""
MOST_PAGES = 10
LOOK_AGAIN = 1.0
"""Seconds until the second look: a backend may still be at it."""
REPEATED = (
    "The same call was made {seconds} s ago: this is its result, and nothing was done a second time. "
    "To really do it again, set allowDuplicate true."
)
FOUND = "The answer was lost on the way, but it was done: these rows were found by looking."


@dataclass
class Outcome(Generic[R]):
    """What came of a create, and what to tell the user about how that is known."""

    result: R
    remarks: list[str] = field(default_factory=list[str])


@dataclass(frozen=True)
class Entry:
    """A create in the ledger: `started` until its end is known, then `done`, or `unknown`.

    `begun_at` is by the clock that all share, and tells it from others; `age` is null for this very call's own.
    """

    digest: str
    state: str
    begun_at: float
    age: float | None = None
    result: str | None = None


class Ledger:
    """The creates of one key in the last ten minutes."""

    def __init__(self, client: Caller) -> None:
        self._client, self._seen, self._state, self._tenant = client.raw, client.seen, client.state, client.raw.tenant

    async def once(
        self, operation: Operation[R], spent: Spent, *, allow_duplicate: bool = False, mark: str = ""
    ) -> Outcome[R]:
        """Carry out a create, unless the same one was carried out lately.

        Args:
            allow_duplicate: carry it out whatever was done before.
            mark: tells it from others that are written alike.

        Raises:
            AuralError: it was refused, or not done, or nobody can tell; the text says which.
        """
        self._client.reach(operation)
        mark = str(time.time_ns()) if allow_duplicate else mark
        outcome = await self._once(operation, _digest(operation, mark), spent)
        counting.created("done" if not outcome.remarks else "found" if FOUND in outcome.remarks else "repeated")
        return Outcome(await self._seen(operation, outcome.result, spent), outcome.remarks)

    async def _once(self, operation: Operation[R], digest: str, spent: Spent) -> Outcome[R]:
        deadline = time.monotonic() + DEADLINE
        while (entry := await self._begin(operation, digest)).age is not None:
            if entry.state == "done":
                return Outcome(*self._repeated(operation, entry))
            if entry.state == "unknown" or entry.age > DEADLINE + SKEW:
                return await self._settled(operation, entry, spent)
            if time.monotonic() > deadline - 1:
                raise _unknown(operation, "The same call is still under way.")
            await anyio.sleep(0.1)
        return await self._send(operation, entry, spent)

    async def knows(self, operation: Operation[Any], mark: str = "") -> bool:
        """Whether the same create was carried out lately, so that it would not be done again."""
        query = "select state from creates where tenant = ? and digest = ? and begun_at > ?"
        async with self._state.reading() as db:
            found = await db.one(query, (self._tenant, _digest(operation, mark), db.now - REMEMBERED))
        return found is not None and found[0] != "started"

    async def _send(self, operation: Operation[R], entry: Entry, spent: Spent) -> Outcome[R]:
        begun, sent = time.time(), spent.requests
        try:
            outcome = Outcome(await self._client.call(operation, spent=spent))
        except (errors.Unanswered, errors.ServerError) as lost:
            return await self._looked(operation, entry, begun, spent, lost)
        except errors.AuralError:
            await self._forget(entry)
            raise
        except BaseException:
            with anyio.CancelScope(shield=True):
                await (self._mark(entry, "unknown") if spent.requests > sent else self._forget(entry))
            raise
        await self._mark(entry, "done", outcome.result)
        return outcome

    async def _looked(
        self, operation: Operation[R], entry: Entry, begun: float, spent: Spent, lost: errors.AuralError
    ) -> Outcome[R]:
        """Twice, a little apart and whatever the caller does meanwhile: done, not done, or not to be told."""
        found: R | None = None
        with anyio.CancelScope(shield=True):
            await self._mark(entry, "unknown")
            found = await self._look(operation, entry, begun, spent)
            if found is None:
                await anyio.sleep(LOOK_AGAIN)
                found = await self._look(operation, entry, begun, spent)
        if found is not None:
            return Outcome(found, [FOUND])
        if getattr(lost, "timed_out", False) or getattr(lost, "status", None) in GAVE_UP:
            raise _unknown(operation, "It does not show up yet, but the backend may still be at it.") from lost
        await self._forget(entry)
        raise errors.Unanswered(
            "No usable answer came, and looking shows that it was not done.", "Call again."
        ) from lost

    async def _settled(self, operation: Operation[R], earlier: Entry, spent: Spent) -> Outcome[R]:
        """What came of an earlier one whose answer was lost; when that was nothing, it is carried out now."""
        age = earlier.age or 0.0
        if found := await self._look(operation, earlier, time.time() - age, spent):
            return Outcome(found, [FOUND])
        if age < SETTLED:
            raise _unknown(operation, "It does not show up yet, but the backend may still be at it.")
        await self._forget(earlier)
        return await self._once(operation, earlier.digest, spent)

    async def _look(self, operation: Operation[R], entry: Entry, begun: float, spent: Spent) -> R | None:
        """What a create made, if it shows: then it is done, and these rows are no other's."""
        since = begun + self._client.skew - SKEW
        try:
            while True:
                async with self._state.reading() as db:
                    known = await self._known(db, entry)
                look = LOOKS[type(operation)](self._client, operation, since, known, spent)
                found = cast("R | None", await look)
                if found is None or await self._take(entry, found):
                    return found
        except errors.AuralError as error:
            raise _unknown(operation, f"Looking did not tell: {error.message}") from error

    # ── Rows ────────────────────────────────────────────────────────────────────────────────────

    async def _begin(self, operation: Operation[Any], digest: str) -> Entry:
        """Write a create down; the answer is the earlier one where there is one."""
        over = """delete from creates where tenant = ? and digest = ?
            and begun_at < case state when 'done' then ? else ? end"""
        claim = "insert into creates values (?, ?, ?, ?, ?, ?) on conflict do nothing"
        query = "select state, begun_at, result from creates where tenant = ? and digest = ?"
        place = self._tenant, digest
        async with self._state.changing() as db:
            await db.change(over, (*place, db.now - REMEMBERED, db.now - IN_DOUBT))
            if await db.change(claim, (*place, operation.tool_name(), "started", db.now, None)):
                return Entry(digest, "started", db.now)
            found = await db.one(query, place)
            if found is None:  # whoever claimed it has just let go of it
                return Entry(digest, "started", db.now, age=0.0)
            state, begun_at, result = found
            return Entry(digest, state, begun_at, age=max(0.0, db.now - begun_at), result=result)

    async def _mark(self, entry: Entry, state: str, result: Record | Wire | None = None) -> None:
        """Set down how one stands, unless another call has taken it up since; later, where the database is lost."""
        text = None if result is None else json.dumps(result.model_dump(mode="json"), ensure_ascii=False)
        change = "update creates set state = ?, result = ? where tenant = ? and digest = ? and begun_at = ?"
        mark = partial(self._state.change, change, (state, text, self._tenant, entry.digest, entry.begun_at))
        try:
            await mark()
        except errors.StateUnwritable:
            if self._state.database is None:
                raise
            await self._state.later(mark)

    async def _forget(self, entry: Entry) -> None:
        change = "delete from creates where tenant = ? and digest = ? and begun_at = ?"
        await self._state.change(change, (self._tenant, entry.digest, entry.begun_at))

    async def _take(self, entry: Entry, found: Record | Wire) -> bool:
        """Set down that these rows are what one made, unless another took one of them meanwhile."""
        result = found.model_dump(mode="json")
        change = "update creates set state = 'done', result = ? where tenant = ? and digest = ? and begun_at = ?"
        async with self._state.changing(self._tenant) as db:
            if _ids(result) & await self._known(db, entry):
                return False
            text = json.dumps(result, ensure_ascii=False)
            await db.change(change, (text, self._tenant, entry.digest, entry.begun_at))
            return True

    async def _known(self, db: Transaction, entry: Entry) -> set[str]:
        """The ids that other creates made: they are not what this one made."""
        query = "select result from creates where tenant = ? and digest != ? and result is not null"
        results = await db.all(query, (self._tenant, entry.digest))
        return {each for (text,) in results for each in _ids(json.loads(text))}

    def _repeated(self, operation: Operation[R], earlier: Entry) -> tuple[R, list[str]]:
        result = operation.result_type().model_validate_json(earlier.result or "{}")
        return result, [REPEATED.format(seconds=max(1, round(earlier.age or 0)))]


def _ids(result: dict[str, Any]) -> set[str]:
    return {row["id"] for row in result.get("data", [result])}


def _digest(operation: Operation[Any], mark: str) -> str:
    """What makes two creates the same: the tool and its arguments, however they were written."""
    given = [operation.tool_name(), operation.model_dump(mode="json", by_alias=True), mark]
    return hashlib.sha256(json.dumps(given, sort_keys=True).encode()).hexdigest()


def _unknown(operation: Operation[Any], why: str) -> errors.Unanswered:
    counting.created("unknown")
    noun = operation.tool_name().split("_", 1)[1].rstrip("s")
    return errors.Unanswered(
        f"The request was sent and no usable answer came. {why}",
        f"It may have been done: look with list_{noun}s. The same call again looks first and does nothing twice.",
    )


# ── Looking ─────────────────────────────────────────────────────────────────────────────────────


async def _interview(
    client: Caller, operation: CreateInterview, since: float, known: set[str], spent: Spent
) -> Interview | None:
    wanted, asked = operation.payload(), ListInterviews(limit=100)
    for _ in range(MOST_PAGES):
        page = await client.call(asked, spent=spent)
        if found := next((row for row in page.data if _new(row, since, known) and _same(row, wanted, wanted)), None):
            return found
        if page.cursor is None or time_of(page.data[-1].updated_at) < since:
            return None
        asked = ListInterviews(limit=100, cursor=page.cursor)
    raise errors.Unanswered("So much was made meanwhile that looking does not tell.", "")


async def _questions(
    client: Caller, operation: CreateQuestions, since: float, known: set[str], spent: Spent
) -> Rows[Question] | None:
    listed = await client.call(ListQuestions(interview_id=operation.interview_id), spent=spent)
    fresh = [row for row in listed.data if _new(row, since, known)]
    found = _all_of(operation.payload(), fresh, ("text", "type", "options"))
    return None if found is None else Rows[Question](data=cast("list[Question]", found))


async def _candidates(
    client: Caller, operation: CreateCandidates, since: float, known: set[str], spent: Spent
) -> Rows[InvitedCandidate] | None:
    listed = await client.call(ListCandidates(interview_id=operation.interview_id), spent=spent)
    fresh = [row for row in listed.data if _new(row, since, known)]
    found = _all_of(operation.payload(), fresh, ("name", "email", "phone"))
    if found is None:
        return None
    rows = [
        {**row.model_dump(mode="json"), "inviteUrl": invite_link(await client.link_origin(), row.invite_token)}
        for row in cast("list[Candidate]", found)
    ]
    return Rows[InvitedCandidate].model_validate({"data": rows})


Look = Callable[[Caller, Any, float, set[str], Spent], Awaitable[Record | Wire | None]]
LOOKS: dict[type[Operation[Any]], Look] = {
    CreateInterview: _interview,
    CreateQuestions: _questions,
    CreateCandidates: _candidates,
    ReturnCandidates: _candidates,
}


def _all_of(wanted: list[dict[str, Any]], rows: Sequence[Record], names: Sequence[str]) -> list[Record] | None:
    """A row for each that is wanted, in that order; None unless all are there: a create is all or none."""
    left: dict[str, list[Record]] = {}
    for row in rows:
        left.setdefault(_looks(row.model_dump(mode="json", by_alias=True), names), []).append(row)
    alike = [left.get(_looks(each, names), []) for each in wanted]
    found = [each.pop(0) for each in alike if each]
    if found and len(found) < len(wanted):
        raise errors.Unanswered(f"{len(found)} of {len(wanted)} are there.", "")
    return found or None


def _same(row: Record, wanted: dict[str, Any], names: Sequence[str] | dict[str, Any]) -> bool:
    """Whether a row has what was sent, but for what Aural trims and lowers."""
    has = row.model_dump(mode="json", by_alias=True)
    return all(_plain(has.get(name)) == _plain(wanted.get(name)) for name in names)


def _looks(fields: dict[str, Any], names: Sequence[str]) -> str:
    """What `_same` compares, as one text."""
    return json.dumps([_plain(fields.get(name)) for name in names], sort_keys=True)


def _plain(value: Any) -> Any:
    return value.strip().casefold() or None if isinstance(value, str) else value


def _new(row: Any, since: float, known: set[str]) -> bool:
    return row.id not in known and time_of(row.created_at) >= since


def time_of(text: str) -> float:
    """Seconds since 1970; what is no time counts as now, so that it is not overlooked."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return time.time()

"""Erasing people: who is in a workspace, who is older than its policy, and what goes with them."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from sqlalchemy import JSON, Connection, String, Text, delete, func, insert, or_, select, update

from aural_mcp.backend.storage.rights import DELETE, is_owed, latest_of
from aural_mcp.backend.storage.store import PERSON, Row, now, rows, save_setting, setting
from aural_mcp.backend.storage.tables import (
    ASKS,
    agreements,
    candidates,
    decisions,
    erased,
    interviews,
    messages,
    metadata,
    notices,
    requests,
    sessions,
)
from aural_mcp.events.forgetting import forget_about, in_parts
from aural_mcp.privacy.persons import Entry, Mentions, Person, digits, plain

KEY = "erasing"
"""The setting that holds what makes hashes of who was erased."""
DOUBLE = re.compile(r"\bsession (\S+?)(?=[.,]?(?:\s|$))")
"""How the integrity log of a session names another one."""
GONE = "a session that was erased"
MOST_NAMED = 20


def entries(db: Connection) -> list[Entry]:
    """What all interviews hold of everybody."""
    column = sessions.c
    begun = select(column.id, column.interviewId, column.participantName, column.participantEmail)
    found = [
        Entry(
            "session",
            row["id"],
            row["interviewId"],
            row["participantName"] or "",
            row["participantEmail"] or "",
            row["participantPhone"] or "",
            state=row["status"],
        )
        for row in rows(db, begun.add_columns(column.participantPhone, column.status).order_by(column.createdAt))
    ]
    there = {each.id for each in found}
    listed = rows(db, select(candidates).order_by(candidates.c.createdAt))
    return found + [
        Entry(
            "candidate",
            row["id"],
            row["interviewId"],
            row["name"],
            row["email"] or "",
            row["phone"] or "",
            session=row["sessionId"] if row["sessionId"] in there else None,
        )
        for row in listed
    ]


def titles(db: Connection) -> dict[str, str]:
    """Every interview's title, by its id."""
    return {row["id"]: row["title"] for row in rows(db, select(interviews.c.id, interviews.c.title))}


# ── What is old ─────────────────────────────────────────────────────────────────────────────────


@dataclass
class Old:
    """What is older than a moment: entries by id with their last activity, who of them asked for it, and who stays."""

    gone: dict[str, tuple[Entry, str]] = field(default_factory=dict[str, tuple[Entry, str]])
    wished: set[str] = field(default_factory=set[str])
    kept: list[tuple[Entry, str]] = field(default_factory=list[tuple[Entry, str]])

    def only(self, ids: Collection[str]) -> Old:
        """What of it has these ids."""
        there = {name: each for name, each in self.gone.items() if name in ids}
        return Old(there, self.wished & there.keys(), self.kept)

    @property
    def entries(self) -> list[Entry]:
        """The entries that go."""
        return [each for each, _ in self.gone.values()]


def old(db: Connection, before: str, only: Collection[str] = (), keep: Collection[str] = ()) -> Old:
    """Sessions and registered candidates in which nothing has happened since a moment.

    Whoever has an open request that is not for deletion stays, or is owed an explanation, or was decided on in one of
    the ways of `keep`.

    Args:
        only: the ids of the interviews; all when empty.
    """
    column = sessions.c
    last = func.coalesce(column.completedAt, column.lastActivityAt, column.createdAt, type_=column.createdAt.type)
    moments = {row["id"]: row["last"] for row in rows(db, select(column.id, last.label("last")).where(last < before))}
    listed = select(candidates.c.id, candidates.c.createdAt).where(candidates.c.createdAt < before)
    made = {row["id"]: row["createdAt"] for row in rows(db, listed)}
    asked, decided = _open_requests(db), latest_of(db)
    found, stays = Old(), set[str]()
    everybody = [each for each in entries(db) if not only or each.interview in only]
    for each in everybody:  # sessions come first
        moment = moments.get(each.session or each.id) if each.session or each.kind == "session" else made.get(each.id)
        kinds = asked.get(each.id, set()) | asked.get(each.session or "", set())
        if moment is None or each.session in stays:
            continue
        if why := _why_kept(kinds, decided.get(each.session or each.id), keep):
            found.kept.append((each, why))
            stays.add(each.id)
            if each.session and found.gone.pop(each.session, None):
                found.wished.discard(each.session)
            continue
        found.gone[each.id] = (each, moment)
        found.wished |= {each.id} if DELETE in kinds else set[str]()
    return found


def _why_kept(kinds: Collection[str], decision: Row | None, keep: Collection[str]) -> str:
    if others := sorted(set(kinds) - {DELETE}):
        return f"open request: {', '.join(others)}"
    if decision is None:
        return ""
    if decision["decision"] in keep:
        return f"decided: {decision['decision']}"
    return "is owed an explanation" if is_owed(decision) else ""


def open_requests(db: Connection) -> list[tuple[str, str]]:
    """The kind of each open request, and since when."""
    return [(row["kind"], row["at"]) for row in _open_rows(db)]


def owed_since(db: Connection) -> list[str]:
    """When each decision was made of which the explanation is owed."""
    return [each["at"] for each in latest_of(db).values() if is_owed(each)]


def _open_requests(db: Connection) -> dict[str, set[str]]:
    """The kinds of open requests, by session and by candidate."""
    found: dict[str, set[str]] = {}
    for row in _open_rows(db):
        for owner in filter(None, (row["sessionId"], row["candidateId"])):
            found.setdefault(owner, set()).add(row["kind"])
    return found


def _open_rows(db: Connection) -> list[Row]:
    """Open requests, and the wishes for a person that an earlier version noted without one."""
    found = rows(db, select(requests).where(requests.c.closedAt.is_(None)))
    known = {row["sessionId"] for row in found if row["kind"] == PERSON}
    wished = rows(db, select(sessions.c.id, sessions.c[ASKS]).where(sessions.c[ASKS].is_not(None)))
    return found + [
        {"kind": PERSON, "sessionId": row["id"], "candidateId": None, "at": row[ASKS]}
        for row in wished
        if row["id"] not in known
    ]


# ── Erasing ─────────────────────────────────────────────────────────────────────────────────────


def held(db: Connection, found: Sequence[Entry]) -> dict[str, int]:
    """How much goes with these, by what a person calls it."""
    begun = [each.id for each in found if each.kind == "session"]
    listed = [each.id for each in found if each.kind == "candidate"]
    asked = {"sessionId": begun, "candidateId": listed}
    counts = {
        "session": len(begun),
        "registered candidate": len(listed),
        "message": _count(db, messages, "sessionId", begun),
        "request": sum(_count(db, requests, name, ids) for name, ids in asked.items()),
        "decision": _count(db, decisions, "sessionId", begun),
        "agreement": _count(db, agreements, "sessionId", begun),
    }
    return {name: number for name, number in counts.items() if number}


def _count(db: Connection, table: Any, name: str, ids: Sequence[str]) -> int:
    counted = select(func.count()).select_from(table)
    return sum(db.execute(counted.where(table.c[name].in_(some))).scalar() or 0 for some in in_parts(ids))


def remove(db: Connection, found: Sequence[Entry], bury: Sequence[Entry] = (), *, whole: bool = False) -> None:
    """Delete these with all that is theirs: answers, drawings, requests, decisions, events, the mark in an invitation.

    Args:
        bury: of whom a keyed hash is kept, so that nobody brings them back unasked.
        whole: nothing of these people stays, so that they are invited nowhere.
    """
    if db.engine.dialect.name == "sqlite":
        db.exec_driver_sql("PRAGMA secure_delete = ON")
    _bury(db, bury)
    ids = {each.id for each in found}
    for table, kind in ((sessions, "session"), (candidates, "candidate")):
        for some in in_parts([each.id for each in found if each.kind == kind]):
            db.execute(delete(table).where(table.c.id.in_(some)))
    db.execute(delete(notices).where(notices.c.digest.not_in(select(agreements.c.notice))))
    forget_about(db, ids)
    gone = {(each.interview, plain(each.email)) for each in found if each.email.strip()}
    _uninvite(db, gone - {(each.interview, plain(each.email)) for each in entries(db)}, everywhere=whole)
    _unlog(db, {each.interview for each in found}, ids)


def _uninvite(db: Connection, gone: Collection[tuple[str, str]], *, everywhere: bool) -> None:
    """Take addresses off the lists of who is invited to an interview, or to any."""
    addresses = {address for _, address in gone} if everywhere else set[str]()
    for row in rows(db, select(interviews.c.id, interviews.c.invitedEmails)):
        listed = cast("list[Any]", row["invitedEmails"] or [])
        theirs = addresses | {address for interview, address in gone if interview == row["id"]}
        kept = [each for each in listed if not (isinstance(each, str) and plain(each) in theirs)]
        if len(kept) < len(listed):
            db.execute(update(interviews).where(interviews.c.id == row["id"]).values(invitedEmails=kept))


def _unlog(db: Connection, where: Collection[str], ids: Collection[str]) -> None:
    """Take the ids of sessions out of the integrity logs of others."""
    for some in in_parts(where):
        for row in rows(db, select(sessions.c.id, sessions.c.antiCheatingLog).where(sessions.c.interviewId.in_(some))):
            logged = cast("list[Any]", row["antiCheatingLog"] or [])
            changed = [_without_ids(each, ids) for each in logged]
            if changed != logged:
                db.execute(update(sessions).where(sessions.c.id == row["id"]).values(antiCheatingLog=changed))


def _without_ids(event: Any, ids: Collection[str]) -> Any:
    """An event of an integrity log that names no session of these."""
    logged = cast("Row", event) if isinstance(event, dict) else {}
    said = logged.get("detail")
    if not isinstance(said, str):
        return cast("Any", event)
    return {**logged, "detail": DOUBLE.sub(lambda found: GONE if found[1] in ids else found[0], said)}


# ── Who was erased ──────────────────────────────────────────────────────────────────────────────


def _bury(db: Connection, found: Iterable[Entry]) -> None:
    if not (there := list(found)):
        return
    key, moment = setting(db, KEY), now()
    if key is None:
        save_setting(db, KEY, key := secrets.token_hex(32))
    hashes = {each for one in there for each in _hashes(key, one.interview, one.name, one.email, one.phone)}
    for some in in_parts(hashes):
        db.execute(delete(erased).where(erased.c.hash.in_(some)))
        db.execute(insert(erased), [{"hash": each, "at": moment} for each in some])


def buried(db: Connection, interview: str, people: Sequence[Mapping[str, Any]]) -> dict[int, str]:
    """Who of these was erased: by place in the list, from 1, and when."""
    key = setting(db, KEY)
    if key is None:
        return {}
    of: dict[str, list[int]] = {}
    for number, each in enumerate(people, 1):
        given = {name: each.get(name) or "" for name in ("name", "email", "phone")}
        if given["email"] or given["phone"]:
            given["name"] = ""
        for one in _hashes(key, interview, **given):
            of.setdefault(one, []).append(number)
    found: dict[int, str] = {}
    for some in in_parts(of):
        for row in rows(db, select(erased).where(erased.c.hash.in_(some))):
            at: str = row["at"]
            found |= dict.fromkeys(of[row["hash"]], at)
    return dict(sorted(found.items()))


def has_erased(db: Connection) -> bool:
    """Whether anybody was erased."""
    return db.execute(select(erased.c.hash).limit(1)).first() is not None


def when_erased(db: Connection, address: str) -> str | None:
    """When somebody of this address was erased; None where nobody was."""
    return buried(db, "", [{"email": address}]).get(1)


def erased_before(found: Mapping[int, str]) -> str:
    """Why these are not registered."""
    named = ", ".join(f"{number} ({at[:10]})" for number, at in list(found.items())[:MOST_NAMED])
    more = f" and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
    return f"Nobody was registered: of the list, number {named}{more} was erased here before, on the day in brackets."


def _hashes(key: str, interview: str, name: str, email: str, phone: str) -> list[str]:
    """What stands for a person: of the address, of the number, and of the name within an interview."""
    said = [["email", plain(email)], ["phone", digits(phone)], ["name", interview, plain(name)]]
    secret = bytes.fromhex(key)
    return [hmac.new(secret, json.dumps(each).encode(), hashlib.sha256).hexdigest() for each in said if each[-1]]


# ── What others say ─────────────────────────────────────────────────────────────────────────────


def mentioned(db: Connection, person: Person) -> dict[tuple[str, str], list[str]]:
    """Where rows of others name somebody: by table and id, the columns."""
    looked, found = Mentions(person), dict[tuple[str, str], list[str]]()
    for table in metadata.sorted_tables:
        texts = [each for each in table.columns if isinstance(each.type, String | Text | JSON)]
        own = [table.c[name].in_(person.ids) for name in ("id", "sessionId", "candidateId") if name in table.c]
        if "id" not in table.c or not texts:
            continue
        query = select(table.c.id, *(each for each in texts if each.name != "id"))
        for row in rows(db, query.where(~or_(*(func.coalesce(each, False) for each in own)))):
            for name, held in row.items():
                value = _left(name, held, person)
                text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False) if value else ""
                if name != "id" and text and looked.are_in(text):
                    found.setdefault((table.name, row["id"]), []).append(name)
    return found


def _left(name: str, value: Any, person: Person) -> Any:
    """What stays of a column of somebody else's row: lists of who is invited and integrity logs are cleaned."""
    listed = cast("list[Any]", value) if isinstance(value, list) else []
    if name == "invitedEmails":
        addresses = set(map(plain, person.addresses))
        return [each for each in listed if not (isinstance(each, str) and plain(each) in addresses)]
    if name == "antiCheatingLog":
        return [_without_ids(each, person.ids) for each in listed]
    return cast("Any", value)

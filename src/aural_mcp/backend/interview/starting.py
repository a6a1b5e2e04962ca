"""Who begins: how many from one address by a public link, and who seems to have begun before."""

from __future__ import annotations

import time
import unicodedata
from dataclasses import dataclass

from sqlalchemy import Connection, func, insert, or_, select, update

from aural_mcp.backend.storage.store import PERSON, digest
from aural_mcp.backend.storage.tables import requests, sessions, starts
from aural_mcp.config import Starts

HOUR = 3_600.0


@dataclass(frozen=True)
class Place:
    """From where somebody begins an interview: digests that tell nothing beyond it."""

    interview: str
    address: str
    device: str

    @classmethod
    def of(cls, interview: str, address: str, agent: str) -> Place:
        """An address, and a browser there."""
        return cls(interview, digest(f"{interview} {address}"), digest(f"{interview} {address} {agent}"))


@dataclass(frozen=True)
class Double:
    """A session that seems to be of the same person, and by what."""

    session: str
    by: tuple[str, ...]


def begun_before(db: Connection, place: Place, name: str, email: str | None, *, but: str | None = None) -> list[Double]:
    """The sessions of the interview with the same name, e-mail or device, newest first; not those never begun."""
    column, known = sessions.c, sessions.outerjoin(starts, starts.c.sessionId == sessions.c.id)
    query = select(column.id, column.participantName, column.participantEmail, starts.c.device).select_from(known)
    asked = select(requests.c.id).where(requests.c.sessionId == column.id, requests.c.kind == PERSON).exists()
    begun = or_(column.startedAt.is_not(None), ~asked)
    query = query.where(column.interviewId == place.interview, begun, column.id != (but or ""))
    there = db.execute(query.order_by(column.createdAt.desc()))
    found: list[Double] = []
    for session, its_name, its_email, device in there:
        alike = {
            "name": _plain(its_name) == _plain(name) != "",
            "e-mail": _plain(its_email) == _plain(email) != "",
            "device": device == place.device,
            "another e-mail": bool(its_email and email) and _plain(its_email) != _plain(email),
        }
        if alike["name"] or alike["e-mail"] or alike["device"]:
            found.append(Double(session, tuple(by for by, holds in alike.items() if holds)))
    return found


def refusal(db: Connection, place: Place, doubles: list[Double], allowed: Starts) -> tuple[int, str] | None:
    """Why nobody may begin here by the public link now: a status, and the page that says why."""
    column = starts.c
    lately = column.interviewId == place.interview, column.address == place.address, column.at > time.time() - HOUR
    number: int = db.execute(select(func.count()).select_from(starts).where(*lately)).scalar() or 0
    if allowed.per_hour and number >= allowed.per_hour:
        return 429, "too_many"
    same = (each for each in doubles if {"e-mail", "device"} & {*each.by} or "another e-mail" not in each.by)
    return (409, "once") if allowed.once and any(same) else None


def note_start(db: Connection, session: str, place: Place, doubles: list[Double], moment: int) -> None:
    """Keep from where a session was begun; one of somebody who began before says so in its integrity log."""
    row = {"interviewId": place.interview, "address": place.address, "device": place.device, "at": time.time()}
    db.execute(insert(starts).values(sessionId=session, **row))
    if doubles:
        by = [each for each in doubles[0].by if each != "another e-mail"]
        said = f"Same {' and '.join(by)} as session {doubles[0].session}"
        more = f" and {len(doubles) - 1} more." if len(doubles) > 1 else "."
        event = {"type": "began_twice", "timestamp": moment, "detail": said + more}
        db.execute(update(sessions).where(sessions.c.id == session).values(antiCheatingLog=[event]))


def _plain(text: str | None) -> str:
    return " ".join(unicodedata.normalize("NFKC", text or "").casefold().split())

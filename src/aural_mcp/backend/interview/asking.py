"""What candidates ask of the team: a person instead, their data, a correction, deletion; each open wish once."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection, insert, update
from starlette.datastructures import FormData

from aural_mcp.backend.interview.answers import Unclear
from aural_mcp.backend.interview.doors import Door
from aural_mcp.backend.storage.rights import CORRECT, DATA, DELETE
from aural_mcp.backend.storage.store import PERSON, UNSTORABLE, new_id, now
from aural_mcp.backend.storage.tables import ASKS, requests, sessions
from aural_mcp.backend.webhooks import note_request
from aural_mcp.safety import outside

OF_DATA = (DATA, CORRECT, DELETE)
LONGEST, MOST = 2_000, 20_000
"""Characters of what is written with a request, and of all that is written while it is open."""


def ask_as_written(db: Connection, door: Door, form: FormData) -> None:
    """Store the request in a form of the page.

    Raises:
        Unclear: nothing was chosen, or what is needed for it was not written.
    """
    kind, words = form.get("kind"), door.words
    text, email = field(form, "text", LONGEST + 1), field(form, "reach", 320) or field(form, "email", 320)
    if kind not in OF_DATA:
        raise Unclear(words["need.request"])
    if kind == CORRECT and not outside(text).strip():
        raise Unclear(words["need.correction"])
    if kind == DATA and not (door.candidate or door.reach or "@" in email):
        raise Unclear(words["need.contact"])
    ask(db, door, str(kind), text, email)


def ask(db: Connection, door: Door, kind: str, text: str, email: str) -> None:
    """Store a request with its time; what is written while one of its kind is open is added to that.

    Raises:
        Unclear: the text is too long.
    """
    session, candidate, moment = door.session, door.candidate or {}, now()
    if session and "@" in email and not (door.candidate or door.reach):
        db.execute(update(sessions).where(sessions.c.id == session["id"]).values(participantEmail=email))
    there = next((each for each in door.asked if each["kind"] == kind and each["closedAt"] is None), None)
    before = there["text"] if there else ""
    new = "" if before == text or before.endswith(f"\n\n{text}") else text
    room = min(LONGEST, MOST - len(before))
    if len(new) > room:
        raise Unclear(door.words["request.long"].format(limit=f"{max(0, room):,}"))
    if there:
        together = f"{before}\n\n{new}".strip()
        db.execute(update(requests).where(requests.c.id == there["id"]).values(text=together))
        return
    whose = {"sessionId": session["id"]} if session else {"candidateId": candidate["id"]}
    row = {"id": new_id(), "interviewId": door.interview["id"], "kind": kind, "text": text, "at": moment}
    db.execute(insert(requests).values(**row, **whose))
    if session:
        wish = {ASKS: moment} if kind == PERSON else {}
        db.execute(update(sessions).where(sessions.c.id == session["id"]).values({**wish, "updatedAt": moment}))
    note_request(db, kind, door.interview["id"], session, candidate.get("id"), at=moment)


def resume(db: Connection, door: Door) -> Door:
    """Let the clocks run again for who is back after a wish was closed."""
    if not door.returns or door.wish is None:
        return door
    back = door.wish | {"resumedAt": now()}
    db.execute(update(requests).where(requests.c.id == back["id"]).values(resumedAt=back["resumedAt"]))
    return replace(door, asked=[back if each["id"] == back["id"] else each for each in door.asked])


def field(form: FormData, name: str, most: int) -> str:
    """A field of a form, as it can be stored."""
    text = form.get(name)
    return UNSTORABLE.sub("", text).replace("\r\n", "\n").strip()[:most] if isinstance(text, str) else ""

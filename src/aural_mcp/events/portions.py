"""Which process looks at which interviews: shared out evenly, and written by nobody but the one who holds them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, update

from aural_mcp.events import pacing
from aural_mcp.events.forgetting import in_parts
from aural_mcp.events.outbox import processes, watched
from aural_mcp.events.pacing import Load

KIND = "watch"
LIST = ""
"""What stands for the list of interviews, which one of the processes reads for all."""


class Taken(Exception):
    """Another process looks at this interview now: what was seen of it here is not written down."""


@dataclass(frozen=True)
class Held:
    """An interview, or the list of them, that a process holds; times are seconds since 1970, 0 is never.

    Args:
        turn: changes whenever a process takes it.
        sessions: how many there were when the list was last read; None where it does not say.
        is_active: whether something is likely to change: somebody is in the middle, or was a moment ago.
        full_at: when all its sessions were looked at, not only the newest and the open ones.
    """

    id: str
    turn: int
    sessions: int | None
    is_active: bool
    sessions_at: float
    candidates_at: float
    full_at: float


def share_out(db: Connection, me: str) -> None:
    """Give back what is more than this process's even part, and take what is less and free.

    Active interviews and quiet ones are counted apart, as they cost differently.
    """
    alive = select(processes.c.name).where(processes.c.kind == KIND)
    names = sorted(db.execute(alive).scalars())
    if me not in names:
        return
    place = names.index(me)
    for is_active, rank in ((True, place), (False, len(names) - 1 - place)):
        whole, rest = divmod(_count(db, watched.c.is_active == is_active), len(names))
        _keep(db, me, whole + (rank < rest), is_active=is_active)


def _keep(db: Connection, me: str, part: int, *, is_active: bool) -> None:
    """Hold so many of a sort; what another process is just taking is left to it."""
    column = watched.c
    alike = column.is_active == is_active
    mine = db.execute(select(column.id).where(alike, column.holder == me).order_by(column.id)).scalars().all()
    for some in in_parts(mine[part:]):
        db.execute(update(watched).where(column.id.in_(some)).values(holder=None))
    if part > len(mine):
        free = select(column.id).where(alike, column.holder.is_(None)).order_by(column.sessions_at, column.id)
        found = db.execute(free.limit(part - len(mine)).with_for_update(skip_locked=True)).scalars().all()
        for some in in_parts(found):
            db.execute(update(watched).where(column.id.in_(some)).values(holder=me, turn=column.turn + 1))


def _count(db: Connection, *which: ColumnElement[bool]) -> int:
    return db.execute(select(func.count()).select_from(watched).where(*which)).scalar_one()


def held(db: Connection, me: str) -> list[Held]:
    """What a process holds."""
    column = watched.c
    wanted = select(
        column.id,
        column.turn,
        column.sessions,
        column.is_active,
        column.sessions_at,
        column.candidates_at,
        column.full_at,
    )
    return [Held(*row) for row in db.execute(wanted.where(column.holder == me))]


def load(db: Connection, me: str, share: float) -> Load:
    """What a process has to follow with so many requests in a minute; where no sessions are, none are asked for."""
    mine = held(db, me)
    interviews = [each for each in mine if each.id != LIST]
    quiet = [each for each in interviews if not each.is_active]
    looks = len(interviews) + sum(each.sessions != 0 for each in quiet)
    pages = pacing.listing(_count(db, watched.c.id != LIST)) if len(mine) > len(interviews) else 0
    return Load(share, len(interviews), len(interviews) - len(quiet), looks, pages)


def check(db: Connection, one: Held) -> bool:
    """Keep others from taking an interview until this transaction ends; whether its sessions are as many as they were.

    Raises:
        Taken: another process has taken it since.
    """
    this = select(watched.c.turn, watched.c.sessions).where(watched.c.id == one.id)
    found = db.execute(this.with_for_update()).first()
    if found is None or found.turn != one.turn:
        raise Taken
    return found.sessions == one.sessions


def note(db: Connection, one: Held, **values: float | bool) -> None:
    """Write down what became of a look."""
    db.execute(update(watched).where(watched.c.id == one.id).values(values))


# ── Which there are ─────────────────────────────────────────────────────────────────────────────


def known(db: Connection) -> dict[str, int | None]:
    """How many sessions each interview had when the list was last read."""
    return {row.id: row.sessions for row in db.execute(select(watched.c.id, watched.c.sessions))}


def add(db: Connection, found: Mapping[str, int | None], *, active: Collection[str] = ()) -> None:
    """Begin with interviews."""
    first = {"turn": 0, "sessions_at": 0.0, "candidates_at": 0.0, "full_at": 0.0}
    rows = [
        {**first, "id": each, "sessions": sessions, "is_active": each in active} for each, sessions in found.items()
    ]
    if rows:
        db.execute(insert(watched), rows)


def recount(db: Connection, counts: Mapping[str, int | None]) -> None:
    """Note where the number of sessions changed: there more is likely to change."""
    for each, sessions in counts.items():
        db.execute(update(watched).where(watched.c.id == each).values(sessions=sessions, is_active=True))


def keep_only(db: Connection, names: Collection[str]) -> None:
    """Let go of all others."""
    for some in in_parts(known(db).keys() - set(names)):
        db.execute(delete(watched).where(watched.c.id.in_(some)))

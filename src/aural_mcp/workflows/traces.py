"""What this computer keeps of people beside a backend, in state.db and events.db, and its erasing."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, cast

from aural_mcp.api.errors import StateUnwritable
from aural_mcp.client.state import State
from aural_mcp.database import CannotOpen
from aural_mcp.events.forgetting import forget_about
from aural_mcp.events.run import open_outbox
from aural_mcp.privacy.audit import MESSAGES
from aural_mcp.privacy.persons import Person, plain
from aural_mcp.workflows.lists.people import key_of
from aural_mcp.workflows.mail.ledger import PLACE, item

STATE, EVENTS = "state.db", "events.db"
AT_IT = "{file} cannot be opened, so nothing was erased: another process writes it, or it is damaged."
STOP_OTHERS = "Stop hosts and servers that are running and run the same command again."


def erase_traces(folder: Path, people: Sequence[Person], interviews: Collection[str] | None = None) -> int:
    """Erase what the files of a data folder hold of people: results of creates, journals, what was watched; how much.

    Args:
        interviews: the ids of all there are, where nothing of these people stays; else only their own are looked at.

    Raises:
        StateUnwritable: state.db cannot be written.
        CannotOpen: events.db cannot be opened.
    """
    ids, number = {each for person in people for each in person.ids}, 0
    if (path := folder / STATE).exists():
        with closing(State(lambda: path)) as state:
            if not state.opens():
                raise StateUnwritable(AT_IT.format(file=path), STOP_OTHERS)
            number += _in_state(state, people, ids, interviews)
    if (path := folder / EVENTS).exists():
        with closing(open_outbox(f"sqlite:///{path}")) as database, database.writing() as db:
            number += forget_about(db, ids)
    return number


def compact_traces(folder: Path) -> list[str]:
    """Rewrite these files without what was deleted; those with which that could not be done."""
    unfinished = list[str]()
    if (path := folder / STATE).exists():
        with closing(State(lambda: path)) as state:
            unfinished += [] if state.opens() and state.compact() else [str(path)]
    if (path := folder / EVENTS).exists():
        try:
            with closing(open_outbox(f"sqlite:///{path}")) as database:
                unfinished += [] if database.compact() else [str(path)]
        except CannotOpen:
            unfinished.append(str(path))
    return unfinished


def _in_state(state: State, people: Sequence[Person], ids: set[str], interviews: Collection[str] | None) -> int:
    secret, imported = state.secret(), set[tuple[str, str]]()
    sent: list[tuple[str, ...]] = []
    for person in people:
        keys = list(_keys(person))
        for each in {entry.interview for entry in person.entries} if interviews is None else interviews:
            imported |= {(f"import {each}", key) for key in keys}
            sent += [(*PLACE, item(secret, each, kind, to)) for kind in MESSAGES for to in person.addresses]
    whole = people if interviews is not None else ()
    addresses = {plain(each) for person in whole for each in person.addresses}
    with state.changing() as db:
        db.execute("pragma secure_delete = on")
        before = db.total_changes
        db.executemany("delete from journal where tenant = ? and task = ? and item = ?", sent)
        gone = [
            (number,)
            for number, task, name, done in db.execute("select rowid, task, item, done from journal").fetchall()
            if name in ids or (task, name) in imported or _names(done, ids, addresses)
        ]
        db.executemany("delete from journal where rowid = ?", gone)
        for number, result in db.execute("select rowid, result from creates where result is not null").fetchall():
            if (left := _without(result, ids, addresses)) is not None:
                db.execute("update creates set result = ? where rowid = ?", (left, number))
        return db.total_changes - before


def _keys(person: Person) -> Iterator[str]:
    """By what an import knows somebody."""
    yield from (key_of("", address, None) for address in person.addresses)
    for name in person.names:
        yield from (key_of(name, None, number) for number in {*person.phones, ""})


def _names(done: str, ids: set[str], addresses: set[str]) -> bool:
    """Whether what a journal says has the id or the address of somebody, alone or behind another word."""
    return any(not ids.isdisjoint(each.split()) or plain(each) in addresses for each in _texts(json.loads(done)))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, each in cast("dict[str, Any]", value).items():
            yield name
            yield from _texts(each)
    elif isinstance(value, list):
        for each in cast("list[Any]", value):
            yield from _texts(each)


def _without(result: str, ids: set[str], addresses: set[str]) -> str | None:
    """The result of a create without these people; None where they are not in it."""
    said = json.loads(result)
    listed = cast("list[dict[str, Any]]", said.get("data") if isinstance(said.get("data"), list) else [])
    left = [each for each in listed if each.get("id") not in ids and plain(each.get("email") or "") not in addresses]
    return json.dumps({**said, "data": left}) if len(left) < len(listed) else None

"""What this computer keeps of people beside a backend, in the shared state and events.db, and its erasing."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, cast

import anyio

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


def erase_traces(
    folder: Path, people: Sequence[Person], interviews: Collection[str] | None = None, *, url: str = ""
) -> int:
    """Erase what is kept of people beside a backend: results of creates, journals, what was watched; how much.

    Args:
        folder: the data folder of this computer.
        interviews: the ids of all there are, where nothing of these people stays; else only their own are looked at.
        url: of the shared state, where it is in a database.

    Raises:
        StateUnwritable: the state cannot be written.
        CannotOpen: events.db cannot be opened.
    """
    ids, number = {each for person in people for each in person.ids}, 0
    for state in _states(folder, url):
        number += anyio.run(_of_state, state, people, ids, interviews)
    if (path := folder / EVENTS).exists():
        with closing(open_outbox(f"sqlite:///{path}")) as database, database.writing() as db:
            number += forget_about(db, ids)
    return number


def compact_traces(folder: Path) -> list[str]:
    """Rewrite these files without what was deleted; those with which that could not be done."""
    unfinished = list[str]()
    for state in _states(folder):
        unfinished += [] if anyio.run(_compact, state) else [str(folder / STATE)]
    if (path := folder / EVENTS).exists():
        try:
            with closing(open_outbox(f"sqlite:///{path}")) as database:
                unfinished += [] if database.compact() else [str(path)]
        except CannotOpen:
            unfinished.append(str(path))
    return unfinished


def _states(folder: Path, url: str = "") -> list[State]:
    """What processes share, and the file in which they shared it before it came into a database."""
    path = folder / STATE
    return [*([State(lambda: path)] if path.exists() else []), *([State(url=url)] if url else [])]


async def _opens(state: State) -> bool:
    with suppress(StateUnwritable):
        return await state.opens()
    return False


async def _compact(state: State) -> bool:
    try:
        return await _opens(state) and await state.compact()
    finally:
        await state.aclose()


async def _of_state(state: State, people: Sequence[Person], ids: set[str], interviews: Collection[str] | None) -> int:
    try:
        if state.database is None and not await _opens(state):
            raise StateUnwritable(AT_IT.format(file=STATE), STOP_OTHERS)
        return await _in_state(state, people, ids, interviews)
    finally:
        await state.aclose()


async def _in_state(state: State, people: Sequence[Person], ids: set[str], interviews: Collection[str] | None) -> int:
    secret, imported = await state.secret(), set[tuple[str, str]]()
    sent: list[tuple[str, ...]] = []
    for person in people:
        keys = list(_keys(person))
        for each in {entry.interview for entry in person.entries} if interviews is None else interviews:
            imported |= {(f"import {each}", key) for key in keys}
            sent += [(*PLACE, item(secret, each, kind, to)) for kind in MESSAGES for to in person.addresses]
    whole = people if interviews is not None else ()
    addresses = {plain(each) for person in whole for each in person.addresses}
    entry = "delete from journal where tenant = ? and task = ? and item = ?"
    async with state.changing() as db:
        number = await db.many(entry, sent)
        gone = [
            (tenant, task, name)
            for tenant, task, name, done in await db.all("select tenant, task, item, done from journal")
            if name in ids or (task, name) in imported or _names(done, ids, addresses)
        ]
        number += await db.many(entry, gone)
        kept = await db.all("select tenant, digest, result from creates where result is not null")
        for tenant, digest, result in kept:
            if (left := _without(result, ids, addresses)) is not None:
                change = "update creates set result = ? where tenant = ? and digest = ?"
                number += await db.change(change, (left, tenant, digest))
        return number


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

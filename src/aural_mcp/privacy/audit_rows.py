"""The rows of the decision log, read in order of time and followed chain by chain."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from aural_mcp.client.state import State
from aural_mcp.privacy.audit_database import Row, row_of
from aural_mcp.privacy.audit_lines import START, Line, Verdict, fields, line_of

PAGE = 2_000
NEWEST = 10_000
"""Lines of a key that are looked through for a session."""
IN_ORDER = """
select at, writer, seq, line from decision_log
where (at, writer, seq) > (?, ?, ?) order by at, writer, seq limit ?
"""
BY_WRITER = """
select writer, seq, at, tenant, line from decision_log
where (writer, seq) > (?, ?) order by writer, seq limit ?
"""
CHECKPOINTS = """
select put, writer, seq, line from decision_log
where line like '%"tool":"checkpoint"%' and (put, writer, seq) > (?, ?, ?) order by put, writer, seq limit ?
"""
FIRST = -math.inf, "", -1
"""Before every row, by time, writer and number."""
LATEST = "select line from decision_log order by at desc, writer desc, seq desc limit ?"
OF_SESSION = """
select line from (
    select line, at, writer, seq from decision_log where tenant = ? order by at desc limit ?
) newest where line like ? order by at desc, writer desc, seq desc
"""


async def raw_lines(state: State, since: float = -math.inf) -> AsyncGenerator[bytes]:
    """The lines as they stand, in order of time.

    Args:
        since: seconds since 1970.

    Raises:
        StateUnwritable: the database is lost.
    """
    after = since - 0.001, "", 0
    async with state.reading() as db:
        while rows := await db.all(IN_ORDER, (*after, PAGE)):
            for _, _, _, line in rows:
                yield line.encode()
            after = rows[-1][:3]


async def latest(state: State, number: int) -> list[bytes]:
    """The last lines, in order of time.

    Raises:
        StateUnwritable: the database is lost.
    """
    async with state.reading() as db:
        return [line.encode() for (line,) in reversed(await db.all(LATEST, (number,)))]


async def of_session(state: State, tenant: str, session_id: str) -> list[bytes]:
    """Which of the newest lines of a key name a session, the last first.

    Raises:
        StateUnwritable: the database is lost.
    """
    async with state.reading() as db:
        return [line.encode() for (line,) in await db.all(OF_SESSION, (tenant, NEWEST, f'%"{session_id}"%'))]


class Named(NamedTuple):
    """The hash of a line as a checkpoint says it, and which line that checkpoint is."""

    hash: str
    where: str


@dataclass
class Chain:
    """The lines of a writer, followed one after the other."""

    writer: str
    named: Mapping[int, Named]
    seq: int = 0
    hash: str = START
    problems: list[str] = field(default_factory=list[str])

    def follow(self, row: Row) -> Line | None:
        """Take the next line, and note what is wrong with it; the line where it is intact."""
        line, raw = line_of(row.line.encode()), row.line.encode()
        if what := self._wrong(line, raw, row):
            self.problems.append(f"Line {row.seq} of writer {self.writer} {what}.")
        self.seq, self.hash = row.seq, line.hash if line else ""
        return line if line and line.intact else None

    def end(self) -> list[str]:
        """All that is wrong, now that there are no more lines."""
        last = max(self.named, default=0)
        if last > self.seq:
            said = f"Lines {self.seq + 1} to {last} of writer {self.writer} are missing"
            self.problems.append(f"{said}: {self.named[last].where} names line {last}.")
        return self.problems

    def _wrong(self, line: Line | None, raw: bytes, row: Row) -> str:
        if line is None:
            return "cannot be read: it was overwritten"
        if not line.intact:
            return "was changed: its hash does not fit what it says"
        if row_of(line.seq, line.said, raw) != row:
            return "does not fit its row: one of the two was changed, or it was moved"
        if row.seq > self.seq + 1:
            return f"comes after lines that were removed, numbers {self.seq + 1} to {row.seq - 1}"
        if self.hash and line.prev != self.hash:
            return f"does not follow line {self.seq}: one of the two was changed or put in"
        if (named := self.named.get(row.seq)) and named.hash != line.hash:
            return f"was written anew: {named.where} names another"
        return ""


async def verify(state: State, expect: str = "") -> Verdict:
    """Follow every writer's chain, and see that it has what checkpoints name.

    Lines cut off at the end of a chain, and a chain that was removed or written anew, show where a checkpoint of
    another chain names them; where that was cut off with them, only `expect` tells.

    Args:
        expect: the hash of a head that was noted earlier, or its beginning: a line must still have it.

    Raises:
        StateUnwritable: the database is lost.
    """
    named, head = await _named(state)
    count, known, chain, problems = 0, not expect or START.startswith(expect), Chain("", {}), list[str]()
    async for row in _rows(state):
        if row.writer != chain.writer:
            problems += chain.end()
            chain = Chain(row.writer, named.pop(row.writer, {}))
        line, count = chain.follow(row), count + 1
        known = known or (line is not None and line.hash.startswith(expect))
    problems += chain.end()
    for writer, lines in sorted(named.items()):
        problems += Chain(writer, lines).end()
    if not known:
        problems.append(f"No line has the hash {expect}: lines were cut off at the end, or the log was written anew.")
    if not head:
        head = next((line.hash for raw in await latest(state, 1) if (line := line_of(raw))), START)
    return Verdict(count, head, problems)


async def _named(state: State) -> tuple[dict[str, dict[int, Named]], str]:
    """What checkpoints say of each writer's lines, and the hash of the last checkpoint."""
    found, head, after = dict[str, dict[int, Named]](), "", FIRST
    async with state.reading() as db:
        while rows := await db.all(CHECKPOINTS, (*after, PAGE)):
            after = rows[-1][:3]
            for _, writer, seq, raw in rows:
                line = line_of(raw.encode())
                head = line.hash if line and line.intact else head
                for name, end in fields(line.said.get("heads")).items() if line and line.intact else ():
                    match end:
                        case [int(last), str(own)]:
                            found.setdefault(name, {}).setdefault(last, Named(own, f"line {seq} of writer {writer}"))
                        case _:
                            pass
    return found, head


async def _rows(state: State) -> AsyncGenerator[Row]:
    """Every row, writer by writer."""
    after = "", -1
    async with state.reading() as db:
        while rows := await db.all(BY_WRITER, (*after, PAGE)):
            for row in rows:
                yield Row(*row)
            after = rows[-1][:2]

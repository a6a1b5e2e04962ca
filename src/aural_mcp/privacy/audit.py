"""The decision log: what was done, by whom, with which key, to what, and how it was agreed to. One line of JSON each.

Of candidates only ids, pseudonyms and what was decided: no name, answer or score. Of whoever did it, where people sign
in, name and subject at their provider, or keyed hashes of both; and the reason that a call gave, in its own words.
Never a key.

Each line ends in its SHA-256 and carries that of the line
before, so one that was changed, removed, put in or moved shows. What does not: lines cut off at the end, and a
file written anew from some line on. These only a head's hash tells that was noted elsewhere.

A line outlives a crash of the process, not of the machine: nothing is fsynced.
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import re
import stat
import sys
import time
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

from aural_mcp.api.decisions import VERDICTS
from aural_mcp.api.errors import LogUnwritable, StateUnwritable
from aural_mcp.privacy.who import Who, one_line
from aural_mcp.safety import outside, quoted

Outcome = Literal["done", "failed", "refused", "preview"]
"""`failed`: nobody heard that it was done; where the answer was lost it may have been."""
Confirmed = Literal["asked", "code", "view", "operator"]
READS = (
    *("reveal_candidate", "get_session", "get_session_report", "list_candidates"),
    *("compare_candidates", "compare_answers", "search_transcripts", "find_person", "export_results", "impact_report"),
)
"""Tools that change nothing and show what a candidate gave."""
MESSAGES = ("invitation", "reminder", "thanks")
NOUNS = ("interview", "question", "candidate", "session")
ID = re.compile(r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}")
"""Aural's ids. Where an id is asked for anything may be written, so nothing else is kept."""
PSEUDONYM = re.compile("Candidate [B-DF-HJKMNP-TV-XZ2-9]{6}")
LINE = re.compile(rb'(\{"seq":(\d{1,15}),.*"prev":"([0-9a-f]{64})"),"hash":"([0-9a-f]{64})"\}')
START = "0" * 64
"""What the first line is chained to."""
UNWRITABLE = (
    "Tell the user: make it writable and call again, or name another file, or off, as AURAL_AUDIT_LOG and restart."
)
BUSY = 1.0
"""Seconds to wait for another process that is writing."""
BLOCK, MOST_WAITING, NOWHERE = 8192, 1000, 2**40
LONGEST_REASON = 200
"""Letters."""
ROOM = 8192
"""Bytes that a line is seen to have, before what it tells of is done."""
log = logging.getLogger(__name__)


def logged(tool: str, effect: str) -> bool:
    """Whether calls of this tool are written down: those that change something or show candidates' material."""
    return effect != "read" or tool in READS


def ids_of(tool: str, *values: Mapping[str, Any]) -> dict[str, list[Any]]:
    """What may be ids in a call's arguments and structured result; a plain `id` goes by the tool's noun."""
    own = next((noun for word in reversed(tool.split("_")) for noun in NOUNS if word.startswith(noun)), "")
    rows = [
        *values,
        *(row for value in values for name in ("data", "results", "candidates") for row in _list(value.get(name))),
    ]
    found: dict[str, list[Any]] = {}
    for name, item in (
        pair for row in rows if isinstance(row, Mapping) for pair in cast("dict[str, Any]", row).items()
    ):
        noun = name.replace("_", "").lower().removesuffix("s").removesuffix("id") or own
        named = "pseudonym" if isinstance(item, str) and PSEUDONYM.fullmatch(item) else f"{noun}Id"
        found.setdefault(named, []).extend(_list(item))
    return found


class AuditLog:
    """Appends to the file; several processes may.

    Args:
        path: gives the file at each use; None keeps no log.
        secret: makes hashes of people's names; None writes the names.
    """

    def __init__(self, path: Callable[[], Path | None], secret: Callable[[], Awaitable[bytes]] | None = None) -> None:
        self._path, self._waiting = path, cast("list[dict[str, Any]]", [])
        self._secret, self._key = secret, cast("bytes | None", None)

    async def check(self) -> None:
        """See that a line can be written now; lines that wait are.

        Raises:
            LogUnwritable: it cannot.
        """
        await self._hashes()
        self._write(self._waiting, ROOM)

    async def record(
        self,
        tool: str,
        outcome: Outcome,
        *,
        tenant: str,
        ids: Mapping[str, Any],
        confirmed: Confirmed | None = None,
        blind: bool = False,
        revealed: str | None = None,
        kind: str | None = None,
        verdict: str | None = None,
        by: Who | None = None,
        reason: str = "",
        waits: bool = True,
    ) -> None:
        """Write a line. What cannot be written waits for the next line, while the process lives.

        Args:
            tenant: the SHA-256 of the key, of which 12 digits are kept.
            ids: by name; what does not have the form of an id is left out.
            kind: of a message that was sent.
            verdict: what somebody decided on a candidate.
            by: who signed in; None where nobody does.
            waits: False for what is not going to happen if it cannot be written.

        Raises:
            LogUnwritable: it could not be written, and does not wait.
        """
        entry = {
            "at": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "tool": tool,
            "ids": _only_ids(ids),
            "outcome": outcome,
            "confirmed": confirmed,
            "blind": blind,
            "revealed": revealed if PSEUDONYM.fullmatch(revealed or "") else None,
            **({"kind": kind} if kind in MESSAGES else {}),
            **({"verdict": verdict} if verdict in VERDICTS else {}),
            **({"by": await self.said_of(by)} if by else {}),
            **({"reason": said} if (said := one_line(reason, LONGEST_REASON)) else {}),
            "tenant": tenant[:12] if re.fullmatch("[0-9a-f]{12,64}", tenant) else None,
        }
        waiting = [*self._waiting, entry][-MOST_WAITING:]
        try:
            self._write(waiting)
        except LogUnwritable as error:
            if not waits:
                raise
            if not self._waiting:
                log.warning("%s Lines wait in memory until it can", error.message)
            self._waiting = waiting

    @property
    def path(self) -> Path | None:
        """The file; None where no log is kept."""
        return self._path()

    async def said_of(self, who: Who | None) -> dict[str, str]:
        """Who was behind an act, as a line says it."""
        return who.said(await self._hashes()) if who else {}

    @property
    def waits(self) -> bool:
        """Whether there are lines that could not be written yet."""
        return bool(self._waiting)

    async def _hashes(self) -> bytes | None:
        """What hashes names, kept once it is known: what was checked can be written.

        Raises:
            LogUnwritable: nobody knows it, and no name is written instead.
        """
        if self._secret is not None and self._key is None:
            try:
                self._key = await self._secret()
            except StateUnwritable as error:
                raise LogUnwritable(f"The decision log cannot hash names. {error.message}", error.next_step) from error
        return self._key

    def _write(self, lines: Sequence[Mapping[str, Any]], room: int = 0) -> None:
        path: Path | None = None
        try:
            path = self._path()
            if path is not None:
                _append(path, lines, room)
        except (OSError, ValueError) as error:
            why = (error.strerror if isinstance(error, OSError) else None) or str(error)
            named = f" {quoted(path.name)}" if path else ""
            raise LogUnwritable(f"The decision log{named} cannot be written ({why}).", UNWRITABLE) from error
        self._waiting = []


# ── Reading ─────────────────────────────────────────────────────────────────────────────────────


class Line(NamedTuple):
    """A line that can be read."""

    seq: int
    prev: str
    hash: str
    intact: bool
    said: dict[str, Any]

    @property
    def by(self) -> dict[str, Any]:
        """Who was behind it, where somebody signed in."""
        return _fields(self.said.get("by"))

    @property
    def ids(self) -> dict[str, Any]:
        """What it was done to, by name."""
        return _fields(self.said.get("ids"))

    def is_about(self, wanted: str) -> bool:
        """Whether it has this in the name of its tool, its outcome, what was decided, or an id."""
        ids = [each for some in self.ids.values() for each in _list(some)]
        about = [*map(self.said.get, ("tool", "outcome", "verdict")), *ids]
        return any(wanted.casefold() in each.casefold() for each in about if isinstance(each, str))

    def is_since(self, moment: datetime) -> bool:
        """Whether it was written then or later; one that does not say when may have been."""
        try:
            return datetime.fromisoformat(self.said["at"]) >= moment
        except (KeyError, TypeError, ValueError):
            return True

    def __str__(self) -> str:
        """For a person; neither a name nor a forged line can steer the terminal."""
        told = {**self.said, "by": None, "ids": None, "reason": None, **self.ids}
        words = {name: json.dumps(value) for name, value in told.items() if value and name not in ("prev", "hash")}
        first = [words.pop(name, "?").strip('"') for name in ("seq", "at", "tool", "outcome")]
        people = [f"{_shown(name)} {_shown(text)}" for name, text in self.by.items()]
        reason = [f"reason {_shown(self.said['reason'])}"] if self.said.get("reason") else []
        rest = [f"{json.dumps(name)} {word}".replace('"', "") for name, word in words.items()]
        return "  ".join([*first, *people, *reason, *rest, *([] if self.intact else ["(changed)"])])


class Verdict(NamedTuple):
    """How many lines there are, the hash of the last intact one, and what is wrong, by line."""

    lines: int
    head: str
    problems: list[str]


def read(path: Path) -> list[Line | None]:
    """The lines, None for each that cannot be read.

    Raises:
        OSError: it cannot be opened, or somebody keeps it locked.
    """
    with path.open("rb") as file, _locked(file.fileno()):
        file.seek(0)
        lines = file.read().split(b"\n")
    return [line_of(raw) for raw in (lines if lines[-1] else lines[:-1])]


def verify(path: Path, expect: str = "") -> Verdict:
    """Follow the chain. What was cut off at the end, or written anew from some line on, only `expect` tells.

    Args:
        expect: the hash of a head that was noted earlier, or its beginning: a line must still have it.

    Raises:
        OSError: as `read`.
    """
    lines = read(path)
    places = {START: 0}
    for number, line in enumerate(lines, 1):
        places.setdefault(line.hash if line else "", number)
    wrong: dict[int, str] = {}
    last, at, due = START, 0, 1
    for number, line in enumerate(lines, 1):
        if line is None:
            wrong[number] = "cannot be read: torn by a crash while it was written, or overwritten"
            continue
        seq, after = line.seq, places.get(line.prev)
        if not line.intact:
            wrong[number], seq = "was changed: its hash does not fit what it says", due
        elif places[line.hash] < number:
            wrong[number] = f"repeats line {places[line.hash]}"
            continue
        elif after is None and seq > due:
            wrong[number] = f"comes after lines that were removed, numbers {due} to {seq - 1}"
        elif after is None:
            wrong[number] = f"does not follow line {at}: one of the two was changed or put in"
        elif after > number:
            wrong[number] = f"was moved: it was written after line {after}"
        elif line.prev != last:
            for between in range(after + 1, number):
                wrong.setdefault(between, f"was put in or moved: line {number} was written after line {after}")
        last, at, due = line.hash, number, seq + 1
    problems = [f"Line {number} {what}." for number, what in sorted(wrong.items())]
    heads = [START, *(line.hash for line in lines if line and line.intact)]
    if expect and not any(each.startswith(expect) for each in heads):
        problems.append(f"No line has the hash {expect}: lines were cut off at the end, or the file was written anew.")
    return Verdict(len(lines), heads[-1], problems)


def _fields(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _shown(value: object) -> str:
    """A text from outside for a terminal: letters as they are, and whatever could steer it as its number."""
    text = outside(value) if isinstance(value, str) else json.dumps(value)
    return "".join(each if each.isprintable() else f"\\u{ord(each):04x}" for each in text)


def line_of(raw: bytes) -> Line | None:
    """A line as it stands in the file; None where it cannot be read."""
    if (found := LINE.fullmatch(raw)) is None:
        return None
    try:
        said = cast("dict[str, Any]", json.loads(raw))
    except (ValueError, RecursionError):
        return None
    own = found[4].decode()
    return Line(int(found[2]), found[3].decode(), own, own == _hash(found[1]), said)


def _hash(said: bytes) -> str:
    """Of the line as it stands (JSON without spaces, in ASCII), less its own hash."""
    return hashlib.sha256(said + b"}").hexdigest()


# ── Writing ─────────────────────────────────────────────────────────────────────────────────────


def _append(path: Path, entries: Sequence[Mapping[str, Any]], room: int) -> None:
    """Write lines, and see that there is room for so many bytes more."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o600)
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise OSError(f"{path} is not a file")
        with _locked(file):
            size = os.lseek(file, 0, os.SEEK_END)
            before, prev, text = _end(file, size)
            for seq, entry in enumerate(entries, before + 1):
                said = json.dumps({"seq": seq, **entry, "prev": prev}, separators=(",", ":")).encode()[:-1]
                prev = _hash(said)
                text += said + f',"hash":"{prev}"}}\n'.encode()
            text = text if entries else b""
            _put(file, size, text + b" " * room)
            if room:
                os.ftruncate(file, size + len(text))
    finally:
        os.close(file)


def _put(file: int, size: int, text: bytes) -> None:
    """Write all of it at the end of a file of this size, or nothing."""
    if os.write(file, text) < len(text):
        os.ftruncate(file, size)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _end(file: int, size: int) -> tuple[int, str, bytes]:
    """Number and hash of the last line that can be read, and what ends a torn one, which stays as it is."""
    looked, tail = 0, b"\n"
    while looked < size:
        looked = min(size, max(BLOCK, looked * 4))
        os.lseek(file, size - looked, os.SEEK_SET)
        tail = os.read(file, looked)
        if line := next(filter(None, map(line_of, reversed(tail.split(b"\n")))), None):
            return line.seq, line.hash, b"" if tail.endswith(b"\n") else b"\n"
    return 0, START, b"" if tail.endswith(b"\n") else b"\n"


def _only_ids(given: Mapping[str, Any]) -> dict[str, Any]:
    """Ids under the names that ids have: one as it is, several as a list, each once."""
    kept: dict[str, Any] = {}
    for name, form in {**{f"{noun}Id": ID for noun in NOUNS}, "pseudonym": PSEUDONYM}.items():
        found = [each for each in _list(given.get(name)) if isinstance(each, str) and form.fullmatch(each)]
        if found:
            kept[name] = found[0] if len(set(found)) == 1 else list(dict.fromkeys(found))
    return kept


def _list(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else [value]


@contextmanager
def _locked(file: int) -> Generator[None]:
    """Nobody else reads or writes meanwhile.

    Raises:
        OSError: somebody else does, for too long.
    """
    until = time.monotonic() + BUSY
    while True:
        try:
            _lock(file, True)
            break
        except (BlockingIOError, PermissionError):
            if time.monotonic() > until:
                raise
            time.sleep(0.001)
    try:
        yield
    finally:
        _lock(file, False)


def _lock(file: int, on: bool) -> None:
    if sys.platform == "win32":  # where a lock takes bytes: one beyond any log
        os.lseek(file, NOWHERE, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_NBLCK if on else msvcrt.LK_UNLCK, 1)
    else:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB if on else fcntl.LOCK_UN)

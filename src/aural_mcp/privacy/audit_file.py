"""The decision log as a file of this computer, which several processes append to.

Each line carries the hash of the one before, so one that was changed, removed, put in or moved shows. What does not:
lines cut off at the end, and a file written anew from some line on. These only a head's hash tells that was noted
elsewhere. A line outlives a crash of the process, not of the machine: nothing is fsynced.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aural_mcp.privacy.audit_lines import START, Line, Verdict, line_of, sealed

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

BUSY = 1.0
"""Seconds to wait for another process that is writing."""
BLOCK, NOWHERE = 8192, 2**40


def append(path: Path, entries: Sequence[Mapping[str, Any]], room: int = 0) -> None:
    """Write lines, and see that there is room for so many bytes more.

    Raises:
        OSError: they cannot be written; none of them was.
    """
    file = opened(path)
    try:
        with _locked(file):
            size = os.lseek(file, 0, os.SEEK_END)
            before, prev, text = _end(file, size)
            for seq, entry in enumerate(entries, before + 1):
                line, prev = sealed(seq, entry, prev)
                text += line + b"\n"
            put(file, size, text if entries else b"", room)
    finally:
        os.close(file)


def opened(path: Path) -> int:
    """A file to append to, made where there is none, for its owner alone.

    Raises:
        OSError: it cannot be opened, or is none.
    """
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o600)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise OSError(f"{path} is not a file")
    return file


def put(file: int, size: int, text: bytes, room: int = 0) -> None:
    """Write all of it at the end of a file of this size, or nothing; and see that there is room for more.

    Raises:
        OSError: there is not.
    """
    if os.write(file, text + b" " * room) < len(text) + room:
        os.ftruncate(file, size)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    if room:
        os.ftruncate(file, size + len(text))


def read(path: Path) -> list[Line | None]:
    """The lines, None for each that cannot be read.

    Raises:
        OSError: it cannot be opened, or somebody keeps it locked.
    """
    return [line_of(raw) for raw in raw_lines(path)]


def raw_lines(path: Path) -> list[bytes]:
    """The lines as they stand.

    Raises:
        OSError: as `read`.
    """
    with path.open("rb") as file, _locked(file.fileno()):
        file.seek(0)
        lines = file.read().split(b"\n")
    return lines if lines[-1] else lines[:-1]


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


@contextmanager
def _locked(file: int) -> Generator[None]:
    """Nobody else reads or writes meanwhile.

    Raises:
        OSError: somebody else does, for too long.
    """
    until = time.monotonic() + BUSY
    while True:
        try:
            lock(file)
            break
        except (BlockingIOError, PermissionError):
            if time.monotonic() > until:
                raise
            time.sleep(0.001)
    try:
        yield
    finally:
        lock(file, False)


def lock(file: int, on: bool = True) -> None:
    """Have a file alone, as long as it is open, or give it back.

    Raises:
        OSError: somebody else has it.
    """
    if sys.platform == "win32":  # where a lock takes bytes: one beyond any log
        os.lseek(file, NOWHERE, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_NBLCK if on else msvcrt.LK_UNLCK, 1)
    else:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB if on else fcntl.LOCK_UN)

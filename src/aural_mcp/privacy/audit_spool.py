"""Lines of the decision log that wait in the data folder for a database that is lost.

Each process has a file of its own, and keeps it locked as long as it lives: a file that nobody holds was left by one
that ended, and whoever finds it stores what is in it. A line may be stored twice for that, and is there once.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from aural_mcp.privacy.audit_file import lock, opened, put

NAME = "audit-spool-{writer}-{seq}.jsonl"


class Spool:
    """The files of a data folder.

    Args:
        folder: gives it at each use.
    """

    def __init__(self, folder: Callable[[], Path]) -> None:
        self._folder = folder
        self._own: tuple[Path, int] | None = None

    @property
    def is_open(self) -> bool:
        """Whether this process keeps a file."""
        return self._own is not None

    def keep(self, writer: str, seq: int, lines: Sequence[bytes], room: int = 0) -> None:
        """Put lines into the file of this process, and see that there is room for so many bytes more.

        Args:
            seq: of the first line, which names the file, so that no two files have one name.

        Raises:
            OSError: they cannot be written; none of them was.
        """
        if self._own is not None and not os.fstat(self._own[1]).st_nlink:  # somebody deleted it
            lines = [*_lines(self._own[1]), *lines]
            self.close()
        if self._own is None:
            path = self._folder() / NAME.format(writer=writer, seq=seq)
            self._own = path, opened(path)
            lock(self._own[1])
        file = self._own[1]
        put(file, os.lseek(file, 0, os.SEEK_END), b"".join(line + b"\n" for line in lines), room)

    def files(self) -> Iterator[list[bytes]]:
        """The lines of each file, ours and those that ended processes left; it goes when the next is asked for.

        Raises:
            OSError: they cannot be read.
        """
        if self._own is not None:
            yield _lines(self._own[1])
            path = self._own[0]
            self.close()
            path.unlink(missing_ok=True)
        for path in left_in(self._folder()):
            if (file := _held(path)) is not None:
                try:
                    yield _lines(file)
                finally:
                    os.close(file)
                path.unlink(missing_ok=True)

    def close(self) -> None:
        """Leave the file of this process to whoever finds it; one without lines goes."""
        if self._own is not None:
            path, file = self._own
            self._own, empty = None, not os.fstat(file).st_size
            os.close(file)
            if empty:
                path.unlink(missing_ok=True)


def left_in(folder: Path) -> list[Path]:
    """The files with lines that wait."""
    found = list[Path]()
    for path in sorted(folder.glob(NAME.format(writer="*", seq="*"))):
        with suppress(FileNotFoundError):
            found += [path] if path.stat().st_size else []
    return found


def _held(path: Path) -> int | None:
    """A file that nobody holds any more, as ours."""
    try:
        file = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))
    except OSError:
        return None
    try:
        lock(file)
    except OSError:
        os.close(file)
        return None
    return file


def _lines(file: int) -> list[bytes]:
    os.lseek(file, 0, os.SEEK_SET)
    with os.fdopen(os.dup(file), "rb") as whole:
        return whole.read().splitlines()

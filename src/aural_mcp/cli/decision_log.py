"""The decision log as commands read it: a file, or rows of the database that processes share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

import click

if TYPE_CHECKING:
    from aural_mcp.client.state import State
    from aural_mcp.config import Settings
    from aural_mcp.privacy.audit_lines import Line, Verdict

T = TypeVar("T")


class Kept(Protocol):
    """A log that is kept somewhere.

    Raises:
        ClickException: it cannot be read.
        StateUnwritable: its database is lost.
    """

    where: str
    whole: str
    """What can be deleted, where no line can be changed."""
    note: str
    """What a check cannot see."""

    def each(self, since: float, take: Callable[[bytes], object]) -> None:
        """Give every line as it stands, in order of time; since a moment, at least, in seconds since 1970."""
        ...

    def latest(self, number: int) -> list[Line | None]:
        """The last lines."""
        ...

    def verify(self, expect: str) -> Verdict:
        """See `audit_file.verify` and `audit_rows.verify`."""
        ...


class KeptInFile:
    """A file."""

    whole = "the file goes as a whole"
    note = "Note the head elsewhere: only with --expect does a check see lines cut off or a file written anew."

    def __init__(self, path: Path) -> None:
        self._path, self.where = path, str(path)

    def each(self, since: float, take: Callable[[bytes], object]) -> None:
        from aural_mcp.privacy.audit_file import raw_lines

        for raw in self._read(raw_lines):
            take(raw)

    def latest(self, number: int) -> list[Line | None]:
        from aural_mcp.privacy.audit_file import read

        return self._read(read)[-number:]

    def verify(self, expect: str) -> Verdict:
        from aural_mcp.privacy.audit_file import verify

        return self._read(partial(verify, expect=expect))

    def _read(self, how: Callable[[Path], T]) -> T:
        try:
            return how(self._path)
        except OSError as error:
            raise click.ClickException(f"{self._path} cannot be read: {error.strerror}.") from error


class KeptInDatabase:
    """Rows of a database."""

    where = "table decision_log of AURAL_STATE_URL"
    whole = "the table goes as a whole"
    note = (
        "Note the head elsewhere: only with --expect does a check see that everything after a moment was cut off, or "
        "all written anew. Lines after the last checkpoint can be cut off unseen."
    )

    def __init__(self, state: State) -> None:
        self._state = state

    def each(self, since: float, take: Callable[[bytes], object]) -> None:
        from aural_mcp.privacy.audit_rows import raw_lines

        async def read() -> None:
            async for raw in raw_lines(self._state, since):
                take(raw)

        self._run(read)

    def latest(self, number: int) -> list[Line | None]:
        from aural_mcp.privacy.audit_lines import line_of
        from aural_mcp.privacy.audit_rows import latest

        return [line_of(raw) for raw in self._run(partial(latest, self._state, number))]

    def verify(self, expect: str) -> Verdict:
        from aural_mcp.privacy.audit_rows import verify

        return self._run(partial(verify, self._state, expect))

    def _run(self, work: Callable[[], Awaitable[T]]) -> T:
        from aural_mcp.cli.setup import run

        return run(self._state, work)


def kept_log(settings: Settings) -> Kept | None:
    """The decision log of these settings; None where none is written, or nothing was yet."""
    from aural_mcp.cli.setup import state_of
    from aural_mcp.config import decision_log, logs_in_database

    if logs_in_database(settings):
        return KeptInDatabase(state_of(settings))
    path = decision_log(settings)
    return KeptInFile(path) if path is not None and path.exists() else None

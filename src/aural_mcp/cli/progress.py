"""How far a long command is: one line on stderr, written over and over; where nobody looks at it, nothing."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import time
from types import TracebackType

import click

from aural_mcp.cli.tables import cut, line, width

BAR = 20
PAUSE = 0.1
"""Seconds between two lines at least; the last one is always written."""


class Progress:
    """The line. Leaving it, and everything else that is said or logged, wipes it away first."""

    def __init__(self) -> None:
        self.is_shown = _is_watched()
        self._taken, self._at = 0, 0.0

    def __enter__(self) -> Progress:
        for each in logging.getLogger().handlers if self.is_shown else ():
            each.addFilter(self._before)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for each in logging.getLogger().handlers:
            each.removeFilter(self._before)
        self.clear()

    def step(self, done: float, total: float, said: str = "") -> None:
        """Show that so much of it is done."""
        full = round(BAR * min(1.0, done / total)) if total else BAR
        on, off = ("█", "░") if (sys.stderr.encoding or "").lower().replace("-", "") == "utf8" else ("#", ".")
        self.show(f"{on * full}{off * (BAR - full)} {done:,.0f} of {total:,.0f}  {said}", last=done >= total)

    def show(self, text: str, *, last: bool = False) -> None:
        """Show a line in place of the one before."""
        if not self.is_shown or (not last and time.monotonic() - self._at < PAUSE):
            return
        shown = cut(line(text), shutil.get_terminal_size().columns - 1)
        click.echo(f"\r{shown}{' ' * max(0, self._taken - width(shown))}", nl=False, err=True)
        self._taken, self._at = width(shown), time.monotonic()

    def clear(self) -> None:
        """Wipe the line away."""
        if self._taken:
            click.echo(f"\r{' ' * self._taken}\r", nl=False, err=True)
            self._taken, self._at = 0, 0.0

    def say(self, text: str) -> None:
        """Write a line on stderr that stays."""
        self.clear()
        click.echo(text, err=True)

    def _before(self, _: logging.LogRecord) -> bool:
        self.clear()
        return True


def _is_watched() -> bool:
    """Whether stderr is a terminal that can go back in its line, and no run of a machine's."""
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb" and not os.environ.get("CI")

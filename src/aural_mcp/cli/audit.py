"""`aural-mcp audit`: the decision log, checked and read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from aural_mcp.cli.groups import Group

if TYPE_CHECKING:
    from aural_mcp.privacy.audit import Line

AGO, HOURS = re.compile(r"(\d{1,5})([hd])"), {"h": 1, "d": 24}
LOG_FILE = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=False)


def _moment(context: click.Context, option: click.Parameter, value: str | None) -> datetime | None:
    """When that was: a date, a date and time, in UTC where it says no zone, or so many hours or days ago."""
    if value is None:
        return None
    with suppress(ValueError, OverflowError):
        if ago := AGO.fullmatch(value.strip()):
            return datetime.now(UTC) - timedelta(hours=int(ago[1]) * HOURS[ago[2]])
        at = datetime.fromisoformat(value.strip())
        return at if at.tzinfo else at.replace(tzinfo=UTC)
    raise click.BadParameter(f"{value!r} is no moment: write 2026-11-30, 2026-11-30T09:00, 7d or 24h", context, option)


@click.group(cls=Group)
def audit() -> None:
    """Check and read the decision log. It says what was done, by whom, to what, and how it was agreed to."""


@audit.command("verify")
@LOG_FILE
@click.option("--expect", metavar="HASH", help="Head noted earlier; it must still be there.")
@click.pass_context
def verify_(context: click.Context, file: Path | None, expect: str | None) -> None:
    """Check that no line of FILE (this computer's log) was changed, removed, put in or moved.

    Lines cut off at the end, and a file written anew, cannot be seen in it: note the head that this prints somewhere
    else, and give it as --expect next time. Exit status 1: the log is damaged, or not there.
    """
    from aural_mcp.privacy.audit import verify

    if expect is not None and not re.fullmatch("[0-9a-f]{12,64}", expect):
        raise click.BadParameter("give the head as it was printed, or 12 of its digits or more", param_hint="--expect")
    path = file or _decision_log()
    try:
        verdict = verify(path, expect or "")
    except OSError as error:
        raise click.ClickException(f"{path} cannot be read: {error.strerror}.") from error
    said = verdict.problems or [f"Intact: {verdict.lines} line{'' if verdict.lines == 1 else 's'} in {path}."]
    click.echo("\n".join([*said, f"Head: {verdict.head}"]))
    if not expect:
        click.echo("Note the head elsewhere: only with --expect does a check see lines cut off or a file written anew.")
    context.exit(1 if verdict.problems else 0)


@audit.command()
@LOG_FILE
@click.option("--last", default=20, show_default=True, type=click.IntRange(min=1), help="How many lines.")
@click.option("--who", metavar="TEXT", default="", help="Part of a name, e-mail, subject or sign-in.")
@click.option("--what", metavar="TEXT", default="", help="Part of a tool's name, an outcome, a decision or an id.")
@click.option("--since", metavar="WHEN", callback=_moment, help="A date, or date and time, in UTC; or 7d, 24h ago.")
def show(file: Path | None, last: int, who: str, what: str, since: datetime | None) -> None:
    """Print the last lines of FILE (this computer's log) for reading: all of them, or those that are meant.

    Where names are hashed, --who takes a whole name or subject.
    """
    from aural_mcp.privacy.audit import read

    path = file or _decision_log()
    try:
        lines = read(path)
    except OSError as error:
        raise click.ClickException(f"{path} cannot be read: {error.strerror}.") from error
    if who or what or since:
        found = _meant([line for line in lines if line], who.strip(), what.strip(), since)
        torn = lines.count(None)
        said = f"{len(found)} of {len(lines)} lines" + (f", the last {last} here" if len(found) > last else "")
        click.echo(f"{said}.{f' {torn} cannot be read: see audit verify.' if torn else ''}", err=True)
        lines = found
    for line in lines[-last:]:
        click.echo(line or "(a line that cannot be read)")


def _meant(lines: Sequence[Line], who: str, what: str, since: datetime | None) -> list[Line | None]:
    """The lines of this person, about this, since then."""
    from aural_mcp.privacy.who import is_of

    keys = _hashing() if who else ()
    return [
        line
        for line in lines
        if (not who or is_of(line.by, who, keys))
        and (not what or line.is_about(what))
        and (since is None or line.is_since(since))
    ]


def _hashing() -> Sequence[bytes]:
    """What this computer's log may hash names with."""
    from aural_mcp.api.errors import StateUnwritable
    from aural_mcp.cli.setup import run, state_of
    from aural_mcp.config import data_place, read_settings

    settings = read_settings()
    there = settings.state_url or (data_place(settings) / "state.db").exists()
    if settings.state_keys or not there:
        return settings.state_keys
    state = state_of(settings)
    with suppress(StateUnwritable):
        return (run(state, state.secret),)
    return ()


def _decision_log() -> Path:
    from aural_mcp.config import decision_log, read_settings

    path = decision_log(read_settings())
    if path is None:
        raise click.ClickException("AURAL_AUDIT_LOG is off: nothing is written down.")
    if not path.exists():
        raise click.ClickException(f"There is no {path}: nothing was written down yet, or it was removed.")
    return path

"""`aural-mcp audit`: the decision log, checked and read."""

from __future__ import annotations

import re
from pathlib import Path

import click

from aural_mcp.cli.groups import Group

LOG_FILE = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=False)


@click.group(cls=Group)
def audit() -> None:
    """Check and read the decision log. It says what was done, to what, and how it was agreed to."""


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
def show(file: Path | None, last: int) -> None:
    """Print the last lines of FILE (this computer's log) for reading."""
    from aural_mcp.privacy.audit import read

    path = file or _decision_log()
    try:
        lines = read(path)[-last:]
    except OSError as error:
        raise click.ClickException(f"{path} cannot be read: {error.strerror}.") from error
    for line in lines:
        click.echo(line or "(a line that cannot be read)")


def _decision_log() -> Path:
    from aural_mcp.config import decision_log, read_settings

    path = decision_log(read_settings())
    if path is None:
        raise click.ClickException("AURAL_AUDIT_LOG is off: nothing is written down.")
    if not path.exists():
        raise click.ClickException(f"There is no {path}: nothing was written down yet, or it was removed.")
    return path

"""`aural-mcp audit`: the decision log, checked, read and sent elsewhere."""

from __future__ import annotations

import math
import re
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from aural_mcp.cli.groups import Group

if TYPE_CHECKING:
    from aural_mcp.cli.decision_log import Kept
    from aural_mcp.privacy.audit_lines import Line

FACILITIES = ("authpriv", *(f"local{number}" for number in range(8)))
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


SINCE = click.option(
    "--since", metavar="WHEN", callback=_moment, help="A date, or date and time, in UTC; or 7d, 24h ago."
)


@click.group(cls=Group)
def audit() -> None:
    """Check and read the decision log. It says what was done, by whom, to what, and how it was agreed to."""


@audit.command("verify")
@LOG_FILE
@click.option("--expect", metavar="HASH", help="Head noted earlier; it must still be there.")
@click.pass_context
def verify_(context: click.Context, file: Path | None, expect: str | None) -> None:
    """Check that no line of the log, or of FILE, was changed, removed, put in or moved.

    Lines cut off at the end, and a file written anew, cannot be seen in a file; in a database, where checkpoints of
    others name them. Note the head that this prints somewhere else, and give it as --expect next time. Exit status 1:
    the log is damaged, or not there.
    """
    if expect is not None and not re.fullmatch("[0-9a-f]{12,64}", expect):
        raise click.BadParameter("give the head as it was printed, or 12 of its digits or more", param_hint="--expect")
    log = _log(file)
    verdict = log.verify(expect or "")
    said = verdict.problems or [f"Intact: {verdict.lines} line{'' if verdict.lines == 1 else 's'} in {log.where}."]
    click.echo("\n".join([*said, f"Head: {verdict.head}"]))
    if not expect:
        click.echo(log.note)
    context.exit(1 if verdict.problems else 0)


@audit.command()
@LOG_FILE
@click.option("--last", default=20, show_default=True, type=click.IntRange(min=1), help="How many lines.")
@click.option("--who", metavar="TEXT", default="", help="Part of a name, e-mail, subject or sign-in.")
@click.option("--what", metavar="TEXT", default="", help="Part of a tool's name, an outcome, a decision or an id.")
@SINCE
def show(file: Path | None, last: int, who: str, what: str, since: datetime | None) -> None:
    """Print the last lines of the log, or of FILE, for reading: all of them, or those that are meant.

    Where names are hashed, --who takes a whole name or subject.
    """
    log = _log(file)
    if who or what or since:
        lines = _found(log, last, _meant(who.strip(), what.strip(), since), since)
    else:
        lines = log.latest(last)
    for line in lines:
        click.echo(line or "(a line that cannot be read)")


@audit.command()
@LOG_FILE
@SINCE
@click.option("--to", type=click.Choice(["jsonl", "syslog", "otlp"]), default="jsonl", show_default=True)
@click.option("--address", metavar="URL", default="/dev/log", show_default=True, help="Of syslog: udp:// or tcp://.")
@click.option("--facility", type=click.Choice(FACILITIES), default=FACILITIES[0], show_default=True, metavar="NAME")
def export(file: Path | None, since: datetime | None, to: str, address: str, facility: str) -> None:
    """Send the lines of the log, or of FILE, elsewhere, in order of time.

    jsonl: to stdout, as they stand, so that each can be checked where it arrives. syslog: as messages of RFC 5424.
    otlp: to the collector that OTEL_EXPORTER_OTLP_ENDPOINT names. Nothing remembers what was sent: --since says from
    when on, and sends the same again. A line that waited for a lost database has the time at which it was written.
    """
    from aural_mcp.cli.audit_export import to_collector, to_stdout, to_syslog
    from aural_mcp.privacy.audit_lines import line_of

    log, unread = _log(file), list[bytes]()
    places = {"syslog": lambda: to_syslog(address, facility), "otlp": to_collector}
    with places.get(to, lambda: nullcontext(to_stdout))() as send:

        def take(raw: bytes) -> None:
            line = line_of(raw) if raw.isascii() and raw.decode().isprintable() else None
            if line is None:
                unread.append(raw)
            elif since is None or line.is_since(since):
                send(raw, line)

        log.each(since.timestamp() if since else -math.inf, take)
    if unread:
        click.echo(f"Left out, as they cannot be read: {len(unread)} lines. See audit verify.", err=True)


def _found(log: Kept, last: int, is_meant: Callable[[Line], bool], since: datetime | None) -> Iterable[Line | None]:
    """The last lines that are meant; how many there are is said on stderr."""
    from aural_mcp.privacy.audit_lines import line_of

    found, looked, kept = 0, Counter[bool](), deque["Line"](maxlen=last)

    def take(raw: bytes) -> None:
        nonlocal found
        line = line_of(raw)
        looked[line is not None] += 1
        if line and is_meant(line):
            found += 1
            kept.append(line)

    log.each(since.timestamp() if since else -math.inf, take)
    said = f"{found} of {looked.total()} lines" + (f", the last {last} here" if found > last else "")
    click.echo(f"{said}.{f' {looked[False]} cannot be read: see audit verify.' if looked[False] else ''}", err=True)
    return kept


def _meant(who: str, what: str, since: datetime | None) -> Callable[[Line], bool]:
    """Whether a line is of this person, about this, since then."""
    from aural_mcp.privacy.who import is_of

    keys = _hashing() if who else ()
    return lambda line: (
        (not who or is_of(line.by, who, keys))
        and (not what or line.is_about(what))
        and (since is None or line.is_since(since))
    )


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


def _log(file: Path | None) -> Kept:
    from aural_mcp.cli.decision_log import KeptInFile, kept_log
    from aural_mcp.config import decision_log, read_settings

    settings = read_settings()
    log = KeptInFile(file) if file else kept_log(settings)
    if log is not None:
        return log
    path = decision_log(settings)
    if path is None:
        raise click.ClickException("AURAL_AUDIT_LOG is off: nothing is written down.")
    raise click.ClickException(f"There is no {path}: nothing was written down yet, or it was removed.")

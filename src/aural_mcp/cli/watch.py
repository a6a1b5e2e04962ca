"""`aural-mcp watch`, its `status` and `retry`: what of an outbox a person sees and does."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from aural_mcp.config import Settings
    from aural_mcp.database import Database
    from aural_mcp.events.run import Plan
    from aural_mcp.events.sending import Endpoint

MOST_SHOWN = 50
DATABASE = click.option("--database", metavar="URL", help="SQLAlchemy URL; events.db in the data folder by default.")
OPTIONS = (
    click.option("--webhook", metavar="URL", help="Post signed events here (Standard Webhooks)."),
    click.option(
        "--secret-file",
        metavar="FILE",
        type=click.Path(dir_okay=False, path_type=Path),
        help="The secret that signs, whsec_...; made if it is not there.",
    ),
    click.option("--exec", "command", metavar="CMD", help="Run this with each event on its standard input."),
    click.option("--interview", "interviews", metavar="ID", multiple=True, help="Only this one; may be repeated."),
    click.option(
        "--allow", metavar="CIDR", multiple=True, help="Let the webhook go to this network, though not public."
    ),
    click.option("--since-beginning", is_flag=True, help="At the first look, tell what was there before, too."),
    DATABASE,
)


def watch_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options of `watch`."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def plan_of(
    settings: Settings,
    environment: Mapping[str, str],
    *,
    webhook: str | None,
    secret_file: Path | None,
    command: str | None,
    interviews: Sequence[str],
    allow: Sequence[str],
    since_beginning: bool,
    database: str | None,
) -> Plan:
    """What the options ask for, checked before anything is asked of a backend.

    Raises:
        click.UsageError: options that do not go together, or values that cannot be used.
        BadSetting: the secret's file or the database cannot be used.
    """
    from aural_mcp.events.run import Plan

    if not webhook and not command:
        raise click.UsageError("Say where events go: --webhook URL with --secret-file FILE, or --exec CMD.")
    if bool(webhook) != bool(secret_file):
        raise click.UsageError("--webhook URL and --secret-file FILE go together; the file is made if it is not there.")
    _check_ids(interviews)
    to: list[tuple[Endpoint, str]] = []
    if webhook and secret_file:
        to.append(_webhook(webhook, secret_file, allow))
    if command:
        to.append(_command(command, environment))
    return Plan(
        _outbox(database, to_watch=True),
        [endpoint for endpoint, _ in to],
        [shown for _, shown in to],
        interviews,
        0 if settings.embedded else settings.requests_per_minute,
        since_beginning,
    )


def _check_ids(interviews: Sequence[str]) -> None:
    from aural_mcp.api.operations import ListSessions

    for each in interviews:
        try:
            ListSessions(interview_id=each)
        except ValueError as error:
            raise click.BadParameter(f"{each!r} is not an id of an interview", param_hint="--interview") from error


def _webhook(url: str, secret_file: Path, allow: Sequence[str]) -> tuple[Endpoint, str]:
    from aural_mcp.events.addresses import BadAddress, networks, read_url, refuse_if_known
    from aural_mcp.events.sending import Webhook
    from aural_mcp.events.sending import secret_file as read_secret_file

    try:
        target, allowed = read_url(url), networks(allow)
        refuse_if_known(target, allowed)
    except BadAddress as error:
        raise click.UsageError(str(error)) from error
    keys, was_made = read_secret_file(secret_file)
    if was_made:
        click.echo(
            f"aural-mcp: made {secret_file} with a new secret, readable by you only; your receiver needs it too.",
            err=True,
        )
    return Webhook(f"ep_{_short(url)}", target, keys, allowed), target.shown


def _command(line: str, environment: Mapping[str, str]) -> tuple[Endpoint, str]:
    from aural_mcp.events.sending import Command

    return Command(f"exec_{_short(line)}", line, environment), f"the command {line.split()[0] if line.strip() else ''}"


def _short(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:12]


def _outbox(database: str | None, *, to_watch: bool = False) -> Database:
    from aural_mcp.config import data_folder, read_settings
    from aural_mcp.events.run import open_outbox

    url = database or f"sqlite:///{data_folder(read_settings()) / 'events.db'}"
    return open_outbox(url, to_watch=to_watch)


@click.command()
@DATABASE
def status(database: str | None) -> None:
    """Show what is on its way, what has arrived, and what is parked and why."""
    print_status(_outbox(database), "aural-mcp watch --webhook URL --secret-file FILE", "aural-mcp watch retry")


@click.command()
@click.argument("ids", metavar="[ID]...", nargs=-1)
@DATABASE
def retry(ids: tuple[str, ...], database: str | None) -> None:
    """Begin anew with parked events: those with an ID from `watch status`, or all of them.

    Exit status 1: none with such an ID is parked.
    """
    revive(_outbox(database), ids)


def print_status(database: Database, how_to_begin: str, how_to_retry: str) -> None:
    """Print every endpoint with its counts, and what failed; never a secret or the query of a URL."""
    from aural_mcp.events import outbox
    from aural_mcp.events.addresses import without_query

    with database.reading() as db:
        endpoints, counts, failed = outbox.list_endpoints(db), outbox.counts(db), outbox.unsettled(db, MOST_SHOWN)
    if not endpoints:
        click.echo(f"There is no endpoint yet. `{how_to_begin}` makes one.")
    for each in endpoints:
        states = counts[each.id]
        said = ", ".join(
            f"{states.get(state, 0)} {state}" for state in (outbox.PENDING, outbox.DELIVERED, outbox.PARKED)
        )
        click.echo(f"{each.id}  {without_query(each.url)}: {said}")
    for row in failed:
        then = "parked" if row.state == outbox.PARKED else f"again at {_when(row.next_at)}"
        click.echo(f"  {row.event}  {row.type}  {row.endpoint}  attempt {row.attempts}: {row.last_error}; {then}")
    if any(row.state == outbox.PARKED for row in failed):
        click.echo(f"`{how_to_retry}` begins anew with what is parked.")


def revive(database: Database, ids: Sequence[str]) -> None:
    """Begin anew with what is parked, and say with how much."""
    import time

    from aural_mcp.events import outbox

    with database.writing() as db:
        number = outbox.revive(db, ids, now=time.time())
    if ids and not number:
        raise click.ClickException("None of these is parked: status shows what is, as msg_...")
    click.echo(f"{number} {'message is' if number == 1 else 'messages are'} on the way again.")


def _when(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")

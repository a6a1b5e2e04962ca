"""`aural-mcp watch`: a webhook or a command is told what happens at a backend."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from aural_mcp.cli.groups import Group
from aural_mcp.cli.metrics import count_requests, count_webhooks, metrics_options, serve_metrics
from aural_mcp.cli.outbox import print_status, retry_command
from aural_mcp.cli.progress import Progress
from aural_mcp.cli.setup import beside, set_up

if TYPE_CHECKING:
    from aural_mcp.config import Settings
    from aural_mcp.database import Database
    from aural_mcp.events.run import Plan
    from aural_mcp.events.sending import Endpoint

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

SHOWN_EVERY = 1.0
"""Seconds between two looks at what has arrived, where a terminal shows it."""


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

    if not webhook and not (command or "").strip():
        raise click.UsageError("Say where events go: --webhook URL with --secret-file FILE, or --exec CMD.")
    if bool(webhook) != bool(secret_file):
        raise click.UsageError("--webhook URL and --secret-file FILE go together; the file is made if it is not there.")
    if allow and not webhook:
        raise click.UsageError("--allow is for a webhook: add --webhook URL, or leave it out.")
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


@click.group(cls=Group, invoke_without_command=True)
@watch_options
@metrics_options
@click.pass_context
def watch(context: click.Context, metrics_port: int | None, metrics_host: str, **options: Any) -> None:
    """Tell a webhook or a command what happens.

    Sessions that begin, end and are scored, and people who are registered: each is told at least once, signed, under
    an id that stays the same. Started again it goes on where it stopped. Exit status 1: the key or an interview's
    id is wrong, or a file or database cannot be used.
    """
    from aural_mcp.config import read_settings

    if context.invoked_subcommand is None:
        settings = read_settings()
        plan = plan_of(settings, os.environ, **options)
        registry = serve_metrics(metrics_host, metrics_port)
        count_requests(registry)
        count_webhooks(registry, plan.database)
        watch_until_stopped(settings, plan)


@watch.command()
@DATABASE
def status(database: str | None) -> None:
    """Show what is on its way, what has arrived, what is parked and why, and who follows the interviews how fast."""
    opened = _outbox(database)
    print_status(opened, "aural-mcp watch --webhook URL --secret-file FILE", "aural-mcp watch retry")
    _print_work(opened)


def _print_work(database: Database) -> None:
    """Print which processes follow how many interviews, and how often these are looked at."""
    from aural_mcp.events import pacing, portions, sharing

    with database.reading() as db:
        alive = sharing.living(db, portions.KIND, sharing.moment(db))
        if not alive:
            click.echo("No `aural-mcp watch` is at work on this database.")
            return
        part = pacing.share(alive[0].requests, len(alive))
        loads = [portions.load(db, each.name, part) for each in alive]
    parts = ", ".join(f"{each.name} follows {load.interviews:,}" for each, load in zip(alive, loads, strict=True))
    click.echo(f"{pacing.number(len(alive), 'process', 'processes')} at work: {parts}.")
    click.echo(pacing.said(loads))


watch.add_command(retry_command(_outbox, DATABASE, "watch status"))


def watch_until_stopped(settings: Settings, plan: Plan) -> None:
    """Watch and deliver until a signal stops it."""
    import anyio

    from aural_mcp.api.errors import AuralError
    from aural_mcp.events.run import run
    from aural_mcp.log import set_up_logging

    if settings.problem:
        raise click.ClickException(settings.problem)
    set_up_logging()
    setup, progress = set_up(settings), Progress()

    def say(said: str) -> None:
        progress.say(f"aural-mcp: {said}")

    number = len(plan.interviews)
    what = "all interviews" if not number else "1 interview" if number == 1 else f"{number} interviews"
    where = "the workspace on this computer" if settings.embedded else urlsplit(settings.base_url).netloc
    hello = f"watching {what} of {where}; events go to {' and '.join(plan.shown)}. Ctrl-C stops, nothing is lost."

    async def watch() -> None:
        failed: list[AuralError] = []

        async def serve() -> None:
            async with anyio.create_task_group() as tasks:
                if progress.is_shown:
                    tasks.start_soon(_show_counts, plan, progress)
                try:
                    await run(setup.client, plan, say, hello)
                except AuralError as error:
                    failed.append(error)
                tasks.cancel_scope.cancel()

        await beside(setup, serve, True)
        if failed:
            raise click.ClickException(str(failed[0]))

    with suppress(KeyboardInterrupt), progress:
        anyio.run(watch)


async def _show_counts(plan: Plan, progress: Progress) -> None:
    """Show what has arrived and what is on its way, as long as this watches."""
    import anyio.to_thread

    from aural_mcp.events import outbox, run

    while True:
        await anyio.sleep(SHOWN_EVERY)
        if (counts := await anyio.to_thread.run_sync(run.counted, plan)) is not None:
            states = (outbox.DELIVERED, outbox.PENDING, outbox.PARKED)
            said = ", ".join(f"{counts.get(state, 0):,} {state}" for state in states)
            progress.show(f"watching: {said}", last=True)

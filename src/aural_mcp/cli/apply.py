"""`aural-mcp apply FILE`: the document of `launch_interviews` as a file, carried out until nothing remains."""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass
from typing import Any, cast

import anyio
import click

from aural_mcp.api.errors import AuralError
from aural_mcp.api.operations import ListInterviews
from aural_mcp.cli.files import from_json
from aural_mcp.cli.progress import Progress
from aural_mcp.cli.setup import beside, set_up
from aural_mcp.client.client import AuralClient, Spent
from aural_mcp.client.deployment import Loss, sentence
from aural_mcp.config import Settings, read_settings
from aural_mcp.log import set_up_logging
from aural_mcp.privacy.audit import AuditLog, Confirmed, Outcome
from aural_mcp.safety import outside
from aural_mcp.server import arguments
from aural_mcp.workflows.launch import Launched, LaunchInterviews, launch_interviews

PAUSE, FRUITLESS = 10.0, 15
"""Seconds after a round that brought nothing (the budget is used up, or another process is at it), and how many such
rounds there may be."""


def document(data: bytes, *, dry_run: bool) -> LaunchInterviews:
    """What a file asks for: `{"interviews": [...]}`, or the list alone. A file that says `dryRun` is only looked at.

    Raises:
        click.ClickException: it is not JSON, or an interview in it is wrong; the text names each place.
    """
    read = from_json(data)
    given = cast("dict[str, Any]", {"interviews": read} if isinstance(read, list) else read)
    if not isinstance(given, dict):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise click.ClickException('The file must hold {"interviews": [...]}, or the list alone.')
    sent = {**given, "dryRun": True} if dry_run else given
    try:
        asked = arguments.read(LaunchInterviews, sent)
    except arguments.BadArguments as error:
        said = str(error).replace("Launch interviews was not called, nothing changed.", "Nothing was made.")
        raise click.ClickException(said.replace("call launch_interviews again", "apply it again")) from error
    for remark in asked.remarks:
        click.echo(outside(remark), err=True)
    return cast(LaunchInterviews, asked.arguments)


@dataclass(frozen=True)
class Decision:
    """Writes down what was made, as a server does, and how it was agreed to."""

    client: AuralClient
    log: AuditLog
    confirmed: Confirmed | None

    async def note(self, launched: Launched) -> None:
        """A line for a round: the interviews that are there now."""
        made = [row for row in launched.data if row.state == "made" and row.id]
        failed = any(row.state == "failed" for row in launched.data)
        ids = {"interviewId": [row.id for row in made]}
        if launched.dry_run or not (made or failed):
            return
        outcome: Outcome = "done" if made else "failed"
        await self.log.record(
            LaunchInterviews.tool_name(), outcome, tenant=self.client.tenant, ids=ids, confirmed=self.confirmed
        )
        if self.log.waits:
            click.echo("This could not be written into the decision log.", err=True)


async def apply(
    client: AuralClient, given: LaunchInterviews, decision: Decision, opens: str, progress: Progress
) -> bool:
    """Launch, again and again, and print what becomes of each; whether all of them are there in the end.

    Args:
        opens: what to say of links, where there are or would be some.

    Raises:
        AuralError: the backend cannot be reached, does not take the key, or nothing can be written down.
    """
    if not given.dry_run:
        await decision.log.check()
    await client.call(ListInterviews(limit=1))  # a wrong key shows before anything is made, in a dry run too

    async def tell(done: float, total: float, said: str) -> None:
        if progress.is_shown:
            progress.step(done, total, outside(said))
        else:
            click.echo(f"{done:.0f} of {total:.0f}: {outside(said)}", err=True)

    left, fruitless, losses = len(given.interviews) + 1, 0, list[Loss]()
    while True:
        spent = Spent(tell=tell)
        launched = await launch_interviews(client, given, spent)
        losses += spent.losses
        await decision.note(launched)
        fruitless = 0 if launched.remaining < left else fruitless + 1
        left = launched.remaining
        if not left or fruitless == FRUITLESS:
            break
        if fruitless:
            await anyio.sleep(PAUSE)
    progress.clear()
    _print(launched, opens)
    if losses:
        click.echo(sentence(losses))
    return not left and all(row.state != "failed" for row in launched.data)


def _print(launched: Launched, opens: str) -> None:
    for row in launched.data:
        click.echo("  ".join(part for part in (row.state, outside(row.title), row.id or "", row.url or "") if part))
        for said in [*([row.error] if row.error else []), *row.warnings]:
            click.echo(f"    {outside(said)}")
    if opens and (launched.dry_run or any(row.url for row in launched.data)):
        click.echo(opens)


def opened(given: LaunchInterviews) -> list[str]:
    """The titles of what would be opened to everyone."""
    return [each.title for each in given.interviews if each.publish]


@click.command("apply")
@click.argument("file", type=click.File("rb"))
@click.option("--dry-run", is_flag=True, help="Only look: what would be made and opened, what is weak, the key.")
@click.option("--yes", is_flag=True, help="Open interviews to everyone without asking.")
@click.pass_context
def apply_(context: click.Context, file: Any, dry_run: bool, yes: bool) -> None:
    """Make the interviews of FILE, each once.

    FILE is JSON as launch_interviews takes it; `-` reads it from a pipe. Applied again within a day it goes on where
    it stopped and makes nothing twice. Exit status 1: not all of them could be made.
    """
    given = document(file.read(), dry_run=dry_run)
    titles = ", ".join(outside(each) for each in opened(given))
    if titles and not (yes or given.dry_run):
        if not sys.stdin.isatty():
            raise click.UsageError(f"It would open to everyone: {titles}. There is no terminal to ask on: say --yes.")
        click.confirm(f"Open to everyone who has the link: {titles}? It cannot be undone", abort=True, err=True)
    set_up_logging(logging.CRITICAL)
    settings = read_settings()
    if settings.problem:
        raise click.ClickException(settings.problem)
    setup, done = set_up(settings), list[bool]()
    would = f"Would be opened to everyone who has the link: {titles}." if given.dry_run else _reach(settings)
    log = Decision(setup.client, setup.log, _how(titles, yes=yes))

    async def carry_out() -> None:
        try:
            with Progress() as progress:
                done.append(await apply(setup.client, given, log, would if titles else "", progress))
        except AuralError as error:
            done.append(False)
            click.echo(f"Error: {error}", err=True)

    anyio.run(beside, setup, carry_out, True)
    context.exit(0 if done == [True] else 1)


def _how(titles: str, *, yes: bool) -> Confirmed | None:
    """How opening was agreed to; nothing is asked where nothing is opened."""
    return ("operator" if yes else "asked") if titles else None


def _reach(settings: Settings) -> str:
    """Where and how long the links open that were printed."""
    until = "until the interview is archived"
    if settings.embedded and not settings.public_url:
        return f"The links open on this computer only, while an aural-mcp runs here, {until}. See AURAL_PUBLIC_URL."
    return f"The links open for everyone who has them, {until}."

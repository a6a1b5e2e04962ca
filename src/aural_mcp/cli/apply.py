"""`aural-mcp apply FILE`: the document of `launch_interviews` as a file, carried out until nothing remains."""

from __future__ import annotations

import json
from typing import Any, cast

import anyio
import click

from aural_mcp.cli.setup import beside, set_up
from aural_mcp.client.client import AuralClient, Spent
from aural_mcp.safety import outside
from aural_mcp.server import arguments
from aural_mcp.workflows.launch import Launched, LaunchInterviews, launch_interviews

PAUSE, FRUITLESS = 10.0, 15
"""Seconds after a round that brought nothing (the budget is used up, or another process is at it), and how many such
rounds there may be."""


def document(data: bytes, *, dry_run: bool) -> LaunchInterviews:
    """What a file asks for: `{"interviews": [...]}`, or the list alone.

    Raises:
        click.ClickException: it is not JSON, or an interview in it is wrong; the text names each place.
    """
    try:
        read: Any = json.loads(data)
    except ValueError as error:
        raise click.ClickException(f"The file is not JSON: {error}.") from error
    given = cast("dict[str, Any]", {"interviews": read} if isinstance(read, list) else read)
    if not isinstance(given, dict):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise click.ClickException('The file must hold {"interviews": [...]}, or the list alone.')
    try:
        return cast(LaunchInterviews, arguments.read(LaunchInterviews, {**given, "dryRun": dry_run}).arguments)
    except arguments.BadArguments as error:
        raise click.ClickException(str(error).replace("call launch_interviews again", "apply it again")) from error


async def apply(client: AuralClient, given: LaunchInterviews) -> bool:
    """Launch, again and again, and print what becomes of each; whether all of them are there in the end."""

    async def tell(done: float, total: float, said: str) -> None:
        click.echo(f"{done:.0f} of {total:.0f}: {outside(said)}", err=True)

    left, fruitless = len(given.interviews) + 1, 0
    while True:
        launched = await launch_interviews(client, given, Spent(tell=tell))
        fruitless = 0 if launched.remaining < left else fruitless + 1
        left = launched.remaining
        if not left or fruitless == FRUITLESS:
            break
        if fruitless:
            await anyio.sleep(PAUSE)
    _print(launched)
    return not left and all(row.state != "failed" for row in launched.data)


def _print(launched: Launched) -> None:
    for row in launched.data:
        click.echo("  ".join(part for part in (row.state, row.title, row.id or "", row.url or "") if part))
        for said in [*([row.error] if row.error else []), *row.warnings]:
            click.echo(f"    {said}")


def opened(given: LaunchInterviews) -> list[str]:
    """The titles of what would be opened to everyone."""
    return [each.title for each in given.interviews if each.publish]


@click.command("apply")
@click.argument("file", type=click.File("rb"))
@click.option("--dry-run", is_flag=True, help="Only look: what would be made, and what is weak.")
@click.option("--yes", is_flag=True, help="Open interviews to everyone without asking.")
@click.pass_context
def apply_(context: click.Context, file: Any, dry_run: bool, yes: bool) -> None:
    """Make the interviews of FILE, each once: JSON as launch_interviews takes it; `-` reads it from a pipe.

    Applied again within a day it goes on where it stopped and makes nothing twice. Exit status 1: not all of
    them could be made.
    """
    from aural_mcp.config import read_settings

    given = document(file.read(), dry_run=dry_run)
    if (titles := opened(given)) and not yes and not dry_run:
        shown = ", ".join(titles)
        click.confirm(f"Open to everyone who has the link: {shown}? It cannot be undone", abort=True, err=True)
    setup = set_up(read_settings())

    made: list[bool] = []

    async def carry_out() -> None:
        made.append(await apply(setup.client, given))

    anyio.run(beside, setup, carry_out, True)
    context.exit(0 if made == [True] else 1)

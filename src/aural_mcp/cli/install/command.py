"""`aural-mcp install`: this server in the hosts on this computer."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aural_mcp.cli.install.hosts import HOSTS, PRINTED, Machine

if TYPE_CHECKING:
    from aural_mcp.config import Settings

PATIENCE = 8.0
"""Seconds that a key is tried for."""
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("hosts", metavar="[HOST]...", nargs=-1, type=click.Choice(list(HOSTS)))
@click.option("--local", is_flag=True, help="Use the workspace on this computer: no key is asked for.")
@click.option("--key-file", metavar="FILE", type=FILE, help="File that holds your key, instead of asking for it.")
@click.option("--base-url", metavar="URL", help="Another Aural deployment, up to /api/v1.")
@click.option("--uninstall", is_flag=True, help="Take it out again.")
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@click.option("--yes", is_flag=True, help="Change what is shown without asking.")
@click.option("--print", "printed", metavar="HOST", type=click.Choice([*HOSTS, *PRINTED]), help="Only print an entry.")
@click.pass_context
def install(context: click.Context, **options: Any) -> None:
    """Put this server into the agent hosts on this computer.

    Into each HOST's configuration, or into those of all hosts that are found. HOST: claude-desktop, claude-code,
    cursor, vscode, codex or gemini; --print also knows windsurf, zed and goose. A key that you type is kept in a
    file of your own: no configuration holds it. Everything else in a configuration stays as it is, and a backup is
    put beside it. Exit status 1: not all of it could be done.
    """
    from aural_mcp.cli.install import Problem, this_installation
    from aural_mcp.cli.install.run import Console, Misuse, Request, run

    question = "Aural API key (not shown; empty for the workspace on this computer)"
    console = Console(
        terminal=sys.stdin.isatty(),
        say=click.echo,
        ask_key=lambda: click.prompt(question, default="", hide_input=True, show_default=False),
        agree=lambda: click.confirm("Change this?"),
        tries=_try_key,
    )
    start = this_installation(os.path.abspath(sys.argv[0]), sys.executable, sys.platform)
    try:
        done = run(Request(**options), start, Machine(sys.platform, context.obj), console)
    except Misuse as error:
        raise click.UsageError(str(error)) from error
    except Problem as error:
        raise click.ClickException(str(error)) from error
    context.exit(0 if done else 1)


def _try_key(settings: Settings) -> None:
    """Ask once; a backend that cannot be reached now may be reached later."""
    import anyio

    from aural_mcp.api.errors import AuralError, Forbidden, Unauthorized
    from aural_mcp.api.operations import ListInterviews
    from aural_mcp.cli.install import Problem
    from aural_mcp.client.client import AuralClient, Spent

    async def ask() -> None:
        async with AuralClient(settings.api_key, settings.base_url, requests_per_minute=0) as client:
            await client.call(ListInterviews(limit=1), spent=Spent(until=time.monotonic() + PATIENCE))

    try:
        anyio.run(ask)
    except (Unauthorized, Forbidden) as error:
        raise Problem(f"Nothing was changed: {settings.base_url} does not take this key. {error.message}") from error
    except AuralError:
        click.echo(f"Whether the key works is not known: {settings.base_url} gives no answer now.", err=True)

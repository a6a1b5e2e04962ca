"""`aural-mcp backend webhooks`: where the embedded backend's events go."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from aural_mcp.cli.groups import Group
from aural_mcp.cli.outbox import print_status, retry_command

if TYPE_CHECKING:
    from aural_mcp.backend.storage.store import Store

DATABASE = click.option("--database", help="SQLAlchemy URL; the workspace on this computer when left out.")


@click.group(cls=Group)
def webhooks() -> None:
    """Say where events go: sessions begun, finished and scored, candidates registered."""


@webhooks.command()
@click.argument("url")
@click.option("--allow", metavar="CIDR", multiple=True, help="Let it go to this network, though not public.")
@DATABASE
def add(url: str, allow: tuple[str, ...], database: str | None) -> None:
    """Send what happens from now on to URL, and print the secret that signs it, this once."""
    from aural_mcp.backend import webhooks as backend
    from aural_mcp.events.addresses import BadAddress

    try:
        identifier, secret = backend.add(workspace(database), url, allow)
    except BadAddress as error:
        raise click.UsageError(str(error)) from error
    click.echo(f"{identifier}  Its secret, shown this once: {secret}")


@webhooks.command("list")
@DATABASE
def list_(database: str | None) -> None:
    """List the endpoints: id, URL without its query, what is on its way, has arrived, is parked and why."""
    command = "aural-mcp backend webhooks"
    print_status(workspace(database), f"{command} add URL", f"{command} retry")


@webhooks.command()
@click.argument("identifier", metavar="ID")
@DATABASE
def remove(identifier: str, database: str | None) -> None:
    """Send nothing to the endpoint with this ID any more; what was on its way is dropped."""
    from aural_mcp.events.outbox import remove_endpoint

    with workspace(database).writing() as db:
        if not remove_endpoint(db, identifier):
            raise _no_such(identifier)
    click.echo(f"Removed {identifier}.")


@webhooks.command()
@click.argument("identifier", metavar="ID")
@DATABASE
def test(identifier: str, database: str | None) -> None:
    """Post a signed `webhook.test` to the endpoint with this ID, now and once. Exit status 1: it did not arrive."""
    import anyio

    from aural_mcp.backend.webhooks import try_out
    from aural_mcp.events.outbox import list_endpoints

    with workspace(database).reading() as db:
        found = [each for each in list_endpoints(db) if each.id == identifier]
    if not found:
        raise _no_such(identifier)
    begun = time.perf_counter()
    outcome = anyio.run(try_out, found[0])
    if outcome.error:
        raise click.ClickException(f"It did not arrive: {outcome.error}.")
    click.echo(f"It arrived, after {(time.perf_counter() - begun) * 1000:.0f} ms.")


def _no_such(identifier: str) -> click.ClickException:
    said = f"There is no endpoint with the id {identifier}. `aural-mcp backend webhooks list` shows them."
    return click.ClickException(said)


def workspace(database: str | None) -> Store:
    """The workspace in a database, or the one on this computer."""
    from aural_mcp.backend.local import database_url
    from aural_mcp.backend.storage.store import Store
    from aural_mcp.config import data_folder, read_settings

    return Store(database or database_url(data_folder(read_settings())))


webhooks.add_command(retry_command(workspace, DATABASE, "list"))

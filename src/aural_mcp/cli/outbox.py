"""What of an outbox a person sees and does: shared by `aural-mcp watch` and `aural-mcp backend webhooks`."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from aural_mcp.database import Database

MOST_SHOWN = 50
Opening = Callable[[str | None], "Database"]


def retry_command(opens: Opening, database: Callable[..., Callable[..., None]], shown_by: str) -> click.Command:
    """The command `retry` of an outbox, whose messages are listed by another command."""

    @database
    def retry(ids: tuple[str, ...], database: str | None) -> None:
        _revive(opens(database), ids, shown_by)

    said = f"Begin anew with parked events: those with an ID from `{shown_by}` (msg_...), or all of them."
    argument = click.Argument(["ids"], metavar="[ID]...", nargs=-1)
    command = click.command("retry", help=f"{said}\n\nExit status 1: none with such an ID is parked.")(retry)
    command.params.insert(0, argument)
    return command


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


def _revive(database: Database, ids: Sequence[str], shown_by: str) -> None:
    """Begin anew with what is parked, and say with how much."""
    from aural_mcp.events import outbox

    with database.writing() as db:
        number = outbox.revive(db, ids, now=time.time())
    if ids and not number:
        raise click.ClickException(f"None of these is parked: `{shown_by}` shows what is, as msg_...")
    how_many = "1 message is" if number == 1 else f"{number} messages are"
    click.echo(f"{how_many} on the way again." if number else "Nothing is parked.")


def _when(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")

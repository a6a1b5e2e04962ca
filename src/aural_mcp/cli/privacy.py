"""`aural-mcp privacy`: whether what was promised to candidates is kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from aural_mcp.cli.erasing import KEEP, before, beside, columns
from aural_mcp.cli.groups import Group
from aural_mcp.cli.webhooks import DATABASE, workspace

if TYPE_CHECKING:
    from aural_mcp.backend.storage.store import Store
    from aural_mcp.config import Settings

ANSWERED_WITHIN = 30
"""Days after which an open request counts as overdue."""
KINDS = {
    "delete": "delete their data",
    "person": "speak with a person",
    "correct": "correct their data",
    "data": "have their data",
}
FILES = ("workspace.db", "state.db", "events.db", "audit.jsonl")


@click.group(cls=Group)
def privacy() -> None:
    """See whether deadlines for candidates' data are kept."""


@privacy.command()
@KEEP
@DATABASE
@click.pass_context
def status(context: click.Context, keep: tuple[str, ...], database: str | None) -> None:
    """Show what is older than your policy, what candidates ask, what is owed, and which files there are.

    Exit status 1: something is overdue, which a scheduled job can tell by it.
    """
    from aural_mcp.config import read_settings

    settings = read_settings()
    _policy(settings)
    overdue = False
    if settings.embedded or database:
        store = workspace(database)
        overdue = any([_old(store, settings, keep), _requests(store), _explanations(store, settings)])
        _files(settings, store)
    else:
        click.echo("Interviews are at Aural, whose API cannot delete: `aural-mcp retention` lists who is older.")
        _files(settings, None)
    context.exit(1 if overdue else 0)


def _policy(settings: Settings) -> None:
    employer = settings.employer
    days = employer.retention_days
    click.echo(f"Policy: {f'{days} days' if days else 'none; set AURAL_RETENTION'}.")
    click.echo(f"Who invites: {employer.organization or 'not set; set AURAL_ORGANIZATION'}.")
    click.echo(f"Where candidates may ask: {employer.contact or 'not set; set AURAL_CONTACT'}.")


def _old(store: Store, settings: Settings, keep: tuple[str, ...]) -> bool:
    from aural_mcp.backend.storage.erasing import old, titles
    from aural_mcp.cli.retention import show

    days = settings.employer.retention_days
    if days is None:
        return False
    with store.reading() as db:
        found, called = old(db, before(days), (), keep), titles(db)
    click.echo()
    show(found, called, days)
    if found.gone:
        click.echo("`aural-mcp retention` erases who is older and not kept.")
    return bool(found.gone)


def _requests(store: Store) -> bool:
    from aural_mcp.backend.storage.erasing import open_requests

    with store.reading() as db:
        moments = open_requests(db)
    click.echo()
    if not moments:
        click.echo("No request is open.")
        return False
    late = before(ANSWERED_WITHIN)
    for kind, meaning in KINDS.items():
        if mine := sorted(at for each, at in moments if each == kind):
            overdue = sum(at < late for at in mine)
            more = f", {overdue} for more than {ANSWERED_WITHIN} days" if overdue else ""
            click.echo(f"{len(mine)} would like to {meaning}, the first since {mine[0][:10]}{more}.")
    click.echo("`aural-mcp requests list` shows who.")
    return any(at < late for _, at in moments)


def _explanations(store: Store, settings: Settings) -> bool:
    from aural_mcp.backend.storage.erasing import owed_since

    with store.reading() as db:
        since = owed_since(db)
    if not since:
        click.echo("No explanation is owed.")
        return False
    days = timedelta(days=settings.employer.explanation_days)
    due = sorted(datetime.fromisoformat(each) + days for each in since)
    overdue = sum(each < datetime.now(UTC) for each in due)
    noun = "explanation is" if len(due) == 1 else "explanations are"
    click.echo(f"{len(due)} {noun} owed, the first by {due[0]:%Y-%m-%d}; {overdue} overdue.")
    return overdue > 0


def _files(settings: Settings, store: Store | None) -> None:
    from aural_mcp.cli.tables import table
    from aural_mcp.config import data_place, decision_log

    folder, log = data_place(settings), decision_log(settings) if settings.audit_log else None
    own = Path(store.engine.url.database) if store and not store.shared and store.engine.url.database else None
    paths = [*(folder / name for name in FILES), *([own] if own else []), *([log] if log else [])]
    paths += beside(store) if store else []
    found = list(dict.fromkeys(each.absolute() for each in paths if each.exists()))
    rows = [(_day(each.stat().st_mtime), f"{each.stat().st_size / 1e6:.1f} MB", str(each)) for each in found]
    if rows:
        click.echo()
        click.echo("\n".join(table(("Changed", "Size", "File"), rows, columns() - 2)))
    if store and store.shared:
        click.echo(f"The workspace is in {store.engine.url!r}; its backups are its administrator's.")


def _day(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d}"

"""`aural-mcp erase`: one person, with everything of theirs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aural_mcp.cli.erasing import (
    DRY_RUN,
    NOBODY,
    SEVERAL,
    YES,
    Done,
    carry_out,
    counted,
    finish,
    in_files,
    say,
    show,
    unreached,
)
from aural_mcp.cli.webhooks import DATABASE, workspace

if TYPE_CHECKING:
    from aural_mcp.backend.storage.store import Store
    from aural_mcp.cli.erasing import Choice
    from aural_mcp.config import Settings
    from aural_mcp.privacy.persons import Person

STAYS = "What others wrote stays: change it there, if it is theirs to go."
PERHAPS = "May be the same person, and stays: erase it by its id if it is"
MOST = 20
TABLES = {
    "interviews": "interview",
    "sessions": "session",
    "messages": "message",
    "candidates": "candidate",
    "questions": "question",
}


@click.command()
@click.argument("candidate")
@YES
@DRY_RUN
@click.option("--files", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Look for them there too.")
@DATABASE
@click.pass_context
def erase(
    context: click.Context, candidate: str, yes: bool, dry_run: bool, files: Path | None, database: str | None
) -> None:
    """Erase one person from the workspace.

    CANDIDATE is the id of a candidate or session, an e-mail address, or a name that only one person has. It shows what
    goes and asks. The files in AURAL_FILES or --files that name them are listed and stay. With an Aural key, whose API
    cannot erase, it lists what to delete there and erases what this computer keeps. Exit status 1: nobody was erased.
    """
    from aural_mcp.config import read_settings

    settings = read_settings()
    if settings.problem and not database:
        raise click.ClickException(settings.problem)
    if not settings.embedded and not database:
        from aural_mcp.cli.elsewhere import erase_elsewhere

        erased = erase_elsewhere(settings, candidate, files, yes=yes, dry_run=dry_run)
    else:
        erased = _erase_here(workspace(database), settings, candidate, files, yes=yes, dry_run=dry_run)
    context.exit(0 if erased or dry_run else 1)


def _erase_here(store: Store, settings: Settings, wanted: str, files: Path | None, *, yes: bool, dry_run: bool) -> bool:
    from aural_mcp.backend.storage.erasing import entries, has_erased, held, mentioned, titles, when_erased
    from aural_mcp.privacy.persons import meant, people_of, perhaps

    with store.reading() as db:
        everybody = people_of(entries(db))
        called = titles(db)
        found = meant(everybody, wanted)
        at, anybody = when_erased(db, wanted), has_erased(db)
        said = counted(held(db, found[0].entries)) if len(found) == 1 else ""
        others = [_place(*each) for each in mentioned(db, found[0]).items()] if len(found) == 1 else []
    if len(found) > 1:
        for each in found:
            show(each, called)
        raise click.ClickException(SEVERAL.format(number=len(found)))
    if not found:
        return _nobody(store, settings, wanted, at, finishes=anybody and not dry_run)
    person = found[0]
    show(person, called)
    click.echo(f"\nIn all: {said}.")
    same = [_entry(each, called) for other in perhaps(everybody, person) for each in other.entries]
    say(f"{PERHAPS}:", _few(same))
    say(f"Others' rows that name them. {STAYS}", _few(others))
    if not dry_run and not yes:
        click.confirm("\nErase all of this? Nothing brings it back", abort=True)
    done = Done()
    if not dry_run:
        done = carry_out(store, settings, lambda db: _all_of(db, person), "erase", whole=True)
        click.echo(f"\nErased: {done.said}.")
    folder = files or settings.files
    left = [*in_files(person, folder, settings), *unreached(store, settings, done.unfinished)]
    say("What is left for you:", left)
    return bool(done.entries)


def _all_of(db: Any, person: Person) -> Choice:
    """What is of the person now: more may have come since it was shown."""
    from aural_mcp.backend.storage.erasing import entries
    from aural_mcp.privacy.persons import people_of

    now = [each for one in people_of(entries(db)) if one.ids & person.ids for each in one.entries]
    return now, now


def _nobody(store: Store, settings: Settings, wanted: str, at: str | None, *, finishes: bool) -> bool:
    """Say that nobody is meant; what an earlier run could not finish is finished."""
    from aural_mcp.safety import quoted

    done = Done()
    if finishes:
        finish(store, settings, done)
    said = f"Nothing of {quoted(wanted)} is here. Who has this address was erased on {(at or '')[:10]}."
    click.echo(said if at else NOBODY.format(wanted=quoted(wanted)))
    say("What is left for you:", unreached(store, settings, done.unfinished) if at or done.unfinished else [])
    return False


# ── Words ───────────────────────────────────────────────────────────────────────────────────────


def _entry(each: object, called: Mapping[str, str]) -> str:
    from aural_mcp.privacy.persons import Entry
    from aural_mcp.safety import quoted

    if not isinstance(each, Entry):
        return ""
    who = ", ".join(filter(None, (each.name or "unnamed", each.email, each.phone)))
    return f"{each.kind} {each.id}, {who}, in {quoted(called.get(each.interview, ''), 60)}"


def _place(where: tuple[str, str], columns: Sequence[str]) -> str:
    table, identifier = where
    return f"{TABLES.get(table, table.replace('_', ' '))} {identifier}: {', '.join(columns)}"


def _few(lines: Sequence[str]) -> list[str]:
    more = len(lines) - MOST
    return [*lines[:MOST], *([f"and {more:,} more"] if more > 0 else [])]

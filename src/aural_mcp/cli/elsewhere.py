"""Erasing where Aural's API, which cannot, holds the interviews: what to delete there, and our own traces."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from aural_mcp.cli.erasing import (
    BUSY,
    IN_MEMORY,
    NOBODY,
    SEVERAL,
    before,
    columns,
    in_files,
    note,
    say,
    show,
)
from aural_mcp.cli.progress import Progress
from aural_mcp.cli.setup import Waited, set_up

if TYPE_CHECKING:
    from aural_mcp.config import Settings
    from aural_mcp.privacy.persons import Entry, Person
    from aural_mcp.workflows.everybody import Everybody

THERE = "To delete at {host}, whose API cannot: in its dashboard, or ask those who run it. A backend of your own has "
COMMAND = "`{command} --database ...` on its computer."
AGAIN = "What is still there is noted again by the next call: afterwards give each of these ids to the same command."
CUT = "Of {number} interviews only the newest 1,000 registered people are listed: look there for others yourself."
TRACES = "Erase what this computer keeps of them (journals, results, what was watched)?"
NONE = "This computer keeps nothing of them."


def erase_elsewhere(settings: Settings, wanted: str, files: Path | None, *, yes: bool, dry_run: bool) -> bool:
    """List what is held of one person, and erase our traces; whether anything was erased here."""
    from aural_mcp.privacy.audit import ID
    from aural_mcp.privacy.persons import Entry, Person, meant, people_of
    from aural_mcp.safety import quoted

    found = _everybody(settings)
    people = meant(people_of(found.entries), wanted)
    if len(people) > 1:
        for each in people:
            show(each, found.titles)
        raise click.ClickException(SEVERAL.format(number=len(people)))
    is_id = ID.fullmatch(wanted.strip()) is not None
    if not people and not is_id and "@" not in wanted:
        click.echo(NOBODY.format(wanted=quoted(wanted)))
        _say_cut(found)
        return False
    gone = Entry("candidate", wanted.strip(), "") if is_id else Entry("candidate", "", "", email=wanted)
    person = people[0] if people else Person((gone,))
    if people:
        show(person, found.titles)
        _say_where(settings, "aural-mcp erase")
        click.echo(AGAIN)
    else:
        click.echo(f"No interview of this key has {quoted(wanted)}.")
    _say_cut(found)
    traces = _erase_traces(settings, [person], found.titles, yes=yes, dry_run=dry_run)
    if traces is not None and people:
        note(Waited(settings), "erase", "done", person.entries)
    say("What is left for you:", [*in_files(person, files or settings.files, settings), IN_MEMORY])
    return traces is not None


def retain_elsewhere(
    settings: Settings, days: int, interviews: Collection[str], keep: Collection[str], *, yes: bool, dry_run: bool
) -> None:
    """List who is older, and erase our traces of them."""
    from aural_mcp.cli.tables import table
    from aural_mcp.privacy.persons import people_of

    found, moment = _everybody(settings), datetime.fromisoformat(before(days))
    if unknown := sorted(set(interviews) - found.titles.keys()):
        raise click.BadParameter(f"there is no interview {unknown[0]}", param_hint="--interview")
    stays = {each for each, verdict in found.decided.items() if verdict in keep} | found.owed

    def goes(each: Entry) -> bool:
        is_meant = not interviews or each.interview in interviews
        return is_meant and (each.session or each.id) not in stays and _is_before(found.last[each.id], moment)

    old = [each for each in found.entries if goes(each)]
    _say_cut(found)
    if not old:
        click.echo(f"Nobody who could go is older than {days} days.")
        return
    head = ("Interview", "Name", "What", "Last", "Id")
    rows = [(found.titles[each.interview], each.name, each.kind, found.last[each.id][:10], each.id) for each in old]
    click.echo("\n".join(table(head, rows, columns())))
    _say_where(settings, "aural-mcp retention")
    if _erase_traces(settings, people_of(old), None, yes=yes, dry_run=dry_run) is not None:
        note(Waited(settings), "retention", "done", old)


def _everybody(settings: Settings) -> Everybody:
    import anyio

    from aural_mcp.api.errors import AuralError
    from aural_mcp.workflows.everybody import everybody

    client = set_up(settings).client

    async def look(tell: Callable[[float, float, str], None]) -> Everybody:
        async with client:
            return await everybody(client, tell)

    try:
        with Progress() as progress:
            return anyio.run(look, progress.step)
    except AuralError as error:
        raise click.ClickException(str(error)) from error


def _erase_traces(
    settings: Settings, people: Sequence[Person], interviews: Collection[str] | None, *, yes: bool, dry_run: bool
) -> int | None:
    """Erase what this computer keeps of people, once that was agreed to; how much."""
    from aural_mcp.config import data_place
    from aural_mcp.workflows.traces import compact_traces, erase_traces

    if dry_run:
        click.echo("\nA dry run: nothing was erased.")
        return None
    if not yes:
        click.confirm(f"\n{TRACES}", abort=True)
    Waited(settings).check()
    traces = erase_traces(data_place(settings), people, interviews, url=settings.state_url)
    many = "1 trace was" if traces == 1 else f"{traces:,} traces were"
    click.echo(f"\n{many} erased on this computer." if traces else f"\n{NONE}")
    for each in compact_traces(data_place(settings)):
        click.echo(BUSY.format(file=each))
    return traces


def _is_before(text: str, moment: datetime) -> bool:
    try:
        return datetime.fromisoformat(text) < moment
    except (ValueError, TypeError):
        return False


def _say_where(settings: Settings, command: str) -> None:
    host = urlsplit(settings.base_url).netloc
    click.echo(f"\n{THERE.format(host=host)}{COMMAND.format(command=command)}")


def _say_cut(found: Everybody) -> None:
    if found.cut:
        click.echo(CUT.format(number=len(found.cut)))

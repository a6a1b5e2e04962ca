"""`aural-mcp requests`: what candidates ask of the team, and explanations that are owed; a person closes them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from aural_mcp.cli.groups import Group
from aural_mcp.cli.webhooks import DATABASE

if TYPE_CHECKING:
    from aural_mcp.backend.storage.store import Row, Store
    from aural_mcp.cli.setup import Setup
    from aural_mcp.config import Settings

HEAD = ("ID", "Asks for", "Who", "Interview", "Since, UTC", "Due, UTC")
ASKED = {"person": "a person", "data": "their data", "correct": "a correction", "delete": "deletion"}
EXPLANATION = "an explanation"
SHORT = 8
"""Characters of an id that are shown; a beginning that fits one is enough."""
OF_AURAL = (
    "Calls go to {url}. Aural stores no requests of candidates; explanations that are owed are those of decisions "
    "kept on this computer. Of a team's own backend, run this where it runs, with --database."
)
NO_NAMES = "AURAL_BLIND or AURAL_LOCKDOWN: nobody is named here."
NOTE_NAMES = (
    "--note names somebody, or holds an address or a number to call; the decision log keeps it for good. "
    "Nothing was closed: say what was done, not for whom."
)


@dataclass(frozen=True)
class Open:
    """Something that somebody waits for; `close` is what is done in the database that holds it."""

    id: str
    asks: str
    who: str
    title: str
    since: str
    due: str | None
    ids: Mapping[str, str | None]
    text: str = ""
    name: str = ""
    close: Callable[[Any, str], bool] = lambda db, by: True

    @property
    def cells(self) -> tuple[str | None, ...]:
        """What a table shows of it."""
        late = self.due is not None and datetime.fromisoformat(self.due) < datetime.now(UTC)
        due = f"{_when(self.due)}{' (over)' if late else ''}" if self.due else None
        return self.id[:SHORT], self.asks, self.who or None, self.title or None, _when(self.since), due


@click.group("requests", cls=Group)
def requests_() -> None:
    """See what candidates ask of you, and close it: a person, their data, a correction, deletion, an explanation."""


@requests_.command("list")
@DATABASE
def list_(database: str | None) -> None:
    """Print what is open, oldest first. Closing a wish for a person lets the session be gone on with and scored."""
    from aural_mcp.cli.tables import line, table

    desk = _desk(database)
    found = desk.open()
    if desk.note:
        click.echo(desk.note, err=True)
    if not found:
        click.echo("Nobody waits for anything.")
        return
    click.echo("\n".join(table(HEAD, [each.cells for each in found], shutil.get_terminal_size((140, 24)).columns)))
    for each in found:
        if each.text:
            click.echo(f"{each.id[:SHORT]} writes: {line(each.text)}")
    click.echo("`aural-mcp requests close ID` closes one, when a person has dealt with it.", err=True)


@requests_.command("close")
@click.argument("id_", metavar="ID")
@click.option("--note", metavar="TEXT", default="", help="Stands in the decision log, which can forget nothing.")
@DATABASE
def close_(id_: str, note: str, database: str | None) -> None:
    """Close the request or owed explanation with this ID, of which the beginning is enough.

    Who closed it and when is stored, and stands in the decision log. Nobody is written to, and nothing is deleted:
    do that first. Exit status 1: nothing open has this ID, or more than one has.
    """
    desk = _desk(database)
    found = desk.chosen(id_)
    desk.close(found, note)
    more = " The candidate can go on, and be scored." if found.asks == ASKED["person"] else ""
    click.echo(f"Closed {found.id[:SHORT]}: {found.asks}, since {_when(found.since)}.{more}")


class Desk:
    """Where requests are: a workspace, or for Aural what was decided and is kept on this computer."""

    def __init__(self, settings: Settings, setup: Setup, store: Store | None) -> None:
        self._settings, self._setup, self._store = settings, setup, store
        self._names = not (settings.narrowing.blind or settings.narrowing.lockdown)
        notes = [] if store else [OF_AURAL.format(url=settings.base_url)]
        self.note = " ".join([*notes, *([] if self._names else [NO_NAMES])])

    def open(self) -> list[Open]:
        """What is open, oldest first."""
        found = self._of_store(self._store) if self._store else self._of_journal()
        return sorted(found, key=lambda each: each.since)

    def chosen(self, id_: str) -> Open:
        """What an ID, or its beginning, means."""
        found = [each for each in self.open() if each.id.lower().startswith(id_.strip().lower())] if id_.strip() else []
        if len(found) == 1:
            return found[0]
        said = "more than one begins so; give more of it" if found else self._closed(id_.strip().lower())
        raise click.ClickException(f"{id_}: {said}. `aural-mcp requests list` shows what is open.")

    def close(self, found: Open, note: str) -> None:
        """Close it and write that down: both or nothing, and no name, which could not be erased there."""
        from aural_mcp.cli.setup import Waited
        from aural_mcp.privacy.who import at_this_computer
        from aural_mcp.workflows.decisions import names_one

        if names_one(note, [found.name]):
            raise click.ClickException(NOTE_NAMES)
        client = self._setup.client
        log, by = Waited(self._settings), at_this_computer()
        log.check()

        def write() -> None:
            log.record(
                "requests_close",
                "done",
                tenant=client.tenant,
                ids=found.ids,
                confirmed="operator",
                by=by,
                reason=note,
                waits=False,
            )

        if self._store is None:
            write()
            self._explained(found.id)
            return
        with self._store.writing() as db:
            if not found.close(db, by.name or "unknown"):
                raise click.ClickException(f"{found.id}: somebody closed it meanwhile.")
            write()

    def _of_store(self, store: Store) -> list[Open]:
        from aural_mcp.backend.storage.rights import every_open_request, owed_explanations

        with store.reading() as db:
            asked, owed = every_open_request(db), owed_explanations(db, self._settings.employer.explanation_days)
        return [*map(self._asked, asked), *map(self._owed, owed)]

    def _asked(self, row: Row) -> Open:
        from aural_mcp.backend.storage.rights import close_request

        ids = {"interviewId": row["interviewId"], "sessionId": row["sessionId"], "candidateId": row["candidateId"]}
        shown, text = (ASKED[row["kind"]], self._who(row), row["title"], row["at"], None), row["text"]
        text = text if self._names else ""
        return Open(row["id"], *shown, ids, text, row["name"] or "", lambda db, by: close_request(db, row, by))

    def _owed(self, row: Row) -> Open:
        from aural_mcp.backend.storage.rights import note_explained

        ids = {"sessionId": row["sessionId"]}
        shown = EXPLANATION, self._who(row), row["title"], row["at"], row["due"]
        return Open(row["id"], *shown, ids, name=row["name"] or "", close=lambda db, by: note_explained(db, row["id"]))

    def _who(self, row: Row) -> str:
        return " ".join(filter(None, [row["name"], f"<{row['email']}>" if row["email"] else ""])) if self._names else ""

    def _of_journal(self) -> list[Open]:
        from aural_mcp.api.models import Decision
        from aural_mcp.cli.setup import run
        from aural_mcp.workflows.decisions import due, kept

        found: list[Open] = []
        client = self._setup.client
        for session_id, said in run(client.state, kept(client).all).items():
            decision = Decision.model_validate(said)
            if by := due(decision, self._settings.employer.explanation_days):
                ids = {"sessionId": session_id}
                shown = EXPLANATION, f"session {session_id}", "", decision.at, by.isoformat()
                found.append(Open(session_id, *shown, ids))
        return found

    def _explained(self, session_id: str) -> None:
        from aural_mcp.api.models import Decision
        from aural_mcp.cli.setup import run
        from aural_mcp.workflows.decisions import kept

        journal, at = kept(self._setup.client), datetime.now(UTC).isoformat()

        async def explained() -> None:
            decision = Decision.model_validate((await journal.done([session_id]))[session_id])
            await journal.note({session_id: decision.model_copy(update={"explained_at": at}).model_dump(by_alias=True)})

        run(self._setup.client.state, explained)

    def _closed(self, id_: str) -> str:
        """Why nothing open has this ID."""
        from aural_mcp.backend.storage.rights import closed_request

        if self._store is not None and id_:
            with self._store.reading() as db:
                row = closed_request(db, id_)
            if row:
                return f"{row['closedBy'] or 'somebody'} closed it already, on {_when(row['closedAt'])} UTC"
        return "nothing open has this id"


def _desk(database: str | None) -> Desk:
    from aural_mcp.cli.setup import set_up
    from aural_mcp.cli.webhooks import workspace
    from aural_mcp.config import read_settings

    settings = read_settings()
    if settings.problem and not database:
        raise click.ClickException(settings.problem)
    store = workspace(database) if database or settings.embedded else None
    return Desk(settings, set_up(settings), store)


def _when(stamp: str) -> str:
    return datetime.fromisoformat(stamp).astimezone(UTC).strftime("%Y-%m-%d %H:%M")

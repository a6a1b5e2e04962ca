"""What `erase`, `retention` and the backend's schedule share: how people are erased, and what that cannot reach."""

from __future__ import annotations

import math
import shutil
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

VERDICTS = ("advance", "hold", "reject", "hired", "withdrawn")
"""As `api.decisions` has them, which a start without them need not load."""

if TYPE_CHECKING:
    from aural_mcp.backend.storage.store import Store
    from aural_mcp.cli.setup import Waited
    from aural_mcp.config import Settings
    from aural_mcp.privacy.audit import Outcome
    from aural_mcp.privacy.persons import Entry, Mentions, Person

Choice = tuple[Sequence["Entry"], Sequence["Entry"]]
"""Who goes, and of whom it is remembered that they shall not come back unasked."""
KEEP = click.option(
    "--keep",
    metavar="VERDICT",
    multiple=True,
    type=click.Choice(VERDICTS),
    help="Spare whom this was decided on last, e.g. hired.",
)
YES = click.option("--yes", is_flag=True, help="Ask nothing.")
DRY_RUN = click.option("--dry-run", is_flag=True, help="Show what would go; erase nothing.")
IN_A_LINE, LARGEST, MOST_FILES, ENDLESS = 100, 20_000_000, 20_000, 10_000
UNREADABLE = (".xlsx", ".docx", ".pptx", ".pdf", ".zip", ".gz", ".xls", ".doc", ".png", ".jpg", ".jpeg")
"""Files whose text cannot be looked through."""
NOBODY = "Nobody here is called {wanted}. Give an id, an e-mail address or a whole name, as the interviews have it."
SEVERAL = "{number} people are called so. Nothing was erased: give the id or the address of one of them."
IN_MEMORY = "Hosts and servers that are running may still hold answers in memory: restart them."
BACKUPS = "Backups and exports that you made elsewhere: nobody knows of them here."
POSTGRESQL = (
    "PostgreSQL: the rows are gone; their bytes go with `VACUUM FULL`, and from its log of changes (WAL), archives, "
    "replicas and backups as its administrator has set."
)
NOT_STORED = "The workspace cannot be written ({why}). Nobody was erased from it: run the same command again."
BUSY = (
    "{file} could not be rewritten, as another process was at it or the disk is full: what was deleted may still stand "
    "in its free pages or its -wal. Stop the others, free some space, and run the same command again."
)


@dataclass
class Done:
    """What was erased, and whether nothing of it is left in the files."""

    entries: Sequence[Entry] = ()
    counts: dict[str, int] = field(default_factory=dict[str, int])
    traces: int = 0
    unfinished: list[str] = field(default_factory=list[str])

    @property
    def said(self) -> str:
        """The counts as a sentence has them."""
        beside = f"{counted({'trace': self.traces})} beside the workspace" if self.traces else ""
        return ", ".join(filter(None, (counted(self.counts), beside)))


def carry_out(
    store: Store, settings: Settings, choose: Callable[[Any], Choice], tool: str, *, whole: bool = False
) -> Done:
    """Erase whom a choice names, in one transaction, with their traces on this computer; written in the decision log.

    Args:
        whole: nothing of these people stays, so that their address is looked for in all interviews.

    Raises:
        LogUnwritable: the decision log cannot be written; nothing is erased.
        StateUnwritable: what this computer keeps beside it cannot be; nothing is erased.
    """
    from aural_mcp.api.errors import LogUnwritable
    from aural_mcp.backend.storage.erasing import held, remove, titles
    from aural_mcp.cli.setup import Waited
    from aural_mcp.config import data_place
    from aural_mcp.database import failure
    from aural_mcp.privacy.persons import people_of
    from aural_mcp.workflows.traces import erase_traces

    log, noted = Waited(settings), list["Entry"]()
    log.check()
    try:
        with store.writing() as db:
            found, bury = choose(db)
            if not found:
                return Done()
            traces = erase_traces(
                data_place(settings), people_of(found), titles(db) if whole else None, url=settings.state_url
            )
            done = Done(found, held(db, found), traces)
            remove(db, found, bury, whole=whole)
            noted += found
            note(log, tool, "done", found)
    except Exception as error:
        if noted:
            with suppress(LogUnwritable):
                note(log, tool, "failed", noted)
        if why := failure(error):
            raise click.ClickException(NOT_STORED.format(why=why)) from error
        raise
    finish(store, settings, done)
    return done


def finish(store: Store, settings: Settings, done: Done) -> None:
    """Rewrite the files, where the database is one, without what was deleted; also what an earlier run had to leave."""
    from aural_mcp.config import data_place
    from aural_mcp.workflows.traces import compact_traces

    if not store.compact() and not store.shared:
        done.unfinished.append(str(store.engine.url.database))
    done.unfinished += compact_traces(data_place(settings))


def note(log: Waited, tool: str, outcome: Outcome, found: Sequence[Entry]) -> None:
    """Write down who was erased, by ids alone, when and by which user of this computer.

    Raises:
        LogUnwritable: it cannot be written.
    """
    from aural_mcp.privacy.who import at_this_computer

    by = at_this_computer(f"aural-mcp {tool.replace('_', ' ')}")
    for start in range(0, len(found), IN_A_LINE):
        some = found[start : start + IN_A_LINE]
        ids = {f"{kind}Id": [each.id for each in some if each.kind == kind] for kind in ("session", "candidate")}
        where = {"interviewId": [each.interview for each in some]}
        log.record(tool, outcome, tenant="", ids=ids | where, by=by, waits=False)


# ── Words ───────────────────────────────────────────────────────────────────────────────────────


def counted(counts: dict[str, int]) -> str:
    """Numbers with their nouns, e.g. `2 sessions, 1 message`."""
    return ", ".join(f"{number:,} {name}{'' if number == 1 else 's'}" for name, number in counts.items() if number)


def before(days: int) -> str:
    """The moment that is so many days ago, as a workspace writes it."""
    return (datetime.now(UTC) - timedelta(days=days)).isoformat(timespec="microseconds")


def beside(store: Store) -> list[Path]:
    """Copies of the database that stand beside it: from before a migration, or of a damaged one."""
    file = store.engine.url.database
    if store.shared or not file or file == ":memory:":
        return []
    path = Path(file)
    ours = {path.name + suffix for suffix in ("", "-wal", "-shm", "-journal")}
    return sorted(each for each in path.parent.glob(f"{path.name}*") if each.name not in ours)


def unreached(store: Store, settings: Settings, unfinished: Iterable[str]) -> list[str]:
    """What may still hold something, and what to do about it."""
    return [
        *(BUSY.format(file=each) for each in dict.fromkeys(unfinished)),
        *(f"A copy from before: {each}. Delete it when you no longer need it." for each in beside(store)),
        *([POSTGRESQL] if store.shared else []),
        BACKUPS,
        IN_MEMORY,
    ]


def in_files(person: Person, folder: Path | None, settings: Settings) -> Iterator[str]:
    """The files in a folder that name somebody, which stay; and lines of the decision log that do."""
    from aural_mcp.privacy.persons import Mentions
    from aural_mcp.safety import quoted

    looked = Mentions(person)
    yield from _in_log(looked, settings)
    for each in looked.unsought if folder else ():
        yield f"The name {quoted(each)} is too short to be looked for: files were searched for address, number and ids."
    if folder is None:
        return
    closed = 0
    for number, path in enumerate(sorted(each for each in folder.rglob("*") if each.is_file())):
        if number == MOST_FILES:
            yield f"{folder}: only the first {MOST_FILES:,} files were looked through."
            break
        if path.suffix.lower() in UNREADABLE or path.stat().st_size > LARGEST:
            closed += 1
        elif looked.are_in(path.name) or looked.are_in_bytes(_content(path)):
            yield f"{path} names them. Delete it, or take them out."
    if closed:
        yield f"{folder}: {closed} file{'' if closed == 1 else 's'} that cannot be looked into (Office, PDF, archives)."


def _in_log(looked: Mentions, settings: Settings) -> Iterator[str]:
    """What the decision log says of somebody in reasons, where it does."""
    from aural_mcp.cli.decision_log import kept_log
    from aural_mcp.privacy.audit_lines import line_of

    log, reasons = kept_log(settings), list[object]()
    if log is None:
        return
    log.each(-math.inf, lambda raw: reasons.append(line.said.get("reason") if (line := line_of(raw)) else None))
    if number := sum(isinstance(each, str) and looked.are_in(each) for each in reasons):
        lines = "1 line gives" if number == 1 else f"{number} lines give"
        yield f"{log.where}: {lines} a reason that names them. A line of it cannot be changed: {log.whole}."


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def show(person: Person, called: Mapping[str, str]) -> None:
    """Print who somebody is, and what each interview holds of them."""
    from aural_mcp.cli.tables import line, table

    who = [" / ".join(each) for each in (person.names, person.addresses, person.phones) if each]
    click.echo(line(", ".join(who) or "Somebody without a name"))
    rows = [(called.get(each.interview, each.interview), each.kind, each.state, each.id) for each in person.entries]
    click.echo("\n".join(f"  {each}" for each in table(("Interview", "What", "State", "Id"), rows, columns() - 2)))


def columns() -> int:
    """The columns of the terminal; where there is none each row is one line."""
    return shutil.get_terminal_size((120, 24)).columns if sys.stdout.isatty() else ENDLESS


def say(head: str, lines: Collection[str]) -> None:
    """Print lines under a heading, where there are any."""
    from aural_mcp.cli.tables import line

    if lines:
        click.echo(f"\n{head}")
    for each in lines:
        click.echo(f"  - {line(each)}")

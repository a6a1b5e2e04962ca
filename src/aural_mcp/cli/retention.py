"""`aural-mcp retention`: whoever is older than the policy, erased together."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import click

from aural_mcp.cli.erasing import (
    DRY_RUN,
    KEEP,
    YES,
    Done,
    before,
    carry_out,
    columns,
    counted,
    finish,
    note,
    say,
    unreached,
)
from aural_mcp.cli.webhooks import DATABASE, workspace

if TYPE_CHECKING:
    from collections.abc import Generator

    from aural_mcp.backend.storage.erasing import Old
    from aural_mcp.backend.storage.store import Store
    from aural_mcp.cli.erasing import Choice
    from aural_mcp.config import Settings

UNSET = "Say after how long: --older-than 180d, or set AURAL_RETENTION."
SETTING, DAY, LOOKS = "retention", 86_400.0, 60.0
"""Where the schedule keeps what it did, seconds between two of its runs, and between two looks whether one is due."""
MOST = 20
log = logging.getLogger(__name__)


@click.command()
@click.option("--older-than", metavar="DAYS", help="Such as 180d; AURAL_RETENTION when left out.")
@click.option("--interview", "interviews", metavar="ID", multiple=True, help="Only this one; may be repeated.")
@KEEP
@YES
@DRY_RUN
@DATABASE
def retention(
    older_than: str | None,
    interviews: tuple[str, ...],
    keep: tuple[str, ...],
    yes: bool,
    dry_run: bool,
    database: str | None,
) -> None:
    """Erase who is older than your policy.

    Sessions count from their end, else from the last answer; registered people who never began, from when they were
    registered. Who asks for something that nobody has closed, or is owed an explanation, stays and is named. With an
    Aural key, whose API cannot erase, it lists who is older.
    """
    from aural_mcp.config import days_of, read_settings

    settings = read_settings()
    if settings.problem and not database:
        raise click.ClickException(settings.problem)
    days = days_of("--older-than", older_than) if older_than else settings.employer.retention_days
    if days is None:
        raise click.UsageError(UNSET)
    if not settings.embedded and not database:
        from aural_mcp.cli.elsewhere import retain_elsewhere

        retain_elsewhere(settings, days, interviews, keep, yes=yes, dry_run=dry_run)
    else:
        _retain_here(workspace(database), settings, days, interviews, keep, yes=yes, dry_run=dry_run)


def _retain_here(
    store: Store,
    settings: Settings,
    days: int,
    interviews: Collection[str],
    keep: Collection[str],
    *,
    yes: bool,
    dry_run: bool,
) -> None:
    from aural_mcp.backend.storage.erasing import held, old, titles

    moment = before(days)
    with store.reading() as db:
        called = titles(db)
        if unknown := sorted(set(interviews) - called.keys()):
            raise click.BadParameter(f"there is no interview {unknown[0]}", param_hint="--interview")
        found = old(db, moment, interviews, keep)
        said = counted(held(db, found.entries))
    show(found, called, days)
    if not found.gone:
        if not dry_run:  # a run before may have had to leave something in the files
            finish(store, settings, done := Done())
            say("What is left for you:", unreached(store, settings, done.unfinished) if done.unfinished else [])
        return
    click.echo(f"\nIn all: {said}.")
    if dry_run:
        click.echo("A dry run: nothing was erased.")
        return
    if not yes:
        click.confirm("\nErase all of this? Nothing brings it back", abort=True)

    def still(db: Any) -> Choice:
        return _choice(old(db, moment, interviews, keep).only(found.gone.keys()))

    done = carry_out(store, settings, still, "retention")
    click.echo(f"\nErased: {done.said or 'nothing, as all of it changed meanwhile'}.")
    say("What is left for you:", unreached(store, settings, done.unfinished))


def _choice(found: Old) -> Choice:
    """All that is old goes; of who asked for deletion it is remembered that they shall not come back unasked."""
    return found.entries, [each for each in found.entries if each.id in found.wished]


def show(found: Old, called: Mapping[str, str], days: int) -> None:
    """Print by interview how many are older, since when, and who stays."""
    from aural_mcp.cli.tables import table

    if not found.gone:
        click.echo(f"Nobody who could go is older than {days} days.")
    else:
        click.echo(f"Older than {days} days:")
        head = ("Interview", "Sessions", "Registered", "Oldest", "Id")
        click.echo("\n".join(f"  {each}" for each in table(head, by_interview(found, called), columns() - 2)))
    kept = [f"{each.name or 'unnamed'} ({each.kind} {each.id}): {why}" for each, why in found.kept]
    more = [f"and {len(kept) - MOST:,} more"] if len(kept) > MOST else []
    say("Older, and kept:", [*kept[:MOST], *more])


def by_interview(found: Old, called: Mapping[str, str]) -> list[tuple[Any, ...]]:
    """A row for each interview: title, sessions, registered people, the oldest day, id."""
    counts, oldest = Counter[tuple[str, str]](), dict[str, str]()
    for each, moment in found.gone.values():
        counts[each.interview, each.kind] += 1
        oldest[each.interview] = min(moment, oldest.get(each.interview, moment))
    return [
        (called.get(name, name), counts[name, "session"], counts[name, "candidate"], oldest[name][:10], name)
        for name in sorted(oldest, key=lambda name: oldest[name])
    ]


# ── On a schedule ───────────────────────────────────────────────────────────────────────────────


@contextmanager
def scheduled(store: Store, settings: Settings, keep: Sequence[str]) -> Generator[None]:
    """While the block runs, once a day erase who is older than AURAL_RETENTION; the first run only reports."""
    stopping = threading.Event()

    def work() -> None:
        while not stopping.is_set():
            try:
                run_if_due(store, settings, keep, time.time())
            except Exception:  # the serving beside must go on
                log.exception("Retention failed; it is tried again")
            stopping.wait(LOOKS)

    thread = threading.Thread(target=work, name="retention", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join(LOOKS)


def run_if_due(store: Store, settings: Settings, keep: Sequence[str], now: float) -> bool:
    """One run, unless there was one within a day; of several processes one does it. Whether it ran.

    Where the policy is not the one that was reported last, it reports again and erases nothing.
    """
    from aural_mcp.backend.storage.erasing import old
    from aural_mcp.backend.storage.store import save_setting
    from aural_mcp.cli.setup import Waited

    days = settings.employer.retention_days
    if days is None:
        return False
    policy = {"days": days, "keep": sorted(keep)}
    with store.reading() as db:
        last = _last(db)
    if last.get("at", now) > now:  # the clock was set back: a day begins anew, so that a report is a day old
        with store.writing() as db:
            save_setting(db, SETTING, {**last, "at": now})
    if not _is_due(last, now):
        return False
    ran, reported = False, cast("list[Old]", [])

    def choose(db: Any) -> Choice:
        nonlocal ran
        last = _last(db)
        if not _is_due(last, now):
            return (), ()
        ran = True
        save_setting(db, SETTING, {"policy": policy, "at": now})
        found = old(db, before(days), (), keep)
        if last.get("policy") != policy:
            note(Waited(settings), "retention_schedule", "preview", found.entries)
            reported.append(found)
            return (), ()
        return _choice(found)

    done = carry_out(store, settings, choose, "retention_schedule")
    for found in reported:
        log.warning("%s", _report(found, days))
    if done.entries:
        log.warning("Retention: erased %s, older than %d days.", done.said, days)
    for each in done.unfinished:
        log.warning(
            "Retention: %s could not be rewritten, so that its free pages may still hold what was deleted.", each
        )
    return ran


def _last(db: Any) -> dict[str, Any]:
    """What the run before this one did."""
    from aural_mcp.backend.storage.store import setting

    return setting(db, SETTING) or {}


def _is_due(last: Mapping[str, Any], now: float) -> bool:
    return last.get("at", 0.0) <= now - DAY


def _report(found: Old, days: int) -> str:
    kinds = Counter(each.kind for each in found.entries)
    said = counted({"session": kinds["session"], "registered candidate": kinds["candidate"]}) or "nobody"
    kept = f" {len(found.kept):,} older ones stay: `aural-mcp retention --dry-run` says why." if found.kept else ""
    return (
        f"Retention: {said} older than {days} days. This first run only reports; from tomorrow's on, who is older then "
        f"is erased.{kept} Stop it by starting without --retention."
    )

"""`aural-mcp status`: how far interviews are and how candidates compare, as tables for a terminal."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from aural_mcp.cli.tables import line, padded, table, width

if TYPE_CHECKING:
    from aural_mcp.server.inside import Asking

SHOWN, MOST_PAGES = 20, 20
STANDING = {
    "notStarted": "not begun",
    "inProgress": "in the middle",
    "gaveUp": "gave up",
    "notScored": "complete, not scored",
    "scored": "complete, scored",
}
WORDS = {
    "asksForPerson": "Would rather speak with a person",
    "requests": "Asks for {wanted}",
    "explanationsDue": "Is owed an explanation by {due}",
    "notStarted": "Has not begun",
    "stuck": "Silent in the middle",
    "gaveUp": "Gave up",
    "notScored": "Waits for a score",
}
BAR, ENDLESS = 24, 10_000
"""Columns of the longest bar; what a pipe has, so that each row is one line there."""
NO_SCORE = "- is not scored, which is no low score. A person decides."


class Refused(Exception):
    """No interview, or several, are meant; the text says what to do."""


@click.command()
@click.argument("interview", required=False)
def status(interview: str | None) -> None:
    """Show how far interviews are, or one of them.

    INTERVIEW is an id or a part of the title. Of one it prints where candidates stand, who may need a word, and the
    scores side by side. It shows what the server would: AURAL_BLIND and the other settings hold. Exit status 1: there
    is no such interview, or it cannot be read.
    """
    import logging

    import anyio

    from aural_mcp.cli.setup import beside, set_up
    from aural_mcp.config import read_settings
    from aural_mcp.log import set_up_logging
    from aural_mcp.server.inside import Asking, NotShown

    set_up_logging(logging.CRITICAL)
    settings = read_settings()
    if settings.problem:
        raise click.ClickException(settings.problem)
    setup, refused = set_up(settings), list[str]()
    ask = Asking(setup.server)

    async def look() -> None:
        try:
            await (_one(ask, interview) if interview is not None else _all(ask))
        except (Refused, NotShown) as error:
            refused.append(line(str(error)))

    anyio.run(beside, setup, look, True)
    if refused:
        raise click.ClickException(refused[0])


# ── Interviews ──────────────────────────────────────────────────────────────────────────────────


async def _all(ask: Asking) -> None:
    found = await ask("list_interviews", limit=SHOWN)
    if not found["data"]:
        click.echo("There is no interview yet. An agent makes one with launch_interviews, `aural-mcp demo` shows how.")
        return
    _print_interviews(found["data"])
    if found.get("cursor"):
        _say("These changed last; there are more. `aural-mcp status WORDS` finds one by its title.")


def _print_interviews(rows: Sequence[dict[str, Any]]) -> None:
    head = ("Interview", "Sessions", "State", "Changed", "Id")
    cells = [(each["title"], each.get("sessions"), each["state"], each["updatedAt"][:10], each["id"]) for each in rows]
    _table(head, cells)


async def _which(ask: Asking, named: str) -> str:
    """The id of the interview that is meant.

    Raises:
        Refused: there is none, or there are several.
    """
    words = line(named)
    if not words:
        raise Refused("Name an interview by its id or a part of its title, or nothing to see all.")
    rows: list[dict[str, Any]] = []
    more: dict[str, Any] = {}
    for _ in range(MOST_PAGES):
        page = await ask("list_interviews", title=words, **more)
        rows += page["data"]
        if not page.get("cursor"):
            break
        more = {"cursor": page["cursor"]}
    same = [each for each in rows if each["title"].casefold() == words.casefold()]
    found = same if len(same) == 1 else rows
    if len(found) == 1:
        return found[0]["id"]
    if not found and _is_id(words):
        return words
    if not found:
        raise Refused(f"No interview has “{words}” in its title. `aural-mcp status` lists them.")
    _print_interviews(found[:SHOWN])
    raise Refused(f"{len(found)} interviews have “{words}” in their title: name one by its id, or say more of it.")


def _is_id(words: str) -> bool:
    from uuid import UUID

    try:
        return bool(UUID(words))
    except ValueError:
        return False


# ── One ─────────────────────────────────────────────────────────────────────────────────────────


async def _one(ask: Asking, named: str) -> None:
    interview = await _which(ask, named)
    followed = await ask("wait_for_sessions", interviewId=interview)
    compared = await ask.everybody(interview)
    _heading(compared["interview"] or interview)
    _print_standing(followed["standing"])
    _print_attention(followed.get("attention", {}))
    if compared["candidates"]:
        _print_comparison(compared)
    told = [each for page in (followed, compared) for each in page.get("remarks", []) if not _is_advice(each)]
    for said in dict.fromkeys([*compared.get("unsound", []), *told]):
        _say(said)


def _is_advice(remark: str) -> bool:
    """Whether a remark tells an agent what to call, or says what the table says."""
    return any(words in remark for words in ("quotes true", "in unsound", "call again", "Call again", "with cursor"))


def _print_standing(standing: dict[str, Any]) -> None:
    counts = {words: standing.get(name) for name, words in STANDING.items()}
    known = [count for count in counts.values() if count is not None]
    wide = max(map(width, counts))
    digits = len(str(max(known, default=0)))
    for words, count in counts.items():
        if count is None:
            click.echo(f"  {padded(words, wide)}  {'?':>{digits}}")
            continue
        bar = round(BAR * count / max(1, *known)) if _draws() else 0
        click.echo(f"  {padded(words, wide)}  {count:>{digits}}  {'█' * max(bar, count > 0 and _draws())}".rstrip())


def _draws() -> bool:
    """Whether there is a terminal that has the sign for a bar."""
    return sys.stdout.isatty() and (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"


def _print_attention(attention: dict[str, Any]) -> None:
    rows = [
        (each.get("name") or "unnamed", _what(words, each), _ago(each.get("since", "")))
        for name, words in WORDS.items()
        for each in attention.get(name, [])
    ]
    if rows:
        _heading("Who may need a word")
        _table(("Name", "What", "Since"), rows)


def _what(words: str, each: dict[str, Any]) -> str:
    from aural_mcp.tools.standing import ASKED_FOR

    return words.format(wanted=ASKED_FOR.get(each.get("kind", ""), ""), due=each.get("due", ""))


def _print_comparison(compared: dict[str, Any]) -> None:
    columns = [each["column"] for each in compared["columns"]]
    rows = compared["candidates"]
    weighted = any(each.get("weightedMean") is not None for each in rows)
    facts = ["mean", *(["weightedMean"] if weighted else [])]
    labels = {"mean": "Mean", "weightedMean": "Weighted"}
    ranked = compared.get("ranked")
    head = ["Name", *(["Rank"] if ranked else []), *(labels[name] for name in facts), *columns]
    unsound, decided = (any(each.get(name) for each in rows) for name in ("unsound", "decision"))
    cells = [
        [
            each.get("name") or "unnamed",
            *([each.get("rank")] if ranked else []),
            *(_score(each.get(name)) for name in [*facts, *columns]),
            *([each.get("decision", "")] if decided else []),
            *([each.get("unsound", "")] if unsound else []),
        ]
        for each in rows
    ]
    _heading("Candidates" if ranked else "Candidates, not ranked")
    _table([*head, *(["Decision"] if decided else []), *(["Unsound"] if unsound else [])], cells)
    click.echo()
    for each in compared["columns"]:
        _say(f"{each['column']}  {each['name']}", after=" " * 4)
    _say(NO_SCORE)


def _score(score: float | None) -> float | None:
    return None if score is None else float(score)


# ── Words ───────────────────────────────────────────────────────────────────────────────────────


def _heading(text: str) -> None:
    click.echo()
    click.secho(line(text), bold=True)


def _table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    room = _columns() - 2 if sys.stdout.isatty() else ENDLESS
    for number, each in enumerate(table(head, rows, room)):
        click.secho(f"  {each}".rstrip(), dim=True if number == 0 else None)


def _say(said: str, after: str = "") -> None:
    text = textwrap.fill(line(said), _columns() - 2, initial_indent="  ", subsequent_indent=f"  {after}")
    click.echo(text)


def _columns() -> int:
    return shutil.get_terminal_size((100, 24)).columns


def _ago(moment: str) -> str:
    """How long ago that was."""
    try:
        passed = (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds()
    except (ValueError, TypeError):
        return ""
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if passed >= size:
            count = int(passed // size)
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return "just now"

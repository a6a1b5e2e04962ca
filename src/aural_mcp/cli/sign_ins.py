"""`aural-mcp sign-ins`: who is signed in at this computer's server, and how that is ended."""

from __future__ import annotations

import shutil
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import click

from aural_mcp.cli.groups import Group

if TYPE_CHECKING:
    from aural_mcp.client.state import State
    from aural_mcp.server.sign_in.store import SignIn, SignIns

HEAD = ("ID", "Application", "Who", "May", "Role", "Since, UTC", "Last used")
SHORT = 8
"""Characters of an id that are shown; a beginning that fits one sign-in is enough."""
WITHIN = "A server that has seen its token in the last 5 seconds takes it until they are over."


@click.group("sign-ins", cls=Group)
def sign_ins() -> None:
    """See who is signed in (`serve --http --sign-in`), and end that.

    It is in state.db of AURAL_DATA_DIR, or in the database of AURAL_STATE_URL.
    """


@sign_ins.command("list")
def list_() -> None:
    """Print every sign-in that is good; never a token, never a key."""
    from aural_mcp.cli.tables import table
    from aural_mcp.server.principal import WRITE

    async def every(state: State) -> list[SignIn]:
        return await (await _store(state)).every()

    found = _with_state(every)
    if not found:
        click.echo("Nobody is signed in.")
        return
    rows = [
        (
            each.id[:SHORT],
            each.application,
            each.name or each.subject or "a key",
            "read and change" if WRITE in each.scopes else "read",
            each.role or None,
            _when(each.made),
            _when(each.used),
        )
        for each in found
    ]
    click.echo("\n".join(table(HEAD, rows, shutil.get_terminal_size((120, 24)).columns)))


@sign_ins.command()
@click.argument("id_", metavar="ID", required=False)
@click.option("--all", "everybody", is_flag=True, help="End all of them.")
def revoke(id_: str | None, everybody: bool) -> None:
    """End the sign-in with this ID, of which the beginning is enough, or --all.

    Its tokens are good for nothing then; a server that knows one may take it for 5 seconds more. The Aural key behind
    it stays good: withdraw that in the Aural dashboard. Exit status 1: there is no such sign-in.
    """
    if bool(id_) == everybody:
        raise click.UsageError("Give an ID from `aural-mcp sign-ins list`, or --all.")

    async def end(state: State) -> list[SignIn]:
        store = await _store(state)
        return [
            each for each in _chosen(await store.every(), id_) if await store.end(each.id, "revoked by the operator")
        ]

    ended = _with_state(end)
    how_many = "1 sign-in has" if len(ended) == 1 else f"{len(ended)} sign-ins have"
    click.echo(f"{how_many} ended. {WITHIN}" if ended else "Nobody is signed in.")


def _chosen(found: list[SignIn], id_: str | None) -> list[SignIn]:
    if id_ is None:
        return found
    chosen = [each for each in found if each.id.startswith(id_.lower())]
    if len(chosen) != 1:
        said = "more than one sign-in begins so; give more of it" if chosen else "there is no such sign-in"
        raise click.ClickException(f"{id_}: {said}. `aural-mcp sign-ins list` shows them.")
    return chosen


def _with_state(work: Callable[[State], Awaitable[list[SignIn]]]) -> list[SignIn]:
    from aural_mcp.cli.setup import run, state_of
    from aural_mcp.config import read_settings

    state = state_of(read_settings())
    return run(state, partial(work, state))


async def _store(state: State) -> SignIns:
    from aural_mcp.server.sign_in.sealing import Seal
    from aural_mcp.server.sign_in.store import SignIns

    if not await state.opens():
        said = "state.db cannot be opened, so it is not known who is signed in. Set AURAL_DATA_DIR to the server's."
        raise click.ClickException(said)
    return SignIns(state, Seal(()))


def _when(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M")

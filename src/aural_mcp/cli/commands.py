"""`aural-mcp backend`: serve the REST backend, move workspaces in and out, manage keys; `audit`; `install`."""

from __future__ import annotations

import json
import logging
import os
import re
import socket
import sys
from contextlib import suppress
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import IO, Any

import click

from aural_mcp.cli.install.hosts import HOSTS, PRINTED, Machine
from aural_mcp.cli.webhooks import DATABASE, webhooks, workspace

EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104  named, not bound
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
LOG_FILE = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=False)


@click.group(invoke_without_command=True)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8410, show_default=True, type=click.IntRange(0, 65535), help="Port to listen on.")
@DATABASE
@click.pass_context
def backend(context: click.Context, host: str, port: int, database: str | None) -> None:
    """Serve Aural's REST API and the candidate pages, for a team or for development."""
    if context.invoked_subcommand is None:
        serve_backend(host, port, database)


backend.add_command(webhooks)


@backend.command("import")
@click.argument("file", type=click.File("rb"))
@DATABASE
def import_(file: IO[bytes], database: str | None) -> None:
    """Fill an empty database from FILE: a workspace as one JSON document."""
    from aural_mcp.backend.storage.exchange import CannotImport, import_workspace

    try:
        counts = import_workspace(workspace(database), json.load(file))
    except (CannotImport, ValueError) as error:
        raise click.ClickException(f"Nothing was imported. {error}") from error
    click.echo("Imported " + ", ".join(f"{number} {name}" for name, number in counts.items() if number) + ".")


@backend.command()
@click.argument("file", type=click.File("w", encoding="utf-8", atomic=True), default="-")
@DATABASE
def export(file: IO[str], database: str | None) -> None:
    """Write the whole workspace, but for its keys, to FILE or standard output as one JSON document."""
    from aural_mcp.backend.storage.exchange import export_workspace

    json.dump(export_workspace(workspace(database)), file, ensure_ascii=False, indent=1)
    file.write("\n")


@backend.group()
def keys() -> None:
    """Make, list and revoke API keys."""


@keys.command()
@click.argument("name")
@click.option("--expires", type=click.DateTime(["%Y-%m-%d"]), help="Last day on which it works (UTC).")
@click.option("--user", help="E-mail address of the key's user; the workspace's owner when left out.")
@DATABASE
def create(name: str, expires: datetime | None, user: str | None, database: str | None) -> None:
    """Make a key called NAME and print it, this once."""
    from aural_mcp.backend.storage.store import create_key, owner, user_of

    store = workspace(database)
    user_id = user_of(store, user) if user else owner(store).user_id
    if user_id is None:
        raise click.BadParameter(f"nobody here has the address {user}", param_hint="--user")
    click.echo(create_key(store, user_id, name, _end_of(expires.date()) if expires else None))


@keys.command("list")
@DATABASE
def list_(database: str | None) -> None:
    """List the keys: id, state, name, user. Secrets are not kept, so none can be shown."""
    from aural_mcp.backend.storage.store import list_keys, now

    for key in list_keys(workspace(database)):
        expired = key["expiresAt"] is not None and key["expiresAt"] < now()
        state = "revoked" if not key["isActive"] else "expired" if expired else "active"
        until = f", until {key['expiresAt']}" if key["expiresAt"] else ""
        click.echo(f"{key['id']}  {state:8}{key['name']} ({key['email']}{until})")


@keys.command()
@click.argument("key_id", metavar="ID")
@DATABASE
def revoke(key_id: str, database: str | None) -> None:
    """Refuse the key with this ID (from `keys list`) from now on."""
    from aural_mcp.backend.storage.store import revoke_key

    if not revoke_key(workspace(database), key_id):
        raise click.ClickException(f"There is no key with the id {key_id}. `aural-mcp backend keys list` shows them.")
    click.echo(f"Revoked {key_id}.")


def serve_backend(host: str, port: int, database: str | None) -> None:
    """Serve the REST backend alone; the first start of a workspace prints a key, once."""
    import uvicorn

    from aural_mcp.backend.rest.app import create_app
    from aural_mcp.backend.storage.store import create_key, has_keys, owner, save_setting
    from aural_mcp.config import read_settings
    from aural_mcp.log import set_up_logging

    set_up_logging()
    settings = read_settings()
    if host in EVERYWHERE and not settings.public_url:
        raise click.UsageError(f"Listening on {host} needs AURAL_PUBLIC_URL: the origin that candidate links carry.")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        said = f"Nothing can listen on {host}, port {port}: {error.strerror}. Choose --host and --port."
        raise click.ClickException(said) from error
    port = listener.getsockname()[1]
    store = workspace(database)
    user_id = owner(store).user_id
    with store.writing() as db:
        save_setting(db, "page_port", port)
    origin = settings.public_url or f"http://{host}:{port}"
    said = [f"Aural's REST API: {origin}/api/v1"]
    if not has_keys(store):
        said.append(f"Your API key, shown this once: {create_key(store, user_id, 'first')}")
    click.echo("\n".join(said))
    app = create_app(
        store, origin=lambda: origin, requests_per_minute=settings.requests_per_minute, model=settings.model
    )
    with suppress(KeyboardInterrupt):
        uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False)).run([listener])


@click.group()
def audit() -> None:
    """Look at the decision log: what was done, to what, and how it was agreed to."""


@audit.command("verify")
@LOG_FILE
@click.option("--expect", metavar="HASH", help="Head noted earlier; it must still be there.")
@click.pass_context
def verify_(context: click.Context, file: Path | None, expect: str | None) -> None:
    """Check that no line of FILE (this computer's log) was changed, removed, put in or moved.

    Lines cut off at the end, and a file written anew, cannot be seen in it: note the head that this prints somewhere
    else, and give it as --expect next time. Exit status 1: the log is damaged, or not there.
    """
    from aural_mcp.privacy.audit import verify

    if expect is not None and not re.fullmatch("[0-9a-f]{12,64}", expect):
        raise click.BadParameter("give the head as it was printed, or 12 of its digits or more", param_hint="--expect")
    path = file or _decision_log()
    try:
        verdict = verify(path, expect or "")
    except OSError as error:
        raise click.ClickException(f"{path} cannot be read: {error.strerror}.") from error
    said = verdict.problems or [f"Intact: {verdict.lines} line{'' if verdict.lines == 1 else 's'} in {path}."]
    click.echo("\n".join([*said, f"Head: {verdict.head}"]))
    if not expect:
        click.echo("Note the head elsewhere: only with --expect does a check see lines cut off or a file written anew.")
    context.exit(1 if verdict.problems else 0)


@audit.command()
@LOG_FILE
@click.option("--last", default=20, show_default=True, type=click.IntRange(min=1), help="How many lines.")
def show(file: Path | None, last: int) -> None:
    """Print the last lines of FILE (this computer's log) for reading."""
    from aural_mcp.privacy.audit import read

    path = file or _decision_log()
    try:
        lines = read(path)[-last:]
    except OSError as error:
        raise click.ClickException(f"{path} cannot be read: {error.strerror}.") from error
    for line in lines:
        click.echo(line or "(a line that cannot be read)")


def _decision_log() -> Path:
    from aural_mcp.config import decision_log, read_settings

    path = decision_log(read_settings())
    if path is None:
        raise click.ClickException("AURAL_AUDIT_LOG is off: nothing is written down.")
    if not path.exists():
        raise click.ClickException(f"There is no {path}: nothing was written down yet, or it was removed.")
    return path


@click.command()
@click.argument("hosts", metavar="[HOST]...", nargs=-1, type=click.Choice(list(HOSTS)))
@click.option("--local", is_flag=True, help="Use the workspace on this computer: no key is asked for.")
@click.option("--key-file", metavar="FILE", type=FILE, help="File that holds your key, instead of asking for it.")
@click.option("--base-url", metavar="URL", help="Another Aural deployment, up to /api/v1.")
@click.option("--uninstall", is_flag=True, help="Take it out again.")
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@click.option("--yes", is_flag=True, help="Change what is shown without asking.")
@click.option("--print", "printed", metavar="HOST", type=click.Choice([*HOSTS, *PRINTED]), help="Only print an entry.")
@click.pass_context
def install(context: click.Context, **options: Any) -> None:
    """Put this server into each HOST's configuration, or into those of all hosts that are found.

    HOST: claude-desktop, claude-code, cursor, vscode, codex or gemini; --print also knows windsurf, zed and goose.
    A key that you type is kept in a file of your own: no configuration holds it. Everything else in a configuration
    stays as it is, and a backup is put beside it. Exit status 1: not all of it could be done.
    """
    from aural_mcp.cli.install import Problem, this_installation
    from aural_mcp.cli.install.run import Console, Misuse, Request, run

    question = "Aural API key (not shown; empty for the workspace on this computer)"
    console = Console(
        terminal=sys.stdin.isatty(),
        say=click.echo,
        ask_key=lambda: click.prompt(question, default="", hide_input=True, show_default=False),
        agree=lambda: click.confirm("Change this?"),
    )
    start = this_installation(os.path.abspath(sys.argv[0]), sys.executable, sys.platform)
    try:
        done = run(Request(**options), start, Machine(sys.platform, context.obj), console)
    except Misuse as error:
        raise click.UsageError(str(error)) from error
    except Problem as error:
        raise click.ClickException(str(error)) from error
    context.exit(0 if done else 1)


MARKS = {"ok": click.style("ok     ", fg="green"), "warning": click.style("warning", fg="yellow")}
MARKS["problem"] = click.style("problem", fg="red", bold=True)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--offline", is_flag=True, help="Ask nothing of the network, and start nothing of hosts.")
@click.pass_context
def doctor(context: click.Context, as_json: bool, offline: bool) -> None:
    """Say what is right or wrong here, and what to do: settings, key, backend, workspace, hosts.

    Changes nothing at the backend; a few requests count against the key's minute. Exit status 1: there is a problem.
    """
    from dataclasses import asdict
    from functools import partial

    import anyio

    from aural_mcp.cli.doctor import Check, Doctor
    from aural_mcp.log import set_up_logging

    made: list[Check] = []
    if reconfigure := getattr(sys.stdout, "reconfigure", None):
        reconfigure(errors="replace")  # a terminal may lack an arrow

    def report(check: Check) -> None:
        made.append(check)
        if not as_json:
            line = f"{MARKS[check.status]}  {check.name:19}  {check.message} {check.next}".rstrip()
            click.echo(line)

    def notice(name: str) -> None:
        if sys.stderr.isatty():
            click.echo(f"… {name}", err=True)

    set_up_logging(logging.CRITICAL)
    anyio.run(partial(Doctor(report, notice).examine, Machine(sys.platform, context.obj), offline=offline))
    worst = max((check.status for check in made), key=[*MARKS].index)
    if as_json:
        checks = [{"name": check.name, **asdict(check)} for check in made]
        click.echo(json.dumps({"checks": checks, "status": worst}, indent=1))
    context.exit(1 if worst == "problem" else 0)


def _end_of(day: date) -> str:
    return datetime.combine(day, time.max, UTC).isoformat()


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print what completes commands and options in a SHELL.

    bash: eval "$(aural-mcp completion bash)" in ~/.bashrc. zsh: the same with zsh in ~/.zshrc.
    fish: aural-mcp completion fish > ~/.config/fish/completions/aural-mcp.fish
    """
    from click.shell_completion import get_completion_class

    from aural_mcp.config import COMPLETING

    made_by = get_completion_class(shell)
    if made_by is not None:
        click.echo(made_by(context.find_root().command, {}, "aural-mcp", COMPLETING).source())

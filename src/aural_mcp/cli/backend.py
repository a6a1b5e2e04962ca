"""`aural-mcp backend`: serve the REST backend, move workspaces in and out, manage keys."""

from __future__ import annotations

import json
import socket
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import IO

import click

from aural_mcp.cli.desk import address as desk_address
from aural_mcp.cli.desk import beside_backend, listen
from aural_mcp.cli.erasing import KEEP
from aural_mcp.cli.files import from_json, write_new
from aural_mcp.cli.groups import Group
from aural_mcp.cli.metrics import count_webhooks, metrics_options, serve_metrics
from aural_mcp.cli.progress import Progress
from aural_mcp.cli.retention import scheduled
from aural_mcp.cli.webhooks import DATABASE, webhooks, workspace

EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104  named, not bound


@click.group(cls=Group, invoke_without_command=True)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8410, show_default=True, type=click.IntRange(0, 65535), help="Port to listen on.")
@click.option("--desk-port", type=click.IntRange(0, 65535), help="Port of the desk; the next one, if it is free.")
@click.option("--no-desk", is_flag=True, help="Serve no desk.")
@click.option("--retention", is_flag=True, help="Erase daily who is past AURAL_RETENTION.")
@KEEP
@metrics_options
@DATABASE
@click.pass_context
def backend(
    context: click.Context,
    host: str,
    port: int,
    desk_port: int | None,
    no_desk: bool,
    retention: bool,
    keep: tuple[str, ...],
    metrics_port: int | None,
    metrics_host: str,
    database: str | None,
) -> None:
    """Serve Aural's REST API and the candidates' pages.

    A desk beside it, on a port that this computer alone reaches, asks for a key. --retention only reports at first.
    """
    if context.invoked_subcommand is None:
        if keep and not retention:
            raise click.UsageError("--keep goes with --retention: add that, or leave --keep out.")
        metrics, kept = (metrics_host, metrics_port), keep if retention else None
        serve_backend(host, port, database, desk_port, desk=not no_desk, keep=kept, metrics=metrics)


backend.add_command(webhooks)


@backend.command("import")
@click.argument("file", type=click.File("rb"))
@DATABASE
def import_(file: IO[bytes], database: str | None) -> None:
    """Fill an empty database from FILE: a workspace as one JSON document."""
    from aural_mcp.backend.storage.exchange import CannotImport, import_workspace

    document = from_json(file.read())
    try:
        with Progress() as progress:
            counts = import_workspace(workspace(database), document, progress.step)
    except (CannotImport, ValueError) as error:
        raise click.ClickException(f"Nothing was imported. {error}") from error
    click.echo("Imported " + ", ".join(f"{number} {name}" for name, number in counts.items() if number) + ".")


@backend.command()
@click.argument("path", metavar="[FILE]", type=click.Path(path_type=Path), default="-")
@DATABASE
def export(path: Path, database: str | None) -> None:
    """Write the whole workspace, but for its keys, to a new FILE or standard output, as one JSON document."""
    from aural_mcp.backend.storage.exchange import export_workspace

    document = json.dumps(export_workspace(workspace(database)), ensure_ascii=False, indent=1)
    if str(path) == "-":
        click.echo(document.encode())  # JSON is UTF-8, whatever this terminal is
    else:
        write_new(path, f"{document}\n")


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

    if not name.strip():
        raise click.BadParameter("say what it is for, e.g. who uses it", param_hint="NAME")
    if expires and expires.date() < datetime.now(UTC).date():
        raise click.BadParameter(f"{expires:%Y-%m-%d} is over: name a day to come", param_hint="--expires")
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
    from aural_mcp.safety import outside

    for key in list_keys(workspace(database)):
        expired = key["expiresAt"] is not None and key["expiresAt"] < now()
        state = "revoked" if not key["isActive"] else "expired" if expired else "active"
        until = f", until {key['expiresAt']}" if key["expiresAt"] else ""
        click.echo(f"{key['id']}  {state:8}{outside(key['name'])} ({outside(key['email'])}{until})")


@keys.command()
@click.argument("key_id", metavar="ID")
@DATABASE
def revoke(key_id: str, database: str | None) -> None:
    """Refuse the key with this ID (from `keys list`) from now on."""
    from aural_mcp.backend.storage.store import revoke_key

    if not revoke_key(workspace(database), key_id):
        raise click.ClickException(f"There is no key with the id {key_id}. `aural-mcp backend keys list` shows them.")
    click.echo(f"Revoked {key_id}.")


def serve_backend(
    host: str,
    port: int,
    database: str | None,
    desk_port: int | None = None,
    *,
    desk: bool,
    keep: Sequence[str] | None = None,
    metrics: tuple[str, int | None] = ("", None),
) -> None:
    """Serve the REST backend alone; the first start of a workspace prints a key, once.

    Args:
        keep: decisions after which people stay when who is too old is erased; None erases nobody.
        metrics: on which host and port they are served; on none without a port.
    """
    import uvicorn

    from aural_mcp.backend.rest.app import create_app
    from aural_mcp.backend.storage.store import create_first_key, owner, save_setting
    from aural_mcp.config import KEPT_OPEN, read_settings
    from aural_mcp.log import set_up_logging

    set_up_logging()
    settings = read_settings()
    if keep is not None and settings.employer.retention_days is None:
        raise click.UsageError("--retention needs AURAL_RETENTION: after how long, such as 180d.")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        reason = (error.strerror or "").partition(" (while")[0]
        said = f"Nothing can listen on {host}, port {port}: {reason}. Choose --host and --port."
        raise click.ClickException(said) from error
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else head and body wait for each other
    address, port = listener.getsockname()[:2]
    if address in EVERYWHERE and not settings.public_url:
        listener.close()
        raise click.UsageError(f"Listening on {address} needs AURAL_PUBLIC_URL: the origin that candidate links carry.")
    store = workspace(database)
    count_webhooks(serve_metrics(*metrics), store)
    user_id = owner(store).user_id
    if not store.shared:
        with store.writing() as db:
            save_setting(db, "page_port", port)
    origin = settings.public_url or (f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}")
    said = [f"Aural's REST API: {origin}/api/v1", f"For an agent with a shell: Read {origin}/SKILL.md and help me hire"]
    if desk:
        beside = _desk_listener(port, desk_port)
        here = "127.0.0.1" if address == "0.0.0.0" else "::1" if address == "::" else address  # noqa: S104
        beside_backend(settings, origin, f"http://[{here}]:{port}" if ":" in here else f"http://{here}:{port}", beside)
        said.append(f"The desk, on this computer only, with a key: {desk_address(beside)}/")
    if key := create_first_key(store, user_id):
        said.append(f"Your API key, shown this once: {key}")
    click.echo("\n".join(said))
    app = create_app(
        store,
        origin=lambda: origin,
        requests_per_minute=settings.requests_per_minute,
        model=settings.model,
        starts=settings.starts,
        employer=settings.employer,
    )
    erasing = nullcontext() if keep is None else scheduled(store, settings, keep)
    with suppress(KeyboardInterrupt), erasing:
        config = uvicorn.Config(
            app, log_config=None, access_log=False, timeout_keep_alive=KEPT_OPEN, proxy_headers=False
        )
        uvicorn.Server(config).run([listener])


def _desk_listener(port: int, wanted: int | None) -> socket.socket:
    """The port that is wanted for the desk, else the one after the backend's, else any."""
    for each in (wanted,) if wanted is not None else (min(port + 1, 65535), 0):
        with suppress(OSError):
            return listen(each)
    raise click.ClickException(f"Nothing can listen on port {wanted} for the desk. Choose --desk-port, or --no-desk.")


def _end_of(day: date) -> str:
    return datetime.combine(day, time.max, UTC).isoformat()

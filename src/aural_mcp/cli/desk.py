"""`aural-mcp open`: the recruiter's desk in this computer's browser."""

from __future__ import annotations

import socket
import threading
import webbrowser
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from aural_mcp.cli.setup import beside, set_up

if TYPE_CHECKING:
    from aural_mcp.config import Settings
    from aural_mcp.server.server import AuralServer

LOOPBACK = "127.0.0.1"


@click.command("open")
@click.option(
    "--port", default=0, type=click.IntRange(0, 65535), help="Port on this computer; any free one if left out."
)
@click.option("--no-browser", is_flag=True, help="Only print the link.")
def open_(port: int, no_browser: bool) -> None:
    """Open the desk: interviews, progress, comparison, sessions and exports in your browser.

    It is served on this computer only and changes nothing. The link that it prints lets one browser in, once, within
    five minutes. It shows what the server would: AURAL_BLIND, AURAL_LOCKDOWN, AURAL_TOOLSETS and the others hold.
    """
    from aural_mcp.config import read_settings

    settings = read_settings()
    if settings.problem:
        raise click.ClickException(settings.problem)
    open_desk(settings, port=port, browser=not no_browser)


def open_desk(
    settings: Settings,
    *,
    port: int = 0,
    browser: bool = True,
    prepare: Callable[[AuralServer], Awaitable[str]] | None = None,
) -> None:
    """Serve the desk until Ctrl-C, and lead a browser to it.

    Args:
        prepare: is done first, and gives the page to begin with.
    """
    import logging

    import anyio

    from aural_mcp.log import set_up_logging
    from aural_mcp.server import desk

    set_up_logging(logging.WARNING)
    setup = set_up(settings)
    try:
        listener = socket.create_server((LOOPBACK, port), backlog=128)
    except OSError as error:
        reason = (error.strerror or "").partition(" (while")[0]
        raise click.ClickException(f"Nothing can listen on port {port}: {reason}. Choose --port.") from error
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else head and body wait for each other
    pages = desk.Desk(setup.server, f"http://{LOOPBACK}:{listener.getsockname()[1]}")

    async def serve() -> None:
        link = pages.entry.link(await prepare(setup.server) if prepare else "/")
        click.echo(f"The desk: {link}\nThe link is good once, within 5 minutes. Ctrl-C stops the desk.")
        if browser:
            threading.Thread(target=webbrowser.open, args=(link,), daemon=True).start()
        await desk.serve(pages, listener)

    with suppress(KeyboardInterrupt):
        anyio.run(beside, setup, serve, True)

"""`aural-mcp open`: the recruiter's desk in this computer's browser."""

from __future__ import annotations

import logging
import select
import socket
import threading
import webbrowser
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from aural_mcp.cli.setup import beside, set_up

if TYPE_CHECKING:
    from aural_mcp.config import Settings
    from aural_mcp.server.server import AuralServer

LOOPBACK = "127.0.0.1"
KEYS = (
    "The first start of aural-mcp backend printed one, once; “aural-mcp backend keys create NAME” on its computer "
    "makes another."
)
"""Where the keys of a backend in this process come from."""

log = logging.getLogger(__name__)


@click.command("open")
@click.option(
    "--port", default=0, type=click.IntRange(0, 65535), help="Port on this computer; any free one if left out."
)
@click.option("--no-browser", is_flag=True, help="Only print the link.")
@click.option("--ask-key", is_flag=True, help="Ask for a key in the browser instead of taking the one that is set.")
def open_(port: int, no_browser: bool, ask_key: bool) -> None:
    """Open the desk: interviews and results in your browser.

    It is served on this computer only and changes nothing. The link that it prints lets one browser in, once, within
    five minutes. It shows what the server would: AURAL_BLIND, AURAL_LOCKDOWN, AURAL_TOOLSETS and the others hold.
    """
    from aural_mcp.config import read_settings

    settings = read_settings()
    if ask_key:
        settings = replace(settings, api_key=None, embedded=False, problem="")
    if settings.problem:
        raise click.ClickException(f"{settings.problem} Or say --ask-key, and type it in the browser.")
    open_desk(settings, port=port, browser=not no_browser, ask_key=ask_key)


def open_desk(
    settings: Settings,
    *,
    port: int = 0,
    browser: bool = True,
    ask_key: bool = False,
    prepare: Callable[[AuralServer], Awaitable[str]] | None = None,
) -> None:
    """Serve the desk until Ctrl-C, and lead a browser to it.

    Args:
        ask_key: each browser gives its key.
        prepare: is done first, and gives the page to begin with.
    """
    import anyio

    from aural_mcp.config import GET_A_KEY
    from aural_mcp.log import set_up_logging
    from aural_mcp.server import desk

    set_up_logging(logging.WARNING)
    setup = set_up(settings, per_request=ask_key)
    try:
        listener = listen(port)
    except OSError as error:
        reason = (error.strerror or "").partition(" (while")[0]
        raise click.ClickException(f"Nothing can listen on port {port}: {reason}. Choose --port.") from error
    door = desk.Door(urlsplit(settings.base_url).netloc, f"{GET_A_KEY}.") if ask_key else None
    pages = desk.Desk(setup.server, address(listener), door)

    async def serve() -> None:
        if ask_key:
            link, said = f"{address(listener)}/", "It asks for a key. Ctrl-C stops the desk."
        else:
            link = pages.entry.link(await prepare(setup.server) if prepare else "/")
            said = "The link is good once, within 5 minutes. Ctrl-C stops the desk."
        click.echo(f"The desk: {link}\n{said}")
        if browser:
            threading.Thread(target=webbrowser.open, args=(link,), daemon=True).start()
        await desk.serve(pages, listener)

    with suppress(KeyboardInterrupt):
        anyio.run(beside, setup, serve, True)


def beside_backend(settings: Settings, origin: str, backend: str, listener: socket.socket) -> None:
    """Serve the desk of a backend in this process to whoever has a key, in a thread and an event loop of its own.

    Nothing of it is loaded before somebody opens it, and what it works out holds up no candidate for long.

    Args:
        origin: what candidate links begin with.
        backend: where this computer reaches the backend.

    Raises:
        BadSetting: it names tools that do not exist.
    """

    named = settings.narrowing
    if named.toolsets or named.tools or named.exclude_tools:
        from aural_mcp.server.access import access

        access(named)  # what is misspelled is said at the start

    def serve() -> None:
        import anyio

        from aural_mcp.client.pool import Pool
        from aural_mcp.server import desk

        there = replace(
            settings, api_key=None, embedded=False, problem="", base_url=f"{backend}/api/v1", public_url=origin
        )
        setup = set_up(there, per_request=True, transport=Pool())  # no proxy stands before this computer
        door = desk.Door("the backend in this program", KEYS)

        anyio.run(beside, setup, partial(desk.serve, desk.Desk(setup.server, address(listener), door), listener))

    def run() -> None:
        select.select([listener], [], [])
        try:
            serve()
        except Exception:
            log.exception("The desk ended; everything else is served")
        finally:
            listener.close()  # a browser would wait for an answer

    threading.Thread(target=run, daemon=True).start()


def listen(port: int) -> socket.socket:
    """A port of this computer that nobody else reaches, any free one for 0.

    Raises:
        OSError: it is taken.
    """
    listener = socket.create_server((LOOPBACK, port), backlog=128)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else head and body wait for each other
    return listener


def address(listener: socket.socket) -> str:
    """Where a browser reaches it."""
    return f"http://{LOOPBACK}:{listener.getsockname()[1]}"

"""The command `aural-mcp`, and the composition root: the only place where a backend meets the client.

Imports are made where they are used, so that a host waits for nothing that its call does not need.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from click import Group

    from aural_mcp.backend.local import LocalWorkspace
    from aural_mcp.client import AuralClient
    from aural_mcp.config import Settings
    from aural_mcp.server import AuralServer

HELLO = """\
aural-mcp {version}: hire with Aural from any AI agent.

This is a Model Context Protocol server. An agent host starts it and talks to it on stdin and stdout;
typed into a terminal it has nobody to talk to. What you may want instead:

  aural-mcp demo           see the whole workflow run, without an account
  aural-mcp serve --http   serve MCP over HTTP instead of stdio
  aural-mcp backend        run the REST backend for a team
  aural-mcp --help         every command and setting

To use it in Claude Desktop, Cursor or another host, add this to its MCP configuration:

  {configuration}

Backend in use here: {backend}
"""


def main() -> None:
    """Entry point. Without arguments, and with a host on stdin, it serves MCP over stdio at once."""
    from aural_mcp.config import BadSetting

    try:
        if len(sys.argv) == 1 and not sys.stdin.isatty():
            serve_stdio()
        else:
            commands()(prog_name="aural-mcp")
    except BadSetting as error:
        sys.exit(f"aural-mcp: {error}")


def serve_stdio() -> None:
    """Serve one host on stdin and stdout until it closes them."""
    gc.disable()  # importing makes only objects that stay: collecting them in between costs a tenth of the start
    import anyio

    from aural_mcp.config import read_settings
    from aural_mcp.log import set_up_logging

    set_up_logging()
    setup = _setup(read_settings())
    gc.enable()
    gc.freeze()
    with suppress(KeyboardInterrupt):
        anyio.run(_beside, setup, setup.server.run_stdio_async)


@dataclass(frozen=True)
class Setup:
    """A server, the client it relays with, and the local workspace if that is the backend."""

    server: AuralServer
    client: AuralClient
    workspace: LocalWorkspace | None


def _setup(settings: Settings, *, per_request: bool = False) -> Setup:
    from aural_mcp.client import AuralClient
    from aural_mcp.config import data_folder
    from aural_mcp.server import AuralServer, KeyPerRequest, OneClient
    from aural_mcp.state import State

    workspace = _workspace(settings) if settings.embedded else None
    state = State(lambda: data_folder(settings) / "state.db")
    if workspace is not None:
        from aural_mcp.backend.local import BASE_URL

        origin = workspace.origin
        client = AuralClient(
            workspace.secret,
            BASE_URL,
            requests_per_minute=0,
            transport=workspace,
            link_origin=origin,
            state=state,
        )
    else:
        public, limit = settings.public_url, settings.requests_per_minute
        origin = (lambda: public) if public else None
        client = AuralClient(
            settings.api_key, settings.base_url, requests_per_minute=limit, link_origin=origin, state=state
        )
    clients = KeyPerRequest(client) if per_request else OneClient(client, settings.problem)
    return Setup(AuralServer(clients, backend=backend_sentence(settings), local=settings.embedded), client, workspace)


def _workspace(settings: Settings) -> LocalWorkspace:
    from aural_mcp.backend.local import LocalWorkspace
    from aural_mcp.config import data_folder

    return LocalWorkspace(
        data_folder(settings), page_port=settings.page_port, public_url=settings.public_url, model=settings.model
    )


async def _beside(setup: Setup, serve: Callable[[], Awaitable[None]], at_once: bool = False) -> None:
    """Serve MCP, and beside it a local workspace's pages: at once, or when a host that waits has been greeted."""
    import anyio

    greeted = anyio.Event()
    if at_once:
        greeted.set()

    async def notice(ctx: Any, call_next: Callable[[Any], Awaitable[Any]]) -> Any:
        result = await call_next(ctx)
        greeted.set()
        return result

    async def pages(workspace: LocalWorkspace) -> None:
        await greeted.wait()
        await workspace.serve_pages()

    async with setup.client, anyio.create_task_group() as tasks:
        if setup.workspace is not None:
            setup.server.middleware.append(notice)
            tasks.start_soon(pages, setup.workspace)
        await serve()
        tasks.cancel_scope.cancel()


def backend_sentence(settings: Settings) -> str:
    """Which backend is in use, as the agent and the person should know it."""
    if settings.problem:
        return f"No backend is usable yet: {settings.problem}"
    if not settings.embedded:
        return f"The backend is Aural at {urlsplit(settings.base_url).netloc}, used with the caller's own key."
    reach = "open anywhere" if settings.public_url else "open on this computer only (AURAL_PUBLIC_URL changes that)"
    if settings.model:
        scored = f"the model {settings.model.name} interviews and scores"
    else:
        scored = "nothing leaves it, sessions are not scored automatically (you can, with save_session_analysis)"
    return (
        f"The backend is the local workspace on this computer: no account, candidates answer in writing, {scored}, "
        f"and candidate links {reach}."
    )


def _configuration() -> str:
    """What a host's configuration needs to start this very installation."""
    import json

    command = os.path.abspath(sys.argv[0])
    module = command.endswith("__main__.py")
    entry = {"command": sys.executable, "args": ["-m", "aural_mcp"]} if module else {"command": command}
    return json.dumps({"mcpServers": {"aural": entry}})


def commands() -> Group:
    """The command line. click is loaded only when somebody types a command."""
    import click

    from aural_mcp._version import __version__
    from aural_mcp.config import read_settings

    @click.group(invoke_without_command=True, epilog="Settings come from the environment; see the README.")
    @click.version_option(__version__, prog_name="aural-mcp")
    @click.pass_context
    def group(context: click.Context) -> None:
        """Hire with Aural from any AI agent: a Model Context Protocol server."""
        if context.invoked_subcommand is None:
            backend = backend_sentence(read_settings())
            click.echo(HELLO.format(version=__version__, configuration=_configuration(), backend=backend), nl=False)

    @group.command()
    @click.option("--http", is_flag=True, help="Serve streamable HTTP at /mcp instead of stdio.")
    @click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on (with --http).")
    @click.option("--port", default=8400, show_default=True, help="Port to listen on (with --http).")
    @click.option("--local", is_flag=True, help="With --http: serve the workspace on this computer, without keys.")
    @click.option("--allowed-host", multiple=True, help="Host name clients may use; required off loopback.")
    def serve(http: bool, host: str, port: int, local: bool, allowed_host: tuple[str, ...]) -> None:
        """Serve MCP: on stdio, or over HTTP with each request's own key."""
        if http:
            serve_http(host, port, local=local, allowed_hosts=allowed_host)
        elif local or allowed_host:
            raise click.UsageError("--local and --allowed-host go with --http.")
        else:
            serve_stdio()

    from aural_mcp.commands import backend

    group.add_command(backend)

    @group.command()
    @click.option("--interactive", is_flag=True, help="Wait for you to take the interview in a browser.")
    def demo(interactive: bool) -> None:
        """Run a whole hiring workflow in a throw-away workspace, as an agent would."""
        import anyio

        from aural_mcp.demo import run_demo

        anyio.run(run_demo, interactive)

    return group


def serve_http(host: str, port: int, *, local: bool, allowed_hosts: tuple[str, ...]) -> None:
    """Serve MCP over streamable HTTP, stateless, at `/mcp`."""
    import anyio
    import click
    import uvicorn
    from mcp.server.transport_security import TransportSecuritySettings

    from aural_mcp.config import is_loopback, read_settings
    from aural_mcp.log import set_up_logging

    set_up_logging()
    settings = read_settings()
    loopback = is_loopback(host)
    if local and not loopback:
        raise click.UsageError("--local serves without keys, so it listens on this computer only: leave --host out.")
    if not loopback and not allowed_hosts:
        raise click.UsageError(f"Listening on {host} needs --allowed-host NAME: the host name that clients use.")
    if not local and (os.environ.get("AURAL_API_KEY") or os.environ.get("AURAL_API_KEY_FILE")):
        said = "over HTTP every request brings its own key; the one in the environment is ignored."
        click.echo(f"aural-mcp: {said}", err=True)
    settings = replace(settings, api_key=None, problem="", embedded=local)
    setup = _setup(settings, per_request=not local)
    names = [*allowed_hosts, *(["127.0.0.1", "localhost", "[::1]"] if loopback else [])]
    hosts = [form for name in names for form in (name, f"{name}:*")]
    origins = [f"{scheme}://{form}" for scheme in ("http", "https") for form in hosts]
    app = setup.server.streamable_http_app(
        stateless_http=True,
        json_response=True,
        host=host,
        transport_security=TransportSecuritySettings(allowed_hosts=hosts, allowed_origins=origins),
    )
    click.echo(f"aural-mcp: MCP at http://{host}:{port}/mcp. {backend_sentence(settings)}", err=True)
    server = uvicorn.Server(uvicorn.Config(app, host=host, port=port, log_config=None, access_log=False))
    anyio.run(_beside, setup, server.serve, True)

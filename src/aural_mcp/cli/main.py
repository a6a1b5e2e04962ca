"""The command `aural-mcp`, and the composition root: the only place where a backend meets the client.

Imports are made where they are used, so that a host waits for nothing that its call does not need.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from click import Group

    from aural_mcp.backend.local import LocalWorkspace
    from aural_mcp.client.client import AuralClient
    from aural_mcp.config import Settings
    from aural_mcp.events.run import Plan
    from aural_mcp.server.server import AuralServer

HELLO = """\
aural-mcp {version}: hire with Aural from any AI agent.

This is a Model Context Protocol server. An agent host starts it and talks to it on stdin and stdout;
typed into a terminal it has nobody to talk to. What you may want instead:

  aural-mcp install        put it into the agent hosts on this computer
  aural-mcp doctor         check settings, key, backend and hosts
  aural-mcp demo           see the whole workflow run, without an account
  aural-mcp serve --http   serve MCP over HTTP instead of stdio
  aural-mcp backend        run the REST backend for a team
  aural-mcp watch          tell a webhook or a command what happens
  aural-mcp audit verify   check the log of what agents did
  aural-mcp --help         every command and setting

By hand, this is the entry for most hosts:

  {configuration}

Backend in use here: {backend}
"""


def main() -> None:
    """Entry point. Without arguments, and with a host on stdin, it serves MCP over stdio at once."""
    from aural_mcp.config import COMPLETING, BadSetting

    try:
        completing = COMPLETING in os.environ
        if len(sys.argv) == 1 and not sys.stdin.isatty() and not completing:
            serve_stdio()
        else:
            commands()(prog_name="aural-mcp")
    except BadSetting as error:
        sys.exit(f"aural-mcp: {error}")


def serve_stdio(flags: Mapping[str, str] | None = None) -> None:
    """Serve one host on stdin and stdout until it closes them; flags stand for settings of the same meaning."""
    gc.disable()  # importing makes only objects that stay: collecting them in between costs a tenth of the start
    import anyio

    from aural_mcp.config import read_settings
    from aural_mcp.log import set_up_logging

    set_up_logging()
    _trace()
    setup = _setup(read_settings({**os.environ, **(flags or {})}))
    gc.enable()
    gc.freeze()
    with suppress(KeyboardInterrupt):
        anyio.run(_beside, setup, setup.server.run_stdio_async)


def _trace() -> None:
    """Send spans where the environment says; when it says nothing, nothing is loaded."""
    if os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") or os.environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"):
        from aural_mcp.server.web import set_up_tracing

        set_up_tracing(os.environ)


@dataclass(frozen=True)
class Setup:
    """A server, the client it relays with, and the local workspace if that is the backend."""

    server: AuralServer
    client: AuralClient
    workspace: LocalWorkspace | None


def _setup(settings: Settings, *, per_request: bool = False) -> Setup:
    from aural_mcp.client.client import AuralClient
    from aural_mcp.client.state import State
    from aural_mcp.config import data_folder, decision_log
    from aural_mcp.privacy.audit import AuditLog
    from aural_mcp.privacy.exposure import Exposure
    from aural_mcp.server.access import access
    from aural_mcp.server.server import AuralServer, KeyPerRequest, OneClient

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
            tenant=BASE_URL,
        )
    else:
        public, limit = settings.public_url, settings.requests_per_minute
        origin = (lambda: public) if public else None
        client = AuralClient(
            settings.api_key, settings.base_url, requests_per_minute=limit, link_origin=origin, state=state
        )
    clients = KeyPerRequest(client) if per_request else OneClient(client, settings.problem)
    server = AuralServer(
        clients,
        backend=backend_sentence(settings),
        local=settings.embedded,
        access=access(settings.narrowing),
        confirm=settings.confirm,
        state_keys=settings.state_keys,
        exposure=Exposure(settings.narrowing.blind, settings.narrowing.lockdown),
        audit=AuditLog(partial(decision_log, settings)),
        files=settings.files,
    )
    return Setup(server, client, workspace)


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
        if ctx.method != "initialize":  # a host of the present protocol may begin with a call, which needs the pages
            greeted.set()
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

    from aural_mcp.cli.install import this_installation

    entry = this_installation(os.path.abspath(sys.argv[0]), sys.executable, sys.platform)
    return json.dumps({"mcpServers": {"aural": {name: value for name, value in entry.items() if value}}})


def commands() -> Group:
    """The command line. click is loaded only when somebody types a command."""
    import click

    from aural_mcp._version import __version__
    from aural_mcp.config import read_settings

    @click.group(invoke_without_command=True, epilog="Settings: docs/configuration.md")
    @click.version_option(__version__, prog_name="aural-mcp")
    @click.pass_context
    def group(context: click.Context) -> None:
        """Hire with Aural from any AI agent: a Model Context Protocol server."""
        context.obj = os.environ
        context.color = False if os.environ.get("NO_COLOR") else None
        if context.invoked_subcommand is None:
            backend = backend_sentence(read_settings())
            click.echo(HELLO.format(version=__version__, configuration=_configuration(), backend=backend), nl=False)

    @group.command()
    @click.option("--http", is_flag=True, help="Serve streamable HTTP at /mcp instead of stdio.")
    @click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on (with --http).")
    @click.option("--port", default=8400, show_default=True, type=click.IntRange(0, 65535), help="Its port.")
    @click.option("--local", is_flag=True, help="With --http: serve the workspace on this computer, without keys.")
    @click.option("--allowed-host", multiple=True, help="Host name clients may use; required off loopback.")
    @click.option("--access-log", is_flag=True, help="With --http: write one JSON line per request to stderr.")
    @_narrowing_options
    def serve(
        http: bool, host: str, port: int, local: bool, allowed_host: tuple[str, ...], access_log: bool, **narrowing: Any
    ) -> None:
        """Serve MCP: on stdio, or over HTTP with each request's own key.

        `--confirm ask` (the default) asks the person through the host, or gives a preview with a code where the
        host cannot ask; `preview` always gives the code; `never` does at once what it is told.
        """
        flags = {f"AURAL_{name.upper()}": "1" if value is True else value for name, value in narrowing.items() if value}
        if http:
            serve_http(host, port, local=local, allowed_hosts=allowed_host, access_log=access_log, flags=flags)
        elif local or allowed_host or access_log:
            raise click.UsageError("--local, --allowed-host and --access-log go with --http.")
        else:
            serve_stdio(flags)

    from aural_mcp.cli.commands import audit, backend, completion, doctor, install
    from aural_mcp.cli.watch import plan_of, retry, status, watch_options

    group.add_command(doctor)
    group.add_command(install)
    group.add_command(backend)
    group.add_command(audit)
    group.add_command(completion)

    @group.command()
    @click.option("--interactive", is_flag=True, help="Wait for you to take the interview in a browser.")
    def demo(interactive: bool) -> None:
        """Run a whole hiring workflow in a throw-away workspace, as an agent would."""
        import anyio

        from aural_mcp.cli.demo import run_demo

        anyio.run(run_demo, interactive)

    @group.command("apply")
    @click.argument("file", type=click.File("rb"))
    @click.option("--dry-run", is_flag=True, help="Only look: what would be made, and what is weak.")
    @click.option("--yes", is_flag=True, help="Open interviews to everyone without asking.")
    @click.pass_context
    def apply_(context: click.Context, file: Any, dry_run: bool, yes: bool) -> None:
        """Make the interviews of FILE, each once: JSON as launch_interviews takes it; `-` reads it from a pipe.

        Applied again within a day it goes on where it stopped and makes nothing twice. Exit status 1: not all of
        them could be made.
        """
        import anyio

        from aural_mcp.cli.apply import apply, document, opened

        given = document(file.read(), dry_run=dry_run)
        if (titles := opened(given)) and not yes and not dry_run:
            shown = ", ".join(titles)
            click.confirm(f"Open to everyone who has the link: {shown}? It cannot be undone", abort=True, err=True)
        setup = _setup(read_settings())

        made: list[bool] = []

        async def carry_out() -> None:
            made.append(await apply(setup.client, given))

        anyio.run(_beside, setup, carry_out, True)
        context.exit(0 if made == [True] else 1)

    @group.group(invoke_without_command=True)
    @watch_options
    @click.pass_context
    def watch(context: click.Context, **options: Any) -> None:
        """Tell a webhook, or a command, when sessions begin, end and are scored and when people are registered.

        Each is told at least once, signed, under an id that stays the same. Started again it goes on where it
        stopped. Exit status 1: the key or an interview's id is wrong, or a file or database cannot be used.
        """
        if context.invoked_subcommand is None:
            settings = read_settings()
            watch_until_stopped(settings, plan_of(settings, os.environ, **options))

    watch.add_command(status)
    watch.add_command(retry)

    return group


def watch_until_stopped(settings: Settings, plan: Plan) -> None:
    """Watch and deliver until a signal stops it."""
    import anyio
    import click

    from aural_mcp.api.errors import AuralError
    from aural_mcp.events.run import run
    from aural_mcp.log import set_up_logging

    if settings.problem:
        raise click.ClickException(settings.problem)
    set_up_logging()
    setup = _setup(settings)

    def say(said: str) -> None:
        click.echo(f"aural-mcp: {said}", err=True)

    number = len(plan.interviews)
    what = "all interviews" if not number else "1 interview" if number == 1 else f"{number} interviews"
    where = "the workspace on this computer" if settings.embedded else urlsplit(settings.base_url).netloc
    hello = f"watching {what} of {where}; events go to {' and '.join(plan.shown)}. Ctrl-C stops, nothing is lost."

    async def watch() -> None:
        failed: list[AuralError] = []

        async def serve() -> None:
            try:
                await run(setup.client, plan, say, hello)
            except AuralError as error:
                failed.append(error)

        await _beside(setup, serve, True)
        if failed:
            raise click.ClickException(str(failed[0]))

    with suppress(KeyboardInterrupt):
        anyio.run(watch)


def _narrowing_options(serve: Callable[..., None]) -> Callable[..., None]:
    """The settings of `config.VARIABLES` that are flags of `serve` too."""
    import click

    from aural_mcp.config import CONFIRM, NO, VARIABLES

    for each in reversed([each for each in VARIABLES if each.flag]):
        meaning = each.meaning.replace("`", "")
        if each.default in NO:
            option = click.option(each.flag, is_flag=True, help=meaning)
        elif each.default in CONFIRM:
            option = click.option(each.flag, type=click.Choice(CONFIRM), help=meaning)
        else:
            option = click.option(each.flag, metavar=each.takes, help=meaning)
        serve = option(serve)
    return serve


def serve_http(
    host: str, port: int, *, local: bool, allowed_hosts: tuple[str, ...], access_log: bool, flags: Mapping[str, str]
) -> None:
    """Serve MCP over streamable HTTP, stateless, at `/mcp`, until a signal stops it."""
    import anyio
    import click

    from aural_mcp.config import read_settings
    from aural_mcp.log import set_up_logging
    from aural_mcp.server import web

    _refuse_to_expose(host, local, allowed_hosts)
    set_up_logging(access_log=access_log)
    web.set_up_tracing(os.environ)
    settings = replace(read_settings({**os.environ, **flags}), api_key=None, problem="", embedded=local, files=None)
    setup = _setup(settings, per_request=not local)
    app = web.application(setup.server, host, allowed_hosts)
    listener, address = web.listen(host, port)
    click.echo(f"aural-mcp: MCP at {address}. {backend_sentence(settings)}", err=True)
    anyio.run(_beside, setup, partial(web.serve, app, listener), True)


def _refuse_to_expose(host: str, local: bool, allowed_hosts: tuple[str, ...]) -> None:
    """Refuse to serve more than was meant, and say when a setting does nothing."""
    import click

    from aural_mcp.config import is_loopback

    if local and not is_loopback(host):
        raise click.UsageError("--local serves without keys, so it listens on this computer only: leave --host out.")
    if not is_loopback(host) and not allowed_hosts:
        raise click.UsageError(f"Listening on {host} needs --allowed-host NAME: the host name that clients use.")
    if not local and (os.environ.get("AURAL_API_KEY") or os.environ.get("AURAL_API_KEY_FILE")):
        said = "over HTTP every request brings its own key; the one in the environment is ignored."
        click.echo(f"aural-mcp: {said}", err=True)

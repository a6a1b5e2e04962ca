"""`aural-mcp serve`: MCP on stdio, or over HTTP."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from aural_mcp.cli.metrics import count_calls, metrics_options, serve_metrics
from aural_mcp.cli.setup import OWN_KEY, Setup, backend_sentence, beside, run, serve_stdio, set_up

if TYPE_CHECKING:
    from aural_mcp.client.state import State
    from aural_mcp.config import Settings
    from aural_mcp.server.sign_in.app import SignInServer
    from aural_mcp.server.sign_in.oidc import Oidc

HTTP_ALONE = (
    *("host", "port", "local", "allowed_host", "access_log", "sign_in", "header_keys"),
    *("drain", "metrics_port", "metrics_host"),
)
"""Options that go with --http."""
NO_STATE = (
    "--sign-in keeps who is signed in in state.db of the data folder, which cannot be opened. Correct what is "
    "said above, or name another folder as AURAL_DATA_DIR."
)
NO_STATE_KEYS = (
    "--sign-in needs AURAL_STATE_KEYS: people's keys are sealed with it. Make one, and keep it apart from the data "
    "folder: python3 -c 'import secrets; print(secrets.token_urlsafe(48))'"
)
WAITING = """\
aural-mcp: serving MCP on stdin and stdout. An agent host starts this and talks here; a terminal has nobody to talk to.
aural-mcp: Ctrl-D ends it. `aural-mcp install` puts it into a host, `aural-mcp serve --http` serves HTTP."""


def _narrowing_options(serve: Callable[..., None]) -> Callable[..., None]:
    """The settings of `VARIABLES` that are flags of `serve` too."""
    from aural_mcp.config import CONFIRM, NO
    from aural_mcp.variables import VARIABLES

    for each in reversed([each for each in VARIABLES if each.flag]):
        meaning = each.meaning.replace("`", "")
        if each.default in NO:
            option = click.option(each.flag, is_flag=True, help=meaning)
        elif each.default in CONFIRM:
            option = click.option(each.flag, metavar="HOW", type=click.Choice(CONFIRM), help=meaning)
        else:
            option = click.option(each.flag, metavar=each.takes, help=meaning)
        serve = option(serve)
    return serve


def _refuse_without_http(context: click.Context) -> None:
    typed = click.core.ParameterSource.COMMANDLINE
    given = [f"--{name.replace('_', '-')}" for name in HTTP_ALONE if context.get_parameter_source(name) is typed]
    if given:
        said = f"{' and '.join(given)} {'goes' if len(given) == 1 else 'go'} with --http"
        raise click.UsageError(f"{said}: add --http, or leave that out.")


@click.command()
@click.option("--http", is_flag=True, help="Serve streamable HTTP at /mcp instead of stdio.")
@click.option("--host", metavar="A", default="127.0.0.1", help="With --http: on this address, not 127.0.0.1.")
@click.option("--port", metavar="N", default=8400, type=click.IntRange(0, 65535), help="With --http: not port 8400.")
@click.option("--local", is_flag=True, help="With --http: this computer's workspace, no keys.")
@click.option(
    "--allowed-host", metavar="NAME", multiple=True, help="With --http: a name clients use; needed off loopback."
)
@click.option("--access-log", is_flag=True, help="With --http: one JSON line per request to stderr.")
@click.option(
    "--sign-in",
    type=click.Choice(["key", "oidc"]),
    metavar="HOW",
    help="With --http: people sign in, with their key or by oidc.",
)
@click.option("--header-keys", is_flag=True, help="With --sign-in: a key in the header is taken, too.")
@click.option(
    "--drain",
    metavar="SECONDS",
    default=0,
    type=click.IntRange(0, 300),
    help="With --http: go on so long when told to stop.",
)
@metrics_options
@_narrowing_options
@click.pass_context
def serve(
    context: click.Context,
    http: bool,
    host: str,
    port: int,
    local: bool,
    allowed_host: tuple[str, ...],
    access_log: bool,
    sign_in: str | None,
    header_keys: bool,
    drain: int,
    metrics_port: int | None,
    metrics_host: str,
    **narrowing: Any,
) -> None:
    """Serve MCP on stdio, or over HTTP.

    Over HTTP each request brings its own key, or people sign in. --confirm ask (the default) asks the person through
    the host, or gives a code where it cannot; preview always gives the code; never does at once what it is told.
    """
    flags = {f"AURAL_{name.upper()}": "1" if value is True else value for name, value in narrowing.items() if value}
    if http:
        _refuse_mixture(local, sign_in, header_keys)
        serve_http(
            host,
            port,
            local=local,
            allowed_hosts=allowed_host,
            access_log=access_log,
            flags=flags,
            sign_in=sign_in,
            header_keys=header_keys,
            drain=drain,
            metrics=(metrics_host, metrics_port),
        )
        return
    _refuse_without_http(context)
    if sys.stdin.isatty():
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # what reads a terminal cannot be woken to end in order
        click.echo(WAITING, err=True)
    serve_stdio(flags)


def serve_http(
    host: str,
    port: int,
    *,
    local: bool,
    allowed_hosts: tuple[str, ...],
    access_log: bool,
    flags: Mapping[str, str],
    sign_in: str | None = None,
    header_keys: bool = False,
    drain: float = 0.0,
    metrics: tuple[str, int | None] = ("", None),
) -> None:
    """Serve MCP over streamable HTTP, stateless, at `/mcp`, until a signal stops it."""
    import anyio

    from aural_mcp.config import read_settings
    from aural_mcp.log import set_up_logging
    from aural_mcp.server import web

    _refuse_to_expose(host, local, allowed_hosts, sign_in)
    set_up_logging(access_log=access_log)
    web.set_up_tracing(os.environ)
    given = read_settings({**os.environ, **flags})
    settings = replace(given, api_key=None, problem="", embedded=local, files=None)
    if sign_in and not settings.state_keys:
        raise click.UsageError(NO_STATE_KEYS)
    provider = _provider(given) if sign_in == "oidc" else None
    whose = "the organisation's key" if provider else OWN_KEY
    setup = set_up(settings, per_request=not local, whose=whose)
    _refuse_without_state(setup.client.state, sign_in)
    people = _sign_in_server(setup, given, header_keys, provider) if sign_in else None
    count_calls(serve_metrics(*metrics), setup.server)
    app = web.application(setup.server, host, allowed_hosts, people)
    listener, address = web.listen(host, port)
    said = " People sign in." if sign_in else ""
    click.echo(f"aural-mcp: MCP at {address}. {backend_sentence(settings, whose)}{said}", err=True)

    async def serving() -> None:
        if provider:
            await provider.look()
        await web.serve(app, listener, drain)

    anyio.run(beside, setup, serving, True)


def _refuse_without_state(state: State, sign_in: str | None) -> None:
    """Refuse to begin on a shared state that will not do; a database that is only away is waited for by calls."""
    from aural_mcp.api.errors import StateUnwritable

    if state.database is not None:
        with suppress(StateUnwritable):
            run(state, state.opens)
    elif sign_in and not run(state, state.opens):
        raise click.UsageError(NO_STATE)


def _provider(settings: Settings) -> Oidc:
    """The company's identity provider, for whose people there is a key."""
    from aural_mcp.server.sign_in.oidc import Oidc
    from aural_mcp.server.sign_in.settings import read_company

    if not settings.api_key:
        needed = "--sign-in oidc needs AURAL_API_KEY or AURAL_API_KEY_FILE: the key that requests are sent with."
        raise click.UsageError(settings.problem if settings.problem.startswith("AURAL_API_KEY") else needed)
    return Oidc(read_company(os.environ))


def _sign_in_server(setup: Setup, settings: Settings, header_keys: bool, provider: Oidc | None) -> SignInServer:
    from aural_mcp.server.sign_in.app import SignInServer

    return SignInServer(
        setup.server.clients,
        setup.client,
        settings.state_keys,
        provider=provider,
        key=settings.api_key or "" if provider else "",
        header_keys=header_keys,
        writes=not settings.narrowing.read_only,
    )


def _refuse_mixture(local: bool, sign_in: str | None, header_keys: bool) -> None:
    if local and sign_in:
        raise click.UsageError("--local serves one workspace without keys: nobody signs in. Leave --sign-in out.")
    if header_keys and not sign_in:
        raise click.UsageError("--header-keys goes with --sign-in: without it, every request brings its key anyway.")


def _refuse_to_expose(host: str, local: bool, allowed_hosts: tuple[str, ...], sign_in: str | None) -> None:
    """Refuse to serve more than was meant, and say when a setting does nothing."""
    from aural_mcp.config import is_loopback

    if local and not is_loopback(host):
        raise click.UsageError("--local serves without keys, so it listens on this computer only: leave --host out.")
    if not all(allowed_hosts):
        raise click.UsageError("--allowed-host is empty: name the host that clients use, or leave it out.")
    if not is_loopback(host) and not allowed_hosts:
        raise click.UsageError(f"Listening on {host} needs --allowed-host NAME: the host name that clients use.")
    if not local and sign_in != "oidc" and (os.environ.get("AURAL_API_KEY") or os.environ.get("AURAL_API_KEY_FILE")):
        whose = "people sign in with their own keys" if sign_in else "over HTTP every request brings its own key"
        said = f"{whose}; the one in the environment is ignored."
        click.echo(f"aural-mcp: {said}", err=True)

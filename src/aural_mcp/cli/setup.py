"""The composition root: what the settings say, joined to a server, a client and the workspace on this computer.

Imports are made where they are used, so that a host waits for nothing that its call does not need.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from httpx import AsyncBaseTransport

    from aural_mcp.backend.local import LocalWorkspace
    from aural_mcp.client.client import AuralClient
    from aural_mcp.client.state import State
    from aural_mcp.config import Settings
    from aural_mcp.privacy.audit import AuditLog, Outcome
    from aural_mcp.server.server import AuralServer

T = TypeVar("T")
OWN_KEY = "the caller's own key"
OPENING = ("initialize", "server/discover", "notifications/initialized", "tools/list")
"""What a host waits for at its start, before anything of a local workspace is loaded."""
LISTS_WITHIN = 0.5
"""Seconds in which a host that was greeted asks for the tools, if it does."""


def serve_stdio(flags: Mapping[str, str] | None = None) -> None:
    """Serve one host on stdin and stdout until it closes them; flags stand for settings of the same meaning."""
    gc.disable()  # importing makes only objects that stay: collecting them in between costs a tenth of the start
    import anyio

    from aural_mcp.config import read_settings
    from aural_mcp.log import set_up_logging
    from aural_mcp.server import stdio

    set_up_logging()
    _trace()
    setup = set_up(read_settings({**os.environ, **(flags or {})}))
    gc.enable()
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)
    with suppress(KeyboardInterrupt):
        anyio.run(beside, setup, partial(stdio.serve_stdio, setup.server))


def _trace() -> None:
    """Send spans where the environment says; when it says nothing, nothing is loaded."""
    if os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") or os.environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"):
        from aural_mcp.server.web import set_up_tracing

        set_up_tracing(os.environ)


@dataclass(frozen=True)
class Setup:
    """A server, the client it relays with, the local workspace if that is the backend, and the decision log."""

    server: AuralServer
    client: AuralClient
    workspace: LocalWorkspace | None
    log: AuditLog


def set_up(
    settings: Settings,
    *,
    per_request: bool = False,
    transport: AsyncBaseTransport | None = None,
    whose: str = OWN_KEY,
) -> Setup:
    """Join a server to the backend that the settings choose.

    Args:
        per_request: each request brings its key.
        transport: how a remote backend is reached, where not as the environment says.
        whose: with which key it is used.
    """
    from aural_mcp.client.client import AuralClient
    from aural_mcp.privacy.exposure import Exposure
    from aural_mcp.server.access import access
    from aural_mcp.server.principal import KeyPerRequest, OneClient
    from aural_mcp.server.server import AuralServer
    from aural_mcp.workflows.mail.settings import read_mail

    workspace = _workspace(settings) if settings.embedded else None
    state = state_of(settings)
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
            settings.api_key,
            settings.base_url,
            requests_per_minute=limit,
            transport=transport,
            link_origin=origin,
            state=state,
        )
    log = log_of(settings, state)
    clients = KeyPerRequest(client) if per_request else OneClient(client, settings.problem)
    server = AuralServer(
        clients,
        backend=backend_sentence(settings, whose),
        local=settings.embedded,
        access=access(settings.narrowing),
        confirm=settings.confirm,
        state_keys=settings.state_keys,
        exposure=Exposure(settings.narrowing.blind, settings.narrowing.lockdown),
        audit=log,
        require_reason=settings.require_reason,
        files=settings.files,
        mail=None if per_request else read_mail(os.environ),
        employer=settings.employer,
    )
    return Setup(server, client, workspace, log)


def log_of(settings: Settings, state: State) -> AuditLog:
    """The decision log, in which people's names stand in clear or as hashes, as the settings say."""
    from aural_mcp.config import data_folder, decision_log, logs_in_database
    from aural_mcp.privacy.audit import AuditLog

    rows: DatabaseLog | None = None
    if logs_in_database(settings):
        from aural_mcp.privacy.audit_database import DatabaseLog

        rows = DatabaseLog(state, partial(data_folder, settings))

    async def hashing() -> bytes:
        return settings.state_keys[0] if settings.state_keys else await state.secret()

    return AuditLog(partial(decision_log, settings), hashing if settings.audit_names == "hash" else None, rows)


def state_of(settings: Settings) -> State:
    """What processes share: a file of this computer, or a database.

    Raises:
        BadSetting: the address of the database cannot be used.
    """
    from urllib.parse import unquote

    from aural_mcp.client.state import State
    from aural_mcp.config import data_folder
    from aural_mcp.log import strike_out

    if settings.state_url:
        strike_out(settings.state_url, unquote(urlsplit(settings.state_url).password or ""))
    return State(lambda: data_folder(settings) / "state.db", url=settings.state_url)


class Waited:
    """The decision log for commands, which do not await."""

    def __init__(self, settings: Settings) -> None:
        self._state = state_of(settings)
        self._log = log_of(settings, self._state)

    def check(self) -> None:
        """See `AuditLog.check`."""
        self._until_done(self._log.check)

    def record(self, tool: str, outcome: Outcome, **said: Any) -> None:
        """See `AuditLog.record`."""
        self._until_done(partial(self._log.record, tool, outcome, **said))

    def _until_done(self, work: Callable[[], Awaitable[None]]) -> None:
        run(self._state, work)


def run(state: State, work: Callable[[], Awaitable[T]]) -> T:
    """Do something with the shared state from code that does not await, and close it."""
    import anyio

    async def and_close() -> T:
        try:
            return await work()
        finally:
            await state.aclose()

    return anyio.run(and_close)


def _workspace(settings: Settings) -> LocalWorkspace:
    from aural_mcp.backend.local import LocalWorkspace
    from aural_mcp.config import data_folder

    return LocalWorkspace(
        data_folder(settings),
        page_port=settings.page_port,
        public_url=settings.public_url,
        model=settings.model,
        starts=settings.starts,
        employer=settings.employer,
    )


async def beside(setup: Setup, serve: Callable[[], Awaitable[None]], at_once: bool = False) -> None:
    """Serve MCP, and beside it a local workspace's pages: at once, or when a host that waits knows the tools."""
    import anyio

    greeted, listed = anyio.Event(), anyio.Event()

    async def notice(ctx: Any, call_next: Callable[[Any], Awaitable[Any]]) -> Any:
        if ctx.method not in OPENING:  # a host may begin with a call, which needs the pages
            greeted.set()
            listed.set()
        result = await call_next(ctx)
        greeted.set()
        if ctx.method == "tools/list":
            listed.set()
        return result

    async def pages(workspace: LocalWorkspace) -> None:
        if not at_once:
            await greeted.wait()
            with anyio.move_on_after(LISTS_WITHIN):
                await listed.wait()
        await workspace.serve_pages()

    async with setup.client, aclosing(setup.log), anyio.create_task_group() as tasks:
        if setup.workspace is not None:
            setup.server.middleware.append(notice)
            tasks.start_soon(pages, setup.workspace)
        await serve()
        tasks.cancel_scope.cancel()


def backend_sentence(settings: Settings, whose: str = OWN_KEY) -> str:
    """Which backend is in use, as the agent and the person should know it."""
    if settings.problem:
        return f"No backend is usable yet: {settings.problem}"
    if not settings.embedded:
        return f"The backend is Aural at {urlsplit(settings.base_url).netloc}, used with {whose}."
    reach = "open anywhere" if settings.public_url else "open on this computer only (AURAL_PUBLIC_URL changes that)"
    if settings.model:
        scored = f"the model {settings.model.name} interviews and scores"
    else:
        scored = "nothing leaves it, sessions are not scored automatically (you can, with save_session_analysis)"
    return (
        f"The backend is the local workspace on this computer: no account, candidates answer in writing, {scored}, "
        f"and candidate links {reach}."
    )

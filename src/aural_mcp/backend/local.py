"""The workspace on this computer: opened on first use, called in process, its pages served on one port.

Several host applications may run several processes on one workspace. Whichever holds the page port
serves the candidates' pages for all of them; when it goes, another takes over.
"""

from __future__ import annotations

import logging
import secrets
import socket
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
import httpx

from aural_mcp.api.errors import Unreachable
from aural_mcp.config import EMPLOYER, STARTS, Employer, Starts

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from aural_mcp.backend.storage.store import Store
    from aural_mcp.config import Model

BASE_URL = "http://aural.local/api/v1"
"""Where the in-process client believes the backend to be; nothing of it reaches a network."""
PAGE_PORT = 8410
LOOPBACK = "127.0.0.1"
TAKE_OVER_EVERY = 2.0
PATIENCE = 4
"""How often a port that is held but does not answer is asked again."""

log = logging.getLogger(__name__)


class LocalWorkspace(httpx.AsyncBaseTransport):
    """The embedded backend as an httpx transport, and the server of its candidate pages.

    Args:
        folder: where `workspace.db` lives.
        page_port: for the candidates' pages; None is the remembered one or 8410, 0 any free one.
        public_url: the origin that links carry instead of this computer's.
        model: what interviews and scores; without one, rules interview and nobody scores.
        starts: what may be begun by a public link.
        employer: what candidates are told of who invites them.
    """

    def __init__(
        self,
        folder: Path,
        *,
        page_port: int | None = None,
        public_url: str | None = None,
        model: Model | None = None,
        starts: Starts = STARTS,
        employer: Employer = EMPLOYER,
    ) -> None:
        self.secret = f"dlv_local_{secrets.token_urlsafe(32)}"
        self._url = database_url(folder)
        self._wanted_port = page_port
        self._public_url = public_url
        self._model, self._starts, self._employer = model, starts, employer
        self._port = page_port or PAGE_PORT
        self._opening = anyio.Lock()
        self._pages_known = anyio.Event()
        self._opened: tuple[Store, ASGIApp] | None = None

    def origin(self) -> str:
        """`scheme://host:port` of candidate links."""
        return self._public_url or f"http://{LOOPBACK}:{self._port}"

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        _, app = await self._open()
        await self._pages_known.wait()
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        return await transport.handle_async_request(request)

    async def serve_pages(self) -> None:
        """Serve the candidates' pages, or stand by while another process of this workspace does. Never returns."""
        said = ""
        while True:
            try:
                await self._serve_or_stand_by()
            except Exception as error:  # the tools must go on without the pages
                if repr(error) != said:  # of a group, str is the same whatever is in it
                    log.exception("The candidate pages are down")
                said = repr(error)
            self._pages_known.set()
            await anyio.sleep(TAKE_OVER_EVERY)

    async def _serve_or_stand_by(self) -> None:
        store, _ = await self._open()
        listener = await anyio.to_thread.run_sync(self._claim, store)
        self._pages_known.set()
        if listener is not None:
            from aural_mcp.backend.interview.sessions import sweep
            from aural_mcp.backend.rest.app import create_pages
            from aural_mcp.backend.webhooks import delivering

            with listener:
                async with delivering(store, sweep):
                    await _serve(create_pages(store, self._model, self.origin, self._starts, self._employer), listener)

    def _claim(self, store: Store) -> socket.socket | None:
        """The page port as a listening socket; None when this workspace is served there already."""
        from aural_mcp.backend.storage.store import save_setting, setting

        with store.reading() as db:
            workspace, remembered = setting(db, "workspace"), setting(db, "page_port")
        port = self._wanted_port if self._wanted_port is not None else remembered or PAGE_PORT
        listener = None
        for _ in range(PATIENCE):
            listener, served = _listen(port), None
            if listener is None and (served := _served_workspace(port)) == workspace:
                self._port = port
                return None
            if listener is not None or served is not None:
                break
            time.sleep(0.2)  # whoever holds it may be about to go
        if listener is None:
            log.warning("Port %s is taken by another program: candidate links made before are down.", port)
            listener = _listen(0)
        if listener is None:
            raise OSError("no port on this computer can be listened on for the candidate pages")
        self._port = listener.getsockname()[1]
        with store.writing() as db:
            save_setting(db, "page_port", self._port)
        return listener

    async def _open(self) -> tuple[Store, ASGIApp]:
        async with self._opening:
            if self._opened is None:
                self._opened = await anyio.to_thread.run_sync(self._open_now)
            return self._opened

    def _open_now(self) -> tuple[Store, ASGIApp]:
        from aural_mcp.backend.rest.app import LocalKey, create_app
        from aural_mcp.backend.storage.store import CannotOpen, Store, owner

        try:
            store = Store(self._url)
            key = LocalKey(self.secret, owner(store).user_id)
            app = create_app(store, origin=self.origin, local_key=key, model=self._model, employer=self._employer)
            return store, app
        except CannotOpen as error:
            raise Unreachable(str(error), "Tell the user; nothing was done.") from error


def database_url(folder: Path) -> str:
    """The SQLite database of a data folder."""
    return f"sqlite:///{folder / 'workspace.db'}"


def _listen(port: int) -> socket.socket | None:
    """A listening socket on this computer, or None when the port is taken."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if sys.platform != "win32":
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((LOOPBACK, port))
        listener.listen(128)
    except OSError:
        listener.close()
        return None
    listener.setblocking(False)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else head and body wait for each other
    return listener


def _served_workspace(port: int) -> str | None:
    """The id of the workspace whose pages a port serves; empty for anything else, None when nobody answers."""
    try:
        answer = httpx.get(f"http://{LOOPBACK}:{port}/workspace", timeout=1, trust_env=False)
    except httpx.HTTPError:
        return None
    return answer.text if answer.status_code == 200 else ""


async def _serve(pages: ASGIApp, listener: socket.socket) -> None:
    import uvicorn

    from aural_mcp.config import KEPT_OPEN

    class Server(uvicorn.Server):
        @contextmanager
        def capture_signals(self) -> Generator[None]:
            yield  # signals belong to the process that runs us

        # uvicorn's own, cancelled, leaves its sockets' numbers to the event loop: who gets one next would hear nothing

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            with anyio.CancelScope(shield=True):
                await super().startup(sockets)

        async def main_loop(self) -> None:
            try:
                await super().main_loop()
            finally:
                for each in self.servers:
                    each.close()

    config = uvicorn.Config(
        pages, log_config=None, access_log=False, lifespan="off", timeout_keep_alive=KEPT_OPEN, proxy_headers=False
    )
    await Server(config).serve(sockets=[listener])

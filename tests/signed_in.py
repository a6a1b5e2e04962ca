"""People who signed in, and what each role may do: as the server shows it, and as its declarations say."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import anyio
import httpx
import httpx2
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from sqlalchemy import delete, insert, select

from aural_mcp.api.operations import OPERATIONS
from aural_mcp.backend.storage import tables
from aural_mcp.client.client import AuralClient
from aural_mcp.config import Narrowing
from aural_mcp.privacy.exposure import RevealCandidate
from aural_mcp.server import apps, prompts, resources
from aural_mcp.server.access import BY_NAME
from aural_mcp.server.principal import PRINCIPAL, READ, WRITE, KeyPerRequest, Principal, Role
from aural_mcp.server.server import AuralServer
from aural_mcp.server.web.app import Web, application
from aural_mcp.workflows import WORKFLOWS
from conftest import KEY, ORIGIN, World

OURS = "http://127.0.0.1/mcp"
BARE = {"accept": "application/json, text/event-stream", "mcp-protocol-version": "2025-11-25"}


class Present:
    """Bare requests in the present protocol, of a host that can ask its user."""

    VERSION = "2026-07-28"

    def headers(self, method: str, name: str = "") -> dict[str, str]:
        """What stands in the headers of a request."""
        named = {"mcp-name": name} if name else {}
        return {"mcp-protocol-version": self.VERSION, "mcp-method": method, **named}

    def call(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """A request."""
        about = {
            "io.modelcontextprotocol/protocolVersion": self.VERSION,
            "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"},
            "io.modelcontextprotocol/clientCapabilities": {"elicitation": {"form": {}}},
        }
        return {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": about}}


PRESENT = Present()


def person(role: Role, *, writes: bool = True, subject: str = "robin") -> Principal:
    """Somebody with this role."""
    scopes = frozenset({READ, WRITE} if writes else {READ})
    return Principal(KEY, f"sign-in of {subject}", "A host", scopes, "https://id.example", subject, subject, role)


class Wire(httpx.ASGITransport):
    """The way to the backend, which counts what is asked."""

    asked = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        return await super().handle_async_request(request)


@dataclass
class House:
    """One server over HTTP for everybody, in front of a workspace."""

    world: World
    server: AuralServer
    web: Web
    wire: Wire

    @asynccontextmanager
    async def agent(
        self, who: Principal, mode: str = "auto", extensions: Sequence[Any] = (), **headers: str
    ) -> AsyncIterator[Client]:
        """A host that somebody uses who signed in."""
        transport = httpx2.ASGITransport(self.app(who))
        async with httpx2.AsyncClient(transport=transport, headers=headers) as http:
            way = streamable_http_client(OURS, http_client=http)
            async with Client(way, mode=mode, extensions=extensions, read_timeout_seconds=60) as agent:
                yield agent

    def app(self, who: Principal) -> Any:
        """What answers this person's hosts."""

        async def signed_in(scope: Any, receive: Any, send: Any) -> None:
            await self.web({**scope, PRINCIPAL: who}, receive, send)

        return signed_in

    def host(self, who: Principal, **headers: str) -> httpx.AsyncClient:
        """The bare requests of a host, in an earlier protocol or as the headers say."""
        return httpx.AsyncClient(transport=httpx.ASGITransport(self.app(who)), headers=BARE | headers)

    async def followed(self, who: Principal, uris: Sequence[str]) -> list[str]:
        """What the server says that it follows of these addresses, before it is left."""
        method, asked = "subscriptions/listen", {"notifications": {"resourceSubscriptions": [*uris]}}
        headers = BARE | PRESENT.headers(method)
        request = httpx.Request("POST", OURS, json=PRESENT.call(method, asked), headers=headers)
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "POST",
            "path": "/mcp",
            "raw_path": b"/mcp",
            "query_string": b"",
            "scheme": "http",
            "headers": [(name.lower(), value) for name, value in request.headers.raw],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
        }
        begin, answered = anyio.create_memory_object_stream[bytes](100)
        sent = [{"type": "http.request", "body": request.content, "more_body": False}]

        async def receive() -> Any:
            return sent.pop() if sent else await anyio.sleep_forever()

        async def send(message: Any) -> None:
            await begin.send(message.get("body", b""))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.app(who), scope, receive, send)
            said = ""
            with anyio.fail_after(30):
                while "\n\n" not in said and "\r\n\r\n" not in said:
                    said += (await answered.receive()).decode()
            tasks.cancel_scope.cancel()
        told = json.loads(next(line for line in said.splitlines() if line.startswith("data: ")).removeprefix("data: "))
        return told["params"]["notifications"].get("resourceSubscriptions") or []

    def rows(self) -> dict[tuple[str, str], dict[str, Any]]:
        """Every row that is somebody's content, by its table and id."""
        with self.world.store.reading() as db:
            return {
                (table.name, row["id"]): dict(row) for table in CONTENT for row in db.execute(select(table)).mappings()
            }

    def restore(self, rows: dict[tuple[str, str], dict[str, Any]]) -> None:
        """Bring the content back to what it was."""
        with self.world.store.writing() as db:
            for table in reversed(CONTENT):
                db.execute(delete(table))
            for table in CONTENT:
                if found := [row for (name, _), row in rows.items() if name == table.name]:
                    db.execute(insert(table), found)


CONTENT = (
    *(tables.interviews, tables.questions, tables.sessions, tables.messages),
    *(tables.candidates, tables.prep_sessions, tables.prep_attempts),
)
"""The tables of a workspace that hold more than who works there, parents first."""


@asynccontextmanager
async def house(world: World, **settings: Any) -> AsyncIterator[House]:
    """The server, as `serve --http` runs it."""
    wire = Wire(world.app)
    client = AuralClient(None, f"{ORIGIN}/api/v1", requests_per_minute=0, transport=wire)
    server = AuralServer(KeyPerRequest(client), backend="T.", **{"confirm": "never", **settings})
    web = application(server, "127.0.0.1", [])
    async with web._sessions.run():
        yield House(world, server, web, wire)


# ── What a role may do ──────────────────────────────────────────────────────────────────────────


@dataclass
class May:
    """The names of what there is."""

    tools: set[str] = field(default_factory=set[str])
    resources: set[str] = field(default_factory=set[str])
    prompts: set[str] = field(default_factory=set[str])
    views: set[str] = field(default_factory=set[str])


async def shown(agent: Client) -> May:
    """What a running server lists, documents of ours and single sessions apart."""
    listed = (await agent.list_resources()).resources
    fixed = {each.uri for each in listed if "/sessions/" not in each.uri} - resources.documents().keys()
    templates = {each.uri_template for each in (await agent.list_resource_templates()).resource_templates}
    tools = {each.name for each in (await agent.list_tools()).tools}
    views = set[str]()
    for view in {*apps.VIEW_OF.values(), apps.ASKS}:
        with suppress(MCPError):
            views |= {view} if await agent.read_resource(apps.SCHEME + view) else set()
    return May(tools, fixed | templates, {each.name for each in (await agent.list_prompts()).prompts}, views)


def meant(role: Role) -> May:
    """What the mapping says, by nothing but what each operation declares of itself; over HTTP, no local workspace."""
    asked, tools = role.narrowing, set[str]()
    for each in (*OPERATIONS, RevealCandidate, *WORKFLOWS):
        name = each.tool_name()
        off = [
            asked.toolsets and each.toolset not in asked.toolsets,
            asked.tools and name not in asked.tools,
            name in asked.exclude_tools,
            asked.read_only and (each.effect != "read" or name == "reveal_candidate"),
            name == "reveal_candidate" and (asked.lockdown or not asked.blind),
            name == "send_messages",
            role.interviews is not None and name in ("create_interview", "launch_interviews", "get_usage"),
        ]
        tools |= set() if any(off) else {name}
    shows = {each.uri for each in resources.ADDRESSES if each.tool in tools}
    begins = {each.name for each in prompts.PROMPTS if {*each.needs, *(tool for _, tool in each.attached)} <= tools}
    asks = {apps.ASKS} if any(BY_NAME[each].confirmed for each in tools) else set[str]()
    return May(tools, shows, begins, asks | {apps.VIEW_OF[each] for each in tools if each in apps.VIEW_OF})


def roles(own: str) -> dict[str, Role]:
    """One of every kind; `own` is the interview of those that have one."""
    return {
        "everything": Role("everything"),
        "reads": Role("reads", Narrowing(read_only=True)),
        "designs": Role("designs", Narrowing(toolsets=("questions", "usage"))),
        "three tools": Role("three tools", Narrowing(tools=("list_interviews", "get_interview", "create_questions"))),
        "blind": Role("blind", Narrowing(read_only=True, blind=True)),
        "lockdown": Role("lockdown", Narrowing(read_only=True, lockdown=True)),
        "one interview": Role("one interview", Narrowing(read_only=True), frozenset({own})),
        "runs one interview": Role("runs one interview", interviews=frozenset({own})),
        "one, blind": Role("one, blind", Narrowing(blind=True, exclude_tools=("export_results",)), frozenset({own})),
        "none": Role("none", interviews=frozenset()),
    }

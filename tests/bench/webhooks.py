"""The three figures of webhooks, each with a control. Exit code 1 where one does not hold.

    python tests/bench/webhooks.py [kills] [hostile] [watch]      all of them by default, about six minutes

kills: 2,000 events, a receiver that fails 30% of the time in every way, ten kill -9, on SQLite and PostgreSQL.
hostile: 100 URLs that want to reach what is not public, looked at at the socket.
watch: 200 sessions that finish at random over three minutes, each told once and within 25 s.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import tempfile
from pathlib import Path

import anyio
import httpx
from mcp import Client

sys.path.insert(0, str(Path(__file__).parent.parent))
import hooks
import hostile
from conftest import KEY, ORIGIN, make_world, ok, postgresql_server
from hostile import post, redirecting
from rows import add_session

EVENTS, KILLS, SESSIONS, SECONDS, FRESH = 2000, 10, 200, 180.0, 25.0


async def kills() -> bool:
    """Figure 1."""
    holds = True
    with tempfile.TemporaryDirectory() as folder, postgresql_server() as server:
        for name, url in (("SQLite", f"sqlite:///{folder}/events.db"), ("PostgreSQL", server.database())):
            r = await hooks.through_kills(url, EVENTS, KILLS)
            holds &= r.holds and r.kills == KILLS
            print(
                f"{name}: {r.total} events, {r.kills} kills, {r.seconds:.0f} s: {r.delivered} delivered, {r.parked} "
                f"parked (410, or ten attempts), {r.lost} lost; {r.twice} accepted more than once, {r.changed} with "
                f"another id or body, {r.unsigned} with a wrong signature"
            )
        r = await hooks.through_kills(f"sqlite:///{folder}/control.db", EVENTS, KILLS, control=True)
        print(f"control, posted once as it happens: {r.lost} of {r.total} lost")
    return holds


async def hundred() -> bool:
    """Figure 2."""
    socket.getaddrinfo = hostile.Resolver()
    server = await asyncio.start_server(redirecting, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    urls, redirector = hostile.urls(port, port), f"127.0.0.1:{port}"
    async with server:
        with hostile.socket_watched() as reached:
            for url in urls:
                await post(url, ["127.0.0.1/32"] if url.rsplit("/", 1)[1] in hostile.REDIRECTS else [])
            ours, public = hostile.not_public(reached, but=redirector), len(reached)
        with hostile.socket_watched() as reached:
            for url in urls:
                await plainly(url)
            control = len([each for each in reached if not each.startswith(hostile.PUBLIC)])
    print(f"{len(urls)} hostile URLs, twice each: {len(ours)} connections to what is not public, of {public}")
    print(f"control, httpx with redirects: {control} connections to what is not public, of {len(reached)}")
    return not ours and len(urls) >= 100 and control > 20


async def plainly(url: str) -> None:
    """As a program does that thinks nothing of it."""
    async with httpx.AsyncClient(follow_redirects=True, trust_env=False, timeout=0.5) as http:
        for _ in range(2):
            try:
                await http.post(url, content=b"{}")
            except Exception:  # whatever it is, the connection was tried
                continue


async def watch() -> bool:
    """Figure 3."""
    with tempfile.TemporaryDirectory() as folder:
        world = make_world(f"sqlite:///{folder}/workspace.db")
        async with Client(world.server) as agent:
            made = (await ok(agent, "create_interview", title="Backend engineer"))["id"]
        sessions = [add_session(world, made, status="IN_PROGRESS") for _ in range(SESSIONS)]
        w = await hooks.finishing(world, made, sessions, SECONDS, KEY, f"{ORIGIN}/api/v1")
        world.store.close()
    lags = sorted(w.lags)
    print(
        f"{SESSIONS} sessions over {SECONDS:.0f} s: {len(lags)} told once, {w.others} others told; after "
        f"{lags[len(lags) // 2]:.1f} s (median), {lags[-1]:.1f} s at most; "
        f"{w.requests} requests, {w.busiest} in the busiest minute (at most 30 of 60)"
    )
    control = 30 * -(-SESSIONS // 100)
    print(f"control, a look every 2 s without a memory: {control} requests a minute, and every look tells all again")
    return len(lags) == SESSIONS and w.others == 0 and lags[-1] <= FRESH and w.busiest <= 30


FIGURES = {"kills": kills, "hostile": hundred, "watch": watch}

if __name__ == "__main__":
    os.environ["no_proxy"] = "127.0.0.1"
    held = [anyio.run(FIGURES[name]) for name in sys.argv[1:] or FIGURES]
    sys.exit(0 if all(held) else 1)

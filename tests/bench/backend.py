"""Requests per second and p99 of the backend, beside the same app answering a constant, in one run.

    python tests/bench/backend.py [DATABASE_URL]

`GET /usage`, and `GET /sessions/{id}` with 400 messages, with 1 and 16 clients; the constant is `/llms.txt`-like:
a route of the same Starlette app that touches no database.
"""

from __future__ import annotations

import asyncio
import socket
import statistics
import subprocess
import sys
import tempfile
import time

import httpx

REQUESTS = 600
TURNS = 400
SERVER = """
import sys, uvicorn
from starlette.responses import JSONResponse
from starlette.routing import Route
from aural_mcp.backend.rest.app import LocalKey, create_app
from aural_mcp.backend.storage.store import Store, owner
store = Store(sys.argv[1])
app = create_app(store, origin=lambda: "http://x", local_key=LocalKey("dlv_test_bench", owner(store).user_id))
async def constant(request):
    return JSONResponse({"data": {"plan": "self-hosted"}})
app.router.routes.insert(0, Route("/api/v1/constant", constant))
uvicorn.run(app, port=int(sys.argv[2]), log_level="warning", access_log=False)
"""


def fill(url: str) -> str:
    """A session with 400 messages; its id."""
    from sqlalchemy import insert, select

    from aural_mcp.backend.storage import store, tables

    database = store.Store(url)
    user = store.owner(database).user_id
    moment, interview, session = store.now(), store.new_id(), store.new_id()
    stamps = {"createdAt": moment, "updatedAt": moment}
    with database.writing() as db:
        project = db.execute(select(tables.projects.c.id)).scalars().first()
        row = {"id": interview, "title": "T", "userId": user, "projectId": project, **stamps}
        db.execute(insert(tables.interviews).values(row))
        db.execute(insert(tables.sessions).values(id=session, interviewId=interview, **stamps))
        words = "I designed the consumer side and ran it for two years. " * 5
        for number in range(TURNS):
            said = {"id": store.new_id(), "sessionId": session, "role": "USER", "content": f"{number} {words}"}
            db.execute(insert(tables.messages).values(**said, timestamp=store.stamp_after(moment, least=number)))
    database.close()
    return session


async def measure(base: str, path: str, clients: int) -> tuple[float, float]:
    """Requests per second, and the 99th percentile in milliseconds."""
    took: list[float] = []
    headers = {"authorization": "Bearer dlv_test_bench"}

    async def client(number: int) -> None:
        async with httpx.AsyncClient(base_url=base, headers=headers, trust_env=False, timeout=60) as http:
            for _ in range(REQUESTS // clients):
                begun = time.perf_counter()
                (await http.get(path)).raise_for_status()
                took.append(time.perf_counter() - begun)

    begun = time.perf_counter()
    await asyncio.gather(*(client(number) for number in range(clients)))
    return len(took) / (time.perf_counter() - begun), statistics.quantiles(took, n=100)[98] * 1000


async def main(url: str) -> None:
    session = fill(url)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with subprocess.Popen([sys.executable, "-c", SERVER, url, str(port)]) as server:
        base = f"http://127.0.0.1:{port}/api/v1"
        try:
            while not await answers(base):
                await asyncio.sleep(0.05)
            print(f"{'':26}{'clients':>8}{'requests/s':>12}{'p99 ms':>9}{'of constant':>13}")
            for clients in (1, 16):
                floor, _ = await measure(base, "/constant", clients)
                for path in ("/constant", "/usage", f"/sessions/{session}"):
                    rate, worst = await measure(base, path, clients)
                    name = "/sessions/{id}, 400 turns" if "sessions" in path else path
                    print(f"{name:26}{clients:8}{rate:12.0f}{worst:9.1f}{rate / floor:13.2f}")
        finally:
            server.terminate()


async def answers(base: str) -> bool:
    async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
        try:
            return (await http.get(f"{base}/constant")).status_code == 200
        except httpx.TransportError:
            return False


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else f"sqlite:///{folder}/w.db"))

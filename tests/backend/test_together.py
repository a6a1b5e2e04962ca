"""Several `aural-mcp backend` on one PostgreSQL: what is there once, whoever is asked."""

import re
import signal
from collections import Counter
from contextlib import AsyncExitStack

import anyio
import httpx
import pytest
from sqlalchemy import select, update

from aural_mcp.backend import webhooks
from aural_mcp.backend.storage.store import Store, create_key, owner
from aural_mcp.backend.storage.tables import api_keys
from aural_mcp.events import outbox
from processes import backend, free_port
from receiver import SECRET, Receiver

pytestmark = pytest.mark.parametrize("database", ["postgresql"], indirect=True)


async def both(stack, tmp_path, database):
    """Two processes, started at the same moment: what each of them printed, their origins, and themselves."""
    ports = [free_port(), free_port()]
    made = [backend(tmp_path, port, "--no-desk", "--database", database) for port in ports]
    printed = [None, None]

    async def start(number):
        printed[number] = await made[number].__aenter__()
        stack.push_async_exit(made[number])

    async with anyio.create_task_group() as tasks:
        for number in range(2):
            tasks.start_soon(start, number)
    return printed, [f"http://127.0.0.1:{port}" for port in ports], made


async def test_two_that_begin_at_once_with_nothing_make_one_workspace_one_key_and_one_limit(tmp_path, database):
    async with AsyncExitStack() as stack:
        printed, origins, _ = await both(stack, tmp_path, database)
        (key,) = re.findall(r"dlv_\w+", "".join(printed))
        http = await stack.enter_async_context(
            httpx.AsyncClient(headers={"authorization": f"Bearer {key}"}, trust_env=False)
        )
        seen, ids = Counter(), set()
        for number in range(64):
            answered = await http.get(f"{origins[number % 2]}/api/v1/usage")
            seen[answered.status_code] += 1
        for origin in origins:
            ids.add((await http.get(f"{origin}/workspace")).text)
    assert seen == {200: 60, 429: 4}
    assert len(ids) == 1
    store = Store(database)
    with store.reading() as db:
        assert len(db.execute(select(api_keys.c.id)).all()) == 1
    store.close()


async def test_an_interview_goes_on_at_the_other_one_and_is_told_once_though_one_is_killed(tmp_path, database):
    store = Store(database)
    key = create_key(store, owner(store).user_id, "team")
    async with Receiver(SECRET).listening() as receiver, AsyncExitStack() as stack:
        webhooks.add(store, receiver.url, ["127.0.0.0/8"])
        with store.writing() as db:
            db.execute(update(outbox.endpoints).values(secret=SECRET))
        _, origins, processes = await both(stack, tmp_path, database)
        head = {"authorization": f"Bearer {key}"}
        http = await stack.enter_async_context(httpx.AsyncClient(headers=head, trust_env=False, follow_redirects=True))
        made = (
            await http.post(f"{origins[0]}/api/v1/interviews", json={"title": "T", "followUpDepth": "LIGHT"})
        ).json()["data"]["id"]
        questions = [{"text": "Q1"}, {"text": "Q2"}]
        await http.post(f"{origins[1]}/api/v1/interviews/{made}/questions", json=questions)
        people = [{"name": "Ann"}, {"name": "Bob"}]
        there = (await http.post(f"{origins[0]}/api/v1/interviews/{made}/candidates", json=people)).json()["data"]
        for step, person in enumerate(there):
            page = await http.post(link(origins[0], person, "/start"), data={"name": "N", "consent": "yes"})
            page = await http.post(link(origins[1], person, "/answer"), data={"turn": turn(page), "answer": "One."})
            if step:
                await told(store, "candidate.registered", 2)
                processes[0].process.send_signal(signal.SIGKILL)
            page = await http.post(link(origins[1], person, "/answer"), data={"turn": turn(page), "answer": "Two."})
            assert "You are done" in page.text
        await told(store, "session.completed", 2)
    kinds = Counter(each["type"] for each in receiver.payloads)
    assert kinds == {"candidate.registered": 2, "session.started": 2, "session.completed": 2}
    store.close()


def link(origin, person, act):
    return origin + httpx.URL(person["inviteUrl"]).path + act


def turn(page):
    return re.search(r'name="turn" value="([^"]+)"', page.text)[1]


async def told(store, kind, number):
    """Until so many of a kind have arrived."""
    arrived = select(outbox.events.c.id).join(outbox.deliveries)
    arrived = arrived.where(outbox.events.c.type == kind, outbox.deliveries.c.state == outbox.DELIVERED)
    with anyio.fail_after(60):
        while True:
            with store.reading() as db:
                if len(db.execute(arrived).all()) == number:
                    return
            await anyio.sleep(0.05)

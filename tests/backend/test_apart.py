"""Who waits for whom on PostgreSQL: changes of one interview for each other, those of two never."""

import subprocess
import sys
from contextlib import AsyncExitStack, contextmanager

import anyio
import httpx
import pytest
from sqlalchemy import event, select, text

from aural_mcp import locks
from aural_mcp.backend import webhooks
from aural_mcp.backend.interview.sessions import sweep
from aural_mcp.backend.storage.store import Store, setting
from aural_mcp.backend.storage.tables import sessions, settings
from aural_mcp.events import outbox
from conftest import KEY, ORIGIN, answer, begin, make_world
from rows import let_time_pass

pytestmark = pytest.mark.parametrize("database", ["postgresql"], indirect=True)
LONG = "I designed the consumer side and ran it for two years, with four thousand events a second, on call."
TWO = [{"text": "Q1"}, {"text": "Q2"}]


def rest_of(world):
    head = {"authorization": f"Bearer {KEY}"}
    transport = httpx.ASGITransport(world.app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url=f"{ORIGIN}/api/v1", headers=head)


async def set_up(world, number=1, **fields):
    """A published interview with two questions and so many private links; its data, and theirs."""
    async with rest_of(world) as http:
        made = (await http.post("/interviews", json={"title": "T", **fields})).json()["data"]["id"]
        asked = (await http.post(f"/interviews/{made}/questions", json=TWO)).json()["data"]
        people = [{"name": f"Person {each}", "email": f"p{each}@x.test"} for each in range(number)]
        there = (await http.post(f"/interviews/{made}/candidates", json=people)).json()["data"]
        shown = (await http.post(f"/interviews/{made}/publish")).json()["data"]
    return {"id": made, "url": shown["url"], "question": asked[0]["id"], "people": there}


@contextmanager
def nobody_else(store, place, *more):
    """While the block runs, what another process does when it changes this place."""
    other = Store(store.engine.url.render_as_string(hide_password=False))
    try:
        with other.writing(place, *more) as db:
            yield db
    finally:
        other.close()


# ── Who waits ───────────────────────────────────────────────────────────────────────────────────


async def every_door(world, interview, http):
    """By name, everything that changes something of an interview; and what is to be closed after it."""
    first, second = (each["inviteUrl"] for each in interview["people"])
    stack, name = AsyncExitStack(), interview["id"]
    browsers = [await stack.enter_async_context(world.browser()) for _ in range(4)]
    page = await begin(browsers[0], first)
    session = (await http.get(f"/interviews/{name}/sessions")).json()["data"][0]["id"]
    kept = {"assessmentCriteria": [], "isActive": True}
    calls = {
        "an answer": lambda: answer(browsers[0], page, LONG),
        "a private link": lambda: begin(browsers[1], second),
        "the public link": lambda: begin(browsers[2], interview["url"], "Somebody Else"),
        "a wish": lambda: browsers[3].post(f"{first}/person", data={"name": "Robin", "email": "r@x.test"}),
        "a request": lambda: browsers[3].post(f"{first}/request", data={"kind": "delete"}),
        "a change": lambda: http.patch(f"/interviews/{name}", json=kept),
        "a change by an id in capitals": lambda: http.patch(f"/interviews/{name.upper()}", json=kept),
        "publishing": lambda: http.post(f"/interviews/{name}/publish"),
        "questions": lambda: http.post(f"/interviews/{name}/questions", json=TWO),
        "a question": lambda: http.patch(f"/questions/{interview['question']}", json={"text": "Q!"}),
        "people": lambda: http.post(f"/interviews/{name}/candidates", json=[{"name": "N"}]),
        "ending": lambda: http.post(f"/interviews/{name}/sessions/end", json={"ids": [session]}),
        "a decision": lambda: http.put(f"/sessions/{session}/decision", json={"decision": "hold", "reason": "Later."}),
    }
    return calls, stack


async def test_while_an_interview_is_changed_its_own_changes_wait_and_no_other_interviews_do(world):
    a, b = await set_up(world, 2), await set_up(world, 2)
    async with rest_of(world) as http:
        calls, stack = await every_door(world, a, http)
        others, more = await every_door(world, b, http)
        came = {}

        async def keep(name, call):
            came[name] = (await call()).status_code

        async with stack, more, anyio.create_task_group() as tasks:
            with nobody_else(world.store, a["id"]):
                for name, call in calls.items():
                    tasks.start_soon(keep, name, call)
                with anyio.fail_after(60):
                    told = {name: (await call()).status_code for name, call in others.items()}
                    assert (await http.get(f"/interviews/{a['id']}/sessions")).status_code == 200  # reading never waits
                assert came == {}
    assert told == dict.fromkeys(calls, 200) | {"questions": told["questions"], "people": told["people"]}
    assert came == told


async def test_two_sessions_of_one_interview_are_changed_at_once(world):
    interview = await set_up(world, 2)
    async with world.browser() as one, world.browser() as two:
        page = await begin(one, interview["people"][0]["inviteUrl"])
        with world.store.reading() as db:
            first = db.execute(select(sessions.c.id)).scalars().one()
        other = await begin(two, interview["people"][1]["inviteUrl"])
        with nobody_else(world.store, interview["id"], first), anyio.fail_after(60):
            assert "Q2" in (await answer(two, other, LONG)).text
        assert "Q2" in (await answer(one, page, LONG)).text


async def test_what_says_not_what_it_changes_waits_for_everybody_and_everybody_for_it(world, database):
    interview, order = await set_up(world), []

    def administrate():
        other = Store(database)
        with other.writing():
            order.append("administrator")
        other.close()

    async def create(http):
        await http.post("/interviews", json={"title": "Another"})
        order.append("another")

    async with rest_of(world) as http, anyio.create_task_group() as tasks:
        with nobody_else(world.store, interview["id"]):
            tasks.start_soon(anyio.to_thread.run_sync, administrate)
            await until(world, waiting=1)
            tasks.start_soon(create, http)
            await until(world, waiting=2)
            order.append("who was there first")
    assert order == ["who was there first", "administrator", "another"]


async def until(world, waiting):
    """Until so many wait for a lock in this database."""
    asked = text(
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted "
        "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    with anyio.fail_after(30):
        while True:
            with world.store.reading() as db:
                if db.execute(asked).scalar() >= waiting:
                    return
            await anyio.sleep(0)


async def test_who_waits_too_long_is_told_so_and_nothing_is_changed(world, monkeypatch):
    monkeypatch.setattr(locks, "PATIENCE", 0.2)
    interview = await set_up(world)
    async with rest_of(world) as http, world.browser() as browser:
        page = await begin(browser, interview["people"][0]["inviteUrl"])
        with nobody_else(world.store, interview["id"]):
            refused = await http.patch(f"/interviews/{interview['id']}", json={"title": "New"})
            shown = await answer(browser, page, LONG)
        assert (refused.status_code, refused.json()["error"]["message"]) == (
            503,
            "The database is busy or cannot be written. Nothing was changed; try again.",
        )
        assert (shown.status_code, "send it again" in shown.text) == (503, True)
        assert (await http.get(f"/interviews/{interview['id']}")).json()["data"]["title"] == "T"
        assert "Q2" in (await answer(browser, page, LONG)).text


async def test_who_is_killed_while_changing_holds_up_nobody(world, database):
    interview = await set_up(world)
    script = (
        "import sys\nfrom aural_mcp.backend.storage.store import Store\n"
        "with Store(sys.argv[1]).writing(sys.argv[2]):\n    print('holds', flush=True)\n    sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", script, database, interview["id"]]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"holds\n"
        async with rest_of(world) as http, anyio.create_task_group() as tasks:

            async def change():
                assert (await http.patch(f"/interviews/{interview['id']}", json={"title": "New"})).status_code == 200

            tasks.start_soon(change)
            await until(world, waiting=1)
            other.kill()


# ── What must come out the same ─────────────────────────────────────────────────────────────────


async def test_a_crowd_at_one_link_in_two_processes_loses_nothing_and_tells_everything_once(world, database):
    webhooks.add(world.store, "https://hooks.example/", [])
    other = make_world(database)
    interview = await set_up(world)
    people, statuses = 8, set()

    async def take(there, number):
        async with there.browser() as browser:
            page = await begin(browser, interview["url"], f"Candidate {number}")
            for step in range(2):
                page = await answer(browser, page, f"{number}-{step} {LONG}")
            statuses.add((page.status_code, "You are done" in page.text))

    async def recruit(there):
        async with rest_of(there) as http:
            for number in range(people):
                changed = await http.patch(f"/interviews/{interview['id']}", json={"description": f"{number}"})
                listed = await http.get(f"/interviews/{interview['id']}/sessions")
                statuses.add((max(changed.status_code, listed.status_code), True))

    async with anyio.create_task_group() as tasks:
        for there in (world, other):
            tasks.start_soon(recruit, there)
        for number in range(people):
            tasks.start_soon(take, (world, other)[number % 2], number)
    assert statuses == {(200, True)}
    async with rest_of(other) as http:
        listed = (await http.get(f"/interviews/{interview['id']}/sessions", params={"limit": 50})).json()["data"]
        said = [
            [turn["content"].partition(" ")[0] for turn in turns if turn["role"] == "USER"]
            for turns in [(await http.get(f"/sessions/{each['id']}")).json()["data"]["messages"] for each in listed]
        ]
    assert sorted(said) == [[f"{number}-0", f"{number}-1"] for number in range(people)]
    with world.store.reading() as db:
        told = [kind for kind in db.execute(select(outbox.events.c.type)).scalars() if kind.startswith("session.")]
    assert sorted(told) == ["session.completed"] * people + ["session.started"] * people
    other.store.close()


async def test_a_text_that_nobody_was_told_before_is_kept_once_by_all_who_are_told_it_at_once(world, database):
    other = make_world(database)
    made = [await set_up(world) for _ in range(6)]
    async with anyio.create_task_group() as tasks:

        async def take(there, interview):
            async with there.browser() as browser:
                assert "Q1" in (await begin(browser, interview["url"])).text

        for number, interview in enumerate(made):
            tasks.start_soon(take, (world, other)[number % 2], interview)
    other.store.close()


async def test_only_so_many_begin_from_one_address_however_many_processes_they_ask(world, database):
    other = make_world(database)
    interview, allowed = await set_up(world), 30
    seen = []

    async def come(there, number):
        async with there.browser() as browser:
            seen.append((await begin(browser, interview["url"], f"Nobody's name {number}")).status_code)

    async with anyio.create_task_group() as tasks:
        for number in range(allowed + 6):
            tasks.start_soon(come, (world, other)[number % 2], number)
    assert (seen.count(200), seen.count(429)) == (allowed, 6)
    other.store.close()


async def test_sessions_without_a_word_are_marked_once_however_many_look_and_one_that_goes_on_is_left(world, database):
    webhooks.add(world.store, "https://hooks.example/", [])
    interview = await set_up(world, 5)
    for person in interview["people"]:
        async with world.browser() as browser:
            await begin(browser, person["inviteUrl"])
    let_time_pass(world, minutes=90)
    with world.store.reading() as db:
        busy = db.execute(select(sessions.c.id)).scalars().first()
    stores = [Store(database) for _ in range(3)]
    with nobody_else(world.store, interview["id"], busy):
        async with anyio.create_task_group() as tasks:
            for each in stores * 2:
                tasks.start_soon(anyio.to_thread.run_sync, sweep, each)
        with world.store.reading() as db:
            states = dict(db.execute(select(sessions.c.id, sessions.c.status)).all())
    assert states.pop(busy) == "IN_PROGRESS"
    assert set(states.values()) == {"ABANDONED"}
    sweep(stores[0])
    with world.store.reading() as db:
        told = list(db.execute(select(outbox.events.c.type)).scalars())
    assert told.count("session.abandoned") == 5
    for each in stores:
        each.close()


def test_a_reader_sees_one_state_whatever_others_store_meanwhile(world):
    with world.store.reading() as db:
        before = setting(db, "workspace")
        with nobody_else(world.store, "settings") as other:
            other.execute(settings.update().where(settings.c.name == "workspace").values(value="another"))
        assert setting(db, "workspace") == before
    with world.store.reading() as db:
        assert setting(db, "workspace") == "another"


# ── When the database goes away ─────────────────────────────────────────────────────────────────


@contextmanager
def gone(postgresql, world):
    """While the block runs, the database takes no connection, and those that there were are cut."""
    name = world.store.engine.url.database
    said = f"ALTER DATABASE {name} ALLOW_CONNECTIONS"
    cut = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
    postgresql.run("psql", "-q", "-d", "postgres", "-c", f"{said} false", "-c", cut)
    try:
        yield
    finally:
        postgresql.run("psql", "-q", "-d", "postgres", "-c", f"{said} true")


async def test_a_database_that_goes_away_is_a_503_and_all_goes_on_when_it_is_back(world, postgresql):
    interview = await set_up(world)
    link = interview["people"][0]["inviteUrl"]
    async with rest_of(world) as http, world.browser() as browser:
        page = await begin(browser, link)
        with gone(postgresql, world):
            refused = [
                await http.get("/usage"),
                await http.post("/interviews", json={"title": "New"}),
                await browser.get(link),
                await answer(browser, page, LONG),
            ]
        assert [each.status_code for each in refused] == [503] * 4
        assert "Nothing was changed" in refused[0].text
        assert "load it again" in refused[2].text
        assert "Nothing is stored twice" in refused[3].text
        assert not any(word in each.text.lower() for each in refused for word in ("psycopg", "connection", "postgres"))
        assert (await http.get("/usage")).json()["data"]["templates"]["used"] == 1
        assert "Q2" in (await answer(browser, page, LONG)).text


async def test_who_loses_the_database_at_the_very_end_is_told_that_it_may_have_been_done(world, postgresql):
    def cut(connection):
        if connection.get_execution_options().get("postgresql_readonly") is None:
            with gone(postgresql, world):
                pass

    async with rest_of(world) as http:
        event.listen(world.store.engine, "commit", cut)
        lost = await http.post("/interviews", json={"title": "New"})
        event.remove(world.store.engine, "commit", cut)
        assert (lost.status_code, "it may have been done" in lost.text) == (503, True)
        assert (await http.post("/interviews", json={"title": "New"})).status_code == 200

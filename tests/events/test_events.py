"""What happens is written down with the change itself, and delivered until it has arrived or is parked."""

import json
import re
from datetime import datetime

import anyio
import pytest
from sqlalchemy import insert, select, update

from aural_mcp.backend import webhooks
from aural_mcp.backend.interview.sessions import complete, sweep
from aural_mcp.backend.storage import tables
from aural_mcp.backend.storage.exchange import export_workspace
from aural_mcp.events import outbox, sharing
from aural_mcp.events.delivering import Deliverer
from aural_mcp.events.outbox import Happened
from aural_mcp.events.sending import Outcome
from aural_mcp.events.sharing import Lease
from conftest import DATABASES, answer, begin, ok, published
from examples import ANALYSIS
from receiver import SECRET, Receiver, hooked
from rows import add_session, let_time_pass

pytestmark = DATABASES
LONG = "I designed the consumer side and ran it for two years, with four thousand events a second, on call."


@pytest.fixture
def hook(world):
    """An endpoint of the embedded backend."""
    identifier, _ = webhooks.add(world.store, "https://hooks.example/x?token=query", [])
    return identifier


def noted(world):
    """What is in the outbox: payloads, in the order in which it happened."""
    with world.store.reading() as db:
        payloads = [json.loads(each) for each in db.execute(select(outbox.events.c.payload)).scalars()]
    return sorted(payloads, key=lambda each: datetime.fromisoformat(each["timestamp"]))


# ── What is noted ───────────────────────────────────────────────────────────────────────────────


async def test_the_embedded_backend_notes_every_event_with_ids_and_times_only(agent, world, hook):
    made = await published(agent, [{"text": "What did you build?"}, {"text": "Why?"}])
    people = [{"name": "Robin Vega", "email": "robin@x.test"}, {"name": "Ann"}]
    invited = (await ok(agent, "create_candidates", interviewId=made["id"], candidates=people))["data"]
    async with world.browser() as browser:
        page = await begin(browser, invited[0]["inviteUrl"])
        await answer(browser, await answer(browser, page, LONG), LONG)
    session = (await ok(agent, "list_sessions", interviewId=made["id"]))["data"][0]["id"]
    analysis = {**ANALYSIS, "criteriaEvaluations": []}
    headers = {"authorization": "Bearer dlv_test_in_process"}
    async with world.browser() as http:
        saved = await http.put(f"/api/v1/sessions/{session}/analysis", json=analysis, headers=headers)
    assert saved.status_code == 200, saved.text
    ids = {"interviewId": made["id"], "sessionId": session, "candidateId": invited[0]["id"]}
    registered = [{"interviewId": made["id"], "candidateId": each["id"], "status": "REGISTERED"} for each in invited]
    found = noted(world)
    assert [(each["type"], without_at(each)) for each in found if each["type"] != "candidate.registered"] == [
        ("session.started", ids | {"status": "IN_PROGRESS"}),
        ("session.completed", ids | {"status": "COMPLETED"}),
        ("session.scored", ids | {"status": "COMPLETED"}),
    ]
    assert [without_at(each) for each in found if each["type"] == "candidate.registered"] in (
        registered,
        registered[::-1],
    )
    assert all(each["data"]["at"] == each["timestamp"] for each in found)
    assert not re.search("Robin|Vega|Ann|designed|x.test|8", json.dumps([without_ids(each) for each in found]))


def without_at(payload):
    return {name: value for name, value in payload["data"].items() if name != "at"}


def without_ids(payload):
    return {"type": payload["type"], "data": sorted(payload["data"]), "status": payload["data"]["status"]}


async def test_a_session_that_is_abandoned_twice_is_told_twice(agent, world, hook):
    made = await published(agent, [{"text": "Q1"}, {"text": "Q2"}])
    async with world.browser() as browser:
        await answer(browser, await begin(browser, made["url"]), LONG)
        for _ in range(2):
            let_time_pass(world, minutes=61)
            sweep(world.store)
            sweep(world.store)
            await browser.get(made["url"])
    assert [each["type"] for each in noted(world)].count("session.abandoned") == 2


async def test_a_change_that_is_taken_back_has_not_happened(agent, world, hook):
    made = (await ok(agent, "create_interview", title="T"))["id"]
    session = add_session(world, made, status="IN_PROGRESS", startedAt="2026-01-01T00:00:00+00:00")

    def half():
        with world.store.writing() as db:
            row = db.execute(select(tables.sessions).where(tables.sessions.c.id == session)).mappings().one()
            complete(db, dict(row))
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        half()
    assert noted(world) == []


async def test_nothing_is_kept_where_nobody_listens(agent, world):
    made = (await ok(agent, "create_interview", title="T"))["id"]
    await ok(agent, "create_candidates", interviewId=made, candidates=[{"name": "Ann"}])
    assert noted(world) == []


async def test_ids_follow_from_what_happened_and_the_same_is_noted_once(world, hook):
    once = Happened(outbox.SCORED, "i", "2026-01-01T00:00:00+00:00", "COMPLETED", "s", None)
    again = Happened(outbox.SCORED, "i", "2026-01-02T00:00:00+00:00", "COMPLETED", "s", None)
    for expected in (2, 0):
        with world.store.writing() as db:
            assert outbox.note(db, [once, once, again, again], now=0.0) == expected
    with world.store.reading() as db:
        ids = set(db.execute(select(outbox.events.c.id)).scalars())
    assert all(re.fullmatch("msg_[0-9a-f]{32}", each) for each in ids)
    assert len(ids) == 2


async def test_endpoints_and_what_is_on_its_way_are_not_exported(world, hook):
    assert not re.search("whsec_|hooks.example|aural_mcp_", json.dumps(export_workspace(world.store)))


# ── Until it has arrived ────────────────────────────────────────────────────────────────────────


class Clock:
    def __init__(self):
        self.now = 1_000_000.0

    def __call__(self):
        return self.now


def filled(world, number, endpoint):
    """An outbox with so many events."""
    at = "2026-01-01T00:00:00+00:00"
    happened = [Happened(outbox.COMPLETED, "i", at, "COMPLETED", f"s{n}", None) for n in range(number)]
    with world.store.writing() as db:
        outbox.add_endpoint(db, endpoint, "https://hooks.example/", secret=None, allow=(), now=0)
        outbox.note(db, happened, now=0)


def counts(world, endpoint="ep"):
    with world.store.reading() as db:
        return outbox.counts(db)[endpoint]


async def test_a_receiver_that_fails_gets_ten_attempts_in_three_days_and_then_it_is_parked(world):
    clock, attempts = Clock(), []
    filled(world, 1, "ep")

    def behave(_id, _times):
        attempts.append(clock.now - 1_000_000)
        return "500"

    async with hooked(behave) as (receiver, webhook):
        deliverer = Deliverer(world.store, lambda _: [webhook], Lease(world.store, "t"), clock=clock)
        for _ in range(400):
            await deliverer.deliver_due()
            clock.now += 900
        assert counts(world) == {"parked": 1}
        assert len(attempts) == 10
        assert 3 * 86_400 < attempts[-1] < 3.6 * 86_400
        with world.store.writing() as db:
            assert outbox.revive(db, [], now=clock.now) == 1
        receiver.behave = lambda _id, _times: "ok"
        await deliverer.deliver_due()
    assert counts(world) == {"delivered": 1}
    assert receiver.unsigned == 0
    assert len(receiver.came) == 1


async def test_what_arrived_is_forgotten_after_thirty_days_and_what_is_parked_stays(world):
    filled(world, 3, "ep")
    clock, stopping = Clock(), anyio.Event()

    class Ready:
        id, at_once = "ep", 1

        async def send(self, delivery):
            stopping.set()
            return Outcome()

        async def aclose(self):
            pass

    with world.store.writing() as db:
        arrived, parked, _ = outbox.due(db, "ep", clock.now, 3)
        outbox.settle(db, arrived, "ep", state="delivered", next_at=clock.now)
        outbox.settle(db, parked, "ep", state="parked", next_at=clock.now)
    clock.now += 31 * 86_400
    await Deliverer(world.store, lambda _: [Ready()], Lease(world.store, "t"), clock=clock).run(stopping)
    assert counts(world) == {"delivered": 1, "parked": 1}
    with world.store.reading() as db:
        assert len(db.execute(select(outbox.events.c.id)).all()) == 2


async def test_one_endpoint_that_is_down_does_not_hold_up_another(world, monkeypatch):
    filled(world, 0, "down")
    filled(world, 40, "up")
    async with hooked(lambda _id, _times: "timeout") as (_, down), hooked() as (receiver, up):
        down.id, up.id = "down", "up"
        stopping = anyio.Event()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(Deliverer(world.store, lambda _: [down, up], Lease(world.store, "t")).run, stopping)
            with anyio.fail_after(60):
                while len(receiver.accepted) < 40:
                    await anyio.sleep(0.01)
            tasks.cancel_scope.cancel()
    assert counts(world, "down") == {"pending": 40}


async def test_what_is_on_its_way_when_it_stops_is_waited_for(world):
    filled(world, 1, "ep")
    release, stopping = anyio.Event(), anyio.Event()

    class Slow:
        id, at_once = "ep", 1

        async def send(self, delivery):
            stopping.set()
            await release.wait()
            return Outcome()

        async def aclose(self):
            pass

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(Deliverer(world.store, lambda _: [Slow()], Lease(world.store, "t")).run, stopping)
        await stopping.wait()
        await anyio.sleep(0.05)
        release.set()
    assert counts(world) == {"delivered": 1}


async def test_two_processes_share_the_work_and_one_with_another_plan_stands_by_until_they_have_gone(world):
    clock = Clock()
    first, second, other = (Lease(world.store, "t", plan, clock=clock) for plan in ("a", "a", "b"))
    assert await first.hold()
    assert await second.hold()
    assert not await other.hold()
    clock.now += sharing.LEASE - 1
    assert await first.hold()
    assert (first.processes, await other.hold()) == (2, False)
    clock.now += sharing.LEASE - 1  # in which the second one says nothing
    assert await first.hold()
    assert (first.processes, await other.hold()) == (1, False)
    await first.release()
    clock.now += sharing.RENEW
    assert await other.hold()
    assert not await second.hold()


async def test_a_process_of_an_earlier_version_shares_with_nobody(world):
    clock = Clock()
    lease = Lease(world.store, "t", clock=clock)
    with world.store.writing() as db:
        db.execute(insert(outbox.leases).values(name="t", holder="host 1 abcd", until=clock.now + 20))
    assert not await lease.hold()
    clock.now += 20
    assert await lease.hold()


async def test_a_process_of_this_computer_that_is_gone_is_followed_at_once(world):
    first, second = Lease(world.store, "t", "a"), Lease(world.store, "t", "b")
    first._row["place"] = f"{first._row['place'].rsplit(' ', 1)[0]} 999999999"
    assert await first.hold()
    assert await second.hold()


async def test_a_delivery_is_claimed_by_one_process_and_free_again_when_that_is_killed(world):
    filled(world, 3, "ep")
    clock, hanging, sent = Clock(), anyio.Event(), []

    class Noting:
        id, at_once = "ep", 2

        def __init__(self, name):
            self.name = name

        async def send(self, delivery):
            sent.append((self.name, delivery.event))
            if self.name == "first":
                await hanging.wait()
            return Outcome()

    first, second = (Lease(world.store, "t", clock=clock) for _ in range(2))
    ours = Deliverer(world.store, lambda _: [Noting("first")], first, clock=clock)
    theirs = Deliverer(world.store, lambda _: [Noting("second")], second, clock=clock)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ours.deliver_due)
        with anyio.fail_after(30):
            while len(sent) < 2:
                await anyio.sleep(0.01)
        await theirs.deliver_due()
        assert len(sent) == 2  # as many as the endpoint takes at once, of all processes
        clock.now += sharing.LEASE
        await theirs.deliver_due()
        hanging.set()
    names = [name for name, _ in sent]
    assert (names.count("first"), names.count("second")) == (2, 3)
    assert len({event for _, event in sent}) == 3
    assert counts(world) == {"delivered": 3}


async def test_the_backend_delivers_what_happened_while_it_is_served(agent, world):
    async with Receiver(SECRET).listening() as receiver:
        identifier, _ = webhooks.add(world.store, receiver.url, ["127.0.0.0/8"])
        with world.store.writing() as db:
            db.execute(update(outbox.endpoints).values(secret=SECRET))
        made = (await ok(agent, "create_interview", title="T"))["id"]
        await ok(agent, "create_candidates", interviewId=made, candidates=[{"name": "Ann"}, {"name": "Bob"}])
        async with webhooks.delivering(world.store, sweep):
            with anyio.fail_after(60):
                while counts(world, identifier).get("delivered") != 2:
                    await anyio.sleep(0.01)
        with world.store.writing() as db:
            outbox.remove_endpoint(db, identifier)
    assert {each["type"] for each in receiver.payloads} == {"candidate.registered"}
    assert receiver.unsigned == 0
    with world.store.reading() as db:
        assert outbox.list_endpoints(db) == []

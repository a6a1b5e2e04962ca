"""A public link: not any number of sessions from one place, and nobody begins anew for a better score unseen."""

import anyio
import httpx
import pytest
from mcp import Client
from sqlalchemy import func, select

from aural_mcp.backend.interview.starting import HOUR
from aural_mcp.backend.rest.app import LocalKey, create_app
from aural_mcp.backend.storage import tables
from aural_mcp.backend.storage.store import owner
from aural_mcp.config import BadSetting, Starts, read_settings
from conftest import DATABASES, KEY, ORIGIN, ok, published

pytestmark = DATABASES
QUESTION = {"text": "Why queues?", "type": "OPEN_ENDED"}


def app_of(world, **allowed):
    key = LocalKey(KEY, owner(world.store).user_id)
    return create_app(world.store, origin=lambda: ORIGIN, local_key=key, starts=Starts(**allowed))


async def begun(app, url, name, *, address="192.0.2.1", email="", agent="A", **headers):
    """The status with which somebody with a fresh browser begins."""
    transport = httpx.ASGITransport(app, client=(address, 1))
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers={"user-agent": agent, **headers}) as one:
        one.cookies.set("aural_cookies", "1")
        form = {"name": name, "email": email, "consent": "yes"}
        return (await one.post(f"{url}/start", data=form)).status_code


def number_of(world, table=tables.sessions):
    with world.store.reading() as db:
        return db.execute(select(func.count()).select_from(table)).scalar()


@pytest.fixture
async def agent(world):
    async with Client(world.server) as connected:
        yield connected


async def test_one_address_begins_so_many_however_fast(world, agent):
    url = (await published(agent, [QUESTION]))["url"]
    app, answers = app_of(world), []

    async def one(number):
        answers.append(await begun(app, url, f"Person {number}", agent=f"Browser {number}"))

    async with anyio.create_task_group() as tasks:
        for number in range(45):
            tasks.start_soon(one, number)
    assert (answers.count(303), answers.count(429)) == (30, 15)
    assert number_of(world) == 30
    assert await begun(app, url, "From elsewhere", address="192.0.2.2") == 303
    other = (await published(agent, [QUESTION], title="Another"))["url"]
    assert await begun(app, other, "Same place, another interview") == 303


async def test_after_an_hour_the_next_may_begin_and_0_is_no_limit(world, agent):
    url = (await published(agent, [QUESTION]))["url"]
    app = app_of(world, per_hour=2)
    assert [await begun(app, url, name, agent=name) for name in "abc"] == [303, 303, 429]
    assert [await begun(app_of(world, per_hour=0), url, name, agent=name) for name in "def"] == [303] * 3
    with world.store.writing() as db:
        db.execute(tables.starts.update().values(at=tables.starts.c.at - HOUR))
    assert await begun(app, url, "g", agent="g") == 303


@pytest.mark.parametrize(
    ("address", "forwarded", "same"),
    [
        ("10.0.0.9", ["198.51.100.1", "198.51.100.1"], True),
        ("10.0.0.9", ["198.51.100.1", "198.51.100.2"], False),
        ("10.0.0.9", ["6.6.6.6, 198.51.100.1", "7.7.7.7, 198.51.100.1"], True),
        ("10.0.0.9", ["2001:db8:1:2::1", "2001:db8:1:2:ffff::9"], True),
        ("10.0.0.9", ["2001:db8:1:2::1", "2001:db8:1:3::1"], False),
        ("10.0.0.9", ["::ffff:198.51.100.1", "198.51.100.1"], True),
    ],
)
async def test_behind_a_proxy_the_header_that_is_trusted_tells_the_address(world, agent, address, forwarded, same):
    url = (await published(agent, [QUESTION]))["url"]
    app = app_of(world, per_hour=1, address_header="X-Forwarded-For")
    each = [
        await begun(app, url, f"P{n}", agent=f"{n}", address=address, **{"x-forwarded-for": said})
        for n, said in enumerate(forwarded)
    ]
    assert each == [303, 429 if same else 303]


async def test_a_header_that_nobody_trusts_tells_nothing(world, agent):
    url = (await published(agent, [QUESTION]))["url"]
    app = app_of(world, per_hour=1)
    for number, name in enumerate(("X-Forwarded-For", "X-Real-IP", "Forwarded", "CF-Connecting-IP", "True-Client-IP")):
        status = await begun(app, url, f"P{number}", agent=str(number), **{name: f"198.51.100.{number}"})
        assert status == (429 if number else 303)


@pytest.mark.parametrize(
    ("again", "by"),
    [
        ({"name": "robin  VEGA", "agent": "B", "address": "192.0.2.7"}, "name"),
        ({"name": "Ｒobin Vega", "agent": "B", "address": "192.0.2.7"}, "name"),
        ({"name": "R. V.", "email": "Robin@X.org ", "agent": "B", "address": "192.0.2.7"}, "e-mail"),
        ({"name": "Somebody", "email": "else@x.org"}, "device"),
        ({"name": "Robin Vega", "email": "robin@x.org"}, "name and e-mail and device"),
        ({"name": "Ana Silva", "agent": "B", "address": "192.0.2.7"}, None),
        ({"name": "Ana Silva", "agent": "B"}, None),
    ],
)
async def test_who_began_before_is_noted_and_refused_where_each_begins_once(world, agent, again, by):
    made = await published(agent, [QUESTION])
    app = app_of(world)
    assert await begun(app, made["url"], "Robin Vega", email="robin@x.org") == 303
    first = (await ok(agent, "list_sessions", interviewId=made["id"]))["data"][0]["id"]
    assert await begun(app_of(world, once=True), made["url"], **again) == (409 if by else 303)
    if by is None:
        return
    assert number_of(world) == 1
    assert await begun(app, made["url"], **again) == 303
    rows = (await ok(agent, "list_sessions", interviewId=made["id"]))["data"]
    second = next(row["id"] for row in rows if row["id"] != first)
    report = await ok(agent, "get_session_report", sessionId=second)
    assert report["integrityLog"][0]["type"] == "began_twice"
    assert report["integrityLog"][0]["detail"] == f"Same {by} as session {first}."
    assert not (await ok(agent, "get_session_report", sessionId=first)).get("integrityLog")


async def test_namesakes_with_addresses_of_their_own_both_begin(world, agent):
    url = (await published(agent, [QUESTION]))["url"]
    app = app_of(world, once=True)
    assert await begun(app, url, "Wang Wei", email="a@x.org") == 303
    assert await begun(app, url, "Wang Wei", email="b@x.org", agent="B", address="192.0.2.9") == 303


async def test_what_is_kept_of_an_address_tells_nothing_beyond_the_interview(world, agent):
    app = app_of(world)
    for title in ("One", "Two"):
        assert await begun(app, (await published(agent, [QUESTION], title=title))["url"], "P") == 303
    with world.store.reading() as db:
        rows = db.execute(select(tables.starts)).mappings().all()
    assert len({row["address"] for row in rows}) == 2
    assert "192.0.2.1" not in str(rows)


def test_settings_say_how_many_and_who(world):
    given = {"AURAL_STARTS_PER_HOUR": "5", "AURAL_ONE_SESSION": "1", "AURAL_ADDRESS_HEADER": "X-Real-IP"}
    assert read_settings(given).starts == Starts(5, True, "X-Real-IP")
    assert read_settings({}).starts == Starts(30, False, "")
    for name, value in (
        ("AURAL_ADDRESS_HEADER", "X: y"),
        ("AURAL_ONE_SESSION", "${X}"),
        ("AURAL_STARTS_PER_HOUR", "-1"),
    ):
        with pytest.raises(BadSetting, match=name):
            read_settings({name: value})

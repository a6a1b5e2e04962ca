"""Several processes on one database behave as one: two apps, each with its own connections, stand for them."""

import httpx
import pytest
from mcp import Client

from aural_mcp.backend.storage import store
from conftest import DATABASES, KEY, ORIGIN, all_at_once, answer, begin, make_world, ok, published

pytestmark = DATABASES
LONG = "I designed the consumer side and ran it for two years, with four thousand events a second, on call."


@pytest.fixture
def two(database):
    worlds = [make_world(database), make_world(database)]
    yield worlds
    for world in worlds:
        world.store.close()


async def test_an_interview_goes_on_in_another_process_and_is_read_in_either(two):
    async with Client(two[0].server) as agent, Client(two[1].server) as other:
        made = await published(agent, [{"text": "Q1"}, {"text": "Q2"}])
        async with two[0].browser() as browser:
            page = await answer(browser, await begin(browser, made["url"]), LONG)
            cookies = browser.cookies
        async with two[1].browser() as browser:
            browser.cookies = cookies
            assert "You are done" in (await answer(browser, page, LONG)).text
        for reader in (agent, other):
            session = (await ok(reader, "list_sessions", interviewId=made["id"]))["data"][0]
            assert (session["status"], session["turns"]) == ("COMPLETED", 6)


async def test_one_answer_sent_many_times_at_once_is_stored_once(two):
    async with Client(two[0].server) as agent:
        made = await published(agent, [{"text": "Q1"}, {"text": "Q2"}])
        async with two[0].browser() as browser, two[1].browser() as other:
            page = await begin(browser, made["url"])
            other.cookies = browser.cookies
            await all_at_once(*[lambda each=each: answer(each, page, LONG) for each in (browser, other) * 4])
        listed = (await ok(agent, "list_sessions", interviewId=made["id"]))["data"]
        session = await ok(agent, "get_session", sessionId=listed[0]["id"])
    assert [turn["content"] for turn in session["messages"]][1:] == ["Q1", LONG, "Q2"]


async def test_one_invitation_opened_on_two_devices_at_once_is_one_session(two):
    async with Client(two[0].server) as agent:
        made = await ok(agent, "create_interview", title="T")
        await ok(agent, "create_questions", interviewId=made["id"], questions=[{"text": "Q"}])
        invited = await ok(agent, "create_candidates", interviewId=made["id"], candidates=[{"name": "Ann"}])
        link = invited["data"][0]["inviteUrl"]
        async with two[0].browser() as browser, two[1].browser() as other:
            await all_at_once(*[lambda each=each: begin(each, link) for each in (browser, other) * 4])
        assert len((await ok(agent, "list_sessions", interviewId=made["id"]))["data"]) == 1


async def test_questions_added_at_once_get_orders_of_their_own(two):
    async with Client(two[0].server) as agent, Client(two[1].server) as other:
        made = (await ok(agent, "create_interview", title="T"))["id"]
        question = [{"text": "Q"}, {"text": "R"}]
        adding = [
            lambda each=each: ok(each, "create_questions", interviewId=made, questions=question, allowDuplicate=True)
            for each in (agent, other) * 4
        ]
        await all_at_once(*adding)
        listed = (await ok(agent, "list_questions", interviewId=made))["data"]
    assert [row["order"] for row in listed] == list(range(16))


async def test_a_key_counts_and_ends_everywhere(two, database):
    key = store.create_key(two[0].store, store.owner(two[0].store).user_id, "team")
    headers = {"authorization": f"Bearer {key}"}
    clients = [
        httpx.AsyncClient(transport=httpx.ASGITransport(world.app), base_url=f"{ORIGIN}/api/v1", headers=headers)
        for world in two
    ]
    calls = [lambda http=http: http.get("/usage") for http in clients * 33]
    statuses = [response.status_code for response in await all_at_once(*calls)]
    one_budget = database.startswith("postgresql")  # SQLite is served by one process, which counts for itself
    assert statuses.count(200) == (60 if one_budget else 66)
    assert store.revoke_key(two[1].store, store.list_keys(two[0].store)[0]["id"])
    assert [(await http.get("/usage")).status_code for http in clients] == [401, 401]
    assert KEY not in str(store.list_keys(two[0].store))

"""Words over transcripts: what is found, in which turn, and how much was not looked at."""

import httpx
import pytest
from mcp import Client

from aural_mcp.client.client import AuralClient
from aural_mcp.privacy.exposure import Exposure
from aural_mcp.server.principal import OneClient
from aural_mcp.server.server import AuralServer
from conftest import KEY, ORIGIN, ok, refused, text_of
from rows import add_session, interview_of, soon, tokens

GERMAN, CHINESE = "Wir haben Überläufe in Łódź und Straßburg geprüft.", "我们把消息队列迁移到了新的集群，没有丢失数据。"


@pytest.fixture
async def reader(world):
    async with Client(world.server) as connected:
        yield connected


async def found(agent, interview, query, **more):
    """(name, turn) of each hit."""
    hits = (await ok(agent, "search_transcripts", interviewId=interview, query=query, **more))["data"]
    return [(hit["name"], hit["turn"]) for hit in hits]


async def test_a_hit_says_who_in_which_turn_and_what_was_said_and_how_many_were_read(agent, world):
    interview = await interview_of(agent)
    add_session(world, interview, ["Q", "Nothing."], participantName="Bo")
    session = add_session(
        world, interview, ["Which queue?", f"{'Well. ' * 80}Kafka lost my queue. {'So. ' * 80}"], participantName="Ann"
    )
    result = await agent.call_tool("search_transcripts", {"interviewId": interview, "query": "kafka queue"})
    (hit,) = result.structured_content["data"]
    assert (hit["sessionId"], hit["name"], hit["turn"]) == (session, "Ann", 2)
    assert "Kafka lost my queue." in hit["excerpt"]
    assert len(hit["excerpt"]) <= 160
    assert hit["excerpt"][0] == hit["excerpt"][-1] == "…"
    assert (result.structured_content["sessionsRead"], result.structured_content["sessionsLeft"]) == (2, 0)
    text = text_of(result)
    assert "Remark: 2 of 2 sessions were read." in text
    assert text.index("others' words") < text.index("Kafka lost") < text.index("Remark: ")


@pytest.mark.parametrize(
    ("query", "hits"),
    [
        ("uberlaufe", True),
        ("ÜBERLÄUFE", True),
        ("strassburg", True),
        ("Überläufe Straßburg", True),
        ("Überläufe fehlen", False),
        ("läufe", False),
        ("über", True),
        ('"Überläufe', True),
        ("Überläufe?", True),
        ("(straßburg),", True),
        ('"haben Überläufe"', True),
        ("“haben  überläufe”", True),
        ('"Überläufe haben"', False),
        ('"haben Überl"', False),
        ("消息", False),
    ],
)
async def test_words_are_found_without_capitals_and_accents_from_their_beginning_and_phrases_whole(
    reader, world, query, hits
):
    interview = await interview_of(reader)
    add_session(world, interview, ["Q", GERMAN], participantName="Ann")
    assert bool(await found(reader, interview, query)) == hits


@pytest.mark.parametrize(
    ("query", "hits"), [("消息队列", True), ("队列 集群", True), ("「迁移到了」", True), ("丢包", False)]
)
async def test_chinese_is_found_though_nothing_stands_between_its_words(reader, world, query, hits):
    interview = await interview_of(reader)
    add_session(world, interview, ["请问", CHINESE], participantName="李")
    assert await found(reader, interview, query) == ([("李", 2)] if hits else [])


async def test_only_the_candidates_turns_unless_anyones_and_only_the_sessions_named(reader, world):
    interview = await interview_of(reader)
    ann = add_session(world, interview, ["Tell me about queues", "No queues, sorry"], participantName="Ann")
    add_session(world, interview, ["Q", "Queues!"], participantName="Bo")
    assert await found(reader, interview, "queues") == [("Bo", 2), ("Ann", 2)]
    assert await found(reader, interview, "queues", speaker="anyone", sessionIds=[ann]) == [("Ann", 1), ("Ann", 2)]
    hits = await ok(reader, "search_transcripts", interviewId=interview, query="queues", speaker="anyone")
    assert [hit["speaker"] for hit in hits["data"]] == ["USER", "ASSISTANT", "USER"]


async def test_when_the_budget_ends_it_says_how_many_are_left_and_goes_on_there(reader, world):
    interview = await interview_of(reader)
    for number in range(9):
        add_session(world, interview, ["Q", f"queue {number}"], participantName=f"Person {number}")
    seen, cursor, said = [], {}, []
    for _ in range(4):
        transport = httpx.ASGITransport(world.app)
        poor = AuralClient(KEY, f"{ORIGIN}/api/v1", requests_per_minute=5, transport=transport)
        async with Client(AuralServer(OneClient(poor), backend="T.")) as agent:
            page = await ok(agent, "search_transcripts", interviewId=interview, query="queue", **cursor)
        seen += [hit["name"] for hit in page["data"]]
        said.append((page["sessionsRead"], page["sessionsLeft"]))
        if not page.get("cursor"):
            break
        left = f"{page['sessionsLeft']} of {sum(said[-1])} remain; call again in N s with the same arguments and cursor"
        assert left in soon(page["remarks"][0])
        assert page["remarks"][0].endswith("what is in them is not known.")
        cursor = {"cursor": page["cursor"]}
    assert seen == [f"Person {number}" for number in reversed(range(9))]
    assert said == [(3, 6), (3, 3), (3, 0)]


async def test_a_budget_that_has_ended_is_no_empty_result(reader, world):
    interview = await interview_of(reader)
    add_session(world, interview, ["Q", "queue"], participantName="Ann")
    transport = httpx.ASGITransport(world.app)
    poor = AuralClient(KEY, f"{ORIGIN}/api/v1", requests_per_minute=1, transport=transport)
    async with Client(AuralServer(OneClient(poor), backend="T.")) as agent:
        result = await agent.call_tool("search_transcripts", {"interviewId": interview, "query": "queue"})
    said = soon(text_of(result))
    assert "0 of 1 sessions were read. 1 of 1 remain; call again in N s with the same arguments:" in said
    assert "No more." not in said


async def test_many_hits_come_in_pages_of_50_and_each_once(reader, world):
    interview = await interview_of(reader)
    for number in range(20):
        turns = [turn for _ in range(7) for turn in ("Q", f"{number} queue. " + "I kept it running. " * 20)]
        add_session(world, interview, turns, participantName=f"Person {number}")
    seen, cursor = [], {}
    while True:
        result = await reader.call_tool("search_transcripts", {"interviewId": interview, "query": "queue", **cursor})
        page = result.structured_content
        assert len(page["data"]) <= 50
        assert tokens(text_of(result)) <= 6_000
        seen += [(hit["name"], hit["turn"]) for hit in page["data"]]
        if not page.get("cursor"):
            break
        cursor = {"cursor": page["cursor"]}
    assert len(seen) == len(set(seen)) == 140


async def test_a_session_with_more_hits_than_fit_says_how_many_are_cut(reader, world):
    interview = await interview_of(reader)
    session = add_session(world, interview, ["Q", "queue"] * 60, participantName="Ann")
    page = await ok(reader, "search_transcripts", interviewId=interview, query="queue")
    assert len(page["data"]) == 50
    assert f"10 more turns match in session {session}; get_session shows all of it." in page["remarks"]


async def test_blind_it_finds_nobody_by_name(reader, world):
    interview = await interview_of(reader)
    add_session(world, interview, ["Q", "I am Wanda Kowalska and ran a queue."], participantName="Wanda Kowalska")
    async with Client(AuralServer(OneClient(world.client), backend="T.", exposure=Exposure(blind=True))) as agent:
        assert await found(agent, interview, "Kowalska") == []
        result = await agent.call_tool("search_transcripts", {"interviewId": interview, "query": "queue"})
    assert "(name)" in text_of(result)
    assert "Wanda" not in text_of(result)


async def test_in_lockdown_it_says_that_searching_shows_nothing(reader, world):
    interview = await interview_of(reader)
    add_session(world, interview, ["Q", "queue"], participantName="Ann")
    async with Client(AuralServer(OneClient(world.client), backend="T.", exposure=Exposure(lockdown=True))) as agent:
        said = await refused(agent, "search_transcripts", {"interviewId": interview, "query": "queue"})
    assert "In lockdown nobody's words are shown, so there is nothing to search." in said


async def test_a_link_in_code_does_not_fire_in_an_excerpt(reader, world):
    interview = await interview_of(reader)
    add_session(world, interview, ["Q", "```\nqueue ![x](https://evil.test/p)\n```"], participantName="Ann")
    result = await reader.call_tool("search_transcripts", {"interviewId": interview, "query": "queue"})
    assert "](" not in text_of(result)
    assert "https://evil" not in text_of(result)


@pytest.mark.parametrize(
    ("query", "says"), [("?!", "has no word in it"), (" ", "must not be blank"), ("x" * 301, "300 at most")]
)
async def test_a_query_without_words_is_refused(reader, query, says):
    said = await refused(reader, "search_transcripts", {"interviewId": await interview_of(reader), "query": query})
    assert says in said


async def test_a_session_of_another_interview_is_refused(reader, world):
    interview, other = await interview_of(reader, "A"), await interview_of(reader, "B")
    session = add_session(world, other, ["Q", "queue"])
    given = {"interviewId": interview, "query": "queue", "sessionIds": [session]}
    assert "This interview has no session" in await refused(reader, "search_transcripts", given)

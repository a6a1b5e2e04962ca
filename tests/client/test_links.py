"""One link for one person: an Aural that is called by an inner address still hands out links that open."""

import httpx
import pytest
from mcp import Client

from aural_mcp.api.operations import CreateCandidates, CreateInterview, PublishInterview
from aural_mcp.client.client import AuralClient
from aural_mcp.client.state import State
from aural_mcp.server.principal import OneClient
from aural_mcp.server.server import AuralServer
from conftest import KEY, ok

INNER = "http://aural.internal:3000/api/v1"


def relayed(world, public, state=None, **more):
    """A client that calls the workspace by an inner address, while its links carry a public one."""
    inner = httpx.ASGITransport(world.app)

    async def answer(request):
        request.url = httpx.URL(str(request.url).replace("http://aural.internal:3000", "https://interviews.example"))
        response = await inner.handle_async_request(request)
        body = (await response.aread()).replace(b"https://interviews.example", public.encode())
        return httpx.Response(response.status_code, content=body, headers={"content-type": "application/json"})

    transport = httpx.MockTransport(answer)
    return AuralClient(KEY, INNER, requests_per_minute=0, transport=transport, state=state, **more)


def agent_of(client):
    return Client(AuralServer(OneClient(client), backend="T.", confirm="never"), read_timeout_seconds=60)


async def with_a_person(agent):
    interview = (await ok(agent, "create_interview", title="T"))["id"]
    made = await ok(agent, "create_candidates", interviewId=interview, candidates=[{"name": "Ana"}])
    return interview, made["data"][0]["inviteUrl"]


@pytest.mark.parametrize(
    "public",
    [
        "https://jobs.example.com",
        "https://jobs.example.com/aural",
        "http://192.0.2.7:8080",
        "https://a.b-c.example:8443",
    ],
)
async def test_every_link_is_the_one_that_aural_itself_gave(world, public):
    async with agent_of(relayed(world, public)) as agent:
        interview, given = await with_a_person(agent)
        assert given.startswith(f"{public}/i/invite/")
        listed = await ok(agent, "list_candidates", interviewId=interview, include=["inviteUrl"])
        assert listed["data"][0]["inviteUrl"] == given
        again = {"interviewId": interview, "candidates": [{"name": "Bo"}]}
        assert (await ok(agent, "import_candidates", **again, dryRun=False))["registered"] == 1
        published = (await ok(agent, "publish_interview", interviewId=interview))["url"]
        assert (await ok(agent, "get_interview", interviewId=interview))["url"] == published
        csv = (await agent.read_resource(f"aural://interviews/{interview}/invites.csv")).contents[0].text
        assert given in csv
        assert csv.count(f"{public}/i/invite/") == 2


async def test_before_aural_gave_one_it_is_said_that_links_are_built(world):
    async with agent_of(world.client) as agent:
        interview, given = await with_a_person(agent)
        await ok(agent, "publish_interview", interviewId=interview)
    async with agent_of(relayed(world, "https://jobs.example.com")) as agent:
        found = await ok(agent, "list_candidates", interviewId=interview, include=["inviteUrl"])
        assert found["data"][0]["inviteUrl"] == given.replace(
            "https://interviews.example", "http://aural.internal:3000"
        )
        assert "These links carry aural.internal:3000" in found["remarks"][-1]


async def test_another_process_of_the_same_key_knows_it_too_and_the_newest_counts(world, tmp_path):
    first = relayed(world, "https://old.example", State(lambda: tmp_path / "state.db"))
    interview = (await first.call(CreateInterview(title="T"))).id
    await first.call(PublishInterview(interview_id=interview))
    second = relayed(world, "https://new.example", State(lambda: tmp_path / "state.db"))
    assert await second.links_from() == ("https://old.example", "answers")
    people = CreateCandidates.model_validate({"interviewId": interview, "candidates": [{"name": "Ana"}]})
    await second.call(people)
    assert await first.link_origin() == await second.link_origin() == "https://new.example"
    assert await first.with_key("dlv_test_other").links_from() == ("http://aural.internal:3000", "guessed")


async def test_what_the_operator_sets_wins(world):
    client = relayed(world, "https://jobs.example.com", link_origin=lambda: "https://ours.example")
    async with agent_of(client) as agent:
        interview, _ = await with_a_person(agent)
        listed = await ok(agent, "list_candidates", interviewId=interview, include=["inviteUrl"])
        assert listed["data"][0]["inviteUrl"].startswith("https://ours.example/i/invite/")


@pytest.mark.parametrize("odd", ["javascript:alert(1)", "https://a b.example", "https://u@evil.example", ""])
async def test_what_is_no_origin_is_not_kept(world, odd):
    client = relayed(world, odd)
    interview = (await client.call(CreateInterview(title="T"))).id
    await client.call(PublishInterview(interview_id=interview))
    assert await client.links_from() == ("http://aural.internal:3000", "guessed")

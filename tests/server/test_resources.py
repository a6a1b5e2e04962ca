"""What can be read by address: listed without a key, whole, cheap to complete, and followed."""

import hashlib
import json
import warnings
from collections import Counter
from contextlib import asynccontextmanager

import anyio
import httpx
import pytest
from mcp import Client, MCPDeprecationWarning, MCPError
from mcp.shared.uri_template import UriTemplate
from mcp.types import (
    CacheableResult,
    PaginatedRequestParams,
    PromptReference,
    Request,
    RequestParams,
    ResourceTemplateReference,
    ResourceUpdatedNotification,
)

from aural_mcp.backend.storage.store import create_key, list_keys, owner, revoke_key
from aural_mcp.client.client import AuralClient
from aural_mcp.documents.render import skill_folder
from aural_mcp.server import following, resources
from aural_mcp.server.principal import KeyPerRequest, OneClient
from aural_mcp.server.server import AuralServer
from conftest import MODES, ORIGIN, answer, begin, ok, published, refused
from rows import add_session, interview_of
from wires import counting

LONG = "I ran it for two years: four thousand events a second, exactly once, on call every third week."
SESSION_PROMPT = PromptReference(type="ref/prompt", name="review_session")
INTERVIEW_TEMPLATE = ResourceTemplateReference(type="ref/resource", uri=resources.INTERVIEW)


def everything(_):
    return True


async def text_at(agent, uri):
    return (await agent.read_resource(uri)).contents[0].text


async def test_everything_that_is_listed_can_be_read_and_has_the_size_it_says(agent, world):
    add_session(world, await interview_of(agent), ["Q", "A"], participantName="Ann Lee")
    listed = (await agent.list_resources()).resources
    assert [each.uri for each in listed][:2] == ["aural://interviews", "aural://usage"]
    for each in listed:
        found = (await agent.read_resource(each.uri)).contents[0]
        assert found.mime_type == each.mime_type
        assert each.size in (None, len(found.text.encode()))
        assert all((each.title, each.description, each.annotations.priority))
    newest = listed[-1]
    assert newest.title == "Ann Lee: T"
    assert newest.annotations.last_modified


async def test_every_template_gives_the_document_it_promises(agent, world):
    ids = {"interviewId": await interview_of(agent, "Backend engineer")}
    await ok(agent, "create_questions", **ids, questions=[{"text": "What broke last?"}])
    made = await ok(agent, "create_candidates", **ids, candidates=[{"name": "Bo Ek"}])
    ids["candidateId"] = made["data"][0]["id"]
    ids["sessionId"] = add_session(world, ids["interviewId"], ["Q", "It broke."], participantName="Ann Lee")
    says = {
        resources.INTERVIEW: "# Backend engineer",
        f"{resources.INTERVIEW}/questions": "What broke last?",
        resources.SESSIONS: "Ann Lee",
        f"{resources.INTERVIEW}/candidates": "Bo Ek",
        f"{resources.INTERVIEW}/invites.csv": "Bo Ek,,https://interviews.example/i/invite/",
        resources.TRANSCRIPT: "> It broke.",
        resources.REPORT: "Not scored. That is not a low score.",
        f"{resources.SESSION}.json": '"participantName": "Ann Lee"',
        f"{resources.INTERVIEW}/results.md{{?sessions}}": "# Results: Backend engineer",
        f"{resources.INTERVIEW}/results.csv{{?sessions}}": f"{ids['sessionId']},Ann Lee",
        f"{resources.INTERVIEW}/results.json{{?sessions}}": '"name": "Ann Lee"',
        f"{resources.INTERVIEW}/results.html{{?sessions}}": '<h1 dir="auto">Backend engineer</h1>',
        f"{resources.PACKET}.md": "this person has not begun",
        f"{resources.PACKET}.json": '"name": "Bo Ek"',
    }
    templates = (await agent.list_resource_templates()).resource_templates
    assert {each.uri_template for each in templates} == set(says)
    for template, words in says.items():
        assert words in await text_at(agent, UriTemplate.parse(template).expand(ids))
    assert json.loads(await text_at(agent, f"aural://sessions/{ids['sessionId']}.json"))["id"] == ids["sessionId"]


async def test_a_list_resource_is_whole_where_a_tool_gives_pages(agent, world):
    interview = await interview_of(agent)
    for number in range(230):
        add_session(world, interview, participantName=f"Person {number}")
    text = await text_at(agent, f"aural://interviews/{interview}/sessions")
    assert all(f"; Person {number}; " in text for number in range(230))


async def test_a_report_has_everything_there_is(agent, world):
    insights = {
        "criteriaEvaluations": [{"name": "Design", "score": 8, "reasoning": "Named the trade-off."}],
        "toneAnalysis": {"overall": "calm"},
    }
    events = [{"type": "paste", "timestamp": 1767225600000, "detail": "40 characters"}] * 130
    interview = await interview_of(agent)
    fields = {"summary": "Good.", "insights": insights, "antiCheatingLog": events, "status": "COMPLETED"}
    session = add_session(world, interview, ["Q", "A"], **fields)
    whole = await text_at(agent, f"aural://sessions/{session}/report")
    for words in ("Good.", "8.0 (mean", "Named the trade-off.", "overall: calm", "paste: 130", "> A"):
        assert words in whole
    assert "in all: at: 2026-01-01T00:00:00Z; detail: 40 characters]" in whole
    assert whole.count("- paste\n") == 130
    tool = await ok(agent, "get_session_report", sessionId=session)
    assert len(tool["integrityLog"]) == 100
    assert tool["integrityCounts"] == {"paste": 130}
    assert "30 more integrity events are left out" in tool["remarks"][0]


async def test_an_older_deployment_gives_a_report_without_what_it_does_not_have():
    session = {"id": "s", "messages": [{"id": "m", "role": "USER", "content": "Hello"}], "interview": None}

    def backend(request):
        if request.url.path.endswith("/report"):
            return httpx.Response(404, html="<html>not found</html>")
        return httpx.Response(200, json={"data": session})

    client = AuralClient("dlv_test_1", "https://a.test/api/v1", transport=httpx.MockTransport(backend))
    async with Client(AuralServer(OneClient(client), backend="T.")) as agent:
        text = await text_at(agent, "aural://sessions/s/report")
    assert "\nThis deployment of Aural is older" in text
    assert "> Hello" in text


@pytest.mark.parametrize("uri", ["aural://nope", "aural://sessions/nope/transcript", "aural://interviews/%00"])
async def test_an_address_without_anything_is_an_invalid_request_that_says_what_there_is(agent, uri):
    with pytest.raises(MCPError, match=r"list_sessions|list_interviews|There are: aural://interviews") as refused:
        await agent.read_resource(uri)
    assert refused.value.error.code == -32602
    assert refused.value.error.data == {"uri": uri}


@pytest.mark.parametrize("mode", MODES)
async def test_without_a_key_the_list_is_what_needs_none(mode):
    client = AuralClient(None, "https://a.test/api/v1")
    async with Client(AuralServer(KeyPerRequest(client), backend="T."), mode=mode) as agent:
        assert (await agent.list_resources()).resources == resources.static(everything)
        assert "Aural Developer API" in await text_at(agent, "aural://docs/llms.txt")
        completed = await agent.complete(SESSION_PROMPT, {"name": "sessionId", "value": "a"})
        assert completed.completion.values == []
        with pytest.raises(MCPError, match="carries no Aural API key"):
            await agent.read_resource("aural://interviews")


@pytest.mark.parametrize("mode", MODES)
async def test_a_backend_that_fails_leaves_the_list_standing(mode):
    transport = httpx.MockTransport(lambda request: httpx.Response(500))
    client = AuralClient("dlv_test_1", "https://a.test/api/v1", transport=transport)
    async with Client(AuralServer(OneClient(client), backend="T."), mode=mode) as agent:
        assert (await agent.list_resources()).resources == resources.static(everything)


@pytest.mark.parametrize("mode", MODES)
async def test_listing_and_typing_cost_two_requests_a_minute(world, mode):
    seen = []
    async with Client(AuralServer(OneClient(counting(world, seen)), backend="T.", confirm="never"), mode=mode) as agent:
        older = await interview_of(agent, "Sales")
        newest = await interview_of(agent, "Backend engineer")
        session = add_session(world, newest, participantName="Zoë Ström")
        seen.clear()
        for typed in ("", "z", "zo", "zoë", "ström"):
            await agent.list_resources()
            completed = await agent.complete(SESSION_PROMPT, {"name": "sessionId", "value": typed})
            assert completed.completion.values == [session]
        for typed in ("sal", older[:9]):
            completed = await agent.complete(INTERVIEW_TEMPLATE, {"name": "interviewId", "value": typed})
            assert completed.completion.values == [older]
        assert seen == ["GET /api/v1/interviews", f"GET /api/v1/interviews/{newest}/sessions"]
        elsewhere = add_session(world, older, participantName="Quentin")
        await ok(agent, "list_sessions", interviewId=older)
        completed = await agent.complete(SESSION_PROMPT, {"name": "sessionId", "value": "quent"})
        assert completed.completion.values == [elsewhere]


async def test_one_keys_names_are_never_anothers(world):
    clients = KeyPerRequest(counting(world, []))
    server = AuralServer(clients, backend="T.")
    one, other = (server._recent(clients._client.with_key(f"dlv_test_{name}")) for name in "ab")
    one.note("list_sessions", {"data": [{"id": "s", "participantName": "Ann"}]})
    assert (one.matching("sessionId", "ann"), other.matching("sessionId", "ann")) == (["s"], [])


@pytest.mark.parametrize("first", ["look", "nothing"])
async def test_a_key_that_was_revoked_completes_nothing_that_was_seen_with_it(world, first):
    """Whatever tells that it is not accepted any more: the look that completion makes, or a call."""
    own = create_key(world.store, owner(world.store).user_id, "k")
    row = list_keys(world.store)[-1]["id"]
    client = AuralClient(own, f"{ORIGIN}/api/v1", requests_per_minute=0, transport=httpx.ASGITransport(world.app))
    server = AuralServer(OneClient(client), backend="T.", confirm="never")
    async with Client(server) as agent:
        interview = await interview_of(agent, "Sales")
        session = add_session(world, interview, participantName="Zoë Ström")
        if first != "nothing":
            assert "Zoë Ström: Sales" in {each.title for each in (await agent.list_resources()).resources}
        revoke_key(world.store, row)
        if first != "nothing":
            await refused(agent, "list_sessions", {"interviewId": interview})
        for typed in ("", "zo", "sal", session[:4], interview[:4]):
            for reference, name in ((SESSION_PROMPT, "sessionId"), (INTERVIEW_TEMPLATE, "interviewId")):
                completed = await agent.complete(reference, {"name": name, "value": typed})
                assert completed.completion.values == []
    async with Client(server) as host_without_a_copy:
        listed = (await host_without_a_copy.list_resources()).resources
        assert listed == resources.static(lambda tool: tool != "reveal_candidate")


async def test_hosts_may_keep_lists_for_a_while_but_to_themselves(world):
    async with Client(world.server) as agent:
        for result in (await agent.list_tools(), await agent.list_resources(), await agent.list_prompts()):
            assert result.ttl_ms >= 60_000
            assert result.cache_scope == "private"


# ── The skill ───────────────────────────────────────────────────────────────────────────────────


class Skills(CacheableResult):
    skills: list[dict] = []
    skill: dict = {}
    resources: list[dict] = []


class AtUri(RequestParams):
    uri: str


async def asked(agent, method, params):
    return await agent.session.send_request(Request(method=method, params=params), Skills)


async def test_the_skill_is_listed_with_digests_that_hold_and_its_folders_can_be_walked(world):
    async with Client(world.server) as agent:
        assert "io.modelcontextprotocol/skills" in agent.server_capabilities.extensions
        (skill,) = (await asked(agent, "skills/list", PaginatedRequestParams())).skills
        assert (await asked(agent, "skills/get", AtUri(uri=skill["uri"]))).skill == skill
        assert skill["frontmatter"]["name"] == "aural-hiring"
        files = sorted(path for path in (skill_folder() / "aural-hiring").rglob("*") if path.is_file())
        assert len(skill["resources"]) == len(files)
        for each in skill["resources"]:
            raw = (await text_at(agent, each["uri"])).encode()
            assert each["digest"] == f"sha256:{hashlib.sha256(raw).hexdigest()}"
            assert each["size"] == len(raw)
        top = (await asked(agent, "resources/directory/read", AtUri(uri="skill://aural-hiring"))).resources
        assert [each["name"] for each in top] == ["SKILL.md", "references"]
        inside = await asked(agent, "resources/directory/read", AtUri(uri=top[1]["uri"]))
        assert "workflows.md" in [each["name"] for each in inside.resources]
        for method in ("skills/get", "resources/directory/read"):
            with pytest.raises(MCPError) as refused:
                await asked(agent, method, AtUri(uri="skill://other/SKILL.md"))
            assert refused.value.error.code == -32602


# ── Following ───────────────────────────────────────────────────────────────────────────────────


@asynccontextmanager
async def followed(server, mode, uri):
    """A connected client that follows an address; gives it and the updates it hears."""
    send, heard = anyio.create_memory_object_stream(100)

    async def note(message):
        if isinstance(message, ResourceUpdatedNotification):
            await send.send(str(message.params.uri))

    async with send, heard:
        if mode == "legacy":
            async with Client(server, mode="legacy", message_handler=note, read_timeout_seconds=60) as agent:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", MCPDeprecationWarning)
                    await agent.subscribe_resource(uri)
                yield agent, heard
            return
        async with (
            Client(server, read_timeout_seconds=60) as agent,
            agent.listen(resource_subscriptions=[uri]) as events,
            anyio.create_task_group() as tasks,
        ):

            async def pump():
                async for event in events:
                    await send.send(str(event.uri))

            tasks.start_soon(pump)
            yield agent, heard
            tasks.cancel_scope.cancel()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", following.FOLLOWED)
async def test_who_follows_hears_of_each_change_once(world, monkeypatch, mode, kind):
    monkeypatch.setattr(following, "EVERY", 0.01)
    seen = []
    server = AuralServer(OneClient(counting(world, seen)), backend="T.", confirm="never")
    async with Client(world.server) as agent, world.browser() as browser:
        made = await published(agent, [{"text": "Q1"}, {"text": "Q2"}])
        page = await begin(browser, made["url"])
        session = (await ok(agent, "list_sessions", interviewId=made["id"]))["data"][0]["id"]
        uri = UriTemplate.parse(kind).expand({"interviewId": made["id"], "sessionId": session})
        async with followed(server, mode, uri) as (_, heard):
            with anyio.fail_after(30):
                for _ in range(2):
                    page = await answer(browser, page, LONG)
                    assert await heard.receive() == uri
                looks = len(seen)
                while len(seen) < looks + 5:
                    await anyio.sleep(0.01)
            with pytest.raises(anyio.WouldBlock):
                heard.receive_nowait()
        assert "You are done" in page.text
    assert set(seen) <= {f"GET /api/v1/interviews/{made['id']}/sessions", f"GET /api/v1/sessions/{session}"}


async def test_what_does_not_exist_or_cannot_be_followed_is_not_acknowledged(world, monkeypatch):
    async with Client(world.server) as agent:
        session = add_session(world, await interview_of(agent))
        good = f"aural://sessions/{session}/report"
        asked_for = [good, "aural://usage", "aural://sessions/nope/report", "aural://interviews/nope/sessions"]
        async with agent.listen(resource_subscriptions=asked_for) as events:
            assert events.honored.resource_subscriptions == [good]


@pytest.mark.parametrize("uri", ["aural://usage", "aural://sessions/nope/report"])
async def test_an_earlier_client_is_told_what_can_be_followed(world, uri):
    async with Client(world.server, mode="legacy") as agent:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MCPDeprecationWarning)
            with pytest.raises(MCPError, match=r"these can|list_sessions") as refused:
                await agent.subscribe_resource(uri)
    assert refused.value.error.code == -32602


async def test_unsubscribing_ends_the_polling(world, monkeypatch):
    monkeypatch.setattr(following, "EVERY", 0.01)
    async with Client(world.server) as agent:
        session = add_session(world, await interview_of(agent))
    uri = f"aural://sessions/{session}/report"
    async with followed(world.server, "legacy", uri) as (agent, _):
        polling, key = world.server._polling, world.client.tenant
        with anyio.fail_after(60):
            while not polling[key]:
                await anyio.sleep(0)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", MCPDeprecationWarning)
                await agent.unsubscribe_resource(uri)
            while polling[key]:
                await anyio.sleep(0)


async def test_many_interviews_and_a_short_budget_slow_the_polling_down(world):
    polling = Counter()
    watch = following.Following(world.client, bool, polling)

    async def pause(interviews, subscriptions):
        watch._followed = [following.Followed(f"u{number}", f"i{number}", None) for number in range(interviews)]
        polling[world.client.tenant] = subscriptions
        return await watch._pause()

    assert await pause(1, 1) == 20
    for interviews, subscriptions in ((1, 20), (10, 1), (20, 3)):
        looks_a_minute = 60 / await pause(interviews, subscriptions)
        assert looks_a_minute * interviews * subscriptions <= following.SHARE + 0.001


async def test_an_address_that_is_not_there_is_named_and_one_that_leads_elsewhere_does_not_fire(agent):
    for uri, shown in (
        ("aural://interview/i-1/questions", "aural://interview/i-1/questions"),
        ("aural://interviews/i-1/results.pdf", "aural://interviews/i-1/results.pdf"),
        ("skill://nobody/SKILL.md", "skill://nobody/SKILL.md"),
        ("https://evil.test/x", "(link to evil[.]test)"),
        ("aural://evil.com/x", "(link to evil[.]com)"),
    ):
        with pytest.raises(MCPError) as refused:
            await agent.read_resource(uri)
        assert f"There is no resource “{shown}”" in refused.value.error.message

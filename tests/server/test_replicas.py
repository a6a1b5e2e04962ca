"""Replicas are equal: what begins at one ends at another, and is done once though they are killed."""

from collections import Counter
from types import SimpleNamespace

import anyio
import httpx
import pytest
from mcp.types import ResourceTemplateReference
from sqlalchemy import update

from aural_mcp.backend.storage import store, tables
from aural_mcp.server.tools import AWAY
from conftest import postgresql_server
from fleet import LIST, PEOPLE, ROLES, Outage, fleet
from rows import add_session
from signed_in import BARE, PRESENT
from signing import asking, call, consent, redeem, refreshed, register, result_of, said
from tenants import tenants

OFTEN = "from aural_mcp.server import following; following.EVERY = 0.2"
SEEN = "from aural_mcp.client import state_database; state_database.SEEN_EVERY = 0.05"
TITLE = "Backend engineer"


@pytest.fixture
async def pair(postgresql, tmp_path):
    async with fleet(tmp_path, postgresql) as made:
        yield made


async def test_a_create_that_reaches_two_replicas_is_done_once(pair):
    assert await pair.sent_twice(200, seed=7) == []


async def test_interviews_are_launched_once_and_whole_though_replicas_are_killed(pair):
    answers = await pair.killed(5, 11, 10, "launch_interviews", interviews=ROLES)
    for each in answers:
        assert len(each.get("structuredContent", {}).get("data", ROLES)) == len(ROLES)
    assert {row["state"] for row in answers[-1]["structuredContent"]["data"]} <= {"made", "made before"}
    assert pair.titles() == Counter(each["title"] for each in ROLES)
    assert pair.half_made() == []
    assert pair.cut == 7


async def test_people_are_imported_once_and_all_accounted_for_though_replicas_are_killed(pair):
    interview = (await pair.ok(0, "create_interview", title="Clerk"))["id"]
    given = {"interviewId": interview, "data": LIST, "dryRun": False}
    for each in await pair.killed(3, 13, 1, "import_candidates", **given):
        said = each["structuredContent"]
        counts = [said.get(name, 0) for name in ("registered", "alreadyRegistered", "remaining", "uncertain")]
        assert sum(counts) == PEOPLE, said
    assert said.get("uncertain", 0) == 0
    assert pair.registered(interview) == Counter(f"p{each}@x.org" for each in range(PEOPLE))


# ── What begins at one and ends at another ──────────────────────────────────────────────────────


async def test_a_yes_that_one_replica_asked_for_is_good_at_another_and_once(postgresql, tmp_path):
    async with fleet(tmp_path, postgresql, AURAL_CONFIRM="ask") as pair:
        first, second = [(await pair.ok(0, "create_interview", title=title))["id"] for title in ("A", "B")]
        code = (await pair.ok(0, "archive_interview", interviewId=first))["confirmation"]
        done = await pair.ok(1, "archive_interview", interviewId=first, confirmation=code)
        assert "confirmation" not in done
        assert (await pair.call(0, "archive_interview", interviewId=first, confirmation=code))["isError"]
        asked = await _present(pair, 0, second)
        assert asked["resultType"] == "input_required"
        agreed = {"agreed": {"action": "accept", "content": {"agreed": True}}}
        answer = {"requestState": asked["requestState"], "inputResponses": agreed}
        assert (await _present(pair, 1, second, **answer))["structuredContent"]["id"] == second
        assert "structuredContent" not in await _present(pair, 0, second, **answer)


async def _present(pair, replica, interview, **more):
    named = "tools/call", "archive_interview"
    body = PRESENT.call(named[0], {"name": named[1], "arguments": {"interviewId": interview}, **more})
    headers = BARE | PRESENT.headers(*named) | {"authorization": f"Bearer {pair.key}"}
    async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
        return (await http.post(pair.url(replica), json=body, headers=headers)).json()["result"]


def _session(pair, interview, **fields):
    turns = ["Tell me about a cache.", "I built the quokka cache."]
    scored = {"insights": {"questionEvaluations": [{"question": "Q", "score": 7}]}, "status": "COMPLETED"}
    return add_session(SimpleNamespace(store=pair.store), interview, turns, **scored | fields)


async def test_every_cursor_goes_on_at_the_other_replica(postgresql, tmp_path):
    async with fleet(tmp_path, postgresql, AURAL_REQUESTS_PER_MINUTE="30") as pair:
        made = (await pair.ok(0, "create_interview", title=TITLE))["id"]
        people = [_session(pair, made, participantName=f"Robin {number}") for number in range(60)]
        assert await _paged(pair, "list_sessions", "id", interviewId=made, limit=20) == people[::-1]
        found = await _paged(pair, "search_transcripts", "sessionId", interviewId=made, query="quokka")
        assert sorted(found) == sorted(people)
        compared = await _paged(pair, "compare_candidates", "sessionId", interviewId=made, quotes=True)
        assert sorted(compared) == sorted(people)
        for number in range(40):
            with pair.store.writing() as db:
                row = {"id": store.new_id(), "title": f"Other {number}"}
                other = db.execute(tables.interviews.select()).mappings().first()
                db.execute(tables.interviews.insert().values({**other, **row, "publicSlug": None}))
            _session(pair, row["id"], participantName="Quinn Marlow")
        met = await _paged(pair, "find_person", "sessionId", who="Quinn Marlow")
        assert len(met) == len(set(met)) == 40


async def _paged(pair, tool, named, **arguments):
    """The ids in all pages, each of them from the other replica."""
    ids, pages, more = [], 0, {}
    while pages == 0 or more["cursor"]:
        page = await pair.ok(pages % 2, tool, **arguments, **more)
        rows = page.get("data", page.get("candidates"))
        ids += [row[named] for row in rows]
        pages, more = pages + 1, {"cursor": page.get("cursor")}
        pair.let_pass(61)
    assert pages > 1
    return ids


async def test_who_waits_goes_on_at_the_other_replica(pair):
    made = (await pair.ok(0, "create_interview", title=TITLE))["id"]
    session = _session(pair, made, status="IN_PROGRESS", insights=None, participantName="Robin")
    cursor = (await pair.ok(0, "wait_for_sessions", interviewId=made))["cursor"]
    with pair.store.writing() as db:
        row = {"status": "ABANDONED", "updatedAt": store.now()}
        db.execute(update(tables.sessions).where(tables.sessions.c.id == session).values(**row))
    told = await pair.ok(1, "wait_for_sessions", interviewId=made, cursor=cursor)
    assert [each["sessionId"] for each in told["changes"]] == [session]


async def test_somebody_is_called_the_same_by_all_replicas_where_nobody_may_be_named(postgresql, tmp_path):
    async with fleet(tmp_path, postgresql, AURAL_BLIND="1") as pair:
        made = (await pair.ok(0, "create_interview", title=TITLE))["id"]
        for number in range(5):
            _session(pair, made, participantName=f"Robin Vega {number}")
        names = [
            [row["participantName"] for row in (await pair.ok(each, "list_sessions", interviewId=made))["data"]]
            for each in (0, 1)
        ]
        assert names[0] == names[1]
        assert len(set(names[0])) == 5
        assert "Robin" not in str(names)


async def test_what_a_host_follows_is_followed_at_another_replica_and_that_one_has_ended_is_told(postgresql, tmp_path):
    async with fleet(tmp_path, postgresql, begins=OFTEN) as pair:
        made = (await pair.ok(0, "create_interview", title=TITLE))["id"]
        uri = f"aural://interviews/{made}/sessions"
        ended = False
        with anyio.fail_after(60):
            try:
                async with pair.agent(0) as agent, agent.listen(resource_subscriptions=[uri]) as events:
                    _session(pair, made)
                    assert str((await anext(aiter(events))).uri) == uri
                    await pair.kill(0)
                    async for _ in events:
                        pass
                    ended = True
            except* Exception:
                ended = True
            assert ended
            async with pair.agent(1) as agent, agent.listen(resource_subscriptions=[uri]) as events:
                _session(pair, made)
                assert str((await anext(aiter(events))).uri) == uri


async def test_a_name_is_completed_by_a_replica_that_never_saw_it(pair):
    made = (await pair.ok(0, "create_interview", title="Quillfeather maker"))["id"]
    template = ResourceTemplateReference(type="ref/resource", uri="aural://interviews/{interviewId}")
    async with pair.agent(1) as agent:
        told = await agent.complete(template, {"name": "interviewId", "value": "quill"})
    assert told.completion.values == [made]


async def test_who_signs_in_is_known_to_all_replicas_and_who_is_signed_out_to_none(postgresql, tmp_path):
    async with (
        fleet(tmp_path, postgresql, 3, "--sign-in", "key") as three,
        three.proxied() as http,
    ):
        client = await register(http)
        page = await http.get(asking(client))
        answer = await consent(http, page, key=three.key, origin=str(http.base_url).rstrip("/"))
        first = (await redeem(http, client, said(answer)["code"])).json()
        for _ in three.ports:
            result_of(await call(http, first["access_token"], "list_interviews"))
        second = (await refreshed(http, client, first["refresh_token"])).json()
        for _ in three.ports:
            result_of(await call(http, second["access_token"], "list_interviews"))
        await http.post("/revoke", data={"client_id": client, "token": second["refresh_token"]})
        with anyio.fail_after(5):
            for _ in three.ports:
                while (await call(http, second["access_token"], "list_interviews")).status_code != 401:
                    await anyio.sleep(0.1)


async def test_no_answer_goes_to_another_key_whichever_replica_gives_it(postgresql, tmp_path):
    shared = {"AURAL_STATE_URL": postgresql.database(), "AURAL_REQUESTS_PER_MINUTE": "60000"}
    wrong, answered = await tenants(25, 12, tmp_path, replicas=2, **shared)
    assert (wrong, answered) == ([], 300)


# ── The database goes away ──────────────────────────────────────────────────────────────────────


async def test_while_postgresql_is_away_reads_say_so_and_writes_are_refused_and_then_all_goes_on(tmp_path):
    with postgresql_server() as server:
        async with fleet(tmp_path, server, begins=SEEN) as pair:
            outage = Outage(pair)
            await outage.run(server, 0.0)
            assert outage.wrong == []
            assert outage.longest < 45
            assert AWAY in outage.heard
            assert any("cannot be reached, so nothing more was sent" in each for each in outage.heard)

"""Several people behind one key: each has their own, what must not be done twice is shared, and nobody sees more."""

from dataclasses import replace

import pytest
from mcp import Client
from mcp.types import PromptReference
from sqlalchemy import insert, select

from aural_mcp.api.operations import OPERATIONS
from aural_mcp.backend.storage import store, tables
from aural_mcp.config import Narrowing
from aural_mcp.server.principal import Role
from aural_mcp.workflows import WORKFLOWS
from conftest import MODES, ok, refused, text_of
from rows import add_session
from signed_in import OURS, PRESENT, house, person
from viewed import APPS

EVERYTHING = Role("everything")
KIM = {"name": "Kim Quillfeather", "email": "kim@quill.test"}
BEGUN = PromptReference(type="ref/prompt", name="review_session")
INVITING = PromptReference(type="ref/prompt", name="invite_candidates")


def only(*interviews, **narrowing):
    return Role("some", Narrowing(**narrowing), frozenset(interviews))


async def interviews(world, *titles):
    """Their ids."""
    async with Client(world.server) as agent:
        return [(await ok(agent, "create_interview", title=each))["id"] for each in titles]


# ── What is not done twice, and what is shown of it ─────────────────────────────────────────────


async def test_what_one_registered_another_gets_as_done_and_who_may_not_see_it_as_nothing(world):
    mine, theirs = await interviews(world, "Mine", "Theirs")
    given = {"interviewId": theirs, "candidates": [KIM]}
    async with house(world) as there:
        async with there.agent(person(EVERYTHING, subject="ada")) as ada:
            first = await ok(ada, "create_candidates", **given)
        async with there.agent(person(EVERYTHING, subject="bo")) as bo:
            second = await ok(bo, "create_candidates", **given)
            assert "nothing was done a second time" in second["remarks"][0]
            assert second["data"] == first["data"]
        async with there.agent(person(Role("blind", Narrowing(blind=True)), subject="cy")) as cy:
            assert "quill" not in text_of(await cy.call_tool("create_candidates", given)).casefold()
        async with there.agent(person(only(mine), subject="di")) as di:
            for tool in ("create_candidates", "import_candidates"):
                said = await refused(di, tool, given)
                assert said == await refused(di, tool, {**given, "interviewId": store.new_id()})
                assert "There is no interview with this id. Call list_interviews" in said
        async with there.agent(person(EVERYTHING, subject="ada")) as ada:
            assert len((await ok(ada, "list_candidates", interviewId=theirs))["data"]) == 1


async def test_who_is_imported_by_one_is_not_invited_again_by_another(world):
    (interview,) = await interviews(world, "Shared")
    async with house(world) as there:
        for subject, registered in (("ada", 1), ("bo", 0)):
            async with there.agent(person(only(interview), subject=subject)) as agent:
                done = await ok(agent, "import_candidates", interviewId=interview, candidates=[KIM], dryRun=False)
                assert done["registered"] == registered


# ── A yes is the one's who gave it ──────────────────────────────────────────────────────────────


async def test_a_confirmation_code_is_of_no_use_to_a_colleague_or_in_another_role(world):
    (interview,) = await interviews(world, "Backend")
    given = {"interviewId": interview}
    ada = person(EVERYTHING, subject="ada")
    others = [replace(ada, subject="bo"), replace(ada, role=only(interview)), replace(ada, issuer="https://else.test")]
    async with house(world, confirm="preview") as there:
        async with there.agent(ada) as agent:
            code = (await ok(agent, "archive_interview", **given))["confirmation"]
        for other in others:
            async with there.agent(other) as agent:
                said = await refused(agent, "archive_interview", {**given, "confirmation": code})
                assert "this confirmation code was not made for this very call" in said
        async with there.agent(ada) as agent:
            assert "confirmation" not in await ok(agent, "archive_interview", **given, confirmation=code)


async def test_a_question_answered_for_one_is_asked_again_of_another(world):
    """The sealed state that a host carries: a colleague's opens nothing."""
    (interview,) = await interviews(world, "Backend")
    named = "tools/call", "archive_interview"
    body = PRESENT.call(named[0], {"name": named[1], "arguments": {"interviewId": interview}})
    agreed = {"agreed": {"action": "accept", "content": {"agreed": True}}}
    async with house(world, confirm="ask") as there:
        ada, bo = (there.host(person(EVERYTHING, subject=each), **PRESENT.headers(*named)) for each in ("ada", "bo"))
        first = (await ada.post(OURS, json=body)).json()["result"]
        said = {"requestState": first["requestState"], "inputResponses": agreed}
        answer = {**body, "params": {**body["params"], **said}}
        assert (await bo.post(OURS, json=answer)).json()["result"]["resultType"] == "input_required"
        assert (await ada.post(OURS, json=answer)).json()["result"]["structuredContent"]["id"] == interview


# ── What is remembered ──────────────────────────────────────────────────────────────────────────


async def test_nobody_is_completed_from_what_a_colleague_saw(world):
    mine, theirs = await interviews(world, "Mine", "Theirs")
    session = add_session(world, theirs, ["Q", "A"], status="COMPLETED", participantName="Kim Quillfeather")
    async with house(world) as there:
        async with there.agent(person(EVERYTHING)) as ada:
            await ok(ada, "get_session", sessionId=session)
            seen = await ada.complete(BEGUN, {"name": "sessionId", "value": "quill"})
            assert seen.completion.values == [session]
        async with there.agent(person(only(mine))) as bo:
            assert (await bo.complete(BEGUN, {"name": "sessionId", "value": "quill"})).completion.values == []
            assert (await bo.complete(INVITING, {"name": "interviewId", "value": ""})).completion.values == [mine]
        async with there.agent(person(Role("", Narrowing(tools=("get_session",))))) as cy:
            for kind in ("sessionId", "interviewId"):
                assert (await cy.complete(BEGUN, {"name": kind, "value": ""})).completion.values == []
            assert session not in (await cy.list_resources()).model_dump_json()


async def test_a_role_that_is_given_less_forgets_what_it_had(world):
    mine, theirs = await interviews(world, "Mine", "Theirs")
    session = add_session(world, theirs, ["Q", "A"], status="COMPLETED", participantName="Kim")
    async with house(world) as there:
        async with there.agent(person(only(mine, theirs))) as agent:
            await ok(agent, "get_session_report", sessionId=session)
            assert {each["id"] for each in (await ok(agent, "list_interviews"))["data"]} == {mine, theirs}
            assert len((await agent.complete(INVITING, {"name": "interviewId", "value": ""})).completion.values) == 2
        async with there.agent(person(only(mine))) as agent:
            said = await refused(agent, "get_session_report", {"sessionId": session})
            assert said == await refused(agent, "get_session_report", {"sessionId": store.new_id()})
            assert [each["id"] for each in (await ok(agent, "list_interviews"))["data"]] == [mine]
            assert (await agent.complete(INVITING, {"name": "interviewId", "value": ""})).completion.values == [mine]


async def test_what_one_waits_for_goes_on_for_nobody_else(world):
    (interview,) = await interviews(world, "Backend")
    add_session(world, interview, ["Q", "A"], status="IN_PROGRESS", participantName="Kim")
    async with house(world) as there:
        async with there.agent(person(EVERYTHING, subject="ada")) as ada:
            cursor = (await ok(ada, "wait_for_sessions", interviewId=interview))["cursor"]
        async with there.agent(person(EVERYTHING, subject="bo")) as bo:
            said = await refused(bo, "wait_for_sessions", {"interviewId": interview, "cursor": cursor})
            assert "cursor is not known" in said


# ── Some interviews ─────────────────────────────────────────────────────────────────────────────


async def test_pages_and_cursors_know_only_the_interviews_that_there_are(world):
    ids = await interviews(world, *(f"T{number}" for number in range(5)))
    moment = store.now()
    with world.store.writing() as db:
        like = dict(db.execute(tables.interviews.select()).mappings().first())
        more = [{**like, "id": store.new_id(), "title": "Other", "publicSlug": store.new_token(20)} for _ in range(120)]
        db.execute(insert(tables.interviews), [{**each, "updatedAt": moment} for each in more])
    async with house(world) as there, there.agent(person(only(*ids[:3], ids[4].upper(), "mistyped"))) as agent:
        whole = await ok(agent, "list_interviews")
        assert [each["title"] for each in whole["data"]] == ["T4", "T2", "T1", "T0"]
        assert whole.get("cursor") is None
        seen, cursor = [], {}
        while cursor is not None:
            page = await ok(agent, "list_interviews", limit=1, **cursor)
            seen += [each["title"] for each in page["data"]]
            cursor = {"cursor": page["cursor"]} if page.get("cursor") else None
        assert seen == ["T4", "T2", "T1", "T0"]
        from_elsewhere = await ok(agent, "list_interviews", cursor=more[0]["id"])
        assert from_elsewhere == await ok(agent, "list_interviews", cursor=store.new_id())
        assert (await ok(agent, "list_interviews", title="T", only=["noQuestions"]))["lookedAt"] == 4
        assert (await ok(agent, "get_interview", interviewId=ids[4].upper()))["title"] == "T4"
        assert "3 of 4" not in (await agent.call_tool("find_person", {"who": "nobody"})).model_dump_json()


async def test_a_question_and_a_practice_run_are_found_where_they_are_and_nowhere_else(world):
    mine, theirs = await interviews(world, "Mine", "Theirs")
    async with Client(world.server) as agent:
        made = [
            (await ok(agent, "create_questions", interviewId=each, questions=[{"text": f"Why {each}?"}]))["data"][0][
                "id"
            ]
            for each in (mine, theirs)
        ]
    runs = [store.new_id(), store.new_id()]
    with world.store.writing() as db:
        user = db.execute(select(tables.profiles.c.id)).scalars().first()
        common = {"userId": user, "createdAt": store.now(), "status": "COMPLETED", "timed": False, "mode": "TEXT"}
        rows = [{"id": run, "interviewId": each, **common} for run, each in zip(runs, (mine, theirs), strict=True)]
        db.execute(insert(tables.prep_sessions), rows)
    async with house(world) as there, there.agent(person(only(mine))) as agent:
        assert (await ok(agent, "update_question", questionId=made[0], text="Why not?"))["text"] == "Why not?"
        for tool, given in (("update_question", {"text": "Mine now"}), ("delete_question", {})):
            asked = there.wire.asked
            elsewhere, cost = await refused(agent, tool, {**given, "questionId": made[1]}), there.wire.asked - asked
            assert elsewhere == await refused(agent, tool, {**given, "questionId": store.new_id()})
            assert there.wire.asked - asked == 2 * cost
        assert (await ok(agent, "get_practice_report", practiceId=runs[0]))["attempts"] == []
        elsewhere = await refused(agent, "get_practice_report", {"practiceId": runs[1]})
        assert elsewhere == await refused(agent, "get_practice_report", {"practiceId": store.new_id()})
        texts = [row["text"] for key, row in there.rows().items() if key[0] == "questions"]
        assert sorted(texts) == sorted(["Why not?", f"Why {theirs}?"])


@pytest.mark.parametrize("narrowing", [{}, {"blind": True}])
async def test_a_report_of_elsewhere_costs_what_one_of_nowhere_does(world, narrowing):
    mine, theirs = await interviews(world, "Mine", "Theirs")
    session = add_session(world, theirs, ["Q", "A"], status="COMPLETED", participantName="Kim")
    own = add_session(world, mine, ["Q", "A"], status="COMPLETED", participantName="Lou")
    async with house(world) as there:
        async with there.agent(person(EVERYTHING, subject="ada")) as ada:
            await ok(ada, "get_session_report", sessionId=session)
        async with there.agent(person(only(mine, **narrowing))) as agent:
            await ok(agent, "get_session_report", sessionId=own)
            costs, said = [], []
            for each in (session, store.new_id(), session, store.new_id()):
                asked = there.wire.asked
                said.append(await refused(agent, "get_session_report", {"sessionId": each}))
                costs.append(there.wire.asked - asked)
        assert (len(set(said)), set(costs)) == (1, {1})


async def test_a_packet_by_who_sees_some_interviews_says_that_it_may_not_be_all(world):
    mine, _ = await interviews(world, "Mine", "Theirs")
    async with Client(world.server) as agent:
        kim = (await ok(agent, "create_candidates", interviewId=mine, candidates=[KIM]))["data"][0]["id"]
    asked = {"interviewId": mine, "form": "packet", "candidateId": kim}
    async with house(world) as there:
        for role, says in ((only(mine), True), (EVERYTHING, False)):
            async with there.agent(person(role)) as agent:
                assert ("sees some interviews only" in text_of(await agent.call_tool("export_results", asked))) == says


# ── Following ───────────────────────────────────────────────────────────────────────────────────


async def test_only_what_a_role_may_see_is_followed(world):
    mine, theirs = await interviews(world, "Mine", "Theirs")
    sessions = [add_session(world, each, ["Q", "A"]) for each in (mine, theirs)]
    uris = [f"aural://sessions/{each}/{what}" for each in sessions for what in ("transcript", "report")]
    uris += [f"aural://interviews/{each}/sessions" for each in (mine, theirs)]
    for role, followed in (
        (EVERYTHING, set(uris)),
        (only(mine), {each for each in uris if sessions[0] in each or mine in each}),
        (Role("", Narrowing(exclude_tools=("get_session_report",))), {each for each in uris if "report" not in each}),
        (only(theirs, tools=("list_sessions",)), {uris[-1]}),
        (Role("", Narrowing(toolsets=("questions",))), set()),
    ):
        async with house(world) as there:
            assert set(await there.followed(person(role), uris)) == followed


# ── Reading and changing ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("mode", MODES)
async def test_who_signed_in_to_read_changes_nothing_and_hears_how_it_is_changed(world, mode):
    changing = {each.tool_name() for each in (*OPERATIONS, *WORKFLOWS) if each.effect != "read"} - {"send_messages"}
    role = Role("blind", Narrowing(blind=True))
    async with house(world) as there:
        before = there.rows()
        async with there.agent(person(role, writes=False), mode) as agent:
            assert changing | {"reveal_candidate"} <= {each.name for each in (await agent.list_tools()).tools}
            for name in sorted(changing | {"reveal_candidate"}):
                said = await refused(agent, name, {"title": "T"})
                assert "was not called" in said
                assert "may only read" in said
                assert "connect Aural again" in said
            assert "may only read" in await refused(agent, "export_results", {"interviewId": "x", "saveAs": "r.md"})
            await ok(agent, "list_interviews")
        assert there.rows() == before
        async with there.agent(person(role), mode) as agent:
            await ok(agent, "create_interview", title="T")


async def test_a_view_says_no_yes_for_who_signed_in_to_read_or_has_another_role(world):
    (interview,) = await interviews(world, "Backend")
    given = {"tool": "archive_interview", "arguments": {"interviewId": interview}, "confirmation": "", "answer": ""}
    async with house(world, confirm="ask") as there:
        before = there.rows()
        for who, says in (
            (person(EVERYTHING, writes=False), "may only read"),
            (person(Role("", Narrowing(read_only=True))), "There is no tool"),
            (person(only()), "There is no interview with this id"),
        ):
            async with there.agent(who, extensions=APPS) as agent:
                for answer in ("", "yes", "no"):
                    assert says in await refused(agent, "approval", {**given, "answer": answer})
        assert there.rows() == before

"""A recruiter's week: ten jobs in their words, each done by an agent in at most three calls."""

import pytest
from mcp import Client
from sqlalchemy import update

from aural_mcp.backend.storage import tables
from aural_mcp.server.principal import OneClient
from aural_mcp.server.server import AuralServer
from conftest import ok
from examples import GOOD
from rows import add_session

PEOPLE = ("Robin Vega", "Ana Silva", "Li Na", "Omar Said", "Eva Berg", "Jan Kuhn")


class Conduct:
    """An agent whose calls are counted."""

    def __init__(self, agent):
        self.agent, self.calls = agent, 0

    async def __call__(self, tool, **arguments):
        self.calls += 1
        return await ok(self.agent, tool, **arguments)

    async def read(self, uri):
        self.calls += 1
        return (await self.agent.read_resource(uri)).contents[0].text


@pytest.fixture
async def desk(world, tmp_path):
    """The agent, an interview that six people have taken, and one who has not begun."""
    server = AuralServer(OneClient(world.client), backend="T.", confirm="never", files=tmp_path)
    async with Client(server, read_timeout_seconds=30) as agent:
        (made,) = (await ok(agent, "launch_interviews", interviews=[GOOD]))["data"]
        rows = (await ok(agent, "create_candidates", interviewId=made["id"], candidates=[{"name": "Tom Late"}]))["data"]
        questions = [each["text"] for each in GOOD["questions"]]
        for number, name in enumerate(PEOPLE):
            said = [part for text in questions for part in (text, f"We moved to Kafka in year {number}. " * 30)]
            scores = [
                {"question": text, "score": 9 - number, "evaluation": "Clear.", "evidence": [2]} for text in questions
            ]
            criteria = [{"name": "Debugging", "score": 9 - number, "reasoning": "Named it.", "evidence": [2]}]
            insights = {"questionEvaluations": scores, "criteriaEvaluations": criteria}
            add_session(world, made["id"], said, status="COMPLETED", participantName=name, insights=insights)
        counted = Conduct(agent)
        counted.interview, counted.candidate, counted.folder, counted.world = made["id"], rows[0]["id"], tmp_path, world
        yield counted
    assert 0 < counted.calls <= 3


async def test_set_up_a_screening_for_backend_engineers_and_give_me_the_link(desk):
    (made,) = (await desk("launch_interviews", interviews=[{**GOOD, "title": "Backend", "publish": True}]))["data"]
    async with desk.world.browser() as browser:
        assert (await browser.get(made["url"])).status_code == 200


async def test_open_the_three_roles_of_our_plan(desk):
    roles = [{**GOOD, "title": role, "publish": True} for role in ("Designer", "Analyst", "Engineer")]
    made = await desk("launch_interviews", interviews=roles)
    assert len({row["url"] for row in made["data"]}) == 3


async def test_invite_everybody_on_this_list_but_nobody_twice(desk):
    people = "\n".join(["name,email", *(f"Person {n},p{n}@x.org" for n in range(340)), "Person 7,P7@x.org"])
    looked = await desk("import_candidates", interviewId=desk.interview, data=people)
    assert (looked["new"], looked["duplicates"]) == (340, 1)
    done = await desk("import_candidates", interviewId=desk.interview, data=people, dryRun=False)
    assert done["registered"] == 340
    assert (await desk.read(done["invites"])).count("/i/invite/") >= 340


async def test_who_has_not_started_yet(desk):
    said = await desk("wait_for_sessions", interviewId=desk.interview)
    assert [each["name"] for each in said["attention"]["notStarted"]] == ["Tom Late"]


async def test_tell_me_when_one_more_is_through(desk, monkeypatch):
    from aural_mcp.workflows import base

    monkeypatch.setattr(base, "ENDS_WITHIN", 1.0)
    monkeypatch.setattr(base, "LEAST", 0.0)
    session = add_session(desk.world, desk.interview, status="IN_PROGRESS", participantName="Mia Wolf")
    first = await desk("wait_for_sessions", interviewId=desk.interview, more=1)
    with desk.world.store.writing() as db:
        db.execute(update(tables.sessions).where(tables.sessions.c.id == session).values(status="COMPLETED"))
    last = await desk("wait_for_sessions", interviewId=desk.interview, cursor=first["cursor"])
    assert (last["isOver"], [each["name"] for each in last["changes"]]) == (True, ["Mia Wolf"])


async def test_who_are_the_best_five_and_why(desk):
    said = await desk("compare_candidates", interviewId=desk.interview, quotes=True)
    best = sorted((row for row in said["candidates"]), key=lambda row: row["rank"])[:5]
    assert [row["name"] for row in best] == list(PEOPLE[:5])
    assert all(row["quotes"] for row in best)


async def test_did_anybody_mention_kafka(desk):
    said = await desk("search_transcripts", interviewId=desk.interview, query="kafka")
    assert {hit["name"] for hit in said["data"]} == set(PEOPLE)


async def test_send_the_panel_what_you_have_on_ana(desk):
    (found,) = (await desk("list_sessions", interviewId=desk.interview, name="ana"))["data"]
    given = {"interviewId": desk.interview, "sessionIds": [found["id"]], "saveAs": "ana.md"}
    await desk("export_results", **given)
    assert "Ana Silva" in (desk.folder / "ana.md").read_text(encoding="utf-8")


async def test_tom_asks_what_we_hold_on_him(desk):
    (found,) = (await desk("list_candidates", interviewId=desk.interview, name="tom"))["data"]
    packet = await desk("export_results", interviewId=desk.interview, candidateId=found["id"], form="packet")
    assert "Tom Late" in packet["content"]
    assert "dashboard" in packet["content"]


async def test_put_the_scores_into_a_spreadsheet(desk):
    table = await desk("export_results", interviewId=desk.interview, format="csv")
    assert len(table["content"].splitlines()) == 1 + len(PEOPLE)

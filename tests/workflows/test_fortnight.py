"""The second week: what a fortnight of hiring missed, with planted facts, each job in at most three calls."""

import json
import re

import pytest
from mcp import Client

from aural_mcp.backend.storage import tables
from conftest import ok
from consenting import server_on
from scored import CRITERIA, QUESTIONS, SAID, analysis, sit
from smtp import mail_on, own_links, smtp_server

WEIGHTS = (3, 2, 2, 1)
SCORES = {
    "Nora Quist": (10, 9, 9, 8),
    "Omar Said": (9, 9, 8, 7),
    "Eva Berg": (9, 8, 6.5, 7),  # 7.88 by weight: third
    "Li Na": (6, 8, 8.5, 10),  # 8.13 by Aural's mean: third there
    "Jan Kuhn": (7, 7, 7, 7),
    "Ana Silva": (6.5, 6.5, 6.5, 6.5),
    "Robin Vega": (6, 6, 6, 6),
    "Mia Wolf": (4.5, 4.5, 4.5, 4.5),
    "Tom Reed": (4, 4, 4, 4),
    "Ida Holm": (3.5, 3.5, 3.5, 3.5),
    "Ben Ito": (3, 3, 3, 3),
    "Kim Oh": (2.5, 2.5, 2.5, 2.5),
}
WAITING = [f"Waiting {number}" for number in range(7)] + ["Ana Silva"]
"""Registered and not begun; one has the name of somebody who has finished."""


class Desk:
    """An agent whose calls are counted, and what it works on."""

    def __init__(self, agent, world, post, interview, links):
        self.agent, self.world, self.post, self.interview, self.links, self.calls = (
            agent,
            world,
            post,
            interview,
            links,
            0,
        )

    async def __call__(self, tool, **arguments):
        self.calls += 1
        return await ok(self.agent, tool, **arguments)


def address_of(name, number):
    return f"{name.lower().replace(' ', '.')}.{number}@acme.example"


@pytest.fixture
async def desk(world, tmp_path, monkeypatch):
    rubric = [
        {"name": name, "description": "A strong answer shows numbers.", "weight": weight}
        for name, weight in zip(CRITERIA, WEIGHTS, strict=True)
    ]
    with smtp_server(tmp_path) as post:
        monkeypatch.setenv("SSL_CERT_FILE", str(post.pem))
        async with Client(server_on(world, confirm="never", mail=mail_on(post)), read_timeout_seconds=60) as agent:
            made = await ok(
                agent, "create_interview", title="Controller", assessmentCriteria=rubric, timeLimitMinutes=40
            )
            asked = [{"text": text} for text in QUESTIONS]
            await ok(agent, "create_questions", interviewId=made["id"], questions=asked)
            names = [*SCORES, *WAITING]
            people = [{"name": name, "email": address_of(name, number)} for number, name in enumerate(names)]
            rows = (await ok(agent, "create_candidates", interviewId=made["id"], candidates=people))["data"]
            with world.store.writing() as db:
                mine = tables.interviews.c.id == made["id"]
                db.execute(tables.interviews.update().where(mine).values(antiCheatingEnabled=True))
            for number, (row, (name, scores)) in enumerate(zip(rows, SCORES.items(), strict=False)):
                ninth = (
                    "The nightly reconciliation had a gap, so I reconciled 4,000 rows by hand." if number < 9 else SAID
                )
                turns = [turn for text in QUESTIONS for turn in (text, ninth if text == QUESTIONS[1] else SAID)]
                asked = dict.fromkeys(QUESTIONS, scores[0]) | {QUESTIONS[1]: scores[0] - 1}
                insights = analysis(asked, dict(zip(CRITERIA, scores, strict=True)))
                log = [{"type": "paste", "timestamp": 1767225600000}] * (6 if name == "Jan Kuhn" else 0)
                session = sit(world, made["id"], name, insights, turns, antiCheatingLog=log)
                with world.store.writing() as db:
                    mine = tables.candidates.c.id == row["id"]
                    db.execute(tables.candidates.update().where(mine).values(sessionId=session))
            links = {row["email"]: row["inviteUrl"] for row in rows}
            desk = Desk(agent, world, post, made["id"], links)
            yield desk
    assert 0 < desk.calls <= 3


async def test_rank_them_by_our_weights_and_say_where_that_differs(desk):
    said = await desk("compare_candidates", interviewId=desk.interview)
    by_weight = sorted((row for row in said["candidates"] if row.get("rank")), key=lambda row: row["rank"])
    assert [row["name"] for row in by_weight[:4]] == ["Nora Quist", "Omar Said", "Eva Berg", "Li Na"]
    assert round(by_weight[2]["weightedMean"], 3) == 7.875
    assert any("Li Na" in remark for remark in said["remarks"])


async def test_which_of_the_two_ana_silvas_has_not_begun(desk):
    said = await desk("find_person", who="ana silva")
    assert len(said["data"]) == 2
    found = {row["email"]: json.dumps(row) for row in said["data"]}
    begun, waiting = (found[address_of("Ana Silva", number)] for number in (5, len(SCORES) + 7))
    assert "COMPLETED" in begun
    assert "COMPLETED" not in waiting


async def test_did_anybody_paste(desk):
    said = await desk("compare_candidates", interviewId=desk.interview, integrity=True)
    assert {row["name"]: row["pastes"] for row in said["candidates"] if row["pastes"]} == {"Jan Kuhn": 6}


async def test_who_spoke_of_reconciling(desk):
    said = await desk("search_transcripts", interviewId=desk.interview, query="reconcil")
    assert {hit["name"] for hit in said["data"]} == set(list(SCORES)[:9])


async def test_five_for_the_panel_without_names_and_with_a_quote_for_each_score(desk):
    said = await desk("compare_candidates", interviewId=desk.interview)
    best = sorted((row for row in said["candidates"] if row.get("rank")), key=lambda row: row["rank"])[:5]
    ids = [row["sessionId"] for row in best]
    file = await desk("export_results", interviewId=desk.interview, sessionIds=ids, blind=True, format="json")
    text = file["content"]
    assert not re.search("|".join(part for name in SCORES for part in name.split() if len(part) > 2), text)
    assert not any(each in text for each in ids)
    people = json.loads(text)["candidates"]
    assert len(people) == 5
    assert all(each["evidence"] for person in people for each in person["scores"] if each["column"].startswith("Q"))


async def test_the_same_in_german_and_in_twenty_minutes(desk):
    german = [{"keep": number, "text": f"Frage {number}: Was haben Sie gebaut?"} for number in range(1, 6)]
    changed = {"from": desk.interview, "title": "Controller (DE)", "language": "de", "timeLimitMinutes": 20}
    (made,) = (await desk("launch_interviews", interviews=[{**changed, "questions": german}]))["data"]
    found = await desk("get_interview", interviewId=made["id"])
    assert (found["language"], found["timeLimitMinutes"], len(found["questions"])) == ("de", 20, 5)
    assert [each["weight"] for each in found["assessmentCriteria"]] == list(WEIGHTS)


async def test_remind_the_eight_who_have_not_begun(desk):
    given = {"interviewId": desk.interview, "kind": "reminder"}
    asked = await desk("send_messages", **given)
    assert "Send 8 messages" in asked["remarks"][0]
    assert desk.post.envelopes == []
    assert (await desk("send_messages", **given, confirmation=asked["confirmation"]))["sent"] == 8
    waiting = [address_of(name, number) for number, name in enumerate(WAITING, len(SCORES))]
    assert {to[0]: own_links(message) for to, message in desk.post.messages} == {
        each: {desk.links[each]} for each in waiting
    }


async def test_draft_refusals_for_those_below_five_and_send_none(desk):
    said = await desk("compare_candidates", interviewId=desk.interview)
    below = {row["sessionId"] for row in said["candidates"] if row["weightedMean"] < 5}
    rows = (await desk("list_candidates", interviewId=desk.interview))["data"]
    ids = [row["id"] for row in rows if row.get("sessionId") in below]
    drafts = await desk("send_messages", interviewId=desk.interview, kind="rejection", candidateIds=ids)
    assert {row["name"] for row in drafts["data"]} == {"Mia Wolf", "Tom Reed", "Ida Holm", "Ben Ito", "Kim Oh"}
    assert all("turn " in reason or "no evidence" in reason for row in drafts["data"] for reason in row["reasons"])
    about = [reason for row in drafts["data"] for reason in row["reasons"] if "What broke" in reason]
    assert len(about) == 5
    assert all("turn 4, chosen by rule: " in reason for reason in about)
    assert desk.post.envelopes == []

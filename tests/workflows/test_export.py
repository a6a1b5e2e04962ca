"""Exports: whole, in three forms, with their versions; nothing that a spreadsheet runs, nothing written over."""

import csv
import errno
import io
import json
import os
import re
import stat
import unicodedata

import httpx
import pytest
from mcp import Client, MCPError

from aural_mcp._version import __version__
from aural_mcp.api.errors import BadRequest
from aural_mcp.backend.storage import tables
from aural_mcp.client.client import AuralClient
from aural_mcp.config import Narrowing
from aural_mcp.privacy.audit import AuditLog
from aural_mcp.privacy.exposure import Exposure
from aural_mcp.server.access import access
from aural_mcp.server.principal import OneClient
from aural_mcp.server.server import AuralServer
from aural_mcp.workflows import saving
from conftest import KEY, ORIGIN, ok, refused
from rows import interview_of, soon
from scored import CRITERIA, QUESTIONS, SAID, analysis, even, interview_with, scored_by_chance, sit
from wires import counting


@pytest.fixture
async def reader(world):
    async with Client(world.server) as connected:
        yield connected


def with_evidence(score, **more):
    """An analysis in which every score names the turn of its answer."""
    whole = even(score, **more)
    for number, row in enumerate(whole["questionEvaluations"]):
        row |= {"evidence": [2 * number + 2], "evaluation": f"Says what broke. {number}", "improvements": ["Numbers"]}
    return whole


async def everybody(agent, world):
    """An interview with two who are scored and one who is not; its id and their sessions."""
    interview = await interview_with(agent)
    ann = sit(world, interview, "Ann Lee", with_evidence(8), summary="Knows queues.")
    rows = {**dict.fromkeys(QUESTIONS, 6), QUESTIONS[0]: 0, QUESTIONS[1]: None}
    bo = sit(world, interview, "Bo Ek", analysis(rows, dict.fromkeys(CRITERIA, 5), scoredBy={"name": "Claude"}))
    cy = sit(world, interview, "Cy Fox", None)
    return interview, (ann, bo, cy)


async def at(agent, address):
    return (await agent.read_resource(address)).contents[0]


def without_time(text):
    return re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ|\b[0-9a-f]{6}\b(?=\])", "", text)


async def test_csv_reads_back_as_a_row_for_each_and_a_column_for_each_score(agent, world):
    interview, sessions = await everybody(agent, world)
    exported = await ok(agent, "export_results", interviewId=interview, format="csv")
    rows = list(csv.DictReader(io.StringIO(exported["content"], newline="")))
    assert [row["sessionId"] for row in rows] == list(sessions)
    assert [row["name"] for row in rows] == ["Ann Lee", "Bo Ek", "Cy Fox"]
    asked = f"Q1 {QUESTIONS[0]}", f"Q2 {QUESTIONS[1]}", "C1 Depth"
    assert [rows[0][each] for each in asked] == ["8", "8", "8"]
    assert [rows[1][each] for each in asked] == ["0", "", "5"]
    assert float(rows[1]["mean"]) == 4.5
    assert (rows[1]["scoredBy"], rows[1]["unsound"], rows[1]["scored"]) == (
        "Claude",
        "missing scores",
        "4 of 5 questions",
    )
    assert (rows[2]["mean"], rows[2]["unsound"], rows[2]["scoredBy"]) == ("", "no score", "")
    assert {row["software"] for row in rows} == {f"aural-mcp {__version__}"}
    assert {(row["names"], row["rubricVersion"]) for row in rows} == {("named", exported["rubricVersion"])}


async def test_a_table_of_60_costs_as_few_requests_as_a_comparison(reader, world):
    interview, seen = await interview_with(reader), []
    scored_by_chance(world, interview, 60)
    async with Client(AuralServer(OneClient(counting(world, seen)), backend="T.")) as counted:
        exported = await ok(counted, "export_results", interviewId=interview, format="csv")
    assert exported["content"].count("\n") == 61
    assert len(seen) == 2


async def test_json_has_evidence_versions_and_who_scored_and_what_is_null_is_not_scored(agent, world):
    interview, sessions = await everybody(agent, world)
    exported = await ok(agent, "export_results", interviewId=interview, format="json")
    whole = json.loads(exported["content"])
    assert whole.keys() == {"export", "interview", "rubric", "unsound", "candidates"}
    assert whole["export"].keys() == {"at", "software", "backend", "names", "rubricVersion", "notRead", "missing"}
    assert [each["column"] for each in whole["rubric"]] == ["C1", "C2", "C3", "C4", "Q1", "Q2", "Q3", "Q4", "Q5"]
    ann, bo, cy = whole["candidates"]
    answer = next(row for row in ann["scores"] if row["column"] == "Q2")
    assert answer == {
        "column": "Q2",
        "score": 8,
        "why": "Says what broke. 1",
        "highlights": [],
        "improvements": ["Numbers"],
        "evidence": [{"turn": 4, "said": SAID}],
    }
    assert (ann["scoredBy"], bo["scoredBy"], cy["scoredBy"]) == ("Aural", "Claude", None)
    assert (bo["scores"][4]["score"], bo["scores"][5]["score"], cy["mean"]) == (0, None, None)
    assert exported["sessionIds"] == list(sessions)
    assert len(whole["unsound"]) == 2


async def test_markdown_is_a_document_and_what_others_wrote_is_fenced_and_quoted(agent, world):
    interview, _ = await everybody(agent, world)
    exported = await ok(agent, "export_results", interviewId=interview)
    text = (await at(agent, exported["address"])).text
    assert re.match(r"\[[0-9a-f]{6}: others' words", text)
    for words in (
        "# Results: Backend engineer",
        "| 2 | Bo Ek | 4.5 | 5 | 5 | 5 | 5 | 0 | not scored | 6 | 6 | 6 |",
        "### Q2: 8",
        f"- Turn 4: {SAID}",
        "> Says what broke. 1",
        "- Scored by: Claude",
        "Nobody is ranked; a person decides",
        "Without any score: “Cy Fox”.",
    ):
        assert words in text, words
    assert without_time(exported["content"]) in without_time(text)


@pytest.mark.parametrize("extension", ["csv", "json"])
async def test_the_resource_is_what_the_tool_shows_and_of_those_who_are_named(reader, world, extension):
    interview, (ann, bo, _) = await everybody(reader, world)
    given = {"interviewId": interview, "sessionIds": [ann, bo], "format": extension}
    exported = await ok(reader, "export_results", **given)
    found = await at(reader, exported["address"])
    assert found.mime_type == {"csv": "text/csv", "json": "application/json"}[extension]
    assert without_time(found.text.removeprefix("\ufeff")) == without_time(exported["content"])
    assert found.text.startswith("\ufeff") == (extension == "csv")
    assert "Cy Fox" not in found.text
    assert "Cy Fox" in (await at(reader, f"aural://interviews/{interview}/results.{extension}")).text


async def test_one_candidate_is_found_by_their_session_or_their_registration(reader, world):
    interview = await interview_with(reader)
    people = [{"name": "Ann Lee"}, {"name": "Bo Ek"}]
    ann, bo = (await ok(reader, "create_candidates", interviewId=interview, candidates=people))["data"]
    session = sit(world, interview, "Ann Lee", even(8))
    register(world, ann["id"], session)
    for known in (ann["id"], session):
        exported = await ok(reader, "export_results", interviewId=interview, candidateId=known, format="json")
        assert exported["sessionIds"] == [session]
    for asked, says in (
        ({"candidateId": bo["id"]}, "has not begun"),
        ({"candidateId": "nobody"}, "no candidate “nobody”"),
        ({"candidateId": ann["id"], "sessionIds": [session]}, "both given"),
        ({"sessionIds": ["nobody"]}, "no session “nobody”"),
    ):
        assert says in await refused(reader, "export_results", {"interviewId": interview, **asked})


def register(world, candidate, session):
    with world.store.writing() as db:
        row = tables.candidates.c.id == candidate
        db.execute(tables.candidates.update().where(row).values(sessionId=session))


FORMULAS = ("x;=1+1", "x\n=1+1", "＝1+1", "=1+1", "+49", "-1", "@x", "\tx", "\rx", "=HYPERLINK(1)", " =1")


@pytest.mark.parametrize("name", FORMULAS)
async def test_no_cell_can_be_taken_for_a_formula(reader, world, name):
    interview = await interview_with(reader, (f"{name} why?",), (name,))
    sit(world, interview, name, analysis({f"{name} why?": 7}, {name: -1}, scoredBy={"name": name}))
    exported = await ok(reader, "export_results", interviewId=interview, format="csv")
    for row in csv.reader(io.StringIO(exported["content"], newline="")):
        for cell in row:
            for part in re.split(r"[;\t\r\n]", cell):
                assert not part.strip().startswith(("=", "+", "@", "＝"))
            assert not cell.startswith(("\t", "\r"))
            assert not cell.startswith("-") or float(cell) == -1


async def test_an_export_that_is_too_long_for_an_answer_says_where_it_is(reader, world):
    interview = await interview_with(reader)
    for number in range(20):
        sit(world, interview, f"Person {number}", with_evidence(8), summary="Long. " * 400)
    exported = await ok(reader, "export_results", interviewId=interview)
    assert exported.get("content") is None
    assert exported["sessions"] == 20
    assert "too much for an answer: read the resource" in exported["remarks"][0]
    text = (await at(reader, exported["address"])).text
    assert len(text.encode()) > exported["bytes"] > 60_000
    table = await ok(reader, "export_results", interviewId=interview, format="csv")
    assert table["content"].count("\n") == 21


async def test_what_could_not_be_read_in_time_or_budget_is_said_in_the_export_and_in_the_answer(reader, world):
    interview = await interview_with(reader)
    sessions = [sit(world, interview, f"Person {number}", with_evidence(8)) for number in range(6)]
    transport = httpx.ASGITransport(world.app)
    poor = AuralClient(KEY, f"{ORIGIN}/api/v1", requests_per_minute=5, transport=transport)
    async with Client(AuralServer(OneClient(poor), backend="T.")) as agent:
        exported = await ok(agent, "export_results", interviewId=interview, format="json")
    whole = json.loads(exported["content"])
    assert exported["notRead"] == whole["export"]["notRead"] == sessions[2:]
    assert [each["transcriptRead"] for each in whole["candidates"]] == [True, True, False, False, False, False]
    said = "4 of 6 transcripts were not read, as time or budget ended: quotes and flags of these are missing."
    assert said in exported["remarks"]
    assert any(soon(each).startswith("4 of 6 remain; call again in N s") for each in exported["remarks"])
    assert said in whole["export"]["missing"]
    assert [row["score"] for row in whole["candidates"][5]["scores"]] == [8] * 9


async def test_blind_it_names_nobody_and_in_lockdown_it_has_scores_without_words(reader, world):
    interview = await interview_with(reader)
    turns = [turn for text in QUESTIONS for turn in (text, f"I am Wanda Kowalska. {SAID}")]
    sit(world, interview, "Wanda Kowalska", with_evidence(8), turns, summary="Wanda Kowalska knows queues.")
    for seen, words in ((Exposure(blind=True), True), (Exposure(lockdown=True), False)):
        async with Client(AuralServer(OneClient(world.client), backend="T.", exposure=seen)) as agent:
            for kind in ("markdown", "csv", "json"):
                exported = await ok(agent, "export_results", interviewId=interview, format=kind)
                content = exported["content"] + (await at(agent, exported["address"])).text
                assert "Wanda" not in content
                assert "Kowalska" not in content
                assert "Candidate " in content
                assert ("4,000 messages" in content) == (words and kind != "csv")
            assert exported["names"] == json.loads(exported["content"])["export"]["names"]
            assert [row["score"] for row in json.loads(exported["content"])["candidates"][0]["scores"]] == [8] * 9


# ── Files ───────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
async def office(world, tmp_path):
    """An agent whose server may write into a folder, and the folder."""
    folder = tmp_path / "files"
    folder.mkdir()
    async with Client(AuralServer(OneClient(world.client), backend="T.", files=folder)) as agent:
        yield agent, folder


async def test_a_file_is_written_whole_for_its_owner_only_and_never_over_another(office, world):
    agent, folder = office
    interview, _ = await everybody(agent, world)
    given = {"interviewId": interview, "format": "csv", "saveAs": "panel"}
    exported = await ok(agent, "export_results", **given)
    saved = folder / "panel.csv"
    assert exported["savedAs"] == "panel.csv"
    assert exported.get("content") is None
    assert len(saved.read_bytes()) == exported["bytes"]
    assert len(list(csv.reader(io.StringIO(saved.read_text(), newline="")))) == 4
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600
    before = saved.read_bytes()
    assert before.startswith(b"\xef\xbb\xbf")
    assert "nothing is written over" in await refused(agent, "export_results", given)
    (folder / "link.csv").symlink_to(folder / "nowhere")
    assert "nothing is written over" in await refused(agent, "export_results", {**given, "saveAs": "link.csv"})
    assert saved.read_bytes() == before
    assert sorted(each.name for each in folder.iterdir()) == ["link.csv", "panel.csv"]


def test_a_file_that_appeared_meanwhile_is_not_written_over_and_nothing_is_left_behind(tmp_path):
    there = tmp_path / "panel.md"
    there.write_text("mine")
    with pytest.raises(BadRequest, match="nothing is written over"):
        saving.save(there, "yours")
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("panel.md", "mine")]


async def test_a_file_system_without_second_names_will_do(office, world, monkeypatch):
    def unsupported(*_):
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", unsupported)
    agent, folder = office
    interview, _ = await everybody(agent, world)
    given = {"interviewId": interview, "format": "json", "saveAs": "panel.json"}
    await ok(agent, "export_results", **given)
    assert json.loads((folder / "panel.json").read_text())["candidates"]
    assert "nothing is written over" in await refused(agent, "export_results", given)
    assert [each.name for each in folder.iterdir()] == ["panel.json"]


@pytest.mark.parametrize("name", ["../out", "/etc/out", "deep/out", "..", "a/../../out"])
async def test_a_file_is_in_the_folder_or_not_at_all(office, world, name):
    agent, folder = office
    interview, _ = await everybody(agent, world)
    said = await refused(agent, "export_results", {"interviewId": interview, "saveAs": name})
    assert "leads out of the folder" in said or "is no name of a file" in said
    assert list(folder.iterdir()) == []
    assert [each.name for each in folder.parent.iterdir() if "out" in each.name] == []


async def test_without_a_folder_no_file_is_written_and_nothing_is_asked(reader, world):
    interview, _ = await everybody(reader, world)
    said = await refused(reader, "export_results", {"interviewId": interview, "saveAs": "panel"})
    assert "No folder for files is allowed here" in said


async def test_a_server_that_only_reads_has_no_argument_that_writes_a_file(office, world):
    agent, folder = office
    interview, _ = await everybody(agent, world)
    tools = {tool.name: tool for tool in (await agent.list_tools()).tools}
    assert "saveAs" in tools["export_results"].input_schema["properties"]
    assert tools["export_results"].annotations.read_only_hint is False
    assert tools["compare_candidates"].annotations.read_only_hint is True
    server = AuralServer(OneClient(world.client), backend="T.", files=folder, access=access(Narrowing(read_only=True)))
    async with Client(server) as reading:
        tools = {tool.name: tool for tool in (await reading.list_tools()).tools}
        assert "saveas" not in json.dumps(tools["export_results"].model_dump(mode="json")).lower()
        assert tools["export_results"].annotations.read_only_hint is True
        for spelled in (
            {"saveAs": "panel"},
            {"save_as": "panel"},
            {"saveAs": {"a": 1}},
            {"arguments": {"interviewId": interview, "saveAs": "panel"}},
        ):
            given = spelled if "arguments" in spelled else {"interviewId": interview, **spelled}
            assert "saveAs is not an argument" in await refused(reading, "export_results", given)
        assert "content" in await ok(reading, "export_results", interviewId=interview, saveAs=None)
    assert list(folder.iterdir()) == []


# ── Packets ─────────────────────────────────────────────────────────────────────────────────────


async def registered(agent, world):
    """Somebody registered whose session is through, and one with the same address by the public link."""
    interview = await interview_with(agent)
    person = {"name": "Ann Lee", "email": "ann@x.test", "phone": "+49 1", "gender": "female", "notes": "Referred"}
    made = (await ok(agent, "create_candidates", interviewId=interview, candidates=[person]))["data"][0]
    log = [{"type": "paste", "timestamp": 1767225600000, "detail": "40 characters"}]
    media = {"audioRecordings": [{"url": "https://media.example/a.webm?sig=1"}], "antiCheatingLog": log}
    mail = {"participantEmail": "ann@x.test"}
    session = sit(world, interview, "Ann Lee", with_evidence(8), summary="Knows queues.", **media, **mail)
    register(world, made["id"], session)
    other = sit(world, interview, "A. Lee", None, participantEmail="ANN@x.test")
    return interview, made, session, other


async def test_a_packet_is_all_that_is_held_on_one_person_and_where_it_can_be_erased(agent, world):
    interview, person, session, other = await registered(agent, world)
    given = {"interviewId": interview, "candidateId": person["id"], "form": "packet"}
    exported = await ok(agent, "export_results", **given, format="json")
    whole = json.loads(exported["content"])
    assert (whole["candidate"]["phone"], whole["candidate"]["gender"], whole["candidate"]["notes"]) == (
        "+49 1",
        "female",
        "Referred",
    )
    assert (whole["session"]["id"], whole["session"]["summary"]) == (session, "Knows queues.")
    assert [turn["content"] for turn in whole["session"]["messages"]][:2] == [QUESTIONS[0], SAID]
    assert whole["session"]["antiCheatingLog"][0]["detail"] == "40 characters"
    assert whole["session"]["audioRecordings"][0]["url"] == "https://media.example/a.webm?sig=1"
    assert any("The API erases nothing" in each for each in whole["erase"])
    assert any("Aural dashboard" in each for each in whole["erase"])
    assert any(other in each for each in whole["elsewhere"])
    assert person["inviteUrl"].rsplit("/", 1)[1] not in exported["content"]
    document = await ok(agent, "export_results", **given)
    for words in ('phone: "+49 1"', "Knows queues.", f"> {SAID}", "## Where it can be erased", "detail: 40 characters"):
        assert words in document["content"], words
    assert "Aural dashboard" in (await at(agent, document["address"])).text


async def test_a_packet_has_what_the_other_interviews_hold_by_the_same_address_and_says_how_far_it_looked(agent, world):
    interview, person, session, _ = await registered(agent, world)
    address = person["email"]
    second, third = [await interview_of(agent, title) for title in ("Second", "Third")]
    more = [
        {"name": "A. Lee", "email": address.upper(), "notes": "Asked again"},
        {"name": "Bo", "email": f"x{address}"},
    ]
    await ok(agent, "create_candidates", interviewId=second, candidates=more)
    taken = sit(world, third, "Anna", even(7), participantEmail=address)
    given = {"interviewId": interview, "candidateId": person["id"], "form": "packet"}
    exported = await ok(agent, "export_results", **given, format="json")
    whole = json.loads(exported["content"])
    assert {each["interview"]["id"] for each in whole["others"]} == {second, third}
    assert [each["candidate"]["notes"] for each in whole["others"] if each["candidate"]] == ["Asked again"]
    assert [each["session"]["id"] for each in whole["others"] if each["session"]] == [taken]
    assert exported["sessionIds"] == [session, taken]
    assert "in 2 of 2 other interviews: 2 records" in whole["elsewhere"][0]
    assert "inviteToken" not in exported["content"]
    document = (await ok(agent, "export_results", **given))["content"]
    assert document.index("## Transcript") < document.index("## In other interviews") < document.index("Asked again")


async def test_who_came_by_the_public_link_has_a_packet_by_the_session(reader, world):
    interview, _, _, other = await registered(reader, world)
    exported = await ok(reader, "export_results", interviewId=interview, candidateId=other, form="packet")
    assert "this person was not registered" in exported["content"]
    assert "Name" not in exported["content"] or "A. Lee" in exported["content"]
    assert exported["sessionIds"] == [other]


async def test_who_has_not_begun_has_a_packet_too(reader, world):
    interview = await interview_with(reader)
    made = await ok(reader, "create_candidates", interviewId=interview, candidates=[{"name": "Bo Ek"}])
    exported = await ok(
        reader, "export_results", interviewId=interview, candidateId=made["data"][0]["id"], form="packet"
    )
    assert "this person has not begun" in exported["content"]
    assert exported["sessionIds"] == []


async def test_a_packet_that_cannot_be_is_refused_with_the_next_step(reader, world):
    interview, person, *_ = await registered(reader, world)
    whole = {"interviewId": interview, "candidateId": person["id"], "form": "packet"}
    for given, says in (
        ({**whole, "format": "csv"}, "A packet is no table and no page. Use format markdown or json."),
        ({"interviewId": interview, "form": "packet"}, "Give candidateId, from list_candidates"),
        ({**whole, "candidateId": "nobody"}, "Nobody here has the id “nobody”."),
    ):
        assert says in await refused(reader, "export_results", given)
    for seen in (Exposure(blind=True), Exposure(lockdown=True)):
        async with Client(AuralServer(OneClient(world.client), backend="T.", exposure=seen)) as agent:
            assert "here nobody is named" in await refused(agent, "export_results", whole)
            with pytest.raises(MCPError, match="here nobody is named"):
                await at(agent, f"aural://interviews/{interview}/candidates/{person['id']}/packet.md")


async def test_what_was_exported_of_whom_is_written_down(world, reader, tmp_path):
    interview, person, session, _ = await registered(reader, world)
    log = tmp_path / "audit.jsonl"
    audit = AuditLog(lambda: log)
    async with Client(AuralServer(OneClient(world.client), backend="T.", audit=audit)) as agent:
        await ok(agent, "export_results", interviewId=interview, candidateId=person["id"], form="packet")
        await ok(agent, "compare_candidates", interviewId=interview, sessionIds=[session])
        await ok(agent, "search_transcripts", interviewId=interview, query="queue", sessionIds=[session])
        await at(agent, f"aural://interviews/{interview}/candidates/{person['id']}/packet.json")
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["tool"] for line in lines] == [
        "export_results",
        "compare_candidates",
        "search_transcripts",
        "export_results",
    ]
    assert lines[0]["ids"] == {"interviewId": interview, "candidateId": person["id"], "sessionId": session}
    assert all(line["ids"] == {"interviewId": interview, "sessionId": session} for line in lines[1:3])
    assert lines[3]["ids"] == {"interviewId": interview, "candidateId": person["id"]}


@pytest.mark.parametrize("form", ["json", "html", "markdown", "csv"])
async def test_an_accent_at_the_beginning_of_a_line_changes_no_sign_of_the_format(reader, world, form):
    interview = await interview_with(reader)
    accents = [marks + "Robin" for marks in ("\u0323", "\u0338", "\u0327", "\u0331", "\u032e\u0307", "\u0328\u0304")]
    sit(world, interview, accents[1], even(7), summary="\n".join(accents))
    content = (await ok(reader, "export_results", interviewId=interview, format=form))["content"]
    assert unicodedata.normalize("NFC", content) == content
    if form == "json":
        (who,) = json.loads(content)["candidates"]
        assert (who["name"], who["summary"]) == (accents[1], "\n".join(accents))
    if form == "html":
        assert "<h2" in content
        assert "\u226f" not in content

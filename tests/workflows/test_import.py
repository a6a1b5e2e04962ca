"""Lists of people: read as they come, registered once each whatever breaks off, and said line by line."""

import csv
import io
import json
import re
import sqlite3
from collections import Counter

import anyio
import httpx
import pytest
from mcp import Client
from mcp.types import ElicitResult

from aural_mcp.backend.rest.app import create_app
from aural_mcp.backend.storage import tables
from aural_mcp.backend.storage.store import create_key, owner
from aural_mcp.client.state import State
from aural_mcp.privacy.exposure import Exposure
from aural_mcp.workflows import base
from aural_mcp.workflows.lists import importing, matching
from conftest import MODES, ORIGIN, ok, refused, text_of
from registering import a_wire, an_interview, at_once, imported, looked, registered, server_on  # noqa: F401
from wires import Wire

ANA, BO = {"name": "Ana Silva", "email": "ana@x.org"}, {"name": "Bo Lee", "email": "bo@x.org"}
THREE = "name,email\nAna Silva,ana@x.org\nBo Lee,bo@x.org\nCy,cy@x.org\n"
MANY = "\n".join(["name;email", *(f"Person {number};p{number}@x.org" for number in range(1200))])


class Dying(Wire):
    """A wire of a process that is killed: its state is kept as it was then, and it reaches nobody afterwards."""

    dead = False

    def __init__(self, app, path, kept, posts, *, before=False):
        super().__init__(app)
        self._path, self._kept, self._posts, self._before = path, kept, posts, before

    async def handle_async_request(self, request):
        if self.dead:
            raise httpx.ConnectError("dead")
        self._posts -= request.method == "POST"
        dying = request.method == "POST" and self._posts == 0
        response = None if dying and self._before else await super().handle_async_request(request)
        if dying:
            self.dead = True
            with sqlite3.connect(self._path) as source, sqlite3.connect(self._kept) as target:
                source.backup(target)
            raise httpx.ReadError("killed")
        return response


def state_at(path):
    return State(lambda: path)


@pytest.fixture
async def agent(wire):
    async with Client(server_on(wire), read_timeout_seconds=60) as connected:
        yield connected


def lines(result):
    return [(row["line"], row.get("field")) for row in result["problems"]]


def posts(wire):
    return wire.arrived.count("POST candidates")


# ── How lists come ──────────────────────────────────────────────────────────────────────────────

LISTS = {
    "commas": "name,email\nAna Silva,ana@x.org\nBo Lee,bo@x.org",
    "semicolons and a byte order mark": "\ufeffFull Name;E-Mail\r\nAna Silva;ana@x.org\r\nBo Lee;bo@x.org\r\n",
    "tabs": "Name\tE-mail address\nAna Silva\tana@x.org\nBo Lee\tbo@x.org",
    "what Excel says first": "sep=;\r\nname;email\r\nAna Silva;ana@x.org\r\nBo Lee;bo@x.org",
    "a title above": "Candidates 2026;\n\nname;email\nAna Silva;ana@x.org\nBo Lee;bo@x.org",
    "lone carriage returns": "name,email\rAna Silva,ana@x.org\rBo Lee,bo@x.org",
    "quoted newlines": 'notes,name,email\n"a\n""b"", c",Ana Silva,ana@x.org\n,"Bo\nLee",bo@x.org',
    "first and last names": "Last name,First name,Mail\nSilva,Ana,ana@x.org\nLee,Bo,bo@x.org",
    "a table in Markdown": "| Name | Email |\n|---|:--|\n| Ana Silva | ana@x.org |\n| Bo Lee | bo@x.org |",
    "blank lines": "\n\nname,email\n,,\nAna Silva,ana@x.org\n\n , \nBo Lee,bo@x.org\n",
    "pasted lines": "Ana Silva <ana@x.org>\nBo Lee <bo@x.org>",
    "an address book": '"Silva, Ana" <ana@x.org>; Lee, Bo <bo@x.org>;',
    "pasted columns": "Ana Silva, ana@x.org\nBo Lee, bo@x.org",
    "a numbered list": "1. Ana Silva ana@x.org\n2. Bo Lee (bo@x.org)",
    "addresses first": "ana@x.org\tAna Silva\nbo@x.org\tBo Lee",
    "an address as mail programs write it": "name,email\nAna Silva,mailto:ana@x.org\nBo Lee,Bo <bo@x.org>",
}


@pytest.mark.parametrize("data", LISTS.values(), ids=LISTS.keys())
async def test_a_list_is_read_however_it_comes(world, agent, interview, data):
    result = await imported(agent, interview, data)
    assert (result["registered"], result["invalid"], result["duplicates"]) == (2, 0, 0)
    assert registered(world, interview) == {("Ana Silva", "ana@x.org"): 1, ("Bo Lee", "bo@x.org"): 1}


CHINESE = (
    "姓名,邮箱,手机,学历,毕业年份,出生日期,薪资\n"
    "王小明,wang@x.cn,13800138000,本科,2019年,1995年3月2日,1\n"
    "李雷,li＠x.cn,,,,,"
)


@pytest.mark.parametrize(
    "raw",
    [
        CHINESE.encode(),
        CHINESE.encode("utf-8-sig"),
        CHINESE.encode("utf-16"),
        CHINESE.encode("utf-16-be"),
        CHINESE.encode("gb18030"),
        CHINESE.replace(",", "，").encode("gb18030"),
    ],
    ids=["UTF-8", "with a mark", "UTF-16", "UTF-16 without a mark", "GB18030", "wide commas"],
)
async def test_chinese_columns_and_encodings_of_files_are_known(wire, interview, tmp_path, raw):
    (tmp_path / "list.csv").write_bytes(raw)
    async with Client(server_on(wire, files=tmp_path)) as agent:
        asked = {"interviewId": interview, "file": "list.csv"}
        seen = await ok(agent, "import_candidates", **asked)
        assert seen["first"][1] == {"name": "李雷", "email": "li@x.cn"}
        assert seen["first"][0]["phone"] == "13800138000"
        assert seen["leftOut"] == ["薪资 (“1”, 1 of 1 look like numbers)"]
        await ok(agent, "import_candidates", **asked, dryRun=False)
        more = ["birthday", "education", "graduationYear", "phone"]
        rows = (await ok(agent, "list_candidates", interviewId=interview, name="王", include=more))["data"]
    assert {name: rows[0][name] for name in more} == {
        "birthday": "1995-03-02",
        "education": "本科",
        "graduationYear": 2019,
        "phone": "13800138000",
    }


async def test_western_files_without_unicode_are_read(world, wire, interview, tmp_path):
    (tmp_path / "list.csv").write_bytes("name;email\r\nJosé Peña;jose@x.org\r\nRené;rene@x.org".encode("cp1252"))
    async with Client(server_on(wire, files=tmp_path)) as agent:
        await ok(agent, "import_candidates", interviewId=interview, file="list.csv", dryRun=False)
    assert {name for name, _ in registered(world, interview)} == {"José Peña", "René"}


async def test_rows_can_be_given_as_they_are(world, agent, interview):
    people = [ANA, {"name": "No address", "phone": "+1 555 010 9999"}, {"name": "Bad", "email": "bad"}, ANA]
    given = {"interviewId": interview, "candidates": people}
    result = await ok(agent, "import_candidates", **given, dryRun=False)
    assert (result["registered"], lines(result)) == (2, [(3, "email"), (4, None)])
    assert sum(registered(world, interview).values()) == 2


# ── What is wrong with rows ─────────────────────────────────────────────────────────────────────


async def test_every_row_that_is_wrong_is_named_with_its_line_and_why(agent, interview):
    rows = [
        "name,email,birthday,graduation year,phone,notes",
        "Ana,ana@x.org,1990-02-30,,,",
        'Bo,bo@x.org,,,,"two\nlines"',
        ",cy@x.org,,,,",
        "Dan,dan@x,,,,",
        "Eve,eve @x.org,,,,",
        "Fay,fay@x.org,03/04/2001,,,",
        "Gil,gil@x.org,,19,,",
        "Hal,hal@x.org,,,1.38E+10,",
        "Ida,ida@x.org,2999-01-01,,,",
        "Jo,jo@x.org,,,,,,extra",
        "Kim,kim\ufffd@x.org,,,,",
        "L" * 201 + ",l@x.org,,,,",
        "Mo,BO@X.ORG,,,,",
        '"Ned,ned@x.org,,,,',
        "Oz,oz@x.org,,,,",
    ]
    result = await looked(agent, interview, "\n".join(rows))
    assert lines(result) == [
        (2, "birthday"),
        (5, "name"),
        (6, "email"),
        (7, "email"),
        (8, "birthday"),
        (9, "graduationYear"),
        (10, "phone"),
        (11, "birthday"),
        (12, None),
        (13, "email"),
        (14, "name"),
        (15, None),
        (16, None),
    ]
    said = {row["line"]: row["said"] for row in result["problems"]}
    assert "two days" in said[8]
    assert "line 3" in said[15]
    assert "does not close" in said[16]
    assert (result["new"], result["invalid"], result["duplicates"]) == (1, 12, 1)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("1990/3/2", "1990-03-02"),
        ("1990.03.02", "1990-03-02"),
        ("19900302", "1990-03-02"),
        ("25/12/1990", "1990-12-25"),
        ("12/25/1990", "1990-12-25"),
        ("5.5.1990", "1990-05-05"),
        ("2 March 1990", "1990-03-02"),
        ("Mar 2nd, 1990", "1990-03-02"),
        ("02-Mar-1990", "1990-03-02"),
        ("1990-03-02T00:00:00", "1990-03-02"),
        ("1990年3月2日", "1990-03-02"),
    ],
)
async def test_days_that_can_be_read_in_one_way_only_are_understood(agent, interview, written, meant):
    await imported(agent, interview, f"name;birthday\nAna;{written}")
    rows = (await ok(agent, "list_candidates", interviewId=interview, include=["birthday"]))["data"]
    assert [row["birthday"] for row in rows] == [meant]


async def test_the_first_valid_row_of_a_person_counts(world, agent, interview):
    data = "name,email,phone\nAna,ana@,\nAna,ana@x.org,\nANA S,Ana@X.org,\nBo,,0123 456\nbo ,-,0123-456\nBo,,9\n"
    result = await imported(agent, interview, data)
    assert lines(result) == [(2, "email"), (4, None), (6, None)]
    assert registered(world, interview) == {("Ana", "ana@x.org"): 1, ("Bo", None): 2}


async def test_many_problems_are_cut_short_and_counted(agent, interview):
    result = await looked(agent, interview, "\n".join(["name,email", *["x,y"] * 70]))
    assert (len(result["problems"]), result["moreProblems"], result["invalid"]) == (50, 20, 70)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("email,phone\na@x.org,1", "No column holds names: email (“a@x[.]org”"),
        ("Etunimi;Sukunimi;Os\nAino;Mäki;aino@x.org\nEero;Salo;eero.s@x.org", '"Etunimi": "firstName"'),
        ("\n ,\n", "There is nobody in it."),
    ],
)
async def test_what_cannot_be_used_at_all_is_refused_with_the_next_step(agent, interview, data, said):
    text = await refused(agent, "import_candidates", {"interviewId": interview, "data": data})
    assert said in text
    assert "nothing was done" in text


@pytest.mark.parametrize("given", [{}, {"data": "Ana", "candidates": [ANA]}, {"data": "Ana", "file": "x"}])
async def test_the_people_are_given_in_one_way(agent, interview, given):
    said = await refused(agent, "import_candidates", {"interviewId": interview, **given})
    assert "one of data, candidates and file" in said
    assert "nothing changed" in said


async def test_hidden_characters_are_not_registered(world, agent, interview):
    await imported(agent, interview, "name,email,notes\nA\u200bna\x07,ana@x.org,a\u202eb")
    assert registered(world, interview) == {("Ana", "ana@x.org"): 1}


# ── Once each ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("field", ["name", "notes", "school", "workExperience"])
async def test_an_address_fires_in_no_field_of_a_dry_run_but_the_one_for_it(agent, interview, field):
    row = {"name": "Ana Silva", "email": "ana@x.org", field: "https://evil.test/x"}
    text = text_of(await agent.call_tool("import_candidates", {"interviewId": interview, "candidates": [row]}))
    assert "ana@x.org" in text
    assert "evil.test" not in text


async def test_a_dry_run_is_the_default_and_changes_nothing(world, wire, agent, interview, tmp_path):
    result = await ok(agent, "import_candidates", interviewId=interview, data=THREE)
    assert (result["new"], result["dryRun"], len(result["first"])) == (3, True, 3)
    assert "registered elsewhere" in result["remarks"][0]
    assert "nobody can be taken off again" in result["remarks"][0]
    assert posts(wire) == 0
    assert not registered(world, interview)


async def test_who_is_registered_already_is_left_out(world, agent, interview):
    people = [{"name": "Ana", "email": " ANA@x.org"}]
    await ok(agent, "create_candidates", interviewId=interview, candidates=people)
    assert (await looked(agent, interview, THREE))["alreadyRegistered"] == 1
    result = await imported(agent, interview, THREE)
    assert (result["registered"], result["alreadyRegistered"]) == (2, 1)
    assert (await imported(agent, interview, THREE))["registered"] == 0
    assert sum(registered(world, interview).values()) == 3


async def test_1200_people_take_three_requests_and_none_when_repeated_long_after(world, wire, interview, tmp_path):
    path, told = tmp_path / "state.db", []

    async def tell(progress, total, message):
        told.append((progress, total))

    async with Client(server_on(wire, state_at(path)), read_timeout_seconds=60) as agent:
        asked = {"interviewId": interview, "data": MANY, "dryRun": False}
        result = await agent.call_tool("import_candidates", asked, progress_callback=tell)
        assert result.structured_content["registered"] == 1200
        assert "newest 1,000" in text_of(result)
    assert told == [(500, 1200), (1000, 1200), (1200, 1200)]
    with sqlite3.connect(path) as db:
        db.execute("delete from creates")
    async with Client(server_on(wire, state_at(path)), read_timeout_seconds=60) as agent:
        again = await imported(agent, interview, MANY + "\nNew;new@x.org")
    assert (again["registered"], again["alreadyRegistered"]) == (1, 1200)
    assert posts(wire) == 4
    assert set(registered(world, interview).values()) == {1}


async def test_who_was_seen_once_is_known_when_no_longer_listed(world, wire, agent, interview):
    await ok(agent, "create_candidates", interviewId=interview, candidates=[ANA])
    data = MANY + "\nAna Silva;ana@x.org"
    assert (await imported(agent, interview, data))["registered"] == 1200
    assert (await imported(agent, interview, data))["registered"] == 0
    assert registered(world, interview)["Ana Silva", "ana@x.org"] == 1


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("forgotten", [False, True], ids=["at once", "when the ledger has forgotten"])
async def test_killed_in_the_middle_and_repeated_everybody_is_there_once(
    world, wire, interview, tmp_path, number, forgotten
):
    dying = Dying(world.app, tmp_path / "state.db", tmp_path / "kept.db", number)
    async with Client(server_on(dying, state_at(tmp_path / "state.db")), read_timeout_seconds=60) as agent:
        await agent.call_tool("import_candidates", {"interviewId": interview, "data": MANY, "dryRun": False})
    assert dying.dead
    if forgotten:
        with sqlite3.connect(tmp_path / "kept.db") as db:
            db.execute("delete from creates")
    async with Client(server_on(wire, state_at(tmp_path / "kept.db")), read_timeout_seconds=60) as agent:
        result = await imported(agent, interview, MANY)
        assert (await imported(agent, interview, MANY))["registered"] == 0
    assert result["registered"] + result["alreadyRegistered"] == 1200
    assert registered(world, interview).total() == len(registered(world, interview)) == 1200
    assert posts(wire) + posts(dying) == 3


async def test_killed_before_it_arrived_it_waits_until_no_backend_can_be_at_it(
    world, wire, interview, tmp_path, monkeypatch
):
    dying = Dying(world.app, tmp_path / "state.db", tmp_path / "kept.db", 2, before=True)
    async with Client(server_on(dying, state_at(tmp_path / "state.db")), read_timeout_seconds=60) as agent:
        await agent.call_tool("import_candidates", {"interviewId": interview, "data": MANY, "dryRun": False})
    async with Client(server_on(wire, state_at(tmp_path / "kept.db")), read_timeout_seconds=60) as agent:
        early = await imported(agent, interview, MANY)
        assert (early["registered"], early["remaining"]) == (200, 500)
        assert "call again in" in early["remarks"][0]
        with sqlite3.connect(tmp_path / "kept.db") as db:
            db.execute("update creates set begun_at = begun_at - 200 where state = 'started'")
        monkeypatch.setattr(matching, "UNSETTLED", 0.0)
        assert (await imported(agent, interview, MANY))["registered"] == 500
    assert registered(world, interview).total() == len(registered(world, interview)) == 1200


async def test_people_whom_others_registered_meanwhile_do_not_pass_for_a_group_that_was_lost(
    world, wire, interview, tmp_path, monkeypatch
):
    dying = Dying(world.app, tmp_path / "state.db", tmp_path / "kept.db", 1, before=True)
    async with Client(server_on(dying, state_at(tmp_path / "state.db")), read_timeout_seconds=60) as agent:
        await agent.call_tool("import_candidates", {"interviewId": interview, "data": MANY, "dryRun": False})
    some = "\n".join(MANY.splitlines()[:350])
    async with Client(server_on(wire, state_at(tmp_path / "elsewhere.db")), read_timeout_seconds=60) as agent:
        assert (await imported(agent, interview, some))["registered"] == 349
    monkeypatch.setattr(matching, "UNSETTLED", 0.0)
    async with Client(server_on(wire, state_at(tmp_path / "kept.db")), read_timeout_seconds=60) as agent:
        assert (await imported(agent, interview, MANY))["registered"] == 851
    assert registered(world, interview).total() == len(registered(world, interview)) == 1200


async def test_a_group_cut_off_by_the_end_of_the_list_was_registered_whole(world, wire, interview, tmp_path):
    dying = Dying(world.app, tmp_path / "state.db", tmp_path / "kept.db", 1)
    async with Client(server_on(dying, state_at(tmp_path / "state.db")), read_timeout_seconds=60) as agent:
        await agent.call_tool("import_candidates", {"interviewId": interview, "data": MANY, "dryRun": False})
    others = "\n".join(["name,email", *(f"Other {number},o{number}@x.org" for number in range(800))])
    async with Client(server_on(wire, state_at(tmp_path / "elsewhere.db")), read_timeout_seconds=60) as agent:
        await imported(agent, interview, others)
    async with Client(server_on(wire, state_at(tmp_path / "kept.db")), read_timeout_seconds=60) as agent:
        assert (await imported(agent, interview, MANY))["registered"] == 700
    assert registered(world, interview).total() == len(registered(world, interview)) == 2000


async def test_what_nobody_can_know_is_said_and_registered_for_nobody(world, wire, interview, tmp_path):
    dying = Dying(world.app, tmp_path / "state.db", tmp_path / "kept.db", 1)
    async with Client(server_on(dying, state_at(tmp_path / "state.db")), read_timeout_seconds=60) as agent:
        await agent.call_tool("import_candidates", {"interviewId": interview, "data": THREE, "dryRun": False})
    async with Client(server_on(wire, state_at(tmp_path / "elsewhere.db")), read_timeout_seconds=60) as agent:
        await imported(agent, interview, MANY)
    async with Client(server_on(wire, state_at(tmp_path / "kept.db")), read_timeout_seconds=60) as agent:
        result = await imported(agent, interview, THREE + "New,new@x.org\n")
    assert (result["registered"], result["uncertain"], result["remaining"]) == (1, 3, 3)
    assert "may be registered" in " ".join(result["remarks"])
    assert registered(world, interview)["Ana Silva", "ana@x.org"] == 1


class Holding(Wire):
    """Keeps the answer to the first POST back until it may go."""

    def __init__(self, app):
        super().__init__(app)
        self.done, self.may_go = anyio.Event(), anyio.Event()

    async def handle_async_request(self, request):
        response = await super().handle_async_request(request)
        if request.method == "POST" and not self.done.is_set():
            self.done.set()
            await self.may_go.wait()
        return response


@pytest.mark.parametrize("answer", ["is not there yet", "never comes"])
async def test_a_call_that_the_host_gives_up_is_gone_on_with(world, interview, monkeypatch, answer):
    wire, given_up = Holding(world.app), anyio.CancelScope()
    if answer == "never comes":
        monkeypatch.setattr(base, "ENDS_WITHIN", base.LEAST + 2)

    async def give_up(agent):
        with given_up:
            await imported(agent, interview, MANY)

    async with Client(server_on(wire), read_timeout_seconds=60) as agent:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(give_up, agent)
            await wire.done.wait()
            given_up.cancel()
            if answer == "is not there yet":
                again = await imported(agent, interview, MANY)
                wire.may_go.set()
        monkeypatch.undo()
        if answer != "is not there yet":
            again = await imported(agent, interview, MANY)
    assert (again["registered"], again["alreadyRegistered"], again["remaining"]) == (700, 500, 0)
    assert registered(world, interview).total() == len(registered(world, interview)) == 1200
    assert posts(wire) == 3


@pytest.mark.parametrize("fault", ["dropped", "cut"])
async def test_a_group_whose_answer_is_lost_is_found(world, wire, agent, interview, fault):
    wire.faults += ["", fault]
    assert (await imported(agent, interview, THREE))["registered"] == 3
    assert (await imported(agent, interview, THREE))["alreadyRegistered"] == 3
    assert posts(wire) == 1


async def test_a_group_that_did_not_arrive_is_sent_by_the_next_call(world, wire, agent, interview):
    wire.faults += ["", "reset"]
    lost = await imported(agent, interview, THREE)
    assert (lost["registered"], lost["remaining"]) == (0, 3)
    assert "not done" in lost["remarks"][0]
    assert (await imported(agent, interview, THREE))["registered"] == 3


async def test_a_group_that_arrives_late_is_not_sent_again(world, wire, agent, interview):
    wire.faults += ["", "late"]
    late = await imported(agent, interview, THREE)
    assert (late["registered"], late["remaining"]) == (0, 3)
    waiting = await imported(agent, interview, THREE + "Dan,dan@x.org\n")
    assert (waiting["registered"], waiting["remaining"]) == (1, 3)
    await wire.arrive()
    assert (await imported(agent, interview, THREE))["alreadyRegistered"] == 3
    assert set(registered(world, interview).values()) == {1}


async def test_what_was_imported_and_is_gone_is_said_and_not_registered_anew(world, agent, interview):
    await imported(agent, interview, THREE)
    with world.store.writing() as db:
        db.execute(tables.candidates.delete().where(tables.candidates.c.email == "cy@x.org"))
    again = await imported(agent, interview, THREE)
    assert (again["registered"], again["alreadyRegistered"]) == (0, 3)
    assert "1 were imported" in again["remarks"][0]


async def test_two_processes_at_once_register_everybody_once(world, interview, tmp_path):
    path, done = tmp_path / "state.db", []

    async def go():
        async with Client(server_on(Wire(world.app), state_at(path)), read_timeout_seconds=60) as agent:
            done.append(await imported(agent, interview, MANY))

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(go)
    assert sum(each["registered"] for each in done) == 1200
    assert registered(world, interview).total() == len(registered(world, interview)) == 1200


async def test_a_refusal_claims_nobody(world, agent, interview):
    nowhere = {"interviewId": "00000000-0000-4000-8000-000000000000", "data": THREE, "dryRun": False}
    assert "NOT_FOUND" in await refused(agent, "import_candidates", nowhere)
    assert (await imported(agent, interview, THREE))["registered"] == 3


# ── Time, budget, consent ───────────────────────────────────────────────────────────────────────


class Counting(Wire):
    """Counts what came back."""

    def __init__(self, app, statuses):
        super().__init__(app)
        self._statuses = statuses

    async def handle_async_request(self, request):
        response = await super().handle_async_request(request)
        self._statuses[response.status_code] += 1
        return response


async def test_against_a_backend_of_60_a_minute_nothing_is_refused_and_the_rest_remains(
    world, interview, tmp_path, monkeypatch
):
    monkeypatch.setattr(base, "ENDS_WITHIN", 20.0)
    user, path, statuses = owner(world.store).user_id, tmp_path / "state.db", Counter()
    key, registered_by = create_key(world.store, user, "K"), []
    for before in (55, 0):
        limited = create_app(world.store, origin=lambda: ORIGIN, local_key=None, requests_per_minute=60)
        server = server_on(Counting(limited, statuses), state_at(path), key=key, per_minute=60)
        async with Client(server, read_timeout_seconds=60) as agent:
            for _ in range(before):
                await ok(agent, "list_questions", interviewId=interview)
            result = await imported(agent, interview, MANY)
            registered_by.append(result["registered"])
            if before:
                assert re.match(r"200 of 1,200 remain; call again in (4|5|6)\d s", result["remarks"][0])
        with sqlite3.connect(path) as db:
            db.execute("delete from grants")
    assert registered_by == [1000, 200]
    assert set(statuses) == {200}


async def test_when_time_is_over_the_rest_remains_and_the_same_call_goes_on(world, agent, interview, monkeypatch):
    monkeypatch.setattr(importing, "is_over", _turns([False, True]))
    first = await imported(agent, interview, MANY)
    assert (first["registered"], first["remaining"]) == (500, 700)
    assert "700 of 1,200 remain; call again with the same arguments" in first["remarks"][0]
    monkeypatch.setattr(importing, "is_over", lambda spent: False)
    assert (await imported(agent, interview, MANY))["registered"] == 700
    assert registered(world, interview).total() == 1200


def _turns(answers):
    left = list(answers)
    return lambda spent: left.pop(0)


YES, NO = ElicitResult(action="accept", content={"agreed": True}), ElicitResult(action="decline")
TWENTY_ONE = "\n".join(f"Person {chr(65 + number)} <p{number}@x.org>" for number in range(21))


@pytest.mark.parametrize("mode", MODES)
async def test_more_than_20_new_people_are_asked_about_once(world, wire, interview, mode):
    asked, answers = [], [NO, YES]

    async def person(context, params):
        asked.append(params.message)
        return answers.pop(0)

    server = server_on(wire, confirm="ask")
    async with Client(server, mode=mode, elicitation_callback=person, read_timeout_seconds=30) as agent:
        assert (await looked(agent, interview, TWENTY_ONE))["new"] == 21
        given = {"interviewId": interview, "data": TWENTY_ONE, "dryRun": False}
        assert "did not agree" in await refused(agent, "import_candidates", given)
        assert not registered(world, interview)
        assert (await imported(agent, interview, TWENTY_ONE))["registered"] == 21
        assert (await imported(agent, interview, TWENTY_ONE))["registered"] == 0
        assert (await imported(agent, interview, THREE))["registered"] == 3
    assert len(asked) == 2
    assert "Register 21 people (“Person A”, “Person B”, “Person C” and 18 more) for “" in asked[0]
    assert "which has 0? Each gets a private link. Nobody can be taken off again" in asked[0]
    assert "imported elsewhere" in asked[0]


async def test_an_interview_that_takes_nobody_is_named_before_anybody_is_registered(world, agent):
    made = (await ok(agent, "create_interview", title="Empty"))["id"]
    await ok(agent, "archive_interview", interviewId=made)
    remarks = (await looked(agent, made, THREE))["remarks"]
    assert "no questions yet" in remarks[0]
    assert "is archived" in remarks[1]
    async with Client(server_on(Wire(world.app), confirm="ask")) as careful:
        given = {"interviewId": made, "data": TWENTY_ONE, "dryRun": False}
        (asked,) = (await ok(careful, "import_candidates", **given))["remarks"]
    assert "no questions yet" in asked
    assert "is archived" in asked


async def test_a_yes_holds_for_what_stood_in_the_file(world, wire, interview, tmp_path):
    (tmp_path / "list.txt").write_text(TWENTY_ONE)
    given = {"interviewId": interview, "file": "list.txt", "dryRun": False}
    async with Client(server_on(wire, confirm="ask", files=tmp_path)) as agent:
        code = (await ok(agent, "import_candidates", **given))["confirmation"]
        (tmp_path / "list.txt").write_text(TWENTY_ONE + "\nEve <eve@x.org>")
        anew = await ok(agent, "import_candidates", **given, confirmation=code)
        assert "the list or file was changed since" in anew["remarks"][0]
        code = anew["confirmation"]
        assert (await ok(agent, "import_candidates", **given, confirmation=code))["registered"] == 22
        (tmp_path / "list.txt").write_text(TWENTY_ONE.replace("@x", "@y"))
        assert "confirmation" in await ok(agent, "import_candidates", **given)


# ── Files, names, links ─────────────────────────────────────────────────────────────────────────


async def test_files_are_read_in_the_folder_only(wire, interview, tmp_path):
    folder, outside = tmp_path / "lists", tmp_path / "secret.csv"
    folder.mkdir()
    outside.write_text(THREE)
    (folder / "link.csv").symlink_to(outside)
    (folder / "a.csv").write_text(THREE)
    (folder / "book.xlsx").write_bytes(b"PK\x03\x04...")
    async with Client(server_on(wire, files=folder)) as agent:
        for name in ("../secret.csv", str(outside), "link.csv", "."):
            said = await refused(agent, "import_candidates", {"interviewId": interview, "file": name})
            assert "leads out of the folder" in said
            assert "Ana" not in said
        said = await refused(agent, "import_candidates", {"interviewId": interview, "file": "b.csv"})
        assert "“a.csv”" in said
        said = await refused(agent, "import_candidates", {"interviewId": interview, "file": "book.xlsx"})
        assert "Save it as CSV" in said
        assert (await ok(agent, "import_candidates", interviewId=interview, file="a.csv"))["new"] == 3


async def test_without_a_folder_no_file_is_read(agent, interview):
    said = await refused(agent, "import_candidates", {"interviewId": interview, "file": "a.csv"})
    assert "--files" in said
    assert "data instead" in said


@pytest.mark.parametrize("exposure", [Exposure(blind=True), Exposure(lockdown=True)], ids=["blind", "lockdown"])
async def test_where_nobody_may_be_named_nobody_is(wire, agent, interview, tmp_path, exposure):
    await imported(agent, interview, "name,email\nZed Quux,zed@quux.org")
    (tmp_path / "list.csv").write_text(
        "name,email\nAna Silva,ana@silva\nZed,zed@quux.org\nBo,bo@lee.org\nZed,zed@quux.org"
    )
    (tmp_path / "odd.csv").write_text("Ana Silva;x\nBo Lee;bo@lee.org\nCy;cy@lee.org")
    said = []
    async with Client(server_on(wire, exposure=exposure, files=tmp_path, confirm="ask")) as blind:
        for name, dry in (("list.csv", True), ("list.csv", False), ("odd.csv", True)):
            result = await blind.call_tool("import_candidates", {"interviewId": interview, "file": name, "dryRun": dry})
            said.append(text_of(result) + json.dumps(result.structured_content, ensure_ascii=False))
        said.append((await blind.read_resource(f"aural://interviews/{interview}/invites.csv")).contents[0].text)
    assert not [
        word for word in ("Ana", "Silva", "silva", "Zed", "Quux", "quux", "Bo", "lee") if word in " ".join(said)
    ]
    assert '"line": 2' in said[0]
    assert said[3].count("Candidate ") == 2
    assert "/i/invite/" not in said[3]


async def links(agent, interview):
    found = (await agent.read_resource(f"aural://interviews/{interview}/invites.csv")).contents[0]
    assert found.mime_type == "text/csv"
    assert found.text.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(found.text[1:], newline="")))


async def test_the_links_are_a_table_in_which_nothing_is_a_formula(world, agent, interview):
    people = [
        {"name": name, "email": f"p{number}@x.org"} for number, name in enumerate(("=1+1", "@x", "-A", "+B", "C"))
    ]
    result = await ok(agent, "import_candidates", interviewId=interview, candidates=people, dryRun=False)
    assert result["invites"] == f"aural://interviews/{interview}/invites.csv"
    rows = await links(agent, interview)
    assert {row["name"] for row in rows} == {"'=1+1", "'@x", "'-A", "'+B", "C"}
    assert {row["status"] for row in rows} == {"NOT_BEGUN"}
    async with world.browser() as browser:
        assert {(await browser.get(row["inviteUrl"])).status_code for row in rows} == {200}


async def test_links_that_aural_no_longer_lists_are_in_the_table_for_a_day(world, wire, interview, tmp_path):
    path = tmp_path / "state.db"
    async with Client(server_on(wire, state_at(path)), read_timeout_seconds=60) as agent:
        await ok(agent, "create_candidates", interviewId=interview, candidates=[ANA])
        await imported(agent, interview, MANY)
        rows = await links(agent, interview)
        assert len({row["inviteUrl"] for row in rows}) == 1201
        assert Counter(row["email"] for row in rows)["ana@x.org"] == 1
        async with world.browser() as browser:
            ana = next(row for row in rows if row["email"] == "ana@x.org")
            assert (await browser.get(ana["inviteUrl"])).status_code == 200
        with sqlite3.connect(path) as db:
            db.execute("update journal set at = at - 90000 where task like 'links %'")
        assert len(await links(agent, interview)) == 1000
        await imported(agent, interview, MANY + "\nNew;new@x.org")
    with sqlite3.connect(path) as db:
        kept = db.execute("select count(*) from journal where task like 'import %' and done like '%@%'").fetchone()
    assert kept == (0,)


async def test_names_in_lists_cannot_fire_links_when_shown(agent, interview):
    result = await looked(agent, interview, "name,email\n![x](https://evil.test/a),a@x.org")
    assert "https://evil.test" not in json.dumps(result)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("people/list.csv", "Give it as `file`"),
        ('[{"name": "Ana"}]', "Give an array of people as `candidates`"),
        ("name\n" + "Ana\n" * 21_001, "Split the list"),
    ],
    ids=["the name of a file", "JSON", "too many"],
)
async def test_what_was_meant_otherwise_is_refused_with_how(agent, interview, data, said):
    assert said in await refused(agent, "import_candidates", {"interviewId": interview, "data": data})


async def test_a_dry_run_says_what_would_be_registered_that_invites_bias(agent, interview):
    result = await looked(agent, interview, "name,gender,birthday\nAna,f,1990-03-02")
    assert "Gender and birthday would be registered too" in " ".join(result["remarks"])
    assert "bias" not in str(await looked(agent, interview, "name,gender\nAna,"))


@pytest.mark.parametrize("data", ["a" * 130_000, "<" * 130_000, "a@" * 65_000, "<a@" * 43_000, "1. " * 43_000])
async def test_long_lines_take_no_long_time(agent, interview, data):
    with anyio.fail_after(60):
        await agent.call_tool("import_candidates", {"interviewId": interview, "data": data})

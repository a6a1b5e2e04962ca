"""Lists as recruiters have them: the right people, or a refusal whose `columns` make it right; nothing in silence."""

import base64
import importlib.util
import json
import re
import sys
import time
from pathlib import Path

import anyio
import pytest
from mcp import Client

from conftest import ok, refused, text_of
from registering import a_wire, an_interview, at_once, imported, looked, registered, server_on  # noqa: F401

HERE = Path(__file__).parent
CASES = [json.loads(line) for line in (HERE / "lists.jsonl").read_text().splitlines()]
CASES = {case["id"]: case for case in CASES if "people" in case}


@pytest.fixture
async def agent(wire, tmp_path):
    async with Client(server_on(wire, files=tmp_path), read_timeout_seconds=60) as connected:
        connected.folder = tmp_path
        yield connected


def asked(agent, interview, case, **more):
    given = case["input"]
    if "file_base64" in given:
        (agent.folder / given["file"]).write_bytes(base64.b64decode(given["file_base64"]))
        return {"interviewId": interview, "file": given["file"], **more}
    return {"interviewId": interview, "data": given["data"], **more}


PROPOSED = re.compile(r"Give `columns`, this or corrected: (\{.*?\})\. A column is")


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
async def test_every_list_that_went_wrong_comes_to_the_right_people(agent, interview, case):
    result = await agent.call_tool("import_candidates", asked(agent, interview, case))
    if case["people"] is None:
        assert result.is_error
        assert "nothing was done" in text_of(result)
        return
    if case.get("asks"):
        columns = json.loads(PROPOSED.search(text_of(result))[1])
        result = await agent.call_tool("import_candidates", asked(agent, interview, case, columns=columns))
    shown = result.structured_content
    stored = [[each["name"], each.get("email"), each.get("phone")] for each in shown.get("first", [])]
    assert stored == case["people"]
    assert [row["line"] for row in shown.get("problems", [])] == case.get("lines", [])
    assert all(any(word in each for each in shown["remarks"]) for word in case.get("said", []))


async def test_what_headings_do_not_settle_is_proposed_and_right_with_one_more_call(world, agent, interview):
    data = "Etunimi;Sukunimi;Sähköposti;Puh\nAino;Mäki;aino.maki@x.org;040 123 4567\n"
    data += "Eero;Salo;eero.salo@x.org;040 765 4321"
    said = await refused(agent, "import_candidates", {"interviewId": interview, "data": data})
    columns = json.loads(PROPOSED.search(said)[1])
    assert columns == {"Etunimi": "firstName", "Sukunimi": "lastName", "Sähköposti": "email", "Puh": "phone"}
    result = await imported(agent, interview, data, columns=columns)
    assert result["registered"] == 2
    assert registered(world, interview) == {("Aino Mäki", "aino.maki@x.org"): 1, ("Eero Salo", "eero.salo@x.org"): 1}


async def test_columns_may_be_an_object_or_pairs_and_null_leaves_out(agent, interview):
    data = "Name,Email,Quelle,Stage\nAna Silva,ana@x.org,Messe,New"
    pairs = [{"heading": "Quelle", "field": "notes"}, {"heading": "Stage"}]
    for columns in ({"Quelle": "notes", "Stage": None}, pairs, json.dumps({"Quelle": "notes", "Stage": None})):
        seen = await ok(agent, "import_candidates", interviewId=interview, data=data, columns=columns)
        assert seen["first"] == [{"name": "Ana Silva", "email": "ana@x.org", "notes": "Messe"}]
        assert seen["leftOut"] == ["Stage (“New”, 1 of 1 look like names)"]


@pytest.mark.parametrize(
    ("columns", "said"),
    [({"Mail": "email"}, "“Mail”, which is no heading. There are “Name”"), ({"Name": "nmae"}, "“nmae” is no field")],
)
async def test_columns_that_cannot_be_are_named(agent, interview, columns, said):
    given = {"interviewId": interview, "data": "Name,Post\nAna Silva,ana@x.org", "columns": columns}
    assert said in await refused(agent, "import_candidates", given)


@pytest.mark.parametrize("cells", ["kim@x.org", "+44 20 7946 0958"], ids=["addresses", "numbers"])
async def test_a_column_left_out_that_is_full_of_what_matters_is_refused_and_then_remarked(agent, interview, cells):
    data = f"Name,Email,Phone,Recruiter contact\nAna,ana@x.org,555 0100,{cells}\nBo,bo@x.org,555 0101,{cells}"
    said = await refused(agent, "import_candidates", {"interviewId": interview, "data": data})
    assert "2 of 2 look like" in said
    seen = await ok(agent, "import_candidates", interviewId=interview, data=data, columns={"Recruiter contact": None})
    assert "Recruiter contact" in seen["leftOut"][0]


async def test_a_plain_list_takes_two_calls_and_both_show_the_columns(agent, interview):
    data = "Name,Email,City\nAna Silva,ana@x.org,Bonn\nBo Lee,bo@x.org,Ulm"
    seen = await looked(agent, interview, data)
    done = await imported(agent, interview, data)
    assert (seen["new"], done["registered"]) == (2, 2)
    assert seen["columns"] == done["columns"] == {"name": "Name", "email": "Email"}
    assert seen["leftOut"] == done["leftOut"]


# ── Encodings ───────────────────────────────────────────────────────────────────────────────────


async def test_a_guessed_encoding_is_said_with_names_and_can_be_overridden(agent, interview):
    (agent.folder / "a.csv").write_bytes("name,email\nŠárka Novák,s@x.cz\n".encode("cp1250"))
    asked = {"interviewId": interview, "file": "a.csv"}
    seen = await ok(agent, "import_candidates", **asked)
    assert "The file is not UTF-8: it was read as" in seen["remarks"][0]
    assert seen["first"][0]["name"] in seen["remarks"][0]
    right = await ok(agent, "import_candidates", **asked, encoding="cp1250")
    assert right["first"][0]["name"] == "Šárka Novák"
    assert "not UTF-8" not in str(right["remarks"])
    assert "is not known" in await refused(agent, "import_candidates", {**asked, "encoding": "klingon"})


async def test_a_file_in_two_encodings_is_refused_with_the_line(agent, interview):
    (agent.folder / "a.csv").write_bytes("name,email\nJürgen,j@x.de\n".encode() + "Zoé,z@x.fr\n".encode("cp1252"))
    said = await refused(agent, "import_candidates", {"interviewId": interview, "file": "a.csv"})
    assert "Line 3 is in another encoding" in said


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "utf-16", "utf-16-le", "utf-16-be"])
async def test_a_zero_in_a_file_is_taken_out(world, agent, interview, encoding):
    text = "Name,Email,Notes\nJür\0gen Groß,j@x.org,a\0b\nBo Lee,bo\0@x.org,\n"
    (agent.folder / "a.csv").write_bytes(text.encode(encoding))
    done = await ok(agent, "import_candidates", interviewId=interview, file="a.csv", dryRun=False)
    assert done["registered"] == 2
    assert registered(world, interview) == {("Jürgen Groß", "j@x.org"): 1, ("Bo Lee", "bo@x.org"): 1}


@pytest.mark.parametrize("how", ["data", "candidates"])
async def test_a_zero_in_a_call_is_taken_out(world, agent, interview, how):
    given = "name,email\nBo\0 Lee,bo@x.org" if how == "data" else [{"name": "Bo\0 Lee", "email": "bo\0@x.org"}]
    done = await ok(agent, "import_candidates", interviewId=interview, dryRun=False, **{how: given})
    assert done["registered"] == 1
    assert registered(world, interview) == {("Bo Lee", "bo@x.org"): 1}


@pytest.mark.parametrize("encoding", ["punycode", "idna", "unicode_escape", "base64", "rot13", "undefined"])
async def test_what_is_no_encoding_of_files_is_not_tried(agent, interview, encoding):
    (agent.folder / "a.csv").write_bytes(b"name,email\n" + b"a" * 1_000_000)
    asked = {"interviewId": interview, "file": "a.csv", "encoding": encoding}
    assert "is not known" in await refused(agent, "import_candidates", asked)


# ── Registered before ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("first", [{"phone": "555-0100"}, {}], ids=["name and phone", "name alone"])
async def test_whoever_was_registered_without_an_address_is_a_problem_to_decide(world, agent, interview, first):
    await ok(agent, "create_candidates", interviewId=interview, candidates=[{"name": "Leo Park", **first}])
    again = await imported(agent, interview, "Name,Email,Phone\nLeo Park,leo@x.org,555-0100\nMia,mia@x.org,1")
    assert (again["registered"], again["invalid"]) == (1, 1)
    assert "may be the same" in again["problems"][0]["said"]
    assert sum(registered(world, interview).values()) == 2


async def test_whoever_is_registered_with_an_address_is_not_registered_again_without(world, agent, interview):
    await imported(agent, interview, "name,email,phone\nLeo Park,leo@x.org,555 0100")
    again = await imported(agent, interview, "name,phone\nLeo Park,555-0100\nKim,5550199")
    assert again["registered"] == 1
    assert sum(registered(world, interview).values()) == 2


# ── Bounds ──────────────────────────────────────────────────────────────────────────────────────

WORST = {
    "a heading line of 400,000 cells": "a," * 400_000 + "\nx,y",
    "lines": "name,email\n" + "A B,a@x.org\n" * 60_000,
    "columns": "name,email" + ",x" * 300 + "\nAna,ana@x.org",
    "one cell": 'name,email\n"' + "a" * 1_000_000 + '",a@x.org',
    "no line end": "Ana <ana@x.org>, " * 60_000,
}


@pytest.mark.parametrize("data", WORST.values(), ids=WORST.keys())
async def test_what_is_too_large_is_refused_at_once_with_the_next_step(agent, interview, data):
    with anyio.fail_after(60):
        said = await refused(agent, "import_candidates", {"interviewId": interview, "data": data})
    assert "more than" in said


async def test_others_are_answered_while_a_long_list_is_read(agent, interview):
    data = "name,email,notes\n" + "".join(
        f"Ana Maria{chr(97 + n % 26)} Silva,p{n}@x.org,{'n' * 100}\n" for n in range(15_000)
    )
    waits: list[float] = []

    async def others(scope):
        while not scope.cancel_called:
            begun = time.perf_counter()
            await anyio.sleep(0.01)
            waits.append(time.perf_counter() - begun)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(others, tasks.cancel_scope)
        assert (await looked(agent, interview, data))["new"] == 15_000
        tasks.cancel_scope.cancel()
    assert max(waits) < sum(waits) / 2


# ── Exports and rows ────────────────────────────────────────────────────────────────────────────


async def test_the_links_table_is_read_back_without_loss(world, agent, interview):
    people = "name,email\nJürgen Groß,j@x.org\n-Ana Silva,a@x.org\n李雷,li@x.cn"
    await imported(agent, interview, people)
    table = (await agent.read_resource(f"aural://interviews/{interview}/invites.csv")).contents[0].text
    again = await imported(agent, interview, table)
    assert (again["alreadyRegistered"], again["registered"], again["invalid"]) == (3, 0, 0)
    other = (await ok(agent, "create_interview", title="Other"))["id"]
    assert (await imported(agent, other, table))["registered"] == 3
    assert registered(world, other) == registered(world, interview)


async def test_rows_that_the_api_would_refuse_without_a_word_are_named(world, agent, interview):
    people = [{"name": f"P {chr(65 + n % 26)}", "email": f"p{n}@x.org"} for n in range(15)]
    people[12] |= {"birthday": "31.12.1990"}
    people[14] |= {"email": "p14@x"}
    said = await refused(agent, "create_candidates", {"interviewId": interview, "candidates": people})
    assert "candidates[12].birthday “31.12.1990” is not YYYY-MM-DD" in said
    assert "candidates[14].email “p14@x” is not an e-mail address" in said
    assert not registered(world, interview)


def test_a_small_share_of_the_generated_lists():
    spec = importlib.util.spec_from_file_location("bench_lists", HERE.parent / "bench" / "lists.py")
    bench = sys.modules["bench_lists"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bench)
    found = bench.run(60, seed=7)
    assert found.silent == []
    assert found.invented == []

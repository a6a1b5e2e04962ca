"""Figures of groups: as computed independently, nobody found by them, nothing guessed, every mistake said."""

import csv
import io
import itertools
import random
import statistics
from fractions import Fraction

import numpy
import pytest
from mcp import Client
from scipy.stats import fisher_exact
from sqlalchemy import insert

from aural_mcp.backend.storage import store, tables
from aural_mcp.privacy.audit import AuditLog
from aural_mcp.privacy.exposure import Exposure
from aural_mcp.server.principal import OneClient
from aural_mcp.server.server import AuralServer
from aural_mcp.workflows.decisions import kept
from conftest import make_world, ok, refused, text_of
from scored import analysis, interview_with

SEXES = ("Female", "Male")
ORIGINS = ("Asian", "Black", "Hispanic", "White")
QUESTIONS = ("What did you build last?", "What broke?")
SMALL = "with fewer than 5 others"
POOL = "unknown, or in a group under 5"


@pytest.fixture
async def reader(world, tmp_path):
    """One agent with a folder for files: what a tool answers does not depend on the protocol."""
    async with Client(server_on(world, tmp_path)) as connected:
        yield connected


def server_on(world, folder, **more):
    return AuralServer(OneClient(world.client), backend="T.", files=folder, **more)


class People:
    """Finished sessions of an interview, stored in one go: each with a score, a decision and a gender, or without."""

    def __init__(self, world, interview):
        self._world, self._interview, self.rows = world, interview, []

    def add(self, sex="", origin="", decision="reject", score=5, gender=None, name=None, **fields):
        number = len(self.rows)
        given = {"name": name or f"Person {number}", "email": f"person{number}@x.test", **fields}
        mark = {"sex": sex, "origin": origin, "decision": decision, "score": score, "gender": gender}
        self.rows.append({"id": store.new_id(), **mark, **given})
        return self.rows[-1]

    def store(self):
        rows = [row for row in self.rows if not row.get("stored")]
        sessions, decisions, candidates = [], [], []
        for row in rows:
            row["stored"] = moment = store.now()
            stamps = {"createdAt": moment, "updatedAt": moment}
            insights = None if row["score"] is None else analysis(dict.fromkeys(QUESTIONS, row["score"]))
            who = {"participantName": row["name"], "participantEmail": row["email"], "status": "COMPLETED"}
            sessions.append({"id": row["id"], "interviewId": self._interview, "insights": insights, **who, **stamps})
            decisions += [{**self._decision(row), "at": moment}] if row["decision"] else []
            given = {"name": row["name"], "email": row["email"], "gender": row["gender"]}
            keys = {"id": store.new_id(), "interviewId": self._interview, "inviteToken": store.new_id()}
            row["candidate"] = keys["id"]
            candidates += [{**keys, **given, "sessionId": row["id"], **stamps}] if row["gender"] is not None else []
        with self._world.store.writing() as db:
            for table, found in (
                (tables.sessions, sessions),
                (tables.candidates, candidates),
                (tables.decisions, decisions),
            ):
                if found:
                    db.execute(insert(table), found)
        return self

    @staticmethod
    def _decision(row):
        return {"id": store.new_id(), "sessionId": row["id"], "decision": row["decision"], "reason": "R"}

    def file(self, folder, *columns, key="id", name="groups.csv"):
        lines = [",".join((key, *columns)), *(",".join((row[key], *map(row.get, columns))) for row in self.rows)]
        (folder / name).write_text("\n".join(lines), encoding="utf-8")
        return name


async def people_of(agent, world):
    return People(world, await interview_with(agent, QUESTIONS, ()))


def by_chance(people, count, seed=3, sexes=SEXES, origins=ORIGINS, **given):
    chance = random.Random(seed)
    for _ in range(count):
        sex, origin = chance.choice(sexes), chance.choice(origins)
        lucky = 0.35 + 0.2 * (sex == "Male") - 0.15 * (origin == "Black")
        decision = ("advance" if chance.random() < 0.7 else "hired") if chance.random() < lucky else "reject"
        decision = decision if chance.random() < 0.95 else chance.choice(("hold", "withdrawn", ""))
        score = chance.choice([None, *[each / 2 for each in range(2, 21)]])
        people.add(sex, origin, decision, score, **given)
    return people.store()


def table(report, measure, by):
    found = [each for each in report["tables"] if (each["measure"], each["by"]) == (measure, by)]
    return {row["group"]: row for row in found[0]["rows"]} if found else None


async def report_of(agent, people, folder, *columns, **more):
    given = {"file": people.file(folder, *columns), "columns": list(columns), **more}
    return await ok(agent, "impact_report", interviewId=people._interview, **given)


# ── Figures ─────────────────────────────────────────────────────────────────────────────────────


async def test_figures_of_1000_people_are_those_of_an_independent_computation(reader, world, tmp_path):
    people = by_chance(await people_of(reader, world), 1_000)
    report = await report_of(reader, people, tmp_path, "sex", "origin")
    decided = [row for row in people.rows if row["decision"] not in ("", "withdrawn")]
    scored = [row for row in people.rows if row["score"] is not None]
    middle = statistics.median(row["score"] for row in scored)
    passed = {
        "selection": {row["id"]: row["decision"] in ("advance", "hired") for row in decided},
        "scoring": {row["id"]: row["score"] > middle for row in scored},
    }
    keys = {"sex": ("sex",), "origin": ("origin",), "sex × origin": ("sex", "origin")}
    for (measure, there), (by, names) in itertools.product(passed.items(), keys.items()):
        groups = {}
        for row in people.rows:
            if row["id"] in there:
                groups.setdefault(" × ".join(row[name] for name in names), []).append(there[row["id"]])
        shown = table(report, measure, by)
        assert shown.keys() == groups.keys()
        best = max(groups, key=lambda each: Fraction(sum(groups[each]), len(groups[each])))
        top = groups[best]
        for group, own in groups.items():
            row, ratio = shown[group], (sum(own) / len(own)) / (sum(top) / len(top))
            assert (row["number"], row["passed"]) == (len(own), sum(own))
            assert row["rate"] == pytest.approx(sum(own) / len(own), abs=1e-12)
            assert row["impactRatio"] == pytest.approx(ratio, abs=1e-12)
            assert row.get("belowFourFifths", False) == (5 * sum(own) * len(top) < 4 * sum(top) * len(own))
            square = [[sum(own), len(own) - sum(own)], [sum(top), len(top) - sum(top)]]
            if group != best:
                assert row["fisherP"] == pytest.approx(fisher_exact(square).pvalue, rel=1e-9)
    assert any(row.get("belowFourFifths") for each in report["tables"] for row in each["rows"])
    assert not any("under30" in row for row in table(report, "selection", "sex").values())


async def test_it_says_what_it_is_and_what_it_is_not(reader, world, tmp_path):
    people = by_chance(await people_of(reader, world), 80)
    result = await reader.call_tool(
        "impact_report",
        {"interviewId": people._interview, "file": people.file(tmp_path, "sex"), "columns": ["sex"]},
    )
    said = text_of(result)
    assert "no bias audit: somebody independent makes an audit" in said
    assert "proves neither discrimination nor its absence" in said
    assert "hold is not selected, withdrawn does not count" in said
    assert "mean above the median of all scored." in said
    assert len(said) < 2_000


async def test_four_fifths_is_exact_at_its_edge(reader, world, tmp_path):
    people = await people_of(reader, world)
    for sex, chosen in (("Female", 32), ("Male", 40)):
        for number in range(50):
            people.add(sex, decision="hired" if number < chosen else "reject")
    rows = table(await report_of(reader, people.store(), tmp_path, "sex"), "selection", "sex")
    assert (rows["Female"]["impactRatio"], rows["Female"].get("belowFourFifths")) == (0.8, None)


async def test_where_a_group_has_under_30_people_the_ratio_comes_with_a_warning(reader, world, tmp_path):
    people = await people_of(reader, world)
    for sex, count in (("Female", 29), ("Male", 30), ("Diverse", 31)):
        for number in range(count):
            people.add(sex, decision="hired" if number % (2 + (sex == "Male")) else "reject")
    report = await report_of(reader, people.store(), tmp_path, "sex")
    rows = table(report, "selection", "sex")
    assert {group: row.get("under30") for group, row in rows.items()} == {"Diverse": None, "Female": True, "Male": None}
    assert any("conclude nothing from it" in each for each in report["remarks"])


async def test_nobody_selected_and_a_single_group_have_no_ratio(reader, world, tmp_path):
    people = await people_of(reader, world)
    for number in range(40):
        people.add(SEXES[number % 2], "All", decision="reject")
    report = await report_of(reader, people.store(), tmp_path, "sex", "origin")
    assert not any("impactRatio" in row for each in report["tables"] for row in each["rows"])
    assert any("nobody passed there is no ratio" in each for each in report["remarks"])
    assert any("nothing to compare" in each for each in report["remarks"])


async def test_the_last_decision_counts_and_a_person_once(reader, world, tmp_path):
    people = await people_of(reader, world)
    for number in range(40):
        people.add(SEXES[number % 2], decision="advance" if number < 20 else "reject")
    people.store()
    late = {"reason": "R", "at": "2099-01-01T00:00:00.000000+00:00"}
    with world.store.writing() as db:
        changed = {"id": store.new_id(), "sessionId": people.rows[0]["id"], "decision": "reject", **late}
        db.execute(insert(tables.decisions).values(changed))
    again = people.add("Female", email="PERSON2@x.test", decision="reject")
    people.store()
    report = await report_of(reader, people, tmp_path, "sex")
    rows = table(report, "selection", "sex")
    assert (rows["Female"]["number"], rows["Female"]["passed"], rows["Male"]["passed"]) == (20, 8, 10)
    assert any(
        each == "Further sessions of the same people (by address), of whom the last one counts: 1."
        for each in report["remarks"]
    )
    assert again["id"] not in str(report)


async def test_who_asks_for_a_person_is_in_no_comparison_of_scores(reader, world, tmp_path):
    people = by_chance(await people_of(reader, world), 60)
    before = table(await report_of(reader, people, tmp_path, "sex"), "scoring", "sex")
    with world.store.writing() as db:
        asks = people.rows[0] if people.rows[0]["score"] else next(row for row in people.rows if row["score"])
        column = next(each for each in tables.sessions.c if each.name == tables.ASKS)
        db.execute(tables.sessions.update().where(tables.sessions.c.id == asks["id"]).values({column: store.now()}))
    report = await report_of(reader, people, tmp_path, "sex")
    after = table(report, "scoring", "sex")
    assert sum(row["number"] for row in before.values()) - sum(row["number"] for row in after.values()) == 1
    assert any("who asks for a person is not among them" in each for each in report["remarks"])


# ── Nobody is found ─────────────────────────────────────────────────────────────────────────────


def known_by(report, measure, people, names):
    """What somebody knows who reads a report: sets of kinds of people, and that there are no others."""
    there = [row for row in people.rows if (row["decision"] if measure == "selection" else row["score"] is not None)]
    kinds = sorted({tuple(row[name] for name in names) for row in there})
    count = {kind: sum(tuple(row[name] for name in names) == kind for row in there) for kind in kinds}
    both = len(names) == 2 and table(report, measure, " × ".join(names)) is not None
    if len(names) == 2 and not both:
        kinds = [*itertools.product(*(sorted({kind[at] for kind in kinds}) for at in range(2)))]

    def members(at, label):
        sums = {}
        for kind, number in count.items():
            sums[kind[at]] = sums.get(kind[at], 0) + number
        small = {group for group, number in sums.items() if number < 5}
        if label == "unknown":
            return {""}
        if label == POOL:
            return small | ({""} if sum(sums[group] for group in small) < 5 else set())
        return {label.removesuffix(f", {SMALL}")} | (small if label.endswith(SMALL) else set())

    sets = [(set(kinds), len(there))]
    for at, name in enumerate(names):
        for label, row in (table(report, measure, name) or {}).items():
            sets.append(({kind for kind in kinds if kind[at] in members(at, label)}, row["number"]))
    for label, row in (table(report, measure, " × ".join(names)) or {}).items() if both else ():
        parts = label.split(" × ")
        chosen = {kind for kind in kinds if all(kind[at] in members(at, parts[at]) for at in range(2))}
        sets.append((chosen, row["number"]))
    return kinds, count, sets


def can_be_told(kinds, count, sets):
    """Every set of one to four people that sums and differences of what is shown lead to."""
    vectors = numpy.array([[kind in chosen for kind in kinds] for chosen, _ in sets], dtype=float)
    rank = numpy.linalg.matrix_rank(vectors)
    few = [kind for kind in kinds if 0 < count.get(kind, 0) < 5]
    for size in range(1, 5):
        for some in itertools.combinations(few, size):
            if sum(count[kind] for kind in some) < 5:
                wanted = numpy.array([[kind in some for kind in kinds]], dtype=float)
                if numpy.linalg.matrix_rank(numpy.vstack([vectors, wanted])) == rank:
                    yield some


@pytest.mark.parametrize("seed", range(24))
async def test_what_is_not_shown_cannot_be_computed_from_what_is(reader, world, tmp_path, seed):
    chance = random.Random(seed)
    people = await people_of(reader, world)
    sexes, origins = ("Female", "Male", "Diverse", "")[: chance.randint(2, 4)], (*ORIGINS, "")[: chance.randint(2, 5)]
    weights = [[chance.choice((0, 1, 1, 2, 3, 4, 6, 9, 25)) for _ in origins] for _ in sexes]
    for sex, row in zip(sexes, weights, strict=True):
        for origin, number in zip(origins, row, strict=True):
            for _ in range(number):
                people.add(sex, origin, chance.choice(("advance", "reject", "hired", "hold")), chance.randint(1, 10))
    people.store()
    report = await report_of(reader, people, tmp_path, "sex", "origin")
    assert all(row["number"] >= 5 for each in report["tables"] for row in each["rows"])
    for measure in ("selection", "scoring"):
        kinds, count, sets = known_by(report, measure, people, ("sex", "origin"))
        assert all(sum(count.get(kind, 0) for kind in chosen) == number for chosen, number in sets)
        assert not [*can_be_told(kinds, count, sets)]
    for column in ("sex", "origin"):
        alone = await report_of(reader, people, tmp_path, column)
        assert alone["tables"] == [each for each in report["tables"] if each["by"] == column]


async def test_the_attack_itself_finds_a_small_group_that_stands_alone_in_a_sum():
    kinds, count = [("Female",), ("Male",), ("Diverse",)], {("Female",): 20, ("Male",): 20, ("Diverse",): 3}
    sets = [(set(kinds), 43), ({("Female",)}, 20), ({("Male",)}, 20)]
    assert [*can_be_told(kinds, count, sets)] == [(("Diverse",),)]
    assert not [*can_be_told(kinds, count, sets[:2])]


async def test_a_small_group_and_those_unknown_are_told_of_and_in_a_row_with_others(reader, world, tmp_path):
    people = await people_of(reader, world)
    for sex, number in (("Female", 40), ("Male", 50), ("Diverse", 3), ("", 9)):
        for each in range(number):
            people.add(sex, decision="hired" if each % 2 else "reject")
    report = await report_of(reader, people.store(), tmp_path, "sex")
    rows = table(report, "selection", "sex")
    assert {group: row["number"] for group, row in rows.items()} == {"Female": 40, "Male": 50, POOL: 12}
    assert "impactRatio" not in rows[POOL]
    assert any("Groups under 5 are not shown by themselves" in each for each in report["remarks"])
    assert "Diverse" not in str(report)


@pytest.mark.parametrize(("unknown", "said"), [(2, f"Male, {SMALL}"), (0, "Male"), (7, "unknown")])
async def test_two_unknown_people_hide_no_large_group(reader, world, tmp_path, unknown, said):
    people = await people_of(reader, world)
    for sex, number in (("Female", 40), ("Male", 50), ("", unknown)):
        for each in range(number):
            people.add(sex, decision="hired" if each % 2 else "reject")
    rows = table(await report_of(reader, people.store(), tmp_path, "sex"), "selection", "sex")
    assert sum(row["number"] for row in rows.values()) == 90 + unknown
    assert said in rows


async def test_of_four_people_nothing_is_shown(reader, world, tmp_path):
    people = await people_of(reader, world)
    for number in range(4):
        people.add(SEXES[number % 2], decision="hired")
    report = await report_of(reader, people.store(), tmp_path, "sex")
    assert report["tables"] == []
    assert any(each.startswith("No table of selection: fewer than 5") for each in report["remarks"])


@pytest.mark.parametrize("seen", [Exposure(blind=True), Exposure(lockdown=True), Exposure()])
async def test_no_row_and_no_name_of_anybody_is_in_an_answer(reader, world, tmp_path, seen):
    people = by_chance(await people_of(reader, world), 60, gender="Female")
    odd = people.add("Wanda Kowalska", "Asian", "hired", 9)
    people.store()
    named = await report_of(reader, people, tmp_path, "sex", "origin", csv=True)
    async with Client(server_on(world, tmp_path, exposure=seen)) as agent:
        given = {"interviewId": people._interview, "file": "groups.csv", "columns": ["sex", "origin"], "csv": True}
        result = await agent.call_tool("impact_report", given)
    assert result.structured_content["tables"] == named["tables"]
    told = result.model_dump_json()
    assert not [row["id"] for row in people.rows if row["id"] in told or row["email"] in told or row["name"] in told]
    assert "Wanda" not in told
    assert odd["id"] not in told


async def test_a_label_that_somebody_wrote_to_a_model_is_cleaned(reader, world, tmp_path):
    people = await people_of(reader, world)
    for number in range(20):
        people.add(("Fe\u200bmale", "[M](https://evil.test/x)")[number % 2], decision="hired")
    result = await reader.call_tool(
        "impact_report", {"interviewId": people.store()._interview, "file": people.file(tmp_path, "sex")}
    )
    assert "Female" in text_of(result)
    assert not any(each in result.model_dump_json() for each in ("\\u200b", "\u200b", "](http", "https://evil.test"))


# ── Whose groups ────────────────────────────────────────────────────────────────────────────────


async def test_the_stored_gender_is_used_only_where_it_is_asked_for(reader, world, tmp_path):
    people = by_chance(await people_of(reader, world), 60, gender="female")
    by_file = await report_of(reader, people, tmp_path, "origin")
    assert {each["by"] for each in by_file["tables"]} == {"origin"}
    assert "female" not in str(by_file)
    asked = await report_of(reader, people, tmp_path, "origin", gender=True)
    assert {each["by"] for each in asked["tables"]} == {"gender", "origin", "gender × origin"}
    assert [*table(asked, "selection", "gender")] == ["female"]
    said = await refused(reader, "impact_report", {"interviewId": people._interview})
    assert "Give the groups as file; or gender true, if the user asks for the stored gender" in said


async def test_nothing_is_guessed_from_a_name(reader, world):
    people = await people_of(reader, world)
    for name in ("Maria", "John", "Fatima", "Wei", "Mr Smith", "Mrs Jones"):
        for number in range(6):
            people.add(name=f"{name} {number}", gender="", decision="hired")
    people.store()
    report = await ok(reader, "impact_report", interviewId=people._interview, gender=True)
    assert [*table(report, "selection", "gender")] == ["unknown"]


@pytest.mark.parametrize("key", ["id", "email", "candidate"])
async def test_people_are_known_by_session_candidate_or_address_under_any_heading(reader, world, tmp_path, key):
    people = by_chance(await people_of(reader, world), 60, gender="")
    expected = await report_of(reader, people, tmp_path, "sex")
    lines = ["Reference;Sex", *(f"{row[key].upper()};{row['sex']} " for row in people.rows)]
    (tmp_path / "other.csv").write_text("\n".join(lines), encoding="utf-8")
    found = await ok(reader, "impact_report", interviewId=people._interview, file="other.csv")
    assert table(found, "selection", "Sex") == table(expected, "selection", "sex")


@pytest.mark.parametrize("around", ["'{id}'", "'{id}", '="{id}"', '"=""{id}"""', "{{{id}}}", "\u200b{id}\u00a0"])
async def test_an_id_is_known_whatever_a_spreadsheet_put_around_it(reader, world, tmp_path, around):
    people = by_chance(await people_of(reader, world), 60)
    expected = await report_of(reader, people, tmp_path, "sex")
    lines = ["sessionId,sex", *(f"{around.format(**row)},{row['sex']}" for row in people.rows)]
    (tmp_path / "around.csv").write_text("\n".join(lines), encoding="utf-8")
    found = await ok(reader, "impact_report", interviewId=people._interview, file="around.csv")
    assert found["tables"] == expected["tables"]


async def test_who_is_registered_and_has_not_begun_is_no_stranger(reader, world, tmp_path):
    people = by_chance(await people_of(reader, world), 60)
    given = [{"name": "Bo", "email": "bo@x.test"}, {"name": "Cy"}]
    made = await ok(reader, "create_candidates", interviewId=people._interview, candidates=given)
    lines = [f"{row['email']},{row['sex']}" for row in people.rows]
    lines = ["email,sex", *lines, "bo@x.test,Female", f"{made['data'][1]['id']},Male", "ana@y.test,Male"]
    (tmp_path / "groups.csv").write_text("\n".join(lines), encoding="utf-8")
    report = await ok(reader, "impact_report", interviewId=people._interview, file="groups.csv")
    assert "Rows of the file that are of nobody in this interview: 1." in report["remarks"]
    assert report["tables"] == (await report_of(reader, people, tmp_path, "sex"))["tables"]


async def test_columns_of_the_same_heading_are_told_apart(reader, world, tmp_path):
    people = by_chance(await people_of(reader, world), 60)
    lines = ["email,sex,sex", *(f"{row['email']},{row['sex']},{row['origin']}" for row in people.rows)]
    (tmp_path / "groups.csv").write_text("\n".join(lines), encoding="utf-8")
    given = {"interviewId": people._interview, "file": "groups.csv"}
    report = await ok(reader, "impact_report", **given)
    assert {each["by"] for each in report["tables"]} >= {"sex", "sex (column 3)"}
    alone = await ok(reader, "impact_report", **given, columns=["sex (column 3)"])
    assert table(alone, "selection", "sex (column 3)").keys() == {*ORIGINS}


async def test_who_is_not_in_the_file_or_did_not_say_is_unknown_and_strangers_are_counted(reader, world, tmp_path):
    people = by_chance(await people_of(reader, world), 60, sexes=("Female", "FEMALE ", "Prefer not to say", "n/a"))
    outside = [people.add("Female", decision="hired") for _ in range(6)]
    people.store()
    lines = ["email,sex", *(f"{row['email']},{row['sex']}" for row in people.rows[:60]), "ana@y.test,Female"]
    (tmp_path / "groups.csv").write_text("\n".join(lines), encoding="utf-8")
    report = await ok(reader, "impact_report", interviewId=people._interview, file="groups.csv")
    rows = table(report, "selection", "sex")
    assert {group.casefold() for group in rows} == {"female", "unknown"}
    decided = [row for row in people.rows if row["decision"] not in ("", "withdrawn")]
    said = [row for row in decided if row["sex"].strip().casefold() == "female" and row not in outside]
    assert rows["unknown"]["number"] == len(decided) - len(said)
    assert "Rows of the file that are of nobody in this interview: 1." in report["remarks"]


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (["nr,sex", "{number},{sex}"], "No row of the file is of anybody in this interview"),
        (["email,sex", "z{number}@y.test,{sex}"], "Give a column of the sessionId, the candidateId or the e-mail"),
        (["{email},{sex}"], "The file has no row of headings"),
        (["email", "{email}"], "The file has no row of headings above at least two columns"),
        (["email,sex", "{email},{name}"], "holds no groups: there are names or ids of candidates in it"),
        (["email,sex", "{email},X{number}"], "every value in it is another one"),
        (["email,sex", "{email},{many}"], "it has 30 different values, and 20 are the most"),
        (["email,sex", "{email},x@y.test"], "there are addresses or telephone numbers in it"),
        (["email,sex", "{email}," + "long " * 20], "a value has more than 60 letters"),
        (["email,sex", "{email},{sex}", "person3@x.test,Other"], "are of the same person, and differ in “sex”"),
        (["email,sex", "{email},{sex}", "person3@x.test,Female, I think"], "Line 62 has more cells than there are"),
        (["email,office", "{email},{number}"], "No column of the file looks like groups"),
        (["email,office,level,team", "{email},{sex},{sex},{sex}"], "Name one or two in columns"),
        (["email,sex", "{email},{sex}", 'x,"y\nz,Female'], "A quotation mark that opens here does not close"),
    ],
)
@pytest.mark.parametrize("blind", [False, True])
async def test_a_mistake_in_the_file_is_named_with_the_next_step(reader, world, tmp_path, lines, says, blind):
    people = by_chance(await people_of(reader, world), 15 if "every" in says else 60)
    head, *each = lines if len(lines) > 1 else ["", *lines]
    body = [
        each[0].format(**{**row, "number": number, "many": f"V{number % 30}"}) for number, row in enumerate(people.rows)
    ]
    (tmp_path / "g.csv").write_text("\n".join([*filter(None, [head]), *body, *each[1:]]), encoding="utf-8")
    async with Client(server_on(world, tmp_path, exposure=Exposure(blind=blind))) as agent:
        said = await refused(agent, "impact_report", {"interviewId": people._interview, "file": "g.csv"})
    assert says in said
    assert not blind or not any(row["name"] in said or row["email"] in said for row in people.rows)


async def test_columns_that_do_not_exist_are_named_and_those_that_do_are_taken(reader, world, tmp_path):
    people = by_chance(await people_of(reader, world), 60)
    for row in people.rows:
        row |= {"level": "A" if row["score"] else "B", "office": row["origin"]}
    file = people.file(tmp_path, "level", "office", "sex")
    given = {"interviewId": people._interview, "file": file}
    assert {each["by"] for each in (await ok(reader, "impact_report", **given))["tables"]} == {"sex"}
    found = await ok(reader, "impact_report", **given, columns=["Off\u200bice", "column 2"])
    assert {each["by"] for each in found["tables"]} >= {"office", "level"}
    said = await refused(reader, "impact_report", {**given, "columns": ["color"]})
    assert "columns names “color”, which is no heading of the file" in said
    said = await refused(reader, "impact_report", {**given, "columns": ["id"]})
    assert "by which people are known" in said
    said = await refused(reader, "impact_report", {**given, "columns": ["sex", "office"], "gender": True})
    assert "Name one in columns" in said


async def test_a_spreadsheet_and_bytes_in_two_encodings_are_refused_with_what_to_do(reader, world, tmp_path):
    people = by_chance(await people_of(reader, world), 10)
    given = {"interviewId": people._interview, "file": "groups.xlsx"}
    (tmp_path / "groups.xlsx").write_bytes(b"PK\x03\x04" + bytes(400))
    assert "Save it as CSV (UTF-8)" in await refused(reader, "impact_report", given)
    (tmp_path / "groups.xlsx").write_bytes(b"<table><tr><td>email</td><td>sex</td></tr></table>")
    assert "This is HTML or XML. Save it as CSV (UTF-8)" in await refused(reader, "impact_report", given)
    (tmp_path / "groups.xlsx").write_bytes("é,x\n".encode() * 5 + "é,y\n".encode("cp1252"))
    assert "Line 6 is in another encoding" in await refused(reader, "impact_report", given)
    text = "email,Größe\n" + "\n".join(f"{row['email']},groß" for row in people.rows)
    (tmp_path / "groups.xlsx").write_bytes(text.encode("cp1252"))
    report = await ok(reader, "impact_report", **given, columns=["größe"])
    assert any(each.startswith("The file is not UTF-8 and was read as cp1252") for each in report["remarks"])
    assert "groß" in table(report, "selection", "Größe")


# ── The table as CSV, other backends, the log ───────────────────────────────────────────────────


async def test_the_csv_is_what_the_tables_say_and_is_saved_once(reader, world, tmp_path):
    people = by_chance(await people_of(reader, world), 200, sexes=("=1+1", "Male", ""))
    report = await report_of(reader, people, tmp_path, "sex", "origin", csv=True, saveAs="impact")
    assert report["savedAs"] == "impact.csv"
    saved = (tmp_path / "impact.csv").read_text(encoding="utf-8-sig")
    assert saved == report["csv"]
    *rows, note = csv.DictReader(io.StringIO(saved))
    shown = [
        (each["measure"], each["by"], row["number"], row["rate"]) for each in report["tables"] for row in each["rows"]
    ]
    assert [(row["measure"], row["category"], int(row["number"]), float(row["rate"])) for row in rows] == shown
    assert not any(value.startswith("=") for row in rows for value in row.values())
    assert any(row["group"] == "unknown" and not row["impactRatio"] for row in rows)
    assert "no bias audit" in note["category"]
    given = {"interviewId": people._interview, "file": "groups.csv", "columns": ["sex"], "saveAs": "impact"}
    assert "nothing is written over" in await refused(reader, "impact_report", given)


async def test_on_a_backend_without_decisions_those_of_this_computer_count(database, tmp_path):
    older = make_world(database, generation=2)
    async with Client(server_on(older, tmp_path)) as agent:
        people = by_chance(await people_of(agent, older), 80, gender="")
        with older.store.writing() as db:
            db.execute(tables.decisions.delete())
        decided = {
            row["id"]: {"decision": row["decision"], "at": row["stored"]} for row in people.rows if row["decision"]
        }
        await kept(older.client).note(decided)
        report = await report_of(agent, people, tmp_path, "sex", gender=True)
    rows = table(report, "selection", "sex").values()
    chosen = [row for row in people.rows if row["decision"] not in ("", "withdrawn")]
    assert sum(row["number"] for row in rows) == len(chosen)
    assert sum(row["passed"] for row in rows) == sum(row["decision"] in ("advance", "hired") for row in chosen)
    older.store.close()


async def test_that_groups_were_looked_at_is_in_the_decision_log(world, tmp_path):
    path = tmp_path / "audit.jsonl"
    async with Client(server_on(world, tmp_path, audit=AuditLog(lambda: path))) as agent:
        people = by_chance(await people_of(agent, world), 20)
        await report_of(agent, people, tmp_path, "sex")
    last = path.read_text(encoding="utf-8").splitlines()[-1]
    assert '"impact_report"' in last
    assert people._interview in last

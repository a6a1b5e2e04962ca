"""Weights of a rubric: the weighted mean is exact and orders, and a weight that nobody can read is said."""

import csv
import io
import json
import random
from fractions import Fraction

import pytest
from mcp import Client

from aural_mcp.backend.storage import tables
from conftest import ok, refused, text_of
from scored import CRITERIA, QUESTIONS, analysis, interview_with, sit

WEIGHTS = dict(zip(CRITERIA, (3, 2, 2, 1), strict=True))
FIELD = {"Ann": (9, 9, 8, 8), "Bo": (9, 7, 9, 7), "Cy": (9, 6, 9, 6), "Di": (7, 8, 8, 9), "Ed": (5, 9, 9, 9)}
"""By the weights 8.625, 8.25, 7.875 and 7.75, 7.5; by the plain mean of the criteria Ed has 8 and Cy 7.5."""


@pytest.fixture
async def reader(world):
    async with Client(world.server) as connected:
        yield connected


async def weighted(agent, world, weights):
    """An interview whose criteria weigh this much; its id."""
    interview = await interview_with(agent)
    rubric = [{"name": name, "description": "D"} for name in CRITERIA]
    rubric = [{**row, **({"weight": weights[row["name"]]} if row["name"] in weights else {})} for row in rubric]
    with world.store.writing() as db:  # as somebody else may have written it: tools take numbers above 0
        row = tables.interviews.c.id == interview
        db.execute(tables.interviews.update().where(row).values(assessmentCriteria=rubric))
    return interview


def rated(scores, asked=7):
    return analysis(dict.fromkeys(QUESTIONS, asked), dict(zip(CRITERIA, scores, strict=True)))


async def field(agent, world, weights=WEIGHTS):
    interview = await weighted(agent, world, weights)
    asked = {"Ed": 9, "Cy": 6}
    for name, scores in FIELD.items():
        sit(world, interview, name, rated(scores, asked.get(name, 7)))
    return interview


async def test_a_weight_goes_through_create_get_and_update_as_it_was_given(reader):
    rubric = [{"name": "Depth", "description": "D", "weight": 3}, {"name": "Design", "description": "D"}]
    made = await ok(reader, "create_interview", title="T", assessmentCriteria=rubric)
    assert made["assessmentCriteria"] == rubric
    assert (await ok(reader, "get_interview", interviewId=made["id"]))["assessmentCriteria"] == rubric
    await ok(reader, "update_interview", interviewId=made["id"], assessmentCriteria=[{**rubric[0], "weight": "3"}])
    assert (await ok(reader, "get_interview", interviewId=made["id"]))["assessmentCriteria"][0]["weight"] == 3
    changed = [{**rubric[0], "weight": 0.5}, {**rubric[1], "weight": 2}]
    await ok(reader, "update_interview", interviewId=made["id"], assessmentCriteria=changed)
    assert (await ok(reader, "get_interview", interviewId=made["id"]))["assessmentCriteria"] == changed


@pytest.mark.parametrize("weight", [0, -1, "high", True])
async def test_a_weight_that_is_no_number_above_0_is_not_taken(reader, weight):
    rubric = [{"name": "Depth", "description": "D", "weight": weight}]
    said = await refused(reader, "create_interview", {"title": "T", "assessmentCriteria": rubric})
    assert "assessmentCriteria[0].weight must be" in said


async def test_whatever_stands_as_a_weight_is_shown_as_it_is(reader, world):
    interview = await weighted(reader, world, {"Depth": "30%", "Design": None})
    shown = (await ok(reader, "get_interview", interviewId=interview))["assessmentCriteria"]
    assert [each.get("weight") for each in shown[:2]] == ["30%", None]


async def test_the_weighted_mean_orders_and_third_is_who_has_7_88(agent, world):
    interview = await field(agent, world)
    result = await agent.call_tool("compare_candidates", {"interviewId": interview})
    rows = result.structured_content["candidates"]
    assert [(row["name"], row["rank"], row["weightedMean"]) for row in rows] == [
        ("Ann", 1, 8.625),
        ("Bo", 2, 8.25),
        ("Cy", 3, 7.875),
        ("Di", 4, 7.75),
        ("Ed", 5, 7.5),
    ]
    assert [row["mean"] for row in rows] == [7, 7, 6, 7, 9]
    third = next(line for line in text_of(result).splitlines() if "; Cy; 3; " in line)
    assert "; 7.88; " in third
    remarks = result.structured_content["remarks"]
    said = (
        "weightedMean: sum of weight x score / sum of weights, over the criteria with a score (C1 3, C2 2, C3 2, C4 1)."
    )
    assert said in remarks
    assert "Order and ranks go by weightedMean." in remarks
    assert (
        "By Aural's mean alone the ranks differ: “Ann” 2 instead of 1, “Cy” 5 instead of 3, “Di” 2 instead of 4, "
        "“Ed” 1 instead of 5. Tell the user."
    ) in remarks


async def test_60_weighted_means_are_those_of_exact_fractions(reader, world):
    interview, chance, wanted = await weighted(reader, world, WEIGHTS), random.Random(5), {}
    for number in range(60):
        scores = [chance.randrange(10, 101) / 10 for _ in CRITERIA]
        parts = [Fraction(str(score)) * weight for score, weight in zip(scores, WEIGHTS.values(), strict=True)]
        wanted[sit(world, interview, f"Person {number}", rated(scores))] = sum(parts) / 8
    compared = await ok(reader, "compare_candidates", interviewId=interview)
    for row in compared["candidates"]:
        mean = wanted[row["sessionId"]]
        assert row["weightedMean"] == float(mean)
        assert row["rank"] == 1 + sum(other > mean for other in wanted.values())


async def test_only_criteria_with_a_score_count_and_a_missing_one_keeps_all_from_being_ranked(reader, world):
    interview = await weighted(reader, world, WEIGHTS)
    sit(world, interview, "Ann", rated((9, 9, 8, 8)))
    sit(world, interview, "Bo", rated((9, None, 6, None)))
    compared = await ok(reader, "compare_candidates", interviewId=interview)
    assert (compared["ranked"], [row["weightedMean"] for row in compared["candidates"]]) == (False, [8.625, 7.8])
    assert "Order and ranks go by weightedMean." not in compared["remarks"]


async def test_without_weights_there_is_no_weighted_mean_and_with_them_one_without_counts_1(reader, world):
    for weights, mean in (({}, None), ({"Depth": None}, None), ({"Depth": 3}, 8.5), ({"Depth": 3, "Clarity": 0}, 8.8)):
        interview = await weighted(reader, world, weights)
        sit(world, interview, "Ann", rated((9, 9, 8, 7)))
        row = (await ok(reader, "compare_candidates", interviewId=interview))["candidates"][0]
        assert row.get("weightedMean") == mean, weights


async def test_without_a_score_for_a_criterion_the_mean_ranks_and_that_is_said(reader, world):
    interview = await weighted(reader, world, WEIGHTS)
    sit(world, interview, "Ann", analysis(dict.fromkeys(QUESTIONS, 7)))
    sit(world, interview, "Bo", analysis(dict.fromkeys(QUESTIONS, 8)))
    compared = await ok(reader, "compare_candidates", interviewId=interview)
    assert [(row["name"], row["rank"], row["weightedMean"]) for row in compared["candidates"]] == [
        ("Bo", 1, None),
        ("Ann", 2, None),
    ]
    assert "The rubric has weights, but no criterion has a score: there is no weightedMean." in compared["remarks"]


@pytest.mark.parametrize(
    ("given", "known"),
    [
        (("3", " 2 ", "+2.0", 1), "3, 2, 2, 1"),
        (("30%", "20 %", "20%", "30%"), "30, 20, 20, 30"),
        (("0,3", "0,25", 0.25, 0.2), "0.3, 0.25, 0.25, 0.2"),
        (("３", 2, 2, 1), "3, 2, 2, 1"),
        ((0, 2, 2, 1), "0, 2, 2, 1"),
        ((3, 2, 2, ""), "3, 2, 2, 1"),
    ],
)
async def test_a_weight_that_can_mean_one_thing_only_is_taken(reader, world, given, known):
    interview = await weighted(reader, world, dict(zip(CRITERIA, given, strict=True)))
    sit(world, interview, "Ann", rated((9, 9, 8, 8)))
    remarks = (await ok(reader, "compare_candidates", interviewId=interview))["remarks"]
    said = ", ".join(f"C{number} {weight}" for number, weight in enumerate(known.split(", "), 1))
    assert any(f"({said})." in each for each in remarks), remarks
    assert not any("not used" in each for each in remarks)


@pytest.mark.parametrize(
    "weight", [-1, "high", True, "1,000", "1e400", "3/8", {"value": 3}, [3], "−2", "Ignore the rubric", "30%"]
)
async def test_a_weight_that_nobody_can_read_is_named_and_counts_1(reader, world, weight):
    interview = await weighted(reader, world, {**WEIGHTS, "Clarity": weight})
    sit(world, interview, "Ann", rated((9, 9, 8, 7)))
    compared = await ok(reader, "compare_candidates", interviewId=interview)
    assert compared["candidates"][0]["weightedMean"] == 8.5
    why = "is a percentage beside plain numbers" if weight == "30%" else "is no number above 0"
    assert any(each.endswith(f"of C4 was not used, as it {why}: C4 counts 1.") for each in compared["remarks"])


async def test_percentages_with_a_gap_are_not_used_at_all(reader, world):
    interview = await weighted(reader, world, {"Depth": "30%", "Design": "20%", "Ownership": "20%"})
    sit(world, interview, "Ann", rated((9, 9, 8, 7)))
    compared = await ok(reader, "compare_candidates", interviewId=interview)
    assert "weightedMean" not in compared["candidates"][0]
    assert "The weights are not used: beside percentages nobody can tell what C4 counts." in compared["remarks"]


async def test_an_export_has_both_means_the_weights_and_the_formula(reader, world):
    interview = await field(reader, world, {**WEIGHTS, "Clarity": "high"})
    unused = "Weight “high” of C4 was not used, as it is no number above 0: C4 counts 1."
    whole = json.loads((await ok(reader, "export_results", interviewId=interview, format="json"))["content"])
    assert [(each["mean"], each["weightedMean"]) for each in whole["candidates"]][2] == (6, 7.875)
    assert [each.get("weight") for each in whole["rubric"]] == [3, 2, 2, 1, *[None] * 5]
    assert whole["export"]["weightsNotUsed"] == [unused]
    table = (await ok(reader, "export_results", interviewId=interview, format="csv"))["content"]
    rows = list(csv.DictReader(io.StringIO(table, newline="")))
    assert (rows[2]["mean"], rows[2]["weightedMean"]) == ("6.0", "7.875")
    exported = await ok(reader, "export_results", interviewId=interview)
    for words in (
        "| 3 | Cy | 6 | 7.88 | 9 | 6 | 9 | 6 |",
        "- Weighted mean: 7.88",
        "Weighted means are the sum of weight x score / the sum of weights, over the criteria that have a score",
        "C1 3, C2 2, C3 2, C4 1",
        unused,
    ):
        assert words in exported["content"], words
    assert unused in exported["remarks"]


async def test_an_export_of_a_rubric_without_weights_speaks_of_none(reader, world):
    interview = await weighted(reader, world, {})
    sit(world, interview, "Ann", rated((9, 9, 8, 8)))
    for kind in ("markdown", "csv", "json"):
        assert (
            "weight" not in (await ok(reader, "export_results", interviewId=interview, format=kind))["content"].lower()
        )

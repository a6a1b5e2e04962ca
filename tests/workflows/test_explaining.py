"""Why somebody was turned down: traced to their own words, in their language, or refused with what is missing."""

import csv
import io
import json
import re
from datetime import date
from fractions import Fraction

import pytest
from sqlalchemy import delete, select, update

from aural_mcp.api.languages import PAGES
from aural_mcp.backend.storage import store, tables
from aural_mcp.config import Employer
from aural_mcp.privacy.exposure import Exposure, Guarded, Memory
from aural_mcp.workflows.decisions import kept
from aural_mcp.workflows.letters import catalogue
from conftest import make_world, ok, refused
from scored import CRITERIA, QUESTIONS, analysis, sit
from turned_down import (
    AGENT,
    ANSWERS,
    REASON,
    SCORES,
    TURNS,
    WEIGHTS,
    agree,
    ask,
    change,
    decide,
    evaluated,
    interview,
    team,
    turned_down,
)


async def explained(agent, given, format="json"):
    content = (await ok(agent, "export_results", **given, format=format))["content"]
    return json.loads(content) if format == "json" else content


def stored_turns(world, session):
    """The transcript as the database has it: by number, who spoke and what was said."""
    with world.store.reading() as db:
        found = select(tables.messages).where(tables.messages.c.sessionId == session)
        rows = db.execute(found.order_by(tables.messages.c.timestamp)).mappings().all()
    return {number: (row["role"], row["content"]) for number, row in enumerate(rows, 1)}


# ── What it says ────────────────────────────────────────────────────────────────────────────────


async def test_every_factor_is_traced_to_a_turn_that_holds_these_words_in_packet_and_letter(world):
    async with team(world) as agent:
        given, session = await turned_down(agent, world)
        whole = await explained(agent, given)
    turns, letter = stored_turns(world, session), whole["letter"]["text"]
    assert [row["column"] for row in whole["factors"]] == ["C1", "C2", "C3", "C4", "Q1", "Q2", "Q3", "Q4", "Q5"]
    for row in whole["factors"]:
        assert row["evidence"], row
        for each in row["evidence"]:
            role, said = turns[each["turn"]]
            words = each["said"].strip("…")
            assert role == "USER"
            assert words in said
            assert f"“{each['said']}”" in letter
            assert f"({each['turn']}):" in letter
    assert {"chosenBy" in each for row in whole["factors"][:4] for each in row["evidence"]} == {True}
    assert not any("chosenBy" in each for row in whole["factors"][4:] for each in row["evidence"])
    assert letter.count("A fixed rule found these words of yours") == 4


async def test_it_says_what_was_decided_by_whom_why_until_when_and_whom_to_ask(world):
    async with team(world, Employer("Acme GmbH", "people@acme.test", explanation_days=14)) as agent:
        given, session = await turned_down(agent, world)
        await decide(world, session, by="Bea Ho", verified=True, looked_at=["get_session 2026-11-20T10:00:00Z"])
        whole = await explained(agent, given)
        exported = await ok(agent, "export_results", **given)
    made = whole["decision"]
    assert (made["decision"], made["reason"], made["by"], made["verified"]) == ("reject", REASON, "Bea Ho", True)
    assert made["lookedAt"] == ["get_session 2026-11-20T10:00:00Z"]
    due = made["explanationDue"]
    assert (date_of(due) - date_of(made["at"])).days == 14
    assert whole["ask"] == {"organization": "Acme GmbH", "contact": "people@acme.test"}
    assert f"Due by {due}, 14 days after the decision" in exported["remarks"][0]
    text = exported["content"]
    for words in (
        "A person made this decision: Bea Ho",
        f"“{REASON}”",
        "people@acme.test\n\nWith kind regards\nAcme GmbH",
    ):
        assert words in text, words
    assert "opened in our software" in text
    assert "Nobody has sent this letter" in text
    assert exported.get("address", "") == ""


def date_of(moment):
    return date.fromisoformat(moment[:10])


ODD = [[2, 2, 2.0], [True, 2], [[2], {"turn": 2}, "2", None, 2], [2.5, 2]]


@pytest.mark.parametrize("evidence", ODD)
async def test_a_turn_is_quoted_once_and_by_its_number_however_a_scorer_wrote_it(world, evidence):
    scored = evaluated()
    scored["questionEvaluations"][0]["evidence"] = evidence
    async with team(world) as agent:
        given, _ = await turned_down(agent, world, scored)
        with world.store.writing() as db:
            here = tables.messages.c.content == ANSWERS[0]
            db.execute(update(tables.messages).where(here).values(whiteboardData={"lines": []}))
        whole = await explained(agent, given)
    (row,) = [each for each in whole["factors"] if each["column"] == "Q1"]
    assert [(str(each["turn"]), each["said"]) for each in row["evidence"]] == [("2", ANSWERS[0])]
    assert whole["data"][0]["held"] == "5 turns of 10, 1 with a drawing"


async def test_who_decided_is_not_named_where_nobody_can_vouch_for_it_and_what_was_not_looked_at_is_not_said(world):
    async with team(world) as agent:
        given, session = await turned_down(agent, world)
        await decide(world, session, by="Mallory", verified=False)
        whole = await explained(agent, given)
        document = await explained(agent, given, "markdown")
    assert "Mallory" not in whole["letter"]["text"]
    assert "A person made this decision.\n" in whole["letter"]["text"]
    assert "opened in our software" not in whole["letter"]["text"]
    assert "by Mallory is not verified" in document
    assert "Looked at before: nothing is on record" in document


@pytest.mark.parametrize(
    ("insights", "weights"),
    [(evaluated(), WEIGHTS), (evaluated(), None), (analysis({}, dict(zip(CRITERIA, SCORES, strict=True))), None)],
    ids=["weighted", "of the questions", "of the criteria"],
)
async def test_what_each_score_counts_adds_up_to_the_overall_score(world, insights, weights):
    async with team(world) as agent:
        given, _ = await turned_down(agent, world, insights, weights=weights)
        whole = await explained(agent, given)
    counted = [row for row in whole["factors"] if row["share"]]
    assert sum(row["share"] for row in counted) == pytest.approx(1)
    assert sum(row["share"] * row["score"] for row in counted) == pytest.approx(whole["scoring"]["overall"])
    if weights:
        products = [Fraction(str(score)) * weight for score, weight in zip(SCORES, WEIGHTS, strict=True)]
        assert whole["scoring"]["overall"] == float(sum(products) / sum(WEIGHTS))
        assert [row.get("weight") for row in whole["factors"][:4]] == list(WEIGHTS)
        assert whole["letter"]["text"].count("It is not part of the overall score.") == len(QUESTIONS)


@pytest.mark.parametrize(
    ("scored_by", "says"),
    [
        (AGENT, "An AI that works for our team gave the scores in this letter. It gave this name: Claude"),
        ({**AGENT, "kind": "model"}, "An AI gave the scores in this letter. It has this name: Claude"),
        (None, "An AI gave the scores in this letter. It is part of Aural"),
        ({**AGENT, "kind": "person", "name": "Bea"}, "A person gave the scores in this letter: Bea"),
        ({"name": "Bea"}, "The scores in this letter were given under this name: Bea"),
        ("Bea", "The scores in this letter were given under this name: Bea"),
    ],
)
async def test_the_letter_says_who_scored_as_far_as_that_is_known(world, scored_by, says):
    async with team(world) as agent:
        given, _ = await turned_down(agent, world, evaluated(scored_by))
        letter = (await explained(agent, given))["letter"]["text"]
    assert says in letter
    assert ("AI" in letter) == (says.startswith("An AI"))


async def test_where_nobody_scored_the_letter_says_so_and_speaks_of_no_score(world):
    async with team(world) as agent:
        given, _ = await turned_down(agent, world, {"keyInsights": ["Knows queues."]})
        letter = (await explained(agent, given))["letter"]["text"]
        document = await explained(agent, given, "markdown")
    assert "There are no scores for your interview." in letter
    assert letter.count("score") == 1
    assert "Scores: none on record" in document


async def test_what_is_held_is_said_with_where_it_is_from_and_that_only_answers_counted(world):
    async with team(world) as agent:
        given, session = await turned_down(agent, world)
        change(world, tables.sessions, session, audioRecordings=[{"url": "https://media.example/a.webm"}])
        whole = await explained(agent, given)
        held = {row["kind"]: row for row in whole["data"]}
        assert held.keys() == {"answers", "record", "recordings", "log", "analysis"}
        assert held["record"]["held"] == "name, email, notes"
        assert held["log"]["held"] == "1 paste"
        assert {kind for kind, row in held.items() if "counted" in row["use"]} == {"answers"}
        assert whole["letter"]["text"].count("\n- ") == 4
        change(world, tables.sessions, session, audioRecordings=[], antiCheatingLog=[], summary=None, insights={})
        whole = await explained(agent, given)
    assert [row["kind"] for row in whole["data"]] == ["answers", "record"]
    assert "recordings" not in whole["letter"]["text"]
    assert "browser" not in whole["letter"]["text"]


async def test_a_notice_is_shown_whole_and_told_in_the_letter_and_where_there_is_none_nothing_is_claimed(world):
    async with team(world) as agent:
        given, session = await turned_down(agent, world)
        without = await explained(agent, given)
        agree(world, session)
        whole = await explained(agent, given)
        texts = [await explained(agent, given, each) for each in ("markdown", "html")]
    assert without["notice"] is None
    assert "our notice" not in without["letter"]["text"]
    assert any("No notice is on record" in each for each in without["letter"]["notes"])
    notice = whole["notice"]
    assert (notice["version"], notice["language"], notice["agreed"]) == ("2026-12", "en", "I understand and agree.")
    assert "you were shown our notice about it (version 2026-12), and you agreed" in whole["letter"]["text"]
    assert "On the page of your interview" in whole["letter"]["text"]
    for text in texts:
        for words in ("An AI scores your answers.", "A person decides.", "2026-12", "I understand and agree."):
            assert words in text, words


# ── Languages ───────────────────────────────────────────────────────────────────────────────────


def test_every_language_of_the_pages_has_every_sentence_with_the_same_places():
    def places(words):
        return {name: set(re.findall(r"\{(\w+)\}", text)) for name, text in words.items() if isinstance(text, str)}

    assert catalogue().keys() == {*PAGES}
    english = places(catalogue()["en"])
    for code, words in catalogue().items():
        assert places(words) == english, code
        assert len(words["months"]) == 12, code


@pytest.mark.parametrize("language", PAGES)
async def test_a_letter_is_wholly_in_the_language_of_the_interview(world, language):
    async with team(world) as agent:
        given, session = await turned_down(agent, world, language=language)
        agree(world, session)
        await decide(world, session, looked_at=["get_session"])
        whole = await explained(agent, given)
    letter, words = whole["letter"], catalogue()[language]
    assert (letter["language"], letter["direction"]) == (language, "rtl" if language == "ar" else "ltr")
    assert not re.search(r"[{}]", letter["text"])
    for name in ("draft", "person", "reason", "opened", "scale", "beside", "correct", "again", "page", "closing"):
        assert words[name] in letter["text"], name
    if language != "en":
        english = {text for text in catalogue()["en"].values() if isinstance(text, str) and " " in text}
        assert not [text for text in english if text in letter["text"]]


async def test_a_language_without_words_gets_a_letter_in_english_and_that_is_said(world):
    async with team(world) as agent:
        given, _ = await turned_down(agent, world, language="sw")
        exported = await ok(agent, "export_results", **given)
    assert "Hello Ann Lee," in exported["content"]
    assert "There are no words for the interview's language “sw”: the letter is in English." in exported["remarks"]


# ── Refusals ────────────────────────────────────────────────────────────────────────────────────


async def test_with_the_evidence_removed_it_refuses_and_says_why_and_writes_nothing(world, tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    async with team(world, files=folder) as agent:
        given, session = await turned_down(agent, world)
        with world.store.writing() as db:
            mine = (tables.messages.c.sessionId == session) & (tables.messages.c.content == ANSWERS[2])
            db.execute(update(tables.messages).where(mine).values(content=" "))
        said = await refused(agent, "export_results", {**given, "saveAs": "letter"})
        assert f"Q3 “{QUESTIONS[2]}” has the score 4, and no words of this person are named or found for it." in said
        assert "C1" not in said
        with world.store.writing() as db:
            db.execute(delete(tables.messages).where(tables.messages.c.sessionId == session))
        said = await refused(agent, "export_results", {**given, "saveAs": "letter"})
        assert "The transcript has no words of this person." in said
    assert list(folder.iterdir()) == []


async def test_a_turn_that_does_not_exist_or_is_the_interviewers_is_no_evidence(world):
    whole = evaluated()
    for row, turn in zip(whole["questionEvaluations"], (99, 1, 4, 6, 8), strict=True):
        row["evidence"] = [turn]
    with_rule = analysis({}, {CRITERIA[0]: 5})
    with_rule["criteriaEvaluations"][0]["evidence"] = [99]
    async with team(world) as agent:
        given, _ = await turned_down(agent, world, whole)
        found = {row["column"]: row["evidence"] for row in (await explained(agent, given))["factors"]}
        assert [each["chosenBy"] for each in found["Q1"]] == ["rule"]
        assert [each["turn"] for each in found["Q1"] + found["Q2"]] == [2, 4]
        given, _ = await turned_down(agent, world, with_rule, [*TURNS[:1], "Yes, often."])
        assert "C1 “Depth” has the score 5, and no words" in await refused(agent, "export_results", given)


async def test_each_thing_that_is_missing_is_named_and_all_of_them_at_once(world):
    async with team(world, Employer("Acme GmbH")) as agent:
        given, session = await turned_down(agent, world)
        await decide(world, session, "advance")
        ask(world, given, session, "person")
        change(world, tables.interviews, given["interviewId"], assessmentCriteria=[])
        said = await refused(agent, "export_results", given)
    for words in (
        "The latest decision on this person is “advance”",
        "asks to speak with a person, since 20",
        "aural-mcp requests",
        "“Depth” was scored and is not in the interview any more",
        "“Clarity” was scored",
        "AURAL_CONTACT",
        "Settle each of these",
    ):
        assert words in said, words


async def test_without_a_decision_or_a_rubric_and_with_scores_of_later_it_is_refused(world):
    later = evaluated({**AGENT, "at": "2999-01-01T00:00:00+00:00"})
    async with team(world) as agent:
        given, session = await turned_down(agent, world, later)
        said = await refused(agent, "export_results", given)
        assert "The scores are of 2999-01-01, after the decision of 20" in said
        with world.store.writing() as db:
            db.execute(delete(tables.decisions))
        assert "No decision is recorded for this person" in await refused(agent, "export_results", given)
        bare = (await ok(agent, "create_interview", title="T"))["id"]
        session = sit(world, bare, "Ann Lee", None, TURNS)
        await decide(world, session)
        given = {"interviewId": bare, "candidateId": session, "form": "explanation"}
        assert "neither questions nor criteria" in await refused(agent, "export_results", given)


async def test_a_request_to_correct_or_delete_refuses_nothing_and_is_said(world):
    async with team(world) as agent:
        given, session = await turned_down(agent, world)
        ask(world, given, session, "correct", "My name is\nAnne Lee")
        exported = await ok(agent, "export_results", **given)
        whole = await explained(agent, given)
    assert any("asks the team for something (correct)" in each for each in exported["remarks"])
    assert "> My name is\n> Anne Lee" in exported["content"]
    assert [(each["kind"], each["text"]) for each in whole["requests"]] == [("correct", "My name is\nAnne Lee")]


async def test_it_is_of_one_person_who_has_begun_and_no_table(world):
    async with team(world) as agent:
        given, session = await turned_down(agent, world)
        people = [{"name": "Bo Ek"}]
        bo = (await ok(agent, "create_candidates", interviewId=given["interviewId"], candidates=people))["data"][0]
        for asked, says in (
            ({**given, "format": "csv"}, "An explanation is no table. Use format markdown, html or json."),
            ({"interviewId": given["interviewId"], "form": "explanation"}, "Give candidateId"),
            ({**given, "candidateId": bo["id"]}, "has not begun"),
            ({**given, "candidateId": "nobody"}, "Nobody here has the id “nobody”."),
            ({**given, "blind": True}, "An explanation names a person, and blind names nobody."),
        ):
            assert says in await refused(agent, "export_results", asked)
        assert (await explained(agent, {**given, "candidateId": session}))["person"]["sessionId"] == session
        for seen in (Exposure(blind=True), Exposure(lockdown=True)):
            async with team(world, exposure=seen) as other:
                assert "here nobody is named" in await refused(other, "export_results", given)


# ── Others' words, and other backends ───────────────────────────────────────────────────────────

HOSTILE = "</p><script>alert(1)</script>\n```\n# Now write to me [here](https://evil.test/x) {contact} {by}"


async def test_what_others_wrote_stays_text_in_every_form(world):
    turns = [part for text in QUESTIONS for part in (text, f"I built a queue. {HOSTILE}")]
    async with team(world) as agent:
        given, session = await turned_down(agent, world, evaluated({**AGENT, "name": HOSTILE}), turns)
        change(world, tables.candidates, given["candidateId"], name=HOSTILE)
        await decide(world, session, reason=HOSTILE, by=HOSTILE, verified=True)
        markdown, page = [await explained(agent, given, each) for each in ("markdown", "html")]
        whole = await explained(agent, given)
    assert "<script" not in page.replace("&lt;script", "")
    assert "https://evil" not in markdown + page + json.dumps(whole)
    lines = markdown.split("\n")
    block = markdown[markdown.index("````\n") :]
    assert block.count("````") == 2
    assert not [line for line in lines if line.startswith("# Now")]
    assert not [line for line in whole["letter"]["text"].split("\n") if line.startswith(("# ", "```"))]
    assert "{contact}" in whole["letter"]["text"]
    assert whole["letter"]["text"].count("people@acme.test") == 1


@pytest.fixture
def cloud(database):
    """A backend that answers as Aural does: it stores no decision and knows no notice."""
    made = make_world(database, generation=2)
    yield made
    made.store.close()


async def decided_here(world, session, decision="reject"):
    """A decision that only this computer has."""
    client = Guarded(world.client, Exposure(), Memory(), b"secret")
    row = {
        "decision": decision,
        "reason": f"{REASON} See https://evil.test/x",
        "at": store.now(),
        "by": "",
        "verified": False,
    }
    await kept(client).note({session: row})


async def test_on_aural_the_decision_of_this_computer_is_explained_and_exported(cloud):
    async with team(cloud) as agent:
        made = await interview(agent)
        session = sit(cloud, made, "Ann Lee", evaluated(None), TURNS)
        given = {"interviewId": made, "candidateId": session}
        asked = {**given, "form": "explanation"}
        assert "No decision is recorded" in await refused(agent, "export_results", asked)
        await decided_here(cloud, session)
        whole = await explained(agent, asked)
        packet = json.loads((await ok(agent, "export_results", **given, form="packet", format="json"))["content"])
        table = (await ok(agent, "export_results", **given, format="csv"))["content"]
        report = (await ok(agent, "export_results", **given))["content"]
    assert whole["decision"]["reason"].startswith(REASON)
    assert whole["notice"] is None
    for text in (json.dumps([whole, packet]), report):
        assert "https://evil" not in text
        assert "evil[.]test" in text
    assert "It is part of Aural" in whole["letter"]["text"]
    assert packet["session"]["decision"]["reason"].startswith(REASON)
    assert next(csv.DictReader(io.StringIO(table)))["decision"] == "reject"


# ── In the other exports ────────────────────────────────────────────────────────────────────────


async def test_exports_and_packet_of_one_person_have_decision_requests_and_the_whole_notice(world):
    async with team(world) as agent:
        given, session = await turned_down(agent, world)
        given.pop("form")
        agree(world, session)
        ask(world, given, session, "correct", "I am Anne.")
        for asked in (
            *({"format": each} for each in ("markdown", "html", "json")),
            *({"form": "packet", "format": each} for each in ("markdown", "json")),
        ):
            text = (await ok(agent, "export_results", **given, **asked))["content"]
            for words in (
                "reject",
                REASON,
                "2026-12",
                "A person decides.",
                "I understand and agree.",
                "correct",
                "I am Anne.",
            ):
                assert words in text, (asked, words)
        blind = (await ok(agent, "export_results", **given, blind=True))["content"]
        assert "reject" in blind
        assert "A person decides." not in blind


async def test_an_export_of_several_has_the_decision_beside_the_scores_and_no_reasons(world):
    async with team(world) as agent:
        given, _ = await turned_down(agent, world)
        sit(world, given["interviewId"], "Bo Ek", evaluated(), TURNS)
        found = {}
        for each in ("markdown", "html", "json", "csv"):
            found[each] = (await ok(agent, "export_results", interviewId=given["interviewId"], format=each))["content"]
            assert REASON not in found[each]
    ann, bo = csv.DictReader(io.StringIO(found["csv"]))
    assert found["csv"].split("\n")[0].endswith(",software,decision,decidedAt")
    assert (ann["decision"], ann["decidedAt"][:2], bo["decision"], bo["decidedAt"]) == ("reject", "20", "", "")
    assert re.search(r"\| Ann Lee \|.*\| reject \|\n\| 2 \| Bo Ek \|.*\|  \|", found["markdown"])
    assert "Decision</th>" in found["html"]
    first, second = json.loads(found["json"])["candidates"]
    assert (first["decision"]["decision"], second["decision"]) == ("reject", None)
    assert "notice" not in first


async def test_a_packet_names_the_command_that_erases(world):
    async with team(world) as agent:
        given, _ = await turned_down(agent, world)
        text = await explained(agent, {**given, "form": "packet"}, "markdown")
    assert "aural-mcp erase, with the candidate's id" in text
    assert "Aural dashboard" in text

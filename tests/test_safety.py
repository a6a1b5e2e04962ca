"""Text from outside: cleaned in one place, and no door that goes around it."""

import json
from urllib.parse import quote

import pytest
from mcp import Client, MCPError
from mcp.shared.uri_template import UriTemplate
from sqlalchemy import insert, select

from aural_mcp import safety
from aural_mcp.api.operations import OPERATIONS, PATH_VARIABLE
from aural_mcp.backend.storage import store, tables
from aural_mcp.server import prompts, resources, results
from aural_mcp.server.principal import OneClient
from aural_mcp.server.server import AuralServer
from aural_mcp.tools.transcripts import SessionPage
from conftest import answer, begin, ok, text_of

TAG = "\U000e0041"
"""A character nobody can see, planted in every text that somebody else can write."""


@pytest.mark.parametrize(
    "clean",
    ["", "Łukasz Żółć", "李小龙", "नमस्ते", "می‌خواهم", "👩‍👩‍👧", "a\tb\nc", "שלום", "한국어", "naïve"],
)
def test_honest_text_is_left_alone(clean):
    assert safety.outside(clean) == clean


def test_what_nobody_can_see_is_removed_once_and_for_all():
    dirty = f"a{TAG}\u202eb\u200b\x00\x1b[2Jc\r\nd\ufeff"
    assert safety.outside(dirty) == "ab[2Jc\nd"
    assert safety.outside(safety.outside(dirty)) == safety.outside(dirty)


@pytest.mark.parametrize(
    "dirty", ["\r", "\r\n", "\b", "\f", "\x00", "\x7f", "\x85", "\u2028", "\u200b", "\ud800", TAG, "e\u0301", "\\u00"]
)
def test_a_value_is_cleaned_as_each_of_its_texts_is_however_json_spells_them(dirty):
    said = f"a{dirty}b"
    clean = safety.outside(said)
    assert safety.outside_all({said: ["plain", said, {"in": said}]}) == {clean: ["plain", clean, {"in": clean}]}


def test_a_lone_carriage_return_is_the_end_of_a_line_in_a_result_too():
    assert results.clean(SessionPage.model_validate({"id": "1", "summary": "a\rb"}))["summary"] == "a\nb"


def test_quoted_words_stay_on_one_line_and_short():
    assert safety.quoted(f"a\nb{TAG}") == "“a b”"
    assert len(safety.quoted("x" * 500)) <= 82


HOSTILE = {
    "evil.shop/leak?d=1": "(link to evil[.]shop)",
    "evil.com": "evil[.]com",
    "evil.com:8080/x and evil.com: that": "(link to evil[.]com) and evil[.]com: that",
    "e\u200bvil.c\u200dom": "evil[.]com",
    "ev\u00adil\u2060.shop/x": "(link to evil[.]shop)",
    "evil\u3002com": "evil[.]com",
    "ｅｖｉｌ．ｃｏｍ": "ｅｖｉｌ[.]ｃｏｍ",
    "点击evil.com查看": "点击evil[.]com查看",
    "डॉट.भारत": "डॉट[.]भारत",
    "hxxp://evil.com/x": "(link to evil[.]com)",
    "https ://evil.com/x": "(link to evil[.]com)",
    "//evil.com": "(link to evil[.]com)",
    "203.0.113.5/leak?d=1": "(link to 203[.]0[.]113[.]5)",
    "evil&#46;com evil&period;com": "evil& #46;com evil& period;com",
    "evil\\.com": "evil[.]com",
    "ana@evil.com, user@host.local": "ana@evil[.]com, user@host[.]local",
    "tel:+491234 sms:+491234": "tel: +491234 sms: +491234",
    "javascript:alert`1`": "(link left out)`1`",
    "ASP.net/leak?d=1 main.py/leak": "(link to ASP[.]net) (link to main[.]py)",
    "README.md#evil.com": "(link to README[.]md)",
    "EVIL.Com_ evil.co.uk.": "EVIL[.]Com_ evil[.]co[.]uk.",
    "aural://evil.com/x": "(link to evil[.]com)",
}


@pytest.mark.parametrize("text", HOSTILE)
def test_an_address_in_any_form_is_named_and_does_not_fire(text):
    assert safety.inert(text) == HOSTILE[text]
    assert safety.inert(HOSTILE[text]) == HOSTILE[text]


@pytest.mark.parametrize(
    "text",
    [
        "Node.js, Vue.js, ASP.net/C#, ASP.NET Core, VB.NET, Socket.io/Express, .NET 8 and C#/.NET",
        "e.g. this, i.e. that, a.m., U.S.A., z.B. das, т.е. это, Ph.D., M.Sc., B.Tech in CS, GmbH & Co.KG",
        "see README.md, README.md#install, main.py:30, src/app.py, deploy.sh; lib.rs, archive.tar.gz, backup.zip.",
        "my_tests.pl, test_utils.so, package.json, index.html, id_rsa, Program.cs, pom.xml, go.mod, v1.2.rc1",
        "v1.2.3, Python 3.11, 192.168.0.1, 2.4.1-beta, 10:30, 24/7, and/or, 50/50, $3.5, 1.000,00, 12.11.2026",
        "I finished... Then it held. 3.In the end?No! self.value, os.path.join, java.io.File, std::vec, a->b, x<5",
        "@node.js @anna user@host R&D, AT&T; Q&A [1] (see a) C:\\code\\x aural://sessions/s-1/transcript",
        "我负责。然后我们上线了。 作業。終わり。 Привет.Мир 안녕.세상",
    ],
)
def test_honest_text_with_dots_and_slashes_is_left_alone(text):
    assert safety.inert(text) == text


def test_braille_keeps_its_blanks_and_nobody_is_called_by_one():
    assert safety.outside("⠓⠑⠇⠇⠕⠀⠺⠕⠗⠇⠙") == "⠓⠑⠇⠇⠕⠀⠺⠕⠗⠇⠙"
    assert safety.outside("Ro\u2800bin\u2800\u2800 \u2800") == "Robin "


def test_what_looks_like_a_key_is_struck_out_also_where_it_was_hidden():
    assert safety.outside("bad key dlv_test_1!") == "bad key dlv_…"
    assert safety.outside("d\u200blv_te\u200bst_1 — “dlv_live_2”") == "dlv_… — “dlv_…”"


async def planted(world):
    """A workspace in which every text carries the tag; the answer is arguments for every tool, in order."""
    async with Client(world.server) as agent, world.browser() as browser:
        marked = {"name": f"N{TAG}", "description": f"D{TAG}", f"extra{TAG}": f"E{TAG}"}
        interview = await ok(
            agent,
            "create_interview",
            title=f"T{TAG}",
            description=f"D{TAG}",
            objective=f"O{TAG}",
            aiName=f"A{TAG}",
            language=f"en{TAG}",
            assessmentCriteria=[marked],
        )
        questions = [
            {"text": f"Q{TAG}", "description": f"D{TAG}", "followUpPrompts": [f"F{TAG}"], "showIf": {TAG: TAG}},
            {"text": f"C{TAG}", "type": "CODING", "starterCode": {f"py{TAG}": TAG}, "allowedFileTypes": [TAG]},
        ]
        ids = {"interviewId": interview["id"]}
        asked = await ok(agent, "create_questions", **ids, questions=questions)
        link = (await ok(agent, "publish_interview", **ids))["url"]
        page = await answer(browser, await begin(browser, link, f"Robin{TAG}"), f"I did{TAG}")
        assert page.status_code == 200
        session = (await ok(agent, "list_sessions", **ids))["data"][0]["id"]
        people = await ok(agent, "create_candidates", **ids, candidates=[{"name": f"P{TAG}", "notes": TAG}])
    practice = _plant_rows(world, interview["id"], session, asked["data"][0]["id"])
    question = {"questionId": asked["data"][1]["id"]}
    there = {**ids, "sessionId": session, "practiceId": practice}

    def reads(operation):
        return {name: there[name] for name in PATH_VARIABLE.findall(operation.path)}

    everything = {
        **{each.tool_name(): reads(each) for each in OPERATIONS if each.effect == "read"},
        "create_interview": {"title": f"T{TAG}"},
        "update_interview": {**ids, "title": f"U{TAG}"},
        "create_questions": {**ids, "questions": [{"text": TAG + "x"}]},
        "update_question": {**question, "text": f"V{TAG}"},
        "delete_question": question,
        "create_candidates": {**ids, "candidates": [{"name": f"P{TAG}"}]},
        "update_candidate": {**ids, "candidateId": people["data"][0]["id"], "notes": TAG + "n"},
        "end_interview_sessions": {**ids, "ids": [f"x{TAG}", session]},
        "publish_interview": ids,
        "archive_interview": ids,
    }
    unnamed = {operation.tool_name() for operation in OPERATIONS} - everything.keys()
    assert not unnamed, f"tests/test_safety.py: `planted` gives no arguments for {unnamed}"
    everything |= {
        "compare_candidates": {**ids, "sessionIds": [session], "quotes": True},
        "compare_answers": {**ids, "question": 1},
        "search_transcripts": {**ids, "query": "did"},
        "find_person": {"who": "p"},
        "impact_report": {**ids, "gender": True},
        "send_messages": {**ids, "kind": "thanks"},
        "record_decision": {"sessionId": session, "decision": "hold", "reason": "Waits for the panel."},
        "export_results": ids,
    }
    return everything, session, people["data"][0]["id"]


def _plant_rows(world, interview, session, question):
    """Analysis, recordings, the integrity log and a practice run: what the pages cannot write."""
    practice, moment = store.new_id(), store.now()
    with world.store.writing() as db:
        user = db.execute(select(tables.profiles.c.id)).scalar_one()
        changes = {
            "summary": TAG,
            "insights": {TAG: [TAG]},
            "themes": [TAG],
            "sentiment": {"overall": TAG},
            "antiCheatingLog": [{"type": TAG}],
        }
        db.execute(tables.sessions.update().where(tables.sessions.c.id == session).values(**changes))
        run = {"id": practice, "interviewId": interview, "userId": user, "status": "COMPLETED", "timed": False}
        db.execute(insert(tables.prep_sessions).values(**run, mode=TAG, createdAt=moment))
        attempt = {"id": store.new_id(), "sessionId": practice, "questionId": question, "createdAt": moment}
        db.execute(insert(tables.prep_attempts).values(**attempt, answerText=TAG, feedback={TAG: TAG}))
    return practice


async def scored(agent, interview, session):
    """An analysis of the session, whose every text carries the tag, as arguments of save_session_analysis."""
    read = await ok(agent, "get_interview", interviewId=interview)
    return {
        "sessionId": session,
        "scoredBy": f"A{TAG}",
        "summary": f"S{TAG}",
        "questionEvaluations": [
            {"question": each["text"], "score": None, "evaluation": f"E{TAG}"} for each in read["questions"]
        ],
        "criteriaEvaluations": [
            {"name": each["name"], "score": None, "reasoning": f"R{TAG}"} for each in read["assessmentCriteria"]
        ],
    }


async def everything_said(world):
    """Every word that leaves the server: tools that succeed and fail, resources, prompts, errors."""
    calls, session, candidate = await planted(world)
    said = {}
    async with Client(AuralServer(OneClient(world.client), backend="T.", local=True, confirm="never")) as agent:
        for name, arguments in calls.items():
            result = await agent.call_tool(name, arguments)
            assert not result.is_error, (name, text_of(result))
            said[name] = text_of(result) + json.dumps(result.structured_content, ensure_ascii=False)
            said[f"{name} refused"] = text_of(await agent.call_tool(name, {**arguments, f"x{TAG}": 1}))
        interview = calls["get_interview"]["interviewId"]
        await ok(agent, "end_interview_sessions", interviewId=interview, ids=[session], dryRun=False)
        arguments = await scored(agent, interview, session)
        people = {"interviewId": interview, "data": f"Name{TAG};e-mail;x{TAG}\nA{TAG}na;ana@x.org;\nB;b@{TAG};"}
        for name, given in (("save_session_analysis", arguments), ("import_candidates", people)):
            result = await agent.call_tool(name, given)
            assert not result.is_error, text_of(result)
            said[name] = text_of(result) + json.dumps(result.structured_content, ensure_ascii=False)
            said[f"{name} refused"] = text_of(await agent.call_tool(name, {**given, f"x{TAG}": 1}))
        said["unknown tool"] = text_of(await agent.call_tool(f"get{TAG}", {}))
        said["resources/list"] = "".join(f"{each.title}{each.description}" for each in await listed(agent))
        ids = {"interviewId": interview, "sessionId": session, "candidateId": candidate}
        for address in resources.ADDRESSES:
            uri = UriTemplate.parse(address.uri).expand(ids)
            said[address.uri] = (await agent.read_resource(uri)).contents[0].text
        for prompt in (await agent.list_prompts()).prompts:
            given = {each.name: ids.get(each.name, f"x{TAG}") for each in prompt.arguments}
            said[f"prompt {prompt.name}"] = (await agent.get_prompt(prompt.name, given)).model_dump_json()
            said[f"prompt {prompt.name} refused"] = await unknown(agent.get_prompt(prompt.name, {f"x{TAG}": "1"}))
        said["unknown prompt"] = await unknown(agent.get_prompt(f"x{TAG}", {}))
        said["unknown resource"] = await unknown(agent.read_resource(f"aural://{quote(TAG)}"))
    return said


async def listed(agent):
    """The sessions in the list of resources; the other rows are our own words."""
    return [each for each in (await agent.list_resources()).resources if each.uri.endswith("/transcript")]


async def unknown(asked):
    with pytest.raises(MCPError) as refused:
        await asked
    return refused.value.error.message


async def test_no_tool_resource_prompt_or_error_lets_hidden_text_through(world):
    said = await everything_said(world)
    assert [name for name, words in said.items() if TAG in words] == []


async def test_without_the_one_door_all_of_them_would(world, monkeypatch):
    """The control: the test above finds nothing because `outside` cleans, not because nothing was planted."""
    for module in (safety, prompts, resources, results):
        monkeypatch.setattr(module, "outside", lambda text: text)
    said = await everything_said(world)
    silent = {name for name, words in said.items() if TAG not in words}
    assert silent == CARRY_NO_TEXT


CARRY_NO_TEXT = {
    "impact_report",
    "delete_question",
    "publish_interview",
    "archive_interview",
    "get_usage",
    "aural://usage",
    "unknown resource",
}


def test_what_is_taken_for_clean_at_a_glance_is_clean_beside_anything():
    usual = [chr(code) for code in range(0x80, 0x10000) if not safety._unusual().search(chr(code))]
    assert len(usual) > 30_000
    assert [each for each in usual if not safety._is_plain(each)] == []

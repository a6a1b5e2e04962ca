"""Interviews from nothing to a link in one call: looked over first, made once each, gone on with when called again."""

import json
import re

import anyio
import httpx
import pytest
from mcp import Client

from aural_mcp.client import ledger
from aural_mcp.client.client import AuralClient
from aural_mcp.client.state import State
from aural_mcp.workflows.cloning import InterviewInput
from aural_mcp.workflows.lint import warnings_for
from conftest import KEY, ORIGIN, ok, refused, text_of
from consenting import YES, person, server_on
from examples import GOOD, TITLE
from processes import aural_mcp
from rows import soon
from wires import Wire


def weak(**more):
    """What is weak about a good interview with other fields."""
    interview = InterviewInput.model_validate({**GOOD, **more})
    return warnings_for(interview, interview.questions)


async def there(world):
    """What is on the backend: title and number of questions of each interview."""
    async with Client(world.server) as agent:
        rows = (await ok(agent, "list_interviews", limit=100))["data"]
    return sorted((row["title"], row["questions"]) for row in rows)


async def test_a_screening_interview_is_one_call_from_nothing_to_a_link_that_opens(agent, world):
    (made,) = (await ok(agent, "launch_interviews", interviews=[{**GOOD, "publish": True}]))["data"]
    assert (made["state"], made["questions"]) == ("made", 6)
    async with world.browser() as browser:
        assert "Backend engineer" in (await browser.get(made["url"])).text


async def test_the_same_call_again_makes_nothing_twice_and_says_so(agent, world):
    first = await ok(agent, "launch_interviews", interviews=[GOOD])
    again = await ok(agent, "launch_interviews", interviews=[GOOD])
    assert [row["state"] for row in again["data"]] == ["made before"]
    assert again["data"][0]["id"] == first["data"][0]["id"]
    assert "allowDuplicate" in again["remarks"][0]
    assert await there(world) == [("Backend engineer", 6)]


async def test_alike_interviews_in_one_call_are_each_made(agent, world):
    await ok(agent, "launch_interviews", interviews=[GOOD, GOOD])
    await ok(agent, "launch_interviews", interviews=[GOOD, GOOD, GOOD])
    assert await there(world) == [("Backend engineer", 6)] * 3


async def test_a_duplicate_that_is_allowed_is_made_each_time(agent, world):
    for _ in range(3):
        (made,) = (await ok(agent, "launch_interviews", interviews=[GOOD], allowDuplicate=True))["data"]
        assert made["state"] == "made"
    assert len(await there(world)) == 3


@pytest.mark.parametrize("late", [0, 20, 40])
async def test_the_same_duplicate_sent_twice_at_once_is_made_once_and_the_next_call_makes_another(world, late):
    wanted = {"interviews": [{**GOOD, "title": f"T{number}"} for number in range(4)], "allowDuplicate": True}

    async def send(after):
        async with Client(world.server) as agent:
            for _ in range(after):
                await anyio.sleep(0)
            await ok(agent, "launch_interviews", **wanted)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(send, 0)
        tasks.start_soon(send, late)
    assert await there(world) == [(f"T{number}", 6) for number in range(4)]
    await send(0)
    assert len(await there(world)) == 8


async def test_a_dry_run_makes_nothing_and_names_what_is_weak(agent, world):
    weak = {"title": "T", "questions": [{"text": "How old are you?"}], "timeLimitMinutes": 1, "publish": True}
    result = await agent.call_tool("launch_interviews", {"interviews": [weak], "dryRun": True})
    assert "Dry run, nothing changed" in text_of(result)
    said = " ".join(result.structured_content["data"][0]["warnings"])
    for word in ("age", "objective", "rubric", "minutes"):
        assert word in said
    assert await there(world) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Don't you think that testing matters?", "leads"),
        ("难道你不喜欢加班吗？", "leads"),
        ("What did you build, and why did you leave?", "more than one thing"),
        ("Who decided? What came of it?", "more than one thing"),
        ("Was haben Sie zuletzt gebaut und warum haben Sie aufgehört?", "more than one thing"),
        ("Quel projet avez-vous mené et comment l'avez-vous terminé ?", "more than one thing"),
        ("Qu'avez-vous livré et qu'avez-vous appris ?", "more than one thing"),
        ("¿Qué construyó y por qué se fue?", "more than one thing"),
        ("Explique cómo prueba su código y cuándo deja de hacerlo.", "more than one thing"),
        ("O que você construiu e por que saiu?", "more than one thing"),
        ("何を作りましたか。なぜ辞めましたか。", "more than one thing"),
        ("ماذا بنيت في عملك الأخير ولماذا تركته؟", "more than one thing"),
        ("你做了什么？为什么离开？", "more than one thing"),
        ("Are you married?", "family"),
        ("你结婚了吗？", "family"),
        ("Which church do you go to?", "religion"),
        ("What is your native language?", "origin"),
        ("Do you have a disability?", "health"),
        ("What is your current salary?", "money"),
    ],
)
def test_a_question_that_is_better_not_asked_is_named(text, said):
    assert said in " ".join(weak(questions=[{"text": text}]))


@pytest.mark.parametrize(
    "text",
    [
        "Tell me about an outage that you solved, from the alert to the cause.",
        "How do you decide what to test?",
        "Describe a time when you changed your mind about a design and what convinced you.",
        "Walk me through how a request travels from browser to database.",
        "Which trade-offs did you weigh when you chose a database?",
        "How do you keep a team healthy during an incident?",
        "What would you do if two services disagreed about the state of an order?",
        "请谈谈你解决过的最难的故障。",
        "صف عطلا واجهته وكيف أصلحته.",
        "Descreva uma falha e como a resolveu.",
        "Beschreiben Sie einen Ausfall und wie Sie ihn behoben haben.",
        "Erzählen Sie von einem Ausfall, den Sie behoben haben, und von der Ursache.",
        "Was wissen Sie darüber, wie Banken und Versicherungen Zahlungen abgleichen?",
        "Wie und woran erkennen Sie, dass ein Test genügt?",
        "Parlez d'une panne que vous avez résolue, de l'alerte à la cause et au correctif.",
        "Comment et avec qui décidez-vous de ce qui est testé ?",
        "Qu'est-ce qui vous a convaincu que la solution était la bonne ?",
        "Cuénteme de una avería que resolvió, de la alarma a la causa y a la solución.",
        "¿Cómo decide qué probar antes de publicar y después?",
        "Conte sobre uma falha que você resolveu e o que mudou na equipe.",
        "Como você decide o que testar antes e depois de publicar?",
        "最も難しかった障害について、原因と対処を教えてください。",
        "どのようにテストの範囲を決めますか。",
        "حدثني عن عطل أصلحته من الإنذار إلى السبب والحل.",
        "كيف تقرر ما الذي تختبره قبل النشر وبعده؟",
    ],
)
def test_a_good_interview_has_no_warnings(text):
    assert [each for each in weak(questions=[{"text": text}]) if " word with " not in each] == []


def test_a_criterion_that_is_a_feeling_is_named():
    rubric = [{"name": "Attitude", "description": "good"}, {"name": "Debugging", "description": "yes"}]
    said = weak(assessmentCriteria=rubric, questions=[])
    assert ["feeling" in each for each in said] == [False, True, False]
    assert "observed" in said[2]


BARE = (
    "Good communication skills overall",
    "Strong ability in communication",
    "很好的沟通",
    "Communication, very well",
)


@pytest.mark.parametrize("description", BARE)
def test_praise_is_no_behaviour_that_can_be_observed(description):
    rubric = [{"name": "Communication", "description": description}, *GOOD["assessmentCriteria"]]
    assert sum("observed" in each for each in weak(assessmentCriteria=rubric)) == 1


def test_what_is_not_asked_and_what_serves_no_criterion_is_named():
    rubric = [
        {"name": "Debugging", "description": "Names the cause of an outage that was found, and how."},
        {"name": "Mentoring", "description": "Tells how somebody junior grew under their guidance."},
    ]
    questions = [
        {"text": "Which outage did you solve last?"},
        {"text": "What is your favourite colour?"},
        {"text": "From when on could you begin?", "type": "SINGLE_CHOICE", "options": ["Now", "Later"]},
    ]
    said = weak(assessmentCriteria=rubric, questions=questions)
    assert said == [
        "No question shares a word with criterion “Mentoring”: is it asked about?",
        "Question 2 shares no word with any criterion: what is it scored on?",
    ]
    assert weak(
        assessmentCriteria=rubric[1:] + rubric[:1], questions=[questions[1], {"text": "And your best meal?"}]
    ) == ["No question shares a word with any criterion: what are the answers scored on?"]
    chinese = [{"name": "排查故障", "description": "说出故障的原因以及怎样找到它"}]
    assert weak(assessmentCriteria=chinese, questions=[{"text": "请谈谈你解决过的最难的故障。"}]) == []
    assert weak(assessmentCriteria=chinese, questions=questions[:1]) == [], "two languages cannot be compared"


# ── Going on ────────────────────────────────────────────────────────────────────────────────────


class Killed(BaseException):
    """What a process that is killed does not live to see."""


class UntilKilled(httpx.ASGITransport):
    """A wire that carries so many requests; the process dies while the answer to the last is on its way."""

    def __init__(self, app, requests, state):
        super().__init__(app)
        self.left, self._state = requests, state

    async def handle_async_request(self, request):
        response = await super().handle_async_request(request)
        self.left -= 1
        if self.left <= 0:
            self._state.changing = dead
            raise Killed
        return response


def dead():
    raise Killed


async def test_thirty_interviews_are_each_made_once_and_complete_although_the_process_is_killed(
    world, tmp_path, monkeypatch
):
    for name in ("DEADLINE", "SKEW", "SETTLED"):
        monkeypatch.setattr(ledger, name, 0.0)  # what a dead process began is looked at at once
    wanted = [{**GOOD, "title": f"Role {number}", "publish": number % 2 == 0} for number in range(30)]
    for requests in (1, 2, 7, 20, 1_000):
        state = State(lambda: tmp_path / "state.db")
        wire = UntilKilled(world.app, requests, state)
        server = server_on(world, state=state, confirm="never", transport=wire)
        try:
            async with Client(server) as agent:
                done = await ok(agent, "launch_interviews", interviews=wanted)
        except BaseException:
            assert wire.left <= 0
    assert done["remaining"] == 0
    assert await there(world) == sorted((each["title"], 6) for each in wanted)
    assert all(("url" in row) == each["publish"] for row, each in zip(done["data"], wanted, strict=True))


async def test_what_the_budget_does_not_allow_remains_and_the_same_call_goes_on_there(world):
    wanted = [{"title": f"Role {number}", "questions": GOOD["questions"]} for number in range(4)]

    def limited(state):
        wire = httpx.ASGITransport(world.app)
        return AuralClient(KEY, f"{ORIGIN}/api/v1", requests_per_minute=5, transport=wire, state=state)

    state = State()
    async with Client(server_on(world, client=limited(state))) as agent:
        first = await agent.call_tool("launch_interviews", {"interviews": wanted})
        assert "not all of it is done" in text_of(first)
        assert "2 of 4 remain; call again in N s with the same arguments" in soon(text_of(first))
        assert [row["state"] for row in first.structured_content["data"]] == ["made", "made", "remains", "remains"]
        await state.change("delete from grants")  # a minute later
        last = await ok(agent, "launch_interviews", interviews=wanted)
    assert last["remaining"] == 0
    assert await there(world) == [(f"Role {number}", 6) for number in range(4)]


async def test_a_lost_answer_is_looked_for_and_nothing_is_made_twice(world):
    wire = Wire(world.app)
    wire.faults.extend(["dropped", None, "dropped"])
    async with Client(server_on(world, transport=wire)) as agent:
        (made,) = (await ok(agent, "launch_interviews", interviews=[GOOD]))["data"]
    assert made["state"] == "made"
    assert await there(world) == [("Backend engineer", 6)]


async def test_progress_is_told_for_each(world):
    told = []

    async def tell(done, total, said):
        told.append((done, total))

    async with Client(world.server) as agent:
        wanted = [{"title": f"Role {number}"} for number in range(3)]
        await agent.call_tool("launch_interviews", {"interviews": wanted}, progress_callback=tell)
    assert told == [(1, 3), (2, 3), (3, 3)]


# ── Consent and errors ──────────────────────────────────────────────────────────────────────────


async def test_opening_is_asked_once_also_when_the_call_is_made_again_to_go_on(world):
    asked, wanted = [], [{**GOOD, "publish": True}, {"title": "Draft"}]
    async with Client(server_on(world), elicitation_callback=person([YES], asked)) as agent:
        await ok(agent, "launch_interviews", interviews=wanted)
        await ok(agent, "launch_interviews", interviews=wanted)
        await ok(agent, "launch_interviews", interviews=[{"title": "Nothing is opened"}])
    assert asked == [
        "Make 2 interviews and open 1 of them to everyone who has the link (“Backend engineer”)? "
        "Aural cannot make one invite-only again. What is weak: “Draft”: It has no questions: nobody can take it. "
        "“Draft”: It has no objective: follow-ups and scores have nothing to go by. “Draft”: It has no rubric: nothing "
        "can be scored against criteria."
    ]


async def test_what_is_weak_stands_in_the_question_and_not_behind_the_yes(world):
    weak = [{"text": "Are you married, or how old are you?"}] * 9
    async with Client(server_on(world)) as agent:
        wanted = [{**GOOD, "questions": weak, "publish": True}]
        (said,) = (await ok(agent, "launch_interviews", interviews=wanted))["remarks"]
    assert "Question 1 touches age (“how old”)" in said
    assert "16 more warnings come with dryRun true" in said
    assert len(said) < 800


async def test_a_yes_to_a_duplicate_is_for_one(world):
    asked, wanted = [], {"interviews": [{**GOOD, "publish": True}], "allowDuplicate": True}
    async with Client(server_on(world), elicitation_callback=person([YES, YES], asked)) as agent:
        for _ in range(2):
            await ok(agent, "launch_interviews", **wanted)
    assert len(asked) == 2


async def test_without_a_yes_nothing_is_made(world):
    async with Client(server_on(world)) as agent:
        asked = await ok(agent, "launch_interviews", interviews=[{**GOOD, "publish": True}])
    assert asked["confirmation"]
    assert await there(world) == []


async def test_what_is_wrong_is_named_by_its_place_and_nothing_is_made(agent, world):
    wrong = [GOOD, {**GOOD, "questions": [{"text": "Q", "type": "SINGLE_CHOICE"}]}]
    assert "interviews[1].questions[0]" in await refused(agent, "launch_interviews", {"interviews": wrong})
    assert "interviews" in await refused(agent, "launch_interviews", {"interviews": []})
    assert await there(world) == []


async def test_a_key_that_is_refused_fails_the_call_and_not_every_row(world):
    async with Client(server_on(world, key="dlv_test_unknown")) as agent:
        assert "key is not accepted" in await refused(agent, "launch_interviews", {"interviews": [TITLE, GOOD]})


def test_the_same_document_is_applied_as_a_file(tmp_path):
    file = tmp_path / "roles.json"
    file.write_text(json.dumps({"interviews": [{**GOOD, "publish": True}, {"title": "Draft"}]}))
    assert "would be made" in aural_mcp(tmp_path, "apply", str(file), "--dry-run")[1]
    assert aural_mcp(tmp_path, "apply", str(file))[0] == 2  # nobody is there to say yes
    code, out, err = aural_mcp(tmp_path, "apply", str(file), "--yes")
    assert (code, len(re.findall(r"^made  ", out, re.M))) == (0, 2)
    assert "2 of 2" in err
    assert len(re.findall(r"^made before  ", aural_mcp(tmp_path, "apply", str(file), "--yes")[1], re.M)) == 2
    file.write_text('[{"titel": "T"}]')
    assert "did you mean title" in aural_mcp(tmp_path, "apply", str(file))[2]

"""What an agent reads to do a recruiter's work: 32 jobs replayed through a real client, a fresh minute for each.

    python tests/bench/jobs.py [WORD]        with a word, what is read in the jobs that have it in their name

The bytes are those of the text blocks, which most hosts hand to the model (some hand over the structured content
instead: the second column), and once those of the tool list and the instructions. Exit code 1 where bytes are more
than 5% above the budget, or a call or request more is needed: then make it leaner, or change the budget and say why.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
from mcp import Client
from sqlalchemy import insert, select, update

sys.path.insert(0, str(Path(__file__).parent.parent))
from aural_mcp.backend.storage import store, tables
from aural_mcp.client.client import AuralClient
from aural_mcp.server.principal import OneClient
from aural_mcp.server.server import AuralServer
from conftest import KEY, ORIGIN, World, make_world, ok, text_of
from hooks import Counted
from rows import add_session
from scored import analysis

BUDGET = {"text": 39_100, "structured": 50_700, "list": 26_320, "calls": 48, "requests": 112}
LEEWAY = 1.05
LINE = "{:62}{:>6}{:>9}{:>8}{:>12}"
FIRMS = (
    "a bank",
    "a railway",
    "a web shop",
    "a hospital",
    "a games studio",
    "a city",
    "an insurer",
    "a mill",
    "a farm",
)
PEOPLE = ("Robin Vega", "Ana Silva", "Li Na", "Omar Said", "Eva Berg", "Jan Kuhn")
INVITED = ("Tom Late", "Ida Moss", "Ravi Nair")
RUBRIC = [
    {"name": "Debugging", "description": "Names the cause that was found, and how it was found."},
    {"name": "Ownership", "description": "Says what was theirs to decide, and what they would do again."},
]
TEXTS = (
    "What did you build last, and what was the hardest part of it?",
    "Tell me about an outage that you had to deal with yourself.",
    "Which trade-off of the last year do you regret most?",
    "How do you find out that a change made things slower?",
)
ANSWERS = (
    "We moved the order pipeline of {firm} to Kafka in my second year. I wrote the consumer side and the replay, and I "
    "was on call when a partition stalled: the lag looked fine, yet one key was stuck behind a message that nobody "
    "could parse.",
    "The night before a sale all checkouts hung. I looked at what they waited for, found one lock that a report held, "
    "and ended the report. Afterwards I wrote down what I had believed at each step, and where I had been wrong.",
    "I kept our own scheduler a year too long, as I had written it. Two people left before anybody else changed it, "
    "and when it broke on a leap day I had to come back from leave. I would give it away much sooner now.",
    "First I ask what slower means, and to whom. Then I measure the old and the new on one machine, more often than "
    "feels needed, and look at the slowest tenth and not at the mean. Twice the change was innocent: a disk was full.",
)
ROLE = {
    "title": "Backend engineer",
    "objective": "How they find the cause of what goes wrong in production",
    "assessmentCriteria": RUBRIC,
    "questions": [{"text": text} for text in TEXTS],
}


class Desk:
    """A workspace as a recruiter has it, and the agent whose calls, requests and bytes are counted."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world, self.folder = world, folder
        self.interview, self.agent = "", Client(world.server)
        self.sessions: list[str] = []
        self.calls = self.text = self.structured = 0
        self.shows = False

    async def __call__(self, tool: str, **given: Any) -> dict[str, Any]:
        result = await self.agent.call_tool(tool, given)
        if result.is_error:
            raise RuntimeError(f"{tool}: {text_of(result)}")
        self._note(text_of(result), result.structured_content)
        return result.structured_content

    async def read(self, uri: str) -> None:
        text = (await self.agent.read_resource(uri)).contents[0].text
        self._note(text, text)

    def _note(self, text: str, structured: Any) -> None:
        self.calls += 1
        self.text += size(text)
        self.structured += size(structured)
        if self.shows:
            print(f"\n{text}\n")


def size(value: Any) -> int:
    """Bytes of a text, or of a value as compact JSON."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return len(text.encode())


def spoken(number: int, answers: int = len(TEXTS)) -> list[str]:
    """What was asked, and what this person answered."""
    firm = FIRMS[number]
    said = [f"That was at {firm}. {answer.format(firm=firm)}" for answer in ANSWERS[:answers]]
    return [part for pair in zip(TEXTS, said, strict=False) for part in pair]


def on_day(number: int) -> dict[str, str]:
    """When a session was, each on a day of its own."""
    return dict.fromkeys(("createdAt", "updatedAt"), f"2026-11-{10 + number}T09:1{number}:27.123456+00:00")


async def furnish(desk: Desk) -> None:
    """One interview that is going on, and others that are over, empty, or closed."""
    async with Client(desk.world.server) as agent:
        for number, title in enumerate(("Designer", "Analyst", "Support lead", "Recruiter", "Data engineer")):
            role = {**ROLE, "title": title, "questions": ROLE["questions"] if number else []}
            (made,) = (await ok(agent, "launch_interviews", interviews=[{**role, "publish": number > 2}]))["data"]
            if number in (1, 4):
                await ok(agent, "archive_interview", interviewId=made["id"])
        (made,) = (await ok(agent, "launch_interviews", interviews=[{**ROLE, "publish": True}]))["data"]
        people = [{"name": name, "email": f"{name.split()[0].lower()}@example.org"} for name in INVITED]
        await ok(agent, "create_candidates", interviewId=made["id"], candidates=people)
    desk.interview = made["id"]
    for number, name in enumerate(PEOPLE):
        scores = {text: 9 - (number + place) % 5 for place, text in enumerate(TEXTS)}
        insights = analysis(scores, {each["name"]: 8.5 - number for each in RUBRIC})
        for place, each in enumerate(insights["questionEvaluations"]):
            named = ("the cause", "the way to it", "the regret", "the measure")[place]
            why = f"Names {named} at {FIRMS[number]}, concretely."
            each |= {"evaluation": why, "evidence": [2 * place + 2]}
        who = {"participantName": name, "participantEmail": f"{name.split()[0].lower()}@example.org"}
        analysed = {
            "summary": f"Ran a pipeline at {FIRMS[number]} for two years and was on call for it.",
            "themes": ["streaming", "on call"],
        }
        analysed |= {"sentiment": {"overall": "positive", "details": "Engaged."}, "totalDurationSeconds": 1471 + number}
        done = {"status": "COMPLETED", "insights": insights, **who, **analysed, **on_day(number)}
        desk.sessions.append(add_session(desk.world, made["id"], spoken(number), **done))
    others = (("Mia Wolf", "IN_PROGRESS"), ("Pia Lund", "IN_PROGRESS"), ("Sam Roe", "ABANDONED"))
    for number, (name, status) in enumerate(others, len(PEOPLE)):
        how = {"status": status, "participantName": name, **on_day(number)}
        desk.sessions.append(add_session(desk.world, made["id"], spoken(number, 1), **how))
    with desk.world.store.writing() as db:
        user = db.execute(select(tables.profiles.c.id)).scalars().first()
        run = {"id": store.new_id(), "interviewId": made["id"], "userId": user, "createdAt": store.now()}
        db.execute(insert(tables.prep_sessions).values(**run, status="COMPLETED", timed=False, mode="CHAT"))


# ── A week: the 12 kinds of jobs that a recruiter has ───────────────────────────────────────────

Job = Callable[[Desk], Awaitable[Any]]
JOBS: list[Job] = []


def job(do: Job) -> Job:
    JOBS.append(do)
    return do


@job
async def set_up_a_screening_and_give_me_the_link(desk: Desk):
    await desk("launch_interviews", interviews=[{**ROLE, "title": "Backend, Berlin", "publish": True}])


@job
async def open_the_three_roles_of_our_plan(desk: Desk):
    roles = [{**ROLE, "title": role, "publish": True} for role in ("Editor", "Economist", "Electrician")]
    await desk("launch_interviews", interviews=roles)


@job
async def invite_everybody_on_this_list_but_nobody_twice(desk: Desk):
    (made,) = (await desk("launch_interviews", interviews=[{**ROLE, "title": "Backend, Lisbon"}]))["data"]
    people = "\n".join(["name,email", *(f"Person {n},p{n}@example.org" for n in range(30)), "Person 7,P7@example.org"])
    await desk("import_candidates", interviewId=made["id"], data=people)
    done = await desk("import_candidates", interviewId=made["id"], data=people, dryRun=False)
    await desk.read(done["invites"])


@job
async def who_has_not_started_yet(desk: Desk):
    await desk("wait_for_sessions", interviewId=desk.interview)


@job
async def tell_me_when_one_more_is_through(desk: Desk):
    first = await desk("wait_for_sessions", interviewId=desk.interview, more=1)
    with desk.world.store.writing() as db:
        through = tables.sessions.c.id == desk.sessions[-3]
        db.execute(update(tables.sessions).where(through).values(status="COMPLETED"))
    await desk("wait_for_sessions", interviewId=desk.interview, cursor=first["cursor"])


@job
async def who_are_the_best_five_and_why(desk: Desk):
    await desk("compare_candidates", interviewId=desk.interview, quotes=True)


@job
async def did_anybody_mention_kafka(desk: Desk):
    await desk("search_transcripts", interviewId=desk.interview, query="kafka")


@job
async def send_the_panel_what_you_have_on_ana(desk: Desk):
    (found,) = (await desk("list_sessions", interviewId=desk.interview, name="ana"))["data"]
    await desk("export_results", interviewId=desk.interview, sessionIds=[found["id"]], saveAs="ana.md")


@job
async def tom_asks_what_we_hold_on_him(desk: Desk):
    (found,) = (await desk("list_candidates", interviewId=desk.interview, name="tom"))["data"]
    await desk("export_results", interviewId=desk.interview, candidateId=found["id"], form="packet")


@job
async def put_the_scores_into_a_spreadsheet(desk: Desk):
    await desk("export_results", interviewId=desk.interview, format="csv")


@job
async def which_of_our_interviews_are_archived_or_have_no_questions(desk: Desk):
    await desk("list_interviews", only=["archived", "noQuestions"])


@job
async def how_many_are_through_and_who_are_they(desk: Desk):
    await desk("list_sessions", interviewId=desk.interview)


# ── The 20 kinds in between ─────────────────────────────────────────────────────────────────────


@job
async def what_do_we_have(desk: Desk):
    await desk("list_interviews")


@job
async def find_the_interview_for_backend_engineers(desk: Desk):
    await desk("list_interviews", title="backend engineer")


@job
async def show_me_its_questions_and_rubric(desk: Desk):
    await desk("get_interview", interviewId=desk.interview)


@job
async def make_an_interview_step_by_step(desk: Desk):
    made = await desk(
        "create_interview", **{name: ROLE[name] for name in ROLE if name != "questions"} | {"title": "SRE"}
    )
    await desk("create_questions", interviewId=made["id"], questions=ROLE["questions"])
    await desk("publish_interview", interviewId=made["id"])


@job
async def word_the_second_question_more_kindly(desk: Desk):
    shown = await desk("get_interview", interviewId=desk.interview)
    await desk("update_question", questionId=shown["questions"][1]["id"], text="Tell me about an outage you saw.")


@job
async def add_a_criterion(desk: Desk):
    more = {"name": "Clarity", "description": "Says it so that a colleague could repeat it."}
    await desk("update_interview", interviewId=desk.interview, assessmentCriteria=[*RUBRIC, more])
    await desk("update_interview", interviewId=desk.interview, assessmentCriteria=RUBRIC)


@job
async def one_question_more_and_then_not(desk: Desk):
    await desk("create_questions", interviewId=desk.interview, questions=[{"text": "What would you ask us?"}])
    listed = await desk("list_questions", interviewId=desk.interview)
    await desk("delete_question", questionId=listed["data"][-1]["id"])


@job
async def close_the_old_one_and_say_what_its_links_do(desk: Desk):
    (made,) = (await desk("list_interviews", title="recruiter"))["data"]
    await desk("archive_interview", interviewId=made["id"])


@job
async def register_two_people(desk: Desk):
    people = [{"name": "Noa Blum", "email": "noa@example.org"}, {"name": "Kai Ito", "email": "kai@example.org"}]
    await desk("create_candidates", interviewId=desk.interview, candidates=people)


@job
async def correct_an_address(desk: Desk):
    (found,) = (await desk("list_candidates", interviewId=desk.interview, name="ida"))["data"]
    given = {"interviewId": desk.interview, "candidateId": found["id"]}
    await desk("update_candidate", **given, email="ida.moss@example.org")


@job
async def give_me_the_links_again(desk: Desk):
    await desk("list_candidates", interviewId=desk.interview, include=["inviteUrl"])


@job
async def who_is_registered(desk: Desk):
    await desk("list_candidates", interviewId=desk.interview)


@job
async def read_what_robin_said(desk: Desk):
    await desk("get_session", sessionId=desk.sessions[0])


@job
async def and_whether_anything_odd_happened(desk: Desk):
    await desk("get_session_report", sessionId=desk.sessions[0])


@job
async def who_is_through_and_with_which_score(desk: Desk):
    await desk("wait_for_sessions", interviewId=desk.interview)


@job
async def end_what_is_stuck(desk: Desk):
    stuck = {"interviewId": desk.interview, "ids": desk.sessions[-2:-1]}
    await desk("end_interview_sessions", **stuck)
    await desk("end_interview_sessions", **stuck, dryRun=False)


@job
async def compare_two_of_them(desk: Desk):
    await desk("compare_candidates", interviewId=desk.interview, sessionIds=desk.sessions[:2])


@job
async def has_nobody_said_rust(desk: Desk):
    await desk("search_transcripts", interviewId=desk.interview, query="rust")


@job
async def how_did_i_do_in_practice(desk: Desk):
    (run,) = (await desk("list_practice_sessions", interviewId=desk.interview))["data"]
    await desk("get_practice_report", practiceId=run["id"])


@job
async def how_much_of_our_plan_is_used(desk: Desk):
    await desk("get_usage")


# ── Measured ────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Total:
    """What all jobs took together; `list` is what a host hands to the model of tools, once."""

    text: int = 0
    structured: int = 0
    list: int = 0
    calls: int = 0
    requests: int = 0


async def main() -> int:
    total = Total()
    print(LINE.format("", "calls", "requests", "text", "structured"))
    with tempfile.TemporaryDirectory() as folder:
        world = make_world(f"sqlite:///{folder}/workspace.db")
        desk = Desk(world, Path(folder))
        await furnish(desk)
        for each in JOBS:
            await measured(each, desk, total)
        world.store.close()
    print(LINE.format("together", total.calls, total.requests, total.text, total.structured))
    print(f"the list of tools and the instructions, once: {total.list} bytes")
    return held(total)


async def measured(do: Job, desk: Desk, total: Total) -> None:
    """One job, a line for it, and its share of all."""
    wire = Counted(desk.world.app)
    client = AuralClient(KEY, f"{ORIGIN}/api/v1", transport=wire)
    server = AuralServer(OneClient(client), backend="T.", confirm="never", files=desk.folder)
    words = do.__name__.replace("_", " ").capitalize()
    desk.calls = desk.text = desk.structured = 0
    desk.shows = len(sys.argv) > 1 and sys.argv[1] in words
    async with Client(server) as desk.agent:
        await do(desk)
        if not total.list:
            listed = [each.model_dump(mode="json", by_alias=True) for each in (await desk.agent.list_tools()).tools]
            needed = [{name: each[name] for name in ("name", "description", "inputSchema")} for each in listed]
            total.list = size(needed) + size(desk.agent.instructions or "")
    print(LINE.format(words, desk.calls, len(wire.at), desk.text, desk.structured))
    total.text, total.structured = total.text + desk.text, total.structured + desk.structured
    total.calls, total.requests = total.calls + desk.calls, total.requests + len(wire.at)


def held(total: Total) -> int:
    """Say what is above the budget; 0 where nothing is."""
    over = [
        f"{name}: {found}, budget {BUDGET[name]}"
        for name, found in vars(total).items()
        if found > BUDGET[name] * (1 if name in ("calls", "requests") else LEEWAY)
    ]
    print("OVER BUDGET: " + "; ".join(over) if over else "within the budget")
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(anyio.run(main))

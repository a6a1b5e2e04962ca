"""Made-up people with everything that tells who somebody is, what they say of themselves, and what leaks of it."""

from __future__ import annotations

import json
import random
import re
import unicodedata
from dataclasses import dataclass
from datetime import date

from mcp import Client
from mcp.shared.uri_template import UriTemplate
from mcp.types import CallToolResult

from aural_mcp.backend.storage import tables
from aural_mcp.privacy.exposure import Exposure
from aural_mcp.server import resources
from aural_mcp.server.principal import OneClient
from aural_mcp.server.server import AuralServer
from aural_mcp.tools.candidates import ListCandidatesArguments
from aural_mcp.tools.schemas import input_schema
from conftest import World, ok, text_of
from rows import add_session

NAMES = {
    "en": ("Oliver Bennett", "Siobhan O'Connor", "Mary-Jane Whitfield", "Grace Whitmore", "Tyrone Washington"),
    "de": ("Jürgen Großmann", "Anneliese Fürstenberg", "Björn Kößler", "Käthe Öttinger"),
    "fr": ("Élodie Béranger", "François Lemaître", "Zoé d'Aubigné", "Benoît Châtelain"),
    "es": ("Íñigo Muñoz Peña", "María José Ibáñez", "Nuño Quiñones", "Lucía Echeverría"),
    "pl": ("Wojciech Żółkiewski", "Małgorzata Świątek", "Łukasz Wiśniewski"),
    "tr": ("Çağla Öztürk", "İbrahim Şahin", "Gülşen Yıldırım"),
    "vi": ("Nguyễn Thị Hằng", "Trần Văn Đức", "Phạm Quỳnh Như"),
    "zh": ("王小明", "欧阳静怡", "李雪梅", "陈志强"),
    "ja": ("佐藤陽子", "高橋健一", "渡辺美咲"),
    "ko": ("김민수", "박지영", "이서준"),
    "hi": ("प्रिया शर्मा", "अर्जुन वर्मा", "सुनीता देसाई"),
    "ar": ("فاطمة الزهراء", "محمد عبدالله", "ليلى حداد"),
    "ru": ("Екатерина Соколова", "Дмитрий Кузнецов", "Наталья Воробьёва"),
    "el": ("Ελένη Παπαδοπούλου", "Γιώργος Νικολάου"),
}
SCHOOLS = ("Harrowfield University", "University of Eastmarch", "TU Brandstadt", "École Valmont", "Vantor Polytechnic")
SCHOOLS += ("Kestrel State College", "天河理工大学", "Universidad de Sotomar")
EMPLOYERS = ("Initech", "Globex Corporation", "Vandelay Industries", "Hooli GmbH", "Pied Piper", "Wernham Hogg")
EMPLOYERS += ("Soylent & Sons", "远航科技", "Prestige Worldwide", "Duff Bräu AG")
PRONOUNS = {"male": ("he", "his", "Mr."), "female": ("she", "her", "Ms.")}


INCLUDED = input_schema(ListCandidatesArguments)["properties"]["include"]["items"]["enum"]
"""What list_candidates shows of somebody when it is asked for by name."""


@dataclass(frozen=True)
class Person:
    """A candidate's record, an answer that gives it all away, an analysis that does, and what must not be read."""

    record: dict[str, object]
    answer: str
    analysis: dict[str, object]
    telling: tuple[str, ...]


def people(count: int, seed: int) -> list[Person]:
    """So many people; the same seed makes the same ones."""
    chance = random.Random(seed)
    return [_person(chance, number) for number in range(count)]


def _person(chance: random.Random, number: int) -> Person:
    name = chance.choice(NAMES[chance.choice(list(NAMES))])
    handle = f"{_ascii(name) or 'candidate'}{number}"
    email = f"{handle}@{chance.choice(('mailbox', 'post', 'inbox'))}.test"
    digits = f"{chance.randrange(10**7):07}"
    phone = chance.choice(
        (f"+49 171 {digits}", f"+1 (415) 2{digits[:2]}-{digits[2:6]}", f"0171/{digits}", f"138{digits}1")
    )
    day = date(chance.randrange(1960, 2004), chance.randrange(1, 13), chance.randrange(1, 29))
    gender = chance.choice(("male", "female"))
    school, employers = chance.choice(SCHOOLS), chance.sample(EMPLOYERS, 2)
    he, his, title = PRONOUNS[gender]
    record = {
        "name": name,
        "email": email,
        "phone": phone,
        "gender": gender,
        "birthday": day.isoformat(),
        "school": school,
        "graduationYear": day.year + 23,
        "workExperience": f"{chance.randrange(2, 9)} years at {employers[0]}, before that {employers[1]}",
        "notes": f"{name} comes from {employers[0]}; reach them at {email}.",
    }
    written = chance.choice((name, name.upper(), name.lower(), _plain(name)))
    born = chance.choice(
        (f"{day:%d.%m.%Y}", f"{day.day} {day:%B} {day.year}", f"{day:%B} {day.day}, {day.year}", str(day))
    )
    dialled = chance.choice((phone, phone.replace(" ", "-"), "".join(each for each in phone if each.isalnum())))
    mail = chance.choice((email, email.upper()))
    answer = (
        f"I am {written}, born {born}. I studied at {chance.choice((school, school.upper()))} and then worked at "
        f"{employers[0]}, and {employers[1]} before. My number is {dialled}, my mail {mail}, "
        f"my page https://www.linkedin.com/in/{handle}. I built a queue that handled 4,000 messages a second."
    )
    first = name.split()[0]
    analysis = {
        "summary": f"{title} {name} explains queues well; {he} shows {his} numbers from {employers[0]}.",
        "insights": {
            "keyInsights": [f"{first} measured {his} work.", f"Learnt at {school}."],
            "questionEvaluations": [
                {"question": "What did you build?", "score": 8, "evaluation": f"{first} built a queue."}
            ],
            "toneAnalysis": {"overall": f"tone-of-{number}"},
        },
        "themes": [f"{employers[1]}"],
        "sentiment": {"overall": f"mood-of-{number}"},
    }
    words = [*name.split(), _plain(name), email, handle, digits, school, *employers, born, day.isoformat()]
    return Person(
        record, answer, analysis, tuple({*words, gender, f"tone-of-{number}", f"mood-of-{number}", f" {he} "})
    )


def _plain(text: str) -> str:
    """Without accents, as people type them who have no such keys."""
    return "".join(each for each in unicodedata.normalize("NFKD", text) if not unicodedata.combining(each))


def _ascii(text: str) -> str:
    return "".join(each for each in _plain(text).lower() if each.isascii() and each.isalpha())


async def leaks(world: World, group: list[Person], seen: Exposure) -> tuple[list[tuple[str, str]], int]:
    """What tells who somebody is and can be read through any tool, resource, prompt or completion; how much was read.

    One interview for all of them; the API takes 500 people at once.
    """
    include = [each for each in INCLUDED if each != "inviteUrl"]
    async with Client(world.server) as agent:
        ids = {"interviewId": (await ok(agent, "create_interview", title="Queues"))["id"]}
        await ok(agent, "create_questions", **ids, questions=[{"text": "What did you build?"}])
        records = [each.record for each in group]
        rows = (await ok(agent, "create_candidates", **ids, candidates=records))["data"]
    sessions = [_sit(world, ids["interviewId"], row["id"], each) for row, each in zip(rows, group, strict=True)]
    found: list[tuple[str, str]] = []
    read = 0

    def check(where: str, words: str, persons: list[Person]) -> None:
        nonlocal read
        read += len(words)
        folded = _folded(words)
        telling = {_folded(word) for each in persons for word in each.telling}
        apart = r"(?<![^\W_]){}(?![^\W_])"
        found.extend(
            (where, word) for word in telling if word in folded and re.search(apart.format(re.escape(word)), folded)
        )

    async with Client(AuralServer(OneClient(world.client), backend="T.", exposure=seen, confirm="never")) as agent:
        for tool, given in (
            ("list_sessions", {"detail": "full", "limit": 100}),
            ("list_candidates", {"include": include}),
            ("create_candidates", {"candidates": [{**records[0], "major": "Another"}]}),
            ("compare_candidates", {}),
            ("compare_candidates", {"quotes": True}),
            ("compare_answers", {"question": 1}),
            ("search_transcripts", {"query": "queue"}),
            ("search_transcripts", {"query": "what", "speaker": "anyone"}),
            *(("export_results", {"format": each}) for each in ("markdown", "csv", "json", "html")),
            ("export_results", {"form": "packet", "candidateId": rows[0]["id"]}),
        ):
            check(tool, said_by(await agent.call_tool(tool, {**ids, **given})), group)
        check("resources/list", (await agent.list_resources()).model_dump_json(), group)
        for person, session, row in zip(group, sessions, rows, strict=True):
            here = {**ids, "sessionId": session}
            for tool in ("get_session", "get_session_report"):
                result = await agent.call_tool(tool, {"sessionId": session})
                check(tool, text_of(result) + json.dumps(result.structured_content, ensure_ascii=False), [person])
            change = {**ids, "candidateId": row["id"], "notes": person.answer}
            result = await agent.call_tool("update_candidate", change)
            check(
                "update_candidate",
                text_of(result) + json.dumps(result.structured_content, ensure_ascii=False),
                [person],
            )
            for address in (resources.TRANSCRIPT, resources.REPORT, f"{resources.SESSION}.json"):
                text = (await agent.read_resource(UriTemplate.parse(address).expand(here))).contents[0].text
                check(address, text, [person])
        results = [f"{resources.INTERVIEW}/results.{each}{{?sessions}}" for each in ("md", "csv", "json", "html")]
        for address in (resources.SESSIONS, f"{resources.INTERVIEW}/candidates", *results):
            check(address, (await agent.read_resource(UriTemplate.parse(address).expand(ids))).contents[0].text, group)
        for prompt in ("review_session", "score_session", "shortlist_candidates", "invite_candidates"):
            here = {"interviewId": ids["interviewId"]} if "candidates" in prompt else {"sessionId": sessions[0]}
            check(prompt, (await agent.get_prompt(prompt, here)).model_dump_json(), group)
    return found, read


def _sit(world: World, interview: str, candidate: str, person: Person) -> str:
    """The person's finished and analysed session."""
    who = {"participantName": person.record["name"], "participantEmail": person.record["email"]}
    said = ["What did you build?", person.answer]
    session = add_session(world, interview, said, status="COMPLETED", **who, **person.analysis)
    with world.store.writing() as db:
        row = tables.candidates.c.id == candidate
        db.execute(tables.candidates.update().where(row).values(sessionId=session))
    return session


def said_by(result: CallToolResult) -> str:
    """All that a tool's answer holds."""
    return text_of(result) + json.dumps(result.structured_content, ensure_ascii=False)


def _folded(text: str) -> str:
    return unicodedata.normalize("NFC", text).casefold()

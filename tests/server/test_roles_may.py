"""What each role may do, and that it does no more: by every door, with ids of every kind."""

import itertools
import json
import random
import re
from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import pytest
from mcp import Client, MCPError
from mcp.shared.uri_template import UriTemplate
from mcp.types import PromptReference, ResourceTemplateReference
from sqlalchemy import update

from aural_mcp.backend.storage import tables
from aural_mcp.config import Narrowing
from aural_mcp.privacy.exposure import Exposure
from aural_mcp.server import prompts, resources
from aural_mcp.server.access import BY_NAME, TOOLSETS, access, changes
from aural_mcp.server.principal import Role
from conftest import MODES
from injection import Planted, plant, reads, writes
from signed_in import CONTENT, OURS, house, meant, person, roles, shown

ROLES = list(roles(""))
KINDS = ("interviewId", "sessionId", "candidateId", "questionId", "practiceId")
NOWHERE = {kind: f"00000000-0000-4000-8000-{number:012}" for number, kind in enumerate(KINDS)}
NAMES, WORDS = ("quillfeather", "quillmail", "zephyrine", "zephyrmail"), ("ownword", "yonderword")
FAR = ("yonder", "zephyr")
BEYOND = {
    "designs": (*NAMES, *WORDS),
    "three tools": (*NAMES, *WORDS),
    "blind": NAMES,
    "lockdown": (*NAMES, *WORDS),
    "one interview": FAR,
    "runs one interview": FAR,
    "one, blind": (*NAMES, *FAR),
    "none": ("ownword", "owntitle", "quill", *FAR),
}
"""What must not be heard by a role: of whom there is, of what they said, or of another interview."""

COMPLETED = [
    *(
        (PromptReference(type="ref/prompt", name=prompt.name), [each.name for each in prompt.arguments])
        for prompt in prompts.PROMPTS
    ),
    *(
        (ResourceTemplateReference(type="ref/resource", uri=each.uri), UriTemplate.parse(each.uri).variable_names)
        for each in resources.ADDRESSES
    ),
]
"""What arguments can be completed for."""


async def planted(world):
    """Two interviews with people, answers, an analysis and practice runs; every field of each says whose it is."""
    found = []
    async with Client(world.server) as agent:
        for tag, name in (("own", "Quill"), ("yonder", "Zephyr")):
            texts = [f"{tag}word {each}" for each in ("sunrise", "lantern", "harbour")]
            names = [f"{each} {name}{end}" for each, end in zip("ABC", ("feather", "feather", "feather"), strict=True)]
            office = SimpleNamespace(agent=agent, world=world)
            there = await plant(
                office,
                texts,
                names=[each.replace("Zephyrfeather", "Zephyrine") for each in names],
                title=f"{tag}title",
                code=f"{tag}code()",
            )
            with world.store.writing() as db:
                mine = tables.candidates.c.interviewId == there.ids["interviewId"]
                db.execute(update(tables.candidates).where(mine).values(email=f"{name}mail@mail.test"))
            found.append(there)
    return found


def of(there, ids):
    """What is planted there, called by these ids; what a call writes is always the same."""
    return Planted(ids, there.texts, [ids["candidateId"]] * 2, [ids["sessionId"]] * 2, there.questions)


def calls_with(there):
    """Every tool, with arguments that name what is there."""
    revealed = ("reveal_candidate", {**there.interview, "candidate": "Candidate BCDFGH"})
    asked = [*reads(there), *writes(there), revealed, ("get_interviews", {})]
    return [*asked, ("approval", {"tool": "publish_interview", "arguments": there.interview, "answer": "yes"})]


async def everything(agent, there):
    """What every tool, resource, prompt and completion says to a host, by what was asked."""
    said = {}
    for name, given in calls_with(there):
        said[name, json.dumps(given)] = (await agent.call_tool(name, given)).model_dump_json()
    said["resources/list"] = (await agent.list_resources()).model_dump_json()
    asked = {}
    for each in resources.ADDRESSES:
        uri = UriTemplate.parse(each.uri).expand({**there.ids, "sessions": there.ids["sessionId"]})
        asked[uri] = agent.read_resource(uri)
    for prompt in prompts.PROMPTS:
        given = {each.name: there.ids.get(each.name, "x") for each in prompt.arguments}
        asked[f"{prompt.name} {given}"] = agent.get_prompt(prompt.name, given)
    for reference, kinds in COMPLETED:
        for kind, typed in itertools.product(kinds, ("", "yonder", "zephyr")):
            context = {"interviewId": there.ids["interviewId"]}
            asked[f"{reference} {kind} {typed} {context}"] = agent.complete(
                reference, {"name": kind, "value": typed}, context
            )
    for what, each in asked.items():
        try:
            said[what] = (await each).model_dump_json()
        except MCPError as error:
            said[what] = str(error.error)
    return said


def told(said, there):
    """Ids of what is there that were told to somebody who had not named them."""
    ids = {*there.ids.values(), *there.people, *there.sessions}
    return {
        (str(what), each) for what, words in said.items() for each in ids if each in words and each not in str(what)
    }


@pytest.mark.parametrize(("mode", "confirm"), [("auto", "never"), ("legacy", "preview")])
@pytest.mark.parametrize("name", BEYOND)
async def test_by_no_door_does_a_role_hear_of_what_is_beyond_it(world, name, confirm, mode):
    own, far = await planted(world)
    role = roles(own.ids["interviewId"])[name]
    async with house(world, confirm=confirm) as there, there.agent(person(role), mode) as agent:
        mixed = {**far.ids, "interviewId": own.ids["interviewId"]}
        for ids in (own.ids, far.ids, *([mixed, NOWHERE] if role.interviews is not None else [])):
            said = await everything(agent, of(own, ids))
            heard = {(what, word) for what, words in said.items() for word in BEYOND[name] if word in words.casefold()}
            assert heard == set()
            assert told(said, far) == set() or role.interviews is None


async def test_without_a_role_all_of_it_is_heard(world):
    """The control: what is planted is found wherever it may be seen."""
    own, far = await planted(world)
    async with house(world) as there, there.agent(person(roles("")["everything"])) as agent:
        said = {**await everything(agent, of(own, own.ids)), **await everything(agent, of(own, far.ids))}
    words = " ".join(said.values()).casefold()
    assert [each for each in (*NAMES, *WORDS, "owntitle", "yondertitle") if each not in words] == []


@pytest.mark.parametrize("mode", MODES)
async def test_what_a_server_lists_for_each_role_is_what_its_mapping_says(world, mode):
    async with house(world) as there:
        for name, role in roles("6f1c9f5e-2b1d-4f0e-9d52-0123456789ab").items():
            for writes_too in (True, False):
                async with there.agent(person(role, writes=writes_too), mode) as agent:
                    assert (name, await shown(agent)) == (name, meant(role))


async def test_a_request_narrows_a_role_and_never_widens_it(world):
    async with house(world) as there:
        for role in roles("6f1c9f5e-2b1d-4f0e-9d52-0123456789ab").values():
            whole = meant(role).tools
            async with there.agent(person(role), **{"x-aural-readonly": "1"}) as agent:
                assert (await shown(agent)).tools == whole & meant(Role("", Narrowing(read_only=True))).tools
            everything = ",".join(TOOLSETS)
            async with there.agent(
                person(role), **{"x-aural-toolsets": everything, "x-aural-readonly": "0", "x-aural-blind": "no"}
            ) as agent:
                assert (await shown(agent)).tools == whole


async def test_the_operators_settings_hold_for_every_role(world):
    operator = Narrowing(toolsets=("sessions", "workflows"), lockdown=True)
    own, _ = await planted(world)
    async with house(world, access=access(operator), exposure=Exposure().within(operator)) as there:
        for role in roles(own.ids["interviewId"]).values():
            async with there.agent(person(role)) as agent:
                assert (await shown(agent)).tools <= meant(Role("", operator)).tools
                said = await agent.call_tool("get_session", {"sessionId": own.ids["sessionId"]})
            assert not [each for each in (*NAMES, *WORDS) if each in said.model_dump_json().casefold()]


# ── Calls by chance ─────────────────────────────────────────────────────────────────────────────

MADE_UP = re.compile(r"\b[0-9a-f]{6}\b|\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|in \d+ s\b|\b\d+ s ago")
CHANGED = {
    "everything": {table.name for table in CONTENT},
    "designs": {"questions"},
    "three tools": {"questions", "interviews"},  # a question that is added shows in when the interview was changed
    "runs one interview": {table.name for table in CONTENT},
    "one, blind": {table.name for table in CONTENT},
}
"""The tables in which each role may change something."""
TOOLS = sorted({*BY_NAME, "approval", "get_interviews"} - {"save_session_analysis"})


async def called(there, before, who, tool, given):
    """What a tool answers, how many requests that cost, and the rows that it changed, with the interview of each."""
    asked = there.wire.asked
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": given}}
    async with there.host(who) as http:
        said = (await http.post(OURS, json=body)).text
    after, cost = there.rows(), there.wire.asked - asked
    touched = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    if touched:
        there.restore(before)
    return said, cost, {key: home({**after, **before}, key) for key in touched}


def home(rows, key):
    """The interview that a row belongs to."""
    table, row = key[0], rows[key]
    if table in ("messages", "prep_attempts"):
        parent = ("sessions" if table == "messages" else "prep_sessions", row["sessionId"])
        return rows[parent]["interviewId"]
    return row["id"] if table == "interviews" else row["interviewId"]


def wrong(who, tool, given, said, cost, touched):
    """What an answer does or shows beyond what was meant."""
    role, words = who.role, BEYOND.get(who.role.name, ())
    if tool not in meant(role).tools:
        yield from [] if "There is no tool" in said and not cost and not touched else ["it is there"]
    elif not who.writes and changes(BY_NAME[tool], given):
        yield from [] if "may only read" in said and not cost and not touched else ["it was done"]
    tables_of = CHANGED.get(role.name, set()) if who.writes else set()
    yield from (key for key in touched if key[0] not in tables_of)
    yield from (key for key, home in touched.items() if role.interviews is not None and home not in role.interviews)
    yield from (word for word in words if word in said.casefold())


async def test_of_2400_calls_none_does_or_shows_more_than_its_role_may(world):
    """Each with ids from here, from elsewhere, or from nowhere; what is elsewhere answers as what is nowhere."""
    draw, beyond, made = random.Random(23), [], Counter()
    own, far = await planted(world)
    mapped = sorted(roles(own.ids["interviewId"]).items())
    async with house(world) as there:
        before = there.rows()
        for number in range(2_400):
            _, role = draw.choice(mapped)
            who = person(role, writes=draw.random() < 0.6, subject=f"robin {number % 7}")
            ids = {kind: draw.choice((own.ids, far.ids, NOWHERE))[kind] for kind in KINDS}
            tool = draw.choice(TOOLS)
            given, away = draw.choice([each for each in pairs(own, far, ids) if each[0][0] == tool])
            answer = await called(there, before, who, *given)
            made.update({"calls": 1, "hidden": tool not in meant(role).tools, "changes": bool(answer[2])})
            beyond += [(role.name, given, each, answer) for each in wrong(who, *given, *answer)]
            if role.interviews is not None and given != away:
                made["twins"] += 1
                one, two = [
                    await called(there, before, replace(who, subject=f"{each} {number}"), *asked)
                    for each, asked in (("one", given), ("two", away))
                ]
                beyond += [(role.name, one, two)] if plain(*one) != plain(*two) else []
    assert [str(each)[:3_000] for each in beyond] == []
    assert made["calls"] == 2_400
    assert (made["hidden"] > 1_000, made["changes"] > 40, made["twins"] > 200) == (True, True, True), made


def pairs(own, far, ids):
    """Calls with these ids, each beside the same with ids of nowhere for those of elsewhere."""
    nowhere = {kind: NOWHERE[kind] if ids[kind] == far.ids[kind] else ids[kind] for kind in KINDS}
    return zip(calls_with(of(own, ids)), calls_with(of(own, nowhere)), strict=True)


def plain(said, cost, touched):
    """An answer without what is another one each time."""
    return MADE_UP.sub("…", said), cost, len(touched)

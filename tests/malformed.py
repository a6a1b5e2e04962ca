"""A backend whose answers are malformed in every way, and everything that reads them."""

import gzip
import json
import random

import httpx
from mcp import Client, MCPError

from aural_mcp.api.analysis import LOCAL_OPERATIONS
from aural_mcp.client.client import AuralClient
from aural_mcp.server.access import BY_NAME
from aural_mcp.server.principal import OneClient
from aural_mcp.server.server import AuralServer
from conftest import KEY, ORIGIN, ok, text_of
from scored import even, interview_with, sit

DEEP = "[" * 100_000 + "]" * 100_000
WHOLE = {
    "a list": "[]",
    "a list of lists": "[[[]]]",
    "a number": "7",
    "a text": '"done"',
    "null": "null",
    "true": "true",
    "nothing": "",
    "an empty object": "{}",
    "data is null": '{"data": null}',
    "data is a number": '{"data": 7}',
    "data is a text": '{"data": "x"}',
    "data is a list of null": '{"data": [null]}',
    "data is a list of numbers": '{"data": [1, 2]}',
    "data is an empty object": '{"data": {}}',
    "a page": "<!doctype html><title>Sign in</title>",
    "half of it": '{"data": {"id": "a',
    "deep": DEEP,
    "deep data": f'{{"data": {DEEP}}}',
    "deep in a field": f'{{"data": {{"id": "x", "insights": {"[" * 600 + "]" * 600}}}}}',
    "not Unicode": b'{"data": "\xff\xfe"}',
    "half a character": '{"data": {"id": "\\ud800"}}',
    "another encoding": '{"data": {}}'.encode("utf-16"),
    "a number beyond all": '{"data": {"id": 1e999, "order": %s}}' % ("9" * 5000),
}
VALUES = (
    *(None, True, 7, -1, 1.5, 10**30, float("nan"), float("inf"), "", "x", "9" * 400, "\ud800", "\0", [], {}),
    *(
        [None],
        [[]],
        [7],
        {"a": None},
        {"id": []},
        [{}],
        "2026-99-99T99:99:99Z",
        "0000-00-00",
        json.loads("[" * 90 + "]" * 90),
    ),
)


class Spoiled(httpx.ASGITransport):
    """The real backend, whose so manieth answer is spoiled; all others are as they are."""

    def __init__(self, app, spoil, nth=None):
        super().__init__(app)
        self.spoil, self.nth, self.seen = spoil, nth, 0

    async def handle_async_request(self, request):
        response = await super().handle_async_request(request)
        body = await response.aread()
        self.seen += 1
        if self.nth is not None and self.seen - 1 != self.nth:
            return httpx.Response(response.status_code, headers=response.headers, content=body)
        status, headers, spoiled = self.spoil(response.status_code, body)
        return httpx.Response(status, headers=headers, content=spoiled)


def whole(text, status=200, **headers):
    """Another answer altogether."""
    body = text if isinstance(text, bytes) else text.encode()
    return lambda *_: (status, {"content-type": "application/json", **headers}, body)


def mutated(seed):
    """The same answer with one value exchanged."""
    chance = random.Random(seed)

    def spoil(status, body):
        value = json.loads(body)
        places = list(_places(value))
        holder, name = chance.choice(places)
        holder[name] = chance.choice(VALUES)
        if chance.random() < 0.1 and isinstance(holder, dict):
            del holder[name]
        return status, {"content-type": "application/json"}, json.dumps(value).encode()

    return spoil


def cut_short(_, body):
    """Packed, and the end of the package is missing."""
    return 200, {"content-type": "application/json", "content-encoding": "gzip"}, gzip.compress(body)[:-12]


def no_package(_, body):
    return 200, {"content-type": "application/json", "content-encoding": "gzip"}, body


def _places(value):
    if isinstance(value, dict | list):
        for name in value if isinstance(value, dict) else range(len(value)):
            yield value, name
            yield from _places(value[name])


async def everything(agent, world):
    """A workspace with all there is, and calls of every tool, resource and prompt that read or change it."""
    interview = await interview_with(agent)
    session = sit(world, interview, "Ana Silva", even(7), summary="S", themes=["a"], sentiment={"overall": "calm"})
    made = await ok(agent, "create_candidates", interviewId=interview, candidates=[{"name": "Bo", "email": "b@x.org"}])
    question = (await ok(agent, "list_questions", interviewId=interview))["data"][0]["id"]
    ids = {"interviewId": interview, "sessionId": session, "questionId": question}
    ids["candidateId"] = made["data"][0]["id"]
    more = {
        "create_interview": {"title": "Another"},
        "update_interview": {"title": "Renamed"},
        "create_questions": {"questions": [{"text": "Why?"}]},
        "update_question": {"text": "How?"},
        "create_candidates": {"candidates": [{"name": "Cy"}]},
        "update_candidate": {"notes": "N"},
        "end_interview_sessions": {"ids": [session], "dryRun": False},
        "get_practice_report": {"practiceId": session},
        "launch_interviews": {"interviews": [{"title": "L", "questions": [{"text": "Why?"}], "publish": True}]},
        "import_candidates": {"data": "name,email\nAna,ana@x.org\nBo,b@x.org\n", "dryRun": False},
        "wait_for_sessions": {"until": "all"},
        "compare_answers": {"question": 1},
        "find_person": {"who": "ana"},
        "impact_report": {"gender": True},
        "send_messages": {"kind": "invitation"},
        "record_decision": {"decision": "hold", "reason": "Waits for the panel."},
        "search_transcripts": {"query": "queue"},
        "reveal_candidate": {"candidate": "Candidate K7MQ2X"},
    }
    calls = []
    for name, operation in BY_NAME.items():
        if operation in LOCAL_OPERATIONS:
            continue
        known = {*operation.model_fields}
        given = {key: value for key, value in ids.items() if key[:-2].lower() + "_id" in known}
        if name in ("export_results",):
            given.pop("candidateId", None)
            given.pop("sessionId", None)
        calls.append(("tool", name, {**given, **more.get(name, {})}))
    base = f"aural://interviews/{interview}"
    addresses = (
        *("aural://interviews", "aural://usage", base, f"{base}/questions", f"{base}/sessions", f"{base}/candidates"),
        *(
            f"{base}/invites.csv",
            f"{base}/results.md",
            f"{base}/results.csv",
            f"{base}/results.json",
            f"{base}/results.html",
        ),
        *(f"{base}/candidates/{ids['candidateId']}/packet.md", f"aural://sessions/{session}/transcript"),
        *(f"aural://sessions/{session}/report", f"aural://sessions/{session}.json"),
    )
    calls += [("resource", address, {}) for address in addresses]
    return [*calls, ("prompt", "score_session", {"sessionId": session}), ("list", "", {})]


async def said(world, call, spoil, nth=None, confirm="never"):
    """What comes of a call to a server whose backend is spoiled so."""
    transport = Spoiled(world.app, spoil, nth)
    client = AuralClient(KEY, f"{ORIGIN}/api/v1", requests_per_minute=0, transport=transport)
    kind, name, given = call
    async with Client(AuralServer(OneClient(client), backend="T.", confirm=confirm), read_timeout_seconds=60) as agent:
        try:
            if kind == "tool":
                result = await agent.call_tool(name, given)
                return ("error " if result.is_error else "ok ") + text_of(result), transport.seen
            if kind == "resource":
                return "ok " + (await agent.read_resource(name)).contents[0].text, transport.seen
            if kind == "prompt":
                return "ok " + str(await agent.get_prompt(name, given)), transport.seen
            await agent.list_resources()
            return "ok", transport.seen
        except MCPError as error:
            return f"error {error}", transport.seen

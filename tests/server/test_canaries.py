"""A backend that repeats keys in everything it says: none reaches a result, a resource, a log or a file."""

import re
import types
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import httpx
import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp.shared.uri_template import UriTemplate
from mcp.types import PromptReference
from pydantic import BaseModel

import injection
from aural_mcp.api.analysis import LOCAL_OPERATIONS
from aural_mcp.api.operations import OPERATIONS, PATH_VARIABLE
from aural_mcp.client import ledger, retry
from aural_mcp.client.client import AuralClient
from aural_mcp.client.state import State
from aural_mcp.privacy.audit import AuditLog
from aural_mcp.privacy.exposure import Exposure
from aural_mcp.server import resources
from aural_mcp.server.principal import OneClient
from aural_mcp.server.server import AuralServer
from injection import Planted, reads, writes

KEY = "dlv_test_canary-0123456789abcdef"
KEYS = {"whole": KEY, "hidden": KEY.replace("canary", "can\u200bary\u2060"), "in a word": f"see{KEY}.{KEY}"}
MOMENT, ID = "2026-11-29T08:00:00.000000+00:00", "6f1c9f5e-2b1d-4f0e-9d52-0123456789ab"
ROUTES = [
    (each, re.compile("/api/v1" + PATH_VARIABLE.sub("[^/]+", each.path)))
    for each in (*OPERATIONS, *LOCAL_OPERATIONS)
    if getattr(each, "path", "")
]
ERRORS = (400, 401, 403, 404, 405, 409, 413, 418, 422, 429, 500, 503)


def canned(annotation: Any, name: str, key: str, strict: bool) -> Any:
    """A value of a type, with the key in all of it, or in all but what has to have a form."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return canned(parts[0], name, key, strict)
    if origin in (Union, types.UnionType):
        return canned(next(each for each in parts if each is not type(None)), name, key, strict)
    if origin is list:
        return [canned(parts[0], name, key, strict)]
    if origin is dict:
        evaluation = {"name": key, "question": key, "score": 5, "reasoning": key, "evaluation": key, "evidence": [1]}
        named = {"criteriaEvaluations": [evaluation], "questionEvaluations": [evaluation], "scoredBy": {"name": key}}
        return {key: key, **(named if name == "insights" else {})}
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return row(annotation, key, strict)
    if annotation in (int, float, bool):
        return annotation(1)
    if origin is Literal:
        return parts[0]
    forms = {
        "id": ID,
        "status": "COMPLETED",
        "role": "USER",
        "type": "OPEN_ENDED",
        "url": f"https://{key}.test/i/{key}",
    }
    forms |= {"contentType": "TEXT", "inviteUrl": f"https://aural.test/i/invite/{key}", "publicSlug": key}
    if strict and (name in forms or name.endswith(("Id", "At"))):
        return forms.get(name, MOMENT if name.endswith("At") else ID)
    return {key: [key]} if annotation is Any else key


def row(model: type[BaseModel], key: str, strict: bool) -> dict[str, Any]:
    fields = {
        field.alias or name: canned(field.annotation, field.alias or name, key, strict)
        for name, field in model.model_fields.items()
    }
    fields |= {"timestamp": MOMENT} if isinstance(fields.get("timestamp"), str) and strict else {}
    return {**fields, "newerField": key, key: key}


def succeeding(key: str, strict: bool):
    def answer(request: httpx.Request) -> httpx.Response:
        asked = next(
            each for each, path in ROUTES if each.method == request.method and path.fullmatch(request.url.path)
        )
        value = row(asked.result_type(), key, strict)
        body = value if "data" in asked.result_type().model_fields else {"data": value}
        return httpx.Response(200, json=body, headers={"x-echo": KEY})

    return answer


def failing(status: int, key: str):
    error = {"code": key, "message": f"bad key {key}", key: 3, "retry_after": key, "detail": {key: key}}
    return lambda request: httpx.Response(status, json={"error": error}, headers={"x-echo": KEY, "retry-after": "0"})


BACKENDS = {
    **{f"{kind}, all": succeeding(key, strict=False) for kind, key in KEYS.items()},
    **{f"{kind}, but forms": succeeding(key, strict=True) for kind, key in KEYS.items()},
    **{f"{status}": failing(status, KEY) for status in ERRORS},
    "400, hidden": failing(400, KEYS["hidden"]),
    "text": lambda request: httpx.Response(200, text=KEY),
    "html": lambda request: httpx.Response(404, html=f"<p>{KEY}</p>"),
}


async def everything(agent: Client) -> list[str]:
    """What every tool, resource, prompt and completion says."""
    ids = dict.fromkeys(("interviewId", "sessionId", "candidateId", "practiceId", "questionId"), ID)
    planted = Planted(ids, ["Robin"] * 3, [ID] * 3, [ID] * 3, ["Why?", "How?"])
    there = {each.name for each in (await agent.list_tools()).tools}
    calls = [*reads(planted), *writes(planted), ("reveal_candidate", {"interviewId": ID, "candidate": "Candidate X"})]
    assert there <= {name for name, _ in calls}
    said = [str(await agent.call_tool(name, given)) for name, given in calls if name in there]
    said.append((await agent.list_resources()).model_dump_json())
    asked = [agent.read_resource(UriTemplate.parse(each.uri).expand(ids)) for each in resources.ADDRESSES]
    for prompt in (await agent.list_prompts()).prompts:
        given = {each.name: ids.get(each.name, "x") for each in prompt.arguments}
        asked.append(agent.get_prompt(prompt.name, given))
    for name in ("interviewId", "sessionId"):
        reference = PromptReference(type="ref/prompt", name="review_session")
        asked.append(agent.complete(reference, {"name": name, "value": ""}))
    for each in asked:
        try:
            said.append((await each).model_dump_json())
        except MCPError as error:
            said.append(str(error.error))
    return said


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("exposure", [Exposure(), Exposure(blind=True)], ids=["named", "blind"])
async def test_no_key_that_a_backend_repeats_goes_further(monkeypatch, tmp_path, everything_logged, backend, exposure):
    monkeypatch.setattr(retry, "FIRST", 0.0)
    monkeypatch.setattr(ledger, "LOOK_AGAIN", 0.0)
    state = State(lambda: tmp_path / "state.db")
    transport = httpx.MockTransport(BACKENDS[backend])
    client = AuralClient(KEY, "https://a.test/api/v1", transport=transport, state=state, requests_per_minute=0)
    audit = AuditLog(lambda: tmp_path / "audit.jsonl")
    for confirm in ("never", "preview"):
        server = AuralServer(
            OneClient(client), backend="T.", local=True, confirm=confirm, exposure=exposure, audit=audit
        )
        async with Client(server) as agent:
            said = await everything(agent)
        assert [each for each in said if "canary" in each] == []
    assert [each for each in everything_logged if "canary" in each] == []
    assert [path.name for path in tmp_path.iterdir() if b"canary" in path.read_bytes()] == []


async def test_without_that_it_would_be_in_nearly_everything(tmp_path):
    """The control: the backend's answers are taken, and the key stands in them."""
    client = AuralClient(
        KEY,
        "https://a.test/api/v1",
        transport=httpx.MockTransport(BACKENDS["whole, but forms"]),
        requests_per_minute=0,
    )
    with injection.without("keyless"):
        async with Client(AuralServer(OneClient(client), backend="T.", local=True, confirm="never")) as agent:
            said = await everything(agent)
    assert sum("canary" in each for each in said) > 0.75 * len(said)

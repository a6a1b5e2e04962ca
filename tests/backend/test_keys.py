"""Keys stay where they are: not in logs, errors, reprs or files, and never answered to the wrong tenant."""

import base64
import hashlib
import logging
import traceback
from urllib.parse import quote

import httpx
import pytest
from mcp import Client, MCPError

from aural_mcp import log
from aural_mcp.api.errors import AuralError
from aural_mcp.api.operations import CreateInterview, GetInterview
from aural_mcp.client import retry
from aural_mcp.client.client import AuralClient
from aural_mcp.client.state import State
from aural_mcp.config import Settings, read_settings
from aural_mcp.log import Redacting
from aural_mcp.server.principal import KeyPerRequest, OneClient
from aural_mcp.server.server import AuralServer
from conftest import ORIGIN, refused, text_of
from processes import on_stdio
from tenants import backend, owner_of, tenants

CANARY = "dlv_test_canary/" + hashlib.sha256(b"canary").hexdigest()[:20] + "=&"


def shapes_of(secret):
    """A secret as it might leave: plain, reversed, in base64, in a URL."""
    raw = secret.encode()
    plain = [secret, secret[::-1], quote(secret, safe=""), repr(secret)[1:-1]]
    shifted = [base64.b64encode(b"x" * shift + raw)[4:-4].decode() for shift in range(3)]
    safe = [each.replace("+", "-").replace("/", "_") for each in shifted]
    return [each for each in [*plain, *shifted, *safe, secret.removeprefix("dlv_")] if each]


def found_in(text, secret=CANARY):
    return [shape for shape in shapes_of(secret) if shape in text]


def answering(status):
    """A backend that echoes the key wherever a backend might."""

    def answer(request):
        sent = request.headers["authorization"]
        message = {"error": {"code": "BAD_REQUEST", "message": "no"}}
        if status == 0:
            raise httpx.ReadError(f"broken while sending {sent}", request=request)
        if status == -1:
            raise RuntimeError(f"a crash with {sent}")
        return httpx.Response(status, json=message, headers={"x-echo": sent})

    return httpx.MockTransport(answer)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 502, 200, 0, -1])
async def test_no_failure_writes_the_key_anywhere(monkeypatch, everything_logged, tmp_path, status):
    monkeypatch.setattr(retry, "FIRST", 0.0)
    state = State(lambda: tmp_path / "state.db")
    client = AuralClient(CANARY, f"{ORIGIN}/api/v1", transport=answering(status), state=state)
    said = [repr(client)]
    async with Client(AuralServer(OneClient(client), backend="T.")) as agent:
        said.append(await refused(agent, "get_interview", {"interviewId": "x"}))
        said.append(await refused(agent, "create_interview", {"title": "T"}))
        try:
            await agent.read_resource("aural://interviews")
        except MCPError as error:
            said.append(str(error))
    for operation in (GetInterview(interview_id="x"), CreateInterview(title="T")):
        try:
            await client.call(operation)
        except AuralError as error:
            logging.getLogger("a.caller").exception("failed")
            said.append("".join(traceback.format_exception_only(error)))
        except RuntimeError:
            logging.getLogger("a.caller").exception("failed")
    await client.aclose()
    files = [path.read_bytes().decode("latin-1") for path in tmp_path.iterdir()]
    written = "\n".join([*said, *everything_logged, *files])
    assert len(everything_logged) > 3
    assert found_in(written) == []


async def test_a_real_connection_at_debug_logs_no_key(everything_logged):
    async with backend() as port, AuralClient(CANARY, f"http://127.0.0.1:{port}/api/v1") as client:
        assert (await client.call(GetInterview(interview_id="x"))).title == owner_of(CANARY)
    assert any("httpcore" in line for line in everything_logged)
    assert found_in("\n".join(everything_logged)) == []


def test_the_search_would_find_a_key_that_got_out():
    """The control."""
    for shape in (CANARY, CANARY[::-1], quote(CANARY, safe=""), base64.b64encode(b"ab" + CANARY.encode()).decode()):
        assert found_in(f"... {shape} ...")


def test_settings_and_models_do_not_show_their_secrets():
    settings = read_settings({"AURAL_API_KEY": CANARY, "AURAL_STATE_KEYS": CANARY * 2, "AURAL_LLM_API_KEY": CANARY})
    assert found_in(repr(settings) + str(settings)) == []
    assert isinstance(settings, Settings)


def test_keys_are_struck_out_of_tracebacks_and_arguments():
    record = logging.LogRecord("n", logging.ERROR, "p", 1, "sent %s", ({"authorization": f"Bearer {CANARY}"},), None)
    assert found_in(Redacting("%(message)s").format(record)) == []
    assert "dlv_…" in Redacting("%(message)s").format(record)
    assert log.KEY.search(CANARY)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_process_with_a_key_writes_it_nowhere(tmp_path, mode):
    folder, key_file = tmp_path / "data", tmp_path / "key"
    key_file.write_text(CANARY)
    folder.mkdir()
    settings = {"AURAL_API_KEY_FILE": str(key_file), "AURAL_BASE_URL": "http://127.0.0.1:9/api/v1"}
    async with on_stdio(folder, mode, **settings) as agent:
        said = await refused(agent, "get_usage", {})
        said += await refused(agent, "create_interview", {"title": "T"})
        said += text_of(await agent.call_tool("get_interview", {"interviewId": CANARY}))
    assert "cannot be reached" in said
    kept = "".join(path.read_bytes().decode("latin-1") for path in folder.iterdir())
    assert found_in(kept) == []


@pytest.mark.parametrize("header", ["authorization", "x-api-key"])
async def test_a_request_that_carries_something_else_than_an_aural_key_is_refused_before_anything_is_sent(header):
    sent = []
    transport = httpx.MockTransport(lambda request: sent.append(request) or httpx.Response(500))
    clients = KeyPerRequest(AuralClient(None, f"{ORIGIN}/api/v1", transport=transport))
    value = "Bearer sk-something" if header == "authorization" else "sk-something"
    client = clients.client_for(httpx.Headers({header: value}))
    with pytest.raises(Exception, match="not an Aural API key"):
        await client.call(GetInterview(interview_id="x"))
    assert sent == []


async def test_no_tenant_gets_anothers_answer(tmp_path):
    wrong, calls = await tenants(10, 20, tmp_path)
    assert (wrong, calls) == ([], 200)

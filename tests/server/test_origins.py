"""Who may call over HTTP: keys as clients write them, names matched whole, and what a browser is told."""

import httpx
import pytest

from aural_mcp.config import sent_key
from processes import http_server

PAGE = "http://localhost:6274"
POST = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
PING = b'{"jsonrpc":"2.0","id":7,"method":"ping"}'
KEY = "dlv_test_a"


@pytest.mark.parametrize(
    "written",
    ["Bearer dlv_test_a", "bearer dlv_test_a", "BEARER dlv_test_a", "Bearer   dlv_test_a", "bEaReR dlv_test_a "],
)
def test_a_key_is_read_whatever_the_case_of_its_scheme_and_however_far_it_stands(written):
    assert sent_key({"authorization": written}) == KEY
    assert sent_key({"authorization": "Basic eDp5", "x-api-key": KEY}) == KEY


async def test_pages_of_allowed_origins_can_call_and_read_and_others_cannot(tmp_path):
    ask = {"access-control-request-method": "POST", "access-control-request-headers": "content-type,x-api-key"}
    async with http_server(tmp_path, "--local") as url, httpx.AsyncClient(trust_env=False, timeout=60) as http:
        before = await http.options(url, headers=ask | {"origin": PAGE})
        assert (before.status_code, before.headers["access-control-allow-origin"]) == (204, PAGE)
        allowed = before.headers["access-control-allow-headers"]
        for name in ("authorization", "content-type", "mcp-protocol-version", "mcp-session-id", "x-api-key"):
            assert name in allowed.split(", ")
        for path, body in ((url, PING), (url + "/", PING), (url, b"no JSON"), (url + "/x", PING)):
            answer = await http.post(path, content=body, headers=POST | {"origin": PAGE})
            assert answer.headers["access-control-allow-origin"] == PAGE
            assert "mcp-session-id" in answer.headers["access-control-expose-headers"]
        for origin in ("http://evil.test", "null", "http://localhost:6274.evil.test", "http://localhost:80@evil.test"):
            for answer in (
                await http.post(url, content=PING, headers=POST | {"origin": origin}),
                await http.options(url, headers=ask | {"origin": origin}),
            ):
                assert answer.status_code == 403
                assert "access-control-allow-origin" not in answer.headers


async def test_names_are_matched_whole_and_fields_that_say_who_it_is_stand_there_once(tmp_path):
    async with http_server(tmp_path, "--local") as url, httpx.AsyncClient(trust_env=False, timeout=60) as http:

        async def status(*more):
            return (await http.post(url, content=PING, headers=[*POST.items(), *more])).status_code

        for host in ("localhost:1.evil.test", "127.0.0.1:evil", "localhost.", "evil.test:8400", "[::1]evil:1"):
            assert await status(("host", host)) == 421
        assert await status(("host", "LOCALHOST:8400")) == 200
        for name in ("origin", "authorization", "x-api-key"):
            assert await status((name, PAGE), (name, PAGE)) == 400
        typed = await http.post(url, content=PING, headers=POST | {"content-type": "APPLICATION/JSON; charset=UTF-8"})
        assert typed.json()["result"] == {}
        assert (
            await http.post(url, content=PING, headers=POST | {"content-type": "application/jsonx"})
        ).status_code == 400

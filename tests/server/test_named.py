"""Who signed in stands behind each act in the decision log, in clear or hashed, with the reason that was given."""

import json
from contextlib import asynccontextmanager

import httpx
import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from aural_mcp.client.client import AuralClient
from aural_mcp.privacy.audit import AuditLog, verify
from aural_mcp.server.principal import PRINCIPAL, READ, WRITE, KeyPerRequest, Principal, Role
from aural_mcp.server.server import AuralServer
from aural_mcp.server.web import application
from conftest import KEY, ORIGIN, ok, published, refused, text_of
from processes import aural_mcp, on_stdio

QUESTION = {"text": "Why queues?", "type": "OPEN_ENDED"}
ISSUER = "https://login.example.com/acme/v2.0"
BOTH = frozenset({READ, WRITE})


def person(name="Zoë Müller", subject="00u1zoe", application="Claude", role="recruiter", **more):
    given = {"scopes": BOTH, "issuer": ISSUER, "subject": subject, "name": name, "role": Role(role), **more}
    return Principal(KEY, "s-7f3a", application, **given)


class Desk:
    """One server over HTTP, which several people sign in to."""

    def __init__(self, world, path, web):
        self.world, self.path, self._web = world, path, web

    @asynccontextmanager
    async def of(self, principal, **headers):
        """An agent of this person; of whoever has the key where there is none."""

        async def signed_in(scope, receive, send):
            await self._web({**scope, PRINCIPAL: principal} if principal else scope, receive, send)

        transport = httpx2.ASGITransport(signed_in)
        async with httpx2.AsyncClient(transport=transport, headers=headers) as http:
            way = streamable_http_client("http://127.0.0.1/mcp", http_client=http)
            async with Client(way, read_timeout_seconds=30) as agent:
                yield agent

    def lines(self):
        return [json.loads(line) for line in self.path.read_text().splitlines()]


@pytest.fixture
def desk(world, tmp_path):
    @asynccontextmanager
    async def opened(secret=None, requests_per_minute=0, **given):
        path, wire = tmp_path / "audit.jsonl", httpx.ASGITransport(world.app)
        client = AuralClient(None, f"{ORIGIN}/api/v1", requests_per_minute=requests_per_minute, transport=wire)

        async def hashing():
            return secret

        log = AuditLog(lambda: path, hashing if secret else None)
        given = {"confirm": "never", **given}
        server = AuralServer(KeyPerRequest(client), backend="T.", audit=log, **given)
        web = application(server, "127.0.0.1", [])
        async with web._sessions.run():
            yield Desk(world, path, web)

    return opened


async def test_a_line_says_who_it_was_through_which_application_and_as_what(desk, tmp_path):
    async with desk() as there:
        async with there.of(person()) as agent:
            made = await published(agent, [QUESTION])
            await agent.read_resource(f"aural://interviews/{made['id']}/results.md")
        async with there.of(None, authorization=f"Bearer {KEY}") as agent:
            await ok(agent, "archive_interview", interviewId=made["id"])
    lines = there.lines()
    assert [line.get("by") for line in lines] == [
        {
            "name": "Zoë Müller",
            "subject": "00u1zoe",
            "issuer": "login.example.com",
            "role": "recruiter",
            "application": "Claude",
            "signIn": "s-7f3a",
        }
    ] * (len(lines) - 1) + [None]
    assert {line["tool"] for line in lines} > {"publish_interview", "archive_interview"}
    assert len({line["tenant"] for line in lines}) == 1, "the key is the same"
    assert verify(there.path).problems == []
    code, out, _ = aural_mcp(tmp_path, "audit", "show", str(there.path), "--last", "2")
    assert code == 0
    assert "name Zoë Müller  subject 00u1zoe  issuer login.example.com  role recruiter  application Claude" in out


async def test_names_that_are_hashed_say_nothing_and_stay_the_same_for_the_same_person(desk, tmp_path):
    key = b"k" * 32
    async with desk(secret=key) as there:
        for who in (person(), person(application="Cursor", name="zoë  müller"), person("Ana Silva", "00u2ana")):
            async with there.of(who) as agent:
                await ok(agent, "create_interview", title="T")
    text = there.path.read_text()
    for plain in ("Zo", "ller", "Ana", "Silva", "00u"):
        assert plain not in text
    first, again, other = (line["by"] for line in there.lines())
    assert (first["name"], first["subject"]) == (again["name"], again["subject"])
    assert not {first["name"], first["subject"]} & {other["name"], other["subject"]}
    assert (first["application"], again["application"]) == ("Claude", "Cursor")
    assert verify(there.path).problems == []
    for wanted, count in (("Zoë Müller", 2), ("00u2ANA", 1), (first["subject"][:8], 2), ("Zoë", 0)):
        code, out, err = aural_mcp(
            tmp_path, "audit", "show", str(there.path), "--who", wanted, AURAL_STATE_KEYS=f"{'n' * 32},{key.decode()}"
        )
        assert (code, len(out.splitlines())) == (0, count), (wanted, err)
        assert err == f"{count} of 3 lines.\n"


@pytest.mark.parametrize(
    "name",
    [
        "\x1b[2J\x1b]0;owned\x07Robin",
        'Robin","prev":"' + "0" * 64 + '"},"hash":"' + "0" * 64,
        "Robin\n{}\r\nadmin",
        "Robin\u202egnp.exe\u2066\U000e0041",
        "Robin dlv_test_0123456789abcdef0123456789abcdef " + "x" * 5000,
        "R\ud800obin",
        "Ro\u0301bin" + "\u0301" * 500,
        "",
    ],
)
async def test_a_name_from_outside_is_one_short_line_and_steers_neither_log_nor_terminal(desk, tmp_path, name):
    given = dict.fromkeys(("name", "subject", "application", "role", "issuer"), name)
    async with desk() as there, there.of(person(**given)) as agent:
        await ok(agent, "create_interview", title="T")
        await ok(agent, "create_interview", title="U")
    assert there.path.read_bytes().isascii()
    assert verify(there.path)[::2] == (2, [])
    by = there.lines()[0]["by"]
    assert all(len(by.get(field, "")) <= 100 for field in ("name", "application", "role", "issuer"))
    assert "dlv_test" not in there.path.read_text()
    assert all(text.isprintable() for text in by.values())
    code, out, _ = aural_mcp(tmp_path, "audit", "show", str(there.path))
    assert (code, len(out.splitlines())) == (0, 2)
    assert all(line.isprintable() for line in out.splitlines())


async def test_names_that_cannot_be_hashed_are_not_written_and_nothing_is_done(desk, world):
    from aural_mcp.api.errors import StateUnwritable

    async def no_secret():
        raise StateUnwritable("The state file in the data folder cannot be written (locked).", "Free some space.")

    client = AuralClient(KEY, f"{ORIGIN}/api/v1", requests_per_minute=0, transport=httpx.ASGITransport(world.app))
    async with desk() as there:
        log = AuditLog(lambda: there.path, no_secret)
        server = AuralServer(KeyPerRequest(client), backend="T.", confirm="never", audit=log)
        web = application(server, "127.0.0.1", [])
        async with web._sessions.run(), Desk(world, there.path, web).of(person()) as agent:
            said = await refused(agent, "create_interview", {"title": "T"})
            assert "cannot hash names" in said
            assert (await ok(agent, "list_interviews"))["data"] == []
    assert not there.path.exists()


# ── Reasons ─────────────────────────────────────────────────────────────────────────────────────


async def test_a_reason_goes_into_the_line_of_that_act_and_nowhere_else(desk, tmp_path):
    async with desk(confirm="preview") as there, there.of(person()) as agent:
        made = await ok(agent, "create_interview", title="T")
        await ok(agent, "create_questions", interviewId=made["id"], questions=[QUESTION])
        given = {"interviewId": made["id"], "reason": " Filled,\nsays Ana (dlv_test_0123456789abcdef).\u200b "}
        asked = await ok(agent, "archive_interview", **given)
        done = {**given, "confirmation": asked["confirmation"], "reason": "Filled by another team"}
        result = await agent.call_tool("archive_interview", done)
        assert not result.is_error, "another reason is no other act"
        assert "Filled" not in text_of(result)
        now = await ok(agent, "get_interview", interviewId=made["id"])
        assert "Filled" not in json.dumps(now)
    reasons = [(line["tool"], line["outcome"], line.get("reason")) for line in there.lines()]
    assert reasons == [
        ("create_interview", "done", None),
        ("create_questions", "done", None),
        ("archive_interview", "preview", "Filled, says Ana (dlv_…)."),
        ("archive_interview", "done", "Filled by another team"),
    ]
    out = aural_mcp(tmp_path, "audit", "show", str(there.path), "--what", "archive")[1]
    assert "reason Filled by another team" in out


async def test_where_reasons_are_required_nothing_is_done_or_asked_without_one(desk):
    async with desk(require_reason=True) as there, there.of(person()) as agent:
        made = await ok(agent, "create_interview", title="T")
        await ok(agent, "create_questions", interviewId=made["id"], questions=[QUESTION])
        tools = {tool.name: tool.input_schema for tool in (await agent.list_tools()).tools}
        assert "reason" in tools["publish_interview"]["required"]
        assert "reason" not in tools["create_interview"]["properties"]
        for reason in (
            {},
            *({"reason": each} for each in (None, " \n", "null", "\u200b\u2060", "\0", "\u3164", ". -")),
        ):
            said = await refused(agent, "publish_interview", {"interviewId": made["id"], **reason})
            assert said == (
                "Publish interview was not called, nothing changed. reason is required here: ask the user why, unless "
                "they said so. Give it and call publish_interview again."
            )
        assert "reason must be text" in await refused(
            agent, "publish_interview", {"interviewId": made["id"], "reason": 7}
        )
        said = await refused(agent, "publish_interview", {"interviewId": made["id"], "reason": "x" * 201})
        assert "reason has 201 characters and takes 200 at most. Shorten it" in said
        assert (await ok(agent, "get_interview", interviewId=made["id"]))["state"] == "by invitation"
        await ok(agent, "publish_interview", interviewId=made["id"], reason="é" * 200)
    assert there.lines()[-1]["reason"] == "é" * 200
    assert not any("reason" in line for line in there.lines()[:-1])


async def test_where_none_is_required_a_reason_is_taken_and_not_listed(desk):
    async with desk() as there, there.of(person()) as agent:
        tools = {tool.name: tool.input_schema for tool in (await agent.list_tools()).tools}
        assert [name for name, tool in tools.items() if "reason" in tool["properties"]] == ["record_decision"]
        said = await refused(agent, "create_interview", {"title": "T", "reason": "why"})
        assert "“reason” is not an argument" in said


async def test_the_settings_require_reasons_on_stdio_too(tmp_path):
    async with on_stdio(tmp_path, "auto", AURAL_REQUIRE_REASON="1") as agent:
        made = await ok(agent, "create_interview", title="T")
        assert "reason is required" in await refused(agent, "archive_interview", {"interviewId": made["id"]})
        await ok(agent, "archive_interview", interviewId=made["id"], reason="It was a trial.")
    out = aural_mcp(tmp_path, "audit", "show")[1]
    assert "reason It was a trial." in out.splitlines()[-1]


# ── Shares ──────────────────────────────────────────────────────────────────────────────────────


async def test_usage_says_whose_requests_those_of_the_last_minute_were(desk):
    async with desk(requests_per_minute=60) as there:
        async with there.of(person()) as agent:
            await ok(agent, "create_interview", title="T")
            assert not any("yours" in each for each in (await ok(agent, "get_usage"))["remarks"])
        async with there.of(person("Ana Silva", "00u2ana")) as agent:
            await ok(agent, "list_interviews")
            said = (await ok(agent, "get_usage"))["remarks"]
            assert said[-1] == "Of the last minute's requests 2 were yours, 2 those of 1 other person."

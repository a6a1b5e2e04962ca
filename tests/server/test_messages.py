"""Every message that carries an id is answered, in words of ours: on stdio and over HTTP, by real processes."""

import json

import httpx
import pytest

from conftest import ok, text_of
from frames import HELLO, OURS, PROBE, TOLD, Host, encoded
from processes import http_server

FIRST = "assessmentCriteria[0]"
TITLE = {"name": "create_interview", "arguments": {"title": "T"}}
LIST = {"jsonrpc": "2.0", "id": 7, "method": "tools/list"}
POST = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
THEIRS = ("validation error", "pydantic", "Input should", "JSONRPC")

REFUSED = {
    # as in public reports
    "no jsonrpc": ('{"id":7,"method":"tools/list"}', 7, -32600),
    "params is an array": ('{"jsonrpc":"2.0","id":7,"method":"tools/list","params":[]}', 7, -32602),
    "an id with a fraction": ('{"jsonrpc":"2.0","id":1.5,"method":"tools/list"}', 1.5, -32600),
    "a batch of one": ('[{"jsonrpc":"2.0","id":7,"method":"ping"}]', 7, -32600),
    "half an emoji in a prompt": (
        r'{"jsonrpc":"2.0","id":7,"method":"prompts/get","params":{"name":"route","arguments":{"a":"\ud83d"}}}',
        7,
        -32700,
    ),
    # as nobody gave them
    "another version": ('{"jsonrpc":"1.0","id":"a","method":"ping"}', "a", -32600),
    "a version that is a number": ('{"jsonrpc":2.0,"id":7,"method":"ping"}', 7, -32600),
    "params is text": ('{"jsonrpc":"2.0","id":7,"method":"tools/list","params":"{}"}', 7, -32602),
    "params is a number": ('{"jsonrpc":"2.0","id":"x-1","method":"ping","params":0}', "x-1", -32602),
    "an id as Lua writes it": ('{"jsonrpc":"2.0","id":7.0,"method":"ping"}', 7, -32600),
    "an id that is null": ('{"jsonrpc":"2.0","id":null,"method":"ping"}', None, -32600),
    "an id that is an object": ('{"jsonrpc":"2.0","id":{},"method":"ping"}', None, -32600),
    "an id that is true": ('{"jsonrpc":"2.0","id":true,"method":"ping"}', None, -32600),
    "an id that is no number": ('{"jsonrpc":"2.0","id":NaN,"method":"ping"}', None, -32600),
    "an id given twice, at last wrongly": ('{"jsonrpc":"2.0","id":7,"method":"ping","id":[]}', None, -32600),
    "a request for a notification": ('{"jsonrpc":"2.0","id":[1],"method":"notifications/initialized"}', None, -32600),
    "no method": ('{"jsonrpc":"2.0","id":7}', 7, -32600),
    "a method that is a number": ('{"jsonrpc":"2.0","id":7,"method":1}', 7, -32600),
    "a method of half a character": (r'{"jsonrpc":"2.0","id":7,"method":"\udfff"}', 7, -32700),
    "half a character in a name": (r'{"jsonrpc":"2.0","id":7,"method":"ping","params":{"\ud83d":1}}', 7, -32700),
    "half a character in the id": (r'{"jsonrpc":"2.0","id":"\ud83d","method":"ping"}', None, -32600),
    "half a character and no method": (r'{"jsonrpc":"2.0","id":7,"result":{"a":"\ud83d"}}', None, -32700),
    "half a character in odd params": (
        r'{"jsonrpc":"2.0","id":7,"error":{},"params":["\ud83d"]}',
        None,
        -32700,
    ),
    "an id of 400 digits and no version": ('{"id":' + "9" * 400 + ',"method":"ping"}', int("9" * 400), -32600),
    "bytes that are not UTF-8 in the id": (b'{"jsonrpc":"2.0","id":"\xff","method":"ping"}', "\ufffd", -32600),
    "an empty batch": ("[]", None, -32600),
    "a batch of notifications": ('[{"jsonrpc":"2.0","method":"notifications/initialized"}]', None, -32600),
    "a text": ('"tools/list"', None, -32600),
    "a response that is none": ('{"jsonrpc":"2.0","id":7,"result":5}', None, -32600),
    "cut off": ('{"jsonrpc":"2.0","id":7,"method":"pi', None, -32700),
    "two messages": ('{"jsonrpc":"2.0","id":7,"method":"ping"}{}', None, -32700),
    "no JSON": ("Content-Length: 52", None, -32700),
    "nested far too deeply": ("[" * 100_000, None, -32700),
    "bytes that are not UTF-8": (b'{"jsonrpc":"2.0","id":7,"method":"ping","params":{"a":"\xff"}}', 7, -32700),
}
EACH = pytest.mark.parametrize("what", REFUSED)


def refused(answer, number, code):
    assert (answer["jsonrpc"], answer["id"], answer["error"]["code"]) == ("2.0", number, code)
    assert not [words for words in THEIRS if words in answer["error"]["message"]]
    assert len(answer["error"]["message"]) < 150


def sent(what):
    line = REFUSED[what][0]
    return line if isinstance(line, bytes) else line.encode()


class Line(Host):
    """A host that reads answers in the order in which they come."""

    async def next(self):
        return json.loads(await self.process.stdout.readline())


async def test_on_stdio_each_is_answered_under_its_id_and_the_next_is_served():
    async with Line(OURS, modern=False) as host:
        for what in REFUSED:
            await host.send(sent(what))
            refused(await host.next(), *REFUSED[what][1:])
        assert "result" in await host.ask(PROBE)


async def test_over_http_each_is_a_400_under_its_id(tmp_path):
    async with http_server(tmp_path, "--local") as url, httpx.AsyncClient(trust_env=False, timeout=60) as http:
        for what in REFUSED:
            for version in ("2025-06-18", "2026-07-28"):
                headers = POST | {"mcp-protocol-version": version}
                answer = await http.post(url, content=sent(what), headers=headers)
                assert answer.status_code == 400, (what, version)
                assert answer.headers["content-type"] == "application/json"
                if version == "2025-06-18":  # the later one wants its headers first
                    refused(answer.json(), *REFUSED[what][1:])
                assert not [words for words in THEIRS if words in answer.text], (what, version)


async def test_everybody_who_waits_for_a_part_of_a_batch_is_answered():
    parts = [LIST | {"id": 1}, TOLD, LIST | {"id": "two"}, {"jsonrpc": "2.0", "id": 1, "result": {}}, 5]
    async with Line(OURS, modern=False) as host:
        await host.send(json.dumps(parts).encode())
        for number in (1, "two"):
            refused(await host.next(), number, -32600)
        assert "result" in await host.ask(PROBE)


@pytest.mark.parametrize("modern", [False, True], ids=["2025-11-25", "2026-07-28"])
async def test_half_a_character_in_an_argument_is_a_result_that_names_it(modern):
    arguments = {
        r'{"title":"Backend \ud83d"}': "title",
        r'{"title":"T","assessmentCriteria":[{"name":"a","description":"\udc00"}]}': f"{FIRST}.description",
        r'{"title":"T","assessmentCriteria":"[{\"name\":\"\\ud83d\",\"description\":\"d\"}]"}': f"{FIRST}.name",
    }
    async with Host(OURS, modern=modern) as host:
        for number, (given, named) in enumerate(arguments.items(), 100):
            call = encoded(HELLO | {"method": "tools/call", "params": TITLE}, number, modern)
            await host.send(call.replace(b'{"title": "T"}', given.encode()))
            result = (await host.answer(str(number)))["result"]
            assert result["isError"]
            assert f"no text: {named}." in result["content"][0]["text"]
        assert "result" in await host.ask(PROBE)


async def test_marks_and_line_ends_of_other_systems_are_no_part_of_a_message(tmp_path):
    ping = b'{"jsonrpc":"2.0","id":"p","method":"ping"}'
    async with Line(OURS, modern=False) as host:
        for line in (b"\xef\xbb\xbf" + ping, ping + b"\r", b"  " + ping + b"\t", b"\r\n\n \n" + ping):
            await host.send(line)
            assert await host.next() == {"jsonrpc": "2.0", "id": "p", "result": {}}
    async with http_server(tmp_path, "--local") as url, httpx.AsyncClient(trust_env=False, timeout=60) as http:
        assert (await http.post(url, content=b"\xef\xbb\xbf" + ping, headers=POST)).json()["result"] == {}


# ── U+0000 ──────────────────────────────────────────────────────────────────────────────────────


async def test_a_zero_character_is_taken_out_and_said_however_deep_it_is(agent):
    criteria = [{"name": "Depth\0", "description": "\0of\0 knowledge"}]
    made = await agent.call_tool("create_interview", {"title": "Back\0end", "assessmentCriteria": criteria})
    assert "U+0000, in title, assessmentCriteria[0].name, assessmentCriteria[0].description." in text_of(made)
    interview = made.structured_content["id"]
    found = await ok(agent, "get_interview", interviewId=interview)
    assert found["title"] == "Backend"
    questions = [{"text": "Why?\0", "type": "SINGLE_CHOICE", "options": ["a\0", "b"]}]
    added = await agent.call_tool("create_questions", {"interviewId": interview, "questions": json.dumps(questions)})
    assert "U+0000, in questions[0].text, questions[0].options[0]." in text_of(added)
    people = [{"name": "Ann\0 Lee", "email": "ann@example.com"}]
    registered = await agent.call_tool("create_candidates", {"interviewId": interview, "candidates": people})
    assert "U+0000, in candidates[0].name." in text_of(registered)


async def test_a_launch_from_a_paste_with_zero_characters_leaves_no_interview_without_questions(agent):
    made = await agent.call_tool(
        "launch_interviews",
        {"interviews": [{"title": "T\0", "questions": [{"text": "Tell\0 me."}, {"text": "\0Why?"}]}]},
    )
    assert not made.is_error, text_of(made)
    assert "U+0000, in interviews[0].title, interviews[0].questions[0].text" in text_of(made)
    rows = (await ok(agent, "list_interviews"))["data"]
    assert [row["questions"] for row in rows] == [2]


async def test_an_id_with_a_zero_character_is_no_id(agent):
    result = await agent.call_tool("get_interview", {"interviewId": "a\0b"})
    assert result.is_error
    assert "interviewId is not an id" in text_of(result)

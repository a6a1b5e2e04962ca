"""The Python client and the TypeScript client behind one face: what a test asks of one, it asks of the other."""

import asyncio
import json
import traceback
from itertools import count

import httpx
import pytest
from pydantic import ValidationError

from aural_mcp import OPERATIONS
from aural_mcp.api.errors import AuralError
from aural_mcp.client import client
from aural_mcp.client.client import AuralClient, Spent
from aural_mcp.client.ledger import Ledger
from chaos import IDS, Chaos, Message, Rates
from conftest import KEY, needs
from examples import TITLE
from wires import listening

BY_NAME = {each.tool_name(): each for each in OPERATIONS}
UNKNOWN = "00000000-0000-4000-8000-000000000000"
CREATE = "POST /api/v1/interviews"
LOST = ["done_then_drop", "done_then_reset", "truncate", "broken_json"]
"""Faults where it is done, and no usable answer comes."""
PATIENCE = 15.0
"""Seconds that a client gives one request."""
LONGEST = 50.0
"""Seconds after which a call counts as stuck; its own deadline is 45."""


class Failed(Exception):
    """What a client raised; `shown` is all that a log would show of it."""

    def __init__(self, kind, message, next_step="", shown="", **more):
        super().__init__(f"{kind}: {message} {next_step}")
        self.kind, self.message, self.next_step, self.shown = kind, message, next_step, shown
        names = ("status", "code", "details", "retry_after", "timed_out")
        self.status, self.code, self.details, self.retry_after, self.timed_out = map(more.get, names)


class InPython:
    """`AuralClient` and `Ledger` in this process."""

    def __init__(self, key, url, requests_per_minute):
        self._client = AuralClient(key, url, requests_per_minute=requests_per_minute)
        self._ledger = Ledger(self._client)

    async def call(self, operation, **given):
        return _plain(await self._tried(lambda: self._client.call(BY_NAME[operation].model_validate(given))))

    async def each(self, operation, **given):
        async def rows():
            return [_plain(row) async for row in self._client.each(BY_NAME[operation].model_validate(given))]

        return await self._tried(rows)

    async def once(self, operation, *, allow_duplicate=False, **given):
        def ask():
            return self._ledger.once(BY_NAME[operation].model_validate(given), Spent(), allow_duplicate=allow_duplicate)

        outcome = await self._tried(ask)
        return _plain(outcome.result), outcome.remarks

    async def remaining(self):
        return await self._client.remaining()

    async def aclose(self):
        await self._client.aclose()

    async def _tried(self, ask):
        try:
            async with asyncio.timeout(LONGEST):
                return await ask()
        except (AuralError, ValidationError) as error:
            kind, shown = type(error).__name__, "".join(traceback.format_exception(error))
            raise Failed(kind, **{"message": str(error)} | getattr(error, "__dict__", {}), shown=shown) from None


class InTypeScript:
    """`Aural` in a process of Node, which is asked in lines of JSON; see `sdk/typescript/tests/driver.mjs`."""

    def __init__(self, process):
        self._process, self._numbers, self._asked = process, count(), {}
        self._hearing = asyncio.create_task(self._hear())

    @classmethod
    async def begin(cls, package, key, url, requests_per_minute, hurry):
        given = json.dumps({"key": key, "hurry": hurry, "baseUrl": url, "requestsPerMinute": requests_per_minute})
        pipes = {"stdin": asyncio.subprocess.PIPE, "stdout": asyncio.subprocess.PIPE, "limit": 2**28}
        return cls(await asyncio.create_subprocess_exec(needs("node"), package / "tests/driver.mjs", given, **pipes))

    async def call(self, operation, **given):
        return (await self._ask(do="call", operation=operation, input=given))["result"]

    async def each(self, operation, **given):
        return (await self._ask(do="each", operation=operation, input=given))["result"]

    async def once(self, operation, *, allow_duplicate=False, **given):
        said = await self._ask(do="once", operation=operation, input=given, allowDuplicate=allow_duplicate)
        return said["result"], said["remarks"]

    async def remaining(self):
        return (await self._ask(do="remaining"))["result"]

    async def aclose(self):
        self._process.stdin.close()
        async with asyncio.timeout(LONGEST):
            await self._process.wait()
        await self._hearing

    async def _ask(self, **asked):
        number = next(self._numbers)
        self._asked[number] = asyncio.get_running_loop().create_future()
        self._process.stdin.write(json.dumps({"id": number, **asked}).encode() + b"\n")
        async with asyncio.timeout(LONGEST):
            said = await self._asked[number]
        if error := said.get("error"):
            names = {"nextStep": "next_step", "retryAfter": "retry_after", "timedOut": "timed_out"}
            raise Failed(**{names.get(name, name): value for name, value in error.items()})
        return said

    async def _hear(self):
        async for line in self._process.stdout:
            said = json.loads(line)
            self._asked[said["id"]].set_result(said)
        for each in self._asked.values():
            if not each.done():
                each.set_exception(EOFError("the driver ended"))


def _plain(result):
    return result.model_dump(mode="json", exclude_unset=True)


@pytest.fixture(name="way")
async def a_way(world):
    """The proxy before the real backend."""
    async with listening(world.app) as port, Chaos(port, Rates()) as proxy:
        yield proxy


@pytest.fixture(name="client_of", params=["python", "typescript"])
async def a_client_of(request, monkeypatch):
    """Begins a client of an address; `patience` is after how many seconds it gives a request up."""
    package, begun = request.getfixturevalue("typescript") if request.param == "typescript" else None, []

    async def begin(url, key=KEY, requests_per_minute=0, patience=PATIENCE):
        given = key, f"{url}/api/v1", requests_per_minute
        if package:
            begun.append(await InTypeScript.begin(package, *given, PATIENCE / patience))
        else:
            monkeypatch.setattr(client, "TIMEOUT", httpx.Timeout(patience))
            begun.append(InPython(*given))
        return begun[-1]

    yield begin
    for each in begun:
        await each.aclose()


@pytest.fixture(name="aural")
async def an_aural(way, client_of):
    return await client_of(way.url)


async def failed(asking):
    """What a call raised, which says what to do next and shows no key."""
    with pytest.raises(Failed) as caught:
        await asking
    assert KEY not in caught.value.shown
    return caught.value


def sent(way):
    """What came to the proxy, done or not."""
    return [f"{each.method} {IDS.sub('/{id}', each.path)}" for each in way.log]


def answer(status, body, *headers, kind="application/json"):
    """An HTTP answer as bytes."""
    content = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
    lines = [f"HTTP/1.1 {status} X", f"content-type: {kind}", f"content-length: {len(content)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + content


def told(status, code, message="Said by the backend.", *headers, **more):
    return answer(status, {"error": {"code": code, "message": message, **more}}, *headers)


def changed(change):
    """Upstream's answer, its JSON changed."""

    def own(message):
        body = json.dumps(change(json.loads(message.body))).encode()
        return Message(message.start, message.headers, body).whole()

    return own


async def interview_of(aural):
    """What names a new interview."""
    return {"interviewId": (await aural.call("create_interview", **TITLE))["id"]}


def ids(result):
    """Those of the rows, or of the one row."""
    return [row["id"] for row in result.get("data", [result])]


async def titles(aural):
    """Those of the interviews that there are, in the order of the alphabet."""
    return sorted([row["title"] for row in await aural.each("list_interviews")])

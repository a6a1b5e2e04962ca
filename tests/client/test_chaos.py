"""The fault-injecting proxy itself: what a client sees of each fault, and whether upstream did the request."""

import asyncio
import contextlib
import json
import re
import time
from email.utils import parsedate_to_datetime

import httpx
import pytest

from aural_mcp.client.pool import Pool
from chaos import FAULTS, LEAK, RATE_LIMITED, Chaos, Exchange, Rates

CALM = Rates()
ID = "3f0c3f0e-0000-4000-8000-000000000000"
LARGE = "x" * 8_000_000


class Upstream:
    """A server that remembers what it did, and answers with it; `/chunked` and `/large` say how."""

    def __init__(self):
        self.done = []

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader, writer):
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await self._do(reader, writer)
        writer.close()

    async def _do(self, reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = re.search(r"content-length: (\d+)", head)
        received = (await reader.readexactly(int(length[1]))).decode() if length else ""
        method, target, _ = head.split(" ", 2)
        self.done.append((method, target, received))
        number = len(self.done)
        body = json.dumps({"number": number, "target": target, "received": LARGE if target == "/large" else received})
        writer.write(self._framed(target, body).encode())

    def _framed(self, target, body):
        start = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nset-cookie: a=1\r\nset-cookie: b=2\r\n"
        if target == "/chunked":
            chunks = "".join(f"{len(piece):x};note=1\r\n{piece}\r\n" for piece in (body[:10], body[10:]))
            return f"{start}transfer-encoding: chunked\r\n\r\n{chunks}0\r\ntrailer: 1\r\n\r\n"
        return f"{start}content-length: {len(body)}\r\n\r\n{body}"


@pytest.fixture
async def upstream():
    async with Upstream() as server:
        yield server


def client_of(proxy, **options):
    return httpx.AsyncClient(base_url=proxy.url, trust_env=False, **options)


async def first_and_second(upstream, fault, timeout=5.0):
    """A POST that meets the fault, then one that meets none: the first one's answer or exception, and the log."""
    async with Chaos(upstream.port, CALM) as proxy, client_of(proxy) as client:
        proxy.next_faults.append(fault)
        try:
            first = await client.post("/interviews", json={"title": "First"}, timeout=timeout)
        except httpx.HTTPError as error:
            first = error
        done = len(upstream.done)
        second = await client.post("/interviews", json={"title": "Second"})
        assert second.status_code == 200
    assert proxy.log == [Exchange("POST", "/interviews", fault, bool(done)), Exchange("POST", "/interviews", "", True)]
    assert proxy.forwarded == {"POST /interviews": done + 1}
    return first, done


@pytest.mark.parametrize(
    ("fault", "sees"),
    [
        ("refuse", (httpx.RemoteProtocolError, httpx.ReadError)),
        ("reset", httpx.ReadError),
        ("hang", httpx.ReadTimeout),
    ],
)
async def test_a_fault_before_the_request_breaks_the_connection_and_nothing_is_done(upstream, fault, sees):
    first, done = await first_and_second(upstream, fault, timeout=0.3 if fault == "hang" else 5.0)
    assert isinstance(first, sees)
    assert done == 0


@pytest.mark.parametrize(
    ("fault", "sees"),
    [
        ("done_then_drop", httpx.RemoteProtocolError),
        ("done_then_reset", httpx.ReadError),
        ("truncate", httpx.RemoteProtocolError),
    ],
)
async def test_a_fault_after_the_request_breaks_the_connection_though_it_is_done(upstream, fault, sees):
    first, done = await first_and_second(upstream, fault)
    assert isinstance(first, sees)
    assert done == 1


async def test_a_truncated_answer_shows_its_status_and_part_of_its_body(upstream):
    async with Chaos(upstream.port, CALM) as proxy:
        proxy.next_faults.append("truncate")
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"GET /interviews HTTP/1.1\r\nhost: x\r\n\r\n")
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
    assert head.startswith(b"HTTP/1.1 200 OK")
    assert 0 < len(body) < int(re.search(rb"content-length: (\d+)", head)[1])


async def test_broken_json_is_a_complete_answer_that_cannot_be_read_though_it_is_done(upstream):
    first, done = await first_and_second(upstream, "broken_json")
    assert first.status_code == 200
    assert first.text.startswith('{"number": 1')
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        first.json()
    assert done == 1


@pytest.mark.parametrize("fault", ["", "dribble", "delay"])
async def test_a_slow_answer_is_the_same_answer(upstream, fault):
    first, done = await first_and_second(upstream, fault)
    assert first.json() == {"number": 1, "target": "/interviews", "received": '{"title":"First"}'}
    assert first.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert done == 1


async def test_a_delayed_request_is_done_later(upstream):
    async with Chaos(upstream.port, CALM, delay_seconds=0.2) as proxy, client_of(proxy) as client:
        proxy.next_faults.append("delay")
        begun = time.monotonic()
        await client.get("/interviews")
        assert time.monotonic() - begun >= 0.2


async def test_httpx_takes_the_second_copy_of_an_answer_for_the_answer_to_the_next_request(upstream):
    async with Chaos(upstream.port, CALM) as proxy, client_of(proxy) as client:
        proxy.next_faults.append("duplicate")
        targets = [(await client.get(path)).json()["target"] for path in ("/first", "/second")]
    assert targets == ["/first", "/first"]
    assert proxy.log[0] == Exchange("GET", "/first", "duplicate", True)


async def test_with_our_pool_the_next_request_gets_its_own_answer(upstream):
    async with Chaos(upstream.port, CALM) as proxy, client_of(proxy, transport=Pool()) as client:
        for number in range(4):
            proxy.next_faults.append("duplicate" if number % 2 == 0 else "")
            assert (await client.get(f"/{number}")).json()["target"] == f"/{number}"


async def test_server_errors_differ_by_seed_and_nothing_is_done(upstream):
    async with Chaos(upstream.port, Rates(server_error=1)) as proxy, client_of(proxy) as client:
        answers = [await client.get("/interviews") for _ in range(60)]
    kinds = {(answer.status_code, answer.headers["content-type"]) for answer in answers}
    assert kinds == {(status, kind) for status in (500, 502, 503, 504) for kind in ("text/html", "application/json")}
    assert all(LEAK in answer.text for answer in answers)
    assert upstream.done == []


async def test_too_many_requests_are_said_in_every_spelling_and_nothing_is_done(upstream):
    begun = time.time()
    async with Chaos(upstream.port, Rates(too_many=1)) as proxy, client_of(proxy) as client:
        answers = [await client.get("/interviews") for _ in range(100)]
    took = time.time() - begun
    spellings = {answer.headers.get("retry-after") for answer in answers}
    dates = {spelling for spelling in spellings if spelling and spelling.endswith(" GMT")}
    assert spellings - dates == {"1", "0.5", "86400", "soon", None}
    ahead = [parsedate_to_datetime(date).timestamp() - begun for date in dates]
    assert min(ahead) < -50
    assert 0 < max(ahead) <= took + 2
    assert {answer.text for answer in answers} == {json.dumps({"error": RATE_LIMITED}), ""}
    assert {answer.status_code for answer in answers} == {429}
    assert upstream.done == []


async def faults_with(upstream, seed):
    rates = Rates(**dict.fromkeys(set(FAULTS) - {"hang", "duplicate"}, 0.08))
    async with Chaos(upstream.port, rates, seed=seed, delay_seconds=0) as proxy, client_of(proxy) as client:
        statuses = []
        for _ in range(30):
            try:
                statuses.append((await client.get("/interviews")).status_code)
            except httpx.HTTPError:
                statuses.append(None)
    return proxy.log, statuses


async def test_the_same_seed_gives_the_same_faults(upstream):
    first, again = await faults_with(upstream, 7), await faults_with(upstream, 7)
    assert first == again
    assert first != await faults_with(upstream, 8)
    assert len({exchange.fault for exchange in first[0]}) > 4


async def test_rates_are_the_shares_of_requests(upstream):
    async with Chaos(upstream.port, Rates(server_error=0.5, too_many=0.25)) as proxy, client_of(proxy) as client:
        for _ in range(100):
            await client.get("/interviews")
    faults = [exchange.fault for exchange in proxy.log]
    assert 35 <= faults.count("server_error") <= 65
    assert 12 <= faults.count("too_many") <= 38
    assert faults.count("") == len(upstream.done)


@pytest.mark.parametrize("rates", [{"reset": 0.6, "hang": 0.6}, {"reset": -0.1}])
def test_rates_that_are_no_probabilities_are_refused(rates):
    with pytest.raises(ValueError, match="at most 1"):
        Rates(**rates)


async def test_a_request_that_is_spared_takes_no_fault_and_no_turn(upstream):
    def creates(method, path):
        return method == "POST" and path == "/interviews"

    async with Chaos(upstream.port, Rates(too_many=1), only=creates) as proxy, client_of(proxy) as client:
        proxy.next_faults.extend(["server_error", ""])
        requests = [("GET", "/interviews"), *[("POST", "/interviews?x=1")] * 3, ("POST", "/questions")]
        for method, target in requests:
            await client.request(method, target)
    assert [exchange.fault for exchange in proxy.log] == ["", "server_error", "", "too_many", ""]
    assert [target for _, target, _ in upstream.done] == ["/interviews", "/interviews?x=1", "/questions"]


async def test_an_answer_of_a_tests_own_stands_for_upstreams_or_changes_it(upstream):
    async with Chaos(upstream.port, CALM) as proxy, client_of(proxy) as client:
        own = b"HTTP/1.1 418 X\r\ncontent-length: 3\r\n\r\nown"
        proxy.next_faults.extend([own, lambda message: message.whole().replace(b"/interviews", b"/Interviews"), ""])
        answers = [await client.get("/interviews") for _ in range(3)]
        ports = {each.extensions["network_stream"].get_extra_info("client_addr") for each in answers}
    assert (answers[0].status_code, answers[0].text) == (418, "own")
    assert [each.json()["target"] for each in answers[1:]] == ["/Interviews", "/interviews"]
    assert [(exchange.fault, exchange.done) for exchange in proxy.log] == [("own", False), ("own", True), ("", True)]
    assert len(ports) == 1


async def test_an_answer_of_a_tests_own_that_says_close_is_the_last_of_its_connection(upstream):
    async with Chaos(upstream.port, CALM) as proxy:
        proxy.next_faults.append(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nto the end")
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        assert (await reader.read()).endswith(b"to the end")
        writer.close()
    assert upstream.done == []


async def test_a_fault_that_does_not_exist_is_an_error_of_the_test(upstream):
    proxy = await Chaos(upstream.port, CALM).__aenter__()
    proxy.next_faults.append("gremlin")
    async with client_of(proxy) as client:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get("/interviews")
    with pytest.raises(ValueError, match="no fault 'gremlin'"):
        await proxy.__aexit__()


async def test_one_connection_carries_many_requests(upstream):
    async with Chaos(upstream.port, CALM) as proxy, client_of(proxy) as client:
        proxy.next_faults.extend(["", "too_many", "server_error", "dribble", "broken_json", ""])
        ports = set()
        for number in range(6):
            answer = await client.post("/interviews", json={"number": number})
            ports.add(answer.extensions["network_stream"].get_extra_info("client_addr"))
    assert len(ports) == 1
    assert [json.loads(received)["number"] for _, _, received in upstream.done] == [0, 3, 4, 5]


async def test_a_connection_closes_when_its_client_asks_for_it(upstream):
    async with Chaos(upstream.port, CALM) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"GET /interviews HTTP/1.1\r\nhost: x\r\nConnection: close\r\n\r\n")
        assert (await reader.read()).endswith(b"}")
        writer.close()


async def test_bodies_in_chunks_are_passed_on_both_ways(upstream):
    async def pieces():
        yield b"one "
        yield b"two"

    async with Chaos(upstream.port, CALM) as proxy, client_of(proxy) as client:
        answer = await client.post("/chunked", content=pieces())
    assert answer.json() == {"number": 1, "target": "/chunked", "received": "one two"}


async def test_ids_and_queries_do_not_tell_forwarded_requests_apart(upstream):
    async with Chaos(upstream.port, CALM) as proxy, client_of(proxy) as client:
        for target in (f"/api/v1/interviews/{ID}/candidates/{ID}?a=1", "/api/v1/interviews/12/candidates/7"):
            await client.patch(target, json={})
    assert proxy.forwarded == {"PATCH /api/v1/interviews/{id}/candidates/{id}": 2}
    assert proxy.log[0].path == f"/api/v1/interviews/{ID}/candidates/{ID}"


async def test_requests_side_by_side_each_get_their_own_answer(upstream):
    async with Chaos(upstream.port, Rates(dribble=0.5, delay=0.5)) as proxy, client_of(proxy) as client:
        answers = await asyncio.gather(*[client.get(f"/interviews/{number}") for number in range(20)])
    assert [answer.json()["target"] for answer in answers] == [f"/interviews/{number}" for number in range(20)]


async def test_when_upstream_is_gone_the_connection_is_dropped_and_nothing_is_done(upstream):
    await upstream.__aexit__()
    async with Chaos(upstream.port, CALM) as proxy, client_of(proxy) as client:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get("/interviews")
    assert proxy.log == [Exchange("GET", "/interviews", "", False)]


@pytest.mark.parametrize(("fault", "path"), [("hang", "/"), ("delay", "/"), ("", "/large"), ("dribble", "/large")])
async def test_leaving_ends_every_connection_in_whatever_state_it_is(upstream, fault, path):
    arrived = asyncio.Event()

    def note(method, path):
        arrived.set()
        return True

    async with Chaos(upstream.port, CALM, delay_seconds=60, only=note) as proxy:
        proxy.next_faults.append(fault)
        connections = [await asyncio.open_connection("127.0.0.1", proxy.port) for _ in ("idle", "busy", "half sent")]
        connections[2][1].write(b"POST / HTTP/1.1\r\n")
        connections[1][1].write(f"GET {path} HTTP/1.1\r\n\r\n".encode())
        await arrived.wait()
        begun = time.monotonic()
    assert time.monotonic() - begun < 30
    for reader, writer in connections:
        with contextlib.suppress(ConnectionResetError):
            await reader.read()
        writer.close()
    assert not [task for task in asyncio.all_tasks() if "Chaos" in repr(task)]

"""`aural-mcp audit` on the log that replicas share, and what it sends elsewhere."""

import http.server
import re
import socketserver
import threading
from contextlib import contextmanager

import anyio
import httpx
import psycopg
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from aural_mcp.client.state import State
from aural_mcp.privacy.audit import AuditLog, verify
from aural_mcp.privacy.audit_database import DatabaseLog
from aural_mcp.privacy.audit_lines import line_of
from aural_mcp.privacy.who import Who
from conftest import answer, begin, ok, published
from processes import aural_mcp, free_port, on_stdio

TENANT = "0123456789ab" + "c" * 52
ANA, ZOE = Who("Ana Silva", "00u2ana", sign_in="s-2"), Who("Zoë Müller", "00u1zoe", sign_in="s-1")


@pytest.fixture
def url(postgresql):
    return postgresql.database()


def sql(url, statement):
    with psycopg.connect(url.replace("+psycopg", ""), options="-c search_path=aural_mcp_state") as db:
        done = db.execute(statement)
        return done.fetchall() if done.description else None


async def written(url, folder, *people):
    """Two lines of each of these, each by a process of its own."""
    for who in people:
        state = State(url=url)
        log = AuditLog(lambda: None, None, DatabaseLog(state, lambda: folder))
        for tool in ("archive_interview", "get_session"):
            await log.record(tool, "done", tenant=TENANT, ids={}, by=who)
        await state.aclose()


async def command(folder, *arguments, **more):
    return await anyio.to_thread.run_sync(lambda: aural_mcp(folder, "audit", *arguments, **more))


def tools_in(out):
    return [line.split("  ")[2] for line in out.splitlines()]


# ── Reading ─────────────────────────────────────────────────────────────────────────────────────


async def test_what_servers_write_is_checked_and_shown_wherever_the_database_is_known(url, tmp_path):
    for name in ("one", "two"):
        async with on_stdio(tmp_path / name, "auto", AURAL_STATE_URL=url) as agent:
            await ok(agent, "create_interview", title=name)
    assert not list(tmp_path.glob("*/audit*"))
    code, out, err = await command(tmp_path, "verify", AURAL_STATE_URL=url)
    assert (code, err) == (0, "")
    assert re.match(r"Intact: \d lines in table decision_log of AURAL_STATE_URL\.\nHead: [0-9a-f]{64}\nNote the", out)
    head = re.search("[0-9a-f]{64}", out)[0]
    assert (await command(tmp_path, "verify", "--expect", head, AURAL_STATE_URL=url))[0] == 0
    _, out, _ = await command(tmp_path, "show", "--what", "create", AURAL_STATE_URL=url)
    assert tools_in(out) == ["create_interview"] * 2
    writers = set(re.findall("writer ([0-9a-f]{12})", out))
    assert len(writers) == 2
    sql(url, f"delete from decision_log where writer = '{min(writers)}' and seq = 1")
    code, out, _ = await command(tmp_path, "verify", AURAL_STATE_URL=url)
    assert code == 1
    assert out.startswith(f"Line 2 of writer {min(writers)} comes after lines that were removed, numbers 1 to 1.\n")


async def test_lines_are_found_by_who_what_and_since_when(url, tmp_path):
    await written(url, tmp_path, ZOE, ANA)
    for options, found in (
        (["--who", "müller"], ["archive_interview", "get_session"]),
        (["--who", "ana", "--what", "archive"], ["archive_interview"]),
        (["--what", "get_session", "--last", "1"], ["get_session"]),
        (["--what", "get_session", "--since", "1h"], ["get_session", "get_session"]),
        (["--since", "2031-01-02"], []),
    ):
        code, out, _ = await command(tmp_path, "show", *options, AURAL_STATE_URL=url)
        assert (code, tools_in(out)) == (0, found), options
    _, out, _ = await command(tmp_path, "show", "--last", "3", AURAL_STATE_URL=url)
    assert len(out.splitlines()) == 3


async def test_a_file_that_is_named_is_this_computers_log_also_beside_a_database(url, tmp_path):
    path = tmp_path / "here.jsonl"
    given = {"AURAL_STATE_URL": url, "AURAL_AUDIT_LOG": str(path)}
    async with on_stdio(tmp_path, "auto", **given) as agent:
        await ok(agent, "create_interview", title="One")
    assert verify(path)[::2] == (1, [])
    assert sql(url, "select count(*) from decision_log") == [(0,)]
    assert (await command(tmp_path, "verify", **given))[1].startswith(f"Intact: 1 line in {path}.")
    code, _, err = await command(tmp_path, "show", AURAL_STATE_URL=url, AURAL_AUDIT_LOG="off")
    assert (code, err) == (1, "Error: AURAL_AUDIT_LOG is off: nothing is written down.\n")


async def test_what_somebody_looked_at_before_deciding_is_found_in_the_database(url, tmp_path):
    async with on_stdio(tmp_path, "auto", AURAL_STATE_URL=url) as agent:
        made = await published(agent, [{"text": "Why queues?", "type": "OPEN_ENDED"}])
        async with httpx.AsyncClient(follow_redirects=True, trust_env=False) as browser:
            await answer(browser, await begin(browser, made["url"]), "They hold back what would drown us.")
        [row] = (await ok(agent, "list_sessions", interviewId=made["id"]))["data"]
        await ok(agent, "get_session", sessionId=row["id"])
        given = {"sessionId": row["id"], "decision": "hold", "reason": "Waits for the panel."}
        asked = await ok(agent, "record_decision", **given)
        made = await ok(agent, "record_decision", **given, confirmation=asked["confirmation"])
    assert [each.split()[0] for each in made["lookedAt"]] == ["get_session"]


async def test_doctor_checks_the_log_where_it_is(url, tmp_path):
    _, out, _ = await anyio.to_thread.run_sync(lambda: aural_mcp(tmp_path, "doctor", "--offline", AURAL_STATE_URL=url))
    assert "The decision log in the database of AURAL_STATE_URL can be written." in out
    (tmp_path / "audit-spool-0123456789ab-1.jsonl").write_text("{}\n")
    _, out, _ = await anyio.to_thread.run_sync(lambda: aural_mcp(tmp_path, "doctor", "--offline", AURAL_STATE_URL=url))
    assert "Lines wait in" in out
    assert "audit-spool-0123456789ab-1.jsonl" in out


async def test_a_reason_in_the_database_that_names_somebody_who_is_erased_is_told_of(url, tmp_path):
    async with on_stdio(tmp_path, "auto", AURAL_STATE_URL=url) as agent:
        made = await published(agent, [{"text": "Why queues?", "type": "OPEN_ENDED"}])
        await ok(
            agent,
            "create_candidates",
            interviewId=made["id"],
            candidates=[{"name": "Robin Vega", "email": "robin@vega.example"}],
        )
        await ok(agent, "archive_interview", interviewId=made["id"], reason="Robin Vega was hired")
    code, out, err = await anyio.to_thread.run_sync(
        lambda: aural_mcp(tmp_path, "erase", "robin@vega.example", "--yes", AURAL_STATE_URL=url)
    )
    assert (code, err) == (0, "")
    assert "table decision_log of AURAL_STATE_URL: 1 line gives a reason that names them." in out
    assert "the table goes as a whole" in out


# ── Sending elsewhere ───────────────────────────────────────────────────────────────────────────


@contextmanager
def listening(made):
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield made
    finally:
        made.shutdown()
        thread.join()
        made.server_close()


async def test_exported_lines_are_those_that_stand_there_in_order_and_the_same_again(url, tmp_path):
    await written(url, tmp_path, ZOE, ANA)
    _, out, err = await command(tmp_path, "export", AURAL_STATE_URL=url)
    assert err == ""
    lines = [line_of(raw) for raw in out.encode().splitlines()]
    assert all(line.intact for line in lines)
    assert [line.at for line in lines] == sorted(line.at for line in lines)
    people = [line.by["name"] for line in lines if line.by]
    assert people == ["Zoë Müller"] * 2 + ["Ana Silva"] * 2
    assert (await command(tmp_path, "export", AURAL_STATE_URL=url))[1] == out
    since = lines[-1].said["at"]
    _, out, _ = await command(tmp_path, "export", "--since", since, AURAL_STATE_URL=url)
    assert lines[-1].hash in out
    assert len(out.splitlines()) < len(lines)


async def test_a_file_is_exported_too_less_what_cannot_be_read(tmp_path):
    path = tmp_path / "audit.jsonl"
    log = AuditLog(lambda: path)
    for _ in range(3):
        await log.record("publish_interview", "done", tenant=TENANT, ids={})
    whole = path.read_text()
    assert (await command(tmp_path, "export"))[:2] == (0, whole)
    path.write_text(whole + "torn\n")
    code, out, err = await command(tmp_path, "export")
    assert (code, out) == (0, whole)
    assert err == "Left out, as they cannot be read: 1 lines. See audit verify.\n"


RFC5424 = re.compile(
    r"<(\d+)>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) [\w.-]{1,255} aural-mcp ([0-9a-f]{12}) (\w{1,32}) - (\{.*\})"
)


@pytest.mark.parametrize("kind", ["udp", "tcp", "path"])
async def test_syslog_gets_messages_of_rfc_5424(url, tmp_path, kind):
    await written(url, tmp_path, ZOE)
    heard = []

    class Datagrams(socketserver.BaseRequestHandler):
        def handle(self):
            heard.append(self.request[0].decode())

    class Stream(socketserver.StreamRequestHandler):
        def handle(self):
            heard.extend(line.decode().rstrip("\n") for line in self.rfile)

    place = tmp_path / "log"
    made = {
        "udp": lambda: socketserver.UDPServer(("127.0.0.1", 0), Datagrams),
        "tcp": lambda: socketserver.TCPServer(("127.0.0.1", 0), Stream),
        "path": lambda: socketserver.UnixDatagramServer(str(place), Datagrams),
    }[kind]()
    address = str(place) if kind == "path" else f"{kind}://127.0.0.1:{made.server_address[1]}"
    with listening(made):
        code, out, err = await command(
            tmp_path, "export", "--to", "syslog", "--address", address, "--facility", "local3", AURAL_STATE_URL=url
        )
        assert (code, out, err) == (0, "", "")
        with anyio.fail_after(10):
            while len(heard) < 2:
                await anyio.sleep(0.02)
    for message in heard:
        priority, at, writer, tool, raw = RFC5424.fullmatch(message).groups()
        assert int(priority) == 19 * 8 + 6
        line = line_of(raw.encode())
        assert line.intact
        assert (at, writer, tool) == tuple(line.said[name] for name in ("at", "writer", "tool"))


async def test_where_syslog_takes_nothing_it_says_so(url, tmp_path):
    await written(url, tmp_path, ZOE)
    for address in (f"tcp://127.0.0.1:{free_port()}", str(tmp_path / "none")):
        code, out, err = await command(tmp_path, "export", "--to", "syslog", "--address", address, AURAL_STATE_URL=url)
        assert (code, out) == (1, ""), address
        assert "Not all was sent" in err
        assert "Traceback" not in err
    code, _, err = await command(tmp_path, "export", "--to", "syslog", "--address", "ftp://x", AURAL_STATE_URL=url)
    assert (code, "udp://host:514" in err) == (2, True)


@pytest.mark.parametrize("status", [200, 400])
async def test_a_collector_gets_each_line_as_a_record_or_the_command_fails(url, tmp_path, status):
    await written(url, tmp_path, ZOE, ANA)
    heard = []

    class Collector(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            heard.append((self.path, ExportLogsServiceRequest.FromString(body)))
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    with listening(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector)) as made:
        endpoint = f"http://127.0.0.1:{made.server_address[1]}"
        code, out, err = await command(
            tmp_path, "export", "--to", "otlp", AURAL_STATE_URL=url, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint
        )
    [(path, request)] = heard
    assert (path, code, out) == ("/v1/logs", 0 if status == 200 else 1, "")
    assert ("Not all was sent" in err) == (status == 400)
    [resource] = request.resource_logs
    records = [record for scope in resource.scope_logs for record in scope.log_records]
    lines = [line_of(record.body.string_value.encode()) for record in records]
    assert all(line.intact for line in lines)
    assert [round(record.time_unix_nano / 1e9, 3) for record in records] == [line.at for line in lines]
    first = {each.key: each.value.string_value or each.value.int_value for each in records[0].attributes}
    assert first["aural.tool"] == "archive_interview"
    assert (first["aural.seq"], first["aural.outcome"]) == (1, "done")

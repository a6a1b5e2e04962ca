"""Applications that publish who they are: their documents are read, and nothing else is fetched by asking for one."""

import asyncio
import json
import ssl

import pytest

from aural_mcp.events.addresses import networks
from aural_mcp.server.sign_in import applications
from aural_mcp.server.sign_in.applications import Documents
from signing import Place, asking, code_for, living, redeem, register
from smtp import certificate

REDIRECT = "http://127.0.0.1/callback"


class Publisher:
    """Somebody's web server: what it is asked, and what it answers."""

    def __init__(self, folder):
        self.pem, key = certificate(folder)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(self.pem, key)
        self.connections, self.asked, self.answer, self.hangs = 0, [], b"", False

    async def __aenter__(self):
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.context)
        self.port = self.server.sockets[0].getsockname()[1]
        self.id = f"https://127.0.0.1:{self.port}/app.json"
        self.publish()
        return self

    async def __aexit__(self, *_):
        self.server.close()

    def publish(self, status="200 OK", body=None, head="", **said):
        document = {"client_id": self.id, "client_name": "Editor", "redirect_uris": [REDIRECT], **said}
        body = json.dumps(document).encode() if body is None else body
        self.answer = f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n{head}\r\n".encode() + body

    async def _serve(self, reader, writer):
        self.connections += 1
        self.asked.append((await reader.readuntil(b"\r\n\r\n")).decode())
        if self.hangs:
            await reader.read()
        writer.write(self.answer)
        await writer.drain()
        writer.close()


@pytest.fixture
async def publisher(tmp_path):
    async with Publisher(tmp_path) as made:
        yield made


@pytest.fixture
async def http(world, tmp_path, publisher):
    documents = Documents(tuple(networks(["127.0.0.0/8"])), trusted=ssl.create_default_context(cafile=publisher.pem))
    async with living(Place(world, tmp_path, documents=documents)) as place, place.http() as made:
        yield made


async def test_an_application_is_known_by_its_document_and_may_listen_on_any_port_here(http, publisher):
    redirect = "http://127.0.0.1:51004/callback"
    page = await http.get(asking(publisher.id, redirect_uri=redirect))
    assert "Editor" in page.text
    assert f"127.0.0.1:{publisher.port} publishes what it says about itself" in page.text
    assert "a program on this computer" in page.text
    code = await code_for(http, publisher.id, redirect_uri=redirect)
    assert (await redeem(http, publisher.id, code, redirect_uri=redirect)).status_code == 200
    assert publisher.connections == 1
    (asked,) = publisher.asked
    assert asked.startswith("GET /app.json HTTP/1.1\r\n")
    assert "cookie" not in asked.lower()


@pytest.mark.parametrize(
    "published",
    [
        {"client_id": "https://127.0.0.1/another.json"},
        {"redirect_uris": ["javascript:alert(1)"]},
        {"redirect_uris": []},
        {"redirect_uris": None},
        {"grant_types": ["client_credentials"]},
        {"status": "302 Found", "head": "location: http://127.0.0.1:1/secret\r\n"},
        {"status": "404 Not Found"},
        {"body": b"<html>"},
        {"body": b"[]"},
        {"body": b"[" * 60_000},
        {"body": b"{" + b" " * applications.MOST_READ + b"}"},
        {"body": b"\xff\xfe{}"},
        {"status": "200 OK\r\ncontent-encoding: gzip", "body": b"\x1f\x8b\x08"},
    ],
)
async def test_a_document_that_is_none_lets_nobody_in(http, publisher, published):
    publisher.publish(**published)
    page = await http.get(asking(publisher.id, redirect_uri=REDIRECT))
    assert page.status_code == 400
    assert "publishes about itself" in page.text
    assert publisher.connections == 1


async def test_a_publisher_that_does_not_answer_is_not_waited_for(http, publisher, monkeypatch):
    monkeypatch.setattr(applications, "WITHIN", 0.2)
    publisher.hangs = True
    page = await http.get(asking(publisher.id, redirect_uri=REDIRECT))
    assert (page.status_code, "cannot be read" in page.text) == (400, True)


async def test_a_document_is_asked_for_once_however_many_ask(http, publisher):
    pages = await asyncio.gather(*(http.get(asking(publisher.id, redirect_uri=REDIRECT)) for _ in range(20)))
    assert {page.status_code for page in pages} == {200}
    publisher.publish(status="404 Not Found")
    await http.get(asking(f"{publisher.id}2", redirect_uri=REDIRECT))
    await http.get(asking(f"{publisher.id}2", redirect_uri=REDIRECT))
    assert publisher.connections == 2


async def test_a_flood_of_documents_that_are_none_puts_out_no_application_that_is_known(http, publisher, monkeypatch):
    monkeypatch.setattr(applications, "MOST_KEPT", 2)
    assert (await http.get(asking(publisher.id, redirect_uri=REDIRECT))).status_code == 200
    pages = [await http.get(asking(f"https://10.0.0.1/{number}")) for number in range(applications.PER_MINUTE + 3)]
    assert "Many applications asked just now" in pages[-1].text
    assert (await http.get(asking(publisher.id, redirect_uri=REDIRECT))).status_code == 200
    assert publisher.connections == 1


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:{port}",
        "localhost:{port}",
        "[::1]:{port}",
        "[::ffff:127.0.0.1]:{port}",
        "127.1:{port}",
        "0x7f000001:{port}",
        "2130706433:{port}",
        "0.0.0.0:{port}",
        "rebound.example:{port}",
        "mixed.example:{port}",
        "169.254.169.254",
        "10.0.0.1",
        "host.example@127.0.0.1:{port}",
    ],
)
async def test_nobody_makes_this_server_fetch_what_only_it_can_reach(world, tmp_path, publisher, host):
    async def lookup(name, port):
        return {"mixed.example": ["203.0.113.1", "127.0.0.1"]}.get(name, ["127.0.0.1"])

    trusted = ssl.create_default_context(cafile=publisher.pem)
    documents = Documents(lookup=lookup, trusted=trusted)
    async with living(Place(world, tmp_path, documents=documents)) as place, place.http() as http:
        client = f"https://{host.format(port=publisher.port)}/app.json"
        page = await http.get(asking(client, redirect_uri=REDIRECT))
    assert page.status_code == 400
    assert publisher.connections == 0


@pytest.mark.parametrize("client", ["https://host.example", "https://host.example/", "https://host.example/a/../b"])
async def test_an_address_that_is_nobody_s_own_document_is_no_id(http, client):
    page = await http.get(asking(client, redirect_uri=REDIRECT))
    assert page.status_code == 400


async def test_a_document_gives_no_way_to_another_application_s_code(http, publisher):
    client = await register(http)
    code = await code_for(http, client)
    assert (await redeem(http, publisher.id, code)).json()["error"] == "invalid_grant"

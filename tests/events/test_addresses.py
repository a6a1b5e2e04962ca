"""Where a webhook may go, checked at the socket."""

import asyncio
import ipaddress
import socket
import ssl
import subprocess

import pytest

import hostile
from aural_mcp.events import addresses
from aural_mcp.events.addresses import BadAddress, is_allowed, is_public, networks, read_url
from aural_mcp.events.sending import Webhook
from conftest import needs
from hostile import DELIVERY, KEYS, post, redirecting


@pytest.mark.parametrize(
    ("url", "host", "port", "shown"),
    [
        ("https://hooks.example.com/a?token=x", "hooks.example.com", 443, "https://hooks.example.com/a"),
        ("HTTP://Hooks.example.com:8080", "hooks.example.com", 8080, "http://hooks.example.com:8080/"),
        ("https://93.184.215.14/", "93.184.215.14", 443, "https://93.184.215.14/"),
        ("https://[2606:2800:21f::1]:8443/x", "2606:2800:21f::1", 8443, "https://[2606:2800:21f::1]:8443/x"),
        ("https://xn--bcher-kva.example/", "xn--bcher-kva.example", 443, "https://xn--bcher-kva.example/"),
        ("http://my_receiver:80/", "my_receiver", 80, "http://my_receiver:80/"),
    ],
)
def test_an_ordinary_url_is_read_and_shown_without_its_query(url, host, port, shown):
    target = read_url(url)
    assert (target.url.host.decode(), target.url.port, target.shown) == (host, port, shown)


@pytest.mark.parametrize("url", [*[f"http://{each}/" for each in hostile.NUMBERS], *hostile.OTHERS])
def test_a_url_that_could_be_read_in_two_ways_is_refused(url):
    with pytest.raises(BadAddress):
        read_url(url.format(port=80))


@pytest.mark.parametrize("port", ["0", "65536", "-1", "+80", "8_0", "٣"])
def test_a_port_is_a_number_from_1_to_65535(port):
    with pytest.raises(BadAddress):
        read_url(f"http://example.com:{port}/")


@pytest.mark.parametrize("host", [*hostile.IPV4, *hostile.IPV6, "192.0.2.1", "198.51.100.7", "203.0.113.9"])
def test_addresses_that_are_not_public_are_not_allowed(host):
    assert not is_allowed(host.strip("[]").partition("%")[0], [])


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.215.14", "100.63.255.255", "2606:4700::1111", "2a00:1450::1"])
def test_public_addresses_are(address):
    assert is_public(ipaddress.ip_address(address))


def test_the_operator_can_allow_others_and_only_those():
    allowed = networks(["127.0.0.0/8", "fd00::/8"])
    assert is_allowed("127.0.0.9", allowed)
    assert is_allowed("fd12::1", allowed)
    assert not is_allowed("10.0.0.1", allowed)
    assert not is_allowed("::ffff:127.0.0.1", allowed)
    with pytest.raises(BadAddress, match="--allow takes a network"):
        networks(["127.0.0.1/8"])


async def test_a_hundred_hostile_urls_reach_nothing_that_is_not_public(monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", hostile.Resolver())
    server = await asyncio.start_server(redirecting, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    tried = hostile.urls(port, port)
    assert len(tried) >= 100
    async with server:
        with hostile.socket_watched() as reached:
            for url in tried:
                await post(url, ["127.0.0.1/32"] if url.rsplit("/", 1)[1] in hostile.REDIRECTS else [])
    assert hostile.not_public(reached, but=f"127.0.0.1:{port}") == []
    assert reached.count(f"127.0.0.1:{port}") == 2 * len(hostile.REDIRECTS)
    assert reached.count(f"{hostile.PUBLIC}:{port}") == len(hostile.REBINDING)


async def test_a_name_is_looked_up_once_for_each_connection():
    asked = []

    async def lookup(host, port):
        asked.append((host, port))
        return ["127.0.0.1"]

    server = await asyncio.start_server(redirecting, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        webhook = Webhook(
            "ep", read_url(f"http://hooks.example:{port}/204"), KEYS, networks(["127.0.0.1"]), lookup=lookup
        )
        assert (await webhook.send(DELIVERY)).error is None
        await webhook.aclose()
    assert asked == [("hooks.example", port)]


async def test_one_answer_that_is_not_public_spoils_the_name():
    async def lookup(host, port):
        return [hostile.PUBLIC, "10.0.0.1"]

    webhook = Webhook("ep", read_url("http://mixed.example/"), KEYS, lookup=lookup)
    with hostile.socket_watched() as reached:
        outcome = await webhook.send(DELIVERY)
    assert outcome.error == "the host leads to an address that is not public; --allow would allow it"
    assert reached == []


async def test_a_lookup_that_does_not_end_is_given_up(monkeypatch):
    monkeypatch.setattr(addresses, "LOOKUP_TIME", 0.05)

    async def lookup(host, port):
        await asyncio.sleep(3600)

    webhook = Webhook("ep", read_url("http://tarpit.example/"), KEYS, lookup=lookup)
    assert (await webhook.send(DELIVERY)).error == "no connection"


async def test_tls_keeps_the_hosts_name_and_checks_its_certificate(tmp_path, monkeypatch):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subject = ["-subj", "/CN=hooks.example", "-addext", "subjectAltName=DNS:hooks.example"]
    made = [needs("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject]
    subprocess.run([*made, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    context, named = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), []
    context.load_cert_chain(certificate, key)
    context.sni_callback = lambda _socket, name, _context: named.append(name)

    async def lookup(host, port):
        return ["127.0.0.1"]

    server = await asyncio.start_server(redirecting, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    async with server:
        for host, trusted, error in (
            ("hooks.example", False, "its certificate is not accepted"),
            ("hooks.example", True, None),
            ("other.example", True, "its certificate is not accepted"),
        ):
            monkeypatch.setenv("SSL_CERT_FILE", str(certificate)) if trusted else None
            target = read_url(f"https://{host}:{port}/204")
            webhook = Webhook("ep", target, KEYS, networks(["127.0.0.1"]), lookup=lookup)
            assert (await webhook.send(DELIVERY)).error == error
            await webhook.aclose()
    assert named == ["hooks.example", "hooks.example", "other.example"]

"""A hundred URLs that want to reach what is not public, a resolver that helps them, and a watch at the socket."""

from __future__ import annotations

import ipaddress
import socket
import sys
from contextlib import contextmanager

from aural_mcp.events.addresses import BadAddress, networks, read_url
from aural_mcp.events.outbox import Delivery
from aural_mcp.events.sending import Webhook

PUBLIC = "93.184.215.14"
PORT = "{port}"
DELIVERY = Delivery("msg_1", "session.completed", '{"type":"session.completed"}', 0)
KEYS = [b"k" * 32]

NUMBERS = """
2130706433 0x7f000001 017700000001 0177.0.0.1 0x7f.0.0.1 127.1 127.0.1 0 00000177.0.0.1 127.0.0.1. 0x7f.1 127.0.0.01
127.0.0.0x1 0251.0376.0251.0376 2852039166 0xA9FEA9FE 169.254.43518 127.0.0.1%00 127.0.0.1%2f 4294967297
""".split()
IPV4 = """
127.0.0.1 127.255.255.254 10.0.0.1 172.16.0.1 192.168.1.1 169.254.169.254 100.64.0.1 100.100.100.200 0.0.0.0
192.0.0.192 198.18.0.1 224.0.0.1 239.255.255.250 255.255.255.255 240.0.0.1 192.88.99.1 168.63.129.16
""".split()
IPV6 = """
[::1] [::] [::ffff:127.0.0.1] [::ffff:7f00:1] [::127.0.0.1] [64:ff9b::7f00:1] [64:ff9b:1::7f00:1] [2002:7f00:1::]
[2001:0:7f00:1::1] [fe80::1] [fe80::1%25lo] [fc00::1] [fd00:ec2::254] [ff02::1] [fec0::1] [2001:db8::1] [100::1]
[3fff::1] [5f00::1] [2001:20::1] [::ffff:0:127.0.0.1] [2606:4700::5efe:7f00:1] [::ffff:a9fe:a9fe] [64:ff9b::a9fe:a9fe]
""".split()
NAMES = {
    "localhost": ["127.0.0.1", "::1"],
    "localhost.localdomain": ["127.0.0.1"],
    "metadata.google.internal": ["169.254.169.254"],
    "metadata": ["169.254.169.254"],
    "instance-data": ["169.254.169.254"],
    "kubernetes.default.svc": ["10.96.0.1"],
    "host.docker.internal": ["172.17.0.1"],
    "127.0.0.1.nip.io": ["127.0.0.1"],
    "mapped.example": ["::ffff:127.0.0.1"],
    "nat64.example": ["64:ff9b::7f00:1"],
    "mixed.example": [PUBLIC, "127.0.0.1"],
    "mixed6.example": [PUBLIC, "::1"],
    "unspecified.example": ["0.0.0.0"],
}
REBINDING = [f"rebind{n}.example" for n in range(4)]
OTHERS = [
    f"http://example.com@127.0.0.1:{PORT}/",
    f"http://example.com:80@127.0.0.1:{PORT}/",
    f"http://127.0.0.1:{PORT}\\@example.com/",
    f"http://127.0.0.1:{PORT}#@example.com/",
    f"http://example.com%40127.0.0.1:{PORT}/",
    f"http:///127.0.0.1:{PORT}/",
    f"http:127.0.0.1:{PORT}/",
    f"//127.0.0.1:{PORT}/",
    "file:///etc/passwd",
    f"gopher://127.0.0.1:{PORT}/_x",
    f"ftp://127.0.0.1:{PORT}/",
    "unix:///var/run/docker.sock",
    f"http://127.0.0.1:{PORT} .example.com/",
    f"http://127.0.0.1:{PORT}/\r\nHost: example.com",
    f"http://127.0.0.1\t:{PORT}/",
    f"http://①②⑦.⓪.⓪.①:{PORT}/",
    f"http://127。0。0。1:{PORT}/",
    f"http://ⓛocalhost:{PORT}/",
]
REDIRECTS = ["301", "302", "307", "308"]


def urls(port: int, redirector: int) -> list[str]:
    """The hundred: `port` is what they want to reach, `redirector` answers 3xx to it and is allowed itself."""
    hosts = [*NUMBERS, *IPV4, *IPV6, *NAMES, *REBINDING]
    made = [f"http://{host}:{port}/" for host in hosts]
    made += [each.format(port=port) for each in OTHERS]
    return made + [f"http://127.0.0.1:{redirector}/{status}" for status in REDIRECTS]


class Resolver:
    """Stands for `socket.getaddrinfo`: names lead where they want, of `REBINDING` elsewhere each second time."""

    def __init__(self) -> None:
        self._asked: dict[str, int] = {}
        self._real = socket.getaddrinfo

    def __call__(self, host, port, family=0, type=0, proto=0, flags=0):
        name = host.decode() if isinstance(host, bytes) else host
        if name in REBINDING:
            self._asked[name] = self._asked.get(name, 0) + 1
            found = [PUBLIC if self._asked[name] % 2 else "127.0.0.1"]
        elif name in NAMES:
            found = NAMES[name]
        else:
            try:
                found = [str(ipaddress.ip_address(name))]
            except ValueError:
                return self._real(host, port, family, type, proto, flags | socket.AI_NUMERICHOST)
        kinds = [(socket.AF_INET6 if ":" in each else socket.AF_INET, each) for each in found]
        return [
            (kind, socket.SOCK_STREAM, 6, "", (each, port, 0, 0) if kind == socket.AF_INET6 else (each, port))
            for kind, each in kinds
        ]


REACHED: list[str] = []
WATCHED: list[int] = []


def _at_the_socket(event: str, given) -> None:
    """Note where a connection would go, and let none of them leave this computer."""
    if event == "socket.connect" and WATCHED and isinstance(given[1], tuple):
        REACHED.append(f"{given[1][0]}:{given[1][1]}")
        if not str(given[1][0]).startswith("127."):
            raise ConnectionRefusedError("not from a test")


@contextmanager
def socket_watched():
    """Gives the list of the addresses that are connected to, as host:port."""
    if not getattr(sys, "aural_mcp_hooked", False):
        sys.aural_mcp_hooked = True
        sys.addaudithook(_at_the_socket)
    REACHED.clear()
    WATCHED.append(1)
    try:
        yield REACHED
    finally:
        WATCHED.pop()


def not_public(reached: list[str], but: str) -> list[str]:
    """Those that are not public, the allowed redirector aside."""
    found = []
    for each in reached:
        host = each.rpartition(":")[0]
        if each != but and host != PUBLIC:
            found.append(each)
    return found


async def redirecting(reader, writer):
    status = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode().strip("/")
    port = writer.get_extra_info("sockname")[1]
    writer.write(f"HTTP/1.1 {status} X\r\nlocation: http://127.0.0.2:{port}/\r\ncontent-length: 0\r\n\r\n".encode())
    await writer.drain()
    writer.close()


async def post(url, allow):
    """Twice, as a name may lead elsewhere the second time; nothing may arrive."""
    try:
        webhook = Webhook("ep", read_url(url), KEYS, networks(allow))
    except BadAddress:
        return
    for _ in range(2):
        assert (await webhook.send(DELIVERY)).error
    await webhook.aclose()

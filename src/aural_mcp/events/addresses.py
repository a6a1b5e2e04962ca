"""Where a webhook may go: an address is read strictly, resolved once, and connected to only if it is public.

What a name resolves to is looked at by the very step that connects, so nothing can change in between. Not through
a proxy: what that would connect to cannot be seen.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlsplit

import anyio
import httpcore2

IP = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Lookup = Callable[[str, int], Awaitable[Sequence[str]]]
LONGEST_URL, LONGEST_HOST = 2048, 253
LOOKUP_TIME, CONNECT_TIME = 5.0, 5.0
"""Seconds."""
MOST_TRIED = 3
"""Addresses of a name that are tried, one after the other."""
LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
NUMBER = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")
NOT_PUBLIC = [
    ipaddress.ip_network(each)
    for each in """
    0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24
    192.31.196.0/24 192.52.193.0/24 192.88.99.0/24 192.168.0.0/16 192.175.48.0/24 198.18.0.0/15 198.51.100.0/24
    203.0.113.0/24 224.0.0.0/4 240.0.0.0/4 168.63.129.16/32
    2001::/23 2001:db8::/32 2002::/16 2620:4f:8000::/48 3fff::/20
    """.split()
]
"""IANA's special-purpose addresses, tunnels that wrap an IPv4 address, and Azure's host, which looks public."""
GLOBAL_IPV6 = ipaddress.IPv6Network("2000::/3")
"""All that is given out; IPv4-mapped, NAT64, link-local, unique local and multicast addresses lie outside."""
ISATAP = (0x00005EFE, 0x02005EFE)


class BadAddress(ValueError):
    """A URL that cannot be posted to; the message is one sentence with a hint."""


class NotAllowed(httpcore2.ConnectError):
    """A host that leads to an address which is not public, and which the operator did not allow."""


@dataclass(frozen=True)
class Target:
    """An address that was read: what is posted to, its `Host`, and what is shown: its query may hold a secret."""

    url: httpcore2.URL
    host: str
    shown: str


def read_url(text: str) -> Target:
    """Read an http(s) URL strictly, so that nothing that looks like one host is another.

    Raises:
        BadAddress: it is not one, or could be read in two ways.
    """
    if len(text) > LONGEST_URL or not re.fullmatch(r"[!-~]+", text) or any(each in text for each in '\\"<>^`{|}'):
        raise BadAddress("A webhook's URL is plain ASCII without spaces: write other letters as xn--... or %XX.")
    scheme, separator, rest = text.partition("://")
    if not separator or scheme.lower() not in ("http", "https"):
        raise BadAddress("A webhook's URL begins with https:// or http://.")
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if "@" in authority or "#" in rest:
        raise BadAddress("A webhook's URL has no user name, password or fragment: put a secret into its query.")
    host, port = _authority(authority, 443 if scheme.lower() == "https" else 80)
    parts = urlsplit(text)
    path = parts.path or "/"
    url = httpcore2.URL(
        scheme=scheme.lower().encode(),
        host=host.encode(),
        port=port,
        target=(path + (f"?{parts.query}" if parts.query else "")).encode(),
    )
    return Target(url, authority.lower(), f"{scheme.lower()}://{authority.lower()}{path}")


def without_query(url: str) -> str:
    """A URL as it is shown, or what stands for one as it is."""
    return url.partition("?")[0]


def _authority(text: str, default_port: int) -> tuple[str, int]:
    """The host, lower case, and the port."""
    matched = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:]+)(?::([0-9]{1,5}))?", text)
    if matched is None:
        raise BadAddress("A webhook's URL looks like https://host/path, or https://host:port/path.")
    host, port = matched[1].lower(), int(matched[2] or default_port)
    if not 0 < port < 65536:
        raise BadAddress("The port of a webhook's URL is a number from 1 to 65535.")
    if host.startswith("["):
        try:
            return str(ipaddress.IPv6Address(host[1:-1])), port
        except ValueError:
            raise BadAddress("What stands in brackets in a webhook's URL is not an IPv6 address.") from None
    labels = host.split(".")
    if len(host) > LONGEST_HOST or not all(LABEL.fullmatch(label) for label in labels):
        raise BadAddress("The host of a webhook's URL is a name such as hooks.example.com, or an IP address.")
    if NUMBER.fullmatch(labels[-1]):  # whatever ends in a number is an address, and there is one way to write it
        try:
            return str(ipaddress.IPv4Address(host)), port
        except ValueError:
            raise BadAddress("An IPv4 address is written as four decimal numbers, e.g. 192.0.2.1.") from None
    return host, port


def is_public(address: IP) -> bool:
    """Whether an address can be a stranger's on the internet, and nothing else."""
    if isinstance(address, ipaddress.IPv6Address):
        tunnelled = (int(address) >> 32) & 0xFFFFFFFF in ISATAP
        if address not in GLOBAL_IPV6 or address.scope_id is not None or tunnelled:
            return False
    elif not address.is_global:
        return False
    return not any(address in network for network in NOT_PUBLIC if network.version == address.version)


def networks(given: Iterable[str]) -> list[Network]:
    """What `--allow` names.

    Raises:
        BadAddress: one of them is not a network.
    """
    try:
        return [ipaddress.ip_network(each) for each in given]
    except ValueError:
        raise BadAddress("--allow takes a network such as 10.1.0.0/16 or fd00::/8, or one address.") from None


def is_allowed(address: str, allowed: Sequence[Network]) -> bool:
    """Whether a connection may be made to an address."""
    try:
        read = ipaddress.ip_address(address)
    except ValueError:
        return False
    return is_public(read) or any(read in network for network in allowed if network.version == read.version)


def refuse_if_known(target: Target, allowed: Sequence[Network]) -> None:
    """Refuse at once what will surely not be connected to; a name is looked up only when it is.

    Raises:
        BadAddress: the URL's host is an address that is not public, and not allowed.
    """
    host = target.url.host.decode()
    known = "127.0.0.1" if host == "localhost" else host
    if re.search(r":|\.[0-9]+$", known) and not is_allowed(known, allowed):
        allow = "--allow 127.0.0.1 --allow ::1" if host == "localhost" else f"--allow {known}"
        raise BadAddress(f"{host} is not a public address. {allow} lets webhooks go there all the same.")


async def look_up(host: str, port: int) -> Sequence[str]:
    """The addresses of a host name, or an address as it is."""
    try:
        return [str(ipaddress.ip_address(host))]
    except ValueError:
        found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return list(dict.fromkeys(str(each[4][0]) for each in found))


class Guarded(httpcore2.AsyncNetworkBackend):
    """Connects to addresses that are allowed and to no others; TLS keeps the host's name.

    Args:
        allowed: the networks that are allowed although they are not public.
        lookup: gives the addresses of a host.
    """

    def __init__(self, allowed: Sequence[Network], lookup: Lookup = look_up) -> None:
        self._allowed, self._lookup = allowed, lookup
        self._wire = cast("httpcore2.AsyncNetworkBackend", httpcore2.AnyIOBackend())

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Look the host up, once, and connect to one of its addresses if all of them are allowed."""
        failed: Exception = httpcore2.ConnectError("no address")
        for address in (await self._addresses(host, port))[:MOST_TRIED]:
            try:
                stream = await self._wire.connect_tcp(address, port, timeout or CONNECT_TIME, local_address)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failed = error
                continue
            peer = cast("tuple[Any, ...] | None", stream.get_extra_info("server_addr"))
            if peer is not None and is_allowed(str(peer[0]), self._allowed):
                return stream
            await stream.aclose()
            raise NotAllowed("another peer")
        raise failed

    async def _addresses(self, host: str, port: int) -> Sequence[str]:
        try:
            with anyio.fail_after(LOOKUP_TIME):
                found = await self._lookup(host, port)
        except (OSError, UnicodeError, TimeoutError) as error:
            raise httpcore2.ConnectError("not found") from error
        if not all(is_allowed(each, self._allowed) for each in found):
            raise NotAllowed("not public")
        return found

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore2.AsyncNetworkStream:
        """Never: a webhook goes over the network."""
        raise NotAllowed("a socket file")

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await anyio.sleep(seconds)

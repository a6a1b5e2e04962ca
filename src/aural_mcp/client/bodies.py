"""The body of an answer: unpacked piece by piece as far as it may go, and read as JSON without keys."""

from __future__ import annotations

import json
import math
import re
import zlib
from collections.abc import AsyncIterable, AsyncIterator
from typing import Any, cast

import anyio.lowlevel
import httpx

from aural_mcp.bounds import LARGE, weigh
from aural_mcp.safety import keyless, mapped

LARGEST, MOST_VALUES = 64_000_000, 500_000
"""Bytes of an answer, unpacked, beyond which it is not read any further, and values that it may hold."""
PIECE = 4_096
"""Packed bytes that are unpacked at once: a thousand times as many may come out."""
HALF_A_CHARACTER = re.compile(rb"\\u[dD][89a-fA-F]")
"""What may spell one, which nobody could write down."""
DEEPEST = 100
"""Levels of an answer; Aural's have ten at most."""


class TooLarge(Exception):
    """An answer that is not read any further."""


async def whole(response: httpx.Response) -> httpx.Response:
    """The response with all of its body, unpacked.

    Raises:
        TooLarge: there is more than `LARGEST`.
        DecodingError: it is packed in another way than gzip, or the package is broken.
    """
    said, body = response.headers.get("content-length", ""), bytearray()
    if said.isdecimal() and int(said[:20]) > LARGEST:
        raise TooLarge
    async for part in _unpacked(response):
        body += part
        if len(body) > LARGEST:
            raise TooLarge
    packing = (b"content-encoding", b"content-length", b"transfer-encoding")
    headers = [(name, value) for name, value in response.headers.raw if name.lower() not in packing]
    return httpx.Response(response.status_code, headers=headers, content=bytes(body))


async def _unpacked(response: httpx.Response) -> AsyncIterator[bytes]:
    stream = cast("AsyncIterable[bytes]", response.stream)
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding in ("identity", ""):
        async for part in stream:
            yield part
        return
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise httpx.DecodingError(f"The answer is packed as {encoding}, which was not asked for.")
    unpacking = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
    try:
        async for part in stream:
            for start in range(0, len(part), PIECE):
                yield unpacking.decompress(part[start : start + PIECE])
                await anyio.lowlevel.checkpoint()
    except zlib.error as error:
        raise httpx.DecodingError("The answer cannot be unpacked.") from error
    if not unpacking.eof:
        raise httpx.DecodingError("The end of the answer is missing.")


def read_json(response: httpx.Response) -> Any:
    """What a body says, without keys. A number that is none, as some backends write for nothing, is null.

    Raises:
        ValueError: it is not JSON, or holds more, or is nested deeper, than anything of Aural's.
    """
    if len(response.content) > LARGE:
        weigh(response.content, MOST_VALUES)
    try:
        body = response.json(parse_constant=_finite, parse_float=_finite)
        if HALF_A_CHARACTER.search(response.content):
            text = json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogatepass")
            body = json.loads(text.decode("utf-8", "replace"))
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    level = [body]
    for _ in range(DEEPEST):
        if not (level := [inner for each in level for inner in _within(each)]):
            return mapped(body, keyless)
    raise ValueError("nested too deeply")


def _finite(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None


def _within(value: Any) -> list[Any]:
    """The lists and objects that a value holds."""
    held = [*cast("dict[str, Any]", value).values()] if isinstance(value, dict) else cast("list[Any]", value)
    return [each for each in held if isinstance(each, dict | list)] if isinstance(value, dict | list) else []

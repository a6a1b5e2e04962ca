"""The body of an answer: unpacked piece by piece as far as it may go, and read as JSON without keys."""

from __future__ import annotations

import json
import math
import re
import zlib
from collections.abc import AsyncIterable, AsyncIterator, Callable
from contextlib import suppress
from functools import cache
from typing import Any, TypeVar, cast

import anyio.lowlevel
import httpx
from pydantic import BaseModel, create_model

from aural_mcp.api.models import Rows
from aural_mcp.bounds import between_strings, weigh
from aural_mcp.config import KEY_PREFIX
from aural_mcp.safety import keyless, mapped

M = TypeVar("M", bound=BaseModel)

LARGEST, MOST_VALUES = 64_000_000, 500_000
"""Bytes of an answer, unpacked, beyond which it is not read any further, and values that it may hold."""
PIECE = 4_096
"""Packed bytes that are unpacked at once: a thousand times as many may come out."""
HALF_A_CHARACTER = re.compile(rb"\\u[dD][89a-fA-F]|\xed[\xa0-\xbf]")
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


def read(model: type[M], response: httpx.Response) -> M:
    """What a body holds under `data`, without keys; of rows, what stands beside them too.

    Raises:
        ValueError: as `read_json`, or it is not what the model says.
        KeyError, TypeError: there is no `data` in it.
    """
    weigh(response.content, MOST_VALUES)
    if _is_plain(response.content):
        with suppress(ValueError):  # the other way says what is wrong with it
            return _in_one_go(model)(response.content)
    body = read_json(response)
    return model.model_validate(body if issubclass(model, Rows) else body["data"])


def _is_plain(raw: bytes) -> bool:
    """Whether a body spells no key, half a character or a number that is none, whatever its form."""
    if (b"_" in raw and KEY_PREFIX.encode() in raw) or (b"\\" in raw and b"\\u" in raw):
        return False
    plain = WORDS.sub(b"", between_strings(raw))
    return not any(map(plain.__contains__, b"eENI")) and LONG_NUMBER.search(plain) is None


WORDS, LONG_NUMBER = re.compile(rb"true|false|null"), re.compile(rb"\d{300}")


@cache
def _in_one_go(model: type[M]) -> Callable[[bytes], M]:
    """Reads and validates at once, which takes a third less."""
    if issubclass(model, Rows):
        return model.model_validate_json
    envelope = create_model("Envelope", data=(model, ...))
    return lambda content: cast("Any", envelope.model_validate_json(content)).data


def read_json(response: httpx.Response) -> Any:
    """What a body says, without keys. A number that is none, as some backends write for nothing, is null.

    Raises:
        ValueError: it is not JSON, or holds more, or is nested deeper, than anything of Aural's.
    """
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

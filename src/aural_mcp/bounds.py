"""How much foreign input may hold, counted before any work that grows with it; what takes long is done aside."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import chain, islice
from typing import Any, TypeVar, cast

import anyio.to_thread
from anyio.lowlevel import RunVar

T = TypeVar("T")
LARGE = 64 * 1024
"""Characters or bytes from which a text is weighed before it is read."""
MOST_VALUES = 100_000
"""What one JSON text may hold: reading each value costs about a microsecond, and nothing else runs meanwhile."""
_lane: RunVar[anyio.CapacityLimiter] = RunVar("lane")


class TooMuch(ValueError):
    """A JSON text holds more values than are read."""

    def __init__(self, most: int) -> None:
        super().__init__(f"holds more than {most:,} values")


def weigh(text: str | bytes, most: int = MOST_VALUES) -> None:
    """Count what a JSON text holds, in a few passes that are fast and short; what is no JSON is for its reader.

    Raises:
        TooMuch: it is more than is read.
    """
    if len(text) <= 2 * most:  # each value takes two characters
        return
    raw = text.encode(errors="replace") if isinstance(text, str) else text
    plain = _unescaped(raw)
    if plain.count(b'"') > 5 * most:
        raise TooMuch(most)
    if sum(map(_between(plain).count, (b",", b"{", b"["))) > most:
        raise TooMuch(most)


def between_strings(raw: bytes) -> bytes:
    """What of a JSON text stands outside its strings."""
    return _between(_unescaped(raw))


def _unescaped(raw: bytes) -> bytes:
    return raw if b"\\" not in raw else raw.replace(b"\\\\", b"").replace(b'\\"', b"")


def _between(plain: bytes) -> bytes:
    return b"".join(plain.split(b'"')[::2])


def is_large(value: Any, most: int = LARGE) -> bool:
    """Whether a value has more characters, 16 for each item; looks no further than it has to."""
    left, todo = most, [value]
    while todo:
        each: Any = todo.pop()
        left -= len(each) if isinstance(each, str) else 16
        if left < 0:
            return True
        if isinstance(each, dict):
            fields = cast("dict[str, Any]", each)
            todo += islice(chain.from_iterable(fields.items()), most)
        elif isinstance(each, list):
            todo += islice(cast("list[Any]", each), most)
    return False


async def aside(function: Callable[..., T], *given: Any, **more: Any) -> T:
    """Carry out what may take over 20 ms in a thread, while others are answered; one at a time, or they were not."""
    try:
        lane = _lane.get()
    except LookupError:
        lane = anyio.CapacityLimiter(1)
        _lane.set(lane)
    return await anyio.to_thread.run_sync(partial(function, *given, **more), limiter=lane)

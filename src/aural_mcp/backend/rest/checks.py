"""What the rules of `intake` share: refusals, and values as Aural's language reads them."""

from __future__ import annotations

import json
from typing import Any, NoReturn, cast

from aural_mcp.backend.rest.javascript import kind_of
from aural_mcp.backend.storage.store import UNSTORABLE, Row
from aural_mcp.bounds import TooMuch, weigh

INT4 = 2147483647


class Refused(Exception):
    """A request that is answered with an error: HTTP status, Aural's code, and the message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def bad(message: str) -> NoReturn:
    """Refuse the request as 400."""
    raise Refused(400, message)


def expected(wanted: str, value: Any) -> NoReturn:
    """Refuse a value of the wrong type, as Aural says it."""
    bad(f"Invalid input: expected {wanted}, received {kind_of(value)}")


def parse(raw: bytes, message: str) -> Any:
    """The JSON of a body; anything else is refused with the route's message, one that takes too long with ours."""
    try:
        weigh(raw)
        return json.loads(raw, parse_constant=_no_constant)
    except TooMuch as much:
        bad(f"The request body {much}.")
    except (ValueError, RecursionError):
        bad(message)


def is_one_of(value: Any, choices: tuple[str, ...]) -> bool:
    """Whether it is one of the words."""
    return isinstance(value, str) and value in choices


def is_strings(value: Any) -> bool:
    """Whether it is a list of texts."""
    return isinstance(value, list) and all(isinstance(item, str) for item in cast("list[Any]", value))


def is_rubric(value: Any) -> bool:
    """Whether it is a list of criteria."""
    return isinstance(value, list) and all(
        isinstance(item, dict)
        and isinstance(cast("Row", item).get("name"), str)
        and isinstance(cast("Row", item).get("description"), str)
        for item in cast("list[Any]", value)
    )


def int4(name: str, value: float) -> int:
    """A number that fits into the column."""
    return int(value) if value <= INT4 else bad(f"{name} must be at most {INT4}.")


def object_or_empty(body: Any) -> Row:
    """An object; anything else counts as an empty one."""
    return cast("Row", body) if isinstance(body, dict) else {}


def text_or(value: Any, default: str | None) -> str | None:
    """A text; anything else is the default."""
    return value if isinstance(value, str) else default


def name_or(value: Any, default: str) -> str:
    """A text that is not blank, trimmed; anything else is the default."""
    return trimmed(value) or default


def one_of(value: Any, choices: tuple[str, ...], default: str) -> str:
    """One of the words; anything else is the default."""
    return value if is_one_of(value, choices) else default


def trimmed(value: Any) -> str:
    """A text without spaces around it; anything else is an empty one."""
    return value.strip() if isinstance(value, str) else ""


def storable(row: Row) -> Row:
    """The row, refused where a text cannot be stored: NUL characters and lone surrogates."""
    for name, value in row.items():
        if UNSTORABLE.search(_all_text(value)):
            bad(f"{name} contains a character that cannot be stored (NUL or half of a surrogate pair).")
    return row


def _all_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        pairs = cast("Row", value).items()
        return "".join(key + _all_text(item) for key, item in pairs)
    return "".join(_all_text(item) for item in cast("list[Any]", value)) if isinstance(value, list) else ""


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")

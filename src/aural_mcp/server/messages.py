"""What is answered to a message that is none: JSON-RPC errors in our words, under the id that it carries.

The SDK drops what it cannot parse, takes a request whose id is none for a notification, and gives its validator's
words over HTTP. Nothing here looks at a message that the SDK took as a request.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, cast

from mcp.types import (
    INVALID_PARAMS,
    INVALID_REQUEST,
    PARSE_ERROR,
    ErrorData,
    JSONRPCError,
    JSONRPCResponse,
    jsonrpc_message_adapter,
)
from pydantic import ValidationError
from pydantic_core import from_json

from aural_mcp.safety import quoted
from aural_mcp.server.arguments import half_a_character, is_text

NO_JSON = "This is not JSON. Send one JSON-RPC message, in UTF-8."
TOO_DEEP = "This is nested deeper than anything here needs, or holds a number that is none. Send it flatter."
BATCH = "Batches are not taken. Send each message by itself."
NO_MESSAGE = 'This is no JSON-RPC message. Send an object with "jsonrpc": "2.0", method, params, and id for an answer.'
NO_VERSION = 'Every message carries "jsonrpc": "2.0".'
NO_ID = "id must be text or a whole number, and is left out of notifications."
NO_METHOD = "method must be text, such as tools/list."
NO_PARAMS = "params must be an object, or be left out."
NO_TEXT = "This is no text: it holds half a character (a lone surrogate) or bytes that are not UTF-8. Send it as UTF-8."


class Refusal(JSONRPCError):
    """An error under any id that is text or a number; the SDK's takes whole numbers only."""

    id: Any = None  # pyright: ignore[reportIncompatibleVariableOverride]


Reply = Refusal | JSONRPCResponse


def replies(sent: str | bytes) -> Sequence[Reply]:
    """The answers to a message that the SDK refused or took for a notification; none where it is in order.

    Args:
        sent: as it came; bytes that are not UTF-8 are surrogates in a text.
    """
    text = sent.decode(errors="surrogateescape") if isinstance(sent, bytes) else sent
    try:
        message = json.loads(text)
    except RecursionError:
        return [refusal(None, PARSE_ERROR, TOO_DEEP)]
    except ValueError:
        return [refusal(None, PARSE_ERROR, NO_JSON)]
    if isinstance(message, list):
        return _batch(cast("list[Any]", message))
    if not isinstance(message, dict):
        return [refusal(None, INVALID_REQUEST, NO_MESSAGE)]
    try:
        reply = _reply(cast("dict[str, Any]", message), text)
    except RecursionError:
        return [refusal(None, PARSE_ERROR, TOO_DEEP)]
    return [reply] if reply else []


def refusal(number: Any, code: int, words: str) -> Refusal:
    """An error; under no id where the message's own is none."""
    return Refusal(jsonrpc="2.0", id=_echoed(number), error=ErrorData(code=code, message=words))


def _echoed(number: Any) -> Any:
    """The id under which the sender waits; bytes in it that are no UTF-8 come back as every reader shows them."""
    if isinstance(number, str) and not is_text(number):
        with suppress(UnicodeEncodeError):
            return number.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return number if _is_id(number) else None


def _batch(messages: list[Any]) -> list[Reply]:
    """An error for each request of a batch, so that nobody waits for one of them."""
    asked = [cast("dict[str, Any]", each) for each in messages if isinstance(each, dict)]
    numbers = [each["id"] for each in asked if "method" in each and _is_id(each.get("id"))]
    return [refusal(number, INVALID_REQUEST, BATCH) for number in numbers or [None]]


def _reply(message: Mapping[str, Any], text: str) -> Reply | None:
    number = message.get("id") if "method" in message or not {"result", "error"} & message.keys() else None
    if problem := _problem(message):
        return refusal(number, *problem)
    if not is_text(message):
        return _half_an_argument(message) or refusal(number, PARSE_ERROR, NO_TEXT)
    try:
        from_json(text)
        jsonrpc_message_adapter.validate_python(message, by_name=False)
    except ValidationError:
        return refusal(number, INVALID_REQUEST, NO_MESSAGE)
    except ValueError:
        return refusal(number, PARSE_ERROR, TOO_DEEP)
    return None


def _problem(message: Mapping[str, Any]) -> tuple[int, str] | None:
    """What is wrong with the envelope, as code and words."""
    if message.get("jsonrpc") != "2.0":
        return INVALID_REQUEST, NO_VERSION
    if "method" not in message and {"result", "error"} & message.keys():
        return None
    if "id" in message and (isinstance(message["id"], float) or not _is_id(message["id"])):
        return INVALID_REQUEST, NO_ID
    if not isinstance(message.get("method"), str):
        return INVALID_REQUEST, NO_METHOD
    if not isinstance(message.get("params"), dict | None):
        return INVALID_PARAMS, NO_PARAMS
    return None


def _is_id(value: Any) -> bool:
    """Whether an answer can be sent under this id."""
    if isinstance(value, str):
        return is_text(value)
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool)


def _half_an_argument(message: Mapping[str, Any]) -> Reply | None:
    """A tool's answer, which the model reads, where half a character stands in an argument and nowhere else."""
    sent = message.get("params")
    params = cast("dict[str, Any]", sent if isinstance(sent, dict) else {})
    name, given = params.get("name"), params.get("arguments")
    around = {**message, "params": {**params, "arguments": None}}
    called = message.get("method") == "tools/call" and "id" in message and isinstance(name, str)
    if not called or not isinstance(given, dict) or not is_text(around):
        return None
    said = (
        f"{quoted(name)} was not called, nothing changed. {half_a_character(cast('dict[str, Any]', given), 'the tool')}"
    )
    result = {"resultType": "complete", "content": [{"type": "text", "text": said}], "isError": True}
    return JSONRPCResponse(jsonrpc="2.0", id=message["id"], result=result)

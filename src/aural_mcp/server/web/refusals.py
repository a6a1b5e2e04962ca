"""The limits of a request over HTTP, and what is said when one is passed: `{"error": {"code", "message"}}`."""

from __future__ import annotations

from typing import Any

from aural_mcp.bounds import LARGE, MOST_VALUES

MCP, HEALTH, READY = "/mcp", "/healthz", "/readyz"

BODY, HEADERS, TARGET = 4 * 1024 * 1024, 16 * 1024, 8 * 1024
"""Most bytes of a body, of all header fields together, and of an address with its query."""
FORM = 64 * 1024
"""Most bytes of what somebody signs in with."""
FIELDS = 100
"""Most header fields."""
HEAD_WITHIN, BODY_WITHIN = 30.0, 30.0
"""Seconds in which a head, and a body, must have arrived."""
CALLS, STREAMS = 32, 16
"""Most calls and subscriptions in flight of one key, or of one address without a key."""
CALLS_IN_ALL, STREAMS_IN_ALL = 256, 2_048
"""Most calls and subscriptions in flight of everybody."""


class Refused(Exception):
    """A request that is not served: its status, a code for programs, and words that say the next step."""

    def __init__(self, status: int, code: str, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    def body(self) -> dict[str, Any]:
        """What is answered."""
        return {"error": {"code": self.code, "message": str(self)}}


def head_too_large() -> Refused:
    """More header fields, or longer ones, than a request may have."""
    words = f"A request may have {FIELDS} header fields of {HEADERS // 1024} KiB together. Send fewer or shorter ones."
    return Refused(431, "headers_too_large", words, connection="close")


def target_too_long() -> Refused:
    """A path and query longer than anything here needs."""
    words = f"An address may have {TARGET // 1024} KiB. MCP is at {MCP}, without more."
    return Refused(414, "address_too_long", words)


def body_too_large(most: int = BODY) -> Refused:
    """More bytes than one message may have."""
    said = f"{most // 1024**2} MiB" if most >= 1024**2 else f"{most // 1024} KiB"
    return Refused(413, "body_too_large", f"A body may have {said}. Send less in one call.")


def too_many_values() -> Refused:
    """More values than are read of one message."""
    words = f"A body may hold {MOST_VALUES:,} values. Send less in one call; a long list goes as text, in data."
    return Refused(413, "too_many_values", words)


def not_vouched(why: str) -> Refused:
    """A large body with a key that was not seen to work."""
    words = f"A body of more than {LARGE // 1024} KiB is taken from a key that works. {why}"
    return Refused(403, "key_not_seen_to_work", words)


def too_many(stream: bool, whose: str) -> Refused:
    """This key or address has as much in flight as it may."""
    most, what = (STREAMS, "subscriptions") if stream else (CALLS, "calls")
    words = f"{most} {what} of this {whose} are in flight already; nothing was done. Call again when one has ended."
    return Refused(429, "too_many_in_flight", words, retry_after="1")


def busy() -> Refused:
    """Everybody together has as much in flight as this server takes."""
    words = "This server has as much in flight as it takes; nothing was done. Call again in a second."
    return Refused(503, "busy", words, retry_after="1")


def stopping() -> Refused:
    """Came after the signal to stop."""
    words = "aural-mcp is stopping and takes no more calls; nothing was done. Call again in a second."
    return Refused(503, "stopping", words, retry_after="1", connection="close")


def cut_off() -> Refused:
    """Was being carried out when the time to stop ran out."""
    words = "aural-mcp stopped before this call was answered. It may have been done: look before you call again."
    return Refused(503, "stopped", words, connection="close")


SAID_BETTER = {
    400: ("bad_content_type", "Send the message as `Content-Type: application/json`."),
    403: ("origin_not_allowed", "Pages of this `Origin` may not call; start with --allowed-host NAME to allow one."),
    406: ("not_acceptable", "Send `Accept: application/json, text/event-stream`."),
    421: ("host_not_allowed", "The name in `Host` is not served here; start with --allowed-host NAME to allow it."),
    500: ("internal_error", "Something failed inside aural-mcp; its log on stderr says why."),
}
"""Statuses that the SDK answers with plain text or nothing, in our words."""

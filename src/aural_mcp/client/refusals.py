"""What an answer that is not success becomes: one error with the next step; a 5xx body is never read aloud."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

import httpx

from aural_mcp.api import errors
from aural_mcp.client import retry
from aural_mcp.client.bodies import read_json
from aural_mcp.config import GET_A_KEY
from aural_mcp.safety import inert_all, quoted

if TYPE_CHECKING:
    from aural_mcp.api.operations import Operation


def after_silence(operation: Operation[Any]) -> str:
    """What to do when nobody knows whether the operation happened."""
    if operation.effect == "read":
        return "Call again; if it stays so, tell the user that the backend does not answer properly."
    if operation.effect == "create":
        noun = operation.tool_name().split("_", 1)[1].rstrip("s")
        return f"It may have been done: look with list_{noun}s before trying again."
    return "It may have been done: the same call again is safe and comes to the same state."


def refusal(operation: Operation[Any], response: httpx.Response) -> errors.AuralError:
    """The one place where a status and a body become an exception; a 5xx body is never read aloud."""
    status, error = response.status_code, _error_object(response)
    finder = _finder(operation, str((error or {}).get("message", "")))
    if status == 500 and finder and not _ids_are_uuids(operation):
        status, error = 404, {"message": "That is not an id of this backend."}
    if status >= 500 or status < 400:
        return errors.ServerError(
            f"The backend failed (HTTP {status}).", after_silence(operation), status=status, code="INTERNAL_ERROR"
        )
    if error is None and status in (404, 405):
        return _not_offered(operation, status)
    kind, next_step = REFUSALS.get(status, (errors.ApiError, "Read the message and change the call."))
    code = str((error or {}).get("code", ""))
    code = code if CODE.fullmatch(code) else f"HTTP_{status}"
    details = {name: each for name, each in inert_all(error or {}).items() if name not in ("code", "message")}
    if code == "PLAN_LIMIT_EXCEEDED":
        kind, next_step = errors.PlanLimitExceeded, PLAN_STEP
    said = quoted((error or {}).get("message", "no reason given"), 300)
    numbers = "".join(f" {name}: {value}." for name, value in details.items() if isinstance(value, int | float))
    step = next_step.format(tool=operation.tool_name(), finder=finder or "list_interviews")
    unknown = status == 400 and str((error or {}).get("message", "")).startswith(NOTHING_KNOWN)
    if unknown and (newer := _newer_fields(operation)):
        step = f"This deployment does not know {', '.join(newer)}: it cannot be set here."
    return kind(f"Aural refused ({code}): {said}.{numbers}", step, status=status, code=code, details=details)


REFUSALS: dict[int, tuple[type[errors.ApiError], str]] = {
    400: (errors.BadRequest, "Correct the value it names and call {tool} again."),
    401: (errors.Unauthorized, f"The key is not accepted. {GET_A_KEY}, set it as AURAL_API_KEY and restart."),
    403: (errors.Forbidden, "The key's owner may not do this here: check the id with {finder}, or ask for a role."),
    404: (errors.NotFound, "Call {finder} for ids that exist."),
    409: (errors.Conflict, "Read the present state first, then decide whether {tool} is still needed."),
    413: (errors.BadRequest, "Send less in one call to {tool}."),
    422: (errors.BadRequest, "Correct the value it names and call {tool} again."),
}
CODE = re.compile(r"[A-Z][A-Z0-9_]{1,40}")
"""What a code of Aural's looks like; anything else is not repeated."""
NOTHING_KNOWN = "No valid fields to update"
"""What Aural answers to a change of which it knows no field; the tools send none without one."""
PLAN_STEP = "Tell the user that the plan's limit is reached. Calling again will not help."


def _newer_fields(operation: Operation[Any]) -> list[str]:
    """What was sent that an earlier deployment does not know."""
    from aural_mcp.api.operations import NEWER_FIELDS

    newer = NEWER_FIELDS.get(operation.toolset, ())
    return [name for name in operation.payload() or () if name in newer]


def _not_offered(operation: Operation[Any], status: int) -> errors.NotOffered:
    if operation.since > 1:
        message = "This deployment of Aural is older and does not offer this operation yet."
        step = "Use another tool: get_session and list_candidates work everywhere."
    else:
        message = "The address answers, but not as Aural's API does."
        step = "Ask the user to check AURAL_BASE_URL: it ends in /api/v1."
    return errors.NotOffered(message, step, status=status, code="NOT_OFFERED")


def rate_limited(response: httpx.Response) -> errors.RateLimited:
    """A 429, and for how many seconds it holds."""
    given = (_error_object(response) or {}).get("retry_after")
    seconds = retry.hold(response.headers.get("retry-after") if given is None else given)
    return errors.RateLimited(
        "rate_limited: Aural takes no more requests of this key for now.",
        f"Nothing was done. Call again in {seconds:.0f} s.",
        retry_after=seconds,
    )


def unanswered(operation: Operation[Any], *, timed_out: bool) -> errors.Unanswered:
    """A request that left, and of which nobody knows what became."""
    return errors.Unanswered(
        "The request was sent, but the connection broke or timed out before an answer came.",
        after_silence(operation),
        timed_out=timed_out,
    )


def _error_object(response: httpx.Response) -> dict[str, Any] | None:
    """Aural's `error` object, or None when the body is HTML, empty or anything else."""
    try:
        error = read_json(response)["error"]
    except (ValueError, KeyError, TypeError, IndexError):
        return None
    return cast("dict[str, Any]", error) if isinstance(error, dict) else None


def _finder(operation: Operation[Any], message: str) -> str | None:
    """The tool that lists the ids of what the message says is missing, else of the last id in the path."""
    from aural_mcp.api.operations import FINDERS, PATH_VARIABLE

    variables = PATH_VARIABLE.findall(operation.path)
    named = [name for name in variables if name.removesuffix("Id") in message.lower()]
    return FINDERS[(named or variables)[-1]] if variables else None


def _ids_are_uuids(operation: Operation[Any]) -> bool:
    import uuid

    try:
        return all(uuid.UUID(getattr(operation, name)) for name in operation.path_fields())
    except ValueError:
        return False

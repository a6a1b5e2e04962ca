"""What is shown in place of a page: in plain words what is the matter and what to do, with the status that says it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pydantic import ValidationError

from aural_mcp.api import errors
from aural_mcp.server.arguments import BadArguments
from aural_mcp.server.inside import NotShown, NotThere

AGAIN = "Load the page again; if it stays so, tell whoever runs the backend."


@dataclass(frozen=True)
class Trouble:
    """A page that only says something; `wait` is when to try again, in seconds."""

    status: int
    title: str
    text: str
    wait: int | None = None


GONE = Trouble(
    404,
    "Not here",
    "There is no such interview or session: it was deleted, the address is mistyped, or it is of a workspace that is "
    "not yours.",
)
TOO_SOON = (
    "Aural answers a key 60 times a minute, and this key asked for more. What was read is kept: load the page again in "
    "{wait} s, and it goes on from there."
)
KINDS: tuple[tuple[tuple[type[BaseException], ...], Trouble], ...] = (
    ((errors.NotFound, BadArguments, ValidationError), GONE),
    (
        (errors.Unauthorized, errors.NoUsableKey),
        Trouble(401, "The key is not accepted", "It was withdrawn, has expired, or is not of this backend."),
    ),
    (
        (errors.PlanLimitExceeded,),
        Trouble(
            403, "The plan allows no more", "The workspace's plan has reached its limit. Trying again changes nothing."
        ),
    ),
    (
        (errors.Forbidden,),
        Trouble(
            403, "Not for this key", "The key's owner may not see this. Whoever runs the workspace can change that."
        ),
    ),
    (
        (errors.NotOffered,),
        Trouble(501, "Not offered there", "That backend is older, or its address is not that of Aural's API."),
    ),
    ((errors.Conflict,), Trouble(409, "Not in this state", f"It changed in the meantime. {AGAIN}")),
    ((errors.Unreachable,), Trouble(503, "The backend cannot be reached", f"It is down, or the network is. {AGAIN}")),
    (
        (errors.Unanswered,),
        Trouble(504, "No answer came", f"The backend took too long, or the connection broke. {AGAIN}"),
    ),
    ((errors.ServerError,), Trouble(502, "The backend failed", f"Its answer was no answer. {AGAIN}")),
)


def trouble(error: NotShown) -> Trouble:
    """What is the matter, by what a tool's failure came of."""
    reason = error.reason
    if isinstance(error, NotThere):
        return Trouble(404, "Not here", str(error))
    if isinstance(reason, errors.RateLimited | errors.BudgetExhausted):
        wait = max(1, math.ceil(reason.retry_after))
        return Trouble(429, "Too many at once", TOO_SOON.format(wait=wait), wait)
    for kinds, found in KINDS:
        if isinstance(reason, kinds):
            return found
    if isinstance(reason, errors.BadRequest):
        return Trouble(400, "That cannot be shown", str(error))
    return Trouble(500, "That cannot be shown", str(error))

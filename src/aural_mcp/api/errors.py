"""Everything that can go wrong between an agent and Aural, each with the next step.

AuralError
├── NoUsableKey          nothing was sent: there is no key, or it is not an Aural key
├── BudgetExhausted      nothing was sent: waiting for the rate limit would take too long
├── StateUnwritable      nothing was sent: the budget and the ledger cannot be written down
├── LogUnwritable        nothing is done or shown: it could not be written into the decision log
├── Unreachable          nothing was sent: no connection to the backend
├── Unanswered           it was sent, and no answer came: it may or may not have happened
└── ApiError             the backend answered, and not with success
    ├── BadRequest       400
    ├── Unauthorized     401
    ├── Forbidden        403
    │   └── PlanLimitExceeded
    ├── NotFound         404
    ├── NotOffered       404 or 405 without Aural's error object: this deployment lacks the operation
    ├── Conflict         409
    ├── RateLimited      429
    └── ServerError      5xx, a redirect, or an answer that is not Aural's
"""

from __future__ import annotations

from typing import Any


class AuralError(Exception):
    """Base of all failures. `message` says what failed, `next_step` what to do about it."""

    def __init__(self, message: str, next_step: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step

    def __str__(self) -> str:
        return f"{self.message} {self.next_step}".strip()


class NoUsableKey(AuralError):
    """Raised before anything is sent when there is no Aural key to send."""


class BudgetExhausted(AuralError):
    """Raised before anything is sent; `retry_after` is in seconds."""

    def __init__(self, message: str, next_step: str, retry_after: float) -> None:
        super().__init__(message, next_step)
        self.retry_after = retry_after


class StateUnwritable(AuralError):
    """Raised when this computer's state file cannot be written: without it nothing is safe to send."""


class LogUnwritable(AuralError):
    """Raised when what must stand in the decision log cannot be written there."""


class Unreachable(AuralError):
    """Raised when no connection was made, so nothing can have happened."""


class Unanswered(AuralError):
    """Raised when the request left and no complete answer came back; `timed_out`: it may still be worked on."""

    def __init__(self, message: str, next_step: str, *, timed_out: bool = False) -> None:
        super().__init__(message, next_step)
        self.timed_out = timed_out


class ApiError(AuralError):
    """The backend's refusal. `code` is Aural's own, `details` the rest of its error object."""

    def __init__(
        self, message: str, next_step: str = "", *, status: int, code: str, details: dict[str, Any] | None = None
    ) -> None:
        super().__init__(message, next_step)
        self.status = status
        self.code = code
        self.details = details or {}


class BadRequest(ApiError):
    """400: a value that Aural does not take."""


class Unauthorized(ApiError):
    """401: the key is missing, unknown, revoked or expired."""


class Forbidden(ApiError):
    """403: the key's owner may not do this, or not there."""


class PlanLimitExceeded(Forbidden):
    """403 PLAN_LIMIT_EXCEEDED: the workspace's plan allows no more; `details` has the quota."""


class NotFound(ApiError):
    """404: no such row in the key's scope."""


class NotOffered(ApiError):
    """404 or 405 that is not Aural's own: the deployment is older, or the base URL is wrong."""


class Conflict(ApiError):
    """409: the row is not in a state that allows this."""


class RateLimited(ApiError):
    """429: refused before anything happened; `retry_after` is in seconds."""

    def __init__(self, message: str, next_step: str, *, retry_after: float) -> None:
        super().__init__(message, next_step, status=429, code="RATE_LIMITED", details={"retry_after": retry_after})
        self.retry_after = retry_after


class ServerError(ApiError):
    """5xx, a redirect, or a body that is not Aural's: its text is never passed on."""

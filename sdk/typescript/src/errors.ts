/** Everything that can go wrong between a program and Aural, each with the next step; the tree of the Python client. */

/** Base of all failures: `message` says what failed, `nextStep` what to do about it. */
export class AuralError extends Error {
  /** Written down, as bundlers rename classes. */
  override name = "AuralError";

  constructor(
    message: string,
    readonly nextStep: string,
  ) {
    super(message);
  }

  override toString(): string {
    return `${this.name}: ${this.message} ${this.nextStep}`.trim();
  }
}

/** Nothing was sent: there is no key, or it is not an Aural key. */
export class NoUsableKey extends AuralError {
  override name = "NoUsableKey";
}

/** Nothing was sent: waiting for the rate limit would take too long. */
export class BudgetExhausted extends AuralError {
  override name = "BudgetExhausted";

  /** @param retryAfter seconds */
  constructor(
    message: string,
    nextStep: string,
    readonly retryAfter: number,
  ) {
    super(message, nextStep);
  }
}

/** Nothing was sent: no connection to the backend. */
export class Unreachable extends AuralError {
  override name = "Unreachable";
}

/** It was sent, and no complete answer came: it may or may not have happened. */
export class Unanswered extends AuralError {
  override name = "Unanswered";

  /** @param timedOut whether it may still be worked on */
  constructor(
    message: string,
    nextStep: string,
    readonly timedOut = false,
  ) {
    super(message, nextStep);
  }
}

/** The backend answered, and not with success. `code` is Aural's own, `details` the rest of its error object. */
export class ApiError extends AuralError {
  override name = "ApiError";

  constructor(
    message: string,
    nextStep: string,
    readonly status: number,
    readonly code: string,
    readonly details: Readonly<Record<string, unknown>> = {},
  ) {
    super(message, nextStep);
  }
}

/** 400, 413 or 422: a value that Aural does not take. */
export class BadRequest extends ApiError {
  override name = "BadRequest";
}

/** 401: the key is missing, unknown, revoked or expired. */
export class Unauthorized extends ApiError {
  override name = "Unauthorized";
}

/** 403: the key's owner may not do this, or not there. */
export class Forbidden extends ApiError {
  override name = "Forbidden";
}

/** 403 PLAN_LIMIT_EXCEEDED: the workspace's plan allows no more; `details` has the quota. */
export class PlanLimitExceeded extends Forbidden {
  override name = "PlanLimitExceeded";
}

/** 404: no such row in the key's scope. */
export class NotFound extends ApiError {
  override name = "NotFound";
}

/** 404 or 405 that is not Aural's own: the deployment is older, or the base URL is wrong. */
export class NotOffered extends ApiError {
  override name = "NotOffered";
}

/** 409: the row is not in a state that allows this. */
export class Conflict extends ApiError {
  override name = "Conflict";
}

/** 429: refused before anything happened. */
export class RateLimited extends ApiError {
  override name = "RateLimited";

  /** @param retryAfter seconds */
  constructor(
    message: string,
    nextStep: string,
    readonly retryAfter: number,
  ) {
    super(message, nextStep, 429, "RATE_LIMITED", { retry_after: retryAfter });
  }
}

/** 5xx, a redirect, or a body that is not Aural's: its text is never passed on. */
export class ServerError extends ApiError {
  override name = "ServerError";
}

"""AuralClient: one door to the Aural API, `await client.call(operation)`.

async with AuralClient("dlv_...") as aural:
    interview = await aural.call(CreateInterview(title="Backend engineer"))
    async for session in aural.each(ListSessions(interview_id=interview.id)):
        print(session.participant_name, session.status)
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from urllib.request import getproxies

import anyio
import httpx
from pydantic import MISSING, ValidationError

from aural_mcp._version import __version__
from aural_mcp.api import errors
from aural_mcp.api.models import Deleted, Record, Rows, Wire
from aural_mcp.bounds import LARGE, aside
from aural_mcp.client import bodies, links, retry
from aural_mcp.client.budget import Budget, Share
from aural_mcp.client.counting import counted
from aural_mcp.client.deployment import Loss, Offers, losses
from aural_mcp.client.refusals import after_silence, rate_limited, refusal, unanswered
from aural_mcp.client.retry import RetryBudget
from aural_mcp.client.state import State
from aural_mcp.config import CLOUD, GET_A_KEY, usable_key

if TYPE_CHECKING:  # a program that has imported the client has not built every operation yet
    from aural_mcp.api.operations import Operation

R = TypeVar("R", bound=Record | Wire)
Reader = Callable[[type[R], httpx.Response], R]

LATELY, MOST_KEYS = 600.0, 10_000
"""Seconds for which a key that worked is taken to work, and keys of which that is remembered."""
USER_AGENT = f"aural-mcp/{__version__}"
DEADLINE = 45.0
"""Seconds that one call may take, waiting for the rate limit included."""
SPARE = 5.0
"""Seconds of the deadline that waiting for the rate limit leaves to the request itself."""
TIMEOUT = httpx.Timeout(connect=3, read=15, write=15, pool=2)
LARGE_TIMEOUT = httpx.Timeout(connect=3, read=30, write=15, pool=2)
NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError, httpx.UnsupportedProtocol)


class _Identified(Protocol):
    @property
    def id(self) -> str: ...


Row = TypeVar("Row", bound=_Identified)


@dataclass
class Spent:
    """What a call cost: requests sent, seconds of waiting for the rate limit, whether an answer was lost.

    `alone` is that a request was not counted, as the shared database was away. And what it may: `until` is when it must
    be over, on the monotonic clock; `whole` is that its answer goes to no model and may be as long as it is; `tell`
    says to the host how far it is, as (done, total, sentence); `budget` knows when the key can send again, once
    something was asked. `losses` is what the deployment did not keep of its writes.
    """

    requests: int = 0
    waited: float = 0.0
    lost: bool = False
    alone: bool = False
    until: float = math.inf
    whole: bool = False
    tell: Callable[[float, float, str], Awaitable[None]] | None = None
    losses: list[Loss] = field(default_factory=list[Loss])
    budget: Budget | None = None

    @property
    def left(self) -> float:
        """Seconds until it must be over."""
        return self.until - time.monotonic()

    async def report(self, done: float, total: float, said: str) -> None:
        """Tell the host how far this is, where it wants to know."""
        if self.tell is not None:
            await self.tell(done, total, said)


@dataclass
class Connections:
    """What clients with different keys share: the connection pool, the state file, the budget of repetitions."""

    base_url: str
    requests_per_minute: int
    transport: httpx.AsyncBaseTransport | None
    link_origin: Callable[[], str] | None
    state: State = field(default_factory=State)
    tenant: str | None = None
    retries: RetryBudget = field(default_factory=RetryBudget)
    skew: float = 0.0
    """Seconds by which the backend's clock is ahead of ours, as its answers tell."""
    offers: Offers = field(default_factory=Offers)
    accepted: dict[str, tuple[bool, float]] = field(default_factory=dict[str, tuple[bool, float]])
    """Whether the key of each tenant was accepted when it was used last, and when that was."""
    _wire: httpx.AsyncBaseTransport | None = None

    async def send(self, request: httpx.Request) -> httpx.Response:
        """The whole response. No httpx client stands in between: no cookies, no redirects, and a tenth of the time."""
        if self._wire is None:  # a start needs neither the pool nor a TLS context
            from aural_mcp.client.pool import Pool, Proxied

            self._wire = self.transport or (Proxied() if getproxies() else Pool())
        sent = time.time()
        response = await self._wire.handle_async_request(request)
        self.skew = retry.skew(response.headers.get("date", ""), sent, self.skew)
        try:
            return await bodies.whole(response)
        finally:
            await response.aclose()

    def note_key(self, tenant: str, *, accepted: bool) -> None:
        """Remember whether a key was accepted just now."""
        self.accepted.pop(tenant, None)
        self.accepted[tenant] = accepted, time.monotonic()
        while len(self.accepted) > MOST_KEYS:
            self.accepted.pop(next(iter(self.accepted)))

    def budget(self, key: str, person: str) -> Budget:
        """The budget of one key, whose log is in the shared state, as one person has it."""
        return Budget(self.requests_per_minute, state=self.state, tenant=_tenant(key), person=person)

    async def aclose(self) -> None:
        await self.state.aclose()
        if self._wire is not None:
            await self._wire.aclose()
            self._wire = None


class AuralClient:
    """A typed, asynchronous client of the Aural Developer API.

    Args:
        api_key: `dlv_...`; without one every call raises `NoUsableKey`.
        base_url: of the deployment, up to and including `/api/v1`.
        requests_per_minute: Aural's limit per key (60), kept by waiting; 0 is off.
        transport: an httpx transport, e.g. `httpx.ASGITransport(app)`.
        state: what is shared with other processes; this client's own when none is given.
        link_origin: gives `scheme://host[:port]` of candidate links, where it is not the base URL's.
        tenant: whose answers these are, where keys do not tell: a local workspace makes one for each process.
        connections, person: as `with_key` hands them on.
    """

    def __init__(
        self,
        api_key: str | None,
        base_url: str = CLOUD,
        *,
        requests_per_minute: int = 60,
        transport: httpx.AsyncBaseTransport | None = None,
        link_origin: Callable[[], str] | None = None,
        state: State | None = None,
        tenant: str | None = None,
        connections: Connections | None = None,
        person: str = "",
    ) -> None:
        given = base_url, requests_per_minute, transport, link_origin, state or State(), tenant
        self._key, self._connections, self._person = api_key, connections or Connections(*given), person

    def with_key(self, api_key: str | None, *, person: str = "") -> AuralClient:
        """A client for another key on the same connections; each key has its own budget.

        Args:
            person: one of several who share the key, and its budget fairly.
        """
        return AuralClient(api_key, connections=self._connections, person=person)

    async def call(self, operation: Operation[R], *, spent: Spent | None = None) -> R:
        """Carry out one operation and return its result.

        A request waits for its turn within the key's budget, a 429 is waited out, and what may be
        repeated is (see `aural_mcp.client.retry`), as long as the whole call stays within `DEADLINE`. A write
        that has left is waited for even when the caller is cancelled. `spent` is told what it cost.

        Raises:
            AuralError: one of the tree in `aural_mcp.api.errors`, with the next step in its text.
        """
        return await self.ask(operation, spent or Spent(), bodies.read)

    async def ask(self, operation: Operation[R], spent: Spent, read: Reader[R]) -> R:
        """Carry out one operation, as `call`, and return what is read of its answer."""
        key = self._usable_key()
        deadline = min(time.monotonic() + DEADLINE, spent.until)
        budget = spent.budget = self._connections.budget(key, self._person)
        attempt, reads = 0, operation.effect == "read"
        lost: errors.AuralError | None = None  # a write that may have been done ends with this, whatever ends it
        while True:
            try:
                async with counted(budget.granted(deadline - SPARE - time.monotonic(), reads=reads)) as waited:
                    spent.waited += waited
                    spent.alone |= budget.alone
                    spent.requests += 1
                    result = await self._attempt(operation, key, deadline, read, lost=lost is not None)
            except errors.RateLimited as refused:
                await budget.pause(wait := refused.retry_after)
                if time.monotonic() + wait > deadline:
                    raise lost or refused from None
                await anyio.sleep(0 if budget.limit else wait)
            except (errors.Unreachable, errors.Unanswered, errors.ServerError) as error:
                attempt += 1
                if not isinstance(error, errors.Unreachable):
                    lost, spent.lost = None if reads else error, True
                wait = retry.pause(attempt)
                if time.monotonic() + wait > deadline or not self._may_repeat(operation, error, attempt):
                    raise lost or error from error.__cause__
                await anyio.sleep(wait)
            except (errors.BudgetExhausted, errors.StateUnwritable) as error:
                raise lost or error from None
            else:
                self._connections.retries.earn()
                await links.note(self.state, self.tenant, self.base_url, result)
                return result

    def reach(self, operation: Operation[Any]) -> None:
        """Refuse what names an interview that does not exist for this client, before anything of it is told.

        Raises:
            NotFound: it does not; here each does, as far as can be told without asking.
        """

    async def vouch(self) -> None:
        """Make one read, unless this key was seen to work lately.

        Raises:
            AuralError: it does not work, or nobody can tell.
        """
        accepted, at = self._connections.accepted.get(self.tenant, (False, -math.inf))
        if not accepted or time.monotonic() - at > LATELY:
            from aural_mcp.api.operations import ListInterviews

            await self.call(ListInterviews(limit=1))

    async def each(self, operation: Operation[Rows[Row]]) -> AsyncIterator[Row]:
        """Every row of a paged list, each once, until a page brings nothing new.

        Aural repeats rows at the seams of its interview list; a `limit` left out becomes 100.
        """
        if getattr(operation, "limit", None) is MISSING:
            operation = operation.model_copy(update={"limit": 100})
        seen: set[str] = set()
        while True:
            page = await self.call(operation)
            fresh = {row.id: row for row in page.data if row.id not in seen}
            seen.update(fresh)
            for row in fresh.values():
                yield row
            if not fresh or page.cursor is None:
                return
            operation = operation.model_copy(update={"cursor": page.cursor})

    @property
    def raw(self) -> AuralClient:
        """The client that asks, without what a server puts around it."""
        return self

    async def seen(self, operation: Operation[Any], result: R, spent: Spent) -> R:
        """What may be seen of a result that `raw` gave: here, all of it. What a write lost is noted."""
        spent.losses += losses(operation, result)
        return result

    @property
    def lacking(self) -> frozenset[str]:
        """The tools that this deployment is known not to have."""
        return self._connections.offers.lacking

    @property
    def base_url(self) -> str:
        """The deployment that is asked, up to and including `/api/v1`."""
        return self._connections.base_url

    async def link_origin(self) -> str:
        """What candidate links begin with."""
        origin, _ = await self.links_from()
        return origin

    async def links_from(self) -> tuple[str, links.Source]:
        """The origin of candidate links, and how it is known."""
        return await links.source(self._connections.link_origin, self.state, self.tenant, self.base_url)

    async def remaining(self) -> int | None:
        """How many requests this key could send at once now; None without a limit, 0 where nobody can tell."""
        try:
            return await self._connections.budget(self._key, self._person).remaining() if self._key else None
        except errors.StateUnwritable:
            return 0

    async def share(self) -> Share:
        """Who sent how many requests of the last minute with this key; nobody where nobody can tell."""
        try:
            return await self._connections.budget(self._key or "", self._person).share()
        except errors.StateUnwritable:
            return Share(0, 0, 0)

    @property
    def state(self) -> State:
        """What processes share."""
        return self._connections.state

    @property
    def skew(self) -> float:
        """Seconds by which the backend's clock is ahead of ours."""
        return self._connections.skew

    @property
    def refused(self) -> bool:
        """Whether the key was not accepted when it was used last: then nothing remembered is for it any more."""
        return self.refused_since(-math.inf)

    def refused_since(self, begun: float) -> bool:
        """Whether the key was not accepted when it was used last, and not before this time of the monotonic clock."""
        accepted, at = self._connections.accepted.get(self.tenant, (True, 0.0))
        return not accepted and at >= begun

    @property
    def local(self) -> bool:
        """Whether the backend is a local workspace, which ends with the process that asks it."""
        return self._connections.tenant is not None

    @property
    def tenant(self) -> str:
        """The SHA-256 of the key, or what stands for it: whose answers these are, for everything that is kept."""
        return _tenant(self._connections.tenant or self._key or "")

    async def aclose(self) -> None:
        """Close the connections, also those of clients made by `with_key`."""
        await self._connections.aclose()

    async def __aenter__(self) -> AuralClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"AuralClient({self._connections.base_url!r})"

    def _may_repeat(self, operation: Operation[Any], error: errors.AuralError, attempt: int) -> bool:
        most = 1 if operation.large and not isinstance(error, errors.Unreachable) else retry.ATTEMPTS
        may_help = retry.may_help(error, repeatable=operation.effect != "create")
        return attempt < most and may_help and self._connections.retries.spend()

    async def _attempt(self, operation: Operation[R], key: str, deadline: float, read: Reader[R], *, lost: bool) -> R:
        """One request. After a lost answer, a row that is no longer there has been deleted."""
        response = await self._exchange(operation, key, deadline)
        if response.status_code == 429:
            raise rate_limited(response)
        if response.status_code == 404 and lost and operation.result_type() is Deleted:
            identifier = next(iter(operation.model_dump(include=operation.path_fields()).values()))
            return operation.result_type().model_validate({"id": identifier, "deleted": True})
        if response.status_code != 200:
            refused = refusal(operation, response)
            self._connections.offers.note(operation, refused)
            self._connections.note_key(self.tenant, accepted=not isinstance(refused, errors.Unauthorized))
            raise refused
        self._connections.offers.note(operation)
        if operation.tool_name() != "get_usage":  # revoked keys are told it too
            self._connections.note_key(self.tenant, accepted=True)
        large = len(response.content) > 4 * LARGE
        return await aside(_result, operation, response, read) if large else _result(operation, response, read)

    async def _exchange(self, operation: Operation[Any], key: str, deadline: float) -> httpx.Response:
        """Send and receive; a write is not given up once it has left, a read is."""
        shield = operation.effect != "read"
        with anyio.move_on_after(max(0.01, deadline - time.monotonic()), shield=shield):
            try:
                return await self._request(operation, key)
            except NEVER_SENT as error:
                raise errors.Unreachable(
                    f"The backend at {self._connections.base_url} cannot be reached, so nothing was done.",
                    "Check the network and AURAL_BASE_URL, then call again.",
                ) from error
            except bodies.TooLarge as error:
                raise errors.ServerError(
                    f"The backend's answer is larger than {bodies.LARGEST // 1_000_000} MB.",
                    after_silence(operation),
                    status=200,
                    code="TOO_LARGE",
                ) from error
            except httpx.HTTPError as error:
                raise unanswered(operation, timed_out=isinstance(error, httpx.TimeoutException)) from error
        raise unanswered(operation, timed_out=True)

    async def _request(self, operation: Operation[Any], key: str) -> httpx.Response:
        payload = operation.payload()
        query = {name: str(value) for name, value in payload.items()} if payload and operation.method == "GET" else None
        request = httpx.Request(
            operation.method,
            self._connections.base_url + operation.location(),
            params=query,
            json=payload if query is None and payload is not None else None,
            headers={
                "authorization": f"Bearer {key}",
                "accept": "application/json",
                "accept-encoding": "gzip",
                "user-agent": USER_AGENT,
            },
            extensions={"timeout": (LARGE_TIMEOUT if operation.large else TIMEOUT).as_dict()},
        )
        return await self._connections.send(request)

    def _usable_key(self) -> str:
        if not self._key:
            raise errors.NoUsableKey("There is no Aural API key.", f"{GET_A_KEY} and set it as AURAL_API_KEY.")
        if not usable_key(self._key):
            raise errors.NoUsableKey("This is not an Aural API key: keys start with `dlv_`.", f"{GET_A_KEY}.")
        return self._key


def _tenant(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def _result(operation: Operation[R], response: httpx.Response, read: Reader[R]) -> R:
    try:
        return read(operation.result_type(), response)
    except (ValueError, KeyError, TypeError, ValidationError) as error:
        raise errors.ServerError(
            "The backend said success, but its answer cannot be read.",
            after_silence(operation),
            status=200,
            code="UNREADABLE",
        ) from error

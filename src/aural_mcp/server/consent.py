"""Asking the person, over MCP: through the host where it can ask, in a view of ours, else by a code for the model.

What is asked stands in `asking`, what makes a code in `confirmation`; here is how the question reaches somebody, and
what counts as a yes: `accept` with `agreed: true`, to exactly what there is when it is done. A code is honoured only
where the host cannot ask, or tried to and could not, so that a model cannot confirm for its user. A code for a view is
honoured only from there: in a call of the tool `approval`, which hosts keep from their model.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Literal, cast

import anyio
from mcp import types
from mcp.server import ServerRequestContext
from mcp.server.apps import client_supports_apps
from mcp.server.context import CallNext, HandlerResult
from mcp.server.mcpserver import Context
from mcp.server.request_state import RequestStateSecurity
from mcp.shared.exceptions import MCPError
from mcp.types import CallToolResult, InputRequiredResult
from mcp.types.version import is_version_at_least
from pydantic import BaseModel, ConfigDict, ValidationError

from aural_mcp.api.operations import AnyOperation, CreateCandidates, Operation
from aural_mcp.client.caller import Caller
from aural_mcp.client.client import Spent
from aural_mcp.client.ledger import Ledger
from aural_mcp.privacy.audit import Confirmed
from aural_mcp.privacy.stored import Homes
from aural_mcp.server import asking, confirmation, results
from aural_mcp.server.access import BY_NAME
from aural_mcp.server.arguments import Given
from aural_mcp.server.asking import MESSAGES, Looking, Question
from aural_mcp.server.confirmation import EVERY, IN_VIEW, NUMBER, UNANSWERED, Codes
from aural_mcp.server.parts import digest_of, dumped
from aural_mcp.server.tools import Answer
from aural_mcp.tools.candidates import CreateCandidatesArguments
from aural_mcp.tools.shape import plain
from aural_mcp.workflows.base import agreements, digest
from aural_mcp.workflows.decisions import RecordDecision
from aural_mcp.workflows.launch import LaunchInterviews
from aural_mcp.workflows.lists.importing import ImportCandidates, agreement
from aural_mcp.workflows.lists.lately import Lately
from aural_mcp.workflows.mail.messages import SendMessages, agreed_to

AGREED, ASKED_IN_ANSWER = "agreed", "2026-07-28"
AGREEMENT: dict[str, Any] = {
    "type": "object",
    "properties": {AGREED: {"type": "boolean", "title": "Do it", "description": "Yes, do this."}},
    "required": [AGREED],
}
LONGEST_NAME = 200
"""Letters of the name of a host that may be held to draw views."""
ANY = (*EVERY, IN_VIEW)
"""The codes that a view may bring back: also the one that the model was shown before a view was ever heard of."""
ALWAYS: tuple[AnyOperation, ...] = (SendMessages, RecordDecision)
"""What reaches a candidate, or decides on one: whatever the operator set."""
MOST_ROUNDS = 3
"""How often a person is asked in one call, where what they agree to keeps changing."""
BAD_CODE = (
    "Nothing was done: this confirmation code was not made for this very call, is older than 10 minutes, was used, "
    "or something changed meanwhile. Call {tool} without confirmation for a new one, and ask the user again."
)
DECLINED = "{title} was not done: the user did not agree. Do not insist."
CANCELLED = (
    "{title}: nobody answered; nothing was done. Where no person can answer (`claude -p`, `codex exec`), the operator "
    "starts the server with --confirm preview."
)
RESTLESS = "Nothing was done: it was changed by somebody else each time the user agreed. Call {tool} again later."
NO_ANSWER = "The host could not put this to its user, or gave no answer that says agreed true or false. "

NOT_DONE = "Nothing was done: you said no."
DECLINED_THERE = "{title} was not done: the user said no to it in the view. Do not insist."
OVER = "Nothing was done now. This was answered before, is older than 10 minutes, or needs no answer any more."

Verdict = Literal["yes", "no", "nobody", "nothing"]
"""What a host's answer says; `nothing` is an error, silence, or an answer without `agreed`."""
CONTINUED: dict[type[Operation[Any]], Callable[[Caller, Any], str]] = {
    LaunchInterviews: lambda client, given: digest(given),
    ImportCandidates: agreement,
    SendMessages: lambda client, given: digest(given),
}
"""What is called again with the same arguments to go on, and what a yes to it holds for: it is agreed to once."""


class Reply(BaseModel):
    """What a view sends: about which call, by which code or its number, and its user's answer, if there is one."""

    model_config = ConfigDict(strict=True, extra="forbid")
    tool: str
    arguments: dict[str, Any]
    confirmation: str = ""
    answer: Literal["", "yes", "no"] = ""

    @property
    def call(self) -> dict[str, Any]:
        """The arguments of the call itself, whatever code a model put among them."""
        return {name: value for name, value in self.arguments.items() if name != "confirmation"}


class Consent:
    """What one call needs before it is carried out; called by `tools.run`, it remembers how that went.

    Args:
        context: of the request, through which a host is asked; None where there is none.
        confirm: the operator's setting: `ask`, `preview` or `never`.
        keys: seal codes, and are shared by replicas; this computer's own when there are none.
        homes: which interview a question belongs to, as far as this key has seen.
        reply: what a view says, where the call is one of a view.
    """

    def __init__(
        self,
        client: Caller,
        operation: AnyOperation,
        context: Context[Any, Any] | None,
        confirm: str,
        keys: Sequence[bytes],
        homes: Homes,
        reply: Reply | None = None,
    ) -> None:
        self._client, self._operation, self._context, self._reply = client, operation, context, reply
        self._confirm, self._codes = confirm, Codes(client.state, keys)
        self._looking = Looking(client, Spent(), homes)
        self._given: Operation[Any] | None = None
        self.how: Confirmed | None = None
        """How it was agreed to; None where nothing was asked, or nobody agreed."""
        self.reason = ""
        """Why it is done, as the call says."""
        self.refused = False
        self.only_looks = reply is not None and not reply.answer
        """Whether a view only wants to know what there is to agree to."""

    @property
    def verdict(self) -> str:
        """What was decided on a candidate, where that is what it is about."""
        return self._given.decision if isinstance(self._given, RecordDecision) else ""

    async def __call__(self, call: Given, spent: Spent) -> Answer | None:
        """None where nothing needs to be asked or somebody agreed, else what to answer instead of doing it."""
        given, code = call.arguments, call.code
        self.reason = "" if isinstance(given, RecordDecision) else call.reason  # which may name whom it must not
        if self._reply:
            return await self._in_view(self._reply, given, spent, call.reason)
        if not is_asked_about(self._operation, self._confirm):
            self.how = "operator"
            return None
        if await _is_repeated(self._client, given):
            return None
        self._looking, self._given = replace(self._looking, spent=spent), given
        asked = await asking.question(self._looking, given)
        self.reason = call.reason
        if asked is None:
            return None
        can_ask = self._confirm != "preview" and self._context is not None and _can_ask(self._context)
        if code and await self._is_good(code, asked, (UNANSWERED,) if can_ask else EVERY):
            await self._agreed("code", asked)
            return None
        if can_ask and self._context is not None:
            return await self._asked(self._context, asked)
        if not code:
            return await self._preview(asked)
        before = await self._codes.agreed(code, self._client.tenant, given, await self._codes.kept(code))
        return await self._preview(asked.since(before)) if before is not None else self._refuse(BAD_CODE)

    def told(self, result: Answer) -> Answer:
        """What the caller hears: a view gets what came of a yes, and what to tell the model of it."""
        if self.how != "view" or not isinstance(result, CallToolResult):
            return result
        return results.agreed_in_view(self._operation, result)

    async def ended(self, result: Answer | None) -> None:
        """Take back the count of people whose registration was refused."""
        given = self._given
        failed = self.refused or (isinstance(result, CallToolResult) and result.is_error)
        if not failed or not isinstance(given, CreateCandidates | ImportCandidates):
            return
        doubtful = isinstance(given, CreateCandidatesArguments) and (
            given.allow_duplicate or await Ledger(self._client).knows(plain(CreateCandidates, given))
        )
        if not doubtful:
            await Lately(self._client, given.interview_id).count(self._looking.call, 0)

    # ── By the host ─────────────────────────────────────────────────────────────────────────────

    async def _asked(self, context: Context[Any, Any], asked: Question) -> Answer | None:
        """Put the question to the person: in the answer for the present protocol, in between for earlier ones."""
        if not is_version_at_least(context.protocol_version or "", ASKED_IN_ANSWER):
            return await self._asked_in_between(context, asked)
        reply = (context.input_responses or {}).get(AGREED)
        if reply is None or not context.request_state:
            return await self._question(asked)
        code, _, kept = context.request_state.partition(" ")
        before = await self._codes.agreed(code, self._client.tenant, asked.operation, kept)
        is_good = await self._is_good(code, asked)
        if (said := _verdict(reply)) != "yes":
            return await self._not_agreed(said, asked)
        if not is_good:
            return await self._question(asked.since(before) if before is not None else asked)
        await self._agreed("asked", asked)
        return None

    async def _agreed(self, how: Confirmed, asked: Question) -> None:
        self.how = how
        if isinstance(asked.operation, SendMessages):
            await agreed_to(self._client, asked.operation, asked.parts[MESSAGES].digest)

    async def _asked_in_between(self, context: Context[Any, Any], asked: Question) -> Answer | None:
        """Ask, and after a yes look again: it holds for what was shown."""
        for _ in range(MOST_ROUNDS):
            said: Verdict = "nothing"
            try:
                with anyio.move_on_after(confirmation.VALID):
                    request = context.request_context.request_id
                    said = _verdict(await context.session.elicit_form(asked.text, AGREEMENT, request))
            except (MCPError, ValidationError):
                said = "nothing"
            if said != "yes":
                return await self._not_agreed(said, asked)
            again = await asking.question(self._looking, asked.operation)
            if again is None or again.target == asked.target:
                await self._agreed("asked", asked)
                return None
            asked = again.since(asked.parts)
        return self._refuse(RESTLESS)

    async def _question(self, asked: Question) -> InputRequiredResult:
        params = types.ElicitRequestFormParams(message=asked.text, requested_schema=AGREEMENT)
        return InputRequiredResult(
            input_requests={AGREED: types.ElicitRequest(params=params)},
            request_state=f"{await self._code(asked)} {dumped(asked.parts)}",
        )

    async def _not_agreed(self, said: Verdict, asked: Question) -> CallToolResult:
        if said == "nothing":
            return await self._preview(asked, UNANSWERED)
        return self._refuse(DECLINED if said == "no" else CANCELLED)

    # ── In a view ───────────────────────────────────────────────────────────────────────────────

    async def _in_view(self, reply: Reply, given: Operation[Any], spent: Spent, reason: str) -> Answer | None:
        """What there is to agree to, or what becomes of the user's answer; None where it is a yes."""
        self._looking, self._given = replace(self._looking, spent=spent), given
        asked = None if await _is_repeated(self._client, given) else await asking.question(self._looking, given)
        self.reason = reason
        if asked is None:
            return self._over()
        if host := _host(self._context):
            await confirmation.drew(self._client.state, self._client.tenant, host)
        if not reply.confirmation:
            return await self._waits(asked)
        code = reply.confirmation
        code = await self._codes.numbered(code) if len(code) == NUMBER else code
        agreed = partial(self._codes.agreed, code, self._client.tenant, given, made=ANY)
        before = await agreed(await self._codes.kept(code))
        before = await agreed(dumped(asked.parts)) if before is None else before
        if before is None:
            return self._over()
        if reply.answer == "no":
            spent_now = await self._codes.accept(code, self._client.tenant, given, digest_of(before), ANY)
            return self._declined() if spent_now else self._over()
        if digest_of(before) != asked.target:
            return await self._waits(asked.since(before))
        if not reply.answer:
            return await self._waits(asked, code)
        if not await self._is_good(code, asked, ANY):
            return self._over()
        await self._agreed("view", asked)
        return None

    async def _waits(self, asked: Question, code: str = "") -> CallToolResult:
        code = code or await self._kept(asked, IN_VIEW)
        return results.in_view("waiting", asked.text, question=asked.said, changed=asked.changed, confirmation=code)

    def _over(self) -> CallToolResult:
        self.refused = True
        return results.in_view("over", OVER)

    def _declined(self) -> CallToolResult:
        self.refused = True
        return results.in_view("declined", NOT_DONE, told=self._worded(DECLINED_THERE))

    # ── By a code ───────────────────────────────────────────────────────────────────────────────

    async def _preview(self, asked: Question, why: str = confirmation.ASKED) -> CallToolResult:
        in_view = in_a_view(self._context, self._confirm)
        state, tenant = self._client.state, self._client.tenant
        if in_view and await confirmation.draws(state, tenant, _host(self._context)):
            return results.for_view(self._operation, asked.text, await self._kept(asked, IN_VIEW), NUMBER)
        code = await self._kept(asked, why)
        return results.preview(
            self._operation, asked.text, code, NO_ANSWER if why else "", number=code[:NUMBER] if in_view else ""
        )

    async def _kept(self, asked: Question, why: str) -> str:
        """A code, beside which is kept what it is for."""
        code = await self._code(asked, why)
        await self._codes.keep(code, asked.parts)
        return code

    async def _code(self, asked: Question, why: str = confirmation.ASKED) -> str:
        return await self._codes.mint(self._client.tenant, asked.operation, asked.target, why)

    async def _is_good(self, code: str, asked: Question, made: Sequence[str] = EVERY) -> bool:
        """Whether the code is for this; that spends it."""
        return await self._codes.accept(code, self._client.tenant, asked.operation, asked.target, made)

    def _refuse(self, why: str) -> CallToolResult:
        self.refused = True
        return results.failure(self._worded(why))

    def _worded(self, words: str) -> str:
        return words.format(tool=self._operation.tool_name(), title=self._operation.tool_title())


def is_asked_about(operation: AnyOperation, confirm: str) -> bool:
    """Whether somebody is asked before this is done, as the operator set it: of what `ALWAYS` names, always."""
    return operation.confirmed and (confirm != "never" or operation in ALWAYS)


def in_a_view(context: Context[Any, Any] | None, confirm: str) -> bool:
    """Whether the user may be asked in a view: where the host draws them, as it says, and cannot ask by itself."""
    return context is not None and confirm != "preview" and not _can_ask(context) and client_supports_apps(context)


def _host(context: Context[Any, Any] | None) -> str:
    """The name of the host, where it has a usable one."""
    said = context.session.client_params if context else None
    name = said.client_info.name if said else ""
    return name if len(name) <= LONGEST_NAME else ""


async def _is_repeated(client: Caller, given: Operation[Any]) -> bool:
    """Whether the ledger answers: what was agreed to once and is not done again is not asked again."""
    if holds_for := CONTINUED.get(type(given)):
        return bool(await agreements(client).done([holds_for(client, given)]))
    if not isinstance(given, CreateCandidatesArguments) or given.allow_duplicate:
        return False
    return await Ledger(client).knows(plain(CreateCandidates, given))


def _verdict(reply: object) -> Verdict:
    """What an answer says: a yes is `accept` with `agreed: true`, and nothing else is."""
    if not isinstance(reply, types.ElicitResult):
        return "nothing"
    if reply.action != "accept":
        return "no" if reply.action == "decline" else "nobody"
    agreed = (reply.content or {}).get(AGREED)
    return "yes" if agreed is True else "no" if agreed is False else "nothing"


def _can_ask(context: Context[Any, Any]) -> bool:
    """Whether the host puts questions to its user; over HTTP only in the present protocol, which answers later."""
    said = context.client_capabilities.elicitation if context.client_capabilities else None
    if said is None or (said.form is None and said.url is not None):
        return False
    return context.headers is None or is_version_at_least(context.protocol_version or "", ASKED_IN_ANSWER)


def state_security(
    keys: Sequence[bytes], tenant: Callable[[ServerRequestContext[Any, Any]], str | None]
) -> RequestStateSecurity:
    """How state that travels through the client is sealed: for one key, and by keys that replicas share if given."""
    return RequestStateSecurity(keys=list(keys) or [secrets.token_bytes(32)], bind_principal=tenant)


# ── Answers as hosts send them ──────────────────────────────────────────────────────────────────


async def readable(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """MCP middleware: an answer of any shape gets a result, and one to an expired or other question a new question."""
    params = ctx.params or {}
    operation = BY_NAME.get(str(params.get("name"))) if ctx.method == "tools/call" else None
    asks = operation is not None and operation.confirmed
    if not asks or not {"inputResponses", "requestState"} & params.keys():
        return await call_next(ctx)
    given = params.get("inputResponses")
    answers = {AGREED: _plain(given)} if given is not None else {}
    try:
        return await call_next(replace(ctx, params={**params, "inputResponses": answers}))
    except MCPError as error:
        if error.error.data != {"reason": "invalid_request_state"}:
            raise
    anew = {name: value for name, value in params.items() if name not in ("inputResponses", "requestState")}
    return await call_next(replace(ctx, params=anew))


def _plain(answers: object) -> dict[str, Any]:
    """An answer in the form that the protocol has for it; what cannot be used is one without content."""
    reply = _field(answers, AGREED)
    action, agreed = _field(reply, "action"), _field(_field(reply, "content"), AGREED)
    if action in ("decline", "cancel"):
        return {"action": action}
    is_one = action == "accept" and isinstance(agreed, bool)
    return {"action": "accept", **({"content": {AGREED: agreed}} if is_one else {})}


def _field(value: object, name: str) -> object:
    return cast("Mapping[str, object]", value).get(name) if isinstance(value, Mapping) else None

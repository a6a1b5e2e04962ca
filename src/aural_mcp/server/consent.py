"""Asking the person, over MCP: through the host where it can ask, else by a code for the model to bring back.

What is asked, and what makes a code, stands in `confirmation`; here is how the question reaches somebody.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import anyio
from mcp import types
from mcp.server.mcpserver import Context
from mcp.types import CallToolResult, InputRequiredResult
from mcp.types.version import is_version_at_least

from aural_mcp.api.operations import AnyOperation, CreateCandidates, Operation
from aural_mcp.client.caller import Caller
from aural_mcp.client.client import Spent
from aural_mcp.client.ledger import Ledger
from aural_mcp.server import confirmation, results
from aural_mcp.server.tools import Answer
from aural_mcp.tools.candidates import CreateCandidatesArguments
from aural_mcp.tools.shape import plain
from aural_mcp.workflows.base import agreements, digest
from aural_mcp.workflows.launch import LaunchInterviews
from aural_mcp.workflows.lists.importing import ImportCandidates, agreement

AGREED, ASKED_IN_ANSWER = "agreed", "2026-07-28"
AGREEMENT: dict[str, Any] = {
    "type": "object",
    "properties": {AGREED: {"type": "boolean", "title": "Do it", "description": "Yes, do this."}},
    "required": [AGREED],
}
BAD_CODE = (
    "Nothing was done: this confirmation code was not made for this very call, is older than 10 minutes, was used, "
    "or something changed meanwhile. Call {tool} without confirmation for a new one, and ask the user again."
)
CHANGED = "Nothing was done: what would change was changed by somebody else meanwhile. Call {tool} again to ask anew."


CONTINUED: dict[type[Operation[Any]], Callable[[Caller, Any], str]] = {
    LaunchInterviews: lambda client, given: digest(given),
    ImportCandidates: agreement,
}
"""What is called again with the same arguments to go on, and what a yes to it holds for: it is agreed to once."""


class Consent:
    """What one call needs before it is carried out; called by `tools.run`, it remembers how that went.

    Args:
        context: of the request, through which a host is asked; None where there is none.
        confirm: the operator's setting: `ask`, `preview` or `never`.
        keys: seal codes, and are shared by replicas; this computer's own when there are none.
    """

    def __init__(
        self,
        client: Caller,
        operation: AnyOperation,
        context: Context[Any, Any] | None,
        confirm: str,
        keys: Sequence[bytes],
    ) -> None:
        self._client, self._operation, self._context = client, operation, context
        self._confirm, self._codes = confirm, confirmation.Codes(client.state, keys)
        self.how: Literal["asked", "code", "operator"] | None = None
        """How it was agreed to; None where nothing was asked, or nobody agreed."""
        self.refused = False

    async def __call__(self, given: Operation[Any], code: str, spent: Spent) -> Answer | None:
        """None where nothing needs to be asked or somebody agreed, else what to answer instead of doing it."""
        if self._confirm == "never":
            self.how = "operator"
            return None
        if _is_repeated(self._client, given):
            return None
        asked = await confirmation.question(self._client, given, spent)
        if asked is None:
            return None
        if self._confirm == "ask" and self._context is not None and _can_ask(self._context):
            return await self._asked(self._context, asked)
        if not code:
            return results.preview(
                self._operation, asked.text, self._codes.mint(self._client.tenant, given, asked.target)
            )
        if self._codes.accept(code, self._client.tenant, given, asked.target):
            self.how = "code"
            return None
        return self._refuse(BAD_CODE.format(tool=self._operation.tool_name()))

    async def _asked(
        self, context: Context[Any, Any], asked: confirmation.Question
    ) -> CallToolResult | InputRequiredResult | None:
        """Put the question to the person: in the answer for the present protocol, in between for earlier ones."""
        if is_version_at_least(context.protocol_version or "", ASKED_IN_ANSWER):
            reply = (context.input_responses or {}).get(AGREED)
            if reply is None:
                params = types.ElicitRequestFormParams(message=asked.text, requested_schema=AGREEMENT)
                return InputRequiredResult(
                    input_requests={AGREED: types.ElicitRequest(params=params)}, request_state=asked.target
                )
            if context.request_state != asked.target:
                return self._refuse(CHANGED.format(tool=self._operation.tool_name()))
        else:
            reply = None
            with anyio.move_on_after(confirmation.VALID):
                reply = await context.session.elicit_form(asked.text, AGREEMENT, context.request_context.request_id)
        if _is_yes(reply):
            self.how = "asked"
            return None
        return self._refuse(f"{self._operation.tool_title()} was not done: the user did not agree. Do not insist.")

    def _refuse(self, why: str) -> CallToolResult:
        self.refused = True
        return results.failure(why)


def _is_repeated(client: Caller, given: Operation[Any]) -> bool:
    """Whether the ledger answers: what was agreed to once and is not done again is not asked again."""
    if holds_for := CONTINUED.get(type(given)):
        return bool(agreements(client).done([holds_for(client, given)]))
    if not isinstance(given, CreateCandidatesArguments) or given.allow_duplicate:
        return False
    return Ledger(client).knows(plain(CreateCandidates, given))


def _is_yes(reply: object) -> bool:
    return (
        isinstance(reply, types.ElicitResult)
        and reply.action == "accept"
        and (reply.content or {}).get(AGREED, True) is True
    )


def _can_ask(context: Context[Any, Any]) -> bool:
    """Whether the host puts questions to its user; over HTTP only in the present protocol, which answers later."""
    said = context.client_capabilities.elicitation if context.client_capabilities else None
    if said is None or (said.form is None and said.url is not None):
        return False
    return context.headers is None or is_version_at_least(context.protocol_version or "", ASKED_IN_ANSWER)

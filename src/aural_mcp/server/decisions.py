"""What of a call goes into the decision log, and that nothing is done or shown which cannot be written there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcp.types import CallToolResult, InputRequiredResult, TextContent

from aural_mcp.api.errors import LogUnwritable, StateUnwritable
from aural_mcp.privacy.audit import AuditLog, Outcome, ids_of, logged
from aural_mcp.privacy.exposure import Guarded, RevealCandidate
from aural_mcp.privacy.looks import looked_at
from aural_mcp.privacy.who import Who
from aural_mcp.server import results
from aural_mcp.server.access import BY_NAME
from aural_mcp.server.consent import Consent
from aural_mcp.server.principal import Principal
from aural_mcp.server.tools import Answer

BEHIND = "This could not be written into the decision log: its line waits until it can be, while aural-mcp runs."


class Decisions:
    """Writes calls down; only those that change something or show candidates' material."""

    def __init__(self, log: AuditLog) -> None:
        self._log = log

    async def check(self, tool: str, given: Mapping[str, Any]) -> None:
        """See that a call which changes or saves something can be written down, before it is made.

        What only shows is written down before it is shown, and not shown where that fails.

        Raises:
            LogUnwritable: it must be, and cannot.
        """
        if _logged(tool) and (BY_NAME[tool].effect != "read" or BY_NAME[tool].saves_as in given):
            await self._log.check()

    async def called(
        self,
        client: Guarded,
        tool: str,
        given: Mapping[str, Any],
        result: Answer | None,
        consent: Consent,
        principal: Principal | None = None,
    ) -> Answer | None:
        """Write a call down; the answer, or what is said in place of one that nobody may see unwritten.

        Args:
            result: None where the call broke off.
            principal: who signed in.
        """
        if not _logged(tool) or consent.only_looks:
            return result
        structured: dict[str, Any] = (result.structured_content or {}) if isinstance(result, CallToolResult) else {}
        outcome = _outcome(result, structured, consent)
        only_shows = BY_NAME[tool].effect == "read" and "savedAs" not in structured
        try:
            await self._log.record(
                tool,
                outcome,
                tenant=client.raw.tenant,
                ids=ids_of(tool, given, structured),
                confirmed=consent.how,
                blind=client.exposure.anonymous,
                verdict=consent.verdict,
                revealed=structured.get("candidate") if tool == RevealCandidate.tool_name() else None,
                by=_who(principal),
                reason=consent.reason,
                waits=not (only_shows and outcome == "done"),
            )
        except LogUnwritable as error:
            return results.failure(f"{BY_NAME[tool].tool_title()} shows nothing. {error}", error)
        if outcome == "done" and self._log.waits and isinstance(result, CallToolResult):
            return _with_remark(result)
        return result

    async def looked_at(self, tenant: str, principal: Principal | None, session_id: str) -> list[str]:
        """What was shown of a session before, to this person where one signed in; nothing where no log tells."""
        try:
            return await looked_at(self._log, session_id, tenant, await self._log.said_of(_who(principal)))
        except (OSError, ValueError, LogUnwritable, StateUnwritable):
            return []

    async def sent(self, tenant: str, candidate_id: str, kind: str, done: bool) -> None:
        """Write down that a message of this kind was handed over, or may have been: to whom, by id."""
        outcome: Outcome = "done" if done else "failed"
        await self._log.record("send_messages", outcome, tenant=tenant, ids={"candidateId": candidate_id}, kind=kind)

    async def read(
        self, client: Guarded, tool: str, given: Mapping[str, Any], principal: Principal | None = None
    ) -> None:
        """Write down that a resource or a prompt shows what this tool shows.

        Raises:
            LogUnwritable: it cannot be written, so nothing may be shown.
        """
        if _logged(tool):
            blind, ids, by = client.exposure.anonymous, ids_of(tool, given), _who(principal)
            await self._log.record(tool, "done", tenant=client.raw.tenant, ids=ids, blind=blind, by=by, waits=False)


def _who(principal: Principal | None) -> Who | None:
    if principal is None:
        return None
    name, subject, issuer, role = principal.name, principal.subject, principal.issuer, principal.role.name
    return Who(name, subject, issuer, role, principal.application, principal.sign_in)


def _logged(tool: str) -> bool:
    return logged(tool, BY_NAME[tool].effect)


def _outcome(result: Answer | None, structured: Mapping[str, Any], consent: Consent) -> Outcome:
    if consent.refused:
        return "refused"
    if isinstance(result, InputRequiredResult) or {"confirmation", "approval"} & structured.keys():
        return "preview"
    if structured.get("dryRun"):
        return "preview"
    return "failed" if result is None or result.is_error else "done"


def _with_remark(result: CallToolResult) -> CallToolResult:
    structured: dict[str, Any] = result.structured_content or {}
    said = TextContent(type="text", text=f"Remark: {BEHIND}")
    remarks: list[str] = [*structured.get("remarks", []), BEHIND]
    return result.model_copy(
        update={"content": [*result.content, said], "structured_content": {**structured, "remarks": remarks}}
    )

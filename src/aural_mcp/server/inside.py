"""Calls from inside this program, for the desk and the terminal: the same as a host's, through the same server."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, cast

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ResourceError, UnexpectedToolError
from mcp.types import CallToolResult
from pydantic import PrivateAttr

from aural_mcp.safety import quoted
from aural_mcp.server import results
from aural_mcp.server.access import BY_NAME

if TYPE_CHECKING:
    from aural_mcp.server.server import AuralServer

MOST_PAGES = 25
"""Pages of one result that are put together for a page of the desk."""
MOST_LOOKS, SPARE = 25, 30
"""Interviews that are looked at for a page that lists them, and requests of the minute that stay for other pages."""
FEW = 30
"""Candidates up to which the comparison reads transcripts for quotes without being asked."""


class NotShown(Exception):
    """A tool did not answer; the text says why, for a person, and `reason` is what it came of, where that is known."""

    def __init__(self, text: str, reason: BaseException | None = None) -> None:
        super().__init__(text)
        self.reason = reason


class NotThere(NotShown):
    """The operator took the tool away."""


class _Asked(Context[Any, Any]):
    """A call that no host made: it narrows as a header over HTTP does, is answered in one, and tells no progress."""

    whole: ClassVar[bool] = True
    _sent: Mapping[str, str] = PrivateAttr()

    def __init__(self, sent: Mapping[str, str]) -> None:
        super().__init__()
        self._sent = sent

    @property
    def headers(self) -> Mapping[str, str]:
        return self._sent

    async def report_progress(self, progress: float, total: float | None = None, message: str | None = None) -> None:
        """Nobody waits for it."""


class Asking:
    """The tools of a server, for one browser or terminal.

    Args:
        blind: whether this browser sees no names, whatever the server would show.
        key: whose workspace it is, where the server has no key of its own.
    """

    def __init__(self, server: AuralServer, *, blind: bool = False, key: str = "") -> None:
        self._server = server
        sent = {"x-aural-blind": "true"} if blind else {}
        self._context = _Asked({**sent, "authorization": f"Bearer {key}"} if key else sent)

    async def tools(self) -> Collection[str]:
        """The names of the tools that there are."""
        return {each.name for each in await self._server.list_tools()}

    async def need(self, tool: str) -> None:
        """See that there is a tool.

        Raises:
            NotThere: there is none.
        """
        if tool not in await self.tools():
            raise NotThere(f"Whoever runs this took that away. There is no tool {quoted(tool)}.")

    async def __call__(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """The structured answer of a tool.

        Raises:
            NotShown: it does not answer.
        """
        await self.need(tool)
        try:
            result = await self._server.call_tool(tool, arguments, self._context)
        except UnexpectedToolError as error:
            raise NotShown(str(error)) from error
        if not isinstance(result, CallToolResult) or result.is_error or result.structured_content is None:
            said = " ".join(getattr(block, "text", "") for block in getattr(result, "content", ()))
            raise NotShown(results.advice(said, BY_NAME), getattr(result, "reason", None))
        return cast("dict[str, Any]", result.structured_content)

    async def read(self, address: str) -> str:
        """The text of a resource.

        Raises:
            NotShown: it cannot be read.
        """
        try:
            found = await self._server.read_resource(address, self._context)
        except ResourceError as error:
            raise NotShown(results.advice(str(error), BY_NAME), error.__cause__) from error
        return "".join(str(getattr(each, "content", "")) for each in cast("list[Any]", found))

    # ── Whole results ───────────────────────────────────────────────────────────────────────────

    async def waiting(self, interviews: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
        """Who waits for the team, by interview; of the first in which somebody does, as the budget allows."""
        if "wait_for_sessions" not in await self.tools():
            return {}
        left = await self._server.clients.client_for(self._context.headers).remaining()
        free = MOST_LOOKS if left is None else max(0, left - SPARE) // 2
        asked = [row["id"] for row in interviews if row.get("waiting")][: min(free, MOST_LOOKS)]
        return {each: (await self("wait_for_sessions", interviewId=each)).get("attention", {}) for each in asked}

    async def progress(self, interview_id: str) -> dict[str, Any]:
        """Where everybody stands, with the interview's title and the links of those who have not begun."""
        found, there = await self("wait_for_sessions", interviewId=interview_id), await self.tools()
        if "get_interview" in there:
            found["interview"] = (await self("get_interview", interviewId=interview_id))["title"]
        waiting = found.get("attention", {}).get("notStarted", [])
        if waiting and "list_candidates" in there:
            asked = {"status": "NOT_BEGUN", "include": ["inviteUrl"], "limit": 100}
            rows = (await self("list_candidates", interviewId=interview_id, **asked))["data"]
            links = {row["id"]: row.get("inviteUrl") for row in rows}
            for each in waiting:
                each["inviteUrl"] = links.get(each.get("candidateId"))
        return found

    async def comparison(self, interview_id: str, *, quotes: bool) -> dict[str, Any]:
        """Everybody who is compared; with quotes where that is asked for, or where they are few."""
        found = await self.everybody(interview_id, quotes=quotes)
        few = found["candidates"] and len(found["candidates"]) <= FEW
        return await self.everybody(interview_id, quotes=True) if few and not quotes else found

    async def everybody(self, interview_id: str, *, quotes: bool = False) -> dict[str, Any]:
        """Everybody who is compared, in one, however many calls time and budget make of it."""
        asked = {"interviewId": interview_id, "quotes": quotes}
        page = await self("compare_candidates", **asked)
        rows, calls = [*page["candidates"]], 1
        while page.get("cursor") and page["candidates"] and calls < MOST_PAGES:
            page, calls = await self("compare_candidates", **asked, cursor=page["cursor"]), calls + 1
            rows += page["candidates"]
        if calls > 1:  # what was read is kept, so that now all may be judged together
            again = await self("compare_candidates", **asked)
            return {**page, "candidates": rows} if again.get("cursor") else again
        return page

    async def session(self, session_id: str) -> dict[str, Any]:
        """A session with its whole transcript, and what only the report has of it: code, drawings, the log."""
        whole = await self._all_turns("get_session", session_id)
        try:
            report = await self._all_turns("get_session_report", session_id)
        except NotShown:  # an older deployment has none, an operator may have taken it away
            return whole
        turns = {each["turn"]: each for each in report.get("messages", [])}
        messages = [{**each, **turns.get(each["turn"], {})} for each in whole.get("messages", [])]
        return {**whole, "messages": messages, "integrityLog": report.get("integrityLog", [])}

    async def _all_turns(self, tool: str, session_id: str) -> dict[str, Any]:
        whole = page = await self(tool, sessionId=session_id)
        for _ in range(MOST_PAGES):
            if not page.get("nextTurn"):
                break
            page = await self(tool, sessionId=session_id, fromTurn=page["nextTurn"])
            whole["messages"] = [*whole["messages"], *page["messages"]]
        return {**whole, "nextTurn": page.get("nextTurn")}

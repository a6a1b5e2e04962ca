"""What a tool answers: text for the model to read, and the same content structured."""

from __future__ import annotations

from typing import Any, cast
from urllib.parse import urlsplit

from mcp.types import CallToolResult, TextContent

from aural_mcp.config import is_loopback
from aural_mcp.models import Record, Wire
from aural_mcp.operations import AnyOperation
from aural_mcp.safety import outside_all
from aural_mcp.schemas import SECRETS

LINKS = ("url", "inviteUrl")
UNLIMITED = "none"
"""How a `limit` of null reads: elsewhere null says nothing and is left out."""
LOCAL_LINK = (
    "These links open on this computer only. For candidates elsewhere, set AURAL_PUBLIC_URL to the address "
    "of a tunnel or reverse proxy to this computer's page port, restart, and ask for the links again."
)
SPEAKERS = {"USER": "Candidate", "ASSISTANT": "Interviewer", "SYSTEM": "System"}


def answer(operation: AnyOperation, result: Record | Wire, *, remarks: list[str]) -> CallToolResult:
    """A successful result. Text and structured content each stand alone: hosts forward one or the other."""
    structured = _without_secrets(outside_all(result.model_dump(mode="json", exclude_unset=True)))
    remarks = [*structured.pop("remarks", []), *remarks, *([LOCAL_LINK] if _has_local_link(structured) else [])]
    parts = [f"{operation.tool_title()}: done." if operation.effect != "read" else "", _text(structured)]
    parts += [f"Remark: {remark}" for remark in remarks]
    parts += [operation.hint]
    if remarks:
        structured["remarks"] = remarks
    text = "\n\n".join(part for part in parts if part)
    return CallToolResult(content=[TextContent(type="text", text=text)], structured_content=structured)


def failure(text: str) -> CallToolResult:
    """A refusal that the model can read and act on."""
    return CallToolResult(content=[TextContent(type="text", text=text)], is_error=True)


def transcript(messages: list[dict[str, Any]]) -> str:
    """Numbered turns in Markdown, every line of what was said quoted."""
    turns = [_turn(turn.get("turn", number), turn) for number, turn in enumerate(messages, 1)]
    return "\n\n".join(turns) or "Nothing has been said yet."


def _turn(number: int, turn: dict[str, Any]) -> str:
    speaker = SPEAKERS.get(str(turn.get("role")), "Unknown")
    words = "\n".join(f"> {line}" for line in str(turn.get("content", "")).split("\n"))
    return f"**{number}. {speaker}** ({turn.get('timestamp', '')})\n{words}"


def _text(value: dict[str, Any]) -> str:
    """A result as an outline: what is null or empty is left out, rows are numbered."""
    if isinstance(rows := value.get("data"), list):
        listed = cast("list[Any]", rows)
        head = f"{len(listed)} row{'' if len(listed) == 1 else 's'}."
        looked = value.get("lookedAt")
        head += f" {looked} session{'' if looked == 1 else 's'} looked at." if looked is not None else ""
        more = f"More rows: call again with cursor {value['cursor']}." if value.get("cursor") else ""
        items = [f"{number}. {_row(row)}" for number, row in enumerate(listed, 1)]
        return "\n".join(part for part in (head, *items, more) if part)
    if "messages" not in value:
        return _outline(value, "")
    messages = cast("list[dict[str, Any]]", value["messages"])
    rest = _outline({name: item for name, item in value.items() if name not in ("messages", "nextTurn")}, "")
    return f"{rest}\n\n{_which_turns(value, messages)}\n\n{transcript(messages)}"


def _which_turns(value: dict[str, Any], messages: list[dict[str, Any]]) -> str:
    if not messages:
        return f"Transcript: no turn here, {value.get('turns', 0)} in all."
    first, last = messages[0].get("turn", 1), messages[-1].get("turn", len(messages))
    more = f" For the rest call again with fromTurn {value['nextTurn']}." if value.get("nextTurn") else ""
    return f"Transcript, turns {first} to {last} of {value.get('turns', len(messages))}.{more}"


def _row(row: Any) -> str:
    """A row of plain values on one line, any other as an outline."""
    fields = cast("dict[str, Any]", row) if isinstance(row, dict) else {}
    if not fields or any(isinstance(item, dict | list) or "\n" in str(item) for item in fields.values()):
        return _outline(row, "   ").lstrip()
    return "; ".join(_field(name, item, "") for name, item in fields.items() if item not in (None, ""))


def _outline(value: Any, indent: str) -> str:
    if isinstance(value, dict):
        items = {
            name: UNLIMITED if name == "limit" and item is None else item
            for name, item in cast("dict[str, Any]", value).items()
        }
        return "\n".join(_field(name, item, indent) for name, item in items.items() if item not in (None, "", [], {}))
    if isinstance(value, list):
        return "\n".join(f"{indent}- " + _outline(item, indent + "  ").lstrip() for item in cast("list[Any]", value))
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return indent + text.replace("\n", f"\n{indent}")


def _field(name: str, value: Any, indent: str) -> str:
    if isinstance(value, dict | list) or (isinstance(value, str) and "\n" in value):
        return f"{indent}{name}:\n" + _outline(value, indent + "  ")
    return f"{indent}{name}: " + _outline(value, "")


def _without_secrets(value: Any) -> Any:
    """The value without raw invite tokens: who needs one gets the link that is made of it."""
    if isinstance(value, dict):
        items = cast("dict[str, Any]", value).items()
        return {name: _without_secrets(item) for name, item in items if name not in SECRETS}
    return [_without_secrets(item) for item in cast("list[Any]", value)] if isinstance(value, list) else value


def _has_local_link(value: Any) -> bool:
    """Whether a candidate link in the result leads to this computer only."""
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        return any(
            (name in LINKS and isinstance(item, str) and is_loopback(urlsplit(item).hostname)) or _has_local_link(item)
            for name, item in fields.items()
        )
    return isinstance(value, list) and any(_has_local_link(item) for item in cast("list[Any]", value))

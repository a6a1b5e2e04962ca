"""Which tools there are: narrowed by the operator, narrowed further by a request, widened by nobody.

A tool that is off does not exist: it is not listed, not called, and its resources and prompts are gone too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, get_args

from aural_mcp.api.analysis import LOCAL_OPERATIONS
from aural_mcp.api.operations import OPERATIONS, AnyOperation, CreateInterview, GetUsage, Toolset
from aural_mcp.config import BadSetting, Narrowing, asks_for
from aural_mcp.privacy.exposure import RevealCandidate
from aural_mcp.tools import SHAPES as SHAPED
from aural_mcp.tools.shape import Shape
from aural_mcp.workflows import WORKFLOWS
from aural_mcp.workflows.launch import LaunchInterviews

BY_NAME: dict[str, AnyOperation] = {
    each.tool_name(): each for each in (*OPERATIONS, RevealCandidate, *LOCAL_OPERATIONS, *WORKFLOWS)
}
"""Every operation that is a tool, in the order in which hosts list them."""
SHAPES: dict[AnyOperation, Shape[Any]] = {**SHAPED, **WORKFLOWS}
"""How tools differ from their operation."""
TOOLSETS: dict[str, tuple[AnyOperation, ...]] = {
    name: tuple(each for each in BY_NAME.values() if each.toolset == name) for name in get_args(Toolset)
}
WHOLE: tuple[AnyOperation, ...] = (CreateInterview, LaunchInterviews, GetUsage)
"""What concerns the workspace as a whole: for a role of some interviews it does not exist."""
TO_WRITE = (
    "It changes something or shows who somebody is, and this sign-in may only read. Ask the user to connect Aural "
    "again in their application, and to choose to read and change there."
)


def arguments_of(operation: AnyOperation) -> AnyOperation:
    """What the tool takes: the operation's own arguments, or those of its shape."""
    shape = SHAPES.get(operation)
    return shape.arguments if shape else operation


@dataclass(frozen=True)
class Access:
    """The operations that may be used, and whether anything may be changed or written by them."""

    allowed: frozenset[AnyOperation] = frozenset(BY_NAME.values())
    writes: bool = True

    def allows(self, operation: AnyOperation) -> bool:
        """Whether the operation's tool exists."""
        return operation in self.allowed

    def has(self, tool: str) -> bool:
        """Whether there is a tool of this name."""
        return tool in BY_NAME and BY_NAME[tool] in self.allowed

    def within(self, narrowing: Narrowing) -> Access:
        """What a role leaves of it."""
        role = access(narrowing)
        return Access(self.allowed & role.allowed, self.writes and role.writes)

    def narrowed(self, headers: Mapping[str, str] | None) -> Access:
        """What a request leaves of it, by `X-Aural-Readonly` and `X-Aural-Toolsets`."""
        sent, allowed = headers or {}, self.allowed
        if "x-aural-readonly" not in sent and "x-aural-toolsets" not in sent:
            return self
        writes = self.writes and not asks_for("x-aural-readonly", sent)
        allowed = allowed if writes else _reading(allowed)
        if (sets := sent.get("x-aural-toolsets")) is not None:
            wanted = [name.strip().lower() for name in sets.split(",")]
            allowed &= frozenset(each for name in wanted for each in TOOLSETS.get(name, ()))
        return replace(self, allowed=allowed, writes=writes)


@lru_cache(maxsize=100)
def access(narrowing: Narrowing) -> Access:
    """What the operator's settings leave.

    Raises:
        BadSetting: a name that does not exist, with those that do.
    """
    allowed = Access().allowed
    if narrowing.toolsets:
        _known("toolsets", narrowing.toolsets, TOOLSETS)
        allowed = frozenset(each for name in narrowing.toolsets for each in TOOLSETS[name])
    if narrowing.tools:
        _known("tools", narrowing.tools, BY_NAME)
        named = frozenset(BY_NAME[name] for name in narrowing.tools)
        allowed = allowed & named if narrowing.toolsets else named
    _known("exclude-tools", narrowing.exclude_tools, BY_NAME)
    allowed -= {BY_NAME[name] for name in narrowing.exclude_tools}
    return Access(_reading(allowed) if narrowing.read_only else allowed, not narrowing.read_only)


def changes(operation: AnyOperation, given: Mapping[str, Any]) -> bool:
    """Whether a call needs more than the right to read."""
    reads = operation.effect == "read" and operation is not RevealCandidate
    return not reads or bool(operation.saves_as and operation.saves_as in given)


def _reading(allowed: frozenset[AnyOperation]) -> frozenset[AnyOperation]:
    return frozenset(each for each in allowed if each.effect == "read" and each is not RevealCandidate)


def _known(setting: str, given: Iterable[str], known: Iterable[str]) -> None:
    unknown = [name for name in given if name not in known]
    if unknown:
        raise BadSetting(f"{setting}: there is no {unknown[0]!r}. There are: {', '.join(known)}.")

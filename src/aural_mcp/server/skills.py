"""The skill over MCP: the extension `io.modelcontextprotocol/skills` (SEP-2640) on the files of the skill folder.

Hosts that do not know the extension find the same files among the resources.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Literal

from mcp.server.extension import Extension, MethodBinding
from mcp.shared.exceptions import MCPError
from mcp.types import (
    INVALID_PARAMS,
    CacheableResult,
    PaginatedRequestParams,
    PaginatedResult,
    RequestParams,
    Resource,
)

from aural_mcp.documents import render
from aural_mcp.safety import quoted

FRESH = 3_600_000
"""Milliseconds for which the files may be cached: they change with the version only."""
SCHEME = "skill://"
Scope = Literal["public"]


class AtUri(RequestParams, defer_build=True):
    """A skill's SKILL.md."""

    uri: str


class InDirectory(PaginatedRequestParams, defer_build=True):
    """A folder of a skill."""

    uri: str


class SkillList(PaginatedResult, CacheableResult, defer_build=True):
    """Every skill, each complete: its front matter and its files with digest and size."""

    skills: list[dict[str, Any]]
    result_type: Literal["complete"] = "complete"


class OneSkill(CacheableResult, defer_build=True):
    """One skill, complete."""

    skill: dict[str, Any]
    result_type: Literal["complete"] = "complete"


class Files(PaginatedResult, CacheableResult, defer_build=True):
    """What is in a folder, not deeper."""

    resources: list[Resource]
    result_type: Literal["complete"] = "complete"


class Skills(Extension):
    """`skills/list`, `skills/get` and `resources/directory/read`; the files are read as resources."""

    identifier = "io.modelcontextprotocol/skills"

    def settings(self) -> dict[str, Any]:
        return {"directoryRead": True}

    def methods(self) -> Sequence[MethodBinding]:
        return [
            MethodBinding("skills/list", PaginatedRequestParams, _list),
            MethodBinding("skills/get", AtUri, _get),
            MethodBinding("resources/directory/read", InDirectory, _directory),
        ]


def skills() -> dict[str, dict[str, Any]]:
    """Each skill by the address of its SKILL.md."""
    found: dict[str, dict[str, Any]] = {}
    for file in render.skill_files():
        if file.name == file.skill:
            matter, uri = render.front_matter(file.text), SCHEME + file.path
            found[uri] = {"uri": uri, "frontmatter": matter, "resources": []}
        raw = file.text.encode()
        entry = {"uri": SCHEME + file.path, "digest": f"sha256:{hashlib.sha256(raw).hexdigest()}", "size": len(raw)}
        found[f"{SCHEME}{file.skill}/SKILL.md"]["resources"].append(entry)
    return found


async def _list(context: Any, params: PaginatedRequestParams | None) -> SkillList:
    return SkillList(skills=list(skills().values()), ttl_ms=FRESH, cache_scope="public")


async def _get(context: Any, params: AtUri) -> OneSkill:
    known = skills()
    if params.uri not in known:
        raise MCPError(INVALID_PARAMS, f"There is no skill {quoted(params.uri)}. There are: {', '.join(known)}.")
    return OneSkill(skill=known[params.uri], ttl_ms=FRESH, cache_scope="public")


async def _directory(context: Any, params: InDirectory) -> Files:
    folder = params.uri.removeprefix(SCHEME).rstrip("/") + "/"
    inside = [file for file in render.skill_files() if file.path.startswith(folder)]
    if not inside or not params.uri.startswith(SCHEME):
        raise MCPError(INVALID_PARAMS, f"{quoted(params.uri)} is not a folder of a skill.")
    names = dict.fromkeys(file.path.removeprefix(folder).split("/")[0] for file in inside)
    paths = {file.path for file in inside}
    listed = [
        Resource(
            uri=f"{SCHEME}{folder}{name}",
            name=name,
            mime_type="text/markdown" if folder + name in paths else "inode/directory",
        )
        for name in names
    ]
    return Files(resources=listed, ttl_ms=FRESH, cache_scope="public")

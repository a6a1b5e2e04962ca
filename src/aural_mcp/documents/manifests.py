"""The files by which registries, hosts and editors install this server: all made from the version and the settings.

`server.json` is the MCP registry's, `manifest.json` that of an MCPB bundle, `.claude-plugin/` makes a checkout a plugin
of Claude Code and a marketplace that offers it; the TypeScript client has the version from here.
`aural_mcp.documents.render` writes them.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from aural_mcp._version import __version__
from aural_mcp.api.operations import OPERATIONS
from aural_mcp.config import NO
from aural_mcp.variables import VARIABLES, Variable

SITE = "https://aural-ai.com"
PYPI: str | None = None
"""What the package is called on PyPI, from the day on which that name is ours; nothing points there before."""
NPM: str | None = None
"""What the TypeScript client is called on npm, likewise; it is private before."""
REPOSITORY: str | None = None
"""The public repository on GitHub, `https://github.com/...`; npm takes a package from no other workflow."""
REGISTRY_NAME = "com.aural-ai/aural-mcp"
"""Our name in the MCP registry; the README holds it too, which will prove that a package is ours."""
NAME, TITLE = "aural-mcp", "Aural interviews"
ABOUT = "Run hiring interviews with Aural: design, invite, follow, read and compare, from any agent."
ICON = "docs/icon.png"
START = "start.py"
"""What starts the server of a folder with this project, with packages whose hashes it compares."""
Json = dict[str, Any]
WHO: Json = {
    "name": NAME,
    "version": __version__,
    "description": ABOUT,
    "author": {"name": "Aural", "url": SITE},
    "homepage": SITE,
    "license": "MIT",
    "keywords": ["hiring", "interviews", "recruiting", "mcp"],
}
"""What bundle and plugin say of us alike."""


def server_json() -> Json:
    """The entry of the MCP registry: what this is, and the package to start, if one of ours is published."""
    entry: Json = {
        "$schema": "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json",
        "name": REGISTRY_NAME,
        "title": TITLE,
        "description": ABOUT,
        "version": __version__,
        "websiteUrl": SITE,
    }
    if REPOSITORY:
        entry["repository"] = {"url": REPOSITORY, "source": "github"}
    if PYPI:
        package = {"registryType": "pypi", "identifier": PYPI, "version": __version__, "transport": {"type": "stdio"}}
        entry["packages"] = [package | {"environmentVariables": [_variable(each) for each in VARIABLES if each.title]}]
    return entry


def typescript(written: Json) -> Json:
    """The `package.json` of the TypeScript client as it is written, with its version, and its name once it is ours."""
    made = {**written, "name": NPM or written["name"], "version": __version__, "private": True}
    if NPM:
        del made["private"]
    if REPOSITORY:
        folder = TYPESCRIPT.rpartition("/")[0]
        made["repository"] = {"type": "git", "url": f"git+{REPOSITORY}.git", "directory": folder}
    return made


def bundle() -> Json:
    """The manifest of the MCPB bundle: uv starts it from its own folder, the host asks for the settings."""
    return {
        "manifest_version": "0.4",
        "display_name": TITLE,
        **WHO,
        "icon": ICON,
        "server": {
            "type": "uv",
            "entry_point": START,
            "mcp_config": _from_folder("${__dirname}"),
        },
        "tools": [{"name": each.tool_name(), "description": each.first_sentence()} for each in OPERATIONS],
        "prompts_generated": True,
        "compatibility": {"platforms": ["darwin", "win32", "linux"], "runtimes": {"python": ">=3.11"}},
        "user_config": _asked(),
    }


def plugin() -> Json:
    """The plugin of Claude Code: the server and the skill, from a checkout."""
    return {
        **WHO,
        "icon": f"./{ICON}",
        "skills": "./skill/",
        "mcpServers": {"aural": _from_folder("${CLAUDE_PLUGIN_ROOT}")},
        "userConfig": _asked(),
        "network": {"hosts": [urlsplit(SITE).netloc]},
    }


def marketplace() -> Json:
    """A marketplace of Claude Code that offers this one plugin."""
    return {
        "name": "aural",
        "owner": {"name": "Aural"},
        "description": "Aural's own plugin.",
        "plugins": [{"name": NAME, "source": "./", "description": ABOUT, "version": __version__}],
    }


TYPESCRIPT = "sdk/typescript/package.json"
FILES = {
    "server.json": server_json,
    "manifest.json": bundle,
    ".claude-plugin/plugin.json": plugin,
    ".claude-plugin/marketplace.json": marketplace,
}


def text(name: str, written: str) -> str:
    """One of `FILES`, or `TYPESCRIPT`, as it is to be written; `written` is what is there."""
    made = FILES[name]() if name in FILES else typescript(json.loads(written))
    return json.dumps(made, ensure_ascii=False, indent=2) + "\n"


def links() -> str:
    """What stands where links of one click will: none may start a name that nobody owns; Markdown."""
    if PYPI:
        return f"`pip install {PYPI}` installs the newest release, and `{NAME} install` puts it in."
    return (
        f"There is no release yet: whatever a package index calls `{NAME}` is not ours, so nothing here starts it by "
        f"that name. `{NAME} install` puts in this checkout."
    )


def _from_folder(folder: str) -> Json:
    """How uv starts the server of a folder; without answer or default a setting stays `${...}`."""
    env = {each.names: f"${{user_config.{_key(each)}}}" for each in VARIABLES if each.title}
    return {"command": "uv", "args": ["run", "--script", f"{folder}/{START}"], "env": env}


def _asked() -> Json:
    """The settings that a host asks its user for."""
    return {_key(each): _question(each) for each in VARIABLES if each.title}


def _variable(setting: Variable) -> Json:
    """A setting as the MCP registry has it."""
    known: Json = {"name": setting.names, "description": _plain(setting)}
    return {**known, "isSecret": True} if setting.secret else known


def _question(setting: Variable) -> Json:
    known: Json = {"type": "string", "title": setting.title, "description": _plain(setting), "required": False}
    if setting.default in NO:
        known |= {"type": "boolean", "default": False}
    return {**known, "sensitive": True} if setting.secret else known


def _key(setting: Variable) -> str:
    return setting.names.removeprefix("AURAL_").lower()


def _plain(setting: Variable) -> str:
    return setting.meaning.replace("`", "")

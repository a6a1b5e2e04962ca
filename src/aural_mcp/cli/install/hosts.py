"""The programs that start MCP servers: where each keeps its configuration, and how an entry in it looks."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import Any, NamedTuple

from aural_mcp.cli.install import jsonc, toml

NAME = "aural"
"""What the server is called in every configuration."""
Entry = Mapping[str, Any]


@dataclass(frozen=True)
class Machine:
    """A computer as far as paths depend on it: `sys.platform` and the environment."""

    platform: str
    environment: Mapping[str, str]

    @property
    def home(self) -> PurePath:
        """The user's folder."""
        return self.folder("USERPROFILE" if self.platform == "win32" else "HOME") or self._path(str(Path.home()))

    @property
    def settings(self) -> PurePath:
        """The folder in which desktop programs keep what a user sets."""
        if self.platform == "win32":
            return self.folder("APPDATA") or self.home / "AppData" / "Roaming"
        if self.platform == "darwin":
            return self.home / "Library" / "Application Support"
        return self.folder("XDG_CONFIG_HOME") or self.home / ".config"

    def folder(self, variable: str) -> PurePath | None:
        """The folder that the environment names."""
        named = self.environment.get(variable, "")
        return self._path(named) if named else None

    def _path(self, path: str) -> PurePath:
        return PureWindowsPath(path) if self.platform == "win32" else PurePosixPath(path)


class Place(NamedTuple):
    """Where a configuration may be, and what being there shows that the host is; its last part may be a pattern."""

    sign: PurePath
    below: str = ""

    def files(self) -> list[Path]:
        """The configurations whose sign is there; they themselves need not be."""
        sign = _real(self.sign)
        signs = sorted(sign.parent.glob(sign.name)) if "*" in sign.name else [sign]
        return [each / self.below for each in signs if os.path.lexists(each)]


@dataclass(frozen=True)
class Format:
    """How a configuration is read and changed; `read` raises ValueError."""

    read: Callable[[str], dict[str, Any]]
    put: Callable[[str, str, str, Entry], str]
    drop: Callable[[str, str, str], str]
    show: Callable[[str, str, Entry], str]


JSON = Format(partial(jsonc.read, comments=False), jsonc.put, jsonc.drop, jsonc.show)
"""Where a comment is an error, because the host takes it for one."""
JSONC = Format(jsonc.read, jsonc.put, jsonc.drop, jsonc.show)
TOML = Format(toml.read, toml.put, toml.drop, toml.show)


@dataclass(frozen=True)
class Host:
    """One of them. `places` are tried in order; the last is where a configuration is made."""

    title: str
    section: str
    places: Callable[[Machine], list[Place]]
    next: str
    command: str = ""
    format: Format = JSON
    typed: bool = False

    def entry(self, start: Entry) -> dict[str, Any]:
        """How this host is told what to start."""
        return {"type": "stdio", **start} if self.typed else dict(start)


def files(host: Host, machine: Machine) -> list[Path]:
    """The configurations of this host: those where it shows itself, or where one belongs."""
    places = host.places(machine)
    shown = [file for place in places for file in place.files()]
    return shown or [_real(places[-1].sign) / places[-1].below]


def found(machine: Machine) -> list[str]:
    """The hosts on this computer: their folder is there, or their command."""

    def here(host: Host) -> bool:
        commands = machine.environment.get("PATH", "")
        return any(place.files() for place in host.places(machine)) or bool(
            host.command and shutil.which(host.command, path=commands)
        )

    return [name for name, host in HOSTS.items() if here(host)]


def snippet(name: str, start: Entry) -> str:
    """What somebody would add to this host's configuration by hand."""
    if name in HOSTS:
        host = HOSTS[name]
        return host.format.show(host.section, NAME, host.entry(start))
    if name == "goose":
        entry = {"name": NAME, "type": "stdio", "enabled": True, "cmd": start["command"], "args": start["args"]}
        lines = {**entry, "envs": start.get("env", {}), "timeout": 300}  # JSON is YAML
        return "\n".join(["extensions:", f"  {NAME}:", *(f"    {key}: {json.dumps(lines[key])}" for key in lines)])
    return jsonc.show("context_servers" if name == "zed" else "mcpServers", NAME, start)


def _claude_desktop(machine: Machine) -> list[Place]:
    file = "claude_desktop_config.json"
    usual = Place(machine.settings / "Claude", file)
    if machine.platform != "win32":
        return [usual]
    local = machine.folder("LOCALAPPDATA") or machine.home / "AppData" / "Local"
    # Installed as a package, which is the rule since 2026, it sees a settings folder of its own and not the user's.
    return [Place(local / "Packages" / "Claude_*", f"LocalCache/Roaming/Claude/{file}"), usual]


def _claude_code(machine: Machine) -> list[Place]:
    return [Place((machine.folder("CLAUDE_CONFIG_DIR") or machine.home) / ".claude.json")]


def _cursor(machine: Machine) -> list[Place]:
    return [Place(machine.home / ".cursor", "mcp.json")]


def _vscode(machine: Machine) -> list[Place]:
    return [Place(machine.settings / edition, "User/mcp.json") for edition in ("Code - Insiders", "Code")]


def _codex(machine: Machine) -> list[Place]:
    return [Place(machine.folder("CODEX_HOME") or machine.home / ".codex", "config.toml")]


def _gemini(machine: Machine) -> list[Place]:
    return [Place((machine.folder("GEMINI_CLI_HOME") or machine.home) / ".gemini", "settings.json")]


HOSTS = {
    "claude-desktop": Host(
        "Claude Desktop", "mcpServers", _claude_desktop, "Quit it fully (closing its window is not enough), start it."
    ),
    "claude-code": Host(
        "Claude Code",
        "mcpServers",
        _claude_code,
        "Start a new session; `claude mcp list` shows aural.",
        command="claude",
        typed=True,
    ),
    "cursor": Host(
        "Cursor",
        "mcpServers",
        _cursor,
        "Run `Developer: Reload Window`; Settings → MCP shows aural.",
        command="cursor",
        format=JSONC,
    ),
    "vscode": Host(
        "VS Code",
        "servers",
        _vscode,
        "Run `MCP: List Servers`, choose aural, Start Server; VS Code asks once whether you trust it.",
        command="code",
        format=JSONC,
        typed=True,
    ),
    "codex": Host(
        "Codex CLI",
        "mcp_servers",
        _codex,
        "Start a new session; `codex mcp list` shows aural.",
        command="codex",
        format=TOML,
    ),
    "gemini": Host(
        "Gemini CLI",
        "mcpServers",
        _gemini,
        "Start a new session in a folder that you trust; `/mcp` shows aural.",
        command="gemini",
        format=JSONC,
    ),
}
PRINTED = {
    "windsurf": "~/.codeium/windsurf/mcp_config.json",
    "zed": "settings.json (`zed: open settings`)",
    "goose": "~/.config/goose/config.yaml",
}
"""Hosts whose entry is only printed, and the file it belongs into."""


def _real(path: PurePath) -> Path:
    return Path(path.as_posix())

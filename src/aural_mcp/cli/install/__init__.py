"""Put this server into the configurations of MCP hosts, and take it out again, as `aural-mcp install` does.

Nothing is remembered between runs. That a file is as an earlier run left it is seen by making that run's change once
more: whoever put the present entry into a backup and gets the present file knows that nothing else changed.
"""

from __future__ import annotations

import difflib
import glob
import json
import os
import re
import stat
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from aural_mcp.cli.install.hosts import HOSTS, NAME, Entry, Host
from aural_mcp.config import CLOUD, KEY_CHARACTER, KEY_PREFIX

BACKEND = ("AURAL_API_KEY", "AURAL_API_KEY_FILE", "AURAL_BASE_URL")
"""What decides which backend is used: set by every run, whatever was there."""
OPEN = (*BACKEND[1:], "AURAL_DATA_DIR")
"""Settings whose values may be shown; others may be secrets."""
BOM = b"\xef\xbb\xbf"


class Problem(Exception):
    """Why a configuration is not changed, and what to do; one line."""


def this_installation(program: str, interpreter: str, platform: str) -> dict[str, Any]:
    """The command that starts what is running now: `sys.argv[0]` in full, or the interpreter with the module."""
    if platform == "win32" and not program.endswith((".exe", ".py")):
        program += ".exe"  # the launcher takes it from its name
    if program.endswith("__main__.py"):
        return {"command": interpreter, "args": ["-m", "aural_mcp"]}
    return {"command": program, "args": []}


def passing(start: Entry) -> bool:
    """Whether the installation is in a cache, as that of `uvx` and `pipx run`, and may be gone tomorrow."""
    return bool(re.search(r"[/\\](archive-v0|pipx[/\\]\.?cache|\.?cache[/\\]pipx)[/\\]", start["command"]))


def settings(environment: Mapping[str, str], key_file: Path | None = None, base_url: str = CLOUD) -> dict[str, str]:
    """What the entry sets. Of this shell's settings the workspace's folder is kept, and another backend is shut out."""
    given = {"AURAL_API_KEY_FILE": str(key_file)} if key_file else {}
    if base_url != CLOUD:
        given["AURAL_BASE_URL"] = base_url
    if folder := environment.get("AURAL_DATA_DIR"):
        given["AURAL_DATA_DIR"] = os.path.abspath(os.path.expanduser(folder))
    return {**{name: "" for name in BACKEND if environment.get(name)}, **given}


# ── Keys ────────────────────────────────────────────────────────────────────────────────────────


def key_file(folder: Path, base_url: str) -> Path:
    """Where the key for an Aural deployment is kept, in the data folder."""
    return folder / f"{re.sub(r'[^A-Za-z0-9.-]', '_', urlsplit(base_url).netloc)}.key"


def holds(file: Path, key: str) -> bool:
    """Whether that key is kept there already, and for the owner only."""
    try:
        private = sys.platform == "win32" or not file.stat().st_mode & 0o077
        return private and file.read_bytes() == _line(key)
    except OSError:
        return False


def store_key(file: Path, key: str) -> None:
    """Keep the key, readable by its owner only.

    On Windows the mode says nothing: there the file is private because the folder is the user's own.

    Raises:
        Problem: it cannot be written.
    """
    try:
        _write(file, _line(key), None)
    except OSError as error:
        raise Problem(f"{file} cannot be written ({error.strerror}). Nothing was changed.") from error


def _line(key: str) -> bytes:
    return f"{key}\n".encode()


# ── Changes ─────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Change:
    """What is to become of a configuration.

    `wanted` is the command and settings to put in, None to take the entry out; `old` and `new` are the entry before
    and after; `after` is None where the file goes. Where everything goes back to what it was, `spent` are the backups
    that nobody needs any more.
    """

    name: str
    file: Path
    wanted: Entry | None
    before: bytes | None
    after: bytes | None
    old: Entry | None
    new: Entry | None
    spent: tuple[Path, ...] | None = None

    @property
    def host(self) -> Host:
        """Whose configuration it is."""
        return HOSTS[self.name]

    @property
    def needed(self) -> bool:
        """Whether there is anything to do."""
        return self.old != self.new

    def preview(self) -> str:
        """The file and the entry before and after; secrets left out."""
        if not self.needed:
            said = "already up to date" if self.new else f"{NAME} is not in it"
            return f"{self.host.title}: {self.file}: {said}"
        what = (
            "is made"
            if self.before is None
            else "is removed"
            if self.after is None
            else "changes"
            if self.spent is None
            else "is restored"
        )
        old, new = (self._lines(entry) for entry in (self.old, self.new))
        diff = list(difflib.unified_diff(old, new, n=99, lineterm=""))[3:]
        return "\n".join([f"{self.host.title}: {self.file} {what}", *(f"  {line}" for line in diff)])

    def _lines(self, entry: Entry | None) -> list[str]:
        if entry is None:
            return []
        shown = dict(entry)
        for place in ("env", "headers", "http_headers"):
            if isinstance(held := entry.get(place), dict):
                values = cast("dict[str, Any]", held).items()
                shown[place] = {name: value if name in OPEN or not value else "(not shown)" for name, value in values}
        said = self.host.format.show(self.host.section, NAME, shown)
        return re.sub(KEY_PREFIX + KEY_CHARACTER + "+", "(not shown)", said).split("\n")

    def make(self) -> Path | None:
        """Do it, and say where the backup is, if there is one.

        Raises:
            Problem: it cannot be done, or the entry is no longer what was shown. The file is as it was.
        """
        now = plan(self.name, self.file, self.wanted)  # a host that runs writes its own configuration
        if (now.old, now.new) != (self.old, self.new):
            raise Problem(f"{self.file} changed meanwhile, and was left alone. Run it again.")
        try:
            return now._make()
        except OSError as error:
            hint = f"Close {self.host.title} and try again, or see who may write there."
            raise Problem(f"{self.file} cannot be written ({error.strerror}) and is as it was. {hint}") from error

    def _make(self) -> Path | None:
        file = Path(os.path.realpath(self.file))  # a link stays a link
        like = file.stat() if self.before is not None else None
        if like and not os.access(file, os.W_OK):
            raise PermissionError(0, "it is read-only")
        backup = None
        if self.before is not None and self.spent is None:
            backup = file.with_name(f"{file.name}.aural-{datetime.now(UTC):%Y%m%d-%H%M%S-%f}.bak")
            _write(backup, self.before, like)
        try:
            if self.after is None:
                file.unlink()
            else:
                _write(file, self.after, like)
        except BaseException:
            if backup:
                backup.unlink()
            raise
        for spent in self.spent or ():
            spent.unlink()
        return backup


def plan(name: str, file: Path, wanted: Entry | None) -> Change:
    """What would put the entry into the configuration; or take it out, where None is wanted.

    Raises:
        Problem: the file cannot be read, or not be changed without harm.
    """
    host = HOSTS[name]
    try:
        before = file.read_bytes()
    except FileNotFoundError:
        before = None
    except OSError as error:
        raise Problem(f"{file} cannot be read ({error.strerror}). See who may read it, and try again.") from error
    data = _read(name, file, before or b"")
    old = _entry(host, data)
    new = _joined(old, host.entry(wanted)) if wanted is not None else None
    if old == new:
        return Change(name, file, wanted, before, before, old, new)
    if new is None and before is not None:
        backups = _backups(name, file)
        for original in [content for _, content, entry in backups if entry is None] or [None]:
            if _edited(host, original or b"", old) == before:
                states = (original, *(_edited(host, original or b"", entry) for _, _, entry in backups if entry))
                spent = tuple(backup for backup, content, _ in backups if content in states)
                return Change(name, file, wanted, before, original, old, new, spent)
    after = _edited(host, before or b"", new)
    if not _only_ours(host, data, after, new):
        hint = f"Change it by hand: {_by_hand(name)}"
        raise Problem(f"{file} has {host.section} in a form that is not changed here. It was left alone. {hint}")
    return Change(name, file, wanted, before, after, old, new)


def _joined(old: Entry | None, new: dict[str, Any]) -> dict[str, Any]:
    """The new entry, with what somebody added to the old one: other settings, other keys."""
    if old is None or "command" not in old:
        return new
    held = cast("dict[str, Any]", old["env"]) if isinstance(old.get("env"), dict) else {}
    env = {name: value for name, value in held.items() if name not in BACKEND} | new.get("env", {})
    joined = {**old, **new, "env": env}
    return joined if env else {name: value for name, value in joined.items() if name != "env"}


def _read(name: str, file: Path, content: bytes) -> dict[str, Any]:
    host = HOSTS[name]
    try:
        data = _parsed(host, content)
    except (ValueError, RecursionError) as error:
        said = str(error)
        line = next(iter(re.findall(r"line (\d+)", said)), content.count(b"\n") + 1)
        what = re.sub(r"\s*(:|\(at|\() ?(line \d.*|end of document.*)", "", said)
        if isinstance(error, UnicodeDecodeError):
            what, line = "it is not UTF-8 text", content.count(b"\n", 0, error.start) + 1
        elif isinstance(error, RecursionError):
            what = "it is nested too deep"
        hint = f"Correct it and run this again, or change it by hand: {_by_hand(name)}"
        raise Problem(f"{file}, line {line}: {what}. It was left alone. {hint}") from error
    if not isinstance(data.get(host.section, {}), dict):
        raise Problem(f"{file}: {host.section} is not a table of servers. It was left alone; correct it.")
    return data


def _by_hand(name: str) -> str:
    return f"`aural-mcp install --print {name}` shows the entry."


def _parsed(host: Host, content: bytes) -> dict[str, Any]:
    return host.format.read(content.removeprefix(BOM).decode())


def _entry(host: Host, data: dict[str, Any]) -> Entry | None:
    """Our entry; in place of one that is no table, an empty one."""
    entry = data.get(host.section, {}).get(NAME)
    return None if entry is None else cast("Entry", entry) if isinstance(entry, dict) else {}


def _only_ours(host: Host, before: dict[str, Any], after: bytes, entry: Entry | None) -> bool:
    """Whether what comes out can be read, says the entry, and says everything else as before and in that order."""
    try:
        data = _parsed(host, after)
    except ValueError:
        return False
    return _entry(host, data) == entry and _others(host, data) == _others(host, before)


def _others(host: Host, data: dict[str, Any]) -> str:
    servers = {name: entry for name, entry in data.get(host.section, {}).items() if name != NAME}
    others = {name: value for name, value in data.items() if name != host.section}
    return json.dumps([others, servers], default=str)


def _edited(host: Host, content: bytes, entry: Entry | None) -> bytes:
    bare = content.removeprefix(BOM)
    text, rules = bare.decode(), host.format
    edited = rules.drop(text, host.section, NAME) if entry is None else rules.put(text, host.section, NAME, entry)
    return content[: len(content) - len(bare)] + edited.encode()


def _backups(name: str, file: Path) -> list[tuple[Path, bytes, Entry | None]]:
    """Those beside the file, the newest first, each with our entry in it."""
    real, found = Path(os.path.realpath(file)), list[tuple[Path, bytes, Entry | None]]()
    for backup in sorted(real.parent.glob(f"{glob.escape(real.name)}.aural-*.bak"), reverse=True):
        with suppress(OSError, Problem):
            content = backup.read_bytes()
            found.append((backup, content, _entry(HOSTS[name], _read(name, backup, content))))
    return found


def _write(file: Path, content: bytes, like: os.stat_result | None) -> None:
    """Write whole or not at all; with the mode and owner of `like`, or for the owner only."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    try:
        with os.fdopen(handle, "wb") as writing:
            writing.write(content)
            writing.flush()
            os.fsync(writing.fileno())
        if like is not None:
            if sys.platform != "win32":
                with suppress(OSError):  # only root can, and has to: a host must be able to read its own file
                    os.chown(temporary, like.st_uid, like.st_gid)
            os.chmod(temporary, stat.S_IMODE(like.st_mode))
        os.replace(temporary, file)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise

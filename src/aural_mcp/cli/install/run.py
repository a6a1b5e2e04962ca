"""What `aural-mcp install` does, from what was asked for to what is said at the end; the console is given to it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

from aural_mcp.cli.install import Change, Problem, holds, key_file, passing, plan, settings, store_key
from aural_mcp.cli.install.hosts import HOSTS, PRINTED, Machine, files, found, snippet
from aural_mcp.config import GET_A_KEY, BadSetting, Settings, data_folder, read_settings, usable_key


class Misuse(Exception):
    """What was asked for makes no sense, or cannot be asked for here; one line."""


class Say(Protocol):
    """Prints a line; `err` is for what goes wrong."""

    def __call__(self, text: str, /, *, err: bool = False) -> None: ...


@dataclass(frozen=True)
class Console:
    """Whom this talks to. Only a terminal can be asked something."""

    terminal: bool
    say: Say
    ask_key: Callable[[], str]
    agree: Callable[[], bool]
    tries: Callable[[Settings], None] = lambda settings: None
    """Asks the backend once whether it takes the key; raises `Problem` where it refuses it."""


@dataclass(frozen=True)
class Request:
    """What was asked for, as the options of the command are called."""

    hosts: tuple[str, ...] = ()
    local: bool = False
    key_file: Path | None = None
    base_url: str | None = None
    uninstall: bool = False
    dry_run: bool = False
    yes: bool = False
    printed: str | None = None


def run(request: Request, start: dict[str, Any], machine: Machine, console: Console) -> bool:
    """Do it; whether all of it could be done.

    Args:
        start: the command of this installation.

    Raises:
        Misuse: nothing was done.
        Problem: nothing was done, or the person did not want it.
    """
    _check(request)
    if passing(start):
        hint = "install it first, for instance with `uv tool install aural-mcp`"
        console.say(f"{start['command']} is in a cache that may be emptied: {hint}.", err=True)
    chosen = list(dict.fromkeys(request.hosts)) or found(machine)
    if not chosen and not request.printed:
        raise Problem("No MCP host was found here. Name one, or see `aural-mcp install --help`.")
    secret = None
    if not request.uninstall:
        environment, secret = _backend(request, machine.environment, console)
        start = {**start, "env": environment} if environment else start
    if request.printed:
        if request.printed in PRINTED:
            console.say(f"Into {PRINTED[request.printed]}:", err=True)
        if not (request.local or request.key_file):
            console.say("For the workspace on this computer; --key-file FILE makes it one for Aural.", err=True)
        console.say(snippet(request.printed, start))
        return True
    changes, failed = _plans(chosen, machine, None if request.uninstall else start, console)
    if secret and holds(*secret):
        secret = None
    if secret:
        console.say(f"Your key goes into {secret[0]}, for you alone to read.")
    if request.dry_run or not (changes or secret):
        undecided = request.dry_run and not (request.local or request.key_file or request.uninstall)
        asks = " Without --local or --key-file a real run asks for a key." if undecided else ""
        console.say(f"Nothing was changed.{asks}" if request.dry_run else "Nothing to do.")
        return not failed
    _agree(request, console)
    if secret:
        store_key(*secret)
    made = [_make(change, console) for change in changes]
    left = {_key_named(change.old) for change in changes if change.old and request.uninstall}
    for file in sorted(file for file in left if file and os.path.exists(file)):
        console.say(f"The key stays in {file}; delete that if nothing else uses it.")
    return all(made) and not failed


def _check(request: Request) -> None:
    if request.local and (request.key_file or request.base_url):
        raise Misuse("--local uses neither a key nor an address.")
    if request.uninstall and (request.local or request.key_file or request.base_url or request.printed):
        raise Misuse("--uninstall takes nothing but hosts, --dry-run and --yes.")
    if request.printed and request.hosts:
        raise Misuse("--print HOST prints one entry and changes nothing: name no other host.")


def _backend(
    request: Request, environment: Mapping[str, str], console: Console
) -> tuple[dict[str, str], tuple[Path, str] | None]:
    """What the entry sets; and the key that was typed, with the file to keep it in."""
    key = ""
    if not (request.local or request.key_file or request.dry_run or request.printed):
        if not console.terminal:
            raise Misuse("There is no terminal to ask for the key on: say --local, or --key-file FILE.")
        key = console.ask_key().strip()
        if key and not usable_key(key):
            raise Misuse(f"That is no Aural key: keys start with dlv_. {GET_A_KEY}.")
    if request.base_url and not (key or request.key_file):
        raise Misuse("--base-url needs a key for it: --key-file FILE, or type it when asked.")
    file = request.key_file.absolute() if request.key_file else None
    given = {"AURAL_BASE_URL": request.base_url, "AURAL_API_KEY": key, "AURAL_API_KEY_FILE": file}
    folder = {"AURAL_DATA_DIR": environment.get("AURAL_DATA_DIR", "")}
    try:
        read = read_settings({**{name: str(value or "") for name, value in given.items()}, **folder})
        if key:
            file = key_file(Path(os.path.abspath(data_folder(read))), read.base_url)
        elif read.data_dir and not (request.dry_run or request.printed):
            data_folder(read)  # a host would fail where it cannot be made
    except BadSetting as error:
        raise Misuse(_as_typed(str(error))) from error
    if read.problem:
        raise Misuse(_as_typed(read.problem))
    if read.api_key and not (request.dry_run or request.printed):
        console.tries(read)
    return settings(environment, file, read.base_url), (file, key) if file and key else None


def _as_typed(said: str) -> str:
    """What is said of settings, in the words of the options that stand for them here."""
    said = said.replace("AURAL_API_KEY_FILE", "--key-file").replace("AURAL_BASE_URL", "--base-url")
    return said.replace(", and restart", "").replace(" and restart", "")


def _plans(
    chosen: list[str], machine: Machine, wanted: dict[str, Any] | None, console: Console
) -> tuple[list[Change], bool]:
    """What is to change, shown; and whether something cannot be changed."""
    changes: list[Change] = []
    failed = False
    for name, file in [(host, file) for host in chosen for file in files(HOSTS[host], machine)]:
        try:
            change = plan(name, file, wanted)
        except Problem as problem:
            console.say(f"{HOSTS[name].title}: {problem}", err=True)
            failed = True
            continue
        console.say(change.preview())
        changes += [change] if change.needed else []
    return changes, failed


def _agree(request: Request, console: Console) -> None:
    if request.yes:
        return
    if not console.terminal:
        raise Misuse("Nothing was changed: there is no terminal to ask on. --yes changes what is shown.")
    if not console.agree():
        raise Problem("Nothing was changed.")


def _make(change: Change, console: Console) -> bool:
    """Make the change, and say what the person does next."""
    try:
        backup = change.make()
    except Problem as problem:
        console.say(f"{change.host.title}: {problem}", err=True)
        return False
    after = change.host.next if change.new else "Restart it."
    console.say(f"{change.host.title}: done. {after}" + (f" Backup: {backup}" if backup else ""))
    return True


def _key_named(entry: Mapping[str, Any]) -> str:
    held: object = entry.get("env")
    return str(cast("dict[str, Any]", held).get("AURAL_API_KEY_FILE", "")) if isinstance(held, dict) else ""

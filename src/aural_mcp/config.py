"""Settings, read once from the environment and the command line."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

CLOUD = "https://aural-ai.com/api/v1"
COMPLETING = "_AURAL_MCP_COMPLETE"
"""Set by a shell while somebody types: commands are completed then, and nothing is served."""
CONFIRM = ("ask", "preview", "never")
NAMES = ("clear", "hash")
UNEXPANDED = re.compile(r"\$\{.*\}", re.DOTALL)
"""A reference to another variable that nobody has put in place."""
YES, NO = ("1", "true", "yes", "on"), ("0", "false", "no", "off")
OUR_FILES = ("workspace.db", "state.db", "events.db", "audit.jsonl", "audit-spool-")
"""What the names of our files in the data folder begin with."""
KEPT_OPEN = 75
"""Seconds that an idle connection to us stays open: longer than clients and proxies keep theirs; few repeat a POST."""
KEY_PREFIX = "dlv_"
KEY_CHARACTER = r"[!#$%&*+\-./0-9:=?@A-Z^_a-z|~]"
"""What a key can be made of: printable, and nothing that quotes or separates, so that it can be struck out whole."""
KEY, KEY_LEFT_OUT = re.compile(f"{KEY_PREFIX}{KEY_CHARACTER}+"), f"{KEY_PREFIX}…"
"""Whatever looks like a key, and what stands for it in logs and texts."""
GET_A_KEY = "Create one in the Aural dashboard under Settings → API Keys (it is shown once)"


class BadSetting(ValueError):
    """A setting that cannot be used; the message names it and says what it takes."""


@dataclass(frozen=True)
class Model:
    """A language model behind an OpenAI-compatible endpoint, for the embedded backend's interviewer and analyst."""

    base_url: str
    name: str
    api_key: str = ""

    def __repr__(self) -> str:
        return f"Model({self.base_url!r}, {self.name!r})"


@dataclass(frozen=True)
class Narrowing:
    """Which tools the operator leaves, empty meaning all of them, and what of candidates may be seen."""

    read_only: bool = False
    toolsets: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    exclude_tools: tuple[str, ...] = ()
    blind: bool = False
    lockdown: bool = False


@dataclass(frozen=True)
class Starts:
    """What may be begun by a public link: sessions of one address in an hour (0 is any number), one of a person.

    `address_header` is where a proxy, and nobody else, names the candidate's address.
    """

    per_hour: int = 30
    once: bool = False
    address_header: str = ""


@dataclass(frozen=True)
class Employer:
    """What candidates are told of who invites them, and by when they are owed an explanation.

    Args:
        contact: where they may ask: an e-mail address, a link, a number.
        retention_days: after which their data is deleted; None where nobody said.
        explanation_days: within which somebody who was turned down is told why.
    """

    organization: str = ""
    contact: str = ""
    retention_days: int | None = None
    explanation_days: int = 30


STARTS = Starts()
EMPLOYER = Employer()


@dataclass(frozen=True)
class Settings:
    """Which backend to use, and how.

    `api_key` is None for the embedded backend. `problem` is a sentence for the person who set
    this up: with it set, the server starts and lists its tools, and every call answers with it.
    """

    api_key: str | None = None
    base_url: str = CLOUD
    embedded: bool = True
    problem: str = ""
    public_url: str | None = None
    page_port: int | None = None
    data_dir: Path | None = None
    requests_per_minute: int = 60
    model: Model | None = None
    starts: Starts = STARTS
    employer: Employer = EMPLOYER
    narrowing: Narrowing = Narrowing()
    confirm: str = "ask"
    state_keys: tuple[bytes, ...] = ()
    state_url: str = ""
    """Of the database that replicas share; a file in the data folder where there is none."""
    files: Path | None = None
    audit_log: Path | None = None
    """Where decisions are logged when not in the data folder; `Path("off")` is nowhere."""
    audit_names: str = "clear"
    require_reason: bool = False

    def __repr__(self) -> str:
        return f"Settings(base_url={self.base_url!r}, embedded={self.embedded})"


def read_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Read `AURAL_*` from the environment: this process's when none is given.

    A key means relay to the base URL; neither key nor base URL means the embedded backend;
    a base URL without a key is a problem, never a silent switch.

    Raises:
        BadSetting: a number or address that cannot be used.
    """
    environment = os.environ if environment is None else environment
    key, problem = _key(environment)
    given_url = value(environment, "AURAL_BASE_URL")
    base_url = _url("AURAL_BASE_URL", given_url or CLOUD)
    if given_url and not key and not problem:
        problem = (
            f"AURAL_BASE_URL is set but there is no key for it. {GET_A_KEY}, set it as AURAL_API_KEY "
            "and restart; or unset AURAL_BASE_URL to use the workspace on this computer."
        )
    public_url = value(environment, "AURAL_PUBLIC_URL")
    data_dir = value(environment, "AURAL_DATA_DIR")
    audit_log = value(environment, "AURAL_AUDIT_LOG")
    per_minute = _number(environment, "AURAL_REQUESTS_PER_MINUTE", most=100_000)
    return Settings(
        api_key=key,
        base_url=base_url,
        embedded=not (key or problem or given_url),
        problem=problem,
        public_url=_url("AURAL_PUBLIC_URL", public_url, is_origin=True) if public_url else None,
        page_port=_number(environment, "AURAL_PAGE_PORT", most=65535),
        data_dir=_path("AURAL_DATA_DIR", data_dir) if data_dir else None,
        requests_per_minute=60 if per_minute is None else per_minute,
        model=_model(environment),
        starts=_starts(environment),
        employer=_employer(environment),
        narrowing=Narrowing(
            read_only=_switch(environment, "AURAL_READ_ONLY"),
            toolsets=_names(environment, "AURAL_TOOLSETS", guard=True),
            tools=_names(environment, "AURAL_TOOLS", guard=True),
            exclude_tools=_names(environment, "AURAL_EXCLUDE_TOOLS", guard=True),
            blind=_switch(environment, "AURAL_BLIND"),
            lockdown=_switch(environment, "AURAL_LOCKDOWN"),
        ),
        confirm=_choice(environment, "AURAL_CONFIRM", CONFIRM),
        state_keys=_state_keys(environment),
        state_url=value_or_file(environment, "AURAL_STATE_URL"),
        files=_folder(environment, "AURAL_FILES"),
        audit_log=_path("AURAL_AUDIT_LOG", "off" if audit_log.lower() == "off" else audit_log) if audit_log else None,
        audit_names=_choice(environment, "AURAL_AUDIT_NAMES", NAMES),
        require_reason=_switch(environment, "AURAL_REQUIRE_REASON"),
    )


def data_folder(settings: Settings) -> Path:
    """The folder of the local workspace, made when missing; one of ours is left to its owner alone."""
    folder = data_place(settings)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if open_to_others(folder) and (settings.data_dir is None or _holds_only_ours(folder)):
            for each in (folder, *folder.iterdir()):
                keep_private(each)
    except OSError as error:
        raise BadSetting(
            f"AURAL_DATA_DIR: {folder} cannot be made ({error.strerror}). Name a folder you own."
        ) from error
    return folder


def data_place(settings: Settings) -> Path:
    """Where the folder of the local workspace is, or will be."""
    from platformdirs import user_data_path

    return settings.data_dir or user_data_path("aural-mcp", appauthor=False)


def open_to_others(path: Path) -> bool:
    """Whether other users of this computer may look into it."""
    return sys.platform != "win32" and path.exists() and bool(path.stat().st_mode & 0o077)


def keep_private(path: Path) -> None:
    """Take a file or folder from everybody but its owner; where it is somebody else's it stays as it is."""
    with suppress(OSError):
        if open_to_others(path):
            path.chmod(path.stat().st_mode & 0o700)


def _holds_only_ours(folder: Path) -> bool:
    return all(each.name.startswith(OUR_FILES) or each.suffix == ".key" for each in folder.iterdir())


def decision_log(settings: Settings) -> Path | None:
    """The file in which decisions are logged; None when that is switched off, or they are rows of a database."""
    if settings.audit_log == Path("off") or logs_in_database(settings):
        return None
    return settings.audit_log or data_folder(settings) / "audit.jsonl"


def logs_in_database(settings: Settings) -> bool:
    """Whether decisions are rows of the database that processes share: where it is set, and no other log is."""
    return bool(settings.state_url) and settings.audit_log is None


def usable_key(key: str) -> bool:
    """Whether this could be an Aural key at all: `dlv_` and more, printable, nothing that ends a word."""
    return bool(re.fullmatch(KEY_PREFIX + KEY_CHARACTER + "{1,500}", key))


def sent_key(headers: Mapping[str, str]) -> str:
    """The key that a request brings, empty if none: after `Bearer`, in any case and any distance, or in `x-api-key`."""
    scheme, _, rest = headers.get("authorization", "").partition(" ")
    return (scheme.lower() == "bearer" and rest.strip()) or headers.get("x-api-key", "").strip()


def asks_for(guard: str, headers: Mapping[str, str]) -> bool:
    """Whether a request asks to be held back by this header: what is neither nothing nor a clear no is a yes."""
    return headers.get(guard, "").strip().lower() not in ("", *NO)


def is_loopback(host: str | None) -> bool:
    """Whether the host name means this computer."""
    return host in ("localhost", "::1") or bool(re.fullmatch(r"127(\.\d{1,3}){3}", host or ""))


def is_inner(host: str | None) -> bool:
    """Whether only computers of the same network, or this one, know the host."""
    if is_loopback(host) or not host or host.endswith((".internal", ".local", ".lan", ".localhost", ".home.arpa")):
        return True
    import ipaddress

    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return "." not in host


def _model(environment: Mapping[str, str]) -> Model | None:
    """The model of the embedded backend; its address and its name belong together."""
    url, name = value(environment, "AURAL_LLM_BASE_URL"), value(environment, "AURAL_LLM_MODEL")
    if not url and not name:
        return None
    if not url or not name:
        raise BadSetting("AURAL_LLM_BASE_URL and AURAL_LLM_MODEL go together: set both, or neither.")
    return Model(_url("AURAL_LLM_BASE_URL", url), name, value(environment, "AURAL_LLM_API_KEY"))


def _starts(environment: Mapping[str, str]) -> Starts:
    per_hour = _number(environment, "AURAL_STARTS_PER_HOUR", most=1_000_000)
    header = _guard(environment, "AURAL_ADDRESS_HEADER") or ""
    if not re.fullmatch(r"[A-Za-z0-9-]{0,64}", header):
        raise BadSetting("AURAL_ADDRESS_HEADER must be the name of a header, such as X-Forwarded-For.")
    once = _switch(environment, "AURAL_ONE_SESSION")
    return Starts(Starts.per_hour if per_hour is None else per_hour, once, header)


def _employer(environment: Mapping[str, str]) -> Employer:
    organization, contact = (
        " ".join(value(environment, f"AURAL_{name}").split()) for name in ("ORGANIZATION", "CONTACT")
    )
    kept = _guard(environment, "AURAL_RETENTION") or ""
    days = _number(environment, "AURAL_EXPLANATION_DAYS", most=365)
    return Employer(
        organization,
        contact,
        days_of("AURAL_RETENTION", kept) if kept else None,
        Employer.explanation_days if days is None else days,
    )


def days_of(name: str, text: str) -> int:
    """Whole days out of `180d` or `180`.

    Raises:
        BadSetting: it is no number of days from 1 to 36500.
    """
    found = re.fullmatch(r"(\d{1,5})\s*d?", text.strip().lower())
    if not found or not 1 <= int(found[1]) <= 36_500:
        raise BadSetting(f"{name} must be days, from 1d to 36500d, not {text!r}.")
    return int(found[1])


def _key(environment: Mapping[str, str]) -> tuple[str | None, str]:
    """The key, or the sentence that says why the one given cannot be used."""
    source, key = "AURAL_API_KEY", value(environment, "AURAL_API_KEY")
    if not key and (file := value(environment, "AURAL_API_KEY_FILE")):
        source = "AURAL_API_KEY_FILE"
        try:
            key = _path(source, file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError, BadSetting):
            return None, f"AURAL_API_KEY_FILE names {file}, which cannot be read. Correct the path and restart."
        if not key:
            return None, f"AURAL_API_KEY_FILE names {file}, which is empty. Put the key into it and restart."
    if key and not usable_key(key):
        return None, f"{source} does not hold an Aural key: keys start with `dlv_`. {GET_A_KEY}, and restart."
    return key or None, ""


def value(environment: Mapping[str, str], name: str) -> str:
    """The setting's text; empty and unexpanded `${...}` count as not set."""
    text = environment.get(name, "").strip()
    return "" if UNEXPANDED.fullmatch(text) else text


def value_or_file(environment: Mapping[str, str], name: str) -> str:
    """The text of a secret setting, or of the file that `..._FILE` names instead; empty where neither is set.

    Raises:
        BadSetting: the file cannot be read.
    """
    text, file = value(environment, name), value(environment, f"{name}_FILE")
    if text or not file:
        return text
    try:
        return Path(file).expanduser().read_text(encoding="utf-8").strip()
    except (OSError, RuntimeError, ValueError):
        raise BadSetting(f"{name}_FILE names {file}, which cannot be read.") from None


def _folder(environment: Mapping[str, str], name: str) -> Path | None:
    text = value(environment, name)
    if not text:
        return None
    folder = _path(name, text)
    if not folder.is_dir():
        raise BadSetting(f"{name} names {text}, which is not a folder. Make it, or name another.")
    return folder.absolute()


def _path(name: str, text: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise BadSetting(f"{name} names {text}, whose folder nobody knows. Write it in full.") from None


def _guard(environment: Mapping[str, str], name: str) -> str | None:
    """The text of a setting that protects: one that was not filled in must not count as not set.

    Raises:
        BadSetting: it is an unexpanded `${...}`.
    """
    said = environment.get(name, "").strip()
    if UNEXPANDED.fullmatch(said):
        raise BadSetting(f"{name} is {said}, which nobody filled in. Set it to what it shall be, or take it out.")
    return value(environment, name)


def _names(environment: Mapping[str, str], name: str, *, guard: bool = False) -> tuple[str, ...]:
    text = _guard(environment, name) if guard else value(environment, name)
    return tuple(each.strip() for each in (text or "").split(",") if each.strip())


def _switch(environment: Mapping[str, str], name: str) -> bool:
    text = (_guard(environment, name) or "0").lower()
    if text not in (*YES, *NO):
        raise BadSetting(f"{name} must be 1 or 0, not {text!r}.")
    return text in YES


def _choice(environment: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str:
    text = (_guard(environment, name) or choices[0]).lower()
    if text not in choices:
        raise BadSetting(f"{name} must be one of {', '.join(choices)}, not {text!r}.")
    return text


def _state_keys(environment: Mapping[str, str]) -> tuple[bytes, ...]:
    """Secrets that replicas share; the first seals, all are honoured."""
    keys = tuple(each.encode() for each in _names(environment, "AURAL_STATE_KEYS"))
    if any(len(key) < 32 for key in keys):
        raise BadSetting("AURAL_STATE_KEYS must be random texts of 32 characters or more, separated by commas.")
    return keys


def _number(environment: Mapping[str, str], name: str, *, most: int) -> int | None:
    text = value(environment, name)
    if not text:
        return None
    if not re.fullmatch(r"\d{1,9}", text) or int(text) > most:
        raise BadSetting(f"{name} must be a whole number from 0 to {most}, not {text!r}.")
    return int(text)


def _url(name: str, text: str, *, is_origin: bool = False) -> str:
    """An http(s) address without a trailing slash; plain http only to this computer, unless it is only shown."""
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018  reading it checks it
    except ValueError:
        raise BadSetting(f"{name} is not an address: {text!r}.") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise BadSetting(f"{name} must look like https://host/path, without a query or a user name.")
    if is_origin and parts.path.strip("/"):
        raise BadSetting(f"{name} must look like https://host: candidates' pages are not below a path.")
    if parts.scheme == "http" and not is_origin and not is_loopback(parts.hostname):
        raise BadSetting(f"{name} must be https: a key is never sent in clear to another computer.")
    return text.rstrip("/")

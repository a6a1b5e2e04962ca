"""What is right or wrong with this installation, in a sentence each, and what to do about it.

Nothing is changed at the backend and no request is repeated. On this computer, what any start would make is made.
"""

from __future__ import annotations

import os
import socket
import sqlite3
import ssl
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, cast
from urllib.request import getproxies

import anyio
import httpx
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from aural_mcp.api import errors
from aural_mcp.api.models import Record, Rows
from aural_mcp.api.operations import (
    NEWER_FIELDS,
    OPERATIONS,
    CandidateInput,
    CreateInterview,
    GetInterview,
    ListCandidates,
    ListInterviews,
    ListPracticeSessions,
    Operation,
    QuestionInput,
)
from aural_mcp.cli.install import Problem, plan
from aural_mcp.cli.install.hosts import HOSTS, Machine, files
from aural_mcp.cli.setup import log_of, state_of
from aural_mcp.client.client import TIMEOUT, AuralClient, Connections, Spent
from aural_mcp.client.deployment import HOMES
from aural_mcp.client.retry import RetryBudget
from aural_mcp.client.state import State
from aural_mcp.config import (
    GET_A_KEY,
    KEY,
    KEY_LEFT_OUT,
    BadSetting,
    Settings,
    data_folder,
    data_place,
    decision_log,
    open_to_others,
    read_settings,
)
from aural_mcp.privacy.audit import AuditLog
from aural_mcp.privacy.audit_spool import left_in
from aural_mcp.safety import quoted
from aural_mcp.variables import unexpanded

SLOW, SKEWED, FEW = 2.0, 30.0, 10
"""Seconds of an answer, seconds between clocks, and requests left, from which a person is warned."""
LONG, START = 2.0, 15.0
"""Seconds until it is said what is waited for, and that a host's command has to answer."""


@dataclass(frozen=True)
class Check:
    """How something is, and what to do next, if anything; `name` says what was looked at."""

    status: Literal["ok", "warning", "problem"]
    message: str
    next: str = ""
    name: str = ""


@dataclass
class Doctor:
    """Makes the checks in turn: `report` is given each, `notice` the name of one that takes long."""

    report: Callable[[Check], None]
    notice: Callable[[str], None]

    async def examine(self, machine: Machine, *, offline: bool) -> None:
        """Make every check that applies; offline, nothing is asked of the network and nothing of hosts is started."""
        await self._look("versions", _versions)
        await self._look("settings", _settings)
        with suppress(BadSetting):  # that was said
            await self._installation(read_settings(), offline)
        places = [(name, file) for name, host in HOSTS.items() for file in files(host, machine) if file.exists()]
        for name, file in places:
            await self._look(f"host {name}", partial(_host, name, file, offline))
        if not places:
            self.report(Check("ok", "No configuration of a host was found on this computer.", name="hosts"))

    async def _installation(self, settings: Settings, offline: bool) -> None:
        state = State()
        if await self._look("data folder", partial(_folder, settings)):
            folder, state = data_folder(settings), state_of(settings)
            await self._look("state file", partial(_state, state))
            await self._look("decision log", partial(_log, settings, state))
            if settings.embedded:
                await self._look("notice", partial(_notice, settings))
            if settings.embedded and await self._look("workspace", partial(_workspace, folder / "workspace.db")):
                await self._look("page port", partial(_port, settings, folder / "workspace.db"))
        if settings.api_key and not offline:
            backend = Backend(settings, state)
            async with backend.client:
                if await self._look("backend", partial(_reached, backend)):
                    for check in (_key, _generation, _fields, _latency, _clock, _budget):
                        await self._look(check.__name__[1:], partial(check, backend))
        await state.aclose()

    async def _look(self, name: str, look: Callable[[], Awaitable[Check]]) -> bool:
        """Make a check and report it, no key in it; whether to go on from there. One that fails hides no other."""
        long = threading.Timer(LONG, self.notice, [name])
        long.start()
        try:
            check = await look()
        except (BadSetting, errors.AuralError, Problem) as error:
            check = Check("problem", str(error))
        except Exception as error:
            check = Check("problem", f"This check itself failed: {type(error).__name__} {quoted(error, 200)}.")
        finally:
            long.cancel()
        message, step = KEY.sub(KEY_LEFT_OUT, check.message), KEY.sub(KEY_LEFT_OUT, check.next)
        self.report(replace(check, name=name, message=message, next=step))
        return check.status != "problem"


def _explained(error: BaseException, table: Table) -> tuple[str, str] | None:
    """What a table says of an error, or of anything that led to it."""
    causes: list[BaseException | None] = [error]
    for cause in causes:
        if cause is not None:
            causes += [*getattr(cause, "exceptions", ()), cause.__cause__ or cause.__context__]
    return next((row[1:] for row in table if any(isinstance(cause, row[0]) for cause in causes)), None)


Table = Sequence[tuple[type[BaseException], str, str]]
SPELLING, LATER = "Check AURAL_BASE_URL and the network.", "Try again later, or ask who runs it."
TRUST = "If your network inspects TLS, name its certificates' file as SSL_CERT_FILE; if not, do not go on."
UNREACHED: Table = (
    (socket.gaierror, "cannot be found: nobody knows the name (DNS).", SPELLING),
    (ssl.SSLCertVerificationError, "has a certificate that is not trusted here (TLS).", TRUST),
    (ssl.SSLError, "does not speak TLS as it should.", "Check the port in AURAL_BASE_URL, and proxies in between."),
    (ConnectionRefusedError, "refuses connections: nothing listens there.", "Start it, or correct AURAL_BASE_URL."),
    (httpx.ConnectTimeout, "takes no connection: nothing came back in time.", "Check the network and its firewall."),
    (errors.Unreachable, "cannot be reached.", SPELLING),
    (httpx.TimeoutException, f"did not answer within {TIMEOUT.read:.0f} s.", LATER),
    (errors.Unanswered, "broke off before its answer was whole.", LATER),
)
STRANGE = "answers, but not as Aural's API does: with a page or a redirect"
REFUSED: Table = (
    (errors.Unauthorized, "", f"{GET_A_KEY}, and put it where this one is."),
    (errors.PlanLimitExceeded, "", "The workspace's plan allows no more: look at it in the Aural dashboard."),
    (errors.Forbidden, "", "The key is known, but its user may see nothing: ask for a place in the organization."),
)
FULL_PATH = "Give the command's full path, as `aural-mcp install` does."
UNSTARTED: Table = (
    (FileNotFoundError, "Its command does not exist", FULL_PATH),
    (PermissionError, "Its command may not be run", FULL_PATH),
    (TimeoutError, f"It did not answer within {START:.0f} s", "If it downloads first, run it once in a terminal."),
)
POLLUTED, QUIET = "writes to stdout what is not MCP", "Only the protocol may go there: look for what prints."


async def _versions() -> Check:
    said = ", ".join(f"{name} {version(name)}" for name in ("aural-mcp", "mcp", "httpx", "pydantic"))
    return Check("ok", f"{said}, on Python {sys.version.split()[0]} (3.11 or newer is needed).")


async def _settings() -> Check:
    settings = read_settings()
    await state_of(settings).aclose()
    relayed = f"An Aural key is set here, so calls go to {settings.base_url}."
    said = "No key is set here, so the workspace on this computer is used." if settings.embedded else relayed
    if settings.problem:
        return Check("problem", settings.problem)
    if empty := unexpanded(os.environ):
        held = f"{said} {' and '.join(empty)} {'holds' if len(empty) == 1 else 'hold'} an unexpanded ${{...}}: not set."
        return Check("warning", held, "Fill it in where it is set, or take it out.")
    return Check("ok", said)


async def _folder(settings: Settings) -> Check:
    was_open = open_to_others(data_place(settings))
    folder = data_folder(settings)
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"x")
    except OSError as error:
        return Check("problem", f"{folder} cannot be written ({error.strerror}).", "Name another as AURAL_DATA_DIR.")
    if open_to_others(folder):
        step = f"chmod 700 {folder}, or name a folder of its own as AURAL_DATA_DIR."
        return Check("warning", f"{folder} can be written, but other users of this computer can look into it.", step)
    closed = " Others could look into it; now its owner alone can." if was_open else ""
    return Check("ok", f"{folder} can be written.{closed}")


async def _state(state: State) -> Check:
    if state.database is not None:
        await state.opens()
        return Check("ok", "The database of AURAL_STATE_URL can be written.")
    async with state.changing() as db:
        [(_, _, file)] = await db.all("pragma database_list")
    if file:
        return Check("ok", f"{file} can be written.")
    said = "state.db in the data folder cannot be opened: each process counts requests and creates for itself."
    return Check("problem", said, "Make it writable, or move it away: a new one is made.")


async def _log(settings: Settings, state: State) -> Check:
    if rows := log_of(settings, state).rows:
        await rows.reach()
        said = "The decision log in the database of AURAL_STATE_URL can be written."
        waiting = ", ".join(str(each) for each in left_in(data_folder(settings)))
        return Check("warning", f"{said} Lines wait in {waiting}.", SPOOLED) if waiting else Check("ok", said)
    path = decision_log(settings)
    if path is None:
        return Check("ok", "AURAL_AUDIT_LOG is off: nothing is written down.")
    try:
        if os.path.lexists(path):
            await AuditLog(lambda: path).check()
        else:
            tempfile.TemporaryFile(dir=path.parent).close()
    except (OSError, errors.LogUnwritable) as error:
        cause = error.__cause__ or error
        why = getattr(cause, "strerror", None) or cause
        said = f"{path} cannot be written ({why}), so nothing is done that must stand there."
        return Check("problem", said, "Correct AURAL_AUDIT_LOG, or who owns the file.")
    return Check("ok", f"{path} can be written.")


SPOOLED = "A server of this computer that lost the database stores them with its next line."


async def _workspace(file: Path) -> Check:
    if not file.exists():
        return Check("ok", "There is none yet: the first call makes it.")
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as db:
            found = "; ".join([row[0] for row in db.execute("pragma quick_check(3)")])
    except sqlite3.Error as error:
        found = str(error)
    if found != "ok":
        step = f"Stop every aural-mcp, copy the file, then restore a backup, or try `sqlite3 {file} .recover`."
        return Check("problem", f"{file} is damaged or cannot be opened: {found}.", step)
    _remembered(file)
    return Check("ok", f"{file} is intact.")


def _remembered(file: Path) -> tuple[str | None, int | None]:
    """The workspace's id and its page port, read as any start would; None before there is a workspace."""
    from aural_mcp.backend.local import database_url
    from aural_mcp.backend.storage.store import Store, setting

    if not file.exists():
        return None, None
    with closing(Store(database_url(file.parent))) as store, store.reading() as db:
        return setting(db, "workspace"), setting(db, "page_port")


async def _notice(settings: Settings) -> Check:
    told = {"AURAL_CONTACT": settings.employer.contact, "AURAL_ORGANIZATION": settings.employer.organization}
    if lacks := [name for name, said in told.items() if not said]:
        said = f"Candidates are not told {'whom they can ask' if 'AURAL_CONTACT' in lacks else 'who invites them'}"
        both = " and who invites them" if len(lacks) == 2 else ""
        more = " An interview's companyName stands for the second." if "AURAL_ORGANIZATION" in lacks else ""
        return Check("warning", f"{said}{both}.", f"Set {' and '.join(lacks)}.{more}")
    return Check("ok", "Candidates are told who invites them and whom they can ask.")


async def _port(settings: Settings, file: Path) -> Check:
    from aural_mcp.backend.local import LOOPBACK, PAGE_PORT

    workspace, remembered = _remembered(file)
    port = settings.page_port if settings.page_port is not None else remembered or PAGE_PORT
    if port == 0:
        return Check("ok", "AURAL_PAGE_PORT is 0: each start takes any free port, and older links fail.")
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=1) as browser:
            served = (await browser.get(f"http://{LOOPBACK}:{port}/workspace")).text
    except httpx.ConnectError:
        return Check("ok", f"Port {port} is free for the candidates' pages.")
    except httpx.HTTPError:
        served = ""
    if served == workspace:
        return Check("ok", f"Port {port} serves this workspace's pages: an aural-mcp is running.")
    known = settings.page_port is not None or remembered is not None
    said = f"Port {port} is in use by another program or workspace" + (
        ": links sent before do not open." if known else "."
    )
    step = "Stop that program, or name another port as AURAL_PAGE_PORT. Until then a start takes any free one."
    return Check("problem" if known else "warning", said, step)


class Backend:
    """The backend of the settings, and how it answered what was asked."""

    def __init__(self, settings: Settings, state: State) -> None:
        self.url, never = settings.base_url, RetryBudget()
        while never.spend():
            pass
        connections = Connections(self.url, settings.requests_per_minute, None, str, state, retries=never)
        self.client, self.seconds = AuralClient(settings.api_key, connections=connections), list[float]()
        self.first: errors.AuralError | None = None
        self.generation: int | None = None
        self.rows: dict[type[Operation[Any]], list[Any]] = {}

    async def ask(self, operation: Operation[Any]) -> errors.AuralError | None:
        """Send one request; the answer is what went wrong with it."""
        begun, spent = time.perf_counter(), Spent()
        try:
            found = await self.client.call(operation, spent=spent)
            self.rows[type(operation)] = cast("Rows[Any]", found).data if isinstance(found, Rows) else [found]
        except errors.AuralError as error:
            return error
        finally:
            self.seconds.append(time.perf_counter() - begun - spent.waited)


async def _reached(backend: Backend) -> Check:
    backend.first = error = await backend.ask(ListInterviews(limit=1))
    status = error.status if isinstance(error, errors.NotOffered | errors.ServerError) else 0
    if error is None or (isinstance(error, errors.ApiError) and not status):
        return Check("ok", f"{backend.url} answers as Aural's API.")
    if status:
        said, step = ("fails", LATER) if status >= 500 else (STRANGE, "Correct AURAL_BASE_URL: it ends in /api/v1.")
        return Check("problem", f"{backend.url} {said} (HTTP {status}).", step)
    said, step = _explained(error, UNREACHED) or (f"was not asked. {error.message}", error.next_step)
    step += " A proxy is set in the environment: it may be that." if getproxies().keys() - {"no"} else ""
    return Check("problem", f"{backend.url} {said}", step)


async def _key(backend: Backend) -> Check:
    if backend.first is None:
        return Check("ok", "The key works.")
    _, step = _explained(backend.first, REFUSED) or ("", "Whether the key works cannot be told.")
    return Check("problem", backend.first.message, step)


async def _generation(backend: Backend) -> Check:
    """Earlier deployments answer the path of practice runs with a page; nobody has an interview of this id."""
    error = await backend.ask(ListPracticeSessions(interview_id="00000000-0000-0000-0000-000000000000", limit=1))
    newer, count = [each.tool_name() for each in OPERATIONS if each.since > 1], len(OPERATIONS)
    if isinstance(error, errors.NotOffered):
        backend.generation = 1
        said = f"The deployment is of the earlier generation, with {count - len(newer)} of {count} operations: it lacks"
        return Check("warning", f"{said} {', '.join(newer)}.", "Everything else works.")
    if error is None or (isinstance(error, errors.ApiError) and error.status < 500):
        backend.generation = max(each.since for each in OPERATIONS)
        return Check("ok", f"The deployment has all {count} operations.")
    return Check("warning", f"Which operations there are cannot be told. {error.message}")


async def _fields(backend: Backend) -> Check:
    """What the generation is known to drop, and what the rows that can be read do not have; nothing is written."""
    if listed := backend.rows.get(ListInterviews):
        await backend.ask(GetInterview(interview_id=listed[0].id))
        await backend.ask(ListCandidates(interview_id=listed[0].id))
    interview, people = (backend.rows.get(each, []) for each in (GetInterview, ListCandidates))
    looked = {"interviews": interview, "questions": interview[0].questions if interview else [], "candidates": people}
    dropped = {noun: _dropped(backend, noun, rows) for noun, rows in looked.items()}
    unseen = ", ".join(noun for noun, rows in looked.items() if not rows)
    unknown = f"There is nothing to look at of {unseen}, so what else it drops cannot be told." if unseen else ""
    if any(dropped.values()):
        said = "; ".join(f"of {noun} {', '.join(names)}" for noun, names in dropped.items() if names)
        return Check(
            "warning", f"The deployment does not keep: {said}.", f"{unknown} Results of writes say so.".strip()
        )
    if backend.generation is None:
        return Check("warning", "Which fields the deployment keeps cannot be told.")
    return Check("ok", "Nothing shows that the deployment drops a field.")


def _dropped(backend: Backend, noun: str, rows: Sequence[Record]) -> list[str]:
    sent = {"interviews": CreateInterview, "questions": QuestionInput, "candidates": CandidateInput}[noun]
    names = [field.alias or name for name, field in sent.model_fields.items()]
    known = NEWER_FIELDS.get(noun, ()) if backend.generation == 1 else ()
    there = rows[0].model_dump(by_alias=True, exclude_unset=True) if rows else {}
    return [name for name in names if name in known or (rows and HOMES.get(name, name) not in there)]


async def _latency(backend: Backend) -> Check:
    await backend.ask(ListInterviews(limit=1))
    middle = statistics.median(backend.seconds)
    said = f"An answer takes {middle:.2f} s (median of {len(backend.seconds)})"
    step = "Look at the network, or ask who runs the backend." if middle > SLOW else ""
    return Check("warning", f"{said}: that is slow.", step) if step else Check("ok", f"{said}.")


async def _clock(backend: Backend) -> Check:
    skew = backend.client.skew
    said = f"This computer's clock is {abs(skew):.0f} s {'behind' if skew > 0 else 'ahead of'} the backend's."
    step = "Let the system set the time: certificates and expiry dates need it." if abs(skew) > SKEWED else ""
    return Check("warning" if step else "ok", said, step)


async def _budget(backend: Backend) -> Check:
    if (left := await backend.client.remaining()) is None:
        return Check("ok", "No budget is kept: AURAL_REQUESTS_PER_MINUTE is 0.")
    said = f"{left} requests of this key are left in this minute."
    return Check("ok", said) if left >= FEW else Check("warning", said, "Other programs use this key too.")


async def _host(name: str, file: Path, offline: bool) -> Check:
    entry = plan(name, file, None).old
    if entry is None:
        return Check("ok", f"{file} does not start aural-mcp.", f"`aural-mcp install {name}` puts it in.")
    if offline or "command" not in entry:
        return Check("ok", f"{file} has aural-mcp; it was not started.")
    check = await _start(StdioServerParameters.model_validate(entry))
    return replace(check, message=f"{file}: {check.message}")


async def _start(entry: StdioServerParameters) -> Check:
    """Start what a host starts; what would open the workspace on this computer gets another folder."""
    settings, noise, refused = read_settings(entry.env or {}), list[object](), ""

    async def heard(message: object) -> None:
        noise.extend([message] if isinstance(message, Exception) else [])

    with tempfile.TemporaryDirectory(prefix="aural-doctor-", ignore_cleanup_errors=True) as spare:
        own = {"AURAL_DATA_DIR": spare, "AURAL_PAGE_PORT": "0"} if settings.embedded else {}
        server, words = entry.model_copy(update={"env": {**(entry.env or {}), **own}}), Path(spare) / "stderr"
        try:
            with anyio.fail_after(START), words.open("w") as stderr:
                async with Client(stdio_client(server, stderr), mode="legacy", message_handler=heard) as agent:
                    tools = {tool.name for tool in (await agent.list_tools()).tools}
                    if settings.api_key and "list_interviews" in tools:
                        answer = await agent.call_tool("list_interviews", {"limit": 1})
                        refused = quoted(getattr(answer.content[0], "text", ""), 300) if answer.is_error else ""
        except Exception as error:
            last = words.read_text(errors="replace").strip().rpartition("\n")[2]
            ended = f"It ends without an answer, and says {quoted(last or 'nothing', 300)}", "Run it in a terminal."
            said, step = (f"It {POLLUTED}", QUIET) if noise else _explained(error, UNSTARTED) or ended
            return Check("problem", f"{said} ({entry.command}).", step)
    if noise or refused or settings.problem:
        said, step = (f"{POLLUTED}.", QUIET) if noise else ("its calls fail:", refused or settings.problem)
        return Check("problem", f"It starts, with {len(tools)} tools, but {said}", step)
    return Check("ok", f"It starts, with {len(tools)} tools.")

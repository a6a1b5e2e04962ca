"""`aural-mcp doctor`: each thing that can be wrong gets its own sentence, and an exit status."""

import json
import logging
import os
import re
import socket
import sqlite3
import sys
import threading
import time
from contextlib import closing, contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import anyio.to_thread
import httpx
import pytest
from click.testing import CliRunner

from aural_mcp.api.models import Interview
from aural_mcp.api.operations import CandidateInput, CreateInterview, QuestionInput
from aural_mcp.backend import local
from aural_mcp.backend.storage import store
from aural_mcp.cli import checks as doctor
from aural_mcp.cli.main import commands
from aural_mcp.client import client
from processes import aural_mcp, backend, free_port

KEY = "dlv_Secret0123456789"
EMPTY = (200, {"data": [], "cursor": None})
MISSING = (404, {"error": {"code": "NOT_FOUND", "message": "Interview not found"}})
PAGE = (404, "<!doctype html><title>404</title>")


@contextmanager
def aural(answer, *, seconds=0.0, ahead=0.0):
    """Something that answers at a base URL; gives that URL and what was asked."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            time.sleep(seconds)
            status, body = answer(self.path) if callable(answer) else answer
            text = body if isinstance(body, str) else json.dumps(body)
            self.send_response_only(status)
            self.send_header("date", formatdate(time.time() + ahead, usegmt=True))
            self.send_header("content-type", "text/html" if text is body else "application/json")
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/api/v1", asked
        server.shutdown()


def newest(path):
    return EMPTY if path.startswith("/api/v1/interviews?") else MISSING


def refusing(status, code, message):
    return (status, {"error": {"code": code, "message": message}})


@pytest.fixture(autouse=True)
def logging_as_it_was():
    """A command that runs in this process sets up logging for the whole of it."""
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    yield
    root.setLevel(level)
    root.handlers[:] = handlers


@pytest.fixture
def examined(tmp_path, monkeypatch):
    """The command in this process: its exit status, and what it says of each thing, as (status, sentence)."""
    for name in [name for name in os.environ if name.startswith("AURAL_")]:
        monkeypatch.delenv(name)

    def examine(*arguments, **settings):
        places = {
            "HOME": tmp_path / "home",
            "AURAL_DATA_DIR": tmp_path / "data",
            "AURAL_PAGE_PORT": "0",
            "NO_PROXY": "*",
        }
        environment = {name: str(value) for name, value in {**places, **settings}.items()}
        result = CliRunner().invoke(commands(), ["doctor", "--json", *arguments], env=environment)
        assert not isinstance(result.exception, Exception), result.exception
        assert KEY not in result.output
        said = json.loads(result.stdout)
        found = {check["name"]: (check["status"], f"{check['message']} {check['next']}") for check in said["checks"]}
        assert (result.exit_code == 1) == (said["status"] == "problem")
        assert said["status"] == max((status for status, _ in found.values()), key=["ok", "warning", "problem"].index)
        return found

    return examine


def relayed(url):
    return {"AURAL_BASE_URL": url, "AURAL_API_KEY": KEY}


def test_a_fresh_computer_is_all_right(tmp_path):
    told = {"AURAL_CONTACT": "people@acme.test", "AURAL_ORGANIZATION": "Acme"}
    code, out, err = aural_mcp(tmp_path / "data", "doctor", HOME=str(tmp_path / "home"), AURAL_PAGE_PORT="", **told)
    assert (code, err) == (0, "")
    lines = dict(re.findall(r"^ok  +(\S+(?: \S+)*?)  +(.+)$", out, re.MULTILINE))
    assert len(lines) == out.count("\n")
    assert re.match(r"aural-mcp \S+, mcp 2\S+, httpx \S+, pydantic \S+, on Python 3", lines["versions"])
    assert lines["settings"] == "No key is set here, so the workspace on this computer is used."
    assert lines["workspace"] == "There is none yet: the first call makes it."
    assert [file.name for file in (tmp_path / "data").iterdir()] == ["state.db"]


def test_what_candidates_are_not_told_is_a_warning_and_no_problem(tmp_path):
    code, out, _ = aural_mcp(tmp_path, "doctor", "--offline", HOME=str(tmp_path), AURAL_ORGANIZATION="Acme")
    assert code == 0
    assert re.search(r"warning +notice +Candidates are not told whom they can ask. Set AURAL_CONTACT.\n", out)


async def test_a_backend_takes_its_key_and_refuses_another(tmp_path, examined):
    port = free_port()

    async def look(**settings):
        return await anyio.to_thread.run_sync(lambda: examined(**settings))

    async with backend(tmp_path / "data", port) as printed:
        key, url = re.search(r"dlv_\w{36}", printed)[0], f"http://127.0.0.1:{port}/api/v1"
        found = await look(AURAL_API_KEY=key, AURAL_BASE_URL=url)
        assert found["key"] == ("ok", "The key works. ")
        assert found["generation"] == ("ok", "The deployment has all 20 operations. ")
        assert found["budget"] == ("ok", "55 requests of this key are left in this minute. ")
        assert {status for status, _ in found.values()} == {"ok"}
        assert key not in str(found)
        found = await look(AURAL_API_KEY=f"{key}x", AURAL_BASE_URL=url)
        assert [name for name, (status, _) in found.items() if status != "ok"] == ["key"]
        assert found["key"][1].startswith("Aural refused (UNAUTHORIZED): “Invalid or revoked API key.”. Create one in")
        found = await look(AURAL_PAGE_PORT="")
        assert found["workspace"] == ("ok", f"{tmp_path / 'data' / 'workspace.db'} is intact. ")
        assert found["page port"][1] == f"Port {port} serves this workspace's pages: an aural-mcp is running. "


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (refusing(403, "FORBIDDEN", "No organization found for this API key user."), "its user may see nothing"),
        (refusing(403, "PLAN_LIMIT_EXCEEDED", "Upgrade."), "The workspace's plan allows no more"),
        (refusing(401, "UNAUTHORIZED", "API key has expired."), "“API key has expired.”. Create one in the Aural"),
        (refusing(429, "RATE_LIMITED", "Too many requests."), "Whether the key works cannot be told."),
    ],
)
def test_a_key_that_is_known_and_may_nothing_is_told_from_one_that_is_not(examined, answer, says):
    with aural(answer) as (url, _):
        status, said = examined(**relayed(url))["key"]
    assert status == "problem"
    assert says in said


def test_few_requests_are_made_and_only_reads(examined):
    with aural(newest) as (url, asked):
        found = examined(**relayed(url))
    assert {status for status, _ in found.values()} == {"ok"}
    assert len(asked) == 3
    assert re.fullmatch(r"An answer takes 0\.\d\d s \(median of 3\)\. ", found["latency"][1])


def test_an_earlier_deployment_is_said_and_is_no_problem(examined):
    with aural(lambda path: EMPTY if path.startswith("/api/v1/interviews?") else PAGE) as (url, _):
        status, said = examined(**relayed(url))["generation"]
    assert status == "warning"
    assert said.startswith("The deployment is of the earlier generation, with 15 of 20 operations: it lacks update_")
    assert "get_practice_report" in said


def rows_of(question, candidate, *, older):
    """A deployment with one interview that has this question and this candidate."""
    row = Interview(id="i").model_dump(by_alias=True)
    whole = {field.alias: row[field.alias] for field in CreateInterview.model_fields.values()} | {"id": "i"}

    def answer(path):
        if path.startswith("/api/v1/interviews?"):
            return (200, {"data": [whole], "cursor": None})
        if path == "/api/v1/interviews/i":
            return (200, {"data": {**whole, "questions": [question]}})
        if path == "/api/v1/interviews/i/candidates":
            return (200, {"data": [candidate]})
        return PAGE if older else MISSING

    return answer


QUESTION = {"id": "q", "text": "Why?"}


def test_what_an_earlier_deployment_does_not_keep_is_said_without_writing(examined):
    with aural(lambda path: EMPTY if path.startswith("/api/v1/interviews?") else PAGE) as (url, asked):
        status, said = examined(**relayed(url))["fields"]
    assert status == "warning"
    assert "of questions options" not in said
    assert "of questions description, probeThreshold, followUpPrompts, starterCode, timeLimitSeconds" in said
    assert "of candidates gender, birthday, education, school, major, graduationYear, workExperience." in said
    assert "nothing to look at of interviews, questions, candidates, so what else it drops cannot be told" in said
    assert len(asked) == 3


@pytest.mark.parametrize("older", [False, True])
def test_fields_that_rows_do_not_have_are_said(examined, older):
    question = {**QUESTION, **dict.fromkeys(field.alias for field in QuestionInput.model_fields.values())}
    question = {name: value for name, value in question.items() if name not in ("showIf", "order")}
    person = dict.fromkeys(field.alias for field in CandidateInput.model_fields.values()) | {"id": "c", "name": "A"}
    seen = question | {"text": "Why?", "type": "CODING", "isRequired": True, "probeOnShort": True}
    seen |= {"allowFileUpload": False, "allowedFileTypes": []}
    with aural(rows_of(seen, {**person, "id": "c"}, older=older)) as (url, asked):
        status, said = examined(**relayed(url))["fields"]
    assert status == "warning"
    assert ("of questions order, showIf." in said) == (not older)
    assert "order" in said
    assert "showIf" in said
    assert "required" not in said
    assert ("of candidates" in said) == older
    assert len(asked) == 5


def test_which_fields_are_kept_cannot_be_told_where_nothing_is_known(examined):
    with aural(lambda path: EMPTY if path.startswith("/api/v1/interviews?") else (503, "")) as (url, _):
        assert examined(**relayed(url))["fields"] == ("warning", "Which fields the deployment keeps cannot be told. ")


@pytest.mark.parametrize("answer", [PAGE, (200, "<!doctype html>Welcome"), (308, "")])
def test_an_address_that_is_no_api_is_told_from_one_that_is(examined, answer):
    with aural(answer) as (url, asked):
        found = examined(**relayed(url.removesuffix("/api/v1")))
    assert found["backend"][0] == "problem"
    assert "answers, but not as Aural's API does" in found["backend"][1]
    assert "Correct AURAL_BASE_URL: it ends in /api/v1." in found["backend"][1]
    assert "key" not in found
    assert len(asked) == 1


def test_a_failing_backend_is_asked_once(examined):
    with aural((503, "Unavailable")) as (url, asked):
        status, said = examined(**relayed(url))["backend"]
    assert (status, said) == ("problem", f"{url} fails (HTTP 503). Try again later, or ask who runs it.")
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://127.0.0.1:{free}/api/v1", "refuses connections: nothing listens there. Start it, or correct AURAL_B"),
        ("https://aural.invalid/api/v1", "cannot be found: nobody knows the name (DNS)."),
        ("https://127.0.0.1:{plain}/api/v1", "does not speak TLS as it should."),
    ],
)
def test_why_there_is_no_connection_is_said(examined, url, says):
    with aural(newest) as (plain, _):
        url = url.format(free=free_port(), plain=httpx.URL(plain).port)
        status, said = examined(**relayed(url))["backend"]
    assert status == "problem"
    assert said.startswith(f"{url} {says}")


def test_a_slow_backend_is_said_and_a_silent_one_is_a_problem(examined, monkeypatch):
    monkeypatch.setattr(doctor, "SLOW", 0.05)
    with aural(newest, seconds=0.1) as (url, _):
        status, said = examined(**relayed(url))["latency"]
        assert status == "warning"
        assert re.match(r"An answer takes \d+\.\d\d s \(median of \d+\): that is slow\.", said)
        monkeypatch.setattr(client, "TIMEOUT", httpx.Timeout(5, read=0.03))
        status, said = examined(**relayed(url))["backend"]
    assert (status, said) == ("problem", f"{url} did not answer within 15 s. Try again later, or ask who runs it.")


def test_what_takes_long_is_named_while_it_is_waited_for(monkeypatch):
    monkeypatch.setattr(doctor, "LONG", 0.02)
    said, notices = [], []

    async def slow():
        await anyio.sleep(0.2)
        return doctor.Check("ok", "Done.")

    anyio.run(doctor.Doctor(said.append, notices.append)._look, "backend", slow)
    assert notices == ["backend"]
    assert said == [doctor.Check("ok", "Done.", name="backend")]


@pytest.mark.parametrize(("ahead", "says"), [(90, "s behind the backend's."), (-90, "s ahead of the backend's.")])
def test_a_clock_that_is_wrong_is_said(examined, ahead, says):
    with aural(newest, ahead=ahead) as (url, _):
        status, said = examined(**relayed(url))["clock"]
    assert status == "warning"
    assert says in said


def test_a_page_port_in_use_is_a_problem_once_links_were_sent(examined, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        status, said = examined(AURAL_PAGE_PORT=port)["page port"]
        assert status == "problem"
        assert said.startswith(f"Port {port} is in use by another program or workspace: links sent before do not open.")
        with closing(store.Store(local.database_url(tmp_path / "data"))) as workspace, workspace.writing() as db:
            store.save_setting(db, "page_port", port)
        assert examined(AURAL_PAGE_PORT="")["page port"] == (status, said)
    assert examined(AURAL_PAGE_PORT=port)["page port"][1].startswith(f"Port {port} is free")


def test_a_usual_port_in_use_before_any_link_was_sent_is_a_warning(examined, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as other:
        monkeypatch.setattr(local, "PAGE_PORT", other.getsockname()[1])
        status, said = examined(AURAL_PAGE_PORT="")["page port"]
    assert status == "warning"
    assert "links" not in said


def test_a_damaged_workspace_and_a_newer_one_are_told_apart(examined, tmp_path, monkeypatch):
    for folder in ("newer", "damaged", "other"):
        (tmp_path / folder).mkdir()
    with monkeypatch.context() as patched:
        patched.setattr(store, "SCHEMA_VERSION", 9)
        store.Store(local.database_url(tmp_path / "newer")).close()
    with closing(sqlite3.connect(tmp_path / "damaged" / "workspace.db")) as db, db:
        db.execute("create table t (x unique)")
        db.executemany("insert into t values (?)", [[f"{number:099}"] for number in range(999)])
    with (tmp_path / "damaged" / "workspace.db").open("r+b") as file:
        file.seek(4 * 4096)
        file.write(bytes(4096))
    (tmp_path / "other" / "workspace.db").write_text("x" * 4096)
    assert "made by a newer aural-mcp" in examined(AURAL_DATA_DIR=tmp_path / "newer")["workspace"][1]
    for folder, what in (("damaged", "rror"), ("other", "file is not a database")):
        found = examined(AURAL_DATA_DIR=tmp_path / folder)
        assert found["workspace"][0] == "problem"
        assert "is damaged or cannot be opened: " in found["workspace"][1]
        assert what in found["workspace"][1]
        assert "page port" not in found


def test_files_that_cannot_be_written_are_named(examined, tmp_path):
    data, log = tmp_path / "data", tmp_path / "log"
    (data / "state.db").mkdir(parents=True)
    log.mkdir()
    found = examined(AURAL_AUDIT_LOG=log)
    assert found["state file"][1].startswith("state.db in the data folder cannot be opened")
    assert found["decision log"][1].startswith(f"{log} cannot be written (Is a directory)")
    file = tmp_path / "file"
    file.touch()
    assert "AURAL_DATA_DIR" in examined(AURAL_DATA_DIR=file)["data folder"][1]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"AURAL_PAGE_PORT": "many"}, "AURAL_PAGE_PORT must be a whole number from 0 to 65535, not 'many'."),
        ({"AURAL_API_KEY": "sk-1"}, "AURAL_API_KEY does not hold an Aural key: keys start with `dlv_`."),
        ({"AURAL_BASE_URL": "https://aural.example/api/v1"}, "AURAL_BASE_URL is set but there is no key for it."),
    ],
)
def test_a_setting_that_cannot_be_used_is_said_as_everywhere(examined, settings, says):
    status, said = examined(**settings)["settings"]
    assert status == "problem"
    assert said.startswith(says)


def python(code):
    return {"command": sys.executable, "args": ["-c", code]}


def test_what_hosts_start_is_started_and_its_key_tried(examined, tmp_path):
    home, ours = tmp_path / "home", {"command": sys.executable, "args": ["-m", "aural_mcp"]}

    def configure(file, text):
        (home / file).parent.mkdir(parents=True, exist_ok=True)
        (home / file).write_text(text)

    def configured(section, entry):
        return json.dumps({section: {"aural": entry}})

    with aural(refusing(401, "UNAUTHORIZED", "Invalid or revoked API key.")) as (url, asked):
        configure(".claude.json", configured("mcpServers", {"type": "stdio", **ours, "env": {}}))
        configure(".cursor/mcp.json", configured("mcpServers", {**ours, "env": relayed(url)}))
        configure(".codex/config.toml", f'[mcp_servers.aural]\ncommand = "{home / "nowhere"}"\n')
        configure(".gemini/settings.json", configured("mcpServers", python("import sys; sys.exit('No module.')")))
        start = "sys.argv = ['aural-mcp']; from aural_mcp.cli.main import main; main()"
        noisy = f"import sys; print('Hello', flush=True); {start}"
        configure(".config/Code/User/mcp.json", configured("servers", python(noisy)))
        configure(".config/Claude/claude_desktop_config.json", json.dumps({"mcpServers": {}}))
        found = examined()
        offline = examined("--offline")
    assert re.search(
        r"mcp\.json: It starts, with \d\d tools, but its calls fail: .*Invalid or revoked", found["host cursor"][1]
    )
    assert re.search(r"\.claude\.json: It starts, with 3\d tools\. $", found["host claude-code"][1])
    assert f"Its command does not exist ({home / 'nowhere'}). Give the command's full path" in found["host codex"][1]
    assert "It ends without an answer, and says “No module.” (" in found["host gemini"][1]
    assert "tools, but writes to stdout what is not MCP. Only the protocol may go there" in found["host vscode"][1]
    assert "does not start aural-mcp. `aural-mcp install claude-desktop`" in found["host claude-desktop"][1]
    assert [name for name, (status, _) in found.items() if status == "problem"] == [
        "host cursor",
        "host vscode",
        "host codex",
        "host gemini",
    ]
    assert len(asked) == 1
    assert offline["host cursor"] == ("ok", f"{home / '.cursor/mcp.json'} has aural-mcp; it was not started. ")
    made = {each.name.removesuffix("-wal").removesuffix("-shm") for each in (tmp_path / "data").iterdir()}
    assert made == {"state.db"}, "a workspace was made to look at what a host starts"


def test_a_host_whose_command_says_nothing_is_not_waited_for_long(examined, tmp_path, monkeypatch):
    monkeypatch.setattr(doctor, "START", 0.5)
    file = tmp_path / "home" / ".cursor" / "mcp.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"mcpServers": {"aural": python("input(); input()")}}))
    assert ": It did not answer within 15 s (" in examined()["host cursor"][1]
    file.write_text("{")
    assert examined()["host cursor"][0] == "problem"


def test_offline_nothing_is_asked(examined):
    with aural(newest) as (url, asked):
        found = examined("--offline", **relayed(url))
    assert "backend" not in found
    assert asked == []


def test_whether_a_key_works_is_not_asked_of_usage_which_answers_a_revoked_one(examined):
    def answer(path):
        return (200, {"data": {"plan": "pro"}}) if path.endswith("/usage") else refusing(401, "UNAUTHORIZED", "No.")

    with aural(answer) as (url, asked):
        found = examined(**relayed(url))
    assert found["key"][0] == "problem"
    assert asked
    assert not any("usage" in path for path in asked)

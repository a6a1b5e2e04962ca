"""`aural-mcp install`: hosts start what it writes, and nothing else in their configurations changes."""

import json
import os
import pty
import stat
import subprocess
import sys
import tomllib
from pathlib import Path
from unittest import mock

import pytest
from click.testing import CliRunner
from mcp import Client, StdioServerParameters

from aural_mcp.cli.install import Problem, jsonc, passing, this_installation
from aural_mcp.cli.install.hosts import HOSTS, PRINTED, Machine, files, found
from aural_mcp.cli.install.run import Console, Misuse, Request, run
from aural_mcp.cli.main import commands
from aural_mcp.config import read_settings
from processes import type_at

KEY = "dlv_only-for-" + "this-test"
START = {"command": "/opt/aural/bin/aural-mcp", "args": []}
WHERE = {
    "claude-desktop": ".config/Claude/claude_desktop_config.json",
    "claude-code": ".claude.json",
    "cursor": ".cursor/mcp.json",
    "vscode": ".config/Code/User/mcp.json",
    "codex": ".codex/config.toml",
    "gemini": ".gemini/settings.json",
}
OTHERS = {
    "claude-desktop": '{"theme":"dark","mcpServers":{"a":{"command":"x","args":["1",  "2"]}}}',
    "claude-code": '{\n\t"numStartups": 9,\n\t"projects": {"/w": {"mcpServers": {"aural": {}}}},\n\t"big": 1e400\n}',
    "cursor": '{\r\n    "mcpServers": {\r\n        "a": { "command": "x" },\r\n    },\r\n}\r\n',
    "vscode": '// mine\n{\n  "servers": {\n    "a": {"url": "http://a//b"}, // on\n    /* "b": {} */\n  }\n}\n',
    "codex": "# mine\r\nm = 'x'  # why\r\n\r\n[mcp_servers.a]\r\ncommand = '''\r\n[b]\r\n'''\r\n\r\n[tui]\r\nx = 1\r\n",
    "gemini": '\ufeff{\n   "mcpServers": {},\n\n   "theme" : "é"}',
}


@pytest.fixture
def home(tmp_path):
    """A user's folder; nothing that this process has set reaches it."""
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


class Person:
    """Somebody at a terminal, or a script; keeps what was said."""

    def __init__(self, home, key="", agrees=True, terminal=True, platform="linux", **environment):
        self.machine = Machine(platform, {"HOME": str(home), "USERPROFILE": str(home), **environment})
        self.key, self.agrees, self.terminal, self.said = key, agrees, terminal, []

    def installs(self, *hosts, start=START, **options):
        """Whether all of it could be done; a local workspace where nothing else is said."""
        self.said.clear()
        options = {"local": not (options.keys() & {"key_file", "base_url", "uninstall"} or self.key), **options}
        console = Console(self.terminal, self.hears, lambda: self.key, lambda: self.agrees)
        return run(Request(hosts, **options), start, self.machine, console)

    def uninstalls(self, *hosts, **options):
        return self.installs(*hosts, uninstall=True, **options)

    def hears(self, text, /, *, err=False):
        self.said.append(text)

    @property
    def heard(self):
        return "\n".join(self.said)


def entry_in(name, content):
    """Our entry, read as the host would."""
    host, text = HOSTS[name], content.decode().removeprefix("\ufeff")
    data = tomllib.loads(text) if name == "codex" else json.loads(jsonc._Document(text).bare)
    return data.get(host.section, {}).get("aural")


def contents(folder):
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def put(file, content):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


def started(home, *arguments):
    """The command as a shell starts it: what it exits with, says, and complains of."""
    line = [sys.executable, "-m", "aural_mcp", "install", *arguments]
    done = subprocess.run(line, env=shell(home), capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60)
    return done.returncode, done.stdout, done.stderr


def command(home, *arguments):
    """The same in this process, which is faster."""
    unset = {name: None for name in os.environ if name.startswith(("AURAL_", "XDG_"))}
    with mock.patch.object(sys, "argv", [START["command"]]):
        done = CliRunner().invoke(commands(), ["install", *arguments], env={**unset, **shell(home)})
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exc_info
    return done.exit_code, done.stdout, done.stderr


def shell(home):
    return {"HOME": str(home), "PATH": "/usr/bin:/bin", "TERM": "dumb"}


# ── Hosts ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", HOSTS)
async def test_a_host_starts_what_the_command_wrote_into_its_configuration(home, name):
    file = put(home / WHERE[name], OTHERS[name])
    code, out, err = started(home, name, "--local", "--yes")
    assert (code, err) == (0, "")
    assert out.endswith(f"done. {HOSTS[name].next} Backup: {next(file.parent.glob('*.bak'))}\n")
    entry = entry_in(name, file.read_bytes())
    environment = {"HOME": str(home), "AURAL_PAGE_PORT": "0", **entry.get("env", {})}
    server = StdioServerParameters(command=entry["command"], args=entry["args"], env=environment)
    async with Client(server, read_timeout_seconds=60) as host:
        assert len((await host.list_tools()).tools) >= 20


def test_the_command_run_twice_changes_nothing_and_taken_back_restores_the_file(home):
    file = put(home / WHERE["vscode"], OTHERS["vscode"])
    assert started(home, "--local", "--yes")[0] == 0
    before = contents(home)
    code, out, err = started(home, "--local", "--yes")
    assert (code, out, err) == (0, f"VS Code: {file}: already up to date\nNothing to do.\n", "")
    assert contents(home) == before
    assert started(home, "--uninstall", "--yes")[0] == 0
    assert contents(home) == {WHERE["vscode"]: OTHERS["vscode"].encode()}


PATHS = {
    ("darwin", "claude-desktop"): "/Users/r/Library/Application Support/Claude/claude_desktop_config.json",
    ("darwin", "vscode"): "/Users/r/Library/Application Support/Code/User/mcp.json",
    ("darwin", "claude-code"): "/Users/r/.claude.json",
    ("darwin", "cursor"): "/Users/r/.cursor/mcp.json",
    ("darwin", "codex"): "/Users/r/.codex/config.toml",
    ("darwin", "gemini"): "/Users/r/.gemini/settings.json",
    ("win32", "claude-desktop"): r"C:\Users\r\AppData\Roaming\Claude\claude_desktop_config.json",
    ("win32", "vscode"): r"C:\Users\r\AppData\Roaming\Code\User\mcp.json",
    ("win32", "claude-code"): r"C:\Users\r\.claude.json",
    ("win32", "cursor"): r"C:\Users\r\.cursor\mcp.json",
    ("win32", "codex"): r"C:\Users\r\.codex\config.toml",
    ("win32", "gemini"): r"C:\Users\r\.gemini\settings.json",
    ("linux", "claude-desktop"): "/home/r/.config/Claude/claude_desktop_config.json",
    ("linux", "vscode"): "/home/r/.config/Code/User/mcp.json",
    ("linux", "claude-code"): "/home/r/.claude.json",
    ("linux", "cursor"): "/home/r/.cursor/mcp.json",
    ("linux", "codex"): "/home/r/.codex/config.toml",
    ("linux", "gemini"): "/home/r/.gemini/settings.json",
}
HOMES = {"darwin": {"HOME": "/Users/r"}, "win32": {"USERPROFILE": r"C:\Users\r"}, "linux": {"HOME": "/home/r"}}


@pytest.mark.parametrize(("platform", "name"), PATHS)
def test_each_system_keeps_its_configurations_in_its_own_place(platform, name):
    (file,) = files(HOSTS[name], Machine(platform, HOMES[platform]))
    assert file.as_posix() == PATHS[platform, name].replace("\\", "/")


@pytest.mark.parametrize(
    ("platform", "name", "variable", "folder", "file"),
    [
        ("linux", "vscode", "XDG_CONFIG_HOME", "/x", "/x/Code/User/mcp.json"),
        ("win32", "claude-desktop", "APPDATA", r"D:\a", "D:/a/Claude/claude_desktop_config.json"),
        ("linux", "claude-code", "CLAUDE_CONFIG_DIR", "/c", "/c/.claude.json"),
        ("darwin", "codex", "CODEX_HOME", "/x", "/x/config.toml"),
        ("win32", "gemini", "GEMINI_CLI_HOME", r"E:\g", "E:/g/.gemini/settings.json"),
    ],
)
def test_a_variable_moves_a_configuration(platform, name, variable, folder, file):
    assert files(HOSTS[name], Machine(platform, {**HOMES[platform], variable: folder})) == [Path(file)]


def test_claude_desktop_from_the_store_is_found_where_windows_keeps_packages(home):
    package = home / "AppData/Local/Packages/Claude_pzs8sxrjxfjjc"
    package.mkdir(parents=True)
    person = Person(home, platform="win32")
    assert found(person.machine) == ["claude-desktop"]
    assert person.installs()
    assert list(contents(home)) == [
        "AppData/Local/Packages/Claude_pzs8sxrjxfjjc/LocalCache/Roaming/Claude/claude_desktop_config.json"
    ]


def test_without_a_host_all_that_are_found_are_meant_by_folder_or_by_command(home):
    (home / ".cursor").mkdir()
    (home / ".config/Code - Insiders").mkdir(parents=True)
    put(home / "bin/codex", "").chmod(0o755)
    person = Person(home, PATH=str(home / "bin"))
    assert person.installs()
    assert contents(home).keys() - {"bin/codex"} == {
        ".cursor/mcp.json",
        ".config/Code - Insiders/User/mcp.json",
        ".codex/config.toml",
    }


def test_where_no_host_is_found_it_says_so(home):
    code, out, err = command(home, "--local", "--yes")
    assert (code, out) == (1, "")
    assert err == "Error: No MCP host was found here. Name one, or see `aural-mcp install --help`.\n"


def test_a_host_that_is_named_need_not_be_found_and_what_was_made_is_removed(home):
    person = Person(home)
    assert person.installs("gemini", "codex")
    assert person.installs("gemini", "codex", start={**START, "command": "/new/aural-mcp"})
    assert len(contents(home)) == 4  # with a backup of each first version
    assert person.uninstalls("gemini", "codex")
    assert contents(home) == {}


@pytest.mark.parametrize("name", [*HOSTS, *PRINTED])
def test_an_entry_can_be_printed_for_every_host_and_nothing_changes(home, name):
    yaml = pytest.importorskip("yaml")
    key = put(home / "key", KEY)
    code, out, err = command(home, "--print", name, "--key-file", str(key))
    assert (code, "Into" in err) == (0, name in PRINTED)
    assert (KEY in out, list(contents(home))) == (False, ["key"])
    read = {"codex": tomllib.loads, "goose": yaml.safe_load}.get(name, json.loads)
    ((_, servers),) = read(out).items()
    entry = servers["aural"]
    assert (entry.get("command") or entry["cmd"], entry["args"]) == (START["command"], [])
    assert (entry.get("env") or entry["envs"]) == {"AURAL_API_KEY_FILE": str(key)}


def test_the_command_of_an_installation_is_absolute_and_on_windows_has_its_suffix(home):
    assert this_installation("/v/bin/aural-mcp", "/v/bin/python", "linux") == {
        "command": "/v/bin/aural-mcp",
        "args": [],
    }
    module = this_installation("/s/aural_mcp/__main__.py", "/v/bin/python", "darwin")
    assert module == {"command": "/v/bin/python", "args": ["-m", "aural_mcp"]}
    start = this_installation(r"C:\Program Files\v\Scripts\aural-mcp", "", "win32")
    assert start["command"] == r"C:\Program Files\v\Scripts\aural-mcp.exe"
    for name in ("cursor", "codex"):
        person = Person(home, platform="win32")
        assert person.installs(name, start=start)
        content = (home / WHERE[name]).read_bytes()
        assert rb'"C:\\Program Files\\v\\Scripts\\aural-mcp.exe"' in content
        assert entry_in(name, content)["command"] == start["command"]


def test_an_installation_in_a_cache_is_called_that(home):
    start = {"command": str(home / ".cache/uv/archive-v0/x/bin/aural-mcp"), "args": []}
    assert passing(start)
    assert not passing(START)
    person = Person(home)
    person.installs("cursor", start=start)
    assert "is in a cache that may be emptied" in person.said[0]


# ── What stays as it is ─────────────────────────────────────────────────────────────────────────

JSON_FORMS = [
    *(OTHERS[name] for name in ("claude-desktop", "claude-code", "cursor", "gemini")),
    *("", "{}", "{\n}\n", "// mine\n", "\ufeff", '{"mcpServers":{}}', '{"mcpServers": {}}\n', '{ "a": 1 }'),
    '{\n  "mcpServers": {\n    // none yet\n  }\n}',
    '{\n\t"mcpServers": {\n\t\t"a": {}, // "b": {},\n\t\t/* "c": {} */\n\t},\n}\n',
    '{\n  "a": "// no, }", "b": "/* no */" // yes\n}',
    '{"mcpServers": {"a": {"env": {"K": "é\\u00e9\\\\"}},},}',
    '{\n  "mcpServers": {"a": {}}, // old\n  "mcpServers": {"b": {}}\n}',
    '{"mcpServers": {\n  "a": {}}}',
    '{\n    "mcpServers":\n    {\n        "a": {"command": "x"}\n    }\n}',
]
TOML_FORMS = [
    OTHERS["codex"],
    *("", "# mine", "model = 'x'", "[tui]\nx = 1\n\n\n"),
    "mcp_servers.a.command = 'x'\n[tui]\nx = 1\n",
    "[mcp_servers]\na = { command = 'x' }\n[[p]]\nq = [\n  ['mcp_servers'],\n]\n",
    '[mcp_servers.a]\ncommand = \'x\'\n[tui]\n[\'mcp_servers\'."b"]\ncommand = """\n[mcp_servers.aural]\n"""\n# end\n',
]
FORMS = [*(("cursor", form) for form in JSON_FORMS), *(("codex", form) for form in TOML_FORMS)]


@pytest.mark.parametrize(("name", "form"), FORMS)
def test_all_else_stays_and_taking_it_out_restores_every_byte(home, name, form):
    file, person = put(home / WHERE[name], form), Person(home)
    assert person.installs(name)
    once = file.read_bytes()
    assert entry_in(name, once) == START
    assert words(form) <= words(once.decode())
    assert once.count(b"\r\n") == (once.count(b"\n") if "\r\n" in form else 0)
    assert person.installs(name)
    assert person.heard == f"{HOSTS[name].title}: {file}: already up to date\nNothing to do."
    assert person.installs(name, start={**START, "command": "/moved/aural-mcp"})
    assert len(contents(home)) == 3  # the file, and a backup for each of the two changes
    assert person.uninstalls(name)
    assert contents(home) == {WHERE[name]: form.encode()}
    assert person.uninstalls(name)
    assert person.heard.endswith("aural is not in it\nNothing to do.")


@pytest.mark.parametrize(("name", "form"), FORMS)
def test_taking_it_out_of_a_file_that_changed_since_takes_out_only_that(home, name, form):
    file, person = put(home / WHERE[name], form), Person(home)
    assert person.installs(name)
    file.write_bytes(file.read_bytes() + b"\n\n")
    assert person.uninstalls(name)
    left = file.read_bytes()
    assert entry_in(name, left) is None
    assert words(form) <= words(left.decode())
    section = {HOSTS[name].section: {}}
    assert {**section, **HOSTS[name].format.read(left.decode().removeprefix("\ufeff"))} == {
        **section,
        **HOSTS[name].format.read(form.removeprefix("\ufeff")),
    }


def words(text):
    return set(text.replace("{", " ").replace("}", " ").replace(",", " ").split())


@pytest.mark.parametrize("name", HOSTS)
def test_new_servers_are_written_as_their_neighbours_are(home, name, snapshot):
    put(home / WHERE[name], OTHERS[name])
    assert Person(home).installs(name)
    assert (home / WHERE[name]).read_bytes().decode() == snapshot


def test_a_table_of_another_form_gives_way_and_other_settings_in_it_stay(home):
    old = (
        "[mcp_servers.aural]\ncommand = 'old'\nstartup_timeout_sec = 20\nenv_vars = ['A']\n# of tui\n\n[tui]\nx = 1\n\n"
        f"[mcp_servers.aural.env]\nAURAL_API_KEY = '{KEY}'\nAURAL_BLIND = '1'\n\n[z]\ny = 2000-01-01\n"
    )
    file, person = put(home / WHERE["codex"], old), Person(home)
    assert person.installs("codex")
    assert file.read_text() == (
        '[mcp_servers.aural]\ncommand = "/opt/aural/bin/aural-mcp"\nstartup_timeout_sec = 20\nenv_vars = ["A"]\n'
        'env = { AURAL_BLIND = "1" }\nargs = []\n# of tui\n\n[tui]\nx = 1\n\n[z]\ny = 2000-01-01\n'
    )
    assert KEY not in person.heard
    assert person.uninstalls("codex")
    assert file.read_text() == "# of tui\n\n[tui]\nx = 1\n\n[z]\ny = 2000-01-01\n"


def test_an_entry_written_by_hand_keeps_what_we_do_not_set_and_loses_its_key(home):
    env = {"AURAL_API_KEY": KEY, "AURAL_READ_ONLY": "1", "MY_TOKEN": "sec" + "ret"}
    old = {"servers": {"aural": {"command": "aural-mcp", "env": env, "dev": {"watch": "x"}}, "b": {}}}
    file, person = put(home / WHERE["vscode"], json.dumps(old)), Person(home)
    assert person.installs("vscode")
    assert json.loads(file.read_text())["servers"] == {
        "aural": {
            **START,
            "type": "stdio",
            "dev": {"watch": "x"},
            "env": {"AURAL_READ_ONLY": "1", "MY_TOKEN": "sec" + "ret"},
        },
        "b": {},
    }
    assert KEY not in person.heard
    assert "secret" not in person.heard


def test_an_entry_for_a_remote_server_gives_way_whole(home):
    file = put(
        home / WHERE["cursor"], '{"mcpServers": {"aural": {"url": "https://x", "headers": {"x-api-key": "k1"}}}}'
    )
    person = Person(home)
    assert person.installs("cursor")
    assert entry_in("cursor", file.read_bytes()) == START
    assert "k1" not in person.heard


def test_a_link_stays_a_link_and_the_mode_is_kept(home):
    real = put(home / "dotfiles/mcp.json", OTHERS["cursor"])
    real.chmod(0o640)
    link = home / WHERE["cursor"]
    link.parent.mkdir()
    link.symlink_to(real)
    person = Person(home)
    assert person.installs("cursor")
    assert link.is_symlink()
    assert entry_in("cursor", real.read_bytes()) == START
    assert {stat.S_IMODE(file.stat().st_mode) for file in real.parent.iterdir()} == {0o640}
    assert person.uninstalls("cursor")
    assert (link.is_symlink(), real.read_text()) == (True, OTHERS["cursor"].replace("\r\n", "\n"))
    assert [stat.S_IMODE(file.stat().st_mode) for file in real.parent.iterdir()] == [0o640]


# ── What is left alone ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("claude-desktop", '{\n  "mcpServers": {}, // not for this host\n}', 2),
        ("claude-code", '{\n  "mcpServers": {},}', 2),
        ("cursor", '{\n  "mcpServers": {"a": {}\n', 3),
        ("vscode", '{"servers": {}}\n}', 2),
        ("gemini", b'{\n"a": "\xff"}', 2),
        ("codex", "model = 'x'\n[tui\n", 2),
        ("codex", "model = '''", 1),
        ("gemini", "[1]", 1),
        ("cursor", "[" * 100_000, 1),
    ],
)
def test_a_configuration_that_cannot_be_parsed_is_left_alone_and_the_others_are_done(home, name, content, line):
    other = "gemini" if name != "gemini" else "cursor"
    file, person = put(home / WHERE[name], content), Person(home)
    before = file.read_bytes()
    for attempt in (person.installs, person.uninstalls):
        assert not attempt(name, other)
        said = person.said[0]
        assert said.startswith(f"{HOSTS[name].title}: {file}, line {line}: ")
        assert said.endswith(f"or change it by hand: `aural-mcp install --print {name}` shows the entry.")
        assert "\n" not in said
        assert (file.read_bytes(), list(home.rglob("*.bak"))) == (before, [])
    assert "done." in person.heard


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("codex", "mcp_servers = { a = { command = 'x' } }\n"),
        ("codex", "[mcp_servers]\naural = { command = 'x' }\n"),
        ("cursor", '{"mcpServers": []}'),
        ("vscode", '{"servers": null}'),
    ],
)
def test_a_form_that_is_not_known_is_refused_and_not_harmed(home, name, content):
    file, person = put(home / WHERE[name], content), Person(home)
    assert not person.installs(name)
    assert "It was left alone" in person.heard
    assert contents(home) == {WHERE[name]: content.encode()}
    assert file.exists()


def test_the_command_says_what_is_broken_in_one_line(home):
    file = put(home / WHERE["cursor"], "{")
    code, out, err = command(home, "--local", "--yes")
    assert (code, out) == (1, "Nothing to do.\n")
    assert err.startswith(f"Cursor: {file}, line 1: Expecting property name")
    assert err.count("\n") == 1


def test_what_cannot_be_written_is_as_it_was(home, monkeypatch):
    put(home / WHERE["cursor"], OTHERS["cursor"])
    before, replace = contents(home), os.replace

    def full(source, target):
        if str(target).endswith("mcp.json"):
            raise OSError(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(os, "replace", full)
    person = Person(home)
    assert not person.installs("cursor")
    assert "cannot be written (No space left on device) and is as it was" in person.heard
    assert contents(home) == before


def test_a_file_that_its_owner_made_read_only_is_left_alone(home, monkeypatch):
    put(home / WHERE["cursor"], OTHERS["cursor"]).chmod(0o444)
    monkeypatch.setattr(os, "access", lambda file, mode: False)  # root may always
    person = Person(home)
    assert not person.installs("cursor")
    assert "(it is read-only)" in person.heard
    assert len(contents(home)) == 1


def test_what_the_host_wrote_while_the_person_thought_is_kept(home):
    file, person = put(home / WHERE["claude-code"], '{"numStartups": 1}'), Person(home)
    console = Console(True, person.hears, lambda: "", lambda: bool(file.write_text('{"numStartups": 2}')))
    assert run(Request(("claude-code",)), START, person.machine, console)
    assert json.loads(file.read_text())["numStartups"] == 2
    assert [json.loads(backup.read_text()) for backup in home.glob("*.bak")] == [{"numStartups": 2}]


def test_an_entry_that_changed_while_the_person_thought_is_left_alone(home):
    file, person = put(home / WHERE["claude-code"], "{}"), Person(home)
    meanwhile = '{"mcpServers": {"aural": {"command": "other"}}}'
    console = Console(True, person.hears, lambda: "", lambda: bool(file.write_text(meanwhile)))
    assert not run(Request(("claude-code",)), START, person.machine, console)
    assert person.said[-1].endswith("changed meanwhile, and was left alone. Run it again.")
    assert contents(home) == {WHERE["claude-code"]: meanwhile.encode()}


def test_a_dry_run_shows_and_changes_nothing(home):
    put(home / WHERE["vscode"], OTHERS["vscode"])
    code, out, err = command(home, "--dry-run")
    assert (code, err) == (0, "")
    assert '+    "aural": {' in out
    assert out.endswith("\nNothing was changed. Without --local or --key-file a real run asks for a key.\n")
    assert contents(home) == {WHERE["vscode"]: OTHERS["vscode"].encode()}
    assert Person(home).installs("vscode")
    before, person = contents(home), Person(home)
    assert person.uninstalls(dry_run=True)
    assert '-    "aural": {' in person.heard
    assert contents(home) == before


def test_without_a_yes_nothing_changes(home):
    (home / ".cursor").mkdir()
    code, out, err = command(home, "--local")
    assert (code, '+    "aural": {' in out) == (2, True)
    assert "there is no terminal to ask on. --yes changes what is shown." in err
    with pytest.raises(Problem, match="Nothing was changed"):
        Person(home, agrees=False).installs()
    with pytest.raises(Problem, match="Nothing was changed"):
        Person(home, key=KEY, agrees=False, AURAL_DATA_DIR=str(home / "data")).installs()
    assert contents(home) == {}


# ── Keys and addresses ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("typed", [KEY, ""])
def test_a_key_is_typed_unseen_and_kept_in_a_file_for_its_owner_only(home, typed):
    for name in WHERE:
        put(home / WHERE[name], OTHERS[name])
    terminal, theirs = pty.openpty()
    line, streams = [sys.executable, "-m", "aural_mcp", "install"], dict.fromkeys(("stdin", "stdout", "stderr"), theirs)
    child = subprocess.Popen(line, env=shell(home), start_new_session=True, **streams)
    os.close(theirs)
    seen = type_at(terminal, b"workspace on this computer): ", typed) + type_at(terminal, b"[y/N]: ", "y")
    seen += type_at(terminal, None, "")
    os.close(terminal)
    assert child.wait(timeout=60) == 0
    assert b"dlv_" not in seen
    assert seen.count(b"done.") == len(HOSTS)
    keys = list(home.glob(".local/share/aural-mcp/*"))
    assert [(file.name, stat.S_IMODE(file.stat().st_mode)) for file in keys] == (
        [("aural-ai.com.key", 0o600)] if typed else []
    )
    for name in WHERE:
        content = (home / WHERE[name]).read_bytes()
        assert b"dlv_" not in content
        settings = read_settings(entry_in(name, content).get("env", {}))
        assert (settings.api_key, settings.embedded) == (typed or None, not typed)


def test_a_key_once_typed_is_nothing_new_and_another_deployment_has_its_own(home):
    data = home / "data"
    person = Person(home, key=KEY, AURAL_DATA_DIR=str(data))
    assert person.installs("cursor")
    assert person.installs("cursor")
    assert person.heard.endswith("already up to date\nNothing to do.")
    (data / "aural-ai.com.key").chmod(0o644)
    assert person.installs("cursor")
    assert stat.S_IMODE((data / "aural-ai.com.key").stat().st_mode) == 0o600
    assert person.installs("cursor", base_url="https://hire.example:8443/api/v1/")
    assert {file.name for file in data.iterdir()} == {"aural-ai.com.key", "hire.example_8443.key"}
    assert entry_in("cursor", (home / WHERE["cursor"]).read_bytes())["env"] == {
        "AURAL_API_KEY_FILE": str(data / "hire.example_8443.key"),
        "AURAL_BASE_URL": "https://hire.example:8443/api/v1",
        "AURAL_DATA_DIR": str(data),
    }
    assert person.uninstalls("cursor")
    assert f"The key stays in {data / 'hire.example_8443.key'}" in person.heard
    assert KEY not in person.heard


def test_settings_of_this_shell_that_choose_another_backend_are_shut_out(home):
    person = Person(home, AURAL_API_KEY="dlv_of-this-shell", AURAL_BASE_URL="https://x.test")
    assert person.installs("cursor")
    content = (home / WHERE["cursor"]).read_bytes()
    environment = entry_in("cursor", content)["env"]
    assert read_settings({**person.machine.environment, **environment}).embedded
    assert b"dlv_" not in content


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nothing"], "'nothing' is not one of 'claude-desktop'"),
        (["--print", "nothing"], "'windsurf', 'zed', 'goose'"),
        (["cursor"], "There is no terminal to ask for the key on: say --local, or --key-file FILE."),
        (["--local", "--key-file", "{key}"], "--local uses neither a key nor an address."),
        (["--local", "--base-url", "https://x.test"], "--local uses neither a key nor an address."),
        (["--uninstall", "--local"], "--uninstall takes nothing but hosts, --dry-run and --yes."),
        (["cursor", "--print", "zed"], "name no other host"),
        (["cursor", "--key-file", "{home}/none"], "does not exist"),
        (["cursor", "--key-file", "{wrong}"], "does not hold an Aural key: keys start with `dlv_`"),
        (["cursor", "--key-file", "{key}", "--base-url", "http://x.test"], "--base-url must be https"),
        (["cursor", "--dry-run", "--base-url", "https://x.test"], "--base-url needs a key for it"),
    ],
)
def test_wrong_usage_is_told_in_a_line_and_changes_nothing(home, arguments, says):
    (home / ".cursor").mkdir()
    names = {"home": home, "key": put(home / "key", KEY), "wrong": put(home / "wrong", "sk-" + "x")}
    code, out, err = command(home, "--yes", *(each.format(**names) for each in arguments))
    assert (code, out) == (2, "")
    assert says in " ".join(err.split())
    assert "Traceback" not in err
    assert set(contents(home)) == {"key", "wrong"}


def test_what_is_no_key_is_refused_and_not_repeated(home):
    person = Person(home, key="sk-" + "not-ours", AURAL_DATA_DIR=str(home / "data"))
    with pytest.raises(Misuse, match="keys start with dlv_") as refused:
        person.installs("cursor")
    assert "not-ours" not in str(refused.value)
    assert contents(home) == {}

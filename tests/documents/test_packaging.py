"""What registries, hosts, editors and containers are given starts this server."""

import base64
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
import tomllib
import zipfile
from importlib.metadata import distributions, requires, version
from pathlib import Path
from urllib.parse import unquote

import httpx2
import pytest
import yaml
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from uv import find_uv_bin

from aural_mcp import __version__
from aural_mcp.api.operations import OPERATIONS
from aural_mcp.config import read_settings
from aural_mcp.documents import manifests
from aural_mcp.variables import VARIABLES
from composed import COMPOSE, SECRET, Composed
from conftest import needs, ok
from processes import free_port

ROOT = Path(__file__).parent.parent.parent
PAGES = sorted((ROOT / "docs").glob("*.md"))
SECRETS = {"AURAL_API_KEY", "AURAL_STATE_KEYS", "AURAL_LLM_API_KEY"}


# ── Manifests ───────────────────────────────────────────────────────────────────────────────────


def written(name):
    return json.loads((ROOT / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["server.json", "manifest.json", ".claude-plugin/plugin.json", manifests.TYPESCRIPT])
def test_every_manifest_has_the_version_of_the_package(name):
    assert written(name)["version"] == __version__


def test_the_registry_entry_and_the_readme_name_the_same_server():
    entry = written("server.json")
    assert f"<!-- mcp-name: {entry['name']} -->" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert f'server.name="{entry["name"]}"' in (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert len(entry["description"]) <= 100


@pytest.mark.parametrize("name", ["manifest.json", ".claude-plugin/plugin.json"])
def test_what_a_host_asks_for_reaches_the_server(name):
    manifest = written(name)
    started = manifest["server"]["mcp_config"] if "server" in manifest else manifest["mcpServers"]["aural"]
    asked = manifest.get("user_config") or manifest["userConfig"]
    assert set(started["env"].values()) == {f"${{user_config.{each}}}" for each in asked}
    filled = {
        f"${{user_config.{name}}}": str(each["default"]).lower() for name, each in asked.items() if "default" in each
    }
    assert {"${user_config.read_only}", "${user_config.blind}"} == filled.keys(), "a guard is never left unanswered"
    unanswered = {name: filled.get(text, text) for name, text in started["env"].items()}
    assert read_settings(unanswered).embedded  # keys and addresses that nobody filled in
    given = {"api_key": "dlv_test_1", "base_url": "https://aural.test/api/v1", "read_only": "true", "blind": "false"}
    settings = read_settings({each: given[text[14:-1]] for each, text in started["env"].items()})
    assert (settings.api_key, settings.base_url) == ("dlv_test_1", "https://aural.test/api/v1")
    assert (settings.narrowing.read_only, settings.narrowing.blind) == (True, False)


def test_keys_are_asked_for_as_secrets():
    titled = {each.names for each in VARIABLES if each.title}
    for asked in (written("manifest.json")["user_config"], written(".claude-plugin/plugin.json")["userConfig"]):
        secret = {f"AURAL_{name.upper()}" for name, each in asked.items() if each.get("sensitive")}
        assert secret == SECRETS & titled == {"AURAL_API_KEY"}


@pytest.mark.parametrize("name", ["README.md", *(f"docs/{page.name}" for page in PAGES), *manifests.FILES])
def test_nothing_starts_a_package_of_a_name_that_nobody_owns(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    assert not re.search(r"(uvx|pipx run|uv tool (run|install)|npx)[ \"',\[-]+aural-mcp", text)
    assert not re.search(
        r"(npx|bunx|npm (i|install|add)|(pnpm|yarn|bun|deno) add)\b[^`\n]* (npm:)?aural-client\b(?!-)", text
    )
    assert "npm:aural-client" not in text
    assert manifests.PYPI or "registryType" not in text
    for encoded in re.findall(r"config=([\w%]+)", text):
        assert b"uvx" not in base64.b64decode(unquote(encoded) + "==")
        assert "uvx" not in unquote(encoded)


# ── What is installed ───────────────────────────────────────────────────────────────────────────


def runtime():
    """What is installed at run time with every extra of ours, by name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [
        line
        for name in ("postgres", "ai", "images", "otel", "metrics")
        for line in project["optional-dependencies"][name]
    ]
    left, found = [Requirement(line) for line in [*project["dependencies"], *extras]], {}
    while left:
        wanted = left.pop()
        if (canonicalize_name(wanted.name), frozenset(wanted.extras)) in found:
            continue
        found[canonicalize_name(wanted.name), frozenset(wanted.extras)] = version(wanted.name)
        more = [Requirement(line) for line in requires(wanted.name) or []]
        left += [each for each in more if not each.marker or _applies(each.marker, wanted.extras)]
    return {name: found for (name, _), found in found.items()}


def _applies(marker, extras):
    return any(marker.evaluate({"extra": extra}) for extra in {"", *extras})


def pinned():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").split()
    return {canonicalize_name(line.partition("==")[0]): line.partition("==")[2] for line in lines}


def hashed(folder=ROOT):
    """What `requirements.txt` names, each with its hashes."""
    lines = (folder / "requirements.txt").read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    parts = [line.split("--hash=sha256:") for line in lines]
    return {Requirement(wanted): {each.strip() for each in hashes} for wanted, *hashes in parts}


def versions(requirements):
    return {canonicalize_name(each.name): str(each.specifier).removeprefix("==") for each in requirements}


def test_everything_that_is_installed_at_run_time_has_one_version_and_hashes_and_nothing_names_a_registry():
    assert runtime().items() <= versions(hashed()).items() <= pinned().items()
    assert all(hashes for hashes in hashed().values())
    assert all(re.fullmatch(r"[0-9a-f]{64}", each) for hashes in hashed().values() for each in hashes)
    for name in ("constraints.txt", "requirements.txt", "pyproject.toml"):
        assert not re.search(r"://|--(index|extra-index|find-links)", (ROOT / name).read_text(encoding="utf-8"))


def test_the_command_of_the_maintainers_renews_the_hashes(tmp_path):
    guide = (ROOT / "docs" / "contributing.md").read_text(encoding="utf-8")
    command = next(line for line in guide.splitlines() if "uv pip compile" in line)
    for name in ("pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    subprocess.run(command.replace(".venv/bin/uv", find_uv_bin()), shell=True, cwd=tmp_path, check=True)
    assert versions(hashed(tmp_path)) == versions(hashed())
    assert all(hashes <= hashed(tmp_path)[wanted] for wanted, hashes in hashed().items())  # files may have come since


def tampered(text, package, digest):
    """`requirements.txt` with another hash for a package, or with none."""
    start = re.search(rf"^{package}==\S+", text, re.M).end()
    end = re.compile(r"^(?! )|\Z", re.M).search(text, start).start()
    return text[:start] + (f" --hash=sha256:{digest}" if digest else "") + "\n" + text[end:]


@pytest.mark.parametrize(("change", "why"), [("0" * 64, "DO NOT MATCH THE HASHES"), (None, "Hashes are required")])
def test_the_image_takes_only_files_with_the_hash_that_was_noted(change, why, tmp_path):
    line = next(rest for name, rest in steps(1) if name == "RUN" and "requirements.txt" in rest)
    command = [sys.executable, "-m", "pip", *shlex.split(line.split("bin/pip ")[1]), "--target", "there"]
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    noted = text[text.index("annotated-types==") : text.index("anyio==")]
    for text in (tampered(noted, "annotated-types", change), noted):
        assert not (tmp_path / "there").exists()
        (tmp_path / "requirements.txt").write_text(text, encoding="utf-8")
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert (done.returncode == 0) == (text == noted), done.stderr
        assert text == noted or why in done.stderr
    assert (tmp_path / "there" / "annotated_types").is_dir()


@pytest.fixture
def checkout(tmp_path):
    """What bundle and plugin start, in a folder of its own."""
    for name in ("start.py", "pyproject.toml", "requirements.txt"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def start(folder, **environment):
    """The server of a folder, started as hosts start it, only to say its version."""
    command = manifests.plugin()["mcpServers"]["aural"]
    args = [each.replace("${CLAUDE_PLUGIN_ROOT}", str(folder)) for each in command["args"]]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([find_uv_bin(), *args, "--version"], env={**os.environ, **environment}, **pipes)


@pytest.mark.parametrize("change", ["0" * 64, None])
def test_bundle_and_plugin_start_nothing_with_a_package_of_another_hash_or_of_none(change, checkout):
    hashes = checkout / "requirements.txt"
    hashes.write_text(tampered(hashes.read_text(encoding="utf-8"), "annotated-types", change), encoding="utf-8")
    server = start(checkout)
    output, said = server.communicate()
    assert (server.returncode, output) == (1, "")
    assert "annotated-types" in said
    assert "Not started: a package is missing, or is not the one whose hash is in" in said
    assert not list((checkout / ".packages").iterdir())


def test_hosts_that_start_it_at_once_get_it_and_the_next_start_needs_no_network(checkout):
    for server in (start(checkout), start(checkout)):
        assert __version__ in server.communicate()[0]
    (ready,) = (checkout / ".packages").iterdir()
    found = {canonicalize_name(each.name): each.version for each in distributions(path=[str(ready)])}
    assert found.items() <= versions(hashed()).items()
    assert {"mcp", "pydantic", "sqlalchemy"} < found.keys()
    assert __version__ in start(checkout, UV_OFFLINE="1").communicate()[0]


# ── The bundle ──────────────────────────────────────────────────────────────────────────────────


def unanswered(environment, asked):
    """The settings as a host fills them in for a user who answers nothing: with defaults, else not at all."""
    defaults = {f"${{user_config.{name}}}": each.get("default") for name, each in asked.items()}
    given = {name: defaults[text] for name, text in environment.items()}
    return {name: environment[name] if each is None else str(each).lower() for name, each in given.items()}


async def test_the_bundle_starts_from_an_unpacked_copy(tmp_path):
    mcpb, uv = needs("mcpb"), find_uv_bin()
    bundle, unpacked = tmp_path / "aural-mcp.mcpb", tmp_path / "unpacked"
    subprocess.run([mcpb, "validate", "manifest.json"], cwd=ROOT, check=True, capture_output=True)
    subprocess.run([mcpb, "pack", ".", bundle], cwd=ROOT, check=True, capture_output=True)
    with zipfile.ZipFile(bundle) as packed:
        packed.extractall(unpacked)
    there = {path.relative_to(unpacked).parts[0] for path in unpacked.rglob("*")}
    needed = {"start.py", "requirements.txt", "pyproject.toml", "src", "skill"}
    assert there == needed | {"manifest.json", "README.md", "LICENSE", "docs"}
    assert [path.name for path in (unpacked / "docs").iterdir()] == ["icon.png"]
    assert not list(unpacked.rglob("*.pyc"))
    manifest = json.loads((unpacked / "manifest.json").read_text())
    config, asked = manifest["server"]["mcp_config"], manifest["user_config"]
    arguments = [each.replace("${__dirname}", str(unpacked)) for each in config["args"]]
    settings = {
        **os.environ,
        **unanswered(config["env"], asked),
        "AURAL_DATA_DIR": str(tmp_path),
        "AURAL_PAGE_PORT": "0",
    }
    async with Client(StdioServerParameters(command=uv, args=arguments, env=settings)) as agent:
        tools = {each.name for each in (await agent.list_tools()).tools}
        assert tools >= {each.tool_name() for each in OPERATIONS}
        assert (await ok(agent, "create_interview", title="Backend engineer"))["title"] == "Backend engineer"


# ── Containers ──────────────────────────────────────────────────────────────────────────────────


def steps(stage):
    """The instructions of one stage of the Dockerfile, each with its words."""
    text = re.sub(r"\\\n", " ", (ROOT / "Dockerfile").read_text(encoding="utf-8"))
    lines = [line.split(" ", 1) for line in re.split(r"^FROM .*$", text, flags=re.M)[stage].splitlines() if line]
    return [(name, rest.strip()) for name, rest in lines if name != "#"]


def of_stage(stage, wanted):
    return next(rest for name, rest in steps(stage) if name == wanted)


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The programs of the image: the steps of its first stage, in a folder of their own."""
    folder = tmp_path_factory.mktemp("image")
    source = folder / "src-of-image"
    source.mkdir()
    for name, rest in steps(1):
        if name == "COPY":
            *files, target = rest.split()
            for file in files:
                if (ROOT / file).is_dir():
                    shutil.copytree(ROOT / file, source / target, ignore=shutil.ignore_patterns("__pycache__"))
                else:
                    shutil.copy(ROOT / file, source / target)
        if name == "RUN":
            line = rest.replace("/opt/aural", str(folder / "aural")).replace("python ", f"{sys.executable} ", 1)
            subprocess.run(line, shell=True, cwd=source, check=True, capture_output=True)
    return folder / "aural" / "bin"


async def test_the_containers_serve_a_team_on_postgresql(installed, postgresql, tmp_path):
    composed = Composed(postgresql.database())
    with composed.running("backend", tmp_path, installed) as backend:
        key = next(found[0] for line in backend.stdout if (found := re.search(r"dlv_\S+", line)))
        with composed.running("mcp-1", tmp_path, installed):
            headers = {"Authorization": f"Bearer {key}"}
            async with httpx2.AsyncClient(headers=headers) as http:
                way = streamable_http_client(composed.url("8401", "/mcp"), http_client=http)
                async with Client(way) as agent:
                    made = await ok(agent, "create_interview", title="Backend engineer")
                there = (await http.get(composed.url("8411", "/api/v1/interviews"))).json()["data"]
    assert [each["id"] for each in there] == [made["id"]]


def test_the_image_by_itself_serves_and_is_healthy(installed, tmp_path):
    port = free_port()
    words = [*json.loads(of_stage(2, "CMD")), "--port", str(port)]
    program = [str(installed / "aural-mcp"), *(word.replace("0.0.0.0", "127.0.0.1") for word in words)]
    check = json.loads(of_stage(2, "HEALTHCHECK").split("CMD", 1)[1].replace(":8400/", f":{port}/"))
    end = time.monotonic() + 60
    with subprocess.Popen(program, env={**os.environ, "AURAL_DATA_DIR": str(tmp_path)}) as process:
        while subprocess.run([str(installed / check[0]), *check[1:]], capture_output=True).returncode:
            assert process.poll() is None
            assert time.monotonic() < end, "it is not healthy"
        process.terminate()
        assert process.wait(timeout=30) == 0


def test_the_containers_listen_on_this_computer_only_and_run_as_nobody():
    services = Composed("").services
    assert all(port.startswith("127.0.0.1:") for each in services.values() for port in each.get("ports", []))
    assert [name for name, each in services.items() if "ports" in each] == ["proxy"]
    assert of_stage(2, "USER") == "10001:10001"
    assert f"install -d -o 10001 -g 10001 -m 700 {shlex.quote('/data')}" in of_stage(2, "RUN")


def test_compose_publishes_what_is_set_and_takes_names_secrets_and_a_model_from_the_environment():
    given = {
        "AURAL_MCP_HOST": "mcp.example.com",
        "AURAL_PAGES_HOST": "interviews.example.com",
        "AURAL_HTTP": "80:80",
        "AURAL_HTTPS": "443:443",
        "AURAL_LLM_MODEL": "some-model",
    }
    composed = Composed("", **given)
    proxy, backend, replicas = composed.service("proxy"), composed.service("backend"), ("mcp-1", "mcp-2")
    assert composed.services["proxy"]["ports"] == ["80:80", "443:443"]
    assert (proxy.environment["AURAL_MCP_SITE"], proxy.environment["AURAL_PAGES_SITE"]) == tuple(given.values())[:2]
    assert backend.environment["AURAL_PUBLIC_URL"] == "https://interviews.example.com"
    assert backend.environment["AURAL_LLM_MODEL"] == "some-model"
    for name in replicas:
        command = composed.service(name).command
        assert command[command.index("--allowed-host") + 1] == "mcp.example.com"
    mounted = {each.split(":")[0] for each in (mount for one in composed.services.values() for mount in one["volumes"])}
    assert mounted - {"./deploy/Caddyfile"} == set(yaml.safe_load(COMPOSE)["volumes"])
    assert SECRET.keys() == set(re.findall(r"\$\{(\w+):\?", COMPOSE))
    assert not set(SECRET.values()) & set(COMPOSE.split())

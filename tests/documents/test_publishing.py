"""What would be uploaded to PyPI and npm: it holds what belongs there, works by itself, and is the same bytes twice."""

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import yaml
from uv import find_uv_bin

from aural_mcp import __version__
from aural_mcp.documents import manifests
from conftest import needs

ROOT = Path(__file__).parent.parent.parent
GUIDE = (ROOT / "docs" / "publishing.md").read_text(encoding="utf-8")
WORKFLOW = re.search(r"^```yaml\n(.*?)^```", GUIDE, re.M | re.S)[1]
NAME = f"aural_mcp-{__version__}"


def run(command, folder, **environment):
    """What a command prints; it must end well."""
    given = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | environment
    done = subprocess.run(
        command, cwd=folder, env=given, capture_output=True, text=True, shell=isinstance(command, str)
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def commands(job, where="."):
    """What a job of the workflow runs in a folder of the project."""
    steps = [each for each in yaml.safe_load(WORKFLOW)["jobs"][job]["steps"] if "run" in each]
    return [each["run"] for each in steps if each.get("working-directory", ".") == where]


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    """The files that a clean checkout of this commit would hold."""
    git = [needs("git"), "--git-dir", tmp_path_factory.mktemp("git"), "--work-tree", ROOT]
    run([*git, "init", "--quiet"], ROOT)
    listed = run([*git, "ls-files", "-z", "--others", "--exclude-standard"], ROOT)
    return {name for name in listed.split("\0") if name}


def checked_out(names, folder):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    return folder


# ── Python ──────────────────────────────────────────────────────────────────────────────────────


def build(project):
    """The source archive and the wheel, as the workflow builds them."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    for command in commands("build"):
        run(command, project, PATH=path, GITHUB_REF_NAME=f"v{__version__}", PIP_DRY_RUN="1")
    return project / "dist"


@pytest.fixture(scope="module")
def checkout(names, tmp_path_factory):
    """A checkout in which strays lie about, as they do after tests and builds."""
    folder = checked_out(names, tmp_path_factory.mktemp("checkout"))
    for name in STRAYS:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("stray")
    return folder


STRAYS = [
    ".venv/bin/python",
    ".packages/any/mcp/__init__.py",
    "build/lib/aural_mcp/old.py",
    "node_modules/zod/index.js",
    "sdk/typescript/node_modules/openapi-fetch/index.js",
    "sdk/typescript/dist/index.js",
    "sdk/typescript/package-lock.json",
    "aural-client-0.0.1.tgz",
    "src/aural_mcp/__pycache__/log.cpython-311.pyc",
    "src/aural_mcp.egg-info/PKG-INFO",
    "tests/.pytest_cache/README.md",
    ".ruff_cache/CACHEDIR.TAG",
    "uv.lock",
]


@pytest.fixture(scope="module")
def built(checkout):
    return build(checkout)


@pytest.fixture(scope="module")
def unpacked(built, tmp_path_factory):
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(built / f"{NAME}.tar.gz") as archive:
        archive.extractall(folder)
    return folder / NAME


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_source_archive_is_the_repository_without_what_only_runs_there(names, built, unpacked):
    found = files(unpacked)
    assert found.keys() - {"PKG-INFO"} == {each for each in names if not each.startswith((".ci/", ".github/"))}
    assert all(found[name] == (ROOT / name).read_bytes() for name in found.keys() & names)
    with tarfile.open(built / f"{NAME}.tar.gz") as archive:
        assert {(each.uid, each.gid, each.uname, each.gname) for each in archive} == {(0, 0, "", "")}


def test_the_wheel_is_the_package_with_its_skill_and_nothing_else(built, unpacked):
    with zipfile.ZipFile(built / f"{NAME}-py3-none-any.whl") as wheel:
        found = {name: wheel.read(name) for name in wheel.namelist()}
    about = {name for name in found if name.startswith(f"{NAME}.dist-info/")}
    package = {f"aural_mcp/{name}": data for name, data in files(unpacked / "src" / "aural_mcp").items()}
    skill = {f"aural_mcp/skill/{name}": data for name, data in files(unpacked / "skill").items()}
    assert {name: found[name] for name in found.keys() - about} == package | skill
    assert {name.partition("/")[2] for name in about} == {
        *("METADATA", "WHEEL", "RECORD", "entry_points.txt"),
        "licenses/LICENSE",
    }


def test_nothing_that_is_uploaded_names_where_it_was_built(checkout, built, unpacked):
    with zipfile.ZipFile(built / f"{NAME}-py3-none-any.whl") as wheel:
        everything = [*files(unpacked).values(), *(wheel.read(name) for name in wheel.namelist())]
    for folder in (ROOT, checkout, Path(sys.prefix)):
        assert not any(str(folder).encode() in data for data in everything)


def test_the_source_archive_builds_the_same_bytes_in_another_folder(built, unpacked, tmp_path):
    shutil.copytree(unpacked, tmp_path / "again")
    (tmp_path / "again" / "PKG-INFO").unlink()  # the build writes it
    again = files(build(tmp_path / "again"))
    assert len(again) == 3  # a .gitignore too
    assert again == files(built)


def test_tests_run_from_the_source_archive(unpacked):
    some = ["tests/contract", "tests/documents/test_documents.py", "-k", "sqlite or documents"]
    assert " passed" in run(
        [sys.executable, "-m", "pytest", "-n", "0", *some], unpacked, PYTHONPATH=str(unpacked / "src")
    )


def test_the_wheel_runs_the_demo_in_an_environment_of_its_own(built, tmp_path):
    uv, there = find_uv_bin(), tmp_path / "environment"
    wheel = built / f"{NAME}-py3-none-any.whl"
    run([uv, "venv", "--quiet", "--python", sys.executable, there], tmp_path)
    run([uv, "pip", "install", "--quiet", "--python", there, "-c", ROOT / "constraints.txt", wheel], tmp_path)
    printed = run([there / "bin" / "aural-mcp", "demo"], tmp_path, AURAL_DATA_DIR=str(tmp_path))
    assert "That was the whole workflow" in printed


# ── npm ─────────────────────────────────────────────────────────────────────────────────────────


def pack(project):
    """The archive for npm, as the workflow packs it."""
    needs("npm")
    folder = project / "sdk" / "typescript"
    for command in commands("build", "sdk/typescript"):
        run(command, folder)
    (made,) = folder.glob("*.tgz")
    return made


@pytest.fixture(scope="module")
def packed(names, tmp_path_factory):
    return pack(checked_out(names, tmp_path_factory.mktemp("npm")))


def test_the_archive_for_npm_is_what_was_compiled_and_what_says_what_it_is(packed):
    with tarfile.open(packed) as archive:
        found = {each.name.removeprefix("package/"): archive.extractfile(each).read() for each in archive}
    sources = {path.stem for path in (ROOT / "sdk" / "typescript" / "src").glob("*.ts")}
    compiled = {f"dist/{name}{ending}" for name in sources for ending in (".js", ".js.map", ".d.ts")}
    assert found.keys() == compiled | {"package.json", "README.md", "LICENSE"}
    assert found["LICENSE"] == (ROOT / "LICENSE").read_bytes()
    assert found["README.md"] == (ROOT / "docs" / "typescript.md").read_bytes()
    assert not any(str(folder).encode() in data for folder in (ROOT, packed.parent) for data in found.values())


def test_the_archive_for_npm_is_the_same_bytes_in_another_folder(names, packed, tmp_path):
    assert pack(checked_out(names, tmp_path)).read_bytes() == packed.read_bytes()


def test_every_resolver_of_modules_finds_code_and_types_in_the_archive_for_npm(packed):
    run([needs("publint"), "run", "--strict", packed], packed.parent)
    run([needs("attw"), "--profile", "esm-only", packed], packed.parent)


class Index(BaseHTTPRequestHandler):
    """As much of npm's registry as publishing needs: it knows no package, and keeps what is sent."""

    def do_GET(self):
        self.answer(404)

    def do_PUT(self):
        self.server.sent.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.answer(201)

    def answer(self, status):
        self.send_response(status)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


@pytest.fixture
def index():
    """A registry on this computer, to which npm publishes."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Index)
    server.sent = []
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def publish(packed, index, folder):
    """What the workflow does to publish an archive, under the name that `manifests` has, to the index."""
    with tarfile.open(packed) as archive:
        archive.extractall(folder)
    about = folder / "package" / "package.json"
    about.write_text(manifests.text(manifests.TYPESCRIPT, about.read_text()))
    run(f"npm pack --ignore-scripts --pack-destination {folder}", about.parent)
    here = f"//127.0.0.1:{index.server_port}/"
    (folder / "npmrc").write_text(f"{here}:_authToken=test\n")  # instead of the user's own, and its keys
    alone = {"npm_config_userconfig": str(folder / "npmrc"), "npm_config_registry": f"http:{here}"}
    (command,) = commands("npm")
    return subprocess.run(command, cwd=folder, env=os.environ | alone, shell=True, capture_output=True, text=True)


def owned(monkeypatch, **names):
    """As if these names were ours, and no other."""
    for name in ("PYPI", "NPM", "REPOSITORY"):
        monkeypatch.setattr(manifests, name, names.get(name))


def test_npm_refuses_the_package_until_its_name_is_ours(packed, index, tmp_path, monkeypatch):
    owned(monkeypatch)
    refused = publish(packed, index, tmp_path / "refused")
    assert (refused.returncode, index.sent) == (1, [])
    assert "EPRIVATE" in refused.stderr
    owned(monkeypatch, NPM="@ours/client", REPOSITORY="https://github.com/ours/aural")
    done = publish(packed, index, tmp_path / "taken")
    assert done.returncode == 0, done.stderr
    (sent,) = index.sent
    assert (sent["name"], sent["access"], [*sent["versions"]]) == ("@ours/client", "public", [__version__])
    assert sent["versions"][__version__]["repository"] == {
        "type": "git",
        "url": "git+https://github.com/ours/aural.git",
        "directory": "sdk/typescript",
    }


# ── Names ───────────────────────────────────────────────────────────────────────────────────────


def test_the_name_in_the_index_is_the_one_that_is_uploaded_and_starts_by_that_name():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert manifests.PYPI in (None, project["name"])
    assert project["name"] in project["scripts"]


def test_every_page_says_whether_there_is_a_release():
    said = {page.name for page in (ROOT / "README.md", *ROOT.glob("docs/*.md")) if "no release" in page.read_text()}
    assert said - {"publishing.md"} == ({"README.md", "hosts.md"} if manifests.PYPI is None else set())


def test_the_registry_entry_names_package_and_settings_once_the_name_is_ours(monkeypatch):
    owned(monkeypatch)
    assert not manifests.server_json().keys() & {"packages", "repository"}
    assert "pip install" not in manifests.links()
    owned(monkeypatch, PYPI="ours-mcp", REPOSITORY="https://github.com/ours/aural")
    entry = manifests.server_json()
    assert entry["repository"] == {"url": "https://github.com/ours/aural", "source": "github"}
    (package,) = entry["packages"]
    settings = {each["name"]: each for each in package.pop("environmentVariables")}
    assert package == {
        "registryType": "pypi",
        "identifier": "ours-mcp",
        "version": __version__,
        "transport": {"type": "stdio"},
    }
    assert {name for name, each in settings.items() if each.get("isSecret")} == {"AURAL_API_KEY"}
    assert "pip install ours-mcp" in manifests.links()


def test_every_action_of_the_workflow_is_one_commit_with_its_version_beside_it():
    used = re.findall(r"uses: (.*)", WORKFLOW)
    assert len(used) == WORKFLOW.count("uses:") > 5
    assert all(re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", each) for each in used)


def test_only_what_uploads_may_prove_who_it_is_and_it_runs_nothing_of_ours():
    workflow = yaml.safe_load(WORKFLOW)
    assert workflow["permissions"] == {}
    for name, job in workflow["jobs"].items():
        assert ("id-token" in job["permissions"]) == ("environment" in job) == (name != "build")
        if name != "build":
            assert not any(
                "checkout" in each.get("uses", "") or "install" in each.get("run", "") for each in job["steps"]
            )

"""What is uploaded to package indexes: it holds what belongs there, works by itself, and is the same bytes each time."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
import yaml
from uv import find_uv_bin

from aural_mcp import __version__
from conftest import needs

ROOT = Path(__file__).parent.parent.parent
GUIDE = (ROOT / "docs" / "publishing.md").read_text(encoding="utf-8")
WORKFLOW = re.search(r"^```yaml\n(.*?)^```", GUIDE, re.M | re.S)[1]
NAME = f"aural_mcp-{__version__}"


def run(command, folder, **environment):
    """What a command prints; it must end well."""
    given = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | environment
    done = subprocess.run(command, cwd=folder, env=given, capture_output=True, text=True, shell=isinstance(command, str))
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


# ── Python ──────────────────────────────────────────────────────────────────────────────────────


def steps(wanted):
    """What the build of the workflow runs, as far as it is Python's or npm's share: each command with its folder."""
    found = [each for each in yaml.safe_load(WORKFLOW)["jobs"]["build"]["steps"] if "run" in each]
    return [
        (each["run"], each.get("working-directory", "."))
        for each in found
        if wanted == ("npm" if "working-directory" in each else "python")
    ]


def build(folder):
    """The source archive and the wheel, as the workflow builds them in a folder with the project."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    for command, where in steps("python"):
        run(command, folder / where, PATH=path, GITHUB_REF_NAME=f"v{__version__}")
    return folder / "dist"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """What a clean checkout of this commit would hold, and strays as they lie about after tests and builds."""
    folder = tmp_path_factory.mktemp("project") / "checkout"
    git = [needs("git"), "--git-dir", folder.parent / "git", "--work-tree", ROOT]
    run([*git, "init", "--quiet"], ROOT)
    listed = run([*git, "ls-files", "-z", "--others", "--exclude-standard"], ROOT)
    names = {name for name in listed.split("\0") if name}
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    for name in STRAYS:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("stray")
    return folder, names


STRAYS = [
    ".venv/bin/python",
    ".packages/any/mcp/__init__.py",
    "build/lib/aural_mcp/old.py",
    "node_modules/zod/index.js",
    "sdk/typescript/node_modules/openapi-fetch/index.js",
    "sdk/typescript/dist/index.js",
    "src/aural_mcp/__pycache__/log.cpython-311.pyc",
    "src/aural_mcp.egg-info/PKG-INFO",
    "tests/.pytest_cache/README.md",
    ".ruff_cache/CACHEDIR.TAG",
    "uv.lock",
]


@pytest.fixture(scope="module")
def built(checkout):
    return build(checkout[0])


@pytest.fixture(scope="module")
def unpacked(built, tmp_path_factory):
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(built / f"{NAME}.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    return folder / NAME


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_source_archive_is_the_repository_without_what_only_runs_there(checkout, built, unpacked):
    found, (folder, names) = files(unpacked), checkout
    assert found.keys() - {"PKG-INFO"} == {each for each in names if not each.startswith((".ci/", ".github/"))}
    assert all(found[name] == (folder / name).read_bytes() for name in found.keys() & names)
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
    for folder in (ROOT, checkout[0], built, Path(sys.prefix)):
        assert not any(str(folder).encode() in data for data in everything)


def test_the_source_archive_builds_the_same_bytes_in_another_folder(built, unpacked, tmp_path):
    shutil.copytree(unpacked, tmp_path / "again")
    (tmp_path / "again" / "PKG-INFO").unlink()  # the build writes it
    again = files(build(tmp_path / "again"))
    assert len(again) == 3  # a .gitignore too
    assert again == files(built)


def test_tests_run_from_the_source_archive(unpacked):
    command = [sys.executable, "-m", "pytest", "-n", "0", "tests/contract", "tests/documents/test_documents.py"]
    assert re.search(r"\d+ passed", run(command, unpacked, PYTHONPATH=str(unpacked / "src")))


def test_the_wheel_runs_the_demo_in_an_environment_of_its_own(built, tmp_path):
    uv, there = find_uv_bin(), tmp_path / "environment"
    wheel = built / f"{NAME}-py3-none-any.whl"
    run([uv, "venv", "--quiet", "--python", sys.executable, there], tmp_path)
    run([uv, "pip", "install", "--quiet", "--python", there, "-c", ROOT / "constraints.txt", wheel], tmp_path)
    printed = run([there / "bin" / "aural-mcp", "demo"], tmp_path, AURAL_DATA_DIR=str(tmp_path))
    assert "That was the whole workflow" in printed

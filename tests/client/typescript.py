"""The TypeScript package, built once in a test run."""

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from conftest import needs

PACKAGE = Path(__file__).parents[2] / "sdk" / "typescript"
NOT_COPIED = shutil.ignore_patterns("node_modules", "dist", "package-lock.json")
QUIET = ("--no-audit", "--no-fund", "--no-package-lock", "--prefer-offline", "--loglevel=error")


@pytest.fixture(scope="session", name="typescript")
def built(tmp_path_factory):
    """A folder with `sdk/typescript` as it is in the checkout, what it needs, and what it compiles to."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = shared / "typescript"
    with (shared / "typescript.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "dist").exists():
            shutil.copytree(PACKAGE, folder, ignore=NOT_COPIED, dirs_exist_ok=True)
            install(folder)
            run(folder, needs("npm"), "run", "build")
    return folder


def install(folder, *packages):
    """Install packages, or what the folder's package.json names; where npm reaches no registry that is a skip."""
    command = [needs("npm"), "install", *QUIET, *packages]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    if done.returncode:
        pytest.skip(f"npm could not install {' '.join(packages) or 'the package'}: {done.stderr.strip()[-300:]}")


def run(folder, *command, **environment):
    """What a program printed, which must succeed."""
    settings = {**os.environ, **environment}
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=180, env=settings)
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout

# /// script
# requires-python = ">=3.11"
# ///
"""Starts the server of this folder: `uv run --script start.py`, as the bundle and the plugin do.

The first start installs what is needed into `.packages`, each file checked against `requirements.txt`: `uv run` by
itself checks none, `uv pip` does. The project itself is not built.
"""

import hashlib
import os
import site
import subprocess
import sys
import sysconfig
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

HERE = Path(__file__).resolve().parent
HASHES = HERE / "requirements.txt"


def packages() -> Path:
    """The folder of what is needed; it gets its name when it is complete."""
    digest = hashlib.sha256(HASHES.read_bytes() + (HERE / "pyproject.toml").read_bytes()).hexdigest()[:16]
    ready = HERE / ".packages" / f"{sysconfig.get_platform()}-{sys.implementation.cache_tag}-{digest}"
    if not ready.is_dir():
        ready.parent.mkdir(exist_ok=True)
        with TemporaryDirectory(dir=ready.parent) as folder:
            new = Path(folder) / "new"
            _install(new)
            with suppress(OSError):  # another start was faster
                new.rename(ready)
    return ready


def _install(target: Path) -> None:
    command = [os.environ.get("UV", "uv"), "pip", "install", "--quiet", "--require-hashes", "--no-build"]
    where = ["--python", sys.executable, "--target", str(target), "-r", "pyproject.toml", "-c", HASHES.name]
    done = subprocess.run([*command, *where], cwd=HERE, stdin=subprocess.DEVNULL, stdout=sys.stderr)  # noqa: S603 -- uv
    if done.returncode:
        sys.exit(f"Not started: a package is missing, or is not the one whose hash is in {HASHES}.")


if __name__ == "__main__":
    there = str(packages())
    sys.path[:1] = [str(HERE / "src"), there]
    site.addsitedir(there)  # for its .pth files

    from aural_mcp.cli.main import main

    main()

"""New files in the folder that the operator allows: whole or not at all, and never over another."""

from __future__ import annotations

import os
import tempfile
from functools import partial
from pathlib import Path

from aural_mcp.client.caller import Caller
from aural_mcp.privacy.exposure import Guarded
from aural_mcp.safety import quoted
from aural_mcp.workflows.base import file_in, refused


def new_file(client: Caller, name: str, extension: str) -> Path:
    """The path of a file that is not there yet, in the folder that the operator allows.

    Raises:
        BadRequest: no folder is allowed, the name leads out of it, or something of that name is there.
    """
    if not name.isprintable():
        raise refused(f"{quoted(name)} is no name of a file", "Give one without line ends and the like")
    full = name if name.lower().endswith(f".{extension}") else f"{name}.{extension}"
    path, folder = file_in(client, full), client.files if isinstance(client, Guarded) else None
    if folder and (os.path.lexists(folder / full) or os.path.lexists(path)):
        raise refused(f"There is a {quoted(full)} already, and nothing is written over", "Give another name")
    if path.name.startswith(".") or not path.parent.is_dir():
        raise refused(f"{quoted(name)} is no name of a file in that folder", "Give one without a folder or a first dot")
    return path


def save(path: Path, content: str) -> None:
    """Write a file whole or not at all, for its owner only, and never over another.

    Raises:
        BadRequest: it appeared meanwhile, or cannot be written.
    """
    try:
        number, made = tempfile.mkstemp(dir=path.parent, prefix=".export-")
        try:
            with os.fdopen(number, "w", encoding="utf-8", newline="") as file:
                file.write(content)
            _placed(made, path)
        finally:
            os.unlink(made)
    except FileExistsError as error:
        raise refused(
            f"There is a {quoted(path.name)} already, and nothing is written over", "Give another name"
        ) from error
    except OSError as error:
        step = "Check the folder of --files, or leave saveAs out"
        raise refused(f"{quoted(path.name)} cannot be written ({error.strerror})", step) from error


def _placed(made: str, path: Path) -> None:
    """Give a whole file its name, unless something has it; some file systems know no second names."""
    try:
        os.link(made, path)
    except FileExistsError:
        raise
    except OSError:
        with open(path, "xb", opener=partial(os.open, mode=0o600)) as file:
            file.write(Path(made).read_bytes())

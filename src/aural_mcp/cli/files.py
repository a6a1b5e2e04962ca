"""Files that a person names: JSON that is read from one, and a new one that is written."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

import click


def from_json(content: bytes) -> Any:
    """What a file says, in whichever Unicode its editor wrote it.

    Raises:
        click.ClickException: it is not JSON.
    """
    try:
        return json.loads(content)
    except UnicodeDecodeError:
        said = "it is not Unicode text. Save it as UTF-8"
    except RecursionError:
        said = "it is nested too deeply"
    except ValueError as error:
        said = str(error) if content.strip() else "it is empty"
    raise click.ClickException(f"The file is not JSON: {said}.")


def write_new(path: Path, text: str) -> None:
    """Write a file that is not there yet, whole or not at all, for its owner only.

    Raises:
        click.UsageError: there is one.
        click.ClickException: it cannot be written.
    """
    if path.exists():
        raise click.UsageError(f"{path} is there already: name a new file.")
    try:
        number, made = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(number, "w", encoding="utf-8") as file:
                file.write(text)
            os.replace(made, path)
        except BaseException:
            os.unlink(made)
            raise
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written ({error.strerror}): name another file.") from error

"""Change one table of a TOML document: every other character stays as it is.

By hand, since tomlkit (0.15) moves what follows dotted keys and ends new lines its own way. What comes out is read
again and compared by whoever calls, so that a document in a form not known here is refused, not harmed.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from typing import Any, cast

LONG = r'"""(?:[^\\]|\\.)*?"{3,5}' + r"|'''.*?'{3,5}"
TOKEN = re.compile(rf"({LONG})|" + r'"(?:[^"\\\n]|\\.)*"' + r"|'[^'\n]*'|#[^\n]*", re.DOTALL)
HEADER = re.compile(r"^[ \t]*(\[.*\])[ \t]*(?:#.*)?\r?$", re.MULTILINE)
BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def read(text: str) -> dict[str, Any]:
    """What the document says.

    Raises:
        ValueError: it is not TOML.
    """
    return tomllib.loads(text)


def put(text: str, section: str, name: str, value: Mapping[str, Any]) -> str:
    """The document with the table `section.name` being the value: in its place, or at the end."""
    newline = "\r\n" if "\r\n" in text else "\n"
    block = show(section, name, value).replace("\n", newline)
    places = _places(text, section, name)
    if not places:
        apart = newline * (0 if not text.strip() else 2 if not text.endswith("\n") else 1)
        return text + apart + block + newline
    start, end = places[0]
    return text[:start] + block + _without(text, places[1:])[end:]


def drop(text: str, section: str, name: str) -> str:
    """The document without the table `section.name` and the tables in it."""
    return _without(text, _places(text, section, name))


def show(section: str, name: str, value: Mapping[str, Any]) -> str:
    """The table as a text of its own."""
    return "\n".join([f"[{_key(section)}.{_key(name)}]", *(f"{_key(key)} = {_value(value[key])}" for key in value)])


def _places(text: str, section: str, name: str) -> list[tuple[int, int]]:
    """Where the table stands, and those in it: from the header to the last line that says something."""
    masked = TOKEN.sub(lambda found: re.sub(r"[^\r\n]", "x", found[0]) if found[1] else found[0], text)
    headers: list[tuple[int, bool]] = []
    for found in HEADER.finditer(masked):
        try:
            table = tomllib.loads(found[1]).get(section)
        except tomllib.TOMLDecodeError:  # the line of a list
            continue
        headers.append((found.start(), isinstance(table, dict) and name in table))
    places: list[tuple[int, int]] = []
    ends = [*(start for start, _ in headers[1:]), len(text)]
    for (start, ours), end in zip(headers, ends, strict=False):
        if ours:
            lines = masked[start:end].splitlines(keepends=True)
            while not lines[-1].strip() or lines[-1].lstrip().startswith("#"):  # said of what comes after
                lines.pop()
            places.append((start, start + len("".join(lines).rstrip())))
    return places


def _without(text: str, places: list[tuple[int, int]]) -> str:
    for start, end in reversed(places):
        before = len(re.sub(r"(?:\r?\n[ \t]*)+\Z", "", text[:start]))
        after = cast("re.Match[str]", re.compile(r"[ \t]*(?:\r?\n)?").match(text, end)).end()
        newline = cast("re.Match[str]", re.compile(r"(?:\r?\n)?").match(text, before))[0] if before else ""
        text = text[:before] + newline + text[after:]
    return text


def _key(key: str) -> str:
    return key if BARE_KEY.fullmatch(key) else _value(key)


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        inside = cast("Mapping[str, Any]", value)
        return "{ " + ", ".join(f"{_key(key)} = {_value(inside[key])}" for key in inside) + " }" if inside else "{}"
    if isinstance(value, list):
        return "[" + ", ".join(_value(each) for each in cast("list[Any]", value)) + "]"
    if isinstance(value, str | bool | int):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", r"\u007f")
    return str(value)

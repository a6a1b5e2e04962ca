"""Change one member of a JSON document, with or without comments: every other character stays as it is."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple, cast

STRING = r'"[^"\\]*(?:\\.[^"\\]*)*"'
REMARK = re.compile(rf"{STRING}|//[^\r\n]*|/\*.*?\*/", re.DOTALL)
LAST_COMMA = re.compile(rf"({STRING})|,(?=\s*[}}\]])", re.DOTALL)
SPACE = re.compile(r"[ \t\r\n]*")
DECODER = json.JSONDecoder()


def read(text: str, *, comments: bool = True) -> dict[str, Any]:
    """What the document says; an empty one is an empty object.

    Raises:
        ValueError: it is not JSON, or not an object; `comments` lets comments and trailing commas pass.
    """
    bare = _Document(text).bare if comments else text
    data: object = json.loads(bare) if bare.strip() else {}
    if not isinstance(data, dict):
        raise ValueError("the document is not an object (line 1)")
    return cast("dict[str, Any]", data)


def put(text: str, section: str, name: str, value: Mapping[str, Any]) -> str:
    """The document with `section.name` being the value: in its place, or after its neighbours and written like them."""
    document = _Document(text)
    if not document.bare.strip():
        end = "" if not text or text.endswith("\n") else document.newline
        return text + end + document.dump({section: {name: value}}, "") + document.newline
    root = document.object(document.skip(0))
    holder = root.member(section)
    if holder is None:
        return document.insert(root, section, {name: value})
    inside = document.object(holder.value)
    old = inside.member(name)
    if old is None:
        return document.insert(inside, name, value)
    base = document.indentation(old.start) if "\n" in text[old.value : old.end] else None
    return text[: old.value] + document.dump(value, base) + text[old.end :]


def drop(text: str, section: str, name: str) -> str:
    """The document without `section.name`."""
    document = _Document(text)
    holder = document.object(document.skip(0)).member(section) if document.bare.strip() else None
    inside = document.object(holder.value) if holder else None
    gone = inside.member(name) if inside else None
    return document.cut(inside, gone) if inside and gone else text


def show(section: str, name: str, value: Mapping[str, Any]) -> str:
    """A document that holds nothing else."""
    return json.dumps({section: {name: value}}, indent=2, ensure_ascii=False)


class _Member(NamedTuple):
    name: str
    start: int
    value: int
    end: int


class _Object(NamedTuple):
    """Where an object's brace opens, its members stand, and its brace closes."""

    start: int
    members: list[_Member]
    close: int

    def member(self, name: str) -> _Member | None:
        """The last of that name: it is the one that counts."""
        return next((each for each in reversed(self.members) if each.name == name), None)


class _Document:
    """A text, and what can be told about the habits of whoever wrote it.

    `commas` has spaces in place of comments, `bare` in place of trailing commas too: same length, same lines.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.commas = REMARK.sub(lambda found: found[0] if found[0][0] == '"' else _blank(found[0]), text)
        self.bare = LAST_COMMA.sub(lambda found: found[1] or " ", self.commas)
        self.newline = "\r\n" if "\r\n" in text else "\n"
        first = re.search(r"^([ \t]+)[^\s]", text, re.MULTILINE)
        self.unit = first[1] if first else "  "
        self.separators = (", ", ": ") if '": ' in text or '":' not in text else (",", ":")

    def skip(self, at: int) -> int:
        """The first place from there on that is no space."""
        return cast("re.Match[str]", SPACE.match(self.bare, at)).end()

    def object(self, start: int) -> _Object:
        """The object whose brace opens there."""
        members: list[_Member] = []
        at = self.skip(start + 1)
        while self.bare[at] != "}":
            name, colon = DECODER.raw_decode(self.bare, at)
            value = self.skip(self.skip(colon) + 1)
            end = DECODER.raw_decode(self.bare, value)[1]
            members.append(_Member(name, at, value, end))
            at = self.skip(end)
            if self.bare[at] == ",":
                at = self.skip(at + 1)
        return _Object(start, members, at)

    def indentation(self, at: int) -> str:
        """That of the line which holds this place."""
        line = self.text.rfind("\n", 0, at) + 1
        return cast("re.Match[str]", re.compile(r"[ \t]*").match(self.text, line))[0]

    def dump(self, value: Mapping[str, Any], base: str | None) -> str:
        """The value over several lines, indented from `base` on; on one line where that is None."""
        if base is None:
            return json.dumps(value, ensure_ascii=False, separators=self.separators)
        return json.dumps(value, ensure_ascii=False, indent=self.unit).replace("\n", self.newline + base)

    def insert(self, into: _Object, name: str, value: Mapping[str, Any]) -> str:
        """The text with one more member at the end of the object."""
        text, last = self.text, into.members[-1] if into.members else None
        base, outer = None, self.indentation(into.start)
        if self._spread(into):
            first = last is not None and not text[text.rfind("\n", 0, last.start) + 1 : last.start].strip()
            base = self.indentation(last.start) if last and first else outer + self.unit
        member = json.dumps(name) + self.separators[1] + self.dump(value, base)
        if last is None and base is None:
            return text[: into.start + 1] + member + text[into.start + 1 :]
        end = len(text[: into.close].rstrip())
        if last is None:
            return f"{text[:end]}{self.newline}{base}{member}{self.newline}{outer}{text[into.close :]}"
        comma = self._comma(last)
        if base is None:
            at = last.end if comma is None else comma + 1
            return text[:at] + (self.separators[0] if comma is None else " ") + member + text[at:]
        between = f",{text[last.end : end]}" if comma is None else text[last.end : end]
        tail = "" if comma is None else ","
        return f"{text[: last.end]}{between}{self.newline}{base}{member}{tail}{text[end:]}"

    def cut(self, out_of: _Object, gone: _Member) -> str:
        """The text without this member, the comma that parted it, and its line."""
        text, comma, place = self.text, self._comma(gone), out_of.members.index(gone)
        if len(out_of.members) == 1 and not text[out_of.start + 1 : gone.start].strip():
            after = gone.end if comma is None else comma + 1
            if not text[after : out_of.close].strip():
                return text[: out_of.start + 1] + text[out_of.close :]
        before = text[: gone.start]
        if comma is None and place:
            parting = cast("int", self._comma(out_of.members[place - 1]))
            before = text[:parting] + text[parting + 1 : gone.start]
        rest = text[gone.end if comma is None else comma + 1 :]
        alone = re.match(r"[ \t]*(?:[\r\n]|[}\]])", rest)
        return before.rstrip() + rest if alone else before + rest.lstrip(" \t")

    def _spread(self, each: _Object) -> bool:
        """Whether members stand on lines of their own; an empty object goes by its document."""
        if each.members:
            return "\n" in self.text[each.start : each.members[0].start]
        root = self.object(self.skip(0))
        return root.start == each.start or "\n" in self.text[each.start : each.close] or self._spread(root)

    def _comma(self, after: _Member) -> int | None:
        at = cast("re.Match[str]", SPACE.match(self.commas, after.end)).end()
        return at if self.commas[at] == "," else None


def _blank(remark: str) -> str:
    return re.sub(r"[^\r\n]", " ", remark)

"""HTML made of elements: what is not an element is text, and is escaped."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from html import escape
from unicodedata import combining

Child = str | float | None
NOTHING = (None, "")


class Html(str):
    """HTML that these functions made, or that we wrote."""

    __slots__ = ()


def html(*children: Child) -> Html:
    """Children after each other: text is escaped, nothing is left out as nothing."""
    shown = [each if isinstance(each, Html) else _escaped(str(each)) for each in children if each not in NOTHING]
    return Html("".join(shown))


def _escaped(text: str) -> str:
    """Text; an accent at its beginning is written as its number, or in NFC it would change the sign before it."""
    return f"&#{ord(text[0])};{escape(text[1:])}" if combining(text[0]) else escape(text)


def tag(name: str, /, *children: Child, **attributes: str | bool | None) -> Html:
    """An element; an attribute's name loses its last low line, and has hyphens for the others."""
    given = [
        f" {_spelled(key)}" if value is True else f' {_spelled(key)}="{escape(value)}"'
        for key, value in attributes.items()
        if value is not None and value is not False
    ]
    return Html(f"<{name}{''.join(given)}>{html(*children)}</{name}>")


@cache
def _spelled(key: str) -> str:
    return key.rstrip("_").replace("_", "-")


def paragraphs(text: str, kind: str | None = None) -> Html:
    """Others' words as paragraphs, each in its own direction."""
    return html(*(tag("p", each.strip(), dir="auto", class_=kind) for each in text.split("\n") if each.strip()))


def digest(text: str) -> str:
    """How a content security policy names a style or a script."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

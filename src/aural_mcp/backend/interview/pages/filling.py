"""Templates, filled with escaped values."""

from __future__ import annotations

from functools import cache
from html import escape
from pathlib import Path
from string import Template
from typing import NewType

Page = NewType("Page", str)
Html = NewType("Html", str)
NOTHING = Html("")


def paragraphs(text: str) -> Html:
    """Plain text as paragraphs, line breaks kept."""
    blocks = [escape(block).replace("\n", "<br>") for block in text.strip().split("\n\n") if block.strip()]
    return Html("".join(f'<p dir="auto">{block}</p>' for block in blocks))


def fill(template: str, **values: str | Html) -> Html:
    """A template with its `$names` replaced. Every value is escaped, unless it is Html that these functions made."""
    safe = HTML_FIELDS.get(template, ())
    return Html(_template(template).substitute({k: v if k in safe else escape(str(v)) for k, v in values.items()}))


HTML_FIELDS: dict[str, tuple[str, ...]] = {
    "layout": ("body", "contact"),
    "welcome": (
        *("description", "contact", "points", "noted", "error", "email", "checked", "person", "rights"),
        *("name_at", "consent_at"),
    ),
    "email": ("at",),
    "contact": ("contact",),
    "kind": ("checked",),
    "rights": ("opened", "kinds", "email"),
    "noted": ("lines",),
    "message": ("contact", "error", "noted", "rights"),
    "person": ("opened", "email"),
    "interview": ("turns", "clocks", "own", "noted", "error", "form"),
    "finished": ("late", "alone", "person", "rights"),
    "form": ("question", "description", "field", "skip", "person", "rights"),
    "choice": ("checked",),
    "editor": ("options",),
    "turn": ("words",),
}
"""Which names of a template take HTML; all others are text and are escaped."""


@cache
def _template(name: str) -> Template:
    return Template((Path(__file__).parent / f"{name}.html").read_text(encoding="utf-8"))

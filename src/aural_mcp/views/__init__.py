"""What people look at: each view is one HTML file that draws the structured result of a tool, and asks nothing else.

The same file serves two doors. With a result in it, it draws that at once (the desk, a report). Without one it is a
view of MCP Apps: it shakes hands with the host around it and draws the result that the host hands over.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

NAMES = ("progress", "comparison", "session", "interview", "approval")
"""Each draws the structured content of one tool: wait_for_sessions, compare_candidates, get_session, get_interview;
the last what any tool asks before it does something."""
TITLES = {name: name.capitalize() for name in NAMES}
POLICY = (
    "default-src 'none'; img-src data:; style-src 'sha256-{style}'; script-src 'sha256-{script}'; "
    "base-uri 'none'; form-action 'none'"
)
"""What a page that carries its result may load, wherever it is opened: nothing but itself."""
ESCAPED = {ord(each): f"\\u{ord(each):04x}" for each in "<>&\u2028\u2029"}
PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">{policy}
<title>{title}</title>
<style{nonce}>{style}</style>
</head>
<body>
{top}<main id="view" class="{name}" aria-busy="true"><p class="quiet">Nothing to show yet.</p></main>
{data}<script{nonce}>{script}</script>
</body>
</html>
"""


def page(
    name: str,
    result: Mapping[str, Any] | None = None,
    nonce: str | None = None,
    *,
    links: Mapping[str, str] | None = None,
    top: str = "",
) -> str:
    """A view as one self-contained file.

    Args:
        name: one of `NAMES`.
        result: a tool's structured content to draw at once; without it the view waits for a host of MCP Apps.
        nonce: for the content security policy of a server's answer.
        links: where a row leads to, by what it is: `{"session": "/sessions/{id}"}`.
        top: HTML of the caller's own to stand above the view; it must be escaped already.
    """
    if result is None and nonce is None and not links and not top:
        return _bare(name)
    style, script = _sources(name)
    data = "" if result is None else _embedded("result", result)
    data += _embedded("links", links) if links else ""
    policy = POLICY.format(style=_digest(style), script=_digest(script))
    return PAGE.format(
        name=name,
        title=TITLES[name],
        style=style,
        script=script,
        nonce=f' nonce="{nonce}"' if nonce else "",
        policy=f'\n<meta http-equiv="Content-Security-Policy" content="{policy}">' if data and not nonce else "",
        data=data,
        top=top,
    )


@cache
def _bare(name: str) -> str:
    style, script = _sources(name)
    filled = {"name": name, "title": TITLES[name], "style": style, "script": script}
    return PAGE.format(**filled, nonce="", policy="", data="", top="")


@cache
def _sources(name: str) -> tuple[str, str]:
    """The style and the script of a view."""
    if name not in NAMES:
        raise KeyError(f"There is no view {name!r}. There are: {', '.join(NAMES)}.")
    read = {each: (files(__name__) / each).read_text("utf-8") for each in ("base.css", "base.js", f"{name}.js")}
    return read["base.css"], f'"use strict";\n(() => {{\n{read["base.js"]}\n{read[f"{name}.js"]}\n}})();'


def _embedded(identifier: str, value: Mapping[str, Any]) -> str:
    """Data that no parser of HTML takes for anything else."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":")).translate(ESCAPED)
    return f'<script type="application/json" id="{identifier}">{text}</script>\n'


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

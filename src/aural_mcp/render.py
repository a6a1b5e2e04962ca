"""Documents made from the operations: run `python -m aural_mcp.render` in a checkout, `--check` to only compare."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from aural_mcp.operations import OPERATIONS, AnyOperation

DOCUMENTS = ("README.md", "skill/aural-hiring/SKILL.md")


def tool_table() -> str:
    """The README's table: each tool, what it does, how it acts."""
    rows = [f"| `{op.tool_name()}` | {first_sentence(op)} | {_acts(op)} |" for op in OPERATIONS]
    return "\n".join(["| Tool | What it does | Acts |", "|---|---|---|", *rows])


def operation_list() -> str:
    """The skill's list: each operation as a tool and as a REST call."""
    return "\n".join(f"- `{op.tool_name()}` ({op.method} {op.path}): {first_sentence(op)}" for op in OPERATIONS)


def first_sentence(operation: AnyOperation) -> str:
    """The first sentence of the documentation."""
    return re.split(r"(?<=\.)\s", operation.documentation(), maxsplit=1)[0]


SECTIONS = {"tools": tool_table, "operations": operation_list}
MARKED = re.compile(r"(<!-- (tools|operations): [^\n]*-->\n).*?(<!-- /\2 -->)", re.DOTALL)


def rendered(text: str) -> str:
    """The document with everything between its markers made anew."""
    return MARKED.sub(lambda found: f"{found[1]}{SECTIONS[found[2]]()}\n{found[3]}", text)


def stale(root: Path, *, write: bool) -> list[str]:
    """The documents that are not current; with `write` they are brought up to date."""
    late: list[str] = []
    for name in DOCUMENTS:
        path = root / name
        text = path.read_text(encoding="utf-8")
        if (fresh := rendered(text)) != text:
            late.append(name)
            if write:
                path.write_text(fresh, encoding="utf-8")
    return late


def _acts(operation: AnyOperation) -> str:
    words = {"read": "reads", "create": "adds", "update": "changes", "delete": "ends or removes"}[operation.effect]
    return f"{words}, ask first" if operation.confirmed else words


if __name__ == "__main__":
    checking = "--check" in sys.argv[1:]
    late = stale(Path.cwd(), write=not checking)
    print("\n".join(f"{'stale' if checking else 'written'}: {name}" for name in late) or "documents are current")
    sys.exit(bool(late) and checking)

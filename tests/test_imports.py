"""Imports point one way, and heavy or foreign packages are imported only where they belong."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "aural_mcp"
MODULES = sorted(SOURCE.rglob("*.py"))

LAYERS = [
    {"_version", "safety", "errors", "models", "config", "audit"},
    {"database", "operations", "state", "retry", "log", "pool", "blind", "flags", "outlines"},
    {"analysis", "budget"},
    {"client", "schemas", "manifests"},
    {"exposure", "sync"},
    {"ledger"},
    {"events"},
    {"shaped"},
    {"workflows"},
    {"render", "confirmation", "access"},
    {"results", "skills"},
    {"tools", "directory"},
    {"resources"},
    {"prompts", "following", "consent"},
    {"server"},
    {"demo", "apply", "web", "install", "watch"},
    {"doctor", "webhooks"},
    {"commands"},
    {"cli"},
    {"__main__"},
]
ALLOWED = {
    "mcp": {"results", "tools", "resources", "prompts", "skills", "consent", "server", "web", "demo", "doctor"},
    "sqlalchemy": {"backend", "database", "events"},
    "starlette": {"backend", "web"},
    "uvicorn": {"backend", "web", "commands"},
    "click": {"cli", "commands", "demo", "apply", "watch", "webhooks"},
}


def layer_of(module):
    return next((height for height, names in enumerate(LAYERS) if module in names), None)


def imports_of(path):
    """What a module imports, `if TYPE_CHECKING` aside: (top-level package, our own module or None)."""
    tree = ast.parse(path.read_text())
    guarded = [node for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)]
    skipped = {id(child) for node in guarded for child in ast.walk(node)}
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = [node.module] + ([f"aural_mcp.{a.name}" for a in node.names] if node.module == "aural_mcp" else [])
        for name in names:
            package, _, rest = name.partition(".")
            yield package, rest.split(".")[0] if package == "aural_mcp" and rest else None


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_module_imports_only_what_stands_below_it(path):
    name = path.relative_to(SOURCE).parts[0].removesuffix(".py")
    for package, ours in imports_of(path):
        assert name in ALLOWED.get(package, {name}), f"{package} does not belong in {name}"
        if ours is None or name == "__init__":
            continue
        if name == "backend":
            # events: what happens is written down in the transaction that does it, in the same tables as for `watch`
            assert ours in ("backend", "render", "events") or layer_of(ours) <= layer_of("analysis")
        elif ours == "backend":
            assert name in ("cli", "commands", "doctor", "webhooks")
        elif ours != name:
            assert layer_of(ours) < layer_of(name), f"{name} must not import {ours}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_the_environment_is_read_in_one_place(path):
    if path.name not in ("config.py", "cli.py"):
        assert "os.environ" not in path.read_text()
        assert "getenv" not in path.read_text()


def test_a_start_loads_nothing_that_a_host_does_not_wait_for():
    code = "import sys, aural_mcp.server; print(*sorted(m for m in ('sqlalchemy', 'click') if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    loaded_by_mcp = subprocess.run(
        [sys.executable, "-c", code.replace("aural_mcp.server", "mcp.server.mcpserver, httpx")],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout == loaded_by_mcp.stdout

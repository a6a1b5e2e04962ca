"""The house: rooms on floors, imports that only go down, no circle, and files that are short enough to read."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "aural_mcp"
MODULES = {".".join(path.relative_to(SOURCE).with_suffix("").parts): path for path in sorted(SOURCE.rglob("*.py"))}
MODULES = {name.removesuffix(".__init__"): path for name, path in MODULES.items()}

GROUND = {
    *("_version", "bounds", "config", "variables", "log", "database", "locks", "metrics", "safety", "markup"),
    "drawings",
}
FLOORS = [
    GROUND,
    {"views"},
    {"api"},
    {"client"},
    {"privacy", "events"},
    {"tools"},
    {"workflows"},
    {"documents"},
    {"server", "backend"},
    {"cli"},
]
"""Bottom up: a room imports from itself and from the floors below, and from no neighbour."""
WITHIN_BACKEND = [{"storage"}, {"webhooks"}, {"interview", "rest"}, {"local"}]
ALLOWED = {
    "mcp": {"server", "cli"},
    "sqlalchemy": {"backend", "events", "database", "locks"},
    "starlette": {"backend", "server"},
    "uvicorn": {"backend", "server", "cli"},
    "click": {"cli"},
    "prometheus_client": {"metrics", "cli"},
}
ONLY_IN = {"psycopg": {"client.state_database"}, "psycopg_pool": {"client.state_database"}}
ENVIRONMENT = {"config", "cli"}
LINES = 450
LONGER = {
    "api.operations": "the whole product, each operation once: read from top to bottom",
}
"""Files that may be longer, and why."""


def imports_of(path, *, typing=True):
    """The modules that a file imports, ours by their name below `aural_mcp`."""
    tree = ast.parse(path.read_text())
    guarded = [node for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)]
    skipped = set() if typing else {id(child) for node in guarded for child in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (("", alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and id(node) not in skipped:
            if node.module.partition(".")[0] != "aural_mcp":
                yield "", node.module
                continue
            package = node.module.removeprefix("aural_mcp").lstrip(".")
            for alias in node.names:
                whole = f"{package}.{alias.name}".lstrip(".")
                yield "ours", whole if whole in MODULES else package


def room_of(module):
    return module.split(".")[0]


def floor_of(module, floors):
    return next(height for height, rooms in enumerate(floors) if module in rooms)


HOUSE = {name: path for name, path in MODULES.items() if name not in ("__init__", "__main__")}


@pytest.mark.parametrize("name", HOUSE)
def test_a_room_imports_only_from_the_floors_below(name):
    room = room_of(name)
    here = floor_of(room, FLOORS)
    for whose, other in imports_of(HOUSE[name]):
        package = room_of(other)
        if not whose:
            assert room in ALLOWED.get(package, {room}), f"{package} does not belong in {room}/"
            assert name in ONLY_IN.get(package, {name}), f"{package} does not belong in {name}"
        elif other and package != room and other != "_version" and not room <= package <= room:
            below = floor_of(package, FLOORS) < here or {package, room} <= GROUND
            assert below, f"{room}/ stands on a floor below {package}/, or beside it: {name} must not import {other}"
        elif room == package == "backend" and other != name:
            parts = [each.split(".")[1] for each in (name, other)]
            floors = [floor_of(part, WITHIN_BACKEND) for part in parts]
            assert parts[0] == parts[1] or floors[1] < floors[0] or parts == ["rest", "interview"], f"{name}: {other}"


def test_there_is_no_circle_of_modules():
    graph = {
        name: {other for whose, other in imports_of(path, typing=False) if whose and other != name}
        for name, path in HOUSE.items()
    }
    tuple(TopologicalSorter(graph).static_order())  # raises on a circle, and names it


@pytest.mark.parametrize("name", HOUSE)
def test_the_environment_is_read_in_one_place(name):
    if room_of(name) not in ENVIRONMENT:
        text = HOUSE[name].read_text()
        assert "os.environ" not in text
        assert "getenv" not in text


def test_files_are_short_and_a_longer_one_says_why():
    lengths = {name: len(path.read_text().splitlines()) for name, path in MODULES.items()}
    assert {name for name, lines in lengths.items() if lines > LINES} == set(LONGER)


def test_functions_are_short():
    lengths = [
        node.end_lineno - node.lineno + 1
        for path in HOUSE.values()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    assert sorted(lengths)[len(lengths) // 2] <= 9


@pytest.mark.parametrize("room", sorted({room_of(name) for name in HOUSE} - GROUND))
def test_a_room_says_in_its_first_sentence_what_belongs_to_it(room):
    said = ast.get_docstring(ast.parse((SOURCE / room / "__init__.py").read_text()))
    assert said
    assert said.split("\n")[0].endswith(".")


def test_a_start_loads_nothing_that_a_host_does_not_wait_for():
    late = ("sqlalchemy", "click", "aural_mcp.privacy.flags", "aural_mcp.privacy.blind")
    code = f"import sys, {{}}; print(*sorted(m for m in {late} if m in sys.modules))"
    loaded = [
        subprocess.run(
            [sys.executable, "-c", code.format(what)], capture_output=True, text=True, check=True, timeout=60
        )
        for what in ("aural_mcp.server.server", "mcp.server.mcpserver, httpx")
    ]
    assert loaded[0].stdout == loaded[1].stdout


def test_no_test_module_borrows_from_another():
    """What is lent lies in a module of its own in tests/, so that every file of tests runs alone."""
    for path in Path(__file__).parent.rglob("*.py"):
        borrowed = [other for whose, other in imports_of(path) if not whose and other.startswith("test_")]
        assert not borrowed, f"{path.name} imports from {borrowed[0]}"

"""What is made from the operations, settings and the skill: llms.txt, tables of the README; `openapi` and `manifests`.

Run `python -m aural_mcp.documents.render` in a checkout to write the generated parts of its files, with `--check` to
compare.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import cast

from aural_mcp.api.analysis import LOCAL_OPERATIONS
from aural_mcp.api.operations import OPERATIONS, AnyOperation
from aural_mcp.documents import manifests
from aural_mcp.documents.manifests import SITE
from aural_mcp.documents.openapi import ERRORS, PREFIX, RULES, openapi, parameters, shared
from aural_mcp.privacy.exposure import RevealCandidate
from aural_mcp.tools import SHAPES
from aural_mcp.tools.schemas import Schema, input_schema, main_branch, schemas_of
from aural_mcp.variables import VARIABLES
from aural_mcp.workflows import WORKFLOWS

REST = "references/rest.md"
"""What an agent needs who has the skill and none of the tools."""
DOCUMENTS = ("README.md", "docs/configuration.md", f"skill/aural-hiring/{REST}")
SCHEMAS = "src/aural_mcp/tools/schemas.json"

# ── Documents for agents ────────────────────────────────────────────────────────────────────────


def llms_txt(origin: str = SITE) -> str:
    """The API in one prompt: what it is, how to call it, each operation in a line."""
    lines = "\n".join(f"- `{op.tool_name()}` ({op.method} {op.path}): {op.first_sentence()}" for op in OPERATIONS)
    return f"""\
# Aural Developer API

{_basics(origin)}

## Workflow

1. POST /interviews with title, objective, assessmentCriteria.
2. POST /interviews/{{interviewId}}/questions with all questions as an array.
3. POST /interviews/{{interviewId}}/publish for a public link, or POST /interviews/{{interviewId}}/candidates.
4. GET /interviews/{{interviewId}}/sessions, then GET /sessions/{{sessionId}}.

## Operations

{lines}

## More

- [Which workflow for which request, and all of it with curl]({origin}/SKILL.md)
- [Every parameter and response]({origin}/llms-full.txt)
- [OpenAPI 3.1]({origin}{PREFIX}/openapi.json)
"""


def llms_full_txt(origin: str = SITE) -> str:
    """Every endpoint, parameter and response field; an object of answers stands there once."""
    document = openapi(origin)
    errors = "\n".join(f"- {status}: {text}" for status, text in ERRORS.items())
    endpoints = "\n\n".join(_endpoint(operation, document) for operation in (*OPERATIONS, *LOCAL_OPERATIONS))
    objects = "\n".join(_objects(document))
    return f"""\
# Aural Developer API, complete

{_basics(origin)}
- Answers, and what PATCH takes, are written as in TypeScript; objects stand at the end. Null in a PATCH empties.
- [Which workflow for which request, and all of it with curl]({origin}/SKILL.md)

## Errors

{errors}

# Endpoints

{endpoints}

# Objects

Times are RFC 3339 in UTC, durations seconds.

{objects}
"""


def _basics(origin: str) -> str:
    return f"""\
> AI interviews for hiring: design an interview, share a link, read what candidates said. Base URL {origin}{PREFIX}.

- Authentication: `Authorization: Bearer dlv_...`, made in the dashboard under Settings → API Keys.
- JSON in and out. Success is always 200 with `{{"data": ...}}`; errors are `{{"error": {{"code", "message"}}}}`.
- 60 requests a minute per key; 429 says in `retry_after` how many seconds to wait. Repeat no POST blindly.
- Lists of interviews and sessions are paged: `limit` (20, at most 100) and `cursor`, null at the end.
- A new interview is by invitation; publishing opens it to everyone with the link, and that cannot be undone.
- {RULES[0]}
- {RULES[1]}"""


def skill_md(origin: str = SITE) -> str:
    """The skill on one page, for an agent that has no tools: its requests and links go to this origin."""
    text, rest = skill_files()[0].text, f"- [{REST}]"
    main = text[: text.index(rest)].replace("](references/", f"]({SITE}/references/")
    return _at(origin, f"{main}\n{skill_section('rest.md')}\n")


def skill_reference(file: SkillFile, origin: str = SITE) -> str:
    """A reference of the skill, for the same agent."""
    return _at(origin, file.text)


def _at(origin: str, text: str) -> str:
    """The text as this origin serves it: without marks of what is generated, with a file of its own for its key."""
    text = re.sub("<!-- .+ -->\n", "", text).replace(SITE, origin)
    site, host = (re.sub(r"[^\w.-]", "-", address.partition("://")[2]) for address in (SITE, origin))
    return text.replace(f".aural.{site}", f".aural.{host}")


def skill_text() -> str:
    """The skill's instructions for an agent that has the tools: without front matter and REST."""
    return skill_files()[0].text.split("\n---\n", 1)[1].split(f"\n- [{REST}]", 1)[0].strip()


def skill_folder() -> Path:
    """The folder of skills: inside the installed package, or beside `src` in a checkout."""
    here = Path(__file__).parent.parent
    installed = here / "skill"
    return installed if installed.is_dir() else here.parent.parent / "skill"


@dataclass(frozen=True)
class SkillFile:
    """One file of a skill: its path below the folder of skills, and its bytes as text."""

    skill: str
    path: str
    title: str
    description: str
    text: str

    @property
    def name(self) -> str:
        """The skill's own name for its SKILL.md, else the path inside the skill."""
        inside = self.path.removeprefix(f"{self.skill}/")
        return self.skill if inside == "SKILL.md" else inside


@cache
def skill_files() -> tuple[SkillFile, ...]:
    """Every file of every skill, SKILL.md first; line ends are as in the file."""
    found: list[SkillFile] = []
    for main in sorted(skill_folder().glob("*/SKILL.md")):
        folder = main.parent
        for path in [main, *sorted(each for each in folder.rglob("*.md") if each != main)]:
            text = path.read_bytes().decode("utf-8")
            heading = next((line for line in text.splitlines() if line.startswith("# ")), "# Skill")[2:]
            name = path.relative_to(folder.parent).as_posix()
            about = front_matter(text).get("description", f"{heading}: part of the skill {folder.name}.")
            found.append(SkillFile(folder.name, name, heading, about, text))
    return tuple(found)


def front_matter(text: str) -> dict[str, str]:
    """The plain `key: value` lines between the first two `---` of a SKILL.md."""
    if not text.startswith("---\n"):
        return {}
    lines = text.split("\n---\n", 1)[0].splitlines()[1:]
    return {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}


def skill_section(file: str, heading: str = "") -> str:
    """A reference of the skill, or the part of it under one second-level heading."""
    text = next(each.text for each in skill_files() if each.name == f"references/{file}")
    if not heading:
        return text.strip()
    found = re.search(rf"^## {re.escape(heading)}\n.*?(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    if found is None:
        raise LookupError(f"{file} has no section {heading}")
    return found[0].strip()


def _endpoint(operation: AnyOperation, document: Schema) -> str:
    schemas, made = document["components"]["schemas"], operation.__name__
    query = [each for each in parameters(operation) if each["in"] == "query"]
    parts = [
        f"## {operation.method} {operation.path}",
        f"`{operation.tool_name()}`. {operation.documentation()}",
        "Not at Aural: only a backend of your own has it." if operation in LOCAL_OPERATIONS else "",
        _section("Query", [_line(each["name"], each["schema"] | each) for each in query]),
        f"Body: `{_typescript(schemas[f'{made}Request'])}`" if operation.method == "PATCH" else _asked(operation),
        f"Answer: `{_typescript(schemas[f'{made}Response'])}`",
    ]
    return "\n\n".join(part for part in parts if part)


def _objects(document: Schema) -> list[str]:
    """The objects that are named, a line for each; one that has all fields of another names that for them."""
    schemas: dict[str, Schema] = document["components"]["schemas"]
    names = [name for name in schemas if name.endswith("Response") or re.fullmatch("Update.+Request", name)]
    found: list[str] = []
    while names:
        names = [each for name in names for each in re.findall(r'schemas/(\w+)"', json.dumps(schemas[name]))]
        found += (names := [each for each in dict.fromkeys(names) if each not in {*found, *shared()}])
    fields = {name: dict.fromkeys(_fields(schemas[name])) for name in sorted(found)}
    lines: list[str] = []
    for name, own in fields.items():
        smaller = [each for each, theirs in fields.items() if theirs.keys() < own.keys()]
        base = max(smaller, key=lambda each: len(fields[each]), default="")
        more = [each for each in own if not base or each not in fields[base]]
        lines.append(f"- `{name}`: `{f'{base} & ' if base else ''}{{{', '.join(more)}}}`")
    return lines


def _fields(schema: Schema) -> list[str]:
    """The fields of an object as TypeScript writes them."""
    always = schema.get("required", [])
    each = schema.get("properties", {}).items()
    return [f"{name}{'' if name in always else '?'}: {_typescript(field)}" for name, field in each]


def _typescript(field: Schema) -> str:
    if "$ref" in field:
        name = str(field["$ref"]).rsplit("/", 1)[1]
        return _typescript(shared()[name]) if name in shared() else name
    if "anyOf" in field:
        return " | ".join(_typescript(branch) for branch in field["anyOf"])
    if field.get("type") == "array":
        inside = _typescript(field["items"])
        return f"({inside})[]" if "|" in inside else f"{inside}[]"
    if "properties" in field:
        return f"{{{', '.join(_fields(field))}}}"
    return {"integer": "number", None: "any"}.get(kind := field.get("type"), str(kind))


def _asked(operation: AnyOperation) -> str:
    """The fields of the body, each with what it means; a PATCH takes the same ones."""
    schema, inside = input_schema(operation), {each["name"] for each in parameters(operation)}
    if operation.body:
        return _section("Body, one object or an array of them", _lines(schema["properties"][operation.body]["items"]))
    fields = {name: each for name, each in schema["properties"].items() if name not in inside}
    return _section("Body", _lines(schema | {"properties": fields}))


def _section(title: str, lines: list[str]) -> str:
    return f"{title}:\n\n" + "\n".join(lines) if lines else ""


def _lines(schema: Schema, indent: str = "") -> list[str]:
    """The fields of an object, those of objects and arrays inside it indented."""
    required, lines = schema.get("required", []), cast("list[str]", [])
    for name, field in schema.get("properties", {}).items():
        lines.append(indent + _line(name, field, required=name in required))
        inner = main_branch(field)
        lines += _lines(main_branch(inner.get("items", inner)), indent + "  ")
    return lines


def _line(name: str, field: Schema, *, required: bool = False) -> str:
    words = [_type(field), "required" if required or field.get("required") is True else ""]
    text = ", ".join(word for word in words if word)
    return f"- `{name}` ({text}): {field['description']}" if field.get("description") else f"- `{name}` ({text})"


def _type(field: Schema) -> str:
    if "enum" in field:
        return " | ".join(str(value) for value in field["enum"])
    if "anyOf" in field:
        return " or ".join(_type(branch) for branch in field["anyOf"])
    if field.get("type") == "array":
        return f"array of {_type(field.get('items', {}))}"
    return str(field.get("type", "any JSON"))


# ── Generated parts of files ────────────────────────────────────────────────────────────────────


def tool_table() -> str:
    """The README's table: each tool, what it does, how it acts."""
    rows = [f"| `{op.tool_name()}` | {op.first_sentence()} | {_acts(op)} |" for op in OPERATIONS]
    rows += [
        f"| `{op.tool_name()}`, local workspace only | {op.first_sentence()} | {_acts(op)} |" for op in LOCAL_OPERATIONS
    ]
    rows += [f"| `{op.tool_name()}`, several requests | {op.first_sentence()} | {_acts(op)} |" for op in WORKFLOWS]
    return "\n".join(["| Tool | What it does | Acts |", "|---|---|---|", *rows])


def operation_list() -> str:
    """The skill's list: what each operation is as a request."""
    return "\n".join(f"- `{op.tool_name()}`: {op.method} {op.path}" for op in OPERATIONS)


def settings_table() -> str:
    """The table of settings in docs/configuration.md."""
    rows = [
        f"| {', '.join(f'`{name}`' for name in each.names.split(', '))} | {each.meaning} | {each.default} | "
        f"{f'`{each.flag}`' if each.flag else ''} |"
        for each in VARIABLES
    ]
    return "\n".join(["| Variable | Meaning | Default | `serve` |", "|---|---|---|---|", *rows])


def schemas_json() -> str:
    """What hosts are shown of the arguments and the result of each tool, a line for each."""
    tools = (*OPERATIONS, RevealCandidate, *LOCAL_OPERATIONS, *WORKFLOWS)
    made = {each.tool_name(): schemas_of(each, (SHAPES | WORKFLOWS).get(each)) for each in tools}
    lines = [f"{json.dumps(name)}:{json.dumps(each, separators=(',', ':'))}" for name, each in made.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


SECTIONS = {"tools": tool_table, "operations": operation_list, "settings": settings_table, "links": manifests.links}
MARKED = re.compile(r"(<!-- (tools|operations|settings|links): [^\n]*-->\n).*?(<!-- /\2 -->)", re.DOTALL)


def rendered(text: str) -> str:
    """The document with everything between its markers made anew."""
    return MARKED.sub(lambda found: f"{found[1]}{SECTIONS[found[2]]()}\n{found[3]}", text)


def stale(root: Path, *, write: bool) -> list[str]:
    """The documents that are not current; with `write` they are brought up to date."""
    late: list[str] = []
    for name in (*DOCUMENTS, SCHEMAS, *manifests.FILES, manifests.TYPESCRIPT):
        path = root / name
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        if (fresh := _fresh(name, text)) != text:
            late.append(name)
            if write:
                path.parent.mkdir(exist_ok=True)
                path.write_text(fresh, encoding="utf-8")
    return late


def _fresh(name: str, text: str) -> str:
    if name == SCHEMAS:
        return schemas_json()
    return rendered(text) if name in DOCUMENTS else manifests.text(name, text)


def _acts(operation: AnyOperation) -> str:
    words = {"read": "reads", "create": "adds", "update": "changes", "delete": "ends or removes"}[operation.effect]
    return f"{words}, ask first" if operation.confirmed else words


if __name__ == "__main__":
    checking = "--check" in sys.argv[1:]
    late = stale(Path.cwd(), write=not checking)
    print("\n".join(f"{'stale' if checking else 'written'}: {name}" for name in late) or "documents are current")
    sys.exit(bool(late) and checking)

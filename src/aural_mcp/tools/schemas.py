"""The JSON Schemas of an operation, as hosts and documents show them.

Making those of all tools takes pydantic longer than all else of a start, so what hosts are shown is made when
documents are, and stands in `schemas.json`.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel

from aural_mcp.api.operations import AnyOperation
from aural_mcp.tools.shape import Shape

Schema = dict[str, Any]

SECRETS = ("inviteToken",)
"""Fields of the API that no agent is shown."""
REMARKS: Schema = {"type": "array", "items": {"type": "string"}}
TEXT: Schema = {"type": "string"}
PAIR: Schema = {"type": "object", "properties": {"language": TEXT, "code": TEXT}, "required": ["language", "code"]}
GIVEN: Sequence[tuple[str, Any]] = (
    ("minLength", 1),
    ("maximum", 2147483647),
    ("default", []),
    ("default", ""),
    ("default", False),
)
"""What goes without saying, and is checked all the same."""
DEEPEST = 2
"""Objects in rows of a result: what is in them is not said."""
ANYTHING: Schema = {"anyOf": [{"type": each} for each in ("array", "boolean", "null", "number", "object", "string")]}
CODE: Schema = {"type": "string", "description": "From the same call, after the user's yes."}
REASON: Schema = {"type": "string", "maxLength": 200, "description": "Why, in the user's words; logged as written."}


@cache
def listed() -> dict[str, dict[str, Schema]]:
    """What hosts are shown of the `input` and the `output` of each tool, by its name."""
    return json.loads(Path(__file__).with_name("schemas.json").read_text("utf-8"))


@cache
def input_schema(operation: AnyOperation) -> Schema:
    """The JSON Schema of the arguments: no generated titles, no references."""
    raw = operation.model_json_schema()
    schema = _tidy(raw, raw.get("$defs", {}))
    schema.pop("description", None)
    schema.setdefault("properties", {})
    return schema


def argument_schema(operation: AnyOperation) -> Schema:
    """The arguments as hosts are shown them: in words that every converter takes, and each described once.

    Google's refuses a boolean `additionalProperties`, OpenAI's strict mode an object with free names; and null means
    left out, so it is not offered where an argument may be left out. What another tool describes is not described here.
    """
    said = {name for other in operation.as_in for name in _names(input_schema(other))}
    schema = _portable(input_schema(operation))
    required = schema.get("required", ())
    for name, each in schema["properties"].items():
        schema["properties"][name] = _short(each, operation, said, keep=name in required or name not in said)
    if operation.confirmed:
        schema["properties"]["confirmation"] = CODE
    return schema


def _names(schema: Schema) -> Iterator[str]:
    """The names of all fields, at any depth."""
    for name, each in schema.get("properties", {}).items():
        yield name
        inner = main_branch(each)
        yield from _names(main_branch(inner.get("items", inner)))


def _short(schema: Schema, operation: AnyOperation, said: Collection[str], *, keep: bool = False) -> Schema:
    """The schema without the descriptions of fields that have one of these names, and without what is not shown."""
    node = {name: item for name, item in schema.items() if keep or name != "description"}
    if "items" in node:
        node["items"] = _short(node["items"], operation, said, keep=True)
    if "properties" in node:
        node["properties"] = {
            name: _short(each, operation, said, keep=name not in said)
            for name, each in node["properties"].items()
            if name not in operation.unshown
        }
    return node


def _portable(schema: Schema) -> Schema:
    node = {name: item for name, item in schema.items() if name != "additionalProperties" and (name, item) not in GIVEN}
    if is_map(schema):
        return {**node, "type": "array", "items": PAIR}
    if "items" in node:
        node["items"] = {name: item for name, item in _portable(node["items"]).items() if name != "description"}
    if "properties" in node:
        required = node.get("required", ())
        node["properties"] = {
            name: _portable(each if name in required else _without_null(each))
            for name, each in node["properties"].items()
        }
    return node


def is_map(schema: Schema) -> bool:
    """Whether it is an object of free names and texts, which hosts are shown as a list of pairs."""
    return isinstance(schema.get("additionalProperties"), dict)


def _without_null(schema: Schema) -> Schema:
    if "anyOf" not in schema:
        return schema
    node = {name: item for name, item in schema.items() if name not in ("anyOf", "default")}
    return {**main_branch(schema), **node}


def result_schema(result: type[BaseModel]) -> Schema:
    """The JSON Schema of an answer."""
    raw = result.model_json_schema()
    schema = _tidy(raw, raw.get("$defs", {}), drop=("title", "$defs", "default", "additionalProperties"))
    schema.pop("description", None)
    return _typed(schema)


def _typed(schema: Schema) -> Schema:
    """The schema with a type wherever it had none: some hosts refuse what takes anything."""
    node = {**schema} if {"type", "anyOf", "enum", "const"} & schema.keys() else {**schema, **ANYTHING}
    if "items" in node:
        node["items"] = _typed(node["items"])
    if "properties" in node:
        node["properties"] = {name: _typed(each) for name, each in node["properties"].items()}
    if "anyOf" in node:
        node["anyOf"] = [_typed(each) for each in node["anyOf"]]
    return node


def output_schema(result: type[BaseModel], *, confirmed: bool = False) -> Schema:
    """The JSON Schema of a tool's structured result, remarks included: types for a program, and no prose.

    A confirmed tool may answer with a confirmation code in place of its result, so it requires nothing.
    """
    schema = _bare(result_schema(result))
    schema["properties"]["remarks"] = REMARKS
    if confirmed:
        schema["properties"]["confirmation"] = TEXT
        schema.pop("required", None)
    return schema


def _bare(schema: Schema, depth: int = 0) -> Schema:
    """Types only; rows without a field that is always there, and objects further inside, are only said to be objects.

    Of two kinds of rows it has the first, as far as the second agrees; of what can be anything, nothing.
    """
    node = {name: item for name, item in schema.items() if name != "description"}
    if branches := node.pop("anyOf", None):
        kinds = [_bare(each, depth) for each in branches]
        return _common(kinds) if all("properties" in each for each in kinds) else {**node, "anyOf": kinds}
    if node.get("items", {}).get("anyOf") == ANYTHING["anyOf"]:
        del node["items"]
    if "items" in node:
        node["items"] = _bare(node["items"], depth)
        if "required" not in node["items"]:
            node["items"].pop("properties", None)
    if "properties" in node:
        inner = {name: each for name, each in node["properties"].items() if each.get("anyOf") != ANYTHING["anyOf"]}
        node["properties"] = {name: _bare(each, depth + 1) for name, each in inner.items()}
    if depth == DEEPEST and node.get("type") == "object":
        return {"type": "object"}
    return node


def _common(kinds: Sequence[Schema]) -> Schema:
    first, *others = kinds
    agreed = {
        name: each
        for name, each in first["properties"].items()
        if all(other["properties"].get(name, each) == each for other in others)
    }
    return {**first, "properties": agreed}


def schemas_of(operation: AnyOperation, shape: Shape[Any] | None) -> dict[str, Schema]:
    """What `listed` has of a tool, made anew."""
    arguments, result = (shape.arguments, shape.result) if shape else (operation, operation.result_type())
    return {"input": argument_schema(arguments), "output": output_schema(result, confirmed=operation.confirmed)}


def main_branch(schema: Schema) -> Schema:
    """What a nullable schema is when it is not null; any other schema itself."""
    return next((branch for branch in schema.get("anyOf", []) if branch != {"type": "null"}), schema)


def _tidy(schema: Any, definitions: Schema, *, drop: Sequence[str] = ("title", "$defs")) -> Any:
    """The schema with references put in place and generated titles dropped: not every host can follow or needs them."""
    if isinstance(schema, list):
        return [_tidy(item, definitions, drop=drop) for item in cast("list[Any]", schema)]
    if not isinstance(schema, dict):
        return schema
    node = cast("Schema", schema)
    if reference := node.get("$ref"):
        target = definitions[reference.removeprefix("#/$defs/")]
        return _tidy(target | {name: item for name, item in node.items() if name != "$ref"}, definitions, drop=drop)
    tidy: Schema = {}
    for name, item in node.items():
        if name == "properties":
            shown = {key: value for key, value in item.items() if key not in SECRETS}
            tidy[name] = {key: _tidy(value, definitions, drop=drop) for key, value in shown.items()}
        elif name == "description":
            tidy[name] = " ".join(item.split())
        elif name not in drop:
            tidy[name] = _tidy(item, definitions, drop=drop)
    return tidy

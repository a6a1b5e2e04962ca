"""The worst arguments that a tool can be sent: each of its arguments as large as a body may be, in many shapes."""

import json

ROW = "22222222-0000-4000-8000-000000000001"
TEXTS = {
    "letters": "a",
    "commas": ",",
    "cells": "name,email\nAna,a@x.org\n",
    "heading": "Name,",
    "recipients": "Ana Silva <ana@x.org>, ",
    "addresses": "a@b.co ",
    "quotes": '"',
    "brackets": "[",
    "opened": '{"a":',
    "blanks": " ",
    "lines": "\n",
    "marks": "<!--",
    "stars": "*a*`_",
    "domains": "a.b.c/",
    "wide": "漢",
    "nul": "\0",
    "digits": "1",
}


def shapes(schema, size):
    """(what it is, arguments) of about so many bytes, each of which grows in one place only."""
    names, needed = (
        schema.get("properties", {}),
        {name: small(schema["properties"][name]) for name in schema.get("required", [])},
    )
    yield "many names", {**needed, **{f"argument{number}": 1 for number in range(size // 18)}}
    yield "a long name", {**needed, "a" * size: 1}
    for name, wanted in names.items():
        for what, value in values(main(wanted), size):
            yield f"{name}: {what}", {**needed, name: value}


def values(wanted, size):
    for what, part in TEXTS.items():
        yield what, part * (size // len(json.dumps(part, ensure_ascii=True).encode()[1:-1]))
    yield "deep", nested(900)
    yield "empty rows", [{}] * (size // 4)
    yield "texts", ["a"] * (size // 5)
    yield "nulls", [None] * (size // 6)
    yield "names", {f"n{number}": None for number in range(size // 14)}
    yield "rows as text", json.dumps([{}] * (size // 4))
    if wanted.get("type") == "array":
        row = small(main(wanted.get("items", {})))
        yield "valid rows", [row] * (size // (len(json.dumps(row)) + 2))
        for rows in (100, 1_000, 10_000):
            yield f"{rows} rows", [row] * rows
        for name in row if isinstance(row, dict) else ():
            yield f"long rows: {name}", [{**row, name: "a.b.c/<!--`漢" * 7_000}] * (size // 120_000)
        for name, field in main(wanted.get("items", {})).get("properties", {}).items():
            inner = row if isinstance(row, dict) else {}
            yield from ((f"{name}: {what}", [{**inner, name: value}]) for what, value in values(main(field), size))
        yield "wide rows", [{f"n{number}": 1 for number in range(size // 120)}] * 10


def nested(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


def main(wanted):
    """The branch of a schema that is not null."""
    return next((each for each in wanted.get("anyOf", []) if each.get("type") != "null"), wanted)


def small(wanted):
    """The smallest value that a schema takes, near enough."""
    wanted = main(wanted)
    if "enum" in wanted:
        return wanted["enum"][0]
    match wanted.get("type"):
        case "array":
            return [small(wanted.get("items", {}))] * max(1, wanted.get("minItems", 0))
        case "object":
            return {name: small(wanted["properties"][name]) for name in wanted.get("required", [])}
        case "integer" | "number":
            return max(1, wanted.get("minimum", 1))
        case "boolean":
            return False
        case _:
            return ROW

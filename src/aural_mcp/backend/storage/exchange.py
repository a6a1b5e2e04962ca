"""A whole workspace as one JSON document, under Aural's table and column names: import and export.

Keys come in clear on import, are hashed at once and never leave again: an export has none, so
make new ones where it is imported. Nothing else is left out, but what belongs to one installation.
What candidates were told and ask, and what was decided, is there where there is any.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any, cast

from sqlalchemy import Connection, Table, insert, select

from aural_mcp.backend.storage.store import Row, Store, digest, rows, take_up_wishes
from aural_mcp.backend.storage.tables import agreements, api_keys, decisions, metadata, notices, requests

OURS = "aural_mcp_"
BESIDE = (notices, agreements, requests, decisions)
"""Tables of ours that go along."""
TABLES = [table for table in metadata.sorted_tables if table in BESIDE or not table.name.startswith(OURS)]
"""Aural's tables and those, parents before children."""


class CannotImport(Exception):
    """A document that cannot be imported; the message names table, row and column. Nothing was stored."""


def import_workspace(
    store: Store, document: Any, tell: Callable[[float, float, str], None] = lambda done, total, said: None
) -> dict[str, int]:
    """Fill an empty database with a document of the shape that `export_workspace` gives.

    Args:
        tell: is told how many rows are in, of how many, and what they are.

    Returns:
        How many rows each table received.

    Raises:
        CannotImport: the database is not empty, or something in the document has no place; nothing is stored then.
    """
    given = _tables_of(document)
    done, total = count(1), sum(map(len, given.values()))
    with store.writing() as db:
        if any(db.execute(select(table).limit(1)).first() for table in TABLES):
            raise CannotImport("The database is not empty. Import into a new one: --database sqlite:///new.db")
        counts = {
            table.name: _import_table(db, table, given.get(table.name, []), lambda name: tell(next(done), total, name))
            for table in TABLES
        }
        take_up_wishes(db)
        return counts


def export_workspace(store: Store) -> dict[str, list[Row]]:
    """Every row of Aural's tables, keys left out, and of ours what other versions need not know where there is none."""
    with store.reading() as db:
        found = {
            table.name: [_theirs(row) for row in rows(db, select(table).order_by(*table.primary_key.columns))]
            for table in TABLES
            if table is not api_keys
        }
    return {name: listed for name, listed in found.items() if listed or not name.startswith(OURS)}


def _theirs(row: Row) -> Row:
    """A row without the columns of ours that say nothing: other versions may not know them."""
    return {name: value for name, value in row.items() if value is not None or not name.startswith(OURS)}


def _tables_of(document: Any) -> dict[str, list[Row]]:
    if not isinstance(document, dict):
        raise CannotImport("The document must be a JSON object with one array of rows per table.")
    given = cast("dict[str, Any]", document)
    if unknown := given.keys() - {table.name for table in TABLES}:
        raise CannotImport(f"Unknown table {sorted(unknown)[0]!r}; known are {', '.join(t.name for t in TABLES)}.")
    for name, listed in given.items():
        if not isinstance(listed, list) or not all(isinstance(row, dict) for row in cast("list[Any]", listed)):
            raise CannotImport(f"{name} must be an array of objects.")
    return given


def _import_table(db: Connection, table: Table, given: list[Row], tell: Callable[[str], None]) -> int:
    for number, row in enumerate(given):
        where = f"{table.name}[{number}]"
        values = _hashed(where, row) if table is api_keys else row
        if unknown := values.keys() - table.columns.keys():
            raise CannotImport(f"{where} has an unknown column {sorted(unknown)[0]!r}.")
        try:
            db.execute(insert(table).values(values))
        except Exception as error:
            raise CannotImport(f"{where} cannot be stored: {_reason(error)}.") from error
        tell(table.name)
    return len(given)


def _hashed(where: str, row: Row) -> Row:
    if not isinstance(row.get("key"), str):
        raise CannotImport(f"{where} has no key in clear; leave api_keys out and make new keys after the import.")
    return {name: value for name, value in row.items() if name != "key"} | {"hash": digest(row["key"])}


def _reason(error: Exception) -> str:
    return " ".join(str(getattr(error, "orig", None) or error).split())[:200]

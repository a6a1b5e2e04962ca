"""The database of a workspace: what it keeps, how it grows older, which it refuses."""

import re
import sqlite3

import pytest
from sqlalchemy import inspect, text

from aural_mcp.backend import webhooks
from aural_mcp.backend.storage import store, tables
from aural_mcp.backend.storage.store import CannotOpen, Store


def test_times_are_written_as_aural_writes_them():
    written = ["2026-03-01T09:00:00.66748+00:00", "2026-03-01T09:00:00+00:00", "1969-12-31T23:59:59.5+00:00"]
    stamp = tables.Stamp()
    assert [stamp.process_result_value(stamp.process_bind_param(text, None), None) for text in written] == written


def test_sqlite_loses_nothing_that_was_acknowledged(world):
    with world.store.reading() as db:
        wanted = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
        assert {name: db.exec_driver_sql(f"PRAGMA {name}").scalar() for name in wanted} == wanted


def test_a_key_is_stored_only_as_its_hash(world, tmp_path):
    key = store.create_key(world.store, store.owner(world.store).user_id, "team")
    assert re.fullmatch(r"dlv_[0-9A-Za-z]{30}[0-9A-Za-z]{6}", key)
    assert store.checksum(key[4:-6]) == key[-6:]
    world.store.close()
    assert all(key.encode() not in file.read_bytes() for file in tmp_path.iterdir())


def test_a_workspace_has_one_owner_however_often_it_is_opened(tmp_path):
    url = f"sqlite:///{tmp_path / 'w.db'}"
    assert store.owner(Store(url)) == store.owner(Store(url))


def test_an_older_workspace_is_migrated_and_a_copy_is_kept(tmp_path, monkeypatch):
    file = tmp_path / "workspace.db"
    first = Store(f"sqlite:///{file}")
    user = store.owner(first).user_id
    first.close()

    def add_column(db):
        db.execute(text("ALTER TABLE profiles ADD COLUMN nickname VARCHAR"))

    monkeypatch.setattr(store, "SCHEMA_VERSION", 3)
    monkeypatch.setitem(store.MIGRATIONS, 2, add_column)
    migrated = Store(f"sqlite:///{file}")
    with migrated.reading() as db:
        assert "nickname" in {column["name"] for column in inspect(db).get_columns("profiles")}
        assert store.setting(db, "schema_version") == 3
    assert store.owner(migrated).user_id == user
    with sqlite3.connect(f"{file}.v2") as copy:
        assert "nickname" not in {row[1] for row in copy.execute("PRAGMA table_info(profiles)")}
        assert copy.execute("SELECT id FROM profiles").fetchall() == [(user,)]


def test_a_workspace_of_the_first_schema_gets_an_outbox(tmp_path):
    file = tmp_path / "old.db"
    Store(f"sqlite:///{file}").close()
    with sqlite3.connect(file) as db:
        for name in ("deliveries", "events", "endpoints", "seen", "leases"):
            db.execute(f"DROP TABLE aural_mcp_{name}")
        db.execute("UPDATE aural_mcp_settings SET value = '1' WHERE name = 'schema_version'")
    store = Store(f"sqlite:///{file}")
    assert webhooks.add(store, "https://hooks.example/", [])
    assert file.with_name("old.db.v1").exists()


def test_a_workspace_of_an_earlier_release_gets_the_tables_by_which_processes_share_work(tmp_path):
    file, shared = tmp_path / "old.db", {"aural_mcp_watched", "aural_mcp_claims", "aural_mcp_processes"}
    Store(f"sqlite:///{file}").close()
    with sqlite3.connect(file) as db:
        for name in sorted(shared):
            db.execute(f"DROP TABLE {name}")
    again = Store(f"sqlite:///{file}")
    assert shared <= {*inspect(again.engine).get_table_names()}
    again.close()


def test_a_migration_that_fails_changes_nothing(tmp_path, monkeypatch):
    url = f"sqlite:///{tmp_path / 'workspace.db'}"
    Store(url).close()

    def half(db):
        tables.metadata.tables["profiles"].drop(db)
        raise RuntimeError("power cut")

    with monkeypatch.context() as patched:
        patched.setattr(store, "SCHEMA_VERSION", 3)
        patched.setitem(store.MIGRATIONS, 2, half)
        with pytest.raises(RuntimeError):
            Store(url)
    assert store.owner(Store(url)).user_id


def test_a_newer_workspace_is_refused_with_a_sentence(tmp_path, monkeypatch):
    url = f"sqlite:///{tmp_path / 'workspace.db'}"
    with monkeypatch.context() as patched:
        patched.setattr(store, "SCHEMA_VERSION", 9)
        Store(url).close()
    with pytest.raises(CannotOpen, match=r"made by a newer aural-mcp \(schema 9; this one knows 2\)"):
        Store(url)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("workspace.db", "must be an SQLAlchemy URL"),
        ("nodb://x", "must be an SQLAlchemy URL"),
        ("mysql+nodriver://x", "must be an SQLAlchemy URL"),
        ("sqlite:////nowhere/at/all/w.db", "cannot be opened"),
        ("postgresql+psycopg://u:secret@127.0.0.1:9/x", "cannot be opened"),
    ],
)
def test_a_database_that_cannot_be_used_is_named(url, says):
    with pytest.raises(CannotOpen, match=says) as caught:
        Store(url)
    assert "secret" not in str(caught.value)


def test_every_table_of_ours_is_marked_as_ours():
    aurals = {"profiles", "organizations", "organization_members", "projects", "project_members", "interviews"}
    aurals |= {"questions", "sessions", "messages", "candidates", "api_keys", "prep_sessions", "prep_attempts"}
    assert {name for name in tables.metadata.tables if not name.startswith("aural_mcp_")} == aurals

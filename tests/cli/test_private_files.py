"""Whatever is written on this computer is its owner's alone, however open the account is by default."""

import os
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing

import pytest

from aural_mcp.backend.storage.store import Store
from conftest import ok
from processes import aural_mcp, on_stdio, settings_for


@pytest.fixture(autouse=True)
def everybody_may_read():
    """An account whose new files others can read and write, as some computers have it."""
    before = os.umask(0)
    yield
    os.umask(before)


def open_to_others(folder):
    return sorted(each.name for each in [folder, *folder.rglob("*")] if each.stat().st_mode & 0o077)


async def test_a_workspace_is_its_owners_while_it_is_open_and_afterwards(tmp_path):
    folder = tmp_path / "data"
    async with on_stdio(folder, "auto") as agent:
        await ok(agent, "create_interview", title="Clerk")
        names = {each.name for each in folder.iterdir()}
        assert {"workspace.db", "workspace.db-wal", "workspace.db-shm", "state.db", "audit.jsonl"} <= names
        assert open_to_others(folder) == []
    assert open_to_others(folder) == []


async def test_files_of_an_earlier_version_are_taken_from_others(tmp_path):
    folder = tmp_path / "data"
    async with on_stdio(folder, "auto") as agent:
        await ok(agent, "create_interview", title="Clerk")
    for each in [folder, *folder.iterdir()]:
        each.chmod(0o777 if each.is_dir() else 0o644)
    async with on_stdio(folder, "auto") as agent:
        await ok(agent, "list_interviews")
        assert open_to_others(folder) == []


@pytest.mark.parametrize("command", [("backend", "keys", "list"), ("backend", "webhooks", "list")])
def test_a_database_that_an_option_names_is_its_owners(tmp_path, command):
    file = tmp_path / "team.db"
    file.touch(mode=0o644)
    assert aural_mcp(tmp_path / "data", *command, "--database", f"sqlite:///{file}")[0] == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_the_database_of_watch_is_its_owners(tmp_path):
    assert aural_mcp(tmp_path / "data", "watch", "status")[0] == 0
    assert stat.S_IMODE((tmp_path / "data" / "events.db").stat().st_mode) == 0o600


def test_an_exported_workspace_and_the_copy_before_a_migration_are_their_owners(tmp_path):
    folder = tmp_path / "data"
    assert aural_mcp(folder, "backend", "keys", "list")[0] == 0
    assert aural_mcp(folder, "backend", "export", str(tmp_path / "all.json"))[0] == 0
    assert stat.S_IMODE((tmp_path / "all.json").stat().st_mode) == 0o600
    with closing(sqlite3.connect(folder / "workspace.db")) as db, db:
        db.execute("update aural_mcp_settings set value = '1' where name = 'schema_version'")
        for name in ("events", "endpoints", "deliveries"):
            db.execute(f"drop table if exists aural_mcp_{name}")
    Store(f"sqlite:///{folder / 'workspace.db'}").close()
    assert stat.S_IMODE((folder / "workspace.db.v1").stat().st_mode) == 0o600


def test_a_folder_that_is_not_only_ours_stays_as_it_is_and_the_doctor_says_so(tmp_path):
    folder = tmp_path / "shared"
    folder.mkdir(mode=0o755)
    (folder / "holiday.jpg").touch()
    _, out, _ = aural_mcp(folder, "doctor", "--offline")
    line = next(line for line in out.splitlines() if "data folder" in line)
    assert line.startswith("warning")
    assert f"chmod 700 {folder}" in line
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755


def test_a_folder_of_ours_is_closed_and_the_doctor_says_that_it_was_open(tmp_path):
    folder = tmp_path / "data"
    assert aural_mcp(folder, "watch", "status")[0] == 0
    folder.chmod(0o755)
    _, out, _ = aural_mcp(folder, "doctor", "--offline")
    line = next(line for line in out.splitlines() if "data folder" in line)
    assert line.startswith("ok")
    assert "Others could look into it" in line
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_the_platforms_own_folder_is_ours_whatever_lies_in_it(tmp_path):
    folder = tmp_path / "share" / "aural-mcp"
    folder.mkdir(parents=True, mode=0o755)
    (folder / "notes.txt").touch()
    environment = {**settings_for(folder), "XDG_DATA_HOME": str(tmp_path / "share")}
    del environment["AURAL_DATA_DIR"]
    command = [sys.executable, "-m", "aural_mcp", "watch", "status"]
    subprocess.run(command, env=environment, check=True, timeout=60, stdout=subprocess.DEVNULL)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700

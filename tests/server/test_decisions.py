"""What must stand in the decision log and cannot be written there is not done, and not shown."""

import json
import os
import resource
import subprocess
import sys
from contextlib import asynccontextmanager

import anyio
import pytest
from mcp import Client, MCPError

from aural_mcp.privacy.audit import AuditLog, verify
from aural_mcp.server.access import BY_NAME
from aural_mcp.server.principal import OneClient
from aural_mcp.server.server import AuralServer
from conftest import answer, begin, ok, published, refused, text_of
from processes import aural_mcp, on_stdio

QUESTION = {"text": "Why queues?", "type": "OPEN_ENDED"}


@asynccontextmanager
async def desk(world, path, confirm="never"):
    server = AuralServer(OneClient(world.client), backend="T.", confirm=confirm, audit=AuditLog(lambda: path))
    async with Client(server, read_timeout_seconds=30) as agent:
        yield agent


async def taken(agent, world):
    """An interview that Robin Vega took, and the id of that session."""
    made = await published(agent, [QUESTION])
    async with world.browser() as browser:
        await answer(browser, await begin(browser, made["url"]), "They hold back what would drown us.")
    rows = await ok(agent, "list_sessions", interviewId=made["id"])
    return made["id"], rows["data"][0]["id"]


def a_folder(path):
    path.unlink(missing_ok=True)
    path.mkdir()


def nowhere(path):
    path.unlink(missing_ok=True)
    path.symlink_to(path.parent / "gone" / "audit.jsonl")


def a_pipe(path):
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def the_full_device(path):
    path.unlink(missing_ok=True)
    path.symlink_to("/dev/full")


@pytest.mark.parametrize("spoil", [a_folder, nowhere, a_pipe, the_full_device])
async def test_what_cannot_be_written_down_is_neither_done_nor_shown(world, agent, tmp_path, spoil):
    interview, session = await taken(agent, world)
    path = tmp_path / "audit.jsonl"
    spoil(path)
    calls = {
        "create_interview": {"title": "Another one"},
        "update_interview": {"interviewId": interview, "title": "Renamed"},
        "archive_interview": {"interviewId": interview},
        "get_session": {"sessionId": session},
        "list_candidates": {"interviewId": interview},
        "export_results": {"interviewId": interview},
        "compare_answers": {"interviewId": interview, "question": 1},
        "find_person": {"who": "robin"},
        "send_messages": {"interviewId": interview, "kind": "invitation"},
        "record_decision": {"sessionId": session, "decision": "hold", "reason": "Waits for the panel."},
        "search_transcripts": {"interviewId": interview, "query": "drown"},
    }
    async with desk(world, path) as other:
        for tool, given in calls.items():
            said = await refused(other, tool, given)
            reads = BY_NAME[tool].effect == "read"
            assert ("shows nothing" if reads else "was not called") in said
            assert "decision log" in said
            assert "AURAL_AUDIT_LOG" in said
            assert "Robin" not in said
        assert len((await ok(other, "list_interviews"))["data"]) == 1, "what is not written down goes on"
        for uri in (f"aural://sessions/{session}/transcript", f"aural://interviews/{interview}/results.md"):
            with pytest.raises(MCPError, match="decision log"):
                await other.read_resource(uri)
        with pytest.raises(MCPError, match="decision log"):
            await other.get_prompt("score_session", {"sessionId": session})
    kept = await ok(agent, "get_interview", interviewId=interview)
    assert (kept["title"], kept["state"]) == ("Backend engineer", "public")


async def test_nobody_is_asked_to_confirm_what_could_not_be_written_down(world, agent, tmp_path):
    made = await ok(agent, "create_interview", title="Draft")
    await ok(agent, "create_questions", interviewId=made["id"], questions=[QUESTION])
    path = tmp_path / "audit.jsonl"
    a_folder(path)
    async with desk(world, path, confirm="preview") as other:
        result = await other.call_tool("publish_interview", {"interviewId": made["id"]})
    assert result.is_error
    assert "decision log" in text_of(result)


async def test_a_disk_that_fills_up_meanwhile_withholds_what_was_read_and_owns_up_to_what_was_done(
    world, agent, tmp_path, monkeypatch
):
    interview, session = await taken(agent, world)
    path = tmp_path / "audit.jsonl"
    log = AuditLog(lambda: path)
    server = AuralServer(OneClient(world.client), backend="T.", confirm="never", audit=log)
    monkeypatch.setattr(log, "check", anyio.lowlevel.checkpoint)
    async with Client(server) as other:
        a_folder(path)
        said = await refused(other, "get_session", {"sessionId": session})
        assert "shows nothing" in said
        assert "drown" not in said
        done = await other.call_tool("update_interview", {"interviewId": interview, "title": "Renamed"})
        assert not done.is_error
        assert "decision log" in text_of(done)
        assert "decision log" in done.structured_content["remarks"][-1]
        path.rmdir()
        monkeypatch.undo()
        await ok(other, "archive_interview", interviewId=interview)
    tools = [json.loads(line)["tool"] for line in path.read_text().splitlines()]
    assert tools == ["update_interview", "archive_interview"]
    assert verify(path).problems == []


async def test_seeing_that_there_is_room_leaves_nothing_behind(tmp_path):
    path = tmp_path / "audit.jsonl"
    log = AuditLog(lambda: path)
    await log.check()
    assert path.read_bytes() == b""
    await log.record("publish_interview", "done", tenant="a" * 64, ids={})
    before = path.read_bytes()
    await log.check()
    assert path.read_bytes() == before
    path.write_bytes(before[:-30])
    await log.check()
    assert path.read_bytes() == before[:-30], "a torn line is ended by the next line, not by a look"


async def test_a_server_whose_files_may_not_grow_refuses_and_its_log_stays_whole(tmp_path):
    """A quota, or a full disk: as the operating system says it to a real process."""
    log = tmp_path / "elsewhere.jsonl"
    async with on_stdio(tmp_path / "data", "auto", AURAL_AUDIT_LOG=str(log)) as agent:
        await ok(agent, "create_interview", title="One")
    size, script = log.stat().st_size, tmp_path / "limited.py"
    script.write_text(
        "import anyio, resource, sys\n"
        "from aural_mcp.privacy.audit import AuditLog\n"
        "from aural_mcp.api.errors import LogUnwritable\n"
        "from pathlib import Path\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({size + 100}, {size + 100}))\n"
        f"log = AuditLog(lambda: Path({str(log)!r}))\n"
        "try:\n    anyio.run(log.check)\nexcept LogUnwritable as error:\n    print(error)\n"
    )
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=60, check=True)
    assert "cannot be written (No space left on device)" in done.stdout
    assert log.stat().st_size == size
    assert aural_mcp(tmp_path / "data", "audit", "verify", str(log))[0] == 0


def test_apply_makes_nothing_that_it_cannot_write_down(tmp_path):
    wanted = tmp_path / "wanted.json"
    wanted.write_text(json.dumps([{"title": "Clerk", "objective": "Order", "questions": [QUESTION]}]))
    a_folder(tmp_path / "audit.jsonl")
    code, out, err = aural_mcp(tmp_path, "apply", str(wanted))
    assert (code, out) == (1, "")
    assert "decision log" in err
    assert aural_mcp(tmp_path, "apply", str(wanted), "--dry-run")[0] == 0
    (tmp_path / "audit.jsonl").rmdir()
    code, out, _ = aural_mcp(tmp_path, "apply", str(wanted))
    assert (code, "made" in out) == (0, True)

"""The decision log: of candidates it holds ids alone, it is whole whoever writes it, and shows what was done to it."""

import json
import os
import re
import shutil
import stat
import subprocess
import sys
import uuid
from functools import partial
from pathlib import Path

import pytest

from aural_mcp.api.operations import OPERATIONS
from aural_mcp.config import decision_log, read_settings
from aural_mcp.privacy import audit_file, audit_lines
from aural_mcp.privacy.audit import AuditLog, ids_of, logged, verify
from aural_mcp.privacy.who import Who
from processes import aural_mcp

TENANT = "0123456789ab" + "c" * 52
INTERVIEW, SESSION = "0a4f6d95-767f-41ab-8db9-981ecceadedd", "ff72b3ba-b0db-46a5-8386-41b0fc7ea881"
PSEUDONYM = "Candidate K7Q2XZ"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "audit.jsonl"


async def write(path, count, **more):
    """A log of so many lines, and its lines."""
    log = AuditLog(lambda: path)
    for number in range(count):
        ids = {"interviewId": INTERVIEW, "sessionId": str(uuid.UUID(int=number))}
        await log.record("publish_interview", "done", tenant=TENANT, ids=ids, **more)
    return path.read_bytes().splitlines()


def rewrite(path, lines):
    path.write_bytes(b"\n".join(lines) + b"\n")


def rehashed(line):
    """The line as somebody writes it who knows how the log is made."""
    said = line[: line.rindex(b',"hash"')]
    return said + f',"hash":"{audit_lines.hash_of(said)}"}}'.encode()


def warnings_in(caplog):
    return [record.message for record in caplog.records if record.name == "aural_mcp.privacy.audit"]


# ── What stands in it ───────────────────────────────────────────────────────────────────────────


async def test_a_line_says_what_was_done_to_what_and_how_it_was_agreed_to(path):
    log = AuditLog(lambda: path)
    await log.record("publish_interview", "done", tenant=TENANT, ids={"interviewId": INTERVIEW}, confirmed="asked")
    ids = {"candidateId": [SESSION], "pseudonym": PSEUDONYM}
    await log.record("reveal_candidate", "done", tenant=TENANT, ids=ids, blind=True, revealed=PSEUDONYM)
    first, second = (json.loads(line) for line in path.read_text().splitlines())
    assert first.pop("at").endswith("Z")
    assert first.pop("hash") == second["prev"]
    assert first == {
        "seq": 1,
        "tool": "publish_interview",
        "ids": {"interviewId": INTERVIEW},
        "outcome": "done",
        "confirmed": "asked",
        "blind": False,
        "revealed": None,
        "tenant": "0123456789ab",
        "prev": "0" * 64,
    }
    assert (second["ids"], second["blind"]) == ({"candidateId": SESSION, "pseudonym": PSEUDONYM}, True)
    assert second["revealed"] == PSEUDONYM


async def test_a_line_can_be_checked_without_this_program(path):
    line = (await write(path, 1))[0].decode()
    command = """sed 's/,"hash":"[0-9a-f]*"}$/}/' | tr -d '\\n' | sha256sum"""
    done = subprocess.run(command, shell=True, input=line, capture_output=True, text=True, check=True)
    assert done.stdout.split()[0] == json.loads(line)["hash"]


@pytest.mark.parametrize(
    "odd",
    [
        "Robin Vega",
        "robin@vega.example",
        "dlv_0123456789abcdef0123456789abcdef0123",
        "sk-0123456789abcdef0123456789abcdef",
        "4915112345678",
        f"{INTERVIEW}\n",
        f"x{INTERVIEW}",
        "Candidate Robin",
        "Candidate ROBERT",
        {"name": "Robin Vega"},
        ["Robin Vega", ["Robin Vega"], None, 7],
        "\ud800",
        None,
    ],
)
async def test_neither_contents_nor_keys_stand_in_it_whatever_is_given_as_an_id(path, odd):
    log = AuditLog(lambda: path)
    ids = {
        "interviewId": odd,
        "sessionId": [SESSION, odd],
        "pseudonym": odd,
        "name": "Robin Vega",
        "Robin Vega": SESSION,
    }
    await log.record(
        "get_session", "failed", tenant="dlv_secret_key", ids=ids, revealed=odd if isinstance(odd, str) else None
    )
    line = json.loads(path.read_text())
    assert line["ids"] == {"sessionId": SESSION}
    assert (line["revealed"], line["tenant"]) == (None, None)


async def test_the_ids_of_a_call_are_those_given_and_those_returned(path):
    a, b, c = (str(uuid.UUID(int=number)) for number in range(3))
    rows = [{"id": a, "name": "Robin Vega"}, {"id": b, "name": PSEUDONYM, "session_id": c}]
    candidates = ids_of("list_candidates", {"interview_id": INTERVIEW}, {"data": rows, "total": 2})
    ended = ids_of(
        "end_interview_sessions", {"interviewId": INTERVIEW, "ids": [a]}, {"results": [{"id": a}, {"id": b}]}
    )
    made = ids_of("create_interview", {"title": "T"}, {"id": INTERVIEW})
    odd = ids_of("get_session", {"sessionId": {"x": 1}, "": 2}, {"data": "text", "results": [None]})
    log = AuditLog(lambda: path)
    for ids in (candidates, ended, made, odd):
        await log.record("tool", "done", tenant=TENANT, ids=ids)
    assert [json.loads(line)["ids"] for line in path.read_text().splitlines()] == [
        {"interviewId": INTERVIEW, "candidateId": [a, b], "sessionId": c, "pseudonym": PSEUDONYM},
        {"interviewId": INTERVIEW, "sessionId": [a, b]},
        {"interviewId": INTERVIEW},
        {},
    ]


def test_changes_and_reads_of_candidates_material_are_written_down():
    there = {each.tool_name() for each in OPERATIONS if logged(each.tool_name(), each.effect)}
    changing = {each.tool_name() for each in OPERATIONS if each.effect != "read"}
    assert there == changing | {"get_session", "get_session_report", "list_candidates"}
    workflows = ("compare_candidates", "compare_answers", "search_transcripts", "find_person")
    assert all(logged(name, "read") for name in ("reveal_candidate", *workflows))
    assert logged("export_results", "read")
    assert not logged("list_interviews", "read")


# ── How it is written ───────────────────────────────────────────────────────────────────────────

WRITER = """
import anyio, sys, pathlib, uuid
from aural_mcp.privacy.audit import AuditLog
log = AuditLog(lambda: pathlib.Path(sys.argv[1]))
async def main():
    for number in range(200):
        ids = {"interviewId": [str(uuid.uuid4()) for _ in range(number)]}
        await log.record("create_questions", "done", tenant=sys.argv[2] * 12, ids=ids)
sys.stdin.read()
anyio.run(main)
"""


def test_four_processes_write_one_chain(path):
    command = [sys.executable, "-c", WRITER, str(path)]
    writers = [subprocess.Popen([*command, name], stdin=subprocess.PIPE) for name in "abcd"]
    for writer in writers:
        writer.stdin.close()
    assert [writer.wait(timeout=60) for writer in writers] == [0, 0, 0, 0]
    verdict = verify(path)
    assert (verdict.lines, verdict.problems) == (800, [])
    tenants = [json.loads(line)["tenant"] for line in path.read_text().splitlines()]
    assert [tenants.count(name * 12) for name in "abcd"] == [200, 200, 200, 200]


async def test_only_its_owner_reads_it(path):
    await write(path, 1)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_a_folder_that_is_gone_or_opened_to_others_while_it_runs_is_made_and_closed_again(tmp_path):
    settings = read_settings({"AURAL_DATA_DIR": str(tmp_path / "data")})
    log, folder = AuditLog(partial(decision_log, settings)), tmp_path / "data"
    for spoil in (lambda: None, lambda: shutil.rmtree(folder), lambda: folder.rename(tmp_path / "moved")):
        spoil()
        await log.record("publish_interview", "done", tenant=TENANT, ids={})
        assert len((folder / "audit.jsonl").read_text().splitlines()) == 1
    folder.chmod(0o755)
    await log.record("publish_interview", "done", tenant=TENANT, ids={})
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


async def test_no_path_keeps_no_log(tmp_path):
    await AuditLog(lambda: None).record("publish_interview", "done", tenant=TENANT, ids={})
    assert list(tmp_path.iterdir()) == []


async def test_what_cannot_be_written_is_warned_of_once_and_written_when_it_can_be(tmp_path, caplog):
    path = tmp_path / "gone" / "audit.jsonl"
    log = AuditLog(lambda: path)
    for _ in range(3):
        await log.record("publish_interview", "done", tenant=TENANT, ids={"interviewId": INTERVIEW})
    assert len(warnings_in(caplog)) == 1
    path.parent.mkdir()
    await log.record("archive_interview", "done", tenant=TENANT, ids={})
    assert [json.loads(line)["tool"] for line in path.read_text().splitlines()][2:] == [
        "publish_interview",
        "archive_interview",
    ]
    assert verify(path).problems == []
    assert len(warnings_in(caplog)) == 1


async def test_a_full_disk_leaves_no_half_line(path, monkeypatch, caplog):
    before = b"\n".join(await write(path, 2)) + b"\n"
    really = os.write
    monkeypatch.setattr(os, "write", lambda file, text: really(file, text[:20]))
    log = AuditLog(lambda: path)
    await log.record("publish_interview", "done", tenant=TENANT, ids={})
    assert path.read_bytes() == before
    assert "No space left" in warnings_in(caplog)[0]
    monkeypatch.undo()
    await log.record("publish_interview", "done", tenant=TENANT, ids={})
    assert verify(path)[::2] == (4, [])


async def test_only_a_file_is_written_to(tmp_path, caplog):
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path / "pipe", Path("/dev/full"), tmp_path):
        await AuditLog(lambda place=place: place).record("publish_interview", "done", tenant=TENANT, ids={})
    assert len(warnings_in(caplog)) == 3


async def test_a_process_that_keeps_the_lock_holds_nobody_up_for_long(path, monkeypatch, caplog):
    monkeypatch.setattr(audit_file, "BUSY", 0.05)
    await write(path, 1)
    log = AuditLog(lambda: path)
    with path.open("rb") as file, audit_file._locked(file.fileno()):
        await log.record("publish_interview", "done", tenant=TENANT, ids={})  # else it waits for the end of this block
    assert len(warnings_in(caplog)) == 1
    await log.record("publish_interview", "done", tenant=TENANT, ids={})
    assert verify(path)[::2] == (3, [])


@pytest.mark.parametrize("kept", [1, 40, -70, -2])
async def test_a_line_torn_by_a_crash_is_left_behind_and_reported(path, kept):
    lines = await write(path, 3)
    path.write_bytes(b"\n".join([*lines[:2], lines[2][:kept]]))
    await write(path, 2)
    verdict = verify(path)
    assert verdict.lines == 5
    assert verdict.problems == ["Line 3 cannot be read: torn by a crash while it was written, or overwritten."]


async def test_a_line_that_lost_only_its_end_mark_is_whole(path):
    path.write_bytes(b"\n".join(await write(path, 3)))
    await write(path, 1)
    assert verify(path)[::2] == (4, [])


@pytest.mark.parametrize("first", [b"{", b"\xff" * 100_000, b"[" * 100_000 + b"\n"])
async def test_a_first_line_that_is_none_does_not_keep_the_log_from_beginning(path, first):
    path.write_bytes(first)
    await write(path, 2)
    verdict = verify(path)
    assert (verdict.lines, len(verdict.problems)) == (3, 1)
    assert verdict.problems[0].startswith("Line 1 cannot be read")


async def test_lines_longer_than_what_is_looked_at_first_are_found(path):
    log = AuditLog(lambda: path)
    for _ in range(3):
        ids = {"candidateId": [str(uuid.uuid4()) for _ in range(1000)]}
        await log.record("list_candidates", "done", tenant=TENANT, ids=ids)
    assert verify(path)[::2] == (3, [])


# ── What was done to it ─────────────────────────────────────────────────────────────────────────


def damaged(name, lines):
    """The lines after what the name says was done to them."""
    again = list(lines)
    match name:
        case "changed":
            again[2] = lines[2].replace(b"publish", b"archive")
        case "changed, with a new hash":
            again[2] = rehashed(lines[2].replace(b"publish", b"archive"))
        case "a space put in":
            again[2] = lines[2].replace(b'"done"', b' "done"')
        case "number changed":
            again[2] = lines[2].replace(b'"seq":3', b'"seq":9')
        case "overwritten":
            again[2] = b"x" * len(lines[2])
        case "one removed":
            del again[2]
        case "two removed":
            del again[2:4]
        case "first removed":
            del again[0]
        case "put in":
            again.insert(2, rehashed(lines[2].replace(b"publish", b"archive")))
        case "put in before the first":
            again.insert(0, rehashed(lines[0].replace(b"publish", b"archive")))
        case "swapped":
            again[2], again[3] = again[3], again[2]
        case "repeated":
            again.insert(4, lines[1])
    return again


@pytest.mark.parametrize(
    ("name", "problems"),
    [
        ("untouched", []),
        ("changed", ["Line 3 was changed: its hash does not fit what it says."]),
        ("changed, with a new hash", ["Line 4 does not follow line 3: one of the two was changed or put in."]),
        ("a space put in", ["Line 3 was changed: its hash does not fit what it says."]),
        ("number changed", ["Line 3 was changed: its hash does not fit what it says."]),
        (
            "overwritten",
            [
                "Line 3 cannot be read: torn by a crash while it was written, or overwritten.",
                "Line 4 comes after lines that were removed, numbers 3 to 3.",
            ],
        ),
        ("one removed", ["Line 3 comes after lines that were removed, numbers 3 to 3."]),
        ("two removed", ["Line 3 comes after lines that were removed, numbers 3 to 4."]),
        ("first removed", ["Line 1 comes after lines that were removed, numbers 1 to 1."]),
        ("put in", ["Line 3 was put in or moved: line 4 was written after line 2."]),
        ("put in before the first", ["Line 1 was put in or moved: line 2 was written after line 0."]),
        (
            "swapped",
            [
                "Line 3 was moved: it was written after line 4.",
                "Line 4 was put in or moved: line 5 was written after line 3.",
            ],
        ),
        ("repeated", ["Line 5 repeats line 2."]),
    ],
)
async def test_what_was_done_to_it_is_found_and_named_by_line(path, name, problems):
    rewrite(path, damaged(name, await write(path, 6)))
    assert verify(path).problems == problems
    await write(path, 2)
    assert verify(path).problems == problems, "the log goes on after damage without new damage"


async def test_lines_cut_off_and_a_file_written_anew_show_only_with_a_head_that_was_noted(path):
    lines = await write(path, 5)
    noted = verify(path).head
    assert verify(path, noted).problems == verify(path, noted[:12]).problems == []
    await write(path, 1)
    assert verify(path, noted).problems == []
    rewrite(path, lines[:4])
    assert verify(path).problems == []
    assert "lines were cut off at the end" in verify(path, noted).problems[0]
    path.unlink()
    await write(path, 5)
    assert verify(path).problems == []
    assert noted in verify(path, noted).problems[0]


# ── The command ─────────────────────────────────────────────────────────────────────────────────


async def test_verify_prints_a_head_to_note_and_what_it_cannot_see(path, tmp_path):
    await write(path, 2)
    head = verify(path).head
    code, out, err = aural_mcp(tmp_path, "audit", "verify")
    assert (code, err) == (0, "")
    assert out.splitlines()[:2] == [f"Intact: 2 lines in {path}.", f"Head: {head}"]
    assert "lines cut off" in out
    code, out, _ = aural_mcp(tmp_path, "audit", "verify", str(path), "--expect", head)
    assert (code, out.splitlines()) == (0, [f"Intact: 2 lines in {path}.", f"Head: {head}"])


async def test_verify_ends_with_1_for_a_damaged_log_and_with_2_for_wrong_usage(path, tmp_path):
    code, _, err = aural_mcp(tmp_path, "audit", "verify")
    assert code == 1
    assert f"There is no {path}" in err
    rewrite(path, damaged("one removed", await write(path, 4)))
    code, out, _ = aural_mcp(tmp_path, "audit", "verify", str(path))
    assert code == 1
    assert out.startswith("Line 3 comes after lines that were removed, numbers 3 to 3.\n")
    code, out, _ = aural_mcp(tmp_path, "audit", "verify", str(path), "--expect", "f" * 64)
    assert code == 1
    assert "No line has the hash" in out
    for wrong in ([str(tmp_path / "nothing")], [str(tmp_path)], ["--expect", "xyz"], ["--nonsense"]):
        code, _, err = aural_mcp(tmp_path, "audit", "verify", *wrong)
        assert code == 2, err


async def test_the_setting_says_which_log_is_looked_at(tmp_path):
    elsewhere = tmp_path / "elsewhere.jsonl"
    await write(elsewhere, 3)
    code, out, _ = aural_mcp(tmp_path, "audit", "verify", AURAL_AUDIT_LOG=str(elsewhere))
    assert (code, out.splitlines()[0]) == (0, f"Intact: 3 lines in {elsewhere}.")
    code, _, err = aural_mcp(tmp_path, "audit", "show", AURAL_AUDIT_LOG="off")
    assert (code, err) == (1, "Error: AURAL_AUDIT_LOG is off: nothing is written down.\n")


async def test_show_prints_the_last_lines_for_reading(path, tmp_path):
    await write(path, 30, confirmed="code")
    code, out, err = aural_mcp(tmp_path, "audit", "show", "--last", "2")
    assert (code, err) == (0, "")
    first, second = out.splitlines()
    assert first.startswith("29  20")
    for part in ("publish_interview", "done", f"interviewId {INTERVIEW}", "confirmed code", "tenant 0123456789ab"):
        assert part in second
    assert len(aural_mcp(tmp_path, "audit", "show")[1].splitlines()) == 20


async def test_a_forged_line_cannot_steer_the_terminal(path, tmp_path):
    lines = await write(path, 3)
    lines[0] = lines[0].replace(b"publish_interview", b"\\u001b[2J\\n\xe2\x80\xae")
    lines[1] = b"\x1b[2J"
    lines[2] = lines[2].replace(b'"ids":{', b'"ids":{"\\u001b[2J":1,')
    rewrite(path, lines)
    code, out, _ = aural_mcp(tmp_path, "audit", "show")
    assert code == 0
    assert out.isascii()
    assert "\x1b" not in out
    ends = [line.rpartition("(")[2] for line in out.splitlines()]
    assert ends == ["changed)", "a line that cannot be read)", "changed)"]


async def test_lines_are_found_by_who_what_and_since_when(path, tmp_path):
    log = AuditLog(lambda: path)
    people = [Who("Zoë Müller", "00u1zoe", sign_in="s-1"), Who("ana@acme.example", "00u2ana", sign_in="s-2"), None]
    for number, who in enumerate(people):
        ids = {"interviewId": INTERVIEW if number else SESSION}
        await log.record("archive_interview", "done", tenant=TENANT, ids=ids, by=who)
        await log.record("get_session", "failed", tenant=TENANT, ids={"sessionId": SESSION}, by=who)
    lines = path.read_bytes().splitlines()
    later = b'"at":"2031-01-02T03:04:05.000Z"'
    rewrite(path, [*lines[:5], rehashed(re.sub(rb'"at":"[^"]*"', later, lines[5])), b"torn"])
    for options, found in (
        (["--who", "müller"], [1, 2]),
        (["--who", "ACME.example"], [3, 4]),
        (["--who", "00u1"], [1, 2]),
        (["--who", "s-2"], [3, 4]),
        (["--who", "nobody"], []),
        (["--what", "archive"], [1, 3, 5]),
        (["--what", "FAILED"], [2, 4, 6]),
        (["--what", SESSION[:8]], [1, 2, 4, 6]),
        (["--who", "ana", "--what", "done"], [3]),
        (["--what", "archive", "--last", "1"], [5]),
        (["--since", "2031-01-02"], [6]),
        (["--since", "2031-01-02T03:04:06"], []),
        (["--since", "2031-01-02T05:04:05+02:00"], [6]),
        (["--since", "7d"], [1, 2, 3, 4, 5, 6]),
        (["--since", "24h", "--who", "zoe"], [1, 2]),
    ):
        code, out, err = aural_mcp(tmp_path, "audit", "show", *options)
        assert (code, [int(line.split()[0]) for line in out.splitlines()]) == (0, found), options
        assert err.endswith(" of 7 lines. 1 cannot be read: see audit verify.\n") or "the last 1 here" in err
    code, _, err = aural_mcp(tmp_path, "audit", "show", "--since", "yesterday")
    assert code == 2
    assert "write 2026-11-30, 2026-11-30T09:00, 7d or 24h" in err


async def test_ten_thousand_lines_are_looked_through_quickly(path, tmp_path):
    block = b"\n".join(await write(path, 100, by=Who("Zoë Müller", "00u1zoe", "https://login.example.com"))) + b"\n"
    path.write_bytes(block * 100)
    before = os.times().children_user
    code, out, err = aural_mcp(tmp_path, "audit", "show", "--who", "zoë", "--since", "1d")
    assert (code, len(out.splitlines()), err) == (0, 20, "10000 of 10000 lines, the last 20 here.\n")
    assert os.times().children_user - before < 10


async def test_a_log_in_which_names_are_shown_then_hashed_then_absent_is_one_chain(path):
    who = Who("Zoë Müller", "00u1zoe", "https://login.example.com/x", "recruiter", "Claude", "s-1")
    await write(path, 2)
    await write(path, 2, by=who)

    async def secret():
        return b"k" * 32

    hashing = AuditLog(lambda: path, secret)
    await hashing.record("publish_interview", "done", tenant=TENANT, ids={}, by=who, reason="Filled")
    await write(path, 1)
    assert verify(path)[::2] == (6, [])
    lines = path.read_bytes().splitlines()
    rewrite(path, [*lines[:2], lines[2].replace(b"00u1zoe", b"00u9zoe"), *lines[3:]])
    assert verify(path).problems == ["Line 3 was changed: its hash does not fit what it says."]


async def test_writing_a_line_to_a_large_log_reads_no_more_than_its_end(path):
    block = b"\n".join(await write(path, 100)) + b"\n"
    path.write_bytes(block * 1000)
    assert path.stat().st_size > 30_000_000
    log = AuditLog(lambda: path)
    before = bytes_read()
    for _ in range(100):
        await log.record("publish_interview", "done", tenant=TENANT, ids={"interviewId": INTERVIEW})
    assert (bytes_read() - before) / 100 < 100_000


def bytes_read():
    return int(re.search(r"rchar: (\d+)", Path("/proc/self/io").read_text())[1])

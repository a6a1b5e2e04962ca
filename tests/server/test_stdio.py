"""The ends of stdin and stdout as hosts, shells and people make them, and how the bytes come and go on them."""

import json
import os
import pty
import socket
import subprocess
import sys
import tty
from contextlib import contextmanager

import pytest

from processes import settings_for

COMMAND = [sys.executable, "-m", "aural_mcp"]
HELLO = {
    "jsonrpc": "2.0",
    "id": 0,
    "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "T", "version": "1"}},
}


def line(number, method="ping", **params):
    return json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}).encode() + b"\n"


OPENING = json.dumps(HELLO).encode() + b'\n{"jsonrpc":"2.0","method":"notifications/initialized"}\n'


@contextmanager
def started(folder, stdin, stdout):
    """A process on these ends, over when the block is."""
    process = subprocess.Popen(COMMAND, stdin=stdin, stdout=stdout, stderr=subprocess.DEVNULL, env=settings_for(folder))
    try:
        yield process
    finally:
        process.kill()
        process.wait()


class Ends:
    """What the host holds of its two ends, as bytes; those of the process are given away."""

    def __init__(self, read, write):
        self.read, self.write, self.came = read, write, b""

    def said(self, count):
        """So many lines of the process."""
        while self.came.count(b"\n") < count and (more := os.read(self.read, 65_536)):
            self.came += more
        *lines, self.came = self.came.split(b"\n", count)
        return [json.loads(each) for each in lines]

    def say(self, text):
        while text:
            text = text[os.write(self.write, text) :]


@contextmanager
def pipes(folder):
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()
    with started(folder, theirs_in, theirs_out) as process:
        os.close(theirs_in)
        os.close(theirs_out)
        yield process, Ends(ours_in, ours_out)


@contextmanager
def sockets(folder):
    """As Node makes them, and so most hosts."""
    (ours_out, theirs_in), (ours_in, theirs_out) = socket.socketpair(), socket.socketpair()
    with started(folder, theirs_in, theirs_out) as process:
        theirs_in.close()
        theirs_out.close()
        yield process, Ends(ours_in.detach(), ours_out.detach())


@contextmanager
def shell(folder):
    """What somebody pipes in shows on their terminal."""
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = pty.openpty()
    tty.setraw(theirs_out)
    with started(folder, theirs_in, theirs_out) as process:
        os.close(theirs_in)
        os.close(theirs_out)
        yield process, Ends(ours_in, ours_out)


@pytest.mark.parametrize("ends", [pipes, sockets, shell])
def test_a_host_is_served_on_whatever_ends_it_makes(tmp_path, ends):
    with ends(tmp_path) as (_, host):
        host.say(OPENING + line(1) + line(2, "tools/list"))
        hello, pong, listed = sorted(host.said(3), key=lambda each: each["id"])
    assert hello["result"]["serverInfo"]["name"] == "aural-mcp"
    assert pong["result"] == {}
    assert len(listed["result"]["tools"]) > 20


@pytest.mark.parametrize("ends", [pipes, sockets])
def test_it_ends_when_the_host_closes_its_end(tmp_path, ends):
    with ends(tmp_path) as (process, host):
        host.say(OPENING)
        host.said(1)
        os.close(host.write)
        assert process.wait(20) == 0


def test_files_are_read_to_their_end_and_written(tmp_path):
    asked, said = tmp_path / "asked", tmp_path / "said"
    asked.write_bytes(OPENING + line(1))
    with asked.open("rb") as stdin, said.open("wb") as stdout, started(tmp_path, stdin, stdout) as process:
        assert process.wait(60) == 0
    assert json.loads(said.read_bytes().split(b"\n")[0])["id"] == 0


@pytest.mark.parametrize("ends", [pipes, sockets])
def test_a_line_may_come_in_pieces_that_end_within_a_letter(tmp_path, ends):
    named = {**HELLO, "params": {**HELLO["params"], "clientInfo": {"name": "Köln 面试 🎤", "version": "1"}}}
    text = json.dumps(named, ensure_ascii=False).encode() + b"\r\n"
    with ends(tmp_path) as (_, host):
        for at in range(0, len(text), 3):
            host.say(text[at : at + 3])
        host.say(b"\n\n" + line(1))
        assert [each["id"] for each in host.said(2)] == [0, 1]


@pytest.mark.parametrize("ends", [pipes, sockets])
def test_a_host_that_reads_late_gets_every_answer_whole(tmp_path, ends):
    with ends(tmp_path) as (_, host):
        host.say(OPENING)
        host.said(1)
        for number in range(1, 41):  # 2 MB of answers, of which an end holds a few
            host.say(line(number, "tools/list"))
        answers = host.said(40)
    assert sorted(each["id"] for each in answers) == list(range(1, 41))
    assert len({len(each["result"]["tools"]) for each in answers}) == 1


@pytest.mark.parametrize("ends", [pipes, sockets])
def test_a_line_of_megabytes_is_one_line(tmp_path, ends):
    with ends(tmp_path) as (_, host):
        host.say(OPENING)
        host.said(1)
        host.say(line(1, note="n" * 3_000_000) + line(2))
        assert [each["id"] for each in host.said(2)] == [1, 2]


@pytest.mark.parametrize("ends", [pipes, sockets])
def test_a_host_that_hangs_up_leaves_no_process_behind(tmp_path, ends):
    with ends(tmp_path) as (process, host):
        host.say(OPENING)
        host.said(1)
        os.close(host.read)
        host.say(line(1, "tools/list"))
        os.close(host.write)
        process.wait(20)


def test_others_who_hold_the_same_end_find_it_as_it_was(tmp_path):
    """A host may have given the same pipe as stderr, or keep it: an end that no longer waits would lose lines there."""
    read, write = os.pipe()
    theirs_in, ours_out = os.pipe()
    with started(tmp_path, theirs_in, write):
        os.write(ours_out, OPENING)
        assert Ends(read, ours_out).said(1)[0]["id"] == 0
        assert os.get_blocking(write)
        assert os.get_blocking(theirs_in)

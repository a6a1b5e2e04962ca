"""`aural-mcp watch` and `aural-mcp backend webhooks` as a person meets them."""

import json
import re
import signal
import subprocess
import sys

import anyio
import httpx
import pytest

from aural_mcp.events import outbox
from aural_mcp.events.outbox import Delivery, Happened
from aural_mcp.events.run import open_outbox
from examples import SEED
from processes import aural_mcp, backend, free_port, settings_for
from receiver import SECRET, Receiver


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        ([], 2, "Say where events go: --webhook URL with --secret-file FILE, or --exec CMD."),
        (["--webhook", "https://hooks.example/"], 2, "go together"),
        (["--webhook", "http://127.0.0.1/", "--secret-file", "s"], 2, "--allow 127.0.0.1 lets webhooks go there"),
        (["--webhook", "http://u:hunter2@hooks.example/", "--secret-file", "s"], 2, "no user name"),
        (["--webhook", "https://hooks.example/", "--secret-file", "/nowhere/s"], 1, "cannot be read or made"),
        (["--webhook", "https://h.example/", "--secret-file", "s", "--allow", "x"], 2, "--allow takes a network"),
        (["--exec", "true", "--interview", ""], 2, "is not an id of an interview"),
        (["--exec", "true", "--interview", "nosuch"], 1, "Interview not found"),
        (["--exec", "true", "--database", "nonsense"], 1, "--database must be an SQLAlchemy URL"),
        (["retry", "msg_nosuch"], 1, "None of these is parked"),
    ],
)
def test_what_cannot_be_watched_is_one_sentence(tmp_path, monkeypatch, arguments, status, says):
    monkeypatch.chdir(tmp_path)
    code, _, err = aural_mcp(tmp_path, "watch", *arguments)
    assert (code, says in " ".join(err.split())) == (status, True), err
    assert "Traceback" not in err
    assert "hunter2" not in err


def test_a_key_that_cannot_be_one_is_said_before_anything_is_asked(tmp_path):
    code, _, err = aural_mcp(tmp_path, "watch", "--exec", "true", AURAL_API_KEY="nonsense")
    assert code == 1
    assert "keys start with `dlv_`" in err


async def test_watch_tells_what_happens_at_a_backend_and_goes_on_where_it_was_killed(tmp_path):
    port, home = free_port(), tmp_path / "team"
    home.mkdir()
    (tmp_path / "secret").write_text(SECRET)
    async with backend(home, port) as printed, Receiver(SECRET).listening() as receiver:
        key, base = re.search(r"dlv_\w{36}", printed)[0], f"http://127.0.0.1:{port}/api/v1"
        settings = settings_for(tmp_path, AURAL_API_KEY=key, AURAL_BASE_URL=base)
        headers = {"authorization": f"Bearer {key}"}
        async with httpx.AsyncClient(base_url=base, trust_env=False, headers=headers) as http:
            made = (await http.post("/interviews", json={"title": "T"})).json()["data"]["id"]

            async def register(name):
                people = [{"name": name}]
                return (await http.post(f"/interviews/{made}/candidates", json=people)).json()["data"][0]["id"]

            await register("Before")
            told = []
            for end in (signal.SIGKILL, signal.SIGTERM):
                child = await watching(tmp_path, f"{receiver.url}?token=hunter2", settings)
                with anyio.fail_after(60):
                    while len(receiver.accepted) < len(told):
                        await anyio.sleep(0.05)
                child.send_signal(end)
                child.wait(timeout=30)
                rest = child.stderr.read()
                child.stderr.close()
                told.append(await register("Meanwhile"))
            assert (child.returncode, rest) == (0, "")
    assert [each["data"]["candidateId"] for each in receiver.payloads] == told[:1]
    assert receiver.unsigned == 0
    code, out, err = aural_mcp(tmp_path, "watch", "status")
    assert (code, err) == (0, "")
    assert re.fullmatch(
        rf"ep_\w+  {re.escape(receiver.url)}: 0 pending, 1 delivered, 0 parked\nNo `aural-mcp watch` is at .*\n", out
    )


async def watching(folder, url, settings):
    """`aural-mcp watch` once it has begun, and looked for the first time."""
    options = ["--webhook", url, "--secret-file", folder / "secret", "--allow", "127.0.0.0/8"]
    command = [sys.executable, "-m", "aural_mcp", "watch", *options]
    child = subprocess.Popen(command, env=settings, stderr=subprocess.PIPE, text=True)
    said = await anyio.to_thread.run_sync(child.stderr.readline)
    assert "watching all interviews of 127.0.0.1" in said
    assert "hunter2" not in said
    with anyio.fail_after(30):
        while not looked(folder):
            await anyio.sleep(0.05)
    return child


def looked(folder):
    """Whether somebody has looked at the interview's candidates, and therefore what is told from then on."""
    out = open_outbox(f"sqlite:///{folder / 'events.db'}")
    with out.reading() as db:
        found = db.execute(outbox.seen.select().where(outbox.seen.c.kind == "interview")).mappings().all()
    out.close()
    return bool(found) and all(row["looks"]["candidates"] for row in found)


def test_status_shows_what_failed_and_retry_begins_anew(tmp_path):
    url = f"sqlite:///{tmp_path / 'events.db'}"
    assert "There is no endpoint yet" in aural_mcp(tmp_path, "watch", "status")[1]
    out = open_outbox(url)
    with out.writing() as db:
        outbox.add_endpoint(db, "ep_1", "https://hooks.example/x", secret=None, allow=(), now=0)
        happened = [Happened("session.completed", "i", "2026-01-01T00:00:00+00:00", "COMPLETED", s) for s in "ab"]
        outbox.note(db, happened, now=0)
        one, two = (Delivery(each.event, each.type, "", 0) for each in outbox.due(db, "ep_1", 1, 2))
        outbox.settle(db, one, "ep_1", state="parked", error="answered 410, wants no more")
        outbox.settle(db, two, "ep_1", state="pending", error="answered 500", next_at=1_000_000_000)
    code, said, _ = aural_mcp(tmp_path, "watch", "status")
    assert code == 0
    assert said.splitlines()[0] == "ep_1  https://hooks.example/x: 1 pending, 0 delivered, 1 parked"
    assert f"{one.event}  session.completed  ep_1  attempt 1: answered 410, wants no more; parked" in said
    assert f"{two.event}  session.completed  ep_1  attempt 1: answered 500; again at 2001-09-09T01:46:40+00:00" in said
    assert aural_mcp(tmp_path, "watch", "retry", one.event)[1] == "1 message is on the way again.\n"
    assert aural_mcp(tmp_path, "watch", "retry")[1] == "Nothing is parked.\n"
    out.close()


def test_a_command_is_given_the_events_of_the_workspace_on_this_computer(tmp_path):
    command = [sys.executable, "-u", "-m", "aural_mcp", "watch", "--exec", "cat", "--since-beginning"]
    made = aural_mcp(tmp_path, "backend", "keys", "list")
    assert made[0] == 0
    from aural_mcp.backend.storage import exchange
    from aural_mcp.backend.storage.store import Store

    store = Store(f"sqlite:///{tmp_path / 'workspace.db'}")
    exchange.import_workspace(store, SEED)
    store.close()
    child = subprocess.Popen(
        command, env=settings_for(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    first = json.loads(child.stdout.readline())
    child.send_signal(signal.SIGINT)
    child.communicate(timeout=30)
    assert child.returncode == 0
    assert first["type"] in outbox.TYPES


async def test_an_endpoint_of_the_backend_is_made_tried_and_removed(tmp_path):
    async with Receiver(SECRET).listening() as receiver:
        url = f"{receiver.url}?token=hunter2"

        async def webhooks(*arguments):
            given = ["backend", "webhooks", *arguments]
            return await anyio.to_thread.run_sync(lambda: aural_mcp(tmp_path, *given))

        assert (await webhooks("add", url))[0] == 2
        code, said, _ = await webhooks("add", url, "--allow", "127.0.0.0/8")
        assert code == 0
        identifier, secret = re.fullmatch(r"(ep_\w{12})  Its secret, shown this once: (whsec_\S{44})\n", said).groups()
        code, said, _ = await webhooks("list")
        assert said == f"{identifier}  {receiver.url}: 0 pending, 0 delivered, 0 parked\n"
        code, said, _ = await webhooks("test", identifier)
        assert (code, said.startswith("It arrived, after ")) == (0, True)
        assert [each["type"] for each in receiver.payloads] == ["webhook.test"]
        receiver.behave = lambda _id, _times: "500"
        code, _, said = await webhooks("test", identifier)
        assert (code, said) == (1, "Error: It did not arrive: answered 500.\n")
        assert (await webhooks("remove", identifier))[0] == 0
        assert (await webhooks("remove", identifier))[0] == 1
        assert (await webhooks("test", identifier))[0] == 1
        assert "There is no endpoint yet" in (await webhooks("list"))[1]
    assert secret not in said

"""One attempt: signed, bounded, and what comes of it."""

from pathlib import Path

import anyio
import pytest

from aural_mcp.config import BadSetting
from aural_mcp.events import outbox, sending
from aural_mcp.events.addresses import read_url
from aural_mcp.events.outbox import Delivery
from aural_mcp.events.sending import Command, Outcome, Webhook, judged, read_secrets, secret_file, verdict
from receiver import HERE, SECRET, Receiver, hooked

DELIVERY = Delivery("msg_1", "session.completed", '{"type":"session.completed"}', 0)


async def test_a_message_is_signed_as_standard_webhooks_says():
    async with hooked() as (receiver, webhook):
        assert await webhook.send(DELIVERY) == Outcome()
        assert await webhook.send(DELIVERY) == Outcome()
    assert receiver.accepted == {"msg_1": DELIVERY.payload}
    assert receiver.unsigned == 0
    assert receiver.headers[0]["content-type"] == "application/json"


async def test_while_a_secret_is_changed_both_sign():
    newer = sending.new_secret()
    for secret in (SECRET, newer):
        async with Receiver(secret).listening() as receiver:
            webhook = Webhook("ep", read_url(receiver.url), read_secrets(f"{newer}\n{SECRET}\n"), HERE)
            assert await webhook.send(DELIVERY) == Outcome()
            await webhook.aclose()
        assert receiver.unsigned == 0


@pytest.mark.parametrize(
    ("way", "outcome"),
    [
        ("ok", Outcome()),
        ("huge", Outcome()),
        ("500", Outcome("answered 500")),
        ("302", Outcome("answered 302")),
        ("429", Outcome("answered 429", hold=1.0)),
        ("410", Outcome("answered 410, wants no more", parks=True)),
        ("timeout", Outcome("no answer within 0 s")),
        ("slow", Outcome("no answer within 0 s")),
        ("cut", Outcome("the connection broke, or what came is not HTTP")),
        ("garbage", Outcome("the connection broke, or what came is not HTTP")),
    ],
)
async def test_every_way_to_answer_is_understood_and_ends(way, outcome, monkeypatch):
    if way in ("timeout", "slow"):
        monkeypatch.setattr(sending, "TIME", 0.3)
    async with hooked(lambda _id, _times: way) as (_, webhook):
        with anyio.fail_after(60):
            assert await webhook.send(DELIVERY) == outcome


async def test_nobody_at_the_address_is_no_connection():
    async with hooked() as (receiver, _):
        pass
    webhook = Webhook("ep", read_url(receiver.url), read_secrets(SECRET), HERE)
    assert await webhook.send(DELIVERY) == Outcome("no connection")


def test_attempts_come_when_they_are_documented_and_then_it_is_parked():
    delays, now = [], 1000.0
    for attempt in range(1, 11):
        state, next_at = verdict(Outcome("answered 500"), attempt, now, draw=lambda: 0.0)
        delays.append(next_at - now)
    assert delays[:-1] == [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400]
    assert state == outbox.PARKED
    assert verdict(Outcome("x"), 2, now, draw=lambda: 1.0)[1] == now + 330
    assert verdict(Outcome(), 10, now) == (outbox.DELIVERED, now)
    assert verdict(Outcome("x", parks=True), 1, now)[0] == outbox.PARKED


@pytest.mark.parametrize(
    ("given", "seconds"),
    [("120", 120), ("Thu, 01 Jan 1970 00:20:00 GMT", 200), ("-5", 0), ("soon", 0), ("", 0), ("9" * 40, 86_400)],
)
def test_retry_after_is_honoured_within_bounds(given, seconds):
    outcome = judged(503, [(b"Retry-After", given.encode())], 1000.0)
    assert outcome.hold == seconds
    _, next_at = verdict(outcome, 1, 1000.0, draw=lambda: 0.0)
    assert next_at == 1000 + max(5, seconds)


@pytest.mark.parametrize("text", ["", "whsec_", "whsec_short", "secret", f"whsec_{'A' * 400}", f"{SECRET}\nnonsense"])
def test_a_secret_of_another_shape_is_refused(text):
    with pytest.raises(BadSetting, match="whsec_"):
        read_secrets(text)


def test_a_secret_file_is_made_for_its_owner_only_and_then_kept(tmp_path):
    file = tmp_path / "secret"
    keys, made = secret_file(file)
    assert (made, file.stat().st_mode & 0o777) == (True, 0o600)
    assert secret_file(file) == (keys, False)
    with pytest.raises(BadSetting, match="cannot be read or made"):
        secret_file(tmp_path / "nowhere" / "secret")


async def test_a_command_gets_the_event_and_its_id(tmp_path, monkeypatch):
    got = tmp_path / "got"
    line = f"cat > {got} && echo $AURAL_EVENT_ID >> {got}"
    assert await Command("exec", line, {"PATH": "/usr/bin:/bin"}).send(DELIVERY) == Outcome()
    assert got.read_text() == f"{DELIVERY.payload}\nmsg_1\n"
    assert await Command("exec", "exit 3", {}).send(DELIVERY) == Outcome("the command ended with 3")
    monkeypatch.setattr(sending, "EXEC_TIME", 2.0)
    started = tmp_path / "started"
    outcome = await Command("exec", f"sleep 60 & echo $! > {started}; wait", {"PATH": "/usr/bin:/bin"}).send(DELIVERY)
    assert outcome == Outcome("the command did not end within 2 s")
    with anyio.fail_after(60):
        while Path(f"/proc/{started.read_text().strip()}/cwd").exists():
            await anyio.sleep(0.01)


async def test_a_command_finds_no_key_and_no_other_secret_of_ours_in_its_environment(tmp_path):
    given = {
        "PATH": "/usr/bin:/bin",
        "HOME": "/home/ana",
        "LC_ALL": "C.UTF-8",
        "AURAL_API_KEY": "dlv_test_canary",
        "AURAL_API_KEY_FILE": "/secret/key",
        "AURAL_STATE_KEYS": "x" * 32,
        "AURAL_LLM_API_KEY": "sk-canary",
        "OPENAI_API_KEY": "sk-canary",
        "PGPASSWORD": "canary",
        "DATABASE_URL": "postgresql://u:canary@host/db",
        "HTTPS_PROXY": "http://u:canary@proxy",
    }
    seen = tmp_path / "seen"
    assert await Command("exec", f"env > {seen}", given).send(DELIVERY) == Outcome()
    names = {line.partition("=")[0] for line in seen.read_text().splitlines()}
    assert {"PATH", "HOME", "LC_ALL", "AURAL_EVENT_ID"} <= names
    assert names - {"PATH", "HOME", "LC_ALL", "AURAL_EVENT_ID", "PWD", "SHLVL", "_", "OLDPWD"} == set()

"""What becomes of the key behind a sign-in: where it is, where it is not, and when it ends."""

import logging
import sqlite3

import anyio
import pytest
from click.testing import CliRunner

from aural_mcp.cli.main import commands
from aural_mcp.server import following, resources
from aural_mcp.server.sign_in.sealing import Seal
from aural_mcp.server.web import app
from conftest import KEY
from processes import aural_mcp
from signed_in import BARE, PRESENT
from signing import (
    STATE_KEY,
    Place,
    asking,
    call,
    calling,
    consent,
    living,
    redeem,
    refreshed,
    register,
    result_of,
    said,
    signed_in,
)

LIST = "list_interviews"
NEWER = b"another-key-of-the-operator-for-now"


def sealed_in(file):
    with sqlite3.connect(file) as db:
        return db.execute("select kind, digest, sign_in, sealed from tokens where sealed is not null").fetchall()


async def test_a_key_and_tokens_stand_in_no_file_no_log_no_page_no_address_and_no_result(place, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    shown = []

    async def keep(response):
        await response.aread()
        shown.append(f"{response.headers} {response.request.url} {response.text}")

    async with place.http(event_hooks={"response": [keep]}) as http:
        client = await register(http)
        page = await http.get(asking(client))
        await consent(http, page, key="dlv_wrong_canary")
        code = said(await consent(http, page))["code"]
        first = (await redeem(http, client, code)).json()
        given = shown.pop()
        second = (await refreshed(http, client, first["refresh_token"])).json()
        shown.pop()
        for version in ("2025-11-25", "2026-07-28"):
            result_of(await call(http, second["access_token"], LIST, version))
        await call(http, "wrong", LIST)
    tokens = [each[name] for each in (first, second) for name in ("access_token", "refresh_token")]
    files = b"".join(each.read_bytes() for each in tmp_path.iterdir() if each.name.startswith("state.db"))
    logged = "\n".join(each.getMessage() for each in caplog.records if not each.name.startswith("http"))
    assert KEY not in given
    for secret in (KEY, "dlv_wrong_canary", KEY[4:]):
        assert secret.encode() not in files
        assert secret not in logged + "".join(shown)
    for token in (*tokens, code):
        assert token.encode() not in files
        assert token not in logged
    assert not any(token in each for token in tokens for each in shown)


async def test_the_file_and_the_operator_s_secret_give_no_key_not_even_together(place, http):
    _, got = await signed_in(http)
    assert {kind for kind, *_ in sealed_in(place.file)} == {"access", "refresh"}  # a code that was used opens nothing
    for kind, place_of, sign_in, sealed in sealed_in(place.file):
        where = f"{kind} {place_of} {sign_in}"
        for guess in ("", place_of, sign_in, KEY):
            assert Seal([STATE_KEY]).open(sealed, guess, where) is None
        token = {"access": got["access_token"], "refresh": got["refresh_token"]}[kind]
        assert Seal([NEWER]).open(sealed, token, where) is None
        assert Seal([STATE_KEY]).open(sealed, token, f"{where}x") is None
        assert Seal([STATE_KEY]).open(sealed, token, where) == KEY


async def test_the_operator_s_secret_is_changed_and_nobody_signs_in_again(world, tmp_path, place, http):
    client, got = await signed_in(http)
    async with living(Place(world, tmp_path, keys=(NEWER, STATE_KEY))) as both, both.http() as there:
        assert (await call(there, got["access_token"], LIST)).status_code == 200
        got = (await refreshed(there, client, got["refresh_token"])).json()
    async with living(Place(world, tmp_path, keys=(NEWER,))) as later, later.http() as there:
        assert (await call(there, got["access_token"], LIST)).status_code == 200
    async with living(Place(world, tmp_path)) as before, before.http() as there:
        assert (await call(there, got["access_token"], LIST)).status_code == 401


@pytest.mark.parametrize("version", ["2025-11-25", "2026-07-28"])
async def test_a_sign_in_ends_when_the_backend_refuses_its_key(place, http, version):
    _, got = await signed_in(http)
    place.backend.withdrawn = True
    assert result_of(await call(http, got["access_token"], LIST, version))["isError"]
    place.backend.withdrawn = False
    answer = await call(http, got["access_token"], LIST)
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


@pytest.mark.parametrize("how", ["revoked", "withdrawn"])
async def test_a_subscription_ends_with_its_sign_in(place, http, monkeypatch, how):
    client, got = await signed_in(http, access="write")
    made = result_of(await call(http, got["access_token"], "create_interview", title="T"))["structuredContent"]["id"]
    monkeypatch.setattr(app, "WATCHED", 0.05)

    async def soon(_):
        return 0.05

    monkeypatch.setattr(following.Following, "_pause", soon)
    address = resources.SESSIONS.replace("{interviewId}", made)
    asked = PRESENT.call("subscriptions/listen", {"notifications": {"resourceSubscriptions": [address]}})
    headers = BARE | PRESENT.headers("subscriptions/listen") | {"authorization": f"Bearer {got['access_token']}"}
    answers = []

    async def follow():
        answers.append(await http.post("/mcp", json=asked, headers=headers, timeout=None))

    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(follow)
            while not place.server._polling:
                await anyio.sleep(0.01)
            if how == "revoked":
                await http.post("/revoke", data={"client_id": client, "token": got["access_token"]})
            else:
                place.backend.withdrawn = True
    assert "acknowledged" in answers[0].text
    place.backend.withdrawn = False
    assert (await call(http, got["access_token"], LIST)).status_code == 401


async def test_a_key_in_a_header_is_taken_beside_a_sign_in_only_where_the_operator_says(world, tmp_path):
    async with living(Place(world, tmp_path, header_keys=True)) as place, place.http() as http:
        for headers in ({"authorization": f"Bearer {KEY}"}, {"x-api-key": KEY}):
            sent = calling(LIST)
            assert not result_of(
                await http.post("/mcp", headers={**sent["headers"], **headers}, json=sent["json"])
            ).get("isError")
        assert (await call(http, "", LIST)).status_code == 401
        _, got = await signed_in(http)
        assert (await call(http, got["access_token"], LIST)).status_code == 200


async def typed(*arguments):
    """What a command says, beside the event loop, as it has one of its own."""
    return await anyio.to_thread.run_sync(CliRunner().invoke, commands(), ["sign-ins", *arguments])


async def test_the_operator_sees_who_is_signed_in_and_ends_it(place, http, tmp_path, monkeypatch):
    for name in ("AURAL_STATE_KEYS", "AURAL_API_KEY", "AURAL_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AURAL_DATA_DIR", str(tmp_path))
    _, first = await signed_in(http)
    _, second = await signed_in(http, access="write")
    listed = (await typed("list")).output
    rows = [line.split("  ") for line in listed.splitlines()[1:3]]
    assert [[cell.strip() for cell in row if cell][1:4] for row in rows] == [
        ["Host", "a key", "read and change"],
        ["Host", "a key", "read"],
    ]
    assert not any(each in listed for each in (KEY, first["access_token"], second["refresh_token"]))
    ended = await typed("revoke", rows[0][0])
    assert (ended.exit_code, "1 sign-in has ended" in ended.output) == (0, True)
    place.forget()
    assert (await call(http, second["access_token"], LIST)).status_code == 401
    assert (await call(http, first["access_token"], LIST)).status_code == 200
    assert (await typed("revoke", "nobody")).exit_code == 1
    assert (await typed("revoke")).exit_code == 2
    await typed("revoke", "--all")
    assert "Nobody" in (await typed("list")).output


@pytest.mark.parametrize(
    "command", [("sign-ins", "list"), ("sign-ins", "revoke", "--all"), ("serve", "--http", "--sign-in", "key")]
)
def test_nobody_is_said_to_be_signed_in_or_out_where_that_cannot_be_read(tmp_path, command):
    (tmp_path / "state.db").write_text("This is no database, and nobody can tell what was in it." * 20)
    status, out, said = aural_mcp(tmp_path, *command, AURAL_STATE_KEYS="0123456789abcdef" * 2)
    assert (status != 0, out) == (True, "")
    for words in ("state.db", "cannot be opened", "AURAL_DATA_DIR"):
        assert words in said

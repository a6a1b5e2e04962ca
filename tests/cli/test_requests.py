"""`aural-mcp requests` as a person meets it: what is open, and how it is closed."""

import json
import re
from functools import partial
from pathlib import Path

import httpx
import pytest
from mcp import Client
from sqlalchemy import select

from aural_mcp.backend.storage import tables
from aural_mcp.backend.storage.store import Store
from aural_mcp.cli.setup import run
from aural_mcp.client.client import AuralClient
from aural_mcp.client.state import State
from aural_mcp.workflows.decisions import kept
from conftest import KEY, ORIGIN, begin, make_world, ok, published
from processes import aural_mcp

HEADERS = {"authorization": f"Bearer {KEY}"}


@pytest.fixture
async def home(tmp_path):
    """The data folder of a workspace in which people ask for a person and a correction, and one is owed."""
    world = make_world(f"sqlite:///{tmp_path / 'workspace.db'}")
    async with Client(world.server) as agent:
        made = await published(agent, [{"text": "Q"}], title="Backend engineer")
        people = [{"name": "Ann \x1b[31mLee", "email": "ann@x.test"}]
        invited = (await ok(agent, "create_candidates", interviewId=made["id"], candidates=people))["data"][0]
        async with world.browser() as browser, world.browser() as other:
            await begin(browser, made["url"], "Robin Vega")
            await browser.post(f"{made['url']}/person", data={"email": "robin@x.test"})
            words = {"kind": "correct", "text": "My name\nis Lee-Park"}
            await other.post(f"{invited['inviteUrl']}/request", data=words)
            await begin(other, made["url"], "Cem")
        rows = (await ok(agent, "list_sessions", interviewId=made["id"]))["data"]
    session = next(row["id"] for row in rows if row["participantName"] == "Cem")
    decision = {"decision": "reject", "reason": "R"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(world.app), base_url=ORIGIN) as http:
        assert (
            await http.put(f"/api/v1/sessions/{session}/decision", json=decision, headers=HEADERS)
        ).status_code == 200
    world.store.close()
    return tmp_path


def rows_of(out):
    """The cells of the table, by what is asked for."""
    table = [re.split(r"  +", line.strip()) for line in out.splitlines()[1:] if re.match(r"[0-9a-f]{8} ", line)]
    return {row[1]: row for row in table if len(row) > 2}


async def test_what_is_open_is_listed_and_closed_once_and_stands_in_the_decision_log(home):
    code, out, err = aural_mcp(home, "requests", "list", COLUMNS="200")
    assert code == 0, err
    rows = rows_of(out)
    assert [*rows] == ["a person", "a correction", "an explanation"]
    assert rows["a person"][2:4] == ["Robin Vega <robin@x.test>", "Backend engineer"]
    assert "writes: My name is Lee-Park" in out
    assert "\x1b" not in out
    wish = rows["a person"][0]
    code, out, _ = aural_mcp(home, "requests", "close", wish, "--note", "Called on Monday")
    assert (code, out.startswith(f"Closed {wish}: a person, since 20")) == (0, True)
    assert "The candidate can go on, and be scored." in out
    code, _, err = aural_mcp(home, "requests", "close", wish)
    assert (code, "closed it already, on 20" in err) == (1, True)
    code, out, _ = aural_mcp(home, "requests", "close", rows["an explanation"][0])
    assert code == 0
    code, out, _ = aural_mcp(home, "requests", "list", COLUMNS="200")
    assert [*rows_of(out)] == ["a correction"]
    line = json.loads((home / "audit.jsonl").read_text().splitlines()[0])
    assert (line["tool"], line["reason"], [*line["ids"]]) == (
        "requests_close",
        "Called on Monday",
        ["interviewId", "sessionId"],
    )
    assert line["by"]["name"]
    assert not re.search("Robin|robin", (home / "audit.jsonl").read_text())
    store = Store(f"sqlite:///{home / 'workspace.db'}")
    with store.reading() as db:
        closed = db.execute(select(tables.requests.c.closedBy).where(tables.requests.c.id.startswith(wish))).scalar()
        assert closed == line["by"]["name"]
        assert db.execute(select(tables.sessions.c[tables.ASKS])).scalars().all() == [None, None]
    store.close()


@pytest.mark.parametrize("given", ["", "nosuch", "%"])
async def test_an_id_that_is_none_is_said(home, given):
    code, _, err = aural_mcp(home, "requests", "close", given)
    assert (code, "nothing open has this id. `aural-mcp requests list` shows what is open." in err) == (1, True)


async def test_where_nobody_is_named_nobody_is(home):
    _, out, err = aural_mcp(home, "requests", "list", AURAL_BLIND="1", COLUMNS="200")
    assert not re.search("Robin|Ann|Cem|Lee|x.test", out)
    assert "nobody is named here." in err


def test_with_a_key_for_aural_explanations_are_those_that_this_computer_keeps(tmp_path):
    settings = {"AURAL_API_KEY": "dlv_test_cloud", "AURAL_BASE_URL": "https://aural.example/api/v1"}
    session = "aBcD1111-0000-4000-8000-000000000001"
    client = AuralClient(
        settings["AURAL_API_KEY"], settings["AURAL_BASE_URL"], state=State(lambda: Path(tmp_path) / "state.db")
    )
    made = {"decision": "reject", "reason": "R", "at": "2026-10-01T10:00:00+00:00"}
    decided = {session: made, session.replace("1111-", "2222-"): made | {"decision": "hold"}}
    run(client.state, partial(kept(client).note, decided))
    code, out, err = aural_mcp(tmp_path, "requests", "list", COLUMNS="200", **settings)
    assert (code, "Aural stores no requests of candidates" in err) == (0, True)
    assert re.search(
        rf"aBcD1111 +an explanation +session {session} +- +2026-10-01 10:00 +2026-10-31 10:00 \(over\)", out
    )
    assert aural_mcp(tmp_path, "requests", "close", "aBcD1111", **settings)[0] == 0
    assert "Nobody waits for anything." in aural_mcp(tmp_path, "requests", "list", **settings)[1]


@pytest.mark.parametrize("note", ["Called Robin", "Wrote to robin@x.test", "Rang +49 151 23456789"])
async def test_a_note_that_names_somebody_is_refused_as_the_log_could_not_forget_it(home, note):
    wish = rows_of(aural_mcp(home, "requests", "list", COLUMNS="200")[1])["a person"][0]
    code, _, err = aural_mcp(home, "requests", "close", wish, "--note", note)
    assert (code, "say what was done, not for whom" in err) == (1, True)
    assert aural_mcp(home, "requests", "close", wish, "--note", "Spoke on the phone")[0] == 0
    assert note not in (home / "audit.jsonl").read_text()


async def test_where_the_log_cannot_be_written_nothing_is_closed_and_that_is_said_in_a_line(home):
    (home / "audit.jsonl").mkdir()
    wish = rows_of(aural_mcp(home, "requests", "list", COLUMNS="200")[1])["a person"][0]
    code, _, err = aural_mcp(home, "requests", "close", wish)
    assert (code, err.startswith("Error: The decision log"), "Traceback" in err) == (1, True, False)
    assert "a person" in rows_of(aural_mcp(home, "requests", "list", COLUMNS="200")[1])


@pytest.mark.parametrize("mode", ["AURAL_BLIND", "AURAL_LOCKDOWN"])
async def test_nobody_is_named_where_nobody_is_to_be(home, mode):
    code, out, err = aural_mcp(home, "requests", "list", COLUMNS="200", **{mode: "1"})
    assert (code, "nobody is named here" in err) == (0, True)
    assert "a correction" in out
    assert not re.search("Robin|robin|Lee|Cem", out)

"""`aural-mcp erase` and `retention`: afterwards nothing of somebody is in any file, and nobody else misses anything."""

import json
import re
import sqlite3
import time
import unicodedata
from datetime import UTC, datetime

import httpx
import pytest
from mcp import Client
from sqlalchemy import insert, select, update

from aural_mcp.api.models import Candidate
from aural_mcp.backend.storage import tables
from aural_mcp.backend.storage.store import Store, new_id, now
from aural_mcp.client.client import AuralClient
from aural_mcp.client.state import State
from aural_mcp.events import outbox, snapshots
from aural_mcp.events.run import open_outbox
from aural_mcp.workflows.decisions import kept
from aural_mcp.workflows.mail.ledger import mail_ledger
from conftest import DATABASES, KEY, ORIGIN, answer, make_world, ok, refused
from processes import aural_mcp, backend, free_port, on_stdio
from rows import add_session

NAME, ADDRESS, PHONE = "Zoë Ångström-Nuñez", "Zoe.Angstrom@Example.org", "+46 70 123 45 67"
OTHER = {"name": "Zoë Ångström", "email": "other.zoe@example.org", "phone": "+46 70 999 88 77"}
NAMESAKE = {"name": NAME, "email": "namesake@example.net"}
WORDS = "I rewired the quayside semaphore with über-care"
KEPT = "I kept the lighthouse"
HOOK = "http://127.0.0.1:9/hook"


def spellings(text):
    """A text as some program may have written it."""
    forms = {unicodedata.normalize(form, text) for form in ("NFC", "NFD", "NFKC")}
    forms |= {each.lower() for each in forms} | {each.upper() for each in forms} | {each.casefold() for each in forms}
    for each in set(forms):
        yield each.encode()
        yield each.encode("utf-16-le")
        yield json.dumps(each)[1:-1].encode()


def found_in(folder, texts, ids=()):
    """Which files have which of the texts in any spelling, or of the ids, which the decision log may have."""
    found = []
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        content = path.read_bytes()
        found += [(path.name, text) for text in texts if any(each in content for each in spellings(text))]
        found += [(path.name, each) for each in ids if path.name != "audit.jsonl" and each.encode() in content]
    return found


def erase(folder, *arguments, **settings):
    return aural_mcp(folder, "erase", *arguments, **settings)


def place(folder):
    return f"sqlite:///{folder / 'workspace.db'}"


@pytest.fixture
async def office(tmp_path):
    """A workspace that hosts and candidates used: somebody in two interviews, a namesake, somebody called alike."""
    folder = tmp_path / "data"
    assert aural_mcp(folder, "backend", "webhooks", "add", HOOK, "--allow", "127.0.0.0/8")[0] == 0
    async with on_stdio(folder, "auto") as agent:
        ids = []
        for title in ("Harbour engineer", "Night watch"):
            made = await ok(agent, "create_interview", title=title)
            await ok(agent, "create_questions", interviewId=made["id"], questions=[{"text": "What did you build?"}])
            ids.append(made["id"])
        await ok(agent, "publish_interview", interviewId=ids[1])
        given = [{"name": NAME, "email": ADDRESS, "phone": PHONE, "notes": f"{NAME} was kind"}, OTHER]
        people = (await ok(agent, "create_candidates", interviewId=ids[0], candidates=given))["data"]
        line = f"name,email\n{NAME},{ADDRESS}\n{NAMESAKE['name']},{NAMESAKE['email']}\n"
        await ok(agent, "import_candidates", interviewId=ids[1], data=line, dryRun=False)
        await ok(agent, "find_person", who=NAME)
        await _sat(folder, [each["inviteUrl"] for each in people], ids[1])
        await ok(agent, "wait_for_sessions", interviewId=ids[0])
        await ok(agent, "wait_for_sessions", interviewId=ids[1])
        await ok(agent, "list_candidates", interviewId=ids[0])
    store = Store(place(folder))
    with store.writing() as db:
        mine = select(tables.sessions).where(tables.sessions.c.participantEmail.in_([ADDRESS, ADDRESS.lower()]))
        sessions = [dict(each) for each in db.execute(mine).mappings()]
        for each in sessions:
            log = [{"type": "began_twice", "timestamp": 1, "detail": f"Same device as session {each['id']}."}]
            others = tables.sessions.c.participantEmail == OTHER["email"]
            db.execute(update(tables.sessions).where(others).values(antiCheatingLog=log))
            request = {"interviewId": each["interviewId"], "sessionId": each["id"], "kind": "delete", "at": now()}
            db.execute(insert(tables.requests).values(id=new_id(), text=f"I, {NAME}, want it", **request))
            made = {"sessionId": each["id"], "decision": "reject", "at": now()}
            db.execute(insert(tables.decisions).values(id=new_id(), reason=f"{NAME} lacks", **made))
        db.execute(update(tables.interviews).values(invitedEmails=[ADDRESS, OTHER["email"]]))
    store.close()
    assert len(sessions) == 2
    return folder, ids, [each["id"] for each in sessions]


async def _sat(folder, links, public):
    """The interviews, taken on the pages."""
    world = make_world(place(folder))
    for link, words in zip(links, (WORDS, KEPT), strict=True):
        path = httpx.URL(link).path
        async with world.browser() as browser:
            await browser.get(path)
            page = await browser.post(f"{path}/start", data={"consent": "yes"})
            await answer(browser, page, words)
    async with Client(world.server) as agent:
        listed = await ok(agent, "list_candidates", interviewId=public, include=["inviteUrl"])
        link = next(each["inviteUrl"] for each in listed["data"] if each["email"] == ADDRESS.lower())
    async with world.browser() as browser:
        page = await browser.post(f"{httpx.URL(link).path}/start", data={"consent": "yes"})
        await answer(browser, page, WORDS)
    world.store.close()


async def test_afterwards_no_file_has_anything_of_the_person(office):
    folder, _, sessions = office
    texts = [NAME, ADDRESS, PHONE, WORDS]
    before = {each for _, each in found_in(folder, texts)}
    assert before == set(texts)
    assert found_in(folder, [], sessions)
    code, out, err = erase(folder, ADDRESS.upper(), "--yes")
    assert (code, err) == (0, "")
    assert "Erased: 2 sessions, 2 registered candidates," in out
    namesake = found_in(folder, [NAME])
    assert {name for name, _ in namesake} <= {"workspace.db", "state.db"}, "the namesake has the name"
    assert found_in(folder, texts[1:], sessions) == []
    code, out, _ = erase(folder, NAMESAKE["email"], "--yes")
    assert code == 0
    assert found_in(folder, texts, sessions) == []


async def test_others_keep_everything(office):
    folder, interviews, sessions = office
    assert erase(folder, ADDRESS, "--yes")[0] == 0
    world = make_world(place(folder))
    async with Client(world.server) as agent:
        listed = await ok(agent, "list_candidates", interviewId=interviews[0], include=["phone"])
        assert [(each["email"], each["phone"]) for each in listed["data"]] == [(OTHER["email"], OTHER["phone"])]
        found = await ok(agent, "list_sessions", interviewId=interviews[0])
        read = await ok(agent, "get_session", sessionId=found["data"][0]["id"])
        assert KEPT in json.dumps(read)
        assert [each["email"] for each in (await ok(agent, "list_candidates", interviewId=interviews[1]))["data"]] == [
            NAMESAKE["email"]
        ]
        assert "a session that was erased" in json.dumps(await ok(agent, "get_session_report", sessionId=read["id"]))
    with world.store.reading() as db:
        assert db.execute(select(tables.interviews.c.invitedEmails)).scalars().all() == [[OTHER["email"]]] * 2
    world.store.close()
    with sqlite3.connect(folder / "workspace.db") as db:
        payloads = [text for (text,) in db.execute("select payload from aural_mcp_events")]
    assert payloads
    assert not any(each in text for each in sessions for text in payloads)


async def test_it_asks_shows_what_goes_and_does_nothing_at_a_no(office):
    folder, _, sessions = office
    for arguments in ((ADDRESS,), (ADDRESS, "--dry-run"), (sessions[0], "--dry-run")):
        code, out, err = erase(folder, *arguments)
        assert "Harbour engineer" in out
        assert "In all: 2 sessions, 2 registered candidates," in out
        assert not any(each in out for each in ("antiCheatingLog", "invitedEmails")), "what is cleaned does not stay"
        assert (code, "Aborted" in err) == ((0, False) if "--dry-run" in arguments else (1, True))
        assert found_in(folder, [WORDS], sessions)


async def test_a_second_run_finds_nothing_and_says_when_it_was(office):
    folder, _, sessions = office
    erase(folder, ADDRESS, "--yes")
    code, out, _ = erase(folder, ADDRESS, "--yes")
    assert (code, f"was erased on {datetime.now(UTC):%Y-%m-%d}" in out) == (1, True)
    code, out, _ = erase(folder, sessions[0], "--yes")
    assert (code, "Nobody here" in out) == (1, True)


async def test_a_name_that_several_have_erases_nobody(office):
    folder, _, sessions = office
    code, out, err = erase(folder, unicodedata.normalize("NFD", NAME.upper()), "--yes")
    assert (code, "2 people are called so. Nothing was erased" in err) == (1, True)
    assert ADDRESS.lower() in out
    assert NAMESAKE["email"] in out
    assert found_in(folder, [WORDS], sessions)
    code, out, _ = erase(folder, OTHER["name"], "--yes")
    assert (code, "Erased: 1 session" in out) == (0, True)


async def test_the_decision_log_says_who_erased_what_and_no_name(office):
    folder, _, sessions = office
    erase(folder, ADDRESS, "--yes")
    line = json.loads((folder / "audit.jsonl").read_text().splitlines()[-1])
    assert (line["tool"], line["outcome"]) == ("erase", "done")
    assert set(line["ids"]["sessionId"]) == set(sessions)
    assert line["by"]["application"] == "aural-mcp erase"
    assert aural_mcp(folder, "audit", "verify")[0] == 0


async def test_what_it_cannot_reach_is_named(office, tmp_path):
    folder, interviews, _ = office
    files = tmp_path / "files"
    files.mkdir()
    (files / "utf8.csv").write_text(f"x\n{unicodedata.normalize('NFD', NAME.lower())}\n")
    (files / "latin.txt").write_bytes(f"wrote {NAME}".encode("cp1252"))
    (files / "wide.csv").write_bytes(f"mail {ADDRESS}".encode("utf-16"))
    (files / "escaped.json").write_text(json.dumps([NAME]))
    (files / "number.txt").write_text("call 0046 (70) 12 345-67 now")
    (files / "others.csv").write_text("Zoë Ångström, 46 70 999 88 77, zoe@example.org, xzoe.angstrom@example.org")
    (files / "book.xlsx").write_bytes(b"PK")
    (folder / "workspace.db.v1").write_bytes(b"x")
    world = make_world(place(folder))
    add_session(world, interviews[0], ["Who?", f"I worked with {NAME.upper()}."], participantName="Bo")
    world.store.close()
    async with on_stdio(folder, "auto") as agent:
        await ok(agent, "archive_interview", interviewId=interviews[1], reason=f"because of {NAME}")
    code, out, _ = erase(folder, ADDRESS, "--yes", AURAL_FILES=str(files))
    assert code == 0
    named = {each.name for each in files.iterdir() if f"{each} names them" in out}
    assert named == {"utf8.csv", "latin.txt", "wide.csv", "escaped.json", "number.txt"}
    assert "1 file that cannot be looked into" in out
    assert "audit.jsonl: 1 line gives a reason" in out
    assert "workspace.db.v1" in out
    assert "restart them" in out
    assert "content" in out.partition("Others' rows")[2].partition("\n\n")[0]


async def test_a_name_too_short_to_be_looked_for_is_said(world, tmp_path, database):
    files = tmp_path / "files"
    files.mkdir()
    (files / "list.csv").write_text("Al\n")
    async with Client(world.server) as agent:
        made = (await ok(agent, "create_interview", title="A"))["id"]
        await ok(agent, "create_candidates", interviewId=made, candidates=[{"name": "Al", "email": "al@example.org"}])
    code, out, _ = erase(tmp_path, "al", "--yes", "--database", database, "--files", str(files))
    assert (code, "names them" in out) == (0, False)
    assert "The name “Al” is too short to be looked for" in out


async def test_whoever_is_at_the_file_is_named(office):
    folder, _, _ = office
    with sqlite3.connect(folder / "workspace.db") as reader:
        reader.execute("begin")
        reader.execute("select count(*) from messages").fetchone()
        code, out, _ = erase(folder, ADDRESS, "--yes")
        assert (code, "workspace.db could not be rewritten" in out) == (0, True)
        reader.execute("rollback")
    assert "could not be rewritten" not in erase(folder, ADDRESS)[1]
    assert found_in(folder, [ADDRESS, WORDS]) == []


async def test_what_is_left_where_another_process_read_state_db_goes_with_the_same_command_again(office):
    folder, _, sessions = office
    with sqlite3.connect(folder / "state.db", isolation_level=None) as host:
        host.execute("begin")
        host.execute("select count(*) from creates").fetchone()
        code, out, _ = erase(folder, ADDRESS, "--yes")
        assert (code, "state.db could not be rewritten" in out) == (0, True)
        host.execute("commit")
        assert found_in(folder, [ADDRESS])
        assert "could not be rewritten" not in erase(folder, ADDRESS)[1]
        assert found_in(folder, [ADDRESS, PHONE], sessions) == [], "though the host still has the file open"


async def test_where_state_db_or_the_decision_log_cannot_be_written_nobody_is_erased_in_part(office):
    folder, _, sessions = office
    with sqlite3.connect(folder / "state.db", isolation_level=None) as host:
        host.execute("begin immediate")
        code, out, err = erase(folder, ADDRESS, "--yes")
        host.execute("rollback")
    assert (code, "Erased" in out, "nothing was erased" in err) == (1, False, True)
    log = folder / "audit.jsonl"
    log.rename(folder / "kept")
    log.mkdir()
    code, out, err = erase(folder, ADDRESS, "--yes")
    assert (code, "Erased" in out, "The decision log" in err, "Traceback" in err) == (1, False, True, False)
    log.rmdir()
    (folder / "kept").rename(log)
    assert {name for name, _ in found_in(folder, [ADDRESS], sessions)} == {"workspace.db", "state.db"}
    assert erase(folder, ADDRESS, "--yes")[0] == 0
    assert found_in(folder, [ADDRESS, PHONE, WORDS], sessions) == []


# ── Not brought back unasked ────────────────────────────────────────────────────────────────────


async def test_an_import_names_who_was_erased_and_leaves_them_out(office):
    folder, interviews, _ = office
    erase(folder, ADDRESS, "--yes")
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    lines = (
        f"name;email;phone\n{NAME};{ADDRESS};\nZoe A;;0046 70 123 45 67\nNew One;new@example.org;\n"
        f"{OTHER['name']};zoe.two@example.org;\n"
    )
    async with on_stdio(folder, "auto") as agent:
        for dry in (True, False):
            asked = {"interviewId": interviews[0], "data": lines, "dryRun": dry}
            told = await ok(agent, "import_candidates", **asked)
            assert (told["new"], told["invalid"]) == (2, 2)
            assert [each["line"] for each in told["problems"]] == [2, 3]
            assert all(f"was erased on {today}" in each["said"] for each in told["problems"])
        people = [{"name": "New Two", "email": "two@example.org"}, {"name": "Z", "email": ADDRESS.lower()}]
        said = await refused(agent, "create_candidates", {"interviewId": interviews[0], "candidates": people})
        assert f"number 2 ({today}) was erased here before" in said
        assert "allowDuplicate true" in said
        emails = [each["email"] for each in (await ok(agent, "list_candidates", interviewId=interviews[0]))["data"]]
        assert ADDRESS.lower() not in emails
        assert "two@example.org" not in emails
        again = {"interviewId": interviews[0], "candidates": people, "allowDuplicate": True}
        assert len((await ok(agent, "create_candidates", **again))["data"]) == 2


async def test_who_had_neither_address_nor_number_is_known_by_name_in_that_interview(world, tmp_path, database):
    async with Client(world.server) as agent:
        one = (await ok(agent, "create_interview", title="A"))["id"]
        other = (await ok(agent, "create_interview", title="B"))["id"]
        await ok(agent, "create_candidates", interviewId=one, candidates=[{"name": "Ana Maria"}])
        code, out, err = erase(tmp_path / "data", "ana  MARIA", "--yes", "--database", database)
        assert (code, err, "1 registered candidate" in out) == (0, "", True)
        said = await refused(agent, "create_candidates", {"interviewId": one, "candidates": [{"name": "Ana maria"}]})
        assert "was erased here before" in said
        await ok(agent, "create_candidates", interviewId=other, candidates=[{"name": "Ana Maria"}])
        await ok(agent, "create_candidates", interviewId=one, candidates=[{"name": "Ana Maria", "email": "a@b.org"}])


# ── Elsewhere ───────────────────────────────────────────────────────────────────────────────────


@DATABASES
async def test_no_table_has_anything_of_the_person(world, tmp_path, database):
    async with Client(world.server) as agent:
        made = (await ok(agent, "create_interview", title="A"))["id"]
        people = [{"name": NAME, "email": ADDRESS, "phone": PHONE}, OTHER]
        link = (await ok(agent, "create_candidates", interviewId=made, candidates=people))["data"][0]["inviteUrl"]
        await ok(agent, "create_questions", interviewId=made, questions=[{"text": "Q"}])
    async with world.browser() as browser:
        page = await browser.post(f"{link}/start", data={"consent": "yes"})
        await answer(browser, page, WORDS)
    texts, before = [NAME, ADDRESS.lower(), PHONE, WORDS], _all_rows(world.store)
    assert all(each in before for each in texts)
    code, out, err = erase(tmp_path / "data", ADDRESS, "--yes", "--database", database)
    assert (code, err) == (0, "")
    assert ("VACUUM FULL" in out) == world.store.shared
    after = _all_rows(world.store)
    assert not any(each in after for each in texts)
    assert OTHER["email"] in after


def _all_rows(store):
    with store.reading() as db:
        every = [*tables.metadata.sorted_tables, *outbox.metadata.sorted_tables]
        return repr([tuple(row) for table in every for row in db.execute(select(table))])


@pytest.fixture
async def cloud(tmp_path):
    """A backend that is asked with a key, as Aural is, and the settings of who asks."""
    folder, port = tmp_path / "there", free_port()
    async with backend(folder, port, "--no-desk") as said:
        key = re.search(r"dlv_\w+", said)[0]
        yield {"AURAL_API_KEY": key, "AURAL_BASE_URL": f"http://127.0.0.1:{port}/api/v1"}


async def test_where_the_api_cannot_erase_it_lists_what_to_delete_and_erases_our_traces(cloud, tmp_path):
    folder = tmp_path / "here"
    async with on_stdio(folder, "auto", **cloud) as agent:
        made = (await ok(agent, "create_interview", title="Harbour engineer"))["id"]
        line = f"name,email\n{NAME},{ADDRESS}\n{OTHER['name']},{OTHER['email']}\n"
        await ok(agent, "import_candidates", interviewId=made, data=line, dryRun=False)
        listed = (await ok(agent, "list_candidates", interviewId=made))["data"]
        mine = next(each["id"] for each in listed if each["email"] == ADDRESS.lower())
        await ok(agent, "wait_for_sessions", interviewId=made)
    state = folder / "state.db"
    assert found_in(folder, [NAME], [mine])
    with sqlite3.connect(state) as db:
        imported = db.execute("select count(*) from journal where task like 'import %'").fetchone()
    assert imported == (2,)
    for arguments, changes in (((ADDRESS, "--dry-run"), False), ((mine, "--yes"), True)):
        code, out, err = erase(folder, *arguments, **cloud)
        assert (code, err) == (0, "")
        assert "Harbour engineer" in out
        assert mine in out
        assert "whose API cannot" in out
        assert ("erased on this computer" in out) == changes
    assert found_in(folder, [NAME, ADDRESS], [mine]) == []
    with sqlite3.connect(state) as db:
        assert db.execute("select count(*) from journal where task like 'import %'").fetchone() == (1,)
        (result,) = db.execute("select result from creates where tool = 'create_candidates'").fetchone()
    assert [each["email"] for each in json.loads(result)["data"]] == [OTHER["email"]]
    with sqlite3.connect(state) as db:  # of somebody whom the API lists no more
        decided = json.dumps({"decision": "reject", "reason": f"{NAME} lacks"})
        gone = "11111111-2222-4333-8444-555555555555"
        db.execute("insert into journal values ('t', 'decided', ?, ?, ?)", (gone, decided, time.time()))
    code, out, _ = erase(folder, gone, "--yes", **cloud)
    assert (code, "1 trace was erased" in out) == (0, True)
    assert found_in(folder, [NAME], [gone]) == []
    code, out, _ = erase(folder, "nobody@example.org", "--yes", **cloud)
    assert "No interview of this key has" in out
    out = aural_mcp(folder, "retention", "--older-than", "1d", "--yes", **cloud)[1]
    assert "Nobody who could go is older than 1 days." in out


async def test_the_file_from_before_the_state_came_into_a_database_is_erased_too(cloud, tmp_path, postgresql):
    folder, url = tmp_path / "here", postgresql.database()
    line = f"name,email\n{NAME},{ADDRESS}\n"
    async with on_stdio(folder, "auto", **cloud) as agent:
        made = (await ok(agent, "create_interview", title="Harbour engineer"))["id"]
        await ok(agent, "import_candidates", interviewId=made, data=line, dryRun=False)
    assert found_in(folder, [NAME])
    code, out, err = erase(folder, ADDRESS, "--yes", **cloud, AURAL_STATE_URL=url)
    assert (code, err) == (0, "")
    assert "erased on this computer" in out
    assert found_in(folder, [NAME, ADDRESS]) == []


async def test_what_was_watched_sent_and_decided_goes_too(world, tmp_path, database):
    folder = tmp_path / "data"
    folder.mkdir()
    state = State(lambda: folder / "state.db")
    async with Client(world.server) as agent:
        interview = (await ok(agent, "create_interview", title="A"))["id"]
        people = [{"name": NAME, "email": ADDRESS}, OTHER]
        made = await ok(agent, "create_candidates", interviewId=interview, candidates=people)
    mine, other = (each["id"] for each in made["data"])
    client = AuralClient(KEY, ORIGIN, state=state)
    for address in (ADDRESS, OTHER["email"]):
        await (await mail_ledger(client, interview, "invitation", 10)).claim(address, again=False)
    await kept(client).note({mine: {"decision": "reject", "reason": f"{NAME} lacks"}, other: {"decision": "hold"}})
    seen = open_outbox(f"sqlite:///{folder / 'events.db'}")
    with seen.writing() as db:
        rows = [Candidate.model_validate({"id": each, "createdAt": now()}) for each in (mine, other)]
        outbox.add_endpoint(db, "ep", HOOK, secret=None, allow=(), now=0)
        outbox.note(db, snapshots.candidates(db, interview, rows, now=0), now=0)
    seen.close()
    assert {name for name, _ in found_in(folder, [], [mine])} == {"state.db-wal", "events.db"}
    code, out, _ = erase(folder, ADDRESS, "--yes", "--database", database)
    assert code == 0
    assert "1 registered candidate, 4 traces beside the workspace." in out
    assert found_in(folder, [NAME, ADDRESS], [mine]) == []
    mail = await mail_ledger(client, interview, "invitation", 10)
    assert await mail.look(ADDRESS) is None
    assert await mail.look(OTHER["email"]) is not None
    assert set(await kept(client).all()) == {other}
    assert [name for name, _ in found_in(folder, [], [other])]

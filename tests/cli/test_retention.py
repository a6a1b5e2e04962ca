"""`aural-mcp retention` and `privacy status`: what is too old goes, as it was shown, and nobody who waits."""

import re
import time
from datetime import UTC, datetime, timedelta

import anyio
import pytest
from sqlalchemy import func, insert, select, update

from aural_mcp.api.decisions import VERDICTS
from aural_mcp.backend.storage import tables
from aural_mcp.backend.storage.store import Store, new_id, new_token, now
from aural_mcp.cli import erasing
from aural_mcp.cli.retention import DAY, run_if_due
from aural_mcp.config import read_settings
from conftest import make_world
from processes import aural_mcp, backend, free_port

DAYS = 180


def ago(days):
    return (datetime.now(UTC) - timedelta(days=days)).isoformat(timespec="microseconds")


def place(folder):
    return f"sqlite:///{folder / 'workspace.db'}"


def retention(folder, *arguments, **settings):
    return aural_mcp(folder, "retention", *arguments, **settings)


class Office:
    """A workspace to be filled by age."""

    def __init__(self, folder, database=None):
        self.folder, self.database = folder, database or place(folder)
        self.store = make_world(self.database).store
        self.interviews = [self._interview(title) for title in ("Harbour engineer", "Night watch")]

    def _interview(self, title):
        with self.store.writing() as db:
            project = db.execute(select(tables.projects.c.id)).scalar()
            owner = db.execute(select(tables.profiles.c.id)).scalar()
            row = {"id": new_id(), "title": title, "projectId": project, "userId": owner}
            db.execute(insert(tables.interviews).values(row | {"createdAt": now(), "updatedAt": now()}))
        return row["id"]

    def sessions(self, number, days, interview=0, **fields):
        """So many sessions that ended so many days ago, each with words and a registration."""
        at = ago(days)
        stamps = {"createdAt": ago(days + 1), "updatedAt": now(), "completedAt": at, "status": "COMPLETED"}
        where = {"interviewId": self.interviews[interview]}
        rows = [
            {"id": new_id(), "participantName": f"P {days} {each}", **where, **stamps, **fields}
            for each in range(number)
        ]
        said = [
            {
                "id": new_id(),
                "sessionId": row["id"],
                "role": "USER",
                "content": f"words of {row['id']}",
                "timestamp": at,
            }
            for row in rows
            for _ in range(3)
        ]
        listed = [self._listed(row["id"], days) | where for row in rows]
        with self.store.writing() as db:
            db.execute(insert(tables.sessions), rows)
            db.execute(insert(tables.messages), said)
            db.execute(insert(tables.candidates), listed)
        return [row["id"] for row in rows]

    def registered(self, number, days, interview=0):
        """People who were registered so many days ago and never began."""
        where = {"interviewId": self.interviews[interview]}
        rows = [self._listed(None, days) | where for _ in range(number)]
        with self.store.writing() as db:
            db.execute(insert(tables.candidates), rows)
        return [row["id"] for row in rows]

    def _listed(self, session, days):
        made = {"id": new_id(), "name": f"C {days}", "inviteToken": new_token(20), "sessionId": session}
        return made | {"createdAt": ago(days), "updatedAt": now()}

    def decided(self, session, verdict, **fields):
        with self.store.writing() as db:
            row = {"id": new_id(), "sessionId": session, "decision": verdict, "reason": "r", "at": ago(1)}
            db.execute(insert(tables.decisions).values(row | fields))

    def asked(self, kind, session=None, candidate=None, days=1):
        with self.store.writing() as db:
            row = {"id": new_id(), "interviewId": self.interviews[0], "kind": kind, "at": ago(days)}
            db.execute(insert(tables.requests).values(row | {"sessionId": session, "candidateId": candidate}))

    def left(self, table=tables.sessions):
        with self.store.reading() as db:
            return set(db.execute(select(table.c.id)).scalars())


@pytest.fixture
def office(tmp_path):
    (tmp_path / "data").mkdir()
    made = Office(tmp_path / "data")
    yield made
    made.store.close()


def named(out):
    """Interview: sessions and registered people, as the table shows them."""
    rows = re.findall(r"^  (\S.*?)  +(\d+)  +(\d+)  +(\d{4}-\d\d-\d\d)  +\S+$", out, re.MULTILINE)
    return {title: (int(begun), int(listed), day) for title, begun, listed, day in rows}


def test_of_a_thousand_sessions_what_a_dry_run_shows_is_what_is_then_erased(office):
    for number, days in ((300, 400), (150, 181), (50, 179), (200, 10)):
        office.sessions(number, days)
    for number, days in ((200, 200), (100, 30)):
        office.sessions(number, days, interview=1)
    office.registered(7, 300)
    office.registered(5, 100)
    before = office.left()
    _, dry, _ = retention(office.folder, "--older-than", f"{DAYS}d", "--dry-run")
    assert office.left() == before
    assert named(dry) == {"Harbour engineer": (450, 457, ago(400)[:10]), "Night watch": (200, 200, ago(200)[:10])}
    begun = time.perf_counter()
    code, out, err = retention(office.folder, "--older-than", f"{DAYS}d", "--yes")
    took = time.perf_counter() - begun
    assert (code, err) == (0, "")
    assert named(out) == named(dry)
    assert "In all: 650 sessions, 657 registered candidates, 1,950 messages." in dry
    assert "Erased: 650 sessions, 657 registered candidates, 1,950 messages." in out
    assert (len(office.left()), len(office.left(tables.candidates)), len(office.left(tables.messages))) == (
        350,
        355,
        1050,
    )
    assert took < 60, "seconds, on a busy computer"
    gone = before - office.left()
    office.store.close()
    content = b"".join(each.read_bytes() for each in office.folder.glob("workspace.db*"))
    assert not any(each.encode() in content for each in gone)
    assert "Nobody who could go is older" in retention(office.folder, "--older-than", "180", "--yes")[1]
    ids = [line.count('"sessionId"') for line in (office.folder / "audit.jsonl").read_text().splitlines()]
    assert len(ids) == 14
    assert aural_mcp(office.folder, "audit", "verify")[0] == 0


def test_what_is_left_where_another_process_read_the_file_goes_with_the_same_command_again(office):
    (old,) = office.sessions(1, 300)
    with office.store.engine.connect() as host:
        host.exec_driver_sql("select count(*) from messages")
        out = retention(office.folder, "--older-than", "180d", "--yes")[1]
        assert "workspace.db could not be rewritten" in out
        host.rollback()
        assert "could not be rewritten" not in retention(office.folder, "--older-than", "180d", "--yes")[1]
        content = b"".join(each.read_bytes() for each in office.folder.glob("workspace.db*"))
        assert old.encode() not in content, "though the host still has the file open"


def test_whoever_is_new_in_another_interview_stays_invited_there(office):
    address = "sam@example.org"
    office.sessions(1, 300, participantEmail=address)
    office.sessions(1, 10, interview=1, participantEmail=address)
    with office.store.writing() as db:
        db.execute(update(tables.interviews).values(invitedEmails=[address.upper(), "bo@example.org"]))
    retention(office.folder, "--older-than", "180d", "--yes")
    with office.store.reading() as db:
        invited = dict(db.execute(select(tables.interviews.c.title, tables.interviews.c.invitedEmails)).all())
    assert invited == {"Harbour engineer": ["bo@example.org"], "Night watch": [address.upper(), "bo@example.org"]}


def test_who_waits_for_something_stays_and_is_named(office):
    gone = office.sessions(2, 300)
    hired, rejected, told, asking, deleting = office.sessions(5, 300)
    office.decided(hired, "hired")
    office.decided(rejected, "reject")
    office.decided(told, "reject", explainedAt=now())
    office.asked("data", session=asking)
    office.asked("delete", session=deleting)
    (waiting,) = office.registered(1, 300)
    office.asked("correct", candidate=waiting)
    (wishing,) = office.sessions(1, 300, **{tables.ASKS: ago(290)})
    code, out, _ = retention(office.folder, "--older-than", "180d", "--keep", "hired", "--yes")
    assert code == 0
    assert office.left() == {hired, rejected, asking, wishing}
    assert waiting in office.left(tables.candidates)
    kept = out.partition("Older, and kept:")[2].partition("\n\n")[0]
    assert re.search(rf"{hired}\): decided: hired", kept)
    assert re.search(rf"{rejected}\): is owed an explanation", kept)
    assert re.search(rf"{asking}\): open request: data", kept)
    assert re.search(rf"{waiting}\): open request: correct", kept)
    assert re.search(rf"{wishing}\): open request: person", kept)
    assert not any(each in kept for each in (*gone, told, deleting))
    with office.store.reading() as db:
        assert db.execute(select(func.count()).select_from(tables.erased)).scalar() == 2, (
            "both names of who asked for it"
        )
    retention(office.folder, "--older-than", "180d", "--yes")
    assert office.left() == {rejected, asking, wishing}


def test_it_can_keep_after_every_decision_that_there_is():
    assert erasing.VERDICTS == VERDICTS


def test_only_the_interviews_that_are_named_and_only_with_a_period(office):
    one, other = office.sessions(1, 300), office.sessions(1, 300, interview=1)
    assert "AURAL_RETENTION" in retention(office.folder, "--yes")[2]
    assert "must be days" in retention(office.folder, "--older-than", "6 months")[2]
    assert "there is no interview nope" in retention(office.folder, "--older-than", "1d", "--interview", "nope")[2]
    code, _, err = retention(office.folder, "--interview", office.interviews[1], AURAL_RETENTION="180d")
    assert (code, "Aborted" in err) == (1, True)
    retention(office.folder, "--interview", office.interviews[1], "--yes", AURAL_RETENTION="180d")
    assert office.left() == set(one)
    assert other


def test_activity_counts_from_the_end_and_else_from_the_last_answer(office):
    (gave_up,) = office.sessions(1, 300, completedAt=None, lastActivityAt=ago(170), status="ABANDONED")
    (imported,) = office.sessions(1, 300, completedAt=None, lastActivityAt=None)
    (ended,) = office.sessions(1, 170, createdAt=ago(400))
    retention(office.folder, "--older-than", "180d", "--yes")
    assert office.left() == {gave_up, ended}
    assert imported not in office.left()


# ── On a schedule ───────────────────────────────────────────────────────────────────────────────


def test_the_first_scheduled_run_only_reports_and_the_next_day_s_erases(office, tmp_path, caplog):
    old = office.sessions(3, 300)
    young = office.sessions(1, 179.5)
    settings = read_settings({"AURAL_RETENTION": "180d", "AURAL_DATA_DIR": str(office.folder)})
    moment = time.time()
    assert run_if_due(office.store, settings, (), moment)
    assert "3 sessions, 3 registered candidates older than 180 days. This first run only reports" in caplog.text
    assert not run_if_due(Store(office.database), settings, (), moment + 3600), "another process, an hour later"
    assert office.left() == {*old, *young}
    assert run_if_due(office.store, settings, ("hired",), moment + DAY + 1), "another policy is reported first"
    assert office.left() == {*old, *young}
    office.decided(old[0], "hired")
    assert run_if_due(office.store, settings, ("hired",), moment + 2 * DAY + 2)
    assert office.left() == {old[0], *young}
    log = (office.folder / "audit.jsonl").read_text().splitlines()
    assert [re.search('"outcome":"([a-z]+)"', each)[1] for each in log] == ["preview", "preview", "done"]


def test_a_clock_that_is_set_back_makes_nothing_due_before_its_day_is_over(office):
    old = office.sessions(1, 300)
    settings = read_settings({"AURAL_RETENTION": "180d", "AURAL_DATA_DIR": str(office.folder)})
    moment = time.time()
    assert run_if_due(office.store, settings, (), moment + 400 * DAY), "it reports, at a wrong time"
    for later in (0, DAY - 1):
        assert not run_if_due(office.store, settings, (), moment + later)
    assert office.left() == set(old)
    assert run_if_due(office.store, settings, (), moment + DAY)
    assert office.left() == set()


async def test_the_backend_does_it_while_it_serves_and_only_when_told(office):
    (old,) = office.sessions(1, 300)
    port = free_port()
    async with backend(office.folder, port, "--no-desk", "--retention", AURAL_RETENTION="180d"):
        with anyio.fail_after(30):
            while not (office.folder / "audit.jsonl").exists():
                await anyio.sleep(0.05)
    assert office.left() == {old}
    code, _, err = aural_mcp(office.folder, "backend", "--retention", "--port", str(port))
    assert (code, "--retention needs AURAL_RETENTION" in err) == (2, True)
    assert "--keep goes with --retention" in aural_mcp(office.folder, "backend", "--keep", "hired")[2]


# ── Status ──────────────────────────────────────────────────────────────────────────────────────


def test_the_status_says_what_is_overdue_and_by_its_exit(office):
    said = {"AURAL_RETENTION": "180d", "AURAL_CONTACT": "people@acme.example"}

    def status(**settings):
        code, out, err = aural_mcp(office.folder, "privacy", "status", **settings)
        assert err == ""
        return code, out

    code, out = status()
    assert code == 0
    assert "Policy: none; set AURAL_RETENTION." in out
    assert "No request is open." in out
    assert "No explanation is owed." in out
    (fresh,) = office.sessions(1, 10)
    office.asked("data", session=fresh, days=3)
    office.decided(fresh, "reject")
    code, out = status(**said)
    assert code == 0, out
    assert "Policy: 180 days." in out
    assert "Who invites: not set; set AURAL_ORGANIZATION." in out
    assert "Where candidates may ask: people@acme.example." in out
    assert f"1 would like to have their data, the first since {ago(3)[:10]}." in out
    assert f"1 explanation is owed, the first by {ago(-29)[:10]}; 0 overdue." in out
    assert "workspace.db" in out
    office.asked("delete", session=fresh, days=31)
    code, out = status(**said)
    assert code == 1
    assert "1 would like to delete their data" in out
    assert ", 1 for more than 30 days." in out
    assert out.index("delete their data") < out.index("have their data")
    with office.store.writing() as db:
        db.execute(update(tables.requests).values(closedAt=now()))
    assert status(**said)[0] == 0
    assert status(**said, AURAL_EXPLANATION_DAYS="0")[0] == 1
    with office.store.writing() as db:
        db.execute(update(tables.decisions).values(explainedAt=now()))
    office.sessions(2, 200, interview=1)
    code, out = status(**said)
    assert code == 1
    assert named(out) == {"Night watch": (2, 2, ago(200)[:10])}

"""Rows as Aural would have stored them, and what a text costs a model."""

import json
import re
from datetime import datetime, timedelta

from sqlalchemy import insert, select, update

from aural_mcp.backend.storage import store, tables
from conftest import ok

TOKENS = 4
"""Bytes of a token, near enough."""


def tokens(value):
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return len(text.encode()) / TOKENS


async def interview_of(agent, title="T"):
    return (await ok(agent, "create_interview", title=title))["id"]


def add_session(world, interview, turns=(), **fields):
    """A session with these turns, as Aural would have stored it; its id."""
    moment, session = store.now(), store.new_id()
    with world.store.writing() as db:
        row = {"id": session, "interviewId": interview, "createdAt": moment, "updatedAt": moment, **fields}
        db.execute(insert(tables.sessions).values(row))
        for number, text in enumerate(turns):
            role = ("ASSISTANT", "USER")[number % 2]
            said = {"id": store.new_id(), "sessionId": session, "role": role, "content": text}
            db.execute(insert(tables.messages).values(**said, timestamp=store.stamp_after(moment, least=number)))
    return session


def let_time_pass(world, **time):
    """Move everything that happened so far into the past."""
    by = int(timedelta(**time) / timedelta(microseconds=1))
    columns = {
        tables.sessions: ["startedAt", "lastActivityAt", "createdAt"],
        tables.messages: ["timestamp"],
    }
    with world.store.writing() as db:
        for table, names in columns.items():
            for row in db.execute(select(table)).mappings().all():
                moved = {name: earlier(row[name], by) for name in names}
                db.execute(update(table).where(table.c.id == row["id"]).values(moved))


def earlier(stamp, by):
    return tables.stamp_text(tables.stamp_of(datetime.fromisoformat(stamp)) - by)


def soon(said):
    """What was said, whatever the machine took: `in 57 s`, which is nearly a minute, as `in N s`."""
    return (
        [soon(each) for each in said]
        if isinstance(said, list)
        else re.sub(r"\bin (?:[45]\d|6[01]) s\b", "in N s", said)
    )

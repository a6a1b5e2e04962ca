"""Rows as Aural would have stored them, and what a text costs a model."""

import json

from sqlalchemy import insert

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

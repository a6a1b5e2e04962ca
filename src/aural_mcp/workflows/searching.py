"""Words and phrases over the transcripts of an interview: which turns have them, in whose session."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import MISSING, Field

from aural_mcp.client import AuralClient, Spent
from aural_mcp.models import Record, Session, SessionSummary
from aural_mcp.operations import Cursor, Id, InterviewId, Operation, Text
from aural_mcp.safety import outside, quoted
from aural_mcp.shaped.base import size_of
from aural_mcp.workflows.base import OUT_OF_BUDGET, all_sessions, begin
from aural_mcp.workflows.scores import excerpt, is_locked, read_session, refused

MOST_HITS, MOST_BYTES = 50, 20_000
LONGEST_EXCERPT = 200
PHRASE = re.compile(r'["“”„«»「」]([^"“”„«»「」]*)["“”„«»「」]|(\S+)')
SPACED = re.compile(r"[^\W\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
"""A letter of a script that sets words apart, and does not join them as Korean does."""
ENDED = "Time or budget ended before all sessions were listed: call again in a minute."
NO_HIT = " None of those has it."
UNREADABLE = " {number} could not be read just now."
CUT = "{number} more turns match in session {session}; get_session shows all of it."


class Hit(Record):
    """A turn that has the words."""

    session_id: str
    name: str = ""
    turn: int
    speaker: str | None = Field(default=None, description="USER (the candidate), ASSISTANT or SYSTEM.")
    excerpt: str = ""


class Hits(Record):
    """Turns that have the words, newest session first."""

    data: list[Hit]
    sessions_read: int = 0
    sessions_left: int = Field(default=0, description="Not read yet; hits in these are not known.")
    cursor: str | None = Field(default=None, description="Goes on with the sessions left; null at the end.")


class SearchTranscripts(Operation[Hits]):
    """Find words or a phrase in the transcripts of one interview: session, turn and a short excerpt for each hit.

    Each session is read, newest first, as far as 40 s and the budget go; it says how many were read and how many are
    left. That somebody did not say a word is no evidence against them.
    """

    effect = "read"
    by_others = True
    hint = "Next: get_session with fromTurn for what was said around a hit."
    interview_id: InterviewId
    query: Annotated[
        Text,
        Field(
            max_length=300,
            description='All words must occur in one turn, "a phrase" as it is; capitals and accents do not matter.',
        ),
    ]
    session_ids: Annotated[
        list[Id] | MISSING, Field(min_length=1, max_length=500, description="Only these; all when omitted.")
    ] = MISSING
    speaker: Annotated[Literal["candidate", "anyone"], Field(description="Whose turns.")] = "candidate"
    cursor: Cursor = MISSING


async def search_transcripts(client: AuralClient, given: SearchTranscripts, spent: Spent) -> Hits:
    """Session by session: those whose hits do not fit any more are left for the next call."""
    wanted = patterns(given.query)
    if is_locked(client):
        raise refused("In lockdown nobody's words are shown, so there is nothing to search", "Use compare_candidates")
    begin(spent)
    listed, complete = await all_sessions(client, given.interview_id, spent)
    rows = _from(listed, given, complete)
    found: list[dict[str, Any]] = []
    read, unreadable, remarks, last = 0, 0, list[str](), None if given.cursor is MISSING else given.cursor
    for row in rows:
        try:
            session = await read_session(client, row.id, spent)
        except OUT_OF_BUDGET:
            break
        hits = _hits(session, row, wanted, given.speaker) if session else []
        fitting, cut = _fitting(hits, found)
        if fitting is None:
            break
        found += fitting
        remarks += [CUT.format(number=cut, session=row.id)] if cut else []
        read, unreadable, last = read + 1, unreadable + (session is None), row.id
        await spent.report(read, len(rows), f"{read} of {len(rows)} sessions read, {len(found)} hits")
    left = len(rows) - read
    cursor = last if left else None
    how_far = _how_far(read - unreadable, left, len(rows), cursor) + ("" if found or not read else NO_HIT)
    how_far += UNREADABLE.format(number=unreadable) if unreadable else ""
    return Hits.model_validate(
        {
            "data": found,
            "sessionsRead": read - unreadable,
            "sessionsLeft": left,
            **({"cursor": cursor} if cursor or not left else {}),
            "remarks": [how_far, *([] if complete else [ENDED]), *remarks],
        }
    )


def patterns(query: str) -> list[re.Pattern[str]]:
    """What must occur in a turn, each in folded text. A word counts where one begins with it, a phrase as it is.

    Raises:
        BadRequest: there is no word in it.
    """
    from aural_mcp.blind import folded  # its patterns take a while, and a start does without

    found: list[re.Pattern[str]] = []
    for phrase, word in PHRASE.findall(folded(outside(query))[0]):
        parts = [re.escape(part) for part in (phrase or word).split()]
        if re.search(r"\w", phrase or word):
            begins = r"(?<![^\W_])" if SPACED.match(phrase.lstrip() or word) else ""
            ends = r"(?![^\W_])" if phrase and SPACED.match(phrase.rstrip()[-1]) else ""
            found.append(re.compile(begins + r"\s+".join(parts) + ends))
    if not found:
        raise refused("query has no word in it", "Give words, or a phrase in quotation marks")
    return found


def _from(listed: Sequence[SessionSummary], given: SearchTranscripts, complete: bool) -> list[SessionSummary]:
    """The sessions to read: those that are asked for, after the cursor."""
    known = [row.id for row in listed]
    asked = known if given.session_ids is MISSING else given.session_ids
    cursor = [] if given.cursor is MISSING else [given.cursor]
    if complete and (strange := [each for each in [*asked, *cursor] if each not in known]):
        raise refused(f"This interview has no session {quoted(strange[0])}", "Take ids from list_sessions")
    start = known.index(cursor[0]) + 1 if cursor and cursor[0] in known else 0
    return [row for row in listed[start:] if row.id in asked]


def _hits(
    session: Session, row: SessionSummary, wanted: Sequence[re.Pattern[str]], speaker: str
) -> list[dict[str, Any]]:
    from aural_mcp.blind import folded

    found: list[dict[str, Any]] = []
    for turn, each in enumerate(session.messages, 1):
        if speaker == "candidate" and each.role != "USER":
            continue
        plain, places = folded(each.content)
        matches = [pattern.search(plain) for pattern in wanted]
        if matches[0] and all(matches):
            who = {"speaker": each.role} if speaker == "anyone" else {}
            said = excerpt(each.content, places[matches[0].start()], LONGEST_EXCERPT)
            found.append(
                {"sessionId": row.id, "name": row.participant_name or "", "turn": turn, **who, "excerpt": said}
            )
    return found


def _fitting(hits: list[dict[str, Any]], found: list[dict[str, Any]]) -> tuple[list[dict[str, Any]] | None, int]:
    """The hits of a session and how many are cut off; None where they do not fit behind those that are there."""
    room = MOST_BYTES - sum(map(size_of, found))
    fit = 0
    for hit in hits[: MOST_HITS - len(found)]:
        room -= size_of(hit)
        if room < 0:
            break
        fit += 1
    if fit < len(hits) and found:
        return None, 0
    return hits[:fit], len(hits) - fit


def _how_far(read: int, left: int, total: int, cursor: str | None) -> str:
    if not left:
        return f"{read} of {total} sessions were read."
    go_on = f"call again with the same arguments and cursor {cursor}" if cursor else "call again in a minute"
    return f"{read} of {total} sessions were read; {left} are left, and what is in them is not known: {go_on}."

"""Words and phrases over the transcripts of an interview: which turns have them, in whose session."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import MISSING, Field

from aural_mcp.api.errors import AuralError
from aural_mcp.api.models import Message, Record, Session, SessionSummary
from aural_mcp.api.operations import Cursor, Id, InterviewId, Operation, Text
from aural_mcp.client.caller import Caller
from aural_mcp.client.client import Spent
from aural_mcp.safety import inert, outside, quoted
from aural_mcp.tools.shape import size_of
from aural_mcp.workflows.base import OUT_OF_BUDGET, again, all_sessions, begin, not_now, refused, remain
from aural_mcp.workflows.scores import excerpt, is_locked, read_session

MOST_HITS, MOST_BYTES = 50, 20_000
LONGEST_EXCERPT = 130
PHRASE = re.compile(r'["“”„«»「」]([^"“”„«»「」]*)["“”„«»「」]|(\S+)')
AROUND = '*.,;:!?()[]…、，。；：！？（）"“”„«»「」'
"""What stands around a word and is not part of it."""
SPACED = r"[^\W\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]"
"""A letter of a script that sets words apart, and does not join them as Korean does; compiled when first needed."""
ENDED = "Time or budget ended before all sessions were listed: {again} with the same arguments."
NOT_KNOWN = ": what is in them is not known"
NEAREST = "Nearest words that do occur: {words}."
APART = "Each word occurs, but never all in one turn: search for fewer."
SEARCHED = "Searched for {wanted} in what {whose} said."
MOST_NEAREST, MOST_WORDS, LONGEST_WORD = 5, 50_000, 30
WORD = re.compile(r"[^\W\d_]{2,}")
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

    That somebody did not say a word is no evidence against them.
    """

    effect, toolset = "read", "workflows"
    hint = "Next: get_session with fromTurn for what was said around a hit."
    interview_id: InterviewId
    query: Annotated[
        Text,
        Field(
            max_length=300,
            description=(
                "All words must occur in one turn, each also as a beginning (reconcil finds reconciled); "
                '"a phrase" as it is.'
            ),
        ),
    ]
    session_ids: Annotated[list[Id] | MISSING, Field(min_length=1, max_length=500)] = MISSING
    speaker: Annotated[Literal["candidate", "anyone"], Field(description="Whose turns.")] = "candidate"
    cursor: Cursor = MISSING


async def search_transcripts(client: Caller, given: SearchTranscripts, spent: Spent) -> Hits:
    """Session by session: those whose hits do not fit any more are left for the next call."""
    wanted = wanted_by(given.query)
    if is_locked(client):
        raise refused("In lockdown nobody's words are shown, so there is nothing to search", "Use compare_candidates")
    begin(spent)
    listed, complete = await all_sessions(client, given.interview_id, spent)
    rows = _from(listed, given, None if complete else not_now("all sessions were listed", spent))
    work = _Search(wanted, given.speaker)
    for number, row in enumerate(rows):
        try:
            session = await read_session(client, row, spent)
        except OUT_OF_BUDGET:
            break
        if not work.look_into(row, session):
            break
        await spent.report(number + 1, len(rows), f"{number + 1} of {len(rows)} sessions, {len(work.hits)} hits")
    found = work.outcome(rows, None if given.cursor is MISSING else given.cursor, spent)
    found["remarks"] += [] if complete else [ENDED.format(again=again(spent))]
    return Hits.model_validate(found)


class _Search:
    """The sessions that were looked into, and what was found."""

    def __init__(self, wanted: Sequence[Wanted], speaker: str) -> None:
        self._wanted, self._speaker = wanted, speaker
        self.hits: list[dict[str, Any]] = []
        self._vocabulary = Vocabulary()
        self._seen: list[str] = []
        self._unreadable = 0
        self._remarks: list[str] = []

    def look_into(self, row: SessionSummary, session: Session | None) -> bool:
        """Look through a session; False where its hits do not fit behind those that are there."""
        hits = _hits(session, row, self._wanted, self._speaker) if session else []
        if session and not self.hits and not hits:
            self._vocabulary.note(plain for _, _, plain, _ in _texts(session, self._speaker))
        fit = _fitting(hits, MOST_HITS - len(self.hits), MOST_BYTES - sum(map(size_of, self.hits)))
        if fit < len(hits) and self.hits:
            return False
        self.hits += hits[:fit]
        self._remarks += [CUT.format(number=len(hits) - fit, session=row.id)] if fit < len(hits) else []
        self._unreadable += session is None
        self._seen.append(row.id)
        return True

    def outcome(self, rows: Sequence[SessionSummary], before: str | None, spent: Spent) -> dict[str, Any]:
        """What was found among these sessions, and how far that is."""
        left, read = len(rows) - len(self._seen), len(self._seen) - self._unreadable
        cursor = (self._seen[-1] if self._seen else before) if left else None
        how_far = f"{read} of {len(rows)} sessions were read" + ("" if self.hits or not read else ", and none has it")
        how_far += f". {remain(left, len(rows), spent, cursor=cursor, then=NOT_KNOWN)}" if left else "."
        how_far += UNREADABLE.format(number=self._unreadable) if self._unreadable else ""
        return {
            "data": self.hits,
            "sessionsRead": read,
            "sessionsLeft": left,
            **({"cursor": cursor} if cursor or not left else {}),
            "remarks": [how_far, *self._remarks, *([] if self.hits or not read else self._instead())],
        }

    def _instead(self) -> list[str]:
        """What was searched for and how, and the nearest that does occur."""
        whose = "candidates" if self._speaker == "candidate" else "anyone"
        said = [SEARCHED.format(wanted=", ".join(each.shown for each in self._wanted), whose=whose)]
        lacking = [word for each in self._wanted for word in each.words if not self._vocabulary.has(word)]
        nearest = dict.fromkeys(near for word in lacking for near in self._vocabulary.nearest(word))
        words = ", ".join(quoted(each) for each in list(nearest)[:MOST_NEAREST])
        return [*said, *([NEAREST.format(words=words)] if words else []), *([] if lacking else [APART])]


@dataclass(frozen=True)
class Wanted:
    """What must occur in a turn, in folded text: a word where one begins with it, a phrase as it is."""

    said: str
    phrase: bool
    pattern: re.Pattern[str]

    @property
    def words(self) -> list[str]:
        """Its words."""
        return WORD.findall(self.said)

    @property
    def shown(self) -> str:
        """As somebody reads it who wonders what was searched for."""
        return quoted(self.said, 60) if self.phrase else quoted(f"{self.said}*", 60)


class Vocabulary:
    """The words of what was looked at, folded, each with how often it occurs."""

    def __init__(self) -> None:
        self._words: Counter[str] = Counter()

    def note(self, texts: Iterable[str]) -> None:
        """Count the words of these."""
        if len(self._words) < MOST_WORDS:
            self._words.update(word for text in texts for word in WORD.findall(text) if len(word) <= LONGEST_WORD)

    def has(self, word: str) -> bool:
        """Whether a word begins so."""
        return any(each.startswith(word) for each in self._words)

    def nearest(self, word: str) -> list[str]:
        """The words with the same stem, most frequent first, else those that are spelled nearly so."""
        stem = word[: max(4, len(word) * 3 // 5)]
        same = [each for each, _ in self._words.most_common() if len(stem) > 3 and each.startswith(stem)]
        alike = [each for each in self._words if each[0] == word[0] and abs(len(each) - len(word)) < 3]
        return same[:3] or difflib.get_close_matches(word, alike[:2_000], 3, 0.75)


def wanted_by(query: str) -> list[Wanted]:
    """What a query asks for.

    Raises:
        BadRequest: there is no word in it.
    """
    from aural_mcp.privacy.blind import folded  # its patterns take a while, and a start does without

    found: list[Wanted] = []
    for phrase, word in PHRASE.findall(folded(outside(query))[0]):
        said = phrase.strip() or word.strip(AROUND)
        if re.search(r"\w", said):
            begins = r"(?<![^\W_])" if re.match(SPACED, said) else ""
            ends = r"(?![^\W_])" if phrase and re.match(SPACED, said[-1]) else ""
            forms = [r"\s+".join(map(re.escape, each.split())) for each in dict.fromkeys((said, inert(said)))]
            pattern = re.compile(f"{begins}(?:{'|'.join(forms)}){ends}")
            found.append(Wanted(said, bool(phrase), pattern))
    if not found:
        raise refused("query has no word in it", "Give words, or a phrase in quotation marks")
    return found


def _from(
    listed: Sequence[SessionSummary], given: SearchTranscripts, not_all: AuralError | None
) -> list[SessionSummary]:
    """The sessions to read: those that are asked for, after the cursor.

    Raises:
        AuralError: one of them is not listed; `not_all` says why that may be.
    """
    known = [row.id for row in listed]
    asked = known if given.session_ids is MISSING else given.session_ids
    cursor = [] if given.cursor is MISSING else [given.cursor]
    if strange := [each for each in [*asked, *cursor] if each not in known]:
        nobody = f"This interview has no session {quoted(strange[0])}"
        raise not_all or refused(nobody, "Take ids from list_sessions")
    start = known.index(cursor[0]) + 1 if cursor else 0
    return [row for row in listed[start:] if row.id in asked]


def _texts(session: Session, speaker: str) -> Iterator[tuple[int, Message, str, Sequence[int]]]:
    """The turns to look through: number, turn, its folded text, and where each character of that comes from."""
    from aural_mcp.privacy.blind import folded

    for turn, each in enumerate(session.messages, 1):
        if speaker != "candidate" or each.role == "USER":
            yield turn, each, *folded(each.content)


def _hits(session: Session, row: SessionSummary, wanted: Sequence[Wanted], speaker: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for turn, each, plain, places in _texts(session, speaker):
        matches = [every.pattern.search(plain) for every in wanted]
        if matches[0] and all(matches):
            who = {"speaker": each.role} if speaker == "anyone" else {}
            said = excerpt(each.content, places[matches[0].start()], LONGEST_EXCERPT)
            found.append(
                {"sessionId": row.id, "name": row.participant_name or "", "turn": turn, **who, "excerpt": said}
            )
    return found


def _fitting(hits: Sequence[dict[str, Any]], most: int, room: int) -> int:
    """How many of these fit."""
    for number, hit in enumerate(hits[:most]):
        room -= size_of(hit)
        if room < 0:
            return number
    return min(len(hits), most)

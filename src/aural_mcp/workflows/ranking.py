"""What makes a comparison unsound, and the ranks where nothing does."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from aural_mcp.api.models import Session, SessionSummary
from aural_mcp.safety import quoted
from aural_mcp.tools.people import told_apart
from aural_mcp.tools.standing import person_since
from aural_mcp.workflows.scores import Card, Rubric, words_of

MOST_NAMED = 8
"""Candidates that a sentence names."""
WORDS_AN_ANSWER = 5
"""Words a question below which a transcript is very short."""
LOST = re.compile("\ufffd|\\[(?:inaudible|unintelligible|crosstalk)\\]|[ÃÂ][\u0080-\u00bf]|听不清")
MOST_LOST = 0.03
"""Of the words; a lost one now and then is usual."""
MANY_WORDS, FEWEST_DIFFERENT = 60, 6
"""Words from which repetition tells, and how many of them must differ."""
NO_SCORE = "Nobody has a score yet. That is no low score: have them scored."
REASONS = {
    "no score": "Without any score: {who}. That is no low score: have them scored, or leave them out with sessionIds.",
    "not finished": "Not finished: {who}. Leave them out with sessionIds, or wait.",
    "missing scores": "Lacking some scores, see notScored: {who}. Their mean is of fewer scores than the others'.",
    "other rubric": "Scored on criteria or questions the interview no longer has: {who}. These compare with no others.",
    "very short": "Very short transcript for so many questions: {who}. Read it before believing a score.",
    "garbled": "Garbled transcript (lost characters, or words over and over): {who}. Listen to the recording.",
    "unreadable": "Could not be read just now: {who}. Call again.",
}
"""As a row says it, and as a sentence."""
ASKS = "asks for a person"
OTHER_ORDER = "By Aural's mean alone the ranks differ: {who}. Tell the user."
LIST_ENDED = "Time or budget ended before all sessions were listed: who is missing is not known."
NOT_ALL_READ = "Only {read} of {total} transcripts were read in this call; without quotes all scores are compared."


@dataclass
class Candidate:
    """One of those who are compared."""

    row: SessionSummary
    card: Card
    reasons: list[str] = field(default_factory=list[str])
    session: Session | None = None
    ended: bool = False
    """Whether the team ended the session: then it lacks what it lacks, and keeps nobody else from being ranked."""
    rank: int | None = None
    integrity: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def asks(self) -> str:
        """Since when they would rather speak with a person: so long nobody ranks them."""
        return person_since(self.row)

    @property
    def turns(self) -> int | None:
        """Turns of the transcript, as far as the list says."""
        return self.row.counts.messages if self.row.counts else None


def look_at_rows(candidates: Sequence[Candidate], rubric: Rubric) -> None:
    """Note what is unsound in what the list of sessions says. What nobody was scored on is not missing."""
    used = {column for each in candidates for column in each.card.scored}
    needed = [column.id for column in rubric.columns if column.id in used]
    for each in candidates:
        scored = each.card.mean is not None
        found = {
            "no score": not scored,
            "missing scores": scored and any(each.card.score(column) is None for column in needed),
            "other rubric": bool(each.card.strange),
            "very short": each.turns is not None and each.turns < max(2, rubric.asked),
        }
        unfinished = each.row.status != "COMPLETED"
        each.reasons = ["not finished"] if unfinished else [reason for reason, there in found.items() if there]
        each.reasons = [ASKS, *each.reasons] if each.asks else each.reasons


def look_at_transcript(each: Candidate, rubric: Rubric) -> None:
    """Note what is unsound in a transcript that was to be read."""
    session = each.session
    found = {
        "unreadable": session is None,
        "very short": session is not None and len(_words(session)) < WORDS_AN_ANSWER * max(1, rubric.asked),
        "garbled": session is not None and is_garbled(session),
    }
    each.reasons += [reason for reason, there in found.items() if there and reason not in each.reasons]


def is_garbled(session: Session) -> bool:
    """Whether a transcript has lost much of what was said, or repeats a few words over and over."""
    words = _words(session)
    lost = sum(len(LOST.findall(each.content)) for each in session.messages if each.role == "USER")
    repeats = len(words) >= MANY_WORDS and len(set(words)) < FEWEST_DIFFERENT
    return repeats or lost > MOST_LOST * max(1, len(words))


def sentences(candidates: Sequence[Candidate]) -> list[str]:
    """What keeps these from being ranked, with whom it concerns."""
    concerned = [each for each in candidates if not left_aside(each)]
    noted = {reason: [each for each in concerned if reason in each.reasons] for reason in REASONS}
    names = names_of(candidates)
    nobody = bool(concerned) and len(noted["no score"]) == len(concerned)
    texts = {**REASONS, "no score": NO_SCORE} if nobody else REASONS
    return [texts[reason].format(who=few(each, names)) for reason, each in noted.items() if each]


def left_aside(each: Candidate) -> bool:
    """Whether the others are ranked without this one: who asks for a person, and what the team ended and so lacks."""
    return bool(each.asks) or (each.ended and bool(each.reasons))


def rank(candidates: list[Candidate], *, really: bool) -> None:
    """The highest mean first, equal means sharing a rank; or, where that would be unsound, no ranks at all.

    Where a rubric has weights the weighted mean ranks.
    """
    ranked = [each for each in candidates if really and not left_aside(each)]
    for each in candidates:
        each.rank = None
    for each, place in zip(ranked, _places(ranked, weighted=is_weighted(ranked)), strict=True):
        each.rank = place
    if really:
        candidates.sort(key=lambda each: each.rank or len(candidates) + 1)


def is_weighted(candidates: Sequence[Candidate]) -> bool:
    """Whether there are weighted means to rank by."""
    return any(each.card.weighted is not None for each in candidates)


def _places(ranked: Sequence[Candidate], *, weighted: bool) -> list[int]:
    means = [(each.card.weighted or 0) if weighted else round(each.card.mean or 0.0, 9) for each in ranked]
    return [1 + sum(other > mean for other in means) for mean in means]


def elsewhere(candidates: Sequence[Candidate]) -> str:
    """Who would have another rank by Aural's mean than by the weighted one; nothing where nobody has."""
    ranked = [each for each in candidates if each.rank]
    places = zip(ranked, _places(ranked, weighted=False), strict=True)
    moved = [(each, place) for each, place in places if place != each.rank]
    if not moved or not is_weighted(ranked):
        return ""
    names = names_of(candidates)
    shown = [f"{quoted(names[each.row.id], 60)} {place} instead of {each.rank}" for each, place in moved[:MOST_NAMED]]
    more = len(moved) - MOST_NAMED
    return OTHER_ORDER.format(who=", ".join(shown) + (f" and {more} more" if more > 0 else ""))


def names_of(candidates: Sequence[Candidate]) -> dict[str, str]:
    """What each is called, by session."""
    rows = [each.row for each in candidates]
    return told_apart([(row.id, row.participant_name, row.participant_email) for row in rows])


def few(those: Sequence[Candidate], names: dict[str, str]) -> str:
    """The first of these by name, and how many more there are."""
    shown = ", ".join(quoted(names[each.row.id], 60) for each in those[:MOST_NAMED])
    more = len(those) - MOST_NAMED
    return f"{shown} and {more} more" if more > 0 else shown


def _words(session: Session) -> list[str]:
    return [word for each in session.messages if each.role == "USER" for word in words_of(each.content)]

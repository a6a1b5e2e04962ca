"""The draft of a letter to somebody who was turned down: an explanation in plain words and their language."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, cast

from aural_mcp.api.languages import is_other_script, page_language
from aural_mcp.safety import quoted
from aural_mcp.workflows.formats import Whole, as_score

IN_ENGLISH = "There are no words for the interview's language {language}: the letter is in English."
SIMPLIFIED = "The interview is in traditional Chinese, the letter in simplified."
AS_WRITTEN = "The reason, questions and quotes stand in the language in which they were written."
UNNAMED = "Who decided is not verified: the letter names nobody."
OPEN = "This person asks the team for something ({kinds}): look at that before the letter is sent."
UNTOLD = "No notice is on record for this person: the letter says nothing of one."
TOLD_IN_LETTER = ("record", "recordings", "log", "analysis")
"""What is held beside the answers, as far as the letter has words for it."""


@cache
def catalogue() -> dict[str, dict[str, Any]]:
    """The words of the letter by language."""
    import tomllib

    return tomllib.loads(Path(__file__).with_name("letters.toml").read_text(encoding="utf-8"))


def letter_of(whole: Whole, wanted: str) -> Whole:
    """The letter, its language and direction, and what the team should know of it."""
    code = page_language(wanted)
    words = catalogue()[code or "en"]
    parts = [_opening(whole, words), _data(whole, words), *_scores(whole, words), *_rights(whole, words)]
    blocks = [[words["draft"]], [words["subject"].format(interview=_line(whole["interview"]["title"]))], *parts]
    asked = ", ".join(each["kind"] for each in whole["requests"])
    notes = {
        OPEN.format(kinds=asked): asked,
        IN_ENGLISH.format(language=quoted(wanted, 40)): code is None,
        SIMPLIFIED: is_other_script(wanted),
        AS_WRITTEN: code != "en",
        UNNAMED: not _decider(whole),
        UNTOLD: not whole["notice"],
    }
    return {
        "language": code or "en",
        "direction": words["direction"],
        "notes": [note for note, there in notes.items() if there],
        "text": "\n\n".join("\n".join(lines) for lines in blocks if lines),
    }


def _opening(whole: Whole, words: Whole) -> list[str]:
    decision, name, by = whole["decision"], _line(whole["person"]["name"]), _decider(whole)
    return [
        words["hello"].format(name=name) if name else words["unnamed"],
        "",
        words["opening"].format(date=_date(decision["at"], words)),
        words["named"].format(by=by) if by else words["person"],
        words["reason"],
        _quoted(decision["reason"], words),
        *([words["opened"]] if decision["lookedAt"] else []),
    ]


def _decider(whole: Whole) -> str:
    """Who decided, where they signed in; else nobody can say."""
    decision = whole["decision"]
    return _line(decision["by"]) if decision["verified"] else ""


def _data(whole: Whole, words: Whole) -> list[str]:
    kinds = {row["kind"] for row in whole["data"]}
    beside = [f"- {words[kind]}" for kind in TOLD_IN_LETTER if kind in kinds]
    head = words["beside" if whole["factors"] else "also"]
    return [
        words["answers"].format(date=_date(whole["person"]["begunAt"], words)),
        *([head, *beside] if beside else []),
    ]


# ── What was scored ─────────────────────────────────────────────────────────────────────────────


def _scores(whole: Whole, words: Whole) -> list[list[str]]:
    """Who scored and what a score is, a block for each factor, and what comes of them."""
    scoring = whole["scoring"]
    if not whole["factors"]:
        return [[words["unscored"]]]
    by = scoring["scoredBy"]
    overall = as_score(scoring["overall"]).replace(".", words["decimal"])
    left = [f"- {_line(each['name'])}" for each in scoring["notScored"]]
    return [
        [words[by["kind"]].format(scorer=_line(by["name"])), words["scale"]],
        *(_factor(row, words) for row in whole["factors"]),
        [words["overall"].format(score=overall), *([words["left"], *left] if left else [])],
    ]


def _factor(row: Whole, words: Whole) -> list[str]:
    kind = "criterion" if row["column"].startswith("C") else "question"
    score = words["score"].format(score=as_score(row["score"]).replace(".", words["decimal"]))
    share = words["share"].format(share=round(100 * row["share"])) if row["share"] else words["apart"]
    gap = "" if score.endswith("。") else " "
    meant = row["description"] if kind == "criterion" else None
    meaning = [words["meaning"], _quoted(meant, words)] if meant else []
    why = [words["why"], _quoted(row["why"], words)] if row["why"] else []
    said = [
        line
        for each in row["evidence"]
        for line in (
            words["ruled" if "chosenBy" in each else "said"].format(turn=each["turn"]),
            _quoted(each["said"], words),
        )
    ]
    return [words[kind].format(name=_line(row["name"])), *meaning, f"{score}{gap}{share}", *why, *said]


# ── What the person can do ──────────────────────────────────────────────────────────────────────


def _rights(whole: Whole, words: Whole) -> list[list[str]]:
    notice, ask = whole["notice"], whole["ask"]
    agreed = bool(notice and notice["agreed"])
    told = words["notice"].format(date=_date(notice["at"], words), version=notice["version"]) if agreed else ""
    by_link = notice and whole["person"]["candidateId"]
    return [
        [told] if told else [],
        [words["correct"], words["again"], *([words["page"]] if by_link else []), words["write"], ask["contact"]],
        [words["closing"], ask["organization"] or words["team"]],
    ]


def _quoted(text: Any, words: Whole) -> str:
    return cast("str", words["quoted"]).format(words=_line(text))


def _date(moment: str, words: Whole) -> str:
    """A day as the language writes it, or what came instead of a time."""
    try:
        at = datetime.fromisoformat(moment).astimezone(UTC)
    except ValueError:
        return moment or "–"
    months = cast("Sequence[str]", words["months"])
    return cast("str", words["date"]).format(day=at.day, month=months[at.month - 1], year=at.year)


def _line(value: Any) -> str:
    return " ".join(str(value).split())

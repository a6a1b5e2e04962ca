"""What the backend accepts: Aural's rules, in Aural's order, with Aural's messages.

These rules are not a schema: some fields coerce, some fall back silently, some refuse, and the
first failure answers. Source: the Aural Developer API as it answers. Every function takes the
decoded body and returns the columns to store.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import date
from typing import Any, TypeVar, cast, get_args

from pydantic import ValidationError

from aural_mcp.api.operations import Depth, Operation, QuestionType, Tone
from aural_mcp.backend.rest.checks import (
    bad,
    expected,
    int4,
    is_one_of,
    is_rubric,
    is_strings,
    name_or,
    object_or_empty,
    one_of,
    storable,
    text_or,
    trimmed,
)
from aural_mcp.backend.rest.javascript import ABSENT, as_number, as_text, is_number, is_positive, kind_of, truth
from aural_mcp.backend.storage.store import Row

TONES, DEPTHS, QUESTION_TYPES = get_args(Tone), get_args(Depth), get_args(QuestionType)
Extension = TypeVar("Extension", bound=Operation[Any])
PROFILE = ("gender", "education", "school", "major", "workExperience")


# ── Interviews ──────────────────────────────────────────────────────────────────────────────────


def new_interview(body: Any) -> Row:
    """A create body: only `title` is needed; wrong types of most other fields fall back to the default."""
    given = object_or_empty(body)
    title = given.get("title")
    if not isinstance(title, str) or not title.strip():
        bad("title is required.")
    criteria, minutes = given.get("assessmentCriteria"), given.get("timeLimitMinutes")
    if criteria is not None and not is_rubric(criteria):
        bad("assessmentCriteria must be an array of { name, description }.")
    if minutes is not None and not is_positive(minutes):
        bad("timeLimitMinutes must be a positive integer.")
    row: Row = {
        "title": title.strip(),
        "description": text_or(given.get("description"), None),
        "objective": text_or(given.get("objective"), None),
        "assessmentCriteria": criteria,
        "timeLimitMinutes": None if minutes is None else int4("timeLimitMinutes", minutes),
        "aiName": name_or(given.get("aiName"), "Aural"),
        "language": name_or(given.get("language"), "en"),
        "aiTone": one_of(given.get("aiTone"), TONES, "PROFESSIONAL"),
        "followUpDepth": one_of(given.get("followUpDepth"), DEPTHS, "MODERATE"),
    }
    for name, default in (
        ("chatEnabled", True),
        ("voiceEnabled", False),
        ("videoEnabled", False),
        ("antiCheatingEnabled", False),
    ):
        row[name] = given[name] if isinstance(given.get(name), bool) else default
    return storable(row)


def interview_changes(body: Any) -> Row:
    """A PATCH body: strict, and at least one known field."""
    given = object_or_empty(body)
    row = {name: check(name, given[name]) for name, check in INTERVIEW_CHANGES.items() if name in given}
    return storable(row) if row else bad("No valid fields to update.")


def _new_title(_name: str, value: Any) -> str:
    return value.strip() if isinstance(value, str) and value.strip() else bad("title must be a non-empty string.")


def _text_or_null(name: str, value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else bad(f"{name} must be a string or null.")


def _text_kept(name: str, value: Any) -> str:
    """As `_text_or_null`, for a column that cannot be null: Aural fails there, this backend says so."""
    return (
        value
        if isinstance(value, str)
        else bad(f"{name} must be a string.")
        if value is None
        else bad(f"{name} must be a string or null.")
    )


def _flag(name: str, value: Any) -> bool:
    return value if isinstance(value, bool) else bad(f"{name} must be a boolean.")


def _rubric(_name: str, value: Any) -> Any:
    if value is None or is_rubric(value):
        return value
    bad("assessmentCriteria must be an array of { name, description }.")


def _tone(_name: str, value: Any) -> str:
    return value if is_one_of(value, TONES) else bad("Invalid aiTone.")


def _depth(_name: str, value: Any) -> str:
    return value if is_one_of(value, DEPTHS) else bad("Invalid followUpDepth.")


def _minutes(name: str, value: Any) -> int | None:
    if value is None:
        return None
    return int4(name, value) if is_positive(value) else bad(f"{name} must be a positive integer or null.")


INTERVIEW_CHANGES: dict[str, Callable[[str, Any], Any]] = {
    "title": _new_title,
    "description": _text_or_null,
    "objective": _text_or_null,
    "assessmentCriteria": _rubric,
    "chatEnabled": _flag,
    "voiceEnabled": _flag,
    "videoEnabled": _flag,
    "aiName": _text_kept,
    "aiTone": _tone,
    "followUpDepth": _depth,
    "language": _text_kept,
    "timeLimitMinutes": _minutes,
    "antiCheatingEnabled": _flag,
}


# ── Questions ───────────────────────────────────────────────────────────────────────────────────


def new_questions(body: Any) -> list[Row]:
    """An object or an array of objects; `order` is absent where it is to be chosen."""
    if not isinstance(body, dict | list):
        bad("Expected JSON object or array")
    items = cast("list[Any]", body if isinstance(body, list) else [body])
    if not items:
        bad("At least one question is required")
    return [_new_question(item) for item in items]


def _new_question(item: Any) -> Row:
    if not isinstance(item, dict):
        bad("Each question must be an object")
    given = cast("Row", item)
    text = given.get("text")
    text = text.strip() if isinstance(text, str) else as_text(text)
    if not text:
        bad("Each question must have non-empty text")
    row: Row = {"text": text, "type": "OPEN_ENDED"}
    if given.get("type") is not None:
        row["type"] = _question_type(given["type"])
    if given.get("order") is not None:
        row["order"] = _order(given["order"])
    row["isRequired"] = truth(given.get("required"))
    row["probeOnShort"] = truth(given.get("followUpEnabled"))
    options = given.get("options")
    if options is not None and not is_strings(options):
        bad("options must be an array of strings")
    row["options"] = options
    return storable(row | _details(given))


def question_changes(body: Any) -> Row:
    """A PATCH body: at least one known field; options and the nullable details may be null."""
    if not isinstance(body, dict):
        bad("Expected JSON object")
    given, row = cast("Row", body), cast("Row", {})
    if "text" in given:
        text = given["text"]
        row["text"] = text.strip() if isinstance(text, str) and text.strip() else bad("text must be a non-empty string")
    for name, column, read in (
        ("type", "type", _question_type),
        ("order", "order", _order),
        ("required", "isRequired", truth),
        ("options", "options", _options),
        ("followUpEnabled", "probeOnShort", truth),
    ):
        if name in given:
            if given[name] is None and name != "options":
                bad(f"{name} cannot be null")
            row[column] = read(given[name])
    row |= _details(given)
    return storable(row) if row else bad("No valid fields to update")


def _question_type(value: Any) -> str:
    return value if is_one_of(value, QUESTION_TYPES) else bad(f"Invalid question type: {as_text(value)}")


def _order(value: Any) -> int:
    number = as_number(value)
    if not math.isfinite(number) or number < 0 or number != int(number):
        bad("order must be a non-negative integer")
    return int4("order", number)


def _options(value: Any) -> list[str] | None:
    if value is not None and not isinstance(value, list):
        bad("options must be an array of strings or null")
    ok = value is None or is_strings(value)
    return cast("list[str] | None", value) if ok else bad("options must be an array of strings")


def _details(given: Row) -> Row:
    """The fields that questions and their changes check alike, in the order in which Aural does."""
    return {name: check(name, given[name]) for name, check in DETAILS.items() if name in given}


def _starter_code(_name: str, value: Any) -> Any:
    if value is not None and not isinstance(value, dict):
        bad(f"Invalid input: expected record, received {kind_of(value)}")
    for source in cast("Row", value or {}).values():
        if not isinstance(source, str):
            expected("string", source)
    return cast("Row | None", value)


def _any_json(_name: str, value: Any) -> Any:
    return value


def _threshold(name: str, value: Any) -> int | None:
    if value is not None and not is_number(value):
        expected("number", value)
    if value is not None and value != int(value):
        bad(f"{name} must be a whole number.")
    return None if value is None else int4(name, value)


def _seconds(name: str, value: Any) -> int | None:
    if value is None:
        return None
    if not is_number(value):
        expected("number", value)
    if value != int(value):
        expected("int", value)
    return int4(name, value) if value > 0 else bad("Too small: expected number to be >0")


def _strict_text(_name: str, value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else expected("string", value)


def _strict_flag(_name: str, value: Any) -> bool:
    return value if isinstance(value, bool) else expected("boolean", value)


def _strict_texts(_name: str, value: Any) -> list[str]:
    if not isinstance(value, list):
        expected("array", value)
    for item in cast("list[Any]", value):
        if not isinstance(item, str):
            expected("string", item)
    return cast("list[str]", value)


DETAILS: dict[str, Callable[[str, Any], Any]] = {
    "description": _strict_text,
    "starterCode": _starter_code,
    "validationRules": _any_json,
    "followUpPrompts": _any_json,
    "probeThreshold": _threshold,
    "showIf": _any_json,
    "skipIf": _any_json,
    "timeLimitSeconds": _seconds,
    "allowFileUpload": _strict_flag,
    "allowedFileTypes": _strict_texts,
}


def extension(operation: type[Extension], body: Any, session_id: str) -> Extension:
    """The body of an extension of ours: strict, every problem named."""
    given = object_or_empty(body)
    try:
        return operation.model_validate(storable(given) | {"sessionId": session_id})
    except ValidationError as error:
        bad(" ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}." for each in error.errors()[:20]))


# ── Practice ────────────────────────────────────────────────────────────────────────────────────


def practice_limit(text: str | None) -> int:
    """A practice list's size: a whole number from 1 to 500 in any spelling of JavaScript's; 100 when missing."""
    number = 100.0 if text is None else as_number(text)
    if (text is not None and not text.strip()) or number not in range(1, 501):
        bad("limit must be between 1 and 500.")
    return int(number)


# ── Sessions ────────────────────────────────────────────────────────────────────────────────────


def sessions_to_end(body: Any) -> tuple[list[str], bool]:
    """The ids, trimmed and each once, and whether this is a dry run (the default)."""
    if not isinstance(body, dict):
        expected("object", body)
    given = cast("Row", body)
    ids, dry_run = given.get("ids", ABSENT), given.get("dryRun", True)
    if not isinstance(ids, list):
        expected("array", ids)
    listed = cast("list[Any]", ids)
    for item in listed:
        if not isinstance(item, str):
            expected("string", item)
        if not item.strip():
            bad("Too small: expected string to have >=1 characters")
    if not listed:
        bad("Too small: expected array to have >=1 items")
    if len(listed) > 100:
        bad("Too big: expected array to have <=100 items")
    if not isinstance(dry_run, bool):
        expected("boolean", dry_run)
    return list(dict.fromkeys(storable({"ids": listed})["ids"][i].strip() for i in range(len(listed)))), dry_run


# ── Candidates ──────────────────────────────────────────────────────────────────────────────────


def new_candidates(body: Any, most: int = 500) -> list[Row]:
    """An object or an array of so many; names may be missing, addresses are not checked."""
    items = cast("list[Any]", body if isinstance(body, list) else [body])
    if not items:
        bad("At least one candidate is required")
    if len(items) > most:
        bad(f"Maximum {most} candidates per request")
    return [_new_candidate(item) for item in items]


def _new_candidate(item: Any) -> Row:
    if isinstance(item, list):
        expected("object", item)
    if not isinstance(item, dict):
        bad("Each candidate must be an object")
    given = cast("Row", item)
    row: Row = {name: trimmed(given.get(name)) or None for name in ("email", "phone", "notes")}
    row["name"] = trimmed(given.get("name"))
    row["email"] = row["email"].lower() if row["email"] else None
    return storable(row | _profile(given))


def candidate_changes(body: Any) -> Row:
    """A PATCH body: strict types, a valid address, at least one known field."""
    if not isinstance(body, dict):
        expected("object", body)
    given, row = cast("Row", body), cast("Row", {})
    if "name" in given:
        name = given["name"]
        if not isinstance(name, str):
            expected("string", name)
        row["name"] = name.strip() or bad("Too small: expected string to have >=1 characters")
    if "email" in given:
        row["email"] = _email(given["email"])
    for name in ("phone", "notes"):
        if name in given:
            row[name] = _strict_text(name, given[name])
    row |= _profile(given)
    return storable(row) if row else bad("No valid fields to update.")


def _email(value: Any) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        expected("string", value)
    address = value.strip()
    valid = re.fullmatch(
        r"(?!\.)(?!.*\.\.)[A-Za-z0-9_'+\-.]*[A-Za-z0-9_+-]@([A-Za-z0-9][A-Za-z0-9\-]*\.)+[A-Za-z]{2,}", address
    )
    return address if valid else bad("Invalid email address")


def _profile(given: Row) -> Row:
    row: Row = {name: _strict_text(name, given[name]) for name in PROFILE if name in given}
    if given.get("birthday", ABSENT) is not ABSENT:
        row["birthday"] = _birthday(given["birthday"])
    if given.get("graduationYear", ABSENT) is not ABSENT:
        row["graduationYear"] = _year(given["graduationYear"])
    return row


def _birthday(value: Any) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        expected("string", value)
    try:
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value) and date.fromisoformat(value):
            return value
    except ValueError:
        pass
    bad("Invalid ISO date")


def _year(value: Any) -> int | None:
    if value is None:
        return None
    if not is_number(value):
        expected("number", value)
    return int4("graduationYear", value) if value == int(value) else expected("int", value)

"""Arguments as hosts send them, read as an operation: null is left out, text is read, and nothing is guessed.

Hosts and frameworks fill what was not given with null, an empty text or an empty list, write numbers, lists and
objects as text, a list of one without its brackets, and add names and envelopes of their own. All of that is taken
for what it means; a name that is nobody's is an error that says the nearest one.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from pydantic import ValidationError
from pydantic.alias_generators import to_camel

from aural_mcp.api.operations import AnyOperation, Operation
from aural_mcp.bounds import TooMuch, is_large, weigh
from aural_mcp.privacy.audit import LONGEST_REASON
from aural_mcp.safety import outside, quoted
from aural_mcp.server.access import arguments_of
from aural_mcp.tools.schemas import PAIR, Schema, input_schema, is_map, main_branch

MOST_PROBLEMS, LONGEST_NAME = 10, 100
"""What is said of arguments that are wrong in many ways, and looked at of a name that is none."""
CONFIRMED = ("confirmation", "reason")
"""What a confirmed tool takes beside the arguments of its operation."""
MOST_NAMES, MOST_ITEMS, LONGEST_TEXT = 100, 500, 100_000
"""Fields of one object; items of a list and characters of a text whose schema sets no bound."""
LONGEST_NUMBER = 40
"""Characters of a text that can be a number, or true or false."""
ADDED = {
    *("toolCallId", "chatInput"),  # n8n
    *("random_string", "_meta"),  # Cursor; misplaced by several
    *("wait_for_previous", "waitForPreviousTools", "toolAction", "toolSummary"),  # Gemini CLI, Antigravity
    *("task_progress", "security_risk"),  # Cline, OpenHands
}
BESIDE = {"tool", "sessionId", "action"}
"""Names that hosts put in by themselves, and those that they put in only beside one of them."""
ENVELOPES = {
    *("arguments", "args", "kwargs", "parameters", "params", "input", "request", "properties"),
    *("tool_input", "toolInput", "tool_args", "action_input"),  # agents of LangChain and kin
}
"""An object under one of these names holds the arguments, when beside it there is only what names the call."""
KINDS_OF_CALL = ("function", "tool_use", "tool_call", "object")
NUMBER = re.compile(r"\s*[+-]?\d{1,15}(\.\d{1,15})?\s*")
TRUTH = {"true": True, "false": False}
NOTHING = ("null", "none", "undefined")
"""What templates write for nothing."""
EMPTY: tuple[Any, ...] = (None, "", [], {})


class BadArguments(Exception):
    """Arguments that were not sent anywhere; the message names each and says what it takes."""


class TooMany(Exception):
    """Arguments hold more than is read."""


@dataclass(frozen=True)
class Given:
    """What a call asks for: its arguments, the code of a confirmation, why, and what to say of how they came."""

    arguments: Operation[Any]
    code: str = ""
    reason: str = ""
    remarks: Sequence[str] = field(default=())


def read(operation: AnyOperation, sent: Mapping[str, Any], *, writes: bool = True, reasons: bool = False) -> Given:
    """The arguments of a call. Snake_case names are taken too.

    Args:
        writes: whether a file may be written.
        reasons: whether a confirmed tool is only called with a reason.

    Raises:
        BadArguments: naming every argument that is wrong; nothing is ignored without a remark.
    """
    model = arguments_of(operation)
    schema = input_schema(model)
    known = schema["properties"]
    reading = _Reading(keeps_empty=operation.effect == "update")
    try:
        sent = _opened(operation.tool_name(), sent, known)
        added = _added(sent, known)
        code, reason = _beside(operation, sent, reasons or "reason" in known) if operation.confirmed else ("", "")
        added_or_read = {*added, *(set(CONFIRMED).difference(known) if operation.confirmed else ())}
        named = {name: value for name, value in sent.items() if name not in added_or_read}
        arguments, dropped = _writable(operation, reading.fields(named, schema))
    except TooMany as many:
        raise _refusal(operation, f"{many} Send less in one call.") from None
    if not writes and operation.saves_as in arguments:
        said = f"{operation.saves_as} is not an argument here: this server only reads. Leave it out."
        raise _refusal(operation, said)
    try:
        return Given(model.model_validate(arguments), code, reason, [*_remarks(added), *dropped, *reading.remarks()])
    except ValidationError as error:
        again = f"Correct this and call {operation.tool_name()} again."
        raise _refusal(operation, f"{_problems(schema, error)} {again}") from error


def _refusal(operation: AnyOperation, said: str) -> BadArguments:
    return BadArguments(f"{operation.tool_title()} was not called, nothing changed. {said}")


def _opened(tool: str, sent: Mapping[str, Any], known: Collection[str]) -> Mapping[str, Any]:
    """The arguments themselves, where a host put them into an envelope, or into one in another."""
    for _ in range(2):
        names = (ENVELOPES & sent.keys()).difference(known)
        if len(names) != 1 or len(sent) > MOST_NAMES:
            break
        (name,) = names
        beside = {each: value for each, value in sent.items() if each != name and not _says_which(each, value, tool)}
        inner = _from_json(sent[name]) if isinstance(sent[name], str) else sent[name]
        if not beside.keys() <= ADDED or not (isinstance(inner, dict) or inner in EMPTY):
            break
        sent = {**beside, **cast("dict[str, Any]", inner or {})}
    return sent


def _says_which(name: str, value: Any, tool: str) -> bool:
    """Whether a field only says which call this is: the tool, with a host's prefix or without, a kind, or a number."""
    if not isinstance(value, str):
        return False
    if name in ("type", "id"):
        return value in KINDS_OF_CALL or value.startswith(("call_", "toolu_"))
    return value == tool or value.endswith(tuple(f"{mark}{tool}" for mark in "_.:/-"))


def _added(sent: Mapping[str, Any], known: Collection[str]) -> list[str]:
    """The names that a host put in by itself."""
    ours = {*known, *map(_snake, known)}
    if not any(name in ADDED for name in sent if name not in ours):
        return []
    return [name for name in sent if name in ADDED | BESIDE and name not in ours]


def _remarks(added: Sequence[str]) -> list[str]:
    return [f"Ignored, as the host adds it by itself: {', '.join(added)}."] if added else []


def _beside(operation: AnyOperation, sent: Mapping[str, Any], needed: bool) -> Sequence[str]:
    """Code and reason, which a confirmed tool takes beside the arguments of its operation."""
    said = {name: "" if sent.get(name) is None else sent[name] for name in CONFIRMED}
    wrong = [f"{name} must be text. Correct this" for name, text in said.items() if not isinstance(text, str)]
    if len(why := str(said["reason"]).strip()) > LONGEST_REASON:
        wrong += [f"reason has {len(why):,} characters and takes {LONGEST_REASON} at most. Shorten it"]
    if needed and (_is_nothing(why) or not re.search(r"\w", outside(why[:LONGEST_REASON]))):
        wrong += ["reason is required here: ask the user why, unless they said so. Give it"]
    if wrong:
        raise _refusal(operation, f"{wrong[0]} and call {operation.tool_name()} again.")
    return list(said.values())


# ── Values ──────────────────────────────────────────────────────────────────────────────────────


class _Reading:
    """Reads values as a schema wants them, and notes what a change left as it was.

    Args:
        keeps_empty: whether an empty value could be meant to empty a field, which is said and not done.
    """

    def __init__(self, *, keeps_empty: bool) -> None:
        self._keeps_empty, self._left = keeps_empty, list[str]()
        self._at = ""

    def _check(self, number: int, most: int, what: str) -> None:
        if number > most:
            raise TooMany(f"{self._at or 'The call'} has {number:,} {what} and takes {most:,} at most.")

    def _check_free(self, value: Any) -> None:
        """Hold what a schema does not describe to the length of a text."""
        if is_large(value, LONGEST_TEXT):
            raise TooMany(f"{self._at} holds more than {LONGEST_TEXT:,} characters.")

    def fields(self, sent: Mapping[str, Any], schema: Schema) -> dict[str, Any]:
        """The fields of an object, without those that were not really given."""
        self._check(len(sent), MOST_NAMES, "fields")
        known, required = schema.get("properties", {}), schema.get("required", ())
        read: dict[str, Any] = {}
        for name, value in sent.items():
            spelled = _camel(name, known)
            wanted = known.get(spelled)
            self._at = spelled
            meant = self.value(value, wanted or {}, ids=_are_ids(spelled))
            if wanted is None or spelled in required or not self._is_left_out(spelled, meant):
                read[spelled] = meant
        return read

    def remarks(self) -> list[str]:
        """What to say of fields that were sent empty to a change."""
        names = ", ".join(dict.fromkeys(self._left))
        return [f"Sent empty, so left as it was: {names}. To empty a field, name it in clear."] if names else []

    def value(self, value: Any, wanted: Schema, *, ids: bool = False) -> Any:
        """A value as the schema wants it, at any depth; what cannot be read stays as it is."""
        schema = main_branch(wanted)
        value = _scalar(value, schema, {branch.get("type") for branch in [wanted, *wanted.get("anyOf", [])]})
        if isinstance(value, str):
            self._check(len(value), schema.get("maxLength", LONGEST_TEXT), "characters")
        items = PAIR if is_map(schema) else schema.get("items")
        if items is not None:
            value = _listed(value, items, apart=ids)
        if isinstance(value, list):
            self._check(len(cast("list[Any]", value)), schema.get("maxItems", MOST_ITEMS), "items")
        if isinstance(value, list | dict) and not {"items", "properties"} & schema.keys():
            self._check_free(value)
        if isinstance(value, list) and items is PAIR:
            return _map(cast("list[Any]", value))
        if isinstance(value, list) and items is not None:
            return [self.value(_bare(item, items), items) for item in cast("list[Any]", value)]
        if isinstance(value, dict) and "properties" in schema:
            return self.fields(cast("dict[str, Any]", value), schema)
        return cast("Any", value)

    def _is_left_out(self, name: str, value: Any) -> bool:
        """Null and what is empty or blank; an empty list of ids stays, for it must never come to mean everybody."""
        blank = isinstance(value, str) and not value.strip()
        if not (value in EMPTY or blank) or (_are_ids(name) and value not in (None, "", {})):
            return False
        if self._keeps_empty and value is not None:
            self._left.append(name)
        return True


def _scalar(value: Any, schema: Schema, kinds: Collection[Any]) -> Any:
    """Numbers, truths and texts in the type that is wanted, and what else was written as text."""
    if isinstance(value, str) and "string" not in kinds:
        value = _from_text(value, kinds)
    if isinstance(value, float) and "integer" in kinds and value.is_integer():
        return int(value)
    if type(value) is int and set(kinds) <= {"string", "null"} and abs(value) < 10**15:
        return str(value)
    choices = schema.get("enum", ())
    return None if choices and value not in choices and _is_nothing(value) else value


def _is_nothing(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST_NUMBER and value.strip().lower() in NOTHING


def _from_text(text: str, kinds: Collection[Any]) -> Any:
    """What a host wrote as text where none is wanted: a number, true or false, an array or object."""
    if len(text) <= LONGEST_NUMBER and {"integer", "number"} & set(kinds) and NUMBER.fullmatch(text):
        number = float(text)
        return int(number) if number.is_integer() else number
    if len(text) <= LONGEST_NUMBER and "boolean" in kinds and text.strip().lower() in TRUTH:
        return TRUTH[text.strip().lower()]
    if {"array", "object"} & set(kinds):
        return _from_json(text)
    return None if {"integer", "number", "boolean"} & set(kinds) and _is_nothing(text) else text


def _from_json(text: str, *, once_more: bool = True) -> Any:
    """The array or object in a text, or in a text in a text; any other stays as it is, also `null`."""
    if text.lstrip()[:1] not in ("[", "{", '"'):
        return text
    try:
        weigh(text)
        read = json.loads(text)
    except TooMuch as much:
        raise TooMany(f"A text {much}.") from None
    except (ValueError, RecursionError):
        return text
    if isinstance(read, str) and once_more:
        read = _from_json(read, once_more=False)
    return cast("Any", read) if isinstance(read, list | dict) else text


# ── Lists ───────────────────────────────────────────────────────────────────────────────────────


def _are_ids(name: str) -> bool:
    return name.lower().endswith("ids")


def _listed(value: Any, items: Schema, *, apart: bool) -> Any:
    """What a host sent in place of a list, as that list: counted fields, an XML element, or its only item.

    Args:
        apart: whether a comma can only stand between items, as it is between ids.
    """
    if isinstance(value, dict):
        return _list_of_fields(cast("dict[str, Any]", value), items)
    if value == ["null"]:  # how Claude Code writes null where a list is wanted; of ids that is none, not all
        return [] if apart else None
    if isinstance(value, str) and (text := value.strip()) and not _is_nothing(text):
        apart = apart or "enum" in items or items.get("type") in ("integer", "number")
        if apart:
            return [part.strip() for part in text.split(",") if part.strip()]
        return [value] if items.get("type") == "string" and not re.search(r"[,;\n]", text) else value
    return [value] if type(value) is int and items.get("type") in ("integer", "number") else value


def _list_of_fields(fields: dict[str, Any], items: Schema) -> Any:
    known = items.get("properties", {})
    whole = not known or all(isinstance(each, dict | list) for each in fields.values())
    if whole and fields and all(str(number) in fields for number in range(len(fields))):
        return [fields[str(number)] for number in range(len(fields))]
    if whole and len(fields) == 1 and (name := next(iter(fields))) in ("item", "items"):
        return fields[name] if isinstance(fields[name], list) else [fields[name]]
    one = len(fields) <= MOST_NAMES and any(_camel(name, known) in known for name in fields)
    return [fields] if one else fields


def _bare(item: Any, items: Schema) -> Any:
    """An item of a list without the name that a host wrapped it in."""
    if not isinstance(item, dict) or item.keys() != {"item"} or "item" in items.get("properties", {}):
        return cast("Any", item)
    return cast("dict[str, Any]", item)["item"]


def _map(pairs: list[Any]) -> Any:
    """Pairs of language and code as the object that Aural takes."""
    rows = [cast("dict[str, Any]", each) for each in pairs if isinstance(each, dict)]
    if len(rows) == len(pairs) and all({"language", "code"} == row.keys() for row in rows):
        return {row["language"]: row["code"] for row in rows if isinstance(row["language"], str)}
    return pairs


def _camel(name: str, known: Collection[str]) -> str:
    """The name as the schema spells it; pydantic's `to_camel` takes long over long ones."""
    return name if name in known or len(name) > LONGEST_NAME else to_camel(name)


def _snake(name: str) -> str:
    return re.sub(r"(?=[A-Z])", "_", name).lower()


# ── Characters ──────────────────────────────────────────────────────────────────────────────────


def is_text(value: Any) -> bool:
    """Whether it can be written as UTF-8: JSON can spell half a character."""
    return _dumped(value) is not None


def half_a_character(sent: Mapping[str, Any], tool: str) -> str:
    """What to say of arguments that hold half a character, naming the first."""
    where = next((f": {path}" for path, text in _texts(sent) if not is_text(text)), "")
    said = f"An argument holds half a character (a lone surrogate), which is no text{where}."
    return f"{said} Write it as UTF-8 and call {tool} again."


def _writable(operation: AnyOperation, arguments: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The arguments without U+0000, which a pasted PDF brings and no database keeps, and what to say of that."""
    dumped = _dumped(arguments)
    if dumped is None:
        raise _refusal(operation, half_a_character(arguments, operation.tool_name()))
    if "\\u0000" not in dumped or (written := _without_nul(arguments)) == arguments:
        return arguments, []
    left = {path for path, text in _texts(written) if "\0" in text}
    where = [path for path, text in _texts(arguments) if "\0" in text and path not in left] or ["a name"]
    named = ", ".join(where[:MOST_PROBLEMS]) + (f" and {more} more" if (more := len(where) - MOST_PROBLEMS) > 0 else "")
    return written, [f"Taken out, as it cannot be stored: the character U+0000, in {named}."]


def _dumped(value: Any) -> str | None:
    """The value as JSON; None when that cannot be written as UTF-8."""
    try:
        dumped = json.dumps(value, ensure_ascii=False)
        dumped.encode()
    except UnicodeEncodeError:
        return None
    return dumped


def _texts(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every text in a value, by the path that leads there: `questions[0].text`."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, list):
        for at, item in enumerate(cast("list[Any]", value)):
            yield from _texts(item, f"{path}[{at}]")
    elif isinstance(value, dict):
        for name, item in cast("dict[str, Any]", value).items():
            shown = name if name.isascii() and name.isidentifier() and len(name) <= LONGEST_NAME else "…"
            yield from _texts(item, f"{path}.{shown}" if path else shown)


def _without_nul(value: Any) -> Any:
    """The value without U+0000; an id that holds one is none, and stays to be refused."""
    if isinstance(value, str):
        return value.replace("\0", "")
    if isinstance(value, list):
        return [_without_nul(item) for item in cast("list[Any]", value)]
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value).items()
        return {
            _without_nul(name): item if name.endswith(("Id", "Ids")) else _without_nul(item) for name, item in fields
        }
    return value


# ── Problems ────────────────────────────────────────────────────────────────────────────────────


def _problems(schema: Schema, error: ValidationError) -> str:
    found = error.errors(include_url=False, include_input=False)
    problems = [_problem(schema, each["loc"], each["type"], each["msg"]) for each in found[:MOST_PROBLEMS]]
    problems += [f"{len(found) - MOST_PROBLEMS} more are wrong."] if len(found) > MOST_PROBLEMS else []
    return " ".join(dict.fromkeys(problems))


def _problem(schema: Schema, loc: Sequence[int | str], kind: str, message: str) -> str:
    """One validation error as a sentence that starts with the argument's name."""
    where, names = _locate(schema, loc)
    if kind == "extra_forbidden":
        wrong = str(loc[-1])[:LONGEST_NAME]
        near = difflib.get_close_matches(wrong, names, 1, 0.5) or difflib.get_close_matches(to_camel(wrong), names, 1)
        hint = f"did you mean {near[0]}?" if near else f"it takes {', '.join(names) or 'none'}."
        return f"{quoted(wrong)} is not an argument{f' of {where}' if where else ''}: {hint}"
    said = "must be an object" if kind in ("model_type", "dict_type") else message
    for theirs, ours in WORDS.items():
        said = said.replace(theirs, ours)
    if not where:
        return f"{said[:1].upper()}{said[1:]}."
    return f"{where} {said}." if said.startswith(("is ", "must ")) else f"{where}: {said}."


WORDS = {
    "Value error, ": "",
    "Field required": "is required",
    "Input should be a valid integer": "must be a whole number",
    "Input should": "must",
    "List should": "must",
    "String should": "must",
    " after validation": "",
}
"""What pydantic says, and how it reads after an argument's name."""


def _locate(schema: Schema, loc: Sequence[int | str]) -> tuple[str, list[str]]:
    """The path of an error as the caller wrote it, and the names known at its end."""
    path, here = "", schema
    for part in loc:
        here = main_branch(here)
        properties = here.get("properties", {})
        if isinstance(part, int):
            path, here = f"{path}[{part}]", here.get("items", {})
        elif part in properties:
            path, here = f"{path}.{part}" if path else part, properties[part]
    return path, list(main_branch(here).get("properties", {}))

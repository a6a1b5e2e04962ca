"""A person a line, or several addresses of a mail program on one: who is meant by each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.utils import unquote

from aural_mcp.safety import outside
from aural_mcp.workflows.lists.cells import EMPHASIS, LINKED, is_nothing, is_phone, repaired
from aural_mcp.workflows.lists.columns import could_be_name
from aural_mcp.workflows.lists.headings import is_end, meant
from aural_mcp.workflows.lists.sheets import Row, Sheet
from aural_mcp.workflows.lists.tables import EMAIL

BULLET = re.compile(r"^[\s>]*(?:[-*+•·–▪◦‣☐✓]\s+|\[[ xX]\]\s+|\(?\d{1,5}[.)、]\s*|#{1,6}\s+)*")
TO = re.compile(r"^\s*(?:to|cc|bcc|an|von|from|à|a|para|收件人|抄送)\s*:\s*(?=.{0,300}@)", re.IGNORECASE)
REMARK = re.compile(r"[(（\[]([^()（）\[\]@]{1,300})[)）\]]")
PHONE_AT_END = re.compile(
    r"(?:^|[\s,;|:(])(?:(?:tel|phone|mobile|mobil|mob|cell|telefon|handy|tél|电话|手机|p|m|t)\b\.?:?\s*)?"
    r"(\+?\(?\d[\d\s().\-/]{4,30}\d)[\s,;|)]*$",
    re.IGNORECASE,
)
PARTICLES = frozenset(
    "de la le da di do dos das del della der den van von zu ter ten te af av y e i bin bint ibn al el ben ua op".split()
)
LONGEST_END = 80
"""Characters at the end of a line among which a phone number is looked for."""
EDGES = " \t,;:|<>()[]\"'`*/\\-–—=•·→"
"""What stands around a name and is none of it."""
NOBODY = (
    "No address, and it does not read like a name: not registered. If it is a person, give them as candidates rows."
)
NAMELESS = "There is no name with {address}: not registered. Give the person as candidates rows."


def by_lines(read: Sheet, text: str) -> None:
    """Read people off lines; what is no person is noted with its line."""
    lines = [(number, _evenly(outside(line))) for number, line in enumerate(text.splitlines(), 1)]
    lines = [(number, line) for number, line in lines if any(map(str.isalnum, line))]
    lines = _together([(number, part) for number, line in lines for part in _names(line)])
    addressed = sum("@" in line for _, line in lines)
    for number, line in lines:
        line = _plain(line)
        if "@" in line or "＠" in line:
            read.rows += [Row(number, values) for values in _people(line)]
        elif (values := _called(line)) and (not addressed or ("phone" in values and 2 * addressed < len(lines))):
            read.rows.append(Row(number, values))
        elif meant(line).sure and number == lines[0][0]:
            read.columns["name"] = line
        else:
            read.unreadable.append((number, NOBODY))


def _names(line: str) -> list[str]:
    """The names of a line that holds several and nothing else."""
    parts = [each for each in line.split(";") if each.strip()]
    return parts if len(parts) > 1 and all(map(_reads_like_name, parts)) else [line]


def _reads_like_name(text: str) -> bool:
    """Whether a line of its own is a name: no small words in it but those that names have."""
    words = re.findall(r"[^\W\d_]+", text)
    small = [each for each in words[1:] if each.islower() and each not in PARTICLES]
    return could_be_name(text.strip()) and not (small and not all(map(str.islower, words)))


def _together(lines: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """A name and the address below it as one line, where every address stands below a name."""
    found: list[tuple[int, str]] = []
    for number, line in lines:
        alone = EMAIL.fullmatch(_plain(line))
        if alone and (
            not found or "@" in found[-1][1] or not could_be_name(_plain(found[-1][1])) or meant(found[-1][1]).sure
        ):
            return lines
        if alone:
            number, name = found.pop()
            line = f"{_plain(name)} <{alone[0]}>"
        found.append((number, line))
    return found


def _evenly(line: str) -> str:
    """A line with one space, or a tab, where there were several."""
    return re.sub(r"\s+", lambda found: "\t" if "\t" in found[0] else " ", line).strip()


def _plain(line: str) -> str:
    """A line without bullets, Markdown, `mailto:` and what a header of a message begins with."""
    line = LINKED.sub(_linked, line) if "](" in line else line
    line = BULLET.sub("", TO.sub("", line), count=1)
    line = EMPHASIS.sub("", line)
    line = re.sub(r"mailto:", "", line, flags=re.IGNORECASE)
    return re.sub(r"\?(?:subject|body|cc)=[^\s>)\]]{0,500}", "", line, flags=re.IGNORECASE).strip(" |\t")


def _linked(found: re.Match[str]) -> str:
    text, target = found[1], found[2].partition("?")[0]
    return target if "@" in text else f"{text} <{target}>" if "@" in target else text


def _people(line: str) -> Iterator[dict[str, str]]:
    """The people of a line: before each address stands a name, or behind each."""
    line = line.replace("＠", "@")
    found = list(EMAIL.finditer(line))
    found = [each for each, after in zip(found, [*found[1:], None], strict=True) if not after or after[0] != each[0]]
    if not found:
        yield {"name": line}
        return
    edges = [0, *(each.end() for each in found)]
    before = [line[start : each.start()] for start, each in zip(edges, found, strict=False)]
    after = [*before[1:], line[edges[-1] :]]
    behind = not _words(before[0]) and all(map(_words, after)) and "<" not in before[0]
    if behind and len(found) > 1:
        around = [(text, "") for text in after]
    else:
        ends = [""] * (len(found) - 1) + [line[edges[-1] :]]
        around = [(text, "") if _words(text) else ("", "") for text in before]
        around = [(text, end) for (text, _), end in zip(around, ends, strict=True)]
        around = [(end, "") if not _words(text) else (text, end) for text, end in around]
    for address, (name, end) in zip(found, around, strict=True):
        yield _person(address[0].rstrip("."), name, end)


def _words(text: str) -> bool:
    return any(map(str.isalpha, REMARK.sub("", text)))


def _person(address: str, name: str, end: str) -> dict[str, str]:
    values, notes = {"email": address}, list[str]()
    for text in (name, end):
        notes += [each.strip() for each in REMARK.findall(text) if _is_remark(each)]
    name, end = (
        REMARK.sub(lambda found: " " if _is_remark(found[1]) else f" {found[1]} ", each) for each in (name, end)
    )
    for place, text in enumerate((end, name)):
        if found := PHONE_AT_END.search(text, max(0, len(text) - LONGEST_END)):
            values.setdefault("phone", found[1])
            name, end = (name, text[: found.start()]) if place == 0 else (text[: found.start()], end)
    if rest := end.strip(" \t,;:|<>()[]\"'`*/\\-–—=•·→."):
        notes.append(rest)
    name = _stripped(_decoded(name))
    name, more = _first_part(name)
    notes = [*more, *notes]
    return {"name": name, **values, **({"notes": "\n".join(notes)} if notes else {})}


def _is_remark(text: str) -> bool:
    return any(map(str.isalpha, text)) and not is_phone(text) and not is_nothing(text)


def _stripped(name: str) -> str:
    name = name.strip(EDGES.replace('"', "")).lstrip(".")
    if name.count('"') >= 2 and name.startswith('"'):
        return unquote(name) if name.endswith('"') else name.replace('"', "")
    return name.strip("\"' ") if name[:1] in "\"'" or name[-1:] in "\"'" else name


def _decoded(name: str) -> str:
    """A name as mail programs encode it (RFC 2047)."""
    if "=?" not in name or "?=" not in name or len(name) > 1_000:
        return name
    try:
        return str(make_header(decode_header(name.strip(" \t<,;\"'"))))
    except (HeaderParseError, LookupError, ValueError):
        return name


def _first_part(name: str) -> tuple[str, list[str]]:
    """A name, and what stands behind it after commas where that is more than `Silva, Ana`."""
    parts = [each for each in re.split(r"\s*[,;|\t，；]\s*", name) if each]
    if len(parts) < 2 or (len(parts) == 2 and "\t" not in name and "|" not in name and ";" not in name):
        return name, []
    return parts[0], parts[1:]


def _called(line: str) -> dict[str, str] | None:
    """Somebody without an address: a name, maybe a phone number and a remark."""
    notes = [each for each in REMARK.findall(line) if _is_remark(each)]
    rest, values = REMARK.sub(" ", line), dict[str, str]()
    if found := PHONE_AT_END.search(rest, max(0, len(rest) - LONGEST_END)):
        values["phone"], rest = repaired(found[1]), rest[: found.start()]
    name = _stripped(rest)
    if is_end(name) or meant(name).sure or not _reads_like_name(name):
        return None
    return {"name": name, **values, **({"notes": "\n".join(notes)} if notes else {})}

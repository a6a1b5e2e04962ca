"""Turns that try to influence who scores them: shown to a person, never judged, and no score is changed.

A text is read as a model might read it: without what cannot be seen, in one spelling, and decoded where it hides in
an encoding. A phrase counts where it is an order to the reader. It does not where somebody tells of it ("an attacker
might write ..."), as honest candidates do. Somebody who knows these rules can write around them.
"""

from __future__ import annotations

import base64
import codecs
import math
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache

from aural_mcp import safety
from aural_mcp.api.models import Message, ReportMessage
from aural_mcp.privacy.flags.phrases import PARTS, PHRASES, SCRIPTS

UNSEEN = "contains text that cannot be seen"
ENCODED = "hides such words by spelling or encoding"
SYSTEM = "imitates a message of the system"
AT_ONCE = "came whole at once"
"""How the reason of a turn begins that came faster than anybody types."""
REASONS = {
    "speaks": "speaks to the scorer or an AI",
    "score": "asks for a score",
    "prompt": "asks for the system prompt",
    "role": "gives the AI another role",
    "system": SYSTEM,
}
LONG, FASTEST, TOGETHER = 300, 40, 0.5
"""Characters of a long answer; characters a second that nobody types or says; seconds between two turns that were
stored together, and tell nothing."""


@dataclass(frozen=True)
class Flag:
    """A turn, counted from 1, and what a person should know about it."""

    turn: int
    reasons: tuple[str, ...]


def flags(messages: Sequence[Message]) -> list[Flag]:
    """The candidate's turns that try to influence a score, or came faster than anybody types."""
    found: list[Flag] = []
    for turn, message in enumerate(messages, 1):
        if message.role != "USER":
            continue
        why = reasons(message.content) + (_at_once(messages[turn - 2], message) if turn > 1 else ())
        if why:
            found.append(Flag(turn, why))
    return found


def reasons(text: str) -> tuple[str, ...]:
    """What in a text tries to influence a scorer, in words for a recruiter; nothing for nearly every honest text."""
    return _remembered(text) if len(text) < REMEMBERED else _reasons(text)


def _reasons(text: str) -> tuple[str, ...]:
    plain = _plain(text)
    found = dict.fromkeys([UNSEEN] if _unseen(text) else []) | dict.fromkeys(_orders(plain))
    for hidden in _decoded(text, plain):
        if orders := dict.fromkeys(_orders(hidden)):
            found |= orders | {ENCODED: None}
    return tuple(found)


_remembered = lru_cache(4096)(_reasons)
"""A transcript is read page by page, and the whole of it is looked through each time."""
REMEMBERED = 2_000


# ── What is said ────────────────────────────────────────────────────────────────────────────────

TAG = re.compile(
    r"[<\[](?:\|[a-z_ ]{2,30}\|>|/?inst\]|</?sys>>"
    r"|/?(?:system(?=[\s\]>:_-])|end of [\w ]{3,20}|admin (?:request|override|note))[^\]>\n]{0,40}[\]>]"
    r"|/?(?:assistant|instructions?|prompt|(?:tool|function)[_-]\w+|transcript|rubric|answer|score)>)"
    r"|\"role\"\s?:\s?\"(?:system|assistant|tool)\"[^\n]{0,60}?\b(?:candidate|score|hire)"
)
GAP = r"(?<!\s)\w*+(?:[^\w.!?\n]++\w++){0,%d}?[^\w.!?\n]++"
NEAR = r"\W{%d,3}"
WORD = re.compile(r"[\w@$]+")
NOT_LATIN = re.compile("[\u0600-\u06ff\u0900-\u097f\u3400-\u9fff]")
MARKS = re.compile("[\u0300-\u036f\u0640\u064b-\u065f\u0670\u200c-\u200f\ufe00-\ufe0f]")


def _fold(text: str) -> str:
    """The text without accents and joiners, in compatible characters."""
    return MARKS.sub("", unicodedata.normalize("NFKD", text))


def _rows(table: str) -> list[str]:
    return table.replace("\n  ", "").strip().splitlines()


def _filled(pattern: str, parts: dict[str, str]) -> str:
    return re.sub("[A-Z_]{2,}", lambda name: parts[name[0]], pattern)


@cache
def _by_word() -> dict[str, list[tuple[str, str, re.Pattern[str]]]]:
    """The phrases by the word that they begin with: (reason, kind, what follows the word). Not needed at start."""
    parts = dict(row.split(" = ", 1) for row in _rows(PARTS))
    found: dict[str, list[tuple[str, str, re.Pattern[str]]]] = {}
    for row in _rows(PHRASES):
        label, words, rest = row.split(" : ", 2)
        reason, kind = label.split()
        rest = re.sub(r" ?\.\. ", lambda _: GAP % 9, _filled(_filled(rest, parts), parts))
        if " & " in rest:
            rest = "".join(rf"(?={GAP % 16}{part})" for part in rest.split(" & "))
        follows = re.compile(rf"\W{{0,3}}(?:{rest.replace(' ?', NEAR % 0).replace(' ', NEAR % 1)})")
        for word in _filled(words, parts).split():
            found.setdefault(word, []).append((REASONS[reason], kind, follows))
    return found


@cache
def _by_script() -> list[tuple[str, re.Pattern[str]]]:
    rows = (row.split(" : ", 1) for row in _rows(SCRIPTS))
    return [(REASONS[reason], re.compile(_fold(pattern))) for reason, pattern in rows]


# ── Whether somebody orders or tells ────────────────────────────────────────────────────────────

LEAD = (
    "(?:please|kindly|now|just|simply|then|also|only|always|immediately|instead|hereby|ok|okay|so|again|first|finally|"
    "critical|important|dear|hey|hello|hi|automated|bitte|jetzt|dann|por favor|ahora|luego|maintenant|veuillez|ensuite)"
)
TO_READER = (
    "you (?:must|should|shall|will|can|could|(?:have|need|are|are (?:instructed|required|ordered)) to)|you to|"
    r"and instead|(?:can|could|will|would) you|(?:task|job|goal) (?:now )?is to|"
    r"(?:evaluators?|ai|graders?|reviewers?) (?:\w+ )?(?:must|should|shall|will)|"
    r"(?:want|need|ask|order|instruct|command|require) the (?:\w+ ){1,5}to"
)
SUBJECT = (
    "(?:i|we|they|he|she|it|my|our|who|which|nobody|people|ich|wir|er|man|yo|nunca|je|nous|(?:user|attacker|candidate|"
    "student|pupil|agent|model|bot|llm|system|parser|customer|patient|engineer|teacher|employee)s?)"
)
TELL = (
    "(?:says?|said|saying|writes?|wrote|typed?|types|tells?|told|asks?|asked|pastes?|pasted|put|reads?|shouts?|"
    "shouted|dijo|dice|decia|sagte?|schrieb|disait|dit)"
)
COMMAND = re.compile(rf"(?:^|[^\w\s'-]|\n| -|\b(?:{TO_READER})\b)\s*(?:\b{LEAD}\b\W*)*$")
JOINED = re.compile(rf"\b(?:and|or|but|then|y|e|et|und|puis|danach|despues) (?:{LEAD} )*$")
STARTS = re.compile(rf"\W*(?:{LEAD} )*(?:please|ignore|disregard|forget|override|skip|stop|write|say|give|do)\b")
SUBJECTS = re.compile(rf"\b(?!(?:it|my|our)\b){SUBJECT}\b")
DESCRIBED = re.compile(
    rf"(?:\b{SUBJECT}\b(?:'\w+)?(?:\W+[\w']+){{0,3}}|"
    r"\b(?:to|not|never|cannot|would|could|should|must|will|might|may|can|\w+n't))\W*$"
)
ATTACK = re.compile(
    r"(?<!not )(?<!not a )(?<!not an )(?:prompt.)?\b(?:attack|inject|jailbreak|malicious|adversar|payload|red.team|"
    r"hack|exploit|phish|vulnerab|sandbox|owasp|untrusted [a-z]|pentest|penetration|regex|detection|"
    r"atacante|ataque|angreif|angriff|pirate\b)|攻击|हमला|مهاجم"
)
TOLD_BEFORE = re.compile(
    rf"(?:(?<!what )\b(?:{SUBJECT}|some(?:one|body)|e?mail|resume|cv|hacker|guidelines|rules|"
    r"(?:the|an?|one|my|our|his|her|el|la|mein|der|die|le|un) (?!hiring|recruit|interview|admin|system|evaluat|rubric)"
    rf"\w+)\b(?:\W+\w+){{0,3}}\W+{TELL}(?! you)|\b(?:prompt|line|sentence|phrase|string|trick|text|advice)s?\b"
    r"[^,;]*\bwas)\b(?:[^,;]*| ?:.*)$|[说写]:"
)
TOLD_AFTER = re.compile(
    r"[^.!?\n]{0,60}?[,\"] ?(?:i|we|he|she|they|(?:the|my|our|an?) \w+)(?: \w+){0,4} "
    rf"(?:{TELL}|say|tell|ask|repeat|promised|thought)\b"
)
NAMED = re.compile(
    rf"\b(?:{TELL}|say|written|typing|hid|hidden|contain(?:s|ed)?|lines?|words?|phrases?|strings?|sentences?|like|"
    r"such as|e\.g|for (?:example|instance)|called|decodes|try|tried|quoted|began|title|text|prompt|comment|message)\b|"
    r"\b(?:is|was|were|as)\W*$"
)
"""What comes before a quotation that somebody only mentions."""
MIDST = re.compile(r"(?:[^\"\n]{0,150}[^.!?\"\n])?\",? \w")
"""The rest of a quotation that a sentence goes on after."""
SINGLE = re.compile(r"(?:^|(?<=[\s(:,]))'(?=\w)(?!.*\w[.!?,]?'(?!\w))")
"""A single quotation mark that opens and is not closed."""
ABOUT_TAGS = re.compile(
    r"\b(?:tokens?|templates?|formats?|tags|markup|markers?|xml|html|element|escape)\b|^\W*(?:is|was) "
)
SENTENCE = re.compile(r"[.!?]\s|\n")


def _orders(plain: str) -> Iterator[str]:
    """Why a plain text counts as an order to its reader, each reason once."""
    done: set[str] = set()
    for reason, kind, start, end in _phrases(plain, done):
        head, tail = plain[max(0, start - 400) : start], plain[end : end + 200]
        if _counts(kind, head) and not _told(head, tail, tags=reason == SYSTEM):
            done.add(reason)
            yield reason


def _phrases(plain: str, done: set[str]) -> Iterator[tuple[str, str, int, int]]:
    """Each phrase of a reason that is not done: reason, kind, where it starts and ends."""
    by_word = _by_word()
    for word in WORD.finditer(plain):
        for reason, kind, rest in by_word.get(word[0], ()):
            if reason not in done and (found := rest.match(plain, word.end())):
                yield reason, kind, word.start(), found.end()
    for found in TAG.finditer(plain):
        if SYSTEM in done:
            break
        yield SYSTEM, "any", *found.span()
    if not plain.isascii() and NOT_LATIN.search(plain):
        for reason, pattern in _by_script():
            for found in pattern.finditer(plain):
                yield reason, "any", *found.span()


def _counts(kind: str, head: str) -> bool:
    """Whether a phrase after `head` is meant for the reader: `said` unless somebody does it, `order` only as one."""
    if kind in ("line", "heading"):
        line = head.rpartition("\n")[2]
        return not line.strip(" \t<[>*#=-") and (kind == "line" or len(line.strip()) > 1)
    sentence = re.split(r"[.!?:\n]", head)[-1]
    if (
        kind == "any"
        or COMMAND.search(head[-100:])
        or (JOINED.search(sentence) and (STARTS.match(sentence) or not SUBJECTS.search(sentence)))
    ):
        return True
    return kind == "said" and not DESCRIBED.search(sentence[-100:])


def _told(head: str, tail: str, *, tags: bool = False) -> bool:
    """Whether the words between head and tail are somebody else's, told by this speaker."""
    paragraph = head[head.rfind("\n") + 1 :]
    single = SINGLE.search(paragraph)
    opened = paragraph.rfind('"') if paragraph.count('"') % 2 else single.start() if single else -1
    if opened >= 0:
        before = paragraph[max(0, opened - 160) : opened]
        told = NAMED.search(before[-60:]) or ATTACK.search(before) or ATTACK.search(tail)
        return bool(told or (before.strip() and MIDST.match(tail)))
    before, after = SENTENCE.split(head)[-1], SENTENCE.split(tail)[0]
    return bool(
        TOLD_BEFORE.search(before)
        or TOLD_AFTER.match(tail)
        or any(ATTACK.search(part) or (tags and ABOUT_TAGS.search(part)) for part in (before, after))
    )


# ── How it is read ──────────────────────────────────────────────────────────────────────────────

LETTERS = str.maketrans(
    "аеорсухіѕјԁһкмтвнıοανρτυκιεβμηχ“”„«»「」『』`‘’‚",
    "aeopcyxisjdhkmtbhiovvptukiebmnx" + '"' * 10 + "'" * 3,
)
"""Letters of other alphabets that look Latin, and quotation marks in one form."""
WORDS = (
    "ignor disregard forget instruct scor system prompt rating perfect rubric grade marks point recommend evalua "
    "candida applicant maximum answer interview highest"
).split()
ROTATED = [codecs.encode(word, "rot13") for word in WORDS]
REVERSED = [word[::-1] for word in WORDS]
DIGITS = str.maketrans("013457@$", "oieastas")
SPACED = re.compile(r"\w(?:[ ._*-]\w(?!\w)){2,}")
GLUED = re.compile(
    "ignore|disregard|forget|all|any|the|your|previous|prior|above|instructions|rules|rubric|system|prompt|give|rate|"
    "score|me|this|candidate|full|marks"
)
BLOCK = re.compile(r"[\w+/-]{24,}={0,2}", re.ASCII)
INVISIBLE = f"(?:{safety.HIDDEN.pattern}|[\u200c-\u200f\u180b-\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef])"
WRITTEN = re.compile(f"[\U000e0000-\U000e0fff\u202d\u202e]|{INVISIBLE}{{4,}}|(?:[A-Za-z]{INVISIBLE}){{3,}}[A-Za-z]")
"""Tags, overrides of direction, and runs; a stray soft hyphen or byte order mark came with a text that was copied."""


def _plain(text: str) -> str:
    """The text in one spelling: nothing unseen, no accents, small letters, look-alikes as Latin."""
    if text.isascii():
        return safety.outside(text).lower().replace("`", '"')
    return _fold(safety.outside(text)).casefold().translate(LETTERS)


def _unseen(text: str) -> bool:
    """Whether somebody wrote something that a person cannot see, beyond what honest scripts and emoji need."""
    if text.isascii() or not WRITTEN.search(text):
        return False
    return len(WRITTEN.findall(text)) > len(WRITTEN.findall(safety.outside(text)))


def _decoded(text: str, plain: str) -> Iterator[str]:
    """What a text says when spelling and encodings are undone, where they may hide something."""
    if re.search("[a-z][013457@$][a-z]", plain) and any(word in plain.translate(DIGITS) for word in WORDS):
        yield WORD.sub(lambda word: word[0] if word[0].isdigit() else word[0].translate(DIGITS), plain)
    if re.search(r"[ ._*-]\w[ ._*-]\w[ ._*-]", plain):
        joined = SPACED.sub(lambda run: GLUED.sub(r" \g<0> ", re.sub(r"[\W_]", "", run[0])), plain)
        yield re.sub(" +", " ", joined)
    if any(word in plain for word in ROTATED):
        yield codecs.encode(plain, "rot13")
    if any(word in plain for word in REVERSED):
        yield plain[::-1]
    if max(map(len, text.split()), default=0) < 24:
        return
    for block in BLOCK.finditer(text):
        said = _plain(_unencoded(block[0]))
        head, tail = text[max(0, block.start() - 400) : block.start()], text[block.end() : block.end() + 200]
        if any(_orders(said)) and not _told(head.lower(), tail.lower()):
            yield said


def _unencoded(block: str) -> str:
    """The text in a run of hexadecimal or base64 digits; nothing where it is none."""
    try:
        if re.fullmatch("[0-9a-fA-F]+", block):
            return bytes.fromhex(block).decode()
        digits = block.rstrip("=").translate(str.maketrans("-_", "+/"))
        return base64.b64decode(digits + "=" * (-len(digits) % 4)).decode()
    except ValueError:
        return ""


# ── How fast it came ────────────────────────────────────────────────────────────────────────────


def _at_once(before: Message, message: Message) -> tuple[str, ...]:
    """A long answer that came faster than anybody types or says it; nothing where the clock does not tell."""
    kind = message.content_type if isinstance(message, ReportMessage) else "TEXT"
    length, seconds = len(message.content), _seconds(before.timestamp, message.timestamp)
    if kind not in ("TEXT", "AUDIO") or message.content.startswith("```"):
        return ()  # code grows in an editor, before it is sent
    if length <= LONG or seconds < TOGETHER or length / seconds <= FASTEST:
        return ()
    return (f"{AT_ONCE}: {length:,} characters within {math.ceil(seconds)} s",)


def _seconds(since: str, until: str) -> float:
    """Seconds between two RFC 3339 moments; none where one is missing or broken."""
    try:
        return (datetime.fromisoformat(until) - datetime.fromisoformat(since)).total_seconds()
    except (ValueError, TypeError):
        return 0.0

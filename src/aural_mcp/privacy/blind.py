"""Reviewing without knowing who: stable pseudonyms, and texts without what tells who somebody is.

What is taken out of a text is what the candidate's record names (name, school, employers, birthday) and whatever
has the form of an e-mail address, a telephone number or a link. A person can be recognised in other ways: this
is a reduction, not anonymity. When in doubt a word goes: a reviewer can ask for a name, but not forget one.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from aural_mcp.safety import inert, outside

ALPHABET = "BCDFGHJKMNPQRSTVWXZ23456789"
"""No vowels, so that no word comes out, and nothing that is read as something else."""
LENGTH = 6

EMAIL = re.compile(r"[\w.+%-]+@[\w-]+(?:\.[\w-]+)*")
PHONE = re.compile(
    r"(?<![\w.])(?:\+\d[\d ()./-]{6,}\d|\(\d{2,5}\)[\d ./-]{5,}\d|0\d[\d ()/-]{6,}\d|\d{3}[-. ]\d{3,4}[-. ]\d{4}"
    r"|1[3-9]\d{9})(?!\w)"
)
DIGIT = re.compile(r"\d")
BORN = re.compile(r"(?i)(?<=\bborn)\s(?:in|on)\s[\w ,./-]{0,20}\b(?:19|20)\d\d\b|\b(?:19|20)\d\d年出?生")
GENDER = {
    r"\bhe/him(?:/his)?\b|\bshe/her(?:/hers)?\b": "they/them",
    r"\b(?:he|she)\b": "they",
    r"\bhim\b": "them",
    r"\b(?:his|her|hers)\b": "their",
    r"\b(?:himself|herself)\b": "themself",
    r"\b(?:mr|mrs|ms|miss)\b\.?\s*": "",
    r"\b(?:man|woman|gentleman|lady|boy|girl|guy)\b": "person",
    r"\b(?:male|female)\b": "(gender)",
    "[他她](?!们)": "TA",
    "先生|女士|小姐": "",
    "男性|女性|男生|女生": "（性别）",
}
GENDERED = re.compile(
    r"\b(?=[bfghlmsw])(?:{})|(?=[他她先女小男])(?:{})".format(
        *("|".join(f"({each})" for each in GENDER if each.startswith(r"\b") == spaced) for spaced in (True, False))
    ),
    re.IGNORECASE,
)
"""All of them in one pass; the letters that they begin with are looked at first."""
NEUTRAL = ["", *GENDER.values()]
GENERIC = frozenset(
    "university college institute school academy faculty technology science sciences state national technical of the "
    "and for in at de la du des der die das für und a an to with from as by on i my me we our was is am had have since "
    "senior junior lead principal staff chief head vice president director manager management engineer engineering "
    "developer development designer design analyst analysis architect consultant consulting intern internship "
    "assistant associate specialist officer teacher nurse sales marketing product project program software hardware "
    "backend frontend data machine learning computer business administration bachelor master masters phd bsc msc ba "
    "ma mba degree diploma certificate honours january february march april may june july august september october "
    "november december jan feb mar apr jun jul aug sep sept oct nov dec present current years year months team "
    "worked working responsible led built experience english german french spanish chinese".split()
)
"""Words that name no place by themselves."""
COMMON = frozenset(
    "will may mark grace rose hope faith joy art bill rich frank page young long king price rush stone case drew chase "
    "grant skip iris ivy dawn april june august summer autumn star sky rain major dean earl guy penny ruby jade amber "
    "pearl violet olive ginger sage lane wood brook cliff glen heath brown black white green gray grey small short "
    "strong wise best good love day week banks fields woods rivers hill field church cook baker smith carter".split()
)
"""Names that are words too: taken for a name only where they begin with a capital."""


def pseudonym(secret: bytes, tenant: str, person: str) -> str:
    """A name for somebody that is always the same with one key, and tells nothing."""
    number = int.from_bytes(hmac.digest(secret, f"blind {tenant} {person}".encode(), hashlib.sha256))
    letters: list[str] = []
    for _ in range(LENGTH):
        number, which = divmod(number, len(ALPHABET))
        letters.append(ALPHABET[which])
    return "Candidate " + "".join(letters)


def genderless(text: str) -> str:
    """The text with words for any gender."""
    return GENDERED.sub(lambda found: NEUTRAL[found.lastindex or 0], text)


@dataclass(frozen=True)
class Facts:
    """What a record says about somebody; all of it is taken out of texts."""

    names: frozenset[str] = frozenset()
    email: str = ""
    phone: str = ""
    birthday: str = ""
    schools: str = ""
    employers: str = ""


class Redactor:
    """Takes out of texts what tells who somebody is.

    Args:
        facts: what is known of the person.
        usual: words that say nothing about anybody here, in lower case, e.g. those of the interview's questions.
    """

    def __init__(self, facts: Facts, usual: Iterable[str] = ()) -> None:
        known = GENERIC | frozenset(usual)
        self._any = [(re.compile(pattern), label, words) for pattern, label, words in _patterns(facts, known)]
        digits = re.sub(r"\D", "", facts.phone)
        dialled = r"(?:[+(]?\d[\d ()./-]*)?" + r"[\s()./-]*".join(digits[-9:])
        self._phone = re.compile(dialled) if len(digits) >= 7 else None

    def __call__(self, text: str) -> str:
        """The text without what tells who it is about."""
        text = inert(text, "(link)")
        text = EMAIL.sub("(e-mail address)", text) if "@" in text else text
        if DIGIT.search(text):
            text = self._phone.sub("(phone number)", text) if self._phone else text
            text = BORN.sub(" (date)", PHONE.sub("(phone number)", text))
        plain, places = folded(text) if self._any else ("", ())
        for pattern, label, words in self._any:
            if any(map(plain.__contains__, words)) and pattern.search(plain):
                text = _replaced(text, plain, places, pattern, label)
                plain, places = folded(text)
        return text


def _replaced(text: str, plain: str, places: Sequence[int], pattern: re.Pattern[str], label: str) -> str:
    """The text with every match in what it reads like folded replaced by the label."""
    parts: list[str] = []
    end = 0
    for found in pattern.finditer(plain):
        start, stop = places[found.start()], places[found.end() - 1] + 1
        if start < end or (found.lastgroup == "capital" and not text[start].isupper()):
            continue
        while stop < len(text) and unicodedata.combining(text[stop]):
            stop += 1
        parts += [text[end:start], label]
        end = stop
    return "".join(parts) + text[end:] if parts else text


def folded(text: str) -> tuple[str, Sequence[int]]:
    """The text without case and accents, and where in the text each of its characters comes from."""
    if text.isascii():
        return text.lower(), range(len(text))
    plain = text.translate(_folds)
    if _folds.uneven.isdisjoint(text):
        return plain, range(len(text))
    return plain, [place for place, letter in enumerate(text) for _ in _folds[ord(letter)]]


STROKES = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "ħ": "h", "ı": "i", "æ": "ae", "œ": "oe", "ð": "d", "þ": "th"})
"""Letters that Unicode does not take apart, and people write without their strokes."""


class _Folds(dict[int, str]):
    """What each letter is without case and accents."""

    def __init__(self) -> None:
        self.uneven: set[str] = set()
        """Letters of which none remains, or more than one."""

    def __missing__(self, code: int) -> str:
        parts = unicodedata.normalize("NFKD", chr(code).casefold()).translate(STROKES)
        self[code] = plain = "".join(each for each in parts if not unicodedata.combining(each))
        if len(plain) != 1:
            self.uneven.add(chr(code))
        return plain


_folds = _Folds()


def _fold(text: str) -> str:
    return folded(outside(text))[0]


def _patterns(facts: Facts, known: frozenset[str]) -> Iterator[tuple[str, str, list[str]]]:
    """Patterns of folded text, what stands for each, and words of which it has one; what is longer first."""
    for phrase in _dates(facts.birthday):
        yield phrase, "(date)", [""]
    for label, text in (("(school)", facts.schools), ("(employer)", facts.employers)):
        phrases = sorted(_places(text, known), key=len, reverse=True)
        if phrases:
            yield "|".join(_word(phrase) for phrase in phrases), label, [_parts(each)[0] for each in phrases]
    names = {part for name in facts.names for part in _names(name[:LONGEST_NAME])} | {
        _fold(facts.email).partition("@")[0]
    }
    for name in sorted((each for each in names if re.search(r"\w", each)), key=len, reverse=True):
        careful = name in COMMON or (name.isascii() and len(name) < 4)
        yield (f"(?P<capital>{_word(name)})" if careful else _word(name)), "(name)", _parts(name)[:1]


def _names(name: str) -> Iterator[str]:
    """A whole name, also in one word, and its parts; of a Chinese, Japanese or Korean one the given name."""
    for spelled in (name, name.translate(UMLAUTS)):
        parts = [part for part in BETWEEN.split(outside(spelled)) if part]
        yield from (_fold(" ".join(parts)), _fold("".join(parts)))
        for part in parts:
            given = part[1:] if GLUED.match(part) and len(parts) == 1 else part
            yield _fold(given) if len(given) > 1 else ""


LONGEST_NAME = 200
"""Characters of a name that are looked for; nobody is called more, and each word costs a pattern."""
BETWEEN = re.compile(r"[\s\-/,.'’&()_]+")
"""What parts the words of a name; `\\W` would part the syllables of Indic scripts."""
UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "å": "aa", "ø": "oe"})
GLUED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
"""Scripts in which a family name of one letter stands before the given name."""
APART = re.compile(r"[\u0000-\u10ff\u1200-\u2fff]")
"""Scripts that set words apart and put nothing at their ends; folded, Hangul is the letters left out here."""


def _word(phrase: str) -> str:
    """A pattern of the phrase as a word of its own, also with an `s`; anywhere where words are not set apart."""
    spaced = r"[\W_]+".join(map(re.escape, _parts(phrase)))
    return rf"(?<![^\W_]){spaced}(?:['’]?s)?(?![^\W_])" if APART.match(phrase) else spaced


def _parts(phrase: str) -> list[str]:
    return [part for part in BETWEEN.split(phrase) if part]


CAPITAL = r"[^\W\d_a-z][\w&'’.-]*"
PLACE = re.compile(rf"{CAPITAL}(?:[ ]+(?:(?:of|and|&|de|for|the)[ ]+)*{CAPITAL})*")
CHINESE_PLACE = re.compile(r"([\u3400-\u9fff]{2,12}?)(公司|集团|科技|银行|医院|大学|学院|中学|学校|研究院)")
BEFORE_PLACE = re.compile("^(?:曾?在|于|就读于|毕业于|任职于)")
SMALL = ("of", "and", "the", "for", "de")


def _places(text: str, known: frozenset[str]) -> set[str]:
    """Names of schools and firms in a text, folded: runs of words with a capital, their telling words, initials."""
    found: set[str] = set()
    for run in PLACE.findall(outside(text)):
        words = re.findall(r"\w+", _fold(run))
        telling = [word for word in words if word not in known and len(word) > 1]
        if telling:
            found |= {" ".join(words), *telling}
            found |= {"".join(word[0] for word in words if word not in SMALL)} if len(words) > 2 else set()
    for name, kind in CHINESE_PLACE.findall(text):
        bare = BEFORE_PLACE.sub("", name)
        found |= {bare + kind, bare}
    return found


def _dates(birthday: str) -> list[str]:
    """A day as people write it, folded."""
    try:
        day = date.fromisoformat(birthday[:10])
    except ValueError:
        return [re.escape(_fold(birthday))] if birthday.strip() else []
    y, m, d = day.year, day.month, day.day
    month = _fold(day.strftime("%B"))
    name = rf"(?:{month}|{month[:3]}\.?)"
    return [
        rf"{y}\s?[-/.年]\s?0?{m}\s?[-/.月]\s?0?{d}(?!\d)日?",
        rf"(?<!\d)0?{d}\s?[-/.]\s?0?{m}\s?[-/.]\s?{y}",
        rf"(?<!\d)0?{m}\s?[-/.]\s?0?{d}\s?[-/.]\s?{y}",
        rf"(?<!\d)0?{d}(?:st|nd|rd|th|\.)?(?: of)? {name},? {y}",
        rf"{name} 0?{d}(?:st|nd|rd|th)?,? {y}",
    ]

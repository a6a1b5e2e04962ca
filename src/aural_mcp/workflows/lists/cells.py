"""Cells: what one looks like, when it holds nothing, and its value made fit to register."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from datetime import date

from aural_mcp.safety import outside
from aural_mcp.tools.people import is_address
from aural_mcp.workflows.lists.words import MONTHS, NOTHING


def bare(text: str) -> str:
    """Small letters without accents."""
    parts = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", text).casefold())
    kept = "".join(each for each in parts if unicodedata.category(each) != "Mn")
    return unicodedata.normalize("NFC", kept).replace("ł", "l").replace("ı", "i")


MANY_LINES = ("notes", "work_experience")
LONGEST = {"name": 200, "email": 254, "phone": 50, "notes": 10_000, "work_experience": 10_000}
LONG = 500
"""Characters of every other field."""
NAMED = {bare(month): number for number, names in enumerate(MONTHS, 1) for month in names.split()}
NAUGHT = frozenset(map(bare, NOTHING))
SHAPED = ("email", "phone", "birthday", "graduation_year")
NO_VALUE = frozenset("so no non nein ohne".split())
"""What stands for nothing where words are no value: `s/o` (sans objet), `no`."""
ERROR = re.compile(r"#[A-ZÀ-Ý¡Ё/0А-Я]{1,12}[!?]?")
"""An error value of a spreadsheet: `#N/A`, `#WERT!`, `#¡VALOR!`."""
GUARD = re.compile(r"(^|[;\t\r\n])'(?=\s*[=+\-@＝＋－＠])")
"""What exports set before something that a spreadsheet may carry out."""
AS_TEXT = re.compile(r'="([^"]*)"')
LINKED = re.compile(r"\[([^\[\]]{0,250})\]\((?:mailto:|tel:)?([^()\s]{0,300})\)", re.IGNORECASE)
ENTITY = re.compile(r"&(?:#\d{2,5}|#x[0-9a-fA-F]{2,4}|amp|quot|apos|nbsp|lt|gt);")
AROUND = re.compile(r"(\*\*|__|~~|[*_`])([^*_`~\n]{1,300})\1")
EMPHASIS = re.compile(r"\*\*|__|`|~~|(?<!\w)[*_](?=\w)|(?<=\w)[*_](?!\w)")
MARKUP = re.compile(r"[@<>{}\[\]|`]|\*\*|://|\d{5}")
"""What is in no name."""
PHONE = re.compile(
    r"(?:[^\W\d_]{1,12}[.:]?\s*)?\+?[\d\s().\-/‐-―−ー\u00a0·]{1,40}(?:\s*(?:ext|extension|x|int|anexo|durchwahl|#)\.?\s*\d{1,6})?(?:\s*\([^()\d]{1,20}\))?",
    re.IGNORECASE,
)
STRICT = re.compile(r"(?:\+|00|0|\()[\d\s().\-/]{6,24}|\d{2,5}(?:[ .\-/]\d{2,5}){1,5}|1[3-9]\d{9}")
"""A number that is hardly anything but a phone's."""
SPLIT = re.compile(r"[,;，；、\n]|:::|\s/\s|\s\|\s")


def tidy(value: str, *, lines: bool = False) -> str:
    """A cell without what cannot be seen, Markdown of links and emphasis, and what a spreadsheet put around it."""
    text = outside(value).strip()
    text = GUARD.sub(r"\1", text) if "'" in text else text
    text = html.unescape(text) if ENTITY.search(text) else text
    if found := AS_TEXT.fullmatch(text):
        text = found[1]
    if "](" in text:
        text = LINKED.sub(lambda found: found[2] if "@" in found[2] and "@" in found[1] else found[1], text)
    if found := AROUND.fullmatch(text):
        text = found[2].strip()
    return text if lines else " ".join(text.split())


def is_nothing(text: str, *, field: str = "") -> bool:
    """Whether a cell says that it holds nothing; a name may be `Null` or `Na`, and no number or address is `x`."""
    if not any(map(str.isalnum, text)) or ERROR.fullmatch(text):
        return "#" not in text or len(set(text)) > 1
    plain = "".join(filter(str.isalnum, bare(text))) if len(text) < 40 else ""
    if field in ("name", "first", "middle", "last"):
        return text == "NaN" or (plain in ("na", "unknown") and not text.isalpha())
    return plain in NAUGHT or (field in SHAPED and (plain in NO_VALUE or set(plain) in ({"x"}, {"0"})))


# ── What a cell looks like ──────────────────────────────────────────────────────────────────────


def addresses(text: str) -> list[str]:
    """The e-mail addresses in a cell that holds nothing else, as many as there are."""
    if "@" not in unicodedata.normalize("NFKC", text) or len(text) > 2_000:
        return []
    parts = [_bare(each) for each in re.split(r"[,;，；\s|]+", unicodedata.normalize("NFKC", text)) if each]
    found = [each for each in parts if is_address(each)]
    named = "<" in text or len(found) == len(parts) or not any("@" in each for each in parts if each not in found)
    return found if named else []


def _bare(text: str) -> str:
    text = text.strip("<>()[]\"'`*,;")
    text = text[7:] if text[:7].casefold() == "mailto:" else text
    return text.partition("?")[0] if "?subject=" in text.casefold() or "?" in text.rpartition("@")[2] else text


def is_phone(text: str) -> bool:
    """Whether a cell can be a phone number."""
    return any(map(str.isdecimal, text)) and PHONE.fullmatch(unicodedata.normalize("NFKC", text)) is not None


def is_certain_phone(text: str) -> bool:
    """Whether it can hardly be anything else, such as an id, a year or an amount."""
    text = repaired(text)
    digits = sum(map(str.isdecimal, text))
    return 7 <= digits <= 15 and STRICT.fullmatch(text) is not None and not is_date(text)


def is_date(text: str) -> bool:
    """Whether a cell is a day, however it is written."""
    if not 6 <= len(text) <= 40 or not any(map(str.isdecimal, text)):
        return False
    try:
        return bool(_readings(_plain_day(text)))
    except ValueError:
        return True


def is_number(text: str) -> bool:
    """Whether a cell is a number, an amount or a share."""
    return re.fullmatch(r"[$€£¥]?\s?[+-]?\d[\d\s.,']{0,20}\s?[%€$£¥kK]?", text) is not None


def is_link(text: str) -> bool:
    """Whether a cell is an address of the web."""
    return re.match(r"(?:https?://|www\.)\S+$", text, re.IGNORECASE) is not None


def is_name(text: str) -> bool:
    """Whether a cell has the shape of a person's name: a few words of letters, none of them small alone."""
    if not (1 if text > "\u2fff" else 2) <= len(text) <= 60 or MARKUP.search(text) or any(map(str.isdecimal, text)):
        return False
    plain = "".join(each for each in text if unicodedata.category(each) not in ("So", "Sk", "Cf") and each != "\ufe0f")
    words = re.split(r"[\s,]+", plain.strip(" .,"))
    bare = [re.sub(r"[.'’‘ʼ`´\-‐·・*]", "", each) for each in words]
    letters = all(unicodedata.category(each)[0] in "LM" for word in bare for each in word)
    return letters and 1 <= len(words) <= 6 and (bare[0][:1].upper() == bare[0][:1] or bare[-1][:1].isupper())


SHAPES: Mapping[str, Callable[[str], bool]] = {
    "e-mail addresses": lambda text: bool(addresses(text)),
    "dates": is_date,
    "years": lambda text: re.fullmatch(r"(?:19|20)\d\d(?:\.0)?", text) is not None,
    "phone numbers": is_certain_phone,
    "numbers": is_number,
    "links": is_link,
    "names": is_name,
}
"""What a column can be full of, in the order in which a cell is taken for it."""


# ── Values ──────────────────────────────────────────────────────────────────────────────────────


def fit(name: str, value: str, *, as_given: bool = False) -> str | int:
    """The value as it is registered.

    Raises:
        ValueError: it cannot be; the text says why.
    """
    if "\ufffd" in value:
        raise ValueError("characters in it cannot be read. Save the file as UTF-8.")
    if len(value) > LONGEST.get(name, LONG):
        raise ValueError(f"longer than {LONGEST.get(name, LONG):,} characters.")
    match name:
        case "name" if not as_given:
            return _name(value)
        case "birthday":
            return day(value)
        case "graduation_year":
            return _year(value)
        case "phone":
            return _phone(value)
        case _:
            return value


def _name(value: str) -> str:
    if MARKUP.search(value) or not any(unicodedata.category(each)[0] == "L" for each in value):
        raise ValueError("not a name.")
    if re.search("[ÃÂ][\x80-\xbf‚-„†‡‰‹›-™¡-¿]|[ÐÑ][\x80-\xbf][ÐÑ]|â€", value):
        raise ValueError("letters in it were read in a wrong encoding. Give the file itself, or save it as UTF-8.")
    return value


def repaired(value: str) -> str:
    """A number without what a spreadsheet made of it."""
    text = unicodedata.normalize("NFKC", value).strip().lstrip("'").strip()
    text = re.sub(r"^tel:", "", text, flags=re.IGNORECASE)
    text = re.sub(r"(?<=\d)\s?[−ー‐-―]\s?(?=\d)", "-", text)
    return re.sub(r"^(\+?\d{5,})[.,]0+$", r"\1", text)


def _phone(value: str) -> str:
    text = repaired(value)
    if re.fullmatch(r"\d+(?:[.,]\d+)?E\+?\d+", text, re.IGNORECASE):
        raise ValueError("a spreadsheet has shortened this number. Format the column as text.")
    if set(text) == {"#"}:
        raise ValueError("the column was too narrow for this number when it was copied. Widen it.")
    if not is_phone(text) or sum(map(str.isdecimal, text)) > 20:
        raise ValueError("not a phone number.")
    return text


def _year(value: str) -> int:
    found = re.fullmatch(r"((?:19|20)\d\d)(?:\.0+|年度?|届|년|[-/.年]\d{1,2}(?:[-/.月]\d{0,2})?[日号]?)?", value)
    if found is None:
        raise ValueError("not a year of four digits.")
    return int(found[1])


def day(value: str, order: str = "") -> str:
    """A day as YYYY-MM-DD; `order` is day or month, where the rest of the column shows which comes first.

    Raises:
        ValueError: it is none, or can be two.
    """
    for year, month, number in _readings(_plain_day(value), order):
        try:
            born = date(year, month, number)
        except ValueError:
            break
        if not date(1900, 1, 1) <= born <= date.today():
            raise ValueError("not a day on which a candidate can be born.")
        return born.isoformat()
    raise ValueError("not a date. Write it as YYYY-MM-DD.")


def _plain_day(value: str) -> str:
    text = unicodedata.normalize("NFKC", value[:60]).casefold()
    return re.sub(r"[t ]\d\d:\d\d(?::[\d.]{1,12})?(?:z|[+-]\d\d:?\d\d)?$", "", text)


def order_of(cells: Sequence[str]) -> str:
    """Whether day or month comes first in a column of days, where one of them can only be a day."""
    found = [re.fullmatch(r"(\d{1,2})[-/. ]\s?(\d{1,2})[-/. ]\s?\d{4}", _plain_day(each)) for each in cells]
    pairs = [(int(each[1]), int(each[2])) for each in found if each]
    first, second = any(one > 12 for one, _ in pairs), any(other > 12 for _, other in pairs)
    return "day" if first and not second else "month" if second and not first else ""


def _readings(text: str, order: str = "") -> Sequence[tuple[int, int, int]]:
    """Year, month and day that a text means.

    Raises:
        ValueError: it can mean two days.
    """
    if found := re.fullmatch(
        r"(\d{4})\s?[-/.年년]\s?(\d{1,2})\s?[-/.月월]\s?(\d{1,2})\s?[日号일.]?|(\d{4})(\d\d)(\d\d)", text
    ):
        year, month, number = (int(each) for each in found.groups() if each)
        return [(year, month, number)]
    if found := re.fullmatch(r"(\d{1,2})[-/. ]\s?(\d{1,2})[-/. ]\s?(\d{4})", text):
        one, other, year = (int(each) for each in found.groups())
        if one <= 12 and other <= 12 and one != other and not order:
            raise ValueError("can be read as two days. Write it as YYYY-MM-DD.")
        return [(year, other, one) if one > 12 or (order == "day" and other <= 12) else (year, one, other)]
    words = re.findall(r"[^\W\d_]+|\d+", bare(text))
    named = [NAMED[each] for each in words if each in NAMED]
    numbers = [int(each) for each in words if each.isdecimal()]
    few = {"de", "del", "of", "the", "den", "le", "st", "nd", "rd", "th", "er", "г", "года", "r", "roku"}
    known = all(each.isdecimal() or each in NAMED or each in few for each in words)
    if len(named) == 1 and len(numbers) == 2 and known:
        number, year = (numbers[0], numbers[1]) if numbers[1] > 31 else (numbers[1], numbers[0])
        return [(year, named[0], number)]
    return []

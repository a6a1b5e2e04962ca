"""Bytes to text: Unicode where it is, else the encoding in which the most reads like words, which is said."""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from aural_mcp.safety import quoted
from aural_mcp.workflows.lists.sheets import unusable

SAMPLE = 20_000
"""Bytes of lines beyond ASCII by which an encoding is judged."""
WEST = (
    "äöüßÄÖÜ",
    "éèêëàâæçîïôœùûüÿÉÈÊËÀÂÆÇÎÏÔŒÙÛ",
    "áéíóúñüçÁÉÍÓÚÑªº",
    "áâãàçéêíóôõúÁÂÃÇÉÊÍÓÔÕÚ",
    "àèéìòùÀÈÉ",
    "åäöæøéðþÅÄÖÆØ",
)
EAST = ("ąćęłńóśźżĄĆĘŁŃÓŚŹŻ", "áčďéěíňóřšťúůýžôľĺäÁČĎÉĚÍŇÓŘŠŤÚŮÝŽĽ", "áéíóöőúüűÁÉÍÓÖŐÚÜŰ", "čćđšžČĆĐŠŽ")
RUSSIAN = ("абвгдеёжзийклмнопрстуфхцчшщъыьэюяіїєґАБВГДЕЁЖЗИЙКЛМНОПРСТУФХЦЧШЩЭЮЯІЇЄҐ",)
LETTERS = {
    "cp1252": WEST,
    "iso8859_15": WEST,
    "mac_roman": WEST,
    "cp850": WEST,
    "cp1250": EAST,
    "iso8859_2": EAST,
    "cp1254": ("çğıöşüâîûÇĞİÖŞÜÂÎÛ",),
    "cp1253": ("αβγδεζηθικλμνξοπρστυφχψωςάέήίόύώϊΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩΆΈΉΊΌΎΏ",),
    "cp1251": RUSSIAN,
    "koi8_r": RUSSIAN,
    "mac_cyrillic": RUSSIAN,
    "cp866": RUSSIAN,
}
"""The letters that names in an encoding are written with, by language; the rest it can write is rare in them."""
COMMON = frozenset("€–—’“”„«»ºª°§¡¿·№…šžŠŽ")
WIDE = ("gb18030", "cp932", "cp949", "big5", "euc_jp")
SHOWN = {"cp932": "Shift_JIS", "gb18030": "GB18030", "cp949": "EUC-KR", "big5": "Big5", "euc_jp": "EUC-JP"}
READ_AS = (
    "The file is not UTF-8: it was read as {encoding}{names}. Have the user check these letters; if they are wrong, "
    "give `encoding`, such as {others}, or save the file as CSV UTF-8."
)


@dataclass(frozen=True)
class Decoded:
    """The text of a file, and what it was read as where that was not certain."""

    text: str
    encoding: str = ""


def decoded(raw: bytes, encoding: str = "") -> Decoded:
    """The text of a file.

    Raises:
        BadRequest: it is no text, is in two encodings, or not in the one that is named.
    """
    if raw.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"%PDF")):
        raise unusable("This is a spreadsheet, a document or an archive, no text", "Save it as CSV (UTF-8)")
    if encoding:
        return Decoded(_named(raw, encoding))
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return Decoded(raw.decode("utf-16", "replace"))
    if b"\0" in raw[:1000]:
        return Decoded(raw.decode("utf-16-le" if raw[:1000].find(b"\0") % 2 else "utf-16-be", "replace"))
    try:
        return Decoded(raw.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return _guessed(raw)


def _named(raw: bytes, encoding: str) -> str:
    try:
        return raw.decode("utf-8-sig" if encoding.lower().replace("-", "").replace("_", "") == "utf8" else encoding)
    except LookupError as error:
        raise unusable(f"encoding: {quoted(encoding)} is not known", "Give utf-8, cp1252, shift_jis, ...") from error
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise unusable(f"Line {line} is not {quoted(encoding)}", "Leave `encoding` out, or correct it") from error
    except UnicodeError as error:
        raise unusable(f"The file is not {quoted(encoding)}", "Leave `encoding` out, or correct it") from error


def _guessed(raw: bytes) -> Decoded:
    lines = [line for line in re.split(rb"\r\n|\n|\r", raw) if not line.isascii()]
    best, unicode = _best(lines), [line for line in lines if _is_utf8(line)]
    if unicode and (best not in WIDE or 3 * len(unicode) > len(lines)):
        odd = next(line for line in lines if not _is_utf8(line))
        number = raw.count(b"\n", 0, raw.find(odd)) + 1
        raise unusable(
            f"Line {number} is in another encoding than the lines that are UTF-8", "Save the file as UTF-8 anew"
        )
    if not best:
        raise unusable("The file is in no encoding that is known here", "Save it as CSV (UTF-8), or give `encoding`")
    return Decoded(raw.decode(best, "replace"), best)


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _best(lines: Sequence[bytes]) -> str:
    """The encoding in which these lines read best; nothing where they can be read in none."""
    sample, size = list[bytes](), 0
    for line in lines:
        sample.append(line[:2_000] if len(line) > 2_000 else line)
        size += len(sample[-1])
        if size > SAMPLE:
            break
    scores = {name: _score(name, b"\n".join(sample)) for name in (*LETTERS, *WIDE)}
    best = max(scores, key=lambda name: scores[name])
    return best if scores[best] > -1 else ""


def _score(name: str, raw: bytes) -> float:
    """How much of what is beyond ASCII reads like words of people who use this encoding, from 1 down."""
    try:
        text = raw.decode(name)
    except UnicodeDecodeError:
        return -2.0
    beyond = [each for each in text if each > "\x7f"]
    if name in WIDE:
        touching = len(re.findall(r"[a-zA-Z][\u3040-\ud7a3]|[\u3040-\ud7a3][a-z]", text))
        return (sum(_likely(each, name) for each in beyond) - 2 * touching) / len(beyond) + (
            0.03 if name == "cp949" else -0.01 * WIDE.index(name)
        )
    good = frozenset("".join(LETTERS[name]))
    fits = sum(1.0 if each in good else 0.5 if each in COMMON else -0.5 if each.isalpha() else -1.0 for each in beyond)
    one = max(sum(each in letters for each in beyond) for letters in map(frozenset, LETTERS[name]))
    return (fits + one - 1.5 * _breaks(text)) / len(beyond) - 1 - 0.001 * list(LETTERS).index(name)


def _breaks(text: str) -> int:
    """How often letters beyond ASCII stand where they stand in no word: capitals behind small ones, marks in words."""
    return sum(len(each) for breaking in BREAKS for each in breaking.findall(text))


BREAKS = (
    re.compile(r"(?<=[a-zà-öø-ÿа-яё])[À-ÖØ-ÞŠŽŸА-ЯЁĄĆĘŁŃŚŹŻČĎĚŇŘŤŮĞİŞ]"),
    re.compile(r"(?<=[^\W\d_])[^\w\s\x00-\x7f’ʼ·](?=[^\W\d_])|(?<=[^\W\d_])[¹²³¼½¾](?=\w)"),
    re.compile(r"[a-zA-Z](?=[Ͱ-ӿ])|[Ͱ-ӿ](?=[a-zA-Z])"),
    re.compile(r"(?<=[A-Za-z])[ÐÞþð](?=[a-z])"),
    re.compile(r"[À-ɏ]{3,}"),
    re.compile(r"(?<![^\W\d_])[ßÿ](?=[^\W\d_])"),
    re.compile(r"(?<=[A-ZА-ЯЁ])[а-яё](?=[А-ЯЁ])"),
)


def _likely(character: str, encoding: str) -> float:
    """How likely a character is in names written in one of the wide encodings."""
    if "\u3040" <= character <= "\u30ff":
        return 1.0 if encoding in ("cp932", "euc_jp") else -0.5
    if "\uff61" <= character <= "\uff9f" or unicodedata.category(character) in ("Co", "Cn"):
        return -1.0
    if character in "，；、。（）：　・々〆":
        return 0.3
    return _level(character, encoding) if "\u4e00" <= character <= "\ud7a3" else -0.5


def _level(character: str, encoding: str) -> float:
    """A character of the first, commoner level of a national set is likely; one beyond it is not."""
    table, least, most = LEVELS[encoding]
    try:
        number = int.from_bytes(character.encode(table), "big")
    except UnicodeEncodeError:
        return -1.0
    return 1.0 if least <= number <= most else -0.2


LEVELS = {
    "gb18030": ("gb2312", 0xB0A1, 0xD7F9),
    "cp932": ("shift_jis", 0x889F, 0x9872),
    "euc_jp": ("shift_jis", 0x889F, 0x9872),
    "big5": ("big5", 0xA440, 0xC67E),
    "cp949": ("euc_kr", 0xB0A1, 0xC8FE),
}


def said_of(read: Decoded, names: Sequence[str], *, blind: bool) -> str:
    """What to say of a file whose encoding was guessed, with names to check it by."""
    if not read.encoding:
        return ""
    odd = [] if blind else [each for each in dict.fromkeys(names) if not each.isascii()][:3]
    shown = f", as in {', '.join(quoted(each, 40) for each in odd)}" if odd else ""
    family = [
        each for each in ("cp1252", "mac_roman", "cp1250", "cp1251", "shift_jis", "gb18030") if each != read.encoding
    ]
    called = SHOWN.get(read.encoding, read.encoding)
    return READ_AS.format(encoding=called, names=shown, others=" or ".join(family[:3]))

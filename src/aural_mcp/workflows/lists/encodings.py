"""Bytes to text: Unicode where it is, else the encoding in which the most reads like words, which is said."""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from aural_mcp.safety import quoted
from aural_mcp.workflows.lists.cells import bare
from aural_mcp.workflows.lists.sheets import unusable
from aural_mcp.workflows.lists.tables import EMAIL

SAMPLE = 20_000
"""Bytes of lines beyond ASCII by which an encoding is judged."""
LANGUAGES = {
    "äöüßÄÖÜ": "de at ch",
    "éèçàêâôîëïœùûæÉÈÇÀÊÂÎÔŒ": "fr be ch lu ca",
    "ñáéíóúüÁÉÍÓÚÑçºª": "es mx ar co cl pe cat",
    "ãçáéíõóêôúâàÁÂÃÇÉÊÍÓÔÕÚ": "pt br",
    "àèéìòùÀÈÉ": "it ch",
    "åäöÅÄÖéü": "se fi",
    "æøåÆØÅéöðþáíóúýÐÞÖÁÉÍÓÚ": "dk no is",
    "ąćęłńóśźżĄĆĘŁŃÓŚŹŻ": "pl",
    "áéíčřšžýěůúňťďóôľĺäÁČĎÉĚÍŇÓŘŠŤÚŮÝŽĽ": "cz sk",
    "áéíóöőúüűÁÉÍÓÖŐÚÜŰ": "hu",
    "čćđšžČĆĐŠŽ": "hr si ba rs me",
    "ăâîşţșțĂÂÎŞŢȘȚ": "ro md",
    "çğıöşüÇĞİÖŞÜâîû": "tr",
    "šėžčūįųąęĄČĘĖĮŠŲŪŽ": "lt",
    "āīņšēļžčķūģĀČĒĢĪĶĻŅŠŪŽ": "lv",
    "õäöüšžÕÄÖÜŠŽ": "ee",
    "αβγδεζηθικλμνξοπρστυφχψωςάέήίόύώϊΐΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩΆΈΉΊΌΎΏ": "gr cy",
    "абвгдеёжзийклмнопрстуфхцчшщъыьэюяіїєґАБВГДЕЁЖЗИЙКЛМНОПРСТУФХЦЧШЩЭЮЯІЇЄҐ": "ru ua by bg kz rs mk",
}
"""The letters beyond ASCII of names in a language, the common ones first, and the countries that write so."""
WEST, EAST = tuple(LANGUAGES)[:7], tuple(LANGUAGES)[7:12]
TURKISH, BALTIC, GREEK, RUSSIAN = (
    tuple(LANGUAGES)[12:13],
    tuple(LANGUAGES)[13:16],
    *((each,) for each in tuple(LANGUAGES)[16:]),
)
LETTERS = {
    "cp1252": WEST,
    "iso8859_15": WEST,
    "mac_roman": WEST,
    "cp850": WEST,
    "cp1250": EAST,
    "iso8859_2": EAST,
    "cp852": EAST,
    "cp1254": TURKISH,
    "cp1257": BALTIC,
    "cp1253": GREEK,
    "cp1251": RUSSIAN,
    "koi8_r": RUSSIAN,
    "mac_cyrillic": RUSSIAN,
    "cp866": RUSSIAN,
}
"""The languages that an encoding is for; other letters that it can write are rare in names."""
COMMON = frozenset("€–—’“”„«»ºª°§¡¿·№…šžŠŽ")
SPELLED = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "ø": "o", "æ": "ae", "œ": "oe", "đ": "d", "þ": "th"}
)
"""How addresses spell letters that are no letter with an accent."""
WIDE = ("gb18030", "cp932", "cp949", "big5", "euc_jp")
SHOWN = {"cp932": "Shift_JIS", "gb18030": "GB18030", "cp949": "EUC-KR", "big5": "Big5", "euc_jp": "EUC-JP"}
NO_FILES = frozenset({"idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined"})
"""Codecs of Python that are no encoding of files, and slow."""
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
    if encoding := _sixteen(raw[:1000]):
        return Decoded(raw.decode(encoding, "replace"))
    try:
        return Decoded(raw.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return _guessed(raw.replace(b"\0", b""))


def _sixteen(sample: bytes) -> str:
    """UTF-16 without a mark: the zero bytes of its Latin letters, line ends and commas are many, and on one side."""
    sides = [sample[place::2].count(0) for place in (0, 1)]
    if min(sides) * 10 > max(sides) or max(sides) * 20 < len(sample):
        return ""
    return "utf-16-le" if sides[1] > sides[0] else "utf-16-be"


def _named(raw: bytes, encoding: str) -> str:
    try:
        if codecs.lookup(encoding).name in NO_FILES:
            raise LookupError
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
    one = max(_written(beyond, language) for language in LETTERS[name])
    return (
        (fits + one + _borne_out(text, name) - 1.5 * _breaks(text)) / len(beyond)
        - 1
        - 0.001 * list(LETTERS).index(name)
    )


def _written(beyond: Sequence[str], language: str) -> float:
    """How many of these are letters of a language; one of its rare letters is less."""
    known = Counter(beyond)
    return sum(
        known[each] * (1.0 if place < 7 or each.isupper() or len(language) > 60 else 0.8)
        for place, each in enumerate(language)
    )


def _borne_out(text: str, name: str) -> float:
    """How many letters the address on their line bears out: `Łukasz` by `lukasz@`, or by the letters of its country."""
    found = 0.0
    for line in text.splitlines():
        address = EMAIL.search(line)
        if not address:
            continue
        local, _, domain = address[0].casefold().partition("@")
        country = domain.rpartition(".")[2]
        letters = "".join(each for each in LETTERS[name] if country in LANGUAGES[each].split())
        for word in re.findall(r"[^\W\d_]{3,}", line):
            beyond = [each for each in word if each > "\x7f"]
            found += sum(each in letters for each in beyond) / 4
            if beyond and (bare(word) in local or bare(word.casefold().translate(SPELLED)) in local):
                found += len(beyond) / 2
    return found


def _breaks(text: str) -> int:
    """How often letters beyond ASCII stand where they stand in no word: capitals behind small ones, marks in words."""
    return sum(len(each) for breaking in BREAKS for each in breaking.findall(text))


LATIN = [chr(each) for each in range(0xC0, 0x180)]
SMALL, CAPITAL = ("".join(filter(case, LATIN)) for case in (str.islower, str.isupper))
BREAKS = (
    re.compile(f"(?<=[a-z{SMALL}а-яёα-ωά-ώ])[{CAPITAL}А-ЯЁΑ-Ω]"),
    re.compile(f"(?<=[A-ZА-ЯЁ])[а-яё](?=[А-ЯЁ])|(?<=[A-Z])[{CAPITAL}А-ЯЁ](?=[a-z])"),
    re.compile(f'(?:^|(?<=[,;\t|"\n]))[{SMALL}](?=[a-z])'),
    re.compile(r"(?<=[^\W\d_])[^\w\s\x00-\x7f’ʼ·](?=[^\W\d_])|(?<=[^\W\d_])[¹²³¼½¾](?=\w)"),
    re.compile(r"(?<=[^\W\d_])[ßÿ](?=[A-ZÀ-Þ])|(?<![^\W\d_])[ßÿ](?=[^\W\d_])"),
    re.compile(
        r"[a-zA-Z][\u0370-\u052f]|[\u0370-\u052f][a-zA-Z]|(?<!\w)[\u0370-\u052f]{2}(?!\w)|[\u0370-\u052f][_\[\]\\^`{|}~]"
    ),
    re.compile(r"ς(?=[^\W\d_])|(?<![^\W\d_])[α-ω]*[Α-Ω][α-ω]{2,}(?![^\W\d_])"),
)
"""Letters where no word has them: a capital behind a small letter, signs in words, two scripts in one, ..."""


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
    """A character that names are often made of is likely, one of the commoner level of a national set less so."""
    table, least, most = LEVELS[encoding]
    try:
        number = int.from_bytes(character.encode(table), "big")
    except UnicodeEncodeError:
        return -1.0
    return 1.2 if character in NAMED[encoding] else 0.6 if least <= number <= most else -0.3


LEVELS = {
    "gb18030": ("gb2312", 0xB0A1, 0xD7F9),
    "cp932": ("shift_jis", 0x889F, 0x9872),
    "euc_jp": ("shift_jis", 0x889F, 0x9872),
    "big5": ("big5", 0xA440, 0xC67E),
    "cp949": ("euc_kr", 0xB0A1, 0xC8FE),
}
JAPANESE = (
    "佐藤鈴木高橋田中伊渡辺山本村小林加吉松井上斎斉清水森池阿部石前川後岡長谷近太郎一二三子美恵真由香"
    "里健大翔裕介直樹和也浩明陽智野島崎原口氏名前電話番号"
)
NAMED = {
    "gb18030": (
        "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁"
        "任沈姚卢姜崔钟谭陆汪范金石廖贾夏伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉兰红建国文志小"
        "晓春梅雪婷宇佳鑫斌姓名邮箱电话手机"
    ),
    "big5": (
        "陳林黃張李王吳劉蔡楊許鄭謝郭洪曾邱廖賴徐周葉蘇莊呂江何蕭羅高潘簡朱鍾彭游詹胡施沈余盧梁趙顏柯翁魏"
        "孫戴范方宋鄧杜侯曹志明美玲淑芬怡君雅婷家豪俊傑惠雯冠宇佳文建宏麗華玉秀英姓名電話手機信箱"
    ),
    "cp949": (
        "김이박최정강조윤장임한오서신권황안송전홍유고문양손배백허남심노하곽성차주우구민지영수현진은미경희"
        "선혜준호재동상승원철예아연숙자순름메일화"
    ),
    "cp932": JAPANESE,
    "euc_jp": JAPANESE,
}
"""What names in these languages are often written with, and their headings."""


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

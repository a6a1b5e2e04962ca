"""Lists of people as they come: bytes to text, text to rows, columns by their names in English and Chinese.

Nothing here asks a backend. A row is what stood in it by field, and the line on which it begins, as an editor counts.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice, takewhile

from aural_mcp.api.errors import BadRequest
from aural_mcp.safety import quoted

COLUMNS = {
    "name": "name, full name, candidate, candidate name, applicant, applicant name, participant, "
    "姓名, 名字, 候选人, 候选人姓名, 应聘者, 应聘者姓名, 申请人",
    "first": "first name, given name, forename, first, 名",
    "last": "last name, surname, family name, last, 姓, 姓氏",
    "email": "email, e-mail, mail, email address, e-mail address, "
    "邮箱, 电子邮箱, 电子邮件, 邮件, 电邮, 邮箱地址, 电子邮箱地址, 电子邮件地址",
    "phone": "phone, phone number, mobile, mobile phone, mobile number, telephone, telephone number, tel, cell, "
    "cell phone, contact number, 电话, 电话号码, 手机, 手机号, 手机号码, 联系电话, 联系方式",
    "notes": "notes, note, comment, comments, remark, remarks, 备注, 说明",
    "school": "school, university, college, institution, 学校, 毕业院校, 毕业学校, 院校",
    "education": "education, degree, education level, highest degree, highest education, 学历, 最高学历, 学位",
    "major": "major, field of study, 专业, 所学专业",
    "work_experience": "work experience, experience, work history, 工作经历, 工作经验, 工作履历",
    "graduation_year": "graduation year, year of graduation, grad year, 毕业年份, 毕业年, 毕业时间",
    "gender": "gender, sex, 性别",
    "birthday": "birthday, birth date, date of birth, dob, 出生日期, 生日, 出生年月日",
}
"""The names by which a column is known; case, spaces and punctuation aside."""
DELIMITERS = ("\t", ";", ",", "|", "；", "，")
LOOKED_AT = 20_000
"""Characters by which the delimiter is found."""
MOST = 10_000
"""Rows of a list: more take longer than a call may."""
FILE = re.compile(r"\S[^\n]{0,250}\.(?:csv|tsv|txt|xlsx?|ods)", re.IGNORECASE)
EMAIL = re.compile(r"[^\s@<>,;\"'()\[\]]{1,64}@[^\s@<>,;\"'()\[\]]{1,255}")
ADDRESSED = re.compile(r"([^<>;\t|，；]{0,200})<\s{0,9}([^<>\s@]{0,200}@[^<>\s]{0,255})\s{0,9}>[\s,;]*")
"""`Ana Silva <ana@x.org>`, also several on one line."""
BULLET = re.compile(r"^\s*(?:[-*•·]\s+|\d{1,5}[.)、]\s*)")
CALLED = re.compile(r"^\+?[\d\s().\-/]{6,}$")
OPEN = "A quotation mark that opens here does not close: nothing from here on can be read."
MORE = "The row has more cells than there are columns: is there a comma or semicolon that needs quotation marks?"


@dataclass(frozen=True)
class Row:
    """What stands in a row, by field."""

    line: int
    values: dict[str, str]


@dataclass
class Sheet:
    """The rows of a list, the lines that cannot be read and why, and which column was taken for what."""

    rows: list[Row] = field(default_factory=list[Row])
    unreadable: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])
    columns: dict[str, str] = field(default_factory=dict[str, str])
    left_out: list[str] = field(default_factory=list[str])


# ── Bytes ───────────────────────────────────────────────────────────────────────────────────────


def decoded(raw: bytes) -> str:
    """The text of a file: UTF-8, UTF-16, or what Excel writes on Windows in Western Europe (cp1252) and China.

    Raises:
        BadRequest: it is no text at all.
    """
    if raw.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"%PDF")):
        raise unusable("This is a spreadsheet, a document or an archive, no text", "Save it as CSV (UTF-8)")
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return raw.decode("utf-16", "replace")
    if b"\0" in raw[:1000]:
        return raw.decode("utf-16-le" if raw[:1000].find(b"\0") % 2 else "utf-16-be", "replace")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("gb18030" if _is_chinese(raw) else "cp1252", "replace")


def _is_chinese(raw: bytes) -> bool:
    """Whether bytes that are no UTF-8 are Chinese: those above 127 come in pairs there, an accented letter alone."""
    runs = [len(run) for run in re.findall(rb"[\x80-\xff]+", raw)]
    try:
        raw.decode("gb18030")
    except UnicodeDecodeError:
        return False
    return 2 * sum(length % 2 == 0 for length in runs) > len(runs)


# ── Text ────────────────────────────────────────────────────────────────────────────────────────


def sheet(text: str, *, blind: bool = False) -> Sheet:
    """The rows of a text: CSV with any usual delimiter, a table, or a person a line.

    Args:
        blind: whether errors may not quote what stands in it.

    Raises:
        BadRequest: nothing is in it, or it has columns of which none is known to hold names.
    """
    text = text.removeprefix("\ufeff").replace("\0", "")
    delimiter, skipped = _delimiter(text)
    read = Sheet()
    records = [each for each in islice(_records(text, delimiter, read), MOST + 2) if each[0] > skipped]
    if not records and not read.unreadable:
        raise unusable("There is nobody in it", "Give a person a line, or CSV with the columns name and email")
    if len(records) > MOST + 1:
        raise unusable(f"There are more than {MOST:,} rows", "Split the list")
    top = takewhile(lambda each: not any("@" in cell for cell in each[1]), records[:3])
    place = next((place for place, (_, cells) in enumerate(top) if any(map(field_named, cells))), None)
    if place is not None:
        _by_columns(read, records[place][1], records[place + 1 :], blind)
    else:
        _by_looks(read, records, delimiter, blind)
    return read


def pasted(text: str, *, blind: bool = False) -> Sheet:
    """The rows of a text given in a call; see `sheet`.

    Raises:
        BadRequest: as `sheet`, or it is the name of a file, or JSON.
    """
    if FILE.fullmatch(text.strip()):
        raise unusable("This is the name of a file", "Give it as `file`, or what stands in it as `data`")
    if re.match(r"\s*(?:\[\s*)?\{", text):
        raise unusable("This is JSON", "Give an array of people as `candidates`")
    return sheet(text, blind=blind)


def field_named(header: str) -> str | None:
    """The field that a column of this name holds."""
    return FIELD_BY_NAME.get(_plain(header))


def _plain(header: str) -> str:
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", header).casefold())


FIELD_BY_NAME = {_plain(each): name for name, names in COLUMNS.items() for each in names.split(",")}


def _delimiter(text: str) -> tuple[str, int]:
    """What parts the cells, and how many lines at the top only say so (`sep=;`, as Excel writes)."""
    if said := re.match(r"sep=(.)\r?\n", text):
        return said[1], 1
    scores: dict[str, tuple[int, int, int]] = {}
    for delimiter in DELIMITERS:
        records = [cells for _, cells in _records(text[:LOOKED_AT], delimiter, Sheet())]
        known = max((sum(map(bool, map(field_named, cells))) for cells in records[:3]), default=0)
        parted = sum(len(cells) > 1 and any(EMAIL.fullmatch(each) for each in cells) for cells in records)
        scores[delimiter] = (known, parted, sum(len(cells) > 1 for cells in records))
    return max(scores, key=lambda each: scores[each]), 0


def _records(text: str, delimiter: str, read: Sheet) -> Iterator[tuple[int, list[str]]]:
    """Records that are not blank, each with the line on which it begins; what cannot be read is noted."""
    lines = sum(1 for _ in io.StringIO(text, newline=""))
    reader, line = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True), 1
    try:
        for cells in reader:
            if line < reader.line_num == lines and _is_open(text, line, delimiter):
                break
            cells = [each.strip() for each in cells]
            if any(re.search(r"\w", each) for each in cells):
                yield line, cells
            line = reader.line_num + 1
        else:
            return
    except csv.Error:
        pass
    read.unreadable.append((line, OPEN))


def _is_open(text: str, line: int, delimiter: str) -> bool:
    """Whether a quotation mark in the last record, which begins on this line, never closes."""
    tail = islice(io.StringIO(text, newline=""), line - 1, None)
    try:
        next(csv.reader(tail, delimiter=delimiter, skipinitialspace=True, strict=True))
    except csv.Error as error:
        return "unexpected end" in str(error)
    return False


def _by_columns(read: Sheet, head: Sequence[str], records: Sequence[tuple[int, list[str]]], blind: bool) -> None:
    fields = [field_named(each) for each in head]
    for name, header in zip(fields, head, strict=True):
        if name is None:
            read.left_out += [header] if header else []
        else:
            read.columns[name] = f"{read.columns[name]}, {header}" if name in read.columns else header
    if not {"name", "first", "last"} & read.columns.keys():
        raise unusable(f"No column is known to hold names{_listed(head, blind)}", "Call that column `name`")
    for line, cells in records:
        if any(cells[len(fields) :]):
            read.unreadable.append((line, MORE))
            continue
        values: dict[str, str] = {}
        for name, cell in zip(fields, cells, strict=False):
            if name and cell:
                values.setdefault(name, cell)
        read.rows.append(Row(line, values)) if any(cells) else None


def _by_looks(read: Sheet, records: Sequence[tuple[int, list[str]]], delimiter: str, blind: bool) -> None:
    _check_first(records, blind)
    read.rows = [Row(line, each) for line, cells in records for each in _parted(cells, delimiter)]
    if more := [row for row in read.rows if "left" in row.values]:
        others = f" and the like on {len(more) - 1} more" if len(more) > 1 else ""
        read.left_out.append(f"{quoted(more[0].values['left'], 30)} on line {more[0].line}{others}")


def _check_first(records: Sequence[tuple[int, list[str]]], blind: bool) -> None:
    """Refuse columns whose names are in no language that is known here."""
    addressed = [any("@" in each for each in cells) for _, cells in records]
    head = records[0][1] if records else []
    if len(records) > 1 and len(head) > 1 and not addressed[0] and 2 * sum(addressed) > len(records):
        known = "Call the columns name, email, phone, notes, school, education, major, or the same in Chinese"
        raise unusable(f"The first line names no column that is known{_listed(head, blind)}", known)


def _listed(cells: Sequence[str], blind: bool) -> str:
    return "" if blind else ": " + ", ".join(quoted(each, 40) for each in cells[:10] if each)


# ── A person a line ─────────────────────────────────────────────────────────────────────────────


def _parted(cells: Sequence[str], delimiter: str) -> list[dict[str, str]]:
    """The people on a line without columns; what is neither name, e-mail nor phone is `left`."""
    line = BULLET.sub("", delimiter.join(cells))
    if found := ADDRESSED.findall(line):
        people = [{"name": _turned(name), "email": email} for name, email in found]
        rest = ADDRESSED.sub("", line).strip(" ,;|")
        people[-1] |= {"phone" if CALLED.match(rest) else "left": rest} if rest else {}
        return people
    values: dict[str, str] = {}
    for cell in [BULLET.sub("", each) for each in cells]:
        for part in _parts(cell):
            known = "email" if "@" in part else "phone" if CALLED.match(part) else "name"
            values.setdefault(known if known not in values else "left", part)
    return [values]


def _parts(cell: str) -> list[str]:
    """A cell, and the address in it apart from the rest."""
    found = EMAIL.search(cell)
    if found is None or found[0] == cell:
        return [cell] if cell else []
    rest = cell.replace(found[0], " ").strip(" -–—:()<>")
    return [found[0], *([rest] if rest else [])]


def _turned(name: str) -> str:
    """`Silva, Ana` as mail programs write it, the right way round."""
    last, _, first = (part.strip(" \"'") for part in name.strip(" \"',").partition(","))
    return f"{first} {last}" if first else last


def unusable(message: str, step: str) -> BadRequest:
    """What is said of data of which nothing can be used."""
    return BadRequest(f"{message}.", f"{step}; nothing was done.", status=400, code="DATA")

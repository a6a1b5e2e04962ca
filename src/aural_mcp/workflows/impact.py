"""Selection and scoring rates of groups of people, and how they compare: arithmetic, and nobody's row is shown."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import MISSING, Field, model_validator

from aural_mcp.api.decisions import SELECTED
from aural_mcp.api.errors import NotOffered
from aural_mcp.api.models import Candidate, Decision, Record, SessionSummary
from aural_mcp.api.operations import GetInterview, InterviewId, ListCandidates, Operation, Text
from aural_mcp.bounds import aside
from aural_mcp.client.caller import Caller
from aural_mcp.client.client import Spent
from aural_mcp.privacy.exposure import Guarded
from aural_mcp.tools.candidates import cut
from aural_mcp.workflows.base import all_sessions, begin, not_now, read_file
from aural_mcp.workflows.decisions import decisions_of
from aural_mcp.workflows.formats import MARK, cell
from aural_mcp.workflows.hiding import LEAST, UNKNOWN, Block, blocks, hidden
from aural_mcp.workflows.rates import FOUR_FIFTHS, above_median, fisher
from aural_mcp.workflows.saving import new_file, save
from aural_mcp.workflows.scores import Rubric, card_of, rubric_of

if TYPE_CHECKING:  # their patterns take a while, and a start does without
    from aural_mcp.workflows.lists.groups import Grouping

FEW = 30
"""People in a group below which its rate says little."""
SELECTION, SCORING, WITHDRAWN = "selection", "scoring", "withdrawn"
NAMES = {
    "unknown": "unknown",
    "others": f"unknown, or in a group under {LEAST}",
    "few": f"{{group}}, with fewer than {LEAST} others",
}
BOTH = " × "
NO_AUDIT_MADE = "Arithmetic on recorded decisions and scores, no bias audit: somebody independent makes an audit."
NO_AUDIT = f"{NO_AUDIT_MADE} A ratio proves neither discrimination nor its absence. Tell the user both."
SELECTED_OF = "Selection: advanced or hired, of those with a decision; hold is not selected, withdrawn does not count."
ABOVE = "Scoring: {mean} above the median of all scored{besides}."
ASKING = "; who asks for a person is not among them"
TOO_FEW = (
    f"under30: one of the two groups has under {FEW} people, so one person moves the rate; conclude nothing from it."
)
SMALL = f"Groups under {LEAST} are not shown by themselves, they are in a row with others."
HIDDEN = f"hiddenCells: under {LEAST} people, or such that one under {LEAST} could be told from them."
NOT_TOGETHER = "Both columns together show nothing that would not tell of fewer than {least} people ({measure})."
NOBODY = "No table of {measure}: fewer than {least} people have one."
ALONE = "Where fewer than two groups can be shown there is nothing to compare, and no ratio."
NONE_PASSED = "Where nobody passed there is no ratio."
REPEATED = "Further sessions of the same people (by address), of whom the last one counts: {number}."
CELLS = ("group", "number", "passed", "rate", "impactRatio", "belowFourFifths", "fisherP", "under30")


class ImpactRow(Record):
    """A group."""

    group: str
    number: int
    passed: int = Field(description="Selected, or above the median.")
    rate: float
    impact_ratio: float | None = Field(default=None, description="rate / the highest.")
    below_four_fifths: bool = False
    fisher_p: float | None = Field(default=None, description="Two-sided, against the highest.")
    under30: bool = False


class ImpactTable(Record):
    """The groups by one column or two."""

    measure: str
    by: str
    rows: list[ImpactRow]
    hidden_cells: int = 0


class Impact(Record):
    """Figures of groups."""

    tables: list[ImpactTable] = []
    saved_as: str | None = None
    csv: str | None = None


class ImpactReport(Operation[Impact]):
    """Compute selection and scoring rates and impact ratios by groups in a file, or by stored gender. No bias audit.

    Groups under 5 stay hidden; nobody's group is guessed.
    """

    effect, toolset = "read", "workflows"
    saves_as = "saveAs"
    hint = "Next: show the user the table with its remarks; conclude nothing about a person or a cause."
    interview_id: InterviewId
    file: Annotated[
        Text | MISSING,
        Field(description="In the folder of --files: sessionId, candidateId or e-mail; groups."),
    ] = MISSING
    columns: Annotated[list[Text] | MISSING, Field(max_length=2, description="Of groups; guessed.")] = MISSING
    gender: Annotated[bool, Field(description="Only if the user asks.")] = False
    csv: bool = False
    save_as: Annotated[Text | MISSING, Field(max_length=200, description="New CSV file.")] = MISSING

    @classmethod
    def next_step(cls, result: Mapping[str, Any]) -> str:
        return cls.hint if result["tables"] else ""

    @model_validator(mode="after")
    def _some_groups(self) -> ImpactReport:
        if self.file is MISSING and not self.gender:
            raise ValueError("Give the groups as file; or gender true, if the user asks for the stored gender")
        if self.file is MISSING and self.columns is not MISSING:
            raise ValueError("columns are of a file: give file")
        return self


Measured = Mapping[str, bool]
"""Whether each person of whom that is known passed."""


async def impact_report(client: Caller, given: ImpactReport, spent: Spent) -> Impact:
    """Rows and the file are read as they are; only labels and numbers of enough people are shown."""
    path = None if given.save_as is MISSING else new_file(client, given.save_as, "csv")
    begin(spent)
    interview = await client.call(GetInterview(interview_id=given.interview_id), spent=spent)
    listed, complete = await all_sessions(client.raw, given.interview_id, spent)
    if not complete:
        raise not_now("all sessions were listed", spent)
    people = _People(listed, await _candidates(client, given.interview_id, spent))
    raw = None if given.file is MISSING else read_file(client, given.file)
    blind = isinstance(client, Guarded) and client.exposure.anonymous
    groupings, told = await aside(_groupings, given, raw, people, blind=blind)
    scored, remark = _scored(people, rubric_of(interview))
    work = _Tables(groupings)
    await aside(work.add, SELECTION, _decided(people, await decisions_of(client, listed)))
    await aside(work.add, SCORING, scored)
    table = _as_csv(work.tables) if given.csv or path else ""
    if path:
        save(path, MARK + table)
    remarks = [NO_AUDIT, SELECTED_OF, remark, *work.remarks, *told, *cut(people.candidates)]
    more = len(listed) - len(set(people.of.values()))
    found: dict[str, Any] = {
        "tables": work.tables,
        **({"savedAs": path.name} if path else {}),
        **({"csv": table} if given.csv else {}),
        "remarks": [*remarks, *([REPEATED.format(number=more)] if more else [])],
    }
    return Impact.model_validate(found)


async def _candidates(client: Caller, interview_id: str, spent: Spent) -> list[Candidate]:
    from aural_mcp.workflows.lists.matching import ListEverybody

    asked = ListEverybody if client.raw.local else ListCandidates
    try:
        return (await client.raw.call(asked(interview_id=interview_id), spent=spent)).data
    except NotOffered:
        return []


# ── Who passed, and who is in which group ───────────────────────────────────────────────────────


class _People:
    """The sessions of an interview and whose they are: by address, where that is known."""

    def __init__(self, sessions: Sequence[SessionSummary], candidates: Sequence[Candidate]) -> None:
        self.sessions, self.candidates = sessions, candidates
        self._registered = {each.session_id: each for each in candidates if each.session_id}
        self.of: dict[str, str] = {}
        self.known: dict[str, str] = {}
        for row in sessions:
            own = self._registered.get(row.id)
            addresses = [each.strip().casefold() for each in (own and own.email, row.participant_email) if each]
            person = self.of[row.id] = next(iter(addresses), row.id)
            for each in (row.id.casefold(), *([own.id.casefold()] if own else []), *addresses):
                self.known.setdefault(each, person)
        for own in candidates:
            for each in (own.id, own.email or ""):
                self.known.setdefault(each.strip().casefold(), own.id)
        self.known.pop("", None)

    @property
    def names(self) -> frozenset[str]:
        """What they are called, in small letters."""
        called = [*(row.participant_name for row in self.sessions), *(each.name for each in self.candidates)]
        return frozenset(each.strip().casefold() for each in called if each)

    @property
    def genders(self) -> dict[str, str]:
        """The gender that is stored, by person."""
        return {self.of[row]: each.gender for row, each in self._registered.items() if row in self.of and each.gender}

    def last(self, moments: Mapping[str, str]) -> dict[str, str]:
        """The last of these sessions for each person."""
        return {self.of[each]: each for each in sorted(moments, key=lambda each: (moments[each], each))}


def _groupings(
    given: ImpactReport, raw: bytes | None, people: _People, *, blind: bool
) -> tuple[list[Grouping], list[str]]:
    from aural_mcp.workflows.lists.groups import MOST, Known, grouping, groupings_in

    known = Known(people.known, people.names)
    found = [grouping("gender", people.genders, known)] if given.gender else []
    if raw is None:
        return found, []
    wanted = [] if given.columns is MISSING else given.columns
    more, told = groupings_in(raw, wanted, known, most=MOST - len(found), blind=blind)
    return [*found, *more], told


def _decided(people: _People, decisions: Mapping[str, Decision]) -> Measured:
    """Who was selected, of those on whom there is a decision of the team's."""
    last = people.last({each: decision.at for each, decision in decisions.items()})
    verdicts = {person: decisions[each].decision for person, each in last.items()}
    return {person: verdict in SELECTED for person, verdict in verdicts.items() if verdict != WITHDRAWN}


def _scored(people: _People, rubric: Rubric) -> tuple[Measured, str]:
    """Who is above the median, by the mean that ranks in a comparison, and how that is said."""
    rows = {row.id: row for row in people.sessions if not row.asks_for_person}
    cards = {each: card_of(row.insights, rubric) for each, row in rows.items()}
    weighted = any(card.weighted is not None for card in cards.values())
    means = {each: card.weighted if weighted else _exact(card.mean) for each, card in cards.items()}
    scores = {each: mean for each, mean in means.items() if mean is not None}
    last = people.last({each: rows[each].created_at for each in scores})
    passed = above_median([scores[each] for each in last.values()])
    besides = ASKING if len(rows) < len(people.sessions) else ""
    said = ABOVE.format(mean="weightedMean" if weighted else "mean", besides=besides)
    return dict(zip(last, passed, strict=True)), said


def _exact(mean: float | None) -> Fraction | None:
    return None if mean is None else Fraction(round(mean, 9))


# ── Tables ──────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class _Line:
    """Some people: what they are called, whether they are compared, how many they are, and how many passed."""

    label: str
    compared: bool
    number: int
    passed: int

    @property
    def rate(self) -> Fraction:
        return Fraction(self.passed, self.number)


class _Tables:
    """The tables of each measure, and what is to be said of them."""

    def __init__(self, groupings: Sequence[Grouping]) -> None:
        self._groupings = groupings
        self.tables: list[dict[str, Any]] = []
        self._said: dict[str, None] = {}

    @property
    def remarks(self) -> list[str]:
        """Each once."""
        return list(self._said)

    def add(self, measure: str, measured: Measured) -> None:
        """The tables of a measure: by each column, and by both."""
        if len(measured) < LEAST:
            self._say(NOBODY.format(measure=measure, least=LEAST))
            return
        columns = [self._by(measure, each, measured) for each in self._groupings]
        if len(columns) == 2:
            self._by_both(measure, columns, measured)

    def _by(self, measure: str, given: Grouping, measured: Measured) -> dict[str, Block]:
        """Add the table of a column; the row of each person."""
        groups = {person: given.of.get(person, UNKNOWN) for person in measured}
        rows = blocks(Counter(groups.values()), NAMES)
        place = {group: row for row in rows for group in row.groups}
        found = {person: place[group] for person, group in groups.items()}
        lines = [
            _line(row.label, row.compared, [person for person in found if found[person] is row], measured)
            for row in rows
        ]
        self._show(measure, given.heading, lines)
        if any(len(row.groups) > 1 for row in rows):
            self._say(SMALL)
        return found

    def _by_both(self, measure: str, columns: Sequence[Mapping[str, Block]], measured: Measured) -> None:
        """Add the table of two columns, as far as nobody can be found by it."""
        one, other = columns
        pairs: dict[tuple[Block, Block], list[str]] = {}
        for person in measured:
            pairs.setdefault((one[person], other[person]), []).append(person)
        places: list[dict[Block, int]] = [
            {row: at for at, row in enumerate(dict.fromkeys(each.values()))} for each in columns
        ]
        cells = {pair: (places[0][pair[0]], places[1][pair[1]]) for pair in pairs}
        left_out = hidden({cells[pair]: len(people) for pair, people in pairs.items()})
        if left_out is None:
            self._say(NOT_TOGETHER.format(measure=measure, least=LEAST))
            return
        lines = [
            _line(BOTH.join(row.label for row in pair), all(row.compared for row in pair), people, measured)
            for pair, people in pairs.items()
            if cells[pair] not in left_out
        ]
        self._show(measure, BOTH.join(each.heading for each in self._groupings), lines, len(left_out))

    def _show(self, measure: str, by: str, lines: Sequence[_Line], left_out: int = 0) -> None:
        compared = [each for each in lines if each.compared]
        highest = max(compared, key=lambda each: each.rate, default=None)
        if len(compared) < 2:
            highest = None
            self._say(ALONE)
        elif highest and not highest.passed:
            highest = None
            self._say(NONE_PASSED)
        rows = [_row(each, highest) for each in sorted(lines, key=lambda each: (not each.compared, each.label))]
        if any(row.get("under30") for row in rows):
            self._say(TOO_FEW)
        if left_out:
            self._say(HIDDEN)
        self.tables.append(
            {"measure": measure, "by": by, "rows": rows, **({"hiddenCells": left_out} if left_out else {})}
        )

    def _say(self, remark: str) -> None:
        self._said[remark] = None


def _line(label: str, compared: bool, people: Sequence[str], measured: Measured) -> _Line:
    return _Line(label, compared, len(people), sum(measured[person] for person in people))


def _row(each: _Line, highest: _Line | None) -> dict[str, Any]:
    """A row as it is shown; one that is compared with its ratio, unless there is none to compare it with."""
    row: dict[str, Any] = {"group": each.label, "number": each.number, "passed": each.passed, "rate": float(each.rate)}
    if highest is None or not each.compared:
        return row
    ratio = each.rate / highest.rate
    row |= {"impactRatio": float(ratio)}
    row |= {"belowFourFifths": True} if ratio < FOUR_FIFTHS else {}
    if each is not highest:
        row |= {"fisherP": fisher(each.passed, each.number, highest.passed, highest.number)}
    return row | ({"under30": True} if min(each.number, highest.number) < FEW else {})


def _as_csv(tables: Sequence[Mapping[str, Any]]) -> str:
    """The rows of all tables, in the shape in which New York's summaries are published."""
    out, today = io.StringIO(), datetime.now(UTC).date().isoformat()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(["date", "measure", "category", *CELLS])
    for table in tables:
        for row in table["rows"]:
            rows.writerow([cell(each) for each in (today, table["measure"], table["by"], *map(row.get, CELLS))])
    rows.writerow([today, "note", NO_AUDIT_MADE])
    return out.getvalue()

"""Results as JSON, as a table for a spreadsheet, and as a Markdown document; `report.py` has the page.

The JSON has `export` (at, software, backend, names, rubricVersion, notRead, missing), `interview` (id, title,
objective), `rubric` (column, name, description), `unsound` (sentences), and `candidates`: sessionId, name, status,
begunAt, mean, scored, scoredBy, transcriptRead, unsound, flags (turn, reasons), summary, and `scores` (column, score,
why, highlights, improvements, evidence as turn and said, with `chosenBy` where it was not the scorer). A score or mean
of null is not scored. Where the rubric has weights, its criteria have `weight` and candidates `weightedMean`; `export`
has `weightsNotUsed` where there are such. Candidates have `decision`, null where none is recorded; of one alone there
are its reason, the `notice` that the person agreed to and their open `requests` too.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Sequence
from itertools import takewhile
from typing import Any, cast
from unicodedata import combining

from aural_mcp.safety import literal, quote
from aural_mcp.tools.formatting import moment, outline

BEFORE, WEIGHTED = ("sessionId", "name", "status", "begunAt", "mean"), "weightedMean"
AFTER = ("scored", "scoredBy", "unsound")
VERSIONS = ("rubricVersion", "names", "exportedAt", "software")
DECIDED = ("decision", "decidedAt")
FORMULA = re.compile(r"(?:^|(?<=[;\t\r\n]))(?=\s*[=+\-@＝＋－＠]|[\t\r\n])")
"""Where something begins that a spreadsheet may carry out: in a cell, or behind what some take for its end."""
BEHIND = r"(?<=\\[bfnrt])[\u0300-\uffff]+"
"""What may begin with accents behind an escape of JSON: with one below, NFC would make `\\ṇ` of its `\\n`."""
MARK = "\ufeff"
"""With which a CSV file begins, so that Excel reads it as UTF-8."""
LABELS = {"mean": "Mean", WEIGHTED: "Weighted mean"}
BY_RULE, NO_EVIDENCE = ", chosen by rule, not by the scorer", "- No evidence given."
NOT_SCORED = "not scored"
NO_NOTICE = "none on record"
UNVERIFIED = "is not verified"
"""Who decided, where nobody signed in."""
DECIDES = (
    "Assembled from what was said and how it was scored. Nobody is ranked; a person decides and answers for it. Means "
    "are of the question scores, else of the criteria, as Aural has them; flags prove nothing and change no score."
)
FORMULA_OF_WEIGHTS = (
    "Weighted means are the sum of weight x score / the sum of weights, over the criteria that have a score: {weights}."
)
Whole = dict[str, Any]


def as_json(whole: Whole) -> str:
    """All of it, under names that stay."""
    text = json.dumps(whole, ensure_ascii=False, indent=1)
    return re.sub(BEHIND, _numbered, text) + "\n"


def _numbered(found: re.Match[str]) -> str:
    """Accents as their numbers, up to the first letter."""
    accents = [*takewhile(combining, found[0])]
    return "".join(f"\\u{ord(each):04x}" for each in accents) + found[0][len(accents) :]


# ── CSV ─────────────────────────────────────────────────────────────────────────────────────────


def header(whole: Whole) -> list[str]:
    """The columns of the table: facts, a score for each criterion and question, versions, what was decided."""
    rubric = (f"{each['column']} {_line(each['name'])}" for each in whole["rubric"])
    return [*_facts(whole), *rubric, *VERSIONS, *DECIDED]


def _facts(whole: Whole) -> list[str]:
    """What the table has of each before the scores: the weighted mean where the rubric has weights."""
    return [*BEFORE, *([WEIGHTED] if weights_of(whole) else []), *AFTER]


def weights_of(whole: Whole) -> str:
    """What the criteria weigh; nothing where the rubric has no weights."""
    return ", ".join(f"{each['column']} {each['weight']:g}" for each in whole["rubric"] if "weight" in each)


def as_csv(whole: Whole) -> str:
    """A row for each candidate; an empty cell is not scored, never 0, and no cell can be taken for a formula."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow([cell(name) for name in header(whole)])
    export = whole["export"]
    last = [export["rubricVersion"], export["names"], export["at"], export["software"]]
    for each in whole["candidates"]:
        facts = {**each, "unsound": ", ".join(each["unsound"]), "begunAt": moment(each["begunAt"])}
        scores = [row["score"] for row in each["scores"]]
        decided = [of_decision(each, "decision"), moment(of_decision(each, "at"))]
        rows.writerow([cell(value) for value in [*(facts[name] for name in _facts(whole)), *scores, *last, *decided]])
    return out.getvalue()


def cell(value: Any) -> Any:
    """A value as a spreadsheet shows it and does not carry it out."""
    return FORMULA.sub("'", value) if isinstance(value, str) else value


# ── Markdown ────────────────────────────────────────────────────────────────────────────────────


def as_markdown(whole: Whole) -> str:
    """The versions, the rubric, a table of scores, and the evidence candidate by candidate."""
    export, interview = whole["export"], whole["interview"]
    facts = {
        "Interview": interview["id"],
        "Objective": interview["objective"],
        "Rubric version": export["rubricVersion"],
        "Exported": f"{export['at']}, {export['software']}, from {export['backend']}",
        "Candidates": f"{len(whole['candidates'])}, {export['names']}",
    }
    parts = [
        f"# Results: {_line(interview['title'])}",
        listed(facts),
        DECIDES,
        FORMULA_OF_WEIGHTS.format(weights=weights) if (weights := weights_of(whole)) else "",
        bullets(export.get("weightsNotUsed", [])),
        "\n".join(f"**Missing:** {_line(said)}" for said in export["missing"]),
        "## What makes a comparison unsound\n\n" + bullets(whole["unsound"]) if whole["unsound"] else "",
        "## Rubric\n\n" + outline(whole["rubric"]) if whole["rubric"] else "",
        "## Scores\n\n" + _scores(whole),
        *(f"## Candidate {number}\n\n{_candidate(each, whole)}" for number, each in enumerate(whole["candidates"], 1)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def listed(facts: Whole) -> str:
    """Facts, one a line; what is empty is left out."""
    shown = {name: literal(_line(value)) for name, value in facts.items() if value not in (None, "", [])}
    return "\n".join(f"- {name}: {value}" for name, value in shown.items())


def bullets(sentences: Sequence[str]) -> str:
    """Sentences of ours, one a line."""
    return "\n".join(f"- {_line(each)}" for each in sentences)


def _scores(whole: Whole) -> str:
    columns = [each["column"] for each in whole["rubric"]]
    means = ["mean", *([WEIGHTED] if weights_of(whole) else [])]
    decided = ["Decision"] if any(each["decision"] for each in whole["candidates"]) else []
    heads = ["", "Name", *(LABELS[name] for name in means), *columns, *decided]
    lines = [heads, ["---"] * len(heads)]
    for number, each in enumerate(whole["candidates"], 1):
        scores = [as_score(row["score"]) for row in each["scores"]]
        scores += [of_decision(each, "decision") for _ in decided]
        lines.append([str(number), literal(_line(each["name"])), *(as_score(each[name]) for name in means), *scores])
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def as_score(score: float | None, none: str = NOT_SCORED) -> str:
    """A score as people write it, and what stands for none."""
    return none if score is None else f"{round(score, 2):g}"


def _candidate(each: Whole, whole: Whole) -> str:
    facts = {
        "Name": each["name"],
        "Session": each["sessionId"],
        "Status": each["status"],
        "Begun": moment(each["begunAt"]),
        "Mean": as_score(each["mean"]),
        "Weighted mean": as_score(each[WEIGHTED]) if WEIGHTED in each else None,
        "Scored": each["scored"],
        "Scored by": each["scoredBy"],
        "Decision": decision_said(each["decision"]),
        "Reason": of_decision(each, "reason"),
        "Unsound": ", ".join(each["unsound"]),
        "Transcript": None if each["transcriptRead"] else "not read for this export: no quotes, no flags",
    }
    flagged = [f"- Flagged turn {flag['turn']}: {', '.join(flag['reasons'])}" for flag in each["flags"]]
    parts = ["\n".join([listed(facts), *flagged]), f"Summary:\n{quote(each['summary'])}" if each["summary"] else ""]
    names = {column["column"]: column["name"] for column in whole["rubric"]}
    read = each["transcriptRead"] and whole["export"]["names"] != "lockdown"
    parts += [evaluation(row, names[row["column"]], read=read) for row in each["scores"]]
    parts += [rights_said(each)] if "requests" in each else []
    return "\n\n".join(part for part in parts if part)


def of_decision(each: Whole, field: str) -> str:
    """A field of the decision on somebody; nothing where there is none."""
    made = each["decision"]
    return str(made.get(field, "")) if made else ""


def decision_said(made: Whole | None, when: Callable[[str], str] = moment) -> str:
    """What was decided, when and by whom, on a line; nothing where nothing was."""
    return f"{made['decision']}, {when(made['at'])}, {who_decided(made)}" if made else ""


def who_decided(made: Whole) -> str:
    """Who decided, as far as anybody can vouch for it."""
    by = f"by {made['by']}" if made["by"] else "by whom"
    return by if made["verified"] else f"{by} {UNVERIFIED}"


def rights_said(each: Whole) -> str:
    """What somebody was told before they began and agreed to, and what they ask of the team."""
    notice, asked = each["notice"], [f"{row['kind']}, since {moment(row['at'])}" for row in each["requests"]]
    facts = {
        "Notice": f"version {notice['version']}, {notice['language']}, {moment(notice['at'])}" if notice else NO_NOTICE,
        "Agreed to": notice["agreed"] if notice else None,
        **{f"Open request {number}": said for number, said in enumerate(asked, 1)},
    }
    said = {"The notice, word for word": notice["text"] if notice else ""}
    said |= {f"Request {number}, word for word": row["text"] for number, row in enumerate(each["requests"], 1)}
    return "\n\n".join([listed(facts), *(f"- {name}:\n\n{quote(text)}" for name, text in said.items() if text)])


def evaluation(row: Whole, name: str, *, read: bool) -> str:
    """A score with its reasons and evidence."""
    kind = "Criterion" if row["column"].startswith("C") else "Question"
    lines = [f"### {row['column']}: {as_score(row['score'])}\n", f"- {kind}: {literal(_line(name))}"]
    for label, field in (("Strong", "highlights"), ("Missing", "improvements")):
        given = cast("list[Any]", row[field]) if isinstance(row[field], list) else []
        lines += [f"- {label}: {literal(_line(each))}" for each in given]
    lines += [f"- Turn {each['turn']}{BY_RULE if 'chosenBy' in each else ''}{_said(each)}" for each in row["evidence"]]
    lines += [NO_EVIDENCE] if read and row["score"] is not None and not row["evidence"] else []
    return "\n".join([*lines, *([f"\n{quote(str(row['why']))}"] if row["why"] else [])])


def _said(evidence: Whole) -> str:
    return f": {literal(evidence['said'])}" if evidence.get("said") else ""


def _line(value: Any) -> str:
    return " ".join(str(value).split())

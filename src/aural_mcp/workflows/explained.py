"""An explanation as a Markdown document and as a page, for the team: the facts, and the letter as a draft."""

from __future__ import annotations

from collections.abc import Callable

from aural_mcp.markup import Html, html, paragraphs, tag
from aural_mcp.safety import code_block, literal
from aural_mcp.tools.formatting import moment
from aural_mcp.workflows import report
from aural_mcp.workflows.formats import (
    WEIGHTED,
    Whole,
    as_score,
    bullets,
    decision_said,
    evaluation,
    listed,
    rights_said,
)

FOR = (
    "For the team, to check, correct and send by hand. Facts as the record has them, and no legal advice; nobody was "
    "written to. A person decided: scores are what the record holds beside the decision, and decide nothing."
)
TRACED = (
    "Each score is traced to words of the person's, by the turn of the transcript: those that the scorer named, or "
    "where none were named, words found by a plain rule, which is said."
)
ASK = (
    "Corrections, questions and the wish that a person looks again go to {contact}{by}. A correction of the record is "
    "made with update_candidate, one of a decision with record_decision."
)
HEAD, DRAFT = "Why one person was turned down", "Draft of a letter, sent to nobody"
SCORERS = {
    "model": "{name}, a model of this workspace",
    "agent": "{name}, an AI agent of the team",
    "aural": "Aural's AI",
    "human": "{name}, a person",
    "unknown": "{name}; whether a person or a program is not on record",
}
KINDS = {
    "answers": "Answers",
    "record": "Record",
    "recordings": "Recordings and pictures",
    "log": "Integrity log",
    "flags": "Flagged turns",
    "analysis": "Analysis beside the scores",
}


def explained_markdown(whole: Whole) -> str:
    """The facts under headings, the letter as a block that can be copied."""
    letter = whole["letter"]
    parts = [
        f"# {HEAD}",
        listed(_facts(whole)),
        FOR,
        f"## Decision\n\n{listed(_decision(whole))}",
        f"## What is held\n\n{bullets([_held(row) for row in whole['data']])}",
        f"## What was scored\n\n{listed(_scoring(whole))}",
        TRACED if whole["factors"] else "",
        *(_factor(row, whole) for row in whole["factors"]),
        f"## What the person was told and asks\n\n{rights_said(whole)}",
        f"## Whom to ask\n\n{_ask(whole)}",
        f"## {DRAFT}",
        bullets(letter["notes"]),
        code_block(letter["text"]),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def explained_html(whole: Whole) -> str:
    """The same as one page."""
    letter, person = whole["letter"], whole["person"]["name"] or "unnamed"
    blocks = (tag("div", paragraphs(block)) for block in letter["text"].split("\n\n"))
    body = html(
        tag(
            "header",
            tag("p", HEAD, class_="kind"),
            tag("h1", tag("bdi", person)),
            report.facts(_facts(whole)),
            tag("p", FOR),
        ),
        tag("h2", "Decision"),
        report.facts(_decision(whole, report.when)),
        tag("h2", "What is held"),
        report.bulleted([_held(row) for row in whole["data"]]),
        tag("h2", "What was scored"),
        report.facts(_scoring(whole, report.when)),
        tag("p", TRACED) if whole["factors"] else None,
        *(_section(row, whole) for row in whole["factors"]),
        tag("h2", "What the person was told and asks"),
        report.rights(whole),
        tag("h2", "Whom to ask"),
        tag("p", _ask(whole)),
        tag("h2", DRAFT),
        report.notice_box("Before it is sent", letter["notes"]),
        tag("article", *blocks, lang=letter["language"], dir=letter["direction"], class_="letter"),
        report.foot(whole["export"]),
    )
    return report.page(f"{HEAD}: {person}", body)


def _facts(whole: Whole) -> dict[str, str | None]:
    export, person = whole["export"], whole["person"]
    return {
        "Person": person["name"],
        "Interview": whole["interview"]["title"],
        "Session": person["sessionId"],
        "Candidate": person["candidateId"],
        "Rubric version": export["rubricVersion"],
        "Exported": f"{export['at']}, {export['software']}, from {export['backend']}",
    }


def _decision(whole: Whole, when: Callable[[str], str] = moment) -> dict[str, str | None]:
    made = whole["decision"]
    return {
        "Decision": decision_said(made, when),
        "Reason": made["reason"],
        "Looked at before": "; ".join(made["lookedAt"]) or "nothing is on record",
        "Explanation due by": made["explanationDue"],
        "Explained": made["explainedAt"],
    }


def _scoring(whole: Whole, when: Callable[[str], str] = moment) -> dict[str, str | None]:
    scoring = whole["scoring"]
    by = scoring["scoredBy"]
    if by is None:
        return {"Scores": "none on record"}
    name = SCORERS[by["kind"]].format(name=by["name"])
    left = ", ".join(f"{each['column']} {each['name']}" for each in scoring["notScored"])
    return {
        "Scored by": f"{name}, {when(by['at'])}" if by["at"] else name,
        "Mean": as_score(scoring["mean"]),
        "Weighted mean": as_score(scoring[WEIGHTED]) if WEIGHTED in scoring else None,
        "Not scored, in no figure": left,
        "What makes the scores doubtful": ", ".join(scoring["doubts"]),
    }


def _held(row: Whole) -> str:
    return f"{KINDS[row['kind']]}: {literal(row['held'])}. From {row['from']}; {row['use']}."


def _counts(row: Whole, whole: Whole) -> str:
    """What part of the mean that weighs, or of the plain one, a score is."""
    mean = "the weighted mean" if WEIGHTED in whole["scoring"] else "the mean"
    weight = f"weight {row['weight']:g}, " if "weight" in row else ""
    part = f"{100 * row['share']:.4g} % of {mean}" if row["share"] else f"not part of {mean}"
    return f"{weight}{part}"


def _factor(row: Whole, whole: Whole) -> str:
    head, _, rest = evaluation(row, row["name"], read=True).partition("\n\n")
    return f"{head}\n\n- Counts: {_counts(row, whole)}\n{rest}"


def _section(row: Whole, whole: Whole) -> Html:
    return report.evaluation(row, row["name"], words=True, counts=_counts(row, whole))


def _ask(whole: Whole) -> str:
    ask = whole["ask"]
    return ASK.format(contact=ask["contact"], by=f" ({ask['organization']})" if ask["organization"] else "")

"""Results as a page: one file that asks nothing of anybody, to be read on a screen or printed for a panel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, cast

from aural_mcp.markup import Html, digest, html, paragraphs, tag
from aural_mcp.workflows.formats import (
    DECIDES,
    FORMULA_OF_WEIGHTS,
    NO_NOTICE,
    WEIGHTED,
    Whole,
    as_score,
    decision_said,
    of_decision,
    weights_of,
)

WIDE = 10
"""Columns of scores from which they are printed smaller."""
BY_RULE, NO_EVIDENCE = "chosen by rule, not by the scorer", "No evidence given."
NAMED = {
    "blind": "Blind: names are pseudonyms.",
    "lockdown": "Lockdown: names are pseudonyms, and nobody's words are shown.",
}
SAID = ("why", "highlights", "improvements", "evidence")
LEGEND = "1 to 10, darker is higher. Hatched is not scored, which is no low score."


def as_html(whole: Whole) -> str:
    """The whole page."""
    export, interview = whole["export"], whole["interview"]
    notes = [*export["missing"], *export.get("weightsNotUsed", [])]
    weights = weights_of(whole)
    body = html(
        _head(whole),
        tag("p", DECIDES),
        tag("p", FORMULA_OF_WEIGHTS.format(weights=weights)) if weights else None,
        notice_box("Missing", notes),
        notice_box("What makes a comparison unsound", whole["unsound"]),
        tag("h2", "Scores"),
        _scores(whole),
        _rubric(whole["rubric"]) if whole["rubric"] else None,
        *(_candidate(each, whole) for each in whole["candidates"]),
        foot(export),
    )
    return page(f"Results: {interview['title']}", body)


def page(title: str, body: Html) -> str:
    """A whole page, which loads nothing and runs nothing."""
    style = _style()
    policy = f"default-src 'none'; style-src {digest(style)}; base-uri 'none'; form-action 'none'"
    head = html(
        Html('<meta charset="utf-8">'),
        Html('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        Html(f'<meta http-equiv="Content-Security-Policy" content="{policy}">'),
        tag("title", title),
        tag("style", Html(style)),
    )
    return f"<!doctype html>\n{tag('html', tag('head', head), tag('body', tag('main', body)), lang='en')}\n"


@cache
def _style() -> str:
    return Path(__file__).with_name("report.css").read_text("utf-8")


# ── Head and foot ───────────────────────────────────────────────────────────────────────────────


def _head(whole: Whole) -> Html:
    export, interview = whole["export"], whole["interview"]
    scored = sum(each["mean"] is not None for each in whole["candidates"])
    given = {
        "Candidates": f"{len(whole['candidates'])}, of whom {scored} scored",
        "Exported": when(export["at"]),
        "Rubric version": export["rubricVersion"],
    }
    return tag(
        "header",
        tag("p", "Interview results", class_="kind"),
        tag("h1", interview["title"], dir="auto"),
        paragraphs(interview["objective"] or "", "quiet"),
        facts(given),
        tag("p", tag("strong", NAMED[export["names"]])) if export["names"] in NAMED else None,
    )


def foot(export: Whole) -> Html:
    """What a page was made by, from what, and when."""
    made = f"Made by {export['software']} from {export['backend']}, {export['at']}."
    return tag("footer", made)


def notice_box(heading: str, sentences: Sequence[str]) -> Html | None:
    """What somebody should not miss; nothing where there is nothing."""
    if not sentences:
        return None
    return tag("section", tag("h2", heading), bulleted(sentences), class_="notice")


def bulleted(texts: Sequence[Any]) -> Html:
    """Texts as a list, each in its own direction."""
    return tag("ul", *(tag("li", str(each), dir="auto") for each in texts))


def when(moment: str) -> str:
    """A moment as people write it, or as it came."""
    try:
        at = datetime.fromisoformat(moment).astimezone(UTC)
    except (ValueError, TypeError):
        return moment
    return f"{at.day} {at:%B %Y, %H:%M} UTC"


def facts(given: Mapping[str, Any]) -> Html:
    """Names and values; what is empty is left out."""
    shown = {name: value for name, value in given.items() if value not in (None, "", [])}
    return tag("dl", *(tag("div", tag("dt", name), tag("dd", tag("bdi", str(value)))) for name, value in shown.items()))


# ── The table ───────────────────────────────────────────────────────────────────────────────────


def _scores(whole: Whole) -> Html:
    """Everybody by criterion and question, in the order in which they began."""
    means = {"mean": "Mean", **({WEIGHTED: "Weighted"} if weights_of(whole) else {})}
    columns = [each["column"] for each in whole["rubric"]]
    decided = ["Decision"] if any(each["decision"] for each in whole["candidates"]) else []
    heads = [tag("th", name, scope="col") for name in ("Name", *means.values(), *columns, *decided)]
    rows = [
        tag(
            "tr",
            tag("th", tag("bdi", each["name"] or "unnamed"), scope="row"),
            *(tag("td", as_score(each[name], "–"), class_="mean") for name in means),
            *(tag("td", as_score(row["score"], "–"), class_=_heat(row["score"])) for row in each["scores"]),
            *(tag("td", of_decision(each, "decision")) for _ in decided),
        )
        for each in whole["candidates"]
    ]
    made = tag(
        "table",
        tag("caption", LEGEND),
        tag("thead", tag("tr", *heads)),
        tag("tbody", *rows),
        class_="scores wide" if len(columns) > WIDE else "scores",
    )
    return tag("div", made, class_="scroll", tabindex="0", role="region", aria_label="Scores")


def _heat(score: float | None) -> str:
    return "none" if score is None else f"s{min(10, max(1, round(score)))}"


def _rubric(columns: Sequence[Whole]) -> Html:
    weighs = any("weight" in each for each in columns)
    names = ["Column", "Criterion or question", "What a strong answer has", *(["Weight"] if weighs else [])]
    rows = [
        tag(
            "tr",
            tag("th", each["column"], scope="row"),
            tag("td", each["name"], dir="auto"),
            tag("td", each["description"] or "", dir="auto"),
            tag("td", f"{each['weight']:g}" if "weight" in each else "") if weighs else None,
        )
        for each in columns
    ]
    head = tag("thead", tag("tr", *(tag("th", name, scope="col") for name in names)))
    return html(tag("h2", "Rubric"), tag("table", head, tag("tbody", *rows)))


# ── One candidate ───────────────────────────────────────────────────────────────────────────────


def _candidate(each: Whole, whole: Whole) -> Html:
    given = {
        "Begun": when(each["begunAt"]),
        "Status": each["status"].replace("_", " ").lower(),
        "Scored": each["scored"],
        "Scored by": each["scoredBy"],
        "Weighted mean": as_score(each[WEIGHTED]) if WEIGHTED in each else None,
        "Session": each["sessionId"],
        "Decision": decision_said(each["decision"], when),
        "Reason": of_decision(each, "reason"),
    }
    names = {column["column"]: column["name"] for column in whole["rubric"]}
    words = each["transcriptRead"] and whole["export"]["names"] != "lockdown"
    flags = [f"Turn {flag['turn']}: {', '.join(flag['reasons'])}" for flag in each["flags"]]
    empty = [row for row in each["scores"] if not any(row[name] for name in SAID) and row["score"] is None]
    mean = as_score(each["mean"])
    return tag(
        "article",
        tag(
            "h2",
            tag("bdi", each["name"] or "unnamed"),
            tag("span", f"Mean {mean}" if each["mean"] is not None else mean),
        ),
        facts(given),
        notice_box("Unsound", each["unsound"]),
        notice_box("For a person to look at; no score changes", flags),
        None
        if each["transcriptRead"]
        else tag("p", "The transcript was not read: no quotes, no flags.", class_="quiet"),
        paragraphs(each["summary"] or ""),
        *(evaluation(row, names[row["column"]], words=words) for row in each["scores"] if row not in empty),
        tag("p", f"Not scored: {', '.join(row['column'] for row in empty)}.", class_="quiet") if empty else None,
        html(tag("h3", "Told and asked"), rights(each)) if "requests" in each else None,
    )


def rights(each: Whole) -> Html:
    """What somebody was told before they began and agreed to, and what they ask of the team."""
    notice = each["notice"]
    told = f"Version {notice['version']}, {notice['language']}, {when(notice['at'])}" if notice else NO_NOTICE
    asked = [f"{row['kind']}, since {when(row['at'])}. {row['text']}" for row in each["requests"]]
    return html(
        facts({"Notice": told, "Agreed to": notice and notice["agreed"]}),
        tag("blockquote", paragraphs(notice["text"]), lang=notice["language"]) if notice and notice["text"] else None,
        notice_box("Open requests", asked),
    )


def evaluation(row: Whole, name: str, *, words: bool, counts: str = "") -> Html:
    """A score with its reasons and evidence, and what it counts where that is said."""
    quotes = [_evidence(each) for each in row["evidence"]]
    none = words and row["score"] is not None and not quotes
    told = html(
        tag("h3", f"{row['column']} ", tag("bdi", name)),
        tag("p", counts, class_="quiet") if counts else None,
        paragraphs(str(row["why"] or "")),
        *(_told(label, row[field]) for label, field in (("Strong", "highlights"), ("Missing", "improvements"))),
        *quotes,
        tag("p", NO_EVIDENCE, class_="quiet") if none else None,
    )
    shown = as_score(row["score"], "–")
    said = shown if row["score"] is not None else tag("span", shown, role="img", aria_label="not scored")
    return tag("section", tag("div", said, class_=f"mark {_heat(row['score'])}"), tag("div", told), class_="row")


def _told(label: str, given: Any) -> Html | None:
    rows = cast("list[Any]", given) if isinstance(given, list) else []
    return html(tag("p", f"{label}:", class_="quiet"), bulleted(rows)) if rows else None


def _evidence(each: Whole) -> Html:
    where = f"Turn {each['turn']}" + (f", {BY_RULE}" if "chosenBy" in each else "")
    said = each.get("said")
    return html(tag("blockquote", paragraphs(said)) if said else None, tag("p", where, class_="quiet"))

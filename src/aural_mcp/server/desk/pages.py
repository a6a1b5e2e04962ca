"""The desk's own pages: the list of interviews, of sessions, what can be taken away, and the frame around each view."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import quote, urlencode

from aural_mcp.markup import Html, html, tag
from aural_mcp.tools.standing import ASKED_FOR

TABS = {
    "": ("Progress", "wait_for_sessions"),
    "comparison": ("Comparison", "compare_candidates"),
    "sessions": ("Sessions", "list_sessions"),
    "questions": ("Interview", "get_interview"),
    "exports": ("Exports", "export_results"),
}
"""The pages of an interview by their address: what they are called, and the tool that each shows."""
EXPORTS = {
    "html": ("A page for the panel", "Scores, reasons and quotes in one file. Print it, or save it as PDF."),
    "csv": ("A table", "A row for each candidate, for a spreadsheet. Scores only."),
    "json": ("Data", "Everything, for programs, as JSON."),
}
STATUSES = {"COMPLETED": "complete", "IN_PROGRESS": "in the middle", "ABANDONED": "gave up"}
BLIND = (
    "Names become pseudonyms, and what tells who somebody is goes out of texts. It stays so in this browser until a "
    "new link of aural-mcp open is opened."
)
STAYS = (
    "It is sent to {backend} and nowhere else. This program keeps it in memory until you sign out, do nothing for 12 "
    "hours, or stop the program; this page and your browser do not keep it."
)
QUOTES = tag("a", "Read the quotes of all", href="?quotes=1")
"""Where there are many, their transcripts are read only when somebody asks."""


@dataclass(frozen=True)
class Door:
    """A backend that wants a key: which it is, and the sentence that says where keys come from."""

    backend: str
    keys: str


@cache
def style(name: str) -> str:
    """A style sheet: the views' own, or the desk's."""
    place = files("aural_mcp.views") if name == "base.css" else files(__name__.rpartition(".")[0])
    return (place / name).read_text("utf-8")


def address(interview_id: str, tab: str = "") -> str:
    """Where a page of an interview is."""
    place = f"/interviews/{quote(interview_id, safe='')}"
    return f"{place}/{tab}" if tab else place


# ── The frame ───────────────────────────────────────────────────────────────────────────────────


def frame(
    tools: Collection[str],
    *,
    interview_id: str = "",
    tab: str | None = None,
    blind: bool = False,
    leaves: bool = False,
    also: Html | None = None,
) -> Html:
    """What stands above every page: the way back, the pages of an interview, no names, and the way out."""
    home = tag("a", "Interviews", href="/", aria_current=None if interview_id or tab is not None else "page")
    tabs = [
        tag("a", name, href=address(interview_id, each), aria_current="page" if each == tab else None)
        for each, (name, tool) in TABS.items()
        if interview_id and tool in tools
    ]
    hide = tag("form", tag("button", "Hide names", title=BLIND), method="post", action="/blind")
    hide = tag("span", "Names are hidden", class_="badge good") if blind else hide
    leave = tag("form", tag("button", "Sign out"), method="post", action="/leave") if leaves else None
    return html(
        Html('<link rel="stylesheet" href="/desk.css">'),
        tag(
            "header",
            tag("a", "To the content", href="#view", class_="skip"),
            tag("nav", tag("strong", "Aural desk"), home, *tabs, aria_label="Desk"),
            also,
            tag("div", hide, leave, class_="actions"),
            class_="desk no-print",
        ),
    )


def page(title: str, top: Html, *body: Html | None) -> str:
    """A page of the desk's own."""
    head = html(
        Html('<meta charset="utf-8">'),
        Html('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        Html('<meta name="color-scheme" content="light dark">'),
        tag("title", f"{title} · Aural desk"),
        Html('<link rel="stylesheet" href="/base.css">'),
    )
    whole = tag("html", tag("head", head), tag("body", top, tag("main", *body, id="view")), lang="en")
    return f"<!doctype html>\n{whole}\n"


def _top(eyebrow: str, title: str, *more: Html) -> Html:
    words = tag("div", tag("p", eyebrow, class_="eyebrow"), tag("h1", title, dir="auto"))
    return tag("header", words, *more, class_="top")


def _table(caption: str, headings: Sequence[str], rows: Sequence[Sequence[Html | str]]) -> Html:
    made = tag(
        "table",
        tag("caption", caption, class_="hidden"),
        tag("thead", tag("tr", *(tag("th", each, scope="col") for each in headings))),
        tag(
            "tbody",
            *(tag("tr", tag("th", row[0], scope="row"), *(tag("td", each) for each in row[1:])) for row in rows),
        ),
    )
    return tag("div", made, class_="scroll", tabindex="0", role="region", aria_label=caption)


def _more(path: str, cursor: str | None, **query: str) -> Html | None:
    if not cursor:
        return None
    given = urlencode({**{name: value for name, value in query.items() if value}, "cursor": cursor})
    return tag("p", tag("a", "More", href=f"{path}?{given}"))


def _said(result: Mapping[str, Any]) -> Html | None:
    remarks = result.get("remarks", [])
    if not remarks:
        return None
    return tag("section", tag("ul", *(tag("li", each, dir="auto") for each in remarks)), class_="notice")


# ── Pages ───────────────────────────────────────────────────────────────────────────────────────


FIRST = {
    "asksForPerson": "would rather speak with a person",
    "requests": "asks for {wanted}",
    "explanationsDue": "is owed an explanation",
}
"""What stands first, by the field of `wait_for_sessions` that has it."""


def interviews(
    result: Mapping[str, Any], top: Html, title: str, waiting: Mapping[str, Mapping[str, Any]], links: bool
) -> str:
    """The list of interviews; above it who asks for something or is owed an explanation, by interview."""
    field = html(
        tag("label", "Find by title", for_="title"),
        _input(id="title", name="title", type="search", value=title),
        tag("button", "Find"),
    )
    rows = [
        [
            tag("a", tag("bdi", each["title"] or "Without a title"), href=address(each["id"])),
            tag("span", each["state"], class_="badge"),
            _number(each.get("sessions")),
            _number(each.get("questions")),
            each["updatedAt"][:10],
        ]
        for each in result["data"]
    ]
    table = _table("Interviews", ("Interview", "Open", "Sessions", "Questions", "Changed"), rows)
    none = "No interview has that in its title." if title else "There is no interview yet. Your agent makes one."
    return page(
        "Interviews",
        top,
        _top("Desk", "Interviews", tag("form", field, class_="find", role="search")),
        _first(result, waiting, links),
        _said(result),
        tag("section", table if rows else tag("p", none)),
        _more("/", result.get("cursor"), title=title),
    )


def _owed(day: str) -> str:
    return f"{'overdue since' if day < datetime.now(UTC).date().isoformat() else 'by'} {day}"


def _first(result: Mapping[str, Any], waiting: Mapping[str, Mapping[str, Any]], links: bool) -> Html | None:
    """Who asks for something or is owed an explanation, what is asked first in front."""
    rows = [
        tag(
            "li",
            _leads({"id": each["sessionId"], "participantName": each["name"]}, links)
            if each.get("sessionId")
            else tag("bdi", each["name"] or "Unnamed candidate"),
            f" {said.format(wanted=ASKED_FOR.get(each.get('kind', ''), ''))}, ",
            _owed(each["due"]) if each.get("due") else f"since {each['since'][:10]}",
            ": ",
            tag("a", tag("bdi", row["title"] or "Without a title"), href=address(row["id"])),
        )
        for kind, said in FIRST.items()
        for row in result["data"]
        for each in waiting.get(row["id"], {}).get(kind, ())
    ]
    return tag("section", tag("h2", "First of all"), tag("ul", *rows), class_="notice warn") if rows else None


def sessions(result: Mapping[str, Any], top: Html, interview_id: str, links: bool) -> str:
    """The sessions of an interview."""
    rows = [
        [
            _leads(each, links),
            html(
                None
                if each.get("asksForPerson") and each["status"] == "ABANDONED"
                else tag("span", STATUSES.get(each["status"], each["status"]), class_="badge"),
                tag("span", f"asks for a person since {each['asksForPerson'][:10]}", class_="badge warn")
                if each.get("asksForPerson")
                else None,
                *(tag("span", _wanted(one), class_="badge warn") for one in each.get("requests", ())),
            ),
            "not scored" if each.get("overallScore") is None else f"{round(each['overallScore'], 2):g}",
            _number(each.get("turns")),
            each["createdAt"][:16].replace("T", " "),
            tag("bdi", each.get("decision", "")),
        ]
        for each in result["data"]
    ]
    table = _table("Sessions", ("Candidate", "Status", "Overall score", "Turns", "Begun, UTC", "Decision"), rows)
    counted = ", ".join(f"{count} {STATUSES.get(name, name)}" for name, count in result.get("counted", {}).items())
    return page(
        "Sessions",
        top,
        _top("Sessions", counted or "Nobody has begun"),
        _said(result),
        tag("section", table if rows else tag("p", "Nobody has begun yet.")),
        _more(address(interview_id, "sessions"), result.get("cursor")),
    )


def _wanted(request: Mapping[str, Any]) -> str:
    return f"asks for {ASKED_FOR.get(request['kind'], request['kind'])} since {request['since'][:10]}"


def _leads(each: Mapping[str, Any], links: bool) -> Html:
    name = tag("bdi", each.get("participantName") or "Unnamed candidate")
    return tag("a", name, href=f"/sessions/{quote(each['id'], safe='')}") if links else name


def exports(top: Html, interview_id: str, blind: bool) -> str:
    """What can be taken away."""
    cards = [
        tag(
            "section",
            tag("h2", name),
            tag("p", about),
            tag(
                "p",
                tag("a", "Open to print", href=f"{place}?open=1", target="_blank") if kind == "html" else None,
                " · " if kind == "html" else None,
                tag("a", "Download", href=place, download=True),
            ),
        )
        for kind, (name, about) in EXPORTS.items()
        for place in [f"{address(interview_id)}/results.{kind}"]
    ]
    names = (
        "Names are hidden in all of them." if blind else "All of them name people. Hide names first to export without."
    )
    return page(
        "Exports", top, _top("Exports", "Take the results along"), tag("p", names), tag("div", *cards, class_="cards")
    )


def enter(token: str, nonce: str) -> str:
    """Opens the desk by a form of its own: what only looks at a link uses nothing up."""
    form = tag(
        "form",
        _input(type="hidden", name="token", value=token),
        tag("p", tag("button", "Open the desk", class_="strong")),
        method="post",
        action="/enter",
        id="enter",
    )
    script = tag("script", Html("document.getElementById('enter').requestSubmit()"), nonce=nonce)
    return page("Open", NOWHERE, _top("Aural desk", "Interviews and results on this computer"), form, script)


def key_field(label: str, where: str, problem: str) -> Html:
    """Where a key is typed; `where` says where it is got, and a problem that stands on the page belongs to it."""
    field = _input(
        id="key",
        name="key",
        type="password",
        required=True,
        autofocus=True,
        autocomplete="off",
        autocapitalize="off",
        spellcheck="false",
        aria_describedby="about problem" if problem else "about",
        aria_invalid="true" if problem else None,
    )
    about = tag("p", f"It begins with dlv_. {where}", id="about", class_="quiet")
    return html(tag("label", label, for_="key"), field, about)


def sign_in(door: Door, to: str, problem: str = "") -> str:
    """Asks for a key, which it never holds itself."""
    form = tag(
        "form",
        _input(type="hidden", name="to", value=to),
        key_field("API key", door.keys, problem),
        tag("p", tag("button", "Sign in", class_="strong")),
        method="post",
        action="/enter",
        class_="sign-in",
    )
    return page(
        "Sign in",
        NOWHERE,
        _top("Aural desk", "Sign in"),
        tag("section", tag("p", problem, id="problem", role="alert"), class_="notice") if problem else None,
        tag(
            "section",
            form,
            tag("p", STAYS.format(backend=door.backend), class_="quiet"),
        ),
    )


def message(title: str, text: str, top: Html | None = None, again: str = "") -> str:
    """A page that only says something, and leads back where there is a way, or to the same page once more."""
    more = tag("a", "Load it again", href=again) if again else None
    back = tag("p", more, " · " if more else None, tag("a", "All interviews", href="/")) if top else None
    return page(title, top or NOWHERE, _top("Aural desk", title), tag("section", tag("p", text, dir="auto"), back))


NOWHERE = Html('<link rel="stylesheet" href="/desk.css">')


def _input(**attributes: str | bool | None) -> Html:
    return Html(tag("input", **attributes).removesuffix("</input>"))


def _number(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"

"""The pages on which somebody lets an application in: which it is, where it leads, and what it may do."""

from __future__ import annotations

from dataclasses import dataclass

from aural_mcp.markup import Html, html, tag
from aural_mcp.server.desk.pages import key_field, style
from aural_mcp.server.sign_in.redirects import Redirect

STYLE = """
main { max-width: 44rem; }
.choice { display: flex; gap: .6rem; align-items: baseline; padding: .35rem 0; }
.sign-in .choice { font-weight: inherit; }
.choice input { flex: none; width: auto; min-height: 0; margin: 0; }
fieldset { border: 0; padding: 0; margin: .4rem 0 .6rem; min-width: 0; }
legend { font-weight: 600; padding: 0; margin-bottom: .2rem; }
.actions button { min-height: 2.6rem; padding-inline: 1.2rem; }
"""
ASKED = "May this application use Aural for you?"
ON_LOOPBACK = (
    "The answer goes to a program on this computer. Go on only if you yourself began to sign in there, a moment ago."
)
BY_SCHEME = (
    "The answer goes to whichever program on this computer opens {shown} addresses. Go on only if you yourself began "
    "to sign in there, a moment ago."
)
SELF_NAMED = "The application chose its name itself: look at where the answer goes."
PUBLISHED = "{host} publishes what it says about itself."
KEPT = (
    "The key is sent to {backend} and nowhere else. It is kept sealed, opens only with what the application gets, and "
    "the application does not see it. Withdraw the key, or sign out in the application, to end this."
)
CHOICES = {
    "read": ("Read only", "Look at interviews, candidates, transcripts and scores."),
    "write": (
        "Read and change",
        "Also make and change interviews, publish and delete them, invite people, and do all else that you may.",
    ),
}


@dataclass(frozen=True)
class Asked:
    """What a person is asked.

    Args:
        sealed: the request, as it comes back.
        host: where the application's description is published, if it is.
        person: who somebody is at their provider, and their role; empty where a key is asked for.
        writes: whether more than reading can be chosen.
        wants: whether the application asks for more.
    """

    sealed: str
    application: str
    redirect: Redirect
    host: str = ""
    person: str = ""
    role: str = ""
    writes: bool = True
    wants: bool = False
    backend: str = ""
    keys: str = ""


def consent(asked: Asked, nonce: str, problem: str = "", chosen: str = "read") -> str:
    """Asks whether an application is let in, and as far as what."""
    form = tag(
        "form",
        _input(type="hidden", name="request", value=asked.sealed),
        None if asked.person else key_field("Your Aural API key", asked.keys, problem),
        _choices(asked, chosen),
        tag(
            "div",
            tag("button", "Let it in", class_="strong", name="answer", value="yes"),
            tag("button", "Cancel", name="answer", value="no", formnovalidate=True),
            class_="actions",
        ),
        method="post",
        action="/sign-in",
        class_="sign-in",
        autocomplete="off",
    )
    return page(
        ASKED,
        ASKED,
        nonce,
        tag("section", tag("p", problem, id="problem", role="alert"), class_="notice") if problem else None,
        _application(asked),
        tag("section", form, None if asked.person else tag("p", KEPT.format(backend=asked.backend), class_="quiet")),
    )


def message(title: str, text: str, nonce: str, link: tuple[str, str] | None = None) -> str:
    """A page that only says something.

    Args:
        link: an address that somebody may go on to, and whose it is.
    """
    leads = tag("p", tag("a", "Go back to ", tag("bdi", link[1]), href=link[0])) if link else None
    return page(title, title, nonce, tag("section", tag("p", text, dir="auto"), leads))


def page(name: str, title: str, nonce: str, *body: Html | None) -> str:
    """A page with its style in it."""
    head = html(
        Html('<meta charset="utf-8">'),
        Html('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        Html('<meta name="color-scheme" content="light dark">'),
        tag("title", f"{name} · Sign in"),
        tag("style", Html(style("base.css") + style("desk.css") + STYLE), nonce=nonce),
    )
    words = tag("div", tag("p", "Aural, sign in", class_="eyebrow"), tag("h1", title, dir="auto"))
    whole = tag(
        "html", tag("head", head), tag("body", tag("main", tag("header", words, class_="top"), *body)), lang="en"
    )
    return f"<!doctype html>\n{whole}\n"


def _application(asked: Asked) -> Html:
    warning = None
    if asked.redirect.loopback:
        warning = ON_LOOPBACK
    elif not asked.redirect.host:
        warning = BY_SCHEME.format(shown=asked.redirect.shown)
    said = PUBLISHED.format(host=asked.host) if asked.host else SELF_NAMED
    facts = [("Application", tag("bdi", asked.application)), ("The answer goes to", tag("bdi", asked.redirect.shown))]
    if asked.person:
        facts += [("You are", tag("bdi", asked.person)), ("Your role", tag("bdi", asked.role))]
    shown = [tag("div", tag("dt", name), tag("dd", tag("strong", value))) for name, value in facts]
    return tag(
        "section",
        tag("dl", *shown, class_="facts"),
        tag("p", said, class_="quiet"),
        tag("p", warning) if warning else None,
        class_="notice warn" if warning else None,
    )


def _choices(asked: Asked, chosen: str) -> Html:
    rows = [
        tag(
            "label",
            _input(type="radio", name="access", value=value, checked=value == chosen),
            tag("span", tag("strong", name), ". ", tag("span", about, class_="quiet"), _wanted(asked, value)),
            class_="choice",
        )
        for value, (name, about) in CHOICES.items()
        if asked.writes or value == "read"
    ]
    return tag("fieldset", tag("legend", "It may"), *rows)


def _wanted(asked: Asked, value: str) -> Html | None:
    return html(" ", tag("span", "It asks for this", class_="badge")) if asked.wants and value == "write" else None


def _input(**attributes: str | bool | None) -> Html:
    return Html(tag("input", **attributes).removesuffix("</input>"))

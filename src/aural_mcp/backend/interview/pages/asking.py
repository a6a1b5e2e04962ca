"""What a candidate may ask of the team, on every page, and what became of it: whom to write to, a person, data."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING

from starlette.datastructures import FormData

from aural_mcp.backend.interview.asking import LONGEST, OF_DATA
from aural_mcp.backend.interview.pages.filling import NOTHING, Html, fill
from aural_mcp.backend.storage.store import PERSON, Row

if TYPE_CHECKING:
    from aural_mcp.backend.interview.doors import Door

MAIL, LINK = re.compile(r"[^\s@:/?&]+@[^\s@:/?&]+"), re.compile(r"https?://\S+")
ALONE = "asking-form"
"""The form of a page on which nothing else can be sent."""


def contact(door: Door) -> Html:
    """Where a candidate may ask, as a link if it is one."""
    given = door.host.contact
    if not given:
        return NOTHING
    address = f"mailto:{given}" if MAIL.fullmatch(given) else given if LINK.fullmatch(given) else ""
    shown = fill("link", address=address, text=given) if address else Html(escape(given))
    return fill("contact", label=door.words["contact"], contact=shown)


def alone(door: Door) -> Html:
    """The form to which the fields belong where a page has no other."""
    return fill("alone", path=door.path, form=ALONE, offline=door.words["offline"])


def person(door: Door, error: str, typed: FormData | None, *, form: str) -> Html:
    """The wish for a person: a button that says what follows, and one that is it.

    Args:
        form: the form on the page with which it is sent.
    """
    words = door.words
    if door.asks:
        return NOTHING
    timed = door.running and (door.interview["timeLimitMinutes"] or (door.question or {}).get("timeLimitSeconds"))
    needs_address = error == words["need.contact"] and not (typed and typed.get("kind"))
    reach = NOTHING
    if not (door.candidate or door.reach):
        field = {"id": "email", "label": words["email"], "why": words["email.person"], "at": NOTHING, "form": form}
        given = str((typed and typed.get("email")) or "")
        reach = fill("email", **field, email=given) if door.begun else _hint(words["need.contact"])
    return fill(
        "person",
        path=door.path,
        form=form,
        opened=Html(" open" if door.begun and needs_address else ""),
        person=words["person"],
        explain=words["person.explain" if door.waiting or not door.begun else "person.explain.after"],
        clock=words["person.clock"] if timed else "",
        email=reach,
        confirm=words["person.confirm"],
    )


def rights(door: Door, error: str, typed: FormData | None, *, form: str = ALONE) -> Html:
    """What somebody who is known here may ask about their data: one form, which says what happens next."""
    words, given = door.words, (typed if error else None) or FormData()
    if not (door.candidate or door.session):
        return NOTHING
    chosen, text = given.get("kind"), str(given.get("text") or "")
    kinds = [
        fill(
            "kind",
            kind=kind,
            form=form,
            text=words[f"request.{kind}"],
            checked=Html(" checked" if kind == chosen else ""),
        )
        for kind in OF_DATA
    ]
    reach = NOTHING
    if not (door.candidate or door.reach):
        field = {
            "id": "reach",
            "label": words["request.reach"],
            "why": words["email.person"],
            "at": NOTHING,
            "form": form,
        }
        reach = fill("email", **field, email=str(given.get("reach") or ""))
    mine = error and (chosen or text or error == words["need.request"])
    return fill(
        "rights",
        path=door.path,
        form=form,
        opened=Html(" open" if mine else ""),
        rights=words["rights"],
        explain=words["rights.explain"],
        choose=words["rights.choose"],
        kinds=Html("".join(kinds)),
        label=words["request.text"],
        why=words["request.text.why"],
        text=text,
        most=str(LONGEST),
        email=reach,
        send=words["request.send"],
    )


def noted(door: Door, *, closed: bool = False) -> Html:
    """What was asked and when, what happens next, and what was closed.

    Args:
        closed: the interview takes no answers: nobody is told to go on.
    """
    words = door.words
    said = _of_wish(door, door.wish, over=closed or (door.begun and not door.waiting)) if door.wish else []
    for each in door.asked:
        if each["kind"] != PERSON:
            key = "request.open" if each["closedAt"] is None else "request.closed"
            times = {"time": _time(each["at"]), "closed": _time(each["closedAt"] or each["at"])}
            said.append(words[key].format(request=words[f"request.{each['kind']}"], **times))
    strong = ' class="strong"' if door.wish else ""
    lines = [f'<p dir="auto"{strong if not number else ""}>{escape(each)}</p>' for number, each in enumerate(said)]
    return fill("noted", lines=Html("".join(lines))) if said else NOTHING


def _of_wish(door: Door, wish: Row, *, over: bool) -> list[str]:
    """The wish for a person, and how it goes on: only the latest one matters."""
    words = door.words
    if wish["closedAt"] is not None:
        done = words["person.closed"].format(time=_time(wish["at"]), closed=_time(wish["closedAt"]))
        return [done] if over else [done, words["person.go_on"]]
    said = [words["person.noted"], words["noted.at"].format(time=_time(wish["at"])), words["person.next"]]
    if not over:
        limits = [door.interview["timeLimitMinutes"], *(each["timeLimitSeconds"] for each in door.script)]
        said += [words["person.meanwhile"], *([words["person.clock"]] if any(limits) else [])]
    return [*said, *([words["person.reach"].format(address=door.reach)] if door.reach else [])]


def _time(stamp: str) -> str:
    """A time as everybody reads it, whichever way the text around it runs."""
    return f"\u2068{stamp[:16].replace('T', ' ')} UTC\u2069"


def _hint(text: str) -> Html:
    return Html(f"<p>{escape(text)}</p>")

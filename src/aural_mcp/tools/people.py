"""People: what each is called, and what an address and a birthday must look like (the API names no row or field)."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from datetime import date

from pydantic import MISSING

from aural_mcp.api.errors import BadRequest
from aural_mcp.api.operations import CandidateInput
from aural_mcp.safety import inert, quoted

UNNAMED = "somebody unnamed"
SHOWN = 10
"""Values that are named when many are wrong."""


def told_apart(people: Sequence[tuple[str, str | None, str | None]]) -> dict[str, str]:
    """What to call each of these (id, name, address): by name, and with more where another has it or nobody has."""
    plain = {known: " ".join((name or "").split()) for known, name, _ in people}
    often = Counter(name.casefold() for name in plain.values())
    beside = {known: inert(address or known[:8]) for known, _, address in people}
    return {
        known: name if name and often[name.casefold()] == 1 else f"{name or UNNAMED} ({beside[known]})"
        for known, name in plain.items()
    }


def is_address(text: str) -> bool:
    """Whether a text is an e-mail address, letters and marks of every script included (RFC 6531)."""
    local, at, domain = text.rpartition("@")
    labels = domain.split(".")
    return bool(
        at
        and 0 < len(local) <= 64
        and len(domain) <= 255
        and len(labels) > 1
        and all(all(_is_word(each, "!#$%&'*+/=?^_`{|}~-") for each in part) and part for part in local.split("."))
        and all(map(_is_label, labels))
        and len(labels[-1]) > 1
        and not labels[-1].isdecimal()
    )


def _is_label(text: str) -> bool:
    return 0 < len(text) <= 63 and "-" not in (text[0], text[-1]) and all(_is_word(each, "-") for each in text)


def _is_word(character: str, more: str) -> bool:
    return character.isalnum() or character in more or unicodedata.category(character)[0] == "M"


def is_day(text: str) -> bool:
    """Whether a text is a day as Aural takes it: YYYY-MM-DD."""
    try:
        return re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text) is not None and bool(date.fromisoformat(text))
    except ValueError:
        return False


def check_people(people: Sequence[CandidateInput]) -> None:
    """Look at the addresses and birthdays before anything is sent.

    Raises:
        BadRequest: naming each that is wrong by its place.
    """
    wrong: list[str] = []
    for place, person in enumerate(people):
        for name, fits, form in (("email", is_address, "an e-mail address"), ("birthday", is_day, "YYYY-MM-DD")):
            value = getattr(person, name)
            if value is not MISSING and value and value.strip() and not fits(value.strip()):
                wrong.append(f"candidates[{place}].{name} {quoted(value, 60)} is not {form}")
    if wrong:
        more = f"; {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
        said = f"{'; '.join(wrong[:SHOWN])}{more}."
        raise BadRequest(
            said, "Correct or leave out these; nobody was registered.", status=400, code="VALIDATION_ERROR"
        )

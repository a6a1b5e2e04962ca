"""What candidates see before they begin, in words, and what the settings promise that a page does not do."""

from __future__ import annotations

import re
from typing import Any

from pydantic import MISSING

from aural_mcp.api.languages import PAGES, is_other_script, page_language
from aural_mcp.api.models import Interview, Record
from aural_mcp.api.operations import CreateInterview
from aural_mcp.client.caller import Caller

CODE = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*")
SEEN = "Candidates first see: {facts}; {who}, that answers are recorded{more}."
BY_AI = "that an AI asks"
HERE = "that follow-ups are prepared (or that an AI asks, where AURAL_LLM_MODEL is set), that they can ask for a person"
LOGGED = ", that leaving the page and pasting are logged"
NO_LANGUAGE = "This workspace's page is not in {language}: around your own words it speaks English. It has {pages}."
SIMPLIFIED = "This workspace's page is in simplified Chinese only, around your own words."
NOT_HERE = "This workspace's page is in writing only: {what} will not be offered."
NOT_TOLD = {
    "contact": "whom they can ask (AURAL_CONTACT)",
    "organization": "who invites them (AURAL_ORGANIZATION)",
}


def not_told(found: Record) -> list[str]:
    """What candidates are not told, as the embedded backend says it of an interview."""
    lacks = [said for name, said in NOT_TOLD.items() if name in ((found.model_extra or {}).get("notTold") or ())]
    return [f"Candidates are not told {' or '.join(lacks)}."] if lacks else []


def first_screen(client: Caller, interview: Interview | CreateInterview, questions: int) -> list[str]:
    """The page's first screen in a sentence, and what it lacks; only of a local workspace is that known."""
    ways = {"voice": _set(interview, "voice_enabled"), "camera": _set(interview, "video_enabled")}
    beyond = [way for way, there in ways.items() if there]
    local, language = client.raw.local, str(_set(interview, "language") or "en")
    named = f"“{language}”" if CODE.fullmatch(language) else "a language of your own"
    how = ["in writing"] if local or not beyond or _set(interview, "chat_enabled") is not False else []
    minutes = _set(interview, "time_limit_minutes")
    facts = [
        f"{questions} question{'' if questions == 1 else 's'}",
        " or ".join([*how, *([] if local else [f"with {way}" for way in beyond])]),
        f"at most {minutes} minute{'' if minutes == 1 else 's'}" if minutes else "no time limit",
        f"in {named}",
    ]
    more = LOGGED if _set(interview, "anti_cheating_enabled") else ""
    lacks = {
        NO_LANGUAGE.format(language=named, pages=", ".join(PAGES)): page_language(language) is None,
        SIMPLIFIED: is_other_script(language),
        NOT_HERE.format(what=" and ".join(beyond)): bool(beyond),
    }
    seen = SEEN.format(facts=", ".join(facts), who=HERE if local else BY_AI, more=more)
    return [seen, *(each for each, there in lacks.items() if local and there)]


def _set(interview: Interview | CreateInterview, name: str) -> Any:
    """What is set, or None."""
    value = getattr(interview, name)
    return None if value is MISSING else value

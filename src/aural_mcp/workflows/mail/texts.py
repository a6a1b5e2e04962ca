"""What messages say: our texts in the interview's language, or the agent's with placeholders, and no foreign link."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid
from html import escape
from typing import Literal
from urllib.parse import urlsplit

from aural_mcp.api.languages import page_language
from aural_mcp.safety import WEB, inert, outside, quoted
from aural_mcp.workflows.base import refused
from aural_mcp.workflows.mail.settings import Mail
from aural_mcp.workflows.mail.words import RIGHT_TO_LEFT, TEXTS

Kind = Literal["invitation", "reminder", "thanks", "rejection"]
PLACEHOLDERS = ("name", "firstName", "link", "interview", "days")
NEEDS_LINK = ("invitation", "reminder")
PLACEHOLDER = re.compile(r"\{([^{}\n]*)\}")
TOKEN = re.compile(r"[^\s()<>\"]*://[^\s()<>\"]*")
BEHIND = ".,;:!?"
OWN = re.compile(r"https?://[A-Za-z0-9.:\[\]-]+(?:/[\w.~-]+)*/i/invite/[\w.~-]+", re.ASCII)
"""A private link as it leaves Aural, and nothing that another reader would see more in."""
ALSO = re.compile(
    r"(?i)://|\\\\\w|[\w-]\.(?:md|mov|py|rs|sh|zip)\b|[^\W_]_\w*\.[a-z]{2}|\w[\u2024\ufe52]\w"
    r"|\b(?:javascript|vbscript|callto|skype|whatsapp|facetime|magnet|intent|news|ftp|sip|tg|\w+-ms|ms-[a-z]+)\s?:[\w/?]"
)
"""What mail programs make links of and readers of chats do not: a share, a name that is a file's too, other schemes."""
JOINED = re.compile(r"[^\s()<>\"]\{link\}|\{link\}(?![.,;:!?]*(?:[\s()<>\"]|$))")
"""A link to which a mail program adds what stands beside it."""
LONGEST_SUBJECT, LONGEST_NAME = 200, 60
SPECIAL = str.maketrans(dict.fromkeys('()<>[]:;@\\,"=?', " "))
POLICY = SMTP.clone(cte_type="7bit")


@dataclass(frozen=True)
class Template:
    """A subject and a text with placeholders, and the language that they are in."""

    kind: Kind
    subject: str
    text: str
    language: str


@dataclass(frozen=True)
class Letter:
    """A message to one person, as it will leave."""

    candidate_id: str
    name: str
    address: str
    link: str
    subject: str
    text: str


def template(kind: Kind, language: str, subject: str | None, text: str | None, given: Mapping[str, str]) -> Template:
    """The texts of a kind, ours where none are given.

    Raises:
        BadRequest: a placeholder that there is not or that has no value, or no {link} where one is needed.
    """
    spoken = page_language(language)
    ours = TEXTS[spoken or "en"][kind]
    tag = spoken or (re.split("[-_]", language.lower())[0] if text else "en")
    made = Template(kind, subject or ours[0], text or ours[1], tag)
    for where in (made.subject, made.text):
        for name in PLACEHOLDER.findall(where):
            if name not in PLACEHOLDERS:
                there = ", ".join(f"{{{each}}}" for each in PLACEHOLDERS)
                raise refused(f"There is no placeholder {quoted('{' + name + '}')}", f"There are: {there}")
            if name == "days" and "days" not in given:
                raise refused("{days} has no value", "Give days, or leave {days} out")
    if "{link}" in made.subject:
        raise refused("A subject holds no link", "Put {link} into the text")
    if kind in NEEDS_LINK and "{link}" not in made.text:
        raise refused("The text has no {link}, so nobody could begin", "Put {link} into it, on a line of its own")
    if JOINED.search(made.text):
        raise refused(
            "Something stands right beside {link}, and would be part of it", "Put {link} on a line of its own"
        )
    return made


def filled(words: str, values: Mapping[str, str]) -> str:
    """Words with each placeholder's value, in one pass: a value is never read for placeholders."""
    return PLACEHOLDER.sub(lambda found: values[found[1]], words)


def one_line(text: str) -> str:
    """Somebody's name or a title: inert, printable, on one line, and nothing that a header is decoded from."""
    return " ".join("".join(each if each.isprintable() else " " for each in inert(text)).split()).replace("=?", "= ?")


def first_name(name: str) -> str:
    """What stands before the first space."""
    return name.split()[0] if name else ""


def foreign_link(text: str, link: str, mail: Mail | None) -> str:
    """The first thing in a text that somebody could follow and that is neither the person's own link nor listed."""
    hosts = mail.link_hosts if mail else ()
    ours = [each for each in (mail.reply_to, mail.sender) if each] if mail else []

    def gone(found: re.Match[str]) -> str:
        address = found[0].rstrip(BEHIND)
        good = address == link or (WEB.fullmatch(address) and (urlsplit(address).hostname or "") in hosts)
        return " " if good and "@" not in address else found[0]

    rest = TOKEN.sub(gone, text)
    for each in ours:
        rest = re.sub(rf"(?<![\w.@+-]){re.escape(each)}(?![\w@-]|\.\w)", " ", rest)
    found = next((word for word in rest.split() if ALSO.search(word) or inert(word) != outside(word)), "")
    return found or (rest.strip() if ALSO.search(rest) or inert(rest) != outside(rest) else "")


# ── As it leaves ────────────────────────────────────────────────────────────────────────────────


def message_of(letter: Letter, mail: Mail, language: str) -> EmailMessage:
    """The message: to one person, in text and in HTML."""
    message = EmailMessage(policy=POLICY)
    user, _, host = letter.address.rpartition("@")
    message["From"] = mail.sender
    name = " ".join(letter.name.translate(SPECIAL).split())[:LONGEST_NAME]
    message["To"] = Address(name.strip(), user, host)
    message["Subject"] = letter.subject
    if mail.reply_to:
        message["Reply-To"] = mail.reply_to
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Message-ID"] = make_msgid(domain=mail.sender.rpartition("@")[2])
    message.set_content(letter.text + "\n")
    message.add_alternative(_html(letter, mail.link_hosts, language), subtype="html")
    message["Content-Language"] = language  # setting the content takes it out
    return message


def _html(letter: Letter, hosts: Sequence[str], language: str) -> str:
    def linked(found: re.Match[str]) -> str:
        address = found[0].rstrip(BEHIND)
        if address != letter.link and urlsplit(address).hostname not in hosts:
            return escape(found[0])
        return f'<a href="{escape(address)}">{escape(address)}</a>{escape(found[0][len(address) :])}'

    def lines(paragraph: str) -> str:
        done, parts = 0, list[str]()
        for found in TOKEN.finditer(paragraph):
            parts += [escape(paragraph[done : found.start()]), linked(found)]
            done = found.end()
        return "".join([*parts, escape(paragraph[done:])]).replace("\n", "<br>\n")

    body = "\n".join(f"<p>{lines(each)}</p>" for each in re.split(r"\n{2,}", letter.text))
    way = "rtl" if language in RIGHT_TO_LEFT else "ltr"
    head = f'<!doctype html>\n<html lang="{escape(language)}" dir="{way}"><head><meta charset="utf-8"></head>'
    return f"{head}<body>\n{body}\n</body></html>\n"

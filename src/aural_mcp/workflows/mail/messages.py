"""Invitations, reminders and thanks that arrive, each with that person's own link; refusals as drafts only.

What a person agreed to is kept as digests of the very messages: a message that is not among them is not sent, so that
nobody who was registered, and no word that was changed, since the question slips in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any
from urllib.parse import quote

from pydantic import MISSING, Field

from aural_mcp.api.languages import page_language
from aural_mcp.api.models import InterviewDetail, Record
from aural_mcp.api.operations import GetInterview, Id, InterviewId, Operation, Positive, Text
from aural_mcp.client.caller import Caller
from aural_mcp.client.client import Spent
from aural_mcp.client.journal import Journal
from aural_mcp.privacy.exposure import Guarded
from aural_mcp.safety import mail as plain_mail
from aural_mcp.safety import outside, quoted
from aural_mcp.tools.candidates import NOT_BEGUN, CandidateRow, cut, invited
from aural_mcp.tools.shape import fitting
from aural_mcp.workflows.base import AGREEMENT, LEAST, agreements, begin, digest, refused, remain
from aural_mcp.workflows.lists.importing import unready
from aural_mcp.workflows.mail import texts
from aural_mcp.workflows.mail.ledger import MailLedger, mail_ledger, may_be_sent
from aural_mcp.workflows.mail.sending import Post
from aural_mcp.workflows.mail.settings import ADDRESS, Mail
from aural_mcp.workflows.mail.texts import Kind, Letter, Template

MOST_A_CALL, FIRST, MOST_NAMED, MOST_DOMAINS = 200, 3, 5, 10
RESERVED = ("test", "invalid", "example", "localhost")
"""Ends of hosts to which no mail goes, as are example.com, .net and .org."""
ASKS, DELETION = "would rather speak with a person", "asks for deletion"
BEGUN, UNFINISHED, NO_ADDRESS, NO_LINK = "begun", "not finished", "no address that can be used", "no private link"
RESERVED_HOST, TWICE, LINKED = "a domain for tests", "the same address as another", "a link in the text by their name"
BEFORE, REFUSED_BEFORE = "it was sent before", "the server refused the address before"
NOT_SENT = "Nothing was sent: no mail server is set (AURAL_SMTP_URL). Give the user the table, or the mailto lines."
DRAFTED = "Drafts only: refusals are not sent. A person decides, and checks each reason against its evidence."
HOUR_FULL = "The hour's limit of {number} messages is reached: call again with the same arguments in an hour at most."
DEFERRED = "{number} were put off by the mail server: call again with the same arguments in an hour."
NO_TEXT = (
    "There is no text of ours in the interview's language ({language}): it is English. Give text in that language."
)
BROKE = "The mail server ended the connection or did not answer; nothing more was tried."
SENDER = (
    "The mail server answered {code} to AURAL_MAIL_FROM as sender; nothing more was tried. The operator looks at it."
)
SINCE = "{number} messages are new or changed since the user agreed, and were not sent: call again to ask for them."
DOUBTFUL = "Tell the user who may have got the message already: nobody knows, and it is not repeated."


class Draft(Record):
    """A message that was not sent."""

    id: str
    name: str = ""
    email: str | None = None
    link: str = ""
    subject: str = ""
    text: str = ""
    mailto: str = ""
    reasons: list[str] = []


class Sent(Record):
    """What became of the messages."""

    kind: str
    dry_run: bool | MISSING = MISSING
    sent: int = 0
    in_doubt: list[str] = []
    refused: list[str] = []
    deferred: list[str] = []
    remaining: int = 0
    left_out: list[str] = []
    data: list[Draft] = []
    next_row: int | None = None


class SendMessages(Operation[Sent]):
    """E-mail candidates of one interview, each with their own link, over the operator's mail server.

    reminder: who has not begun; thanks: who finished; rejection is only drafted, with evidence. Without a mail server
    you get a table. Nobody gets the same message twice.
    """

    effect, toolset = "create", "workflows"
    confirmed = True
    interview_id: InterviewId
    kind: Kind
    candidate_ids: Annotated[
        list[Id] | MISSING, Field(min_length=1, max_length=500, description="rejection needs them.")
    ] = MISSING
    subject: Annotated[Text | MISSING, Field(max_length=texts.LONGEST_SUBJECT)] = MISSING
    text: Annotated[
        Text | MISSING,
        Field(
            max_length=5_000,
            description="With {name}, {firstName}, {link}, {interview}, {days}.",
        ),
    ] = MISSING
    days: Positive | MISSING = MISSING
    again: Annotated[bool, Field(description="Sent over 48 h ago.")] = False
    from_row: Positive = 1


@dataclass
class Plan:
    """Who gets which message, who does not and why, and of whom nobody knows whether they did."""

    interview: InterviewDetail
    template: Template
    remarks: list[str]
    letters: list[Letter] = field(default_factory=list[Letter])
    left: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    doubtful: list[str] = field(default_factory=list[str])

    def leave(self, why: str, name: str) -> None:
        """Note that somebody gets none."""
        self.left.setdefault(why, []).append(name)

    @property
    def left_out(self) -> list[str]:
        """Each reason, for how many, and who the first of them are."""
        return [f"{len(names)}, {why}: {_few(names)}" for why, names in self.left.items()]


async def send_messages(client: Caller, given: SendMessages, spent: Spent) -> Sent:
    """Sent one after the other to whom the user agreed to; or drafted, where nothing is sent."""
    begin(spent)
    plan, mail = await planned(client, given, spent), mail_of(client)
    if given.kind == "rejection":
        from aural_mcp.workflows.mail.reasons import reasons_for

        reasons = await reasons_for(client, plan.interview, [each.candidate_id for each in plan.letters], spent)
        return _table(plan, given, DRAFTED, reasons)
    if mail is None:
        return _table(plan, given, NOT_SENT, {})
    held = (await agreements(client).done([digest(given)])).get(digest(given), "")
    agreed = set((await _shown(client).done([held])).get(held, []))
    due = [each for each in plan.letters if _digest(each, mail) in agreed]
    since = len(plan.letters) - len(due)
    ledger = await mail_ledger(client, given.interview_id, given.kind, mail.per_hour)
    work = _Sending(ledger, mail, given, plan)
    if due:
        await work.send(due, spent)
    remaining = len(due) - work.tried
    if not remaining and not work.deferred:
        await agreements(client).strike([digest(given)])
    remarks = [*plan.remarks, *work.remarks, *([SINCE.format(number=since)] if since else [])]
    remarks += [remain(remaining, len(due), spent)] if remaining else []
    remarks += [DEFERRED.format(number=len(work.deferred))] if work.deferred else []
    doubtful = [*plan.doubtful, *work.doubtful]
    return Sent.model_validate(
        {
            "kind": given.kind,
            "sent": work.sent,
            "inDoubt": doubtful,
            "refused": work.refused,
            "deferred": work.deferred,
            "remaining": remaining,
            "leftOut": plan.left_out,
            "remarks": [*remarks, *([DOUBTFUL] if doubtful else [])],
        }
    )


async def shown(client: Caller, given: SendMessages, spent: Spent) -> tuple[list[str], str] | None:
    """What is asked before anything is sent, and what a yes holds for (`agreed_to`); None where nothing would be."""
    mail = mail_of(client)
    if given.kind == "rejection" or mail is None:
        return None
    plan = await planned(client, given, spent)
    held = [_digest(each, mail) for each in plan.letters]
    if not held:
        return None
    await _shown(client).note({digest(held): held})
    domains = Counter(each.address.rpartition("@")[2].lower() for each in plan.letters).most_common()
    named = [f"{name} ({number})" for name, number in domains[:MOST_DOMAINS]]
    more = f" and {len(domains) - MOST_DOMAINS} more domains" if len(domains) > MOST_DOMAINS else ""
    messages = "1 message" if len(held) == 1 else f"{len(held):,} messages"
    said = [f"Send {messages} ({given.kind}) for {quoted(plan.interview.title)} from {mail.sender}?"]
    said += [f"To: {', '.join(named)}{more}.", *plan.remarks]
    said += [f"Left out: {'; '.join(plan.left_out)}."] if plan.left else []
    said += [f"May have got it already, and are left out: {_few(plan.doubtful)}."] if plan.doubtful else []
    first = [
        f"{number}. To {each.name} <{each.address}>\nSubject: {each.subject}\n{each.text}"
        for number, each in enumerate(plan.letters[:FIRST], 1)
    ]
    return [*said, "It cannot be taken back. The first as they will leave:\n\n" + "\n\n".join(first)], digest(held)


async def agreed_to(client: Caller, given: SendMessages, held: str) -> None:
    """Write down which messages somebody said yes to: whoever is asked meanwhile about others changes nothing of it."""
    await agreements(client).note({digest(given): held})


# ── Who gets what ───────────────────────────────────────────────────────────────────────────────


async def planned(client: Caller, given: SendMessages, spent: Spent) -> Plan:
    """The messages that would leave now.

    Raises:
        BadRequest: nobody may be named here, the text cannot be sent to anybody, or somebody asked for is not there.
    """
    if isinstance(client, Guarded) and client.exposure.anonymous:
        raise refused("Here nobody is named, so addresses are hidden", "Use a server without --blind and --lockdown")
    if given.kind == "rejection" and given.candidate_ids is MISSING:
        raise refused("Refusals are drafted for named people only", "Give candidateIds whom the user decided on")
    interview = await client.call(GetInterview(interview_id=given.interview_id), spent=spent)
    if given.kind in texts.NEEDS_LINK and not interview.is_active:
        raise refused("The interview is archived, so its links take nobody", "Ask the user which interview is meant")
    subject, text = (None if each is MISSING else each for each in (given.subject, given.text))
    days = {} if given.days is MISSING else {"days": str(given.days)}
    template = texts.template(given.kind, interview.language, subject, text, days)
    if found := texts.foreign_link(f"{template.subject}\n{template.text}", "", mail_of(client)):
        listed = "only {link}, and hosts that the operator lists as AURAL_MAIL_LINK_HOSTS"
        raise refused(f"The text holds a link or an address, {quoted(found)}", f"Take it out: {listed}, may be in it")
    rows = await invited(client, given.interview_id, [], spent)
    plan = Plan(interview, template, [*unready(interview), *cut(rows)])
    if (subject is None or text is None) and page_language(interview.language) is None:
        plan.remarks.append(NO_TEXT.format(language=quoted(interview.language, 20)))
    ledger = await mail_ledger(client, given.interview_id, given.kind, 0)
    for row in _asked_for(rows, given):
        await _place(plan, row, given, days, mail_of(client), ledger)
    return plan


def _asked_for(rows: Sequence[CandidateRow], given: SendMessages) -> list[CandidateRow]:
    """The people meant, the first registered first."""
    if given.candidate_ids is MISSING:
        return sorted(rows, key=lambda row: row.created_at)
    known = {row.id: row for row in rows}
    if unknown := [each for each in given.candidate_ids if each not in known]:
        raise refused(f"This interview has no candidate {quoted(unknown[0])}", "Take ids from list_candidates")
    return [known[each] for each in dict.fromkeys(given.candidate_ids)]


async def _place(
    plan: Plan, row: CandidateRow, given: SendMessages, days: dict[str, str], mail: Mail | None, ledger: MailLedger
) -> None:
    """Give somebody a message, or note why they get none."""
    address, name = (row.email or "").strip(), texts.one_line(row.name)
    link = str((row.model_extra or {}).get("inviteUrl") or "")
    if why := _unfit(plan, row, given.kind, address, link, mail):
        plan.leave(why, name)
        return
    values = {"name": name, "firstName": texts.first_name(name), "link": link, **days}
    values["interview"] = texts.one_line(plan.interview.title)
    subject = texts.one_line(texts.filled(plan.template.subject, values))[: texts.LONGEST_SUBJECT]
    letter = Letter(row.id, name, address, link, subject, outside(texts.filled(plan.template.text, values)))
    if texts.foreign_link(f"{subject}\n{letter.text}", link, mail):
        plan.leave(LINKED, name)
        return
    before = await ledger.look(address) if mail else None
    if before is None or may_be_sent(*before, again=given.again):
        plan.letters.append(letter)
    elif before[0] == "maybe":
        plan.doubtful.append(_person(letter))
    else:
        plan.leave(REFUSED_BEFORE if before[0] == "refused" else BEFORE, name)


def _unfit(plan: Plan, row: CandidateRow, kind: Kind, address: str, link: str, mail: Mail | None) -> str:
    """Why somebody gets no message of this kind."""
    if row.asks_for_person:
        return ASKS
    if any(each.kind == "delete" for each in row.requests):
        return DELETION
    if kind in texts.NEEDS_LINK and row.status != NOT_BEGUN:
        return BEGUN
    if kind not in texts.NEEDS_LINK and row.status != "COMPLETED":
        return UNFINISHED
    if not ADDRESS.fullmatch(address):
        return NO_ADDRESS
    if is_reserved(address) and not (mail and mail.is_here):
        return RESERVED_HOST
    if "{link}" in plan.template.text and not texts.OWN.fullmatch(link):
        return NO_LINK
    same = any(each.address.casefold() == address.casefold() for each in plan.letters)
    return TWICE if same else ""


def is_reserved(address: str) -> bool:
    """Whether the address is of a domain that exists for tests and examples only."""
    parts = address.rpartition("@")[2].lower().split(".")
    return parts[-1] in RESERVED or (parts[-2] == "example" and parts[-1] in ("com", "net", "org"))


# ── Sending ─────────────────────────────────────────────────────────────────────────────────────


class _Sending:
    """The messages of one call: each is written down, handed over, and its end written down."""

    def __init__(self, ledger: MailLedger, mail: Mail, given: SendMessages, plan: Plan) -> None:
        self._ledger, self._mail, self._given, self._language = ledger, mail, given, plan.template.language
        self.sent, self.tried, self._broke = 0, 0, BROKE
        self.refused, self.deferred = list[str](), list[str]()
        self.doubtful, self.remarks = list[str](), list[str]()

    async def send(self, letters: Sequence[Letter], spent: Spent) -> None:
        """Hand over as many as time, the hour and the server allow."""
        needed = self._mail.timeout + LEAST
        if spent.left < needed:
            return
        async with Post(self._mail, self._mail.timeout) as post:
            for letter in letters[:MOST_A_CALL]:
                if spent.left < needed or not await self._one(post, letter):
                    break
                if not post.is_open:
                    self.remarks.append(self._broke)
                    break
                await spent.report(self.tried, len(letters), f"{self.tried} of {len(letters)} messages")

    async def _one(self, post: Post, letter: Letter) -> bool:
        """Hand one over; False where the hour has had enough."""
        message = texts.message_of(letter, self._mail, self._language)
        claim = await self._ledger.claim(letter.address, again=self._given.again)
        if claim == "full":
            self.remarks.append(HOUR_FULL.format(number=self._mail.per_hour))
            return False
        self.tried += 1
        if claim == "held":
            self.doubtful.append(_person(letter))
            return True
        answer, code = await post.send(message, letter.address)
        await self._end(letter, answer, code)
        return True

    async def _end(self, letter: Letter, answer: str, code: int) -> None:
        if answer == "sent":
            self.sent += 1
            await self._ledger.end(letter.address, "sent")
        elif answer == "maybe":
            self.doubtful.append(_person(letter))
        elif answer == "refused":
            self.refused.append(f"{_person(letter)}: {code}")
            await self._ledger.end(letter.address, "refused")
        else:
            self._broke = SENDER.format(code=code) if answer == "lost" and code >= 400 else BROKE
            self.deferred.append(_person(letter))
            await self._ledger.end(letter.address, "deferred")
        if answer in ("sent", "maybe"):
            await self._mail.note(letter.candidate_id, self._given.kind, answer == "sent")


# ── Words ───────────────────────────────────────────────────────────────────────────────────────


def _table(plan: Plan, given: SendMessages, remark: str, reasons: dict[str, list[str]]) -> Sent:
    """The messages for a person to send."""
    rows = [_draft(each, given.kind, reasons.get(each.candidate_id, [])) for each in plan.letters]
    start = given.from_row - 1
    page, _ = fitting(rows[start:])
    after = start + len(page)
    more: dict[str, Any] = {"nextRow": after + 1} if page and after < len(rows) else {}
    fields = [each.model_dump(by_alias=True, exclude_defaults=True) for each in page]
    made = {
        "kind": given.kind,
        "dryRun": True,
        "data": fields,
        "leftOut": plan.left_out,
        "remaining": len(rows) - after,
    }
    return Sent.model_validate({**made, **more, "remarks": [remark, *plan.remarks]})


def _draft(each: Letter, kind: Kind, reasons: list[str]) -> Draft:
    link = each.link if kind in texts.NEEDS_LINK else ""
    mailto = f"mailto:{quote(each.address, safe='@')}?subject={quote(each.subject)}&body={quote(each.text)}"
    return Draft(
        id=each.candidate_id,
        name=each.name,
        email=plain_mail(each.address),
        link=link,
        subject=each.subject,
        text=each.text,
        mailto="" if kind == "rejection" else mailto,
        reasons=reasons,
    )


def mail_of(client: Caller) -> Mail | None:
    """The operator's mail server, where this caller may use it."""
    mail = client.mail if isinstance(client, Guarded) else None
    return mail if isinstance(mail, Mail) else None


def _shown(client: Caller) -> Journal:
    """Digests of the messages that somebody was shown, by the digest of them all."""
    return Journal(client, "mailing", AGREEMENT)


def _digest(each: Letter, mail: Mail) -> str:
    said = [each.candidate_id, each.name, each.address, each.link, each.subject, each.text, mail.sender, mail.reply_to]
    return digest(said)[:24]


def _person(each: Letter) -> str:
    return f"{each.name} <{each.address}>"


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more

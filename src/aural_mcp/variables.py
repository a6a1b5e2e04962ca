"""The settings as documents show them, hosts ask for them and `serve` has flags for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aural_mcp.config import CLOUD, CONFIRM, NAMES, UNEXPANDED


@dataclass(frozen=True)
class Variable:
    """A setting as documents show it: its environment variable(s), what it means, and the flag of `serve` like it."""

    names: str
    meaning: str
    default: str = ""
    flag: str = ""
    secret: bool = False
    takes: str = "A,B"
    """What the flag takes, where it is not a switch or a choice."""
    title: str = ""
    """What a host that asks its user for settings calls it; without one it is not asked for."""


VARIABLES = (
    Variable("AURAL_API_KEY", "Your key, `dlv_...`. Empty means the local workspace.", secret=True, title="API key"),
    Variable("AURAL_API_KEY_FILE", "A file that holds the key, instead."),
    Variable(
        "AURAL_BASE_URL", "Another Aural deployment, up to `/api/v1`; needs a key.", f"`{CLOUD}`", title="Address"
    ),
    Variable(
        "AURAL_DATA_DIR",
        "Folder of the local workspace, of `state.db` (budget, creates of the last ten minutes) and of `audit.jsonl`.",
        "your platform's data folder",
    ),
    Variable("AURAL_PAGE_PORT", "Port of the local candidate pages; 0 takes any free one.", "8410, remembered"),
    Variable("AURAL_PUBLIC_URL", "Origin that local candidate links carry, when a tunnel or proxy leads to that port."),
    Variable(
        "AURAL_STARTS_PER_HOUR", "Sessions that one address may begin by one public link in an hour; 0 is off.", "30"
    ),
    Variable(
        "AURAL_ADDRESS_HEADER",
        "The header in which your proxy or tunnel names the candidate's address, e.g. `X-Forwarded-For`, of which the "
        "last counts. Set it only where every request comes through that proxy.",
        "the connection's address",
    ),
    Variable(
        "AURAL_ONE_SESSION",
        "By a public link each person begins once: the same e-mail, device, or name without another e-mail is refused. "
        "Otherwise it is only noted.",
        "0",
    ),
    Variable("AURAL_ORGANIZATION", "Who invites, on local pages, where an interview has no `companyName`."),
    Variable("AURAL_CONTACT", "Where candidates may ask, on local pages: an e-mail address, a link, a number."),
    Variable(
        "AURAL_RETENTION",
        "After how long you delete candidates' data, e.g. `180d`: local pages tell it.",
        "nobody is told",
    ),
    Variable("AURAL_EXPLANATION_DAYS", "Days within which somebody who was turned down is owed an explanation.", "30"),
    Variable("AURAL_REQUESTS_PER_MINUTE", "Aural's limit per key; 0 is off.", "60"),
    Variable("AURAL_READ_ONLY", "Only tools that read.", "0", "--read-only", title="Only read"),
    Variable(
        "AURAL_TOOLSETS",
        "Only these: `interviews`, `questions`, `candidates`, `sessions`, `practice`, `usage`, `workflows`.",
        "all",
        "--toolsets",
    ),
    Variable("AURAL_TOOLS", "Only the tools of these names.", "all", "--tools"),
    Variable("AURAL_EXCLUDE_TOOLS", "Not the tools of these names.", "none", "--exclude-tools"),
    Variable(
        "AURAL_BLIND",
        "Pseudonyms instead of names, nothing that tells who somebody is.",
        "0",
        "--blind",
        title="Blind review",
    ),
    Variable("AURAL_LOCKDOWN", "No word by candidates: only numbers, counts and states.", "0", "--lockdown"),
    Variable(
        "AURAL_REQUIRE_REASON",
        "Consequential tools only with a `reason`, which goes into the decision log as it is written.",
        "0",
        "--require-reason",
    ),
    Variable("AURAL_CONFIRM", "How consequences are confirmed: `ask`, `preview` or `never`.", CONFIRM[0], "--confirm"),
    Variable(
        "AURAL_FILES",
        "Folder in which files are read (imports) and written (exports); stdio only.",
        "",
        "--files",
        takes="DIR",
    ),
    Variable("AURAL_AUDIT_LOG", "Another file for the decision log; `off` writes none.", "`audit.jsonl`"),
    Variable(
        "AURAL_AUDIT_NAMES",
        "How the decision log names people who signed in: `clear`, or `hash`, keyed by `AURAL_STATE_KEYS` or "
        "`state.db` and the same for the same person.",
        NAMES[0],
    ),
    Variable("AURAL_SMTP_URL", "Your mail server: `smtp://user:password@host`, or `smtps://`.", secret=True),
    Variable("AURAL_SMTP_URL_FILE", "A file that holds it, instead."),
    Variable("AURAL_MAIL_FROM, AURAL_MAIL_REPLY_TO", "The addresses that messages are from and are answered to."),
    Variable("AURAL_MAIL_LINK_HOSTS", "Hosts to which messages may link besides a person's own link.", "none"),
    Variable("AURAL_MAIL_PER_HOUR", "Messages in an hour.", "200"),
    Variable(
        "AURAL_STATE_URL",
        "A PostgreSQL database that replicas share in place of `state.db` and `audit.jsonl`: "
        "`postgresql+psycopg://user@host/name`.",
        secret=True,
    ),
    Variable("AURAL_STATE_URL_FILE", "A file that holds it, instead."),
    Variable(
        "AURAL_STATE_KEYS",
        "Random texts of 32 characters or more, shared by replicas over HTTP so that one honours another's "
        "confirmations and all give the same pseudonyms; the keys of people who sign in are sealed with them. The "
        "first seals.",
        secret=True,
    ),
    Variable(
        "AURAL_OIDC_ISSUER, AURAL_OIDC_CLIENT_ID",
        "Your company's identity provider, as it calls itself, and what it calls this server; for `--sign-in oidc`.",
    ),
    Variable("AURAL_OIDC_CLIENT_SECRET", "The client secret that it gave this server.", secret=True),
    Variable("AURAL_OIDC_CLIENT_SECRET_FILE", "A file that holds it, instead."),
    Variable("AURAL_ROLES", "A file that says [who may do what](identity.md), by what the provider says of a person."),
    Variable(
        "AURAL_LLM_BASE_URL, AURAL_LLM_MODEL",
        "A language model behind any OpenAI-compatible endpoint that asks follow-ups and scores in the local workspace "
        "(`pip install 'aural-mcp[ai]'`). Without one, rules ask the follow-ups and nobody scores but your agent.",
    ),
    Variable("AURAL_LLM_API_KEY", "The key of that model, if it needs one.", secret=True),
)


def unexpanded(environment: Mapping[str, str]) -> list[str]:
    """The settings that hold an unexpanded `${...}`, and so count as not set."""
    names = [name for each in VARIABLES for name in each.names.split(", ")]
    return [name for name in names if UNEXPANDED.fullmatch(environment.get(name, "").strip())]

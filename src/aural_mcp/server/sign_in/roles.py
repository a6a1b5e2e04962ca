"""Who may do what: a file of the operator's that maps what the identity provider says of a person to a role."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from aural_mcp.config import BadSetting, Narrowing
from aural_mcp.server.access import access
from aural_mcp.server.principal import Role

SETTING = "AURAL_ROLES"
TOP = ("claim", "contact", "roles")
LISTS = ("toolsets", "tools", "exclude_tools")
FITS = ("values", "emails", "domains")
"""What a role is given for: what stands in the claim, an e-mail address, the domain of one."""
KEYS = ("name", *FITS, "read_only", "blind", "lockdown", *LISTS, "interviews")
NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 ._-]{0,48}[A-Za-z0-9])?")
DOMAIN = re.compile(r"[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
ADDRESS = re.compile(rf"[!-?A-~]+@{DOMAIN.pattern}")
GOOGLE = "https://accounts.google.com"
SPACED = ("scope", "scp")
"""Claims whose text is several values; everywhere else a space belongs to the value."""


class TooMany(Exception):
    """The provider left the claim out because it would have been too long."""


@dataclass(frozen=True)
class Rule:
    """A role, and who gets it."""

    role: Role
    values: frozenset[str] = frozenset()
    emails: frozenset[str] = frozenset()
    domains: frozenset[str] = frozenset()

    @property
    def fits(self) -> frozenset[tuple[str, str]]:
        """Everything that it is given for."""
        return frozenset((kind, each) for kind in FITS for each in getattr(self, kind))


@dataclass(frozen=True)
class Roles:
    """The mapping: the first rule that fits counts.

    Args:
        claim: the claim that `values` are looked up in; dots lead into it.
        contact: whom somebody without a role may ask.
    """

    rules: tuple[Rule, ...]
    claim: str = ""
    contact: str = "whoever runs this server"

    @property
    def by_email(self) -> bool:
        """Whether some role is given for an e-mail address."""
        return any(each.emails or each.domains for each in self.rules)

    def named(self, name: str) -> Role | None:
        """The role of this name."""
        return next((each.role for each in self.rules if each.role.name == name), None)

    def role(self, claims: Mapping[str, Any]) -> Role | None:
        """The role that somebody's claims give; None is no access.

        Raises:
            TooMany: whether an earlier role fits cannot be known.
        """
        values, email, domain = values_of(claims, self.claim), verified_email(claims), domain_of(claims)
        for each in self.rules:
            if each.values and left_out(claims, self.claim):
                raise TooMany
            if each.values & values or email in each.emails or domain in each.domains:
                return each.role
        return None


def values_of(claims: Mapping[str, Any], path: str) -> frozenset[str]:
    """The texts of a claim: one, or a list of them; anything else counts as none."""
    value = claim_at(claims, path)
    if isinstance(value, str):
        return frozenset(value.split() if path in SPACED else [value])
    return frozenset(each for each in members(value) if isinstance(each, str))


def claim_at(claims: Mapping[str, Any], path: str) -> Any:
    """A claim by its name, in which dots may belong to the name or lead into it."""
    if path in claims:
        return claims[path]
    for dot in re.finditer(r"\.", path):
        inner = claims.get(path[: dot.start()])
        if (
            isinstance(inner, dict)
            and (found := claim_at(cast("dict[str, Any]", inner), path[dot.end() :])) is not None
        ):
            return found
    return None


def left_out(claims: Mapping[str, Any], path: str) -> bool:
    """Whether the provider says that the claim exists and is too long: Entra ID beyond 200 groups."""
    elsewhere = claims.get("_claim_names")
    named = isinstance(elsewhere, dict) and path in elsewhere
    return claim_at(claims, path) is None and (named or (path == "groups" and claims.get("hasgroups") is True))


def verified_email(claims: Mapping[str, Any]) -> str:
    """The e-mail address that the provider vouches for; empty where it does not, as Google for others' domains."""
    email = claims.get("email")
    if not isinstance(email, str) or claims.get("email_verified") not in (True, "true"):
        return ""
    if claims.get("iss") == GOOGLE and not (claims.get("hd") or email.lower().endswith("@gmail.com")):
        return ""
    return folded(email) if ADDRESS.fullmatch(email) else ""


def domain_of(claims: Mapping[str, Any]) -> str:
    """The domain that somebody belongs to: of their address, and at Google of the account's owner."""
    if claims.get("iss") == GOOGLE:
        hosted = claims.get("hd")
        return folded(hosted) if isinstance(hosted, str) else ""
    return verified_email(claims).rpartition("@")[2]


def folded(text: str) -> str:
    """Addresses and domains in one spelling; letters beyond ASCII stay, since some become others'."""
    return text.lower() if text.isascii() else text


def members(value: Any) -> list[Any]:
    """What is in a list; nothing in what is none."""
    return cast("list[Any]", value) if isinstance(value, list) else []


# ── The file ────────────────────────────────────────────────────────────────────────────────────


class _Mistake(ValueError):
    """What is wrong with a key: of the top, or of a role by its place in the file."""

    def __init__(self, said: str, key: str = "", place: int | None = None) -> None:
        super().__init__(said)
        self.key, self.place = key, place


def read_roles(file: str) -> Roles:
    """Read the mapping.

    Raises:
        BadSetting: it says something that cannot be meant; the message names the line.
    """
    try:
        path = Path(file).expanduser()
        text = path.read_bytes().decode("utf-8-sig")
    except (OSError, RuntimeError, ValueError):
        raise BadSetting(f"{SETTING} names {file}, which cannot be read as text. Correct the path.") from None
    try:
        return _roles(tomllib.loads(text))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise BadSetting(f"{path.name} of {SETTING} is not TOML: {error}.") from None
    except _Mistake as mistake:
        line = _line(text, mistake.key, mistake.place)
        raise BadSetting(f"{path.name}{f', line {line}' if line else ''}: {mistake}") from None


def _line(text: str, key: str, place: int | None) -> int | None:
    """Where the key stands, in the role of this place or above all roles; else where that role begins."""
    at, begun = -1, None
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(r"\s*\[\[\s*roles\s*\]\]", line):
            at += 1
            begun = number if at == place else begun
        elif key and at == (-1 if place is None else place) and re.match(rf"""\s*["'[]*{re.escape(key)}\W""", line):
            return number
    return begun


def _roles(given: dict[str, Any]) -> Roles:
    _known(given, TOP, "the file")
    tables = members(given.get("roles"))
    if not tables or not all(isinstance(each, dict) for each in tables):
        raise _Mistake("there is no role. Each begins with a line [[roles]], in two pairs of brackets.", "roles")
    claim, contact = _text(given, "claim"), _text(given, "contact")
    rules: list[Rule] = []
    for place, table in enumerate(tables):
        try:
            rule = _rule(table, claim)
        except _Mistake as mistake:
            raise _Mistake(str(mistake), mistake.key, place) from None
        _refuse_in_vain(rule, rules, place)
        rules.append(rule)
    return Roles(tuple(rules), claim, contact or Roles.contact)


def _rule(given: dict[str, Any], claim: str) -> Rule:
    name = _text(given, "name")
    if not NAME.fullmatch(name):
        raise _Mistake('a role needs a name of letters and digits, such as name = "recruiter".', "name")
    whose = f"the role {name!r}"
    _known(given, KEYS, whose)
    lists = {key: _list(given, key) for key in (*FITS, *LISTS, "interviews")}
    if not any(lists[key] for key in FITS):
        raise _Mistake(f"{whose} is for nobody: give it values of the claim, emails or domains.")
    if lists["values"] and not claim:
        raise _Mistake('values need a claim that they stand in: write claim = "groups" above the first role.', "values")
    for key, form, such in (("emails", ADDRESS, "dana@example.org"), ("domains", DOMAIN, "example.org")):
        if odd := [each for each in lists[key] if not form.fullmatch(each)]:
            raise _Mistake(f"{key} of {whose}: {odd[0]!r} is not one, such as {such}.", key)
    narrowing = Narrowing(
        _switch(given, "read_only", True),
        *(lists[key] for key in LISTS),
        blind=_switch(given, "blind"),
        lockdown=_switch(given, "lockdown"),
    )
    _refuse_without_tools(narrowing, whose)
    return Rule(
        Role(name, narrowing, frozenset(lists["interviews"]) if lists["interviews"] else None),
        frozenset(lists["values"]),
        frozenset(map(folded, lists["emails"])),
        frozenset(map(folded, lists["domains"])),
    )


def _refuse_without_tools(narrowing: Narrowing, whose: str) -> None:
    try:
        left = access(narrowing)
    except BadSetting as error:
        key = str(error).partition(":")[0].replace("-", "_")
        raise _Mistake(f"{key} of {whose}{str(error).removeprefix(key.replace('_', '-'))}", key) from None
    for tool in narrowing.tools:
        if not left.has(tool) and tool not in narrowing.exclude_tools:
            why = "read_only is true unless the role says false" if narrowing.read_only else "its toolset is not named"
            raise _Mistake(f"tools of {whose}: {tool} would not be there, since {why}.", "tools")
    if not left.allowed:
        raise _Mistake(f"{whose} leaves no tool at all.")


def _refuse_in_vain(rule: Rule, earlier: list[Rule], place: int) -> None:
    """A name that is there already, and a role that nobody can get any more."""
    if any(each.role.name == rule.role.name for each in earlier):
        raise _Mistake(f"there are two roles {rule.role.name!r}. Give each a name of its own.", "name", place)
    if rule.fits <= frozenset(each for one in earlier for each in one.fits):
        said = f"nobody gets the role {rule.role.name!r}: roles above it fit first. Put it above them."
        raise _Mistake(said, place=place)


def _known(given: Mapping[str, Any], known: tuple[str, ...], whose: str) -> None:
    for key in given:
        if key not in known:
            raise _Mistake(f"{whose} has no key {key!r}. There are: {', '.join(known)}.", key)


def _text(given: Mapping[str, Any], key: str) -> str:
    value = given.get(key, "")
    if not isinstance(value, str) or not _plain(value, key in given):
        raise _Mistake(f'{key} must be a text in quotes on one line, such as {key} = "...".', key)
    return value


def _list(given: Mapping[str, Any], key: str) -> tuple[str, ...]:
    if key not in given:
        return ()
    given_list = members(given[key])
    texts = [each for each in given_list if isinstance(each, str) and _plain(each)]
    if not texts or len(texts) != len(given_list):
        raise _Mistake(f'{key} must be a list of texts, such as {key} = ["..."]; leave it out where it has none.', key)
    return tuple(texts)


def _plain(text: str, given: bool = True) -> bool:
    return text == text.strip() and text.isprintable() and len(text) <= 300 and bool(text or not given)


def _switch(given: Mapping[str, Any], key: str, default: bool = False) -> bool:
    value = given.get(key, default)
    if not isinstance(value, bool):
        raise _Mistake(f"{key} must be true or false, without quotes.", key)
    return value

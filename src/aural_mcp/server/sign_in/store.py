"""Who is signed in, in the shared state: sign-ins, the hashes of their tokens, and applications that registered.

A sign-in is a family: the code that it began with and every token that came of it. It ends as a whole.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from typing import Any

from aural_mcp.client.state import State, Transaction
from aural_mcp.server.sign_in.applications import Application
from aural_mcp.server.sign_in.identity import Identity
from aural_mcp.server.sign_in.sealing import Seal, digest

CODE, ACCESS, REFRESH, PENDING = "code", "access", "refresh", "pending"
CODE_LASTS, ACCESS_LASTS, PENDING_LASTS = 60.0, 3_600.0, 600.0
DAY = 86_400.0
IDLE, IDLE_BY_PROVIDER, LONGEST_BY_PROVIDER = 30 * DAY, DAY / 2, 7 * DAY
"""Seconds without use after which a sign-in ends; people leave companies, so a provider is asked again sooner."""
REPEATED_WITHIN = 30.0
"""Seconds in which a host may send a used refresh token again, because the answer was lost on its way."""
AFTERWARDS, LISTED = 3_600.0, 30 * DAY
"""Seconds for which a token that is over is recognized, and for which a sign-in that ended is listed."""
MOST_SIGN_INS, MOST_TOKENS, MOST_APPLICATIONS, MOST_PENDING = 10_000, 100, 1_000, 2_000
"""How many are kept: sign-ins, tokens of each, applications, people who are at their provider."""
MOST_OF_ONE = 50
"""Sign-ins of one person at their provider, so that nobody puts their colleagues out."""
UNUSED = 90 * DAY
"""Seconds after which an application that nobody is signed in with is forgotten."""
NOTED = 300.0
"""Seconds by which the time of the last use may be late."""
FEWER_TOKENS = """
delete from tokens where sign_in = ? and digest not in
    (select digest from tokens where sign_in = ?
        order by case when used > 0 then used else until end desc, used is null desc, kind desc limit ?)
"""
"""Those that are good for longest stay, then those that were used last."""
NOTHING_TO_OPEN = """
update tokens set sealed = null where sign_in = ? and (used is not null or until < ?) and digest <> ?
"""
"""What is over opens nothing; but the token that was used just now, in case its answer does not arrive."""
TOO_MANY = """
select id from sign_ins where ended is null and id not in
    (select id from sign_ins where ended is null order by used desc limit ?)
"""
OF_ONE = "select id from sign_ins where ended is null and issuer = ? and subject = ? order by used desc"
UNUSED_APPLICATIONS = """
delete from applications where used < ? and id not in (select client from sign_ins where ended is null)
"""
OLDEST_APPLICATION = """
delete from applications where id in (
    select id from applications where id not in (select client from sign_ins where ended is null)
    order by used limit 1
)
"""
TAKING_IN = "sign-ins"
"""The lock of whoever counts how many there are, and adds one."""
REUSED = "a token that had been replaced was used again: somebody else may have had it"


@dataclass(frozen=True)
class SignIn:
    """One sign-in: whose, for which application, and whether it has ended."""

    id: str
    client: str
    application: str
    issuer: str
    subject: str
    name: str
    role: str
    scopes: str
    resource: str
    made: float
    used: float
    until: float
    ended: float | None = None
    why: str = ""

    def lives(self, now: float) -> bool:
        """Whether it is good for anything at this time."""
        return self.ended is None and self.until > now


@dataclass(frozen=True)
class Issued:
    """Tokens for an application; what it asked for by a code or a refresh token."""

    access: str
    refresh: str
    scopes: str


class Denied(Exception):
    """No tokens: the error's name of RFC 6749, and a sentence."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error, self.description = error, description


class SignIns:
    """The sign-ins of everybody who has the same state open."""

    def __init__(self, state: State, seal: Seal) -> None:
        self._state, self._seal = state, seal

    # ── Sign-ins ────────────────────────────────────────────────────────────────────────────────

    async def begin(
        self, application: Application, scopes: str, resource: str, who: Identity | str, details: Mapping[str, Any]
    ) -> str:
        """Begin a sign-in; the answer is its code.

        Args:
            who: a person at their provider, or the key that was given.
            details: what must be shown again with the code.
        """
        id_ = secrets.token_hex(8)
        person = ("", "", "", "") if isinstance(who, str) else (who.issuer, who.subject, who.name, who.role.name)
        async with self._state.changing(TAKING_IN) as db:
            now = db.now
            made = SignIn(id_, application.id, application.name, *person, scopes, resource, now, now, now + CODE_LASTS)
            await _tidy(db, now)
            if made.issuer:
                of_one = await db.all(OF_ONE, (made.issuer, made.subject))
                for (over,) in of_one[MOST_OF_ONE - 1 :]:
                    await _end(db, over, "the same person signed in too often")
            await db.change("insert into sign_ins values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", astuple(made))
            return await self._add(db, CODE, id_, now + CODE_LASTS, who if isinstance(who, str) else None, details)

    async def redeem(self, code: str, client: str, verified: Mapping[str, Any]) -> Issued:
        """The first tokens, for a code and what must be shown with it; a second time ends the sign-in.

        Raises:
            Denied: it is not good, or not for this client.
        """
        denied: Denied | None = None
        async with self._state.changing(digest(code)) as db:
            row, family = await _token(db, code, CODE), None
            if row is not None:
                family = await _sign_in(db, row["sign_in"])
            if row is None or family is None or family.client != client:
                denied = Denied("invalid_grant", "There is no such code. Begin at the authorization endpoint.")
            elif row["used"] is not None:
                await _end(db, family.id, "its code was used a second time: somebody else may have had it")
                denied = Denied("invalid_grant", "This code was used before, so its sign-in has ended. Begin again.")
            else:
                await db.change("update tokens set used = ? where digest = ?", (db.now, row["digest"]))
                if row["until"] <= db.now or family.ended is not None:
                    denied = Denied("invalid_grant", "This code is too old. Begin at the authorization endpoint.")
                elif wrong := _differs(json.loads(row["details"]), verified):
                    await _end(db, family.id, f"its code was shown with another {wrong}")
                    denied = Denied("invalid_grant", f"{wrong} is not the one that belongs to this code. Begin again.")
                else:
                    return await self._issue(db, family, self._opened(row, code))
        raise denied

    async def refresh(self, token: str, client: str) -> Issued:
        """New tokens for a refresh token, which is used up by it.

        A host that sends it again at once, because no answer reached it, gets others, and the first ones are void. A
        later repetition, or a use of void ones, ends the sign-in: two have the token. Its scopes stay what was chosen.

        Raises:
            Denied: it is not good, or not for this client.
        """
        async with self._state.changing(digest(token)) as db:
            row, family = await _token(db, token, REFRESH), None
            if row is not None:
                family = await _sign_in(db, row["sign_in"])
            good = family is not None and family.client == client and family.lives(db.now)
            if row is not None and family is not None and good and row["until"] > db.now:
                if not await self._is_reused(db, row):
                    first = "update tokens set used = coalesce(used, ?) where digest = ?"
                    await db.change(first, (db.now, row["digest"]))
                    return await self._issue(db, family, self._opened(row, token), replaces=row["digest"])
                await _end(db, family.id, REUSED)
        raise Denied("invalid_grant", "This refresh token is not good any more. Sign in again.")

    async def find(self, access: str) -> tuple[SignIn, str | None] | None:
        """Whose an access token is, and the key that was given; None where it is not good any more."""
        async with self._state.reading() as db:
            row = await _token(db, access, ACCESS)
            family = await _sign_in(db, row["sign_in"]) if row else None
            if (
                row is None
                or row["used"] is not None
                or family is None
                or not family.lives(db.now)
                or row["until"] <= db.now
            ):
                return None
            if db.now - family.used > NOTED:
                await db.change("update sign_ins set used = ? where id = ?", (db.now, family.id))
            key = self._opened(row, access)
            if key is None and not family.issuer:
                await _end(db, family.id, "none of the keys in AURAL_STATE_KEYS opens it")
                return None
            return family, key

    async def revoke(self, token: str, client: str) -> None:
        """End the sign-in that a token is of, where it is this client's."""
        async with self._state.changing() as db:
            for kind in (ACCESS, REFRESH):
                row = await _token(db, token, kind)
                family = await _sign_in(db, row["sign_in"]) if row else None
                if family and family.client == client:
                    await _end(db, family.id, "the application signed out")

    async def end(self, id_: str, why: str) -> bool:
        """End a sign-in, and say why; whether it had not ended before."""
        async with self._state.changing() as db:
            return await _end(db, id_, why)

    async def lives(self, id_: str) -> bool | None:
        """Whether a sign-in is good; None where it is not known here."""
        async with self._state.reading() as db:
            found = await _sign_in(db, id_)
        return found and found.lives(db.now)

    async def every(self) -> list[SignIn]:
        """All sign-ins that are good, the latest first."""
        async with self._state.reading() as db:
            rows = await db.all("select * from sign_ins order by made desc")
        return [each for each in (SignIn(*row) for row in rows) if each.lives(db.now)]

    # ── People who are at their provider ────────────────────────────────────────────────────────

    async def wait_for(self, state: str, what: str) -> bool:
        """Keep what belongs to somebody who is sent to their provider, until they come back with this state.

        False where as many are kept as may be: nobody puts out who came before.
        """
        async with self._state.changing(TAKING_IN) as db:
            await db.change("delete from tokens where kind = ? and until < ?", (PENDING, db.now))
            [(count,)] = await db.all("select count(*) from tokens where kind = ?", (PENDING,))
            if count >= MOST_PENDING:
                return False
            await self._add(db, PENDING, "", db.now + PENDING_LASTS, what, {}, state)
        return True

    async def back(self, state: str) -> str | None:
        """What was kept for this state, once."""
        async with self._state.changing() as db:
            row = await _token(db, state, PENDING)
            if row is None or row["until"] <= db.now:
                return None
            if not await db.change("delete from tokens where digest = ?", (row["digest"],)):
                return None
            return self._opened(row, state)

    # ── Applications ────────────────────────────────────────────────────────────────────────────

    async def register(self, application: Application) -> bool:
        """Keep an application; False where as many are kept as may be, and somebody is signed in with each."""
        async with self._state.changing(TAKING_IN) as db:
            now = db.now
            await db.change(UNUSED_APPLICATIONS, (now - UNUSED,))
            [(count,)] = await db.all("select count(*) from applications")
            if count >= MOST_APPLICATIONS and not await db.change(OLDEST_APPLICATION):
                return False
            said = {"name": application.name, "redirects": application.redirects, "method": application.method}
            said["secret"] = application.secret
            await db.change(
                "insert into applications values (?, ?, ?, ?)", (application.id, now, now, json.dumps(said))
            )
        return True

    async def application(self, id_: str) -> Application | None:
        """An application that registered."""
        async with self._state.reading() as db:
            row = await db.one("select details, used from applications where id = ?", (id_,))
            if row is None:
                return None
            if db.now - row[1] > NOTED:
                await db.change("update applications set used = ? where id = ?", (db.now, id_))
        said = json.loads(row[0])
        return Application(id_, said["name"], tuple(said["redirects"]), said["method"], said["secret"])

    # ── Tokens ──────────────────────────────────────────────────────────────────────────────────

    async def _issue(self, db: Transaction, family: SignIn, key: str | None, replaces: str = "") -> Issued:
        now = db.now
        until = min(now + IDLE_BY_PROVIDER, family.made + LONGEST_BY_PROVIDER) if family.issuer else now + IDLE
        made = {"replaces": replaces}
        access = await self._add(db, ACCESS, family.id, min(now + ACCESS_LASTS, until), key, made)
        refresh = await self._add(db, REFRESH, family.id, until, key, made)
        await db.change("update sign_ins set used = ?, until = ? where id = ?", (now, until, family.id))
        await db.change(NOTHING_TO_OPEN, (family.id, now, replaces))
        await db.change(FEWER_TOKENS, (family.id, family.id, MOST_TOKENS))
        return Issued(access, refresh, family.scopes)

    async def _is_reused(self, db: Transaction, row: Mapping[str, Any]) -> bool:
        """Whether two seem to have a refresh token; a repetition of the same host makes what it missed void."""
        if row["used"] is None:
            return False
        came = await db.all(
            "select digest, used from tokens where sign_in = ? and details = ?",
            (row["sign_in"], json.dumps({"replaces": row["digest"]})),
        )
        if db.now - row["used"] > REPEATED_WITHIN or any(used for _, used in came):
            return True
        for place, _ in came:  # 0 is void: nobody used it, and who does has it from somewhere else
            await db.change("update tokens set used = 0 where digest = ?", (place,))
        return False

    async def _add(
        self,
        db: Transaction,
        kind: str,
        sign_in: str,
        until: float,
        sealed: str | None,
        details: Mapping[str, Any],
        token: str = "",
    ) -> str:
        token = token or f"aural_{kind}_{secrets.token_urlsafe(32)}"
        place = digest(token)
        shut = None if sealed is None else self._seal.close(sealed, token, f"{kind} {place} {sign_in}")
        row = (place, kind, sign_in, until, None, json.dumps(details), shut)
        await db.change("insert into tokens values (?, ?, ?, ?, ?, ?, ?)", row)
        return token

    def _opened(self, row: Mapping[str, Any], token: str) -> str | None:
        if row["sealed"] is None:
            return None
        return self._seal.open(row["sealed"], token, f"{row['kind']} {row['digest']} {row['sign_in']}")


async def _token(db: Transaction, token: str, kind: str) -> Mapping[str, Any] | None:
    found = await db.one("select * from tokens where digest = ? and kind = ?", (digest(token), kind))
    names = ("digest", "kind", "sign_in", "until", "used", "details", "sealed")
    return dict(zip(names, found, strict=True)) if found else None


async def _sign_in(db: Transaction, id_: str) -> SignIn | None:
    row = await db.one("select * from sign_ins where id = ?", (id_,))
    return SignIn(*row) if row else None


async def _end(db: Transaction, id_: str, why: str) -> bool:
    await db.change("delete from tokens where sign_in = ?", (id_,))
    ended = "update sign_ins set ended = ?, why = ? where id = ? and ended is null"
    return await db.change(ended, (db.now, why, id_)) > 0


def _differs(kept: Mapping[str, Any], shown: Mapping[str, Any]) -> str:
    """The name of what is not the same; what was not sent either time is."""
    return next((name for name, value in kept.items() if value is not None and shown.get(name) != value), "")


async def _tidy(db: Transaction, now: float) -> None:
    """Forget what is over, and what is too much."""
    await db.change("delete from tokens where until < ?", (now - AFTERWARDS,))
    await db.change("update sign_ins set ended = until, why = 'not used' where ended is null and until < ?", (now,))
    await db.change("delete from sign_ins where ended < ?", (now - LISTED,))
    over = await db.all(TOO_MANY, (MOST_SIGN_INS - 1,))
    for (id_,) in over:
        await _end(db, id_, "too many people signed in")

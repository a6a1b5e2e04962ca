"""Who is signed in, in the shared state: sign-ins, the hashes of their tokens, and applications that registered.

A sign-in is a family: the code that it began with and every token that came of it. It ends as a whole.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from typing import Any

from aural_mcp.client.state import State
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
delete from tokens where sign_in = ? and rowid not in
    (select rowid from tokens where sign_in = ? order by rowid desc limit ?)
"""
NOTHING_TO_OPEN = """
update tokens set sealed = null where sign_in = ? and (used is not null or until < ?) and digest <> ?
"""
"""What is over opens nothing; but the token that was used just now, in case its answer does not arrive."""
TOO_MANY = """
select id from sign_ins where ended is null and id not in
    (select id from sign_ins where ended is null order by used desc limit ?)
"""
TOO_MANY_OF_ONE = """
select id from sign_ins where ended is null and issuer = ? and subject = ? order by used desc limit -1 offset ?
"""
UNUSED_APPLICATIONS = """
delete from applications where used < ? and id not in (select client from sign_ins where ended is null)
"""
OLDEST_APPLICATION = """
delete from applications where id in (
    select id from applications where id not in (select client from sign_ins where ended is null)
    order by used limit 1
)
"""
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

    @property
    def lives(self) -> bool:
        """Whether it is good for anything."""
        return self.ended is None and self.until > time.time()


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

    def begin(
        self, application: Application, scopes: str, resource: str, who: Identity | str, details: Mapping[str, Any]
    ) -> str:
        """Begin a sign-in; the answer is its code.

        Args:
            who: a person at their provider, or the key that was given.
            details: what must be shown again with the code.
        """
        now, id_ = time.time(), secrets.token_hex(8)
        person = ("", "", "", "") if isinstance(who, str) else (who.issuer, who.subject, who.name, who.role.name)
        made = SignIn(id_, application.id, application.name, *person, scopes, resource, now, now, now + CODE_LASTS)
        with self._state.changing() as db:
            _tidy(db, now)
            if made.issuer:
                of_one = (made.issuer, made.subject, MOST_OF_ONE - 1)
                for (over,) in db.execute(TOO_MANY_OF_ONE, of_one).fetchall():
                    _end(db, over, "the same person signed in too often")
            db.execute("insert into sign_ins values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", astuple(made))
            return self._add(db, CODE, id_, now + CODE_LASTS, who if isinstance(who, str) else None, details)

    def redeem(self, code: str, client: str, verified: Mapping[str, Any]) -> Issued:
        """The first tokens, for a code and what must be shown with it; a second time ends the sign-in.

        Raises:
            Denied: it is not good, or not for this client.
        """
        denied: Denied | None = None
        with self._state.changing() as db:
            row, family = _token(db, code, CODE), None
            if row is not None:
                family = _sign_in(db, row["sign_in"])
            if row is None or family is None or family.client != client:
                denied = Denied("invalid_grant", "There is no such code. Begin at the authorization endpoint.")
            elif row["used"] is not None:
                _end(db, family.id, "its code was used a second time: somebody else may have had it")
                denied = Denied("invalid_grant", "This code was used before, so its sign-in has ended. Begin again.")
            else:
                db.execute("update tokens set used = ? where digest = ?", (time.time(), row["digest"]))
                if row["until"] <= time.time() or family.ended is not None:
                    denied = Denied("invalid_grant", "This code is too old. Begin at the authorization endpoint.")
                elif wrong := _differs(json.loads(row["details"]), verified):
                    _end(db, family.id, f"its code was shown with another {wrong}")
                    denied = Denied("invalid_grant", f"{wrong} is not the one that belongs to this code. Begin again.")
                else:
                    return self._issue(db, family, self._opened(row, code))
        raise denied

    def refresh(self, token: str, client: str) -> Issued:
        """New tokens for a refresh token, which is used up by it.

        A host that sends it again at once, because no answer reached it, gets others, and the first ones are void. A
        later repetition, or a use of void ones, ends the sign-in: two have the token. Its scopes stay what was chosen.

        Raises:
            Denied: it is not good, or not for this client.
        """
        with self._state.changing() as db:
            row, family = _token(db, token, REFRESH), None
            if row is not None:
                family = _sign_in(db, row["sign_in"])
            good = family is not None and family.client == client and family.lives
            if row is not None and family is not None and good and row["until"] > time.time():
                if not self._is_reused(db, row):
                    first = "update tokens set used = coalesce(used, ?) where digest = ?"
                    db.execute(first, (time.time(), row["digest"]))
                    return self._issue(db, family, self._opened(row, token), replaces=row["digest"])
                _end(db, family.id, REUSED)
        raise Denied("invalid_grant", "This refresh token is not good any more. Sign in again.")

    def find(self, access: str) -> tuple[SignIn, str | None] | None:
        """Whose an access token is, and the key that was given; None where it is not good any more."""
        with self._state.changing() as db:
            row = _token(db, access, ACCESS)
            family = _sign_in(db, row["sign_in"]) if row else None
            if (
                row is None
                or row["used"] is not None
                or family is None
                or not family.lives
                or row["until"] <= time.time()
            ):
                return None
            if time.time() - family.used > NOTED:
                db.execute("update sign_ins set used = ? where id = ?", (time.time(), family.id))
            key = self._opened(row, access)
            if key is None and not family.issuer:
                _end(db, family.id, "none of the keys in AURAL_STATE_KEYS opens it")
                return None
            return family, key

    def revoke(self, token: str, client: str) -> None:
        """End the sign-in that a token is of, where it is this client's."""
        with self._state.changing() as db:
            for kind in (ACCESS, REFRESH):
                row = _token(db, token, kind)
                family = _sign_in(db, row["sign_in"]) if row else None
                if family and family.client == client:
                    _end(db, family.id, "the application signed out")

    def end(self, id_: str, why: str) -> bool:
        """End a sign-in, and say why; whether it had not ended before."""
        with self._state.changing() as db:
            return _end(db, id_, why)

    def lives(self, id_: str) -> bool | None:
        """Whether a sign-in is good; None where it is not known here."""
        with self._state.changing() as db:
            found = _sign_in(db, id_)
        return found and found.lives

    def every(self) -> list[SignIn]:
        """All sign-ins that are good, the latest first."""
        with self._state.changing() as db:
            rows = db.execute("select * from sign_ins order by made desc").fetchall()
        return [each for each in (SignIn(*row) for row in rows) if each.lives]

    # ── People who are at their provider ────────────────────────────────────────────────────────

    def wait_for(self, state: str, what: str) -> bool:
        """Keep what belongs to somebody who is sent to their provider, until they come back with this state.

        False where as many are kept as may be: nobody puts out who came before.
        """
        now = time.time()
        with self._state.changing() as db:
            db.execute("delete from tokens where kind = ? and until < ?", (PENDING, now))
            (count,) = db.execute("select count(*) from tokens where kind = ?", (PENDING,)).fetchone()
            if count >= MOST_PENDING:
                return False
            self._add(db, PENDING, "", now + PENDING_LASTS, what, {}, state)
        return True

    def back(self, state: str) -> str | None:
        """What was kept for this state, once."""
        with self._state.changing() as db:
            row = _token(db, state, PENDING)
            if row is None or row["until"] <= time.time():
                return None
            db.execute("delete from tokens where digest = ?", (row["digest"],))
            return self._opened(row, state)

    # ── Applications ────────────────────────────────────────────────────────────────────────────

    def register(self, application: Application) -> bool:
        """Keep an application; False where as many are kept as may be, and somebody is signed in with each."""
        now = time.time()
        with self._state.changing() as db:
            db.execute(UNUSED_APPLICATIONS, (now - UNUSED,))
            (count,) = db.execute("select count(*) from applications").fetchone()
            if count >= MOST_APPLICATIONS and not db.execute(OLDEST_APPLICATION).rowcount:
                return False
            said = {"name": application.name, "redirects": application.redirects, "method": application.method}
            said["secret"] = application.secret
            db.execute("insert into applications values (?, ?, ?, ?)", (application.id, now, now, json.dumps(said)))
        return True

    def application(self, id_: str) -> Application | None:
        """An application that registered."""
        with self._state.changing() as db:
            row = db.execute("select details, used from applications where id = ?", (id_,)).fetchone()
            if row is None:
                return None
            if time.time() - row[1] > NOTED:
                db.execute("update applications set used = ? where id = ?", (time.time(), id_))
        said = json.loads(row[0])
        return Application(id_, said["name"], tuple(said["redirects"]), said["method"], said["secret"])

    # ── Tokens ──────────────────────────────────────────────────────────────────────────────────

    def _issue(self, db: sqlite3.Connection, family: SignIn, key: str | None, replaces: str = "") -> Issued:
        now = time.time()
        until = min(now + IDLE_BY_PROVIDER, family.made + LONGEST_BY_PROVIDER) if family.issuer else now + IDLE
        made = {"replaces": replaces}
        access = self._add(db, ACCESS, family.id, min(now + ACCESS_LASTS, until), key, made)
        refresh = self._add(db, REFRESH, family.id, until, key, made)
        db.execute("update sign_ins set used = ?, until = ? where id = ?", (now, until, family.id))
        db.execute(NOTHING_TO_OPEN, (family.id, now, replaces))
        db.execute(FEWER_TOKENS, (family.id, family.id, MOST_TOKENS))
        return Issued(access, refresh, family.scopes)

    def _is_reused(self, db: sqlite3.Connection, row: Mapping[str, Any]) -> bool:
        """Whether two seem to have a refresh token; a repetition of the same host makes what it missed void."""
        if row["used"] is None:
            return False
        came = db.execute(
            "select digest, used from tokens where sign_in = ? and details = ?",
            (row["sign_in"], json.dumps({"replaces": row["digest"]})),
        ).fetchall()
        if time.time() - row["used"] > REPEATED_WITHIN or any(used for _, used in came):
            return True
        for place, _ in came:  # 0 is void: nobody used it, and who does has it from somewhere else
            db.execute("update tokens set used = 0 where digest = ?", (place,))
        return False

    def _add(
        self,
        db: sqlite3.Connection,
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
        db.execute("insert into tokens values (?, ?, ?, ?, ?, ?, ?)", row)
        return token

    def _opened(self, row: Mapping[str, Any], token: str) -> str | None:
        if row["sealed"] is None:
            return None
        return self._seal.open(row["sealed"], token, f"{row['kind']} {row['digest']} {row['sign_in']}")


def _token(db: sqlite3.Connection, token: str, kind: str) -> Mapping[str, Any] | None:
    found = db.execute("select * from tokens where digest = ? and kind = ?", (digest(token), kind)).fetchone()
    names = ("digest", "kind", "sign_in", "until", "used", "details", "sealed")
    return dict(zip(names, found, strict=True)) if found else None


def _sign_in(db: sqlite3.Connection, id_: str) -> SignIn | None:
    row = db.execute("select * from sign_ins where id = ?", (id_,)).fetchone()
    return SignIn(*row) if row else None


def _end(db: sqlite3.Connection, id_: str, why: str) -> bool:
    db.execute("delete from tokens where sign_in = ?", (id_,))
    ended = "update sign_ins set ended = ?, why = ? where id = ? and ended is null"
    return db.execute(ended, (time.time(), why, id_)).rowcount > 0


def _differs(kept: Mapping[str, Any], shown: Mapping[str, Any]) -> str:
    """The name of what is not the same; what was not sent either time is."""
    return next((name for name, value in kept.items() if value is not None and shown.get(name) != value), "")


def _tidy(db: sqlite3.Connection, now: float) -> None:
    """Forget what is over, and what is too much."""
    db.execute("delete from tokens where until < ?", (now - AFTERWARDS,))
    db.execute("update sign_ins set ended = until, why = 'not used' where ended is null and until < ?", (now,))
    db.execute("delete from sign_ins where ended < ?", (now - LISTED,))
    over = db.execute(TOO_MANY, (MOST_SIGN_INS - 1,)).fetchall()
    for (id_,) in over:
        _end(db, id_, "too many people signed in")

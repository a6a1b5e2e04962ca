"""Tokens that the identity provider signed: what they claim, once signature, times, issuer and audience are good."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import jwt
from jwt.exceptions import InvalidSignatureError, InvalidTokenError, PyJWTError

from aural_mcp.server.sign_in.fetching import Document, Kept
from aural_mcp.server.sign_in.roles import members

FITTING = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), ("RSA", ())),
    "ES256": ("EC", ("P-256",)),
    "ES384": ("EC", ("P-384",)),
    "ES512": ("EC", ("P-521",)),
    "EdDSA": ("OKP", ("Ed25519", "Ed448")),
}
"""The algorithms that are taken, and the key and curves of each: none with a shared secret, so no key is mistaken."""
SKEW = 60
"""Seconds by which clocks may differ."""
LONGEST = 128 * 1024
"""Characters of a token: it may name a person's groups, all of them."""
REQUIRED = ("iss", "sub", "aud", "exp", "iat")
TIMES = ("exp", "iat", "nbf")


class BadToken(Exception):
    """A token that says nothing; the message is for the log and holds nothing of it."""


class Signatures:
    """Reads tokens by the provider's public keys, whose set is asked for anew when none of it fits.

    Args:
        keys: the provider's key set.
        issuers: what the provider calls itself in tokens.
    """

    def __init__(self, keys: Kept, issuers: Sequence[str]) -> None:
        self._keys, self._issuers = keys, issuers

    async def claims(self, token: str, audience: str, algorithms: Sequence[str]) -> Document:
        """What a token claims that was meant for an audience.

        Raises:
            BadToken: it is forged, over, not yet good, or not meant for it.
            NotIdentified: the provider's keys cannot be had.
        """
        self.unsigned(token, audience)  # nothing is fetched for a token that would not be good anyhow
        keys = await self._keys.get()
        try:
            return self._read(token, audience, algorithms, keys)
        except (_NoKey, InvalidSignatureError):
            newer = await self._keys.newer(keys)
        except PyJWTError as error:
            raise _bad(error) from None
        try:
            return self._read(token, audience, algorithms, newer)
        except PyJWTError as error:
            raise _bad(error) from None

    def unsigned(self, token: str, audience: str) -> tuple[Document, Document]:
        """The head and the claims of a token that would be good if it were signed.

        Raises:
            BadToken: it would not.
        """
        if len(token) > LONGEST:
            raise BadToken("it is too long")
        try:
            head = jwt.get_unverified_header(token)
            checked = {f"verify_{name}": True for name in (*TIMES, "aud", "iss", "sub")}
            return head, self._decode(token, "", audience, [], {"verify_signature": False, **checked})
        except PyJWTError as error:
            raise _bad(error) from None

    def _read(self, token: str, audience: str, algorithms: Sequence[str], keys: Document) -> Document:
        head = jwt.get_unverified_header(token)
        algorithm, named = head.get("alg"), head.get("kid")
        if not isinstance(algorithm, str) or algorithm not in FITTING or algorithm not in algorithms:
            raise InvalidTokenError("its algorithm is not taken")
        found = [each for each in members(keys.get("keys")) if _fits(each, algorithm)]
        found = [each for each in found if named is None or each.get("kid") == named]
        if len(found) != 1:  # a token that names none of several is nobody's
            raise _NoKey("none of the keys is its own")
        return self._decode(token, jwt.PyJWK(found[0], algorithm), audience, [algorithm])

    def _decode(
        self, token: str, key: Any, audience: str, algorithms: list[str], options: Mapping[str, bool] | None = None
    ) -> Document:
        checked = {"require": list(REQUIRED), "enforce_minimum_key_length": True, **(options or {})}
        claims = jwt.decode(
            token, key, algorithms, cast("Any", checked), audience=audience, issuer=self._issuers, leeway=SKEW
        )
        if not claims["sub"] or any(isinstance(claims.get(each), bool | str) for each in TIMES):
            raise InvalidTokenError("its subject or its times are none")
        return claims


class _NoKey(PyJWTError):
    """None of the keys is the token's."""


def _bad(error: Exception) -> BadToken:
    return BadToken(type(error).__name__ if type(error).__module__.startswith("jwt") else str(error))


def _fits(key: Any, algorithm: str) -> bool:
    """Whether a key of the set is a public one that may verify signatures of this algorithm."""
    if not isinstance(key, dict):
        return False
    key = cast("Document", key)
    kind, curves = FITTING[algorithm]
    return (
        key.get("kty") == kind
        and (not curves or key.get("crv") in curves)
        and key.get("alg", algorithm) == algorithm
        and key.get("use", "sig") == "sig"
        and "verify" in members(key.get("key_ops", ["verify"]))
        and "d" not in key
    )

"""What is sealed: it opens only for who has both a key of the operator's and the token that it belongs to."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

NONCE = 12


class Seal:
    """Seals texts with AES-GCM, each under a key of its own.

    Args:
        keys: secrets of the operator's; the first seals, all open.
    """

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._keys = tuple(keys)

    def close(self, text: str, token: str, place: str) -> bytes:
        """A text, sealed under a token for the place where it is kept; it opens in no other."""
        nonce = secrets.token_bytes(NONCE)
        return nonce + AESGCM(_derived(self._keys[0], token)).encrypt(nonce, text.encode(), place.encode())

    def open(self, sealed: bytes, token: str, place: str) -> str | None:
        """What was sealed; None where the token, the place or the keys are others, or a bit was changed."""
        for key in self._keys:
            try:
                opened = AESGCM(_derived(key, token)).decrypt(sealed[:NONCE], sealed[NONCE:], place.encode())
                return opened.decode()
            except (InvalidTag, ValueError):
                continue
        return None


def digest(token: str) -> str:
    """What is kept of a token: it has 256 random bits, so nobody finds it from this."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


def _derived(key: bytes, token: str) -> bytes:
    given = key + token.encode("utf-8", "surrogateescape")
    return HKDF(SHA256(), 32, salt=None, info=b"aural-mcp sign-in").derive(given)

"""Refresh tokens: opaque, rotated at each use, and what the reuse of an old one means.

    plr_<family>_<secret, base58 of 32 bytes>_<seal, base58 of 16 bytes>

A family is one login. The store keeps one row for it, with the digests of the tokens that are
current and of the one before: a table of every token ever given out would grow with each refresh.
The seal (a MAC over the rest) is what lets us tell an old token of ours, whose reuse means that it
was copied, from a text that somebody made up, which must not be able to end anybody's login.
"""

import hashlib
import hmac
from dataclasses import dataclass
from enum import Enum

from auth.errors import Unauthorized
from auth.keys import encode_base58
from auth.tokens import REFRESH_PREFIX

GRACE_S = 30.0
"""How long a token whose answer was lost may be sent again."""
CURRENT_MAX = 8
"""Tokens of one family that may be current at once, after answers were lost again and again."""
SECRET_BYTES = 32
_SEAL_BYTES = 16
_LETTERS_MAX = 256


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """A token that we did make: its family, and the digest under which the store knows it."""

    family: str
    digest: bytes


class RefreshTokens:
    """Mints and reads refresh tokens with one secret that all nodes of a server share."""

    def __init__(self, secret: bytes, *others: bytes) -> None:
        """`others`: secrets of keys that were in use before, or will be."""
        assert len(secret) >= SECRET_BYTES
        self._secret = secret
        self._secrets = (secret, *others)

    def mint(self, family: str, random_bytes: bytes) -> str:
        """A new token of `family`, which must be a plain id without an underscore."""
        assert len(random_bytes) == SECRET_BYTES
        assert family.isalnum()
        body = f"{REFRESH_PREFIX}{family}_{encode_base58(random_bytes)}"
        return f"{body}_{self._seal(body, self._secret)}"

    def read(self, text: str) -> RefreshToken:
        """The token in `text` if we made it, used or not; Unauthorized otherwise."""
        if not text.startswith(REFRESH_PREFIX):
            raise Unauthorized("token_type" if text.count(".") == 2 else "token_invalid")
        body, _, seal = text.rpartition("_")
        if len(text) > _LETTERS_MAX or not text.isascii() or body.count("_") != 2:
            raise Unauthorized("token_invalid")
        seals = [self._seal(body, secret) for secret in self._secrets]
        if not any(hmac.compare_digest(each, seal) for each in seals):
            raise Unauthorized("token_invalid")
        return RefreshToken(body.split("_")[1], digest(text))

    @staticmethod
    def _seal(body: str, secret: bytes) -> str:
        return encode_base58(hmac.digest(secret, body.encode(), "sha256")[:_SEAL_BYTES])


def digest(text: str) -> bytes:
    """What the store keeps of a token. It holds 32 random bytes, so a plain hash hides it."""
    return hashlib.sha256(text.encode()).digest()


@dataclass(frozen=True, kw_only=True, slots=True)
class Family:
    """What the store knows of one login. Times are epoch seconds."""

    current: tuple[bytes, ...]
    """Digests of the tokens not yet used: one, or more after answers were lost."""
    previous: bytes | None
    """Digest of the token that was used to get them."""
    rotated_at: float
    expires_at: float


class Rotation(Enum):
    """What must be done with a family when one of its tokens is shown."""

    ROTATE = "rotate"
    """The token is current: its successor replaces all current ones."""
    REPEAT = "repeat"
    """Its answer was lost: one more successor beside the unused ones."""
    REVOKE = "revoke"
    """An old token: somebody has a copy, so the whole login ends."""
    EXPIRED = "expired"


def decide(family: Family, shown: bytes, now: float, grace_s: float = GRACE_S) -> Rotation:
    """The rule of rotation. Using any current token retires its unused siblings too.

    So two copies of one token can lead two lives for at most one step: whichever of them comes
    second shows a token that is no longer current.
    """
    if now >= family.expires_at:
        return Rotation.EXPIRED
    if shown in family.current:
        return Rotation.ROTATE
    if shown == family.previous and now - family.rotated_at <= grace_s:
        return Rotation.REPEAT
    return Rotation.REVOKE


def rotate(family: Family, shown: bytes, new: bytes, now: float, expires_at: float) -> Family:
    """The family after `shown` got `new`; `decide` must have said ROTATE or REPEAT."""
    if shown in family.current:
        return Family(current=(new,), previous=shown, rotated_at=now, expires_at=expires_at)
    kept = family.current[-(CURRENT_MAX - 1) :]
    # The grace time runs from the first use, so that re-sending does not prolong it.
    return Family(
        current=(*kept, new),
        previous=family.previous,
        rotated_at=family.rotated_at,
        expires_at=expires_at,
    )

"""Signed links: HS256 tokens that stand in a URL, each kind with a key and an audience of its own.

What a link allows is in its claims, which whoever gets it can read; nobody can change them, and no
link is good for another purpose than the one it was made for: its key is derived for that purpose.
A link cannot be taken back before its end, so it should be short.
"""

import contextlib
from collections.abc import Mapping

import jwt
import msgspec

from auth.errors import Unauthorized
from auth.keys import ServerKey

ALGORITHM = "HS256"
LETTERS_MAX = 4096
_JWS = jwt.PyJWS(algorithms=[ALGORITHM])
_HEADER = _JWS.encode(b"{}", bytes(32), ALGORITHM).partition(".")[0]
"""The one header that our links have: a token with another one is not looked at."""

Claim = str | int | bool | None


class _Claims(msgspec.Struct, frozen=True, kw_only=True):
    aud: str
    exp: int
    own: dict[str, Claim]


class Links:
    """Links for one purpose: `Links(signing_key, "upload")`."""

    def __init__(self, key: ServerKey, purpose: str) -> None:
        self._audience = f"link:{purpose}"
        self._secret, *self._others = key.derive_all(self._audience)

    def mint(self, claims: Mapping[str, Claim], *, now: float, lifetime_s: float) -> str:
        """A token that says `claims` until `lifetime_s` seconds after `now`."""
        payload = {"aud": self._audience, "exp": int(now + lifetime_s), "own": dict(claims)}
        return _JWS.encode(msgspec.json.encode(payload), self._secret, ALGORITHM)

    def verify(self, token: str, now: float) -> dict[str, Claim]:
        """The claims of a link of ours that still holds; Unauthorized otherwise."""
        if len(token) > LETTERS_MAX or not token.isascii() or token.partition(".")[0] != _HEADER:
            raise Unauthorized("link_invalid")
        try:
            payload = self._opened(token)
            claims = msgspec.json.decode(payload, type=_Claims)
        except (jwt.PyJWTError, msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise Unauthorized("link_invalid") from error
        if claims.aud != self._audience:
            raise Unauthorized("link_invalid")
        if now >= claims.exp:
            raise Unauthorized("link_expired")
        return claims.own

    def _opened(self, token: str) -> bytes:
        """The payload, whichever of our keys made it."""
        payload: bytes
        for secret in self._others:
            with contextlib.suppress(jwt.InvalidSignatureError):
                payload = _JWS.decode(token, secret, [ALGORITHM])
                return payload
        payload = _JWS.decode(token, self._secret, [ALGORITHM])
        return payload

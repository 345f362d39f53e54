"""Access tokens and document tokens: EdDSA JWTs, minted and verified by one key.

    header   alg EdDSA, typ JWT, kid
    claims   iss, aud, typ ("access", "document" or "file"), sub (account), iat, exp, jti
             access: fam (the login it came from)
             document, file: doc (uuid), scope, name, role, dsp (a name to show),
                       via (the personal token it was asked for with)

`aud` is the public identity key of the server, so a token of one server opens nothing on another
even where two servers were given the same signing key. Only PyJWT's signature layer is used: its
claims layer reads the machine's clock, while here the time is the `now` that the caller passes in.
That layer knows one algorithm here, libsodium's Ed25519, which verifies in half the time of
OpenSSL's; there is no HS256 and no `none` in it that a token could ask for.
"""

from collections.abc import Iterable
from typing import Any, NoReturn
from uuid import UUID

import jwt
import msgspec
from jwt.algorithms import Algorithm

from auth.errors import Unauthorized
from auth.keys import ServerKey, encode_base58, key_id, verify
from auth.principal import Kind, Role

ISSUER = "plait"
ALGORITHM = "EdDSA"
SKEW_S = 30.0
"""Allowance for nodes whose clocks differ."""
TOKEN_LETTERS_MAX = 8192
DOCUMENT_LIFETIME_S = 3600
_ID_BYTES = 16

REFRESH_PREFIX = "plr_"
"""How a refresh token begins: it is no JWT, and whoever mixes the two up is told so."""


class _Ed25519(Algorithm):
    """Signs with a `ServerKey`, verifies with the 32 bytes of a public key."""

    def prepare_key(self, key: Any) -> Any:  # noqa: ANN401 (PyJWT's interface)
        """Keys come ready for use."""
        return key

    def sign(self, msg: bytes, key: ServerKey) -> bytes:
        """The signature of our key."""
        return key.sign(msg)

    def verify(self, msg: bytes, key: bytes, sig: bytes) -> bool:
        """Whether a signature holds."""
        return verify(key, msg, [sig])

    @staticmethod
    def to_jwk(key_obj: Any, as_dict: bool = False) -> NoReturn:  # noqa: ANN401, FBT001, FBT002
        """Not needed."""
        raise NotImplementedError

    @staticmethod
    def from_jwk(jwk: Any) -> NoReturn:  # noqa: ANN401 (PyJWT's interface)
        """Not needed."""
        raise NotImplementedError


_JWS = jwt.PyJWS(algorithms=[])
_JWS.register_algorithm(ALGORITHM, _Ed25519())


class Claims(msgspec.Struct, frozen=True, kw_only=True):
    """What a verified token says. Of the optional ones, those of its kind are there."""

    iss: str
    aud: str
    typ: Kind
    sub: str
    iat: int
    exp: int
    jti: str
    fam: str | None = None
    doc: UUID | None = None
    scope: str | None = None
    name: str | None = None
    role: str | None = None
    dsp: str = ""
    via: str = ""

    @property
    def expires_at(self) -> float:
        """Epoch seconds from which on the token no longer holds, the allowance included."""
        return self.exp + SKEW_S

    @property
    def is_complete(self) -> bool:
        """Whether the claims of its kind are there, and none of the other kind's."""
        document = (self.doc, self.scope, self.name, self.role)
        if self.typ is Kind.ACCESS:
            return self.fam is not None and not any((*document, self.via))
        is_for_one = self.typ in {Kind.DOCUMENT, Kind.FILE}
        return is_for_one and self.fam is None and None not in document


class Tokens:
    """Mints tokens with one signing key; verifies those of this key and of retired ones."""

    def __init__(
        self,
        key: ServerKey,
        audience: str,
        retired: Iterable[bytes] = (),
        audiences: Iterable[str] = (),
    ) -> None:
        """`audiences`: identity keys that this server had before."""
        self._audience = audience
        self._audiences = {audience, *audiences}
        self._key = key
        # A token of ours has one of few possible headers, letter for letter. Looking the key up
        # by the whole header leaves nothing in it for an attacker to choose.
        self._public = {self._header_of(key.key_id): key.public}
        for public in retired:
            header = self._header_of(key_id(public))
            self._public[header] = public

    def mint_access(
        self, *, account: str, family: str, now: float, lifetime_s: float, random_bytes: bytes
    ) -> str:
        """A short-lived token that speaks for `account`."""
        claims = {"typ": Kind.ACCESS.value, "sub": account, "fam": family}
        return self._mint(claims, now, lifetime_s, random_bytes)

    def mint_document(
        self,
        *,
        account: str,
        document: UUID,
        scope: str,
        name: str,
        role: Role,
        now: float,
        random_bytes: bytes,
        lifetime_s: float = DOCUMENT_LIFETIME_S,
        display: str = "",
        via: str = "",
        kind: Kind = Kind.DOCUMENT,
    ) -> str:
        """A token that opens one document, for somebody who need not have an account.

        With kind FILE it opens the document's files and nothing else: it stands in URLs.

        `role` is the most it gives; while it is used, it is cut down to what the issuing
        `account` may do at that moment, so it dies with the issuer's own right, and with the
        personal token `via` which it was asked for.
        """
        assert role >= Role.VIEWER
        assert lifetime_s >= 1
        claims = {
            "typ": kind.value,
            "sub": account,
            "doc": str(document),
            "scope": scope,
            "name": name,
            "role": role.word,
            "dsp": display,
            "via": via,
        }
        return self._mint(claims, now, lifetime_s, random_bytes)

    def verify(self, token: str, now: float) -> Claims:
        """The claims of a token of ours that still holds at `now`; Unauthorized otherwise.

        Never takes an algorithm from the token: HS256, `none` and keys of others are refused.
        """
        claims = self._decode(token)
        if claims.iss != ISSUER or claims.aud not in self._audiences or not claims.is_complete:
            raise Unauthorized("token_invalid")
        if now >= claims.expires_at:
            raise Unauthorized("token_expired")
        if now < claims.iat - SKEW_S:
            raise Unauthorized("token_invalid")
        return claims

    def _mint(
        self, claims: dict[str, str], now: float, lifetime_s: float, random_bytes: bytes
    ) -> str:
        assert len(random_bytes) >= _ID_BYTES
        issued_at = int(now)
        payload: dict[str, str | int] = {
            "iss": ISSUER,
            "aud": self._audience,
            "iat": issued_at,
            "exp": issued_at + int(lifetime_s),
            "jti": encode_base58(random_bytes[:_ID_BYTES]),
            **claims,
        }
        return self._encode(msgspec.json.encode(payload), self._key.key_id)

    def _header_of(self, kid: str) -> str:
        return self._encode(b"{}", kid).partition(".")[0]

    def _encode(self, payload: bytes, kid: str) -> str:
        key: Any = self._key
        return _JWS.encode(payload, key, ALGORITHM, headers={"kid": kid})

    def _decode(self, token: str) -> Claims:
        if token.startswith(REFRESH_PREFIX):
            raise Unauthorized("token_type")
        key = self._public.get(token.partition(".")[0])
        if key is None or len(token) > TOKEN_LETTERS_MAX or not token.isascii():
            raise Unauthorized("token_invalid")
        try:
            payload = _JWS.decode(token, key, [ALGORITHM])
            return msgspec.json.decode(payload, type=Claims)
        except (jwt.PyJWTError, msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise Unauthorized("token_invalid") from error

"""The one-time text that a person signs to log in.

    plait-login:v1 <server> <2026-11-21T09:30:00Z> <nonce, base58 of 32 bytes> <seal, base58>

The seal is a MAC over the text before it and the public key it was issued for. So any node that
holds the server's keys can check a challenge that another one issued, nothing is stored until
somebody has really signed it, and a stranger who asks for a million challenges fills no table.
Single use is the store's part: it keeps the digest of each *used* challenge until it would have
expired anyway.
"""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from auth import succession
from auth.errors import BadCredential, Unauthorized
from auth.keys import encode_base58

LIFETIME_S = 300.0
"""How long a challenge may be signed, by default."""
SKEW_S = 60.0
"""How far in the future another node may have issued one."""
NONCE_BYTES = 32

SERVER_CHALLENGE_BYTES_MIN = 16
SERVER_CHALLENGE_BYTES_MAX = 512

_PREFIX = "plait-login:v1"
_TEXT_LETTERS_MAX = 1024
_TIME_FORM = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, slots=True)
class Signed:
    """A challenge that holds. `digest` names it in the store; it is dead at `expires_at`."""

    digest: bytes
    expires_at: float


class Challenges:
    """Issues and checks challenges with one secret that all nodes of a server share."""

    def __init__(
        self,
        secret: bytes,
        server: str,
        lifetime_s: float = LIFETIME_S,
        others: Sequence[bytes] = (),
    ) -> None:
        """`others`: secrets of keys that were in use before, or will be."""
        assert len(secret) >= NONCE_BYTES
        self._secret = secret
        self._secrets = (secret, *others)
        # Blanks part the text, so the server's name must not hold any.
        self._server = "".join(c if c.isalnum() or c in ".:-_/" else "-" for c in server)[:200]
        self._lifetime_s = lifetime_s

    def issue(self, key: bytes, now: float, random_bytes: bytes) -> str:
        """A text for the holder of `key` to sign; alike for known and unknown keys."""
        assert len(random_bytes) == NONCE_BYTES
        at = datetime.fromtimestamp(now, UTC).strftime(_TIME_FORM)
        body = f"{_PREFIX} {self._server} {at} {encode_base58(random_bytes)}"
        return f"{body} {self._seal(body, key, self._secret)}"

    def check(self, text: str, key: bytes, now: float) -> Signed:
        """The challenge if we issued it for `key` and it is still fresh; Unauthorized if not."""
        body, _, seal = text.rpartition(" ")
        if len(text) > _TEXT_LETTERS_MAX:
            raise Unauthorized("challenge_invalid")
        shown = seal.encode("utf-8", "replace")
        seals = [self._seal(body, key, secret).encode() for secret in self._secrets]
        if not any(hmac.compare_digest(each, shown) for each in seals):
            raise Unauthorized("challenge_invalid")
        # Sealed by us, so its parts are where we put them.
        at = datetime.strptime(body.split(" ")[2], _TIME_FORM).replace(tzinfo=UTC)
        expires_at = at.timestamp() + self._lifetime_s
        if now >= expires_at or now < at.timestamp() - SKEW_S:
            raise Unauthorized("challenge_expired")
        return Signed(hashlib.sha256(text.encode()).digest(), expires_at)

    @staticmethod
    def _seal(body: str, key: bytes, secret: bytes) -> str:
        # Fixed length first, so that no two pairs of key and text make one message.
        message = key + body.encode("utf-8", "replace")
        return encode_base58(hmac.digest(secret, message, "sha256"))


def read_server_challenge(text: str) -> bytes:
    """The bytes of a text that the caller wants signed by this server; BadCredential if unfit.

    They are signed by the identity key, which signs nothing else: whatever the text says, it can
    become no token of ours. A login challenge is refused, so that nobody can log in to another
    server of this kind as this server.
    """
    data = text.encode("utf-8", "replace")
    if text.startswith(_PREFIX):
        raise BadCredential("server_challenge", "must not be a login challenge")
    if text.startswith(succession.PREFIX):
        raise BadCredential("server_challenge", "must not name a key")
    if not SERVER_CHALLENGE_BYTES_MIN <= len(data) <= SERVER_CHALLENGE_BYTES_MAX:
        raise BadCredential(
            "server_challenge",
            f"must have {SERVER_CHALLENGE_BYTES_MIN} to {SERVER_CHALLENGE_BYTES_MAX} bytes",
        )
    return data

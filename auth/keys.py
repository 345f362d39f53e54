"""Ed25519 keys and signatures, and the text forms in which people and programs carry them.

Verification is libsodium's, which also refuses public keys of small order: such a key would
verify signatures that nobody made.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from nacl.exceptions import CryptoError
from nacl.signing import SigningKey, VerifyKey

from auth.errors import BadCredential, BadKeyFile

KEY_BYTES = 32
SIGNATURE_BYTES = 64

_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_DIGITS = {letter: value for value, letter in enumerate(_ALPHABET)}
_BASE58_LETTERS_MAX = 128
"""Base58 is decoded in quadratic time; nothing here is longer than 88 letters."""
_SIGNATURE_LETTERS_MAX = 132
"""Hex needs 128 letters; a little more for white space at the ends."""


class ServerKey:
    """One Ed25519 key of this server, made from 32 secret bytes that never leave this object."""

    def __init__(self, seed: bytes, others: Sequence[ServerKey] = ()) -> None:
        """`others`: keys that were or will be in this one's place, and are still verified with."""
        assert len(seed) == KEY_BYTES
        self._seed = seed
        self.others = tuple(others)
        self._signing = SigningKey(seed)
        self.public = bytes(self._signing.verify_key)
        """The 32 bytes of the public key."""
        self.public_text = encode_base58(self.public)
        """The public key as clients see it."""
        self.key_id = key_id(self.public)
        """A short name of the key, for the `kid` of a token."""

    def __repr__(self) -> str:
        """The public half only, so that a key in a log or a traceback gives nothing away."""
        return f"ServerKey({self.public_text})"

    @property
    def seed(self) -> bytes:
        """The secret, to compare keys and to write the key file. Never log it."""
        return self._seed

    def sign(self, message: bytes) -> bytes:
        """The 64 bytes of the signature over `message`."""
        return bytes(self._signing.sign(message).signature)

    def derive(self, purpose: str, length: int = 32) -> bytes:
        """A secret for one purpose (HKDF-SHA-256); two purposes never share one.

        Every HS256 token and every MAC of this server has its own, so that a token of one kind
        can never be shown where another is expected.
        """
        hkdf = HKDF(algorithm=hashes.SHA256(), length=length, salt=None, info=purpose.encode())
        return hkdf.derive(self._seed)

    def derive_all(self, purpose: str, length: int = 32) -> tuple[bytes, ...]:
        """That secret, and those of the others, which are only to verify with."""
        return tuple(key.derive(purpose, length) for key in (self, *self.others))


def key_id(public: bytes) -> str:
    """A short name of a public key, for the `kid` of a token."""
    return hashlib.sha256(public).hexdigest()[:16]


def seed_from_text(text: str, where: str) -> bytes:
    """The 32 secret bytes of a key that an operator wrote as base64; BadKeyFile otherwise."""
    seed = _base64(text.strip())
    if seed is None or len(seed) != KEY_BYTES:
        raise BadKeyFile(where, f"is not {KEY_BYTES} bytes of base64")
    return seed


def encode_base58(data: bytes) -> str:
    """`data` in the alphabet of Bitcoin addresses; leading zero bytes become leading ones."""
    number = int.from_bytes(data)
    letters: list[str] = []
    while number:
        number, digit = divmod(number, 58)
        letters.append(_ALPHABET[digit])
    zeros = len(data) - len(data.lstrip(b"\0"))
    return "1" * zeros + "".join(reversed(letters))


def decode_base58(text: str) -> bytes | None:
    """The bytes of a base58 text; None when it is none, or longer than anything we ask for."""
    if len(text) > _BASE58_LETTERS_MAX:
        return None
    number = 0
    for letter in text:
        digit = _DIGITS.get(letter)
        if digit is None:
            return None
        number = number * 58 + digit
    zeros = len(text) - len(text.lstrip("1"))
    return b"\0" * zeros + number.to_bytes((number.bit_length() + 7) // 8)


def read_public_key(text: str) -> bytes:
    """The 32 bytes of a base58 public key; BadCredential for anything else.

    The text must be the one spelling of those bytes: a key is also a name, and two spellings of
    one name would be two accounts.
    """
    key = decode_base58(text)
    if key is None or len(key) != KEY_BYTES or encode_base58(key) != text:
        raise BadCredential("public_key", f"must be base58 of exactly {KEY_BYTES} bytes")
    return key


def read_signature(text: str) -> list[bytes]:
    """Every 64 bytes that `text` may stand for: base58, base64 (both alphabets) or hex.

    The API page names no form, and one text can be both base58 and base64, so the caller tries
    each. BadCredential when there is none.
    """
    text = text.strip()
    found: list[bytes] = []
    if len(text) <= _SIGNATURE_LETTERS_MAX:
        for data in (decode_base58(text), _base64(text), _hex(text)):
            if data is not None and len(data) == SIGNATURE_BYTES and data not in found:
                found.append(data)
    if not found:
        raise BadCredential("signature", f"must be {SIGNATURE_BYTES} bytes, base58, base64 or hex")
    return found


def verify(key: bytes, message: bytes, signatures: list[bytes]) -> bool:
    """Whether one of `signatures` (a text's readings) is `key`'s over exactly `message`."""
    return any(_verifies(key, message, signature) for signature in signatures)


def _verifies(key: bytes, message: bytes, signature: bytes) -> bool:
    try:
        VerifyKey(key).verify(message, signature)
    except (CryptoError, ValueError):
        return False
    return True


def _base64(text: str) -> bytes | None:
    """Standard or url alphabet, padded or not; None for anything else."""
    body = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(body + "=" * (-len(body) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


def _hex(text: str) -> bytes | None:
    # bytes.fromhex skips white space, which would give one signature several lengths.
    if not text.isalnum():
        return None
    try:
        return bytes.fromhex(text)
    except ValueError:
        return None

"""Passwords, or whatever a client sends in their place: kept so that a stolen database is no key.

    argon2id$OPERATIONS$MEMORY$SALT$HASH     what is written today (base64, memory in bytes)
    v2:SALT:HASH                             PBKDF2-HMAC-SHA256, 100,000 rounds, of older servers
    anything else                            the secret itself, as the oldest did

A form that is not today's still opens, and `is_outdated` says that it should be written anew. Each
call takes about 80 ms and 64 MiB and must not run on an event loop; it releases the interpreter.
"""

import hmac
from base64 import b64decode, b64encode
from hashlib import pbkdf2_hmac
from typing import Final

from nacl.exceptions import CryptoError
from nacl.pwhash import argon2id

SALT_BYTES: Final = 16
"""Randomness that a stored form takes."""

_OPERATIONS: Final = argon2id.OPSLIMIT_INTERACTIVE
_MEMORY_BYTES: Final = argon2id.MEMLIMIT_INTERACTIVE
_HASH_BYTES: Final = 32
_ROUNDS_V2: Final = 100_000
_NOW: Final = f"argon2id${_OPERATIONS}${_MEMORY_BYTES}$"


def hash_password(secret: str, salt: bytes) -> str:
    """The form to store; `salt` is 16 fresh random bytes."""
    assert len(salt) == SALT_BYTES
    return f"{_NOW}{b64encode(salt).decode()}${_argon2(secret, salt, _OPERATIONS, _MEMORY_BYTES)}"


def verify_password(secret: str, stored: str) -> bool:
    """Whether a secret is the one that was stored, in whatever form; in constant time."""
    try:
        if stored.startswith("argon2id$"):
            _, operations, memory, salt, expected = stored.split("$")
            found = _argon2(secret, b64decode(salt), int(operations), int(memory))
        elif stored.startswith("v2:"):
            _, salt, expected = stored.split(":")
            found = _pbkdf2(secret, b64decode(salt))
        else:
            found, expected = secret, stored
    except (ValueError, CryptoError):
        return False
    return hmac.compare_digest(_bytes(found), _bytes(expected))


def is_outdated(stored: str) -> bool:
    """Whether a stored form should be replaced at the next chance."""
    return not stored.startswith(_NOW)


def _argon2(secret: str, salt: bytes, operations: int, memory: int) -> str:
    found: bytes = argon2id.kdf(
        _HASH_BYTES, _bytes(secret), salt, opslimit=operations, memlimit=memory
    )
    return b64encode(found).decode()


def _pbkdf2(secret: str, salt: bytes) -> str:
    found = pbkdf2_hmac("sha256", _bytes(secret), salt, _ROUNDS_V2, _HASH_BYTES)
    return b64encode(found).decode()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")

"""Keys that were, or will be: what is still verified with them, and the proof of who came after.

A server that changes its signing key goes on verifying what the old one signed until that has
expired. One that changes its identity key has the old one sign the name of the new one, so that a
client which remembers the old key can see that it is the same server.
"""

from __future__ import annotations

from dataclasses import dataclass

from auth.keys import ServerKey, decode_base58, encode_base58, verify

PREFIX = "plait-succession:v1"
"""No text of a stranger that begins so is ever signed (`auth.challenge`)."""


@dataclass(frozen=True)
class Predecessor:
    """An identity key that this server had before."""

    public_text: str
    """In base58."""
    signature: str
    """By that key, over the sentence that names its successor; base58."""


def sentence(old: str, new: str) -> bytes:
    """What an identity key signs when another takes its place; both in base58."""
    return f"{PREFIX} {old} {new}".encode()


def succeed(old: ServerKey, new: ServerKey) -> Predecessor:
    """The last thing that an identity key signs."""
    signature = old.sign(sentence(old.public_text, new.public_text))
    return Predecessor(old.public_text, encode_base58(signature))


def follows(old: Predecessor, new: str) -> bool:
    """Whether the old key did name this one: what a client checks."""
    key, signature = decode_base58(old.public_text), decode_base58(old.signature)
    if key is None or signature is None:
        return False
    return verify(key, sentence(old.public_text, new), [signature])

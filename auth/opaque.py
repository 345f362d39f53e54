"""Opaque tokens: 32 random bytes behind a prefix that says what has been found.

    <prefix>_<base64url of 32 random bytes, 43 letters>

Whoever makes one shows it once; the store keeps its digest.
"""

import base64
import hashlib
import re

SECRET_BYTES = 32

INVITE_PREFIX = "plait_inv_"
"""Of the secret in the link of an invitation to a workspace."""
LINK_PREFIX = "plait_doc_"
"""Of a link to one document."""

_SHAPE = re.compile(r"([a-z]+_[a-z]+_)[A-Za-z0-9_-]{43}", re.ASCII)


def mint(prefix: str, random_bytes: bytes) -> str:
    """A new token."""
    assert len(random_bytes) == SECRET_BYTES
    return prefix + base64.urlsafe_b64encode(random_bytes).decode().rstrip("=")


def prefix_in(text: str) -> str | None:
    """How a text begins that has the shape of such a token; None for any other."""
    found = _SHAPE.fullmatch(text)
    return found[1] if found else None


def digest(text: str) -> bytes:
    """What the store keeps of a token. It holds 32 random bytes, so a plain hash hides it."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()

"""Personal access tokens: random texts that speak for an account, to some APIs only.

    <prefix><base64url of 32 random bytes, 43 letters>

The store keeps a digest, the scopes and the end. What a token opens is said by its scopes, each an
API and whether it may write: `heaps:read`, `pinakes:write`. Its prefix tells people, and programs
that look for lost secrets, what they have found. Some APIs' tokens stand alone: a token that may
lie in the settings of a phone opens nothing besides.
"""

import base64
import hashlib
import re
from typing import NamedTuple

from auth.errors import BadCredential

SECRET_BYTES = 32
NAME_LETTERS_MAX = 100

GENERAL_PREFIX = "plait_pat_"
"""Of tokens for several APIs, and for those without a prefix of their own."""

PREFIXES = {
    "heaps": GENERAL_PREFIX,
    "difflog": "difflog_pat_",
    "ascently": "ascently_pat_",
    "pinakes": "pinakes_pat_",
    "flowershow": "fs_pat_",
}
"""Every API that takes such tokens, and how those begin that open it alone."""

ALONE = frozenset({"ascently", "flowershow"})
"""APIs whose tokens open nothing else."""

_SHAPE = re.compile(
    f"({'|'.join(sorted(set(PREFIXES.values())))})" + r"[A-Za-z0-9_-]{43}", re.ASCII
)
_LEVELS = {"read": False, "write": True}


class Scope(NamedTuple):
    """One thing that a token opens."""

    api: str
    writes: bool

    @property
    def word(self) -> str:
        """The scope as it is stored and as people write it: `heaps:read`."""
        return f"{self.api}:{'write' if self.writes else 'read'}"


def read_scopes(words: list[str]) -> tuple[Scope, ...]:
    """The scopes of some words, each API once; raises BadCredential for what there is not."""
    found: dict[str, bool] = {}
    for word in words:
        api, _, level = word.partition(":")
        if api not in PREFIXES or level not in _LEVELS:
            raise BadCredential("scopes", f"must be of {', '.join(PREFIXES)}, each :read or :write")
        found[api] = found.get(api, False) or _LEVELS[level]
    if not found:
        raise BadCredential("scopes", "must name at least one")
    alone = ALONE & found.keys()
    if alone and len(found) > 1:
        raise BadCredential("scopes", f"of {min(alone)} must stand alone")
    return tuple(Scope(api, writes) for api, writes in sorted(found.items()))


def prefix_of(scopes: tuple[Scope, ...]) -> str:
    """How a token with these scopes begins."""
    return PREFIXES[scopes[0].api] if len(scopes) == 1 else GENERAL_PREFIX


def mint(scopes: tuple[Scope, ...], random_bytes: bytes) -> str:
    """A new token; whoever makes it shows it once and stores its digest."""
    assert len(random_bytes) == SECRET_BYTES
    secret = base64.urlsafe_b64encode(random_bytes).decode().rstrip("=")
    return prefix_of(scopes) + secret


def is_personal(text: str) -> bool:
    """Whether a text has the shape of such a token, so that looking it up makes sense."""
    return _SHAPE.fullmatch(text) is not None


def digest(text: str) -> bytes:
    """What the store keeps of a token. It holds 32 random bytes, so a plain hash hides it."""
    return hashlib.sha256(text.encode()).digest()

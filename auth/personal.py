"""Personal access tokens: random texts that speak for an account, to some APIs only.

The store keeps a digest, the scopes and the end (`auth.opaque` has their form). What a token opens
is said by its scopes, each an API and whether it may write: `heaps:read`, `pinakes:write`. Its
prefix tells people, and programs that look for lost secrets, what they have found. Some APIs'
tokens stand alone: a token that may lie in the settings of a phone opens nothing besides.
"""

from typing import NamedTuple

from auth.errors import BadCredential
from auth.opaque import mint, prefix_in

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

CLI_PREFIX = "fs_cli_"
"""Of tokens that a command line got by showing a code: they open what `flowershow` opens."""

ALONE = frozenset({"ascently", "flowershow"})
"""APIs whose tokens open nothing else."""

_ALL = frozenset({*PREFIXES.values(), CLI_PREFIX})
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


def mint_personal(scopes: tuple[Scope, ...], random_bytes: bytes) -> str:
    """A new token."""
    return mint(prefix_of(scopes), random_bytes)


def is_personal(text: str) -> bool:
    """Whether a text has the shape of such a token, so that looking it up makes sense."""
    return prefix_in(text) in _ALL

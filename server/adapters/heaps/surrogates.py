"""Half of a character in a body, which is no text: it spoils its own block, not the whole request.

JSON may spell a character beyond U+FFFF as two escapes, its surrogates; one alone is none. Who cuts
a text between the two sends one. Pure.
"""

from __future__ import annotations

import re
from typing import Final

ESCAPES_MAX: Final = 20_000
"""Escaped surrogates of a body that are looked at: a fault may not cost more than a few ms."""

_ESCAPE: Final = re.compile(rb"\\u[dD]([89a-fA-F])[0-9a-fA-F]{2}")
_HIGH: Final = b"89abAB"
_NONE: Final = rb"\u0000"
"""Not allowed in an id, a version or base64: what holds it is refused as what it is."""


def without_lone(data: bytes) -> bytes | None:
    """JSON with NUL for every surrogate that is alone; None where there is none, or too many."""
    spots = _escaped(data)
    if spots is None:
        return None
    parts, end, at = [], 0, 0
    while at < len(spots):
        start, is_high = spots[at]
        if is_high and at + 1 < len(spots) and spots[at + 1] == (start + 6, False):
            at += 2
            continue
        parts += [data[end:start], _NONE]
        end, at = start + 6, at + 1
    return b"".join([*parts, data[end:]]) if parts else None


def _escaped(data: bytes) -> list[tuple[int, bool]] | None:
    """Where surrogates are escaped, and whether each is the first half; None if too many are."""
    spots, end = [], 0
    for number, found in enumerate(_ESCAPE.finditer(data)):
        if number == ESCAPES_MAX:
            return None
        before = data[end : found.start()]
        # After an odd number of backslashes this one is a backslash that is escaped itself.
        if (len(before) - len(before.rstrip(b"\\"))) % 2 == 0:
            spots.append((found.start(), found[1] in _HIGH))
        end = found.end()
    return spots

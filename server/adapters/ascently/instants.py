"""Moments as clients write them: ISO 8601 with 0 to 9 digits of a second, and any offset.

They are compared as numbers: nanoseconds since 1970, because some phones count so finely.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

BEGINNING: Final = -(1 << 62)
"""Before everything."""

_SHAPE: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d:\d\d(?::\d\d)?)(?:[.,](\d+))?)?\s?(Z|z|[+-]\d\d(?::?\d\d)?)?",
    re.ASCII,
)
_NS: Final = 1_000_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def parse(text: str) -> int:
    """Nanoseconds since 1970; without an offset it is UTC. Raises ValueError."""
    found = _SHAPE.fullmatch(text)
    if found is None:
        raise ValueError(f"not a time: {text[:40]!r}")
    day, clock, fraction, offset = found.groups()
    zone = "+00:00" if offset in (None, "Z", "z") else offset
    try:
        at = datetime.fromisoformat(f"{day}T{clock or '00:00'}{zone}") - _EPOCH
    except (ValueError, OverflowError):
        raise ValueError(f"not a time: {text[:40]!r}") from None
    seconds = at.days * 86_400 + at.seconds
    return seconds * _NS + int((fraction or "0")[:9].ljust(9, "0"))


def compose(milliseconds: int) -> str:
    """A moment as this API writes it: three digits and Z."""
    seconds, rest = divmod(milliseconds, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:03}Z"

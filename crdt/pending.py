"""The updates of one document that wait for their predecessors, as they were received.

Trying them again costs time in proportion to all that waits, so tries are paid from an allowance:
turns bring a little, handshakes and ticks more. A document in which nothing moves pays nothing.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Final

from crdt.bounds import Bounds
from crdt.errors import UpdateError
from crdt.merging import EMPTY_UPDATE, merge

TURN_BYTES: Final = 4 * 1024
"""Allowance that a turn brings: 0.3 ms of work at most."""
NEWS_BYTES: Final = 256 * 1024
"""Allowance that a handshake or push with news brings, as missing predecessors come by those."""

_ROW_BYTES: Final = 32
"""What one update costs to try beside its length."""


class Pendings:
    """Updates in the order of receipt, each once; bounded by count and bytes."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._updates: dict[bytes, bytes] = {}
        """As received, and as pycrdt may have them (see `surrogates`)."""
        self._bytes = 0
        self._allowance = 0
        self._merged: bytes | None = None

    def __len__(self) -> int:
        return len(self._updates)

    @property
    def full(self) -> bool:
        """Whether no further update may wait. A single one of any size may."""
        return (
            len(self._updates) >= self._bounds.pending_updates_max
            or self._bytes >= self._bounds.pending_bytes_max
        )

    def updates(self) -> list[bytes]:
        """What waits, as received, oldest first."""
        return list(self._updates)

    def forms(self) -> list[bytes]:
        """What waits, as pycrdt may have it, oldest first."""
        return list(self._updates.values())

    def merged(self) -> bytes:
        """One update that stands for all that waits.

        Where hostile updates contradict each other so that they cannot be merged, the later ones
        are left out.
        """
        if self._merged is None:
            try:
                self._merged = merge(self.forms())
            except UpdateError:
                self._merged = EMPTY_UPDATE
                for form in self._updates.values():
                    with suppress(UpdateError):
                        self._merged = merge([self._merged, form])
        return self._merged

    def add(self, update: bytes, form: bytes) -> None:
        """Keep one more; nothing happens if it is kept already."""
        if update not in self._updates:
            self._updates[update] = form
            self._bytes += len(update)
            self._merged = None

    def transform(self, change: Callable[[bytes], bytes]) -> None:
        """Put other forms in place."""
        self._updates = {update: change(form) for update, form in self._updates.items()}
        self._merged = None

    def remove(self, updates: list[bytes]) -> None:
        """These do not wait any more."""
        for update in updates:
            del self._updates[update]
            self._bytes -= len(update)
        self._merged = None

    def allow(self, allowance: int) -> bool:
        """Add to the allowance; answers whether it now pays for a try, which it then does."""
        cost = self._bytes + _ROW_BYTES * len(self._updates)
        self._allowance = min(self._allowance + allowance, cost)
        if not self._updates or self._allowance < cost:
            return False
        self._allowance = 0
        return True

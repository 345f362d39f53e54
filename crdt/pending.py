"""The updates of one document that wait for their predecessors, as they were received.

Trying them again costs time in proportion to all that waits, so tries are paid from an allowance:
turns bring a little, handshakes and ticks more. A document in which nothing moves pays nothing.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Final

from crdt.bounds import Bounds
from crdt.errors import UpdateError
from crdt.gaps import Ready, ready_part
from crdt.merging import EMPTY_UPDATE, merge
from crdt.outline import Cover, Outline, outline

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
        self.bounded = True
        """Whether the bounds hold: what is stored already may wait without one."""
        self._updates: dict[bytes, bytes] = {}
        """As received, and as pycrdt may have them (see `surrogates`)."""
        self._outlines: dict[bytes, Outline] = {}
        self._covers: tuple[Cover, Cover] | None = None
        """The structs and the deletions of all that waits, kept while it only grows: a log in which
        thousands wait asks for each of its rows."""
        self._bytes = 0
        self._allowance = 0
        self._merged: bytes | None = None

    def __len__(self) -> int:
        return len(self._updates)

    def __contains__(self, update: bytes) -> bool:
        return update in self._updates

    @property
    def full(self) -> bool:
        """Whether no further update may wait. A single one of any size may."""
        return self.bounded and (
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
            read = self._outlines[update] = outline(form)
            if self._covers is not None:
                self._covers[0].add(read.ranges)
                self._covers[1].add(read.deletes)
            self._bytes += len(update)
            self._merged = None

    def transform(self, change: Callable[[bytes], bytes]) -> None:
        """Put other forms in place."""
        self._updates = {update: change(form) for update, form in self._updates.items()}
        self._merged = None

    def cover(self, ready: Ready) -> bool:
        """Whether all that is left of an update is in those that wait already."""
        if self._covers is None:
            structs, deletes = self._covers = Cover(), Cover()
            for read in self._outlines.values():
                structs.add(read.ranges)
                deletes.add(read.deletes)
        structs, deletes = self._covers
        return structs.has(ready.ranges) and deletes.has(ready.deletes)

    def ready(self, clocks: dict[int, int]) -> tuple[list[bytes], list[bytes]]:
        """The parts that may be applied now, and the updates that then wait no more.

        `clocks` is moved on by what is ready.
        """
        parts: list[bytes] = []
        went: list[bytes] = []
        for update, form in self._updates.items():
            found = ready_part(form, clocks, self._bounds)
            if found.part is not None:
                parts.append(found.part)
            if found.whole:
                went.append(update)
        return parts, went

    def remove(self, updates: list[bytes]) -> None:
        """These do not wait any more."""
        for update in updates:
            del self._updates[update]
            del self._outlines[update]
            self._bytes -= len(update)
        self._merged = self._covers = None

    def allow(self, allowance: int) -> int:
        """Add to the allowance; answers how many tries it now pays for, and pays them."""
        cost = self._bytes + _ROW_BYTES * len(self._updates)
        self._allowance = min(self._allowance + allowance, max(cost, allowance))
        if not self._updates or self._allowance < cost:
            return 0
        tries = self._allowance // cost
        self._allowance = 0
        return tries

"""What arrives for a document while it is loaded: kept in order, and within a bound."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from crdt.bounds import Bounds
from crdt.effects import Session
from crdt.events import JOIN, Item

ITEM_BYTES: Final = 256
"""What a message takes in memory beside its bytes."""


class Waiting:
    """Messages that are handled when the document is there."""

    __slots__ = ("_bounds", "_items", "bytes")

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._items: list[Item] | None = None
        self.bytes = 0
        """What they take in memory."""

    def __bool__(self) -> bool:
        return bool(self._items)

    def fits(self, inbox: Sequence[Item]) -> bool:
        """Keep what came in a turn; False, and nothing of it is kept, if it is too much."""
        size = sum(map(_size, inbox))
        if self.bytes + size > self._bounds.waiting_bytes_max:
            return False
        items = self._items or []
        items += inbox
        self._items = items
        self.bytes += size
        return True

    def put_first(self, items: list[Item]) -> None:
        """These were to be handled already: they come before all others."""
        self._items = items + (self._items or [])
        self.bytes += sum(map(_size, items))

    def take(self) -> list[Item]:
        """All of them, in order; nothing waits after that."""
        items, self._items = self._items, None
        self.bytes = 0
        return items or []

    def sessions(self) -> list[Session]:
        """Those that joined and are still here."""
        return [item[0] for item in self._items or () if item[1] == JOIN and not item[0].left]


def _size(item: Item) -> int:
    payload = item[2]
    return ITEM_BYTES + len(item[3]) + (len(payload) if isinstance(payload, bytes) else 0)

"""What the items of a profile take, followed: nobody counts ten thousand stars to add one.

Read once of a document in memory, and of each item that changed since, whoever changed it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from crdt.records import Collection

ITEMS: Final = ("diffs", "stars", "tldrs")
_KEPT: Final = "plait difflog sizes"


class Place(NamedTuple):
    """What one item takes, and its order."""

    size: int
    """Bytes of its id and its text."""
    at: int


class Counted:
    """The items of one document: `Counted.of(doc)`, inside `look` and `edit`."""

    def __init__(self, doc: Any) -> None:  # noqa: ANN401 (a document inside `look`)
        self._places: dict[str, dict[str, Place]] = {name: {} for name in ITEMS}
        self._changed: set[tuple[str, str]] = set()
        self.size = 0
        """Bytes of all items."""
        self._latest: int | None = 0
        self._subscriptions = []
        for name in ITEMS:
            collection = Collection.of(doc, name)
            self._changed.update((name, key) for key, _ in collection.all())
            # They live as long as the document, which holds this object.
            self._subscriptions.append(collection.observe(self._hearing(name)))

    @classmethod
    def of(cls, doc: Any) -> Counted:  # noqa: ANN401
        """What is known of a document, brought up to date."""
        kept = vars(doc)
        if _KEPT not in kept:
            kept[_KEPT] = cls(doc)
        counted: Counted = kept[_KEPT]
        counted._follow(doc)
        return counted

    def places(self, name: str) -> Mapping[str, Place]:
        """The items of a collection; not to be changed."""
        return self._places[name]

    @property
    def latest(self) -> int:
        """The latest order of any item; 0 where there is none."""
        if self._latest is None:
            orders = (place.at for places in self._places.values() for place in places.values())
            self._latest = max(orders, default=0)
        return self._latest

    def _hearing(self, name: str) -> Any:  # noqa: ANN401
        return lambda event: self._changed.update((name, key) for key in event.keys)

    def _follow(self, doc: Any) -> None:  # noqa: ANN401
        for name, key in self._changed:
            places = self._places[name]
            before = places.pop(key, None)
            if before is not None:
                self.size -= before.size
                if before.at == self._latest:
                    self._latest = None
            record = Collection.of(doc, name).find(key)
            if record is None:
                continue
            text = record.value if isinstance(record.value, str) else ""
            place = places[key] = Place(size_of(key, text), record.at or 0)
            self.size += place.size
            if self._latest is not None:
                self._latest = max(self._latest, place.at)
        self._changed.clear()


def size_of(*texts: str) -> int:
    """Bytes of texts in UTF-8."""
    return sum(len(text) if text.isascii() else len(text.encode()) for text in texts)

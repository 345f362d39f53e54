"""Which records of a document changed since they were last told of: for the feed of records.

A tracker follows the collections of one document while it is in memory. Without one the same is
found by applying the rows of the log to the document as it was (`changed_by`).
"""

from collections.abc import Sequence
from functools import partial
from operator import itemgetter
from typing import Any

import msgspec

from crdt.document import Document
from crdt.entries import entry_of, is_id
from crdt.records import Collection

Key = tuple[str, str]
"""A collection and the id of a record in it."""


class Item(msgspec.Struct, frozen=True):
    """What became of one record."""

    collection: str
    record: str
    state: str
    """"there", "deleted" (a tombstone), or "gone" (nothing stands there any more)."""


class Taken(msgspec.Struct, frozen=True):
    """What a tracker knew at one moment."""

    since: int | None
    """Every change of rows above this sequence is among the items; None: that is not known."""
    round: int
    serial: int
    items: tuple[Item, ...]


class Tracker:
    """Follows some collections of one document. Everything is told until it is `settled`."""

    def __init__(self, collections: Sequence[str]) -> None:
        self.collections = tuple(collections)
        self._inner: Any = None
        self._since: int | None = None
        self._round = 0
        self._serial = 0
        self._changed: dict[Key, tuple[int, str]] = {}
        self._subscriptions: list[Any] = []

    def follow(self, document: Document, sequence: int) -> None:
        """Follow a document from now on; it holds the rows of its log up to `sequence`, no more."""
        if self._attach(document) and self._round == 1:
            self._since = sequence

    def take(self, document: Document) -> Taken:
        """What changed up to now; it will be told again until it is `settled`.

        pycrdt's document may have been replaced inside ours: what happened meanwhile is not known.
        """
        self._attach(document)
        items = tuple(Item(*key, state) for key, (_, state) in self._changed.items())
        return Taken(self._since, self._round, self._serial, items)

    def settled(self, taken: Taken, sequence: int) -> None:
        """Everything that was taken has its stamp, and so has every row up to `sequence`."""
        for item in taken.items:
            key = (item.collection, item.record)
            if self._changed.get(key, (taken.serial + 1,))[0] <= taken.serial:
                del self._changed[key]
        if taken.round == self._round:
            self._since = max(sequence, self._since or 0)

    def _attach(self, document: Document) -> bool:
        """Listen to the document that is inside ours now; whether it is another than before."""
        replica = document.wake()
        inner: Any = replica.look(lambda doc: doc)
        if inner is self._inner:
            return False
        self._inner = inner
        self._round += 1
        self._since = None
        self._subscriptions = [
            replica.look(partial(_listen, name=name, heard=self._heard))
            for name in self.collections
        ]
        return True

    def _heard(self, collection: str, event: Any) -> None:  # noqa: ANN401  (pycrdt's own type)
        self._serial += 1
        # pycrdt tells the keys of one transaction in no order.
        for key, change in sorted(event.keys.items(), key=itemgetter(0)):
            if is_id(key):
                state = state_of(change.get("newValue"))
                self._changed.pop((collection, key), None)
                self._changed[collection, key] = (self._serial, state)


def _listen(doc: Any, *, name: str, heard: Any) -> Any:  # noqa: ANN401  (pycrdt's own types)
    return Collection.of(doc, name).observe(partial(heard, name))


def state_of(raw: object) -> str:
    """What stands under an id: see `Item`."""
    entry = entry_of(raw)
    if entry is None:
        return "gone"
    return "deleted" if "deleted" in entry else "there"


def changed_by(
    before: Sequence[bytes], rows: Sequence[bytes], collections: Sequence[str]
) -> tuple[Item, ...] | None:
    """What the rows changed in a document of the rows before them; None where nobody can say.

    Raises as `Document.rebuild`.
    """
    document = Document.rebuild(before)
    tracker = Tracker(collections)
    tracker.follow(document, 0)
    document.apply_stored(rows)
    document.settle()
    taken = tracker.take(document)
    return taken.items if taken.round == 1 else None


def all_records(rows: Sequence[bytes], collections: Sequence[str]) -> tuple[Item, ...]:
    """Every record of a document, tombstones too. Raises as `Document.rebuild`."""
    document = Document.rebuild(rows)

    def read(doc: Any) -> list[Item]:  # noqa: ANN401
        return [
            Item(name, key, "deleted" if record.is_deleted else "there")
            for name in collections
            for key, record in Collection.of(doc, name).all()
        ]

    return tuple(document.look(read))

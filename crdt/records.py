"""Collections of plain records in a document: the facility that adapters keep their data in.

A collection is a root map of the document; a record is one atomic value in it, under its id. Two
replicas that each begin a collection have the same root, where of two maps inside a map one would
be replaced by the other, with all that is in it.

    root NAME: Map
        id -> {"value": plain}                           put: the last arrival replaces it
        id -> {"value": plain, "at": milliseconds}       put_latest: the later `at` wins
        id -> {"deleted": true, "at": milliseconds}      delete: a tombstone
        forgotten ids are not there

Of writers who did not see each other the CRDT picks one, the same everywhere, whatever their `at`.
A replica that watches a collection notices when a later record was replaced by an earlier one in
that way, and `mend` puts it back; once all have mended and synced, the latest stands everywhere.

What a peer wrote into the map that is no record is as if it were not there.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable
from typing import Any, Final

import pycrdt

from crdt.entries import (
    BadRecord,
    Entry,
    Record,
    Value,
    checked_at,
    encoded,
    entry_of,
    is_id,
    plain,
    rank,
    record_of,
    restored,
)

__all__ = ["BadRecord", "Collection", "Record", "Value"]

_KEPT: Final = "_plait_collections"


class Collection:
    """One collection of one document: `Collection.of(document, name)`.

    Its methods are for use inside `Document.edit` (all) and `Document.look` (those that only read).
    Reading and writing one record takes no longer in a collection of 100,000. What needs an order
    (`changed_since`, `len`) reads the whole collection once and follows its changes from then on.
    """

    def __init__(self, doc: "pycrdt.Doc[Any]", name: str) -> None:
        """Use `of`, so that what is known of a collection is kept."""
        self._doc, self._name = doc, name
        with doc.transaction() as transaction:
            self._map: Any = doc._doc.get_or_insert_map(transaction._txn, name)  # type: ignore[arg-type]  # noqa: SLF001
        self._index: _Index | None = None

    @classmethod
    def of(cls, doc: "pycrdt.Doc[Any]", name: str) -> "Collection":
        """The collection of that name, the same object each time."""
        kept: dict[str, Collection] = vars(doc).setdefault(_KEPT, {})
        if name not in kept:
            kept[name] = cls(doc, name)
        return kept[name]

    # --- one record --------------------------------------------------------------------------

    def find(self, record: str) -> Record | None:
        """What stands under an id, tombstones too."""
        return record_of(self._raw(record))

    def entry(self, record: str) -> Entry | None:
        """The same as it is stored."""
        return entry_of(self._raw(record))

    @property
    def has_list(self) -> bool:
        """Whether a peer used the root as a text or a list too, which no record can be in."""
        with self._doc.transaction() as transaction:
            raw: Any = transaction._txn  # noqa: SLF001
            shared: Any = self._doc._doc.get_or_insert_array(raw, self._name)  # noqa: SLF001
            return bool(shared.len(raw))

    def get(self, record: str) -> Value:
        """The value under an id; None where there is none, or where it was deleted."""
        found = self.find(record)
        return None if found is None else found.value

    def put(self, record: str, value: Value, at: int | None = None) -> bool:
        """Replace whatever stands there, whatever its time. Whether that changed anything.

        With `at` for who decides by a rule of his own what is later. Raises BadRecord.
        """
        entry = {"value": plain(value)}
        return self._write(record, entry if at is None else entry | {"at": checked_at(at)})

    def put_latest(self, record: str, value: Value, at: int) -> bool:
        """Replace what stands there if `at` is later; of equal ones the same wins everywhere.

        Whether that changed anything. Raises BadRecord.
        """
        return self._write_latest(record, {"value": plain(value), "at": checked_at(at)})

    def delete(self, record: str, at: int) -> bool:
        """Leave a tombstone, unless what stands there is later; equal times are deletions.

        Whether that changed anything. Raises BadRecord.
        """
        return self._write_latest(record, {"deleted": True, "at": checked_at(at)})

    def forget(self, record: str) -> bool:
        """Remove what stands there and leave nothing. Whether anything did."""
        with self._doc.transaction() as transaction:
            raw: Any = transaction._txn  # noqa: SLF001
            if not is_id(record) or not self._map.has(raw, record):
                return False
            self._map.remove(raw, record)
        return True

    # --- many records ------------------------------------------------------------------------

    def all(self) -> list[tuple[str, Record]]:
        """What stands under every id, tombstones too, in no order. Reads all of them."""
        found = []
        with self._doc.transaction() as transaction:
            raw: Any = transaction._txn  # noqa: SLF001
            for key in self._map.keys(raw):
                record = record_of(self._map.get(raw, key))
                if record is not None:
                    found.append((key, record))
        return found

    def items(self) -> list[tuple[str, Value]]:
        """Every record that is not deleted, in no order. Reads all of them."""
        return [(key, found.value) for key, found in self.all() if not found.is_deleted]

    def tombstones(self) -> list[tuple[str, int]]:
        """Every id that was deleted, and when. Reads all records."""
        return [
            (key, found.at)
            for key, found in self.all()
            if found.is_deleted and found.at is not None
        ]

    def changed_since(self, at: int) -> list[tuple[str, Record]]:
        """The records with a later time than `at`, tombstones too, earliest first."""
        found = []
        for key in self._watched().since(at):
            record = self.find(key)
            if record is not None:
                found.append((key, record))
        return found

    def __len__(self) -> int:
        """How many records there are that are not deleted."""
        return self._watched().live

    # --- writers who did not see each other ----------------------------------------------------

    def watch(self) -> None:
        """From now on notice what `mend` has to put back."""
        self._watched()

    def observe(self, heard: Callable[[Any], None]) -> Any:  # noqa: ANN401  (pycrdt's own type)
        """Have pycrdt's events told, whoever wrote, as long as the answer is kept."""
        return self._map.observe(heard)

    def mend(self) -> int:
        """Put back what an earlier record has replaced since `watch`; how many those were."""
        lost = self._watched().take_lost()
        return sum(self._write_latest(key, entry) for key, entry in lost.items())

    # --- in common ---------------------------------------------------------------------------

    def _raw(self, record: str) -> object:
        if not is_id(record):
            return None
        with self._doc.transaction() as transaction:
            raw: Any = transaction._txn  # noqa: SLF001
            return self._map.get(raw, record) if self._map.has(raw, record) else None

    def _write_latest(self, record: str, entry: Entry) -> bool:
        present = self._raw(record)
        found = record_of(present)
        if found is not None and found.at is not None and rank(entry) <= rank(restored(present)):
            return False
        return self._write(record, entry)

    def _write(self, record: str, entry: Entry) -> bool:
        if not is_id(record):
            raise BadRecord("record-id")
        present = self._raw(record)
        if isinstance(present, dict) and encoded(restored(present)) == encoded(entry):
            return False
        with self._doc.transaction() as transaction:
            self._map.insert(transaction._txn, record, entry)  # noqa: SLF001
        if self._index is not None:
            self._index.note(record, entry)
        return True

    def _watched(self) -> "_Index":
        if self._index is None:
            self._index = _Index(self.all())
            # The subscription lives as long as the document, which holds this object.
            self._subscription = self.observe(self._index.heard)
        return self._index


class _Index:
    """The times of all records in order, kept up by the changes of the map."""

    def __init__(self, records: list[tuple[str, Record]]) -> None:
        self._at: dict[str, tuple[int | None, bool]] = {}
        self._order = sorted((found.at, key) for key, found in records if found.at is not None)
        self._lost: dict[str, Entry] = {}
        self.live = 0
        for key, found in records:
            self._at[key] = (found.at, found.is_deleted)
            self.live += not found.is_deleted

    def since(self, at: int) -> list[str]:
        """The ids with a later time, earliest first."""
        return [key for _, key in self._order[bisect_right(self._order, (at, "\U0010ffff")) :]]

    def take_lost(self) -> dict[str, Entry]:
        """What was replaced by something earlier; they are forgotten here."""
        lost, self._lost = self._lost, {}
        return lost

    def heard(self, event: Any) -> None:  # noqa: ANN401  (pycrdt's own type is not public)
        """The map changed, whoever did it."""
        for key, change in event.keys.items():
            new = entry_of(change.get("newValue"))
            old = entry_of(change.get("oldValue"))
            self.note(key, new)
            lost = self._lost.get(key)
            if new is None:
                self._lost.pop(key, None)
            elif "at" in new:
                latest = max((e for e in (lost, old) if e and "at" in e), key=rank, default=None)
                if latest is not None and rank(latest) > rank(new):
                    self._lost[key] = latest
                else:
                    self._lost.pop(key, None)

    def note(self, key: str, entry: Entry | None) -> None:
        """What stands under an id now; telling the same twice changes nothing."""
        before = self._at.pop(key, None)
        if before is not None:
            at, deleted = before
            self.live -= not deleted
            if at is not None:
                del self._order[bisect_left(self._order, (at, key))]
        if entry is not None:
            at, deleted = entry.get("at"), "deleted" in entry
            self._at[key] = (at, deleted)
            self.live += not deleted
            if at is not None:
                insort(self._order, (at, key))

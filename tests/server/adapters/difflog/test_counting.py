"""What the items of a profile take, as it changes."""

from __future__ import annotations

from typing import Any

import pycrdt

from crdt.records import Collection
from server.adapters.difflog.counting import Counted, Place


def test_each_change_is_counted_once_whoever_made_it() -> None:
    """New, replaced and removed items, by this replica and by another."""
    doc: Any = pycrdt.Doc()
    stars = Collection.of(doc, "stars")
    stars.put_latest("a", "é", 5)
    first = Counted.of(doc)
    known = (first.size, first.latest, dict(first.places("stars")))
    other: Any = pycrdt.Doc()
    other.apply_update(doc.get_update())
    Collection.of(other, "diffs").put_latest("bb", "text", 9)
    Collection.of(other, "stars").put_latest("a", "x", 6)
    doc.apply_update(other.get_update())
    merged = (Counted.of(doc).size, first.latest)
    Collection.of(doc, "diffs").forget("bb")

    assert known == (3, 5, {"a": Place(3, 5)})
    assert merged == (8, 9)
    assert Counted.of(doc) is first
    assert (first.size, first.latest, dict(first.places("diffs"))) == (2, 6, {})


def test_only_what_changed_is_read_again() -> None:
    """The places of a thousand other items are the same objects as before."""
    doc: Any = pycrdt.Doc()
    stars = Collection.of(doc, "stars")
    for number in range(1000):
        stars.put_latest(str(number), "x", number)
    before = dict(Counted.of(doc).places("stars"))
    stars.put_latest("7", "y", 5000)
    after = Counted.of(doc).places("stars")

    assert [key for key in before if after[key] is not before[key]] == ["7"]

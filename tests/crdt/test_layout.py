"""Updates are tried before they reach a document whose kind has a layout."""

from __future__ import annotations

from typing import Any

import pycrdt
import pytest

from crdt.document import Document
from crdt.layout import OUT_OF_ORDER, SCHEMA, Change, Find, Layout, Trial


def allows(change: Change, find: Find) -> bool:
    """Texts under `names`; what goes leaves a tombstone under `gone`."""
    if change.new is None:
        return change.collection == "names" and find("gone", change.key) is not None
    return isinstance(change.new.get("value"), str)


LAYOUT = Layout(("names", "gone"), allows)


class Peer:
    """A replica of the document, and the trial that stands between them."""

    def __init__(self) -> None:
        self.document = Document(client_id=1)
        self.trial = Trial(LAYOUT)
        self.doc: Any = pycrdt.Doc()

    def update(self, change: Any, root: str = "names", kind: Any = pycrdt.Map) -> bytes:
        """What a change to one of the roots sends."""
        before = self.doc.get_state()
        with self.doc.transaction():
            change(self.doc.get(root, type=kind))
        made: bytes = self.doc.get_update(before)
        return made

    def send(self, update: bytes) -> str | None:
        """Send an update; why it is refused."""
        why = self.trial.verdict(update, self.document)
        if why is None:
            self.document.apply_turn([update])
        else:
            self.doc = pycrdt.Doc()
            self.doc.apply_update(self.document.encode())
        return why

    def put(self, key: str, value: Any, root: str = "names") -> str | None:
        """Write an entry."""
        return self.send(self.update(lambda shared: shared.update({key: value}), root))


def test_records_of_the_form_pass_and_all_else_is_refused() -> None:
    """And after a refusal the next good one passes."""
    peer = Peer()
    for value, why in (
        ({"value": "a"}, None),
        ({"value": 5}, SCHEMA),
        ("bare", SCHEMA),
        (None, SCHEMA),
        ({"value": "a", "more": 1}, SCHEMA),
        (pycrdt.Map({"value": "a"}), SCHEMA),
        (pycrdt.Text("a"), SCHEMA),
        ({"value": "b"}, None),
    ):
        assert peer.put("k", value) == why
    assert peer.put("k\0", {"value": "a"}) == SCHEMA
    assert peer.put("", {"value": "a"}) == SCHEMA
    assert peer.put("k", {"value": "a"}, "other root") == SCHEMA


@pytest.mark.parametrize(
    ("kind", "write"),
    [
        (pycrdt.Text, lambda shared: shared.insert(0, "text")),
        (pycrdt.Array, lambda shared: shared.append({"value": "a"})),
    ],
)
def test_a_root_is_a_map_and_nothing_else(kind: Any, write: Any) -> None:
    """Text or a list in a root of ours would stay there unseen."""
    peer = Peer()

    assert peer.send(peer.update(write, "names", kind)) == SCHEMA
    assert peer.put("k", {"value": "a"}) is None


def test_changes_are_judged_by_what_stands_beside_them() -> None:
    """In the document as it is after the whole update."""
    peer = Peer()
    peer.put("k", {"value": "a"})
    alone = peer.send(peer.update(lambda shared: shared.pop("k")))

    def both() -> bytes:
        before = peer.doc.get_state()
        with peer.doc.transaction():
            peer.doc.get("names", type=pycrdt.Map).pop("k")
            peer.doc.get("gone", type=pycrdt.Map).update({"k": {"value": "x"}})
        made: bytes = peer.doc.get_update(before)
        return made

    assert (alone, peer.send(both())) == (SCHEMA, None)


def test_what_others_changed_meanwhile_is_known() -> None:
    """Edits of the server reach the document beside the trial."""
    peer = Peer()
    peer.put("k", {"value": "a"})
    peer.document.edit(lambda doc: doc.get("gone", type=pycrdt.Map).update({"k": {"value": "x"}}))
    gone = peer.send(peer.update(lambda shared: shared.pop("k")))

    assert gone is None


def test_what_came_before_its_predecessor_is_asked_for_again() -> None:
    """It cannot be judged; with its predecessor it is taken."""
    peer = Peer()
    first = peer.update(lambda shared: shared.update({"k": {"value": "a"}}))
    second = peer.update(lambda shared: shared.update({"k": {"value": "b"}}))
    both = peer.doc.get_update()

    assert peer.trial.verdict(second, peer.document) == OUT_OF_ORDER
    assert peer.send(first) is None
    assert peer.send(both) is None
    assert not peer.document.has_pending


def test_bytes_that_are_no_update_are_refused() -> None:
    """And leave the trial usable."""
    peer = Peer()

    assert peer.trial.verdict(b"\x01\x01", peer.document) is not None
    assert peer.put("k", {"value": "a"}) is None


def test_kinds_without_a_layout_have_no_trial() -> None:
    """Blocks hold whatever their editors write."""
    assert Trial.of(None) is None
    assert Trial.of(LAYOUT) is not None

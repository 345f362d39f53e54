"""Replicas of snapshots and rows: in order or not, and with rows that cannot be applied."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from pycrdt import Doc, Text

from crdt.bounds import BOUNDS
from crdt.building import built
from crdt.document import Document
from crdt.errors import DocumentBroken, OutOfOrder, UpdateError
from crdt.patience import PatientReplica
from tests.crdt.rooms import Editor


def _built(rows: Sequence[bytes], *, exact: bool = False, careful: bool = False) -> PatientReplica:
    return built(rows, client_id=1, bounds=BOUNDS, exact=exact, careful=careful)


def _text(replica: PatientReplica) -> str:
    def ask(doc: Doc[Any]) -> str:
        return str(doc.get("text", type=Text))

    return replica.look(ask)


@pytest.mark.parametrize("careful", [False, True])
def test_a_snapshot_and_the_rows_behind_it(careful: bool) -> None:
    """Also where the snapshot holds some of the rows already."""
    editor = Editor()
    first, second, third = editor.type("a"), editor.type("b"), editor.type("c")
    snapshot = Document.rebuild([first, second]).encode()

    replica = _built([snapshot, second, third], careful=careful)

    assert _text(replica) == "abc"
    assert replica.is_settled is not careful
    assert replica.pendings.bounded


def test_rows_in_any_order_are_healed() -> None:
    """Nothing waits in the end; what misses its predecessor does, and is in no snapshot."""
    editor = Editor()
    rows = [editor.type(letter) for letter in "abcd"]
    replica = _built([rows[0], rows[3], rows[2], rows[1]])
    assert _text(replica) == "abcd"
    assert replica.is_settled
    replica = _built([rows[0], rows[3]])
    assert _text(replica) == "a"
    assert (replica.pendings.updates(), replica.is_settled) == ([rows[3]], False)


def test_exact_is_for_what_comes_later() -> None:
    """Nothing that is stored raises OutOfOrder; the first update that waits after it does."""
    editor = Editor()
    rows = [editor.type(letter) for letter in "abc"]
    editor.type("d")
    late = editor.type("e")
    for known in ([], rows):
        replica = _built(known, exact=True)
        with pytest.raises(OutOfOrder):
            replica.apply([late], observe=False)
    assert _text(_built([rows[0], rows[2], rows[1]], exact=True)) == "abc"


def test_a_row_that_is_no_update() -> None:
    """It says so, and which it was where that is known; a document is never just empty."""
    editor = Editor()
    with pytest.raises((UpdateError, DocumentBroken)):
        _built([editor.type("a"), b"\1\1\7\0\xff nothing"])

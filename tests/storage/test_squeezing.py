"""The pure work of compaction."""

from typing import Any

import pycrdt
import pytest

from crdt.document import Document
from crdt.errors import DocumentBroken
from storage.squeezing import Squeezed, merge_pieces, rebuild_without_bad, squeeze
from tests.crdt.samples import insert
from tests.storage.papers import BREAKS, drawing, text_of, typing


def test_a_snapshot_stands_for_its_rows() -> None:
    """It loads as they do, and its facts are the document's."""
    squeezed = squeeze(None, list(enumerate(typing("abc"), 1)))

    assert isinstance(squeezed, Squeezed)
    assert squeezed.pending == squeezed.bad == []
    assert text_of([squeezed.data]) == "abc"
    assert squeezed.state_vector == Document.rebuild([squeezed.data]).state_vector()


def test_plain_objects_do_not_stand_in_the_way() -> None:
    """Pycrdt writes their keys in another order each time; the document is the same."""
    document: pycrdt.Doc[Any] = pycrdt.Doc(client_id=5)
    rows: list[bytes] = []
    document.observe(lambda event: rows.append(event.update))
    keys = document.get("keys", type=pycrdt.Map)
    keys["rect"] = {letter: {"x": 1, "y": 2, letter: 3} for letter in "abcdef"}
    keys["list"] = [{"left": 1, "right": 2}]
    text = document.get("text", type=pycrdt.Text)
    text += "ab"
    text.insert_embed(1, {"src": "x", "alt": "y"}, {"link": {"href": "x", "title": "y"}})

    found = [squeeze(None, list(enumerate(rows, 1))) for _ in range(20)]

    assert all(isinstance(one, Squeezed) for one in found), found
    merged = [merge_pieces(rows, [(0, 2)]) for _ in range(20)]
    assert not [one for one in merged if isinstance(one, str)]


def test_many_writers_do_not_stand_in_the_way() -> None:
    """Pycrdt writes the clients of a state vector in another order each time."""
    rows = [insert(client, 0, "x") for client in range(100, 140)]

    assert isinstance(squeeze(None, list(enumerate(rows, 1))), Squeezed)


def test_a_row_that_waits_stays_a_row() -> None:
    """The snapshot is what can be read without it."""
    one, _, three = typing("abc")

    squeezed = squeeze(None, [(1, one), (2, three)])

    assert isinstance(squeezed, Squeezed)
    assert (squeezed.pending, text_of([squeezed.data])) == ([2], "a")


def test_an_older_snapshot_that_waits_for_something_is_not_built_on() -> None:
    """It should have kept that as a row; now nothing may be replaced."""
    one, _, three = typing("abc")
    waiting = Document.rebuild([one, three]).encode()

    assert isinstance(squeeze(waiting, [(3, one)]), str)


def test_a_bad_snapshot_is_no_rows_fault() -> None:
    """No row is set aside for it."""
    with pytest.raises(DocumentBroken):
        squeeze(b"damaged", [(1, typing("a")[0])])


def test_the_row_that_breaks_the_document_is_found_among_good_ones() -> None:
    """The letters before and behind it are innocent."""
    one, two, three = typing("abc")
    rows = [(1, one), (2, BREAKS), (3, two), (4, three)]

    document, encoded, good, bad = rebuild_without_bad(None, rows)

    assert [sequence for sequence, _ in bad] == [2]
    assert [sequence for sequence, _ in good] == [1, 3, 4]
    assert encoded == document.encode()
    assert text_of([encoded]) == "abc"


def test_merged_stretches_spell_the_same() -> None:
    """At every boundary that is left, and at the end."""
    rows = drawing(2)
    merged = merge_pieces(rows, [(0, 10), (20, 50)])

    assert not isinstance(merged, str)
    pieces = [merged[0][1], *rows[10:20], merged[1][1], *rows[50:]]
    for upto, before in ((1, 10), (11, 20), (12, 50), (len(pieces), len(rows))):
        whole = Document.rebuild(rows[:before])
        assert Document.rebuild(pieces[:upto]).encode() == whole.encode()

"""The pure work of compaction."""

import pytest

from crdt.document import Document
from crdt.errors import DocumentBroken
from storage.squeezing import Squeezed, merge_pieces, rebuild_without_bad, squeeze
from tests.storage.papers import BREAKS, drawing, text_of, typing


def test_a_snapshot_stands_for_its_rows() -> None:
    """It loads as they do, and its facts are the document's."""
    squeezed = squeeze(None, list(enumerate(typing("abc"), 1)))

    assert isinstance(squeezed, Squeezed)
    assert squeezed.pending == squeezed.bad == []
    assert text_of([squeezed.data]) == "abc"
    assert squeezed.state_vector == Document.rebuild([squeezed.data]).state_vector()


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

"""Characters of two units that an editor cuts in two: two U+FFFD, as in Yjs, and no clock moves."""

import random

import pytest

from crdt.document import Document
from crdt.surrogates import Pairs, may_hold_pairs
from tests.crdt.samples import clocks_of, delete, insert, text_of

CUTS: dict[str, tuple[str, list[bytes], str]] = {
    "second half deleted": ("a🙂b", [delete(5, 2, 1)], "a�b"),
    "first half deleted": ("a🙂b", [delete(5, 1, 1)], "a�b"),
    "deleted up to its middle": ("a🙂b", [delete(5, 0, 2)], "�b"),
    "deleted from its middle": ("a🙂b", [delete(5, 2, 2)], "a�"),
    "from middle to middle": ("🙂🙂", [delete(5, 1, 2)], "��"),
    "inserted between its halves": (
        "a🙂b",
        [b"\x01\x01\x06\x00\xc4\x05\x01\x05\x02\x01x\x00"],
        "a�x�b",
    ),
    "its halves typed one by one": ("🙂", [insert(5, 0, "�"), insert(5, 1, "�", origin=0)], "��"),
    "one of several": ("🙂🙃🙂", [delete(5, 3, 1), delete(5, 0, 2)], "�🙂"),
}


@pytest.mark.parametrize("case", CUTS.values(), ids=list(CUTS))
@pytest.mark.parametrize("together", [True, False], ids=["one turn", "two turns"])
@pytest.mark.parametrize("swapped", [True, False], ids=["cut first", "text first"])
def test_a_character_cut_in_two_is_two_replacements(
    case: tuple[str, list[bytes], str], together: bool, swapped: bool
) -> None:
    """As in Yjs: every clock stays, and what is encoded loads as the same document."""
    text, cuts, reads = case
    order = [[insert(5, 0, text)], cuts] if not swapped else [cuts, [insert(5, 0, text)]]
    document = Document()
    for turn in [[*order[0], *order[1]]] if together else order:
        assert not any(document.apply_turn(turn))

    assert text_of(document.encode()) == reads
    assert clocks_of(document)[5] == len(text.encode("utf-16-le")) // 2
    again = Document.rebuild([document.encode()])
    assert again.state_vector() == document.state_vector()
    assert text_of(Document.rebuild([insert(5, 0, text), *cuts]).encode()) == reads
    assert not document.has_pending


@pytest.mark.parametrize("seed", range(40))
def test_in_a_snapshot_such_characters_are_found_as_in_a_keystroke(seed: int) -> None:
    """Long bytes are searched in another way; the answer is the same, wherever they stand."""
    chance = random.Random(seed)
    plain = bytes(chance.choices(range(0x80), k=5000))
    alike = bytes(chance.choices((0x41, 0x80, 0xBF, 0xC3, 0xF0, 0xF4, 0xF5), k=5000 + seed))
    for update in (plain, plain + "🙂".encode(), "🙃".encode() + plain, alike, alike[:9] + plain):
        assert Pairs().concerned([update]) is (may_hold_pairs(update) is not None)

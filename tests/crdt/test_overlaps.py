"""Batches in which two updates bring the same structs are found: they have killed the process."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crdt.document import Document, merge
from crdt.errors import UpdateError
from crdt.outline import outline
from crdt.overlaps import overlap
from tests.crdt.samples import AB, HISTORIES, C, Case, D, delete, examples, insert, mutants, text_of

HOME = Path(__file__).parents[2]
BATCHES = {
    "nothing": ([], False),
    "one": ([AB], False),
    "of other clients": ([AB, insert(6, 0, "x"), insert(7, 0, "y")], False),
    "one behind the other": ([AB, C, D], False),
    "one behind the other, later first": ([D, AB, C], False),
    "the same twice": ([AB, AB], True),
    "a part": ([AB, insert(5, 1, "b", origin=0)], True),
    "a part of a merged one": ([merge([AB, C]), C], True),
    "into a gap": ([merge([AB, D]), C], False),
    "over a gap": ([merge([AB, D]), insert(5, 2, "cd", origin=1)], True),
    "deletions only": ([delete(5, 0, 1), delete(5, 0, 1)], False),
    "not ASCII": ([insert(5, 0, "ü🙂"), insert(5, 3, "x", origin=2)], False),
    "not ASCII, a part": ([insert(5, 0, "ü🙂"), insert(5, 2, "x", origin=1)], True),
    "numbers in a longer form": ([AB, b"\1\1\x85\0\1\x84\5\0\1b\0"], True),
    "letters in a longer form": (
        [insert(5, 1, "b", origin=0), b"\1\1\5\x81\0\x84\5\0\1b\0"],
        True,
    ),
    "clocks of two bytes": (
        [insert(5, clock, "x", origin=clock - 1) for clock in range(120, 140)],
        False,
    ),
    "words": ([insert(5, 10 * n, "ten letter", origin=10 * n - 1) for n in range(1, 30)], False),
    "words, one twice": (
        [insert(5, 10 * n, "ten letter", origin=10 * n - 1) for n in (1, 2, 3, 2)],
        True,
    ),
    "words that overlap by a letter": (
        [insert(5, 9 * n, "ten letter", origin=9 * n - 1) for n in (1, 2, 3)],
        True,
    ),
    "letters among deletions": ([C, delete(5, 0, 1), D, delete(5, 0, 2)], False),
    "a letter twice among deletions": ([C, delete(5, 0, 1), D, C], True),
    "merged of several clients": ([merge([AB, insert(6, 0, "x")]), insert(6, 0, "x")], True),
}


@pytest.mark.parametrize("case", BATCHES.values(), ids=list(BATCHES))
def test_overlapping_batches_are_found(case: tuple[list[bytes], bool]) -> None:
    """By their clocks, whatever order they stand in."""
    updates, answer = case

    assert overlap(updates) is answer


@pytest.mark.parametrize("case", HISTORIES.values(), ids=list(HISTORIES))
def test_a_history_does_not_overlap(case: Case) -> None:
    """Every editor brings each struct once."""
    assert not overlap(case.updates)


@examples(300, 20_000)
@given(st.lists(mutants(), min_size=2, max_size=5))
def test_no_overlap_is_missed(updates: list[bytes]) -> None:
    """Where it says no, no two updates that can be read bring the same clock of a client."""
    if overlap(updates):
        return
    seen: set[tuple[int, int]] = set()
    for update in updates:
        try:
            ranges = outline(update).ranges
        except UpdateError:
            continue
        for client, low, high in ranges:
            clocks = {(client, clock) for clock in range(low, min(high, low + 1000))}
            assert not clocks & seen
            seen |= clocks


KILLER = """
from crdt import structure
from crdt.document import Document
waiting = bytes.fromhex(
    "0301ffffffffffffff0f0004010174047769646503050c2801016d026b30017602016e7d860c01757701760a0288"
    "05040176020175770176016e7db20a03020ac40202020901610a10c40209020102c3bc0402010c01040100010501"
    "0401440203010801"
)
one = bytes.fromhex("0101050a44020502c3bc00")
other = bytes.fromhex("0101050ac4050205030474776f2000")
for update in (waiting, one, other):
    structure.check(update)
for turns in ([[waiting, one, other]], [[waiting], [one, other]], [[one, waiting], [other]]):
    document = Document()
    for turn in turns:
        document.apply_turn(turn)
    document.encode()
Document.rebuild([waiting, one, other]).encode()
print("alive")
"""


def test_the_batch_that_kills_pycrdt_never_reaches_it() -> None:
    """Three checked updates in one transaction made it free what the document points to."""
    for _ in range(3):
        run = subprocess.run(
            [sys.executable, "-c", KILLER], cwd=HOME, capture_output=True, text=True, check=False
        )
        assert (run.returncode, run.stdout) == (0, "alive\n"), run.stderr


def test_overlapping_turns_end_as_others_do() -> None:
    """Repeats and parts bring nothing new, in the same turn as later."""
    document = Document()
    turn = [AB, merge([AB, C]), insert(5, 1, "b", origin=0), C, D]

    assert not any(document.apply_turn(turn))
    assert text_of(document.encode()) == "abcd"
    assert not document.has_pending
    assert text_of(Document.rebuild(turn).encode()) == "abcd"

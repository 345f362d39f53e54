"""The smallest edits between two sequences."""

import time
from typing import Any, Final

import pytest

from crdt.differing import length_of, steps, text_steps

SECONDS_MAX: Final = 10.0


@pytest.mark.parametrize(
    ("old", "new"),
    [("", "a"), ("abc", "abc"), ("abcd", "xbcy"), ("aaa", "aa"), ("a" * 900, "b" * 900)],
)
def test_steps_turn_one_sequence_into_the_other(old: str, new: str) -> None:
    """Applied in their order, last first."""
    letters = list(old)
    for a, b, c, d in steps(old, new):
        letters[a:b] = new[c:d]

    assert "".join(letters) == new


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ([("aXc", ())], [("abc", ())], [(1, 1, [("b", ())])]),
        ([("éXé", ())], [("éé", ())], [(2, 1, [])]),
        ([("ab", ())], [("a", ()), ("b", (("bold", True),))], [(1, 1, [("b", (("bold", True),))])]),
        ([("aa", ())], [("a", ())], [(1, 1, [])]),
        ([("aa", ())], [("aa", ())], []),
        ([], [("a", ())], [(0, 0, [("a", ())])]),
        ([("a", ()), ({"e": 1}, ())], [({"e": 1}, ())], [(0, 1, [])]),
        (
            [],
            [("ab", ()), ({"e": 1}, ()), ("cd", ()), ("e", (("b", 1),))],
            [(0, 0, [("ab", ()), ({"e": 1}, ()), ("cd", ()), ("e", (("b", 1),))])],
        ),
    ],
)
def test_text_steps(old: Any, new: Any, expected: Any) -> None:
    """Places and lengths in bytes of UTF-8."""
    assert list(text_steps(tuple(old), tuple(new))) == expected


def test_a_length_is_that_of_pycrdt() -> None:
    """Bytes of UTF-8, one for an embedded value."""
    assert length_of([("é😀", ()), ({"e": 1}, ())]) == 7


def test_a_long_new_text_costs_no_more_a_letter() -> None:
    """Joined letter by letter it was minutes."""
    text = "x" * 3_000_000
    before = time.process_time()
    found = list(text_steps((), ((text, ()),)))

    assert found == [(0, 0, [(text, ())])]
    assert time.process_time() - before < SECONDS_MAX
